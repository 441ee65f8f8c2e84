/* test_gradcheck.c - the gradient check on right functions, on kinks, on odd functions,
 * and its report.
 *
 * test_gradcheck_ops.c checks operations as records, test_gradcheck_faults.c that wrong
 * backwards are caught. */
#include "check_util.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Checks a function of one input, which must be the same to the bit afterwards. */
static ag_gradcheck_report check_one(ag_function f, ag_shape shape, ag_real *data, const ag_gradcheck_options *options)
{
    int64_t size = ag_shape_size(shape);
    ag_real *grad = calloc((size_t)size + 1, sizeof *grad), *before = calloc((size_t)size + 1, sizeof *before);
    ag_gradcheck_input input = {"x", shape, data, grad};
    ag_gradcheck_report report;
    ag_error error = {0};
    memcpy(before, data, (size_t)size * sizeof *data);
    ag_status status = ag_gradcheck(f, NULL, &input, 1, options, &report, &error);
    ck_assert_msg(status == AG_OK, "%s", error.message);
    ck_assert_mem_eq(before, data, (size_t)size * sizeof *data);
    free(before);
    free(grad);
    return report;
}

#define FUNCTION(name, expression)                                                                                     \
    static ag_tensor *name(ag_tape *tape, ag_tensor *const *inputs, void *context)                                     \
    {                                                                                                                  \
        (void)tape;                                                                                                    \
        (void)context;                                                                                                 \
        ag_tensor *x = inputs[0];                                                                                      \
        return expression;                                                                                             \
    }

/* ---- Smooth functions -------------------------------------------------------------- */

FUNCTION(f_square, ag_mul(x, x))
FUNCTION(f_composed, ag_sum(ag_mul(ag_tanh(x), ag_exp(ag_scale(x, 0.5))), AG_ALL_AXES, false))
FUNCTION(f_steep, ag_exp(ag_scale(x, 10)))
FUNCTION(f_narrow_bell, ag_exp(ag_scale(ag_mul(x, x), -400)))
FUNCTION(f_log, ag_log(x))
FUNCTION(f_inverse, ag_div(ag_constant(tape, AG_SCALAR, (const ag_real[]){1}), x))
FUNCTION(f_itself, x)

START_TEST(test_smooth_functions)
{
    static const struct {
        ag_function f;
        double low, high;
    } cases[] = {{f_square, -2, 2}, {f_composed, -2, 2}, {f_steep, -0.5, 0.5}, {f_narrow_bell, -0.2, 0.2},
                 {f_log, 0.5, 3},   {f_inverse, 0.5, 3}, {f_itself, -3, 3}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ag_real x[12];
        test_fill(x, 12, 31 + i, cases[i].low, cases[i].high);
        ag_gradcheck_report report = check_one(cases[i].f, AG_SHAPE(3, 4), x, NULL);
        ck_assert_msg(report.passed, "function %d: %s", (int)i, report.message);
        ck_assert_msg(report.worst_error < PRECISION(1e-10, 1e-3), "function %d: %s", (int)i, report.message);
        ck_assert_int_eq(report.checked, 12);
        ck_assert_int_eq(report.kinks, 0);
    }
}
END_TEST

/* Steps follow the size of a number where it is large, and shrink where its function
 * bends on a smaller scale. */
START_TEST(test_wide_scales)
{
    ag_real wide[] = {(ag_real)1e-6, (ag_real)1e-3,  1,     1000,          (ag_real)1e6,
                      (ag_real)1e15, (ag_real)-1e-6, -1000, (ag_real)-1e15};
    ag_gradcheck_report report = check_one(f_square, AG_SHAPE(9), wide, NULL);
    ck_assert_msg(report.passed, "%s", report.message);
    report = check_one(f_inverse, AG_SHAPE(9), wide, NULL);
    ck_assert_msg(report.passed, "%s", report.message);
    report = check_one(f_log, AG_SHAPE(6), wide, NULL);
    ck_assert_msg(report.passed, "%s", report.message);
    ck_assert_int_eq(report.checked, 6);
}
END_TEST

