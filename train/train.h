/* train.h - optimisers, schedules, metrics, the training loop, checkpoints, progress and
 * logs.
 *
 * A whole run:
 *
 *     train_options options = {.steps = 2000, .batch = 64, .rate = 1e-3, .out = "run"};
 *     ag_status status = train_run(model, training_set, dev_set, &options, &result, &error);
 *
 * leaves in the folder `out`:
 *
 * - `model.safetensors`: the model that was best on dev (the last one where there is no
 *   dev set): weights, configuration, vocabularies. What eval, predict and generate read.
 * - `last.safetensors`: the model at the newest checkpoint, so at the end that of the
 *   last step.
 * - `checkpoint.safetensors`: the newest state of the run: weights, optimiser, counters,
 *   best so far. What a resume reads. train_saved_load reads it too, and finds the model
 *   of last.safetensors.
 * - `log.jsonl`: one JSON object per line; see train_run. It is on the disk before each
 *   checkpoint: the lines of a run that was killed and resumed differ from those of one
 *   never stopped in the times alone. A line that cannot be written waits for the next,
 *   and the run goes on with a warning.
 * - `lock`: there while a run is at work; a second run in the same folder is refused
 *   (flock; some network file systems have no locks, and then it is not).
 *
 * A checkpoint is there before the first step: whenever a run is killed, its folder holds
 * nothing yet, or a run that can be resumed.
 *
 * A run stopped at any step and resumed gives the same bytes in all .safetensors files as
 * one never stopped, at any number of threads, at one instruction-set level
 * (ag_level_name).
 *
 * Threads: several runs may go on at once, each in a thread of its own with its own
 * model, sets and folder; they share the pool of threads (autograd.h). A model that is
 * trained is used by its run alone, and so are its sets; a callback is called by the
 * thread that called train_run. A saved model that was loaded may be evaluated and used
 * by any number of threads at once, each with its own set and tape.
 */
#ifndef TRAIN_TRAIN_H
#define TRAIN_TRAIN_H

#include "autograd.h"
#include "data.h"
#include "nn.h"

#include <signal.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif
#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif

/* The names of the files above, in the folder of a run. */
#define TRAIN_MODEL_FILE      "model.safetensors"
#define TRAIN_LAST_FILE       "last.safetensors"
#define TRAIN_CHECKPOINT_FILE "checkpoint.safetensors"
#define TRAIN_LOG_FILE        "log.jsonl"

/* ---- Optimisers ----------------------------------------------------------------------------- */

/* How gradients change the parameters. */
typedef enum train_optimizer_kind {
    TRAIN_ADAMW = 0, /* Loshchilov and Hutter 2019, algorithm 2: decay apart from the gradient */
    TRAIN_ADAM,      /* Kingma and Ba 2015, algorithm 1; weight_decay is added to the gradient */
    TRAIN_SGD /* with momentum (Sutskever et al. 2013) and Nesterov's form; weight_decay is added to the gradient */
} train_optimizer_kind;

/* An optimiser and its numbers. Zero means the default, or nothing of the kind. */
typedef struct train_optimizer_config {
    train_optimizer_kind kind;
    double beta1, beta2; /* Adam's; 0: 0.9 and 0.98 */
    double epsilon;      /* Adam's, at least 1e-15 (where ag_real is double, 1e-150); 0: 1e-8 */
    double weight_decay; /* only on parameters with `decay` (no biases, no norms) */
    double momentum;     /* SGD's */
    bool nesterov;
} train_optimizer_config;

/* The state: `first` (Adam's mean, SGD's velocity) and `second` (Adam's uncentred variance), flat vectors beside the
 * parameters. */
typedef struct train_optimizer {
    train_optimizer_config config;
    int64_t size;
    ag_update_range *ranges; /* [params->count], of the parameters in the vectors */
    ag_real *first, *second; /* NULL where the kind has none */
    uint64_t step;           /* updates done */
} train_optimizer;

/* A state of zeros for all parameters, with the defaults filled in; the caller clears it. AG_BAD_VALUE for a number
 * outside of its range, AG_NO_MEMORY. */
ag_status train_optimizer_init(train_optimizer *optimizer, const train_optimizer_config *config,
                               const nn_params *params, ag_error *error) AG_CHECKED;
