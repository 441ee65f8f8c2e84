/* test_levels_rows.c - softmax, norms, cross-entropy and rotary positions: every level
 * against level plain. */
#include "level_util.h"

#include <math.h>
#include <string.h>

static const int64_t widths[] = {1, 2, 3, 7, 8, 15, 16, 17, 33, 64, 100, 255, 257, 600, 2049};
enum { WIDTHS = sizeof widths / sizeof *widths, ROWS = 19 };

typedef void forward_function(int64_t rows, int64_t width, const ag_real *x, ag_real *y);
typedef void backward_function(int64_t rows, int64_t width, const ag_real *y, const ag_real *dy, ag_real *dx);

/* Forward of scores of any size, one row with -inf, one of -inf alone; backward of one row
 * with a gradient of 0. */
static void check_softmax(int64_t width, double size_of_y, forward_function *const forward[2],
                          backward_function *const backward[2])
{
    const int64_t size = ROWS * width;
    ag_real *x = level_numbers(size, 1, -20, 20), *dy = level_numbers(size, 2, -1, 1);
    ag_real *y[2], *dx[2];
    for (int64_t c = 0; c < width; c++) {
        x[width + c] = c % 3 ? x[width + c] : -(ag_real)INFINITY;
        x[2 * width + c] = -(ag_real)INFINITY;
        dy[3 * width + c] = 0;
    }
    for (int k = 1; k >= 0; k--) {
        y[k] = level_numbers(size, 0, 0, 0);
        dx[k] = level_numbers(size, 3, -1, 1);
        forward[k](ROWS, width, x, y[k]);
        backward[k](ROWS, width, y[1], dy, dx[k]);
    }
    level_compare("y", size, y[0], y[1], 6, size_of_y);
    level_compare("dx", size, dx[0], dx[1], 6, 1 + sqrt((double)width) / 8);
    for (int k = 0; k < 2; k++) {
        free(y[k]);
        free(dx[k]);
    }
    free(x);
    free(dy);
}

START_TEST(softmaxes)
{
    const kernel_rows *own = level_at(_i)->rows, *plain = level_plain()->rows;
    for (int w = 0; w < WIDTHS; w++) {
        check_softmax(widths[w], 1e-30, (forward_function *[]){own->softmax, plain->softmax},
                      (backward_function *[]){own->softmax_backward, plain->softmax_backward});
        check_softmax(widths[w], 40, (forward_function *[]){own->log_softmax, plain->log_softmax},
                      (backward_function *[]){own->log_softmax_backward, plain->log_softmax_backward});
    }
}
END_TEST

/* ---- Norms ------------------------------------------------------------------------- */

/* A form of a norm: bits 0 to 5 say whether it is centred, has a weight, a bias, and
 * wants dx, dweight, dbias. */
typedef struct norm_result {
    ag_real *y, *dx;
    double *dweight, *dbias; /* [2, width] */
} norm_result;

static norm_result norm_of(const kernel_rows *kernels, norm_task task, int form, const ag_real *dy)
{
    const int64_t width = task.width;
    norm_result result = {level_numbers(ROWS * width, 0, 0, 0), level_numbers(ROWS * width, 5, -1, 1),
                          calloc(2 * (size_t)width, sizeof(double)), calloc(2 * (size_t)width, sizeof(double))};
    ag_real *workspace = level_numbers(NORM_WORKSPACE * width, 0, NAN, NAN);
    norm_statistics statistics[ROWS];
    task.statistics = statistics;
    kernels->norm_statistics(&task, 0, ROWS);
    kernels->norm(&task, 0, ROWS, result.y);
    kernels->norm_backward(&task, 0, ROWS, dy, form & 8 ? result.dx : NULL, form & 16 ? result.dweight : NULL,
                           form & 32 ? result.dbias : NULL, workspace);
    free(workspace);
    return result;
}

static void norm_result_free(norm_result *r)
{
    free(r->y);
    free(r->dx);
    free(r->dweight);
    free(r->dbias);
}

static void compare_sums(const char *what, int64_t width, const double *found, const double *wanted)
{
    for (int64_t c = 0; c < width; c++) {
        const ag_real a = (ag_real)(found[c] + found[width + c]), b = (ag_real)(wanted[c] + wanted[width + c]);
        level_compare(what, 1, &a, &b, 20, 20);
    }
}

/* Rows of usual numbers, of one number, far from 0, and, in other units, huge and tiny
 * ones. */
