/* generation.h - the state of one nn_ensemble_generate and the steps that all its ways
 * share. Internal to nn/.
 *
 * generation.c is the bottom; sample.c, beam.c and tag.c build on it, and generate.c,
 * which checks the options and chooses among the three, is the top.
 */
#ifndef NN_GENERATION_H
#define NN_GENERATION_H

#include "ensemble.h"

/* The marks of options that name none: those of data_vocab_new, in data/, which this layer
 * does not include. */
#define GENERATION_BOS 1
#define GENERATION_EOS 2

/* One model of the ensemble. */
typedef struct generation_model {
    const nn_model *model;
    nn_pass pass;
    nn_cache cache;
} generation_model;

/* One call of nn_ensemble_generate. A row of the input has one sequence in the caches, or
 * `beam` of them. All caches hold the same sequences. */
typedef struct generation {
    const nn_ensemble *ensemble;
    generation_model *each; /* [ensemble->count] */
    nn_model_kind kind;     /* of every model */
    int32_t vocab;          /* of their targets */
    int64_t room;           /* the least max_length of the models */
    ag_tape *tape;
    const nn_input *input;
    nn_generation_options options; /* defaults filled in */
    int32_t bos, eos;              /* eos is -1 if no token ends a sequence */
    int64_t common;                /* length of the shortest prompt, which all rows feed
                                    * in one step */
    int64_t longest;               /* the most tokens that any row can generate */
    int64_t most_fed;              /* the most tokens that any row can feed, its prompt
                                    * included */
    ensemble_logits logits; /* of the step: sequence i has those at i * stride */
    int64_t stride;
    ag_real *mean; /* [vocab]: the ensemble's logits for one sequence, or those of one
                    * model divided by the temperature; NULL for one model without */
    nn_generated *result;
} generation;

/* The tokens of each sequence that the models have seen, and the number of sequences. */
static inline int64_t generation_fed(const generation *g)
{
    return g->each[0].cache.length;
}
static inline int64_t generation_sequences(const generation *g)
{
    return g->each[0].cache.rows;
}

/* The tokens with which a row begins: a decoder's prompt, or bos alone for an
 * encoder-decoder. */
int64_t generation_prompt_length(const generation *g, int64_t row);
int32_t generation_prompt(const generation *g, int64_t row, int64_t position);
/* The most tokens that the row may generate, the end mark included. */
int64_t generation_limit(const generation *g, int64_t row);
/* The tokens [longest] of hypothesis number `place` of a row, in the result's storage. */
int32_t *generation_tokens(const generation *g, int64_t row, int place);

/* Makes the caches, with one sequence for each row, and feeds them the `common` first
 * tokens of the prompts. */
ag_status generation_begin(generation *g, ag_error *error) AG_CHECKED;
/* Rewinds the tape and feeds each sequence its next `count` tokens, [sequences,
 * count]. */
ag_status generation_feed(generation *g, const int32_t *tokens, int64_t count, ag_error *error) AG_CHECKED;
/* nn_cache_reorder and cache_expand of all caches. */
ag_status generation_reorder(generation *g, const int32_t *from, int64_t sequences, ag_error *error) AG_CHECKED;
ag_status generation_expand(generation *g, int64_t group, ag_error *error) AG_CHECKED;

/* Whether the token may be chosen. The others still count in the probabilities. */
bool generation_allows(const generation *g, int32_t token);
/* The most probable of the tokens that may be chosen; of equals the lowest. */
int32_t generation_most_probable(const generation *g, const ag_real *logits);
/* The logits [vocab] after the last token of a sequence, valid until the next call, and
 * *log_sum = log sum_c e^logits[c] over all tokens c, in double, so that token c has the
 * probability log p(c) = logits[c] - *log_sum. AG_NOT_FINITE, with the number of the
 * input's row, if the sum is not finite, or if every token that may be chosen has
 * probability 0. */
ag_status generation_logits(const generation *g, int64_t sequence, int64_t row, const ag_real **logits,
                            double *log_sum, ag_error *error) AG_CHECKED;
/* A log-probability after the length penalty; `length` counts the end mark. */
double generation_score(const generation *g, double log_probability, int64_t length);

/* The three ways: token by token (greedy or sampled), beam search, and an encoder's
 * labels. */
ag_status generation_sample(generation *g, ag_error *error) AG_CHECKED;
ag_status generation_beam(generation *g, ag_error *error) AG_CHECKED;
ag_status generation_tag(generation *g, ag_error *error) AG_CHECKED;

#endif
