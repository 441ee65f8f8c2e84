/* elementwise.c - add, sub, mul, div, pow: two tensors, element by element, with
 * broadcasting. The arithmetic is in the elementwise kernels. */
#include "../broadcast.h"
#include "../tape.h"
#include "draw.h"
#include "scalar.h"

#include <math.h>
#include <string.h>

/* ---- The operation ----------------------------------------------------------------- */

static ag_status binary_shape(ag_node *node)
{
    ag_shape a = node->inputs[0]->shape, b = node->inputs[1]->shape;
    if (!broadcast_shapes(a, b, &node->output->shape)) {
        char a_text[AG_SHAPE_TEXT], b_text[AG_SHAPE_TEXT];
        return ag_fail(node, AG_BAD_SHAPE,
                       "%s and %s do not broadcast (from the last axis on, sizes must be equal or one of them 1)",
                       ag_shape_print(a, a_text), ag_shape_print(b, b_text));
    }
    return AG_OK;
}

/* Forward: y = f(a, b). Backward, where `gradient` is not NULL: gradient [y's shape] +=
 * dy df/d(input `side`). */
typedef struct binary_task {
    const ag_node *node;
    strided loop;
    int side;
    ag_real *gradient;
} binary_task;

static binary_task binary_task_of(const ag_node *node)
{
    const ag_shape a = node->inputs[0]->shape, b = node->inputs[1]->shape;
    return (binary_task){.node = node, .loop = strided_broadcast(node->output->shape, a, b)};
}

static void binary_elements(void *context, int64_t begin, int64_t end)
{
    const binary_task *task = context;
    const ag_node *node = task->node;
    const ag_tensor *y = node->output;
    const kernel_binary f = *(const kernel_binary *)node->attributes;
    const strided *w = &task->loop;
    const kernel_elementwise *elementwise = kernels()->elementwise;

    strided_run run;
    for (int64_t at = begin; at < end; at += run.length) {
        run = strided_run_from(w, at, end);
        kernel_operand a = {.data = node->inputs[0]->data + run.a, .step = w->a_step[w->ndim - 1]};
        kernel_operand b = {.data = node->inputs[1]->data + run.b, .step = w->b_step[w->ndim - 1]};
        if (task->gradient)
            elementwise->binary_backward(f, task->side, run.length, a, b, y->data + at, y->grad + at,
                                         task->gradient + at);
        else
            elementwise->binary(f, run.length, a, b, y->data + at);
    }
}

static void binary_run(binary_task *task)
{
    const int64_t size = task->node->output->size;
    parallel_elements(task->node->tape, size, (double)size, binary_elements, task);
}

/* y = f(a, b) */
static ag_status binary_forward(ag_node *node)
{
    binary_task task = binary_task_of(node);
    binary_run(&task);
    return AG_OK;
}

/* da = dy df/da, db = dy df/db. An input of the result's own shape takes its gradient
 * directly; a stretched one through ag_grad_add, which sums over the stretched axes. */
static ag_status binary_backward(ag_node *node)
{
    const ag_tensor *y = node->output;
    binary_task task = binary_task_of(node);
    for (task.side = 0; task.side < 2; task.side++) {
        ag_tensor *x = node->inputs[task.side];
        bool stretched = !ag_shape_equal(x->shape, y->shape);
        if (!x->needs_grad)
            continue;
        task.gradient = stretched ? ag_scratch(node->tape, (size_t)y->size * sizeof(ag_real)) : ag_grad(x);
        if (!task.gradient)
            return AG_NO_MEMORY;
        if (stretched)
            memset(task.gradient, 0, (size_t)y->size * sizeof(ag_real));
        binary_run(&task);
        if (stretched)
            ag_grad_add(x, y->shape, task.gradient);
    }
    return AG_OK;
}

/* da = dy, db = dy */
static ag_status add_backward(ag_node *node)
{
    for (int side = 0; side < 2; side++)
        if (!tape_gradient_share(node->inputs[side], node->output))
            ag_grad_add(node->inputs[side], node->output->shape, node->output->grad);
    return AG_OK;
}

/* df/da (`side` 0) or df/db, by scalar.h and not by the kernels, so that the two modes
 * judge each other. */
