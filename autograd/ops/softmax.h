/* softmax.h - softmax of one row in double by scalar.h, not by the kernels: for the
 * tangent rules, which judge what the kernels compute. */
#ifndef AUTOGRAD_OPS_SOFTMAX_H
#define AUTOGRAD_OPS_SOFTMAX_H

#include "real.h"

/* x [n] becomes e^x / sum e^x; zeros where all are -inf. */
void softmax_in_place(int64_t n, double *x);
/* sum p u */
double softmax_mean(int64_t n, const double *p, const double *u);
/* u [n], a tangent of x, becomes that of p = softmax(x): p (u - sum p u). */
void softmax_tangent(int64_t n, const double *p, double *u);

#endif
