/* padding.c - rows followed by padding, with the padding mask and without it. */
#include "laboratory.h"

#include <math.h>

enum { PADDED = 2 * LABORATORY_CHUNK }; /* rows that are measured */

/* LABORATORY_CHUNK rows of letters, each followed by `padding` padding tokens: [rows,
 * length + padding], on the tape. */
static int32_t *pad_rows(const laboratory *lab, const int32_t *x, int64_t padding)
{
    const int64_t length = lab->options.length, width = length + padding;
    int32_t *padded = ag_tape_alloc(lab->tape, (size_t)(LABORATORY_CHUNK * width) * sizeof *padded);
    for (int64_t row = 0; padded && row < LABORATORY_CHUNK; row++)
        for (int64_t i = 0; i < width; i++)
            padded[row * width + i] = i < length ? x[row * length + i] : DATA_PAD;
    return padded;
}

const ag_tensor *laboratory_logits(const laboratory *lab, const nn_model *model, const int32_t *x, int64_t padding,
                                   bool masked)
{
    const nn_pass pass = {.tape = lab->tape, .params = &model->params};
    int32_t lengths[LABORATORY_CHUNK];
    for (int64_t row = 0; row < LABORATORY_CHUNK; row++)
        lengths[row] = (int32_t)lab->options.length;
    const nn_input input = {.rows = LABORATORY_CHUNK,
                            .source_length = lab->options.length + padding,
                            .source = pad_rows(lab, x, padding),
                            .source_lengths = masked ? lengths : NULL};
    return input.source ? nn_model_apply(model, &pass, &input) : NULL;
}

/* Compares the logits at one position: of the row alone and of the padded row. */
static void compare_logits(const ag_real *bare, const ag_real *padded, int64_t classes, bool masked,
                           laboratory_padded *found)
{
    for (int64_t c = 0; c < classes; c++) {
        found->changed[masked] += bare[c] != padded[c] || signbit(bare[c]) != signbit(padded[c]);
        found->difference[masked] = fmax(found->difference[masked], fabs((double)bare[c] - (double)padded[c]));
    }
}

/* Adds the measurements of a chunk of rows. */
static ag_status add_chunk(laboratory *lab, laboratory_task task, const int32_t *x, int at, bool masked,
                           laboratory_padded *found)
{
    const nn_model *model = lab->taggers[task][LABORATORY_FULL];
    const int64_t length = lab->options.length, classes = model->config.target_vocab,
                  width = length + laboratory_paddings[at];
    int32_t y[LABORATORY_LENGTH];
    int64_t right = 0;
    ag_tape_rewind(lab->tape);
    const ag_tensor *bare = laboratory_logits(lab, model, x, 0, false),
                    *padded = laboratory_logits(lab, model, x, laboratory_paddings[at], masked);
    if (!bare || !padded)
        return laboratory_tape_failed(lab);
    for (int64_t row = 0; row < LABORATORY_CHUNK; row++) {
        laboratory_answer(task, length, x + row * length, y);
        for (int64_t i = 0; i < length; i++) {
            const ag_real *logits = padded->data + (row * width + i) * classes;
            if (laboratory_paddings[at])
                compare_logits(bare->data + (row * length + i) * classes, logits, classes, masked, found);
            right += laboratory_best(logits, classes) == y[i];
        }
    }
    if (masked && laboratory_paddings[at])
        found->compared += LABORATORY_CHUNK * length * classes;
    found->accuracy[masked][at] += (double)right / (double)(PADDED * length);
    return AG_OK;
}

ag_status laboratory_pad(laboratory *lab)
{
    ag_status status = AG_OK;
    for (int task = 0; task < LABORATORY_TASKS; task++)
        for (int at = 0; at < LABORATORY_PADDINGS; at++)
            for (int64_t row = 0; row < PADDED && status == AG_OK; row += LABORATORY_CHUNK) {
                const int32_t *x = lab->unseen + row * lab->options.length;
                laboratory_padded *found = &lab->findings->padded[task];
                status = laboratory_stopped(lab);
                for (int masked = 0; masked <= 1 && status == AG_OK; masked++)
                    status = add_chunk(lab, (laboratory_task)task, x, at, masked, found);
            }
    return status;
}
