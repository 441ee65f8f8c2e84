/* train.c - the small models of the laboratory and their training: AdamW, cosine
 * schedule, clipped gradients. */
#include "laboratory.h"

#include <math.h>

#define RATE 8e-3
#define CLIP 1.0

nn_model *laboratory_model(const laboratory *lab, nn_model_kind kind, nn_position_kind positions)
{
    const int32_t vocab = LABORATORY_FIRST_LETTER + (int32_t)lab->options.letters;
    const nn_model_config config = {.kind = kind,
                                    .source_vocab = vocab,
                                    .target_vocab = vocab,
                                    .d_model = 32,
                                    .heads = 2,
                                    .encoder_layers = LABORATORY_LAYERS,
                                    .decoder_layers = LABORATORY_LAYERS,
                                    .positions = positions};
    return nn_model_new(&config, lab->options.seed, lab->error);
}

ag_status laboratory_stopped(const laboratory *lab)
{
    if (lab->options.stop && *lab->options.stop)
        return ag_error_set(lab->error, AG_INTERRUPTED, "the laboratory was stopped");
    return AG_OK;
}

ag_status laboratory_tape_failed(const laboratory *lab)
{
    const ag_error *problem = ag_tape_error(lab->tape);
    return ag_error_set(lab->error, problem->status, "%s", problem->message);
}

/* Does one update. *value becomes the loss before it. */
static ag_status train_one(laboratory *lab, const laboratory_training *training, train_optimizer *optimizer,
                           int64_t step, double *value)
{
    const train_schedule schedule = {.rate = RATE, .warmup = lab->options.steps / 20, .total = lab->options.steps};
    nn_params *params = &training->model->params;
    const nn_pass pass = {.tape = lab->tape, .params = params, .training = true};
    ag_rng rng = laboratory_stream(&lab->options, step);

    ag_tape_rewind(lab->tape);
    int32_t *x = ag_tape_alloc(lab->tape, (size_t)(LABORATORY_ROWS * lab->options.length) * sizeof *x);
    if (!x)
        return laboratory_tape_failed(lab);
    laboratory_draw(&rng, &lab->options, LABORATORY_ROWS, x);
    ag_tensor *loss = training->loss(lab, training, &pass, x, &rng);
    if (!loss || ag_backward(loss) != AG_OK)
        return laboratory_tape_failed(lab);
    *value = (double)loss->data[0];
    const double norm = train_gradient_norm(params, ag_tape_threads(lab->tape));
    if (!isfinite(*value) || !isfinite(norm))
        return ag_error_set(lab->error, AG_NOT_FINITE, "%s: the loss or its gradient is not finite at step %lld",
                            training->what, (long long)step);
    const train_update update = {.rate = train_schedule_rate(&schedule, step), .scale = train_clip_scale(norm, CLIP)};
    train_optimizer_step(optimizer, params, &update);
    return AG_OK;
}

/* Adds the loss of a step to the mean of its stretch of steps. */
static void add_to_curve(double *curve, int64_t steps, int64_t step, double value)
{
    const int64_t point = (step - 1) * LABORATORY_POINTS / steps;
    const int64_t begin = (point * steps + LABORATORY_POINTS - 1) / LABORATORY_POINTS,
                  end = ((point + 1) * steps + LABORATORY_POINTS - 1) / LABORATORY_POINTS;
    curve[point] += value / (double)(end - begin);
}

static void note_step(laboratory *lab, const laboratory_training *training, int64_t step, double loss)
{
    if (training->curve)
        add_to_curve(training->curve, lab->options.steps, step, loss);
    lab->steps_done++;
    if (lab->options.on_progress)
        lab->options.on_progress(lab->options.context, training->what, lab->steps_done, lab->steps_all);
}

ag_status laboratory_train(laboratory *lab, const laboratory_training *training)
{
    const int64_t steps = lab->options.steps;
    train_optimizer optimizer = {0};
    ag_status status = train_optimizer_init(&optimizer, &(train_optimizer_config){0}, &training->model->params,
                                            ag_tape_threads(lab->tape), lab->error);
    ag_tape_set_grad(lab->tape, true);
    for (int64_t step = 1; step <= steps && status == AG_OK; step++) {
        double loss = 0;
        status = laboratory_stopped(lab);
        if (status == AG_OK)
            status = train_one(lab, training, &optimizer, step, &loss);
        if (status == AG_OK)
            note_step(lab, training, step, loss);
    }
    ag_tape_set_grad(lab->tape, false);
    train_optimizer_clear(&optimizer);
    return status;
}

int32_t laboratory_best(const ag_real *logits, int64_t classes)
{
    int64_t best = 0;
    for (int64_t c = 1; c < classes; c++)
        best = logits[c] > logits[best] ? c : best;
    return (int32_t)best;
}
