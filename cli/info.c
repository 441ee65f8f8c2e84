/* info.c - tapeformer info: what is in a saved model. */
#include "cli.h"

#include <stdio.h>

static void print_vocab(const char *title, const data_vocab *vocab)
{
    if (vocab)
        printf("%-16s %d %s (%s)\n", title, data_vocab_size(vocab),
               ag_plural(data_vocab_size(vocab), "token", "tokens"),
               data_vocab_kind(vocab) == DATA_CHARS ? "characters" : "words");
}

static void print_config(const train_saved *saved)
{
    const nn_model_config *c = &saved->model->config;
    printf("%-16s %s\n", "kind", cli_model_names[c->kind]);
    if (saved->task && *saved->task)
        printf("%-16s %s\n", "task", CLI_SHOWN(saved->task));
    print_vocab("source", saved->source_vocab);
    print_vocab("target", saved->target_vocab);
    printf("%-16s %d\n%-16s %d\n", "d_model", c->d_model, "heads", c->heads);
    if (c->kind != NN_DECODER)
        printf("%-16s %d\n", "encoder layers", c->encoder_layers);
    if (c->kind != NN_ENCODER)
        printf("%-16s %d\n", "decoder layers", c->decoder_layers);
    printf("%-16s %d, %s\n", "feed-forward", c->ffn, cli_activation_names[c->activation]);
    static const char *const final_norms[] = {"", ", final norms", ", no final norms"};
    printf("%-16s %s, %s%s, eps %g\n", "norm", cli_norm_names[c->norm], c->post_norm ? "post" : "pre",
           final_norms[c->final_norm], c->norm_eps);
    if (c->no_bias || c->no_norm_bias || c->no_output_bias)
        printf("%-16s%s%s%s\n", "without bias", c->no_bias ? " blocks" : "", c->no_norm_bias ? " norms" : "",
               c->no_output_bias ? " output" : "");
    printf("%-16s %g\n", "embedding scale", c->embedding_scale);
    printf("%-16s %s\n%-16s %d\n", "positions", cli_position_names[c->positions], "longest", c->max_length);
    printf("%-16s %g\n%-16s %s\n", "dropout", c->dropout, "tied output", c->tied_output ? "yes" : "no");
}

int cli_info(int count, const char *const *arguments)
{
    const char *path = NULL;
    cli_command command = {
        .name = "info",
        .summary = "show a saved model",
        .usage = "MODEL",
        .max_words = 1,
        .words = &path,
        .details = "MODEL is the folder of a training run or a .safetensors file.",
    };
    train_saved saved = {0};
    ag_error error = {0};
    cli_read read = cli_flags_read(&command, count, arguments);
    if (read != CLI_READ_OK)
        return cli_read_code(read);
    if (!path)
        return cli_fail("info", CLI_USAGE, "which model? Give the folder of a run or a .safetensors file");
    if (train_saved_load(&saved, path, &error) != AG_OK)
        return cli_report("info", &error);

    const nn_params *params = &saved.model->params;
    print_config(&saved);
    printf("\n%d %s, %lld %s:\n", params->count, ag_plural(params->count, "parameter", "parameters"),
           (long long)params->size, ag_plural(params->size, "number", "numbers"));
    for (int i = 0; i < params->count; i++) {
        char shape[AG_SHAPE_TEXT];
        printf("  %-48s %s\n", params->items[i].name, ag_shape_print(params->items[i].shape, shape));
    }
    train_saved_clear(&saved);
    return CLI_DONE;
}
