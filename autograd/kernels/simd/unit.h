/* unit.h - the unit that products multiply: a number; or, at level bf16, a pair of
 * numbers rounded to bfloat16, which the processor multiplies and adds in the time of
 * one number. Sums are of ag_real either way. */
#ifndef AUTOGRAD_KERNELS_UNIT_H
#define AUTOGRAD_KERNELS_UNIT_H

#include "level.h"

#ifdef KERNEL_LEVEL_bf16

/* Two numbers that are next to each other along k; the first is in the lower half. */
typedef int32_t unit;
#define UNIT_NUMBERS ((int64_t)2)

/* A unit in each lane of a vector. */
typedef unit units __attribute__((vector_size(VECTOR_BYTES)));
typedef unit units_unaligned __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(unit)), may_alias));

static inline units load_units(const unit *p)
{
    return *(const units_unaligned *)p;
}

static inline void store_units(unit *p, units x)
{
    *(units_unaligned *)p = x;
}

static inline units splat_unit(unit x)
{
    return x - (units){0};
}

/* sum + x y, where the product of two units is the sum of the products of their
 * halves. */
static inline vector multiply_add(vector sum, units x, units y)
{
#if VECTOR_BYTES == 64
    return (vector)_mm512_dpbf16_ps((__m512)sum, (__m512bh)x, (__m512bh)y);
#else
    return (vector)_mm256_dpbf16_ps((__m256)sum, (__m256bh)x, (__m256bh)y);
#endif
}

#else

#ifdef KERNEL_LEVEL_neon
#include <arm_neon.h>
#endif

typedef ag_real unit;
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

/* sum + x y, rounded once where the level has an instruction for it. Fused by name:
 * left to itself a compiler may fuse in one tile and not in another, and an element's
 * bits would depend on its place. */
static inline vector multiply_add(vector sum, units x, units y)
{
#ifdef INTRINSIC
    return (vector)INTRINSIC(fmadd)((machine_vector)x, (machine_vector)y, (machine_vector)sum);
#elif defined(KERNEL_LEVEL_neon) && defined(TAPEFORMER_DOUBLE)
    return (vector)vfmaq_f64((float64x2_t)sum, (float64x2_t)x, (float64x2_t)y);
#elif defined(KERNEL_LEVEL_neon)
    return (vector)vfmaq_f32((float32x4_t)sum, (float32x4_t)x, (float32x4_t)y);
#else
    return sum + x * y;
#endif
}

#endif

#endif
