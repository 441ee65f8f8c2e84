/* train_flags.c - the flags of tapeformer train, and the order in which presets, resumed runs and the user set them. */
#include "train_flags.h"

#include "cli.h"
#include "help.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The flags that a resume may change, as its help names them; test_cli_runs.c compares
 * them with the table. */
#define CHANGEABLE                                                                                                     \
    "--pairs, --dev and --text (the same data elsewhere), --steps, --epochs, --eval-every, --patience, --save-every, " \
    "--threads, --stop-at and --quiet"

static const train_flags defaults = {
    .out = "run",
    .d_model = 128,
    .heads = 4,
    .layers = 2,
    .dropout = NOT_SAID,
    .floor = NOT_SAID,
    .weight_decay = NOT_SAID,
    .clip = NOT_SAID,
    .warmup = NOT_SAID,
    .seed = 1,
    .task_count = 10000,
    .held_out = 0.05,
};

/* ---- The table of flags ---------------------------------------------------------------------- */

/* Each part is written behind the last one, on the fields of `f`; the number of its rows is returned. */
static int fill_source(train_flags *f, cli_flag *table)
{
    const cli_flag flags[] = {
        {"task", CLI_TEXT, &f->task, "NAME", "train on a synthetic task", .name_of = cli_task_name},
        {"pairs", CLI_TEXT, &f->pairs, "FILE", "train on lines `source TAB target`", .joined_by = "paste",
         .changeable = true},
        {"dev", CLI_TEXT, &f->dev, "FILE", "pairs to choose the best model on", .joined_by = "paste",
         .otherwise = "a part of --pairs, held out", .changeable = true},
        {"text", CLI_TEXT, &f->text, "FILE", "train a language model on a text", .joined_by = "cat",
         .changeable = true},
        {"from", CLI_TEXT, &f->from, "DIR",
         "begin with a model that was trained or imported: its parameters, sizes and vocabularies", .high = 0},
        {"preset", CLI_TEXT, &f->preset, "NAME", "a recipe; other flags override it", .name_of = cli_preset_name,
         .local = true},
        {"list-presets", CLI_SWITCH, &f->list_presets, NULL, "print the recipes and their flags", .local = true},
        {"src-tokens", CLI_CHOICE, &f->source_tokens, "KIND", "tokens of the sources", .choices = cli_token_names},
        {"tgt-tokens", CLI_CHOICE, &f->target_tokens, "KIND", "tokens of the targets, or of the text",
         .choices = cli_token_names},
        {"held-out", CLI_NUMBER, &f->held_out, "SHARE", "of the data, to choose the best model on", .low = 0.0001,
         .high = 0.9},
        {"context", CLI_COUNT, &f->context, "N", "tokens that a language model sees", .low = 1,
         .otherwise = CLI_NUMERAL(DEFAULT_CONTEXT) ", --max-length at most; --from: its longest"},
        {"task-min", CLI_COUNT, &f->task_min, "N", "shortest example of the task", .low = 1, .high = 100,
         .otherwise = "the task's own"},
        {"task-max", CLI_COUNT, &f->task_max, "N", "longest example of the task", .low = 1, .high = 100,
         .otherwise = "the task's own"},
        {"task-count", CLI_COUNT, &f->task_count, "N", "examples of the task in an epoch", .low = 1},
    };
    memcpy(table, flags, sizeof flags);
    return (int)(sizeof flags / sizeof *flags);
}

