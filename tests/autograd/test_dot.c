/* test_dot.c - the dot test: backward against forward mode for all operations, at every
 * instruction-set level, with the numbers of each precision; planted faults, and what the
 * test cannot find. */
#include "check_util.h"

#include <math.h>
#include <string.h>

#define DRAWS 24

/* ---- All operations ---------------------------------------------------------------- */

START_TEST(modes_agree)
{
    int count;
    const ag_op *op = ag_ops(&count)[_i];
    ag_dot_report report;
    ag_error error = {0};
    ag_status status = ag_dot_test_op(op, DRAWS, &(ag_gradcheck_options){.seed = 1}, &report, &error);
    ck_assert_msg(status == AG_OK, "%s could not be tested: %s", op->name, error.message);
    ck_assert_msg(report.passed && !report.skipped, "%s", report.message);
    ck_assert_msg(report.error < PRECISION(1e-13, 1e-5), "%s", report.message);
    ck_assert_msg(report.checked >= DRAWS, "%s: only %lld directions compared", op->name, (long long)report.checked);
}
END_TEST

/* ---- Planted faults ---------------------------------------------------------------- */

typedef enum fault {
    RIGHT,
    SIGN_FLIPPED,
    FACTOR_WRONG,
    TINY_FACTOR,
    ZERO_EVERYWHERE,
    ONE_ELEMENT,
    TRANSPOSED,
    NOT_SUMMED,
    SHIFTED,
    CONSTANT_ADDED,
    ONE_NAN,
    FOUND_FAULTS,
    ASSIGNED = FOUND_FAULTS, /* what one backward onto zeros cannot show */
    SAME_IN_BOTH             /* nor a comparison of both modes */
} fault;

enum { SIDE = 5 };

/* y_ij = a_ij b_j, a [SIDE, SIDE], b [SIDE]; the faults are in db where that is possible,
 * else in da. */
static ag_status scaled_shape(ag_node *node)
{
    node->output->shape = node->inputs[0]->shape;
    return AG_OK;
}

static ag_status scaled_forward(ag_node *node)
{
    for (int i = 0; i < SIDE; i++)
        for (int j = 0; j < SIDE; j++)
            node->output->data[i * SIDE + j] = node->inputs[0]->data[i * SIDE + j] * node->inputs[1]->data[j];
    return AG_OK;
}

static ag_status scaled_jvp(ag_node *node, const ag_real *const *tangents, ag_real *tangent)
{
    const fault planted = *(const fault *)node->attributes;
    const ag_real *a = node->inputs[0]->data, *b = node->inputs[1]->data;
    for (int i = 0; i < SIDE; i++)
        for (int j = 0; j < SIDE; j++) {
            if (tangents[0])
                tangent[i * SIDE + j] += tangents[0][i * SIDE + j] * b[j];
            if (tangents[1] && planted != SAME_IN_BOTH)
                tangent[i * SIDE + j] += a[i * SIDE + j] * tangents[1][j];
        }
    return AG_OK;
}

static ag_status scaled_backward(ag_node *node)
{
    const fault planted = *(const fault *)node->attributes;
    const ag_real *a = node->inputs[0]->data, *b = node->inputs[1]->data, *dy = node->output->grad;
    ag_real *da = ag_grad(node->inputs[0]), *db = ag_grad(node->inputs[1]);
    for (int i = 0; i < SIDE; i++)
        for (int j = 0; j < SIDE; j++) {
            const ag_real g = dy[planted == TRANSPOSED ? j * SIDE + i : i * SIDE + j];
            const ag_real share = g * b[planted == SHIFTED ? (j + 1) % SIDE : j];
            ag_real add = g * a[i * SIDE + j];
            if (planted == SIGN_FLIPPED)
                add = -add;
            if (planted == FACTOR_WRONG)
                add *= 2;
            if (planted == TINY_FACTOR)
                add *= (ag_real)PRECISION(1 + 1e-11, 1 + 1e-3);
            if (planted == ZERO_EVERYWHERE || planted == SAME_IN_BOTH || (planted == NOT_SUMMED && i))
                add = 0;
            if (planted == CONSTANT_ADDED)
                add += (ag_real)0.01;
            if (planted == ASSIGNED)
                da[i * SIDE + j] = share;
            else if (planted != ONE_ELEMENT || i * SIDE + j != 7)
                da[i * SIDE + j] += share;
            db[j] += add;
        }
    if (planted == ONE_NAN)
        db[1] = (ag_real)NAN;
    return AG_OK;
}

