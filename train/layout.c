/* layout.c - a model's parameters under other programs' names: see layout.h. */
#include "layout.h"

#include <stdio.h>
#include <string.h>

/* ---- Names ------------------------------------------------------------------------- */

typedef struct renaming {
    const char *own, *other;
    bool transposed;
} renaming;

static const renaming GPT2_TABLES[] = {
    {"tgt_embedding.weight", "wte.weight", false},
    {"tgt_positions.weight", "wpe.weight", false},
    {"decoder.norm.weight", "ln_f.weight", false},
    {"decoder.norm.bias", "ln_f.bias", false},
    {NULL, NULL, false},
};

/* After "decoder.layers.N." and "h.N.". */
static const renaming GPT2_BLOCK[] = {
    {"self_attn.in_proj_weight", "attn.c_attn.weight", true},
    {"self_attn.in_proj_bias", "attn.c_attn.bias", false},
    {"self_attn.out_proj.weight", "attn.c_proj.weight", true},
    {"self_attn.out_proj.bias", "attn.c_proj.bias", false},
    {"linear1.weight", "mlp.c_fc.weight", true},
    {"linear1.bias", "mlp.c_fc.bias", false},
    {"linear2.weight", "mlp.c_proj.weight", true},
    {"linear2.bias", "mlp.c_proj.bias", false},
    {"norm1.weight", "ln_1.weight", false},
    {"norm1.bias", "ln_1.bias", false},
    {"norm2.weight", "ln_2.weight", false},
    {"norm2.bias", "ln_2.bias", false},
    {NULL, NULL, false},
};

static const renaming *find_renaming(const renaming *table, const char *own)
{
    for (; table->own; table++)
        if (!strcmp(table->own, own))
            return table;
    return NULL;
}

static train_place gpt2_place(const char *prefix, const char *parameter)
{
    train_place place = {{0}, false};
    int block = 0, length = 0;
    const renaming *found = find_renaming(GPT2_TABLES, parameter);
    if (found) {
        snprintf(place.name, sizeof place.name, "%s%s", prefix, found->other);
    } else if (sscanf(parameter, "decoder.layers.%9d.%n", &block, &length) == 1 && length > 0 &&
               (found = find_renaming(GPT2_BLOCK, parameter + length))) {
        snprintf(place.name, sizeof place.name, "%sh.%d.%s", prefix, block, found->other);
    }
    place.transposed = found && found->transposed;
    return place;
}

train_place train_layout_place(train_layout layout, const char *prefix, const char *parameter)
{
    train_place place = {{0}, false};
    if (layout == TRAIN_LAYOUT_GPT2)
        return gpt2_place(prefix, parameter);
    snprintf(place.name, sizeof place.name, "%s", parameter);
    return place;
}

const char *train_layout_prefix(const data_safetensors *file, train_layout layout)
{
    return layout == TRAIN_LAYOUT_GPT2 && data_safetensors_find(file, TRAIN_GPT2_PREFIX "wte.weight")
               ? TRAIN_GPT2_PREFIX
               : "";
}

bool train_layout_ignores(train_layout layout, const char *prefix, const char *name)
{
    int length = 0;
    if (layout != TRAIN_LAYOUT_GPT2)
        return !strcmp(name, "n_averaged");
    if (!strcmp(name, TRAIN_GPT2_OUTPUT))
        return true;
    if (strncmp(name, prefix, strlen(prefix)) != 0)
        return false;
    name += strlen(prefix);
    if (sscanf(name, "h.%*9[0-9].attn.%n", &length) < 0 || length == 0)
        return false;
    return !strcmp(name + length, "bias") || !strcmp(name + length, "masked_bias");
}

/* ---- Sizes ------------------------------------------------------------------------- */

/* A size as an int; one that no model can have stays too large. */
static int narrow(uint64_t size)
{
    return size > INT32_MAX ? INT32_MAX : (int)size;
}

static const data_tensor *find_tensor(const data_safetensors *file, const char *prefix, const char *name)
{
    char whole[128];
    snprintf(whole, sizeof whole, "%s%s", prefix, name);
    return data_safetensors_find(file, whole);
}

/* A matrix of the file; NULL if there is none of this name. */
static const data_tensor *find_matrix(const data_safetensors *file, const char *prefix, const char *name)
{
    const data_tensor *tensor = find_tensor(file, prefix, name);
    return tensor && tensor->rank == 2 ? tensor : NULL;
}

const char *train_layout_missing(train_layout layout, nn_model_kind kind, const data_safetensors *file)
{
    const char *const tables[] = {kind == NN_DECODER ? NULL : "src_embedding.weight",
                                  kind == NN_ENCODER ? TRAIN_OWN_OUTPUT : TRAIN_OWN_TABLE};
    char prefix[TRAIN_NAME];
    if (layout == TRAIN_LAYOUT_GPT2) {
        if (find_tensor(file, train_layout_prefix(file, layout), "wte.weight"))
            return NULL;
        train_tensor_prefix(file, TRAIN_GPT2_PREFIX "wte.weight", prefix);
        return *prefix ? TRAIN_GPT2_PREFIX "wte.weight" : "wte.weight";
    }
    for (int i = 0; i < 2; i++)
        if (tables[i] && !data_safetensors_find(file, tables[i]))
            return tables[i];
    return NULL;
}

/* Sets a vocabulary's size, and the width if it is 0, from the table [vocabulary, width],
 * which must be there. */
