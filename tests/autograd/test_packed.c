/* test_packed.c - kept copies of weights: the same bits in all cases, made once, of the
 * caller's memory alone, and given back. */
#include "check_util.h"
#include "kernels/kernels.h"

#include <string.h>

enum { MOST = 6000 };

static ag_real numbers[3 * MOST];

static void draw_numbers(void)
{
    ag_rng rng = ag_rng_make(1, 0);
    for (int i = 0; i < 3 * MOST; i++)
        numbers[i] = (ag_real)(2 * ag_rng_uniform(&rng) - 1);
}

static ag_tape *tape_with(int threads)
{
    ag_tape *tape = ag_tape_new(&(ag_tape_options){.threads = threads, .no_grad = true});
    ck_assert_ptr_nonnull(tape);
    return tape;
}

/* x [rows, in] by the weight [out, in] that begins at number `first`, plus a bias. */
static const ag_real *product(ag_tape *tape, int64_t rows, int64_t in, int64_t out, int64_t first)
{
    ag_tensor *x = ag_constant(tape, AG_SHAPE(rows, in), numbers + 2 * MOST);
    ag_tensor *weight = ag_leaf(tape, AG_SHAPE(out, in), numbers + first, NULL);
    ag_tensor *y = ag_linear(x, weight, ag_leaf(tape, AG_SHAPE(out), numbers, NULL));
    return y ? y->data : NULL;
}

/* (Level plain reads weights where they lie.) */
static bool makes_copies(void)
{
    return kernels()->product->packed_bytes(8, 8) > 0;
}

/* ---- Bits -------------------------------------------------------------------------- */

static const int64_t sizes[][3] = {{1, 1, 1},    {1, 7, 3},   {1, 64, 32},   {1, 33, 127}, {5, 100, 33}, {3, 700, 8},
                                   {1, 1200, 5}, {13, 16, 9}, {40, 20, 300}, {70, 40, 65}, {2, 0, 5},    {2, 5, 0}};
#define SIZES ((int)(sizeof sizes / sizeof *sizes))

START_TEST(results_have_the_same_bits)
{
    const int64_t rows = sizes[_i][0], in = sizes[_i][1], out = sizes[_i][2],
                  bytes = rows * out * (int64_t)sizeof(ag_real);
    const ag_matmul_numbers kinds[] = {AG_MATMUL_REAL, AG_MATMUL_BF16};
    for (int kind = 0; kind < 2 && ag_matmul_available(kinds[kind]); kind++)
        for (int threads = 1; threads <= 3; threads++) {
            ag_tape *tape = tape_with(threads), *keeper = tape_with(threads);
            ck_assert(ag_tape_set_matmul(tape, kinds[kind]) && ag_tape_set_matmul(keeper, kinds[kind]));
            ck_assert(!ag_tape_keep_weights(keeper, true));
            for (int turn = 0; turn < 3; turn++) {
                const ag_real *expected = product(tape, rows, in, out, turn % 2),
                              *found = product(keeper, rows, in, out, turn % 2);
                ck_assert(expected && found);
                ck_assert_int_eq(memcmp(expected, found, (size_t)bytes), 0);
                ag_tape_rewind(keeper);
            }
            ag_tape_free(tape);
            ag_tape_free(keeper);
        }
}
END_TEST

/* The same memory as another matrix, and with products of other numbers, is another
 * weight. */
START_TEST(shapes_and_numbers_are_told_apart)
{
    ag_tape *tape = tape_with(1), *keeper = tape_with(1);
    ag_tape_keep_weights(keeper, true);
    for (int turn = 0; turn < 8; turn++) {
        const int64_t in = turn % 2 ? 24 : 16, out = turn % 2 ? 16 : 24;
        if (turn % 4 / 2 && ag_matmul_available(AG_MATMUL_BF16))
            ck_assert(ag_tape_set_matmul(tape, AG_MATMUL_BF16) && ag_tape_set_matmul(keeper, AG_MATMUL_BF16));
        else
            ck_assert(ag_tape_set_matmul(tape, AG_MATMUL_REAL) && ag_tape_set_matmul(keeper, AG_MATMUL_REAL));
        const ag_real *expected = product(tape, 2, in, out, 0), *found = product(keeper, 2, in, out, 0);
        ck_assert_int_eq(memcmp(expected, found, 2 * (size_t)out * sizeof(ag_real)), 0);
    }
    ag_tape_free(tape);
    ag_tape_free(keeper);
}
END_TEST

