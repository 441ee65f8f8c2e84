/* run_step.c - one update: forward and backward of a batch in parts, clip, optimiser, average.
 *
 * The loss of a part is the sum over its targets, and gradients of sums add up; so the division by the whole batch's
 * targets, which is left to the optimiser, makes any number of parts the same update.
 */
#include "nonfinite.h"
#include "batch_input.h"
#include "run.h"

#include <math.h>

static ag_status tape_failed(const train_loop *loop)
{
    const ag_error *problem = ag_tape_error(loop->tape);
    return ag_error_set(loop->error, problem->status, "step %lld: %.400s", (long long)loop->state.step + 1,
                        problem->message);
}

/* The forward of part `index` of the batch on a rewound tape; *loss is NULL where the part has no rows. */
static ag_status part_forward(train_loop *loop, int64_t index, ag_tensor **loss)
{
    int64_t parts = loop->options.accumulate;
    int64_t begin = loop->batch.rows * index / parts, end = loop->batch.rows * (index + 1) / parts;
    *loss = NULL;
    if (begin == end)
        return AG_OK;
    train_part part;
    nn_pass pass = {.tape = loop->tape, .params = &loop->model->params, .training = true};
    ag_tape_rewind(loop->tape);
    ag_tape_seed(loop->tape, loop->options.seed, (uint64_t)loop->state.step * (uint64_t)parts + (uint64_t)index);
    ag_status status = train_part_make(loop->model, &loop->batch, begin, end, loop->tape, &part, loop->error);
    if (status != AG_OK)
        return status;
    *loss = train_part_loss(loop->model, &pass, &part, loop->options.label_smoothing, NULL);
    return *loss ? AG_OK : tape_failed(loop);
}

/* Adds the gradients of all parts; *sum is the loss of all targets together. */
static ag_status batch_gradients(train_loop *loop, double *sum)
{
    *sum = 0;
    if (loop->state.step + 1 == loop->first_step) /* the later ones find the zeros that an update leaves */
        nn_params_zero_grad(&loop->model->params);
    for (int64_t index = 0; index < loop->options.accumulate; index++) {
        ag_tensor *loss;
        ag_status status = part_forward(loop, index, &loss);
        if (status != AG_OK)
            return status;
        if (!loss)
            continue;
        if (!isfinite(loss->data[0]))
            return train_loss_not_finite(loop->tape, (double)loss->data[0], loop->state.step + 1, loop->error);
        if (ag_backward(loss) != AG_OK)
            return tape_failed(loop);
        *sum += (double)loss->data[0];
    }
    return AG_OK;
}

/* The gradients are not finite: runs the parts again and looks at each gradient as it is made. */
static ag_status explain_gradients(train_loop *loop)
{
    nn_params_zero_grad(&loop->model->params);
    for (int64_t index = 0; index < loop->options.accumulate; index++) {
        ag_tensor *loss;
        ag_status status = part_forward(loop, index, &loss);
        if (status != AG_OK)
            return status;
        if (loss && ag_backward_checked(loss) != AG_OK)
            return tape_failed(loop);
    }
    return ag_error_set(loop->error, AG_NOT_FINITE, "step %lld: the norm of the gradients is not finite",
                        (long long)loop->state.step + 1);
}

ag_status train_step(train_loop *loop, double *loss, double *norm)
{
    nn_params *params = &loop->model->params;
    const train_options *options = &loop->options;
    ag_status status =
        data_set_batch(loop->training, options->batch, (uint64_t)loop->state.step, &loop->batch, loop->error);
    if (status == AG_OK)
        status = batch_gradients(loop, loss);
    if (status != AG_OK)
        return status;
    double tokens = loop->batch.tokens > 0 ? (double)loop->batch.tokens : 1;
    *loss /= tokens;
    *norm = train_gradient_norm(params, loop->threads) / tokens;
    if (!isfinite(*norm))
        return explain_gradients(loop);

    int64_t step = ++loop->state.step;
    const train_update update = {.rate = train_schedule_rate(&loop->schedule, step),
                                 .scale = train_clip_scale(*norm, options->clip) / tokens,
                                 .average = loop->average,
                                 .average_decay = options->average};
    train_optimizer_step(&loop->optimizer, params, &update, loop->threads);
    return AG_OK;
}
