/* test_import.c - models from the tensors of other programs, and for them: PyTorch's
 * names and GPT-2's layout. */
#include "edited_copy.h"
#include "nn_util.h"
#include "reference_util.h"
#include "train.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define GPT2 "tests/reference/gpt2.safetensors"

static char *folder;
static char path[512];

static void set_up(void)
{
    folder = test_folder_new();
    snprintf(path, sizeof path, "%s/weights.safetensors", folder);
}

static void tear_down(void)
{
    test_folder_remove(folder);
}

/* ---- Files ------------------------------------------------------------------------- */

static train_saved import_from(const char *from, const train_import_options *options)
{
    train_saved saved;
    ag_error error = {0};
    ck_assert_msg(train_import(&saved, from, options, &error) == AG_OK, "%s", error.message);
    return saved;
}

static void export_to(const char *to, const nn_model *model, train_layout layout)
{
    ag_error error = {0};
    ck_assert_msg(train_export(model, layout, to, &error) == AG_OK, "%s", error.message);
}

static data_safetensors *open_file(const char *from)
{
    ag_error error = {0};
    data_safetensors *file = data_safetensors_open(from, &error);
    ck_assert_msg(file != NULL, "%s", error.message);
    return file;
}

static void check_same_parameters(const nn_params *a, const nn_params *b)
{
    ck_assert_int_eq(a->count, b->count);
    for (int i = 0; i < a->count; i++) {
        ck_assert_str_eq(a->items[i].name, b->items[i].name);
        ck_assert(ag_shape_equal(a->items[i].shape, b->items[i].shape));
    }
    ck_assert_mem_eq(a->value, b->value, (size_t)a->size * sizeof *a->value);
}

static void check_same_config(const nn_model_config *a, const nn_model_config *b)
{
    ck_assert(a->kind == b->kind && a->source_vocab == b->source_vocab && a->target_vocab == b->target_vocab &&
              a->d_model == b->d_model && a->heads == b->heads && a->encoder_layers == b->encoder_layers &&
              a->decoder_layers == b->decoder_layers && a->ffn == b->ffn && a->max_length == b->max_length &&
              a->activation == b->activation && a->norm == b->norm && a->norm_eps == b->norm_eps &&
              a->embedding_scale == b->embedding_scale && a->positions == b->positions &&
              a->cross_positions == b->cross_positions && a->cross_window == b->cross_window &&
              a->post_norm == b->post_norm && a->no_bias == b->no_bias && a->tied_output == b->tied_output &&
              a->dropout == b->dropout && a->padding_id == b->padding_id);
}

/* ---- PyTorch's names --------------------------------------------------------------- */

static const nn_model_config MODELS[] = {
    {.kind = NN_ENCODER_DECODER, .encoder_layers = 1, .decoder_layers = 3},
    {.kind = NN_ENCODER_DECODER, .post_norm = true, .positions = NN_LEARNED, .max_length = 17},
    {.kind = NN_ENCODER_DECODER, .no_bias = true, .tied_output = true, .norm = NN_RMS_NORM, .positions = NN_ROTARY},
    {.kind = NN_ENCODER, .activation = AG_GATED_SILU, .ffn = 20, .norm_eps = 1e-6},
    {.kind = NN_DECODER, .embedding_scale = 1, .activation = AG_GELU, .dropout = 0.25, .padding_id = -1},
    {.kind = NN_DECODER, .positions = NN_LEARNED, .max_length = 23, .tied_output = true, .heads = 4},
    {.kind = NN_ENCODER_DECODER, .positions = NN_RELATIVE, .cross_positions = true, .heads = 4},
    {.kind = NN_DECODER, .positions = NN_ALIBI},
    {.kind = NN_ENCODER_DECODER, .cross_window = 3},
};
enum { MODEL_COUNT = sizeof MODELS / sizeof *MODELS };

static nn_model *new_model(int i)
{
    nn_model_config config = MODELS[i];
    if (config.kind != NN_DECODER)
        config.source_vocab = 9;
    config.target_vocab = 11;
    return test_model(config, 5);
}

/* The fields that the tensors do not determine. */
static nn_model_config without_sizes(nn_model_config config)
{
    config.source_vocab = config.target_vocab = 0;
    config.d_model = config.ffn = config.encoder_layers = config.decoder_layers = 0;
    if (config.positions == NN_LEARNED)
        config.max_length = 0;
    return config;
}

