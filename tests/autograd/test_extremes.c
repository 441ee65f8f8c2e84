/* test_extremes.c - results that are ordinary numbers though squares on the way to them
 * overflow or vanish: norms of huge and tiny rows, means of large numbers, the mean
 * square, at each instruction-set level. */

#include "tape_fixture.h"

#include <float.h>
#include <math.h>

static const double tolerance = PRECISION(1e-14, 4e-6);

static void check_near(double found, double expected, double size, const char *what, int64_t i)
{
    if (!(fabs(found - expected) <= tolerance * size))
        ck_abort_msg("%s[%lld] is %.17g, expected %.17g", what, (long long)i, found, expected);
}

/* ---- Norms ------------------------------------------------------------------------- */

enum { MOST_WIDTH = 600 };

/* A row in a unit of which its elements are ordinary numbers, and what a norm without eps
 * makes of it, the plain way: dx is the gradient by the row in that unit. */
typedef struct expectation {
    double row[MOST_WIDTH], y[MOST_WIDTH], dx[MOST_WIDTH], inverse;
} expectation;

static void expect(bool centred, int64_t n, const ag_real *dy, const ag_real *weight, expectation *e)
{
    double mean = 0, square = 0, mean_g = 0, mean_gn = 0;
    for (int64_t i = 0; centred && i < n; i++)
        mean += e->row[i] / (double)n;
    for (int64_t i = 0; i < n; i++)
        square += (e->row[i] - mean) * (e->row[i] - mean) / (double)n;
    const double inverse = e->inverse = 1 / sqrt(square);
    for (int64_t i = 0; i < n; i++) {
        const double normal = (e->row[i] - mean) * inverse, g = (double)dy[i] * (double)weight[i];
        e->y[i] = normal * (double)weight[i];
        mean_g += centred ? g / (double)n : 0;
        mean_gn += g * normal / (double)n;
    }
    for (int64_t i = 0; i < n; i++)
        e->dx[i] = inverse * ((double)dy[i] * (double)weight[i] - mean_g - (e->row[i] - mean) * inverse * mean_gn);
}

/* Rows of the size 2^exponent among ordinary ones, against the plain way in a unit of
 * 2^exponent. */
static void check_rows(bool centred, int64_t width, int exponent, double eps)
{
    enum { ROWS = 11 };
    static ag_real x[ROWS * MOST_WIDTH], dy[ROWS * MOST_WIDTH], weight[MOST_WIDTH];
    static expectation e;
    test_fill(x, ROWS * width, 1, -2, 2);
    test_fill(dy, ROWS * width, 2, -1, 1);
    test_fill(weight, width, 3, 0.5, 2);
    for (int64_t i = 0; i < ROWS * width; i++)
        x[i] = i / width % 3 == 1 ? (ag_real)ldexp((double)x[i], exponent) : x[i];
    ag_tensor *input = ag_variable(tape, AG_SHAPE(ROWS, width), x), *w = ag_constant(tape, AG_SHAPE(width), weight);
    ag_tensor *y = centred ? ag_layer_norm(input, w, NULL, eps) : ag_rms_norm(input, w, eps);
    ck_assert_int_eq(ag_backward_seeded(y, dy), AG_OK);
    for (int64_t r = 0; r < ROWS; r++) {
        const int own = r % 3 == 1 ? exponent : 0;
        for (int64_t i = 0; i < width; i++)
            e.row[i] = ldexp((double)x[r * width + i], -own);
        expect(centred, width, dy + r * width, weight, &e);
        for (int64_t i = 0; i < width; i++) {
            check_near((double)y->data[r * width + i], e.y[i], 2, "y", r * width + i);
            check_near(ldexp((double)input->grad[r * width + i], own), e.dx[i], 4 * e.inverse, "dx", r * width + i);
        }
    }
    ag_tape_rewind(tape);
}

/* Exponents from those whose gradient is still a number to those whose differences still
 * are. */
