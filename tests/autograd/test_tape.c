/* test_tape.c - the tape: its memory, errors and scopes, and what backward does with
 * values of many uses. */
#include "check_util.h"

#include <math.h>
#include <string.h>

static const ag_real one_to_six[] = {1, 2, 3, 4, 5, 6};

/* ---- Differentiation --------------------------------------------------------------- */

START_TEST(a_value_used_twice_gets_both_gradients)
{
    ag_tape *tape = ag_tape_new(NULL);
    ag_tensor *x = ag_variable(tape, AG_SHAPE(3), one_to_six);
    ag_tensor *shared = ag_scale(x, 2); /* a diamond: x, 2x, then (2x)^2 and 3 (2x) meet again */
    ag_tensor *y = ag_add(ag_mul(shared, shared), ag_scale(shared, 3));
    ck_assert_int_eq(ag_backward(ag_sum(y, AG_ALL_AXES, false)), AG_OK);
    for (int i = 0; i < 3; i++)
        ck_assert_double_eq((double)x->grad[i], 8 * (double)one_to_six[i] + 6);
    ag_tape_free(tape);
}
END_TEST

START_TEST(losses_add_up_in_the_leaves)
{
    ag_tape *tape = ag_tape_new(NULL);
    ag_tensor *x = ag_variable(tape, AG_SHAPE(2), one_to_six);
    ag_tensor *square = ag_mul(x, x);
    ag_tensor *first = ag_sum(square, AG_ALL_AXES, false), *second = ag_sum(ag_scale(square, 10), AG_ALL_AXES, false);
    ck_assert_int_eq(ag_backward(first), AG_OK);
    ck_assert_double_eq((double)x->grad[1], 4);
    ck_assert_int_eq(ag_backward(second), AG_OK); /* another loss over the same nodes */
    ck_assert_double_eq((double)x->grad[1], 44);
    ck_assert_int_eq(ag_backward(first), AG_OK); /* the same loss again */
    ck_assert_double_eq((double)x->grad[1], 48);
    ag_tape_free(tape);
}
END_TEST

START_TEST(inner_gradients_are_kept_on_request_alone)
{
    ag_tape *tape = ag_tape_new(NULL);
    ag_tensor *x = ag_variable(tape, AG_SHAPE(2), one_to_six);
    ag_tensor *asked = ag_retain_grad(ag_scale(x, 2)), *other = ag_mul(asked, asked);
    ag_tensor *loss = ag_sum(other, AG_ALL_AXES, false);
    ck_assert_int_eq(ag_backward(loss), AG_OK);
    ck_assert_ptr_null(other->grad);
    ck_assert_double_eq((double)asked->grad[0], 4);
    ck_assert_int_eq(ag_backward(loss), AG_OK); /* that of the latest call, while the leaf's adds up */
    ck_assert_double_eq((double)asked->grad[0], 4);
    ck_assert_double_eq((double)x->grad[0], 16);

    ag_tensor *unrelated = ag_sum(ag_scale(x, 3), AG_ALL_AXES, false);
    ck_assert_int_eq(ag_backward(unrelated), AG_OK); /* has nothing to do with it */
    ck_assert_ptr_null(asked->grad);
    ag_tape_free(tape);
}
END_TEST

START_TEST(leaves_on_the_callers_memory)
{
    ag_real data[] = {2, 3}, grad[] = {100, 200};
    ag_tape *tape = ag_tape_new(NULL);
    ag_tensor *x = ag_leaf(tape, AG_SHAPE(2), data, grad), *c = ag_leaf(tape, AG_SHAPE(2), data, NULL);
    ck_assert(x->needs_grad && !c->needs_grad);
    ck_assert_int_eq(ag_backward(ag_sum(ag_mul(x, c), AG_ALL_AXES, false)), AG_OK);
    ck_assert(grad[0] == 102 && grad[1] == 203 && data[0] == 2);
    ck_assert_ptr_null(ag_leaf(tape, AG_SHAPE(2), NULL, NULL));
    ck_assert_str_eq(ag_tape_error(tape)->message, "leaf: no data given");
    ag_tape_free(tape);
}
END_TEST

