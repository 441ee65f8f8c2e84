/* product.c - the matrix product as three loops.
 *
 * A sum is of doubles: in the float library each of its products is exact. */
#include "../product.h"

#include "scalar.h"

/* c[i][j] = (add ? c[i][j] : 0) + sum over p of a[i][p] b[p][j] + bias[j] */
static void product_element(const product_task *task, int64_t i, int64_t j)
{
    const ag_real *a = task->a + i * task->a_row, *b = task->b + j * task->b_column;
    ag_real *c = task->c + i * task->c_row + j;
    double sum = task->add ? (double)*c : 0;
    for (int64_t p = 0; p < task->k; p++)
        sum += (double)a[p * task->a_column] * (double)b[p * task->b_row];
    *c = (ag_real)(sum + (task->bias ? (double)task->bias[j] : 0));
}

/* a_sums[i] += sum over p of a[i][p], and a_sums[m + i] += what the additions round
 * off */
static void product_a_sum(const product_task *task, int64_t i)
{
    scalar_sum sum = {task->a_sums[i], task->a_sums[task->m + i]};
    for (int64_t p = 0; p < task->k; p++)
        scalar_sum_add(&sum, (double)task->a[i * task->a_row + p * task->a_column]);
    task->a_sums[i] = sum.high;
    task->a_sums[task->m + i] = sum.low;
}

static void product_block_of_c(const product_task *task, product_block block, void *workspace)
{
    (void)workspace;
    for (int64_t i = block.row_begin; i < block.row_end; i++) {
        for (int64_t j = block.column_begin; j < block.column_end; j++)
            product_element(task, i, j);
        if (task->a_sums && block.column_begin == 0)
            product_a_sum(task, i);
        if (task->finish)
            task->finish(task->finish_context, i, block.column_begin, block.column_end - block.column_begin);
    }
}

/* Sums over p are never divided. */
static int64_t k_panels(int64_t k)
{
    (void)k;
    return 1;
}

static int64_t k_border(int64_t k, int64_t index)
{
    return index == 0 ? 0 : k;
}

/* B is read where it lies. */
static size_t packed_bytes(int64_t k, int64_t n)
{
    (void)k, (void)n;
    return 0;
}

const kernel_product kernel_product_plain = {
    .block = product_block_of_c,
    .tile_rows = 1,
    .tile_columns = 1,
    .panel_columns = 256,
    .packed_bytes = packed_bytes,
    .k_panels = k_panels,
    .k_border = k_border,
};
