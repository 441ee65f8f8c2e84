/* test_threads.c - what the headers say of threads: which calls may run at once, what
 * they share, what a fork may do. Under `make tsan` the thread sanitizer watches. Each
 * test is a new process: its threads make the first calls. */
#include "nn_util.h"
#include "train_fixture.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 4 };

/* All begin together. */
static pthread_mutex_t gate_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t gate_open = PTHREAD_COND_INITIALIZER;
static int gate_waiting;

static void pass_gate(void)
{
    pthread_mutex_lock(&gate_lock);
    gate_waiting++;
    pthread_cond_broadcast(&gate_open);
    while (gate_waiting < THREADS)
        pthread_cond_wait(&gate_open, &gate_lock);
    pthread_mutex_unlock(&gate_lock);
}

static void run_threads(void *(*body)(void *), void *items, size_t size)
{
    pthread_t thread[THREADS];
    gate_waiting = 0;
    for (int t = 0; t < THREADS; t++)
        ck_assert_int_eq(pthread_create(&thread[t], NULL, body, (char *)items + (size_t)t * size), 0);
    for (int t = 0; t < THREADS; t++)
        ck_assert_int_eq(pthread_join(thread[t], NULL), 0);
}

/* ---- Tapes ------------------------------------------------------------------------- */

/* Attention and a product, large enough for the pool; the gradient of the inputs. */
enum { ROWS = 200, WIDTH = 64, SIZE = ROWS * WIDTH };
typedef struct work {
    uint64_t seed;
    ag_real x[SIZE], gradient[SIZE];
    ag_status status;
} work;

static void compute(work *w, int threads)
{
    ag_tape *tape = ag_tape_new(&(ag_tape_options){.threads = threads});
    for (int step = 0; step < 3; step++) {
        ag_tape_rewind(tape);
        ag_tape_seed(tape, w->seed, (uint64_t)step);
        memset(w->gradient, 0, sizeof w->gradient);
        ag_tensor *x = ag_leaf(tape, AG_SHAPE(1, ROWS, WIDTH), w->x, w->gradient);
        ag_attention_options options = {.heads = 4, .mask = ag_mask_causal(tape, 0), .dropout = 0.1};
        ag_tensor *y = ag_layer_norm(ag_attention(x, x, x, &options), NULL, NULL, 1e-5);
        w->status = ag_backward(ag_mean(ag_matmul(y, y, false, true), AG_ALL_AXES, false));
    }
    ag_tape_free(tape);
}

static void *compute_at_once(void *context)
{
    pass_gate();
    compute(context, 2);
    return NULL;
}

static void draw(work *w, uint64_t seed)
{
    w->seed = seed;
    test_fill(w->x, SIZE, seed, -1, 1);
}

/* The first use of the library in this process is by several threads at once. */
START_TEST(tapes_of_several_threads_give_what_one_gives)
{
    static work items[THREADS], alone;
    for (int t = 0; t < THREADS; t++)
        draw(&items[t], (uint64_t)t);
    run_threads(compute_at_once, items, sizeof *items);
    for (int t = 0; t < THREADS; t++) {
        draw(&alone, (uint64_t)t);
        compute(&alone, 1);
        ck_assert_int_eq(items[t].status, AG_OK);
        ck_assert_int_eq(memcmp(items[t].gradient, alone.gradient, sizeof alone.gradient), 0);
    }
}
END_TEST

static void *ask_for_level(void *context)
{
    pass_gate();
    *(const char **)context = ag_level_name();
    return NULL;
}

START_TEST(the_level_is_the_same_for_all)
{
    const char *names[THREADS] = {NULL};
    run_threads(ask_for_level, names, sizeof *names);
    for (int t = 0; t < THREADS; t++)
        ck_assert_ptr_eq(names[t], names[0]);
    ck_assert_ptr_nonnull(names[0]);
}
END_TEST

/* ---- Models ------------------------------------------------------------------------ */

