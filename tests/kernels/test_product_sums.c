/* test_product_sums.c - the sums of A's rows that a product takes along: beside a plain loop, at every level, of
 * numbers as they are and of bfloat16, whatever part or thread has the rows. */
#include "check_util.h"
#include "kernels/kernels.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* The products of a level that the processor has: how many. */
static int products_of(int level, const kernel_product *products[2])
{
    test_ask_for_level(level);
    if (!kernel_level(test_levels[level]) || strcmp(kernels()->name, test_levels[level]) != 0)
        return 0;
    products[0] = kernels()->product;
    products[1] = kernels()->product_bf16;
    return products[1] ? 2 : 1;
}

/* ---- A product --------------------------------------------------------------------- */

typedef struct product {
    product_task task;
    ag_real *a, *b, *c; /* heap blocks that end with their last numbers; task.a is `a`, and so on */
    double *sums;
    int64_t c_size;
} product;

static ag_real *drawn(int64_t count, bool fractions, ag_rng *rng)
{
    ag_real *values = malloc(((size_t)count + (count == 0)) * sizeof *values);
    ck_assert_ptr_nonnull(values);
    for (int64_t e = 0; e < count; e++)
        values[e] = fractions ? (ag_real)(2 * ag_rng_uniform(rng) - 1) : (ag_real)ag_rng_below(rng, 9) - 4;
    return values;
}

/* A [m, k] by columns, `gap` numbers between them; the sums begin with some numbers of
 * their own. */
static product product_new(int64_t m, int64_t n, int64_t k, int64_t gap, bool fractions, ag_rng *rng)
{
    product p = {.c_size = m * n};
    p.a = drawn(k ? (k - 1) * (m + gap) + m : 0, fractions, rng);
    p.b = drawn(k * n, fractions, rng);
    p.c = drawn(p.c_size, fractions, rng);
    p.sums = calloc(2 * (size_t)m, sizeof *p.sums);
    ck_assert_ptr_nonnull(p.sums);
    for (int64_t i = 0; i < m; i++)
        p.sums[i] = (double)ag_rng_below(rng, 9) - 4;
    p.task = (product_task){.m = m,
                            .n = n,
                            .k = k,
                            .a = p.a,
                            .a_row = 1,
                            .a_column = m + gap,
                            .b = p.b,
                            .b_row = n,
                            .b_column = 1,
                            .c = p.c,
                            .c_row = n,
                            .add = ag_rng_below(rng, 2),
                            .a_sums = p.sums};
    return p;
}

static void product_free(product *p)
{
    free(p->a);
    free(p->b);
    free(p->c);
    free(p->sums);
}

/* The same with C and sums of its own. */
static product product_copy(const product *p)
{
    product copy = *p;
    copy.a = copy.b = NULL;
    copy.task.c = copy.c = malloc((size_t)p->c_size * sizeof(ag_real));
    copy.task.a_sums = copy.sums = malloc(2 * (size_t)p->task.m * sizeof(double));
    ck_assert(copy.c != NULL && copy.sums != NULL);
    memcpy(copy.c, p->c, (size_t)p->c_size * sizeof(ag_real));
    memcpy(copy.sums, p->sums, 2 * (size_t)p->task.m * sizeof(double));
    return copy;
}

/* All bits set, which is NaN whichever way it is read: nobody may look at what was left
 * there. */
static void *workspace_new(const kernel_product *kernel, int threads)
{
    const size_t bytes = kernel_product_workspace(kernel, threads);
    void *workspace = malloc(bytes);
    ck_assert_ptr_nonnull(workspace);
    return memset(workspace, 0xff, bytes);
}

static void run(const kernel_product *kernel, const product_task *task, int threads)
{
    void *workspace = workspace_new(kernel, threads);
    kernel_product_run(kernel, task, 1, 0, 0, 0, threads, workspace);
    free(workspace);
}

/* ---- Checks ------------------------------------------------------------------------ */

/* The few numbers of a group are rounded when they are added, the rest is as good as
 * exact. */
