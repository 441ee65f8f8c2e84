/* training.h - a model, a batch and the steps that train it: what the rows of steps
 * time. */
#ifndef BENCH_TRAINING_H
#define BENCH_TRAINING_H

#include "bench.h"
#include "train.h"

typedef struct bench_training_task {
    const bench_config *config;
    double dropout;
    ag_matmul_numbers matmul;
    int threads;
} bench_training_task;

typedef struct bench_training {
    nn_model *model;
    ag_tape *tape;
    train_optimizer optimizer;
    nn_input input;
    int32_t *source, *target, *next; /* [rows, length] */
    int threads;
    uint64_t step;
    double loss; /* of the last step, a token */
} bench_training;

/* Draws a model and a batch for a zeroed struct. End it after an error, too. */
ag_status bench_training_start(bench_training *training, const bench_training_task *task, ag_error *error);
void bench_training_end(bench_training *training);

/* One step of a bench_training, as train_run takes it: forward, mean cross-entropy,
 * backward, clip of the global norm at 1, Adam. A bench_run. */
ag_status bench_training_step(void *training, ag_error *error);

#endif
