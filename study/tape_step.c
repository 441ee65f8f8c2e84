/* tape_step.c - one training step of a model, measured. */
#include "loss.h"
#include "tape.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* How long the peak is measured, in seconds. */
#define PEAK_SECONDS 0.1

typedef struct step_task {
    const nn_model *model;
    const nn_input *input;
    const int32_t *targets;
    nn_params params; /* the model's, with gradients of the study's own */
    int32_t end; /* as in study_loss */
    bool plain_attention;
} step_task;

/* Runs the step on an empty or rewound tape. *middle and *end become the times after the
 * forward and the backward. */
static ag_status run_step(step_task *task, ag_tape *tape, bool retain, double *middle, double *end, ag_error *error)
{
    const nn_pass pass = {
        .tape = tape, .params = &task->params, .training = true, .plain_attention = task->plain_attention};
    memset(task->params.grad, 0, (size_t)task->params.size * sizeof *task->params.grad);
    ag_tape_rewind(tape);
    ag_tape_seed(tape, 0, 0);
    ag_tensor *loss = study_loss(task->model, task->input, task->targets, task->end,
                                 nn_model_apply(task->model, &pass, task->input));
    *middle = ag_seconds();
    for (const ag_node *node = ag_tape_last(tape); node && retain; node = ag_node_before(node))
        ag_retain_grad(node->output);
    if (!loss || ag_backward(loss) != AG_OK)
        return ag_error_set(error, ag_tape_error(tape)->status, "%s", ag_tape_error(tape)->message);
    *end = ag_seconds();
    return AG_OK;
}

/* ---- In words ---------------------------------------------------------------------- */

static void add_totals(const tape_rows *rows, study_document *document)
{
    const ag_tape *tape = rows->items[0].node->tape;
    const double seconds = rows->forward + rows->backward;
    double operations = 0, work = 0, bytes = 0;
    for (int64_t i = 0; i < rows->count; i++) {
        const tape_row *row = &rows->items[i];
        operations += row->forward + row->backward + (isnan(row->recompute) ? 0 : row->recompute);
        work += isnan(row->multiply_adds) ? 0 : row->multiply_adds;
        bytes += row->bytes;
    }
    study_add_text(
        document,
        "One step: forward %.3f ms, backward %.3f ms, with %d %s at level %s. Its %.4g million multiply-adds "
        "are %.1f %% of what this machine could do in that time (%.4g million in a millisecond). The step "
        "keeps %.3g MB for its backward. The operations below have %.0f %% of the time; the rest lies "
        "between them.",
        1e3 * rows->forward, 1e3 * rows->backward, ag_tape_threads(tape),
        ag_plural(ag_tape_threads(tape), "thread", "threads"), ag_level_name(), 1e-6 * work,
        100 * work / seconds / rows->options->peak, 1e-9 * rows->options->peak, 1e-6 * bytes,
        100 * operations / seconds);
    study_add_text(
        document, "All times are of this one step: those of another differ, short ones by more. \"kept\" is the memory "
                  "that an operation holds until the backward, \"again\" the time of computing a result that was not "
                  "kept once more. Multiply-adds are those of matrix products, forward and backward; operations "
                  "without any are not measured against the peak. The update of the parameters is not part of the "
                  "table.");
}

static ag_status add_picture(const tape_rows *rows, const ag_tape *values, study_document *document, ag_error *error)
{
    if (rows->count >= STUDY_TAPE_PICTURE)
        return AG_OK;
    study_add_heading(document, "The graph");
    study_add_text(document,
                   "The gradient of a value is the sum over its arrows: derivative times gradient below (the chain "
                   "rule). Of tensors the derivative is a matrix, the Jacobian. A single number stands for all of its "
                   "elements that are not 0; of a large one its norm is shown.");
    return tape_add_picture(values, rows->options, document, error);
}

/* ---- The step ---------------------------------------------------------------------- */

/* The norms come from `values`, which keeps everything; times and memory from `measured`,
 * whose first run finds the memory that the second uses. */
static ag_status measure_step(step_task *task, ag_tape *values, ag_tape *measured, study_document *document,
                              ag_error *error)
{
    double start, middle, end;
    const study_tape_options options = {.params = &task->params,
                                        .peak = ag_peak(ag_tape_threads(measured), PEAK_SECONDS)};
    ag_status status = run_step(task, values, true, &middle, &end, error);
    if (status == AG_OK)
        status = run_step(task, measured, false, &middle, &end, error);
    start = ag_seconds();
    if (status == AG_OK)
        status = run_step(task, measured, false, &middle, &end, error);
    if (status != AG_OK)
        return status;
    tape_rows rows;
    status = tape_rows_read(&rows, measured, values, &options, error);
    rows.forward = middle - start;
    rows.backward = end - middle;
    if (status == AG_OK) {
        study_add_heading(document, "Where the time and the memory go");
        add_totals(&rows, document);
        status = tape_add_tables(&rows, document, error);
    }
    if (status == AG_OK)
        status = add_picture(&rows, values, document, error);
    free(rows.items);
    return status;
}

ag_status study_tape_step(const nn_model *model, const nn_input *input, const int32_t *targets,
                          const study_step_options *options, study_document *document, ag_error *error)
{
    if (input->rows != 1 && !targets)
        return ag_error_set(error, AG_BAD_VALUE, "a step of %lld examples needs their targets", (long long)input->rows);
    const int threads = options ? options->threads : 0;
    ag_tape *values = ag_tape_new(&(ag_tape_options){.threads = threads});
    ag_tape *measured = ag_tape_new(&(ag_tape_options){.threads = threads, .forgets = true, .measures = true});
    step_task task = {.model = model,
                      .input = input,
                      .targets = targets,
                      .params = model->params,
                      .end = options && options->marks ? options->marks[DATA_EOS] : DATA_EOS,
                      .plain_attention = options && options->plain_attention};
    task.params.grad = ag_numbers_new(model->params.size);
    const ag_status status = values && measured && task.params.grad
                                 ? measure_step(&task, values, measured, document, error)
                                 : ag_error_set(error, AG_NO_MEMORY, "out of memory");
    free(task.params.grad);
    ag_tape_free(values);
    ag_tape_free(measured);
    return status;
}