typedef struct training {
    train_fixture fixture;
    ag_status status;
} training;

static train_options short_run(const training *t)
{
    return (train_options){.steps = 6, .batch = 8, .evaluate_every = 3, .threads = 2, .out = t->fixture.out};
}

static void *train_at_once(void *context)
{
    training *t = context;
    const train_options options = short_run(t);
    pass_gate();
    t->status = train_run(t->fixture.model, t->fixture.training, t->fixture.dev, &options, NULL, NULL);
    return NULL;
}

START_TEST(trainings_at_once_give_the_bytes_of_one)
{
    training items[THREADS], alone;
    for (int t = 0; t < THREADS; t++)
        items[t].fixture = train_fixture_new("reverse", 2, 6, NN_ENCODER_DECODER, 16, 0.1);
    run_threads(train_at_once, items, sizeof *items);
    alone.fixture = train_fixture_new("reverse", 2, 6, NN_ENCODER_DECODER, 16, 0.1);
    const train_options options = short_run(&alone);
    ck_assert_int_eq(
        train_run(alone.fixture.model, alone.fixture.training, alone.fixture.dev, &options, NULL, NULL), AG_OK);
    for (int t = 0; t < THREADS; t++) {
        ck_assert_int_eq(items[t].status, AG_OK);
        test_files_equal(items[t].fixture.out, alone.fixture.out, "checkpoint.safetensors");
        train_fixture_clear(&items[t].fixture);
    }
    train_fixture_clear(&alone.fixture);
}
END_TEST

/* One saved model, which all read: each on a tape of its own, and each with a set of its
 * own. */
typedef struct reader {
    const train_saved *saved;
    data_set *set;
    train_metrics metrics;
    int32_t tokens[16];
    int64_t length;
    ag_status status;
} reader;

static void *read_model(void *context)
{
    reader *r = context;
    const int32_t source[] = {4, 5, 6, 7};
    nn_generated found = {0};
    pass_gate();
    const train_evaluation evaluation = {.decode = true, .max_sources = 10, .threads = 2};
    r->status = train_evaluate(r->saved->model, r->set, &evaluation, &r->metrics, NULL);
    ag_tape *tape = ag_tape_new(&(ag_tape_options){.threads = 2, .no_grad = true});
    const nn_input input = {.rows = 1, .source_length = 4, .source = source};
    const nn_generation_options options = {.beam = 3, .max_length = 8};
    if (r->status == AG_OK)
        r->status = nn_generate(r->saved->model, tape, &input, &options, &found, NULL);
    if (r->status == AG_OK) {
        r->length = found.hypotheses[0].length;
        memcpy(r->tokens, found.hypotheses[0].tokens, (size_t)r->length * sizeof *r->tokens);
    }
    nn_generated_clear(&found);
    ag_tape_free(tape);
    return NULL;
}

START_TEST(a_saved_model_is_read_by_all)
{
    training one = {.fixture = train_fixture_new("reverse", 2, 6, NN_ENCODER_DECODER, 16, 0)};
    const train_options options = short_run(&one);
    train_fixture sets[THREADS];
    reader readers[THREADS], alone;
    train_saved saved;
    ck_assert_int_eq(train_run(one.fixture.model, one.fixture.training, one.fixture.dev, &options, NULL, NULL), AG_OK);
    ck_assert_int_eq(train_saved_load(&saved, one.fixture.out, NULL), AG_OK);
    for (int t = 0; t < THREADS; t++) {
        sets[t] = train_fixture_new("reverse", 2, 6, NN_ENCODER_DECODER, 16, 0);
        readers[t] = (reader){.saved = &saved, .set = sets[t].dev};
    }
    run_threads(read_model, readers, sizeof *readers);
    gate_waiting = THREADS; /* open */
    alone = (reader){.saved = &saved, .set = one.fixture.dev};
    read_model(&alone);
    for (int t = 0; t < THREADS; t++) {
        ck_assert_int_eq(readers[t].status, AG_OK);
        ck_assert_int_eq(readers[t].length, alone.length);
        ck_assert_int_eq(memcmp(readers[t].tokens, alone.tokens, sizeof alone.tokens), 0);
        ck_assert(readers[t].metrics.loss == alone.metrics.loss);
        train_fixture_clear(&sets[t]);
    }
    train_saved_clear(&saved);
    train_fixture_clear(&one.fixture);
}
END_TEST

