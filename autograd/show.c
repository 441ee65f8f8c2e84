/* show.c - text from outside made safe to print: each character that steers a terminal,
 * turns the direction of text or is no text at all is replaced by one visible sign. */
#include "text.h"

#include <stdbool.h>
#include <string.h>

enum {
    REPLACEMENT = 0xFFFD,
    CONTROL_SIGNS = 0x2400, /* U+240A shows a line feed, and so on */
    DELETE_SIGN = 0x2421
};

/* ---- UTF-8 ------------------------------------------------------------------------- */

static bool is_between(unsigned char byte, unsigned char low, unsigned char high)
{
    return byte >= low && byte <= high;
}

/* The rules of RFC 3629 section 4: the second byte's range depends on the first, which
 * excludes overlong forms (E0, F0), surrogates (ED) and what is above U+10FFFF (F4); all
 * later bytes are 80..BF. */
int ag_utf8_length(const char *text, size_t size)
{
    const unsigned char *byte = (const unsigned char *)text;
    if (size == 0)
        return 0;
    if (byte[0] < 0x80)
        return 1;

    unsigned char low = 0x80, high = 0xBF;
    int length;
    if (is_between(byte[0], 0xC2, 0xDF)) {
        length = 2;
    } else if (is_between(byte[0], 0xE0, 0xEF)) {
        length = 3;
        if (byte[0] == 0xE0)
            low = 0xA0;
        else if (byte[0] == 0xED)
            high = 0x9F;
    } else if (is_between(byte[0], 0xF0, 0xF4)) {
        length = 4;
        if (byte[0] == 0xF0)
            low = 0x90;
        else if (byte[0] == 0xF4)
            high = 0x8F;
    } else {
        return 0;
    }
    if (size < (size_t)length || !is_between(byte[1], low, high))
        return 0;
    for (int i = 2; i < length; i++)
        if (!is_between(byte[i], 0x80, 0xBF))
            return 0;
    return length;
}

static uint32_t code_of(const char *text, int length)
{
    const unsigned char *byte = (const unsigned char *)text;
    uint32_t code = length == 1 ? byte[0] : byte[0] & (0x7Fu >> length);
    for (int i = 1; i < length; i++)
        code = code << 6 | (byte[i] & 0x3Fu);
    return code;
}

/* ---- Signs for unfit characters ---------------------------------------------------- */

/* By Unicode's chart of format characters. The joiners U+200C and U+200D stay: words of
 * Persian and Hindi need them. */
static const struct range {
    uint32_t first, last;
} unfit[] = {
    {0x80, 0x9F},       /* C1 controls */
    {0x61C, 0x61C},     /* Arabic letter mark */
    {0x200B, 0x200B},   /* zero width space */
    {0x200E, 0x200F},   /* left-to-right and right-to-left mark */
    {0x2028, 0x202E},   /* separators of lines, paragraphs; turns of direction */
    {0x2060, 0x206F},   /* invisible operators; isolates of direction; deprecated */
    {0xFDD0, 0xFDEF},   /* no characters (beside the last two of each plane) */
    {0xFEFF, 0xFEFF},   /* byte order mark */
    {0xFFF9, 0xFFFB},   /* interlinear annotations */
    {0xE0000, 0xE007F}, /* tags */
};

static uint32_t sign_of(uint32_t code)
{
    if (code < 0x20)
        return CONTROL_SIGNS + code;
    if (code == 0x7F)
        return DELETE_SIGN;
    for (size_t i = 0; i < sizeof unfit / sizeof *unfit; i++)
        if (code >= unfit[i].first && code <= unfit[i].last)
            return REPLACEMENT;
    /* The last two code points of each plane are no characters. */
    return (code & 0xFFFE) == 0xFFFE ? REPLACEMENT : code;
}

int ag_text_show_next(const char *text, size_t size, uint32_t *code)
{
    int length = ag_utf8_length(text, size);
    *code = sign_of(length ? code_of(text, length) : REPLACEMENT);
    return length || !size ? length : 1;
}

int ag_utf8_print(uint32_t code, char text[5])
{
    int length = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    static const unsigned lead[] = {0, 0, 0xC0, 0xE0, 0xF0};
    text[length] = 0;
    for (int i = length - 1; i > 0; i--, code >>= 6)
        text[i] = (char)(0x80 | (code & 0x3F));
    text[0] = (char)(lead[length] | code);
    return length;
}

char *ag_text_show(const char *text, char *out, size_t size)
{
    size_t left = strlen(text), length = 0;
    size_t whole = 0; /* the length up to which "..." still fits after it */
    while (left > 0) {
        uint32_t code;
        char shown[5];
        int taken = ag_text_show_next(text, left, &code);
        size_t room = (size_t)ag_utf8_print(code, shown);
        if (length + room >= size) {
            memcpy(out + whole, "...", 4);
            return out;
        }
        memcpy(out + length, shown, room);
        length += room;
        if (length + 3 < size)
            whole = length;
        text += taken;
        left -= (size_t)taken;
    }
    out[length] = 0;
    return out;
}
