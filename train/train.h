/* train.h - the training loop, saved models, checkpoints, progress and logs. It includes
 * optimizer.h and evaluate.h.
 *
 * A whole run:
 *
 *     train_options options = {.steps = 2000, .batch = 64, .rate = 1e-3, .out = "run"};
 *     ag_status status = train_run(model, training, dev, &options, &result, &error);
 *
 * leaves in the folder `out`:
 *
 * - `model.safetensors`: the model of the best evaluation on dev (of the last step if
 *   there is no dev set): weights, configuration, vocabularies. It is what eval, predict
 *   and generate read.
 * - `last.safetensors`: the model at the newest checkpoint; at the end, that of the last
 *   step.
 * - `model-000200.safetensors` ..: with train_options.keep, the models of the last
 *   checkpoints, by the number of their step. An older one is removed once the newest is
 *   whole. Of use for train_average.
 * - `checkpoint.safetensors`: the newest state of the run: weights, optimiser, counters,
 *   best evaluation so far. It is what a resume reads. train_saved_load reads it too, and
 *   finds the model of last.safetensors.
 * - `log.jsonl`: one JSON object per line; see train_run. It is flushed to disk before
 *   each checkpoint, so the log of a run that was killed and resumed differs from that of
 *   an uninterrupted one only in the times. A line that cannot be written waits for the
 *   next, and the run goes on with a warning.
 * - `lock`: present while a run is at work; a second run in the same folder is refused
 *   (flock; on a network file system without locks it is not).
 *
 * The first checkpoint is written before the first step: whenever a run is killed, its
 * folder holds either nothing yet or a run that can be resumed.
 *
 * A run that is stopped at any step and resumed writes the same bytes to all .safetensors
 * files as an uninterrupted one, with any number of threads, at one instruction-set level
 * (ag_level_name).
 *
 * Threads: several runs may go on at once, each in its own thread with its own model,
 * sets and folder; they share the pool of threads (autograd.h). While a model and its
 * sets are in training, only that run may use them. A callback is called by the thread
 * that called train_run. Any number of threads may evaluate and use a loaded model at
 * once, each with its own set and tape.
 */
#ifndef TRAIN_TRAIN_H
#define TRAIN_TRAIN_H

#include "evaluate.h"
#include "optimizer.h"

#include <signal.h>
#include <stdio.h>

AG_HEADER_BEGIN

/* The names of the files above, in the folder of a run. */
#define TRAIN_MODEL_FILE      "model.safetensors"
#define TRAIN_LAST_FILE       "last.safetensors"
#define TRAIN_CHECKPOINT_FILE "checkpoint.safetensors"
#define TRAIN_LOG_FILE        "log.jsonl"

/* ---- Saved models ------------------------------------------------------------------ */

/* A model as it is saved, with its vocabularies; source_vocab is NULL for language
 * models. */
typedef struct train_saved {
    nn_model *model;
    data_vocab *source_vocab, *target_vocab;
    char *task;      /* the synthetic task that the model was trained on, or "" */
    bool tagging;    /* an encoder */
    char *arguments; /* train_options.arguments of its run, or "" */
    char *level;     /* checkpoints: ag_level_name of the process that wrote it; else "" */
} train_saved;

/* Reads a model from a file such as model.safetensors, from a checkpoint, or from a
 * folder's model.safetensors. From a checkpoint it takes the weights that the run
 * evaluates: their average, if the run keeps one. AG_BAD_FILE says what does not fit: a
 * missing or an unexpected tensor, a wrong shape, a vocabulary of another size. The
 * caller clears the result. */
ag_status train_saved_load(train_saved *saved, const char *path, ag_error *error) AG_CHECKED;
/* The same from an open file, as train_weights_open returns it; `path` names it in
 * errors. */
ag_status train_saved_from(train_saved *saved, const data_safetensors *file, const char *path, ag_error *error)
    AG_CHECKED;
/* Writes model.safetensors into a folder, which is made if it does not exist.
 * AG_BAD_VALUE if the folder holds a model or a run; with `overwrite` the new file
 * replaces the old one once it is complete, and the run's other files are removed after
 * that. */
