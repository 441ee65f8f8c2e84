/* tape.h - a recorded tape as rows, for the files that show it. */
#ifndef STUDY_TAPE_H
#define STUDY_TAPE_H

#include "study.h"

/* The norm of what does not exist, such as a gradient that was not kept. A norm that is
 * NaN is one of numbers that are. */
#define TAPE_NO_NORM (-1.0)

/* One operation. A time or an amount that is not known is NaN. */
typedef struct tape_row {
    const ag_node *node;
    double forward, backward, recompute; /* seconds */
    double multiply_adds;                /* of both passes; NaN: it has no matrix product */
    double bytes;                        /* that it keeps until the backward */
    double value, gradient;              /* Euclidean norms of the result and its gradient; or
                                          * TAPE_NO_NORM */
} tape_row;

/* Whether operation `number`, from 0, has run after options->steps, and whether its
 * backward has, of a tape of `count` operations. `count` as the number stands for the
 * gradient of the result. */
bool tape_has_run(const study_tape_options *options, int64_t number);
bool tape_has_returned(const study_tape_options *options, int64_t count, int64_t number);
/* The number of the first operation that uses x, at whose backward the gradient of x is
 * whole; `count` if none does. */
int64_t tape_first_use(const ag_tape *tape, int64_t count, const ag_tensor *x);

/* A tape from its oldest node to its newest. */
typedef struct tape_rows {
    tape_row *items; /* [count] */
    int64_t count;
    const study_tape_options *options; /* not NULL */
    bool measured;                     /* whether the tape's nodes have costs */
    double forward, backward;          /* seconds of the whole passes; NaN: not known */
} tape_rows;

/* Reads the rows. `values`, a tape of the same operations, has the values and gradients
 * whose norms are shown; it may be `tape` itself. AG_BAD_VALUE for a tape without nodes
 * or with an error, and if the tapes differ; AG_NO_MEMORY. The caller frees items. */
ag_status tape_rows_read(tape_rows *rows, const ag_tape *tape, const ag_tape *values, const study_tape_options *options,
                         ag_error *error) AG_CHECKED;

/* Adds the tables: the kinds of operations, and all operations by scope. */
ag_status tape_add_tables(const tape_rows *rows, study_document *document, ag_error *error) AG_CHECKED;

/* Adds the picture of a tape of fewer than STUDY_TAPE_PICTURE nodes; does nothing for
 * others. `tape` is the one with values and gradients. */
ag_status tape_add_picture(const ag_tape *tape, const study_tape_options *options, study_document *document,
                           ag_error *error) AG_CHECKED;

#endif
