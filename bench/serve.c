/* serve.c - steps on demand: one side of a comparison whose sides take turns.
 *
 * The parameters and the batch go to a file first, so that a peer begins with the same
 * numbers. Then each line of the standard input is a request, and each answer is rows of
 * JSON on the standard output; README.md has the list. */
#include "training.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LONGEST_REQUEST 64
#define MOST_STEPS      100000

/* ---- What a peer begins with ------------------------------------------------------- */

static ag_status add_tokens(data_writer *writer, const char *name, const int32_t *tokens, int64_t rows, int64_t length,
                            ag_error *error)
{
    const uint64_t shape[2] = {(uint64_t)rows, (uint64_t)length};
    return data_writer_add(writer, name, "I32", 2, shape, tokens, error);
}

static ag_status add_all(data_writer *writer, const bench_training *training, ag_error *error)
{
    const nn_params *params = &training->model->params;
    const nn_input *input = &training->input;
    char heads[16];
    snprintf(heads, sizeof heads, "%d", (int)training->model->config.heads);
    ag_status status = data_writer_metadata(writer, "heads", heads, error);
    for (int i = 0; i < params->count && status == AG_OK; i++) {
        const nn_param *param = &params->items[i];
        status = data_writer_add_real(writer, param->name, param->shape, params->value + param->offset, error);
    }
    if (status == AG_OK && input->source)
        status = add_tokens(writer, "source", training->source, input->rows, input->source_length, error);
    if (status == AG_OK)
        status = add_tokens(writer, "target", training->target, input->rows, input->target_length, error);
    if (status == AG_OK)
        status = add_tokens(writer, "next", training->next, input->rows, input->target_length, error);
    return status;
}

static ag_status save_start(const bench_training *training, const char *path, ag_error *error)
{
    data_writer *writer = data_writer_new(error);
    ag_status status = writer ? add_all(writer, training, error) : AG_NO_MEMORY;
    if (status == AG_OK)
        status = data_writer_save(writer, path, error);
    data_writer_free(writer);
    return status;
}

/* ---- Answers ----------------------------------------------------------------------- */

static void report_ready(const bench_training *training, const bench_config *config)
{
    const bench_field fields[] = {
        {.key = "side", .text = "tapeformer"},
        {.key = "config", .text = config->name},
        {.key = "parameters", .number = (double)training->model->params.size},
        {.key = "flops", .number = bench_config_flops(config)},
    };
    bench_report(true, "ready", fields, sizeof fields / sizeof *fields);
}

static ag_status answer_steps(bench_training *training, long count, ag_error *error)
{
    for (long i = 0; i < count; i++) {
        const double start = ag_seconds();
        const ag_status status = bench_training_step(training, error);
        if (status != AG_OK)
            return status;
        const bench_field fields[] = {
            {.key = "ms_per_step", .number = 1e3 * (ag_seconds() - start), .digits = 4},
            {.key = "loss", .number = training->loss, .digits = 7},
        };
        bench_report(true, "step", fields, sizeof fields / sizeof *fields);
    }
    return AG_OK;
}

static ag_status answer_peak(const bench_training *training)
{
    const bench_field fields[] = {{.key = "gflops", .number = 2e-9 * ag_peak(training->threads, 0.03), .digits = 2}};
    bench_report(true, "peak", fields, 1);
    return AG_OK;
}

static ag_status answer(bench_training *training, const char *request, ag_error *error)
{
    char *end;
    if (!strcmp(request, "peak\n"))
        return answer_peak(training);
    const long count = strncmp(request, "step ", 5) ? 0 : strtol(request + 5, &end, 10);
    if (count < 1 || count > MOST_STEPS || strcmp(end, "\n"))
        return ag_error_set(error, AG_BAD_VALUE, "a request is \"step N\" or \"peak\"");
    return answer_steps(training, count, error);
}

ag_status bench_serve(const bench_options *options, ag_error *error)
{
    bench_training training = {0};
    const bench_training_task task = {
        .config = bench_config_find(options->config),
        .dropout = options->dropout >= 0 ? options->dropout : 0,
        .matmul = options->matmul,
        .threads = options->counts[0],
    };
    char request[LONGEST_REQUEST];
    ag_status status = bench_training_start(&training, &task, error);
    if (status == AG_OK)
        status = save_start(&training, options->serve, error);
    if (status == AG_OK)
        report_ready(&training, task.config);
    while (status == AG_OK && fgets(request, sizeof request, stdin))
        status = answer(&training, request, error);
    bench_training_end(&training);
    return status;
}
