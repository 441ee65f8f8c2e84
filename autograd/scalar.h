/* scalar.h - log, exp, pow, sin and cos of one double. Like real.h, a ground that every layer stands on.
 *
 * C libraries round these functions differently, and their results reach the weights of a training: by random numbers,
 * learning rates, codes of positions, losses. The library calls its own instead, which are made of additions,
 * multiplications, divisions and whole numbers alone: the same bits with every C library, compiler and processor.
 *
 * No result is as much as 1 ulp away from the truth, whatever the argument, and a result that is a double exactly is
 * found exactly (pow(10, 15)). Special values are those of C11's Annex F. */
#ifndef AUTOGRAD_SCALAR_H
#define AUTOGRAD_SCALAR_H

double scalar_log(double x);
double scalar_exp(double x);
double scalar_pow(double x, double y);
double scalar_cos(double x);
/* Both for the price of one. */
void scalar_sin_cos(double x, double *sine, double *cosine);

#endif
