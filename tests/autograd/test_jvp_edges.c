/* test_jvp_edges.c - tangent rules where the operations are special: masks that leave
 * queries nothing, forbidden NaN, rows of -inf, rows without variance, ignored targets,
 * sizes above those of a kernel's block. */
#include "check_util.h"

#include <math.h>

static ag_tape *tape;

static void set_up(void)
{
    tape = ag_tape_new(&(ag_tape_options){.threads = 2});
    ck_assert_ptr_nonnull(tape);
}

static void tear_down(void)
{
    ag_tape_free(tape);
}

/* The tangent of y, to be freed, if x moves by u. */
static ag_real *tangent_of(ag_tensor *y, ag_tensor *x, const ag_real *u)
{
    ck_assert_msg(y && x, "%s", ag_tape_error(tape)->message);
    ag_real *uy = malloc((size_t)(y->size + 1) * sizeof *uy);
    ck_assert_msg(uy && ag_jvp(y, &x, &u, 1, uy) == AG_OK, "%s", ag_tape_error(tape)->message);
    return uy;
}

/* ---- Attention --------------------------------------------------------------------- */

/* Causal from the third key on, so that the first queries see nothing; the last key is
 * forbidden to all. */
typedef struct attention_case {
    int64_t queries, keys;
    double dropout;
    bool plain;
} attention_case;

static ag_tensor *attend(ag_tape *on, ag_tensor *const *inputs, void *context)
{
    const attention_case *c = context;
    ag_attention_options options = {.heads = 2, .bias = inputs[3], .dropout = c->dropout, .plain = c->plain};
    options.mask = ag_mask_and(on, ag_mask_causal(on, c->keys - c->queries - 2),
                               ag_mask_key_lengths(on, 1, (int32_t[]){(int32_t)c->keys - 1}));
    return ag_attention(inputs[0], inputs[1], inputs[2], &options);
}

/* Tangents against differences. One bias in five is -inf, as are those of key 1; its
 * values, and those of the last key, are NaN. */
static void check_attention(attention_case c, int directions)
{
    enum { WIDTH = 6 };
    const ag_shape shapes[4] = {AG_SHAPE(1, c.queries, WIDTH), AG_SHAPE(1, c.keys, WIDTH), AG_SHAPE(1, c.keys, WIDTH),
                                AG_SHAPE(c.queries, c.keys)};
    static const char *const names[4] = {"q", "k", "v", "bias"};
    ag_gradcheck_input inputs[4];
    for (int i = 0; i < 4; i++) {
        const int64_t size = ag_shape_size(shapes[i]);
        inputs[i] = (ag_gradcheck_input){names[i], shapes[i], malloc((size_t)size * sizeof(ag_real)),
                                         malloc((size_t)size * sizeof(ag_real))};
        ck_assert(inputs[i].data && inputs[i].grad);
        test_fill(inputs[i].data, size, 60 + (uint64_t)i, -1, 1);
    }
    for (int64_t i = 0; i < ag_shape_size(shapes[3]); i += 5)
        inputs[3].data[i] = -(ag_real)INFINITY;
    for (int64_t i = 0; i < c.queries; i++)
        inputs[3].data[i * c.keys + 1] = -(ag_real)INFINITY;
    for (int64_t i = 0; i < WIDTH; i++)
        for (int input = 1; input < 3; input++)
            inputs[input].data[WIDTH + i] = inputs[input].data[(c.keys - 1) * WIDTH + i] = (ag_real)NAN;

    ag_gradcheck_options options = {.seed = 3, .forward_mode = true, .directions = directions};
    ag_gradcheck_report report;
    ag_error error = {0};
    ck_assert_msg(ag_gradcheck(attend, &c, inputs, 4, &options, &report, &error) == AG_OK, "%s", error.message);
    ck_assert_msg(report.passed, "%s", report.message);
    ck_assert_int_ge(report.checked, directions ? 4 * directions : 100);
    for (int i = 0; i < 4; i++) {
        free(inputs[i].data);
        free(inputs[i].grad);
    }
}

START_TEST(test_attention)
{
    for (int plain = 0; plain < 2; plain++)
        for (int drops = 0; drops < 2; drops++)
            check_attention((attention_case){6, 7, drops * 0.3, plain}, 0);
}
END_TEST

/* More queries and keys than one block of a kernel has. */
START_TEST(test_long_attention)
{
    check_attention((attention_case){99, 150, 0.2, false}, 3);
}
END_TEST

START_TEST(test_no_keys_and_no_queries)
{
    ag_tensor *q = ag_variable(tape, AG_SHAPE(1, 2, 4), NULL), *none = ag_variable(tape, AG_SHAPE(1, 0, 4), NULL);
    ag_real u[8] = {1, 1, 1, 1, 1, 1, 1, 1};
    ag_real *uy = tangent_of(ag_attention(q, none, none, NULL), q, u);
    for (int i = 0; i < 8; i++)
        ck_assert_double_eq((double)uy[i], 0);
    free(uy);
    free(tangent_of(ag_attention(none, q, q, NULL), q, u));
}
END_TEST

/* ---- Rows -------------------------------------------------------------------------- */

/* A row of -inf has a softmax of zeros, which stands still, and a logarithm of -inf,
 * which moves as its backward says: dx = dy. */
