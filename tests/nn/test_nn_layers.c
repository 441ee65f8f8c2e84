/* test_nn_layers.c - each layer against a plain computation in double. */
#include "nn_util.h"

#include <math.h>
#include <string.h>

#define TOLERANCE PRECISION(1e-12, 2e-5)

/* Parameters, a tape and a pass for one layer. */
typedef struct bench {
    nn_params params;
    ag_tape *tape;
    nn_pass pass;
    ag_error error;
} bench;

static void set_up(bench *b)
{
    *b = (bench){.tape = ag_tape_new(NULL)};
    b->pass = (nn_pass){.tape = b->tape, .params = &b->params};
    ck_assert_ptr_nonnull(b->tape);
}

/* Allocates, and moves every parameter off its beginning. */
static void allocate(bench *b)
{
    ck_assert_int_eq(nn_params_allocate(&b->params, 3, &b->error), AG_OK);
    ag_rng rng = ag_rng_make(3, 500);
    for (int64_t i = 0; i < b->params.size; i++)
        b->params.value[i] += (ag_real)(0.2 * ag_rng_normal(&rng));
}

static void tear_down(bench *b)
{
    ag_tape_free(b->tape);
    nn_params_clear(&b->params);
}

static ag_tensor *drawn(bench *b, ag_shape shape, uint64_t seed)
{
    ag_tensor *x = ag_variable(b->tape, shape, NULL);
    test_fill(x->data, x->size, seed, -1, 1);
    return x;
}

static const ag_real *value_of(const bench *b, const char *name)
{
    int index = nn_params_find(&b->params, name);
    ck_assert_msg(index >= 0, "no parameter %s", name);
    return b->params.value + b->params.items[index].offset;
}

#define ASSERT_TENSOR(y, b) ck_assert_msg((y) != NULL, "%s", ag_tape_error((b)->tape)->message)

/* out[row] = x[row] W^T + bias, W [outs, ins] */
static void plain_linear(const double *x, int64_t rows, int64_t ins, int64_t outs, const ag_real *weight,
                         const ag_real *bias, double *out)
{
    for (int64_t r = 0; r < rows; r++)
        for (int64_t o = 0; o < outs; o++) {
            double sum = bias ? (double)bias[o] : 0;
            for (int64_t i = 0; i < ins; i++)
                sum += x[r * ins + i] * (double)weight[o * ins + i];
            out[r * outs + o] = sum;
        }
}

static void plain_norm(const double *x, int64_t rows, int64_t width, bool rms, const ag_real *weight,
                       const ag_real *bias, double eps, double *out)
{
    for (int64_t r = 0; r < rows; r++) {
        double mean = 0, square = 0;
        for (int64_t i = 0; i < width && !rms; i++)
            mean += x[r * width + i] / (double)width;
        for (int64_t i = 0; i < width; i++)
            square += (x[r * width + i] - mean) * (x[r * width + i] - mean) / (double)width;
        for (int64_t i = 0; i < width; i++)
            out[r * width + i] =
                (x[r * width + i] - mean) / sqrt(square + eps) * (double)weight[i] + (bias ? (double)bias[i] : 0);
    }
}

static void widen(const ag_real *x, int64_t count, double *out)
{
    for (int64_t i = 0; i < count; i++)
        out[i] = (double)x[i];
}

static void assert_near(const ag_tensor *y, const double *expected)
{
    for (int64_t i = 0; i < y->size; i++)
        ck_assert_msg(fabs((double)y->data[i] - expected[i]) <= TOLERANCE, "element %d: %.15g, not %.15g", (int)i,
                      (double)y->data[i], expected[i]);
}

/* ---- Linear, embedding, norm, positions -------------------------------------------- */

START_TEST(linear)
{
    bench b;
    set_up(&b);
    nn_linear with, without;
    ck_assert_int_eq(nn_linear_init(&with, &b.params, "with", 5, 3, true, &b.error), AG_OK);
    ck_assert_int_eq(nn_linear_init(&without, &b.params, "without", 5, 3, false, &b.error), AG_OK);
    ck_assert_int_eq(without.bias, -1);
    ck_assert_int_eq(nn_params_find(&b.params, "without.bias"), -1);
    allocate(&b);
    ag_tensor *x = drawn(&b, AG_SHAPE(2, 4, 5), 1);
    double wide[40], expected[24];
    widen(x->data, 40, wide);
    ag_tensor *y = nn_linear_apply(&with, &b.pass, x);
    ASSERT_TENSOR(y, &b);
    ck_assert(ag_shape_equal(y->shape, AG_SHAPE(2, 4, 3)));
    plain_linear(wide, 8, 5, 3, value_of(&b, "with.weight"), value_of(&b, "with.bias"), expected);
    assert_near(y, expected);
    y = nn_linear_apply(&without, &b.pass, x);
    plain_linear(wide, 8, 5, 3, value_of(&b, "without.weight"), NULL, expected);
    assert_near(y, expected);
    tear_down(&b);
}
END_TEST

