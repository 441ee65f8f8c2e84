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

#endif
