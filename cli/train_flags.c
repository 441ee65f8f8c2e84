/* train_flags.c - the flags of tapeformer train, and the order in which presets, resumed runs and the user set them. */
#include "train_flags.h"

#include "cli.h"
#include "help.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const train_flags defaults = {
    .out = "run",
    .d_model = 128,
    .heads = 4,
    .layers = 2,
    .dropout = -1,
    .rate = 1e-3,
    .floor = 0.05,
    .weight_decay = 0.01,
    .beta1 = 0.9,
    .beta2 = 0.98,
    .clip = 1,
    .batch = 64,
    .accumulate = 1,
    .seed = 1,
    .held_out = 0.05,
    .eval_sources = 500,
    .warmup = -1,
};

/* ---- The table of flags ---------------------------------------------------------------------- */

/* Each part is written behind the last one, on the fields of `f`; the number of its rows is returned. */
static int fill_source(train_flags *f, cli_flag *table)
{
    const cli_flag flags[] = {
        {"task", CLI_TEXT, &f->task, "NAME", "train on a synthetic task", .name_of = cli_task_name},
        {"pairs", CLI_TEXT, &f->pairs, "FILE", "train on lines `source TAB target`", .joined_by = "paste"},
        {"dev", CLI_TEXT, &f->dev, "FILE", "pairs to choose the best model on [a part of --pairs, held out]",
         .joined_by = "paste"},
        {"text", CLI_TEXT, &f->text, "FILE", "train a language model on a text", .joined_by = "cat"},
        {"from", CLI_TEXT, &f->from, "DIR",
         "begin with a model that was trained or imported: its parameters, sizes and vocabularies", .high = 0},
        {"preset", CLI_TEXT, &f->preset, "NAME", "a recipe; other flags override it", .name_of = cli_preset_name,
         .local = true},
        {"list-presets", CLI_SWITCH, &f->list_presets, NULL, "print the recipes and their flags", .local = true},
        {"src-tokens", CLI_CHOICE, &f->source_tokens, "KIND", "tokens of the sources", .choices = cli_token_names},
        {"tgt-tokens", CLI_CHOICE, &f->target_tokens, "KIND", "tokens of the targets, or of the text",
         .choices = cli_token_names},
        {"held-out", CLI_NUMBER, &f->held_out, "SHARE", "of --pairs or --text without --dev [0.05]", .low = 0.0001,
         .high = 0.9},
        {"context", CLI_COUNT, &f->context, "N", "tokens that a language model sees [128; --from: its longest]",
         .low = 1},
        {"task-min", CLI_COUNT, &f->task_min, "N", "shortest example of the task", .low = 1, .high = 100},
        {"task-max", CLI_COUNT, &f->task_max, "N", "longest example of the task", .low = 1, .high = 100},
        {"task-count", CLI_COUNT, &f->task_count, "N", "examples of the task in an epoch [10000]", .low = 1},
    };
    memcpy(table, flags, sizeof flags);
    return (int)(sizeof flags / sizeof *flags);
}

