/* test_taylor.c - Taylor's test: right gradients have order 2 and 3, planted faults order 1
 * and their size; what it cannot tell; the curve of the error over the step. */
#include "check_util.h"

#include <math.h>
#include <string.h>

/* ---- Functions and faults -------------------------------------------------------------- */

/* The value of g(x), and `factor` times its gradient: the rest comes from where no
 * gradient passes. */
#define FAULTY(name, g)                                                                                                \
    static ag_tensor *name##_value(ag_tensor *x)                                                                       \
    {                                                                                                                  \
        return g;                                                                                                      \
    }                                                                                                                  \
    static ag_tensor *name(ag_tape *tape, ag_tensor *const *inputs, void *context)                                     \
    {                                                                                                                  \
        const double factor = context ? *(const double *)context : 1;                                                  \
        (void)tape;                                                                                                    \
        if (factor == 1)                                                                                               \
            return name##_value(inputs[0]);                                                                            \
        return ag_add(ag_scale(name##_value(inputs[0]), factor),                                                       \
                      ag_scale(name##_value(ag_detach(inputs[0])), 1 - factor));                                       \
    }

FAULTY(f_gelu, ag_gelu(x, AG_GELU))
FAULTY(f_softmax, ag_softmax(x, -1))
FAULTY(f_exp, ag_sum(ag_exp(x), AG_ALL_AXES, false))
FAULTY(f_linear, ag_scale(x, 3))
FAULTY(f_relu, ag_relu(x))
FAULTY(f_log, ag_log(x))
FAULTY(f_size, ag_sqrt(ag_mul(x, x)))
FAULTY(f_relu_of_square, ag_mul(ag_relu(x), x))

static ag_taylor_report test_one(ag_function f, double factor, const ag_gradcheck_options *options)
{
    ag_real x[12], before[12], grad[12];
    ag_gradcheck_input input = {"weight", AG_SHAPE(3, 4), x, grad};
    ag_taylor_report report;
    ag_error error = {0};
    test_fill(x, 12, 7, 0.3, 1.5);
    memcpy(before, x, sizeof x);
    ag_status status = ag_taylor_test(f, &factor, &input, 1, options, &report, &error);
    ck_assert_msg(status == AG_OK, "%s", error.message);
    ck_assert_mem_eq(x, before, sizeof x);
    return report;
}

/* ---- Right gradients --------------------------------------------------------------------- */

START_TEST(test_operation)
{
    int count;
    const ag_op *op = ag_ops(&count)[_i];
    ag_taylor_report report;
    ag_error error = {0};
    ag_status status = ag_taylor_test_op(op, 24, &(ag_gradcheck_options){.seed = 1}, &report, &error);
    ck_assert_msg(status == AG_OK, "%s: %s", op->name, error.message);
    ck_assert_msg(report.passed && report.wrong == 0, "%s", report.message);
    if (report.verdict == AG_TAYLOR_UNDECIDED)
        ck_assert_msg(report.bound <= PRECISION(1e-10, 0.1), "%s", report.message);
    else
        ck_assert_msg(report.order > PRECISION(1.95, 1.5), "%s", report.message);
}
END_TEST

/* The functions in which faults are planted below, without one. */
START_TEST(test_right_functions)
{
    const ag_function curved[] = {f_gelu, f_softmax, f_exp, f_relu_of_square};
    for (int i = 0; i < 4; i++) {
        const ag_taylor_report report = test_one(curved[i], 1, NULL);
        ck_assert_msg(report.passed && report.verdict == AG_TAYLOR_RIGHT, "%d: %s", i, report.message);
        ck_assert_int_ge(report.right, PRECISION(2, 1));
        ck_assert_double_eq_tol(report.order, 2, PRECISION(0.02, 0.4));
        if (PRECISION(true, false) && curved[i] != f_relu_of_square)
            ck_assert_double_eq_tol(report.central_order, 3, 0.02);
    }
}
END_TEST

/* ---- Wrong gradients --------------------------------------------------------------------- */

START_TEST(test_fault_has_order_1)
{
    static const struct {
        double factor;
        const char *says;
    } faults[] = {{0.97, "the gradient by weight is 3.0 % too small in this direction, "},
                  {1.03, "the gradient by weight is 3.0 % too large in this direction, "},
                  {0.5, "is 50.0 % too small"},
                  {4, "is 4 times what it should be"},
                  {-1, "is of the wrong sign and 1 times the size"},
                  {0, "is 0 where it should not be"}};
    const ag_function functions[] = {f_gelu, f_softmax, f_exp, f_linear};
    for (int f = 0; f < 4; f++)
        for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
            const ag_taylor_report report = test_one(functions[f], faults[i].factor, NULL);
            ck_assert_msg(!report.passed && report.verdict == AG_TAYLOR_WRONG, "function %d: %s", f, report.message);
            if (PRECISION(true, false)) /* (in float R1 is half curvature at the smallest clear steps) */
                ck_assert_msg(fabs(report.order - 1) < 0.01, "function %d: %s", f, report.message);
            ck_assert_double_eq_tol(report.slope, faults[i].factor * report.numeric,
                                    PRECISION(1e-9, 2e-3) * fabs(report.numeric));
            ck_assert_double_eq_tol(fabs(report.fault), fabs(faults[i].factor - 1), PRECISION(1e-9, 2e-3));
            ck_assert_msg(strstr(report.message, faults[i].says), "function %d: %s", f, report.message);
        }
}
END_TEST

/* A fault of a hundred millionth, in double: R2 shows it where R1 is all curvature. */
START_TEST(test_small_fault)
{
    if (PRECISION(false, true))
        return;
    const ag_taylor_report report = test_one(f_exp, 1 + 1e-8, NULL);
    ck_assert_msg(report.verdict == AG_TAYLOR_WRONG, "%s", report.message);
    ck_assert_double_eq_tol(report.order, 2, 0.1);
    ck_assert_double_eq_tol(report.central_order, 1, 0.2);
    ck_assert_double_eq_tol(report.fault, 1e-8, 1e-9);
}
END_TEST

/* At steps where such a fault and the curvature cancel, |R1| is no power of h, and no
 * order is made up for it. R2 knows. */
START_TEST(test_fault_beside_curvature)
{
    int unknown = 0;
    if (PRECISION(false, true))
        return;
    for (int sign = -1; sign <= 1; sign += 2) {
        double factor = 1 + sign * 0x1p-19;
        ag_real x = (ag_real)0.5, grad;
        const ag_gradcheck_input input = {"x", AG_SHAPE(1), &x, &grad};
        ag_taylor_report report;
        ck_assert_int_eq(
            ag_taylor_test(f_exp, &factor, &input, 1, &(ag_gradcheck_options){.directions = 1}, &report, NULL), AG_OK);
        ck_assert_msg(report.verdict == AG_TAYLOR_WRONG, "%s", report.message);
        ck_assert_double_eq_tol(report.central_order, 1, 0.1);
        unknown += isnan(report.order);
    }
    ck_assert_int_eq(unknown, 1);
}
END_TEST

static ag_tensor *f_two_inputs(ag_tape *tape, ag_tensor *const *inputs, void *context)
{
    (void)tape;
    (void)context;
    ag_tensor *half = ag_scale(ag_add(inputs[1], ag_detach(inputs[1])), 0.5);
    return ag_mul(ag_exp(inputs[0]), ag_tanh(half));
}

START_TEST(test_wrong_input_is_named)
{
    ag_real a[4], b[4], grad[2][4];
    test_fill(a, 4, 3, -1, 1);
    test_fill(b, 4, 4, -1, 1);
    const ag_gradcheck_input inputs[] = {{"a", AG_SHAPE(4), a, grad[0]}, {"b", AG_SHAPE(4), b, grad[1]}};
    ag_taylor_report report;
    ck_assert_int_eq(
        ag_taylor_test(f_two_inputs, NULL, inputs, 2, &(ag_gradcheck_options){.directions = 3}, &report, NULL), AG_OK);
    ck_assert_int_eq(report.right, 3);
    ck_assert_int_eq(report.wrong, 3);
    ck_assert_int_eq(report.input, 1);
    ck_assert_str_eq(report.input_name, "b");
    ck_assert_msg(strstr(report.message, "the gradient by b is 50.0 % too small"), "%s", report.message);
}
END_TEST

/* ---- What cannot be told ----------------------------------------------------------------- */

START_TEST(test_linear_functions)
{
    const ag_function functions[] = {f_linear, f_relu};
    for (int i = 0; i < 2; i++) {
        const ag_taylor_report report = test_one(functions[i], 1, NULL);
        ck_assert_msg(report.passed && report.verdict == AG_TAYLOR_UNDECIDED, "%s", report.message);
        ck_assert_int_eq(report.undecided, 2);
        ck_assert(isnan(report.order) && isnan(report.central_order));
        ck_assert(report.bound < PRECISION(1e-11, 1e-2));
        ck_assert_msg(strstr(report.message, "cannot tell an order: fewer than three steps"), "%s", report.message);
    }
}
END_TEST

/* |x| without a note of its kink: at 0 both sides have a slope. */
static ag_status fold_shape(ag_node *node)
{
    node->output->shape = node->inputs[0]->shape;
    return AG_OK;
}

static ag_status fold_forward(ag_node *node)
{
    for (int64_t i = 0; i < node->output->size; i++)
        node->output->data[i] = (ag_real)fabs((double)node->inputs[0]->data[i]);
    return AG_OK;
}

static ag_status fold_backward(ag_node *node)
{
    ag_real *dx = ag_grad(node->inputs[0]);
    for (int64_t i = 0; i < node->output->size; i++)
        dx[i] += node->output->grad[i] * (ag_real)((node->inputs[0]->data[i] > 0) - (node->inputs[0]->data[i] < 0));
    return AG_OK;
}

static ag_tensor *f_fold(ag_tape *tape, ag_tensor *const *inputs, void *context)
{
    static const ag_op fold = {
        .name = "fold", .formula = "y = |x|", .shape = fold_shape, .forward = fold_forward, .backward = fold_backward};
    (void)tape;
    (void)context;
    return ag_add(ag_exp(inputs[0]), ag_custom(&fold, inputs, 1, 1, NULL, 0));
}

START_TEST(test_hidden_kink)
{
    ag_real x = 0, grad;
    const ag_gradcheck_input input = {"x", AG_SHAPE(1), &x, &grad};
    ag_taylor_report report;
    ck_assert_int_eq(ag_taylor_test(f_fold, NULL, &input, 1, NULL, &report, NULL), AG_OK);
    ck_assert_int_eq(report.wrong, 0);
    ck_assert_msg(strstr(report.message, "cannot tell: the remainder has order 1.0"), "%s", report.message);
}
END_TEST

static ag_taylor_report test_at(ag_function f, ag_real first, ag_real second, bool severed)
{
    const double factor = severed ? 0.5 : 1;
    ag_real x[2] = {first, second}, grad[2];
    const ag_gradcheck_input input = {"x", AG_SHAPE(2), x, grad};
    ag_taylor_report report;
    const ag_gradcheck_options options = {.directions = 8};
    ck_assert_int_eq(ag_taylor_test(f, (void *)&factor, &input, 1, &options, &report, NULL), AG_OK);
    return report;
}

/* Right gradients of functions that bend or end nearer than the smallest step. */
START_TEST(test_bends_below_the_steps)
{
    ag_taylor_report report = test_at(f_log, (ag_real)1e-8, 1, false);
    ck_assert_msg(report.wrong == 0 && !report.passed, "%s", report.message);
    ck_assert_msg(strstr(report.message, "cannot tell anything"), "%s", report.message);
#ifdef TAPEFORMER_DOUBLE
    report = test_at(f_size, 1e-8, (ag_real)0.7, false);
    ck_assert_msg(report.wrong == 0, "%s", report.message);
#endif
    report = test_at(f_size, 1, (ag_real)0.7, true); /* and a fault does not bend away */
    ck_assert_msg(report.wrong == 8, "%s", report.message);
}
END_TEST

/* At the kink itself no step counts, and nothing is tested. */
START_TEST(test_nothing_told_is_no_pass)
{
    const ag_taylor_report report = test_at(f_relu, 0, 0, false);
    ck_assert_msg(!report.passed && report.wrong == 0 && report.undecided == 8, "%s", report.message);
    ck_assert_msg(strstr(report.message, "cannot tell anything: every step"), "%s", report.message);
}
END_TEST

/* Something large beside the function rounds it: what is measured counts, not eps |f|,
 * since at the end the large part is gone. */
static ag_tensor *f_rough(ag_tape *tape, ag_tensor *const *inputs, void *context)
{
    const ag_real large = (ag_real)PRECISION(0x1p30, 0x1p8);
    (void)context;
    ag_tensor *up = ag_add(ag_mul(inputs[0], inputs[0]), ag_constant(tape, AG_SCALAR, &large));
    return ag_sub(up, ag_constant(tape, AG_SCALAR, &large));
}

START_TEST(test_rounding_is_measured)
{
    ag_real x[12], grad[12];
    const ag_gradcheck_input input = {"x", AG_SHAPE(12), x, grad};
    const double unit = PRECISION(0x1p-22, 0x1p-15); /* the distance of neighbours of `large` */
    test_fill(x, 12, 7, 0.3, 1.5);
    for (uint64_t seed = 0; seed < 20; seed++) {
        const ag_gradcheck_options options = {.seed = seed};
        const ag_taylor_report report = test_one(f_rough, 1, &options);
        ag_error_curve curve;
        ck_assert_msg(report.wrong == 0, "seed %d: %s", (int)seed, report.message);
        ck_assert_int_eq(ag_gradcheck_curve(f_rough, NULL, &input, 1, 0, 0, &options, &curve, NULL), AG_OK);
        /* 12 differences of two roundings, each of the variance unit^2 / 12, times weights
         * near 1: 1.4 unit, as four numbers measure it */
        ck_assert_msg(curve.rounding > unit / 8 && curve.rounding < 4 * unit, "seed %d: %g of %g", (int)seed,
                      curve.rounding, unit);
    }
}
END_TEST

/* y = 0 x, whose gradient has the rounding of something that cancelled. */
static ag_status still_forward(ag_node *node)
{
    for (int64_t i = 0; i < node->output->size; i++)
        node->output->data[i] = 0;
    return AG_OK;
}

static ag_status still_backward(ag_node *node)
{
    ag_real *dx = ag_grad(node->inputs[0]);
    for (int64_t i = 0; i < node->output->size; i++)
        dx[i] += node->output->grad[i] * (ag_real)(i % 2 ? PRECISION(4e-16, 2e-7) : PRECISION(-2e-16, -1e-7));
    return AG_OK;
}

static ag_tensor *f_still(ag_tape *tape, ag_tensor *const *inputs, void *context)
{
    static const ag_op still = {.name = "still",
                                .formula = "y = 0 x",
                                .shape = fold_shape,
                                .forward = still_forward,
                                .backward = still_backward};
    (void)tape;
    (void)context;
    return ag_custom(&still, inputs, 1, 1, NULL, 0);
}

START_TEST(test_rounding_of_a_gradient_is_no_fault)
{
    const ag_taylor_report report = test_one(f_still, 1, NULL);
    ck_assert_msg(report.passed && report.undecided == 2, "%s", report.message);
    ck_assert_msg(isnan(report.order) && isnan(report.central_order), "%s", report.message);
    ck_assert(report.bound > fabs(report.slope) && report.bound < PRECISION(1e-13, 1e-4));
}
END_TEST

/* ---- Odd functions, and calls that cannot be --------------------------------------------- */

static ag_tensor *f_counts_its_calls(ag_tape *tape, ag_tensor *const *inputs, void *context)
{
    static int calls;
    (void)tape;
    (void)context;
    return ag_scale(inputs[0], ++calls);
}

FAULTY(f_log_of_less, ag_log(ag_add(x, ag_scale(ag_detach(x), -1))))

START_TEST(test_misbehaving_function)
{
    ag_taylor_report report = test_one(f_counts_its_calls, 1, NULL);
    ck_assert(!report.passed && report.verdict == AG_TAYLOR_WRONG);
    ck_assert_int_eq(report.input, -1);
    ck_assert_msg(strstr(report.message, "the function is not deterministic"), "%s", report.message);
    report = test_one(f_log_of_less, 1, NULL);
    ck_assert(!report.passed);
    ck_assert_msg(strstr(report.message, "the result at [0,0] (flat 0): it is -inf"), "%s", report.message);
}
END_TEST

START_TEST(test_calls_that_cannot_be)
{
    ag_real x[2] = {1, 2}, grad[2];
    const ag_gradcheck_input input = {"x", AG_SHAPE(2), x, grad}, empty = {"x", AG_SHAPE(0), NULL, NULL};
    ag_taylor_report report;
    ag_error_curve curve;
    ag_error error = {0};
    ck_assert_int_eq(ag_taylor_test(f_exp, NULL, &input, 1, NULL, NULL, &error), AG_BAD_VALUE);
    ck_assert_str_eq(error.message, "Taylor's test: no report given");
    error = (ag_error){0};
    ck_assert_int_eq(ag_taylor_test(NULL, NULL, &input, 1, NULL, &report, NULL), AG_BAD_VALUE);
    ck_assert_int_eq(ag_taylor_test(f_exp, NULL, &input, 1, &(ag_gradcheck_options){.tolerance = NAN}, &report, &error),
                     AG_BAD_VALUE);
    ck_assert_msg(strstr(error.message, "Taylor's test: the tolerance is nan"), "%s", error.message);
    ck_assert_str_eq(report.message, "Taylor's test: it did not run");
    ck_assert_int_eq(ag_taylor_test(f_exp, NULL, NULL, 1, NULL, &report, NULL), AG_BAD_VALUE);
    ck_assert_int_eq(ag_taylor_test_op(NULL, 1, NULL, &report, NULL), AG_BAD_VALUE);
    int count;
    error = (ag_error){0};
    ck_assert_int_eq(ag_taylor_test_op(ag_ops(&count)[0], 0, NULL, &report, &error), AG_BAD_VALUE);
    ck_assert_str_eq(error.message, "Taylor's test: draws is 0; it must be 1 or more");
    ck_assert_int_eq(ag_taylor_test(f_exp, NULL, &input, 1, &(ag_gradcheck_options){.directions = -1}, &report, NULL),
                     AG_BAD_VALUE);
    ck_assert_int_eq(ag_taylor_test(f_linear, NULL, &empty, 1, NULL, &report, NULL), AG_OK);
    ck_assert(!report.passed);
    ck_assert_str_eq(report.message, "Taylor's test: there are no elements to move, or none in the result");

    error = (ag_error){0};
    ck_assert_int_eq(ag_gradcheck_curve(f_exp, NULL, &input, 1, 1, 0, NULL, &curve, &error), AG_BAD_VALUE);
    ck_assert_str_eq(error.message, "gradcheck: a curve of input 1, and the function has 1 input (they count from 0)");
    ck_assert_int_eq(ag_gradcheck_curve(f_exp, NULL, &input, 1, 0, 0, NULL, NULL, NULL), AG_BAD_VALUE);
    ck_assert_int_eq(ag_gradcheck_curve(NULL, NULL, &input, 1, 0, 0, NULL, &curve, NULL), AG_BAD_VALUE);
    ck_assert_int_eq(ag_gradcheck_curve_op(NULL, 0, 0, 0, NULL, &curve, NULL), AG_BAD_VALUE);
    ck_assert_int_eq(ag_gradcheck_curve(f_linear, NULL, &empty, 1, 0, 0, NULL, &curve, NULL), AG_OK);
    ck_assert_int_eq(curve.count, 0);
    error = (ag_error){0};
    ck_assert_int_eq(ag_gradcheck_curve(f_counts_its_calls, NULL, &input, 1, 0, 0, NULL, &curve, &error), AG_BAD_VALUE);
    ck_assert_msg(strstr(error.message, "the function is not deterministic"), "%s", error.message);
}
END_TEST

START_TEST(test_out_of_memory)
{
    ag_real x[2] = {1, 2}, grad[2];
    const ag_gradcheck_input input = {"x", AG_SHAPE(2), x, grad};
    for (int which = 0; which < 2; which++) {
        int failures = 0;
        for (int64_t n = 1;; n++, failures++) {
            ag_taylor_report report;
            ag_error_curve curve;
            double wrong = 0.5;
            ag_error error = {0};
            test_fail_allocation(n);
            ag_status status = which ? ag_gradcheck_curve(f_exp, NULL, &input, 1, 0, 0, NULL, &curve, &error)
                                     : ag_taylor_test(f_exp, &wrong, &input, 1, NULL, &report, &error);
            test_fail_allocation(0);
            ck_assert(x[0] == 1 && x[1] == 2);
            if (status == AG_OK)
                break;
            ck_assert_int_eq(status, AG_NO_MEMORY);
        }
        ck_assert_int_ge(failures, 5);
    }
}
END_TEST

/* ---- The curve --------------------------------------------------------------------------- */

/* exp at one point: f''' is known, so both branches of the V are. */
START_TEST(test_curve_is_a_v)
{
    ag_real x = (ag_real)0.75, grad;
    const ag_gradcheck_input input = {"x", AG_SHAPE(1), &x, &grad};
    ag_error_curve curve;
    ck_assert_int_eq(ag_gradcheck_curve(f_exp, NULL, &input, 1, 0, 0, NULL, &curve, NULL), AG_OK);
    ck_assert_int_eq(curve.count, PRECISION(32, 24));
    ck_assert_int_eq(curve.inputs, 1);
    ck_assert(curve.step[0] == 0.5 && curve.step[1] == 0.25);
    const double v = curve.slope / (double)grad; /* the derivatives along v are powers of v times f */
    ck_assert_double_eq_tol(curve.third, fabs(curve.slope) * v * v, 0.05 * fabs(curve.slope) * v * v);
    ck_assert_double_eq_tol(curve.numeric, curve.slope, PRECISION(1e-11, 1e-4));
    int truncated = 0, rounded = 0;
    for (int i = 0; i < curve.count; i++) {
        const double h = curve.step[i], error = fabs(curve.central[i]) / (2 * h);
        const double truncation = h * h * curve.third / 6, rounding = curve.rounding / (2 * h);
        ck_assert_msg(error < 1.2 * truncation + 4 * rounding, "step %g: %g, %g, %g", h, error, truncation, rounding);
        truncated += error > 0.8 * truncation && error < 1.2 * truncation;
        rounded += truncation < rounding;
    }
    ck_assert_msg(truncated >= PRECISION(12, 4) && rounded >= 10, "%d and %d steps", truncated, rounded);
}
END_TEST

/* A planted fault is a floor that no step gets below. */
START_TEST(test_curve_of_a_planted_fault)
{
    int count;
    const ag_op *const *ops = ag_ops(&count), *gelu = NULL;
    for (int i = 0; i < count; i++)
        gelu = strcmp(ops[i]->name, "gelu") == 0 ? ops[i] : gelu;
    ag_error_curve curve, right;
    ck_assert_int_eq(ag_gradcheck_curve_op(gelu, 0, 0, -0.03, NULL, &curve, NULL), AG_OK);
    ck_assert_int_eq(ag_gradcheck_curve_op(gelu, 0, 0, 0, NULL, &right, NULL), AG_OK);
    ck_assert_str_eq(curve.input_name, "x");
    ck_assert_double_eq_tol(curve.slope, 0.97 * right.slope, PRECISION(1e-12, 1e-5));
    ck_assert_double_eq(curve.numeric, right.numeric);
    int flat = 0;
    for (int i = 0; i < curve.count; i++) {
        const double error = fabs(curve.central[i]) / (2 * curve.step[i]), floor = 0.03 * fabs(right.slope);
        flat += error > 0.9 * floor && error < 1.1 * floor;
    }
    ck_assert_int_ge(flat, PRECISION(20, 5));
}
END_TEST

static void add_operations(TCase *tests)
{
    int count;
    ag_ops(&count);
    tcase_add_loop_test(tests, test_operation, 0, count);
}

static Suite *taylor_suite(void)
{
    Suite *suite = suite_create("taylor");
    test_at_each_level(suite, add_operations);
    TCase *tests = tcase_create("right and wrong");
    tcase_add_test(tests, test_right_functions);
    tcase_add_test(tests, test_fault_has_order_1);
    tcase_add_test(tests, test_small_fault);
    tcase_add_test(tests, test_fault_beside_curvature);
    tcase_add_test(tests, test_wrong_input_is_named);
    suite_add_tcase(suite, tests);
    TCase *limits = tcase_create("limits");
    tcase_add_test(limits, test_linear_functions);
    tcase_add_test(limits, test_hidden_kink);
    tcase_add_test(limits, test_bends_below_the_steps);
    tcase_add_test(limits, test_nothing_told_is_no_pass);
    tcase_add_test(limits, test_rounding_is_measured);
    tcase_add_test(limits, test_rounding_of_a_gradient_is_no_fault);
    tcase_add_test(limits, test_misbehaving_function);
    tcase_add_test(limits, test_calls_that_cannot_be);
    tcase_add_test(limits, test_out_of_memory);
    suite_add_tcase(suite, limits);
    TCase *curves = tcase_create("curves");
    tcase_add_test(curves, test_curve_is_a_v);
    tcase_add_test(curves, test_curve_of_a_planted_fault);
    suite_add_tcase(suite, curves);
    return suite;
}

TEST_MAIN(taylor_suite)