static double binary_slope(kernel_binary f, int side, double a, double b)
{
    switch (f) {
    case BINARY_ADD:
        return 1;
    case BINARY_SUB:
        return side == 0 ? 1 : -1;
    case BINARY_MUL:
        return side == 0 ? b : a;
    case BINARY_DIV:
        return side == 0 ? 1 / b : -a / (b * b);
    case BINARY_POW:
        return side == 0 ? b * scalar_pow(a, b - 1) : scalar_pow(a, b) * scalar_log(a);
    }
    return NAN;
}

/* uy = df/da ua + df/db ub. An element that does not move adds 0, also where the slope is
 * infinite, as in the backward kernels. */
static ag_status binary_jvp(ag_node *node, const ag_real *const *tangents, ag_real *tangent)
{
    const strided loop = binary_task_of(node).loop;
    const kernel_binary f = *(const kernel_binary *)node->attributes;
    strided_run run;
    for (int64_t at = 0; at < node->output->size; at += run.length) {
        run = strided_run_from(&loop, at, node->output->size);
        for (int64_t i = 0; i < run.length; i++) {
            const int64_t place[2] = {run.a + i * loop.a_step[loop.ndim - 1], run.b + i * loop.b_step[loop.ndim - 1]};
            const double a = (double)node->inputs[0]->data[place[0]], b = (double)node->inputs[1]->data[place[1]];
            double sum = 0;
            for (int side = 0; side < 2; side++)
                if (tangents[side] && tangents[side][place[side]] != 0)
                    sum += binary_slope(f, side, a, b) * (double)tangents[side][place[side]];
            tangent[at + i] = (ag_real)sum;
        }
    }
    return AG_OK;
}

/* An example on inputs with values in [a_low, a_high] and [b_low, b_high]. */
static ag_tensor *binary_example(ag_example *example, ag_tensor *(*constructor)(ag_tensor *, ag_tensor *), double a_low,
                                 double a_high, double b_low, double b_high)
{
    ag_shape a, b;
    draw_broadcast_pair(example, &a, &b);
    ag_tensor *a_input = ag_example_input(example, "a", a, a_low, a_high);
    return constructor(a_input, ag_example_input(example, "b", b, b_low, b_high));
}

/* Denominators of both signs, away from 0. */
static ag_tensor *div_example(ag_example *example)
{
    if (ag_example_int(example, 0, 1))
        return binary_example(example, ag_div, -2, 2, -3, -0.5);
    return binary_example(example, ag_div, -2, 2, 0.5, 3);
}

/* ---- The table --------------------------------------------------------------------- */

/* The record op_NAME, its constructor ag_NAME, and (BINARY) an example with a in [a_low,
 * a_high] and b in [b_low, b_high]. The comment of a row is the kernel's backward. */
#define BINARY_RECORD(function, kernel, its_backward, text)                                                            \
    const ag_op op_##function = {.name = #function,                                                                    \
                                 .formula = text,                                                                      \
                                 .shape = binary_shape,                                                                \
                                 .forward = binary_forward,                                                            \
                                 .backward = its_backward,                                                             \
                                 .jvp = binary_jvp,                                                                    \
                                 .example = function##_example};                                                       \
    ag_tensor *ag_##function(ag_tensor *a, ag_tensor *b)                                                               \
    {                                                                                                                  \
        return ag_custom(&op_##function, (ag_tensor *[]){a, b}, 2, 2, &(kernel_binary){kernel},                        \
                         sizeof(kernel_binary));                                                                       \
    }
#define BINARY(function, kernel, its_backward, a_low, a_high, b_low, b_high, text)                                     \
    static ag_tensor *function##_example(ag_example *example)                                                          \
    {                                                                                                                  \
        return binary_example(example, ag_##function, a_low, a_high, b_low, b_high);                                   \
    }                                                                                                                  \
    BINARY_RECORD(function, kernel, its_backward, text)

BINARY(add, BINARY_ADD, add_backward, -2, 2, -2, 2, "y = a + b")
BINARY(sub, BINARY_SUB, binary_backward, -2, 2, -2, 2, "y = a - b") /* da = dy, db = -dy */
BINARY(mul, BINARY_MUL, binary_backward, -2, 2, -2, 2, "y = a b")   /* da = dy b, db = dy a */
BINARY_RECORD(div, BINARY_DIV, binary_backward, "y = a / b")        /* da = dy / b, db = -dy y / b */
BINARY(pow, BINARY_POW, binary_backward, 0.5, 2, -2, 3, "y = a^b")  /* da = dy b a^(b-1), db = dy y ln a */
