/* run.c - the training loop.
 *
 * A run is a walk over steps, and what is to happen at a step (evaluate, save, stop)
 * depends on the step and the state alone, never on how the walk came there. So a run
 * that is stopped anywhere and resumed does what one never stopped does: it looks at the
 * step where it stands, does what is still due there, and takes the next.
 *
 * The model file is that of the best evaluation; another, that of the newest checkpoint,
 * is written before each checkpoint. A run without a dev set writes the model file with
 * each checkpoint; one that is stopped before its first evaluation writes it too, so that
 * there is one, and the first evaluation replaces it.
 */
#include "run.h"

#include "decode.h"
#include "nonfinite.h"
#include "batch_input.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static bool stop_wanted(const train_loop *loop)
{
    const train_options *options = &loop->options;
    return (options->stop && *options->stop) || (options->stop_at && loop->state.step >= options->stop_at);
}

/* ---- Warnings ------------------------------------------------------------------------------- */

/* A log that cannot be written ends no run. Its lines wait for better times; the caller
 * hears of it once. */
static void log_done(train_loop *loop, ag_status status, const ag_error *problem)
{
    if (status != AG_OK && !loop->warned && loop->options.on_progress) {
        train_progress told = loop->progress;
        told.warning = problem->message;
        told.dev = NULL;
        loop->options.on_progress(loop->options.context, &told);
    }
    loop->warned = status != AG_OK;
}

/* ---- Saving --------------------------------------------------------------------------------- */

/* What is evaluated and saved as the model: the average where there is one. */
static const ag_real *model_values(const train_loop *loop)
{
    return loop->average ? loop->average : loop->model->params.value;
}

static ag_status save_model(const train_loop *loop, const char *path)
{
    if (!path)
        return AG_OK;
    return train_model_save(loop->model, model_values(loop), &loop->labels, path, loop->error);
}

static ag_status save_checkpoint(train_loop *loop)
{
    if (!loop->unsaved || !loop->checkpoint_path)
        return AG_OK;
    ag_status status = train_parameters_finite(&loop->model->params, loop->state.step, loop->error);
    if (status == AG_OK && !loop->dev && loop->state.step > 0)
        status = save_model(loop, loop->model_path);
    if (status == AG_OK && loop->state.step > 0)
        status = save_model(loop, loop->last_path);
    if (loop->log.descriptor >= 0) { /* the log first: a resume cuts off what it has beyond the checkpoint */
        ag_error problem = {0};
        log_done(loop, train_log_sync(&loop->log, &problem), &problem);
    }
    train_checkpoint checkpoint = {.model = loop->model,
                                   .optimizer = &loop->optimizer,
                                   .average = loop->average,
                                   .state = &loop->state,
                                   .options = &loop->options,
                                   .labels = loop->labels};
    if (status == AG_OK)
        status = train_checkpoint_save(&checkpoint, loop->checkpoint_path, loop->error);
    loop->unsaved = status != AG_OK;
    return status;
}

/* ---- Reports -------------------------------------------------------------------------------- */

static void report(train_loop *loop, const train_metrics *dev, bool best)
{
    loop->progress.dev = dev;
    loop->progress.best = best;
    if (loop->options.on_progress)
        loop->options.on_progress(loop->options.context, &loop->progress);
    if (loop->log.descriptor >= 0) {
        ag_error problem = {0};
        log_done(loop, train_log_add(&loop->log, &loop->progress, &problem), &problem);
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

    double now = seconds_now(), passed = now - loop->reported, all = now - loop->started;
    loop->progress.step = step;
    loop->progress.steps = loop->options.steps;
    loop->progress.epoch = (step - 1) / loop->batches + 1;
    loop->progress.loss = loop->loss_sum / (double)loop->loss_count;
    loop->progress.rate = train_schedule_rate(&loop->schedule, step);
    loop->progress.gradient_norm = norm;
    loop->progress.tokens_per_second = passed > 0 ? (double)loop->tokens / passed : 0;
    loop->progress.seconds = all;
    loop->progress.seconds_left = all / (double)(step - loop->first_step + 1) * (double)(loop->options.steps - step);
    loop->reported = now;
    loop->loss_sum = 0;
    loop->loss_count = loop->tokens = 0;
    report(loop, NULL, false);
}

/* ---- Evaluation ----------------------------------------------------------------------------- */

static ag_status evaluate(train_loop *loop, train_metrics *metrics)
{
    nn_params *params = &loop->model->params;
    /* an output longer than every target is wrong however it goes on */
    int64_t longest = data_set_max_target(loop->dev), most = loop->model->config.max_length;
    train_evaluation evaluation = {.max_sources = loop->options.evaluate_sources,
                                   .decode = true,
                                   .generation.max_length = longest < most ? longest : most,
                                   .tape = loop->tape,
                                   .stop = loop->options.stop};
    ag_error problem = {0};
    ag_real *values = params->value;
    params->value = loop->average ? loop->average : values;
    ag_status status = train_evaluate(loop->model, loop->dev, &evaluation, metrics, &problem);
    params->value = values;
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
    double begin = seconds_now();
    ag_status status = evaluate(loop, &metrics);
    loop->reported += seconds_now() - begin; /* the speed is that of training alone */
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
            status = save_model(loop, loop->model_path);
    }
    if (status != AG_OK)
        return status;
    loop->progress.step = state->step;
    loop->progress.steps = loop->options.steps;
    report(loop, &metrics, best && !train_metrics_guess(&metrics));
    return best ? save_checkpoint(loop) : AG_OK;
}

