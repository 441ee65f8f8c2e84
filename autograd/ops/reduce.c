/* reduce.c - sum, mean and max over a set of axes. */
#include "../broadcast.h"
#include "../tape.h"
#include "draw.h"

#include <math.h>

/* ---- Axes and shapes --------------------------------------------------------------- */

typedef struct reduction {
    unsigned axes;
    bool keep;
} reduction;

static bool is_reduced(const ag_node *node, int axis)
{
    return ((const reduction *)node->attributes)->axes >> axis & 1;
}

/* The result's shape with the reduced axes as 1: it broadcasts to the input's. */
static ag_shape kept_shape(const ag_node *node)
{
    ag_shape shape = node->inputs[0]->shape;
    for (int i = 0; i < shape.ndim; i++)
        if (is_reduced(node, i))
            shape.dim[i] = 1;
    return shape;
}

/* The number of elements that make one of the result. */
static int64_t reduced_count(const ag_node *node)
{
    ag_shape shape = node->inputs[0]->shape;
    int64_t count = 1;
    for (int i = 0; i < shape.ndim; i++)
        if (is_reduced(node, i))
            count *= shape.dim[i];
    return count;
}

static ag_status reduce_shape(ag_node *node)
{
    const reduction *r = node->attributes;
    ag_shape from = node->inputs[0]->shape, *to = &node->output->shape;
    char text[AG_SHAPE_TEXT];

    for (int i = from.ndim; i < 32 && r->axes != AG_ALL_AXES; i++)
        if (r->axes >> i & 1)
            return ag_fail(node, AG_BAD_VALUE, "%s has no axis %d", ag_shape_print(from, text), i);
    *to = AG_SCALAR;
    for (int i = 0; i < from.ndim; i++) {
        if (!is_reduced(node, i))
            to->dim[to->ndim++] = from.dim[i];
        else if (r->keep)
            to->dim[to->ndim++] = 1;
    }
    return AG_OK;
}

/* A mean or a maximum over nothing does not exist. */
static ag_status reduce_some_shape(ag_node *node)
{
    char text[AG_SHAPE_TEXT];
    if (reduced_count(node) == 0)
        return ag_fail(node, AG_BAD_SHAPE, "the axes of %s that it is taken over have no element",
                       ag_shape_print(node->inputs[0]->shape, text));
    return reduce_shape(node);
}

/* ---- sum and mean ------------------------------------------------------------------ */

static ag_status reduce(const ag_node *node, broadcast_way way)
{
    const ag_tensor *x = node->inputs[0];
    const reduction *r = node->attributes;
    return broadcast_sum(node->tape, x->shape, r->axes, way, x->data, node->output->data);
}

static ag_status sum_forward(ag_node *node)
{
    return reduce(node, BROADCAST_SUM);
}

static ag_status mean_forward(ag_node *node)
{
    return reduce(node, BROADCAST_MEAN);
}

/* dx += factor dy, where each dy goes to all the elements that made its y. */
typedef struct stretch_task {
    strided loop; /* over dx; operand b is dy */
    ag_real factor;
    const ag_real *dy;
    ag_real *dx;
} stretch_task;

static void stretch_elements(void *context, int64_t begin, int64_t end)
{
    const stretch_task *task = context;
    const kernel_elementwise *elementwise = kernels()->elementwise;

    strided_run run;
    for (int64_t at = begin; at < end; at += run.length) {
        run = strided_run_from(&task->loop, at, end);
        const ag_real *dy = task->dy + run.b;
        ag_real *dx = task->dx + at;
        if (task->loop.b_step[task->loop.ndim - 1]) {
            elementwise->axpy(run.length, task->factor, dy, dx);
        } else {
            ag_real one = task->factor * *dy;
            elementwise->binary(BINARY_ADD, run.length, (kernel_operand){dx, 1}, (kernel_operand){&one, 0}, dx);
        }
    }
}

static ag_status stretch_gradient(ag_node *node, double factor)
{
    ag_tensor *x = node->inputs[0];
    stretch_task task = {.loop = strided_broadcast(x->shape, x->shape, kept_shape(node)),
                         .factor = (ag_real)factor,
                         .dy = node->output->grad,
                         .dx = ag_grad(x)};
    if (!task.dx)
        return AG_NO_MEMORY;
    parallel_elements(node->tape, x->size, (double)x->size, stretch_elements, &task);
    return AG_OK;
}

/* dx = dy, stretched */
static ag_status sum_backward(ag_node *node)
{
    return stretch_gradient(node, 1);
}

/* dx = dy / count, stretched */
static ag_status mean_backward(ag_node *node)
{
    return stretch_gradient(node, 1.0 / (double)reduced_count(node));
}

