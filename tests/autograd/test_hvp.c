/* test_hvp.c - products of the Hessian: against Hessians known in closed form, by their
 * symmetry for every operation, and what ag_hvp refuses. */
#include "check_util.h"

#include "example.h"

#include <math.h>
#include <string.h>

enum { N = 7, MOST = 8 };

/* What is left of rounding errors e of the gradients: (64 * 4 + 20 * 2 + 1) / 45 e / t
 * (hvp.c) = 422 e at the first step t, which is 2^-6, or 53 e in float, where it is 2^-3.
 * e is 2 epsilon times the gradient where little is computed, and 32 epsilon after chains
 * and sums. */
#define STEPS    PRECISION(422 * 2.3e-16, 53 * 1.2e-7)
#define ROUNDING (2 * STEPS)
#define CHAINED  (32 * STEPS)

/* The product for inputs with memory of its own. */
typedef struct problem {
    ag_gradcheck_input inputs[MOST];
    ag_real *v[MOST], *product[MOST];
    int count;
} problem;

static void add_input(problem *p, ag_shape shape, ag_real *data)
{
    const size_t bytes = ((size_t)ag_shape_size(shape) + 1) * sizeof(ag_real);
    ck_assert_int_lt(p->count, MOST);
    p->inputs[p->count] = (ag_gradcheck_input){"x", shape, data, malloc(bytes)};
    p->v[p->count] = malloc(bytes);
    p->product[p->count] = malloc(bytes);
    ck_assert(p->inputs[p->count].grad && p->v[p->count] && p->product[p->count]);
    test_fill(p->v[p->count], ag_shape_size(shape), 30 + (uint64_t)p->count, -1, 1);
    p->count++;
}

static void problem_clear(problem *p)
{
    for (int i = 0; i < p->count; i++) {
        free(p->inputs[i].grad);
        free(p->v[i]);
        free(p->product[i]);
    }
}

static ag_status find_product(problem *p, ag_function f, void *context, ag_hvp_report *report, ag_error *error)
{
    return ag_hvp(f, context, p->inputs, p->count, (const ag_real *const *)p->v, p->product, NULL, report, error);
}

/* ---- Closed forms ------------------------------------------------------------------ */

static ag_tensor *sum_of(ag_tensor *x)
{
    return ag_sum(x, AG_ALL_AXES, false);
}

/* sum e^x: H = diag(e^x) */
static ag_tensor *sum_of_powers(ag_tape *tape, ag_tensor *const *inputs, void *context)
{
    (void)tape, (void)context;
    return sum_of(ag_exp(inputs[0]));
}

static double powers_product(const ag_real *x, const ag_real *v, int i)
{
    return exp((double)x[i]) * (double)v[i];
}

/* ln sum e^x - x[2]: H = diag(p) - p p^T with p = softmax(x) */
static ag_tensor *entropy(ag_tape *tape, ag_tensor *const *inputs, void *context)
{
    (void)tape, (void)context;
    return ag_cross_entropy(inputs[0], (int32_t[]){2}, NULL);
}

static double entropy_product(const ag_real *x, const ag_real *v, int i)
{
    double sum = 0, mean = 0;
    for (int k = 0; k < N; k++)
        sum += exp((double)x[k]);
    for (int k = 0; k < N; k++)
        mean += exp((double)x[k]) / sum * (double)v[k];
    return exp((double)x[i]) / sum * ((double)v[i] - mean);
}

/* (sum x)^2 sum x^2 / 2: with s = sum x and q = sum x^2,
 * H v = (sum v) (q + 2 s x) + s (2 x.v + s v) */
static ag_tensor *quartic(ag_tape *tape, ag_tensor *const *inputs, void *context)
{
    (void)tape, (void)context;
    ag_tensor *s = sum_of(inputs[0]), *q = sum_of(ag_mul(inputs[0], inputs[0]));
    return ag_scale(ag_mul(ag_mul(s, s), q), 0.5);
}

