/* optimizer.c - SGD, Adam and AdamW: one pass over the flat parameter vector, with the formulas of torch.optim.
 *
 * An update is elementwise, so the vector is cut into fixed blocks that any thread may take: the result does not depend
 * on who takes which. Inside a block the parameters differ only in whether weight decay applies, which is settled once
 * for each run of elements and not inside the loops; these have no branches, so that compilers can use vector
 * instructions.
 */
#include "kernels/parallel.h"
#include "train.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK 4096 /* elements; a few hundred kB of traffic each, so that waking a thread pays */

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
    if (!(config->epsilon > 0 && isfinite(config->epsilon)))
        return ag_error_set(error, AG_BAD_VALUE, "epsilon is %g and must be greater than 0", config->epsilon);
    if (!(config->weight_decay >= 0 && isfinite(config->weight_decay)))
        return ag_error_set(error, AG_BAD_VALUE, "the weight decay is %g and must not be negative",
                            config->weight_decay);
    if (config->nesterov && config->momentum == 0)
        return ag_error_set(error, AG_BAD_VALUE, "Nesterov's form needs a momentum greater than 0");
    return AG_OK;
}

static real *zeros(int64_t size, ag_error *error)
{
    real *vector = calloc((size_t)(size ? size : 1), sizeof *vector);
    if (!vector)
        ag_error_set(error, AG_NO_MEMORY, "no memory for the optimizer's %lld numbers", (long long)size);
    return vector;
}

ag_status train_optimizer_init(train_optimizer *optimizer, const train_optimizer_config *config,
                               const nn_params *params, ag_error *error)
{
    *optimizer = (train_optimizer){.config = *config, .size = params->size};
    train_optimizer_config *own = &optimizer->config;
    own->beta1 = own->beta1 == 0 ? 0.9 : own->beta1;
    own->beta2 = own->beta2 == 0 ? 0.98 : own->beta2;
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

/* ---- The loops ------------------------------------------------------------------------------ */

static inline real root(real x)
{
#ifdef TAPEFORMER_DOUBLE
    return sqrt(x);
#else
    return sqrtf(x);
#endif
}

/* The numbers of one update that all elements share. */
typedef struct step_constants {
    real one_minus_beta1, beta2, one_minus_beta2, epsilon;
    real step_size;    /* rate / (1 - beta1^t) */
    real second_scale; /* sqrt(1 - beta2^t) */
    real rate, momentum;
    real keep;  /* AdamW: 1 - rate * weight_decay, or 1 where there is no decay */
    real decay; /* the others: the weight decay that is added to the gradient, or 0 */
} step_constants;

/*   g += decay p;  p *= keep;  m += (1 - b1) (g - m);  v = b2 v + (1 - b2) g g
 *   p -= rate / (1 - b1^t) * m / (sqrt(v) / sqrt(1 - b2^t) + eps) */
static void adam_run(const step_constants *c, int64_t size, real *restrict p, const real *restrict grad,
                     real *restrict m, real *restrict v)
{
    const step_constants k = *c;
    for (int64_t i = 0; i < size; i++) {
        real g = grad[i] + k.decay * p[i];
        m[i] += k.one_minus_beta1 * (g - m[i]);
        v[i] = k.beta2 * v[i] + k.one_minus_beta2 * (g * g);
        p[i] = p[i] * k.keep - k.step_size * (m[i] / (root(v[i]) / k.second_scale + k.epsilon));
    }
}

/*   g += decay p;  p -= rate g */
static void sgd_run(const step_constants *c, int64_t size, real *restrict p, const real *restrict grad)
{
    const step_constants k = *c;
    for (int64_t i = 0; i < size; i++)
        p[i] -= k.rate * (grad[i] + k.decay * p[i]);
}

/*   g += decay p;  b = momentum b + g;  p -= rate b
 * b begins at 0, so that the first step's b is g, as PyTorch has it. */
static void momentum_run(const step_constants *c, int64_t size, real *restrict p, const real *restrict grad,
                         real *restrict b)
{
    const step_constants k = *c;
    for (int64_t i = 0; i < size; i++) {
        b[i] = k.momentum * b[i] + (grad[i] + k.decay * p[i]);
        p[i] -= k.rate * b[i];
    }
}

/* The same with p -= rate (g + momentum b). */
static void nesterov_run(const step_constants *c, int64_t size, real *restrict p, const real *restrict grad,
                         real *restrict b)
{
    const step_constants k = *c;
    for (int64_t i = 0; i < size; i++) {
        real g = grad[i] + k.decay * p[i];
        b[i] = k.momentum * b[i] + g;
        p[i] -= k.rate * (g + k.momentum * b[i]);
    }
}

/* ---- One update ----------------------------------------------------------------------------- */

typedef struct update {
    const train_optimizer *optimizer;
    const nn_params *params;
    step_constants constants[2]; /* of parameters without and with decay */
} update;

static void update_run(const update *u, bool decay, int64_t begin, int64_t size)
{
    const train_optimizer *optimizer = u->optimizer;
    const step_constants *constants = &u->constants[decay];
    real *value = u->params->value + begin;
    const real *grad = u->params->grad + begin;
    if (optimizer->config.kind != TRAIN_SGD)
        adam_run(constants, size, value, grad, optimizer->first + begin, optimizer->second + begin);
    else if (!optimizer->first)
        sgd_run(constants, size, value, grad);
    else if (optimizer->config.nesterov)
        nesterov_run(constants, size, value, grad, optimizer->first + begin);
    else
        momentum_run(constants, size, value, grad, optimizer->first + begin);
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

static void update_blocks(void *context, int64_t begin, int64_t end, int worker)
{
    const update *u = context;
    (void)worker;
    int64_t last = end * BLOCK < u->params->size ? end * BLOCK : u->params->size;
    int64_t at = begin * BLOCK;
    for (int i = parameter_at(u->params, at); i < u->params->count && u->params->items[i].offset < last; i++) {
        const nn_param *parameter = &u->params->items[i];
        int64_t from = parameter->offset > at ? parameter->offset : at;
        int64_t to = parameter->offset + parameter->size < last ? parameter->offset + parameter->size : last;
        update_run(u, parameter->decay, from, to - from);
    }
}

static step_constants constants_of(const train_optimizer *optimizer, double rate, double weight_decay)
{
    const train_optimizer_config *config = &optimizer->config;
    double t = (double)optimizer->step;
    bool apart = config->kind == TRAIN_ADAMW;
    return (step_constants){
        .one_minus_beta1 = (real)(1 - config->beta1),
        .beta2 = (real)config->beta2,
        .one_minus_beta2 = (real)(1 - config->beta2),
        .epsilon = (real)config->epsilon,
        .step_size = (real)(rate / (1 - pow(config->beta1, t))),
        .second_scale = (real)sqrt(1 - pow(config->beta2, t)),
        .rate = (real)rate,
        .momentum = (real)config->momentum,
        .keep = (real)(apart ? 1 - rate * weight_decay : 1),
        .decay = (real)(apart ? 0 : weight_decay),
    };
}

void train_optimizer_step(train_optimizer *optimizer, nn_params *params, double rate, int threads)
{
    optimizer->step++;
    update u = {
        .optimizer = optimizer,
        .params = params,
        .constants = {constants_of(optimizer, rate, 0), constants_of(optimizer, rate, optimizer->config.weight_decay)}};
    int64_t blocks = (params->size + BLOCK - 1) / BLOCK;
    kernel_parallel(threads, blocks, 16.0 * (double)params->size, update_blocks, &u);
}