int train_flags_model(train_flags *f, cli_flag *table)
{
    const cli_flag flags[] = {
        {"model", CLI_CHOICE, &f->model, "KIND", "the model", .choices = cli_model_names,
         .otherwise = "encoder-decoder; --text: decoder"},
        {"d-model", CLI_COUNT, &f->d_model, "N", "width", .low = 1, .high = 65536},
        {"heads", CLI_COUNT, &f->heads, "N", "attention heads; they divide the width", .low = 1, .high = 65536},
        {"layers", CLI_COUNT, &f->layers, "N", "blocks in the encoder, and in the decoder", .low = 1, .high = 1000},
        {"encoder-layers", CLI_COUNT, &f->encoder_layers, "N", "blocks in the encoder", .low = 1, .high = 1000,
         .otherwise = "--layers"},
        {"decoder-layers", CLI_COUNT, &f->decoder_layers, "N", "blocks in the decoder", .low = 1, .high = 1000,
         .otherwise = "--layers"},
        {"ffn", CLI_COUNT, &f->ffn, "N", "width of the feed-forward layers", .low = 1, .high = 1048576,
         .otherwise = "4 times --d-model"},
        {"max-length", CLI_COUNT, &f->max_length, "N", "longest sequence in tokens", .low = 1, .high = 1e6,
         .otherwise = "twice the longest of the data, 64 at least; --text: --context"},
        {"activation", CLI_CHOICE, &f->activation, "NAME", "of the feed-forward layers",
         .choices = cli_activation_names},
        {"norm", CLI_CHOICE, &f->norm, "NAME", "", .choices = cli_norm_names},
        {"post-norm", CLI_SWITCH, &f->post_norm, NULL, "norms behind the residual sums, not before the sublayers",
         .high = 0},
        {"norm-eps", CLI_NUMBER, &f->norm_eps, "X", "what norms add to the variance", .low = 1e-30, .high = 1,
         .otherwise = "1e-05"},
        {"embedding-scale", CLI_NUMBER, &f->embedding_scale, "X", "factor on the embeddings", .low = 1e-6, .high = 1e6,
         .otherwise = "the square root of --d-model"},
        {"positions", CLI_CHOICE, &f->positions, "NAME", "", .choices = cli_position_names},
        {"final-norm", CLI_SWITCH, &f->final_norm, NULL,
         "a norm after each stack (nn.Transformer has one with post-norm, too)", .otherwise = "with pre-norm alone"},
        {"no-final-norm", CLI_SWITCH, &f->no_final_norm, NULL, "none, with pre-norm, too", .high = 0},
        {"no-bias", CLI_SWITCH, &f->no_bias, NULL, "linear layers of the blocks without bias", .high = 0},
        {"no-norm-bias", CLI_SWITCH, &f->no_norm_bias, NULL, "layer norms without bias", .high = 0},
        {"no-output-bias", CLI_SWITCH, &f->no_output_bias, NULL, "the output projection without bias", .high = 0},
        {"tied", CLI_SWITCH, &f->tied, NULL, "the target embedding is the output projection too", .high = 0},
        {"dropout", CLI_NUMBER, &f->dropout, "P", "", .low = 0, .high = 0.99,
         .otherwise = CLI_NUMERAL(DEFAULT_DROPOUT) "; --task, whose examples never repeat: 0; --from: its own"},
    };
    memcpy(table, flags, sizeof flags);
    return (int)(sizeof flags / sizeof *flags);
}

