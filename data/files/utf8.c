/* utf8.c - the check that a text is well-formed UTF-8. */
#include "files.h"

size_t data_utf8_check(const char *text, size_t size)
{
    size_t at = 0;
    while (at < size) {
        int length = (unsigned char)text[at] < 0x80 ? 1 : ag_utf8_length(text + at, size - at);
        if (length == 0)
            return at;
        at += (size_t)length;
    }
    return size;
}
