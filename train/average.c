/* average.c - the exponential moving average of the weights.
 *
 * The weights of the average sum to one over the updates that there were, as in the bias correction of Adam: the drawn
 * parameters, from before the first update, have no part in it, and a short run is not held back by them.
 *
 *     average_t = average_{t-1} + share (value_t - average_{t-1}),   share = (1 - decay) / (1 - decay^t)
 */
#include "average.h"

#include "kernels/parallel.h"

#include <math.h>

#define BLOCK 8192

typedef struct averaging {
    real *average;
    const real *value;
    int64_t size;
    real share;
} averaging;

static void average_blocks(void *context, int64_t begin, int64_t end, int worker)
{
    const averaging *work = context;
    (void)worker;
    real *restrict average = work->average;
    const real *restrict value = work->value;
    const real share = work->share, rest = 1 - share;
    int64_t last = end * BLOCK < work->size ? end * BLOCK : work->size;
    for (int64_t i = begin * BLOCK; i < last; i++)
        average[i] = rest * average[i] + share * value[i];
}

void train_average_update(real *average, const real *value, int64_t size, double decay, int64_t step, int threads)
{
    averaging work = {.average = average,
                      .value = value,
                      .size = size,
                      .share = (real)((1 - decay) / (1 - pow(decay, (double)step)))};
    kernel_parallel(threads, (size + BLOCK - 1) / BLOCK, 3.0 * (double)size, average_blocks, &work);
}
