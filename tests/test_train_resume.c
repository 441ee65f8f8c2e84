/* test_train_resume.c - a run that is stopped and resumed is the run that was not, byte for byte; and files that do not
 * fit. */
#include "train_fixture.h"

#include <stdio.h>
#include <string.h>

enum { STEPS = 8 };

static const char *const FILES[2] = {"model.safetensors", "checkpoint.safetensors"};

typedef struct stopper {
    int64_t at;            /* 0: never */
    bool after_evaluation; /* only once the step is evaluated too */
    volatile sig_atomic_t stop;
} stopper;

static void stop_at(void *context, const train_progress *progress)
{
    stopper *s = context;
    if (progress->step == s->at && (progress->dev || !s->after_evaluation))
        s->stop = 1;
}

/* Everything that has a state is on: dropout, an average, parts, decay, evaluations that do not fall on the
 * checkpoints. */
static train_options options_of(const char *out, stopper *s)
{
    return (train_options){.steps = STEPS,
                           .batch = 16,
                           .accumulate = 2,
                           .rate = 3e-3,
                           .optimizer.weight_decay = 0.1,
                           .average = 0.7,
                           .label_smoothing = 0.1,
                           .evaluate_every = 3,
                           .evaluate_sources = 8,
                           .save_every = 4,
                           .seed = 5,
                           .threads = 1,
                           .out = out,
                           .arguments = "words",
                           .on_progress = s ? stop_at : NULL,
                           .context = s,
                           .stop = s ? &s->stop : NULL};
}

static train_fixture new_fixture(void)
{
    return train_fixture_new("reverse", 3, 5, NN_ENCODER_DECODER, 8, 0.1);
}

static char *folder_in(const train_fixture *f, const char *name, char path[512])
{
    snprintf(path, 512, "%s/%s", f->folder, name);
    return path;
}

/* The run that is never stopped, in `out`. */
static void run_whole(train_fixture *f, const char *out, data_set *dev, int threads)
{
    ag_error error = {0};
    train_options options = options_of(out, NULL);
    options.threads = threads;
    train_fixture_redraw(f, 7);
    ck_assert_msg(train_run(f->model, f->training, dev, &options, NULL, &error) == AG_OK, "%s", error.message);
}

/* One stopped at step `first`, at step `second` (0: not again), and then going on to the end; each time with a model
 * that knows nothing. */
static void run_stopped(train_fixture *f, const char *out, data_set *dev, int64_t first, int64_t second)
{
    const int64_t stops[3] = {first, second, 0};
    train_fixture_redraw(f, 7);
    for (int i = 0; i < 3; i++) {
        stopper s = {.at = stops[i]};
        ag_error error = {0};
        train_options options = options_of(out, &s);
        options.resume = i > 0;
        if (i > 0 && stops[i] == 0 && i < 2)
            continue;
        ag_status status = train_run(f->model, f->training, dev, &options, NULL, &error);
        ck_assert_msg(status == (stops[i] ? AG_INTERRUPTED : AG_OK), "%s", error.message);
        train_fixture_redraw(f, 100);
    }
}

static void compare_folders(const char *a, const char *b)
{
    for (int i = 0; i < 2; i++)
        test_files_equal(a, b, FILES[i]);
}

/* ---- The same bytes ------------------------------------------------------------------------- */

START_TEST(stopped_anywhere_with_a_dev_set)
{
    train_fixture f = new_fixture();
    char path[512];
    run_whole(&f, f.out, f.dev, 1);
    for (int64_t step = 1; step < STEPS; step++) {
        char name[32];
        snprintf(name, sizeof name, "stopped-%d", (int)step);
        run_stopped(&f, folder_in(&f, name, path), f.dev, step, 0);
        compare_folders(f.out, path);
    }
    run_stopped(&f, folder_in(&f, "twice", path), f.dev, 2, 6);
    compare_folders(f.out, path);
    train_fixture_clear(&f);
}
END_TEST

