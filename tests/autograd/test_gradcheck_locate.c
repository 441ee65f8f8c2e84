/* test_gradcheck_locate.c - a failing gradient is traced to the operation that is wrong by
 * itself, on any tape: with its scope, in the middle of a model, with dropout, forgotten
 * values, values used twice. */
#include "check_util.h"
#include "tape.h"

#include <math.h>
#include <string.h>

/* ---- An operation that lies on demand ---------------------------------------------- */

typedef enum fault { RIGHT, FACTOR, OVERWRITES, CHANGES_INPUT, SECOND_USE_LOST } fault;

static ag_status blend_shape(ag_node *node)
{
    node->output->shape = node->inputs[0]->shape;
    return AG_OK;
}

/* y = a b */
static ag_status blend_forward(ag_node *node)
{
    const ag_real *a = node->inputs[0]->data, *b = node->inputs[1]->data;
    for (int64_t i = 0; i < node->output->size; i++)
        node->output->data[i] = a[i] * b[i];
    return AG_OK;
}

static ag_status blend_backward(ag_node *node)
{
    const fault planted = *(const fault *)node->attributes;
    ag_tensor *a = node->inputs[0], *b = node->inputs[1];
    const ag_real *dy = node->output->grad;
    ag_real *da = ag_grad(a), *db = ag_grad(b);
    for (int64_t i = 0; i < node->output->size; i++) {
        if (da)
            da[i] = (planted == OVERWRITES ? 0 : da[i]) + dy[i] * b->data[i] * (ag_real)(planted == FACTOR ? 0.5 : 1);
        if (db && !(planted == SECOND_USE_LOST && a == b))
            db[i] += dy[i] * a->data[i];
        if (planted == CHANGES_INPUT)
            a->data[i] += 1;
    }
    return AG_OK;
}

static const ag_op blend_op = {
    .name = "blend", .formula = "y = a b", .shape = blend_shape, .forward = blend_forward, .backward = blend_backward};

static ag_tensor *blend(fault planted, ag_tensor *a, ag_tensor *b)
{
    ag_tensor *inputs[] = {a, b};
    return ag_custom(&blend_op, inputs, 2, 2, &planted, sizeof planted);
}

/* ---- On a tape --------------------------------------------------------------------- */

/* A small network on the tape: its blend is node 3, between layers that use its inputs too.
 * The leaf is [3, width]. */
static ag_tensor *network(ag_tape *tape, fault planted, int64_t width)
{
    ag_real values[3 * 80], weights[80 * 80];
    test_fill(values, 3 * width, 5, 0.5, 1.5);
    test_fill(weights, width * width, 6, -0.5, 0.5);
    ag_tensor *x = ag_variable(tape, AG_SHAPE(3, width), values);
    ag_tensor *w = ag_variable(tape, AG_SHAPE(width, width), weights);
    ag_tape_enter(tape, "layers");
    ag_tape_enter(tape, "1");
    ag_tensor *h = ag_dropout(ag_tanh(x), 0.25);
    ag_tensor *u = ag_linear_fused(h, w, NULL, &(ag_linear_options){.activation = AG_GELU, .dropout = 0.25});
    ag_tape_leave(tape);
    ag_tape_enter(tape, "2");
    ag_tensor *y = planted == SECOND_USE_LOST ? blend(planted, u, u) : blend(planted, u, h);
    ag_tape_leave(tape);
    ag_tape_leave(tape);
    return ag_sum(ag_mul(y, ag_softmax(u, 1)), AG_ALL_AXES, false);
}

static ag_gradcheck_location locate(ag_tape *tape)
{
    ag_gradcheck_location location;
    ag_error error = {0};
    ck_assert_msg(ag_gradcheck_locate(tape, NULL, &location, &error) == AG_OK, "%s", error.message);
    return location;
}

/* Small inputs are compared element by element, larger ones by some and along directions. */
static const int64_t widths[] = {4, 80};

START_TEST(the_operation_is_found)
{
    const fault planted = (fault)(FACTOR + _i % 4);
    ag_tape *tape = ag_tape_new(&(ag_tape_options){.threads = 1});
    ag_tape_seed(tape, 3, 4);
    ck_assert_ptr_nonnull(network(tape, planted, widths[_i / 4]));
    ag_gradcheck_location found = locate(tape);
    ck_assert_msg(found.node != NULL, "%s", found.message);
    ck_assert_str_eq(found.node->op->name, "blend");
    ck_assert_int_eq(found.number, 3);
    ck_assert_int_eq(found.compared + found.skipped, 4);
    ck_assert_str_eq(found.location, "blend in layers.2 (node 3 of 7)");
    ck_assert_msg(strstr(found.message, "blend in layers.2 (node 3 of 7): input 0 (linear) "), "%s", found.message);
    ag_tape_free(tape);
}
END_TEST

