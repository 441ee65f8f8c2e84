/* elementwise.c - functions of elements, sums and dropout.
 *
 * Each case of a switch is a loop that the compiler turns into vector code. */
#include "../activations.h"
#include "../elementwise.h"
#include "level.h"
#include "philox_vectors.h"
#include "sums.h"

/* A loop over elements. The pragma states what compilers cannot see: no element needs the
 * result of another, even if results overwrite arguments. */
#define OVER(count) _Pragma("omp simd") for (int64_t i = 0; i < (count); i++)

#define EACH(statement)                                                                                                \
    OVER(n) statement; /* NOLINT(bugprone-macro-parentheses): it is a statement */                                     \
    break

static void unary(kernel_unary f, ag_real factor, int64_t n, const ag_real *x, ag_real *y)
{
    switch (f) {
    case UNARY_NEG:
        EACH(y[i] = -x[i]);
    case UNARY_SCALE:
        EACH(y[i] = factor * x[i]);
    case UNARY_EXP:
        EACH(y[i] = exp_real(x[i]));
    case UNARY_LOG:
        EACH(y[i] = log_real(x[i]));
    case UNARY_SQRT:
        EACH(y[i] = sqrt_real(x[i]));
    case UNARY_TANH:
        EACH(y[i] = tanh_real(x[i]));
    case UNARY_ERF:
        EACH(y[i] = erf_real(x[i]));
    case UNARY_SIGMOID:
        EACH(y[i] = sigmoid_real(x[i]));
    case UNARY_RELU:
        EACH(y[i] = relu(x[i]));
    case UNARY_GELU_EXACT:
        EACH(y[i] = gelu_exact(x[i]));
    case UNARY_GELU_TANH:
        EACH(y[i] = gelu_tanh(x[i]));
    case UNARY_SILU:
        EACH(y[i] = silu(x[i]));
    }
}

/* dx[i] = dy[i] times a derivative, or += that: 0 where dy[i] is 0, even if the
 * derivative is infinite or NaN. (The product is computed in either case, so that the
 * loop has no branch and becomes vector code.) */
#define GIVE(product)                                                                                                  \
    if (add)                                                                                                           \
        OVER(n)                                                                                                        \
        {                                                                                                              \
            const ag_real before = dx[i], after = before + (product);                                                  \
            dx[i] = dy[i] == 0 ? before : after;                                                                       \
        }                                                                                                              \
    else                                                                                                               \
        OVER(n)                                                                                                        \
        {                                                                                                              \
            const ag_real given = dy[i], result = (product);                                                           \
            dx[i] = given == 0 ? 0 : result;                                                                           \
        }                                                                                                              \
    break

static void unary_backward(kernel_unary f, ag_real factor, int64_t n, const ag_real *x, const ag_real *y,
                           const ag_real *dy, ag_real *dx, bool add)
{
    switch (f) {
    case UNARY_NEG:
        GIVE(-dy[i]);
    case UNARY_SCALE:
        GIVE(factor * dy[i]);
    case UNARY_EXP:
        GIVE(dy[i] * y[i]);
    case UNARY_LOG:
        GIVE(dy[i] / x[i]);
    case UNARY_SQRT:
        GIVE(dy[i] / (2 * y[i]));
    case UNARY_TANH:
        GIVE(dy[i] * (1 - y[i] * y[i]));
    case UNARY_ERF:
        GIVE(dy[i] * erf_derivative(x[i]));
    case UNARY_SIGMOID:
        GIVE(dy[i] * y[i] * (1 - y[i]));
    case UNARY_RELU:
        GIVE(relu_backward(x[i], dy[i]));
    case UNARY_GELU_EXACT:
        GIVE(dy[i] * gelu_exact_derivative(x[i]));
    case UNARY_GELU_TANH:
        GIVE(dy[i] * gelu_tanh_derivative(x[i]));
    case UNARY_SILU:
        GIVE(dy[i] * silu_derivative(x[i]));
    }
}

/* ---- Functions of two numbers ------------------------------------------------------ */

