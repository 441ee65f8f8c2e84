/* train.c - tapeformer train: makes data sets and a model from the flags, and runs the
 * training. */
#include "cli.h"
#include "examples.h"
#include "notes.h"
#include "outputs.h"
#include "progress.h"
#include "screen.h"
#include "team.h"
#include "tokens.h"
#include "train_flags.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Everything that is freed at the end of a run. */
typedef struct train_setup {
    train_saved base; /* the model that the run begins or goes on with; all NULL for a new model */
    data_set *training, *dev;
    data_report report; /* of the training set; zeroed if neither the screen nor --from needs it */
    nn_model *model;
    char *arguments;
} train_setup;

/* ---- Data -------------------------------------------------------------------------- */

/* Refuses standard input where it cannot be read. */
static int check_inputs(const train_recipe *f)
{
    const char *const inputs[] = {f->files.pairs,  f->files.source, f->data.format.targets,
                                  f->files.conllu, f->files.blocks, f->text,
                                  f->dev,          f->dev_target};
    return cli_check_input("train", inputs, sizeof inputs / sizeof *inputs);
}

/* Refuses flags that do not name exactly one source of examples that suits the model. */
static int check_source(train_recipe *f)
{
    int sources = (f->run.task != NULL) + train_files_count(&f->files) + (f->text != NULL);
    if (sources == 0)
        return cli_fail("train", CLI_USAGE,
                        "nothing to train on: give --task NAME, --text FILE or a file of pairs: --pairs FILE, --source "
                        "FILE --target FILE, --conllu FILE or --blocks FILE");
    if (sources > 1)
        return cli_fail("train", CLI_USAGE,
                        "--task, --pairs, --source, --conllu, --blocks and --text exclude each other");
    if (f->text && f->model.kind == NN_ENCODER)
        return cli_fail("train", CLI_USAGE, "--model encoder labels pairs: with --text the model is a decoder");
    if (f->files.source && f->dev && !f->dev_target)
        return cli_fail("train", CLI_USAGE, "--dev has the sources of dev: --dev-target FILE has their targets");
    if (f->text)
        f->model.kind = NN_DECODER;
    else if (f->model.kind == NN_DECODER)
        return cli_fail("train", CLI_USAGE, "--model decoder is a language model: it trains on --text FILE");
    return check_inputs(f);
}

static int check_matmul(const train_recipe *f)
{
    if (ag_matmul_available(f->run.matmul))
        return CLI_DONE;
    return cli_fail("train", CLI_USAGE,
                    "--matmul bf16 needs a processor with AVX512_BF16, and a program built for float by a compiler "
                    "that knows it; --matmul float runs everywhere");
}

/* Notes that a resumed run changes the instruction-set level: a run gives the same bits
 * only at one level. */
static void note_level(const train_recipe *f, const train_saved *base)
{
    if (f->resume && *base->level && strcmp(base->level, ag_level_name()) != 0 && !f->quiet)
        cli_fail("train", CLI_DONE,
                 "note: the run was computed at level %s so far and continues at level %s, so its last digits will "
                 "differ from those of an uninterrupted run (TAPEFORMER_LEVEL=%s continues at the old level)",
                 base->level, ag_level_name(), base->level);
}

/* Refuses flags that contradict the model that the run begins or goes on with, and
 * examples of a kind that the model does not read. */
static int check_base(const cli_command *command, train_recipe *f, const train_saved *base, train_recipe *earlier)
{
    if (!base->model)
        return CLI_DONE;
    if ((base->source_vocab == NULL) != (f->text != NULL))
        return cli_fail("train", CLI_USAGE,
                        base->source_vocab ? "the model in %s reads pairs: give --pairs FILE or --task NAME"
                                           : "the model in %s is a language model: give --text FILE",
                        f->resume ? f->resume : f->from);
    return train_flags_take(command, f, base, earlier);
}

