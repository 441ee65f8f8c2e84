/* optimizer.c - SGD, Adam and AdamW: one pass over the flat parameter vector, with the formulas of torch.optim.
 *
 * An update is elementwise, so the vector is cut into fixed blocks that any thread may take: the result does not depend
 * on who takes which. Inside a block the parameters differ only in whether weight decay applies, which is settled once
 * for each run of elements and not inside the kernels' loops.
 */
#include "kernels/kernels.h"
#include "scalar.h"
#include "train.h"

#include <math.h>
#include <stdlib.h>

/* Elements: so few that what one loop over a block leaves in the cache is still there for the next (the average's, or
 * the zeroing that compilers take out of the update's), and so many that setting out is nothing beside the work. */
#define BLOCK 2048

/* With a smaller epsilon it would matter that the square of a gradient below its size
 * vanishes. */
static const double LEAST_EPSILON = sizeof(ag_real) == sizeof(double) ? 1e-150 : 1e-15;

static ag_status check_config(const train_optimizer_config *config, ag_error *error)
{
    const struct {
        const char *name;
        double value;
    } shares[] = {{"beta1", config->beta1}, {"beta2", config->beta2}, {"momentum", config->momentum}};
    for (size_t i = 0; i < sizeof shares / sizeof *shares; i++)
        if (!(shares[i].value >= 0 && shares[i].value < 1))
            return ag_error_set(error, AG_BAD_VALUE, "%s is %g and must be at least 0 and less than 1", shares[i].name,
                                shares[i].value);
    if (!(config->epsilon >= LEAST_EPSILON && isfinite(config->epsilon)))
        return ag_error_set(error, AG_BAD_VALUE, "epsilon is %g and must be at least %g (1e-8 is usual)",
                            config->epsilon, LEAST_EPSILON);
    if (!(config->weight_decay >= 0 && isfinite(config->weight_decay)))
        return ag_error_set(error, AG_BAD_VALUE, "the weight decay is %g and must not be negative",
                            config->weight_decay);
    if (config->nesterov && config->momentum == 0)
        return ag_error_set(error, AG_BAD_VALUE, "Nesterov's form needs a momentum greater than 0");
    return AG_OK;
}

static ag_real *zeros(int64_t size, ag_error *error)
{
    ag_real *vector = ag_numbers_new(size);
    if (!vector)
        ag_error_set(error, AG_NO_MEMORY, "no memory for the optimizer's %lld %s", (long long)size,
                     ag_plural(size, "number", "numbers"));
    return vector;
}

ag_status train_optimizer_init(train_optimizer *optimizer, const train_optimizer_config *config,
                               const nn_params *params, ag_error *error)
{
    *optimizer = (train_optimizer){.config = *config, .size = params->size};
    train_optimizer_config *own = &optimizer->config;
    own->beta1 = own->beta1 == 0 ? TRAIN_DEFAULT_BETA1 : own->beta1;
    own->beta2 = own->beta2 == 0 ? TRAIN_DEFAULT_BETA2 : own->beta2;
    own->epsilon = own->epsilon == 0 ? 1e-8 : own->epsilon;
    ag_status status = check_config(own, error);
    if (status != AG_OK)
        return status;
    bool adam = own->kind != TRAIN_SGD;
    if (adam || own->momentum > 0)
        optimizer->first = zeros(params->size, error);
    if (adam)
        optimizer->second = zeros(params->size, error);
    if (((adam || own->momentum > 0) && !optimizer->first) || (adam && !optimizer->second)) {
        train_optimizer_clear(optimizer);
        return AG_NO_MEMORY;
    }
    return AG_OK;
}

void train_optimizer_clear(train_optimizer *optimizer)
{
    free(optimizer->first);
    free(optimizer->second);
    *optimizer = (train_optimizer){0};
}

/* ---- One update ----------------------------------------------------------------------------- */

typedef struct update_work {
    const train_optimizer *optimizer;
    const nn_params *params;
    update_constants constants[2]; /* of parameters without and with decay */
    ag_real *average;                 /* NULL: none */
    ag_real share;                    /* of the new values in it */
} update_work;

