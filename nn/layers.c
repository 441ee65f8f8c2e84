/* layers.c - linear, embedding, norm. */
#include "layer.h"

#include <math.h>

/* ---- Linear ------------------------------------------------------------------------ */

ag_status nn_linear_init(nn_linear *layer, nn_params *params, const char *name, int64_t in, int64_t out, bool bias,
                         ag_error *error)
{
    *layer = (nn_linear){-1, -1};
    ag_status status = layer_parameter(params, name, "weight", AG_SHAPE(out, in),
                                       (nn_initializer){.kind = NN_XAVIER_UNIFORM}, &layer->weight, error);
    if (status == AG_OK && bias)
        status = layer_parameter(params, name, "bias", AG_SHAPE(out), (nn_initializer){.kind = NN_ZEROS}, &layer->bias,
                                 error);
    return status;
}

ag_tensor *linear_apply_onto(const nn_linear *layer, const nn_pass *pass, ag_tensor *x, ag_activation activation,
                             const residual *onto)
{
    ag_linear_options options = {.activation = activation};
    if (onto) {
        options.residual = onto->x;
        options.dropout = pass->training ? onto->dropout : 0;
    }
    return ag_linear_fused(x, nn_parameter(pass, layer->weight), nn_parameter(pass, layer->bias), &options);
}

ag_tensor *nn_linear_apply(const nn_linear *layer, const nn_pass *pass, ag_tensor *x)
{
    return linear_apply_onto(layer, pass, x, AG_NO_ACTIVATION, NULL);
}

/* ---- Embedding --------------------------------------------------------------------- */

ag_status nn_embedding_init(nn_embedding *layer, nn_params *params, const char *name, int64_t count, int64_t width,
                            double scale, int32_t padding_id, ag_error *error)
{
    *layer = (nn_embedding){.weight = -1, .scale = scale != 0 ? scale : 1, .padding_id = padding_id};
    if (width < 1)
        return ag_error_set(error, AG_BAD_SHAPE, "embedding %s: the width is %lld: it must be 1 or more", name,
                            (long long)width);
    if (!isfinite(scale))
        return ag_error_set(error, AG_BAD_VALUE, "embedding %s: the scale is %g: it must be finite", name, scale);
    if (padding_id < -1 || padding_id >= count)
        return ag_error_set(error, AG_BAD_VALUE,
                            "embedding %s: padding_id is %d: it must be below %lld, or -1 for none", name,
                            (int)padding_id, (long long)count);
    nn_initializer initializer = {.kind = NN_NORMAL, .scale = 1 / sqrt((double)width)};
    return layer_parameter(params, name, "weight", AG_SHAPE(count, width), initializer, &layer->weight, error);
}

ag_tensor *embedding_apply_with(const nn_embedding *layer, const nn_pass *pass, ag_shape shape, const int32_t *ids,
                                ag_tensor *code)
{
    const ag_embedding_options options = {.padding_id = layer->padding_id, .scale = layer->scale, .positions = code};
    return ag_embedding_fused(nn_parameter(pass, layer->weight), shape, ids, &options);
}

ag_tensor *nn_embedding_apply(const nn_embedding *layer, const nn_pass *pass, ag_shape shape, const int32_t *ids)
{
    return embedding_apply_with(layer, pass, shape, ids, NULL);
}

ag_tensor *nn_embedding_project(const nn_embedding *layer, const nn_pass *pass, ag_tensor *x)
{
    return ag_linear(x, nn_parameter(pass, layer->weight), NULL);
}

/* ---- Norm -------------------------------------------------------------------------- */

ag_status nn_norm_init(nn_norm *layer, nn_params *params, const char *name, nn_norm_kind kind, int64_t width, bool bias,
                       double eps, ag_error *error)
{
    *layer = (nn_norm){.kind = kind, .weight = -1, .bias = -1, .eps = eps != 0 ? eps : 1e-5};
    if (!(layer->eps > 0 && isfinite(layer->eps)))
        return ag_error_set(error, AG_BAD_VALUE, "norm %s: eps is %g: it must be above 0", name, eps);
    ag_status status = layer_parameter(params, name, "weight", AG_SHAPE(width), (nn_initializer){.kind = NN_ONES},
                                       &layer->weight, error);
    if (status == AG_OK && bias && kind == NN_LAYER_NORM)
        status = layer_parameter(params, name, "bias", AG_SHAPE(width), (nn_initializer){.kind = NN_ZEROS},
                                 &layer->bias, error);
    return status;
}

ag_tensor *nn_norm_apply(const nn_norm *layer, const nn_pass *pass, ag_tensor *x)
{
    ag_tensor *weight = nn_parameter(pass, layer->weight), *bias = nn_parameter(pass, layer->bias);
    return layer->kind == NN_RMS_NORM ? ag_rms_norm(x, weight, layer->eps) : ag_layer_norm(x, weight, bias, layer->eps);
}