START_TEST(norms_of_huge_and_tiny_rows)
{
    static const int64_t widths[] = {2, 4, 7, 16, 33, 257, 600};
    static const int exponents[] = {PRECISION(-1000, -120), PRECISION(-700, -100), PRECISION(-500, -60),
                                    PRECISION(-440, -49),   PRECISION(490, 58),    PRECISION(520, 66),
                                    PRECISION(700, 100),    PRECISION(1000, 120)};
    for (size_t w = 0; w < sizeof widths / sizeof *widths; w++)
        for (size_t i = 0; i < sizeof exponents / sizeof *exponents; i++)
            for (int centred = 0; centred < 2; centred++) {
                check_rows(centred, widths[w], exponents[i], 0);
                if (exponents[i] > 0) /* no eps is seen beside such squares */
                    check_rows(centred, widths[w], exponents[i], PRECISION(1e-25, 1e-9));
            }
}
END_TEST

/* The largest numbers of all, whose differences overflow too; and the smallest. */
START_TEST(norms_at_the_ends_of_the_range)
{
    const ag_real most = (ag_real)PRECISION(DBL_MAX, FLT_MAX), least = (ag_real)PRECISION(0x1p-1074, 0x1p-149);
    const ag_real ends[] = {most, most, -most, -most, least, -least, least, -least};
    for (int centred = 0; centred < 2; centred++) {
        ag_tensor *x = ag_constant(tape, AG_SHAPE(2, 4), ends);
        ag_tensor *y = centred ? ag_layer_norm(x, NULL, NULL, 0) : ag_rms_norm(x, NULL, 0);
        for (int i = 0; i < 8; i++)
            check_near((double)y->data[i], ends[i] > 0 ? 1 : -1, 1, "y", i);
        ag_tape_rewind(tape);
    }
}
END_TEST

START_TEST(norms_of_four_known_rows)
{
    const double wanted[] = {-0.169030850945703, 0.507092552837110, 1.18321595661992, -1.52127765851133};
    const double small[] = {-1.34164078649987, -0.447213595499958, 0.447213595499958, 1.34164078649987};
    const double root[] = {0.365148371670111, 0.730296743340221, 1.09544511501033, 1.46059348668044};
    const double size = PRECISION(1e200, 1e30);
    ag_real rows[8];
    for (int i = 0; i < 4; i++) {
        rows[i] = (ag_real)(size * (i == 3 ? -1 : i + 1));
        rows[4 + i] = (ag_real)((i + 1) / size);
    }
    ag_tensor *x = ag_constant(tape, AG_SHAPE(2, 4), rows);
    ag_tensor *y = ag_layer_norm(x, NULL, NULL, 0), *z = ag_rms_norm(x, NULL, 0);
    for (int i = 0; i < 4; i++) {
        check_near((double)y->data[i], wanted[i], 1, "layer norm", i);
        check_near((double)y->data[4 + i], small[i], 1, "layer norm", 4 + i);
        check_near((double)z->data[4 + i], root[i], 1, "rms norm", 4 + i);
    }
}
END_TEST

/* Without eps a row of nothing but its mean becomes 0 and has the gradient 0. */
START_TEST(rows_without_a_deviation_are_zero)
{
    static const double values[] = {0, -0.0, 5, -1e-30, 1e30};
    for (size_t v = 0; v < sizeof values / sizeof *values; v++)
        for (int centred = values[v] != 0; centred < 2; centred++) {
            ag_real x[2 * 37], dy[2 * 37], weight[37];
            for (int i = 0; i < 2 * 37; i++)
                x[i] = (ag_real)values[v];
            test_fill(dy, 2 * 37, 1, -1, 1);
            test_fill(weight, 37, 2, 1, 2);
            ag_tensor *input = ag_variable(tape, AG_SHAPE(2, 37), x), *w = ag_variable(tape, AG_SHAPE(37), weight);
            ag_tensor *y = centred ? ag_layer_norm(input, w, NULL, 0) : ag_rms_norm(input, w, 0);
            ck_assert_int_eq(ag_backward_seeded(y, dy), AG_OK);
            for (int i = 0; i < 2 * 37; i++)
                ck_assert(y->data[i] == 0 && input->grad[i] == 0 && w->grad[i % 37] == 0);
            ag_tape_rewind(tape);
        }
}
END_TEST

