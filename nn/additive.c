/* additive.c - additive attention (Bahdanau et al. 2015, section 3.1): a small network
 * with one hidden layer, instead of a product, scores how well a query and a key match.
 */
#include "layer.h"

#include <limits.h>

static ag_status check_config(const nn_additive_attention_config *config, ag_error *error)
{
    const int64_t hidden = config->hidden, heads = config->heads;
    if (hidden < 1 || hidden > INT_MAX)
        return ag_error_set(error, AG_BAD_VALUE, "hidden is %lld: it must be 1 to %d", (long long)hidden, INT_MAX);
    if (heads < 1)
        return ag_error_set(error, AG_BAD_VALUE, "heads is %lld: it must be 1 or more", (long long)heads);
    if (hidden % heads != 0)
        return ag_error_set(error, AG_BAD_VALUE, "heads %lld does not divide hidden %lld", (long long)heads,
                            (long long)hidden);
    if (config->query_width < 1 || config->key_width < 1)
        return ag_error_set(error, AG_BAD_VALUE, "query_width is %lld and key_width %lld: they must be 1 or more",
                            (long long)config->query_width, (long long)config->key_width);
    if (!(config->dropout >= 0 && config->dropout < 1))
        return ag_error_set(error, AG_BAD_VALUE, "dropout is %g: it must be in [0, 1)", config->dropout);
    return AG_OK;
}

ag_status nn_additive_attention_init(nn_additive_attention *layer, nn_params *params, const char *name,
                                     const nn_additive_attention_config *config, ag_error *error)
{
    const nn_initializer xavier = {.kind = NN_XAVIER_UNIFORM};
    *layer = (nn_additive_attention){.config = *config, .query_weight = -1, .key_weight = -1, .score_weight = -1};
    nn_additive_attention_config *own = &layer->config;
    own->heads = own->heads ? own->heads : 1;
    own->query_width = own->query_width ? own->query_width : own->hidden;
    own->key_width = own->key_width ? own->key_width : own->hidden;

    ag_status status = check_config(own, error);
    if (status == AG_OK)
        status = layer_parameter(params, name, "q_proj_weight", AG_SHAPE(own->hidden, own->query_width), xavier,
                                 &layer->query_weight, error);
    if (status == AG_OK)
        status = layer_parameter(params, name, "k_proj_weight", AG_SHAPE(own->hidden, own->key_width), xavier,
                                 &layer->key_weight, error);
    if (status == AG_OK)
        status = layer_parameter(params, name, "score_weight", AG_SHAPE(own->heads, own->hidden / own->heads), xavier,
                                 &layer->score_weight, error);
    layer_hidden(params, layer->query_weight, 1);
    layer_hidden(params, layer->key_weight, 1);
    return status;
}

/* The operations below would refuse these inputs too, but could not name query, key and
 * value. */
static bool check_inputs(const nn_additive_attention *layer, const nn_pass *pass, const ag_tensor *query,
                         const ag_tensor *key, const ag_tensor *value)
{
    const nn_additive_attention_config *config = &layer->config;
    const ag_shape q = query->shape, k = key->shape, v = value->shape;
    char text[3][AG_SHAPE_TEXT];
    if (q.ndim == 3 && k.ndim == 3 && v.ndim == 3 && q.dim[0] == k.dim[0] && k.dim[0] == v.dim[0] &&
        k.dim[1] == v.dim[1] && q.dim[2] == config->query_width && k.dim[2] == config->key_width &&
        v.dim[2] % config->heads == 0)
        return true;
    ag_tape_fail(pass->tape, AG_BAD_SHAPE,
                 "additive attention: query %s, key %s, value %s: expected [batch,queries,%lld], [batch,keys,%lld] and "
                 "[batch,keys,a multiple of %lld]",
                 ag_shape_print(q, text[0]), ag_shape_print(k, text[1]), ag_shape_print(v, text[2]),
                 (long long)config->query_width, (long long)config->key_width, (long long)config->heads);
    return false;
}

/* x [B, N, heads * width] -> [B, heads, N, width] */
static ag_tensor *split_heads(ag_tensor *x, int64_t heads)
{
    if (!x)
        return NULL;
    const int64_t *size = x->shape.dim;
    return ag_permute(ag_reshape(x, AG_SHAPE(size[0], size[1], heads, size[2] / heads)), (int[]){0, 2, 1, 3});
}

/* query [B, T, query_width], key [B, S, key_width] -> [B, heads, T, S] */
static ag_tensor *additive_scores(const nn_additive_attention *layer, const nn_pass *pass, ag_tensor *query,
                                  ag_tensor *key)
{
    const int64_t heads = layer->config.heads, width = layer->config.hidden / heads;
    const int64_t rows = query->shape.dim[0], queries = query->shape.dim[1], keys = key->shape.dim[1];
    ag_tensor *q = split_heads(ag_linear(query, nn_parameter(pass, layer->query_weight), NULL), heads);
    ag_tensor *k = split_heads(ag_linear(key, nn_parameter(pass, layer->key_weight), NULL), heads);
    q = ag_reshape(q, AG_SHAPE(rows, heads, queries, 1, width));
    k = ag_reshape(k, AG_SHAPE(rows, heads, 1, keys, width));
    ag_tensor *hidden = ag_tanh(ag_add(q, k)); /* [B, heads, T, S, width]: each query with
                                                * each key */
    ag_tensor *w = ag_reshape(nn_parameter(pass, layer->score_weight), AG_SHAPE(heads, 1, width, 1));
    return ag_reshape(ag_matmul(hidden, w, false, false), AG_SHAPE(rows, heads, queries, keys));
}

ag_tensor *nn_additive_attention_apply(const nn_additive_attention *layer, const nn_pass *pass, ag_tensor *query,
                                       ag_tensor *key, ag_tensor *value, const ag_mask *mask, ag_tensor **weights)
{
    if (weights)
        *weights = NULL;
    if (!query || !key || !value || !check_inputs(layer, pass, query, key, value))
        return NULL;
    ag_tensor *seen = ag_masked_softmax(additive_scores(layer, pass, query, key), mask);
    if (!seen)
        return NULL;
    if (pass->on_attention)
        attention_show(pass, layer->score_weight, ".score_weight", seen, mask);
    if (weights)
        *weights = seen;
    ag_tensor *values = split_heads(value, layer->config.heads);
    ag_tensor *sums = ag_masked_sum(pass_dropout(pass, seen, layer->config.dropout), values, mask);
    return ag_reshape(ag_permute(sums, (int[]){0, 2, 1, 3}),
                      AG_SHAPE(query->shape.dim[0], query->shape.dim[1], value->shape.dim[2]));
}