static ag_tensor *f_exp_counted(ag_tape *tape, ag_tensor *const *inputs, void *context)
{
    (void)tape;
    ++*(int *)context;
    return ag_exp(inputs[0]);
}

/* The powers of the step fall away as they should: four differences are enough, where
 * two-point ones alone would need steps so small that rounding is all there is. */
START_TEST(test_extrapolation_is_quick)
{
    ag_real x[6], grad[6];
    test_fill(x, 6, 33, -1, 1);
    ag_gradcheck_input input = {"x", AG_SHAPE(6), x, grad};
    ag_gradcheck_report report;
    int calls = 0;
    ck_assert_int_eq(ag_gradcheck(f_exp_counted, &calls, &input, 1, NULL, &report, NULL), AG_OK);
    ck_assert(report.passed);
    /* of six elements, and of the worst for the report, after one difference that finds its output */
    ck_assert_msg(calls <= PRECISION(4 + 7 * 2 * 4 + 2, 4 + 7 * 2 * 8 + 2), "%d calls", calls);
}
END_TEST

/* A square beside which something large hides the last digits: the estimate of the error
 * knows. */
FUNCTION(f_square_beside_large,
         ag_add(ag_mul(x, x), ag_constant(tape, AG_SCALAR, &(ag_real){(ag_real)PRECISION(0x1p30, 0x1p12)})))

START_TEST(test_numeric_error_is_honest)
{
    for (int i = 0; i < 20; i++) {
        ag_real x = (ag_real)(0.1 * i);
        ag_gradcheck_report report = check_one(f_square_beside_large, AG_SHAPE(1), &x, NULL);
        ck_assert_msg(fabs(report.analytic - report.numeric) <= report.numeric_error, "%s", report.message);
        ck_assert_msg(fabs(report.analytic - report.numeric) <= PRECISION(1e-4, 1e-1), "%s", report.message);
    }
}
END_TEST

/* ---- Kinks ------------------------------------------------------------------------- */

FUNCTION(f_relu, ag_relu(x))
FUNCTION(f_max, ag_max(x, AG_AXIS(1), false))

#define NEAR     ((ag_real)PRECISION(1e-3, 2e-2)) /* a kink that smaller steps get around */
#define TOO_NEAR ((ag_real)PRECISION(1e-9, 1e-6)) /* one that no step can */

START_TEST(test_kinks_are_left_out)
{
    ag_real x[] = {1, 0, NEAR, -NEAR, TOO_NEAR, -TOO_NEAR, -1, 2, (ag_real)-0.0};
    ag_gradcheck_report report = check_one(f_relu, AG_SHAPE(9), x, NULL);
    ck_assert_msg(report.passed, "%s", report.message);
    ck_assert_int_eq(report.kinks, 4);
    ck_assert_int_eq(report.checked, 5);
}
END_TEST

START_TEST(test_ties_of_a_maximum_are_kinks)
{
    ag_real x[] = {1, 2,
                   2, /* two equal maxima */
                   1, 3,
                   2, /* none */
                   5, (ag_real)(5 - NEAR),
                   0};
    ag_gradcheck_report report = check_one(f_max, AG_SHAPE(3, 3), x, NULL);
    ck_assert_msg(report.passed, "%s", report.message);
    ck_assert_int_eq(report.kinks, 2);
    ck_assert_int_eq(report.checked, 7);
}
END_TEST

START_TEST(test_too_many_kinks_is_a_failure)
{
    ag_real half[] = {0, 1, 0, -1}, more[] = {0, 1, 0}, all[] = {0};
    ck_assert(check_one(f_relu, AG_SHAPE(4), half, NULL).passed);
    ag_gradcheck_report report = check_one(f_relu, AG_SHAPE(3), more, NULL);
    ck_assert(!report.passed);
    ck_assert_str_eq(report.message, "the function: compared only 1 of 3 elements, the others are on kinks");
    ck_assert(!check_one(f_relu, AG_SHAPE(1), all, NULL).passed);
    /* a direction moves all elements, so one on a kink is enough */
    ck_assert(!check_one(f_relu, AG_SHAPE(4), half, &(ag_gradcheck_options){.directions = 4}).passed);
}
END_TEST

