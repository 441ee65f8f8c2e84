/* test_nn_models.c - the three models: shapes, masks, independence of padding, batch and
 * threads, memory. */
#include "nn_util.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const nn_model_kind kinds[] = {NN_ENCODER_DECODER, NN_ENCODER, NN_DECODER};

#define ASSERT_LOGITS(logits, tape) ck_assert_msg((logits) != NULL, "%s", ag_tape_error(tape)->message)

/* ---- Shapes and configurations ----------------------------------------------------- */

START_TEST(shapes_of_logits)
{
    for (int k = 0; k < 3; k++) {
        nn_model *model = test_model((nn_model_config){.kind = kinds[k]}, 1);
        ag_tape *tape = test_quiet_tape();
        nn_pass pass = test_pass(model, tape);
        test_batch batch;
        test_batch_fill(&batch, model, 3, 5, 4, 2);
        const ag_tensor *logits = nn_model_apply(model, &pass, &batch.input);
        ASSERT_LOGITS(logits, tape);
        ck_assert(ag_shape_equal(logits->shape, AG_SHAPE(3, kinds[k] == NN_ENCODER ? 5 : 4, 7)));
        const ag_tensor *memory = nn_model_encode(model, &pass, &batch.input);
        if (kinds[k] == NN_DECODER)
            ck_assert_ptr_null(memory);
        else
            ck_assert(ag_shape_equal(memory->shape, AG_SHAPE(3, 5, 8)));
        ag_tape_free(tape);
        nn_model_free(model);
    }
}
END_TEST

/* Encoding once and decoding gives the bits of the whole. */
START_TEST(a_memory_is_decoded)
{
    for (int k = 0; k < 3; k++) {
        nn_model *model = test_model((nn_model_config){.kind = kinds[k]}, 1);
        ag_tape *tape = test_quiet_tape();
        nn_pass pass = test_pass(model, tape);
        test_batch batch;
        test_batch_fill(&batch, model, 3, 5, 4, 2);
        const ag_tensor *whole = nn_model_apply(model, &pass, &batch.input);
        ag_tensor *memory = kinds[k] == NN_DECODER ? NULL : nn_model_encode(model, &pass, &batch.input);
        ag_tensor *copy = memory ? ag_constant(tape, memory->shape, memory->data) : NULL;
        const ag_tensor *logits = nn_model_decode(model, &pass, &batch.input, copy);
        if (kinds[k] == NN_ENCODER)
            ck_assert_int_eq(ag_tape_error(tape)->status, AG_BAD_VALUE);
        else {
            ASSERT_LOGITS(logits, tape);
            ck_assert(ag_shape_equal(logits->shape, whole->shape));
            ck_assert(!memcmp(logits->data, whole->data, (size_t)ag_shape_size(whole->shape) * sizeof(ag_real)));
        }
        ag_tape_free(tape);
        nn_model_free(model);
    }
}
END_TEST

