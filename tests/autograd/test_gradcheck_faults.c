/* test_gradcheck_faults.c - wrong backwards on purpose: each must be caught, and its
 * right twin must pass.
 *
 * A plant is an operation of our own with a switch in its attributes. Off, its backward
 * is right and the check must pass; on, it has one fault of the kinds that people make,
 * and the check must say so, naming the place where there is one. */
#include "check_util.h"

#include <math.h>
#include <string.h>

typedef enum fault {
    RIGHT,
    WRONG_SIGN,
    MISSING_FACTOR,
    TINY_FACTOR,
    ALL_ZERO,
    ONE_NAN,
    ONE_INFINITY,
    OFF_BY_ONE,
    ONE_ELEMENT,
    TWICE,
    ASSIGNED,
    INPUT_OVERWRITTEN,
    OUTPUT_OVERWRITTEN,
    SAVED_OVERWRITTEN,
    SAVED_IN_SCRATCH,
    SAVED_FROM_FIRST_CALL,
    SAVED_FROM_LATEST_CALL,
    TRANSPOSED,
    SWAPPED,
    NOT_SUMMED,
    DROPPED_TERM,
    MASK_IGNORED,
    SCALE_MISSING,
    MEAN_FOR_SUM,
    SUM_FOR_MEAN,
    SECOND_USE_LOST,
    SECOND_INPUT_FORGOTTEN
} fault;

static fault fault_of(const ag_node *node)
{
    return *(const fault *)node->attributes;
}

static ag_tensor *run(const ag_op *op, fault planted, ag_tensor *a, ag_tensor *b)
{
    ag_tensor *inputs[] = {a, b};
    return ag_custom(op, inputs, b ? 2 : 1, b ? 2 : 1, &planted, sizeof planted);
}

static ag_status shape_of_first(ag_node *node)
{
    node->output->shape = node->inputs[0]->shape;
    return AG_OK;
}

static ag_status shape_scalar(ag_node *node)
{
    node->output->shape = AG_SCALAR;
    return AG_OK;
}

/* ---- Square: y = x^2, dx = 2 x dy; the commonest faults ---------------------------- */

static ag_real first_call[16], latest_call[16];
static bool was_called;

static ag_status square_forward(ag_node *node)
{
    const ag_tensor *x = node->inputs[0];
    ag_tape *tape = node->tape;
    size_t bytes = (size_t)x->size * sizeof(ag_real);
    ag_real *saved = fault_of(node) == SAVED_IN_SCRATCH ? ag_scratch(tape, bytes) : ag_tape_alloc(tape, bytes);
    if (!saved)
        return AG_NO_MEMORY;
    for (int64_t i = 0; i < x->size; i++) {
        saved[i] = x->data[i];
        node->output->data[i] = x->data[i] * x->data[i];
        if (i < 16) {
            latest_call[i] = x->data[i];
            if (!was_called)
                first_call[i] = x->data[i];
        }
    }
    was_called = true;
    node->saved = saved;
    return AG_OK;
}

/* The fault's wrong value of 2 x for element i. */
static ag_real square_slope(const ag_node *node, const ag_real *x, int64_t i)
{
    int64_t size = node->output->size;
    ag_real right = 2 * x[i];
    switch (fault_of(node)) {
    case WRONG_SIGN:
        return -right;
    case MISSING_FACTOR:
        return x[i];
    case TINY_FACTOR:
        return right * (ag_real)(1 + 1e-6);
    case ALL_ZERO:
        return 0;
    case ONE_NAN:
        return i == 5 ? (ag_real)NAN : right;
    case ONE_INFINITY:
        return i == 5 ? (ag_real)INFINITY : right;
    case OFF_BY_ONE:
        return 2 * x[(i + 1) % size];
    case ONE_ELEMENT:
        return i == 1234 ? right + (ag_real)0.5 : right;
    case TWICE:
        return 2 * right;
    case SAVED_FROM_FIRST_CALL:
        return 2 * first_call[i];
    case SAVED_FROM_LATEST_CALL:
        return 2 * latest_call[i];
    default:
        return right;
    }
}

