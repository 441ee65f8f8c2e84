/* study_tape.c - tapeformer study tape: what each operation of a training step costs. */
#include "examples.h"
#include "study_report.h"

typedef struct tape_flags {
    study_example_flags example; /* one example from the flags, .. */
    cli_examples examples;       /* .. or a batch of these */
    int64_t batch;
    study_output output;
    study_step_options options;
    const cli_command *command;
} tape_flags;

static int add_step(const tape_flags *f, const train_saved *saved, const nn_input *input, const int32_t *targets,
                    study_document *document)
{
    ag_error error = {0};
    study_step_options options = f->options;
    options.marks = data_vocab_marks(saved->target_vocab);
    return study_tape_step(saved->model, input, targets, &options, document, &error) == AG_OK
               ? CLI_DONE
               : cli_report("study tape", &error);
}

/* ---- One example ------------------------------------------------------------------- */

static int add_example(const tape_flags *f, study_document *document)
{
    study_example example = {0};
    int code = cli_study_read("study tape", &f->example, &example);
    if (code == CLI_DONE) {
        cli_study_describe(document, &f->example, &example);
        code = add_step(f, &example.saved, &example.input, NULL, document);
    }
    cli_study_clear(&example);
    return code;
}

/* ---- A batch ----------------------------------------------------------------------- */

/* The batch as training reads it. */
static nn_input input_of(const data_batch *batch, const nn_model *model)
{
    nn_input input = {.rows = batch->rows};
    if (model->config.kind != NN_DECODER) {
        input.source = batch->source;
        input.source_length = batch->source_length;
        input.source_lengths = batch->source_lengths;
    }
    if (model->config.kind != NN_ENCODER) {
        input.target = batch->target_in;
        input.target_length = batch->target_length;
        input.target_lengths = batch->target_lengths;
    }
    return input;
}

static int add_batch(const tape_flags *f, study_document *document)
{
    train_saved saved = {0};
    data_batch batch = {0};
    ag_error error = {0};
    int code = CLI_FAILED;
    if (train_saved_load(&saved, f->example.model, &error) != AG_OK)
        return cli_report("study tape", &error);
    const nn_ensemble one = {.models = (const nn_model *const[]){saved.model}, .count = 1};
    data_set *set = cli_examples_open("study tape", &f->examples, &saved, &one, &code, &error);
    if (set && data_set_batch(set, f->batch, 0, &batch, &error) != AG_OK) {
        code = cli_report("study tape", &error);
    } else if (set) {
        const nn_input input = input_of(&batch, saved.model);
        study_add_text(document, "A batch of %lld %s with %lld target tokens, of which the longest has %lld.",
                       (long long)batch.rows, ag_plural(batch.rows, "example", "examples"), (long long)batch.tokens,
                       (long long)batch.target_length);
        code = add_step(f, &saved, &input, batch.target_out, document);
    }
    data_batch_clear(&batch);
    data_set_free(set);
    train_saved_clear(&saved);
    return code;
}

/* ---- The command ------------------------------------------------------------------- */

static int add_tape(void *context, const study_example *example, study_document *document)
{
    (void)example;
    const tape_flags *f = context;
    const bool batch = cli_examples_count(&f->examples) > 0;
    const cli_need needs[] = {
        {"source", !batch, "goes without a file of pairs, --task and --text"},
        {"target", !batch, "goes without a file of pairs, --task and --text"},
        {"pad", !batch, "goes without a file of pairs, --task and --text"},
        {"batch", batch, "goes with a file of pairs, --task or --text"},
    };
    if (!cli_flags_effective(f->command, needs, sizeof needs / sizeof *needs) ||
        !cli_examples_effective(f->command, &f->examples))
        return CLI_USAGE;
    if (!f->example.model)
        return cli_fail("study tape", CLI_USAGE, "which model? Give --model DIR");
    if (cli_examples_count(&f->examples) > 1)
        return cli_fail("study tape", CLI_USAGE,
                        "a step on what? Give one of --pairs FILE, --conllu FILE, --blocks FILE, --task NAME, --text "
                        "FILE");
    return batch ? add_batch(f, document) : add_example(f, document);
}

static int run_tape(int count, const char *const *arguments)
{
    tape_flags f = {.batch = 32};
    const study_report report = {"The tape of a training step", &f.output, NULL, add_tape, &f};
    cli_flag table[] = {
        STUDY_EXAMPLE_FLAGS(f.example),
        CLI_EXAMPLE_FLAGS(f.examples),
        CLI_FLAG(f.batch, "batch", "N", "examples of the step", .low = 1, .high = 100000),
        CLI_FLAG(f.options.plain_attention, "plain", NULL,
                 "compute attention by single operations, so that each has a line"),
        CLI_THREADS(f.options.threads),
        STUDY_OUTPUT_FLAGS(f.output),
    };
    cli_command command = {
        .name = "study tape",
        .summary = cli_study_tape.summary,
        .flags = table,
        .flag_count = sizeof table / sizeof *table,
        .usage = "--model DIR --source TEXT | --pairs FILE | --task NAME | --text FILE [flags]",
        .details = "Runs one training step, without the update, on an example or on a batch, and shows each operation: "
                   "its formula and\nshapes, multiply-adds, memory, time forward and backward, share of the machine's "
                   "peak, norms of value and gradient.\nThe HTML page sorts the table by any column. A tape of fewer "
                   "than 60 operations is drawn, too.",
    };
    f.command = &command;
    return cli_study_report(&report, &command, count, arguments);
}

const study_kind cli_study_tape = {"tape", "each operation of a training step: time, memory, norms", run_tape};
