/* matrix.c - the product of two matrices by plain loops, for tangent rules. */
#include "matrix.h"

#include "../ranges.h"

/* A block of the right matrix has this many columns, whose sums stay in registers, and at
 * most this many rows: as doubles, it stays in the first-level cache. A thread takes
 * bands of the left matrix, each with enough rows to be worth the conversion. */
enum { COLUMNS = 8, DEPTH = 256, BAND = 64 };

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

typedef struct product_operands {
    matrix a, b;
    ag_real *c;
} product_operands;

static void add_bands(void *context, int64_t begin, int64_t end)
{
    const product_operands *p = context;
    const int64_t first = begin * BAND, last = end * BAND < p->a.rows ? end * BAND : p->a.rows;
    const matrix b = p->b;
    for (int64_t k = 0; k < b.rows; k += DEPTH)
        for (int64_t j = 0; j < b.columns; j += COLUMNS) {
            matrix left = p->a, right = b;
            left.rows = last - first;
            left.data += first * left.row_step + k * left.column_step;
            right.data += k * b.row_step + j * b.column_step;
            right.rows = b.rows - k < DEPTH ? b.rows - k : DEPTH;
            right.columns = b.columns - j < COLUMNS ? b.columns - j : COLUMNS;
            add_block(left, right, p->c + first * b.columns + j, b.columns);
        }
}

void matrix_add_product(const ag_tape *tape, matrix a, matrix b, ag_real *c)
{
    product_operands operands = {a, b, c};
    const double work = 2.0 * (double)a.rows * (double)a.columns * (double)b.columns;
    parallel_rows(tape, (a.rows + BAND - 1) / BAND, work, add_bands, &operands);
}
