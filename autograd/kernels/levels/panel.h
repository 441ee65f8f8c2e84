/* panel.h - how a product is cut into copies, whatever these are made of. */
#ifndef AUTOGRAD_KERNELS_PANEL_H
#define AUTOGRAD_KERNELS_PANEL_H

#include "../product.h"

#include "tile.h"

#define K_STEP 512 /* units */
#define N_STEP ((int64_t)256)

/* A sliver of A is copied by rows, with a step that spreads them over the cache's sets, or by columns. */
#define SLIVER_ROW  (K_STEP + 16)
#define SLIVER_SIZE (TILE_ROWS * SLIVER_ROW)
#define PANEL_SIZE  (K_STEP * (N_STEP + TILE_COLUMNS))
/* Slivers that are copied together: of a transposed A, columns are read as long as these are high. */
#define GROUP      4
#define GROUP_ROWS (GROUP * TILE_ROWS)

/* A panel of B: rows p0 .. p0 + depth - 1, counted in units, and columns column .. column + columns - 1. */
typedef struct panel {
    int64_t p0, depth, column, columns;
} panel;

/* The depth of a panel in numbers. */
static inline int64_t numbers_in(const product_task *task, const panel *part)
{
    return smaller(part->depth * UNIT_NUMBERS, task->k - part->p0 * UNIT_NUMBERS);
}

/* Where the sliver of the columns j .. of a panel is in its copy: for each p the units (p, j + 0..). What it holds
 * beyond the last column is never looked at. */
static inline unit *sliver_of_b(const panel *part, unit *copy, int64_t j)
{
    return copy + j * part->depth;
}

/* Rows of A, and columns of a panel of B, as tiles take them: unit (i, p) is at a[i * row + p * column]; the units
 * (p, j + 0..) of the sliver of the columns j .. are at b[p * row + j * column]. */
typedef struct rows_of_a {
    const unit *a;
    int64_t row, column;
} rows_of_a;

typedef struct columns_of_b {
    const unit *b;
    int64_t row, column;
} columns_of_b;

/* sums[i] += the sum over 0 <= p < depth, in order, of a[i + p * step], for so many whole vectors of i; of the last
 * vector only for its first `last` lanes. Several vectors, since an addition waits for the one before. */
INLINE void add_vectors(int vectors, int64_t last, const real *a, int64_t step, int64_t depth, real *sums)
{
    vector sum[3] = {{0}};
    for (int64_t p = 0; p < depth; p++, a += step)
        for (int v = 0; v < vectors; v++)
            sum[v] += v < vectors - 1 || last == LANES ? load(a + v * LANES) : load_some(a + v * LANES, last);
    for (int v = 0; v < vectors; v++, sums += LANES)
        if (v < vectors - 1 || last == LANES)
            store(sums, load(sums) + sum[v]);
        else
            store_some(sums, load_some(sums, last) + sum[v], last);
}

/* The same for `rows` rows i. */
static inline void add_row_sums(const real *a, int64_t step, int64_t rows, int64_t depth, real *sums)
{
    int64_t i = 0;
    for (; i + 3 * LANES <= rows; i += 3 * LANES)
        add_vectors(3, LANES, a + i, step, depth, sums + i);
    for (; i + 2 * LANES <= rows; i += 2 * LANES)
        add_vectors(2, LANES, a + i, step, depth, sums + i);
    if (i + LANES <= rows) {
        add_vectors(1, LANES, a + i, step, depth, sums + i);
        i += LANES;
    }
    if (i < rows)
        add_vectors(1, rows - i, a + i, step, depth, sums + i);
}

#endif
