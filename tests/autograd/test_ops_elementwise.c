/* test_ops_elementwise.c - unary and binary operations against libm, broadcasting against
 * its definition. */
#include "check_util.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const double tight = PRECISION(1e-13, 2e-6);

/* |a - b| relative to b where b is large; NaN and infinities are equal to themselves. */
static bool near(double a, double b)
{
    if (isnan(b) || isinf(b))
        return isnan(b) ? isnan(a) : a == b;
    return fabs(a - b) <= tight * fmax(1, fabs(b));
}

/* ---- Unary ------------------------------------------------------------------------- */

static ag_tensor *scale_by_three(ag_tensor *x)
{
    return ag_scale(x, 3);
}

static ag_tensor *gelu_exact(ag_tensor *x)
{
    return ag_gelu(x, AG_GELU);
}

static ag_tensor *gelu_tanh(ag_tensor *x)
{
    return ag_gelu(x, AG_GELU_TANH);
}

static double negative(double x)
{
    return -x;
}

static double minus_one(double x)
{
    return 0 * x - 1;
}

static double three_times(double x)
{
    return 3 * x;
}

static double three(double x)
{
    return 0 * x + 3;
}

static double inverse(double x)
{
    return 1 / x;
}

static double sqrt_slope(double x)
{
    return 0.5 / sqrt(x);
}

static double tanh_slope(double x)
{
    return 1 / (cosh(x) * cosh(x));
}

static double sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

static double sigmoid_slope(double x)
{
    return sigmoid(x) * sigmoid(-x);
}

static double relu(double x)
{
    return x > 0 ? x : 0;
}

static double erf_slope(double x)
{
    return exp(-x * x) / sqrt(atan(1));
}

static double step(double x)
{
    return x > 0 ? 1 : 0;
}

static double silu(double x)
{
    return x * sigmoid(x);
}

static double silu_slope(double x)
{
    return sigmoid(x) + x * sigmoid_slope(x);
}

static double phi(double x)
{
    return 0.5 * erfc(-x * sqrt(0.5));
}

static double gelu(double x)
{
    return x * phi(x);
}

static double gelu_slope(double x)
{
    return phi(x) + x * exp(-0.5 * x * x) / sqrt(8 * atan(1));
}

static double gelu_inside(double x)
{
    return sqrt(0.5 / atan(1)) * (x + 0.044715 * x * x * x);
}

static double gelu_by_tanh(double x)
{
    return 0.5 * x * (1 + tanh(gelu_inside(x)));
}

static double gelu_by_tanh_slope(double x)
{
    double inside_slope = sqrt(0.5 / atan(1)) * (1 + 3 * 0.044715 * x * x);
    return 0.5 * (1 + tanh(gelu_inside(x))) + 0.5 * x * tanh_slope(gelu_inside(x)) * inside_slope;
}

static const struct {
    const char *name;
    ag_tensor *(*operation)(ag_tensor *);
    double (*value)(double);
    double (*slope)(double);
    double low, high;
} unary[] = {
    {"neg", ag_neg, negative, minus_one, -5, 5},
    {"scale", scale_by_three, three_times, three, -5, 5},
    {"exp", ag_exp, exp, exp, -5, 3},
    {"log", ag_log, log, inverse, 0.2, 9},
    {"sqrt", ag_sqrt, sqrt, sqrt_slope, 0.1, 9},
    {"tanh", ag_tanh, tanh, tanh_slope, -6, 6},
    {"erf", ag_erf, erf, erf_slope, -4, 4},
    {"sigmoid", ag_sigmoid, sigmoid, sigmoid_slope, -9, 9},
    {"relu", ag_relu, relu, step, -3, 3},
    {"silu", ag_silu, silu, silu_slope, -9, 9},
    {"gelu exact", gelu_exact, gelu, gelu_slope, -6, 6},
    {"gelu tanh", gelu_tanh, gelu_by_tanh, gelu_by_tanh_slope, -6, 6},
};
#define UNARY ((int)(sizeof unary / sizeof *unary))

