/* test_gradcheck_score.c - how many planted faults each of the three tests finds, by kind of
 * fault: differences (ag_gradcheck_op; "warn": it passes, and says that it is far above the
 * noise), the dot test and Taylor's test. Prints a table, for `make gradcheck-score`, and
 * fails where a test finds less than it must or more than it can.
 *
 * A mutant is a built-in operation whose backward runs as it is and then does one thing
 * wrong with the gradient that it adds to one input. Each operation is mutated at its
 * first and at its last input, in each way that changes anything. */
#include "broadcast.h"
#include "check_util.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { DRAWS = 6 };

/* ---- Kinds of faults --------------------------------------------------------------- */

typedef enum fault {
    NO_FAULT,
    SIGN,
    DOUBLED,
    PERCENT,
    SMALL_FACTOR,
    MILLIONTH,
    LAST_DIGITS,
    SEVERED,
    ONE_ELEMENT,
    SHIFTED,
    TRANSPOSED,
    HALF_OF_INPUT,
    HALF_OF_OUTPUT,
    NOT_SUMMED,
    UNIFORM,
    CONSTANT_TERM,
    INPUT_TERM,
    NOT_A_NUMBER,
    NOISE,
    ASSIGNED,
    INPUT_CHANGED,
    DOUBLED_IN_BOTH,
    ELEMENT_IN_BOTH
} fault;

/* How many mutants of a kind a test finds. */
typedef enum share { NONE, SOME, ALL } share;

typedef struct kind {
    fault fault;
    const char *name;
    share differences, dot, taylor;
} kind;

static const kind kinds[] = {
    {NO_FAULT, "none: the operation as it is", NONE, NONE, NONE},
    {SIGN, "sign flipped", ALL, ALL, ALL},
    {DOUBLED, "a factor of 2", ALL, ALL, ALL},
    {PERCENT, "3 % too large", ALL, ALL, ALL},
    {SMALL_FACTOR, "0.05 % too large", PRECISION(ALL, NONE), ALL, PRECISION(ALL, SOME)},
    {MILLIONTH, "10^-6 too large", PRECISION(ALL, NONE), PRECISION(ALL, NONE), PRECISION(ALL, NONE)},
    {LAST_DIGITS, "10^-11 too large", NONE, PRECISION(ALL, NONE), PRECISION(SOME, NONE)},
    {SEVERED, "zero everywhere", ALL, ALL, ALL},
    {ONE_ELEMENT, "zero at one element", ALL, ALL, ALL},
    {SHIFTED, "shifted by one element", ALL, ALL, ALL},
    {TRANSPOSED, "transposed", ALL, ALL, ALL},
    {HALF_OF_INPUT, "one half of the input left out", ALL, ALL, ALL},
    {HALF_OF_OUTPUT, "one half of the result left out", ALL, ALL, ALL},
    {NOT_SUMMED, "a stretched input gets one copy's share", ALL, ALL, ALL},
    {UNIFORM, "right only if dy is uniform", ALL, ALL, ALL},
    {CONSTANT_TERM, "a constant term too much", ALL, ALL, ALL},
    {INPUT_TERM, "a term too much, proportional to the input", ALL, ALL, ALL},
    {NOT_A_NUMBER, "NaN at one element", ALL, ALL, ALL},
    {NOISE, "noise of 1 %, another at each call", ALL, ALL, ALL},
    {ASSIGNED, "overwrites instead of adding", ALL, NONE, ALL},
    {INPUT_CHANGED, "backward changes an input", ALL, SOME, ALL},
    {DOUBLED_IN_BOTH, "a factor of 2, in the tangent rule too", ALL, NONE, ALL},
    {ELEMENT_IN_BOTH, "zero at one element, in the tangent rule too", ALL, NONE, ALL},
};
enum { KINDS = sizeof kinds / sizeof *kinds };

/* ---- The mutant -------------------------------------------------------------------- */

static const ag_op *original;
static ag_op mutant;
static fault planted;
static bool at_last_input, took_effect;
static ag_rng noise;

/* The example of the original, made by the mutant. */
static ag_tensor *mutant_example(ag_example *example)
{
    ag_tensor *y = original->example(example);
    if (y && y->node && y->node->op == original)
        y->node->op = &mutant;
    return y;
}

/* The number of the input whose gradient is wrong; -1: none, the last is the first. */
static int faulty_input(const ag_node *node)
{
    int last = -1;
    for (int i = 1; i < node->input_count; i++)
        if (node->inputs[i])
            last = i;
    return at_last_input ? last : 0;
}

