/* list.c - every built-in operation, as NAME of its record op_NAME. What must hold for
 * all of them (gradient checks, documentation, profiles) is done for each entry of this
 * list. */
#include "unary.h"

/* Each line has the operations of one file, in this order: elementwise.c, unary.h,
 * matmul.c, linear.c, reduce.c, reshape.c, permute.c, concat.c, slice.c, embedding.c,
 * softmax.c, norm.c, dropout.c, rotary.c, distance_bias.c, attention/flash.c,
 * attention/masked.c, loss.c. */
/* clang-format off */
#define OPERATIONS(OP, UNARY)                                                                                       \
    OP(add) OP(sub) OP(mul) OP(div) OP(pow)                                                                         \
    UNARY_OPERATIONS(UNARY, OP)                                                                                     \
    OP(matmul)                                                                                                      \
    OP(linear)                                                                                                      \
    OP(sum) OP(mean) OP(max)                                                                                        \
    OP(reshape)                                                                                                     \
    OP(permute)                                                                                                     \
    OP(concat)                                                                                                      \
    OP(slice)                                                                                                       \
    OP(embedding)                                                                                                   \
    OP(softmax) OP(log_softmax)                                                                                     \
    OP(layer_norm) OP(rms_norm)                                                                                     \
    OP(dropout)                                                                                                     \
    OP(rotary)                                                                                                      \
    OP(distance_bias)                                                                                               \
    OP(attention)                                                                                                   \
    OP(masked_softmax) OP(masked_sum)                                                                               \
    OP(cross_entropy) OP(mse)
/* clang-format on */

#define DECLARATION(name)            extern const ag_op op_##name;
#define UNARY_DECLARATION(name, ...) DECLARATION(name)
OPERATIONS(DECLARATION, UNARY_DECLARATION)

#define ADDRESS(name)            &op_##name,
#define UNARY_ADDRESS(name, ...) ADDRESS(name)
static const ag_op *const table[] = {OPERATIONS(ADDRESS, UNARY_ADDRESS)};

const ag_op *const *ag_ops(int *count)
{
    *count = (int)(sizeof table / sizeof *table);
    return table;
}
