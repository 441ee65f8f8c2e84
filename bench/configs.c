/* configs.c - the models that the bench trains, and what arithmetic they ask for.
 *
 * The operations of a step: a product of [rows, in] by [in, out] is 2 rows in out of them, attention of T queries to S
 * keys is two products, 4 T S d_model for each row, half of it where it is causal. The backward is counted as twice the
 * forward: two products of the same size for each. Everything else (norms, softmax, activations, dropout, Adam) is not
 * counted, and neither is what a backward computes again, so 100 % of the peak is out of reach. */
#include "bench.h"

#include <string.h>

const char *const bench_matmul_names[] = {"float", "bf16", NULL};

const bench_config bench_configs[] = {
    {"toy", NN_ENCODER_DECODER, 16, 64, 4, 2, 256, 64, 12, 12, 0, false, false},
    {"small", NN_ENCODER_DECODER, 32, 128, 4, 2, 512, 64, 32, 32, 0, false, false},
    {"nano", NN_DECODER, 65, 128, 4, 4, 512, 12, 0, 64, 0, false, false},
    {"g2p", NN_ENCODER_DECODER, 96, 256, 4, 4, 1024, 128, 12, 12, 0, false, false},
    {"annot", NN_ENCODER_DECODER, 11, 512, 8, 2, 2048, 80, 10, 9, 0, false, false},
    {"gptmid", NN_DECODER, 65, 384, 6, 6, 1536, 8, 0, 256, 0, false, false},
    {"gpt2", NN_DECODER, 50257, 768, 12, 12, 3072, 4, 0, 64, 1024, true, true},
};
const int bench_config_count = sizeof bench_configs / sizeof *bench_configs;

const bench_config *bench_config_find(const char *name)
{
    for (int i = 0; i < bench_config_count; i++)
        if (!strcmp(bench_configs[i].name, name))
            return &bench_configs[i];
    return NULL;
}

bool bench_config_wanted(const bench_config *config, const char *name)
{
    return name ? !strcmp(config->name, name) : !config->on_request;
}

nn_model *bench_config_model(const bench_config *config, double dropout, ag_error *error)
{
    nn_model_config model = {
        .kind = config->kind,
        .source_vocab = config->kind == NN_DECODER ? 0 : config->vocab,
        .target_vocab = config->vocab,
        .d_model = config->d_model,
        .heads = config->heads,
        .encoder_layers = config->layers,
        .decoder_layers = config->layers,
        .ffn = config->ffn,
        .activation = config->kind == NN_DECODER ? AG_GELU : AG_RELU,
        .positions = config->positions ? NN_LEARNED : NN_SINUSOIDAL,
        .max_length = config->positions,
        .tied_output = config->tied,
        .dropout = dropout,
    };
    return nn_model_new(&model, 1, error);
}

int64_t bench_config_tokens(const bench_config *config)
{
    return config->rows * (config->source_length + config->target_length);
}

/* ---- Products ---------------------------------------------------------------------- */

/* Self-attention and feed-forward of a stack over `length` tokens a row. */
static int add_block(const bench_config *config, int64_t length, bool causal, bench_layer *layers)
{
    const int64_t d = config->d_model, rows = config->rows * length;
    const double times = config->layers;
    layers[0] = (bench_layer){"qkv", 1, rows, d, 3 * d, times};
    layers[1] = (bench_layer){"scores", config->rows * config->heads,    length, d / config->heads,
                              length,   2 * times * (causal ? 0.5 : 1.0)};
    layers[2] = (bench_layer){"out", 1, rows, d, d, times};
    layers[3] = (bench_layer){"ffn in", 1, rows, d, config->ffn, times};
    layers[4] = (bench_layer){"ffn out", 1, rows, config->ffn, d, times};
    return 5;
}

/* Attention of the decoder to the encoder's result. */
static int add_cross(const bench_config *config, bench_layer *layers)
{
    const int64_t d = config->d_model;
    const double times = config->layers;
    layers[0] = (bench_layer){"cross q", 1, config->rows * config->target_length, d, d, times};
    layers[1] = (bench_layer){"cross kv", 1, config->rows * config->source_length, d, 2 * d, times};
    layers[2] = (bench_layer){"cross scores",    config->rows * config->heads, config->target_length,
                              d / config->heads, config->source_length,        2 * times};
    layers[3] = (bench_layer){"cross out", 1, config->rows * config->target_length, d, d, times};
    return 4;
}

int bench_config_layers(const bench_config *config, bench_layer layers[BENCH_LAYERS])
{
    int count = 0;
    if (config->kind == NN_ENCODER_DECODER) {
        count += add_block(config, config->source_length, false, layers);
        count += add_cross(config, layers + count);
    }
    count += add_block(config, config->target_length, true, layers + count);
    layers[count++] =
        (bench_layer){"vocabulary", 1, config->rows * config->target_length, config->d_model, config->vocab, 1};
    return count;
}

double bench_config_flops(const bench_config *config)
{
    bench_layer layers[BENCH_LAYERS];
    int count = bench_config_layers(config, layers);
    double forward = 0;
    for (int i = 0; i < count; i++)
        forward += 2.0 * layers[i].times * (double)(layers[i].batch * layers[i].rows) * (double)layers[i].in *
                   (double)layers[i].out;
    return 3 * forward;
}