/* What was evaluated before the stop is not evaluated, and counted, again. */
START_TEST(stopped_after_an_evaluation)
{
    train_fixture f = new_fixture();
    char paths[2][512];
    for (int stopped = 0; stopped < 2; stopped++) {
        stopper s = {.at = stopped ? 6 : 0, .after_evaluation = true};
        train_options options = options_of(folder_in(&f, stopped ? "b" : "a", paths[stopped]), &s);
        options.rate = 1e-300; /* no evaluation is better than the first, and the others are counted */
        options.average = 0;
        train_fixture_redraw(&f, 7);
        ck_assert_int_eq(train_run(f.model, f.training, f.dev, &options, NULL, NULL), stopped ? AG_INTERRUPTED : AG_OK);
        if (stopped) {
            s = (stopper){0};
            options.resume = true;
            ck_assert_int_eq(train_run(f.model, f.training, f.dev, &options, NULL, NULL), AG_OK);
        }
    }
    compare_folders(paths[0], paths[1]);
    train_fixture_clear(&f);
}
END_TEST

START_TEST(stopped_anywhere_without_a_dev_set)
{
    train_fixture f = new_fixture();
    char path[512];
    run_whole(&f, f.out, NULL, 1);
    for (int64_t step = 1; step < STEPS; step += 3) {
        char name[32];
        snprintf(name, sizeof name, "stopped-%d", (int)step);
        run_stopped(&f, folder_in(&f, name, path), NULL, step, 0);
        compare_folders(f.out, path);
    }
    train_fixture_clear(&f);
}
END_TEST

START_TEST(the_threads_do_not_matter)
{
    train_fixture f = new_fixture();
    char path[512];
    run_whole(&f, f.out, f.dev, 1);
    run_whole(&f, folder_in(&f, "two", path), f.dev, 2);
    compare_folders(f.out, path);
    run_whole(&f, folder_in(&f, "four", path), f.dev, 4);
    compare_folders(f.out, path);
    train_fixture_clear(&f);
}
END_TEST

START_TEST(each_optimizer_goes_on)
{
    const train_optimizer_config configs[] = {
        {.kind = TRAIN_ADAM}, {.kind = TRAIN_SGD}, {.kind = TRAIN_SGD, .momentum = 0.9, .nesterov = true}};
    for (int c = 0; c < 3; c++) {
        train_fixture f = new_fixture();
        char paths[2][512];
        for (int stopped = 0; stopped < 2; stopped++) {
            stopper s = {.at = stopped ? 5 : 0};
            train_options options = options_of(folder_in(&f, stopped ? "b" : "a", paths[stopped]), &s);
            options.optimizer = configs[c];
            options.average = 0;
            train_fixture_redraw(&f, 7);
            ck_assert_int_eq(train_run(f.model, f.training, NULL, &options, NULL, NULL),
                             stopped ? AG_INTERRUPTED : AG_OK);
            if (stopped) {
                s = (stopper){0};
                options.resume = true;
                train_fixture_redraw(&f, 8);
                ck_assert_int_eq(train_run(f.model, f.training, NULL, &options, NULL, NULL), AG_OK);
            }
        }
        compare_folders(paths[0], paths[1]);
        train_fixture_clear(&f);
    }
}
END_TEST

/* What a caller leaves out (the warm-up, too) is taken from the checkpoint; and a run can be made longer. */
START_TEST(steps_are_taken_over_and_may_grow)
{
    train_fixture f = new_fixture();
    train_result result;
    run_stopped(&f, f.out, f.dev, 3, 0);
    train_options options = options_of(f.out, NULL);
    options.resume = true;
    options.steps = options.evaluate_every = 0;
    ck_assert_int_eq(train_run(f.model, f.training, f.dev, &options, &result, NULL), AG_OK);
    ck_assert_int_eq(result.steps, STEPS);
    options.steps = 5 * STEPS;
    ck_assert_int_eq(train_run(f.model, f.training, f.dev, &options, &result, NULL), AG_OK);
    ck_assert_int_eq(result.steps, 5 * STEPS);
    options.steps = STEPS;
    ag_error error = {0};
    ck_assert_int_eq(train_run(f.model, f.training, f.dev, &options, &result, &error), AG_BAD_VALUE);
    ck_assert_msg(strstr(error.message, "cannot make fewer") != NULL, "%s", error.message);
    train_fixture_clear(&f);
}
END_TEST

