/* heat_grid.c - see heat_grid.h. */
#include "heat_grid.h"

#include <math.h>
#include <stdio.h>

/* Where between 0 and high the last kind is: a darker colour would weigh on the page, as
 * kinds fill large areas. */
#define DARKEST_KIND 0.6

static int64_t blocks_of(int64_t count, int64_t most)
{
    return count > most ? (count + most - 1) / most : 1;
}

static int kind_of(const study_heat *heat, double value)
{
    return (int)fmin(fmax(value, 0), (double)(heat->kind_count - 1));
}

heat_grid heat_grid_make(const study_heat *heat, int64_t most_rows, int64_t most_columns)
{
    heat_grid grid = {.heat = heat,
                      .row_block = blocks_of(heat->rows, most_rows),
                      .column_block = blocks_of(heat->columns, most_columns),
                      .high = heat->kinds                              ? (double)(heat->kind_count - 1) / DARKEST_KIND
                              : isfinite(heat->high) && heat->high > 0 ? heat->high
                                                                       : 1};
    grid.rows = (heat->rows + grid.row_block - 1) / grid.row_block;
    grid.columns = (heat->columns + grid.column_block - 1) / grid.column_block;
    for (int64_t i = 0; i < grid.rows; i++)
        for (int64_t j = 0; j < grid.columns; j++) {
            heat_cell cell = heat_grid_cell(&grid, i, j);
            grid.looks[cell.look]++;
            if (heat->kinds && cell.look == LOOK_VALUE)
                grid.kinds[kind_of(heat, cell.value)] = true;
        }
    return grid;
}

static heat_cell cell_of(const study_heat *heat, int64_t at)
{
    double value = (double)heat->values[at];
    study_cell cell = heat->cells ? (study_cell)heat->cells[at] : STUDY_SEEN;
    if (cell == STUDY_PADDING)
        return (heat_cell){LOOK_PADDING, value};
    if (cell == STUDY_MASKED)
        return (heat_cell){value == 0 ? LOOK_MASKED : LOOK_LEAK, value};
    return (heat_cell){isfinite(value) ? LOOK_VALUE : LOOK_STRANGE, value};
}

