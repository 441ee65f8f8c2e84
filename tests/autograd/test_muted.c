/* test_muted.c - what no loss depends on poisons no gradient: where the gradient of an
 * operation's result is 0, the values under it may be NaN or infinite, and all gradients
 * keep the bits that they have with ordinary values. */
#include "check_util.h"

#include <math.h>
#include <string.h>

enum { ROWS = 6, WIDTH = 19, MOST_INPUTS = 4 };

/* An operation on inputs [ROWS, WIDTH], or of another shape. Row r of the result depends
 * on row r of the inputs that are `by_row` and on no other row of them; the others are
 * the same for all rows and stay ordinary. */
typedef struct subject {
    const char *name;
    ag_tensor *(*build)(ag_tape *tape, ag_tensor *const *inputs);
    int count;
    ag_shape shapes[MOST_INPUTS];
    bool by_row[MOST_INPUTS];
    double low, high; /* of the ordinary values; 0, 0: -2, 2 */
} subject;

#define EACH_ROW                                                                                                       \
    {                                                                                                                  \
        .ndim = 2, .dim = { ROWS, WIDTH }                                                                              \
    }
#define VECTOR                                                                                                         \
    {                                                                                                                  \
        .ndim = 1, .dim = { WIDTH }                                                                                    \
    }

/* ---- Subjects ---------------------------------------------------------------------- */

#define UNARY(name, expression)                                                                                        \
    static ag_tensor *build_##name(ag_tape *tape, ag_tensor *const *inputs)                                            \
    {                                                                                                                  \
        ag_tensor *x = inputs[0];                                                                                      \
        (void)tape;                                                                                                    \
        return expression;                                                                                             \
    }
#define BUILD(name, expression)                                                                                        \
    static ag_tensor *build_##name(ag_tape *tape, ag_tensor *const *inputs)                                            \
    {                                                                                                                  \
        ag_tensor *a = inputs[0], *b = inputs[1];                                                                      \
        (void)tape;                                                                                                    \
        return expression;                                                                                             \
    }

UNARY(neg, ag_neg(x))
UNARY(scale, ag_scale(x, 3))
UNARY(exp, ag_exp(x))
UNARY(log, ag_log(x))
UNARY(sqrt, ag_sqrt(x))
UNARY(tanh, ag_tanh(x))
UNARY(erf, ag_erf(x))
UNARY(sigmoid, ag_sigmoid(x))
UNARY(relu, ag_relu(x))
UNARY(gelu, ag_gelu(x, AG_GELU))
UNARY(gelu_tanh, ag_gelu(x, AG_GELU_TANH))
UNARY(silu, ag_silu(x))
UNARY(twice, ag_add(ag_silu(x), ag_tanh(x))) /* the second adds to the gradient of the first */
UNARY(softmax, ag_softmax(x, -1))
UNARY(log_softmax, ag_log_softmax(x, -1))
UNARY(sum, ag_sum(x, AG_AXIS(1), true))
UNARY(mean, ag_mean(x, AG_AXIS(1), true))
UNARY(max, ag_max(x, AG_AXIS(1), true))
UNARY(dropout, ag_dropout(x, 0.5))
UNARY(rotary, ag_rotary(ag_slice(x, 1, 0, WIDTH - 1), 1, 3, 100))
UNARY(embedding, ag_embedding(x, AG_SHAPE(ROWS), ((const int32_t[]){0, 1, 2, 3, 4, 5}), -1))
BUILD(add, ag_add(a, b))
BUILD(sub, ag_sub(a, b))
BUILD(mul, ag_mul(a, b))
BUILD(div, ag_div(a, b))
BUILD(pow, ag_pow(a, b))
BUILD(mse, ag_mse(a, b, AG_NONE))
BUILD(matmul, ag_matmul(a, b, false, false))
BUILD(matmul_t, ag_matmul(a, b, false, true))
BUILD(t_matmul, ag_matmul(ag_permute(a, (int[]){1, 0}), b, true, false))
BUILD(t_matmul_t, ag_matmul(ag_permute(a, (int[]){1, 0}), b, true, true))
BUILD(columns, ag_permute(ag_matmul(b, a, true, true), (int[]){1, 0}))
BUILD(columns_t, ag_permute(ag_matmul(b, ag_permute(a, (int[]){1, 0}), false, false), (int[]){1, 0}))
BUILD(batch, ag_reshape(ag_matmul(ag_reshape(a, AG_SHAPE(3, 2, WIDTH)), b, false, false), AG_SHAPE(ROWS, WIDTH)))
BUILD(layer_norm, ag_layer_norm(a, b, b, 1e-5))
BUILD(rms_norm, ag_rms_norm(a, b, 1e-5))
BUILD(kept_norm, ag_layer_norm(a, b, NULL, 1e-5))

