/* taggers.c - a tagger for each task and setting: its accuracy by position, and under
 * each of the other masks. */
#include "laboratory.h"
#include "theory.h"

#include <stdio.h>
#include <string.h>

static ag_tensor *tagger_loss(const laboratory *lab, const laboratory_training *training, const nn_pass *pass,
                              const int32_t *x, ag_rng *rng)
{
    (void)rng;
    const int64_t length = lab->options.length;
    int32_t *y = ag_tape_alloc(pass->tape, (size_t)(LABORATORY_ROWS * length) * sizeof *y);
    for (int64_t row = 0; y && row < LABORATORY_ROWS; row++)
        laboratory_answer(training->task, length, x + row * length, y + row * length);
    const ag_mask *mask = laboratory_mask_make(pass->tape, training->mask, length);
    if (!y || !mask)
        return NULL;
    const nn_input input = {.rows = LABORATORY_ROWS, .source_length = length, .source = x, .encoder_mask = mask};
    return ag_cross_entropy(nn_model_apply(training->model, pass, &input), y, &(ag_cross_entropy_options){0});
}

/* Adds to right[i] how many rows of a chunk are answered correctly at position i. */
static ag_status count_right(laboratory *lab, const nn_model *model, laboratory_task task, laboratory_mask mask,
                             const int32_t *x, int64_t *right)
{
    const int64_t length = lab->options.length, classes = model->config.target_vocab;
    const nn_pass pass = {.tape = lab->tape, .params = &model->params};
    int32_t y[LABORATORY_LENGTH];
    ag_tape_rewind(lab->tape);
    const nn_input input = {.rows = LABORATORY_CHUNK,
                            .source_length = length,
                            .source = x,
                            .encoder_mask = laboratory_mask_make(lab->tape, mask, length)};
    const ag_tensor *logits = input.encoder_mask ? nn_model_apply(model, &pass, &input) : NULL;
    if (!logits)
        return laboratory_tape_failed(lab);
    for (int64_t row = 0; row < LABORATORY_CHUNK; row++) {
        laboratory_answer(task, length, x + row * length, y);
        for (int64_t i = 0; i < length; i++)
            right[i] += laboratory_best(logits->data + (row * length + i) * classes, classes) == y[i];
    }
    return AG_OK;
}

/* Fills in accuracy [length] on the unseen examples under a mask. */
static ag_status measure_accuracy(laboratory *lab, const nn_model *model, laboratory_task task, laboratory_mask mask,
                                  double *accuracy)
{
    int64_t right[LABORATORY_LENGTH] = {0};
    ag_status status = laboratory_stopped(lab);
    for (int64_t row = 0; row < LABORATORY_EXAMPLES && status == AG_OK; row += LABORATORY_CHUNK)
        status = count_right(lab, model, task, mask, lab->unseen + row * lab->options.length, right);
    for (int64_t i = 0; i < lab->options.length; i++)
        accuracy[i] = (double)right[i] / LABORATORY_EXAMPLES;
    return status;
}

static ag_status train_tagger(laboratory *lab, laboratory_task task, laboratory_mask setting)
{
    char what[64];
    snprintf(what, sizeof what, "%s, %s", laboratory_task_names[task], laboratory_setting_names[setting]);
    nn_model *model =
        laboratory_model(lab, NN_ENCODER, setting == LABORATORY_ORDERLESS ? NN_NO_POSITIONS : NN_SINUSOIDAL);
    lab->taggers[task][setting] = model;
    if (!model)
        return lab->error->status;
    const laboratory_training training = {
        .what = what, .model = model, .loss = tagger_loss, .task = task, .mask = setting};
    return laboratory_train(lab, &training);
}

/* A block lets through what its mask allows and, by the residual connection, each
 * position itself. It passes on what has reached it, so the layers compose: windows, for
 * example, widen with each layer. */
static ag_status find_reach(laboratory *lab, laboratory_mask kind)
{
    const int64_t length = lab->options.length;
    unsigned char *block = lab->findings->block_reach[kind], *reach = lab->findings->reach[kind];
    const ag_mask *mask = laboratory_mask_make(lab->tape, kind, length);
    if (!mask)
        return laboratory_tape_failed(lab);
    for (int64_t i = 0; i < length; i++)
        for (int64_t j = 0; j < length; j++) {
            block[i * length + j] = i == j || ag_mask_allows(mask, 0, 0, i, j);
            reach[i * length + j] = i == j;
        }
    for (int layer = 0; layer < LABORATORY_LAYERS; layer++) {
        unsigned char before[LABORATORY_LENGTH * LABORATORY_LENGTH];
        memcpy(before, reach, (size_t)(length * length));
        for (int64_t i = 0; i < length; i++)
            for (int64_t k = 0; k < length; k++)
                for (int64_t j = 0; j < length && block[i * length + k]; j++)
                    reach[i * length + j] |= before[k * length + j];
    }
    return AG_OK;
}

/* Finds what each mask lets through, and the accuracy that is possible with it. */
static ag_status find_allowed(laboratory *lab)
{
    laboratory_findings *findings = lab->findings;
    const int64_t length = lab->options.length, letters = lab->options.letters;
    ag_status status = AG_OK;
    ag_tape_rewind(lab->tape);
    for (int mask = 0; mask < LABORATORY_MASKS && status == AG_OK; mask++)
        status = find_reach(lab, (laboratory_mask)mask);
    for (int task = 0; task < LABORATORY_TASKS && status == AG_OK; task++) {
        for (int mask = 0; mask < LABORATORY_MASKS; mask++)
            laboratory_allowed((laboratory_task)task, length, letters, findings->reach[mask],
                               findings->allowed[task][mask]);
        laboratory_allowed_orderless((laboratory_task)task, length, letters,
                                     findings->allowed[task][LABORATORY_ORDERLESS]);
    }
    return status;
}

ag_status laboratory_train_taggers(laboratory *lab)
{
    ag_status status = AG_OK;
    for (int task = 0; task < LABORATORY_TASKS && status == AG_OK; task++)
        for (int setting = 0; setting < LABORATORY_SETTINGS && status == AG_OK; setting++) {
            status = train_tagger(lab, (laboratory_task)task, (laboratory_mask)setting);
            if (status == AG_OK)
                status = measure_accuracy(lab, lab->taggers[task][setting], (laboratory_task)task,
                                          (laboratory_mask)setting, lab->findings->accuracy[task][setting]);
        }
    return status == AG_OK ? find_allowed(lab) : status;
}

ag_status laboratory_measure_grid(laboratory *lab)
{
    double accuracy[LABORATORY_LENGTH];
    ag_status status = AG_OK;
    for (int task = 0; task < LABORATORY_TASKS; task++)
        for (int setting = 0; setting < LABORATORY_SETTINGS; setting++)
            for (int mask = 0; mask < LABORATORY_MASKS && status == AG_OK; mask++) {
                status = measure_accuracy(lab, lab->taggers[task][setting], (laboratory_task)task,
                                          (laboratory_mask)mask, accuracy);
                lab->findings->grid[task][setting][mask] = laboratory_mean(accuracy, lab->options.length);
            }
    return status;
}
