/* weights.c - reads a model's parameters from the tensors of a file, in any layout. */
#include "weights.h"

#include "folder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One reading of one file. */
typedef struct weights_reader {
    const data_safetensors *file;
    train_layout layout;
    const char *prefix, *path;
    bool tied;                 /* the output is the embedding's table */
    const char *const *others; /* further tensors that may be there, ended by NULL; NULL:
                                * none */
    ag_error *error;
} weights_reader;

static train_place place_of(const weights_reader *r, const nn_param *parameter)
{
    return train_layout_place(r->layout, r->prefix, parameter->name);
}

/* The matrices of query, key and value, which PyTorch keeps separate if keys or values
 * have their own widths. */
enum { PARTS = 3 };
static const char *const part_names[PARTS] = {"q_proj_weight", "k_proj_weight", "v_proj_weight"};

/* The names of the separate matrices of a packed parameter `name`; false if it is not
 * packed. */
static bool name_parts(const char *name, char names[PARTS][TRAIN_NAME])
{
    static const char packed[] = "in_proj_weight";
    const size_t length = strlen(name), end = strlen(packed);
    if (length < end || strcmp(name + length - end, packed) != 0)
        return false;
    for (int i = 0; i < PARTS; i++)
        snprintf(names[i], TRAIN_NAME, "%.*s%s", (int)(length - end), name, part_names[i]);
    return true;
}

/* Whether the file has the separate matrices of a parameter instead of the packed one. */
static bool find_parts(const weights_reader *r, const char *name, const data_tensor *parts[PARTS])
{
    char names[PARTS][TRAIN_NAME];
    if (r->layout != TRAIN_LAYOUT_PYTORCH || data_safetensors_find(r->file, name) || !name_parts(name, names))
        return false;
    for (int i = 0; i < PARTS; i++)
        if (!(parts[i] = data_safetensors_find(r->file, names[i])))
            return false;
    return true;
}

bool train_weights_missing(const data_safetensors *file, train_layout layout, const nn_params *params,
                           char name[TRAIN_NAME])
{
    const weights_reader r = {.file = file, .layout = layout, .prefix = train_layout_prefix(file, layout)};
    const data_tensor *parts[PARTS];
    for (int i = 0; i < params->count; i++) {
        const train_place place = place_of(&r, &params->items[i]);
        if (data_safetensors_find(file, place.name) || find_parts(&r, place.name, parts))
            continue;
        memcpy(name, place.name, TRAIN_NAME);
        return true;
    }
    return false;
}

/* ---- Checks ------------------------------------------------------------------------ */

/* Integers are not weights: they would be the codes of a quantized model. */
static bool is_weight(const data_tensor *tensor)
{
    static const char *const dtypes[] = {"F64", "F32", "F16", "BF16"};
    for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++)
        if (!strcmp(tensor->dtype, dtypes[i]))
            return true;
    return false;
}

/* Checks that the tensor exists, has this shape, and holds weights. */
static ag_status check_tensor(const weights_reader *r, const char *name, ag_shape shape)
{
    const data_tensor *tensor = train_tensor_find(r->file, name, shape, NULL, r->path, r->error);
    if (!tensor)
        return AG_BAD_FILE;
    if (!is_weight(tensor))
        return ag_error_set(r->error, AG_BAD_FILE, "%s: the tensor %s is %s, and weights are F64, F32, F16 or BF16",
                            r->path, name, tensor->dtype);
    return AG_OK;
}

/* Checks the tensor of a parameter, or its three separate ones. */
static ag_status check_parameter(const weights_reader *r, const nn_param *parameter)
{
    const train_place place = place_of(r, parameter);
    const data_tensor *parts[PARTS];
    ag_shape shape = parameter->shape;
    if (place.transposed) {
        shape.dim[0] = parameter->shape.dim[1];
        shape.dim[1] = parameter->shape.dim[0];
    }
    if (!find_parts(r, place.name, parts))
        return check_tensor(r, place.name, shape);
    ag_status status = AG_OK;
    shape.dim[0] /= PARTS;
    for (int i = 0; i < PARTS && status == AG_OK; i++)
        status = check_tensor(r, parts[i]->name, shape);
    return status;
}

static bool is_parameter(const weights_reader *r, const nn_params *params, const char *name)
{
    for (int i = 0; i < params->count; i++) {
        const train_place place = place_of(r, &params->items[i]);
        const data_tensor *parts[PARTS];
        if (!strcmp(place.name, name))
            return true;
        for (int part = 0; part < PARTS && find_parts(r, place.name, parts); part++)
            if (!strcmp(parts[part]->name, name))
                return true;
    }
    return false;
}

/* The number of the file's tensors that are this parameter's: 0, 1 or 3. */
static int count_tensors(const weights_reader *r, const nn_param *parameter)
{
    const train_place place = place_of(r, parameter);
    const data_tensor *parts[PARTS], *found = data_safetensors_find(r->file, place.name);
    if (found) /* an omitted name may find another parameter's tensor, which shares its
                * values */
        return !strcmp(found->name, place.name);
    return find_parts(r, place.name, parts) ? PARTS : 0;
}

/* A hint at the option with which a model has such a parameter, or "". */
static const char *option_with(const char *name)
{
    if (!strncmp(name, "encoder.norm.", 13) || !strncmp(name, "decoder.norm.", 13))
        return " (a model with it is made with --final-norm)";
    return !strcmp(name, TRAIN_OWN_OUTPUT) ? " (its output is tied to the embedding)" : "";
}

