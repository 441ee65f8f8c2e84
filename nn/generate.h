/* generate.h - what the ways of generating share, for nn/ alone. */
#ifndef NN_GENERATE_H
#define NN_GENERATE_H

#include "nn.h"

/* One call of nn_generate. */
typedef struct generation {
    const nn_model *model;
    nn_pass pass;
    const nn_input *input;
    nn_generation_options options; /* with the defaults filled in; eos -1 where nothing ends a sequence */
    int64_t common;                /* tokens with which every row begins: the shortest prompt's length */
    int64_t longest;               /* the most tokens that any row can generate */
    int64_t most_fed;              /* the most tokens that any row can be fed, its prompt included */
    nn_cache cache;
    nn_generated *result;
} generation;

/* The tokens that row `row` is given: the prompt of a decoder, bos alone for an encoder-decoder. */
int64_t generation_prompt_length(const generation *g, int64_t row);
int32_t generation_prompt(const generation *g, int64_t row, int64_t position);
/* How many tokens the row may generate, the end mark included. */
int64_t generation_limit(const generation *g, int64_t row);

/* Makes the cache, with `group` sequences for each row, and feeds it what all prompts have in common. Returns the
 * logits as generation_feed does. */
const ag_real *generation_begin(generation *g, int64_t group, ag_error *error);
/* Rewinds the tape and feeds each sequence its next `count` tokens [cache.rows, count]. Returns the logits behind
 * the last of them, those of sequence i at [i * count * V], or NULL. */
const ag_real *generation_feed(generation *g, const int32_t *tokens, int64_t count, ag_error *error);

/* Whether the token may be chosen. Tokens that may not still have their part in the
 * probabilities. */
bool generation_allows(const nn_generation_options *options, int32_t token);
/* The most probable of the tokens that may be chosen; of equals the first. */
int32_t generation_most_probable(const generation *g, const ag_real *logits);
/* The logarithm of the sum of e^logits[c] over all tokens c, in double: log p(c) =
 * logits[c] - *log_sum is the model's own, whatever may be chosen. AG_NOT_FINITE where it
 * is no number, or where no token that may be chosen is possible. */
ag_status generation_normalise(const generation *g, const ag_real *logits, int64_t row, double *log_sum,
                               ag_error *error) AG_CHECKED;
/* A log-probability after the length penalty; `length` counts the end mark. */
double generation_score(const generation *g, double log_probability, int64_t length);

/* Where hypothesis number `place` of a row has its tokens: [longest]. */
int32_t *generation_tokens(const generation *g, int64_t row, int place);

/* The ways: greedy or drawn, token by token; the search; and an encoder's labels. */
ag_status generation_walk(generation *g, ag_error *error) AG_CHECKED;
ag_status generation_search(generation *g, ag_error *error) AG_CHECKED;
ag_status generation_label(generation *g, ag_error *error) AG_CHECKED;

#endif