/* Frees the state and leaves it zeroed. */
void train_optimizer_clear(train_optimizer *optimizer);

/* The Euclidean norm of all gradients together. Gradients of a summed loss give the norm of the sum: the norm of the
 * mean over n is that divided by n. Not finite where a gradient is not. */
double train_gradient_norm(const nn_params *params, int threads);
/* What multiplies gradients of a finite norm so that the norm is at most max_norm: max_norm / norm, or 1 where it is no
 * larger, or where max_norm is not above 0. */
double train_clip_scale(double norm, double max_norm);

/* What one update is told. */
typedef struct train_update {
    double rate;   /* the learning rate */
    double scale;  /* multiplies each gradient: 1 / n for the mean over n of a summed loss, times train_clip_scale of
                    * that mean's norm; 0: 1 */
    ag_real *average;     /* [params->size] follows the values from the first update on; NULL: none */
    double average_decay; /* in [0, 1) */
} train_update;

/* Updates params->value from params->grad in one pass over all vectors, by the formulas of
 * ag_update_rule, and sets params->grad to zero, so that the next backward may add to it at
 * once. `params` are those that the optimiser was made for. The caller has seen that the
 * gradients are finite. update->average becomes the mean of the values after each update so
 * far, weighted as ag_update says; those before the first update have no part in it. */
void train_optimizer_step(train_optimizer *optimizer, nn_params *params, const train_update *update, int threads);

/* ---- Schedules of the learning rate --------------------------------------------------------- */

/* How the learning rate goes with the steps. */
typedef enum train_schedule_kind {
    TRAIN_COSINE = 0,   /* linear warm-up, then half a cosine from rate to rate * floor (Loshchilov and Hutter 2017) */
    TRAIN_CONSTANT,     /* after the warm-up */
    TRAIN_INVERSE_SQRT, /* after the warm-up rate sqrt(warmup / step) */
    TRAIN_NOAM          /* Vaswani et al. 2017, section 5.3: rate d_model^-0.5 min(step^-0.5, step warmup^-1.5) */
} train_schedule_kind;

/* A kind and its numbers. */
typedef struct train_schedule {
    train_schedule_kind kind;
    double rate;     /* the highest rate (TRAIN_NOAM: a factor) */
    int64_t warmup;  /* steps; 0: none (NOAM, INVERSE_SQRT: 1) */
    int64_t total;   /* steps of the whole run (cosine) */
    double floor;    /* cosine ends at rate * floor */
    int64_t d_model; /* NOAM */
} train_schedule;

/* Whether the rates depend on the length of the run, `total`. */
bool train_schedule_has_end(train_schedule_kind kind);
/* The rate of update number `step`, counted from 1. The warm-up's is rate step / warmup; the cosine's behind it is
 *
 *   rate (floor + (1 - floor) (1 + cos(pi done)) / 2),   done = (step - 1 - warmup) / (total - warmup), at most 1 */
double train_schedule_rate(const train_schedule *schedule, int64_t step);

/* ---- Metrics -------------------------------------------------------------------------------- */

/* The least number of tokens to insert, delete or replace that makes a [a_length] into b [b_length] (Levenshtein 1966).
 * -1 when memory is out. */
int64_t train_edit_distance(const int32_t *a, int64_t a_length, const int32_t *b, int64_t b_length) AG_CHECKED;

/* What an evaluation finds. Fractions are in [0, 1]. */
typedef struct train_metrics {
    double loss;           /* mean cross-entropy per target token, nats, no smoothing */
    double perplexity;     /* e^loss */
    double token_accuracy; /* argmax under teacher forcing */
    bool decoded;          /* whether the rest was measured */
    double exact_match;    /* sources whose output equals one of their targets */
    double wer;            /* word error rate as in grapheme-to-phoneme work: 1 - exact_match */
    double per; /* phone (token) error rate: edits to the nearest target / tokens of it, summed over sources */
    int64_t tokens, sources;
    int64_t unknown; /* source and target tokens that the vocabularies do not have */
    double chance;   /* the loss of guessing every token alike: ln of the size of the target vocabulary */
} train_metrics;

