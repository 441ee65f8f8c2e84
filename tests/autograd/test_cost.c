/* test_cost.c - what a tape says of its operations' costs, and the backward of one node
 * alone. */
#include "tape_fixture.h"

#include <math.h>

static ag_tape *measuring_tape(void)
{
    return ag_tape_new(&(ag_tape_options){.threads = 1, .forgets = true, .measures = true});
}

/* ---- Costs ------------------------------------------------------------------------- */

START_TEST(test_no_cost_unless_measured)
{
    ag_tensor *x = ag_variable(tape, AG_SHAPE(3), NULL);
    ck_assert_ptr_null(ag_exp(x)->node->cost);
}
END_TEST

/* The result is kept, and of gelu its argument, too. A view keeps nothing. All times
 * together are less than the time around them. */
START_TEST(test_bytes_and_times)
{
    enum { ROWS = 64, IN = 48, OUT = 32 };
    ag_tape *measured = measuring_tape();
    const size_t result = ROWS * OUT * sizeof(ag_real);
    ag_tensor *x = ag_variable(measured, AG_SHAPE(ROWS, IN), NULL), *w = ag_variable(measured, AG_SHAPE(OUT, IN), NULL);
    test_fill(x->data, x->size, 1, -1, 1);
    test_fill(w->data, w->size, 2, -1, 1);
    const double start = ag_seconds();
    ag_tensor *plain = ag_linear(x, w, NULL);
    ag_tensor *gelu = ag_linear_fused(x, w, NULL, &(ag_linear_options){.activation = AG_GELU});
    ag_tensor *view = ag_reshape(plain, AG_SHAPE(ROWS * OUT));
    ag_tensor *loss = ag_add(ag_sum(view, AG_ALL_AXES, false), ag_sum(gelu, AG_ALL_AXES, false));
    ck_assert_int_eq(ag_backward(loss), AG_OK);
    const double all = ag_seconds() - start;

    const ag_cost *cost = plain->node->cost;
    ck_assert_uint_ge(cost->bytes, result);
    ck_assert_uint_le(cost->bytes, result + 128); /* (a line each for the state and the rest) */
    ck_assert_uint_ge(gelu->node->cost->bytes, 2 * result);
    ck_assert_uint_eq(view->node->cost->bytes, 0);
    double sum = 0;
    for (const ag_node *node = ag_tape_last(measured); node; node = ag_node_before(node)) {
        ck_assert_double_ge(node->cost->forward, 0);
        ck_assert_double_ge(node->cost->backward, 0);
        sum += node->cost->forward + node->cost->backward;
    }
    ck_assert_double_gt(cost->forward, 0);
    ck_assert_double_gt(cost->backward, 0);
    ck_assert_double_le(sum, all);
    ag_tape_free(measured);
}
END_TEST

/* The first backward runs the forgotten norm's forward once more, the second again. */
START_TEST(test_recomputed)
{
    ag_tape *measured = measuring_tape();
    ag_tensor *x = ag_variable(measured, AG_SHAPE(5, 8), NULL);
    test_fill(x->data, x->size, 1, -1, 1);
    ag_tensor *norm = ag_rms_norm(x, NULL, 1e-5), *loss = ag_sum(ag_mul(norm, norm), AG_ALL_AXES, false);
    ag_forget(norm);
    for (int64_t times = 1; times <= 2; times++) {
        ck_assert_int_eq(ag_backward(loss), AG_OK);
        ck_assert_int_eq(norm->node->cost->recomputed, times);
        ck_assert_double_gt(norm->node->cost->recompute, 0);
    }
    ck_assert_int_eq(loss->node->cost->recomputed, 0);
    ag_tape_free(measured);
}
END_TEST

/* From the second step on, costs take no memory from the heap either. */
START_TEST(test_measuring_changes_no_allocation)
{
    ag_tape *measured = measuring_tape();
    int64_t before = 0;
    for (int step = 0; step < 4; step++) {
        ag_tape_rewind(measured);
        ag_tensor *x = ag_variable(measured, AG_SHAPE(300, 8), NULL);
        ag_tensor *norm = ag_rms_norm(x, NULL, 1e-5);
        ag_tensor *loss = ag_sum(ag_mul(norm, norm), AG_ALL_AXES, false);
        ag_forget(norm);
        if (step == 2)
            before = test_allocations();
        ck_assert_int_eq(ag_backward(loss), AG_OK);
    }
    ck_assert_int_eq(test_allocations(), before);
    ag_tape_free(measured);
}
END_TEST

/* ---- Multiply-adds ----------------------------------------------------------------- */

