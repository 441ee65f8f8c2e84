/* loss.h - the loss of a model on an example, for studies of its backward. */
#ifndef STUDY_LOSS_H
#define STUDY_LOSS_H

#include "nn.h"

/* The mean cross-entropy of logits [rows, length, V]. targets [rows, length] are the
 * right answers, DATA_NONE where there is none. NULL, for one row: each token of the
 * input's target given those before it, with `end` last (DATA_NONE: nothing is wanted after
 * the last token); for a tagger its own answers. NULL, and the tape has the error, on failure. */
ag_tensor *study_loss(const nn_model *model, const nn_input *input, const int32_t *targets, int32_t end,
                      ag_tensor *logits);

#endif
