/* error.c - errors and other sentences for people. */
#include "autograd.h"

static void print_sentence(char text[AG_MESSAGE_SIZE], const char *format, va_list arguments)
{
    char whole[2 * AG_MESSAGE_SIZE]; /* showing a character at most halves its bytes */
    ag_text_print_list(whole, sizeof whole, format, arguments);
    ag_text_show(whole, text, AG_MESSAGE_SIZE);
}

void ag_sentence_print(char text[AG_MESSAGE_SIZE], const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    print_sentence(text, format, arguments);
    va_end(arguments);
}

ag_status ag_error_set(ag_error *error, ag_status status, const char *format, ...)
{
    if (error && error->status == AG_OK) {
        va_list arguments;
        va_start(arguments, format);
        print_sentence(error->message, format, arguments);
        va_end(arguments);
        error->status = status;
    }
    return status;
}

const char *ag_plural(int64_t count, const char *one, const char *many)
{
    return count == 1 ? one : many;
}