static ag_tensor *linear(ag_tape *tape, ag_tensor *const *inputs, ag_activation activation)
{
    ag_linear_options options = {.activation = activation, .residual = inputs[3], .dropout = 0.25};
    (void)tape;
    return ag_linear_fused(inputs[0], inputs[1], inputs[2], &options);
}

#define LINEAR(name, activation)                                                                                       \
    static ag_tensor *build_##name(ag_tape *tape, ag_tensor *const *inputs)                                            \
    {                                                                                                                  \
        return linear(tape, inputs, activation);                                                                       \
    }
LINEAR(linear, AG_NO_ACTIVATION)
LINEAR(linear_relu, AG_RELU)
LINEAR(linear_gelu, AG_GELU)
LINEAR(linear_gelu_tanh, AG_GELU_TANH)
LINEAR(linear_silu, AG_SILU)

static ag_tensor *build_linear_alone(ag_tape *tape, ag_tensor *const *inputs)
{
    (void)tape;
    return ag_linear(inputs[0], inputs[1], NULL);
}

/* Each query sees its own key alone. */
static ag_mask *own_key(ag_tape *tape)
{
    return ag_mask_window(tape, 0, 0);
}

static ag_tensor *attention(ag_tape *tape, ag_tensor *const *inputs, bool plain)
{
    ag_tensor *split[3];
    for (int i = 0; i < 3; i++)
        split[i] = ag_reshape(inputs[i], AG_SHAPE(1, 1, ROWS, WIDTH));
    const ag_attention_options options = {.mask = own_key(tape), .plain = plain};
    return ag_reshape(ag_attention(split[0], split[1], split[2], &options), AG_SHAPE(ROWS, WIDTH));
}

static ag_tensor *build_attention(ag_tape *tape, ag_tensor *const *inputs)
{
    return attention(tape, inputs, false);
}

static ag_tensor *build_attention_plain(ag_tape *tape, ag_tensor *const *inputs)
{
    return attention(tape, inputs, true);
}

/* Row r may be ignored by its target, or be of a class without weight. */
static ag_tensor *build_cross_entropy(ag_tape *tape, ag_tensor *const *inputs)
{
    static const int32_t targets[ROWS] = {1, 2, 3, 4, 5, 6};
    (void)tape;
    const ag_cross_entropy_options options = {.reduction = AG_NONE, .label_smoothing = 0.1};
    return ag_cross_entropy(inputs[0], targets, &options);
}

#define NUMBERS(name)                                                                                                  \
    {                                                                                                                  \
#name, build_##name, 1, {EACH_ROW }, {true }, 0, 0                                                             \
    }
#define POSITIVE(name)                                                                                                 \
    {                                                                                                                  \
#name, build_##name, 1, {EACH_ROW }, {true }, 0.5, 2                                                           \
    }
#define PAIR(name)                                                                                                     \
    {                                                                                                                  \
#name, build_##name, 2, {EACH_ROW, EACH_ROW }, {true, true }, 0.5, 2                                           \
    }
#define STRETCHED(name)                                                                                                \
    {                                                                                                                  \
#name "_stretched", build_##name, 2, {EACH_ROW, VECTOR }, {true, false }, 0.5, 2                               \
    }
#define BY_MATRIX(name)                                                                                                \
    {                                                                                                                  \
#name, build_##name, 2, {EACH_ROW, {.ndim = 2, .dim = {WIDTH, WIDTH } } }, {true, false }, 0, 0                \
    }
#define LAYER(name)                                                                                                    \
    {                                                                                                                  \
#name, build_##name, 4,                                                                                        \
            {EACH_ROW, {.ndim = 2, .dim = {WIDTH, WIDTH } }, VECTOR, EACH_ROW }, {true, false, false, true }, 0, 0     \
    }
#define THREE(name)                                                                                                    \
    {                                                                                                                  \
#name, build_##name, 3, {EACH_ROW, EACH_ROW, EACH_ROW }, {true, true, true }, 0, 0                             \
    }

