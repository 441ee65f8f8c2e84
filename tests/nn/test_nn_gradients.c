/* test_nn_gradients.c - the gradients of whole models against central differences. */
#include "nn_util.h"

#include <math.h>

typedef struct problem {
    nn_model *model;
    test_batch batch;
    bool plain;
    double label_smoothing;
} problem;

/* The training loss of the model, with dropout from a fixed stream. */
static ag_tensor *loss_of(ag_tape *tape, ag_tensor *const *inputs, void *context)
{
    const problem *p = context;
    const nn_pass pass = {.tape = tape, .params = &p->model->params, .training = true, .plain_attention = p->plain};
    const ag_cross_entropy_options options = {.ignore = true, .ignore_index = 0, .label_smoothing = p->label_smoothing};
    (void)inputs; /* the same memory as the model's parameters */
    ag_tape_seed(tape, 11, 5);
    return ag_cross_entropy(nn_model_apply(p->model, &pass, &p->batch.input), p->batch.labels, &options);
}

#define MOST_PARAMETERS 128

/* Every parameter of the model is an input of the check. */
static void fill_inputs(const nn_params *params, ag_gradcheck_input inputs[MOST_PARAMETERS])
{
    ck_assert_int_le(params->count, MOST_PARAMETERS);
    for (int i = 0; i < params->count; i++) {
        const nn_param *item = &params->items[i];
        inputs[i] =
            (ag_gradcheck_input){item->name, item->shape, params->value + item->offset, params->grad + item->offset};
    }
}

/* directions 0: every element. */
static void check_model(nn_model_config config, int64_t rows, int64_t source_length, int64_t target_length,
                        int directions, bool plain)
{
    problem p = {.model = test_model(config, 9), .plain = plain, .label_smoothing = 0.1};
    ag_gradcheck_input inputs[MOST_PARAMETERS];
    ag_gradcheck_report report;
    ag_error error = {0};
    const nn_params *params = &p.model->params;

    test_batch_fill(&p.batch, p.model, rows, source_length, target_length, 8);
    fill_inputs(params, inputs);
#ifndef TAPEFORMER_DOUBLE
    directions = directions ? directions : 2;
#endif
    /* In float the rounding of a whole model is what limits the numeric side. */
    const ag_gradcheck_options options = {.tolerance = PRECISION(1e-8, 1e-2), .directions = directions, .seed = 4};
    ag_status status = ag_gradcheck(loss_of, &p, inputs, params->count, &options, &report, &error);
    ck_assert_msg(status == AG_OK, "%s", error.message);
    ck_assert_msg(report.passed, "%s", report.message);
    ck_assert_int_ge(report.checked + report.kinks, directions ? (int64_t)directions * params->count : params->size);
    ck_assert_int_le(report.kinks * 20, report.checked);
    nn_model_free(p.model);
}

static const nn_model_config encoder_decoder = {
    .kind = NN_ENCODER_DECODER, .dropout = 0.1, .activation = AG_GELU, .source_vocab = 6, .target_vocab = 6, .ffn = 10};

START_TEST(every_element_pre_norm)
{
    check_model(encoder_decoder, 2, 3, 3, 0, false);
}
END_TEST

START_TEST(every_element_post_norm)
{
    nn_model_config config = encoder_decoder;
    config.post_norm = true;
    config.activation = AG_RELU;
    check_model(config, 2, 3, 3, 0, false);
}
END_TEST

START_TEST(plain_attention)
{
    check_model(encoder_decoder, 3, 5, 4, 3, true);
}
END_TEST

START_TEST(encoder_with_rotary_positions)
{
    nn_model_config config = {.kind = NN_ENCODER,
                              .positions = NN_ROTARY,
                              .norm = NN_RMS_NORM,
                              .activation = AG_GATED_SILU,
                              .no_bias = true,
                              .dropout = 0.2};
    check_model(config, 3, 6, 0, 4, false);
}
END_TEST

START_TEST(decoder_with_learned_positions_and_tied_output)
{
    nn_model_config config = {
        .kind = NN_DECODER, .positions = NN_LEARNED, .activation = AG_SILU, .tied_output = true, .max_length = 6};
    check_model(config, 3, 0, 6, 4, false);
}
END_TEST

