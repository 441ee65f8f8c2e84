/* compare.c - whether one model is better than another, or their difference is chance. */
#include "decode.h"

#include <math.h>
#include <stdlib.h>

enum {
    RESAMPLES = TRAIN_RESAMPLES,
    OUTSIDE = RESAMPLES / 40, /* of the resamples, at either end of the interval: 2.5 % */
    FEWEST = 6 /* units that differ: of five, all favour one model by chance with a
                * probability of 2^(1 - 5) = 0.06, which no interval of theirs shows */
};
#define SIGNIFICANT 0.05

/* ---- Outcomes ---------------------------------------------------------------------- */

ag_status train_outcomes_reserve(train_outcomes *outcomes, int64_t count, ag_error *error)
{
    train_outcomes_clear(outcomes);
    outcomes->items = malloc((size_t)(count + 1) * sizeof *outcomes->items);
    if (outcomes->items)
        return AG_OK;
    return ag_error_set(error, AG_NO_MEMORY, "no memory for %lld %s of an evaluation", (long long)count,
                        ag_plural(count, "outcome", "outcomes"));
}

void train_outcomes_clear(train_outcomes *outcomes)
{
    free(outcomes->items);
    *outcomes = (train_outcomes){0};
}

/* ---- McNemar's test ---------------------------------------------------------------- */

/* The terms C(n, i) / 2^n for i = k, k - 1, .. fall by the factors i / (n - i + 1). The
 * first is made with its exponent apart, as 2^-n alone may be too small for a double. */
double train_mcnemar(int64_t only_a, int64_t only_b)
{
    const int64_t n = only_a + only_b, k = only_a < only_b ? only_a : only_b;
    if (only_a == only_b)
        return 1;
    double first = 1, term = 1, sum = 0;
    int64_t exponent = -n;
    for (int64_t i = 1; i <= k; i++) {
        int shift;
        first = frexp(first * ((double)(n - k + i) / (double)i), &shift);
        exponent += shift;
    }
    for (int64_t i = k; i >= 0 && sum + term > sum; i--) {
        sum += term;
        term *= (double)i / (double)(n - i + 1);
    }
    const double p = ldexp(2 * first * sum, exponent < INT32_MIN / 2 ? INT32_MIN / 2 : (int)exponent);
    return p < 1 ? p : 1;
}

/* ---- The bootstrap ----------------------------------------------------------------- */

/* Sums over units: of both models' wrong outputs, amounts and sizes. */
typedef struct unit_sums {
    double wrong[2], amount[2], size[2];
} unit_sums;

/* Adds the unit i that both models were measured on. */
static void add_unit(unit_sums *sums, const train_outcomes *const models[2], int64_t i)
{
    for (int m = 0; m < 2; m++) {
        const train_outcome *unit = &models[m]->items[i];
        sums->wrong[m] += unit->amount > 0;
        sums->amount[m] += unit->amount;
        sums->size[m] += unit->size;
    }
}

static double rate_of(const unit_sums *sums, int m)
{
    return sums->size[m] > 0 ? sums->amount[m] / sums->size[m] : 0;
}

/* The sums over `count` units that are drawn with replacement. The four numbers of
 * Philox's block i choose units 4 i to 4 i + 3, each by the upper part of its product
 * with count (Lemire 2019, section 3; no unit's probability is off by more than count /
 * 2^32 of itself). */
