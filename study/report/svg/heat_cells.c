/* heat_cells.c - the cells of a heat map's picture.
 *
 * Up to 64 x 64, every cell is an element of its own with data and a title, which the
 * mouse shows without any script. Larger maps are not read cell by cell: all cells of one
 * look are one path, in which a run along a row is one rectangle; the labels are thinned
 * out; and beyond 256 rows or columns a drawn cell stands for a block of cells. So a
 * picture is never much wider than 800 or longer than 1 MB.
 */
#include "heat.h"

#include <math.h>
#include <stdlib.h>

enum { NAME_COLUMNS = 42 };

static const char *const cell_classes[LOOKS] = {"", "masked", "padding", "leak", "strange"};
static const char *const area_classes[LOOKS] = {"", "masked", "padding", "leak-area", "strange-area"};

/* The number of a value's colour; 0 is for exactly 0. */
static int heat_level(const heat_layout *l, double value)
{
    double share = heat_grid_share(&l->grid, value);
    return share > 0 ? 1 + (int)lround(share * (STYLE_LEVELS - 2)) : 0;
}

/* ---- Cells as elements ------------------------------------------------------------- */

void heat_open_cell(pen *p, const heat_layout *l, heat_cell cell, double x, double y, double width, double height)
{
    if (cell.look == LOOK_VALUE)
        pen_put(p, "<rect class=\"cell heat-%d\"", heat_level(l, cell.value));
    else
        pen_put(p, "<rect class=\"cell %s\"", (l->detailed ? cell_classes : area_classes)[cell.look]);
    if (cell.look == LOOK_MASKED || (cell.look == LOOK_LEAK && l->detailed))
        pen_put(p, " fill=\"url(#%s-hatch)\"", svg_prefix(l->id));
    svg_put_place(p, x, y, width, height);
}

/* "m -> r: 0.87" */
static void put_title(pen *p, const heat_layout *l, int64_t i, int64_t j, heat_cell cell)
{
    char number[HEAT_NUMBER_SIZE];
    const char *side = heat_side(l->grid.heat, j * l->grid.column_block);
    pen_put(p, "<title>");
    pen_put_label(p, heat_row_label(&l->grid, i, number), NAME_COLUMNS, true);
    pen_put(p, " -&gt; ");
    if (side) {
        pen_put_label(p, side, NAME_COLUMNS, true);
        pen_put(p, " ");
    }
    pen_put_label(p, heat_column_label(&l->grid, j, number), NAME_COLUMNS, true);
    pen_put(p, ": ");
    heat_put_words(p, l->grid.heat, cell, 3, true);
    pen_put(p, "</title>");
}

static void put_elements(pen *p, const heat_layout *l)
{
    for (int64_t i = 0; i < l->grid.rows; i++)
        for (int64_t j = 0; j < l->grid.columns; j++) {
            heat_cell cell = heat_grid_cell(&l->grid, i, j);
            /* (leaks and strange cells have an outline) */
            double inset = cell.look == LOOK_LEAK || cell.look == LOOK_STRANGE ? 1 : 0;
            heat_open_cell(p, l, cell, l->left + (double)j * l->cell_width + inset,
                           l->top + (double)i * l->cell_height + inset, l->cell_width - 1 - 2 * inset,
                           l->cell_height - 1 - 2 * inset);
            pen_put(p, " data-row=\"%lld\" data-column=\"%lld\" data-value=\"", (long long)i, (long long)j);
            pen_put_number(p, cell.value, 6);
            pen_put(p, "\">");
            put_title(p, l, i, j, cell);
            pen_put(p, "</rect>\n");
        }
}

/* Whole numbers get no decimals: an exact 0 is "0", and what would round to 0 gets no
 * number at all. */
static void put_number(pen *p, const heat_layout *l, double value)
{
    double size = pow(10, l->decimals);
    if (value == floor(value)) {
        pen_put_fixed(p, value, 0);
        return;
    }
    double hundredths = round(value * size), whole = floor(hundredths / size);
    pen_put_fixed(p, whole, 0);
    if (l->decimals > 0)
        pen_put(p, ".%0*lld", l->decimals, (long long)(hundredths - whole * size));
}

