/* softmax.c - softmax and its logarithm along any axis.
 *
 * An entry of -inf gets exactly 0. A row of nothing but -inf has no softmax; it is
 * defined as all zeros (as in an attention that may look at nothing), and its logarithm
 * as all -inf. +inf and NaN make the whole row NaN. */
#include "softmax.h"

#include "../kernels/kernels.h"
#include "../tape.h"
#include "axis.h"
#include "scalar.h"

#include <math.h>

typedef struct softmax_attributes {
    int axis; /* may be negative, and then counts from the end */
    bool logarithm;
} softmax_attributes;

/* A tensor seen as [outer, width, inner], with the softmax along the middle. */
typedef struct softmax_task {
    int64_t outer, width, inner;
    bool logarithm;
    const ag_real *x, *y, *dy; /* x of forward, y and dy of backward */
    ag_real *out;              /* y of forward, dx of backward */
    ag_real *gathered;         /* 3 * GROUP rows per worker; NULL where inner is 1 */
} softmax_task;

#define GROUP 16 /* rows gathered together: a cache line of each of their elements */

static ag_status softmax_shape(ag_node *node)
{
    const softmax_attributes *attributes = node->attributes;
    node->output->shape = node->inputs[0]->shape;
    return axis_from_front(node, node->output->shape, attributes->axis) < 0 ? AG_BAD_VALUE : AG_OK;
}

static softmax_task softmax_task_of(const ag_node *node)
{
    const softmax_attributes *attributes = node->attributes;
    const ag_shape shape = node->output->shape;
    const int axis = axis_from_front(node, shape, attributes->axis);
    return (softmax_task){
        .outer = axes_size(shape, 0, axis),
        .width = shape.dim[axis],
        .inner = axes_size(shape, axis + 1, shape.ndim),
        .logarithm = attributes->logarithm,
    };
}

/* Runs the kernel on dense rows: out = y, or, if dy is not NULL, out += dx. */
static void softmax_rows(const softmax_task *task, int64_t rows, const ag_real *x_or_y, const ag_real *dy, ag_real *out)
{
    const kernel_rows *kernel = kernels()->rows;
    if (dy)
        (task->logarithm ? kernel->log_softmax_backward : kernel->softmax_backward)(rows, task->width, x_or_y, dy, out);
    else
        (task->logarithm ? kernel->log_softmax : kernel->softmax)(rows, task->width, x_or_y, out);
}

/* Copies `count` neighbouring columns of [width, inner] into rows. */
static void gather(const softmax_task *task, int64_t count, const ag_real *columns, ag_real *rows)
{
    for (int64_t i = 0; i < task->width; i++)
        for (int64_t r = 0; r < count; r++)
            rows[r * task->width + i] = columns[i * task->inner + r];
}

/* Copies rows back into columns. */
static void scatter(const softmax_task *task, int64_t count, const ag_real *rows, ag_real *columns)
{
    for (int64_t i = 0; i < task->width; i++)
        for (int64_t r = 0; r < count; r++)
            columns[i * task->inner + r] = rows[r * task->width + i];
}

static int64_t group_count(const softmax_task *task)
{
    return (task->inner + GROUP - 1) / GROUP;
}

static void softmax_group(const softmax_task *task, int64_t piece, ag_real *gathered)
{
    const int64_t groups = group_count(task), first = piece % groups * GROUP;
    const int64_t count = task->inner - first < GROUP ? task->inner - first : GROUP;
    const int64_t place = piece / groups * task->width * task->inner + first;
    ag_real *out = gathered, *x_or_y = gathered + GROUP * task->width, *dy = x_or_y + GROUP * task->width;

    gather(task, count, (task->dy ? task->y : task->x) + place, x_or_y);
    if (task->dy) {
        gather(task, count, task->dy + place, dy);
        gather(task, count, task->out + place, out);
    }
    softmax_rows(task, count, x_or_y, task->dy ? dy : NULL, out);
    scatter(task, count, out, task->out + place);
}

/* A piece is a row where the softmax is along the last axis, else a group of columns. */
static void softmax_pieces(void *context, int64_t begin, int64_t end, int worker)
{
    const softmax_task *task = context;
    const int64_t place = begin * task->width;

    if (task->gathered)
        for (int64_t piece = begin; piece < end; piece++)
            softmax_group(task, piece, task->gathered + worker * task->width * 3 * GROUP);
    else
        softmax_rows(task, end - begin, (task->dy ? task->y : task->x) + place, task->dy ? task->dy + place : NULL,
                     task->out + place);
}

static ag_status softmax_run(ag_tape *tape, softmax_task *task)
{
    const double work = 10.0 * (double)task->outer * (double)task->width * (double)task->inner;
    if (work == 0)
        return AG_OK;
    if (task->inner > 1) {
        size_t numbers = (size_t)tape->threads * 3 * GROUP * (size_t)task->width;
        if (!(task->gathered = ag_scratch(tape, numbers * sizeof(ag_real))))
            return AG_NO_MEMORY;
    }
    const int64_t pieces = task->gathered ? task->outer * group_count(task) : task->outer;
    kernel_parallel(tape->threads, pieces, work, softmax_pieces, task);
    return AG_OK;
}