/* How to evaluate. Zero means the default. */
typedef struct train_evaluation {
    int64_t batch;       /* rows at once; 0: 64 */
    int64_t max_sources; /* 0: all */
    bool decode;         /* generate and measure exact match and error rates (encoder-decoder; an encoder tags) */
    nn_generation_options generation; /* how to decode */
    int threads;                      /* 0: all */
    ag_tape *tape; /* to work on, in place of one of its own: what it holds is forgotten, its threads count */
    /* Called for each source after decoding, in order: its text, the output and the nearest target. NULL: not wanted.
     */
    void (*on_output)(void *context, const char *source, const char *output, const char *target, bool correct);
    void *context;                     /* of on_output */
    const volatile sig_atomic_t *stop; /* not 0: gives up with AG_INTERRUPTED. NULL: never */
} train_evaluation;

/* Measures the model on all of the set, without dropout. AG_NOT_FINITE for a loss that is not, AG_INTERRUPTED. */
ag_status train_evaluate(const nn_model *model, data_set *set, const train_evaluation *evaluation,
                         train_metrics *metrics, ag_error *error) AG_CHECKED;

/* ---- Saved models --------------------------------------------------------------------------- */

/* A model and its vocabularies as they are saved; source_vocab NULL for language models. */
typedef struct train_saved {
    nn_model *model;
    data_vocab *source_vocab, *target_vocab;
    char *task;      /* the name of the synthetic task that it was trained on, or "" */
    bool tagging;    /* an encoder */
    char *arguments; /* what train_options.arguments said, or "" */
    char *level;     /* of a checkpoint: ag_level_name of the process that wrote it; else "" */
} train_saved;

/* Reads model.safetensors (or any such file, or a checkpoint), or the one in a folder. Of
 * a checkpoint it takes what the run evaluates: the average of the weights where the run
 * keeps one. Each thing that does not fit is a sentence: a missing tensor, an unexpected
 * one, a wrong shape, a vocabulary of another size. The caller clears what was loaded. */
ag_status train_saved_load(train_saved *saved, const char *path, ag_error *error) AG_CHECKED;
/* The same from an open file, such as train_weights_open gives; `path` is its name for
 * sentences. */
ag_status train_saved_from(train_saved *saved, const data_safetensors *file, const char *path, ag_error *error)
    AG_CHECKED;
/* Writes model.safetensors into a folder, which is made where it is missing. AG_BAD_VALUE
 * where a model or a run is there; `overwrite` replaces it when the new file is whole,
 * and then removes the run's other files. */
ag_status train_saved_save(const train_saved *saved, const char *folder, bool overwrite, ag_error *error) AG_CHECKED;
/* Frees the model, the vocabularies and the texts, and leaves the struct zeroed. */
void train_saved_clear(train_saved *saved);

/* ---- Weights from other programs, and for them ---------------------------------------------- */

/* The metadata "format" of a model's file, and of a checkpoint. */
#define TRAIN_FORMAT_MODEL      "tapeformer model"
#define TRAIN_FORMAT_CHECKPOINT "tapeformer checkpoint"
/* Opens a file of weights: a .safetensors file, the index of a sharded one, or what of
 * these a folder has, model.safetensors or model.safetensors.index.json. The caller
 * closes the file; NULL with the error. */
data_safetensors *train_weights_open(const char *path, ag_error *error);

/* How a model's tensors are called and laid out in a file (docs/import-export.md). */
typedef enum train_layout {
    TRAIN_LAYOUT_PYTORCH = 0, /* as in model.safetensors: as in PyTorch's modules of the same kinds */
    TRAIN_LAYOUT_GPT2         /* that of GPT-2's checkpoints: "transformer.h.0.attn.c_attn.weight" .. */
} train_layout;

