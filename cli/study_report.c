/* study_report.c - see study_report.h. */
#include "study_report.h"

#include "help.h"
#include "outputs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

TRAIN_NAMES(cli_color_name, "auto", "always", "never")

/* `auto`: on a terminal that knows colours, unless its user wants none (no-color.org). */
static bool is_coloured(const study_output *output)
{
    enum { AUTO, ALWAYS };
    const char *none = getenv("NO_COLOR"), *terminal = getenv("TERM");
    return output->color == ALWAYS || (output->color == AUTO && isatty(STDOUT_FILENO) && !(none && *none) &&
                                       !(terminal && !strcmp(terminal, "dumb")));
}

static bool ends_in(const char *path, const char *end)
{
    const size_t length = strlen(path), tail = strlen(end);
    return length > tail && !strcmp(path + length - tail, end);
}

bool cli_output_is_picture(const study_output *output)
{
    return output->report && ends_in(output->report, ".svg");
}

/* The form follows from the ending of the file's name. */
ag_status cli_save_document(const study_document *document, const char *path, ag_error *error)
{
    return ends_in(path, ".svg")   ? study_document_save_picture(document, path, error)
           : ends_in(path, ".txt") ? study_document_save_text(document, path, error)
                                   : study_document_save(document, path, error);
}

int cli_show_document(const char *command, const study_document *document, const study_output *output)
{
    ag_error error = {0};
    const study_text_options options = {.width = cli_columns(stdout), .color = is_coloured(output)};
    char *text = study_document_text(document, &options, &error);
    if (!text)
        return cli_report(command, &error);
    fputs(text, stdout);
    free(text);
    if (output->report || output->pictures)
        putchar('\n');
    if (output->report) {
        if (cli_save_document(document, output->report, &error) != AG_OK)
            return cli_report(command, &error);
        printf("The report is in %s\n", CLI_SHOWN(output->report));
    }
    if (output->pictures) {
        if (study_document_save_pictures(document, output->pictures, &error) != AG_OK)
            return cli_report(command, &error);
        printf("The pictures are in %s\n", CLI_SHOWN(output->pictures));
    }
    return CLI_DONE;
}

static int make_document(const study_report *report, const char *name, study_document *document)
{
    study_example example = {0};
    int code = report->example ? cli_study_read(name, report->example, &example) : CLI_DONE;
    if (code == CLI_DONE && report->example)
        cli_study_describe(document, report->example, &example);
    if (code == CLI_DONE)
        code = report->add(report->context, &example, document);
    cli_study_clear(&example);
    return code;
}

int cli_study_report(const study_report *report, cli_command *command, int count, const char *const *arguments)
{
    int code = cli_flags_read(command, count, arguments);
    if (code != CLI_DONE)
        return code;
    code = cli_check_outputs(command);
    if (code != CLI_DONE)
        return code;
    study_document *document = study_document_new(report->title);
    code = make_document(report, command->name, document);
    if (code == CLI_DONE)
        code = cli_show_document("study", document, report->output);
    study_document_free(document);
    return code;
}
