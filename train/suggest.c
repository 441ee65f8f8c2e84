/* suggest.c - how large a model and how long a run the size of the data suggests. */
#include "options.h"

/* A model for data of less than `below` tokens. */
typedef struct model_size {
    int64_t below;
    int d_model, layers;
} model_size;

static const model_size sizes[] = {{TRAIN_FEW_TOKENS, 64, 2}, {TRAIN_MANY_TOKENS, 128, 2}, {INT64_MAX, 256, 3}};

train_suggestion train_suggest(const data_report *report, const train_options *run, const data_set *training)
{
    train_suggestion suggestion = {.tokens = report->source.tokens + report->target.tokens};
    const model_size *size = sizes;
    while (suggestion.tokens >= size->below)
        size++;
    suggestion.d_model = size->d_model;
    suggestion.layers = size->layers;
    suggestion.steps = train_run_steps(run, training);
    suggestion.batch = run->batch ? run->batch : TRAIN_DEFAULT_BATCH;
    suggestion.passes = (double)suggestion.steps / (double)data_set_batches(training, suggestion.batch);
    suggestion.few = suggestion.passes < TRAIN_FEW_PASSES;
    suggestion.many = suggestion.passes > TRAIN_MANY_PASSES && run->patience == 0;
    return suggestion;
}
