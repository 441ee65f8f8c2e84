/* findings.c - see findings.h. */
#include "findings.h"

#include <math.h>

const int64_t laboratory_paddings[LABORATORY_PADDINGS] = {0, 1, 2, 4, 8};

double laboratory_mean(const double *values, int64_t count)
{
    double sum = 0;
    for (int64_t i = 0; i < count; i++)
        sum += values[i];
    return sum / (double)count;
}

double laboratory_stray(double p)
{
    return 5 * sqrt(p * (1 - p) / LABORATORY_EXAMPLES);
}

/* A model without positions is bound by not knowing them only under the full mask. Any
 * other mask shows a position something of where it is, by what is hidden from it. */
const double *laboratory_grid_allowed(const laboratory_findings *findings, int task, int setting, int mask)
{
    const bool orderless = setting == LABORATORY_ORDERLESS && mask == LABORATORY_FULL;
    return findings->allowed[task][orderless ? LABORATORY_ORDERLESS : mask];
}
