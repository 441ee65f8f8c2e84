/* cache.h - the cache as generation uses it. Internal to nn/. */
#ifndef NN_CACHE_H
#define NN_CACHE_H

#include "nn.h"

/* Each sequence becomes `group` alike, next to each other: the hypotheses of a beam. They
 * share the keys and values of the cross-attention. nn_cache_apply then takes one token
 * at a time, and nn_cache_reorder moves sequences within groups and drops whole
 * groups. */
ag_status cache_expand(nn_cache *cache, int64_t group, ag_error *error) AG_CHECKED;
/* Makes room for `capacity` tokens; those it holds stay. */
ag_status cache_reserve(nn_cache *cache, int64_t capacity, ag_error *error) AG_CHECKED;

/* Runs the encoder on the input and makes its keys and values the cross-attention's. */
ag_status cache_fill_cross(nn_cache *cache, const nn_model *model, const nn_pass *pass, const nn_input *input,
                           ag_error *error) AG_CHECKED;

#endif
