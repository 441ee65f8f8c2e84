/* attention.c - multi-head attention (Vaswani et al. 2017, section 3.2.2), with a cache
 * of keys and values. */
#include "layer.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define ROTARY_BASE 10000

/* The divisors of d_model nearest to `heads`, to suggest in the error. */
static void nearest_divisors(int64_t d_model, int64_t heads, int64_t *below, int64_t *above)
{
    *below = heads < d_model ? heads : d_model;
    while (d_model % *below != 0)
        --*below;
    *above = heads < d_model ? heads : d_model;
    while (d_model % *above != 0)
        ++*above;
}

ag_status attention_config_check(const nn_attention_config *config, ag_error *error)
{
    const int64_t d_model = config->d_model, heads = config->heads;
    if (d_model < 1 || d_model > INT_MAX)
        return ag_error_set(error, AG_BAD_VALUE, "d_model is %lld: it must be 1 to %d", (long long)d_model, INT_MAX);
    if (heads < 1)
        return ag_error_set(error, AG_BAD_VALUE, "heads is %lld: it must be 1 or more", (long long)heads);
    if (d_model % heads != 0) {
        int64_t below, above;
        nearest_divisors(d_model, heads, &below, &above);
        if (below == above)
            return ag_error_set(error, AG_BAD_VALUE, "heads %lld does not divide d_model %lld (use %lld?)",
                                (long long)heads, (long long)d_model, (long long)below);
        return ag_error_set(error, AG_BAD_VALUE, "heads %lld does not divide d_model %lld (use %lld or %lld?)",
                            (long long)heads, (long long)d_model, (long long)below, (long long)above);
    }
    if (config->rotary && d_model / heads % 2 != 0)
        return ag_error_set(error, AG_BAD_VALUE,
                            "rotary positions turn pairs: the head width %lld (d_model %lld / heads %lld) must be even",
                            (long long)(d_model / heads), (long long)d_model, (long long)heads);
    if (config->key_width < 0 || config->value_width < 0)
        return ag_error_set(error, AG_BAD_VALUE, "key_width is %lld and value_width %lld: they must be 0 or more",
                            (long long)config->key_width, (long long)config->value_width);
    if (!(config->dropout >= 0 && config->dropout < 1))
        return ag_error_set(error, AG_BAD_VALUE, "dropout is %g: it must be in [0, 1)", config->dropout);
    return AG_OK;
}

ag_status nn_attention_init(nn_attention *layer, nn_params *params, const char *name, const nn_attention_config *config,
                            ag_error *error)
{
    const nn_initializer xavier = {.kind = NN_XAVIER_UNIFORM}, zeros = {.kind = NN_ZEROS};
    const int64_t d_model = config->d_model;
    *layer = (nn_attention){.config = *config,
                            .in_weight = -1,
                            .in_bias = -1,
                            .query_weight = -1,
                            .key_weight = -1,
                            .value_weight = -1,
                            .out = {-1, -1}};
    nn_attention_config *own = &layer->config;
    own->key_width = config->key_width ? config->key_width : d_model;
    own->value_width = config->value_width ? config->value_width : d_model;

    ag_status status = attention_config_check(own, error);
    if (status != AG_OK)
        return status;
    if (own->key_width == d_model && own->value_width == d_model) {
        status = layer_parameter(params, name, "in_proj_weight", AG_SHAPE(3 * d_model, d_model), xavier,
                                 &layer->in_weight, error);
    } else {
        status = layer_parameter(params, name, "q_proj_weight", AG_SHAPE(d_model, d_model), xavier,
                                 &layer->query_weight, error);
        if (status == AG_OK)
            status = layer_parameter(params, name, "k_proj_weight", AG_SHAPE(d_model, own->key_width), xavier,
                                     &layer->key_weight, error);
        if (status == AG_OK)
            status = layer_parameter(params, name, "v_proj_weight", AG_SHAPE(d_model, own->value_width), xavier,
                                     &layer->value_weight, error);
    }
    if (status == AG_OK && !own->no_bias)
        status = layer_parameter(params, name, "in_proj_bias", AG_SHAPE(3 * d_model), zeros, &layer->in_bias, error);

    char out[NAME_SIZE];
    if (status == AG_OK)
        status = layer_name(out, name, "out_proj", error);
    if (status == AG_OK)
        status = nn_linear_init(&layer->out, params, out, d_model, d_model, !own->no_bias, error);

    const int single[] = {layer->query_weight, layer->key_weight, layer->value_weight, layer->out.weight};
    layer_hidden(params, layer->in_weight, 3);
    for (int i = 0; i < 4; i++)
        layer_hidden(params, single[i], 1);
    return status;
}

/* ---- Projections ------------------------------------------------------------------- */