/* uy = factor times the sum of ux over the axes, in double */
static ag_status sum_tangent(const ag_node *node, const ag_real *from, double factor, ag_real *tangent)
{
    const ag_tensor *x = node->inputs[0], *y = node->output;
    const strided loop = strided_broadcast(x->shape, x->shape, kept_shape(node));
    double *sums = ag_scratch(node->tape, (size_t)y->size * sizeof *sums);
    if (!sums)
        return AG_NO_MEMORY;
    for (int64_t i = 0; i < y->size; i++)
        sums[i] = 0;
    strided_run run;
    for (int64_t at = 0; at < x->size; at += run.length) {
        run = strided_run_from(&loop, at, x->size);
        for (int64_t i = 0; i < run.length; i++)
            sums[run.b + i * loop.b_step[loop.ndim - 1]] += (double)from[at + i];
    }
    for (int64_t i = 0; i < y->size; i++)
        tangent[i] = (ag_real)(factor * sums[i]);
    return AG_OK;
}

static ag_status sum_jvp(ag_node *node, const ag_real *const *tangents, ag_real *tangent)
{
    return sum_tangent(node, tangents[0], 1, tangent);
}

static ag_status mean_jvp(ag_node *node, const ag_real *const *tangents, ag_real *tangent)
{
    return sum_tangent(node, tangents[0], 1.0 / (double)reduced_count(node), tangent);
}

/* ---- max --------------------------------------------------------------------------- */

/* Whether x[i] replaces the earlier x[best] as the maximum. NaN is larger than any
 * number. */
static bool is_larger(const ag_real *x, int64_t i, int64_t best)
{
    return x[i] > x[best] || (isnan(x[i]) && !isnan(x[best]));
}

/* y = the maximum over the axes. Keeps the places of the maxima in x for the backward. */
static ag_status max_forward(ag_node *node)
{
    const ag_tensor *x = node->inputs[0], *y = node->output;
    const strided w = strided_broadcast(x->shape, x->shape, kept_shape(node));
    const int64_t y_step = w.b_step[w.ndim - 1];
    int64_t *place = ag_tape_alloc(node->tape, (size_t)y->size * sizeof *place);
    if (!place)
        return AG_NO_MEMORY;

    for (int64_t i = 0; i < y->size; i++)
        place[i] = -1;
    strided_run run;
    for (int64_t at = 0; at < x->size; at += run.length) {
        run = strided_run_from(&w, at, x->size);
        int64_t first = y_step ? 0 : kernels()->elementwise->argmax(run.length, x->data + at);
        for (int64_t i = first; i < (y_step ? run.length : first + 1); i++) {
            int64_t *best = &place[run.b + i * y_step];
            if (*best < 0 || is_larger(x->data, at + i, *best))
                *best = at + i;
        }
    }
    for (int64_t i = 0; i < y->size; i++)
        y->data[i] = x->data[place[i]];
    node->saved = place;
    return AG_OK;
}

/* dx = dy at the first maximum, 0 elsewhere */
static ag_status max_backward(ag_node *node)
{
    const int64_t *place = node->saved;
    ag_real *dx = ag_grad(node->inputs[0]);
    if (!dx)
        return AG_NO_MEMORY;
    for (int64_t i = 0; i < node->output->size; i++)
        dx[place[i]] += node->output->grad[i];
    return AG_OK;
}

/* uy = ux at the first maximum */
static ag_status max_jvp(ag_node *node, const ag_real *const *tangents, ag_real *tangent)
{
    const int64_t *place = node->saved;
    for (int64_t i = 0; i < node->output->size; i++)
        tangent[i] = tangents[0][place[i]];
    return AG_OK;
}

/* Records where each maximum is. */
static void max_kinks(const ag_node *node, ag_kinks *kinks)
{
    for (int64_t i = 0; i < node->output->size; i++)
        ag_kink(kinks, ((const int64_t *)node->saved)[i]);
}

/* ---- The table --------------------------------------------------------------------- */

static ag_tensor *reduce_example(ag_example *example, ag_tensor *(*constructor)(ag_tensor *, unsigned, bool))
{
    ag_shape shape = draw_shape(example, 0);
    unsigned axes = draw_axes(example, shape);
    bool keep = ag_example_int(example, 0, 1);
    return constructor(ag_example_input(example, "x", shape, -2, 2), axes, keep);
}

/* The record op_NAME, its example, and its constructor ag_NAME. Further fields of the
 * record may follow the formula. */
#define REDUCTION(function, its_shape, ...)                                                                            \
    static ag_tensor *function##_example(ag_example *example)                                                          \
    {                                                                                                                  \
        return reduce_example(example, ag_##function);                                                                 \
    }                                                                                                                  \
    const ag_op op_##function = {.name = #function,                                                                    \
                                 .shape = its_shape,                                                                   \
                                 .forward = function##_forward,                                                        \
                                 .backward = function##_backward,                                                      \
                                 .jvp = function##_jvp,                                                                \
                                 .example = function##_example,                                                        \
                                 .formula = __VA_ARGS__};                                                              \
    ag_tensor *ag_##function(ag_tensor *x, unsigned axes, bool keep)                                                   \
    {                                                                                                                  \
        return ag_custom(&op_##function, &x, 1, 1, &(reduction){axes, keep}, sizeof(reduction));                       \
    }

REDUCTION(sum, reduce_shape, "y = sum of x over the axes")
REDUCTION(mean, reduce_some_shape, "y = mean of x over the axes")
REDUCTION(max, reduce_some_shape, "y = max of x over the axes", .kinks = max_kinks)