START_TEST(unary_values_and_gradients)
{
    ag_real values[3 * 35], seed[3 * 35];
    test_fill(values, 105, (uint64_t)_i, unary[_i].low, unary[_i].high);
    test_fill(seed, 105, 77, -2, 2);
    ag_tape *tape = ag_tape_new(NULL);
    ag_tensor *x = ag_variable(tape, AG_SHAPE(3, 35), values);
    ag_tensor *y = unary[_i].operation(x);
    ck_assert_int_eq(ag_backward_seeded(y, seed), AG_OK);
    ck_assert_int_eq(ag_backward_seeded(y, seed), AG_OK); /* gradients add up */
    ck_assert(ag_shape_equal(y->shape, x->shape));
    for (int i = 0; i < 105; i++) {
        double at = (double)values[i];
        ck_assert_msg(near((double)y->data[i], unary[_i].value(at)), "%s(%g) = %.9g, not %.9g", unary[_i].name, at,
                      (double)y->data[i], unary[_i].value(at));
        double wanted = 2 * (double)seed[i] * unary[_i].slope(at);
        ck_assert_msg(near((double)x->grad[i], wanted), "the slope of %s at %g: %.9g, not %.9g", unary[_i].name, at,
                      (double)x->grad[i], wanted);
    }
    ag_tape_free(tape);
}
END_TEST

/* The expected y = f(x) and dx at one x. */
static void at(ag_tensor *(*operation)(ag_tensor *), double x, double *y, double *dx)
{
    ag_real value = (ag_real)x;
    ag_tape *tape = ag_tape_new(NULL);
    ag_tensor *input = ag_variable(tape, AG_SCALAR, &value);
    ag_tensor *output = operation(input);
    ck_assert_int_eq(ag_backward(output), AG_OK);
    *y = (double)output->data[0];
    *dx = (double)input->grad[0];
    ag_tape_free(tape);
}

START_TEST(gated_units_at_special_values)
{
    ag_tensor *(*const operations[])(ag_tensor *) = {gelu_exact, gelu_tanh, ag_silu};
    ag_tensor *(*operation)(ag_tensor *) = operations[_i];
    double y, dx;

    at(operation, -INFINITY, &y, &dx);
    ck_assert(y == 0 && signbit(y) && dx == 0);
    at(operation, INFINITY, &y, &dx);
    ck_assert(isinf(y) && y > 0 && dx == 1);
    at(operation, -1e30, &y, &dx);
    ck_assert(y == 0 && signbit(y) && dx == 0);
    at(operation, 1e30, &y, &dx);
    ck_assert(y == (double)(ag_real)1e30 && dx == 1);
    at(operation, NAN, &y, &dx);
    ck_assert(isnan(y) && isnan(dx));
    at(operation, 0, &y, &dx);
    ck_assert(y == 0 && !signbit(y) && near(dx, 0.5));
    at(operation, -0.0, &y, &dx);
    ck_assert(y == 0 && signbit(y) && near(dx, 0.5));
    at(operation, 1e-20, &y, &dx);
    ck_assert(fabs(y - 0.5e-20) < 1e-26);
    at(operation, 10, &y, &dx);
    ck_assert(fabs(y - 10) < 1e-3 && fabs(dx - 1) < 1e-3);
    at(operation, -10, &y, &dx);
    ck_assert(y <= 0 && y > -1e-3 && fabs(dx) < 1e-3);
}
END_TEST

START_TEST(others_at_special_values)
{
    double y, dx;
    at(ag_relu, 0, &y, &dx);
    ck_assert(y == 0 && dx == 0);
    at(ag_relu, -0.0, &y, &dx);
    ck_assert(y == 0 && !signbit(y) && dx == 0);
    at(ag_relu, NAN, &y, &dx);
    ck_assert(isnan(y));
    at(ag_relu, INFINITY, &y, &dx);
    ck_assert(isinf(y) && dx == 1);
    at(ag_tanh, INFINITY, &y, &dx);
    ck_assert(y == 1 && dx == 0);
    at(ag_tanh, -INFINITY, &y, &dx);
    ck_assert(y == -1 && dx == 0);
    at(ag_erf, -INFINITY, &y, &dx);
    ck_assert(y == -1 && dx == 0);
    at(ag_sigmoid, -INFINITY, &y, &dx);
    ck_assert(y == 0 && dx == 0);
    at(ag_sigmoid, INFINITY, &y, &dx);
    ck_assert(y == 1 && dx == 0);
    at(ag_exp, -INFINITY, &y, &dx);
    ck_assert(y == 0 && dx == 0);
    at(ag_log, 0, &y, &dx);
    ck_assert(isinf(y) && y < 0 && isinf(dx));
    at(ag_log, -1, &y, &dx);
    ck_assert(isnan(y));
}
END_TEST

