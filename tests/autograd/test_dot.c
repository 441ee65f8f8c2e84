/* test_dot.c - the dot test: backward against forward mode for all operations, at every
 * instruction-set level, with the numbers of each precision. */
#include "check_util.h"

#define DRAWS 24

START_TEST(modes_agree)
{
    int count;
    const ag_op *op = ag_ops(&count)[_i];
    ag_dot_report report;
    ag_error error = {0};
    ag_status status = ag_dot_test_op(op, DRAWS, &(ag_gradcheck_options){.seed = 1}, &report, &error);
    ck_assert_msg(status == AG_OK, "%s could not be tested: %s", op->name, error.message);
    ck_assert_msg(report.passed, "%s", report.message);
    ck_assert_msg(report.error < PRECISION(1e-13, 1e-5), "%s", report.message);
    ck_assert_msg(report.checked >= DRAWS, "%s: only %lld directions compared", op->name, (long long)report.checked);
}
END_TEST

static void add_operations(TCase *tests)
{
    int count;
    ag_ops(&count);
    tcase_add_loop_test(tests, modes_agree, 0, count);
}

static Suite *suite(void)
{
    Suite *s = suite_create("dot");
    test_at_each_level(s, add_operations);
    return s;
}

TEST_MAIN(suite)
