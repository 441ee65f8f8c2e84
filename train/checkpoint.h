/* checkpoint.h - the whole state of a run as a .safetensors file. */
#ifndef TRAIN_CHECKPOINT_H
#define TRAIN_CHECKPOINT_H

#include "saved.h"
#include "train.h"

/* The counters of a run. */
typedef struct train_state {
    int64_t step;           /* updates done */
    int64_t evaluated;      /* the step of the latest evaluation */
    int64_t best_step;      /* the step of the best one; 0: there was none */
    int64_t worse;          /* evaluations since then */
    uint64_t training, dev; /* fingerprints of the sets, to know them again; dev 0: there is none */
    train_metrics best;
} train_state;

/* Everything that a checkpoint holds. `options` has all its defaults filled in. */
typedef struct train_checkpoint {
    nn_model *model;
    train_optimizer *optimizer;
    ag_real *average; /* [params.size], or NULL where the run keeps none */
    train_state *state;
    const train_options *options;
    train_labels labels;
} train_checkpoint;

/* The bytes depend on what is saved alone. */
ag_status train_checkpoint_save(const train_checkpoint *checkpoint, const char *path, ag_error *error) AG_CHECKED;

/* Reads the run's options, the defaults of a resume, and how many updates it has done. */
ag_status train_checkpoint_plan(train_options *plan, int64_t *step, const data_safetensors *file, const char *path,
                                ag_error *error) AG_CHECKED;

/* Gives each option that is zero the value that it had in the run so far, `earlier`. */
void train_checkpoint_take(train_options *options, const train_options *earlier);

/* Reads the state into the parts of `checkpoint`, after checking that the file is of the
 * same run: configuration, vocabularies, the options on which the numbers depend. Nothing
 * is changed where something does not agree. */
ag_status train_checkpoint_load(train_checkpoint *checkpoint, const data_safetensors *file, const char *path,
                                ag_error *error) AG_CHECKED;

#endif
