/* tile.h - the innermost loop of all products: a tile of C, held in registers, plus or equal A B. */
#ifndef AUTOGRAD_KERNELS_TILE_H
#define AUTOGRAD_KERNELS_TILE_H

#include "ahead.h"
#include "unit.h"

/* The largest tile. Registers hold its sums, a row of B and one element of A. */
#if defined(KERNEL_LEVEL_avx512)
#define TILE_ROWS 12 /* 24 of 32 registers hold sums */
#else
#define TILE_ROWS 6 /* 12 of 16 registers hold sums */
#endif
#ifndef TILE_VECTORS
#define TILE_VECTORS 2
#endif
#define TILE_COLUMNS (TILE_VECTORS * LANES)

/* Unit (i, p) of A is at a[i * a_row + p * a_column]: any matrix, transposed or not, where it lies. The rows of B are
 * b_row apart and begin with whole vectors: as many as `columns` needs are read, whatever stands behind it. */
typedef struct tile_task {
    int64_t rows, columns, depth; /* of C: at most TILE_ROWS, TILE_COLUMNS; of the sum, in units */
    const unit *a;
    int64_t a_row, a_column;
    const unit *b;
    int64_t b_row;
    ag_real *c;
    int64_t c_row;
    bool add;                         /* to what C holds */
    const ag_real *bias;                 /* [columns], added to every row; NULL: none */
    ahead_share *ahead[AHEAD_SHARES]; /* to be asked for meanwhile, as far as the sum has steps; NULL: no more */
} tile_task;

/* Every element is the sum over p in order, then what is added to it: its bits do not depend on its place in a tile. */
void KERNEL(tile)(const tile_task *task);

/* The same of at most half a vector of columns. */
#if defined(KERNEL_LEVEL_avx512)
#define TILE_NARROW
void KERNEL(tile_narrow)(const tile_task *task);
#endif

#endif
