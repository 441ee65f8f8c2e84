/* test_vector_math.c - the library's own exp, log, tanh, sigmoid, erf, gelu and dropout
 * masks, at each level. */
#include "check_util.h"
#include "kernels/kernels.h"

#include <math.h>
#include <string.h>

static const kernel_elementwise *elementwise_at(int level)
{
    test_ask_for_level(level);
    return kernels()->elementwise;
}

#ifdef TAPEFORMER_DOUBLE
typedef uint64_t real_bits;
typedef long double reference; /* wider than ag_real */
#define FRACTION_BITS 52
#define EXPONENTS     2048
#define MANTISSAS     40
#define OF(f)         f##l
#else
typedef uint32_t real_bits;
typedef double reference;
#define FRACTION_BITS 23
#define EXPONENTS     256
#define MANTISSAS     700
#define OF(f)         f
#endif
#define COUNT (2 * MANTISSAS)

/* The bits of numbers are in the order of the numbers: so many representable numbers lie
 * from 0 to |x|. */
static real_bits place(ag_real x)
{
    real_bits bits;
    ag_real size = (ag_real)fabs((double)x);
    memcpy(&bits, &size, sizeof bits);
    return bits;
}

/* The number of steps from a to b by way of representable numbers. */
static double distance(ag_real a, ag_real b)
{
    real_bits from = place(a), to = place(b);
    if (!signbit(a) != !signbit(b))
        return (double)from + (double)to;
    return (double)(from > to ? from - to : to - from);
}

/* Numbers with this exponent, of both signs: the least and the greatest mantissa, and
 * drawn ones. */
static void fill_exponent(int exponent, ag_real x[COUNT])
{
    ag_rng rng = ag_rng_make(5, (uint64_t)exponent);
    const real_bits most = ((real_bits)1 << FRACTION_BITS) - 1;
    for (int i = 0; i < COUNT; i++) {
        real_bits mantissa = (real_bits)ag_rng_below(&rng, (uint64_t)most + 1);
        if (i / 2 == 0)
            mantissa = 0;
        if (i / 2 == 1)
            mantissa = most;
        real_bits bits =
            (real_bits)(i % 2) << (8 * sizeof(ag_real) - 1) | (real_bits)exponent << FRACTION_BITS | mantissa;
        memcpy(&x[i], &bits, sizeof bits);
    }
}

/* A function or its derivative: y = f(x), or the gradient at x where that of y is 1. */
typedef struct curve {
    kernel_unary f;
    bool derivative;
    reference (*wanted)(reference);
} curve;

static void evaluate(const kernel_elementwise *elementwise, const curve *c, int64_t n, const ag_real *x, ag_real *y)
{
    static ag_real ones[2000];
    for (int64_t i = 0; i < n; i++)
        ones[i] = 1;
    if (c->derivative)
        elementwise->unary_backward(c->f, 1, n, x, NULL, ones, y, false);
    else
        elementwise->unary(c->f, 1, n, x, y);
}

/* The greatest distance of the library's function from what is wanted, over all finite
 * numbers' exponents. */
static double worst_distance(const kernel_elementwise *elementwise, curve c)
{
    double worst = 0;
    for (int exponent = 0; exponent < EXPONENTS - 1; exponent++) {
        ag_real x[COUNT], y[COUNT];
        fill_exponent(exponent, x);
        evaluate(elementwise, &c, COUNT, x, y);
        for (int i = 0; i < COUNT; i++) {
            ag_real expected = (ag_real)c.wanted((reference)x[i]);
            bool number = !isnan(y[i]);
            if (number == isnan(expected) || (number && distance(y[i], expected) > worst))
                worst = number && !isnan(expected) ? distance(y[i], expected) : (double)INFINITY;
        }
    }
    return worst;
}

/* What a level without fused multiply-add may lose beside the others: the plain one of most machines, and every one
 * that was compiled without much optimisation. */
static double without_fused(const kernel_elementwise *elementwise, double more)
{
    const ag_real small = (ag_real)PRECISION(0x1p-30, 0x1p-13); /* 1 - small^2 is rounded to 1 */
    ag_real x = 1 - small, y = -1;
    elementwise->axpy(1, 1 + small, &x, &y);
    return y == 0 ? more : 0;
}

static reference wanted_exp(reference x)
{
    return OF(exp)(x);
}

static reference wanted_log(reference x)
{
    return OF(log)(x);
}

