/* own_operation.c - an operation that the library does not have, added by a program, and checked: right, then wrong.
 *
 * The operation is the soft cap that some language models put on their attention scores (Gemma 2, 2024), so that none
 * grows without bound:
 *
 *     y = cap tanh(x / cap)            dy/dx = 1 - tanh(x / cap)^2 = 1 - (y / cap)^2
 *
 * An operation is one record (ag_op): how the shape follows from the inputs, how the values do, how the gradient comes
 * back, and how to draw an example. ag_custom runs it and notes it on the tape, as it does for every operation of the
 * library. Then the backward is compared with differences of the forward, and with the rule of forward mode:
 *
 *     ag_gradcheck_op    the operation alone, on examples that its record draws;
 *     ag_dot_test_op     the same, against its tangent rule: to the last digits, without a step;
 *     ag_gradcheck       any function in which it takes part: here, attention with capped scores.
 *
 * Two backwards that are wrong follow, each in a way that happens. The second shows why an operation is checked alone
 * before it is used: in this attention its fault does no harm, and would in the next. */
#include <tapeformer/autograd.h>

#include <math.h>
#include <stdio.h>

/* ---- The operation ----------------------------------------------------------------- */

/* What the operation is told besides its inputs. ag_custom keeps a copy in the node. */
typedef struct soft_cap_attributes {
    double cap;
} soft_cap_attributes;

static double cap_of(const ag_node *node)
{
    return ((const soft_cap_attributes *)node->attributes)->cap;
}

/* y has the shape of x. What cannot be done is said here, before anything is computed. */
static ag_status soft_cap_shape(ag_node *node)
{
    if (!(cap_of(node) > 0))
        return ag_fail(node, AG_BAD_VALUE, "the cap is %g and must be above 0", cap_of(node));
    node->output->shape = node->inputs[0]->shape;
    return AG_OK;
}

static ag_status soft_cap_forward(ag_node *node)
{
    const ag_real *x = node->inputs[0]->data;
    const double cap = cap_of(node);
    for (int64_t i = 0; i < node->output->size; i++)
        node->output->data[i] = (ag_real)(cap * tanh((double)x[i] / cap));
    return AG_OK;
}

/* dx += dy (1 - (y / cap)^2). It is added, since x may have other uses, which add to the
 * same dx. */
static ag_status soft_cap_backward(ag_node *node)
{
    const ag_real *y = node->output->data, *dy = node->output->grad;
    const double cap = cap_of(node);
    ag_real *dx = ag_grad(node->inputs[0]); /* NULL if x needs no gradient */
    for (int64_t i = 0; dx && i < node->output->size; i++) {
        const double ratio = (double)y[i] / cap;
        dx[i] += (ag_real)((double)dy[i] * (1 - ratio * ratio));
    }
    return AG_OK;
}

/* If x moves by ux, y moves by uy = ux (1 - (y / cap)^2). This rule may be left out: then
 * only forward mode (ag_jvp) and the dot test cannot be had. */
static ag_status soft_cap_jvp(ag_node *node, const ag_real *const *tangents, ag_real *tangent)
{
    for (int64_t i = 0; i < node->output->size; i++) {
        const double ratio = (double)node->output->data[i] / cap_of(node);
        tangent[i] = (ag_real)((double)tangents[0][i] * (1 - ratio * ratio));
    }
    return AG_OK;
}

static ag_tensor *soft_cap(ag_tensor *x, double cap);

/* An input and a cap, drawn from where the check is to look. */
static ag_tensor *soft_cap_example(ag_example *example)
{
    const ag_shape shape = AG_SHAPE(ag_example_int(example, 1, 3), ag_example_int(example, 1, 4));
    const double cap = ag_example_real(example, 0.5, 3);
    return soft_cap(ag_example_input(example, "x", shape, -3, 3), cap);
}

static const ag_op soft_cap_op = {
    .name = "soft_cap",
    .formula = "y = cap tanh(x / cap)",
    .shape = soft_cap_shape,
    .forward = soft_cap_forward,
    .backward = soft_cap_backward,
    .jvp = soft_cap_jvp,
    .example = soft_cap_example,
};

/* What a program calls. */
static ag_tensor *soft_cap(ag_tensor *x, double cap)
{
    return ag_custom(&soft_cap_op, &x, 1, 1, &(soft_cap_attributes){cap}, sizeof(soft_cap_attributes));
}

/* ---- Two backwards that are wrong -------------------------------------------------- */

