/* muted.h - products of a gradient and values in which a gradient of 0 passes nothing on.
 * For autograd/ alone.
 *
 * C = A B is a sum over an index p: column p of A times row p of B. In a backward one
 * operand is a gradient and the other holds values. Where the gradient's part for an
 * index is all 0, as it is for padding and ignored targets, no loss depends on the values
 * of that index, so they must not matter; but 0 times NaN is NaN. There the values are
 * taken as 0. Finite values give the same bits without that, so most products pay only
 * for a check. */
#ifndef AUTOGRAD_MUTED_H
#define AUTOGRAD_MUTED_H

#include "kernels/product.h"

/* Which operand of a product is the gradient. */
typedef enum muted_by { MUTED_BY_NONE = 0, MUTED_BY_A, MUTED_BY_B } muted_by;

/* Whether values that are not finite meet a gradient of 0. The values must be dense. */
bool muted_is_needed(const product_task *task, muted_by by, int threads);

/* The bytes of room that muted_copy needs. */
size_t muted_bytes(const product_task *task, muted_by by);
/* Replaces the values of the task by a copy in `room` that is 0 at each index at which
 * the gradient is 0. */
void muted_copy(product_task *task, muted_by by, ag_real *room);

#endif
