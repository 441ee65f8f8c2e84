/* import.c - tapeformer import: a saved model from the weights of another program. */
#include "cli.h"
#include "outputs.h"
#include "train_flags.h"

#include <stdio.h>
#include <string.h>

typedef struct import_flags {
    const char *file, *out, *config, *source_vocab, *target_vocab, *strip;
    const char *encoder, *merges; /* the files of --bpe */
    const char *about_sources; /* the first given flag that concerns sources; NULL: none */
    train_layout layout;
    bool overwrite;
    train_recipe recipe; /* of which the options of a model and of its tokens are used */
} import_flags;

enum { OWN_FLAGS = 11 };

/* Some flags of train have other defaults here. */
static void adapt_defaults(cli_flag *flags, int count)
{
    static const char *const otherwise[][2] = {
        {"model", "encoder-decoder"},
        {"d-model", "from the tensors"},
        {"heads", ""},
        {"layers", "from the tensors"},
        {"ffn", "from the tensors"},
        {"max-length", "512; learned positions: from the tensors"},
        {"positions", "the first of them"},
        {"dropout", "0"},
    };
    for (int i = 0; i < count; i++)
        for (size_t h = 0; h < sizeof otherwise / sizeof *otherwise; h++)
            if (!strcmp(flags[i].field->name, otherwise[h][0])) {
                cli_flag_drop(&flags[i]);
                flags[i].otherwise = otherwise[h][1];
            }
}

/* The first given flag of the model; with `fixed`, the first that GPT-2's layout does not
 * leave open. NULL: none. */
static const char *given_flag(const cli_flag *flags, int count, bool fixed)
{
    for (int i = 0; i < count; i++) {
        const char *name = flags[i].field->name;
        bool open = !strcmp(name, "heads") || !strcmp(name, "dropout");
        if (flags[i].given && !(fixed && open))
            return name;
    }
    return NULL;
}

/* The first given flag that concerns sources; NULL: none. */
static const char *given_source_flag(const cli_flag *table)
{
    for (int i = 0; i < OWN_FLAGS; i++)
        if (table[i].given && !strncmp(table[i].field->name, "src-", strlen("src-")))
            return table[i].field->name;
    return NULL;
}

static int check_flags(const cli_command *command, const import_flags *f)
{
    ag_error error = {0};
    const cli_flag *flags = command->flags + OWN_FLAGS;
    const int count = command->flag_count - OWN_FLAGS;
    const char *given = given_flag(flags, count, false), *fixed = given_flag(flags, count, true);
    const bool characters = (f->source_vocab && f->recipe.data.source_kind == DATA_CHARS) ||
                            (f->target_vocab && f->recipe.data.target_kind == DATA_CHARS);
    const cli_need needs[] = {
        {"bpe", f->layout == TRAIN_LAYOUT_GPT2, "goes with --layout gpt2"},
        {"bpe", !f->target_vocab && !f->config, "goes without --tgt-vocab and --config, which give other tokens"},
        {"src-tokens", f->source_vocab, "goes with --src-vocab, whose tokens it describes"},
        {"tgt-tokens", f->target_vocab, "goes with --tgt-vocab, whose tokens it describes"},
        {"decompose", characters, "goes with a --src-vocab or --tgt-vocab of chars, which it describes"}};
    if (!f->file)
        return cli_fail("import", CLI_USAGE,
                        "which weights? Give a .safetensors file, or the index.json of a sharded model");
    if (!f->out)
        return cli_fail("import", CLI_USAGE, "where to? Give --out DIR");
    if (!cli_flags_effective(command, needs, sizeof needs / sizeof *needs))
        return CLI_USAGE;
    if (cli_check_outputs(command) != CLI_DONE)
        return CLI_USAGE;
    if (train_folder_check(f->out, f->overwrite, &error) != AG_OK)
        return cli_report("import", &error);
    if (f->config && given)
        return cli_fail("import", CLI_USAGE, "--config and --%s exclude each other: the configuration is that of %s",
                        given, f->config);
    if (train_flags_final_norm(command) != CLI_DONE)
        return CLI_USAGE;
    if (f->layout == TRAIN_LAYOUT_GPT2 && fixed)
        return cli_fail("import", CLI_USAGE, "--%s: the layout gpt2 leaves only --heads and --dropout open", fixed);
    return CLI_DONE;
}

/* Reads the vocabularies given as files; false with the error. */
static bool read_vocabs(const import_flags *f, data_vocab *vocabs[2], ag_error *error)
{
    const char *const paths[] = {f->source_vocab, f->target_vocab};
    const data_token_kind kinds[] = {train_recipe_kind(&f->recipe, f->recipe.data.source_kind),
                                     train_recipe_kind(&f->recipe, f->recipe.data.target_kind)};
    for (int side = 0; side < 2; side++)
        if (paths[side] && !(vocabs[side] = data_vocab_read_file(kinds[side], paths[side], error)))
            return false;
    return !f->encoder || (vocabs[1] = data_vocab_read_encoder(f->encoder, f->merges, error));
}

/* Says of a model whose tokens have no text how it gets one. */
static void note_numbers(const import_flags *f)
{
    if (f->layout == TRAIN_LAYOUT_GPT2 && !f->encoder && !f->target_vocab && !f->config)
        cli_fail("import", CLI_DONE,
                 "note: the model's tokens are their numbers, 0, 1, ..; --bpe encoder.json vocab.bpe gives it the text "
                 "that GPT-2 reads and writes");
}

