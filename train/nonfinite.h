/* nonfinite.h - where a number that is not finite came from. */
#ifndef TRAIN_NONFINITE_H
#define TRAIN_NONFINITE_H

#include "nn.h"

/* AG_NOT_FINITE with the name of the first parameter whose value is NaN or infinite; AG_OK where all are finite. */
ag_status train_parameters_finite(const nn_params *params, int64_t step, ag_error *error) AG_CHECKED;

/* The loss of `step` is not finite: AG_NOT_FINITE with the operation on the tape that made it. */
ag_status train_loss_not_finite(ag_tape *tape, double loss, int64_t step, ag_error *error) AG_CHECKED;

#endif
