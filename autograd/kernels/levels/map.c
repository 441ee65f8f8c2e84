/* map.c - the element-wise loops. Each case of a switch is a loop that the compiler turns into vector code. */
#include "../map.h"
#include "level.h"
#include "vector_math.h"

/* ---- The functions of one number, and their derivatives -------------------------------------- */

#define SQRT_2_OVER_PI     ((real)0.79788456080286535588)
#define ONE_OVER_SQRT_2_PI ((real)0.39894228040143267794)
#define GELU_CUBIC         ((real)0.044715)
/* Beyond this the gelus are 0 or x to the last bit. Where a function is a product of x and something that vanishes, x
 * is held inside of it, so that infinity times zero does not make a NaN. */
#define GELU_LIMIT ((real)40)

static inline real at_least(real x, real low)
{
    return x < low ? low : x;
}

static inline real within(real x, real limit)
{
    return x > limit ? limit : at_least(x, -limit);
}

static inline real relu(real x)
{
    return x <= 0 ? 0 : x;
}

static inline real silu(real x)
{
    return at_least(x, EXP_LOW) * sigmoid_real(x);
}

static inline real silu_derivative(real x)
{
    real s = sigmoid_real(x);
    return s * (1 + within(x, -EXP_LOW) * (1 - s));
}

/* e^(-x^2/2) */
static inline real bell(real x)
{
    return exp_real((real)-0.5 * x * x);
}

static inline real gelu_exact(real x)
{
    real inside = at_least(x, -GELU_LIMIT);
    return inside * normal_cdf_real(inside, bell(inside));
}

/* Phi(x) + x phi(x) */
static inline real gelu_exact_derivative(real x)
{
    real inside = within(x, GELU_LIMIT), power = bell(inside);
    return normal_cdf_real(inside, power) + inside * ONE_OVER_SQRT_2_PI * power;
}

/* 0.5 (1 + tanh u) is sigmoid(2u), which loses nothing where u is far below zero. */
static inline real gelu_tanh(real x)
{
    real inside = at_least(x, -GELU_LIMIT);
    real u = SQRT_2_OVER_PI * inside * (1 + GELU_CUBIC * inside * inside);
    return inside * sigmoid_real(2 * u);
}

static inline real gelu_tanh_derivative(real x)
{
    real inside = within(x, GELU_LIMIT), square = GELU_CUBIC * inside * inside;
    real u = SQRT_2_OVER_PI * inside * (1 + square);
    real u_derivative = SQRT_2_OVER_PI * (1 + 3 * square);
    real s = sigmoid_real(2 * u);
    return s + inside * s * (1 - s) * 2 * u_derivative;
}

#define EACH(statement)                                                                                                \
    for (int64_t i = 0; i < n; i++)                                                                                    \
        statement; /* NOLINT(bugprone-macro-parentheses): it is a statement */                                         \
    break

static void unary(map_unary f, real factor, int64_t n, const real *x, real *y)
{
    switch (f) {
    case MAP_NEG:
        EACH(y[i] = -x[i]);
    case MAP_SCALE:
        EACH(y[i] = factor * x[i]);
    case MAP_EXP:
        EACH(y[i] = exp_real(x[i]));
    case MAP_LOG:
        EACH(y[i] = log_real(x[i]));
    case MAP_SQRT:
        EACH(y[i] = sqrt_real(x[i]));
    case MAP_TANH:
        EACH(y[i] = tanh_real(x[i]));
    case MAP_SIGMOID:
        EACH(y[i] = sigmoid_real(x[i]));
    case MAP_RELU:
        EACH(y[i] = relu(x[i]));
    case MAP_GELU_EXACT:
        EACH(y[i] = gelu_exact(x[i]));
    case MAP_GELU_TANH:
        EACH(y[i] = gelu_tanh(x[i]));
    case MAP_SILU:
        EACH(y[i] = silu(x[i]));
    }
}

/* dx[i] = expression, or += that. The pragma says what compilers cannot see: that no element needs another's result,
 * even where dx is dy. */
#define GIVE(expression)                                                                                               \
    if (add)                                                                                                           \
        _Pragma("omp simd") for (int64_t i = 0; i < n; i++) dx[i] += expression;                                       \
    else                                                                                                               \
        _Pragma("omp simd") for (int64_t i = 0; i < n; i++) dx[i] = expression;                                        \
    break