/* How a step changes the parameters. */
static int fill_updates(train_flags *f, cli_flag *table)
{
    const cli_flag flags[] = {
        {"matmul", CLI_CHOICE, &f->matmul, "NUMBERS",
         "what products multiply in training; bf16, on processors that have it, is faster and coarser",
         .choices = cli_matmul_names},
        {"optimizer", CLI_CHOICE, &f->optimizer, "NAME", "", .choices = cli_optimizer_names},
        {"lr", CLI_NUMBER, &f->rate, "RATE", "highest learning rate; of noam the factor", .low = 1e-12, .high = 1e3,
         .otherwise = CLI_NUMERAL(TRAIN_DEFAULT_RATE) "; sgd: "
                      CLI_NUMERAL(TRAIN_DEFAULT_RATE_SGD) "; noam: "
                      CLI_NUMERAL(TRAIN_DEFAULT_RATE_NOAM)},
        {"schedule", CLI_CHOICE, &f->schedule, "NAME", "of the learning rate", .choices = cli_schedule_names},
        {"warmup", CLI_COUNT, &f->warmup, "N", "steps of linear warm-up",
         .otherwise = "1/" CLI_NUMERAL(TRAIN_DEFAULT_WARMUP_PART) " of the steps; noam: 1/"
                      CLI_NUMERAL(TRAIN_DEFAULT_WARMUP_PART_NOAM) "; at most "
                      CLI_NUMERAL(TRAIN_DEFAULT_WARMUP_MOST)},
        {"floor", CLI_NUMBER, &f->floor, "SHARE", "of the rate where the cosine ends", .low = 0, .high = 1,
         .otherwise = CLI_NUMERAL(TRAIN_DEFAULT_FLOOR)},
        {"weight-decay", CLI_NUMBER, &f->weight_decay, "X", "not on biases and norms",
         .otherwise = CLI_NUMERAL(TRAIN_DEFAULT_WEIGHT_DECAY) "; adam and sgd: 0"},
        {"beta1", CLI_NUMBER, &f->beta1, "X", "Adam's", .low = 1e-6, .high = 0.999999,
         .otherwise = CLI_NUMERAL(TRAIN_DEFAULT_BETA1)},
        {"beta2", CLI_NUMBER, &f->beta2, "X", "Adam's", .low = 1e-6, .high = 0.999999,
         .otherwise = CLI_NUMERAL(TRAIN_DEFAULT_BETA2)},
        {"momentum", CLI_NUMBER, &f->momentum, "X", "of sgd", .low = 0, .high = 0.999999},
        {"nesterov", CLI_SWITCH, &f->nesterov, NULL, "Nesterov's form of the momentum", .high = 0},
        {"clip", CLI_NUMBER, &f->clip, "NORM", "largest global norm of the gradients; 0: no limit",
         .otherwise = CLI_NUMERAL(TRAIN_DEFAULT_CLIP)},
        {"label-smoothing", CLI_NUMBER, &f->label_smoothing, "X", "", .low = 0, .high = 0.999},
        {"average", CLI_NUMBER, &f->average, "DECAY",
         "evaluate and save a moving average of the weights, over about 1 / (1 - DECAY) steps; 0: none", .low = 0,
         .high = 0.999999},
    };
    memcpy(table, flags, sizeof flags);
    return (int)(sizeof flags / sizeof *flags);
}

/* How far a run goes, and what it leaves. */
static int fill_run(train_flags *f, cli_flag *table)
{
    const cli_flag flags[] = {
        {"batch", CLI_COUNT, &f->batch, "N", "examples per step", .low = 1, .high = 1e6,
         .otherwise = CLI_NUMERAL(TRAIN_DEFAULT_BATCH)},
        {"accumulate", CLI_COUNT, &f->accumulate, "N", "parts that a batch goes through the model in", .low = 1,
         .high = 1e6, .otherwise = "1"},
        {"steps", CLI_COUNT, &f->steps, "N", "updates to do", .low = 1,
         .otherwise = CLI_NUMERAL(TRAIN_DEFAULT_PASSES) " passes over the data, but "
                      CLI_NUMERAL(TRAIN_DEFAULT_STEPS_LEAST) " to "
                      CLI_NUMERAL(TRAIN_DEFAULT_STEPS_MOST) " steps",
         .changeable = true},
        {"epochs", CLI_COUNT, &f->epochs, "N", "instead of --steps: passes over the data", .low = 1, .otherwise = "",
         .changeable = true},
        {"eval-every", CLI_COUNT, &f->eval_every, "N", "steps between evaluations on dev; the last is one, too",
         .low = 1, .otherwise = "1/" CLI_NUMERAL(TRAIN_DEFAULT_EVALUATIONS) " of the steps", .changeable = true},
        {"eval-sources", CLI_COUNT, &f->eval_sources, "N", "dev sources to decode each time", .low = 1,
         .otherwise = CLI_NUMERAL(TRAIN_DEFAULT_EVALUATE_SOURCES)},
        {"best-by", CLI_CHOICE, &f->best_by, "WHAT",
         "what makes a model the best on dev: exact matches, of which a few more or less are luck, then the loss; "
         "the loss alone; the word error rate, however small the difference, then the loss",
         .choices = cli_best_names, .otherwise = "exact; --text: loss"},
        {"patience", CLI_COUNT, &f->patience, "N", "stop after so many evaluations without a better one; 0: never",
         .changeable = true},
        {"save-every", CLI_COUNT, &f->save_every, "N", "steps between checkpoints", .low = 1,
         .otherwise = "as --eval-every", .changeable = true},
        {"seed", CLI_COUNT, &f->seed, "N", "of the parameters, the order and the dropout", .high = 0},
        {"threads", CLI_COUNT, &f->threads, "N", "", .low = 1, .high = 1024, .otherwise = "all there are",
         .local = true},
        {"out", CLI_TEXT, &f->out, "DIR", "folder for the model, the checkpoint and the log", .local = true},
        {"overwrite", CLI_SWITCH, &f->overwrite, NULL, "replace the run or the model in that folder", .local = true},
        {"resume", CLI_TEXT, &f->resume, "DIR",
         "go on with the run in DIR, with its flags; " CHANGEABLE " may be given again", .local = true},
        {"stop-at", CLI_COUNT, &f->stop_at, "N", "stop after update N, to be resumed later", .low = 1, .otherwise = "",
         .local = true},
        {"quiet", CLI_SWITCH, &f->quiet, NULL, "no progress lines", .local = true},
    };
    memcpy(table, flags, sizeof flags);
    return (int)(sizeof flags / sizeof *flags);
}

