/* sizes.h - arithmetic of sizes and counts. */
#ifndef AUTOGRAD_KERNELS_SIZES_H
#define AUTOGRAD_KERNELS_SIZES_H

#include <stdint.h>

static inline int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static inline int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* size / each, rounded up: how many pieces of at most `each` make up `size`. */
static inline int64_t ceil_div(int64_t size, int64_t each)
{
    return (size + each - 1) / each;
}

#endif
