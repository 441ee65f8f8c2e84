/* product.c - the matrix product of one level, packed and register-blocked.
 *
 * The loops are those of Goto and van de Geijn (Anatomy of high-performance matrix multiplication, 2008): B is cut into
 * panels of K_STEP x N_STEP and A into panels of M_STEP x K_STEP, both copied into slivers that the innermost loop
 * reads in order; that loop keeps a tile of TILE_ROWS x TILE_COLUMNS of C in registers.
 *
 * Every element of C is the sum over the panels of k, in order, of a sum over p in order: the same bits whichever tile,
 * part or thread it falls to. */
#include "../product.h"

#include "level.h"

#if defined(KERNEL_LEVEL_avx512)
#define TILE_ROWS 12 /* 24 of 32 registers hold C */
#else
#define TILE_ROWS 6 /* 12 of 16 registers hold C */
#endif
#define TILE_VECTORS 2
#define TILE_COLUMNS (TILE_VECTORS * LANES)

#define M_STEP       96
#define K_STEP       ((int64_t)256)
#define N_STEP       512

/* A's panel, in slivers of TILE_ROWS rows: sliver s holds for each p the elements (s * TILE_ROWS + 0.., p). Rows beyond
 * the end are 0. */
static void pack_a(const product_task *task, int64_t row, int64_t rows, int64_t p0, int64_t depth, real *out)
{
    for (int64_t sliver = 0; sliver < rows; sliver += TILE_ROWS) {
        int64_t height = rows - sliver < TILE_ROWS ? rows - sliver : TILE_ROWS;
        const real *a = task->a + (row + sliver) * task->a_row + p0 * task->a_column;
        for (int64_t p = 0; p < depth; p++, out += TILE_ROWS) {
            for (int64_t i = 0; i < height; i++)
                out[i] = a[i * task->a_row + p * task->a_column];
            for (int64_t i = height; i < TILE_ROWS; i++)
                out[i] = 0;
        }
    }
}

/* B's panel, in slivers of TILE_COLUMNS columns: sliver s holds for each p the elements (p, s * TILE_COLUMNS + 0..). */
static void pack_b(const product_task *task, int64_t column, int64_t columns, int64_t p0, int64_t depth, real *out)
{
    for (int64_t sliver = 0; sliver < columns; sliver += TILE_COLUMNS) {
        int64_t width = columns - sliver < TILE_COLUMNS ? columns - sliver : TILE_COLUMNS;
        const real *b = task->b + p0 * task->b_row + (column + sliver) * task->b_column;
        if (width == TILE_COLUMNS && task->b_column == 1) {
            for (int64_t p = 0; p < depth; p++, out += TILE_COLUMNS)
                for (int v = 0; v < TILE_VECTORS; v++)
                    store(out + v * LANES, load(b + p * task->b_row + v * LANES));
            continue;
        }
        for (int64_t p = 0; p < depth; p++, out += TILE_COLUMNS) {
            for (int64_t j = 0; j < width; j++)
                out[j] = b[p * task->b_row + j * task->b_column];
            for (int64_t j = width; j < TILE_COLUMNS; j++)
                out[j] = 0;
        }
    }
}

/* tile [TILE_ROWS, TILE_COLUMNS] = the product of one sliver of A and one of B. */
static inline void multiply_slivers(int64_t depth, const real *restrict a, const real *restrict b,
                                    vector tile[TILE_ROWS][TILE_VECTORS])
{
    vector sum[TILE_ROWS][TILE_VECTORS] = {{{0}}};
    for (int64_t p = 0; p < depth; p++) {
        vector b0 = load(b), b1 = load(b + LANES);
#pragma GCC unroll 16
        for (int i = 0; i < TILE_ROWS; i++) {
            vector ai = splat(a[i]);
            sum[i][0] += ai * b0;
            sum[i][1] += ai * b1;
        }
        a += TILE_ROWS;
        b += TILE_COLUMNS;
    }
#pragma GCC unroll 16
    for (int i = 0; i < TILE_ROWS; i++) {
        tile[i][0] = sum[i][0];
        tile[i][1] = sum[i][1];
    }
}

