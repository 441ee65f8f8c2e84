/* reduce.c - sum, mean and max over a set of axes. */
#include "../broadcast.h"
#include "../tape.h"
#include "draw.h"
#include "ops.h"

#include <math.h>

/* ---- What the three share ------------------------------------------------------------------- */

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

/* How many elements make one of the result. */
static int64_t reduced_count(const ag_node *node)
{
    ag_shape shape = node->inputs[0]->shape;
    int64_t count = 1;
    for (int i = 0; i < shape.ndim; i++)
        if (is_reduced(node, i))
            count *= shape.dim[i];
    return count;
}

static ag_status shape_reduced(ag_node *node)
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

static ag_status shape_reduced_from_some(ag_node *node)
{
    char text[AG_SHAPE_TEXT];
    if (reduced_count(node) == 0)
        return ag_fail(node, AG_BAD_SHAPE, "the axes of %s that it is taken over have no element",
                       ag_shape_print(node->inputs[0]->shape, text));
    return shape_reduced(node);
}

/* dx += factor dy, each dy going to all the elements that made it. */
typedef struct spread_task {
    walk walk; /* over dx; operand b is dy */
    int64_t size;
    ag_real factor;
    const ag_real *dy;
    ag_real *dx;
} spread_task;

static void spread_pieces(void *context, int64_t begin, int64_t end, int worker)
{
    const spread_task *task = context;
    const kernel_elementwise *elementwise = kernels()->elementwise;
    int64_t last = end * PIECE < task->size ? end * PIECE : task->size;
    (void)worker;

    walk_run run;
    for (int64_t at = begin * PIECE; at < last; at += run.length) {
        run = walk_from(&task->walk, at, last);
        const ag_real *dy = task->dy + run.b;
        ag_real *dx = task->dx + at;
        if (task->walk.b_step[task->walk.ndim - 1]) {
            elementwise->axpy(run.length, task->factor, dy, dx);
        } else {
            ag_real one = task->factor * *dy;
            elementwise->binary(BINARY_ADD, run.length, (kernel_operand){dx, 1}, (kernel_operand){&one, 0}, dx);
        }
    }
}

static ag_status spread(ag_node *node, double factor)
{
    ag_tensor *x = node->inputs[0];
    spread_task task = {.walk = walk_broadcast(x->shape, x->shape, kept_shape(node)),
                        .size = x->size,
                        .factor = (ag_real)factor,
                        .dy = node->output->grad,
                        .dx = ag_grad(x)};
    if (!task.dx)
        return AG_NO_MEMORY;
    kernel_parallel(node->tape->threads, piece_count(task.size), (double)task.size, spread_pieces, &task);
    return AG_OK;
}

static ag_tensor *example_reduction(ag_example *example, ag_tensor *(*constructor)(ag_tensor *, unsigned, bool))
{
    ag_shape shape = draw_shape(example, 0);
    unsigned axes = draw_axes(example, shape);
    bool keep = ag_example_int(example, 0, 1);
    return constructor(ag_example_input(example, "x", shape, -2, 2), axes, keep);
}

/* ---- sum ------------------------------------------------------------------------------------ */

static ag_status reduce(const ag_node *node, broadcast_way way)
{
    const ag_tensor *x = node->inputs[0];
    const reduction *r = node->attributes;
    return broadcast_sum(node->tape, x->shape, r->axes, way, x->data, node->output->data);
}

static ag_status forward_sum(ag_node *node)
{
    return reduce(node, BROADCAST_SUM);
}

/* dx = dy, stretched */
static ag_status backward_sum(ag_node *node)
{
    return spread(node, 1);
}

static ag_tensor *example_sum(ag_example *example)
{
    return example_reduction(example, ag_sum);
}

const ag_op op_sum = {.name = "sum",
                      .formula = "y = sum of x over the axes",
                      .shape = shape_reduced,
                      .forward = forward_sum,
                      .backward = backward_sum,
                      .example = example_sum};

ag_tensor *ag_sum(ag_tensor *x, unsigned axes, bool keep)
{
    reduction r = {.axes = axes, .keep = keep};
    return ag_custom(&op_sum, &x, 1, 1, &r, sizeof r);
}

/* ---- mean ----------------------------------------------------------------------------------- */

static ag_status forward_mean(ag_node *node)
{
    return reduce(node, BROADCAST_MEAN);
}

/* dx = dy / count, stretched */
static ag_status backward_mean(ag_node *node)
{
    return spread(node, 1.0 / (double)reduced_count(node));
}

static ag_tensor *example_mean(ag_example *example)
{
    return example_reduction(example, ag_mean);
}

const ag_op op_mean = {.name = "mean",
                       .formula = "y = mean of x over the axes",
                       .shape = shape_reduced_from_some,
                       .forward = forward_mean,
                       .backward = backward_mean,
                       .example = example_mean};

ag_tensor *ag_mean(ag_tensor *x, unsigned axes, bool keep)
{
    reduction r = {.axes = axes, .keep = keep};
    return ag_custom(&op_mean, &x, 1, 1, &r, sizeof r);
}

/* ---- max ------------------------------------------------------------------------------------ */

/* Whether x[i] is to be the maximum instead of x[best], which comes earlier. NaN is larger than all. */
static bool is_larger(const ag_real *x, int64_t i, int64_t best)
{
    return x[i] > x[best] || (isnan(x[i]) && !isnan(x[best]));
}

/* The places in x of the maxima are kept for the backward. */
static ag_status forward_max(ag_node *node)
{
    const ag_tensor *x = node->inputs[0], *y = node->output;
    const walk w = walk_broadcast(x->shape, x->shape, kept_shape(node));
    const int64_t y_step = w.b_step[w.ndim - 1];
    int64_t *place = ag_tape_alloc(node->tape, (size_t)y->size * sizeof *place);
    if (!place)
        return AG_NO_MEMORY;

    for (int64_t i = 0; i < y->size; i++)
        place[i] = -1;
    walk_run run;
    for (int64_t at = 0; at < x->size; at += run.length) {
        run = walk_from(&w, at, x->size);
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
static ag_status backward_max(ag_node *node)
{
    const int64_t *place = node->saved;
    ag_real *dx = ag_grad(node->inputs[0]);
    if (!dx)
        return AG_NO_MEMORY;
    for (int64_t i = 0; i < node->output->size; i++)
        dx[place[i]] += node->output->grad[i];
    return AG_OK;
}

static ag_tensor *example_max(ag_example *example)
{
    return example_reduction(example, ag_max);
}

/* Where each maximum is. */
static void kinks_max(const ag_node *node, ag_kinks *kinks)
{
    for (int64_t i = 0; i < node->output->size; i++)
        ag_kink(kinks, ((const int64_t *)node->saved)[i]);
}

const ag_op op_max = {.name = "max",
                      .formula = "y = max of x over the axes",
                      .shape = shape_reduced_from_some,
                      .forward = forward_max,
                      .backward = backward_max,
                      .example = example_max,
                      .kinks = kinks_max};

ag_tensor *ag_max(ag_tensor *x, unsigned axes, bool keep)
{
    reduction r = {.axes = axes, .keep = keep};
    return ag_custom(&op_max, &x, 1, 1, &r, sizeof r);
}
