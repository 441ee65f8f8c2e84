/* config.c - a model's configuration: defaults and checks. */
#include "layer.h"

#include <limits.h>
#include <math.h>

/* Larger sizes are a slip or a damaged file, not a model for this library. */
#define MOST_WIDTH  (1 << 20)
#define MOST_FFN    (1 << 23)
#define MOST_LAYERS 1024
#define MOST_LENGTH (1 << 24)

static void set_default(int *field, int value)
{
    if (*field == 0)
        *field = value;
}

/* Checks the enumerations, whose values may come from a file. */
static ag_status check_choices(const nn_model_config *config, ag_error *error)
{
    const struct {
        const char *field;
        int value, count;
    } choices[] = {
        {"kind", (int)config->kind, NN_DECODER + 1},
        {"activation", (int)config->activation, AG_GATED_SILU + 1},
        {"norm", (int)config->norm, NN_RMS_NORM + 1},
        {"positions", (int)config->positions, NN_NO_POSITIONS + 1},
        {"final_norm", (int)config->final_norm, NN_FINAL_NORM_NO + 1},
    };
    for (size_t i = 0; i < sizeof choices / sizeof *choices; i++)
        if (choices[i].value < 0 || choices[i].value >= choices[i].count)
            return ag_error_set(error, AG_BAD_VALUE, "%s is %d: it must be 0 to %d", choices[i].field, choices[i].value,
                                choices[i].count - 1);
    return AG_OK;
}

static void fill_in(nn_model_config *config)
{
    set_default(&config->d_model, 256);
    set_default(&config->heads, 4);
    set_default(&config->max_length, 512);
    set_default(&config->encoder_layers, 3);
    set_default(&config->decoder_layers, 3);
    if (config->kind == NN_ENCODER)
        config->decoder_layers = 0;
    if (config->kind == NN_DECODER) {
        config->encoder_layers = 0;
        config->source_vocab = 0;
    }
    if (config->d_model >= 1 && config->d_model <= MOST_WIDTH)
        set_default(&config->ffn, 4 * config->d_model);
    if (config->final_norm == (config->post_norm ? NN_FINAL_NORM_NO : NN_FINAL_NORM_YES))
        config->final_norm = NN_FINAL_NORM_USUAL;
    if (config->activation == AG_NO_ACTIVATION)
        config->activation = AG_RELU;
    if (config->norm_eps == 0)
        config->norm_eps = 1e-5;
    if (config->embedding_scale == 0)
        config->embedding_scale = sqrt(config->d_model);
}

static ag_status check_sizes(const nn_model_config *config, ag_error *error)
{
    const bool encodes = config->kind != NN_DECODER, decodes = config->kind != NN_ENCODER;
    const struct {
        const char *field;
        int value, most;
        bool needed;
    } sizes[] = {
        {"source_vocab", config->source_vocab, INT32_MAX, encodes},
        {"target_vocab", config->target_vocab, INT32_MAX, true},
        {"d_model", config->d_model, MOST_WIDTH, true},
        {"heads", config->heads, MOST_WIDTH, true},
        {"encoder_layers", config->encoder_layers, MOST_LAYERS, encodes},
        {"decoder_layers", config->decoder_layers, MOST_LAYERS, decodes},
        {"ffn", config->ffn, MOST_FFN, true},
        {"max_length", config->max_length, MOST_LENGTH, true},
    };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        if (sizes[i].needed && (sizes[i].value < 1 || sizes[i].value > sizes[i].most))
            return ag_error_set(error, AG_BAD_VALUE, "%s is %d: it must be 1 to %d", sizes[i].field, sizes[i].value,
                                sizes[i].most);
    return AG_OK;
}

static ag_status check_padding(const nn_model_config *config, ag_error *error)
{
    const int32_t id = config->padding_id;
    const bool encodes = config->kind != NN_DECODER, decodes = config->kind != NN_ENCODER;
    if (id < -1 || (encodes && id >= config->source_vocab) || (decodes && id >= config->target_vocab))
        return ag_error_set(error, AG_BAD_VALUE,
                            "padding_id is %d: it must be a token of each vocabulary, or -1 for none", (int)id);
    return AG_OK;
}

static ag_status check_cross_attention(const nn_model_config *config, ag_error *error)
{
    const nn_position_kind kind = config->positions;
    if (config->cross_window < 0 || config->cross_window > MOST_LENGTH)
        return ag_error_set(error, AG_BAD_VALUE, "cross_window is %d: it must be 1 to %d, or 0 for none",
                            config->cross_window, MOST_LENGTH);
    if (config->kind != NN_ENCODER_DECODER && (config->cross_positions || config->cross_window))
        return ag_error_set(error, AG_BAD_VALUE, "%s: only an encoder-decoder has cross-attention",
                            config->cross_positions ? "cross_positions" : "cross_window");
    if (config->cross_positions && kind != NN_ROTARY && kind != NN_ALIBI && kind != NN_RELATIVE)
        return ag_error_set(error, AG_BAD_VALUE,
                            "cross_positions: these positions do not act within attention; use rotary, alibi or "
                            "relative positions");
    return AG_OK;
}

int64_t nn_model_longest(const nn_model_config *config)
{
    return config->positions == NN_LEARNED ? config->max_length : 0;
}

ag_status nn_model_config_complete(nn_model_config *config, ag_error *error)
{
    ag_status status = check_choices(config, error);
    if (status != AG_OK)
        return status;
    fill_in(config);
    status = check_sizes(config, error);
    if (status != AG_OK)
        return status;

    const nn_attention_config attention = {.d_model = config->d_model,
                                           .heads = config->heads,
                                           .dropout = config->dropout,
                                           .rotary = config->positions == NN_ROTARY};
    status = attention_config_check(&attention, error);
    if (status != AG_OK)
        return status;
    if (!(config->norm_eps > 0 && isfinite(config->norm_eps)))
        return ag_error_set(error, AG_BAD_VALUE, "norm_eps is %g: it must be above 0", config->norm_eps);
    if (!(config->embedding_scale > 0 && isfinite(config->embedding_scale)))
        return ag_error_set(error, AG_BAD_VALUE, "embedding_scale is %g: it must be above 0", config->embedding_scale);
    if (config->tied_output && config->kind == NN_ENCODER)
        return ag_error_set(error, AG_BAD_VALUE, "tied_output: an encoder has no target embedding to share");
    status = check_cross_attention(config, error);
    return status == AG_OK ? check_padding(config, error) : status;
}
