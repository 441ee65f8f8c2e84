/* test_ops_rows.c - softmax, log-softmax, layer norm and RMS norm against plain
 * computations in double. */
#include "same_bytes.h"
#include "tape_fixture.h"

#include <math.h>
#include <string.h>

/* |found - expected| <= tolerance * max(1, |expected|) */
static void check_near(double found, double expected, double tolerance, const char *what, int64_t i)
{
    double size = fabs(expected) > 1 ? fabs(expected) : 1;
    if (!(fabs(found - expected) <= tolerance * size)) /* (thousands of passing ck_asserts would be slow) */
        ck_abort_msg("%s[%lld] is %.17g, expected %.17g", what, (long long)i, found, expected);
}

/* ---- Softmax ----------------------------------------------------------------------- */

/* The softmax of `n` numbers that lie `step` apart, and the gradients of it and of its
 * logarithm, the plain way. */
static void naive_softmax(int64_t n, int64_t step, const ag_real *x, const ag_real *dy, double *p, double *dx,
                          double *dx_log)
{
    double max = -INFINITY, sum = 0, weighted = 0, total = 0;
    for (int64_t i = 0; i < n; i++)
        max = fmax(max, (double)x[i * step]);
    for (int64_t i = 0; i < n; i++)
        sum += p[i] = exp((double)x[i * step] - max);
    for (int64_t i = 0; i < n; i++) {
        p[i] /= sum;
        weighted += p[i] * (double)dy[i * step];
        total += (double)dy[i * step];
    }
    for (int64_t i = 0; i < n; i++) {
        dx[i] = p[i] * ((double)dy[i * step] - weighted);
        dx_log[i] = (double)dy[i * step] - p[i] * total;
    }
}

/* Compares both functions with the plain way along `axis`, where x is a leaf on given
 * memory. */
static void check_softmax(ag_shape shape, int axis, ag_real *data, const ag_real *seed)
{
    int64_t n = shape.dim[axis], inner = 1, size = ag_shape_size(shape);
    for (int i = axis + 1; i < shape.ndim; i++)
        inner *= shape.dim[i];
    ag_real *dx = calloc((size_t)size * 2 + 2, sizeof *dx), *dx_log = dx + size + 1; /* of odd and even places */
    double *p = malloc((size_t)(3 * n + 1) * sizeof *p), *expected = p + n, *expected_log = expected + n;
    for (int64_t i = 0; i < size; i++)
        dx[i] = dx_log[i] = 1; /* gradients are added to it */

    ag_tensor *y = ag_softmax(ag_leaf(tape, shape, data, dx), axis);
    ag_tensor *y_log = ag_log_softmax(ag_leaf(tape, shape, data, dx_log), axis - shape.ndim);
    ck_assert_ptr_nonnull(y_log);
    ck_assert_int_eq(ag_backward_seeded(y, seed), AG_OK);
    ck_assert_int_eq(ag_backward_seeded(y_log, seed), AG_OK);
    ck_assert(ag_shape_equal(y->shape, shape) && ag_shape_equal(y_log->shape, shape));

    for (int64_t row = 0; n && row < size / n; row++) {
        int64_t place = row / inner * inner * n + row % inner;
        naive_softmax(n, inner, data + place, seed + place, p, expected, expected_log);
        for (int64_t i = 0; i < n; i++) {
            int64_t at = place + i * inner;
            check_near((double)y->data[at] / p[i], 1, PRECISION(1e-13, 4e-6), "softmax to its formula", i);
            check_near((double)y_log->data[at], log(p[i]), PRECISION(1e-14, 1e-6), "log-softmax", i);
            check_near((double)dx[at], 1 + expected[i], PRECISION(1e-14, 4e-7), "softmax gradient", i);
            check_near((double)dx_log[at], 1 + expected_log[i], PRECISION(1e-14, 2e-6), "log-softmax gradient", i);
        }
    }
    free(dx);
    free(p);
    ag_tape_rewind(tape);
}

