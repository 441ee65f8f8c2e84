/* product_case.h - a matrix product to be timed, and the two that can do it. */
#ifndef BENCH_PRODUCT_CASE_H
#define BENCH_PRODUCT_CASE_H

#include "autograd.h"
#include "kernels/product.h"

/* C = op(A) op(B) or C += op(A) op(B), `batch` times, matrices of a batch one behind the other: op(A) [m, k],
 * op(B) [k, n], C [m, n], where op transposes what is stored the other way round. */
typedef struct product_case {
    const kernel_product *kernel;
    int64_t batch, m, n, k;
    bool transpose_a, transpose_b, add;
    ag_real *a, *b, *c;
    int threads;
    void *workspace;
} product_case;

/* The library's own product. */
void product_case_run(const product_case *product);

/* The function cblas_sgemm (cblas_dgemm in double) of a shared library such as
 * libopenblas.so.0, on so many threads. */
ag_status product_blas_load(const char *path, int threads, ag_error *error);
void product_blas_run(const product_case *product);

#endif
