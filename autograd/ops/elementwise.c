/* elementwise.c - add, sub, mul, div, pow: two tensors, element by element, with broadcasting. */
#include "../broadcast.h"
#include "../tape.h"
#include "draw.h"
#include "ops.h"

#include <string.h>

/* ---- What the five share -------------------------------------------------------------------- */

static ag_status shape_broadcast(ag_node *node)
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

/* y = f(a, b), or `gradient` += dy df/d(input `side`). */
typedef struct pair_task {
    kernel_binary f;
    walk walk;
    const ag_real *a, *b;
    int64_t size;
    ag_real *y;
    int side;
    const ag_real *dy;
    ag_real *gradient;
} pair_task;

static pair_task pair_task_make(const ag_node *node, kernel_binary f)
{
    const ag_tensor *a = node->inputs[0], *b = node->inputs[1], *y = node->output;
    return (pair_task){.f = f,
                       .walk = walk_broadcast(y->shape, a->shape, b->shape),
                       .a = a->data,
                       .b = b->data,
                       .size = y->size,
                       .y = y->data};
}

static void pair_pieces(void *context, int64_t begin, int64_t end, int worker)
{
    const pair_task *task = context;
    const walk *w = &task->walk;
    const kernel_elementwise *elementwise = kernels()->elementwise;
    int64_t last = end * PIECE < task->size ? end * PIECE : task->size;
    (void)worker;

    walk_run run;
    for (int64_t at = begin * PIECE; at < last; at += run.length) {
        run = walk_from(w, at, last);
        kernel_operand a = {.data = task->a + run.a, .step = w->a_step[w->ndim - 1]};
        kernel_operand b = {.data = task->b + run.b, .step = w->b_step[w->ndim - 1]};
        if (task->gradient)
            elementwise->binary_backward(task->f, task->side, run.length, a, b, task->y + at, task->dy + at,
                                 task->gradient + at);
        else
            elementwise->binary(task->f, run.length, a, b, task->y + at);
    }
}

static ag_status forward_pair(ag_node *node, kernel_binary f)
{
    pair_task task = pair_task_make(node, f);
    kernel_parallel(node->tape->threads, piece_count(task.size), (double)task.size, pair_pieces, &task);
    return AG_OK;
}

/* An input of the result's own shape takes its gradient directly; a stretched one by way of ag_grad_add. */
static ag_status backward_pair(ag_node *node, kernel_binary f)
{
    const ag_tensor *y = node->output;
    pair_task task = pair_task_make(node, f);
    task.dy = y->grad;
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
        kernel_parallel(node->tape->threads, piece_count(task.size), (double)task.size, pair_pieces, &task);
        if (stretched)
            ag_grad_add(x, y->shape, task.gradient);
    }
    return AG_OK;
}

/* An example on inputs with values in [a_low, a_high] and [b_low, b_high]. */
static ag_tensor *example_pair(ag_example *example, ag_tensor *(*constructor)(ag_tensor *, ag_tensor *), double a_low,
                               double a_high, double b_low, double b_high)
{
    ag_shape a, b;
    draw_broadcast_pair(example, &a, &b);
    ag_tensor *a_input = ag_example_input(example, "a", a, a_low, a_high);
    return constructor(a_input, ag_example_input(example, "b", b, b_low, b_high));
}

/* ---- add ------------------------------------------------------------------------------------ */

static ag_status forward_add(ag_node *node)
{
    return forward_pair(node, BINARY_ADD);
}

/* da = dy, db = dy */
static ag_status backward_add(ag_node *node)
{
    for (int side = 0; side < 2; side++)
        if (!tape_gradient_share(node->inputs[side], node->output))
            ag_grad_add(node->inputs[side], node->output->shape, node->output->grad);
    return AG_OK;
}

static ag_tensor *example_add(ag_example *example)
{
    return example_pair(example, ag_add, -2, 2, -2, 2);
}

