/* run_begin.c - how a run begins, new or resumed, and how it ends. */
#include "run.h"

#include "batch_input.h"
#include "decode.h"
#include "exchange.h"

#include <stdlib.h>

/* ---- The folder -------------------------------------------------------------------- */

/* A new run does not begin where another one is, unless it is to replace that. */
static ag_status check_unused(const train_loop *loop, const train_options *given)
{
    return given->overwrite ? AG_OK : train_folder_unused(given->out, loop->error);
}

/* Of several processes only that of part 1 writes files. */
static bool writes(const train_options *given)
{
    return given->out && given->part <= 1;
}

/* Locks the folder of a run that is resumed, before its checkpoint is read; that of a new
 * run is made and locked when all else is ready (make_folder). */
static ag_status open_folder(train_loop *loop, const train_options *given)
{
    if (!given->out)
        return AG_OK;
    loop->checkpoint_path = data_path_join(given->out, TRAIN_CHECKPOINT_FILE, loop->error);
    if (!loop->checkpoint_path)
        return AG_NO_MEMORY;
    if (!writes(given))
        return AG_OK;
    loop->model_path = data_path_join(given->out, TRAIN_MODEL_FILE, loop->error);
    loop->last_path = data_path_join(given->out, TRAIN_LAST_FILE, loop->error);
    loop->log_path = data_path_join(given->out, TRAIN_LOG_FILE, loop->error);
    if (!loop->model_path || !loop->last_path || !loop->log_path)
        return AG_NO_MEMORY;
    if (!given->resume)
        return check_unused(loop, given);
    return train_path_exists(loop->checkpoint_path) ? train_lock_take(&loop->lock, given->out, loop->error) : AG_OK;
}

/* Makes the folder of a new run and saves a first checkpoint, so that the run can be
 * resumed whenever it is killed. The files of an overwritten run stay until the new run
 * replaces them. */
static ag_status make_folder(train_loop *loop, const train_options *given)
{
    ag_status status = data_folder_make(given->out, loop->error);
    if (status == AG_OK)
        status = train_lock_take(&loop->lock, given->out, loop->error);
    if (status == AG_OK)
        status = check_unused(loop, given); /* again: another run may have held the lock
                                             * until now */
    loop->unsaved = true;
    return status == AG_OK ? train_run_save_checkpoint(loop) : status;
}

/* ---- The state --------------------------------------------------------------------- */

/* Checks that the vocabularies and texts can be saved: before the first step, not after
 * the last. */
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
        return ag_error_set(loop->error, AG_BAD_VALUE,
                            "the vocabularies to be saved with the model do not have its sizes");
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
    loop->schedule = train_options_schedule(options, loop->model->config.d_model);
    loop->muon_schedule = loop->schedule;
    loop->muon_schedule.rate = options->muon_rate;
    loop->tape = ag_tape_new(&(ag_tape_options){.threads = options->threads, .forgets = true});
    const bool parts = !options->part && options->accumulate > 1;
    if (options->average > 0)
        loop->average = ag_numbers_new(params->size);
    if (parts)
        loop->part_gradient = ag_numbers_new(params->size);
    if (!loop->tape || (options->average > 0 && !loop->average) || (parts && !loop->part_gradient))
        return ag_error_set(loop->error, AG_NO_MEMORY, "no memory to train with");
    loop->threads = ag_tape_threads(loop->tape);
    if (!ag_tape_set_matmul(loop->tape, options->matmul))
        return ag_error_set(loop->error, AG_BAD_VALUE, "these matrix products are not available here");
    train_optimizer_config config = options->optimizer;
    config.momentum = config.momentum == 0 ? -1 : config.momentum; /* defaults are filled in: 0 is none */
    ag_status status = train_optimizer_init(&loop->optimizer, &config, params, loop->threads, loop->error);
    options->optimizer = status == AG_OK ? loop->optimizer.config : options->optimizer;
    return status;
}

/* Sets options, optimiser and counters: new ones, or those of the checkpoint `file`. */
static ag_status set_up(train_loop *loop, const train_options *given, const data_safetensors *file)
{
    train_options earlier = {0};
    int64_t done = 0;
    ag_status status = file ? train_checkpoint_plan(&earlier, &done, file, loop->checkpoint_path, loop->error) : AG_OK;
    if (status == AG_OK)
        status =
            train_options_complete(&loop->options, given, file ? &earlier : NULL, done, loop->training, loop->error);
    if (status != AG_OK)
        return status;
    loop->batches = data_set_batches(loop->training, loop->options.batch);
    loop->state.training = data_set_fingerprint(loop->training);
    loop->state.dev = loop->dev ? data_set_fingerprint(loop->dev) : 0;
    status = make_state(loop);
    train_checkpoint checkpoint = train_run_checkpoint(loop);
    if (status == AG_OK && file)
        status = train_checkpoint_load(&checkpoint, file, loop->checkpoint_path, loop->error);
    loop->state.best.chance = train_chance(loop->model);
    return status;
}

/* ---- Begin and end ----------------------------------------------------------------- */

/* From here on a process of another part than 1 neither evaluates nor saves. */
static void compute_alone(train_loop *loop)
{
    loop->dev = NULL;
    free(loop->checkpoint_path);
    loop->checkpoint_path = NULL;
}

ag_status train_run_begin(train_loop *loop, const train_options *given)
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

    const bool resumes = given->resume && given->out;
    data_safetensors *file = resumes ? data_safetensors_open(loop->checkpoint_path, loop->error) : NULL;
    if (resumes && !file)
        return loop->error->status;
    status = set_up(loop, given, file);
    data_safetensors_close(file);
    if (given->part > 1)
        compute_alone(loop);
    if (status == AG_OK && writes(given) && !given->resume)
        status = make_folder(loop, given);
    if (status == AG_OK && writes(given))
        status = train_kept_drop(given->out, loop->state.step, INT64_MAX, loop->error); /* of a run overwritten */
    if (status == AG_OK && writes(given))
        status = train_log_open(&loop->log, loop->log_path, loop->state.step,
                                loop->state.step > 0 && loop->state.evaluated == loop->state.step, loop->error);
    if (status != AG_OK)
        return status;
    if (loop->options.exchange)
        train_exchange_begin(loop);
    loop->first_step = loop->state.step + 1;
    loop->started = loop->reported = ag_seconds();
    return AG_OK;
}

void train_run_end(train_loop *loop)
{
    train_optimizer_clear(&loop->optimizer);
    data_batch_clear(&loop->batch);
    ag_tape_free(loop->tape);
    ag_error problem = {0};
    train_run_log_done(loop, train_log_close(&loop->log, &problem), &problem);
    train_lock_release(&loop->lock);
    free(loop->average);
    free(loop->part_gradient);
    free(loop->model_path);
    free(loop->last_path);
    free(loop->checkpoint_path);
    free(loop->log_path);
}
