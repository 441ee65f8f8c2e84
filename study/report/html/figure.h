/* figure.h - pictures as figures of a page, with what surrounds them. */
#ifndef STUDY_HTML_FIGURE_H
#define STUDY_HTML_FIGURE_H

#include "../pen.h"

/* Writes a heat map or chart as a <figure>: the picture, its caption and, if it is small,
 * its numbers as a table for readers who do not see it. `number` is unique on the
 * page. */
void html_put_heat(pen *p, const study_heat *heat, int64_t number);
void html_put_chart(pen *p, const study_chart *chart, int64_t number);

/* Writes ` name="text"`, escaped; nothing if there is no text. */
void html_put_attribute(pen *p, const char *name, const char *text);

#endif