static const ag_op scaled = {.name = "scaled",
                             .formula = "y_ij = a_ij b_j",
                             .shape = scaled_shape,
                             .forward = scaled_forward,
                             .backward = scaled_backward,
                             .jvp = scaled_jvp};

static ag_tensor *scaled_function(ag_tape *tape, ag_tensor *const *inputs, void *context)
{
    (void)tape;
    ag_tensor *y = ag_custom(&scaled, inputs, 2, 2, context, sizeof(fault));
    return ag_add(ag_tanh(y), y); /* the operation is one of several */
}

/* Two inputs of the planted operation with drawn values. */
typedef struct problem {
    ag_real a[SIDE * SIDE], da[SIDE * SIDE], b[SIDE], db[SIDE];
    ag_gradcheck_input inputs[2];
} problem;

static void problem_draw(problem *p, uint64_t seed)
{
    test_fill(p->a, SIDE * SIDE, seed, -1, 1);
    test_fill(p->b, SIDE, seed + 1, 0.5, 1);
    p->inputs[0] = (ag_gradcheck_input){"a", AG_SHAPE(SIDE, SIDE), p->a, p->da};
    p->inputs[1] = (ag_gradcheck_input){"b", AG_SHAPE(SIDE), p->b, p->db};
}

static ag_dot_report dot_test(ag_function f, void *context, problem *p, uint64_t seed)
{
    ag_dot_report report;
    ag_error error = {0};
    ag_status status = ag_dot_test(f, context, p->inputs, 2, &(ag_gradcheck_options){.seed = seed}, &report, &error);
    ck_assert_msg(status == AG_OK, "%s", error.message);
    return report;
}

START_TEST(every_fault_is_found)
{
    fault planted = (fault)_i;
    for (uint64_t seed = 0; seed < 20; seed++) {
        problem p;
        problem_draw(&p, 10 * seed);
        const ag_dot_report report = dot_test(scaled_function, &planted, &p, seed);
        const int input = planted == ONE_ELEMENT || planted == SHIFTED ? 0 : 1;
        ck_assert_int_eq(report.checked, 3);
        ck_assert_msg(report.passed == (planted == RIGHT), "seed %d: %s", (int)seed, report.message);
        if (planted == RIGHT) {
            ck_assert_msg(report.error < PRECISION(2e-15, 1e-6) && report.input == -1, "%s", report.message);
            continue;
        }
        /* not excused as noise: a fault differs little from point to point */
        ck_assert_double_le(report.bound, fmax(PRECISION(1e-13, 1e-5), report.error / 50));
        ck_assert_msg(planted == TRANSPOSED || report.input == input, "%s", report.message);
        ck_assert_str_eq(report.input_name, report.input ? "b" : "a");
        ck_assert_msg(strstr(report.message, report.input ? "by input 1 (b) alone" : "by input 0 (a) alone"), "%s",
                      report.message);
        if (planted == SIGN_FLIPPED)
            ck_assert_double_eq_tol(report.backward, -report.forward, 1e-5 * fabs(report.forward));
        if (planted == FACTOR_WRONG)
            ck_assert_double_eq_tol(report.backward, 2 * report.forward, 1e-5 * fabs(report.forward));
        if (planted == ZERO_EVERYWHERE)
            ck_assert_double_eq(report.backward, 0);
        if (planted == ONE_NAN)
            ck_assert(isinf(report.error) && isnan(report.backward));
    }
}
END_TEST

