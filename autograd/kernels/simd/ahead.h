/* ahead.h - the lines of cache that a product will need, asked for while it multiplies. A tile asks for one at each
 * step of its sum: between its multiplications that costs next to nothing, while a crowd of requests before it would
 * keep its own loads waiting. */
#ifndef AUTOGRAD_KERNELS_AHEAD_H
#define AUTOGRAD_KERNELS_AHEAD_H

#include "level.h"

#define LINE_NUMBERS ((int64_t)(64 / sizeof(ag_real)))

/* Lines of a part of a matrix, and how far they have been asked for: the next is number `at` of a run of `run` lines
 * that are `step` numbers apart and begin at `first`; the run after it begins `run_step` further. */
typedef struct ahead_lines {
    const ag_real *first;
    int64_t run_step, run, step, at, left; /* left: lines that have not been asked for */
} ahead_lines;

/* Lines of which a tile asks for the next `each`, or as many as are left. */
typedef struct ahead_share {
    ahead_lines lines;
    int64_t each;
} ahead_share;
#define AHEAD_SHARES 3

static inline int64_t lines_in(int64_t numbers)
{
    return parts_of(numbers, LINE_NUMBERS);
}

/* The lines of `rows` rows of `width` numbers, one row behind the other: each page is done with before the next. */
static inline ahead_lines lines_along(const ag_real *first, int64_t rows, int64_t width, int64_t row_step)
{
    return (ahead_lines){first, row_step, lines_in(width), LINE_NUMBERS, 0, rows * lines_in(width)};
}

/* The same for the few rows of a tile: one line of each row, then the next of each. A processor that sees lines follow
 * each other fetches more of them by itself, behind the row's end too. */
static inline ahead_lines lines_across(const ag_real *first, int64_t rows, int64_t width, int64_t row_step)
{
    return (ahead_lines){first, LINE_NUMBERS, rows, row_step, 0, rows * lines_in(width)};
}

/* Takes the next lines, at most `count`, as far as they are in one run: returns how many, `step` apart from *line on.
 * There must be one left. */
static inline int64_t take_run(ahead_lines *lines, int64_t count, const ag_real **line)
{
    if (lines->at == lines->run) {
        lines->at = 0;
        lines->first += lines->run_step;
    }
    const int64_t taken = smaller(count, smaller(lines->run - lines->at, lines->left));
    *line = lines->first + lines->at * lines->step;
    lines->at += taken;
    lines->left -= taken;
    return taken;
}

#endif
