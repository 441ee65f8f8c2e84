/* model.c - the three models: encoder, decoder, and both (Vaswani et al. 2017, figure
 * 1). */
#include "layer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Making ------------------------------------------------------------------------ */

/* The configuration of the blocks of a stack, "encoder" or "decoder". Registers the
 * tables of relative positions that they share. */
static ag_status init_block_config(nn_model *model, const char *stack, nn_block_config *block, ag_error *error)
{
    const nn_model_config *config = &model->config;
    char name[NAME_SIZE];
    *block = (nn_block_config){
        .attention = {.d_model = config->d_model,
                      .heads = config->heads,
                      .no_bias = config->no_bias,
                      .dropout = config->dropout,
                      .rotary = config->positions == NN_ROTARY,
                      .alibi = config->positions == NN_ALIBI},
        .ffn = config->ffn,
        .activation = config->activation,
        .norm = config->norm,
        .norm_eps = config->norm_eps,
        .no_norm_bias = config->no_norm_bias,
        .post_norm = config->post_norm,
        .dropout = config->dropout,
        .cross_positions = config->cross_positions,
    };
    if (config->positions != NN_RELATIVE)
        return AG_OK;
    const bool decodes = strcmp(stack, "decoder") == 0;
    snprintf(name, sizeof name, "%s.relative_positions", stack);
    ag_status status =
        nn_relative_positions_init(&block->attention.relative, &model->params, name, config->heads, decodes, error);
    if (status != AG_OK || !decodes || !config->cross_positions)
        return status;
    return nn_relative_positions_init(&block->cross_relative, &model->params, "decoder.cross_relative_positions",
                                      config->heads, false, error);
}

static ag_status init_embedding(nn_model *model, nn_embedding *embedding, nn_positions *positions, const char *side,
                                int32_t vocab, ag_error *error)
{
    const nn_model_config *config = &model->config;
    char name[NAME_SIZE];
    snprintf(name, sizeof name, "%s_embedding", side);
    ag_status status = nn_embedding_init(embedding, &model->params, name, vocab, config->d_model,
                                         config->embedding_scale, config->padding_id, error);
    if (status != AG_OK)
        return status;
    snprintf(name, sizeof name, "%s_positions", side);
    return nn_positions_init(positions, &model->params, name, config->positions, config->max_length, config->d_model,
                             error);
}

/* Blocks "STACK.layers.N" of an encoder, or of a decoder-only model. */
static ag_status init_encoder_stack(nn_model *model, nn_encoder_block **blocks, const char *stack, int count,
                                    ag_error *error)
{
    nn_block_config config;
    ag_status status = init_block_config(model, stack, &config, error);
    *blocks = calloc((size_t)count, sizeof **blocks);
    if (!*blocks)
        return ag_error_set(error, AG_NO_MEMORY, "out of memory: no room for %d %s", count,
                            ag_plural(count, "block", "blocks"));
    for (int i = 0; i < count && status == AG_OK; i++) {
        char name[NAME_SIZE];
        snprintf(name, sizeof name, "%s.layers.%d", stack, i);
        status = nn_encoder_block_init(&(*blocks)[i], &model->params, name, &config, error);
    }
    return status;
}

static ag_status init_decoder_stack(nn_model *model, int count, ag_error *error)
{
    nn_block_config config;
    ag_status status = init_block_config(model, "decoder", &config, error);
    model->decoder = calloc((size_t)count, sizeof *model->decoder);
    if (!model->decoder)
        return ag_error_set(error, AG_NO_MEMORY, "out of memory: no room for %d %s", count,
                            ag_plural(count, "block", "blocks"));
    for (int i = 0; i < count && status == AG_OK; i++) {
        char name[NAME_SIZE];
        snprintf(name, sizeof name, "decoder.layers.%d", i);
        status = nn_decoder_block_init(&model->decoder[i], &model->params, name, &config, error);
    }
    return status;
}

