/* philox_vectors.h - the random words that decide which elements a dropout keeps: many
 * blocks of Philox at once, one in each lane of a vector. */
#ifndef AUTOGRAD_KERNELS_PHILOX_VECTORS_H
#define AUTOGRAD_KERNELS_PHILOX_VECTORS_H

#include "../elementwise.h"
#include "../philox.h"
#include "level.h"

#include <string.h>
#ifdef __SSE2__
#include <immintrin.h>
#endif

/* Numbers of 32 bits in the lower halves of lanes of 64. The upper halves may hold
 * anything. */
typedef uint64_t philox_lanes __attribute__((vector_size(VECTOR_BYTES)));

#define PHILOX_LANES    ((int64_t)(VECTOR_BYTES / sizeof(uint64_t)))
#define PHILOX_TOGETHER 4 /* vectors in flight: one waits for its products, others multiply */

static inline philox_lanes philox_splat(uint64_t x)
{
    return x - (philox_lanes){0};
}

/* The 64-bit products of the lower halves: one instruction, where the level has it. */
static inline philox_lanes philox_multiply(philox_lanes a, philox_lanes b)
{
#if defined(__AVX512F__)
    return (philox_lanes)_mm512_mul_epu32((__m512i)a, (__m512i)b);
#elif defined(__AVX2__)
    return (philox_lanes)_mm256_mul_epu32((__m256i)a, (__m256i)b);
#elif defined(__SSE2__)
    return (philox_lanes)_mm_mul_epu32((__m128i)a, (__m128i)b);
#else
    return (a & UINT32_MAX) * (b & UINT32_MAX);
#endif
}

/* Packs two words into a lane, `first` before `second` in memory. */
static inline philox_lanes philox_pair(philox_lanes first, philox_lanes second)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    return (first & UINT32_MAX) | second << 32;
#else
    return first << 32 | (second & UINT32_MAX);
#endif
}

/* The words of vectors * PHILOX_LANES blocks, from block `first` on, by philox.h's
 * rounds. A product's lower half stays where it is, as a number of the next round; the
 * upper half is moved down. `vectors` is PHILOX_TOGETHER or 1, a constant once this is
 * inlined. */
INLINE void philox_draw(int64_t vectors, const kernel_dropout *mask, uint64_t first, uint32_t *words)
{
    const philox_lanes multiplier0 = philox_splat(PHILOX_MULTIPLIER_0), multiplier1 = philox_splat(PHILOX_MULTIPLIER_1);
    philox_lanes c0[PHILOX_TOGETHER], c1[PHILOX_TOGETHER], c2[PHILOX_TOGETHER], c3[PHILOX_TOGETHER];
    philox_lanes numbers = {0};
    for (int64_t lane = 0; lane < PHILOX_LANES; lane++)
        numbers[lane] = (uint64_t)lane;
    for (int64_t v = 0; v < vectors; v++) {
        c0[v] = philox_splat(first + (uint64_t)(v * PHILOX_LANES)) + numbers;
        c1[v] = c0[v] >> 32;
        c2[v] = philox_splat(mask->number);
        c3[v] = philox_splat(mask->step);
    }
    UNROLL(10)
    for (uint32_t round = 0; round < 10; round++) {
        const philox_lanes key0 = philox_splat((uint32_t)mask->key + round * PHILOX_WEYL_0);
        const philox_lanes key1 = philox_splat((uint32_t)(mask->key >> 32) + round * PHILOX_WEYL_1);
        UNROLL(4)
        for (int64_t v = 0; v < vectors; v++) {
            philox_lanes product0 = philox_multiply(c0[v], multiplier0), product1 = philox_multiply(c2[v], multiplier1);
            c0[v] = (product1 >> 32) ^ c1[v] ^ key0;
            c1[v] = product1;
            c2[v] = (product0 >> 32) ^ c3[v] ^ key1;
            c3[v] = product0;
        }
    }
    UNROLL(4)
    for (int64_t v = 0; v < vectors; v++) {
        philox_lanes front = philox_pair(c0[v], c1[v]), back = philox_pair(c2[v], c3[v]);
        uint64_t pairs[2 * PHILOX_LANES];
        for (int64_t lane = 0; lane < PHILOX_LANES; lane++) {
            pairs[2 * lane] = front[lane];
            pairs[2 * lane + 1] = back[lane];
        }
        memcpy(words + 4 * PHILOX_LANES * v, pairs, sizeof pairs);
    }
}

/* words[4 i + l] = word l of block first + i, for i < blocks rounded up to a multiple of
 * PHILOX_LANES, for which there must be room. */
static inline void philox_words(const kernel_dropout *mask, uint64_t first, int64_t blocks, uint32_t *words)
{
    const int64_t together = PHILOX_TOGETHER * PHILOX_LANES;
    int64_t block = 0;
    for (; block + together - PHILOX_LANES < blocks; block += together)
        philox_draw(PHILOX_TOGETHER, mask, first + (uint64_t)block, words + 4 * block);
    for (; block < blocks; block += PHILOX_LANES)
        philox_draw(1, mask, first + (uint64_t)block, words + 4 * block);
}

#endif
