/* show.c - foreign text inside an error's sentence. */
#include "show.h"

#include <stdarg.h>
#include <string.h>

char *data_text_show(const char *text, char *out, size_t size)
{
    size_t length = 0;
    for (; text[length] && length + 1 < size; length++)
        out[length] = (unsigned char)text[length] < 0x20 || text[length] == 0x7F ? '?' : text[length];
    if (text[length]) { /* cut, but not within a UTF-8 sequence */
        length -= 3;
        while (length > 0 && ((unsigned char)text[length] & 0xC0) == 0x80)
            length--;
        memcpy(out + length, "...", 3);
        length += 3;
    }
    out[length] = '\0';
    return out;
}

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