START_TEST(a_detached_value_is_a_constant)
{
    ag_tape *tape = ag_tape_new(NULL);
    ag_tensor *x = ag_variable(tape, AG_SHAPE(1), one_to_six + 2);
    ag_tensor *y = ag_mul(x, ag_detach(ag_mul(x, x)));
    ck_assert_int_eq(ag_backward(y), AG_OK);
    ck_assert_double_eq((double)y->data[0], 27);
    ck_assert_double_eq((double)x->grad[0], 9);
    ck_assert_ptr_null(ag_detach(NULL));
    ag_tape_free(tape);
}
END_TEST

START_TEST(a_tape_without_gradients_notes_nothing)
{
    ag_tape *tape = ag_tape_new(&(ag_tape_options){.no_grad = true});
    ag_tensor *x = ag_variable(tape, AG_SHAPE(1), one_to_six);
    ag_tensor *y = ag_exp(x);
    ck_assert(!y->needs_grad && !y->node);
    ck_assert_ptr_null(ag_tape_last(tape));
    ck_assert_int_eq(ag_backward(y), AG_BAD_VALUE);
    ag_tape_free(tape);

    tape = ag_tape_new(NULL);
    x = ag_variable(tape, AG_SHAPE(1), one_to_six);
    ck_assert(ag_tape_set_grad(tape, false));
    ag_tensor *constant = ag_scale(x, 5);
    ck_assert(!ag_tape_set_grad(tape, true));
    y = ag_mul(x, constant);
    ck_assert_int_eq(ag_backward(y), AG_OK);
    ck_assert_double_eq((double)x->grad[0], 5);
    ag_tape_free(tape);
}
END_TEST

START_TEST(nodes_can_be_walked)
{
    ag_tape *tape = ag_tape_new(NULL);
    ag_tensor *x = ag_variable(tape, AG_SHAPE(1), one_to_six);
    ag_tensor *y = ag_exp(ag_neg(x));
    const ag_node *node = ag_tape_last(tape);
    ck_assert_ptr_eq(node, y->node);
    ck_assert_str_eq(node->op->name, "exp");
    ck_assert_str_eq(ag_node_before(node)->op->name, "neg");
    ck_assert_ptr_eq(ag_node_before(node)->inputs[0], x);
    ck_assert_ptr_null(ag_node_before(ag_node_before(node)));
    ag_tape_free(tape);
}
END_TEST

/* ---- Errors ------------------------------------------------------------------------ */

START_TEST(the_first_error_stays_and_null_goes_through)
{
    ag_tape *tape = ag_tape_new(NULL);
    ag_tensor *x = ag_variable(tape, AG_SHAPE(2), one_to_six), *y = ag_variable(tape, AG_SHAPE(3), one_to_six);
    ag_tensor *wrong = ag_add(x, y);
    ck_assert_ptr_null(wrong);
    char first[AG_MESSAGE_SIZE];
    strcpy(first, ag_tape_error(tape)->message);
    ck_assert_ptr_null(ag_slice(x, 4, 0, 1)); /* wrong too, but later */
    ck_assert_ptr_null(ag_exp(x));            /* right, but the tape has an error */
    ck_assert_ptr_null(ag_mul(ag_tanh(wrong), x));
    ck_assert_int_eq(ag_backward(NULL), AG_BAD_VALUE);
    ck_assert_int_eq(ag_tape_error(tape)->status, AG_BAD_SHAPE);
    ck_assert_str_eq(ag_tape_error(tape)->message, first);

    ag_tape_rewind(tape);
    ck_assert_int_eq(ag_tape_error(tape)->status, AG_OK);
    x = ag_variable(tape, AG_SHAPE(1), one_to_six);
    ck_assert_int_eq(ag_backward(ag_exp(x)), AG_OK);
    ag_tape_free(tape);
}
END_TEST

