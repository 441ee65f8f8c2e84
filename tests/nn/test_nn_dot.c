/* test_nn_dot.c - the dot test of layers and whole models, at every instruction-set
 * level and with products of bfloat16. */
#include "nn_util.h"

#include <math.h>

/* The largest error of a layer or a small model. */
#define LARGEST PRECISION(1e-13, 1e-5)

/* ---- Layers ------------------------------------------------------------------------ */

enum { ROWS = 3, LENGTH = 5, MEMORY_LENGTH = 4, WIDTH = 8, VOCABULARY = 7 };

typedef struct layer layer;

/* A kind of layers, applied to x [ROWS, LENGTH, WIDTH] and a memory [ROWS, MEMORY_LENGTH,
 * WIDTH]. */
typedef struct layer_kind {
    const char *name;
    ag_status (*init)(layer *layer, ag_error *error);
    ag_tensor *(*apply)(const layer *layer, const nn_pass *pass, ag_tensor *x, ag_tensor *memory);
    int form; /* a norm's kind, an activation, an attention's positions, whether post-norm */
} layer_kind;

struct layer {
    const layer_kind *kind;
    nn_params params;
    nn_linear linear;
    nn_embedding embedding;
    nn_norm norm;
    nn_positions positions;
    nn_attention attention;
    nn_additive_attention additive;
    nn_feed_forward feed_forward;
    nn_encoder_block encoder;
    nn_decoder_block decoder;
};

static ag_status init_linear(layer *l, ag_error *error)
{
    return nn_linear_init(&l->linear, &l->params, "linear", WIDTH, 6, true, error);
}

static ag_tensor *apply_linear(const layer *l, const nn_pass *pass, ag_tensor *x, ag_tensor *memory)
{
    (void)memory;
    return nn_linear_apply(&l->linear, pass, x);
}

static ag_status init_embedding(layer *l, ag_error *error)
{
    return nn_embedding_init(&l->embedding, &l->params, "embedding", VOCABULARY, WIDTH, sqrt(WIDTH), 0, error);
}

/* As a table and, tied to it, as a projection. */
static ag_tensor *apply_embedding(const layer *l, const nn_pass *pass, ag_tensor *x, ag_tensor *memory)
{
    static const int32_t ids[ROWS * LENGTH] = {1, 2, 3, 0, 0, 6, 6, 1, 5, 2, 4, 3, 3, 3, 0};
    (void)memory;
    ag_tensor *rows = nn_embedding_apply(&l->embedding, pass, AG_SHAPE(ROWS, LENGTH), ids);
    return nn_embedding_project(&l->embedding, pass, ag_tanh(ag_add(x, rows)));
}

static ag_status init_norm(layer *l, ag_error *error)
{
    return nn_norm_init(&l->norm, &l->params, "norm", (nn_norm_kind)l->kind->form, WIDTH, true, 0, error);
}

static ag_tensor *apply_norm(const layer *l, const nn_pass *pass, ag_tensor *x, ag_tensor *memory)
{
    (void)memory;
    return nn_norm_apply(&l->norm, pass, x);
}

static ag_status init_positions(layer *l, ag_error *error)
{
    return nn_positions_init(&l->positions, &l->params, "positions", NN_LEARNED, 9, WIDTH, error);
}

static ag_tensor *apply_positions(const layer *l, const nn_pass *pass, ag_tensor *x, ag_tensor *memory)
{
    (void)memory;
    return nn_positions_apply(&l->positions, pass, x, 2);
}

static ag_status init_attention(layer *l, ag_error *error)
{
    nn_attention_config config = {.d_model = WIDTH,
                                  .heads = 2,
                                  .dropout = 0.2,
                                  .rotary = l->kind->form == NN_ROTARY,
                                  .alibi = l->kind->form == NN_ALIBI};
    if (l->kind->form == NN_RELATIVE &&
        nn_relative_positions_init(&config.relative, &l->params, "relative", 2, false, error) != AG_OK)
        return error->status;
    return nn_attention_init(&l->attention, &l->params, "attention", &config, error);
}

static ag_tensor *apply_self_attention(const layer *l, const nn_pass *pass, ag_tensor *x, ag_tensor *memory)
{
    (void)memory;
    return nn_attention_apply(&l->attention, pass, x, x, x, ag_mask_causal(pass->tape, 0), NULL, NULL);
}

