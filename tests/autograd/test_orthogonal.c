/* test_orthogonal.c - Muon's directions: the formula in double, singular values, threads. */
#include "check_util.h"

#include <math.h>
#include <string.h>

/* ---- The formula, written out again ------------------------------------------------ */

/* c += factor a b for a [m, k] and b [k, n], or its transpose [n, k]. */
static void add_product(int m, int n, int k, const double *a, const double *b, bool turned, double factor, double *c)
{
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++)
            for (int p = 0; p < k; p++)
                c[i * n + j] += factor * a[i * k + p] * (turned ? b[j * k + p] : b[p * n + j]);
}

static double *doubles_new(int64_t size)
{
    double *x = calloc((size_t)size, sizeof *x);
    ck_assert_ptr_nonnull(x);
    return x;
}

/* x = 3.4445 x + (-4.7750 s + 2.0315 s s) x,  s = x x^T */
static void expect_step(int rows, int columns, double *x)
{
    double *s = doubles_new(rows * rows), *polynomial = doubles_new(rows * rows), *next = doubles_new(rows * columns);
    add_product(rows, rows, columns, x, x, true, 1, s);
    add_product(rows, rows, rows, s, s, false, 2.0315, polynomial);
    for (int i = 0; i < rows * rows; i++)
        polynomial[i] += -4.7750 * s[i];
    add_product(rows, columns, rows, polynomial, x, false, 1, next);
    for (int i = 0; i < rows * columns; i++)
        x[i] = 3.4445 * x[i] + next[i];
    free(s);
    free(polynomial);
    free(next);
}

/* x becomes what the gradient shall become, and `mean` the mean of the gradients. */
static void expect_direction(int rows, int columns, double momentum, double scale, const ag_real *gradient,
                             double *mean, double *x)
{
    double norm = 0;
    for (int i = 0; i < rows * columns; i++) {
        const double g = scale * (double)gradient[i];
        mean[i] = momentum * mean[i] + (1 - momentum) * g;
        x[i] = momentum * mean[i] + (1 - momentum) * g;
        norm = hypot(norm, x[i]);
    }
    for (int i = 0; i < rows * columns; i++)
        x[i] /= norm + 1e-7;
    for (int step = 0; step < 5; step++)
        expect_step(rows, columns, x);
    for (int i = 0; i < rows * columns && rows > columns; i++)
        x[i] *= sqrt((double)rows / columns);
}

/* ---- Comparisons ------------------------------------------------------------------- */

typedef struct fixture {
    int64_t size;
    ag_real *gradient, *mean, *workspace;
} fixture;

static fixture fixture_new(const ag_update_matrices *ranges, int count, int threads)
{
    const ag_update_matrices *last = &ranges[count - 1];
    fixture f = {.size = last->begin + last->count * last->rows * last->columns};
    f.gradient = ag_numbers_new(f.size);
    f.mean = ag_numbers_new(f.size);
    f.workspace = ag_numbers_new(ag_orthogonalize_numbers(ranges, count, threads));
    ck_assert(f.gradient && f.mean && f.workspace);
    return f;
}

static void fixture_clear(fixture *f)
{
    free(f->gradient);
    free(f->mean);
    free(f->workspace);
}

/* Within `tolerance` of the largest. */
static void check_near(int64_t size, const ag_real *found, const double *expected, double tolerance)
{
    double most = 1e-300;
    for (int64_t i = 0; i < size; i++)
        most = fmax(most, fabs(expected[i]));
    for (int64_t i = 0; i < size; i++)
        if (!(fabs((double)found[i] - expected[i]) <= tolerance * most))
            ck_abort_msg("element %d of %d is %.9g instead of %.9g (largest %g)", (int)i, (int)size, (double)found[i],
                         expected[i], most);
}

/* Three updates of one matrix, with gradients in [-most, most). */
static void check_shape(int rows, int columns, double most, double momentum)
{
    const ag_update_matrices range = {.count = 1, .rows = rows, .columns = columns};
    fixture f = fixture_new(&range, 1, 1);
    double *mean = doubles_new(f.size), *x = doubles_new(f.size);
    for (int t = 1; t <= 3; t++) {
        test_fill(f.gradient, f.size, (uint64_t)t, -most, most);
        expect_direction(rows, columns, momentum, 0.3, f.gradient, mean, x);
        ag_orthogonalize(momentum, 0.3, f.mean, f.gradient, &range, 1, 1, f.workspace);
        check_near(f.size, f.mean, mean, PRECISION(1e-14, 1e-6));
        check_near(f.size, f.gradient, x, PRECISION(1e-11, 1e-4));
    }
    free(mean);
    free(x);
    fixture_clear(&f);
}

