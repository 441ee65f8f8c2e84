/* heat_layout.c - where everything in a heat map's picture is. */
#include "heat.h"

#include <math.h>

enum {
    DETAILED = 64,       /* rows and columns up to which every cell is an element */
    DRAWN = 256,         /* and up to which every cell is drawn */
    PLOT = 640,          /* the longer side of a large map */
    LARGEST_CELL = 34,   /* of a small map */
    LARGEST_SWATCH = 24, /* of a small map with neither values nor labels to write */
    WIDEST_CELL = 44,    /* of a map whose labels then need not be slanted */
    NARROW_CELL = 14,    /* larger cells are square */
    NUMBERED_CELL = 28,  /* cells of this size have their values written into them */
    LINE = 20,           /* the height of a line of text */
    LEGEND_GAP = 18
};

/* ---- Cells ------------------------------------------------------------------------- */

static void lay_out_cells(heat_layout *l)
{
    const heat_grid *grid = &l->grid;
    const double largest = grid->heat->kinds && !grid->heat->column_labels ? LARGEST_SWATCH : LARGEST_CELL;
    double width = fmin(largest, (double)PLOT / (double)(grid->columns ? grid->columns : 1)),
           height = fmin(largest, (double)PLOT / (double)(grid->rows ? grid->rows : 1)),
           side = fmax(fmin(width, height), NARROW_CELL);
    l->cell_width = fmin(width, side);
    l->cell_height = fmin(height, side);
    l->detailed = grid->heat->rows <= DETAILED && grid->heat->columns <= DETAILED;
    if (l->detailed) {
        l->cell_width = floor(l->cell_width); /* (edges fall between pixels) */
        l->cell_height = floor(l->cell_height);
    }
    l->decimals = grid->high < 10 ? 2 : grid->high < 100 ? 1 : 0;
    l->numbered = l->cell_width >= NUMBERED_CELL && l->cell_height >= NUMBERED_CELL && !grid->heat->kinds &&
                  grid->high >= 0.1 && grid->high < 10000;
    l->label_size = fmin(l->cell_width, l->cell_height) >= 16 ? 12 : 10;
}

/* ---- Labels ------------------------------------------------------------------------ */

/* Every how many rows or columns there is room for a label of this size. Numbers come in
 * steps of 2, 5, 10, 20, 50, ... if the blocks allow. */
static int64_t stride_of(double label_size, double cell, bool numbers, int64_t block)
{
    int64_t stride = (int64_t)ceil(label_size * (numbers ? 1.6 : 1.1) / cell);
    if (!numbers || stride == 1)
        return stride;
    for (int64_t step = 2, i = 1; step < 10 * stride * block; i++) {
        if (step % block == 0 && step / block >= stride)
            return step / block;
        step = step * (i % 3 == 1 ? 5 : 4) / 2;
    }
    return stride;
}

/* Returns the height of the column labels. */
static double lay_out_column_labels(heat_layout *l)
{
    double widest = 0.61 * l->label_size * heat_column_labels_width(&l->grid, HEAT_LABEL_COLUMNS);
    l->column_stride = 1;
    if (l->cell_width < widest + 4 && widest + 4 <= WIDEST_CELL && widest * (double)l->grid.columns <= PLOT)
        l->cell_width = ceil(widest + 4);
    if (widest + 4 <= l->cell_width) {
        l->turn = TURN_NONE;
        return l->label_size;
    }
    if (l->cell_width >= NARROW_CELL) {
        l->turn = TURN_SLANTED;
        return (widest + l->label_size) * 0.71;
    }
    l->turn = TURN_UPWARD;
    l->column_stride = stride_of(l->label_size, l->cell_width, !l->grid.heat->column_labels, l->grid.column_block);
    return widest;
}

/* The right end of slanted labels. */
static double labels_right(const heat_layout *l)
{
    double right = 0;
    for (int64_t j = 0; j < l->grid.columns && l->turn == TURN_SLANTED; j++) {
        char number[HEAT_NUMBER_SIZE];
        double width = svg_text_width(heat_column_label(&l->grid, j, number), HEAT_LABEL_COLUMNS, l->label_size);
        right = fmax(right, l->left + ((double)j + 0.5) * l->cell_width + (width + l->label_size) * 0.71);
    }
    return right;
}

