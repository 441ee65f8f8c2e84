/* blocks.c - the blocks of encoder and decoder.
 *
 * A block is a chain of sublayers f, each with a residual connection and a norm.
 * Post-norm, norm(x + f(x)), is the original form; pre-norm, x + f(norm(x)) (Xiong et al.
 * 2020), trains without a warm-up and leaves one norm to the end of the stack.
 */
#include "layer.h"

static ag_status init_norm(nn_norm *norm, nn_params *params, const char *block, const char *name,
                           const nn_block_config *config, ag_error *error)
{
    char full[NAME_SIZE];
    ag_status status = layer_name(full, block, name, error);
    if (status != AG_OK)
        return status;
    return nn_norm_init(norm, params, full, config->norm, config->attention.d_model, !config->no_norm_bias,
                        config->norm_eps, error);
}

static ag_status init_attention(nn_attention *attention, nn_params *params, const char *block, const char *name,
                                const nn_attention_config *config, ag_error *error)
{
    char full[NAME_SIZE];
    ag_status status = layer_name(full, block, name, error);
    return status == AG_OK ? nn_attention_init(attention, params, full, config, error) : status;
}

static ag_status init_feed_forward(nn_feed_forward *layer, nn_params *params, const char *block,
                                   const nn_block_config *config, ag_error *error)
{
    return nn_feed_forward_init(layer, params, block, config->attention.d_model, config->ffn, config->activation,
                                !config->attention.no_bias, config->dropout, error);
}

/* ---- Sublayers --------------------------------------------------------------------- */

static ag_tensor *apply_norm(const nn_norm *norm, const nn_pass *pass, const char *name, ag_tensor *x)
{
    ag_tape_enter(pass->tape, name);
    ag_tensor *y = nn_norm_apply(norm, pass, x);
    ag_tape_leave(pass->tape);
    return y;
}

/* What a sublayer needs besides f: its block's configuration, and its norm. */
typedef struct sublayer {
    const nn_block_config *config;
    const nn_norm *norm;
    const char *norm_name;
} sublayer;

/* The input of f: the norm of x, or post-norm x itself. */
static ag_tensor *enter_sublayer(sublayer s, const nn_pass *pass, ag_tensor *x)
{
    return s.config->post_norm ? x : apply_norm(s.norm, pass, s.norm_name, x);
}

/* The sublayer's result, from sum = x + f(given), which f's last linear layer computed
 * (residual_of). Nothing reads a norm made for f alone again before the backward, so the
 * tape may recompute it. */
static ag_tensor *leave_sublayer(sublayer s, const nn_pass *pass, ag_tensor *given, ag_tensor *sum)
{
    if (s.config->post_norm)
        return apply_norm(s.norm, pass, s.norm_name, sum);
    ag_forget(given);
    return sum;
}

static residual residual_of(sublayer s, ag_tensor *x)
{
    return (residual){.x = x, .dropout = s.config->dropout};
}

/* Attention of x to itself, or else to `memory`. */
static ag_tensor *attend(sublayer s, const nn_attention *attention, const nn_pass *pass, ag_tensor *x, bool to_itself,
                         ag_tensor *memory, const ag_mask *mask, nn_attention_cache *cache)
{
    const residual onto = residual_of(s, x);
    ag_tensor *given = enter_sublayer(s, pass, x), *attended = to_itself ? given : memory;
    ag_tape_enter(pass->tape, to_itself ? "self_attn" : "multihead_attn");
    ag_tensor *sum = attention_apply_onto(attention, pass, given, attended, attended, mask, cache, NULL, &onto);
    ag_tape_leave(pass->tape);
    return leave_sublayer(s, pass, given, sum);
}

static ag_tensor *feed_forward(sublayer s, const nn_feed_forward *layer, const nn_pass *pass, ag_tensor *x)
{
    const residual onto = residual_of(s, x);
    ag_tensor *given = enter_sublayer(s, pass, x);
    return leave_sublayer(s, pass, given, feed_forward_apply_onto(layer, pass, given, &onto));
}

/* ---- The encoder's block ----------------------------------------------------------- */

ag_status nn_encoder_block_init(nn_encoder_block *block, nn_params *params, const char *name,
                                const nn_block_config *config, ag_error *error)
{
    *block = (nn_encoder_block){.config = *config};
    ag_status status = init_attention(&block->self_attention, params, name, "self_attn", &config->attention, error);
    if (status == AG_OK)
        status = init_feed_forward(&block->feed_forward, params, name, config, error);
    if (status == AG_OK)
        status = init_norm(&block->norm1, params, name, "norm1", config, error);
    if (status == AG_OK)
        status = init_norm(&block->norm2, params, name, "norm2", config, error);
    return status;
}

ag_tensor *nn_encoder_block_apply(const nn_encoder_block *block, const nn_pass *pass, ag_tensor *x, const ag_mask *mask,
                                  nn_attention_cache *cache)
{
    const sublayer first = {&block->config, &block->norm1, "norm1"}, second = {&block->config, &block->norm2, "norm2"};
    x = attend(first, &block->self_attention, pass, x, true, NULL, mask, cache);
    return feed_forward(second, &block->feed_forward, pass, x);
}

/* ---- The decoder's block ----------------------------------------------------------- */

ag_status nn_decoder_block_init(nn_decoder_block *block, nn_params *params, const char *name,
                                const nn_block_config *config, ag_error *error)
{
    *block = (nn_decoder_block){.config = *config};
    nn_attention_config cross = config->attention;
    cross.rotary = cross.rotary && config->cross_positions;
    cross.alibi = cross.alibi && config->cross_positions;
    cross.relative = config->cross_relative;
    ag_status status = init_attention(&block->self_attention, params, name, "self_attn", &config->attention, error);
    if (status == AG_OK)
        status = init_attention(&block->cross_attention, params, name, "multihead_attn", &cross, error);
    if (status == AG_OK)
        status = init_feed_forward(&block->feed_forward, params, name, config, error);
    if (status == AG_OK)
        status = init_norm(&block->norm1, params, name, "norm1", config, error);
    if (status == AG_OK)
        status = init_norm(&block->norm2, params, name, "norm2", config, error);
    if (status == AG_OK)
        status = init_norm(&block->norm3, params, name, "norm3", config, error);
    return status;
}

ag_tensor *nn_decoder_block_apply(const nn_decoder_block *block, const nn_pass *pass, ag_tensor *x, ag_tensor *memory,
                                  const ag_mask *self_mask, const ag_mask *cross_mask, nn_attention_cache *self_cache,
                                  nn_attention_cache *cross_cache)
{
    const sublayer first = {&block->config, &block->norm1, "norm1"}, second = {&block->config, &block->norm2, "norm2"};
    const sublayer third = {&block->config, &block->norm3, "norm3"};
    x = attend(first, &block->self_attention, pass, x, true, NULL, self_mask, self_cache);
    x = attend(second, &block->cross_attention, pass, x, false, memory, cross_mask, cross_cache);
    return feed_forward(third, &block->feed_forward, pass, x);
}
