/* unary.c - functions of one tensor, element by element. Each is a row of the table in
 * unary.h; the arithmetic is in the elementwise kernels. */
#include "unary.h"

#include "../ranges.h"
#include "draw.h"
#include "kernels/kernels.h"

/* The function, and the factor of UNARY_SCALE. */
typedef struct unary_attributes {
    kernel_unary f;
    ag_real factor;
} unary_attributes;

static ag_status unary_shape(ag_node *node)
{
    node->output->shape = node->inputs[0]->shape;
    return AG_OK;
}

static void unary_forward_elements(void *context, int64_t begin, int64_t end)
{
    const ag_node *node = context;
    const unary_attributes *function = node->attributes;
    kernels()->elementwise->unary(function->f, function->factor, end - begin, node->inputs[0]->data + begin,
                                  node->output->data + begin);
}

/* y = f(x) */
static ag_status unary_forward(ag_node *node)
{
    const int64_t size = node->output->size;
    parallel_elements(node->tape, size, 8.0 * (double)size, unary_forward_elements, node);
    return AG_OK;
}

typedef struct unary_gradient {
    const ag_node *node;
    ag_real *dx;
    bool add;
} unary_gradient;

static void unary_backward_elements(void *context, int64_t begin, int64_t end)
{
    const unary_gradient *gradient = context;
    const ag_node *node = gradient->node;
    const unary_attributes *function = node->attributes;
    kernels()->elementwise->unary_backward(function->f, function->factor, end - begin, node->inputs[0]->data + begin,
                                           node->output->data + begin, node->output->grad + begin, gradient->dx + begin,
                                           gradient->add);
}

/* dx = dy f'(x) */
static ag_status unary_backward(ag_node *node)
{
    const int64_t size = node->output->size;
    unary_gradient gradient = {.node = node};
    gradient.dx = ag_grad_begin(node->inputs[0], &gradient.add);
    if (!gradient.dx)
        return AG_NO_MEMORY;
    parallel_elements(node->tape, size, 8.0 * (double)size, unary_backward_elements, &gradient);
    return AG_OK;
}

/* uy = f'(x) ux. An element that does not move adds 0, also where f' is infinite, as in
 * the backward kernels. */
static ag_status unary_jvp(ag_node *node, const ag_real *const *tangents, ag_real *tangent)
{
    const unary_attributes *function = node->attributes;
    const ag_tensor *x = node->inputs[0];
    for (int64_t i = 0; i < x->size; i++)
        tangent[i] = tangents[0][i] == 0
                         ? 0
                         : (ag_real)(unary_slope(function->f, (double)function->factor, (double)x->data[i]) *
                                     (double)tangents[0][i]);
    return AG_OK;
}

static ag_tensor *unary_new(const ag_op *op, ag_tensor *x, kernel_unary f, double factor)
{
    const unary_attributes function = {f, (ag_real)factor};
    return ag_custom(op, &x, 1, 1, &function, sizeof function);
}

/* Records which side of 0 each element is on. */
static void relu_kinks(const ag_node *node, ag_kinks *kinks)
{
    for (int64_t i = 0; i < node->inputs[0]->size; i++)
        ag_kink(kinks, node->inputs[0]->data[i] > 0);
}

/* ---- The table --------------------------------------------------------------------- */

#define UNARY(function, kernel, low, high, ...)                                                                        \
    static ag_tensor *function##_example(ag_example *example)                                                          \
    {                                                                                                                  \
        return ag_##function(ag_example_input(example, "x", draw_shape(example, 0), low, high));                       \
    }                                                                                                                  \
    const ag_op op_##function = {.name = #function,                                                                    \
                                 .shape = unary_shape,                                                                 \
                                 .forward = unary_forward,                                                             \
                                 .backward = unary_backward,                                                           \
                                 .jvp = unary_jvp,                                                                     \
                                 .example = function##_example,                                                        \
                                 .formula = __VA_ARGS__};                                                              \
    ag_tensor *ag_##function(ag_tensor *x)                                                                             \
    {                                                                                                                  \
        return unary_new(&op_##function, x, kernel, 1);                                                                \
    }
#define OTHER(function)
UNARY_OPERATIONS(UNARY, OTHER)

/* ---- scale ------------------------------------------------------------------------- */

static ag_tensor *scale_example(ag_example *example)
{
    double factor = ag_example_int(example, 0, 4) ? ag_example_real(example, -3, 3) : 0;
    return ag_scale(ag_example_input(example, "x", draw_shape(example, 0), -2, 2), factor);
}

const ag_op op_scale = {.name = "scale",
                        .formula = "y = factor x",
                        .shape = unary_shape,
                        .forward = unary_forward,
                        .backward = unary_backward, /* dx = factor dy */
                        .jvp = unary_jvp,
                        .example = scale_example};

ag_tensor *ag_scale(ag_tensor *x, double factor)
{
    return unary_new(&op_scale, x, UNARY_SCALE, factor);
}

/* ---- gelu -------------------------------------------------------------------------- */

static ag_tensor *gelu_example(ag_example *example)
{
    ag_activation form = ag_example_int(example, 0, 1) ? AG_GELU_TANH : AG_GELU;
    return ag_gelu(ag_example_input(example, "x", draw_shape(example, 0), -4, 4), form);
}

/* The backward, with the normal distribution's function Phi and density phi:
 *     exact: dx = dy (Phi(x) + x phi(x))
 *     tanh:  dx = dy (s + x s (1 - s) 2u'), where u = sqrt(2/pi) (x + 0.044715 x^3) and
 *            s = 0.5 (1 + tanh u) = sigmoid(2u) */
const ag_op op_gelu = {.name = "gelu",
                       .formula = "y = x Phi(x)",
                       .shape = unary_shape,
                       .forward = unary_forward,
                       .backward = unary_backward,
                       .jvp = unary_jvp,
                       .example = gelu_example};

ag_tensor *ag_gelu(ag_tensor *x, ag_activation form)
{
    if (form != AG_GELU && form != AG_GELU_TANH)
        return ag_tape_fail(x ? x->tape : NULL, AG_BAD_VALUE, "gelu: unknown form %d: expected AG_GELU or AG_GELU_TANH",
                            (int)form);
    return unary_new(&op_gelu, x, activation_kernel(form), 1);
}