/* The gradient by b is 1e-6 (in double 1e-14) times as large as that by a. */
static ag_tensor *uneven_function(ag_tape *tape, ag_tensor *const *inputs, void *context)
{
    ag_tensor *y = scaled_function(tape, inputs, context);
    ag_tensor *large = ag_sum(ag_tanh(inputs[0]), AG_ALL_AXES, false);
    return ag_add(large, ag_scale(ag_sum(y, AG_ALL_AXES, false), PRECISION(1e-14, 1e-6)));
}

START_TEST(input_with_a_small_gradient_is_not_lost)
{
    for (uint64_t seed = 0; seed < 20; seed++) {
        problem p;
        fault planted = SIGN_FLIPPED; /* of b */
        problem_draw(&p, 10 * seed);
        const ag_dot_report report = dot_test(uneven_function, &planted, &p, seed);
        ck_assert_msg(!report.passed && report.input == 1, "seed %d: %s", (int)seed, report.message);
    }
}
END_TEST

START_TEST(what_agreement_does_not_show)
{
    for (fault planted = FOUND_FAULTS; planted <= SAME_IN_BOTH; planted++) {
        problem p;
        problem_draw(&p, 5);
        const ag_dot_report report = dot_test(scaled_function, &planted, &p, 1);
        ck_assert_msg(report.passed, "%s", report.message);
        ag_gradcheck_report judge; /* differences find both */
        ck_assert_int_eq(ag_gradcheck(scaled_function, &planted, p.inputs, 2, NULL, &judge, NULL), AG_OK);
        ck_assert(!judge.passed);
    }
}
END_TEST

/* ---- Whose leaves they are --------------------------------------------------------- */

/* sum_i b_i b_i + the result itself where it is a leaf; the leaves are made here, of
 * parts of the inputs' memory, as layers do. */
static ag_tensor *own_leaves(ag_tape *tape, ag_tensor *const *inputs, void *context)
{
    problem *p = context;
    (void)inputs;
    ag_tensor *first = ag_leaf(tape, AG_SHAPE(2), p->b, p->db), *rest = ag_leaf(tape, AG_SHAPE(3), p->b + 2, p->db + 2);
    ag_tensor *rows = ag_leaf(tape, AG_SHAPE(3), p->a + SIDE, p->da + SIDE);
    ag_tensor *y = ag_mul(ag_mul(rest, rest), rows);
    return ag_add(ag_sum(y, AG_ALL_AXES, false), ag_sum(ag_exp(first), AG_ALL_AXES, false));
}

static ag_tensor *first_input(ag_tape *tape, ag_tensor *const *inputs, void *context)
{
    (void)tape;
    (void)context;
    return inputs[0];
}

START_TEST(leaves_on_the_inputs_memory_move)
{
    problem p;
    problem_draw(&p, 3);
    ag_dot_report report = dot_test(own_leaves, &p, &p, 2);
    ck_assert_msg(report.passed && report.checked == 3, "%s", report.message);
    ck_assert_msg(report.error > 0 || report.forward != 0, "%s", report.message);
    /* what stays in the gradients is J^T w, of a single result: one w for all */
    const double w = (double)p.da[SIDE] / ((double)p.b[2] * (double)p.b[2]);
    ck_assert_double_eq_tol((double)p.db[0], w * exp((double)p.b[0]), 1e-5);
    ck_assert_double_eq_tol((double)p.db[2], w * 2 * (double)p.b[2] * (double)p.a[SIDE], 1e-5);
    ck_assert_double_eq((double)p.da[0], 0);

    report = dot_test(first_input, NULL, &p, 2); /* a result that is a leaf */
    ck_assert_msg(report.passed && report.checked == 3, "%s", report.message);

    /* forward mode of ag_gradcheck moves them, too */
    ag_gradcheck_report differences;
    const ag_gradcheck_options options = {.forward_mode = true};
    ck_assert_int_eq(ag_gradcheck(own_leaves, &p, p.inputs, 2, &options, &differences, NULL), AG_OK);
    ck_assert_msg(differences.passed, "%s", differences.message);
}
END_TEST

/* ---- Rounding ---------------------------------------------------------------------- */

