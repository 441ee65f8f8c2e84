/* test_train_run.c - the training loop: it learns, keeps the best, stops, and says what
 * went wrong. */
#include "train_fixture.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* A listener that does something to the run at a step, and notes what it hears. */
typedef struct listener {
    nn_model *model;
    int64_t at; /* the step of `act` */
    void (*act)(struct listener *listener);
    volatile sig_atomic_t stop;
    int64_t steps, evaluations, best; /* reports heard */
    int64_t allocations, grown;       /* the count at the last report; reports after which it had grown */
    ag_real *copy;                    /* of the parameters at the best evaluation */
    double first_loss, last_loss;
} listener;

static void listen(void *context, const train_progress *progress)
{
    listener *l = context;
    if (progress->dev) {
        l->evaluations++;
        if (progress->best && l->copy)
            memcpy(l->copy, l->model->params.value, (size_t)l->model->params.size * sizeof(ag_real));
        l->best += progress->best;
        return;
    }
    int64_t allocations = test_allocations();
    l->grown += progress->step > 3 && allocations != l->allocations;
    l->allocations = allocations;
    if (l->steps++ == 0)
        l->first_loss = progress->loss;
    l->last_loss = progress->loss;
    if (l->act && progress->step == l->at)
        l->act(l);
}

static train_options options_of(const train_fixture *f, listener *l)
{
    l->model = f->model;
    return (train_options){.batch = 25,
                           .threads = 1,
                           .out = f->out,
                           .task = "copy",
                           .on_progress = listen,
                           .context = l,
                           .stop = &l->stop};
}

/* ---- Learning ---------------------------------------------------------------------- */

START_TEST(a_tagger_learns_a_task)
{
    train_fixture f = train_fixture_new("shift", 6, 6, NN_ENCODER, 32, 0);
    listener l = {0};
    ag_error error = {0};
    train_result result;
    train_options options = options_of(&f, &l);
    options.steps = 200;
    options.rate = 5e-3;
    options.evaluate_every = 100;
    ck_assert_msg(train_run(f.model, f.training, f.dev, &options, &result, &error) == AG_OK, "%s", error.message);
    ck_assert_double_lt(l.last_loss, 0.1 * l.first_loss);
    ck_assert_double_ge(result.best.token_accuracy, 0.99);
    ck_assert_double_ge(result.best.exact_match, 0.95);
    ck_assert_int_eq(result.steps, 200);
    ck_assert_int_eq(l.evaluations, 2);
    train_fixture_clear(&f);
}
END_TEST

START_TEST(a_sequence_model_learns_a_task)
{
    train_fixture f = train_fixture_new("copy", 4, 4, NN_ENCODER_DECODER, 32, 0);
    listener l = {0};
    ag_error error = {0};
    train_result result;
    train_options options = options_of(&f, &l);
    options.steps = 300;
    options.rate = 5e-3;
    options.evaluate_every = 300;
    ck_assert_msg(train_run(f.model, f.training, NULL, &options, &result, &error) == AG_OK, "%s", error.message);
    train_metrics metrics;
    train_evaluation evaluation = {.decode = true, .threads = 1, .generation.max_length = 5};
    ck_assert_int_eq(train_evaluate(f.model, f.dev, &evaluation, &metrics, NULL), AG_OK);
    ck_assert_double_lt(l.last_loss, 0.1 * l.first_loss);
    ck_assert_double_ge(metrics.exact_match, 0.9);
    train_fixture_clear(&f);
}
END_TEST

/* One step of plain descent is the gradient of the mean loss over the batch's target
 * tokens, worked out here without the loop. */
