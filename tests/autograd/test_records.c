/* test_records.c - records and callbacks of the caller's that lack what they need are
 * refused with a sentence. */
#include "check_util.h"
#include "nn_util.h"
#include "train_fixture.h"
#include "study.h"

#include <string.h>

static ag_status scalar_shape(ag_node *node)
{
    node->output->shape = AG_SCALAR;
    return AG_OK;
}

static ag_status sum_forward(ag_node *node)
{
    node->output->data[0] = node->inputs[0]->data[0];
    return AG_OK;
}

static ag_status nothing_forward(ag_node *node)
{
    (void)node;
    return AG_OK;
}

static ag_tensor *one_example(ag_example *e);
static const ag_op whole = {.name = "first",
                            .formula = "y = x[0]",
                            .shape = scalar_shape,
                            .forward = sum_forward,
                            .example = one_example};
static const ag_op *drawn = &whole;

static ag_tensor *one_example(ag_example *e)
{
    ag_tensor *x = ag_example_input(e, "x", AG_SHAPE(2), -1, 1);
    return ag_custom(drawn, &x, 1, 1, NULL, 0);
}

static void expect_sentence(const ag_error *error, const char *part)
{
    ck_assert_int_eq(error->status, AG_BAD_VALUE);
    ck_assert_msg(strstr(error->message, part) != NULL, "'%s' does not say '%s'", error->message, part);
}

/* The same record by hand and by the checker. */
static void expect_refused(const ag_op *op, const char *part)
{
    ag_tape *tape = ag_tape_new(NULL);
    ag_tensor *x = ag_variable(tape, AG_SHAPE(2), (ag_real[]){1, 2});
    ck_assert_ptr_null(ag_custom(op, &x, 1, 1, NULL, 0));
    expect_sentence(ag_tape_error(tape), part);
    ag_tape_free(tape);

    ag_gradcheck_report report;
    ag_error error = {0};
    drawn = op;
    ck_assert_int_eq(ag_gradcheck_op(op, 2, NULL, &report, &error), AG_BAD_VALUE);
    expect_sentence(&error, part);
}

START_TEST(a_record_that_lacks_a_part_is_refused)
{
    ag_op op = whole;
    op.forward = NULL;
    expect_refused(&op, "record has no forward");
    op = whole;
    op.shape = NULL;
    expect_refused(&op, "record has no shape");
    op = whole;
    op.name = NULL;
    expect_refused(&op, "record has no name");
    expect_refused(NULL, "record is NULL");
    op = whole;
    op.example = NULL;
    ag_gradcheck_report report;
    ag_error error = {0};
    ck_assert_int_eq(ag_gradcheck_op(&op, 2, NULL, &report, &error), AG_BAD_VALUE);
    expect_sentence(&error, "draws no examples");
}
END_TEST

/* The fields that a record may leave out. */
START_TEST(a_record_without_the_rest_runs)
{
    ag_op op = {.name = "first", .shape = scalar_shape, .forward = sum_forward};
    ag_tape *tape = ag_tape_new(NULL);
    ag_tensor *x = ag_variable(tape, AG_SHAPE(2), (ag_real[]){7, 2});
    ag_tensor *y = ag_custom(&op, &x, 1, 1, NULL, 0);
    ck_assert_ptr_nonnull(y);
    ck_assert(y->data[0] == 7 && !y->needs_grad);
    ck_assert_ptr_null(ag_custom(&op, NULL, 1, 1, NULL, 0));
    ck_assert_int_eq(ag_tape_error(tape)->status, AG_OK);
    ck_assert_ptr_null(ag_custom(&op, &x, 1, 1, NULL, 24));
    expect_sentence(ag_tape_error(tape), "no attributes given");
    ag_tape_free(tape);
}
END_TEST

