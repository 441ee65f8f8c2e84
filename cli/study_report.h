/* study_report.h - what the kinds of `tapeformer study` share: the example that is studied, and where it is shown. */
#ifndef CLI_STUDIES_H
#define CLI_STUDIES_H

#include "cli.h"

#include "study.h"

/* Each gets the arguments behind its own name. Their command names are "study attention" and so on. */
int cli_study_attention(int count, const char *const *arguments);
int cli_study_influence(int count, const char *const *arguments);
int cli_study_leaks(int count, const char *const *arguments);
int cli_study_masks(int count, const char *const *arguments);
int cli_study_curves(int count, const char *const *arguments);

/* ---- Where a study is shown ----------------------------------------------------------------- */

typedef struct study_output {
    const char *report, *pictures; /* --out, --pictures; NULL: not written */
    int color;                     /* --color: as cli_color_name has them */
} study_output;

const char *cli_color_name(int color);

/* The last entries of a table of flags:  cli_flag table[] = {..., STUDY_OUTPUT_FLAGS(output)};  */
#define STUDY_OUTPUT_FLAGS(output)                                                                                     \
    CLI_FLAG((output).report, "out", "FILE", "write it as one HTML file, too"),                                        \
        CLI_FLAG((output).pictures, "pictures", "DIR", "write each picture as an SVG file, too"),                      \
        CLI_FLAG((output).color, "color", "WHEN", "of the terminal; auto heeds NO_COLOR", .names = cli_color_name)

/* Checks before the work that the files of `output` can be written. `model` is what the
 * study reads, or NULL. Returns CLI_DONE, or the exit code after a report. */
int cli_study_check(const char *command, const study_output *output, const char *model);
/* Prints the document as text, and writes the files that were asked for, each told in a line. Returns the exit code,
 * after a report where it is not CLI_DONE. A NULL document is one that memory was out for. */
int cli_study_show(const study_document *document, const study_output *output) AG_CHECKED;

/* ---- What is studied ------------------------------------------------------------------------ */

typedef struct study_example_flags {
    const char *model, *source, *target;
    int64_t padding; /* positions beyond the lengths of both sides */
} study_example_flags;

#define STUDY_EXAMPLE_FLAGS(flags)                                                                                     \
    CLI_FLAG((flags).model, "model", "DIR", "the folder of a trained model, or a .safetensors file"),                  \
        CLI_FLAG((flags).source, "source", "TEXT", "what the model reads"),                                            \
        CLI_FLAG((flags).target, "target", "TEXT", "what it has written", .otherwise = "its own answer"),              \
        CLI_FLAG((flags).padding, "pad", "N", "positions of padding after both sides", .low = 0, .high = 1000)

/* A saved model and one row of input with its lengths. A side that the model does not have is NULL and 0 long. */
typedef struct study_example {
    train_saved saved;                           /* saved.model */
    nn_input input;                              /* of one row; source_length and target_length count the padding */
    const char **source_labels, **target_labels; /* [source_length], [target_length]: the tokens */
    char *answer;                                /* the model's own, as text, where it is the target; else NULL */
    int32_t *source, *target;                    /* what input points to */
    int32_t source_tokens, target_tokens;        /* the lengths without padding; input's lengths point here */
} study_example;

/* Reads what the flags of `command` say. The model's own answer becomes the target of an encoder-decoder where none is
 * given. Returns CLI_DONE, or the exit code after a report. The example must not be moved, and is to be cleared in
 * either case. */
int cli_study_read(const char *command, const study_example_flags *flags, study_example *example) AG_CHECKED;
void cli_study_clear(study_example *example);

/* A paragraph that says which model answers what to which source. */
void cli_study_describe(study_document *document, const study_example_flags *flags, const study_example *example);

#endif
