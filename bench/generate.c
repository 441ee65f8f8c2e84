/* generate.c - generation with the cache: what the next token costs, far behind the beginning and near it.
 *
 * The cache is filled with drawn keys and values up to a position, and set back to it after each token, so that a row
 * is about that position alone. */
#include "bench.h"

#include <stdlib.h>
#include <string.h>

static const int64_t batches[] = {1, 64}, positions[] = {8, 64, 256};
enum { BATCHES = sizeof batches / sizeof *batches, POSITIONS = sizeof positions / sizeof *positions };

/* Of all caches, whatever the position: the room of the longest. */
#define CAPACITY 257

typedef struct generate_task {
    const bench_config *config;
    int64_t batch, position;
    int threads;
} generate_task;

typedef struct generate_run {
    const generate_task *task;
    nn_model *model;
    ag_tape *tape;
    nn_cache cache;
    int32_t *source, *tokens; /* [batch, source_length], [batch]: the newest */
} generate_run;

static ag_status tape_failed(const ag_tape *tape, ag_error *error)
{
    const ag_error *problem = ag_tape_error(tape);
    return ag_error_set(error, problem->status, "%s", problem->message);
}

static void go_to(nn_cache *cache, int64_t position)
{
    cache->length = position;
    for (int i = 0; i < cache->layers; i++)
        cache->self[i].length = position;
}

/* The next token of each row: the most probable one. */
static ag_status next_tokens(void *context, ag_error *error)
{
    generate_run *run = context;
    const int64_t vocab = run->task->config->vocab;
    const nn_pass pass = {.tape = run->tape, .params = &run->model->params};
    ag_tape_rewind(run->tape);
    ag_tensor *logits = nn_cache_apply(&run->cache, run->model, &pass, run->tokens, 1);
    if (!logits)
        return tape_failed(run->tape, error);
    for (int64_t row = 0; row < run->task->batch; row++) {
        const ag_real *scores = logits->data + row * vocab;
        int32_t best = 0;
        for (int32_t token = 1; token < vocab; token++)
            best = scores[token] > scores[best] ? token : best;
        run->tokens[row] = best;
    }
    go_to(&run->cache, run->task->position);
    return AG_OK;
}

/* Every row of every layer gets the same drawn keys and values. */
static ag_status fill_cache(nn_cache *cache, ag_error *error)
{
    const int64_t row = CAPACITY * cache->width;
    ag_real *drawn = malloc((size_t)row * sizeof *drawn);
    if (!drawn)
        return ag_error_set(error, AG_NO_MEMORY, "out of memory");
    bench_fill(drawn, row, 1);
    for (int layer = 0; layer < cache->layers; layer++)
        for (int64_t i = 0; i < cache->rows; i++) {
            memcpy(cache->self[layer].key + i * row, drawn, (size_t)row * sizeof *drawn);
            memcpy(cache->self[layer].value + i * row, drawn, (size_t)row * sizeof *drawn);
        }
    free(drawn);
    return AG_OK;
}

static ag_status start_run(const generate_task *task, generate_run *run, ag_error *error)
{
    const bench_config *config = task->config;
    const int64_t sources = task->batch * config->source_length;
    run->tape = ag_tape_new(&(ag_tape_options){.threads = task->threads, .no_grad = true});
    run->source = malloc((size_t)(sources + 1) * sizeof *run->source);
    run->tokens = malloc((size_t)task->batch * sizeof *run->tokens);
    if (!run->tape || !run->source || !run->tokens)
        return ag_error_set(error, AG_NO_MEMORY, "out of memory");
    for (int64_t i = 0; i < sources; i++)
        run->source[i] = (int32_t)(1 + i % (config->vocab - 1));
    for (int64_t row = 0; row < task->batch; row++)
        run->tokens[row] = (int32_t)(1 + row % (config->vocab - 1));

    run->model = bench_config_model(config, 0, error);
    if (!run->model)
        return error->status;
    const nn_pass pass = {.tape = run->tape, .params = &run->model->params};
    const nn_input input = {.rows = task->batch, .source_length = config->source_length, .source = run->source};
    ag_status status = nn_cache_init(&run->cache, run->model, &pass, &input, CAPACITY, error);
    if (status == AG_OK)
        status = fill_cache(&run->cache, error);
    if (status == AG_OK)
        go_to(&run->cache, task->position);
    return status;
}

static ag_status measure(const void *given, void *result, ag_error *error)
{
    const bench_effort effort = {.warm_up = 3, .seconds = 0.2, .fewest = 5, .most = 200, .shortest_sample = 2e-4};
    generate_run run = {.task = given};
    ag_status status = start_run(given, &run, error);
    if (status == AG_OK)
        status = bench_time(next_tokens, &run, &effort, result, error);
    nn_cache_clear(&run.cache);
    nn_model_free(run.model);
    ag_tape_free(run.tape);
    free(run.source);
    free(run.tokens);
    return status;
}

static void report(const bench_options *options, const generate_task *task, const bench_times *times)
{
    const bench_field fields[] = {
        {.key = "config", .title = "config", .text = task->config->name},
        {.key = "batch", .title = "batch", .number = (double)task->batch},
        {.key = "position", .title = "position", .number = (double)task->position},
        {.key = "threads", .title = "threads", .number = task->threads},
        {.key = "ms", .title = "ms", .number = 1e3 * times->median, .digits = 4},
        {.key = "min_ms", .title = "least", .number = 1e3 * times->least, .digits = 4},
        {.key = "tok_per_s", .title = "tokens/s", .number = (double)task->batch / times->median},
    };
    bench_report(options->json, "generate", fields, sizeof fields / sizeof *fields);
}

static ag_status run_config(const bench_options *options, const bench_config *config, ag_error *error)
{
    ag_status status = AG_OK;
    for (int b = 0; b < BATCHES; b++)
        for (int p = 0; p < POSITIONS; p++)
            for (int i = 0; i < options->count_count && status == AG_OK; i++) {
                const generate_task task = {config, batches[b], positions[p], options->counts[i]};
                bench_times times;
                status = bench_child(measure, &task, &times, sizeof times, error);
                if (status == AG_OK)
                    report(options, &task, &times);
            }
    return status;
}

ag_status bench_generation(const bench_options *options, ag_error *error)
{
    static const char *const names[] = {"nano", "g2p", "gptmid"};
    ag_status status = AG_OK;
    if (options->config)
        return run_config(options, bench_config_find(options->config), error);
    for (size_t i = 0; i < sizeof names / sizeof *names && status == AG_OK; i++)
        status = run_config(options, bench_config_find(names[i]), error);
    return status;
}
