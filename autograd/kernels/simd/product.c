/* product.c - the matrix product of a level, packed and register-blocked.
 *
 * The loops are those of Goto and van de Geijn (Anatomy of high-performance matrix
 * multiplication, 2008; a drawing: README.md). B is cut into panels of at most K_STEP x
 * N_STEP, small enough for the second-level cache. A panel is copied as slivers, as wide
 * as a tile, which the innermost loop reads in order. Each sliver of A, as high as a
 * tile, is multiplied by the whole panel, and stays in the first-level cache while it is.
 * A sliver is copied, too, unless tiles can read it where it lies.
 *
 * Each element of C is a sum over the panels along k, in order, of sums over p, in
 * order: the same bits whichever tile, block or thread computes it. */
#ifdef KERNEL_LEVEL_bf16
#include "pack_pairs.h"
#else
#include "pack_numbers.h"
#endif

/* Where interval `index` begins, if `size` is cut into `count` nearly equal intervals at
 * multiples of `grain`. */
static inline int64_t even_border(int64_t size, int64_t count, int64_t index, int64_t grain)
{
    if (index == 0 || index == count) /* (spares small products the divisions) */
        return index ? size : 0;
    return size * index / count / grain * grain;
}

/* k in units. */
static inline int64_t depth_of(const product_task *task)
{
    return ceil_div(task->k, UNIT_NUMBERS);
}

static int64_t k_panels(int64_t k)
{
    return k ? ceil_div(ceil_div(k, UNIT_NUMBERS), K_STEP) : 1;
}

static int64_t k_border(int64_t k, int64_t index)
{
    return smaller(even_border(ceil_div(k, UNIT_NUMBERS), k_panels(k), index, 1) * UNIT_NUMBERS, k);
}

/* ---- Kept copies of B -------------------------------------------------------------- */

/* Panel after panel along k, each as wide as B, in slivers. Panels of a block are parts
 * of these, since their borders along k are the same and those across are borders of
 * tiles. */

static int64_t packed_columns(int64_t n)
{
    return ceil_div(n, TILE_COLUMNS) * TILE_COLUMNS;
}

static columns_of_b packed_panel(const product_task *task, const product_panel *panel)
{
    const unit *copy = (const unit *)task->packed + panel->p0 * packed_columns(task->n);
    return (columns_of_b){copy + panel->column * panel->depth, TILE_COLUMNS, panel->depth};
}

/* ---- Prefetching ------------------------------------------------------------------- */

/* The cache lines of a block of a matrix. Empty if neither rows nor columns are
 * contiguous. */
static line_list lines_of_matrix(const ag_real *first, int64_t rows, int64_t columns, int64_t row_step,
                                 int64_t column_step)
{
    if (column_step == 1)
        return rows <= TILE_ROWS ? lines_across(first, rows, columns, row_step)
                                 : lines_along(first, rows, columns, row_step);
    if (row_step == 1)
        return lines_along(first, columns, rows, column_step);
    return (line_list){.first = first};
}

static line_list lines_of_a(const product_task *task, const product_panel *panel, int64_t row, int64_t rows)
{
    const ag_real *a = task->a + row * task->a_row + panel->p0 * UNIT_NUMBERS * task->a_column;
    return lines_of_matrix(a, rows, numbers_in(task, panel), task->a_row, task->a_column);
}

static line_list lines_of_b(const product_task *task, const product_panel *panel)
{
    const ag_real *b = task->b + panel->p0 * UNIT_NUMBERS * task->b_row + panel->column * task->b_column;
    return lines_of_matrix(b, numbers_in(task, panel), panel->columns, task->b_row, task->b_column);
}

/* Whether a product is so small that prefetching costs more than it saves. */
static bool fits_cache(const product_task *task)
{
    return task->m * task->k + task->k * task->n + task->m * task->n <= 32 * 1024;
}

/* Spreads the prefetching of lines evenly over `tiles` tiles. */
static prefetch_share spread_over_tiles(line_list lines, int64_t tiles)
{
    return (prefetch_share){lines, ceil_div(lines.left, tiles)};
}

/* ---- The loops --------------------------------------------------------------------- */

/* Multiplying a panel of B by all rows of a block. */
typedef struct sweep {
    const product_task *task;
    product_block block;
    product_panel panel;
    columns_of_b b;
    bool fits_cache;           /* so nothing is prefetched */
    int64_t tiles;             /* side by side over the panel */
    unit *copy;                /* of rows of A */
    prefetch_share prefetch_a; /* the next rows of A */
    prefetch_share prefetch_b; /* the next panel */
} sweep;

/* Adds the panel's contribution to rows [row, next) of C; at most TILE_ROWS rows. */
static void multiply_sliver(sweep *work, int64_t row, int64_t next, rows_of_a sliver)
{
    const product_task *task = work->task;
    const product_panel *panel = &work->panel;
    const bool first = panel->p0 == 0;
    for (int64_t t = 0; t < work->tiles; t++) {
        const int64_t j = t * TILE_COLUMNS, columns = smaller(panel->columns - j, TILE_COLUMNS);
        ag_real *c = task->c + row * task->c_row + panel->column + j;
        prefetch_share own;
        if (!work->fits_cache)
            own = (prefetch_share){lines_across(c, next - row, columns, task->c_row), panel->depth};
        const tile_task tile = {
            .rows = next - row,
            .columns = columns,
            .depth = panel->depth,
            .a = sliver.a,
            .a_row = sliver.row,
            .a_column = sliver.column,
            .b = work->b.b + j * work->b.column,
            .b_row = work->b.row,
            .c = c,
            .c_row = task->c_row,
            .add = task->add || !first,
            .bias = first && task->bias ? task->bias + panel->column + j : NULL,
            .prefetch = {work->fits_cache ? NULL : &own, &work->prefetch_a, &work->prefetch_b},
        };
        KERNEL(tile)(&tile);
    }
    if (task->finish && panel->p0 + panel->depth == depth_of(task))
        for (int64_t i = row; i < next; i++)
            task->finish(task->finish_context, i, panel->column, panel->columns);
}

