/* test_nn_additive.c - additive attention: values against a plain computation, masks,
 * dropout, gradients. */
#include "nn_util.h"

#include <math.h>
#include <string.h>

#define TOLERANCE PRECISION(1e-13, 1e-5)

/* B batch, T queries, S keys, H heads, W hidden units of a head, V values of a head;
 * widths of queries and keys */
enum { B = 3, T = 4, S = 5, H = 2, W = 3, V = 2, QUERY_WIDTH = 6, KEY_WIDTH = 7 };

typedef struct bench {
    nn_params params;
    nn_additive_attention layer;
    ag_tape *tape;
    nn_pass pass;
    ag_tensor *query, *key, *value;
} bench;

static ag_tensor *drawn(ag_tape *tape, ag_shape shape, uint64_t seed)
{
    ag_tensor *x = ag_variable(tape, shape, NULL);
    ck_assert_ptr_nonnull(x);
    test_fill(x->data, x->size, seed, -1, 1);
    return x;
}

static void set_up(bench *b, double dropout)
{
    const nn_additive_attention_config config = {
        .hidden = H * W, .heads = H, .query_width = QUERY_WIDTH, .key_width = KEY_WIDTH, .dropout = dropout};
    ag_error error = {0};
    *b = (bench){.tape = ag_tape_new(NULL)};
    ck_assert_ptr_nonnull(b->tape);
    ck_assert_msg(nn_additive_attention_init(&b->layer, &b->params, "a", &config, &error) == AG_OK, "%s",
                  error.message);
    ck_assert_int_eq(nn_params_allocate(&b->params, 3, &error), AG_OK);
    b->pass = (nn_pass){.tape = b->tape, .params = &b->params};
    b->query = drawn(b->tape, AG_SHAPE(B, T, QUERY_WIDTH), 1);
    b->key = drawn(b->tape, AG_SHAPE(B, S, KEY_WIDTH), 2);
    b->value = drawn(b->tape, AG_SHAPE(B, S, H * V), 3);
}

static void tear_down(bench *b)
{
    ag_tape_free(b->tape);
    nn_params_clear(&b->params);
}

static ag_tensor *apply(bench *b, const ag_mask *mask, ag_tensor **weights)
{
    ag_tensor *y = nn_additive_attention_apply(&b->layer, &b->pass, b->query, b->key, b->value, mask, weights);
    ck_assert_msg(y != NULL, "%s", ag_tape_error(b->tape)->message);
    return y;
}

/* Causal, with row 0 whole, row 1 of 2 keys and row 2 of none. */
static const int32_t key_lengths[B] = {S, 2, 0};

static ag_mask *some_keys(ag_tape *tape)
{
    return ag_mask_and(tape, ag_mask_causal(tape, 0), ag_mask_key_lengths(tape, B, key_lengths));
}

/* ---- Values ------------------------------------------------------------------------ */

static const ag_real *value_of(const bench *b, const char *name, ag_shape shape)
{
    int index = nn_params_find(&b->params, name);
    ck_assert_msg(index >= 0, "no parameter %s", name);
    ck_assert(ag_shape_equal(b->params.items[index].shape, shape));
    return b->params.value + b->params.items[index].offset;
}

/* Row `row` of W times x. */
static double dot(const ag_real *weight, int row, const ag_real *x, int width)
{
    double sum = 0;
    for (int i = 0; i < width; i++)
        sum += (double)weight[row * width + i] * (double)x[i];
    return sum;
}

/* w[h] . tanh(W_q q + W_k k) over the hidden units of head h */
static double plain_score(const bench *own, int b, int h, int i, int j)
{
    const ag_real *query_weight = value_of(own, "a.q_proj_weight", AG_SHAPE(H * W, QUERY_WIDTH));
    const ag_real *key_weight = value_of(own, "a.k_proj_weight", AG_SHAPE(H * W, KEY_WIDTH));
    const ag_real *score_weight = value_of(own, "a.score_weight", AG_SHAPE(H, W));
    double score = 0;
    for (int unit = 0; unit < W; unit++)
        score += (double)score_weight[h * W + unit] *
                 tanh(dot(query_weight, h * W + unit, own->query->data + (b * T + i) * QUERY_WIDTH, QUERY_WIDTH) +
                      dot(key_weight, h * W + unit, own->key->data + (b * S + j) * KEY_WIDTH, KEY_WIDTH));
    return score;
}

