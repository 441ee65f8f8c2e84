/* test_recompute.c - values that a tape does not keep: the backward recomputes them, to
 * the last bit. */
#include "nn_util.h"

#include <string.h>

enum { ROWS = 1997, WIDTH = 24, SIZE = ROWS * WIDTH };

typedef struct given {
    ag_real x[SIZE], weight[WIDTH], bias[WIDTH], seed[SIZE];
} given;

static given *values(void)
{
    static given g;
    test_fill(g.x, SIZE, 1, -2, 2);
    test_fill(g.weight, WIDTH, 2, 0.5, 1.5);
    test_fill(g.bias, WIDTH, 3, -1, 1);
    test_fill(g.seed, SIZE, 4, -1, 1);
    return &g;
}

static ag_tape *tape_that(bool forgets)
{
    ag_tape *tape = ag_tape_new(&(ag_tape_options){.threads = 1, .forgets = forgets});
    ck_assert_ptr_nonnull(tape);
    return tape;
}

/* x, then norms and a product that needs their values. */
typedef struct chain {
    ag_tensor *x, *weight, *bias, *first, *second, *y;
} chain;

/* Either norm's, or both norms', values are forgotten as soon as they have been used, if
 * the tape forgets. */
static chain make_chain(ag_tape *tape, bool first, bool second)
{
    const given *g = values();
    chain c = {.x = ag_variable(tape, AG_SHAPE(ROWS, WIDTH), g->x),
               .weight = ag_variable(tape, AG_SHAPE(WIDTH), g->weight),
               .bias = ag_variable(tape, AG_SHAPE(WIDTH), g->bias)};
    c.first = ag_layer_norm(c.x, c.weight, c.bias, 1e-5);
    c.second = ag_rms_norm(c.first, c.weight, 1e-5);
    if (first)
        ag_forget(c.first);
    c.y = ag_mul(c.second, ag_scale(c.second, 3));
    if (second)
        ag_forget(c.second);
    return c;
}

static void same_gradients(const chain *a, const chain *b)
{
    ck_assert_mem_eq(a->x->grad, b->x->grad, sizeof(ag_real[SIZE]));
    ck_assert_mem_eq(a->weight->grad, b->weight->grad, sizeof(ag_real[WIDTH]));
    ck_assert_mem_eq(a->bias->grad, b->bias->grad, sizeof(ag_real[WIDTH]));
}

/* ---- Coming back ------------------------------------------------------------------- */

START_TEST(gradients_are_the_same_bytes)
{
    ag_tape *keeps = tape_that(false), *forgets = tape_that(true);
    const chain all = make_chain(keeps, true, true), some = make_chain(forgets, _i & 1, _i & 2);
    ag_retain_grad(some.first);
    ag_retain_grad(some.second);
    ck_assert_ptr_nonnull(all.second->data); /* a tape that keeps */
    ck_assert(!all.second->is_forgotten);
    for (int turn = 0; turn < 3; turn++) { /* the gradients add up, and the values come back each time */
        ck_assert_int_eq(ag_backward_seeded(all.y, values()->seed), AG_OK);
        if (turn == 1)
            ck_assert_int_eq(ag_backward_checked(ag_sum(some.y, AG_ALL_AXES, false)), AG_OK);
        else
            ck_assert_int_eq(ag_backward_seeded(some.y, values()->seed), AG_OK);
        if (turn == 0)
            same_gradients(&all, &some);
        ck_assert_int_eq(some.first->data == NULL, _i & 1);
        ck_assert_int_eq(some.second->data == NULL, _i >> 1);
        ck_assert_ptr_nonnull(some.first->grad);
    }
    ag_tape_free(keeps);
    ag_tape_free(forgets);
}
END_TEST

/* Whole models: the loss and all gradients, of fewer bytes where the norms stand before
 * the sublayers. */
