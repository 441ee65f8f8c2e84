/* product.c - the matrix product of one level, packed and register-blocked.
 *
 * The loops are of the family of Goto and van de Geijn (Anatomy of high-performance matrix multiplication, 2008). B is
 * cut into panels of at most K_STEP x N_STEP, copied as slivers as wide as a tile so that the second-level cache holds
 * them and the innermost loop reads them in order. Against a panel goes one sliver of A after the other, as high as a
 * tile; it stays in the first-level cache, copied too unless it can be read where it lies.
 *
 * Every element of C is the sum over the panels of k, in order, of a sum over p in order: the same bits whichever tile,
 * part or thread it falls to. */
#include "../product.h"

#include "tile.h"
#include "transpose.h"

#include <string.h>

#define K_STEP 512
#define N_STEP ((int64_t)256)

/* A sliver of A is copied by rows, with a step that spreads them over the cache's sets, or by columns. */
#define SLIVER_ROW  (K_STEP + 16)
#define SLIVER_SIZE (TILE_ROWS * SLIVER_ROW)
#define PANEL_SIZE  (K_STEP * (N_STEP + TILE_COLUMNS))
/* Slivers that are copied together: of a transposed A, columns are read as long as these are high. */
#define GROUP      4
#define GROUP_ROWS (GROUP * TILE_ROWS)

static inline int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Where part `index` of `count` nearly equal parts of `size` begins, at a multiple of `grain`. */
static inline int64_t even_border(int64_t size, int64_t count, int64_t index, int64_t grain)
{
    return index == count ? size : size * index / count / grain * grain;
}

static inline int64_t parts_of(int64_t size, int64_t most)
{
    return (size + most - 1) / most;
}

/* ---- Packing B ------------------------------------------------------------------------------ */

/* A panel of B: rows p0 .. p0 + depth - 1, columns column .. column + columns - 1. */
typedef struct panel {
    int64_t p0, depth, column, columns;
} panel;

/* Where the sliver of the columns j .. of a panel is in its copy: for each p the elements (p, j + 0..). What it holds
 * beyond the last column is never looked at. */
static real *sliver_of_b(const panel *part, real *copy, int64_t j)
{
    return copy + j * part->depth;
}

/* Rows of B lie in one piece: whole rows are read, so that they stream. The last vector of a row may read on into the
 * next row, where there is one. */
static void pack_rows(const product_task *task, const panel *part, real *copy)
{
    const real *end = task->b + (task->k - 1) * task->b_row + task->n;
    const int64_t whole = part->columns / TILE_COLUMNS * TILE_COLUMNS;
    for (int64_t p = 0; p < part->depth; p++) {
        const real *b = task->b + (part->p0 + p) * task->b_row + part->column;
        const int64_t ahead = p + 4 < part->depth ? 4 * task->b_row : 0;
        real *out = copy + p * TILE_COLUMNS;
        for (int64_t j = 0; j < whole; j += TILE_COLUMNS, out += TILE_COLUMNS * part->depth)
            for (int v = 0; v < TILE_VECTORS; v++) {
                __builtin_prefetch(b + ahead + j + v * LANES);
                store(out + v * LANES, load(b + j + v * LANES));
            }
        for (int64_t j = whole; j < part->columns; j += LANES, out += LANES)
            if (end - (b + j) >= LANES)
                store(out, load(b + j));
            else
                memcpy(out, b + j, (size_t)(part->columns - j) * sizeof(real));
    }
}

/* LANES columns of B, of which there are `width`, to the same columns of a sliver. Where columns lie in one piece, such
 * as those of a transposed weight, by squares; the last square overlaps the one before. */
