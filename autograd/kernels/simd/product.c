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
    if (index == 0 || index == count) /* (spares small products the divisions) */
        return index ? size : 0;
    return size * index / count / grain * grain;
}

/* Units along the sum. */
static inline int64_t depth_of(const product_task *task)
{
    return parts_of(task->k, UNIT_NUMBERS);
}

static int64_t sum_parts(int64_t k)
{
    return k ? parts_of(parts_of(k, UNIT_NUMBERS), K_STEP) : 1;
}

static int64_t sum_border(int64_t k, int64_t index)
{
    return smaller(even_border(parts_of(k, UNIT_NUMBERS), sum_parts(k), index, 1) * UNIT_NUMBERS, k);
}

/* ---- What will be read next ----------------------------------------------------------------- */

/* The lines of a part of a matrix that has rows or columns in one piece; else none. */
static ahead_lines part_of(const ag_real *first, int64_t rows, int64_t columns, int64_t row_step, int64_t column_step)
{
    if (column_step == 1)
        return rows <= TILE_ROWS ? lines_across(first, rows, columns, row_step)
                                 : lines_along(first, rows, columns, row_step);
    if (row_step == 1)
        return lines_along(first, columns, rows, column_step);
    return (ahead_lines){.first = first};
}

static ahead_lines part_of_a(const product_task *task, const panel *part, int64_t row, int64_t rows)
{
    const ag_real *a = task->a + row * task->a_row + part->p0 * UNIT_NUMBERS * task->a_column;
    return part_of(a, rows, numbers_in(task, part), task->a_row, task->a_column);
}

static ahead_lines part_of_b(const product_task *task, const panel *part)
{
    const ag_real *b = task->b + part->p0 * UNIT_NUMBERS * task->b_row + part->column * task->b_column;
    return part_of(b, numbers_in(task, part), part->columns, task->b_row, task->b_column);
}

/* Whether the processor's own guesses and caches do for a product: asking costs more than it saves. */
static bool is_near(const product_task *task)
{
    return task->m * task->k + task->k * task->n + task->m * task->n <= 32 * 1024;
}

/* What is to be read after some tiles: each of them asks for as many of the lines. */
static ahead_share after_tiles(ahead_lines lines, int64_t tiles)
{
    return (ahead_share){lines, parts_of(lines.left, tiles)};
}

/* ---- The loops ------------------------------------------------------------------------------ */

/* The work that a panel of B is for. */
typedef struct sweep {
    const product_task *task;
    product_block place;
    panel part;
    columns_of_b b;
    bool is_near;      /* the product: nothing is asked for ahead */
    int64_t tiles;     /* side by side */
    unit *copy;        /* of rows of A */
    ahead_share panel; /* the next one */
    ahead_share rows;  /* of A, the next ones */
} sweep;

/* Rows [row, next) of C, at most as many as a tile has, get what a panel of B has for them. */
static void multiply_sliver(sweep *work, int64_t row, int64_t next, rows_of_a rows)
{
    const product_task *task = work->task;
    const panel *part = &work->part;
    const bool first = part->p0 == 0;
    for (int64_t t = 0; t < work->tiles; t++) {
        const int64_t j = t * TILE_COLUMNS, columns = smaller(part->columns - j, TILE_COLUMNS);
        ag_real *c = task->c + row * task->c_row + part->column + j;
        ahead_share own;
        if (!work->is_near)
            own = (ahead_share){lines_across(c, next - row, columns, task->c_row), part->depth};
        const tile_task tile = {
            .rows = next - row,
            .columns = columns,
            .depth = part->depth,
            .a = rows.a,
            .a_row = rows.row,
            .a_column = rows.column,
            .b = work->b.b + j * work->b.column,
            .b_row = work->b.row,
            .c = c,
            .c_row = task->c_row,
            .add = task->add || !first,
            .bias = first && task->bias ? task->bias + part->column + j : NULL,
            .ahead = {work->is_near ? NULL : &own, &work->rows, &work->panel},
        };
        KERNEL(tile)(&tile);
    }
    if (task->finish && part->p0 + part->depth == depth_of(task))
        for (int64_t i = row; i < next; i++)
            task->finish(task->finish_context, i, part->column, part->columns);
}

