/* pass.c - a forward pass: parameters as leaves, dropout, errors. */
#include "layer.h"

/* ---- Errors --------------------------------------------------------------------------------- */

typedef struct refusal {
    ag_status status;
    char sentence[AG_MESSAGE_SIZE];
} refusal;

static ag_status refuse(ag_node *node)
{
    const refusal *why = node->attributes;
    return ag_fail(node, why->status, "%s", why->sentence);
}

/* A tape takes errors from operations alone, so this is one: it refuses whatever it is given. */
ag_tensor *pass_fail(const nn_pass *pass, ag_status status, const char *where, const char *format, ...)
{
    const ag_op refusing = {.name = where, .shape = refuse, .forward = refuse};
    refusal why = {.status = status};
    va_list arguments;
    va_start(arguments, format);
    ag_text_print_list(why.sentence, sizeof why.sentence, format, arguments);
    va_end(arguments);
    ag_tensor *nothing = ag_constant(pass->tape, AG_SCALAR, NULL);
    return ag_custom(&refusing, &nothing, 1, 1, &why, sizeof why);
}

ag_status pass_error(const nn_pass *pass, ag_error *error)
{
    const ag_error *first = ag_tape_error(pass->tape);
    return first->status == AG_OK ? AG_OK : ag_error_set(error, first->status, "%s", first->message);
}

/* ---- Parameters ----------------------------------------------------------------------------- */

/* Elements [begin, begin + rows) of axis 0, or all of it where rows is -1. */
static ag_tensor *leaf(const nn_pass *pass, int index, int64_t begin, int64_t rows)
{
    const nn_params *params = pass->params;
    if (index == -1)
        return NULL;
    if (index < 0 || index >= params->count || !params->value)
        return pass_fail(pass, AG_BAD_VALUE, "parameter", "there is no parameter %d (of %d, %s)", index, params->count,
                         params->value ? "allocated" : "not allocated");

    const nn_param *item = &params->items[index];
    ag_shape shape = item->shape;
    int64_t offset = item->offset;
    if (rows >= 0) {
        if (shape.ndim < 1 || begin < 0 || begin > shape.dim[0] || rows > shape.dim[0] - begin)
            return pass_fail(pass, AG_BAD_SHAPE, "parameter", "%s has no rows %lld to %lld", item->name,
                             (long long)begin, (long long)begin + (long long)rows);
        offset += begin * (item->size / shape.dim[0]);
        shape.dim[0] = rows;
    }
    return ag_leaf(pass->tape, shape, params->value + offset, params->grad ? params->grad + offset : NULL);
}

ag_tensor *nn_parameter(const nn_pass *pass, int index)
{
    return leaf(pass, index, 0, -1);
}

ag_tensor *nn_parameter_rows(const nn_pass *pass, int index, int64_t begin, int64_t rows)
{
    return leaf(pass, index, begin, rows < 0 ? 0 : rows);
}

/* ---- Dropout -------------------------------------------------------------------------------- */

ag_tensor *pass_dropout(const nn_pass *pass, ag_tensor *x, double p)
{
    return pass->training && p > 0 ? ag_dropout(x, p) : x;
}
