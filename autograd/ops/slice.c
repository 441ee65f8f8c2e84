/* slice.c - a range of an axis. */
#include "../ranges.h"
#include "axis.h"
#include "draw.h"
#include "kernels/kernels.h"

#include <string.h>

typedef struct slice_range {
    int axis;
    int64_t begin, end;
} slice_range;

static ag_status slice_shape(ag_node *node)
{
    const slice_range *r = node->attributes;
    ag_shape shape = node->inputs[0]->shape;
    int axis = axis_from_front(node, shape, r->axis);
    char text[AG_SHAPE_TEXT];
    if (axis < 0)
        return AG_BAD_VALUE;
    if (r->begin < 0 || r->begin > r->end || r->end > shape.dim[axis])
        return ag_fail(node, AG_BAD_VALUE, "[%lld, %lld) is not a range within axis %d of %s", (long long)r->begin,
                       (long long)r->end, axis, ag_shape_print(shape, text));
    shape.dim[axis] = r->end - r->begin;
    node->output->shape = shape;
    return AG_OK;
}

/* A row of y has the `width` elements from `offset` on of a row of x [outer, row]. Either
 * y = x there, or, where dx is not NULL, dx += dy. */
typedef struct slice_task {
    int64_t row, width, offset;
    const ag_real *x;
    ag_real *y;
    const ag_real *dy;
    ag_real *dx;
} slice_task;

static void slice_rows(void *context, int64_t begin, int64_t end)
{
    const slice_task *task = context;
    for (int64_t o = begin; o < end; o++) {
        int64_t at = o * task->row + task->offset;
        if (task->dx)
            kernels()->elementwise->add(task->width, task->dy + o * task->width, task->dx + at);
        else
            memcpy(task->y + o * task->width, task->x + at, (size_t)task->width * sizeof(ag_real));
    }
}

/* Does for the range what `task` has the arrays for. */
static void slice_run(const ag_node *node, slice_task task)
{
    const slice_range *r = node->attributes;
    const ag_tensor *x = node->inputs[0], *y = node->output;
    int axis = axis_from_front(node, x->shape, r->axis);
    int64_t inner = axes_size(x->shape, axis + 1, x->shape.ndim);
    task.row = x->shape.dim[axis] * inner;
    task.width = y->shape.dim[axis] * inner;
    task.offset = r->begin * inner;
    if (y->size) /* (an empty input may have no memory) */
        parallel_rows(node->tape, axes_size(x->shape, 0, axis), (double)y->size, slice_rows, &task);
}

/* y = the range of x */
static ag_status slice_forward(ag_node *node)
{
    slice_run(node, (slice_task){.x = node->inputs[0]->data, .y = node->output->data});
    return AG_OK;
}

/* dx = dy in the range, 0 outside */
static ag_status slice_backward(ag_node *node)
{
    ag_real *dx = ag_grad(node->inputs[0]);
    if (!dx)
        return AG_NO_MEMORY;
    slice_run(node, (slice_task){.dy = node->output->grad, .dx = dx});
    return AG_OK;
}

/* uy = the range of ux */
static ag_status slice_jvp(ag_node *node, const ag_real *const *tangents, ag_real *tangent)
{
    slice_run(node, (slice_task){.x = tangents[0], .y = tangent});
    return AG_OK;
}

static ag_tensor *slice_example(ag_example *example)
{
    ag_shape shape = draw_shape(example, 1);
    int axis = (int)ag_example_int(example, -shape.ndim, shape.ndim - 1);
    int64_t size = shape.dim[axis < 0 ? axis + shape.ndim : axis];
    int64_t begin = ag_example_int(example, 0, size), end = ag_example_int(example, begin, size);
    return ag_slice(ag_example_input(example, "x", shape, -2, 2), axis, begin, end);
}

const ag_op op_slice = {.name = "slice",
                        .formula = "y = x[.., begin:end, ..]",
                        .shape = slice_shape,
                        .forward = slice_forward,
                        .backward = slice_backward,
                        .jvp = slice_jvp,
                        .example = slice_example};

ag_tensor *ag_slice(ag_tensor *x, int axis, int64_t begin, int64_t end)
{
    slice_range r = {.axis = axis, .begin = begin, .end = end};
    return ag_custom(&op_slice, &x, 1, 1, &r, sizeof r);
}