/* Weights [B, H, T, S] and result [B, T, H * V], one after the other. */
static void plain_attention(const bench *own, const ag_mask *mask, double *weights, double *out)
{
    for (int b = 0; b < B; b++)
        for (int h = 0; h < H; h++)
            for (int i = 0; i < T; i++) {
                double *row = weights + ((b * H + h) * T + i) * S, sum = 0;
                for (int j = 0; j < S; j++) {
                    row[j] = !mask || ag_mask_allows(mask, b, h, i, j) ? exp(plain_score(own, b, h, i, j)) : 0;
                    sum += row[j];
                }
                for (int j = 0; j < S; j++)
                    row[j] = sum > 0 ? row[j] / sum : 0;
                for (int v = 0; v < V; v++) {
                    double *y = out + (b * T + i) * H * V + h * V + v;
                    *y = 0;
                    for (int j = 0; j < S; j++)
                        *y += row[j] * (double)own->value->data[(b * S + j) * H * V + h * V + v];
                }
            }
}

static void assert_near(const ag_tensor *y, const double *expected)
{
    for (int64_t i = 0; i < y->size; i++)
        ck_assert_msg(fabs((double)y->data[i] - expected[i]) <= TOLERANCE, "element %d: %.15g, not %.15g", (int)i,
                      (double)y->data[i], expected[i]);
}

START_TEST(agrees_with_a_plain_loop)
{
    for (int masked = 0; masked <= 1; masked++) {
        bench b;
        double expected_weights[B * H * T * S], expected[B * T * H * V];
        ag_tensor *weights;
        set_up(&b, 0.5);
        const ag_mask *mask = masked ? some_keys(b.tape) : NULL;
        plain_attention(&b, mask, expected_weights, expected);
        ag_tensor *y = apply(&b, mask, &weights);
        ck_assert(ag_shape_equal(y->shape, AG_SHAPE(B, T, H * V)));
        ck_assert_ptr_nonnull(weights);
        ck_assert(ag_shape_equal(weights->shape, AG_SHAPE(B, H, T, S)));
        assert_near(weights, expected_weights);
        assert_near(y, expected);
        ag_tensor *again = apply(&b, mask, NULL);
        ck_assert_mem_eq(again->data, y->data, (size_t)y->size * sizeof(ag_real));
        tear_down(&b);
    }
}
END_TEST

/* One head, and what the configuration leaves 0. */
START_TEST(defaults)
{
    nn_params params = {0};
    nn_additive_attention layer;
    ck_assert_int_eq(
        nn_additive_attention_init(&layer, &params, "", &(nn_additive_attention_config){.hidden = 6}, NULL), AG_OK);
    ck_assert_int_eq(layer.config.heads, 1);
    ck_assert_int_eq(params.count, 3);
    ck_assert_str_eq(params.items[layer.query_weight].name, "q_proj_weight");
    ck_assert(ag_shape_equal(params.items[layer.query_weight].shape, AG_SHAPE(6, 6)));
    ck_assert(ag_shape_equal(params.items[layer.key_weight].shape, AG_SHAPE(6, 6)));
    ck_assert(ag_shape_equal(params.items[layer.score_weight].shape, AG_SHAPE(1, 6)));
    nn_params_clear(&params);
}
END_TEST

/* ---- Masks and dropout ------------------------------------------------------------- */