/* Sizes around those where vectors, blocks and caches end; the arrays begin at an odd
 * element as well. */
START_TEST(softmax_of_many_sizes)
{
    const int64_t sizes[] = {0, 1, 2, 15, 16, 17, 20, 21, 23, 255, 256, 257, 1536, 2048, 2049, 30576};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (int offset = 0; offset < 2; offset++) {
            const int64_t rows = 3, size = rows * sizes[s];
            ag_real *memory = calloc(2 * (size_t)(size + 1), sizeof *memory), *seed = memory + size + 1;
            test_fill(memory, size + 1, 1 + s, -8, 8);
            test_fill(seed, size + 1, 1000 + s, -1, 1);
            check_softmax(AG_SHAPE(rows, sizes[s]), 1, memory + offset, seed);
            free(memory);
        }
}
END_TEST

START_TEST(softmax_along_every_axis)
{
    const ag_shape shapes[] = {AG_SHAPE(7),           AG_SHAPE(5, 40),         AG_SHAPE(4, 33, 3),
                               AG_SHAPE(2, 3, 5, 17), AG_SHAPE(3, 1, 2, 4, 5), AG_SHAPE(300, 50),
                               AG_SHAPE(2, 0, 3),     AG_SHAPE(0, 4)};
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
        for (int axis = 0; axis < shapes[s].ndim; axis++) {
            const int64_t size = ag_shape_size(shapes[s]);
            ag_real *memory = calloc(2 * (size_t)(size + 1), sizeof *memory), *seed = memory + size;
            test_fill(memory, size, 5 + s, -4, 4);
            test_fill(seed, size, 50 + s, -1, 1);
            check_softmax(shapes[s], axis, memory, seed);
            free(memory);
        }
}
END_TEST

/* Whole numbers, so that the shift itself is exact in float. */
START_TEST(softmax_ignores_a_shift)
{
    enum { ROWS = 5, WIDTH = 37 };
    ag_real x[ROWS * WIDTH], shifted[ROWS * WIDTH];
    test_fill(x, ROWS * WIDTH, 3, -10, 10);
    for (int i = 0; i < ROWS * WIDTH; i++) {
        x[i] = (ag_real)floor((double)x[i]);
        shifted[i] = x[i] + (ag_real)1e7;
    }
    const ag_shape shape = AG_SHAPE(ROWS, WIDTH);
    for (int axis = 0; axis < 2; axis++) {
        ag_tensor *a = ag_softmax(ag_constant(tape, shape, x), axis);
        ag_tensor *b = ag_softmax(ag_constant(tape, shape, shifted), axis);
        ag_tensor *a_log = ag_log_softmax(ag_constant(tape, shape, x), axis);
        ag_tensor *b_log = ag_log_softmax(ag_constant(tape, shape, shifted), axis);
        ck_assert_mem_eq(a->data, b->data, sizeof x);
        ck_assert_mem_eq(a_log->data, b_log->data, sizeof x);
    }
}
END_TEST

