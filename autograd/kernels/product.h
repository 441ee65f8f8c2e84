/* product.h - the matrix product. */
#ifndef AUTOGRAD_KERNELS_PRODUCT_H
#define AUTOGRAD_KERNELS_PRODUCT_H

#include "real.h"

/* Called with elements (row, column) .. (row, column + count - 1) of C once they are
 * final, while they are still in the cache; once per element, by any thread. Not for
 * batches: it does not know which product the elements belong to. */
typedef void product_finish(const void *context, int64_t row, int64_t column, int64_t count);

/* C = A B + bias, or C += A B + bias. A is [m, k], with element (i, p) at
 * a[i * a_row + p * a_column]: a transposed matrix has its two steps exchanged. The same
 * holds for B [k, n]. C is [m, n], with rows c_row apart. */
typedef struct product_task {
    int64_t m, n, k;
    const ag_real *a;
    int64_t a_row, a_column;
    const ag_real *b;
    int64_t b_row, b_column;
    ag_real *c;
    int64_t c_row;
    bool add;
    const ag_real *bias; /* [n], added to every row, or NULL */
    /* [2, m], or NULL: a_sums[i] += the sum of row i of A, and a_sums[m + i] += what that
     * rounds off. Only for single products with a_row 1 and n > 0. */
    double *a_sums;
    product_finish *finish; /* or NULL */
    const void *finish_context;
    const void *packed; /* a copy of B by kernel_product.pack, which is read in its place, or NULL */
} product_task;

/* Rows row_begin .. row_end - 1 and columns column_begin .. column_end - 1 of C. */
typedef struct product_block {
    int64_t row_begin, row_end, column_begin, column_end;
} product_block;

typedef struct kernel_product {
    /* Computes a block of C. `workspace` has workspace_bytes. An element has the same
     * bits whatever block it is computed in. Blocks with column 0 add to a_sums. */
    void (*block)(const product_task *task, product_block block, void *workspace);
    size_t workspace_bytes;
    int64_t tile_rows, tile_columns; /* of the largest tile, which is computed in registers */
    int64_t panel_columns;           /* of the widest panel of B, a multiple of tile_columns */
    /* The bytes of a copy of the whole of B in the order in which `block` reads it, and
     * the copy itself; 0 bytes: `block` reads B where it lies. Panels along k follow each
     * other, so what k_border's row k' begins is packed_bytes(k', n) bytes further. */
    size_t (*packed_bytes)(int64_t k, int64_t n);
    void (*pack)(const product_task *task, void *copy);
    /* A sum over a large k is the sum over its panels, in order: how many panels there
     * are, and where panel `index` begins (for index = k_panels: k). The product over
     * one panel alone has the bits of that panel's contribution to the whole. */
    int64_t (*k_panels)(int64_t k);
    int64_t (*k_border)(int64_t k, int64_t index);
} kernel_product;

/* Bytes of workspace for kernel_product_run with this many threads (at least 1). The
 * workspace must be aligned for ag_real. */
size_t kernel_product_workspace(const kernel_product *product, int threads);

/* Computes `count` products. Product i has its operands i * (a_step, b_step, c_step)
 * elements further; with a step of 0 all products share A, or B. Runs in parallel over
 * the batch, or over the pieces of one product after the other. */
void kernel_product_run(const kernel_product *product, const product_task *task, int64_t count, int64_t a_step,
                        int64_t b_step, int64_t c_step, int threads, void *workspace);

#endif