START_TEST(an_update_follows_the_mean_loss)
{
    train_fixture f = train_fixture_new("copy", 1, 6, NN_ENCODER_DECODER, 8, 0);
    nn_params *params = &f.model->params;
    data_batch b = {0};
    ag_tape *tape = ag_tape_new(NULL);
    nn_pass pass = {.tape = tape, .params = params};
    ck_assert_int_eq(data_set_batch(f.training, 200, 0, &b, NULL), AG_OK);
    ck_assert_int_lt(b.tokens, b.rows * b.target_length); /* there is padding */
    nn_input input = {.rows = b.rows,
                      .source = b.source,
                      .source_lengths = b.source_lengths,
                      .target = b.target_in,
                      .source_length = b.source_length,
                      .target_length = b.target_length,
                      .target_lengths = b.target_lengths};
    ag_cross_entropy_options mean = {.ignore = true, .ignore_index = DATA_NONE, .label_smoothing = 0.1};
    ag_tensor *loss = ag_cross_entropy(nn_model_apply(f.model, &pass, &input), b.target_out, &mean);
    ck_assert_int_eq(ag_backward(loss), AG_OK);
    double *expected = malloc((size_t)params->size * sizeof *expected);
    for (int64_t i = 0; i < params->size; i++)
        expected[i] = (double)params->value[i] - 0.5 * (double)params->grad[i];

    listener l = {0};
    train_options options = options_of(&f, &l);
    options.steps = 1;
    options.batch = 200; /* so many that they are not all of one length */
    options.optimizer.kind = TRAIN_SGD;
    options.schedule = TRAIN_CONSTANT;
    options.rate = 0.5;
    options.warmup = -1;
    options.clip = -1;
    options.label_smoothing = 0.1;
    ck_assert_int_eq(train_run(f.model, f.training, NULL, &options, NULL, NULL), AG_OK);
    ck_assert_double_eq_tol(l.first_loss, (double)loss->data[0], PRECISION(1e-12, 1e-5));
    for (int64_t i = 0; i < params->size; i++)
        ck_assert_double_eq_tol((double)params->value[i], expected[i], PRECISION(1e-13, 1e-5));
    free(expected);
    ag_tape_free(tape);
    data_batch_clear(&b);
    train_fixture_clear(&f);
}
END_TEST

/* A batch in parts, trimmed and of different lengths, is the same update as the whole. */
START_TEST(accumulation_is_the_large_batch)
{
    train_fixture f = train_fixture_new("copy", 1, 6, NN_ENCODER_DECODER, 8, 0);
    size_t bytes = (size_t)f.model->params.size * sizeof(ag_real);
    ag_real *whole = malloc(bytes);
    for (int64_t parts = 1; parts <= 300; parts = parts == 1 ? 3 : parts + 297) { /* 300: some have no rows */
        listener l = {0};
        train_options options = options_of(&f, &l);
        options.out = NULL;
        options.steps = 3;
        options.batch = 200;
        options.optimizer.kind = TRAIN_SGD;
        options.optimizer.momentum = 0.9;
        options.rate = 0.5;
        options.label_smoothing = 0.1;
        options.accumulate = parts;
        train_fixture_redraw(&f, 3);
        ck_assert_int_eq(train_run(f.model, f.training, NULL, &options, NULL, NULL), AG_OK);
        if (parts == 1)
            memcpy(whole, f.model->params.value, bytes);
        for (int64_t i = 0; i < f.model->params.size; i++)
            ck_assert_double_eq_tol((double)whole[i], (double)f.model->params.value[i], PRECISION(1e-12, 2e-4));
    }
    free(whole);
    train_fixture_clear(&f);
}
END_TEST

START_TEST(a_step_allocates_nothing)
{
    const nn_model_kind kinds[] = {NN_ENCODER_DECODER, NN_ENCODER, NN_ENCODER};
    for (int k = 0; k < 3; k++) {
        train_fixture f = train_fixture_new("shift", 4, 4, kinds[k], 8, 0.1);
        listener l = {0};
        train_options options = options_of(&f, &l);
        options.steps = 50; /* of 20 in an epoch */
        options.optimizer.kind = k < 2 ? TRAIN_ADAMW : TRAIN_MUON;
        options.accumulate = 2;
        options.average = 0.9;
        options.evaluate_every = 1000;
        options.save_every = 1000;
        ck_assert_int_eq(train_run(f.model, f.training, NULL, &options, NULL, NULL), AG_OK);
        ck_assert_int_eq(l.steps, 50);
        ck_assert_int_eq(l.grown, 0);
        train_fixture_clear(&f);
    }
}
END_TEST