START_TEST(models_train_the_same)
{
    static const nn_model_kind kinds[] = {NN_ENCODER_DECODER, NN_ENCODER, NN_DECODER};
    const bool is_post_norm = _i >= 3;
    nn_model *model = test_model((nn_model_config){.kind = kinds[_i % 3],
                                                   .d_model = 32,
                                                   .ffn = 64,
                                                   .dropout = 0.1,
                                                   .norm = _i % 2 ? NN_RMS_NORM : NN_LAYER_NORM,
                                                   .post_norm = is_post_norm,
                                                   .max_length = 32},
                                 1);
    const size_t bytes = (size_t)model->params.size * sizeof(ag_real);
    ag_real *gradients = malloc(bytes), loss[2];
    size_t held[2];
    test_batch batch;
    test_batch_fill(&batch, model, 16, 30, 28, 2);
    for (int forgets = 0; forgets < 2; forgets++) {
        ag_tape *tape = tape_that(forgets);
        const nn_pass pass = {.tape = tape, .params = &model->params, .training = true};
        nn_params_zero_grad(&model->params);
        ag_tensor *value = ag_cross_entropy(nn_model_apply(model, &pass, &batch.input), batch.labels,
                                            &(ag_cross_entropy_options){.ignore = true});
        ck_assert_int_eq(ag_backward(value), AG_OK);
        loss[forgets] = value->data[0];
        held[forgets] = ag_tape_bytes(tape);
        if (!forgets)
            memcpy(gradients, model->params.grad, bytes);
        ag_tape_free(tape);
    }
    ck_assert_mem_eq(&loss[0], &loss[1], sizeof *loss);
    ck_assert_mem_eq(gradients, model->params.grad, bytes);
    if (is_post_norm)
        ck_assert_uint_eq(held[0], held[1]);
    else /* two norms in each of two blocks at least, except the one that is there at a time */
        ck_assert_uint_ge(held[0] - held[1], 3 * 16 * 28 * 32 * sizeof(ag_real));
    free(gradients);
    nn_model_free(model);
}
END_TEST

/* ---- Memory ------------------------------------------------------------------------ */

START_TEST(the_memory_is_used_again)
{
    ag_tape *tape = tape_that(true);
    const given *g = values();
    ag_tensor *x = ag_variable(tape, AG_SHAPE(ROWS, WIDTH), g->x), *y = ag_rms_norm(x, NULL, 1e-5);
    const ag_real *place = y->data;
    ag_forget(y);
    ck_assert(y->is_forgotten);
    ck_assert_ptr_null(y->data);
    ag_forget(y); /* once more */
    ag_tensor *larger = ag_concat((ag_tensor *[]){x, x}, 2, 0), *same = ag_exp(x), *other = ag_exp(x);
    ck_assert_ptr_ne(larger->data, place);
    ck_assert_ptr_eq(same->data, place);
    ck_assert_ptr_ne(other->data, place);
    ag_tape_free(tape);
}
END_TEST

static size_t step(ag_tape *tape, ag_real *gradient)
{
    const chain c = make_chain(tape, true, true);
    if (!c.y || ag_backward_seeded(c.y, values()->seed) != AG_OK)
        return 0;
    memcpy(gradient, c.x->grad, sizeof(ag_real[SIZE]));
    return ag_tape_bytes(tape);
}

START_TEST(the_second_step_allocates_nothing)
{
    static ag_real gradient[SIZE], again[SIZE];
    ag_tape *tape = tape_that(true);
    const size_t bytes = step(tape, gradient);
    const int64_t before = test_allocations();
    ag_tape_rewind(tape);
    const size_t same = step(tape, again);
    const int64_t made = test_allocations() - before;
    ck_assert_uint_gt(bytes, 0);
    ck_assert_uint_eq(bytes, same);
    ck_assert_int_eq(made, 0);
    ck_assert_mem_eq(gradient, again, sizeof gradient);
    ag_tape_free(tape);
}
END_TEST

/* The n-th allocation fails, for each n that there is: the tape says so, and is as good
 * as new after a rewind. */
START_TEST(any_allocation_may_fail)
{
    static ag_real gradient[SIZE], again[SIZE];
    size_t done = 0;
    int failures = 0;
    for (int n = 1; !done; n++) {
        test_fail_allocation(n);
        ag_tape *tape = ag_tape_new(&(ag_tape_options){.threads = 1, .forgets = true});
        if (tape)
            done = step(tape, gradient);
        test_fail_allocation(0);
        failures += !done;
        if (tape && !done) {
            ck_assert_int_eq(ag_tape_error(tape)->status, AG_NO_MEMORY);
            ag_tape_rewind(tape);
            ck_assert_uint_gt(step(tape, again), 0);
        }
        ag_tape_free(tape);
    }
    ck_assert_int_ge(failures, 4);
    ck_assert_mem_eq(gradient, again, sizeof gradient);
}
END_TEST