START_TEST(embedding)
{
    bench b;
    set_up(&b);
    nn_embedding layer;
    static const int32_t ids[6] = {3, 0, 1, 3, 3, 0};
    ck_assert_int_eq(nn_embedding_init(&layer, &b.params, "e", 4, 5, 2.5, 0, &b.error), AG_OK);
    allocate(&b);
    ag_tensor *y = nn_embedding_apply(&layer, &b.pass, AG_SHAPE(2, 3), ids);
    ASSERT_TENSOR(y, &b);
    ck_assert(ag_shape_equal(y->shape, AG_SHAPE(2, 3, 5)));
    double expected[30];
    for (int i = 0; i < 30; i++)
        expected[i] = 2.5 * (double)value_of(&b, "e.weight")[ids[i / 5] * 5 + i % 5];
    assert_near(y, expected);
    ck_assert_int_eq(ag_backward(ag_sum(y, AG_ALL_AXES, false)), AG_OK);
    static const double counts[] = {0, 1, 0, 3}; /* padding 0 gets nothing */
    for (int i = 0; i < 20; i++)
        ck_assert_double_eq_tol((double)b.params.grad[i], 2.5 * counts[i / 5], 1e-6);

    ag_tensor *x = drawn(&b, AG_SHAPE(2, 5), 1);
    double wide[10];
    widen(x->data, 10, wide);
    y = nn_embedding_project(&layer, &b.pass, x);
    ASSERT_TENSOR(y, &b);
    plain_linear(wide, 2, 5, 4, value_of(&b, "e.weight"), NULL, expected);
    assert_near(y, expected);

    nn_params none = {0};
    ck_assert_int_eq(nn_embedding_init(&layer, &none, "e", 4, 5, 1, 4, NULL), AG_BAD_VALUE);
    ck_assert_int_eq(nn_embedding_init(&layer, &none, "e", 4, 0, 1, -1, NULL), AG_BAD_SHAPE);
    nn_params_clear(&none);
    tear_down(&b);
}
END_TEST

START_TEST(norm_layers)
{
    bench b;
    set_up(&b);
    nn_norm layers[3];
    ck_assert_int_eq(nn_norm_init(&layers[0], &b.params, "full", NN_LAYER_NORM, 7, true, 0, &b.error), AG_OK);
    ck_assert_int_eq(nn_norm_init(&layers[1], &b.params, "bare", NN_LAYER_NORM, 7, false, 0.1, &b.error), AG_OK);
    ck_assert_int_eq(nn_norm_init(&layers[2], &b.params, "rms", NN_RMS_NORM, 7, true, 0, &b.error), AG_OK);
    ck_assert_int_eq(nn_params_find(&b.params, "bare.bias"), -1);
    ck_assert_int_eq(nn_params_find(&b.params, "rms.bias"), -1);
    allocate(&b);
    ag_tensor *x = drawn(&b, AG_SHAPE(3, 7), 1);
    double wide[21], expected[21];
    widen(x->data, 21, wide);
    plain_norm(wide, 3, 7, false, value_of(&b, "full.weight"), value_of(&b, "full.bias"), 1e-5, expected);
    assert_near(nn_norm_apply(&layers[0], &b.pass, x), expected);
    plain_norm(wide, 3, 7, false, value_of(&b, "bare.weight"), NULL, 0.1, expected);
    assert_near(nn_norm_apply(&layers[1], &b.pass, x), expected);
    plain_norm(wide, 3, 7, true, value_of(&b, "rms.weight"), NULL, 1e-5, expected);
    assert_near(nn_norm_apply(&layers[2], &b.pass, x), expected);
    nn_params none = {0};
    ck_assert_int_eq(nn_norm_init(&layers[0], &none, "n", NN_LAYER_NORM, 7, true, -1, NULL), AG_BAD_VALUE);
    tear_down(&b);
}
END_TEST