static const int shapes[][2] = {{1, 1},   {1, 7},   {7, 1},   {2, 3},   {5, 5},    {16, 64},
                                {64, 16}, {33, 65}, {65, 33}, {96, 96}, {130, 40}, {40, 130}};
#define SHAPES ((int)(sizeof shapes / sizeof *shapes))

START_TEST(directions_are_the_formula)
{
    for (int i = 0; i < SHAPES; i++)
        for (int plain = 0; plain < 2; plain++)
            check_shape(shapes[i][0], shapes[i][1], 1, plain ? 0 : 0.95);
}
END_TEST

/* So large that squares overflow; so small that 1e-7 counts, that it alone counts, and
 * that there is hardly anything left. */
START_TEST(gradients_may_be_huge_and_tiny)
{
    const double sizes[] = {PRECISION(1e307, 1e38), PRECISION(1e160, 1e30), 1e-6, 1e-9, PRECISION(1e-200, 1e-30)};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        check_shape(12, 12, sizes[i], 0.95);
        check_shape(6, 20, sizes[i], 0.95);
        check_shape(20, 6, sizes[i], 0.95);
    }
}
END_TEST

START_TEST(no_gradient_gives_no_direction)
{
    const ag_update_matrices range = {.count = 2, .rows = 6, .columns = 4};
    fixture f = fixture_new(&range, 1, 1);
    ag_orthogonalize(0.9, 1, f.mean, f.gradient, &range, 1, 1, f.workspace);
    for (int64_t i = 0; i < f.size; i++)
        ck_assert(f.gradient[i] == 0 && f.mean[i] == 0);
    fixture_clear(&f);
}
END_TEST

/* ---- Singular values --------------------------------------------------------------- */

/* Rotates rows i and j of x until they are orthogonal (Hestenes 1958). */
static void rotate_rows(int columns, double *i, double *j)
{
    double a = 0, b = 0, c = 0;
    for (int k = 0; k < columns; k++)
        a += i[k] * i[k], b += j[k] * j[k], c += i[k] * j[k];
    const double angle = 0.5 * atan2(2 * c, a - b), cosine = cos(angle), sine = sin(angle);
    for (int k = 0; k < columns; k++) {
        const double before = i[k];
        i[k] = cosine * before + sine * j[k];
        j[k] = cosine * j[k] - sine * before;
    }
}

/* The smallest and the largest singular value of x [rows, columns], rows <= columns. */
static void singular_values(int rows, int columns, double *x, double *least, double *most)
{
    for (int sweep = 0; sweep < 12; sweep++)
        for (int i = 0; i < rows; i++)
            for (int j = 0; j < i; j++)
                rotate_rows(columns, x + i * columns, x + j * columns);
    *least = INFINITY, *most = 0;
    for (int i = 0; i < rows; i++) {
        double sum = 0;
        for (int k = 0; k < columns; k++)
            sum += x[i * columns + k] * x[i * columns + k];
        *least = fmin(*least, sqrt(sum));
        *most = fmax(*most, sqrt(sum));
    }
}

/* Drawn matrices of these shapes have singular values that differ by a factor of 4 at
 * most. The direction of a tall one is that of the wide one, turned, and larger. */