/* The rows of A that follow the rows begin .. end - 1, as many again; these are `tiles` tiles. */
static ahead_share rows_after(const sweep *work, int64_t begin, int64_t end, int64_t tiles)
{
    const int64_t rows = smaller(end - begin, work->place.row_end - end);
    return after_tiles(part_of_a(work->task, &work->part, end, rows), tiles);
}

/* Multiplies `rows` rows of A from `row` on, a group of slivers, by a panel of B. Of A the next sliver is asked for
 * where rows lie in one piece, the next group where it will be copied; columns that need no copy are so near that the
 * processor follows. */
static void multiply_group(sweep *work, int64_t row, int64_t rows)
{
    const product_task *task = work->task;
    const int64_t slivers = parts_of(rows, TILE_ROWS);
    copy_group(task, row, rows, &work->part, work->copy);
    if (task->a_sums && work->part.column == 0)
        sum_group(task, row, rows, &work->part, work->copy);
    if (!work->is_near && task->a_column != 1 && !a_needs_no_copy(task))
        work->rows = rows_after(work, row, row + rows, slivers * work->tiles);
    for (int64_t s = 0; s < slivers; s++) {
        const int64_t begin = row + even_border(rows, slivers, s, 1), end = row + even_border(rows, slivers, s + 1, 1);
        rows_of_a own = sliver_of_a(task, row, begin - row, end - row, &work->part, work->copy);
        if (!work->is_near && task->a_column == 1)
            work->rows = rows_after(work, begin, end, work->tiles);
        multiply_sliver(work, begin, end, own);
    }
}

/* How a part of C is cut into panels. */
typedef struct panels {
    int64_t k, depths, widths; /* units of the sum; parts of it, and of the columns */
} panels;

static panel panel_at(const panels *cut, product_block place, int64_t index)
{
    const int64_t width = place.column_end - place.column_begin, d = index / cut->widths, w = index % cut->widths;
    panel part = {.p0 = even_border(cut->k, cut->depths, d, 1),
                  .column = place.column_begin + even_border(width, cut->widths, w, TILE_COLUMNS)};
    part.depth = even_border(cut->k, cut->depths, d + 1, 1) - part.p0;
    part.columns = place.column_begin + even_border(width, cut->widths, w + 1, TILE_COLUMNS) - part.column;
    return part;
}

static void block(const product_task *task, product_block place, void *workspace)
{
    unit *copy = workspace, *packed = copy + GROUP * SLIVER_SIZE;
    const int64_t height = place.row_end - place.row_begin, k = depth_of(task);
    if (height <= 0 || place.column_end <= place.column_begin)
        return;
    const panels cut = {k, sum_parts(task->k), parts_of(place.column_end - place.column_begin, N_STEP)};
    const int64_t groups = parts_of(height, GROUP * TILE_ROWS), count = cut.depths * cut.widths;
    for (int64_t i = 0; i < count; i++) {
        sweep work = {
            .task = task, .place = place, .part = panel_at(&cut, place, i), .is_near = is_near(task), .copy = copy};
        work.tiles = parts_of(work.part.columns, TILE_COLUMNS);
        if (i + 1 < count) {
            panel next = panel_at(&cut, place, i + 1);
            work.panel = after_tiles(part_of_b(task, &next), parts_of(height, TILE_ROWS) * work.tiles);
        }
        if (k > 0)
            work.b = panel_of_b(task, &work.part, packed);
        for (int64_t g = 0; g < groups; g++) {
            const int64_t begin = even_border(height, groups, g, 1), end = even_border(height, groups, g + 1, 1);
            multiply_group(&work, place.row_begin + begin, end - begin);
        }
    }
}

const kernel_product KERNEL(kernel_product) = {
    .block = block,
    .workspace_bytes = (GROUP * SLIVER_SIZE + PANEL_SIZE) * sizeof(unit),
    .tile_rows = TILE_ROWS,
    .tile_columns = TILE_COLUMNS,
    .sum_parts = sum_parts,
    .sum_border = sum_border,
};
