/* test_parallel.c - the pool of threads: each piece once and by one worker at a time, whoever takes it and when; the
 * same bytes of a training; threads that do not pay; several callers, callers inside regions, forked children; how
 * many processors there are. */
#include "kernels/parallel.h"
#include "kernels/processors.h"
#include "kernels/waiting.h"
#include "train_fixture.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MUCH_WORK 1e9
enum { WORKERS = 4, PIECES = 1000 };

/* ---- A region that watches itself -------------------------------------------------- */

typedef struct watched {
    atomic_int done[PIECES];    /* how often each piece was computed */
    atomic_int inside[WORKERS]; /* how often each worker is at work now */
    atomic_int by[WORKERS];     /* pieces of each worker */
    atomic_int overlaps, strangers;
    atomic_int calls; /* of stop_at_the_first */
    atomic_int first; /* the worker that made the first of them */
} watched;

static void watch(void *context, int64_t begin, int64_t end, int worker)
{
    watched *w = context;
    if (worker < 0 || worker >= WORKERS) {
        w->strangers++;
        return;
    }
    w->overlaps += w->inside[worker]++ != 0;
    for (int64_t i = begin; i < end; i++) {
        w->done[i]++;
        w->by[worker]++;
    }
    w->inside[worker]--;
}

static void expect_each_once(int threads, int64_t count)
{
    watched w = {0};
    kernel_parallel(threads, count, MUCH_WORK, watch, &w);
    ck_assert_int_eq(w.overlaps, 0);
    ck_assert_int_eq(w.strangers, 0);
    int piece = 0; /* (one assertion for all: libcheck writes a message for each, which takes longer than the region) */
    while (piece < PIECES && w.done[piece] == (piece < count))
        piece++;
    ck_assert_msg(piece == PIECES, "piece %d of %d, %d threads: %d times", piece, (int)count, threads,
                  piece < PIECES ? w.done[piece] : 0);
}

static void expect_each_once_always(void)
{
    static const int64_t counts[] = {0, 1, 2, 3, 4, 5, 63, 64, 997, PIECES};
    for (int round = 0; round < 20; round++)
        for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
            for (int threads = 1; threads <= WORKERS; threads++)
                expect_each_once(threads, counts[i]);
}

START_TEST(test_each_piece_once)
{
    expect_each_once_always();
}
END_TEST

static void wait_milliseconds(long n)
{
    nanosleep(&(struct timespec){.tv_nsec = n * 1000000}, NULL);
}

/* Now and then a worker waits; each takes its next piece from a run that is drawn. */
static int draw_run(int worker, int workers)
{
    static atomic_uint calls;
    const uint64_t number = ag_mix(atomic_fetch_add(&calls, 1) + 1000u * (unsigned)worker);
    if (number % 199 == 0)
        wait_milliseconds(1);
    return (int)(number >> 32) % workers;
}

START_TEST(test_each_piece_once_when_disturbed)
{
    kernel_parallel_disturb = draw_run;
    expect_each_once_always();
}
END_TEST

/* ---- Who holds up whom ------------------------------------------------------------- */

/* Waits until the workers have done so many pieces, but 20 seconds at most. */
static void wait_for_pieces(const watched *w, int workers, int pieces)
{
    for (int i = 0; i < 2000; i++) {
        int done = 0;
        for (int worker = 0; worker < workers; worker++)
            done += w->by[worker];
        if (done >= pieces)
            return;
        wait_milliseconds(10);
    }
}

static watched *late; /* the region of begin_late */

/* The others take nothing before the caller has done all. */
static int begin_late(int worker, int workers)
{
    (void)workers;
    if (worker > 0)
        wait_for_pieces(late, 1, PIECES);
    return worker;
}

START_TEST(test_the_caller_does_the_work_of_threads_that_do_not_begin)
{
    watched w = {0};
    late = &w;
    kernel_parallel_disturb = begin_late;
    kernel_parallel(WORKERS, PIECES, MUCH_WORK, watch, &w);
    ck_assert_int_eq(w.by[0], PIECES);
}
END_TEST

/* Of two workers, the one that is first to take anything stops there until the other has
 * done the rest. */
static void stop_at_the_first(void *context, int64_t begin, int64_t end, int worker)
{
    watched *w = context;
    watch(context, begin, end, worker);
    if (w->calls++ > 0)
        return;
    w->first = worker;
    wait_for_pieces(w, 2, PIECES);
}

START_TEST(test_a_worker_that_stops_keeps_what_it_has_taken_alone)
{
    watched w = {0};
    kernel_parallel(2, PIECES, MUCH_WORK, stop_at_the_first, &w);
    ck_assert_int_le(w.by[w.first], PIECES / 100);
    ck_assert_int_eq(w.by[0] + w.by[1], PIECES);
}
END_TEST

static void count_pieces(void *context, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    *(_Atomic int64_t *)context += end - begin;
}

/* Beyond 32,767 pieces several are counted as one. */
START_TEST(test_many_pieces)
{
    static const int64_t counts[] = {32767, 32768, 32769, 65535, 65536, 65537, ((int64_t)1 << 40) + 7};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        _Atomic int64_t pieces = 0;
        kernel_parallel(WORKERS, counts[i], MUCH_WORK, count_pieces, &pieces);
        ck_assert_int_eq(pieces, counts[i]);
    }
}
END_TEST

