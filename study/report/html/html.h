/* html.h - documents as one HTML file: what the files of this folder share. */
#ifndef STUDY_HTML_H
#define STUDY_HTML_H

#include "../pen.h"

/* ---- Pictures as figures of a page, with what surrounds them (figure.c) ------------ */

/* Writes a heat map, chart or graph as a <figure>: the picture, its caption and, of a
 * small map or chart, its numbers as a table for readers who do not see it. `number` is
 * unique on the page. */
void html_put_heat(pen *p, const study_heat *heat, int64_t number);
void html_put_chart(pen *p, const study_chart *chart, int64_t number);
void html_put_graph(pen *p, const study_graph *graph, int64_t number);

/* Writes ` name="text"`, escaped; nothing if there is no text. */
void html_put_attribute(pen *p, const char *name, const char *text);

/* ---- What all reports have in common: their style and their script (page.c) -------- */

/* Pieces of the text, to be written one after the other; NULL ends them. (One string of
 * this length is more than C requires a compiler to accept.) */
extern const char *const html_style[], *const html_script[];

/* The SHA-256 of the whole script in base64, by which the page's security policy
 * recognises it. No other script runs, so none can be smuggled in by a token. After the
 * script has changed, tests/study/test_study_html.c says what the hash must be. */
extern const char html_script_hash[];

#endif