int train_flags_model(train_flags *f, cli_flag *table)
{
    const cli_flag flags[] = {
        {"model", CLI_CHOICE, &f->model, "KIND", "the model", .choices = cli_model_names},
        {"d-model", CLI_COUNT, &f->d_model, "N", "width [128]", .low = 1, .high = 65536},
        {"heads", CLI_COUNT, &f->heads, "N", "attention heads; they divide the width [4]", .low = 1, .high = 65536},
        {"layers", CLI_COUNT, &f->layers, "N", "blocks in the encoder, and in the decoder [2]", .low = 1, .high = 1000},
        {"encoder-layers", CLI_COUNT, &f->encoder_layers, "N", "blocks in the encoder [--layers]", .low = 1,
         .high = 1000},
        {"decoder-layers", CLI_COUNT, &f->decoder_layers, "N", "blocks in the decoder [--layers]", .low = 1,
         .high = 1000},
        {"ffn", CLI_COUNT, &f->ffn, "N", "width of the feed-forward layers [4 d-model]", .low = 1, .high = 1048576},
        {"max-length", CLI_COUNT, &f->max_length, "N", "longest sequence in tokens [from the data]", .low = 1,
         .high = 1e6},
        {"activation", CLI_CHOICE, &f->activation, "NAME", "of the feed-forward layers",
         .choices = cli_activation_names},
        {"norm", CLI_CHOICE, &f->norm, "NAME", "", .choices = cli_norm_names},
        {"post-norm", CLI_SWITCH, &f->post_norm, NULL, "norms behind the residual sums, not before the sublayers",
         .high = 0},
        {"norm-eps", CLI_NUMBER, &f->norm_eps, "X", "what norms add to the variance [1e-5]", .low = 1e-30, .high = 1},
        {"embedding-scale", CLI_NUMBER, &f->embedding_scale, "X", "factor on the embeddings [square root of d-model]",
         .low = 1e-6, .high = 1e6},
        {"positions", CLI_CHOICE, &f->positions, "NAME", "", .choices = cli_position_names},
        {"no-bias", CLI_SWITCH, &f->no_bias, NULL, "linear layers without bias", .high = 0},
        {"tied", CLI_SWITCH, &f->tied, NULL, "the target embedding is the output projection too", .high = 0},
        {"dropout", CLI_NUMBER, &f->dropout, "P", "[0.1; 0 for tasks, whose examples never repeat; --from: its own]",
         .low = 0, .high = 0.99},
    };
    memcpy(table, flags, sizeof flags);
    return (int)(sizeof flags / sizeof *flags);
}

static int fill_training(train_flags *f, cli_flag *table)
{
    const cli_flag flags[] = {
        {"matmul", CLI_CHOICE, &f->matmul, "NUMBERS",
         "what products multiply in training; bf16, on processors that have it, is faster and coarser",
         .choices = cli_matmul_names},
        {"optimizer", CLI_CHOICE, &f->optimizer, "NAME", "", .choices = cli_optimizer_names},
        {"lr", CLI_NUMBER, &f->rate, "RATE", "highest learning rate; of noam the factor [0.001]", .low = 1e-12,
         .high = 1e3},
        {"schedule", CLI_CHOICE, &f->schedule, "NAME", "of the learning rate", .choices = cli_schedule_names},
        {"warmup", CLI_COUNT, &f->warmup, "N", "steps of linear warm-up [a twentieth of the steps]", .high = 0},
        {"floor", CLI_NUMBER, &f->floor, "SHARE", "of the rate where the cosine ends [0.05]", .low = 0, .high = 1},
        {"weight-decay", CLI_NUMBER, &f->weight_decay, "X", "not on biases and norms [0.01]", .high = 0},
        {"beta1", CLI_NUMBER, &f->beta1, "X", "Adam's [0.9]", .low = 0, .high = 0.999999},
        {"beta2", CLI_NUMBER, &f->beta2, "X", "Adam's [0.98]", .low = 0, .high = 0.999999},
        {"momentum", CLI_NUMBER, &f->momentum, "X", "of sgd [0]", .low = 0, .high = 0.999999},
        {"nesterov", CLI_SWITCH, &f->nesterov, NULL, "Nesterov's form of the momentum", .high = 0},
        {"clip", CLI_NUMBER, &f->clip, "NORM", "largest global norm of the gradients; 0: no limit [1]", .high = 0},
        {"label-smoothing", CLI_NUMBER, &f->label_smoothing, "X", "[0]", .low = 0, .high = 0.999},
        {"average", CLI_NUMBER, &f->average, "DECAY", "evaluate and save a moving average of the weights [0: do not]",
         .low = 0, .high = 0.999999},
        {"batch", CLI_COUNT, &f->batch, "N", "examples per step [64]", .low = 1, .high = 1e6},
        {"accumulate", CLI_COUNT, &f->accumulate, "N", "parts that a batch goes through the model in [1]", .low = 1,
         .high = 1e6},
        {"steps", CLI_COUNT, &f->steps, "N", "updates to do [from the data]", .low = 1},
        {"epochs", CLI_COUNT, &f->epochs, "N", "instead of --steps: passes over the data", .low = 1},
        {"eval-every", CLI_COUNT, &f->eval_every, "N", "steps between evaluations on dev [a tenth of the steps]",
         .low = 1},
        {"eval-sources", CLI_COUNT, &f->eval_sources, "N", "dev sources to decode each time [500]", .low = 1},
        {"patience", CLI_COUNT, &f->patience, "N", "stop after so many evaluations without a better one [0: do not]",
         .high = 0},
        {"save-every", CLI_COUNT, &f->save_every, "N", "steps between checkpoints [as --eval-every]", .low = 1},
        {"seed", CLI_COUNT, &f->seed, "N", "of the parameters, the order and the dropout [1]", .high = 0},
        {"threads", CLI_COUNT, &f->threads, "N", "[all there are]", .low = 1, .high = 1024, .local = true},
        {"out", CLI_TEXT, &f->out, "DIR", "folder for the model, the checkpoint and the log [run]", .local = true},
        {"overwrite", CLI_SWITCH, &f->overwrite, NULL, "replace the run or the model in that folder", .local = true},
        {"resume", CLI_TEXT, &f->resume, "DIR", "go on with the run in DIR, with its flags; others override",
         .local = true},
        {"stop-at", CLI_COUNT, &f->stop_at, "N", "stop after update N, to be resumed later", .low = 1, .local = true},
        {"quiet", CLI_SWITCH, &f->quiet, NULL, "no progress lines", .local = true},
    };
    memcpy(table, flags, sizeof flags);
    return (int)(sizeof flags / sizeof *flags);
}

