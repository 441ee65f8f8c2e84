/* output.c - the worst derivative again, in the user's own units: of one element of the
 * result instead of the weighted sum that was compared.
 *
 * The comparison needs one number for each element of an input, and a sum with random
 * weights holds a fault of any element of the result. But no one can recompute it by
 * hand. So the worst of all comparisons is taken apart: a backward for each element k of
 * the result, seeded with its weight alone, and one difference for all of them show in
 * which k both sides differ most. Its derivative is then extrapolated like any other.
 *
 * A backward whose fault lies between several elements of its seed, such as one that
 * overwrites, can be right for each of them alone. Then the sum stays in the report. */
#include "gradcheck.h"

#include <math.h>
#include <string.h>

/* The column of the Jacobian that belongs to one line. */
typedef struct jacobian_column {
    const gradcheck_line *line;
    double *analytic, *numeric; /* [size] */
} jacobian_column;

/* Forward mode finds the whole column in one pass. */
static ag_status find_tangents(gradcheck *check, const jacobian_column *column)
{
    double slope;
    ag_status status = gradcheck_find_tangent(check, column->line, &slope);
    for (int64_t k = 0; k < check->size && status == AG_OK; k++)
        column->analytic[k] = (double)check->tangent[k] / column->line->unit;
    return status;
}

/* One backward for each element of the result. Its weight is divided out afterwards: with
 * a seed of 1 a backward that forgets its seed would seem right. */
static ag_status find_gradients(gradcheck *check, const jacobian_column *column)
{
    const gradcheck_line *line = column->line;
    const ag_real *grad = check->inputs[line->input].grad;
    ag_real *weights = check->weights, *seed = gradcheck_reals(check, check->size);
    if (!seed)
        return AG_NO_MEMORY;
    memset(seed, 0, (size_t)check->size * sizeof *seed);
    ag_status status = AG_OK;
    check->weights = seed;
    for (int64_t k = 0; k < check->size && status == AG_OK; k++) {
        double slope = 0;
        seed[k] = weights[k];
        gradcheck_zero_gradients(check);
        status = gradcheck_add_gradients(check, check->recorded);
        seed[k] = 0;
        for (int64_t i = line->begin; i < line->end; i++)
            slope += (double)grad[i] * line->direction[i - line->begin];
        column->analytic[k] = slope / (double)weights[k] / line->unit + 0.0; /* a -0 becomes 0 */
    }
    check->weights = weights;
    gradcheck_leave_gradients(check);
    return status;
}

/* The element of the result in which both sides differ most. */
static int64_t worst_output(const gradcheck *check, const jacobian_column *column)
{
    int64_t worst = 0;
    double error = -1;
    for (int64_t k = 0; k < check->size; k++) {
        double here = gradcheck_error(column->analytic[k], column->numeric[k] / column->line->unit);
        if (here > error) {
            error = here;
            worst = k;
        }
    }
    return worst;
}

/* gradcheck_differentiate for element k of the result. */
static ag_status differentiate_output(gradcheck *check, const gradcheck_line *line, int64_t k,
                                      gradcheck_estimate *numeric, bool *on_kink)
{
    ag_real *weights = check->weights, *alone = gradcheck_reals(check, check->size);
    if (!alone)
        return AG_NO_MEMORY;
    memset(alone, 0, (size_t)check->size * sizeof *alone);
    alone[k] = 1;
    check->weights = alone;
    ag_status status = gradcheck_differentiate(check, line, numeric, on_kink);
    check->weights = weights;
    return status;
}

ag_status gradcheck_find_output(gradcheck *check)
{
    ag_gradcheck_report *report = check->report;
    if (check->size == 1)
        report->output = 0;
    if (report->input < 0 || check->size == 1 || check->size > AG_GRADCHECK_OUTPUTS)
        return AG_OK;
    gradcheck_line line;
    gradcheck_find_line(check, report->input, report->index, &line);
    const jacobian_column column = {.line = &line,
                                    .analytic = gradcheck_alloc(check, (size_t)check->size * sizeof(double)),
                                    .numeric = gradcheck_alloc(check, (size_t)check->size * sizeof(double))};
    if (!column.analytic || !column.numeric)
        return AG_NO_MEMORY;

    const double step = report->step > 0 ? report->step / line.unit : check->options.step;
    ag_status status = gradcheck_difference_outputs(check, &line, step, column.numeric);
    if (status == AG_OK)
        status = check->options.forward_mode ? find_tangents(check, &column) : find_gradients(check, &column);
    if (status != AG_OK)
        return status;
    const int64_t k = worst_output(check, &column);
    gradcheck_estimate numeric;
    bool on_kink;
    status = differentiate_output(check, &line, k, &numeric, &on_kink);
    if (status != AG_OK || on_kink)
        return status;

    const double tolerance = check->options.tolerance, error = gradcheck_error(column.analytic[k], numeric.slope);
    if ((error > tolerance) == (report->worst_error > tolerance)) {
        report->output = k;
        report->worst_error = error;
        report->analytic = column.analytic[k];
        report->numeric = numeric.slope;
        report->step = numeric.step;
        report->numeric_error = numeric.error;
    }
    return AG_OK;
}