static void unary_backward(map_unary f, real factor, int64_t n, const real *x, const real *y, const real *dy, real *dx,
                           bool add)
{
    switch (f) {
    case MAP_NEG:
        GIVE(-dy[i]);
    case MAP_SCALE:
        GIVE(factor * dy[i]);
    case MAP_EXP:
        GIVE(dy[i] * y[i]);
    case MAP_LOG:
        GIVE(dy[i] / x[i]);
    case MAP_SQRT:
        GIVE(dy[i] / (2 * y[i]));
    case MAP_TANH:
        GIVE(dy[i] * (1 - y[i] * y[i]));
    case MAP_SIGMOID:
        GIVE(dy[i] * y[i] * (1 - y[i]));
    case MAP_RELU:
        GIVE(x[i] <= 0 ? 0 : dy[i]);
    case MAP_GELU_EXACT:
        GIVE(dy[i] * gelu_exact_derivative(x[i]));
    case MAP_GELU_TANH:
        GIVE(dy[i] * gelu_tanh_derivative(x[i]));
    case MAP_SILU:
        GIVE(dy[i] * silu_derivative(x[i]));
    }
}

/* ---- Of two numbers ------------------------------------------------------------------------- */

/* The loop for each way in which the operands are walked, so that the compiler knows the steps. In the statement `a`
 * and `b` are the two numbers. */
#define EACH_PAIR(statement)                                                                                           \
    if (left.step && right.step)                                                                                       \
        for (int64_t i = 0; i < n; i++) {                                                                              \
            real a = left.data[i];                                                                                     \
            real b = right.data[i];                                                                                    \
            statement;                                                                                                 \
        }                                                                                                              \
    else if (left.step) {                                                                                              \
        const real b = *right.data;                                                                                    \
        for (int64_t i = 0; i < n; i++) {                                                                              \
            real a = left.data[i];                                                                                     \
            statement;                                                                                                 \
        }                                                                                                              \
    } else {                                                                                                           \
        const real a = *left.data;                                                                                     \
        for (int64_t i = 0; i < n; i++) {                                                                              \
            real b = right.data[i * right.step];                                                                       \
            statement;                                                                                                 \
        }                                                                                                              \
    }                                                                                                                  \
    break

static void binary(map_binary f, int64_t n, map_operand left, map_operand right, real *y)
{
    if (n == 0)
        return;
    switch (f) {
    case MAP_ADD:
        EACH_PAIR(y[i] = a + b);
    case MAP_SUB:
        EACH_PAIR(y[i] = a - b);
    case MAP_MUL:
        EACH_PAIR(y[i] = a * b);
    case MAP_DIV:
        EACH_PAIR(y[i] = a / b);
    case MAP_POW:
        EACH_PAIR(y[i] = pow_real(a, b));
    }
}

/* b a^(b-1), which is 0 for b = 0 even where a is 0. */
static inline real pow_by_base(real a, real b)
{
    return b == 0 ? 0 : b * pow_real(a, b - 1);
}

/* a^b ln a, whose limit is 0 where a^b is 0. */
static inline real pow_by_exponent(real a, real y)
{
    return y == 0 ? 0 : y * log_real(a);
}

static void binary_backward(map_binary f, int side, int64_t n, map_operand left, map_operand right, const real *y,
                            const real *dy, real *gradient)
{
    if (n == 0)
        return;
    switch (2 * (int)f + side) {
    case 2 * MAP_ADD:
    case 2 * MAP_ADD + 1:
    case 2 * MAP_SUB:
        EACH(gradient[i] += dy[i]);
    case 2 * MAP_SUB + 1:
        EACH(gradient[i] -= dy[i]);
    case 2 * MAP_MUL:
        EACH_PAIR((void)a; gradient[i] += dy[i] * b);
    case 2 * MAP_MUL + 1:
        EACH_PAIR((void)b; gradient[i] += dy[i] * a);
    case 2 * MAP_DIV:
        EACH_PAIR((void)a; gradient[i] += dy[i] / b);
    case 2 * MAP_DIV + 1:
        EACH_PAIR((void)a; gradient[i] -= dy[i] * y[i] / b);
    case 2 * MAP_POW:
        EACH_PAIR(gradient[i] += dy[i] * pow_by_base(a, b));
    case 2 * MAP_POW + 1:
        EACH_PAIR((void)b; gradient[i] += dy[i] * pow_by_exponent(a, y[i]));
    }
}

/* ---- Sums ----------------------------------------------------------------------------------- */

static void add_to(int64_t n, const real *x, real *y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] += x[i];
}

static void axpy_to(int64_t n, real factor, const real *x, real *y)
{
    axpy(n, factor, x, y);
}

static void accumulate(int64_t n, const real *x, double *sums)
{
    for (int64_t i = 0; i < n; i++)
        sums[i] += (double)x[i];
}