/* Elements [begin, begin + size), which decay or do not. */
static void update_run(const update_work *work, bool decay, int64_t begin, int64_t size)
{
    const kernel_update *update = kernels()->update;
    const train_optimizer *optimizer = work->optimizer;
    const update_constants *constants = &work->constants[decay];
    ag_real *value = work->params->value + begin, *grad = work->params->grad + begin;
    if (optimizer->config.kind != TRAIN_SGD)
        update->adam(constants, size, value, grad, optimizer->first + begin, optimizer->second + begin);
    else if (!optimizer->first)
        update->sgd(constants, size, value, grad);
    else if (optimizer->config.nesterov)
        update->nesterov(constants, size, value, grad, optimizer->first + begin);
    else
        update->momentum(constants, size, value, grad, optimizer->first + begin);
    if (work->average)
        update->average(work->share, size, value, work->average + begin);
}

/* The first parameter that ends behind element `at`. */
static int parameter_at(const nn_params *params, int64_t at)
{
    int low = 0, high = params->count;
    while (low < high) {
        int middle = low + (high - low) / 2;
        if (params->items[middle].offset + params->items[middle].size <= at)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The elements [begin, end), run by run. */
static void update_block(const update_work *work, int64_t begin, int64_t end)
{
    const nn_params *params = work->params;
    for (int i = parameter_at(params, begin); i < params->count && params->items[i].offset < end; i++) {
        const nn_param *parameter = &params->items[i];
        int64_t from = parameter->offset > begin ? parameter->offset : begin;
        int64_t to = parameter->offset + parameter->size < end ? parameter->offset + parameter->size : end;
        update_run(work, parameter->decay, from, to - from);
    }
}

static void update_blocks(void *context, int64_t begin, int64_t end, int worker)
{
    const update_work *work = context;
    const int64_t size = work->params->size;
    (void)worker;
    for (int64_t at = begin * BLOCK; at < end * BLOCK && at < size; at += BLOCK)
        update_block(work, at, at + BLOCK < size ? at + BLOCK : size);
}

static update_constants constants_of(const train_optimizer *optimizer, const train_update *update, double weight_decay)
{
    const train_optimizer_config *config = &optimizer->config;
    double t = (double)optimizer->step;
    bool apart = config->kind == TRAIN_ADAMW;
    return (update_constants){
        .scale = (ag_real)(update->scale == 0 ? 1 : update->scale),
        .decay = (ag_real)(apart ? 0 : weight_decay),
        .keep = (ag_real)(apart ? 1 - update->rate * weight_decay : 1),
        .rate = (ag_real)update->rate,
        .momentum = (ag_real)config->momentum,
        .one_minus_beta1 = (ag_real)(1 - config->beta1),
        .beta2 = (ag_real)config->beta2,
        .one_minus_beta2 = (ag_real)(1 - config->beta2),
        .epsilon = (ag_real)config->epsilon,
        .step_size = (ag_real)(update->rate / (1 - scalar_pow(config->beta1, t))),
        .second_scale = (ag_real)(1 / sqrt(1 - scalar_pow(config->beta2, t))),
    };
}

/* What the newest values weigh in the average, so that the weights of all sum to one. */
static double average_share(double decay, uint64_t step)
{
    return (1 - decay) / (1 - scalar_pow(decay, (double)step));
}

void train_optimizer_step(train_optimizer *optimizer, nn_params *params, const train_update *update, int threads)
{
    optimizer->step++;
    update_work work = {
        .optimizer = optimizer,
        .params = params,
        .constants = {constants_of(optimizer, update, 0),
                      constants_of(optimizer, update, optimizer->config.weight_decay)},
        .average = update->average,
        .share = (ag_real)average_share(update->average_decay, optimizer->step),
    };
    int64_t blocks = (params->size + BLOCK - 1) / BLOCK;
    kernel_parallel(threads, blocks, 16.0 * (double)params->size, update_blocks, &work);
}