/* ---- Threads that do not pay ------------------------------------------------------- */

typedef struct slow_threads {
    atomic_bool are_slow;
    atomic_int by[2]; /* pieces of each worker */
} slow_threads;

/* Each piece computes for a millisecond. A thread that is slow sleeps for 100 first, as if
 * the system had stopped it. */
static void compute_or_sleep(void *context, int64_t begin, int64_t end, int worker)
{
    slow_threads *t = context;
    const int64_t start = processor_nanoseconds();
    t->by[worker] += (int)(end - begin);
    if (worker > 0 && t->are_slow)
        wait_milliseconds(100);
    while (processor_nanoseconds() - start < 1000000 * (end - begin))
        ;
}

static void *run_two_pieces(void *t)
{
    kernel_parallel(2, 2, MUCH_WORK, compute_or_sleep, t);
    return NULL;
}

/* Runs regions until `wanted` in a row had, or had not, a thread's help. With two callers
 * another thread makes every other call. */
static void run_until(slow_threads *t, bool helped, int wanted, int callers)
{
    int in_a_row = 0;
    for (int i = 0; i < 2000 && in_a_row < wanted; i++) {
        pthread_t other;
        t->by[0] = t->by[1] = 0;
        if (i % callers == 0) {
            run_two_pieces(t);
        } else {
            ck_assert_int_eq(pthread_create(&other, NULL, run_two_pieces, t), 0);
            pthread_join(other, NULL);
        }
        ck_assert_int_eq(t->by[0] + t->by[1], 2);
        in_a_row = (t->by[1] > 0) == helped ? in_a_row + 1 : 0;
    }
    ck_assert_msg(in_a_row == wanted, "no %d regions in a row %s", wanted, helped ? "with a thread" : "alone");
}

START_TEST(test_threads_that_the_system_stops_are_left_out_for_a_while)
{
    slow_threads t = {.are_slow = true};
    run_until(&t, true, 1, 1);
    run_until(&t, false, 4, 1);
    t.are_slow = false;
    run_until(&t, true, 1, 1);
}
END_TEST

START_TEST(test_a_pause_ends_for_callers_that_take_turns)
{
    slow_threads t = {.are_slow = true};
    run_until(&t, true, 1, 1);
    run_until(&t, false, 4, 1);
    t.are_slow = false;
    run_until(&t, true, 1, 2);
}
END_TEST

/* ---- Several callers --------------------------------------------------------------- */

static void call_again(void *context, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    for (int64_t i = begin; i < end; i++)
        kernel_parallel(WORKERS, 10, MUCH_WORK, count_pieces, context);
}

START_TEST(test_a_region_inside_a_region)
{
    _Atomic int64_t pieces = 0;
    kernel_parallel(WORKERS, 100, MUCH_WORK, call_again, &pieces);
    ck_assert_int_eq(pieces, 1000);
}
END_TEST

static void *call_often(void *result)
{
    _Atomic int64_t pieces = 0;
    for (int i = 0; i < 500; i++)
        kernel_parallel(WORKERS, 64, MUCH_WORK, count_pieces, &pieces);
    *(int64_t *)result = pieces;
    return NULL;
}

START_TEST(test_several_callers_at_once)
{
    enum { CALLERS = 4 };
    pthread_t threads[CALLERS];
    int64_t pieces[CALLERS] = {0};
    for (int i = 0; i < CALLERS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, call_often, &pieces[i]), 0);
    for (int i = 0; i < CALLERS; i++) {
        pthread_join(threads[i], NULL);
        ck_assert_int_eq(pieces[i], 500 * 64);
    }
}
END_TEST

START_TEST(test_a_forked_child_has_threads_too)
{
    expect_each_once(WORKERS, PIECES);
    pid_t child = fork();
    if (child == 0) {
        watched w = {0};
        kernel_parallel(2, PIECES, MUCH_WORK, stop_at_the_first, &w);
        _exit(w.by[w.first] <= PIECES / 100 ? 0 : 1);
    }
    int status = 0;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the child ended with %x", (unsigned)status);
    expect_each_once(WORKERS, PIECES);
}
END_TEST

/* ---- A training -------------------------------------------------------------------- */

/* Wide enough that its products are shared. */
START_TEST(test_a_training_has_the_same_bytes_whoever_computes_what)
{
    train_fixture f = train_fixture_new("copy", 1, 12, NN_ENCODER_DECODER, 64, 0.1);
    char once[512];
    snprintf(once, sizeof once, "%s/once", f.folder);
    train_options options = {
        .steps = 4, .batch = 32, .evaluate_every = 4, .evaluate_sources = 10, .seed = 3, .out = once, .threads = 1};
    train_result result;
    ag_error error = {0};
    train_fixture_redraw(&f, 1);
    ck_assert_msg(train_run(f.model, f.training, f.dev, &options, &result, &error) == AG_OK, "%s", error.message);
    kernel_parallel_disturb = draw_run;
    options.threads = 3;
    options.out = f.out;
    train_fixture_redraw(&f, 1);
    ck_assert_msg(train_run(f.model, f.training, f.dev, &options, &result, &error) == AG_OK, "%s", error.message);
    test_files_equal(once, f.out, "model.safetensors");
    test_files_equal(once, f.out, "checkpoint.safetensors");
    train_fixture_clear(&f);
}
END_TEST

