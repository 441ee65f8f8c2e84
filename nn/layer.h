/* layer.h - helpers that the layers share. Internal to nn/.
 *
 * A rule of all layers: whoever appends a name to the parameters' names in _init
 * ("self_attn", "linear1") enters the scope of that name in _apply, so that errors and
 * traces name operations as the parameters are named.
 */
#ifndef NN_LAYER_H
#define NN_LAYER_H

#include "nn.h"

#define NAME_SIZE 256

/* Writes "prefix.name"; an empty prefix leaves no dot. */
ag_status layer_name(char out[NAME_SIZE], const char *prefix, const char *name, ag_error *error) AG_CHECKED;

/* Registers the parameter "prefix.name" and writes its index to *index (-1 on failure).
 * Matrices get weight decay; biases and norms do not. */
ag_status layer_parameter(nn_params *params, const char *prefix, const char *name, ag_shape shape,
                          nn_initializer initializer, int *index, ag_error *error) AG_CHECKED;

/* Declares a parameter (-1: none) to be `count` hidden matrices: see nn_param. */
void layer_hidden(nn_params *params, int index, int count);

/* Dropout of x in training, else x itself. */
ag_tensor *pass_dropout(const nn_pass *pass, ag_tensor *x, double p);

/* The code [length, width] of positions start .. start + length - 1, to be added to
 * embeddings; NULL for the kinds of positions that add none, or if the tape has an
 * error. */
ag_tensor *positions_code(const nn_positions *layer, const nn_pass *pass, int64_t start, int64_t length);
/* nn_embedding_apply plus `code` (NULL: none). */
ag_tensor *embedding_apply_with(const nn_embedding *layer, const nn_pass *pass, ag_shape shape, const int32_t *ids,
                                ag_tensor *code);

/* The residual connection of a block around a sublayer: y = x + dropout(result). */
typedef struct residual {
    ag_tensor *x;
    double dropout;
} residual;

/* y = onto->x + dropout(activation(linear x)), as one operation; `onto` NULL: without
 * residual and dropout; onto->x NULL: without residual. */
ag_tensor *linear_apply_onto(const nn_linear *layer, const nn_pass *pass, ag_tensor *x, ag_activation activation,
                             const residual *onto);
/* nn_attention_apply and nn_feed_forward_apply, their last linear layer onto a residual
 * (NULL: none). */
ag_tensor *attention_apply_onto(const nn_attention *layer, const nn_pass *pass, ag_tensor *query, ag_tensor *key,
                                ag_tensor *value, const ag_mask *mask, nn_attention_cache *cache, ag_tensor **weights,
                                const residual *onto);
ag_tensor *feed_forward_apply_onto(const nn_feed_forward *layer, const nn_pass *pass, ag_tensor *x,
                                   const residual *onto);

/* Copies the tape's error, if it has one, to `error` (may be NULL) and returns its
 * status. */
ag_status pass_error(const nn_pass *pass, ag_error *error) AG_CHECKED;

/* AG_BAD_VALUE unless heads divide d_model, the head width is even for rotary positions,
 * and dropout is in [0, 1). */
ag_status attention_config_check(const nn_attention_config *config, ag_error *error) AG_CHECKED;

/* The bias [1, heads, queries, keys] of ALiBi or of relative positions, for the queries
 * from position `start` on and the keys from position 0 on; NULL if the layer has
 * neither, or if the tape has an error. */
ag_tensor *attention_bias(const nn_attention *layer, const nn_pass *pass, int64_t start, int64_t queries, int64_t keys);

/* The padding mask; NULL, which allows all keys, if no row is padded (`lengths` is
 * NULL). */
const ag_mask *pass_length_mask(const nn_pass *pass, int64_t rows, const int32_t *lengths);
/* A decoder's: keys j <= i within the target's length. */
const ag_mask *pass_decoder_mask(const nn_pass *pass, const nn_input *input);

/* The rows that cross-attention looks at. */
typedef struct cross_sources {
    int64_t rows, longest;
    const int32_t *lengths; /* [rows]; NULL: all are as long as the longest */
} cross_sources;
/* The keys within the source's length and within the window of nn_cross_range, for as
 * many queries of each sequence, the first at position `start`. NULL: all keys. */
const ag_mask *pass_cross_mask(const nn_model_config *config, const nn_pass *pass, const cross_sources *from,
                                    int64_t start, int64_t queries);

/* Passes attention weights and the mask in force to pass->on_attention. The layer's name
 * is that of its parameter without `suffix`, such as ".out_proj.weight". */
void attention_show(const nn_pass *pass, int parameter, const char *suffix, ag_tensor *weights, const ag_mask *mask);

/* Projects the encoder's output `memory` [count, length, D] to keys and values and makes
 * them the first of the cache's rows rows[i] (NULL: i), i < count. The caller sets the
 * cache's length. Returns false, with the tape's error, if they do not fit. */
bool attention_cache_fill(const nn_attention *layer, const nn_pass *pass, ag_tensor *memory, const int32_t *rows,
                          const nn_attention_cache *cache) AG_CHECKED;

/* A model's decoder, from embedding to logits, for the tokens [rows, length] that follow
 * what `cache` (may be NULL) holds. */
ag_tensor *model_decode(const nn_model *model, const nn_pass *pass, const int32_t *tokens, int64_t rows, int64_t length,
                        ag_tensor *memory, const ag_mask *self_mask, const ag_mask *cross_mask, nn_cache *cache);

#endif
