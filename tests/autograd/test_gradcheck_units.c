/* test_gradcheck_units.c - the gradient check reports numbers that its user wrote: one
 * element of the result by one element of an input, what it found about each input, how
 * many fail, and when a pass is far above the noise. */
#include "check_util.h"

#include <math.h>
#include <string.h>

/* ---- Functions of one input -------------------------------------------------------- */

#define FUNCTION(name, expression)                                                                                     \
    static ag_tensor *name(ag_tape *tape, ag_tensor *const *inputs, void *context)                                     \
    {                                                                                                                  \
        (void)tape;                                                                                                    \
        (void)context;                                                                                                 \
        ag_tensor *x = inputs[0];                                                                                      \
        return expression;                                                                                             \
    }

FUNCTION(f_square, ag_mul(x, x))
FUNCTION(f_half_lost, ag_mul(x, ag_detach(x)))
FUNCTION(f_half_lost_sum, ag_sum(ag_mul(x, ag_detach(x)), AG_ALL_AXES, false))
FUNCTION(f_sum_of_squares, ag_sum(ag_mul(x, x), AG_ALL_AXES, false))

/* Checks a function of 1.5, 2, 2.5, .. in this shape. */
static ag_gradcheck_report check_steps(ag_function f, void *context, ag_shape shape, ag_real *grad,
                                       const ag_gradcheck_options *options)
{
    ag_real x[128];
    const int64_t size = ag_shape_size(shape);
    for (int64_t i = 0; i < size; i++)
        x[i] = (ag_real)(1.5 + 0.5 * (double)i);
    ag_gradcheck_input input = {"x", shape, x, grad};
    ag_gradcheck_report report;
    ag_error error = {0};
    ck_assert_msg(ag_gradcheck(f, context, &input, 1, options, &report, &error) == AG_OK, "%s", error.message);
    return report;
}

#define EXACT PRECISION(1e-9, 1e-4)

/* y_i = x_i^2, of which backward knows x_i: the worst is the last, of 4 by 8. */
START_TEST(numbers_are_an_element_of_the_jacobian)
{
    ag_real grad[6];
    ag_gradcheck_report report = check_steps(f_half_lost, NULL, AG_SHAPE(2, 3), grad, NULL);
    ck_assert(!report.passed);
    ck_assert_int_eq(report.output, report.index);
    double x = 1.5 + 0.5 * (double)report.index;
    ck_assert_double_eq_tol(report.analytic, x, EXACT);
    ck_assert_double_eq_tol(report.numeric, 2 * x, 10 * EXACT);
    ck_assert_double_eq_tol(report.worst_error, 0.5, EXACT);
    ck_assert_int_eq(report.failed, 6);
    ck_assert_msg(strstr(report.message, " of the result: analytic ") &&
                      strstr(report.message, "; 6 of 6 elements fail"),
                  "%s", report.message);
}
END_TEST

START_TEST(directions_are_of_an_element_too)
{
    ag_real grad[6];
    const ag_gradcheck_options options = {.directions = 3};
    ag_gradcheck_report report = check_steps(f_half_lost, NULL, AG_SHAPE(6), grad, &options);
    ck_assert(!report.passed && report.output >= 0);
    ck_assert_double_eq_tol(fabs(report.numeric), 2 * fabs(report.analytic), 40 * EXACT);
    ck_assert_ptr_nonnull(strstr(report.message, "; 3 of 3 directions fail"));
}
END_TEST

START_TEST(a_lone_result_leaves_its_own_gradient)
{
    ag_real grad[4];
    ag_gradcheck_report report = check_steps(f_sum_of_squares, NULL, AG_SHAPE(4), grad, NULL);
    ck_assert_msg(report.passed, "%s", report.message);
    ck_assert_int_eq(report.output, 0);
    for (int i = 0; i < 4; i++)
        ck_assert(grad[i] == (ag_real)(3 + i)); /* 2 x, to the bit */
    report = check_steps(f_half_lost_sum, NULL, AG_SHAPE(4), grad, NULL);
    ck_assert(!report.passed && (ag_real)report.analytic == grad[report.index]);
    ck_assert_ptr_null(strstr(report.message, "of the result"));
}
END_TEST

/* Every element has its weight, also after the backwards that found the worst. */
START_TEST(several_results_leave_the_gradients_of_their_sum)
{
    ag_real grad[6];
    ag_gradcheck_report report = check_steps(f_square, NULL, AG_SHAPE(6), grad, NULL);
    ck_assert_msg(report.passed, "%s", report.message);
    for (int i = 0; i < 6; i++) {
        const double weight = fabs((double)grad[i]) / (3 + i);
        ck_assert_msg(weight >= 0.499 && weight <= 1.501, "weight %d: %g", i, weight);
    }
}
END_TEST