static int fill_table(train_flags *f, cli_flag table[TRAIN_FLAGS_MOST])
{
    int count = fill_source(f, table);
    count += train_flags_model(f, table + count);
    count += fill_updates(f, table + count);
    return count + fill_run(f, table + count);
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
        .activation = (ag_activation)(AG_RELU + f->activation),
        .norm = (nn_norm_kind)f->norm,
        .norm_eps = f->norm_eps,
        .embedding_scale = f->embedding_scale,
        .positions = (nn_position_kind)f->positions,
        .post_norm = f->post_norm,
        .final_norm = f->final_norm      ? NN_FINAL_NORM_YES
                      : f->no_final_norm ? NN_FINAL_NORM_NO
                                         : NN_FINAL_NORM_USUAL,
        .no_bias = f->no_bias,
        .no_norm_bias = f->no_norm_bias,
        .no_output_bias = f->no_output_bias,
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
    own.activation = (int)config->activation - AG_RELU;
    own.norm = (int)config->norm;
    own.norm_eps = config->norm_eps;
    own.embedding_scale = config->embedding_scale;
    own.positions = (int)config->positions;
    own.post_norm = config->post_norm;
    own.final_norm = config->final_norm == (config->post_norm ? NN_FINAL_NORM_YES : NN_FINAL_NORM_USUAL);
    own.no_final_norm = !own.final_norm;
    own.no_bias = config->no_bias;
    own.no_norm_bias = config->no_norm_bias;
    own.no_output_bias = config->no_output_bias;
    own.tied = config->tied_output;
    if (base->source_vocab && !f->task) /* a task has its own kinds of tokens, whatever the flags say */
        own.source_tokens = (int)data_vocab_kind(base->source_vocab);
    if (!f->task)
        own.target_tokens = (int)data_vocab_kind(base->target_vocab);
    return own;
}

/* The flags that a resumed run goes on with: those of the run so far, except those that
 * this call may change. */
static train_flags continued(const train_flags *f, const train_flags *earlier)
{
    train_flags own = *earlier, now = *f;
    cli_flag rows[TRAIN_FLAGS_MOST], given[TRAIN_FLAGS_MOST];
    const int count = fill_table(&own, rows);
    fill_table(&now, given);
    for (int i = 0; i < count; i++)
        if (rows[i].local || (rows[i].changeable && (rows[i].type != CLI_TEXT || cli_flag_said(&rows[i]))))
            cli_flag_copy(&rows[i], &given[i]); /* a file for a file: not a file for a task */
    return own;
}

/* Names the flag that says something else than the model, or the run, that is there. */
static int contradicts(const cli_flag *given, const cli_flag *is, const train_flags *f)
{
    const char *where = f->resume ? f->resume : f->from, *what = f->resume ? "run" : "model";
    char said[CLI_VALUE_SIZE] = "", value[CLI_VALUE_SIZE] = "";
    cli_flag_value(given, said, sizeof said);
    if (cli_flag_said(is))
        cli_flag_value(is, value, sizeof value);
    const char *way = f->resume ? ": a resume may change " CHANGEABLE " alone; train --from begins a new run with its "
                                  "model"
                                : "";
    return cli_fail("train", CLI_USAGE, "--%s%s%s contradicts the %s in %s, %s%s%s", given->name, *said ? " " : "",
                    said, what, where, *value ? "where it is " : "which was made without it", value, way);
}