START_TEST(out_and_in_again_has_the_same_bits)
{
    nn_model *model = new_model(_i);
    const nn_model_config config = without_sizes(model->config);
    export_to(path, model, TRAIN_LAYOUT_PYTORCH);
    train_saved saved = import_from(path, &(train_import_options){.config = &config});
    check_same_parameters(&model->params, &saved.model->params);
    check_same_config(&model->config, &saved.model->config);
    ck_assert_int_eq(saved.tagging, model->config.kind == NN_ENCODER);
    train_saved_clear(&saved);
    nn_model_free(model);
}
END_TEST

/* The parameters' names, shapes and numbers, and a metadata of one entry: what
 * load_state_dict wants. */
START_TEST(an_exported_file_holds_the_parameters_alone)
{
    nn_model *model = new_model(_i);
    export_to(path, model, TRAIN_LAYOUT_PYTORCH);
    data_safetensors *file = open_file(path);
    ck_assert_int_eq(data_safetensors_count(file), model->params.count);
    ck_assert_str_eq(data_safetensors_metadata(file, "format"), "pt");
    ck_assert_ptr_null(data_safetensors_metadata(file, "checksum"));
    ck_assert_ptr_null(data_safetensors_metadata(file, "model.kind"));
    for (int i = 0; i < model->params.count; i++) {
        const nn_param *parameter = &model->params.items[i];
        const data_tensor *tensor = data_safetensors_find(file, parameter->name);
        ck_assert_ptr_nonnull(tensor);
        ck_assert_str_eq(tensor->dtype, data_real_dtype);
        ck_assert_int_eq(tensor->rank, parameter->shape.ndim);
        for (int axis = 0; axis < tensor->rank; axis++)
            ck_assert_uint_eq(tensor->shape[axis], (uint64_t)parameter->shape.dim[axis]);
        ck_assert_mem_eq(tensor->data, model->params.value + parameter->offset, (size_t)tensor->size);
    }
    data_safetensors_close(file);
    nn_model_free(model);
}
END_TEST

START_TEST(every_float_dtype_is_read)
{
    static const char *const dtypes[] = {"F64", "F32", "F16", "BF16"};
    char other[512];
    nn_model *model = new_model(0);
    for (int64_t i = 0; i < model->params.size; i++) /* 7 bits and a sign */
        model->params.value[i] = (ag_real)(i * 37 % 201 - 100) / 64;
    snprintf(other, sizeof other, "%s/exported.safetensors", folder);
    export_to(other, model, TRAIN_LAYOUT_PYTORCH);
    const nn_model_config config = without_sizes(model->config);
    for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++) {
        test_copy_edited(other, path, NULL, (edit){.dtype = dtypes[i]});
        train_saved saved = import_from(path, &(train_import_options){.config = &config});
        check_same_parameters(&model->params, &saved.model->params);
        train_saved_clear(&saved);
    }
    nn_model_free(model);
}
END_TEST

/* The configuration, the vocabularies and the labels of a saved model come from its
 * metadata; its factor on the embeddings, too. */
START_TEST(a_saved_model_is_imported_as_it_is)
{
    char out[512], file[600];
    nn_model *model = new_model(4);
    data_vocab *vocab = data_vocab_new(DATA_CHARS, NULL);
    ag_error error = {0};
    ck_assert(model->config.embedding_scale == 1);
    for (const char *letter = "abc \n\\x"; *letter; letter++)
        ck_assert_int_ge(data_vocab_add(vocab, letter, 1), DATA_SPECIALS);
    snprintf(out, sizeof out, "%s/deep/run", folder);
    snprintf(file, sizeof file, "%s/model.safetensors", out);
    const train_saved own = {.model = model, .target_vocab = vocab, .task = "t", .arguments = "a"};
    ck_assert_msg(train_saved_save(&own, out, false, &error) == AG_OK, "%s", error.message);

    train_saved saved = import_from(file, &(train_import_options){0});
    check_same_parameters(&model->params, &saved.model->params);
    check_same_config(&model->config, &saved.model->config);
    ck_assert_str_eq(data_vocab_token(saved.target_vocab, 8), "\n");
    ck_assert_str_eq(saved.task, "t");
    ck_assert_str_eq(saved.arguments, "a");
    train_saved_clear(&saved);

    ck_assert_int_eq(train_saved_save(&own, out, false, &error), AG_BAD_VALUE);
    ck_assert_ptr_nonnull(strstr(error.message, "already holds a model"));
    ck_assert_int_eq(train_saved_save(&own, out, true, NULL), AG_OK);
    data_vocab_free(vocab);
    nn_model_free(model);
}
END_TEST

