/* run.h - the state of a training run, and the parts of the training loop.
 *
 * run.c, the loop, is the top. Below it: run_begin.c (set-up and end), run_step.c (one
 * training step), exchange.c (several processes), run_save.c (the files), run_options.c
 * (defaults and ranges).
 */
#ifndef TRAIN_RUN_H
#define TRAIN_RUN_H

#include "checkpoint.h"
#include "folder.h"
#include "log.h"
#include "train.h"

/* What the processes of one run must have in common. */
enum { TRAIN_SAME_LEVEL, TRAIN_SAME_DATA, TRAIN_SAME_MODEL, TRAIN_SAME_OPTIONS, TRAIN_SAME_COUNT };

struct train_loop {
    nn_model *model;
    data_set *training, *dev; /* dev may be NULL */
    train_options options;    /* defaults filled in */
    train_schedule schedule, muon_schedule; /* the second of the matrices of TRAIN_MUON */
    train_optimizer optimizer;
    ag_real *average; /* [params.size] or NULL */
    /* [params.size], zeros between two parts: the gradients of a part after the first.
     * NULL if this process computes one part. */
    ag_real *part_gradient;
    train_state state;
    train_labels labels;
    int64_t batches; /* of an epoch */
    int threads;

    ag_tape *tape;
    data_batch batch;

    char *model_path, *last_path, *checkpoint_path, *log_path; /* NULL: nothing is
                                                                * written */
    train_lock lock;
    train_log log;
    bool warned;  /* the log's last line could not be written, and the caller has been
                   * told */
    bool unsaved; /* the state has changed since the last checkpoint */
    int64_t kept; /* the step of the newest model that this process has kept; 0: none */

    train_progress progress;
    double same[TRAIN_SAME_COUNT]; /* numbers that differ if these things do */
    bool agreed; /* all processes of the run stop after the last update */
    int ended;   /* not 0: how part 1 has ended the run (exchange.h) */

    double started, reported; /* ag_seconds at the loop's start and at the last
                               * report */
    double loss_sum;          /* since the last report, as the next two */
    int64_t loss_count, tokens;
    int64_t first_step; /* of this process */
    ag_error *error;    /* never NULL */
};

/* Fills in the defaults and checks the ranges, except the optimiser's. `earlier`: the
 * options of the run that is resumed after `done` updates, or NULL. */
ag_status train_options_complete(train_options *options, const train_options *given, const train_options *earlier,
                                 int64_t done, const data_set *training, ag_error *error) AG_CHECKED;
/* The schedule of a run with these options, of a model of this width. */
train_schedule train_options_schedule(const train_options *options, int d_model);

/* Prepares everything for the first step of a new or resumed run; train_run_end frees
 * it. */
ag_status train_run_begin(train_loop *loop, const train_options *given) AG_CHECKED;
void train_run_end(train_loop *loop);

/* Update number state.step + 1: forward and backward of a batch, clip, optimiser,
 * average. *loss is the mean per target token, *norm the norm of that mean's gradient
 * before clipping. After an error parameters and counters are as before. */
ag_status train_step(train_loop *loop, double *loss, double *norm) AG_CHECKED;

/* Saves the model that the run evaluates: the average of the weights, if it keeps one.
 * Does nothing if `path` is NULL. */
ag_status train_run_save_model(const train_loop *loop, const char *path) AG_CHECKED;
/* Saves the checkpoint, and last.safetensors before it, unless the newest one has this
 * state. */
ag_status train_run_save_checkpoint(train_loop *loop) AG_CHECKED;
/* To be called after that, at the steps whose models options.keep counts: saves the model
 * under the step's name, and then removes those that are too old. */
ag_status train_run_save_kept(train_loop *loop) AG_CHECKED;
/* The parts of the loop that a checkpoint holds. */
train_checkpoint train_run_checkpoint(train_loop *loop);
/* To be called with the result of each operation on the log. A log that cannot be written
 * does not end the run: its lines wait in memory, and the caller is warned once. */
void train_run_log_done(train_loop *loop, ag_status status, const ag_error *problem);

#endif
