/* tile_shapes.h - one function for each height and width of a tile, so that the compiler
 * keeps its sums in registers. The source that includes this file may have chosen other
 * vectors and widths than its level's. */
#ifndef AUTOGRAD_KERNELS_TILE_SHAPES_H
#define AUTOGRAD_KERNELS_TILE_SHAPES_H

#include "tile.h"

/* p + steps. Computed on integers, since after the last step it is an address outside the
 * matrix, which C's pointer arithmetic does not allow. It is not read. */
INLINE const unit *further(const unit *p, int64_t steps)
{
    return (const unit *)((uintptr_t)p + (uintptr_t)steps * sizeof(unit));
}

INLINE const ag_real *further_line(const ag_real *line, int64_t step)
{
    return (const ag_real *)((uintptr_t)line + (uintptr_t)step * sizeof(ag_real));
}

#define THIRDS ((TILE_ROWS + 2) / 3)

/* sum += column p of A times row p of B; then moves on to the next of both. There is a
 * pointer for every three rows of A; the other two are at offsets that an instruction's
 * address can hold. So few pointers fit into registers beside the sums. */
INLINE void step(int rows, int vectors, const tile_task *task, const unit *a[THIRDS], const unit **b,
                 vector sum[TILE_ROWS][TILE_VECTORS])
{
    units own[TILE_VECTORS];
    for (int v = 0; v < vectors; v++)
        own[v] = load_units(*b + v * LANES);
    UNROLL(12)
    for (int i = 0; i < rows; i++) {
        units element = splat_unit(a[i / 3][i % 3 * task->a_row]);
        for (int v = 0; v < vectors; v++)
            sum[i][v] = multiply_add(sum[i][v], element, own[v]);
    }
    UNROLL(4)
    for (int third = 0; third < (rows + 2) / 3; third++)
        a[third] = further(a[third], task->a_column);
    *b = further(*b, task->b_row);
}

/* sum = A B. `rows` and `vectors` are constants where this is inlined. Prefetches run by
 * run: a loop that had to find each next line would need too many registers. */
INLINE void multiply(int rows, int vectors, const tile_task *task, vector sum[TILE_ROWS][TILE_VECTORS])
{
    const unit *b = task->b, *a[THIRDS];
    int64_t p = 0;
    a[0] = task->a;
    UNROLL(4)
    for (int third = 1; third < (rows + 2) / 3; third++)
        a[third] = further(a[third - 1], 3 * task->a_row);
    for (int i = 0; i < PREFETCH_SHARES && task->prefetch[i]; i++) {
        line_list *lines = &task->prefetch[i]->lines;
        int64_t count = smaller(task->prefetch[i]->each, task->depth - p);
        while (count > 0 && lines->left > 0) {
            const ag_real *line;
            const int64_t run = take_lines(lines, count, &line), line_step = lines->step;
            count -= run;
            for (const int64_t end = p + run; p < end; p++, line = further_line(line, line_step)) {
                __builtin_prefetch(line);
                step(rows, vectors, task, a, &b, sum);
            }
        }
    }
    for (; p < task->depth; p++)
        step(rows, vectors, task, a, &b, sum);
}

/* Writes the sums to C. C has `last` numbers of the last vector of each row: LANES or
 * fewer. */
INLINE void write_sums(int rows, int vectors, int64_t last, const tile_task *task, vector sum[TILE_ROWS][TILE_VECTORS])
{
    ag_real *c = task->c;
    const bool add = task->add;
    const ag_real *bias = task->bias;
    const int64_t c_row = task->c_row;
    UNROLL(12)
    for (int i = 0; i < rows; i++, c += c_row)
        for (int v = 0; v < vectors; v++) {
            const int64_t count = v < vectors - 1 ? LANES : last;
            vector element = sum[i][v];
            if (add)
                element += count == LANES ? load(c + v * LANES) : load_some(c + v * LANES, count);
            if (bias)
                element += count == LANES ? load(bias + v * LANES) : load_some(bias + v * LANES, count);
            if (count == LANES)
                store(c + v * LANES, element);
            else
                store_some(c + v * LANES, element, count);
        }
}

INLINE void tile_of(int rows, int vectors, const tile_task *task)
{
    vector sum[TILE_ROWS][TILE_VECTORS] = {{{0}}};
    multiply(rows, vectors, task, sum);
    if (task->columns == vectors * LANES)
        write_sums(rows, vectors, LANES, task, sum);
    else
        write_sums(rows, vectors, task->columns - (vectors - 1) * LANES, task, sum);
}

typedef void tile_function(const tile_task *task);

#define TILE(rows, vectors)                                                                                            \
    static void tile_##rows##x##vectors(const tile_task *task)                                                         \
    {                                                                                                                  \
        tile_of(rows, vectors, task);                                                                                  \
    }
#if TILE_VECTORS == 1
#define HEIGHT(rows) TILE(rows, 1)
#define WIDTHS(rows)                                                                                                   \
    {                                                                                                                  \
        tile_##rows##x1                                                                                                \
    }
#else
#define HEIGHT(rows) TILE(rows, 1) TILE(rows, 2)
#define WIDTHS(rows)                                                                                                   \
    {                                                                                                                  \
        tile_##rows##x1, tile_##rows##x2                                                                               \
    }
#endif

HEIGHT(1)
HEIGHT(2)
HEIGHT(3)
HEIGHT(4)
#if TILE_ROWS >= 6
HEIGHT(5)
HEIGHT(6)
#endif
#if TILE_ROWS == 12
HEIGHT(7)
HEIGHT(8)
HEIGHT(9)
HEIGHT(10)
HEIGHT(11)
HEIGHT(12)
#endif

static tile_function *const tiles[TILE_ROWS][TILE_VECTORS] = {
    WIDTHS(1), WIDTHS(2), WIDTHS(3), WIDTHS(4),
#if TILE_ROWS >= 6
    WIDTHS(5), WIDTHS(6),
#endif
#if TILE_ROWS == 12
    WIDTHS(7), WIDTHS(8), WIDTHS(9), WIDTHS(10), WIDTHS(11), WIDTHS(12),
#endif
};

#endif