/* Each saves numbers of its own to the one path, again and again. */
typedef struct saver {
    const char *path;
    ag_real number;
    ag_status status;
} saver;

static void *save_at_once(void *context)
{
    saver *s = context;
    pass_gate();
    for (int round = 0; round < 20 && s->status == AG_OK; round++) {
        ag_real values[100];
        for (int i = 0; i < 100; i++)
            values[i] = s->number;
        data_writer *writer = data_writer_new(NULL);
        s->status = data_writer_add_real(writer, "x", AG_SHAPE(100), values, NULL);
        if (s->status == AG_OK)
            s->status = data_writer_save(writer, s->path, NULL);
        data_writer_free(writer);
    }
    return NULL;
}

START_TEST(a_path_to_which_several_save_holds_what_one_saved)
{
    char *folder = test_folder_new(), path[512];
    snprintf(path, sizeof path, "%s/x.safetensors", folder);
    saver savers[THREADS];
    for (int t = 0; t < THREADS; t++)
        savers[t] = (saver){.path = path, .number = (ag_real)t};
    run_threads(save_at_once, savers, sizeof *savers);
    for (int t = 0; t < THREADS; t++)
        ck_assert_int_eq(savers[t].status, AG_OK);
    data_safetensors *file = data_safetensors_open(path, NULL);
    ck_assert_ptr_nonnull(file);
    ag_real found[100];
    ck_assert_int_eq(data_tensor_read(data_safetensors_find(file, "x"), found, 100, NULL), AG_OK);
    for (int i = 0; i < 100; i++)
        ck_assert(found[i] == found[0]);
    data_safetensors_close(file);
    test_folder_remove(folder);
}
END_TEST

/* ---- Fork -------------------------------------------------------------------------- */

/* A child goes on with its parent's tape while another thread of the parent computes. */
START_TEST(a_forked_child_goes_on)
{
    static work w, alone;
    draw(&w, 3);
    draw(&alone, 3);
    compute(&alone, 1);
    ag_tape *tape = ag_tape_new(&(ag_tape_options){.threads = 2});
    ag_tensor *x = ag_variable(tape, AG_SHAPE(ROWS, WIDTH), w.x);
    ag_tensor *y = ag_matmul(x, x, false, true);

    static work other;
    draw(&other, 4);
    pthread_t thread;
    gate_waiting = THREADS;
    ck_assert_int_eq(pthread_create(&thread, NULL, compute_at_once, &other), 0);
    pid_t child = fork();
    if (child == 0) {
        compute(&w, 2);
        const bool same = !memcmp(w.gradient, alone.gradient, sizeof alone.gradient);
        _exit(same && ag_backward(ag_sum(ag_matmul(y, x, false, false), AG_ALL_AXES, false)) == AG_OK ? 0 : 1);
    }
    int status = 0;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    ck_assert_int_eq(other.status, AG_OK);
    ag_tape_free(tape);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("threads");
    TCase *tests = tcase_create("all");
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, tapes_of_several_threads_give_what_one_gives);
    tcase_add_test(tests, the_level_is_the_same_for_all);
    tcase_add_test(tests, trainings_at_once_give_the_bytes_of_one);
    tcase_add_test(tests, a_saved_model_is_read_by_all);
    tcase_add_test(tests, a_path_to_which_several_save_holds_what_one_saved);
    tcase_add_test(tests, a_forked_child_goes_on);
    suite_add_tcase(suite, tests);
    return suite;
}

TEST_MAIN(make_suite)
