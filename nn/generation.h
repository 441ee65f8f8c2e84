/* generation.h - the state of one nn_generate and the steps that all its ways share.
 * Internal to nn/.
 *
 * generation.c is the bottom; sample.c, beam.c and tag.c build on it, and generate.c,
 * which checks the options and chooses among the three, is the top.
 */
#ifndef NN_GENERATION_H
#define NN_GENERATION_H

#include "nn.h"

/* One call of nn_generate. A row of the input has one sequence in the cache, or `beam` of
 * them. */
typedef struct generation {
    const nn_model *model;
    nn_pass pass;
    const nn_input *input;
    nn_generation_options options; /* defaults filled in; eos is -1 if no token ends a
                                    * sequence */
    int64_t common;                /* length of the shortest prompt, which all rows feed
                                    * in one step */
    int64_t longest;               /* the most tokens that any row can generate */
    int64_t most_fed;              /* the most tokens that any row can feed, its prompt
                                    * included */
    nn_cache cache;
    nn_generated *result;
} generation;

/* The tokens with which a row begins: a decoder's prompt, or bos alone for an
 * encoder-decoder. */
int64_t generation_prompt_length(const generation *g, int64_t row);
int32_t generation_prompt(const generation *g, int64_t row, int64_t position);
/* The most tokens that the row may generate, the end mark included. */
int64_t generation_limit(const generation *g, int64_t row);
/* The tokens [longest] of hypothesis number `place` of a row, in the result's storage. */
int32_t *generation_tokens(const generation *g, int64_t row, int place);

/* Makes the cache, with one sequence for each row, and feeds it the `common` first tokens
 * of the prompts. Returns logits as generation_feed does. */
const ag_real *generation_begin(generation *g, ag_error *error);
/* Rewinds the tape and feeds each sequence its next `count` tokens, [cache.rows, count].
 * Returns the logits after the last of them, those of sequence i at [i * count * V]; NULL
 * with the error. */
const ag_real *generation_feed(generation *g, const int32_t *tokens, int64_t count, ag_error *error);

/* Whether the token may be chosen. The others still count in the probabilities. */
bool generation_allows(const nn_generation_options *options, int32_t token);
/* The most probable of the tokens that may be chosen; of equals the lowest. */
int32_t generation_most_probable(const generation *g, const ag_real *logits);
/* *log_sum = log sum_c e^logits[c] over all tokens c, in double, so that the model gives
 * token c the probability log p(c) = logits[c] - *log_sum. AG_NOT_FINITE if the sum is
 * not finite, or if every token that may be chosen has probability 0. */
ag_status generation_normalise(const generation *g, const ag_real *logits, int64_t row, double *log_sum,
                               ag_error *error) AG_CHECKED;
/* A log-probability after the length penalty; `length` counts the end mark. */
double generation_score(const generation *g, double log_probability, int64_t length);

/* The three ways: token by token (greedy or sampled), beam search, and an encoder's
 * labels. */
ag_status generation_sample(generation *g, ag_error *error) AG_CHECKED;
ag_status generation_beam(generation *g, ag_error *error) AG_CHECKED;
ag_status generation_tag(generation *g, ag_error *error) AG_CHECKED;

#endif
