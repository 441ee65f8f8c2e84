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

/* Lines of a part of a matrix in the order that they are to come in: runs of `run` lines `step` numbers apart; the runs
 * begin `run_step` apart. */
typedef struct ahead_lines {
    const real *first;
    int64_t runs, run_step, run, step;
} ahead_lines;

static inline int64_t lines_in(int64_t numbers)
{
    return (numbers + LINE_NUMBERS - 1) / LINE_NUMBERS;
}

/* The lines of `rows` rows of `width` numbers, one row behind the other: each page is done with before the next. */
static inline ahead_lines lines_along(const real *first, int64_t rows, int64_t width, int64_t row_step)
{
    return (ahead_lines){first, rows, row_step, lines_in(width), LINE_NUMBERS};
}

/* The same for the few rows of a tile: one line of each row, then the next of each. A processor that sees lines follow
 * each other fetches more of them by itself, behind the row's end too. */
static inline ahead_lines lines_across(const real *first, int64_t rows, int64_t width, int64_t row_step)
{
    return (ahead_lines){first, lines_in(width), LINE_NUMBERS, rows, row_step};
}

/* Notes the share from / of .. to / of of the lines; what the list has no room for is left out. */
static inline void ask_for(ahead_list *list, const ahead_lines *what, int64_t from, int64_t to, int64_t of)
{
    const int64_t lines = what->runs * what->run, begin = lines * from / of, room = list->most - list->count;
    int64_t left = lines * to / of - begin;
    if (left > room)
        left = room;
    if (left <= 0)
        return;
    const real **line = list->line + list->count;
    list->count += left;
    for (int64_t r = begin / what->run, i = begin % what->run; left > 0; r++, i = 0)
        for (; i < what->run && left > 0; i++, left--)
            *line++ = what->first + r * what->run_step + i * what->step;
}

#endif
