/* test_train_resume.c - a run that is stopped and resumed is the run that was not, byte
 * for byte. */
#include "train_fixture.h"

#include <stdio.h>
#include <string.h>

enum { STEPS = 8 };

enum { FILE_COUNT = 3 };
static const char *const FILES[FILE_COUNT] = {"model.safetensors", "checkpoint.safetensors", "last.safetensors"};

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

/* Everything that has a state is on: dropout, an average, parts, decay, evaluations that
 * do not fall on the checkpoints. */
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
static void run_whole(train_fixture *f, const char *out, data_set *dev)
{
    ag_error error = {0};
    train_options options = options_of(out, NULL);
    train_fixture_redraw(f, 7);
    ck_assert_msg(train_run(f->model, f->training, dev, &options, NULL, &error) == AG_OK, "%s", error.message);
}

/* One stopped at step `first`, at step `second` (0: not again), and then going on to the
 * end; each time with a model that knows nothing. */
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
    for (int i = 0; i < FILE_COUNT; i++)
        test_files_equal(a, b, FILES[i]);
}

/* ---- The same bytes ---------------------------------------------------------------- */

START_TEST(stopped_anywhere_with_a_dev_set)
{
    train_fixture f = new_fixture();
    char path[512];
    run_whole(&f, f.out, f.dev);
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

/* A run that is already past the step to stop at takes no other step. */
START_TEST(stopped_at_a_step_that_is_passed)
{
    static const int64_t stops[] = {5, 3, 5, 6, 0};
    static const int64_t steps[] = {5, 5, 5, 6, STEPS};
    train_fixture f = new_fixture();
    char path[512];
    run_whole(&f, f.out, f.dev);
    train_fixture_redraw(&f, 7);
    for (int i = 0; i < 5; i++) {
        train_result result;
        train_options options = options_of(folder_in(&f, "stopped", path), NULL);
        options.stop_at = stops[i];
        options.resume = i > 0;
        ck_assert_int_eq(train_run(f.model, f.training, f.dev, &options, &result, NULL),
                         stops[i] ? AG_INTERRUPTED : AG_OK);
        ck_assert_int_eq(result.steps, steps[i]);
        train_fixture_redraw(&f, 100);
    }
    compare_folders(f.out, path);
    train_fixture_clear(&f);
}
END_TEST

/* An evaluation before the stop is neither repeated and counted twice, nor forgotten:
 * patience ends both runs at the same step. */
START_TEST(stopped_after_an_evaluation)
{
    train_fixture f = new_fixture();
    char paths[2][512];
    for (int stopped = 0; stopped < 2; stopped++) {
        stopper s = {.at = stopped ? 4 : 0, .after_evaluation = true};
        train_result result;
        train_options options = options_of(folder_in(&f, stopped ? "b" : "a", paths[stopped]), &s);
        options.rate = 1e-300; /* no evaluation is better than the first, and the others are counted */
        options.average = 0;
        options.evaluate_every = 2;
        options.patience = 2;
        train_fixture_redraw(&f, 7);
        ck_assert_int_eq(train_run(f.model, f.training, f.dev, &options, &result, NULL),
                         stopped ? AG_INTERRUPTED : AG_OK);
        if (stopped) {
            s = (stopper){0};
            options.resume = true;
            ck_assert_int_eq(train_run(f.model, f.training, f.dev, &options, &result, NULL), AG_OK);
        }
        ck_assert_int_eq(result.steps, 6);
    }
    compare_folders(paths[0], paths[1]);
    train_fixture_clear(&f);
}
END_TEST

START_TEST(stopped_anywhere_without_a_dev_set)
{
    train_fixture f = new_fixture();
    char path[512];
    run_whole(&f, f.out, NULL);
    for (int64_t step = 1; step < STEPS; step += 3) {
        char name[32];
        snprintf(name, sizeof name, "stopped-%d", (int)step);
        run_stopped(&f, folder_in(&f, name, path), NULL, step, 0);
        compare_folders(f.out, path);
    }
    train_fixture_clear(&f);
}
END_TEST

/* So wide a model, and such large batches, that its work is given to threads: that of the
 * other tests is too little. */
static void check_threads(train_optimizer_kind kind)
{
    train_fixture f = train_fixture_new("reverse", 8, 12, NN_ENCODER_DECODER, 64, 0.1);
    char paths[3][512];
    for (int i = 0; i < 3; i++) {
        char name[32];
        snprintf(name, sizeof name, "threads-%d", 1 << i);
        train_options options = options_of(folder_in(&f, name, paths[i]), NULL);
        options.optimizer.kind = kind;
        options.threads = 1 << i;
        options.batch = 64;
        train_fixture_redraw(&f, 7);
        ck_assert_int_eq(train_run(f.model, f.training, f.dev, &options, NULL, NULL), AG_OK);
        compare_folders(paths[0], paths[i]);
    }
    train_fixture_clear(&f);
}

START_TEST(the_threads_do_not_matter)
{
    check_threads(TRAIN_ADAMW);
    check_threads(TRAIN_MUON);
}
END_TEST

START_TEST(each_optimizer_and_schedule_goes_on)
{
    const train_schedule_kind schedules[] = {TRAIN_NOAM, TRAIN_INVERSE_SQRT, TRAIN_CONSTANT,
                                             TRAIN_COSINE, TRAIN_LINEAR,       TRAIN_WSD};
    const train_optimizer_config configs[] = {{.kind = TRAIN_ADAM},
                                              {.kind = TRAIN_SGD},
                                              {.kind = TRAIN_SGD, .momentum = 0.9, .nesterov = true},
                                              {.kind = TRAIN_MUON},
                                              {.kind = TRAIN_ADAMW},
                                              {.kind = TRAIN_ADAM}};
    for (int c = 0; c < 6; c++) {
        train_fixture f = new_fixture();
        char paths[2][512];
        for (int stopped = 0; stopped < 2; stopped++) {
            stopper s = {.at = stopped ? 5 : 0};
            train_options options = options_of(folder_in(&f, stopped ? "b" : "a", paths[stopped]), &s);
            options.optimizer = configs[c];
            options.schedule = schedules[c];
            options.average = configs[c].kind == TRAIN_MUON ? options.average : 0;
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

/* A text file's windows are moved in each epoch, of which this run has more than one. */
START_TEST(a_language_model_goes_on)
{
    char text[601], path[512];
    ag_error error = {0};
    train_fixture f = {.folder = test_folder_new()};
    ag_rng rng = ag_rng_make(3, 0);
    for (int i = 0; i < 600; i++)
        text[i] = "abc ."[ag_rng_below(&rng, 5)];
    char *file = test_file_write(f.folder, "text", text, 600);
    f.training = data_set_text(file, &(data_set_options){.context = 8, .seed = 4}, &error);
    ck_assert_msg(f.training != NULL, "%s", error.message);
    ck_assert_int_eq(data_set_batches(f.training, 16), 5);
    nn_model_config config = {.kind = NN_DECODER,
                              .target_vocab = data_vocab_size(data_set_target_vocab(f.training)),
                              .d_model = 8,
                              .heads = 2,
                              .decoder_layers = 1,
                              .dropout = 0.1};
    f.model = nn_model_new(&config, 7, NULL);
    f.out = folder_in(&f, "whole", malloc(512));
    run_whole(&f, f.out, f.training);
    run_stopped(&f, folder_in(&f, "stopped", path), f.training, 4, 6);
    compare_folders(f.out, path);
    free(file);
    train_fixture_clear(&f);
}
END_TEST

/* Options that a caller leaves out are as the run had them: nothing is said here except
 * the folder. */
START_TEST(what_is_left_out_is_taken_over)
{
    train_fixture f = new_fixture();
    char path[512];
    run_whole(&f, f.out, f.dev);
    folder_in(&f, "stopped", path);
    stopper s = {.at = 5};
    train_options options = options_of(path, &s);
    train_fixture_redraw(&f, 7);
    ck_assert_int_eq(train_run(f.model, f.training, f.dev, &options, NULL, NULL), AG_INTERRUPTED);
    train_fixture_redraw(&f, 100);
    options = (train_options){.out = path, .resume = true, .arguments = "words"};
    ag_error error = {0};
    ck_assert_msg(train_run(f.model, f.training, f.dev, &options, NULL, &error) == AG_OK, "%s", error.message);
    compare_folders(f.out, path);
    train_fixture_clear(&f);
}
END_TEST

/* A schedule without an end goes on as if the run had been long from the start: the
 * warm-up is that of the shorter run. One with an end refuses, and names the way out.
 * Fewer steps are refused by all. */
static void check_growth(train_schedule_kind schedule)
{
    train_fixture f = new_fixture();
    char path[512];
    const bool has_end = train_schedule_has_end(schedule);
    for (int longer = 0; longer < 2; longer++) {
        train_options options = options_of(longer ? folder_in(&f, "long", path) : f.out, NULL);
        options.schedule = schedule;
        options.average = 0;
        options.evaluate_every = options.save_every = 100;
        options.steps = longer ? 50 : 25;
        options.warmup = longer ? train_default_warmup(schedule, 25) : 0;
        train_fixture_redraw(&f, 7);
        ck_assert_int_eq(train_run(f.model, f.training, f.dev, &options, NULL, NULL), AG_OK);
    }
    train_result result;
    ag_error error = {0};
    train_options options = {.out = f.out, .resume = true, .steps = 50, .arguments = "words"};
    ag_status status = train_run(f.model, f.training, f.dev, &options, &result, &error);
    ck_assert_msg(status == (has_end ? AG_BAD_VALUE : AG_OK), "%s", error.message);
    if (has_end)
        ck_assert_str_eq(error.message,
                         schedule == TRAIN_WSD
                             ? "the learning rate falls after step 15, to end at step 25, and the run is at step 25; "
                               "lengthening it to 50 steps would make the rate jump: begin a new run with this model"
                             : "the learning rate falls after step 1, to end at step 25, and the run is at step 25; "
                               "lengthening it to 50 steps would make the rate jump: begin a new run with this model");
    else
        test_files_equal(path, f.out, "last.safetensors");
    error = (ag_error){0};
    options.steps = STEPS;
    ck_assert_int_eq(train_run(f.model, f.training, f.dev, &options, &result, &error), AG_BAD_VALUE);
    ck_assert_msg(strstr(error.message, "a resume cannot shorten it") != NULL, "%s", error.message);
    train_fixture_clear(&f);
}

/* A stable run whose decay has not begun grows, and goes on as if it had been that long
 * from the start; one update later it cannot. */
START_TEST(a_run_grows_until_its_decay_begins)
{
    train_fixture f = new_fixture();
    char paths[3][512];
    static const char *const names[] = {"long", "before", "after"};
    ag_error error = {0};
    for (int i = 0; i < 3; i++) {
        stopper s = {.at = i == 0 ? 0 : i == 1 ? 12 : 13};
        train_options options = options_of(folder_in(&f, names[i], paths[i]), &s);
        options.schedule = TRAIN_WSD;
        options.average = 0;
        options.decay = 0.4;
        options.warmup = 2;
        options.steps = i == 0 ? 30 : 20;
        options.evaluate_every = options.save_every = 100;
        train_fixture_redraw(&f, 7);
        ck_assert_int_eq(train_run(f.model, f.training, f.dev, &options, NULL, NULL), i == 0 ? AG_OK : AG_INTERRUPTED);
    }
    for (int i = 1; i < 3; i++) {
        train_options options = {.out = paths[i], .resume = true, .steps = 30, .arguments = "words"};
        train_fixture_redraw(&f, 8);
        ag_status status = train_run(f.model, f.training, f.dev, &options, NULL, &error);
        ck_assert_msg(status == (i == 1 ? AG_OK : AG_BAD_VALUE), "%s", error.message);
    }
    test_files_equal(paths[0], paths[1], "last.safetensors");
    ck_assert_ptr_nonnull(strstr(error.message, "falls after step 12, to end at step 20, and the run is at step 13"));
    train_fixture_clear(&f);
}
END_TEST

START_TEST(only_a_schedule_without_an_end_grows)
{
    check_growth(TRAIN_COSINE);
    check_growth(TRAIN_LINEAR);
    check_growth(TRAIN_WSD);
    check_growth(TRAIN_CONSTANT);
    check_growth(TRAIN_INVERSE_SQRT);
    check_growth(TRAIN_NOAM);
}
END_TEST

/* Lines of steps after the checkpoint, and half lines, are cut off: steps in the log
 * never go back. */
static void check_cut(bool half)
{
    train_fixture f = new_fixture();
    stopper s = {.at = 5};
    train_options options = options_of(f.out, &s);
    ck_assert_int_eq(train_run(f.model, f.training, NULL, &options, NULL, NULL), AG_INTERRUPTED);
    size_t size;
    char *log = test_file_read(f.out, "log.jsonl", &size);
    char *longer = malloc(size + 64);
    ck_assert_ptr_nonnull(longer);
    int more = snprintf(longer, size + 64, "%s{\"step\":%d,\"ep%s", log, half ? 5 : 6, half ? "" : "och\":1}\n");
    free(test_file_write(f.out, "log.jsonl", longer, (size_t)more));

    options.resume = true;
    s = (stopper){0};
    ck_assert_int_eq(train_run(f.model, f.training, NULL, &options, NULL, NULL), AG_OK);
    char *again = test_file_read(f.out, "log.jsonl", &size);
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

/* ---- Resumes that are refused ------------------------------------------------------ */

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
    options->average = 0.8;
}
static void change_best_by(train_options *options)
{
    options->best_by = TRAIN_BEST_WER;
}

START_TEST(a_resume_must_be_of_the_same_run)
{
    const refusal refusals[] = {{"seed was 5 in this run and is 6 now", change_seed},
                                {"batch was 16 in this run and is 17 now", change_batch},
                                {"accumulate was 2 in this run and is 3 now", change_parts},
                                {"rate was 0.003 in this run and is 0.001 now", change_rate},
                                {"optimizer was adamw in this run and is adam now", change_optimizer},
                                {"schedule was cosine in this run and is noam now", change_schedule},
                                {"average was 0.7 in this run and is 0.8 now", change_average},
                                {"best_by was exact in this run and is wer now", change_best_by}};
    train_fixture f = new_fixture();
    run_stopped(&f, f.out, f.dev, 5, 0);
    size_t bytes = (size_t)f.model->params.size * sizeof(ag_real);
    ag_real *before = malloc(bytes);
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
    expect_refusal(&f, f.model, fewer, AG_BAD_VALUE, "training set is not the one that this run began with");
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

/* The whole of a short run: start, steps, evaluation, files. Files that a failed run
 * leaves are whole. */
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
    tcase_add_test(t, stopped_at_a_step_that_is_passed);
    tcase_add_test(t, stopped_after_an_evaluation);
    tcase_add_test(t, stopped_anywhere_without_a_dev_set);
    tcase_add_test(t, the_threads_do_not_matter);
    tcase_add_test(t, each_optimizer_and_schedule_goes_on);
    tcase_add_test(t, a_language_model_goes_on);
    tcase_add_test(t, what_is_left_out_is_taken_over);
    tcase_add_test(t, a_run_grows_until_its_decay_begins);
    tcase_add_test(t, only_a_schedule_without_an_end_grows);
    tcase_add_test(t, the_log_is_cut);
    tcase_add_test(t, a_resume_must_be_of_the_same_run);
    tcase_add_test(t, a_resume_needs_the_same_model_and_data);
    tcase_add_test(t, damaged_checkpoints_are_refused);
    tcase_add_test(t, running_survives_each_failing_allocation);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(suite)
