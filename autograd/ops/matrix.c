/* matrix.c - the product of two matrices by plain loops, for tangent rules. */
#include "matrix.h"

/* A block of the right matrix has this many columns, whose sums stay in registers, and at
 * most this many rows: as doubles, it stays in the first-level cache. */
enum { COLUMNS = 8, DEPTH = 256 };

/* c += a b for a block b, where the rows of c are c_step apart. */
static void add_block(matrix a, matrix b, ag_real *c, int64_t c_step)
{
    double block[DEPTH][COLUMNS];
    for (int64_t k = 0; k < b.rows; k++)
        for (int64_t j = 0; j < COLUMNS; j++)
            block[k][j] = j < b.columns ? (double)b.data[k * b.row_step + j * b.column_step] : 0;
    for (int64_t i = 0; i < a.rows; i++) {
        double sums[COLUMNS] = {0};
        for (int64_t k = 0; k < b.rows; k++)
            for (int64_t j = 0; j < COLUMNS; j++)
                sums[j] += (double)a.data[i * a.row_step + k * a.column_step] * block[k][j];
        for (int64_t j = 0; j < b.columns; j++)
            c[i * c_step + j] = (ag_real)((double)c[i * c_step + j] + sums[j]);
    }
}

void matrix_add_product(matrix a, matrix b, ag_real *c)
{
    for (int64_t k = 0; k < b.rows && a.rows; k += DEPTH)
        for (int64_t j = 0; j < b.columns; j += COLUMNS) {
            matrix left = a, right = b;
            left.data += k * a.column_step;
            right.data += k * b.row_step + j * b.column_step;
            right.rows = b.rows - k < DEPTH ? b.rows - k : DEPTH;
            right.columns = b.columns - j < COLUMNS ? b.columns - j : COLUMNS;
            add_block(left, right, c + j, b.columns);
        }
}
