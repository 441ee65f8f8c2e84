/* product.c - cuts matrix products into pieces for threads. */
#include "product.h"

#include "kernels.h"
#include "parallel.h"
#include "scalar.h"
#include "sizes.h"

/* The most numbers of a partial product that a thread computes into memory of its own:
 * m rows of C and the sums of m rows of A. Adding up larger ones costs more than
 * sharing the sum saves. */
#define PARTIAL_NUMBERS ((int64_t)80 * 1024)

size_t kernel_product_workspace(const kernel_product *product, int threads)
{
    return (size_t)threads * product->workspace_bytes + (size_t)((threads - 1) * PARTIAL_NUMBERS) * sizeof(ag_real);
}

/* Intervals of rows that threads share begin at multiples of ROW_GRAIN, and a thread
 * takes at most MOST_ROWS of them at once (a system that stops it holds the others up for
 * some milliseconds at most). Each interval copies B: for so many rows that is cheap. */
#define ROW_GRAIN 8
#define MOST_ROWS 1024

typedef struct product_batch {
    const kernel_product *product;
    product_task task;
    int64_t a_step, b_step, c_step;
    char *workspace;
} product_batch;

static product_task batch_item(const product_batch *batch, int64_t i)
{
    product_task task = batch->task;
    task.a += i * batch->a_step;
    task.b += i * batch->b_step;
    task.c += i * batch->c_step;
    return task;
}

static char *worker_memory(const product_batch *batch, int worker)
{
    return batch->workspace + (size_t)worker * batch->product->workspace_bytes;
}

/* Pieces are whole products. */
static void run_items(void *context, int64_t begin, int64_t end, int worker)
{
    const product_batch *batch = context;
    for (int64_t i = begin; i < end; i++) {
        product_task task = batch_item(batch, i);
        batch->product->block(&task, (product_block){0, task.m, 0, task.n}, worker_memory(batch, worker));
    }
}

/* Pieces are blocks of one product: `heights` intervals of its rows by `widths` intervals
 * of its columns, row by row of blocks. Columns are cut at borders of tiles. Rows are cut
 * anywhere, since the tiles of a block have nearly equal heights whatever their
 * number. */
typedef struct block_grid {
    const product_batch *batch;
    int64_t heights, widths;
} block_grid;

/* Where interval `index` of `count` begins, at multiples of `grain`. */
static int64_t border(int64_t size, int64_t grain, int64_t count, int64_t index)
{
    return smaller(ceil_div(size, grain) * index / count * grain, size);
}

static product_block block_at(const block_grid *grid, int64_t index)
{
    const product_task *task = &grid->batch->task;
    const int64_t h = index / grid->widths, w = index % grid->widths, grain = grid->batch->product->tile_columns;
    return (product_block){border(task->m, ROW_GRAIN, grid->heights, h),
                           border(task->m, ROW_GRAIN, grid->heights, h + 1), border(task->n, grain, grid->widths, w),
                           border(task->n, grain, grid->widths, w + 1)};
}

static void run_blocks(void *context, int64_t begin, int64_t end, int worker)
{
    const block_grid *grid = context;
    for (int64_t i = begin; i < end; i++)
        grid->batch->product->block(&grid->batch->task, block_at(grid, i), worker_memory(grid->batch, worker));
}

/* Each thread has an interval of the rows, or of the columns where there are more tiles
 * across than down. It is cut again into blocks as wide as a panel of B: a kernel goes
 * through B panel by panel, so threads may take each other's blocks, and no panel is
 * copied more often than if they did not. */
static void run_grid(const product_batch *one, double work, int threads)
{
    const product_task *task = &one->task;
    const int64_t down = ceil_div(task->m, one->product->tile_rows);
    const int64_t across = ceil_div(task->n, one->product->tile_columns), panel = one->product->panel_columns;
    block_grid grid = {one, 1, 1};
    if (down >= across)
        grid = (block_grid){one, threads * ceil_div(task->m, threads * MOST_ROWS), ceil_div(task->n, panel)};
    else
        grid.widths = threads * ceil_div(task->n, threads * panel);
    kernel_parallel(threads, grid.heights * grid.widths, work, run_blocks, &grid);
}

/* Pieces are panels along k, one for each thread. The product of the first is added to
 * C; those of the others go to memory of their own and are then added to C in order,
 * which gives the same bits. So no thread reads the same part of A or B as another. In
 * the gradient of a weight, k counts tokens: each thread has computed its own tokens
 * before and has them in its cache. Where caches are far from each other, sharing
 * tokens costs small models most of what the second thread gains. */
