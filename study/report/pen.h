/* pen.h - a text that grows: numbers and foreign text in it are right in any locale and
 * on any page.
 */
#ifndef STUDY_PEN_H
#define STUDY_PEN_H

#include "report.h"

/* A text under construction. { 0 } is empty; the owner frees `text`. When memory runs
 * out, `failed` is set and all later calls do nothing, so one check at the end is
 * enough. */
typedef struct pen {
    char *text; /* [length + 1], ending with a zero byte; NULL before the first byte */
    size_t length, capacity;
    bool failed;
} pen;

/* Appends by a format as of ag_text_print. For numbers that may be NaN or infinite use
 * pen_put_number. */
void pen_put(pen *p, const char *format, ...) AG_PRINTF(2, 3);
void pen_put_bytes(pen *p, const char *bytes, size_t count);
/* Appends a number as %.{digits}g; else "NaN", "infinity" or "-infinity". */
void pen_put_number(pen *p, double value, int digits);
/* Appends a coordinate: at most `decimals` digits after the point, no zeros at the
 * end. */
void pen_put_fixed(pen *p, double value, int decimals);
/* Appends `form` with each '@' replaced by the next of `values`, as pen_put_fixed writes
 * it. The form thus shows the element that it makes:
 *
 *     pen_put_fixed_all(p, "<path d=\"M@ @h@\"/>", 2, (double[]){x, y, width});
 */
void pen_put_fixed_all(pen *p, const char *form, int decimals, const double *values);
/* Appends text for HTML and SVG: & < > " ' become entities, and control characters
 * visible signs, as ag_text_show makes them, except tab and line feed. NULL counts as
 * "". */
void pen_put_escaped(pen *p, const char *text);
/* Appends `before`, the text escaped, `after`. */
void pen_put_between(pen *p, const char *before, const char *text, const char *after);

/* The text so far; "" if there is none. */
const char *pen_text(const pen *p);
/* Frees a scratch pen whose text was used for p. If the scratch pen failed, so has p. */
void pen_discard(pen *p, pen *scratch);
/* Writes the text to the file `path`, completely or not at all. `what` names it in the
 * error if out of memory: "a picture". AG_NO_MEMORY, AG_IO. */
ag_status pen_save(const pen *p, const char *path, const char *what, ag_error *error) AG_CHECKED;

#endif