/* Lines of steps behind the checkpoint, and half lines, are cut off: steps in the log never go back. */
static void check_cut(bool half)
{
    train_fixture f = new_fixture();
    stopper s = {.at = 5};
    train_options options = options_of(f.out, &s);
    ck_assert_int_eq(train_run(f.model, f.training, NULL, &options, NULL, NULL), AG_INTERRUPTED);
    size_t size;
    char *log = (char *)test_file_read(f.out, "log.jsonl", &size);
    char *longer = malloc(size + 64);
    ck_assert_ptr_nonnull(longer);
    int more = snprintf(longer, size + 64, "%s{\"step\":%d,\"ep%s", log, half ? 5 : 6, half ? "" : "och\":1}\n");
    free(test_file_write(f.out, "log.jsonl", longer, (size_t)more));

    options.resume = true;
    s = (stopper){0};
    ck_assert_int_eq(train_run(f.model, f.training, NULL, &options, NULL, NULL), AG_OK);
    char *again = (char *)test_file_read(f.out, "log.jsonl", &size);
    ck_assert_int_eq(strncmp(log, again, strlen(log)), 0);
    int64_t step = 0;
    for (char *line = again, *end; (end = strchr(line, '\n')); line = end + 1) {
        long long now = 0;
        ck_assert_int_eq(sscanf(line, "{\"step\":%lld,", &now), 1);
        ck_assert_int_eq(now, ++step);
        ck_assert(end[-1] == '}');
    }
    ck_assert_int_eq(step, STEPS);
    free(log);
    free(longer);
    free(again);
    train_fixture_clear(&f);
}

START_TEST(the_log_is_cut)
{
    check_cut(false);
    check_cut(true);
}
END_TEST

/* ---- Resumes that are refused --------------------------------------------------------------- */

typedef struct refusal {
    const char *word;
    void (*change)(train_options *options);
} refusal;

static void change_seed(train_options *options)
{
    options->seed = 6;
}
static void change_batch(train_options *options)
{
    options->batch = 17;
}
static void change_parts(train_options *options)
{
    options->accumulate = 3;
}
static void change_rate(train_options *options)
{
    options->rate = 1e-3;
}
static void change_optimizer(train_options *options)
{
    options->optimizer.kind = TRAIN_ADAM;
}
static void change_schedule(train_options *options)
{
    options->schedule = TRAIN_NOAM;
}
static void change_average(train_options *options)
{
    options->average = 0;
}

START_TEST(a_resume_must_be_of_the_same_run)
{
    const refusal refusals[] = {{"seed was 5 in this run and is 6 now", change_seed},
                                {"batch was 16 in this run and is 17 now", change_batch},
                                {"accumulate was 2 in this run and is 3 now", change_parts},
                                {"rate was 0.003 in this run and is 0.001 now", change_rate},
                                {"optimizer was adamw in this run and is adam now", change_optimizer},
                                {"schedule was cosine in this run and is noam now", change_schedule},
                                {"average was 0.7 in this run and is 0 now", change_average}};
    train_fixture f = new_fixture();
    run_stopped(&f, f.out, f.dev, 5, 0);
    size_t bytes = (size_t)f.model->params.size * sizeof(real);
    real *before = malloc(bytes);
    memcpy(before, f.model->params.value, bytes);
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        train_options options = options_of(f.out, NULL);
        options.resume = true;
        refusals[i].change(&options);
        ag_error error = {0};
        ck_assert_int_eq(train_run(f.model, f.training, f.dev, &options, NULL, &error), AG_BAD_VALUE);
        ck_assert_msg(strstr(error.message, refusals[i].word) != NULL, "%s", error.message);
        ck_assert_msg(!strncmp(error.message, f.out, strlen(f.out)), "%s", error.message);
        ck_assert_int_eq(memcmp(before, f.model->params.value, bytes), 0);
    }
    free(before);
    train_fixture_clear(&f);
}
END_TEST

static void expect_refusal(const train_fixture *f, nn_model *model, data_set *training, ag_status status,
                           const char *word)
{
    ag_error error = {0};
    train_options options = options_of(f->out, NULL);
    options.resume = true;
    ck_assert_int_eq(train_run(model, training, NULL, &options, NULL, &error), status);
    ck_assert_msg(strstr(error.message, word) != NULL, "%s", error.message);
}