/* An eps that is as small as the squares counts as it does among ordinary ones. */
START_TEST(a_tiny_eps_is_added_to_tiny_squares)
{
    static const int exponents[] = {-30, PRECISION(-470, -55), PRECISION(-480, -60)};
    const ag_real row[] = {1, 3, -2, (ag_real)0.5}, mean_square = (ag_real)((1 + 9 + 4 + 0.25) / 4);
    for (int e = 0; e < 3; e++) {
        ag_real x[4];
        for (int i = 0; i < 4; i++)
            x[i] = (ag_real)ldexp((double)row[i], exponents[e]);
        ag_tensor *y = ag_rms_norm(ag_constant(tape, AG_SHAPE(4), x), NULL, ldexp(2, 2 * exponents[e]));
        for (int i = 0; i < 4; i++)
            check_near((double)y->data[i], (double)row[i] / sqrt((double)mean_square + 2), 1, "y", i);
    }
}
END_TEST

/* NaN and infinity in a row stay its own. */
START_TEST(rows_that_are_no_numbers_stay_nan)
{
    static const double bad[] = {NAN, INFINITY, -INFINITY};
    for (int b = 0; b < 3; b++)
        for (int centred = 0; centred < 2; centred++) {
            ag_real x[3 * 40];
            test_fill(x, 3 * 40, 1, -1, 1);
            x[40 + 17] = (ag_real)bad[b];
            ag_tensor *input = ag_constant(tape, AG_SHAPE(3, 40), x);
            ag_tensor *y = centred ? ag_layer_norm(input, NULL, NULL, 0) : ag_rms_norm(input, NULL, 0);
            ck_assert(isnan(y->data[40 + 17]));
            for (int i = 0; i < 40; i++)
                ck_assert(isfinite(y->data[i]) && isfinite(y->data[80 + i]));
        }
}
END_TEST

/* ---- Means ------------------------------------------------------------------------- */

/* In one group of axes and in several, the sums of which overflow each by itself. */
START_TEST(means_of_large_numbers)
{
    const double large = PRECISION(1e300, 3e38);
    static const unsigned axes[] = {AG_ALL_AXES, AG_AXIS(0) | AG_AXIS(2), AG_AXIS(1)};
    ag_real x[7 * 5 * 8];
    for (int i = 0; i < 7 * 5 * 8; i++)
        x[i] = (ag_real)(large * (1 - 0.001 * (i % 3)));
    for (size_t a = 0; a < sizeof axes / sizeof *axes; a++) {
        ag_tensor *y = ag_mean(ag_constant(tape, AG_SHAPE(7, 5, 8), x), axes[a], false);
        for (int64_t i = 0; i < y->size; i++)
            check_near((double)y->data[i] / large, 0.999, PRECISION(1e12, 250), "mean", i); /* (0.9985 .. 0.9995) */
    }
}
END_TEST

START_TEST(the_mean_square_of_large_numbers)
{
    const double large = PRECISION(2e154, 2e19); /* whose square overflows, and a hundredth of it does not */
    ag_real a[100] = {0}, b[100];
    test_fill(b, 100, 1, -1, 1);
    a[41] = (ag_real)large;
    ag_tensor *y = ag_mse(ag_constant(tape, AG_SHAPE(100), a), ag_constant(tape, AG_SHAPE(100), b), AG_MEAN);
    check_near((double)y->data[0] / large, (double)a[41] / large * ((double)a[41] / 100), large, "mse", 0);
    y = ag_mse(ag_constant(tape, AG_SHAPE(100), a), ag_constant(tape, AG_SHAPE(100), b), AG_SUM);
    ck_assert(isinf(y->data[0]));
}
END_TEST

static void add_extremes(TCase *tests)
{
    tcase_add_checked_fixture(tests, tape_set_up, tape_tear_down);
    tcase_add_test(tests, norms_of_huge_and_tiny_rows);
    tcase_add_test(tests, norms_at_the_ends_of_the_range);
    tcase_add_test(tests, norms_of_four_known_rows);
    tcase_add_test(tests, rows_without_a_deviation_are_zero);
    tcase_add_test(tests, a_tiny_eps_is_added_to_tiny_squares);
    tcase_add_test(tests, rows_that_are_no_numbers_stay_nan);
    tcase_add_test(tests, means_of_large_numbers);
    tcase_add_test(tests, the_mean_square_of_large_numbers);
}

static Suite *extremes_suite(void)
{
    Suite *suite = suite_create("extremes");
    test_at_each_level(suite, add_extremes);
    return suite;
}

TEST_MAIN(extremes_suite)
