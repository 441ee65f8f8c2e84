/* test_jvp_pass.c - ag_jvp itself, beside the rules: what tangents reach, what it refuses,
 * and that it leaves the tape as it was. */
#include "tape_fixture.h"

#include <string.h>

enum { SIZE = 12 };

/* Small whole numbers, so that sums and products are exact. */
static void fill_whole(ag_real *values, int count, int seed)
{
    for (int i = 0; i < count; i++)
        values[i] = (ag_real)((i * 5 + seed * 7) % 9 - 4);
}

static ag_tensor *variable(int seed)
{
    ag_real values[SIZE];
    fill_whole(values, SIZE, seed);
    return ag_variable(tape, AG_SHAPE(3, 4), values);
}

/* The tangent of y if x alone moves, by u. */
static void jvp_of(ag_tensor *y, ag_tensor *x, const ag_real *u, ag_real *tangent)
{
    ck_assert_msg(ag_jvp(y, &x, &u, 1, tangent) == AG_OK, "%s", ag_tape_error(tape)->message);
}

/* ---- What tangents reach ----------------------------------------------------------- */

/* A value that is used several times moves the result by each of its uses. */
START_TEST(uses_add_up)
{
    ag_real u[SIZE], v[SIZE], tangent[SIZE];
    ag_tensor *x = variable(1), *w = variable(2);
    fill_whole(u, SIZE, 3);
    fill_whole(v, SIZE, 4);
    ag_tensor *square = ag_mul(x, x), *y = ag_add(ag_mul(square, w), ag_sub(square, ag_scale(x, 3)));
    ck_assert_int_eq(ag_jvp(y, (ag_tensor *[]){w, x}, (const ag_real *[]){v, u}, 2, tangent), AG_OK);
    for (int i = 0; i < SIZE; i++) /* y = x^2 w + x^2 - 3 x */
        ck_assert(tangent[i] == 2 * x->data[i] * (w->data[i] + 1) * u[i] - 3 * u[i] + x->data[i] * x->data[i] * v[i]);
}
END_TEST

START_TEST(what_stands_still)
{
    ag_real u[SIZE], tangent[SIZE];
    ag_tensor *x = variable(1), *w = variable(2);
    fill_whole(u, SIZE, 3);

    jvp_of(ag_mul(x, ag_detach(x)), x, u, tangent); /* a detached factor */
    for (int i = 0; i < SIZE; i++)
        ck_assert(tangent[i] == x->data[i] * u[i]);
    jvp_of(ag_mul(x, w), w, u, tangent); /* a leaf that is not among those that move */
    for (int i = 0; i < SIZE; i++)
        ck_assert(tangent[i] == x->data[i] * u[i]);
    jvp_of(x, x, u, tangent); /* the result is the leaf */
    ck_assert_mem_eq(tangent, u, sizeof u);

    ag_tensor *results[] = {w, ag_exp(w), ag_constant(tape, AG_SHAPE(3, 4), u), NULL};
    ag_tape_set_grad(tape, false);
    results[3] = ag_exp(x);
    for (int i = 0; i < 4; i++) { /* nothing that x reaches */
        fill_whole(tangent, SIZE, 5);
        jvp_of(results[i], x, u, tangent);
        for (int k = 0; k < SIZE; k++)
            ck_assert(tangent[k] == 0);
    }
}
END_TEST

/* NULL among the tangents stands for zeros, and no leaves at all move nothing. */
START_TEST(no_tangents)
{
    ag_real u[SIZE], tangent[SIZE];
    ag_tensor *x = variable(1), *w = variable(2), *y = ag_mul(x, w);
    fill_whole(u, SIZE, 3);
    ck_assert_int_eq(ag_jvp(y, (ag_tensor *[]){x, w}, (const ag_real *[]){NULL, u}, 2, tangent), AG_OK);
    for (int i = 0; i < SIZE; i++)
        ck_assert(tangent[i] == x->data[i] * u[i]);
    ck_assert_int_eq(ag_jvp(y, NULL, NULL, 0, tangent), AG_OK);
    for (int i = 0; i < SIZE; i++)
        ck_assert(tangent[i] == 0);
}
END_TEST

