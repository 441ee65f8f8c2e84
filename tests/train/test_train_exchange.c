/* test_train_exchange.c - a run in several processes is the run of one process with as
 * many parts, byte for byte; and its processes end together. The processes are threads
 * here: train_run does not know the difference. */
#include "train_fixture.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { MOST = 4, STEPS = 7 };

/* ---- A team of threads ------------------------------------------------------------- */

struct worker;

/* What the workers share. */
typedef struct team {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int size, waiting, rounds;
    bool broken; /* a worker has failed: no exchange can be completed */
    struct worker *workers;
} team;

typedef struct worker {
    team *team;
    int part; /* from 1 */
    train_fixture f;
    train_options options;
    train_result result;
    ag_status status;
    ag_error error;
    ag_real *gradients; /* of the exchange that goes on */
    double *sums;
    int64_t calls, reports, evaluations;
    int64_t stop_at, plant_at; /* a step; 0: none */
    int64_t fail_at, spoil_at; /* a call of exchange; 0: none */
    volatile sig_atomic_t stop;
} worker;

/* Adds up what all workers have brought, in their order, and gives all the sums. */
static void add_up(const team *t, int64_t count, int64_t sum_count)
{
    worker *first = &t->workers[0];
    for (int w = 1; w < t->size; w++) {
        for (int64_t i = 0; i < count; i++)
            first->gradients[i] += t->workers[w].gradients[i];
        for (int64_t i = 0; i < sum_count; i++)
            first->sums[i] += t->workers[w].sums[i];
    }
    for (int w = 1; w < t->size; w++) {
        memcpy(t->workers[w].gradients, first->gradients, (size_t)count * sizeof(ag_real));
        memcpy(t->workers[w].sums, first->sums, (size_t)sum_count * sizeof(double));
    }
}

static ag_status exchange(void *context, ag_real *gradients, int64_t count, double *sums, int64_t sum_count)
{
    worker *w = context;
    team *t = w->team;
    if (++w->calls == w->fail_at)
        return AG_IO;
    if (w->calls == w->spoil_at)
        gradients[0] = (ag_real)NAN;
    pthread_mutex_lock(&t->lock);
    w->gradients = gradients;
    w->sums = sums;
    const int round = t->rounds;
    if (++t->waiting == t->size) {
        add_up(t, count, sum_count);
        t->waiting = 0;
        t->rounds++;
        pthread_cond_broadcast(&t->changed);
    }
    while (t->rounds == round && !t->broken)
        pthread_cond_wait(&t->changed, &t->lock);
    const bool done = t->rounds != round;
    pthread_mutex_unlock(&t->lock);
    return done ? AG_OK : AG_IO;
}

/* Makes the logits ordinary, as the product of a tiny norm and a huge projection: their
 * gradients are beyond the type. */
static void plant(const nn_params *params)
{
    const double huge = PRECISION(1e308, 3e38);
    const nn_param *norm = &params->items[nn_params_find(params, "decoder.norm.weight")];
    const nn_param *output = &params->items[nn_params_find(params, "output.weight")];
    for (int64_t i = 0; i < norm->size; i++)
        params->value[norm->offset + i] = (ag_real)(1 / huge);
    for (int64_t i = 0; i < output->size; i++)
        params->value[output->offset + i] = (ag_real)(i % 3 ? huge : -huge);
}

static void hear(void *context, const train_progress *progress)
{
    worker *w = context;
    w->reports += !progress->dev;
    w->evaluations += progress->dev != NULL;
    if (progress->step == w->stop_at)
        w->stop = 1;
    if (progress->step == w->plant_at)
        plant(&w->f.model->params);
}

static void *run_worker(void *context)
{
    worker *w = context;
    w->status = train_run(w->f.model, w->f.training, w->f.dev, &w->options, &w->result, &w->error);
    pthread_mutex_lock(&w->team->lock);
    w->team->broken = w->team->broken || (w->status != AG_OK && w->status != AG_INTERRUPTED);
    pthread_cond_broadcast(&w->team->changed);
    pthread_mutex_unlock(&w->team->lock);
    return NULL;
}

