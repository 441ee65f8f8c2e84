/* heat.h - the layout of a heat map's picture. */
#ifndef STUDY_SVG_HEAT_H
#define STUDY_SVG_HEAT_H

#include "../heat_grid.h"
#include "../style.h"
#include "svg.h"

enum {
    HEAT_MARGIN = 16,
    HEAT_LABEL_COLUMNS = 16, /* where texts are cut: labels, */
    HEAT_TITLE_COLUMNS = 84, /* the title, */
    HEAT_TEXT_COLUMNS = 104, /* all other text */
    HEAT_RAMP_STEP = 4       /* the width of one of the legend's colours */
};

typedef enum label_turn { TURN_NONE, TURN_SLANTED, TURN_UPWARD } label_turn;

typedef struct heat_layout {
    heat_grid grid;
    const char *id;
    bool empty;                        /* no row or no column */
    bool detailed;                     /* every cell is an element */
    bool numbered;                     /* and has its value written into it */
    int decimals;                      /* of these values */
    double cell_width, cell_height;    /* including the gap to the next */
    double left, top, right, bottom;   /* of the grid */
    double label_size;                 /* of the font */
    int64_t row_stride, column_stride; /* every how many labels one is drawn */
    label_turn turn;                   /* of the labels of columns */
    int64_t split;                     /* first column of the second side; 0: one side */
    double sides_top;                  /* of the names of both sides */
    int swatch_count;                  /* what the legend explains, where */
    heat_cell swatches[HEAT_SWATCHES];
    double swatch_x[HEAT_SWATCHES], swatch_y[HEAT_SWATCHES];
    double width, height; /* of the picture */
} heat_layout;

heat_layout heat_layout_make(const study_heat *heat, const char *id);

/* Opens the tag of a rectangle with the look of the cell. The caller closes it with "/>"
 * or ">...</rect>". */
void heat_open_cell(pen *p, const heat_layout *l, heat_cell cell, double x, double y, double width, double height);
void heat_put_cells(pen *p, const heat_layout *l);

#endif
