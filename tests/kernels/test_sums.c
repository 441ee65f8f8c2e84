/* test_sums.c - long sums are within 4 eps of the sum of the magnitudes, in float and in double, at each
 * instruction-set level: of sums, means, the gradients of what was broadcast and of embeddings, losses, norms and
 * biases.
 *
 * The terms are whole multiples of a power of two, so that their sums are known exactly. */
#include "check_util.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static ag_tape *tape;

static void setup(void)
{
    tape = ag_tape_new(&(ag_tape_options){.threads = 2});
    ck_assert_ptr_nonnull(tape);
}

static void teardown(void)
{
    ag_tape_free(tape);
}

static const double eps = PRECISION(DBL_EPSILON, FLT_EPSILON);

/* ---- Terms ------------------------------------------------------------------------- */

/* What is summed: a tenth again and again; a large number and tiny ones; drawn ones; and
 * large ones that cancel. */
typedef enum kind { TENTHS, TINY, DRAWN, CANCELLING, KINDS } kind;
static const char *const names[] = {"tenths", "tiny", "drawn", "cancelling"};

/* Term i, a multiple of 2^-56. */
static ag_real value(kind k, int64_t i)
{
    switch (k) {
    case TENTHS:
        return (ag_real)0.1;
    case TINY:
        return i == 0 ? 10007 : (ag_real)0.13;
    case DRAWN:
        return (ag_real)((double)(ag_mix((uint64_t)i + 1) >> 11) * 0x1p-53);
    default:
        return (ag_real)((i % 2 ? -0x1p18 : 0x1p18) + 0.1 * (double)(i % 3));
    }
}

/* The sum of the terms first, first + step .. (count of them), rounded once, and the sum
 * of their magnitudes. */
typedef struct total {
    double sum, size;
} total;

static total total_of(kind k, int64_t first, int64_t step, int64_t count)
{
    int64_t high = 0, low = 0; /* in units of 2^-27 and of 2^-56 */
    double size = 0;
    for (int64_t i = 0; i < count; i++) {
        const double own = (double)value(k, first + i * step), whole = floor(ldexp(own, 27));
        high += (int64_t)whole;
        low += (int64_t)ldexp(ldexp(own, 27) - whole, 29);
        size += fabs(own);
    }
    return (total){ldexp((double)high, -27) + ldexp((double)low, -56), size};
}

static void check(ag_real found, total wanted, double factor, kind k, const char *what)
{
    const double error = fabs((double)found - wanted.sum * factor) / (eps * wanted.size * factor);
    if (!(error <= 4))
        ck_abort_msg("%s of %s: %.17g is %g eps from %.17g", what, names[k], (double)found, error, wanted.sum * factor);
}

static ag_real *terms_new(kind k, int64_t count)
{
    ag_real *x = malloc((size_t)count * sizeof *x);
    ck_assert_ptr_nonnull(x);
    for (int64_t i = 0; i < count; i++)
        x[i] = value(k, i);
    return x;
}

/* ---- Sums and means ---------------------------------------------------------------- */

START_TEST(sums_and_means)
{
    static const int64_t sizes[] = {1, 7, 33, 1000, 65537, 1000003};
    const kind k = (kind)_i;
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        const int64_t n = sizes[s];
        ag_real *x = terms_new(k, n);
        const total all = total_of(k, 0, 1, n);
        ag_tensor *input = ag_constant(tape, AG_SHAPE(n), x);
        check(ag_sum(input, AG_ALL_AXES, false)->data[0], all, 1, k, "sum");
        check(ag_mean(input, AG_ALL_AXES, false)->data[0], all, 1 / (double)n, k, "mean");
        free(x);
        ag_tape_rewind(tape);
    }
}
END_TEST

/* Columns, of which some are summed side by side; and all axes but the middle one, which
 * are two sums. */