/* A right network has no culprit, nor do the values and gradients of its tape change. */
START_TEST(a_right_tape_has_none)
{
    ag_tape *tape = ag_tape_new(&(ag_tape_options){.threads = 2});
    ag_tape_seed(tape, 3, 4);
    ag_tensor *loss = network(tape, RIGHT, widths[_i]);
    ck_assert_int_eq(ag_backward(loss), AG_OK);
    const ag_real value = loss->data[0];
    ag_gradcheck_location found = locate(tape);
    ck_assert_msg(!found.node, "%s", found.message);
    ck_assert(found.compared == 7 && found.skipped == 0 && found.number == -1 && !*found.location);
    ck_assert_str_eq(found.message, "no operation is wrong by itself: 7 compared, 0 that cannot be");
    ck_assert(loss->data[0] == value && ag_backward(loss) == AG_OK);
    ag_tape_free(tape);
}
END_TEST

/* A node that runs again makes the same bits: its masks of dropout are those that it drew. */
START_TEST(a_replay_has_the_same_bits)
{
    ag_tape *tape = ag_tape_new(NULL), *other = ag_tape_new(NULL);
    ag_tape_seed(tape, 3, 4);
    ck_assert_ptr_nonnull(network(tape, RIGHT, 80));
    for (const ag_node *node = tape->last; node; node = node->before) {
        ag_tensor *inputs[4] = {NULL};
        ck_assert_int_le(node->input_count, 4);
        ag_tape_rewind(other);
        for (int i = 0; i < node->input_count; i++)
            if (node->inputs[i])
                inputs[i] = ag_constant(other, node->inputs[i]->shape, node->inputs[i]->data);
        const ag_tensor *y = tape_replay(node, other, inputs);
        ck_assert_msg(y != NULL, "%s", ag_tape_error(other)->message);
        ck_assert_mem_eq(y->data, node->output->data, (size_t)y->size * sizeof(ag_real));
    }
    ag_tape_free(tape);
    ag_tape_free(other);
}
END_TEST

START_TEST(forgotten_values_come_back)
{
    const ag_real values[] = {1, 2, 3};
    ag_tape *tape = ag_tape_new(&(ag_tape_options){.threads = 1, .forgets = true});
    ag_tensor *x = ag_variable(tape, AG_SHAPE(3), values), *h = ag_rms_norm(x, NULL, 0);
    ag_tensor *y = blend(FACTOR, h, x);
    ag_forget(h);
    ck_assert(h->is_forgotten && y);
    ag_gradcheck_location found = locate(tape);
    ck_assert_str_eq(found.location, "blend in the outermost scope (node 1 of 2)");
    ck_assert_ptr_null(h->data);
    ag_tape_free(tape);
}
END_TEST

/* Numbers that are none cannot be compared; what comes after them can. */
START_TEST(what_is_not_finite_is_skipped)
{
    const ag_real values[] = {1, 0, 3}, others[] = {1, 2, 3};
    ag_tape *tape = ag_tape_new(&(ag_tape_options){.threads = 1});
    ag_tensor *x = ag_variable(tape, AG_SHAPE(3), values), *z = ag_variable(tape, AG_SHAPE(3), others);
    ck_assert_ptr_nonnull(ag_scale(ag_log(x), 2));
    ck_assert_ptr_nonnull(blend(FACTOR, z, z));
    ag_gradcheck_location found = locate(tape);
    ck_assert_msg(found.number == 2 && found.skipped == 2, "%s", found.message);
    ag_tape_free(tape);
}
END_TEST

START_TEST(bad_input_is_a_sentence)
{
    ag_gradcheck_location found;
    ag_error error = {0};
    ag_tape *tape = ag_tape_new(NULL);
    ck_assert_int_eq(ag_gradcheck_locate(NULL, NULL, &found, &error), AG_BAD_VALUE);
    ck_assert_str_eq(error.message, "gradcheck: no tape, or no memory for the location");
    ck_assert_int_eq(ag_gradcheck_locate(tape, NULL, NULL, NULL), AG_BAD_VALUE);
    ck_assert_int_eq(ag_gradcheck_locate(tape, &(ag_gradcheck_options){.elements = -1}, &found, NULL), AG_BAD_VALUE);
    ck_assert(!locate(tape).node); /* an empty tape */
    ck_assert_ptr_null(ag_tape_fail(tape, AG_BAD_SHAPE, "this went wrong"));
    error = (ag_error){0};
    ck_assert_int_eq(ag_gradcheck_locate(tape, NULL, &found, &error), AG_BAD_SHAPE);
    ck_assert_str_eq(error.message, "this went wrong");
    ag_tape_free(tape);
}
END_TEST

