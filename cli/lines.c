/* lines.c - see lines.h. */
#include "lines.h"

#include "data.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define READ_SIZE ((size_t)1 << 18)

void cli_lines_clear(cli_lines *lines)
{
    free(lines->bytes);
    *lines = (cli_lines){.file = lines->file};
}

char *cli_lines_next(cli_lines *lines, size_t *size)
{
    size_t left = lines->end - lines->begin;
    if (!left)
        return NULL;
    char *line = lines->bytes + lines->begin, *feed = memchr(line, '\n', left);
    if (!feed && !lines->at_end)
        return NULL;
    size_t taken = 0, start = lines->number++ ? 0 : data_text_start(line, left);
    const char *whole;
    data_line_next(line, left, &taken, &whole, size);
    lines->begin += taken;
    line[*size] = 0; /* the buffer has room for one byte after the last */
    *size -= start;
    return line + start;
}

/* Moves the remaining bytes to the front and makes room for one more read. */
static bool make_room(cli_lines *lines)
{
    if (lines->begin)
        memmove(lines->bytes, lines->bytes + lines->begin, lines->end - lines->begin);
    lines->end -= lines->begin;
    lines->begin = 0;
    if (lines->capacity - lines->end > READ_SIZE)
        return true;
    size_t capacity = 2 * lines->capacity + 2 * READ_SIZE;
    char *bytes = realloc(lines->bytes, capacity);
    if (!bytes)
        return false;
    lines->bytes = bytes;
    lines->capacity = capacity;
    return true;
}

bool cli_lines_fill(cli_lines *lines)
{
    if (lines->at_end || lines->failed)
        return false;
    if (!make_room(lines)) {
        lines->failed = true;
        return false;
    }
    ssize_t got = read(lines->file, lines->bytes + lines->end, READ_SIZE);
    if (got < 0) {
        lines->failed = errno != EINTR; /* after a signal, the caller decides whether to go on */
        return errno == EINTR;
    }
    lines->at_end = got == 0;
    lines->end += (size_t)got;
    return true;
}
