/* pack_pairs.h - copies of A and B for tiles that multiply pairs of bfloat16.
 *
 * Numbers are rounded to nearest, ties to even. Denormal numbers become 0, as they do in
 * this level's products and sums. */
#ifndef AUTOGRAD_KERNELS_PACK_PAIRS_H
#define AUTOGRAD_KERNELS_PACK_PAIRS_H

#include "panel.h"
#include "row_sums.h"
#include "transpose.h"

/* ---- Pairs ------------------------------------------------------------------------- */

/* The first LANES of `count` numbers that are `step` apart, and zeros if there are
 * fewer. */
static inline vector numbers(const ag_real *p, int64_t step, int64_t count)
{
    if (count >= LANES && step == 1)
        return load(p);
    ag_real some[LANE_COUNT] = {0};
    for (int64_t i = 0; i < LANES && i < count; i++)
        some[i] = p[i * step];
    return load(some);
}

/* Pairs of neighbours: the first LANES pairs of `count` contiguous numbers. The last
 * number of an odd count is paired with 0. */
static inline units pairs_along(const ag_real *p, int64_t count)
{
    vector first = numbers(p, 1, count), second = {0};
    if (count > LANES)
        second = numbers(p + LANES, 1, count - LANES);
    return (units)_mm512_cvtne2ps_pbh((__m512)second, (__m512)first);
}

/* Pairs of p[i * step] and beside[i * step]: the first LANES of `count`. Without `beside`
 * (NULL) each number is paired with 0. */
static inline units pairs_across(const ag_real *p, const ag_real *beside, int64_t step, int64_t count)
{
    typedef int16_t halves __attribute__((vector_size(VECTOR_BYTES)));
    static const halves in_turn = {0, 16, 1, 17, 2,  18, 3,  19, 4,  20, 5,  21, 6,  22, 7,  23,
                                   8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
    vector first = numbers(p, step, count), second = {0};
    if (beside)
        second = numbers(beside, step, count);
    return (units)_mm512_permutexvar_epi16((__m512i)in_turn,
                                           (__m512i)_mm512_cvtne2ps_pbh((__m512)second, (__m512)first));
}

/* ---- Panels of B ------------------------------------------------------------------- */

/* Pair p of LANES columns, of which `width` exist. */
static inline units pairs_of_b(const product_task *task, int64_t p, int64_t column, int64_t width)
{
    const ag_real *b = task->b + 2 * p * task->b_row + column * task->b_column;
    return pairs_across(b, 2 * p + 1 < task->k ? b + task->b_row : NULL, task->b_column, width);
}

static void pack_rows(const product_task *task, const product_panel *panel, unit *copy)
{
    for (int64_t p = 0; p < panel->depth; p++)
        for (int64_t j = 0; j < panel->columns; j += LANES) {
            unit *out = sliver_of_b(panel, copy, j / TILE_COLUMNS * TILE_COLUMNS) + p * TILE_COLUMNS + j % TILE_COLUMNS;
            store_units(out, pairs_of_b(task, panel->p0 + p, panel->column + j, panel->columns - j));
        }
}

/* Copies up to LANES pairs, of `count` numbers, of LANES contiguous columns, of which
 * `width` exist, by transposing a square of pairs. A transposed weight has such
 * columns. */
static void pack_square(const ag_real *b, int64_t b_column, int64_t count, int64_t width, unit *out)
{
    vector x[LANE_COUNT] = {{0}};
    for (int64_t i = 0; i < LANE_COUNT && i < width; i++)
        x[i] = (vector)pairs_along(b + i * b_column, count);
    transpose_square(x);
    for (int64_t p = 0; p < LANE_COUNT && 2 * p < count; p++)
        store_units(out + p * TILE_COLUMNS, (units)x[p]);
}

static void pack_columns(const product_task *task, const product_panel *panel, unit *copy)
{
    const int64_t count = numbers_in(task, panel);
    for (int64_t j = 0; j < panel->columns; j += LANES) {
        const ag_real *b = task->b + 2 * panel->p0 + (panel->column + j) * task->b_column;
        unit *out = sliver_of_b(panel, copy, j / TILE_COLUMNS * TILE_COLUMNS) + j % TILE_COLUMNS;
        for (int64_t p = 0; p < panel->depth; p += LANES)
            if (panel->columns - j >= LANES && count - 2 * p >= 2 * LANES)
                pack_square(b + 2 * p, task->b_column, 2 * LANES, LANES, out + p * TILE_COLUMNS);
            else
                pack_square(b + 2 * p, task->b_column, count - 2 * p, panel->columns - j, out + p * TILE_COLUMNS);
    }
}

static void copy_panel(const product_task *task, const product_panel *panel, unit *copy)
{
    if (task->b_row != 1 || task->b_column == 1)
        pack_rows(task, panel, copy);
    else
        pack_columns(task, panel, copy);
}

static columns_of_b panel_of_b(const product_task *task, const product_panel *panel, unit *copy)
{
    copy_panel(task, panel, copy);
    return (columns_of_b){copy, TILE_COLUMNS, panel->depth};
}

/* ---- Slivers of A ------------------------------------------------------------------ */

/* Pairs are always copies. */
static bool a_needs_no_copy(const product_task *task)
{
    (void)task;
    return false;
}

/* (Contiguous rows are copied by sliver_of_a.) */
static void copy_group(const product_task *task, int64_t row, int64_t rows, const product_panel *panel, unit *copy)
{
    if (task->a_column == 1)
        return;
    for (int64_t p = panel->p0; p < panel->p0 + panel->depth; p++, copy += GROUP_ROWS)
        for (int64_t i = 0; i < rows; i += LANES) {
            const ag_real *a = task->a + (row + i) * task->a_row + 2 * p * task->a_column;
            const ag_real *beside = 2 * p + 1 < task->k ? a + task->a_column : NULL;
            store_units(copy + i, pairs_across(a, beside, task->a_row, rows - i));
        }
}

/* (Of A's own numbers, which are not rounded to bfloat16.) */
static void sum_group(const product_task *task, int64_t row, int64_t rows, const product_panel *panel, const unit *copy)
{
    (void)copy;
    add_row_sums(task->a + row + panel->p0 * UNIT_NUMBERS * task->a_column, task->a_column, rows,
                 numbers_in(task, panel), task->a_sums + row, task->m);
}

static rows_of_a sliver_of_a(const product_task *task, int64_t row, int64_t begin, int64_t end,
                             const product_panel *panel, unit *copy)
{
    if (task->a_column != 1)
        return (rows_of_a){copy + begin, 1, GROUP_ROWS};
    const int64_t count = numbers_in(task, panel);
    for (int64_t i = begin; i < end; i++) {
        const ag_real *a = task->a + (row + i) * task->a_row + 2 * panel->p0;
        for (int64_t p = 0; p < panel->depth; p += LANES) {
            store_units(copy + (i - begin) * SLIVER_ROW + p, pairs_along(a + 2 * p, count - 2 * p));
        }
    }
    return (rows_of_a){copy, SLIVER_ROW, 1};
}

#endif