START_TEST(singular_values_come_close_to_one)
{
    enum { SHORT = 20, LONG = 60 };
    const ag_update_matrices wide = {.count = 1, .rows = SHORT, .columns = LONG},
                             tall = {.count = 1, .rows = LONG, .columns = SHORT};
    fixture f = fixture_new(&wide, 1, 1), turned = fixture_new(&tall, 1, 1);
    double x[SHORT * LONG], least, most;
    test_fill(f.gradient, f.size, 5, -1, 1);
    for (int i = 0; i < SHORT * LONG; i++)
        turned.gradient[i % LONG * SHORT + i / LONG] = f.gradient[i];
    ag_orthogonalize(0.95, 1, f.mean, f.gradient, &wide, 1, 1, f.workspace);
    ag_orthogonalize(0.95, 1, turned.mean, turned.gradient, &tall, 1, 1, turned.workspace);
    for (int i = 0; i < SHORT * LONG; i++)
        x[i] = sqrt(3) * (double)f.gradient[i];
    for (int i = 0; i < SHORT * LONG; i++)
        ck_assert_double_eq_tol((double)turned.gradient[i % LONG * SHORT + i / LONG], x[i], PRECISION(1e-13, 1e-5));
    for (int i = 0; i < SHORT * LONG; i++)
        x[i] = (double)f.gradient[i];
    singular_values(SHORT, LONG, x, &least, &most);
    ck_assert_msg(least > 0.68 && most < 1.14, "singular values from %g to %g", least, most);
    fixture_clear(&f);
    fixture_clear(&turned);
}
END_TEST

/* ---- Many matrices ----------------------------------------------------------------- */

/* Ranges with a gap between them and several matrices in some. */
static const ag_update_matrices ranges[] = {
    {3, 3, 48, 48}, {3 + 3 * 48 * 48 + 5, 1, 96, 48}, {20000, 2, 30, 60}, {30000, 1, 1, 50}};
enum { RANGES = 4 };

static bool in_a_range(int64_t at)
{
    for (int i = 0; i < RANGES; i++)
        if (at >= ranges[i].begin && at < ranges[i].begin + ranges[i].count * ranges[i].rows * ranges[i].columns)
            return true;
    return false;
}

/* A matrix has the same bits alone as among others, at any number of threads, and what is
 * not a matrix stays. */
START_TEST(matrices_do_not_depend_on_each_other)
{
    fixture one = fixture_new(ranges, RANGES, 1);
    test_fill(one.gradient, one.size, 1, -1, 1);
    for (int i = 0; i < RANGES; i++)
        for (int64_t m = 0; m < ranges[i].count; m++) {
            const ag_update_matrices single = {ranges[i].begin + m * ranges[i].rows * ranges[i].columns, 1,
                                               ranges[i].rows, ranges[i].columns};
            ag_orthogonalize(0.9, 2, one.mean, one.gradient, &single, 1, 1, one.workspace);
        }
    for (int threads = 1; threads <= 16; threads *= 2) {
        fixture f = fixture_new(ranges, RANGES, threads);
        ag_real *before = ag_numbers_new(f.size);
        ck_assert_ptr_nonnull(before);
        test_fill(before, f.size, 1, -1, 1);
        memcpy(f.gradient, before, (size_t)f.size * sizeof *before);
        const int64_t allocations = test_allocations();
        ag_orthogonalize(0.9, 2, f.mean, f.gradient, ranges, RANGES, threads, f.workspace);
        ck_assert_int_eq(test_allocations() - allocations, 0);
        ck_assert_int_eq(memcmp(f.gradient, one.gradient, (size_t)f.size * sizeof *before), 0);
        ck_assert_int_eq(memcmp(f.mean, one.mean, (size_t)f.size * sizeof *before), 0);
        for (int64_t i = 0; i < f.size; i++)
            if (!in_a_range(i) && (f.gradient[i] != before[i] || f.mean[i] != 0))
                ck_abort_msg("element %d belongs to no matrix and was changed", (int)i);
        free(before);
        fixture_clear(&f);
    }
    fixture_clear(&one);
}
END_TEST

START_TEST(none_is_nothing)
{
    ck_assert_int_eq(ag_orthogonalize_numbers(NULL, 0, 4), 0);
    ag_orthogonalize(0.9, 1, NULL, NULL, NULL, 0, 4, NULL);
}
END_TEST

static void add_level_tests(TCase *tests)
{
    tcase_add_test(tests, directions_are_the_formula);
    tcase_add_test(tests, gradients_may_be_huge_and_tiny);
    tcase_add_test(tests, no_gradient_gives_no_direction);
    tcase_add_test(tests, singular_values_come_close_to_one);
    tcase_add_test(tests, matrices_do_not_depend_on_each_other);
    tcase_add_test(tests, none_is_nothing);
}

static Suite *orthogonal_suite(void)
{
    Suite *suite = suite_create("orthogonal");
    test_at_each_level(suite, add_level_tests);
    return suite;
}

TEST_MAIN(orthogonal_suite)
