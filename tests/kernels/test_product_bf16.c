/* test_product_bf16.c - products of operands rounded to bfloat16: beside plain loops over numbers rounded one by one,
 * on tapes, in training. Where the processor or the build has none, that they are refused. */
#include "check_util.h"
#include "kernels/kernels.h"
#include "train_fixture.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Says so where there is nothing to test. */
static bool available(void)
{
    if (ag_matmul_available(AG_MATMUL_BF16))
        return true;
    fprintf(stderr, "no products of bfloat16 in this build on this processor: not tested\n");
    return false;
}

/* ---- Rounding ---------------------------------------------------------------------- */

/* To the nearest number with 8 bits of precision, the even one of two; denormal numbers
 * to 0. */
static ag_real rounded(ag_real x)
{
    float single = (float)x, result;
    uint32_t bits;
    memcpy(&bits, &single, sizeof bits);
    if (fabsf(single) < FLT_MIN)
        bits &= 0x80000000u;
    else if (isfinite(single))
        bits = (bits + 0x7fffu + (bits >> 16 & 1)) & 0xffff0000u;
    memcpy(&result, &bits, sizeof result);
    return (ag_real)result;
}

/* C [1, 1] = a b. */
static ag_real product_of_two(ag_real a, ag_real b)
{
    ag_real c = -1;
    product_task task = {
        .m = 1, .n = 1, .k = 1, .a = &a, .a_row = 1, .a_column = 1, .b = &b, .b_row = 1, .b_column = 1};
    task.c = &c;
    task.c_row = 1;
    void *workspace = malloc(kernel_product_workspace(kernels()->product_bf16, 1));
    ck_assert_ptr_nonnull(workspace);
    kernel_product_run(kernels()->product_bf16, &task, 1, 0, 0, 0, 1, workspace);
    free(workspace);
    return c;
}

START_TEST(an_operand_is_rounded_to_nearest)
{
    if (!available())
        return;
    const double half = 0x1p-8; /* half of the distance between neighbours behind 1 */
    const double cases[][2] = {
        {1 + half, 1},
        {1 + 3 * half, 1 + 4 * half},
        {1 + half + 0x1p-20, 1 + 2 * half},
        {1 + half - 0x1p-20, 1},
        {-1 - 3 * half, -1 - 4 * half},
        {2 - 0x1p-23, 2},
        {FLT_MAX, HUGE_VAL},
        {HUGE_VAL, HUGE_VAL},
        {-HUGE_VAL, -HUGE_VAL},
        {FLT_MIN, FLT_MIN},
        {FLT_MIN / 2, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const ag_real x = (ag_real)cases[i][0];
        ck_assert_msg((double)rounded(x) == cases[i][1] || isinf(cases[i][1]), "case %zu: the test's own rounding", i);
        ck_assert_msg((double)product_of_two(x, 1) == cases[i][1], "%.9g as the left operand", cases[i][0]);
        ck_assert_msg((double)product_of_two(1, x) == cases[i][1], "%.9g as the right operand", cases[i][0]);
    }
    ck_assert(isnan(product_of_two((ag_real)NAN, 1)) && isnan(product_of_two(1, (ag_real)NAN)));
    ck_assert_msg(product_of_two((ag_real)0x1p-100, (ag_real)0x1p-30) == 0, "a denormal result is 0");
}
END_TEST

/* ---- Products ---------------------------------------------------------------------- */

/* How A and B lie: by rows, by columns, by rows with numbers between that are not the
 * matrix's. */
enum { ROWS, COLUMNS, SPREAD, LAYOUTS };

typedef struct problem {
    int64_t m, n, k;
    int a, b; /* layouts */
    bool add, bias, finish;
} problem;

typedef struct operand {
    ag_real *memory;
    int64_t row, column, size;
} operand;

/* [rows, columns] of fractions in [-1, 1), in a block that ends with the last of them. */
static operand operand_new(int64_t rows, int64_t columns, int layout, ag_rng *rng)
{
    operand made = {.row = layout == COLUMNS ? 1 : columns, .column = layout == COLUMNS ? rows : 1};
    if (layout == SPREAD)
        made = (operand){.row = 3 * columns + 1, .column = 3};
    made.size = rows && columns ? (rows - 1) * made.row + (columns - 1) * made.column + 1 : 0;
    made.memory = malloc(made.size ? (size_t)made.size * sizeof(ag_real) : 1);
    ck_assert_ptr_nonnull(made.memory);
    for (int64_t e = 0; e < made.size; e++)
        made.memory[e] = (ag_real)NAN;
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++)
            made.memory[i * made.row + j * made.column] = (ag_real)(2 * ag_rng_uniform(rng) - 1);
    return made;
}

