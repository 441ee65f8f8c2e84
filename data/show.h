/* show.h - foreign text inside an error's sentence.
 *
 * Names come from files, and may hold line breaks or be longer than a message.
 */
#ifndef DATA_SHOW_H
#define DATA_SHOW_H

#include "autograd.h"

#define SHOWN_NAME 96  /* enough of a name to know it by, as an array's size */
#define SHOWN_PATH 288 /* of a path: with two names and a sentence still less than AG_MESSAGE_SIZE */

/* Copies `text` to `out` [size > 3] as it may stand in a message: control characters as '?', a long text cut short and
 * ended by "...". Returns `out`. */
char *data_text_show(const char *text, char *out, size_t size);

/* The same within an expression: the text lives as long as the block around it. */
#define DATA_SHOW(text) data_text_show((text), (char[SHOWN_NAME]){0}, SHOWN_NAME)

/* Refuses the file `path`, which is fit to be shown: AG_BAD_FILE with "path: sentence". Returns false. */
bool data_refuse(ag_error *error, const char *path, const char *format, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 3, 4)))
#endif
    ;

#endif
