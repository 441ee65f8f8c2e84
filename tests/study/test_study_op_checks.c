/* test_study_op_checks.c - the gradient checks of an operation as a document: verdicts, and
 * the error over the step beside that of a planted fault. */
#include "check_util.h"
#include "document_util.h"

#include "study.h"

#include <math.h>
#include <string.h>

static const ag_op *find_op(const char *name)
{
    int count;
    const ag_op *const *ops = ag_ops(&count);
    for (int i = 0; i < count; i++)
        if (!strcmp(ops[i]->name, name))
            return ops[i];
    return NULL;
}

static study_document *check(const ag_op *op)
{
    ag_error error = {0};
    const ag_gradcheck_options options = {.seed = 1, .tolerance = PRECISION(1e-9, 1e-3)};
    study_op_checks checks;
    study_document *document = study_document_new("t");
    ag_status status = study_op_checks_find(op, 8, &options, &checks, &error);
    if (status == AG_OK)
        status = study_op_checks_write(&checks, op, 8, &options, document, &error);
    ck_assert_msg(status == AG_OK, "%s: %s", op->name, error.message);
    return document;
}

/* The n-th chart of a document. */
static const study_chart *chart_of(const study_document *document, int n)
{
    for (const document_part *part = document->first; part; part = part->next)
        if (part->kind == PART_CHART && n-- == 0)
            return &part->chart;
    return NULL;
}

static double least(const study_line *line)
{
    double found = INFINITY;
    for (int64_t i = 0; i < line->count; i++)
        found = fmin(found, line->y[i]);
    return found;
}

START_TEST(a_fault_is_a_floor)
{
    study_document *document = check(find_op("gelu"));
    const study_chart *right = chart_of(document, 0), *wrong = chart_of(document, 1);
    ck_assert_ptr_null(chart_of(document, 2));
    ck_assert_str_eq(right->title, "gelu by x: the gradient as it is");
    ck_assert_str_eq(wrong->title, "gelu by x: made 3 % too small");
    ck_assert(right->log_x && right->log_y);
    ck_assert(right->low == wrong->low && right->high == wrong->high);
    ck_assert_int_eq(right->line_count, 3);
    ck_assert(least(&right->lines[2]) < PRECISION(1e-9, 1e-3));
    ck_assert(least(&wrong->lines[2]) > PRECISION(1e-3, 1e-4));
    /* the checker's own derivative is better than the best single difference */
    ck_assert_int_eq(right->mark_count, 1);
    ck_assert(right->marks[0].y < PRECISION(1e-11, 1e-3));
    char *text = test_text(document, false);
    ck_assert_uint_eq(test_count(text, "Came true:"), 3);
    test_has(text, "With the planted fault the curve ends on a floor");
    free(text);
    study_document_free(document);
}
END_TEST

START_TEST(a_linear_operation_leaves_rounding_alone)
{
    static const char *const linear[] = {"relu", "add", "embedding", "slice"};
    for (size_t i = 0; i < sizeof linear / sizeof *linear; i++) {
        study_document *document = check(find_op(linear[i]));
        char *text = test_text(document, false);
        test_has(text, "nothing is left after the linear part but rounding");
        test_has_no(text, "shrinks with the square");
        free(text);
        study_document_free(document);
    }
}
END_TEST

/* Every operation can be drawn, with two charts for each input that moves. */
START_TEST(every_operation_can_be_drawn)
{
    int count;
    study_document *document = check(ag_ops(&count)[_i]);
    ck_assert_ptr_nonnull(chart_of(document, 1));
    for (int n = 0; chart_of(document, n); n++) {
        const study_chart *chart = chart_of(document, n);
        char *picture = test_chart_picture(chart, NULL);
        test_has_no(picture, "no data");
        free(picture);
    }
    char *text = test_text(document, false);
    ck_assert_uint_eq(test_count(text, "Came true:"), 3);
    free(text);
    study_document_free(document);
}
END_TEST

static ag_status twice_shape(ag_node *node)
{
    node->output->shape = node->inputs[0]->shape;
    return AG_OK;
}

static ag_status twice_forward(ag_node *node)
{
    for (int64_t i = 0; i < node->output->size; i++)
        node->output->data[i] = 2 * node->inputs[0]->data[i];
    return AG_OK;
}

