/* terminal.h - words in lines, and letters that are bold or faint, in a terminal. */
#ifndef STUDY_TERMINAL_H
#define STUDY_TERMINAL_H

#include "../label.h"

/* Words that fill lines. Each call continues where the last ended. Line feeds in the text
 * stay; a longer line is broken between words, and a word wider than a line anywhere. */
typedef struct terminal_lines {
    pen *p;
    int width, column;
} terminal_lines;
void terminal_put_words(terminal_lines *lines, const char *text);
/* The text in lines of its own. */
void terminal_put_paragraph(pen *p, const char *text, int width);

/* Everything from here on is bold or faint, or normal again. Does nothing without
 * color. */
void terminal_bold(pen *p, bool color);
void terminal_faint(pen *p, bool color);
void terminal_normal(pen *p, bool color);
void terminal_repeat(pen *p, char character, int64_t count);

/* Begins the next entry of a legend, `width` columns wide: after `gap` columns, or on a
 * new line if this one has no room. *column is where the last entry ended; 0 at first. */
void terminal_next_entry(pen *p, int *column, int gap, int width, int line_width);

#endif