START_TEST(encoder_decoder_with_everything_else)
{
    nn_model_config config = {.kind = NN_ENCODER_DECODER,
                              .positions = NN_ROTARY,
                              .activation = AG_GELU_TANH,
                              .norm = NN_RMS_NORM,
                              .post_norm = true,
                              .tied_output = true,
                              .dropout = 0.1};
    check_model(config, 3, 5, 6, 4, false);
}
END_TEST

/* Whose tables every layer of a stack adds to. */
START_TEST(relative_positions)
{
    nn_model_config config = {.kind = NN_ENCODER_DECODER, .positions = NN_RELATIVE, .activation = AG_GELU};
    check_model(config, 2, 5, 6, 4, false);
    config.kind = NN_DECODER;
    check_model(config, 2, 0, 20, 4, true);
}
END_TEST

START_TEST(alibi)
{
    nn_model_config config = {.kind = NN_ENCODER_DECODER, .positions = NN_ALIBI, .activation = AG_GELU};
    check_model(config, 2, 4, 4, 4, false);
}
END_TEST

START_TEST(positions_within_cross_attention)
{
    nn_model_config config = {.kind = NN_ENCODER_DECODER,
                              .positions = (nn_position_kind)_i,
                              .cross_positions = true,
                              .cross_window = 2,
                              .activation = AG_GELU};
    if (test_acts_within_attention(config.positions))
        check_model(config, 2, 5, 6, 4, false);
}
END_TEST

/* The Hessian of a whole model is symmetric: u.Hv = v.Hu. The bound is the error that
 * ag_hvp estimates for an element of each product, of which the other vector, of elements
 * below 1, sums up as many as there are parameters, of either sign. */
START_TEST(symmetric_hessian)
{
    enum { MOST_NUMBERS = 8192 };
    static ag_real vectors[2][MOST_NUMBERS], products[2][MOST_NUMBERS];
    problem p = {.model = test_model(encoder_decoder, 9), .label_smoothing = 0.1};
    const nn_params *params = &p.model->params;
    ag_gradcheck_input inputs[MOST_PARAMETERS];
    double bound = 0, dots[2] = {0, 0};
    test_batch_fill(&p.batch, p.model, 2, 3, 3, 8);
    fill_inputs(params, inputs);
    ck_assert_int_le(params->size, MOST_NUMBERS);
    for (int side = 0; side < 2; side++) {
        const ag_real *direction[MOST_PARAMETERS];
        ag_real *product[MOST_PARAMETERS];
        ag_hvp_report report;
        ag_error error = {0};
        test_fill(vectors[side], MOST_NUMBERS, 13 + (uint64_t)side, -1, 1);
        for (int i = 0; i < params->count; i++) {
            direction[i] = vectors[side] + params->items[i].offset;
            product[i] = products[side] + params->items[i].offset;
        }
        ag_status status = ag_hvp(loss_of, &p, inputs, params->count, direction, product, NULL, &report, &error);
        ck_assert_msg(status == AG_OK, "%s", error.message);
        double largest = 1;
        for (int64_t k = 0; k < params->size; k++)
            largest = fmax(largest, fabs((double)products[side][k]));
        bound += report.error * largest * sqrt((double)params->size);
    }
    for (int side = 0; side < 2; side++)
        for (int64_t k = 0; k < params->size; k++)
            dots[side] += (double)vectors[!side][k] * (double)products[side][k];
    ck_assert_double_le(fabs(dots[0] - dots[1]), bound);
    nn_model_free(p.model);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("nn_gradients");
    TCase *tcase = tcase_create("gradients");
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, every_element_pre_norm);
    tcase_add_test(tcase, every_element_post_norm);
    tcase_add_test(tcase, plain_attention);
    tcase_add_test(tcase, encoder_with_rotary_positions);
    tcase_add_test(tcase, decoder_with_learned_positions_and_tied_output);
    tcase_add_test(tcase, encoder_decoder_with_everything_else);
    tcase_add_test(tcase, relative_positions);
    tcase_add_test(tcase, alibi);
    tcase_add_loop_test(tcase, positions_within_cross_attention, 0, NN_NO_POSITIONS + 1);
    tcase_add_test(tcase, symmetric_hessian);
    suite_add_tcase(s, tcase);
    return s;
}

TEST_MAIN(suite)