int train_flags_take(const cli_command *command, train_flags *f, const train_saved *base, const train_flags *earlier)
{
    train_flags own = f->resume ? continued(f, earlier) : *f;
    own = described(&own, base);
    if (f->resume)
        own.dropout = base->model->config.dropout;
    cli_flag rows[TRAIN_FLAGS_MOST];
    const int count = fill_table(&own, rows);
    for (int i = 0; i < count; i++)
        if (command->flags[i].given && !cli_flag_same(&command->flags[i], &rows[i]))
            return contradicts(&command->flags[i], &rows[i], f);
    *f = own;
    return CLI_DONE;
}

/* Sets the flags to the values that the run in the folder had, its defaults included. */
static ag_status take_run(train_flags *f, const char *folder, ag_error *error)
{
    train_options run;
    ag_status status = train_checkpoint_options(&run, folder, error);
    if (status != AG_OK)
        return status;
    f->batch = run.batch;
    f->accumulate = run.accumulate;
    f->seed = (int64_t)run.seed;
    f->matmul = (int)run.matmul;
    f->optimizer = (int)run.optimizer.kind;
    f->beta1 = run.optimizer.beta1;
    f->beta2 = run.optimizer.beta2;
    f->weight_decay = run.optimizer.weight_decay;
    f->momentum = run.optimizer.momentum;
    f->nesterov = run.optimizer.nesterov;
    f->schedule = (int)run.schedule;
    f->rate = run.rate;
    f->warmup = run.warmup > 0 ? run.warmup : 0;
    f->floor = run.floor;
    f->clip = run.clip > 0 ? run.clip : 0;
    f->label_smoothing = run.label_smoothing;
    f->average = run.average;
    f->eval_sources = run.evaluate_sources;
    f->best_by = (int)run.best_by;
    return AG_OK;
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
    else if (f->final_norm && f->no_final_norm)
        cli_fail("train", CLI_USAGE, "--final-norm and --no-final-norm exclude each other");
    else if (f->resume && f->preset)
        cli_fail("train", CLI_USAGE, "--preset and --resume exclude each other: a run goes on with its own flags");
    else
        return CLI_READ_OK;
    return CLI_READ_WRONG;
}

/* Flags that say nothing where others stand: their user expects that they do. `own`:
 * those that the user gave, since a preset may hold some that the user's others have
 * replaced. */
static cli_read check_effective(const cli_command *command, const train_flags *f, const bool *own)
{
    const bool sgd = f->optimizer == TRAIN_SGD, text = f->text || f->model == NN_DECODER;
    const cli_need needs[] = {
        {"dev", f->pairs, "goes with --pairs"},
        {"src-tokens", f->pairs || f->source_tokens == DATA_CHARS, "goes with --pairs"},
        {"tgt-tokens", !f->task || f->target_tokens == DATA_CHARS,
         "goes with --pairs or --text: a task has its own tokens"},
        {"no-norm-bias", f->norm == NN_LAYER_NORM, "goes with --norm layer: the other has none"},
        {"held-out", !f->dev, "goes without --dev: either holds the data to choose the best model on"},
        {"context", f->text, "goes with --text"},
        {"task-min", f->task, "goes with --task"},
        {"task-max", f->task, "goes with --task"},
        {"task-count", f->task, "goes with --task"},
        {"floor", f->schedule == TRAIN_COSINE, "goes with --schedule cosine"},
        {"beta1", !sgd, "goes with --optimizer adamw or adam"},
        {"beta2", !sgd, "goes with --optimizer adamw or adam"},
        {"momentum", sgd, "goes with --optimizer sgd (Adam has --beta1)"},
        {"nesterov", sgd && f->momentum > 0, "goes with --optimizer sgd and a --momentum (0.9, say)"},
        {"best-by", !text || f->best_by == TRAIN_BEST_LOSS,
         "can only be loss with --text: a language model has no outputs that are right or wrong"},
    };
    return cli_flags_effective(command, own, needs, sizeof needs / sizeof *needs) ? CLI_READ_OK : CLI_READ_WRONG;
}

