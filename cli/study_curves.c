/* study_curves.c - tapeformer study curves: the losses of training runs, several in one
 * picture. */
#include "study_report.h"

#include <stdlib.h>

typedef struct curves_flags {
    study_output output;
    const cli_command *command; /* its words are the logs */
} curves_flags;

static int add_curves(void *context, const study_example *example, study_document *document)
{
    (void)example;
    const curves_flags *f = context;
    ag_error error = {0};
    if (!f->command->word_count)
        return cli_fail("study curves", CLI_USAGE, "curves of what? Give the folders of runs");
    return study_curves(f->command->words, f->command->word_count, document, &error) == AG_OK
               ? CLI_DONE
               : cli_report("study curves", &error);
}

static int run_curves(int count, const char *const *arguments)
{
    curves_flags f = {0};
    const study_report report = {"Training curves", &f.output, NULL, add_curves, &f};
    cli_flag table[] = {STUDY_OUTPUT_FLAGS(f.output)};
    cli_command command = {
        .name = "study curves",
        .summary = cli_study_curves.summary,
        .flags = table,
        .flag_count = sizeof table / sizeof *table,
        .usage = "LOG... [flags]",
        .max_words = count,
        .details =
            "LOG is a log.jsonl, or the folder of a run. Every run is a line in each chart, named by its folder.",
    };
    const char **logs = malloc((size_t)(count ? count : 1) * sizeof *logs);
    if (!logs)
        return cli_fail("study curves", CLI_FAILED, "out of memory");
    command.words = logs;
    f.command = &command;
    const int code = cli_study_report(&report, &command, count, arguments);
    free(logs);
    return code;
}

const study_kind cli_study_curves = {"curves", "the losses of training runs, several in one picture", run_curves};