static int open_task(const train_recipe *f, train_setup *setup, ag_error *error)
{
    const data_task *task = data_task_find(f->run.task);
    if (f->model.kind == NN_ENCODER && !task->same_length)
        return cli_fail("train", CLI_USAGE,
                        "--model encoder labels each token, and in the task %s source and target differ in length",
                        task->name);
    data_set_options training = train_recipe_data(f, &setup->base, DATA_TRAIN),
                     dev = train_recipe_data(f, &setup->base, DATA_DEV);
    dev.count = 1000;
    setup->training = data_set_task(task, &training, error);
    setup->dev = setup->training ? data_set_task(task, &dev, error) : NULL;
    return setup->dev ? CLI_DONE : cli_report("train", error);
}

/* Reports data that cannot be read. The data of a resumed run may have moved, or have
 * come from a pipe. */
static int report_data(const train_recipe *f, const char *flag, const ag_error *error)
{
    if (f->resume && error->status == AG_IO)
        return cli_fail("train", CLI_FAILED, "%s (the run read it: --%s FILE says where the same data are now)",
                        error->message, flag);
    return cli_report("train", error);
}

/* Opens a file of pairs, or a text. Without --dev, part of the file itself is held
 * out. */
static int open_file(const train_recipe *f, train_setup *setup, ag_error *error)
{
    const char *flag = "text";
    data_set_options options = train_recipe_data(f, &setup->base, f->dev ? DATA_ALL : DATA_TRAIN);
    options.leave_out = true;
    const char *pairs = train_files_path(&f->files, &options.format, &flag);
    setup->training = pairs ? data_set_pairs(pairs, &options, error) : data_set_text(f->text, &options, error);
    if (!setup->training)
        return report_data(f, flag, error);
    options.source_vocab = data_set_source_vocab(setup->training);
    options.target_vocab = data_set_target_vocab(setup->training);
    options.format.targets = f->dev_target;
    setup->dev = f->dev ? data_set_pairs(f->dev, &options, error) : data_set_held_out(setup->training, error);
    return setup->dev ? CLI_DONE : report_data(f, f->dev ? "dev" : flag, error);
}

/* Notes the tokens that the vocabularies of the model of --from do not have and that are
 * read as <unk>. Refuses data of which one side has no other tokens, since the model
 * could not learn anything from it. */
static int check_known(const train_recipe *f, const train_setup *setup)
{
    const data_vocab *const vocabs[] = {setup->base.source_vocab, setup->base.target_vocab};
    const char *const names[] = {f->text ? "" : "source ", f->text ? "" : "target "};
    const data_side_report *const sides[] = {&setup->report.source, &setup->report.target};
    for (int side = 0; side < 2; side++)
        if (sides[side]->unknown && sides[side]->unknown == sides[side]->tokens)
            return cli_fail("train", CLI_FAILED,
                            "none of the %lld %stokens is in the vocabulary of the model in %s, whose first is '%s'",
                            (long long)sides[side]->tokens, names[side], f->from,
                            data_vocab_token(vocabs[side], cli_first_token(vocabs[side])));
    for (int side = 0; side < 2; side++) {
        const int64_t unknown = sides[side]->unknown, tokens = sides[side]->tokens;
        if (unknown && data_vocab_marks(vocabs[side])[DATA_UNK] == DATA_NONE)
            return cli_fail("train", CLI_FAILED,
                            "%lld of %lld %s%s %s not in the model's vocabulary, which has no mark for unknown tokens",
                            (long long)unknown, (long long)tokens, names[side], ag_plural(tokens, "token", "tokens"),
                            ag_plural(unknown, "is", "are"));
        if (unknown)
            cli_fail("train", CLI_DONE, "note: %lld of %lld %s%s %s not in the model's vocabulary and %s read as <unk>",
                     (long long)unknown, (long long)tokens, names[side], ag_plural(tokens, "token", "tokens"),
                     ag_plural(unknown, "is", "are"), ag_plural(unknown, "is", "are"));
    }
    return CLI_DONE;
}