START_TEST(gelu_has_two_forms)
{
    ag_real one = 1;
    ag_tape *tape = ag_tape_new(NULL);
    ck_assert_ptr_null(ag_gelu(ag_variable(tape, AG_SCALAR, &one), (ag_activation)7));
    ck_assert_int_eq(ag_tape_error(tape)->status, AG_BAD_VALUE);
    ck_assert_str_eq(ag_tape_error(tape)->message, "gelu: unknown form 7: expected AG_GELU or AG_GELU_TANH");
    ag_tape_free(tape);
}
END_TEST

/* ---- Binary ------------------------------------------------------------------------ */

static double plus(double a, double b)
{
    return a + b;
}

static double one(double a, double b)
{
    return 0 * a * b + 1;
}

static double minus(double a, double b)
{
    return a - b;
}

static double less_one(double a, double b)
{
    return 0 * a * b - 1;
}

static double times(double a, double b)
{
    return a * b;
}

static double first(double a, double b)
{
    return a + 0 * b;
}

static double second(double a, double b)
{
    return 0 * a + b;
}

static double over(double a, double b)
{
    return a / b;
}

static double over_by_a(double a, double b)
{
    return 0 * a + 1 / b;
}

static double over_by_b(double a, double b)
{
    return -a / (b * b);
}

static double pow_by_a(double a, double b)
{
    return b * pow(a, b - 1);
}

static double pow_by_b(double a, double b)
{
    return pow(a, b) * log(a);
}

static const struct {
    const char *name;
    ag_tensor *(*operation)(ag_tensor *, ag_tensor *);
    double (*value)(double, double);
    double (*by_a)(double, double);
    double (*by_b)(double, double);
} binary[] = {
    {"add", ag_add, plus, one, one},          {"sub", ag_sub, minus, one, less_one},
    {"mul", ag_mul, times, second, first},    {"div", ag_div, over, over_by_a, over_by_b},
    {"pow", ag_pow, pow, pow_by_a, pow_by_b},
};
#define BINARY ((int)(sizeof binary / sizeof *binary))
#define MOST   5000 /* elements of a drawn shape */

/* The flat index in an operand of the element `flat` of the broadcast shape. */
static int64_t place_in(ag_shape operand, ag_shape whole, int64_t flat)
{
    int64_t place = 0, step = 1;
    for (int i = 1; i <= whole.ndim; i++) {
        int64_t index = flat % whole.dim[whole.ndim - i];
        flat /= whole.dim[whole.ndim - i];
        if (i <= operand.ndim) {
            if (operand.dim[operand.ndim - i] != 1)
                place += index * step;
            step *= operand.dim[operand.ndim - i];
        }
    }
    return place;
}

/* A shape, and two that broadcast to it together. */
static void draw_shapes(ag_rng *rng, ag_shape *a, ag_shape *b, ag_shape *whole)
{
    static const int64_t sizes[] = {1, 2, 3, 5, 8, 1, 4, 17};
    *whole = (ag_shape){.ndim = (int)ag_rng_below(rng, 6)};
    *a = *b = *whole;
    int64_t room = MOST;
    for (int i = 0; i < whole->ndim; i++) {
        int64_t size = sizes[ag_rng_below(rng, 8)];
        if (size > room)
            size = 1;
        room /= size;
        uint64_t choice = ag_rng_below(rng, 4);
        whole->dim[i] = size;
        a->dim[i] = choice == 0 ? 1 : size;
        b->dim[i] = choice == 1 ? 1 : size;
    }
    ag_shape *shorter = ag_rng_below(rng, 2) ? a : b;
    while (shorter->ndim && shorter->dim[0] == 1 && ag_rng_below(rng, 2)) {
        shorter->ndim--;
        for (int i = 0; i < shorter->ndim; i++)
            shorter->dim[i] = shorter->dim[i + 1];
    }
}

