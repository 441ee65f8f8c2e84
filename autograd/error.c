/* error.c - the first error is the one to show. */
#include "autograd.h"

ag_status ag_error_set(ag_error *error, ag_status status, const char *format, ...)
{
    if (error && error->status == AG_OK) {
        char sentence[2 * AG_MESSAGE_SIZE]; /* no character takes less than half as many bytes when it is shown */
        va_list arguments;
        va_start(arguments, format);
        ag_text_print_list(sentence, sizeof sentence, format, arguments);
        va_end(arguments);
        error->status = status;
        ag_text_show(sentence, error->message, sizeof error->message);
    }
    return status;
}

const char *ag_plural(int64_t count, const char *one, const char *many)
{
    return count == 1 ? one : many;
}