static bool has_final_norm(const nn_model_config *config)
{
    return config->final_norm == NN_FINAL_NORM_USUAL ? !config->post_norm : config->final_norm == NN_FINAL_NORM_YES;
}

static ag_status init_final_norm(nn_model *model, nn_norm *norm, const char *name, ag_error *error)
{
    const nn_model_config *config = &model->config;
    if (!has_final_norm(config))
        return AG_OK;
    return nn_norm_init(norm, &model->params, name, config->norm, config->d_model, !config->no_norm_bias,
                        config->norm_eps, error);
}

/* Registers the parameters in the order in which data flows through them. */
static ag_status init_model(nn_model *model, ag_error *error)
{
    const nn_model_config *config = &model->config;
    ag_status status = AG_OK;
    if (config->kind != NN_DECODER) {
        status = init_embedding(model, &model->source_embedding, &model->source_positions, "src", config->source_vocab,
                                error);
        if (status == AG_OK)
            status = init_encoder_stack(model, &model->encoder, "encoder", config->encoder_layers, error);
        if (status == AG_OK)
            status = init_final_norm(model, &model->encoder_norm, "encoder.norm", error);
    }
    if (config->kind != NN_ENCODER) {
        if (status == AG_OK)
            status = init_embedding(model, &model->target_embedding, &model->target_positions, "tgt",
                                    config->target_vocab, error);
        if (status == AG_OK && config->kind == NN_ENCODER_DECODER)
            status = init_decoder_stack(model, config->decoder_layers, error);
        if (status == AG_OK && config->kind == NN_DECODER)
            status = init_encoder_stack(model, &model->decoder_only, "decoder", config->decoder_layers, error);
        if (status == AG_OK)
            status = init_final_norm(model, &model->decoder_norm, "decoder.norm", error);
    }
    if (status == AG_OK && !config->tied_output)
        status = nn_linear_init(&model->output, &model->params, "output", config->d_model, config->target_vocab,
                                !config->no_output_bias, error);
    return status;
}

nn_model *nn_model_outline(const nn_model_config *config, ag_error *error)
{
    nn_model_config complete = *config;
    if (nn_model_config_complete(&complete, error) != AG_OK)
        return NULL;
    nn_model *model = calloc(1, sizeof *model);
    if (!model) {
        ag_error_set(error, AG_NO_MEMORY, "out of memory: no room for a model");
        return NULL;
    }
    model->config = complete;
    model->source_embedding.weight = model->target_embedding.weight = -1;
    model->source_positions.weight = model->target_positions.weight = -1;
    model->encoder_norm = model->decoder_norm = (nn_norm){.weight = -1, .bias = -1};
    model->output = (nn_linear){-1, -1};
    if (init_model(model, error) != AG_OK) {
        nn_model_free(model);
        return NULL;
    }
    return model;
}

nn_model *nn_model_new(const nn_model_config *config, uint64_t seed, ag_error *error)
{
    nn_model *model = nn_model_outline(config, error);
    if (model && nn_params_allocate(&model->params, seed, error) != AG_OK) {
        nn_model_free(model);
        return NULL;
    }
    return model;
}

/* Weight and bias of a layer to 0. */
static void zero_linear(nn_params *params, const nn_linear *layer)
{
    const int index[] = {layer->weight, layer->bias};
    for (int i = 0; i < 2; i++)
        if (index[i] >= 0)
            memset(params->value + params->items[index[i]].offset, 0,
                   (size_t)params->items[index[i]].size * sizeof(ag_real));
}

static void zero_encoder_residuals(nn_params *params, const nn_encoder_block *blocks, int count)
{
    for (int i = 0; blocks && i < count; i++) {
        zero_linear(params, &blocks[i].self_attention.out);
        zero_linear(params, &blocks[i].feed_forward.out);
    }
}

