/* faults.h - faults in the backward of a model, which training does not report. */
#ifndef PLAYGROUND_FAULTS_H
#define PLAYGROUND_FAULTS_H

#include "nn.h"

/* A mistake in the gradient of what the first block gives: of the decoder, or of a model
 * without one, the encoder. The values stay as they are. For y [rows, positions, features]
 * with gradient dy, the gradient that goes on is: */
typedef enum playground_fault {
    PLAYGROUND_NO_FAULT = 0, /* dy */
    PLAYGROUND_HALF,         /* dy / 2 */
    PLAYGROUND_SIGN,         /* -dy for every second feature */
    PLAYGROUND_SHIFT,        /* dy of the next position */
    PLAYGROUND_FIRST,        /* dy in the first row of the batch, 0 in the others */
    PLAYGROUND_FAULTS
} playground_fault;

/* The fault's name in a setting, and the fault of a name, or AG_BAD_VALUE. */
const char *playground_fault_name(playground_fault fault);
ag_status playground_fault_read(playground_fault *fault, const char *name, ag_error *error) AG_CHECKED;

/* A fault in a pass, and what the pass does at its blocks besides. */
typedef struct playground_planting {
    playground_fault fault;
    const char *block; /* "decoder.layers.0" */
    ag_tensor *(*on_block)(void *context, const char *name, nn_block_end end, ag_tensor *x);
    void *context;
} playground_planting;

/* Puts the fault into the pass that a model of this kind is about to make, which reads
 * *planting. The pass must have no on_attention: both callbacks share a context. */
void playground_plant(playground_planting *planting, playground_fault fault, nn_model_kind kind, nn_pass *pass);

#endif
