/* optimizer.c - SGD, Adam, AdamW and Muon: their numbers, checked, and their state.
 * ag_update_apply and ag_orthogonalize do the arithmetic. */
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

static ag_status check_hidden(const nn_param *parameter, ag_error *error)
{
    char shape[AG_SHAPE_TEXT];
    if (parameter->hidden >= 0 && parameter->shape.ndim == 2 && parameter->shape.dim[0] % parameter->hidden == 0)
        return AG_OK;
    return ag_error_set(error, AG_BAD_VALUE,
                        "parameter %s of shape %s cannot be %d hidden matrices, one above the other", parameter->name,
                        ag_shape_print(parameter->shape, shape), parameter->hidden);
}

static ag_update_range range_of(const nn_param *parameter)
{
    return (ag_update_range){parameter->offset, parameter->offset + parameter->size, parameter->decay};
}

/* The parameters' places in the flat vectors, Muon's matrices last. */
static ag_status place_parameters(train_optimizer *optimizer, const nn_params *params, ag_error *error)
{
    const size_t most = params->count > 0 ? (size_t)params->count : 1;
    const bool muon = optimizer->config.kind == TRAIN_MUON;
    optimizer->ranges = malloc(most * sizeof *optimizer->ranges);
    optimizer->matrices = muon ? malloc(most * sizeof *optimizer->matrices) : NULL;
    if (!optimizer->ranges || (muon && !optimizer->matrices))
        return ag_error_set(error, AG_NO_MEMORY, "no memory for the optimizer's list of %d %s", params->count,
                            ag_plural(params->count, "parameter", "parameters"));
    for (int i = 0; i < params->count; i++)
        if (!muon || params->items[i].hidden == 0)
            optimizer->ranges[optimizer->count++] = range_of(&params->items[i]);
    for (int i = 0; i < params->count; i++) {
        const nn_param *parameter = &params->items[i];
        if (!muon || parameter->hidden == 0)
            continue;
        if (check_hidden(parameter, error) != AG_OK)
            return AG_BAD_VALUE;
        optimizer->ranges[optimizer->count + optimizer->matrix_count] = range_of(parameter);
        optimizer->matrices[optimizer->matrix_count++] =
            (ag_update_matrices){.begin = parameter->offset,
                                 .count = parameter->hidden,
                                 .rows = parameter->shape.dim[0] / parameter->hidden,
                                 .columns = parameter->shape.dim[1]};
    }
    return AG_OK;
}

/* The flat vectors, and the memory to compute in. */
static ag_status make_vectors(train_optimizer *optimizer, ag_error *error)
{
    const bool adam = optimizer->config.kind != TRAIN_SGD, has_first = adam || optimizer->config.momentum > 0;
    const bool muon = optimizer->matrix_count > 0;
    if (has_first)
        optimizer->first = zeros(optimizer->size, error);
    if (adam)
        optimizer->second = zeros(optimizer->size, error);
    if (muon)
        optimizer->workspace =
            zeros(ag_orthogonalize_numbers(optimizer->matrices, optimizer->matrix_count, optimizer->threads), error);
    const bool made =
        (!has_first || optimizer->first) && (!adam || optimizer->second) && (!muon || optimizer->workspace);
    return made ? AG_OK : AG_NO_MEMORY;
}

ag_status train_optimizer_init(train_optimizer *optimizer, const train_optimizer_config *config,
                               const nn_params *params, int threads, ag_error *error)
{
    *optimizer = (train_optimizer){.config = *config, .size = params->size, .threads = threads};
    train_optimizer_config *own = &optimizer->config;
    own->beta1 = own->beta1 == 0 ? TRAIN_DEFAULT_BETA1 : own->beta1;
    own->beta2 = own->beta2 == 0 ? TRAIN_DEFAULT_BETA2 : own->beta2;
    own->epsilon = own->epsilon == 0 ? 1e-8 : own->epsilon;
    if (own->kind == TRAIN_MUON && own->momentum == 0)
        own->momentum = TRAIN_DEFAULT_MOMENTUM_MUON;
    own->momentum = own->momentum == -1 ? 0 : own->momentum;
    if (threads < 1)
        return ag_error_set(error, AG_BAD_VALUE, "threads is %d: it must be 1 or more", threads);
    ag_status status = check_config(own, error);
    if (status == AG_OK)
        status = place_parameters(optimizer, params, error);
    if (status == AG_OK)
        status = make_vectors(optimizer, error);
    if (status != AG_OK)
        train_optimizer_clear(optimizer);
    return status;
}

void train_optimizer_clear(train_optimizer *optimizer)
{
    free(optimizer->ranges);
    free(optimizer->matrices);
    free(optimizer->workspace);
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

void train_optimizer_step(train_optimizer *optimizer, nn_params *params, const train_update *update)
{
    const train_optimizer_config *config = &optimizer->config;
    optimizer->step++;
    ag_update changes = {.rule = rule_of(config),
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
                         .average_decay = update->average_decay};
    ag_update_apply(&changes, params->value, params->grad, optimizer->ranges, optimizer->count, optimizer->threads);
    if (optimizer->matrix_count == 0)
        return;
    ag_orthogonalize(config->momentum, update->scale, optimizer->first, params->grad, optimizer->matrices,
                     optimizer->matrix_count, optimizer->threads, optimizer->workspace);
    changes.rule = AG_SGD; /* p -= rate (gradient + weight_decay p) */
    changes.rate = update->muon_rate;
    changes.scale = 1;
    ag_update_apply(&changes, params->value, params->grad, optimizer->ranges + optimizer->count,
                    optimizer->matrix_count, optimizer->threads);
}
