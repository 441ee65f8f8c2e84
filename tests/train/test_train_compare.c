/* test_train_compare.c - exact p values, intervals whose distribution is known, and how
 * often they hold the truth. */
#include "check_util.h"
#include "train.h"

#include <math.h>
#include <string.h>

/* ---- McNemar's test ---------------------------------------------------------------- */

START_TEST(p_is_the_binomial)
{
    static const struct {
        int64_t a, b;
        double p;
    } cases[] = {
        {0, 0, 1},
        {7, 7, 1},
        {1, 0, 1},                     /* 2 * 1/2 */
        {0, 5, 2.0 / 32},              /* 2 * 1/2^5 */
        {0, 6, 2.0 / 64},              /* the fewest that chance does not explain */
        {1, 9, 2 * 11.0 / 1024},       /* 2 (1 + 10) / 2^10 */
        {2, 8, 2 * 56.0 / 1024},       /* 2 (1 + 10 + 45) / 2^10 */
        {4, 3, 1},                     /* 2 (1 + 7 + 21 + 35) / 2^7 = 1 */
        {15, 5, 2 * 21700.0 / 1048576} /* 2 (1 + 20 + 190 + 1140 + 4845 + 15504) / 2^20 */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ck_assert_double_eq_tol(train_mcnemar(cases[i].a, cases[i].b), cases[i].p, 1e-15);
        ck_assert_double_eq(train_mcnemar(cases[i].a, cases[i].b), train_mcnemar(cases[i].b, cases[i].a));
    }
}
END_TEST

/* The sum with logarithms of factorials, for counts whose 2^n is no double. */
static double by_logarithms(int64_t a, int64_t b)
{
    const double n = (double)(a + b);
    double sum = 0;
    for (int64_t i = 0; i <= (a < b ? a : b); i++)
        sum += exp(lgamma(n + 1) - lgamma((double)i + 1) - lgamma(n - (double)i + 1) - n * log(2));
    return 2 * sum < 1 ? 2 * sum : 1;
}

START_TEST(p_of_large_counts)
{
    static const int64_t cases[][2] = {{900, 1000}, {4000, 4200}, {60000, 60001}, {50000, 51000}, {500, 1500}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const double p = train_mcnemar(cases[i][0], cases[i][1]), other = by_logarithms(cases[i][0], cases[i][1]);
        ck_assert_msg(fabs(p - other) <= 1e-7 * other, "%g is not %g", p, other);
    }
    ck_assert_double_eq_tol(train_mcnemar(0, 1000) / ldexp(1, -999), 1, 1e-12);
    ck_assert_double_eq(train_mcnemar(0, 5000), 0); /* below the smallest double */
    ck_assert_double_eq(train_mcnemar(INT64_C(1) << 50, 0), 0);
}
END_TEST

/* ---- The bootstrap ----------------------------------------------------------------- */

enum { MOST = 400 };

/* The outcomes of two models. */
typedef struct pair_of_models {
    train_outcome a_items[MOST], b_items[MOST];
    train_outcomes a, b;
} pair_of_models;

static void start(pair_of_models *pair, int64_t count)
{
    memset(pair, 0, sizeof *pair);
    pair->a = (train_outcomes){.items = pair->a_items, .count = count, .decoded = true};
    pair->b = (train_outcomes){.items = pair->b_items, .count = count, .decoded = true};
    for (int64_t i = 0; i < count; i++)
        pair->a_items[i].size = pair->b_items[i].size = 4;
}

static train_comparison compare(const train_outcomes *a, const train_outcomes *b, uint64_t seed)
{
    train_comparison comparison;
    ag_error error = {0};
    ck_assert_msg(train_compare(a, b, seed, &comparison, &error) == AG_OK, "%s", error.message);
    return comparison;
}

