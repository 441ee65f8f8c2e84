/* study_curves.c - tapeformer study curves: the losses of training runs, several in one picture. */
#include "outputs.h"
#include "study_report.h"

#include <stdlib.h>

static int show_curves(const char *const *logs, int count, const study_output *output)
{
    ag_error error = {0};
    study_document *document = study_document_new("Training curves");
    int code;
    if (document && study_curves(logs, count, document, &error) != AG_OK)
        code = cli_report("study curves", &error);
    else
        code = cli_study_show(document, output);
    study_document_free(document);
    return code;
}

int cli_study_curves(int count, const char *const *arguments)
{
    study_output output = {0};
    cli_flag table[] = {STUDY_OUTPUT_FLAGS(output)};
    cli_command command = {
        .name = "study curves",
        .summary = "the losses of training runs, several in one picture",
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
    cli_read read = cli_flags_read(&command, count, arguments);
    int code = cli_read_code(read);
    if (read == CLI_READ_OK)
        code = cli_study_check("study curves", &output, NULL);
    for (int i = 0; read == CLI_READ_OK && code == CLI_DONE && i < command.word_count; i++)
        code = cli_check_file("study curves", output.report, logs[i]);
    if (read == CLI_READ_OK && code == CLI_DONE)
        code = command.word_count ? show_curves(logs, command.word_count, &output)
                                  : cli_fail("study curves", CLI_USAGE, "curves of what? Give the folders of runs");
    free(logs);
    return code;
}
