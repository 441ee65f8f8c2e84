/* test_reference_models.c - the three models beside nn.TransformerEncoder,
 * nn.TransformerDecoder and nn.Transformer: logits, loss, and the gradient of every
 * parameter (tests/reference/reference_models.py). */
#include "reference_util.h"

#include <math.h>
#include <string.h>

static const char *const kinds[] = {"encoder-decoder", "encoder", "decoder"};
static const char *const activations[] = {"relu", "gelu", "gelu-tanh", "silu"};
static const char *const positions[] = {"sinusoidal", "learned", "rotary", "alibi", "relative", "none"};
static const char *const reductions[] = {"mean", "sum"};
typedef enum mask_form { NONE, PADDING, CAUSAL, BOTH, WINDOWS } mask_form;
static const char *const forms[] = {"none", "padding", "causal", "both", "windows"};

/* Which of post-norm or not, relu or gelu, NONE .. BOTH a file has: all of them, as the
 * walk's test sees to. */
static bool covered[2][2][4];

static const char *const final_norms[] = {"usual", "yes", "no"};
static bool has_forms; /* whether the file has the settings of the forms of stacks */

static nn_model *new_model(const reference *at)
{
    ag_error error = {0};
    const nn_model_config config = {
        .kind = (nn_model_kind)reference_choice(at, "kind", kinds, 3),
        .source_vocab = reference_integer(at, "source_vocab"),
        .target_vocab = reference_integer(at, "target_vocab"),
        .d_model = reference_integer(at, "d_model"),
        .heads = reference_integer(at, "heads"),
        .encoder_layers = reference_integer(at, "encoder_layers"),
        .decoder_layers = reference_integer(at, "decoder_layers"),
        .ffn = reference_integer(at, "ffn"),
        .max_length = reference_integer(at, "max_length"),
        .activation = (ag_activation)(AG_RELU + reference_choice(at, "activation", activations, 4)),
        .norm_eps = reference_number(at, "norm_eps"),
        .positions = (nn_position_kind)reference_choice(at, "positions", positions, 6),
        .post_norm = reference_integer(at, "post_norm"),
        .tied_output = reference_integer(at, "tied_output"),
        .padding_id = reference_integer(at, "padding_id"),
        .final_norm = has_forms ? (nn_final_norm)reference_choice(at, "final_norm", final_norms, 3) : 0,
        .no_bias = has_forms && reference_integer(at, "no_bias"),
        .no_norm_bias = has_forms && reference_integer(at, "no_norm_bias"),
        .no_output_bias = has_forms && reference_integer(at, "no_output_bias"),
    };
    nn_model *model = nn_model_new(&config, 1, &error);
    ck_assert_msg(model != NULL, "%s: %s", at->name, error.message);
    return model;
}

/* The masks that a model has by itself are left to it. */
static void set_masks(nn_input *input, nn_model_kind kind, mask_form form, ag_tape *tape)
{
    const bool causal = form == CAUSAL || form == BOTH;
    if (form != PADDING && form != BOTH)
        input->source_lengths = input->target_lengths = NULL;
    if (kind == NN_ENCODER && causal)
        input->encoder_mask = ag_mask_causal(tape, 0);
    if (kind == NN_ENCODER && form == BOTH)
        input->encoder_mask =
            ag_mask_and(tape, input->encoder_mask, ag_mask_key_lengths(tape, input->rows, input->source_lengths));
    if (form == NONE)
        input->decoder_mask = ag_mask_all(tape);
    if (form == PADDING && kind != NN_ENCODER)
        input->decoder_mask = ag_mask_key_lengths(tape, input->rows, input->target_lengths);
    if (form == WINDOWS) {
        input->encoder_mask = ag_mask_window(tape, 1, 1);
        input->cross_mask = ag_mask_causal(tape, 1);
    }
}

