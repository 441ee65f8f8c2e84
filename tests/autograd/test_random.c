/* test_random.c - Philox against published numbers, and the statistics of what is drawn
 * from it.
 *
 * All draws have fixed seeds, so a statistic either always holds or never: the bounds
 * below are those that a good generator misses once in a thousand seeds or more
 * rarely. */
#include "check_util.h"

#include <math.h>

/* Philox4x32 with 10 rounds, from the file kat_vectors of Random123 1.09 (D. E. Shaw
 * Research, licence BSD-3-Clause). */
static const struct {
    uint32_t counter[4], key[2], out[4];
} known[] = {
    {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
    {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
     {0xffffffff, 0xffffffff},
     {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
    {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
     {0xa4093822, 0x299f31d0},
     {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
};

START_TEST(test_philox_known_answers)
{
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        uint32_t out[4];
        ag_philox(known[i].counter, known[i].key, out);
        for (int word = 0; word < 4; word++)
            ck_assert_uint_eq(out[word], known[i].out[word]);
    }
}
END_TEST

/* The k-th number is Philox of the counter (position, stream) under the key seed, low
 * words first. */
START_TEST(test_stream_is_philox)
{
    ag_rng rng = {.seed = 0x299f31d0a4093822, .stream = 0x0370734413198a2e, .position = 0x85a308d3243f6a88};
    ck_assert_uint_eq(ag_rng_u32(&rng), known[2].out[0]);
    ck_assert_uint_eq(rng.position, 0x85a308d3243f6a89);
    rng.position = 0x85a308d3243f6a88;
    double uniform = ag_rng_uniform(&rng);
    ck_assert(uniform == ldexp((double)(0xd16cfe0994fdccebu >> 11), -53));
}
END_TEST

START_TEST(test_position_jumps)
{
    ag_rng walked = ag_rng_make(7, 3);
    ck_assert_uint_eq(walked.position, 0);
    for (uint64_t i = 0; i < 100; i++) {
        ck_assert_uint_eq(walked.position, i);
        ag_rng jumped = ag_rng_make(7, 3);
        jumped.position = i;
        ag_rng copied = walked;
        uint32_t number = ag_rng_u32(&walked);
        ck_assert_uint_eq(ag_rng_u32(&jumped), number);
        ck_assert_uint_eq(ag_rng_u32(&copied), number);
    }
    ag_rng rng = ag_rng_make(7, 3);
    ag_rng_uniform(&rng);
    ck_assert_uint_eq(rng.position, 1);
    ag_rng_normal(&rng);
    ck_assert_uint_eq(rng.position, 2);
    ag_rng_below(&rng, 10);
    ck_assert_uint_eq(rng.position, 3);
}
END_TEST

START_TEST(test_seeds_and_streams_differ)
{
    ag_rng a = ag_rng_make(1, 0), b = ag_rng_make(2, 0), c = ag_rng_make(1, 1), d = ag_rng_make(1, (uint64_t)1 << 32);
    ag_rng e = ag_rng_make(1 + ((uint64_t)1 << 32), 0);
    int equal = 0;
    for (int i = 0; i < 1000; i++) {
        uint32_t x[5] = {ag_rng_u32(&a), ag_rng_u32(&b), ag_rng_u32(&c), ag_rng_u32(&d), ag_rng_u32(&e)};
        for (int j = 0; j < 5; j++)
            for (int k = 0; k < j; k++)
                equal += x[j] == x[k];
    }
    ck_assert_int_eq(equal, 0);
}
END_TEST

START_TEST(test_uniform)
{
    enum { COUNT = 200000 };
    ag_rng rng = ag_rng_make(11, 0);
    double sum = 0, squares = 0, products = 0, last = 0.5, lowest = 1, highest = 0;
    for (int i = 0; i < COUNT; i++) {
        double u = ag_rng_uniform(&rng);
        ck_assert(u >= 0 && u < 1);
        sum += u;
        squares += (u - 0.5) * (u - 0.5);
        products += (u - 0.5) * (last - 0.5);
        last = u;
        lowest = fmin(lowest, u);
        highest = fmax(highest, u);
    }
    /* standard errors: of the mean sqrt(1/12/n), of the variance sqrt(1/180/n), of the
     * correlation 1/sqrt(n) */
    ck_assert(fabs(sum / COUNT - 0.5) < 3.3 * sqrt(1 / 12.0 / COUNT));
    ck_assert(fabs(squares / COUNT - 1 / 12.0) < 3.3 * sqrt(1 / 180.0 / COUNT));
    ck_assert(fabs(products / COUNT * 12) < 3.3 / sqrt(COUNT));
    ck_assert(lowest < 1e-4 && highest > 1 - 1e-4);
}
END_TEST

/* Every one of the 53 bits is one half of the time. */
START_TEST(test_uniform_bits)
{
    enum { COUNT = 20000 };
    ag_rng rng = ag_rng_make(12, 0);
    int ones[53] = {0};
    for (int i = 0; i < COUNT; i++) {
        double scaled = ldexp(ag_rng_uniform(&rng), 53);
        uint64_t bits = (uint64_t)scaled;
        ck_assert((double)bits == scaled);
        for (int bit = 0; bit < 53; bit++)
            ones[bit] += (int)(bits >> bit & 1);
    }
    for (int bit = 0; bit < 53; bit++)
        ck_assert_msg(abs(ones[bit] - COUNT / 2) < 4.2 * sqrt(COUNT) / 2, "bit %d: %d", bit, ones[bit]);
}
END_TEST

/* Chi-square of `draws` numbers below n; n - 1 degrees of freedom. */
static double chi_square_below(uint64_t n, int draws, uint64_t seed)
{
    ag_rng rng = ag_rng_make(seed, 0);
    int count[64] = {0};
    for (int i = 0; i < draws; i++) {
        uint64_t k = ag_rng_below(&rng, n);
        ck_assert_uint_lt(k, n);
        count[k]++;
    }
    double expected = (double)draws / (double)n, sum = 0;
    for (uint64_t k = 0; k < n; k++)
        sum += (count[k] - expected) * (count[k] - expected) / expected;
    return sum;
}

START_TEST(test_below_is_even)
{
    /* the 99.9 % points of chi-square with n - 1 degrees of freedom */
    static const struct {
        uint64_t n;
        double limit;
    } cases[] = {{2, 10.83}, {3, 13.82}, {7, 22.46}, {10, 27.88}, {32, 61.10}, {61, 99.61}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double found = chi_square_below(cases[i].n, 60000, 13 + i);
        ck_assert_msg(found < cases[i].limit, "below %d: chi-square %g", (int)cases[i].n, found);
    }
}
END_TEST

/* With n = 3 * 2^62 a plain remainder would give the lowest third twice as often as the
 * others. */
START_TEST(test_below_large)
{
    enum { COUNT = 30000 };
    const uint64_t third = (uint64_t)1 << 62;
    ag_rng rng = ag_rng_make(14, 0);
    int count[3] = {0};
    for (int i = 0; i < COUNT; i++) {
        uint64_t k = ag_rng_below(&rng, 3 * third);
        ck_assert_uint_lt(k, 3 * third);
        count[k / third]++;
    }
    for (int i = 0; i < 3; i++)
        ck_assert_int_lt(abs(count[i] - COUNT / 3), (int)(3.3 * sqrt(COUNT * 2 / 9.0)));
    ck_assert_uint_gt(rng.position, COUNT); /* some were drawn again */
}
END_TEST

START_TEST(test_below_ends)
{
    ag_rng rng = ag_rng_make(15, 0);
    for (int i = 0; i < 100; i++) {
        ck_assert_uint_eq(ag_rng_below(&rng, 0), 0);
        ck_assert_uint_eq(ag_rng_below(&rng, 1), 0);
    }
    uint64_t all = 0;
    for (int i = 0; i < 100; i++)
        all |= ag_rng_below(&rng, UINT64_MAX);
    ck_assert_uint_eq(all, UINT64_MAX);
}
END_TEST

START_TEST(test_normal_moments)
{
    enum { COUNT = 200000 };
    ag_rng rng = ag_rng_make(16, 0);
    double sum[5] = {0};
    for (int i = 0; i < COUNT; i++) {
        double x = ag_rng_normal(&rng);
        ck_assert(isfinite(x));
        for (int power = 1; power <= 4; power++)
            sum[power] += pow(x, power);
    }
    /* the variance of x^p is E x^2p - (E x^p)^2: 1, 2, 15, 96 */
    static const double expected[5] = {0, 0, 1, 0, 3}, variance[5] = {0, 1, 2, 15, 96};
    for (int power = 1; power <= 4; power++)
        ck_assert_msg(fabs(sum[power] / COUNT - expected[power]) < 3.3 * sqrt(variance[power] / COUNT), "moment %d: %g",
                      power, sum[power] / COUNT);
}
END_TEST

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Kolmogorov and Smirnov: the largest distance between the drawn and the true
 * distribution function. */
START_TEST(test_normal_distribution)
{
    enum { COUNT = 50000 };
    static double x[COUNT];
    ag_rng rng = ag_rng_make(17, 0);
    for (int i = 0; i < COUNT; i++)
        x[i] = ag_rng_normal(&rng);
    qsort(x, COUNT, sizeof *x, compare_doubles);
    double distance = 0;
    for (int i = 0; i < COUNT; i++) {
        double p = 0.5 * erfc(-x[i] / sqrt(2));
        distance = fmax(distance, fmax(fabs(p - (double)i / COUNT), fabs(p - (double)(i + 1) / COUNT)));
    }
    ck_assert_msg(distance < 1.95 / sqrt(COUNT), "distance %g", distance); /* 1.95: the 99.9 % point */
}
END_TEST

/* The seeds that 0 gives for the purposes are the first outputs of SplitMix64 from state
 * 0, as published. */
START_TEST(test_purposes_have_seeds_of_their_own)
{
    ck_assert_uint_eq(ag_seed_for(0, AG_FOR_EXAMPLES), UINT64_C(0xE220A8397B1DCDAF));
    ck_assert_uint_eq(ag_seed_for(0, AG_FOR_ORDER), UINT64_C(0x6E789E6AA1B965F4));
    ck_assert_uint_eq(ag_seed_for(0, AG_FOR_SHIFT), UINT64_C(0x06C45D188009454F));
    ck_assert_uint_eq(ag_seed_for(0, AG_FOR_SPLIT), UINT64_C(0xF88BB8A8724C81EC));
    ck_assert_uint_eq(ag_mix(0), 0);
    for (int a = 0; a < 7 * 50; a++)
        for (int b = 0; b < a; b++)
            ck_assert_uint_ne(ag_seed_for((uint64_t)a / 7, (ag_purpose)(a % 7 + 1)),
                              ag_seed_for((uint64_t)b / 7, (ag_purpose)(b % 7 + 1)));
}
END_TEST

static Suite *random_suite(void)
{
    Suite *suite = suite_create("random");
    TCase *philox = tcase_create("philox");
    tcase_add_test(philox, test_philox_known_answers);
    tcase_add_test(philox, test_stream_is_philox);
    tcase_add_test(philox, test_position_jumps);
    tcase_add_test(philox, test_seeds_and_streams_differ);
    tcase_add_test(philox, test_purposes_have_seeds_of_their_own);
    suite_add_tcase(suite, philox);
    TCase *statistics = tcase_create("statistics");
    tcase_add_test(statistics, test_uniform);
    tcase_add_test(statistics, test_uniform_bits);
    tcase_add_test(statistics, test_below_is_even);
    tcase_add_test(statistics, test_below_large);
    tcase_add_test(statistics, test_below_ends);
    tcase_add_test(statistics, test_normal_moments);
    tcase_add_test(statistics, test_normal_distribution);
    suite_add_tcase(suite, statistics);
    return suite;
}

TEST_MAIN(random_suite)
