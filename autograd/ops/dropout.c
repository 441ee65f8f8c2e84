/* dropout.c - sets elements to zero at random (Srivastava et al. 2014) and scales the
 * others, which keeps the mean.
 *
 * The mask is a function of the seed, the step, the dropout's number and the element. So
 * it is the same at any number of threads, and the backward draws it again instead of
 * keeping it. */
#include "../ranges.h"
#include "../tape.h"
#include "draw.h"
#include "kernels/kernels.h"

static ag_status dropout_shape(ag_node *node)
{
    node->output->shape = node->inputs[0]->shape;
    return AG_OK;
}

typedef struct dropout_task {
    const kernel_dropout *mask;
    const ag_real *from;
    ag_real *to;
    bool add;
} dropout_task;

static void dropout_elements(void *context, int64_t begin, int64_t end)
{
    const dropout_task *task = context;
    kernels()->elementwise->dropout(task->mask, begin, end - begin, task->from + begin, task->to + begin, task->add);
}

static void dropout_run(const ag_node *node, const ag_real *from, ag_real *to, bool add)
{
    const int64_t size = node->output->size;
    dropout_task task = {.mask = node->attributes, .from = from, .to = to, .add = add};
    parallel_elements(node->tape, size, 8.0 * (double)size, dropout_elements, &task);
}

/* y = x / (1 - p) where x is kept, else 0 */
static ag_status dropout_forward(ag_node *node)
{
    dropout_run(node, node->inputs[0]->data, node->output->data, false);
    return AG_OK;
}

/* dx = dy / (1 - p) where x was kept, else 0 */
static ag_status dropout_backward(ag_node *node)
{
    bool add;
    ag_real *dx = ag_grad_begin(node->inputs[0], &add);
    if (!dx)
        return AG_NO_MEMORY;
    dropout_run(node, node->output->grad, dx, add);
    return AG_OK;
}

/* uy = ux / (1 - p) where x was kept, else 0 */
static ag_status dropout_jvp(ag_node *node, const ag_real *const *tangents, ag_real *tangent)
{
    const kernel_dropout *mask = node->attributes;
    for (int64_t i = 0; i < node->output->size; i++)
        tangent[i] = kernel_dropout_keeps(mask, i) ? tangents[0][i] * mask->scale : 0;
    return AG_OK;
}

/* Seeds the stream: an example must be the same function at every call. */
static ag_tensor *dropout_example(ag_example *example)
{
    static const double chances[] = {1e-10, 0.1, 0.5, 0.9, 1};
    double p = chances[ag_example_int(example, 0, 4)];
    uint64_t seed = (uint64_t)ag_example_int(example, 0, 1000), step = (uint64_t)ag_example_int(example, 0, 1000);
    ag_tape_seed(ag_example_tape(example), seed, step);
    return ag_dropout(ag_example_input(example, "x", draw_shape(example, 0), -2, 2), p);
}

const ag_op op_dropout = {.name = "dropout",
                          .formula = "y = 0 with probability p, else x / (1 - p)",
                          .shape = dropout_shape,
                          .forward = dropout_forward,
                          .backward = dropout_backward,
                          .jvp = dropout_jvp,
                          .example = dropout_example};

ag_tensor *ag_dropout(ag_tensor *x, double p)
{
    if (!x || p == 0)
        return x;
    if (!(p >= 0 && p <= 1))
        return ag_tape_fail(x->tape, AG_BAD_VALUE, "dropout: the probability is %g, outside of 0 to 1", p);
    kernel_dropout mask = tape_next_dropout(x->tape, p);
    return ag_custom(&op_dropout, &x, 1, 1, &mask, sizeof mask);
}