/* Whether a block shows cell a rather than b. */
static bool shows_more(heat_cell a, heat_cell b)
{
    static const int weight[LOOKS] = {
        [LOOK_PADDING] = 0, [LOOK_MASKED] = 1, [LOOK_VALUE] = 2, [LOOK_STRANGE] = 3, [LOOK_LEAK] = 4};
    return weight[a.look] > weight[b.look] || (a.look == b.look && a.value > b.value);
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

bool heat_grid_is_blocked(const heat_grid *grid)
{
    return grid->row_block > 1 || grid->column_block > 1;
}

heat_cell heat_grid_cell(const heat_grid *grid, int64_t row, int64_t column)
{
    const study_heat *heat = grid->heat;
    int64_t row_end = smaller((row + 1) * grid->row_block, heat->rows),
            column_end = smaller((column + 1) * grid->column_block, heat->columns);
    heat_cell shown = cell_of(heat, row * grid->row_block * heat->columns + column * grid->column_block);
    for (int64_t i = row * grid->row_block; i < row_end; i++)
        for (int64_t j = column * grid->column_block; j < column_end; j++) {
            heat_cell cell = cell_of(heat, i * heat->columns + j);
            if (shows_more(cell, shown))
                shown = cell;
        }
    return shown;
}

double heat_grid_share(const heat_grid *grid, double value)
{
    double share = value / grid->high;
    return share >= 1 ? 1 : share > 0 ? share : 0;
}

/* ---- Words ------------------------------------------------------------------------- */

const char *heat_look_words(const study_heat *heat, heat_look look)
{
    static const char *const words[LOOKS] = {"", "masked", "padding", "masked, yet not 0", "not finite"};
    return look == LOOK_MASKED && heat->kinds ? heat->kinds[0] : words[look];
}

void heat_put_words(pen *p, const study_heat *heat, heat_cell cell, int digits, bool escaped)
{
    const bool named = cell.look == LOOK_MASKED || cell.look == LOOK_PADDING;
    const char *kind = heat->kinds && cell.look == LOOK_VALUE ? heat->kinds[kind_of(heat, cell.value)] : NULL;
    if (cell.look == LOOK_LEAK)
        pen_put(p, "masked, yet ");
    if (named || kind)
        pen_put_label(p, named ? heat_look_words(heat, cell.look) : kind, 0, escaped);
    else
        pen_put_number(p, cell.value, digits);
}

int heat_swatches(const heat_grid *grid, heat_cell swatches[HEAT_SWATCHES])
{
    int count = 0;
    for (int kind = STUDY_KINDS - 1; kind >= 0; kind--)
        if (grid->kinds[kind])
            swatches[count++] = (heat_cell){LOOK_VALUE, kind};
    for (int look = LOOK_MASKED; look < LOOKS; look++)
        if (grid->looks[look])
            swatches[count++] = (heat_cell){(heat_look)look, 0};
    return count;
}

const char *heat_swatch_words(const study_heat *heat, heat_cell swatch)
{
    return swatch.look == LOOK_VALUE ? heat->kinds[kind_of(heat, swatch.value)] : heat_look_words(heat, swatch.look);
}

/* ---- Sides ------------------------------------------------------------------------- */

static bool has_sides(const study_heat *heat)
{
    return heat->split > 0 && heat->split < heat->columns;
}

int64_t heat_grid_split(const heat_grid *grid)
{
    return has_sides(grid->heat) ? grid->heat->split / grid->column_block : 0;
}

const char *heat_side(const study_heat *heat, int64_t column)
{
    return has_sides(heat) ? heat->sides[column >= heat->split] : NULL;
}

/* ---- Labels ------------------------------------------------------------------------ */

/* Numbers count from `first`. */
static const char *label_at(const char *const *labels, int64_t at, int64_t first, char number[HEAT_NUMBER_SIZE])
{
    if (labels)
        return labels[at] ? labels[at] : "";
    snprintf(number, HEAT_NUMBER_SIZE, "%lld", (long long)(at - first));
    return number;
}

const char *heat_row_label(const heat_grid *grid, int64_t row, char number[HEAT_NUMBER_SIZE])
{
    return label_at(grid->heat->row_labels, row * grid->row_block, 0, number);
}

const char *heat_column_label(const heat_grid *grid, int64_t column, char number[HEAT_NUMBER_SIZE])
{
    const int64_t at = column * grid->column_block, split = has_sides(grid->heat) ? grid->heat->split : 0;
    return label_at(grid->heat->column_labels, at, at >= split ? split : 0, number);
}

bool heat_row_is_padding(const heat_grid *grid, int64_t row)
{
    bool padding = true;
    for (int64_t j = 0; j < grid->columns && padding; j++)
        padding = heat_grid_cell(grid, row, j).look == LOOK_PADDING;
    return padding;
}

bool heat_column_is_padding(const heat_grid *grid, int64_t column)
{
    bool padding = true;
    for (int64_t i = 0; i < grid->rows && padding; i++)
        padding = heat_grid_cell(grid, i, column).look == LOOK_PADDING;
    return padding;
}

/* The width of the widest of `count` labels, cut to `columns`. */
static int widest(const heat_grid *grid, int64_t count, int columns,
                  const char *(*label)(const heat_grid *, int64_t, char[HEAT_NUMBER_SIZE]))
{
    char number[HEAT_NUMBER_SIZE];
    int most = 0;
    for (int64_t i = 0; i < count; i++) {
        int width = label_width(label(grid, i, number), columns);
        most = width > most ? width : most;
    }
    return most;
}

int heat_row_labels_width(const heat_grid *grid, int columns)
{
    return widest(grid, grid->rows, columns, heat_row_label);
}

int heat_column_labels_width(const heat_grid *grid, int columns)
{
    return widest(grid, grid->columns, columns, heat_column_label);
}