/* What is wrong with an element, as a function of it alone. */
static double faulty_element(double g, double x)
{
    switch (planted) {
    case SIGN:
        return -g;
    case DOUBLED:
    case DOUBLED_IN_BOTH:
        return 2 * g;
    case PERCENT:
        return 1.03 * g;
    case SMALL_FACTOR:
        return 1.0005 * g;
    case MILLIONTH:
        return (1 + 1e-6) * g;
    case LAST_DIGITS:
        return (1 + 1e-11) * g;
    case SEVERED:
        return 0;
    case CONSTANT_TERM:
        return g + 0.1;
    case INPUT_TERM:
        return g + 0.1 * x;
    case NOISE:
        return g * (1 + 0.02 * (ag_rng_uniform(&noise) - 0.5));
    default:
        return g;
    }
}

/* Where the faulty gradient takes element i of the right one from; -1: it is 0. */
static int64_t faulty_place(const ag_tensor *x, int64_t i)
{
    const int ndim = x->shape.ndim;
    const int64_t columns = ndim > 1 ? x->shape.dim[ndim - 1] : 1, rows = ndim > 1 ? x->shape.dim[ndim - 2] : 1;
    const int64_t inside = i % (rows * columns), matrix = i - inside;
    switch (planted) {
    case ONE_ELEMENT:
    case ELEMENT_IN_BOTH:
        return i == x->size / 2 ? -1 : i;
    case SHIFTED:
        return (i + 1) % x->size;
    case TRANSPOSED: /* the memory of the transposed matrix */
        return matrix + inside % rows * columns + inside / rows;
    case HALF_OF_INPUT:
        return i < x->size / 2 ? i : -1;
    default:
        return i;
    }
}

/* Makes the right gradient g [x's size] wrong. */
static void spoil_gradient(ag_tensor *x, ag_real *g, const ag_real *right)
{
    for (int64_t i = 0; i < x->size; i++) {
        const int64_t place = faulty_place(x, i);
        g[i] = place < 0 ? 0 : (ag_real)faulty_element((double)right[place], (double)x->data[i]);
    }
    if (planted == NOT_A_NUMBER && x->size)
        g[x->size / 2] = (ag_real)NAN;
    if (planted == INPUT_CHANGED && x->size)
        x->data[0] += (ag_real)0.25;
    if (x->size)
        took_effect = took_effect || planted == INPUT_CHANGED || memcmp(g, right, (size_t)x->size * sizeof *g) != 0;
}

/* Makes the gradient dy of y, that backward starts from, wrong. */
static void spoil_start(ag_real *dy, const ag_tensor *y, const ag_tensor *x)
{
    const int64_t copy = broadcast_fits(x->shape, y->shape) ? x->size : y->size;
    const int64_t kept = planted == HALF_OF_OUTPUT ? y->size / 2 : planted == NOT_SUMMED ? copy : y->size;
    double mean = 0;
    for (int64_t i = 0; i < y->size; i++)
        mean += (double)dy[i] / (double)y->size;
    for (int64_t i = 0; i < y->size; i++) {
        const ag_real wrong = planted == UNIFORM ? (ag_real)mean : i < kept ? dy[i] : 0;
        took_effect = took_effect || wrong != dy[i];
        dy[i] = wrong;
    }
}

/* The gradient that the original adds to x, from zeros on. */
static ag_status right_gradient(ag_node *node, ag_tensor *x, ag_real *right)
{
    const size_t bytes = (size_t)x->size * sizeof(ag_real);
    memset(x->grad, 0, bytes);
    const ag_status status = original->backward(node);
    memcpy(right, x->grad, bytes);
    return status;
}

static ag_status mutant_backward(ag_node *node)
{
    ag_tensor *x = faulty_input(node) < 0 ? NULL : node->inputs[faulty_input(node)], *y = node->output;
    const size_t bytes = x ? (size_t)x->size * sizeof(ag_real) : 0;
    ag_real *former = ag_scratch(node->tape, bytes), *right = ag_scratch(node->tape, bytes);
    if (!former || !right || !ag_grad(x))
        return original->backward(node);
    memcpy(former, x->grad, bytes);
    spoil_start(y->grad, y, x);
    const ag_status status = right_gradient(node, x, right);
    spoil_gradient(x, x->grad, right);
    for (int64_t i = 0; i < x->size; i++) {
        took_effect = took_effect || (planted == ASSIGNED && former[i] != 0);
        x->grad[i] += planted == ASSIGNED ? 0 : former[i];
    }
    return status;
}

