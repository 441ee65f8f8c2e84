/* rows.h - functions of whole rows: softmax, norms, cross-entropy, rotary positions.
 *
 * Arrays are [rows, width] without gaps. A row's result depends on that row alone, so
 * any division of the rows among threads gives the same bits. Only the sums over rows,
 * dweight and dbias, depend on which rows a call gets. Backward functions add to the
 * gradients that they are given. */
#ifndef AUTOGRAD_KERNELS_ROWS_H
#define AUTOGRAD_KERNELS_ROWS_H

#include "real.h"

/* The statistics that a norm keeps of a row: y = (unit x - mean) inverse. RMS norm has
 * mean 0. If eps is 0 and all elements equal the mean, inverse is 0, and so are the row's
 * result and gradient.
 *
 * The unit is 1, except for rows whose squares would overflow, or lose bits that the
 * result shows: there it is a power of two. The mean, of unit x, has two parts, shift
 * + rest. Numbers near 1e4 in float would lose their small differences if a mean
 * rounded to float were subtracted; x - shift is exact for them (Sterbenz) and leaves
 * small numbers. */
typedef struct norm_statistics {
    ag_real shift, rest, unit;
    double inverse;
} norm_statistics;

/* Whether a row with this mean of squares, plus eps, overflows or loses bits in the
 * unit 1; and the unit that makes its largest element about 1 (if all are finite). */
bool norm_needs_unit(double variance);
ag_real norm_unit(int64_t width, const ag_real *x);

/* A norm of rows. Layer norm subtracts the mean (`centred`), RMS norm does not. */
typedef struct norm_task {
    bool centred;
    double eps;
    int64_t width;                /* at least 1 */
    const ag_real *x;             /* [rows, width] */
    const ag_real *weight, *bias; /* [width], or NULL for ones, zeros */
    norm_statistics *statistics;  /* [rows] */
} norm_task;

/* Rows whose shares of a norm's dweight and dbias are summed in ag_real before they are
 * added to the sums in double. While one of them waits for its own sums, the next is
 * summed. */
#define NORM_GROUP     8
#define NORM_WORKSPACE (3 + NORM_GROUP) /* rows */

/* The statistics that cross-entropy keeps of a row: p = e^(logit - shift) scale. */
typedef struct entropy_statistics {
    ag_real shift, scale;
} entropy_statistics;

typedef struct entropy_task {
    int64_t classes;
    const ag_real *logits;  /* [rows, classes] */
    const int32_t *targets; /* [rows]; negative: the row does not count */
    const ag_real *weights; /* [classes], or NULL for ones */
    double weight_total;    /* the sum of the weights */
    double smoothing;
    entropy_statistics *statistics; /* [rows], written by the forward, read by the backward */
} entropy_task;

/* Rotates the pair (2i, 2i+1) of each head by an angle. Row r takes cosine and sine from
 * row r % period of the tables [period, pairs]. */
typedef struct rotate_task {
    int64_t heads, pairs, period;
    const ag_real *cosine, *sine;
} rotate_task;

typedef struct kernel_rows {
    /* y = e^x / sum e^x; zeros for a row of -inf alone. */
    void (*softmax)(int64_t rows, int64_t width, const ag_real *x, ag_real *y);
    /* dx += y (dy - sum y dy) */
    void (*softmax_backward)(int64_t rows, int64_t width, const ag_real *y, const ag_real *dy, ag_real *dx);
    /* y = log softmax(x); -inf for a row of -inf alone. */
    void (*log_softmax)(int64_t rows, int64_t width, const ag_real *x, ag_real *y);
    /* dx += dy - e^y sum dy */
    void (*log_softmax_backward)(int64_t rows, int64_t width, const ag_real *y, const ag_real *dy, ag_real *dx);

    /* For rows begin .. end - 1: computes the statistics that the next two functions
     * read. */
    void (*norm_statistics)(const norm_task *task, int64_t begin, int64_t end);
    void (*norm)(const norm_task *task, int64_t begin, int64_t end, ag_real *y);
    /* Adds to dx [rows, width], and to the sums over rows, dweight and dbias [2,
     * width], each of which may be NULL. The second row of a sum collects what the
     * first rounds off. `workspace` is [NORM_WORKSPACE, width]. */
    void (*norm_backward)(const norm_task *task, int64_t begin, int64_t end, const ag_real *dy, ag_real *dx,
                          double *dweight, double *dbias, ag_real *workspace);

    /* losses [rows] = the loss of each row, 0 if the row does not count. */
    void (*cross_entropy)(const entropy_task *task, int64_t begin, int64_t end, double *losses);
    /* dloss [rows] is the gradient of each row's loss. */
    void (*cross_entropy_backward)(const entropy_task *task, int64_t begin, int64_t end, const ag_real *dloss,
                                   ag_real *dlogits);

    /* y = x rotated; dx += dy rotated back. */
    void (*rotate)(const rotate_task *task, int64_t begin, int64_t end, const ag_real *x, ag_real *y);
    void (*rotate_backward)(const rotate_task *task, int64_t begin, int64_t end, const ag_real *dy, ag_real *dx);
} kernel_rows;

#endif
