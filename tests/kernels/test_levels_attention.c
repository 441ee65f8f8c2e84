/* test_levels_attention.c - attention of one head, forward and backward, and sums of values: every level against level
 * plain, at sizes around those of tiles, with every form of mask, bias, dropout and wanted gradients. */
#include "level_util.h"

#include <math.h>
#include <string.h>

/* A query sees all keys; those up to its own place; an interval that may be empty; one
 * with holes. */
typedef enum mask_form { ALL, CAUSAL, INTERVALS, HOLES, MASK_FORMS } mask_form;
/* None; a row for each query; a number for each query. */
typedef enum bias_form { NO_BIAS, BIAS_ROWS, BIAS_NUMBERS, BIAS_FORMS } bias_form;

typedef struct head_case {
    int64_t queries, keys, key_width, value_width;
    mask_form mask;
    bias_form bias;
    bool drops, wants_q, wants_k, wants_v, wants_bias, gradients_are_new;
} head_case;

/* q, k, v, y and what belongs to them, of one level. */
typedef struct head_result {
    ag_real *y, *dq, *dk, *dv, *dbias;
    attention_statistics *statistics;
} head_result;

/* Rows are some numbers apart, as those of a head among several are. */
enum { GAP = 3 };

typedef struct head_inputs {
    ag_real *q, *k, *v, *dy, *bias;
    attention_keys *seen; /* [queries] */
    unsigned char *allow; /* [queries, keys] */
} head_inputs;

static int64_t rows_size(int64_t rows, int64_t width)
{
    return rows * (width + GAP);
}

static attention_keys keys_of(const head_case *c, ag_rng *rng, int64_t query, unsigned char *allow)
{
    attention_keys seen = {0, c->keys, NULL};
    if (c->mask == CAUSAL)
        seen.end = query + 1 < c->keys ? query + 1 : c->keys;
    if (c->mask == INTERVALS || c->mask == HOLES) {
        seen.begin = (int64_t)ag_rng_below(rng, (uint64_t)c->keys);
        seen.end = seen.begin + (int64_t)ag_rng_below(rng, (uint64_t)(c->keys - seen.begin) + 1);
    }
    if (c->mask == HOLES) {
        for (int64_t j = 0; j < c->keys; j++)
            allow[j] = j >= seen.begin && j < seen.end && ag_rng_below(rng, 3);
        seen.allow = allow;
    }
    return seen.begin < seen.end ? seen : (attention_keys){0};
}

static head_inputs inputs_new(const head_case *c, uint64_t seed)
{
    ag_rng rng = ag_rng_make(seed, 1);
    head_inputs in = {
        .q = level_numbers(rows_size(c->queries, c->key_width), seed, -1, 1),
        .k = level_numbers(rows_size(c->keys, c->key_width), seed + 1, -1, 1),
        .v = level_numbers(rows_size(c->keys, c->value_width), seed + 2, -1, 1),
        .dy = level_numbers(rows_size(c->queries, c->value_width), seed + 3, -1, 1),
        .bias = level_numbers(c->queries * c->keys, seed + 4, -1, 1),
        .seen = malloc((size_t)c->queries * sizeof *in.seen),
        .allow = malloc((size_t)(c->queries * c->keys)),
    };
    ck_assert(in.seen && in.allow);
    for (int64_t i = 0; i < c->queries; i++)
        in.seen[i] = keys_of(c, &rng, i, in.allow + i * c->keys);
    /* A query whose gradient is 0, and one whose scores are -inf. */
    for (int64_t e = 0; c->queries > 4 && e < c->value_width; e++)
        in.dy[4 * (c->value_width + GAP) + e] = 0;
    for (int64_t j = 0; c->queries > 2 && c->bias == BIAS_ROWS && j < c->keys; j++)
        in.bias[2 * c->keys + j] = -(ag_real)INFINITY;
    return in;
}

static void inputs_free(head_inputs *in)
{
    free(in->q);
    free(in->k);
    free(in->v);
    free(in->dy);
    free(in->bias);
    free(in->seen);
    free(in->allow);
}

static attention_rows rows_of(int64_t width, ag_real *data, ag_real *gradient, bool is_new)
{
    return (attention_rows){.width = width, .step = width + GAP, .data = data, .gradient = gradient, .is_new = is_new};
}