START_TEST(tokens_without_a_vocabulary_are_numbers)
{
    nn_model *model = new_model(0);
    const nn_model_config config = without_sizes(model->config);
    int32_t ids[4];
    char text[64];
    export_to(path, model, TRAIN_LAYOUT_PYTORCH);
    train_saved saved = import_from(path, &(train_import_options){.config = &config});
    ck_assert_int_eq(data_vocab_size(saved.source_vocab), 9);
    ck_assert_int_eq(data_vocab_size(saved.target_vocab), 11);
    ck_assert_int_eq(data_vocab_encode(saved.target_vocab, "10 4 9 11", 9, ids, 4, NULL), 4);
    ck_assert(ids[0] == 10 && ids[1] == 4 && ids[2] == 9 && ids[3] == DATA_UNK);
    data_vocab_decode(saved.target_vocab, ids, 3, text, sizeof text);
    ck_assert_str_eq(text, "10 4 9");
    ck_assert_str_eq(saved.task, "");
    train_saved_clear(&saved);
    nn_model_free(model);
}
END_TEST

/* ---- GPT-2's layout ---------------------------------------------------------------- */

static const nn_model_config HEADS = {.heads = 3};
static const train_import_options AS_GPT2 = {.layout = TRAIN_LAYOUT_GPT2, .config = &HEADS};

static void check_logits(const reference *at)
{
    ag_shape shape;
    ck_assert_int_eq(reference_integer(at, "heads"), HEADS.heads);
    const int32_t *tokens = reference_integers(at, "tokens", &shape);
    train_saved saved = import_from(GPT2, &AS_GPT2);
    ag_tape *tape = test_quiet_tape();
    const nn_pass pass = test_pass(saved.model, tape);
    const nn_input input = {.rows = shape.dim[0], .target_length = shape.dim[1], .target = tokens};
    ag_tensor *logits = nn_model_apply(saved.model, &pass, &input);
    ck_assert_msg(logits != NULL, "%s", ag_tape_error(tape)->message);
    reference_compare(at, "logits", logits->shape, logits->data);
    ag_tape_free(tape);
    train_saved_clear(&saved);
}

START_TEST(the_logits_of_gpt2_are_pytorchs)
{
    reference_walk("gpt2_logits", 1, check_logits);
}
END_TEST

START_TEST(sizes_of_gpt2_are_those_of_its_tensors)
{
    const nn_model_config asked = {.heads = 6, .dropout = 0.125, .d_model = 99, .activation = AG_SILU};
    train_saved saved = import_from(GPT2, &(train_import_options){.layout = TRAIN_LAYOUT_GPT2, .config = &asked});
    const nn_model_config *c = &saved.model->config;
    ck_assert_int_eq(c->kind, NN_DECODER);
    ck_assert_int_eq(c->target_vocab, 11);
    ck_assert_int_eq(c->d_model, 12);
    ck_assert_int_eq(c->heads, 6);
    ck_assert_int_eq(c->decoder_layers, 2);
    ck_assert_int_eq(c->ffn, 40);
    ck_assert_int_eq(c->max_length, 9);
    ck_assert_int_eq(c->activation, AG_GELU_TANH);
    ck_assert(c->embedding_scale == 1 && c->norm_eps == 1e-5 && c->dropout == 0.125 && c->padding_id == -1);
    ck_assert(saved.source_vocab == NULL && data_vocab_size(saved.target_vocab) == 11);
    train_saved_clear(&saved);
}
END_TEST

/* Names with and without "transformer.", with and without the second copy of the tied
 * output and the buffers. */
START_TEST(all_forms_of_gpt2_are_the_same_model)
{
    static const edit forms[] = {
        {.no_buffers = true},    {.drop = "lm_head.weight"},
        {.cut = "transformer."}, {.cut = "transformer.", .drop = "lm_head.weight", .no_buffers = true},
        {.dtype = "F64"},
    };
    train_saved whole = import_from(GPT2, &AS_GPT2);
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        test_copy_edited(GPT2, path, NULL, forms[i]);
        train_saved saved = import_from(path, &AS_GPT2);
        check_same_parameters(&whole.model->params, &saved.model->params);
        train_saved_clear(&saved);
    }
    train_saved_clear(&whole);
}
END_TEST