START_TEST(a_constant_difference_is_its_own_interval)
{
    pair_of_models pair;
    start(&pair, 50);
    for (int i = 0; i < 50; i++)
        pair.a_items[i].amount = 2; /* a is always wrong, by half of the tokens; b never */
    train_comparison c = compare(&pair.a, &pair.b, 1);
    ck_assert(c.words.low == -1 && c.words.high == -1 && c.words.a == 1 && c.words.b == 0 && c.words.better == 1);
    ck_assert(c.tokens.low == -0.5 && c.tokens.high == -0.5 && c.tokens.a == 0.5 && c.tokens.better == 1);
    ck_assert(c.only_a == 0 && c.only_b == 50 && c.count == 50 && c.decoded && c.same_tokens);
    ck_assert_double_eq(c.p, train_mcnemar(0, 50));

    c = compare(&pair.b, &pair.b, 1); /* nothing differs */
    ck_assert(c.words.low == 0 && c.words.high == 0 && c.words.better == 0 && c.tokens.better == 0 && c.p == 1);
}
END_TEST

/* The interval of a few sources is too narrow: of five that all favour one model it
 * leaves out 0, though chance does as much once in 16 times. */
START_TEST(few_sources_give_no_verdict)
{
    for (int count = 1; count < 9; count++) {
        pair_of_models pair;
        start(&pair, count);
        for (int i = 0; i < count; i++)
            pair.a_items[i].amount = 2;
        const train_comparison c = compare(&pair.a, &pair.b, 1);
        ck_assert(c.tokens.low == -0.5 && c.tokens.high == -0.5);
        ck_assert_int_eq(c.tokens.better, count >= 6);
        ck_assert_int_eq(c.words.better, count >= 6);
    }
}
END_TEST

/* Half of 100 sources are wrong with a and right with b: in a resample their share is
 * binomial, (100, 1/2), of which 1.8 % are below 40, 2.8 % below 41, and so above. */
START_TEST(the_interval_of_a_binomial)
{
    pair_of_models pair;
    start(&pair, 100);
    for (int i = 0; i < 50; i++)
        pair.a_items[i].amount = 1;
    for (uint64_t seed = 1; seed < 5; seed++) {
        train_comparison c = compare(&pair.a, &pair.b, seed);
        ck_assert_double_eq(c.words.low, -0.60);
        ck_assert_double_eq(c.words.high, -0.40);
        ck_assert_double_eq(c.tokens.low, -0.15);
        ck_assert_double_eq(c.tokens.high, -0.10);
    }
}
END_TEST

/* Outcomes of models that are wrong with these probabilities. */
static void draw(pair_of_models *pair, int64_t count, double p_a, double p_b, uint64_t seed)
{
    ag_rng rng = ag_rng_make(seed, 7);
    start(pair, count);
    for (int64_t i = 0; i < count; i++) {
        pair->a_items[i].size = pair->b_items[i].size = 1 + (double)ag_rng_below(&rng, 9);
        if (ag_rng_uniform(&rng) < p_a)
            pair->a_items[i].amount = 1 + (double)ag_rng_below(&rng, 3);
        if (ag_rng_uniform(&rng) < p_b)
            pair->b_items[i].amount = 1 + (double)ag_rng_below(&rng, 3);
    }
}

START_TEST(b_against_a_mirrors_a_against_b)
{
    pair_of_models pair;
    draw(&pair, 150, 0.3, 0.2, 1);
    train_comparison c = compare(&pair.a, &pair.b, 5), mirrored = compare(&pair.b, &pair.a, 5);
    ck_assert(c.words.low == -mirrored.words.high && c.words.high == -mirrored.words.low);
    ck_assert(c.tokens.low == -mirrored.tokens.high && c.tokens.high == -mirrored.tokens.low);
    ck_assert(c.words.a == mirrored.words.b && c.words.b == mirrored.words.a && c.p == mirrored.p);
    ck_assert(c.words.better == -mirrored.words.better && c.tokens.better == -mirrored.tokens.better);
    ck_assert(c.only_a == mirrored.only_b && c.only_b == mirrored.only_a);
    ck_assert_double_eq(c.words.difference, c.words.b - c.words.a);
    ck_assert_double_eq(c.tokens.difference, c.tokens.b - c.tokens.a);
    ck_assert(c.words.low < c.words.difference && c.words.difference < c.words.high);

    train_comparison again = compare(&pair.a, &pair.b, 5), other = compare(&pair.a, &pair.b, 6);
    ck_assert_mem_eq(&c.tokens, &again.tokens, sizeof c.tokens);
    ck_assert(c.tokens.low != other.tokens.low);
}
END_TEST