/* ---- The best, the average, the early stop ----------------------------------------- */

static void spoil(listener *l)
{
    test_fill(l->model->params.value, l->model->params.size, 99, -1, 1);
}

START_TEST(the_best_is_kept)
{
    train_fixture f = train_fixture_new("copy", 4, 4, NN_ENCODER, 8, 0);
    size_t bytes = (size_t)f.model->params.size * sizeof(ag_real);
    listener l = {.at = 15, .act = spoil, .copy = malloc(bytes)};
    train_options options = options_of(&f, &l);
    options.steps = 16;
    options.rate = 0.1;
    options.evaluate_every = 4;
    options.arguments = "some words";
    train_result result;
    ck_assert_int_eq(train_run(f.model, f.training, f.dev, &options, &result, NULL), AG_OK);
    ck_assert_int_eq(l.evaluations, 4);
    ck_assert_int_gt(result.best_step, 0);
    ck_assert_int_lt(result.best_step, 16);
    char last[512];
    snprintf(last, sizeof last, "%s/last.safetensors", f.out);

    train_saved saved;
    ag_error error = {0};
    ck_assert_msg(train_saved_load(&saved, f.out, &error) == AG_OK, "%s", error.message);
    ck_assert_int_eq(memcmp(saved.model->params.value, l.copy, bytes), 0);
    ck_assert_str_eq(saved.task, "copy");
    ck_assert_str_eq(saved.arguments, "some words");
    ck_assert(saved.tagging);
    ck_assert_int_eq(data_vocab_size(saved.source_vocab), f.model->config.source_vocab);
    train_metrics metrics;
    train_evaluation evaluation = {.decode = true, .threads = 1};
    ck_assert_int_eq(train_evaluate(saved.model, f.dev, &evaluation, &metrics, NULL), AG_OK);
    ck_assert(metrics.loss == result.best.loss && metrics.wer == result.best.wer);
    train_saved_clear(&saved);
    ck_assert_msg(train_checkpoint_read(&saved, f.out, &error) == AG_OK, "%s", error.message);
    ck_assert_int_eq(memcmp(saved.model->params.value, f.model->params.value, bytes), 0); /* the newest */
    ck_assert_str_eq(saved.arguments, "some words");
    ck_assert_int_eq(data_vocab_size(saved.target_vocab), f.model->config.target_vocab);
    train_saved_clear(&saved);
    ck_assert_msg(train_saved_load(&saved, last, &error) == AG_OK, "%s", error.message);
    ck_assert_int_eq(memcmp(saved.model->params.value, f.model->params.value, bytes), 0);
    train_saved_clear(&saved);
    free(l.copy);
    train_fixture_clear(&f);
}
END_TEST

/* Without an average a checkpoint's model is its newest weights, with one the average:
 * that of last.safetensors. */
START_TEST(a_checkpoint_can_be_evaluated)
{
    for (int averaged = 0; averaged < 2; averaged++) {
        train_fixture f = train_fixture_new("copy", 4, 4, NN_ENCODER, 8, 0);
        listener l = {0};
        train_options options = options_of(&f, &l);
        options.steps = 12;
        options.rate = 0.1;
        options.average = averaged ? 0.9 : 0;
        ck_assert_int_eq(train_run(f.model, f.training, f.dev, &options, NULL, NULL), AG_OK);
        static const char *const names[] = {"last.safetensors", "checkpoint.safetensors"};
        train_saved saved[2];
        size_t bytes = (size_t)f.model->params.size * sizeof(ag_real);
        for (int i = 0; i < 2; i++) {
            char path[512];
            ag_error error = {0};
            snprintf(path, sizeof path, "%s/%s", f.out, names[i]);
            ck_assert_msg(train_saved_load(&saved[i], path, &error) == AG_OK, "%s", error.message);
        }
        ck_assert_mem_eq(saved[0].model->params.value, saved[1].model->params.value, bytes);
        ck_assert_int_eq(!memcmp(saved[1].model->params.value, f.model->params.value, bytes), !averaged);
        train_saved_clear(&saved[0]);
        train_saved_clear(&saved[1]);
        ck_assert_int_eq(train_checkpoint_read(&saved[0], f.out, NULL), AG_OK); /* a resume's are the newest */
        ck_assert_mem_eq(saved[0].model->params.value, f.model->params.value, bytes);
        train_saved_clear(&saved[0]);
        train_fixture_clear(&f);
    }
}
END_TEST