/* The loss of logits of which the target's is far ahead: p is 1 up to some 1e-4. */
static ag_tensor *nearly_sure(ag_tape *tape, ag_tensor *const *inputs, void *context)
{
    static const int32_t targets[SIDE] = {0, 1, 2, 3, 4};
    ag_real ahead[SIDE * SIDE];
    for (int i = 0; i < SIDE * SIDE; i++)
        ahead[i] = i % (SIDE + 1) ? 0 : 10;
    ag_tensor *logits = ag_add(inputs[0], ag_constant(tape, AG_SHAPE(SIDE, SIDE), ahead));
    const fault planted = *(const fault *)context;
    ag_tensor *factors = ag_custom(&scaled, (ag_tensor *[]){logits, inputs[1]}, 2, 2, &planted, sizeof planted);
    return ag_cross_entropy(factors, targets, NULL);
}

START_TEST(differences_of_large_numbers_are_noise)
{
    int raised = 0;
    for (uint64_t seed = 0; seed < 20; seed++) {
        problem p;
        problem_draw(&p, 10 * seed);
        test_fill(p.b, SIDE, seed, 0.9, 1.1);
        fault planted = RIGHT;
        ag_dot_report report = dot_test(nearly_sure, &planted, &p, seed);
        ck_assert_msg(report.passed, "seed %d: %s", (int)seed, report.message);
        raised += report.error > PRECISION(1e-13, 1e-5);
        planted = FACTOR_WRONG;
        report = dot_test(nearly_sure, &planted, &p, seed);
        ck_assert_msg(!report.passed, "seed %d: %s", (int)seed, report.message);
    }
    ck_assert_int_gt(raised, 0); /* else the allowance was not needed */
}
END_TEST

/* Products of random matrices, with numbers of bfloat16. */
static ag_tensor *bf16_products(ag_tape *tape, ag_tensor *const *inputs, void *context)
{
    const fault *planted = context;
    ck_assert(ag_tape_set_matmul(tape, AG_MATMUL_BF16));
    ag_tensor *x = ag_matmul(inputs[0], inputs[0], false, true);
    if (*planted != RIGHT)
        x = ag_custom(&scaled, (ag_tensor *[]){x, inputs[1]}, 2, 2, planted, sizeof *planted);
    return ag_linear(x, inputs[0], inputs[1]);
}

START_TEST(bf16_has_a_bound_of_its_own)
{
    double largest = 0;
    for (uint64_t seed = 0; seed < 200; seed++) {
        problem p;
        fault planted = RIGHT;
        problem_draw(&p, 10 * seed);
        ag_dot_report report = dot_test(bf16_products, &planted, &p, seed);
        ck_assert_msg(report.passed, "seed %d: %s", (int)seed, report.message);
        /* two operations: 4 2^-9 sqrt(2), beside the bound of float */
        ck_assert_double_eq_tol(report.bound, 4 * 0x1p-9 * sqrt(2) + 1e-5, 1e-12);
        largest = fmax(largest, report.error);
        planted = SIGN_FLIPPED;
        report = dot_test(bf16_products, &planted, &p, seed);
        ck_assert_msg(!report.passed, "seed %d: %s", (int)seed, report.message);
    }
    ck_assert_msg(largest > 1e-4, "%g: these are not products of bfloat16", largest);
}
END_TEST

/* ---- What cannot be tested --------------------------------------------------------- */

static ag_tensor *without_rule(ag_tape *tape, ag_tensor *const *inputs, void *context)
{
    ag_op *op = context;
    static const fault planted = RIGHT;
    (void)tape;
    return ag_exp(ag_custom(op, inputs, 2, 2, &planted, sizeof planted));
}

START_TEST(operation_without_a_rule_is_skipped)
{
    ag_op op = scaled;
    op.jvp = NULL;
    problem p;
    problem_draw(&p, 1);
    const ag_dot_report report = dot_test(without_rule, &op, &p, 1);
    ck_assert(report.skipped && !report.passed);
    ck_assert_int_eq(report.checked, 0);
    ck_assert_str_eq(report.message,
                     "skipped: scaled has no tangent rule (jvp), so forward mode cannot pass through it");
}
END_TEST

