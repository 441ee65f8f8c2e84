/* quote.c - names and paths quoted in an error's sentence: see quote.h. */
#include "quote.h"

#include <stdarg.h>

bool data_refuse(ag_error *error, const char *path, const char *format, ...)
{
    char sentence[AG_MESSAGE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    ag_text_print_list(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    ag_error_set(error, AG_BAD_FILE, "%s: %s", path, sentence);
    return false;
}
