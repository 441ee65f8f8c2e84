/* test_import_names.c - weights under names, and in forms, that other programs give them:
 * prefixes, query, key and value apart, tied outputs that stand twice or are left out;
 * and what is said where a name is missing. */
#include "nn_util.h"
#include "train.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static char *folder;
static char path[512], notes[512];

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

/* How a model's parameters stand in a file. */
typedef struct form {
    const char *all;             /* before all names */
    const char *stacks;          /* before those of encoder and decoder, after `all` */
    const char *own, *own_too;   /* before the one name that begins so, instead of the others; the second: none */
    const char *drop, *drop_too; /* a parameter that is left out */
    const char *key, *value;     /* of the metadata */
    const char *extra;           /* one more tensor */
    bool parts;                  /* query, key and value apart */
    bool twin, other_twin;       /* the target's table as output.weight, too; with one other number */
    bool counter;                /* n_averaged */
    double poison;               /* the last number of the first parameter; 0: its own */
} form;

static void add(data_writer *writer, const char *name, ag_shape shape, const ag_real *values)
{
    ag_error error = {0};
    ck_assert_msg(data_writer_add_real(writer, name, shape, values, &error) == AG_OK, "%s", error.message);
}

static void add_parameter(data_writer *writer, const nn_model *model, const nn_param *item, const form *how)
{
    static const char *const parts[] = {"q_proj_weight", "k_proj_weight", "v_proj_weight"};
    const ag_real *values = model->params.value + item->offset;
    const bool in_stack = !strncmp(item->name, "encoder.", 8) || !strncmp(item->name, "decoder.", 8);
    const char *packed = strstr(item->name, "in_proj_weight");
    char name[256];
    int length =
        snprintf(name, sizeof name, "%s%s", how->all ? how->all : "", in_stack && how->stacks ? how->stacks : "");
    if (how->own && !strncmp(item->name, how->own, strlen(how->own)))
        length = snprintf(name, sizeof name, "%s", how->own_too);
    if (!how->parts || !packed) {
        snprintf(name + length, sizeof name - (size_t)length, "%s", item->name);
        add(writer, name, item->shape, values);
        return;
    }
    for (int i = 0; i < 3; i++) {
        const ag_shape shape = AG_SHAPE(item->shape.dim[0] / 3, item->shape.dim[1]);
        snprintf(name + length, sizeof name - (size_t)length, "%.*s%s", (int)(packed - item->name), item->name,
                 parts[i]);
        add(writer, name, shape, values + i * item->size / 3);
    }
}

static void write_as(const char *to, nn_model *model, form how)
{
    const nn_params *params = &model->params;
    data_writer *writer = data_writer_new(NULL);
    const int64_t counts[1] = {7};
    ag_real *last = params->value + params->items[0].offset + params->items[0].size - 1, kept = *last, *twin = NULL;
    if (how.poison != 0)
        *last = (ag_real)how.poison;
    data_writer_no_checksum(writer);
    ck_assert_int_eq(data_writer_metadata(writer, "format", "pt", NULL), AG_OK);
    if (how.key)
        ck_assert_int_eq(data_writer_metadata(writer, how.key, how.value, NULL), AG_OK);
    for (int i = 0; i < params->count; i++) {
        const nn_param *item = &params->items[i];
        if ((!how.drop || strcmp(item->name, how.drop) != 0) &&
            (!how.drop_too || strcmp(item->name, how.drop_too) != 0))
            add_parameter(writer, model, item, &how);
        if (how.twin && !strcmp(item->name, "tgt_embedding.weight")) {
            twin = malloc((size_t)item->size * sizeof *twin);
            memcpy(twin, params->value + item->offset, (size_t)item->size * sizeof *twin);
            twin[item->size - 1] += how.other_twin;
            add(writer, "output.weight", item->shape, twin);
        }
    }
    if (how.extra)
        add(writer, how.extra, AG_SHAPE(1), params->value);
    if (how.counter)
        ck_assert_int_eq(data_writer_add(writer, "n_averaged", "I64", 0, NULL, counts, NULL), AG_OK);
    ag_error error = {0};
    ck_assert_msg(data_writer_save(writer, to, &error) == AG_OK, "%s", error.message);
    data_writer_free(writer);
    free(twin);
    *last = kept;
}

/* Notes the prefixes that were taken away, each with a space after it. */
static void note(void *context, const char *prefix)
{
    ck_assert_ptr_eq(context, notes);
    strcat(strcat(notes, prefix), " ");
}

static ag_status import_as(const nn_model_config *config, const char *strip, train_saved *saved, ag_error *error)
{
    const train_import_options options = {.config = config, .strip = strip, .on_strip = note, .context = notes};
    *notes = '\0';
    return train_import(saved, path, &options, error);
}