static void run_blocks(const kernel_attention *kernel, const head_case *c, const head_inputs *in,
                       const attention_head *head, ag_real *dbias)
{
    const ag_real *bias[ATTENTION_QUERIES];
    const bool is_backward = head->y.gradient != NULL;
    ag_real *scratch = level_numbers(kernel->scratch_size(head, is_backward), 0, NAN, NAN);
    kernel->begin(head, is_backward, scratch);
    for (int64_t first = 0; first < c->queries; first += ATTENTION_QUERIES) {
        const int64_t left = c->queries - first, count = left < ATTENTION_QUERIES ? left : ATTENTION_QUERIES;
        for (int64_t r = 0; r < count; r++)
            bias[r] = in->bias + (first + r) * c->keys;
        const attention_block block = {.first = first,
                                       .count = count,
                                       .keys = in->seen + first,
                                       .bias = c->bias == NO_BIAS ? NULL : bias,
                                       .bias_step = c->bias == BIAS_ROWS,
                                       .dbias = is_backward && c->wants_bias ? dbias + first * c->keys : NULL};
        (is_backward ? kernel->backward : kernel->forward)(head, &block, scratch);
    }
    free(scratch);
}

/* `forward` is whose results the backward reads. */
static head_result result_of(const kernel_table *level, const head_case *c, const head_inputs *in,
                             const head_result *forward)
{
    const kernel_dropout dropout = kernel_dropout_make(5, 6, 7, 0.25);
    const double spoil = c->gradients_are_new ? NAN : 0.5;
    head_result r = {
        .y = level_numbers(rows_size(c->queries, c->value_width), 0, NAN, NAN),
        .dq = level_numbers(rows_size(c->queries, c->key_width), 0, spoil, spoil),
        .dk = level_numbers(rows_size(c->keys, c->key_width), 0, spoil, spoil),
        .dv = level_numbers(rows_size(c->keys, c->value_width), 0, spoil, spoil),
        .dbias = level_numbers(c->queries * c->keys, 0, 0, 0),
        .statistics = calloc((size_t)c->queries, sizeof *r.statistics),
    };
    attention_head head = {.queries = c->queries,
                           .keys = c->keys,
                           .scale = (ag_real)0.7,
                           .q = rows_of(c->key_width, in->q, NULL, false),
                           .k = rows_of(c->key_width, in->k, NULL, false),
                           .v = rows_of(c->value_width, in->v, NULL, false),
                           .y = rows_of(c->value_width, r.y, NULL, false),
                           .statistics = r.statistics,
                           .dropout = c->drops ? &dropout : NULL,
                           .first_weight = 12345};
    run_blocks(level->attention, c, in, &head, NULL);
    head.q = rows_of(c->key_width, in->q, c->wants_q ? r.dq : NULL, c->gradients_are_new);
    head.k = rows_of(c->key_width, in->k, c->wants_k ? r.dk : NULL, c->gradients_are_new);
    head.v = rows_of(c->value_width, in->v, c->wants_v ? r.dv : NULL, c->gradients_are_new);
    head.y = rows_of(c->value_width, forward ? forward->y : r.y, in->dy, false);
    head.statistics = forward ? forward->statistics : r.statistics;
    run_blocks(level->attention, c, in, &head, r.dbias);
    return r;
}

static void result_free(head_result *r)
{
    free(r->y);
    free(r->dq);
    free(r->dk);
    free(r->dv);
    free(r->dbias);
    free(r->statistics);
}