START_TEST(softmax_with_infinities)
{
    const ag_real inf = (ag_real)INFINITY;
    const ag_real x[5][4] = {{-inf, 1, 2, -inf},
                             {-inf, -inf, -inf, -inf},
                             {-inf, (ag_real)NAN, -inf, -inf},
                             {inf, 1, 2, 3},
                             {5, -inf, -inf, -inf}};
    const ag_real seed[5 * 4] = {1, 2, 3, 4, 5, 6, 7, 8};
    ag_tensor *input = ag_variable(tape, AG_SHAPE(5, 4), x[0]), *log_input = ag_variable(tape, AG_SHAPE(5, 4), x[0]);
    ag_tensor *y = ag_softmax(input, -1), *y_log = ag_log_softmax(log_input, -1);
    ck_assert(y->data[0] == 0 && y->data[3] == 0);
    check_near((double)y->data[1], 1 / (1 + exp(1)), 1e-6, "softmax", 1);
    ck_assert(y_log->data[0] == -inf && isfinite(y_log->data[1]));
    for (int i = 0; i < 4; i++) {
        ck_assert(y->data[4 + i] == 0 && !signbit(y->data[4 + i]));
        ck_assert(y_log->data[4 + i] == -inf);
        ck_assert(isnan(y->data[8 + i]) && isnan(y->data[12 + i]));
        ck_assert(isnan(y_log->data[8 + i]) && isnan(y_log->data[12 + i]));
        ck_assert(y->data[16 + i] == (i == 0));
    }
    ck_assert(y_log->data[16] == 0 && y_log->data[17] == -inf);

    ck_assert_int_eq(ag_backward_seeded(y, seed), AG_OK);
    ck_assert_int_eq(ag_backward_seeded(y_log, seed), AG_OK);
    ck_assert(input->grad[0] == 0 && input->grad[3] == 0 && input->grad[1] < 0 && input->grad[2] > 0);
    for (int i = 0; i < 4; i++) {
        ck_assert(input->grad[4 + i] == 0);
        ck_assert(isfinite(log_input->grad[i]) && isfinite(log_input->grad[4 + i]));
    }
}
END_TEST

START_TEST(softmax_errors)
{
    tape_refuses(ag_softmax(ag_variable(tape, AG_SHAPE(2, 3), NULL), 2), AG_BAD_VALUE, "softmax: [2,3] has no axis 2");
    tape_refuses(ag_softmax(ag_variable(tape, AG_SHAPE(2, 3), NULL), -3), AG_BAD_VALUE, "axis -3");
    tape_refuses(ag_log_softmax(ag_variable(tape, AG_SCALAR, NULL), 0), AG_BAD_VALUE, "log_softmax: [] has no axis 0");
    ck_assert_ptr_null(ag_softmax(NULL, 0));
}
END_TEST

/* ---- Norms ------------------------------------------------------------------------- */

/* One row of either norm and its gradients, the plain way. weight and bias may be NULL;
 * dweight, dbias are added to. */
static void naive_norm(bool centred, int64_t n, double eps, const ag_real *x, const ag_real *weight,
                       const ag_real *bias, const ag_real *dy, double *y, double *dx, double *dweight, double *dbias)
{
    double mean = 0, square = 0, mean_g = 0, mean_gn = 0;
    for (int64_t i = 0; centred && i < n; i++)
        mean += ((double)x[i] - (double)x[0]) / (double)n;
    mean += centred ? (double)x[0] : 0;
    for (int64_t i = 0; i < n; i++)
        square += ((double)x[i] - mean) * ((double)x[i] - mean) / (double)n;
    const double inverse = 1 / sqrt(square + eps);
    for (int64_t i = 0; i < n; i++) {
        double normal = ((double)x[i] - mean) * inverse, w = weight ? (double)weight[i] : 1;
        y[i] = normal * w + (bias ? (double)bias[i] : 0);
        mean_g += centred ? (double)dy[i] * w / (double)n : 0;
        mean_gn += (double)dy[i] * w * normal / (double)n;
        dweight[i] += (double)dy[i] * normal;
        dbias[i] += (double)dy[i];
    }
    for (int64_t i = 0; i < n; i++) {
        double normal = ((double)x[i] - mean) * inverse, w = weight ? (double)weight[i] : 1;
        dx[i] = inverse * ((double)dy[i] * w - mean_g - normal * mean_gn);
    }
}

/* Compares a norm of x [rows, width], which begins at an element that is not aligned,
 * with the plain way. */
