/* node_backward.c - the backward of one node alone, outside of ag_backward. */
#include "tape.h"

/* Calls the record's backward on copies of the node and its tensors. The copied inputs
 * are leaves with the memory `dx`. The copied output has the caller's dy as a gradient
 * that is retained, so nothing writes to it. */
static ag_status backward_of_copy(const ag_node *node, const ag_real *dy, ag_real *const *dx, ag_tensor *inputs,
                                  ag_tensor **places)
{
    ag_node copy = *node;
    ag_tensor output = *node->output;
    for (int i = 0; i < node->input_count; i++) {
        places[i] = node->inputs[i] ? &inputs[i] : NULL;
        if (!places[i])
            continue;
        inputs[i] = *node->inputs[i];
        inputs[i].node = NULL;
        inputs[i].grad = dx[i];
        inputs[i].needs_grad = dx[i] != NULL;
    }
    copy.inputs = places;
    copy.output = &output;
    output.grad = (ag_real *)(uintptr_t)dy;
    output.retains_grad = true;
    const ag_status status = node->op->backward(&copy);
    arena_rewind(&node->tape->scratch);
    return status;
}

ag_status ag_node_backward(const ag_node *node, const ag_real *dy, ag_real *const *dx)
{
    ag_tape *tape = node->tape;
    const size_t count = (size_t)node->input_count, bytes = count * (sizeof(ag_tensor) + sizeof(ag_tensor *));
    if (tape->error.status != AG_OK)
        return tape->error.status;
    if (!node->output->needs_grad)
        return ag_fail(node, AG_BAD_VALUE, "the result needs no gradient, so nothing was kept for its backward");
    ag_status status = AG_OK;
    for (int i = 0; i < node->input_count && status == AG_OK; i++)
        status = tape_recompute_values(node->inputs[i]);
    ag_tensor *inputs = tape_take(tape, bytes);
    if (status == AG_OK && inputs)
        status = backward_of_copy(node, dy, dx, inputs, (ag_tensor **)(void *)(inputs + count));
    if (inputs)
        arena_give(&tape->arena, inputs, bytes);
    tape_drop_recomputed(tape);
    if (status != AG_OK)
        ag_fail(node, status, "backward failed without saying why");
    return tape->error.status;
}
