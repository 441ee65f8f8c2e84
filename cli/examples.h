/* examples.h - the examples that a saved model is measured on: a pair file, a task or a
 * text. */
#ifndef CLI_EXAMPLES_H
#define CLI_EXAMPLES_H

#include "cli.h"

#include "../train/options.h"

typedef struct cli_examples {
    const char *pairs, *task, *text;
    data_set_options options; /* what the flags say of a task's examples */
} cli_examples;

/* Entries of a table of flags. */
#define CLI_EXAMPLE_FLAGS(examples)                                                                                    \
    CLI_FLAG((examples).pairs, "pairs", "FILE", "lines `source TAB target`", .joined_by = "paste"),                    \
        CLI_FLAG((examples).task, "task", "NAME", "unseen examples of a synthetic task", .names = train_task_name),    \
        CLI_FLAG((examples).text, "text", "FILE", "a text, to measure a language model", .joined_by = "cat"),          \
        CLI_FLAG((examples).options.min_length, "task-min", "N", "length of the task's shortest examples", .low = 1,   \
                 .high = 100, .otherwise = "the task's own"),                                                          \
        CLI_FLAG((examples).options.max_length, "task-max", "N", "length of the task's longest examples", .low = 1,    \
                 .high = 100, .otherwise = "the task's own")

/* Whether exactly one of the three is given. */
bool cli_examples_given(const cli_examples *examples);

/* Refuses lengths of a task's examples without a task, as cli_flags_effective does. */
bool cli_examples_effective(const cli_command *command, const cli_examples *examples);

/* Opens the examples in the vocabularies of `saved`, none longer than the models can
 * read, to be freed by the caller; NULL after a report, with the exit code in *code. */
data_set *cli_examples_open(const char *command, const cli_examples *examples, const train_saved *saved,
                            const nn_ensemble *models, int *code, ag_error *error);

#endif
