/* run_step.c - one training step: forward, loss, backward, exchange, clip, update.
 *
 * A batch may go through the model in several parts, one after the other (gradient
 * accumulation, for less memory) or each in its own process (exchange.c). The loss of a
 * part is the sum over its targets, not their mean. So the gradients of all parts added
 * up are those of the summed loss of the whole batch, and the update divides them by the
 * batch's targets: the number of parts does not matter.
 *
 * Each part's gradient begins at zero, and the parts are added in their order, here as
 * where processes exchange them. So both ways give the same bits.
 */
#include "batch_input.h"
#include "exchange.h"
#include "nonfinite.h"
#include "run.h"

#include <math.h>

static ag_status tape_failed(const train_loop *loop)
{
    const ag_error *problem = ag_tape_error(loop->tape);
    return ag_error_set(loop->error, problem->status, "step %lld: %.400s", (long long)loop->state.step + 1,
                        problem->message);
}

/* Forward, loss and backward of part `index` of the batch: adds its gradients to the
 * model's, and its loss and targets to the sums. `backward` is ag_backward, or
 * ag_backward_checked. */
static ag_status run_part(train_loop *loop, int64_t index, ag_status (*backward)(ag_tensor *loss), double *sums)
{
    const int64_t count = loop->options.accumulate, rows = loop->batch.rows, step = loop->state.step;
    const int64_t begin = rows * index / count, end = rows * (index + 1) / count;
    nn_pass pass = {.tape = loop->tape, .params = &loop->model->params, .training = true};
    train_batch_input input;
    if (begin == end) /* more parts than rows */
        return AG_OK;
    ag_tape_rewind(loop->tape);
    ag_tape_seed(loop->tape, loop->options.seed, (uint64_t)step * (uint64_t)count + (uint64_t)index);

    ag_status status = train_batch_input_make(loop->model, &loop->batch, begin, end, loop->tape, &input, loop->error);
    if (status != AG_OK)
        return status;
    if (loop->options.on_input)
        loop->options.on_input(loop->options.context, &pass, &input.input);
    ag_tensor *logits = nn_model_apply(loop->model, &pass, &input.input);
    ag_tensor *loss = train_batch_input_loss(logits, &input, loop->options.label_smoothing);
    if (!loss)
        return tape_failed(loop);
    if (!isfinite(loss->data[0]))
        return train_loss_not_finite(loop->tape, (double)loss->data[0], step + 1, loop->error);
    sums[TRAIN_SUM_LOSS] += (double)loss->data[0];
    for (int64_t row = begin; row < end; row++)
        sums[TRAIN_SUM_TOKENS] += loop->batch.target_lengths[row];
    return backward(loss) == AG_OK ? AG_OK : tape_failed(loop);
}

/* The parts that this process computes: first <= i < end. */
static int64_t first_part(const train_loop *loop)
{
    return loop->options.part ? loop->options.part - 1 : 0;
}

static int64_t end_part(const train_loop *loop)
{
    return loop->options.part ? loop->options.part : loop->options.accumulate;
}

/* The gradients of this process's parts, and their sums, in the order of the parts. A
 * part without rows is added, too: its zeros turn a sum of -0 into 0, as an exchange
 * does. */
static ag_status add_parts(train_loop *loop, double *sums)
{
    nn_params *params = &loop->model->params;
    ag_real *gradient = params->grad;
    ag_status status = AG_OK;
    for (int64_t i = first_part(loop); i < end_part(loop) && status == AG_OK; i++) {
        const bool more = i > first_part(loop);
        double own[TRAIN_SUMS] = {0};
        params->grad = more ? loop->part_gradient : gradient;
        status = run_part(loop, i, ag_backward, own);
        params->grad = gradient;
        if (more && status == AG_OK)
            ag_vector_add(gradient, loop->part_gradient, params->size, loop->threads);
        sums[TRAIN_SUM_LOSS] += own[TRAIN_SUM_LOSS];
        sums[TRAIN_SUM_TOKENS] += own[TRAIN_SUM_TOKENS];
    }
    return status;
}

/* The gradients are not finite: computes them again and checks each gradient as it is
 * made, so that the error names the operation. If it is not in this process's parts, it
 * waits for the one that finds it, whose end makes the exchange fail. */
static ag_status explain_gradients(train_loop *loop)
{
    ag_status status = AG_OK;
    double sums[TRAIN_SUMS] = {0};
    nn_params_zero_grad(&loop->model->params);
    for (int64_t i = first_part(loop); i < end_part(loop) && status == AG_OK; i++)
        status = run_part(loop, i, ag_backward_checked, sums);
    if (status == AG_OK && loop->options.exchange)
        status = train_exchange(loop, sums);
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
    double sums[TRAIN_SUMS] = {0};
    ag_status status = data_set_batch(loop->training, options->batch, number, &loop->batch, loop->error);

    if (loop->state.step + 1 == loop->first_step)
        nn_params_zero_grad(params); /* later steps find the zeros that
                                      * train_optimizer_step leaves */
    if (status == AG_OK)
        status = add_parts(loop, sums);
    if (status == AG_OK && options->exchange)
        status = train_exchange(loop, sums);
    if (status != AG_OK || loop->ended)
        return status;

    const double tokens = sums[TRAIN_SUM_TOKENS] > 0 ? sums[TRAIN_SUM_TOKENS] : 1;
    *loss = sums[TRAIN_SUM_LOSS] / tokens;
    *norm = train_gradient_norm(params, loop->threads) / tokens;
    if (!isfinite(*norm))
        return explain_gradients(loop);

    const int64_t step = ++loop->state.step;
    const train_update update = {.rate = train_schedule_rate(&loop->schedule, step),
                                 .muon_rate = train_schedule_rate(&loop->muon_schedule, step),
                                 .scale = train_clip_scale(*norm, options->clip) / tokens,
                                 .average = loop->average,
                                 .average_decay = options->average};
    train_optimizer_step(&loop->optimizer, params, &update);
    return AG_OK;
}
