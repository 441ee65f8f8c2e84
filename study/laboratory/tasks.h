/* tasks.h - the sequences of letters that models are trained on, and the answers they
 * learn. */
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

#endif
