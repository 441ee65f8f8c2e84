/* broadcast.h - broadcasting: shapes that stretch, loops over two strided operands, and
 * sums over axes. For autograd/ alone. */
#ifndef AUTOGRAD_BROADCAST_H
#define AUTOGRAD_BROADCAST_H

#include "autograd.h"

#include "kernels/kernels.h"
#include "ranges.h"

/* Sets *result to the shape to which both stretch. Returns false if there is none. */
bool broadcast_shapes(ag_shape a, ag_shape b, ag_shape *result);
/* Whether `from` stretches to `to`. */
bool broadcast_fits(ag_shape from, ag_shape to);

/* A loop over the elements of an array in row-major order, and the strides at which two
 * operands follow it (0 along an axis that stretches). Axes of size 1 are left out, and
 * neighbouring axes over which both operands step evenly are merged, so that operands of
 * equal shapes make a single axis. */
typedef struct strided {
    int ndim; /* 1 at least */
    int64_t size[AG_MAX_DIMS];
    int64_t a_step[AG_MAX_DIMS], b_step[AG_MAX_DIMS];
} strided;

/* A loop over `shape`, from the strides of each axis. */
strided strided_make(ag_shape shape, const int64_t *a_step, const int64_t *b_step);
/* A loop over `shape`, to which dense operands of the shapes a and b stretch. Along the
 * last axis their strides are 0 or 1. */
strided strided_broadcast(ag_shape shape, ag_shape a, ag_shape b);

/* Elements at .. at + length - 1 of the array, which lie along the last axis; the first
 * has its operands at the offsets a and b. */
typedef struct strided_run {
    int64_t at, length, a, b;
} strided_run;

/* The run that begins at element `at` and goes to the end of the axis, or to `end`. */
strided_run strided_run_from(const strided *loop, int64_t at, int64_t end);

/* y = the sum of x over a set of axes, y += the sum, or y = the mean. Sums are in double
 * (if ag_real is double, with the rounding errors summed beside them), in an order that
 * depends on the shape alone. */
typedef enum broadcast_way { BROADCAST_SUM, BROADCAST_ADD, BROADCAST_MEAN } broadcast_way;
ag_status broadcast_sum(ag_tape *tape, ag_shape shape, unsigned axes, broadcast_way way, const ag_real *x,
                        ag_real *y) AG_CHECKED;

#endif
