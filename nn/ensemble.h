/* ensemble.h - the mean of several models' probabilities, row by row. Internal to nn/. */
#ifndef NN_ENSEMBLE_H
#define NN_ENSEMBLE_H

#include "nn.h"

/* Sets *error to an error of model i and returns its status. The message of one of
 * several models begins with its name. */
ag_status ensemble_error(const nn_ensemble *ensemble, int i, const ag_error *own, ag_error *error) AG_CHECKED;

/* The logits of all models for the same rows, and what is computed of one row. */
typedef struct ensemble_logits {
    int count;            /* models */
    int64_t classes;      /* V */
    const ag_real **each; /* [count]: the rows of model i, each [V] */
    double *log_sums;     /* [count]: log sum_c e^each[i][c] of the row */
} ensemble_logits;

/* Sets log_sums for the row at each[i] + at. Returns the first model of which it is not
 * finite, and `count` if there is none. */
int ensemble_log_sums(const ensemble_logits *logits, int64_t at);
/* mean [V] = the ensemble's logits (see nn_ensemble) of the row of the last
 * ensemble_log_sums, which were finite. */
void ensemble_mean(const ensemble_logits *logits, int64_t at, ag_real *mean);

#endif
