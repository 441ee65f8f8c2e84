/* level.h - vectors of a level's width, and what else all sources in simd/ use.
 *
 * Each source is compiled once per level, with KERNEL_LEVEL naming the level;
 * KERNEL(name) is the level's own symbol, such as kernel_rows_avx2. All other
 * functions are static. */
#ifndef AUTOGRAD_KERNELS_LEVEL_H
#define AUTOGRAD_KERNELS_LEVEL_H

#include "../sizes.h"
#include "real.h"

#include <string.h>
#if defined(KERNEL_LEVEL_avx512) || defined(KERNEL_LEVEL_avx2)
#include <immintrin.h>
#endif

#define KERNEL_JOIN2(a, b) a##_##b
#define KERNEL_JOIN(a, b)  KERNEL_JOIN2(a, b)
#define KERNEL(name)       KERNEL_JOIN(name, KERNEL_LEVEL)

#ifdef VECTOR_BYTES /* chosen by the source that includes this file */
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

/* Force inlining: callers pass constants, and the body must be specialised for them. */
#define INLINE static inline __attribute__((always_inline))

/* Stands before a loop of constant length and unrolls it, so that the compiler keeps the
 * arrays that the loop indexes in registers. */
#define PRAGMA(text) _Pragma(#text)
#if defined(__clang__)
#define UNROLL(count) PRAGMA(clang loop unroll(full))
#else
#define UNROLL(count) PRAGMA(GCC unroll count)
#endif

/* A vector of the level's width: a compiler's extension, where + - * / work element by
 * element. The unaligned type is for loads and stores anywhere in an array. */
typedef ag_real vector __attribute__((vector_size(VECTOR_BYTES)));
typedef ag_real vector_unaligned __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(ag_real)), may_alias));

/* The type that the processor's intrinsics take for such a vector, and the name of an
 * intrinsic: INTRINSIC(fmadd) is _mm512_fmadd_ps. */
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

/* The first `count` lanes, fewer than LANES. Memory after them is neither read nor
 * written; load_some sets the other lanes to 0. */
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

/* A vector with x in every lane. */
static inline vector splat(ag_real x)
{
    return x - (vector){0};
}

/* A vector of chosen lanes of a and b: lanes of a are numbered from 0, those of b from
 * LANES. */
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

/* Adds to each lane l the lane l ^ d, where d is a power of two. */
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

/* The sum of all lanes, added pairwise in a fixed order. */
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

/* The sums of dot in each lane: of the first n - n % LANES products. */
static inline vector dot_lanes(int64_t n, const ag_real *a, const ag_real *b)
{
    vector s0 = {0}, s1 = {0};
    int64_t i = 0;
    for (; i + 2 * LANES <= n; i += 2 * LANES) {
        s0 += load(a + i) * load(b + i);
        s1 += load(a + i + LANES) * load(b + i + LANES);
    }
    for (; i + LANES <= n; i += LANES)
        s0 += load(a + i) * load(b + i);
    return s0 + s1;
}

/* sum a[i] b[i], in an order that depends on n alone. */
static inline ag_real dot(int64_t n, const ag_real *a, const ag_real *b)
{
    ag_real tail = 0;
    for (int64_t i = n - n % LANES; i < n; i++)
        tail += a[i] * b[i];
    return vector_sum(dot_lanes(n, a, b)) + tail;
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
