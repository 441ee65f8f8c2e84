/* label.h - tokens and names as labels: on one line, of known width, and unable to steer
 * a terminal.
 *
 * A label is the text as ag_text_show shows it, with spaces at its ends as open boxes
 * and, where it is wider than allowed, cut with an ellipsis. Text with letters that are
 * written from right to left stands in an isolate (Unicode's bidi algorithm, UAX #9), so
 * that it does not reorder what is beside it. NULL counts as "".
 *
 * Width is counted in columns of a terminal: 2 for East Asian letters and emoji, 0 for
 * combining marks, else 1.
 */
#ifndef STUDY_LABEL_H
#define STUDY_LABEL_H

#include "pen.h"

enum { LABEL_WIDEST = 1 << 20 }; /* columns where counting stops */

/* Whether there is any text: neither NULL nor empty. */
bool label_has_text(const char *text);

/* Appends the label, cut to `columns` columns (0: never), with entities if `escaped`. */
void pen_put_label(pen *p, const char *text, int columns, bool escaped);
/* Appends the label uncut and without isolate: a word of a text of one direction. */
void pen_put_word(pen *p, const char *text);
/* Appends as many characters of such a word as fit into `columns`, but at least one, and
 * moves *text past them. Returns their width. */
int pen_put_fitting(pen *p, const char **text, int columns);
/* Appends character number `index` of the label with its combining marks: for labels that
 * are written downwards. Returns its width; 0 after the end. */
int pen_put_glyph(pen *p, const char *text, int index);

/* The width of the label cut to `columns` (0: never). */
int label_width(const char *text, int columns);
bool label_is_cut(const char *text, int columns);

/* Whether the label needs an isolate. */
bool label_is_isolated(const char *text);
#define LABEL_ISOLATE  "\xE2\x81\xA8" /* U+2068, first strong isolate */
#define LABEL_ISOLATED "\xE2\x81\xA9" /* U+2069, its end */

#endif
