/* product.c - the matrix product of one level, packed and register-blocked.
 *
 * The loops are of the family of Goto and van de Geijn (Anatomy of high-performance matrix multiplication, 2008). B is
 * cut into panels of at most K_STEP x N_STEP, copied as slivers as wide as a tile so that the second-level cache holds
 * them and the innermost loop reads them in order. Against a panel goes one sliver of A after the other, as high as a
 * tile; it stays in the first-level cache, copied too unless it can be read where it lies.
 *
 * Every element of C is the sum over the panels of k, in order, of a sum over p in order: the same bits whichever tile,
 * part or thread it falls to. */
#ifdef KERNEL_LEVEL_bf16
#include "pack_pairs.h"
#else
#include "pack_numbers.h"
#endif

/* Where part `index` of `count` nearly equal parts of `size` begins, at a multiple of `grain`. */
static inline int64_t even_border(int64_t size, int64_t count, int64_t index, int64_t grain)
{
    return index == count ? size : size * index / count / grain * grain;
}

static inline int64_t parts_of(int64_t size, int64_t most)
{
    return (size + most - 1) / most;
}

/* Units along the sum. */
static inline int64_t depth_of(const product_task *task)
{
    return parts_of(task->k, UNIT_NUMBERS);
}

static void prefetch_tile(const real *c, int64_t c_row, int64_t rows, int64_t columns)
{
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j += LANES)
            __builtin_prefetch(c + i * c_row + j, 1);
}

/* ---- The loops ------------------------------------------------------------------------------ */

/* Rows [row, next) of C, at most as many as a tile has, get what a panel of B has for them. */
static void multiply_sliver(const product_task *task, const panel *part, int64_t row, int64_t next, rows_of_a own,
                            const unit *packed)
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
        prefetch_tile(tile.c, tile.c_row, tile.rows, tile.columns);
        if (next < task->m)
            prefetch_next(task, next, smaller(task->m - next, next - row), part, t, tiles);
        KERNEL(tile)(&tile);
    }
    if (task->finish && part->p0 + part->depth == depth_of(task))
        for (int64_t i = row; i < next; i++)
            task->finish(task->finish_context, i, part->column, part->columns);
}

/* The same for `rows` rows from `row` on, a group of slivers. */
static void multiply_group(const product_task *task, const panel *part, int64_t row, int64_t rows, unit *copy,
                           const unit *packed)
{
    const int64_t slivers = parts_of(rows, TILE_ROWS);
    int64_t border[GROUP + 1];
    for (int64_t s = 0; s <= slivers; s++)
        border[s] = even_border(rows, slivers, s, 1);
    copy_group(task, row, rows, part, copy);
    for (int64_t s = 0; s < slivers; s++) {
        rows_of_a own = sliver_of_a(task, row, border[s], border[s + 1], part, copy);
        multiply_sliver(task, part, row + border[s], row + border[s + 1], own, packed);
    }
}

static void block(const product_task *task, product_block place, void *workspace)
{
    unit *copy = workspace, *packed = copy + GROUP * SLIVER_SIZE;
    const int64_t width = place.column_end - place.column_begin, height = place.row_end - place.row_begin;
    const int64_t k = depth_of(task), depths = k ? parts_of(k, K_STEP) : 1, widths = parts_of(width, N_STEP);
    const int64_t groups = parts_of(height, GROUP * TILE_ROWS);
    for (int64_t d = 0; d < depths; d++)
        for (int64_t w = 0; w < widths; w++) {
            panel part = {.p0 = even_border(k, depths, d, 1),
                          .column = place.column_begin + even_border(width, widths, w, TILE_COLUMNS)};
            part.depth = even_border(k, depths, d + 1, 1) - part.p0;
            part.columns = place.column_begin + even_border(width, widths, w + 1, TILE_COLUMNS) - part.column;
            if (part.depth > 0)
                pack_panel(task, &part, packed);
            for (int64_t g = 0; g < groups; g++) {
                int64_t begin = even_border(height, groups, g, 1), end = even_border(height, groups, g + 1, 1);
                multiply_group(task, &part, place.row_begin + begin, end - begin, copy, packed);
            }
        }
}

const kernel_product KERNEL(product) = {
    .block = block,
    .workspace_bytes = (GROUP * SLIVER_SIZE + PANEL_SIZE) * sizeof(unit),
    .row_step = TILE_ROWS,
    .column_step = TILE_COLUMNS,
};
