/* test_vector_math.c - the library's own exp, tanh, sigmoid, normal distribution and dropout masks, at each level. */
#include "check_util.h"
#include "kernels/kernels.h"

#include <math.h>
#include <string.h>

/* Each test has its process, so the level that it asks for is the one chosen there, if the processor has it. */
static const char *const levels[] = {"generic", "avx2", "avx512"};
#define LEVELS ((int)(sizeof levels / sizeof *levels))

static const kernel_map *map_at(int level)
{
    setenv("TAPEFORMER_LEVEL", levels[level], 1);
    return kernels()->map;
}

#ifdef TAPEFORMER_DOUBLE
typedef uint64_t real_bits;
typedef long double reference; /* wider than real */
#define FRACTION_BITS 52
#define EXPONENTS     2048
#define MANTISSAS     60
#define EXP_OF        expl
#define TANH_OF       tanhl
#else
typedef uint32_t real_bits;
typedef double reference;
#define FRACTION_BITS 23
#define EXPONENTS     256
#define MANTISSAS     2000
#define EXP_OF        exp
#define TANH_OF       tanh
#endif
#define COUNT (2 * MANTISSAS)

/* The bits of numbers are in the order of the numbers: so many representable numbers lie from 0 to |x|. */
static real_bits place(real x)
{
    real_bits bits;
    real size = (real)fabs((double)x);
    memcpy(&bits, &size, sizeof bits);
    return bits;
}

/* The number of steps from a to b by way of representable numbers. */
static double distance(real a, real b)
{
    real_bits from = place(a), to = place(b);
    if (!signbit(a) != !signbit(b))
        return (double)from + (double)to;
    return (double)(from > to ? from - to : to - from);
}

/* Numbers with this exponent, of both signs: the least and the greatest mantissa, and drawn ones. */
static void fill_exponent(int exponent, real x[COUNT])
{
    ag_rng rng = ag_rng_make(5, (uint64_t)exponent);
    const real_bits most = ((real_bits)1 << FRACTION_BITS) - 1;
    for (int i = 0; i < COUNT; i++) {
        real_bits mantissa = (real_bits)ag_rng_below(&rng, (uint64_t)most + 1);
        if (i / 2 == 0)
            mantissa = 0;
        if (i / 2 == 1)
            mantissa = most;
        real_bits bits = (real_bits)(i % 2) << (8 * sizeof(real) - 1) | (real_bits)exponent << FRACTION_BITS | mantissa;
        memcpy(&x[i], &bits, sizeof bits);
    }
}

/* The greatest distance of the library's f to `wanted`, over all finite numbers' exponents. */
static double worst_distance(const kernel_map *map, map_unary f, reference (*wanted)(reference))
{
    double worst = 0;
    for (int exponent = 0; exponent < EXPONENTS - 1; exponent++) {
        real x[COUNT], y[COUNT];
        fill_exponent(exponent, x);
        map->unary(f, 1, COUNT, x, y);
        for (int i = 0; i < COUNT; i++) {
            real expected = (real)wanted((reference)x[i]);
            if (isnan(y[i]) || distance(y[i], expected) > worst)
                worst = isnan(y[i]) ? (double)INFINITY : distance(y[i], expected);
        }
    }
    return worst;
}

static reference wanted_exp(reference x)
{
    return EXP_OF(x);
}

static reference wanted_tanh(reference x)
{
    return TANH_OF(x);
}

static reference wanted_sigmoid(reference x)
{
    return 1 / (1 + EXP_OF(-x));
}

START_TEST(distances_are_those_of_neighbours)
{
    ck_assert_double_eq(distance(1, (real)nextafter(1, 2)), PRECISION(1, 0));
    ck_assert_double_eq(distance(0, (real)-0.0), 0);
    ck_assert_double_gt(distance(1, 2), 1e6);
    ck_assert_double_gt(distance((real)INFINITY, 1), 1e6);
    ck_assert_double_gt(distance(-1, 1), 1e6);
}
END_TEST

START_TEST(exp_is_within_two_ulp)
{
    ck_assert_double_le(worst_distance(map_at(_i), MAP_EXP, wanted_exp), 2);
}
END_TEST

START_TEST(tanh_is_within_two_ulp)
{
    ck_assert_double_le(worst_distance(map_at(_i), MAP_TANH, wanted_tanh), PRECISION(4, 2));
}
END_TEST

START_TEST(sigmoid_is_within_two_ulp)
{
    ck_assert_double_le(worst_distance(map_at(_i), MAP_SIGMOID, wanted_sigmoid), PRECISION(3, 2));
}
END_TEST

/* Phi by way of gelu, x Phi(x). */
START_TEST(the_normal_distribution_is_near_libm)
{
    const kernel_map *map = map_at(_i);
    for (double x = -14; x < 14; x += 1.0 / 512) {
        real in = (real)x, out;
        map->unary(MAP_GELU_EXACT, 1, 1, &in, &out);
        double phi = 0.5 * erfc(-x * 0.70710678118654752440);
        ck_assert_double_le(fabs((double)out - x * phi), fabs(x) * PRECISION(1e-15, 1e-7));
        if (x > -6)
            ck_assert_double_le(fabs((double)out - x * phi), fabs(x) * phi * PRECISION(1e-15, 2e-6));
    }
}
END_TEST

