/* help.h - a command's help, folded at the terminal's width, and the same for
 * programs. */
#ifndef CLI_HELP_H
#define CLI_HELP_H

#include "flags.h"

#include <stdio.h>

/* The columns of lines that are written to `out`: what the environment variable COLUMNS
 * says, else the width of the terminal, else 80. */
int cli_columns(FILE *out);

/* Prints prose, folded. A line feed in `text` is a space; two end a paragraph. A line
 * that begins with a space stays as it is. */
void cli_print_prose(FILE *out, const char *text);
/* Prints a row of a list: `left`, indented by 2, and `text` from column `column` on,
 * folded there; below `left` where it leaves no room. */
void cli_print_row(FILE *out, int column, const char *left, const char *text);

/* Prints the text of --help. */
void cli_help_print(const cli_command *command);
/* Prints the answer to CLI_DESCRIBE: lines of fields between tabs, which docs/manual/make
 * reads. */
void cli_help_describe(const cli_command *command);

#endif
