/* reach.h - what the declared masks of a subject let through: in one block, and in all layers together. */
#ifndef STUDY_REACH_H
#define STUDY_REACH_H

#include "study.h"

/* The two sequences. An encoder has a source only, a decoder that stands alone a target only. */
typedef enum study_side { SIDE_SOURCE = 0, SIDE_TARGET, SIDES } study_side;

/* A part of a model that may be looked at by itself. */
typedef enum reach_part {
    REACH_ENCODER_BLOCK, /* source from source */
    REACH_DECODER_BLOCK, /* target from the memory, which counts as the source, and from target */
    REACH_POSITION,      /* what works on each position alone: norms, projections */
    REACH_MODEL          /* outputs from all that enters the first blocks */
} reach_part;

/* Tables are [outputs, inputs], 1 where output i may depend on input j; inputs are the source's positions and behind
 * them the target's. */
typedef struct reach {
    int64_t lengths[SIDES]; /* positions, padding included; 0 of a side that the model does not have */
    int64_t tokens[SIDES];  /* those that are no padding */
    study_side output;      /* the side of the model's outputs */
    int64_t inputs;         /* both lengths together */
    unsigned char *encoder_block, *decoder_block, *model;
} reach;

ag_status reach_init(reach *r, const study_subject *subject, ag_error *error) AG_CHECKED;
void reach_clear(reach *r);

/* Whether the masks let output i of such a part, which stands on the side `output`, depend on input j. */
bool reach_allows(const reach *r, reach_part part, study_side output, int64_t i, int64_t j);

/* Which side input j belongs to; *position is its place there. */
study_side reach_side(const reach *r, int64_t j, int64_t *position);

#endif
