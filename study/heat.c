/* heat.c - heat maps as grids of cells to draw, of any size. */
#include "draw.h"

#include <math.h>
#include <stdio.h>

static int64_t blocks_of(int64_t count, int64_t most)
{
    return count > most ? (count + most - 1) / most : 1;
}

heat_grid heat_grid_make(const study_heat *heat, int64_t most_rows, int64_t most_columns)
{
    heat_grid grid = {.heat = heat,
                      .row_block = blocks_of(heat->rows, most_rows),
                      .column_block = blocks_of(heat->columns, most_columns),
                      .high = isfinite(heat->high) && heat->high > 0 ? heat->high : 1};
    grid.rows = (heat->rows + grid.row_block - 1) / grid.row_block;
    grid.columns = (heat->columns + grid.column_block - 1) / grid.column_block;
    for (int64_t i = 0; i < grid.rows; i++)
        for (int64_t j = 0; j < grid.columns; j++)
            grid.looks[heat_grid_cell(&grid, i, j).look]++;
    return grid;
}

static heat_cell look_at(const study_heat *heat, int64_t at)
{
    double value = (double)heat->values[at];
    study_cell cell = heat->cells ? (study_cell)heat->cells[at] : STUDY_SEEN;
    if (cell == STUDY_PADDING)
        return (heat_cell){LOOK_PADDING, value};
    if (cell == STUDY_MASKED)
        return (heat_cell){value == 0 ? LOOK_MASKED : LOOK_LEAK, value};
    return (heat_cell){isfinite(value) ? LOOK_VALUE : LOOK_STRANGE, value};
}

/* What of two cells a block shows. */
static bool shows_more(heat_cell a, heat_cell b)
{
    static const int weight[LOOKS] = {
        [LOOK_PADDING] = 0, [LOOK_MASKED] = 1, [LOOK_VALUE] = 2, [LOOK_STRANGE] = 3, [LOOK_LEAK] = 4};
    return weight[a.look] > weight[b.look] || (a.look == b.look && a.value > b.value);
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

heat_cell heat_grid_cell(const heat_grid *grid, int64_t row, int64_t column)
{
    const study_heat *heat = grid->heat;
    int64_t row_end = least((row + 1) * grid->row_block, heat->rows),
            column_end = least((column + 1) * grid->column_block, heat->columns);
    heat_cell shown = look_at(heat, row * grid->row_block * heat->columns + column * grid->column_block);
    for (int64_t i = row * grid->row_block; i < row_end; i++)
        for (int64_t j = column * grid->column_block; j < column_end; j++) {
            heat_cell cell = look_at(heat, i * heat->columns + j);
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

/* ---- Labels --------------------------------------------------------------------------------- */

static const char *label_at(const char *const *labels, int64_t at, char number[HEAT_NUMBER_SIZE])
{
    if (labels)
        return labels[at] ? labels[at] : "";
    snprintf(number, HEAT_NUMBER_SIZE, "%lld", (long long)at);
    return number;
}

const char *heat_row_label(const heat_grid *grid, int64_t row, char number[HEAT_NUMBER_SIZE])
{
    return label_at(grid->heat->row_labels, row * grid->row_block, number);
}

const char *heat_column_label(const heat_grid *grid, int64_t column, char number[HEAT_NUMBER_SIZE])
{
    return label_at(grid->heat->column_labels, column * grid->column_block, number);
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

int heat_row_labels_width(const heat_grid *grid, int columns)
{
    char number[HEAT_NUMBER_SIZE];
    int widest = 0;
    for (int64_t i = 0; i < grid->rows; i++) {
        int width = label_width(heat_row_label(grid, i, number), columns);
        widest = width > widest ? width : widest;
    }
    return widest;
}

int heat_column_labels_width(const heat_grid *grid, int columns)
{
    char number[HEAT_NUMBER_SIZE];
    int widest = 0;
    for (int64_t j = 0; j < grid->columns; j++) {
        int width = label_width(heat_column_label(grid, j, number), columns);
        widest = width > widest ? width : widest;
    }
    return widest;
}