/* ---- Copies ------------------------------------------------------------------------ */

/* A weight that changes against the promise shows that the copy is read. */
START_TEST(a_weight_is_copied_once)
{
    ag_tape *tape = tape_with(1);
    numbers[0] = 1;
    ck_assert(!ag_tape_keep_weights(tape, true));
    const ag_real before = *product(tape, 1, 40, 1, 0);
    const int64_t allocations = test_allocations();
    const size_t bytes = ag_tape_bytes(tape);
    numbers[0] = 2;
    const ag_real kept = *product(tape, 1, 40, 1, 0);
    ck_assert_int_eq(test_allocations(), allocations);
    ck_assert_uint_eq(ag_tape_bytes(tape), bytes);
    ck_assert(ag_tape_keep_weights(tape, false));
    const ag_real after = *product(tape, 1, 40, 1, 0);
    ck_assert(!ag_tape_keep_weights(tape, true));
    const ag_real copied_again = *product(tape, 1, 40, 1, 0);
    if (makes_copies()) {
        /* (The bias is the same number: it is never copied.) */
        ck_assert_double_eq_tol((double)(kept - before), 1, 1e-5);
        ck_assert(ag_tape_bytes(tape) > 0);
    }
    ck_assert_double_eq_tol((double)(after - before), 1 + (double)numbers[2 * MOST], 1e-5);
    ck_assert(copied_again == after);
    ag_tape_free(tape);
}
END_TEST

START_TEST(copies_are_given_back)
{
    ag_tape *tape = tape_with(1);
    ck_assert_ptr_nonnull(product(tape, 1, 100, 50, 0));
    const size_t without = ag_tape_bytes(tape);
    ag_tape_keep_weights(tape, true);
    ck_assert_ptr_nonnull(product(tape, 1, 100, 50, 0));
    if (makes_copies())
        ck_assert_uint_ge(ag_tape_bytes(tape), without + 5000 * sizeof(ag_real));
    ag_tape_rewind(tape);
    ag_tape_keep_weights(tape, false);
    ck_assert_uint_eq(ag_tape_bytes(tape), without);
    ag_tape_free(tape);
}
END_TEST

/* Values on the tape change with each step: they are read where they lie. */
START_TEST(values_of_the_tape_are_never_kept)
{
    ag_tape *tape = tape_with(1);
    ag_tape_keep_weights(tape, true);
    for (int turn = 0; turn < 2; turn++)
        for (int kind = 0; kind < 2; kind++) {
            ag_tape_rewind(tape);
            ag_real values[8] = {1, 2, 3, 4, 5, 6, 7, (ag_real)(8 + turn)}, ones[8] = {1, 1, 1, 1, 1, 1, 1, 1};
            ag_tensor *weight = ag_constant(tape, AG_SHAPE(1, 8), values);
            ag_tensor *y = ag_linear(ag_constant(tape, AG_SHAPE(1, 8), ones), kind ? ag_detach(weight) : weight, NULL);
            ck_assert_ptr_nonnull(y);
            ck_assert_double_eq((double)y->data[0], 36 + turn);
        }
    ag_tape_free(tape);
}
END_TEST

START_TEST(memory_is_out)
{
    if (!makes_copies())
        return;
    ag_tape *tape = tape_with(1);
    ck_assert_ptr_nonnull(product(tape, 1, 100, 50, 0));
    ag_tape_keep_weights(tape, true);
    test_fail_allocation(1);
    ck_assert_ptr_null(product(tape, 1, 100, 50, 0));
    ck_assert_int_eq(ag_tape_error(tape)->status, AG_NO_MEMORY);
    ag_tape_rewind(tape);
    ck_assert_ptr_nonnull(product(tape, 1, 100, 50, 0));
    ag_tape_free(tape);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("packed");
    TCase *tests = tcase_create("packed");
    tcase_add_checked_fixture(tests, draw_numbers, NULL);
    tcase_add_loop_test(tests, results_have_the_same_bits, 0, SIZES);
    tcase_add_test(tests, shapes_and_numbers_are_told_apart);
    tcase_add_test(tests, a_weight_is_copied_once);
    tcase_add_test(tests, copies_are_given_back);
    tcase_add_test(tests, values_of_the_tape_are_never_kept);
    tcase_add_test(tests, memory_is_out);
    suite_add_tcase(s, tests);
    return s;
}

TEST_MAIN(suite)