/* The tensors of an exported file are those of the file that was imported, less its
 * buffers and the second output. */
START_TEST(gpt2_goes_out_as_it_came_in)
{
    train_saved saved = import_from(GPT2, &AS_GPT2);
    export_to(path, saved.model, TRAIN_LAYOUT_GPT2);
    data_safetensors *before = open_file(GPT2), *after = open_file(path);
    ck_assert_int_eq(data_safetensors_count(after), saved.model->params.count);
    ck_assert_int_eq(data_safetensors_count(before), saved.model->params.count + 1 + 2 * 2);
    for (int64_t i = 0; i < data_safetensors_count(after); i++) {
        const data_tensor *tensor = data_safetensors_at(after, i), *old = data_safetensors_find(before, tensor->name);
        ck_assert_msg(old != NULL, "%s", tensor->name);
        ck_assert_int_eq(tensor->rank, old->rank);
        ck_assert_mem_eq(tensor->shape, old->shape, (size_t)old->rank * sizeof *old->shape);
        const uint64_t count = old->size / 4;
        ag_real *values = malloc((size_t)count * 2 * sizeof *values);
        ck_assert_int_eq(data_tensor_read(tensor, values, (int64_t)count, NULL), AG_OK);
        ck_assert_int_eq(data_tensor_read(old, values + count, (int64_t)count, NULL), AG_OK);
        ck_assert_mem_eq(values, values + count, (size_t)count * sizeof *values);
        free(values);
    }
    data_safetensors_close(before);
    data_safetensors_close(after);
    train_saved again = import_from(path, &AS_GPT2);
    check_same_parameters(&saved.model->params, &again.model->params);
    train_saved_clear(&again);
    train_saved_clear(&saved);
}
END_TEST

START_TEST(models_that_are_no_gpt2_are_not_exported_as_one)
{
    const nn_model_config gpt2 = {.kind = NN_DECODER,
                                  .positions = NN_LEARNED,
                                  .activation = AG_GELU_TANH,
                                  .tied_output = true,
                                  .embedding_scale = 1};
    nn_model_config cases[9];
    static const char *const words[9] = {"it is only for decoders", "learned", "gelu-tanh", "layer norms",
                                         "before the",      "biases",  "tied",      "an eps of 1e-05",
                                         "embedding scale"};
    for (int i = 0; i < 9; i++)
        cases[i] = gpt2;
    cases[0].kind = NN_ENCODER_DECODER;
    cases[1].positions = NN_SINUSOIDAL;
    cases[2].activation = AG_GELU;
    cases[3].norm = NN_RMS_NORM;
    cases[4].post_norm = true;
    cases[5].no_bias = true;
    cases[6].tied_output = false;
    cases[7].norm_eps = 1e-6;
    cases[8].embedding_scale = 0;
    for (int i = 0; i < 9; i++) {
        nn_model *model = test_model(cases[i], 1);
        ag_error error = {0};
        ck_assert_int_eq(train_export(model, TRAIN_LAYOUT_GPT2, path, &error), AG_BAD_VALUE);
        ck_assert_msg(strstr(error.message, words[i]) != NULL, "%s", error.message);
        nn_model_free(model);
    }
    FILE *file = fopen(path, "rb");
    ck_assert_ptr_null(file);
    nn_model *model = test_model(gpt2, 1);
    export_to(path, model, TRAIN_LAYOUT_GPT2);
    nn_model_free(model);
}
END_TEST

/* ---- Refusals ---------------------------------------------------------------------- */

static void expect_refusal(const train_import_options *options, ag_status status, const char *word)
{
    train_saved saved;
    ag_error error = {0};
    const ag_status got = train_import(&saved, path, options, &error);
    ck_assert_msg(got == status, "%d: %s", (int)got, error.message);
    ck_assert_int_eq(error.status, status);
    ck_assert_msg(!strncmp(error.message, path, strlen(path)), "%s", error.message);
    ck_assert_msg(strstr(error.message, word) != NULL, "'%s' is not in: %s", word, error.message);
    ck_assert(!saved.model && !saved.source_vocab && !saved.target_vocab && !saved.task && !saved.arguments);
}

