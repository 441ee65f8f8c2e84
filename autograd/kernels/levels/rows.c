/* rows.c - softmax, norms, cross-entropy and turned pairs, row by row.
 *
 * Sums along a row go through vectors for BLOCK elements at a time and in double from block to block: fast, in an order
 * that depends on the width alone, and as good for 30,000 classes as for 30. The sums are written with vectors, since a
 * compiler may not reorder them; elementwise loops are plain C that compilers turn into vectors. */
#include "../rows.h"

#include "level.h"
#include "scalar.h"
#include "vector_math.h"

#include <math.h>

#define BLOCK 256 /* elements; a multiple of LANES at every level */

/* ---- Along one row -------------------------------------------------------------------------- */

static inline int64_t block_end(int64_t begin, int64_t n)
{
    return n - begin < BLOCK ? n : begin + BLOCK;
}

/* The largest of n; -inf of none. NaN is passed over here: it reaches the result by way of the exponentials. */
static real row_max(int64_t n, const real *x)
{
    real best[LANES];
    for (int lane = 0; lane < LANES; lane++)
        best[lane] = -(real)INFINITY;
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int lane = 0; lane < LANES; lane++)
            best[lane] = x[i + lane] > best[lane] ? x[i + lane] : best[lane];
    for (; i < n; i++)
        best[0] = x[i] > best[0] ? x[i] : best[0];
    for (int lane = 1; lane < LANES; lane++)
        best[0] = best[lane] > best[0] ? best[lane] : best[0];
    return best[0];
}

/* sum (x[i] - shift) */
static double row_sum(int64_t n, const real *x, real shift)
{
    double sum = 0;
    for (int64_t begin = 0; begin < n; begin += BLOCK) {
        int64_t end = block_end(begin, n), i = begin;
        vector lanes = {0};
        real tail = 0;
        for (; i + LANES <= end; i += LANES)
            lanes += load(x + i) - splat(shift);
        for (; i < end; i++)
            tail += x[i] - shift;
        sum += (double)(vector_sum(lanes) + tail);
    }
    return sum;
}

/* sum a[i] b[i] */
static double row_dot(int64_t n, const real *a, const real *b)
{
    double sum = 0;
    for (int64_t begin = 0; begin < n; begin += BLOCK)
        sum += (double)dot(block_end(begin, n) - begin, a + begin, b + begin);
    return sum;
}

/* y = e^(x - shift) */
static void row_exp(int64_t n, const real *restrict x, real shift, real *restrict y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = exp_real(x[i] - shift);
}

/* sum e^(x[i] - shift) */
static double row_exp_sum(int64_t n, const real *x, real shift)
{
    double sum = 0;
    for (int64_t begin = 0; begin < n; begin += BLOCK) {
        real powers[BLOCK];
        int64_t count = block_end(begin, n) - begin;
        row_exp(count, x + begin, shift, powers);
        sum += row_sum(count, powers, 0);
    }
    return sum;
}

/* What to subtract before the exponential: the maximum, so that nothing overflows. A row without a number above -inf is
 * left as it is: its powers are 0 (or NaN where a NaN hides), where -inf - -inf would be NaN. */
static real softmax_shift(int64_t n, const real *x)
{
    real max = row_max(n, x);
    return max == -(real)INFINITY ? 0 : max;
}

/* ---- Softmax -------------------------------------------------------------------------------- */

static void softmax(int64_t rows, int64_t width, const real *x, real *y)
{
    for (int64_t r = 0; r < rows; r++, x += width, y += width) {
        row_exp(width, x, softmax_shift(width, x), y);
        double sum = row_sum(width, y, 0);
        real scale = sum == 0 ? 0 : (real)(1 / sum);
        for (int64_t i = 0; i < width; i++)
            y[i] *= scale;
    }
}

/* dx = y (dy - sum y dy) */
static void softmax_backward(int64_t rows, int64_t width, const real *restrict y, const real *restrict dy,
                             real *restrict dx)
{
    for (int64_t r = 0; r < rows; r++, y += width, dy += width, dx += width) {
        real mean = (real)row_dot(width, y, dy);
        for (int64_t i = 0; i < width; i++)
            dx[i] += y[i] * (dy[i] - mean);
    }
}

