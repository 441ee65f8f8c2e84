/* examples.c - see examples.h. */
#include "examples.h"

#include "team.h"

#include <string.h>
#include <unistd.h>

int cli_examples_count(const cli_examples *examples)
{
    return train_files_count(&examples->files) + (examples->task != NULL) + (examples->text != NULL);
}

const char *cli_examples_path(const cli_examples *examples)
{
    data_format format = examples->options.format;
    return train_files_path(&examples->files, &format, NULL);
}

bool cli_examples_effective(const cli_command *command, const cli_examples *examples)
{
    const train_files *files = &examples->files;
    const data_format *format = &examples->options.format;
    const cli_need needs[] = {{"task-min", examples->task, "goes with --task"},
                              {"task-max", examples->task, "goes with --task"},
                              {"columns", files->pairs, "goes with --pairs"},
                              {"separator", files->pairs && format->columns, "goes with --columns"},
                              {"no-quotes", files->pairs && format->columns, "goes with --columns"},
                              {"field", files->conllu, "goes with --conllu"}};
    const cli_need parallel[] = {{"source", format->targets, "goes with --target FILE"},
                                 {"target", files->source, "goes with --source FILE"}};
    const char *const inputs[] = {files->pairs,  files->source, format->targets,
                                  files->conllu, files->blocks, examples->text};
    return cli_flags_effective(command, needs, sizeof needs / sizeof *needs) &&
           (!(files->source || format->targets) || cli_flags_effective(command, parallel, 2)) &&
           cli_check_input(command->name, inputs, sizeof inputs / sizeof *inputs) == CLI_DONE;
}

int cli_check_input(const char *command, const char *const *paths, int count)
{
    int inputs = 0;
    for (int i = 0; i < count; i++)
        inputs += paths[i] && !strcmp(paths[i], "-");
    if (inputs > 1)
        return cli_fail(command, CLI_USAGE, "- is the standard input, which has one file: give the other by its name");
    if (inputs && cli_the_team.size > 1)
        return cli_fail(command, CLI_USAGE,
                        "- is the standard input, which %d processes cannot share: write it to a file",
                        cli_the_team.size);
    if (inputs && isatty(STDIN_FILENO))
        return cli_fail(command, CLI_USAGE,
                        "- is the standard input, and nothing is piped into it: gunzip -c pairs.gz | tapeformer %s ..",
                        command);
    return CLI_DONE;
}

data_set *cli_examples_open(const char *command, const cli_examples *examples, const train_saved *saved,
                            const nn_ensemble *models, int *code, ag_error *error)
{
    data_set_options options = examples->options;
    options.part = examples->task ? DATA_DEV : DATA_ALL;
    options.source_vocab = saved->source_vocab;
    options.target_vocab = saved->target_vocab;
    options.context = nn_ensemble_max_length(models);
    options.tagging = saved->tagging;
    const char *pairs = train_files_path(&examples->files, &options.format, NULL);
    options.max_tokens = pairs ? nn_ensemble_longest(models) : 0;
    data_set *set = NULL;
    *code = CLI_USAGE;
    if ((saved->source_vocab == NULL) != (examples->text != NULL)) {
        cli_fail(command, CLI_USAGE,
                 saved->source_vocab ? "this model reads pairs: give --pairs FILE or --task NAME"
                                     : "this is a language model: give --text FILE");
        return NULL;
    }
    if (examples->task)
        set = data_set_task(data_task_find(examples->task), &options, error);
    else if (examples->text)
        set = data_set_text(examples->text, &options, error);
    else
        set = data_set_pairs(pairs, &options, error);
    if (!set)
        *code = cli_report(command, error);
    return set;
}