static void put_numbers(pen *p, const heat_layout *l)
{
    pen_put(p, "<g class=\"numbers\" pointer-events=\"none\">\n");
    for (int64_t i = 0; i < l->grid.rows; i++)
        for (int64_t j = 0; j < l->grid.columns; j++) {
            heat_cell cell = heat_grid_cell(&l->grid, i, j);
            bool fits =
                cell.value >= 0 && cell.value < 10000 && (cell.value == 0 || cell.value >= 0.5 * pow(10, -l->decimals));
            if ((cell.look != LOOK_VALUE && cell.look != LOOK_LEAK) || !fits)
                continue;
            if (cell.look == LOOK_LEAK)
                pen_put(p, "<text class=\"on-leak\"");
            else
                pen_put(p, "<text class=\"on-%d\"", heat_level(l, cell.value));
            pen_put_fixed_all(p, " x=\"@\" y=\"@\">", 2,
                              (double[]){l->left + ((double)j + 0.5) * l->cell_width - 0.5,
                                         l->top + ((double)i + 0.5) * l->cell_height + 3.5});
            put_number(p, l, cell.value);
            pen_put(p, "</text>\n");
        }
    pen_put(p, "</g>\n");
}

/* ---- Cells as areas ---------------------------------------------------------------- */

enum { FILLS = STYLE_LEVELS + LOOKS };

/* The fill of a cell: the level of its colour or, numbered after all levels, its look. */
static int fill_of(const heat_layout *l, heat_cell cell)
{
    return cell.look == LOOK_VALUE ? heat_level(l, cell.value) : STYLE_LEVELS + (int)cell.look;
}

/* Writes all runs of one fill. A cell is 1 x 1; put_areas scales. */
static void put_runs(pen *p, const heat_layout *l, const unsigned char *fills, int fill)
{
    for (int64_t i = 0; i < l->grid.rows; i++)
        for (int64_t j = 0, end; j < l->grid.columns; j = end) {
            const unsigned char *row = fills + i * l->grid.columns;
            for (end = j + 1; end < l->grid.columns && row[end] == row[j];)
                end++;
            if (row[j] == fill)
                pen_put(p, "M%lld %lldh%lldv1h-%lldz", (long long)j, (long long)i, (long long)(end - j),
                        (long long)(end - j));
        }
}

static void put_area(pen *p, const heat_layout *l, const unsigned char *fills, int fill)
{
    if (fill < STYLE_LEVELS)
        pen_put(p, "<path class=\"heat-%d\"", fill);
    else
        pen_put(p, "<path class=\"%s\"", area_classes[fill - STYLE_LEVELS]);
    if (fill == STYLE_LEVELS + LOOK_MASKED)
        pen_put(p, " fill=\"url(#%s-scaled)\"", svg_prefix(l->id));
    pen_put(p, " d=\"");
    put_runs(p, l, fills, fill);
    pen_put(p, "\"/>\n");
}

static void put_areas(pen *p, const heat_layout *l)
{
    bool used[FILLS] = {false};
    int64_t columns = l->grid.columns;
    unsigned char *fills = malloc((size_t)(l->grid.rows * columns));
    if (!fills) {
        p->failed = true;
        return;
    }
    for (int64_t i = 0; i < l->grid.rows; i++)
        for (int64_t j = 0; j < columns; j++) {
            int fill = fill_of(l, heat_grid_cell(&l->grid, i, j));
            fills[i * columns + j] = (unsigned char)fill;
            used[fill] = true;
        }
    pen_put_fixed_all(p, "<g shape-rendering=\"crispEdges\" transform=\"translate(@ @)", 2,
                      (double[]){l->left, l->top});
    pen_put_fixed_all(p, " scale(@ @)\">\n", 6, (double[]){l->cell_width, l->cell_height});
    for (int fill = 0; fill < FILLS; fill++)
        if (used[fill])
            put_area(p, l, fills, fill);
    pen_put(p, "</g>\n");
    free(fills);
}

void heat_put_cells(pen *p, const heat_layout *l)
{
    if (l->detailed)
        put_elements(p, l);
    else
        put_areas(p, l);
    if (l->numbered)
        put_numbers(p, l);
}