static void check_norm(bool centred, int64_t rows, int64_t width, double middle, double noise, bool with_weight,
                       bool with_bias, double tolerance)
{
    const double eps = 1e-5;
    const int64_t size = rows * width;
    ag_real *x = calloc((size_t)(3 * size + 4 * width + 1), sizeof *x), *dy = x + size + 1, *dx = dy + size;
    ag_real *weight = dx + size, *bias = weight + width, *dweight = bias + width, *dbias = dweight + width;
    double *expected = calloc((size_t)(4 * width), sizeof *expected), *expected_dx = expected + width;
    double *expected_dweight = expected_dx + width, *expected_dbias = expected_dweight + width;
    test_fill(x, size + 1, 7, middle - noise, middle + noise);
    test_fill(dy, size, 8, -1, 1);
    test_fill(weight, width, 9, 0.5, 2);
    test_fill(bias, width, 10, -1, 1);
    for (int64_t i = 0; i < size; i++)
        dx[i] = 1; /* gradients are added to it */
    for (int64_t i = 0; i < width; i++)
        expected_dweight[i] = expected_dbias[i] = dweight[i] = dbias[i] = 1;

    ag_tensor *input = ag_leaf(tape, AG_SHAPE(rows, width), x + 1, dx);
    ag_tensor *w = with_weight ? ag_leaf(tape, AG_SHAPE(width), weight, dweight) : NULL;
    ag_tensor *b = with_bias ? ag_leaf(tape, AG_SHAPE(width), bias, dbias) : NULL;
    ag_tensor *y = centred ? ag_layer_norm(input, w, b, eps) : ag_rms_norm(input, w, eps);
    ck_assert_ptr_nonnull(y);
    ck_assert_int_eq(ag_backward_seeded(y, dy), AG_OK);

    for (int64_t r = 0; r < rows; r++) {
        naive_norm(centred, width, eps, x + 1 + r * width, with_weight ? weight : NULL, with_bias ? bias : NULL,
                   dy + r * width, expected, expected_dx, expected_dweight, expected_dbias);
        for (int64_t i = 0; i < width; i++) {
            check_near((double)y->data[r * width + i], expected[i], tolerance, "norm", i);
            check_near((double)dx[r * width + i], 1 + expected_dx[i], 2 * tolerance, "dx", i);
        }
    }
    for (int64_t i = 0; i < width; i++) {
        if (with_weight)
            check_near((double)dweight[i], expected_dweight[i], 4 * tolerance, "dweight", i);
        if (with_bias)
            check_near((double)dbias[i], expected_dbias[i], 4 * tolerance, "dbias", i);
    }
    free(x);
    free(expected);
    ag_tape_rewind(tape);
}

START_TEST(norms_of_many_widths)
{
    const int64_t widths[] = {1, 2, 3, 7, 16, 17, 33, 64, 255, 257, 1000};
    for (size_t i = 0; i < sizeof widths / sizeof *widths; i++)
        for (int form = 0; form < 8; form++)
            check_norm(form & 1, 37, widths[i], 0.3, 2, form & 2, form & 4 && form & 1, PRECISION(1e-12, 5e-6));
}
END_TEST

/* The rows are cut into blocks here, and the blocks' sums into the gradients. */
START_TEST(norms_of_many_rows)
{
    const int64_t rows[] = {1, 15, 16, 17, 512, 513, 2000};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        check_norm(true, rows[i], 24, 0, 2, true, true, PRECISION(1e-12, 5e-6));
        check_norm(false, rows[i], 24, 0, 2, true, false, PRECISION(1e-12, 5e-6));
    }
}
END_TEST

/* 1e4 and small noise: a mean that was rounded to float, or E[x^2] - E[x]^2, gets the
 * first digit wrong here. */
START_TEST(layer_norm_of_a_large_mean)
{
    check_norm(true, 20, 64, 1e4, 0.1, true, true, PRECISION(1e-8, 5e-6));
    check_norm(true, 20, 1000, -1e4, 0.1, true, true, PRECISION(1e-8, 5e-6));
    check_norm(true, 3, 30576, 1e4, 0.01, true, true, PRECISION(1e-8, 5e-6));
}
END_TEST

