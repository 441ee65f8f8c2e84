/* notes.h - what train says of a file that looks like something else than what it is read
 * as. */
#ifndef CLI_NOTES_H
#define CLI_NOTES_H

#include "flags.h"

#include "data.h"

/* Prints a note to stderr for each sign, with the flag or the program that reads the file
 * right. None where the user gave that flag with another value. */
void cli_notes_print(const cli_command *command, const data_sign signs[DATA_SIGNS]);

#endif