/* The corner between the labels has the names of both axes. Returns its height. */
static double lay_out_corner(heat_layout *l)
{
    const study_heat *heat = l->grid.heat;
    bool rows = label_has_text(heat->row_axis), columns = label_has_text(heat->column_axis);
    double labels = 0.61 * l->label_size * heat_row_labels_width(&l->grid, HEAT_LABEL_COLUMNS),
           row_name = rows ? svg_text_width(heat->row_axis, HEAT_LABEL_COLUMNS, 12) + 18 : 0,
           column_name = columns ? svg_text_width(heat->column_axis, HEAT_LABEL_COLUMNS, 12) + 18 : 0,
           height = lay_out_column_labels(l);
    l->left = HEAT_MARGIN + ceil(fmax(labels, fmax(row_name, column_name))) + 8;
    l->row_stride = stride_of(l->label_size, l->cell_height, !heat->row_labels, l->grid.row_block);
    l->split = heat_grid_split(&l->grid);
    return (l->split ? LINE : 0) + ceil(fmax(height, rows && columns ? 30 : rows || columns ? 14 : 0)) + 8;
}

/* ---- Texts ------------------------------------------------------------------------- */

static double ramp_width(const heat_layout *l)
{
    char high[32];
    ag_text_print(high, sizeof high, "%.3g", l->grid.high);
    return 12 + STYLE_LEVELS * HEAT_RAMP_STEP + 6 + svg_text_width(high, 0, 12);
}

/* The swatches follow the ramp, in lines no wider than the picture. Returns the
 * height. */
static double lay_out_legend(heat_layout *l)
{
    double x = HEAT_MARGIN + (l->grid.heat->kinds ? 0 : ramp_width(l) + LEGEND_GAP), y = 0;
    l->swatch_count = l->empty ? 0 : heat_swatches(&l->grid, l->swatches);
    for (int i = 0; i < l->swatch_count; i++) {
        double item = LINE + svg_text_width(heat_swatch_words(l->grid.heat, l->swatches[i]), 0, 12);
        if (x > HEAT_MARGIN && x + item > l->width - HEAT_MARGIN) {
            x = HEAT_MARGIN;
            y += LINE;
        }
        l->swatch_x[i] = x;
        l->swatch_y[i] = y;
        x += item + LEGEND_GAP;
    }
    return y + LINE;
}

static double widest_text(const heat_layout *l)
{
    const study_heat *heat = l->grid.heat;
    double widest = fmax(ramp_width(l), heat_grid_is_blocked(&l->grid) ? 400 : 0);
    if (!l->id)
        widest = fmax(widest, svg_text_width(heat->title, HEAT_TITLE_COLUMNS, 15));
    widest = fmax(widest, svg_text_width(heat->group, HEAT_TEXT_COLUMNS, 12));
    return fmax(widest, svg_text_width(heat->note, HEAT_TEXT_COLUMNS, 12));
}

heat_layout heat_layout_make(const study_heat *heat, const char *id)
{
    heat_layout l = {.grid = heat_grid_make(heat, DRAWN, DRAWN), .id = id};
    double head = HEAT_MARGIN + (label_has_text(heat->title) ? 22 : 0) + (label_has_text(heat->group) ? 18 : 0);
    if (id) /* (the page has the title and group) */
        head = 0;
    l.empty = l.grid.rows == 0 || l.grid.columns == 0;
    lay_out_cells(&l);
    l.sides_top = head + 6;
    l.top = head + 10 + (l.empty ? 0 : lay_out_corner(&l));
    l.right = l.left + l.cell_width * (double)l.grid.columns;
    l.bottom = l.top + (l.empty ? LINE : l.cell_height * (double)l.grid.rows);
    l.width = ceil(fmax(fmax(l.right, labels_right(&l)), HEAT_MARGIN + widest_text(&l)) + HEAT_MARGIN);
    l.height = ceil(l.bottom + 8 + (label_has_text(heat->note) ? LINE : 0) +
                    (heat_grid_is_blocked(&l.grid) ? LINE : 0) + 8 + lay_out_legend(&l) + HEAT_MARGIN * 0.5);
    return l;
}