static void run_team(worker *workers, int size)
{
    team t = {.size = size, .workers = workers};
    pthread_t threads[MOST];
    pthread_mutex_init(&t.lock, NULL);
    pthread_cond_init(&t.changed, NULL);
    for (int i = 0; i < size; i++) {
        workers[i].team = &t;
        ck_assert_int_eq(pthread_create(&threads[i], NULL, run_worker, &workers[i]), 0);
    }
    for (int i = 0; i < size; i++)
        pthread_join(threads[i], NULL);
    pthread_cond_destroy(&t.changed);
    pthread_mutex_destroy(&t.lock);
}

/* ---- Runs -------------------------------------------------------------------------- */

/* What a run learns from, and how. */
typedef struct setting {
    const char *data; /* a task, or "pairs" or "text": a file */
    nn_model_kind kind;
    int64_t batch;
    int width, threads;
    train_optimizer_kind optimizer;
} setting;

static const setting settings[] = {
    {"copy", NN_ENCODER_DECODER, 25, 8, 1, TRAIN_ADAMW},  {"shift", NN_ENCODER, 26, 8, 1, TRAIN_MUON},
    {"pairs", NN_ENCODER_DECODER, 10, 8, 1, TRAIN_ADAMW}, {"text", NN_DECODER, 6, 8, 1, TRAIN_ADAMW},
    {"pairs", NN_ENCODER_DECODER, 3, 8, 1, TRAIN_ADAMW}, /* fewer rows than parts */
    {"copy", NN_ENCODER_DECODER, 64, 64, 2, TRAIN_ADAMW},
};
enum { SETTINGS = sizeof settings / sizeof *settings };

/* 23 pairs, or a text of 23 lines: the last batch of an epoch is short. */
static void write_data(const char *folder, bool pairs)
{
    char text[2048];
    size_t used = 0;
    for (int i = 0; i < 23; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%.*s%s%.*s\n", 1 + i % 7, &"abcdefghij"[i % 3],
                                 pairs ? "\t" : " ", 1 + (i + 3) % 6, &"klmnopqrst"[i % 4]);
    free(test_file_write(folder, "data", text, used));
}

static train_fixture fixture_of(const setting *s)
{
    const bool pairs = !strcmp(s->data, "pairs"), text = !strcmp(s->data, "text");
    ag_error error = {0};
    train_fixture f =
        train_fixture_new(pairs || text ? "copy" : s->data, 1, 6, text ? NN_ENCODER_DECODER : s->kind, s->width, 0.1);
    if (!pairs && !text)
        return f;
    nn_model_config config = f.model->config;
    data_set_options options = {.part = DATA_TRAIN, .held_out = 0.2, .context = 8, .seed = 1};
    write_data(f.folder, pairs);
    char *path = test_path(f.folder, "data");
    data_set_free(f.training);
    data_set_free(f.dev);
    f.training = pairs ? data_set_pairs(path, &options, &error) : data_set_text(path, &options, &error);
    ck_assert_msg(f.training != NULL, "%s", error.message);
    f.dev = data_set_held_out(f.training, &error);
    ck_assert_msg(f.dev != NULL, "%s", error.message);
    free(path);
    config.kind = s->kind;
    config.source_vocab = pairs ? data_vocab_size(data_set_source_vocab(f.training)) : 0;
    config.target_vocab = data_vocab_size(data_set_target_vocab(f.training));
    nn_model_free(f.model);
    f.model = nn_model_new(&config, 7, &error);
    ck_assert_msg(f.model != NULL, "%s", error.message);
    return f;
}

/* A process of part `part` of `parts`, or with part 0 one that computes all of them. */
static worker worker_new(const setting *s, int part, int parts)
{
    worker w = {.part = part, .f = fixture_of(s)};
    w.options = (train_options){.steps = STEPS,
                                .batch = s->batch,
                                .accumulate = parts,
                                .part = part,
                                .exchange = part ? exchange : NULL,
                                .optimizer.kind = s->optimizer,
                                .rate = 3e-3,
                                .average = 0.7,
                                .label_smoothing = 0.1,
                                .evaluate_every = 3,
                                .evaluate_sources = 8,
                                .save_every = 2,
                                .seed = 5,
                                .threads = s->threads,
                                .out = w.f.out,
                                .on_progress = hear};
    return w;
}