START_TEST(patience_ends_a_run)
{
    train_fixture f = train_fixture_new("copy", 4, 4, NN_ENCODER, 8, 0);
    listener l = {0};
    train_options options = options_of(&f, &l);
    options.steps = 100;
    options.rate = 1e-300; /* nothing changes, and equal is not better */
    options.evaluate_every = 2;
    options.patience = 3;
    train_result result;
    ck_assert_int_eq(train_run(f.model, f.training, f.dev, &options, &result, NULL), AG_OK);
    ck_assert(result.stopped_early);
    ck_assert_int_eq(result.best_step, 2);
    ck_assert_int_eq(result.steps, 8);
    ck_assert_double_gt(result.best.loss, result.best.chance); /* saved, but no better than guessing: nothing is best */
    ck_assert_int_eq(l.best, 0);
    options.resume = true; /* there is no more to do */
    ck_assert_int_eq(train_run(f.model, f.training, f.dev, &options, &result, NULL), AG_OK);
    ck_assert(result.stopped_early);
    ck_assert_int_eq(result.steps, 8);
    train_fixture_clear(&f);
}
END_TEST

typedef struct history {
    const nn_model *model;
    double *sum;
    double weights;
} history;

static void remember(void *context, const train_progress *progress)
{
    history *h = context;
    (void)progress;
    h->weights = 0.9 * h->weights + 1;
    for (int64_t i = 0; i < h->model->params.size; i++)
        h->sum[i] = 0.9 * h->sum[i] + (double)h->model->params.value[i];
}

START_TEST(the_average_is_that_of_the_steps)
{
    train_fixture f = train_fixture_new("copy", 4, 4, NN_ENCODER, 8, 0);
    listener l = {0};
    history h = {.model = f.model, .sum = calloc((size_t)f.model->params.size, sizeof(double))};
    train_options options = options_of(&f, &l);
    options.steps = 7;
    options.rate = 0.1;
    options.average = 0.9;
    options.on_progress = remember;
    options.context = &h;
    ck_assert_int_eq(train_run(f.model, f.training, NULL, &options, NULL, NULL), AG_OK);
    train_saved saved;
    ck_assert_int_eq(train_saved_load(&saved, f.out, NULL), AG_OK);
    for (int64_t i = 0; i < f.model->params.size; i++)
        ck_assert_double_eq_tol((double)saved.model->params.value[i], h.sum[i] / h.weights, PRECISION(1e-14, 1e-6));
    train_saved_clear(&saved);
    free(h.sum);
    train_fixture_clear(&f);
}
END_TEST

/* ---- Stops and folders ------------------------------------------------------------- */

static void stop(listener *l)
{
    l->stop = 1;
}

START_TEST(a_stop_finishes_the_step_and_saves)
{
    train_fixture f = train_fixture_new("copy", 4, 4, NN_ENCODER, 8, 0);
    listener l = {.at = 5, .act = stop};
    train_options options = options_of(&f, &l);
    options.steps = 100;
    train_result result;
    ag_error error = {0};
    ck_assert_int_eq(train_run(f.model, f.training, f.dev, &options, &result, &error), AG_INTERRUPTED);
    ck_assert_str_eq(error.message, "stopped after step 5 of 100");
    ck_assert_int_eq(result.steps, 5);
    ck_assert_int_eq(l.steps, 5);
    ck_assert(!result.stopped_early);
    ck_assert(test_file_exists(f.out, "checkpoint.safetensors"));
    ck_assert(test_file_exists(f.out, "model.safetensors"));
    train_fixture_clear(&f);
}
END_TEST

