/* quote.h - names and paths quoted in an error's sentence, cut so that they cannot fill
 * it.
 */
#ifndef DATA_QUOTE_H
#define DATA_QUOTE_H

#include "autograd.h"

#define SHOWN_NAME 96  /* enough of a name to recognise it; the size of an array */
#define SHOWN_PATH 288 /* of a path: with two names and a sentence it fits into AG_MESSAGE_SIZE */

/* A name as ag_text_show shows it, cut if it is long. It lives as long as the enclosing
 * block. */
#define DATA_SHOW(text) ag_text_show((text), (char[SHOWN_NAME]){0}, SHOWN_NAME)

/* Sets AG_BAD_FILE with "path: sentence" and returns false. `path` is as ag_text_show
 * shows it. */
bool data_refuse(ag_error *error, const char *path, const char *format, ...) AG_PRINTF(3, 4);

#endif