/* Prefetches, during `tiles` tiles of the rows begin .. end - 1 of A, as many rows after
 * them. */
static prefetch_share prefetch_rows_after(const sweep *work, int64_t begin, int64_t end, int64_t tiles)
{
    const int64_t rows = smaller(end - begin, work->block.row_end - end);
    return spread_over_tiles(lines_of_a(work->task, &work->panel, end, rows), tiles);
}

/* Multiplies rows row .. row + rows - 1 of A, a group of slivers, by the panel.
 * Prefetches the next sliver of A where rows are contiguous, and the next group where
 * it will be copied. Columns that need no copy are near enough for the processor's own
 * prefetching. */
static void multiply_group(sweep *work, int64_t row, int64_t rows)
{
    const product_task *task = work->task;
    const int64_t slivers = ceil_div(rows, TILE_ROWS);
    copy_group(task, row, rows, &work->panel, work->copy);
    if (task->a_sums && work->panel.column == 0)
        sum_group(task, row, rows, &work->panel, work->copy);
    if (!work->fits_cache && task->a_column != 1 && !a_needs_no_copy(task))
        work->prefetch_a = prefetch_rows_after(work, row, row + rows, slivers * work->tiles);
    for (int64_t s = 0; s < slivers; s++) {
        const int64_t begin = row + even_border(rows, slivers, s, 1), end = row + even_border(rows, slivers, s + 1, 1);
        rows_of_a own = sliver_of_a(task, row, begin - row, end - row, &work->panel, work->copy);
        if (!work->fits_cache && task->a_column == 1)
            work->prefetch_a = prefetch_rows_after(work, begin, end, work->tiles);
        multiply_sliver(work, begin, end, own);
    }
}

/* How B is cut into panels for a block of C: `depths` along k, `widths` along its
 * columns. */
typedef struct panel_grid {
    int64_t k, depths, widths; /* k in units */
} panel_grid;

static product_panel panel_at(const panel_grid *cut, product_block block, int64_t index)
{
    const int64_t width = block.column_end - block.column_begin, d = index / cut->widths, w = index % cut->widths;
    product_panel panel = {.p0 = even_border(cut->k, cut->depths, d, 1),
                           .column = block.column_begin + even_border(width, cut->widths, w, TILE_COLUMNS)};
    panel.depth = even_border(cut->k, cut->depths, d + 1, 1) - panel.p0;
    panel.columns = block.column_begin + even_border(width, cut->widths, w + 1, TILE_COLUMNS) - panel.column;
    return panel;
}

static size_t packed_bytes(int64_t k, int64_t n)
{
    return (size_t)(ceil_div(k, UNIT_NUMBERS) * packed_columns(n)) * sizeof(unit);
}

static void pack(const product_task *task, void *copy)
{
    const panel_grid cut = {depth_of(task), k_panels(task->k), 1};
    for (int64_t d = 0; d < cut.depths; d++) {
        const product_panel panel = panel_at(&cut, (product_block){.column_end = task->n}, d);
        copy_panel(task, &panel, (unit *)copy + panel.p0 * packed_columns(task->n));
    }
}

static void product_block_packed(const product_task *task, product_block block, void *workspace)
{
    unit *copy_of_a = workspace, *copy_of_b = copy_of_a + GROUP * SLIVER_SIZE;
    const int64_t height = block.row_end - block.row_begin, k = depth_of(task);
    if (height <= 0 || block.column_end <= block.column_begin)
        return;
    const panel_grid cut = {k, k_panels(task->k), ceil_div(block.column_end - block.column_begin, N_STEP)};
    const int64_t groups = ceil_div(height, GROUP * TILE_ROWS), count = cut.depths * cut.widths;
    for (int64_t i = 0; i < count; i++) {
        sweep work = {.task = task,
                      .block = block,
                      .panel = panel_at(&cut, block, i),
                      .fits_cache = fits_cache(task),
                      .copy = copy_of_a};
        work.tiles = ceil_div(work.panel.columns, TILE_COLUMNS);
        if (i + 1 < count && !task->packed) { /* (The processor prefetches contiguous memory by itself.) */
            product_panel next = panel_at(&cut, block, i + 1);
            work.prefetch_b = spread_over_tiles(lines_of_b(task, &next), ceil_div(height, TILE_ROWS) * work.tiles);
        }
        if (k > 0)
            work.b = task->packed ? packed_panel(task, &work.panel) : panel_of_b(task, &work.panel, copy_of_b);
        for (int64_t g = 0; g < groups; g++) {
            const int64_t begin = even_border(height, groups, g, 1), end = even_border(height, groups, g + 1, 1);
            multiply_group(&work, block.row_begin + begin, end - begin);
        }
    }
}

const kernel_product KERNEL(kernel_product) = {
    .block = product_block_packed,
    .workspace_bytes = (GROUP * SLIVER_SIZE + PANEL_SIZE) * sizeof(unit),
    .tile_rows = TILE_ROWS,
    .tile_columns = TILE_COLUMNS,
    .panel_columns = N_STEP,
    .packed_bytes = packed_bytes,
    .pack = pack,
    .k_panels = k_panels,
    .k_border = k_border,
};
