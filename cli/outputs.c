/* outputs.c - see outputs.h. */
#include "outputs.h"

#include "cli.h"

#include <stdlib.h>
#include <sys/stat.h>

bool cli_same_file(const char *a, const char *b)
{
    struct stat left, right;
    return stat(a, &left) == 0 && stat(b, &right) == 0 && left.st_dev == right.st_dev && left.st_ino == right.st_ino;
}

/* Whether the path leads to the command's input: that file itself, or one in the folder
 * of a run. */
static bool is_read(const char *path, const char *input)
{
    static const char *const names[] = {TRAIN_MODEL_FILE, TRAIN_LAST_FILE, TRAIN_CHECKPOINT_FILE, TRAIN_LOG_FILE};
    bool same = cli_same_file(path, input);
    for (size_t i = 0; i < sizeof names / sizeof *names && !same; i++) {
        char *file = data_path_join(input, names[i], NULL);
        same = file && cli_same_file(path, file);
        free(file);
    }
    return same;
}

int cli_check_file(const char *command, const char *path, const char *input)
{
    ag_error error = {0};
    if (path && input && is_read(path, input))
        return cli_fail(command, CLI_USAGE, "%s is what %s is read from: write another file", path, input);
    return !path || data_output_check(path, &error) == AG_OK ? CLI_DONE : cli_report(command, &error);
}

int cli_check_folder(const char *command, const char *path)
{
    struct stat info;
    ag_error error = {0};
    if (!path || stat(path, &info) != 0)
        return cli_check_file(command, path, NULL); /* it can be made where a file could be */
    return data_folder_check(path, &error) == AG_OK ? CLI_DONE : cli_report(command, &error);
}