START_TEST(a_constructor_can_set_the_error)
{
    ag_tape *tape = ag_tape_new(NULL);
    ag_tensor *x = ag_variable(tape, AG_SHAPE(2), one_to_six);
    ck_assert_ptr_null(ag_tape_fail(NULL, AG_BAD_VALUE, "lost"));
    ck_assert_ptr_null(ag_tape_fail(tape, AG_BAD_SHAPE, "gate: %d heads of \033[1m", 3));
    ck_assert_int_eq(ag_tape_error(tape)->status, AG_BAD_SHAPE);
    ck_assert_str_eq(ag_tape_error(tape)->message, "gate: 3 heads of \u241b[1m"); /* as ag_text_show shows it */
    ck_assert_ptr_null(ag_tape_fail(tape, AG_BAD_VALUE, "a later one"));
    ck_assert_int_eq(ag_tape_error(tape)->status, AG_BAD_SHAPE);
    ck_assert_ptr_null(ag_exp(x));
    ck_assert_str_eq(ag_tape_error(tape)->message, "gate: 3 heads of \u241b[1m");

    ag_tape_rewind(tape);
    char words[2 * AG_MESSAGE_SIZE];
    memset(words, 'x', sizeof words - 1);
    words[sizeof words - 1] = 0;
    ag_tape_fail(tape, AG_BAD_VALUE, "%s", words);
    const char *message = ag_tape_error(tape)->message;
    ck_assert_uint_eq(strlen(message), AG_MESSAGE_SIZE - 1);
    ck_assert_str_eq(message + AG_MESSAGE_SIZE - 5, "x...");
    ag_tape_rewind(tape);
    ck_assert_ptr_nonnull(ag_exp(ag_variable(tape, AG_SHAPE(2), one_to_six)));
    ag_tape_free(tape);
}
END_TEST

START_TEST(backward_says_what_it_cannot_do)
{
    ag_tape *tape = ag_tape_new(NULL);
    ag_tensor *x = ag_variable(tape, AG_SHAPE(2), one_to_six);
    ck_assert_int_eq(ag_backward(ag_exp(x)), AG_BAD_SHAPE);
    ck_assert_str_eq(ag_tape_error(tape)->message, "backward: the loss is [2], not one element (reduce it by ag_sum or "
                                                   "ag_mean, or give a seed)");
    ck_assert_int_eq(ag_backward(NULL), AG_BAD_VALUE);
    ag_tape_rewind(tape);
    ck_assert_int_eq(ag_backward(ag_exp(ag_constant(tape, AG_SCALAR, one_to_six))), AG_BAD_VALUE);
    ag_tape_rewind(tape);
    ck_assert_int_eq(ag_backward(ag_variable(tape, AG_SHAPE(0), NULL)), AG_BAD_SHAPE);
    ag_tape_rewind(tape);
    x = ag_variable(tape, AG_SCALAR, one_to_six);
    ag_add(ag_variable(tape, AG_SHAPE(2), NULL), ag_variable(tape, AG_SHAPE(3), NULL));
    ck_assert_int_eq(ag_backward(x), AG_BAD_SHAPE); /* the error noted before */
    ag_tape_free(tape);
}
END_TEST

START_TEST(inputs_share_a_tape)
{
    ag_tape *tape = ag_tape_new(NULL), *other = ag_tape_new(NULL);
    ag_tensor *x = ag_variable(tape, AG_SHAPE(1), NULL), *y = ag_variable(other, AG_SHAPE(1), NULL);
    ck_assert_ptr_null(ag_add(x, y));
    ck_assert_str_eq(ag_tape_error(tape)->message, "add: input 1 lives on another tape");
    ck_assert_int_eq(ag_tape_error(other)->status, AG_OK);
    ag_tape_free(tape);
    ag_tape_free(other);
}
END_TEST

