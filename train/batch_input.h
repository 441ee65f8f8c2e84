/* batch_input.h - rows of a batch as a model's input, and their loss: what training and
 * evaluation share. */
#ifndef TRAIN_BATCH_INPUT_H
#define TRAIN_BATCH_INPUT_H

#include "data.h"
#include "nn.h"

/* Rows of a batch, cut to the longest among them. The batch or the tape owns the
 * arrays. */
typedef struct train_batch_input {
    nn_input input;
    int64_t length;         /* of the outputs: T, or S of an encoder */
    const int32_t *targets; /* [rows, length], DATA_NONE at positions without a target */
} train_batch_input;

/* Whether the model can use the set's examples: AG_BAD_VALUE if the vocabularies differ
 * in size, or an example is longer than the learned positions. */
ag_status train_set_fits(const nn_model *model, data_set *set, ag_error *error) AG_CHECKED;

/* Rows begin <= i < end of the batch, as this kind of model takes them; copies live on
 * the tape. */
ag_status train_batch_input_make(const nn_model *model, const data_batch *batch, int64_t begin, int64_t end,
                                 ag_tape *tape, train_batch_input *rows, ag_error *error) AG_CHECKED;

/* The sum of the cross-entropies of all targets that are not padding, from the logits
 * [rows, length, V]. NULL, with the tape's error, on failure. */
ag_tensor *train_batch_input_loss(ag_tensor *logits, const train_batch_input *rows, double label_smoothing);

#endif
