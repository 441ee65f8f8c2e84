/* product.h - the matrix product. */
#ifndef AUTOGRAD_KERNELS_PRODUCT_H
#define AUTOGRAD_KERNELS_PRODUCT_H

#include "real.h"

/* What is to be done with `count` elements of C from (row, column) on, which are final and still in the cache.
 * In a batch of products it is not told which of them: it is for single ones. */
typedef void product_finish(const void *context, int64_t row, int64_t column, int64_t count);

/* C = A B + bias, or C += A B + bias. A is [m, k] with element (i, p) at a[i * a_row + p * a_column]: a transposed
 * matrix has its steps exchanged. The same for B [k, n]. The rows of C [m, n] are c_row apart. */
typedef struct product_task {
    int64_t m, n, k;
    const ag_real *a;
    int64_t a_row, a_column;
    const ag_real *b;
    int64_t b_row, b_column;
    ag_real *c;
    int64_t c_row;
    bool add;
    const ag_real *bias;       /* [n], added to every row; NULL: none */
    double *a_sums;         /* [2, m]: the sum of each row of A is added to it, and what that rounds off to the second
                             * row. For single products with a_row 1 and n > 0; NULL: not wanted */
    product_finish *finish; /* called once for every element, by any thread; NULL: nothing more to do */
    const void *finish_context;
} product_task;

/* A part of C: rows [row_begin, row_end) and columns [column_begin, column_end). */
typedef struct product_block {
    int64_t row_begin, row_end, column_begin, column_end;
} product_block;

typedef struct kernel_product {
    /* Computes one part of C, with `workspace_bytes` at `workspace`. The bits of an element do not depend on the part
     * that it is computed in. The parts with column 0 add to a_sums. */
    void (*block)(const product_task *task, product_block part, void *workspace);
    size_t workspace_bytes;
    int64_t tile_rows, tile_columns; /* of C, that are computed in one go, in registers; the most */
    /* Where k is large, C is a sum of products over parts of k, added in order: how many, and where part `index` begins
     * (that behind the last: k). A product over one such part alone has the bits that the part has within the whole. */
    int64_t (*sum_parts)(int64_t k);
    int64_t (*sum_border)(int64_t k, int64_t index);
} kernel_product;

/* Bytes of workspace for kernel_product_run with so many threads, 1 at least; aligned for ag_real. */
size_t kernel_product_workspace(const kernel_product *product, int threads);

/* `count` products by the kernel `product`: number i has its operands moved by i * (a_step, b_step, c_step) elements; a
 * step of 0 keeps an operand (of a and b). In parallel over the batch, or over parts of C. */
void kernel_product_run(const kernel_product *product, const product_task *task, int64_t count, int64_t a_step,
                        int64_t b_step, int64_t c_step, int threads, void *workspace);

#endif
