/* update.c - what a training step does to the flat vectors of parameters and gradients:
 * one pass for a sum, one for the gradients' norm, one for the update.
 *
 * The passes are cut into pieces whose borders depend on the vector's size alone, so the
 * result has the same bits whichever thread takes which piece: sums and updates are
 * elementwise, and the pieces' sums of squares are added in their order. */
#include "update.h"

#include "kernels/kernels.h"
#include "scalar.h"

#include <math.h>
#include <string.h>

/* Elements of a piece: few enough that what one loop over it leaves in the cache is still
 * there for the next, and enough that starting a piece costs nothing beside its work. */
#define BLOCK ((int64_t)2048)

/* ---- The norm ---------------------------------------------------------------------- */

enum { SQUARES_PIECES = 256 };

typedef struct squares_task {
    const ag_real *x;
    int64_t size;
    double unit; /* a power of two by which the elements are multiplied */
    double sums[SQUARES_PIECES];
} squares_task;

static int64_t piece_begin(const squares_task *task, int64_t piece)
{
    int64_t each = (task->size + SQUARES_PIECES - 1) / SQUARES_PIECES;
    return piece * each < task->size ? piece * each : task->size;
}

static void squares_pieces(void *context, int64_t begin, int64_t end, int worker)
{
    squares_task *task = context;
    (void)worker;
    for (int64_t piece = begin; piece < end; piece++) {
        int64_t from = piece_begin(task, piece), to = piece_begin(task, piece + 1);
        task->sums[piece] = kernels()->update->sum_of_squares(to - from, task->x + from, task->unit);
    }
}

static double sum_of_squares(const ag_real *x, int64_t size, double unit, int threads)
{
    squares_task task = {.x = x, .size = size, .unit = unit};
    kernel_parallel(threads, SQUARES_PIECES, 2.0 * (double)size, squares_pieces, &task);
    scalar_sum sum = {0, 0};
    for (int piece = 0; piece < SQUARES_PIECES; piece++)
        scalar_sum_add(&sum, task.sums[piece]);
    return scalar_sum_total(&sum);
}

double ag_vector_norm(const ag_real *x, int64_t size, int threads)
{
    const double sum = sum_of_squares(x, size, 1, threads);
    if (isfinite(sum) && sum >= 0x1p-900)
        return sqrt(sum);
    /* Squares overflowed or vanished, as they can where ag_real is double: sum them again
     * in a unit in which they do not. */
    const double unit = isfinite(sum) ? 0x1p600 : 0x1p-600;
    return sqrt(sum_of_squares(x, size, unit, threads)) / unit;
}

/* ---- The sum ----------------------------------------------------------------------- */

typedef struct sum_task {
    ag_real *sum, *x;
    int64_t size;
} sum_task;

static void sum_pieces(void *context, int64_t begin, int64_t end, int worker)
{
    const sum_task *task = context;
    (void)worker;
    for (int64_t from = begin * BLOCK; from < end * BLOCK && from < task->size; from += BLOCK) {
        const int64_t size = task->size - from < BLOCK ? task->size - from : BLOCK;
        kernels()->elementwise->add(size, task->x + from, task->sum + from);
        memset(task->x + from, 0, (size_t)size * sizeof *task->x);
    }
}

void ag_vector_add(ag_real *sum, ag_real *x, int64_t size, int threads)
{
    sum_task task = {.sum = sum, .x = x, .size = size};
    kernel_parallel(threads, (size + BLOCK - 1) / BLOCK, 4.0 * (double)size, sum_pieces, &task);
}

/* ---- The update -------------------------------------------------------------------- */

typedef struct update_task {
    const ag_update *update;
    update_constants constants[2]; /* of ranges that do not decay, and that do */
    ag_real share;                 /* of the new values in the average */
    ag_real *value, *gradient;
    const ag_update_range *ranges;
    int count;
} update_task;

/* The decay is settled here, once for a range, and not in the kernels' loops. */
static void update_elements(const update_task *task, bool decays, int64_t begin, int64_t size)
{
    const kernel_update *kernel = kernels()->update;
    const ag_update *update = task->update;
    const update_constants *constants = &task->constants[decays];
    ag_real *value = task->value + begin, *gradient = task->gradient + begin;
    switch (update->rule) {
    case AG_SGD:
        kernel->sgd(constants, size, value, gradient);
        break;
    case AG_MOMENTUM:
        kernel->momentum(constants, size, value, gradient, update->first + begin);
        break;
    case AG_NESTEROV:
        kernel->nesterov(constants, size, value, gradient, update->first + begin);
        break;
    case AG_ADAM:
    case AG_ADAMW:
        kernel->adam(constants, size, value, gradient, update->first + begin, update->second + begin);
        break;
    }
    if (update->average)
        kernel->average(task->share, size, value, update->average + begin);
}

/* The first range that ends after element `at`. */
static int range_at(const update_task *task, int64_t at)
{
    int low = 0, high = task->count;
    while (low < high) {
        int middle = low + (high - low) / 2;
        if (task->ranges[middle].end <= at)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void update_pieces(void *context, int64_t begin, int64_t end, int worker)
{
    const update_task *task = context;
    (void)worker;
    for (int64_t block = begin * BLOCK; block < end * BLOCK; block += BLOCK)
        for (int i = range_at(task, block); i < task->count && task->ranges[i].begin < block + BLOCK; i++) {
            const ag_update_range *range = &task->ranges[i];
            int64_t from = range->begin > block ? range->begin : block;
            int64_t to = range->end < block + BLOCK ? range->end : block + BLOCK;
            update_elements(task, range->decays, from, to - from);
        }
}

static update_constants constants_of(const ag_update *update, double weight_decay)
{
    const double t = (double)update->step;
    const bool apart = update->rule == AG_ADAMW;
    return (update_constants){
        .scale = (ag_real)(update->scale == 0 ? 1 : update->scale),
        .decay = (ag_real)(apart ? 0 : weight_decay),
        .keep = (ag_real)(apart ? 1 - update->rate * weight_decay : 1),
        .rate = (ag_real)update->rate,
        .momentum = (ag_real)update->momentum,
        .one_minus_beta1 = (ag_real)(1 - update->beta1),
        .beta2 = (ag_real)update->beta2,
        .one_minus_beta2 = (ag_real)(1 - update->beta2),
        .epsilon = (ag_real)update->epsilon,
        .step_size = (ag_real)(update->rate / (1 - scalar_pow(update->beta1, t))),
        .second_scale = (ag_real)(1 / sqrt(1 - scalar_pow(update->beta2, t))),
    };
}

/* The share of the newest values in the average; with it the weights of all sum to
 * one. */
static double average_share(double decay, uint64_t step)
{
    return (1 - decay) / (1 - scalar_pow(decay, (double)step));
}

void ag_update_apply(const ag_update *update, ag_real *value, ag_real *gradient, const ag_update_range *ranges,
                     int count, int threads)
{
    update_task task = {
        .update = update,
        .constants = {constants_of(update, 0), constants_of(update, update->weight_decay)},
        .share = (ag_real)average_share(update->average_decay, update->step),
        .value = value,
        .gradient = gradient,
        .ranges = ranges,
        .count = count,
    };
    const int64_t size = count > 0 ? ranges[count - 1].end : 0;
    kernel_parallel(threads, (size + BLOCK - 1) / BLOCK, 16.0 * (double)size, update_pieces, &task);
}
