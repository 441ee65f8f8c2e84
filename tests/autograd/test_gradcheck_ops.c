/* test_gradcheck_ops.c - the gradient check on records of operations: what it draws,
 * wrong backwards, kinks. */
#include "check_util.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static ag_status cube_shape(ag_node *node)
{
    node->output->shape = node->inputs[0]->shape;
    return AG_OK;
}

static ag_status cube_forward(ag_node *node)
{
    const ag_tensor *x = node->inputs[0];
    for (int64_t i = 0; i < x->size; i++)
        node->output->data[i] = x->data[i] * x->data[i] * x->data[i];
    return AG_OK;
}

static ag_status cube_backward(ag_node *node)
{
    ag_tensor *x = node->inputs[0];
    ag_real *dx = ag_grad(x);
    for (int64_t i = 0; i < x->size; i++)
        dx[i] += 3 * x->data[i] * x->data[i] * node->output->grad[i];
    return AG_OK;
}

/* Forgets the last element of tensors of 5. */
static ag_status wrong_cube_backward(ag_node *node)
{
    ag_tensor *x = node->inputs[0];
    ag_real *dx = ag_grad(x);
    for (int64_t i = 0; i < x->size - (x->size == 5); i++)
        dx[i] += 3 * x->data[i] * x->data[i] * node->output->grad[i];
    return AG_OK;
}

static ag_tensor *cube_example(ag_example *example);
static ag_tensor *wrong_cube_example(ag_example *example);

static const ag_op cube = {.name = "cube",
                           .formula = "y = x^3",
                           .shape = cube_shape,
                           .forward = cube_forward,
                           .backward = cube_backward,
                           .example = cube_example};
static const ag_op wrong_cube = {.name = "wrong cube",
                                 .formula = "y = x^3",
                                 .shape = cube_shape,
                                 .forward = cube_forward,
                                 .backward = wrong_cube_backward,
                                 .example = wrong_cube_example};

static int64_t drawn_sizes[64], drawings;
static double drawn_firsts[64]; /* the first value of each, beside its bound */

static ag_tensor *draw_cube(ag_example *example, const ag_op *op)
{
    ck_assert_ptr_nonnull(ag_example_tape(example));
    int64_t size = ag_example_int(example, 0, 6);
    double high = ag_example_real(example, 1, 2);
    ag_tensor *x = ag_example_input(example, "x", AG_SHAPE(size), -high, high);
    ck_assert(!x || x->tape == ag_example_tape(example));
    for (int64_t i = 0; x && i < x->size; i++)
        ck_assert(fabs((double)x->data[i]) < 2.2); /* with room for the check's steps */
    if (x && drawings < 64 && (!drawings || drawn_sizes[drawings - 1] != size)) {
        drawn_firsts[drawings] = size ? (double)x->data[0] / high : 0;
        drawn_sizes[drawings++] = size;
    }
    return ag_custom(op, &x, 1, 1, NULL, 0);
}

static ag_tensor *cube_example(ag_example *example)
{
    return draw_cube(example, &cube);
}

static ag_tensor *wrong_cube_example(ag_example *example)
{
    return draw_cube(example, &wrong_cube);
}

START_TEST(test_operation)
{
    ag_gradcheck_report report;
    ck_assert_int_eq(ag_gradcheck_op(&cube, 20, NULL, &report, NULL), AG_OK);
    ck_assert_msg(report.passed, "%s", report.message);
    ck_assert(report.checked > 20 && report.checked < 20 * 6);
    ck_assert_int_eq(report.kinks, 0);
    bool seen[7] = {false};
    for (int64_t i = 0; i < drawings; i++) {
        seen[drawn_sizes[i]] = true;
        for (int64_t j = 0; j < i; j++)
            ck_assert(drawn_sizes[i] == 0 || drawn_sizes[j] == 0 || fabs(drawn_firsts[i] - drawn_firsts[j]) > 1e-6);
    }
    for (int size = 0; size <= 6; size++)
        ck_assert_msg(seen[size], "size %d was not drawn", size);
}
END_TEST

START_TEST(test_wrong_operation)
{
    ag_gradcheck_options options = {.seed = 3};
    ag_gradcheck_report report, again;
    ck_assert_int_eq(ag_gradcheck_op(&wrong_cube, 20, &options, &report, NULL), AG_OK);
    ck_assert(!report.passed);
    ck_assert_int_gt(report.draw, 0);
    ck_assert_int_eq(report.index, 4);
    ck_assert_str_eq(report.input_name, "x");
    char begin[64];
    snprintf(begin, sizeof begin, "wrong cube, draw %d: input 0 (x) at [4] (flat 4), element [4] ", report.draw);
    ck_assert_msg(!strncmp(report.message, begin, strlen(begin)), "%s", report.message);
    ck_assert_int_eq(ag_gradcheck_op(&wrong_cube, 20, &options, &again, NULL), AG_OK);
    ck_assert_str_eq(report.message, again.message);
    /* the draws before the worst are other ones */
    ck_assert_int_eq(ag_gradcheck_op(&wrong_cube, report.draw, &options, &again, NULL), AG_OK);
    ck_assert(again.worst_error < report.worst_error);
}
END_TEST

