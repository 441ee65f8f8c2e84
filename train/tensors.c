/* tensors.c - a model's parameters as tensors of a file: see tensors.h. */
#include "tensors.h"

#include <stdio.h>
#include <string.h>

ag_status train_parameters_add(data_writer *writer, const nn_params *params, const ag_real *values, ag_error *error)
{
    for (int i = 0; i < params->count; i++) {
        const nn_param *parameter = &params->items[i];
        ag_status status =
            data_writer_add_real(writer, parameter->name, parameter->shape, values + parameter->offset, error);
        if (status != AG_OK)
            return status;
    }
    return AG_OK;
}

char *train_tensor_shape(const data_tensor *tensor, char *text, size_t size)
{
    size_t used = (size_t)snprintf(text, size, "[");
    for (int axis = 0; axis < tensor->rank && used < size; axis++)
        used += (size_t)snprintf(text + used, size - used, axis ? ",%llu" : "%llu",
                                 (unsigned long long)tensor->shape[axis]);
    if (used < size)
        snprintf(text + used, size - used, "]");
    return text;
}

static bool ends_in(const char *text, const char *end)
{
    const size_t length = strlen(text), size = strlen(end);
    return length >= size && !strcmp(text + length - size, end);
}

void train_tensor_prefix(const data_safetensors *file, const char *name, char prefix[TRAIN_NAME])
{
    char end[TRAIN_NAME + 1];
    int found = 0;
    snprintf(end, sizeof end, ".%s", name);
    for (int64_t i = 0; i < data_safetensors_count(file); i++) {
        const char *other = data_safetensors_at(file, i)->name;
        const size_t length = ends_in(other, end) ? strlen(other) - strlen(name) : 0;
        if (length == 0 || length >= TRAIN_NAME)
            continue;
        memcpy(prefix, other, length);
        prefix[length] = '\0';
        found++;
    }
    if (found != 1)
        *prefix = '\0';
}

/* The option for models without such a parameter; NULL if there is none. */
static const char *option_without(const char *name)
{
    if (!strcmp(name, "output.bias"))
        return "--no-output-bias";
    if (!strncmp(name, "encoder.norm.weight", 19) || !strncmp(name, "decoder.norm.weight", 19))
        return "--no-final-norm";
    if (!ends_in(name, "bias"))
        return NULL;
    return strstr(name, "norm") ? "--no-norm-bias" : "--no-bias";
}

void train_tensor_missing(const data_safetensors *file, const char *name, const char *path, ag_error *error)
{
    const char *without = option_without(name);
    const int64_t count = data_safetensors_count(file);
    char prefix[TRAIN_NAME];
    train_tensor_prefix(file, name, prefix);
    if (*prefix)
        ag_error_set(
            error, AG_BAD_FILE,
            "%s: the tensor %s is missing; the file has %.100s%s (import --strip %.100s takes that prefix away)", path,
            name, prefix, name, prefix);
    else if (count == 0)
        ag_error_set(error, AG_BAD_FILE, "%s: the tensor %s is missing; the file has no tensors", path, name);
    else
        ag_error_set(error, AG_BAD_FILE, "%s: the tensor %s is missing%s%s%s; the file has %.100s%s", path, name,
                     without ? " (a model without it is made with " : "", without ? without : "", without ? ")" : "",
                     data_safetensors_at(file, 0)->name, count > 1 ? " and others (tapeformer info lists them)" : "");
}

const data_tensor *train_tensor_find(const data_safetensors *file, const char *name, ag_shape shape, const char *dtype,
                                     const char *path, ag_error *error)
{
    const data_tensor *tensor = data_safetensors_find(file, name);
    if (!tensor) {
        train_tensor_missing(file, name, path, error);
        return NULL;
    }
    bool same = tensor->rank == shape.ndim;
    for (int axis = 0; same && axis < shape.ndim; axis++)
        same = tensor->shape[axis] == (uint64_t)shape.dim[axis];
    if (!same) {
        char found[AG_SHAPE_TEXT], wanted[AG_SHAPE_TEXT];
        ag_error_set(error, AG_BAD_FILE, "%s: the tensor %s has the shape %s and the model needs %s", path, name,
                     train_tensor_shape(tensor, found, sizeof found), ag_shape_print(shape, wanted));
        return NULL;
    }
    if (dtype && strcmp(tensor->dtype, dtype)) {
        ag_error_set(error, AG_BAD_FILE,
                     "%s: the tensor %s is %s and this build computes in %s, so it cannot go on exactly", path, name,
                     tensor->dtype, dtype);
        return NULL;
    }
    return tensor;
}

ag_status train_parameters_read(const data_safetensors *file, nn_params *params, const char *dtype, const char *path,
                                ag_error *error)
{
    for (int i = 0; i < params->count; i++)
        if (!train_tensor_find(file, params->items[i].name, params->items[i].shape, dtype, path, error))
            return AG_BAD_FILE;
    for (int i = 0; i < params->count; i++) {
        const nn_param *parameter = &params->items[i];
        ag_error problem = {0};
        ag_status status = data_tensor_read(data_safetensors_find(file, parameter->name),
                                            params->value + parameter->offset, parameter->size, &problem);
        data_safetensors_rest(file);
        if (status != AG_OK)
            return ag_error_set(error, status, "%s: %.300s", path, problem.message);
    }
    return AG_OK;
}
