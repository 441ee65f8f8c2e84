/* test_dot_wide.c - the dot test of operations on long rows and many of them, at every
 * instruction-set level. The kernels take other ways there than on the small examples
 * that differences can afford: whole registers, blocks, packed copies, tiles, threads. */
#include "check_util.h"

/* An operation in one form on inputs of these shapes, drawn from [low, high). */
typedef struct wide_case {
    const char *name;
    ag_tensor *(*apply)(ag_tape *tape, ag_tensor *const *x, int form);
    int form;
    double low, high;
    int count;
    ag_shape shapes[4];
} wide_case;

#define SHAPE(...)                                                                                                     \
    {                                                                                                                  \
        .ndim = (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), .dim = { __VA_ARGS__ }                      \
    }

/* ---- Operations -------------------------------------------------------------------- */

static ag_tensor *binary(ag_tape *tape, ag_tensor *const *x, int form)
{
    static ag_tensor *(*const functions[])(ag_tensor *, ag_tensor *) = {ag_add, ag_sub, ag_mul, ag_div, ag_pow};
    (void)tape;
    return functions[form](x[0], x[1]);
}

static ag_tensor *unary(ag_tape *tape, ag_tensor *const *x, int form)
{
    static ag_tensor *(*const functions[])(ag_tensor *) = {ag_neg, ag_exp,     ag_log,  ag_sqrt, ag_tanh,
                                                           ag_erf, ag_sigmoid, ag_relu, ag_silu};
    (void)tape;
    return functions[form](x[0]);
}

static ag_tensor *gelu(ag_tape *tape, ag_tensor *const *x, int form)
{
    (void)tape;
    return ag_gelu(x[0], (ag_activation)form);
}

static ag_tensor *matmul(ag_tape *tape, ag_tensor *const *x, int form)
{
    (void)tape;
    return ag_matmul(x[0], x[1], form & 1, form & 2);
}

static ag_tensor *linear(ag_tape *tape, ag_tensor *const *x, int form)
{
    const ag_linear_options options = {.activation = (ag_activation)form, .dropout = 0.1, .residual = x[3]};
    (void)tape;
    return ag_linear_fused(x[0], x[1], x[2], &options);
}

static ag_tensor *reduce(ag_tape *tape, ag_tensor *const *x, int form)
{
    static ag_tensor *(*const functions[])(ag_tensor *, unsigned, bool) = {ag_sum, ag_mean, ag_max};
    static const unsigned axes[] = {AG_AXIS(0), AG_AXIS(1), AG_ALL_AXES};
    (void)tape;
    return functions[form / 3](x[0], axes[form % 3], false);
}

static ag_tensor *softmax(ag_tape *tape, ag_tensor *const *x, int form)
{
    (void)tape;
    return (form / 2 ? ag_log_softmax : ag_softmax)(x[0], form % 2);
}

static ag_tensor *layer_norm(ag_tape *tape, ag_tensor *const *x, int form)
{
    (void)tape;
    return form ? ag_rms_norm(x[0], x[1], 1e-5) : ag_layer_norm(x[0], x[1], x[2], 1e-5);
}

static ag_tensor *rotary(ag_tape *tape, ag_tensor *const *x, int form)
{
    (void)tape;
    return ag_rotary(x[0], form, 3, 10000);
}

static ag_tensor *distance_bias(ag_tape *tape, ag_tensor *const *x, int form)
{
    int32_t rows[70 + 90 - 1];
    (void)tape;
    for (int d = 0; d < 70 + 90 - 1; d++)
        rows[d] = d * 7 % form;
    return ag_distance_bias(x[0], 70, 90, rows);
}

static ag_tensor *dropout(ag_tape *tape, ag_tensor *const *x, int form)
{
    (void)tape;
    (void)form;
    return ag_dropout(x[0], 0.3);
}

/* Queries of which some see nothing, key lengths, windows; bias and dropout in all. */
static ag_tensor *attention(ag_tape *tape, ag_tensor *const *x, int form)
{
    static const int32_t lengths[] = {90, 37};
    const ag_mask *masks[] = {NULL, ag_mask_causal(tape, -3), ag_mask_key_lengths(tape, 2, lengths),
                              ag_mask_window(tape, 20, 5)};
    const ag_attention_options options = {
        .heads = 3, .mask = masks[form % 4], .bias = x[3], .dropout = 0.1, .plain = form / 4};
    return ag_attention(x[0], x[1], x[2], &options);
}

static ag_tensor *embedding(ag_tape *tape, ag_tensor *const *x, int form)
{
    int32_t ids[150];
    ag_rng rng = ag_rng_make(5, 0);
    for (int i = 0; i < 150; i++)
        ids[i] = (int32_t)ag_rng_below(&rng, 211);
    const ag_embedding_options options = {.padding_id = 7, .scale = 3, .positions = x[1]};
    (void)tape;
    (void)form;
    return ag_embedding_fused(x[0], AG_SHAPE(3, 50), ids, &options);
}

