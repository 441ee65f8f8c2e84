/* activation.h - the kernel of each activation. */
#ifndef AUTOGRAD_OPS_ACTIVATION_H
#define AUTOGRAD_OPS_ACTIVATION_H

#include "autograd.h"
#include "kernels/elementwise.h"

/* The function of one tensor that `activation` names, from AG_RELU to AG_SILU. */
static inline kernel_unary activation_kernel(ag_activation activation)
{
    static const kernel_unary kernel[] = {
        [AG_RELU] = UNARY_RELU, [AG_GELU] = UNARY_GELU_EXACT, [AG_GELU_TANH] = UNARY_GELU_TANH, [AG_SILU] = UNARY_SILU};
    return kernel[activation];
}

#endif
