/* pack_numbers.h - copies of A and B for tiles that multiply numbers. */
#ifndef AUTOGRAD_KERNELS_PACK_NUMBERS_H
#define AUTOGRAD_KERNELS_PACK_NUMBERS_H

#include "panel.h"
#include "row_sums.h"
#include "transpose.h"

#include <string.h>

/* ---- Panels of B ------------------------------------------------------------------- */

/* A panel of contiguous rows. Reads one row after the other, over the panel's whole
 * width, in the order of memory. The last vector of a row may reach into the next row,
 * but not beyond the end of B. */
static void pack_rows(const product_task *task, const product_panel *panel, ag_real *copy)
{
    const ag_real *end = task->b + (task->k - 1) * task->b_row + task->n;
    const int64_t whole = panel->columns / TILE_COLUMNS * TILE_COLUMNS;
    for (int64_t p = 0; p < panel->depth; p++) {
        const ag_real *b = task->b + (panel->p0 + p) * task->b_row + panel->column;
        const int64_t ahead = p + 4 < panel->depth ? 4 * task->b_row : 0;
        ag_real *out = copy + p * TILE_COLUMNS;
        for (int64_t j = 0; j < whole; j += TILE_COLUMNS, out += TILE_COLUMNS * panel->depth)
            for (int v = 0; v < TILE_VECTORS; v++) {
                __builtin_prefetch(b + ahead + j + v * LANES);
                store(out + v * LANES, load(b + j + v * LANES));
            }
        for (int64_t j = whole; j < panel->columns; j += LANES, out += LANES)
            if (end - (b + j) >= LANES)
                store(out, load(b + j));
            else
                store(out, load_some(b + j, panel->columns - j));
    }
}

static void prefetch_square(const ag_real *b, int64_t b_column, int64_t width)
{
    for (int64_t i = 0; i < width; i++)
        __builtin_prefetch(b + i * b_column);
}

/* Copies LANES columns of B, of which `width` exist, to the same columns of a sliver.
 * Contiguous columns, as a transposed weight has, go by squares that are transposed in
 * registers; the last square overlaps the one before. */
static void pack_lanes(const product_task *task, const ag_real *b, int64_t depth, int64_t width, ag_real *out)
{
    if (task->b_row == 1 && depth >= LANES) {
        for (int64_t p = 0; p < depth; p += LANES) {
            const int64_t from = smaller(p, depth - LANES);
            if (p + 5 * LANES <= depth)
                prefetch_square(b + p + 4 * LANES, task->b_column, width);
            if (width == LANES)
                transpose(LANES, b + from, task->b_column, out + from * TILE_COLUMNS, TILE_COLUMNS);
            else
                transpose(width, b + from, task->b_column, out + from * TILE_COLUMNS, TILE_COLUMNS);
        }
        return;
    }
    for (int64_t p = 0; p < depth; p++)
        for (int64_t i = 0; i < width; i++)
            out[p * TILE_COLUMNS + i] = b[p * task->b_row + i * task->b_column];
}

/* A panel whose rows are not contiguous. */
static void pack_columns(const product_task *task, const product_panel *panel, ag_real *copy)
{
    for (int64_t j = 0; j < panel->columns; j += LANES) {
        const ag_real *b = task->b + panel->p0 * task->b_row + (panel->column + j) * task->b_column;
        ag_real *out = sliver_of_b(panel, copy, j / TILE_COLUMNS * TILE_COLUMNS) + j % TILE_COLUMNS;
        pack_lanes(task, b, panel->depth, smaller(panel->columns - j, LANES), out);
    }
}

/* Whether tiles read the panel where it lies: its rows are close enough for the
 * processor's own prefetching, too few rows of A use it for a copy to pay, and its
 * last vectors do not reach beyond B. */
static bool b_needs_no_copy(const product_task *task, const product_panel *panel)
{
    return task->b_column == 1 && task->b_row <= 512 && task->m <= 64 &&
           panel->column + ceil_div(panel->columns, LANES) * LANES <= task->n;
}

