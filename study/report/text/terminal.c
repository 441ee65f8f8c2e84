/* terminal.c - words in lines: see text.h. */
#include "text.h"

#include <string.h>

void terminal_letters(pen *p, terminal_weight weight, bool color)
{
    if (color)
        pen_put(p, "\033[%dm", (int)weight);
}

void terminal_repeat(pen *p, char character, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        pen_put_bytes(p, &character, 1);
}

/* ---- Words ------------------------------------------------------------------------- */

/* A word that is wider than a line, in lines of its own. */
static void put_long_word(terminal_lines *lines, const char *word)
{
    while (*word) {
        pen_put(lines->p, "%s", lines->column > 0 ? "\n" : "");
        lines->column = pen_put_fitting(lines->p, &word, lines->width);
    }
}

/* Puts the word text[0..size) after its spaces. Control characters become visible
 * signs. */
static void put_word(terminal_lines *lines, int spaces, const char *text, size_t size)
{
    pen word = {0};
    pen_put_bytes(&word, text, size);
    const int width = label_width(word.text, 0);
    const bool breaks = lines->column > 0 && lines->column + spaces + width > lines->width;
    pen_put(lines->p, "%s", breaks ? "\n" : "");
    terminal_repeat(lines->p, ' ', breaks ? 0 : spaces);
    lines->column = breaks ? 0 : lines->column + spaces;
    if (lines->column + width > lines->width) {
        put_long_word(lines, pen_text(&word));
    } else {
        pen_put_word(lines->p, word.text);
        lines->column += width;
    }
    pen_discard(lines->p, &word);
}

void terminal_put_words(terminal_lines *lines, const char *text)
{
    while (*text) {
        size_t spaces = strspn(text, " "), size = strcspn(text + spaces, " \n");
        if (size > 0)
            put_word(lines, (int)spaces, text + spaces, size);
        text += spaces + size;
        if (*text == '\n') {
            pen_put(lines->p, "\n");
            lines->column = 0;
            text++;
        }
    }
}

void terminal_put_paragraph(pen *p, const char *text, int width)
{
    terminal_lines lines = {.p = p, .width = width};
    terminal_put_words(&lines, text);
    pen_put(p, "\n");
}

void terminal_next_entry(pen *p, int *column, int gap, int width, int line_width)
{
    const bool breaks = *column > 0 && *column + gap + width > line_width;
    const int before = *column > 0 && !breaks ? *column + gap : 0;
    pen_put(p, "%s", breaks ? "\n" : "");
    terminal_repeat(p, ' ', before ? gap : 0);
    *column = before + width;
}
