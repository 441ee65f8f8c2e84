/* blas.c - the products of a BLAS library that --blas names: the mark to measure our
 * own against. */
#include "product_case.h"

#include <dlfcn.h>

/* The numbers of the C interface to BLAS. */
enum { ROW_MAJOR = 101, NO_TRANSPOSE = 111, TRANSPOSE = 112 };

#ifdef TAPEFORMER_DOUBLE
#define GEMM "cblas_dgemm"
#else
#define GEMM "cblas_sgemm"
#endif

typedef void blas_gemm(int order, int transpose_a, int transpose_b, int m, int n, int k, ag_real alpha,
                       const ag_real *a, int a_row, const ag_real *b, int b_row, ag_real beta, ag_real *c, int c_row);

static blas_gemm *gemm;

ag_status product_blas_load(const char *path, int threads, ag_error *error)
{
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library)
        return ag_error_set(error, AG_IO, "no BLAS: %s", dlerror());
    *(void **)&gemm = dlsym(library, GEMM);
    if (!gemm)
        return ag_error_set(error, AG_BAD_FILE, "%s has no " GEMM, path);
    void (*set_threads)(int);
    *(void **)&set_threads = dlsym(library, "openblas_set_num_threads");
    if (set_threads)
        set_threads(threads);
    return AG_OK;
}

void product_blas_run(const product_case *product)
{
    const int m = (int)product->m, n = (int)product->n, k = (int)product->k;
    for (int64_t i = 0; i < product->batch; i++)
        gemm(ROW_MAJOR, product->transpose_a ? TRANSPOSE : NO_TRANSPOSE,
             product->transpose_b ? TRANSPOSE : NO_TRANSPOSE, m, n, k, 1, product->a + i * m * k,
             product->transpose_a ? m : k, product->b + i * k * n, product->transpose_b ? k : n, product->add ? 1 : 0,
             product->c + i * m * n, n);
}
