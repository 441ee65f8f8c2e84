/* run.h - the training loop's own state: what run.c, run_options.c and run_step.c share. */
#ifndef TRAIN_RUN_H
#define TRAIN_RUN_H

#include "checkpoint.h"
#include "folder.h"
#include "log.h"
#include "train.h"

typedef struct train_loop {
    nn_model *model;
    data_set *training, *dev; /* dev may be NULL */
    train_options options;    /* with the defaults filled in */
    train_schedule schedule;
    train_optimizer optimizer;
    ag_real *average; /* [params.size] or NULL */
    train_state state;
    train_labels labels;
    int64_t batches; /* of an epoch */
    int threads;

    ag_tape *tape;
    data_batch batch;

    char *model_path, *last_path, *checkpoint_path, *log_path; /* NULL where nothing is written */
    train_lock lock;
    train_log log;
    bool warned;  /* the log's latest line could not be written, and the caller knows */
    bool unsaved; /* the state has changed since the checkpoint */

    train_progress progress;
    double started, reported; /* seconds of the clock: the loop's start, the last report */
    double loss_sum;          /* since the last report, as are the two below */
    int64_t loss_count, tokens;
    int64_t first_step; /* of this process */
    ag_error *error;    /* never NULL */
} train_loop;

/* Fills in the defaults and checks the ranges, but for the optimiser's; `earlier` are the options of the run that is
 * resumed, or NULL. */
ag_status train_options_complete(train_options *options, const train_options *given, const train_options *earlier,
                                 const data_set *training, ag_error *error) AG_CHECKED;

/* Update number state.step + 1: forward and backward of a batch, clip, optimiser, average. *loss is the mean per target
 * token, *norm the gradient's. On an error parameters and counters are as before. */
ag_status train_step(train_loop *loop, double *loss, double *norm) AG_CHECKED;

#endif