static reference wanted_tanh(reference x)
{
    return OF(tanh)(x);
}

static reference wanted_sigmoid(reference x)
{
    return 1 / (1 + OF(exp)(-x));
}

static reference wanted_erf(reference x)
{
    return OF(erf)(x);
}

/* erfc(z) / 2 with z = -x sqrt(1/2), and to the first order what z lost by rounding: far below 0 the lower tail
 * multiplies a relative error of z by 2 z^2. */
static reference phi(reference x)
{
    const reference root = OF(sqrt)((reference)0.5), root_rest = OF(fma)(-root, root, (reference)0.5) / (2 * root);
    const reference two_over_root_pi = (reference)1.128379167095512573896158903121545172L;
    reference z = -x * root, rest = OF(fma)(-x, root, -z) - x * root_rest;
    return (OF(erfc)(z) - two_over_root_pi * OF(exp)(-z * z) * rest) / 2;
}

static reference phi_slope(reference x)
{
    return OF(exp)(-x * x / 2) * (reference)0.398942280401432677939946059934381868L;
}

static reference wanted_gelu(reference x)
{
    return x < -100 ? 0 : x * phi(x);
}

static reference wanted_gelu_slope(reference x)
{
    return x < -100 ? 0 : x > 100 ? 1 : phi(x) + x * phi_slope(x);
}

static reference wanted_silu_slope(reference x)
{
    return wanted_sigmoid(x) * (1 + x * wanted_sigmoid(-x));
}

static reference wanted_gelu_tanh_slope(reference x)
{
    const reference c = (reference)0.797884560802865355879892119868763737L, cubic = (reference)0.044715L;
    reference u = c * x * (1 + cubic * x * x), slope = c * (1 + 3 * cubic * x * x);
    return wanted_sigmoid(2 * u) * (1 + x * wanted_sigmoid(-2 * u) * 2 * slope);
}

START_TEST(distances_are_those_of_neighbours)
{
    ck_assert_double_eq(distance(1, (ag_real)nextafter(1, 2)), PRECISION(1, 0));
    ck_assert_double_eq(distance(0, (ag_real)-0.0), 0);
    ck_assert_double_gt(distance(1, 2), 1e6);
    ck_assert_double_gt(distance((ag_real)INFINITY, 1), 1e6);
    ck_assert_double_gt(distance(-1, 1), 1e6);
}
END_TEST

START_TEST(exp_tanh_and_log_are_neighbours_of_the_truth)
{
    const kernel_elementwise *elementwise = elementwise_at(_i);
    ck_assert_double_le(worst_distance(elementwise, (curve){UNARY_EXP, false, wanted_exp}), 1);
    ck_assert_double_le(worst_distance(elementwise, (curve){UNARY_TANH, false, wanted_tanh}), 1);
    ck_assert_double_le(worst_distance(elementwise, (curve){UNARY_LOG, false, wanted_log}), 1);
}
END_TEST

START_TEST(sigmoid_and_erf_are_within_two_ulp)
{
    const kernel_elementwise *elementwise = elementwise_at(_i);
    ck_assert_double_le(worst_distance(elementwise, (curve){UNARY_SIGMOID, false, wanted_sigmoid}), 2);
    ck_assert_double_le(worst_distance(elementwise, (curve){UNARY_ERF, false, wanted_erf}), 2);
}
END_TEST

START_TEST(gelu_is_within_two_ulp_and_its_slope_within_four)
{
    const kernel_elementwise *elementwise = elementwise_at(_i);
    ck_assert_double_le(worst_distance(elementwise, (curve){UNARY_GELU_EXACT, false, wanted_gelu}),
                        2 + without_fused(elementwise, 1));
    ck_assert_double_le(worst_distance(elementwise, (curve){UNARY_GELU_EXACT, true, wanted_gelu_slope}), 4);
}
END_TEST

/* Between the first and the last exponents at which gelu is neither 0 nor x/2 there are
 * few: many numbers there. */
