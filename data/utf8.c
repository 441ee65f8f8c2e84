/* utf8.c - text that is well-formed UTF-8, and its white space. */
#include "utf8.h"

#include "data.h"

#include <string.h>

static bool between(unsigned char byte, unsigned char low, unsigned char high)
{
    return byte >= low && byte <= high;
}

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

size_t data_text_check(const char *text, size_t size, const char **why)
{
    const char *zero = size ? memchr(text, 0, size) : NULL;
    size_t end = zero ? (size_t)(zero - text) : size;
    size_t bad = data_utf8_check(text, end);
    *why = bad < end ? "is not well-formed UTF-8" : "is zero, which no text holds";
    return bad;
}

int data_utf8_space(const char *text, size_t size)
{
    const unsigned char *byte = (const unsigned char *)text;
    if (size == 0)
        return 0;
    if (byte[0] < 0x80)
        return byte[0] == ' ' || between(byte[0], '\t', '\r');
    if (size >= 2 && byte[0] == 0xC2)
        return byte[1] == 0x85 || byte[1] == 0xA0 ? 2 : 0; /* U+0085, U+00A0 */
    if (size < 3)
        return 0;
    unsigned code = (unsigned)(byte[0] & 0x0F) << 12 | (unsigned)(byte[1] & 0x3F) << 6 | (unsigned)(byte[2] & 0x3F);
    if (!between(byte[0], 0xE0, 0xEF))
        return 0;
    bool space = code == 0x1680 || (code >= 0x2000 && code <= 0x200A) || code == 0x2028 || code == 0x2029 ||
                 code == 0x202F || code == 0x205F || code == 0x3000;
    return space ? 3 : 0;
}