/* ---- The loop ------------------------------------------------------------------------------- */

static bool out_of_patience(const train_loop *loop)
{
    return loop->dev && loop->options.patience > 0 && loop->state.worse >= loop->options.patience;
}

static ag_status stop_here(train_loop *loop)
{
    ag_status status = save_checkpoint(loop);
    if (status == AG_OK && loop->dev && loop->state.best_step == 0 && loop->state.step > 0)
        status = save_model(loop, loop->model_path);
    if (status != AG_OK)
        return status;
    return ag_error_set(loop->error, AG_INTERRUPTED, "stopped after step %lld of %lld", (long long)loop->state.step,
                        (long long)loop->options.steps);
}

static ag_status one_step(train_loop *loop)
{
    double loss, norm;
    ag_status status = train_step(loop, &loss, &norm);
    if (status != AG_OK)
        return status;
    loop->unsaved = true;
    report_step(loop, loss, norm);
    return AG_OK;
}

static ag_status walk(train_loop *loop)
{
    for (;;) {
        ag_status status = evaluate_if_due(loop);
        /* NOLINTNEXTLINE(clang-analyzer-core.DivideZero): run_options.c makes it 1 at least */
        if (status == AG_OK && loop->state.step % loop->options.save_every == 0)
            status = save_checkpoint(loop);
        if (status == AG_INTERRUPTED)
            return stop_here(loop);
        if (status != AG_OK)
            return status;
        if (loop->state.step >= loop->options.steps || out_of_patience(loop))
            return save_checkpoint(loop);
        if (stop_wanted(loop))
            return stop_here(loop);
        status = one_step(loop);
        if (status != AG_OK)
            return status;
    }
}

/* ---- Setting up ----------------------------------------------------------------------------- */

/* "Nothing that existed is lost": a new run does not begin where another one is, unless
 * it is to replace that. */
static ag_status check_folder(const train_loop *loop, const train_options *given)
{
    return given->overwrite ? AG_OK : train_folder_unused(given->out, loop->error);
}

/* A run that is resumed is locked before its checkpoint is read, a new one when all else
 * is ready (make_folder). */
static ag_status open_folder(train_loop *loop, const train_options *given)
{
    if (!given->out)
        return AG_OK;
    loop->model_path = data_path_join(given->out, TRAIN_MODEL_FILE, loop->error);
    loop->last_path = data_path_join(given->out, TRAIN_LAST_FILE, loop->error);
    loop->checkpoint_path = data_path_join(given->out, TRAIN_CHECKPOINT_FILE, loop->error);
    loop->log_path = data_path_join(given->out, TRAIN_LOG_FILE, loop->error);
    if (!loop->model_path || !loop->last_path || !loop->checkpoint_path || !loop->log_path)
        return AG_NO_MEMORY;
    if (!given->resume)
        return check_folder(loop, given);
    return train_path_exists(loop->checkpoint_path) ? train_lock_take(&loop->lock, given->out, loop->error) : AG_OK;
}

/* The folder of a new run, with a checkpoint from its first moment on: whenever it is
 * killed, it can be resumed. What an overwritten run has left there stays until the new
 * run writes the same file. */
static ag_status make_folder(train_loop *loop, const train_options *given)
{
    ag_status status = data_folder_make(given->out, loop->error);
    if (status == AG_OK)
        status = train_lock_take(&loop->lock, given->out, loop->error);
    if (status == AG_OK)
        status = check_folder(loop, given); /* once more: another may have had the lock until now */
    loop->unsaved = true;
    return status == AG_OK ? save_checkpoint(loop) : status;
}

/* What a caller gave to be saved can be: better to know before the first step than after the last. */
static ag_status check_labels(train_loop *loop, const train_options *given)
{
    nn_model_config *config = &loop->model->config;
    bool pairs = config->kind != NN_DECODER;
    train_labels *labels = &loop->labels;
    *labels = (train_labels){.target_vocab =
                                 given->target_vocab ? given->target_vocab : data_set_target_vocab(loop->training),
                             .task = given->task ? given->task : "",
                             .arguments = given->arguments ? given->arguments : ""};
    if (pairs)
        labels->source_vocab = given->source_vocab ? given->source_vocab : data_set_source_vocab(loop->training);
    if (data_vocab_size(labels->target_vocab) != config->target_vocab ||
        (pairs && data_vocab_size(labels->source_vocab) != config->source_vocab))
        return ag_error_set(loop->error, AG_BAD_VALUE, "the vocabularies to save with the model do not have its sizes");
    data_writer *writer = data_writer_new(loop->error);
    if (!writer)
        return AG_NO_MEMORY;
    ag_status status = train_description_write(writer, TRAIN_FORMAT_MODEL, config, labels, loop->error);
    data_writer_free(writer);
    return status;
}