START_TEST(binary_values_and_gradients_over_drawn_shapes)
{
    static ag_real a_values[MOST], b_values[MOST], seed[MOST];
    static double da[MOST], db[MOST];
    ag_rng rng = ag_rng_make(11, (uint64_t)_i);
    ag_tape *tape = ag_tape_new(NULL);
    test_fill(a_values, MOST, 1, 0.5, 2);
    test_fill(b_values, MOST, 2, 0.5, 2);
    test_fill(seed, MOST, 3, -1, 1);

    for (int draw = 0; draw < 200; draw++) {
        ag_shape a_shape, b_shape, whole;
        draw_shapes(&rng, &a_shape, &b_shape, &whole);
        ag_tensor *a = ag_variable(tape, a_shape, a_values), *b = ag_variable(tape, b_shape, b_values);
        ag_tensor *y = binary[_i].operation(a, b);
        ck_assert_int_eq(ag_backward_seeded(y, seed), AG_OK);
        ck_assert_int_eq(ag_backward_seeded(y, seed), AG_OK); /* gradients add up */
        ck_assert(ag_shape_equal(y->shape, whole));
        memset(da, 0, sizeof da);
        memset(db, 0, sizeof db);
        for (int64_t i = 0; i < y->size; i++) {
            int64_t a_at = place_in(a_shape, whole, i), b_at = place_in(b_shape, whole, i);
            double a_value = (double)a_values[a_at], b_value = (double)b_values[b_at];
            ck_assert(near((double)y->data[i], binary[_i].value(a_value, b_value)));
            da[a_at] += 2 * (double)seed[i] * binary[_i].by_a(a_value, b_value);
            db[b_at] += 2 * (double)seed[i] * binary[_i].by_b(a_value, b_value);
        }
        double slack = tight * (double)y->size;
        for (int64_t i = 0; i < a->size; i++)
            ck_assert_double_eq_tol((double)a->grad[i], da[i], slack);
        for (int64_t i = 0; i < b->size; i++)
            ck_assert_double_eq_tol((double)b->grad[i], db[i], slack);
        ag_tape_rewind(tape);
    }
    ag_tape_free(tape);
}
END_TEST

/* More than one piece and one block: rows against a bias, a bias against rows, columns, a
 * scalar, the middle. */
START_TEST(large_broadcasts)
{
    static const struct {
        ag_shape a, b;
    } pairs[] = {
        {{3, {7, 60, 130}}, {1, {130}}}, {{1, {130}}, {3, {7, 60, 130}}},       {{2, {300, 170}}, {2, {300, 1}}},
        {{2, {300, 170}}, {0, {0}}},     {{3, {40, 1, 70}}, {3, {40, 20, 70}}}, {{2, {1, 1700}}, {2, {30, 1}}},
        {{2, {40000, 1}}, {2, {1, 1}}},
    };
    ag_shape a_shape = pairs[_i].a, b_shape = pairs[_i].b;
    int64_t a_size = ag_shape_size(a_shape), b_size = ag_shape_size(b_shape);
    ag_real *a_values = malloc((size_t)a_size * sizeof *a_values),
            *b_values = malloc((size_t)b_size * sizeof *b_values);
    double *da = calloc((size_t)a_size, sizeof *da), *db = calloc((size_t)b_size, sizeof *db);
    ck_assert(a_values && b_values && da && db);
    test_fill(a_values, a_size, 1, -1, 1);
    test_fill(b_values, b_size, 2, -1, 1);

    ag_tape *tape = ag_tape_new(NULL);
    ag_tensor *a = ag_variable(tape, a_shape, a_values), *b = ag_variable(tape, b_shape, b_values);
    ag_tensor *y = ag_mul(a, b);
    ck_assert_int_eq(ag_backward(ag_sum(y, AG_ALL_AXES, false)), AG_OK);
    for (int64_t i = 0; i < y->size; i++) {
        int64_t a_at = place_in(a_shape, y->shape, i), b_at = place_in(b_shape, y->shape, i);
        ck_assert(near((double)y->data[i], (double)a_values[a_at] * (double)b_values[b_at]));
        da[a_at] += (double)b_values[b_at];
        db[b_at] += (double)a_values[a_at];
    }
    for (int64_t i = 0; i < a_size; i++)
        ck_assert(near((double)a->grad[i], da[i]));
    for (int64_t i = 0; i < b_size; i++)
        ck_assert(near((double)b->grad[i], db[i]));
    ag_tape_free(tape);
    free(a_values);
    free(b_values);
    free(da);
    free(db);
}
END_TEST

