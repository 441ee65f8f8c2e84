/* batch_input.h - a run of a batch's rows as a model's input, and its loss: what training and evaluation share. */
#ifndef TRAIN_PART_H
#define TRAIN_PART_H

#include "data.h"
#include "nn.h"

/* Rows of a batch, padded to the longest among them. Arrays belong to the batch or the tape. */
typedef struct train_part {
    nn_input input;
    int64_t length;         /* of the outputs: T, or S of an encoder */
    const int32_t *targets; /* [rows, length], DATA_PAD where nothing is asked */
} train_part;

/* Whether the set's examples can be the model's: vocabularies, and lengths where positions are learned. */
ag_status train_set_fits(const nn_model *model, data_set *set, ag_error *error) AG_CHECKED;

/* Rows begin <= i < end of the batch for this kind of model; what must be copied lives on the tape. */
ag_status train_part_make(const nn_model *model, const data_batch *batch, int64_t begin, int64_t end, ag_tape *tape,
                          train_part *part, ag_error *error) AG_CHECKED;

/* The sum of the cross-entropies of all targets that are not padding; *logits (may be NULL) receives [rows, length, V].
 */
ag_tensor *train_part_loss(const nn_model *model, const nn_pass *pass, const train_part *part, double label_smoothing,
                           ag_tensor **logits);

#endif
