/* optimizer.h - how gradients change parameters: optimisers and the schedules of their
 * rate. A part of train.h, which includes it.
 */
#ifndef TRAIN_OPTIMIZER_H
#define TRAIN_OPTIMIZER_H

#include "nn.h"

AG_HEADER_BEGIN

/* ---- Optimisers -------------------------------------------------------------------- */

/* How gradients change the parameters. */
typedef enum train_optimizer_kind {
    TRAIN_ADAMW = 0, /* Loshchilov and Hutter 2019, algorithm 2: weight decay apart from
                      * the gradient */
    TRAIN_ADAM,      /* Kingma and Ba 2015, algorithm 1; weight_decay is added to the
                      * gradient */
    TRAIN_SGD, /* with momentum (Sutskever et al. 2013) and Nesterov's form; weight_decay
                * is added to the gradient */
    TRAIN_MUON /* Jordan 2024, for hidden matrices (nn_param.hidden), each by itself:
                * ag_orthogonalize, then weight decay and update as in AdamW; all other
                * parameters as in TRAIN_ADAMW */
} train_optimizer_kind;

/* An optimiser and its numbers. Zero means the default in brackets. */
typedef struct train_optimizer_config {
    train_optimizer_kind kind;
    double beta1, beta2; /* of Adam and AdamW [0.9, 0.98] */
    double epsilon;      /* of Adam and AdamW, at least 1e-15 (1e-150 if ag_real is
                          * double) [1e-8] */
    double weight_decay; /* of parameters with `decay`: not of biases and norms [0] */
    double momentum;     /* of SGD [0], and of Muon [TRAIN_DEFAULT_MOMENTUM_MUON]; -1:
                          * none */
    bool nesterov;       /* SGD: Nesterov's form of the momentum, which Muon always has */
} train_optimizer_config;

/* The state: flat vectors beside the parameters. `first` is the mean of the gradients of
 * Adam and Muon, or SGD's velocity, `second` Adam's mean of their squares (zeros for the
 * matrices of Muon, which has none). */
typedef struct train_optimizer {
    train_optimizer_config config;
    int64_t size;
    int threads;
    /* Where the parameters lie in the vectors: those that the rule of the kind updates
     * (all, or with Muon those of AdamW), and after them Muon's. */
    ag_update_range *ranges; /* [count + matrix_count] */
    int count;
    ag_update_matrices *matrices; /* [matrix_count]: Muon's, with their shapes */
    int matrix_count;
    ag_real *workspace;      /* of ag_orthogonalize */
    ag_real *first, *second; /* [size]; NULL if the kind has none */
    uint64_t step;           /* updates done */
} train_optimizer;

/* A state of zeros for all parameters, with the configuration's defaults filled in, for
 * updates by up to this many threads, at least 1; the caller clears it. AG_BAD_VALUE for
 * a number out of range, AG_NO_MEMORY. */
ag_status train_optimizer_init(train_optimizer *optimizer, const train_optimizer_config *config,
                               const nn_params *params, int threads, ag_error *error) AG_CHECKED;
/* Frees the state and leaves it zeroed. */
void train_optimizer_clear(train_optimizer *optimizer);

/* The Euclidean norm of all gradients as one vector; not finite if a gradient is not.
 * After a backward of a summed loss it is the norm of the sum's gradient; that of the
 * mean over n is 1/n of it. */
double train_gradient_norm(const nn_params *params, int threads);
/* The factor that limits gradients of this finite norm to max_norm: max_norm / norm if
 * norm > max_norm > 0, else 1. */
double train_clip_scale(double norm, double max_norm);

/* The numbers of one update. */
typedef struct train_update {
    double rate;      /* the learning rate */
    double muon_rate; /* that of the matrices of TRAIN_MUON */
    /* Multiplies each gradient: for the mean over n of a summed loss 1 / n, times
     * train_clip_scale of that mean's gradient norm. 0: 1. */
    double scale;
    ag_real *average;     /* [params->size], kept from the first update on; NULL: none */
    double average_decay; /* in [0, 1) */
} train_update;

/* One update: changes params->value by params->grad in one pass over all vectors, with
 * the formulas of ag_update_rule (and, for Muon, ag_orthogonalize), and zeroes
 * params->grad, so that the next backward may add to it at once. `params` are those of
 * train_optimizer_init, and their gradients must be finite. update->average becomes the
 * mean of the values after each update so far, weighted as ag_update says; the values
 * before the first update do not count. */
void train_optimizer_step(train_optimizer *optimizer, nn_params *params, const train_update *update);

/* ---- Schedules of the learning rate ------------------------------------------------ */

/* How the learning rate depends on the step. */
typedef enum train_schedule_kind {
    TRAIN_COSINE = 0,   /* linear warm-up, then half a cosine from rate to rate * floor
                         * (Loshchilov and Hutter 2017) */
    TRAIN_CONSTANT,     /* after the warm-up: rate */
    TRAIN_INVERSE_SQRT, /* after the warm-up: rate sqrt(warmup / step) */
    TRAIN_NOAM,         /* rate d_model^-0.5 min(step^-0.5, step warmup^-1.5) (Vaswani et
                         * al. 2017, section 5.3) */
    TRAIN_LINEAR,       /* linear warm-up, then a straight line from rate to rate * floor
                         * (Defazio et al. 2023, who derive that it is the best for the
                         * last iterate) */
    TRAIN_WSD           /* warm-up, stable, decay: linear warm-up, then rate, and over the
                         * last part of the run a line to rate * floor (Hu et al. 2024,
                         * section 4; Hägele et al. 2024). Its run can be made longer
                         * until the decay begins. */
} train_schedule_kind;

/* A kind of schedule and its numbers. */
typedef struct train_schedule {
    train_schedule_kind kind;
    double rate;     /* the highest rate (TRAIN_NOAM: a factor) */
    int64_t warmup;  /* steps; 0: none (NOAM, INVERSE_SQRT: 1) */
    int64_t total;   /* COSINE, LINEAR, WSD: steps of the whole run */
    double floor;    /* the same: they end at rate * floor */
    int64_t d_model; /* NOAM */
    double decay;    /* WSD: share of `total` in which the rate falls, in [0, 1] */
} train_schedule;

/* Whether the rates depend on `total`, the length of the run. */
bool train_schedule_has_end(train_schedule_kind kind);
/* The number of updates before the decay, which ends with the run: begin = warmup, and
 * with TRAIN_WSD the larger of warmup and total - round(decay total). The updates up to
 * there, and those of schedules without an end (INT64_MAX), do not depend on `total`. */
int64_t train_schedule_decay_begin(const train_schedule *schedule);
/* The rate of update number `step`, counted from 1: rate step / warmup during the
 * warm-up. With an end it is afterwards
 *
 *   rate (floor + (1 - floor) f(done)),
 *   done = (step - 1 - begin) / (total - begin), within 0 and 1,
 *   f(done) = (1 + cos(pi done)) / 2 (TRAIN_COSINE), 1 - done (TRAIN_LINEAR, TRAIN_WSD)
 *
 * with train_schedule_decay_begin. */
double train_schedule_rate(const train_schedule *schedule, int64_t step);

AG_HEADER_END

#endif