static int fill_table(train_flags *f, cli_flag table[TRAIN_FLAGS_MOST])
{
    int count = fill_source(f, table);
    count += train_flags_model(f, table + count);
    return count + fill_training(f, table + count);
}

/* ---- The model that they describe ------------------------------------------------------------ */

nn_model_config train_flags_config(const train_flags *f)
{
    return (nn_model_config){
        .kind = (nn_model_kind)f->model,
        .d_model = (int)f->d_model,
        .heads = (int)f->heads,
        .encoder_layers = (int)(f->encoder_layers ? f->encoder_layers : f->layers),
        .decoder_layers = (int)(f->decoder_layers ? f->decoder_layers : f->layers),
        .ffn = (int)f->ffn,
        .max_length = (int)f->max_length,
        .activation = (nn_activation)f->activation,
        .norm = (nn_norm_kind)f->norm,
        .norm_eps = f->norm_eps,
        .embedding_scale = f->embedding_scale,
        .positions = (nn_position_kind)f->positions,
        .post_norm = f->post_norm,
        .no_bias = f->no_bias,
        .tied_output = f->tied,
        .dropout = f->dropout,
        .padding_id = DATA_PAD,
    };
}

/* The flags of a run that begins with the model of `base`. The depth is that of each stack that the model has, so
 * --layers must agree with those that no flag of their own tells. */
static train_flags described(const train_flags *f, const train_saved *base)
{
    const nn_model_config *config = &base->model->config;
    const bool encodes = config->kind != NN_DECODER, decodes = config->kind != NN_ENCODER;
    train_flags own = *f;
    own.model = (int)config->kind;
    own.d_model = config->d_model;
    own.heads = config->heads;
    if (encodes && !f->encoder_layers)
        own.layers = config->encoder_layers;
    if (decodes && !f->decoder_layers && own.layers == f->layers)
        own.layers = config->decoder_layers;
    if (encodes)
        own.encoder_layers = config->encoder_layers;
    if (decodes)
        own.decoder_layers = config->decoder_layers;
    own.ffn = config->ffn;
    own.max_length = config->max_length;
    own.activation = (int)config->activation;
    own.norm = (int)config->norm;
    own.norm_eps = config->norm_eps;
    own.embedding_scale = config->embedding_scale;
    own.positions = (int)config->positions;
    own.post_norm = config->post_norm;
    own.no_bias = config->no_bias;
    own.tied = config->tied_output;
    if (base->source_vocab && !f->task) /* a task has its own kinds of tokens, whatever the flags say */
        own.source_tokens = (int)data_vocab_kind(base->source_vocab);
    if (!f->task)
        own.target_tokens = (int)data_vocab_kind(base->target_vocab);
    return own;
}

