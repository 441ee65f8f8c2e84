/* svg.h - heat maps, charts and graphs as pictures, and the elements that pictures share.
 *
 * A picture is an <svg class="study-picture" role="img"> element with a title and, for
 * readers who do not see it, a description. Its `id` (letters, digits, '-') makes the
 * names inside it unique on a page whose style has the colours and rules of style.h. A
 * picture without `id` (NULL) stands alone: it has a background and a style of its own,
 * light and dark.
 */
#ifndef STUDY_SVG_H
#define STUDY_SVG_H

#include "../label.h"

/* ---- Pictures ---------------------------------------------------------------------- */

/* A heat map. Up to 64 x 64, each cell is an element,
 *
 *     <rect class="cell heat-17" data-row="0" data-column="3" data-value="0.87" ...>
 *     <title>m -> r: 0.87</title></rect>
 *
 * or of class "cell masked", "cell padding", "cell leak" (masked and yet not 0) or "cell
 * strange" (not finite). Larger maps are paths of many cells, without data. */
void svg_heat(pen *p, const study_heat *heat, const char *id);
/* The row labels of a heat map that has an id, as a picture of their own, an <svg
 * class="study-picture rows" aria-hidden="true">: a page lays it over the map to keep the
 * labels in sight. *shape becomes the size of both. */
typedef struct svg_shape {
    double width, rows_width, rows_height; /* of the map; of the picture of labels */
} svg_shape;
void svg_heat_rows(pen *p, const study_heat *heat, const char *id, svg_shape *shape);

void svg_chart(pen *p, const study_chart *chart, const char *id);
void svg_graph(pen *p, const study_graph *graph, const char *id);

/* The size in which a picture would be drawn; of a graph 0 if out of memory. */
typedef struct svg_size {
    double width, height;
} svg_size;
svg_size svg_heat_size(const study_heat *heat);
svg_size svg_chart_size(const study_chart *chart);
svg_size svg_graph_size(const study_graph *graph);

/* ---- Elements ---------------------------------------------------------------------- */

/* Opens a picture: the <svg> element, its texts for readers who do not see it and, if it
 * stands alone, its style and background. The caller closes it with "</svg>\n". */
void svg_open(pen *p, const char *id, double width, double height, const char *title, const pen *description);
/* The prefix of all names inside the picture. */
const char *svg_prefix(const char *id);
/* A label at (x, y), cut to `columns` (0: never); a cut one has the whole text as its
 * title. `more` is further attributes, or "". */
void svg_text(pen *p, const char *style, double x, double y, const char *text, int columns, const char *more);
/* Approximately the width of a label. */
double svg_text_width(const char *text, int columns, double font_size);
/* ` x="..." y="..." width="..." height="..."` */
void svg_put_place(pen *p, double x, double y, double width, double height);

#endif
