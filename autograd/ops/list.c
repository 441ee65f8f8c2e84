/* list.c - every built-in operation. What must hold for all of them walks this table. */
#include "ops.h"

static const ag_op *const table[] = {
    &op_add,        &op_sub,
    &op_mul,        &op_div,
    &op_pow,        &op_neg,
    &op_scale,      &op_exp,
    &op_log,        &op_sqrt,
    &op_tanh,       &op_erf,
    &op_sigmoid,    &op_relu,
    &op_gelu,       &op_silu,
    &op_matmul,     &op_linear,
    &op_sum,        &op_mean,
    &op_max,        &op_reshape,
    &op_permute,    &op_concat,
    &op_slice,      &op_embedding,
    &op_softmax,    &op_log_softmax,
    &op_layer_norm, &op_rms_norm,
    &op_dropout,    &op_rotary,
    &op_attention,  &op_masked_softmax,
    &op_masked_sum, &op_cross_entropy,
    &op_mse,
};

const ag_op *const *ag_ops(int *count)
{
    *count = (int)(sizeof table / sizeof *table);
    return table;
}