/* Flags that exclude each other: the user's own one replaces whichever the preset or the resumed run has. */
static void make_way(const cli_command *command, bool source, bool length)
{
    static const char *const names[] = {"task", "pairs", "text", "steps", "epochs"};
    for (int i = 0; i < 5; i++)
        if (i < 3 ? source : length)
            cli_flag_drop(command, names[i]);
}

/* A preset's rate is that of its own optimiser and schedule (of sgd and noam it is of
 * another size), and its warm-up that of its own schedule and steps: they give way where
 * the user wants others. `recipe`: the preset's flags alone. */
static void give_way(const cli_command *command, train_flags *f, const train_flags *recipe, const bool *own)
{
    const bool schedule = (f->schedule == TRAIN_NOAM) != (recipe->schedule == TRAIN_NOAM);
    const bool rate = schedule || (f->optimizer == TRAIN_SGD) != (recipe->optimizer == TRAIN_SGD);
    for (int i = 0; i < command->flag_count; i++) {
        cli_flag *flag = &command->flags[i];
        if (own[i])
            continue;
        if (flag->target == &f->rate && rate) {
            f->rate = defaults.rate;
            flag->given = false;
        }
        if (flag->target == &f->warmup && (schedule || (f->steps && f->warmup > f->steps))) {
            f->warmup = defaults.warmup;
            flag->given = false;
        }
    }
}

/* There is no checkpoint in the folder to resume. A model alone, as import leaves it, is no
 * run that could go on. */
static cli_read no_checkpoint(const char *folder, const ag_error *error)
{
    train_saved model = {0};
    ag_error none = {0};
    const bool alone = error->status == AG_IO && train_saved_load(&model, folder, &none) == AG_OK;
    train_saved_clear(&model);
    if (alone)
        cli_fail("train", CLI_FAILED, "%s (the folder holds a model and no run: train --from %s begins one with it)",
                 error->message, folder);
    else
        cli_report("train", error);
    return CLI_READ_FAILED;
}

/* The flags of the run to resume, and what they were with its defaults. */
static cli_read read_run(cli_command *command, train_flags *f, train_saved *base, train_flags *earlier)
{
    ag_error error = {0};
    const char *folder = f->resume;
    *f = defaults;
    f->resume = folder;
    if (train_checkpoint_read(base, folder, &error) != AG_OK)
        return no_checkpoint(folder, &error);
    cli_read result = cli_flags_read_text(command, base->arguments);
    *earlier = *f;
    if (result == CLI_READ_OK && take_run(earlier, folder, &error) != AG_OK) {
        cli_report("train", &error);
        return CLI_READ_FAILED;
    }
    return result;
}

/* Flags are read up to three times: to find --preset and --resume, then the resumed run's own and the preset's, then
 * again the user's, which override. */
cli_read train_flags_read(cli_command *command, train_flags *f, int count, const char *const *arguments,
                          train_saved *base, train_flags *earlier)
{
    static char preset[1024]; /* the flags' targets point into it until the program ends */
    bool own[TRAIN_FLAGS_MOST];
    *f = defaults;
    command->flag_count = fill_table(f, command->flags);
    cli_read result = cli_flags_read(command, count, arguments);
    if (result == CLI_READ_OK)
        result = check_own(f);
    if (result != CLI_READ_OK)
        return result;
    for (int i = 0; i < command->flag_count; i++)
        own[i] = command->flags[i].given;
    bool own_source = f->task || f->pairs || f->text, own_length = f->steps || f->epochs;
    if (f->resume)
        result = read_run(command, f, base, earlier);
    if (result == CLI_READ_OK && f->preset) {
        preset_text(f->preset, preset, sizeof preset);
        *f = defaults;
        result = cli_flags_read_text(command, preset);
    }
    const train_flags recipe = *f;
    make_way(command, own_source, own_length);
    if (result == CLI_READ_OK)
        result = cli_flags_read(command, count, arguments);
    if (!f->resume)
        give_way(command, f, &recipe, own);
    return result == CLI_READ_OK ? check_effective(command, f, own) : result;
}
