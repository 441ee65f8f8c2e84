/* test_attention_gradients.c - how exact the gradients of fused attention are, beside those of its plain form, where
 * the weights come near 0 and 1 and the gradient of the scores near 0. */
#include "attention_util.h"

#include <float.h>
#include <math.h>

static result fused, plain;

#define EPSILON   PRECISION(DBL_EPSILON, FLT_EPSILON)
#define EXACT_MIN PRECISION(DBL_MIN, FLT_MIN)

/* ---- Errors ------------------------------------------------------------------------ */

/* Of a tensor, in several problems: the largest errors of both forms, relative to the tensor's
 * largest element. (A single problem may hang on one number, whose rounding is good luck in one
 * form and bad luck in the other.) */
typedef struct tensor_errors {
    exact fused, plain;
} tensor_errors;

static exact error_of(const ag_real *found, const exact *wanted, int64_t count)
{
    exact error = 0, size = 0;
    for (int64_t e = 0; e < count; e++) {
        ck_assert(isfinite(found[e]));
        size = fmaxl(size, fabsl(wanted[e]));
        error = fmaxl(error, fabsl((exact)found[e] - wanted[e]));
    }
    /* (below that all of the tensor may round to 0) */
    return size < EXACT_MIN ? 0 : error / size;
}

static void note_errors(const ag_real *by_fused, const ag_real *by_plain, const exact *wanted, int64_t count,
                        tensor_errors *worst)
{
    worst->fused = fmaxl(worst->fused, error_of(by_fused, wanted, count));
    worst->plain = fmaxl(worst->plain, error_of(by_plain, wanted, count));
}

static void compute_both(void)
{
    attention_compute(false, 2, &fused);
    attention_compute(true, 2, &plain);
}

enum { DQ, DK, DV, DBIAS, TENSORS };

static void find_errors(tensor_errors worst[TENSORS])
{
    attention_reference();
    compute_both();
    const int64_t queries = attention_pairs() * given.queries, keys = attention_pairs() * given.keys;
    note_errors(fused.dq, plain.dq, expected.dq, queries * given.key_width, &worst[DQ]);
    note_errors(fused.dk, plain.dk, expected.dk, keys * given.key_width, &worst[DK]);
    note_errors(fused.dv, plain.dv, expected.dv, keys * given.value_width, &worst[DV]);
    if (given.has_bias)
        note_errors(fused.dbias, plain.dbias, expected.dbias, ag_shape_size(given.bias_shape), &worst[DBIAS]);
}

/* Multiplies queries and keys, so that the weights are nearer to 0 and 1, and values and
 * the result's gradient. */
static void magnify(double scores, double values)
{
    for (int64_t e = 0; e < MOST; e++) {
        given.q[e] *= (ag_real)scores;
        given.k[e] *= (ag_real)scores;
        given.v[e] *= (ag_real)values;
        given.dy[e] *= (ag_real)values;
    }
}

/* With and without mask, bias and dropout. */
static void find_errors_of_kind(int kind, int64_t keys, double scores, ag_rng *rng, tensor_errors worst[TENSORS])
{
    static const int64_t lengths[] = {7, 16, 31, 64}, widths[] = {3, 8, 17, 33};
    static const int64_t offset = 0;
    const int64_t queries = lengths[ag_rng_below(rng, 4)];
    const int64_t key_width = widths[ag_rng_below(rng, 4)], value_width = widths[ag_rng_below(rng, 4)];
    const uint64_t seed = ag_rng_u32(rng);
    attention_begin(1, 2, queries, keys, key_width, value_width, seed);
    if (kind & 1)
        attention_set_mask(attention_causal, attention_causal_allows, &offset);
    if (kind & 2)
        attention_begin_bias(AG_SHAPE(queries, keys), seed + 1);
    given.dropout = kind & 2 ? 0.25 : 0;
    magnify(scores, seed % 2 ? 1 : 1000);
    find_errors(worst);
}

