/* tasks.h - the sequences of letters that models are trained on, the answers they learn,
 * and the masks under which they learn them. */
#ifndef STUDY_LABORATORY_TASKS_H
#define STUDY_LABORATORY_TASKS_H

#include "study.h"

/* The largest values of the options. */
#define LABORATORY_LENGTH   16
#define LABORATORY_LETTERS  10

#define LABORATORY_ROWS     64   /* of a training batch */
#define LABORATORY_EXAMPLES 2048 /* for measuring; none is in a training batch */

/* The tokens: the marks of data.h, the two marks of a direction (leak.c), the letters. */
enum { LABORATORY_FORWARD = DATA_SPECIALS, LABORATORY_BACKWARD, LABORATORY_FIRST_LETTER };

/* A tagger answers with one letter at each position. */
typedef enum laboratory_task {
    LABORATORY_COPY,        /* the letter here: needs neither side */
    LABORATORY_SHIFT_LEFT,  /* the letter after this one: needs the right side */
    LABORATORY_SHIFT_RIGHT, /* the letter before this one: needs the left side */
    LABORATORY_REVERSE,     /* the letter as far from the other end: needs the other half */
    LABORATORY_SORT,        /* the i-th smallest letter: needs all */
    LABORATORY_TASKS
} laboratory_task;
extern const char *const laboratory_task_names[LABORATORY_TASKS];

/* The position whose letter is the answer at position i; -1 if there is no single one
 * (sort). At the end without a neighbour, shifts answer with the letter here. */
int64_t laboratory_place(laboratory_task task, int64_t length, int64_t i);
/* Fills in the answers y [length] to the letters x [length]. */
void laboratory_answer(laboratory_task task, int64_t length, const int32_t *x, int32_t *y);

/* Draws letters x [rows, length], all independent and equally likely. */
void laboratory_draw(ag_rng *rng, const study_laboratory_options *options, int64_t rows, int32_t *x);
/* The stream of the letters of training step `step`, counted from 1. All models are
 * trained on the same letters. */
ag_rng laboratory_stream(const study_laboratory_options *options, int64_t step);
/* Draws unseen [LABORATORY_EXAMPLES, length], sequences that are in no training batch.
 * AG_BAD_VALUE if training could see an eighth of all sequences. */
ag_status laboratory_draw_unseen(const study_laboratory_options *options, int32_t *unseen, ag_error *error) AG_CHECKED;

/* ---- Masks ------------------------------------------------------------------------- */

/* The masks that models are trained and evaluated under. */
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
