/* run.c - the training loop.
 *
 * Whether to evaluate, save or stop at a step depends only on the step and the state,
 * never on how the run came there. So a run that was stopped anywhere and resumed does
 * exactly what an uninterrupted one does: it looks at the step where it stands, does what
 * is still due there, and takes the next step.
 */
#include "run.h"

#include "decode.h"
#include "exchange.h"
#include "nonfinite.h"

#include <stdlib.h>
#include <string.h>

/* ---- Reports ----------------------------------------------------------------------- */

static void report(train_loop *loop, const train_metrics *dev, bool best)
{
    loop->progress.step = loop->state.step;
    loop->progress.steps = loop->options.steps;
    loop->progress.dev = dev;
    loop->progress.best = best;
    if (loop->options.on_progress)
        loop->options.on_progress(loop->options.context, &loop->progress);
    if (loop->log.descriptor >= 0) {
        ag_error problem = {0};
        train_run_log_done(loop, train_log_add(&loop->log, &loop->progress, &problem), &problem);
    }
    loop->progress.dev = NULL; /* the metrics are the caller's */
}

static void report_step(train_loop *loop, double loss, double norm)
{
    int64_t step = loop->state.step;
    loop->loss_sum += loss;
    loop->loss_count++;
    loop->tokens += loop->batch.tokens;
    if (step % loop->options.report_every != 0 && step != loop->first_step && step != loop->options.steps)
        return;

    double now = ag_seconds(), passed = now - loop->reported, all = now - loop->started;
    const int64_t left = step < loop->options.steps ? loop->options.steps - step : 0;
    loop->progress.epoch = (step - 1) / loop->batches + 1;
    loop->progress.loss = loop->loss_sum / (double)loop->loss_count;
    loop->progress.rate = train_schedule_rate(&loop->schedule, step);
    loop->progress.gradient_norm = norm;
    loop->progress.tokens_per_second = passed > 0 ? (double)loop->tokens / passed : 0;
    loop->progress.seconds = all;
    loop->progress.seconds_left = all / (double)(step - loop->first_step + 1) * (double)left;
    loop->reported = now;
    loop->loss_sum = 0;
    loop->loss_count = loop->tokens = 0;
    report(loop, NULL, false);
}

/* ---- Evaluation -------------------------------------------------------------------- */

/* Evaluates on dev the weights that the run saves as its model: the average, if it keeps
 * one. */
static ag_status evaluate_on_dev(train_loop *loop, train_metrics *metrics)
{
    nn_params *params = &loop->model->params;
    /* An output longer than every target is wrong whatever follows, so it need not be
     * finished. */
    int64_t longest = data_set_max_target(loop->dev), most = loop->model->config.max_length;
    train_evaluation evaluation = {.max_sources = loop->options.evaluate_sources,
                                   .decode = true,
                                   .generation.max_length = longest < most ? longest : most,
                                   .tape = loop->tape,
                                   .stop = loop->options.stop};
    ag_error problem = {0};
    ag_real *newest = params->value;
    params->value = loop->average ? loop->average : newest;
    ag_status status = train_evaluate(loop->model, loop->dev, &evaluation, metrics, &problem);
    params->value = newest;
    if (status != AG_OK && status != AG_INTERRUPTED)
        ag_error_set(loop->error, status, "step %lld: %.400s", (long long)loop->state.step, problem.message);
    return status;
}

static bool evaluation_due(const train_loop *loop)
{
    const train_state *state = &loop->state;
    return loop->dev && state->step > 0 && state->evaluated != state->step &&
           (state->step % loop->options.evaluate_every == 0 || state->step == loop->options.steps);
}

static ag_status evaluate_if_due(train_loop *loop)
{
    train_state *state = &loop->state;
    train_metrics metrics;
    if (!evaluation_due(loop))
        return AG_OK;
    double begin = ag_seconds();
    ag_status status = evaluate_on_dev(loop, &metrics);
    loop->reported += ag_seconds() - begin; /* the speed reported is that of training
                                             * alone */
    if (status != AG_OK)
        return status;
    bool best = state->best_step == 0 || train_metrics_better(&metrics, &state->best, loop->options.best_by);
    state->evaluated = state->step;
    state->worse = best ? 0 : state->worse + 1;
    loop->unsaved = true;
    if (best) {
        state->best = metrics;
        state->best_step = state->step;
        status = train_parameters_finite(&loop->model->params, state->step, loop->error);
        if (status == AG_OK)
            status = train_run_save_model(loop, loop->model_path);
    }
    if (status != AG_OK)
        return status;
    report(loop, &metrics, best && !train_metrics_guess(&metrics));
    return best ? train_run_save_checkpoint(loop) : AG_OK;
}

/* ---- The loop ---------------------------------------------------------------------- */

/* (Part 1 alone counts worse evaluations, so a stop that all make comes first.) */
static bool out_of_patience(const train_loop *loop)
{
    return !loop->agreed && loop->dev && loop->options.patience > 0 && loop->state.worse >= loop->options.patience;
}

/* Whether to stop before the next update. Of several processes part 1 may decide it
 * alone, and tells the others; what one of them wants, all do after their next update. */
static bool stop_wanted(const train_loop *loop)
{
    return loop->agreed || (loop->options.part <= 1 && train_stop_wanted(loop, loop->state.step));
}

