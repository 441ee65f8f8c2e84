/* unary.h - the functions of one tensor, as a table that unary.c turns into operations
 * and list.c lists; and which of them an activation is.
 *
 * A row UNARY(name, kernel, low, high, formula) is a whole operation: its record op_NAME
 * and the constructor ag_NAME. Gradient checks draw x from [low, high], which lies within
 * the function's domain; further fields of the record may follow the formula. The comment
 * is the kernel's backward. The constructors of the OTHER operations have arguments of
 * their own, so unary.c writes them out. */
#ifndef AUTOGRAD_OPS_UNARY_H
#define AUTOGRAD_OPS_UNARY_H

#include "autograd.h"
#include "kernels/elementwise.h"

/* clang-format off */
#define UNARY_OPERATIONS(UNARY, OTHER)                                                                         \
    UNARY(neg, UNARY_NEG, -2, 2, "y = -x")                                 /* dx = -dy */                      \
    OTHER(scale)                                                                                               \
    UNARY(exp, UNARY_EXP, -2, 2, "y = e^x")                                /* dx = dy y */                     \
    UNARY(log, UNARY_LOG, 0.5, 3, "y = ln x")                              /* dx = dy / x */                   \
    UNARY(sqrt, UNARY_SQRT, 0.5, 3, "y = sqrt(x)")                         /* dx = dy / (2 y) */               \
    UNARY(tanh, UNARY_TANH, -3, 3, "y = tanh(x)")                          /* dx = dy (1 - y^2) */             \
    UNARY(erf, UNARY_ERF, -2, 2, "y = erf(x)")                             /* dx = dy 2/sqrt(pi) e^(-x^2) */   \
    UNARY(sigmoid, UNARY_SIGMOID, -4, 4, "y = 1 / (1 + e^-x)")             /* dx = dy y (1 - y) */             \
    UNARY(relu, UNARY_RELU, -2, 2, "y = max(x, 0)", .kinks = relu_kinks)   /* dx = dy where x > 0, else 0 */   \
    OTHER(gelu)                                                                                                \
    UNARY(silu, UNARY_SILU, -4, 4, "y = x sigmoid(x)") /* dx = dy s (1 + x (1 - s)), s = sigmoid(x) */
/* clang-format on */

/* The kernel of an activation from AG_RELU to AG_SILU. */
static inline kernel_unary activation_kernel(ag_activation activation)
{
    static const kernel_unary kernel[] = {
        [AG_RELU] = UNARY_RELU, [AG_GELU] = UNARY_GELU_EXACT, [AG_GELU_TANH] = UNARY_GELU_TANH, [AG_SILU] = UNARY_SILU};
    return kernel[activation];
}

/* f'(x), with the factor of UNARY_SCALE, for tangent rules. */
double unary_slope(kernel_unary f, double factor, double x);

#endif
