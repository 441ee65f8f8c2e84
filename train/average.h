/* average.h - the exponential moving average of the weights. */
#ifndef TRAIN_AVERAGE_H
#define TRAIN_AVERAGE_H

#include "autograd.h"

/* average = (sum over updates i <= step of decay^(step - i) value_i) / (sum of the decay^(step - i)), from the average
 * of the update before. `step` counts from 1. */
void train_average_update(real *average, const real *value, int64_t size, double decay, int64_t step, int threads);

#endif