static const subject subjects[] = {
    NUMBERS(neg),
    NUMBERS(scale),
    NUMBERS(exp),
    POSITIVE(log),
    POSITIVE(sqrt),
    NUMBERS(tanh),
    NUMBERS(erf),
    NUMBERS(sigmoid),
    NUMBERS(relu),
    NUMBERS(gelu),
    NUMBERS(gelu_tanh),
    NUMBERS(silu),
    NUMBERS(twice),
    NUMBERS(softmax),
    NUMBERS(log_softmax),
    NUMBERS(sum),
    NUMBERS(mean),
    NUMBERS(max),
    NUMBERS(dropout),
    NUMBERS(rotary),
    NUMBERS(embedding),
    PAIR(add),
    PAIR(sub),
    PAIR(mul),
    PAIR(div),
    PAIR(pow),
    PAIR(mse),
    STRETCHED(add),
    STRETCHED(sub),
    STRETCHED(mul),
    STRETCHED(div),
    STRETCHED(pow),
    STRETCHED(mse),
    BY_MATRIX(matmul),
    BY_MATRIX(matmul_t),
    BY_MATRIX(t_matmul),
    BY_MATRIX(t_matmul_t),
    BY_MATRIX(columns),
    BY_MATRIX(columns_t),
    BY_MATRIX(batch),
    STRETCHED(layer_norm),
    STRETCHED(rms_norm),
    STRETCHED(kept_norm),
    BY_MATRIX(linear_alone),
    LAYER(linear),
    LAYER(linear_relu),
    LAYER(linear_gelu),
    LAYER(linear_gelu_tanh),
    LAYER(linear_silu),
    THREE(attention),
    THREE(attention_plain),
    NUMBERS(cross_entropy),
};
enum { SUBJECTS = sizeof subjects / sizeof *subjects };

/* ---- Computing --------------------------------------------------------------------- */

typedef struct outcome {
    ag_real gradients[MOST_INPUTS][WIDTH * WIDTH];
    bool poisoned; /* the result has numbers that are not finite */
} outcome;

static ag_tape *tape;

static bool is_muted(int row, unsigned muted)
{
    return muted >> row & 1;
}

/* The gradients where the result's gradient is 0 in the rows of the set `muted`, in which
 * inputs hold `value`; they keep their own where that is 1. */
static void compute(const subject *s, unsigned muted, ag_real value, outcome *found)
{
    ag_tensor *inputs[MOST_INPUTS] = {NULL};
    ag_real values[WIDTH * WIDTH], seed[WIDTH * WIDTH];
    ag_tape_rewind(tape);
    ag_tape_seed(tape, 5, 6);
    for (int i = 0; i < s->count; i++) {
        const int64_t size = ag_shape_size(s->shapes[i]);
        test_fill(values, size, (uint64_t)i + 1, s->low == s->high ? -2 : s->low, s->low == s->high ? 2 : s->high);
        for (int64_t e = 0; e < size && value != 1; e++)
            if (s->by_row[i] && is_muted((int)(e / WIDTH), muted))
                values[e] = value;
        inputs[i] = ag_variable(tape, s->shapes[i], values);
    }
    ag_tensor *y = s->build(tape, inputs);
    ck_assert_msg(y != NULL, "%s: %s", s->name, ag_tape_error(tape)->message);
    test_fill(seed, y->size, 99, 0.5, 1);
    for (int64_t e = 0; e < y->size; e++)
        if (is_muted((int)(e / (y->size / ROWS)), muted))
            seed[e] = 0;
    found->poisoned = false;
    for (int64_t e = 0; e < y->size; e++)
        found->poisoned |= !isfinite(y->data[e]);
    ck_assert_msg(ag_backward_seeded(y, seed) == AG_OK, "%s: %s", s->name, ag_tape_error(tape)->message);
    for (int i = 0; i < s->count; i++)
        memcpy(found->gradients[i], inputs[i]->grad, (size_t)inputs[i]->size * sizeof(ag_real));
}

/* All gradients are the same numbers, and those of muted rows are 0. */
static void check_same(const subject *s, unsigned muted, const outcome *clean, const outcome *found)
{
    for (int i = 0; i < s->count; i++)
        for (int64_t e = 0; e < ag_shape_size(s->shapes[i]); e++) {
            const ag_real is = found->gradients[i][e], was = clean->gradients[i][e];
            ck_assert_msg(is == was, "%s: gradient %lld of input %d is %g and not %g", s->name, (long long)e, i,
                          (double)is, (double)was);
            ck_assert_msg(!s->by_row[i] || !is_muted((int)(e / WIDTH), muted) || is == 0,
                          "%s: gradient %lld of input %d is %g after a gradient of 0", s->name, (long long)e, i,
                          (double)is);
        }
}