START_TEST(bad_configurations_are_named)
{
    static const struct {
        nn_model_config config;
        const char *message;
    } cases[] = {
        {{.source_vocab = 5, .target_vocab = 5, .d_model = 64, .heads = 3},
         "heads 3 does not divide d_model 64 (use 2 or 4?)"},
        {{.target_vocab = 5}, "source_vocab is 0"},
        {{.source_vocab = 5}, "target_vocab is 0"},
        {{.source_vocab = 5, .target_vocab = 5, .d_model = -3}, "d_model is -3"},
        {{.source_vocab = 5, .target_vocab = 5, .heads = -1}, "heads is -1"},
        {{.source_vocab = 5, .target_vocab = 5, .encoder_layers = -2}, "encoder_layers is -2"},
        {{.source_vocab = 5, .target_vocab = 5, .decoder_layers = 5000}, "decoder_layers is 5000"},
        {{.source_vocab = 5, .target_vocab = 5, .ffn = -1}, "ffn is -1"},
        {{.source_vocab = 5, .target_vocab = 5, .max_length = -1}, "max_length is -1"},
        {{.source_vocab = 5, .target_vocab = 5, .dropout = 1}, "dropout is 1"},
        {{.source_vocab = 5, .target_vocab = 5, .dropout = -0.5}, "dropout is -0.5"},
        {{.source_vocab = 5, .target_vocab = 5, .norm_eps = -1}, "norm_eps is -1"},
        {{.source_vocab = 5, .target_vocab = 5, .d_model = 6, .heads = 2, .positions = NN_ROTARY}, "head width 3"},
        {{.source_vocab = 5, .target_vocab = 5, .padding_id = 5}, "padding_id is 5"},
        {{.source_vocab = 5, .target_vocab = 5, .kind = NN_ENCODER, .tied_output = true}, "tied_output"},
        {{.source_vocab = 5, .target_vocab = 5, .cross_positions = true}, "use rotary, alibi or relative positions"},
        {{.source_vocab = 5, .target_vocab = 5, .kind = NN_ENCODER, .positions = NN_ALIBI, .cross_positions = true},
         "cross_positions: only an encoder-decoder has cross-attention"},
        {{.target_vocab = 5, .kind = NN_DECODER, .cross_window = 2}, "cross_window: only an encoder-decoder"},
        {{.source_vocab = 5, .target_vocab = 5, .cross_window = -1}, "cross_window is -1"},
        {{.source_vocab = 5, .target_vocab = 5, .kind = (nn_model_kind)7}, "kind is 7"},
        {{.source_vocab = 5, .target_vocab = 5, .activation = (ag_activation)9}, "activation is 9"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ag_error error = {0};
        ck_assert_ptr_null(nn_model_new(&cases[i].config, 1, &error));
        ck_assert_int_eq(error.status, AG_BAD_VALUE);
        ck_assert_msg(strstr(error.message, cases[i].message) != NULL, "case %zu: %s", i, error.message);
    }
}
END_TEST

/* Each size alone beyond its end, all others good: no later check may make up for it. */
START_TEST(each_size_has_two_ends)
{
    const nn_model_config good = {
        .source_vocab = 9, .target_vocab = 9, .d_model = 8, .heads = 2, .ffn = 8, .max_length = 8};
    for (int i = 0; i < 12; i++) {
        nn_model_config config = good;
        const struct {
            const char *name;
            int *field, most;
        } sizes[] = {{"d_model", &config.d_model, 1 << 20},
                     {"heads", &config.heads, 1 << 20},
                     {"encoder_layers", &config.encoder_layers, 1024},
                     {"decoder_layers", &config.decoder_layers, 1024},
                     {"ffn", &config.ffn, 1 << 23},
                     {"max_length", &config.max_length, 1 << 24}};
        const int value = i % 2 ? -1 : 2 * sizes[i / 2].most; /* even: heads divide it */
        char message[128];
        ag_error error = {0};
        *sizes[i / 2].field = value;
        snprintf(message, sizeof message, "%s is %d: it must be 1 to %d", sizes[i / 2].name, value, sizes[i / 2].most);
        ck_assert_int_eq(nn_model_config_complete(&config, &error), AG_BAD_VALUE);
        ck_assert_str_eq(error.message, message);
    }
    nn_model_config config = good;
    config.source_vocab = -1;
    ck_assert_int_eq(nn_model_config_complete(&config, NULL), AG_BAD_VALUE);
    config = good;
    ck_assert_int_eq(nn_model_config_complete(&config, NULL), AG_OK);
}
END_TEST

START_TEST(bad_input_is_named)
{
    nn_model *model = test_model((nn_model_config){.positions = NN_LEARNED, .max_length = 6}, 1);
    ag_tape *tape = test_quiet_tape();
    nn_pass pass = test_pass(model, tape);
    test_batch batch;
    test_batch_fill(&batch, model, 2, 5, 4, 2);
    nn_input cases[5];
    static const char *const messages[] = {"the source is missing", "the target is missing",
                                           "the source of row 1 has 6 tokens",
                                           "a sequence of 7 tokens is longer than the 6", "id 9"};
    static const int32_t lengths[] = {5, 6}, ids[10] = {3, 4, 9}, many[14] = {3};
    for (int i = 0; i < 5; i++)
        cases[i] = batch.input;
    cases[0].source = NULL;
    cases[1].target = NULL;
    cases[2].source_lengths = lengths;
    cases[3].source_length = 7;
    cases[3].source = many;
    cases[3].source_lengths = NULL;
    cases[4].source = ids;
    for (int i = 0; i < 5; i++) {
        ag_tape_rewind(tape);
        ck_assert_ptr_null(nn_model_apply(model, &pass, &cases[i]));
        ck_assert_msg(strstr(ag_tape_error(tape)->message, messages[i]) != NULL, "case %d: %s", i,
                      ag_tape_error(tape)->message);
    }
    ag_tape_rewind(tape);
    ck_assert_ptr_nonnull(nn_model_apply(model, &pass, &batch.input));
    ag_tape_free(tape);
    nn_model_free(model);
}
END_TEST

/* ---- Masks ------------------------------------------------------------------------- */

/* The logits of the batch, copied. */
static void logits_of(const nn_model *model, const nn_input *input, bool plain, ag_real *out)
{
    ag_tape *tape = test_quiet_tape();
    nn_pass pass = test_pass(model, tape);
    pass.plain_attention = plain;
    const ag_tensor *logits = nn_model_apply(model, &pass, input);
    ASSERT_LOGITS(logits, tape);
    memcpy(out, logits->data, (size_t)logits->size * sizeof(ag_real));
    ag_tape_free(tape);
}

/* Copies rows of `length` tokens into rows of `wide`, with `filler` after them. */
static void widen(const int32_t *from, int64_t rows, int64_t length, int64_t wide, int32_t filler, int32_t *to)
{
    for (int64_t b = 0; b < rows; b++)
        for (int64_t t = 0; t < wide; t++)
            to[b * wide + t] = t < length ? from[b * length + t] : filler;
}

START_TEST(padding_changes_nothing)
{
    enum { ROWS = 4, SOURCE = 5, TARGET = 4, WIDE = 11 };
    for (int variant = 0; variant < 6; variant++) {
        nn_model *model = test_model((nn_model_config){.kind = kinds[variant % 3], .positions = NN_ROTARY}, 1);
        const int64_t vocab = 7, length = model->config.kind == NN_ENCODER ? SOURCE : TARGET;
        static int32_t source[ROWS * WIDE], target[ROWS * WIDE];
        static ag_real narrow[ROWS * WIDE * 7], wide[ROWS * WIDE * 7];
        test_batch batch;
        test_batch_fill(&batch, model, ROWS, SOURCE, TARGET, 2);
        logits_of(model, &batch.input, variant >= 3, narrow);
        for (int32_t filler = 0; filler <= 5; filler += 5) { /* what stands in the padding does not matter either */
            nn_input input = batch.input;
            widen(batch.source, ROWS, SOURCE, WIDE, filler, source);
            widen(batch.target, ROWS, TARGET, WIDE, filler, target);
            if (input.source) {
                input.source = source;
                input.source_length = WIDE;
            }
            if (input.target) {
                input.target = target;
                input.target_length = WIDE;
            }
            logits_of(model, &input, variant >= 3, wide);
            const int32_t *lengths = input.target ? input.target_lengths : input.source_lengths;
            for (int64_t b = 0; b < ROWS; b++) {
                double distance =
                    test_distance(narrow + b * length * vocab, wide + b * WIDE * vocab, lengths[b] * vocab);
                ck_assert_msg(distance <= PRECISION(1e-13, 2e-6), "variant %d, row %d: %g", variant, (int)b, distance);
            }
        }
        nn_model_free(model);
    }
}
END_TEST

START_TEST(rows_do_not_see_each_other)
{
    enum { ROWS = 4, SOURCE = 5, TARGET = 4 };
    for (int k = 0; k < 3; k++) {
        nn_model *model = test_model((nn_model_config){.kind = kinds[k]}, 1);
        const int64_t length = kinds[k] == NN_ENCODER ? SOURCE : TARGET, vocab = 7;
        static ag_real all[ROWS * SOURCE * 7], alone[SOURCE * 7];
        test_batch batch;
        test_batch_fill(&batch, model, ROWS, SOURCE, TARGET, 2);
        logits_of(model, &batch.input, false, all);
        for (int64_t b = 0; b < ROWS; b++) {
            nn_input one = batch.input;
            one.rows = 1;
            if (one.source) {
                one.source += b * SOURCE;
                one.source_lengths += b;
            }
            if (one.target) {
                one.target += b * TARGET;
                one.target_lengths += b;
            }
            logits_of(model, &one, false, alone);
            ck_assert_double_le(test_distance(all + b * length * vocab, alone, length * vocab), PRECISION(1e-13, 2e-6));
        }
        nn_model_free(model);
    }
}
END_TEST

/* With as many rows as positions, an exchange of the two axes would go unnoticed by the
 * shapes. */
START_TEST(square_batches_keep_their_axes)
{
    for (int k = 0; k < 3; k++) {
        nn_model *model = test_model((nn_model_config){.kind = kinds[k]}, 1);
        ag_real before[2 * 2 * 7], after[2 * 2 * 7];
        test_batch batch;
        test_batch_fill(&batch, model, 2, 2, 2, 2);
        batch.input.source_lengths = batch.input.target_lengths = NULL;
        logits_of(model, &batch.input, false, before);
        batch.source[3] = batch.source[3] == 4 ? 5 : 4; /* row 1 alone changes */
        batch.target[3] = batch.target[3] == 4 ? 5 : 4;
        logits_of(model, &batch.input, false, after);
        ck_assert_mem_eq(before, after, 14 * sizeof(ag_real));
        ck_assert_double_gt(test_distance(before + 14, after + 14, 14), 1e-3);
        nn_model_free(model);
    }
}
END_TEST

START_TEST(later_tokens_change_nothing_before_them)
{
    enum { ROWS = 2, LENGTH = 6 };
    for (int variant = 0; variant < 8; variant++) {
        nn_model *model = test_model((nn_model_config){.kind = variant & 1 ? NN_DECODER : NN_ENCODER_DECODER,
                                                       .positions = variant & 2 ? NN_ROTARY : NN_SINUSOIDAL},
                                     1);
        static ag_real before[ROWS * LENGTH * 7], after[ROWS * LENGTH * 7];
        test_batch batch;
        test_batch_fill(&batch, model, ROWS, 5, LENGTH, 2);
        batch.input.target_lengths = NULL;
        logits_of(model, &batch.input, variant & 4, before);
        for (int64_t t = 1; t < LENGTH; t++) {
            int32_t *token = &batch.target[t], kept = *token;
            *token = kept == 4 ? 5 : 4;
            logits_of(model, &batch.input, variant & 4, after);
            ck_assert_mem_eq(before, after, (size_t)(t * 7) * sizeof(ag_real));
            ck_assert_double_gt(test_distance(before + t * 7, after + t * 7, 7), 1e-4);
            ck_assert_mem_eq(before + LENGTH * 7, after + LENGTH * 7, LENGTH * 7 * sizeof(ag_real));
            *token = kept;
        }
        nn_model_free(model);
    }
}
END_TEST

/* A mask of the caller's own takes the place of the model's. */
START_TEST(masks_can_be_replaced)
{
    nn_model *model = test_model((nn_model_config){.kind = NN_ENCODER_DECODER}, 1);
    ag_tape *tape = test_quiet_tape();
    nn_pass pass = test_pass(model, tape);
    test_batch batch;
    test_batch_fill(&batch, model, 3, 5, 4, 2);
    const ag_tensor *own = nn_model_apply(model, &pass, &batch.input);
    ASSERT_LOGITS(own, tape);
    nn_input input = batch.input;
    input.encoder_mask = input.cross_mask = ag_mask_key_lengths(tape, 3, batch.source_lengths);
    input.decoder_mask = ag_mask_and(tape, ag_mask_causal(tape, 0), ag_mask_key_lengths(tape, 3, batch.target_lengths));
    const ag_tensor *given = nn_model_apply(model, &pass, &input);
    ASSERT_LOGITS(given, tape);
    ck_assert_mem_eq(own->data, given->data, (size_t)own->size * sizeof(ag_real));
    for (int which = 0; which < 3; which++) {
        nn_input other = input;
        *(which == 0   ? &other.encoder_mask
          : which == 1 ? &other.decoder_mask
                       : &other.cross_mask) = ag_mask_window(tape, 0, 0);
        const ag_tensor *changed = nn_model_apply(model, &pass, &other);
        ASSERT_LOGITS(changed, tape);
        ck_assert_double_gt(test_distance(own->data, changed->data, own->size), 1e-3);
    }
    ag_tape_free(tape);
    nn_model_free(model);
}
END_TEST

/* ---- Training ---------------------------------------------------------------------- */

static ag_tensor *loss_of(const nn_model *model, ag_tape *tape, const test_batch *batch, bool training)
{
    const nn_pass pass = {.tape = tape, .params = &model->params, .training = training};
    const ag_cross_entropy_options options = {.ignore = true, .ignore_index = 0, .label_smoothing = 0.1};
    ag_tape_seed(tape, 3, 4);
    return ag_cross_entropy(nn_model_apply(model, &pass, &batch->input), batch->labels, &options);
}

START_TEST(every_parameter_learns)
{
    for (int variant = 0; variant < 12; variant++) {
        nn_model *model = test_model((nn_model_config){.kind = kinds[variant % 3],
                                                       .post_norm = variant / 3 % 2,
                                                       .norm = variant / 6 ? NN_RMS_NORM : NN_LAYER_NORM,
                                                       .activation = variant / 6 ? AG_GATED_SILU : AG_GELU,
                                                       .positions = variant / 6 ? NN_SINUSOIDAL : NN_LEARNED},
                                     1);
        ag_tape *tape = ag_tape_new(NULL);
        test_batch batch;
        test_batch_fill(&batch, model, 3, 5, 4, 2);
        ck_assert_int_eq(ag_backward(loss_of(model, tape, &batch, true)), AG_OK);
        for (int i = 0; i < model->params.count; i++) {
            const nn_param *item = &model->params.items[i];
            double sum = 0;
            for (int64_t e = 0; e < item->size; e++)
                sum += (double)model->params.grad[item->offset + e] * (double)model->params.grad[item->offset + e];
            ck_assert_msg(sum > 1e-10, "%s has no gradient", item->name);
        }
        /* padding's embedding has none */
        const char *name = model->config.kind == NN_DECODER ? "tgt_embedding.weight" : "src_embedding.weight";
        const nn_param *table = &model->params.items[nn_params_find(&model->params, name)];
        for (int d = 0; d < 8; d++)
            ck_assert(model->params.grad[table->offset + d] == 0);
        ag_tape_free(tape);
        nn_model_free(model);
    }
}
END_TEST

/* A row without any token, neither source nor target, through a hundred steps of
 * descent. */
START_TEST(a_row_of_padding_alone_is_no_danger)
{
    for (int variant = 0; variant < 6; variant++) {
        nn_model *model = test_model((nn_model_config){.kind = kinds[variant % 3], .post_norm = variant / 3}, 1);
        nn_params *params = &model->params;
        ag_tape *tape = ag_tape_new(NULL);
        test_batch batch;
        test_batch_fill(&batch, model, 3, 5, 5, 2);
        batch.source_lengths[1] = batch.target_lengths[1] = 0;
        memset(batch.labels + 5, 0, 5 * sizeof *batch.labels);
        for (int step = 0; step < 100; step++) {
            ag_tape_rewind(tape);
            nn_params_zero_grad(params);
            ag_tensor *loss = loss_of(model, tape, &batch, true);
            ck_assert_int_eq(ag_backward_checked(loss), AG_OK);
            ck_assert(isfinite(loss->data[0]));
            for (int64_t i = 0; i < params->size; i++)
                params->value[i] -= (ag_real)0.05 * params->grad[i];
        }
        for (int64_t i = 0; i < params->size; i++)
            ck_assert(isfinite(params->value[i]));
        ag_tape_free(tape);
        nn_model_free(model);
    }
}
END_TEST

/* Large enough for the kernels to cut the work into pieces. */
START_TEST(threads_change_no_bit)
{
    for (int k = 0; k < 3; k++) {
        nn_model *model = test_model((nn_model_config){.kind = kinds[k],
                                                       .d_model = 48,
                                                       .heads = 3,
                                                       .ffn = 96,
                                                       .source_vocab = 40,
                                                       .target_vocab = 30,
                                                       .dropout = 0.1,
                                                       .max_length = 32},
                                     1);
        const size_t bytes = (size_t)model->params.size * sizeof(ag_real);
        ag_real *gradients = malloc(bytes), loss = 0;
        test_batch batch;
        test_batch_fill(&batch, model, 16, 30, 28, 2);
        static const int threads[] = {1, 2, 4};
        for (int i = 0; i < 3; i++) {
            ag_tape *tape = ag_tape_new(&(ag_tape_options){.threads = threads[i]});
            nn_params_zero_grad(&model->params);
            ag_tensor *value = loss_of(model, tape, &batch, true);
            ck_assert_int_eq(ag_backward(value), AG_OK);
            if (i == 0) {
                memcpy(gradients, model->params.grad, bytes);
                loss = value->data[0];
            }
            ck_assert_mem_eq(value->data, &loss, sizeof loss);
            ck_assert_mem_eq(model->params.grad, gradients, bytes);
            ag_tape_free(tape);
        }
        free(gradients);
        nn_model_free(model);
    }
}
END_TEST

START_TEST(the_second_pass_allocates_nothing)
{
    for (int k = 0; k < 3; k++) {
        nn_model *model =
            test_model((nn_model_config){.kind = kinds[k], .dropout = 0.1, .positions = k ? NN_ROTARY : NN_LEARNED}, 1);
        ag_tape *tape = ag_tape_new(&(ag_tape_options){.threads = 1});
        test_batch batch;
        test_batch_fill(&batch, model, 4, 7, 6, 2);
        int64_t allocations = 0;
        bool fine = true;
        for (int i = 0; i < 3; i++) { /* no assertion in here: those allocate */
            if (i == 1)
                allocations = test_allocations();
            fine = ag_backward(loss_of(model, tape, &batch, true)) == AG_OK && fine;
            ag_tape_rewind(tape);
        }
        allocations = test_allocations() - allocations;
        ck_assert(fine);
        ck_assert_int_eq(allocations, 0);
        ag_tape_free(tape);
        nn_model_free(model);
    }
}
END_TEST

/* ---- Looking inside ---------------------------------------------------------------- */

typedef struct seen {
    int count;
    char names[8][64];
    ag_shape shapes[8];
    bool sums;  /* every row of weights adds up to 1 */
    bool masks; /* what the mask forbids weighs nothing, and all else something */
} seen;

static void note_attention(void *context, const char *name, ag_tensor *weights, const ag_mask *mask)
{
    seen *s = context;
    ck_assert_int_lt(s->count, 8);
    strncpy(s->names[s->count], name, 63);
    s->shapes[s->count++] = weights->shape;
    const int64_t heads = weights->shape.dim[1], queries = weights->shape.dim[2], keys = weights->shape.dim[3];
    for (int64_t row = 0; row < weights->size / keys; row++) {
        double sum = -1;
        for (int64_t j = 0; j < keys; j++) {
            const ag_real weight = weights->data[row * keys + j];
            const int64_t pair = row / queries;
            sum += (double)weight;
            s->masks = s->masks && (weight != 0) == ag_mask_allows(mask, pair / heads, pair % heads, row % queries, j);
        }
        s->sums = s->sums && sum < 1e-5 && sum > -1e-5;
    }
}

START_TEST(attention_is_shown_with_its_name)
{
    static const char *const names[] = {"encoder.layers.0.self_attn", "encoder.layers.1.self_attn",
                                        "decoder.layers.0.self_attn", "decoder.layers.0.multihead_attn",
                                        "decoder.layers.1.self_attn", "decoder.layers.1.multihead_attn"};
    const ag_shape shapes[] = {AG_SHAPE(3, 2, 5, 5), AG_SHAPE(3, 2, 5, 5), AG_SHAPE(3, 2, 4, 4),
                               AG_SHAPE(3, 2, 4, 5), AG_SHAPE(3, 2, 4, 4), AG_SHAPE(3, 2, 4, 5)};
    nn_model *model = test_model((nn_model_config){.kind = NN_ENCODER_DECODER}, 1);
    ag_tape *tape = test_quiet_tape();
    seen s = {.sums = true, .masks = true};
    nn_pass pass = test_pass(model, tape);
    test_batch batch;
    test_batch_fill(&batch, model, 3, 5, 4, 2);
    const ag_tensor *quiet = nn_model_apply(model, &pass, &batch.input);
    pass.on_attention = note_attention;
    pass.context = &s;
    const ag_tensor *logits = nn_model_apply(model, &pass, &batch.input);
    ASSERT_LOGITS(logits, tape);
    ck_assert_double_le(test_distance(quiet->data, logits->data, logits->size), PRECISION(1e-13, 2e-6));
    ck_assert_int_eq(s.count, 6);
    ck_assert(s.sums && s.masks);
    for (int i = 0; i < 6; i++) {
        ck_assert_str_eq(s.names[i], names[i]);
        ck_assert(ag_shape_equal(s.shapes[i], shapes[i]));
    }
    ag_tape_free(tape);
    nn_model_free(model);
}
END_TEST

/* A number that breaks is traced to the layer whose parameters broke it; also (1) on a
 * tape that forgets. */
START_TEST(scopes_are_the_names_of_parameters)
{
    static const char *const broken[] = {"encoder.layers.1.linear1", "decoder.layers.0.multihead_attn.out_proj",
                                         "decoder.layers.1.norm3", "encoder.norm", "output"};
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        nn_model *model = test_model((nn_model_config){.kind = NN_ENCODER_DECODER}, 1);
        ag_tape *tape = ag_tape_new(&(ag_tape_options){.forgets = _i});
        nn_pass pass = test_pass(model, tape);
        char name[64], text[AG_MESSAGE_SIZE] = "";
        test_batch batch;
        test_batch_fill(&batch, model, 3, 5, 4, 2);
        strcpy(name, broken[i]);
        strcat(name, ".bias");
        const nn_param *bias = &model->params.items[nn_params_find(&model->params, name)];
        const ag_real zero = 0;
        for (int64_t e = 0; e < bias->size; e++)
            model->params.value[bias->offset + e] = 1 / zero;
        nn_model_apply(model, &pass, &batch.input);
        ck_assert(ag_tape_find_nonfinite(tape, text));
        strcpy(name, "in ");
        strcat(name, broken[i]);
        strcat(name, " ");
        ck_assert_msg(strstr(text, name) != NULL, "%s", text);
        ag_tape_free(tape);
        nn_model_free(model);
    }
}
END_TEST

