/* draw.h - what the drawings of a part have in common, in the terminal and as pictures: heat maps as grids, axes. */
#ifndef STUDY_DRAW_H
#define STUDY_DRAW_H

#include "document.h"

/* ---- Heat maps ------------------------------------------------------------------------------ */

/* How a cell is drawn. A leak is masked and yet not 0; strange is what may be seen and is not finite. */
typedef enum heat_look { LOOK_VALUE, LOOK_MASKED, LOOK_PADDING, LOOK_LEAK, LOOK_STRANGE, LOOKS } heat_look;

typedef struct heat_cell {
    heat_look look;
    double value;
} heat_cell;

/* A heat map as it is drawn: of maps that are too large each cell drawn stands for a block of cells, and shows what
 * must not be missed in it: a leak, else a value that is not finite, else the largest value, else what the mask says.
 */
typedef struct heat_grid {
    const study_heat *heat;
    int64_t rows, columns;           /* drawn */
    int64_t row_block, column_block; /* cells of the map in one that is drawn */
    double high;
    int64_t looks[LOOKS];    /* how many of each are drawn */
    bool kinds[STUDY_KINDS]; /* which are drawn */
} heat_grid;

heat_grid heat_grid_make(const study_heat *heat, int64_t most_rows, int64_t most_columns);
/* The drawn column before which the line between both sides stands; 0: there is one
 * side. */
int64_t heat_grid_split(const heat_grid *grid);
/* The name of the side on which column `column` of the map is; NULL: there is one side,
 * or it has no name. */
const char *heat_side(const study_heat *heat, int64_t column);
heat_cell heat_grid_cell(const heat_grid *grid, int64_t row, int64_t column);
/* Where the value stands from 0 to high: 0 to 1. */
double heat_grid_share(const heat_grid *grid, double value);
/* The name of a cell of this look, in legends too. */
const char *heat_look_words(const study_heat *heat, heat_look look);
/* The words for a cell: "0.87", "masked", "masked, yet 0.125", "padding", the name of a
 * kind. */
void heat_put_words(pen *p, const study_heat *heat, heat_cell cell, int digits, bool escaped);
/* The looks that a legend explains one by one: the kinds that are drawn and what the mask says, or,
 * of sizes, the latter alone. Returns how many. */
enum { HEAT_SWATCHES = STUDY_KINDS + LOOKS };
int heat_swatches(const heat_grid *grid, heat_cell swatches[HEAT_SWATCHES]);
/* Its words there. */
const char *heat_swatch_words(const study_heat *heat, heat_cell swatch);
/* The label of a drawn row or column; numbers are written to `number`. */
enum { HEAT_NUMBER_SIZE = 24 };
const char *heat_row_label(const heat_grid *grid, int64_t row, char number[HEAT_NUMBER_SIZE]);
const char *heat_column_label(const heat_grid *grid, int64_t column, char number[HEAT_NUMBER_SIZE]);
/* Whether a row or column is nothing but padding. */
bool heat_row_is_padding(const heat_grid *grid, int64_t row);
bool heat_column_is_padding(const heat_grid *grid, int64_t column);
/* The widest label, cut at `columns`. */
int heat_row_labels_width(const heat_grid *grid, int columns);
int heat_column_labels_width(const heat_grid *grid, int columns);

/* ---- Charts --------------------------------------------------------------------------------- */

enum { AXIS_TICKS = 24 };

typedef struct axis {
    double low, high; /* low < high */
    bool log;
    int digits; /* that tell the ticks apart, for pen_put_number */
    int tick_count;
    double ticks[AXIS_TICKS]; /* round numbers from low to high */
} axis;

/* The axes that show all of a chart's points, or y from chart->low to chart->high; about so many ticks each. False
 * where there is no point. */
bool chart_axes(const study_chart *chart, int x_ticks, int y_ticks, axis *x, axis *y);
/* 0 at the low end, 1 at the high end. */
double axis_share(const axis *a, double value);
/* Which of `count` colours a line has, from 0: a companion that of the line before it. */
int chart_colour(const study_chart *chart, int64_t line, int count);
/* Whether a mark is drawn: it belongs to a line, and has a place. */
bool chart_has_mark(const study_chart *chart, const study_mark *mark);
/* Whether a line has something to draw at point i: both numbers finite, y above 0 on a logarithmic axis. */
bool chart_has_point(const study_chart *chart, const study_line *line, int64_t i);

/* ---- Pictures ------------------------------------------------------------------------------- */

/* Opens an <svg> element of this size with its text alternatives, and, standing alone (`id` NULL), its style and
 * ground. Closed by "</svg>\n". */
void svg_open(pen *p, const char *id, double width, double height, const char *title, const pen *description);
/* The names inside a picture begin with this. */
const char *svg_prefix(const char *id);
/* A text at (x, y); `columns` as for pen_put_label: where it is cut, the whole text is its title. `more` are further
 * attributes, or "". */
void svg_text(pen *p, const char *style, double x, double y, const char *text, int columns, const char *more);
bool svg_has_text(const char *text);
/* About what a text takes. */
double svg_text_width(const char *text, int columns, double font_size);

#endif
