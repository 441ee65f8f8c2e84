/* test_ops_linear.c - the fused linear layer against the operations that it stands for,
 * and gradients that are shared instead of copied; the bias' gradient, which the weight's
 * product makes. */
#include "check_util.h"

#include <math.h>
#include <string.h>

enum { ROWS = 37, IN = 19, OUT = 83, MOST = ROWS * OUT };

/* A linear layer with what follows it, fused or as operations of their own, and the
 * gradients. */
typedef struct outcome {
    ag_real y[MOST], dx[ROWS * IN], dweight[OUT * IN], dbias[OUT], dresidual[MOST];
} outcome;

static ag_tensor *activate(ag_tensor *x, ag_activation activation)
{
    switch (activation) {
    case AG_RELU:
        return ag_relu(x);
    case AG_GELU:
        return ag_gelu(x, AG_GELU);
    case AG_GELU_TANH:
        return ag_gelu(x, AG_GELU_TANH);
    case AG_SILU:
        return ag_silu(x);
    default:
        return x;
    }
}

static ag_tensor *composed(ag_tensor *x, ag_tensor *weight, ag_tensor *bias, const ag_linear_options *options)
{
    ag_tensor *y = activate(ag_linear(x, weight, bias), options->activation);
    y = ag_dropout(y, options->dropout);
    return options->residual ? ag_add(options->residual, y) : y;
}

static void run(bool fused, int threads, ag_linear_options options, bool with_residual, outcome *out)
{
    static ag_real values[MOST];
    ag_tape *tape = ag_tape_new(&(ag_tape_options){.threads = threads});
    ag_tape_seed(tape, 3, 4);
    test_fill(values, ROWS * IN, 1, -2, 2);
    ag_tensor *x = ag_variable(tape, AG_SHAPE(ROWS, IN), values);
    test_fill(values, OUT * IN, 2, -1, 1);
    ag_tensor *weight = ag_variable(tape, AG_SHAPE(OUT, IN), values);
    test_fill(values, OUT, 3, -1, 1);
    ag_tensor *bias = ag_variable(tape, AG_SHAPE(OUT), values);
    test_fill(values, MOST, 4, -1, 1);
    ag_tensor *residual = with_residual ? ag_variable(tape, AG_SHAPE(ROWS, OUT), values) : NULL;
    /* Inner tensors on both sides, so that gradients can be shared and overwritten. */
    options.residual = residual ? ag_scale(residual, 1) : NULL;
    ag_tensor *y = (fused ? ag_linear_fused : composed)(ag_scale(x, 1), weight, bias, &options);
    test_fill(values, MOST, 5, -1, 1);
    ck_assert_int_eq(ag_backward_seeded(ag_scale(y, 1), values), AG_OK);
    memset(out, 0, sizeof *out);
    memcpy(out->y, y->data, sizeof out->y);
    memcpy(out->dx, x->grad, sizeof out->dx);
    memcpy(out->dweight, weight->grad, sizeof out->dweight);
    memcpy(out->dbias, bias->grad, sizeof out->dbias);
    if (residual)
        memcpy(out->dresidual, residual->grad, sizeof out->dresidual);
    ag_tape_free(tape);
}

/* Every number of an outcome is close; where the arithmetic is the same, so are the bits,
 * but a compiler may fuse a product into a sum in the one form and not in the other. */
static void check_close(const outcome *a, const outcome *b)
{
    const ag_real *left = a->y, *right = b->y;
    for (size_t i = 0; i < sizeof *a / sizeof(ag_real); i++)
        ck_assert_double_eq_tol((double)left[i], (double)right[i], PRECISION(1e-13, 2e-5));
}

START_TEST(fused_is_composed)
{
    static outcome fused, plain, threaded;
    for (int activation = AG_NO_ACTIVATION; activation <= AG_SILU; activation++)
        for (int dropped = 0; dropped < 2; dropped++)
            for (int with_residual = 0; with_residual < 2; with_residual++) {
                ag_linear_options options = {.activation = (ag_activation)activation, .dropout = dropped ? 0.3 : 0};
                run(true, 1, options, with_residual, &fused);
                run(false, 1, options, with_residual, &plain);
                run(true, 3, options, with_residual, &threaded);
                check_close(&fused, &plain);
                ck_assert_mem_eq(&fused, &threaded, sizeof fused);
                double sum = 0;
                for (int i = 0; i < MOST; i++)
                    sum += fabs((double)fused.y[i]);
                ck_assert_double_gt(sum, MOST / 10.0);
            }
}
END_TEST