START_TEST(shapes_that_cannot_be)
{
    static const ag_shape wrong[] = {{6, {1, 1, 1, 1, 1}}, {-1, {0}}, {2, {2, -1}}, {3, {1 << 30, 1 << 30, 1 << 30}}};
    ag_tape *tape = ag_tape_new(NULL);
    ck_assert_ptr_null(ag_variable(tape, wrong[_i], NULL));
    ck_assert_int_eq(ag_tape_error(tape)->status, AG_BAD_SHAPE);
    ag_tape_free(tape);
}
END_TEST

/* The leaves claim more than there is: it is refused before anything is read. */
START_TEST(a_result_that_is_too_large)
{
    const int64_t size = 1 << 30;
    ag_real value = 0;
    ag_tape *tape = ag_tape_new(NULL);
    ag_tensor *a = ag_leaf(tape, AG_SHAPE(size, 1), &value, NULL), *b = ag_leaf(tape, AG_SHAPE(size), &value, NULL);
    ck_assert_ptr_null(ag_add(a, b));
    ck_assert_int_eq(ag_tape_error(tape)->status, AG_BAD_SHAPE);
    ck_assert_str_eq(ag_tape_error(tape)->message, "add: the result would be larger than memory can be");
    ag_tape_free(tape);
}
END_TEST

/* ---- Scopes and what is not finite ------------------------------------------------- */

START_TEST(scopes_name_the_culprit)
{
    const ag_real values[] = {1, 0};
    char text[AG_MESSAGE_SIZE];
    ag_tape *tape = ag_tape_new(NULL);
    ag_tensor *x = ag_variable(tape, AG_SHAPE(2), values);
    ag_tape_enter(tape, "decoder");
    ag_tensor *fine = ag_exp(x);
    ck_assert(!ag_tape_find_nonfinite(tape, text));
    ag_tape_enter(tape, "layers.1");
    ag_tensor *bad = ag_log(x);
    ag_tape_leave(tape);
    ag_tensor *y = ag_add(ag_scale(bad, 2), fine);
    ag_tape_leave(tape);
    ag_tape_leave(tape); /* one too many does no harm */
    ag_exp(y);
    ck_assert_str_eq(fine->node->scope, "decoder");
    ck_assert_str_eq(bad->node->scope, "decoder.layers.1");
    ck_assert_str_eq(y->node->scope, "decoder");
    ck_assert_str_eq(ag_tape_last(tape)->scope, "");
    ck_assert(ag_tape_find_nonfinite(tape, text));
    ck_assert_str_eq(text, "log in decoder.layers.1 made -inf from finite inputs");
    ag_tape_free(tape);
}
END_TEST

START_TEST(a_bad_input_is_named_as_such)
{
    const ag_real values[] = {1, NAN};
    char text[AG_MESSAGE_SIZE];
    ag_tape *tape = ag_tape_new(NULL);
    ag_tensor *x = ag_variable(tape, AG_SHAPE(2), one_to_six), *bad = ag_variable(tape, AG_SHAPE(2), values);
    ag_mul(ag_exp(x), bad);
    ck_assert(ag_tape_find_nonfinite(tape, text));
    ck_assert_str_eq(text, "mul in the outermost scope was given nan as input 1");
    ag_tape_free(tape);
}
END_TEST

START_TEST(a_checked_backward_names_the_operation)
{
    ag_tape *tape = ag_tape_new(NULL);
    ag_tensor *x = ag_variable(tape, AG_SCALAR, NULL); /* the square root's slope at 0 is infinite */
    ag_tape_enter(tape, "norm");
    ag_tensor *y = ag_scale(ag_sqrt(ag_scale(x, 3)), 2);
    ag_tape_leave(tape);
    ck_assert_int_eq(ag_backward_checked(y), AG_NOT_FINITE);
    ck_assert_str_eq(ag_tape_error(tape)->message, "the gradient of sqrt in norm by its input 0 became inf");
    ag_tape_free(tape);
}
END_TEST

/* ---- Memory ------------------------------------------------------------------------ */