START_TEST(sums_over_some_axes)
{
    enum { ROWS = 60000, COLUMNS = 37 };
    const kind k = (kind)_i;
    ag_real *x = terms_new(k, ROWS * COLUMNS);
    ag_tensor *columns = ag_sum(ag_constant(tape, AG_SHAPE(ROWS, COLUMNS), x), AG_AXIS(0), false);
    for (int64_t c = 0; c < COLUMNS; c++)
        check(columns->data[c], total_of(k, c, COLUMNS, ROWS), 1, k, "column");
    ag_tensor *inner = ag_mean(ag_constant(tape, AG_SHAPE(ROWS / 100, 100, COLUMNS), x), AG_AXIS(0) | AG_AXIS(1), true);
    for (int64_t c = 0; c < COLUMNS; c++)
        check(inner->data[c], total_of(k, c, COLUMNS, ROWS), 1.0 / ROWS, k, "mean column");
    free(x);
}
END_TEST

/* A number and a row that are stretched over a matrix: their gradients are sums over it. */
START_TEST(gradients_of_what_was_broadcast)
{
    enum { ROWS = 9001, COLUMNS = 41 };
    const kind k = (kind)_i;
    ag_real *dy = terms_new(k, ROWS * COLUMNS);
    ag_tensor *matrix = ag_constant(tape, AG_SHAPE(ROWS, COLUMNS), NULL);
    ag_tensor *row = ag_variable(tape, AG_SHAPE(COLUMNS), NULL), *number = ag_variable(tape, AG_SCALAR, NULL);
    ck_assert_int_eq(ag_backward_seeded(ag_add(ag_add(matrix, row), number), dy), AG_OK);
    for (int64_t c = 0; c < COLUMNS; c++)
        check(row->grad[c], total_of(k, c, COLUMNS, ROWS), 1, k, "row");
    check(number->grad[0], total_of(k, 0, 1, ROWS * COLUMNS), 1, k, "number");
    free(dy);
}
END_TEST

/* Of a table whose rows were read a few times, or again and again; one is padding. */
static void check_embedding(kind k, int64_t count, int64_t width)
{
    enum { ROWS = 3, MOST = 30000 };
    static int32_t ids[MOST];
    for (int64_t i = 0; i < count; i++)
        ids[i] = (int32_t)(i % ROWS);
    ag_real *dy = terms_new(k, count * width);
    ag_tensor *table = ag_variable(tape, AG_SHAPE(ROWS, width), NULL);
    ag_embedding_options options = {.padding_id = 1, .scale = 2};
    ck_assert_int_eq(ag_backward_seeded(ag_embedding_fused(table, AG_SHAPE(count), ids, &options), dy), AG_OK);
    for (int64_t e = 0; e < ROWS * width; e++) {
        if (e / width == options.padding_id)
            ck_assert(table->grad[e] == 0);
        else
            check(table->grad[e], total_of(k, e, ROWS * width, count / ROWS), options.scale, k, "embedding");
    }
    free(dy);
    ag_tape_rewind(tape);
}

START_TEST(gradients_of_embeddings)
{
    static const int64_t widths[] = {1, 31, 32, 70, 513};
    for (int w = 0; w < 5; w++) {
        for (int64_t times = 1; times < 12; times++)
            check_embedding((kind)_i, 3 * times, widths[w]);
        check_embedding((kind)_i, 3 * (w < 4 ? 10000 : 100), widths[w]);
    }
}
END_TEST

/* ---- Biases ------------------------------------------------------------------------ */

/* Of a linear layer, with the gradient of its weight and without, and of a layer norm. */
START_TEST(gradients_of_biases)
{
    enum { ROWS = 5003 };
    static const int64_t widths[] = {1, 5, 16, 37, 100};
    const kind k = (kind)_i;
    for (size_t w = 0; w < sizeof widths / sizeof *widths; w++)
        for (int form = 0; form < 3; form++) {
            const int64_t width = widths[w];
            ag_real *dy = terms_new(k, ROWS * width);
            ag_tensor *x = ag_constant(tape, AG_SHAPE(ROWS, form == 2 ? width : 3), NULL);
            ag_tensor *bias = ag_variable(tape, AG_SHAPE(width), NULL), *y;
            if (form == 2)
                y = ag_layer_norm(x, NULL, bias, 1e-5);
            else
                y = ag_linear(x, (form ? ag_variable : ag_constant)(tape, AG_SHAPE(width, 3), NULL), bias);
            ck_assert_int_eq(ag_backward_seeded(y, dy), AG_OK);
            for (int64_t c = 0; c < width; c++)
                check(bias->grad[c], total_of(k, c, width, ROWS), 1, k, form == 2 ? "norm bias" : "bias");
            free(dy);
            ag_tape_rewind(tape);
        }
}
END_TEST