/* Keys that the mask forbids have weight 0 to the bit, and may hold anything. */
START_TEST(forbidden_keys_do_not_matter)
{
    bench b;
    ag_tensor *weights;
    set_up(&b, 0);
    const ag_mask *mask = some_keys(b.tape);
    const ag_tensor *y = apply(&b, mask, &weights);
    for (int row = 0; row < B * H * T; row++)
        for (int j = 0; j < S; j++) {
            const double weight = (double)weights->data[row * S + j];
            if (ag_mask_allows(mask, row / (H * T), row / T % H, row % T, j))
                ck_assert_double_gt(weight, 0);
            else
                ck_assert_double_eq(weight, 0);
        }
    for (int v = 0; v < T * H * V; v++) /* row 2 sees nothing */
        ck_assert_double_eq((double)y->data[2 * T * H * V + v], 0);

    for (int n = 0; n < B; n++)
        for (int j = key_lengths[n]; j < S; j++) {
            for (int i = 0; i < KEY_WIDTH; i++)
                b.key->data[(n * S + j) * KEY_WIDTH + i] = (ag_real)(i % 2 ? NAN : INFINITY);
            for (int v = 0; v < H * V; v++)
                b.value->data[(n * S + j) * H * V + v] = (ag_real)(v % 2 ? -INFINITY : NAN);
        }
    const ag_tensor *planted = apply(&b, mask, NULL);
    ck_assert_mem_eq(planted->data, y->data, (size_t)y->size * sizeof(ag_real));
    tear_down(&b);
}
END_TEST

/* Neither what no query looks at nor a query whose result has no part in the loss reaches
 * a gradient: not even as 0 times NaN. The first pass has ordinary numbers there, the
 * second NaN and infinity. */
START_TEST(what_no_loss_depends_on_poisons_no_gradient)
{
    enum { MOST = 4096 };
    ag_real found[2][MOST];
    int64_t sizes[2] = {0, 0};
    for (int planted = 0; planted < 2; planted++) {
        bench b;
        set_up(&b, 0);
        for (int n = 0; n < B && planted; n++) {
            for (int e = key_lengths[n] * KEY_WIDTH; e < S * KEY_WIDTH; e++)
                b.key->data[n * S * KEY_WIDTH + e] = (ag_real)(e % 2 ? NAN : INFINITY);
            for (int e = key_lengths[n] * H * V; e < S * H * V; e++)
                b.value->data[n * S * H * V + e] = (ag_real)(e % 2 ? -INFINITY : NAN);
            for (int e = 0; e < QUERY_WIDTH; e++)
                b.query->data[(n * T + 1) * QUERY_WIDTH + e] = (ag_real)(e % 2 ? NAN : INFINITY);
        }
        ag_tensor *y = apply(&b, some_keys(b.tape), NULL);
        ag_real seed[B * T * H * V];
        for (int e = 0; e < B * T * H * V; e++)
            seed[e] = e / (H * V) % T == 1 ? 0 : (ag_real)1 + (ag_real)(e % 7);
        ck_assert_int_eq(ag_backward_seeded(y, seed), AG_OK);
        const struct {
            const ag_real *grad;
            int64_t size;
        } parts[] = {{b.params.grad, b.params.size},
                     {b.query->grad, b.query->size},
                     {b.key->grad, b.key->size},
                     {b.value->grad, b.value->size}};
        for (int p = 0; p < 4; p++) {
            ck_assert_int_le(sizes[planted] + parts[p].size, MOST);
            memcpy(found[planted] + sizes[planted], parts[p].grad, (size_t)parts[p].size * sizeof(ag_real));
            sizes[planted] += parts[p].size;
        }
        tear_down(&b);
    }
    ck_assert_int_eq(sizes[0], sizes[1]);
    ck_assert_mem_eq(found[0], found[1], (size_t)sizes[0] * sizeof(ag_real));
}
END_TEST

/* Row 2 sees nothing: its inputs, and what no query may look at, have gradient 0. */
START_TEST(rows_that_see_nothing_have_no_gradient)
{
    bench b;
    set_up(&b, 0);
    ag_tensor *y = apply(&b, some_keys(b.tape), NULL);
    ck_assert_int_eq(ag_backward(ag_sum(ag_mul(y, y), AG_ALL_AXES, false)), AG_OK);
    const struct {
        const ag_tensor *x;
        int64_t seen; /* elements from the begin of row 1 that count */
    } cases[] = {{b.query, (int64_t)T * QUERY_WIDTH}, {b.key, (int64_t)2 * KEY_WIDTH}, {b.value, (int64_t)2 * H * V}};
    for (int c = 0; c < 3; c++) {
        const int64_t row = cases[c].x->size / B;
        double sum = 0;
        for (int64_t i = 0; i < cases[c].seen; i++)
            sum += fabs((double)cases[c].x->grad[row + i]);
        ck_assert_double_gt(sum, 0);
        for (int64_t i = row + cases[c].seen; i < cases[c].x->size; i++)
            ck_assert_double_eq((double)cases[c].x->grad[i], 0);
    }
    tear_down(&b);
}
END_TEST

