/* six_mistakes.c - an operation of one's own and its gradient check, right and then wrong in six ways, with what the
 * check says of each.
 *
 * The operation scales the squares of a matrix x [rows, columns] by one gain g for each column, which is broadcast:
 *
 *     y[r,c] = x[r,c]^2 g[c]        dx[r,c] = 2 x[r,c] g[c] dy[r,c]        dg[c] = sum_r x[r,c]^2 dy[r,c]
 *
 * The check is all that stands between "The check" and its end: 22 lines. It draws shapes and values, compares each
 * element of both gradients with differences of the forward, and reports the worst one, as the derivative of one
 * element of y, and what it found about each input. */
#include <tapeformer/autograd.h>

#include <stdio.h>

/* ---- The operation ----------------------------------------------------------------- */

/* The mistakes, of the kinds that people make; the backward below makes the one that is planted. */
typedef enum mistake { NONE, SIGN, FACTOR, NOT_SUMMED, SHIFTED, FORGOTTEN, OVERWRITTEN } mistake;
static mistake planted = NONE;

static ag_status gain_shape(ag_node *node)
{
    const ag_shape x = node->inputs[0]->shape, g = node->inputs[1]->shape;
    if (x.ndim != 2 || g.ndim != 1 || g.dim[0] != x.dim[1])
        return ag_fail(node, AG_BAD_SHAPE, "it needs a matrix and one gain for each of its columns");
    node->output->shape = x;
    return AG_OK;
}

static ag_status gain_forward(ag_node *node)
{
    const ag_real *x = node->inputs[0]->data, *g = node->inputs[1]->data;
    for (int64_t i = 0; i < node->output->size; i++)
        node->output->data[i] = x[i] * x[i] * g[i % node->inputs[1]->size];
    return AG_OK;
}

static ag_status gain_backward(ag_node *node)
{
    const ag_real *x = node->inputs[0]->data, *g = node->inputs[1]->data, *dy = node->output->grad;
    const int64_t size = node->output->size, columns = node->inputs[1]->size;
    ag_real *dx = ag_grad(node->inputs[0]), *dg = ag_grad(node->inputs[1]); /* NULL where none is needed */
    for (int64_t i = 0; dx && i < size; i++) {
        const int64_t c = planted == SHIFTED ? (i + 1) % columns : i % columns;
        const ag_real slope = (ag_real)(planted == FACTOR ? 1 : 2) * x[i] * g[c] * dy[i];
        dx[i] = (planted == OVERWRITTEN ? 0 : dx[i]) + (planted == SIGN ? -slope : slope);
    }
    for (int64_t i = planted == NOT_SUMMED ? size - columns : 0; dg && planted != FORGOTTEN && i < size; i++)
        dg[i % columns] += x[i] * x[i] * dy[i];
    return AG_OK;
}

/* ---- The check --------------------------------------------------------------------- */

static ag_tensor *gain_example(ag_example *example);
static const ag_op gain_op = {.name = "gain",
                              .formula = "y = x^2 g",
                              .shape = gain_shape,
                              .forward = gain_forward,
                              .backward = gain_backward,
                              .example = gain_example};

static ag_tensor *gain_example(ag_example *example)
{
    const int64_t rows = ag_example_int(example, 2, 4), columns = ag_example_int(example, 3, 5);
    ag_tensor *x = ag_example_input(example, "x", AG_SHAPE(rows, columns), -2, 2);
    ag_tensor *g = ag_example_input(example, "g", AG_SHAPE(columns), 0.5, 1.5);
    return ag_custom(&gain_op, (ag_tensor *[]){x, g}, 2, 2, NULL, 0);
}

static bool check_gain(ag_gradcheck_report *report, ag_gradcheck_summary inputs[2])
{
    const ag_gradcheck_options options = {.summaries = inputs, .summary_count = 2};
    ag_error error = {0};
    if (ag_gradcheck_op(&gain_op, 10, &options, report, &error) != AG_OK)
        puts(error.message);
    return report->passed;
}

/* ---- Its end ----------------------------------------------------------------------- */

int main(void)
{
    static const char *const names[] = {"right",
                                        "the sign of dx flipped",
                                        "the factor 2 of dx lost",
                                        "dg not summed over the rows: the last alone",
                                        "dx by the gain of the next column",
                                        "dg forgotten",
                                        "dx written instead of added"};
    bool as_expected = true;
    for (planted = NONE; planted <= OVERWRITTEN; planted++) {
        ag_gradcheck_report report;
        ag_gradcheck_summary inputs[2];
        as_expected &= check_gain(&report, inputs) == (planted == NONE);
        printf("%s: %s\n", names[planted], report.passed ? "passes" : "FAILS");
        for (int i = 0; i < 2; i++)
            printf("    %s: %lld of %lld elements wrong\n", inputs[i].name, (long long)inputs[i].failed,
                   (long long)inputs[i].checked);
        printf("    %s\n", report.message);
        if (*report.diagnosis)
            printf("    %s\n", report.diagnosis);
    }
    return as_expected ? 0 : 1;
}