START_TEST(what_cannot_be_is_refused)
{
    ag_tape *tape = ag_tape_new(NULL);
    ag_tensor *x = ag_constant(tape, AG_SHAPE(2, 3), NULL), *weight = ag_constant(tape, AG_SHAPE(4, 3), NULL);
    ag_linear_options wide = {.residual = ag_constant(tape, AG_SHAPE(4), NULL)};
    ck_assert_ptr_null(ag_linear_fused(x, weight, NULL, &wide));
    ck_assert_str_eq(ag_tape_error(tape)->message, "linear: residual [4] for a result of [2,4]: they must be equal");
    ag_tape_rewind(tape);
    x = ag_constant(tape, AG_SHAPE(2, 3), NULL);
    weight = ag_constant(tape, AG_SHAPE(4, 3), NULL);
    ck_assert_ptr_null(ag_linear_fused(x, weight, NULL, &(ag_linear_options){.dropout = 1.5}));
    ck_assert_str_eq(ag_tape_error(tape)->message, "linear: dropout 1.5 is outside [0, 1]");
    for (int activation = -1; activation <= AG_GATED_SILU; activation += AG_GATED_SILU + 1) {
        ag_tape_rewind(tape);
        x = ag_constant(tape, AG_SHAPE(2, 3), NULL);
        weight = ag_constant(tape, AG_SHAPE(4, 3), NULL);
        ck_assert_ptr_null(
            ag_linear_fused(x, weight, NULL, &(ag_linear_options){.activation = (ag_activation)activation}));
        ck_assert_ptr_nonnull(strstr(ag_tape_error(tape)->message, "must be one from AG_NO_ACTIVATION to AG_SILU"));
    }
    ag_tape_free(tape);
}
END_TEST

/* The sum's gradient serves both of its inputs, until one of them gets another share. */
START_TEST(a_shared_gradient_is_copied_before_it_changes)
{
    ag_tape *tape = ag_tape_new(NULL);
    ag_tensor *x = ag_variable(tape, AG_SHAPE(2), (ag_real[]){1, 2});
    ag_tensor *a = ag_retain_grad(ag_scale(x, 2)), *b = ag_retain_grad(ag_scale(a, 3));
    ag_tensor *sum = ag_retain_grad(ag_add(a, b));
    ag_tensor *y = ag_add(sum, sum);
    ck_assert_int_eq(ag_backward_seeded(y, (ag_real[]){1, 10}), AG_OK);
    ck_assert_double_eq((double)sum->grad[0], 2);
    ck_assert_double_eq((double)sum->grad[1], 20);
    ck_assert_double_eq((double)b->grad[0], 2); /* that of the sum */
    ck_assert_double_eq((double)b->grad[1], 20);
    ck_assert_double_eq((double)a->grad[0], 8); /* the sum's and three times b's */
    ck_assert_double_eq((double)a->grad[1], 80);
    ck_assert_double_eq((double)x->grad[0], 16);
    ck_assert_double_eq((double)x->grad[1], 160);
    ag_tape_free(tape);
}
END_TEST

/* A gradient that was retained is not overwritten by the backward that reads it. */
START_TEST(a_kept_gradient_stays)
{
    ag_tape *tape = ag_tape_new(NULL);
    ag_tensor *x = ag_variable(tape, AG_SHAPE(1, 2), (ag_real[]){1, -2});
    ag_tensor *weight = ag_variable(tape, AG_SHAPE(2, 2), (ag_real[]){1, 0, 0, 1});
    ag_tensor *y = ag_retain_grad(ag_linear_fused(x, weight, NULL, &(ag_linear_options){.activation = AG_RELU}));
    ck_assert_int_eq(ag_backward_seeded(ag_scale(y, 1), (ag_real[]){5, 7}), AG_OK);
    ck_assert_double_eq((double)y->grad[1], 7);
    ck_assert_double_eq((double)x->grad[0], 5);
    ck_assert_double_eq((double)x->grad[1], 0);
    ag_tape_free(tape);
}
END_TEST

