/* examples.c - see examples.h. */
#include "examples.h"

bool cli_examples_given(const cli_examples *examples)
{
    return (examples->pairs != NULL) + (examples->task != NULL) + (examples->text != NULL) == 1;
}

bool cli_examples_effective(const cli_command *command, const cli_examples *examples)
{
    const cli_need needs[] = {{"task-min", examples->task, "goes with --task"},
                              {"task-max", examples->task, "goes with --task"}};
    return cli_flags_effective(command, needs, sizeof needs / sizeof *needs);
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
    options.max_tokens = examples->pairs ? nn_ensemble_longest(models) : 0;
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
        set = data_set_pairs(examples->pairs, &options, error);
    if (!set)
        *code = cli_report(command, error);
    return set;
}