/* A step that uses many operations; returns the loss, or NAN after an error. */
static double step(ag_tape *tape, ag_real *weight, ag_real *gradient)
{
    const int order[] = {1, 0};
    ag_tape_seed(tape, 1, 2);
    ag_tape_enter(tape, "model");
    ag_tensor *w = ag_leaf(tape, AG_SHAPE(40, 30), weight, gradient);
    ag_tensor *x = ag_variable(tape, AG_SHAPE(1, 30), NULL);
    ag_tensor *y = ag_gelu(ag_add(w, ag_exp(x)), AG_GELU_TANH);
    y = ag_permute(ag_dropout(y, 0.1), order);
    y = ag_concat((ag_tensor *[]){y, ag_slice(y, 0, 0, 10)}, 2, 0);
    y = ag_sub(y, ag_max(y, AG_AXIS(0), true));
    ag_tensor *loss = ag_mean(ag_reshape(y, AG_SHAPE(-1)), AG_ALL_AXES, false);
    ag_tape_leave(tape);
    return ag_backward(loss) == AG_OK ? (double)loss->data[0] : (double)NAN;
}

START_TEST(the_second_step_allocates_nothing)
{
    static ag_real weight[1200], gradient[1200], again[1200];
    test_fill(weight, 1200, 1, -1, 1);
    ag_tape *tape = ag_tape_new(&(ag_tape_options){.threads = 1});
    double loss = step(tape, weight, gradient);
    ck_assert(!isnan(loss));
    size_t bytes = ag_tape_bytes(tape);
    for (int i = 0; i < 3; i++) {
        int64_t before = test_allocations(); /* (the assertions below allocate, too) */
        ag_tape_rewind(tape);
        memset(again, 0, sizeof again);
        double same = step(tape, weight, again);
        int64_t made = test_allocations() - before;
        ck_assert_int_eq(made, 0);
        ck_assert_double_eq(same, loss);
        ck_assert_mem_eq(again, gradient, sizeof gradient);
    }
    ck_assert_uint_eq(ag_tape_bytes(tape), bytes);
    ag_tape_free(tape);
}
END_TEST

/* The gradients of a chain of tensors each of which is longer (0) or shorter (1) than the
 * one before: few are alive at a time, but none has the size of another. Backward walks
 * from the last: in the first case the memory of each can be cut from that of those
 * before it, in the second pieces must be joined. */
START_TEST(gradients_of_many_sizes_share_memory)
{
    enum { COUNT = 40, SIZE = 40000, STEP = 500 };
    ag_tape *tape = ag_tape_new(NULL);
    ag_tensor *some = ag_constant(tape, AG_SHAPE(STEP), NULL), *x = ag_variable(tape, AG_SHAPE(SIZE), NULL), *y = x;
    for (int i = 0; i < COUNT; i++)
        y = _i == 0 ? ag_concat((ag_tensor *[]){y, some}, 2, 0) : ag_slice(y, 0, STEP, y->size);
    ag_tensor *loss = ag_sum(ag_scale(y, 2), AG_ALL_AXES, false);
    size_t before = ag_tape_bytes(tape);
    ck_assert_int_eq(ag_backward(loss), AG_OK);
    ck_assert_uint_lt(ag_tape_bytes(tape) - before, 6 * sizeof(ag_real[SIZE + COUNT * STEP]));
    for (int i = 0; i < SIZE; i++)
        ck_assert_double_eq((double)x->grad[i], _i == 0 || i >= COUNT * STEP ? 2 : 0);
    ag_tape_free(tape);
}
END_TEST

/* The n-th allocation fails, for each n that there is. Assertions allocate too, so none
 * stands where that may fail. */