/* Of each kind of model the output projections of the sublayers become 0, and nothing
 * else changes. */
START_TEST(residuals_begin_at_zero)
{
    for (int kind = NN_ENCODER_DECODER; kind <= NN_DECODER; kind++) {
        const nn_model_config config = {.kind = (nn_model_kind)kind,
                                        .source_vocab = 7,
                                        .target_vocab = 7,
                                        .d_model = 8,
                                        .heads = 2,
                                        .encoder_layers = 2,
                                        .decoder_layers = 3};
        nn_model *model = nn_model_new(&config, 5, NULL), *other = nn_model_new(&config, 5, NULL);
        ck_assert(model && other);
        int zeroed = 0;
        for (int64_t i = 0; i < model->params.size; i++) /* biases, too, which begin at 0 */
            model->params.value[i] = other->params.value[i] = other->params.value[i] == 0 ? 1 : other->params.value[i];
        nn_model_zero_residuals(model);
        for (int i = 0; i < model->params.count; i++) {
            const nn_param *item = &model->params.items[i];
            const bool out = strstr(item->name, "out_proj.") || strstr(item->name, "linear2.");
            for (int64_t e = item->offset; e < item->offset + item->size; e++)
                ck_assert_msg(model->params.value[e] == (out ? 0 : other->params.value[e]), "%s", item->name);
            zeroed += out;
        }
        ck_assert_int_eq(zeroed, 2 * (kind == NN_ENCODER_DECODER ? 2 * 2 + 3 * 3 : kind == NN_ENCODER ? 4 : 6));
        nn_model_free(model);
        nn_model_free(other);
    }
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("nn_models");
    TCase *tcase = tcase_create("models");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, shapes_of_logits);
    tcase_add_test(tcase, a_memory_is_decoded);
    tcase_add_test(tcase, bad_configurations_are_named);
    tcase_add_test(tcase, each_size_has_two_ends);
    tcase_add_test(tcase, bad_input_is_named);
    tcase_add_test(tcase, padding_changes_nothing);
    tcase_add_test(tcase, rows_do_not_see_each_other);
    tcase_add_test(tcase, square_batches_keep_their_axes);
    tcase_add_test(tcase, later_tokens_change_nothing_before_them);
    tcase_add_test(tcase, masks_can_be_replaced);
    tcase_add_test(tcase, every_parameter_learns);
    tcase_add_test(tcase, residuals_begin_at_zero);
    tcase_add_test(tcase, a_row_of_padding_alone_is_no_danger);
    tcase_add_test(tcase, threads_change_no_bit);
    tcase_add_test(tcase, the_second_pass_allocates_nothing);
    tcase_add_test(tcase, attention_is_shown_with_its_name);
    tcase_add_loop_test(tcase, scopes_are_the_names_of_parameters, 0, 2);
    suite_add_tcase(s, tcase);
    return s;
}

TEST_MAIN(suite)
