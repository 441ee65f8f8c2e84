/* unary.c - functions of one tensor, element by element; the arithmetic is in kernels/simd/elementwise.c. */
#include "../broadcast.h"
#include "../tape.h"
#include "activation.h"
#include "draw.h"
#include "ops.h"

/* ---- What they share ------------------------------------------------------------------------ */

static ag_status shape_same(ag_node *node)
{
    node->output->shape = node->inputs[0]->shape;
    return AG_OK;
}

/* y = f(x), or dx += dy f'(x). */
typedef struct unary_task {
    kernel_unary f;
    ag_real factor;
    int64_t size;
    const ag_real *x;
    ag_real *y;
    const ag_real *dy;
    ag_real *dx;
    bool add;
} unary_task;

static void unary_pieces(void *context, int64_t begin, int64_t end, int worker)
{
    const unary_task *task = context;
    int64_t at = begin * PIECE;
    int64_t count = end * PIECE < task->size ? end * PIECE - at : task->size - at;
    (void)worker;
    if (task->dx)
        kernels()->elementwise->unary_backward(task->f, task->factor, count, task->x + at, task->y + at, task->dy + at,
                                       task->dx + at, task->add);
    else
        kernels()->elementwise->unary(task->f, task->factor, count, task->x + at, task->y + at);
}

static ag_status forward_unary(ag_node *node, kernel_unary f, double factor)
{
    const ag_tensor *x = node->inputs[0];
    unary_task task = {.f = f, .factor = (ag_real)factor, .size = x->size, .x = x->data, .y = node->output->data};
    kernel_parallel(node->tape->threads, piece_count(x->size), (double)x->size * 8, unary_pieces, &task);
    return AG_OK;
}

static ag_status backward_unary(ag_node *node, kernel_unary f, double factor)
{
    ag_tensor *x = node->inputs[0];
    unary_task task = {.f = f,
                       .factor = (ag_real)factor,
                       .size = x->size,
                       .x = x->data,
                       .y = node->output->data,
                       .dy = node->output->grad};
    task.dx = ag_grad_begin(x, &task.add);
    if (!task.dx)
        return AG_NO_MEMORY;
    kernel_parallel(node->tape->threads, piece_count(x->size), (double)x->size * 8, unary_pieces, &task);
    return AG_OK;
}

static ag_tensor *example_unary(ag_example *example, ag_tensor *(*constructor)(ag_tensor *), double low, double high)
{
    return constructor(ag_example_input(example, "x", draw_shape(example, 0), low, high));
}

/* ---- neg ------------------------------------------------------------------------------------ */

static ag_status forward_neg(ag_node *node)
{
    return forward_unary(node, UNARY_NEG, 1);
}

/* dx = -dy */
static ag_status backward_neg(ag_node *node)
{
    return backward_unary(node, UNARY_NEG, 1);
}

static ag_tensor *example_neg(ag_example *example)
{
    return example_unary(example, ag_neg, -2, 2);
}

const ag_op op_neg = {.name = "neg",
                      .formula = "y = -x",
                      .shape = shape_same,
                      .forward = forward_neg,
                      .backward = backward_neg,
                      .example = example_neg};

ag_tensor *ag_neg(ag_tensor *x)
{
    return ag_custom(&op_neg, &x, 1, 1, NULL, 0);
}

/* ---- scale ---------------------------------------------------------------------------------- */

static ag_status forward_scale(ag_node *node)
{
    return forward_unary(node, UNARY_SCALE, *(double *)node->attributes);
}

/* dx = factor dy */
static ag_status backward_scale(ag_node *node)
{
    return backward_unary(node, UNARY_SCALE, *(double *)node->attributes);
}

static ag_tensor *example_scale(ag_example *example)
{
    double factor = ag_example_int(example, 0, 4) ? ag_example_real(example, -3, 3) : 0;
    return ag_scale(ag_example_input(example, "x", draw_shape(example, 0), -2, 2), factor);
}

const ag_op op_scale = {.name = "scale",
                        .formula = "y = factor x",
                        .shape = shape_same,
                        .forward = forward_scale,
                        .backward = backward_scale,
                        .example = example_scale};

ag_tensor *ag_scale(ag_tensor *x, double factor)
{
    return ag_custom(&op_scale, &x, 1, 1, &factor, sizeof factor);
}

