/* test_train_from.c - a run may begin with a model that was trained before: fine-tuning,
 * with the library's calls. */
#include "train_fixture.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { ROWS = 16 };

/* The reports of a run, and whether it is to stop. */
typedef struct listener {
    double first_loss, last_loss;
    int64_t at; /* a step to stop at; 0: never */
    volatile sig_atomic_t stop;
} listener;

static void listen(void *context, const train_progress *progress)
{
    listener *l = context;
    if (progress->dev)
        return;
    if (progress->step == 1)
        l->first_loss = progress->loss;
    l->last_loss = progress->loss;
    l->stop = progress->step == l->at;
}

static train_options options_of(const char *out, listener *l, int64_t steps)
{
    return (train_options){.steps = steps,
                           .batch = ROWS,
                           .rate = 3e-3,
                           .evaluate_every = 10,
                           .threads = 1,
                           .out = out,
                           .on_progress = listen,
                           .context = l,
                           .stop = &l->stop};
}

/* A task's examples in the vocabularies of a model; an epoch of one batch. */
static data_set *set_for(const train_saved *saved, const char *task, data_part part)
{
    ag_error error = {0};
    const data_set_options options = {.part = part,
                                      .min_length = 3,
                                      .max_length = 4,
                                      .count = ROWS,
                                      .tagging = saved->tagging,
                                      .source_vocab = saved->source_vocab,
                                      .target_vocab = saved->target_vocab};
    data_set *set = data_set_task(data_task_find(task), &options, &error);
    ck_assert_msg(set != NULL, "%s", error.message);
    return set;
}

static train_saved trained(train_fixture *f, const char *task, nn_model_kind kind)
{
    train_saved saved;
    listener l = {0};
    ag_error error = {0};
    *f = train_fixture_new(task, 3, 4, kind, 16, 0);
    train_options options = options_of(f->out, &l, 60);
    ck_assert_int_eq(train_run(f->model, f->training, f->dev, &options, NULL, &error), AG_OK);
    ck_assert_msg(train_saved_load(&saved, f->out, &error) == AG_OK, "%s", error.message);
    return saved;
}

/* The first loss of the new run is what the old model makes of that batch, and what a new
 * model makes is another. */
static void check_start(const char *task, nn_model_kind kind)
{
    train_fixture f;
    train_saved saved = trained(&f, task, kind);
    data_set *set = set_for(&saved, task, DATA_TRAIN);
    const train_evaluation evaluation = {.threads = 1};
    train_metrics metrics;
    listener l = {0};
    train_options options = options_of(NULL, &l, 1);
    ck_assert_int_eq(train_evaluate(saved.model, set, &evaluation, &metrics, NULL), AG_OK);
    ck_assert_int_eq(train_run(saved.model, set, NULL, &options, NULL, NULL), AG_OK);
    ck_assert_msg(fabs(l.first_loss - metrics.loss) <= PRECISION(1e-12, 1e-6) * metrics.loss, "%.9g, evaluated %.9g",
                  l.first_loss, metrics.loss);

    train_fixture_redraw(&f, 3);
    ck_assert_int_eq(train_run(f.model, set, NULL, &options, NULL, NULL), AG_OK);
    ck_assert_double_gt(l.first_loss, metrics.loss + 0.5);
    data_set_free(set);
    train_saved_clear(&saved);
    train_fixture_clear(&f);
}

START_TEST(a_run_begins_where_the_model_stands)
{
    check_start("copy", NN_ENCODER_DECODER);
    check_start("copy", NN_ENCODER);
}
END_TEST

/* Another task: the loss on it falls below what the old model makes of it; the old files
 * are as they were. */
START_TEST(another_task_is_learnt)
{
    train_fixture f;
    train_saved saved = trained(&f, "copy", NN_ENCODER_DECODER);
    data_set *training = set_for(&saved, "reverse", DATA_TRAIN), *dev = set_for(&saved, "reverse", DATA_DEV);
    const train_evaluation evaluation = {.threads = 1};
    train_metrics before, after;
    size_t sizes[2];
    char out[512];
    snprintf(out, sizeof out, "%s/reverse", f.folder);
    unsigned char *kept = test_file_read(f.out, "model.safetensors", &sizes[0]);
    ck_assert_int_eq(train_evaluate(saved.model, dev, &evaluation, &before, NULL), AG_OK);
    listener l = {0};
    train_options options = options_of(out, &l, 100);
    ck_assert_int_eq(train_run(saved.model, training, dev, &options, NULL, NULL), AG_OK);
    ck_assert_int_eq(train_evaluate(saved.model, dev, &evaluation, &after, NULL), AG_OK);
    ck_assert_msg(after.loss < 0.8 * before.loss, "%g, before %g", after.loss, before.loss);
    unsigned char *now = test_file_read(f.out, "model.safetensors", &sizes[1]);
    ck_assert_uint_eq(sizes[0], sizes[1]);
    ck_assert_int_eq(memcmp(kept, now, sizes[0]), 0);
    free(kept);
    free(now);
    data_set_free(training);
    data_set_free(dev);
    train_saved_clear(&saved);
    train_fixture_clear(&f);
}
END_TEST

/* The checkpoint is enough to set up the run again: the model that it began with is no
 * longer needed. */
START_TEST(a_resume_needs_the_checkpoint_alone)
{
    train_fixture f;
    train_saved saved = trained(&f, "copy", NN_ENCODER_DECODER), run;
    char outs[2][512];
    ag_error error = {0};
    for (int stopped = 0; stopped < 2; stopped++) {
        train_saved start;
        listener l = {.at = stopped ? 7 : 0};
        snprintf(outs[stopped], sizeof outs[stopped], "%s/%s", f.folder, stopped ? "stopped" : "whole");
        train_options options = options_of(outs[stopped], &l, 20);
        ck_assert_int_eq(train_saved_load(&start, f.out, NULL), AG_OK);
        data_set *training = set_for(&start, "reverse", DATA_TRAIN), *dev = set_for(&start, "reverse", DATA_DEV);
        ck_assert_int_eq(train_run(start.model, training, dev, &options, NULL, &error),
                         stopped ? AG_INTERRUPTED : AG_OK);
        data_set_free(training);
        data_set_free(dev);
        train_saved_clear(&start);
    }
    ck_assert_msg(train_checkpoint_read(&run, outs[1], &error) == AG_OK, "%s", error.message);
    data_set *training = set_for(&run, "reverse", DATA_TRAIN), *dev = set_for(&run, "reverse", DATA_DEV);
    listener l = {0};
    train_options options = options_of(outs[1], &l, 20);
    options.resume = true;
    ck_assert_msg(train_run(run.model, training, dev, &options, NULL, &error) == AG_OK, "%s", error.message);
    test_files_equal(outs[0], outs[1], "model.safetensors");
    test_files_equal(outs[0], outs[1], "checkpoint.safetensors");
    data_set_free(training);
    data_set_free(dev);
    train_saved_clear(&run);
    train_saved_clear(&saved);
    train_fixture_clear(&f);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("train/from");
    TCase *t = tcase_create("from");
    tcase_set_timeout(t, 120); /* for sanitizers and slow machines */
    tcase_add_test(t, a_run_begins_where_the_model_stands);
    tcase_add_test(t, another_task_is_learnt);
    tcase_add_test(t, a_resume_needs_the_checkpoint_alone);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(suite)