/* Dropout takes weights out of the sum, but not out of those that are handed over. */
START_TEST(dropout_is_for_training)
{
    bench b;
    ag_tensor *weights, *weights_in_training;
    set_up(&b, 0.5);
    const ag_tensor *y = apply(&b, NULL, &weights);
    b.pass.training = true;
    ag_tape_seed(b.tape, 5, 1);
    const ag_tensor *dropped = apply(&b, NULL, &weights_in_training);
    ck_assert_mem_eq(weights->data, weights_in_training->data, (size_t)weights->size * sizeof(ag_real));
    ck_assert_double_gt(test_distance(y->data, dropped->data, y->size), 0.01);
    ag_tape_seed(b.tape, 5, 1);
    const ag_tensor *kept = ag_dropout(weights, 0.5);
    for (int i = 0; i < T; i++) { /* of batch row 0, head 0 */
        double sum = 0;
        for (int j = 0; j < S; j++)
            sum += (double)kept->data[i * S + j] * (double)b.value->data[j * H * V];
        ck_assert_double_eq_tol((double)dropped->data[i * H * V], sum, 1e-6);
    }
    tear_down(&b);
}
END_TEST

/* ---- Gradients --------------------------------------------------------------------- */

static ag_tensor *attention_of(ag_tape *tape, ag_tensor *const *inputs, void *context)
{
    const bench *b = context;
    nn_pass pass = b->pass;
    pass.tape = tape;
    pass.training = true;
    ag_tape_seed(tape, 5, 1);
    return nn_additive_attention_apply(&b->layer, &pass, inputs[0], inputs[1], inputs[2], some_keys(tape), NULL);
}

static void check_gradients(ag_function f, bench *b, ag_gradcheck_report *report)
{
    ag_gradcheck_input inputs[6] = {{"query", b->query->shape, b->query->data, b->query->grad},
                                    {"key", b->key->shape, b->key->data, b->key->grad},
                                    {"value", b->value->shape, b->value->data, b->value->grad}};
    ag_error error = {0};
    ck_assert_int_eq(b->params.count, 3);
    for (int i = 0; i < 3; i++) {
        const nn_param *item = &b->params.items[i];
        inputs[3 + i] = (ag_gradcheck_input){item->name, item->shape, b->params.value + item->offset,
                                             b->params.grad + item->offset};
    }
    ck_assert_msg(ag_gradcheck(f, b, inputs, 6, NULL, report, &error) == AG_OK, "%s", error.message);
}

START_TEST(gradients)
{
    bench b;
    ag_gradcheck_report report;
    set_up(&b, 0.3);
    check_gradients(attention_of, &b, &report);
    ck_assert_msg(report.passed, "%s", report.message);
    ck_assert_int_eq(report.checked, b.query->size + b.key->size + b.value->size + b.params.size);
    tear_down(&b);
}
END_TEST

/* The same function, but a part of the gradient is cut off: as if the key's way through
 * the scores were forgotten. */
static ag_tensor *attention_without_a_way(ag_tape *tape, ag_tensor *const *inputs, void *context)
{
    ag_tensor *cut[] = {inputs[0], ag_detach(inputs[1]), inputs[2]};
    return attention_of(tape, cut, context);
}

START_TEST(a_wrong_gradient_is_found)
{
    bench b;
    ag_gradcheck_report report;
    set_up(&b, 0);
    check_gradients(attention_without_a_way, &b, &report);
    ck_assert(!report.passed);
    ck_assert_str_eq(report.input_name, "key");
    tear_down(&b);
}
END_TEST

/* ---- Who looks on, and what is refused --------------------------------------------- */

static void look(void *context, const char *name, ag_tensor *weights, const ag_mask *mask)
{
    ck_assert_str_eq(name, "a");
    ck_assert_ptr_nonnull(mask);
    *(ag_tensor **)context = weights;
}

START_TEST(shows_its_weights)
{
    bench b;
    ag_tensor *weights, *shown = NULL;
    set_up(&b, 0);
    b.pass.on_attention = look;
    b.pass.context = &shown;
    apply(&b, some_keys(b.tape), &weights);
    ck_assert_ptr_eq(shown, weights);
    tear_down(&b);
}
END_TEST