/* Tensors without elements, between others and as results. */
START_TEST(no_elements)
{
    ag_real u[SIZE], tangent[SIZE];
    ag_tensor *x = variable(1), *none = ag_slice(x, 1, 2, 2);
    fill_whole(u, SIZE, 3);
    jvp_of(ag_concat((ag_tensor *[]){x, ag_exp(none)}, 2, 1), x, u, tangent);
    ck_assert_mem_eq(tangent, u, sizeof u);
    jvp_of(ag_exp(none), x, u, NULL);
    jvp_of(ag_sum(none, AG_ALL_AXES, false), x, u, tangent);
    ck_assert(tangent[0] == 0);

    ag_tensor *empty = ag_variable(tape, AG_SHAPE(0, 3), NULL), *weight = ag_variable(tape, AG_SHAPE(2, 0), NULL);
    jvp_of(ag_linear(ag_variable(tape, AG_SHAPE(3, 0), NULL), weight, NULL), weight, NULL, tangent);
    jvp_of(ag_matmul(empty, empty, true, false), empty, u, tangent); /* a sum of nothing */
    for (int i = 0; i < 9; i++)
        ck_assert(tangent[i] == 0);
}
END_TEST

/* The row of padding is read but stands still, as it gets no gradient. */
START_TEST(padding_stands_still)
{
    static const int32_t ids[] = {2, 0, 1, 0};
    ag_real u[SIZE], v[16], tangent[16];
    ag_tensor *table = variable(1);
    fill_whole(u, SIZE, 2);
    fill_whole(v, 16, 3);
    ag_tensor *y = ag_embedding(table, AG_SHAPE(4), ids, 0);
    jvp_of(y, table, u, tangent);
    for (int i = 0; i < 16; i++)
        ck_assert(tangent[i] == (ids[i / 4] ? u[ids[i / 4] * 4 + i % 4] : 0));
    ck_assert_int_eq(ag_backward_seeded(y, v), AG_OK);
    ag_real forward = 0, backward = 0;
    for (int i = 0; i < 16; i++)
        forward += v[i] * tangent[i];
    for (int i = 0; i < SIZE; i++)
        backward += table->grad[i] * u[i];
    ck_assert(forward == backward);
}
END_TEST

/* ---- Records of one's own ---------------------------------------------------------- */

static ag_status copy_shape(ag_node *node)
{
    node->output->shape = node->inputs[0]->shape;
    return AG_OK;
}

static ag_status copy_forward(ag_node *node)
{
    memcpy(node->output->data, node->inputs[0]->data, (size_t)node->output->size * sizeof(ag_real));
    return AG_OK;
}

static ag_status copy_backward(ag_node *node)
{
    ag_grad_add(node->inputs[0], node->output->shape, node->output->grad);
    return AG_OK;
}

static ag_status silent_jvp(ag_node *node, const ag_real *const *tangents, ag_real *tangent)
{
    (void)node, (void)tangents, (void)tangent;
    return AG_BAD_VALUE;
}

static ag_status saying_jvp(ag_node *node, const ag_real *const *tangents, ag_real *tangent)
{
    (void)tangents, (void)tangent;
    return ag_fail(node, AG_BAD_SHAPE, "not today");
}

/* Looks at what a rule is given: zeros to write to, and NULL for inputs that stand still. */
static ag_status looking_jvp(ag_node *node, const ag_real *const *tangents, ag_real *tangent)
{
    ck_assert_ptr_null(tangents[0]);
    ck_assert_ptr_nonnull(tangents[1]);
    ck_assert_ptr_null(tangents[2]);
    ck_assert_ptr_null(node->inputs[0]->tangent);
    for (int64_t i = 0; i < node->output->size; i++) {
        ck_assert(tangent[i] == 0);
        tangent[i] = 2 * tangents[1][i];
    }
    return AG_OK;
}

/* Writes to scratch memory before it reads what it is given. */
static ag_status scratching_jvp(ag_node *node, const ag_real *const *tangents, ag_real *tangent)
{
    void *scratch = ag_scratch(node->tape, 4096);
    if (!scratch)
        return AG_NO_MEMORY;
    memset(scratch, 0xFF, 4096);
    for (int64_t i = 0; i < node->output->size; i++)
        tangent[i] = tangents[0][i] * node->inputs[0]->data[i];
    return AG_OK;
}

static ag_tensor *copy_with(ag_op *op, ag_tensor *a, ag_tensor *b)
{
    *op = (ag_op){
        .name = "copy", .shape = copy_shape, .forward = copy_forward, .backward = copy_backward, .jvp = op->jvp};
    return ag_custom(op, (ag_tensor *[]){a, b, NULL}, b ? 3 : 1, 1, NULL, 0);
}

