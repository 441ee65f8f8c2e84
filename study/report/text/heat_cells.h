/* heat_cells.h - the cells of a heat map as characters or, with color, blocks of colour. */
#ifndef STUDY_TEXT_HEAT_CELLS_H
#define STUDY_TEXT_HEAT_CELLS_H

#include "../heat_grid.h"

enum { TEXT_SHADES = 9 };

/* Writes a cell, `width` columns wide. */
void text_put_cell(pen *p, const heat_grid *grid, heat_cell cell, int width, bool color);
/* Writes "0  .:-=+*%#", all shades from 0 to high. With color each is `wide` columns wide. */
void text_put_ramp(pen *p, int wide, bool color);

#endif
