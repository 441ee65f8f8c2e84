/* test_train_saved.c - model files and checkpoints that are whole, and yet do not fit. */
#include "edited_copy.h"
#include "train/checkpoint.h"
#include "train_fixture.h"

#include <stdio.h>
#include <string.h>

static const char *const FILES[2] = {"model.safetensors", "checkpoint.safetensors"};

static char *folder_in(const train_fixture *f, const char *name, char path[512])
{
    snprintf(path, 512, "%s/%s", f->folder, name);
    return path;
}

static train_options options_of(const train_fixture *f)
{
    return (train_options){.steps = 4, .batch = 16, .average = 0.7, .threads = 1, .out = f->out};
}

/* A model, and the two files of a run that has trained it. */
static train_fixture trained_fixture(void)
{
    train_fixture f = train_fixture_new("reverse", 3, 5, NN_ENCODER_DECODER, 8, 0.1);
    ag_error error = {0};
    train_options options = options_of(&f);
    ck_assert_msg(train_run(f.model, f.training, NULL, &options, NULL, &error) == AG_OK, "%s", error.message);
    return f;
}

static void expect_refusal(const train_fixture *f, const char *word)
{
    ag_error error = {0};
    train_options options = options_of(f);
    options.resume = true;
    ck_assert_int_eq(train_run(f->model, f->training, NULL, &options, NULL, &error), AG_BAD_FILE);
    ck_assert_msg(strstr(error.message, word) != NULL, "%s", error.message);
}

/* ---- Files with a change ----------------------------------------------------------- */

/* The metadata that is copied: all there is but the checksum. */
static const char *const KEYS[] = {"format",
                                   "task",
                                   "arguments",
                                   "vocab.source",
                                   "vocab.target",
                                   "model.kind",
                                   "model.source_vocab",
                                   "model.target_vocab",
                                   "model.d_model",
                                   "model.heads",
                                   "model.encoder_layers",
                                   "model.decoder_layers",
                                   "model.ffn",
                                   "model.max_length",
                                   "model.activation",
                                   "model.norm",
                                   "model.norm_eps",
                                   "model.embedding_scale",
                                   "model.positions",
                                   "model.post_norm",
                                   "model.no_bias",
                                   "model.tied_output",
                                   "model.dropout",
                                   "model.padding_id",
                                   "run.batch",
                                   "run.accumulate",
                                   "run.seed",
                                   "run.optimizer",
                                   "run.beta1",
                                   "run.beta2",
                                   "run.epsilon",
                                   "run.weight_decay",
                                   "run.momentum",
                                   "run.nesterov",
                                   "run.schedule",
                                   "run.rate",
                                   "run.warmup",
                                   "run.matmul",
                                   "run.floor",
                                   "run.clip",
                                   "run.label_smoothing",
                                   "run.average",
                                   "run.evaluate_sources",
                                   "run.steps",
                                   "run.evaluate_every",
                                   "state.step",
                                   "state.evaluated",
                                   "state.best_step",
                                   "state.worse",
                                   "state.training",
                                   "state.dev",
                                   "state.best.loss",
                                   "state.best.perplexity",
                                   "state.best.token_accuracy",
                                   "state.best.decoded",
                                   "state.best.exact_match",
                                   "state.best.wer",
                                   "state.best.per",
                                   "state.best.tokens",
                                   "state.best.sources",
                                   NULL};

/* The numbers of the precision that this build does not have. */
#define OTHER_DTYPE PRECISION("F32", "F64")

static void copy_edited(const char *folder, const char *name, const char *path, edit change)
{
    char from[512];
    snprintf(from, sizeof from, "%s/%s", folder, name);
    test_copy_edited(from, path, KEYS, change);
}

/* ---- Refusals ---------------------------------------------------------------------- */

