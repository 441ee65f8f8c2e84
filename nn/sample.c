/* sample.c - generation token by token: the most probable one (greedy), or one that is drawn. */
#include "generate.h"
#include "scalar.h"

#include <math.h>
#include <stdlib.h>

/* ---- Choosing a token ----------------------------------------------------------------------- */

typedef struct candidate {
    double logit, weight; /* weight: in proportion to the probability */
    int32_t token;
} candidate;

/* More probable first; of equals the lower token. */
static int compare(const void *left, const void *right)
{
    const candidate *a = left, *b = right;
    if (a->logit != b->logit)
        return a->logit > b->logit ? -1 : 1;
    return (a->token > b->token) - (a->token < b->token);
}

/* The fewest of the sorted candidates that together have `share` of the weight. */
static int32_t cut_nucleus(const candidate *candidates, int32_t count, double share)
{
    double total = 0, sum = 0;
    for (int32_t i = 0; i < count; i++)
        total += candidates[i].weight;
    for (int32_t i = 0; i < count; i++) {
        sum += candidates[i].weight;
        if (sum >= share * total)
            return i + 1;
    }
    return count;
}

/* Draws by one uniform number from the tokens that may be chosen: temperature first, then
 * top_k, then top_p of what that leaves. `candidates` [vocab] is room to work. */
static int32_t draw(const generation *g, const ag_real *logits, candidate *candidates, ag_rng *rng)
{
    const nn_generation_options *options = &g->options;
    const double most = (double)logits[generation_most_probable(g, logits)];
    const bool nucleus = options->top_p > 0 && options->top_p < 1;
    int32_t count = 0, chosen = 0;
    double total = 0, sum = 0;

    for (int32_t token = 0; token < g->model->config.target_vocab; token++) {
        const double logit = (double)logits[token];
        if (generation_allows(options, token))
            candidates[count++] = (candidate){logit, scalar_exp((logit - most) / options->temperature), token};
    }
    if (options->top_k > 0 || nucleus)
        qsort(candidates, (size_t)count, sizeof *candidates, compare);
    if (options->top_k > 0 && options->top_k < count)
        count = options->top_k;
    if (nucleus)
        count = cut_nucleus(candidates, count, options->top_p);

    for (int32_t i = 0; i < count; i++)
        total += candidates[i].weight;
    const double point = ag_rng_uniform(rng) * total;
    for (int32_t i = 0; i < count && sum <= point; i++) {
        sum += candidates[i].weight;
        if (candidates[i].weight > 0)
            chosen = i;
    }
    return candidates[chosen].token;
}

/* ---- The walk ------------------------------------------------------------------------------- */

typedef struct walk {
    int32_t *row;          /* [rows]: which row of the input sequence i is */
    int32_t *next, *from;  /* [rows]: the next token of sequence i, and which sequence it was a step before */
    ag_rng *rng;           /* [rows of the input] */
    candidate *candidates; /* [vocab] */
} walk;

static ag_status init_walk(walk *w, const generation *g, ag_error *error)
{
    const size_t rows = (size_t)g->input->rows, vocab = (size_t)g->model->config.target_vocab;
    w->row = calloc(rows, sizeof *w->row);
    w->next = malloc(rows * sizeof *w->next);
    w->from = malloc(rows * sizeof *w->from);
    w->rng = malloc(rows * sizeof *w->rng);
    w->candidates = calloc(vocab, sizeof *w->candidates);
    if (!w->row || !w->next || !w->from || !w->rng || !w->candidates)
        return ag_error_set(error, AG_NO_MEMORY, "out of memory: no room to generate %zu %s", rows,
                            ag_plural((int64_t)rows, "row", "rows"));
    const uint64_t seed = ag_seed_for(g->options.seed, AG_FOR_SAMPLING);
    for (size_t i = 0; i < rows; i++) {
        w->row[i] = (int32_t)i;
        w->rng[i] = ag_rng_make(seed, g->options.streams ? g->options.streams[i] : i);
        g->result->hypotheses[i] = (nn_hypothesis){.tokens = generation_tokens(g, (int64_t)i, 0)};
    }
    return AG_OK;
}

static void clear_walk(walk *w)
{
    free(w->row);
    free(w->next);
    free(w->from);
    free(w->rng);
    free(w->candidates);
}

/* The next token of one row, from the logits behind its last one. *done where the row has ended with it. */
static ag_status extend(const generation *g, walk *w, int64_t row, const ag_real *logits, int32_t *token, bool *done,
                        ag_error *error)
{
    nn_hypothesis *hypothesis = &g->result->hypotheses[row];
    double log_sum;
    ag_status status = generation_normalise(g, logits, row, &log_sum, error);
    if (status != AG_OK)
        return status;
    *token = g->options.sample ? draw(g, logits, w->candidates, &w->rng[row]) : generation_most_probable(g, logits);
    hypothesis->log_probability += (double)logits[*token] - log_sum;
    hypothesis->finished = *token == g->options.eos;
    if (!hypothesis->finished)
        hypothesis->tokens[hypothesis->length++] = *token;
    const int64_t length = hypothesis->length + hypothesis->finished;
    hypothesis->score = generation_score(g, hypothesis->log_probability, length);
    *done = hypothesis->finished || length == generation_limit(g, row);
    return AG_OK;
}

/* The next token of every sequence; those that have ended leave. Returns how many go on, or -1. */
static int64_t step(const generation *g, walk *w, int64_t sequences, const ag_real *logits, int64_t stride,
                    ag_error *error)
{
    int64_t left = 0;
    for (int64_t i = 0; i < sequences; i++) {
        const int32_t row = w->row[i];
        int32_t token;
        bool done = false;
        if (g->cache.length < generation_prompt_length(g, row))
            token = generation_prompt(g, row, g->cache.length);
        else if (extend(g, w, row, logits + i * stride, &token, &done, error) != AG_OK)
            return -1;
        if (done)
            continue;
        w->row[left] = row;
        w->next[left] = token;
        w->from[left++] = (int32_t)i;
    }
    return left;
}

ag_status generation_walk(generation *g, ag_error *error)
{
    ag_error own = {0};
    walk w = {0};
    const int64_t vocab = g->model->config.target_vocab;
    int64_t count = g->common;
    const ag_real *logits = NULL;

    if (init_walk(&w, g, &own) == AG_OK)
        logits = generation_begin(g, 1, &own);
    while (logits) {
        int64_t left = step(g, &w, g->cache.rows, logits, count * vocab, &own);
        if (left <= 0 || (left < g->cache.rows && nn_cache_reorder(&g->cache, w.from, left, &own) != AG_OK))
            break;
        count = 1;
        logits = generation_feed(g, w.next, count, &own);
    }
    clear_walk(&w);
    return own.status == AG_OK ? AG_OK : ag_error_set(error, own.status, "%s", own.message);
}
