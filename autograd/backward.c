/* backward.c - from the loss back to the leaves, with a loop over the tape.
 *
 * Nodes were noted in the order in which they were computed, so walking them newest first meets every use of a value
 * before the operation that made it: when a node's turn comes, its output's gradient is complete. */
#include "kernels/elementwise.h"
#include "tape.h"

#include <string.h>

/* What stands before the numbers of an inner gradient. Several tensors may hold one buffer as long as none of them
 * writes. */
typedef struct gradient_buffer {
    size_t bytes; /* of this header and the numbers behind it */
    int holders;
} gradient_buffer;

#define HEADER_BYTES MEMORY_ALIGNMENT

static gradient_buffer *buffer_of(const ag_tensor *x)
{
    return (gradient_buffer *)(void *)((char *)x->grad - HEADER_BYTES);
}

/* Memory for the gradient of x, from what earlier ones left where it fits. Not zeroed. */
static ag_real *buffer_new(ag_tensor *x)
{
    const size_t bytes = HEADER_BYTES + (size_t)x->size * sizeof(ag_real);
    gradient_buffer *buffer = tape_take(x->tape, bytes);
    if (!buffer)
        return NULL;
    *buffer = (gradient_buffer){.bytes = bytes, .holders = 1};
    return (ag_real *)(void *)((char *)buffer + HEADER_BYTES);
}

/* x lets go of its gradient. */
static void gradient_done(ag_tensor *x)
{
    gradient_buffer *buffer = buffer_of(x);
    if (--buffer->holders == 0)
        arena_give(&x->tape->arena, buffer, buffer->bytes);
    x->grad = NULL;
}

/* x, an inner tensor, gets a buffer of its own with what the shared one holds. */
static void unshare(ag_tensor *x)
{
    ag_real *own = buffer_new(x);
    if (own)
        memcpy(own, x->grad, (size_t)x->size * sizeof(ag_real));
    gradient_done(x);
    x->grad = own;
}

ag_real *ag_grad_begin(ag_tensor *x, bool *add)
{
    *add = true;
    if (!x || !x->needs_grad)
        return NULL;
    if (!x->grad) {
        x->grad = buffer_new(x);
        *add = false;
    } else if (x->node && buffer_of(x)->holders > 1) {
        unshare(x);
    }
    return x->grad;
}

ag_real *ag_grad(ag_tensor *x)
{
    bool add;
    ag_real *dx = ag_grad_begin(x, &add);
    if (dx && !add)
        memset(dx, 0, (size_t)x->size * sizeof(ag_real));
    return dx;
}

bool tape_gradient_share(ag_tensor *x, const ag_tensor *y)
{
    if (!x->needs_grad || x->grad || !x->node || x->size != y->size)
        return false;
    x->grad = y->grad;
    buffer_of(y)->holders++;
    return true;
}

bool tape_gradient_spare(const ag_tensor *y)
{
    return !y->retains_grad && buffer_of(y)->holders == 1;
}

/* Inner gradients that an earlier backward left (they were asked for) belong to that call. */
static void forget_inner_gradients(ag_tape *tape)
{
    for (ag_node *node = tape->last; node; node = node->before)
        if (node->output->grad)
            gradient_done(node->output);
}

/* Stops with the name of the operation if its backward has just made something that is no number. */
static void check_gradients(const ag_node *node)
{
    double value;
    for (int i = 0; i < node->input_count; i++) {
        const ag_tensor *x = node->inputs[i];
        if (x && x->grad && tape_find_nonfinite(x->grad, x->size, &value))
            ag_error_set(&node->tape->error, AG_NOT_FINITE, "the gradient of %s in %s by its input %d became %g",
                         node->op->name, *node->scope ? node->scope : "the outermost scope", i, value);
    }
}

/* From the gradient of a node's output to those of its inputs. No input matters to a loss
 * on which the output has no influence, whatever the inputs are: a gradient of zeros
 * alone passes zeros on. */
static ag_status pass_on(ag_node *node)
{
    ag_status status = AG_OK;
    if (kernel_all_zero(node->output->size, node->output->grad)) {
        for (int i = 0; i < node->input_count; i++)
            ag_grad(node->inputs[i]);
        return node->tape->error.status;
    }
    for (int i = 0; i < node->input_count && status == AG_OK; i++)
        status = tape_recompute_values(node->inputs[i]);
    return status == AG_OK ? node->op->backward(node) : status;
}

/* One operation's turn. What was forgotten of its inputs is made anew for it; the last to look at that is the operation
 * that made it. */
static void run_backward(ag_node *node, bool checked)
{
    ag_tape *tape = node->tape;
    ag_status status = pass_on(node);
    arena_rewind(&tape->scratch);
    if (status != AG_OK)
        ag_fail(node, status, "backward failed without saying why");
    else if (checked)
        check_gradients(node);
    if (node->output->is_forgotten)
        tape_drop_values(node->output);
    if (!node->output->retains_grad)
        gradient_done(node->output);
}

/* `seed` NULL stands for ones. */
static ag_status backward(ag_tensor *y, const ag_real *seed, bool checked)
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
    ag_real *dy = ag_grad(y);
    if (!dy)
        return tape->error.status;
    for (int64_t i = 0; i < y->size; i++)
        dy[i] += seed ? seed[i] : (ag_real)1;

    for (ag_node *node = y->node; node && tape->error.status == AG_OK; node = node->before) {
        if (node->output->grad && node->output->needs_grad)
            run_backward(node, checked);
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

ag_status ag_backward_seeded(ag_tensor *y, const ag_real *seed)
{
    return backward(y, seed, false);
}
