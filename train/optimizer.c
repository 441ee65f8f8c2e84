/* optimizer.c - SGD, Adam and AdamW: their numbers, checked, and their state. ag_update_apply
 * does the arithmetic. */
#include "train.h"

#include <math.h>
#include <stdlib.h>

/* The square of a gradient smaller than this is 0. Beside a smaller epsilon, that would
 * change the update. */
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

/* The parameters' places in the flat vectors, and which of them decay. */
static ag_update_range *ranges_new(const nn_params *params, ag_error *error)
{
    const int count = params->count;
    ag_update_range *ranges = malloc((size_t)(count > 0 ? count : 1) * sizeof *ranges);
    if (!ranges)
        ag_error_set(error, AG_NO_MEMORY, "no memory for the optimizer's list of %d %s", count,
                     ag_plural(count, "parameter", "parameters"));
    for (int i = 0; i < count && ranges; i++) {
        const nn_param *parameter = &params->items[i];
        ranges[i] = (ag_update_range){parameter->offset, parameter->offset + parameter->size, parameter->decay};
    }
    return ranges;
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
    bool adam = own->kind != TRAIN_SGD, has_first = adam || own->momentum > 0;
    optimizer->ranges = ranges_new(params, error);
    if (has_first)
        optimizer->first = zeros(params->size, error);
    if (adam)
        optimizer->second = zeros(params->size, error);
    if (!optimizer->ranges || (has_first && !optimizer->first) || (adam && !optimizer->second)) {
        train_optimizer_clear(optimizer);
        return AG_NO_MEMORY;
    }
    return AG_OK;
}

void train_optimizer_clear(train_optimizer *optimizer)
{
    free(optimizer->ranges);
    free(optimizer->first);
    free(optimizer->second);
    *optimizer = (train_optimizer){0};
}

static ag_update_rule rule_of(const train_optimizer_config *config)
{
    if (config->kind != TRAIN_SGD)
        return config->kind == TRAIN_ADAM ? AG_ADAM : AG_ADAMW;
    return config->momentum == 0 ? AG_SGD : config->nesterov ? AG_NESTEROV : AG_MOMENTUM;
}

void train_optimizer_step(train_optimizer *optimizer, nn_params *params, const train_update *update, int threads)
{
    const train_optimizer_config *config = &optimizer->config;
    optimizer->step++;
    ag_update_apply(&(ag_update){.rule = rule_of(config),
                                 .step = optimizer->step,
                                 .rate = update->rate,
                                 .scale = update->scale,
                                 .weight_decay = config->weight_decay,
                                 .momentum = config->momentum,
                                 .beta1 = config->beta1,
                                 .beta2 = config->beta2,
                                 .epsilon = config->epsilon,
                                 .first = optimizer->first,
                                 .second = optimizer->second,
                                 .average = update->average,
                                 .average_decay = update->average_decay},
                    params->value, params->grad, optimizer->ranges, params->count, threads);
}