START_TEST(gelu_is_as_near_between_all_its_bends)
{
    const kernel_elementwise *elementwise = elementwise_at(_i);
    for (int part = -40; part < 40; part++) {
        ag_real x[COUNT], y[COUNT], slope[COUNT];
        test_fill(x, COUNT, (uint64_t)(part + 40), part * PRECISION(1.0, 0.4), (part + 1) * PRECISION(1.0, 0.4));
        evaluate(elementwise, &(curve){UNARY_GELU_EXACT, false, NULL}, COUNT, x, y);
        evaluate(elementwise, &(curve){UNARY_GELU_EXACT, true, NULL}, COUNT, x, slope);
        for (int i = 0; i < COUNT; i++) {
            reference at = (reference)x[i];
            ck_assert_double_le(distance(y[i], (ag_real)wanted_gelu(at)), 2 + without_fused(elementwise, 1));
            ck_assert_double_le(distance(slope[i], (ag_real)wanted_gelu_slope(at)), 4);
        }
    }
}
END_TEST

/* The greatest difference from what is wanted, over all numbers' exponents and, closely,
 * where the function bends. */
static double worst_difference(const kernel_elementwise *elementwise, kernel_unary f, reference (*wanted)(reference))
{
    const curve slope = {f, true, NULL};
    double worst = 0;
    for (int part = -45; part < 45 + EXPONENTS - 1; part++) {
        ag_real x[COUNT], y[COUNT];
        if (part < 45)
            test_fill(x, COUNT, (uint64_t)(part + 45), part, part + 1);
        else
            fill_exponent(part - 45, x);
        evaluate(elementwise, &slope, COUNT, x, y);
        for (int i = 0; i < COUNT; i++) {
            const bool is_far = fabs((double)x[i]) > 1000;
            reference right = is_far ? (reference)(x[i] > 0) : wanted((reference)x[i]);
            double difference = fabs((double)((reference)y[i] - right));
            worst = difference <= worst ? worst : difference; /* (NaN stays) */
        }
    }
    return worst;
}

START_TEST(slopes_of_silu_and_of_gelu_by_tanh_are_near_everywhere)
{
    const kernel_elementwise *elementwise = elementwise_at(_i);
    ck_assert_double_le(worst_difference(elementwise, UNARY_SILU, wanted_silu_slope), PRECISION(3e-16, 2e-7));
    ck_assert_double_le(worst_difference(elementwise, UNARY_GELU_TANH, wanted_gelu_tanh_slope), PRECISION(4e-16, 2e-7));
}
END_TEST

/* Where the slope is 0, its first digits are right all the same. */
START_TEST(the_slope_of_gelu_keeps_its_digits_at_its_zero)
{
    const kernel_elementwise *elementwise = elementwise_at(_i);
    const reference zero = -0.7517915246935645, zero_rest = (reference)1.4956759177009883e-17; /* together */
    ag_real x = (ag_real)zero, slope;
    for (int i = 0; i < 10; i++)
        x = (ag_real)PRECISION(nextafter((double)x, -1), nextafterf((float)x, -1));
    for (int i = 0; i < 20; i++) {
        reference wanted = ((reference)x - zero - zero_rest) * phi_slope(zero) * (2 - zero * zero);
        evaluate(elementwise, &(curve){UNARY_GELU_EXACT, true, NULL}, 1, &x, &slope);
        ck_assert_double_le(fabs((double)((reference)slope - wanted)), 2e-6 * fabs((double)wanted));
        x = (ag_real)PRECISION(nextafter((double)x, 0), nextafterf((float)x, 0));
    }
}
END_TEST

