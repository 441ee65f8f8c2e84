/* recompute.c - gradient checkpointing: values that are dropped after the forward pass
 * and computed again in the backward pass (Chen et al. 2016, Training deep nets with
 * sublinear memory cost, section 3).
 *
 * ag_forget drops the values of a tensor at once. Before an operation's backward runs,
 * tape_recompute_values brings its inputs back by running the operation that made them a
 * second time; backward.c drops them again after that operation's own backward, which is
 * the last to read them. */
#include "tape.h"

static size_t value_bytes(const ag_tensor *x)
{
    return (size_t)x->size * sizeof(ag_real);
}

/* Whether another tensor has its values in the memory of x. */
static bool shares_memory(const ag_tensor *x)
{
    for (const ag_node *node = x->tape->last; node && node != x->node; node = node->before)
        if (node->output->data == x->data)
            return true;
    return false;
}

void tape_drop_values(ag_tensor *x)
{
    if (x->data)
        arena_give(&x->tape->arena, x->data, value_bytes(x));
    x->data = NULL;
}

void tape_drop_recomputed(const ag_tape *tape)
{
    for (const ag_node *node = tape->last; node; node = node->before)
        if (node->output->is_forgotten)
            tape_drop_values(node->output);
}

void ag_forget(ag_tensor *x)
{
    if (!x || !x->tape->forgets || !x->node || !x->node->op->can_repeat || !x->size || shares_memory(x))
        return;
    tape_drop_values(x);
    x->is_forgotten = true;
}

/* (An input of x may have been forgotten too.) */
ag_status tape_recompute_values(ag_tensor *x)
{
    if (!x || !x->is_forgotten || x->data)
        return AG_OK;
    const ag_node *node = x->node;
    for (int i = 0; i < node->input_count; i++)
        if (tape_recompute_values(node->inputs[i]) != AG_OK)
            return x->tape->error.status;
    if (!(x->data = tape_take(x->tape, value_bytes(x))))
        return AG_NO_MEMORY;
    const double start = node->cost ? ag_seconds() : 0;
    const ag_status status = node->op->forward(x->node);
    if (node->cost) {
        node->cost->recompute += ag_seconds() - start;
        node->cost->recomputed++;
    }
    arena_rewind(&x->tape->scratch);
    return status;
}
