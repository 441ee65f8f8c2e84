/* concat.c - tensors joined along an axis. */
#include "../ranges.h"
#include "axis.h"
#include "draw.h"
#include "kernels/kernels.h"

#include <string.h>

static ag_status concat_shape(ag_node *node)
{
    ag_shape first = node->inputs[0]->shape, *y = &node->output->shape;
    int axis = axis_from_front(node, first, *(int *)node->attributes);
    if (axis < 0)
        return AG_BAD_VALUE;
    *y = first;
    for (int i = 1; i < node->input_count; i++) {
        ag_shape next = node->inputs[i]->shape, expected = first;
        char first_text[AG_SHAPE_TEXT], next_text[AG_SHAPE_TEXT];
        if (next.ndim == first.ndim)
            expected.dim[axis] = next.dim[axis];
        if (!ag_shape_equal(next, expected))
            return ag_fail(node, AG_BAD_SHAPE,
                           "%s and %s (input %d) differ in another axis than %d, the one they are joined along",
                           ag_shape_print(first, first_text), ag_shape_print(next, next_text), i, axis);
        y->dim[axis] += next.dim[axis];
    }
    return AG_OK;
}

/* A row of y [outer, row] consists of a row of each input: this input's `width` elements
 * are those from `offset` on. Where dx is not NULL, dx += dy; else y = x there. */
typedef struct concat_task {
    int64_t row, width, offset;
    const ag_real *x;
    ag_real *y;
    const ag_real *dy;
    ag_real *dx;
} concat_task;

static void concat_rows(void *context, int64_t begin, int64_t end)
{
    const concat_task *task = context;
    for (int64_t o = begin; o < end; o++) {
        int64_t at = o * task->row + task->offset;
        if (task->dx)
            kernels()->elementwise->add(task->width, task->dy + at, task->dx + o * task->width);
        else if (task->width) /* (an empty input may have no memory) */
            memcpy(task->y + at, task->x + o * task->width, (size_t)task->width * sizeof(ag_real));
    }
}

/* Does for an input what `task` has the arrays for, if it has any, and moves on to the
 * place of the next. */
static void concat_run(const ag_node *node, int input, concat_task *task)
{
    const ag_shape shape = node->output->shape;
    int axis = axis_from_front(node, shape, *(int *)node->attributes);
    int64_t outer = axes_size(shape, 0, axis), inner = axes_size(shape, axis + 1, shape.ndim);
    task->row = shape.dim[axis] * inner;
    task->width = node->inputs[input]->shape.dim[axis] * inner;
    if (task->x || task->dx)
        parallel_rows(node->tape, outer, (double)node->inputs[input]->size, concat_rows, task);
    task->offset += task->width;
}

/* y = the rows of the inputs, side by side */
static ag_status concat_forward(ag_node *node)
{
    concat_task task = {.y = node->output->data};
    for (int i = 0; i < node->input_count; i++) {
        task.x = node->inputs[i]->data;
        concat_run(node, i, &task);
    }
    return AG_OK;
}

/* dx_i = the columns of dy that came from x_i */
static ag_status concat_backward(ag_node *node)
{
    concat_task task = {.dy = node->output->grad};
    for (int i = 0; i < node->input_count; i++) {
        task.dx = ag_grad(node->inputs[i]);
        if (node->inputs[i]->needs_grad && !task.dx)
            return AG_NO_MEMORY;
        concat_run(node, i, &task);
    }
    return AG_OK;
}

/* uy = the rows of the inputs' tangents, side by side */
static ag_status concat_jvp(ag_node *node, const ag_real *const *tangents, ag_real *tangent)
{
    concat_task task = {.y = tangent};
    for (int i = 0; i < node->input_count; i++) {
        task.x = tangents[i];
        concat_run(node, i, &task);
    }
    return AG_OK;
}

/* One to four inputs, some of which may be empty along the axis. */
static ag_tensor *concat_example(ag_example *example)
{
    static const char *const names[] = {"a", "b", "c", "d"};
    ag_tensor *xs[4];
    ag_shape shape = draw_shape(example, 1);
    int count = (int)ag_example_int(example, 1, 4);
    int axis = (int)ag_example_int(example, -shape.ndim, shape.ndim - 1);
    for (int i = 0; i < count; i++) {
        xs[i] = ag_example_input(example, names[i], shape, -2, 2);
        shape.dim[axis < 0 ? axis + shape.ndim : axis] = ag_example_int(example, 0, 3);
    }
    return ag_concat(xs, count, axis);
}

const ag_op op_concat = {.name = "concat",
                         .formula = "y = the xs, joined along an axis",
                         .shape = concat_shape,
                         .forward = concat_forward,
                         .backward = concat_backward,
                         .jvp = concat_jvp,
                         .example = concat_example};

ag_tensor *ag_concat(ag_tensor *const *xs, int count, int axis)
{
    return count > 0 ? ag_custom(&op_concat, xs, count, count, &axis, sizeof axis) : NULL;
}