/* Whether the tensor may be there without being a parameter. */
static bool is_ignored(const weights_reader *r, const char *name)
{
    for (int i = 0; r->others && r->others[i]; i++)
        if (!strcmp(r->others[i], name))
            return true;
    if (r->tied && r->layout == TRAIN_LAYOUT_PYTORCH && !strcmp(name, TRAIN_OWN_OUTPUT))
        return true;
    return train_layout_ignores(r->layout, r->prefix, name);
}

/* Refuses tensors that are not a parameter's. It counts first: only if the counts differ
 * are the names searched, which takes longer. */
static ag_status check_unexpected(const weights_reader *r, const nn_params *params)
{
    const int64_t count = data_safetensors_count(r->file);
    int64_t known = 0;
    for (int i = 0; i < params->count; i++)
        known += count_tensors(r, &params->items[i]);
    for (int64_t i = 0; i < count; i++)
        known += is_ignored(r, data_safetensors_at(r->file, i)->name);
    for (int64_t i = 0; i < count && known < count; i++) {
        const char *name = data_safetensors_at(r->file, i)->name;
        if (!is_ignored(r, name) && !is_parameter(r, params, name))
            return ag_error_set(r->error, AG_BAD_FILE, "%s: the tensor %.200s is no parameter of the model%s", r->path,
                                name, option_with(name));
    }
    return AG_OK;
}

/* A file may hold the table of a tied output twice, and both must be equal. */
static ag_status check_tied(const weights_reader *r)
{
    const bool gpt2 = r->layout == TRAIN_LAYOUT_GPT2;
    const char *twin = gpt2 ? TRAIN_GPT2_OUTPUT : TRAIN_OWN_OUTPUT;
    char name[64];
    const data_tensor *output = r->tied ? data_safetensors_find(r->file, twin) : NULL;
    if (!output)
        return AG_OK;
    snprintf(name, sizeof name, "%s%s", r->prefix, gpt2 ? "wte.weight" : TRAIN_OWN_TABLE);
    const data_tensor *table = data_safetensors_find(r->file, name);
    if (strcmp(output->dtype, table->dtype) != 0 || output->size != table->size ||
        memcmp(output->data, table->data, (size_t)table->size) != 0)
        return ag_error_set(r->error, AG_BAD_FILE,
                            "%s: the tensor %s is not the same as %s, to which the output of the model is tied",
                            r->path, twin, name);
    return AG_OK;
}

/* ---- Numbers ----------------------------------------------------------------------- */

/* Reads a matrix [rows, columns] that the file has as [columns, rows]. */
static ag_status read_transposed(const data_tensor *tensor, ag_real *out, int64_t rows, int64_t columns,
                                 ag_error *error)
{
    ag_real *turned = malloc((size_t)(rows * columns) * sizeof *turned);
    if (!turned)
        return ag_error_set(error, AG_NO_MEMORY, "no memory for the matrix %s", tensor->name);
    ag_status status = data_tensor_read(tensor, turned, rows * columns, error);
    for (int64_t i = 0; status == AG_OK && i < rows; i++)
        for (int64_t j = 0; j < columns; j++)
            out[i * columns + j] = turned[j * rows + i];
    free(turned);
    return status;
}

static ag_status read_parameter(const weights_reader *r, const nn_param *parameter, ag_real *out)
{
    const train_place place = place_of(r, parameter);
    const data_tensor *tensor = data_safetensors_find(r->file, place.name), *parts[PARTS];
    const int64_t part = parameter->size / PARTS;
    ag_error problem = {0};
    ag_status status = AG_OK;
    if (find_parts(r, place.name, parts)) {
        for (int i = 0; i < PARTS && status == AG_OK; i++)
            status = data_tensor_read(parts[i], out + i * part, part, &problem);
    } else {
        status = place.transposed
                     ? read_transposed(tensor, out, parameter->shape.dim[0], parameter->shape.dim[1], &problem)
                     : data_tensor_read(tensor, out, parameter->size, &problem);
    }
    return status == AG_OK ? AG_OK : ag_error_set(r->error, status, "%s: %.300s", r->path, problem.message);
}

static ag_status read_parameters(const weights_reader *r, nn_params *params)
{
    ag_status status = check_unexpected(r, params);
    for (int i = 0; i < params->count && status == AG_OK; i++)
        status = check_parameter(r, &params->items[i]);
    if (status == AG_OK)
        status = check_tied(r);
    if (status == AG_OK) /* the file has all the values, so it is safe to allocate memory
                          * for them */
        status = nn_params_reserve(params, r->error);
    for (int i = 0; i < params->count && status == AG_OK; i++) {
        status = read_parameter(r, &params->items[i], params->value + params->items[i].offset);
        data_safetensors_rest(r->file);
    }
    return status;
}

nn_model *train_weights_read(const data_safetensors *file, train_layout layout, const char *const *others,
                             const nn_model_config *config, const char *path, ag_error *error)
{
    const weights_reader r = {file, layout, train_layout_prefix(file, layout), path, config->tied_output, others, error};
    ag_error problem = {0};
    const int64_t blocks = (int64_t)config->encoder_layers + config->decoder_layers;
    if (blocks > data_safetensors_count(file)) { /* do not even make their names */
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

data_safetensors *train_weights_open(const char *path, ag_error *error)
{
    if (!data_path_is_folder(path))
        return data_safetensors_open(path, error);
    char *inside = data_path_join(path, TRAIN_MODEL_FILE, error);
    if (inside && !train_path_exists(inside)) {
        char *index = data_path_join(path, TRAIN_INDEX_FILE, error);
        const bool is_there = index && train_path_exists(index);
        free(is_there ? inside : index);
        inside = is_there ? index : inside;
    }
    data_safetensors *file = inside ? data_safetensors_open(inside, error) : NULL;
    free(inside);
    return file;
}
