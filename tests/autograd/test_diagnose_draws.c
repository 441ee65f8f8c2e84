/* test_diagnose_draws.c - the kind of a mistake from several draws of an operation: draws
 * that are too small to tell, and draws that contradict each other. */
#include "check_util.h"

#include <math.h>
#include <string.h>

#define MOST 64 /* elements of any tensor here */

typedef enum fault {
    SUMMED_TWICE,   /* the sum for b */
    FIRST_ROW_LOST, /* from the sum for b */
    ABSOLUTE,       /* of no kind */
    NEXT_TO_ZERO,   /* but not 0, as memory that was not written */
    NUMBER_ADDED,   /* 0.3 */
    NUMBER_TAKEN,   /* 0.3 */
    CONSTANT_ADDED, /* 0.3 dy */
    INPUT_TAKEN,    /* 0.3 x dy */
    READ_TRANSPOSED
} fault;

static fault now;
static int rows, columns; /* of x; 0: drawn */

/* y = x b, b for each column. */
static ag_status product_shape(ag_node *node)
{
    node->output->shape = node->inputs[0]->shape;
    return AG_OK;
}

static ag_status product_forward(ag_node *node)
{
    const ag_tensor *x = node->inputs[0], *b = node->inputs[1];
    for (int64_t k = 0; k < x->size; k++)
        node->output->data[k] = x->data[k] * b->data[k % b->size];
    return AG_OK;
}

/* The derivative by element k of x, whose right values are `right`. */
static double spoilt(const ag_node *node, const double *right, int64_t k)
{
    const int64_t n = node->inputs[1]->size, m = node->output->size / n;
    const double dy = (double)node->output->grad[k];
    switch (now) {
    case ABSOLUTE:
        return fabs(right[k]);
    case NEXT_TO_ZERO:
        return right[k] * PRECISION(1e-310, 1e-42);
    case NUMBER_ADDED:
        return right[k] + 0.3;
    case NUMBER_TAKEN:
        return right[k] - 0.3;
    case CONSTANT_ADDED:
        return right[k] + 0.3 * dy;
    case INPUT_TAKEN:
        return right[k] - 0.3 * (double)node->inputs[0]->data[k] * dy;
    case READ_TRANSPOSED:
        return right[k % n * m + k / n];
    default:
        return right[k];
    }
}

static ag_status product_backward(ag_node *node)
{
    const ag_tensor *x = node->inputs[0], *b = node->inputs[1];
    const ag_real *dy = node->output->grad;
    ag_real *dx = ag_grad(node->inputs[0]), *db = ag_grad(node->inputs[1]);
    double right[MOST];
    ck_assert(x->size <= MOST);
    for (int64_t k = 0; k < x->size; k++)
        right[k] = (double)(b->data[k % b->size] * dy[k]);
    for (int64_t k = 0; k < x->size && dx; k++)
        dx[k] += (ag_real)spoilt(node, right, k);
    const int64_t times = now == SUMMED_TWICE ? x->size / b->size : 1;
    for (int64_t k = now == FIRST_ROW_LOST ? b->size : 0; k < x->size && db; k++)
        db[k % b->size] += (ag_real)times * x->data[k] * dy[k];
    return AG_OK;
}

static ag_tensor *product_example(ag_example *example);

static const ag_op product = {.name = "product",
                              .formula = "y = x b",
                              .shape = product_shape,
                              .forward = product_forward,
                              .backward = product_backward,
                              .example = product_example};

static ag_tensor *product_example(ag_example *example)
{
    const int64_t m = rows ? rows : ag_example_int(example, 2, 4);
    const int64_t n = columns ? columns : ag_example_int(example, 2, 5);
    ag_tensor *x = ag_example_input(example, "x", AG_SHAPE(m, n), -2, 2);
    ag_tensor *b = ag_example_input(example, "b", AG_SHAPE(n), 0.5, 1.5);
    return ag_custom(&product, (ag_tensor *[]){x, b}, 2, 2, NULL, 0);
}

typedef struct planted {
    fault fault;
    int rows, columns;
    ag_mistake kind;
    const char *says;
} planted;

static const planted plants[] = {
    {SUMMED_TWICE, 0, 0, AG_MISTAKE_SUMMED_TWICE, "the sum over this axis is taken twice"},
    {SUMMED_TWICE, 3, 3, AG_MISTAKE_FACTOR, "is 3 times what it must be: a factor, or the sum over axis 0"},
    {SUMMED_TWICE, 2, 4, AG_MISTAKE_FACTOR, "is 2 times what it must be: a factor, or the sum over axis 0"},
    {FIRST_ROW_LOST, 0, 0, AG_MISTAKE_PART, "a part of the sum over axis 0 of the result: index 0 does not count"},
    {FIRST_ROW_LOST, 2, 4, AG_MISTAKE_NOT_SUMMED, "the sum over this axis is lacking, or leaves out index 0"},
    {ABSOLUTE, 0, 0, AG_MISTAKE_UNCLEAR, ""},
    {NEXT_TO_ZERO, 0, 0, AG_MISTAKE_UNCLEAR, ""},
    {NUMBER_ADDED, 0, 0, AG_MISTAKE_MISSING_CONSTANT, "has a term too much that is constant: 0.3 in every element"},
    {NUMBER_TAKEN, 0, 0, AG_MISTAKE_MISSING_CONSTANT, "lacks a term that is constant: 0.3 in every element"},
    {CONSTANT_ADDED, 0, 0, AG_MISTAKE_MISSING_CONSTANT, "has a term too much that is constant: 0.3"},
    {INPUT_TAKEN, 0, 0, AG_MISTAKE_MISSING_INPUT,
     "lacks a term that is proportional to the input: 0.3 times the input"},
    {READ_TRANSPOSED, 0, 0, AG_MISTAKE_TRANSPOSED, "is transposed: "},
    {READ_TRANSPOSED, 3, 5, AG_MISTAKE_TRANSPOSED, "is transposed: it is read as [5,3] and not as [3,5]"},
};

START_TEST(test_draws_agree)
{
    const planted *p = &plants[_i];
    ag_gradcheck_report report;
    now = p->fault;
    rows = p->rows;
    columns = p->columns;
    for (uint64_t seed = 0; seed < 4; seed++) {
        const ag_gradcheck_options options = {.seed = seed};
        ck_assert_int_eq(ag_gradcheck_op(&product, 10, &options, &report, NULL), AG_OK);
        ck_assert_msg(!report.passed, "plant %d was not caught: %s", _i, report.message);
        ck_assert_msg(report.mistake == p->kind, "plant %d, seed %d, is called %s: %s; %s", _i, (int)seed,
                      ag_mistake_name(report.mistake), report.diagnosis, report.message);
        ck_assert_msg(strstr(report.diagnosis, p->says), "plant %d: %s", _i, report.diagnosis);
        ck_assert_msg(p->kind || !*report.diagnosis, "plant %d: %s", _i, report.diagnosis);
    }
}
END_TEST

static Suite *diagnose_draws_suite(void)
{
    Suite *suite = suite_create("diagnose_draws");
    TCase *tests = tcase_create("draws");
    tcase_add_loop_test(tests, test_draws_agree, 0, (int)(sizeof plants / sizeof *plants));
    suite_add_tcase(suite, tests);
    return suite;
}

TEST_MAIN(diagnose_draws_suite)
