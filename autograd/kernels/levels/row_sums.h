/* row_sums.h - the sums of the rows of a matrix whose columns lie in one piece. */
#ifndef AUTOGRAD_KERNELS_ROW_SUMS_H
#define AUTOGRAD_KERNELS_ROW_SUMS_H

#include "level.h"

/* sum[v] += the sum over 0 <= p < depth, in order, of the vector v at a + p * step. Several vectors at a time, since an
 * addition waits for the one before. */
INLINE void sum_vectors(int vectors, const real *a, int64_t step, int64_t depth, vector sum[3])
{
    for (int64_t p = 0; p < depth; p++)
        for (int v = 0; v < vectors; v++)
            sum[v] += load(a + p * step + v * LANES);
}

INLINE void add_vectors(int vectors, const real *a, int64_t step, int64_t depth, real *sums)
{
    vector sum[3] = {{0}};
    sum_vectors(vectors, a, step, depth, sum);
    for (int v = 0; v < vectors; v++)
        store(sums + v * LANES, load(sums + v * LANES) + sum[v]);
}

/* The last `left` of `rows` rows, fewer than a vector has: as the end of a vector that begins with rows before them,
 * where there are so many. */
static inline void add_last_rows(const real *a, int64_t step, int64_t rows, int64_t left, int64_t depth, real *sums)
{
    vector sum[3] = {{0}};
    real lane[LANE_COUNT];
    if (rows >= LANES)
        sum_vectors(1, a + rows - LANES, step, depth, sum);
    else
        for (int64_t p = 0; p < depth; p++)
            sum[0] += load_some(a + p * step, rows);
    store(lane, sum[0]);
    const real *own = rows >= LANES ? lane + LANES - left : lane;
    for (int64_t i = 0; i < left; i++)
        sums[rows - left + i] += own[i];
}

/* sums[i] += the sum over 0 <= p < depth, in order, of a[i + p * step], for `rows` rows i. */
static inline void add_row_sums(const real *a, int64_t step, int64_t rows, int64_t depth, real *sums)
{
    int64_t i = 0;
    for (; i + 3 * LANES <= rows; i += 3 * LANES)
        add_vectors(3, a + i, step, depth, sums + i);
    for (; i + 2 * LANES <= rows; i += 2 * LANES)
        add_vectors(2, a + i, step, depth, sums + i);
    for (; i + LANES <= rows; i += LANES)
        add_vectors(1, a + i, step, depth, sums + i);
    if (i < rows)
        add_last_rows(a, step, rows, rows - i, depth, sums);
}

#endif
