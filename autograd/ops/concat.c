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
 * are those from `offset` on. */
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

/* Copies one input after the other into the rows of y, or adds its columns of dy to its
 * gradient. */
static ag_status concat_inputs(ag_node *node, bool backward)
{
    const ag_tensor *y = node->output;
    int axis = axis_from_front(node, y->shape, *(int *)node->attributes);
    int64_t outer = axes_size(y->shape, 0, axis), inner = axes_size(y->shape, axis + 1, y->shape.ndim);
    concat_task task = {.row = y->shape.dim[axis] * inner, .y = y->data, .dy = y->grad};

    for (int i = 0; i < node->input_count; i++) {
        ag_tensor *x = node->inputs[i];
        task.width = x->shape.dim[axis] * inner;
        task.x = x->data;
        task.dx = backward ? ag_grad(x) : NULL;
        if (backward && x->needs_grad && !task.dx)
            return AG_NO_MEMORY;
        if (!backward || task.dx)
            parallel_rows(node->tape, outer, (double)x->size, concat_rows, &task);
        task.offset += task.width;
    }
    return AG_OK;
}

/* y = the rows of the inputs, side by side */
static ag_status concat_forward(ag_node *node)
{
    return concat_inputs(node, false);
}

/* dx_i = the columns of dy that came from x_i */
static ag_status concat_backward(ag_node *node)
{
    return concat_inputs(node, true);
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
                         .example = concat_example};

ag_tensor *ag_concat(ag_tensor *const *xs, int count, int axis)
{
    return count > 0 ? ag_custom(&op_concat, xs, count, count, &axis, sizeof axis) : NULL;
}
