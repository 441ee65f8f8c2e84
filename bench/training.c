/* training.c - training steps: forward, cross-entropy, backward, clip, Adam, as train_run
 * takes them. */
#include "training.h"

#include <math.h>
#include <stdlib.h>

/* ---- A step ------------------------------------------------------------------------ */

/* The loss is a sum, and the update's scale makes a mean of it and of its gradients. The
 * gradients are zero before and after. */
ag_status bench_training_step(void *context, ag_error *error)
{
    bench_training *training = context;
    nn_params *params = &training->model->params;
    nn_pass pass = {.tape = training->tape, .params = params, .training = true};
    const ag_cross_entropy_options options = {.ignore = true, .ignore_index = DATA_PAD, .reduction = AG_SUM};
    const double tokens = (double)(training->input.rows * training->input.target_length);

    ag_tape_rewind(training->tape);
    ag_tape_seed(training->tape, 1, training->step++);
    ag_tensor *loss =
        ag_cross_entropy(nn_model_apply(training->model, &pass, &training->input), training->next, &options);
    if (!loss || ag_backward(loss) != AG_OK) {
        const ag_error *problem = ag_tape_error(training->tape);
        return ag_error_set(error, problem->status, "%s", problem->message);
    }
    training->loss = (double)loss->data[0] / tokens;
    double norm = train_gradient_norm(params, training->threads) / tokens;
    if (!isfinite(norm))
        return ag_error_set(error, AG_NOT_FINITE, "the norm of the gradients is not finite");
    const train_update update = {.rate = 1e-3, .scale = train_clip_scale(norm, 1) / tokens};
    train_optimizer_step(&training->optimizer, params, &update);
    return AG_OK;
}

/* ---- What training needs ----------------------------------------------------------- */

/* Tokens of the vocabulary, padding aside. */
static int32_t *draw_tokens(int64_t count, int32_t vocab, uint64_t stream)
{
    int32_t *tokens = malloc((size_t)(count ? count : 1) * sizeof *tokens);
    ag_rng rng = ag_rng_make(1, stream);
    for (int64_t i = 0; tokens && i < count; i++)
        tokens[i] = (int32_t)(1 + ag_rng_below(&rng, (uint64_t)vocab - 1));
    return tokens;
}

ag_status bench_training_start(bench_training *training, const bench_training_task *task, ag_error *error)
{
    const bench_config *config = task->config;
    const train_optimizer_config adam = {.kind = TRAIN_ADAM, .beta1 = 0.9, .beta2 = 0.999};
    training->threads = task->threads;
    training->tape = ag_tape_new(&(ag_tape_options){.threads = task->threads, .forgets = true});
    training->source = draw_tokens(config->rows * config->source_length, config->vocab, 1);
    training->target = draw_tokens(config->rows * config->target_length, config->vocab, 2);
    training->next = draw_tokens(config->rows * config->target_length, config->vocab, 3);
    if (!training->tape || !training->source || !training->target || !training->next)
        return ag_error_set(error, AG_NO_MEMORY, "out of memory");
    if (!ag_tape_set_matmul(training->tape, task->matmul))
        return ag_error_set(error, AG_BAD_VALUE, "this processor or build has no such products");
    training->input = (nn_input){
        .rows = config->rows,
        .source_length = config->source_length,
        .target_length = config->target_length,
        .source = config->kind == NN_DECODER ? NULL : training->source,
        .target = training->target,
    };
    training->model = bench_config_model(config, task->dropout, error);
    if (!training->model)
        return error->status;
    return train_optimizer_init(&training->optimizer, &adam, &training->model->params, task->threads, error);
}

void bench_training_end(bench_training *training)
{
    train_optimizer_clear(&training->optimizer);
    nn_model_free(training->model);
    ag_tape_free(training->tape);
    free(training->source);
    free(training->target);
    free(training->next);
}