START_TEST(models_that_do_not_fit_are_refused)
{
    const struct {
        edit change;
        const char *word;
    } cases[] = {
        {{.key = "format", .value = NULL}, "names no format"},
        {{.key = "format", .value = "tapeformer elsewhere"}, "this is a 'tapeformer elsewhere'"},
        {{.key = "model.heads", .value = NULL}, "\"model.heads\" is missing"},
        {{.key = "model.heads", .value = "3"}, "heads"},
        {{.key = "model.heads", .value = "2x"}, "\"model.heads\" cannot be \"2x\""},
        {{.key = "model.heads", .value = "99999999999"}, "\"model.heads\" cannot be"},
        {{.key = "model.kind", .value = "sphinx"}, "\"model.kind\" cannot be \"sphinx\""},
        {{.key = "model.no_bias", .value = "yes"}, "\"model.no_bias\" cannot be \"yes\""},
        {{.key = "model.dropout", .value = "nan"}, "dropout"},
        {{.key = "model.ffn", .value = "2000000000"}, ""},
        {{.key = "model.encoder_layers", .value = "1000"}, "tensors are too few for a model of 1001 blocks"},
        {{.key = "model.ffn", .value = "16"}, "has the shape"},
        {{.key = "model.source_vocab", .value = "29"},
         "vocabulary has 30 tokens and the model's configuration says 29"},
        {{.key = "vocab.target", .value = NULL}, "\"vocab.target\" is missing"},
        {{.key = "vocab.target", .value = "?"}, "vocab.target"},
        {{.drop = "encoder.norm.weight"}, "the tensor encoder.norm.weight is missing"},
        {{.rename = "encoder.norm.weight"}, "the tensor extra is no parameter"},
        {{.flatten = "src_embedding.weight"}, "src_embedding.weight has the shape [240] and the model needs [30,8]"},
    };
    train_fixture f = trained_fixture();
    char path[512];
    folder_in(&f, "edited.safetensors", path);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        train_saved saved;
        ag_error error = {0};
        copy_edited(f.out, FILES[0], path, cases[i].change);
        ag_status status = train_saved_load(&saved, path, &error);
        ck_assert_msg(status == AG_BAD_FILE, "case %zu: %d %s", i, (int)status, error.message);
        ck_assert_msg(!strncmp(error.message, path, strlen(path)), "%s", error.message);
        ck_assert_msg(strstr(error.message, cases[i].word) != NULL, "%s", error.message);
        ck_assert(!saved.model && !saved.target_vocab && !saved.task);
    }
    train_saved saved;
    ag_error error = {0};
    ck_assert_int_ne(train_saved_load(&saved, folder_in(&f, "nowhere", path), &error), AG_OK);
    ck_assert_msg(!strncmp(error.message, path, strlen(path)), "%s", error.message);
    train_fixture_clear(&f);
}
END_TEST

/* A model of the other precision is read; a run of the other precision cannot go on
 * exactly. */
START_TEST(the_other_precision)
{
    train_fixture f = trained_fixture();
    char path[512];
    train_saved own, other;
    ag_error error = {0};
    copy_edited(f.out, FILES[0], folder_in(&f, "other.safetensors", path), (edit){.dtype = OTHER_DTYPE});
    ck_assert_int_eq(train_saved_load(&own, f.out, NULL), AG_OK);
    ck_assert_msg(train_saved_load(&other, path, &error) == AG_OK, "%s", error.message);
    for (int64_t i = 0; i < own.model->params.size; i++)
        ck_assert((float)own.model->params.value[i] == (float)other.model->params.value[i]);
    train_saved_clear(&own);
    train_saved_clear(&other);

    copy_edited(f.out, FILES[1], folder_in(&f, "run/checkpoint.safetensors", path),
                (edit){0}); /* a copy alone is good */
    train_options options = options_of(&f);
    options.resume = true;
    ck_assert_msg(train_run(f.model, f.training, NULL, &options, NULL, &error) == AG_OK, "%s", error.message);
    copy_edited(f.out, FILES[1], path, (edit){.dtype = OTHER_DTYPE});
    expect_refusal(&f, "so it cannot go on exactly");
    train_fixture_clear(&f);
}
END_TEST