static ag_tensor *constant_function(ag_tape *tape, ag_tensor *const *inputs, void *context)
{
    (void)inputs;
    (void)context;
    return ag_constant(tape, AG_SHAPE(2), NULL);
}

static ag_tensor *failing_function(ag_tape *tape, ag_tensor *const *inputs, void *context)
{
    (void)context;
    (void)tape;
    return ag_add(inputs[0], ag_reshape(inputs[1], AG_SHAPE(SIDE, 1, 2)));
}

/* Another shape at each call, under a backward that is wrong: the test calls it again. */
static ag_tensor *growing_function(ag_tape *tape, ag_tensor *const *inputs, void *context)
{
    static const fault planted = SIGN_FLIPPED;
    static const ag_real ones[9] = {1, 1, 1, 1, 1, 1, 1, 1, 1};
    int64_t *calls = context;
    ag_tensor *y = ag_custom(&scaled, inputs, 2, 2, &planted, sizeof planted);
    return ag_mul(y, ag_constant(tape, AG_SHAPE(++*calls, 1, 1), ones));
}

static ag_tensor *root_of_relu(ag_tape *tape, ag_tensor *const *inputs, void *context)
{
    (void)tape;
    (void)context;
    return ag_sqrt(ag_relu(inputs[0]));
}

static ag_tensor *saturated(ag_tape *tape, ag_tensor *const *inputs, void *context)
{
    (void)tape;
    return ag_tanh(ag_scale(inputs[0], *(const double *)context));
}

static ag_tensor *with_nan(ag_tape *tape, ag_tensor *const *inputs, void *context)
{
    const ag_real nan = NAN;
    (void)context;
    return ag_add(inputs[0], ag_constant(tape, AG_SCALAR, &nan));
}

START_TEST(edges_of_the_functions)
{
    double factor = 100;
    ag_real x[3] = {-1, (ag_real)0.2, (ag_real)0.7}, grad[3];
    const ag_gradcheck_input inputs[] = {{"x", AG_SHAPE(3), x, grad}};
    ag_dot_report report;
    /* the slope of the root is infinite where nothing moves */
    ck_assert_int_eq(ag_dot_test(root_of_relu, NULL, inputs, 1, NULL, &report, NULL), AG_OK);
    ck_assert_msg(report.passed, "%s", report.message);
    x[0] = (ag_real)-0.2;
    ck_assert_int_eq(ag_dot_test(saturated, &factor, inputs, 1, NULL, &report, NULL), AG_OK);
    ck_assert_msg(report.error <= report.bound && report.checked == 0, "%s", report.message);
    ck_assert_int_eq(ag_dot_test(with_nan, NULL, inputs, 1, NULL, &report, NULL), AG_OK);
    ck_assert(!report.passed && report.input == -1);
    ck_assert_str_eq(report.message, "the result contains NaN, so that it has no derivative");
}
END_TEST

START_TEST(bad_input_is_refused)
{
    problem p;
    fault planted = RIGHT;
    ag_dot_report report;
    ag_error error = {0};
    problem_draw(&p, 1);
    ck_assert_int_eq(ag_dot_test(scaled_function, &planted, p.inputs, 2, NULL, NULL, &error), AG_BAD_VALUE);
    ck_assert_str_eq(error.message, "dot test: no report given");
    error = (ag_error){0};
    ck_assert_int_eq(ag_dot_test(NULL, &planted, p.inputs, 2, NULL, &report, &error), AG_BAD_VALUE);
    ck_assert_str_eq(error.message, "dot test: no function given");
    error = (ag_error){0};
    const ag_gradcheck_options options = {.tolerance = NAN};
    ck_assert_int_eq(ag_dot_test(scaled_function, &planted, p.inputs, 2, &options, &report, &error), AG_BAD_VALUE);
    ck_assert_msg(strstr(error.message, "tolerance"), "%s", error.message);
    ck_assert_int_eq(ag_dot_test(failing_function, NULL, p.inputs, 2, NULL, &report, NULL), AG_BAD_SHAPE);
    ck_assert_int_eq(ag_dot_test_op(&scaled, 3, NULL, &report, NULL), AG_BAD_VALUE); /* it draws no examples */
    ck_assert_int_eq(ag_dot_test_op(&scaled, 3, NULL, NULL, NULL), AG_BAD_VALUE);

    int64_t calls = 0;
    error = (ag_error){0};
    ck_assert_int_eq(ag_dot_test(growing_function, &calls, p.inputs, 2, NULL, &report, &error), AG_BAD_SHAPE);
    ck_assert_str_eq(error.message, "dot test: the function made [1,5,5] at one call and [2,5,5] at another");

    report = dot_test(constant_function, NULL, &p, 1);
    ck_assert(!report.passed && !report.skipped);
    ck_assert_str_eq(report.message,
                     "compared nothing: no result moves with any input, or by less than its value is rounded");
    ck_assert_int_eq(ag_dot_test(constant_function, NULL, NULL, 0, NULL, &report, NULL), AG_BAD_VALUE);
    int count;
    error = (ag_error){0};
    ck_assert_int_eq(ag_dot_test_op(ag_ops(&count)[0], 0, NULL, &report, &error), AG_BAD_VALUE);
    ck_assert_str_eq(error.message, "dot test: draws is 0; it must be 1 or more");
}
END_TEST

