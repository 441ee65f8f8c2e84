/* nonfinite.h - where a number that is not finite came from. */
#ifndef TRAIN_NONFINITE_H
#define TRAIN_NONFINITE_H

#include "nn.h"

/* AG_NOT_FINITE, naming the first parameter with a NaN or an infinity; AG_OK if there is
 * none. */
ag_status train_parameters_finite(const nn_params *params, int64_t step, ag_error *error) AG_CHECKED;

/* AG_NOT_FINITE for the loss of `step`, naming the operation on the tape that made it. */
ag_status train_loss_not_finite(ag_tape *tape, double loss, int64_t step, ag_error *error) AG_CHECKED;

#endif