START_TEST(a_rule_of_ones_own)
{
    ag_op op = {.jvp = looking_jvp};
    ag_real u[SIZE], tangent[SIZE];
    fill_whole(u, SIZE, 3);
    ag_tensor *x = variable(1), *y = copy_with(&op, variable(2), x);
    ck_assert_int_eq(ag_backward(ag_sum(ag_exp(x), AG_ALL_AXES, false)),
                     AG_OK); /* gives back memory with numbers in it */
    jvp_of(ag_neg(y), x, u, tangent);
    for (int i = 0; i < SIZE; i++)
        ck_assert(tangent[i] == -2 * u[i]);
}
END_TEST

START_TEST(without_a_rule)
{
    ag_op op = {0}, constant = {0};
    ag_real u[SIZE], tangent[SIZE];
    fill_whole(u, SIZE, 3);
    ag_tensor *x = variable(1), *w = variable(2);
    jvp_of(ag_mul(x, copy_with(&op, w, NULL)), x, u, tangent); /* x does not go through it */
    for (int i = 0; i < SIZE; i++)
        ck_assert(tangent[i] == w->data[i] * u[i]);
    ag_tensor *fixed = copy_with(&constant, x, NULL);
    constant.backward = NULL; /* its results are constants, so it needs no rule */
    jvp_of(ag_mul(x, fixed), x, u, tangent);
    for (int i = 0; i < SIZE; i++)
        ck_assert(tangent[i] == fixed->data[i] * u[i]);

    ag_tensor *y = ag_exp(copy_with(&op, x, NULL));
    ck_assert_int_eq(ag_jvp(y, &x, (const ag_real *[]){u}, 1, tangent), AG_BAD_VALUE);
    tape_refuses(NULL, AG_BAD_VALUE, "copy: has no tangent rule (jvp), so forward mode cannot pass through it");
}
END_TEST

START_TEST(a_rule_that_fails)
{
    ag_op op = {.jvp = _i ? saying_jvp : silent_jvp};
    ag_real u[SIZE], tangent[SIZE];
    fill_whole(u, SIZE, 3);
    ag_tensor *x = variable(1), *y = ag_exp(copy_with(&op, ag_exp(x), NULL));
    ck_assert_int_eq(ag_jvp(y, &x, (const ag_real *[]){u}, 1, tangent), _i ? AG_BAD_SHAPE : AG_BAD_VALUE);
    ck_assert_int_eq(ag_jvp(y, &x, (const ag_real *[]){u}, 1, tangent), _i ? AG_BAD_SHAPE : AG_BAD_VALUE);
    ck_assert_ptr_null(x->tangent);
    ck_assert_ptr_null(y->node->inputs[0]->tangent);
    tape_refuses(NULL, _i ? AG_BAD_SHAPE : AG_BAD_VALUE,
                 _i ? "copy: not today" : "copy: jvp failed without saying why");
}
END_TEST

/* ---- What is refused --------------------------------------------------------------- */

/* Tries each wrong argument beside a right one; no leaf keeps a tangent. */
START_TEST(what_is_refused)
{
    static const char *const messages[] = {"leaf 1 is NULL",
                                           "leaf 1 is the result of an operation",
                                           "leaf 1 has no gradient",
                                           "leaf 1 has no gradient",
                                           "leaf 1 lives on another tape",
                                           "leaf 1 is given twice",
                                           "no leaves, no tangents",
                                           "no leaves, no tangents",
                                           "no leaves, no tangents",
                                           "no leaves, no tangents"};
    ag_real u[SIZE], result[SIZE];
    fill_whole(u, SIZE, 3);
    ag_tape *other = ag_tape_new(NULL);
    ag_tensor *x = variable(1), *y = ag_exp(x), *wrong = NULL;
    switch (_i) {
    case 1:
        wrong = y;
        break;
    case 2:
        wrong = ag_constant(tape, AG_SHAPE(3, 4), NULL);
        break;
    case 3:
        wrong = ag_detach(x);
        break;
    case 4:
        wrong = ag_variable(other, AG_SHAPE(3, 4), NULL);
        break;
    default:
        wrong = _i == 0 ? NULL : x;
    }
    ag_tensor *const leaves[] = {x, wrong};
    const ag_real *const tangents[] = {u, u};
    const ag_status status =
        ag_jvp(y, _i == 6 ? NULL : leaves, _i == 7 ? NULL : tangents, _i == 8 ? -1 : 2, _i == 9 ? NULL : result);
    ck_assert_int_eq(status, AG_BAD_VALUE);
    ck_assert_ptr_null(x->tangent);
    tape_refuses(NULL, AG_BAD_VALUE, messages[_i]);
    ag_tape_free(other);
}
END_TEST

