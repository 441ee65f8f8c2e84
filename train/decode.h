/* decode.h - a model's own outputs for the distinct sources of a set, against their targets. */
#ifndef TRAIN_DECODE_H
#define TRAIN_DECODE_H

#include "train.h"

/* Fills in metrics->exact_match, wer, per, sources and decoded; calls evaluation->on_output. */
ag_status train_decode(const nn_model *model, ag_tape *tape, data_set *set, const train_evaluation *evaluation,
                       train_metrics *metrics, ag_error *error) AG_CHECKED;

/* Rows at once where the caller does not say. */
#define TRAIN_EVALUATION_BATCH 64

/* The loss of guessing every token alike. */
double train_chance(const nn_model *model);

/* AG_INTERRUPTED where a stop was asked for. */
ag_status train_evaluation_stopped(const train_evaluation *evaluation, ag_error *error) AG_CHECKED;

#endif