/* Notes the pairs of the set's file that are left out. */
static void note_left_out(const train_recipe *f, const data_set *set)
{
    const data_left_out left = data_set_left_out(set);
    char empty[64] = "", longer[64] = "";
    if (!left.line || cli_the_team.rank > 0)
        return;
    if (left.empty)
        snprintf(empty, sizeof empty, "%lld with an empty side", (long long)left.empty);
    if (left.longer && f->model.max_length)
        snprintf(longer, sizeof longer, "%lld longer than --max-length %d", (long long)left.longer,
                 f->model.max_length);
    else if (left.longer)
        snprintf(longer, sizeof longer, "%lld too long", (long long)left.longer);
    cli_fail("train", CLI_DONE, "note: %s:%lld: pairs are left out from here on: %s%s%s", data_set_name(set),
             (long long)left.line, empty, left.empty && left.longer ? ", " : "", longer);
}

static int open_data(const train_recipe *f, train_setup *setup, ag_error *error)
{
    int code = f->run.task ? open_task(f, setup, error) : open_file(f, setup, error);
    const bool begins = f->from && !f->resume;
    if (code == CLI_DONE)
        note_left_out(f, setup->training);
    if (code == CLI_DONE && f->dev)
        note_left_out(f, setup->dev);
    if (code == CLI_DONE && (begins || !f->quiet) &&
        data_set_report(setup->training, setup->dev, &setup->report, error) != AG_OK)
        code = cli_report("train", error);
    return code == CLI_DONE && begins ? check_known(f, setup) : code;
}

/* ---- The model --------------------------------------------------------------------- */

/* The model with the parameters of `base`, which is freed: they move, since a copy would
 * take their memory twice. */
static nn_model *take_base(const nn_model_config *config, nn_model *base, ag_error *error)
{
    nn_model *model = nn_model_outline(config, error);
    if (model) {
        model->params.value = base->params.value;
        model->params.grad = base->params.grad;
        base->params.value = base->params.grad = NULL;
    }
    nn_model_free(base);
    return model;
}

/* Makes the model: with the parameters of the model to begin with, if there is one, whose
 * dropout may change. */
static int make_model(const cli_command *command, const train_recipe *f, train_setup *setup, ag_error *error)
{
    const bool dropout_given = cli_flag_find(command, "dropout")->given;
    nn_model *base = setup->base.model;
    nn_model_config config = base ? base->config : train_recipe_model(f, setup->training, setup->dev);
    if (dropout_given)
        config.dropout = f->model.dropout;
    else if (!base)
        config.dropout = f->run.task ? 0 : TRAIN_DEFAULT_DROPOUT;
    setup->model = base ? take_base(&config, base, error) : nn_model_new(&config, f->run.seed, error);
    setup->base.model = NULL;
    if (!setup->model)
        return cli_report("train", error);
    if (f->zero_residual && !base)
        nn_model_zero_residuals(setup->model);
    return CLI_DONE;
}

/* ---- The run ----------------------------------------------------------------------- */

/* Of several processes each computes one part of each batch, as if --accumulate had been
 * given with their number. Refuses another number of parts. */
static int join_team(const cli_command *command, train_recipe *f, const train_recipe *earlier)
{
    const int size = cli_the_team.size;
    cli_flag *accumulate = cli_flag_find(command, "accumulate");
    const long long parts = f->resume ? earlier->run.accumulate : accumulate->given ? f->run.accumulate : size;
    if (size == 1)
        return CLI_DONE;
    if (parts != size && f->resume)
        return cli_fail("train", CLI_USAGE,
                        "each batch of the run in %s has %lld %s, and here are %d processes, one for each part: "
                        "mpirun -np %lld goes on with it, and so does one process alone; train --from %s begins a new "
                        "run with its model",
                        f->resume, parts, ag_plural(parts, "part", "parts"), size, parts, f->resume);
    if (parts != size)
        return cli_fail("train", CLI_USAGE,
                        "--accumulate %lld: %d processes make each batch of %d parts, one for each: leave the flag out",
                        parts, size, size);
    f->run.accumulate = size;
    accumulate->given = true;
    f->quiet = f->quiet || cli_the_team.rank > 0;
    return CLI_DONE;
}