static double quartic_product(const ag_real *x, const ag_real *v, int i)
{
    double s = 0, q = 0, sum_v = 0, xv = 0;
    for (int k = 0; k < N; k++) {
        s += (double)x[k];
        q += (double)(x[k] * x[k]);
        sum_v += (double)v[k];
        xv += (double)(x[k] * v[k]);
    }
    return sum_v * (q + 2 * s * (double)x[i]) + s * (2 * xv + s * (double)v[i]);
}

START_TEST(test_closed_forms)
{
    static const struct closed_form {
        ag_function f;
        double (*product)(const ag_real *x, const ag_real *v, int i);
        double gradient; /* more than any element's */
    } forms[] = {{sum_of_powers, powers_product, 3}, {entropy, entropy_product, 1}, {quartic, quartic_product, 40}};
    ag_real x[N], before[N];
    problem p = {0};
    ag_hvp_report report;
    ag_error error = {0};
    test_fill(x, N, 20, -1, 1);
    memcpy(before, x, sizeof x);
    add_input(&p, _i == 1 ? AG_SHAPE(1, N) : AG_SHAPE(N), x);
    ck_assert_msg(find_product(&p, forms[_i].f, NULL, &report, &error) == AG_OK, "%s", error.message);
    double worst = 0, largest = 1;
    for (int i = 0; i < N; i++) {
        worst = fmax(worst, fabs((double)p.product[0][i] - forms[_i].product(x, p.v[0], i)));
        largest = fmax(largest, fabs((double)p.product[0][i]));
        ck_assert_double_lt(fabs((double)p.inputs[0].grad[i]), forms[_i].gradient);
    }
    ck_assert_double_le(worst, ROUNDING * forms[_i].gradient);
    ck_assert_double_le(worst, report.error * largest);
    ck_assert_double_le(report.error, PRECISION(1e-9, 1e-3));
    ck_assert_int_eq(memcmp(x, before, sizeof x), 0);
    problem_clear(&p);
}
END_TEST

/* a.b: the Hessian has blocks of 1 off its diagonal alone. A NULL direction is zero, a
 * NULL product is not written. */
static ag_tensor *dot_product(ag_tape *tape, ag_tensor *const *inputs, void *context)
{
    (void)tape, (void)context;
    return sum_of(ag_mul(inputs[0], inputs[1]));
}

START_TEST(test_two_inputs)
{
    ag_real a[N], b[N];
    problem p = {0};
    ag_error error = {0};
    test_fill(a, N, 21, -1, 1);
    test_fill(b, N, 22, -1, 1);
    add_input(&p, AG_SHAPE(N), a);
    add_input(&p, AG_SHAPE(N), b);
    const ag_real *direction[2] = {p.v[0], NULL};
    ag_real *product[2] = {p.product[0], p.product[1]};
    ck_assert(ag_hvp(dot_product, NULL, p.inputs, 2, direction, product, NULL, NULL, &error) == AG_OK);
    for (int i = 0; i < N; i++) {
        ck_assert_double_eq((double)product[0][i], 0);
        ck_assert_double_eq_tol((double)product[1][i], (double)p.v[0][i], ROUNDING);
        ck_assert_double_eq((double)p.inputs[0].grad[i], (double)b[i]);
    }
    product[0] = NULL;
    direction[0] = NULL;
    ck_assert(ag_hvp(dot_product, NULL, p.inputs, 2, direction, product, NULL, NULL, &error) == AG_OK);
    for (int i = 0; i < N; i++)
        ck_assert_double_eq((double)product[1][i], 0);
    problem_clear(&p);
}
END_TEST

/* ---- Refusals ---------------------------------------------------------------------- */

static ag_tensor *several_numbers(ag_tape *tape, ag_tensor *const *inputs, void *context)
{
    (void)tape, (void)context;
    return ag_exp(inputs[0]);
}

static ag_tensor *sum_of_relu(ag_tape *tape, ag_tensor *const *inputs, void *context)
{
    (void)tape, (void)context;
    return sum_of(ag_relu(ag_mul(inputs[0], inputs[0])));
}

static ag_tensor *sum_of_hinges(ag_tape *tape, ag_tensor *const *inputs, void *context)
{
    (void)tape, (void)context;
    return sum_of(ag_mul(ag_relu(inputs[0]), inputs[0]));
}