/* A view shares its input's memory, so it cannot have more elements. */
START_TEST(a_view_has_the_elements_of_its_input)
{
    ag_op op = {.name = "first", .shape = scalar_shape, .forward = nothing_forward, .is_view = true};
    ag_tape *tape = ag_tape_new(NULL);
    ag_tensor *x = ag_variable(tape, AG_SHAPE(1), (ag_real[]){7});
    ag_tensor *y = ag_custom(&op, &x, 1, 1, NULL, 0);
    ck_assert_ptr_eq(y->data, x->data);
    x = ag_variable(tape, AG_SHAPE(2), (ag_real[]){7, 2});
    ck_assert_ptr_null(ag_custom(&op, &x, 1, 1, NULL, 0));
    ck_assert_str_eq(ag_tape_error(tape)->message, "first: a view has as many elements as its input");
    ag_tape_free(tape);
}
END_TEST

/* ---- Shape functions --------------------------------------------------------------- */

enum { SHAPE_DRAWS = 20, SEEN_BYTES = 64 /* of the attributes: the least that the tape gives */ };
static const ag_op *checked;
static int repeated;

/* The memory that the tape gives next. */
static const char *next_memory(ag_tape *tape)
{
    return ag_tape_alloc(tape, SEEN_BYTES);
}

/* An example of `checked`, whose shape function then runs again on a copy of the node. */
static ag_tensor *repeat_shape(ag_example *e)
{
    ag_tensor *y = checked->example(e);
    ag_tape *tape = ag_example_tape(e);
    if (!y->node) /* (forward only) */
        return y;
    ck_assert(y->node->op == checked);
    repeated++;
    ag_node node = *y->node;
    ag_tensor output = {.tape = tape}, untouched = output;
    char attributes[SEEN_BYTES] = {0};
    node.output = &output;
    node.saved = NULL;
    if (node.attributes)
        memcpy(attributes, node.attributes, SEEN_BYTES);

    const char *first = next_memory(tape), *second = next_memory(tape);
    ck_assert_int_eq(checked->shape(&node), AG_OK);
    ck_assert_msg(next_memory(tape) - second == second - first, "%s: its shape function takes memory", checked->name);
    ck_assert(ag_shape_equal(output.shape, y->shape));
    untouched.shape = output.shape;
    ck_assert_msg(!memcmp(&output, &untouched, sizeof output), "%s: the output has more than a shape", checked->name);
    ck_assert_msg(!node.saved, "%s: its shape function saves something", checked->name);
    ck_assert_msg(!node.attributes || !memcmp(attributes, node.attributes, SEEN_BYTES),
                  "%s: its shape function changes the attributes", checked->name);
    return y;
}

/* A shape function says what the shape is, and does nothing else. */
START_TEST(a_shape_function_has_no_side_effect)
{
    int count;
    const ag_op *const *ops = ag_ops(&count);
    for (int i = 0; i < count; i++) {
        ag_op op = *ops[i];
        ag_gradcheck_report report;
        checked = ops[i];
        op.example = repeat_shape;
        repeated = 0;
        ck_assert_int_eq(ag_gradcheck_op(&op, SHAPE_DRAWS, NULL, &report, NULL), AG_OK);
        ck_assert_int_ge(repeated, SHAPE_DRAWS);
    }
}
END_TEST

/* ---- Checks and tasks -------------------------------------------------------------- */

static ag_tensor *double_it(ag_tape *tape, ag_tensor *const *inputs, void *context)
{
    (void)tape;
    (void)context;
    return ag_scale(inputs[0], 2);
}

static ag_tensor *make_nothing(ag_tape *tape, ag_tensor *const *inputs, void *context)
{
    (void)tape;
    (void)inputs;
    (void)context;
    return NULL;
}

