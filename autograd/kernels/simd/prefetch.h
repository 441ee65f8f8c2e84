/* prefetch.h - prefetching the cache lines that a product will need while it multiplies.
 *
 * A tile prefetches one line at each step of its sum. Between multiplications that costs
 * next to nothing, while many prefetches at once would delay the tile's own loads. */
#ifndef AUTOGRAD_KERNELS_PREFETCH_H
#define AUTOGRAD_KERNELS_PREFETCH_H

#include "level.h"

#define LINE_NUMBERS ((int64_t)(64 / sizeof(ag_real)))

/* Cache lines of a block of a matrix that are still to be prefetched. They come in
 * runs of `run` lines, `step` numbers apart. The next one is line `at` of the run that
 * begins at `first`; the run after it begins `run_step` numbers further. */
typedef struct line_list {
    const ag_real *first;
    int64_t run_step, run, step, at, left; /* left: lines to prefetch */
} line_list;

/* Lines of which each tile prefetches the next `each`, or as many as are left. */
typedef struct prefetch_share {
    line_list lines;
    int64_t each;
} prefetch_share;
#define PREFETCH_SHARES 3

static inline int64_t lines_in(int64_t numbers)
{
    return ceil_div(numbers, LINE_NUMBERS);
}

/* The lines of `rows` rows of `width` numbers, one row after the other: each memory
 * page is finished before the next begins. */
static inline line_list lines_along(const ag_real *first, int64_t rows, int64_t width, int64_t row_step)
{
    return (line_list){first, row_step, lines_in(width), LINE_NUMBERS, 0, rows * lines_in(width)};
}

/* The same lines in another order, for the few rows of a tile: the first line of each
 * row, then the second of each. (A processor that sees lines follow each other
 * prefetches more of them by itself, beyond the end of the row, too.) */
static inline line_list lines_across(const ag_real *first, int64_t rows, int64_t width, int64_t row_step)
{
    return (line_list){first, LINE_NUMBERS, rows, row_step, 0, rows * lines_in(width)};
}

/* Takes up to `count` lines off the list, all of one run. Returns how many; they are
 * lines->step numbers apart, from *line on. The list must not be empty. */
static inline int64_t take_lines(line_list *lines, int64_t count, const ag_real **line)
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