static void *workspace_new(int threads)
{
    const size_t bytes = kernel_product_workspace(kernels()->product_bf16, threads);
    void *workspace = malloc(bytes);
    ck_assert_ptr_nonnull(workspace);
    return memset(workspace, 0xff, bytes); /* NaN, whichever way it is read */
}

/* The sum of the products of rounded operands, in double, and of their sizes. */
static double plain_sum(const product_task *task, int64_t i, int64_t j, double *magnitude)
{
    double sum = 0;
    for (int64_t p = 0; p < task->k; p++) {
        double term = (double)rounded(task->a[i * task->a_row + p * task->a_column]) *
                      (double)rounded(task->b[p * task->b_row + j * task->b_column]);
        sum += term;
        *magnitude += fabs(term);
    }
    return sum;
}

/* Every term is rounded at most twice more often than there are sums it enters. */
static void check_c(const product_task *task, const problem *p, const ag_real *before)
{
    for (int64_t i = 0; i < p->m; i++)
        for (int64_t j = 0; j < p->n; j++) {
            const double old = p->add ? (double)before[i * p->n + j] : 0, bias = p->bias ? (double)task->bias[j] : 0;
            double magnitude = fabs(old) + fabs(bias);
            const double expected = plain_sum(task, i, j, &magnitude) + old + bias;
            const double found = (double)task->c[i * p->n + j] - (p->finish ? 1000 : 0);
            const double most = (double)(p->k + 2) * FLT_EPSILON * magnitude + (p->finish ? 1000 * FLT_EPSILON : 0);
            ck_assert_msg(fabs(found - expected) <= most,
                          "[%lld,%lld] x [%lld,%lld], layouts %d and %d, element (%lld,%lld): %.9g, not %.9g +- %.2g",
                          (long long)p->m, (long long)p->k, (long long)p->k, (long long)p->n, p->a, p->b, (long long)i,
                          (long long)j, found, expected, most);
        }
}

static void add_a_thousand(const void *context, int64_t row, int64_t column, int64_t count)
{
    const product_task *task = context;
    for (int64_t j = column; j < column + count; j++)
        task->c[row * task->c_row + j] += 1000;
}

/* The whole at once; in pieces; and by threads: the same bytes. */
static void check_product(const problem *p, ag_rng *rng)
{
    operand a = operand_new(p->m, p->k, p->a, rng), b = operand_new(p->k, p->n, p->b, rng);
    operand before = operand_new(p->m, p->n, ROWS, rng), c = operand_new(p->m, p->n, ROWS, rng);
    operand again = operand_new(p->m, p->n, ROWS, rng), bias = operand_new(1, p->n, ROWS, rng);
    const size_t bytes = (size_t)c.size * sizeof(ag_real);
    product_task task = {.m = p->m, .n = p->n, .k = p->k, .a = a.memory, .a_row = a.row, .a_column = a.column};
    task.b = b.memory;
    task.b_row = b.row;
    task.b_column = b.column;
    task.c_row = p->n;
    task.add = p->add;
    task.bias = p->bias ? bias.memory : NULL;
    task.finish = p->finish ? add_a_thousand : NULL;
    task.finish_context = &task;
    for (int threads = 1; threads <= 4; threads *= 2) {
        void *workspace = workspace_new(threads);
        task.c = threads == 1 ? c.memory : again.memory;
        memcpy(task.c, before.memory, bytes);
        kernel_product_run(kernels()->product_bf16, &task, 1, 0, 0, 0, threads, workspace);
        if (threads == 1)
            check_c(&task, p, before.memory);
        else
            ck_assert_msg(!memcmp(c.memory, again.memory, bytes), "%d threads give other bytes than one", threads);
        free(workspace);
    }
    void *workspace = workspace_new(1);
    const int64_t middle = p->m / 3, column = p->n / 2;
    memcpy(again.memory, before.memory, bytes);
    for (int part = 0; part < 4; part++)
        kernels()->product_bf16->block(&task,
                                       (product_block){part & 1 ? middle : 0, part & 1 ? p->m : middle,
                                                       part & 2 ? column : 0, part & 2 ? p->n : column},
                                       workspace);
    ck_assert_msg(!memcmp(c.memory, again.memory, bytes), "pieces give other bytes than the whole");
    free(workspace);
    free(a.memory);
    free(b.memory);
    free(c.memory);
    free(before.memory);
    free(again.memory);
    free(bias.memory);
}

