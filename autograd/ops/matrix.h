/* matrix.h - products of matrices for tangent rules. */
#ifndef AUTOGRAD_OPS_MATRIX_H
#define AUTOGRAD_OPS_MATRIX_H

#include "autograd.h"
#include "kernels/matrix.h"

/* c [a.rows, b.columns] += a b, by plain loops that sum in double and share nothing with
 * the kernels: for tangent rules, so that the two modes judge each other. */
void matrix_add_product(const ag_tape *tape, matrix a, matrix b, ag_real *c);

#endif
