/* weights.c - a model's parameters from the tensors of a file, in any layout. */
#include "layout.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One reading of one file. */
typedef struct reader {
    const data_safetensors *file;
    train_layout layout;
    const char *prefix, *path;
    const char *const *others; /* tensors that may be there besides, ended by NULL; NULL: none */
    ag_error *error;
} reader;

static train_place place_of(const reader *r, const nn_param *parameter)
{
    return train_layout_place(r->layout, r->prefix, parameter->name);
}

/* ---- Checks --------------------------------------------------------------------------------- */

/* Whole numbers are no weights: they would be the codes of a quantized model, which mean something else. */
static bool is_weight(const data_tensor *tensor)
{
    static const char *const dtypes[] = {"F64", "F32", "F16", "BF16"};
    for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++)
        if (!strcmp(tensor->dtype, dtypes[i]))
            return true;
    return false;
}

/* Whether the parameter has a tensor, of the shape that it must have there. */
static ag_status check_parameter(const reader *r, const nn_param *parameter)
{
    const train_place place = place_of(r, parameter);
    ag_shape shape = parameter->shape;
    if (place.transposed) {
        shape.dim[0] = parameter->shape.dim[1];
        shape.dim[1] = parameter->shape.dim[0];
    }
    const data_tensor *tensor = train_tensor_find(r->file, place.name, shape, NULL, r->path, r->error);
    if (!tensor)
        return AG_BAD_FILE;
    if (!is_weight(tensor))
        return ag_error_set(r->error, AG_BAD_FILE, "%s: the tensor %s is %s, and weights are F64, F32, F16 or BF16",
                            r->path, place.name, tensor->dtype);
    return AG_OK;
}

static bool is_parameter(const reader *r, const nn_params *params, const char *name)
{
    for (int i = 0; i < params->count; i++)
        if (!strcmp(place_of(r, &params->items[i]).name, name))
            return true;
    return false;
}

/* Whether the tensor may be there, and yet is no parameter. */
static bool passes_over(const reader *r, const char *name)
{
    for (int i = 0; r->others && r->others[i]; i++)
        if (!strcmp(r->others[i], name))
            return true;
    return train_layout_passes_over(r->layout, r->prefix, name);
}

/* Whether every tensor is a parameter's: if so, their numbers tell. */
static ag_status check_unexpected(const reader *r, const nn_params *params)
{
    const int64_t count = data_safetensors_count(r->file);
    int64_t known = 0;
    for (int i = 0; i < params->count; i++)
        known += data_safetensors_find(r->file, place_of(r, &params->items[i]).name) != NULL;
    for (int64_t i = 0; i < count; i++)
        known += passes_over(r, data_safetensors_at(r->file, i)->name);
    for (int64_t i = 0; i < count && known < count; i++) {
        const char *name = data_safetensors_at(r->file, i)->name;
        if (!passes_over(r, name) && !is_parameter(r, params, name))
            return ag_error_set(r->error, AG_BAD_FILE, "%s: the tensor %.200s is no parameter of the model", r->path,
                                name);
    }
    return AG_OK;
}

/* A file in GPT-2's layout may hold the table of the tied output a second time. */
static ag_status check_tied(const reader *r)
{
    char name[64];
    const data_tensor *output = data_safetensors_find(r->file, TRAIN_GPT2_OUTPUT);
    if (r->layout != TRAIN_LAYOUT_GPT2 || !output)
        return AG_OK;
    snprintf(name, sizeof name, "%swte.weight", r->prefix);
    const data_tensor *table = data_safetensors_find(r->file, name);
    if (strcmp(output->dtype, table->dtype) != 0 || output->size != table->size ||
        memcmp(output->data, table->data, (size_t)table->size) != 0)
        return ag_error_set(r->error, AG_BAD_FILE,
                            "%s: the tensor %s is not the same as %s, to which the layout of GPT-2 ties the output",
                            r->path, TRAIN_GPT2_OUTPUT, name);
    return AG_OK;
}

/* ---- Numbers -------------------------------------------------------------------------------- */

/* Reads a matrix [rows, columns] that is [columns, rows] in the file. */
static ag_status read_transposed(const data_tensor *tensor, real *out, int64_t rows, int64_t columns, ag_error *error)
{
    real *turned = malloc((size_t)(rows * columns) * sizeof *turned);
    if (!turned)
        return ag_error_set(error, AG_NO_MEMORY, "no memory for the matrix %s", tensor->name);
    ag_status status = data_tensor_read(tensor, turned, rows * columns, error);
    for (int64_t i = 0; status == AG_OK && i < rows; i++)
        for (int64_t j = 0; j < columns; j++)
            out[i * columns + j] = turned[j * rows + i];
    free(turned);
    return status;
}

static ag_status read_parameter(const reader *r, const nn_param *parameter, real *out)
{
    const train_place place = place_of(r, parameter);
    const data_tensor *tensor = data_safetensors_find(r->file, place.name);
    ag_error problem = {0};
    ag_status status = place.transposed
                           ? read_transposed(tensor, out, parameter->shape.dim[0], parameter->shape.dim[1], &problem)
                           : data_tensor_read(tensor, out, parameter->size, &problem);
    return status == AG_OK ? AG_OK : ag_error_set(r->error, status, "%s: %.300s", r->path, problem.message);
}

static ag_status read_parameters(const reader *r, nn_params *params)
{
    ag_status status = check_unexpected(r, params);
    for (int i = 0; i < params->count && status == AG_OK; i++)
        status = check_parameter(r, &params->items[i]);
    if (status == AG_OK)
        status = check_tied(r);
    if (status == AG_OK) /* now memory is known to be needed for no more numbers than the file has */
        status = nn_params_allocate(params, 0, r->error);
    for (int i = 0; i < params->count && status == AG_OK; i++)
        status = read_parameter(r, &params->items[i], params->value + params->items[i].offset);
    return status;
}

nn_model *train_weights_read(const data_safetensors *file, train_layout layout, const char *const *others,
                             const nn_model_config *config, const char *path, ag_error *error)
{
    const reader r = {file, layout, train_layout_prefix(file, layout), path, others, error};
    ag_error problem = {0};
    const int64_t blocks = (int64_t)config->encoder_layers + config->decoder_layers;
    if (blocks > data_safetensors_count(file)) { /* even their names are not worth making */
        ag_error_set(error, AG_BAD_FILE, "%s: its %lld %s too few for a model of %lld %s", path,
                     (long long)data_safetensors_count(file),
                     ag_plural(data_safetensors_count(file), "tensor is", "tensors are"), (long long)blocks,
                     ag_plural(blocks, "block", "blocks"));
        return NULL;
    }
    nn_model *model = nn_model_outline(config, &problem);
    if (!model) {
        ag_error_set(error, problem.status == AG_NO_MEMORY ? AG_NO_MEMORY : AG_BAD_FILE, "%s: %.300s", path,
                     problem.message);
        return NULL;
    }
    if (read_parameters(&r, &model->params) == AG_OK)
        return model;
    nn_model_free(model);
    return NULL;
}