START_TEST(bad_configurations_are_refused)
{
    const struct {
        nn_additive_attention_config config;
        const char *message;
    } cases[] = {
        {{.hidden = 0}, "hidden is 0"},
        {{.hidden = 8, .heads = 3}, "heads 3 does not divide hidden 8"},
        {{.hidden = 8, .heads = -1}, "heads is -1"},
        {{.hidden = 8, .query_width = -2}, "query_width is -2"},
        {{.hidden = 8, .key_width = -2}, "key_width -2"},
        {{.hidden = 8, .dropout = 1}, "dropout is 1"},
        {{.hidden = 8, .dropout = NAN}, "dropout is"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        nn_params params = {0};
        nn_additive_attention layer;
        ag_error error = {0};
        ck_assert_int_eq(nn_additive_attention_init(&layer, &params, "a", &cases[i].config, &error), AG_BAD_VALUE);
        ck_assert_msg(strstr(error.message, cases[i].message) != NULL, "%s", error.message);
        ck_assert_int_eq(params.count, 0);
        nn_params_clear(&params);
    }
}
END_TEST

START_TEST(bad_inputs_are_refused)
{
    static const struct {
        ag_shape query, key, value;
    } cases[] = {
        {{3, {B, T, KEY_WIDTH}}, {3, {B, S, KEY_WIDTH}}, {3, {B, S, 4}}},
        {{3, {B, T, QUERY_WIDTH}}, {3, {B, S, QUERY_WIDTH}}, {3, {B, S, 4}}},
        {{3, {B, T, QUERY_WIDTH}}, {3, {B, S, KEY_WIDTH}}, {3, {B, S, 5}}},
        {{3, {B, T, QUERY_WIDTH}}, {3, {B, S, KEY_WIDTH}}, {3, {B, S + 1, 4}}},
        {{3, {1, T, QUERY_WIDTH}}, {3, {B, S, KEY_WIDTH}}, {3, {B, S, 4}}},
        {{2, {T, QUERY_WIDTH}}, {3, {B, S, KEY_WIDTH}}, {3, {B, S, 4}}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bench b;
        set_up(&b, 0);
        ag_tensor *weights = b.query;
        ck_assert_ptr_null(nn_additive_attention_apply(&b.layer, &b.pass, drawn(b.tape, cases[i].query, 1),
                                                       drawn(b.tape, cases[i].key, 2), drawn(b.tape, cases[i].value, 3),
                                                       NULL, &weights));
        ck_assert_ptr_null(weights);
        ck_assert_int_eq(ag_tape_error(b.tape)->status, AG_BAD_SHAPE);
        ck_assert_msg(strstr(ag_tape_error(b.tape)->message, "additive attention: query") != NULL, "%s",
                      ag_tape_error(b.tape)->message);
        tear_down(&b);
    }
    bench b;
    static const int32_t two[] = {1, 2};
    set_up(&b, 0); /* a mask that does not fit */
    ck_assert_ptr_null(nn_additive_attention_apply(&b.layer, &b.pass, b.query, b.key, b.value,
                                                   ag_mask_key_lengths(b.tape, 2, two), NULL));
    ck_assert_int_eq(ag_tape_error(b.tape)->status, AG_BAD_SHAPE);
    tear_down(&b);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("nn_additive");
    TCase *tcase = tcase_create("additive");
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, agrees_with_a_plain_loop);
    tcase_add_test(tcase, defaults);
    tcase_add_test(tcase, forbidden_keys_do_not_matter);
    tcase_add_test(tcase, what_no_loss_depends_on_poisons_no_gradient);
    tcase_add_test(tcase, rows_that_see_nothing_have_no_gradient);
    tcase_add_test(tcase, dropout_is_for_training);
    tcase_add_test(tcase, gradients);
    tcase_add_test(tcase, a_wrong_gradient_is_found);
    tcase_add_test(tcase, shows_its_weights);
    tcase_add_test(tcase, bad_configurations_are_refused);
    tcase_add_test(tcase, bad_inputs_are_refused);
    suite_add_tcase(s, tcase);
    return s;
}

TEST_MAIN(suite)
