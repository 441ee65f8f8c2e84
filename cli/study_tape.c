/* study_tape.c - tapeformer study tape: what each operation of a training step costs. */
#include "outputs.h"
#include "study_report.h"

typedef struct tape_flags {
    study_example_flags example;
    study_output output;
    study_step_options options;
} tape_flags;

static int add_tape(void *context, const study_example *example, study_document *document)
{
    const tape_flags *f = context;
    ag_error error = {0};
    return study_tape_step(example->saved.model, &example->input, NULL, &f->options, document, &error) == AG_OK
               ? CLI_DONE
               : cli_report("study tape", &error);
}

static int run_tape(int count, const char *const *arguments)
{
    tape_flags f = {0};
    const study_report report = {"The tape of a training step", &f.output, &f.example, add_tape, &f};
    cli_flag table[] = {
        STUDY_EXAMPLE_FLAGS(f.example),
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
        .usage = "--model DIR --source TEXT [flags]",
    };
    return cli_study_report(&report, &command, count, arguments);
}

const study_kind cli_study_tape = {"tape", "each operation of a training step: time, memory, norms", run_tape};