/* A block of in_proj, or a separate matrix. */
typedef enum projection { QUERY, KEY, VALUE } projection;

/* x [B, T, width] -> [B, T, D]. Rotary positions, of which the first is `start`, rotate
 * queries and keys. */
static ag_tensor *project(const nn_attention *layer, const nn_pass *pass, ag_tensor *x, projection which, int64_t start)
{
    const int64_t d_model = layer->config.d_model;
    const int separate[] = {[QUERY] = layer->query_weight, [KEY] = layer->key_weight, [VALUE] = layer->value_weight};
    ag_tensor *weight = layer->in_weight >= 0 ? nn_parameter_rows(pass, layer->in_weight, which * d_model, d_model)
                                              : nn_parameter(pass, separate[which]);
    ag_tensor *bias = nn_parameter_rows(pass, layer->in_bias, which * d_model, d_model);
    ag_tensor *y = ag_linear(x, weight, bias);
    return layer->config.rotary && which != VALUE ? ag_rotary(y, (int)layer->config.heads, start, ROTARY_BASE) : y;
}

/* ---- The cache --------------------------------------------------------------------- */

/* Copies keys or values [count, length, heads * width], from position `at` on, to rows
 * rows[i] (NULL: i) of [rows, heads, capacity, width]. */
static void store_heads(const nn_attention_cache *cache, int64_t heads, const ag_tensor *from, const int32_t *rows,
                        int64_t at, ag_real *to)
{
    const int64_t length = from->shape.dim[1], width = from->shape.dim[2] / heads;
    for (int64_t i = 0; i < from->shape.dim[0]; i++)
        for (int64_t head = 0; head < heads; head++) {
            const int64_t row = rows ? rows[i] : i;
            ag_real *place = to + ((row * heads + head) * cache->capacity + at) * width;
            const ag_real *own = from->data + (i * length * heads + head) * width;
            for (int64_t t = 0; t < length; t++)
                memcpy(place + t * width, own + t * heads * width, (size_t)width * sizeof(ag_real));
        }
}

/* Projects `key` and `value`, rotates keys if the layer does, and stores both as
 * store_heads does. Returns false, with the tape's error, if they do not fit. */
static bool store_keys_and_values(const nn_attention *layer, const nn_pass *pass, ag_tensor *key, ag_tensor *value,
                                  const int32_t *rows, int64_t at, const nn_attention_cache *cache)
{
    ag_tensor *new_key = project(layer, pass, key, KEY, at), *new_value = project(layer, pass, value, VALUE, at);
    char text[AG_SHAPE_TEXT];
    if (!new_key || !new_value)
        return false;
    const ag_shape shape = new_key->shape;
    if (!ag_shape_equal(shape, new_value->shape) || shape.ndim != 3 || (!rows && shape.dim[0] != cache->rows) ||
        shape.dim[1] > cache->capacity - at) {
        ag_tape_fail(pass->tape, AG_BAD_SHAPE,
                     "attention: keys %s do not fit into a cache of %lld %s that holds %lld of %lld",
                     ag_shape_print(shape, text), (long long)cache->rows, ag_plural(cache->rows, "row", "rows"),
                     (long long)at, (long long)cache->capacity);
        return false;
    }
    store_heads(cache, layer->config.heads, new_key, rows, at, cache->key);
    store_heads(cache, layer->config.heads, new_value, rows, at, cache->value);
    return true;
}

bool attention_cache_fill(const nn_attention *layer, const nn_pass *pass, ag_tensor *memory, const int32_t *rows,
                          const nn_attention_cache *cache)
{
    return store_keys_and_values(layer, pass, memory, memory, rows, 0, cache);
}

/* Appends keys and values to every row of the cache. */
static bool append_keys_and_values(const nn_attention *layer, const nn_pass *pass, ag_tensor *key, ag_tensor *value,
                                   nn_attention_cache *cache)
{
    if (!store_keys_and_values(layer, pass, key, value, NULL, cache->length, cache))
        return false;
    cache->length += key->shape.dim[1];
    return true;
}

/* x [.., heads * width], T queries for each of the cache's rows -> [rows, heads, T,
 * width]. Several rows of queries may share a row of fixed keys, as the hypotheses of a
 * beam do: then they are more queries T of that row. Each of these rows has one query
 * (nn_cache_apply), all at the same position, so a bias for one query is the bias of
 * all. */
static ag_tensor *split_heads(const nn_attention *layer, const nn_attention_cache *cache, ag_tensor *x)
{
    const int64_t heads = layer->config.heads, width = layer->config.d_model / heads;
    if (x && x->size == cache->rows * layer->config.d_model) /* one query: the order is
                                                              * the same */
        return ag_reshape(x, AG_SHAPE(cache->rows, heads, 1, width));
    return ag_permute(ag_reshape(x, AG_SHAPE(cache->rows, -1, heads, width)), (int[]){0, 2, 1, 3});
}

