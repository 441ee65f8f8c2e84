/* outputs.h - checks before the work that a command will be able to write its results. */
#ifndef CLI_OUTPUTS_H
#define CLI_OUTPUTS_H

#include <stdbool.h>

/* Whether both paths lead to one file or folder. */
bool cli_same_file(const char *a, const char *b);

/* Each returns CLI_DONE, or the exit code after saying why `path` cannot be written, and
 * does nothing for NULL. A file that is there is replaced when the new one is whole; what
 * the command reads is not: the file or run `input` (NULL: none). */
int cli_check_file(const char *command, const char *path, const char *input);
/* A folder for several files, which is made where it is missing. */
int cli_check_folder(const char *command, const char *path);

#endif
