/* rows.c - softmax, norms, cross-entropy and rotary positions, one row after the
 * other. */
#include "../rows.h"

#include "../elementwise.h"
#include "../vector_math.h"

/* ---- Softmax ----------------------------------------------------------------------- */

/* The largest element, which is subtracted before the exponential so that it cannot
 * overflow. Of a row without a number above -inf: 0, for -inf - -inf would be NaN.
 * (NaN is passed over: it reaches the sum as its own power.) */
static ag_real softmax_shift(int64_t n, const ag_real *x)
{
    ag_real max = -(ag_real)INFINITY;
    for (int64_t i = 0; i < n; i++)
        max = x[i] > max ? x[i] : max;
    return max == -(ag_real)INFINITY ? 0 : max;
}

/* sum e^(x[i] - shift) */
static double softmax_sum(int64_t n, const ag_real *x, ag_real shift)
{
    scalar_sum sum = {0, 0};
    for (int64_t i = 0; i < n; i++)
        scalar_sum_add(&sum, (double)exp_real(x[i] - shift));
    return scalar_sum_total(&sum);
}

/* y[i] = e^x[i] / sum e^x */
static void softmax(int64_t rows, int64_t width, const ag_real *x, ag_real *y)
{
    for (int64_t r = 0; r < rows; r++, x += width, y += width) {
        const ag_real shift = softmax_shift(width, x);
        const double sum = softmax_sum(width, x, shift);
        const ag_real scale = sum == 0 ? 0 : (ag_real)(1 / sum);
        for (int64_t i = 0; i < width; i++)
            y[i] = exp_real(x[i] - shift) * scale;
    }
}

/* dx[i] += y[i] (dy[i] - sum y dy) */
static void softmax_backward(int64_t rows, int64_t width, const ag_real *y, const ag_real *dy, ag_real *dx)
{
    for (int64_t r = 0; r < rows; r++, y += width, dy += width, dx += width) {
        scalar_sum mean = {0, 0};
        if (kernel_all_zero(width, dy))
            continue;
        for (int64_t i = 0; i < width; i++)
            scalar_sum_add(&mean, (double)(y[i] * dy[i]));
        for (int64_t i = 0; i < width; i++)
            dx[i] += y[i] * (dy[i] - (ag_real)scalar_sum_total(&mean));
    }
}

/* ln sum e^(x[i] - shift); 0 where the sum is 0, for a row of -inf alone. */
static double softmax_log_sum(double sum)
{
    return sum == 0 ? 0 : scalar_log(sum);
}

/* y[i] = x[i] - ln sum e^x */
static void log_softmax(int64_t rows, int64_t width, const ag_real *x, ag_real *y)
{
    for (int64_t r = 0; r < rows; r++, x += width, y += width) {
        const ag_real shift = softmax_shift(width, x);
        const ag_real log_sum = (ag_real)softmax_log_sum(softmax_sum(width, x, shift));
        for (int64_t i = 0; i < width; i++)
            y[i] = (x[i] - shift) - log_sum;
    }
}

/* dx[i] += dy[i] - e^y[i] sum dy */
static void log_softmax_backward(int64_t rows, int64_t width, const ag_real *y, const ag_real *dy, ag_real *dx)
{
    for (int64_t r = 0; r < rows; r++, y += width, dy += width, dx += width) {
        scalar_sum sum = {0, 0};
        if (kernel_all_zero(width, dy))
            continue;
        for (int64_t i = 0; i < width; i++)
            scalar_sum_add(&sum, (double)dy[i]);
        for (int64_t i = 0; i < width; i++)
            dx[i] += dy[i] - exp_real(y[i]) * (ag_real)scalar_sum_total(&sum);
    }
}

/* ---- Norms ------------------------------------------------------------------------- */

/* unit x[i] - mean */
static ag_real centred(const norm_statistics *s, ag_real x)
{
    return (x * s->unit - s->shift) - s->rest;
}

/* The mean over i of unit x[i] - shift. */
static double mean_from(const norm_task *task, const ag_real *x, ag_real unit, ag_real shift)
{
    scalar_sum sum = {0, 0};
    for (int64_t i = 0; i < task->width; i++)
        scalar_sum_add(&sum, (double)(x[i] * unit - shift));
    return scalar_sum_total(&sum) / (double)task->width;
}