START_TEST(many_results_are_a_weighted_sum)
{
    ag_real grad[65];
    ag_gradcheck_report report = check_steps(f_half_lost, NULL, AG_SHAPE(AG_GRADCHECK_OUTPUTS), grad, NULL);
    ck_assert_int_eq(report.output, report.index);
    report = check_steps(f_half_lost, NULL, AG_SHAPE(AG_GRADCHECK_OUTPUTS + 1), grad, NULL);
    ck_assert(!report.passed);
    ck_assert_int_eq(report.output, -1);
    ck_assert_msg(strstr(report.message, "the result's 65 elements summed with random weights: analytic"), "%s",
                  report.message);
    report = check_steps(f_square, NULL, AG_SHAPE(AG_GRADCHECK_OUTPUTS + 1), grad, NULL);
    ck_assert(report.passed && report.output == -1);
}
END_TEST

/* ---- An operation with faults of its own ------------------------------------------- */

typedef enum fault {
    RIGHT,
    SEED_FORGOTTEN,
    LAST_USE_ALONE, /* of several elements that are not 0 in its gradient, the last counts */
    SLIGHT          /* a factor that the tolerance allows */
} fault;

#define SLIGHT_FACTOR PRECISION(1 + 2e-10, 1 + 5e-4)

static ag_status copies_shape(ag_node *node)
{
    node->output->shape = node->inputs[0]->size == 1 ? AG_SHAPE(3) : node->inputs[0]->shape;
    return AG_OK;
}

/* y_i = x_i^3, or three of the one x. */
static ag_status copies_forward(ag_node *node)
{
    const ag_tensor *x = node->inputs[0];
    for (int64_t i = 0; i < node->output->size; i++) {
        ag_real value = x->data[x->size == 1 ? 0 : i];
        node->output->data[i] = value * value * value;
    }
    return AG_OK;
}

static ag_status copies_backward(ag_node *node)
{
    ag_tensor *x = node->inputs[0];
    const fault planted = *(const fault *)node->attributes;
    ag_real *dx = ag_grad(x), last = 0;
    for (int64_t i = 0; i < node->output->size; i++) {
        const int64_t at = x->size == 1 ? 0 : i;
        const double seed = planted == SEED_FORGOTTEN ? 1 : (double)node->output->grad[i];
        const double slope = 3 * (double)x->data[at] * (double)x->data[at] * (planted == SLIGHT ? SLIGHT_FACTOR : 1);
        if (planted == LAST_USE_ALONE) {
            dx[at] -= last;
            last = seed != 0 ? (ag_real)(slope * seed) : last;
            dx[at] += last;
        } else {
            dx[at] += (ag_real)(slope * seed);
        }
    }
    return AG_OK;
}

/* Right for the first element alone. */
static ag_status copies_jvp(ag_node *node, const ag_real *const *tangents, ag_real *tangent)
{
    const ag_tensor *x = node->inputs[0];
    for (int64_t i = 0; i < node->output->size; i++)
        tangent[i] = (i ? 2 : 3) * x->data[i] * x->data[i] * tangents[0][i];
    return AG_OK;
}

static ag_tensor *copies_example(ag_example *example);
static const ag_op copies = {.name = "copies",
                             .formula = "y = x^3",
                             .shape = copies_shape,
                             .forward = copies_forward,
                             .backward = copies_backward,
                             .jvp = copies_jvp,
                             .example = copies_example};

static ag_tensor *f_copies(ag_tape *tape, ag_tensor *const *inputs, void *context)
{
    (void)tape;
    return ag_custom(&copies, inputs, 1, 1, context, sizeof(fault));
}

/* Two examples, of one element and of four. */
static ag_tensor *copies_example(ag_example *example)
{
    ag_tensor *x = ag_example_input(example, "x", AG_SHAPE(ag_example_int(example, 1, 4)), 0.5, 1);
    return ag_custom(&copies, &x, 1, 1, &(fault){SLIGHT}, sizeof(fault));
}

START_TEST(a_seed_that_is_forgotten_is_seen)
{
    ag_real grad[4];
    fault planted = SEED_FORGOTTEN;
    for (int64_t size = 1; size <= 4; size++) {
        ag_gradcheck_report report = check_steps(f_copies, &planted, AG_SHAPE(size), grad, NULL);
        ck_assert_msg(!report.passed, "%s", report.message);
    }
}
END_TEST