START_TEST(a_folder_with_a_run_is_not_taken)
{
    train_fixture f = train_fixture_new("copy", 4, 4, NN_ENCODER, 8, 0);
    listener l = {0};
    train_options options = options_of(&f, &l);
    options.steps = 1;
    ck_assert_int_eq(train_run(f.model, f.training, NULL, &options, NULL, NULL), AG_OK);
    size_t size, again_size;
    unsigned char *before = test_file_read(f.out, "log.jsonl", &size);
    ag_error error = {0};
    l.steps = 0;
    ck_assert_int_eq(train_run(f.model, f.training, NULL, &options, NULL, &error), AG_BAD_VALUE);
    ck_assert_msg(strstr(error.message,
                         "already holds a run: resume it, overwrite it (--overwrite) or choose another folder") != NULL,
                  "%s", error.message);
    ck_assert_int_eq(l.steps, 0);
    unsigned char *after = test_file_read(f.out, "log.jsonl", &again_size);
    ck_assert_str_eq((char *)before, (char *)after);
    free(before);
    free(after);
    train_fixture_clear(&f);
}
END_TEST

START_TEST(a_folder_that_cannot_be_is_said_before_the_first_step)
{
    train_fixture f = train_fixture_new("copy", 4, 4, NN_ENCODER, 8, 0);
    listener l = {0};
    train_options options = options_of(&f, &l);
    char *file = test_file_write(f.folder, "file", "x", 1), path[512];
    const char *const below[] = {"", "/run", "/a/b/"};
    for (size_t i = 0; i < sizeof below / sizeof *below; i++) {
        ag_error error = {0};
        snprintf(path, sizeof path, "%s%s", file, below[i]);
        options.out = path;
        ck_assert_int_eq(train_run(f.model, f.training, NULL, &options, NULL, &error), AG_IO);
        ck_assert_msg(!strncmp(error.message, file, strlen(file)), "%s", error.message);
        ck_assert_msg(strstr(error.message, "there is a file in its way") != NULL, "%s", error.message);
        ck_assert_int_eq(l.steps, 0);
    }
    free(file);
    snprintf(path, sizeof path, "%s/a/b//c/", f.folder); /* and one that is made, with all above it */
    options.out = path;
    options.steps = 1;
    ck_assert_int_eq(train_run(f.model, f.training, NULL, &options, NULL, NULL), AG_OK);
    ck_assert(test_file_exists(path, "model.safetensors"));
    train_fixture_clear(&f);
}
END_TEST