static ag_tensor *apply_cross_attention(const layer *l, const nn_pass *pass, ag_tensor *x, ag_tensor *memory)
{
    static const int32_t lengths[ROWS] = {MEMORY_LENGTH, 2, 0};
    const ag_mask *mask = ag_mask_key_lengths(pass->tape, ROWS, lengths);
    return nn_attention_apply(&l->attention, pass, x, memory, memory, mask, NULL, NULL);
}

static ag_status init_additive(layer *l, ag_error *error)
{
    const nn_additive_attention_config config = {.hidden = 6, .heads = 2, .query_width = WIDTH, .key_width = WIDTH};
    return nn_additive_attention_init(&l->additive, &l->params, "additive", &config, error);
}

static ag_tensor *apply_additive(const layer *l, const nn_pass *pass, ag_tensor *x, ag_tensor *memory)
{
    return nn_additive_attention_apply(&l->additive, pass, x, memory, memory, NULL, NULL);
}

static ag_status init_feed_forward(layer *l, ag_error *error)
{
    return nn_feed_forward_init(&l->feed_forward, &l->params, "block", WIDTH, 11, (ag_activation)l->kind->form, true,
                                0.1, error);
}

static ag_tensor *apply_feed_forward(const layer *l, const nn_pass *pass, ag_tensor *x, ag_tensor *memory)
{
    (void)memory;
    return nn_feed_forward_apply(&l->feed_forward, pass, x);
}

static nn_block_config block_config(const layer *l)
{
    return (nn_block_config){.attention = {.d_model = WIDTH, .heads = 2, .dropout = 0.1},
                             .ffn = 11,
                             .activation = AG_GELU,
                             .post_norm = l->kind->form,
                             .dropout = 0.1};
}

static ag_status init_encoder(layer *l, ag_error *error)
{
    const nn_block_config config = block_config(l);
    return nn_encoder_block_init(&l->encoder, &l->params, "encoder", &config, error);
}

static ag_tensor *apply_encoder(const layer *l, const nn_pass *pass, ag_tensor *x, ag_tensor *memory)
{
    (void)memory;
    return nn_encoder_block_apply(&l->encoder, pass, x, ag_mask_window(pass->tape, 2, 1), NULL);
}

static ag_status init_decoder(layer *l, ag_error *error)
{
    const nn_block_config config = block_config(l);
    return nn_decoder_block_init(&l->decoder, &l->params, "decoder", &config, error);
}

static ag_tensor *apply_decoder(const layer *l, const nn_pass *pass, ag_tensor *x, ag_tensor *memory)
{
    return nn_decoder_block_apply(&l->decoder, pass, x, memory, ag_mask_causal(pass->tape, 0), NULL, NULL, NULL);
}

static const layer_kind kinds[] = {
    {"linear", init_linear, apply_linear, 0},
    {"embedding", init_embedding, apply_embedding, 0},
    {"layer norm", init_norm, apply_norm, NN_LAYER_NORM},
    {"rms norm", init_norm, apply_norm, NN_RMS_NORM},
    {"learned positions", init_positions, apply_positions, 0},
    {"self-attention", init_attention, apply_self_attention, NN_NO_POSITIONS},
    {"rotary self-attention", init_attention, apply_self_attention, NN_ROTARY},
    {"alibi self-attention", init_attention, apply_self_attention, NN_ALIBI},
    {"relative self-attention", init_attention, apply_self_attention, NN_RELATIVE},
    {"cross-attention", init_attention, apply_cross_attention, NN_NO_POSITIONS},
    {"additive attention", init_additive, apply_additive, 0},
    {"relu feed-forward", init_feed_forward, apply_feed_forward, AG_RELU},
    {"gelu feed-forward", init_feed_forward, apply_feed_forward, AG_GELU},
    {"gelu_tanh feed-forward", init_feed_forward, apply_feed_forward, AG_GELU_TANH},
    {"silu feed-forward", init_feed_forward, apply_feed_forward, AG_SILU},
    {"gated feed-forward", init_feed_forward, apply_feed_forward, AG_GATED_SILU},
    {"encoder block", init_encoder, apply_encoder, false},
    {"post-norm encoder block", init_encoder, apply_encoder, true},
    {"decoder block", init_decoder, apply_decoder, false},
    {"post-norm decoder block", init_decoder, apply_decoder, true},
};