static ag_status square_backward(ag_node *node)
{
    ag_real *saved = node->saved, *x = node->inputs[0]->data, *y = node->output->data;
    const ag_real *dy = node->output->grad;
    ag_real *dx = ag_grad(node->inputs[0]);
    for (int64_t i = 0; dx && i < node->output->size; i++) {
        ag_real slope = square_slope(node, saved, i);
        if (fault_of(node) == ASSIGNED)
            dx[i] = slope * dy[i];
        else
            dx[i] += slope * dy[i];
        if (fault_of(node) == INPUT_OVERWRITTEN)
            x[i] = slope;
        if (fault_of(node) == OUTPUT_OVERWRITTEN)
            y[i] = slope;
        if (fault_of(node) == SAVED_OVERWRITTEN)
            saved[i] = slope;
    }
    return AG_OK;
}

static const ag_op square = {.name = "square",
                             .formula = "y = x^2",
                             .shape = shape_of_first,
                             .forward = square_forward,
                             .backward = square_backward};

/* ---- Times: y = a b elementwise; b is one row and is broadcast --------------------- */

static ag_status times_forward(ag_node *node)
{
    const ag_tensor *a = node->inputs[0], *b = node->inputs[1];
    for (int64_t i = 0; i < a->size; i++)
        node->output->data[i] = a->data[i] * b->data[i % b->size];
    return AG_OK;
}

static ag_status times_backward(ag_node *node)
{
    ag_tensor *a = node->inputs[0], *b = node->inputs[1];
    const ag_real *dy = node->output->grad;
    fault planted = fault_of(node);
    ag_real *da = ag_grad(a), *db = ag_grad(b);
    if (!da || !db)
        return AG_OK;
    for (int64_t i = 0; i < a->size; i++) {
        int64_t j = i % b->size;
        da[i] += dy[i] * (planted == SWAPPED ? a->data[i] : b->data[j]);
        if (planted == SECOND_INPUT_FORGOTTEN || (planted == SECOND_USE_LOST && a == b))
            continue;
        if (planted == NOT_SUMMED && i >= b->size)
            continue;
        db[j] += dy[i] * (planted == SWAPPED ? b->data[j] : a->data[i]);
    }
    return AG_OK;
}

static const ag_op times = {.name = "times",
                            .formula = "y = a b",
                            .shape = shape_of_first,
                            .forward = times_forward,
                            .backward = times_backward};

/* ---- Product: Y = A B of square matrices; dA = dY B^T, dB = A^T dY ----------------- */

static ag_status product_forward(ag_node *node)
{
    int64_t n = node->output->shape.dim[1];
    const ag_real *a = node->inputs[0]->data, *b = node->inputs[1]->data;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n; j++) {
            ag_real sum = 0;
            for (int64_t p = 0; p < n; p++)
                sum += a[i * n + p] * b[p * n + j];
            node->output->data[i * n + j] = sum;
        }
    return AG_OK;
}

static ag_status product_backward(ag_node *node)
{
    int64_t n = node->output->shape.dim[1];
    const ag_real *a = node->inputs[0]->data, *b = node->inputs[1]->data, *dy = node->output->grad;
    ag_real *da = ag_grad(node->inputs[0]), *db = ag_grad(node->inputs[1]);
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n; j++)
            for (int64_t p = 0; p < n; p++) {
                da[i * n + p] += dy[i * n + j] * b[p * n + j];
                if (fault_of(node) == TRANSPOSED)
                    db[j * n + p] += dy[i * n + j] * a[i * n + p];
                else
                    db[p * n + j] += dy[i * n + j] * a[i * n + p];
            }
    return AG_OK;
}

static const ag_op product = {.name = "product",
                              .formula = "Y = A B",
                              .shape = shape_of_first,
                              .forward = product_forward,
                              .backward = product_backward};

/* ---- Masked softmax of a row: y = softmax(scale x) over all but the last element --- */

#define SOFTMAX_SCALE ((ag_real)1.75)

static ag_status softmax_forward(ag_node *node)
{
    int64_t allowed = node->output->size - 1;
    const ag_real *x = node->inputs[0]->data;
    ag_real *y = node->output->data, sum = 0;
    for (int64_t j = 0; j < allowed; j++)
        sum += y[j] = (ag_real)exp((double)(SOFTMAX_SCALE * x[j]));
    for (int64_t j = 0; j < allowed; j++)
        y[j] /= sum;
    y[allowed] = 0;
    return AG_OK;
}