/* In a vector of many, so that the vector code is met as well as the rest of the loop. */
START_TEST(special_values_are_those_of_libm)
{
    const kernel_elementwise *elementwise = elementwise_at(_i);
    ag_real x[37], y[37];
    struct {
        kernel_unary f;
        double x, y;
    } cases[] = {
        {UNARY_EXP, -INFINITY, 0},
        {UNARY_EXP, INFINITY, INFINITY},
        {UNARY_EXP, 0, 1},
        {UNARY_EXP, -0.0, 1},
        {UNARY_EXP, 1e30, INFINITY},
        {UNARY_EXP, -1e30, 0},
        {UNARY_EXP, NAN, NAN},
        {UNARY_TANH, NAN, NAN},
        {UNARY_TANH, INFINITY, 1},
        {UNARY_TANH, -INFINITY, -1},
        {UNARY_TANH, -0.0, -0.0},
        {UNARY_TANH, 1e-30, 1e-30},
        {UNARY_SIGMOID, INFINITY, 1},
        {UNARY_SIGMOID, -INFINITY, 0},
        {UNARY_SIGMOID, NAN, NAN},
        {UNARY_SIGMOID, 0, 0.5},
        {UNARY_LOG, 0, -INFINITY},
        {UNARY_LOG, -1, NAN},
        {UNARY_LOG, -0.0, -INFINITY},
        {UNARY_LOG, INFINITY, INFINITY},
        {UNARY_LOG, -INFINITY, NAN},
        {UNARY_LOG, NAN, NAN},
        {UNARY_LOG, 1, 0},
        {UNARY_LOG, -1e-320, PRECISION(NAN, -INFINITY)},
        {UNARY_ERF, INFINITY, 1},
        {UNARY_ERF, -INFINITY, -1},
        {UNARY_ERF, NAN, NAN},
        {UNARY_ERF, -0.0, -0.0},
        {UNARY_ERF, 0, 0},
        {UNARY_GELU_EXACT, -INFINITY, -0.0},
        {UNARY_GELU_EXACT, INFINITY, INFINITY},
        {UNARY_GELU_EXACT, -1e30, -0.0},
        {UNARY_GELU_EXACT, NAN, NAN},
        {UNARY_GELU_EXACT, -0.0, -0.0},
        {UNARY_SQRT, -1, NAN},
        {UNARY_SQRT, -0.0, -0.0},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        ag_real expected = (ag_real)cases[c].y;
        for (int i = 0; i < 37; i++)
            x[i] = (ag_real)cases[c].x;
        elementwise->unary(cases[c].f, 1, 37, x, y);
        for (int i = 0; i < 37; i++)
            ck_assert_msg(isnan(expected) ? isnan(y[i]) : y[i] == expected && !signbit(y[i]) == !signbit(expected),
                          "case %zu, element %d: %g, not %g", c, i, (double)y[i], (double)expected);
    }
}
END_TEST

/* Alone or among others, and in its argument's place too. */
START_TEST(a_number_has_one_value_wherever_it_stands)
{
    static const curve curves[] = {
        {UNARY_EXP, false, NULL},  {UNARY_LOG, false, NULL},        {UNARY_TANH, false, NULL},
        {UNARY_ERF, false, NULL},  {UNARY_SIGMOID, false, NULL},    {UNARY_GELU_TANH, false, NULL},
        {UNARY_SILU, false, NULL}, {UNARY_GELU_EXACT, false, NULL}, {UNARY_GELU_EXACT, true, NULL},
    };
    const kernel_elementwise *elementwise = elementwise_at(_i);
    for (size_t f = 0; f < sizeof curves / sizeof *curves; f++) {
        ag_real x[101], whole[101], alone;
        test_fill(x, 101, 9, curves[f].f == UNARY_LOG ? 0.1 : -8, 8);
        evaluate(elementwise, &curves[f], 101, x, whole);
        for (int i = 0; i < 101; i++) {
            evaluate(elementwise, &curves[f], 1, &x[i], &alone);
            ck_assert_msg(alone == whole[i], "curve %zu of %g", f, (double)x[i]);
        }
        if (!curves[f].derivative) {
            evaluate(elementwise, &curves[f], 101, x, x);
            ck_assert_mem_eq(x, whole, sizeof x);
        }
    }
}
END_TEST

START_TEST(infinity_and_nan_are_found_anywhere)
{
    const kernel_elementwise *elementwise = elementwise_at(_i);
    ag_real x[67];
    test_fill(x, 67, 3, -1e30, 1e30);
    ck_assert(elementwise->all_finite(67, x));
    ck_assert(elementwise->all_finite(0, x));
    for (int i = 0; i < 67; i++) {
        static const double bad[] = {INFINITY, -INFINITY, NAN};
        ag_real kept = x[i];
        x[i] = (ag_real)bad[i % 3];
        ck_assert(!elementwise->all_finite(67, x));
        x[i] = kept;
    }
}
END_TEST

/* Element e under mask (7 + 2^40, 8, 9) for p = 1/2: kept and doubled, or 0. */
static double kept(uint64_t e)
{
    const uint32_t counter[4] = {(uint32_t)(e / 4), (uint32_t)(e / 4 >> 32), 9, 8}, key[2] = {7, 256};
    uint32_t words[4];
    ag_philox(counter, key, words);
    return words[e % 4] >> 31 ? 2 : 0;
}

/* Wherever a part begins and however long it is, its elements have the words of Philox that belong to them: at the
 * start, and where the number of the block outgrows 32 bits. */
