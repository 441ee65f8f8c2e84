/* laboratory.h - the laboratory of masks: its experiments, and the models that they
 * train.
 *
 * Small models learn tasks on sequences of letters, all independent and equally likely.
 * It is known which letters each task needs. So the accuracy that a mask allows can be
 * computed, and the measured accuracy is shown beside it.
 *
 * laboratory_run does all experiments. findings.h has what they find, claims.c says in
 * sentences what was expected and whether it came true, write.c makes the document.
 */
#ifndef STUDY_LABORATORY_H
#define STUDY_LABORATORY_H

#include "findings.h"

#define LABORATORY_CHUNK 256 /* unseen examples that are measured at once */

/* Does all experiments and claims. NULL error is allowed. */
ag_status laboratory_run(const study_laboratory_options *options, laboratory_findings *findings,
                         ag_error *error) AG_CHECKED;

typedef struct laboratory {
    study_laboratory_options options; /* with the defaults filled in */
    laboratory_findings *findings;
    ag_error *error;
    ag_tape *tape;   /* without gradients, except during a training */
    int32_t *unseen; /* [LABORATORY_EXAMPLES, length] */
    nn_model *taggers[LABORATORY_TASKS][LABORATORY_SETTINGS];
    int64_t steps_done, steps_all; /* of all trainings together */
} laboratory;

/* The experiments in their order; each fills in its part of the findings. The later ones
 * use the taggers that the first has trained. */
ag_status laboratory_train_taggers(laboratory *lab) AG_CHECKED;
ag_status laboratory_measure_grid(laboratory *lab) AG_CHECKED;
ag_status laboratory_find_leak(laboratory *lab) AG_CHECKED;
ag_status laboratory_permute(laboratory *lab) AG_CHECKED;
ag_status laboratory_pad(laboratory *lab) AG_CHECKED;

/* ---- Training ---------------------------------------------------------------------- */

/* A training: steps of LABORATORY_ROWS rows, on the same batches for every model. */
typedef struct laboratory_training {
    const char *what; /* for the progress: "reverse, causal" */
    nn_model *model;
    /* Returns the mean loss of the batch of letters x. `rng` continues the stream that
     * they were drawn from. NULL with the tape's error. */
    ag_tensor *(*loss)(const laboratory *lab, const struct laboratory_training *training, const nn_pass *pass,
                       const int32_t *x, ag_rng *rng);
    laboratory_task task; /* of a tagger */
    laboratory_mask mask; /* of a tagger */
    bool leaking;         /* of an encoder-decoder */
    double *curve;        /* [LABORATORY_POINTS] mean losses of stretches of steps; NULL: not wanted */
} laboratory_training;

/* Makes a model of the laboratory's size, to be trained. NULL with the error. */
nn_model *laboratory_model(const laboratory *lab, nn_model_kind kind, nn_position_kind positions);
ag_status laboratory_train(laboratory *lab, const laboratory_training *training) AG_CHECKED;

/* ---- Measuring --------------------------------------------------------------------- */

/* AG_INTERRUPTED if the caller of the laboratory wants to stop. */
ag_status laboratory_stopped(const laboratory *lab) AG_CHECKED;
/* Notes the tape's error as the laboratory's, and returns its status. */
ag_status laboratory_tape_failed(const laboratory *lab) AG_CHECKED;
/* The logits [LABORATORY_CHUNK, length + padding, V] of letters x, each row followed by
 * `padding` padding tokens, with the padding mask or without. NULL with the tape's
 * error. */
const ag_tensor *laboratory_logits(const laboratory *lab, const nn_model *model, const int32_t *x, int64_t padding,
                                   bool masked);
/* The index of the largest of `classes` logits. */
int32_t laboratory_best(const ag_real *logits, int64_t classes);

#endif