static ag_status make_state(train_loop *loop)
{
    nn_params *params = &loop->model->params;
    train_options *options = &loop->options;
    ag_status status = train_optimizer_init(&loop->optimizer, &options->optimizer, params, loop->error);
    if (status != AG_OK)
        return status;
    options->optimizer = loop->optimizer.config;
    loop->schedule = (train_schedule){.kind = options->schedule,
                                      .rate = options->rate,
                                      .warmup = options->warmup > 0 ? options->warmup : 0,
                                      .total = options->steps,
                                      .floor = options->floor,
                                      .d_model = loop->model->config.d_model};
    loop->tape = ag_tape_new(&(ag_tape_options){.threads = options->threads, .forgets = true});
    if (options->average > 0)
        loop->average = ag_numbers_new(params->size);
    if (!loop->tape || (options->average > 0 && !loop->average))
        return ag_error_set(loop->error, AG_NO_MEMORY, "no memory to train with");
    loop->threads = ag_tape_threads(loop->tape);
    if (!ag_tape_set_matmul(loop->tape, options->matmul))
        return ag_error_set(loop->error, AG_BAD_VALUE, "these matrix products are not available here");
    return AG_OK;
}

/* Options, optimiser and counters: new ones, or those of the checkpoint `file`. */
static ag_status set_up(train_loop *loop, const train_options *given, const data_safetensors *file)
{
    train_options earlier = {0};
    ag_status status = file ? train_checkpoint_plan(&earlier, file, loop->checkpoint_path, loop->error) : AG_OK;
    if (status == AG_OK)
        status = train_options_complete(&loop->options, given, file ? &earlier : NULL, loop->training, loop->error);
    if (status != AG_OK)
        return status;
    loop->batches = data_set_batches(loop->training, loop->options.batch);
    loop->state.training = data_set_fingerprint(loop->training);
    loop->state.dev = loop->dev ? data_set_fingerprint(loop->dev) : 0;
    status = make_state(loop);
    train_checkpoint checkpoint = {.model = loop->model,
                                   .optimizer = &loop->optimizer,
                                   .average = loop->average,
                                   .state = &loop->state,
                                   .options = &loop->options,
                                   .labels = loop->labels};
    if (status == AG_OK && file)
        status = train_checkpoint_load(&checkpoint, file, loop->checkpoint_path, loop->error);
    loop->state.best.chance = train_chance(loop->model);
    return status;
}

static ag_status begin(train_loop *loop, const train_options *given)
{
    ag_status status = train_set_fits(loop->model, loop->training, loop->error);
    if (status == AG_OK && loop->dev)
        status = train_set_fits(loop->model, loop->dev, loop->error);
    if (status == AG_OK)
        status = check_labels(loop, given);
    if (status == AG_OK)
        status = open_folder(loop, given);
    if (status != AG_OK)
        return status;

    data_safetensors *file =
        given->resume && given->out ? data_safetensors_open(loop->checkpoint_path, loop->error) : NULL;
    if (given->resume && given->out && !file)
        return loop->error->status;
    status = set_up(loop, given, file);
    data_safetensors_close(file);
    if (status == AG_OK && given->out && !given->resume)
        status = make_folder(loop, given);
    if (status == AG_OK && given->out)
        status = train_log_open(&loop->log, loop->log_path, loop->state.step,
                                loop->state.step > 0 && loop->state.evaluated == loop->state.step, loop->error);
    if (status != AG_OK)
        return status;
    loop->first_step = loop->state.step + 1;
    loop->started = loop->reported = seconds_now();
    return AG_OK;
}

static void finish(train_loop *loop)
{
    train_optimizer_clear(&loop->optimizer);
    data_batch_clear(&loop->batch);
    ag_tape_free(loop->tape);
    ag_error problem = {0};
    log_done(loop, train_log_close(&loop->log, &problem), &problem);
    train_lock_release(&loop->lock);
    free(loop->average);
    free(loop->model_path);
    free(loop->last_path);
    free(loop->checkpoint_path);
    free(loop->log_path);
}

/* Adds to the error what may help, once there was an update that may have caused it. */
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
    ag_error own = {0}; /* so that the status is known where the caller wants no error */
    train_loop loop = {.model = model, .training = training, .dev = dev, .error = &own, .log.descriptor = -1};
    ag_status status = ag_level_check(&own);
    if (status == AG_OK)
        status = begin(&loop, options);
    if (status == AG_OK)
        status = walk(&loop);
    if (result)
        *result = (train_result){.steps = loop.state.step,
                                 .stopped_early = status == AG_OK && loop.state.step < loop.options.steps,
                                 .best = loop.state.best,
                                 .best_step = loop.state.best_step};
    if (status != AG_OK)
        status = report_failure(&loop, status, error);
    finish(&loop);
    return status;
}
