/* tile.h - the innermost loop of all products: C = A B or C += A B for a tile of C, a
 * block whose sums fit into registers. */
#ifndef AUTOGRAD_KERNELS_TILE_H
#define AUTOGRAD_KERNELS_TILE_H

#include "prefetch.h"
#include "unit.h"

/* The size of the largest tile. Registers hold its sums, a row of B and one element of
 * A. (An engine for WebAssembly on x86-64 also needs one for each product, as it cannot
 * fuse the addition, and keeps one for itself.) */
#if defined(KERNEL_LEVEL_avx512)
#define TILE_ROWS 12 /* 24 of 32 registers hold sums */
#elif defined(__wasm__)
#define TILE_ROWS 4 /* 8 of 16 registers hold sums: 12 do not fit */
#else
#define TILE_ROWS 6 /* 12 of 16 registers hold sums */
#endif
#ifndef TILE_VECTORS
#define TILE_VECTORS 2
#endif
#define TILE_COLUMNS (TILE_VECTORS * LANES)

/* Unit (i, p) of A is at a[i * a_row + p * a_column], so a transposed matrix is read
 * where it lies. Rows of B are b_row apart and are read in whole vectors, as many as
 * `columns` needs: memory up to there must be readable, its values do not matter. */
typedef struct tile_task {
    int64_t rows, columns, depth; /* at most TILE_ROWS, TILE_COLUMNS; depth: units of k */
    const unit *a;
    int64_t a_row, a_column;
    const unit *b;
    int64_t b_row;
    ag_real *c;
    int64_t c_row;
    bool add;                                  /* C += A B */
    const ag_real *bias;                       /* [columns], added to every row, or NULL */
    prefetch_share *prefetch[PREFETCH_SHARES]; /* one line a step, while steps last; NULL ends the list */
} tile_task;

/* Each element is summed over p in order, and then C's old value and the bias are
 * added: so its bits do not depend on its place in a tile. */
void KERNEL(tile)(const tile_task *task);

/* The same for tiles of at most half a vector of columns. */
#if defined(KERNEL_LEVEL_avx512)
#define TILE_NARROW
void KERNEL(tile_narrow)(const tile_task *task);
#endif

#endif
