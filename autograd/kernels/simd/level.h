/* level.h - what the sources in simd/ share. Each is compiled once per instruction-set level, with KERNEL_LEVEL
 * naming it; KERNEL(name) is the level's own symbol, such as rows_avx2. All other functions in simd/ are static. */
#ifndef AUTOGRAD_KERNELS_LEVEL_H
#define AUTOGRAD_KERNELS_LEVEL_H

#include "real.h"

#include <string.h>
#if defined(KERNEL_LEVEL_avx512) || defined(KERNEL_LEVEL_avx2)
#include <immintrin.h>
#endif

#define KERNEL_JOIN2(a, b) a##_##b
#define KERNEL_JOIN(a, b)  KERNEL_JOIN2(a, b)
#define KERNEL(name)       KERNEL_JOIN(name, KERNEL_LEVEL)

#ifdef VECTOR_BYTES /* the choice of the source that includes this */
#elif defined(KERNEL_LEVEL_avx512)
#define VECTOR_BYTES 64
#elif defined(KERNEL_LEVEL_avx2)
#define VECTOR_BYTES 32
#else
#define VECTOR_BYTES 16
#endif
#define LANES ((int64_t)(VECTOR_BYTES / sizeof(ag_real)))
#ifdef TAPEFORMER_DOUBLE
#define LANE_COUNT (VECTOR_BYTES / 8) /* LANES for the preprocessor */
#else
#define LANE_COUNT (VECTOR_BYTES / 4)
#endif

static inline int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* How many parts of at most `most` make up `size`. */
static inline int64_t parts_of(int64_t size, int64_t most)
{
    return (size + most - 1) / most;
}

/* A function whose arguments are known where it is used, and are to be. */
#define INLINE static inline __attribute__((always_inline))

/* Before a loop whose count the compiler knows, so that arrays that it goes through become registers. */
#define PRAGMA(text) _Pragma(#text)
#if defined(__clang__)
#define UNROLL(count) PRAGMA(clang loop unroll(full))
#else
#define UNROLL(count) PRAGMA(GCC unroll count)
#endif

/* A vector of the level's width (the compiler's vector extension: + - * / work element by element), and the same
 * without alignment, for loads and stores anywhere in an array of ag_real. */
typedef ag_real vector __attribute__((vector_size(VECTOR_BYTES)));
typedef ag_real vector_unaligned __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(ag_real)), may_alias));

/* The processor's own type for such vectors, and its function `name` for them, such as _mm512_fmadd_ps. */
#if VECTOR_BYTES == 64 && defined(TAPEFORMER_DOUBLE)
typedef __m512d machine_vector;
#define INTRINSIC(name) _mm512_##name##_pd
#elif VECTOR_BYTES == 64
typedef __m512 machine_vector;
#define INTRINSIC(name) _mm512_##name##_ps
#elif VECTOR_BYTES == 32 && defined(TAPEFORMER_DOUBLE)
typedef __m256d machine_vector;
#define INTRINSIC(name) _mm256_##name##_pd
#elif VECTOR_BYTES == 32
typedef __m256 machine_vector;
#define INTRINSIC(name) _mm256_##name##_ps
#endif

static inline vector load(const ag_real *p)
{
    return *(const vector_unaligned *)p;
}

static inline void store(ag_real *p, vector v)
{
    *(vector_unaligned *)p = v;
}

#if defined(KERNEL_LEVEL_avx512) && LANE_COUNT == 16
typedef __mmask16 lane_mask;
#elif defined(KERNEL_LEVEL_avx512)
typedef __mmask8 lane_mask;
#endif

/* The first `count` lanes, fewer than LANES, to and from memory that may end behind them; the others are 0. */
static inline vector load_some(const ag_real *p, int64_t count)
{
#if defined(KERNEL_LEVEL_avx512)
    return (vector)INTRINSIC(maskz_loadu)((lane_mask)((1U << count) - 1), p);
#else
    vector v = {0};
    memcpy(&v, p, (size_t)count * sizeof(ag_real));
    return v;
#endif
}

static inline void store_some(ag_real *p, vector v, int64_t count)
{
#if defined(KERNEL_LEVEL_avx512)
    INTRINSIC(mask_storeu)(p, (lane_mask)((1U << count) - 1), (machine_vector)v);
#else
    memcpy(p, &v, (size_t)count * sizeof(ag_real));
#endif
}

/* All lanes equal x. */
static inline vector splat(ag_real x)
{
    return x - (vector){0};
}

/* The lanes of two vectors by number, those of the second coming after those of the first. */
#if defined(__clang__) || __GNUC__ >= 12
#define PICK(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#ifdef TAPEFORMER_DOUBLE
typedef int64_t lane_numbers __attribute__((vector_size(VECTOR_BYTES)));
#else
typedef int32_t lane_numbers __attribute__((vector_size(VECTOR_BYTES)));
#endif
#define PICK(a, b, ...) __builtin_shuffle(a, b, (lane_numbers){__VA_ARGS__})
#endif

/* Every lane plus the lane `distance` from it, a power of two. */
#if LANE_COUNT == 16
#define FOLD(v, d)                                                                                                     \
    ((v) + PICK(v, v, 0 ^ (d), 1 ^ (d), 2 ^ (d), 3 ^ (d), 4 ^ (d), 5 ^ (d), 6 ^ (d), 7 ^ (d), 8 ^ (d), 9 ^ (d),        \
                10 ^ (d), 11 ^ (d), 12 ^ (d), 13 ^ (d), 14 ^ (d), 15 ^ (d)))
#elif LANE_COUNT == 8
#define FOLD(v, d) ((v) + PICK(v, v, 0 ^ (d), 1 ^ (d), 2 ^ (d), 3 ^ (d), 4 ^ (d), 5 ^ (d), 6 ^ (d), 7 ^ (d)))
#elif LANE_COUNT == 4
#define FOLD(v, d) ((v) + PICK(v, v, 0 ^ (d), 1 ^ (d), 2 ^ (d), 3 ^ (d)))
#else
#define FOLD(v, d) ((v) + PICK(v, v, 0 ^ (d), 1 ^ (d)))
#endif

/* The lanes added pairwise: a fixed order. */
static inline ag_real vector_sum(vector v)
{
#if LANE_COUNT >= 16
    v = FOLD(v, 8);
#endif
#if LANE_COUNT >= 8
    v = FOLD(v, 4);
#endif
#if LANE_COUNT >= 4
    v = FOLD(v, 2);
#endif
    v = FOLD(v, 1);
    return v[0];
}

/* sum a[i] b[i], in a fixed order. */
static inline ag_real dot(int64_t n, const ag_real *a, const ag_real *b)
{
    vector s0 = {0}, s1 = {0};
    ag_real tail = 0;
    int64_t i = 0;
    for (; i + 2 * LANES <= n; i += 2 * LANES) {
        s0 += load(a + i) * load(b + i);
        s1 += load(a + i + LANES) * load(b + i + LANES);
    }
    for (; i + LANES <= n; i += LANES)
        s0 += load(a + i) * load(b + i);
    for (; i < n; i++)
        tail += a[i] * b[i];
    return vector_sum(s0 + s1) + tail;
}

/* y += alpha x */
static inline void axpy(int64_t n, ag_real alpha, const ag_real *x, ag_real *y)
{
    vector factor = splat(alpha);
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        store(y + i, load(y + i) + factor * load(x + i));
    for (; i < n; i++)
        y[i] += alpha * x[i];
}

#endif
