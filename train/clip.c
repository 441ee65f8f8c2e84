/* clip.c - the gradients' global norm, scaling and clipping.
 *
 * The norm is summed in double over pieces whose borders depend on the vector's size alone, and the pieces' sums are
 * added in their order: the same bits at any number of threads. Scaling by the factor and by the clip is one pass.
 */
#include "kernels/parallel.h"
#include "train.h"

#include <math.h>

enum { PIECES = 256, LANES = 8 };

typedef struct pieces {
    real *grad;
    int64_t size;
    real scale;
    double sums[PIECES];
} pieces;

static int64_t piece_begin(const pieces *work, int64_t piece)
{
    int64_t each = (work->size + PIECES - 1) / PIECES;
    return piece * each < work->size ? piece * each : work->size;
}

/* Sum of squares with LANES running sums, which a compiler can keep in vector registers. */
static double sum_of_squares(const real *x, int64_t size)
{
    double sums[LANES] = {0};
    int64_t i = 0;
    for (; i + LANES <= size; i += LANES)
        for (int lane = 0; lane < LANES; lane++)
            sums[lane] += (double)x[i + lane] * (double)x[i + lane];
    for (; i < size; i++)
        sums[0] += (double)x[i] * (double)x[i];
    double sum = 0;
    for (int lane = 0; lane < LANES; lane++)
        sum += sums[lane];
    return sum;
}

static void square_pieces(void *context, int64_t begin, int64_t end, int worker)
{
    pieces *work = context;
    (void)worker;
    for (int64_t piece = begin; piece < end; piece++) {
        int64_t from = piece_begin(work, piece), to = piece_begin(work, piece + 1);
        work->sums[piece] = sum_of_squares(work->grad + from, to - from);
    }
}

static void scale_pieces(void *context, int64_t begin, int64_t end, int worker)
{
    pieces *work = context;
    (void)worker;
    for (int64_t i = piece_begin(work, begin); i < piece_begin(work, end); i++)
        work->grad[i] *= work->scale;
}

double train_clip_gradients(nn_params *params, double factor, double max_norm, int threads)
{
    pieces work = {.grad = params->grad, .size = params->size};
    kernel_parallel(threads, PIECES, 2.0 * (double)params->size, square_pieces, &work);
    double sum = 0;
    for (int piece = 0; piece < PIECES; piece++)
        sum += work.sums[piece];
    double norm = fabs(factor) * sqrt(sum);
    if (!isfinite(norm))
        return norm;
    double scale = max_norm > 0 && norm > max_norm ? factor * (max_norm / norm) : factor;
    if (scale != 1) {
        work.scale = (real)scale;
        kernel_parallel(threads, PIECES, (double)params->size, scale_pieces, &work);
    }
    return norm;
}
