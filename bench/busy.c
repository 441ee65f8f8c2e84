/* busy.c - training steps on a busy machine: beside one, two and four spinning processes
 * per processor, at one thread and at all. */
#include "training.h"

#include "kernels/parallel.h"

#include <unistd.h>

static const int loads[] = {1, 2, 4};
enum { LOADS = sizeof loads / sizeof *loads };

typedef struct busy_task {
    bench_training_task training;
    int64_t steps; /* 0: as many as fit the time */
    int bench;     /* the process that waits for the row */
} busy_task;

typedef struct busy_run {
    bench_training training;
    int bench;
} busy_run;

/* An interrupt of the terminal does not reach this process's session. */
static ag_status step_while_awaited(void *context, ag_error *error)
{
    busy_run *run = context;
    if (getppid() != run->bench)
        return ag_error_set(error, AG_IO, "the bench has ended");
    return bench_training_step(&run->training, error);
}

/* Each row is a process in a session of its own, as each spinning process is: in the
 * bench's session it would share its part of the processors with whatever else runs
 * there, and inherit that session's priority. */
static ag_status measure(const void *given, void *times, ag_error *error)
{
    const busy_task *task = given;
    busy_run run = {.bench = task->bench};
    const bench_effort effort = {
        .warm_up = task->steps ? 0 : 2,
        .seconds = task->steps ? 0 : 6,
        .fewest = task->steps ? task->steps : 5,
        .most = task->steps ? task->steps : 500,
    };
    setsid();
    ag_status status = bench_training_start(&run.training, &task->training, error);
    if (status == AG_OK)
        status = bench_time(step_while_awaited, &run, &effort, times, error);
    bench_training_end(&run.training);
    return status;
}

static void report(bool json, const busy_task *task, int load, const bench_times *times, double one_thread)
{
    const bench_field fields[] = {
        {.key = "config", .title = "config", .text = task->training.config->name},
        {.key = "spinning", .title = "spinning", .number = load},
        {.key = "threads", .title = "threads", .number = task->training.threads},
        {.key = "ms_per_step", .title = "ms/step", .number = 1e3 * times->median, .digits = 3},
        {.key = "min_ms", .title = "least", .number = 1e3 * times->least, .digits = 3},
        {.key = "of_one_thread", .title = "of one", .number = times->median / one_thread, .digits = 2},
    };
    bench_report(json, "busy", fields, sizeof fields / sizeof *fields);
}

static ag_status run_config(const bench_options *options, const bench_config *config, int load, ag_error *error)
{
    const int counts[BENCH_COUNTS] = {1, options->threads ? (int)options->threads : kernel_threads_available()};
    const double dropout = options->dropout >= 0 ? options->dropout : 0;
    busy_task task = {{config, dropout, options->matmul, 1}, options->steps, getpid()};
    double one_thread = 0;
    for (int i = 0; i < BENCH_COUNTS && (i == 0 || counts[i] > 1); i++) {
        bench_times times;
        task.training.threads = counts[i];
        const ag_status status = bench_child(measure, &task, &times, sizeof times, error);
        if (status != AG_OK)
            return status;
        one_thread = i == 0 ? times.median : one_thread;
        report(options->json, &task, load, &times, one_thread);
    }
    return AG_OK;
}

static ag_status run_load(const bench_options *options, int load, ag_error *error)
{
    bench_spinners spinners;
    ag_status status = bench_spin_start(&spinners, load * kernel_threads_available(), error);
    if (status != AG_OK)
        return status;
    for (int i = 0; i < bench_config_count && status == AG_OK; i++)
        if (bench_config_wanted(&bench_configs[i], options->config))
            status = run_config(options, &bench_configs[i], load, error);
    bench_spin_stop(&spinners);
    return status;
}

ag_status bench_busy(const bench_options *options, ag_error *error)
{
    ag_status status = AG_OK;
    for (int i = 0; i < LOADS && status == AG_OK; i++)
        status = run_load(options, loads[i], error);
    return status;
}
