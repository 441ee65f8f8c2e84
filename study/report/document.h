/* document.h - the inside of documents, for the files of study/ that build and draw them.
 *
 * document.c builds; text.c draws in a terminal, svg_heat.c and svg_chart.c make pictures, html.c the report. What all
 * of them need to draw a part the same way is here: a pen, labels, heat maps as grids, axes, the style. */
#ifndef STUDY_DOCUMENT_H
#define STUDY_DOCUMENT_H

#include "study.h"

typedef enum document_part_kind {
    PART_HEADING,
    PART_TEXT,
    PART_VERDICT,
    PART_EXAMPLE,
    PART_TABLE,
    PART_HEATS,
    PART_CHART,
    PART_ROW_BEGIN,
    PART_ROW_END
} document_part_kind;

/* One part; all it points to is the document's own memory. */
typedef struct document_part {
    document_part_kind kind;
    const char *text;     /* heading, paragraph, note of an example, caption of a table */
    const char *sides[2]; /* of an example, where NULL is none; what a verdict expects, and what was measured */
    bool holds;           /* of a verdict */
    bool folded;          /* of a table */
    int64_t rows, columns;
    const char *const *cells; /* of a table */
    const study_heat *heats;  /* [heat_count] */
    int64_t heat_count;
    bool side_by_side;
    study_chart chart;
    struct document_part *next;
} document_part;

struct study_document {
    const char *title;
    document_part *first, *last;
    struct document_block *blocks; /* the memory, freed together */
    ag_error error;
};

/* What a document is shown by begins here: AG_OK, or the error of a document that is NULL or not whole. */
ag_status document_check(const study_document *document, ag_error *error) AG_CHECKED;

/* ---- The pen: text that grows --------------------------------------------------------------- */

/* Its first failure to find memory stays. A zeroed one is empty; its text is to be freed. */
typedef struct pen {
    char *text; /* [length + 1], with a final zero; NULL before anything was put */
    size_t length, capacity;
    bool failed;
} pen;
/* `format` is that of ag_text_print. A number that may be NaN or infinite is for
 * pen_put_number. */
void pen_put(pen *p, const char *format, ...) AG_PRINTF(2, 3);
void pen_put_bytes(pen *p, const char *bytes, size_t count);
/* A number as %.{digits}g writes it; "NaN", "infinity", "-infinity". */
void pen_put_number(pen *p, double value, int digits);
/* The same with at most `decimals` places after the point, zeros at its end left out: for coordinates. */
void pen_put_fixed(pen *p, double value, int decimals);
/* The text as ag_text_show shows it (tab and line feed stay as they are), with & < > " '
 * as entities, for HTML and SVG. NULL is as "". */
void pen_put_escaped(pen *p, const char *text);
/* Writes the text to the file `path`, whole or not at all; `what` it is, for the sentence where memory ran out. */
ag_status pen_save(const pen *p, const char *path, const char *what, ag_error *error) AG_CHECKED;

/* ---- Labels --------------------------------------------------------------------------------- */

enum { LABEL_WIDEST = 1 << 20 }; /* where counting of columns ends */

/* A token as a label shows it, with entities where `escaped`: as ag_text_show shows it,
 * so no label steers a terminal; spaces at its ends as open boxes; cut with an ellipsis
 * where it takes more than `columns` columns (0: never). NULL is as "". */
void pen_put_label(pen *p, const char *text, int columns, bool escaped);
/* The same, whole and without an isolate: a word among others that it is written in one
 * direction with. */
void pen_put_word(pen *p, const char *text);
/* Puts as many characters of such a word as fit into `columns` columns, one at least, and
 * moves *text past them. Returns the columns that they take. */
int pen_put_part(pen *p, const char **text, int columns);
/* Whether letters that are written from right to left are in it. Such a label stands in
 * an isolate (Unicode's bidi algorithm, UAX #9), so that it turns nothing around it: what
 * is left of it stays there. */
bool label_is_isolated(const char *text);
#define LABEL_ISOLATE  "\xE2\x81\xA8" /* U+2068, first strong isolate */
#define LABEL_ISOLATED "\xE2\x81\xA9" /* U+2069, its end */
/* The columns that this takes: 2 for East Asian letters and emoji, 0 for marks over the letter before, else 1. */
int label_width(const char *text, int columns);
bool label_is_cut(const char *text, int columns);
/* The label's character number `index` alone, with its marks: for labels that are written downward. Returns its width,
 * 0 behind the end. */
int pen_put_glyph(pen *p, const char *text, int index);

/* ---- Style ---------------------------------------------------------------------------------- */

enum { STYLE_LEVELS = 33, STYLE_LINES = 8 }; /* colours of heat maps from 0 to high, and of lines */
#define STYLE_SANS      "system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif"
#define STYLE_MONOSPACE "ui-monospace,'SF Mono',Menlo,Consolas,'DejaVu Sans Mono',monospace"

/* Declarations of the custom properties that all pictures use, to stand between braces,
 * without line breaks:
 *     --paper --ink (text) --soft (minor text) --faint (grid) --padding --padded (its labels) --hatch --alarm --good
 *     --heat-0 .. --heat-32 (from 0 to high), --on-0 .. --on-32 (text on these), --line-0 .. --line-7
 * A page puts them at :root, light and (under its own condition) dark, and may use them
 * for itself. */
void style_put_colours(pen *p, bool dark);
/* The rules by which pictures use them; every selector begins with ".study-picture". Once in a page. */
void style_put_rules(pen *p);

/* ---- Pictures ------------------------------------------------------------------------------- */

/* One picture as an <svg class="study-picture" role="img"> element, with a title and a description for those who do not
 * see it. `id`, of letters, digits and '-', makes the names inside unique in a page whose style holds the above. With
 * NULL it stands alone: it has a background and its own style, light and dark.
 *
 * A cell of a heat map of up to 64 x 64 is
 *     <rect class="cell heat-17" data-row="0" data-column="3" data-value="0.87" ...><title>m -> r: 0.87</title></rect>
 * or of class "cell masked", "cell padding", "cell leak" (masked, and yet not 0), "cell strange" (not finite). Larger
 * maps are paths of many cells, without data. */
void svg_heat(pen *p, const study_heat *heat, const char *id);
/* Of a picture with an id, which has no title in it: the labels of its rows on the page's
 * ground, as an <svg class="study-picture rows" aria-hidden="true"> that a page lays over
 * the picture and keeps in sight. `shape` gets what both measure. */
typedef struct svg_shape {
    double width, rows_width, rows_height; /* of the picture, and of the labels */
} svg_shape;
void svg_heat_rows(pen *p, const study_heat *heat, const char *id, svg_shape *shape);
void svg_chart(pen *p, const study_chart *chart, const char *id);

#endif
