/* words.c - see words.h. */
#include "words.h"

#include "autograd.h"
#include "text.h"
#include "unicode_table.h"

#include <string.h>

enum { BORDERS = sizeof unicode_borders / sizeof *unicode_borders, ASCII = 0x80 };

/* ---- Characters ---- */

/* The class of a character that is not white space: that of the last border at or before
 * it. */
static data_character class_in_table(uint32_t code)
{
    size_t low = 0, high = BORDERS; /* borders[low] <= code < borders[high] */
    while (high - low > 1) {
        const size_t middle = low + (high - low) / 2;
        if (unicode_borders[middle] >> 2 <= code)
            low = middle;
        else
            high = middle;
    }
    return (data_character)(unicode_borders[low] & 3);
}

static data_character class_of_ascii(unsigned char byte)
{
    if (byte == ' ' || (byte >= '\t' && byte <= '\r'))
        return DATA_SPACE;
    if (byte >= '0' && byte <= '9')
        return DATA_NUMBER;
    return (unsigned char)((byte | 0x20) - 'a') < 26 ? DATA_LETTER : DATA_OTHER;
}

data_character data_character_of(uint32_t code)
{
    char text[5];
    if (code < ASCII)
        return class_of_ascii((unsigned char)code);
    if (code > 0x10FFFF)
        return DATA_OTHER;
    return data_utf8_space(text, (size_t)ag_utf8_print(code, text)) ? DATA_SPACE : class_in_table(code);
}

/* The class of the character with which text [size] begins, and its bytes. */
static data_character next_class(const char *text, size_t size, size_t *bytes)
{
    *bytes = 1;
    if ((unsigned char)*text < ASCII)
        return class_of_ascii((unsigned char)*text);
    const int length = ag_utf8_length(text, size);
    if (length == 0)
        return DATA_OTHER;
    *bytes = (size_t)length;
    return data_utf8_space(text, size) ? DATA_SPACE : class_in_table(data_utf8_code(text, length));
}

/* ---- Words ---- */

/* The bytes of the contraction with which text [size] begins; 0 if there is none. */
static size_t contraction_size(const char *text, size_t size)
{
    static const char *const contractions[] = {"'s", "'t", "'re", "'ve", "'m", "'ll", "'d"};
    for (size_t i = 0; *text == '\'' && i < sizeof contractions / sizeof *contractions; i++) {
        const size_t length = strlen(contractions[i]);
        if (size >= length && memcmp(text, contractions[i], length) == 0)
            return length;
    }
    return 0;
}

/* The end of the characters of one class from text[at] on; *last is where the last of
 * them begins. */
static size_t run_end(const char *text, size_t size, size_t at, data_character class, size_t *last)
{
    size_t bytes;
    for (*last = at; at < size && next_class(text + at, size - at, &bytes) == class; at += bytes)
        *last = at;
    return at;
}

size_t data_word_size(const char *text, size_t size)
{
    size_t bytes, last, start = 0, length = contraction_size(text, size);
    if (length > 0)
        return length;
    data_character class = next_class(text, size, &bytes);
    if (*text == ' ' && size > 1) { /* the space before a word */
        class = next_class(text + 1, size - 1, &bytes);
        start = class == DATA_SPACE ? 0 : 1;
    }
    const size_t end = run_end(text, size, start, class, &last);
    return class == DATA_SPACE && end < size && last > 0 ? last : end;
}
