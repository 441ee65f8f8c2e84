/* probe.h - a model opened at its blocks and differentiated, many rows at a time.
 *
 * The one example stands in every row of a batch, so that one backward pass from a seed with a different output in each
 * row gives a row of the Jacobian matrix for each. The parameters are constants, so a pass costs no gradients of them.
 */
#ifndef STUDY_PROBE_H
#define STUDY_PROBE_H

#include "reach.h"

#define PROBE_NAME 128

/* A stretch of the computation: from its inputs, which are leaves, to its output. */
typedef struct probe_part {
    char name[PROBE_NAME];
    reach_part reach;
    study_side side;          /* of its output */
    ag_tensor *inputs[SIDES]; /* [rows, lengths, D]; NULL: nothing enters from there */
    ag_tensor *output;        /* [rows, lengths of its side, any] */
} probe_part;

/* Where the inputs of the parts come from: they are the example's own, or those of position 0 at every position. Then
 * keys are alike, and no weight of attention is so small that its influence becomes 0 in passing. */
typedef enum probe_values { PROBE_OWN = 0, PROBE_ALIKE } probe_values;

typedef struct probe {
    const study_subject *subject;
    const reach *reach;
    int64_t rows;
    nn_input input; /* of `rows` rows */
    int32_t *tokens[SIDES], *token_lengths[SIDES];
    nn_params params; /* the model's, without gradients */
    ag_tape *tape;
    ag_real *seed; /* as large as the largest output so far */
    int64_t seed_size;
    probe_part *parts; /* [count] */
    int count, capacity;

    /* while a model runs */
    bool cut;
    probe_values values;
    ag_tensor *memory;
    ag_tensor *entered[SIDES], *left[SIDES]; /* the newest block's input; what stands in place of its output */
    ag_error error;
} probe;

/* At most `rows` rows; fewer where a batch would be large. */
ag_status probe_init(probe *p, const study_subject *subject, const reach *r, int64_t rows, ag_error *error) AG_CHECKED;
void probe_clear(probe *p);

/* Runs the model. Its parts are then, where it is `cut`: each block, "encoder.norm" between the encoder's last block
 * and the decoder (where there is one), and "output" behind the last block; else the whole, "model". */
ag_status probe_run(probe *p, bool cut, probe_values values, ag_error *error) AG_CHECKED;

/* A seed of zeros for the part's output: its gradients by the end result, to be filled in. NULL with the error. */
ag_real *probe_seed(probe *p, const probe_part *part, ag_error *error);
/* Normal numbers: a random direction, the same for equal `stream`. */
void probe_direction(uint64_t stream, int64_t width, ag_real *out);
/* Differentiates by the inputs of the part, from the seed. */
ag_status probe_differentiate(probe *p, const probe_part *part, ag_error *error) AG_CHECKED;
/* The Frobenius norm of what that gave for input j in this row: 0 only if each number is 0; NaN if any is. */
double probe_influence(const probe *p, const probe_part *part, int64_t row, int64_t j);

#endif