START_TEST(any_allocation_may_fail)
{
    static ag_real weight[1200], gradient[1200], again[1200];
    test_fill(weight, 1200, 1, -1, 1);
    double loss = (double)NAN;
    int failures = 0;
    for (int n = 1; isnan(loss); n++) {
        memset(gradient, 0, sizeof gradient);
        test_fail_allocation(n);
        ag_tape *tape = ag_tape_new(&(ag_tape_options){.threads = 1});
        if (tape)
            loss = step(tape, weight, gradient);
        test_fail_allocation(0);

        if (isnan(loss))
            failures++;
        if (tape && isnan(loss)) {
            ck_assert_int_eq(ag_tape_error(tape)->status, AG_NO_MEMORY);
            ck_assert_ptr_nonnull(strstr(ag_tape_error(tape)->message, "out of memory"));
            ag_tape_rewind(tape); /* the tape is as good as new */
            memset(again, 0, sizeof again);
            ck_assert(!isnan(step(tape, weight, again)));
        }
        ag_tape_free(tape);
    }
    ck_assert_mem_eq(again, gradient, sizeof gradient);
    ck_assert_int_ge(failures, 4); /* the tape, its workspace, a chunk of each arena */
}
END_TEST

START_TEST(memory_is_aligned_and_lives_until_the_rewind)
{
    ag_tape *tape = ag_tape_new(NULL);
    char *places[100];
    for (int i = 0; i < 100; i++) {
        size_t bytes = (size_t)i * 1777;
        places[i] = ag_tape_alloc(tape, bytes);
        ck_assert_uint_eq((uintptr_t)places[i] % 64, 0);
        memset(places[i], i, bytes);
    }
    int changed = 0;
    for (int i = 0; i < 100; i++)
        for (int j = 0; j < i * 1777; j++)
            changed += places[i][j] != (char)i;
    ck_assert_int_eq(changed, 0);
    ck_assert_ptr_null(ag_tape_alloc(tape, SIZE_MAX - 5));
    ck_assert_int_eq(ag_tape_error(tape)->status, AG_NO_MEMORY);
    ag_tape_free(tape);
}
END_TEST

/* An operation of one's own: y = x + x, with scratch memory that it fills. */
#define SCRATCH ((size_t)100000)

static ag_status shape_as_input(ag_node *node)
{
    node->output->shape = node->inputs[0]->shape;
    return AG_OK;
}

static ag_status forward_double(ag_node *node)
{
    char *place = ag_scratch(node->tape, SCRATCH);
    if (!place)
        return AG_NO_MEMORY;
    memset(place, 1, SCRATCH);
    for (int64_t i = 0; i < node->output->size; i++)
        node->output->data[i] = 2 * node->inputs[0]->data[i];
    return AG_OK;
}

static ag_status backward_double(ag_node *node)
{
    ag_real *dx = ag_grad(node->inputs[0]);
    char *place = ag_scratch(node->tape, SCRATCH);
    if (!dx || !place)
        return AG_NO_MEMORY;
    memset(place, 2, SCRATCH);
    for (int64_t i = 0; i < node->output->size; i++)
        dx[i] += 2 * node->output->grad[i];
    return AG_OK;
}

static const ag_op op_double = {.name = "double",
                                .formula = "y = x + x",
                                .shape = shape_as_input,
                                .forward = forward_double,
                                .backward = backward_double};

START_TEST(scratch_memory_is_used_again_by_the_next_operation)
{
    ag_tape *tape = ag_tape_new(&(ag_tape_options){.threads = 1});
    size_t before = ag_tape_bytes(tape);
    ag_tensor *x = ag_variable(tape, AG_SHAPE(2), one_to_six), *y = x;
    for (int i = 0; i < 50; i++)
        y = ag_custom(&op_double, &y, 1, 1, NULL, 0);
    ck_assert_uint_lt(ag_tape_bytes(tape) - before, 5 * SCRATCH);
    ck_assert_int_eq(ag_backward(ag_sum(y, AG_ALL_AXES, false)), AG_OK);
    ck_assert_uint_lt(ag_tape_bytes(tape) - before, 5 * SCRATCH);
    ck_assert_double_eq((double)x->grad[1], 0x1p50);
    ag_tape_free(tape);
}
END_TEST

/* ---- Threads ----------------------------------------------------------------------- */

#define ROWS    700
#define COLUMNS 90

