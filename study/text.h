/* text.h - the parts of a document as text, for a terminal. */
#ifndef STUDY_TEXT_H
#define STUDY_TEXT_H

#include "draw.h"

enum { TEXT_WIDTH = 100 }; /* columns that drawings and paragraphs keep to */

void text_put_heats(pen *p, const document_part *part, bool color);
void text_put_chart(pen *p, const study_chart *chart, bool color);

/* What stands behind it is bold or faint, or again as usual; nothing without color. */
void text_bold(pen *p, bool color);
void text_faint(pen *p, bool color);
void text_usual(pen *p, bool color);
void text_repeat(pen *p, char character, int64_t count);

#endif
