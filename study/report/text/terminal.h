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

/* All letters from here on are bold or faint, or normal again. Does nothing without
 * color. The values are those of the escape sequences. */
typedef enum terminal_weight { TERMINAL_NORMAL = 0, TERMINAL_BOLD, TERMINAL_FAINT } terminal_weight;
void terminal_letters(pen *p, terminal_weight weight, bool color);
void terminal_repeat(pen *p, char character, int64_t count);

/* Begins the next entry of a legend, `width` columns wide: after `gap` columns, or on a
 * new line if this one has no room. *column is where the last entry ended; 0 at first. */
void terminal_next_entry(pen *p, int *column, int gap, int width, int line_width);

#endif