/* ---- exp ------------------------------------------------------------------------------------ */

static ag_status forward_exp(ag_node *node)
{
    return forward_unary(node, UNARY_EXP, 1);
}

/* dx = dy y */
static ag_status backward_exp(ag_node *node)
{
    return backward_unary(node, UNARY_EXP, 1);
}

static ag_tensor *example_exp(ag_example *example)
{
    return example_unary(example, ag_exp, -2, 2);
}

const ag_op op_exp = {.name = "exp",
                      .formula = "y = e^x",
                      .shape = shape_same,
                      .forward = forward_exp,
                      .backward = backward_exp,
                      .example = example_exp};

ag_tensor *ag_exp(ag_tensor *x)
{
    return ag_custom(&op_exp, &x, 1, 1, NULL, 0);
}

/* ---- log ------------------------------------------------------------------------------------ */

static ag_status forward_log(ag_node *node)
{
    return forward_unary(node, UNARY_LOG, 1);
}

/* dx = dy / x */
static ag_status backward_log(ag_node *node)
{
    return backward_unary(node, UNARY_LOG, 1);
}

static ag_tensor *example_log(ag_example *example)
{
    return example_unary(example, ag_log, 0.5, 3);
}

const ag_op op_log = {.name = "log",
                      .formula = "y = ln x",
                      .shape = shape_same,
                      .forward = forward_log,
                      .backward = backward_log,
                      .example = example_log};

ag_tensor *ag_log(ag_tensor *x)
{
    return ag_custom(&op_log, &x, 1, 1, NULL, 0);
}

/* ---- sqrt ----------------------------------------------------------------------------------- */

static ag_status forward_sqrt(ag_node *node)
{
    return forward_unary(node, UNARY_SQRT, 1);
}

/* dx = dy / (2 y) */
static ag_status backward_sqrt(ag_node *node)
{
    return backward_unary(node, UNARY_SQRT, 1);
}

static ag_tensor *example_sqrt(ag_example *example)
{
    return example_unary(example, ag_sqrt, 0.5, 3);
}

const ag_op op_sqrt = {.name = "sqrt",
                       .formula = "y = sqrt(x)",
                       .shape = shape_same,
                       .forward = forward_sqrt,
                       .backward = backward_sqrt,
                       .example = example_sqrt};

ag_tensor *ag_sqrt(ag_tensor *x)
{
    return ag_custom(&op_sqrt, &x, 1, 1, NULL, 0);
}

/* ---- tanh ----------------------------------------------------------------------------------- */

static ag_status forward_tanh(ag_node *node)
{
    return forward_unary(node, UNARY_TANH, 1);
}

/* dx = dy (1 - y^2) */
static ag_status backward_tanh(ag_node *node)
{
    return backward_unary(node, UNARY_TANH, 1);
}

static ag_tensor *example_tanh(ag_example *example)
{
    return example_unary(example, ag_tanh, -3, 3);
}

const ag_op op_tanh = {.name = "tanh",
                       .formula = "y = tanh(x)",
                       .shape = shape_same,
                       .forward = forward_tanh,
                       .backward = backward_tanh,
                       .example = example_tanh};

ag_tensor *ag_tanh(ag_tensor *x)
{
    return ag_custom(&op_tanh, &x, 1, 1, NULL, 0);
}

/* ---- erf ------------------------------------------------------------------------------------ */

static ag_status forward_erf(ag_node *node)
{
    return forward_unary(node, UNARY_ERF, 1);
}

/* dx = dy 2/sqrt(pi) e^(-x^2) */
static ag_status backward_erf(ag_node *node)
{
    return backward_unary(node, UNARY_ERF, 1);
}

static ag_tensor *example_erf(ag_example *example)
{
    return example_unary(example, ag_erf, -2, 2);
}

const ag_op op_erf = {.name = "erf",
                      .formula = "y = erf(x)",
                      .shape = shape_same,
                      .forward = forward_erf,
                      .backward = backward_erf,
                      .example = example_erf};

ag_tensor *ag_erf(ag_tensor *x)
{
    return ag_custom(&op_erf, &x, 1, 1, NULL, 0);
}

/* ---- sigmoid -------------------------------------------------------------------------------- */

static ag_status forward_sigmoid(ag_node *node)
{
    return forward_unary(node, UNARY_SIGMOID, 1);
}