START_TEST(bad_options_are_refused)
{
    const struct {
        train_options options;
        const char *word;
    } cases[] = {
        {{.rate = (double)NAN}, "rate is nan"},
        {{.optimizer.kind = (train_optimizer_kind)7}, "optimizer is 7"},
        {{.schedule = (train_schedule_kind)9}, "schedule is 9"},
        {{.rate = -1}, "rate is -1"},
        {{.rate = (double)INFINITY}, "rate is inf"},
        {{.batch = -1}, "batch is -1"},
        {{.steps = -5}, "steps is -5"},
        {{.threads = -1}, "threads is -1"},
        {{.label_smoothing = 2}, "label_smoothing is 2"},
        {{.average = 1}, "average is 1"},
        {{.warmup = -2}, "warmup is -2"},
        {{.clip = -2}, "clip is -2"},
        {{.clip = (double)NAN}, "clip is nan"},
        {{.accumulate = -1}, "accumulate is -1"},
        {{.epochs = 999999999999999}, "epochs are too many"},
        {{.optimizer.beta1 = 2}, "beta1 is 2"},
        {{.optimizer.weight_decay = -2}, "weight_decay is -2"},
        {{.floor = 2}, "floor is 2"},
        {{.floor = -0.5}, "floor is -0.5"},
        {{.best_by = (train_best_by)3}, "best_by is 3"},
        {{.optimizer.momentum = 0.9}, "momentum needs SGD or Muon"},
        {{.optimizer = {.kind = TRAIN_ADAM, .nesterov = true}}, "nesterov needs SGD"},
        {{.optimizer = {.kind = TRAIN_SGD, .nesterov = true}}, "nesterov needs a momentum above 0"},
        {{.optimizer = {.kind = TRAIN_MUON, .nesterov = true}}, "nesterov needs SGD"},
        {{.muon_rate = 0.02}, "muon_rate needs Muon"},
        {{.optimizer = {.kind = TRAIN_MUON}, .muon_rate = -1}, "muon_rate is -1"},
        {{.steps = 9, .warmup = 10}, "a warm-up of 10 steps is longer than the run, which has 9"},
        {{.resume = true}, "folder"},
        {{.arguments = "\xff"}, "UTF-8"},
    };
    train_fixture f = train_fixture_new("copy", 4, 4, NN_ENCODER, 8, 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ag_error error = {0};
        ck_assert_int_eq(train_run(f.model, f.training, NULL, &cases[i].options, NULL, &error), AG_BAD_VALUE);
        ck_assert_msg(strstr(error.message, cases[i].word) != NULL, "%s", error.message);
    }
    train_fixture_clear(&f);
}
END_TEST

/* The command's ranges catch slips; the library takes all that has a meaning. */
START_TEST(options_beyond_the_range_of_flags_are_taken)
{
    const train_options cases[] = {
        {.label_smoothing = 1}, {.average = 1 - 1e-12}, {.optimizer = {.beta1 = 1e-9, .beta2 = 0.9999999}},
        {.rate = 2e3},          {.threads = 1025},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        train_fixture f = train_fixture_new("copy", 4, 4, NN_ENCODER, 8, 0);
        train_options options = cases[i];
        ag_error error = {0};
        options.steps = 1;
        options.threads = options.threads ? options.threads : 1;
        ck_assert_msg(train_run(f.model, f.training, NULL, &options, NULL, &error) == AG_OK, "%s", error.message);
        train_fixture_clear(&f);
    }
}
END_TEST

START_TEST(sets_that_do_not_fit_are_refused)
{
    train_fixture f = train_fixture_new("copy", 4, 4, NN_ENCODER_DECODER, 8, 0);
    train_fixture tags = train_fixture_new("copy", 4, 4, NN_ENCODER, 8, 0);
    train_fixture other = train_fixture_new("addition", 1, 2, NN_ENCODER_DECODER, 8, 0);
    train_options options = {.steps = 1, .threads = 1};
    ag_error error = {0};
    ck_assert_int_eq(train_run(f.model, tags.training, NULL, &options, NULL, &error), AG_BAD_VALUE);
    ck_assert_int_eq(train_run(tags.model, f.training, NULL, &options, NULL, &error), AG_BAD_VALUE);
    error = (ag_error){0};
    ck_assert_int_eq(train_run(f.model, f.training, other.dev, &options, NULL, &error), AG_BAD_VALUE);
    ck_assert_msg(strstr(error.message, "vocabulary has") != NULL, "%s", error.message);
    train_fixture_clear(&other);
    train_fixture_clear(&tags);
    train_fixture_clear(&f);
}
END_TEST

/* ---- Logs and lines ---------------------------------------------------------------- */