/* Options of train_import: what the file does not say. */
typedef struct train_import_options {
    train_layout layout; /* how the file names and lays out the tensors */
    /* Sizes that are 0 (d_model, layers, ffn; max_length where positions are learned) are taken from the tensors, and
     * so are the vocabularies' in any case; `heads` must be said. The layout of GPT-2 says all but heads and dropout.
     * NULL: what the file's metadata says, as in model.safetensors. */
    const nn_model_config *config;
    /* Copied. NULL: those of the metadata; where there is none, the words "4", "5" .. for the tokens 4, 5 .. */
    const data_vocab *source_vocab, *target_vocab;
    const char *task, *arguments; /* NULL: those of the metadata, or "" */
    /* A prefix of names ("module.") that is taken away. NULL: prefixes are taken away by
     * themselves where that gives each parameter its tensor, and on_strip (may be NULL)
     * is called with each. */
    const char *strip;
    void (*on_strip)(void *context, const char *prefix); /* called with each prefix that is taken away */
    void *context;                                       /* of on_strip */
} train_import_options;

/* Reads a model from a .safetensors file whose weights are F64, F32, F16 or BF16, or from
 * the index of a sharded one, or from a folder that has model.safetensors or
 * model.safetensors.index.json. Each weight must be a finite number. Each thing that does
 * not fit is a sentence: a missing tensor, an unexpected one, a wrong shape, a vocabulary
 * of another size. The caller clears what came in. */
ag_status train_import(train_saved *saved, const char *path, const train_import_options *options,
                       ag_error *error) AG_CHECKED;
/* Writes a model's parameters, and nothing else but the metadata "format": "pt". AG_BAD_VALUE where the layout has no
 * place for such a model. What goes out and comes in again has the same bits. */
ag_status train_export(const nn_model *model, train_layout layout, const char *path, ag_error *error) AG_CHECKED;

/* ---- The training loop ---------------------------------------------------------------------- */

/* Where a run is. */
typedef struct train_progress {
    int64_t step, steps; /* updates done and wanted */
    int64_t epoch;
    double loss; /* mean of the steps since the last report */
    double rate, gradient_norm;
    double tokens_per_second, seconds, seconds_left;
    const train_metrics *dev; /* on reports after an evaluation; else NULL */
    bool best;                /* that evaluation was the best so far, and better than guessing */
    const char *warning;      /* not NULL: no report, but a sentence on what went wrong while the run goes on */
} train_progress;

/* Which evaluation on dev is the best: its model becomes model.safetensors. Of models
 * that are not decoded (language models, always) it is the one with the lowest loss. */
typedef enum train_best_by {
    /* The most exact matches; where their number differs by no more than chance explains,
     * the lowest loss. Chance: of the outputs that are right in one evaluation and wrong
     * in the other, of which there are at most n = min(right, wrong) of both together,
     * each falls to either side alike, so a difference of sqrt(n) or less says nothing
     * (McNemar 1947). On a hard task one right output more is luck; the loss, a mean over
     * all tokens, is not. */
    TRAIN_BEST_EXACT = 0,
    TRAIN_BEST_LOSS, /* the lowest loss */
    TRAIN_BEST_WER   /* the lowest word error rate, however small the difference; of equals the lowest loss */
} train_best_by;

/* Whether the model is no better than guessing: its loss is not below `chance`. */
bool train_metrics_guess(const train_metrics *metrics);
/* Whether evaluation a is better than b, of the same model and set. */
bool train_metrics_better(const train_metrics *a, const train_metrics *b, train_best_by by);

/* Defaults of train_options, which are those of the command, too. */
#define TRAIN_DEFAULT_BATCH            64
#define TRAIN_DEFAULT_PASSES           30    /* over the training set, where neither steps nor epochs are given, */
#define TRAIN_DEFAULT_STEPS_LEAST      2000  /* but no fewer steps than these, in which something is learnt, */
#define TRAIN_DEFAULT_STEPS_MOST       20000 /* and no more than these, which take hours */
#define TRAIN_DEFAULT_RATE             0.001 /* of Adam */
#define TRAIN_DEFAULT_RATE_SGD         0.3
#define TRAIN_DEFAULT_RATE_NOAM        1    /* a factor, for either */
#define TRAIN_DEFAULT_WARMUP_PART      20   /* the warm-up is 1/20 of the steps, */
#define TRAIN_DEFAULT_WARMUP_PART_NOAM 3    /* 1/3 with Noam's schedule, whose highest rate is lower then, */
#define TRAIN_DEFAULT_WARMUP_MOST      4000 /* but no longer than this */
#define TRAIN_DEFAULT_FLOOR            0.05
#define TRAIN_DEFAULT_WEIGHT_DECAY     0.01 /* of AdamW; of the others 0, since they add it to the gradient */
#define TRAIN_DEFAULT_BETA1            0.9
#define TRAIN_DEFAULT_BETA2            0.98
#define TRAIN_DEFAULT_CLIP             1
#define TRAIN_DEFAULT_EVALUATIONS      10 /* of a run: evaluate_every is 1/10 of the steps */
#define TRAIN_DEFAULT_EVALUATE_SOURCES 500

