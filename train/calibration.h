/* calibration.h - the sums of train_calibration. Internal to train/. */
#ifndef TRAIN_CALIBRATION_H
#define TRAIN_CALIBRATION_H

#include "train.h"

/* Adds an answer of a probability in [0, 1], or a little above 1 by rounding. */
void train_calibration_add(train_calibration *calibration, double probability, bool right);
/* To be called after the last answer: computes the means of the bins, and the error. */
void train_calibration_end(train_calibration *calibration);

/* Temperatures whose slopes are summed: from 8 to 1/8, four to an octave. */
enum { TRAIN_TEMPERATURES_PER_OCTAVE = 4, TRAIN_TEMPERATURES = 6 * TRAIN_TEMPERATURES_PER_OCTAVE + 1 };

/* The slopes of the summed loss by the inverse temperature. A zeroed struct is empty. */
typedef struct train_temperature_sums {
    double slopes[TRAIN_TEMPERATURES];
} train_temperature_sums;

/* Adds a target token and the logits [classes] before it. */
void train_temperature_add(train_temperature_sums *sums, const ag_real *logits, int64_t classes, int32_t target);
/* The temperature of the lowest loss, within 8 and 1/8, to about 1 %. Sets *at_end if the
 * loss falls up to that end of the range. */
double train_temperature_find(const train_temperature_sums *sums, bool *at_end);

#endif