/* ---- Processors -------------------------------------------------------------------- */

/* A file below `root`, with its folders. */
static void put(const char *root, const char *name, const char *text)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", root, name);
    for (char *at = path + strlen(root) + 1; (at = strchr(at, '/')); at++) {
        *at = '\0';
        mkdir(path, 0777);
        *at = '/';
    }
    free(test_file_write(root, name, text, strlen(text)));
}

#define V2 "0::/user/run\n"
#define V1 "5:memory:/box\n4:cpu,cpuacct:/box\n1:cpuset:/\n"

typedef struct limits {
    const char *groups;      /* /proc/self/cgroup */
    const char *files[3][2]; /* below /sys/fs/cgroup */
    int expected;            /* 0: what affinity says */
} limits;

static const limits cases[] = {
    {V2, {{"cpu.max", "max 100000\n"}}, 0},
    {V2, {{"user/run/cpu.max", "100000 100000\n"}}, 1},
    {V2, {{"user/cpu.max", "100000 100000\n"}, {"user/run/cpu.max", "max 100000\n"}}, 1},
    {V2, {{"cpu.max", "50000 100000\n"}}, 1},
    {V2, {{"user/run/cpu.max", "1000 100000\n"}}, 1},
    {V2, {{"user/run/cpu.max", "150000 100000\n"}}, 2},
    {V2, {{"user/run/cpu.max", "6400000 100000\n"}}, 0},
    {V2, {{"user/run/cpu.max", "rubbish\n"}}, 0},
    {V2, {{"unified/user/run/cpu.max", "100000 100000\n"}}, 1},
    {V2, {{"other/cpu.max", "100000 100000\n"}}, 0},
    {V1, {{"cpu/box/cpu.cfs_quota_us", "100000\n"}, {"cpu/box/cpu.cfs_period_us", "100000\n"}}, 1},
    {V1, {{"cpu/cpu.cfs_quota_us", "100000\n"}, {"cpu/cpu.cfs_period_us", "100000\n"}}, 1},
    {V1, {{"cpu/box/cpu.cfs_quota_us", "-1\n"}, {"cpu/box/cpu.cfs_period_us", "100000\n"}}, 0},
    {V1, {{"cpu/box/cpu.cfs_quota_us", "100000\n"}, {"cpu/box/cpu.cfs_period_us", "0\n"}}, 0},
    {V1, {{"cpu/box/cpu.cfs_quota_us", "100000\n"}}, 0},
    {"1:cpuset:/box\n", {{"cpu/box/cpu.cfs_quota_us", "100000\n"}, {"cpu/box/cpu.cfs_period_us", "100000\n"}}, 0},
    {"", {{"cpu.max", "100000 100000\n"}}, 0},
    {"garbage\n::::\n7\n", {{"cpu.max", "100000 100000\n"}}, 0},
};

START_TEST(test_processors)
{
    const limits *l = &cases[_i];
    char *root = test_folder_new(), *nothing = test_folder_new(), name[256];
    const int affinity = kernel_processors(nothing);
    put(root, "proc/self/cgroup", l->groups);
    for (int i = 0; i < 3 && l->files[i][0]; i++) {
        snprintf(name, sizeof name, "sys/fs/cgroup/%s", l->files[i][0]);
        put(root, name, l->files[i][1]);
    }
    const int expected = l->expected && l->expected < affinity ? l->expected : affinity;
    ck_assert_int_ge(affinity, 1);
    ck_assert_int_eq(kernel_processors(root), expected);
    test_folder_remove(root);
    test_folder_remove(nothing);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("parallel");
    TCase *tests = tcase_create("pool");
    tcase_add_test(tests, test_each_piece_once);
    tcase_add_test(tests, test_each_piece_once_when_disturbed);
    tcase_add_test(tests, test_the_caller_does_the_work_of_threads_that_do_not_begin);
    tcase_add_test(tests, test_a_worker_that_stops_keeps_what_it_has_taken_alone);
    tcase_add_test(tests, test_threads_that_the_system_stops_are_left_out_for_a_while);
    tcase_add_test(tests, test_a_pause_ends_for_callers_that_take_turns);
    tcase_add_test(tests, test_many_pieces);
    tcase_add_test(tests, test_a_region_inside_a_region);
    tcase_add_test(tests, test_several_callers_at_once);
    tcase_add_test(tests, test_a_forked_child_has_threads_too);
    tcase_add_test(tests, test_a_training_has_the_same_bytes_whoever_computes_what);
    tcase_set_timeout(tests, 120);
    tcase_add_loop_test(tests, test_processors, 0, (int)(sizeof cases / sizeof *cases));
    suite_add_tcase(suite, tests);
    return suite;
}

TEST_MAIN(make_suite)
