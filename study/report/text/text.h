/* text.h - the parts of a document as text for a terminal. No line is wider than
 * style->width, unless a single character is.
 */
#ifndef STUDY_TEXT_H
#define STUDY_TEXT_H

#include "../document.h"
#include "../pen.h"

/* The options, with the defaults filled in. */
typedef study_text_options text_style;

void text_put_heats(pen *p, const document_part *part, const text_style *style);
void text_put_chart(pen *p, const document_part *part, const text_style *style);

#endif
