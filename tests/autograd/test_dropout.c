/* test_dropout.c - dropout: what it draws, and the ends of its range. */
#include "check_util.h"

#include <math.h>
#include <string.h>

#define DROPPED 40003

/* Dropout of DROPPED ones and its gradient, on a tape of so many threads, under (seed,
 * step), after `before` others. */
static void drop(int threads, uint64_t seed, uint64_t step, int before, double p, ag_real *y_values, ag_real *dx_values)
{
    static ag_real ones[DROPPED];
    for (int i = 0; i < DROPPED; i++)
        ones[i] = 1;
    ag_tape *tape = ag_tape_new(&(ag_tape_options){.threads = threads});
    ag_tape_seed(tape, seed, step);
    ag_tensor *x = ag_variable(tape, AG_SHAPE(DROPPED), ones);
    for (int i = 0; i < before; i++)
        ag_dropout(ag_constant(tape, AG_SHAPE(1), ones), 0.5);
    ag_tensor *y = ag_dropout(x, p);
    ag_tape_seed(tape, seed + 1, step + 1); /* the backward's mask is that of the forward all the same */
    ck_assert_int_eq(ag_backward_seeded(y, ones), AG_OK);
    ck_assert_int_eq(ag_backward_seeded(y, ones), AG_OK); /* gradients add up */
    for (int i = 0; i < DROPPED; i++)
        x->grad[i] /= 2;
    memcpy(y_values, y->data, sizeof ones);
    memcpy(dx_values, x->grad, sizeof ones);
    ag_tape_free(tape);
}

START_TEST(dropout_draws_from_philox)
{
    static ag_real y[DROPPED], dx[DROPPED];
    const double p = 0.3;
    const uint64_t seed = UINT64_C(0x123456789abcdef0), own = ag_seed_for(seed, AG_FOR_DROPOUT);
    const uint32_t key[2] = {(uint32_t)own, (uint32_t)(own >> 32)};
    double sum = 0;
    drop(1, seed, 21, 2, p, y, dx);
    for (uint32_t e = 0; e < DROPPED; e++) {
        uint32_t words[4], counter[4] = {e / 4, 0, 2, 21};
        ag_philox(counter, key, words);
        ag_real wanted = words[e % 4] >= (uint32_t)(p * 4294967296.0 + 0.5) ? (ag_real)(1 / (1 - p)) : 0;
        ck_assert_msg(y[e] == wanted && dx[e] == wanted, "element %u", e);
        sum += (double)y[e];
    }
    ck_assert_double_eq_tol(sum / DROPPED, 1, 0.02);
}
END_TEST

START_TEST(dropout_masks_differ_by_seed_step_and_number_alone)
{
    static ag_real y[DROPPED], dx[DROPPED], other[DROPPED];
    drop(1, 5, 6, 0, 0.5, y, dx);
    for (int threads = 1; threads <= 4; threads++) {
        drop(threads, 5, 6, 0, 0.5, other, dx);
        ck_assert_mem_eq(y, other, sizeof y);
        ck_assert_mem_eq(y, dx, sizeof y);
    }
    drop(1, 6, 6, 0, 0.5, other, dx);
    ck_assert_mem_ne(y, other, sizeof y);
    drop(1, 5, 7, 0, 0.5, other, dx);
    ck_assert_mem_ne(y, other, sizeof y);
    drop(1, 5, 6, 1, 0.5, other, dx);
    ck_assert_mem_ne(y, other, sizeof y);
}
END_TEST

START_TEST(a_new_tape_is_seeded_by_zeros)
{
    static ag_real ones[DROPPED], y[DROPPED], dx[DROPPED];
    drop(1, 0, 0, 0, 0.5, y, dx);
    for (int i = 0; i < DROPPED; i++)
        ones[i] = 1;
    ag_tape *tape = ag_tape_new(NULL);
    ag_tensor *x = ag_constant(tape, AG_SHAPE(DROPPED), ones);
    ck_assert_mem_eq(ag_dropout(x, 0.5)->data, y, sizeof y);
    ag_tape_free(tape);
}
END_TEST

START_TEST(dropout_at_the_ends_of_its_range)
{
    static ag_real y[DROPPED], dx[DROPPED];
    const ag_real values[] = {1, NAN, INFINITY, -2, 0.5};
    drop(2, 1, 2, 0, 1e-10, y, dx);
    for (int i = 0; i < DROPPED; i++)
        ck_assert(y[i] == (ag_real)(1 / (1 - 1e-10)) && dx[i] == y[i]);

    ag_tape *tape = ag_tape_new(NULL);
    ag_tensor *x = ag_variable(tape, AG_SHAPE(5), values);
    ck_assert_ptr_eq(ag_dropout(x, 0), x);
    ag_tensor *none = ag_dropout(x, 1);
    ck_assert_int_eq(ag_backward_seeded(none, values), AG_OK);
    for (int i = 0; i < 5; i++)
        ck_assert(none->data[i] == 0 && x->grad[i] == 0);
    ag_tape_free(tape);
}
END_TEST

START_TEST(dropout_needs_a_probability)
{
    static const double wrong[] = {-0.1, 1.5, NAN, INFINITY};
    ag_tape *tape = ag_tape_new(NULL);
    ck_assert_ptr_null(ag_dropout(ag_variable(tape, AG_SHAPE(2), NULL), wrong[_i]));
    ck_assert_int_eq(ag_tape_error(tape)->status, AG_BAD_VALUE);
    if (_i == 1)
        ck_assert_str_eq(ag_tape_error(tape)->message, "dropout: the probability is 1.5, outside of 0 to 1");
    ck_assert_ptr_null(ag_dropout(NULL, 0.5));
    ag_tape_free(tape);
}
END_TEST

static Suite *dropout_suite(void)
{
    Suite *suite = suite_create("dropout");
    TCase *tcase = tcase_create("dropout");
    tcase_add_test(tcase, dropout_draws_from_philox);
    tcase_add_test(tcase, dropout_masks_differ_by_seed_step_and_number_alone);
    tcase_add_test(tcase, a_new_tape_is_seeded_by_zeros);
    tcase_add_test(tcase, dropout_at_the_ends_of_its_range);
    tcase_add_loop_test(tcase, dropout_needs_a_probability, 0, 4);
    suite_add_tcase(suite, tcase);
    return suite;
}

TEST_MAIN(dropout_suite)
