/* text.c - a text: which bytes it may hold, its lines, its white space. */
#include "text.h"

#include "data.h"

#include <stdio.h>
#include <string.h>

/* A remedy for zero bytes. Every other byte is zero in the UTF-16 of most alphabets,
 * the upper two of four in all UTF-32. */
static const char *remedy_of_zeros(const char *text, size_t size)
{
    size_t zeros[4] = {0}, seen = size < 64 ? size : 64;
    for (size_t i = 0; i < seen; i++)
        zeros[i % 4] += text[i] == 0;
    const size_t even = zeros[0] + zeros[2], odd = zeros[1] + zeros[3];
    if (seen < 2 || 4 * (even + odd) < seen)
        return "is it text?";
    if (8 * zeros[2] >= seen && 8 * zeros[3] >= seen)
        return "if the text is UTF-32: iconv -f UTF-32LE -t UTF-8";
    if (8 * zeros[0] >= seen && 8 * zeros[1] >= seen)
        return "if the text is UTF-32: iconv -f UTF-32BE -t UTF-8";
    return odd > even ? "if the text is UTF-16: iconv -f UTF-16LE -t UTF-8"
                      : "if the text is UTF-16: iconv -f UTF-16BE -t UTF-8";
}

/* The first bytes by which a file that is not UTF-8 can be recognised. */
typedef struct beginning {
    const char *bytes;
    size_t size;
    const char *remedy;
} beginning;

static const beginning beginnings[] = {
    {"\xFF\xFE\0", 4, "the text is UTF-32: iconv -f UTF-32 -t UTF-8"}, /* before UTF-16, whose mark is its first half */
    {"\0\0\xFE\xFF", 4, "the text is UTF-32: iconv -f UTF-32 -t UTF-8"},
    {"\xFF\xFE", 2, "the text is UTF-16: iconv -f UTF-16 -t UTF-8"},
    {"\xFE\xFF", 2, "the text is UTF-16: iconv -f UTF-16 -t UTF-8"},
    {"\x1F\x8B", 2, "the file is compressed: gunzip"},
    {"\xFD"
     "7zXZ",
     5, "the file is compressed: unxz"},
    {"\x28\xB5\x2F\xFD", 4, "the file is compressed: unzstd"},
    {"BZh", 3, "if the file is compressed: bunzip2"},
    {"PK\3\4", 4, "this is a ZIP archive, as spreadsheets are: save the sheet as text with tabs"},
};

/* How to make UTF-8 of a text whose byte `bad` is wrong. */
static const char *remedy(const char *text, size_t size, size_t bad)
{
    for (size_t i = 0; i < sizeof beginnings / sizeof *beginnings; i++)
        if (size >= beginnings[i].size && memcmp(text, beginnings[i].bytes, beginnings[i].size) == 0)
            return beginnings[i].remedy;
    if (memchr(text, 0, size))
        return remedy_of_zeros(text, size);
    for (size_t i = 0; i < bad; i++)
        if ((unsigned char)text[i] >= 0x80) /* it has well-formed characters, too */
            return "iconv -c -f UTF-8 -t UTF-8 leaves such bytes out";
    return "if the text is Latin-1: iconv -f LATIN1 -t UTF-8";
}

size_t data_text_check(const char *text, size_t size, char reason[DATA_TEXT_REASON])
{
    const char *zero = size ? memchr(text, 0, size) : NULL;
    size_t end = zero ? (size_t)(zero - text) : size;
    size_t bad = data_utf8_check(text, end);
    if (bad < size && reason)
        snprintf(reason, DATA_TEXT_REASON, "%s (%s)",
                 bad < end ? "is not well-formed UTF-8" : "is zero, which no text holds", remedy(text, size, bad));
    return bad;
}

ag_status data_text_refuse(const char *name, const char *text, size_t size, ag_error *error)
{
    char reason[DATA_TEXT_REASON];
    const size_t bad = data_text_check(text, size, reason);
    return bad == size ? AG_OK : data_byte_refuse(name, text, bad, reason, error);
}

ag_status data_byte_refuse(const char *name, const char *text, size_t bad, const char *reason, ag_error *error)
{
    size_t line_start = 0;
    long long line = 1;
    for (size_t i = 0; i < bad; i++)
        if (text[i] == '\n') {
            line++;
            line_start = i + 1;
        }
    return ag_error_set(error, AG_BAD_FILE, "%s:%lld: byte %zu of the line %s", name, line, bad - line_start + 1,
                        reason);
}

size_t data_text_start(const char *text, size_t size)
{
    return size >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
}

bool data_line_next(const char *text, size_t size, size_t *at, const char **line, size_t *line_size)
{
    if (*at >= size)
        return false;
    const char *start = text + *at, *feed = memchr(start, '\n', size - *at);
    size_t length = feed ? (size_t)(feed - start) : size - *at;
    *at += length + (feed ? 1 : 0);
    length -= length > 0 && start[length - 1] == '\r';
    *line = start;
    *line_size = length;
    return true;
}

bool data_text_empty(const char *text, size_t size)
{
    for (int space; size > 0 && (space = data_utf8_space(text, size)) > 0; text += space)
        size -= (size_t)space;
    return size == 0;
}

static bool between(unsigned char byte, unsigned char low, unsigned char high)
{
    return byte >= low && byte <= high;
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

uint32_t data_utf8_code(const char *text, int length)
{
    uint32_t code = length == 1 ? (unsigned char)*text : (unsigned char)*text & (0x7Fu >> length);
    for (int i = 1; i < length; i++)
        code = code << 6 | ((unsigned char)text[i] & 0x3Fu);
    return code;
}
