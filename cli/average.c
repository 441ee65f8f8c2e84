/* average.c - tapeformer average: a model whose weights are the means of several
 * models'. */
#include "cli.h"
#include "outputs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct average_flags {
    const char *out;
    bool overwrite;
    const char *const *models; /* [count] */
    int count;
} average_flags;

static int average_models(const cli_command *command, const average_flags *f)
{
    ag_error error = {0};
    train_saved mean = {0};
    if (f->count < 2)
        return cli_fail("average", CLI_USAGE, "the average of what? Give two models or more");
    if (!f->out)
        return cli_fail("average", CLI_USAGE, "where to? Give --out DIR");
    int code = cli_check_outputs(command);
    if (code != CLI_DONE)
        return code;
    if (train_folder_check(f->out, f->overwrite, &error) != AG_OK ||
        train_average(&mean, f->models, f->count, &error) != AG_OK)
        return cli_report("average", &error);
    if (train_saved_save(&mean, f->out, f->overwrite, &error) != AG_OK)
        code = cli_report("average", &error);
    else
        fprintf(stderr, "model: the mean of %d\nsaved: %s/" TRAIN_MODEL_FILE "\n", f->count, CLI_SHOWN(f->out));
    train_saved_clear(&mean);
    return code;
}

int cli_average(int count, const char *const *arguments)
{
    average_flags f = {0};
    cli_flag table[] = {
        CLI_FLAG(f.out, "out", "DIR", "folder to write the model to", .written = TRAIN_WRITES_RUN),
        CLI_FLAG(f.overwrite, "overwrite", NULL, "replace the model or the run in that folder"),
    };
    cli_command command = {
        .name = "average",
        .summary = "make a model of the means of several models' weights",
        .flags = table,
        .flag_count = sizeof table / sizeof *table,
        .max_words = count,
        .usage = "MODEL MODEL... --out DIR [flags]",
        .details = "MODEL is the folder of a trained model, or a .safetensors file. All models have the same "
                   "configuration and the same vocabularies. The mean of models that were trained apart is of no use: "
                   "average models of one run, or of runs that went on from one model.",
    };
    const char **words = malloc((size_t)(count ? count : 1) * sizeof *words);
    if (!words)
        return cli_fail("average", CLI_FAILED, "out of memory");
    command.words = words;
    int code = cli_flags_read(&command, count, arguments);
    f.models = words;
    f.count = command.word_count;
    if (code == CLI_DONE)
        code = average_models(&command, &f);
    free(words);
    return code;
}