/* The workers of parts 1 to `size`, which share the folder of the first. */
static void team_new(worker *workers, const setting *s, int size)
{
    for (int i = 0; i < size; i++) {
        workers[i] = worker_new(s, i + 1, size);
        workers[i].options.out = workers[0].f.out;
        workers[i].options.context = &workers[i];
        workers[i].options.stop = &workers[i].stop;
    }
}

static void team_clear(worker *workers, int size)
{
    for (int i = 0; i < size; i++)
        train_fixture_clear(&workers[i].f);
}

/* The run of one process. */
static worker run_alone(const setting *s, int parts)
{
    worker w = worker_new(s, 0, parts);
    w.options.context = &w;
    w.status = train_run(w.f.model, w.f.training, w.f.dev, &w.options, &w.result, &w.error);
    ck_assert_msg(w.status == AG_OK, "%s", w.error.message);
    return w;
}

/* The logs agree in all but times. */
static void compare_logs(const char *a, const char *b)
{
    train_history one, other;
    ck_assert_int_eq(train_history_read(&one, a, NULL), AG_OK);
    ck_assert_int_eq(train_history_read(&other, b, NULL), AG_OK);
    ck_assert_int_eq(one.count, other.count);
    for (int i = 0; i < one.count; i++) {
        const train_series *x = &one.items[i], *y = train_history_find(&other, x->name);
        ck_assert_ptr_nonnull(y);
        ck_assert_int_eq(x->count, y->count);
        for (int64_t k = 0; k < x->count && !strstr(x->name, "second"); k++)
            ck_assert_msg(x->steps[k] == y->steps[k] && x->values[k] == y->values[k], "%s at step %g: %.17g and %.17g",
                          x->name, x->steps[k], x->values[k], y->values[k]);
    }
    train_history_clear(&one);
    train_history_clear(&other);
}

static void compare_runs(const worker *a, const worker *b)
{
    static const char *const files[] = {"model.safetensors", "checkpoint.safetensors", "last.safetensors"};
    for (int i = 0; i < 3; i++)
        test_files_equal(a->options.out, b->options.out, files[i]);
    compare_logs(a->options.out, b->options.out);
}

static void check_all(const worker *workers, int size, ag_status status, int64_t steps)
{
    for (int i = 0; i < size; i++) {
        ck_assert_msg(workers[i].status == status, "part %d: status %d, %s", i + 1, (int)workers[i].status,
                      workers[i].error.message);
        ck_assert_int_eq(workers[i].result.steps, steps);
    }
}

/* ---- The same bytes ---------------------------------------------------------------- */

/* With 2, 3 and 4 processes. Each worker's model is that of the one process, too. */
START_TEST(processes_are_parts)
{
    const setting *s = &settings[_i % SETTINGS];
    const int size = 2 + _i / SETTINGS;
    worker alone = run_alone(s, size), workers[MOST];
    team_new(workers, s, size);
    run_team(workers, size);
    check_all(workers, size, AG_OK, STEPS);
    compare_runs(&alone, &workers[0]);
    const nn_params *params = &alone.f.model->params;
    for (int i = 0; i < size; i++) {
        ck_assert_mem_eq(params->value, workers[i].f.model->params.value, (size_t)params->size * sizeof(ag_real));
        ck_assert_int_eq(workers[i].calls, STEPS);
        ck_assert_int_eq(workers[i].reports, STEPS);
        ck_assert_int_eq(workers[i].evaluations, i == 0 ? 3 : 0);
    }
    team_clear(workers, size);
    train_fixture_clear(&alone.f);
}
END_TEST

/* Stopped by one of its processes, a run goes on in several processes, or in one. Part 1
 * stops at once (also in an evaluation, which is due at step 3), another part after the
 * update that it is in. */