/* Forgets that the cap divides: right for cap 1 alone. */
static ag_status backward_without_cap(ag_node *node)
{
    const ag_real *y = node->output->data, *dy = node->output->grad;
    ag_real *dx = ag_grad(node->inputs[0]);
    for (int64_t i = 0; dx && i < node->output->size; i++)
        dx[i] += dy[i] * (1 - y[i] * y[i]);
    return AG_OK;
}

/* Writes where it should add: right as long as nothing else uses x. */
static ag_status backward_that_overwrites(ag_node *node)
{
    const ag_real *y = node->output->data, *dy = node->output->grad;
    const double cap = cap_of(node);
    ag_real *dx = ag_grad(node->inputs[0]);
    for (int64_t i = 0; dx && i < node->output->size; i++) {
        const double ratio = (double)y[i] / cap;
        dx[i] = (ag_real)((double)dy[i] * (1 - ratio * ratio));
    }
    return AG_OK;
}

/* ---- The checks -------------------------------------------------------------------- */

/* The functions under check get the record by their context, as there are wrong ones. */
static ag_tensor *cap_by(const ag_op *op, ag_tensor *x)
{
    return ag_custom(op, &x, 1, 1, &(soft_cap_attributes){2}, sizeof(soft_cap_attributes));
}

static ag_tensor *cap_alone(ag_tape *tape, ag_tensor *const *inputs, void *context)
{
    (void)tape;
    return cap_by(context, inputs[0]);
}

/* Causal attention with capped scores: q, k, v [1, 1, 3, 2]. */
static ag_tensor *capped_attention(ag_tape *tape, ag_tensor *const *inputs, void *context)
{
    const ag_mask *mask = ag_mask_causal(tape, 0);
    ag_tensor *scores = ag_matmul(inputs[0], inputs[1], false, true);
    return ag_masked_sum(ag_masked_softmax(cap_by(context, scores), mask), inputs[2], mask);
}

static void print_report(const char *what, const ag_gradcheck_report *report)
{
    printf("%s: %s (%lld elements)\n    %s\n", what, report->passed ? "right" : "WRONG", (long long)report->checked,
           report->message);
}

/* Checks `f` with the operation as it stands in `op`, on the first `count` of q, k, v. */
static bool check(const char *what, ag_function f, int count, ag_op op)
{
    enum { SIZE = 3 * 2 };
    static const char *const names[] = {"query", "key", "value"};
    ag_real data[3][SIZE], grad[3][SIZE] = {{0}};
    ag_gradcheck_input inputs[3];
    ag_gradcheck_report report;
    ag_error error = {0};
    ag_rng rng = ag_rng_make(1, 0);
    for (int i = 0; i < count; i++) {
        for (int e = 0; e < SIZE; e++)
            data[i][e] = (ag_real)ag_rng_normal(&rng);
        inputs[i] = (ag_gradcheck_input){names[i], AG_SHAPE(1, 1, 3, 2), data[i], grad[i]};
    }
    if (ag_gradcheck(f, &op, inputs, count, NULL, &report, &error) != AG_OK) {
        puts(error.message);
        return false;
    }
    print_report(what, &report);
    return report.passed;
}

/* A mistake in its use is a sentence on the tape, as for any operation. */
static void misuse(void)
{
    ag_tape *tape = ag_tape_new(NULL);
    if (tape && !soft_cap(ag_constant(tape, AG_SHAPE(3), NULL), -1))
        printf("%s\n", ag_tape_error(tape)->message);
    ag_tape_free(tape);
}

int main(void)
{
    ag_gradcheck_report report;
    ag_error error = {0};
    if (ag_gradcheck_op(&soft_cap_op, 24, NULL, &report, &error) != AG_OK) {
        puts(error.message);
        return 1;
    }
    print_report("soft_cap on 24 drawn examples", &report);
    bool as_expected = report.passed;

    ag_dot_report dot;
    if (ag_dot_test_op(&soft_cap_op, 24, NULL, &dot, &error) != AG_OK) {
        puts(error.message);
        return 1;
    }
    printf("backward and forward mode %s (%lld directions)\n", dot.passed ? "agree" : "DIFFER", (long long)dot.checked);
    as_expected &= dot.passed;

    ag_op op = soft_cap_op;
    as_expected &= check("attention with capped scores", capped_attention, 3, op);
    op.backward = backward_without_cap;
    as_expected &= !check("the cap forgotten in the backward", capped_attention, 3, op);
    op.backward = backward_that_overwrites;
    as_expected &= check("a backward that overwrites, in attention", capped_attention, 3, op);
    as_expected &= !check("a backward that overwrites, alone", cap_alone, 1, op);
    misuse();
    return as_expected ? 0 : 1;
}