START_TEST(positions)
{
    bench b;
    set_up(&b);
    nn_positions sinusoidal, learned, rotary;
    ck_assert_int_eq(nn_positions_init(&sinusoidal, &b.params, "s", NN_SINUSOIDAL, 9, 5, &b.error), AG_OK);
    ck_assert_int_eq(nn_positions_init(&rotary, &b.params, "r", NN_ROTARY, 9, 5, &b.error), AG_OK);
    ck_assert_int_eq(b.params.count, 0);
    ck_assert_int_eq(nn_positions_init(&learned, &b.params, "l", NN_LEARNED, 9, 5, &b.error), AG_OK);
    allocate(&b);
    ag_tensor *x = drawn(&b, AG_SHAPE(2, 3, 5), 1);
    ck_assert_ptr_eq(nn_positions_apply(&rotary, &b.pass, x, 4), x);
    double expected[30], from_table[30];
    for (int i = 0; i < 30; i++) {
        const int t = 6 + i / 5 % 3, d = i % 5;
        const double angle = t / pow(10000, (double)(d / 2 * 2) / 5);
        expected[i] = (double)x->data[i] + (d % 2 ? cos(angle) : sin(angle));
        from_table[i] = (double)x->data[i] + (double)value_of(&b, "l.weight")[t * 5 + d];
    }
    assert_near(nn_positions_apply(&sinusoidal, &b.pass, x, 6), expected);
    assert_near(nn_positions_apply(&learned, &b.pass, x, 6), from_table);
    ck_assert_ptr_nonnull(nn_positions_apply(&sinusoidal, &b.pass, x, 7));
    ck_assert_ptr_null(nn_positions_apply(&learned, &b.pass, x, 7));
    ck_assert_msg(strstr(ag_tape_error(b.tape)->message, "a sequence of 10 tokens is longer than the 9") != NULL, "%s",
                  ag_tape_error(b.tape)->message);
    tear_down(&b);
}
END_TEST

/* ---- Attention --------------------------------------------------------------------- */

enum { B = 2, T = 3, S = 4, D = 6, H = 2, W = 3 /* D / H */ };

/* The weights [B, H, T, S] and the result [B, T, D] of attention over drawn inputs;
 * allow(b, i, j) is the mask. */
typedef bool (*allow_function)(int b, int i, int j);

static void plain_attention(const bench *own, const double *query, const double *key, const double *value,
                            int key_width, int value_width, bool packed, bool bias, allow_function allow,
                            double *weights, double *out)
{
    double q[B * T * D], k[B * S * D], v[B * S * D], heads[B * T * D] = {0};
    const ag_real *in_bias = bias ? value_of(own, "a.in_proj_bias") : NULL;
    const ag_real *in_weight = packed ? value_of(own, "a.in_proj_weight") : NULL;
    plain_linear(query, B * T, D, D, packed ? in_weight : value_of(own, "a.q_proj_weight"), in_bias, q);
    plain_linear(key, B * S, key_width, D, packed ? in_weight + D * D : value_of(own, "a.k_proj_weight"),
                 bias ? in_bias + D : NULL, k);
    plain_linear(value, B * S, value_width, D, packed ? in_weight + 2 * D * D : value_of(own, "a.v_proj_weight"),
                 bias ? in_bias + 2 * D : NULL, v);
    for (int b = 0; b < B; b++)
        for (int h = 0; h < H; h++)
            for (int i = 0; i < T; i++) {
                double *row = weights + ((b * H + h) * T + i) * S, sum = 0;
                for (int j = 0; j < S; j++) {
                    double score = 0;
                    for (int d = 0; d < W; d++)
                        score += q[(b * T + i) * D + h * W + d] * k[(b * S + j) * D + h * W + d];
                    row[j] = allow(b, i, j) ? exp(score / sqrt(W)) : 0;
                    sum += row[j];
                }
                for (int j = 0; j < S; j++) {
                    row[j] = sum > 0 ? row[j] / sum : 0;
                    for (int d = 0; d < W; d++)
                        heads[(b * T + i) * D + h * W + d] += row[j] * v[(b * S + j) * D + h * W + d];
                }
            }
    plain_linear(heads, B * T, D, D, value_of(own, "a.out_proj.weight"), bias ? value_of(own, "a.out_proj.bias") : NULL,
                 out);
}

