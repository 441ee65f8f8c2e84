/* unit.h - what the copies that a product is computed from are made of: numbers; or, at the level bf16, pairs of
 * numbers rounded to bfloat16, that a processor multiplies and adds in the time of one. Sums are of real either way. */
#ifndef AUTOGRAD_KERNELS_UNIT_H
#define AUTOGRAD_KERNELS_UNIT_H

#include "level.h"

#ifdef KERNEL_LEVEL_bf16

/* Two numbers that follow each other along the product's sum: the first is in the lower half. */
typedef int32_t unit;
#define UNIT_NUMBERS ((int64_t)2)

typedef __m512i units; /* as many as a vector has lanes */

static inline units load_units(const unit *p)
{
    return _mm512_loadu_si512(p);
}

static inline void store_units(unit *p, units x)
{
    _mm512_storeu_si512(p, x);
}

static inline units splat_unit(unit x)
{
    return _mm512_set1_epi32(x);
}

/* sum + x y, where each unit stands for the sum of its two products. */
static inline vector multiply_add(vector sum, units x, units y)
{
    return (vector)_mm512_dpbf16_ps((__m512)sum, (__m512bh)x, (__m512bh)y);
}

#else

#ifdef __aarch64__
#include <arm_neon.h>
#endif

typedef real unit;
#define UNIT_NUMBERS ((int64_t)1)

typedef vector units;

static inline units load_units(const unit *p)
{
    return load(p);
}

static inline units splat_unit(unit x)
{
    return splat(x);
}

/* sum + x y, rounded once where the level can. That is said by name, since a compiler may fuse in one tile and not in
 * another, and then an element's bits would depend on its place. */
static inline vector multiply_add(vector sum, units x, units y)
{
#if defined(KERNEL_LEVEL_avx512) && defined(TAPEFORMER_DOUBLE)
    return (vector)_mm512_fmadd_pd((__m512d)x, (__m512d)y, (__m512d)sum);
#elif defined(KERNEL_LEVEL_avx512)
    return (vector)_mm512_fmadd_ps((__m512)x, (__m512)y, (__m512)sum);
#elif defined(KERNEL_LEVEL_avx2) && defined(TAPEFORMER_DOUBLE)
    return (vector)_mm256_fmadd_pd((__m256d)x, (__m256d)y, (__m256d)sum);
#elif defined(KERNEL_LEVEL_avx2)
    return (vector)_mm256_fmadd_ps((__m256)x, (__m256)y, (__m256)sum);
#elif defined(__aarch64__) && defined(TAPEFORMER_DOUBLE)
    return (vector)vfmaq_f64((float64x2_t)sum, (float64x2_t)x, (float64x2_t)y);
#elif defined(__aarch64__)
    return (vector)vfmaq_f32((float32x4_t)sum, (float32x4_t)x, (float32x4_t)y);
#else
    return sum + x * y;
#endif
}

#endif

#endif