/* The file's model is this one, number for number. */
static void expect_model(const nn_model *model, const nn_model_config *config, const char *strip, const char *noted)
{
    train_saved saved;
    ag_error error = {0};
    ck_assert_msg(import_as(config, strip, &saved, &error) == AG_OK, "%s", error.message);
    const nn_params *found = &saved.model->params;
    ck_assert_int_eq(found->count, model->params.count);
    for (int i = 0; i < found->count; i++)
        ck_assert_str_eq(found->items[i].name, model->params.items[i].name);
    ck_assert_int_eq(found->size, model->params.size);
    ck_assert_mem_eq(found->value, model->params.value, (size_t)found->size * sizeof(ag_real));
    ck_assert_str_eq(notes, noted);
    train_saved_clear(&saved);
}

static void expect_refusal(const nn_model_config *config, const char *strip, const char *word)
{
    train_saved saved;
    ag_error error = {0};
    ck_assert(import_as(config, strip, &saved, &error) != AG_OK);
    ck_assert_msg(strstr(error.message, word) != NULL, "'%s' is not in: %s", word, error.message);
    ck_assert_str_eq(notes, "");
}

/* ---- Models ------------------------------------------------------------------------ */

static const nn_model_config configs[] = {
    {.source_vocab = 9, .target_vocab = 11},
    {.source_vocab = 9, .target_vocab = 11, .post_norm = true, .final_norm = NN_FINAL_NORM_YES, .no_output_bias = true},
    {.source_vocab = 9, .target_vocab = 5, .kind = NN_ENCODER, .final_norm = NN_FINAL_NORM_NO},
    {.target_vocab = 11, .kind = NN_DECODER, .positions = NN_LEARNED, .no_bias = true, .no_norm_bias = true},
};
enum { MODELS = sizeof configs / sizeof *configs };

/* The model of configs[i], and what is said of it: sizes come from the tensors. */
static nn_model *model_of(int i, nn_model_config *said)
{
    *said = configs[i];
    said->heads = 2;
    said->source_vocab = said->target_vocab = 0;
    nn_model_config whole = configs[i];
    whole.heads = 2;
    return test_model(whole, (uint64_t)i + 1);
}

/* ---- Imports ----------------------------------------------------------------------- */

START_TEST(names_after_prefixes)
{
    static const struct {
        form how;
        const char *strip, *noted;
    } cases[] = {
        {{0}, NULL, ""},
        {{.all = "module."}, NULL, "module. "},
        {{.all = "_orig_mod."}, NULL, "_orig_mod. "},
        {{.all = "a.b.c."}, NULL, "a.b.c. "},
        {{.all = "module."}, "module.", ""},
        {{.all = "net"}, "net", ""},
        {{.stacks = "transformer."}, NULL, "transformer. "},
        {{.all = "module.", .stacks = "transformer."}, NULL, "module. transformer. "},
        {{.all = "module.", .counter = true, .parts = true}, NULL, "module. "},
    };
    nn_model_config config;
    nn_model *model = model_of(_i, &config);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_as(path, model, cases[i].how);
        expect_model(model, &config, cases[i].strip, cases[i].noted);
    }
    nn_model_free(model);
}
END_TEST

START_TEST(query_key_and_value_apart)
{
    nn_model_config config;
    nn_model *model = model_of(_i, &config);
    write_as(path, model, (form){.parts = true});
    expect_model(model, &config, NULL, "");
    nn_model_free(model);
}
END_TEST

/* A tied output stands in a state dict a second time; save_model leaves out one of the
 * two and says so. */
START_TEST(tied_outputs)
{
    nn_model_config config = {.heads = 2, .tied_output = true};
    nn_model *model =
        test_model((nn_model_config){.heads = 2, .source_vocab = 9, .target_vocab = 11, .tied_output = true}, 1);
    write_as(path, model, (form){.twin = true});
    expect_model(model, &config, NULL, "");
    write_as(
        path, model,
        (form){.twin = true, .drop = "tgt_embedding.weight", .key = "tgt_embedding.weight", .value = "output.weight"});
    expect_model(model, &config, NULL, "");
    write_as(path, model, (form){.twin = true, .other_twin = true});
    expect_refusal(&config, NULL, "output.weight is not the same as tgt_embedding.weight");
    config.tied_output = false;
    write_as(path, model, (form){.twin = true});
    expect_refusal(&config, NULL, "output.bias is missing (a model without it is made with --no-output-bias)");
    config.no_output_bias = true; /* as a matrix of its own */
    train_saved saved;
    ck_assert_int_eq(import_as(&config, NULL, &saved, NULL), AG_OK);
    train_saved_clear(&saved);
    nn_model_free(model);
}
END_TEST

/* save_model leaves out one of two parameters that share their numbers; that hides no
 * tensor that is too much. */