static bool allow_all(int b, int i, int j)
{
    (void)b;
    (void)i;
    (void)j;
    return true;
}

/* Row 1 has no keys at all; row 0 is causal. */
static bool allow_some(int b, int i, int j)
{
    return b == 0 && j <= i;
}

static void check_attention(nn_attention_config config, bool masked)
{
    bench b;
    set_up(&b);
    config.d_model = D;
    config.heads = H;
    const int key_width = config.key_width ? (int)config.key_width : D;
    const int value_width = config.value_width ? (int)config.value_width : D;
    nn_attention layer;
    ck_assert_int_eq(nn_attention_init(&layer, &b.params, "a", &config, &b.error), AG_OK);
    allocate(&b);

    ag_tensor *query = drawn(&b, AG_SHAPE(B, T, D), 1), *key = drawn(&b, AG_SHAPE(B, S, key_width), 2);
    ag_tensor *value = drawn(&b, AG_SHAPE(B, S, value_width), 3), *weights = NULL;
    double wide_query[B * T * D], wide_key[B * S * 9], wide_value[B * S * 9], expected_weights[B * H * T * S],
        expected[B * T * D];
    widen(query->data, query->size, wide_query);
    widen(key->data, key->size, wide_key);
    widen(value->data, value->size, wide_value);
    plain_attention(&b, wide_query, wide_key, wide_value, key_width, value_width, key_width == D && value_width == D,
                    !config.no_bias, masked ? allow_some : allow_all, expected_weights, expected);

    static const int32_t lengths[] = {S, 0};
    ag_mask *mask =
        masked ? ag_mask_and(b.tape, ag_mask_causal(b.tape, 0), ag_mask_key_lengths(b.tape, B, lengths)) : NULL;
    ag_tensor *fused = nn_attention_apply(&layer, &b.pass, query, key, value, mask, NULL, NULL);
    ASSERT_TENSOR(fused, &b);
    assert_near(fused, expected);
    ag_tensor *y = nn_attention_apply(&layer, &b.pass, query, key, value, mask, NULL, &weights);
    ASSERT_TENSOR(y, &b);
    ck_assert(ag_shape_equal(y->shape, query->shape));
    assert_near(y, expected);
    ck_assert_ptr_nonnull(weights);
    ck_assert(ag_shape_equal(weights->shape, AG_SHAPE(B, H, T, S)));
    assert_near(weights, expected_weights);
    for (int row = 0; row < B * H * T; row++) {
        double sum = 0;
        for (int j = 0; j < S; j++)
            sum += (double)weights->data[row * S + j];
        ck_assert_double_eq_tol(sum, masked && row >= H * T ? 0 : 1, 1e-6);
    }
    tear_down(&b);
}

START_TEST(attention)
{
    for (int masked = 0; masked <= 1; masked++) {
        check_attention((nn_attention_config){0}, masked);
        check_attention((nn_attention_config){.no_bias = true}, masked);
        check_attention((nn_attention_config){.key_width = 9}, masked);
        check_attention((nn_attention_config){.value_width = 5, .no_bias = true}, masked);
        check_attention((nn_attention_config){.key_width = 4, .value_width = 9}, masked);
    }
}
END_TEST

