/* run_step.c - one training step: zero the gradients, forward, loss, backward, clip,
 * update.
 *
 * A batch may go through the model in several micro-batches (gradient accumulation), for
 * less memory. The loss of a micro-batch is the sum over its targets, not their mean, and
 * a backward adds to the gradients. So after the last micro-batch the gradients are those
 * of the summed loss of the whole batch, and the update divides them by the batch's
 * targets: the number of micro-batches does not matter.
 */
#include "batch_input.h"
#include "nonfinite.h"
#include "run.h"

#include <math.h>

static ag_status tape_failed(const train_loop *loop)
{
    const ag_error *problem = ag_tape_error(loop->tape);
    return ag_error_set(loop->error, problem->status, "step %lld: %.400s", (long long)loop->state.step + 1,
                        problem->message);
}

/* Forward, loss and backward of micro-batch `index`: adds its gradients to the model's
 * and its loss to *sum. `backward` is ag_backward, or ag_backward_checked. */
static ag_status add_micro_batch(train_loop *loop, int64_t index, ag_status (*backward)(ag_tensor *loss), double *sum)
{
    const int64_t count = loop->options.accumulate, rows = loop->batch.rows, step = loop->state.step;
    const int64_t begin = rows * index / count, end = rows * (index + 1) / count;
    const nn_pass pass = {.tape = loop->tape, .params = &loop->model->params, .training = true};
    train_batch_input input;
    if (begin == end) /* more micro-batches than rows */
        return AG_OK;
    ag_tape_rewind(loop->tape);
    ag_tape_seed(loop->tape, loop->options.seed, (uint64_t)step * (uint64_t)count + (uint64_t)index);

    ag_status status = train_batch_input_make(loop->model, &loop->batch, begin, end, loop->tape, &input, loop->error);
    if (status != AG_OK)
        return status;
    ag_tensor *loss = train_batch_input_loss(loop->model, &pass, &input, loop->options.label_smoothing, NULL);
    if (!loss)
        return tape_failed(loop);
    if (!isfinite(loss->data[0]))
        return train_loss_not_finite(loop->tape, (double)loss->data[0], step + 1, loop->error);
    *sum += (double)loss->data[0];
    return backward(loss) == AG_OK ? AG_OK : tape_failed(loop);
}

/* The gradients are not finite: computes them again and checks each gradient as it is
 * made, so that the error names the operation. */
static ag_status explain_gradients(train_loop *loop)
{
    ag_status status = AG_OK;
    double sum = 0;
    nn_params_zero_grad(&loop->model->params);
    for (int64_t i = 0; i < loop->options.accumulate && status == AG_OK; i++)
        status = add_micro_batch(loop, i, ag_backward_checked, &sum);
    if (status != AG_OK)
        return status;
    return ag_error_set(loop->error, AG_NOT_FINITE, "step %lld: the norm of the gradients is not finite",
                        (long long)loop->state.step + 1);
}

ag_status train_step(train_loop *loop, double *loss, double *norm)
{
    nn_params *params = &loop->model->params;
    const train_options *options = &loop->options;
    const uint64_t number = (uint64_t)loop->state.step;
    double sum = 0;
    ag_status status = data_set_batch(loop->training, options->batch, number, &loop->batch, loop->error);

    if (loop->state.step + 1 == loop->first_step)
        nn_params_zero_grad(params); /* later steps find the zeros that
                                      * train_optimizer_step leaves */
    for (int64_t i = 0; i < options->accumulate && status == AG_OK; i++)
        status = add_micro_batch(loop, i, ag_backward, &sum);
    if (status != AG_OK)
        return status;

    const double tokens = loop->batch.tokens > 0 ? (double)loop->batch.tokens : 1;
    *loss = sum / tokens;
    *norm = train_gradient_norm(params, loop->threads) / tokens;
    if (!isfinite(*norm))
        return explain_gradients(loop);

    const int64_t step = ++loop->state.step;
    const train_update update = {.rate = train_schedule_rate(&loop->schedule, step),
                                 .scale = train_clip_scale(*norm, options->clip) / tokens,
                                 .average = loop->average,
                                 .average_decay = options->average};
    train_optimizer_step(&loop->optimizer, params, &update, loop->threads);
    return AG_OK;
}