/* Odd sizes and values whose sums round. */
START_TEST(layer_norm_of_a_constant_row)
{
    const int64_t widths[] = {1, 2, 3, 17, 33, 64, 1000};
    const ag_real values[] = {0, (ag_real)0.1, (ag_real)-1234.567, (ag_real)1e-20, (ag_real)3e7};
    for (size_t i = 0; i < sizeof widths / sizeof *widths; i++)
        for (size_t v = 0; v < sizeof values / sizeof *values; v++) {
            const int64_t width = widths[i];
            ag_tensor *x = ag_variable(tape, AG_SHAPE(2, width), NULL);
            ag_tensor *weight = ag_variable(tape, AG_SHAPE(width), NULL);
            ag_tensor *bias = ag_variable(tape, AG_SHAPE(width), NULL);
            for (int64_t e = 0; e < x->size; e++)
                x->data[e] = values[v];
            test_fill(weight->data, width, 1, 1, 2);
            test_fill(bias->data, width, 2, 1, 2);
            ag_tensor *y = ag_layer_norm(x, weight, bias, 1e-5);
            ck_assert_int_eq(ag_backward(ag_sum(ag_mul(y, y), AG_ALL_AXES, false)), AG_OK);
            for (int64_t e = 0; e < x->size; e++) {
                ck_assert(y->data[e] == bias->data[e % width]);
                ck_assert(isfinite(x->grad[e]));
                ck_assert(weight->grad[e % width] == 0);
                if (width == 1)
                    ck_assert(x->grad[e] == 0);
            }
            ag_tape_rewind(tape);
        }
}
END_TEST

START_TEST(norms_of_nothing)
{
    const ag_shape shapes[] = {AG_SHAPE(0, 4), AG_SHAPE(3, 0)};
    for (int i = 0; i < 2; i++) {
        ag_tensor *weight = ag_variable(tape, AG_SHAPE(shapes[i].dim[1]), NULL);
        ag_tensor *x = ag_variable(tape, shapes[i], NULL);
        ag_tensor *sum = ag_add(ag_sum(ag_layer_norm(x, weight, weight, 1e-5), AG_ALL_AXES, false),
                                ag_sum(ag_rms_norm(x, weight, 1e-5), AG_ALL_AXES, false));
        ck_assert_int_eq(ag_backward(sum), AG_OK);
        ck_assert(sum->data[0] == 0);
        for (int64_t e = 0; e < weight->size; e++)
            ck_assert(weight->grad[e] == 0);
        ag_tape_rewind(tape);
    }
}
END_TEST

START_TEST(norm_errors)
{
    const ag_shape shape = AG_SHAPE(2, 3);
    tape_refuses(ag_layer_norm(ag_variable(tape, shape, NULL), ag_variable(tape, AG_SHAPE(2), NULL), NULL, 1e-5),
                 AG_BAD_SHAPE, "layer_norm: weight [2] for an input [2,3]: expected [3]");
    tape_refuses(ag_layer_norm(ag_variable(tape, shape, NULL), NULL, ag_variable(tape, AG_SHAPE(1, 3), NULL), 1e-5),
                 AG_BAD_SHAPE, "bias [1,3]");
    tape_refuses(ag_rms_norm(ag_variable(tape, AG_SCALAR, NULL), NULL, 1e-5), AG_BAD_SHAPE, "rms_norm: the input");
    tape_refuses(ag_rms_norm(ag_variable(tape, shape, NULL), NULL, -1e-5), AG_BAD_VALUE, "eps is -1e-05");
    tape_refuses(ag_rms_norm(ag_variable(tape, shape, NULL), NULL, (double)NAN), AG_BAD_VALUE, "eps is");
    tape_refuses(ag_layer_norm(ag_variable(tape, shape, NULL), NULL, NULL, (double)INFINITY), AG_BAD_VALUE, "eps is");
    const ag_real x[] = {1, 3};
    ag_tensor *y = ag_layer_norm(ag_constant(tape, AG_SHAPE(2), x), NULL, NULL, 0);
    ck_assert(y && y->data[0] == -1 && y->data[1] == 1);
}
END_TEST

/* ---- Rules for all ----------------------------------------------------------------- */

