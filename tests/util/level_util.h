/* level_util.h - comparing the kernels of a level with those of level plain. */
#ifndef TESTS_LEVEL_UTIL_H
#define TESTS_LEVEL_UTIL_H

#include "check_util.h"
#include "kernels/kernels.h"

/* The level of that number in test_levels, and level plain. Levels are taken by name, so
 * a test can use both; level 0 is plain itself. */
const kernel_table *level_at(int level);
const kernel_table *level_plain(void);

/* Adds `test` to the suite once for each level of this processor but plain, as _i. */
void level_add_loop(Suite *suite, const char *name, const TTest *test);

/* A heap block of exactly `count` numbers, drawn in [low, high) from `seed`; without
 * bounds (low = high) all are `low`. */
ag_real *level_numbers(int64_t count, uint64_t seed, double low, double high);
/* A copy of x [count] in a heap block of its own. */
ag_real *level_copy(int64_t count, const ag_real *x);

/* Fails unless each |found - wanted| is at most `roundings` times eps times the larger of
 * |wanted| and `size`, where infinities and NaN are the same ones. */
void level_compare(const char *what, int64_t count, const ag_real *found, const ag_real *wanted, double roundings,
                   double size);

#endif