/* dx = scale y (dy - sum y dy) */
static ag_status softmax_backward(ag_node *node)
{
    int64_t allowed = node->output->size - 1;
    const ag_real *y = node->output->data, *dy = node->output->grad;
    ag_real *dx = ag_grad(node->inputs[0]), sum = 0;
    ag_real scale = fault_of(node) == SCALE_MISSING ? 1 : SOFTMAX_SCALE;
    for (int64_t j = 0; j < allowed; j++)
        sum += y[j] * dy[j];
    if (fault_of(node) == DROPPED_TERM)
        sum = 0;
    for (int64_t j = 0; j < allowed; j++)
        dx[j] += scale * y[j] * (dy[j] - sum);
    if (fault_of(node) == MASK_IGNORED)
        dx[allowed] += scale * (dy[allowed] - sum);
    return AG_OK;
}

static const ag_op softmax = {.name = "softmax",
                              .formula = "y = softmax(scale x) over the allowed",
                              .shape = shape_of_first,
                              .forward = softmax_forward,
                              .backward = softmax_backward};

/* ---- Sum and mean over all --------------------------------------------------------- */

static ag_status sum_forward(ag_node *node)
{
    const ag_tensor *x = node->inputs[0];
    ag_real sum = 0;
    for (int64_t i = 0; i < x->size; i++)
        sum += x->data[i];
    node->output->data[0] = sum;
    return AG_OK;
}

static ag_status sum_backward(ag_node *node)
{
    ag_tensor *x = node->inputs[0];
    ag_real *dx = ag_grad(x);
    for (int64_t i = 0; i < x->size; i++)
        dx[i] += node->output->grad[0] / (fault_of(node) == MEAN_FOR_SUM ? (ag_real)x->size : 1);
    return AG_OK;
}

static const ag_op sum_all = {
    .name = "sum_all", .formula = "y = sum x", .shape = shape_scalar, .forward = sum_forward, .backward = sum_backward};

static ag_status mean_forward(ag_node *node)
{
    ag_status status = sum_forward(node);
    node->output->data[0] /= (ag_real)node->inputs[0]->size;
    return status;
}

static ag_status mean_backward(ag_node *node)
{
    ag_tensor *x = node->inputs[0];
    ag_real *dx = ag_grad(x);
    for (int64_t i = 0; i < x->size; i++)
        dx[i] += node->output->grad[0] / (fault_of(node) == SUM_FOR_MEAN ? 1 : (ag_real)x->size);
    return AG_OK;
}

static const ag_op mean_all = {.name = "mean_all",
                               .formula = "y = mean x",
                               .shape = shape_scalar,
                               .forward = mean_forward,
                               .backward = mean_backward};

/* ---- The functions under check ----------------------------------------------------- */

static ag_tensor *f_square(ag_tape *tape, ag_tensor *const *inputs, void *context)
{
    (void)tape;
    return run(&square, *(fault *)context, inputs[0], NULL);
}

static ag_tensor *f_times(ag_tape *tape, ag_tensor *const *inputs, void *context)
{
    (void)tape;
    return run(&times, *(fault *)context, inputs[0], inputs[1]);
}

static ag_tensor *f_product(ag_tape *tape, ag_tensor *const *inputs, void *context)
{
    (void)tape;
    return run(&product, *(fault *)context, inputs[0], inputs[1]);
}

static ag_tensor *f_softmax(ag_tape *tape, ag_tensor *const *inputs, void *context)
{
    (void)tape;
    return run(&softmax, *(fault *)context, inputs[0], NULL);
}

static ag_tensor *f_sum(ag_tape *tape, ag_tensor *const *inputs, void *context)
{
    (void)tape;
    return run(&sum_all, *(fault *)context, inputs[0], NULL);
}

static ag_tensor *f_mean(ag_tape *tape, ag_tensor *const *inputs, void *context)
{
    (void)tape;
    return run(&mean_all, *(fault *)context, inputs[0], NULL);
}