static ag_tensor *sum_of_logs(ag_tape *tape, ag_tensor *const *inputs, void *context)
{
    (void)tape, (void)context;
    return sum_of(ag_log(inputs[0]));
}

static ag_tensor *constant_number(ag_tape *tape, ag_tensor *const *inputs, void *context)
{
    (void)inputs, (void)context;
    return ag_constant(tape, AG_SCALAR, NULL);
}

/* The product of one input of three numbers along (1, 1, 1) has this status, and its
 * sentence begins with `sentence`. */
static void check_status(ag_function f, ag_real first, const ag_gradcheck_options *options, ag_status expected,
                         const char *sentence)
{
    ag_real x[3] = {first, 1, 2}, grad[3], product[3];
    const ag_real before[3] = {first, 1, 2}, ones[3] = {1, 1, 1}, *direction = ones;
    ag_real *to = product;
    const ag_gradcheck_input input = {"x", AG_SHAPE(3), x, grad};
    ag_error error = {0};
    ag_status status = ag_hvp(f, NULL, &input, 1, &direction, &to, options, NULL, &error);
    ck_assert_msg(status == expected, "%d: %s", (int)status, error.message);
    ck_assert_msg(strncmp(error.message, sentence, strlen(sentence)) == 0, "%s", error.message);
    ck_assert_int_eq(memcmp(x, before, sizeof x), 0);
}

START_TEST(test_refusals)
{
    check_status(several_numbers, 1, NULL, AG_BAD_SHAPE, "hvp: the function makes [3], and only");
    check_status(NULL, 1, NULL, AG_BAD_VALUE, "hvp: no function, no direction or no memory");
    check_status(sum_of_hinges, 0, NULL, AG_BAD_VALUE, "hvp: a kink of the function");
    check_status(sum_of_hinges, (ag_real)0.01, NULL, AG_OK, ""); /* smaller steps do not cross it */
    check_status(sum_of_relu, 1, NULL, AG_OK, "");
    check_status(sum_of_logs, 0, NULL, AG_NOT_FINITE, "hvp: gradients near the inputs are NaN or infinite");
    check_status(sum_of_logs, (ag_real)1e-7, NULL, AG_NOT_FINITE,
                 "hvp: "); /* gradients of numbers below 0 are finite */
    check_status(constant_number, 1, NULL, AG_OK, "");
    check_status(sum_of_powers, 1, &(ag_gradcheck_options){.step = 1e-9}, AG_BAD_VALUE, "hvp: the step is ");
    check_status(sum_of_powers, 1, &(ag_gradcheck_options){.step = -1}, AG_BAD_VALUE, "gradcheck: the step is -1");
    check_status(sum_of_powers, 1, &(ag_gradcheck_options){.tolerance = -1}, AG_BAD_VALUE, "gradcheck: the tolerance");
}
END_TEST

START_TEST(test_direction_that_is_not_finite)
{
    ag_real x[1] = {1}, grad[1], product[1], v[1] = {(ag_real)NAN};
    const ag_real *direction = v;
    ag_real *to = product;
    const ag_gradcheck_input input = {"x", AG_SHAPE(1), x, grad};
    ag_error error = {0};
    ck_assert_int_eq(ag_hvp(sum_of_powers, NULL, &input, 1, &direction, &to, NULL, NULL, &error), AG_BAD_VALUE);
    ck_assert_msg(strstr(error.message, "hvp: the direction of input 0 is nan at element 0"), "%s", error.message);
}
END_TEST

/* Each allocation fails in turn: an error, and nothing is lost. */
START_TEST(test_no_memory)
{
    for (int64_t n = 1;; n++) {
        ag_real x[2] = {1, 2}, grad[2], product[2];
        const ag_real ones[2] = {1, 1}, *direction = ones;
        ag_real *to = product;
        const ag_gradcheck_input input = {"x", AG_SHAPE(2), x, grad};
        ag_error error = {0};
        test_fail_allocation(n);
        ag_status status = ag_hvp(sum_of_powers, NULL, &input, 1, &direction, &to, NULL, NULL, &error);
        test_fail_allocation(0);
        ck_assert_double_eq((double)x[1], 2);
        if (status == AG_OK && n > 3)
            break;
        ck_assert_msg(status == AG_NO_MEMORY && error.status == AG_NO_MEMORY, "allocation %d: %s", (int)n,
                      error.message);
    }
}
END_TEST

