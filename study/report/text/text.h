/* text.h - documents as text for a terminal: what the files of this folder share. No line
 * is wider than style->width, unless a single character is.
 */
#ifndef STUDY_TEXT_H
#define STUDY_TEXT_H

#include "../document.h"
#include "../heat_grid.h"

/* ---- Parts of a document ----------------------------------------------------------- */

/* The options, with the defaults filled in. */
typedef study_text_options text_style;

void text_put_heats(pen *p, const document_part *part, const text_style *style);
void text_put_chart(pen *p, const document_part *part, const text_style *style);
void text_put_graph(pen *p, const document_part *part, const text_style *style);

/* ---- Words in lines, and letters that are bold or faint ---------------------------- */

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

/* ---- The cells of a heat map: characters or, with color, blocks of colour ---------- */

enum { TEXT_SHADES = 9 };

/* Writes a cell, `width` columns wide. */
void text_put_cell(pen *p, const heat_grid *grid, heat_cell cell, int width, bool color);
/* Writes "0  .:-=+*%#", all shades from 0 to high. With color each is `wide` columns
 * wide. */
void text_put_ramp(pen *p, int wide, bool color);

#endif
