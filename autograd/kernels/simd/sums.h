/* sums.h - sums of any number of terms, within 4 eps of the sum of their magnitudes.
 *
 * A group of a few vectors is summed in ag_real, and groups are added to sums in double,
 * one for each lane. If ag_real is double, a sum has a second number, which collects what
 * additions round off (Knuth, The Art of Computer Programming 2, section 4.2.2; Neumaier
 * 1974). The order depends on the count alone. */
#ifndef AUTOGRAD_KERNELS_SUMS_H
#define AUTOGRAD_KERNELS_SUMS_H

#include "level.h"
#include "scalar.h"

/* Vectors of a group. (Fewer of doubles, which round once more when lanes are added.) */
#ifdef TAPEFORMER_DOUBLE
#define SUM_GROUP 4
#else
#define SUM_GROUP 8
#endif

/* Vectors of doubles, and a sum for each lane of a vector of ag_real: a vector of floats
 * has two vectors of sums. */
typedef double double_vector __attribute__((vector_size(VECTOR_BYTES)));
typedef struct long_sum {
    double_vector first, second; /* lower and upper lanes; of doubles: the sums, and what they round off */
} long_sum;

#if !defined(TAPEFORMER_DOUBLE) && VECTOR_BYTES == 64
#define LOWER_LANES(x) (double_vector) _mm512_cvtps_pd(_mm512_castps512_ps256((machine_vector)(x)))
#define UPPER_LANES(x) (double_vector) _mm512_cvtps_pd(_mm512_extractf32x8_ps((machine_vector)(x), 1))
#elif !defined(TAPEFORMER_DOUBLE) && VECTOR_BYTES == 32
#define LOWER_LANES(x) (double_vector) _mm256_cvtps_pd(_mm256_castps256_ps128((machine_vector)(x)))
#define UPPER_LANES(x) (double_vector) _mm256_cvtps_pd(_mm256_extractf128_ps((machine_vector)(x), 1))
#else
#define LOWER_LANES(x)                                                                                                 \
    (double_vector)                                                                                                    \
    {                                                                                                                  \
        (double)(x)[0], (double)(x)[1]                                                                                 \
    }
#define UPPER_LANES(x)                                                                                                 \
    (double_vector)                                                                                                    \
    {                                                                                                                  \
        (double)(x)[2], (double)(x)[3]                                                                                 \
    }
#endif

INLINE void long_sum_add(long_sum *sum, vector x)
{
#ifdef TAPEFORMER_DOUBLE
    ADD_WITH_REST(vector, sum->first, sum->second, x);
#else
    sum->first += LOWER_LANES(x);
    sum->second += UPPER_LANES(x);
#endif
}

/* The sum of all lanes, added pairwise in a fixed order. */
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

/* (The rest of an infinite sum is not a number: inf - inf.) */
static inline double long_sum_total(const long_sum *sum)
{
#ifdef TAPEFORMER_DOUBLE
    const double total = double_vector_sum(sum->first);
    return total - total == 0 ? total + double_vector_sum(sum->second) : total;
#else
    return double_vector_sum(sum->first + sum->second);
#endif
}

/* sums [2, n] += x, where the second row collects what the first rounds off. Sets x to
 * 0. */
static inline void long_sums_take(int64_t n, ag_real *restrict x, double *restrict sums)
{
    for (int64_t i = 0; i < n; i++) {
#ifdef TAPEFORMER_DOUBLE
        ADD_WITH_REST(double, sums[i], sums[n + i], x[i]);
#else
        sums[i] += (double)x[i];
#endif
        x[i] = 0;
    }
}

/* Functions for term i of a sum, and for the vector of terms i .. i + LANES - 1. Callers
 * pass constants, and the loops below are specialised for them. */
typedef ag_real term_one(const void *terms, int64_t i);
typedef vector term_vector(const void *terms, int64_t i);

/* The sum of the first n - n % LANES terms; n >= LANES. */
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

/* ---- Arrays ------------------------------------------------------------------------ */

/* A sum of numbers that are converted to double one by one. It loses no bit of any float,
 * unlike a long sum, which adds small groups in ag_real first. */
typedef struct wide_sum {
    double_vector high, low;
} wide_sum;
#define WIDE_LANES ((int64_t)(VECTOR_BYTES / sizeof(double)))

INLINE double_vector load_wide(const ag_real *p)
{
#if defined(TAPEFORMER_DOUBLE)
    return load(p);
#elif VECTOR_BYTES == 64
    return (double_vector)_mm512_cvtps_pd(_mm256_loadu_ps(p));
#elif VECTOR_BYTES == 32
    return (double_vector)_mm256_cvtps_pd(_mm_loadu_ps(p));
#else
    return (double_vector){(double)p[0], (double)p[1]};
#endif
}

INLINE void wide_sum_add(wide_sum *sum, double_vector x)
{
#ifdef TAPEFORMER_DOUBLE
    ADD_WITH_REST(double_vector, sum->high, sum->low, x);
#else
    sum->high += x;
#endif
}

/* Adds the vector at x, or the squares of scale times it. */
INLINE void add_wide(wide_sum *sum, const ag_real *x, bool squares, double scale)
{
    const double_vector wide = load_wide(x), scaled = wide * scale;
    wide_sum_add(sum, squares ? scaled * scaled : wide);
}

INLINE void join_wide(wide_sum *sum, const wide_sum *other)
{
    wide_sum_add(sum, other->high);
    sum->low += other->low;
}

/* The sum of x[i], or of (scale x[i])^2, by four sums side by side: each addition
 * waits for the one before it in its own sum. */
INLINE double wide_sum_of(int64_t n, const ag_real *x, bool squares, double scale)
{
    wide_sum a = {{0}, {0}}, b = a, c = a, d = a;
    double tail = 0;
    int64_t i = 0;
    for (; i + 4 * WIDE_LANES <= n; i += 4 * WIDE_LANES) {
        add_wide(&a, x + i, squares, scale);
        add_wide(&b, x + i + WIDE_LANES, squares, scale);
        add_wide(&c, x + i + 2 * WIDE_LANES, squares, scale);
        add_wide(&d, x + i + 3 * WIDE_LANES, squares, scale);
    }
    for (; i + WIDE_LANES <= n; i += WIDE_LANES)
        add_wide(&a, x + i, squares, scale);
    for (; i < n; i++)
        tail += squares ? (double)x[i] * scale * ((double)x[i] * scale) : (double)x[i];
    join_wide(&a, &b);
    join_wide(&c, &d);
    join_wide(&a, &c);
    const double high = double_vector_sum(a.high);
    return (high - high == 0 ? high + double_vector_sum(a.low) : high) + tail;
}

#endif
