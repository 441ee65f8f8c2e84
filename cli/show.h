/* show.h - foreign text in what the command prints: names of files, tokens, whatever
 * stands in a file. */
#ifndef CLI_SHOW_H
#define CLI_SHOW_H

#include "autograd.h"

#include <stdio.h>

/* Prints a text for people, as ag_text_show shows it: nothing in it steers the
 * terminal. */
void cli_show(FILE *out, const char *text);
/* The same within a printf: the text lives as long as the block around it, and a longer
 * one is cut. */
#define CLI_SHOWN(text) ag_text_show((text), (char[1024]){0}, 1024)

/* Prints a text as one field of a line for programs, between tabs: as it is, but a tab, a
 * line feed and a carriage return as they stand in a vocabulary file: \09, \0a, \0d. */
void cli_put_field(FILE *out, const char *text);

#endif