static ag_status wrong_backward(ag_node *node)
{
    ag_real *dx = ag_grad(node->inputs[0]);
    for (int64_t i = 0; i < node->output->size; i++)
        dx[i] += node->output->grad[i];
    return AG_OK;
}

static ag_tensor *twice_example(ag_example *example);
static const ag_op twice = {.name = "twice",
                            .formula = "y = 2 x",
                            .shape = twice_shape,
                            .forward = twice_forward,
                            .backward = wrong_backward,
                            .example = twice_example};

static ag_tensor *twice_example(ag_example *example)
{
    ag_tensor *x = ag_example_input(example, "x", AG_SHAPE(3), -1, 1);
    return ag_custom(&twice, &x, 1, 1, NULL, 0);
}

START_TEST(a_wrong_operation_fails_and_is_drawn)
{
    study_document *document = check(&twice);
    char *text = test_text(document, false);
    ck_assert_uint_eq(test_count(text, "Did NOT come true:"), 2);
    test_has(text, "too small in this direction");
    ck_assert_ptr_nonnull(chart_of(document, 1));
    free(text);
    study_document_free(document);
}
END_TEST

static ag_status right_backward(ag_node *node)
{
    ag_real *dx = ag_grad(node->inputs[0]);
    for (int64_t i = 0; i < node->output->size; i++)
        dx[i] += 2 * node->output->grad[i];
    return AG_OK;
}

static ag_status wrong_jvp(ag_node *node, const ag_real *const *tangents, ag_real *tangent)
{
    for (int64_t i = 0; i < node->output->size; i++)
        tangent[i] = tangents[0][i];
    return AG_OK;
}

static ag_tensor *half_wrong_example(ag_example *example);
static const ag_op half_wrong = {.name = "half wrong",
                                 .formula = "y = 2 x",
                                 .shape = twice_shape,
                                 .forward = twice_forward,
                                 .backward = right_backward,
                                 .jvp = wrong_jvp,
                                 .example = half_wrong_example};

static ag_tensor *half_wrong_example(ag_example *example)
{
    ag_tensor *x = ag_example_input(example, "x", AG_SHAPE(3), -1, 1);
    return ag_custom(&half_wrong, &x, 1, 1, NULL, 0);
}

/* A wrong tangent rule beside a right gradient is a fault, too; without a rule there is no
 * dot test. */
START_TEST(each_check_counts)
{
    study_op_checks checks;
    ck_assert_int_eq(study_op_checks_find(&half_wrong, 4, NULL, &checks, NULL), AG_OK);
    ck_assert(checks.elements.passed && checks.taylor.passed && !checks.dot.passed && !checks.passed);
    ck_assert_int_eq(study_op_checks_find(&twice, 4, NULL, &checks, NULL), AG_OK);
    ck_assert(!checks.elements.passed && !checks.taylor.passed && !study_op_checks_have_dot(&checks));
    ck_assert(!checks.passed);
}
END_TEST

START_TEST(what_cannot_be_checked_is_said)
{
    ag_op op = twice;
    ag_error error = {0};
    study_op_checks checks;
    op.example = NULL;
    ck_assert_int_eq(study_op_checks_find(&op, 4, NULL, &checks, &error), AG_BAD_VALUE);
    ck_assert(!checks.passed);
    ck_assert_str_eq(error.message, "gradcheck: the operation twice draws no examples");
}
END_TEST

static Suite *op_checks_suite(void)
{
    int count;
    ag_ops(&count);
    Suite *suite = suite_create("study op checks");
    TCase *tests = tcase_create("documents");
    tcase_add_test(tests, a_fault_is_a_floor);
    tcase_add_test(tests, a_linear_operation_leaves_rounding_alone);
    tcase_add_loop_test(tests, every_operation_can_be_drawn, 0, count);
    tcase_add_test(tests, a_wrong_operation_fails_and_is_drawn);
    tcase_add_test(tests, each_check_counts);
    tcase_add_test(tests, what_cannot_be_checked_is_said);
    suite_add_tcase(suite, tests);
    return suite;
}

TEST_MAIN(op_checks_suite)