enum { KINDS = sizeof kinds / sizeof *kinds };

static ag_tensor *layer_function(const nn_pass *pass, ag_tensor *const *inputs, void *context)
{
    const layer *l = context;
    return l->kind->apply(l, pass, inputs[0], inputs[1]);
}

START_TEST(layers_agree)
{
    layer l = {.kind = &kinds[_i]};
    ag_error error = {0};
    ck_assert_int_eq(l.kind->init(&l, &error), AG_OK);
    ck_assert_int_eq(nn_params_allocate(&l.params, 3, &error), AG_OK);
    for (uint64_t seed = 0; seed < 8; seed++) {
        ag_real x[ROWS * LENGTH * WIDTH], dx[ROWS * LENGTH * WIDTH];
        ag_real memory[ROWS * MEMORY_LENGTH * WIDTH], dmemory[ROWS * MEMORY_LENGTH * WIDTH];
        const ag_gradcheck_input inputs[] = {{"x", AG_SHAPE(ROWS, LENGTH, WIDTH), x, dx},
                                             {"memory", AG_SHAPE(ROWS, MEMORY_LENGTH, WIDTH), memory, dmemory}};
        ag_dot_report report;
        test_fill(x, ROWS * LENGTH * WIDTH, seed, -1, 1);
        test_fill(memory, ROWS * MEMORY_LENGTH * WIDTH, seed + 1, -1, 1);
        test_fill(l.params.value, l.params.size, seed + 2, -0.7, 0.7);
        const ag_gradcheck_options options = {.seed = seed};
        ag_status status = nn_dot_test(layer_function, &l, &l.params, inputs, 2, &options, &report, &error);
        ck_assert_msg(status == AG_OK, "%s: %s", l.kind->name, error.message);
        ck_assert_msg(report.passed && report.error < LARGEST, "%s: %s", l.kind->name, report.message);
        ck_assert_int_eq(report.checked, 3);
    }
    nn_params_clear(&l.params);
}
END_TEST

/* ---- Whole models ------------------------------------------------------------------ */

/* y = x, with a gradient that is too large by a factor. */
static ag_status same_shape(ag_node *node)
{
    node->output->shape = node->inputs[0]->shape;
    return AG_OK;
}

static ag_status same_forward(ag_node *node)
{
    for (int64_t i = 0; i < node->output->size; i++)
        node->output->data[i] = node->inputs[0]->data[i];
    return AG_OK;
}

static ag_status same_jvp(ag_node *node, const ag_real *const *tangents, ag_real *tangent)
{
    for (int64_t i = 0; i < node->output->size; i++)
        tangent[i] = tangents[0][i];
    return AG_OK;
}

static ag_status larger_backward(ag_node *node)
{
    const ag_real factor = *(const ag_real *)node->attributes;
    ag_real *dx = ag_grad(node->inputs[0]);
    for (int64_t i = 0; i < node->output->size; i++)
        dx[i] += factor * node->output->grad[i];
    return AG_OK;
}

static const ag_op same = {.name = "same",
                           .formula = "y = x",
                           .shape = same_shape,
                           .forward = same_forward,
                           .backward = larger_backward,
                           .jvp = same_jvp};

typedef struct problem {
    nn_model *model;
    test_batch batch;
    bool plain_attention, bf16;
    ag_real factor; /* of the gradient of the logits; 0: no operation of our own */
} problem;

/* The training loss, with dropout. */
static ag_tensor *loss_of(const nn_pass *given, ag_tensor *const *inputs, void *context)
{
    problem *p = context;
    nn_pass pass = *given;
    const ag_cross_entropy_options options = {.ignore = true, .ignore_index = 0, .label_smoothing = 0.1};
    (void)inputs; /* there are none */
    pass.plain_attention = p->plain_attention;
    if (p->bf16)
        ck_assert(ag_tape_set_matmul(pass.tape, AG_MATMUL_BF16));
    ag_tensor *logits = nn_model_apply(p->model, &pass, &p->batch.input);
    if (p->factor != 0)
        logits = ag_custom(&same, &logits, 1, 1, &p->factor, sizeof p->factor);
    return ag_cross_entropy(logits, p->batch.labels, &options);
}