static void check_norm(int level, int64_t width, int form)
{
    ag_real *x = level_numbers(ROWS * width, 1, -2, 2), *dy = level_numbers(ROWS * width, 2, -1, 1);
    ag_real *weight = level_numbers(width, 3, 0.5, 2), *bias = level_numbers(width, 4, -1, 1);
    for (int64_t c = 0; c < width; c++) {
        x[width + c] = 3;
        x[2 * width + c] += 1000;
        x[3 * width + c] *= (ag_real)PRECISION(1e200, 1e30);
        x[4 * width + c] *= (ag_real)PRECISION(1e-200, 1e-30);
        dy[5 * width + c] = 0;
    }
    const norm_task task = {.centred = form & 1,
                            .eps = width % 2 ? 0 : 1e-5,
                            .width = width,
                            .x = x,
                            .weight = form & 2 ? weight : NULL,
                            .bias = form & 4 ? bias : NULL};
    norm_result own = norm_of(level_at(level)->rows, task, form, dy);
    norm_result plain = norm_of(level_plain()->rows, task, form, dy);
    level_compare("norm", ROWS * width, own.y, plain.y, 16, 4);
    for (int64_t r = 0; r < ROWS; r++) { /* (an element of dx is a difference of numbers of this size) */
        double size = 1;
        for (int64_t c = 0; c < width; c++)
            size = fmax(size, fabs((double)plain.dx[r * width + c]));
        level_compare("dx", width, own.dx + r * width, plain.dx + r * width, 64, size);
    }
    compare_sums("dweight", width, own.dweight, plain.dweight);
    compare_sums("dbias", width, own.dbias, plain.dbias);
    norm_result_free(&own);
    norm_result_free(&plain);
    free(x);
    free(dy);
    free(weight);
    free(bias);
}

START_TEST(norms)
{
    for (int w = 2; w < WIDTHS; w++)
        for (int form = 0; form < 64; form++)
            check_norm(_i, widths[w], form);
}
END_TEST

/* ---- Cross-entropy ----------------------------------------------------------------- */

/* Some rows do not count, some have a gradient of 0; a class may weigh nothing, and its
 * logits be infinite. */
static void check_entropy(int level, int64_t classes, bool weighted, double smoothing)
{
    const int64_t size = ROWS * classes;
    ag_real *logits = level_numbers(size, 1, -9, 9), *weights = level_numbers(classes, 2, 0.1, 2);
    ag_real *dloss = level_numbers(ROWS, 3, -1, 1), *dlogits[2];
    double weight_total = 0, losses[2][ROWS];
    int32_t targets[ROWS];
    entropy_statistics statistics[ROWS];
    if (weighted && classes > 3)
        weights[1] = 0;
    for (int64_t c = 0; c < classes; c++)
        weight_total += weighted ? (double)weights[c] : 1;
    for (int r = 0; r < ROWS; r++) {
        targets[r] = r % 5 == 4 ? -1 : (int32_t)((r * 7) % classes);
        dloss[r] = r % 6 == 5 ? 0 : dloss[r];
        if (weighted && classes > 3 && targets[r] != 1)
            logits[r * classes + 1] = -(ag_real)INFINITY;
    }
    for (int k = 0; k < 2; k++) {
        const kernel_rows *kernels = (k ? level_plain() : level_at(level))->rows;
        const entropy_task task = {.classes = classes,
                                   .logits = logits,
                                   .targets = targets,
                                   .weights = weighted ? weights : NULL,
                                   .weight_total = weight_total,
                                   .smoothing = smoothing,
                                   .statistics = statistics};
        dlogits[k] = level_numbers(size, 4, -1, 1);
        kernels->cross_entropy(&task, 0, ROWS, losses[k]);
        kernels->cross_entropy_backward(&task, 0, ROWS, dloss, dlogits[k]);
    }
    for (int r = 0; r < ROWS; r++) {
        const ag_real own = (ag_real)losses[0][r], plain = (ag_real)losses[1][r];
        level_compare("loss", 1, &own, &plain, 10, 10);
    }
    level_compare("dlogits", size, dlogits[0], dlogits[1], 8, 2);
    for (int k = 0; k < 2; k++)
        free(dlogits[k]);
    free(logits);
    free(weights);
    free(dloss);
}

START_TEST(cross_entropies)
{
    for (int w = 0; w < WIDTHS; w++)
        for (int form = 0; form < 4; form++)
            check_entropy(_i, widths[w], form % 2, form / 2 ? 0.1 : 0);
}
END_TEST

/* ---- Rotary positions -------------------------------------------------------------- */

START_TEST(rotations)
{
    for (int64_t pairs = 1; pairs <= 40; pairs += pairs < 5 ? 1 : 7)
        for (int64_t heads = 1; heads <= 3; heads++) {
            const int64_t period = 6, size = ROWS * heads * pairs * 2;
            ag_real *cosine = level_numbers(period * pairs, 1, -1, 1), *sine = level_numbers(period * pairs, 2, -1, 1);
            ag_real *x = level_numbers(size, 3, -1, 1), *y[2], *dx[2];
            const rotate_task task = {heads, pairs, period, cosine, sine};
            for (int k = 0; k < 2; k++) {
                const kernel_rows *kernels = (k ? level_plain() : level_at(_i))->rows;
                y[k] = level_numbers(size, 0, 0, 0);
                dx[k] = level_numbers(size, 4, -1, 1);
                kernels->rotate(&task, 0, ROWS, x, y[k]);
                kernels->rotate_backward(&task, 0, ROWS, x, dx[k]);
            }
            level_compare("y", size, y[0], y[1], 3, 2);
            level_compare("dx", size, dx[0], dx[1], 4, 3);
            for (int k = 0; k < 2; k++) {
                free(y[k]);
                free(dx[k]);
            }
            free(cosine);
            free(sine);
            free(x);
        }
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("levels/rows");
    level_add_loop(suite, "softmax", softmaxes);
    level_add_loop(suite, "norm", norms);
    level_add_loop(suite, "cross-entropy", cross_entropies);
    level_add_loop(suite, "rotary", rotations);
    return suite;
}

TEST_MAIN(make_suite)
