/* train_flags.c - reads the flags of tapeformer train: those of a preset or a resumed run
 * first, then the user's, which override them. */
#include "train_flags.h"

#include "cli.h"
#include "help.h"

#include <stdio.h>
#include <string.h>

int train_flags_bind(train_recipe *recipe, bool model_alone, cli_flag *flags)
{
    const train_field *field;
    int count = 0;
    for (int i = 0; (field = train_option(i)); i++)
        if (field->name && (!model_alone || field->owner == TRAIN_MODEL || field->describes))
            flags[count++] = (cli_flag){.field = field, .object = train_recipe_owner(recipe, field)};
    return count;
}

cli_flag train_flag_named(train_recipe *recipe, const char *name)
{
    int i = 0;
    while (!train_option(i)->name || strcmp(train_option(i)->name, name))
        i++;
    return (cli_flag){.field = train_option(i), .object = train_recipe_owner(recipe, train_option(i))};
}

int train_flags_final_norm(const cli_command *command)
{
    if (!cli_flag_find(command, "final-norm")->given || !cli_flag_find(command, "no-final-norm")->given)
        return CLI_DONE;
    return cli_fail(command->name, CLI_USAGE, "--final-norm and --no-final-norm exclude each other");
}

/* ---- Models and runs that are there ------------------------------------------------ */

/* The recipe of a run that begins with the model of `base`. --layers means the depth of
 * each stack that the model has and whose own flag was not given. */
static train_recipe recipe_with_model(const train_recipe *recipe, const train_saved *base)
{
    const nn_model_config *config = &base->model->config, *said = &recipe->model;
    const bool encodes = config->kind != NN_DECODER, decodes = config->kind != NN_ENCODER;
    const bool final_norm = config->final_norm == (config->post_norm ? NN_FINAL_NORM_YES : NN_FINAL_NORM_USUAL);
    train_recipe own = *recipe;
    own.model = *config;
    own.model.final_norm = final_norm ? NN_FINAL_NORM_YES : NN_FINAL_NORM_NO;
    own.model.dropout = recipe->resume ? config->dropout : said->dropout;
    if (encodes && !said->encoder_layers)
        own.layers = config->encoder_layers;
    if (decodes && !said->decoder_layers && own.layers == recipe->layers)
        own.layers = config->decoder_layers;
    if (!encodes)
        own.model.encoder_layers = said->encoder_layers;
    if (!decodes)
        own.model.decoder_layers = said->decoder_layers;
    if (recipe->run.task) /* a task has its own kinds of tokens, whatever the flags say */
        return own;
    train_recipe_take_tokens(&own, base->source_vocab, base->target_vocab);
    return own;
}

/* The recipe of a resumed run: that of the run so far, except for the options that this
 * call may change. */
static train_recipe recipe_of_resume(const cli_command *command, train_recipe *recipe, const train_recipe *earlier)
{
    train_recipe own = *earlier;
    if (train_files_count(&recipe->files) > 0 && train_files_count(&own.files) > 0) {
        own.files = recipe->files; /* the same data may be in another format now */
        own.data.format = recipe->data.format;
        own.dev_target = recipe->dev_target;
    }
    for (int i = 0; i < command->flag_count; i++) {
        const train_field *field = command->flags[i].field;
        void *object = train_recipe_owner(&own, field);
        const bool another_file = field->type != TRAIN_TEXT || train_field_text(field, object);
        if (field->local || (field->changeable && another_file)) /* a file may replace a file, but not a task */
            train_field_copy(field, object, train_recipe_owner(recipe, field));
    }
    return own;
}

/* Refuses a flag that contradicts the existing model or run. */
static int refuse_contradiction(const cli_flag *given, const cli_flag *is, const train_recipe *recipe)
{
    const char *where = recipe->resume ? recipe->resume : recipe->from, *what = recipe->resume ? "run" : "model";
    char said[CLI_VALUE_SIZE] = "", value[CLI_VALUE_SIZE] = "";
    cli_flag_value(given, said, sizeof said);
    if (cli_flag_has_value(is))
        cli_flag_value(is, value, sizeof value);
    const char *way = recipe->resume ? ": a resume may change " TRAIN_CHANGEABLE " alone; train --from begins a new "
                                       "run with its model"
                                     : "";
    if (!*value)
        return cli_fail("train", CLI_USAGE, "--%s is not set in the %s in %s, and cannot be changed%s",
                        given->field->name, what, where, way);
    return cli_fail("train", CLI_USAGE, "--%s%s%s contradicts the %s in %s, where it is %s%s", given->field->name,
                    *said ? " " : "", said, what, where, value, way);
}