static unit_sums draw_units(const train_outcomes *const models[2], uint64_t seed, uint32_t resample)
{
    const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    const int64_t count = models[0]->count;
    unit_sums sums = {{0}, {0}, {0}};
    uint32_t numbers[4] = {0};
    for (int64_t i = 0; i < count; i++) {
        if (i % 4 == 0)
            ag_philox((uint32_t[]){(uint32_t)(i / 4), (uint32_t)(i / 4 >> 32), resample, 0}, key, numbers);
        add_unit(&sums, models, (int64_t)((uint64_t)numbers[i % 4] * (uint64_t)count >> 32));
    }
    return sums;
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The interval of the differences [RESAMPLES], which it sorts. */
static void set_interval(train_difference *difference, double *differences)
{
    qsort(differences, RESAMPLES, sizeof *differences, by_value);
    difference->low = differences[OUTSIDE - 1];
    difference->high = differences[RESAMPLES - OUTSIDE];
}

static ag_status bootstrap(const train_outcomes *const models[2], uint64_t seed, train_comparison *comparison,
                           ag_error *error)
{
    double *words = malloc(2 * RESAMPLES * sizeof *words), *tokens = words + RESAMPLES;
    if (!words)
        return ag_error_set(error, AG_NO_MEMORY, "no memory for %d resamples", (int)RESAMPLES);
    const uint64_t own = ag_seed_for(seed, AG_FOR_RESAMPLES);
    for (uint32_t r = 0; r < RESAMPLES; r++) {
        const unit_sums sums = draw_units(models, own, r);
        words[r] = (sums.wrong[1] - sums.wrong[0]) / (double)models[0]->count;
        tokens[r] = rate_of(&sums, 1) - rate_of(&sums, 0);
    }
    set_interval(&comparison->words, words);
    set_interval(&comparison->tokens, tokens);
    free(words);
    return AG_OK;
}

/* ---- The comparison ---------------------------------------------------------------- */

static ag_status check_units(const train_outcomes *a, const train_outcomes *b, ag_error *error)
{
    if (a->decoded != b->decoded)
        return ag_error_set(error, AG_BAD_VALUE, "one evaluation is of outputs and the other of a text");
    if (a->count < 1 || a->count > UINT32_MAX || a->count != b->count)
        return ag_error_set(error, AG_BAD_VALUE, "the evaluations are of %lld and %lld %s: both must be of the same%s",
                            (long long)a->count, (long long)b->count, a->decoded ? "sources" : "windows of the text",
                            a->decoded ? "" : " (models whose longest sequences differ read other windows)");
    bool same = a->kind == b->kind && a->unknown == b->unknown;
    for (int64_t i = 0; i < a->count; i++)
        same = same && a->items[i].size == b->items[i].size;
    if (!a->decoded && !same)
        return ag_error_set(error, AG_BAD_VALUE,
                            "the models split the text into other tokens, so their losses per token say nothing of "
                            "each other");
    return AG_OK;
}

ag_status train_compare(const train_outcomes *a, const train_outcomes *b, uint64_t seed, train_comparison *comparison,
                        ag_error *error)
{
    const train_outcomes *const models[2] = {a, b};
    unit_sums all = {{0}, {0}, {0}};
    int64_t differ = 0;
    *comparison = (train_comparison){0};
    ag_status status = check_units(a, b, error);
    if (status == AG_OK)
        status = bootstrap(models, seed, comparison, error);
    if (status != AG_OK)
        return status;
    for (int64_t i = 0; i < a->count; i++) {
        add_unit(&all, models, i);
        comparison->only_a += a->items[i].amount == 0 && b->items[i].amount > 0;
        comparison->only_b += b->items[i].amount == 0 && a->items[i].amount > 0;
        differ += a->items[i].amount != b->items[i].amount || a->items[i].size != b->items[i].size;
    }
    train_difference *words = &comparison->words, *tokens = &comparison->tokens;
    comparison->count = a->count;
    comparison->decoded = a->decoded;
    comparison->same_tokens = a->kind == b->kind;
    comparison->p = train_mcnemar(comparison->only_a, comparison->only_b);
    words->a = all.wrong[0] / (double)a->count;
    words->b = all.wrong[1] / (double)a->count;
    tokens->a = rate_of(&all, 0);
    tokens->b = rate_of(&all, 1);
    words->difference = words->b - words->a;
    tokens->difference = tokens->b - tokens->a;
    if (comparison->p < SIGNIFICANT)
        words->better = comparison->only_b > comparison->only_a ? 1 : -1;
    if (differ >= FEWEST)
        tokens->better = tokens->high < 0 ? 1 : tokens->low > 0 ? -1 : 0;
    return AG_OK;
}