typedef struct divided_sum {
    const product_batch *batch;
    ag_real *partials; /* of all panels after the first, partial_numbers each */
} divided_sum;

/* (The sums of A come first, as doubles. An even number of numbers aligns those of the
 * next partial product.) */
static int64_t sums_numbers(const product_task *task)
{
    return 2 * task->m * (int64_t)(sizeof(double) / sizeof(ag_real));
}

static int64_t partial_numbers(const product_task *task)
{
    return sums_numbers(task) + task->m * task->n + task->m * task->n % 2;
}

static ag_real *partial_memory(const divided_sum *sum, int64_t panel)
{
    return sum->partials + (panel - 1) * partial_numbers(&sum->batch->task);
}

static bool has_panel_for_each(const kernel_product *product, const product_task *task, int threads)
{
    return threads > 1 && product->k_panels(task->k) == threads && !task->finish &&
           partial_numbers(task) <= PARTIAL_NUMBERS;
}

static void run_panels(void *context, int64_t begin, int64_t end, int worker)
{
    const divided_sum *sum = context;
    const kernel_product *product = sum->batch->product;
    for (int64_t panel = begin; panel < end; panel++) {
        product_task task = sum->batch->task;
        const int64_t from = product->k_border(task.k, panel), to = product->k_border(task.k, panel + 1);
        task.a += from * task.a_column;
        task.b += from * task.b_row;
        if (task.packed)
            task.packed = (const char *)task.packed + product->packed_bytes(from, task.n);
        task.k = to - from;
        if (panel > 0) {
            task.c = partial_memory(sum, panel) + sums_numbers(&task);
            task.c_row = task.n;
            task.add = false;
            task.bias = NULL;
            task.a_sums = task.a_sums ? (double *)(void *)partial_memory(sum, panel) : NULL;
            for (int64_t i = 0; task.a_sums && i < 2 * task.m; i++)
                task.a_sums[i] = 0;
        }
        product->block(&task, (product_block){0, task.m, 0, task.n}, worker_memory(sum->batch, worker));
    }
}

/* (In the way in which kernels add them.) */
static void add_a_sum(const product_task *task, int64_t i, double high, double low)
{
    scalar_sum own = {task->a_sums[i], task->a_sums[i + task->m] + low};
    scalar_sum_add(&own, high);
    task->a_sums[i] = own.high;
    task->a_sums[i + task->m] = own.low;
}

static void add_partials(void *context, int64_t begin, int64_t end, int worker)
{
    const divided_sum *sum = context;
    const product_task *task = &sum->batch->task;
    const int64_t panels = sum->batch->product->k_panels(task->k);
    (void)worker;
    for (int64_t panel = 1; panel < panels; panel++) {
        const ag_real *c = partial_memory(sum, panel) + sums_numbers(task);
        const double *a_sums = (const double *)(const void *)partial_memory(sum, panel);
        for (int64_t i = begin; i < end; i++)
            kernels()->elementwise->add(task->n, c + i * task->n, task->c + i * task->c_row);
        for (int64_t i = begin; task->a_sums && i < end; i++)
            add_a_sum(task, i, a_sums[i], a_sums[i + task->m]);
    }
}

static void run_divided_sum(const product_batch *one, double work, int threads)
{
    const product_task *task = &one->task;
    const int64_t panels = one->product->k_panels(task->k);
    char *after_workspaces = one->workspace + (size_t)threads * one->product->workspace_bytes;
    divided_sum sum = {one, (ag_real *)(void *)after_workspaces};
    kernel_parallel(threads, panels, work, run_panels, &sum);
    kernel_parallel(threads, task->m, 2.0 * (double)(panels - 1) * (double)partial_numbers(task), add_partials, &sum);
}

void kernel_product_run(const kernel_product *product, const product_task *task, int64_t count, int64_t a_step,
                        int64_t b_step, int64_t c_step, int threads, void *workspace)
{
    product_batch batch = {product, *task, a_step, b_step, c_step, workspace};
    /* A multiply-add costs a small fraction of what an operation on memory costs; but
     * each number of B is read and copied, which is most of the work where A has few
     * rows. */
    double work = (0.1 * (double)task->m + 0.5) * (double)task->n * (double)task->k;
    if (task->m == 0 || task->n == 0)
        return;
    if (count >= threads) {
        kernel_parallel(threads, count, work * (double)count, run_items, &batch);
        return;
    }
    for (int64_t i = 0; i < count; i++) {
        product_batch one = {product, batch_item(&batch, i), 0, 0, 0, workspace};
        if (has_panel_for_each(product, task, threads))
            run_divided_sum(&one, work, threads);
        else
            run_grid(&one, work, threads);
    }
}