static ag_status stop_here(train_loop *loop)
{
    ag_status status = train_run_save_checkpoint(loop);
    if (status == AG_OK && loop->dev && loop->state.best_step == 0 && loop->state.step > 0)
        status = train_run_save_model(loop, loop->model_path);
    if (status == AG_OK)
        status = train_exchange_end(loop, TRAIN_SUM_STOPPED);
    if (status != AG_OK)
        return status;
    return ag_error_set(loop->error, AG_INTERRUPTED, "stopped after step %lld of %lld", (long long)loop->state.step,
                        (long long)loop->options.steps);
}

/* A checkpoint of the run's own rhythm, which does not depend on where it was stopped:
 * its model is one of those that are kept. */
static ag_status save_and_keep(train_loop *loop)
{
    const ag_status status = train_run_save_checkpoint(loop);
    return status == AG_OK ? train_run_save_kept(loop) : status;
}

/* The last step is done, or no better evaluation is expected. */
static ag_status finish_here(train_loop *loop)
{
    const ag_status status = save_and_keep(loop);
    return status == AG_OK ? train_exchange_end(loop, TRAIN_SUM_EARLY) : status;
}

static ag_status take_step(train_loop *loop)
{
    double loss, norm;
    const double start = ag_processor_seconds();
    ag_status status = train_step(loop, &loss, &norm);
    loop->progress.processor_seconds += ag_processor_seconds() - start;
    if (status != AG_OK || loop->ended)
        return status;
    loop->unsaved = true;
    report_step(loop, loss, norm);
    return AG_OK;
}

static ag_status take_steps(train_loop *loop)
{
    for (;;) {
        ag_status status = evaluate_if_due(loop);
        /* NOLINTNEXTLINE(clang-analyzer-core.DivideZero): run_options.c makes it 1 at
         * least */
        if (status == AG_OK && loop->state.step % loop->options.save_every == 0)
            status = save_and_keep(loop);
        if (status == AG_INTERRUPTED)
            return stop_here(loop);
        if (status != AG_OK)
            return status;
        if (loop->state.step >= loop->options.steps || out_of_patience(loop))
            return finish_here(loop);
        if (stop_wanted(loop))
            return stop_here(loop);
        status = take_step(loop);
        if (status == AG_OK && loop->ended)
            return loop->ended == TRAIN_SUM_STOPPED ? stop_here(loop) : AG_OK;
        if (status != AG_OK)
            return status;
    }
}

/* Copies the loop's error to the caller, with a remedy if an update may have caused
 * it. */
static ag_status report_failure(const train_loop *loop, ag_status status, ag_error *error)
{
    const char *remedy = "";
    if (status == AG_NOT_FINITE && loop->state.step > 0)
        remedy = loop->options.clip > 0 ? "; a lower learning rate may help"
                                        : "; a lower learning rate may help, and a limit on the gradients' norm";
    return ag_error_set(error, status, "%.400s%s", loop->error->message, remedy);
}

ag_status train_run(nn_model *model, data_set *training, data_set *dev, const train_options *options,
                    train_result *result, ag_error *error)
{
    ag_error own = {0}; /* the caller's may be NULL */
    train_loop loop = {.model = model, .training = training, .dev = dev, .error = &own, .log.descriptor = -1};
    ag_status status = ag_level_check(&own);
    if (status == AG_OK)
        status = train_run_begin(&loop, options);
    if (status == AG_OK)
        status = take_steps(&loop);
    if (result)
        *result = (train_result){.steps = loop.state.step,
                                 .stopped_early = status == AG_OK && loop.state.step < loop.options.steps,
                                 .best = loop.state.best,
                                 .best_step = loop.state.best_step};
    if (status != AG_OK)
        status = report_failure(&loop, status, error);
    train_run_end(&loop);
    return status;
}

/* ---- Step by step ------------------------------------------------------------------ */

train_loop *train_loop_new(nn_model *model, data_set *training, const train_options *options, ag_error *error)
{
    ag_error own = {0}; /* the caller's may be NULL */
    train_loop *loop = calloc(1, sizeof *loop);
    if (!loop) {
        ag_error_set(error, AG_NO_MEMORY, "no memory for a run");
        return NULL;
    }
    *loop = (train_loop){.model = model, .training = training, .error = &own, .log.descriptor = -1};
    ag_status status = ag_level_check(&own);
    if (status == AG_OK && (options->out || options->part || options->stop))
        status = ag_error_set(&own, AG_BAD_VALUE, "a run step by step has no folder, no part and no stop");
    if (status == AG_OK)
        status = train_run_begin(loop, options);
    if (status == AG_OK)
        return loop;
    report_failure(loop, status, error);
    train_loop_free(loop);
    return NULL;
}

/* Drops what a step that failed has added: the next one begins with zeros. */
static void drop_gradients(train_loop *loop)
{
    nn_params *params = &loop->model->params;
    nn_params_zero_grad(params);
    if (loop->part_gradient)
        memset(loop->part_gradient, 0, (size_t)params->size * sizeof *loop->part_gradient);
}

ag_status train_loop_step(train_loop *loop, ag_error *error)
{
    ag_error own = {0};
    loop->error = &own;
    const ag_status status = take_step(loop);
    if (status == AG_OK)
        return AG_OK;
    drop_gradients(loop);
    return report_failure(loop, status, error);
}

void train_loop_free(train_loop *loop)
{
    if (loop)
        train_run_end(loop);
    free(loop);
}