/* A run whose checkpoint is also in the file "original" of its folder. */
static train_fixture copied_fixture(void)
{
    train_fixture f = trained_fixture();
    size_t size;
    unsigned char *bytes = test_file_read(f.out, FILES[1], &size);
    free(test_file_write(f.folder, "original", bytes, size));
    free(bytes);
    return f;
}

/* Checkpoints with counters that cannot be, a vector too few or too many. */
START_TEST(checkpoints_that_do_not_fit_are_refused)
{
    const struct {
        edit change;
        const char *word;
    } cases[] = {
        {{.key = "state.step", .value = "-1"}, "counters"},
        {{.key = "state.step", .value = "9223372036854775807"}, "counters"},
        {{.key = "state.evaluated", .value = "13"}, "counters"},
        {{.key = "state.best_step", .value = "13"}, "counters"},
        {{.key = "state.best.loss", .value = "0,5"}, "\"state.best.loss\" cannot be \"0,5\""},
        {{.key = "run.steps", .value = NULL}, "\"run.steps\" is missing"},
        {{.drop = "optimizer.second"}, "the tensor optimizer.second is missing"},
        {{.rename = "average"}, "the tensor average is missing"},
        {{.key = "run.steps", .value = "0x10"}, "\"run.steps\" cannot be"},
    };
    train_fixture f = copied_fixture();
    char path[512];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        copy_edited(f.folder, "original", folder_in(&f, "run/checkpoint.safetensors", path), cases[i].change);
        expect_refusal(&f, cases[i].word);
    }
    train_fixture_clear(&f);
}
END_TEST

/* The metadata that sets up a run again is read as strictly as a model's. */
START_TEST(runs_that_do_not_fit_are_refused)
{
    const struct {
        edit change;
        const char *word;
    } cases[] = {
        {{.key = "format", .value = "tapeformer model"}, "this is a 'tapeformer model'"},
        {{.key = "model.heads", .value = "3"}, "heads 3"},
        {{.key = "vocab.target", .value = NULL}, "\"vocab.target\" is missing"},
        {{.drop = "encoder.norm.weight"}, "the tensor encoder.norm.weight is missing"},
        {{.rename = "average"}, "the tensor extra is no parameter"},
    };
    train_fixture f = copied_fixture();
    char path[512];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        train_saved saved;
        ag_error error = {0};
        copy_edited(f.folder, "original", folder_in(&f, "run/checkpoint.safetensors", path), cases[i].change);
        ag_status status = train_checkpoint_read(&saved, f.out, &error);
        ck_assert_msg(status == AG_BAD_FILE, "case %zu: %d %s", i, (int)status, error.message);
        ck_assert_msg(!strncmp(error.message, path, strlen(path)), "%s", error.message);
        ck_assert_msg(strstr(error.message, cases[i].word) != NULL, "%s", error.message);
        ck_assert(!saved.model && !saved.target_vocab && !saved.arguments);
    }
    train_fixture_clear(&f);
}
END_TEST

static void survive_failing_allocations(ag_status (*read)(train_saved *, const char *, ag_error *))
{
    train_fixture f = trained_fixture();
    ag_status status = AG_NO_MEMORY;
    int failures = 0;
    for (int n = 1; status != AG_OK; n++) {
        train_saved saved;
        ag_error error = {0};
        test_fail_allocation(n);
        status = read(&saved, f.out, &error);
        test_fail_allocation(0);
        ck_assert_msg(status == AG_OK || status == AG_NO_MEMORY, "allocation %d: %s", n, error.message);
        ck_assert_int_eq(error.status, status);
        ck_assert((status == AG_OK) == (saved.model != NULL));
        train_saved_clear(&saved);
        failures += status != AG_OK;
        ck_assert_int_lt(n, 10000);
    }
    ck_assert_int_gt(failures, 20);
    train_fixture_clear(&f);
}