START_TEST(out_of_memory)
{
    ag_tape *tape = ag_tape_new(&(ag_tape_options){.threads = 1});
    ck_assert_ptr_nonnull(network(tape, RIGHT, 4));
    int failures = 0;
    for (int64_t n = 1; n <= 200; n++) { /* some memory is not needed: the call succeeds without it */
        ag_gradcheck_location found;
        ag_error error = {0};
        test_fail_allocation(n);
        ag_status status = ag_gradcheck_locate(tape, NULL, &found, &error);
        test_fail_allocation(0);
        if (status == AG_OK)
            continue;
        failures++;
        ck_assert_int_eq(status, AG_NO_MEMORY);
        ck_assert_msg(strstr(error.message, "out of memory"), "%s", error.message);
    }
    ck_assert_int_ge(failures, 20);
    ag_tape_free(tape);
}
END_TEST

/* ---- In the check of a function ---------------------------------------------------- */

static ag_tensor *f_chain(ag_tape *tape, ag_tensor *const *inputs, void *context)
{
    ag_tape_enter(tape, "inner");
    ag_tensor *h = blend(*(const fault *)context, ag_tanh(inputs[0]), inputs[0]);
    ag_tape_leave(tape);
    return ag_exp(h);
}

static ag_tensor *f_cut_off(ag_tape *tape, ag_tensor *const *inputs, void *context)
{
    (void)tape;
    (void)context;
    return ag_exp(ag_mul(ag_detach(ag_tanh(inputs[0])), inputs[0]));
}

static ag_tensor *f_alone(ag_tape *tape, ag_tensor *const *inputs, void *context)
{
    (void)tape;
    return blend(*(const fault *)context, inputs[0], inputs[0]);
}

static ag_gradcheck_report check(ag_function f, fault planted)
{
    ag_real x[] = {(ag_real)0.5, 1, (ag_real)1.5}, grad[3];
    const ag_gradcheck_input input = {"x", AG_SHAPE(3), x, grad};
    ag_gradcheck_report report;
    ag_error error = {0};
    ck_assert_msg(ag_gradcheck(f, &planted, &input, 1, NULL, &report, &error) == AG_OK, "%s", error.message);
    ck_assert(x[0] == (ag_real)0.5 && x[1] == 1 && x[2] == (ag_real)1.5);
    return report;
}

START_TEST(a_failing_function_names_the_operation)
{
    ag_gradcheck_report report = check(f_chain, FACTOR);
    ck_assert(!report.passed);
    ck_assert_str_eq(report.location, "blend in inner (node 1 of 3)");
    ck_assert_msg(strstr(report.message, "; wrong by itself: blend in inner (node 1 of 3)"), "%s", report.message);
    report = check(f_chain, OVERWRITES); /* in the function tanh has one use: no harm */
    ck_assert_msg(!*report.location == report.passed, "%s", report.message);
    report = check(f_chain, RIGHT);
    ck_assert(report.passed && !*report.location);
    report = check(f_alone, FACTOR); /* which operation is no question */
    ck_assert(!report.passed && !*report.location && !strstr(report.message, "itself"));
}
END_TEST

START_TEST(a_value_cut_off_is_no_operation)
{
    ag_gradcheck_report report = check(f_cut_off, RIGHT);
    ck_assert(!report.passed && !*report.location);
    ck_assert_msg(strstr(report.message, "; each operation alone is right: a value is cut off or changed between them"),
                  "%s", report.message);
}
END_TEST

/* ---- Some elements ----------------------------------------------------------------- */

static ag_tensor *f_square(ag_tape *tape, ag_tensor *const *inputs, void *context)
{
    (void)tape;
    (void)context;
    return ag_mul(inputs[0], inputs[0]);
}

START_TEST(some_elements_are_drawn)
{
    ag_real x[50], grad[50];
    test_fill(x, 50, 7, 1, 2);
    const ag_gradcheck_input input = {"x", AG_SHAPE(50), x, grad};
    ag_gradcheck_report report;
    const ag_gradcheck_options some = {.elements = 5}, many = {.elements = 80};
    ck_assert_int_eq(ag_gradcheck(f_square, NULL, &input, 1, &some, &report, NULL), AG_OK);
    ck_assert(report.passed && report.checked == 5);
    ck_assert_int_eq(ag_gradcheck(f_square, NULL, &input, 1, &many, &report, NULL), AG_OK);
    ck_assert(report.passed && report.checked == 50);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("gradcheck_locate");
    TCase *tests = tcase_create("locate");
    tcase_add_loop_test(tests, the_operation_is_found, 0, 8);
    tcase_add_loop_test(tests, a_right_tape_has_none, 0, 2);
    tcase_add_test(tests, a_replay_has_the_same_bits);
    tcase_add_test(tests, forgotten_values_come_back);
    tcase_add_test(tests, what_is_not_finite_is_skipped);
    tcase_add_test(tests, bad_input_is_a_sentence);
    tcase_add_test(tests, out_of_memory);
    tcase_add_test(tests, a_failing_function_names_the_operation);
    tcase_add_test(tests, a_value_cut_off_is_no_operation);
    tcase_add_test(tests, some_elements_are_drawn);
    suite_add_tcase(s, tests);
    return s;
}

TEST_MAIN(suite)