/* The tangent rule with the same fault as backward: it sees the faulty input's tangent as
 * backward sees its gradient. */
static ag_status mutant_jvp(ag_node *node, const ag_real *const *tangents, ag_real *tangent)
{
    const int faulty = faulty_input(node);
    if (faulty < 0 || !tangents[faulty])
        return original->jvp(node, tangents, tangent);
    const ag_tensor *x = node->inputs[faulty];
    const ag_real *given[8] = {NULL};
    ag_real *changed = ag_scratch(node->tape, (size_t)x->size * sizeof(ag_real));
    if (!changed || node->input_count > 8)
        return AG_NO_MEMORY;
    for (int i = 0; i < node->input_count; i++)
        given[i] = tangents[i];
    for (int64_t i = 0; i < x->size; i++) {
        const int64_t place = faulty_place(x, i);
        changed[i] = place < 0 ? 0 : (ag_real)faulty_element((double)given[faulty][place], 0);
    }
    given[faulty] = changed;
    return original->jvp(node, given, tangent);
}

static void make_mutant(const ag_op *op, const kind *k, bool last)
{
    original = op;
    mutant = *op;
    mutant.example = mutant_example;
    mutant.backward = mutant_backward;
    if (k->fault == DOUBLED_IN_BOTH || k->fault == ELEMENT_IN_BOTH)
        mutant.jvp = mutant_jvp;
    planted = k->fault;
    at_last_input = last;
    took_effect = false;
    noise = ag_rng_make(1, 2);
}

/* ---- The score --------------------------------------------------------------------- */

typedef struct score {
    int planted, differences, dot, taylor;
    int warned; /* passed by differences, but 100 x above the noise */
} score;

/* Gives the mutant to the three tests. */
static void test_mutant(score *s)
{
    const ag_gradcheck_options options = {.seed = 3};
    ag_gradcheck_report differences;
    ag_dot_report dot;
    ag_taylor_report taylor;
    ag_error error = {0};
    ck_assert_msg(ag_gradcheck_op(&mutant, DRAWS, &options, &differences, &error) == AG_OK, "%s", error.message);
    ck_assert_msg(ag_dot_test_op(&mutant, DRAWS, &options, &dot, &error) == AG_OK, "%s", error.message);
    ck_assert_msg(ag_taylor_test_op(&mutant, DRAWS, &options, &taylor, &error) == AG_OK, "%s", error.message);
    if (!took_effect && planted != NO_FAULT)
        return;
    s->planted++;
    s->differences += !differences.passed;
    s->warned += differences.passed && differences.above_noise >= 100;
    s->dot += !dot.passed;
    s->taylor += !taylor.passed;
}

static void require_share(const kind *k, const char *test, share expected, int found, int all)
{
    ck_assert_msg(expected != ALL || found == all, "%s: %s found %d of %d", k->name, test, found, all);
    ck_assert_msg(expected != NONE || found == 0, "%s: %s found %d of %d", k->name, test, found, all);
}

START_TEST(faults_are_found)
{
    const kind *k = &kinds[_i];
    score s = {0};
    int count;
    const ag_op *const *table = ag_ops(&count);
    for (int i = 0; i < 2 * count; i++) {
        make_mutant(table[i / 2], k, i % 2);
        if (i % 2 && (k->fault == NO_FAULT || k->fault == UNIFORM || k->fault == HALF_OF_OUTPUT))
            continue; /* one for all inputs */
        test_mutant(&s);
    }
    if (_i == 0)
        printf("\n| fault, in %s | planted | differences | warn | dot test | Taylor |\n|---|---|---|---|---|---|---|\n",
               PRECISION("double", "float"));
    printf("| %s | %d | %d | %d | %d | %d |\n", k->name, s.planted, s.differences, s.warned, s.dot, s.taylor);
    fflush(stdout);
    require_share(k, "differences", k->differences, s.differences, s.planted);
    require_share(k, "a warning of differences", k->fault == NO_FAULT ? NONE : SOME, s.warned, s.planted);
    require_share(k, "the dot test", k->dot, s.dot, s.planted);
    require_share(k, "Taylor's test", k->taylor, s.taylor, s.planted);
}
END_TEST

static Suite *score_suite(void)
{
    Suite *suite = suite_create("gradcheck_score");
    TCase *tests = tcase_create("planted faults");
    tcase_add_loop_test(tests, faults_are_found, 0, KINDS);
    suite_add_tcase(suite, tests);
    return suite;
}

TEST_MAIN(score_suite)
