/* positions.c - the code of a token's position, added to its embedding.
 *
 * The other kinds of positions are attention's own: it rotates its queries and keys
 * (rotary), or adds a bias to its scores (distances.c).
 */
#include "layer.h"
#include "scalar.h"

void nn_sinusoidal(ag_real *out, int64_t start, int64_t length, int64_t width)
{
    for (int64_t i = 0; i < width; i += 2) {
        const double frequency = scalar_pow(10000, -(double)i / (double)width);
        for (int64_t t = 0; t < length; t++) {
            double sine, cosine;
            scalar_sin_cos(((double)start + (double)t) * frequency, &sine, &cosine);
            out[t * width + i] = (ag_real)sine;
            if (i + 1 < width)
                out[t * width + i + 1] = (ag_real)cosine;
        }
    }
}

ag_status nn_positions_init(nn_positions *layer, nn_params *params, const char *name, nn_position_kind kind,
                            int64_t max_length, int64_t width, ag_error *error)
{
    *layer = (nn_positions){.kind = kind, .weight = -1, .max_length = max_length, .width = width};
    if (kind != NN_LEARNED)
        return AG_OK;
    return layer_parameter(params, name, "weight", AG_SHAPE(max_length, width),
                           (nn_initializer){.kind = NN_NORMAL, .scale = 0.02}, &layer->weight, error);
}

ag_tensor *positions_code(const nn_positions *layer, const nn_pass *pass, int64_t start, int64_t length)
{
    if (layer->kind == NN_SINUSOIDAL) {
        ag_tensor *code = ag_constant(pass->tape, AG_SHAPE(length, layer->width), NULL);
        if (code)
            nn_sinusoidal(code->data, start, length, layer->width);
        return code;
    }
    if (layer->kind != NN_LEARNED)
        return NULL;
    if (start < 0 || length > layer->max_length - start)
        return ag_tape_fail(pass->tape, AG_BAD_SHAPE,
                            "positions: a sequence of %lld %s is longer than the %lld %s learned (max_length)",
                            (long long)start + length, ag_plural(start + length, "token", "tokens"),
                            (long long)layer->max_length,
                            ag_plural(layer->max_length, "position that was", "positions that were"));
    return nn_parameter_rows(pass, layer->weight, start, length);
}

ag_tensor *nn_positions_apply(const nn_positions *layer, const nn_pass *pass, ag_tensor *x, int64_t start)
{
    char text[AG_SHAPE_TEXT];
    if (!x || (layer->kind != NN_SINUSOIDAL && layer->kind != NN_LEARNED))
        return x;
    const int ndim = x->shape.ndim;
    if (ndim < 2 || x->shape.dim[ndim - 1] != layer->width)
        return ag_tape_fail(pass->tape, AG_BAD_SHAPE, "positions: %s: expected [.., length, %lld]",
                            ag_shape_print(x->shape, text), (long long)layer->width);
    return ag_add(x, positions_code(layer, pass, start, x->shape.dim[ndim - 2]));
}