/* A value as both operands of one operation. */
static ag_tensor *f_times_itself(ag_tape *tape, ag_tensor *const *inputs, void *context)
{
    (void)tape;
    ag_tensor *h = run(&square, RIGHT, inputs[0], NULL);
    return run(&times, *(fault *)context, h, h);
}

/* A diamond: h is used by two operations, and the faulty one is the second to add to its
 * gradient. */
static ag_tensor *f_diamond(ag_tape *tape, ag_tensor *const *inputs, void *context)
{
    (void)tape;
    ag_tensor *h = run(&square, RIGHT, inputs[0], NULL);
    ag_tensor *first_made = run(&square, *(fault *)context, h, NULL);
    ag_tensor *last_made = run(&square, RIGHT, h, NULL);
    return run(&times, RIGHT, first_made, last_made);
}

/* ---- The plants -------------------------------------------------------------------- */

typedef struct plant {
    fault planted;
    ag_function function;
    ag_shape shape[2]; /* the second with ndim -1: one input */
    int input;         /* where it must be found; -1: in the result, or anywhere */
    int64_t index;     /* -1: anywhere */
    const char *says;  /* NULL: a comparison of numbers */
} plant;

#define NO_SECOND {.ndim = -1}

static const plant plants[] = {
    {WRONG_SIGN, f_square, {{2, {2, 3}}, NO_SECOND}, 0, -1, NULL},
    {MISSING_FACTOR, f_square, {{2, {2, 3}}, NO_SECOND}, 0, -1, NULL},
    {TINY_FACTOR, f_square, {{2, {2, 3}}, NO_SECOND}, 0, -1, NULL},
    {ALL_ZERO, f_square, {{2, {2, 3}}, NO_SECOND}, 0, -1, NULL},
    {ONE_NAN, f_square, {{2, {2, 4}}, NO_SECOND}, 0, 5, NULL},
    {ONE_INFINITY, f_square, {{2, {2, 4}}, NO_SECOND}, 0, 5, NULL},
    {OFF_BY_ONE, f_square, {{1, {7}}, NO_SECOND}, 0, -1, NULL},
    {ONE_ELEMENT, f_square, {{2, {40, 50}}, NO_SECOND}, 0, 1234, NULL},
    {TWICE, f_square, {{2, {2, 3}}, NO_SECOND}, 0, -1, NULL},
    {ASSIGNED, f_square, {{2, {2, 3}}, NO_SECOND}, 0, 0, "overwrites the gradient instead of adding"},
    {INPUT_OVERWRITTEN, f_square, {{2, {2, 3}}, NO_SECOND}, 0, 0, "backward changes it"},
    {OUTPUT_OVERWRITTEN, f_square, {{2, {2, 3}}, NO_SECOND}, -1, 0, "backward changes it"},
    {SAVED_OVERWRITTEN, f_square, {{2, {2, 3}}, NO_SECOND}, 0, 0, "a second backward on the same tape adds"},
    {SAVED_IN_SCRATCH, f_square, {{2, {2, 3}}, NO_SECOND}, 0, 0, NULL},
    {SAVED_FROM_FIRST_CALL, f_square, {{2, {2, 3}}, NO_SECOND}, 0, -1, NULL},
    {SAVED_FROM_LATEST_CALL, f_square, {{2, {2, 3}}, NO_SECOND}, 0, 0, "a second backward on the same tape adds"},
    {SWAPPED, f_times, {{2, {4, 3}}, {1, {3}}}, -1, -1, NULL},
    {NOT_SUMMED, f_times, {{2, {4, 3}}, {1, {3}}}, 1, -1, NULL},
    {SECOND_INPUT_FORGOTTEN, f_times, {{2, {4, 3}}, {1, {3}}}, 1, -1, NULL},
    {TRANSPOSED, f_product, {{2, {3, 3}}, {2, {3, 3}}}, 1, -1, NULL},
    {DROPPED_TERM, f_softmax, {{1, {5}}, NO_SECOND}, 0, -1, NULL},
    {MASK_IGNORED, f_softmax, {{1, {5}}, NO_SECOND}, 0, 4, NULL},
    {SCALE_MISSING, f_softmax, {{1, {5}}, NO_SECOND}, 0, -1, NULL},
    {MEAN_FOR_SUM, f_sum, {{2, {2, 3}}, NO_SECOND}, 0, -1, NULL},
    {SUM_FOR_MEAN, f_mean, {{2, {2, 3}}, NO_SECOND}, 0, -1, NULL},
    {SECOND_USE_LOST, f_times_itself, {{1, {3}}, NO_SECOND}, 0, -1, NULL},
    {ASSIGNED, f_diamond, {{1, {3}}, NO_SECOND}, 0, -1, NULL},
};
#define PLANTS ((int)(sizeof plants / sizeof *plants))