START_TEST(the_callers_tolerance_decides)
{
    problem p;
    fault planted = FACTOR_WRONG;
    ag_dot_report report;
    problem_draw(&p, 1);
    ck_assert_int_eq(
        ag_dot_test(scaled_function, &planted, p.inputs, 2, &(ag_gradcheck_options){.tolerance = 10}, &report, NULL),
        AG_OK);
    ck_assert(report.passed && report.bound == 10 && report.error > 0.01);
    planted = RIGHT;
    ck_assert_int_eq(
        ag_dot_test(scaled_function, &planted, p.inputs, 2, &(ag_gradcheck_options){.tolerance = 1e-30}, &report, NULL),
        AG_OK);
    ck_assert(!report.passed && report.bound == 1e-30);
}
END_TEST

START_TEST(every_allocation_may_fail)
{
    problem p;
    fault planted = FACTOR_WRONG; /* the longest way: noise, and the search for the input */
    problem_draw(&p, 1);
    int64_t n = 1;
    for (ag_status status = AG_NO_MEMORY; status == AG_NO_MEMORY; n++) {
        ag_dot_report report;
        ag_error error = {0};
        test_fail_allocation(n);
        status = ag_dot_test(scaled_function, &planted, p.inputs, 2, NULL, &report, &error);
        test_fail_allocation(0);
        ck_assert_int_eq(error.status, status);
        ck_assert(status == AG_NO_MEMORY || (status == AG_OK && !report.passed));
    }
    ck_assert_int_gt(n, 4);
}
END_TEST

/* ---- The suite --------------------------------------------------------------------- */

static void add_at_level(TCase *tests)
{
    int count;
    ag_ops(&count);
    tcase_add_loop_test(tests, modes_agree, 0, count);
    tcase_add_loop_test(tests, every_fault_is_found, 0, FOUND_FAULTS);
    tcase_add_test(tests, differences_of_large_numbers_are_noise);
}

static Suite *suite(void)
{
    Suite *s = suite_create("dot");
    TCase *tests = tcase_create("the test itself");
    test_at_each_level(s, add_at_level);
    tcase_add_test(tests, input_with_a_small_gradient_is_not_lost);
    tcase_add_test(tests, what_agreement_does_not_show);
    tcase_add_test(tests, leaves_on_the_inputs_memory_move);
    if (ag_matmul_available(AG_MATMUL_BF16))
        tcase_add_test(tests, bf16_has_a_bound_of_its_own);
    tcase_add_test(tests, operation_without_a_rule_is_skipped);
    tcase_add_test(tests, edges_of_the_functions);
    tcase_add_test(tests, bad_input_is_refused);
    tcase_add_test(tests, the_callers_tolerance_decides);
    tcase_add_test(tests, every_allocation_may_fail);
    suite_add_tcase(s, tests);
    return s;
}

TEST_MAIN(suite)
