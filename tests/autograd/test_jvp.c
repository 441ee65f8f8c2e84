/* test_jvp.c - forward mode: the tangent rules of all operations against central
 * differences. */
#include "check_util.h"

#include <string.h>

#define DRAWS 24

/* Every tangent rule against central differences, element by element. */
START_TEST(test_tangent_rule)
{
    int count;
    const ag_op *op = ag_ops(&count)[_i];
    ag_gradcheck_options options = {.seed = 1, .forward_mode = true};
    ag_gradcheck_report report;
    ag_error error = {0};
    ag_status status = ag_gradcheck_op(op, DRAWS, &options, &report, &error);
    ck_assert_msg(status == AG_OK, "%s could not be checked: %s", op->name, error.message);
    ck_assert_msg(report.passed, "%s", report.message);
    ck_assert_msg(report.worst_error <= PRECISION(1e-9, 1e-3), "%s", report.message);
    ck_assert_msg(report.checked >= DRAWS, "%s: only %lld elements compared", op->name, (long long)report.checked);
}
END_TEST

static Suite *suite(void)
{
    int count;
    ag_ops(&count);
    Suite *s = suite_create("jvp");
    TCase *tests = tcase_create("all operations");
    tcase_add_loop_test(tests, test_tangent_rule, 0, count);
    suite_add_tcase(s, tests);
    return s;
}

TEST_MAIN(suite)