START_TEST(shared_numbers_hide_nothing)
{
    form how = {.drop = "encoder.norm.bias", .key = "encoder.norm.bias", .value = "decoder.norm.bias"};
    nn_model_config config;
    nn_model *model = model_of(0, &config);
    const nn_param *items = model->params.items;
    const int to = nn_params_find(&model->params, how.key), from = nn_params_find(&model->params, how.value);
    memcpy(model->params.value + items[to].offset, model->params.value + items[from].offset,
           (size_t)items[to].size * sizeof(ag_real));
    write_as(path, model, how);
    expect_model(model, &config, NULL, "");
    how.extra = "encoder.extra";
    write_as(path, model, how);
    expect_refusal(&config, NULL, "the tensor encoder.extra is no parameter");
    nn_model_free(model);
}
END_TEST

/* ---- Refusals ---------------------------------------------------------------------- */

START_TEST(what_is_missing_and_what_there_is)
{
    nn_model_config config;
    nn_model *model = model_of(0, &config);
    write_as(path, model, (form){.all = "net", .counter = true});
    expect_refusal(&config, NULL,
                   "the tensor src_embedding.weight is missing; the file has n_averaged and others (tapeformer info "
                   "lists them)");
    expect_refusal(&config, "nut", "no tensor's name begins with 'nut'; the first is 'n_averaged'");

    /* not all names match after the prefix: nothing is taken away, and the sentence says
     * what could be */
    write_as(path, model, (form){.all = "module.", .drop = "decoder.norm.weight"});
    expect_refusal(&config, NULL,
                   "src_embedding.weight is missing; the file has module.src_embedding.weight (import --strip module. "
                   "takes that prefix away)");
    expect_refusal(&config, "module.",
                   "decoder.norm.weight is missing (a model without it is made with "
                   "--no-final-norm)");
    write_as(path, model, (form){.own = "src_embedding", .own_too = "teacher.", .drop = "encoder.layers.0.norm1.bias"});
    expect_refusal(&config, NULL, "the file has teacher.src_embedding.weight (import --strip teacher. takes");
    write_as(path, model, (form){.drop = "encoder.layers.0.norm1.bias"});
    expect_refusal(&config, NULL, "norm1.bias is missing (a model without it is made with --no-norm-bias)");
    write_as(path, model, (form){.drop = "encoder.layers.0.linear1.bias"});
    expect_refusal(&config, NULL, "linear1.bias is missing (a model without it is made with --no-bias)");
    nn_model_free(model);

    model = model_of(1, &config);
    config.final_norm = NN_FINAL_NORM_USUAL;
    write_as(path, model, (form){0});
    expect_refusal(&config, NULL,
                   "decoder.norm.bias is no parameter of the model (a model with it is made with "
                   "--final-norm)");
    nn_model_free(model);
}
END_TEST

START_TEST(names_that_become_the_same)
{
    const ag_real one = 1;
    data_writer *writer = data_writer_new(NULL);
    add(writer, "a.x", AG_SCALAR, &one);
    add(writer, "x", AG_SCALAR, &one);
    ck_assert_int_eq(data_writer_save(writer, path, NULL), AG_OK);
    data_writer_free(writer);
    ag_error error = {0};
    data_safetensors *file = data_safetensors_open(path, NULL);
    ck_assert_int_eq(data_safetensors_strip(file, "x", NULL), AG_OK); /* one has no name left */
    ck_assert_ptr_nonnull(data_safetensors_find(file, ""));
    ck_assert_int_eq(data_safetensors_strip(file, NULL, NULL), AG_OK);
    ck_assert_int_eq(data_safetensors_strip(file, "a.", &error), AG_BAD_VALUE);
    ck_assert_str_eq(error.message, "without the prefix 'a.' two tensors are named 'x'");
    ck_assert_ptr_nonnull(data_safetensors_find(file, "a.x"));
    ck_assert_ptr_nonnull(data_safetensors_find(file, "x"));
    data_safetensors_close(file);
}
END_TEST

START_TEST(weights_are_finite)
{
    nn_model_config config;
    nn_model *model = model_of(0, &config);
    static const double poisons[] = {INFINITY, -INFINITY, NAN};
    static const char *const words[] = {"has inf at", "has -inf at", "has nan at"};
    for (int i = 0; i < 3; i++) {
        write_as(path, model, (form){.poison = poisons[i]});
        expect_refusal(&config, NULL, words[i]);
        expect_refusal(&config, NULL, "the tensor of src_embedding.weight has");
    }
    nn_model_free(model);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("import names");
    TCase *c = tcase_create("names");
    tcase_add_checked_fixture(c, set_up, tear_down);
    tcase_set_timeout(c, 120);
    tcase_add_loop_test(c, names_after_prefixes, 0, MODELS);
    tcase_add_loop_test(c, query_key_and_value_apart, 0, MODELS);
    tcase_add_test(c, tied_outputs);
    tcase_add_test(c, shared_numbers_hide_nothing);
    tcase_add_test(c, what_is_missing_and_what_there_is);
    tcase_add_test(c, names_that_become_the_same);
    tcase_add_test(c, weights_are_finite);
    suite_add_tcase(s, c);
    return s;
}

TEST_MAIN(suite)
