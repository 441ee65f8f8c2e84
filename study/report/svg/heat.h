/* heat.h - how a heat map's picture is laid out. */
#ifndef STUDY_SVG_HEAT_H
#define STUDY_SVG_HEAT_H

#include "../draw.h"

enum {
    HEAT_MARGIN = 16,
    HEAT_LABEL_COLUMNS = 16, /* where texts are cut */
    HEAT_TITLE_COLUMNS = 84,
    HEAT_TEXT_COLUMNS = 104,
    HEAT_RAMP_STEP = 4 /* the width of one of the legend's colours */
};

typedef enum label_turn { TURN_NONE, TURN_SLANTED, TURN_UPWARD } label_turn;

typedef struct heat_layout {
    heat_grid grid;
    const char *id;
    bool empty;                        /* no row or no column */
    bool detailed;                     /* every cell is an element */
    bool numbered;                     /* and has its value written into it, */
    int decimals;                      /* with so many places */
    double cell_width, cell_height;    /* with the gap to the next */
    double left, top, right, bottom;   /* of the grid */
    double label_size;                 /* of the font */
    int64_t row_stride, column_stride; /* every so many labels are drawn */
    label_turn turn;                   /* of the labels of columns */
    int64_t split;                     /* the line between both sides stands before this column; 0: one side */
    double sides_top;                  /* of their names */
    int swatch_count;                  /* what the legend explains, and where */
    heat_cell swatches[HEAT_SWATCHES];
    double swatch_x[HEAT_SWATCHES], swatch_y[HEAT_SWATCHES];
    double width, height; /* of the picture */
} heat_layout;

heat_layout heat_layout_make(const study_heat *heat, const char *id);
/* The colour of a value: 0 is that of 0 alone. */
int heat_level(const heat_layout *l, double value);
bool heat_is_blocked(const heat_layout *l);

/* ` x="..." y="..." width="..." height="..."` */
void svg_put_place(pen *p, double x, double y, double width, double height);
/* A rectangle of some look: the start of its tag, to be closed with "/>" or with ">...</rect>". */
void heat_open_cell(pen *p, const heat_layout *l, heat_cell cell, double x, double y, double width, double height);
void heat_put_cells(pen *p, const heat_layout *l);

#endif