/* Of the intervals of drawn data, about 95 % hold the true difference; and of equal models,
 * about 5 % seem different, or fewer. */
START_TEST(intervals_hold_the_truth)
{
    enum { DRAWS = 120 };
    pair_of_models pair;
    int held = 0, different = 0;
    for (uint64_t seed = 0; seed < DRAWS; seed++) {
        draw(&pair, 200, 0.4, 0.25, seed);
        train_comparison c = compare(&pair.a, &pair.b, seed);
        held += c.words.low <= -0.15 && -0.15 <= c.words.high;
        draw(&pair, 200, 0.3, 0.3, 1000 + seed);
        different += compare(&pair.a, &pair.b, seed).words.better != 0;
    }
    ck_assert_msg(held >= 107 && held <= 119, "%d of %d hold the difference", held, (int)DRAWS); /* 114 +- 3 sd */
    ck_assert_msg(different <= 13, "%d of %d equal models seem different", different, (int)DRAWS);
}
END_TEST

/* ---- Losses, and what cannot be compared ------------------------------------------- */

START_TEST(losses_have_no_words)
{
    pair_of_models pair;
    start(&pair, 60);
    for (int i = 0; i < 60; i++) {
        pair.a_items[i].amount = 8 + i % 3;
        pair.b_items[i].amount = 7 + i % 3;
    }
    pair.a.decoded = pair.b.decoded = false;
    train_comparison c = compare(&pair.a, &pair.b, 1);
    ck_assert(!c.decoded && c.tokens.better == 1 && c.tokens.a == 2.25 && c.tokens.b == 2);
    ck_assert_double_eq_tol(c.tokens.low, -0.25, 1e-14);
    ck_assert_double_eq_tol(c.tokens.high, -0.25, 1e-14);
}
END_TEST

static void expect_refusal(const pair_of_models *pair, const char *saying)
{
    train_comparison comparison;
    ag_error error = {0};
    ck_assert_int_eq(train_compare(&pair->a, &pair->b, 1, &comparison, &error), AG_BAD_VALUE);
    ck_assert_msg(strstr(error.message, saying) != NULL, "%s", error.message);
}

START_TEST(what_cannot_be_compared)
{
    pair_of_models pair;
    start(&pair, 10);
    pair.b.count = 9;
    expect_refusal(&pair, "10 and 9 sources");
    pair.a.count = pair.b.count = 0;
    expect_refusal(&pair, "0 and 0 sources");
    start(&pair, 10);
    pair.a.decoded = false;
    expect_refusal(&pair, "of outputs");
    pair.b.decoded = false;
    pair.b_items[9].size = 3;
    expect_refusal(&pair, "other tokens");
    pair.b_items[9].size = 4;
    pair.b.unknown = 1;
    expect_refusal(&pair, "other tokens");
    start(&pair, 10); /* of outputs, words can be compared all the same */
    pair.b.kind = DATA_WORDS;
    ck_assert(!compare(&pair.a, &pair.b, 1).same_tokens);
}
END_TEST

START_TEST(memory_runs_out)
{
    pair_of_models pair;
    train_comparison comparison;
    ag_error error = {0};
    start(&pair, 10);
    test_fail_allocation(1);
    ck_assert_int_eq(train_compare(&pair.a, &pair.b, 1, &comparison, &error), AG_NO_MEMORY);
    test_fail_allocation(0);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("train_compare");
    TCase *tests = tcase_create("all");
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, p_is_the_binomial);
    tcase_add_test(tests, p_of_large_counts);
    tcase_add_test(tests, a_constant_difference_is_its_own_interval);
    tcase_add_test(tests, few_sources_give_no_verdict);
    tcase_add_test(tests, the_interval_of_a_binomial);
    tcase_add_test(tests, b_against_a_mirrors_a_against_b);
    tcase_add_test(tests, intervals_hold_the_truth);
    tcase_add_test(tests, losses_have_no_words);
    tcase_add_test(tests, what_cannot_be_compared);
    tcase_add_test(tests, memory_runs_out);
    suite_add_tcase(suite, tests);
    return suite;
}

TEST_MAIN(make_suite)