static int save_model(const import_flags *f, const train_saved *saved)
{
    const nn_model_config *config = &saved->model->config;
    ag_error error = {0};
    if (f->about_sources && config->kind == NN_DECODER)
        return cli_fail("import", CLI_USAGE, "--%s: a language model has no sources", f->about_sources);
    if (train_saved_save(saved, f->out, f->overwrite, &error) != AG_OK)
        return cli_report("import", &error);
    fprintf(stderr, "model: %s, width %d, %d %s, %lld %s\nsaved: %s/" TRAIN_MODEL_FILE "\n",
            train_model_kind_name((int)config->kind), config->d_model, config->heads,
            ag_plural(config->heads, "head", "heads"), (long long)saved->model->params.size,
            ag_plural(saved->model->params.size, "parameter", "parameters"), CLI_SHOWN(f->out));
    return CLI_DONE;
}

static void note_prefix(void *context, const char *prefix)
{
    (void)context;
    cli_fail("import", CLI_DONE, "note: the tensors' names were taken without the prefix %s", prefix);
}

static int import_model(const import_flags *f, const nn_model_config *config, const train_saved *like,
                        data_vocab *const vocabs[2])
{
    ag_error error = {0};
    train_saved saved = {0};
    const train_import_options options = {
        .layout = f->layout,
        .config = like->model ? &like->model->config : config,
        .source_vocab = vocabs[0] ? vocabs[0] : like->source_vocab,
        .target_vocab = vocabs[1] ? vocabs[1] : like->target_vocab,
        .task = like->task,
        .arguments = like->arguments,
        .strip = f->strip,
        .on_strip = note_prefix,
    };
    if (train_import(&saved, f->file, &options, &error) != AG_OK)
        return cli_report("import", &error);
    int code = save_model(f, &saved);
    if (code == CLI_DONE)
        note_numbers(f);
    train_saved_clear(&saved);
    return code;
}

int cli_import(int count, const char *const *arguments)
{
    import_flags f = {.recipe = train_recipe_new()};
    cli_flag table[OWN_FLAGS + TRAIN_FLAGS_MOST] = {
        CLI_FLAG(f.out, "out", "DIR", "folder to write the model to", .written = TRAIN_WRITES_RUN),
        CLI_FLAG(f.overwrite, "overwrite", NULL, "replace the model or the run in that folder"),
        CLI_FLAG(f.layout, "layout", "NAME", "names and shapes of the tensors", .names = train_layout_name),
        CLI_FLAG(f.strip, "strip", "PREFIX", "remove this prefix from the tensors' names",
                 .otherwise = "a prefix without which all tensors are found"),
        CLI_FLAG(f.config, "config", "MODEL", "take configuration and vocabularies from this saved model"),
        CLI_BPE(f.encoder, f.merges),
        CLI_FLAG(f.source_vocab, "src-vocab", "FILE", "read the sources' tokens from this file, one per line"),
        CLI_FLAG(f.target_vocab, "tgt-vocab", "FILE", "read the targets' tokens, or the text's, from this file"),
        train_flag_named(&f.recipe, "src-tokens"),
        train_flag_named(&f.recipe, "tgt-tokens"),
        train_flag_named(&f.recipe, "decompose"),
    };
    cli_flag *rows = table + OWN_FLAGS;
    const int row_count = train_flags_bind(&f.recipe, true, rows);
    cli_command command = {
        .name = "import",
        .summary = "make a model of another program's weights",
        .usage = "FILE --out DIR [--config MODEL | --heads N [flags of the model]] [flags]",
        .flags = table,
        .flag_count = OWN_FLAGS + row_count,
        .max_words = 1,
        .words = &f.file,
        .details =
            "FILE is a .safetensors file, the index of a sharded model (model.safetensors.index.json), or a folder "
            "with one of these. The weights may be F64, F32, F16 or BF16. Without --config and without flags of the "
            "model, the metadata of the file must describe the model. --layout gpt2 needs only --heads, and with --bpe "
            "the model reads and writes text; its only mark is <|endoftext|>. The first four tokens of other "
            "vocabularies are <pad> <bos> <eos> <unk>. Without a vocabulary, tokens are words: their numbers, with "
            "--layout gpt2 from 0 on, else from 4 on. `tapeformer train --from DIR` continues training on other data.",
    };
    adapt_defaults(rows, row_count);
    int code = cli_flags_read(&command, count, arguments);
    if (code == CLI_DONE)
        code = check_flags(&command, &f);
    if (code != CLI_DONE)
        return code;

    f.about_sources = given_source_flag(table);
    const nn_model_config config = train_recipe_config(&f.recipe);
    data_vocab *vocabs[2] = {NULL, NULL};
    train_saved like = {0};
    ag_error error = {0};
    if (!read_vocabs(&f, vocabs, &error) || (f.config && train_saved_load(&like, f.config, &error) != AG_OK))
        code = cli_report("import", &error);
    else
        code = import_model(&f, given_flag(rows, row_count, false) ? &config : NULL, &like, vocabs);
    train_saved_clear(&like);
    data_vocab_free(vocabs[0]);
    data_vocab_free(vocabs[1]);
    return code;
}
