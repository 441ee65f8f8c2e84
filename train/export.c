/* export.c - a model's parameters for other programs: see train.h. */
#include "layout.h"

#include <stdlib.h>
#include <string.h>

/* Copies every parameter to `values` [params->size], transposed if the layout has it
 * transposed. */
static void copy_in_layout(const nn_params *params, train_layout layout, ag_real *values)
{
    for (int i = 0; i < params->count; i++) {
        const nn_param *parameter = &params->items[i];
        const ag_real *from = params->value + parameter->offset;
        ag_real *to = values + parameter->offset;
        if (!train_layout_place(layout, TRAIN_GPT2_PREFIX, parameter->name).transposed) {
            memcpy(to, from, (size_t)parameter->size * sizeof *to);
            continue;
        }
        const int64_t rows = parameter->shape.dim[0], columns = parameter->shape.dim[1];
        for (int64_t r = 0; r < rows; r++)
            for (int64_t c = 0; c < columns; c++)
                to[c * rows + r] = from[r * columns + c];
    }
}

static ag_status add_parameters(data_writer *writer, const nn_params *params, train_layout layout,
                                const ag_real *values, ag_error *error)
{
    ag_status status = AG_OK;
    for (int i = 0; i < params->count && status == AG_OK; i++) {
        const nn_param *parameter = &params->items[i];
        const train_place place = train_layout_place(layout, TRAIN_GPT2_PREFIX, parameter->name);
        ag_shape shape = parameter->shape;
        if (place.transposed)
            shape = (ag_shape){.ndim = 2, .dim = {shape.dim[1], shape.dim[0]}};
        status = data_writer_add_real(writer, place.name, shape, values + parameter->offset, error);
    }
    return status;
}

ag_status train_export(const nn_model *model, train_layout layout, const char *path, ag_error *error)
{
    const nn_params *params = &model->params;
    ag_status status = train_layout_fits(layout, &model->config, error);
    if (status != AG_OK)
        return status;
    ag_real *values = malloc((size_t)params->size * sizeof *values);
    if (!values)
        return ag_error_set(error, AG_NO_MEMORY, "no memory for a copy of %lld %s", (long long)params->size,
                            ag_plural(params->size, "number", "numbers"));
    copy_in_layout(params, layout, values);
    data_writer *writer = data_writer_new(error);
    status = writer ? AG_OK : AG_NO_MEMORY;
    if (writer) {
        data_writer_no_checksum(writer);
        status = data_writer_metadata(writer, "format", "pt", error);
    }
    if (status == AG_OK)
        status = add_parameters(writer, params, layout, values, error);
    if (status == AG_OK)
        status = data_writer_save(writer, path, error);
    data_writer_free(writer);
    free(values);
    return status;
}