/* One loop for each pair of steps, so that the compiler knows them. In the statement, `a`
 * and `b` are the two numbers. */
#define EACH_PAIR(statement)                                                                                           \
    if (left.step && right.step)                                                                                       \
        OVER(n)                                                                                                        \
        {                                                                                                              \
            ag_real a = left.data[i];                                                                                  \
            ag_real b = right.data[i];                                                                                 \
            statement;                                                                                                 \
        }                                                                                                              \
    else if (left.step) {                                                                                              \
        const ag_real b = *right.data;                                                                                 \
        OVER(n)                                                                                                        \
        {                                                                                                              \
            ag_real a = left.data[i];                                                                                  \
            statement;                                                                                                 \
        }                                                                                                              \
    } else {                                                                                                           \
        const ag_real a = *left.data;                                                                                  \
        OVER(n)                                                                                                        \
        {                                                                                                              \
            ag_real b = right.data[i * right.step];                                                                    \
            statement;                                                                                                 \
        }                                                                                                              \
    }                                                                                                                  \
    break

static void binary(kernel_binary f, int64_t n, kernel_operand left, kernel_operand right, ag_real *y)
{
    if (n == 0)
        return;
    switch (f) {
    case BINARY_ADD:
        EACH_PAIR(y[i] = a + b);
    case BINARY_SUB:
        EACH_PAIR(y[i] = a - b);
    case BINARY_MUL:
        EACH_PAIR(y[i] = a * b);
    case BINARY_DIV:
        EACH_PAIR(y[i] = a / b);
    case BINARY_POW:
        EACH_PAIR(y[i] = pow_real(a, b));
    }
}

/* gradient[i] += dy[i] times a derivative: unchanged where dy[i] is 0, even if the
 * derivative is infinite or NaN. */
#define TAKE(sum)                                                                                                      \
    const ag_real before = gradient[i], after = before sum;                                                            \
    gradient[i] = dy[i] == 0 ? before : after

static void binary_backward(kernel_binary f, int side, int64_t n, kernel_operand left, kernel_operand right,
                            const ag_real *y, const ag_real *dy, ag_real *gradient)
{
    if (n == 0)
        return;
    switch (2 * (int)f + side) {
    case 2 * BINARY_ADD:
    case 2 * BINARY_ADD + 1:
    case 2 * BINARY_SUB:
        EACH(gradient[i] += dy[i]);
    case 2 * BINARY_SUB + 1:
        EACH(gradient[i] -= dy[i]);
    case 2 * BINARY_MUL:
        EACH_PAIR((void)a; TAKE(+dy[i] * b));
    case 2 * BINARY_MUL + 1:
        EACH_PAIR((void)b; TAKE(+dy[i] * a));
    case 2 * BINARY_DIV:
        EACH_PAIR((void)a; TAKE(+dy[i] / b));
    case 2 * BINARY_DIV + 1:
        EACH_PAIR((void)a; TAKE(-dy[i] * y[i] / b));
    case 2 * BINARY_POW:
        EACH_PAIR(TAKE(+dy[i] * pow_by_base(a, b)));
    case 2 * BINARY_POW + 1:
        EACH_PAIR((void)b; TAKE(+dy[i] * pow_by_exponent(a, y[i])));
    }
}

/* ---- Sums -------------------------------------------------------------------------- */

static void add_to(int64_t n, const ag_real *x, ag_real *y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] += x[i];
}

static void axpy_to(int64_t n, ag_real factor, const ag_real *x, ag_real *y)
{
    axpy(n, factor, x, y);
}

/* The sums of VECTORS * LANE_SUMS columns stay in registers while rows are added. */
enum { LANE_SUMS = 8, VECTORS = 4 };
typedef double doubles __attribute__((vector_size(LANE_SUMS * sizeof(double))));
typedef ag_real reals __attribute__((vector_size(LANE_SUMS * sizeof(ag_real)), aligned(sizeof(ag_real)), may_alias));