/* Statistics of a row in this unit. Returns its variance, plus eps:
 *     mean = sum unit x / n,  variance = sum (unit x - mean)^2 / n + unit^2 eps,
 *     inverse = 1 / sqrt(variance)
 * The mean comes in two steps, the second being the mean of what the first leaves. */
static double norm_row(const norm_task *task, const ag_real *x, ag_real unit, norm_statistics *s)
{
    scalar_sum squares = {0, 0};
    *s = (norm_statistics){.unit = unit};
    if (task->centred) {
        const ag_real first = x[0] * unit;
        s->shift = (ag_real)((double)first + mean_from(task, x, unit, first));
        s->rest = (ag_real)mean_from(task, x, unit, s->shift);
    }
    for (int64_t i = 0; i < task->width; i++)
        scalar_sum_add(&squares, (double)(centred(s, x[i]) * centred(s, x[i])));
    const double variance = scalar_sum_total(&squares) / (double)task->width + task->eps * (double)unit * (double)unit;
    s->inverse = variance == 0 ? 0 : 1 / sqrt(variance);
    return variance;
}

static void norm_rows_statistics(const norm_task *task, int64_t begin, int64_t end)
{
    for (int64_t r = begin; r < end; r++) {
        const ag_real *x = task->x + r * task->width;
        if (norm_needs_unit(norm_row(task, x, 1, &task->statistics[r])))
            norm_row(task, x, norm_unit(task->width, x), &task->statistics[r]);
    }
}

/* y[i] = (unit x[i] - mean) inverse weight[i] + bias[i] */
static void norm(const norm_task *task, int64_t begin, int64_t end, ag_real *y)
{
    for (int64_t r = begin; r < end; r++)
        for (int64_t i = 0; i < task->width; i++) {
            const norm_statistics *s = &task->statistics[r];
            const ag_real n = centred(s, task->x[r * task->width + i]) * (ag_real)s->inverse;
            y[r * task->width + i] = n * (task->weight ? task->weight[i] : 1) + (task->bias ? task->bias[i] : 0);
        }
}

/* One row, with n = (unit x - mean) inverse and g = dy weight:
 *     dx[i] += inverse (g[i] - mean(g) - n[i] mean(g n)) unit  (RMS norm: no mean(g))
 *     dweight[i] += dy[i] n[i],  dbias[i] += dy[i] */
static void norm_row_backward(const norm_task *task, const norm_statistics *s, const ag_real *x, const ag_real *dy,
                              ag_real *dx, double *dweight, double *dbias, ag_real *n, ag_real *g)
{
    const int64_t width = task->width;
    scalar_sum sum_g = {0, 0}, sum_gn = {0, 0};
    for (int64_t i = 0; i < width; i++) {
        n[i] = centred(s, x[i]) * (ag_real)s->inverse;
        g[i] = dy[i] * (task->weight ? task->weight[i] : 1);
        scalar_sum_add(&sum_g, (double)g[i]);
        scalar_sum_add(&sum_gn, (double)(g[i] * n[i]));
    }
    const ag_real mean_g = task->centred ? (ag_real)(scalar_sum_total(&sum_g) / (double)width) : 0;
    const ag_real mean_gn = (ag_real)(scalar_sum_total(&sum_gn) / (double)width);
    for (int64_t i = 0; i < width; i++) {
        if (dx)
            dx[i] += (ag_real)s->inverse * ((g[i] - mean_g) - n[i] * mean_gn) * s->unit;
        if (dweight)
            ADD_WITH_REST(double, dweight[i], dweight[width + i], (double)(dy[i] * n[i]));
        if (dbias)
            ADD_WITH_REST(double, dbias[i], dbias[width + i], (double)dy[i]);
    }
}

static void norm_backward(const norm_task *task, int64_t begin, int64_t end, const ag_real *dy, ag_real *dx,
                          double *dweight, double *dbias, ag_real *workspace)
{
    for (int64_t r = begin; r < end; r++) {
        const int64_t row = r * task->width;
        if (!kernel_all_zero(task->width, dy + row))
            norm_row_backward(task, &task->statistics[r], task->x + row, dy + row, dx ? dx + row : NULL, dweight, dbias,
                              workspace, workspace + task->width);
    }
}

/* ---- Cross-entropy ----------------------------------------------------------------- */

/* The distribution that a row's prediction is compared with, where s is the smoothing and
 * t the target:
 *     q[c] = (1 - s) w[t] [c = t] + (s / classes) w[c] */