int train_flags_take(const cli_command *command, train_recipe *recipe, const train_saved *base, train_recipe *earlier)
{
    train_recipe own = recipe->resume ? recipe_of_resume(command, recipe, earlier) : *recipe;
    own = recipe_with_model(&own, base);
    for (int i = 0; i < command->flag_count; i++) {
        const cli_flag *given = &command->flags[i];
        const cli_flag is = {.field = given->field, .object = train_recipe_owner(&own, given->field)};
        if (given->given && !train_field_same(is.field, given->object, is.object))
            return refuse_contradiction(given, &is, recipe);
    }
    *recipe = own;
    return CLI_DONE;
}

/* Copies the options of the run in the folder to the recipe, including the defaults that
 * it took. */
static ag_status take_run(train_recipe *recipe, const char *folder, ag_error *error)
{
    train_options run;
    const train_field *field;
    ag_status status = train_checkpoint_options(&run, folder, error);
    if (status != AG_OK)
        return status;
    for (int i = 0; (field = train_run_field(i)); i++)
        if (!field->changeable) {
            if (field->none && train_field_number(field, &run) == 0)
                train_field_set_number(field, &run, -1);
            train_field_copy(field, &recipe->run, &run);
        }
    return AG_OK;
}

/* ---- Reading the flags ------------------------------------------------------------- */

void train_presets_print(void)
{
    enum { PRESET_COLUMN = 15 };
    const train_preset *preset;
    for (int i = 0; (preset = train_preset_at(i)); i++) {
        char line[1024];
        size_t used = 0;
        for (int a = 0; preset->arguments[a] && used < sizeof line; a++)
            used += (size_t)snprintf(line + used, sizeof line - used, a ? " %s" : "%s", preset->arguments[a]);
        for (char *equals = line; (equals = strchr(equals, '='));)
            *equals = ' ';
        cli_print_row(stdout, PRESET_COLUMN, preset->name, preset->help);
        cli_print_row(stdout, PRESET_COLUMN, "", line);
    }
}

static int read_preset(cli_command *command, const char *name)
{
    int i = 0, count = 0;
    while (strcmp(name, train_preset_at(i)->name)) /* the flag was accepted, so there is one */
        i++;
    while (train_preset_at(i)->arguments[count])
        count++;
    return cli_flags_read(command, count, train_preset_at(i)->arguments);
}

/* Refuses flags that contradict each other. */
static int check_exclusions(const cli_command *command, const train_recipe *recipe)
{
    const bool out = cli_flag_find(command, "out")->given;
    if (recipe->run.steps && recipe->run.epochs)
        return cli_fail("train", CLI_USAGE, "--steps and --epochs exclude each other");
    if (recipe->resume && out)
        return cli_fail("train", CLI_USAGE, "--out and --resume exclude each other: a run goes on in its own folder");
    if (recipe->resume && recipe->run.overwrite)
        return cli_fail("train", CLI_USAGE,
                        "--overwrite and --resume exclude each other: a run goes on, or begins again");
    if (recipe->resume && recipe->from)
        return cli_fail("train", CLI_USAGE,
                        "--from and --resume exclude each other: --from begins a run, --resume goes on with one");
    if (recipe->resume && recipe->preset)
        return cli_fail("train", CLI_USAGE,
                        "--preset and --resume exclude each other: a run goes on with its own flags");
    return train_flags_final_norm(command);
}

/* Refuses flags that have no effect beside the others, since their user expects one.
 * `own` [flag_count] are the flags that the user gave: those of a preset may have lost
 * their effect to the user's. */
static int check_effective(const cli_command *command, const train_recipe *recipe, const bool *own)
{
    for (int i = 0; i < command->flag_count; i++) {
        const train_field *field = command->flags[i].field;
        if (own[i] && field->needs && !field->needs(recipe))
            return cli_fail("train", CLI_USAGE, "--%s %s", field->name, field->goes);
    }
    return CLI_DONE;
}

/* Drops the source and the length of the preset or the resumed run where the user gave
 * others, since these flags exclude each other. */
static void drop_replaced_source(const cli_command *command, bool source, bool length)
{
    static const char *const names[] = {"task",   "pairs", "source", "target", "conllu",
                                        "blocks", "text",  "steps",  "epochs"};
    enum { NAMES = sizeof names / sizeof *names, LENGTHS = 2 };
    for (int i = 0; i < NAMES; i++)
        if (i < NAMES - LENGTHS ? source : length)
            cli_flag_drop(cli_flag_find(command, names[i]));
}

/* Drops a preset's learning rate where the user chose another optimiser or schedule (the
 * rates of sgd and noam have another size), and its warm-up where the user chose another
 * schedule or fewer steps. `preset` has its flags alone; `own` [flag_count]: which flags
 * the user gave. */
