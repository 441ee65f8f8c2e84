/* jvp.c - forward mode: from the leaves to a result, in one loop over the tape.
 *
 * A tangent is the derivative of a value along one direction in which the leaves move.
 * The loop goes from the oldest node to the newest, so when it comes to a node, the
 * tangents of its inputs are known, and the operation's rule makes that of its output:
 *
 *     tape:     x, w (leaves)   y = x w           z = relu(y)        loss = sum(z)
 *     jvp:      ux, uw   -->    uy = ux w + x uw  uz = uy if y > 0   sum(uz)
 *
 * A value that no moving leaf reaches has no tangent, and its operation is not called. */
#include "tape.h"

#include <string.h>

/* The pass from the leaves to one result. */
typedef struct jvp_pass {
    ag_tape *tape;
    ag_node **nodes; /* [count], from the oldest to the one that made the result */
    int64_t count;
} jvp_pass;

static ag_status list_nodes(jvp_pass *pass, ag_node *newest)
{
    for (const ag_node *node = newest; node; node = node->before)
        pass->count++;
    pass->nodes = tape_take(pass->tape, (size_t)pass->count * sizeof(ag_node *));
    if (!pass->nodes)
        return AG_NO_MEMORY;
    int64_t at = pass->count;
    for (ag_node *node = newest; node; node = node->before)
        pass->nodes[--at] = node;
    return AG_OK;
}

static ag_status set_leaf_tangents(ag_tape *tape, ag_tensor *const *leaves, const ag_real *const *tangents, int count)
{
    for (int i = 0; i < count; i++) {
        const ag_tensor *x = leaves[i];
        const char *fault = !x                   ? "is NULL"
                            : x->tape != tape    ? "lives on another tape"
                            : x->node            ? "is the result of an operation"
                            : !x->needs_grad     ? "has no gradient: make it by ag_variable or ag_leaf"
                            : x->tangent != NULL ? "is given twice"
                                                 : NULL;
        if (fault)
            return ag_error_set(&tape->error, AG_BAD_VALUE, "jvp: leaf %d %s", i, fault);
        leaves[i]->tangent = tangents[i];
    }
    return AG_OK;
}

/* Whether a moving leaf reaches the node. The results of an operation without backward
 * are constants. */
static bool node_moves(const ag_node *node)
{
    for (int i = 0; i < node->input_count && node->op->backward; i++)
        if (node->inputs[i] && node->inputs[i]->tangent)
            return true;
    return false;
}

/* The tangent of the node's output from those of its inputs. */
static ag_status jvp_node(ag_node *node)
{
    ag_tape *tape = node->tape;
    ag_tensor *y = node->output;
    if (!node->op->jvp)
        return ag_fail(node, AG_BAD_VALUE, "has no tangent rule (jvp), so forward mode cannot pass through it");
    for (int i = 0; i < node->input_count; i++)
        if (tape_recompute_values(node->inputs[i]) != AG_OK) /* (rewinds the scratch memory) */
            return tape->error.status;
    const ag_real **tangents = ag_scratch(tape, (size_t)node->input_count * sizeof *tangents);
    ag_real *tangent = tape_take(tape, (size_t)y->size * sizeof(ag_real));
    if (!tangents || !tangent)
        return AG_NO_MEMORY;
    if (y->size)
        memset(tangent, 0, (size_t)y->size * sizeof(ag_real));
    y->tangent = tangent;
    for (int i = 0; i < node->input_count; i++)
        tangents[i] = node->inputs[i] ? node->inputs[i]->tangent : NULL;
    return node->op->jvp(node, tangents, tangent);
}

/* Takes away what the pass has left: tangents, and values that had been forgotten. */
static void clear_pass(jvp_pass *pass, ag_tensor *const *leaves, int count)
{
    for (int i = 0; i < count; i++)
        if (leaves[i])
            leaves[i]->tangent = NULL;
    for (int64_t i = 0; i < pass->count && pass->nodes; i++) {
        ag_tensor *y = pass->nodes[i]->output;
        if (y->tangent)
            arena_give(&pass->tape->arena, (void *)(uintptr_t)y->tangent, (size_t)y->size * sizeof(ag_real));
        y->tangent = NULL;
    }
    tape_drop_recomputed(pass->tape);
    if (pass->nodes)
        arena_give(&pass->tape->arena, pass->nodes, (size_t)pass->count * sizeof(ag_node *));
}

ag_status ag_jvp(ag_tensor *y, ag_tensor *const *leaves, const ag_real *const *tangents, int count, ag_real *tangent)
{
    if (!y)
        return AG_BAD_VALUE;
    ag_tape *tape = y->tape;
    if (tape->error.status != AG_OK)
        return tape->error.status;
    if (count < 0 || (count && (!leaves || !tangents)) || (y->size && !tangent))
        return ag_error_set(&tape->error, AG_BAD_VALUE, "jvp: no leaves, no tangents, or no memory for the result");

    jvp_pass pass = {.tape = tape};
    ag_status status = set_leaf_tangents(tape, leaves, tangents, count);
    if (status == AG_OK)
        status = list_nodes(&pass, y->node);
    for (int64_t i = 0; i < pass.count && status == AG_OK; i++)
        if (node_moves(pass.nodes[i])) {
            status = jvp_node(pass.nodes[i]);
            arena_rewind(&tape->scratch);
            if (status != AG_OK)
                ag_fail(pass.nodes[i], status, "jvp failed without saying why");
        }
    for (int64_t k = 0; k < y->size && status == AG_OK; k++)
        tangent[k] = y->tangent ? y->tangent[k] : 0;
    clear_pass(&pass, leaves, count);
    return status;
}
