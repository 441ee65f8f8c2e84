/* pass.c - a forward pass: parameters as leaves, dropout, errors. */
#include "layer.h"

/* ---- Errors ------------------------------------------------------------------------ */

ag_status pass_error(const nn_pass *pass, ag_error *error)
{
    const ag_error *first = ag_tape_error(pass->tape);
    return first->status == AG_OK ? AG_OK : ag_error_set(error, first->status, "%s", first->message);
}

/* ---- Parameters -------------------------------------------------------------------- */

/* Elements [begin, begin + rows) of axis 0 as a leaf; rows -1: the whole
 * parameter. */
static ag_tensor *parameter_leaf(const nn_pass *pass, int index, int64_t begin, int64_t rows)
{
    const nn_params *params = pass->params;
    if (index == -1)
        return NULL;
    if (index < 0 || index >= params->count || !params->value)
        return ag_tape_fail(pass->tape, AG_BAD_VALUE, "parameter: there is no parameter %d (of %d, %s)", index,
                            params->count, params->value ? "allocated" : "not allocated");

    const nn_param *item = &params->items[index];
    ag_shape shape = item->shape;
    int64_t offset = item->offset;
    if (rows >= 0) {
        if (shape.ndim < 1 || begin < 0 || begin > shape.dim[0] || rows > shape.dim[0] - begin)
            return ag_tape_fail(pass->tape, AG_BAD_SHAPE, "parameter: %s has no rows %lld to %lld", item->name,
                                (long long)begin, (long long)begin + (long long)rows);
        offset += begin * (item->size / shape.dim[0]);
        shape.dim[0] = rows;
    }
    return ag_leaf(pass->tape, shape, params->value + offset, params->grad ? params->grad + offset : NULL);
}

ag_tensor *nn_parameter(const nn_pass *pass, int index)
{
    return parameter_leaf(pass, index, 0, -1);
}

ag_tensor *nn_parameter_rows(const nn_pass *pass, int index, int64_t begin, int64_t rows)
{
    return parameter_leaf(pass, index, begin, rows < 0 ? 0 : rows);
}

/* ---- Dropout ----------------------------------------------------------------------- */

ag_tensor *pass_dropout(const nn_pass *pass, ag_tensor *x, double p)
{
    return pass->training && p > 0 ? ag_dropout(x, p) : x;
}