static void check_sums(const product *p, const product *before, bool fractions)
{
    for (int64_t i = 0; i < p->task.m; i++) {
        long double sum = before->sums[i], magnitude = fabsl(sum);
        for (int64_t q = 0; q < p->task.k; q++) {
            long double x = p->task.a[i + q * p->task.a_column];
            sum += x;
            magnitude += fabsl(x);
        }
        const long double epsilon = PRECISION(DBL_EPSILON, FLT_EPSILON);
        const long double most = fractions ? 4 * epsilon * magnitude : 0,
                          found = (long double)p->sums[i] + p->sums[i + p->task.m];
        if (!(fabsl(found - sum) <= most))
            ck_abort_msg("%s: [%lld,%lld] x [%lld,%lld], row %lld of A: %.9g, not %.9Lg +- %.3Lg", kernels()->name,
                         (long long)p->task.m, (long long)p->task.k, (long long)p->task.k, (long long)p->task.n,
                         (long long)i, (double)found, sum, most);
    }
}

static void check_same(const product *p, const product *expected, const char *how)
{
    ck_assert_msg(!memcmp(p->sums, expected->sums, 2 * (size_t)p->task.m * sizeof(double)) &&
                      !memcmp(p->c, expected->c, (size_t)p->c_size * sizeof(ag_real)),
                  "%s: [%lld,%lld] x [%lld,%lld] %s: other bytes", kernels()->name, (long long)p->task.m,
                  (long long)p->task.k, (long long)p->task.k, (long long)p->task.n, how);
}

/* In parts of some rows and columns. */
static void run_parts(const kernel_product *kernel, const product_task *task, ag_rng *rng)
{
    void *workspace = workspace_new(kernel, 1);
    for (int64_t i = 0, rows; i < task->m; i += rows) {
        rows = 1 + (int64_t)ag_rng_below(rng, 60);
        for (int64_t j = 0, columns; j < task->n; j += columns) {
            columns = 1 + (int64_t)ag_rng_below(rng, 300);
            const int64_t row_end = i + rows < task->m ? i + rows : task->m;
            const int64_t column_end = j + columns < task->n ? j + columns : task->n;
            kernel->block(task, (product_block){i, row_end, j, column_end}, workspace);
        }
    }
    free(workspace);
}

static void check(const kernel_product *kernel, const product *given, bool fractions, ag_rng *rng)
{
    product whole = product_copy(given), parts = product_copy(given), without = product_copy(given);
    run(kernel, &whole.task, 1);
    check_sums(&whole, given, fractions);
    run_parts(kernel, &parts.task, rng);
    check_same(&parts, &whole, "in parts");
    for (int threads = 2; threads <= 4; threads += 2) {
        product shared = product_copy(given);
        run(kernel, &shared.task, threads);
        check_same(&shared, &whole, "on several threads");
        product_free(&shared);
    }
    without.task.a_sums = NULL;
    run(kernel, &without.task, 1);
    ck_assert_msg(!memcmp(whole.c, without.c, (size_t)whole.c_size * sizeof(ag_real)),
                  "C depends on what is asked for");
    ck_assert_msg(!memcmp(given->sums, without.sums, 2 * (size_t)given->task.m * sizeof(double)),
                  "sums nobody asked for");
    product_free(&whole);
    product_free(&parts);
    product_free(&without);
}

/* Rows and columns around those of tiles and panels, sums around the deepest panel; columns of A near to each other,
 * apart, and so far apart that they are copied. */
START_TEST(sums_of_rows)
{
    static const int64_t heights[] = {1, 2, 7, 16, 17, 48, 49, 64, 130, 200, 273}, widths[] = {1, 33, 300};
    static const int64_t depths[] = {0, 1, 2, 3, 5, 33, 512, 515, 1100, 1600}, gaps[] = {0, 3, 1024};
    const kernel_product *products[2];
    const int count = products_of(_i, products);
    ag_rng rng = ag_rng_make(1, (uint64_t)_i);
    for (int kernel = 0; kernel < count; kernel++)
        for (size_t m = 0; m < sizeof heights / sizeof *heights; m++)
            for (size_t k = 0; k < sizeof depths / sizeof *depths; k++) {
                const int64_t n = widths[(m + k) % 3], gap = gaps[ag_rng_below(&rng, 3)];
                const bool fractions = ag_rng_below(&rng, 2);
                product p = product_new(heights[m], n, depths[k], gap, fractions, &rng);
                check(products[kernel], &p, fractions, &rng);
                product_free(&p);
            }
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("product_sums");
    TCase *tests = tcase_create("levels");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, sums_of_rows, 0, TEST_LEVELS);
    suite_add_tcase(s, tests);
    return s;
}

TEST_MAIN(suite)