const ag_op op_add = {.name = "add",
                      .formula = "y = a + b",
                      .shape = shape_broadcast,
                      .forward = forward_add,
                      .backward = backward_add,
                      .example = example_add};

ag_tensor *ag_add(ag_tensor *a, ag_tensor *b)
{
    return ag_custom(&op_add, (ag_tensor *[]){a, b}, 2, 2, NULL, 0);
}

/* ---- sub ------------------------------------------------------------------------------------ */

static ag_status forward_sub(ag_node *node)
{
    return forward_pair(node, BINARY_SUB);
}

/* da = dy, db = -dy */
static ag_status backward_sub(ag_node *node)
{
    return backward_pair(node, BINARY_SUB);
}

static ag_tensor *example_sub(ag_example *example)
{
    return example_pair(example, ag_sub, -2, 2, -2, 2);
}

const ag_op op_sub = {.name = "sub",
                      .formula = "y = a - b",
                      .shape = shape_broadcast,
                      .forward = forward_sub,
                      .backward = backward_sub,
                      .example = example_sub};

ag_tensor *ag_sub(ag_tensor *a, ag_tensor *b)
{
    return ag_custom(&op_sub, (ag_tensor *[]){a, b}, 2, 2, NULL, 0);
}

/* ---- mul ------------------------------------------------------------------------------------ */

static ag_status forward_mul(ag_node *node)
{
    return forward_pair(node, BINARY_MUL);
}

/* da = dy b, db = dy a */
static ag_status backward_mul(ag_node *node)
{
    return backward_pair(node, BINARY_MUL);
}

static ag_tensor *example_mul(ag_example *example)
{
    return example_pair(example, ag_mul, -2, 2, -2, 2);
}

const ag_op op_mul = {.name = "mul",
                      .formula = "y = a b",
                      .shape = shape_broadcast,
                      .forward = forward_mul,
                      .backward = backward_mul,
                      .example = example_mul};

ag_tensor *ag_mul(ag_tensor *a, ag_tensor *b)
{
    return ag_custom(&op_mul, (ag_tensor *[]){a, b}, 2, 2, NULL, 0);
}

/* ---- div ------------------------------------------------------------------------------------ */

static ag_status forward_div(ag_node *node)
{
    return forward_pair(node, BINARY_DIV);
}

/* da = dy / b, db = -dy y / b */
static ag_status backward_div(ag_node *node)
{
    return backward_pair(node, BINARY_DIV);
}

/* Denominators of both signs, away from 0. */
static ag_tensor *example_div(ag_example *example)
{
    if (ag_example_int(example, 0, 1))
        return example_pair(example, ag_div, -2, 2, -3, -0.5);
    return example_pair(example, ag_div, -2, 2, 0.5, 3);
}

const ag_op op_div = {.name = "div",
                      .formula = "y = a / b",
                      .shape = shape_broadcast,
                      .forward = forward_div,
                      .backward = backward_div,
                      .example = example_div};

ag_tensor *ag_div(ag_tensor *a, ag_tensor *b)
{
    return ag_custom(&op_div, (ag_tensor *[]){a, b}, 2, 2, NULL, 0);
}

/* ---- pow ------------------------------------------------------------------------------------ */

static ag_status forward_pow(ag_node *node)
{
    return forward_pair(node, BINARY_POW);
}

/* da = dy b a^(b-1), db = dy y ln a */
static ag_status backward_pow(ag_node *node)
{
    return backward_pair(node, BINARY_POW);
}

static ag_tensor *example_pow(ag_example *example)
{
    return example_pair(example, ag_pow, 0.5, 2, -2, 3);
}

const ag_op op_pow = {.name = "pow",
                      .formula = "y = a^b",
                      .shape = shape_broadcast,
                      .forward = forward_pow,
                      .backward = backward_pow,
                      .example = example_pow};

ag_tensor *ag_pow(ag_tensor *a, ag_tensor *b)
{
    return ag_custom(&op_pow, (ag_tensor *[]){a, b}, 2, 2, NULL, 0);
}