static ag_tensor *moved(ag_tape *tape, ag_tensor *const *x, int form)
{
    (void)tape;
    (void)form;
    ag_tensor *joined = ag_concat(x, 2, 1);
    return ag_permute(ag_slice(joined, 1, 5, 60), (const int[]){2, 0, 1});
}

static ag_tensor *cross_entropy(ag_tape *tape, ag_tensor *const *x, int form)
{
    int32_t targets[50];
    ag_real weights[515];
    for (int i = 0; i < 50; i++)
        targets[i] = i * 37 % 515;
    test_fill(weights, 515, 4, 0.5, 2);
    const ag_cross_entropy_options options = {.ignore = true,
                                              .ignore_index = 0,
                                              .label_smoothing = form % 2 ? 0.2 : 0,
                                              .class_weights = form / 3 ? weights : NULL,
                                              .reduction = (ag_reduction)(form % 3)};
    (void)tape;
    return ag_cross_entropy(x[0], targets, &options);
}

static ag_tensor *mse(ag_tape *tape, ag_tensor *const *x, int form)
{
    (void)tape;
    return ag_mse(x[0], x[1], (ag_reduction)form);
}

#define BINARY(name, form)                                                                                             \
    {                                                                                                                  \
        name, binary, form, 0.5, 2, 2,                                                                                 \
        {                                                                                                              \
            SHAPE(65, 1, 33), SHAPE(47, 33)                                                                            \
        }                                                                                                              \
    }
#define UNARY(name, form, lowest)                                                                                      \
    {                                                                                                                  \
        name, unary, form, lowest, 3, 1,                                                                               \
        {                                                                                                              \
            SHAPE(4099)                                                                                                \
        }                                                                                                              \
    }
#define LINEAR(name, activation)                                                                                       \
    {                                                                                                                  \
        name, linear, activation, -0.3, 0.3, 4,                                                                        \
        {                                                                                                              \
            SHAPE(2, 75, 130), SHAPE(150, 130), SHAPE(150), SHAPE(2, 75, 150)                                          \
        }                                                                                                              \
    }
#define REDUCE(name, form)                                                                                             \
    {                                                                                                                  \
        name, reduce, form, -1, 1, 1,                                                                                  \
        {                                                                                                              \
            SHAPE(67, 515)                                                                                             \
        }                                                                                                              \
    }
#define ATTENTION(name, form)                                                                                          \
    {                                                                                                                  \
        name, attention, form, -1, 1, 4,                                                                               \
        {                                                                                                              \
            SHAPE(2, 70, 96), SHAPE(2, 90, 96), SHAPE(2, 90, 96), SHAPE(3, 70, 90)                                     \
        }                                                                                                              \
    }
#define CROSS_ENTROPY(name, form)                                                                                      \
    {                                                                                                                  \
        name, cross_entropy, form, -3, 3, 1,                                                                           \
        {                                                                                                              \
            SHAPE(50, 515)                                                                                             \
        }                                                                                                              \
    }

