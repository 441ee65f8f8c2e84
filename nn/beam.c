/* beam.c - beam search: the best hypotheses of each row, side by side.
 *
 * A row has up to `beam` live hypotheses. A step extends each of them by every token and
 * goes through the 2 beam best extensions in order: one that ends the sequence enters the
 * row's list of results if it is among the first `beam`, and the best `beam` of the
 * others live on. The list keeps the `best` results, so none of those to be returned is
 * ever dropped. A row is done when no live hypothesis can still enter its list. Ties go
 * to the hypothesis that was better before, then to the lower token: the result depends
 * on the logits alone.
 *
 * A hypothesis is a chain of steps that point to the ones before them; its tokens are
 * read off at the end.
 */
#include "generation.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* An extension of live hypothesis `parent` by a token. */
typedef struct extension {
    double log_probability;
    int32_t parent, token;
} extension;

/* A result: the chain of steps that ends in slot `slot` of step `length` - 1. */
typedef struct ended {
    double log_probability, score;
    int64_t length; /* without the end mark */
    int32_t slot;
    bool finished;
} ended;

typedef struct search_row {
    int32_t live;   /* live hypotheses, in slots 0 .. live - 1, best first */
    int32_t found;  /* results in the list */
    int64_t length; /* tokens that each live hypothesis has generated */
} search_row;

typedef struct beam_search {
    generation *g;
    int beam;
    int sequences;           /* of a row in the cache: 1 before the first step, then beam */
    int32_t *active;         /* [rows]: the rows that are not done; group i of the cache
                              * belongs to row active[i] */
    search_row *rows;        /* [rows of the input] */
    double *live;            /* [rows, beam]: log-probabilities */
    ended *list;             /* [rows, best], best first */
    int32_t *parent, *token; /* [rows, longest, beam]: the steps */
    int32_t *next, *from;    /* [rows, beam]: each sequence's next token, and its index
                              * one step before */
    extension *extensions;   /* [2 beam], best first */
} beam_search;

static ag_status init_beam(beam_search *s, ag_error *error)
{
    const generation *g = s->g;
    const size_t rows = (size_t)g->input->rows, beam = (size_t)s->beam, best = (size_t)g->options.best;
    const int64_t steps = ag_shape_size(AG_SHAPE(g->input->rows, g->longest, s->beam, (int64_t)sizeof(int32_t)));
    if (g->input->rows > INT32_MAX / s->beam || steps < 0)
        return ag_error_set(error, AG_BAD_VALUE, "a beam of %d for %lld %s does not fit into memory", s->beam,
                            (long long)g->input->rows, ag_plural(g->input->rows, "row", "rows"));
    s->active = calloc(rows, sizeof *s->active);
    s->rows = calloc(rows, sizeof *s->rows);
    s->live = calloc(rows * beam, sizeof *s->live);
    s->list = calloc(rows * best, sizeof *s->list);
    s->parent = malloc((size_t)steps);
    s->token = malloc((size_t)steps);
    s->next = malloc(rows * beam * sizeof *s->next);
    s->from = malloc(rows * beam * sizeof *s->from);
    s->extensions = calloc(2 * beam, sizeof *s->extensions);
    if (!s->active || !s->rows || !s->live || !s->list || !s->parent || !s->token || !s->next || !s->from ||
        !s->extensions)
        return ag_error_set(error, AG_NO_MEMORY, "out of memory: no room for a beam of %d for %zu %s", s->beam, rows,
                            ag_plural((int64_t)rows, "row", "rows"));
    for (size_t row = 0; row < rows; row++) {
        s->active[row] = (int32_t)row;
        s->rows[row] = (search_row){.live = 1};
        s->live[row * beam] = 0;
    }
    return AG_OK;
}

static void clear_beam(beam_search *s)
{
    free(s->active);
    free(s->rows);
    free(s->live);
    free(s->list);
    free(s->parent);
    free(s->token);
    free(s->next);
    free(s->from);
    free(s->extensions);
}

