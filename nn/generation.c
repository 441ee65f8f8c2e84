/* generation.c - the state of a generation and one step of it: see generation.h. */
#include "generation.h"
#include "cache.h"
#include "layer.h"
#include "scalar.h"

#include <math.h>
#include <stdlib.h>

/* The cache begins with room for this many tokens, and doubles. */
#define FIRST_CAPACITY 32

/* ---- Prompts and limits ------------------------------------------------------------ */

int64_t generation_prompt_length(const generation *g, int64_t row)
{
    if (g->model->config.kind != NN_DECODER)
        return 1;
    return g->input->target_lengths ? g->input->target_lengths[row] : g->input->target_length;
}

int32_t generation_prompt(const generation *g, int64_t row, int64_t position)
{
    if (g->model->config.kind != NN_DECODER)
        return g->options.bos;
    return g->input->target[row * g->input->target_length + position];
}

/* The last token is never fed, so it needs no position of the model: hence + 1. */
int64_t generation_limit(const generation *g, int64_t row)
{
    const nn_model_config *config = &g->model->config;
    const int64_t room = config->max_length - generation_prompt_length(g, row) + 1;
    if (config->kind == NN_ENCODER_DECODER && !nn_model_longest(config))
        return g->options.max_length;
    return room < g->options.max_length ? room : g->options.max_length;
}

int32_t *generation_tokens(const generation *g, int64_t row, int place)
{
    return (int32_t *)g->result->storage + (row * g->result->best + place) * g->longest;
}

/* ---- Feeding ----------------------------------------------------------------------- */

const ag_real *generation_feed(generation *g, const int32_t *tokens, int64_t count, ag_error *error)
{
    const int64_t needed = g->cache.length + count;
    int64_t capacity = g->cache.self[0].capacity;
    if (needed > capacity) {
        capacity = needed > 2 * capacity ? needed : 2 * capacity;
        if (cache_reserve(&g->cache, capacity < g->most_fed ? capacity : g->most_fed, error) != AG_OK)
            return NULL;
    }
    ag_tape_rewind(g->pass.tape);
    ag_tensor *logits = nn_cache_apply(&g->cache, g->model, &g->pass, tokens, count);
    if (!logits) {
        const ag_status noted = pass_error(&g->pass, error);
        (void)noted; /* returning NULL reports it */
        return NULL;
    }
    return logits->data + (count - 1) * g->model->config.target_vocab;
}

const ag_real *generation_begin(generation *g, ag_error *error)
{
    int64_t capacity = g->common > FIRST_CAPACITY ? g->common : FIRST_CAPACITY;
    if (capacity > g->most_fed)
        capacity = g->most_fed;
    ag_tape_rewind(g->pass.tape);
    if (nn_cache_init(&g->cache, g->model, &g->pass, g->input, capacity, error) != AG_OK)
        return NULL;

    const int64_t sequences = g->cache.rows;
    int32_t *tokens = malloc((size_t)(sequences * g->common) * sizeof *tokens);
    if (!tokens) {
        ag_error_set(error, AG_NO_MEMORY, "out of memory: no room for %lld prompts", (long long)sequences);
        return NULL;
    }
    for (int64_t i = 0; i < sequences; i++)
        for (int64_t position = 0; position < g->common; position++)
            tokens[i * g->common + position] = generation_prompt(g, i, position);
    const ag_real *logits = generation_feed(g, tokens, g->common, error);
    free(tokens);
    return logits;
}

/* ---- Choosing ---------------------------------------------------------------------- */

bool generation_allows(const nn_generation_options *options, int32_t token)
{
    return token >= options->marks || token == options->eos;
}

int32_t generation_most_probable(const generation *g, const ag_real *logits)
{
    int32_t best = -1;
    for (int32_t token = 0; token < g->model->config.target_vocab; token++)
        if (generation_allows(&g->options, token) && (best < 0 || logits[token] > logits[best]))
            best = token;
    return best;
}

ag_status generation_normalise(const generation *g, const ag_real *logits, int64_t row, double *log_sum,
                               ag_error *error)
{
    const int32_t count = g->model->config.target_vocab;
    double most = (double)logits[0];
    scalar_sum sum = {0, 0};
    for (int32_t c = 1; c < count; c++)
        if ((double)logits[c] > most)
            most = (double)logits[c];
    for (int32_t c = 0; c < count; c++)
        scalar_sum_add(&sum, scalar_exp((double)logits[c] - most));
    *log_sum = most + scalar_log(scalar_sum_total(&sum));
    if (!isfinite(*log_sum))
        return ag_error_set(error, AG_NOT_FINITE, "generation: the logits of row %lld are not finite (NaN or infinity)",
                            (long long)row);
    if (isinf(logits[generation_most_probable(g, logits)]))
        return ag_error_set(error, AG_NOT_FINITE,
                            "generation: every token that may be chosen in row %lld has probability 0", (long long)row);
    return AG_OK;
}

double generation_score(const generation *g, double log_probability, int64_t length)
{
    return log_probability / scalar_pow((5 + (double)length) / 6, g->options.length_penalty);
}