/* Each output alone is right: the fault shows in their sum. */
START_TEST(a_fault_between_outputs_keeps_the_weighted_sum)
{
    ag_real grad[1];
    fault planted = LAST_USE_ALONE;
    ag_gradcheck_report report = check_steps(f_copies, &planted, AG_SHAPE(1), grad, NULL);
    ck_assert(!report.passed);
    ck_assert_int_eq(report.output, -1);
    ck_assert_msg(strstr(report.message, "the result's 3 elements summed with random weights"), "%s", report.message);
    planted = RIGHT;
    ck_assert(check_steps(f_copies, &planted, AG_SHAPE(1), grad, NULL).passed);
}
END_TEST

START_TEST(tangents_are_of_an_element)
{
    ag_real grad[4];
    fault planted = RIGHT;
    const ag_gradcheck_options options = {.forward_mode = true};
    ag_gradcheck_report report = check_steps(f_copies, &planted, AG_SHAPE(4), grad, &options);
    ck_assert_int_eq(report.failed, 3);
    ck_assert(report.output == report.index && report.output > 0);
    const double x = 1.5 + 0.5 * (double)report.index;
    ck_assert_double_eq_tol(report.analytic, 2 * x * x, 10 * EXACT);
    ck_assert_double_eq_tol(report.numeric, 3 * x * x, 10 * EXACT);
}
END_TEST

/* ---- Noise ------------------------------------------------------------------------- */

START_TEST(a_pass_above_the_noise_says_so)
{
    ag_real grad[4];
    fault planted = SLIGHT;
    ag_gradcheck_report report = check_steps(f_copies, &planted, AG_SHAPE(4), grad, NULL);
    ck_assert_msg(report.passed && report.failed == 0, "%s", report.message);
    ck_assert_msg(report.above_noise >= 100, "%g: %s", report.above_noise, report.message);
    ck_assert_msg(strstr(report.message, "; passes, but input 0 (x) at [") &&
                      strstr(report.message, " x above the noise"),
                  "%s", report.message);
    planted = RIGHT;
    report = check_steps(f_copies, &planted, AG_SHAPE(4), grad, NULL);
    ck_assert_msg(report.above_noise < 10 && !strstr(report.message, "the noise"), "%s", report.message);
    ck_assert_int_eq(ag_gradcheck_op(&copies, 10, NULL, &report, NULL), AG_OK);
    ck_assert_msg(report.passed && report.above_noise >= 100, "%s", report.message);
}
END_TEST

/* The right gradients of all operations stay well below. */
START_TEST(no_operation_is_above_the_noise)
{
    int count;
    const ag_op *op = ag_ops(&count)[_i];
    ag_gradcheck_report report;
    ck_assert_int_eq(ag_gradcheck_op(op, 24, NULL, &report, NULL), AG_OK);
    ck_assert_msg(report.above_noise < 20, "%g: %s", report.above_noise, report.message);
}
END_TEST

/* ---- Summaries --------------------------------------------------------------------- */

/* x + w^2, of which backward knows half, except where w is 0, and relu(z) */
static ag_tensor *f_three(ag_tape *tape, ag_tensor *const *inputs, void *context)
{
    (void)tape;
    (void)context;
    return ag_add(ag_add(inputs[0], ag_mul(inputs[1], ag_detach(inputs[1]))), ag_relu(inputs[2]));
}

START_TEST(each_input_has_a_summary)
{
    ag_real x[4] = {1, 2, 3, 4}, w[4] = {1, 0, 3, 0}, z[4] = {1, 0, -1, 2}, grad[3][4];
    const ag_gradcheck_input inputs[] = {
        {"x", AG_SHAPE(4), x, grad[0]}, {"w", AG_SHAPE(4), w, grad[1]}, {"z", AG_SHAPE(4), z, grad[2]}};
    ag_gradcheck_summary s[4] = {{.checked = 77}, {.checked = 77}, {.checked = 77}, {.checked = 77}};
    ag_gradcheck_options options = {.summaries = s, .summary_count = 4};
    ag_gradcheck_report report;
    ck_assert_int_eq(ag_gradcheck(f_three, NULL, inputs, 3, &options, &report, NULL), AG_OK);
    ck_assert(!report.passed && report.failed == 2 && report.checked == 11 && report.kinks == 1);
    ck_assert_int_eq(report.input_count, 3);
    ck_assert_str_eq(s[0].name, "x");
    ck_assert(s[0].checked == 4 && s[0].failed == 0 && s[0].kinks == 0 && s[0].worst_error < EXACT);
    ck_assert_str_eq(s[1].name, "w");
    ck_assert(s[1].checked == 4 && s[1].failed == 2 && s[1].worst_error > 0.4 && s[1].worst_index == report.index);
    ck_assert_str_eq(s[2].name, "z");
    ck_assert(s[2].checked == 3 && s[2].failed == 0 && s[2].kinks == 1);
    ck_assert(s[3].name == NULL && s[3].checked == 0 && s[3].worst_index == -1);

    options.summary_count = 1; /* the others stay as they are */
    s[1].checked = 77;
    ck_assert_int_eq(ag_gradcheck(f_three, NULL, inputs, 3, &options, &report, NULL), AG_OK);
    ck_assert(s[0].checked == 4 && s[1].checked == 77);
}
END_TEST