START_TEST(an_operand_may_be_used_on_both_sides)
{
    ag_real value[] = {2, -3, 5};
    ag_tape *tape = ag_tape_new(NULL);
    ag_tensor *x = ag_variable(tape, AG_SHAPE(3), value);
    ck_assert_int_eq(ag_backward(ag_sum(ag_mul(x, x), AG_ALL_AXES, false)), AG_OK);
    for (int i = 0; i < 3; i++)
        ck_assert_double_eq((double)x->grad[i], 2 * (double)value[i]);
    ag_tape_free(tape);
}
END_TEST

START_TEST(pow_at_zero)
{
    const ag_real base[] = {0, 0, 0, -2, -2}, exponent[] = {2, 1, 0, 3, 2};
    const ag_real power[] = {0, 0, 1, -8, 4}, slope[] = {0, 1, 0, 12, -4};
    ag_tape *tape = ag_tape_new(NULL);
    ag_tensor *a = ag_variable(tape, AG_SHAPE(5), base), *b = ag_constant(tape, AG_SHAPE(5), exponent);
    ag_tensor *y = ag_pow(a, b);
    ck_assert_int_eq(ag_backward(ag_sum(y, AG_ALL_AXES, false)), AG_OK);
    for (int i = 0; i < 5; i++) {
        ck_assert(near((double)y->data[i], (double)power[i]));
        ck_assert(near((double)a->grad[i], (double)slope[i]));
    }
    ag_tape_free(tape);
}
END_TEST

START_TEST(empty_tensors_broadcast)
{
    ag_tape *tape = ag_tape_new(NULL);
    ag_tensor *a = ag_variable(tape, AG_SHAPE(0, 3), NULL), *b = ag_variable(tape, AG_SHAPE(1, 3), NULL);
    ag_tensor *y = ag_sum(ag_mul(a, b), AG_ALL_AXES, false);
    ck_assert_int_eq(ag_backward(y), AG_OK);
    ck_assert_double_eq((double)y->data[0], 0);
    for (int i = 0; i < 3; i++)
        ck_assert_double_eq((double)b->grad[i], 0);
    ag_tape_free(tape);
}
END_TEST

START_TEST(shapes_that_do_not_broadcast)
{
    static const char *const names[] = {"add", "sub", "mul", "div", "pow"};
    char wanted[AG_MESSAGE_SIZE];
    ag_tape *tape = ag_tape_new(NULL);
    ag_tensor *a = ag_variable(tape, AG_SHAPE(4, 2, 3), NULL), *b = ag_variable(tape, AG_SHAPE(2, 4), NULL);
    ck_assert_ptr_null(binary[_i].operation(a, b));
    ck_assert_int_eq(ag_tape_error(tape)->status, AG_BAD_SHAPE);
    snprintf(wanted, sizeof wanted,
             "%s: [4,2,3] and [2,4] do not broadcast (from the last axis on, sizes must be equal or one of them 1)",
             names[_i]);
    ck_assert_str_eq(ag_tape_error(tape)->message, wanted);
    ag_tape_free(tape);
}
END_TEST

START_TEST(null_goes_through)
{
    for (int i = 0; i < UNARY; i++)
        ck_assert_ptr_null(unary[i].operation(NULL));
    for (int i = 0; i < BINARY; i++)
        ck_assert_ptr_null(binary[i].operation(NULL, NULL));
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_loop_test(tests, unary_values_and_gradients, 0, UNARY);
    tcase_add_loop_test(tests, gated_units_at_special_values, 0, 3);
    tcase_add_test(tests, others_at_special_values);
    tcase_add_test(tests, gelu_has_two_forms);
    tcase_add_test(tests, null_goes_through);
    tcase_add_loop_test(tests, binary_values_and_gradients_over_drawn_shapes, 0, BINARY);
    tcase_add_loop_test(tests, large_broadcasts, 0, 7);
    tcase_add_test(tests, an_operand_may_be_used_on_both_sides);
    tcase_add_test(tests, pow_at_zero);
    tcase_add_test(tests, empty_tensors_broadcast);
    tcase_add_loop_test(tests, shapes_that_do_not_broadcast, 0, BINARY);
}

static Suite *elementwise_suite(void)
{
    Suite *s = suite_create("ops_elementwise");
    test_at_each_level(s, add_tests);
    return s;
}

TEST_MAIN(elementwise_suite)