/* Notes signs that the file is something else than what it is read as; of a run that goes
 * on it is too late. */
static int note_signs(const cli_command *command, const train_recipe *f, const train_setup *setup, ag_error *error)
{
    data_sign signs[DATA_SIGNS];
    if (f->resume || cli_the_team.rank > 0)
        return CLI_DONE;
    if (data_set_signs(setup->training, setup->dev, signs, error) != AG_OK)
        return cli_report("train", error);
    cli_notes_print(command, signs);
    return CLI_DONE;
}

/* Shows what was read, and the run that is to come: on stdout if that is all that the
 * command is to do. */
static int show_data(const train_recipe *f, const train_setup *setup, ag_error *error)
{
    const cli_screen screen = {.recipe = f,
                               .training = setup->training,
                               .dev = setup->dev,
                               .report = &setup->report,
                               .model = setup->model};
    return cli_screen_print(f->dry_run ? stdout : stderr, &screen, error) == AG_OK ? CLI_DONE
                                                                                  : cli_report("train", error);
}

static ag_status exchange(void *context, ag_real *gradients, int64_t count, double *sums, int64_t sum_count)
{
    (void)context;
    return cli_the_team.exchange(gradients, count, sums, sum_count);
}

static train_options run_options(const train_recipe *f, const train_setup *setup)
{
    train_options options = f->run;
    options.out = f->resume ? f->resume : f->run.out;
    options.resume = f->resume != NULL;
    options.source_vocab = data_set_source_vocab(setup->training);
    options.target_vocab = data_set_target_vocab(setup->training);
    options.arguments = setup->arguments;
    options.stop = &cli_interrupted;
    if (!options.threads)
        options.threads = cli_the_team.threads;
    if (cli_the_team.size > 1) {
        options.part = cli_the_team.rank + 1;
        options.exchange = exchange;
    }
    return options;
}

/* Reports a failed run and the flags that may help. Before the first update the learning
 * rate cannot be the cause. */
static int report_failure(const train_recipe *f, const train_result *result, const ag_error *error)
{
    if (*cli_the_team.failure)
        return cli_fail("train", CLI_FAILED, "%s", cli_the_team.failure);
    if (error->status == AG_NOT_FINITE && result->steps > 0)
        return cli_fail("train", CLI_FAILED, "%s (--lr, --clip)", error->message);
    if (error->status == AG_BAD_VALUE && f->resume)
        return cli_fail("train", CLI_FAILED, "%s (train --from %s)", error->message, f->resume);
    return cli_report("train", error);
}

/* Prints the best evaluation, unless it is no better than guessing. */
static void print_best(const train_result *result)
{
    const train_metrics *best = &result->best;
    if (train_metrics_guess(best)) {
        fprintf(stderr,
                "no evaluation was better than guessing, whose loss is %.4f: step %lld had %.4f (a lower --lr "
                "may help, and --clip)",
                best->chance, (long long)result->best_step, best->loss);
        return;
    }
    fprintf(stderr, "best on dev at step %lld: loss %.4f", (long long)result->best_step, best->loss);
    if (best->decoded)
        fprintf(stderr, ", exact match %.2f %%, token error %.2f %%", 100 * best->exact_match, 100 * best->per);
}

static void print_result(const train_recipe *f, const train_options *options, const train_result *result)
{
    if (f->quiet)
        return;
    fprintf(stderr, "%s after %lld %s; ", result->stopped_early ? "stopped early" : "done", (long long)result->steps,
            ag_plural(result->steps, "step", "steps"));
    print_best(result);
    fprintf(stderr, "\nsaved: %s/" TRAIN_MODEL_FILE "; the model of the last step: " TRAIN_LAST_FILE "\n",
            CLI_SHOWN(options->out));
}

