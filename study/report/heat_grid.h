/* heat_grid.h - a heat map as the grid of cells that is drawn, in a terminal or a
 * picture.
 *
 * A map larger than the drawing is drawn in blocks: one drawn cell stands for a block of
 * cells of the map and shows whatever must not be missed in it: a leak; else a value that
 * is not finite; else the largest value; else what the mask says.
 */
#ifndef STUDY_HEAT_GRID_H
#define STUDY_HEAT_GRID_H

#include "label.h"

/* How a cell is drawn. A leak is masked and yet not 0; strange means seen, but not
 * finite. */
typedef enum heat_look { LOOK_VALUE, LOOK_MASKED, LOOK_PADDING, LOOK_LEAK, LOOK_STRANGE, LOOKS } heat_look;

typedef struct heat_cell {
    heat_look look;
    double value;
} heat_cell;

typedef struct heat_grid {
    const study_heat *heat;
    int64_t rows, columns;           /* drawn */
    int64_t row_block, column_block; /* size of the block that a drawn cell stands for */
    double high;                     /* the value of the darkest colour */
    int64_t looks[LOOKS];            /* number of drawn cells of each look */
    bool kinds[STUDY_KINDS];         /* which kinds are drawn */
} heat_grid;

/* A grid of at most these rows and columns. It points to the heat map. */
heat_grid heat_grid_make(const study_heat *heat, int64_t most_rows, int64_t most_columns);
bool heat_grid_is_blocked(const heat_grid *grid);
heat_cell heat_grid_cell(const heat_grid *grid, int64_t row, int64_t column);
/* Where the value is between 0 and high: 0 to 1. */
double heat_grid_share(const heat_grid *grid, double value);

/* The drawn column at which the second side begins; 0 if there is only one. */
int64_t heat_grid_split(const heat_grid *grid);
/* The name of the side that column `column` of the map is on; NULL if there is only one,
 * or it has no name. */
const char *heat_side(const study_heat *heat, int64_t column);

/* Appends what a cell says: "0.87", "masked", "masked, yet 0.125", "padding", the name of
 * a kind. Numbers have `digits` digits. */
void heat_put_words(pen *p, const study_heat *heat, heat_cell cell, int digits, bool escaped);
/* The name of cells of this look. */
const char *heat_look_words(const study_heat *heat, heat_look look);

/* Fills in what a legend explains cell by cell: the kinds that are drawn, and the looks
 * that are not values. Returns how many. */
enum { HEAT_SWATCHES = STUDY_KINDS + LOOKS };
int heat_swatches(const heat_grid *grid, heat_cell swatches[HEAT_SWATCHES]);
/* The name of one of them. */
const char *heat_swatch_words(const study_heat *heat, heat_cell swatch);

/* The label of a drawn row or column. If it is a number, it is written to `number`. */
enum { HEAT_NUMBER_SIZE = 24 };
const char *heat_row_label(const heat_grid *grid, int64_t row, char number[HEAT_NUMBER_SIZE]);
const char *heat_column_label(const heat_grid *grid, int64_t column, char number[HEAT_NUMBER_SIZE]);
/* Whether all cells of a drawn row or column are padding. */
bool heat_row_is_padding(const heat_grid *grid, int64_t row);
bool heat_column_is_padding(const heat_grid *grid, int64_t column);
/* The width of the widest label, cut to `columns`. */
int heat_row_labels_width(const heat_grid *grid, int columns);
int heat_column_labels_width(const heat_grid *grid, int columns);

#endif