/* Undoes split_heads: x [rows, heads, T, width] -> `shape`. */
static ag_tensor *join_heads(ag_tensor *x, ag_shape shape)
{
    return ag_reshape(x && x->shape.dim[2] == 1 ? x : ag_permute(x, (int[]){0, 2, 1, 3}), shape);
}

/* `mask` without the positions that the cache does not hold yet. Masks do not change once
 * they are made, so the caller's, const here, may become part of a new one. */
static const ag_mask *within_cache(const nn_pass *pass, const nn_attention_cache *cache, const ag_mask *mask)
{
    if (cache->length == cache->capacity)
        return mask;
    ag_mask *held = ag_mask_prefix(pass->tape, cache->length);
    return mask ? ag_mask_and(pass->tape, held, mask) : held;
}

/* ---- Attention --------------------------------------------------------------------- */

void attention_show(const nn_pass *pass, int parameter, const char *suffix, ag_tensor *weights, const ag_mask *mask)
{
    char name[NAME_SIZE];
    const char *whole = pass->params->items[parameter].name;
    const size_t length = strlen(whole), end = strlen(suffix);
    snprintf(name, sizeof name, "%.*s", length > end ? (int)(length - end) : 0, whole);
    pass->on_attention(pass->context, name, weights, mask);
}

/* q [B, T, D], k and v [B, S, D] -> [B, T, D], or all with separate heads as ag_attention
 * takes them. `bias` may be NULL. Only the first `held` of the S keys exist. */
static ag_tensor *attend_to_keys(const nn_attention *layer, const nn_pass *pass, ag_tensor *q, ag_tensor *k,
                                 ag_tensor *v, const ag_mask *mask, ag_tensor *bias, int64_t held, ag_tensor **weights)
{
    ag_tensor *seen = NULL;
    ag_attention_options options = {
        .heads = (int)layer->config.heads,
        .mask = mask,
        .bias = bias,
        .dropout = pass->training ? layer->config.dropout : 0,
        .plain = pass->plain_attention,
        .weights = weights || pass->on_attention ? &seen : NULL,
    };
    ag_tensor *y = ag_attention(q, k, v, &options);
    if (y && seen && seen->shape.dim[3] != held)
        seen = ag_slice(seen, 3, 0, held);
    if (y && seen && pass->on_attention)
        attention_show(pass, layer->out.weight, ".out_proj.weight", seen, mask);
    if (weights)
        *weights = seen;
    return y;
}

ag_tensor *attention_apply_onto(const nn_attention *layer, const nn_pass *pass, ag_tensor *query, ag_tensor *key,
                                ag_tensor *value, const ag_mask *mask, nn_attention_cache *cache, ag_tensor **weights,
                                const residual *onto)
{
    const bool full = cache && cache->fixed && cache->length == cache->capacity;
    const int64_t start = !cache ? 0 : cache->fixed ? cache->position : cache->length;
    ag_tensor *q = project(layer, pass, query, QUERY, start);
    ag_tensor *k, *v;
    if (weights)
        *weights = NULL;

    if (cache) {
        if (!full && !append_keys_and_values(layer, pass, key, value, cache))
            return NULL;
        const int64_t heads = layer->config.heads;
        ag_shape shape = AG_SHAPE(cache->rows, heads, cache->capacity, layer->config.d_model / heads);
        k = ag_leaf(pass->tape, shape, cache->key, NULL);
        v = ag_leaf(pass->tape, shape, cache->value, NULL);
        q = split_heads(layer, cache, q);
        mask = within_cache(pass, cache, mask);
    } else {
        k = project(layer, pass, key, KEY, 0);
        v = project(layer, pass, value, VALUE, 0);
    }
    if (!q || !k || !v)
        return NULL;
    ag_tensor *bias =
        attention_bias(layer, pass, start, query->shape.dim[query->shape.ndim - 2], k->shape.dim[k->shape.ndim - 2]);
    ag_tensor *y = attend_to_keys(layer, pass, q, k, v, mask, bias, cache ? cache->length : k->shape.dim[1], weights);
    if (cache)
        y = join_heads(y, query->shape);

    ag_tape_enter(pass->tape, "out_proj");
    y = linear_apply_onto(&layer->out, pass, y, AG_NO_ACTIVATION, onto);
    ag_tape_leave(pass->tape);
    return y;
}

ag_tensor *nn_attention_apply(const nn_attention *layer, const nn_pass *pass, ag_tensor *query, ag_tensor *key,
                              ag_tensor *value, const ag_mask *mask, nn_attention_cache *cache, ag_tensor **weights)
{
    return attention_apply_onto(layer, pass, query, key, value, mask, cache, weights, NULL);
}
