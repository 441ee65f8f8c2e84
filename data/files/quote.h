/* quote.h - foreign text inside an error's sentence.
 *
 * ag_error_set shows what it is given; what is here keeps long names from filling a
 * message.
 */
#ifndef DATA_SHOW_H
#define DATA_SHOW_H

#include "autograd.h"

#define SHOWN_NAME 96  /* enough of a name to know it by, as an array's size */
#define SHOWN_PATH 288 /* of a path: with two names and a sentence still less than AG_MESSAGE_SIZE */

/* A name as ag_text_show shows it, cut where it is long: the text lives as long as the
 * block around it. */
#define DATA_SHOW(text) ag_text_show((text), (char[SHOWN_NAME]){0}, SHOWN_NAME)

/* Refuses the file `path`, which is fit to be shown: AG_BAD_FILE with "path: sentence". Returns false. */
bool data_refuse(ag_error *error, const char *path, const char *format, ...) AG_PRINTF(3, 4);

#endif
