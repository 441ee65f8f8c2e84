/* help.h - a command's help, for people (folded to the width of the terminal) and for
 * programs. */
#ifndef CLI_HELP_H
#define CLI_HELP_H

#include "flags.h"

#include <stdio.h>

/* The width of lines written to `out`: the environment variable COLUMNS, else the width
 * of the terminal, else 80. */
int cli_columns(FILE *out);

/* Prints prose, folded. A line feed in `text` counts as a space; two end a paragraph. A
 * line that begins with a space is printed as it is. */
void cli_print_prose(FILE *out, const char *text);
/* Prints a row of a list: `left`, indented by 2, and `text` folded from column `column`
 * on; on the next line where `left` is too long. */
void cli_print_row(FILE *out, int column, const char *left, const char *text);

/* Prints the text of --help. */
void cli_help_print(const cli_command *command);
/* Prints the answer to CLI_DESCRIBE: lines of tab-separated fields, which
 * docs/manual/make reads. */
void cli_help_describe(const cli_command *command);

#endif
