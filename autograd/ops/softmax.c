/* softmax.c - softmax and its logarithm along any axis.
 *
 * An entry of -inf gets exactly 0. A row of nothing but -inf has no softmax; it is defined as all zeros (as an
 * attention that may look at nothing), its logarithm as all -inf. +inf and NaN make the whole row NaN. */
#include "../kernels/kernels.h"
#include "../tape.h"
#include "axis.h"

typedef void rows_forward(int64_t rows, int64_t width, const ag_real *x, ag_real *y);
typedef void rows_backward(int64_t rows, int64_t width, const ag_real *y, const ag_real *dy, ag_real *dx);

/* A tensor seen as [outer, width, inner], with the softmax along the middle. */
typedef struct softmax_task {
    int64_t outer, width, inner;
    rows_forward *forward;
    rows_backward *backward;
    const ag_real *x, *y, *dy; /* x of forward, y and dy of backward */
    ag_real *out;              /* y of forward, dx of backward */
    ag_real *gathered;         /* 3 * GROUP rows per worker; NULL where inner is 1 */
} softmax_task;

#define GROUP 16 /* rows gathered together: a cache line of each of their elements */

static softmax_task task_of(const ag_node *node)
{
    const ag_shape shape = node->output->shape;
    const int axis = *(const int *)node->attributes;
    return (softmax_task){
        .outer = axes_size(shape, 0, axis),
        .width = shape.dim[axis],
        .inner = axes_size(shape, axis + 1, shape.ndim),
    };
}

/* `count` neighbouring columns of [width, inner] as rows, and added back. */
static void gather(const softmax_task *task, int64_t count, const ag_real *columns, ag_real *rows)
{
    for (int64_t i = 0; i < task->width; i++)
        for (int64_t r = 0; r < count; r++)
            rows[r * task->width + i] = columns[i * task->inner + r];
}

static void scatter(const softmax_task *task, int64_t count, const ag_real *rows, ag_real *columns)
{
    for (int64_t i = 0; i < task->width; i++)
        for (int64_t r = 0; r < count; r++)
            columns[i * task->inner + r] = rows[r * task->width + i];
}

/* A piece is a row where the axis is the last, else a group of columns. */
static int64_t groups_of(const softmax_task *task)
{
    return (task->inner + GROUP - 1) / GROUP;
}

static void run_group(const softmax_task *task, int64_t piece, ag_real *gathered)
{
    const int64_t groups = groups_of(task), first = piece % groups * GROUP;
    const int64_t count = task->inner - first < GROUP ? task->inner - first : GROUP;
    const int64_t place = piece / groups * task->width * task->inner + first;
    ag_real *out = gathered, *y = gathered + GROUP * task->width, *dy = y + GROUP * task->width;

    if (task->dy) {
        gather(task, count, task->y + place, y);
        gather(task, count, task->dy + place, dy);
        gather(task, count, task->out + place, out);
        task->backward(count, task->width, y, dy, out);
    } else {
        gather(task, count, task->x + place, y);
        task->forward(count, task->width, y, out);
    }
    scatter(task, count, out, task->out + place);
}

static void run_pieces(void *context, int64_t begin, int64_t end, int worker)
{
    const softmax_task *task = context;
    const int64_t place = begin * task->width;

    if (task->gathered)
        for (int64_t piece = begin; piece < end; piece++)
            run_group(task, piece, task->gathered + worker * task->width * 3 * GROUP);
    else if (task->dy)
        task->backward(end - begin, task->width, task->y + place, task->dy + place, task->out + place);
    else
        task->forward(end - begin, task->width, task->x + place, task->out + place);
}

static ag_status run(ag_tape *tape, softmax_task *task)
{
    const double work = 10.0 * (double)task->outer * (double)task->width * (double)task->inner;
    if (work == 0)
        return AG_OK;
    if (task->inner > 1) {
        size_t numbers = (size_t)tape->threads * 3 * GROUP * (size_t)task->width;
        if (!(task->gathered = ag_scratch(tape, numbers * sizeof(ag_real))))
            return AG_NO_MEMORY;
    }
    const int64_t pieces = task->gathered ? task->outer * groups_of(task) : task->outer;
    kernel_parallel(tape->threads, pieces, work, run_pieces, task);
    return AG_OK;
}

/* Leaves the axis counted from the front. */
static ag_status softmax_shape(ag_node *node)
{
    int *axis = node->attributes;
    node->output->shape = node->inputs[0]->shape;
    *axis = axis_from_front(node, node->output->shape, *axis);
    return *axis < 0 ? AG_BAD_VALUE : AG_OK;
}

static ag_status forward(ag_node *node, rows_forward *kernel)
{
    softmax_task task = task_of(node);
    task.forward = kernel;
    task.x = node->inputs[0]->data;
    task.out = node->output->data;
    return run(node->tape, &task);
}

static ag_status backward(ag_node *node, rows_backward *kernel)
{
    softmax_task task = task_of(node);
    task.backward = kernel;
    task.y = node->output->data;
    task.dy = node->output->grad;
    task.out = ag_grad(node->inputs[0]);
    return task.out ? run(node->tape, &task) : AG_OK;
}

/* y = e^x / sum e^x */
static ag_status softmax_forward(ag_node *node)
{
    return forward(node, kernels()->rows->softmax);
}

/* dx += y (dy - sum y dy) */
static ag_status softmax_backward(ag_node *node)
{
    return backward(node, kernels()->rows->softmax_backward);
}

/* y = x - log sum e^x */
static ag_status log_softmax_forward(ag_node *node)
{
    return forward(node, kernels()->rows->log_softmax);
}

/* dx += dy - e^y sum dy */
static ag_status log_softmax_backward(ag_node *node)
{
    return backward(node, kernels()->rows->log_softmax_backward);
}

/* Ranks 1 to 4, any axis counted from either end, its size up to 33 or none at all. */
static ag_tensor *example(ag_example *e, ag_tensor *(*constructor)(ag_tensor *, int))
{
    static const int64_t sizes[] = {1, 2, 3, 5, 17, 33};
    ag_shape shape = {.ndim = (int)ag_example_int(e, 1, 4)};
    for (int i = 0; i < shape.ndim; i++)
        shape.dim[i] = ag_example_int(e, 1, 3);
    int axis = (int)ag_example_int(e, -shape.ndim, shape.ndim - 1);
    shape.dim[axis < 0 ? axis + shape.ndim : axis] = sizes[ag_example_int(e, 0, 5)];
    return constructor(ag_example_input(e, "x", shape, -3, 3), axis);
}

static ag_tensor *softmax_example(ag_example *e)
{
    return example(e, ag_softmax);
}

static ag_tensor *log_softmax_example(ag_example *e)
{
    return example(e, ag_log_softmax);
}

const ag_op op_softmax = {
    .name = "softmax",
    .formula = "y = e^x / sum e^x",
    .shape = softmax_shape,
    .forward = softmax_forward,
    .backward = softmax_backward,
    .example = softmax_example,
};

ag_tensor *ag_softmax(ag_tensor *x, int axis)
{
    return ag_custom(&op_softmax, &x, 1, 1, &axis, sizeof axis);
}

const ag_op op_log_softmax = {
    .name = "log_softmax",
    .formula = "y = x - log sum e^x",
    .shape = softmax_shape,
    .forward = log_softmax_forward,
    .backward = log_softmax_backward,
    .example = log_softmax_example,
};

ag_tensor *ag_log_softmax(ag_tensor *x, int axis)
{
    return ag_custom(&op_log_softmax, &x, 1, 1, &axis, sizeof axis);
}
