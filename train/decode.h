/* decode.h - evaluates a model's own outputs for the distinct sources of a set. */
#ifndef TRAIN_DECODE_H
#define TRAIN_DECODE_H

#include "train.h"

/* Decodes all sources and sets metrics->exact_match, wer, per, sources and decoded, and
 * the items of evaluation->outcomes; calls evaluation->on_output. */
ag_status train_decode(const nn_ensemble *ensemble, ag_tape *tape, data_set *set, const train_evaluation *evaluation,
                       train_metrics *metrics, ag_error *error) AG_CHECKED;

/* Empties the outcomes and makes room for `count`. */
ag_status train_outcomes_reserve(train_outcomes *outcomes, int64_t count, ag_error *error) AG_CHECKED;

/* The default of train_evaluation.batch. */
#define TRAIN_EVALUATION_BATCH 64

/* The loss of uniform guessing: ln of the number of target tokens. */
double train_chance(const nn_model *model);

/* AG_INTERRUPTED if the caller wants the evaluation to stop. */
ag_status train_evaluation_stopped(const train_evaluation *evaluation, ag_error *error) AG_CHECKED;

#endif