/* Odd and even lengths of the sum, within a panel of 1024 and beyond it; tiles and
 * squares, whole and in part. */
START_TEST(products_beside_plain_loops)
{
    if (!available())
        return;
    static const int64_t sizes[][3] = {{1, 1, 1},    {1, 1, 2},    {12, 32, 16},   {13, 33, 17},   {5, 7, 3},
                                       {24, 16, 32}, {49, 70, 33}, {11, 15, 1025}, {7, 290, 65},   {100, 31, 2},
                                       {3, 5, 0},    {0, 4, 3},    {4, 0, 3},      {61, 40, 2051}, {200, 300, 190}};
    ag_rng rng = ag_rng_make(7, 0);
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (int a = 0; a < LAYOUTS; a++)
            for (int b = 0; b < LAYOUTS; b++) {
                problem p = {sizes[s][0], sizes[s][1], sizes[s][2], a, b, false, false, false};
                p.add = ag_rng_below(&rng, 2);
                p.bias = ag_rng_below(&rng, 2);
                p.finish = ag_rng_below(&rng, 2);
                check_product(&p, &rng);
            }
}
END_TEST

/* ---- Tapes ------------------------------------------------------------------------- */

enum { ROW_COUNT = 3, IN = 5, OUT = 4 };

/* The numbers of dy x-ward and weight-ward, and y, of a linear layer and a matmul of the
 * same operands. */
typedef struct layer_numbers {
    ag_real y[2][ROW_COUNT * OUT], dx[2][ROW_COUNT * IN], dweight[2][OUT * IN];
} layer_numbers;

/* All operands of both, forward and backward, are `value`. */
static layer_numbers layer_run(ag_matmul_numbers numbers, double value)
{
    ag_real values[32];
    for (int i = 0; i < 32; i++)
        values[i] = (ag_real)value;
    layer_numbers found;
    ag_tape *tape = ag_tape_new(NULL);
    ck_assert_ptr_nonnull(tape);
    ck_assert_int_eq(ag_tape_matmul(tape), AG_MATMUL_REAL);
    ck_assert(ag_tape_set_matmul(tape, numbers));
    ck_assert_int_eq(ag_tape_matmul(tape), numbers);
    for (int i = 0; i < 2; i++) {
        ag_tensor *x = ag_variable(tape, AG_SHAPE(ROW_COUNT, IN), values);
        ag_tensor *weight = ag_variable(tape, AG_SHAPE(OUT, IN), values);
        ag_tensor *y = i ? ag_matmul(x, weight, false, true) : ag_linear(x, weight, NULL);
        ck_assert_int_eq(ag_backward_seeded(y, values), AG_OK);
        memcpy(found.y[i], y->data, sizeof found.y[i]);
        memcpy(found.dx[i], x->grad, sizeof found.dx[i]);
        memcpy(found.dweight[i], weight->grad, sizeof found.dweight[i]);
    }
    ag_tape_free(tape);
    return found;
}

static void check_layers(const layer_numbers *found, double square)
{
    for (int i = 0; i < 2; i++) {
        ck_assert_msg((double)found->y[i][1] == IN * square, "y of %s", i ? "matmul" : "linear");
        ck_assert_msg((double)found->dx[i][1] == OUT * square, "dx of %s", i ? "matmul" : "linear");
        ck_assert_msg((double)found->dweight[i][1] == ROW_COUNT * square, "dW of %s", i ? "matmul" : "linear");
    }
}