/* The sums of VECTORS * LANE_SUMS neighbouring columns. */
static void accumulate_columns(int64_t rows, int64_t step, const int64_t *order, const ag_real *x, double *sums)
{
    doubles own[VECTORS];
    memcpy(own, sums, sizeof own);
#ifdef TAPEFORMER_DOUBLE
    doubles low[VECTORS] = {{0}};
#endif
    for (int64_t r = 0; r < rows; r++) {
        const ag_real *row = x + (order ? order[r] : r) * step;
        UNROLL(4)
        for (int v = 0; v < VECTORS; v++) {
            const doubles wide = __builtin_convertvector(*(const reals *)(row + v * LANE_SUMS), doubles);
#ifdef TAPEFORMER_DOUBLE
            ADD_WITH_REST(doubles, own[v], low[v], wide);
#else
            own[v] += wide;
#endif
        }
    }
#ifdef TAPEFORMER_DOUBLE
    for (int v = 0; v < VECTORS; v++)
        for (int i = 0; i < LANE_SUMS; i++)
            own[v][i] = scalar_sum_total(&(scalar_sum){own[v][i], low[v][i]});
#endif
    memcpy(sums, own, sizeof own);
}

static void accumulate(int64_t rows, int64_t n, int64_t step, const int64_t *order, const ag_real *x, double *sums)
{
    int64_t c = 0;
    for (; c + VECTORS * LANE_SUMS <= n; c += VECTORS * LANE_SUMS)
        accumulate_columns(rows, step, order, x + c, sums + c);
    for (; c < n; c++) {
        scalar_sum sum = {sums[c], 0};
        for (int64_t r = 0; r < rows; r++)
            scalar_sum_add(&sum, (double)x[(order ? order[r] : r) * step + c]);
        sums[c] = scalar_sum_total(&sum);
    }
}

static double sum(int64_t n, const ag_real *x)
{
    return wide_sum_of(n, x, false, 1);
}

static int64_t argmax(int64_t n, const ag_real *x)
{
    int64_t best = 0;
    for (int64_t i = 1; i < n; i++)
        if (x[i] > x[best] || (isnan(x[i]) && !isnan(x[best])))
            best = i;
    return best;
}

/* The exponent of infinity and NaN is all ones, so adding one to its lowest bit
 * carries into the sign. Or-ing the results needs no order, so the loop becomes vector
 * code. */
static bool all_finite(int64_t n, const ag_real *x)
{
    const real_bits one = (real_bits)1 << FRACTION_BITS, exponent = ((real_bits)2 * EXPONENT_BIAS + 1) << FRACTION_BITS;
    real_bits found = 0;
    for (int64_t i = 0; i < n; i++)
        found |= (bits_of(x[i]) & exponent) + one;
    return !(found & SIGN_BIT);
}

/* ---- Dropout ----------------------------------------------------------------------- */

#define BLOCKS_TOGETHER 64 /* of four words each, drawn at a time */

static void dropout(const kernel_dropout *mask, int64_t first, int64_t n, const ag_real *x, ag_real *y, bool add)
{
    const bool drops_all = mask->threshold > UINT32_MAX;
    const uint32_t threshold = (uint32_t)mask->threshold;
    const ag_real scale = mask->scale;
    uint32_t words[4 * BLOCKS_TOGETHER];

    for (int64_t done = 0, count; done < n; done += count) {
        const int64_t skipped = (first + done) % 4; /* words of the block that belong to earlier elements */
        const int64_t left = (int64_t)4 * BLOCKS_TOGETHER - skipped;
        const uint32_t *word = words + skipped;
        count = left < n - done ? left : n - done;
        philox_words(mask, (uint64_t)(first + done) / 4, (skipped + count + 3) / 4, words);
        OVER(count)
        {
            ag_real scaled = x[done + i] * scale, kept = drops_all || word[i] < threshold ? 0 : scaled;
            y[done + i] = add ? y[done + i] + kept : kept;
        }
    }
}

const kernel_elementwise KERNEL(kernel_elementwise) = {
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
