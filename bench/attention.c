/* attention.c - fused attention alone, over lengths: 8 heads of width 64, one sequence.
 *
 * The operations of a forward are 4 T^2 heads width, half of that where it is causal; with the backward three times as
 * many. What the backward computes again (the weights) is not counted. */
#include "bench.h"

#include <stdlib.h>

enum { HEADS = 8, D_MODEL = HEADS * 64 };

typedef struct attention_task {
    int64_t length;
    bool causal, backward;
    int threads;
} attention_task;

typedef struct attention_result {
    bench_times times;
    int64_t arena;
} attention_result;

typedef struct attention_run {
    const attention_task *task;
    ag_tape *tape;
    ag_real *values, *gradients, *seed; /* of q, k, v [3, T, D]; [T, D] */
} attention_run;

static ag_status attend(void *context, ag_error *error)
{
    const attention_run *run = context;
    const bool backward = run->task->backward;
    const int64_t length = run->task->length, size = length * D_MODEL;
    ag_tensor *input[3];
    ag_tape_rewind(run->tape);
    for (int i = 0; i < 3; i++)
        input[i] = ag_leaf(run->tape, AG_SHAPE(1, length, D_MODEL), run->values + i * size,
                           backward ? run->gradients + i * size : NULL);
    const ag_attention_options options = {
        .heads = HEADS,
        .mask = run->task->causal ? ag_mask_causal(run->tape, 0) : NULL,
    };
    ag_tensor *y = ag_attention(input[0], input[1], input[2], &options);
    if (y && (!backward || ag_backward_seeded(y, run->seed) == AG_OK))
        return AG_OK;
    const ag_error *problem = ag_tape_error(run->tape);
    return ag_error_set(error, problem->status, "%s", problem->message);
}

static ag_status measure(const void *given, void *out, ag_error *error)
{
    const bench_effort effort = {.warm_up = 1, .seconds = 0.25, .fewest = 2, .most = 1000, .shortest_sample = 2e-4};
    const attention_task *task = given;
    attention_result *result = out;
    const int64_t size = task->length * D_MODEL;
    attention_run run = {
        .task = task,
        .tape = ag_tape_new(&(ag_tape_options){.threads = task->threads, .no_grad = !task->backward}),
        .values = malloc((size_t)(3 * size) * sizeof(ag_real)),
        .gradients = calloc((size_t)(3 * size), sizeof(ag_real)),
        .seed = malloc((size_t)size * sizeof(ag_real)),
    };
    ag_status status = AG_OK;
    if (!run.tape || !run.values || !run.gradients || !run.seed)
        status = ag_error_set(error, AG_NO_MEMORY, "out of memory");
    if (status == AG_OK) {
        bench_fill(run.values, 3 * size, 1);
        bench_fill(run.seed, size, 2);
        status = bench_time(attend, &run, &effort, &result->times, error);
        result->arena = (int64_t)ag_tape_bytes(run.tape);
    }
    ag_tape_free(run.tape);
    free(run.values);
    free(run.gradients);
    free(run.seed);
    return status;
}

static void report(const bench_options *options, const attention_task *task, const attention_result *result,
                   double peak)
{
    const double pairs = (double)task->length * (double)task->length * (task->causal ? 0.5 : 1.0);
    const double gflops = 4e-9 * pairs * D_MODEL * (task->backward ? 3 : 1) / result->times.median;
    const bench_field fields[] = {
        {.key = "mask", .title = "mask", .text = task->causal ? "causal" : "full"},
        {.key = "pass", .title = "pass", .text = task->backward ? "and backward" : "forward"},
        {.key = "length", .title = "length", .number = (double)task->length},
        {.key = "threads", .title = "threads", .number = task->threads},
        {.key = "ms", .title = "ms", .number = 1e3 * result->times.median, .digits = 3},
        {.key = "min_ms", .title = "least", .number = 1e3 * result->times.least, .digits = 3},
        {.key = "gflops", .title = "GFLOP/s", .number = gflops, .digits = 1},
        {.key = "percent_of_peak", .title = "% of peak", .number = 100 * gflops / peak, .digits = 1},
        {.key = "arena_bytes", .title = "arena MB", .number = (double)result->arena, .unit = 1e6},
    };
    bench_report(options->json, "attention", fields, sizeof fields / sizeof *fields);
}

static ag_status run_row(const bench_options *options, attention_task task, ag_error *error)
{
    ag_status status = AG_OK;
    for (int i = 0; i < options->count_count && status == AG_OK; i++) {
        attention_result result;
        task.threads = options->counts[i];
        status = bench_child(measure, &task, &result, sizeof result, error);
        if (status == AG_OK)
            report(options, &task, &result, options->peak[i]);
    }
    return status;
}

ag_status bench_attention(const bench_options *options, ag_error *error)
{
    ag_status status = AG_OK;
    for (int causal = 0; causal < 2; causal++)
        for (int backward = 0; backward < 2; backward++)
            for (int64_t length = 64; length <= 4096 && status == AG_OK; length *= 2)
                status = run_row(options, (attention_task){length, causal, backward, 0}, error);
    return status;
}
