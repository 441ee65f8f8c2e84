/* ahead.h - the lines of cache that a product will need, asked for while it multiplies. A tile asks for one at each
 * step of its sum: between its multiplications that costs next to nothing, while a crowd of requests before it would
 * keep its own loads waiting. */
#ifndef AUTOGRAD_KERNELS_AHEAD_H
#define AUTOGRAD_KERNELS_AHEAD_H

#include "real.h"

#define LINE_NUMBERS ((int64_t)(64 / sizeof(real)))
#define AHEAD_LINES  512

typedef struct ahead_list {
    int64_t count, most; /* held; that the tile has steps for, at most AHEAD_LINES */
    const real *line[AHEAD_LINES];
} ahead_list;

/* Lines of a part of a matrix, and how far they have been asked for: the next is number `at` of a run of `run` lines
 * that are `step` numbers apart and begin at `first`; the run after it begins `run_step` further. */
typedef struct ahead_lines {
    const real *first;
    int64_t run_step, run, step, at, left; /* left: lines that have not been asked for */
} ahead_lines;

static inline int64_t lines_in(int64_t numbers)
{
    return (numbers + LINE_NUMBERS - 1) / LINE_NUMBERS;
}

/* The lines of `rows` rows of `width` numbers, one row behind the other: each page is done with before the next. */
static inline ahead_lines lines_along(const real *first, int64_t rows, int64_t width, int64_t row_step)
{
    return (ahead_lines){first, row_step, lines_in(width), LINE_NUMBERS, 0, rows * lines_in(width)};
}

/* The same for the few rows of a tile: one line of each row, then the next of each. A processor that sees lines follow
 * each other fetches more of them by itself, behind the row's end too. */
static inline ahead_lines lines_across(const real *first, int64_t rows, int64_t width, int64_t row_step)
{
    return (ahead_lines){first, LINE_NUMBERS, rows, row_step, 0, rows * lines_in(width)};
}

/* Notes the next `count` of the lines, as far as there are so many and the list has room. */
static inline void ask_for(ahead_list *list, ahead_lines *what, int64_t count)
{
    const int64_t room = list->most - list->count;
    if (count > room)
        count = room;
    if (count > what->left)
        count = what->left;
    const real **line = list->line + list->count;
    list->count += count;
    what->left -= count;
    for (; count > 0; count--) {
        if (what->at == what->run) {
            what->at = 0;
            what->first += what->run_step;
        }
        *line++ = what->first + what->at++ * what->step;
    }
}

#endif
