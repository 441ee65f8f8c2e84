/* format_lines.c - the lines that the readers of formats make: see format.h. */
#include "files/grow.h"
#include "format.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>

/* ---- Lines ------------------------------------------------------------------------- */

void data_lines_clear(data_lines *lines)
{
    free(lines->text);
    free(lines->numbers);
    *lines = (data_lines){0};
}

bool data_lines_put(data_lines *lines, const char *text, size_t size)
{
    if (!data_grow(lines->text, lines->size + size, &lines->capacity))
        return false;
    if (size > 0)
        memcpy(lines->text + lines->size, text, size);
    lines->size += size;
    return true;
}

bool data_lines_begin(data_lines *lines, int64_t number)
{
    if (number > UINT32_MAX || !data_grow(lines->numbers, lines->count, &lines->number_capacity))
        return false;
    lines->numbers[lines->count++] = (uint32_t)number;
    return true;
}

bool data_lines_end(data_lines *lines)
{
    return data_lines_put(lines, "\n", 1);
}

/* The bytes at text[at] that a cell has one space for: CRLF, or one of CR, LF, TAB; 0:
 * none. */
static size_t cell_space(data_view text, size_t at)
{
    const char byte = text.text[at];
    if (byte == '\r' && at + 1 < text.size && text.text[at + 1] == '\n')
        return 2;
    return byte == '\r' || byte == '\n' || byte == '\t';
}

bool data_lines_put_cell(data_lines *lines, data_view text, bool quoted)
{
    size_t begin = 0;
    for (size_t at = 0, space; at < text.size; at += space) {
        const bool second_quote = quoted && text.text[at] == '"';
        space = cell_space(text, at);
        if (!space && !second_quote) {
            space = 1;
            continue;
        }
        if (!data_lines_put(lines, text.text + begin, at - begin) || !data_lines_put(lines, space ? " " : "\"", 1))
            return false;
        space += second_quote ? 2 : 0;
        begin = at + space;
    }
    return begin >= text.size || data_lines_put(lines, text.text + begin, text.size - begin);
}

bool data_lines_put_word(data_lines *lines, data_view text)
{
    bool done = true;
    while (text.size > 0 && done) {
        const int space = data_utf8_space(text.text, text.size);
        const size_t taken = space ? (size_t)space : (size_t)ag_utf8_length(text.text, text.size);
        done = data_lines_put(lines, space ? "_" : text.text, space ? 1 : taken);
        text = (data_view){text.text + taken, text.size - taken};
    }
    return done;
}

ag_status data_lines_no_memory(const data_format_input *input)
{
    return ag_error_set(input->error, AG_NO_MEMORY, "%s: no memory for its pairs, or more than %lld lines", input->name,
                        (long long)UINT32_MAX);
}

/* ---- Views ------------------------------------------------------------------------- */

bool data_view_cut(data_view *rest, char mark, data_view *first)
{
    const char *found = rest->size ? memchr(rest->text, mark, rest->size) : NULL;
    const size_t size = found ? (size_t)(found - rest->text) : rest->size, taken = size + (found ? 1 : 0);
    *first = (data_view){rest->text, size};
    *rest = (data_view){rest->text + taken, rest->size - taken};
    return found != NULL;
}

bool data_view_empty(data_view text)
{
    return data_text_empty(text.text, text.size);
}

data_view data_view_after_tags(data_view source)
{
    size_t start = source.size;
    while (start > 0 && source.text[start - 1] != '\t')
        start--;
    return (data_view){source.text + start, source.size - start};
}
