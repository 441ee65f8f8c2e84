/* study_report.h - the kinds of `tapeformer study`, and the way from a command line to a
 * report that they share. */
#ifndef CLI_STUDY_REPORT_H
#define CLI_STUDY_REPORT_H

#include "study_example.h"

/* A kind of study. Its file defines the record cli_study_NAME. */
typedef struct study_kind {
    const char *name, *summary;
    /* Gets the arguments after the name, and returns the exit code. */
    int (*run)(int count, const char *const *arguments);
} study_kind;

/* The names of all kinds, in the order of the help. */
#define STUDIES(STUDY) STUDY(attention) STUDY(influence) STUDY(leaks) STUDY(masks) STUDY(curves) STUDY(tape)

#define DECLARE_STUDY(name) extern const study_kind cli_study_##name;
STUDIES(DECLARE_STUDY)

/* ---- Output ------------------------------------------------------------------------ */

typedef struct study_output {
    const char *report, *pictures; /* --out, --pictures; NULL: not written */
    int color;                     /* --color: as cli_color_name has them */
} study_output;

const char *cli_color_name(int color);

/* The last entries of a table of flags:
 *     cli_flag table[] = {..., STUDY_OUTPUT_FLAGS(output)}; */
#define STUDY_OUTPUT_FLAGS(output)                                                                                     \
    CLI_FLAG((output).report, "out", "FILE",                                                                           \
             "write it as one HTML file, too; FILE.txt: as text, FILE.svg: its pictures",                              \
             .written = TRAIN_WRITES_FILE),                                                                            \
        CLI_FLAG((output).pictures, "pictures", "DIR", "write each picture as an SVG file, too",                       \
                 .written = TRAIN_WRITES_FOLDER),                                                                      \
        CLI_FLAG((output).color, "color", "WHEN", "colour the terminal output; auto: unless NO_COLOR is set",          \
                 .names = cli_color_name)

/* Whether --out names a file that holds pictures only: FILE.svg. */
bool cli_output_is_picture(const study_output *output);
/* Writes a document to a file whose name's ending says in which form: .svg (its
 * pictures), .txt, else HTML. */
ag_status cli_save_document(const study_document *document, const char *path, ag_error *error) AG_CHECKED;
/* Prints a document, and writes it to the files of --out and --pictures, saying so in a
 * line for each. Returns the exit code. */
int cli_show_document(const char *command, const study_document *document, const study_output *output);

/* ---- A study with a report --------------------------------------------------------- */

typedef struct study_report {
    const char *title; /* of the document */
    const study_output *output;
    const study_example_flags *example; /* NULL: this kind studies no example */
    /* Does the work and adds the results to the document, which begins with the example.
     * Returns CLI_DONE, or another exit code after saying why. */
    int (*add)(void *context, const study_example *example, study_document *document);
    void *context; /* of add; the flags */
} study_report;

/* Runs a study from its arguments to its report: reads the flags, checks that the output
 * can be written, reads the example, makes the document, prints it, and writes the files,
 * saying so in a line for each. Returns the exit code. */
int cli_study_report(const study_report *report, cli_command *command, int count, const char *const *arguments);

#endif
