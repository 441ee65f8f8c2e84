/* show.h - text from outside in the output: names of files, tokens, the contents of
 * files. */
#ifndef CLI_SHOW_H
#define CLI_SHOW_H

#include "autograd.h"

#include <stdio.h>

/* Prints a text for people, as ag_text_show shows it: no byte of it controls the
 * terminal. */
void cli_show(FILE *out, const char *text);
/* The same as an argument of printf. The text lives as long as the enclosing block; a
 * longer one is cut. */
#define CLI_SHOWN(text) ag_text_show((text), (char[1024]){0}, 1024)

/* Prints a text [size] as one field of a tab-separated line for programs: unchanged,
 * except that tab, line feed, carriage return and zero bytes are escaped as in vocabulary
 * files: \09, \0a, \0d, \00; and that a byte which is not UTF-8 becomes U+FFFD, unless
 * the text may have any bytes. */
void cli_put_field(FILE *out, const char *text, size_t size, bool any_bytes);

#endif