/* softmax:      y = e^x / sum e^x
 * log_softmax:  y = x - log sum e^x */
static ag_status softmax_forward(ag_node *node)
{
    softmax_task task = softmax_task_of(node);
    task.x = node->inputs[0]->data;
    task.out = node->output->data;
    return softmax_run(node->tape, &task);
}

/* softmax:      dx += y (dy - sum y dy)
 * log_softmax:  dx += dy - e^y sum dy */
static ag_status softmax_backward(ag_node *node)
{
    softmax_task task = softmax_task_of(node);
    task.y = node->output->data;
    task.dy = node->output->grad;
    task.out = ag_grad(node->inputs[0]);
    return task.out ? softmax_run(node->tape, &task) : AG_OK;
}

/* ---- Forward mode ------------------------------------------------------------------ */

void softmax_in_place(int64_t n, double *x)
{
    double max = -INFINITY, sum = 0;
    for (int64_t i = 0; i < n; i++)
        max = fmax(max, x[i]);
    for (int64_t i = 0; i < n; i++) {
        x[i] = x[i] == -INFINITY ? 0 : scalar_exp(x[i] - max);
        sum += x[i];
    }
    for (int64_t i = 0; i < n && sum != 0; i++)
        x[i] /= sum;
}

double softmax_mean(int64_t n, const double *p, const double *u)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += p[i] * u[i];
    return sum;
}

void softmax_tangent(int64_t n, const double *p, double *u)
{
    const double mean = softmax_mean(n, p, u);
    for (int64_t i = 0; i < n; i++)
        u[i] = p[i] * (u[i] - mean);
}

/* With p = softmax(x):
 *     softmax:      uy = p (ux - sum p ux)
 *     log_softmax:  uy = ux - sum p ux */
static ag_status softmax_jvp(ag_node *node, const ag_real *const *tangents, ag_real *tangent)
{
    const softmax_task task = softmax_task_of(node);
    double *p = ag_scratch(node->tape, (size_t)task.width * sizeof *p);
    double *u = ag_scratch(node->tape, (size_t)task.width * sizeof *u);
    if (!p || !u)
        return AG_NO_MEMORY;
    for (int64_t row = 0; row < task.outer * task.inner; row++) {
        const int64_t place = row / task.inner * task.width * task.inner + row % task.inner;
        for (int64_t i = 0; i < task.width; i++) {
            p[i] = (double)node->inputs[0]->data[place + i * task.inner];
            u[i] = (double)tangents[0][place + i * task.inner];
        }
        softmax_in_place(task.width, p);
        const double mean = softmax_mean(task.width, p, u);
        for (int64_t i = 0; i < task.width; i++)
            tangent[place + i * task.inner] = (ag_real)(task.logarithm ? u[i] - mean : p[i] * (u[i] - mean));
    }
    return AG_OK;
}

/* ---- The two records --------------------------------------------------------------- */

/* Ranks 1 to 4, any axis counted from either end, of a size from 1 to 33. */
static ag_tensor *softmax_family_example(ag_example *e, ag_tensor *(*constructor)(ag_tensor *, int))
{
    static const int64_t sizes[] = {1, 2, 3, 5, 17, 33};
    ag_shape shape = {.ndim = (int)ag_example_int(e, 1, 4)};
    for (int i = 0; i < shape.ndim; i++)
        shape.dim[i] = ag_example_int(e, 1, 3);
    int axis = (int)ag_example_int(e, -shape.ndim, shape.ndim - 1);
    shape.dim[axis < 0 ? axis + shape.ndim : axis] = sizes[ag_example_int(e, 0, 5)];
    return constructor(ag_example_input(e, "x", shape, -3, 3), axis);
}

/* The record op_NAME, its example, and its constructor ag_NAME. */
#define SOFTMAX(function, is_logarithm, text)                                                                          \
    static ag_tensor *function##_example(ag_example *e)                                                                \
    {                                                                                                                  \
        return softmax_family_example(e, ag_##function);                                                               \
    }                                                                                                                  \
    const ag_op op_##function = {.name = #function,                                                                    \
                                 .formula = text,                                                                      \
                                 .shape = softmax_shape,                                                               \
                                 .forward = softmax_forward,                                                           \
                                 .backward = softmax_backward,                                                         \
                                 .jvp = softmax_jvp,                                                                   \
                                 .example = function##_example};                                                       \
    ag_tensor *ag_##function(ag_tensor *x, int axis)                                                                   \
    {                                                                                                                  \
        return ag_custom(&op_##function, &x, 1, 1, &(softmax_attributes){axis, is_logarithm},                          \
                         sizeof(softmax_attributes));                                                                  \
    }

SOFTMAX(softmax, false, "y = e^x / sum e^x")
SOFTMAX(log_softmax, true, "y = x - log sum e^x")
