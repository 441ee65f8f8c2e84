/* masks.h - the masks that models are trained and evaluated under. */
#ifndef STUDY_LABORATORY_MASKS_H
#define STUDY_LABORATORY_MASKS_H

#include "study.h"

typedef enum laboratory_mask {
    LABORATORY_FULL,   /* every position */
    LABORATORY_CAUSAL, /* the position itself and those before it */
    LABORATORY_WINDOW, /* the position itself and its two neighbours */
    LABORATORY_PREFIX, /* as causal, and the first three quarters */
    LABORATORY_MASKS,
    LABORATORY_ORDERLESS = LABORATORY_MASKS, /* the full mask, in a model without positional code */
    LABORATORY_SETTINGS                      /* what a tagger is trained in: a mask, or orderless */
} laboratory_mask;
extern const char *const laboratory_setting_names[LABORATORY_SETTINGS];

/* Makes the mask on the tape; NULL, with the tape's error. LABORATORY_ORDERLESS: the full
 * mask. */
const ag_mask *laboratory_mask_make(ag_tape *tape, laboratory_mask mask, int64_t length);

#endif