static void check_multiply_adds(const ag_tensor *y, double forward, double backward)
{
    double own_forward = -1, own_backward = -1;
    ck_assert_ptr_nonnull(y);
    y->node->op->multiply_adds(y->node, &own_forward, &own_backward);
    ck_assert_double_eq(own_forward, forward);
    ck_assert_double_eq(own_backward, backward);
}

START_TEST(test_multiply_adds_of_products)
{
    ag_tensor *x = ag_variable(tape, AG_SHAPE(2, 3, 5), NULL), *w = ag_variable(tape, AG_SHAPE(7, 5), NULL);
    ag_tensor *fixed = ag_constant(tape, AG_SHAPE(5, 7), NULL);
    check_multiply_adds(ag_linear(x, w, NULL), 2 * 3 * 5 * 7, 2 * 2 * 3 * 5 * 7);
    check_multiply_adds(ag_matmul(x, fixed, false, false), 2 * 3 * 5 * 7, 2 * 3 * 5 * 7);
    check_multiply_adds(ag_matmul(fixed, x, true, true), 2 * 7 * 5 * 3, 2 * 7 * 5 * 3);
    ck_assert(!ag_exp(x)->node->op->multiply_adds);
}
END_TEST

/* Of causal attention over 4 keys, 1 + 2 + 3 + 4 pairs of each head count. */
START_TEST(test_multiply_adds_of_attention)
{
    enum { BATCH = 2, HEADS = 3, LENGTH = 4, WIDTH = 5, VALUES = 6 };
    ag_tensor *q = ag_variable(tape, AG_SHAPE(BATCH, HEADS, LENGTH, WIDTH), NULL);
    ag_tensor *v = ag_variable(tape, AG_SHAPE(BATCH, HEADS, LENGTH, VALUES), NULL);
    ag_tensor *fixed = ag_constant(tape, AG_SHAPE(BATCH, HEADS, LENGTH, WIDTH), NULL);
    const double all = BATCH * HEADS * LENGTH * LENGTH, causal = BATCH * HEADS * (1 + 2 + 3 + 4);
    const ag_attention_options options = {.mask = ag_mask_causal(tape, 0)};
    check_multiply_adds(ag_attention(q, q, v, NULL), all * (WIDTH + VALUES), all * 2 * (WIDTH + VALUES));
    check_multiply_adds(ag_attention(q, q, v, &options), causal * (WIDTH + VALUES), causal * 2 * (WIDTH + VALUES));
    check_multiply_adds(ag_attention(fixed, fixed, v, &options), causal * (WIDTH + VALUES), causal * VALUES);
    ag_tensor *weights = ag_variable(tape, AG_SHAPE(BATCH, HEADS, LENGTH, LENGTH), NULL);
    check_multiply_adds(ag_masked_sum(weights, v, options.mask), causal * VALUES, causal * 2 * VALUES);
}
END_TEST

/* The peak is the machine's limit: no product is faster, by more than the clock of the
 * processor wavers. */
START_TEST(test_peak)
{
    enum { N = 256 };
    const double peak = ag_peak(1, 0.02);
    ag_tensor *x = ag_variable(tape, AG_SHAPE(N, N), NULL);
    double best = 0;
    for (int i = 0; i < 20; i++) {
        const double start = ag_seconds();
        ck_assert_ptr_nonnull(ag_matmul(x, x, false, false));
        best = fmax(best, (double)N * N * N / (ag_seconds() - start));
    }
    ck_assert_double_gt(peak, 1e7);
    ck_assert_double_lt(best, 1.5 * peak);
}
END_TEST

/* ---- One node alone ---------------------------------------------------------------- */

/* y = a b with a [2, 3] and b [3]: the same tensors' gradients on the tape stay as they
 * are. */
START_TEST(test_node_backward)
{
    const ag_real a[] = {1, 2, 3, 4, 5, 6}, b[] = {7, 8, 9}, dy[] = {1, 0, 2, 0, 3, 0};
    ag_tensor *x = ag_variable(tape, AG_SHAPE(2, 3), a), *z = ag_variable(tape, AG_SHAPE(3), b);
    ag_tensor *y = ag_mul(x, z);
    ck_assert_int_eq(ag_backward(ag_sum(y, AG_ALL_AXES, false)), AG_OK);
    ag_real dx[6] = {0}, dz[3] = {0};
    ck_assert_int_eq(ag_node_backward(y->node, dy, (ag_real *[]){dx, dz}), AG_OK);
    const ag_real wanted_x[] = {7, 0, 18, 0, 24, 0}, wanted_z[] = {1, 15, 6};
    for (int i = 0; i < 6; i++) {
        ck_assert_double_eq((double)dx[i], (double)wanted_x[i]);
        ck_assert_double_eq((double)x->grad[i], (double)b[i % 3]);
    }
    for (int i = 0; i < 3; i++)
        ck_assert_double_eq((double)dz[i], (double)wanted_z[i]);
    ck_assert_ptr_null(y->grad);
}
END_TEST