ag_status train_saved_save(const train_saved *saved, const char *folder, bool overwrite, ag_error *error) AG_CHECKED;
/* Frees the model, the vocabularies and the texts, and leaves the struct zeroed. */
void train_saved_clear(train_saved *saved);

/* Saved models that answer as one: nn_ensemble_generate(&ensemble.nn, ..),
 * train_ensemble_evaluate(&ensemble.nn, ..). */
typedef struct train_ensemble {
    nn_ensemble nn;     /* of the models; their names are the paths */
    train_saved *saved; /* [count]; the vocabularies of the first are those of all */
    int count;
    const nn_model **models; /* private */
} train_ensemble;

/* Loads each of the paths [count] as train_saved_load does. AG_BAD_VALUE, with the names
 * of two, if they are not of one kind, or if their source or their target vocabularies
 * differ in a token. The ensemble borrows the paths. The caller clears it; it is empty
 * after an error. */
ag_status train_ensemble_load(train_ensemble *ensemble, const char *const *paths, int count,
                              ag_error *error) AG_CHECKED;
/* Frees the models and leaves the struct zeroed. */
void train_ensemble_clear(train_ensemble *ensemble);

/* A model whose parameters are the means of those of the models at `paths` [count], which
 * train_saved_load reads one after the other: sums and division in double, in the order
 * of the paths. Task and arguments are those of the first. Of use for models of one run,
 * or of runs that went on from one model (Izmailov et al. 2018). AG_BAD_VALUE, with the
 * names of two and what differs, if vocabularies or configurations are not the same;
 * dropout may differ, and that of the first is taken. The caller clears the result. */
ag_status train_average(train_saved *mean, const char *const *paths, int count, ag_error *error) AG_CHECKED;

/* ---- Weights from other programs, and for them ------------------------------------- */

/* The metadata "format" of a model's file, and of a checkpoint. */
#define TRAIN_FORMAT_MODEL      "tapeformer model"
#define TRAIN_FORMAT_CHECKPOINT "tapeformer checkpoint"
/* Opens a file of weights: a .safetensors file, the index of a sharded one, or a folder's
 * model.safetensors or model.safetensors.index.json. The caller closes the file; NULL
 * with the error. */
data_safetensors *train_weights_open(const char *path, ag_error *error);

/* The names and the layout of a model's tensors in a file (docs/import-export.md). */
typedef enum train_layout {
    TRAIN_LAYOUT_PYTORCH = 0, /* those of PyTorch's modules of the same kinds, as in
                               * model.safetensors */
    TRAIN_LAYOUT_GPT2         /* those of GPT-2's checkpoints: "transformer.h.0.attn.c_attn.weight" .. */
} train_layout;

/* Options of train_import, for what the file does not say. */
typedef struct train_import_options {
    train_layout layout; /* of the file */
    /* The configuration. Sizes that are 0 are read from the tensors (d_model, layers,
     * ffn; max_length for learned positions), and those of the vocabularies always are;
     * `heads` must be given, since no tensor shows it. The layout of GPT-2 implies all
     * but heads and dropout. NULL: the configuration in the file's metadata, as in
     * model.safetensors. */
    const nn_model_config *config;
    /* Copied. NULL: those in the metadata, or else the words "4", "5" .. for tokens 4, 5
     * .. after the marks; with the layout of GPT-2 "0", "1" .. and no marks. */
    const data_vocab *source_vocab, *target_vocab;
    const char *task, *arguments; /* NULL: those in the metadata, or "" */
    /* A prefix of names ("module.") to remove. NULL: prefixes are found and removed if
     * each parameter then has its tensor. */
    const char *strip;
    void (*on_strip)(void *context, const char *prefix); /* called with each prefix found;
                                                          * may be NULL */
    void *context;                                       /* of on_strip */
} train_import_options;

/* Reads a model from what train_weights_open opens. The weights are F64, F32, F16 or
 * BF16, and each must be finite. AG_BAD_FILE says what does not fit: a missing or an
 * unexpected tensor, a wrong shape, a vocabulary of another size. The caller clears the
 * result. */
ag_status train_import(train_saved *saved, const char *path, const train_import_options *options,
                       ag_error *error) AG_CHECKED;