START_TEST(after_an_error)
{
    ag_real tangent[SIZE];
    ck_assert_int_eq(ag_jvp(NULL, NULL, NULL, 0, tangent), AG_BAD_VALUE);
    ag_tensor *x = variable(1);
    ag_tape_fail(tape, AG_NOT_FINITE, "something happened before");
    ck_assert_int_eq(ag_jvp(x, NULL, NULL, 0, tangent), AG_NOT_FINITE);
    tape_refuses(NULL, AG_NOT_FINITE, "something happened before");
}
END_TEST

/* ---- What it leaves behind --------------------------------------------------------- */

enum { ROWS = 40, WIDTH = 16 };

/* A computation with values that may be forgotten, scratch memory and dropout in it. */
typedef struct chain {
    ag_tensor *x, *weight, *norm, *y;
    ag_op copy;
    ag_real u[ROWS * WIDTH], v[WIDTH * WIDTH];
} chain;

static chain *chain_new(ag_tape *on)
{
    static chain chains[2];
    static int made;
    chain *c = &chains[made++ % 2];
    test_fill(c->u, ROWS * WIDTH, 1, -1, 1);
    test_fill(c->v, WIDTH * WIDTH, 2, -1, 1);
    c->x = ag_variable(on, AG_SHAPE(ROWS, WIDTH), c->u);
    c->weight = ag_variable(on, AG_SHAPE(WIDTH, WIDTH), c->v);
    c->norm = ag_rms_norm(c->x, NULL, 1e-5);
    const ag_linear_options options = {.activation = AG_GELU, .dropout = 0.2, .residual = c->x};
    c->copy = (ag_op){.jvp = scratching_jvp};
    ag_tensor *copy = copy_with(&c->copy, c->norm, NULL);
    c->y = ag_add(ag_linear_fused(c->norm, c->weight, NULL, &options), copy);
    ag_forget(c->norm);
    return c;
}

static ag_status chain_jvp(const chain *c, ag_real *tangent)
{
    return ag_jvp(c->y, (ag_tensor *[]){c->x, c->weight}, (const ag_real *[]){c->u, c->v}, 2, tangent);
}

/* Calls repeat to the bit, soon take no more memory, and see other directions; a backward
 * before or between changes nothing, and gradients stay as they are. */
START_TEST(calls_do_not_disturb)
{
    ag_real first[ROWS * WIDTH], again[ROWS * WIDTH], gradient[ROWS * WIDTH];
    chain *c = chain_new(tape);
    ck_assert_int_eq(ag_backward(ag_sum(c->y, AG_ALL_AXES, false)), AG_OK);
    memcpy(gradient, c->x->grad, sizeof gradient);
    ck_assert_int_eq(chain_jvp(c, first), AG_OK);
    ck_assert_mem_eq(c->x->grad, gradient, sizeof gradient);
    ck_assert_ptr_null(c->y->grad);
    ck_assert_ptr_null(c->x->tangent);
    ck_assert_ptr_null(c->y->tangent);

    size_t bytes = 0;
    int64_t allocations = 0;
    for (int turn = 0; turn < 20; turn++) {
        if (turn == 3) { /* the first calls divide what the backward gave back */
            bytes = ag_tape_bytes(tape);
            allocations = test_allocations();
        }
        ck_assert_int_eq(chain_jvp(c, again), AG_OK);
    }
    ck_assert_int_eq(test_allocations() - allocations, 0);
    ck_assert_uint_eq(ag_tape_bytes(tape), bytes);
    ck_assert_mem_eq(first, again, sizeof first);

    memset(c->x->grad, 0, sizeof gradient);
    ck_assert_int_eq(ag_backward(ag_sum(c->y, AG_ALL_AXES, false)), AG_OK);
    ck_assert_mem_eq(c->x->grad, gradient, sizeof gradient);
    for (int i = 0; i < ROWS * WIDTH; i++)
        c->u[i] *= 2;
    for (int i = 0; i < WIDTH * WIDTH; i++)
        c->v[i] *= 2;
    ck_assert_int_eq(chain_jvp(c, again), AG_OK);
    for (int i = 0; i < ROWS * WIDTH; i++) /* twice the direction, exactly */
        ck_assert(again[i] == 2 * first[i]);
}
END_TEST