void nn_model_zero_residuals(nn_model *model)
{
    nn_params *params = &model->params;
    zero_encoder_residuals(params, model->encoder, model->config.encoder_layers);
    zero_encoder_residuals(params, model->decoder_only, model->config.decoder_layers);
    for (int i = 0; model->decoder && i < model->config.decoder_layers; i++) {
        zero_linear(params, &model->decoder[i].self_attention.out);
        zero_linear(params, &model->decoder[i].cross_attention.out);
        zero_linear(params, &model->decoder[i].feed_forward.out);
    }
}

void nn_model_free(nn_model *model)
{
    if (!model)
        return;
    nn_params_clear(&model->params);
    free(model->encoder);
    free(model->decoder);
    free(model->decoder_only);
    free(model);
}

/* ---- Applying ---------------------------------------------------------------------- */

/* Whether there are tokens [rows, length], and no row is longer than that. */
static bool check_tokens(const nn_pass *pass, const char *side, const int32_t *tokens, const int32_t *lengths,
                         int64_t rows, int64_t length)
{
    if (rows < 0 || length < 0 || (!tokens && rows > 0 && length > 0)) {
        ag_tape_fail(pass->tape, AG_BAD_VALUE, "model: the %s is missing: [%lld,%lld] tokens are needed", side,
                     (long long)rows, (long long)length);
        return false;
    }
    for (int64_t b = 0; b < rows && lengths; b++)
        if (lengths[b] < 0 || lengths[b] > length) {
            ag_tape_fail(pass->tape, AG_BAD_VALUE, "model: the %s of row %lld has %d %s, but the rows are %lld long",
                         side, (long long)b, (int)lengths[b], ag_plural(lengths[b], "token", "tokens"),
                         (long long)length);
            return false;
        }
    return true;
}

/* tokens [rows, length] -> [rows, length, D]: embeddings plus positions. */
static ag_tensor *embed(const nn_model *model, const nn_pass *pass, const char *side, const nn_embedding *embedding,
                        const nn_positions *positions, const int32_t *tokens, int64_t rows, int64_t length,
                        int64_t start)
{
    ag_tape_enter(pass->tape, side);
    ag_tensor *code = positions_code(positions, pass, start, length);
    ag_tensor *x = embedding_apply_with(embedding, pass, AG_SHAPE(rows, length), tokens, code);
    x = pass_dropout(pass, x, model->config.dropout);
    ag_tape_leave(pass->tape);
    return x;
}

static void enter_layer(const nn_pass *pass, int index)
{
    char name[NAME_SIZE];
    snprintf(name, sizeof name, "layers.%d", index);
    ag_tape_enter(pass->tape, name);
}

/* x, or the tensor that on_block returns instead, at one end of a block. */
static ag_tensor *show_block(const nn_pass *pass, const char *stack, int index, nn_block_end end, ag_tensor *x)
{
    char name[NAME_SIZE];
    if (!x || !pass->on_block)
        return x;
    snprintf(name, sizeof name, "%s.layers.%d", stack, index);
    return pass->on_block(pass->context, name, end, x);
}

static ag_tensor *final_norm(const nn_model *model, const nn_pass *pass, const nn_norm *norm, ag_tensor *x)
{
    if (!has_final_norm(&model->config))
        return x;
    ag_tape_enter(pass->tape, "norm");
    x = nn_norm_apply(norm, pass, x);
    ag_tape_leave(pass->tape);
    return x;
}

ag_tensor *nn_model_encode(const nn_model *model, const nn_pass *pass, const nn_input *input)
{
    if (model->config.kind == NN_DECODER)
        return ag_tape_fail(pass->tape, AG_BAD_VALUE, "model: a decoder has no encoder to apply");
    if (!check_tokens(pass, "source", input->source, input->source_lengths, input->rows, input->source_length))
        return NULL;
    const ag_mask *mask = input->encoder_mask;
    if (!mask)
        mask = pass_length_mask(pass, input->rows, input->source_lengths);

    ag_tensor *x = embed(model, pass, "src_embedding", &model->source_embedding, &model->source_positions,
                         input->source, input->rows, input->source_length, 0);
    ag_tape_enter(pass->tape, "encoder");
    for (int i = 0; i < model->config.encoder_layers; i++) {
        enter_layer(pass, i);
        x = show_block(pass, "encoder", i, NN_BLOCK_INPUT, x);
        x = nn_encoder_block_apply(&model->encoder[i], pass, x, mask, NULL);
        x = show_block(pass, "encoder", i, NN_BLOCK_OUTPUT, x);
        ag_tape_leave(pass->tape);
    }
    x = final_norm(model, pass, &model->encoder_norm, x);
    ag_tape_leave(pass->tape);
    return x;
}