static ag_tensor *by_kind(int kind, ag_tensor *x)
{
    switch (kind) {
    case 0:
        return ag_softmax(x, -1);
    case 1:
        return ag_log_softmax(x, -1);
    case 2:
        return ag_layer_norm(x, NULL, NULL, 1e-5);
    default:
        return ag_rms_norm(x, NULL, 1e-5);
    }
}

/* Neither the neighbours of a row nor the address at which it begins change a bit of its
 * result. */
START_TEST(a_row_is_alone)
{
    enum { ROWS = 6, MOST = 300 };
    const int64_t widths[] = {1, 7, 16, 33, 257, MOST};
    ag_real x[ROWS * MOST + 1];
    test_fill(x, ROWS * MOST + 1, 12, -3, 3);
    for (int kind = 0; kind < 4; kind++)
        for (size_t w = 0; w < sizeof widths / sizeof *widths; w++) {
            ag_tensor *together = by_kind(kind, ag_leaf(tape, AG_SHAPE(ROWS, widths[w]), x + 1, NULL));
            for (int64_t r = 0; r < ROWS; r++) {
                ag_tensor *alone = by_kind(kind, ag_constant(tape, AG_SHAPE(widths[w]), x + 1 + r * widths[w]));
                ck_assert_mem_eq(alone->data, together->data + r * widths[w], (size_t)widths[w] * sizeof(ag_real));
            }
        }
}
END_TEST

static ag_tensor *softmax_last(ag_tape *on, ag_tensor *const *inputs, void *context)
{
    (void)on;
    (void)context;
    return ag_softmax(inputs[0], -1);
}

static ag_tensor *log_softmax_middle(ag_tape *on, ag_tensor *const *inputs, void *context)
{
    (void)on;
    (void)context;
    return ag_log_softmax(inputs[0], 1);
}

static ag_tensor *layer_norm(ag_tape *on, ag_tensor *const *inputs, void *context)
{
    (void)on;
    (void)context;
    return ag_layer_norm(inputs[0], inputs[1], inputs[2], 1e-5);
}

static ag_tensor *rms_norm(ag_tape *on, ag_tensor *const *inputs, void *context)
{
    (void)on;
    (void)context;
    return ag_rms_norm(inputs[0], inputs[1], 1e-5);
}

START_TEST(same_bytes_at_any_threads)
{
    test_same_bytes(softmax_last, NULL, (ag_shape[]){AG_SHAPE(7, 31, 65)}, 1);
    test_same_bytes(log_softmax_middle, NULL, (ag_shape[]){AG_SHAPE(31, 65, 137)}, 1);
    test_same_bytes(layer_norm, NULL, (ag_shape[]){AG_SHAPE(31, 331, 33), AG_SHAPE(33), AG_SHAPE(33)}, 3);
    test_same_bytes(rms_norm, NULL, (ag_shape[]){AG_SHAPE(917, 33), AG_SHAPE(33)}, 2);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_checked_fixture(tests, tape_set_up, tape_tear_down);
    tcase_add_test(tests, softmax_of_many_sizes);
    tcase_add_test(tests, softmax_along_every_axis);
    tcase_add_test(tests, softmax_ignores_a_shift);
    tcase_add_test(tests, softmax_with_infinities);
    tcase_add_test(tests, softmax_errors);
    tcase_add_test(tests, norms_of_many_widths);
    tcase_add_test(tests, norms_of_many_rows);
    tcase_add_test(tests, layer_norm_of_a_large_mean);
    tcase_add_test(tests, layer_norm_of_a_constant_row);
    tcase_add_test(tests, norms_of_nothing);
    tcase_add_test(tests, norm_errors);
    tcase_add_test(tests, a_row_is_alone);
    tcase_add_test(tests, same_bytes_at_any_threads);
}

static Suite *suite(void)
{
    Suite *s = suite_create("ops_rows");
    test_at_each_level(s, add_tests);
    return s;
}

TEST_MAIN(suite)
