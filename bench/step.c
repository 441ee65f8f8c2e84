/* step.c - the rows of training steps. */
#include "tests/util/allocations.h"
#include "training.h"

typedef struct step_task {
    bench_training_task training;
    int64_t steps; /* 0: as many as fit the time */
} step_task;

typedef struct step_result {
    bench_times times;
    double allocations; /* a step, after the warm-up */
    int64_t arena, memory;
    double loss; /* of the last step, a token */
} step_result;

static ag_status measure(const void *given, void *out, ag_error *error)
{
    const step_task *task = given;
    step_result *result = out;
    bench_training training = {0};
    const bench_effort effort = {
        .seconds = task->steps ? 0 : 1.5,
        .fewest = task->steps ? task->steps : 5,
        .most = task->steps ? task->steps : 200,
    };
    ag_status status = bench_training_start(&training, &task->training, error);
    for (int i = 0; i < 3 && status == AG_OK; i++)
        status = bench_training_step(&training, error);
    uint64_t before = training.step;
    int64_t allocations = test_allocations();
    if (status == AG_OK)
        status = bench_time(bench_training_step, &training, &effort, &result->times, error);
    if (status == AG_OK) {
        result->allocations = (double)(test_allocations() - allocations) / (double)(training.step - before);
        result->arena = (int64_t)ag_tape_bytes(training.tape);
        result->memory = bench_peak_memory();
        result->loss = training.loss;
    }
    bench_training_end(&training);
    return status;
}

/* ---- Rows -------------------------------------------------------------------------- */

static void report(const bench_options *options, const step_task *task, const step_result *result, double peak)
{
    const double seconds = result->times.median, gflops = 1e-9 * bench_config_flops(task->training.config) / seconds;
    const bench_field fields[] = {
        {.key = "config", .title = "config", .text = task->training.config->name},
        {.key = "dropout", .title = "dropout", .number = task->training.dropout, .digits = 2},
        {.key = "matmul", .title = "matmul", .text = bench_matmul_names[task->training.matmul]},
        {.key = "threads", .title = "threads", .number = task->training.threads},
        {.key = "ms_per_step", .title = "ms/step", .number = 1e3 * seconds, .digits = 3},
        {.key = "min_ms", .title = "least", .number = 1e3 * result->times.least, .digits = 3},
        {.key = "tok_per_s",
         .title = "tokens/s",
         .number = (double)bench_config_tokens(task->training.config) / seconds},
        {.key = "gflops", .title = "GFLOP/s", .number = gflops, .digits = 1},
        {.key = "peak_gflops", .number = peak, .digits = 1},
        {.key = "percent_of_peak", .title = "% of peak", .number = 100 * gflops / peak, .digits = 1},
        {.key = "arena_bytes", .title = "arena MB", .number = (double)result->arena, .unit = 1e6},
        {.key = "peak_rss_bytes", .title = "RSS MB", .number = (double)result->memory, .unit = 1e6},
        {.key = "heap_allocations", .title = "mallocs", .number = result->allocations, .digits = 1},
        {.key = "loss", .title = "loss", .number = result->loss, .digits = 4},
    };
    bench_report(options->json, "step", fields, sizeof fields / sizeof *fields);
}

static ag_status run_rows(const bench_options *options, const bench_config *config, double dropout, ag_error *error)
{
    ag_status status = AG_OK;
    for (int i = 0; i < options->count_count && status == AG_OK; i++) {
        const step_task task = {{config, dropout, options->matmul, options->counts[i]}, options->steps};
        step_result result = {0};
        status = bench_child(measure, &task, &result, sizeof result, error);
        if (status == AG_OK)
            report(options, &task, &result, options->peak[i]);
    }
    return status;
}

ag_status bench_steps(const bench_options *options, ag_error *error)
{
    ag_status status = AG_OK;
    for (int i = 0; i < bench_config_count && status == AG_OK; i++) {
        const bench_config *config = &bench_configs[i];
        if (!bench_config_wanted(config, options->config))
            continue;
        status = run_rows(options, config, options->dropout >= 0 ? options->dropout : 0, error);
        if (status == AG_OK && options->dropout < 0)
            status = run_rows(options, config, 0.1, error);
    }
    return status;
}