static double target_share(const entropy_task *task, int32_t target, int64_t c)
{
    const double weight = task->weights ? (double)task->weights[c] : 1;
    return (c == target ? (1 - task->smoothing) * weight : 0) + task->smoothing / (double)task->classes * weight;
}

/*     loss = sum over c of q[c] (-ln p[c]),
 *     -ln p[c] = ln sum e^(x - shift) - (x[c] - shift)
 *
 * A class with q[c] = 0 adds nothing, whatever its logit. */
static void cross_entropy(const entropy_task *task, int64_t begin, int64_t end, double *losses)
{
    for (int64_t r = begin; r < end; r++) {
        const ag_real *x = task->logits + r * task->classes;
        scalar_sum loss = {0, 0};
        losses[r] = 0;
        if (task->targets[r] < 0)
            continue;
        const ag_real shift = softmax_shift(task->classes, x);
        const double sum = softmax_sum(task->classes, x, shift), log_sum = softmax_log_sum(sum);
        for (int64_t c = 0; c < task->classes; c++) {
            const double q = target_share(task, task->targets[r], c);
            if (q != 0)
                scalar_sum_add(&loss, q * (log_sum - ((double)x[c] - (double)shift)));
        }
        losses[r] = scalar_sum_total(&loss);
        task->statistics[r] = (entropy_statistics){shift, sum == 0 ? 0 : (ag_real)(1 / sum)};
    }
}

/* dlogits[c] += dloss (p[c] sum(q) - q[c]); nothing where dloss sum(q) is 0, whatever
 * the logits. */
static void cross_entropy_backward(const entropy_task *task, int64_t begin, int64_t end, const ag_real *dloss,
                                   ag_real *dlogits)
{
    for (int64_t r = begin; r < end; r++) {
        const ag_real *x = task->logits + r * task->classes;
        const entropy_statistics *s = &task->statistics[r];
        const int32_t target = task->targets[r];
        if (target < 0)
            continue;
        const double peak = (1 - task->smoothing) * (task->weights ? (double)task->weights[target] : 1);
        const double sum_q = peak + task->smoothing / (double)task->classes * task->weight_total;
        for (int64_t c = 0; c < task->classes && (double)dloss[r] * sum_q != 0; c++) {
            const double p = (double)(exp_real(x[c] - s->shift) * s->scale);
            dlogits[r * task->classes + c] += (ag_real)((double)dloss[r] * (p * sum_q - target_share(task, target, c)));
        }
    }
}

/* ---- Rotary positions -------------------------------------------------------------- */

/* (a, b) -> (a cos - b sin, a sin + b cos) */
static void rotate(const rotate_task *task, int64_t begin, int64_t end, const ag_real *x, ag_real *y)
{
    for (int64_t r = begin; r < end; r++)
        for (int64_t h = 0; h < task->heads; h++)
            for (int64_t i = 0; i < task->pairs; i++) {
                const int64_t angle = r % task->period * task->pairs + i;
                const int64_t a = ((r * task->heads + h) * task->pairs + i) * 2, b = a + 1;
                y[a] = x[a] * task->cosine[angle] - x[b] * task->sine[angle];
                y[b] = x[a] * task->sine[angle] + x[b] * task->cosine[angle];
            }
}

/* The inverse of a rotation is its transpose:
 *     (da, db) += (da' cos + db' sin, db' cos - da' sin) */
static void rotate_backward(const rotate_task *task, int64_t begin, int64_t end, const ag_real *dy, ag_real *dx)
{
    for (int64_t r = begin; r < end; r++)
        for (int64_t h = 0; h < task->heads; h++)
            for (int64_t i = 0; i < task->pairs; i++) {
                const int64_t angle = r % task->period * task->pairs + i;
                const int64_t a = ((r * task->heads + h) * task->pairs + i) * 2, b = a + 1;
                dx[a] += dy[a] * task->cosine[angle] + dy[b] * task->sine[angle];
                dx[b] += dy[b] * task->cosine[angle] - dy[a] * task->sine[angle];
            }
}

const kernel_rows kernel_rows_plain = {
    .softmax = softmax,
    .softmax_backward = softmax_backward,
    .log_softmax = log_softmax,
    .log_softmax_backward = log_softmax_backward,
    .norm_statistics = norm_rows_statistics,
    .norm = norm,
    .norm_backward = norm_backward,
    .cross_entropy = cross_entropy,
    .cross_entropy_backward = cross_entropy_backward,
    .rotate = rotate,
    .rotate_backward = rotate_backward,
};