int train_flags_take(const cli_command *command, train_flags *f, const train_saved *base)
{
    const char *where = f->resume ? f->resume : f->from;
    train_flags own = described(f, base);
    cli_flag rows[TRAIN_FLAGS_MOST];
    const int count = fill_table(&own, rows);
    for (int i = 0; i < count; i++) {
        const cli_flag *given = &command->flags[i];
        char said[64], is[64];
        if (!given->given || cli_flag_same(given, &rows[i]))
            continue;
        if (given->type == CLI_SWITCH)
            return cli_fail("train", CLI_USAGE, "--%s contradicts the model in %s, which was made without it",
                            given->name, where);
        cli_flag_value(given, said, sizeof said);
        cli_flag_value(&rows[i], is, sizeof is);
        return cli_fail("train", CLI_USAGE, "--%s %s contradicts the model in %s, where it is %s", given->name, said,
                        where, is);
    }
    *f = own;
    return CLI_DONE;
}

/* ---- Reading the flags ---------------------------------------------------------------------- */

void train_presets_print(void)
{
    int count;
    const cli_preset *presets = cli_presets(&count);
    enum { PRESET_COLUMN = 15 };
    for (int i = 0; i < count; i++) {
        cli_print_row(stdout, PRESET_COLUMN, presets[i].name, presets[i].help);
        cli_print_row(stdout, PRESET_COLUMN, "", presets[i].arguments);
    }
}

/* The preset's arguments as lines in `text`. */
static void preset_text(const char *name, char *text, size_t size)
{
    int count, i = 0;
    const cli_preset *presets = cli_presets(&count);
    while (strcmp(name, presets[i].name)) /* it was found when the flag was read */
        i++;
    snprintf(text, size, "%s", presets[i].arguments);
    for (char *at = text; *at; at++)
        if (*at == ' ')
            *at = '\n';
}

/* What the user's own flags say must not contradict itself. */
static cli_read check_own(const train_flags *f)
{
    if (f->steps && f->epochs)
        cli_fail("train", CLI_USAGE, "--steps and --epochs exclude each other");
    else if (f->resume && f->out != defaults.out)
        cli_fail("train", CLI_USAGE, "--out and --resume exclude each other: a run goes on in its own folder");
    else if (f->resume && f->overwrite)
        cli_fail("train", CLI_USAGE, "--overwrite and --resume exclude each other: a run goes on, or begins again");
    else if (f->resume && f->from)
        cli_fail("train", CLI_USAGE,
                 "--from and --resume exclude each other: --from begins a run, --resume goes on with one");
    else
        return CLI_READ_OK;
    return CLI_READ_WRONG;
}

/* Flags that exclude each other: the user's own one replaces whichever the preset or the resumed run has. */
static void make_way(const cli_command *command, bool source, bool length)
{
    static const char *const names[] = {"task", "pairs", "text", "steps", "epochs"};
    for (int i = 0; i < 5; i++)
        if (i < 3 ? source : length)
            cli_flag_drop(command, names[i]);
}

/* Flags are read up to three times: to find --preset and --resume, then the resumed run's own and the preset's, then
 * again the user's, which override. */
cli_read train_flags_read(cli_command *command, train_flags *f, int count, const char *const *arguments,
                          train_saved *base)
{
    static char preset[1024]; /* the flags' targets point into it until the program ends */
    *f = defaults;
    command->flag_count = fill_table(f, command->flags);
    cli_read result = cli_flags_read(command, count, arguments);
    if (result == CLI_READ_OK)
        result = check_own(f);
    if (result != CLI_READ_OK)
        return result;
    bool own_source = f->task || f->pairs || f->text, own_length = f->steps || f->epochs;
    if (f->resume) {
        ag_error error = {0};
        if (train_checkpoint_read(base, f->resume, &error) != AG_OK) {
            cli_report("train", &error);
            return CLI_READ_FAILED;
        }
        result = cli_flags_read_text(command, base->arguments);
    }
    if (result == CLI_READ_OK && f->preset) {
        preset_text(f->preset, preset, sizeof preset);
        result = cli_flags_read_text(command, preset);
    }
    make_way(command, own_source, own_length);
    return result == CLI_READ_OK ? cli_flags_read(command, count, arguments) : result;
}