/* ---- The bias' gradient ------------------------------------------------------------ */

/* Many rows, so that threads share the sum over them. */
enum { MANY = 600, WIDEST = 300 };

/* The gradient of the bias of x [MANY, in] W^T + b beside a plain sum, with a weight that
 * has a gradient or has none. */
static void check_bias(int64_t in, bool with_weight, int threads)
{
    static ag_real values[MANY * WIDEST];
    ag_tape *tape = ag_tape_new(&(ag_tape_options){.threads = threads});
    test_fill(values, MANY * in, 1, -1, 1);
    ag_tensor *x = ag_variable(tape, AG_SHAPE(MANY, in), values);
    test_fill(values, OUT * in, 2, -1, 1);
    ag_tensor *weight = (with_weight ? ag_variable : ag_constant)(tape, AG_SHAPE(OUT, in), values);
    test_fill(values, OUT, 3, -1, 1);
    ag_tensor *bias = ag_variable(tape, AG_SHAPE(OUT), values);
    ag_tensor *y = ag_linear(x, weight, ag_scale(bias, 1)); /* an inner tensor, whose gradient is new */
    test_fill(values, MANY * OUT, 4, -1, 1);
    for (int call = 1; call <= 2; call++) {
        ck_assert_int_eq(ag_backward_seeded(y, values), AG_OK);
        for (int64_t j = 0; j < OUT; j++) {
            double sum = 0;
            for (int64_t i = 0; i < MANY; i++)
                sum += (double)values[i * OUT + j];
            ck_assert_msg(fabs((double)bias->grad[j] - call * sum) <= PRECISION(1e-12, 1e-4),
                          "%lld inputs, weight %d, %d threads, call %d: %.9g, not %.9g", (long long)in,
                          (int)with_weight, threads, call, (double)bias->grad[j], call * sum);
        }
    }
    ag_tape_free(tape);
}

START_TEST(a_bias_has_its_gradient_whatever_the_weight_has)
{
    static const int64_t widths[] = {0, 1, IN, WIDEST};
    for (size_t w = 0; w < sizeof widths / sizeof *widths; w++)
        for (int with_weight = 0; with_weight < 2; with_weight++)
            for (int threads = 1; threads <= 2; threads++)
                check_bias(widths[w], with_weight, threads);
}
END_TEST

/* Of x [2], bias and residual may be one tensor: its gradient is shared with that of y
 * until the bias is added. */
START_TEST(a_bias_may_be_the_residual)
{
    ag_tape *tape = ag_tape_new(NULL);
    ag_tensor *x = ag_variable(tape, AG_SHAPE(2), (ag_real[]){1, 2});
    ag_tensor *weight = ag_variable(tape, AG_SHAPE(2, 2), (ag_real[]){1, 2, 3, 4});
    ag_tensor *both = ag_variable(tape, AG_SHAPE(2), (ag_real[]){5, 6});
    ag_tensor *inner = ag_scale(both, 1);
    ag_tensor *y = ag_linear_fused(x, weight, inner, &(ag_linear_options){.residual = inner});
    ck_assert_int_eq(ag_backward_seeded(ag_scale(y, 1), (ag_real[]){10, 100}), AG_OK);
    ck_assert_double_eq((double)both->grad[0], 20);
    ck_assert_double_eq((double)both->grad[1], 200);
    ck_assert_double_eq((double)x->grad[0], 310);
    ck_assert_double_eq((double)x->grad[1], 420);
    ck_assert_double_eq((double)weight->grad[3], 200);
    ag_tape_free(tape);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_test(tests, fused_is_composed);
    tcase_add_test(tests, what_cannot_be_is_refused);
    tcase_add_test(tests, a_shared_gradient_is_copied_before_it_changes);
    tcase_add_test(tests, a_kept_gradient_stays);
    tcase_add_test(tests, a_bias_has_its_gradient_whatever_the_weight_has);
    tcase_add_test(tests, a_bias_may_be_the_residual);
}

static Suite *linear_suite(void)
{
    Suite *s = suite_create("ops_linear");
    test_at_each_level(s, add_tests);
    return s;
}

TEST_MAIN(linear_suite)
