/* sample.c - generation token by token: the most probable token each time (greedy), or a
 * token drawn from the distribution (sampling). */
#include "generation.h"
#include "scalar.h"

#include <math.h>
#include <stdlib.h>

/* ---- Choosing a token -------------------------------------------------------------- */

typedef struct weighted_token {
    double logit, weight; /* weight: e^((logit - highest) / temperature), in proportion to
                           * the probability */
    int32_t token;
} weighted_token;

/* More probable first; of equals the lower token. */
static int compare_weighted_tokens(const void *left, const void *right)
{
    const weighted_token *a = left, *b = right;
    if (a->logit != b->logit)
        return a->logit > b->logit ? -1 : 1;
    return (a->token > b->token) - (a->token < b->token);
}

/* The size of the nucleus: how many of the sorted candidates together have `share` of the
 * weight. */
static int32_t cut_nucleus(const weighted_token *candidates, int32_t count, double share)
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

/* Draws one of the tokens that may be chosen, with one uniform number: temperature first,
 * then top_k, then top_p of what top_k leaves. `candidates` [vocab] is scratch. */
static int32_t draw_token(const generation *g, const ag_real *logits, weighted_token *candidates, ag_rng *rng)
{
    const nn_generation_options *options = &g->options;
    const double most = (double)logits[generation_most_probable(g, logits)];
    const bool nucleus = options->top_p > 0 && options->top_p < 1;
    int32_t count = 0, chosen = 0;
    double total = 0, sum = 0;

    for (int32_t token = 0; token < g->vocab; token++) {
        const double logit = (double)logits[token];
        if (generation_allows(g, token))
            candidates[count++] = (weighted_token){logit, scalar_exp((logit - most) / options->sampling_temperature), token};
    }
    if (options->top_k > 0 || nucleus)
        qsort(candidates, (size_t)count, sizeof *candidates, compare_weighted_tokens);
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

/* ---- Steps ------------------------------------------------------------------------- */

typedef struct sampler {
    int32_t *row;               /* [rows]: the row of the input that sequence i
                                 * continues */
    int32_t *next, *from;       /* [rows]: sequence i's next token, and its index one step
                                 * before */
    ag_rng *rng;                /* [rows of the input] */
    weighted_token *candidates; /* [vocab] */
} sampler;

static ag_status init_sampler(sampler *s, const generation *g, ag_error *error)
{
    const size_t rows = (size_t)g->input->rows, vocab = (size_t)g->vocab;
    s->row = calloc(rows, sizeof *s->row);
    s->next = malloc(rows * sizeof *s->next);
    s->from = malloc(rows * sizeof *s->from);
    s->rng = malloc(rows * sizeof *s->rng);
    s->candidates = calloc(vocab, sizeof *s->candidates);
    if (!s->row || !s->next || !s->from || !s->rng || !s->candidates)
        return ag_error_set(error, AG_NO_MEMORY, "out of memory: no room to generate %zu %s", rows,
                            ag_plural((int64_t)rows, "row", "rows"));
    const uint64_t seed = ag_seed_for(g->options.seed, AG_FOR_SAMPLING);
    for (size_t i = 0; i < rows; i++) {
        s->row[i] = (int32_t)i;
        s->rng[i] = ag_rng_make(seed, g->options.streams ? g->options.streams[i] : i);
        g->result->hypotheses[i] = (nn_hypothesis){.tokens = generation_tokens(g, (int64_t)i, 0)};
    }
    return AG_OK;
}

static void clear_sampler(sampler *s)
{
    free(s->row);
    free(s->next);
    free(s->from);
    free(s->rng);
    free(s->candidates);
}

/* Appends the next token to the row of a sequence; sets *done if it ends the row. */
static ag_status extend_row(const generation *g, sampler *s, int64_t sequence, int32_t *token, bool *done,
                            ag_error *error)
{
    const int64_t row = s->row[sequence];
    nn_hypothesis *hypothesis = &g->result->hypotheses[row];
    const ag_real *logits;
    double log_sum;
    ag_status status = generation_logits(g, sequence, row, &logits, &log_sum, error);
    if (status != AG_OK)
        return status;
    *token =
        g->options.sample ? draw_token(g, logits, s->candidates, &s->rng[row]) : generation_most_probable(g, logits);
    hypothesis->log_probability += (double)logits[*token] - log_sum;
    hypothesis->finished = *token == g->eos;
    if (!hypothesis->finished)
        hypothesis->tokens[hypothesis->length++] = *token;
    const int64_t length = hypothesis->length + hypothesis->finished;
    hypothesis->score = generation_score(g, hypothesis->log_probability, length);
    *done = hypothesis->finished || length == generation_limit(g, row);
    return AG_OK;
}

/* Chooses every sequence's next token and drops the sequences that have ended; sets *left
 * to the number of those that remain. */
static ag_status sample_tokens(const generation *g, sampler *s, int64_t *left, ag_error *error)
{
    *left = 0;
    for (int64_t i = 0; i < generation_sequences(g); i++) {
        const int32_t row = s->row[i];
        int32_t token;
        bool done = false;
        ag_status status = AG_OK;
        if (generation_fed(g) < generation_prompt_length(g, row))
            token = generation_prompt(g, row, generation_fed(g));
        else
            status = extend_row(g, s, i, &token, &done, error);
        if (status != AG_OK)
            return status;
        if (done)
            continue;
        s->row[*left] = row;
        s->next[*left] = token;
        s->from[(*left)++] = (int32_t)i;
    }
    return AG_OK;
}

ag_status generation_sample(generation *g, ag_error *error)
{
    sampler s = {0};
    ag_status status = init_sampler(&s, g, error);
    if (status == AG_OK)
        status = generation_begin(g, error);
    for (int64_t left = 0; status == AG_OK;) {
        status = sample_tokens(g, &s, &left, error);
        if (left == 0)
            break;
        if (status == AG_OK && left < generation_sequences(g))
            status = generation_reorder(g, s.from, left, error);
        if (status == AG_OK)
            status = generation_feed(g, s.next, 1, error);
    }
    clear_sampler(&s);
    return status;
}