/* x^2 with a constant so large that the difference's rounding is above the tolerance, and
 * the same with a gradient that is a half of the right one, by more than the rounding for
 * all elements but, in float, the smallest. */
#define CONSTANT                                                                                                       \
    (const ag_real[])                                                                                                  \
    {                                                                                                                  \
        (ag_real) PRECISION(1e6, 2e4)                                                                                  \
    }
FUNCTION(f_far, ag_add(ag_mul(x, x), ag_constant(tape, AG_SHAPE(1), CONSTANT)))
FUNCTION(f_far_half, ag_add(ag_mul(x, ag_detach(x)), ag_constant(tape, AG_SHAPE(1), CONSTANT)))

START_TEST(test_difference_too_inexact_to_tell)
{
    ag_real x[] = {(ag_real)0.5, (ag_real)0.7, (ag_real)0.9, (ag_real)1.1, (ag_real)1.3, (ag_real)0.2};
    ag_gradcheck_summary summary;
    const ag_gradcheck_options options = {.summaries = &summary, .summary_count = 1};
    ag_gradcheck_report report = check_one(f_far, AG_SHAPE(2, 3), x, &options);
    ck_assert_msg(!report.passed && report.failed == 0 && report.unclear > 3, "%s", report.message);
    ck_assert(report.checked + report.unclear == 6 && summary.unclear == report.unclear);
    ck_assert(report.mistake == AG_MISTAKE_UNCLEAR && !*report.diagnosis && !*report.location);
    ck_assert_msg(strstr(report.message, "the difference cannot tell, as its own error is above the tolerance") &&
                      !strstr(report.message, "cut off"),
                  "%s", report.message);

    report = check_one(f_far_half, AG_SHAPE(2, 3), x, &options);
    ck_assert_msg(!report.passed && report.failed >= 5, "%s", report.message);
    ck_assert_msg(strstr(report.message, "cut off"), "%s", report.message);
}
END_TEST

/* ---- Nothing, and not a number ----------------------------------------------------- */

static ag_tensor *f_join(ag_tape *tape, ag_tensor *const *inputs, void *context)
{
    (void)tape;
    (void)context;
    return ag_concat(inputs, 2, 0);
}

START_TEST(test_empty_inputs)
{
    ag_real x[] = {1, 2}, grad[2];
    ag_gradcheck_input inputs[] = {{"empty", AG_SHAPE(0), NULL, NULL}, {"x", AG_SHAPE(2), x, grad}};
    ag_gradcheck_report report;
    ck_assert_int_eq(ag_gradcheck(f_join, NULL, inputs, 2, NULL, &report, NULL), AG_OK);
    ck_assert_msg(report.passed, "%s", report.message);
    ck_assert_int_eq(report.checked, 2);

    ck_assert_int_eq(ag_gradcheck(f_square, NULL, inputs, 1, NULL, &report, NULL), AG_OK);
    ck_assert(!report.passed);
    ck_assert_int_eq(report.checked, 0);
    ck_assert_str_eq(report.message, "the function: compared nothing, there are no elements");
}
END_TEST

FUNCTION(f_nothing_of, ag_slice(x, 0, 0, 0))

START_TEST(test_empty_result_compares_nothing)
{
    ag_real x[] = {1, 2};
    ag_gradcheck_report report = check_one(f_nothing_of, AG_SHAPE(2), x, NULL);
    ck_assert(!report.passed);
    ck_assert_int_eq(report.checked, 0);
}
END_TEST

