/* probe.h - a model cut open at its blocks and differentiated, many outputs at a time.
 *
 * The example is repeated in every row of a batch. One backward pass, whose seed picks a
 * different output in each row, then gives a row of the Jacobian matrix for each of them.
 * The parameters are constants, so no time is spent on their gradients.
 */
#ifndef STUDY_PROBE_H
#define STUDY_PROBE_H

#include "reach.h"

#define PROBE_NAME 128

/* A part of the computation, from its inputs, which are leaves, to its output. */
typedef struct probe_part {
    char name[PROBE_NAME];
    reach_part reach;
    study_side side;          /* of its output */
    ag_tensor *inputs[SIDES]; /* [rows, length, D]; NULL: no input from that side */
    ag_tensor *output;        /* [rows, length of its side, any] */
} probe_part;

/* The values of the inputs of parts: the example's own, or those of position 0 at every
 * position. Then all keys are alike, and no attention weight is so small that an
 * influence vanishes by rounding. */
typedef enum probe_values { PROBE_OWN = 0, PROBE_ALIKE } probe_values;

typedef struct probe {
    const study_subject *subject;
    const reach *reach;
    int64_t rows;
    nn_input input; /* of `rows` rows */
    int32_t *tokens[SIDES], *token_lengths[SIDES];
    nn_params params; /* the model's, without gradients */
    ag_tape *tape;
    ag_real *seed;     /* as large as the output that is being differentiated */
    probe_part *parts; /* [count] */
    int count;

    /* While a model runs: */
    bool cut;
    probe_values values;
    ag_tensor *memory;
    ag_tensor *entered[SIDES]; /* the input of the last block */
    ag_tensor *left[SIDES];    /* the leaf that replaces its output */
    ag_error error;
} probe;

/* Makes a probe of at most `rows` rows; of fewer if the batch would be too large. */
ag_status probe_init(probe *p, const study_subject *subject, const reach *r, int64_t rows, ag_error *error) AG_CHECKED;
void probe_clear(probe *p);

/* Runs the model and fills in p->parts. With `cut` they are: each block; "encoder.norm",
 * from the encoder's last block to the decoder, if there is one; "output", after the last
 * block. Without, there is one part, "model". */
ag_status probe_run(probe *p, bool cut, probe_values values, ag_error *error) AG_CHECKED;

/* Differentiates every output i of a part by every input j, `each` times. `seed` fills in
 * the c-th seed of output i, `width` numbers that are 0; values [outputs, inputs] become
 * combine(values[i, j], norm), where norm is the Frobenius norm of the gradient: 0 only
 * if every number in it is 0; NaN if any is. */
ag_status probe_outputs(probe *p, const probe_part *part, int64_t each,
                        void (*seed)(int64_t i, int64_t c, int64_t width, ag_real *seed),
                        double (*combine)(double value, double norm), double *values, ag_error *error) AG_CHECKED;
/* A seed: normal numbers, a random direction. The same for the same `stream`. */
void probe_direction(uint64_t stream, int64_t width, ag_real *seed);

#endif
