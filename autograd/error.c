/* error.c - the first error is the one to show. */
#include "autograd.h"

#include <stdarg.h>
#include <stdio.h>

ag_status ag_error_set(ag_error *error, ag_status status, const char *format, ...)
{
    if (error && error->status == AG_OK) {
        va_list arguments;
        va_start(arguments, format);
        error->status = status;
        vsnprintf(error->message, sizeof error->message, format, arguments);
        va_end(arguments);
    }
    return status;
}