static void pack_columns(const product_task *task, const real *b, int64_t depth, int64_t width, real *out)
{
    if (task->b_row == 1 && depth >= LANES) {
        for (int64_t p = 0; p < depth; p += LANES) {
            int64_t from = smaller(p, depth - LANES);
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

static void pack_panel(const product_task *task, const panel *part, real *copy)
{
    if (task->b_column == 1) {
        pack_rows(task, part, copy);
        return;
    }
    for (int64_t j = 0; j < part->columns; j += LANES) {
        const real *b = task->b + part->p0 * task->b_row + (part->column + j) * task->b_column;
        real *out = sliver_of_b(part, copy, j / TILE_COLUMNS * TILE_COLUMNS) + j % TILE_COLUMNS;
        pack_columns(task, b, part->depth, smaller(part->columns - j, LANES), out);
    }
}

/* ---- Slivers of A --------------------------------------------------------------------------- */

/* Rows of A as tiles take them. */
typedef struct rows_of_a {
    const real *a;
    int64_t row, column;
} rows_of_a;

/* What lies in one piece needs no copy, unless it is so far apart that a tile's elements compete for the same few
 * places of the first-level cache: rows by their distance, columns by the many that a tile goes through. */
static bool needs_no_copy(const product_task *task)
{
    const size_t row = (size_t)task->a_row * sizeof(real), column = (size_t)task->a_column * sizeof(real);
    return task->a_column == 1 ? row % 2048 != 0 : task->a_row == 1 && column <= 512;
}

/* The sliver's elements, row behind row. */
static void copy_rows(const product_task *task, int64_t row, int64_t rows, const panel *part, real *copy)
{
    for (int64_t i = 0; i < rows; i++) {
        const real *a = task->a + (row + i) * task->a_row + part->p0;
        const int64_t ahead = row + i + 2 < task->m ? 2 * task->a_row : 0;
        int64_t p = 0;
        for (; p + LANES <= part->depth; p += LANES) {
            __builtin_prefetch(a + ahead + p);
            store(copy + i * SLIVER_ROW + p, load(a + p));
        }
        for (; p < part->depth; p++)
            copy[i * SLIVER_ROW + p] = a[p];
    }
}

/* The elements of a group of slivers whose columns lie in one piece, such as those of a transposed gradient, column
 * behind column. The last vector may read on behind the group, where A has so many rows. */
static void copy_columns(const product_task *task, int64_t row, int64_t rows, const panel *part, real *copy)
{
    const bool whole = task->a_row == 1 && row + (rows + LANES - 1) / LANES * LANES <= task->m;
    for (int64_t p = 0; p < part->depth; p++, copy += GROUP_ROWS) {
        const real *a = task->a + row * task->a_row + (part->p0 + p) * task->a_column;
        const int64_t ahead = p + 8 < part->depth ? 8 * task->a_column : 0;
        if (whole)
            for (int64_t i = 0; i < rows; i += LANES) {
                __builtin_prefetch(a + ahead + i);
                store(copy + i, load(a + i));
            }
        else
            for (int64_t i = 0; i < rows; i++)
                copy[i] = a[i * task->a_row];
    }
}

/* Asks for a share of the rows that the next sliver will read where they lie, while this one is computed. */
static void prefetch_next(const product_task *task, int64_t row, int64_t rows, const panel *part, int64_t share,
                          int64_t shares)
{
    if (task->a_column != 1 || !needs_no_copy(task))
        return;
    const real *a = task->a + row * task->a_row + part->p0;
    for (int64_t p = part->depth * share / shares; p < part->depth * (share + 1) / shares; p += LANES)
        for (int64_t i = 0; i < rows; i++)
            __builtin_prefetch(a + i * task->a_row + p);
}

static void prefetch_tile(const real *c, int64_t c_row, int64_t rows)
{
    for (int64_t i = 0; i < rows; i++)
        for (int v = 0; v < TILE_VECTORS; v++)
            __builtin_prefetch(c + i * c_row + v * LANES, 1);
}

/* ---- The loops ------------------------------------------------------------------------------ */

/* Rows [row, next) of C, at most as many as a tile has, get what a panel of B has for them. */
static void multiply_sliver(const product_task *task, const panel *part, int64_t row, int64_t next, rows_of_a own,
                            const real *packed)
{
    const int64_t tiles = parts_of(part->columns, TILE_COLUMNS);
    const bool first = part->p0 == 0;
    for (int64_t t = 0; t < tiles; t++) {
        int64_t j = t * TILE_COLUMNS;
        tile_task tile = {
            .rows = next - row,
            .columns = smaller(part->columns - j, TILE_COLUMNS),
            .depth = part->depth,
            .a = own.a,
            .a_row = own.row,
            .a_column = own.column,
            .b = packed + j * part->depth,
            .b_row = TILE_COLUMNS,
            .c = task->c + row * task->c_row + part->column + j,
            .c_row = task->c_row,
            .add = task->add || !first,
            .bias = first && task->bias ? task->bias + part->column + j : NULL,
        };
        prefetch_tile(tile.c, tile.c_row, tile.rows);
        prefetch_next(task, next, smaller(task->m - next, next - row), part, t, tiles);
        KERNEL(tile)(&tile);
    }
    if (task->finish && part->p0 + part->depth == task->k)
        for (int64_t i = row; i < next; i++)
            task->finish(task->finish_context, i, part->column, part->columns);
}

/* The same for `rows` rows from `row` on, a group of slivers. */
static void multiply_group(const product_task *task, const panel *part, int64_t row, int64_t rows, real *copy,
                           const real *packed)
{
    const int64_t slivers = parts_of(rows, TILE_ROWS);
    int64_t border[GROUP + 1];
    for (int64_t s = 0; s <= slivers; s++)
        border[s] = even_border(rows, slivers, s, 1);
    const bool in_place = needs_no_copy(task);
    if (!in_place && task->a_column != 1)
        copy_columns(task, row, rows, part, copy);
    for (int64_t s = 0; s < slivers; s++) {
        rows_of_a own = {copy, SLIVER_ROW, 1};
        if (in_place)
            own = (rows_of_a){task->a + (row + border[s]) * task->a_row + part->p0 * task->a_column, task->a_row,
                              task->a_column};
        else if (task->a_column == 1)
            copy_rows(task, row + border[s], border[s + 1] - border[s], part, copy);
        else
            own = (rows_of_a){copy + border[s], 1, GROUP_ROWS};
        multiply_sliver(task, part, row + border[s], row + border[s + 1], own, packed);
    }
}

static void block(const product_task *task, product_block place, void *workspace)
{
    real *copy = workspace, *packed = copy + GROUP * SLIVER_SIZE;
    const int64_t width = place.column_end - place.column_begin, height = place.row_end - place.row_begin;
    const int64_t depths = task->k ? parts_of(task->k, K_STEP) : 1, widths = parts_of(width, N_STEP);
    const int64_t groups = parts_of(height, GROUP * TILE_ROWS);
    for (int64_t d = 0; d < depths; d++)
        for (int64_t w = 0; w < widths; w++) {
            panel part = {.p0 = even_border(task->k, depths, d, 1),
                          .column = place.column_begin + even_border(width, widths, w, TILE_COLUMNS)};
            part.depth = even_border(task->k, depths, d + 1, 1) - part.p0;
            part.columns = place.column_begin + even_border(width, widths, w + 1, TILE_COLUMNS) - part.column;
            pack_panel(task, &part, packed);
            for (int64_t g = 0; g < groups; g++) {
                int64_t begin = even_border(height, groups, g, 1), end = even_border(height, groups, g + 1, 1);
                multiply_group(task, &part, place.row_begin + begin, end - begin, copy, packed);
            }
        }
}

const kernel_product KERNEL(product) = {
    .block = block,
    .workspace_bytes = (GROUP * SLIVER_SIZE + PANEL_SIZE) * sizeof(real),
    .row_step = TILE_ROWS,
    .column_step = TILE_COLUMNS,
};
