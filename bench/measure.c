/* measure.c - samples and their median, and processes of their own for
 * measurements. */
#include "bench.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

int64_t bench_peak_memory(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (int64_t)usage.ru_maxrss * 1024;
}

void bench_fill(ag_real *values, int64_t count, uint64_t stream)
{
    ag_rng rng = ag_rng_make(1, stream);
    for (int64_t i = 0; i < count; i++)
        values[i] = (ag_real)(2 * ag_rng_uniform(&rng) - 1);
}

/* ---- Samples ----------------------------------------------------------------------- */

#define MOST_SAMPLES 1000

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

bench_times bench_times_of(double *samples, int64_t count)
{
    qsort(samples, (size_t)count, sizeof *samples, ascending);
    return (bench_times){.median = 0.5 * (samples[(count - 1) / 2] + samples[count / 2]), .least = samples[0]};
}

/* Seconds of one call: the mean of `calls`. */
static ag_status take_sample(bench_run *run, void *context, int64_t calls, double *seconds, ag_error *error)
{
    ag_status status = AG_OK;
    double start = ag_seconds();
    for (int64_t i = 0; i < calls && status == AG_OK; i++)
        status = run(context, error);
    *seconds = (ag_seconds() - start) / (double)calls;
    return status;
}

/* How many calls make a sample. One slow sample may be an accident, so two must agree
 * that it is enough. */
static ag_status count_calls(bench_run *run, void *context, double shortest, int64_t *calls, ag_error *error)
{
    ag_status status = AG_OK;
    int long_enough = shortest > 0 ? 0 : 2;
    *calls = 1;
    while (status == AG_OK && long_enough < 2) {
        double seconds;
        status = take_sample(run, context, *calls, &seconds, error);
        if (seconds * (double)*calls >= shortest) {
            long_enough++;
        } else {
            long_enough = 0;
            *calls *= 2;
        }
    }
    return status;
}

ag_status bench_time(bench_run *run, void *context, const bench_effort *effort, bench_times *times, ag_error *error)
{
    double samples[MOST_SAMPLES], seconds = 0;
    int64_t calls = 1, count = 0, most = effort->most < MOST_SAMPLES ? effort->most : MOST_SAMPLES;
    ag_status status = AG_OK;

    for (int64_t i = 0; i < effort->warm_up && status == AG_OK; i++)
        status = take_sample(run, context, 1, &seconds, error);
    if (status == AG_OK)
        status = count_calls(run, context, effort->shortest_sample, &calls, error);
    double end = ag_seconds() + effort->seconds;
    while (status == AG_OK && count < most && (count < effort->fewest || ag_seconds() < end))
        status = take_sample(run, context, calls, &samples[count++], error);
    if (status != AG_OK)
        return status;
    *times = bench_times_of(samples, count);
    return AG_OK;
}

/* ---- A process of its own ---------------------------------------------------------- */

static bool write_all(int file, const void *bytes, size_t size)
{
    const char *at = bytes;
    while (size > 0) {
        ssize_t written = write(file, at, size);
        if (written < 0)
            return false;
        at += written;
        size -= (size_t)written;
    }
    return true;
}

static bool read_all(int file, void *bytes, size_t size)
{
    char *at = bytes;
    while (size > 0) {
        ssize_t got = read(file, at, size);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        at += got;
        size -= (size_t)got;
    }
    return true;
}

static _Noreturn void be_child(bench_body *body, const void *task, void *result, size_t size, int out)
{
    ag_error error = {0};
    error.status = body(task, result, &error);
    bool told = write_all(out, &error, sizeof error) && write_all(out, result, size);
    _exit(told ? 0 : 1);
}

ag_status bench_child(bench_body *body, const void *task, void *result, size_t size, ag_error *error)
{
    int ends[2], code;
    ag_error found = {0};
    fflush(stdout);
    if (pipe(ends) != 0)
        return ag_error_set(error, AG_IO, "no pipe for a measurement: %s", strerror(errno));
    pid_t child = fork();
    if (child < 0) {
        close(ends[0]);
        close(ends[1]);
        return ag_error_set(error, AG_IO, "no process for a measurement: %s", strerror(errno));
    }
    if (child == 0)
        be_child(body, task, result, size, ends[1]);
    close(ends[1]);
    bool told = read_all(ends[0], &found, sizeof found) && read_all(ends[0], result, size);
    close(ends[0]);
    waitpid(child, &code, 0);
    if (!told && WIFSIGNALED(code))
        return ag_error_set(error, AG_IO, "the measurement was ended by signal %d", WTERMSIG(code));
    if (!told)
        return ag_error_set(error, AG_IO, "the measurement ended without a result");
    return found.status == AG_OK ? AG_OK : ag_error_set(error, found.status, "%s", found.message);
}