/* Rows alone: what lies between them must stay as it is, NaN or 0.5. */
static void check_case(int level, const head_case *c, uint64_t seed)
{
    head_inputs in = inputs_new(c, seed);
    head_result plain = result_of(level_plain(), c, &in, NULL), own = result_of(level_at(level), c, &in, &plain);
    const double size = 4 + 0.5 * sqrt((double)(c->queries + c->keys));
    level_compare("y", rows_size(c->queries, c->value_width), own.y, plain.y, 16, 2);
    level_compare("dq", rows_size(c->queries, c->key_width), own.dq, plain.dq, 16, size);
    level_compare("dk", rows_size(c->keys, c->key_width), own.dk, plain.dk, 16, size);
    level_compare("dv", rows_size(c->keys, c->value_width), own.dv, plain.dv, 16, size);
    level_compare("dbias", c->queries * c->keys, own.dbias, plain.dbias, 16, size);
    for (int64_t i = 0; i < c->queries; i++) {
        level_compare("max", 1, &own.statistics[i].max, &plain.statistics[i].max, 16, 2);
        level_compare("1 / sum", 1, &own.statistics[i].inverse_sum, &plain.statistics[i].inverse_sum, 32, 0);
    }
    result_free(&plain);
    result_free(&own);
    inputs_free(&in);
}

START_TEST(heads)
{
    static const int64_t queries[] = {1, 2, 5, 12, 13, 95, 96, 97, 200}, keys[] = {1, 2, 7, 31, 64, 127, 128, 129, 300};
    static const int64_t key_widths[] = {1, 3, 8, 16, 17, 33, 64, 80}, value_widths[] = {1, 2, 7, 16, 31, 32, 48, 65};
    ag_rng rng = ag_rng_make(1, (uint64_t)_i);
    for (int q = 0; q < 9; q++)
        for (int k = 0; k < 9; k++)
            for (int draw = 0; draw < 4; draw++) {
                const uint64_t seed = ag_rng_u32(&rng);
                const head_case c = {.queries = queries[q],
                                     .keys = keys[k],
                                     .key_width = key_widths[seed % 8],
                                     .value_width = value_widths[seed / 8 % 8],
                                     .mask = (mask_form)draw,
                                     .bias = (bias_form)(seed / 64 % BIAS_FORMS),
                                     .drops = seed >> 10 & 1,
                                     .wants_q = seed >> 11 & 3,
                                     .wants_k = seed >> 13 & 3,
                                     .wants_v = seed >> 15 & 3,
                                     .wants_bias = seed >> 17 & 1,
                                     .gradients_are_new = seed >> 18 & 1};
                check_case(_i, &c, seed);
            }
}
END_TEST

/* ---- One query's sum --------------------------------------------------------------- */

START_TEST(sums_of_values)
{
    for (int64_t keys = 1; keys < 70; keys += keys < 10 ? 1 : 13)
        for (int64_t width = 1; width < 70; width += width < 10 ? 1 : 13)
            for (int form = 0; form < 8; form++) {
                ag_real *weights = level_numbers(keys, 1, 0, 1), *v = level_numbers(rows_size(keys, width), 2, -1, 1);
                ag_real *dy = level_numbers(width, 3, -1, 1), *y[2], *dweights[2], *dv[2];
                unsigned char *allow = malloc((size_t)keys);
                ck_assert_ptr_nonnull(allow);
                for (int64_t j = 0; j < keys; j++)
                    allow[j] = j % 3 > 0;
                const attention_keys seen = {keys / 4, keys - keys / 5, form & 1 ? allow : NULL};
                for (int k = 0; k < 2; k++) {
                    const kernel_attention *kernel = (k ? level_plain() : level_at(_i))->attention;
                    y[k] = level_numbers(width, 0, NAN, NAN);
                    dweights[k] = level_numbers(keys, 4, -1, 1);
                    dv[k] = level_numbers(rows_size(keys, width), 5, -1, 1);
                    const attention_rows values = rows_of(width, v, form & 2 ? dv[k] : NULL, false);
                    kernel->sum(seen, weights, &values, y[k]);
                    kernel->sum_backward(seen, weights, &values, dy, form & 4 ? dweights[k] : NULL);
                }
                level_compare("y", width, y[0], y[1], 8, 6);
                level_compare("dweights", keys, dweights[0], dweights[1], 8, 6);
                level_compare("dv", rows_size(keys, width), dv[0], dv[1], 3, 2);
                for (int k = 0; k < 2; k++) {
                    free(y[k]);
                    free(dweights[k]);
                    free(dv[k]);
                }
                free(weights);
                free(v);
                free(dy);
                free(allow);
            }
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("levels/attention");
    level_add_loop(suite, "heads", heads);
    level_add_loop(suite, "sums", sums_of_values);
    return suite;
}

TEST_MAIN(make_suite)