/* ---- One step of one row ----------------------------------------------------------- */

/* Inserts an extension into the sorted list of the best `most`, after its equals. Returns
 * the list's new length. */
static int insert_extension(extension *list, int count, int most, extension new)
{
    int place = count < most ? count : most - 1;
    for (; place > 0 && list[place - 1].log_probability < new.log_probability; place--)
        list[place] = list[place - 1];
    list[place] = new;
    return count < most ? count + 1 : most;
}

/* Finds the best extensions of the row's live hypotheses, which begin at sequence `first`
 * of the cache, and sets *count to their number. */
static ag_status find_extensions(beam_search *s, int32_t row, int64_t first, int *count, ag_error *error)
{
    const int32_t vocab = s->g->vocab;
    const int most = 2 * s->beam;
    *count = 0;
    for (int32_t slot = 0; slot < s->rows[row].live; slot++) {
        const double before = s->live[(int64_t)row * s->beam + slot];
        const ag_real *own;
        double log_sum;
        ag_status status = generation_logits(s->g, first + slot, row, &own, &log_sum, error);
        if (status != AG_OK)
            return status;
        for (int32_t token = 0; token < vocab; token++) {
            const double log_probability = before + ((double)own[token] - log_sum);
            const double bar = *count < most ? -INFINITY : s->extensions[most - 1].log_probability;
            if (log_probability > bar && generation_allows(s->g, token))
                *count = insert_extension(s->extensions, *count, most, (extension){log_probability, slot, token});
        }
    }
    return AG_OK;
}

/* Inserts a result into the row's list, unless the list is full of better ones. */
static void enter_list(beam_search *s, int32_t row, ended new)
{
    const int best = s->g->options.best;
    ended *list = s->list + (int64_t)row * best;
    int32_t *found = &s->rows[row].found;
    new.score = generation_score(s->g, new.log_probability, new.length + new.finished);
    if (*found == best && !(new.score > list[best - 1].score))
        return;
    int place = *found < best ? (*found)++ : best - 1;
    for (; place > 0 && list[place - 1].score < new.score; place--)
        list[place] = list[place - 1];
    list[place] = new;
}

/* Sends the extensions, best first, to the list of results or to the next step's
 * slots. */
static void divide_extensions(beam_search *s, int32_t row, int count)
{
    search_row *r = &s->rows[row];
    const int64_t at = ((int64_t)row * s->g->longest + r->length) * s->beam;
    int32_t live = 0;
    for (int rank = 0; rank < count && live < s->beam; rank++) {
        const extension c = s->extensions[rank];
        if (c.token == s->g->eos) {
            if (rank < s->beam)
                enter_list(s, row, (ended){c.log_probability, .length = r->length, .slot = c.parent, .finished = true});
            continue;
        }
        s->parent[at + live] = c.parent;
        s->token[at + live] = c.token;
        s->live[(int64_t)row * s->beam + live++] = c.log_probability;
    }
    r->live = live;
    r->length++;
}

/* Whether the row's list is final. A hypothesis's log-probability only sinks and the
 * penalty's divisor grows with the length, so no continuation scores better than today's
 * log-probability at the greatest length. */
static bool is_done(beam_search *s, int32_t row)
{
    const search_row *r = &s->rows[row];
    const int best = s->g->options.best;
    const int64_t limit = generation_limit(s->g, row);
    const double *live = s->live + (int64_t)row * s->beam;
    if (r->live == 0)
        return true;
    if (r->length == limit) {
        for (int32_t slot = 0; slot < r->live; slot++)
            enter_list(s, row, (ended){.log_probability = live[slot], .length = r->length, .slot = slot});
        return true;
    }
    return r->found == best && generation_score(s->g, live[0], limit) <= s->list[(int64_t)row * best + best - 1].score;
}

/* ---- One step of all rows ---------------------------------------------------------- */

/* Sets where each sequence of row `row` comes from and its next token; the row is group
 * `at` of this step and `to` of the next. Slots without a hypothesis are fed too, and
 * their logits ignored. */