static nn_input read_input(const reference *at, nn_model_kind kind, ag_tape *tape)
{
    nn_input input = {0};
    ag_shape shape;
    if (kind != NN_DECODER) {
        input.source = reference_integers(at, "source", &shape);
        input.source_length = shape.dim[1];
        input.source_lengths = reference_integers(at, "source_lengths", NULL);
    }
    if (kind != NN_ENCODER) {
        input.target = reference_integers(at, "target", &shape);
        input.target_length = shape.dim[1];
        input.target_lengths = reference_integers(at, "target_lengths", NULL);
    }
    input.rows = shape.dim[0];
    set_masks(&input, kind, (mask_form)reference_choice(at, "masks", forms, 5), tape);
    return input;
}

/* The logits, on a tape that is to be freed with them. */
static ag_tensor *apply(const reference *at, const nn_model *model, bool plain)
{
    ag_tape *tape = ag_tape_new(&(ag_tape_options){.threads = 1});
    ck_assert_ptr_nonnull(tape);
    const nn_pass pass = {.tape = tape, .params = &model->params, .plain_attention = plain};
    const nn_input input = read_input(at, model->config.kind, tape);
    ag_tensor *logits = nn_model_apply(model, &pass, &input);
    ck_assert_msg(logits != NULL, "%s: %s", at->name, ag_tape_error(tape)->message);
    return logits;
}

static void compare_model(const reference *at, nn_model *model, bool plain)
{
    ag_tensor *logits = apply(at, model, plain);
    const ag_cross_entropy_options options = {
        .ignore = true,
        .ignore_index = 0,
        .label_smoothing = reference_number(at, "label_smoothing"),
        .reduction = (ag_reduction)reference_choice(at, "reduction", reductions, 2),
    };
    ag_tensor *loss = ag_cross_entropy(logits, reference_integers(at, "labels", NULL), &options);
    nn_params_zero_grad(&model->params);
    ck_assert_int_eq(ag_backward(loss), AG_OK);
    reference_compare(at, "logits", logits->shape, logits->data);
    reference_compare(at, "loss", loss->shape, loss->data);
    reference_compare_params(at, &model->params, "", "grad", model->params.grad);
    ag_tape_free(logits->tape);
}

/* ---- A map that is wrong is found -------------------------------------------------- */

static double error_of_logits(const reference *at, const nn_model *model)
{
    int64_t worst;
    ag_tensor *logits = apply(at, model, false);
    const double error = reference_error(reference_values(at, "logits", NULL), logits->data, logits->size, &worst);
    ag_tape_free(logits->tape);
    return error;
}

static bool ends_with(const char *text, const char *end)
{
    return strlen(text) >= strlen(end) && !strcmp(text + strlen(text) - strlen(end), end);
}

/* Key, value, query instead of query, key, value. */
static void turn_parts(const nn_param *item, ag_real *values)
{
    const int64_t part = item->size / 3;
    for (int64_t i = 0; i < part; i++) {
        const ag_real first = values[i];
        values[i] = values[part + i];
        values[part + i] = values[2 * part + i];
        values[2 * part + i] = first;
    }
}

static void transpose(const nn_param *item, ag_real *values)
{
    const int64_t size = item->shape.dim[0];
    for (int64_t i = 0; i < size; i++)
        for (int64_t j = 0; j < i; j++) {
            const ag_real kept = values[i * size + j];
            values[i * size + j] = values[j * size + i];
            values[j * size + i] = kept;
        }
}

/* Changes the first parameter whose name ends so, and expects that the logits tell. */
static void expect_found(const reference *at, nn_model *model, const char *end,
                         void (*change)(const nn_param *item, ag_real *values))
{
    const nn_param *item = model->params.items;
    while (!ends_with(item->name, end))
        item++;
    change(item, model->params.value + item->offset);
    const double error = error_of_logits(at, model);
    ck_assert_msg(error > 100 * REFERENCE_LIMIT, "%s: a wrong %s gives an error of %g only", at->name, end, error);
    reference_load(at, &model->params, "");
}

