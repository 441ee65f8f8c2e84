/* pack_numbers.h - copies of A and B made of their numbers as they are. */
#ifndef AUTOGRAD_KERNELS_PACK_NUMBERS_H
#define AUTOGRAD_KERNELS_PACK_NUMBERS_H

#include "panel.h"
#include "row_sums.h"
#include "transpose.h"

#include <string.h>

/* ---- Panels of B ---------------------------------------------------------------------------- */

/* Rows of B lie in one piece: whole rows are read, so that they stream. The last vector of a row may read on into the
 * next row, where there is one. */
static void pack_rows(const product_task *task, const panel *part, ag_real *copy)
{
    const ag_real *end = task->b + (task->k - 1) * task->b_row + task->n;
    const int64_t whole = part->columns / TILE_COLUMNS * TILE_COLUMNS;
    for (int64_t p = 0; p < part->depth; p++) {
        const ag_real *b = task->b + (part->p0 + p) * task->b_row + part->column;
        const int64_t ahead = p + 4 < part->depth ? 4 * task->b_row : 0;
        ag_real *out = copy + p * TILE_COLUMNS;
        for (int64_t j = 0; j < whole; j += TILE_COLUMNS, out += TILE_COLUMNS * part->depth)
            for (int v = 0; v < TILE_VECTORS; v++) {
                __builtin_prefetch(b + ahead + j + v * LANES);
                store(out + v * LANES, load(b + j + v * LANES));
            }
        for (int64_t j = whole; j < part->columns; j += LANES, out += LANES)
            if (end - (b + j) >= LANES)
                store(out, load(b + j));
            else
                store(out, load_some(b + j, part->columns - j));
    }
}

static void prefetch_square(const ag_real *b, int64_t b_column, int64_t width)
{
    for (int64_t i = 0; i < width; i++)
        __builtin_prefetch(b + i * b_column);
}

/* LANES columns of B, of which there are `width`, to the same columns of a sliver. Where columns lie in one piece, such
 * as those of a transposed weight, by squares; the last square overlaps the one before. */
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

/* A panel whose rows do not lie in one piece. */
static void pack_columns(const product_task *task, const panel *part, ag_real *copy)
{
    for (int64_t j = 0; j < part->columns; j += LANES) {
        const ag_real *b = task->b + part->p0 * task->b_row + (part->column + j) * task->b_column;
        ag_real *out = sliver_of_b(part, copy, j / TILE_COLUMNS * TILE_COLUMNS) + j % TILE_COLUMNS;
        pack_lanes(task, b, part->depth, smaller(part->columns - j, LANES), out);
    }
}

/* Whether rows of B are as near to each other as a processor follows by itself, and used too seldom for a copy; and
 * the panel's last vectors do not reach behind B. */
static bool b_needs_no_copy(const product_task *task, const panel *part)
{
    return task->b_column == 1 && task->b_row <= 512 && task->m <= 64 &&
           part->column + parts_of(part->columns, LANES) * LANES <= task->n;
}

/* A panel for tiles, in `copy` if need be. */
static columns_of_b panel_of_b(const product_task *task, const panel *part, ag_real *copy)
{
    if (b_needs_no_copy(task, part))
        return (columns_of_b){task->b + part->p0 * task->b_row + part->column, task->b_row, 1};
    if (task->b_column == 1)
        pack_rows(task, part, copy);
    else
        pack_columns(task, part, copy);
    return (columns_of_b){copy, TILE_COLUMNS, part->depth};
}

/* ---- Slivers of A --------------------------------------------------------------------------- */

/* What lies in one piece needs no copy, unless it is so far apart that a tile's elements compete for the same few
 * places of the first-level cache: rows by their distance, columns by the many that a tile goes through. */
static bool a_needs_no_copy(const product_task *task)
{
    const size_t row = (size_t)task->a_row * sizeof(ag_real), column = (size_t)task->a_column * sizeof(ag_real);
    return task->a_column == 1 ? row % 4096 != 0 : task->a_row == 1 && column <= 512;
}

/* The sliver's elements, row behind row. */
static void copy_rows(const product_task *task, int64_t row, int64_t rows, const panel *part, ag_real *copy)
{
    for (int64_t i = 0; i < rows; i++) {
        const ag_real *a = task->a + (row + i) * task->a_row + part->p0;
        int64_t p = 0;
        for (; p + LANES <= part->depth; p += LANES)
            store(copy + i * SLIVER_ROW + p, load(a + p));
        for (; p < part->depth; p++)
            copy[i * SLIVER_ROW + p] = a[p];
    }
}

/* The elements of a group of slivers whose columns lie in one piece, such as those of a transposed gradient, column
 * behind column. The last vector may read on behind the group, where A has so many rows. */
static void copy_columns(const product_task *task, int64_t row, int64_t rows, const panel *part, ag_real *copy)
{
    const bool whole = task->a_row == 1 && row + (rows + LANES - 1) / LANES * LANES <= task->m;
    for (int64_t p = 0; p < part->depth; p++, copy += GROUP_ROWS) {
        const ag_real *a = task->a + row * task->a_row + (part->p0 + p) * task->a_column;
        if (whole)
            for (int64_t i = 0; i < rows; i += LANES)
                store(copy + i, load(a + i));
        else
            for (int64_t i = 0; i < rows; i++)
                copy[i] = a[i * task->a_row];
    }
}

/* What is copied of a group of slivers, rows row .. row + rows - 1, before the first of them is needed. */
static void copy_group(const product_task *task, int64_t row, int64_t rows, const panel *part, ag_real *copy)
{
    if (task->a_column != 1 && !a_needs_no_copy(task))
        copy_columns(task, row, rows, part, copy);
}

/* Adds to a_sums what the panel has of the sums of a group's rows; a_row is 1. */
static void sum_group(const product_task *task, int64_t row, int64_t rows, const panel *part, const ag_real *copy)
{
    const bool is_copied = task->a_column != 1 && !a_needs_no_copy(task);
    const ag_real *a = is_copied ? copy : task->a + row + part->p0 * task->a_column;
    add_row_sums(a, is_copied ? GROUP_ROWS : task->a_column, rows, part->depth, task->a_sums + row, task->m);
}

/* Rows begin .. end - 1 of the group that begins at `row`. */
static rows_of_a sliver_of_a(const product_task *task, int64_t row, int64_t begin, int64_t end, const panel *part,
                             ag_real *copy)
{
    if (a_needs_no_copy(task))
        return (rows_of_a){task->a + (row + begin) * task->a_row + part->p0 * task->a_column, task->a_row,
                           task->a_column};
    if (task->a_column != 1)
        return (rows_of_a){copy + begin, 1, GROUP_ROWS};
    copy_rows(task, row + begin, end - begin, part, copy);
    return (rows_of_a){copy, SLIVER_ROW, 1};
}

#endif