/* Writes a model's parameters alone, with the metadata "format": "pt". AG_BAD_VALUE if
 * the layout has no place for such a model. Exported and imported again, every weight has
 * the same bits. */
ag_status train_export(const nn_model *model, train_layout layout, const char *path, ag_error *error) AG_CHECKED;

/* ---- The training loop ------------------------------------------------------------- */

/* A report of a run. */
typedef struct train_progress {
    int64_t step, steps; /* updates done, and those of the whole run */
    int64_t epoch;
    double loss; /* mean over the steps since the last report, in nats per target token */
    double rate, gradient_norm; /* of this step; the norm before clipping */
    double tokens_per_second, seconds, seconds_left; /* target tokens; of this process */
    /* Processor time of all threads in the updates of this process so far, without
     * evaluations and files. */
    double processor_seconds;
    const train_metrics *dev; /* the report is of an evaluation; else NULL */
    bool best;                /* the evaluation is the best so far, and better than
                               * guessing */
    const char *warning;      /* not NULL: not a report, but what went wrong while the run
                               * goes on */
} train_progress;

/* Which evaluation on dev is the best; its model becomes model.safetensors. Of
 * evaluations without decoding, as of all language models, it is the one with the lowest
 * loss. */
typedef enum train_best_by {
    /* The most exact matches, or the lowest loss if chance explains the difference in
     * matches. Chance (McNemar 1947): let n = min(right, wrong), counted over both
     * evaluations. At most n outputs are right in one and wrong in the other, and each
     * falls on either side with equal probability, so a difference of sqrt(n) or less
     * says nothing. On a hard task one more right output is luck; the loss, a mean over
     * all tokens, is not. */
    TRAIN_BEST_EXACT = 0,
    TRAIN_BEST_LOSS, /* the lowest loss */
    TRAIN_BEST_WER   /* the lowest word error rate, however small the difference; then the
                      * lowest loss */
} train_best_by;

/* Whether the model is no better than guessing: the loss is not below `chance`. */
bool train_metrics_guess(const train_metrics *metrics);
/* Whether evaluation a is better than b, both of one model on one set. */
bool train_metrics_better(const train_metrics *a, const train_metrics *b, train_best_by by);

/* Defaults of train_options, and of the command. */
#define TRAIN_DEFAULT_BATCH            64
/* The length of a run that gives neither steps nor epochs: 30 passes over the training
 * set, but at least 2000 steps, with which a model learns something, and at most 20000,
 * which take hours. */
#define TRAIN_DEFAULT_PASSES           30
#define TRAIN_DEFAULT_STEPS_LEAST      2000
#define TRAIN_DEFAULT_STEPS_MOST       20000
#define TRAIN_DEFAULT_RATE             0.001 /* of Adam and AdamW */
#define TRAIN_DEFAULT_RATE_SGD         0.3
#define TRAIN_DEFAULT_RATE_NOAM        1 /* a factor, for any optimiser */
#define TRAIN_DEFAULT_RATE_MUON        0.02 /* of the matrices of Muon */
#define TRAIN_DEFAULT_RATE_MUON_NOAM   7
#define TRAIN_DEFAULT_MOMENTUM_MUON    0.95
/* The warm-up takes 1/20 of the steps; with Noam's schedule 1/3, since a longer warm-up
 * lowers its highest rate; and 4000 steps at most. */
#define TRAIN_DEFAULT_WARMUP_PART      20
#define TRAIN_DEFAULT_WARMUP_PART_NOAM 3
#define TRAIN_DEFAULT_WARMUP_MOST      4000
#define TRAIN_DEFAULT_FLOOR            0.05 /* of the cosine; lines end at 0 (Defazio et al. 2023) */
#define TRAIN_DEFAULT_DECAY            0.4
#define TRAIN_DEFAULT_WEIGHT_DECAY     0.01 /* of AdamW and Muon; the others add it to the gradient: 0 */
#define TRAIN_DEFAULT_BETA1            0.9
#define TRAIN_DEFAULT_BETA2            0.98
#define TRAIN_DEFAULT_CLIP             1
#define TRAIN_DEFAULT_EVALUATIONS      10 /* of a run */
#define TRAIN_DEFAULT_EVALUATE_SOURCES 500