START_TEST(draws_add_up_in_the_summaries)
{
    int count;
    ag_gradcheck_summary s[4];
    const ag_gradcheck_options options = {.summaries = s, .summary_count = 4};
    ag_gradcheck_report report;
    ck_assert_int_eq(ag_gradcheck_op(ag_ops(&count)[0], 20, &options, &report, NULL), AG_OK);
    ck_assert(report.passed && report.input_count == 2);
    ck_assert(s[0].checked >= 20 && s[1].checked >= 20);
    ck_assert_int_eq(s[0].checked + s[1].checked, report.checked);
    ck_assert(fmax(s[0].worst_error, s[1].worst_error) > 0);
}
END_TEST

/* ---- Bad input --------------------------------------------------------------------- */

static void refused(const ag_gradcheck_input *inputs, int count, ag_gradcheck_options options, const char *sentence)
{
    ag_gradcheck_report report;
    ag_error error = {0};
    ck_assert_int_eq(ag_gradcheck(f_square, NULL, inputs, count, &options, &report, &error), AG_BAD_VALUE);
    ck_assert_str_eq(error.message, sentence);
    ck_assert(!report.passed && report.checked == 0);
}

START_TEST(bad_input_is_a_sentence)
{
    ag_real x[1] = {2}, grad[1];
    const ag_gradcheck_input input = {"x", AG_SHAPE(1), x, grad};
    refused(&input, 0, (ag_gradcheck_options){0},
            "gradcheck: no inputs given, so there is nothing to differentiate by");
    refused(NULL, 1, (ag_gradcheck_options){0}, "gradcheck: no inputs given, so there is nothing to differentiate by");
    refused(&input, 1, (ag_gradcheck_options){.tolerance = -0.5},
            "gradcheck: the tolerance is -0.5; it must be above 0, or 0 for the default");
    refused(&input, 1, (ag_gradcheck_options){.tolerance = NAN},
            "gradcheck: the tolerance is nan; it must be above 0, or 0 for the default");
    refused(&input, 1, (ag_gradcheck_options){.step = -1},
            "gradcheck: the step is -1; it must be above 0, or 0 for the default");
    refused(&input, 1, (ag_gradcheck_options){.directions = -2},
            "gradcheck: -2 directions; it must be 1 or more, or 0 for every element");
    refused(&input, 1, (ag_gradcheck_options){.summary_count = 2}, "gradcheck: no memory given for 2 summaries");
}
END_TEST

static Suite *suite(void)
{
    int count;
    ag_ops(&count);
    Suite *s = suite_create("gradcheck units");
    TCase *tests = tcase_create("units");
    tcase_add_test(tests, numbers_are_an_element_of_the_jacobian);
    tcase_add_test(tests, directions_are_of_an_element_too);
    tcase_add_test(tests, a_lone_result_leaves_its_own_gradient);
    tcase_add_test(tests, several_results_leave_the_gradients_of_their_sum);
    tcase_add_test(tests, many_results_are_a_weighted_sum);
    tcase_add_test(tests, a_seed_that_is_forgotten_is_seen);
    tcase_add_test(tests, a_fault_between_outputs_keeps_the_weighted_sum);
    tcase_add_test(tests, tangents_are_of_an_element);
    tcase_add_test(tests, a_pass_above_the_noise_says_so);
    tcase_add_loop_test(tests, no_operation_is_above_the_noise, 0, count);
    tcase_add_test(tests, each_input_has_a_summary);
    tcase_add_test(tests, draws_add_up_in_the_summaries);
    tcase_add_test(tests, bad_input_is_a_sentence);
    suite_add_tcase(s, tests);
    return s;
}

TEST_MAIN(suite)
