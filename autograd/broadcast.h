/* broadcast.h - shapes that stretch, walks over arrays whose axes lie apart, sums over axes. For autograd/ alone. */
#ifndef AUTOGRAD_BROADCAST_H
#define AUTOGRAD_BROADCAST_H

#include "autograd.h"

#include "kernels/kernels.h"
#include "ranges.h"

/* The shape that two operands stretch to. False where they do not fit. */
bool broadcast_shapes(ag_shape a, ag_shape b, ag_shape *result);
/* Whether `from` stretches to `to`. */
bool broadcast_fits(ag_shape from, ag_shape to);

/* The row-major walk over an array, and the places in two operands that belong to each of its elements. Axes of one
 * element are left out, and neighbouring axes that all operands walk evenly are merged: equal shapes make one axis. */
typedef struct walk {
    int ndim; /* 1 at least */
    int64_t size[AG_MAX_DIMS];
    int64_t a_step[AG_MAX_DIMS], b_step[AG_MAX_DIMS];
} walk;

/* From steps per axis of `shape`. */
walk walk_make(ag_shape shape, const int64_t *a_step, const int64_t *b_step);
/* Operands of the shapes a and b, stretched to `shape`: along the last axis their steps are 0 or 1. */
walk walk_broadcast(ag_shape shape, ag_shape a, ag_shape b);

/* A run along the last axis: elements at .. at + length - 1 of the array, whose first has its operands' at a and b. */
typedef struct walk_run {
    int64_t at, length, a, b;
} walk_run;

/* The run that begins at element `at` and ends at the axis' end, or before element `end`. */
walk_run walk_from(const walk *w, int64_t at, int64_t end);

/* y = x summed over the axes of the set, or y += that, or y = the mean. Sums are in
 * double (where ag_real is, with what they round off beside them), and in an order that the
 * shape fixes. */
typedef enum broadcast_way { BROADCAST_SUM, BROADCAST_ADD, BROADCAST_MEAN } broadcast_way;
ag_status broadcast_sum(ag_tape *tape, ag_shape shape, unsigned axes, broadcast_way way, const ag_real *x,
                        ag_real *y) AG_CHECKED;

#endif