/* The default warm-up of a run of this many steps. */
int64_t train_default_warmup(train_schedule_kind schedule, int64_t steps);

/* Options of train_run. Zero means the default in brackets; in a resume, the value that
 * the run has had so far. train/options.c has the range of each. */
typedef struct train_options {
    /* Updates. [those of `epochs`; without epochs TRAIN_DEFAULT_PASSES over the training
     * set, within TRAIN_DEFAULT_STEPS_LEAST and TRAIN_DEFAULT_STEPS_MOST] */
    int64_t steps;
    int64_t epochs; /* passes over the training set, where steps is 0 */
    int64_t batch;  /* rows per update [TRAIN_DEFAULT_BATCH] */
    /* The batch goes through the model in this many parts, one after the other: part i of
     * n, from 0, is rows [rows i / n] to [rows (i + 1) / n]. That takes less memory for
     * the step, and, above 1, a second vector of gradients: each part's begins at zero
     * and is added to the sum of those before it. The result is that of the whole batch,
     * except that each part draws its own dropout masks. [1] */
    int64_t accumulate;
    /* The part that this process computes, from 1; 0: all of them. Above 0 it needs
     * `exchange`: see "A run in several processes" below. */
    int64_t part;
    train_optimizer_config optimizer; /* [AdamW]; weight_decay -1: none */
    train_schedule_kind schedule;     /* [TRAIN_COSINE] */
    /* The highest learning rate; with TRAIN_NOAM the factor. [TRAIN_DEFAULT_RATE; SGD:
     * TRAIN_DEFAULT_RATE_SGD; TRAIN_NOAM: TRAIN_DEFAULT_RATE_NOAM] */
    double rate;
    /* The highest rate of the matrices of TRAIN_MUON, on the same schedule.
     * [TRAIN_DEFAULT_RATE_MUON; TRAIN_NOAM: TRAIN_DEFAULT_RATE_MUON_NOAM] */
    double muon_rate;
    int64_t warmup;         /* steps [train_default_warmup]; -1: none */
    /* Schedules with an end end at rate * floor [COSINE: TRAIN_DEFAULT_FLOOR; LINEAR and
     * WSD: 0]; -1: at 0. */
    double floor;
    double decay;           /* TRAIN_WSD: share of the steps in which the rate falls [TRAIN_DEFAULT_DECAY] */
    double clip;            /* largest norm of all gradients [TRAIN_DEFAULT_CLIP]; -1: no limit */
    double label_smoothing; /* share of a target's probability spread over all tokens [0] */
    /* Above 0: evaluates and saves, instead of the weights, their exponential moving
     * average with this decay (such as 0.999). [0] */
    double average;
    uint64_t seed;            /* of dropout and the order of the batches */
    int threads;              /* [all] */
    ag_matmul_numbers matmul; /* of the updates; evaluations use AG_MATMUL_REAL */
    /* Steps between evaluations on dev; the last step is always evaluated.
     * [steps / TRAIN_DEFAULT_EVALUATIONS, at least 1] */
    int64_t evaluate_every;
    int64_t evaluate_sources; /* most dev sources to decode [TRAIN_DEFAULT_EVALUATE_SOURCES] */
    train_best_by best_by;    /* [TRAIN_BEST_EXACT] */
    int64_t patience;         /* evaluations without a better one that end the run; 0: none */
    int64_t report_every;     /* steps between reports [1] */
    int64_t save_every;       /* steps between checkpoints [as evaluate_every] */
    /* Above 0: keeps the models of the last `keep` checkpoints that save_every makes, and
     * that of the run's end, as model-NNNNNN.safetensors. [0: keeps no more] */
    int64_t keep;
    const char *out;          /* the folder, made if missing; NULL: the run writes nothing */
    bool resume;              /* go on from out/checkpoint.safetensors */
    /* Begin even if `out` holds a run or a model, which this run then replaces. The old
     * files stay until the new ones are whole, the old model until the first
     * evaluation. */
    bool overwrite;
    const data_vocab *source_vocab, *target_vocab; /* saved with the model [the sets' own] */
    const char *task;                              /* saved with the model; may be NULL */
    /* Saved with the checkpoint: whatever the caller needs to set up the run again. May
     * be NULL. */
    const char *arguments;
    /* Not 0: the run finishes its step, saves and returns AG_INTERRUPTED. */
    const volatile sig_atomic_t *stop;
    int64_t stop_at; /* the same after this step, or at once if it has passed; 0: never */
    /* Called at each report; may be NULL. */
    void (*on_progress)(void *context, const train_progress *progress);
    train_on_input *on_input; /* of the updates, not of evaluations; NULL: not wanted */
    /* Replaces gradients [count] and sums [sum_count] by their sums over all processes:
     * see below. NULL where `part` is 0. */
    ag_status (*exchange)(void *context, ag_real *gradients, int64_t count, double *sums, int64_t sum_count);
    void *context; /* of on_progress, on_input and exchange */
} train_options;

