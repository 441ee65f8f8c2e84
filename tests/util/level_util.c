/* level_util.c - comparing the kernels of a level with those of level plain. */
#include "level_util.h"

#include <float.h>
#include <math.h>
#include <string.h>

const kernel_table *level_at(int level)
{
    const kernel_table *table = kernel_level(test_levels[level]);
    ck_assert_ptr_nonnull(table);
    return table;
}

const kernel_table *level_plain(void)
{
    return level_at(0);
}

void level_add_loop(Suite *suite, const char *name, const TTest *test)
{
    TCase *tests = tcase_create(name);
    tcase_set_timeout(tests, 120);
    tcase_add_loop_test(tests, test, 1, test_levels_here());
    suite_add_tcase(suite, tests);
}

ag_real *level_numbers(int64_t count, uint64_t seed, double low, double high)
{
    ag_real *numbers = malloc(count ? (size_t)count * sizeof *numbers : 1);
    ck_assert_ptr_nonnull(numbers);
    test_fill(numbers, count, seed, low, high);
    return numbers;
}

ag_real *level_copy(int64_t count, const ag_real *x)
{
    ag_real *copy = level_numbers(count, 0, 0, 0);
    memcpy(copy, x, (size_t)count * sizeof *copy);
    return copy;
}

void level_compare(const char *what, int64_t count, const ag_real *found, const ag_real *wanted, double roundings,
                   double size)
{
    const double eps = PRECISION(DBL_EPSILON, FLT_EPSILON);
    for (int64_t i = 0; i < count; i++) {
        const double a = (double)found[i], b = (double)wanted[i];
        const bool is_same =
            isfinite(b) ? fabs(a - b) <= roundings * eps * fmax(fabs(b), size) : (isnan(b) ? isnan(a) : a == b);
        if (!is_same)
            ck_abort_msg("%s[%lld] of %lld is %.17g, at level plain %.17g", what, (long long)i, (long long)count, a, b);
    }
}
