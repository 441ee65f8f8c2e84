/* lines.h - reads lines as they arrive, several at once where several are there. */
#ifndef CLI_LINES_H
#define CLI_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct cli_lines {
    int file;    /* descriptor */
    char *bytes; /* read and not yet returned: [begin, end) */
    size_t begin, end, capacity;
    bool at_end, failed;
    int64_t number; /* of the line returned last, counted from 1 */
} cli_lines;

void cli_lines_clear(cli_lines *lines);
/* The next line, without its line end (LF or CRLF) and zero-terminated, valid until the
 * next cli_lines_fill; NULL where no whole line has been read yet. *size is its length:
 * zero bytes may be inside. */
char *cli_lines_next(cli_lines *lines, size_t *size);
/* Waits for input and reads it. False at the end of the input, and where it cannot be
 * read (`failed`). */
bool cli_lines_fill(cli_lines *lines);

#endif
