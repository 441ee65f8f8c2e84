/* scalar.c - log, exp, pow, sin and cos of one double.
 *
 * Where a double is too short a number is kept as the sum of two, of which the second is
 * at most a rounding of the first (Dekker 1971). The polynomials are the functions'
 * series, as long as they need to be. */
#include "scalar.h"

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define FRACTION_BITS 52
#define FRACTION_MASK (((uint64_t)1 << FRACTION_BITS) - 1)
#define BIAS          1023
/* Adding it leaves the nearest whole number in the lowest bits of a double. */
#define ROUNDER 0x1.8p52

/* ---- Numbers in two parts ---------------------------------------------------------- */

typedef struct pair {
    double high, low;
} pair;

static uint64_t bits_of(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static double double_from_bits(uint64_t bits)
{
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* The first 26 bits of x: products of two such numbers are exact. */
static double upper_half(double x)
{
    return double_from_bits(bits_of(x) & ~(uint64_t)0 << 27);
}

/* a + b exactly, where |a| >= |b| or a is 0. */
static pair sum_of(double a, double b)
{
    double sum = a + b;
    return (pair){sum, b - (sum - a)};
}

/* a + b exactly (Knuth, The Art of Computer Programming 2, section 4.2.2). */
static pair sum_of_any(double a, double b)
{
    double sum = a + b, part = sum - a;
    return (pair){sum, (a - (sum - part)) + (b - part)};
}

/* a b to twice the bits of a double. */
static pair product_of(double a, double b)
{
    double a1 = upper_half(a), a2 = a - a1, b1 = upper_half(b), b2 = b - b1, product = a * b;
    return (pair){product, ((a1 * b1 - product) + a1 * b2 + a2 * b1) + a2 * b2};
}

/* c[0] + c[1] x + c[2] x^2 + .. (Horner's rule) */
#define POLYNOMIAL(x, c) polynomial(x, sizeof(c) / sizeof *(c), c)
static inline double polynomial(double x, size_t count, const double *c)
{
    double sum = c[count - 1];
    for (size_t i = count - 1; i-- > 0;)
        sum = sum * x + c[i];
    return sum;
}

/* ---- Logarithms -------------------------------------------------------------------- */

/* ln 2: the high part has so few bits that its product with an exponent is exact, as is
 * the sum of that and a high part of the table below, which are whole multiples of 2^-42
 * all. */
#define LN2_HIGH 0x1.62e42fefa38p-1
#define LN2_LOW  0x1.ef35793c7673p-45

/* For j = 32 .. 63: 32 / j rounded to 9 bits, and minus its logarithm in two parts. */
static const struct {
    double inverse, high, low;
} logarithms[] = {
    {0x1p0, 0, 0}, {0x1.fp-1, 0x1.0415d89e78p-5, -0x1.dddc7f461c516p-44},
    {0x1.e2p-1, 0x1.eea31c0068p-5, 0x1.c3dd83606d891p-44}, {0x1.d4p-1, 0x1.700d30aeacp-4, 0x1.c1e8da99ded32p-49},
    {0x1.c7p-1, 0x1.e3707ee304p-4, 0x1.0f684e6766abdp-45}, {0x1.bbp-1, 0x1.28753bc11ap-3, 0x1.7494e359302e6p-44},
    {0x1.afp-1, 0x1.60b3100b0ap-3, -0x1.71456c988f814p-44}, {0x1.a4p-1, 0x1.95a5adcf7p-3, 0x1.7f22858a0ff6fp-47},
    {0x1.9ap-1, 0x1.c6ffbc6fp-3, 0x1.ee138d3a69d43p-44}, {0x1.9p-1, 0x1.f991c6cb3cp-3, -0x1.90d04cd7cc834p-44},
    {0x1.86p-1, 0x1.16b5ccbadp-2, -0x1.23299042d74bfp-44}, {0x1.7dp-1, 0x1.2e9e2bce12p-2, 0x1.4300c128d1dc2p-45},
    {0x1.74p-1, 0x1.4718dc271cp-2, 0x1.06c18fb4c14c5p-44}, {0x1.6cp-1, 0x1.5d5bddf596p-2, -0x1.a0b2a08a465dcp-47},
    {0x1.64p-1, 0x1.741d876c68p-2, -0x1.13a7b5b11cfa7p-44}, {0x1.5dp-1, 0x1.8873658328p-2, -0x1.988e21f7fc497p-45},
    {0x1.55p-1, 0x1.a0325ed15p-2, -0x1.2dc20b0d5e095p-45}, {0x1.4ep-1, 0x1.b56fa04463p-2, -0x1.bdab6b49ef99bp-44},
    {0x1.48p-1, 0x1.c7ff9c7455p-2, 0x1.324911f56db29p-44}, {0x1.41p-1, 0x1.de16b56ef9p-2, 0x1.e08cfe6fe4752p-47},
    {0x1.3bp-1, 0x1.f168f7fb06p-2, -0x1.d6fb40a7c0c6ep-45}, {0x1.35p-1, 0x1.028d2d6a96p-1, 0x1.fa3fec303d08p-44},
    {0x1.2fp-1, 0x1.0c974c8943p-1, 0x1.cdc0a7cdcbb87p-45}, {0x1.2ap-1, 0x1.151c3f6f298p-1, -0x1.edd97a293ae49p-45},
    {0x1.25p-1, 0x1.1dc619de068p-1, 0x1.441b50bb38388p-45}, {0x1.1fp-1, 0x1.285e0842cap-1, 0x1.c1c4d866d5f22p-44},
    {0x1.1ap-1, 0x1.315da443408p-1, -0x1.74e93c5a0ed9cp-45}, {0x1.16p-1, 0x1.38ae2171978p-1, -0x1.18b7abb5569a4p-45},
    {0x1.11p-1, 0x1.41f8ff8472p-1, -0x1.4f7845166b2e1p-44}, {0x1.0dp-1, 0x1.4987ace0da8p-1, 0x1.d83ed15c6b2f4p-44},
    {0x1.08p-1, 0x1.5322e268678p-1, 0x1.5ccc45d257531p-47}, {0x1.04p-1, 0x1.5af405c3648p-1, 0x1.dfa63ac10c9fbp-45},
};

/* ln x for a finite x > 0, to 2^-64 of itself. With x = 2^k m, and a number c of few bits
 * near 1 / m from the table (Tang 1990), m c is 1 + f + rest with |f| < 2^-5.5, and
 *     ln x = k ln 2 - ln c + ln(1 + f + rest),
 *     ln(1 + f) = f - (f^2/2 - s (f^2/2 + R)),
 *     s = f / (2 + f),  R = 2 artanh(s) / s - 2.
 * Near 1, where little is left of large terms, k and ln c are 0 and f is exact. */
static pair log_parts(double x)
{
    static const double ARTANH[] = {2.0 / 3, 2.0 / 5, 2.0 / 7, 2.0 / 9, 2.0 / 11};
    int k = -BIAS;
    if (x < 0x1p-1022) {
        x *= 0x1p54;
        k -= 54;
    }
    const uint64_t bits = bits_of(x);
    /* m is nearest to 1 + j / 32. */
    uint64_t j = ((bits & FRACTION_MASK) + ((uint64_t)1 << 46)) >> 47;
    const uint64_t carry = j >> 5;
    j &= 31;
    k += (int)(bits >> FRACTION_BITS) + (int)carry;
    const double m = double_from_bits((bits & FRACTION_MASK) | (BIAS - carry) << FRACTION_BITS);

    const double c = logarithms[j].inverse, m1 = upper_half(m);
    /* All parts of f are exact, and a short first one makes a short sum. */
    const pair f = sum_of(m1 * c - 1, (m - m1) * c);
    const double s = f.high / (2 + f.high), f1 = upper_half(f.high);
    const double half1 = 0.5 * f1 * f1, half2 = 0.5 * (f.high - f1) * (f.high + f1); /* f^2/2 */
    const double inner = s * (half1 + (half2 + POLYNOMIAL(s * s, ARTANH) * (s * s)));

    const pair a = sum_of(k * LN2_HIGH + logarithms[j].high, f.high), b = sum_of(a.high, -half1);
    const double small = k * LN2_LOW + logarithms[j].low + (f.low - f.low * f.high);
    return sum_of(b.high, (inner - half2) + (a.low + b.low + small));
}

double scalar_log(double x)
{
    if (!(x > 0 && x < (double)INFINITY)) /* (NaN and infinity stay) */
        return x == 0 ? -(double)INFINITY : x < 0 ? (double)NAN : x;
    return log_parts(x).high;
}

/* ---- Powers ------------------------------------------------------------------------ */

/* e^(x + rest), where |x| <= 800. With x + rest = k ln 2 + r and |r| <= ln 2 / 2 (Cody
 * and Waite 1980), in two parts,
 *     e^r = 1 + (r + (r^2 (1/2! + r/3! + ..) + what is left of r)). */
static double exp_of(double x, double rest)
{
    static const double EVEN[] = {1.0 / 2, 1.0 / 24, 1.0 / 720, 1.0 / 40320, 1.0 / 3628800, 1.0 / 479001600},
                        ODD[] = {1.0 / 6, 1.0 / 120, 1.0 / 5040, 1.0 / 362880, 1.0 / 39916800, 1.0 / 6227020800};
    const double k = (x * 1.44269504088896340736 + ROUNDER) - ROUNDER;
    const double first = x - k * LN2_HIGH, second = k * LN2_LOW - rest;
    const double r = first - second, left = (first - r) - second, square = r * r;
    const pair sum = sum_of(1, r);
    const double tail = square * (POLYNOMIAL(square, EVEN) + r * POLYNOMIAL(square, ODD));
    const double power = sum.high + (tail + (sum.low + left * sum.high));
    /* 2^k in two factors, since k reaches beyond the exponents of normal numbers; only
     * the second product rounds. */
    const int half = (int)k / 2, other = (int)k - half;
    return power * double_from_bits((uint64_t)(BIAS + half) << FRACTION_BITS) *
           double_from_bits((uint64_t)(BIAS + other) << FRACTION_BITS);
}

/* e^(x + rest): infinity and 0 beyond the arguments at which it is neither. */
static double exp_parts(double x, double rest)
{
    if (!(x < 710 && x > -746)) /* (NaN stays) */
        return x > 0 ? (double)INFINITY : x < 0 ? 0 : x;
    return exp_of(x, rest);
}

double scalar_exp(double x)
{
    return exp_parts(x, 0);
}

/* x^y = e^(y ln x) for x >= 0 and y other than 0. */
static double pow_of_size(double x, double y)
{
    if (!(x > 0 && x < (double)INFINITY && fabs(y) < (double)INFINITY))
        return x == 1 ? 1 : (x > 1) == (y > 0) ? (double)INFINITY : 0;
    const pair logarithm = log_parts(x);
    const double rough = y * logarithm.high;
    if (!(fabs(rough) < 800)) /* y may be too large for a product in two parts */
        return exp_parts(rough, 0);
    const pair exponent = product_of(y, logarithm.high);
    return exp_parts(exponent.high, exponent.low + y * logarithm.low);
}

/* A negative x has a power only where y is a whole number, or where the power is 0 or
 * infinite in any case. */
double scalar_pow(double x, double y)
{
    if (x == 1 || y == 0)
        return 1;
    if (isnan(x) || isnan(y))
        return x + y;
    if (!signbit(x))
        return pow_of_size(x, y);
    const bool whole = y == floor(y), odd = whole && 0.5 * y != floor(0.5 * y);
    if (!whole && x < 0 && x > -(double)INFINITY)
        return (double)NAN;
    return odd ? -pow_of_size(-x, y) : pow_of_size(-x, y);
}

/* ---- Sine and cosine --------------------------------------------------------------- */

/* x = (quadrant + 4 i) pi/2 + angle, |angle| <= pi/4 (and a rounding). */
typedef struct reduced {
    unsigned quadrant;
    pair angle;
} reduced;

/* For |x| < 2^20, and n the whole number nearest to x / (pi/2): pi/2 in four parts, the
 * products of n with the first three being exact (Cody and Waite 1980). No x is nearer to
 * a multiple of pi/2 than 2^-70, whose bits these are. */
static reduced reduce_small(double x)
{
    const double shifted = x * 0.63661977236758134308 + ROUNDER, n = shifted - ROUNDER;
    const pair a = sum_of_any(x - n * 0x1.921fb544p+0, -(n * 0x1.0b4611a6p-34));
    const pair b = sum_of_any(a.high, -(n * 0x1.3198a2ep-69));
    return (reduced){(unsigned)bits_of(shifted) & 3, sum_of(b.high, (a.low + b.low) - n * 0x1.b839a252049c1p-104)};
}

/* 2 / pi in words of 32 bits, after 64 zeros. */
static const uint32_t two_over_pi[] = {
    0, 0, 0xA2F9836E, 0x4E441529, 0xFC2757D1, 0xF534DDC0, 0xDB629599, 0x3C439041,
    0xFE5163AB, 0xDEBBC561, 0xB7246E3A, 0x424DD2E0, 0x06492EEA, 0x09D1921C, 0xFE1DEB1C, 0xB129A73E,
    0xE88235F5, 0x2EBB4484, 0xE99C7026, 0xB45F7E41, 0x3991D639, 0x835339F4, 0x9C845F8B, 0xBDF9283B,
    0x1FF897FF, 0xDE05980F, 0xEF2F118B, 0x5A0A6D1F, 0x6D367ECF, 0x27CB09B7, 0x4F463F66, 0x9E5FEA2D,
    0x7527BAC7, 0xEBE5F17B, 0x3D0739F7, 0x8A5292EA, 0x6BFB5FB1, 0x1F8D5D08, 0x56033046,
};
#define WORDS 6

/* The 192 bits of 2^(exponent - 2) 2/pi that follow the binary point: what stands before
 * it makes whole turns only. */
static void turn_bits(int exponent, uint32_t out[WORDS])
{
    const int first = exponent - 2 + 64;
    for (int i = 0; i < WORDS; i++) {
        const uint32_t *word = &two_over_pi[first / 32 + i];
        out[i] = (uint32_t)(((uint64_t)word[0] << 32 | word[1]) << (first % 32) >> 32);
    }
}

/* a *= b, without what does not fit. The first word is the highest. */
static void multiply_words(uint32_t a[WORDS], uint64_t b)
{
    const uint32_t low = (uint32_t)b, high = (uint32_t)(b >> 32);
    uint64_t carry = 0;
    uint32_t before = 0; /* a[i + 1] */
    for (int i = WORDS - 1; i >= 0; i--) {
        const uint64_t one = (uint64_t)a[i] * low, two = (uint64_t)before * high;
        const uint64_t sum = carry + (uint32_t)one + (uint32_t)two;
        carry = (sum >> 32) + (one >> 32) + (two >> 32);
        before = a[i];
        a[i] = (uint32_t)sum;
    }
}

/* For |x| >= 2^20: x 2/pi modulo 4 in whole numbers (Payne and Hanek 1983). Of the 192
 * bits after the point 53 are lost to the bits of 2/pi that are left out, and 62 at most
 * are zeros or ones at the beginning. */
static reduced reduce_large(double x)
{
    uint32_t turn[WORDS];
    turn_bits((int)(bits_of(x) >> FRACTION_BITS & 0x7ff) - BIAS - FRACTION_BITS, turn);
    multiply_words(turn, (bits_of(x) & FRACTION_MASK) | (uint64_t)1 << FRACTION_BITS);
    const unsigned quadrant = (turn[0] + 0x20000000u) >> 30;
    /* Set if the nearest whole number is the next; what counts then is 1 - fraction. */
    const uint32_t flip = turn[0] >> 29 & 1 ? 0xffffffffu : 0;
    pair fraction = {0, 0};
    for (int i = 0; i < WORDS; i++) {
        const uint32_t word = (turn[i] ^ flip) & (i ? 0xffffffffu : 0x3fffffffu);
        const pair sum =
            sum_of(fraction.high, word * double_from_bits((uint64_t)(BIAS - 30 - 32 * i) << FRACTION_BITS));
        fraction = (pair){sum.high, fraction.low + sum.low};
    }
    pair angle = product_of(fraction.high, 0x1.921fb54442d18p+0);
    angle.low += fraction.high * 0x1.1a62633145c07p-54 + fraction.low * 0x1.921fb54442d18p+0;
    const double sign = signbit(x) ? -1 : 1, down = flip ? -sign : sign;
    return (reduced){signbit(x) ? 0 - quadrant : quadrant, {down * angle.high, down * angle.low}};
}

/* sin(a + b) = a + a^3 (-1/3! + a^2/5! - ..) + b (1 - a^2/2);
 * cos(a + b) = 1 - a^2/2 + a^4 (1/4! - a^2/6! + ..) - b a */
void scalar_sin_cos(double x, double *sine, double *cosine)
{
    static const double SINE[] = {-1.0 / 6,           1.0 / 120,           -1.0 / 5040,         1.0 / 362880,
                                  -1.0 / 39916800,    1.0 / 6227020800,    -1.0 / 1307674368000, 1.0 / 355687428096000},
                        COSINE[] = {1.0 / 24,         -1.0 / 720,          1.0 / 40320,         -1.0 / 3628800,
                                    1.0 / 479001600,  -1.0 / 87178291200,  1.0 / 20922789888000};
    const double size = fabs(x);
    if (!(size >= 0x1p-27 && size < (double)INFINITY)) {
        *sine = size < 1 ? x : x - x; /* NaN of an infinite x */
        *cosine = size < 1 ? 1 : x - x;
        return;
    }
    const reduced r = size < 0x1p20 ? reduce_small(x) : reduce_large(x);
    const double a = r.angle.high, b = r.angle.low, square = a * a, half = 0.5 * square, rest = 1 - half;
    const double s = a + (square * a * POLYNOMIAL(square, SINE) + b * rest);
    const double c = rest + (((1 - rest) - half) + (square * square * POLYNOMIAL(square, COSINE) - a * b));
    const double first = r.quadrant & 1 ? c : s, second = r.quadrant & 1 ? s : c;
    *sine = r.quadrant & 2 ? -first : first;
    *cosine = (r.quadrant + 1) & 2 ? -second : second;
}

double scalar_cos(double x)
{
    double sine, cosine;
    scalar_sin_cos(x, &sine, &cosine);
    return cosine;
}