/* ---- Symmetry ---------------------------------------------------------------------- */

/* sum of w y + y^2 / 2 of an operation's example, with weights that differ. */
static ag_tensor *curved(ag_tape *tape, ag_tensor *const *inputs, void *context)
{
    ag_tensor *y = example_call(tape, inputs, context);
    ag_tensor *w = y ? ag_constant(tape, y->shape, NULL) : NULL;
    for (int64_t k = 0; w && k < w->size; k++)
        w->data[k] = (ag_real)(0.5 + (double)(k % 7) / 7);
    return sum_of(ag_mul(y, ag_add(w, ag_scale(y, 0.5))));
}

static double dot(const problem *p, ag_real *const *a, ag_real *const *b)
{
    double sum = 0;
    for (int i = 0; i < p->count; i++)
        for (int64_t k = 0; k < ag_shape_size(p->inputs[i].shape); k++)
            sum += (double)a[i][k] * (double)b[i][k];
    return sum;
}

/* u.Hv = v.Hu to the error that ag_hvp documents. */
static void check_symmetry(problem *p, ag_function f, void *context, const char *name)
{
    problem other = {0};
    ag_error error = {0};
    ag_status status = find_product(p, f, context, NULL, &error);
    for (int i = 0; i < p->count; i++) {
        add_input(&other, p->inputs[i].shape, p->inputs[i].data);
        test_fill(other.v[i], ag_shape_size(p->inputs[i].shape), 50 + (uint64_t)i, -1, 1);
    }
    if (status == AG_OK)
        status = find_product(&other, f, context, NULL, &error);
    ck_assert_msg(status == AG_OK, "%s: %s", name, error.message);
    ag_real *grad[MOST];
    for (int i = 0; i < p->count; i++)
        grad[i] = p->inputs[i].grad;
    const double uhv = dot(p, other.v, p->product), vhu = dot(p, p->v, other.product);
    const double products = sqrt(dot(p, p->product, p->product)), gradients = sqrt(dot(p, grad, grad));
    const double bound = CHAINED * sqrt(dot(p, other.v, other.v)) * (products + gradients);
    ck_assert_msg(fabs(uhv - vhu) <= bound, "%s: u.Hv %.10g, v.Hu %.10g, bound %.3g", name, uhv, vhu, bound);
    problem_clear(&other);
}

START_TEST(test_symmetry)
{
    int count;
    const ag_op *op = ag_ops(&count)[_i];
    for (int draw = 0; draw < 6; draw++) {
        ag_example example = example_make(op, 5, draw);
        ag_tape *tape = ag_tape_new(&(ag_tape_options){.threads = 1, .no_grad = true});
        ck_assert(tape && example_call(tape, NULL, &example));
        ag_tape_free(tape);
        problem p = {0};
        for (int i = 0; i < example.count; i++)
            add_input(&p, example.inputs[i].shape, example.inputs[i].data);
        check_symmetry(&p, curved, &example, op->name);
        problem_clear(&p);
        example_clear(&example);
    }
}
END_TEST

static Suite *suite(void)
{
    int count;
    ag_ops(&count);
    Suite *s = suite_create("hvp");
    TCase *tests = tcase_create("products");
    tcase_add_loop_test(tests, test_closed_forms, 0, 3);
    tcase_add_test(tests, test_two_inputs);
    tcase_add_test(tests, test_refusals);
    tcase_add_test(tests, test_direction_that_is_not_finite);
    tcase_add_test(tests, test_no_memory);
    tcase_add_loop_test(tests, test_symmetry, 0, count);
    suite_add_tcase(s, tests);
    return s;
}

TEST_MAIN(suite)