/* Model number `seed` of many kinds. */
static void problem_draw(problem *p, uint64_t seed)
{
    const nn_model_kind kind = (nn_model_kind)(seed % 3);
    const nn_model_config config = {.kind = kind,
                                    .positions = (nn_position_kind)(seed / 3 % (NN_NO_POSITIONS + 1)),
                                    .norm = (nn_norm_kind)(seed % 2),
                                    .activation = (ag_activation)(AG_RELU + seed % 5),
                                    .post_norm = seed % 4 == 3,
                                    .no_bias = seed % 7 == 6,
                                    .tied_output = kind != NN_ENCODER && seed % 5 == 4,
                                    .dropout = seed % 2 ? 0.1 : 0};
    *p = (problem){.model = test_model(config, seed + 9), .plain_attention = seed % 6 == 5};
    test_batch_fill(&p->batch, p->model, 4, 6, 5, seed);
}

static ag_dot_report dot_test_model(problem *p, uint64_t seed)
{
    ag_dot_report report;
    ag_error error = {0};
    const ag_gradcheck_options options = {.seed = seed};
    ag_status status = nn_dot_test(loss_of, p, &p->model->params, NULL, 0, &options, &report, &error);
    ck_assert_msg(status == AG_OK, "%s", error.message);
    return report;
}

START_TEST(models_agree)
{
    for (uint64_t seed = 0; seed < 24; seed++) {
        problem p;
        problem_draw(&p, seed);
        ag_dot_report report = dot_test_model(&p, seed);
        ck_assert_msg(report.passed && report.error < LARGEST, "model %d: %s", (int)seed, report.message);
        ck_assert_msg(report.bound <= 2 * LARGEST, "model %d: bound %g", (int)seed, report.bound);
        p.factor = (ag_real)PRECISION(1 + 1e-11, 1 + 1e-3);
        report = dot_test_model(&p, seed);
        ck_assert_msg(!report.passed && report.input >= 0, "model %d: %s", (int)seed, report.message);
        nn_model_free(p.model);
    }
}
END_TEST

/* The judge of both modes: differences along random directions. */
START_TEST(tangents_of_models_are_right)
{
    for (uint64_t seed = 0; seed < 6; seed++) {
        problem p;
        ag_gradcheck_report report;
        ag_error error = {0};
        const ag_gradcheck_options options = {
            .tolerance = PRECISION(1e-8, 1e-2), .directions = 2, .seed = seed, .forward_mode = true};
        problem_draw(&p, seed);
        ag_status status = nn_gradcheck(loss_of, &p, &p.model->params, NULL, 0, &options, &report, &error);
        ck_assert_msg(status == AG_OK, "%s", error.message);
        ck_assert_msg(report.passed, "model %d: %s", (int)seed, report.message);
        ck_assert_int_ge(report.checked + report.kinks, 2 * p.model->params.count);
        nn_model_free(p.model);
    }
}
END_TEST

START_TEST(models_agree_with_bf16)
{
    double least = 1;
    for (uint64_t seed = 0; seed < 24; seed++) {
        problem p;
        problem_draw(&p, seed);
        p.bf16 = true;
        ag_dot_report report = dot_test_model(&p, seed);
        ck_assert_msg(report.passed && report.bound < 0.1, "model %d: %s", (int)seed, report.message);
        least = fmin(least, report.error);
        p.factor = 2;
        report = dot_test_model(&p, seed);
        ck_assert_msg(!report.passed, "model %d: %s", (int)seed, report.message);
        nn_model_free(p.model);
    }
    ck_assert_msg(least > 1e-5, "%g: these are not products of bfloat16", least);
}
END_TEST

static void add_at_level(TCase *tests)
{
    tcase_add_loop_test(tests, layers_agree, 0, KINDS);
    tcase_add_test(tests, models_agree);
}

static Suite *suite(void)
{
    Suite *s = suite_create("nn_dot");
    TCase *others = tcase_create("others");
    test_at_each_level(s, add_at_level);
    tcase_set_timeout(others, 120);
    tcase_add_test(others, tangents_of_models_are_right);
    if (ag_matmul_available(AG_MATMUL_BF16))
        tcase_add_test(others, models_agree_with_bf16);
    suite_add_tcase(s, others);
    return s;
}

TEST_MAIN(suite)