START_TEST(test_rows_of_minus_infinity)
{
    const ag_real none = -(ag_real)INFINITY, u[6] = {1, 2, 3, 4, 5, 6};
    ag_tensor *x = ag_variable(tape, AG_SHAPE(2, 3), (ag_real[]){none, none, none, 0, none, 0});
    ag_real *uy = tangent_of(ag_softmax(x, -1), x, u);
    const double expected[6] = {0, 0, 0, -0.5, 0, 0.5};
    for (int i = 0; i < 6; i++)
        ck_assert_double_eq_tol((double)uy[i], expected[i], PRECISION(1e-15, 1e-6));
    free(uy);
    uy = tangent_of(ag_log_softmax(x, -1), x, u);
    const double expected_log[6] = {1, 2, 3, -1, 0, 1};
    for (int i = 0; i < 6; i++)
        ck_assert_double_eq_tol((double)uy[i], expected_log[i], PRECISION(1e-15, 1e-6));
    free(uy);
}
END_TEST

/* A row of equal numbers without eps is the bias and stands still. */
START_TEST(test_norm_of_equal_numbers)
{
    const ag_real u[3] = {1, -2, 5}, equal = (ag_real)0.1, weights[3] = {3, 3, 3};
    ag_tensor *x = ag_variable(tape, AG_SHAPE(1, 3), (ag_real[]){equal, equal, equal});
    ag_tensor *zeros = ag_variable(tape, AG_SHAPE(1, 3), NULL);
    ag_tensor *weight = ag_constant(tape, AG_SHAPE(3), weights), *bias = ag_variable(tape, AG_SHAPE(3), NULL);
    ag_real *ux = tangent_of(ag_layer_norm(x, weight, bias, 0), x, u);
    ag_real *ubias = tangent_of(ag_layer_norm(x, weight, bias, 0), bias, u);
    ag_real *uzeros = tangent_of(ag_rms_norm(zeros, weight, 0), zeros, u);
    for (int i = 0; i < 3; i++) {
        ck_assert_double_eq((double)ux[i], 0);
        ck_assert_double_eq((double)ubias[i], (double)u[i]);
        ck_assert_double_eq((double)uzeros[i], 0);
    }
    free(ux);
    free(ubias);
    free(uzeros);
}
END_TEST

/* Rows whose squares overflow or vanish: a norm does not depend on its row's scale, so
 * row and direction times a power of two have the same tangent. */
START_TEST(test_norm_of_huge_and_tiny_rows)
{
    enum { WIDTH = 9 };
    const int exponents[3] = {0, PRECISION(900, 100), PRECISION(-900, -100)};
    ag_real values[WIDTH], direction[WIDTH], expected[2][WIDTH];
    test_fill(values, WIDTH, 71, -2, 2);
    test_fill(direction, WIDTH, 72, -2, 2);
    for (int e = 0; e < 3; e++) {
        ag_real moved[WIDTH], u[WIDTH];
        for (int i = 0; i < WIDTH; i++) {
            moved[i] = (ag_real)ldexp((double)values[i], exponents[e]);
            u[i] = (ag_real)ldexp((double)direction[i], exponents[e]);
        }
        ag_tensor *x = ag_variable(tape, AG_SHAPE(WIDTH), moved);
        for (int rms = 0; rms < 2; rms++) {
            ag_real *uy = tangent_of(rms ? ag_rms_norm(x, NULL, 0) : ag_layer_norm(x, NULL, NULL, 0), x, u);
            for (int i = 0; i < WIDTH; i++) {
                if (e == 0)
                    expected[rms][i] = uy[i];
                ck_assert_double_eq_tol((double)uy[i], (double)expected[rms][i], PRECISION(1e-14, 1e-6));
            }
            free(uy);
        }
    }
}
END_TEST

/* ---- Losses ------------------------------------------------------------------------ */

/* Rows that do not count move nothing, whatever they hold: ignored ones, and those whose
 * class has weight 0. */
START_TEST(test_rows_that_do_not_count)
{
    const ag_real not = (ag_real)NAN, weights[2] = {0, 1}, u[6] = {1, 1, 1, 1, 2, 0};
    const int32_t targets[3] = {7, 0, 1}, ignored[3] = {7, 7, 7};
    ag_tensor *logits = ag_variable(tape, AG_SHAPE(3, 2), (ag_real[]){not, 1, not, not, 0, 0});
    ag_cross_entropy_options options = {.ignore = true, .ignore_index = 7, .class_weights = weights};
    ag_real *uy = tangent_of(ag_cross_entropy(logits, targets, &options), logits, u);
    ck_assert_double_eq_tol((double)uy[0], 1, PRECISION(1e-15, 1e-6)); /* 2 (0.5) + 0 (0.5 - 1) */
    free(uy);
    uy = tangent_of(ag_cross_entropy(logits, ignored, &options), logits, u);
    ck_assert_double_eq((double)uy[0], 0);
    free(uy);
}
END_TEST

/* ---- The suite --------------------------------------------------------------------- */

static Suite *suite(void)
{
    Suite *s = suite_create("jvp_edges");
    TCase *tests = tcase_create("edges");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, test_attention);
    tcase_add_test(tests, test_long_attention);
    tcase_add_test(tests, test_no_keys_and_no_queries);
    tcase_add_test(tests, test_rows_of_minus_infinity);
    tcase_add_test(tests, test_norm_of_equal_numbers);
    tcase_add_test(tests, test_norm_of_huge_and_tiny_rows);
    tcase_add_test(tests, test_rows_that_do_not_count);
    suite_add_tcase(s, tests);
    return s;
}

TEST_MAIN(suite)