/* ---- Refusals ---------------------------------------------------------------------- */

START_TEST(what_stays)
{
    ag_tape *tape = tape_that(true), *keeps = tape_that(false);
    ag_tape *forward = ag_tape_new(&(ag_tape_options){.threads = 1, .no_grad = true, .forgets = true});
    const given *g = values();
    ag_tensor *x = ag_variable(tape, AG_SHAPE(ROWS, WIDTH), g->x), *none = ag_variable(tape, AG_SHAPE(0, WIDTH), NULL);
    ag_tensor *viewed = ag_rms_norm(x, NULL, 1e-5), *view = ag_reshape(viewed, AG_SHAPE(SIZE));
    ag_tensor *stays[] = {x, /* a leaf */
                          ag_exp(x),
                          viewed,
                          ag_rms_norm(ag_variable(keeps, AG_SHAPE(ROWS, WIDTH), g->x), NULL, 1e-5),
                          ag_rms_norm(ag_constant(forward, AG_SHAPE(ROWS, WIDTH), g->x), NULL, 1e-5),
                          ag_rms_norm(none, NULL, 1e-5)};
    ag_forget(NULL);
    for (size_t i = 0; i < sizeof stays / sizeof *stays; i++) {
        const ag_real *data = stays[i]->data;
        ag_forget(stays[i]);
        ck_assert(!stays[i]->is_forgotten);
        ck_assert_ptr_eq(stays[i]->data, data);
    }
    ck_assert_ptr_eq(view->data, viewed->data);
    ag_tape_free(tape);
    ag_tape_free(keeps);
    ag_tape_free(forward);
}
END_TEST

START_TEST(a_forgotten_input_is_refused)
{
    ag_tape *tape = tape_that(true);
    const chain c = make_chain(tape, false, true);
    ck_assert_ptr_null(ag_add(c.x, c.second));
    ck_assert_int_eq(ag_tape_error(tape)->status, AG_BAD_VALUE);
    ck_assert_str_eq(ag_tape_error(tape)->message, "add: input 1 has been forgotten");
    ag_tape_free(tape);
}
END_TEST

/* Messages about a forgotten value name what it held, as if it were there. */
START_TEST(what_is_not_finite_is_found)
{
    ag_tape *tape = tape_that(true);
    given *g = values();
    char text[AG_MESSAGE_SIZE];
    ag_tensor *x = ag_variable(tape, AG_SHAPE(ROWS, WIDTH), g->x);
    g->weight[3] = (ag_real)1e30 * (ag_real)1e30 * PRECISION((ag_real)1e300, 1);
    ag_tensor *weight = ag_leaf(tape, AG_SHAPE(WIDTH), g->weight, NULL);
    ag_tensor *y = ag_rms_norm(ag_layer_norm(x, NULL, NULL, 1e-5), weight, 1e-5);
    ag_exp(y);
    ag_forget(y);
    ag_forget(y->node->inputs[0]);
    ck_assert(ag_tape_find_nonfinite(tape, text));
    ck_assert_str_eq(text, "rms_norm in the outermost scope was given inf as input 1");
    ag_tape_free(tape);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("recompute");
    TCase *tcase = tcase_create("forget");
    tcase_add_loop_test(tcase, gradients_are_the_same_bytes, 0, 4);
    tcase_add_loop_test(tcase, models_train_the_same, 0, 6);
    tcase_add_test(tcase, the_memory_is_used_again);
    tcase_add_test(tcase, the_second_step_allocates_nothing);
    tcase_add_test(tcase, any_allocation_may_fail);
    tcase_add_test(tcase, what_stays);
    tcase_add_test(tcase, a_forgotten_input_is_refused);
    tcase_add_test(tcase, what_is_not_finite_is_found);
    suite_add_tcase(s, tcase);
    return s;
}

TEST_MAIN(suite)
