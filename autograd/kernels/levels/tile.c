/* tile.c - one function for each height and width of a tile, so that its sums stay in registers. */
#include "tile.h"

#define INLINE static inline __attribute__((always_inline))

/* `steps` units further: after the last step that is a place behind the matrix, which nobody reads. */
INLINE const unit *further(const unit *p, int64_t steps)
{
    return (const unit *)((uintptr_t)p + (uintptr_t)steps * sizeof(unit));
}

#define THIRDS ((TILE_ROWS + 2) / 3)

/* sum += column p of A times row p of B; then on to the next of both. Rows of A are reached from a pointer for every
 * three of them, by steps that addresses can hold: so few pointers fit into registers as well. */
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

/* sum = A B. `rows` and `vectors` are known where this is inlined. */
INLINE void multiply(int rows, int vectors, const tile_task *task, vector sum[TILE_ROWS][TILE_VECTORS])
{
    const int64_t asking = task->ahead ? task->ahead->count : 0;
    const unit *b = task->b, *a[THIRDS];
    for (int third = 0; third < (rows + 2) / 3; third++)
        a[third] = task->a + 3 * third * task->a_row;
    for (int64_t p = 0; p < asking; p++) {
        __builtin_prefetch(task->ahead->line[p]);
        step(rows, vectors, task, a, &b, sum);
    }
    for (int64_t p = asking; p < task->depth; p++)
        step(rows, vectors, task, a, &b, sum);
}

/* A tile of whole vectors. */
INLINE void write_vectors(int rows, int vectors, const tile_task *task, vector sum[TILE_ROWS][TILE_VECTORS])
{
    real *c = task->c;
    UNROLL(12)
    for (int i = 0; i < rows; i++, c += task->c_row)
        for (int v = 0; v < vectors; v++) {
            vector element = sum[i][v];
            if (task->add)
                element += load(c + v * LANES);
            if (task->bias)
                element += load(task->bias + v * LANES);
            store(c + v * LANES, element);
        }
}

/* A tile whose last vector C has only a part of. */
static void write_part(const tile_task *task, const real *sum)
{
    for (int64_t i = 0; i < task->rows; i++)
        for (int64_t j = 0; j < task->columns; j++) {
            /* cppcheck-suppress uninitvar ; store wrote it */
            real *c = task->c + i * task->c_row + j, element = sum[i * TILE_COLUMNS + j];
            if (task->add)
                element += *c;
            if (task->bias)
                element += task->bias[j];
            *c = element;
        }
}

INLINE void tile_of(int rows, int vectors, const tile_task *task)
{
    vector sum[TILE_ROWS][TILE_VECTORS] = {{{0}}};
    multiply(rows, vectors, task, sum);
    if (task->columns == vectors * LANES) {
        write_vectors(rows, vectors, task, sum);
        return;
    }
    real spilled[TILE_ROWS * TILE_COLUMNS];
    UNROLL(12)
    for (int i = 0; i < rows; i++)
        for (int v = 0; v < vectors; v++)
            store(spilled + i * TILE_COLUMNS + v * LANES, sum[i][v]);
    write_part(task, spilled);
}

typedef void tile_function(const tile_task *task);

#define HEIGHT(rows)                                                                                                   \
    static void tile_##rows##x1(const tile_task *task)                                                                 \
    {                                                                                                                  \
        tile_of(rows, 1, task);                                                                                        \
    }                                                                                                                  \
    static void tile_##rows##x2(const tile_task *task)                                                                 \
    {                                                                                                                  \
        tile_of(rows, 2, task);                                                                                        \
    }
HEIGHT(1)
HEIGHT(2)
HEIGHT(3)
HEIGHT(4)
HEIGHT(5)
HEIGHT(6)
#if TILE_ROWS == 12
HEIGHT(7)
HEIGHT(8)
HEIGHT(9)
HEIGHT(10)
HEIGHT(11)
HEIGHT(12)
#endif

#define WIDTHS(rows)                                                                                                   \
    {                                                                                                                  \
        tile_##rows##x1, tile_##rows##x2                                                                               \
    }
static tile_function *const tiles[TILE_ROWS][TILE_VECTORS] = {
    WIDTHS(1), WIDTHS(2), WIDTHS(3), WIDTHS(4),  WIDTHS(5),  WIDTHS(6),
#if TILE_ROWS == 12
    WIDTHS(7), WIDTHS(8), WIDTHS(9), WIDTHS(10), WIDTHS(11), WIDTHS(12),
#endif
};

void KERNEL(tile)(const tile_task *task)
{
    tiles[task->rows - 1][(task->columns - 1) / LANES](task);
}