/* Turned queries and keys know their distance and not where they are. */
START_TEST(rotary_attention_depends_on_distances)
{
    bench b;
    set_up(&b);
    const nn_attention_config config = {.d_model = 8, .heads = 2, .rotary = true};
    nn_attention layer;
    ck_assert_int_eq(nn_attention_init(&layer, &b.params, "a", &config, &b.error), AG_OK);
    allocate(&b);
    /* room for 9, of which 7 will be held: what lies after them counts for nothing */
    ag_real key_memory[9 * 8] = {0}, value_memory[9 * 8] = {0};
    for (int head = 0; head < 2; head++)
        for (int i = 7 * 4; i < 9 * 4; i++)
            key_memory[head * 9 * 4 + i] = value_memory[head * 9 * 4 + i] = (ag_real)NAN;
    nn_attention_cache cache = {.key = key_memory, .value = value_memory, .rows = 1, .capacity = 9, .length = 3};
    ag_tensor *x = drawn(&b, AG_SHAPE(1, 4, 8), 1), *at_0, *at_3, *all_held, *swapped_weights;
    nn_attention_apply(&layer, &b.pass, x, x, x, NULL, NULL, &at_0);
    /* the same tokens 3 places later, with the 3 keys before them masked away */
    ag_mask *mask = ag_mask_not(b.tape, ag_mask_prefix(b.tape, 3));
    nn_attention_apply(&layer, &b.pass, x, x, x, mask, &cache, &at_3);
    ck_assert(at_0 && at_3);
    ck_assert_int_eq(cache.length, 7);
    ck_assert(ag_shape_equal(at_3->shape, AG_SHAPE(1, 2, 4, 7)));
    for (int row = 0; row < 8; row++)
        ck_assert_double_le(test_distance(at_0->data + row * 4, at_3->data + row * 7 + 3, 4), PRECISION(1e-13, 1e-6));

    /* without a mask all that is held is attended to: the 3 keys of zeros too */
    cache.length = 3;
    ag_tensor *y = nn_attention_apply(&layer, &b.pass, x, x, x, NULL, &cache, &all_held);
    ASSERT_TENSOR(y, &b);
    for (int64_t i = 0; i < y->size; i++)
        ck_assert(isfinite(y->data[i]));
    ck_assert(ag_shape_equal(all_held->shape, AG_SHAPE(1, 2, 4, 7)));
    ck_assert(all_held->data[0] > 0.01);

    /* and the order counts: the first two tokens swapped give other weights to the
     * last */
    ag_tensor *parts[] = {ag_slice(x, 1, 1, 2), ag_slice(x, 1, 0, 1), ag_slice(x, 1, 2, 4)};
    ag_tensor *swapped = ag_concat(parts, 3, 1);
    nn_attention_apply(&layer, &b.pass, swapped, swapped, swapped, NULL, NULL, &swapped_weights);
    ck_assert(fabs((double)swapped_weights->data[12] - (double)at_0->data[13]) > 1e-4);
    tear_down(&b);
}
END_TEST