static void copy_panel(const product_task *task, const product_panel *panel, ag_real *copy)
{
    if (task->b_column == 1)
        pack_rows(task, panel, copy);
    else
        pack_columns(task, panel, copy);
}

static columns_of_b panel_of_b(const product_task *task, const product_panel *panel, ag_real *copy)
{
    if (b_needs_no_copy(task, panel))
        return (columns_of_b){task->b + panel->p0 * task->b_row + panel->column, task->b_row, 1};
    copy_panel(task, panel, copy);
    return (columns_of_b){copy, TILE_COLUMNS, panel->depth};
}

/* ---- Slivers of A ------------------------------------------------------------------ */

/* Contiguous rows or columns need no copy, unless their distance makes a tile's elements
 * compete for the same few sets of the first-level cache: a multiple of 4096 bytes for
 * rows, more than 512 bytes for columns, of which a tile reads many. */
static bool a_needs_no_copy(const product_task *task)
{
    const size_t row = (size_t)task->a_row * sizeof(ag_real), column = (size_t)task->a_column * sizeof(ag_real);
    return task->a_column == 1 ? row % 4096 != 0 : task->a_row == 1 && column <= 512;
}

/* Copies a sliver row by row. */
static void copy_rows(const product_task *task, int64_t row, int64_t rows, const product_panel *panel, ag_real *copy)
{
    for (int64_t i = 0; i < rows; i++) {
        const ag_real *a = task->a + (row + i) * task->a_row + panel->p0;
        int64_t p = 0;
        for (; p + LANES <= panel->depth; p += LANES)
            store(copy + i * SLIVER_ROW + p, load(a + p));
        for (; p < panel->depth; p++)
            copy[i * SLIVER_ROW + p] = a[p];
    }
}

/* Copies a group of slivers column by column: contiguous columns, as a transposed
 * gradient has, or any others. The last vector of a column may reach beyond the group,
 * but not beyond A's last row. */
static void copy_columns(const product_task *task, int64_t row, int64_t rows, const product_panel *panel, ag_real *copy)
{
    const bool whole = task->a_row == 1 && row + (rows + LANES - 1) / LANES * LANES <= task->m;
    for (int64_t p = 0; p < panel->depth; p++, copy += GROUP_ROWS) {
        const ag_real *a = task->a + row * task->a_row + (panel->p0 + p) * task->a_column;
        if (whole)
            for (int64_t i = 0; i < rows; i += LANES)
                store(copy + i, load(a + i));
        else
            for (int64_t i = 0; i < rows; i++)
                copy[i] = a[i * task->a_row];
    }
}

static void copy_group(const product_task *task, int64_t row, int64_t rows, const product_panel *panel, ag_real *copy)
{
    if (task->a_column != 1 && !a_needs_no_copy(task))
        copy_columns(task, row, rows, panel, copy);
}

static void sum_group(const product_task *task, int64_t row, int64_t rows, const product_panel *panel,
                      const ag_real *copy)
{
    const bool is_copied = task->a_column != 1 && !a_needs_no_copy(task);
    const ag_real *a = is_copied ? copy : task->a + row + panel->p0 * task->a_column;
    add_row_sums(a, is_copied ? GROUP_ROWS : task->a_column, rows, panel->depth, task->a_sums + row, task->m);
}

static rows_of_a sliver_of_a(const product_task *task, int64_t row, int64_t begin, int64_t end,
                             const product_panel *panel, ag_real *copy)
{
    if (a_needs_no_copy(task))
        return (rows_of_a){task->a + (row + begin) * task->a_row + panel->p0 * task->a_column, task->a_row,
                           task->a_column};
    if (task->a_column != 1)
        return (rows_of_a){copy + begin, 1, GROUP_ROWS};
    copy_rows(task, row + begin, end - begin, panel, copy);
    return (rows_of_a){copy, SLIVER_ROW, 1};
}

#endif