static void log_softmax(int64_t rows, int64_t width, const real *restrict x, real *restrict y)
{
    for (int64_t r = 0; r < rows; r++, x += width, y += width) {
        real shift = softmax_shift(width, x);
        double sum = row_exp_sum(width, x, shift);
        real log_sum = sum == 0 ? 0 : (real)scalar_log(sum);
        for (int64_t i = 0; i < width; i++)
            y[i] = (x[i] - shift) - log_sum;
    }
}

/* dx = dy - e^y sum dy */
static void log_softmax_backward(int64_t rows, int64_t width, const real *restrict y, const real *restrict dy,
                                 real *restrict dx)
{
    for (int64_t r = 0; r < rows; r++, y += width, dy += width, dx += width) {
        real sum = (real)row_sum(width, dy, 0);
        for (int64_t i = 0; i < width; i++)
            dx[i] += dy[i] - exp_real(y[i]) * sum;
    }
}

/* ---- Norms ---------------------------------------------------------------------------------- */

/* sum (x[i] - mean)^2 */
static double row_squares(int64_t n, const real *x, real shift, real rest)
{
    double squares = 0;
    for (int64_t begin = 0; begin < n; begin += BLOCK) {
        int64_t end = block_end(begin, n), i = begin;
        vector lanes = {0};
        real tail = 0;
        for (; i + LANES <= end; i += LANES) {
            const vector centred = (load(x + i) - splat(shift)) - splat(rest);
            lanes += centred * centred;
        }
        for (; i < end; i++) {
            const real centred = (x[i] - shift) - rest;
            tail += centred * centred;
        }
        squares += (double)(vector_sum(lanes) + tail);
    }
    return squares;
}

/* What is done to a row waits for its sums, so it is done to some rows in turn: while one waits, another is summed. */
#define TOGETHER 8

/* The means in two steps: a first mean of the differences from x[0], and what the differences from that still average
 * to. A constant row comes out without any rounding. */
static void find_means(int64_t rows, int64_t n, const real *x, norm_statistics *statistics)
{
    for (int64_t r = 0; r < rows; r++)
        statistics[r].shift = (real)((double)x[r * n] + row_sum(n, x + r * n, x[r * n]) / (double)n);
    for (int64_t r = 0; r < rows; r++)
        statistics[r].rest = (real)(row_sum(n, x + r * n, statistics[r].shift) / (double)n);
}

static void find_some(const norm_task *task, int64_t rows, const real *x, norm_statistics *statistics)
{
    const int64_t n = task->width;
    memset(statistics, 0, (size_t)rows * sizeof *statistics);
    if (task->centred)
        find_means(rows, n, x, statistics);
    for (int64_t r = 0; r < rows; r++) {
        const double squares = row_squares(n, x + r * n, statistics[r].shift, statistics[r].rest);
        statistics[r].inverse = 1 / sqrt(squares / (double)n + task->eps);
    }
}

static void norm_find(const norm_task *task, int64_t begin, int64_t end)
{
    for (int64_t r = begin; r < end; r += TOGETHER)
        find_some(task, smaller(end - r, TOGETHER), task->x + r * task->width, task->statistics + r);
}

/* y = (x - mean) inverse weight + bias */
static void norm_row(const norm_task *task, const norm_statistics *row, const real *restrict x, real *restrict y)
{
    const real shift = row->shift, rest = row->rest, scale = (real)row->inverse;
    const real *restrict weight = task->weight, *restrict bias = task->bias;
    if (weight && bias)
        for (int64_t i = 0; i < task->width; i++)
            y[i] = ((x[i] - shift) - rest) * scale * weight[i] + bias[i];
    else
        for (int64_t i = 0; i < task->width; i++)
            y[i] = ((x[i] - shift) - rest) * scale * (weight ? weight[i] : 1) + (bias ? bias[i] : 0);
}

static void norm(const norm_task *task, int64_t begin, int64_t end, real *y)
{
    for (int64_t r = begin; r < end; r++)
        norm_row(task, &task->statistics[r], task->x + r * task->width, y + r * task->width);
}

typedef struct norm_sums {
    double g, gn;
} norm_sums;