/* s s: each use has its own derivative, and one of them may be left out. A second call
 * adds. */
START_TEST(test_node_backward_of_each_use)
{
    const ag_real five = 5, one = 1;
    ag_tensor *s = ag_scale(ag_variable(tape, AG_SCALAR, &five), 1), *y = ag_mul(s, s);
    ag_real first = 0, second = 0;
    ck_assert_int_eq(ag_node_backward(y->node, &one, (ag_real *[]){&first, &second}), AG_OK);
    ck_assert_int_eq(ag_node_backward(y->node, &one, (ag_real *[]){NULL, &second}), AG_OK);
    ck_assert_double_eq((double)first, 5);
    ck_assert_double_eq((double)second, 10);
}
END_TEST

/* The caller's dy stays as it is, also where a layer's own backward would use its memory.
 * (The words before it look like a buffer of the tape that nobody else holds.) */
START_TEST(test_node_backward_writes_to_dx_alone)
{
    enum { WORDS = 64, SIZE = 4 };
    _Alignas(64) int memory[WORDS];
    ag_real x[SIZE], dx[SIZE] = {0};
    for (int i = 0; i < WORDS; i++)
        memory[i] = 1;
    ag_real *dy = (ag_real *)(void *)(memory + WORDS / 2);
    test_fill(x, SIZE, 1, -1, 1);
    test_fill(dy, SIZE, 2, -1, 1);
    const ag_real first = dy[0];
    ag_tensor *w = ag_variable(tape, AG_SHAPE(2, 2), x), *in = ag_variable(tape, AG_SHAPE(2, 2), x);
    ag_tensor *y = ag_linear_fused(in, w, NULL, &(ag_linear_options){.activation = AG_GELU});
    ck_assert_int_eq(ag_node_backward(y->node, dy, (ag_real *[]){dx, NULL, NULL, NULL}), AG_OK);
    ck_assert_double_eq((double)dy[0], (double)first);
    ck_assert_double_ne((double)dx[0], 0);
}
END_TEST

/* Forgotten inputs come back for the call, and go again. */
START_TEST(test_node_backward_recomputes)
{
    ag_tape *forgetting = ag_tape_new(&(ag_tape_options){.threads = 1, .forgets = true});
    ag_tensor *x = ag_variable(forgetting, AG_SHAPE(2, 4), NULL);
    test_fill(x->data, x->size, 1, -1, 1);
    ag_tensor *norm = ag_rms_norm(x, NULL, 1e-5), *y = ag_mul(norm, norm);
    ag_real wanted[8], dx[8] = {0}, dy[8] = {1, 1, 1, 1, 1, 1, 1, 1};
    for (int i = 0; i < 8; i++)
        wanted[i] = norm->data[i];
    ag_forget(norm);
    ck_assert_int_eq(ag_node_backward(y->node, dy, (ag_real *[]){dx, NULL}), AG_OK);
    ck_assert_mem_eq(dx, wanted, sizeof wanted);
    ck_assert_ptr_null(norm->data);
    ag_tape_free(forgetting);
}
END_TEST

START_TEST(test_node_backward_needs_a_gradient)
{
    const ag_real one = 1;
    ag_real dx = 0;
    const ag_tensor *y = ag_exp(ag_constant(tape, AG_SCALAR, &one));
    ck_assert_int_eq(ag_node_backward(y->node, &one, (ag_real *[]){&dx}), AG_BAD_VALUE);
    tape_refuses(NULL, AG_BAD_VALUE, "needs no gradient");
}
END_TEST

static Suite *cost_suite(void)
{
    Suite *suite = suite_create("cost");
    TCase *tests = tcase_create("cost");
    tcase_add_checked_fixture(tests, tape_set_up, tape_tear_down);
    tcase_add_test(tests, test_no_cost_unless_measured);
    tcase_add_test(tests, test_bytes_and_times);
    tcase_add_test(tests, test_recomputed);
    tcase_add_test(tests, test_measuring_changes_no_allocation);
    tcase_add_test(tests, test_multiply_adds_of_products);
    tcase_add_test(tests, test_multiply_adds_of_attention);
    tcase_add_test(tests, test_peak);
    tcase_add_test(tests, test_node_backward);
    tcase_add_test(tests, test_node_backward_of_each_use);
    tcase_add_test(tests, test_node_backward_writes_to_dx_alone);
    tcase_add_test(tests, test_node_backward_recomputes);
    tcase_add_test(tests, test_node_backward_needs_a_gradient);
    suite_add_tcase(suite, tests);
    return suite;
}

TEST_MAIN(cost_suite)