START_TEST(the_log_has_a_line_for_each_report)
{
    train_fixture f = train_fixture_new("copy", 4, 4, NN_ENCODER, 8, 0);
    listener l = {0};
    train_options options = options_of(&f, &l);
    options.steps = 10;
    options.report_every = 4;
    options.evaluate_every = 5;
    ck_assert_int_eq(train_run(f.model, f.training, f.dev, &options, NULL, NULL), AG_OK);
    size_t size;
    char *log = test_file_read(f.out, "log.jsonl", &size);
    const struct {
        int step;
        const char *key;
    } expected[] = {{1, "loss"}, {4, "loss"}, {5, "dev_loss"}, {8, "loss"}, {10, "loss"}, {10, "dev_loss"}};
    char *line = log;
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        char begin[64], *end = strchr(line, '\n');
        ck_assert_ptr_nonnull(end);
        *end = 0;
        snprintf(begin, sizeof begin, "{\"step\":%d,\"%s", expected[i].step,
                 *expected[i].key == 'd' ? "dev_loss\":" : "epoch\":");
        ck_assert_msg(!strncmp(line, begin, strlen(begin)) && end[-1] == '}', "%s", line);
        ck_assert_msg(!strstr(line, "nan") && !strstr(line, "inf"), "%s", line);
        ck_assert((*expected[i].key == 'd') == (strstr(line, "\"best\":") && strstr(line, "\"dev_wer\":")));
        line = end + 1;
    }
    ck_assert_str_eq(line, "");
    ck_assert_int_eq(l.steps, 4);
    free(log);
    train_fixture_clear(&f);
}
END_TEST

START_TEST(progress_as_a_line)
{
    char text[256];
    train_progress p = {.step = 1200,
                        .steps = 2000,
                        .epoch = 3,
                        .loss = 0.0123,
                        .rate = 8.1e-4,
                        .tokens_per_second = 41234,
                        .seconds_left = 21.2};
    ck_assert_str_eq(train_progress_line(&p, text, sizeof text),
                     "step 1200/2000  epoch 3  loss 0.0123  rate 8.1e-04  41.2k tokens/s  0:21 left");
    p.tokens_per_second = 1.5e6;
    p.seconds_left = 3723;
    ck_assert_ptr_nonnull(strstr(train_progress_line(&p, text, sizeof text), "1.5M tokens/s  1:02:03 left"));
    p.tokens_per_second = 87;
    ck_assert_ptr_nonnull(strstr(train_progress_line(&p, text, sizeof text), "  87 tokens/s"));
    memset(text, '#', sizeof text);
    ck_assert_str_eq(train_progress_line(&p, text, 10), "step 1200");
    for (size_t i = 10; i < sizeof text; i++)
        ck_assert(text[i] == '#');
    train_metrics dev = {.loss = 0.5, .token_accuracy = 0.875, .decoded = true, .wer = 0.25, .per = 0.125};
    p.dev = &dev;
    p.best = true;
    ck_assert_str_eq(
        train_progress_line(&p, text, sizeof text),
        "step 1200/2000  dev loss 0.5000  token accuracy 87.50%  word error 25.00%  token error 12.50%  best");
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("train/run");
    TCase *t = tcase_create("run");
    tcase_set_timeout(t, 120); /* for sanitizers and slow machines */
    tcase_add_test(t, a_tagger_learns_a_task);
    tcase_add_test(t, a_sequence_model_learns_a_task);
    tcase_add_test(t, an_update_follows_the_mean_loss);
    tcase_add_test(t, accumulation_is_the_large_batch);
    tcase_add_test(t, a_step_allocates_nothing);
    tcase_add_test(t, the_best_is_kept);
    tcase_add_test(t, a_checkpoint_can_be_evaluated);
    tcase_add_test(t, patience_ends_a_run);
    tcase_add_test(t, the_average_is_that_of_the_steps);
    tcase_add_test(t, a_stop_finishes_the_step_and_saves);
    tcase_add_test(t, a_folder_with_a_run_is_not_taken);
    tcase_add_test(t, a_folder_that_cannot_be_is_said_before_the_first_step);
    tcase_add_test(t, bad_options_are_refused);
    tcase_add_test(t, options_beyond_the_range_of_flags_are_taken);
    tcase_add_test(t, sets_that_do_not_fit_are_refused);
    tcase_add_test(t, the_log_has_a_line_for_each_report);
    tcase_add_test(t, progress_as_a_line);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(suite)
