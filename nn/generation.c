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
    if (g->kind != NN_DECODER)
        return 1;
    return g->input->target_lengths ? g->input->target_lengths[row] : g->input->target_length;
}

int32_t generation_prompt(const generation *g, int64_t row, int64_t position)
{
    if (g->kind != NN_DECODER)
        return g->bos;
    return g->input->target[row * g->input->target_length + position];
}

/* The last token is never fed, so it needs no position of the model: hence + 1. */
int64_t generation_limit(const generation *g, int64_t row)
{
    const int64_t most = g->kind == NN_DECODER ? g->room : nn_ensemble_longest(g->ensemble);
    const int64_t room = most - generation_prompt_length(g, row) + 1;
    if (most == 0)
        return g->options.max_length;
    return room < g->options.max_length ? room : g->options.max_length;
}

int32_t *generation_tokens(const generation *g, int64_t row, int place)
{
    return (int32_t *)g->result->storage + (row * g->result->best + place) * g->longest;
}

/* ---- Feeding ----------------------------------------------------------------------- */

/* Something that is done with each model's cache: `count` is a number of tokens or
 * rows. */
typedef struct cache_change {
    generation *g;
    const int32_t *tokens, *from;
    int64_t count;
} cache_change;

static ag_status reserve_cache(void *context, int i, ag_error *error)
{
    const cache_change *c = context;
    return cache_reserve(&c->g->each[i].cache, c->count, error);
}

/* Room for `count` more tokens in the caches. */
static ag_status reserve_caches(generation *g, int64_t count, ag_error *error)
{
    const int64_t needed = generation_fed(g) + count;
    int64_t capacity = g->each[0].cache.self[0].capacity;
    if (needed <= capacity)
        return AG_OK;
    capacity = needed > 2 * capacity ? needed : 2 * capacity;
    cache_change change = {.g = g, .count = capacity < g->most_fed ? capacity : g->most_fed};
    return nn_ensemble_each(g->ensemble, reserve_cache, &change, error);
}

static ag_status feed_model(void *context, int i, ag_error *error)
{
    const cache_change *c = context;
    generation_model *each = &c->g->each[i];
    const ag_tensor *logits = nn_cache_apply(&each->cache, each->model, &each->pass, c->tokens, c->count);
    if (logits)
        c->g->logits.each[i] = logits->data + (c->count - 1) * c->g->vocab;
    return logits ? AG_OK : pass_error(&each->pass, error);
}

ag_status generation_feed(generation *g, const int32_t *tokens, int64_t count, ag_error *error)
{
    cache_change change = {.g = g, .tokens = tokens, .count = count};
    ag_status status = reserve_caches(g, count, error);
    ag_tape_rewind(g->tape);
    if (status == AG_OK)
        status = nn_ensemble_each(g->ensemble, feed_model, &change, error);
    g->stride = count * g->vocab;
    return status;
}

/* On a rewound tape, which a model's encoder may fill. */
static ag_status init_cache(void *context, int i, ag_error *error)
{
    const cache_change *c = context;
    generation_model *each = &c->g->each[i];
    ag_tape_rewind(c->g->tape);
    return nn_cache_init(&each->cache, each->model, &each->pass, c->g->input, c->count, error);
}

static ag_status init_caches(generation *g, ag_error *error)
{
    const int64_t capacity = g->common > FIRST_CAPACITY ? g->common : FIRST_CAPACITY;
    cache_change change = {.g = g, .count = capacity < g->most_fed ? capacity : g->most_fed};
    return nn_ensemble_each(g->ensemble, init_cache, &change, error);
}

ag_status generation_begin(generation *g, ag_error *error)
{
    ag_status status = init_caches(g, error);
    if (status != AG_OK)
        return status;
    const int64_t sequences = generation_sequences(g);
    int32_t *tokens = malloc((size_t)(sequences * g->common) * sizeof *tokens);
    if (!tokens)
        return ag_error_set(error, AG_NO_MEMORY, "out of memory: no room for %lld prompts", (long long)sequences);
    for (int64_t i = 0; i < sequences; i++)
        for (int64_t position = 0; position < g->common; position++)
            tokens[i * g->common + position] = generation_prompt(g, i, position);
    status = generation_feed(g, tokens, g->common, error);
    free(tokens);
    return status;
}

static ag_status reorder_cache(void *context, int i, ag_error *error)
{
    const cache_change *c = context;
    return nn_cache_reorder(&c->g->each[i].cache, c->from, c->count, error);
}

ag_status generation_reorder(generation *g, const int32_t *from, int64_t sequences, ag_error *error)
{
    cache_change change = {.g = g, .from = from, .count = sequences};
    return nn_ensemble_each(g->ensemble, reorder_cache, &change, error);
}

static ag_status expand_cache(void *context, int i, ag_error *error)
{
    const cache_change *c = context;
    return cache_expand(&c->g->each[i].cache, c->count, error);
}

ag_status generation_expand(generation *g, int64_t group, ag_error *error)
{
    cache_change change = {.g = g, .count = group};
    return nn_ensemble_each(g->ensemble, expand_cache, &change, error);
}

/* ---- Choosing ---------------------------------------------------------------------- */

bool generation_allows(const generation *g, int32_t token)
{
    bool is_mark = false;
    for (int mark = 0; g->options.marks && mark < NN_MARKS; mark++)
        is_mark |= g->options.marks[mark] == token && !(mark == NN_UNK && g->options.makes_unknown);
    return !is_mark || token == g->eos;
}

int32_t generation_most_probable(const generation *g, const ag_real *logits)
{
    int32_t best = -1;
    for (int32_t token = 0; token < g->vocab; token++)
        if (generation_allows(g, token) && (best < 0 || logits[token] > logits[best]))
            best = token;
    return best;
}

/* Divides the logits by the temperature, into g->mean, and sums again. */
static void apply_temperature(const generation *g, const ag_real **logits, double *log_sum)
{
    for (int32_t token = 0; token < g->vocab; token++)
        g->mean[token] = (ag_real)((double)(*logits)[token] / g->options.temperature);
    *logits = g->mean;
    ensemble_log_sums(&(ensemble_logits){.count = 1, .classes = g->vocab, .each = logits, .log_sums = log_sum}, 0);
}

ag_status generation_logits(const generation *g, int64_t sequence, int64_t row, const ag_real **logits,
                            double *log_sum, ag_error *error)
{
    const int64_t at = sequence * g->stride;
    const int bad = ensemble_log_sums(&g->logits, at);
    if (bad < g->logits.count) {
        ag_error own = {0};
        ag_status status = ag_error_set(&own, AG_NOT_FINITE,
                                        "generation: the logits of row %lld are not finite (NaN or infinity)",
                                        (long long)row);
        (void)status; /* ensemble_error returns it */
        return ensemble_error(g->ensemble, bad, &own, error);
    }
    const bool mixed = g->logits.count > 1;
    *logits = mixed ? g->mean : g->logits.each[0] + at;
    *log_sum = g->logits.log_sums[0];
    if (mixed)
        ensemble_mean(&g->logits, at, g->mean);
    if (g->options.temperature != 1)
        apply_temperature(g, logits, log_sum);
    if (isinf((*logits)[generation_most_probable(g, *logits)]))
        return ag_error_set(error, AG_NOT_FINITE,
                            "generation: every token that may be chosen in row %lld has probability 0", (long long)row);
    return AG_OK;
}

double generation_score(const generation *g, double log_probability, int64_t length)
{
    return log_probability / scalar_pow((5 + (double)length) / 6, g->options.length_penalty);
}
