/* permute.c - the axes in another order. */
#include "../broadcast.h"
#include "../tape.h"
#include "draw.h"

#include <string.h>

typedef struct permutation {
    int order[AG_MAX_DIMS];
} permutation;

static ag_status shape_permute(ag_node *node)
{
    const permutation *p = node->attributes;
    ag_shape from = node->inputs[0]->shape;
    unsigned seen = 0;
    node->output->shape = from;
    for (int i = 0; i < from.ndim; i++) {
        int axis = p->order[i];
        char text[AG_SHAPE_TEXT];
        if (axis < 0 || axis >= from.ndim)
            return ag_fail(node, AG_BAD_VALUE, "%s has no axis %d", ag_shape_print(from, text), axis);
        if (seen & AG_AXIS(axis))
            return ag_fail(node, AG_BAD_VALUE, "axis %d of %s is named twice", axis, ag_shape_print(from, text));
        seen |= AG_AXIS(axis);
        node->output->shape.dim[i] = from.dim[axis];
    }
    return AG_OK;
}

/* to = from, or to += from, where `from` is read with steps of its own along the axes of `to`. */
typedef struct permute_task {
    walk walk;
    int64_t size;
    const ag_real *from;
    ag_real *to;
    bool add;
} permute_task;

static void permute_pieces(void *context, int64_t begin, int64_t end, int worker)
{
    const permute_task *task = context;
    const int64_t step = task->walk.a_step[task->walk.ndim - 1];
    int64_t last = end * PIECE < task->size ? end * PIECE : task->size;
    (void)worker;

    walk_run run;
    for (int64_t at = begin * PIECE; at < last; at += run.length) {
        run = walk_from(&task->walk, at, last);
        const ag_real *from = task->from + run.a;
        ag_real *to = task->to + at;
        if (step == 1 && task->add)
            kernels()->elementwise->add(run.length, from, to);
        else if (step == 1)
            memcpy(to, from, (size_t)run.length * sizeof(ag_real));
        else if (task->add)
            for (int64_t i = 0; i < run.length; i++)
                to[i] += from[i * step];
        else
            for (int64_t i = 0; i < run.length; i++)
                to[i] = from[i * step];
    }
}

/* Steps of a dense tensor along its axes. */
static void dense_steps(ag_shape shape, int64_t step[AG_MAX_DIMS])
{
    int64_t dense = 1;
    for (int i = shape.ndim - 1; i >= 0; i--) {
        step[i] = dense;
        dense *= shape.dim[i];
    }
}

static void permute_run(const ag_node *node, ag_shape to_shape, const int64_t *from_step, const ag_real *from,
                        ag_real *to, bool add)
{
    const int64_t none[AG_MAX_DIMS] = {0};
    permute_task task = {
        .walk = walk_make(to_shape, from_step, none), .size = node->output->size, .from = from, .to = to, .add = add};
    kernel_parallel(node->tape->threads, piece_count(task.size), (double)task.size, permute_pieces, &task);
}

static ag_status forward_permute(ag_node *node)
{
    const permutation *p = node->attributes;
    const ag_tensor *x = node->inputs[0], *y = node->output;
    int64_t x_step[AG_MAX_DIMS], step[AG_MAX_DIMS];
    dense_steps(x->shape, x_step);
    for (int i = 0; i < y->shape.ndim; i++)
        step[i] = x_step[p->order[i]];
    permute_run(node, y->shape, step, x->data, y->data, false);
    return AG_OK;
}

/* dx = dy with the axes back in their places */
static ag_status backward_permute(ag_node *node)
{
    const permutation *p = node->attributes;
    ag_tensor *x = node->inputs[0];
    const ag_tensor *y = node->output;
    int64_t y_step[AG_MAX_DIMS], step[AG_MAX_DIMS];
    ag_real *dx = ag_grad(x);
    if (!dx)
        return AG_NO_MEMORY;
    dense_steps(y->shape, y_step);
    for (int i = 0; i < y->shape.ndim; i++)
        step[p->order[i]] = y_step[i];
    permute_run(node, x->shape, step, y->grad, dx, true);
    return AG_OK;
}

static ag_tensor *example_permute(ag_example *example)
{
    ag_shape shape = draw_shape(example, 1);
    int order[AG_MAX_DIMS] = {0, 1, 2, 3, 4};
    for (int i = shape.ndim - 1; i > 0; i--) { /* Fisher and Yates */
        int j = (int)ag_example_int(example, 0, i), kept = order[i];
        order[i] = order[j];
        order[j] = kept;
    }
    return ag_permute(ag_example_input(example, "x", shape, -2, 2), order);
}

const ag_op op_permute = {.name = "permute",
                          .formula = "y = x with its axes in another order",
                          .shape = shape_permute,
                          .forward = forward_permute,
                          .backward = backward_permute,
                          .example = example_permute};

ag_tensor *ag_permute(ag_tensor *x, const int *order)
{
    permutation p = {0};
    if (!x)
        return NULL;
    for (int i = 0; i < x->shape.ndim; i++)
        p.order[i] = order[i];
    return ag_custom(&op_permute, &x, 1, 1, &p, sizeof p);
}
