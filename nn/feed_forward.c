/* feed_forward.c - the position-wise feed-forward network (Vaswani et al. 2017, section
 * 3.3), and its gated form (Shazeer 2020). */
#include "layer.h"

static ag_status init_linear(nn_linear *layer, nn_params *params, const char *block, const char *name, int64_t in,
                             int64_t out, bool bias, ag_error *error)
{
    char full[NAME_SIZE];
    ag_status status = layer_name(full, block, name, error);
    if (status == AG_OK)
        status = nn_linear_init(layer, params, full, in, out, bias, error);
    layer_hidden(params, layer->weight, 1);
    return status;
}

ag_status nn_feed_forward_init(nn_feed_forward *layer, nn_params *params, const char *block, int64_t d_model,
                               int64_t ffn, ag_activation activation, bool bias, double dropout, ag_error *error)
{
    *layer = (nn_feed_forward){.in = {-1, -1},
                               .gate = {-1, -1},
                               .out = {-1, -1},
                               .activation = activation == AG_NO_ACTIVATION ? AG_RELU : activation,
                               .dropout = dropout};
    if (!(dropout >= 0 && dropout < 1))
        return ag_error_set(error, AG_BAD_VALUE, "dropout is %g: it must be in [0, 1)", dropout);
    ag_status status = init_linear(&layer->in, params, block, "linear1", d_model, ffn, bias, error);
    if (status == AG_OK && activation == AG_GATED_SILU)
        status = init_linear(&layer->gate, params, block, "linear_gate", d_model, ffn, bias, error);
    if (status == AG_OK)
        status = init_linear(&layer->out, params, block, "linear2", ffn, d_model, bias, error);
    return status;
}

static ag_tensor *apply_linear(const nn_linear *layer, const nn_pass *pass, const char *name, ag_tensor *x,
                               ag_activation activation, const residual *onto)
{
    ag_tape_enter(pass->tape, name);
    ag_tensor *y = linear_apply_onto(layer, pass, x, activation, onto);
    ag_tape_leave(pass->tape);
    return y;
}

ag_tensor *feed_forward_apply_onto(const nn_feed_forward *layer, const nn_pass *pass, ag_tensor *x,
                                   const residual *onto)
{
    const bool gated = layer->activation == AG_GATED_SILU;
    const residual dropped = {.dropout = layer->dropout};
    ag_tensor *hidden =
        apply_linear(&layer->in, pass, "linear1", x, gated ? AG_SILU : layer->activation, gated ? NULL : &dropped);
    if (gated) {
        hidden = ag_mul(hidden, apply_linear(&layer->gate, pass, "linear_gate", x, AG_NO_ACTIVATION, NULL));
        hidden = pass_dropout(pass, hidden, layer->dropout);
    }
    return apply_linear(&layer->out, pass, "linear2", hidden, AG_NO_ACTIVATION, onto);
}

ag_tensor *nn_feed_forward_apply(const nn_feed_forward *layer, const nn_pass *pass, ag_tensor *x)
{
    return feed_forward_apply_onto(layer, pass, x, NULL);
}