/* Values that were forgotten come back for the pass, and are gone again after it. */
START_TEST(values_that_were_forgotten)
{
    ag_real kept[ROWS * WIDTH], recomputed[ROWS * WIDTH];
    ag_tape *forgets = ag_tape_new(&(ag_tape_options){.threads = 3, .forgets = true});
    const chain *whole = chain_new(tape), *c = chain_new(forgets);
    ck_assert_ptr_null(c->norm->data);
    ck_assert_int_eq(chain_jvp(whole, kept), AG_OK);
    for (int turn = 0; turn < 2; turn++) {
        ck_assert_int_eq(ag_backward(ag_sum(whole->y, AG_ALL_AXES, false)), AG_OK);
        ck_assert_int_eq(chain_jvp(c, recomputed), AG_OK);
        ck_assert_ptr_null(c->norm->data);
        ck_assert_mem_eq(kept, recomputed, sizeof kept);
        ck_assert_int_eq(ag_backward(ag_sum(c->y, AG_ALL_AXES, false)), AG_OK);
    }
    ck_assert_mem_eq(c->x->grad, whole->x->grad, sizeof kept);
    ag_tape_free(forgets);
}
END_TEST

/* The products of tangents are shared among threads. */
START_TEST(threads_change_no_bit)
{
    enum { LONG = 333, WIDE = 70 };
    static ag_real x[LONG * WIDE], w[WIDE * WIDE], tangents[2][LONG * WIDE];
    test_fill(x, LONG * WIDE, 1, -1, 1);
    test_fill(w, WIDE * WIDE, 2, -1, 1);
    for (int i = 0; i < 2; i++) {
        ag_tape *on = ag_tape_new(&(ag_tape_options){.threads = i ? 3 : 1});
        ag_tensor *leaves[] = {ag_variable(on, AG_SHAPE(LONG, WIDE), x), ag_variable(on, AG_SHAPE(WIDE, WIDE), w)};
        ag_tensor *y = ag_matmul(ag_linear(leaves[0], leaves[1], NULL), leaves[1], false, true);
        ck_assert_int_eq(ag_jvp(y, leaves, (const ag_real *[]){x, w}, 2, tangents[i]), AG_OK);
        ag_tape_free(on);
    }
    ck_assert_mem_eq(tangents[0], tangents[1], sizeof tangents[0]);
}
END_TEST

/* The n-th allocation fails, for each n that there is: the tape says so, and is as good as
 * new after a rewind. */
START_TEST(any_allocation_may_fail)
{
    enum { WIDE = 300000 }; /* each tangent needs a chunk of its own */
    static ag_real u[WIDE], tangent[WIDE];
    int failures = 0;
    bool done = false;
    test_fill(u, WIDE, 1, -1, 1);
    for (int n = 1; !done; n++) {
        ag_tensor *x = ag_variable(tape, AG_SHAPE(WIDE), u), *y = ag_exp(ag_exp(ag_neg(x)));
        test_fail_allocation(n);
        done = ag_jvp(y, &x, (const ag_real *[]){u}, 1, tangent) == AG_OK;
        test_fail_allocation(0);
        ck_assert_ptr_null(x->tangent);
        ck_assert_ptr_null(y->tangent);
        failures += !done;
        if (!done) {
            ck_assert_int_eq(ag_tape_error(tape)->status, AG_NO_MEMORY);
            ag_tape_free(tape);
            tape_set_up();
        }
    }
    ck_assert_int_ge(failures, 2);
}
END_TEST

static Suite *jvp_pass_suite(void)
{
    Suite *suite = suite_create("jvp_pass");
    TCase *tests = tcase_create("ag_jvp");
    tcase_add_checked_fixture(tests, tape_set_up, tape_tear_down);
    tcase_add_test(tests, uses_add_up);
    tcase_add_test(tests, what_stands_still);
    tcase_add_test(tests, no_tangents);
    tcase_add_test(tests, no_elements);
    tcase_add_test(tests, padding_stands_still);
    tcase_add_test(tests, a_rule_of_ones_own);
    tcase_add_test(tests, without_a_rule);
    tcase_add_loop_test(tests, a_rule_that_fails, 0, 2);
    tcase_add_loop_test(tests, what_is_refused, 0, 10);
    tcase_add_test(tests, after_an_error);
    tcase_add_test(tests, calls_do_not_disturb);
    tcase_add_test(tests, values_that_were_forgotten);
    tcase_add_test(tests, threads_change_no_bit);
    tcase_add_test(tests, any_allocation_may_fail);
    suite_add_tcase(suite, tests);
    return suite;
}

TEST_MAIN(jvp_pass_suite)
