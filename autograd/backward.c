/* backward.c - from the loss back to the leaves, with a loop over the tape.
 *
 * Nodes were noted in the order in which they were computed, so walking them newest first meets every use of a value
 * before the operation that made it: when a node's turn comes, its output's gradient is complete. */
#include "tape.h"

#include <string.h>

real *tape_gradient_new(ag_tensor *x)
{
    size_t bytes = (size_t)x->size * sizeof(real);
    size_t at_least = bytes < sizeof(ag_free_gradient) ? sizeof(ag_free_gradient) : bytes;
    void *place = NULL;

    for (ag_free_gradient **link = &x->tape->free_gradients; *link; link = &(*link)->next)
        if ((*link)->bytes == at_least) {
            place = *link;
            *link = (*link)->next;
            break;
        }
    if (!place)
        place = ag_tape_alloc(x->tape, at_least);
    if (place)
        memset(place, 0, bytes);
    return place;
}

void tape_gradient_done(ag_tensor *x)
{
    size_t bytes = (size_t)x->size * sizeof(real);
    ag_free_gradient *entry = (void *)x->grad;
    entry->bytes = bytes < sizeof *entry ? sizeof *entry : bytes;
    entry->next = x->tape->free_gradients;
    x->tape->free_gradients = entry;
    x->grad = NULL;
}

real *ag_grad(ag_tensor *x)
{
    if (!x || !x->needs_grad)
        return NULL;
    if (!x->grad)
        x->grad = tape_gradient_new(x);
    return x->grad;
}

/* Inner gradients that an earlier backward left (they were asked for) belong to that call. */
static void forget_inner_gradients(ag_tape *tape)
{
    for (ag_node *node = tape->last; node; node = node->before)
        if (node->output->grad)
            tape_gradient_done(node->output);
}

/* Stops with the name of the operation if its backward has just made something that is no number. */
static void check_gradients(const ag_node *node)
{
    double value;
    for (int i = 0; i < node->input_count; i++) {
        const ag_tensor *x = node->inputs[i];
        if (x && x->grad && tape_find_nonfinite(x->grad, x->size, &value))
            ag_error_set(&node->tape->error, AG_NOT_FINITE, "the gradient of %s in %s by its input %d became %g",
                         node->op->name, *node->scope ? node->scope : "the outermost scope", i + 1, value);
    }
}

/* `seed` NULL stands for ones. */
static ag_status backward(ag_tensor *y, const real *seed, bool checked)
{
    if (!y)
        return AG_BAD_VALUE;
    ag_tape *tape = y->tape;
    if (tape->error.status != AG_OK)
        return tape->error.status;
    if (!y->needs_grad)
        return ag_error_set(
            &tape->error, AG_BAD_VALUE,
            "backward: the result depends on nothing that has a gradient (only constants, or a no-grad tape)");

    forget_inner_gradients(tape);
    real *dy = ag_grad(y);
    if (!dy)
        return tape->error.status;
    for (int64_t i = 0; i < y->size; i++)
        dy[i] += seed ? seed[i] : (real)1;

    for (ag_node *node = y->node; node && tape->error.status == AG_OK; node = node->before) {
        ag_tensor *output = node->output;
        if (!output->grad || !output->needs_grad)
            continue;
        ag_status status = node->op->backward(node);
        arena_rewind(&tape->scratch);
        if (status != AG_OK)
            ag_fail(node, status, "backward failed without saying why");
        else if (checked)
            check_gradients(node);
        if (!output->retains_grad)
            tape_gradient_done(output);
    }
    return tape->error.status;
}

static ag_status backward_from_scalar(ag_tensor *loss, bool checked)
{
    if (loss && loss->size != 1) {
        char text[AG_SHAPE_TEXT];
        return ag_error_set(
            &loss->tape->error, AG_BAD_SHAPE,
            "backward: the loss is %s, not one element (reduce it by ag_sum or ag_mean, or give a seed)",
            ag_shape_print(loss->shape, text));
    }
    return backward(loss, NULL, checked);
}

ag_status ag_backward(ag_tensor *loss)
{
    return backward_from_scalar(loss, false);
}

ag_status ag_backward_checked(ag_tensor *loss)
{
    return backward_from_scalar(loss, true);
}

ag_status ag_backward_seeded(ag_tensor *y, const real *seed)
{
    return backward(y, seed, false);
}