static void drop_unfit_preset_rates(const cli_command *command, const train_recipe *recipe, const train_recipe *preset,
                                    const bool *own)
{
    const train_options *run = &recipe->run;
    const bool schedule = (run->schedule == TRAIN_NOAM) != (preset->run.schedule == TRAIN_NOAM);
    const bool optimizer = (run->optimizer.kind == TRAIN_SGD) != (preset->run.optimizer.kind == TRAIN_SGD);
    const bool longer = run->steps && run->warmup > run->steps;
    cli_flag *rate = cli_flag_find(command, "lr"), *warmup = cli_flag_find(command, "warmup");
    if ((schedule || optimizer) && !own[rate - command->flags])
        cli_flag_drop(rate);
    if ((schedule || longer) && !own[warmup - command->flags])
        cli_flag_drop(warmup);
}

/* Drops the flags of a preset that have no effect beside those of the user: a preset is
 * no expectation. `own` [flag_count]: which flags the user gave. */
static void drop_idle_preset_flags(const cli_command *command, const train_recipe *recipe, const bool *own)
{
    static const char *const stacks[] = {"encoder-layers", "decoder-layers"}; /* come before --layers */
    for (int i = 0; i < 2; i++) {
        cli_flag *stack = cli_flag_find(command, stacks[i]);
        if (own[cli_flag_find(command, "layers") - command->flags] && !own[stack - command->flags])
            cli_flag_drop(stack);
    }
    for (int i = 0; i < command->flag_count; i++) {
        const train_field *field = command->flags[i].field;
        if (command->flags[i].given && !own[i] && field->needs && !field->needs(recipe))
            cli_flag_drop(&command->flags[i]);
    }
}

/* Reports that the folder has no checkpoint to resume. It may hold a model alone, as
 * import writes it. */
static int no_checkpoint(const char *folder, const ag_error *error)
{
    train_saved model = {0};
    ag_error none = {0};
    const bool alone = error->status == AG_IO && train_saved_load(&model, folder, &none) == AG_OK;
    train_saved_clear(&model);
    if (!alone)
        return cli_report("train", error);
    return cli_fail("train", CLI_FAILED, "%s (the folder holds a model and no run: train --from %s begins one with it)",
                    error->message, folder);
}

/* Reads the flags of the run to resume, and its whole recipe to `earlier`. */
static int read_run(cli_command *command, train_recipe *recipe, train_saved *base, train_recipe *earlier)
{
    ag_error error = {0};
    const char *folder = recipe->resume;
    *recipe = train_recipe_new();
    recipe->resume = folder;
    if (train_checkpoint_read(base, folder, &error) != AG_OK)
        return no_checkpoint(folder, &error);
    int code = cli_flags_read_text(command, base->arguments);
    *earlier = *recipe;
    if (code == CLI_DONE && take_run(earlier, folder, &error) != AG_OK)
        code = cli_report("train", &error);
    return code;
}

/* A file of tagged words trains an encoder, whose tokens are words, unless flags say
 * otherwise. */
static void take_tagging(const cli_command *command, train_recipe *recipe)
{
    if (!train_files_tagged(&recipe->files))
        return;
    if (!cli_flag_find(command, "src-tokens")->given)
        recipe->data.source_kind = DATA_WORDS;
    if (!cli_flag_find(command, "tgt-tokens")->given)
        recipe->data.target_kind = DATA_WORDS;
    if (!cli_flag_find(command, "model")->given)
        recipe->model.kind = NN_ENCODER;
}

/* Reads the user's flags twice: first to find --preset and --resume, then, after the
 * flags of the preset or the resumed run, to override those. */
int train_flags_read(cli_command *command, train_recipe *recipe, int count, const char *const *arguments,
                     train_saved *base, train_recipe *earlier)
{
    bool own[TRAIN_FLAGS_MOST];
    *recipe = train_recipe_new();
    command->flag_count = train_flags_bind(recipe, false, command->flags);
    int code = cli_flags_read(command, count, arguments);
    if (code == CLI_DONE)
        code = check_exclusions(command, recipe);
    if (code != CLI_DONE)
        return code;
    for (int i = 0; i < command->flag_count; i++)
        own[i] = command->flags[i].given;
    const bool own_source = recipe->run.task || train_files_count(&recipe->files) > 0 || recipe->text;
    const bool own_length = recipe->run.steps || recipe->run.epochs;
    if (recipe->resume)
        code = read_run(command, recipe, base, earlier);
    if (code == CLI_DONE && recipe->preset) {
        const char *name = recipe->preset;
        *recipe = train_recipe_new();
        code = read_preset(command, name);
    }
    const train_recipe preset = *recipe;
    drop_replaced_source(command, own_source, own_length);
    if (code == CLI_DONE)
        code = cli_flags_read(command, count, arguments);
    if (code == CLI_DONE)
        take_tagging(command, recipe);
    if (code == CLI_DONE && !cli_flag_find(command, "positions")->given)
        recipe->model.positions = train_recipe_positions(recipe);
    if (!recipe->resume) {
        drop_unfit_preset_rates(command, recipe, &preset, own);
        drop_idle_preset_flags(command, recipe, own);
    }
    return code == CLI_DONE ? check_effective(command, recipe, own) : code;
}
