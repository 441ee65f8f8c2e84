/* sentences.c - whole sentences by nn_generate: the encoder, token after token until the
 * end mark, and the choice of each, greedy and with a beam of 5.
 *
 * Every row translates the same sources, with a saved model (--model) or a drawn one. The
 * JSON has the sources and the results too, so that a peer can show that it translates
 * alike. */
#include "bench.h"
#include "train.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SENTENCES = 64,
    SHORTEST = 6, /* source, with its end mark */
    LONGEST = 12,
    TEXT_SIZE = 8 * 1024
};

typedef struct sentences_task {
    const bench_options *options;
    const bench_config *config;
    int64_t batch;
    int beam, threads;
} sentences_task;

typedef struct sentences_result {
    bench_times times;                           /* of all sentences */
    double log_probability;                      /* of all results together */
    char sources[TEXT_SIZE], results[TEXT_SIZE]; /* tokens, and a | after each sentence */
} sentences_result;

typedef struct sentences_run {
    const sentences_task *task;
    sentences_result *result;
    train_saved saved; /* of a drawn model the model alone */
    ag_tape *tape;
    int32_t source[SENTENCES * LONGEST]; /* a batch after the other, each padded to its longest */
    int32_t lengths[SENTENCES];
    int64_t padded[SENTENCES]; /* the longest of the batch that begins here */
    bool shows;                /* results are written down */
} sentences_run;

static void put_sentence(char text[TEXT_SIZE], const int32_t *tokens, int64_t count)
{
    size_t used = strlen(text);
    for (int64_t i = 0; i < count && used < TEXT_SIZE; i++)
        used += (size_t)snprintf(text + used, TEXT_SIZE - used, "%d ", (int)tokens[i]);
    if (used < TEXT_SIZE)
        snprintf(text + used, TEXT_SIZE - used, "|");
}

/* Tokens that are no marks, and an end mark. */
static void draw_sources(sentences_run *run)
{
    ag_real drawn[SENTENCES * LONGEST];
    int32_t *source = run->source;
    const ag_real words = (ag_real)(run->task->config->vocab - DATA_SPECIALS);
    bench_fill(drawn, SENTENCES * LONGEST, 2);
    for (int i = 0; i < SENTENCES; i++)
        run->lengths[i] = SHORTEST + i % (LONGEST - SHORTEST + 1);
    for (int first = 0; first < SENTENCES; first += (int)run->task->batch) {
        int32_t longest = 0;
        for (int i = first; i < first + run->task->batch; i++)
            longest = run->lengths[i] > longest ? run->lengths[i] : longest;
        run->padded[first] = longest;
        for (int i = first; i < first + run->task->batch; i++, source += longest) {
            for (int t = 0; t + 1 < run->lengths[i]; t++)
                source[t] = DATA_SPECIALS + (int32_t)((drawn[i * LONGEST + t] + 1) / 2 * words);
            source[run->lengths[i] - 1] = DATA_EOS;
            put_sentence(run->result->sources, source, run->lengths[i]);
        }
    }
}

/* All sentences, batch after batch. */
static ag_status translate(void *context, ag_error *error)
{
    sentences_run *run = context;
    const nn_generation_options options = {
        .max_length = LONGEST, .beam = run->task->beam};
    const int32_t *source = run->source;
    for (int first = 0; first < SENTENCES; first += (int)run->task->batch) {
        nn_generated generated;
        const nn_input input = {.rows = run->task->batch,
                                .source_length = run->padded[first],
                                .source = source,
                                .source_lengths = run->lengths + first};
        ag_status status = nn_generate(run->saved.model, run->tape, &input, &options, &generated, error);
        for (int64_t i = 0; i < generated.rows && run->shows; i++) {
            put_sentence(run->result->results, generated.hypotheses[i].tokens, generated.hypotheses[i].length);
            run->result->log_probability += generated.hypotheses[i].log_probability;
        }
        nn_generated_clear(&generated);
        if (status != AG_OK)
            return status;
        source += input.rows * input.source_length;
    }
    return AG_OK;
}

static ag_status start_run(sentences_run *run, ag_error *error)
{
    const sentences_task *task = run->task;
    run->tape = ag_tape_new(&(ag_tape_options){.threads = task->threads, .no_grad = true, .keeps_weights = true});
    if (!run->tape)
        return ag_error_set(error, AG_NO_MEMORY, "out of memory");
    if (task->options->model) {
        ag_status status = train_saved_load(&run->saved, task->options->model, error);
        if (status != AG_OK)
            return status;
        const nn_model_config *config = &run->saved.model->config;
        if (config->kind != NN_ENCODER_DECODER || config->source_vocab < task->config->vocab)
            return ag_error_set(error, AG_BAD_VALUE, "%s: an encoder-decoder with %d source tokens is needed",
                                task->options->model, task->config->vocab);
    } else if (!(run->saved.model = bench_config_model(task->config, 0, error))) {
        return error->status;
    }
    draw_sources(run);
    run->shows = true;
    ag_status status = translate(run, error);
    run->shows = false;
    return status;
}

static ag_status measure(const void *given, void *result, ag_error *error)
{
    const bench_effort effort = {.seconds = 0.3, .fewest = 1, .most = 200};
    sentences_result *own = result;
    sentences_run run = {.task = given, .result = own};
    ag_status status = start_run(&run, error);
    if (status == AG_OK)
        status = bench_time(translate, &run, &effort, &own->times, error);
    train_saved_clear(&run.saved);
    ag_tape_free(run.tape);
    return status;
}

static void report(const sentences_task *task, const sentences_result *result)
{
    const bench_field fields[] = {
        {.key = "config", .title = "config", .text = task->config->name},
        {.key = "batch", .title = "batch", .number = (double)task->batch},
        {.key = "beam", .title = "beam", .number = task->beam},
        {.key = "threads", .title = "threads", .number = task->threads},
        {.key = "ms", .title = "ms", .number = 1e3 * result->times.median / SENTENCES, .digits = 4},
        {.key = "min_ms", .title = "least", .number = 1e3 * result->times.least / SENTENCES, .digits = 4},
        {.key = "sentences_per_s", .title = "sentences/s", .number = SENTENCES / result->times.median},
        {.key = "log_probability", .number = result->log_probability, .digits = 6},
        {.key = "sources", .text = result->sources},
        {.key = "results", .text = result->results},
    };
    bench_report(task->options->json, "sentences", fields, sizeof fields / sizeof *fields);
}

ag_status bench_sentences(const bench_options *options, ag_error *error)
{
    static const int64_t batches[] = {1, SENTENCES};
    static const int beams[] = {1, 5};
    const bench_config *config = bench_config_find(options->config ? options->config : "g2p");
    if (config->kind != NN_ENCODER_DECODER)
        return AG_OK;
    for (int beam = 0; beam < 2; beam++)
        for (int b = 0; b < 2; b++)
            for (int i = 0; i < options->count_count; i++) {
                const sentences_task task = {options, config, batches[b], beams[beam], options->counts[i]};
                sentences_result result = {0};
                ag_status status = bench_child(measure, &task, &result, sizeof result, error);
                if (status != AG_OK)
                    return status;
                report(&task, &result);
            }
    return AG_OK;
}