static void set_up(void)
{
    tape = ag_tape_new(NULL);
    ck_assert_ptr_nonnull(tape);
}

static void tear_down(void)
{
    ag_tape_free(tape);
}

/* Some rows, one, and all of them. */
START_TEST(what_a_gradient_of_0_lies_on_does_not_matter)
{
    static const ag_real poisons[] = {(ag_real)NAN, (ag_real)INFINITY, -(ag_real)INFINITY};
    static const unsigned sets[] = {1u << 0, 1u << 5, 1u << 1 | 1u << 2 | 1u << 4, (1u << ROWS) - 1};
    const subject *s = &subjects[_i];
    outcome clean, found;
    bool met = false;
    for (size_t p = 0; p < sizeof poisons / sizeof *poisons; p++)
        for (size_t m = 0; m < sizeof sets / sizeof *sets; m++) {
            compute(s, sets[m], 1, &clean);
            compute(s, sets[m], poisons[p], &found);
            ck_assert_msg(!clean.poisoned, "%s: the ordinary values are not", s->name);
            met |= found.poisoned;
            check_same(s, sets[m], &clean, &found);
        }
    ck_assert_msg(met, "%s: the result never had a NaN or an infinity", s->name);
}
END_TEST

/* A NaN at a position whose gradient is not 0 does matter. */
START_TEST(other_poison_is_passed_on)
{
    for (int i = 0; i < 2; i++) {
        ag_real x[4] = {1, 2, 3, 4}, w[2] = {1, 1};
        const ag_real seed[2] = {i == 0, 1};
        x[3] = (ag_real)NAN;
        ag_tape_rewind(tape);
        ag_tensor *weight = ag_variable(tape, AG_SHAPE(1, 2), w);
        ag_tensor *y = i == 0 ? ag_linear(ag_constant(tape, AG_SHAPE(2, 2), x), weight, NULL)
                              : ag_matmul(ag_constant(tape, AG_SHAPE(2, 2), x), weight, false, true);
        ck_assert_int_eq(ag_backward_seeded(y, seed), AG_OK);
        ck_assert(isfinite(weight->grad[0]));
        ck_assert(isnan(weight->grad[1]));
    }
}
END_TEST

/* A row whose class has no weight, and a row that is ignored. */
START_TEST(logits_without_a_loss_may_be_anything)
{
    static const ag_real poisons[] = {(ag_real)NAN, (ag_real)INFINITY, -(ag_real)INFINITY, (ag_real)1e38};
    static const int32_t targets[] = {0, 2, 1};
    const ag_real weights[] = {1, 3, 0};
    for (int form = 0; form < 8; form++) {
        ag_real logits[9] = {1, 2, 3, 0, 0, 0, 4, 6, 5};
        for (int c = 3; c < 6; c++)
            logits[c] = c == 4 || form / 4 ? poisons[form % 4] : logits[c];
        const ag_cross_entropy_options options = {
            .ignore = form % 2, .ignore_index = 2, .class_weights = form % 2 ? NULL : weights, .reduction = AG_SUM};
        ag_tape_rewind(tape);
        ag_tensor *x = ag_variable(tape, AG_SHAPE(3, 3), logits);
        ag_tensor *loss = ag_cross_entropy(x, targets, &options);
        ck_assert(isfinite(loss->data[0]));
        ck_assert_int_eq(ag_backward(loss), AG_OK);
        for (int c = 0; c < 9; c++)
            ck_assert(c / 3 == 1 ? x->grad[c] == 0 : isfinite(x->grad[c]) && x->grad[c] != 0);
    }
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_loop_test(tests, what_a_gradient_of_0_lies_on_does_not_matter, 0, SUBJECTS);
    tcase_add_test(tests, other_poison_is_passed_on);
    tcase_add_test(tests, logits_without_a_loss_may_be_anything);
}

static Suite *suite(void)
{
    Suite *s = suite_create("muted");
    test_at_each_level(s, add_tests);
    return s;
}

TEST_MAIN(suite)