static ag_gradcheck_report check_plant(const plant *p, fault planted, int directions)
{
    static ag_real data[2][2000], grad[2][2000], before[2][2000];
    ag_gradcheck_input inputs[2];
    ag_gradcheck_report report;
    ag_error error = {0};
    int count = 0;
    for (int i = 0; i < 2 && p->shape[i].ndim >= 0; i++, count++) {
        test_fill(data[i], 2000, (uint64_t)(11 + i), 0.5, 2);
        inputs[i] = (ag_gradcheck_input){i ? "second" : "first", p->shape[i], data[i], grad[i]};
    }
    memcpy(before, data, sizeof before);
    was_called = false;
    ag_gradcheck_options options = {.directions = directions, .seed = 5};
    ag_status status = ag_gradcheck(p->function, &planted, inputs, count, &options, &report, &error);
    ck_assert_msg(status == AG_OK, "%s", error.message);
    ck_assert_mem_eq(before, data, sizeof before); /* whatever the fault does to its inputs */
    return report;
}

/* float cannot tell the tiny factor from its own rounding. */
static bool beyond_precision(const plant *p)
{
    return p->planted == TINY_FACTOR && PRECISION(false, true);
}

START_TEST(test_fault_is_caught)
{
    const plant *p = &plants[_i];
    ag_gradcheck_report right = check_plant(p, RIGHT, 0);
    ck_assert_msg(right.passed, "plant %d, without its fault: %s", _i, right.message);
    if (beyond_precision(p))
        return;

    ag_gradcheck_report wrong = check_plant(p, p->planted, 0);
    ck_assert_msg(!wrong.passed, "plant %d was not caught: %s", _i, wrong.message);
    if (p->input >= 0 || p->says)
        ck_assert_msg(wrong.input == p->input, "plant %d: %s", _i, wrong.message);
    if (p->index >= 0)
        ck_assert_msg(wrong.index == p->index, "plant %d: %s", _i, wrong.message);
    ck_assert_msg(strstr(wrong.message, p->says ? p->says : "analytic"), "plant %d: %s", _i, wrong.message);
    if (wrong.input >= 0) {
        ck_assert_str_eq(wrong.input_name, wrong.input ? "second" : "first");
        ck_assert_ptr_nonnull(strstr(wrong.message, wrong.input ? "input 1 (second) at [" : "input 0 (first) at ["));
    }
}
END_TEST

START_TEST(test_fault_is_caught_along_directions)
{
    const plant *p = &plants[_i];
    ag_gradcheck_report right = check_plant(p, RIGHT, 3);
    ck_assert_msg(right.passed, "plant %d, without its fault: %s", _i, right.message);
    ck_assert_int_eq(right.checked, p->shape[1].ndim >= 0 ? 6 : 3);
    if (beyond_precision(p))
        return;
    ag_gradcheck_report wrong = check_plant(p, p->planted, 3);
    ck_assert_msg(!wrong.passed, "plant %d was not caught: %s", _i, wrong.message);
    if (p->input >= 0 || p->says)
        ck_assert_msg(wrong.input == p->input, "plant %d: %s", _i, wrong.message);
    if (!p->says)
        ck_assert_msg(strstr(wrong.message, "along direction "), "plant %d: %s", _i, wrong.message);
}
END_TEST

static Suite *faults_suite(void)
{
    Suite *suite = suite_create("gradcheck faults");
    TCase *tests = tcase_create("faults");
    tcase_add_loop_test(tests, test_fault_is_caught, 0, PLANTS);
    tcase_add_loop_test(tests, test_fault_is_caught_along_directions, 0, PLANTS);
    suite_add_tcase(suite, tests);
    return suite;
}

TEST_MAIN(faults_suite)
