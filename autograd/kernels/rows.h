/* rows.h - functions of whole rows: softmax, norms, cross-entropy, turned pairs.
 *
 * Arrays are [rows, width] without gaps. A row's result depends on nothing but the row, so any split of the rows over
 * threads gives the same bits; only the sums over rows (dweight, dbias) belong to the caller's choice of blocks.
 * Backward functions add to the gradients that they are given. */
#ifndef AUTOGRAD_KERNELS_ROWS_H
#define AUTOGRAD_KERNELS_ROWS_H

#include "real.h"

/* The statistics that a norm keeps of a row: y = (x unit - mean) inverse. RMS norm has
 * mean 0. Where eps is 0, a row of nothing but its mean has the inverse 0, so its result
 * and its gradient are 0.
 *
 * The unit is 1, except where squares of x would overflow, or lose bits that the result
 * shows: there it is a power of two. The mean and the inverse are those of x unit. The
 * mean is in two parts, shift + rest: numbers near 1e4 in float lose their small
 * differences when a mean rounded to float is subtracted, while x - shift is exact there
 * (Sterbenz) and leaves only small numbers. */
typedef struct norm_statistics {
    ag_real shift, rest, unit;
    double inverse;
} norm_statistics;

/* Whether a row with this mean of squares, plus eps, overflows or loses bits in the unit 1;
 * and the unit that makes its largest element about 1 (if all are finite). */
bool norm_needs_unit(double variance);
ag_real norm_unit(int64_t width, const ag_real *x);

/* A norm of rows. Layer norm subtracts the mean (`centred`); RMS norm does not. */
typedef struct norm_task {
    bool centred;
    double eps;
    int64_t width;               /* at least 1 */
    const ag_real *x;               /* [rows, width] */
    const ag_real *weight, *bias;   /* [width] or NULL: ones, zeros */
    norm_statistics *statistics; /* [rows] */
} norm_task;

/* What cross-entropy keeps of a row: p = exp(logit - shift) * scale. */
typedef struct entropy_statistics {
    ag_real shift, scale;
} entropy_statistics;

typedef struct entropy_task {
    int64_t classes;
    const ag_real *logits;     /* [rows, classes] */
    const int32_t *targets; /* [rows]; negative: a row that does not count */
    const ag_real *weights;    /* [classes] or NULL: ones */
    double weight_total;    /* their sum */
    double smoothing;
    entropy_statistics *statistics; /* [rows], made by forward, read by backward */
} entropy_task;

/* Pairs (2i, 2i+1) of each head turned by an angle: row r uses row r % period of the tables [period, pairs]. */
typedef struct rotate_task {
    int64_t heads, pairs, period;
    const ag_real *cosine, *sine;
} rotate_task;

typedef struct kernel_rows {
    /* y = e^x / sum e^x; zeros for a row of nothing but -inf. */
    void (*softmax)(int64_t rows, int64_t width, const ag_real *x, ag_real *y);
    void (*softmax_backward)(int64_t rows, int64_t width, const ag_real *y, const ag_real *dy, ag_real *dx);
    /* y = log softmax(x); -inf for a row of nothing but -inf. */
    void (*log_softmax)(int64_t rows, int64_t width, const ag_real *x, ag_real *y);
    void (*log_softmax_backward)(int64_t rows, int64_t width, const ag_real *y, const ag_real *dy, ag_real *dx);

    /* The rows [begin, end): their statistics, which the others read; and the norm that these make. */
    void (*norm_statistics)(const norm_task *task, int64_t begin, int64_t end);
    void (*norm)(const norm_task *task, int64_t begin, int64_t end, ag_real *y);
    /* dx [rows, width], and the sums over the rows, dweight and dbias [2, width], may
     * each be NULL. The second row of the sums is what the first rounded off. `workspace`
     * is [4, width]. */
    void (*norm_backward)(const norm_task *task, int64_t begin, int64_t end, const ag_real *dy, ag_real *dx,
                          double *dweight, double *dbias, ag_real *workspace);

    /* The loss of each row in [begin, end), 0 where it does not count. */
    void (*cross_entropy)(const entropy_task *task, int64_t begin, int64_t end, double *losses);
    /* `dloss` [rows] is the gradient of the end result by each row's loss. */
    void (*cross_entropy_backward)(const entropy_task *task, int64_t begin, int64_t end, const ag_real *dloss,
                                   ag_real *dlogits);

    /* y = x turned, and dx += dy turned back. */
    void (*rotate)(const rotate_task *task, int64_t begin, int64_t end, const ag_real *x, ag_real *y);
    void (*rotate_backward)(const rotate_task *task, int64_t begin, int64_t end, const ag_real *dy, ag_real *dx);
} kernel_rows;

#endif
