/* layer.h - what the files of nn/ share among themselves.
 *
 * One rule of names holds in all layers: who appends a name to the parameters' names in _init ("self_attn",
 * "linear1") enters the scope of the same name in _apply, so that errors and traces speak of parameters' owners. */
#ifndef NN_LAYER_H
#define NN_LAYER_H

#include "nn.h"

#define NAME_SIZE 256

/* Writes "prefix.name"; an empty prefix leaves no dot. */
ag_status layer_name(char out[NAME_SIZE], const char *prefix, const char *name, ag_error *error) AG_CHECKED;

/* nn_params_add under "prefix.name" that tells why by its status and writes the index to *index (-1 on failure). */
ag_status layer_parameter(nn_params *params, const char *prefix, const char *name, ag_shape shape,
                          nn_initializer initializer, int *index, ag_error *error) AG_CHECKED;

/* Dropout while training, else x itself. */
ag_tensor *pass_dropout(const nn_pass *pass, ag_tensor *x, double p);

/* The code [length, width] of positions start .. that is to be added to embeddings; NULL where these positions add
 * none (rotary, no positions), or where the tape has an error. */
ag_tensor *positions_code(const nn_positions *layer, const nn_pass *pass, int64_t start, int64_t length);
/* nn_embedding_apply with `code` (NULL: none) added. */
ag_tensor *embedding_apply_with(const nn_embedding *layer, const nn_pass *pass, ag_shape shape, const int32_t *ids,
                                ag_tensor *code);

/* What a block makes of the result of a sublayer: y = x + dropout(result). */
typedef struct residual {
    ag_tensor *x;
    double dropout;
} residual;

/* y = x + dropout(activation(linear)), as one operation; `onto` NULL: without the residual and its dropout. */
ag_tensor *linear_apply_onto(const nn_linear *layer, const nn_pass *pass, ag_tensor *x, ag_activation activation,
                             const residual *onto);
/* nn_attention_apply and nn_feed_forward_apply onto a residual (NULL: none). */
ag_tensor *attention_apply_onto(const nn_attention *layer, const nn_pass *pass, ag_tensor *query, ag_tensor *key,
                                ag_tensor *value, const ag_mask *mask, nn_attention_cache *cache, ag_tensor **weights,
                                const residual *onto);
ag_tensor *feed_forward_apply_onto(const nn_feed_forward *layer, const nn_pass *pass, ag_tensor *x,
                                   const residual *onto);

/* Copies what stopped the tape to `error` (may be NULL) and returns its status. */
ag_status pass_error(const nn_pass *pass, ag_error *error) AG_CHECKED;

/* Heads divide the width, rotary turns whole pairs, dropout is a probability below 1. */
ag_status attention_config_check(const nn_attention_config *config, ag_error *error) AG_CHECKED;

/* Hands an attention's weights to pass->on_attention, under the layer's name: that of its parameter without `suffix`,
 * such as ".out_proj.weight"; `mask` is the one in force. */
void attention_show(const nn_pass *pass, int parameter, const char *suffix, ag_tensor *weights, const ag_mask *mask);

/* Projects `key` and `value` into the cache behind what it holds (turned by their positions where that is asked
 * for). False, with the tape's error, where they do not fit. */
bool attention_cache_append(const nn_attention *layer, const nn_pass *pass, ag_tensor *key, ag_tensor *value,
                            nn_attention_cache *cache) AG_CHECKED;

/* The decoder of a model, embedding to logits, for the tokens [rows, length] that follow what `cache` (may be NULL)
 * holds. */
ag_tensor *model_decode(const nn_model *model, const nn_pass *pass, const int32_t *tokens, int64_t rows, int64_t length,
                        ag_tensor *memory, const ag_mask *self_mask, const ag_mask *cross_mask, nn_cache *cache);

#endif
