/* run_save.c - the files of a run: model, checkpoint, log.
 *
 * model.safetensors holds the model of the best evaluation, last.safetensors that of the
 * newest checkpoint, written just before it. A run without a dev set also writes the
 * model file with each checkpoint. A run that is stopped before its first evaluation
 * writes it too, so that there is one; the first evaluation replaces it.
 *
 * A kept model is written after the checkpoint of its step, and older ones are removed
 * after that. So a kept model of a later step than the checkpoint's is one of a run that
 * was overwritten. A process may be killed between checkpoint and kept model, so a resume
 * that stands at a step whose model is to be kept writes that model first.
 */
#include "run.h"

#include "nonfinite.h"

#include <stdlib.h>

void train_run_log_done(train_loop *loop, ag_status status, const ag_error *problem)
{
    if (status != AG_OK && !loop->warned && loop->options.on_progress) {
        train_progress told = loop->progress;
        told.warning = problem->message;
        told.dev = NULL;
        loop->options.on_progress(loop->options.context, &told);
    }
    loop->warned = status != AG_OK;
}

ag_status train_run_save_model(const train_loop *loop, const char *path)
{
    const ag_real *values = loop->average ? loop->average : loop->model->params.value;
    return path ? train_model_save(loop->model, values, &loop->labels, path, loop->error) : AG_OK;
}

train_checkpoint train_run_checkpoint(train_loop *loop)
{
    return (train_checkpoint){.model = loop->model,
                              .optimizer = &loop->optimizer,
                              .average = loop->average,
                              .state = &loop->state,
                              .options = &loop->options,
                              .labels = loop->labels};
}

ag_status train_run_save_checkpoint(train_loop *loop)
{
    if (!loop->unsaved || !loop->checkpoint_path)
        return AG_OK;
    ag_status status = train_parameters_finite(&loop->model->params, loop->state.step, loop->error);
    if (status == AG_OK && !loop->dev && loop->state.step > 0)
        status = train_run_save_model(loop, loop->model_path);
    if (status == AG_OK && loop->state.step > 0)
        status = train_run_save_model(loop, loop->last_path);
    if (loop->log.descriptor >= 0) { /* the log first: a resume cuts off its lines after
                                      * the checkpoint */
        ag_error problem = {0};
        train_run_log_done(loop, train_log_sync(&loop->log, &problem), &problem);
    }
    const train_checkpoint checkpoint = train_run_checkpoint(loop);
    if (status == AG_OK)
        status = train_checkpoint_save(&checkpoint, loop->checkpoint_path, loop->error);
    loop->unsaved = status != AG_OK;
    return status;
}

ag_status train_run_save_kept(train_loop *loop)
{
    char name[TRAIN_KEPT_NAME];
    const char *folder = loop->options.out;
    const int64_t step = loop->state.step;
    if (loop->options.keep == 0 || !loop->checkpoint_path || step == loop->kept)
        return AG_OK;
    train_kept_name(step, name);
    char *path = data_path_join(folder, name, loop->error);
    ag_status status = path ? train_run_save_model(loop, path) : AG_NO_MEMORY;
    free(path);
    if (status == AG_OK)
        status = train_kept_drop(folder, step, loop->options.keep, loop->error);
    loop->kept = status == AG_OK ? step : loop->kept;
    return status;
}