static int run_training(const train_recipe *f, train_setup *setup, ag_error *error)
{
    cli_progress display = cli_progress_make(f->quiet);
    train_options options = run_options(f, setup);
    train_result result = {0};
    options.on_progress = cli_progress_show;
    options.context = &display;

    ag_status status = train_run(setup->model, setup->training, setup->dev, &options, &result, error);
    cli_progress_end(&display);
    if (status == AG_INTERRUPTED) {
        if (cli_the_team.rank == 0)
            fprintf(stderr, "stopped after step %lld and saved; go on with: tapeformer train --resume %s\n",
                    (long long)result.steps, CLI_SHOWN(options.out));
        return f->run.stop_at && result.steps >= f->run.stop_at ? CLI_DONE : CLI_INTERRUPTED;
    }
    if (status != AG_OK)
        return report_failure(f, &result, error);
    print_result(f, &options, &result);
    return CLI_DONE;
}

int cli_train(int count, const char *const *arguments)
{
    train_recipe f, earlier = {0};
    cli_flag table[TRAIN_FLAGS_MOST];
    cli_command command = {
        .name = "train",
        .summary = "train a model",
        .flags = table,
        .usage = "[--from DIR] --task NAME | --pairs FILE [--dev FILE] | --source FILE --target FILE | --conllu FILE | "
                 "--blocks FILE | --text FILE | --resume DIR [flags]",
        .details =
            "`train --pairs FILE` alone trains a small encoder-decoder and holds out a part of the file to choose the "
            "best model. Ctrl-C finishes the step and saves; `train --resume DIR` goes on as if the run had never "
            "stopped. `train --from DIR` begins a new run, with a new optimiser, in another folder.",
    };
    train_setup setup = {0};
    ag_error error = {0};

    int code = train_flags_read(&command, &f, count, arguments, &setup.base, &earlier);
    if (code == CLI_DONE && f.list_presets) {
        train_presets_print();
    } else if (code == CLI_DONE) {
        cli_outlive_readers();
        code = check_source(&f);
        if (code == CLI_DONE && !f.resume && !f.dry_run)
            code = cli_check_outputs(&command);
        if (code == CLI_DONE)
            code = join_team(&command, &f, &earlier);
        if (code == CLI_DONE && cli_the_team.rank == 0 && !f.dry_run &&
            train_folder_check(f.resume ? f.resume : f.run.out, f.resume || f.run.overwrite, &error) != AG_OK)
            code = cli_report("train", &error);
        if (code == CLI_DONE && !(setup.arguments = cli_flags_write(&command)))
            code = cli_fail("train", CLI_FAILED, "no memory for the arguments of the run");
        if (code == CLI_DONE && f.from && !f.resume && train_saved_load(&setup.base, f.from, &error) != AG_OK)
            code = cli_report("train", &error);
        if (code == CLI_DONE)
            code = check_base(&command, &f, &setup.base, &earlier);
        if (code == CLI_DONE)
            code = check_matmul(&f);
        if (code == CLI_DONE)
            note_level(&f, &setup.base);
        if (code == CLI_DONE)
            code = open_data(&f, &setup, &error);
        if (code == CLI_DONE)
            code = make_model(&command, &f, &setup, &error);
        if (code == CLI_DONE && !f.quiet)
            code = show_data(&f, &setup, &error);
        if (code == CLI_DONE)
            code = note_signs(&command, &f, &setup, &error);
        if (code == CLI_DONE && !f.dry_run)
            code = run_training(&f, &setup, &error);
    }
    nn_model_free(setup.model);
    data_set_free(setup.training);
    data_set_free(setup.dev);
    free(setup.arguments);
    train_saved_clear(&setup.base);
    return code;
}
