/* busy.c - training steps on a busy machine: beside one, two and four spinning processes
 * per processor, at one thread and at all, which take turns of about half a second. */
#include "training.h"

#include "kernels/parallel.h"

static const int loads[] = {1, 2, 4};
enum { LOADS = sizeof loads / sizeof *loads };

#define TURN_SECONDS  0.5
#define TOTAL_SECONDS 8.0
#define FEWEST_STEPS  5
#define MOST_STEPS    1000

typedef struct busy_task {
    bench_training_task training[BENCH_COUNTS]; /* they differ in `threads` */
    int count;
    int64_t steps; /* 0: as many as fit the time */
} busy_task;

typedef struct busy_side {
    bench_training training;
    double samples[MOST_STEPS];
    int64_t count;
} busy_side;

typedef struct busy_result {
    bench_times times[BENCH_COUNTS];
} busy_result;

/* ---- Measuring --------------------------------------------------------------------- */

static ag_status take_turn(busy_side *side, int64_t most, ag_error *error)
{
    ag_status status = AG_OK;
    const double end = bench_seconds() + TURN_SECONDS;
    do {
        const double start = bench_seconds();
        status = bench_training_step(&side->training, error);
        side->samples[side->count++] = bench_seconds() - start;
    } while (status == AG_OK && side->count < most && bench_seconds() < end);
    return status;
}

static ag_status take_turns(const busy_task *task, busy_side *sides, ag_error *error)
{
    ag_status status = AG_OK;
    const double end = bench_seconds() + (task->steps ? 0 : TOTAL_SECONDS);
    const int64_t fewest = task->steps ? task->steps : FEWEST_STEPS, most = task->steps ? task->steps : MOST_STEPS;
    bool done = false;
    while (status == AG_OK && !done) {
        done = bench_seconds() >= end;
        for (int i = 0; i < task->count && status == AG_OK; i++) {
            if (sides[i].count < most)
                status = take_turn(&sides[i], most, error);
            done = done && sides[i].count >= fewest;
        }
    }
    return status;
}

/* A first step makes what the later ones use. */
static ag_status start_side(const bench_training_task *task, busy_side *side, ag_error *error)
{
    const ag_status status = bench_training_start(&side->training, task, error);
    return status == AG_OK ? bench_training_step(&side->training, error) : status;
}

static ag_status measure(const void *given, void *out, ag_error *error)
{
    static busy_side sides[BENCH_COUNTS];
    const busy_task *task = given;
    busy_result *result = out;
    ag_status status = AG_OK;
    for (int i = 0; i < task->count && status == AG_OK; i++)
        status = start_side(&task->training[i], &sides[i], error);
    if (status == AG_OK)
        status = take_turns(task, sides, error);
    for (int i = 0; i < task->count; i++) {
        if (status == AG_OK)
            result->times[i] = bench_times_of(sides[i].samples, sides[i].count);
        bench_training_end(&sides[i].training);
    }
    return status;
}

/* ---- Rows -------------------------------------------------------------------------- */

static void report(const bench_options *options, const busy_task *task, int load, const busy_result *result)
{
    for (int i = 0; i < task->count; i++) {
        const bench_field fields[] = {
            {.key = "config", .title = "config", .text = task->training[i].config->name},
            {.key = "spinning", .title = "spinning", .number = load},
            {.key = "threads", .title = "threads", .number = task->training[i].threads},
            {.key = "ms_per_step", .title = "ms/step", .number = 1e3 * result->times[i].median, .digits = 3},
            {.key = "min_ms", .title = "least", .number = 1e3 * result->times[i].least, .digits = 3},
            {.key = "of_one_thread",
             .title = "of one",
             .number = result->times[i].median / result->times[0].median,
             .digits = 2},
        };
        bench_report(options->json, "busy", fields, sizeof fields / sizeof *fields);
    }
}

static ag_status run_config(const bench_options *options, const bench_config *config, int load, ag_error *error)
{
    busy_result result;
    busy_task task = {.steps = options->steps};
    const int counts[BENCH_COUNTS] = {1, options->threads ? (int)options->threads : kernel_threads_available()};
    for (int i = 0; i < BENCH_COUNTS && (i == 0 || counts[i] > 1); i++)
        task.training[task.count++] =
            (bench_training_task){config, options->dropout >= 0 ? options->dropout : 0, options->matmul, counts[i]};
    const ag_status status = bench_child(measure, &task, &result, sizeof result, error);
    if (status == AG_OK)
        report(options, &task, load, &result);
    return status;
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
