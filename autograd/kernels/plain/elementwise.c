/* elementwise.c - functions of one and of two numbers, sums and dropout, one element
 * after the other. */
#include "../elementwise.h"

#include "../activations.h"

/* ---- y = f(x) ---------------------------------------------------------------------- */

static ag_real unary_value(kernel_unary f, ag_real factor, ag_real x)
{
    switch (f) {
    case UNARY_NEG:
        return -x;
    case UNARY_SCALE:
        return factor * x;
    case UNARY_EXP:
        return exp_real(x);
    case UNARY_LOG:
        return log_real(x);
    case UNARY_SQRT:
        return sqrt_real(x);
    case UNARY_TANH:
        return tanh_real(x);
    case UNARY_ERF:
        return erf_real(x);
    case UNARY_SIGMOID:
        return sigmoid_real(x);
    case UNARY_RELU:
        return relu(x);
    case UNARY_GELU_EXACT:
        return gelu_exact(x);
    case UNARY_GELU_TANH:
        return gelu_tanh(x);
    case UNARY_SILU:
        return silu(x);
    }
    return (ag_real)NAN;
}

/* dy f'(x), where y = f(x) */
static ag_real unary_gradient(kernel_unary f, ag_real factor, ag_real x, ag_real y, ag_real dy)
{
    switch (f) {
    case UNARY_NEG:
        return -dy;
    case UNARY_SCALE:
        return dy * factor;
    case UNARY_EXP: /* (e^x)' = e^x */
        return dy * y;
    case UNARY_LOG: /* (ln x)' = 1 / x */
        return dy / x;
    case UNARY_SQRT: /* (sqrt x)' = 1 / (2 sqrt x) */
        return dy / (2 * y);
    case UNARY_TANH: /* tanh' = 1 - tanh^2 */
        return dy * (1 - y * y);
    case UNARY_ERF:
        return dy * erf_derivative(x);
    case UNARY_SIGMOID: /* sigmoid' = sigmoid (1 - sigmoid) */
        return dy * (y * (1 - y));
    case UNARY_RELU:
        return relu_backward(x, dy);
    case UNARY_GELU_EXACT:
        return dy * gelu_exact_derivative(x);
    case UNARY_GELU_TANH:
        return dy * gelu_tanh_derivative(x);
    case UNARY_SILU:
        return dy * silu_derivative(x);
    }
    return (ag_real)NAN;
}

static void unary(kernel_unary f, ag_real factor, int64_t n, const ag_real *x, ag_real *y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = unary_value(f, factor, x[i]);
}

/* dx = dy f'(x), or dx += that: 0 where dy is 0, even if f'(x) is infinite or NaN.
 * (Callers that have no x or y for a derivative that does not read it pass NULL.) */
static void unary_backward(kernel_unary f, ag_real factor, int64_t n, const ag_real *x, const ag_real *y,
                           const ag_real *dy, ag_real *dx, bool add)
{
    for (int64_t i = 0; i < n; i++) {
        const ag_real before = add ? dx[i] : 0;
        dx[i] = dy[i] == 0 ? before : before + unary_gradient(f, factor, x ? x[i] : 0, y ? y[i] : 0, dy[i]);
    }
}

/* ---- y = f(a, b) ------------------------------------------------------------------- */

static ag_real binary_value(kernel_binary f, ag_real a, ag_real b)
{
    switch (f) {
    case BINARY_ADD:
        return a + b;
    case BINARY_SUB:
        return a - b;
    case BINARY_MUL:
        return a * b;
    case BINARY_DIV:
        return a / b;
    case BINARY_POW:
        return pow_real(a, b);
    }
    return (ag_real)NAN;
}

/* dy df/da, where y = f(a, b) */
static ag_real gradient_of_a(kernel_binary f, ag_real a, ag_real b, ag_real dy)
{
    switch (f) {
    case BINARY_ADD:
    case BINARY_SUB:
        return dy;
    case BINARY_MUL:
        return dy * b;
    case BINARY_DIV:
        return dy / b;
    case BINARY_POW:
        return dy * pow_by_base(a, b);
    }
    return (ag_real)NAN;
}