/* At most twice the error of the plain form, and 8 roundings of the largest element. */
START_TEST(test_errors_are_those_of_the_plain_form)
{
    static const char *const names[TENSORS] = {"dq", "dk", "dv", "dbias"};
    static const int64_t lengths[] = {1, 2, 31, 128, 129, 300};
    static const double magnitudes[] = {0.01, 1, 10, 1000};
    ag_rng rng = ag_rng_make(9, 9);
    for (int length = 0; length < 6; length++)
        for (int m = 0; m < 4; m++) {
            tensor_errors worst[TENSORS] = {{0, 0}};
            for (int kind = 0; kind < 4; kind++)
                find_errors_of_kind(kind, lengths[length], magnitudes[m], &rng, worst);
            for (int t = 0; t < TENSORS; t++)
                ck_assert_msg(
                    worst[t].fused <= 2 * worst[t].plain + 8 * (exact)EPSILON,
                    "%lld keys, inputs x %g: %s is off by %Lg of its largest element, in the plain form by %Lg",
                    (long long)lengths[length], magnitudes[m], names[t], worst[t].fused, worst[t].plain);
        }
}
END_TEST

/* ---- Exactly nothing --------------------------------------------------------------- */

/* All weights are 0 or 1: nothing moves them. */
static void expect_no_gradients_of_scores(void)
{
    compute_both();
    for (int64_t e = 0; e < MOST; e++) {
        ck_assert_msg(fused.dq[e] == 0 && fused.dk[e] == 0 && fused.dbias[e] == 0,
                      "%lld queries, %lld keys, element %lld: dq %g, dk %g, dbias %g", (long long)given.queries,
                      (long long)given.keys, (long long)e, (double)fused.dq[e], (double)fused.dk[e],
                      (double)fused.dbias[e]);
        ck_assert(plain.dq[e] == 0 && plain.dk[e] == 0 && plain.dbias[e] == 0);
    }
    if (given.dropout == 0)
        ck_assert(fused.dv[0] != 0 && plain.dv[0] != 0);
}

static bool allows_one(const void *context, int64_t b, int64_t h, int64_t i, int64_t j)
{
    (void)context;
    (void)b;
    (void)h;
    return j == i * 7 % given.keys;
}

START_TEST(test_one_key_gives_exactly_nothing)
{
    static const int64_t lengths[] = {1, 2, 40, 128, 129, 300};
    static const double magnitudes[] = {0.01, 1, 100, 1e5};
    for (int number = 0; number < 6 * 4; number++) {
        attention_begin(1, 1, number % 5 * 25 + 1, lengths[number % 6], 33, 33, 9700 + (uint64_t)number);
        attention_set_mask(attention_array, allows_one, NULL);
        magnify(magnitudes[number % 4], magnitudes[number / 6]);
        given.dropout = number % 7 == 6 ? 0.25 : 0;
        if (number % 5 == 4)
            attention_begin_bias(AG_SHAPE(given.queries, given.keys), 9800);
        expect_no_gradients_of_scores();
    }
    /* (without a mask) */
    attention_begin(1, 1, 1, 1, 33, 33, 1);
    for (int64_t i = 0; i < 33; i++)
        given.q[i] = given.k[i] = given.v[i] = given.dy[i] = (ag_real)(100 * sin((double)i + 1));
    expect_no_gradients_of_scores();
}
END_TEST

/* Query i is far nearer to one key, at i * keys / 60, than to all others. */
START_TEST(test_saturated_rows_give_exactly_nothing)
{
    static const int64_t lengths[] = {60, 128, 129, 300, 1000, 1100};
    for (int number = 0; number < 6; number++) {
        const int64_t keys = lengths[number % 6], queries = 60;
        attention_begin(1, 1, queries, keys, 60, 33, 9900 + (uint64_t)number);
        magnify(0, 1);
        test_fill(given.v, keys * 33, 1, -1000, 1000);
        test_fill(given.dy, queries * 33, 2, -1, 1);
        for (int64_t i = 0; i < queries; i++)
            given.q[i * 60 + i] = given.k[i * keys / 60 * 60 + i] = 300;
        given.dropout = number % 2 ? 0.25 : 0;
        if (number % 3 == 1)
            attention_begin_bias(AG_SHAPE(queries, keys), 9950);
        expect_no_gradients_of_scores();
    }
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_test(tests, test_errors_are_those_of_the_plain_form);
    tcase_add_test(tests, test_one_key_gives_exactly_nothing);
    tcase_add_test(tests, test_saturated_rows_give_exactly_nothing);
}

static Suite *make_suite(void)
{
    Suite *suite = suite_create("attention_gradients");
    test_at_each_level(suite, add);
    return suite;
}

TEST_MAIN(make_suite)
