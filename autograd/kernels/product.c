/* product.c - cutting matrix products into pieces for threads. */
#include "product.h"

#include "kernels.h"
#include "parallel.h"
#include "scalar.h"

/* The most numbers of a part of a sum that a thread has for itself: m rows of C and the
 * sums of m rows of A. Larger ones cost more to add up than sharing saves. */
#define SUM_NUMBERS ((int64_t)80 * 1024)

size_t kernel_product_workspace(const kernel_product *product, int threads)
{
    return (size_t)threads * product->workspace_bytes + (size_t)(threads - 1) * SUM_NUMBERS * sizeof(ag_real);
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

/* Pieces are parts of the sum, one for each thread. The first is added to C as ever, the others go to memory of their
 * own and from there to C, in order: the same bits. So no thread reads what of A and B another does. In the gradient of
 * a weight that is the tokens: each thread has computed its own before, and they are in its cache. Where caches are far
 * from each other, sharing them costs small models most of what the second thread gains. */
typedef struct sum_batch {
    const product_batch *batch;
    ag_real *parts; /* those behind the first, part_numbers of each */
} sum_batch;

/* (The sums of A come first, as doubles, and an even number for the next part's.) */
static int64_t sums_numbers(const product_task *task)
{
    return 2 * task->m * (int64_t)(sizeof(double) / sizeof(ag_real));
}

static int64_t part_numbers(const product_task *task)
{
    return sums_numbers(task) + task->m * task->n + task->m * task->n % 2;
}

static ag_real *part_memory(const sum_batch *sum, int64_t part)
{
    return sum->parts + (part - 1) * part_numbers(&sum->batch->task);
}

static bool has_part_for_each(const kernel_product *product, const product_task *task, int threads)
{
    return threads > 1 && product->sum_parts(task->k) == threads && !task->finish && part_numbers(task) <= SUM_NUMBERS;
}

static void run_sum_parts(void *context, int64_t begin, int64_t end, int worker)
{
    const sum_batch *sum = context;
    const kernel_product *product = sum->batch->product;
    for (int64_t part = begin; part < end; part++) {
        product_task task = sum->batch->task;
        const int64_t from = product->sum_border(task.k, part), to = product->sum_border(task.k, part + 1);
        task.a += from * task.a_column;
        task.b += from * task.b_row;
        task.k = to - from;
        if (part > 0) {
            task.c = part_memory(sum, part) + sums_numbers(&task);
            task.c_row = task.n;
            task.add = false;
            task.bias = NULL;
            task.a_sums = task.a_sums ? (double *)(void *)part_memory(sum, part) : NULL;
            for (int64_t i = 0; task.a_sums && i < 2 * task.m; i++)
                task.a_sums[i] = 0;
        }
        product->block(&task, (product_block){0, task.m, 0, task.n}, worker_memory(sum->batch, worker));
    }
}

/* (As the kernel adds them.) */
static void add_a_sum(const product_task *task, int64_t i, double high, double low)
{
    scalar_sum own = {task->a_sums[i], task->a_sums[i + task->m] + low};
    scalar_sum_add(&own, high);
    task->a_sums[i] = own.high;
    task->a_sums[i + task->m] = own.low;
}

static void add_sum_parts(void *context, int64_t begin, int64_t end, int worker)
{
    const sum_batch *sum = context;
    const product_task *task = &sum->batch->task;
    const int64_t parts = sum->batch->product->sum_parts(task->k);
    (void)worker;
    for (int64_t part = 1; part < parts; part++) {
        const ag_real *c = part_memory(sum, part) + sums_numbers(task);
        const double *a_sums = (const double *)(const void *)part_memory(sum, part);
        for (int64_t i = begin; i < end; i++)
            kernels()->elementwise->add(task->n, c + i * task->n, task->c + i * task->c_row);
        for (int64_t i = begin; task->a_sums && i < end; i++)
            add_a_sum(task, i, a_sums[i], a_sums[i + task->m]);
    }
}

static void run_shared_sum(const product_batch *one, double work, int threads)
{
    const product_task *task = &one->task;
    const int64_t parts = one->product->sum_parts(task->k);
    char *behind = one->workspace + (size_t)threads * one->product->workspace_bytes;
    sum_batch sum = {one, (ag_real *)(void *)behind};
    kernel_parallel(threads, parts, work, run_sum_parts, &sum);
    kernel_parallel(threads, task->m, 2.0 * (double)(parts - 1) * (double)part_numbers(task), add_sum_parts, &sum);
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
        if (has_part_for_each(product, task, threads))
            run_shared_sum(&one, work, threads);
        else if (pieces_of(task->m, product->tile_rows) >= tiles_across)
            kernel_parallel(threads, pieces_of(task->m, PIECE_ROWS), work, run_rows, &one);
        else
            kernel_parallel(threads, tiles_across, work, run_columns, &one);
    }
}
