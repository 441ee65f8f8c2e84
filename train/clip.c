/* clip.c - the gradients' global norm, and the factor that clips it.
 *
 * The norm is summed in double over pieces whose borders depend on the vector's size
 * alone, and the pieces' sums are added in their order: the same bits at any number of
 * threads. Squares that overflow or vanish (in the library built for doubles) are summed
 * again in a unit of numbers in which they do not.
 */
#include "kernels/kernels.h"
#include "scalar.h"
#include "train.h"

#include <math.h>

enum { PIECES = 256 };

typedef struct pieces {
    const ag_real *grad;
    int64_t size;
    double unit; /* what the gradients are multiplied by, a power of two */
    double sums[PIECES];
} pieces;

static int64_t piece_begin(const pieces *work, int64_t piece)
{
    int64_t each = (work->size + PIECES - 1) / PIECES;
    return piece * each < work->size ? piece * each : work->size;
}

static void square_pieces(void *context, int64_t begin, int64_t end, int worker)
{
    pieces *work = context;
    (void)worker;
    for (int64_t piece = begin; piece < end; piece++) {
        int64_t from = piece_begin(work, piece), to = piece_begin(work, piece + 1);
        work->sums[piece] = kernels()->update->sum_of_squares(to - from, work->grad + from, work->unit);
    }
}

static double sum_of_squares(const nn_params *params, double unit, int threads)
{
    pieces work = {.grad = params->grad, .size = params->size, .unit = unit};
    kernel_parallel(threads, PIECES, 2.0 * (double)params->size, square_pieces, &work);
    scalar_sum sum = {0, 0};
    for (int piece = 0; piece < PIECES; piece++)
        scalar_sum_add(&sum, work.sums[piece]);
    return scalar_sum_total(&sum);
}

double train_gradient_norm(const nn_params *params, int threads)
{
    const double sum = sum_of_squares(params, 1, threads);
    if (isfinite(sum) && sum >= 0x1p-900)
        return sqrt(sum);
    const double unit = isfinite(sum) ? 0x1p600 : 0x1p-600;
    return sqrt(sum_of_squares(params, unit, threads)) / unit;
}

double train_clip_scale(double norm, double max_norm)
{
    return max_norm > 0 && norm > max_norm ? max_norm / norm : 1;
}
