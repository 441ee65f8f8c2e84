/* rows.c - softmax, norms, cross-entropy and rotary positions, row by row.
 *
 * Sums along a row are long sums (sums.h): their order depends on the width alone, and
 * they are as accurate for 30,000 classes as for 30. They are written with vectors,
 * since a compiler may not reorder them; other loops are plain C that compilers turn
 * into vector code. */
#include "../elementwise.h"
#include "../rows.h"
#include "../vector_math.h"

#include "level.h"
#include "scalar.h"
#include "sums.h"

#include <math.h>

#define BLOCK 256 /* elements of a row computed at a time; a multiple of LANES at every level */

/* ---- Along one row ----------------------------------------------------------------- */

static inline int64_t block_end(int64_t begin, int64_t n)
{
    return n - begin < BLOCK ? n : begin + BLOCK;
}

/* The largest element; -inf if n is 0. Passes over NaN, which reaches the result through
 * the exponentials. */
static ag_real row_max(int64_t n, const ag_real *x)
{
    ag_real best[LANES];
    for (int lane = 0; lane < LANES; lane++)
        best[lane] = -(ag_real)INFINITY;
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

/* The operands of a sum's terms, for the functions below. */
typedef struct row_terms {
    const ag_real *a, *b;
    ag_real shift, rest;
} row_terms;

static inline vector shifted_vector(const void *terms, int64_t i)
{
    const row_terms *t = terms;
    return load(t->a + i) - splat(t->shift);
}

static inline ag_real shifted_one(const void *terms, int64_t i)
{
    const row_terms *t = terms;
    return t->a[i] - t->shift;
}

/* sum (x[i] - shift) */
static double row_sum(int64_t n, const ag_real *x, ag_real shift)
{
    return sum_terms(n, shifted_vector, shifted_one, &(row_terms){.a = x, .shift = shift});
}

static inline vector product_vector(const void *terms, int64_t i)
{
    const row_terms *t = terms;
    return load(t->a + i) * load(t->b + i);
}

static inline ag_real product_one(const void *terms, int64_t i)
{
    const row_terms *t = terms;
    return t->a[i] * t->b[i];
}

/* sum a[i] b[i] */
static double row_dot(int64_t n, const ag_real *a, const ag_real *b)
{
    return sum_terms(n, product_vector, product_one, &(row_terms){.a = a, .b = b});
}

/* y = e^(x - shift) */
static void row_exp(int64_t n, const ag_real *restrict x, ag_real shift, ag_real *restrict y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = exp_real(x[i] - shift);
}

/* sum e^(x[i] - shift) */
static double row_exp_sum(int64_t n, const ag_real *x, ag_real shift)
{
    double sum = 0;
    for (int64_t begin = 0; begin < n; begin += BLOCK) {
        ag_real powers[BLOCK];
        int64_t count = block_end(begin, n) - begin;
        row_exp(count, x + begin, shift, powers);
        sum += row_sum(count, powers, 0);
    }
    return sum;
}

/* The maximum, which is subtracted before the exponential so that nothing overflows. 0
 * for a row without a number above -inf: its powers are then 0 (NaN for a NaN), while
 * -inf - -inf would be NaN. */
static ag_real softmax_shift(int64_t n, const ag_real *x)
{
    ag_real max = row_max(n, x);
    return max == -(ag_real)INFINITY ? 0 : max;
}

/* ---- Softmax ----------------------------------------------------------------------- */

static void softmax(int64_t rows, int64_t width, const ag_real *x, ag_real *y)
{
    for (int64_t r = 0; r < rows; r++, x += width, y += width) {
        row_exp(width, x, softmax_shift(width, x), y);
        double sum = row_sum(width, y, 0);
        ag_real scale = sum == 0 ? 0 : (ag_real)(1 / sum);
        for (int64_t i = 0; i < width; i++)
            y[i] *= scale;
    }
}

/* dx = y (dy - sum y dy) */
static void softmax_backward(int64_t rows, int64_t width, const ag_real *restrict y, const ag_real *restrict dy,
                             ag_real *restrict dx)
{
    for (int64_t r = 0; r < rows; r++, y += width, dy += width, dx += width) {
        if (kernel_all_zero(width, dy))
            continue;
        ag_real mean = (ag_real)row_dot(width, y, dy);
        for (int64_t i = 0; i < width; i++)
            dx[i] += y[i] * (dy[i] - mean);
    }
}

/* Rows that are computed together: while one waits for its sum, another is summed. */
#define TOGETHER 8

/* The sum of e^(x - shift) over a row, and its logarithm; 0 if the sum is 0. */
typedef struct power_sum {
    ag_real shift;
    double sum, logarithm;
} power_sum;

/* Of at most TOGETHER rows. */
static void sum_powers(int64_t rows, int64_t width, const ag_real *x, power_sum *sums)
{
    for (int64_t r = 0; r < rows; r++) {
        sums[r].shift = softmax_shift(width, x + r * width);
        sums[r].sum = row_exp_sum(width, x + r * width, sums[r].shift);
    }
    for (int64_t r = 0; r < rows; r++)
        sums[r].logarithm = sums[r].sum == 0 ? 0 : scalar_log(sums[r].sum);
}

static void log_softmax_rows(int64_t rows, int64_t width, const ag_real *restrict x, ag_real *restrict y)
{
    power_sum sums[TOGETHER];
    sum_powers(rows, width, x, sums);
    for (int64_t r = 0; r < rows; r++) {
        const ag_real shift = sums[r].shift, log_sum = (ag_real)sums[r].logarithm;
        for (int64_t i = r * width; i < (r + 1) * width; i++)
            y[i] = (x[i] - shift) - log_sum;
    }
}

static void log_softmax(int64_t rows, int64_t width, const ag_real *x, ag_real *y)
{
    for (int64_t r = 0; r < rows; r += TOGETHER)
        log_softmax_rows(smaller(rows - r, TOGETHER), width, x + r * width, y + r * width);
}

/* dx = dy - e^y sum dy */
static void log_softmax_backward(int64_t rows, int64_t width, const ag_real *restrict y, const ag_real *restrict dy,
                                 ag_real *restrict dx)
{
    for (int64_t r = 0; r < rows; r++, y += width, dy += width, dx += width) {
        if (kernel_all_zero(width, dy))
            continue;
        ag_real sum = (ag_real)row_sum(width, dy, 0);
        for (int64_t i = 0; i < width; i++)
            dx[i] += dy[i] - exp_real(y[i]) * sum;
    }
}

/* ---- Norms ------------------------------------------------------------------------- */

static inline vector square_vector(const void *terms, int64_t i)
{
    const row_terms *t = terms;
    const vector centred = (load(t->a + i) - splat(t->shift)) - splat(t->rest);
    return centred * centred;
}

static inline ag_real square_one(const void *terms, int64_t i)
{
    const row_terms *t = terms;
    const ag_real centred = (t->a[i] - t->shift) - t->rest;
    return centred * centred;
}

/* sum (x[i] - mean)^2 */
static double row_squares(int64_t n, const ag_real *x, ag_real shift, ag_real rest)
{
    return sum_terms(n, square_vector, square_one, &(row_terms){x, NULL, shift, rest});
}

/* Means in two steps: the mean of the differences from x[0], and the mean of what is left
 * after subtracting it. A constant row has a mean without any rounding. */
static void find_means(int64_t rows, int64_t n, const ag_real *x, norm_statistics *statistics)
{
    for (int64_t r = 0; r < rows; r++)
        statistics[r].shift = (ag_real)((double)x[r * n] + row_sum(n, x + r * n, x[r * n]) / (double)n);
    for (int64_t r = 0; r < rows; r++)
        statistics[r].rest = (ag_real)(row_sum(n, x + r * n, statistics[r].shift) / (double)n);
}

/* x in its unit: x itself if the unit is 1, else written to `room` [count]. */
static inline const ag_real *in_unit(int64_t count, const ag_real *x, ag_real unit, ag_real *room)
{
    if (unit == 1)
        return x;
    for (int64_t i = 0; i < count; i++)
        room[i] = x[i] * unit;
    return room;
}

static double sum_in_unit(int64_t n, const ag_real *x, ag_real unit, ag_real shift)
{
    ag_real room[BLOCK];
    double sum = 0;
    for (int64_t i = 0; i < n; i += BLOCK)
        sum += row_sum(block_end(i, n) - i, in_unit(block_end(i, n) - i, x + i, unit, room), shift);
    return sum;
}

/* The statistics of a row whose squares overflow or underflow, or that holds infinity or
 * NaN, which makes them NaN. */
static void find_statistics_in_unit(const norm_task *task, const ag_real *x, norm_statistics *row)
{
    const int64_t n = task->width;
    const ag_real unit = norm_unit(n, x), first = x[0] * unit;
    ag_real room[BLOCK];
    double squares = 0;
    *row = (norm_statistics){.unit = unit};
    if (task->centred) {
        row->shift = (ag_real)((double)first + sum_in_unit(n, x, unit, first) / (double)n);
        row->rest = (ag_real)(sum_in_unit(n, x, unit, row->shift) / (double)n);
    }
    for (int64_t i = 0; i < n; i += BLOCK) {
        const int64_t count = block_end(i, n) - i;
        squares += row_squares(count, in_unit(count, x + i, unit, room), row->shift, row->rest);
    }
    const double variance = squares / (double)n + task->eps * (double)unit * (double)unit;
    row->inverse = variance == 0 ? 0 : 1 / sqrt(variance);
}

static void find_statistics(const norm_task *task, int64_t rows, const ag_real *x, norm_statistics *statistics)
{
    const int64_t n = task->width;
    double variance[TOGETHER];
    for (int64_t r = 0; r < rows; r++)
        statistics[r] = (norm_statistics){.unit = 1};
    if (task->centred)
        find_means(rows, n, x, statistics);
    for (int64_t r = 0; r < rows; r++) {
        variance[r] = row_squares(n, x + r * n, statistics[r].shift, statistics[r].rest) / (double)n + task->eps;
        statistics[r].inverse = 1 / sqrt(variance[r]);
    }
    for (int64_t r = 0; r < rows; r++)
        if (norm_needs_unit(variance[r]))
            find_statistics_in_unit(task, x + r * n, &statistics[r]);
}

static void norm_row_statistics(const norm_task *task, int64_t begin, int64_t end)
{
    for (int64_t r = begin; r < end; r += TOGETHER)
        find_statistics(task, smaller(end - r, TOGETHER), task->x + r * task->width, task->statistics + r);
}

/* y = (x - mean) inverse weight + bias, for `count` elements x in the row's unit */
INLINE void norm_elements(const norm_statistics *row, int64_t count, const ag_real *restrict x,
                          const ag_real *restrict weight, const ag_real *restrict bias, ag_real *restrict y)
{
    const ag_real shift = row->shift, rest = row->rest, scale = (ag_real)row->inverse;
    if (weight && bias)
        for (int64_t i = 0; i < count; i++)
            y[i] = ((x[i] - shift) - rest) * scale * weight[i] + bias[i];
    else
        for (int64_t i = 0; i < count; i++)
            y[i] = ((x[i] - shift) - rest) * scale * (weight ? weight[i] : 1) + (bias ? bias[i] : 0);
}

static void norm_in_unit(const norm_task *task, const norm_statistics *row, const ag_real *x, ag_real *y)
{
    const ag_real *weight = task->weight, *bias = task->bias;
    ag_real room[BLOCK];
    for (int64_t i = 0; i < task->width; i += BLOCK) {
        const int64_t count = block_end(i, task->width) - i;
        norm_elements(row, count, in_unit(count, x + i, row->unit, room), weight ? weight + i : NULL,
                      bias ? bias + i : NULL, y + i);
    }
}

static void norm(const norm_task *task, int64_t begin, int64_t end, ag_real *y)
{
    const int64_t width = task->width;
    for (int64_t r = begin; r < end; r++) {
        const norm_statistics *row = &task->statistics[r];
        if (row->unit == 1)
            norm_elements(row, width, task->x + r * width, task->weight, task->bias, y + r * width);
        else
            norm_in_unit(task, row, task->x + r * width, y + r * width);
    }
}

/* Of a row, with n = (x - mean) inverse and g = dy weight: the sums of g and of g n. */
typedef struct norm_sums {
    double g, gn;
} norm_sums;

/* For `count` elements x in the row's unit. Writes g, unless there is no weight. */
static norm_sums sums_of_elements(const norm_statistics *row, int64_t count, const ag_real *x, const ag_real *dy,
                                  const ag_real *weight, ag_real *g)
{
    const ag_real shift = row->shift, rest = row->rest, inverse = (ag_real)row->inverse;
    long_sum sum_g = {{0}, {0}}, sum_gn = {{0}, {0}};
    norm_sums tail = {0, 0};
    int64_t i = 0;
    while (i + LANES <= count) {
        vector group_g = {0}, group_gn = {0};
        for (const int64_t end = i + SUM_GROUP * LANES; i < end && i + LANES <= count; i += LANES) {
            const vector n = ((load(x + i) - splat(shift)) - splat(rest)) * splat(inverse);
            const vector weighted = weight ? load(dy + i) * load(weight + i) : load(dy + i);
            if (weight)
                store(g + i, weighted);
            group_g += weighted;
            group_gn += weighted * n;
        }
        long_sum_add(&sum_g, group_g);
        long_sum_add(&sum_gn, group_gn);
    }
    for (; i < count; i++) {
        const ag_real n = ((x[i] - shift) - rest) * inverse, weighted = weight ? dy[i] * weight[i] : dy[i];
        if (weight)
            g[i] = weighted;
        tail.g += (double)weighted;
        tail.gn += (double)(weighted * n);
    }
    return (norm_sums){long_sum_total(&sum_g) + tail.g, long_sum_total(&sum_gn) + tail.gn};
}

static norm_sums find_norm_sums(const norm_task *task, const norm_statistics *row, const ag_real *x, const ag_real *dy,
                                ag_real *g)
{
    norm_sums sums = {0, 0};
    ag_real room[BLOCK];
    if (row->unit == 1)
        return sums_of_elements(row, task->width, x, dy, task->weight, g);
    for (int64_t i = 0; i < task->width; i += BLOCK) {
        const int64_t count = block_end(i, task->width) - i;
        const norm_sums block = sums_of_elements(row, count, in_unit(count, x + i, row->unit, room), dy + i,
                                                 task->weight ? task->weight + i : NULL, g + i);
        sums.g += block.g;
        sums.gn += block.gn;
    }
    return sums;
}

/* The gradients that a group of rows adds to, dweight and dbias in ag_real. */
typedef struct norm_gradients {
    ag_real *dx, *dweight, *dbias;
} norm_gradients;

/* dx += inverse (g - mean(g) - n mean(g n)) unit;  dweight += dy n;  dbias += dy */
INLINE void add_elements(const norm_task *task, const norm_statistics *row, norm_sums means, ag_real unit,
                         const ag_real *restrict x, const ag_real *restrict dy, const ag_real *restrict g,
                         const norm_gradients *to)
{
    const ag_real shift = row->shift, rest = row->rest, inverse = (ag_real)row->inverse;
    const ag_real mean_g = (ag_real)means.g, mean_gn = (ag_real)means.gn;
    ag_real *restrict dx = to->dx, *restrict dweight = to->dweight, *restrict dbias = to->dbias;
    for (int64_t i = 0; i < task->width; i++) {
        const ag_real n = ((x[i] * unit - shift) - rest) * inverse;
        dx[i] += inverse * ((g[i] - mean_g) - n * mean_gn) * unit;
        dweight[i] += dy[i] * n;
        dbias[i] += dy[i];
    }
}

static void add_norm_gradients(const norm_task *task, const norm_statistics *row, norm_sums sums, const ag_real *x,
                               const ag_real *dy, const ag_real *g, const norm_gradients *to)
{
    const double width = (double)task->width;
    const norm_sums means = {task->centred ? sums.g / width : 0, sums.gn / width};
    if (row->unit == 1)
        add_elements(task, row, means, 1, x, dy, g, to);
    else
        add_elements(task, row, means, row->unit, x, dy, g, to);
}

/* With n = (x - mean) inverse and g = dy weight:
 *     dx = inverse (g - mean(g) - n mean(g n)), where RMS norm has no mean(g);
 *     dweight = sum over rows of dy n, dbias = sum over rows of dy. */
static void norm_backward(const norm_task *task, int64_t begin, int64_t end, const ag_real *dy, ag_real *dx,
                          double *dweight, double *dbias, ag_real *workspace)
{
    const int64_t width = task->width;
    ag_real *g = workspace + 3 * width;
    norm_gradients to = {.dweight = workspace, .dbias = workspace + width};
    memset(workspace, 0, (size_t)(3 * width) * sizeof(ag_real));

    for (int64_t first = begin; first < end; first += NORM_GROUP) {
        const int64_t rows = smaller(end - first, NORM_GROUP);
        norm_sums sums[NORM_GROUP];
        bool counts[NORM_GROUP];
        for (int64_t i = 0, row = first * width; i < rows; i++, row += width) {
            counts[i] = !kernel_all_zero(width, dy + row);
            if (counts[i])
                sums[i] = find_norm_sums(task, &task->statistics[first + i], task->x + row, dy + row, g + i * width);
        }
        for (int64_t i = 0, row = first * width; i < rows; i++, row += width) {
            to.dx = dx ? dx + row : workspace + 2 * width;
            if (counts[i])
                add_norm_gradients(task, &task->statistics[first + i], sums[i], task->x + row, dy + row,
                                   task->weight ? g + i * width : dy + row, &to);
        }
        if (dweight)
            long_sums_take(width, to.dweight, dweight);
        if (dbias)
            long_sums_take(width, to.dbias, dbias);
    }
}

/* ---- Cross-entropy ----------------------------------------------------------------- */

/* sum w[c] (-log p[c]), where -log p[c] = log_sum - (x[c] - shift). A class of weight 0
 * adds nothing, whatever its logit. */
static double cross_entropy_weighted(const entropy_task *task, const ag_real *x, ag_real shift, double log_sum)
{
    const ag_real *weights = task->weights;
    double sum = weights ? 0 : row_sum(task->classes, x, shift);

    for (int64_t begin = 0; weights && begin < task->classes; begin += BLOCK) {
        ag_real shifted[BLOCK];
        int64_t count = block_end(begin, task->classes) - begin;
        for (int64_t i = 0; i < count; i++)
            shifted[i] = weights[begin + i] == 0 ? 0 : x[begin + i] - shift;
        sum += (double)dot(count, weights + begin, shifted);
    }
    return task->weight_total * log_sum - sum;
}

/* (1 - s) w[t] (-log p[t]) + (s / C) sum_c w[c] (-log p[c]) */
static double row_loss(const entropy_task *task, const ag_real *x, int32_t target, const power_sum *powers)
{
    const double smoothing = task->smoothing;
    const double weight = (1 - smoothing) * (task->weights ? (double)task->weights[target] : 1);
    double loss = 0;
    if (weight != 0)
        loss = weight * (powers->logarithm - ((double)x[target] - (double)powers->shift));
    if (smoothing > 0)
        loss += smoothing / (double)task->classes * cross_entropy_weighted(task, x, powers->shift, powers->logarithm);
    return loss;
}

/* Runs of up to TOGETHER rows that count are summed together. */
static void cross_entropy(const entropy_task *task, int64_t begin, int64_t end, double *losses)
{
    const int64_t classes = task->classes;
    for (int64_t r = begin, run; r < end; r += run) {
        power_sum powers[TOGETHER];
        losses[r] = 0;
        for (run = 0; run < TOGETHER && r + run < end && task->targets[r + run] >= 0; run++)
            ;
        sum_powers(run, classes, task->logits + r * classes, powers);
        for (int64_t i = 0; i < run; i++) {
            losses[r + i] = row_loss(task, task->logits + (r + i) * classes, task->targets[r + i], &powers[i]);
            const double sum = powers[i].sum;
            task->statistics[r + i] = (entropy_statistics){powers[i].shift, sum == 0 ? 0 : (ag_real)(1 / sum)};
        }
        run = run ? run : 1;
    }
}

/* dlogits[c] = dloss (p[c] sum(q) - q[c]), with the target's distribution
 *     q[c] = (1 - s) w[t] [c = t] + (s / C) w[c]. */
static void cross_entropy_backward(const entropy_task *task, int64_t begin, int64_t end, const ag_real *dloss,
                                   ag_real *dlogits)
{
    const int64_t classes = task->classes;
    const ag_real *weights = task->weights;
    const double spread = task->smoothing / (double)classes;

    for (int64_t r = begin; r < end; r++) {
        const int32_t target = task->targets[r];
        if (target < 0)
            continue;
        const ag_real *restrict x = task->logits + r * classes;
        ag_real *restrict dx = dlogits + r * classes;
        const ag_real shift = task->statistics[r].shift;
        double peak = (1 - task->smoothing) * (weights ? (double)weights[target] : 1);
        const double mass = (double)dloss[r] * (peak + spread * task->weight_total);
        if (mass == 0) /* then the row is ignored: its logits may be anything */
            continue;
        ag_real factor = (ag_real)mass * task->statistics[r].scale;
        ag_real even = (ag_real)((double)dloss[r] * spread);

        /* p - q may be near 0. So the target's share is complete before it is added: the
         * earlier dx would round it away. */
        const ag_real before = dx[target], evenly = weights ? even * weights[target] : even;
        if (even == 0)
            for (int64_t c = 0; c < classes; c++)
                dx[c] += factor * exp_real(x[c] - shift);
        else
            for (int64_t c = 0; c < classes; c++)
                dx[c] += factor * exp_real(x[c] - shift) - (weights ? even * weights[c] : even);
        const ag_real own = factor * exp_real(x[target] - shift) - evenly;
        /* (dloss peak is computed as the rest of the mass, and so rounded as the mass
         * is) */
        dx[target] = before + (own - (ag_real)(mass - (double)dloss[r] * spread * task->weight_total));
    }
}

/* ---- Rotary positions -------------------------------------------------------------- */

/* (a, b) -> (a cos - b sin, a sin + b cos) */
static void rotate(const rotate_task *task, int64_t begin, int64_t end, const ag_real *x_all, ag_real *y_all)
{
    const int64_t pairs = task->pairs;

    for (int64_t head = begin * task->heads; head < end * task->heads; head++) {
        int64_t position = head / task->heads % task->period;
        const ag_real *restrict cosine = task->cosine + position * pairs;
        const ag_real *restrict sine = task->sine + position * pairs;
        const ag_real *restrict x = x_all + head * 2 * pairs;
        ag_real *restrict y = y_all + head * 2 * pairs;
        for (int64_t i = 0; i < pairs; i++) {
            y[2 * i] = x[2 * i] * cosine[i] - x[2 * i + 1] * sine[i];
            y[2 * i + 1] = x[2 * i] * sine[i] + x[2 * i + 1] * cosine[i];
        }
    }
}

/* A rotation is orthogonal, so the gradient is rotated by the opposite angle. */
static void rotate_backward(const rotate_task *task, int64_t begin, int64_t end, const ag_real *dy_all, ag_real *dx_all)
{
    const int64_t pairs = task->pairs;

    for (int64_t head = begin * task->heads; head < end * task->heads; head++) {
        int64_t position = head / task->heads % task->period;
        const ag_real *restrict cosine = task->cosine + position * pairs;
        const ag_real *restrict sine = task->sine + position * pairs;
        const ag_real *restrict dy = dy_all + head * 2 * pairs;
        ag_real *restrict dx = dx_all + head * 2 * pairs;
        for (int64_t i = 0; i < pairs; i++) {
            dx[2 * i] += dy[2 * i] * cosine[i] + dy[2 * i + 1] * sine[i];
            dx[2 * i + 1] += dy[2 * i + 1] * cosine[i] - dy[2 * i] * sine[i];
        }
    }
}

const kernel_rows KERNEL(kernel_rows) = {
    .softmax = softmax,
    .softmax_backward = softmax_backward,
    .log_softmax = log_softmax,
    .log_softmax_backward = log_softmax_backward,
    .norm_statistics = norm_row_statistics,
    .norm = norm,
    .norm_backward = norm_backward,
    .cross_entropy = cross_entropy,
    .cross_entropy_backward = cross_entropy_backward,
    .rotate = rotate,
    .rotate_backward = rotate_backward,
};