/* y = |x|, whose backward at the kink is no number. */
static ag_status fold_forward(ag_node *node)
{
    const ag_tensor *x = node->inputs[0];
    for (int64_t i = 0; i < x->size; i++)
        node->output->data[i] = x->data[i] < 0 ? -x->data[i] : x->data[i];
    return AG_OK;
}

static ag_status fold_backward(ag_node *node)
{
    ag_tensor *x = node->inputs[0];
    ag_real *dx = ag_grad(x);
    for (int64_t i = 0; i < x->size; i++)
        if (x->data[i] != 0)
            dx[i] += x->data[i] < 0 ? -node->output->grad[i] : node->output->grad[i];
    return AG_OK;
}

static ag_status nan_fold_backward(ag_node *node)
{
    ag_tensor *x = node->inputs[0];
    ag_real *dx = ag_grad(x);
    for (int64_t i = 0; i < x->size; i++)
        dx[i] += node->output->grad[i] * x->data[i] / node->output->data[i];
    return AG_OK;
}

static void fold_kinks(const ag_node *node, ag_kinks *kinks)
{
    const ag_tensor *x = node->inputs[0];
    for (int64_t i = 0; i < x->size; i++)
        ag_kink(kinks, x->data[i] > 0);
}

static ag_tensor *fold_example(ag_example *example);
static ag_tensor *nan_fold_example(ag_example *example);

static const ag_op fold = {.name = "fold",
                           .formula = "y = |x|",
                           .shape = cube_shape,
                           .forward = fold_forward,
                           .backward = fold_backward,
                           .kinks = fold_kinks,
                           .example = fold_example};
static const ag_op nan_fold = {.name = "nan fold",
                               .formula = "y = |x|",
                               .shape = cube_shape,
                               .forward = fold_forward,
                               .backward = nan_fold_backward,
                               .kinks = fold_kinks,
                               .example = nan_fold_example};

/* One element, which is 0 in one of three draws. */
static ag_tensor *draw_fold(ag_example *example, const ag_op *op)
{
    double high = ag_example_int(example, 0, 2) ? 1 : 0;
    ag_tensor *x = ag_example_input(example, "x", AG_SCALAR, -high, high);
    return ag_custom(op, &x, 1, 1, NULL, 0);
}

static ag_tensor *fold_example(ag_example *example)
{
    return draw_fold(example, &fold);
}

static ag_tensor *nan_fold_example(ag_example *example)
{
    return draw_fold(example, &nan_fold);
}

START_TEST(test_operation_with_kinks)
{
    ag_gradcheck_report report;
    ck_assert_int_eq(ag_gradcheck_op(&fold, 30, NULL, &report, NULL), AG_OK);
    ck_assert_msg(report.passed, "%s", report.message);
    ck_assert_int_eq(report.checked + report.kinks, 30);
    ck_assert(report.kinks > 3 && report.kinks < 15);
    /* a kink is no excuse for NaN */
    ck_assert_int_eq(ag_gradcheck_op(&nan_fold, 30, NULL, &report, NULL), AG_OK);
    ck_assert(!report.passed && isinf(report.worst_error) && isnan(report.analytic));
}
END_TEST

static ag_tensor *changing_example(ag_example *example)
{
    static int64_t size;
    ag_tensor *x = ag_example_input(example, "x", AG_SHAPE(++size), -1, 1);
    return ag_custom(&cube, &x, 1, 1, NULL, 0);
}

static ag_tensor *lost_example(ag_example *example)
{
    (void)example;
    return NULL;
}

START_TEST(test_operations_that_cannot_be_checked)
{
    ag_op op = cube;
    ag_gradcheck_report report;
    ag_error error = {0};
    op.example = changing_example;
    ck_assert_int_eq(ag_gradcheck_op(&op, 3, NULL, &report, &error), AG_BAD_VALUE);
    ck_assert_str_eq(error.message, "cube: its example asks for other inputs at each call");
    op.example = lost_example;
    ck_assert_int_eq(ag_gradcheck_op(&op, 3, NULL, &report, NULL), AG_BAD_VALUE);
    op.example = NULL;
    error = (ag_error){0};
    ck_assert_int_eq(ag_gradcheck_op(&op, 3, NULL, &report, &error), AG_BAD_VALUE);
    ck_assert_str_eq(error.message, "gradcheck: the operation cube draws no examples");
    for (int draws = -1; draws <= 0; draws++) {
        error = (ag_error){0};
        ck_assert_int_eq(ag_gradcheck_op(&cube, draws, NULL, &report, &error), AG_BAD_VALUE);
        ck_assert(!report.passed);
        ck_assert_msg(strstr(error.message, draws ? "draws is -1; it must be 1 or more" : "draws is 0; it"), "%s",
                      error.message);
    }
}
END_TEST

static Suite *gradcheck_ops_suite(void)
{
    Suite *suite = suite_create("gradcheck_ops");
    TCase *operations = tcase_create("operations");
    tcase_add_test(operations, test_operation);
    tcase_add_test(operations, test_wrong_operation);
    tcase_add_test(operations, test_operation_with_kinks);
    tcase_add_test(operations, test_operations_that_cannot_be_checked);
    suite_add_tcase(suite, operations);
    return suite;
}

TEST_MAIN(gradcheck_ops_suite)
