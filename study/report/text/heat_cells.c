/* heat_cells.c - the cells of a heat map: see text.h. */
#include "text.h"

#include <math.h>

static const char shades[TEXT_SHADES + 1] = " .:-=+*%#";
static const char marks[LOOKS] = {[LOOK_MASKED] = 'x', [LOOK_PADDING] = '_', [LOOK_LEAK] = '!', [LOOK_STRANGE] = '?'};

/* Of the 256 colours of terminals, from white to a blue that is visible on black too.
 * Looks that are not values have a background and a text colour of their own. */
static const int grounds[TEXT_SHADES] = {231, 189, 153, 111, 75, 69, 32, 26, 25};
static const char *const look_colours[LOOKS] = {[LOOK_MASKED] = "38;5;240;48;5;254",
                                                [LOOK_PADDING] = "38;5;238;48;5;249",
                                                [LOOK_LEAK] = "1;38;5;231;48;5;160",
                                                [LOOK_STRANGE] = "1;38;5;231;48;5;160"};

/* 0 to TEXT_SHADES - 1; kinds are evenly spaced. */
static int shade_of(const heat_grid *grid, double value)
{
    const study_heat *heat = grid->heat;
    const double share = heat->kinds ? value / (double)(heat->kind_count - 1) : heat_grid_share(grid, value);
    return (int)lround(fmin(fmax(share, 0), 1) * (TEXT_SHADES - 1));
}

void text_put_cell(pen *p, const heat_grid *grid, heat_cell cell, int width, bool color)
{
    const int shade = cell.look == LOOK_VALUE ? shade_of(grid, cell.value) : 0;
    if (!color) {
        terminal_repeat(p, ' ', width - 1);
        terminal_repeat(p, cell.look == LOOK_VALUE ? shades[shade] : marks[cell.look], 1);
        return;
    }
    if (cell.look == LOOK_VALUE)
        pen_put(p, "\033[48;5;%dm", grounds[shade]);
    else
        pen_put(p, "\033[%sm", look_colours[cell.look]);
    terminal_repeat(p, cell.look == LOOK_VALUE ? ' ' : cell.look == LOOK_MASKED ? '/' : marks[cell.look], width);
    terminal_letters(p, TERMINAL_NORMAL, true);
}

void text_put_ramp(pen *p, int wide, bool color)
{
    pen_put(p, "0 ");
    for (int shade = 0; shade < TEXT_SHADES; shade++)
        if (color)
            pen_put(p, "\033[48;5;%dm%*s", grounds[shade], wide, "");
        else
            pen_put(p, "%c", shades[shade]);
    terminal_letters(p, TERMINAL_NORMAL, color);
}
