/* mask.h - the inside of masks, for autograd/ alone. */
#ifndef AUTOGRAD_MASK_H
#define AUTOGRAD_MASK_H

#include "autograd.h"
#include "kernels/attention.h"

/* Query i of head h in batch row b, which has one row of a mask. */
typedef struct mask_query {
    int64_t b, h, i;
} mask_query;

/* Sets allow[j - begin] to 1 if the query may look at key j, else to 0, for
 * begin <= j < end. */
void mask_row(const ag_mask *mask, mask_query query, int64_t begin, int64_t end, unsigned char *allow);

/* Finds the smallest interval [*begin, *end) of the keys 0 <= j < keys outside of which
 * the query sees nothing; [0, 0) if it sees nothing at all. Returns whether it sees
 * everything inside. The answer depends on what the mask allows alone, not on how its
 * expression is built. Unless an array must be read, the time does not depend on
 * `keys`. */
bool mask_range(const ag_mask *mask, mask_query query, int64_t keys, int64_t *begin, int64_t *end);

/* The keys that the query sees, in the form that kernels take. If they have holes, the
 * result's `allow` is written to `room` [keys]. */
attention_keys mask_keys(const ag_mask *mask, mask_query query, int64_t keys, unsigned char *room);

/* Whether the keys that a query sees may depend on its place along an axis: 0 for the
 * batch, 1 for the heads, 2 for the queries. */
bool mask_differs(const ag_mask *mask, int axis);

/* Forbids in *mask (NULL: all) the places where the additive bias is -inf. `bias`
 * broadcasts to `scores` [B, H, T, S] and must live as long as the mask, which reads it
 * in place. *mask stays as it is if no element is -inf. Returns false, and the tape has
 * the error, if memory is out. */
bool mask_without_bias(const ag_mask **mask, const ag_tensor *bias, ag_shape scores) AG_CHECKED;

#endif
