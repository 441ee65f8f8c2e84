/* row_sums.h - the sums of the rows of a matrix with contiguous columns.
 *
 * A call adds its columns in groups to long sums of its own, and those to the caller's
 * sums at the end. So the caller's sums have the same bits whether earlier columns
 * were added by this thread or by another. */
#ifndef AUTOGRAD_KERNELS_ROW_SUMS_H
#define AUTOGRAD_KERNELS_ROW_SUMS_H

#include "sums.h"

/* sums[i] += lane first + i of `sum`, for i < count. sums[i + rest] collects what the
 * additions round off. */
static inline void add_lanes(const long_sum *sum, int64_t first, int64_t count, double *sums, int64_t rest)
{
    double lane[2 * VECTOR_BYTES / sizeof(double)];
    memcpy(lane, &sum->first, VECTOR_BYTES);
    memcpy((char *)lane + VECTOR_BYTES, &sum->second, VECTOR_BYTES);
    for (int64_t i = 0; i < count; i++) {
        const double low = sizeof(ag_real) == sizeof(double) ? lane[LANES + first + i] : 0;
        scalar_sum own = {sums[i], sums[i + rest] + low};
        scalar_sum_add(&own, lane[first + i]);
        sums[i] = own.high;
        sums[i + rest] = own.low;
    }
}

/* The sums over 0 <= p < depth of the vectors at a + p * step; only the first `count`
 * lanes are read. */
INLINE long_sum sum_columns(const ag_real *a, int64_t step, int64_t count, int64_t depth)
{
    long_sum sum = {{0}, {0}};
    for (int64_t p = 0; p < depth; p += SUM_GROUP) {
        vector group = {0};
        for (int64_t q = p; q < depth && q < p + SUM_GROUP; q++)
            group += count < LANES ? load_some(a + q * step, count) : load(a + q * step);
        long_sum_add(&sum, group);
    }
    return sum;
}

/* sums[i] += the sum over 0 <= p < depth of a[i + p * step], for i < rows; sums[i + rest]
 * collects what that rounds off. The last rows, fewer than a vector's lanes, are read as
 * the end of a vector that begins in the rows before them, if there are enough. */
static inline void add_row_sums(const ag_real *a, int64_t step, int64_t rows, int64_t depth, double *sums, int64_t rest)
{
    int64_t i = 0;
    for (; i + LANES <= rows; i += LANES) {
        const long_sum sum = sum_columns(a + i, step, LANES, depth);
        add_lanes(&sum, 0, LANES, sums + i, rest);
    }
    if (i == rows)
        return;
    const int64_t before = rows < LANES ? 0 : LANES - (rows - i);
    const long_sum sum = sum_columns(a + i - before, step, rows < LANES ? rows : LANES, depth);
    add_lanes(&sum, before, rows - i, sums + i, rest);
}

#endif
