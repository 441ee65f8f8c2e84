/* test_levels_elementwise.c - functions of elements, sums and dropout: every level
 * against level plain. */
#include "level_util.h"

#include <math.h>
#include <string.h>

static const int64_t sizes[] = {0, 1, 2, 3, 4, 7, 8, 15, 16, 17, 31, 33, 63, 64, 100, 257, 1000};
enum { SIZES = sizeof sizes / sizeof *sizes };

/* Arguments of a function: those of a logarithm and a root are positive. Some gradients
 * are 0, and there the argument may be anything. */
typedef struct arguments {
    int64_t n;
    ag_real *x, *y, *dy, *dx;
} arguments;

static arguments arguments_new(kernel_unary f, int64_t n, uint64_t seed)
{
    const bool is_positive = f == UNARY_LOG || f == UNARY_SQRT;
    arguments a = {n, level_numbers(n, seed, is_positive ? 0.01 : -6, 6), level_numbers(n, 0, 0, 0),
                   level_numbers(n, seed + 1, -1, 1), level_numbers(n, seed + 2, -1, 1)};
    level_plain()->elementwise->unary(f, (ag_real)0.7, n, a.x, a.y);
    for (int64_t i = 2; i < n; i += 5) {
        a.dy[i] = 0;
        a.x[i] = a.y[i] = i % 2 ? (ag_real)NAN : (ag_real)INFINITY;
    }
    return a;
}

static void arguments_free(arguments *a)
{
    free(a->x);
    free(a->y);
    free(a->dy);
    free(a->dx);
}

static ag_real *unary_of(const kernel_table *level, kernel_unary f, const arguments *a)
{
    ag_real *y = level_copy(a->n, a->x);
    level->elementwise->unary(f, (ag_real)0.7, a->n, a->n % 2 ? y : a->x, y); /* (where x is, too) */
    return y;
}

static ag_real *unary_backward_of(const kernel_table *level, kernel_unary f, const arguments *a, bool add)
{
    ag_real *dx = level_copy(a->n, add ? a->dx : a->dy);
    level->elementwise->unary_backward(f, (ag_real)0.7, a->n, a->x, a->y, add || a->n % 2 ? a->dy : dx, dx, add);
    return dx;
}

START_TEST(functions_of_one_number)
{
    for (kernel_unary f = UNARY_NEG; f <= UNARY_SILU; f++)
        for (int s = 0; s < SIZES; s++) {
            arguments a = arguments_new(f, sizes[s], (uint64_t)s);
            ag_real *y = unary_of(level_at(_i), f, &a), *wanted = unary_of(level_plain(), f, &a);
            /* (this gelu is an exponential of a rounded number, whose error grows with
             * it) */
            level_compare("y", a.n, y, wanted, f == UNARY_GELU_TANH ? 100 : 4, 0);
            free(y);
            free(wanted);
            for (int add = 0; add < 2; add++) {
                y = unary_backward_of(level_at(_i), f, &a, add);
                wanted = unary_backward_of(level_plain(), f, &a, add);
                level_compare("dx", a.n, y, wanted, 6, 1);
                free(y);
                free(wanted);
            }
            arguments_free(&a);
        }
}
END_TEST

static void check_binary(int level, kernel_binary f, int64_t n, int steps)
{
    const uint64_t seed = (uint64_t)(n + steps);
    ag_real *a = level_numbers(n + 1, seed, 0.1, 3), *b = level_numbers(n + 1, seed + 1, 0.1, 3);
    ag_real *dy = level_numbers(n, seed + 2, -1, 1), *before = level_numbers(n, seed + 3, -1, 1);
    const kernel_operand left = {a, steps & 1}, right = {b, steps >> 1};
    ag_real *y = level_copy(n, a), *wanted = level_copy(n, a);
    level_at(level)->elementwise->binary(f, n, steps & 1 ? (kernel_operand){y, 1} : left, right, y);
    level_plain()->elementwise->binary(f, n, left, right, wanted);
    level_compare("y", n, y, wanted, 2, 0);
    for (int64_t i = 1; i < n; i += 4) {
        dy[i] = 0;
        wanted[i] = (ag_real)NAN;
    }
    for (int side = 0; side < 2; side++) {
        ag_real *gradient = level_copy(n, before), *wanted_gradient = level_copy(n, before);
        level_at(level)->elementwise->binary_backward(f, side, n, left, right, wanted, dy, gradient);
        level_plain()->elementwise->binary_backward(f, side, n, left, right, wanted, dy, wanted_gradient);
        level_compare(side ? "db" : "da", n, gradient, wanted_gradient, 4, 30);
        free(gradient);
        free(wanted_gradient);
    }
    free(a);
    free(b);
    free(dy);
    free(before);
    free(y);
    free(wanted);
}

START_TEST(functions_of_two_numbers)
{
    for (kernel_binary f = BINARY_ADD; f <= BINARY_POW; f++)
        for (int s = 0; s < SIZES; s++)
            for (int steps = 0; steps < 4; steps++)
                check_binary(_i, f, sizes[s], steps);
}
END_TEST