/* ---- Losses and rows --------------------------------------------------------------- */

/* log-softmax of n equal numbers is -log n: the sum of n ones. Weights of 1 and 0.1 in
 * turn are summed by the mean. */
START_TEST(log_sum_exp_and_the_weights_of_a_loss)
{
    static const int64_t sizes[] = {3, 1000, 300001};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        const int64_t n = sizes[s];
        ag_real *x = calloc((size_t)n, sizeof *x);
        int32_t *targets = calloc((size_t)n, sizeof *targets);
        const ag_real weights[] = {(ag_real)0.1, (ag_real)0.7};
        ag_tensor *y = ag_log_softmax(ag_constant(tape, AG_SHAPE(n), x), 0);
        ck_assert(fabs((double)y->data[0] + log((double)n)) <= 4 * eps * log((double)n));
        y = ag_softmax(ag_constant(tape, AG_SHAPE(n), x), 0);
        ck_assert(fabs((double)y->data[n / 2] * (double)n - 1) <= 4 * eps);
        ag_tensor *loss = ag_cross_entropy(ag_constant(tape, AG_SHAPE(n, 2), NULL), targets,
                                           &(ag_cross_entropy_options){.class_weights = weights});
        ck_assert(fabs((double)loss->data[0] - log(2)) <= 4 * eps * log(2));
        loss = ag_cross_entropy(ag_constant(tape, AG_SHAPE(n, 2), NULL), targets,
                                &(ag_cross_entropy_options){.class_weights = weights, .reduction = AG_SUM});
        const double wanted = (double)weights[0] * (double)n * log(2);
        ck_assert(fabs((double)loss->data[0] - wanted) <= 4 * eps * wanted);
        free(x);
        free(targets);
        ag_tape_rewind(tape);
    }
}
END_TEST

/* The mean square of numbers whose squares are exact. */
START_TEST(the_mean_square)
{
    enum { N = 1000003 };
    ag_real *x = malloc(N * sizeof *x);
    int64_t sum = 0;
    for (int64_t i = 0; i < N; i++) {
        const int64_t own = (int64_t)(ag_mix((uint64_t)i) >> 44);
        x[i] = (ag_real)ldexp((double)own, -10);
        sum += own * own;
    }
    ag_tensor *y = ag_mse(ag_constant(tape, AG_SHAPE(N), x), ag_constant(tape, AG_SCALAR, NULL), AG_MEAN);
    const double wanted = ldexp((double)sum, -20) / N;
    ck_assert(fabs((double)y->data[0] - wanted) <= 4 * eps * wanted);
    free(x);
}
END_TEST

static void add_sums(TCase *tests)
{
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_loop_test(tests, sums_and_means, 0, KINDS);
    tcase_add_loop_test(tests, sums_over_some_axes, 0, KINDS);
    tcase_add_loop_test(tests, gradients_of_what_was_broadcast, 0, KINDS);
    tcase_add_loop_test(tests, gradients_of_embeddings, 0, KINDS);
    tcase_add_loop_test(tests, gradients_of_biases, 0, KINDS);
    tcase_add_test(tests, log_sum_exp_and_the_weights_of_a_loss);
    tcase_add_test(tests, the_mean_square);
}

static Suite *sums_suite(void)
{
    Suite *suite = suite_create("sums");
    test_at_each_level(suite, add_sums);
    return suite;
}

TEST_MAIN(sums_suite)
