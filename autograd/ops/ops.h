/* ops.h - the records of the built-in operations, for the table. */
#ifndef AUTOGRAD_OPS_H
#define AUTOGRAD_OPS_H

#include "autograd.h"

/* elementwise.c */
extern const ag_op op_add, op_sub, op_mul, op_div, op_pow;
/* unary.c */
extern const ag_op op_neg, op_scale, op_exp, op_log, op_sqrt, op_tanh, op_erf, op_sigmoid, op_relu, op_gelu, op_silu;
/* matmul.c, linear.c */
extern const ag_op op_matmul, op_linear;
/* reduce.c */
extern const ag_op op_sum, op_mean, op_max;
/* reshape.c, permute.c, concat.c, slice.c, embedding.c */
extern const ag_op op_reshape, op_permute, op_concat, op_slice, op_embedding;
/* softmax.c, norm.c, dropout.c, rotary.c */
extern const ag_op op_softmax, op_log_softmax, op_layer_norm, op_rms_norm, op_dropout, op_rotary;
/* attention.c, masked.c */
extern const ag_op op_attention, op_masked_softmax, op_masked_sum;
/* loss.c */
extern const ag_op op_cross_entropy, op_mse;

#endif
