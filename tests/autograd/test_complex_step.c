/* test_complex_step.c - the derivatives of the elementwise functions, by backward and by
 * forward mode, against complex steps.
 *
 * If f is computed in complex numbers, f(x + i h) = f(x) + i h f'(x) - h^2 f''(x) / 2 - ..,
 * so f'(x) is the imaginary part divided by h (Squire and Trapp, SIAM Review 40, 1998).
 * Nothing is subtracted, so h may be so small that nothing but rounding is left. The
 * functions are written down here once more, in the C library's complex numbers, in
 * double: no code and no formula of a derivative is shared with the library. */
#include "tape_fixture.h"

#include <complex.h>
#include <float.h>
#include <math.h>
#include <string.h>

#define STEP 1e-100
#define PI   3.14159265358979323846

enum { POINTS = 61 };

/* |a - n| / max(1, |a|, |n|) may be this much: 2 units for the kernel's function and 8
 * roundings of half a unit in the formula of its derivative, as much again for the complex
 * function, and 4 for its terms that cancel. (The largest is 2.7 units in double.) */
#define BOUND (16 * PRECISION(DBL_EPSILON, (double)FLT_EPSILON))

/* ---- The functions in complex numbers ---------------------------------------------- */

typedef double complex complex_function(double complex a, double complex b);

/* Near 0 a series whose terms do not cancel, 2/sqrt(pi) e^(-z^2) (z + 2 z^3 / 3 + 4 z^5 /
 * (3 5) + ..); else 1 - erfc, by the continued fraction sqrt(pi) erfc(z) = e^(-z^2) / (z +
 * (1/2) / (z + 1 / (z + (3/2) / (z + ..)))) (Abramowitz and Stegun, 7.1.6 and 7.1.14). */
static double complex complex_erf(double complex z)
{
    double complex term = z, sum = z, fraction = z;
    if (creal(z) < 0)
        return -complex_erf(-z);
    for (int n = 1; n < 60; n++) {
        term *= 2 * z * z / (2 * n + 1);
        sum += term;
    }
    for (int n = 100; n > 0; n--)
        fraction = z + n / 2.0 / fraction;
    return creal(z) < 1.5 ? 2 / sqrt(PI) * cexp(-z * z) * sum : 1 - cexp(-z * z) / (sqrt(PI) * fraction);
}

#define COMPLEX(name, formula)                                                                                         \
    static double complex name##_complex(double complex a, double complex b)                                           \
    {                                                                                                                  \
        (void)b;                                                                                                       \
        return formula;                                                                                                \
    }
COMPLEX(neg, -a)
COMPLEX(scale, -1.75 * a)
COMPLEX(exp, cexp(a))
COMPLEX(log, clog(a))
COMPLEX(sqrt, csqrt(a))
COMPLEX(tanh, ctanh(a))
COMPLEX(erf, complex_erf(a))
COMPLEX(sigmoid, 1 / (1 + cexp(-a)))
COMPLEX(relu, creal(a) > 0 ? a : 0)
COMPLEX(silu, a / (1 + cexp(-a)))
COMPLEX(gelu, a *(1 + complex_erf(a / sqrt(2))) / 2)
COMPLEX(gelu_tanh, a *(1 + ctanh(sqrt(2 / PI) * (a + 0.044715 * a * a * a))) / 2)
COMPLEX(add, a + b)
COMPLEX(sub, a - b)
COMPLEX(mul, a *b)
COMPLEX(div, a / b)
COMPLEX(pow, cpow(a, b))

/* ---- The functions of the library -------------------------------------------------- */

static ag_tensor *scaled(ag_tensor *x)
{
    return ag_scale(x, -1.75); /* exact in float */
}

static ag_tensor *gelu_by_erf(ag_tensor *x)
{
    return ag_gelu(x, AG_GELU);
}

static ag_tensor *gelu_by_tanh(ag_tensor *x)
{
    return ag_gelu(x, AG_GELU_TANH);
}

/* A function, its complex twin, and where its inputs lie. */
typedef struct elementwise {
    const char *name; /* of the operation */
    ag_tensor *(*unary)(ag_tensor *);
    ag_tensor *(*binary)(ag_tensor *, ag_tensor *);
    complex_function *twin;
    double low, high, low_b, high_b;
} elementwise;