START_TEST(bad_attention_is_refused)
{
    const struct {
        nn_attention_config config;
        const char *message;
    } cases[] = {
        {{.d_model = 64, .heads = 3}, "heads 3 does not divide d_model 64 (use 2 or 4?)"},
        {{.d_model = 6, .heads = 7}, "heads 7 does not divide d_model 6 (use 6?)"},
        {{.d_model = 6, .heads = 0}, "heads is 0"},
        {{.d_model = 0, .heads = 1}, "d_model is 0"},
        {{.d_model = 6, .heads = 2, .rotary = true}, "the head width 3 (d_model 6 / heads 2) must be even"},
        {{.d_model = 6, .heads = 2, .dropout = 1}, "dropout is 1"},
        {{.d_model = 6, .heads = 2, .dropout = NAN}, "dropout is"},
        {{.d_model = 6, .heads = 2, .key_width = -1}, "key_width is -1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        nn_params params = {0};
        nn_attention layer;
        ag_error error = {0};
        ck_assert_int_eq(nn_attention_init(&layer, &params, "a", &cases[i].config, &error), AG_BAD_VALUE);
        ck_assert_msg(strstr(error.message, cases[i].message) != NULL, "%s", error.message);
        nn_params_clear(&params);
    }
}
END_TEST

/* ---- Feed-forward and blocks ------------------------------------------------------- */

static double activation_of(ag_activation activation, double x)
{
    switch (activation) {
    case AG_GELU:
        return 0.5 * x * erfc(-x / sqrt(2));
    case AG_GELU_TANH:
        return 0.5 * x * (1 + tanh(sqrt(2 / 3.14159265358979323846) * (x + 0.044715 * x * x * x)));
    case AG_SILU:
    case AG_GATED_SILU:
        return x / (1 + exp(-x));
    default:
        return x > 0 ? x : 0;
    }
}

static void plain_feed_forward(const bench *b, ag_activation activation, const double *x, int rows, double *out)
{
    double hidden[8 * 9], gate[8 * 9];
    plain_linear(x, rows, D, 9, value_of(b, "block.linear1.weight"), value_of(b, "block.linear1.bias"), hidden);
    if (activation == AG_GATED_SILU)
        plain_linear(x, rows, D, 9, value_of(b, "block.linear_gate.weight"), value_of(b, "block.linear_gate.bias"),
                     gate);
    for (int i = 0; i < rows * 9; i++)
        hidden[i] = activation_of(activation, hidden[i]) * (activation == AG_GATED_SILU ? gate[i] : 1);
    plain_linear(hidden, rows, 9, D, value_of(b, "block.linear2.weight"), value_of(b, "block.linear2.bias"), out);
}

START_TEST(feed_forward)
{
    for (int activation = AG_NO_ACTIVATION; activation <= AG_GATED_SILU; activation++) { /* (none: relu) */
        bench b;
        set_up(&b);
        nn_feed_forward layer;
        ck_assert_int_eq(
            nn_feed_forward_init(&layer, &b.params, "block", D, 9, (ag_activation)activation, true, 0, &b.error),
            AG_OK);
        allocate(&b);
        ag_tensor *x = drawn(&b, AG_SHAPE(2, 3, D), 1);
        double wide[6 * D], expected[6 * D];
        widen(x->data, x->size, wide);
        plain_feed_forward(&b, (ag_activation)activation, wide, 6, expected);
        ag_tensor *y = nn_feed_forward_apply(&layer, &b.pass, x);
        ASSERT_TENSOR(y, &b);
        assert_near(y, expected);
        tear_down(&b);
    }
}
END_TEST

/* A block is its sublayers, each with its residual connection and its norm on the right
 * side. */
static void check_encoder_block(bool post_norm)
{
    bench b;
    set_up(&b);
    const nn_block_config config = {.attention = {.d_model = D, .heads = H}, .ffn = 9, .post_norm = post_norm};
    nn_encoder_block block;
    ck_assert_int_eq(nn_encoder_block_init(&block, &b.params, "block", &config, &b.error), AG_OK);
    allocate(&b);
    ag_tensor *x = drawn(&b, AG_SHAPE(2, 3, D), 1);
    double value[6 * D], inner[6 * D], result[6 * D];
    const ag_real *norm1 = value_of(&b, "block.norm1.weight"), *bias1 = value_of(&b, "block.norm1.bias");
    const ag_real *norm2 = value_of(&b, "block.norm2.weight"), *bias2 = value_of(&b, "block.norm2.bias");

    widen(x->data, x->size, value);
    memcpy(inner, value, sizeof value);
    if (!post_norm)
        plain_norm(value, 6, D, false, norm1, bias1, 1e-5, inner);
    ag_tensor *into = ag_constant(b.tape, x->shape, NULL);
    for (int i = 0; i < 6 * D; i++)
        into->data[i] = (ag_real)inner[i];
    ag_tensor *attended = nn_attention_apply(&block.self_attention, &b.pass, into, into, into, NULL, NULL, NULL);
    ASSERT_TENSOR(attended, &b);
    for (int i = 0; i < 6 * D; i++)
        value[i] += (double)attended->data[i];
    if (post_norm)
        plain_norm(value, 6, D, false, norm1, bias1, 1e-5, value);

    memcpy(inner, value, sizeof value);
    if (!post_norm)
        plain_norm(value, 6, D, false, norm2, bias2, 1e-5, inner);
    plain_feed_forward(&b, AG_RELU, inner, 6, result);
    for (int i = 0; i < 6 * D; i++)
        result[i] += value[i];
    if (post_norm)
        plain_norm(result, 6, D, false, norm2, bias2, 1e-5, result);

    ag_tensor *y = nn_encoder_block_apply(&block, &b.pass, x, NULL, NULL);
    ASSERT_TENSOR(y, &b);
    assert_near(y, result);
    tear_down(&b);
}

/* The decoder's block from the library's own parts, put together by hand. */
static void check_decoder_block(bool post_norm)
{
    bench b;
    set_up(&b);
    const nn_block_config config = {
        .attention = {.d_model = 8, .heads = 2, .rotary = true}, .ffn = 9, .post_norm = post_norm};
    nn_decoder_block block;
    ck_assert_int_eq(nn_decoder_block_init(&block, &b.params, "block", &config, &b.error), AG_OK);
    ck_assert(block.self_attention.config.rotary && !block.cross_attention.config.rotary);
    allocate(&b);
    ag_tensor *x = drawn(&b, AG_SHAPE(2, 3, 8), 1), *memory = drawn(&b, AG_SHAPE(2, 5, 8), 2);
    ag_mask *causal = ag_mask_causal(b.tape, 0), *prefix = ag_mask_prefix(b.tape, 4);
    const nn_norm *norms[] = {&block.norm1, &block.norm2, &block.norm3};
    ag_tensor *y = x;
    for (int i = 0; i < 3; i++) {
        ag_tensor *in = post_norm ? y : nn_norm_apply(norms[i], &b.pass, y), *f;
        if (i == 0)
            f = nn_attention_apply(&block.self_attention, &b.pass, in, in, in, causal, NULL, NULL);
        else if (i == 1)
            f = nn_attention_apply(&block.cross_attention, &b.pass, in, memory, memory, prefix, NULL, NULL);
        else
            f = nn_feed_forward_apply(&block.feed_forward, &b.pass, in);
        y = ag_add(y, f);
        y = post_norm ? nn_norm_apply(norms[i], &b.pass, y) : y;
    }
    ag_tensor *whole = nn_decoder_block_apply(&block, &b.pass, x, memory, causal, prefix, NULL, NULL);
    ASSERT_TENSOR(whole, &b);
    ASSERT_TENSOR(y, &b);
    ck_assert_mem_eq(whole->data, y->data, (size_t)y->size * sizeof(ag_real));
    /* Without a memory it does not attend to itself a second time. */
    ck_assert_ptr_null(nn_decoder_block_apply(&block, &b.pass, x, NULL, causal, prefix, NULL, NULL));
    ck_assert_ptr_nonnull(strstr(ag_tape_error(b.tape)->message, "input 0 is NULL"));
    tear_down(&b);
}

START_TEST(blocks)
{
    check_encoder_block(false);
    check_encoder_block(true);
    check_decoder_block(false);
    check_decoder_block(true);
}
END_TEST

/* While training, a sublayer's result is dropped before it is added: with nearly all
 * dropped, x remains. */
START_TEST(dropout_is_on_in_training_alone)
{
    bench b;
    set_up(&b);
    const nn_block_config config = {.attention = {.d_model = D, .heads = H, .dropout = 0.5}, .ffn = 9, .dropout = 0.5};
    nn_encoder_block block;
    ck_assert_int_eq(nn_encoder_block_init(&block, &b.params, "block", &config, &b.error), AG_OK);
    allocate(&b);
    ag_tensor *x = drawn(&b, AG_SHAPE(2, 3, D), 1);
    ag_tensor *quiet = nn_encoder_block_apply(&block, &b.pass, x, NULL, NULL);
    ag_tensor *again = nn_encoder_block_apply(&block, &b.pass, x, NULL, NULL);
    b.pass.training = true;
    ag_tape_seed(b.tape, 1, 1);
    ag_tensor *first = nn_encoder_block_apply(&block, &b.pass, x, NULL, NULL);
    ag_tensor *second = nn_encoder_block_apply(&block, &b.pass, x, NULL, NULL);
    ag_tape_seed(b.tape, 1, 1);
    ag_tensor *repeated = nn_encoder_block_apply(&block, &b.pass, x, NULL, NULL);
    const size_t bytes = (size_t)x->size * sizeof(ag_real);
    ASSERT_TENSOR(repeated, &b);
    ck_assert_mem_eq(quiet->data, again->data, bytes);
    ck_assert_mem_ne(quiet->data, first->data, bytes);
    ck_assert_mem_ne(second->data, first->data, bytes);
    ck_assert_mem_eq(repeated->data, first->data, bytes);
    int untouched = 0; /* elements whose both sublayers were dropped: a quarter */
    for (int64_t i = 0; i < x->size; i++)
        untouched += first->data[i] == x->data[i];
    ck_assert_int_gt(untouched, 2);
    ck_assert_int_lt(untouched, 20);
    tear_down(&b);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("nn_layers");
    TCase *tcase = tcase_create("layers");
    tcase_add_test(tcase, linear);
    tcase_add_test(tcase, embedding);
    tcase_add_test(tcase, norm_layers);
    tcase_add_test(tcase, positions);
    tcase_add_test(tcase, attention);
    tcase_add_test(tcase, rotary_attention_depends_on_distances);
    tcase_add_test(tcase, bad_attention_is_refused);
    tcase_add_test(tcase, feed_forward);
    tcase_add_test(tcase, blocks);
    tcase_add_test(tcase, dropout_is_on_in_training_alone);
    suite_add_tcase(s, tcase);
    return s;
}

TEST_MAIN(suite)