/* n = (x - mean) inverse;  g = dy weight;  and the sums of g and of g n. */
static norm_sums row_products(int64_t width, const real *restrict x, const norm_statistics *row,
                              const real *restrict dy, const real *restrict weight, real *restrict n, real *restrict g)
{
    const real shift = row->shift, rest = row->rest, inverse = (real)row->inverse;
    norm_sums sums = {0, 0};
    for (int64_t begin = 0; begin < width; begin += BLOCK) {
        int64_t end = block_end(begin, width), i = begin;
        vector lanes_g = {0}, lanes_gn = {0};
        real tail_g = 0, tail_gn = 0;
        for (; i + LANES <= end; i += LANES) {
            vector normal = ((load(x + i) - splat(shift)) - splat(rest)) * splat(inverse);
            vector weighted = weight ? load(dy + i) * load(weight + i) : load(dy + i);
            store(n + i, normal);
            store(g + i, weighted);
            lanes_g += weighted;
            lanes_gn += weighted * normal;
        }
        for (; i < end; i++) {
            n[i] = ((x[i] - shift) - rest) * inverse;
            g[i] = weight ? dy[i] * weight[i] : dy[i];
            tail_g += g[i];
            tail_gn += g[i] * n[i];
        }
        sums.g += (double)(vector_sum(lanes_g) + tail_g);
        sums.gn += (double)(vector_sum(lanes_gn) + tail_gn);
    }
    return sums;
}

/* With n = (x - mean) inverse and g = dy weight:
 *     dx = inverse (g - mean(g) - n mean(g n)), where RMS norm has no mean(g);
 *     dweight = sum over rows of dy n, dbias = sum over rows of dy. */
static void norm_backward(const norm_task *task, int64_t begin, int64_t end, const real *dy_all, real *dx_all,
                          real *restrict dweight, real *restrict dbias, real *restrict workspace)
{
    const int64_t width = task->width;
    real *restrict n = workspace, *restrict g = workspace + width;

    for (int64_t r = begin; r < end; r++) {
        const norm_statistics *row = &task->statistics[r];
        const real *restrict dy = dy_all + r * width;
        const real scale = (real)row->inverse;
        norm_sums sums = row_products(width, task->x + r * width, row, dy, task->weight, n, g);
        if (dx_all) {
            real *restrict dx = dx_all + r * width;
            real mean_g = task->centred ? (real)(sums.g / (double)width) : 0;
            real mean_gn = (real)(sums.gn / (double)width);
            for (int64_t i = 0; i < width; i++)
                dx[i] += scale * ((g[i] - mean_g) - n[i] * mean_gn);
        }
        if (dweight)
            for (int64_t i = 0; i < width; i++)
                dweight[i] += dy[i] * n[i];
        if (dbias)
            for (int64_t i = 0; i < width; i++)
                dbias[i] += dy[i];
    }
}

/* ---- Cross-entropy -------------------------------------------------------------------------- */

/* sum w[c] (-log p[c]), where -log p[c] = log_sum - (x[c] - shift). A class of weight 0 adds nothing,
 * whatever its logit. */
static double weighted_surprise(const entropy_task *task, const real *x, real shift, double log_sum)
{
    const real *weights = task->weights;
    double sum = weights ? 0 : row_sum(task->classes, x, shift);

    for (int64_t begin = 0; weights && begin < task->classes; begin += BLOCK) {
        real shifted[BLOCK];
        int64_t count = block_end(begin, task->classes) - begin;
        for (int64_t i = 0; i < count; i++)
            shifted[i] = weights[begin + i] == 0 ? 0 : x[begin + i] - shift;
        sum += (double)dot(count, weights + begin, shifted);
    }
    return task->weight_total * log_sum - sum;
}