static const elementwise functions[] = {
    {"neg", ag_neg, NULL, neg_complex, -5, 5, 0, 0},
    {"scale", scaled, NULL, scale_complex, -5, 5, 0, 0},
    {"exp", ag_exp, NULL, exp_complex, -20, 20, 0, 0},
    {"log", ag_log, NULL, log_complex, 1e-3, 50, 0, 0},
    {"sqrt", ag_sqrt, NULL, sqrt_complex, 1e-3, 50, 0, 0},
    {"tanh", ag_tanh, NULL, tanh_complex, -8, 8, 0, 0},
    {"erf", ag_erf, NULL, erf_complex, -4, 4, 0, 0},
    {"sigmoid", ag_sigmoid, NULL, sigmoid_complex, -20, 20, 0, 0},
    {"relu", ag_relu, NULL, relu_complex, -5, 5, 0, 0},
    {"silu", ag_silu, NULL, silu_complex, -20, 20, 0, 0},
    {"gelu", gelu_by_erf, NULL, gelu_complex, -6, 6, 0, 0},
    {"gelu", gelu_by_tanh, NULL, gelu_tanh_complex, -6, 6, 0, 0},
    {"add", NULL, ag_add, add_complex, -5, 5, -5, 5},
    {"sub", NULL, ag_sub, sub_complex, -5, 5, -5, 5},
    {"mul", NULL, ag_mul, mul_complex, -5, 5, -5, 5},
    {"div", NULL, ag_div, div_complex, -5, 5, 0.25, 5},
    {"div", NULL, ag_div, div_complex, -5, 5, -5, -0.25},
    {"pow", NULL, ag_pow, pow_complex, 0.25, 4, -3, 3},
};
enum { FUNCTIONS = sizeof functions / sizeof *functions };

/* ---- The comparison ---------------------------------------------------------------- */

static void require_close(const elementwise *f, const char *mode, double a, double b, double derivative,
                          double expected)
{
    const double scale = fmax(1, fmax(fabs(derivative), fabs(expected)));
    ck_assert_msg(fabs(derivative - expected) <= BOUND * scale,
                  "%s at %.17g, %.17g: %s gives %.17g, the complex step %.17g (%.3g of the bound)", f->name, a, b, mode,
                  derivative, expected, fabs(derivative - expected) / scale / BOUND);
}

/* The derivative by input `side` of the function at all points. */
static void compare_side(const elementwise *f, ag_tensor *const *inputs, ag_tensor *y, int side)
{
    ag_real ones[POINTS], tangent[POINTS];
    for (int i = 0; i < POINTS; i++)
        ones[i] = 1;
    ck_assert_int_eq(ag_jvp(y, &inputs[side], (const ag_real *[]){ones}, 1, tangent), AG_OK);
    for (int i = 0; i < POINTS; i++) {
        const double a = (double)inputs[0]->data[i], b = f->binary ? (double)inputs[1]->data[i] : 0;
        const double complex step = STEP * I, z = side ? f->twin(a, b + step) : f->twin(a + step, b);
        require_close(f, "backward", a, b, (double)inputs[side]->grad[i], cimag(z) / STEP);
        require_close(f, "forward mode", a, b, (double)tangent[i], cimag(z) / STEP);
    }
}

START_TEST(derivatives_are_those_of_complex_steps)
{
    test_ask_for_level(_i / FUNCTIONS);
    tape_set_up();
    const elementwise *f = &functions[_i % FUNCTIONS];
    ag_real a[POINTS], b[POINTS];
    test_fill(a, POINTS, 1, f->low, f->high);
    test_fill(b, POINTS, 2, f->low_b, f->high_b);
    a[0] = (ag_real)f->low;
    a[1] = (ag_real)f->high;
    b[0] = (ag_real)f->high_b;
    b[1] = (ag_real)f->low_b;
    ag_tensor *inputs[] = {ag_variable(tape, AG_SHAPE(POINTS), a), ag_variable(tape, AG_SHAPE(POINTS), b)};
    ag_tensor *y = f->unary ? f->unary(inputs[0]) : f->binary(inputs[0], inputs[1]);
    ck_assert_int_eq(ag_backward_seeded(y, NULL), AG_OK);
    for (int side = 0; side < (f->binary ? 2 : 1); side++)
        compare_side(f, inputs, y, side);
    tape_tear_down();
}
END_TEST

static const ag_op *operation_named(const char *name)
{
    int count;
    const ag_op *const *table = ag_ops(&count);
    for (int i = 0; i < count; i++)
        if (!strcmp(table[i]->name, name))
            return table[i];
    ck_abort_msg("there is no operation %s", name);
    return NULL;
}

/* Every operation whose tangent rule is that of the elementwise functions is judged. */
START_TEST(no_function_is_missing)
{
    int count;
    const ag_op *const *table = ag_ops(&count);
    for (int i = 0; i < count; i++) {
        bool judged = false;
        for (int f = 0; f < FUNCTIONS; f++)
            judged = judged || operation_named(functions[f].name) == table[i];
        if (table[i]->jvp == operation_named("exp")->jvp || table[i]->jvp == operation_named("mul")->jvp)
            ck_assert_msg(judged, "%s is not compared with complex steps", table[i]->name);
    }
}
END_TEST

static Suite *complex_step_suite(void)
{
    Suite *suite = suite_create("complex_step");
    TCase *tests = tcase_create("elementwise functions");
    tcase_add_loop_test(tests, derivatives_are_those_of_complex_steps, 0, test_levels_here() * FUNCTIONS);
    tcase_add_test(tests, no_function_is_missing);
    suite_add_tcase(suite, tests);
    return suite;
}

TEST_MAIN(complex_step_suite)