/* A run in several processes, or threads, or machines. Process i of n calls train_run
 * with part = i, from 1 to n, accumulate = n, and an `exchange`; model, sets and other
 * options are the same in all, and so is the folder in a resume. Then the run does what
 * one process with accumulate = n does, and gives the same bytes: parameters, files, log.
 *
 * exchange: train_run calls it once in each update, after the backward and before the
 * norm, the clip and the update, on the thread that called train_run, with `context`, the
 * gradients of the process's part [params->size], and some sums (loss, targets, whether
 * to stop). It waits for the others and then replaces each number by
 *
 *     ((x_1 + x_2) + x_3) + ..
 *
 * where x_i is that of part i, added in this order and in the number's own type: only
 * then are all results equal to the last bit. count and sum_count are the same in all
 * calls of all processes. A result other than AG_OK ends train_run before the update,
 * with this status and a sentence that names the step.
 *
 * Part 1 evaluates on dev, writes the files (the others read the checkpoint in a resume,
 * and nothing else in `out`) and holds the lock; the others wait in their next exchange
 * meanwhile. All call on_progress for each step, part 1 alone for evaluations, and their
 * train_result has `best` in part 1 alone.
 *
 * Ends: where part 1 stops before an update (`stop`, `stop_at`, an evaluation that `stop`
 * interrupted, patience), it saves, then takes part in one more exchange, whose update
 * none of them makes; all return the same status. `stop` in another process takes effect
 * in all after the update that it is in. An error is known to the process alone that
 * returns it: its program must make the exchange of the others fail, or end them. The
 * files are then those of the last checkpoint. If the norm of the gradients is not
 * finite, processes whose own part is in order call exchange again and wait for the error
 * of the one whose part is not.
 *
 * AG_BAD_VALUE if the processes differ in training set, parameters, options on which the
 * numbers depend or instruction-set level, or are not as many as there are parts: the
 * first exchange shows it. */

/* The end of a run. */
typedef struct train_result {
    int64_t steps; /* updates done in the whole run */
    bool stopped_early;
    train_metrics best; /* on dev; if it is no better than guessing, the run has learnt
                         * nothing */
    int64_t best_step;
} train_result;

/* Trains `model` in place. The model may be new (nn_model_new) or trained, here or
 * elsewhere (train_saved_load, train_import): the run begins with the parameters that it
 * has, so with sets made with its vocabularies (data_set_options) this is also
 * fine-tuning. The gradients are zeroed first and are zero after each step; on_progress
 * must leave them so. Dropout belongs to the model's configuration: for another rate make
 * a new model of the changed configuration and copy params.value [params.size].
 *
 * Errors: AG_BAD_VALUE for options, sets or folders that do not fit; AG_IO; AG_NO_MEMORY;
 * AG_INTERRUPTED after a stop. A loss or gradient that is not finite ends the run with
 * AG_NOT_FINITE and the name of the operation that made it; the files stay those of the
 * last good checkpoint. A failed exchange ends it with the status of that.
 *
 * A resume may change steps (or epochs), evaluate_every, patience, report_every,
 * save_every, keep and threads, and nothing else on which the numbers depend:
 * AG_BAD_VALUE names what differs. It cannot make the steps fewer. It can make them more
 * only as long as no update has depended on the length of the run
 * (train_schedule_decay_begin), since the rate would jump: begin a new run with the model
 * instead.
 *
 * log.jsonl gets a line per report, {"step", "epoch", "loss", "rate", "gradient_norm",
 * "tokens_per_second", "seconds", "processor_seconds"}, and per evaluation, {"step",
 * "dev_loss", "dev_token_accuracy", "dev_exact_match", "dev_wer", "dev_per", "best"}. A
 * number that is not finite is null, and KEY_is names it (data_json_put_number). A resume
 * cuts off the lines logged after the checkpoint. */
