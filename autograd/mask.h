/* mask.h - the inside of masks, for autograd/ alone. */
#ifndef AUTOGRAD_MASK_H
#define AUTOGRAD_MASK_H

#include "autograd.h"
#include "kernels/attention.h"

/* Whose row of the mask: query i of head h in batch row b. */
typedef struct mask_query {
    int64_t b, h, i;
} mask_query;

/* allow[j - begin] = 1 where the query may look at key j, else 0, for begin <= j < end. */
void mask_row(const ag_mask *mask, mask_query query, int64_t begin, int64_t end, unsigned char *allow);

/* The smallest interval [*begin, *end) of the keys 0 <= j < keys outside of which the query sees nothing; [0, 0) where
 * it sees nothing at all. Returns whether it sees everything inside. Two masks that allow the same give the same
 * answer, in whatever way they are put together; unless an array must be read, the time does not depend on `keys`. */
bool mask_range(const ag_mask *mask, mask_query query, int64_t keys, int64_t *begin, int64_t *end);

/* The keys that the query sees, in the form that kernels take; where they have holes, `room` [keys] becomes `allow`. */
attention_keys mask_keys(const ag_mask *mask, mask_query query, int64_t keys, unsigned char *room);

/* Whether two heads of a batch row may see different keys. */
bool mask_differs_by_head(const ag_mask *mask);

/* `mask` (NULL: all) without the places where the additive bias is -inf. bias broadcasts to `scores` [B, H, T, S] and
 * is read in place. `*mask` stays as it is where no element is -inf. Returns false, the tape's error set, where it
 * cannot. */
bool mask_without_bias(const ag_mask **mask, const ag_tensor *bias, ag_shape scores) AG_CHECKED;

#endif
