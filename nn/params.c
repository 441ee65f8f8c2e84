/* params.c - parameters: registered with name and shape first, then allocated in two flat
 * vectors. */
#include "layer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void nn_params_init(nn_params *params)
{
    *params = (nn_params){0};
}

static void free_vectors(nn_params *params)
{
    free(params->value);
    free(params->grad);
    params->value = params->grad = NULL;
}

void nn_params_clear(nn_params *params)
{
    for (int i = 0; i < params->count; i++)
        free(params->items[i].name);
    free(params->items);
    free_vectors(params);
    *params = (nn_params){0};
}

int nn_params_find(const nn_params *params, const char *name)
{
    for (int i = 0; i < params->count; i++)
        if (strcmp(params->items[i].name, name) == 0)
            return i;
    return -1;
}

/* Makes room for one more item. */
static ag_status reserve_item(nn_params *params, ag_error *error)
{
    if (params->count < params->capacity)
        return AG_OK;
    int capacity = params->capacity ? 2 * params->capacity : 64;
    nn_param *items = realloc(params->items, (size_t)capacity * sizeof *items);
    if (!items)
        return ag_error_set(error, AG_NO_MEMORY, "out of memory: the list of %d %s cannot grow", params->count,
                            ag_plural(params->count, "parameter", "parameters"));
    params->items = items;
    params->capacity = capacity;
    return AG_OK;
}

static ag_status check_new(const nn_params *params, const char *name, ag_shape shape, ag_error *error)
{
    char text[AG_SHAPE_TEXT];
    const int64_t size = ag_shape_size(shape);
    if (params->value)
        return ag_error_set(error, AG_BAD_VALUE, "parameter %s comes too late: the parameters are allocated already",
                            name);
    if (nn_params_find(params, name) >= 0)
        return ag_error_set(error, AG_BAD_VALUE, "there is a parameter named %s already", name);
    if (size < 1)
        return ag_error_set(error, AG_BAD_SHAPE,
                            "parameter %s of shape %s: sizes must be 1 or more, and fit into memory", name,
                            ag_shape_print(shape, text));
    if (size > INT64_MAX / (int64_t)sizeof(ag_real) - params->size)
        return ag_error_set(error, AG_BAD_SHAPE,
                            "parameter %s of shape %s: all parameters together are more than memory can hold", name,
                            ag_shape_print(shape, text));
    return AG_OK;
}

/* nn_params_add with a status. */
static ag_status add_parameter(nn_params *params, const char *name, ag_shape shape, nn_initializer initializer,
                               bool decay, ag_error *error)
{
    ag_status status = check_new(params, name, shape, error);
    if (status == AG_OK)
        status = reserve_item(params, error);
    if (status != AG_OK)
        return status;

    char *copy = malloc(strlen(name) + 1);
    if (!copy)
        return ag_error_set(error, AG_NO_MEMORY, "out of memory: no room for the name of parameter %s", name);
    memcpy(copy, name, strlen(name) + 1);
    const int64_t size = ag_shape_size(shape);
    params->items[params->count++] = (nn_param){
        .name = copy,
        .shape = shape,
        .offset = params->size,
        .size = size,
        .initializer = initializer,
        .decay = decay,
    };
    params->size += size;
    return AG_OK;
}

int nn_params_add(nn_params *params, const char *name, ag_shape shape, nn_initializer initializer, bool decay,
                  ag_error *error)
{
    return add_parameter(params, name, shape, initializer, decay, error) == AG_OK ? params->count - 1 : -1;
}

ag_status nn_params_reserve(nn_params *params, ag_error *error)
{
    if (params->value)
        return ag_error_set(error, AG_BAD_VALUE, "the parameters have been allocated already");
    params->value = ag_numbers_new(params->size);
    params->grad = ag_numbers_new(params->size);
    if (params->value && params->grad)
        return AG_OK;
    free_vectors(params);
    return ag_error_set(error, AG_NO_MEMORY, "out of memory: no room for %lld %s", (long long)params->size,
                        ag_plural(params->size, "parameter", "parameters"));
}

ag_status nn_params_allocate(nn_params *params, uint64_t seed, ag_error *error)
{
    ag_status status = nn_params_reserve(params, error);
    if (status != AG_OK)
        return status;
    for (int i = 0; i < params->count && status == AG_OK; i++) {
        const nn_param *item = &params->items[i];
        ag_rng rng = ag_rng_make(ag_seed_for(seed, AG_FOR_PARAMETERS), (uint64_t)i);
        status = nn_initialize(item->initializer, item->shape, params->value + item->offset, &rng, error);
    }
    if (status != AG_OK)
        free_vectors(params);
    return status;
}

void nn_params_zero_grad(nn_params *params)
{
    if (params->grad && params->size)
        memset(params->grad, 0, (size_t)params->size * sizeof(ag_real));
}

/* ---- Registration by layers -------------------------------------------------------- */

ag_status layer_name(char out[NAME_SIZE], const char *prefix, const char *name, ag_error *error)
{
    int length = snprintf(out, NAME_SIZE, "%s%s%s", prefix, *prefix ? "." : "", name);
    if (length < 0 || length >= NAME_SIZE)
        return ag_error_set(error, AG_BAD_VALUE, "the name %s.%s is too long: %d bytes at most", prefix, name,
                            NAME_SIZE - 1);
    return AG_OK;
}

ag_status layer_parameter(nn_params *params, const char *prefix, const char *name, ag_shape shape,
                          nn_initializer initializer, int *index, ag_error *error)
{
    char full[NAME_SIZE];
    const bool decay = shape.ndim > 1; /* matrices decay; biases and norms do not */
    ag_status status = layer_name(full, prefix, name, error);
    if (status == AG_OK)
        status = add_parameter(params, full, shape, initializer, decay, error);
    *index = status == AG_OK ? params->count - 1 : -1;
    return status;
}

void layer_hidden(nn_params *params, int index, int count)
{
    if (index >= 0)
        params->items[index].hidden = count;
}