/* In a vector of many, so that the vector code is met as well as the rest of the loop. */
START_TEST(special_values_are_those_of_libm)
{
    const kernel_map *map = map_at(_i);
    real x[37], y[37];
    struct {
        map_unary f;
        double x, y;
    } cases[] = {
        {MAP_EXP, -INFINITY, 0},    {MAP_EXP, INFINITY, INFINITY}, {MAP_EXP, 0, 1},
        {MAP_EXP, -0.0, 1},         {MAP_EXP, 1e30, INFINITY},     {MAP_EXP, -1e30, 0},
        {MAP_EXP, NAN, NAN},        {MAP_TANH, NAN, NAN},          {MAP_TANH, INFINITY, 1},
        {MAP_TANH, -INFINITY, -1},  {MAP_TANH, -0.0, -0.0},        {MAP_TANH, 1e-30, 1e-30},
        {MAP_SIGMOID, INFINITY, 1}, {MAP_SIGMOID, -INFINITY, 0},   {MAP_SIGMOID, NAN, NAN},
        {MAP_SIGMOID, 0, 0.5},      {MAP_LOG, 0, -INFINITY},       {MAP_LOG, -1, NAN},
        {MAP_SQRT, -1, NAN},        {MAP_SQRT, -0.0, -0.0},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        real expected = (real)cases[c].y;
        for (int i = 0; i < 37; i++)
            x[i] = (real)cases[c].x;
        map->unary(cases[c].f, 1, 37, x, y);
        for (int i = 0; i < 37; i++)
            ck_assert_msg(isnan(expected) ? isnan(y[i]) : y[i] == expected && !signbit(y[i]) == !signbit(expected),
                          "case %zu, element %d: %g, not %g", c, i, (double)y[i], (double)expected);
    }
}
END_TEST

START_TEST(a_number_has_one_value_wherever_it_stands)
{
    static const map_unary functions[] = {MAP_EXP, MAP_TANH, MAP_SIGMOID, MAP_GELU_EXACT, MAP_GELU_TANH, MAP_SILU};
    const kernel_map *map = map_at(_i);
    real x[101], whole[101], alone;
    test_fill(x, 101, 9, -8, 8);
    for (size_t f = 0; f < sizeof functions / sizeof *functions; f++) {
        map->unary(functions[f], 1, 101, x, whole);
        for (int i = 0; i < 101; i++) {
            map->unary(functions[f], 1, 1, &x[i], &alone);
            ck_assert_msg(alone == whole[i], "function %zu of %g", f, (double)x[i]);
        }
    }
}
END_TEST

START_TEST(infinity_and_nan_are_found_anywhere)
{
    const kernel_map *map = map_at(_i);
    real x[67];
    test_fill(x, 67, 3, -1e30, 1e30);
    ck_assert(map->all_finite(67, x));
    ck_assert(map->all_finite(0, x));
    for (int i = 0; i < 67; i++) {
        static const double bad[] = {INFINITY, -INFINITY, NAN};
        real kept = x[i];
        x[i] = (real)bad[i % 3];
        ck_assert(!map->all_finite(67, x));
        x[i] = kept;
    }
}
END_TEST

/* Wherever a part begins, its elements have the words of Philox that belong to them. */
START_TEST(a_dropout_mask_may_be_drawn_in_parts)
{
    const kernel_map *map = map_at(_i);
    const map_dropout mask = map_dropout_make(7, 8, 9, 0.5);
    real ones[300], y[300];
    for (int i = 0; i < 300; i++)
        ones[i] = 1;
    for (uint32_t first = 0; first < 530; first += 53) {
        map->dropout(&mask, first, 300, ones, y, false);
        for (uint32_t i = 0; i < 300; i++) {
            uint32_t words[4], counter[4] = {(first + i) / 4, 0, 9, 8}, key[2] = {7, 0};
            ag_philox(counter, key, words);
            ck_assert_double_eq((double)y[i], words[(first + i) % 4] >> 31 ? 2 : 0);
        }
    }
    ck_assert_uint_eq(map_dropout_make(7, 8, 9, 1e-10).threshold, 0);
    ck_assert_uint_eq(map_dropout_make(7, 8, 9, 0.25).threshold, UINT64_C(1) << 30);
    ck_assert_uint_eq(map_dropout_make(7, 8, 9, 1).threshold, UINT64_C(1) << 32);
}
END_TEST

static Suite *vector_math_suite(void)
{
    Suite *suite = suite_create("vector_math");
    TCase *tcase = tcase_create("levels");
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, distances_are_those_of_neighbours);
    tcase_add_loop_test(tcase, exp_is_within_two_ulp, 0, LEVELS);
    tcase_add_loop_test(tcase, tanh_is_within_two_ulp, 0, LEVELS);
    tcase_add_loop_test(tcase, sigmoid_is_within_two_ulp, 0, LEVELS);
    tcase_add_loop_test(tcase, the_normal_distribution_is_near_libm, 0, LEVELS);
    tcase_add_loop_test(tcase, special_values_are_those_of_libm, 0, LEVELS);
    tcase_add_loop_test(tcase, a_number_has_one_value_wherever_it_stands, 0, LEVELS);
    tcase_add_loop_test(tcase, infinity_and_nan_are_found_anywhere, 0, LEVELS);
    tcase_add_loop_test(tcase, a_dropout_mask_may_be_drawn_in_parts, 0, LEVELS);
    suite_add_tcase(suite, tcase);
    return suite;
}

TEST_MAIN(vector_math_suite)