static ag_status read_table(const data_safetensors *file, const char *prefix, const char *name, int32_t *vocab,
                            int *width, const char *path, ag_error *error)
{
    const data_tensor *table = find_tensor(file, prefix, name);
    char shape[AG_SHAPE_TEXT];
    if (!table) {
        train_tensor_missing(file, name, path, error);
        return AG_BAD_FILE;
    }
    if (table->rank != 2)
        return ag_error_set(error, AG_BAD_FILE, "%s: the tensor %s%s has the shape %s and must be a matrix", path,
                            prefix, name, train_tensor_shape(table, shape, sizeof shape));
    *vocab = narrow(table->shape[0]);
    if (*width == 0)
        *width = narrow(table->shape[1]);
    return AG_OK;
}

static void read_longest(const data_safetensors *file, const char *prefix, const char *name, int *max_length)
{
    const data_tensor *table = find_matrix(file, prefix, name);
    if (table && *max_length == 0)
        *max_length = narrow(table->shape[0]);
}

/* Counts the blocks, from 0, that have the matrix `format`, whose `axis` gives ffn; sets
 * what is 0. */
static void read_blocks(const data_safetensors *file, const char *prefix, const char *format, int axis, int *layers,
                        int *ffn)
{
    int count = 0;
    for (const data_tensor *matrix;; count++) {
        char name[64];
        snprintf(name, sizeof name, format, count);
        matrix = find_matrix(file, prefix, name);
        if (!matrix)
            break;
        if (*ffn == 0)
            *ffn = narrow(matrix->shape[axis]);
    }
    if (*layers == 0)
        *layers = count;
}

static ag_status read_pytorch_sizes(const data_safetensors *file, nn_model_config *config, const char *path,
                                    ag_error *error)
{
    const bool encodes = config->kind != NN_DECODER, decodes = config->kind != NN_ENCODER;
    ag_status status = AG_OK;
    if (encodes)
        status = read_table(file, "", "src_embedding.weight", &config->source_vocab, &config->d_model, path, error);
    if (status == AG_OK)
        status = read_table(file, "", decodes ? "tgt_embedding.weight" : "output.weight", &config->target_vocab,
                            &config->d_model, path, error);
    if (encodes)
        read_blocks(file, "", "encoder.layers.%d.linear1.weight", 0, &config->encoder_layers, &config->ffn);
    if (decodes)
        read_blocks(file, "", "decoder.layers.%d.linear1.weight", 0, &config->decoder_layers, &config->ffn);
    if (config->positions == NN_LEARNED)
        read_longest(file, "", decodes ? "tgt_positions.weight" : "src_positions.weight", &config->max_length);
    return status;
}

static ag_status read_gpt2_sizes(const data_safetensors *file, nn_model_config *config, const char *path,
                                 ag_error *error)
{
    const char *prefix = train_layout_prefix(file, TRAIN_LAYOUT_GPT2);
    *config = (nn_model_config){
        .kind = NN_DECODER,
        .heads = config->heads,
        .dropout = config->dropout,
        .activation = AG_GELU_TANH,
        .norm_eps = 1e-5,
        .embedding_scale = 1,
        .positions = NN_LEARNED,
        .tied_output = true,
        .padding_id = -1, /* token 0 is like any other */
    };
    read_blocks(file, prefix, "h.%d.mlp.c_fc.weight", 1, &config->decoder_layers, &config->ffn);
    read_longest(file, prefix, "wpe.weight", &config->max_length);
    return read_table(file, prefix, "wte.weight", &config->target_vocab, &config->d_model, path, error);
}

ag_status train_layout_configure(train_layout layout, const data_safetensors *file, nn_model_config *config,
                                 const char *path, ag_error *error)
{
    if (config->heads == 0)
        return ag_error_set(error, AG_BAD_VALUE,
                            "%s: the number of attention heads must be given: its tensors do not show it", path);
    return layout == TRAIN_LAYOUT_GPT2 ? read_gpt2_sizes(file, config, path, error)
                                       : read_pytorch_sizes(file, config, path, error);
}

/* ---- Models that fit the layout ---------------------------------------------------- */

ag_status train_layout_fits(train_layout layout, const nn_model_config *config, ag_error *error)
{
    const struct {
        bool fits;
        const char *needed;
    } rules[] = {
        {config->kind == NN_DECODER, "decoders"},
        {config->positions == NN_LEARNED, "models with learned positions"},
        {config->activation == AG_GELU_TANH, "models with the activation gelu-tanh"},
        {config->norm == NN_LAYER_NORM, "models with layer norms"},
        {!config->post_norm, "models with norms before the sublayers"},
        {config->final_norm == NN_FINAL_NORM_USUAL, "models with a final norm"},
        {!config->no_bias && !config->no_norm_bias, "models with biases"},
        {config->tied_output, "models with an output tied to the embedding"},
        {config->norm_eps == 1e-5, "models with an eps of 1e-05 in norms"},
        {config->embedding_scale == 1, "models with an embedding scale of 1"},
    };
    for (size_t i = 0; layout == TRAIN_LAYOUT_GPT2 && i < sizeof rules / sizeof *rules; i++)
        if (!rules[i].fits)
            return ag_error_set(error, AG_BAD_VALUE, "the layout of GPT-2 has no place for this model: it is only for %s",
                                rules[i].needed);
    return AG_OK;
}
