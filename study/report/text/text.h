/* text.h - the parts of a document as text, for a terminal. No line is wider than
 * style->width, wherever a glyph fits that at all. */
#ifndef STUDY_TEXT_H
#define STUDY_TEXT_H

#include "../draw.h"

enum { TEXT_WIDTH = 80, TEXT_NARROWEST = 20 }; /* columns: the default, and what is drawn for at least */

/* The options, complete. */
typedef study_text_options text_style;

void text_put_heats(pen *p, const document_part *part, const text_style *style);
void text_put_chart(pen *p, const study_chart *chart, const text_style *style);

/* Words that fill lines: what is put goes on where the last ended. Its own line breaks
 * stay, longer lines are broken between words, and longer words wherever the line
 * ends. */
typedef struct text_lines {
    pen *p;
    int width, column;
} text_lines;
void text_put_words(text_lines *lines, const char *text);
/* The text in lines of its own. */
void text_put_paragraph(pen *p, const char *text, int width);

/* What stands behind it is bold or faint, or again as usual; nothing without color. */
void text_bold(pen *p, bool color);
void text_faint(pen *p, bool color);
void text_usual(pen *p, bool color);
void text_repeat(pen *p, char character, int64_t count);

#endif