ag_status train_run(nn_model *model, data_set *training, data_set *dev, const train_options *options,
                    train_result *result, ag_error *error) AG_CHECKED;

/* A run step by step, for programs that do other things between the steps. */
typedef struct train_loop train_loop;
/* Begins a run, which the caller frees; NULL with the error of train_run. `training` and
 * `model` must live as long as the run, and nothing else may change the model's
 * parameters. It evaluates and writes nothing, so `out`, `part` and `stop` must not be
 * set; with the same options its updates are those of train_run, bit for bit. After
 * `steps` it may go on, with the schedule's last rate. */
train_loop *train_loop_new(nn_model *model, data_set *training, const train_options *options, ag_error *error);
/* Does one update and calls on_progress as train_run does. After an error parameters and
 * counters are as before, and the step can be tried again. */
ag_status train_loop_step(train_loop *loop, ag_error *error) AG_CHECKED;
/* Frees the run. NULL is allowed. */
void train_loop_free(train_loop *loop);

/* Whether train_run or train_saved_save could write into this folder, so that a refusal
 * comes before the data are read: AG_BAD_VALUE if it holds a run or a model; with
 * `overwrite`, which allows that (as for a resume), AG_IO if another run is at work
 * there; AG_IO if the folder cannot be made or written to (data_folder_check). Changes
 * nothing. */
ag_status train_folder_check(const char *folder, bool overwrite, ag_error *error) AG_CHECKED;

/* Reads what a caller needs to set up the run in the folder `out` again and resume it:
 * the model at the checkpoint, its vocabularies (for the sets: data_set_options), its
 * task and `arguments`. The caller clears the result. */
ag_status train_checkpoint_read(train_saved *saved, const char *out, ag_error *error) AG_CHECKED;
/* Reads the options of that run on which its numbers depend, with the defaults that it
 * took: what a resume goes on with. The other options are zero. */
ag_status train_checkpoint_options(train_options *options, const char *out, ag_error *error) AG_CHECKED;

/* The updates of a whole new run of these options on the set: `steps`, or those of
 * `epochs`, or the default; -1 for epochs that are too many to count. */
int64_t train_run_steps(const train_options *options, const data_set *training);

/* Writes a report as one line without line end, of at most `size` bytes with the final
 * zero, and returns text: "step 1200/2000 epoch 3 loss 0.0123 rate 8.1e-04 41.2k tokens/s
 * 0:21 left", or the result of an evaluation. */
char *train_progress_line(const train_progress *progress, char *text, size_t size);
/* The same of work that is counted: "12345 lines  2.1k lines/s". */
char *train_count_line(int64_t done, const char *unit, double seconds, char *text, size_t size);

/* ---- Logs -------------------------------------------------------------------------- */

/* The values of one name in a log. */
typedef struct train_series {
    char *name;             /* "dev_loss" */
    int64_t count;          /* above 0 */
    double *steps, *values; /* [count]; steps never decrease; true is 1 and false 0 */
} train_series;

/* The content of a log, name by name. */
typedef struct train_history {
    train_series *items; /* [count], in the order in which the log names them, without "step" */
    int count;
} train_history;

/* Reads a log, or a folder's log.jsonl, also while its run is going on. A last line that
 * was cut off with its run is ignored; any other damage is AG_BAD_FILE with the line's
 * number. The history is empty if the log is, and after an error. The caller clears
 * it. */
ag_status train_history_read(train_history *history, const char *path, ag_error *error) AG_CHECKED;
/* Frees the series and leaves the struct zeroed. */
void train_history_clear(train_history *history);
/* The series of that name, which the history owns; NULL if there is none. */
const train_series *train_history_find(const train_history *history, const char *name);

AG_HEADER_END
#endif