START_TEST(test_result_that_is_no_number)
{
    ag_real x[] = {1, 2, -1, 3};
    ag_gradcheck_report report = check_one(f_log, AG_SHAPE(2, 2), x, NULL);
    ck_assert(!report.passed);
    ck_assert(isinf(report.worst_error));
    ck_assert_int_eq(report.input, -1);
    ck_assert_int_eq(report.index, 2);
    ck_assert_ptr_nonnull(strstr(report.message, "the result at [1,0] (flat 2): it is"));
}
END_TEST

FUNCTION(f_sqrt, ag_sqrt(x))

/* Finite itself, but with no derivative at 0: neither side may pass for a number. */
START_TEST(test_derivative_that_is_no_number)
{
    ag_real x[] = {1, 0, 2};
    ag_gradcheck_report report = check_one(f_sqrt, AG_SHAPE(3), x, NULL);
    ck_assert(!report.passed);
    ck_assert(isinf(report.worst_error));
    ck_assert_int_eq(report.input, 0);
    ck_assert_int_eq(report.index, 1);
}
END_TEST

/* ---- Functions that misbehave ------------------------------------------------------ */

FUNCTION(f_cut_off, ag_mul(ag_detach(x), ag_detach(x)))
FUNCTION(f_constant, ag_add(ag_constant(tape, AG_SHAPE(2), NULL), ag_scale(ag_detach(x), 0)))

START_TEST(test_result_without_gradient)
{
    ag_real x[] = {1, 2};
    ag_gradcheck_report report = check_one(f_cut_off, AG_SHAPE(2), x, NULL);
    ck_assert(!report.passed);
    ck_assert_int_eq(report.index, 0);
    ck_assert(report.analytic == 0 && fabs(report.numeric) > 0.9);
    ck_assert(check_one(f_constant, AG_SHAPE(2), x, NULL).passed);
}
END_TEST

static ag_tensor *f_counts_its_calls(ag_tape *tape, ag_tensor *const *inputs, void *context)
{
    (void)tape;
    return ag_scale(inputs[0], ++*(int *)context);
}

static ag_tensor *f_changes_its_input(ag_tape *tape, ag_tensor *const *inputs, void *context)
{
    (void)tape;
    (void)context;
    inputs[0]->data[1] += 1;
    return ag_scale(inputs[0], 2);
}

START_TEST(test_misbehaving_functions)
{
    ag_real x[] = {1, 2}, grad[2];
    ag_gradcheck_input input = {"x", AG_SHAPE(2), x, grad};
    ag_gradcheck_report report;
    int calls = 0;
    ck_assert_int_eq(ag_gradcheck(f_counts_its_calls, &calls, &input, 1, NULL, &report, NULL), AG_OK);
    ck_assert(!report.passed);
    ck_assert_str_eq(report.message, "the result at [0] (flat 0): the function is not deterministic: "
                                     "two calls with the same inputs differ");

    ck_assert_int_eq(ag_gradcheck(f_changes_its_input, NULL, &input, 1, NULL, &report, NULL), AG_OK);
    ck_assert(!report.passed);
    ck_assert_str_eq(report.message, "input 0 (x) at [1] (flat 1): the function changes it");
    ck_assert(x[0] == 1 && x[1] == 2);
}
END_TEST

static ag_tensor *f_other_shapes(ag_tape *tape, ag_tensor *const *inputs, void *context)
{
    (void)tape;
    return ag_slice(inputs[0], 0, 0, ++*(int *)context % 2 + 1);
}

static ag_tensor *f_null(ag_tape *tape, ag_tensor *const *inputs, void *context)
{
    (void)tape;
    (void)inputs;
    (void)context;
    return NULL;
}

FUNCTION(f_impossible, ag_reshape(x, AG_SHAPE(7)))