/* (1 - s) w[t] (-log p[t]) + (s / C) sum_c w[c] (-log p[c]) */
static void cross_entropy(const entropy_task *task, int64_t begin, int64_t end, double *losses)
{
    const double smoothing = task->smoothing;

    for (int64_t r = begin; r < end; r++) {
        const real *x = task->logits + r * task->classes;
        const int32_t target = task->targets[r];
        losses[r] = 0;
        if (target < 0)
            continue;

        real shift = softmax_shift(task->classes, x);
        double sum = row_exp_sum(task->classes, x, shift);
        double log_sum = sum == 0 ? 0 : scalar_log(sum);
        task->statistics[r] = (entropy_statistics){shift, sum == 0 ? 0 : (real)(1 / sum)};

        double weight = (1 - smoothing) * (task->weights ? (double)task->weights[target] : 1);
        if (weight != 0)
            losses[r] = weight * (log_sum - ((double)x[target] - (double)shift));
        if (smoothing > 0)
            losses[r] += smoothing / (double)task->classes * weighted_surprise(task, x, shift, log_sum);
    }
}

/* dlogits[c] = dloss (p[c] sum(q) - q[c]), with the target's distribution
 *     q[c] = (1 - s) w[t] [c = t] + (s / C) w[c]. */
static void cross_entropy_backward(const entropy_task *task, int64_t begin, int64_t end, const real *dloss,
                                   real *dlogits)
{
    const int64_t classes = task->classes;
    const real *weights = task->weights;
    const double spread = task->smoothing / (double)classes;

    for (int64_t r = begin; r < end; r++) {
        const int32_t target = task->targets[r];
        if (target < 0)
            continue;
        const real *restrict x = task->logits + r * classes;
        real *restrict dx = dlogits + r * classes;
        const real shift = task->statistics[r].shift;
        double peak = (1 - task->smoothing) * (weights ? (double)weights[target] : 1);
        real factor = (real)((double)dloss[r] * (peak + spread * task->weight_total)) * task->statistics[r].scale;
        real even = (real)((double)dloss[r] * spread);

        for (int64_t c = 0; c < classes; c++)
            dx[c] += factor * exp_real(x[c] - shift);
        if (even != 0)
            for (int64_t c = 0; c < classes; c++)
                dx[c] -= weights ? even * weights[c] : even;
        dx[target] -= (real)((double)dloss[r] * peak);
    }
}

/* ---- Turned pairs --------------------------------------------------------------------------- */

/* (a, b) -> (a cos - b sin, a sin + b cos) */
static void turn(const turn_task *task, int64_t begin, int64_t end, const real *x_all, real *y_all)
{
    const int64_t pairs = task->pairs;

    for (int64_t piece = begin * task->heads; piece < end * task->heads; piece++) {
        int64_t position = piece / task->heads % task->period;
        const real *restrict cosine = task->cosine + position * pairs, *restrict sine = task->sine + position * pairs;
        const real *restrict x = x_all + piece * 2 * pairs;
        real *restrict y = y_all + piece * 2 * pairs;
        for (int64_t i = 0; i < pairs; i++) {
            y[2 * i] = x[2 * i] * cosine[i] - x[2 * i + 1] * sine[i];
            y[2 * i + 1] = x[2 * i] * sine[i] + x[2 * i + 1] * cosine[i];
        }
    }
}

/* The turn is orthogonal: the gradient is turned by the opposite angle. */
static void turn_backward(const turn_task *task, int64_t begin, int64_t end, const real *dy_all, real *dx_all)
{
    const int64_t pairs = task->pairs;

    for (int64_t piece = begin * task->heads; piece < end * task->heads; piece++) {
        int64_t position = piece / task->heads % task->period;
        const real *restrict cosine = task->cosine + position * pairs, *restrict sine = task->sine + position * pairs;
        const real *restrict dy = dy_all + piece * 2 * pairs;
        real *restrict dx = dx_all + piece * 2 * pairs;
        for (int64_t i = 0; i < pairs; i++) {
            dx[2 * i] += dy[2 * i] * cosine[i] + dy[2 * i + 1] * sine[i];
            dx[2 * i + 1] += dy[2 * i + 1] * cosine[i] - dy[2 * i] * sine[i];
        }
    }
}

const kernel_rows KERNEL(rows) = {
    .softmax = softmax,
    .softmax_backward = softmax_backward,
    .log_softmax = log_softmax,
    .log_softmax_backward = log_softmax_backward,
    .norm_find = norm_find,
    .norm = norm,
    .norm_backward = norm_backward,
    .cross_entropy = cross_entropy,
    .cross_entropy_backward = cross_entropy_backward,
    .turn = turn,
    .turn_backward = turn_backward,
};
