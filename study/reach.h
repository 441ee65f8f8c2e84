/* reach.h - which outputs may depend on which inputs by the declared masks: within one
 * block, and through all layers. */
#ifndef STUDY_REACH_H
#define STUDY_REACH_H

#include "study.h"

/* The two sequences. An encoder has only a source, a language model only a target. */
typedef enum study_side { SIDE_SOURCE = 0, SIDE_TARGET, SIDES } study_side;

/* A part of a model that is examined by itself. */
typedef enum reach_part {
    REACH_ENCODER_BLOCK, /* source from source */
    REACH_DECODER_BLOCK, /* target from the memory, which counts as source, and from target */
    REACH_POSITION,      /* operations on each position alone: norms, projections */
    REACH_MODEL          /* outputs from everything that enters the first blocks */
} reach_part;

/* The tables are [outputs, inputs] of 0 and 1: whether output i may depend on input j.
 * The inputs are the positions of the source, followed by those of the target. */
typedef struct reach {
    int64_t lengths[SIDES]; /* positions, including padding; 0 for a side that the model lacks */
    int64_t tokens[SIDES];  /* positions before the padding */
    study_side output;      /* the side of the model's outputs */
    int64_t inputs;         /* both lengths together */
    unsigned char *encoder_block, *decoder_block, *model;
} reach;

ag_status reach_init(reach *r, const study_subject *subject, ag_error *error) AG_CHECKED;
void reach_clear(reach *r);

/* Whether output i of a part whose output is on this side may depend on input j. */
bool reach_allows(const reach *r, reach_part part, study_side output, int64_t i, int64_t j);

/* The side of input j; *position becomes its position there. */
study_side reach_side(const reach *r, int64_t j, int64_t *position);

#endif