START_TEST(tensors_that_do_not_fit_are_named)
{
    static const struct {
        edit change;
        const char *word;
    } cases[] = {
        {{.drop = "transformer.wte.weight"}, "the tensor wte.weight is missing"},
        {{.drop = "transformer.wpe.weight"}, "the tensor transformer.wpe.weight is missing"},
        {{.drop = "transformer.h.0.ln_1.bias"}, "the tensor transformer.h.0.ln_1.bias is missing"},
        {{.drop = "transformer.h.1.mlp.c_proj.weight"}, "transformer.h.1.mlp.c_proj.weight is missing"},
        {{.rename = "transformer.h.1.attn.bias", .name = "transformer.h.1.attn.bios"},
         "the tensor transformer.h.1.attn.bios is no parameter"},
        {{.rename = "transformer.h.1.attn.bias", .name = "h.1.attn.bias"}, "the tensor h.1.attn.bias is no parameter"},
        {{.rename = "transformer.h.1.attn.bias", .name = "transformer.h..attn.bias"}, "h..attn.bias is no parameter"},
        {{.rename = "transformer.ln_f.bias", .name = "transformer.h.7.ln_1.bias"},
         "the tensor transformer.h.7.ln_1.bias is no parameter"},
        {{.flatten = "transformer.h.0.attn.c_proj.weight"},
         "c_proj.weight has the shape [144] and the model needs [12,12]"},
        {{.flatten = "transformer.wte.weight"},
         "the tensor transformer.wte.weight has the shape [132] and must be a matrix"},
        {{.flatten = "transformer.wpe.weight"}, "transformer.wpe.weight has the shape [108]"},
        {{.whole = "transformer.ln_f.weight"}, "the tensor transformer.ln_f.weight is I32, and weights are"},
        {{.scramble = "lm_head.weight"}, "the tensor lm_head.weight is not the same as transformer.wte.weight"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        test_copy_edited(GPT2, path, NULL, cases[i].change);
        expect_refusal(&AS_GPT2, AG_BAD_FILE, cases[i].word);
    }
}
END_TEST

START_TEST(configurations_that_do_not_fit_are_named)
{
    const nn_model_config sizes[] = {
        {.kind = NN_DECODER, .heads = 2},
        {.kind = NN_ENCODER, .heads = 2},
        {.heads = 2, .d_model = 16},
        {.heads = 2, .encoder_layers = 3},
        {.heads = 2, .decoder_layers = 1},
        {.heads = 2, .decoder_layers = 1000},
        {.heads = 2, .ffn = 33},
        {.heads = 3},
        {.heads = 2, .post_norm = true},
        {.heads = 2, .positions = NN_LEARNED, .max_length = 7},
        {.heads = 2, .embedding_scale = -1},
        {.heads = 2, .embedding_scale = INFINITY},
        {.heads = 2, .embedding_scale = NAN},
    };
    static const char *const words[] = {
        "the tensor decoder.layers.0.multihead_attn.in_proj_bias is no parameter",
        "the tensor decoder.layers.0.linear1.bias is no parameter",
        "src_embedding.weight has the shape [9,8] and the model needs [9,16]",
        "the tensor encoder.layers.2.self_attn.in_proj_weight is missing",
        "the tensor decoder.layers.1.linear1.bias is no parameter",
        "tensors are too few for a model of 1002 blocks",
        "linear1.weight has the shape [12,8] and the model needs [33,8]",
        "heads 3 does not divide d_model 8",
        "the tensor decoder.norm.bias is no parameter",
        "the tensor src_positions.weight is missing",
        "embedding_scale is -1: it must be above 0",
        "embedding_scale is inf",
        "embedding_scale is nan",
    };
    nn_model *model = test_model((nn_model_config){.source_vocab = 9, .target_vocab = 11}, 1);
    data_vocab *vocab = data_vocab_new(DATA_CHARS, NULL);
    export_to(path, model, TRAIN_LAYOUT_PYTORCH);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        expect_refusal(&(train_import_options){.config = &sizes[i]}, AG_BAD_FILE, words[i]);
    expect_refusal(&(train_import_options){0}, AG_BAD_VALUE, "describes no model");
    expect_refusal(&(train_import_options){.layout = TRAIN_LAYOUT_GPT2}, AG_BAD_VALUE, "the number of attention heads must be given");
    const nn_model_config config = {.heads = 2}, headless = {.d_model = 8};
    expect_refusal(&(train_import_options){.config = &headless}, AG_BAD_VALUE, "the number of attention heads must be given");
    expect_refusal(&(train_import_options){.config = &config, .target_vocab = vocab}, AG_BAD_VALUE,
                   "the target vocabulary has 4 tokens, of which 4 are for padding and other marks, and the model has 11");
    data_vocab_free(vocab);
    nn_model_free(model);

    model = test_model((nn_model_config){.source_vocab = 9, .target_vocab = 3, .kind = NN_ENCODER}, 1);
    const nn_model_config encoder = {.heads = 2, .kind = NN_ENCODER};
    export_to(path, model, TRAIN_LAYOUT_PYTORCH);
    expect_refusal(&(train_import_options){.config = &encoder}, AG_BAD_VALUE, "and the model has 3");
    nn_model_free(model);
    snprintf(path, sizeof path, "%s/none", folder);
    expect_refusal(&(train_import_options){.config = &config}, AG_IO, "cannot open");
}
END_TEST

/* ---- Memory ------------------------------------------------------------------------ */

START_TEST(import_survives_each_failing_allocation)
{
    ag_status status = AG_NO_MEMORY;
    int failures = 0;
    for (int n = 1; status != AG_OK; n++) {
        train_saved saved;
        ag_error error = {0};
        test_fail_allocation(n);
        status = train_import(&saved, GPT2, &AS_GPT2, &error);
        test_fail_allocation(0);
        ck_assert_msg(status == AG_OK || status == AG_NO_MEMORY, "allocation %d: %s", n, error.message);
        ck_assert_int_eq(error.status, status);
        ck_assert((status == AG_OK) == (saved.model != NULL));
        train_saved_clear(&saved);
        failures += status != AG_OK;
        ck_assert_int_lt(n, 10000);
    }
    ck_assert_int_gt(failures, 40);
}
END_TEST

START_TEST(export_survives_each_failing_allocation)
{
    train_saved saved = import_from(GPT2, &AS_GPT2);
    ag_status status = AG_NO_MEMORY;
    int failures = 0;
    for (int n = 1; status != AG_OK; n++) {
        ag_error error = {0};
        test_fail_allocation(n);
        status = train_export(saved.model, TRAIN_LAYOUT_GPT2, path, &error);
        test_fail_allocation(0);
        ck_assert_msg(status == AG_OK || status == AG_NO_MEMORY, "allocation %d: %s", n, error.message);
        ck_assert_int_eq(error.status, status);
        failures += status != AG_OK;
        ck_assert_int_lt(n, 10000);
    }
    ck_assert_int_gt(failures, 30);
    train_saved_clear(&saved);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("import");
    TCase *names = tcase_create("PyTorch's names"), *gpt2 = tcase_create("GPT-2"), *refused = tcase_create("refused"),
          *memory = tcase_create("memory");
    tcase_add_loop_test(names, out_and_in_again_has_the_same_bits, 0, MODEL_COUNT);
    tcase_add_loop_test(names, an_exported_file_holds_the_parameters_alone, 0, MODEL_COUNT);
    tcase_add_test(names, every_float_dtype_is_read);
    tcase_add_test(names, a_saved_model_is_imported_as_it_is);
    tcase_add_test(names, tokens_without_a_vocabulary_are_numbers);
    tcase_add_test(gpt2, the_logits_of_gpt2_are_pytorchs);
    tcase_add_test(gpt2, sizes_of_gpt2_are_those_of_its_tensors);
    tcase_add_test(gpt2, all_forms_of_gpt2_are_the_same_model);
    tcase_add_test(gpt2, gpt2_goes_out_as_it_came_in);
    tcase_add_test(gpt2, models_that_are_no_gpt2_are_not_exported_as_one);
    tcase_add_test(refused, tensors_that_do_not_fit_are_named);
    tcase_add_test(refused, configurations_that_do_not_fit_are_named);
    tcase_add_test(memory, import_survives_each_failing_allocation);
    tcase_add_test(memory, export_survives_each_failing_allocation);
    TCase *cases[] = {names, gpt2, refused, memory};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tcase_add_checked_fixture(cases[i], set_up, tear_down);
        tcase_set_timeout(cases[i], 120); /* for sanitizers and slow machines */
        suite_add_tcase(s, cases[i]);
    }
    return s;
}

TEST_MAIN(suite)
