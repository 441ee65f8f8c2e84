/* export.c - a model's parameters for other programs: see train.h. */
#include "layout.h"

#include <stdlib.h>

/* Adds every parameter under its name in the layout. Those that the layout has transposed
 * are copied to their places in `copy` [params->size]. */
static ag_status add_parameters(data_writer *writer, const nn_params *params, train_layout layout, ag_real *copy,
                                ag_error *error)
{
    ag_status status = AG_OK;
    for (int i = 0; i < params->count && status == AG_OK; i++) {
        const nn_param *parameter = &params->items[i];
        const train_place place = train_layout_place(layout, TRAIN_GPT2_PREFIX, parameter->name);
        const ag_real *values = params->value + parameter->offset;
        ag_real *turned = copy + parameter->offset;
        const int64_t rows = parameter->shape.dim[0], columns = parameter->shape.dim[1];
        for (int64_t r = 0; place.transposed && r < rows; r++)
            for (int64_t c = 0; c < columns; c++)
                turned[c * rows + r] = values[r * columns + c];
        status = data_writer_add_real(writer, place.name, place.transposed ? AG_SHAPE(columns, rows) : parameter->shape,
                                      place.transposed ? turned : values, error);
    }
    return status;
}

ag_status train_export(const nn_model *model, train_layout layout, const char *path, ag_error *error)
{
    const nn_params *params = &model->params;
    ag_status status = train_layout_fits(layout, &model->config, error);
    if (status != AG_OK)
        return status;
    ag_real *copy = malloc((size_t)params->size * sizeof *copy);
    if (!copy)
        return ag_error_set(error, AG_NO_MEMORY, "no memory for a copy of %lld %s", (long long)params->size,
                            ag_plural(params->size, "number", "numbers"));
    data_writer *writer = data_writer_new(error);
    status = writer ? AG_OK : AG_NO_MEMORY;
    if (writer) {
        data_writer_no_checksum(writer);
        status = data_writer_metadata(writer, "format", "pt", error);
    }
    if (status == AG_OK)
        status = add_parameters(writer, params, layout, copy, error);
    if (status == AG_OK)
        status = data_writer_save(writer, path, error);
    data_writer_free(writer);
    free(copy);
    return status;
}