static void check_model(const reference *at)
{
    nn_model *model = new_model(at);
    const mask_form form = (mask_form)reference_choice(at, "masks", forms, 5);
    reference_load(at, &model->params, "");
    compare_model(at, model, false);
    compare_model(at, model, true);
    expect_found(at, model, "in_proj_weight", turn_parts);
    expect_found(at, model, "out_proj.weight", transpose);
    if (form <= BOTH && model->config.activation <= AG_GELU)
        covered[model->config.post_norm][model->config.activation - AG_RELU][form] = true;
    nn_model_free(model);
}

static void check_file(const char *name, int cases)
{
    memset(covered, 0, sizeof covered);
    reference_walk(name, cases, check_model);
    for (int i = 0; i < 2 * 2 * 4; i++)
        ck_assert_msg(covered[i / 8][i / 4 % 2][i % 4], "%s: %s-norm, %s, masks %s: there is no such case", name,
                      i / 8 ? "post" : "pre", activations[i / 4 % 2], forms[i % 4]);
}

/* Final norms after any stack, norms and outputs without biases: nn.Transformer as it is
 * by default, among others. */
START_TEST(all_forms_of_stacks_are_those_of_pytorch)
{
    has_forms = true;
    reference_walk("stacks", 11, check_model);
}
END_TEST

START_TEST(encoders_are_those_of_pytorch)
{
    check_file("encoder", 22);
}
END_TEST

START_TEST(decoders_are_those_of_pytorch)
{
    check_file("decoder", 22);
}
END_TEST

START_TEST(encoder_decoders_are_those_of_pytorch)
{
    check_file("encoder_decoder", 20);
}
END_TEST

/* ---- The measure ------------------------------------------------------------------- */

START_TEST(errors_are_found)
{
    static const ag_real small[] = {(ag_real)0.5, (ag_real)-0.001, 0, (ag_real)0.002}, large[] = {1, 1000, -100, 0};
    static const ag_real zeros[4];
    ag_real actual[4];
    int64_t worst;
    ck_assert(reference_error(small, small, 4, &worst) == 0);
    ck_assert(reference_error(zeros, zeros, 4, &worst) == 0);
    for (int i = 0; i < 4; i++) { /* by the tensor's largest number, 0.5 */
        memcpy(actual, small, sizeof actual);
        actual[i] += (ag_real)(0.5 * 3 * REFERENCE_LIMIT);
        const double error = reference_error(small, actual, 4, &worst);
        ck_assert(error > 2.9 * REFERENCE_LIMIT && error < 3.1 * REFERENCE_LIMIT && worst == i);
    }
    for (int i = 0; i < 4; i++) { /* by max(1, |e|) */
        const double size = i == 0 || i == 3 ? 1 : i == 1 ? 1000 : 100;
        memcpy(actual, large, sizeof actual);
        actual[i] += (ag_real)(size * 30 * REFERENCE_LIMIT);
        const double error = reference_error(large, actual, 4, &worst);
        ck_assert(error > 29 * REFERENCE_LIMIT && error < 31 * REFERENCE_LIMIT && worst == i);
    }
    memcpy(actual, zeros, sizeof actual);
    actual[2] = (ag_real)1e-30;
    ck_assert(reference_error(zeros, actual, 4, &worst) > 1 && worst == 2);
    actual[2] = (ag_real)NAN;
    ck_assert(reference_error(small, actual, 4, &worst) > 1 && worst == 2);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("reference models");
    TCase *tcase = tcase_create("all");
    tcase_add_test(tcase, encoders_are_those_of_pytorch);
    tcase_add_test(tcase, all_forms_of_stacks_are_those_of_pytorch);
    tcase_add_test(tcase, decoders_are_those_of_pytorch);
    tcase_add_test(tcase, encoder_decoders_are_those_of_pytorch);
    tcase_add_test(tcase, errors_are_found);
    suite_add_tcase(s, tcase);
    return s;
}

TEST_MAIN(suite)