/* ---- Sums -------------------------------------------------------------------------- */

START_TEST(sums_of_arrays)
{
    for (int s = 0; s < SIZES; s++) {
        const int64_t n = sizes[s];
        ag_real *x = level_numbers(n, (uint64_t)s, -1, 3), *y = level_numbers(n, (uint64_t)s + 1, -1, 1);
        ag_real *added[] = {level_copy(n, y), level_copy(n, y)};
        const kernel_elementwise *kernels[] = {level_at(_i)->elementwise, level_plain()->elementwise};
        ag_real sum[2];
        for (int k = 0; k < 2; k++) {
            kernels[k]->add(n, x, added[k]);
            kernels[k]->axpy(n, (ag_real)0.3, x, added[k]);
            sum[k] = (ag_real)kernels[k]->sum(n, x);
        }
        level_compare("y", n, added[0], added[1], 3, 3);
        level_compare("sum", 1, &sum[0], &sum[1], 1, 0);
        for (int k = 0; k < 2; k++)
            free(added[k]);
        free(x);
        free(y);
    }
}
END_TEST

/* Rows in their order or in another, one twice. */
START_TEST(sums_of_columns)
{
    enum { ROWS = 21 };
    int64_t order[ROWS];
    for (int64_t r = 0; r < ROWS; r++)
        order[r] = (r * 8 + 3) % (ROWS - 1);
    for (int s = 0; s < SIZES; s++)
        for (int form = 0; form < 4; form++) {
            const int64_t n = sizes[s], step = n + form % 2 * 3, count = (ROWS - 1) * step + n;
            ag_real *x = level_numbers(count, (uint64_t)s, -1, 1);
            double *sums = calloc(2 * (size_t)n + 1, sizeof *sums);
            ck_assert_ptr_nonnull(sums);
            for (int64_t c = 0; c < n; c++)
                sums[c] = sums[n + c] = (double)c;
            level_at(_i)->elementwise->accumulate(ROWS, n, step, form / 2 ? order : NULL, x, sums);
            level_plain()->elementwise->accumulate(ROWS, n, step, form / 2 ? order : NULL, x, sums + n);
            for (int64_t c = 0; c < n; c++)
                ck_assert_double_eq_tol(sums[c], sums[n + c], 1e-12);
            free(sums);
            free(x);
        }
}
END_TEST

START_TEST(the_largest_element_and_whether_all_are_finite)
{
    for (int s = 1; s < SIZES; s++)
        for (int64_t at = 0; at < sizes[s]; at += 1 + sizes[s] / 20)
            for (int kind = 0; kind < 4; kind++) {
                const ag_real odd[] = {0, (ag_real)NAN, (ag_real)INFINITY, -(ag_real)INFINITY};
                ag_real *x = level_numbers(sizes[s], (uint64_t)s, -1, 1);
                x[at] = odd[kind];
                x[sizes[s] - 1] = odd[kind];
                ck_assert_int_eq(level_at(_i)->elementwise->argmax(sizes[s], x),
                                 level_plain()->elementwise->argmax(sizes[s], x));
                ck_assert_int_eq(level_at(_i)->elementwise->all_finite(sizes[s], x),
                                 level_plain()->elementwise->all_finite(sizes[s], x));
                free(x);
            }
}
END_TEST

/* ---- Dropout ----------------------------------------------------------------------- */

START_TEST(dropouts)
{
    static const double chances[] = {0, 0.3, 0.999, 1};
    for (int s = 0; s < SIZES; s++)
        for (int form = 0; form < 16; form++) {
            const int64_t n = sizes[s], first = form * 7 + (form % 3 ? 0 : (INT64_C(1) << 34) - 50);
            const kernel_dropout mask = kernel_dropout_make(11 + ((uint64_t)form << 35), 3, 5, chances[form / 4]);
            ag_real *x = level_numbers(n, (uint64_t)s, -1, 1), *y = level_copy(n, x), *wanted = level_copy(n, x);
            level_at(_i)->elementwise->dropout(&mask, first, n, form % 2 ? x : y, y, form % 2);
            level_plain()->elementwise->dropout(&mask, first, n, x, wanted, form % 2);
            level_compare("y", n, y, wanted, form % 2, 1); /* exactly, but for a fused addition */
            free(x);
            free(y);
            free(wanted);
        }
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("levels/elementwise");
    level_add_loop(suite, "unary", functions_of_one_number);
    level_add_loop(suite, "binary", functions_of_two_numbers);
    level_add_loop(suite, "sums", sums_of_arrays);
    level_add_loop(suite, "columns", sums_of_columns);
    level_add_loop(suite, "found", the_largest_element_and_whether_all_are_finite);
    level_add_loop(suite, "dropout", dropouts);
    return suite;
}

TEST_MAIN(make_suite)