START_TEST(loading_survives_each_failing_allocation)
{
    survive_failing_allocations(train_saved_load);
    survive_failing_allocations(train_checkpoint_read);
}
END_TEST

static ag_status save_model(const train_fixture *f, const char *path, ag_error *error)
{
    const train_labels labels = {data_set_source_vocab(f->training), data_set_target_vocab(f->training), "reverse", ""};
    return train_model_save(f->model, f->model->params.value, &labels, path, error);
}

static ag_status save_checkpoint(const train_fixture *f, const char *path, ag_error *error)
{
    train_optimizer optimizer;
    train_state state = {.step = 3};
    const train_options options = options_of(f);
    train_checkpoint checkpoint = {
        .model = f->model,
        .optimizer = &optimizer,
        .state = &state,
        .options = &options,
        .labels = {data_set_source_vocab(f->training), data_set_target_vocab(f->training), "reverse", "--task"}};
    ag_status status = train_optimizer_init(&optimizer, &options.optimizer, &f->model->params, 1, error);
    if (status == AG_OK)
        status = train_checkpoint_save(&checkpoint, path, error);
    train_optimizer_clear(&optimizer);
    return status;
}

static ag_status export_model(const train_fixture *f, const char *path, ag_error *error)
{
    return train_export(f->model, TRAIN_LAYOUT_PYTORCH, path, error);
}

/* An error, and the file that was there; or the whole new one: never one that lacks what
 * there was no memory for. */
static void save_without_each_allocation(ag_status (*save)(const train_fixture *, const char *, ag_error *))
{
    train_fixture f = train_fixture_new("reverse", 3, 5, NN_ENCODER_DECODER, 8, 0);
    char *path = test_file_write(f.folder, "file", "old", 3);
    size_t wanted_size, size;
    ck_assert_int_eq(save(&f, path, NULL), AG_OK);
    unsigned char *wanted = test_file_read(f.folder, "file", &wanted_size);
    ag_status status = AG_NO_MEMORY;
    int failures = 0;
    for (int n = 1; status != AG_OK; n++) {
        ag_error error = {0};
        free(test_file_write(f.folder, "file", "old", 3));
        test_fail_allocation(n);
        status = save(&f, path, &error);
        test_fail_allocation(0);
        ck_assert_msg(status == AG_OK || status == AG_NO_MEMORY, "allocation %d: %s", n, error.message);
        ck_assert_int_eq(error.status, status);
        unsigned char *bytes = test_file_read(f.folder, "file", &size);
        if (status == AG_OK)
            ck_assert(size == wanted_size && !memcmp(bytes, wanted, size));
        else
            ck_assert(size == 3 && !memcmp(bytes, "old", 3));
        free(bytes);
        failures += status != AG_OK;
        ck_assert_int_lt(n, 10000);
    }
    ck_assert_int_gt(failures, 20);
    free(wanted);
    free(path);
    train_fixture_clear(&f);
}

START_TEST(saving_survives_each_failing_allocation)
{
    save_without_each_allocation(save_model);
    save_without_each_allocation(save_checkpoint);
    save_without_each_allocation(export_model);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("train/saved");
    TCase *t = tcase_create("saved");
    tcase_set_timeout(t, 120); /* for sanitizers and slow machines */
    tcase_add_test(t, models_that_do_not_fit_are_refused);
    tcase_add_test(t, the_other_precision);
    tcase_add_test(t, checkpoints_that_do_not_fit_are_refused);
    tcase_add_test(t, runs_that_do_not_fit_are_refused);
    tcase_add_test(t, loading_survives_each_failing_allocation);
    tcase_add_test(t, saving_survives_each_failing_allocation);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(suite)