static const wide_case cases[] = {
    BINARY("add", 0),
    BINARY("sub", 1),
    BINARY("mul", 2),
    BINARY("div", 3),
    BINARY("pow", 4),
    UNARY("neg", 0, -3),
    UNARY("exp", 1, -3),
    UNARY("log", 2, 0.1),
    UNARY("sqrt", 3, 0.1),
    UNARY("tanh", 4, -3),
    UNARY("erf", 5, -3),
    UNARY("sigmoid", 6, -3),
    UNARY("relu", 7, -3),
    UNARY("silu", 8, -3),
    {"gelu", gelu, AG_GELU, -4, 4, 1, {SHAPE(4099)}},
    {"gelu_tanh", gelu, AG_GELU_TANH, -4, 4, 1, {SHAPE(4099)}},
    {"matmul", matmul, 0, -1, 1, 2, {SHAPE(3, 70, 130), SHAPE(130, 90)}},
    {"matmul, a transposed", matmul, 1, -1, 1, 2, {SHAPE(3, 130, 70), SHAPE(3, 130, 90)}},
    {"matmul, b transposed", matmul, 2, -1, 1, 2, {SHAPE(3, 70, 130), SHAPE(90, 130)}},
    {"matmul, both transposed", matmul, 3, -1, 1, 2, {SHAPE(130, 70), SHAPE(2, 90, 130)}},
    {"matmul of one row", matmul, 0, -1, 1, 2, {SHAPE(1, 257), SHAPE(257, 300)}},
    LINEAR("linear", AG_NO_ACTIVATION),
    LINEAR("linear with relu", AG_RELU),
    LINEAR("linear with gelu", AG_GELU),
    LINEAR("linear with gelu_tanh", AG_GELU_TANH),
    LINEAR("linear with silu", AG_SILU),
    REDUCE("sum of columns", 0),
    REDUCE("sum of rows", 1),
    REDUCE("sum", 2),
    REDUCE("mean of columns", 3),
    REDUCE("mean of rows", 4),
    REDUCE("max of columns", 6),
    REDUCE("max of rows", 7),
    REDUCE("max", 8),
    {"softmax of columns", softmax, 0, -3, 3, 1, {SHAPE(37, 515)}},
    {"softmax of rows", softmax, 1, -3, 3, 1, {SHAPE(37, 515)}},
    {"log_softmax of columns", softmax, 2, -3, 3, 1, {SHAPE(37, 515)}},
    {"log_softmax of rows", softmax, 3, -3, 3, 1, {SHAPE(37, 515)}},
    {"layer_norm", layer_norm, 0, -1, 1, 3, {SHAPE(37, 515), SHAPE(515), SHAPE(515)}},
    {"rms_norm", layer_norm, 1, -1, 1, 2, {SHAPE(37, 515), SHAPE(515)}},
    {"rotary", rotary, 4, -1, 1, 1, {SHAPE(2, 60, 128)}},
    {"distance_bias", distance_bias, 32, -1, 1, 1, {SHAPE(32, 8)}},
    {"dropout", dropout, 0, -1, 1, 1, {SHAPE(5003)}},
    ATTENTION("attention", 0),
    ATTENTION("causal attention", 1),
    ATTENTION("attention to key lengths", 2),
    ATTENTION("attention in a window", 3),
    ATTENTION("plain causal attention", 5),
    ATTENTION("plain attention to key lengths", 6),
    {"embedding", embedding, 0, -1, 1, 2, {SHAPE(211, 65), SHAPE(50, 65)}},
    {"concat, slice, permute", moved, 0, -1, 1, 2, {SHAPE(17, 23, 31), SHAPE(17, 40, 31)}},
    CROSS_ENTROPY("cross_entropy, mean", 0),
    CROSS_ENTROPY("smoothed cross_entropy, sum", 1),
    CROSS_ENTROPY("cross_entropy of each row", 2),
    CROSS_ENTROPY("weighted smoothed cross_entropy, mean", 3),
    CROSS_ENTROPY("weighted smoothed cross_entropy of each row", 5),
    {"mse, mean", mse, AG_MEAN, -1, 1, 2, {SHAPE(31, 200), SHAPE(200)}},
    {"mse of each", mse, AG_NONE, -1, 1, 2, {SHAPE(31, 200), SHAPE(31, 1)}},
};

/* ---- The test ---------------------------------------------------------------------- */

static ag_tensor *wide_function(ag_tape *tape, ag_tensor *const *inputs, void *context)
{
    const wide_case *c = context;
    return c->apply(tape, inputs, c->form);
}

START_TEST(modes_agree)
{
    wide_case c = cases[_i];
    ag_gradcheck_input inputs[4];
    static const char *const names[] = {"first", "second", "third", "fourth"};
    for (int i = 0; i < c.count; i++) {
        const int64_t size = ag_shape_size(c.shapes[i]);
        ag_real *numbers = malloc(2 * (size_t)size * sizeof *numbers);
        ck_assert_ptr_nonnull(numbers);
        test_fill(numbers, size, (uint64_t)(10 * _i + i), c.low, c.high);
        inputs[i] = (ag_gradcheck_input){names[i], c.shapes[i], numbers, numbers + size};
    }
    ag_dot_report report;
    ag_error error = {0};
    const ag_gradcheck_options options = {.seed = (uint64_t)_i, .threads = 2};
    ag_status status = ag_dot_test(wide_function, &c, inputs, c.count, &options, &report, &error);
    ck_assert_msg(status == AG_OK, "%s: %s", c.name, error.message);
    ck_assert_msg(report.passed && report.error < PRECISION(1e-13, 1e-5), "%s: %s", c.name, report.message);
    ck_assert_msg(report.checked == 3, "%s: %lld directions compared", c.name, (long long)report.checked);
    for (int i = 0; i < c.count; i++)
        free(inputs[i].data);
}
END_TEST

static void add_at_level(TCase *tests)
{
    tcase_add_loop_test(tests, modes_agree, 0, (int)(sizeof cases / sizeof *cases));
}

static Suite *suite(void)
{
    Suite *s = suite_create("dot_wide");
    test_at_each_level(s, add_at_level);
    return s;
}

TEST_MAIN(suite)
