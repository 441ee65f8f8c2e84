/* slopes.c - the derivatives of the functions of unary.c, for tangent rules. */
#include "scalar.h"
#include "unary.h"

#include <math.h>

#define PI 3.14159265358979323846

static double sigmoid(double x)
{
    return 1 / (1 + scalar_exp(-x));
}

/* Phi(x), the distribution function of the normal distribution, whose density at x is
 * `bell`: near 0 by a series, elsewhere by a continued fraction (Abramowitz and Stegun
 * 1964, 26.2.11 and 26.2.14). */
static double normal_share(double x, double bell)
{
    double sum = x, term = x, fraction = 0;
    if (fabs(x) <= 2) {
        for (int k = 3; fabs(term) > 1e-17 * fabs(sum); k += 2)
            sum += term *= x * x / k;
        return 0.5 + bell * sum;
    }
    for (int k = 120; k > 0; k--)
        fraction = k / (fabs(x) + fraction);
    const double tail = bell / (fabs(x) + fraction);
    return x < 0 ? tail : 1 - tail;
}

/* f'(x), by scalar.h and not by the kernels, so that the two modes judge each other. With
 * s = sigmoid, 1 / cosh^2 x = 4 s(2x) s(-2x) and (1 + tanh x) / 2 = s(2x), which do not
 * cancel. */
double unary_slope(kernel_unary f, double factor, double x)
{
    const double bell = scalar_exp(-x * x / 2) / sqrt(2 * PI), s = sigmoid(x);
    const double u = sqrt(2 / PI) * (x + 0.044715 * x * x * x), du = sqrt(2 / PI) * (1 + 3 * 0.044715 * x * x);
    switch (f) {
    case UNARY_NEG:
        return -1;
    case UNARY_SCALE:
        return factor;
    case UNARY_EXP:
        return scalar_exp(x);
    case UNARY_LOG:
        return 1 / x;
    case UNARY_SQRT:
        return 0.5 / sqrt(x);
    case UNARY_TANH:
        return 4 * sigmoid(2 * x) * sigmoid(-2 * x);
    case UNARY_ERF:
        return 2 / sqrt(PI) * scalar_exp(-x * x);
    case UNARY_SIGMOID:
        return s * sigmoid(-x);
    case UNARY_RELU:
        return x > 0;
    case UNARY_GELU_EXACT:
        return normal_share(x, bell) + x * bell;
    case UNARY_GELU_TANH:
        return sigmoid(2 * u) * (1 + 2 * x * du * sigmoid(-2 * u));
    case UNARY_SILU:
        return s * (1 + x * sigmoid(-x));
    }
    return NAN;
}
