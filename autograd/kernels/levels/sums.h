/* sums.h - sums of many numbers, within 4 eps of the sum of their magnitudes, however many they are.
 *
 * A few vectors are added as they are, and such groups go to sums in double, one for each lane. Where the numbers are
 * doubles themselves the sums are in two parts: what an addition rounds off is added up beside (Knuth, The Art of
 * Computer Programming 2, section 4.2.2; Neumaier 1974). The order depends on the count alone. */
#ifndef AUTOGRAD_KERNELS_SUMS_H
#define AUTOGRAD_KERNELS_SUMS_H

#include "level.h"
#include "scalar.h"

/* Vectors that are added before their sum is. Doubles round once more where the lanes are added. */
#ifdef TAPEFORMER_DOUBLE
#define SUM_GROUP 4
#else
#define SUM_GROUP 8
#endif

/* Doubles by the vector, and the sums of all lanes of real: two vectors where real is float. */
typedef double double_vector __attribute__((vector_size(VECTOR_BYTES)));
typedef struct long_sum {
    double_vector first, second; /* of the lower and the upper lanes; or what is rounded off the first */
} long_sum;

#if !defined(TAPEFORMER_DOUBLE) && VECTOR_BYTES == 64
#define LOWER_LANES(x) (double_vector)_mm512_cvtps_pd(_mm512_castps512_ps256((machine_vector)(x)))
#define UPPER_LANES(x) (double_vector)_mm512_cvtps_pd(_mm512_extractf32x8_ps((machine_vector)(x), 1))
#elif !defined(TAPEFORMER_DOUBLE) && VECTOR_BYTES == 32
#define LOWER_LANES(x) (double_vector)_mm256_cvtps_pd(_mm256_castps256_ps128((machine_vector)(x)))
#define UPPER_LANES(x) (double_vector)_mm256_cvtps_pd(_mm256_extractf128_ps((machine_vector)(x), 1))
#else
#define LOWER_LANES(x) (double_vector){(double)(x)[0], (double)(x)[1]}
#define UPPER_LANES(x) (double_vector){(double)(x)[2], (double)(x)[3]}
#endif

INLINE void long_sum_add(long_sum *sum, vector x)
{
#ifdef TAPEFORMER_DOUBLE
    const vector before = sum->first, after = before + x, added = after - before;
    sum->second += (before - (after - added)) + (x - added);
    sum->first = after;
#else
    sum->first += LOWER_LANES(x);
    sum->second += UPPER_LANES(x);
#endif
}

/* The lanes added pairwise: a fixed order. */
static inline double double_vector_sum(double_vector v)
{
    enum { COUNT = VECTOR_BYTES / sizeof(double) };
    double lane[COUNT];
    memcpy(lane, &v, sizeof lane);
    for (int width = COUNT / 2; width; width /= 2)
        for (int i = 0; i < width; i++)
            lane[i] += lane[i + width];
    return lane[0];
}

/* (An infinite sum has no rest: inf - inf is none.) */
static inline double long_sum_total(const long_sum *sum)
{
#ifdef TAPEFORMER_DOUBLE
    const double total = double_vector_sum(sum->first);
    return total - total == 0 ? total + double_vector_sum(sum->second) : total;
#else
    return double_vector_sum(sum->first + sum->second);
#endif
}

/* sums [2, n] += x, the second row being what the first rounded off; x = 0. */
static inline void long_sums_take(int64_t n, real *restrict x, double *restrict sums)
{
    for (int64_t i = 0; i < n; i++) {
#ifdef TAPEFORMER_DOUBLE
        const double before = sums[i], after = before + x[i], added = after - before;
        sums[n + i] += (before - (after - added)) + (x[i] - added);
        sums[i] = after;
#else
        sums[i] += (double)x[i];
#endif
        x[i] = 0;
    }
}

/* What is summed: element i of it, and the vector of elements i .. i + LANES - 1. Both are known where they are used,
 * and become part of the loops. */
typedef real term_one(const void *terms, int64_t i);
typedef vector term_vector(const void *terms, int64_t i);

/* The sum of the first n - n % LANES terms, where there are any. */
INLINE double sum_vectors_of_terms(int64_t n, term_vector *vector_at, const void *terms)
{
    long_sum sum = {{0}, {0}};
    int64_t i = 0;
    for (; i + SUM_GROUP * LANES <= n; i += SUM_GROUP * LANES) {
        vector group = {0};
        UNROLL(8)
        for (int v = 0; v < SUM_GROUP; v++)
            group += vector_at(terms, i + v * LANES);
        long_sum_add(&sum, group);
    }
    vector group = {0};
    for (; i + LANES <= n; i += LANES)
        group += vector_at(terms, i);
    long_sum_add(&sum, group);
    return long_sum_total(&sum);
}

/* The sum of n terms. */
INLINE double sum_terms(int64_t n, term_vector *vector_at, term_one *one_at, const void *terms)
{
    double sum = n < LANES ? 0 : sum_vectors_of_terms(n, vector_at, terms), tail = 0;
    for (int64_t i = n - n % LANES; i < n; i++)
        tail += (double)one_at(terms, i);
    return sum + tail;
}

#endif
