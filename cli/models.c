/* models.c - see models.h. */
#include "models.h"

#include "cli.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static bool path_exists(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0;
}

/* The comma, or the end, after the longest path that `text` begins with and that exists;
 * after the first name, if none exists. */
static char *name_end(char *text)
{
    char *first = strchr(text, ','), *end = text + strlen(text);
    while (first && end > first) {
        const char kept = *end;
        *end = 0;
        const bool there = path_exists(text);
        *end = kept;
        if (there)
            return end;
        for (end--; *end != ',';)
            end--;
    }
    return end;
}

/* Cuts the list into paths; false after a report. */
static bool cut_list(cli_models *models, const char *command, const char *list)
{
    char *at = models->text;
    for (bool more = true; more;) {
        char *end = name_end(at);
        if (end == at && strchr(list, ',')) {
            cli_fail(command, CLI_USAGE, "%s: a name is missing beside a comma", list);
            return false;
        }
        models->paths[models->count++] = at;
        more = *end != 0;
        *end = 0;
        at = end + 1;
    }
    return true;
}

int cli_models_name(cli_models *models, const char *command, const char *list)
{
    const size_t size = strlen(list) + 1;
    *models = (cli_models){.text = malloc(size), .paths = malloc(size * sizeof *models->paths)};
    if (!models->text || !models->paths)
        return cli_fail(command, CLI_FAILED, "out of memory");
    memcpy(models->text, list, size);
    return cut_list(models, command, list) ? CLI_DONE : CLI_USAGE;
}

int cli_models_load(cli_models *models, const char *command, const char *list)
{
    ag_error error = {0};
    const int code = cli_models_name(models, command, list);
    if (code != CLI_DONE)
        return code;
    if (train_ensemble_load(&models->ensemble, models->paths, models->count, &error) != AG_OK)
        return cli_report(command, &error);
    return CLI_DONE;
}

void cli_models_clear(cli_models *models)
{
    train_ensemble_clear(&models->ensemble);
    free(models->paths);
    free(models->text);
    *models = (cli_models){0};
}