/* 1 + 2^-8 is a number of float but not of bfloat16. */
START_TEST(a_tape_rounds_when_asked_to)
{
    const double value = 1 + 0x1p-8;
    layer_numbers found = layer_run(AG_MATMUL_REAL, value);
    check_layers(&found, value * value);
    if (!available())
        return;
    found = layer_run(AG_MATMUL_BF16, value);
    check_layers(&found, 1);
}
END_TEST

START_TEST(what_is_not_there_is_refused)
{
    setenv("TAPEFORMER_LEVEL", "generic", 1);
    ck_assert(ag_matmul_available(AG_MATMUL_REAL));
    ck_assert(!ag_matmul_available(AG_MATMUL_BF16));
    ag_tape *tape = ag_tape_new(NULL);
    ck_assert_ptr_nonnull(tape);
    ck_assert(!ag_tape_set_matmul(tape, AG_MATMUL_BF16));
    ck_assert_int_eq(ag_tape_matmul(tape), AG_MATMUL_REAL);
    ag_tape_free(tape);

    ag_error error = {0};
    train_fixture f = train_fixture_new("reverse", 3, 5, NN_ENCODER_DECODER, 8, 0);
    train_options options = {.steps = 1, .matmul = AG_MATMUL_BF16};
    ck_assert_int_eq(train_run(f.model, f.training, NULL, &options, NULL, &error), AG_BAD_VALUE);
    ck_assert_msg(strstr(error.message, "bfloat16") != NULL, "%s", error.message);
    train_fixture_clear(&f);
}
END_TEST

/* ---- Training ---------------------------------------------------------------------- */

typedef struct losses {
    double first, last;
} losses;

static void note_loss(void *context, const train_progress *progress)
{
    losses *seen = context;
    if (progress->step == 1)
        seen->first = progress->loss;
    seen->last = progress->loss;
}

/* A run in folder/name; its evaluation at the end beside one of our own, which is of real
 * numbers. */
static losses train_with(train_fixture *f, const char *name, ag_matmul_numbers matmul, int threads, char folder[512])
{
    losses seen = {0};
    train_result result;
    train_metrics metrics;
    train_evaluation evaluation = {.max_sources = 20, .decode = true};
    snprintf(folder, 512, "%s/%s", f->folder, name);
    train_options options = {
        .steps = 60, .batch = 64, .rate = 3e-3, .threads = threads, .matmul = matmul, .out = folder};
    options.evaluate_every = 60;
    options.evaluate_sources = 20;
    options.on_progress = note_loss;
    options.context = &seen;
    train_fixture_redraw(f, 7);
    ck_assert_int_eq(train_run(f->model, f->training, f->dev, &options, &result, NULL), AG_OK);
    ck_assert_int_eq(train_evaluate(f->model, f->dev, &evaluation, &metrics, NULL), AG_OK);
    ck_assert_msg(metrics.loss == result.best.loss, "on dev %.9g in the run, %.9g behind it", result.best.loss,
                  metrics.loss);
    return seen;
}

START_TEST(a_training_learns_at_any_threads)
{
    if (!available())
        return;
    char alone[512], together[512], plain[512];
    train_fixture f = train_fixture_new("reverse", 8, 12, NN_ENCODER_DECODER, 64, 0.1);
    losses own = train_with(&f, "alone", AG_MATMUL_BF16, 1, alone);
    train_with(&f, "together", AG_MATMUL_BF16, 2, together);
    losses other = train_with(&f, "plain", AG_MATMUL_REAL, 1, plain);
    test_files_equal(alone, together, "model.safetensors");
    test_files_equal(alone, together, "checkpoint.safetensors");
    ck_assert_msg(own.last < 0.8 * own.first, "the loss went from %g to %g", own.first, own.last);
    ck_assert_msg(own.last != other.last, "the option changes nothing");
    ck_assert_double_eq_tol(own.last, other.last, 0.05 * other.last);
    train_fixture_clear(&f);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("product_bf16");
    TCase *t = tcase_create("bf16");
    tcase_set_timeout(t, 120);
    tcase_add_test(t, an_operand_is_rounded_to_nearest);
    tcase_add_test(t, products_beside_plain_loops);
    tcase_add_test(t, a_tape_rounds_when_asked_to);
    tcase_add_test(t, what_is_not_there_is_refused);
    tcase_add_test(t, a_training_learns_at_any_threads);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(suite)
