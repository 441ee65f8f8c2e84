/* backward.c - from the loss back to the leaves, in one loop over the tape.
 *
 * Nodes were appended in the order in which they were computed. So a loop from the newest
 * to the oldest meets every use of a value before the operation that made it: when it
 * comes to a node, all that its output contributed to has passed its gradient back, and
 * the output's gradient is complete. No recursion and no sorting are needed.
 *
 *     tape:     x, w (leaves)   y = x w   z = relu(y)   loss = sum(z)
 *     backward:     dx, dw  <--   dy   <--    dz    <--     1
 *
 * The gradients of inner tensors, dy and dz, live only as long as the loop needs them:
 * their memory goes back to the arena for the next ones. */
#include "kernels/elementwise.h"
#include "tape.h"

#include <string.h>

/* ---- The memory of gradients ------------------------------------------------------- */

/* The header before the numbers of an inner tensor's gradient. Several tensors may hold
 * one buffer until one of them writes to it. */
typedef struct gradient_buffer {
    size_t bytes; /* of this header and the numbers after it */
    int holders;
} gradient_buffer;

#define HEADER_BYTES MEMORY_ALIGNMENT

static gradient_buffer *gradient_buffer_of(const ag_tensor *x)
{
    return (gradient_buffer *)(void *)((char *)x->grad - HEADER_BYTES);
}

/* Memory for the gradient of x, if possible where an earlier gradient was. Not zeroed. */
static ag_real *gradient_new(ag_tensor *x)
{
    const size_t bytes = HEADER_BYTES + (size_t)x->size * sizeof(ag_real);
    gradient_buffer *buffer = tape_take(x->tape, bytes);
    if (!buffer)
        return NULL;
    *buffer = (gradient_buffer){.bytes = bytes, .holders = 1};
    return (ag_real *)(void *)((char *)buffer + HEADER_BYTES);
}

/* x releases its gradient. */
static void gradient_release(ag_tensor *x)
{
    gradient_buffer *buffer = gradient_buffer_of(x);
    if (--buffer->holders == 0)
        arena_give(&x->tape->arena, buffer, buffer->bytes);
    x->grad = NULL;
}

/* Gives the inner tensor x a buffer of its own, with what the shared one holds. */
static void gradient_unshare(ag_tensor *x)
{
    ag_real *own = gradient_new(x);
    if (own)
        memcpy(own, x->grad, (size_t)x->size * sizeof(ag_real));
    gradient_release(x);
    x->grad = own;
}

ag_real *ag_grad_begin(ag_tensor *x, bool *add)
{
    *add = true;
    if (!x || !x->needs_grad)
        return NULL;
    if (!x->grad) {
        x->grad = gradient_new(x);
        *add = false;
    } else if (x->node && gradient_buffer_of(x)->holders > 1) {
        gradient_unshare(x);
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
    gradient_buffer_of(y)->holders++;
    return true;
}

bool tape_gradient_spare(const ag_tensor *y)
{
    return !y->retains_grad && gradient_buffer_of(y)->holders == 1;
}

/* ---- The loop ---------------------------------------------------------------------- */

/* Releases the inner gradients that an earlier backward left (ag_retain_grad): they are
 * its results and no part of this one's. */
static void release_inner_gradients(ag_tape *tape)
{
    for (ag_node *node = tape->last; node; node = node->before)
        if (node->output->grad)
            gradient_release(node->output);
}

/* Sets the error if the backward of this node has just made a NaN or an infinity. */
static void require_finite_gradients(const ag_node *node)
{
    double value;
    for (int i = 0; i < node->input_count; i++) {
        const ag_tensor *x = node->inputs[i];
        if (x && x->grad && tape_find_nonfinite(x->grad, x->size, &value))
            ag_error_set(&node->tape->error, AG_NOT_FINITE, "the gradient of %s in %s by its input %d became %g",
                         node->op->name, *node->scope ? node->scope : "the outermost scope", i, value);
    }
}

/* Adds what the gradient of the node's output implies to the gradients of its inputs. If
 * that gradient is all 0, the loss does not depend on the output, and so not on the
 * inputs through it, whatever they hold: they get zeros without calling the operation, in
 * which 0 times NaN would be NaN. */
static ag_status pass_back(ag_node *node)
{
    ag_status status = AG_OK;
    if (kernel_all_zero(node->output->size, node->output->grad)) {
        for (int i = 0; i < node->input_count; i++)
            ag_grad(node->inputs[i]);
        return node->tape->error.status;
    }
    for (int i = 0; i < node->input_count && status == AG_OK; i++)
        status = tape_recompute_values(node->inputs[i]);
    if (status != AG_OK || !node->cost)
        return status == AG_OK ? node->op->backward(node) : status;
    const double start = ag_seconds();
    status = node->op->backward(node);
    node->cost->backward += ag_seconds() - start;
    return status;
}

/* The node's turn in the loop. Inputs that were forgotten are recomputed for it
 * (pass_back). An output that was forgotten is dropped here for good: no older node reads
 * it. */
static void backward_node(ag_node *node, bool checked)
{
    ag_tape *tape = node->tape;
    ag_status status = pass_back(node);
    arena_rewind(&tape->scratch);
    if (status != AG_OK)
        ag_fail(node, status, "backward failed without saying why");
    else if (checked)
        require_finite_gradients(node);
    if (node->output->is_forgotten)
        tape_drop_values(node->output);
    if (!node->output->retains_grad)
        gradient_release(node->output);
}

/* `seed` NULL: ones. */
static ag_status backward_from(ag_tensor *y, const ag_real *seed, bool checked)
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

    release_inner_gradients(tape);
    ag_real *dy = ag_grad(y);
    if (!dy)
        return tape->error.status;
    for (int64_t i = 0; i < y->size; i++)
        dy[i] += seed ? seed[i] : (ag_real)1;

    for (ag_node *node = y->node; node && tape->error.status == AG_OK; node = node->before) {
        if (node->output->grad && node->output->needs_grad)
            backward_node(node, checked);
    }
    return tape->error.status;
}

static ag_status backward_from_loss(ag_tensor *loss, bool checked)
{
    if (loss && loss->size != 1) {
        char text[AG_SHAPE_TEXT];
        return ag_error_set(
            &loss->tape->error, AG_BAD_SHAPE,
            "backward: the loss is %s, not one element (reduce it by ag_sum or ag_mean, or give a seed)",
            ag_shape_print(loss->shape, text));
    }
    return backward_from(loss, NULL, checked);
}

ag_status ag_backward(ag_tensor *loss)
{
    return backward_from_loss(loss, false);
}

ag_status ag_backward_checked(ag_tensor *loss)
{
    return backward_from_loss(loss, true);
}

ag_status ag_backward_seeded(ag_tensor *y, const ag_real *seed)
{
    return backward_from(y, seed, false);
}