START_TEST(a_stop_in_one_stops_all)
{
    const setting *s = &settings[0];
    const int part = _i % 2, at = 2 + _i / 2;
    worker alone = run_alone(s, 3), workers[MOST], rest;
    team_new(workers, s, 3);
    workers[2 * part].stop_at = at;
    run_team(workers, 3);
    check_all(workers, 3, AG_INTERRUPTED, at + part);
    for (int i = 0; i < 3; i++) {
        workers[i].stop = 0;
        workers[i].stop_at = 0;
        workers[i].options.resume = true;
        train_fixture_redraw(&workers[i].f, 100);
    }
    if (_i == 0) { /* one process goes on with what three began */
        rest = worker_new(s, 0, 3);
        rest.options.context = &rest;
        rest.options.out = workers[0].f.out;
        rest.options.resume = true;
        ck_assert_int_eq(train_run(rest.f.model, rest.f.training, rest.f.dev, &rest.options, NULL, NULL), AG_OK);
        train_fixture_clear(&rest.f);
    } else {
        run_team(workers, 3);
        check_all(workers, 3, AG_OK, STEPS);
    }
    compare_runs(&alone, &workers[0]);
    team_clear(workers, 3);
    train_fixture_clear(&alone.f);
}
END_TEST

START_TEST(all_stop_at_a_step_and_run_out_of_patience)
{
    worker workers[MOST];
    for (int patience = 0; patience < 2; patience++) {
        team_new(workers, &settings[0], 2);
        for (int i = 0; i < 2; i++) {
            workers[i].options.stop_at = patience ? 0 : 4;
            workers[i].options.patience = patience;
            workers[i].options.average = 0;
            workers[i].options.rate = 1e-300; /* no evaluation is better than the first */
        }
        run_team(workers, 2);
        check_all(workers, 2, patience ? AG_OK : AG_INTERRUPTED, patience ? 6 : 4);
        ck_assert(workers[0].result.stopped_early == (patience > 0));
        ck_assert(workers[1].result.stopped_early == (patience > 0));
        for (int i = 0; i < 2 && !patience; i++) /* a step that has passed: no update */
            workers[i].options.resume = true;
        if (!patience) {
            run_team(workers, 2);
            check_all(workers, 2, AG_INTERRUPTED, 4);
        }
        team_clear(workers, 2);
    }
}
END_TEST

/* Part 2 wants the stop after update 6, whose evaluation is the last that part 1 has
 * patience for: all stop, and the resume ends at once. */
START_TEST(a_stop_comes_before_the_end_of_patience)
{
    worker workers[MOST];
    team_new(workers, &settings[0], 2);
    for (int i = 0; i < 2; i++) {
        workers[i].options.patience = 1;
        workers[i].options.average = 0;
        workers[i].options.rate = 1e-300; /* no evaluation is better than the first */
    }
    workers[1].stop_at = 5;
    run_team(workers, 2);
    check_all(workers, 2, AG_INTERRUPTED, 6);
    for (int i = 0; i < 2; i++) {
        workers[i].stop = 0;
        workers[i].options.resume = true;
    }
    run_team(workers, 2);
    check_all(workers, 2, AG_OK, 6);
    team_clear(workers, 2);
}
END_TEST

/* ---- Errors ------------------------------------------------------------------------ */

START_TEST(a_failed_exchange_ends_all)
{
    worker workers[MOST];
    team_new(workers, &settings[0], 3);
    workers[1].fail_at = 6;
    run_team(workers, 3);
    check_all(workers, 3, AG_IO, 5);
    for (int i = 0; i < 3; i++)
        ck_assert_str_eq(workers[i].error.message, "step 6: the exchange with the run's other processes failed");
    for (int i = 0; i < 3; i++) { /* the files are those of the checkpoint of step 4 */
        workers[i].options.resume = true;
        workers[i].fail_at = 0;
        workers[i].reports = 0;
    }
    run_team(workers, 3);
    check_all(workers, 3, AG_OK, STEPS);
    ck_assert_int_eq(workers[0].reports, STEPS - 4);
    worker alone = run_alone(&settings[0], 3);
    compare_runs(&alone, &workers[0]);
    train_fixture_clear(&alone.f);
    team_clear(workers, 3);
}
END_TEST

/* A sum that is not finite although each part is: all end with the same sentence. */
START_TEST(a_sum_that_is_not_finite_ends_all)
{
    worker workers[MOST];
    team_new(workers, &settings[0], 2);
    workers[1].spoil_at = 3;
    run_team(workers, 2);
    check_all(workers, 2, AG_NOT_FINITE, 2);
    ck_assert_ptr_nonnull(strstr(workers[0].error.message, "step 3: the norm of the gradients is not finite"));
    ck_assert_str_eq(workers[0].error.message, workers[1].error.message);
    team_clear(workers, 2);
}
END_TEST

