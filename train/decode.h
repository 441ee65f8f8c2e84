/* decode.h - evaluates a model's own outputs for the distinct sources of a set. */
#ifndef TRAIN_DECODE_H
#define TRAIN_DECODE_H

#include "train.h"

/* Decodes all sources and sets metrics->exact_match, wer, per, sources and decoded, the
 * items of evaluation->outcomes, evaluation->tags and calibration except its temperature,
 * and with evaluation->scores metrics->chrf and bleu; calls evaluation->on_output. */
ag_status train_decode(const nn_ensemble *ensemble, ag_tape *tape, data_set *set, const train_evaluation *evaluation,
                       train_metrics *metrics, ag_error *error) AG_CHECKED;

/* The kind of what train_metrics.per counts, if the evaluation decodes, or of the tokens
 * of the loss. */
data_token_kind train_counted_kind(const data_vocab *vocab, bool decodes);

/* Empties the outcomes and makes room for `count`. */
ag_status train_outcomes_reserve(train_outcomes *outcomes, int64_t count, ag_error *error) AG_CHECKED;

/* Empties the tags and makes an item for each token of the vocabulary. */
ag_status train_tags_begin(train_tags *tags, const data_vocab *vocab, ag_error *error) AG_CHECKED;
/* Counts the tags of one output [length] against its target's; a target below 0 is a tag
 * that is not in the vocabulary. */
void train_tags_add(train_tags *tags, const int32_t *output, const int32_t *target, int64_t length);
/* Drops the tags that never came, computes the others' figures, and sorts them. */
void train_tags_end(train_tags *tags);

/* The default of train_evaluation.batch. */
#define TRAIN_EVALUATION_BATCH 64

/* The loss of uniform guessing: ln of the number of target tokens. */
double train_chance(const nn_model *model);

/* AG_INTERRUPTED if the caller wants the evaluation to stop. */
ag_status train_evaluation_stopped(const train_evaluation *evaluation, ag_error *error) AG_CHECKED;

#endif