START_TEST(a_check_without_function_numbers_or_report_is_refused)
{
    ag_real data[2] = {1, 2}, grad[2] = {0, 0};
    const ag_gradcheck_input good = {.shape = AG_SHAPE(2), .data = data, .grad = grad};
    ag_gradcheck_input bad = good;
    ag_gradcheck_report report = {.passed = true};
    ag_error error = {0};
    ck_assert_int_eq(ag_gradcheck(NULL, NULL, &good, 1, NULL, &report, &error), AG_BAD_VALUE);
    expect_sentence(&error, "no function given");
    ck_assert(!report.passed);
    report.passed = true;
    ck_assert_int_eq(ag_gradcheck(double_it, NULL, &good, 1, &(ag_gradcheck_options){.step = -1}, &report, NULL),
                     AG_BAD_VALUE);
    ck_assert(!report.passed);
    error = (ag_error){0};
    ck_assert_int_eq(ag_gradcheck(double_it, NULL, &good, 1, NULL, NULL, &error), AG_BAD_VALUE);
    expect_sentence(&error, "no report given");
    error = (ag_error){0};
    ck_assert_int_eq(ag_gradcheck(double_it, NULL, NULL, 1, NULL, &report, &error), AG_BAD_VALUE);
    expect_sentence(&error, "no inputs given");
    error = (ag_error){0};
    bad.data = NULL;
    ck_assert_int_eq(ag_gradcheck(double_it, NULL, &bad, 1, NULL, &report, &error), AG_BAD_VALUE);
    expect_sentence(&error, "no memory for its values");
    error = (ag_error){0};
    bad.data = data;
    bad.grad = NULL;
    ck_assert_int_eq(ag_gradcheck(double_it, NULL, &bad, 1, NULL, &report, &error), AG_BAD_VALUE);
    expect_sentence(&error, "no memory for its gradient");
    error = (ag_error){0};
    ck_assert_int_ne(ag_gradcheck(make_nothing, NULL, &good, 1, NULL, &report, &error), AG_OK);
    ck_assert(error.message[0]);
    error = (ag_error){0};
    ck_assert_int_eq(ag_gradcheck_op(&whole, 1, NULL, NULL, &error), AG_BAD_VALUE);
    expect_sentence(&error, "no report given");
}
END_TEST

START_TEST(an_incomplete_task_is_refused)
{
    for (int part = 0; part < 5; part++) {
        data_task task = *data_task_find("copy");
        ag_error error = {0};
        if (part == 0)
            task.name = NULL;
        else if (part == 1)
            task.make = NULL;
        else if (part == 2)
            task.most_tokens = NULL;
        else if (part == 3)
            task.source_symbols = NULL;
        else
            task.target_symbols = NULL;
        ck_assert_ptr_null(data_set_task(&task, NULL, &error));
        expect_sentence(&error, "is incomplete");
    }
}
END_TEST

START_TEST(a_text_without_a_receiver_and_a_study_without_a_subject_are_refused)
{
    train_fixture f = train_fixture_new("reverse", 3, 5, NN_DECODER, 8, 0);
    ag_tape *tape = ag_tape_new(NULL);
    const int32_t prompt[] = {5};
    ag_error error = {0};
    ck_assert_int_eq(nn_continue(f.model, tape, prompt, 1, 3, NULL, NULL, NULL, &error), AG_BAD_VALUE);
    expect_sentence(&error, "receives the tokens");
    ag_tape_free(tape);

    const nn_input input = {.rows = 1, .target_length = 1, .target = prompt};
    const study_subject subjects[] = {{.model = f.model}, {.input = &input}};
    for (int i = 0; i < 2; i++) {
        study_influence influence;
        study_leaks leaks;
        error = (ag_error){0};
        ck_assert_int_eq(study_influence_find(&subjects[i], &influence, &error), AG_BAD_VALUE);
        expect_sentence(&error, i ? "has no model" : "has no input");
        error = (ag_error){0};
        ck_assert_int_eq(study_leaks_find(&subjects[i], &leaks, &error), AG_BAD_VALUE);
        expect_sentence(&error, i ? "has no model" : "has no input");
    }
    train_fixture_clear(&f);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("records");
    TCase *tests = tcase_create("all");
    tcase_add_test(tests, a_record_that_lacks_a_part_is_refused);
    tcase_add_test(tests, a_record_without_the_rest_runs);
    tcase_add_test(tests, a_view_has_the_elements_of_its_input);
    tcase_add_test(tests, a_shape_function_has_no_side_effect);
    tcase_add_test(tests, a_check_without_function_numbers_or_report_is_refused);
    tcase_add_test(tests, an_incomplete_task_is_refused);
    tcase_add_test(tests, a_text_without_a_receiver_and_a_study_without_a_subject_are_refused);
    suite_add_tcase(suite, tests);
    return suite;
}

TEST_MAIN(make_suite)