#define SUM_LANES 16

static double sum(int64_t n, const real *x)
{
    double lane[SUM_LANES] = {0};
    int64_t whole = n - n % SUM_LANES;
    for (int64_t i = 0; i < whole; i += SUM_LANES)
        for (int j = 0; j < SUM_LANES; j++)
            lane[j] += (double)x[i + j];
    for (int64_t i = whole; i < n; i++)
        lane[i - whole] += (double)x[i];
    for (int width = SUM_LANES / 2; width; width /= 2)
        for (int j = 0; j < width; j++)
            lane[j] += lane[j + width];
    return lane[0];
}

static int64_t argmax(int64_t n, const real *x)
{
    int64_t best = 0;
    for (int64_t i = 1; i < n; i++)
        if (x[i] > x[best] || (isnan(x[i]) && !isnan(x[best])))
            best = i;
    return best;
}

/* Infinity and NaN have an exponent of ones alone, and adding one to its lowest bit carries into the sign. Or-ing the
 * signs needs no order, so it is vector code. */
static bool all_finite(int64_t n, const real *x)
{
    const real_bits one = (real_bits)1 << FRACTION_BITS, exponent = ((real_bits)2 * EXPONENT_BIAS + 1) << FRACTION_BITS;
    real_bits found = 0;
    for (int64_t i = 0; i < n; i++)
        found |= (bits_of(x[i]) & exponent) + one;
    return !(found & SIGN_BIT);
}

/* ---- Dropout -------------------------------------------------------------------------------- */

#define PHILOX_BLOCKS 64 /* drawn together, side by side in vectors */

/* Philox4x32-10 (Salmon et al. 2011; ag_philox is the plain form) at PHILOX_BLOCKS counters from `first` on. */
static void draw_words(const map_dropout *mask, uint64_t first, uint32_t words[4 * PHILOX_BLOCKS])
{
    uint32_t counter[4][PHILOX_BLOCKS];
    uint32_t key0 = (uint32_t)mask->seed, key1 = (uint32_t)(mask->seed >> 32);
    for (uint32_t j = 0; j < PHILOX_BLOCKS; j++) {
        counter[0][j] = (uint32_t)(first + j);
        counter[1][j] = (uint32_t)((first + j) >> 32);
        counter[2][j] = (uint32_t)mask->number;
        counter[3][j] = (uint32_t)mask->step;
    }
    for (int round = 0; round < 10; round++) {
        for (int j = 0; j < PHILOX_BLOCKS; j++) {
            uint64_t product0 = (uint64_t)0xD2511F53u * counter[0][j];
            uint64_t product1 = (uint64_t)0xCD9E8D57u * counter[2][j];
            counter[0][j] = (uint32_t)(product1 >> 32) ^ counter[1][j] ^ key0;
            counter[1][j] = (uint32_t)product1;
            counter[2][j] = (uint32_t)(product0 >> 32) ^ counter[3][j] ^ key1;
            counter[3][j] = (uint32_t)product0;
        }
        key0 += 0x9E3779B9u;
        key1 += 0xBB67AE85u;
    }
    for (int j = 0; j < PHILOX_BLOCKS; j++)
        for (int lane = 0; lane < 4; lane++)
            words[4 * j + lane] = counter[lane][j];
}

static void dropout(const map_dropout *mask, int64_t first, int64_t n, const real *x, real *y, bool add)
{
    const uint64_t threshold = mask->threshold;
    const real scale = mask->scale;
    uint32_t words[4 * PHILOX_BLOCKS];

    for (int64_t done = 0, count; done < n; done += count) {
        int64_t skipped = (first + done) % 4; /* words of the block that are of elements before */
        draw_words(mask, (uint64_t)(first + done) / 4, words);
        const int64_t left = (int64_t)4 * PHILOX_BLOCKS - skipped;
        count = left < n - done ? left : n - done;
        const uint32_t *word = words + skipped;
        if (add)
            for (int64_t i = 0; i < count; i++)
                y[done + i] += word[i] >= threshold ? x[done + i] * scale : 0;
        else
            for (int64_t i = 0; i < count; i++)
                y[done + i] = word[i] >= threshold ? x[done + i] * scale : 0;
    }
}

const kernel_map KERNEL(map) = {
    .unary = unary,
    .unary_backward = unary_backward,
    .binary = binary,
    .binary_backward = binary_backward,
    .add = add_to,
    .axpy = axpy_to,
    .accumulate = accumulate,
    .sum = sum,
    .argmax = argmax,
    .dropout = dropout,
    .all_finite = all_finite,
};
