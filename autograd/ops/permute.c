/* permute.c - the axes in another order. */
#include "../broadcast.h"
#include "../tape.h"
#include "draw.h"

#include <string.h>

typedef struct permutation {
    int order[AG_MAX_DIMS];
} permutation;

static ag_status permute_shape(ag_node *node)
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

/* to = from, or to += from, where `from` is read with its own steps along the axes of
 * `to`. */
typedef struct permute_task {
    strided loop;
    const ag_real *from;
    ag_real *to;
    bool add;
} permute_task;

static void permute_elements(void *context, int64_t begin, int64_t end)
{
    const permute_task *task = context;
    const int64_t step = task->loop.a_step[task->loop.ndim - 1];

    strided_run run;
    for (int64_t at = begin; at < end; at += run.length) {
        run = strided_run_from(&task->loop, at, end);
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

/* The steps of a dense tensor along its axes. */
static void dense_steps(ag_shape shape, int64_t step[AG_MAX_DIMS])
{
    int64_t dense = 1;
    for (int i = shape.ndim - 1; i >= 0; i--) {
        step[i] = dense;
        dense *= shape.dim[i];
    }
}

static void permute_run(const ag_node *node, ag_shape shape, const int64_t *from_step, permute_task task)
{
    const int64_t none[AG_MAX_DIMS] = {0};
    const int64_t size = node->output->size;
    task.loop = strided_make(shape, from_step, none);
    parallel_elements(node->tape, size, (double)size, permute_elements, &task);
}

/* to = from, read in the order of y's axes */
static ag_status permute_to_output(const ag_node *node, const ag_real *from, ag_real *to)
{
    const permutation *p = node->attributes;
    const ag_tensor *x = node->inputs[0], *y = node->output;
    int64_t x_step[AG_MAX_DIMS], step[AG_MAX_DIMS];
    dense_steps(x->shape, x_step);
    for (int i = 0; i < y->shape.ndim; i++)
        step[i] = x_step[p->order[i]];
    permute_run(node, y->shape, step, (permute_task){.from = from, .to = to});
    return AG_OK;
}

/* y = x with its axes in another order */
static ag_status permute_forward(ag_node *node)
{
    return permute_to_output(node, node->inputs[0]->data, node->output->data);
}

/* uy = ux with its axes in another order */
static ag_status permute_jvp(ag_node *node, const ag_real *const *tangents, ag_real *tangent)
{
    return permute_to_output(node, tangents[0], tangent);
}

/* dx = dy, read in the order of x's axes */
static ag_status permute_backward(ag_node *node)
{
    const permutation *p = node->attributes;
    const ag_tensor *x = node->inputs[0], *y = node->output;
    int64_t y_step[AG_MAX_DIMS], step[AG_MAX_DIMS];
    ag_real *dx = ag_grad(node->inputs[0]);
    if (!dx)
        return AG_NO_MEMORY;
    dense_steps(y->shape, y_step);
    for (int i = 0; i < y->shape.ndim; i++)
        step[p->order[i]] = y_step[i];
    permute_run(node, x->shape, step, (permute_task){.from = y->grad, .to = dx, .add = true});
    return AG_OK;
}

static ag_tensor *permute_example(ag_example *example)
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
                          .shape = permute_shape,
                          .forward = permute_forward,
                          .backward = permute_backward,
                          .jvp = permute_jvp,
                          .example = permute_example};

ag_tensor *ag_permute(ag_tensor *x, const int *order)
{
    permutation p = {0};
    if (!x)
        return NULL;
    for (int i = 0; i < x->shape.ndim; i++)
        p.order[i] = order[i];
    return ag_custom(&op_permute, &x, 1, 1, &p, sizeof p);
}