/* dy df/db, where y = f(a, b) */
static ag_real gradient_of_b(kernel_binary f, ag_real a, ag_real b, ag_real y, ag_real dy)
{
    switch (f) {
    case BINARY_ADD:
        return dy;
    case BINARY_SUB:
        return -dy;
    case BINARY_MUL:
        return dy * a;
    case BINARY_DIV: /* -a / b^2 */
        return -dy * y / b;
    case BINARY_POW:
        return dy * pow_by_exponent(a, y);
    }
    return (ag_real)NAN;
}

static void binary(kernel_binary f, int64_t n, kernel_operand a, kernel_operand b, ag_real *y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = binary_value(f, a.data[i * a.step], b.data[i * b.step]);
}

static void binary_backward(kernel_binary f, int side, int64_t n, kernel_operand a, kernel_operand b, const ag_real *y,
                            const ag_real *dy, ag_real *gradient)
{
    for (int64_t i = 0; i < n; i++) {
        const ag_real a_i = a.data[i * a.step], b_i = b.data[i * b.step];
        if (dy[i] != 0)
            gradient[i] += side == 0 ? gradient_of_a(f, a_i, b_i, dy[i]) : gradient_of_b(f, a_i, b_i, y[i], dy[i]);
    }
}

/* ---- Sums -------------------------------------------------------------------------- */

/* y += x */
static void add(int64_t n, const ag_real *x, ag_real *y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] += x[i];
}

/* y += factor x */
static void axpy(int64_t n, ag_real factor, const ag_real *x, ag_real *y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] += factor * x[i];
}

/* sums[c] += sum over the rows r of x[r][c] */
static void accumulate(int64_t rows, int64_t n, int64_t step, const int64_t *order, const ag_real *x, double *sums)
{
    for (int64_t c = 0; c < n; c++) {
        scalar_sum column = {sums[c], 0};
        for (int64_t r = 0; r < rows; r++)
            scalar_sum_add(&column, (double)x[(order ? order[r] : r) * step + c]);
        sums[c] = scalar_sum_total(&column);
    }
}

static double sum(int64_t n, const ag_real *x)
{
    scalar_sum all = {0, 0};
    for (int64_t i = 0; i < n; i++)
        scalar_sum_add(&all, (double)x[i]);
    return scalar_sum_total(&all);
}

static int64_t argmax(int64_t n, const ag_real *x)
{
    int64_t best = 0;
    for (int64_t i = 1; i < n; i++)
        if (x[i] > x[best] || (isnan(x[i]) && !isnan(x[best])))
            best = i;
    return best;
}

static bool all_finite(int64_t n, const ag_real *x)
{
    for (int64_t i = 0; i < n; i++)
        if (!isfinite(x[i]))
            return false;
    return true;
}

/* ---- Dropout ----------------------------------------------------------------------- */

/* y[i] = scale x[i] if element first + i stays, else 0; or y[i] += that. */
static void dropout(const kernel_dropout *mask, int64_t first, int64_t n, const ag_real *x, ag_real *y, bool add_to_y)
{
    for (int64_t i = 0; i < n; i++) {
        const ag_real kept = kernel_dropout_keeps(mask, first + i) ? x[i] * mask->scale : 0;
        y[i] = add_to_y ? y[i] + kept : kept;
    }
}

const kernel_elementwise kernel_elementwise_plain = {
    .unary = unary,
    .unary_backward = unary_backward,
    .binary = binary,
    .binary_backward = binary_backward,
    .add = add,
    .axpy = axpy,
    .accumulate = accumulate,
    .sum = sum,
    .argmax = argmax,
    .dropout = dropout,
    .all_finite = all_finite,
};
