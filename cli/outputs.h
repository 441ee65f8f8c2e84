/* outputs.h - checks before the work that a command will be able to write its results. */
#ifndef CLI_OUTPUTS_H
#define CLI_OUTPUTS_H

#include "cli.h"

/* Checks what the flags whose field is `written` name: that it can be written, that no two
 * are one file, and that none is what the command reads, which is what its words and its
 * other flags of a FILE, DIR or MODEL name. A file that is there is replaced when the new
 * one is whole. Returns CLI_DONE, or the exit code after saying why not. */
int cli_check_outputs(const cli_command *command);

#endif
