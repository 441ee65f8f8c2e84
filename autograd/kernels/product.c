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
    return (size_t)threads * product->workspace_bytes + (size_t)(threads - 1) * PARTIAL_NUMBERS * sizeof(ag_real);
}

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

/* Pieces are runs of rows, or of columns, of one product. Columns are cut at borders of
 * tiles. Rows are cut anywhere, since the tiles of a block have nearly equal heights
 * whatever their number. */
#define PIECE_ROWS 8

static void run_rows(void *context, int64_t begin, int64_t end, int worker)
{
    const product_batch *batch = context;
    int64_t m = batch->task.m;
    product_block block = {begin * PIECE_ROWS, smaller(end * PIECE_ROWS, m), 0, batch->task.n};
    batch->product->block(&batch->task, block, worker_memory(batch, worker));
}

static void run_columns(void *context, int64_t begin, int64_t end, int worker)
{
    const product_batch *batch = context;
    int64_t step = batch->product->tile_columns, n = batch->task.n;
    product_block block = {0, batch->task.m, begin * step, smaller(end * step, n)};
    batch->product->block(&batch->task, block, worker_memory(batch, worker));
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
    /* (A multiply-add costs a small fraction of what an operation on memory costs.) */
    double work = 0.1 * (double)task->m * (double)task->n * (double)task->k;
    if (task->m == 0 || task->n == 0)
        return;
    if (count >= threads) {
        kernel_parallel(threads, count, work * (double)count, run_items, &batch);
        return;
    }
    for (int64_t i = 0; i < count; i++) {
        product_batch one = {product, batch_item(&batch, i), 0, 0, 0, workspace};
        int64_t tiles_across = ceil_div(task->n, product->tile_columns);
        if (has_panel_for_each(product, task, threads))
            run_divided_sum(&one, work, threads);
        else if (ceil_div(task->m, product->tile_rows) >= tiles_across)
            kernel_parallel(threads, ceil_div(task->m, PIECE_ROWS), work, run_rows, &one);
        else
            kernel_parallel(threads, tiles_across, work, run_columns, &one);
    }
}
