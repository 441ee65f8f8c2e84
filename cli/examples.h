/* examples.h - the examples that a saved model is measured on: a file of pairs, a task or
 * a text. */
#ifndef CLI_EXAMPLES_H
#define CLI_EXAMPLES_H

#include "cli.h"

#include "../train/options.h"

typedef struct cli_examples {
    train_files files;
    const char *task, *text;
    data_set_options options; /* what the flags say of a task's examples, and of the format of the files */
} cli_examples;

/* Entries of a table of flags. */
#define CLI_COLUMN_FLAGS(format)                                                                                       \
    CLI_FLAG((format).columns, "columns", "LIST",                                                                      \
             "the file has columns, CSV or TSV: the numbers or names of the source's, the target's and, if there are " \
             "any, the tags'; a name means that the first line has the names"),                                        \
        CLI_FLAG((format).separator, "separator", "NAME", "stands between the columns", .names = data_separator_name,  \
                 .otherwise = "the one by which the first line has them"),                                             \
        CLI_FLAG((format).no_quotes, "no-quotes", NULL, "in columns a quote is a character like any other")
#define CLI_EXAMPLE_FLAGS(examples)                                                                                    \
    CLI_FLAG((examples).files.pairs, "pairs", "FILE", "lines `source TAB target`; -: standard input",                  \
             .joined_by = "paste"),                                                                                    \
        CLI_COLUMN_FLAGS((examples).options.format),                                                                   \
        CLI_FLAG((examples).files.conllu, "conllu", "FILE", "tagged words in CoNLL-U", .joined_by = "cat"),            \
        CLI_FLAG((examples).options.format.field, "field", "NAME", "what the model says of each word",                 \
                 .names = data_conllu_field_name, .otherwise = "upos, the universal part of speech"),                  \
        CLI_FLAG((examples).files.blocks, "blocks", "FILE",                                                            \
                 "lines `word TAB tag` or `word tag`, with an empty line after each sentence", .joined_by = "cat"),    \
        CLI_FLAG((examples).task, "task", "NAME", "unseen examples of a synthetic task", .names = train_task_name),    \
        CLI_FLAG((examples).text, "text", "FILE", "a text, to measure a language model", .joined_by = "cat"),          \
        CLI_FLAG((examples).options.min_length, "task-min", "N", "length of the task's shortest examples", .low = 1,   \
                 .high = 100, .otherwise = "the task's own"),                                                          \
        CLI_FLAG((examples).options.max_length, "task-max", "N", "length of the task's longest examples", .low = 1,    \
                 .high = 100, .otherwise = "the task's own")

/* Two parallel files, for commands whose --source is no text. */
#define CLI_PARALLEL_FLAGS(examples)                                                                                   \
    CLI_FLAG((examples).files.source, "source", "FILE", "the sources of pairs, line by line", .joined_by = "cat"),     \
        CLI_FLAG((examples).options.format.targets, "target", "FILE", "the targets of --source, line by line",         \
                 .joined_by = "cat")

/* How many of the files, the task and the text are given. */
int cli_examples_count(const cli_examples *examples);
/* The path of the file of pairs; NULL: there is none. */
const char *cli_examples_path(const cli_examples *examples);

/* Refuses flags without an effect, as cli_flags_effective does: lengths of a task's
 * examples without a task, a format without its file. */
bool cli_examples_effective(const cli_command *command, const cli_examples *examples);

/* Opens the examples in the vocabularies of `saved`, none longer than the models can
 * read, to be freed by the caller; NULL after a report, with the exit code in *code. */
data_set *cli_examples_open(const char *command, const cli_examples *examples, const train_saved *saved,
                            const nn_ensemble *models, int *code, ag_error *error);

/* Refuses standard input ("-") among the paths [count], of which any may be NULL, if it
 * stands there twice, is a terminal, or several processes would read it; returns the exit
 * code. */
int cli_check_input(const char *command, const char *const *paths, int count) AG_CHECKED;

#endif