START_TEST(test_checks_that_cannot_run)
{
    ag_real x[] = {1, 2}, grad[2];
    ag_gradcheck_input input = {"x", AG_SHAPE(2), x, grad}, no_grad = {"x", AG_SHAPE(2), x, NULL};
    ag_gradcheck_input bad_shape = {"x", AG_SHAPE(2, -1), x, grad};
    ag_gradcheck_report report;
    int calls = 0;
    ag_error error = {0};
    ck_assert_int_eq(ag_gradcheck(f_impossible, NULL, &input, 1, NULL, &report, &error), AG_BAD_SHAPE);
    ck_assert_msg(strstr(error.message, "reshape"), "%s", error.message);
    ck_assert(!report.passed);
    error = (ag_error){0};
    ck_assert_int_eq(ag_gradcheck(f_null, NULL, &input, 1, NULL, &report, &error), AG_BAD_VALUE);
    ck_assert_ptr_nonnull(strstr(error.message, "returned NULL"));
    error = (ag_error){0};
    ck_assert_int_eq(ag_gradcheck(f_other_shapes, &calls, &input, 1, NULL, &report, &error), AG_BAD_SHAPE);
    ck_assert_ptr_nonnull(strstr(error.message, "made [2] at one call and [1] at another"));
    error = (ag_error){0};
    ck_assert_int_eq(ag_gradcheck(f_square, NULL, &no_grad, 1, NULL, &report, &error), AG_BAD_VALUE);
    ck_assert_str_eq(error.message, "gradcheck: input 0 has no memory for its gradient");
    ck_assert_int_eq(ag_gradcheck(f_square, NULL, &bad_shape, 1, NULL, &report, NULL), AG_BAD_SHAPE);
    ck_assert_int_eq(ag_gradcheck(f_square, NULL, NULL, 1, NULL, &report, NULL), AG_BAD_VALUE);

    static const ag_gradcheck_options bad[] = {{.tolerance = -1},  {.tolerance = NAN}, {.step = -1},
                                               {.step = INFINITY}, {.step = 1e-300},   {.directions = -1},
                                               {.threads = -1}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_int_eq(ag_gradcheck(f_square, NULL, &input, 1, &bad[i], &report, NULL), AG_BAD_VALUE);
    ck_assert(!report.passed && report.checked == 0);
}
END_TEST

/* Calls each check, which must refuse the function with these words. */
static void refused(ag_function f, void *context, const ag_gradcheck_input *inputs, int count, const char *says)
{
    ag_gradcheck_report report;
    ag_dot_report dot;
    ag_taylor_report taylor;
    for (int i = 0; i < 3; i++) {
        ag_error error = {0};
        if (context)
            *(int *)context = 0;
        ag_status status = i == 0   ? ag_gradcheck(f, context, inputs, count, NULL, &report, &error)
                           : i == 1 ? ag_dot_test(f, context, inputs, count, NULL, &dot, &error)
                                    : ag_taylor_test(f, context, inputs, count, NULL, &taylor, &error);
        ck_assert_msg(status != AG_OK && strstr(error.message, says), "check %d: status %d, %s", i, (int)status,
                      error.message);
    }
}

/* A scalar at the first call, and the input's shape at all others. */
static ag_tensor *f_first_scalar(ag_tape *tape, ag_tensor *const *inputs, void *context)
{
    (void)tape;
    ag_tensor *x = inputs[0];
    return ++*(int *)context == 1 ? ag_sum(x, AG_ALL_AXES, false) : ag_mul(x, x);
}

static ag_tensor *f_second_scalar(ag_tape *tape, ag_tensor *const *inputs, void *context)
{
    (void)tape;
    ag_tensor *x = inputs[0];
    return ++*(int *)context == 2 ? ag_sum(x, AG_ALL_AXES, false) : ag_mul(x, x);
}

static ag_tape *other_tape;

static ag_tensor *f_other_tape(ag_tape *tape, ag_tensor *const *inputs, void *context)
{
    (void)tape;
    (void)context;
    return ag_constant(other_tape, inputs[0]->shape, inputs[0]->data);
}

START_TEST(test_functions_and_inputs_that_are_refused)
{
    ag_real x[] = {1, 2}, other[] = {3, 4}, grad[2], grad_too[2];
    const ag_gradcheck_input input = {"x", AG_SHAPE(2), x, grad};
    const ag_gradcheck_input twice[] = {input, {"weight", AG_SHAPE(2), x, grad_too}};
    const ag_gradcheck_input sharing[] = {input, {NULL, AG_SHAPE(2), other, grad}};
    int calls;
    refused(f_first_scalar, &calls, &input, 1, "the function made [] at one call and [2] at another");
    refused(f_second_scalar, &calls, &input, 1, "the function made [2] at one call and [] at another");
    other_tape = ag_tape_new(NULL);
    refused(f_other_tape, NULL, &input, 1, "the function's result is on another tape");
    ag_tape_free(other_tape);
    refused(f_square, NULL, twice, 2, "the inputs 0 (x) and 1 (weight) have the same memory for their values");
    refused(f_square, NULL, sharing, 2, "the inputs 0 (x) and 1 (unnamed) have the same memory for their gradients");
}
END_TEST

/* ---- The report -------------------------------------------------------------------- */

static ag_tensor *f_wrong_weight(ag_tape *tape, ag_tensor *const *inputs, void *context)
{
    (void)tape;
    (void)context;
    return ag_sum(ag_add(inputs[0], ag_mul(inputs[1], ag_detach(inputs[1]))), AG_ALL_AXES, false);
}

START_TEST(test_report)
{
    ag_real x[8] = {0}, weight[8], grad[2][8];
    for (int i = 0; i < 8; i++)
        weight[i] = (ag_real)(i == 7 ? 1.5 : 0.001 * i); /* the derivative is twice what backward says */
    ag_gradcheck_input inputs[] = {{"x", AG_SHAPE(2, 4), x, grad[0]}, {"weight", AG_SHAPE(2, 4), weight, grad[1]}};
    ag_gradcheck_options options = {.step = 0.1}; /* becomes 2^-4 */
    ag_gradcheck_report report;
    ck_assert_int_eq(ag_gradcheck(f_wrong_weight, NULL, inputs, 2, &options, &report, NULL), AG_OK);
    ck_assert(!report.passed);
    ck_assert_int_eq(report.checked, 16);
    ck_assert_int_eq(report.input, 1);
    ck_assert_str_eq(report.input_name, "weight");
    ck_assert_int_eq(report.index, 7);
    ck_assert_double_eq_tol(fabs(report.numeric), 2 * fabs(report.analytic), PRECISION(1e-10, 1e-3));
    ck_assert_double_eq_tol(report.worst_error, 0.5, PRECISION(1e-10, 1e-3));
    ck_assert(report.step > 0 && report.step <= 0x1p-4);
    int exponent;
    ck_assert(frexp(report.step, &exponent) == 0.5); /* a power of two */
    ck_assert(report.numeric_error < PRECISION(1e-10, 1e-3));
    const char *begin = "input 1 (weight) at [1,3] (flat 7): analytic ";
    ck_assert_msg(!strncmp(report.message, begin, strlen(begin)), "%s", report.message);
    /* what backward added stays for the caller to look at */
    ck_assert(grad[1][7] == (ag_real)report.analytic && grad[0][0] != 0);
}
END_TEST

START_TEST(test_tolerance_and_seed)
{
    ag_real x[] = {1, 2, 3}, grad[3], weight[] = {3, 2, 1}, weight_grad[3];
    ag_gradcheck_input inputs[] = {{"x", AG_SHAPE(3), x, grad}, {"weight", AG_SHAPE(3), weight, weight_grad}};
    ag_gradcheck_report first, second;
    ag_gradcheck_options loose = {.tolerance = 0.6};
    ck_assert_int_eq(ag_gradcheck(f_wrong_weight, NULL, inputs, 2, &loose, &first, NULL), AG_OK);
    ck_assert_msg(first.passed && first.worst_error > 0.4, "%s", first.message);

    ag_gradcheck_input input = inputs[0];
    const ag_gradcheck_options four = {.seed = 4}, five = {.seed = 5};
    ck_assert_int_eq(ag_gradcheck(f_square, NULL, &input, 1, &four, &first, NULL), AG_OK);
    ag_real before[3];
    memcpy(before, grad, sizeof before);
    ck_assert_int_eq(ag_gradcheck(f_square, NULL, &input, 1, &four, &second, NULL), AG_OK);
    ck_assert_mem_eq(before, grad, sizeof before);
    ck_assert_str_eq(first.message, second.message);
    ck_assert_int_eq(ag_gradcheck(f_square, NULL, &input, 1, &five, &second, NULL), AG_OK);
    ck_assert(before[0] != grad[0]);
}
END_TEST

START_TEST(test_directions)
{
    ag_real x[60];
    test_fill(x, 60, 41, -2, 2);
    ag_gradcheck_options options = {.directions = 5};
    ag_gradcheck_report report = check_one(f_composed, AG_SHAPE(3, 4, 5), x, &options);
    ck_assert_msg(report.passed, "%s", report.message);
    ck_assert_int_eq(report.checked, 5);
    ck_assert_ptr_nonnull(strstr(report.message, "input 0 (x) along direction "));
}
END_TEST

START_TEST(test_out_of_memory)
{
    ag_real x[] = {1, 2};
    ag_real grad[2];
    ag_gradcheck_input input = {"x", AG_SHAPE(2), x, grad};
    ag_gradcheck_options options[] = {{0}, {.directions = 2}};
    for (int which = 0; which < 2; which++) {
        int failures = 0;
        for (int64_t n = 1; n <= 60; n++) { /* some memory is not needed: the check goes on without it */
            ag_gradcheck_report report;
            ag_error error = {0};
            test_fail_allocation(n);
            ag_status status = ag_gradcheck(f_square, NULL, &input, 1, &options[which], &report, &error);
            test_fail_allocation(0);
            ck_assert(x[0] == 1 && x[1] == 2);
            if (status == AG_OK)
                continue;
            failures++;
            ck_assert_int_eq(status, AG_NO_MEMORY);
            ck_assert_ptr_nonnull(strstr(error.message, "out of memory"));
        }
        ck_assert_int_ge(failures, 5);
    }
}
END_TEST

static Suite *gradcheck_suite(void)
{
    Suite *suite = suite_create("gradcheck");
    TCase *functions = tcase_create("functions");
    tcase_add_test(functions, test_smooth_functions);
    tcase_add_test(functions, test_wide_scales);
    tcase_add_test(functions, test_extrapolation_is_quick);
    tcase_add_test(functions, test_numeric_error_is_honest);
    tcase_add_test(functions, test_kinks_are_left_out);
    tcase_add_test(functions, test_ties_of_a_maximum_are_kinks);
    tcase_add_test(functions, test_too_many_kinks_is_a_failure);
    tcase_add_test(functions, test_difference_too_inexact_to_tell);
    tcase_add_test(functions, test_empty_inputs);
    tcase_add_test(functions, test_empty_result_compares_nothing);
    tcase_add_test(functions, test_result_that_is_no_number);
    tcase_add_test(functions, test_derivative_that_is_no_number);
    tcase_add_test(functions, test_result_without_gradient);
    tcase_add_test(functions, test_misbehaving_functions);
    tcase_add_test(functions, test_checks_that_cannot_run);
    tcase_add_test(functions, test_functions_and_inputs_that_are_refused);
    suite_add_tcase(suite, functions);
    TCase *reports = tcase_create("reports");
    tcase_add_test(reports, test_report);
    tcase_add_test(reports, test_tolerance_and_seed);
    tcase_add_test(reports, test_directions);
    tcase_add_test(reports, test_out_of_memory);
    suite_add_tcase(suite, reports);
    return suite;
}

TEST_MAIN(gradcheck_suite)