static ag_tensor *project_output(const nn_model *model, const nn_pass *pass, ag_tensor *x)
{
    ag_tape_enter(pass->tape, "output");
    x = model->config.tied_output ? nn_embedding_project(&model->target_embedding, pass, x)
                                  : nn_linear_apply(&model->output, pass, x);
    ag_tape_leave(pass->tape);
    return x;
}

ag_tensor *model_decode(const nn_model *model, const nn_pass *pass, const int32_t *tokens, int64_t rows, int64_t length,
                        ag_tensor *memory, const ag_mask *self_mask, const ag_mask *cross_mask, nn_cache *cache)
{
    ag_tensor *x = embed(model, pass, "tgt_embedding", &model->target_embedding, &model->target_positions, tokens, rows,
                         length, cache ? cache->length : 0);
    ag_tape_enter(pass->tape, "decoder");
    for (int i = 0; i < model->config.decoder_layers; i++) {
        nn_attention_cache *self = cache ? &cache->self[i] : NULL,
                           *cross = cache && cache->cross ? &cache->cross[i] : NULL;
        enter_layer(pass, i);
        ag_tensor *attended = show_block(pass, "decoder", i, NN_BLOCK_MEMORY, memory);
        x = show_block(pass, "decoder", i, NN_BLOCK_INPUT, x);
        x = model->decoder
                ? nn_decoder_block_apply(&model->decoder[i], pass, x, attended, self_mask, cross_mask, self, cross)
                : nn_encoder_block_apply(&model->decoder_only[i], pass, x, self_mask, self);
        x = show_block(pass, "decoder", i, NN_BLOCK_OUTPUT, x);
        ag_tape_leave(pass->tape);
    }
    x = final_norm(model, pass, &model->decoder_norm, x);
    ag_tape_leave(pass->tape);
    return project_output(model, pass, x);
}

ag_tensor *nn_model_decode(const nn_model *model, const nn_pass *pass, const nn_input *input, ag_tensor *memory)
{
    const nn_model_kind kind = model->config.kind;
    if (kind == NN_ENCODER)
        return ag_tape_fail(pass->tape, AG_BAD_VALUE, "model: an encoder has no decoder to apply");
    if (kind == NN_ENCODER_DECODER && !memory)
        return NULL;
    if (!check_tokens(pass, "target", input->target, input->target_lengths, input->rows, input->target_length))
        return NULL;

    const ag_mask *self_mask = input->decoder_mask ? input->decoder_mask : pass_decoder_mask(pass, input);
    const ag_mask *cross_mask = input->cross_mask;
    const cross_sources from = {input->rows, input->source_length, input->source_lengths};
    if (kind == NN_ENCODER_DECODER && !cross_mask)
        cross_mask = pass_cross_mask(&model->config, pass, &from, 0, input->target_length);
    return model_decode(model, pass, input->target, input->rows, input->target_length, memory, self_mask, cross_mask,
                        NULL);
}

ag_tensor *nn_model_apply(const nn_model *model, const nn_pass *pass, const nn_input *input)
{
    const nn_model_kind kind = model->config.kind;
    ag_tensor *memory = kind != NN_DECODER ? nn_model_encode(model, pass, input) : NULL;
    return kind == NN_ENCODER ? project_output(model, pass, memory) : nn_model_decode(model, pass, input, memory);
}