/* The loss and both gradients of operations on a tensor of several pieces. */
static void run_on(int threads, ag_real *dx, ag_real *dbias, ag_real *loss)
{
    static ag_real values[ROWS * COLUMNS];
    test_fill(values, ROWS * COLUMNS, 4, -1, 1);
    const int order[] = {1, 0};
    ag_tape *tape = ag_tape_new(&(ag_tape_options){.threads = threads});
    ck_assert_int_eq(ag_tape_threads(tape), threads);
    ag_tape_seed(tape, 3, 4);
    ag_tensor *x = ag_variable(tape, AG_SHAPE(ROWS, COLUMNS), values);
    ag_tensor *bias = ag_variable(tape, AG_SHAPE(COLUMNS), values + 50);
    ag_tensor *column = ag_mean(x, AG_AXIS(1), true);
    ag_tensor *y = ag_silu(ag_add(ag_mul(x, column), bias));
    y = ag_dropout(ag_permute(y, order), 0.3);
    y = ag_concat((ag_tensor *[]){y, ag_slice(y, 1, 1, 600)}, 2, 1);
    ag_tensor *sum = ag_sum(ag_mul(y, y), AG_ALL_AXES, false);
    ck_assert_int_eq(ag_backward(sum), AG_OK);
    memcpy(dx, x->grad, (size_t)x->size * sizeof(ag_real));
    memcpy(dbias, bias->grad, (size_t)bias->size * sizeof(ag_real));
    *loss = sum->data[0];
    ag_tape_free(tape);
}

START_TEST(threads_change_no_byte)
{
    static ag_real dx[ROWS * COLUMNS], other[ROWS * COLUMNS];
    ag_real dbias[COLUMNS], other_bias[COLUMNS], loss, other_loss;
    run_on(1, dx, dbias, &loss);
    for (int threads = 2; threads <= 4; threads++) {
        run_on(threads, other, other_bias, &other_loss);
        ck_assert_mem_eq(dx, other, sizeof dx);
        ck_assert_mem_eq(dbias, other_bias, sizeof dbias);
        ck_assert_mem_eq(&loss, &other_loss, sizeof loss);
    }
}
END_TEST

static Suite *tape_suite(void)
{
    Suite *suite = suite_create("tape");
    TCase *tcase = tcase_create("differentiation");
    tcase_add_test(tcase, a_value_used_twice_gets_both_gradients);
    tcase_add_test(tcase, losses_add_up_in_the_leaves);
    tcase_add_test(tcase, inner_gradients_are_kept_on_request_alone);
    tcase_add_test(tcase, leaves_on_the_callers_memory);
    tcase_add_test(tcase, a_detached_value_is_a_constant);
    tcase_add_test(tcase, a_tape_without_gradients_notes_nothing);
    tcase_add_test(tcase, nodes_can_be_walked);
    suite_add_tcase(suite, tcase);

    tcase = tcase_create("errors");
    tcase_add_test(tcase, the_first_error_stays_and_null_goes_through);
    tcase_add_test(tcase, a_constructor_can_set_the_error);
    tcase_add_test(tcase, backward_says_what_it_cannot_do);
    tcase_add_test(tcase, inputs_share_a_tape);
    tcase_add_loop_test(tcase, shapes_that_cannot_be, 0, 4);
    tcase_add_test(tcase, a_result_that_is_too_large);
    tcase_add_test(tcase, scopes_name_the_culprit);
    tcase_add_test(tcase, a_bad_input_is_named_as_such);
    tcase_add_test(tcase, a_checked_backward_names_the_operation);
    suite_add_tcase(suite, tcase);

    tcase = tcase_create("memory");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, the_second_step_allocates_nothing);
    tcase_add_loop_test(tcase, gradients_of_many_sizes_share_memory, 0, 2);
    tcase_add_test(tcase, any_allocation_may_fail);
    tcase_add_test(tcase, memory_is_aligned_and_lives_until_the_rewind);
    tcase_add_test(tcase, scratch_memory_is_used_again_by_the_next_operation);
    tcase_add_test(tcase, threads_change_no_byte);
    suite_add_tcase(suite, tcase);
    return suite;
}

TEST_MAIN(tape_suite)