START_TEST(a_resume_needs_the_same_model_and_data)
{
    train_fixture f = new_fixture();
    expect_refusal(&f, f.model, f.training, AG_IO, "checkpoint.safetensors");
    ck_assert(!test_file_exists(f.folder, "run"));
    run_stopped(&f, f.out, NULL, 5, 0);
    train_fixture wide = train_fixture_new("reverse", 3, 5, NN_ENCODER_DECODER, 16, 0.1);
    train_fixture other = train_fixture_new("dates", 1, 1, NN_ENCODER_DECODER, 8, 0.1);
    expect_refusal(&f, wide.model, f.training, AG_BAD_VALUE, "model.d_model was 8 in this run and is 16 now");
    expect_refusal(&f, other.model, other.training, AG_BAD_VALUE, "vocab");
    data_set_options options = {.part = DATA_TRAIN, .min_length = 3, .max_length = 5, .count = 499};
    data_set *fewer = data_set_task(data_task_find("reverse"), &options, NULL);
    ck_assert_ptr_nonnull(fewer);
    expect_refusal(&f, f.model, fewer, AG_BAD_VALUE, "had 500 examples in this run and has 499 now");
    data_set_free(fewer);
    train_fixture_clear(&other);
    train_fixture_clear(&wide);
    train_fixture_clear(&f);
}
END_TEST

START_TEST(damaged_checkpoints_are_refused)
{
    train_fixture f = new_fixture();
    run_stopped(&f, f.out, NULL, 5, 0);
    size_t size;
    unsigned char *bytes = test_file_read(f.out, FILES[1], &size);
    const size_t cuts[] = {0, 7, 100, size / 2, size - 1};
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
        free(test_file_write(f.out, FILES[1], bytes, cuts[i]));
        expect_refusal(&f, f.model, f.training, AG_BAD_FILE, "checkpoint.safetensors");
    }
    const size_t places[] = {3, 40, size / 3, size - 1};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        bytes[places[i]] ^= 1;
        free(test_file_write(f.out, FILES[1], bytes, size));
        expect_refusal(&f, f.model, f.training, AG_BAD_FILE, "checkpoint.safetensors");
        bytes[places[i]] ^= 1;
    }
    free(test_file_write(f.out, FILES[1], bytes, size)); /* and whole again it is good */
    train_options options = options_of(f.out, NULL);
    options.resume = true;
    ck_assert_int_eq(train_run(f.model, f.training, NULL, &options, NULL, NULL), AG_OK);
    free(bytes);
    train_fixture_clear(&f);
}
END_TEST

/* ---- Model files that do not fit ------------------------------------------------------------ */

/* How a copy of a file differs from it. */
typedef struct edit {
    const char *key, *value;   /* other metadata; value NULL: none */
    const char *drop, *rename; /* a tensor is left out, gets the name "extra" */
    const char *flatten;       /* a tensor gets the shape [size] */
    bool other_dtype;          /* numbers of the other precision */
} edit;

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
                                   "run.floor",
                                   "run.clip",
                                   "run.label_smoothing",
                                   "run.average",
                                   "run.steps",
                                   "run.evaluate_every",
                                   "state.step",
                                   "state.evaluated",
                                   "state.best_step",
                                   "state.worse",
                                   "state.examples",
                                   "state.best.loss",
                                   "state.best.perplexity",
                                   "state.best.token_accuracy",
                                   "state.best.decoded",
                                   "state.best.exact_match",
                                   "state.best.wer",
                                   "state.best.per",
                                   "state.best.tokens",
                                   "state.best.sources"};

static bool is(const char *a, const char *b)
{
    return a && b && !strcmp(a, b);
}

/* The tensor's numbers in the precision that this build does not have; to be freed. */
static void *other_numbers(const data_tensor *tensor, int64_t count)
{
    real *numbers = malloc((size_t)count * sizeof *numbers);
    double *out = malloc((size_t)count * sizeof *out); /* room for either */
    ck_assert(numbers && out && data_tensor_read(tensor, numbers, count, NULL) == AG_OK);
    for (int64_t i = 0; i < count; i++) {
        float narrow = (float)numbers[i];
        if (sizeof(real) == sizeof(double))
            memcpy((char *)out + (size_t)i * sizeof narrow, &narrow, sizeof narrow);
        else
            out[i] = (double)numbers[i];
    }
    free(numbers);
    return out;
}