START_TEST(a_dropout_mask_may_be_drawn_in_parts)
{
    static const int64_t origins[] = {0, (INT64_C(1) << 34) - 40, (INT64_C(1) << 34) - 350};
    static const int64_t lengths[] = {1, 2, 5, 31, 32, 33, 64, 97, 129, 255, 256, 257, 700};
    const kernel_elementwise *elementwise = elementwise_at(_i);
    const kernel_dropout mask = kernel_dropout_make((UINT64_C(1) << 40) + 7, 8, 9, 0.5);
    ag_real x[700], y[700];
    for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++)
        for (int64_t part = 0; part < 18; part++) {
            const int64_t first = origins[part % 3] + part * 11, n = lengths[l];
            for (int i = 0; i < 700; i++) {
                x[i] = 1;
                y[i] = 10;
            }
            elementwise->dropout(&mask, first, n, x, y, true);
            elementwise->dropout(&mask, first, n, x, x, false);
            for (int64_t i = 0; i < 700; i++) {
                const double wanted = i < n ? kept((uint64_t)(first + i)) : 0;
                ck_assert_double_eq((double)x[i], i < n ? wanted : 1);
                ck_assert_double_eq((double)y[i], 10 + wanted);
            }
        }
}
END_TEST

/* An element stays where its word is at least the threshold. */
START_TEST(a_dropout_keeps_by_its_threshold)
{
    const kernel_elementwise *elementwise = elementwise_at(_i);
    static const double chances[] = {1e-10, 0.25, 0.999, 1};
    static const uint64_t thresholds[] = {0, UINT64_C(1) << 30, 4290672329, UINT64_C(1) << 32};
    ag_real x[200], y[200], one;
    for (int i = 0; i < 200; i++)
        x[i] = (ag_real)NAN;
    for (int c = 0; c < 4; c++) {
        const kernel_dropout mask = kernel_dropout_make(7, 8, 9, chances[c]);
        ck_assert_uint_eq(mask.threshold, thresholds[c]);
        elementwise->dropout(&mask, 0, 200, x, y, false);
        for (uint32_t e = 0; e < 200; e++) {
            uint32_t words[4], counter[4] = {e / 4, 0, 9, 8}, key[2] = {7, 0};
            ag_philox(counter, key, words);
            ck_assert(words[e % 4] >= mask.threshold ? isnan(y[e]) : y[e] == 0);
            kernel_dropout border = mask;
            border.threshold = words[e % 4];
            elementwise->dropout(&border, e, 1, x, &one, false);
            ck_assert(isnan(one));
            border.threshold++;
            elementwise->dropout(&border, e, 1, x, &one, false);
            ck_assert(one == 0);
        }
    }
}
END_TEST

static Suite *vector_math_suite(void)
{
    Suite *suite = suite_create("vector_math");
    TCase *tcase = tcase_create("levels");
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, distances_are_those_of_neighbours);
    tcase_add_loop_test(tcase, exp_tanh_and_log_are_neighbours_of_the_truth, 0, test_levels_here());
    tcase_add_loop_test(tcase, sigmoid_and_erf_are_within_two_ulp, 0, test_levels_here());
    tcase_add_loop_test(tcase, gelu_is_within_two_ulp_and_its_slope_within_four, 0, test_levels_here());
    tcase_add_loop_test(tcase, gelu_is_as_near_between_all_its_bends, 0, test_levels_here());
    tcase_add_loop_test(tcase, slopes_of_silu_and_of_gelu_by_tanh_are_near_everywhere, 0, test_levels_here());
    tcase_add_loop_test(tcase, the_slope_of_gelu_keeps_its_digits_at_its_zero, 0, test_levels_here());
    tcase_add_loop_test(tcase, special_values_are_those_of_libm, 0, test_levels_here());
    tcase_add_loop_test(tcase, a_number_has_one_value_wherever_it_stands, 0, test_levels_here());
    tcase_add_loop_test(tcase, infinity_and_nan_are_found_anywhere, 0, test_levels_here());
    tcase_add_loop_test(tcase, a_dropout_mask_may_be_drawn_in_parts, 0, test_levels_here());
    tcase_add_loop_test(tcase, a_dropout_keeps_by_its_threshold, 0, test_levels_here());
    suite_add_tcase(suite, tcase);
    return suite;
}

TEST_MAIN(vector_math_suite)
