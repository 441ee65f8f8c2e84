/* test_product_blocks.c - how threads divide a product: every element once, and no panel
 * of B copied more often than each thread's own interval of rows needs. */
#include "check_util.h"
#include "kernels/kernels.h"
#include "kernels/parallel.h"

#include <stdatomic.h>
#include <stdlib.h>

/* ---- A kernel that counts ---------------------------------------------------------- */

enum { MOST_THREADS = 4, MOST_ROWS_AT_ONCE = 1024 };

/* Of the product that runs now. A block copies all that B has in the block's columns. */
static struct counted {
    atomic_int_least64_t elements, columns_copied, tallest;
} counted;

static void count_block(const product_task *task, product_block block, void *workspace)
{
    const int64_t rows = block.row_end - block.row_begin, columns = block.column_end - block.column_begin;
    (void)workspace;
    counted.elements += rows * columns * task->k;
    counted.columns_copied += columns * task->k;
    for (int64_t tallest = counted.tallest; rows > tallest;)
        if (atomic_compare_exchange_weak(&counted.tallest, &tallest, rows))
            break;
}

static int take_from_any(int worker, int workers)
{
    static atomic_uint calls;
    return (worker + (int)(calls++ % 7)) % workers;
}

static void check_product(int64_t m, int64_t n, int64_t k, int threads)
{
    kernel_product counting = *kernels()->product;
    counting.block = count_block;
    ag_real *numbers = calloc((size_t)(m * k + k * n + m * n), sizeof *numbers);
    void *workspace = malloc(kernel_product_workspace(&counting, threads));
    ck_assert(numbers && workspace);
    const product_task task = {.m = m,
                               .n = n,
                               .k = k,
                               .a = numbers,
                               .a_row = k,
                               .a_column = 1,
                               .b = numbers + m * k,
                               .b_row = n,
                               .b_column = 1,
                               .c = numbers + m * k + k * n,
                               .c_row = n};
    counted.elements = counted.columns_copied = counted.tallest = 0;
    kernel_product_run(&counting, &task, 1, 0, 0, 0, threads, workspace);
    const int64_t intervals = threads * ((m + threads * MOST_ROWS_AT_ONCE - 1) / (threads * MOST_ROWS_AT_ONCE));
    ck_assert_int_eq(counted.elements, m * n * k);
    ck_assert_msg(counted.columns_copied <= intervals * n * k,
                  "%d x %d x %d, %d threads: B is copied %.1f times, at most %d are needed", (int)m, (int)n, (int)k,
                  threads, (double)counted.columns_copied / (double)(n * k), (int)intervals);
    ck_assert_int_le(counted.tallest, threads > 1 && m > n ? MOST_ROWS_AT_ONCE + 8 : m);
    free(workspace);
    free(numbers);
}

/* ---- Products ---------------------------------------------------------------------- */

static void check_products(void)
{
    static const int64_t sizes[][3] = {{800, 2048, 512},  {720, 512, 2048}, {512, 2048, 800},  {2048, 512, 800},
                                       {768, 64, 64},     {64, 64, 768},    {5000, 300, 40},   {64, 4000, 300},
                                       {1536, 1024, 256}, {17, 17, 3000},   {1000, 1000, 1000}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int threads = 1; threads <= MOST_THREADS; threads++)
            check_product(sizes[i][0], sizes[i][1], sizes[i][2], threads);
}

START_TEST(no_panel_is_copied_more_often_than_needed)
{
    check_products();
}
END_TEST

START_TEST(nor_if_threads_take_each_others_blocks)
{
    kernel_parallel_disturb = take_from_any;
    check_products();
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("product_blocks");
    TCase *tests = tcase_create("threads");
    tcase_add_test(tests, no_panel_is_copied_more_often_than_needed);
    tcase_add_test(tests, nor_if_threads_take_each_others_blocks);
    suite_add_tcase(s, tests);
    return s;
}

TEST_MAIN(suite)
