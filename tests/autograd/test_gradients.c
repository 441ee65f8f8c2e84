/* test_gradients.c - what must hold for every operation of the table: above all, that its
 * gradient is right. */
#include "check_util.h"

#include <string.h>

#define DRAWS 24

static const ag_op *operation(int i)
{
    int count;
    const ag_op *const *ops = ag_ops(&count);
    ck_assert_int_lt(i, count);
    return ops[i];
}

static int operation_count(void)
{
    int count;
    ag_ops(&count);
    return count;
}

START_TEST(test_gradient)
{
    const ag_op *op = operation(_i);
    ag_gradcheck_options options = {.seed = 1};
    ag_gradcheck_report report;
    ag_error error = {0};
    ck_assert_msg(op->example, "%s has no example", op->name);
    ag_status status = ag_gradcheck_op(op, DRAWS, &options, &report, &error);
    ck_assert_msg(status == AG_OK, "%s could not be checked: %s", op->name, error.message);
    ck_assert_msg(report.passed, "%s", report.message);
    ck_assert_msg(report.worst_error <= PRECISION(1e-9, 1e-3), "%s", report.message);
    ck_assert_msg(report.checked >= DRAWS, "%s: only %lld elements compared", op->name, (long long)report.checked);
}
END_TEST

/* The same gradients from random directions, which reach every element at once. */
START_TEST(test_gradient_along_directions)
{
    const ag_op *op = operation(_i);
    ag_gradcheck_options options = {.seed = 2, .directions = 2, .threads = 2};
    ag_gradcheck_report report;
    ag_error error = {0};
    ag_status status = ag_gradcheck_op(op, DRAWS, &options, &report, &error);
    ck_assert_msg(status == AG_OK, "%s could not be checked: %s", op->name, error.message);
    ck_assert_msg(report.passed, "%s", report.message);
}
END_TEST

START_TEST(test_names_are_unique)
{
    int count = operation_count();
    ck_assert_int_ge(count, 36);
    for (int i = 0; i < count; i++)
        for (int j = 0; j < i; j++)
            ck_assert_str_ne(operation(i)->name, operation(j)->name);
}
END_TEST

START_TEST(test_records_are_complete)
{
    const ag_op *op = operation(_i);
    ck_assert_msg(op->name && *op->name, "operation %d of the table has no name", _i);
    ck_assert_msg(op->formula && *op->formula, "%s has no formula", op->name);
    ck_assert_msg(!strchr(op->formula, '\n'), "the formula of %s has several lines", op->name);
    ck_assert_msg(op->shape && op->forward && op->backward, "%s lacks a function", op->name);
}
END_TEST

/* Each allocation of a whole check fails in turn: an error, or nothing lost by it. */
START_TEST(test_out_of_memory)
{
    const ag_op *op = operation(_i);
    ag_gradcheck_options options = {.seed = 3, .directions = 1};
    ag_gradcheck_report report;
    int failures = 0;
    for (int64_t n = 1;; n++) {
        ag_error error = {0};
        int64_t before = test_allocations();
        test_fail_allocation(n);
        ag_status status = ag_gradcheck_op(op, 2, &options, &report, &error);
        test_fail_allocation(0);
        if (status == AG_OK)
            ck_assert_msg(report.passed, "%s", report.message);
        else {
            ck_assert_msg(status == AG_NO_MEMORY && *error.message, "%s: %s", op->name, error.message);
            failures++;
        }
        if (test_allocations() - before < n)
            break;
    }
    ck_assert_msg(failures > 4, "%s: only %d failures", op->name, failures);
}
END_TEST

static void add_checks(TCase *tests)
{
    tcase_add_loop_test(tests, test_gradient, 0, operation_count());
    tcase_add_loop_test(tests, test_gradient_along_directions, 0, operation_count());
}

static Suite *gradients_suite(void)
{
    Suite *suite = suite_create("gradients");
    TCase *tests = tcase_create("every operation");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, test_names_are_unique);
    tcase_add_loop_test(tests, test_records_are_complete, 0, operation_count());
    tcase_add_loop_test(tests, test_out_of_memory, 0, operation_count());
    suite_add_tcase(suite, tests);
    test_at_each_level(suite, add_checks);
    return suite;
}

TEST_MAIN(gradients_suite)