/* dx = dy y (1 - y) */
static ag_status backward_sigmoid(ag_node *node)
{
    return backward_unary(node, UNARY_SIGMOID, 1);
}

static ag_tensor *example_sigmoid(ag_example *example)
{
    return example_unary(example, ag_sigmoid, -4, 4);
}

const ag_op op_sigmoid = {.name = "sigmoid",
                          .formula = "y = 1 / (1 + e^-x)",
                          .shape = shape_same,
                          .forward = forward_sigmoid,
                          .backward = backward_sigmoid,
                          .example = example_sigmoid};

ag_tensor *ag_sigmoid(ag_tensor *x)
{
    return ag_custom(&op_sigmoid, &x, 1, 1, NULL, 0);
}

/* ---- relu ----------------------------------------------------------------------------------- */

static ag_status forward_relu(ag_node *node)
{
    return forward_unary(node, UNARY_RELU, 1);
}

/* dx = dy where x > 0, else 0 */
static ag_status backward_relu(ag_node *node)
{
    return backward_unary(node, UNARY_RELU, 1);
}

static ag_tensor *example_relu(ag_example *example)
{
    return example_unary(example, ag_relu, -2, 2);
}

/* Which side of 0. */
static void kinks_relu(const ag_node *node, ag_kinks *kinks)
{
    for (int64_t i = 0; i < node->inputs[0]->size; i++)
        ag_kink(kinks, node->inputs[0]->data[i] > 0);
}

const ag_op op_relu = {.name = "relu",
                       .formula = "y = max(x, 0)",
                       .shape = shape_same,
                       .forward = forward_relu,
                       .backward = backward_relu,
                       .example = example_relu,
                       .kinks = kinks_relu};

ag_tensor *ag_relu(ag_tensor *x)
{
    return ag_custom(&op_relu, &x, 1, 1, NULL, 0);
}

/* ---- gelu ----------------------------------------------------------------------------------- */

static ag_status shape_gelu(ag_node *node)
{
    ag_activation form = *(ag_activation *)node->attributes;
    if (form != AG_GELU && form != AG_GELU_TANH)
        return ag_fail(node, AG_BAD_VALUE, "%d is no form (AG_GELU or AG_GELU_TANH)", (int)form);
    return shape_same(node);
}

static ag_status forward_gelu(ag_node *node)
{
    return forward_unary(node, activation_kernel(*(ag_activation *)node->attributes), 1);
}

/* exact: dx = dy (Phi(x) + x phi(x))
 * tanh:  dx = dy (s + x s (1 - s) 2u'), where s = 0.5 (1 + tanh u) = sigmoid(2u), u = sqrt(2/pi) (x + 0.044715 x^3) */
static ag_status backward_gelu(ag_node *node)
{
    return backward_unary(node, activation_kernel(*(ag_activation *)node->attributes), 1);
}

static ag_tensor *example_gelu(ag_example *example)
{
    ag_activation form = ag_example_int(example, 0, 1) ? AG_GELU_TANH : AG_GELU;
    return ag_gelu(ag_example_input(example, "x", draw_shape(example, 0), -4, 4), form);
}

const ag_op op_gelu = {.name = "gelu",
                       .formula = "y = x Phi(x)",
                       .shape = shape_gelu,
                       .forward = forward_gelu,
                       .backward = backward_gelu,
                       .example = example_gelu};

ag_tensor *ag_gelu(ag_tensor *x, ag_activation form)
{
    return ag_custom(&op_gelu, &x, 1, 1, &form, sizeof form);
}

/* ---- silu ----------------------------------------------------------------------------------- */

static ag_status forward_silu(ag_node *node)
{
    return forward_unary(node, UNARY_SILU, 1);
}

/* dx = dy s (1 + x (1 - s)), where s = sigmoid(x) */
static ag_status backward_silu(ag_node *node)
{
    return backward_unary(node, UNARY_SILU, 1);
}

static ag_tensor *example_silu(ag_example *example)
{
    return example_unary(example, ag_silu, -4, 4);
}

const ag_op op_silu = {.name = "silu",
                       .formula = "y = x sigmoid(x)",
                       .shape = shape_same,
                       .forward = forward_silu,
                       .backward = backward_silu,
                       .example = example_silu};

ag_tensor *ag_silu(ag_tensor *x)
{
    return ag_custom(&op_silu, &x, 1, 1, NULL, 0);
}