/* Writes or adds the top left rows x columns of a tile to C. */
static void write_tile(vector tile[TILE_ROWS][TILE_VECTORS], real *c, int64_t c_row, int64_t rows, int64_t columns,
                       bool add, const real *bias)
{
    for (int64_t i = 0; i < rows; i++, c += c_row) {
        if (columns == TILE_COLUMNS) {
            for (int v = 0; v < TILE_VECTORS; v++) {
                vector sum = tile[i][v];
                if (add)
                    sum += load(c + v * LANES);
                if (bias)
                    sum += load(bias + v * LANES);
                store(c + v * LANES, sum);
            }
            continue;
        }
        real row[TILE_COLUMNS];
        for (int v = 0; v < TILE_VECTORS; v++)
            store(row + v * LANES, tile[i][v]);
        for (int64_t j = 0; j < columns; j++) {
            real sum = row[j];
            if (add)
                sum += c[j];
            if (bias)
                sum += bias[j];
            c[j] = sum;
        }
    }
}

/* The tiles of C that one packed panel of A and one of B make. */
static void multiply_panels(const product_task *task, int64_t row, int64_t rows, int64_t column, int64_t columns,
                            int64_t depth, const real *a, const real *b, bool add, bool with_bias)
{
    for (int64_t j = 0; j < columns; j += TILE_COLUMNS)
        for (int64_t i = 0; i < rows; i += TILE_ROWS) {
            vector tile[TILE_ROWS][TILE_VECTORS];
            multiply_slivers(depth, a + i * depth, b + j * depth, tile);
            write_tile(tile, task->c + (row + i) * task->c_row + column + j, task->c_row,
                       rows - i < TILE_ROWS ? rows - i : TILE_ROWS,
                       columns - j < TILE_COLUMNS ? columns - j : TILE_COLUMNS, add,
                       with_bias ? task->bias + column + j : NULL);
        }
}

/* A product over nothing is 0, plus the bias. */
static void fill_empty(const product_task *task, product_block part)
{
    for (int64_t i = part.row_begin; i < part.row_end; i++)
        for (int64_t j = part.column_begin; j < part.column_end; j++) {
            real *c = task->c + i * task->c_row + j;
            *c = (task->add ? *c : 0) + (task->bias ? task->bias[j] : 0);
        }
}

static void block(const product_task *task, product_block part, void *workspace)
{
    real *packed_a = workspace, *packed_b = packed_a + M_STEP * K_STEP;
    if (task->k == 0)
        fill_empty(task, part);
    for (int64_t p = 0; p < task->k; p += K_STEP) {
        int64_t depth = task->k - p < K_STEP ? task->k - p : K_STEP;
        bool first = p == 0, add = task->add || !first;
        for (int64_t j = part.column_begin; j < part.column_end; j += N_STEP) {
            int64_t columns = part.column_end - j < N_STEP ? part.column_end - j : N_STEP;
            pack_b(task, j, columns, p, depth, packed_b);
            for (int64_t i = part.row_begin; i < part.row_end; i += M_STEP) {
                int64_t rows = part.row_end - i < M_STEP ? part.row_end - i : M_STEP;
                pack_a(task, i, rows, p, depth, packed_a);
                multiply_panels(task, i, rows, j, columns, depth, packed_a, packed_b, add, first && task->bias);
            }
        }
    }
}

const kernel_product KERNEL(product) = {
    .block = block,
    .workspace_bytes = (M_STEP * K_STEP + K_STEP * (N_STEP + TILE_COLUMNS)) * sizeof(real),
    .row_step = TILE_ROWS,
    .column_step = TILE_COLUMNS,
};
