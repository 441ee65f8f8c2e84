/* scalar.h - log, exp, pow, sin and cos of one double, and long sums. Like real.h, a
 * ground that every layer stands on.
 *
 * C libraries round these functions differently, and their results reach the weights of a
 * training: by random numbers, learning rates, codes of positions, losses. The library
 * calls its own instead, which are made of additions, multiplications, divisions and
 * whole numbers alone: the same bits with every C library, compiler and processor.
 *
 * No result is as much as 1 ulp away from the truth, whatever the argument, and a result
 * that is a double exactly is found exactly (pow(10, 15)). Special values are those of
 * C11's Annex F. */
#ifndef AUTOGRAD_SCALAR_H
#define AUTOGRAD_SCALAR_H

double scalar_log(double x);
double scalar_exp(double x);
double scalar_pow(double x, double y);
double scalar_cos(double x);
/* Both for the price of one. */
void scalar_sin_cos(double x, double *sine, double *cosine);

/* high += x, and low += what that rounds off (Knuth, The Art of Computer Programming 2,
 * section 4.2.2), for doubles or vectors of them. */
#define ADD_WITH_REST(type, high, low, x)                                                                              \
    do {                                                                                                               \
        const type term = (x), before = (high), after = before + term, added = after - before;                         \
        (low) += (before - (after - added)) + (term - added);                                                          \
        (high) = after;                                                                                                \
    } while (0)

/* A sum of doubles, and beside it what its additions rounded off (Neumaier 1974): as good
 * for millions as for two. */
typedef struct scalar_sum {
    double high, low;
} scalar_sum;

static inline void scalar_sum_add(scalar_sum *sum, double x)
{
    ADD_WITH_REST(double, sum->high, sum->low, x);
}

/* (An infinite sum has no rest: inf - inf is none.) */
static inline double scalar_sum_total(const scalar_sum *sum)
{
    return sum->high - sum->high == 0 ? sum->high + sum->low : sum->high;
}

#endif