/* The steps of warm-up of a run that says nothing of it. */
int64_t train_default_warmup(train_schedule_kind schedule, int64_t steps);

/* Options of train_run. Zero means the default in brackets; in a resume it means what the
 * run has had so far. */
typedef struct train_options {
    int64_t steps;      /* updates; [from epochs, or else TRAIN_DEFAULT_PASSES over the training set, but from
                         * TRAIN_DEFAULT_STEPS_LEAST to TRAIN_DEFAULT_STEPS_MOST] */
    int64_t epochs;     /* passes over the training set, where steps is 0 */
    int64_t batch;      /* rows per update [TRAIN_DEFAULT_BATCH] */
    int64_t accumulate; /* the batch goes through the model in this many parts of rows; the result is that of the whole,
                         * but that each part draws a dropout mask of its own [1] */
    train_optimizer_config optimizer; /* [TRAIN_ADAMW]; weight_decay [TRAIN_DEFAULT_WEIGHT_DECAY of AdamW], -1: none */
    train_schedule_kind schedule;     /* [TRAIN_COSINE] */
    double rate;    /* the highest, of TRAIN_NOAM the factor [TRAIN_DEFAULT_RATE, of SGD TRAIN_DEFAULT_RATE_SGD; with
                     * TRAIN_NOAM TRAIN_DEFAULT_RATE_NOAM] */
    int64_t warmup; /* [train_default_warmup]; -1: none */
    double floor;   /* the cosine ends at rate * floor [TRAIN_DEFAULT_FLOOR]; -1: at 0 */
    double clip;    /* global norm [TRAIN_DEFAULT_CLIP]; -1: none */
    double label_smoothing; /* in [0, 1] [0] */
    double average; /* > 0: what is evaluated and saved as the model is the exponential moving average of the weights,
                     * with this decay (0.999, say) */
    uint64_t seed;  /* dropout and batch order */
    int threads;    /* [all] */
    ag_matmul_numbers matmul; /* of the updates; evaluations on dev have AG_MATMUL_REAL */
    int64_t evaluate_every;   /* steps between evaluations on dev; the last step is evaluated in any case
                               * [steps / TRAIN_DEFAULT_EVALUATIONS, 1 at least] */
    int64_t evaluate_sources; /* how many dev sources are decoded each time, at most
                               * [TRAIN_DEFAULT_EVALUATE_SOURCES] */
    train_best_by best_by;    /* [TRAIN_BEST_EXACT] */
    int64_t patience;         /* evaluations without a better one before an early stop; 0: none */
    int64_t report_every;     /* steps between reports [1] */
    int64_t save_every;       /* steps between checkpoints [at each evaluation] */
    const char *out;          /* the folder, made where it is missing; NULL: nothing is written */
    bool resume;              /* go on from out/checkpoint.safetensors */
    bool overwrite;           /* begin even if `out` holds a run or a model, which this run then replaces: the old files
                               * stay until the new ones are whole, the old model until the first evaluation */
    const data_vocab *source_vocab, *target_vocab; /* saved with the model */
    const char *task;                              /* saved with the model; may be NULL */
    const char
        *arguments; /* saved with the checkpoint: whatever the caller needs to set the run up again; may be NULL */
    const volatile sig_atomic_t *stop; /* not 0: finish the step, save, return AG_INTERRUPTED */
    int64_t stop_at;                   /* the same behind this step, or at once where it is passed; 0: none */
    void (*on_progress)(void *context, const train_progress *progress); /* called at each report; NULL: not wanted */
    void *context;                                                      /* of on_progress */
} train_options;

