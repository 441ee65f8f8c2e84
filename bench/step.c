/* step.c - training steps: forward, cross-entropy, backward, clip, Adam, as train_run
 * does them. */
#include "bench.h"
#include "tests/util/allocations.h"
#include "train.h"

#include <math.h>
#include <stdlib.h>

/* What is trained, and how. */
typedef struct step_task {
    const bench_config *config;
    double dropout;
    ag_matmul_numbers matmul;
    int threads;
    int64_t steps; /* 0: as many as fit the time */
} step_task;

typedef struct step_result {
    bench_times times;
    double allocations; /* a step, after the warm-up */
    int64_t arena, memory;
    double loss; /* of the last step, a token */
} step_result;

typedef struct step_run {
    nn_model *model;
    ag_tape *tape;
    train_optimizer optimizer;
    nn_input input;
    int32_t *source, *target, *next; /* [rows, length] */
    int threads;
    uint64_t step;
    double loss;
} step_run;

/* ---- A step ------------------------------------------------------------------------ */

/* The loss is a sum, and the update's scale makes a mean of it and of its gradients. The gradients are zero before and
 * after. */
static ag_status train_once(void *context, ag_error *error)
{
    step_run *run = context;
    nn_params *params = &run->model->params;
    nn_pass pass = {.tape = run->tape, .params = params, .training = true};
    const ag_cross_entropy_options options = {.ignore = true, .ignore_index = DATA_PAD, .reduction = AG_SUM};
    const double tokens = (double)(run->input.rows * run->input.target_length);

    ag_tape_rewind(run->tape);
    ag_tape_seed(run->tape, 1, run->step++);
    ag_tensor *loss = ag_cross_entropy(nn_model_apply(run->model, &pass, &run->input), run->next, &options);
    if (!loss || ag_backward(loss) != AG_OK) {
        const ag_error *problem = ag_tape_error(run->tape);
        return ag_error_set(error, problem->status, "%s", problem->message);
    }
    run->loss = (double)loss->data[0] / tokens;
    double norm = train_gradient_norm(params, run->threads) / tokens;
    if (!isfinite(norm))
        return ag_error_set(error, AG_NOT_FINITE, "the norm of the gradients is not finite");
    const train_update update = {.rate = 1e-3, .scale = train_clip_scale(norm, 1) / tokens};
    train_optimizer_step(&run->optimizer, params, &update, run->threads);
    return AG_OK;
}

/* ---- What a run needs -------------------------------------------------------------- */

/* Tokens of the vocabulary, padding aside. */
static int32_t *draw_tokens(int64_t count, int32_t vocab, uint64_t stream)
{
    int32_t *tokens = malloc((size_t)(count ? count : 1) * sizeof *tokens);
    ag_rng rng = ag_rng_make(1, stream);
    for (int64_t i = 0; tokens && i < count; i++)
        tokens[i] = (int32_t)(1 + ag_rng_below(&rng, (uint64_t)vocab - 1));
    return tokens;
}

static ag_status start_run(const step_task *task, step_run *run, ag_error *error)
{
    const bench_config *config = task->config;
    const train_optimizer_config adam = {.kind = TRAIN_ADAM, .beta1 = 0.9, .beta2 = 0.999};
    run->threads = task->threads;
    run->tape = ag_tape_new(&(ag_tape_options){.threads = task->threads, .forgets = true});
    run->source = draw_tokens(config->rows * config->source_length, config->vocab, 1);
    run->target = draw_tokens(config->rows * config->target_length, config->vocab, 2);
    run->next = draw_tokens(config->rows * config->target_length, config->vocab, 3);
    if (!run->tape || !run->source || !run->target || !run->next)
        return ag_error_set(error, AG_NO_MEMORY, "out of memory");
    if (!ag_tape_set_matmul(run->tape, task->matmul))
        return ag_error_set(error, AG_BAD_VALUE, "this processor or build has no such products");
    run->input = (nn_input){
        .rows = config->rows,
        .source_length = config->source_length,
        .target_length = config->target_length,
        .source = config->kind == NN_DECODER ? NULL : run->source,
        .target = run->target,
    };
    run->model = bench_config_model(config, task->dropout, error);
    if (!run->model)
        return error->status;
    return train_optimizer_init(&run->optimizer, &adam, &run->model->params, error);
}

static void end_run(step_run *run)
{
    train_optimizer_clear(&run->optimizer);
    nn_model_free(run->model);
    ag_tape_free(run->tape);
    free(run->source);
    free(run->target);
    free(run->next);
}

static ag_status measure(const void *given, void *out, ag_error *error)
{
    const step_task *task = given;
    step_result *result = out;
    step_run run = {0};
    const bench_effort effort = {
        .seconds = task->steps ? 0 : 1.5,
        .fewest = task->steps ? task->steps : 5,
        .most = task->steps ? task->steps : 200,
    };
    ag_status status = start_run(task, &run, error);
    for (int i = 0; i < 3 && status == AG_OK; i++)
        status = train_once(&run, error);
    uint64_t before = run.step;
    int64_t allocations = test_allocations();
    if (status == AG_OK)
        status = bench_time(train_once, &run, &effort, &result->times, error);
    if (status == AG_OK) {
        result->allocations = (double)(test_allocations() - allocations) / (double)(run.step - before);
        result->arena = (int64_t)ag_tape_bytes(run.tape);
        result->memory = bench_peak_memory();
        result->loss = run.loss;
    }
    end_run(&run);
    return status;
}

/* ---- Rows -------------------------------------------------------------------------- */

static void report(const bench_options *options, const step_task *task, const step_result *result, double peak)
{
    const double seconds = result->times.median, gflops = 1e-9 * bench_config_flops(task->config) / seconds;
    const bench_field fields[] = {
        {.key = "config", .title = "config", .text = task->config->name},
        {.key = "dropout", .title = "dropout", .number = task->dropout, .digits = 2},
        {.key = "matmul", .title = "matmul", .text = bench_matmul_names[task->matmul]},
        {.key = "threads", .title = "threads", .number = task->threads},
        {.key = "ms_per_step", .title = "ms/step", .number = 1e3 * seconds, .digits = 3},
        {.key = "min_ms", .title = "least", .number = 1e3 * result->times.least, .digits = 3},
        {.key = "tok_per_s", .title = "tokens/s", .number = (double)bench_config_tokens(task->config) / seconds},
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
        const step_task task = {config, dropout, options->matmul, options->counts[i], options->steps};
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
        if (options->config && config != bench_config_find(options->config))
            continue;
        status = run_rows(options, config, options->dropout >= 0 ? options->dropout : 0, error);
        if (status == AG_OK && options->dropout < 0)
            status = run_rows(options, config, 0.1, error);
    }
    return status;
}