/* Copies folder/name to `path` with a change, as a well-formed file. */
static void copy_edited(const char *folder, const char *name, const char *path, edit change)
{
    char from[512];
    snprintf(from, sizeof from, "%s/%s", folder, name);
    data_safetensors *file = data_safetensors_open(from, NULL);
    data_writer *writer = data_writer_new(NULL);
    ck_assert(file && writer);
    void *numbers[512] = {0};
    ck_assert_int_lt(data_safetensors_count(file), 512);
    for (size_t i = 0; i < sizeof KEYS / sizeof *KEYS; i++) {
        const char *value = is(KEYS[i], change.key) ? change.value : data_safetensors_metadata(file, KEYS[i]);
        if (value)
            ck_assert_int_eq(data_writer_metadata(writer, KEYS[i], value, NULL), AG_OK);
    }
    for (int64_t i = 0; i < data_safetensors_count(file); i++) {
        const data_tensor *tensor = data_safetensors_at(file, i);
        uint64_t count = tensor->size / (is(tensor->dtype, "F64") ? 8 : 4);
        bool flat = is(tensor->name, change.flatten);
        if (change.other_dtype)
            numbers[i] = other_numbers(tensor, (int64_t)count);
        if (!is(tensor->name, change.drop))
            ck_assert_int_eq(data_writer_add(writer, is(tensor->name, change.rename) ? "extra" : tensor->name,
                                             !change.other_dtype        ? tensor->dtype
                                             : is(tensor->dtype, "F64") ? "F32"
                                                                        : "F64",
                                             flat ? 1 : tensor->rank, flat ? &count : tensor->shape,
                                             change.other_dtype ? numbers[i] : tensor->data, NULL),
                             AG_OK);
    }
    ag_error error = {0};
    ck_assert_msg(data_writer_save(writer, path, &error) == AG_OK, "%s", error.message);
    for (int i = 0; i < 512; i++)
        free(numbers[i]);
    data_writer_free(writer);
    data_safetensors_close(file);
}

START_TEST(models_that_do_not_fit_are_refused)
{
    const struct {
        edit change;
        const char *word;
    } cases[] = {
        {{.key = "format", .value = NULL}, "names no format"},
        {{.key = "format", .value = "tapeformer checkpoint"}, "this is a 'tapeformer checkpoint'"},
        {{.key = "model.heads", .value = NULL}, "\"model.heads\" is missing"},
        {{.key = "model.heads", .value = "3"}, "heads"},
        {{.key = "model.heads", .value = "2x"}, "\"model.heads\" cannot be \"2x\""},
        {{.key = "model.heads", .value = "99999999999"}, "\"model.heads\" cannot be"},
        {{.key = "model.kind", .value = "sphinx"}, "\"model.kind\" cannot be \"sphinx\""},
        {{.key = "model.no_bias", .value = "yes"}, "\"model.no_bias\" cannot be \"yes\""},
        {{.key = "model.dropout", .value = "nan"}, "dropout"},
        {{.key = "model.ffn", .value = "2000000000"}, ""},
        {{.key = "model.encoder_layers", .value = "1000"}, "too few or too small"},
        {{.key = "model.ffn", .value = "16"}, "has the shape"},
        {{.key = "model.source_vocab", .value = "29"},
         "vocabulary has 30 tokens and the model's configuration says 29"},
        {{.key = "vocab.target", .value = NULL}, "\"vocab.target\" is missing"},
        {{.key = "vocab.target", .value = "?"}, "vocab.target"},
        {{.drop = "encoder.norm.weight"}, "the tensor encoder.norm.weight is missing"},
        {{.rename = "encoder.norm.weight"}, "the tensor extra is no parameter"},
        {{.flatten = "src_embedding.weight"}, "src_embedding.weight has the shape [240] and the model needs [30,8]"},
    };
    train_fixture f = new_fixture();
    run_whole(&f, f.out, NULL, 1);
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
    ck_assert_int_eq(train_saved_load(&saved, folder_in(&f, "run/checkpoint.safetensors", path), NULL), AG_BAD_FILE);
    train_fixture_clear(&f);
}
END_TEST

