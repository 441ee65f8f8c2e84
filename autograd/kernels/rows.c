/* rows.c - when a norm's row needs a unit, and which; of all levels. */
#include "rows.h"

#include "vector_math.h"

/* A mean of squares, plus eps, below LEAST_SQUARE may have lost bits to underflow. The
 * exponent of a unit is held between LEAST_UNIT and MOST_UNIT. */
#ifdef TAPEFORMER_DOUBLE
#define LEAST_SQUARE 0x1p-900
#define LEAST_UNIT   (-1000)
#define MOST_UNIT    900
#else
#define LEAST_SQUARE 0x1p-100
#define LEAST_UNIT   (-126)
#define MOST_UNIT    120
#endif

bool norm_needs_unit(double variance)
{
    return !(variance >= LEAST_SQUARE && variance < (double)INFINITY);
}

ag_real norm_unit(int64_t width, const ag_real *x)
{
    ag_real most = 0;
    int exponent = 0; /* (C leaves it open for an infinity) */
    for (int64_t i = 0; i < width; i++)
        most = magnitude(x[i]) > most ? magnitude(x[i]) : most;
    if (most < (ag_real)INFINITY)
        frexp((double)most, &exponent);
    exponent = -exponent < LEAST_UNIT ? LEAST_UNIT : -exponent > MOST_UNIT ? MOST_UNIT : -exponent;
    return (ag_real)ldexp(1, exponent);
}
