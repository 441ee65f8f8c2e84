/* matrix.h - matrices as products read them: with a step between rows and one between
 * columns, so that a transposed matrix is the same memory with the steps exchanged. */
#ifndef AUTOGRAD_KERNELS_MATRIX_H
#define AUTOGRAD_KERNELS_MATRIX_H

#include "product.h"

typedef struct matrix {
    const ag_real *data;
    int64_t rows, columns, row_step, column_step;
} matrix;

static inline matrix matrix_of(const ag_real *data, int64_t rows, int64_t columns)
{
    return (matrix){data, rows, columns, columns, 1};
}

static inline matrix matrix_transposed(matrix m)
{
    return (matrix){m.data, m.columns, m.rows, m.column_step, m.row_step};
}

/* The product a b: a.columns is b.rows, and the rows of C lie side by side. The caller
 * sets `c` and whatever else there is to do. */
static inline product_task matrix_product(matrix a, matrix b)
{
    return (product_task){.m = a.rows,
                          .n = b.columns,
                          .k = a.columns,
                          .a = a.data,
                          .a_row = a.row_step,
                          .a_column = a.column_step,
                          .b = b.data,
                          .b_row = b.row_step,
                          .b_column = b.column_step,
                          .c_row = b.columns};
}

#endif