/* A model of the other precision is read; a run of the other precision cannot go on exactly. */
START_TEST(the_other_precision)
{
    train_fixture f = new_fixture();
    run_whole(&f, f.out, NULL, 1);
    char path[512];
    train_saved own, other;
    ag_error error = {0};
    copy_edited(f.out, FILES[0], folder_in(&f, "other.safetensors", path), (edit){.other_dtype = true});
    ck_assert_int_eq(train_saved_load(&own, f.out, NULL), AG_OK);
    ck_assert_msg(train_saved_load(&other, path, &error) == AG_OK, "%s", error.message);
    for (int64_t i = 0; i < own.model->params.size; i++)
        ck_assert((float)own.model->params.value[i] == (float)other.model->params.value[i]);
    train_saved_clear(&own);
    train_saved_clear(&other);

    copy_edited(f.out, FILES[1], folder_in(&f, "run/checkpoint.safetensors", path),
                (edit){0}); /* a copy alone is good */
    train_options options = options_of(f.out, NULL);
    options.resume = true;
    ck_assert_msg(train_run(f.model, f.training, NULL, &options, NULL, &error) == AG_OK, "%s", error.message);
    copy_edited(f.out, FILES[1], path, (edit){.other_dtype = true});
    expect_refusal(&f, f.model, f.training, AG_BAD_FILE, "so it cannot go on exactly");
    train_fixture_clear(&f);
}
END_TEST

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
    train_fixture f = new_fixture();
    char path[512];
    size_t size;
    run_whole(&f, f.out, NULL, 1);
    unsigned char *bytes = test_file_read(f.out, FILES[1], &size);
    free(test_file_write(f.folder, "original", bytes, size));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        copy_edited(f.folder, "original", folder_in(&f, "run/checkpoint.safetensors", path), cases[i].change);
        expect_refusal(&f, f.model, f.training, AG_BAD_FILE, cases[i].word);
    }
    free(bytes);
    train_fixture_clear(&f);
}
END_TEST

START_TEST(loading_survives_each_failing_allocation)
{
    train_fixture f = new_fixture();
    run_whole(&f, f.out, NULL, 1);
    ag_status status = AG_NO_MEMORY;
    int failures = 0;
    for (int n = 1; status != AG_OK; n++) {
        train_saved saved;
        ag_error error = {0};
        test_fail_allocation(n);
        status = train_saved_load(&saved, f.out, &error);
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
END_TEST

/* The whole of a short run: start, steps, evaluation, files. Files that a failed run leaves are whole. */
START_TEST(running_survives_each_failing_allocation)
{
    train_fixture f = train_fixture_new("copy", 4, 4, NN_ENCODER, 8, 0);
    ag_status status = AG_NO_MEMORY;
    int failures = 0;
    for (int n = 1; status != AG_OK; n += 1 + n / 40) {
        char path[512], name[32];
        ag_error error = {0};
        snprintf(name, sizeof name, "run-%d", n);
        train_options options = options_of(folder_in(&f, name, path), NULL);
        options.steps = options.evaluate_every = 1;
        test_fail_allocation(n);
        status = train_run(f.model, f.training, f.dev, &options, NULL, &error);
        test_fail_allocation(0);
        ck_assert_msg(status == AG_OK || status == AG_NO_MEMORY, "allocation %d: %d %s", n, (int)status, error.message);
        ck_assert_int_eq(error.status, status);
        failures += status != AG_OK;
        ck_assert_int_lt(n, 100000);
    }
    ck_assert_int_gt(failures, 20);
    train_fixture_clear(&f);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("train/resume");
    TCase *t = tcase_create("resume");
    tcase_set_timeout(t, 120); /* for sanitizers and slow machines */
    tcase_add_test(t, stopped_anywhere_with_a_dev_set);
    tcase_add_test(t, stopped_after_an_evaluation);
    tcase_add_test(t, stopped_anywhere_without_a_dev_set);
    tcase_add_test(t, the_threads_do_not_matter);
    tcase_add_test(t, each_optimizer_goes_on);
    tcase_add_test(t, steps_are_taken_over_and_may_grow);
    tcase_add_test(t, the_log_is_cut);
    tcase_add_test(t, a_resume_must_be_of_the_same_run);
    tcase_add_test(t, a_resume_needs_the_same_model_and_data);
    tcase_add_test(t, damaged_checkpoints_are_refused);
    suite_add_tcase(s, t);
    t = tcase_create("saved");
    tcase_set_timeout(t, 120);
    tcase_add_test(t, models_that_do_not_fit_are_refused);
    tcase_add_test(t, the_other_precision);
    tcase_add_test(t, checkpoints_that_do_not_fit_are_refused);
    tcase_add_test(t, loading_survives_each_failing_allocation);
    tcase_add_test(t, running_survives_each_failing_allocation);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(suite)