/* How a run ended. */
typedef struct train_result {
    int64_t steps; /* updates done in the whole run */
    bool stopped_early;
    train_metrics best; /* on dev; it may be no better than guessing: then the run has learnt nothing */
    int64_t best_step;
} train_result;

/* Trains `model` in place; its gradients are set to zero first, and are zero again after
 * each step (on_progress leaves them so). The model may be new (nn_model_new) or have
 * been trained before, here or elsewhere (train_saved_load, train_import): the run begins
 * with the parameters that it has, and with sets made with its vocabularies
 * (data_set_options), so this is fine-tuning, too. A model's dropout is part of its
 * configuration: for another one make a new model of the changed configuration and copy
 * the numbers, params.value [params.size]. "Best" is what `best_by` says. A loss or
 * gradient that is not finite ends the run with AG_NOT_FINITE and the name of the
 * operation that made it; files stay as they were at the last good checkpoint.
 *
 * A resume may change steps (or epochs), evaluate_every, patience, report_every,
 * save_every and threads, and nothing else on which the numbers depend: AG_BAD_VALUE
 * names what differs. It cannot make the steps fewer; nor more where the schedule depends
 * on the length of the run (TRAIN_COSINE), since the rate would jump: begin a new run
 * with the model.
 *
 * log.jsonl gets a line per report: {"step", "epoch", "loss", "rate", "gradient_norm",
 * "tokens_per_second", "seconds"} and per evaluation {"step", "dev_loss",
 * "dev_token_accuracy", "dev_exact_match", "dev_wer", "dev_per", "best"}; a number that
 * is not finite is null, and KEY_is says which (data_json_put_number). A resume cuts off
 * what was logged after the checkpoint. */
ag_status train_run(nn_model *model, data_set *training, data_set *dev, const train_options *options,
                    train_result *result, ag_error *error) AG_CHECKED;

/* Whether a run or a model can be put into this folder, or with `overwrite` take the
 * place of the one there, or go on there: what train_run and train_saved_save refuse can
 * be known before data are read. AG_BAD_VALUE where it holds one (unless `overwrite`),
 * AG_IO where it cannot be made or written to, or another run is at work there. Leaves
 * all as it was. */
ag_status train_folder_check(const char *folder, bool overwrite, ag_error *error) AG_CHECKED;

/* What a caller needs to set up the run in the folder `out` again and to resume it: the model as it was at the
 * checkpoint, its vocabularies (for the sets: data_set_options), its task and `arguments`. The caller clears it. */
ag_status train_checkpoint_read(train_saved *saved, const char *out, ag_error *error) AG_CHECKED;
/* The options of that run as far as its numbers depend on them, with the defaults that it
 * took: what a resume goes on with. The others are zero. */
ag_status train_checkpoint_options(train_options *options, const char *out, ag_error *error) AG_CHECKED;

/* A progress report as one line without line end, such as
 * "step 1200/2000  epoch 3  loss 0.0123  rate 8.1e-04  41.2k tokens/s  0:21 left", or what an evaluation found, in at
 * most `size` bytes with the final zero. Returns text. */
char *train_progress_line(const train_progress *progress, char *text, size_t size);

/* ---- Logs ----------------------------------------------------------------------------------- */

/* The values that a log has under one name. */
typedef struct train_series {
    char *name;             /* "dev_loss" */
    int64_t count;          /* above 0 */
    double *steps, *values; /* [count], steps never fall; true is 1 and false 0 */
} train_series;

/* What a log holds, name by name. */
typedef struct train_history {
    train_series *items; /* [count], in the order in which the log names them; "step" is none of them */
    int count;
} train_history;

/* Reads log.jsonl (or any such file), or the one in a folder: of a run that goes on, too. A last line that was cut
 * short by the end of its run is left out; any other damage is a sentence with the line's number. The history is empty
 * where there are no lines, and after an error. The caller clears it. */
ag_status train_history_read(train_history *history, const char *path, ag_error *error) AG_CHECKED;
/* Frees the series and leaves the struct zeroed. */
void train_history_clear(train_history *history);
/* The series of that name, which belongs to the history; NULL where the log has none. */
const train_series *train_history_find(const train_history *history, const char *name);

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif
#endif