static void link_sequences(beam_search *s, int32_t row, int64_t at, int64_t to, bool prompting)
{
    const search_row *r = &s->rows[row];
    const int64_t last = ((int64_t)row * s->g->longest + r->length - 1) * s->beam;
    for (int32_t slot = 0; slot < s->beam; slot++) {
        const bool stays = prompting || slot >= r->live;
        s->from[to * s->beam + slot] = (int32_t)(at * s->beam) + (stays ? slot : s->parent[last + slot]);
        s->next[to * s->beam + slot] = prompting        ? generation_prompt(s->g, row, generation_fed(s->g))
                                       : slot < r->live ? s->token[last + slot]
                                                        : 0;
    }
}

/* Extends every row that is not done; sets *left to the number of those that are left. */
static ag_status extend_rows(beam_search *s, int64_t *left, ag_error *error)
{
    const int64_t groups = generation_sequences(s->g) / s->sequences;
    *left = 0;
    for (int64_t i = 0; i < groups; i++) {
        const int32_t row = s->active[i];
        const bool prompting = generation_fed(s->g) < generation_prompt_length(s->g, row);
        if (!prompting) {
            int count;
            ag_status status = find_extensions(s, row, i * s->sequences, &count, error);
            if (status != AG_OK)
                return status;
            divide_extensions(s, row, count);
            if (is_done(s, row))
                continue;
        }
        link_sequences(s, row, i, *left, prompting);
        s->active[(*left)++] = row;
    }
    return AG_OK;
}

/* ---- The result -------------------------------------------------------------------- */

/* Reads the tokens off, from the last step to the first. */
static void write_hypothesis(const beam_search *s, int64_t row, int place)
{
    const ended *end = &s->list[row * s->g->options.best + place];
    int32_t *tokens = generation_tokens(s->g, row, place);
    int32_t slot = end->slot;
    for (int64_t t = end->length - 1; t >= 0; t--) {
        const int64_t at = (row * s->g->longest + t) * s->beam + slot;
        tokens[t] = s->token[at];
        slot = s->parent[at];
    }
    s->g->result->hypotheses[row * s->g->options.best + place] = (nn_hypothesis){
        .tokens = tokens,
        .length = end->length,
        .finished = end->finished,
        .log_probability = end->log_probability,
        .score = end->score,
    };
}

/* If a row found fewer than `best` hypotheses, the rest are empty, with log-probability
 * -infinity. */
static void write_results(const beam_search *s)
{
    const int best = s->g->options.best;
    for (int64_t row = 0; row < s->g->input->rows; row++)
        for (int place = 0; place < best; place++)
            if (place < s->rows[row].found)
                write_hypothesis(s, row, place);
            else
                s->g->result->hypotheses[row * best + place] = (nn_hypothesis){
                    .tokens = generation_tokens(s->g, row, place), .log_probability = -INFINITY, .score = -INFINITY};
}

/* Brings the caches into the order of the next step, for `left` rows. Before the first
 * step all hypotheses of a row are one: it is fed once. */
static ag_status reorder_caches(beam_search *s, int64_t left, ag_error *error)
{
    ag_status status = s->sequences < s->beam ? generation_expand(s->g, s->beam, error) : AG_OK;
    s->sequences = s->beam;
    return status == AG_OK ? generation_reorder(s->g, s->from, left * s->beam, error) : status;
}

ag_status generation_beam(generation *g, ag_error *error)
{
    beam_search s = {.g = g, .beam = g->options.beam, .sequences = 1};
    ag_status status = init_beam(&s, error);
    if (status == AG_OK)
        status = generation_begin(g, error);
    for (int64_t left = 0; status == AG_OK;) {
        status = extend_rows(&s, &left, error);
        if (left == 0)
            break;
        if (status == AG_OK)
            status = reorder_caches(&s, left, error);
        if (status == AG_OK)
            status = generation_feed(g, s.next, 1, error);
    }
    if (status == AG_OK)
        write_results(&s);
    clear_beam(&s);
    return status;
}
