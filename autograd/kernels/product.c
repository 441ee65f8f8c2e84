/* product.c - cutting matrix products into pieces for threads. */
#include "product.h"

#include "parallel.h"

size_t kernel_product_workspace(const kernel_product *product, int threads)
{
    return (size_t)threads * product->workspace_bytes;
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

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t pieces_of(int64_t size, int64_t each)
{
    return (size + each - 1) / each;
}

/* Pieces are runs of rows, or of columns, of one product. Columns are cut where tiles are, rows anywhere: a part's
 * tiles are of nearly equal height whatever their number. */
#define PIECE_ROWS 8

static void run_rows(void *context, int64_t begin, int64_t end, int worker)
{
    const product_batch *batch = context;
    int64_t m = batch->task.m;
    product_block part = {begin * PIECE_ROWS, smaller(end * PIECE_ROWS, m), 0, batch->task.n};
    batch->product->block(&batch->task, part, worker_memory(batch, worker));
}

static void run_columns(void *context, int64_t begin, int64_t end, int worker)
{
    const product_batch *batch = context;
    int64_t step = batch->product->tile_columns, n = batch->task.n;
    product_block part = {0, batch->task.m, begin * step, smaller(end * step, n)};
    batch->product->block(&batch->task, part, worker_memory(batch, worker));
}

void kernel_product_run(const kernel_product *product, const product_task *task, int64_t count, int64_t a_step,
                        int64_t b_step, int64_t c_step, int threads, void *workspace)
{
    product_batch batch = {product, *task, a_step, b_step, c_step, workspace};
    /* A multiply-add here costs a small part of what an operation on memory does. */
    double work = 0.1 * (double)task->m * (double)task->n * (double)task->k;
    if (task->m == 0 || task->n == 0)
        return;
    if (count >= threads) {
        kernel_parallel(threads, count, work * (double)count, run_items, &batch);
        return;
    }
    for (int64_t i = 0; i < count; i++) {
        product_batch one = {product, batch_item(&batch, i), 0, 0, 0, workspace};
        int64_t tiles_across = pieces_of(task->n, product->tile_columns);
        if (pieces_of(task->m, product->tile_rows) >= tiles_across)
            kernel_parallel(threads, pieces_of(task->m, PIECE_ROWS), work, run_rows, &one);
        else
            kernel_parallel(threads, tiles_across, work, run_columns, &one);
    }
}