/* The process whose part has a gradient that is not finite names the operation; the other
 * learns that the exchange failed. */
START_TEST(a_part_that_is_not_finite_names_the_operation)
{
    worker workers[MOST];
    team_new(workers, &settings[0], 2);
    workers[1].plant_at = 1;
    run_team(workers, 2);
    ck_assert_int_eq(workers[1].status, AG_NOT_FINITE);
    ck_assert_msg(strstr(workers[1].error.message, "step 2: the gradient of linear in output"), "%s",
                  workers[1].error.message);
    ck_assert_int_eq(workers[0].status, AG_IO);
    team_clear(workers, 2);
}
END_TEST

static void other_model(worker *w)
{
    train_fixture_redraw(&w->f, 8);
}
static void other_rate(worker *w)
{
    w->options.rate = 2e-3;
}
static void other_data(worker *w)
{
    train_fixture f = train_fixture_new("reverse", 1, 6, NN_ENCODER_DECODER, 8, 0.1);
    train_fixture_clear(&w->f);
    w->f = f;
    w->options.out = NULL;
}
static void other_part(worker *w)
{
    w->options.part = 1;
    w->options.out = NULL;
}

START_TEST(processes_that_differ_are_refused)
{
    static const struct {
        void (*change)(worker *w);
        const char *words;
    } cases[] = {{other_model, "do not have the same model"},
                 {other_rate, "do not have the same options"},
                 {other_data, "do not have the same training set"},
                 {other_part, "each part must be computed by one process"}};
    worker workers[MOST];
    for (int i = 0; i < 4; i++) {
        team_new(workers, &settings[0], 2);
        cases[i].change(&workers[1]);
        run_team(workers, 2);
        check_all(workers, 2, AG_BAD_VALUE, 0);
        ck_assert_msg(strstr(workers[0].error.message, cases[i].words), "%s", workers[0].error.message);
        team_clear(workers, 2);
    }
    team_new(workers, &settings[0], 3); /* two processes for three parts */
    run_team(workers, 2);
    check_all(workers, 2, AG_BAD_VALUE, 0);
    ck_assert_ptr_nonnull(strstr(workers[0].error.message, "or are not 3"));
    team_clear(workers, 3);
}
END_TEST

START_TEST(parts_are_checked)
{
    static const struct {
        int64_t part, accumulate;
        bool exchanges;
        const char *words;
    } cases[] = {{1, 2, false, "part 1 needs an exchange"},
                 {0, 2, true, "an exchange needs the part"},
                 {3, 2, true, "part is 3 and must be one of the 2 parts of a batch, from 1"},
                 {-1, 2, true, "part is -1 and must be"},
                 {2, 0, true, "part is 2 and must be one of the 1 parts"}};
    for (int i = 0; i < 5; i++) {
        worker w = worker_new(&settings[0], 0, 1);
        w.options.part = cases[i].part;
        w.options.accumulate = cases[i].accumulate;
        w.options.exchange = cases[i].exchanges ? exchange : NULL;
        ck_assert_int_eq(train_run(w.f.model, w.f.training, NULL, &w.options, NULL, &w.error), AG_BAD_VALUE);
        ck_assert_msg(strstr(w.error.message, cases[i].words), "%s", w.error.message);
        train_fixture_clear(&w.f);
    }
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("train_exchange");
    TCase *bytes = tcase_create("bytes");
    tcase_add_loop_test(bytes, processes_are_parts, 0, 3 * SETTINGS);
    tcase_add_loop_test(bytes, a_stop_in_one_stops_all, 0, 4);
    tcase_add_test(bytes, all_stop_at_a_step_and_run_out_of_patience);
    tcase_add_test(bytes, a_stop_comes_before_the_end_of_patience);
    suite_add_tcase(s, bytes);
    TCase *errors = tcase_create("errors");
    tcase_add_test(errors, a_failed_exchange_ends_all);
    tcase_add_test(errors, a_sum_that_is_not_finite_ends_all);
    tcase_add_test(errors, a_part_that_is_not_finite_names_the_operation);
    tcase_add_test(errors, processes_that_differ_are_refused);
    tcase_add_test(errors, parts_are_checked);
    suite_add_tcase(s, errors);
    return s;
}

TEST_MAIN(suite)
