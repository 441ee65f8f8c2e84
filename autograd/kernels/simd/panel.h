/* panel.h - how a product is cut into panels of B and slivers of A (a drawing:
 * README.md).
 *
 * product.c has the loops. pack_numbers.h or, at level bf16, pack_pairs.h makes the
 * copies: product.c includes one of the two, and both define the functions declared at
 * the end of this file. */
#ifndef AUTOGRAD_KERNELS_PANEL_H
#define AUTOGRAD_KERNELS_PANEL_H

#include "../product.h"

#include "tile.h"

#define K_STEP 512 /* units: the most rows of a panel */
#define N_STEP ((int64_t)256)

/* The copy of a sliver of A holds either its rows, SLIVER_ROW units apart, which spreads
 * them over the sets of the cache, or its columns. */
#define SLIVER_ROW  (K_STEP + 16)
#define SLIVER_SIZE (TILE_ROWS * SLIVER_ROW)
#define PANEL_SIZE  (K_STEP * (N_STEP + TILE_COLUMNS))
/* Slivers that are copied together. Columns of a transposed A are read over the height
 * of a group, which is longer than one sliver's. */
#define GROUP      4
#define GROUP_ROWS (GROUP * TILE_ROWS)

/* A panel of B: rows p0 .. p0 + depth - 1, counted in units, of the columns
 * column .. column + columns - 1. */
typedef struct product_panel {
    int64_t p0, depth, column, columns;
} product_panel;

/* The depth of a panel in numbers. */
static inline int64_t numbers_in(const product_task *task, const product_panel *panel)
{
    return smaller(panel->depth * UNIT_NUMBERS, task->k - panel->p0 * UNIT_NUMBERS);
}

/* Where the copy of a panel has the sliver of the columns from j on: for each p the units
 * (p, j + 0..). Its units after the panel's last column are never read. */
static inline unit *sliver_of_b(const product_panel *panel, unit *copy, int64_t j)
{
    return copy + j * panel->depth;
}

/* Rows of A as tiles read them: unit (i, p) is at a[i * row + p * column]. */
typedef struct rows_of_a {
    const unit *a;
    int64_t row, column;
} rows_of_a;

/* Columns of B as tiles read them: units (p, j + 0..) of the sliver of the columns
 * from j on are at b[p * row + j * column]. */
typedef struct columns_of_b {
    const unit *b;
    int64_t row, column;
} columns_of_b;

/* ---- Defined by pack_numbers.h and by pack_pairs.h --------------------------------- */

/* Copies a panel, sliver after sliver (sliver_of_b). It may be wider than N_STEP. */
static void copy_panel(const product_task *task, const product_panel *panel, unit *copy);
/* A panel as tiles read it: copied to `copy` [PANEL_SIZE], or where it lies. */
static columns_of_b panel_of_b(const product_task *task, const product_panel *panel, unit *copy);
/* Whether tiles read A where it lies. */
static bool a_needs_no_copy(const product_task *task);
/* Copies a panel's share of rows row .. row + rows - 1 of A, a group of slivers, if
 * they are copied together. `copy` [GROUP * SLIVER_SIZE] is the same in the next two. */
static void copy_group(const product_task *task, int64_t row, int64_t rows, const product_panel *panel, unit *copy);
/* Adds that share of the rows' sums to a_sums. a_row is 1. */
static void sum_group(const product_task *task, int64_t row, int64_t rows, const product_panel *panel,
                      const unit *copy);
/* Rows begin .. end - 1 of the group that begins at `row`, a sliver, as tiles read
 * them. */
static rows_of_a sliver_of_a(const product_task *task, int64_t row, int64_t begin, int64_t end,
                             const product_panel *panel, unit *copy);

#endif
