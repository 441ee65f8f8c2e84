/* hangul.c - the arithmetic of Korean syllables: see hangul.h. */
#include "hangul.h"

#include "autograd.h"

enum {
    SYLLABLE = 0xAC00,
    LEADING = 0x1100,
    VOWEL = 0x1161,
    TRAILING = 0x11A7, /* one before the first: index 0 means that there is none */
    LEADING_COUNT = 19,
    VOWEL_COUNT = 21,
    TRAILING_COUNT = 28,
    SYLLABLE_COUNT = LEADING_COUNT * VOWEL_COUNT * TRAILING_COUNT
};

/* All jamo in the order of their code points, DATA_JAMO_BYTES bytes each. */
static const char leading[] = u8"\u1100\u1101\u1102\u1103\u1104\u1105\u1106\u1107\u1108\u1109"
                              u8"\u110A\u110B\u110C\u110D\u110E\u110F\u1110\u1111\u1112";
static const char vowels[] = u8"\u1161\u1162\u1163\u1164\u1165\u1166\u1167\u1168\u1169\u116A"
                             u8"\u116B\u116C\u116D\u116E\u116F\u1170\u1171\u1172\u1173\u1174\u1175";
static const char trailing[] = u8"\u11A8\u11A9\u11AA\u11AB\u11AC\u11AD\u11AE\u11AF\u11B0"
                               u8"\u11B1\u11B2\u11B3\u11B4\u11B5\u11B6\u11B7\u11B8\u11B9"
                               u8"\u11BA\u11BB\u11BC\u11BD\u11BE\u11BF\u11C0\u11C1\u11C2";

static bool continues(char byte)
{
    return ((unsigned char)byte & 0xC0) == 0x80;
}

/* The code point of the three bytes of UTF-8 with which text [size] begins; 0 if it
 * begins with a character of another length. */
static int code_of_three(const char *text, size_t size)
{
    const unsigned char *byte = (const unsigned char *)text;
    if (size < 3 || (byte[0] & 0xF0) != 0xE0)
        return 0;
    return (byte[0] & 0x0F) << 12 | (byte[1] & 0x3F) << 6 | (byte[2] & 0x3F);
}

const char *data_hangul_next(const char *text, size_t size, size_t *at)
{
    size_t part = 0; /* of the syllable's bytes: the one at which *at stands */
    while (part < 2 && part < *at && continues(text[*at - part]))
        part++;
    const size_t start = *at - part;
    const int index = code_of_three(text + start, size - start) - SYLLABLE;
    if (index < 0 || index >= SYLLABLE_COUNT)
        return NULL;
    const int l = index / (VOWEL_COUNT * TRAILING_COUNT), v = index / TRAILING_COUNT % VOWEL_COUNT,
              t = index % TRAILING_COUNT;
    if (part == 2 && t == 0)
        return NULL;
    *at += part == 1 && t == 0 ? 2 : 1;
    return part == 0   ? leading + (ptrdiff_t)DATA_JAMO_BYTES * l
           : part == 1 ? vowels + (ptrdiff_t)DATA_JAMO_BYTES * v
                       : trailing + (ptrdiff_t)DATA_JAMO_BYTES * (t - 1);
}

/* The code point of a token of three bytes, 0 for any other. */
static int code_of_token(const char *token)
{
    size_t size = 0;
    while (size <= DATA_JAMO_BYTES && token[size])
        size++;
    return size == DATA_JAMO_BYTES ? code_of_three(token, size) : 0;
}

data_jamo data_jamo_place(const char *token)
{
    const int code = code_of_token(token);
    if (code >= LEADING && code < LEADING + LEADING_COUNT)
        return DATA_JAMO_L;
    if (code >= VOWEL && code < VOWEL + VOWEL_COUNT)
        return DATA_JAMO_V;
    if (code > TRAILING && code < TRAILING + TRAILING_COUNT)
        return DATA_JAMO_T;
    return DATA_NO_JAMO;
}

void data_hangul_compose(const char *l, const char *v, const char *t, char syllable[5])
{
    int index = (code_of_token(l) - LEADING) * VOWEL_COUNT + code_of_token(v) - VOWEL;
    index = index * TRAILING_COUNT + (t ? code_of_token(t) - TRAILING : 0);
    ag_utf8_print((uint32_t)(SYLLABLE + index), syllable);
}
