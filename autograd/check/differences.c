/* differences.c - derivatives from values alone: central differences, extrapolated to
 * step 0.
 *
 * The central difference D(t) = (F(t) - F(-t)) / 2t is the derivative of F at 0 plus an
 * error c1 t^2 + c2 t^4 + .. (the odd powers cancel). Rounding adds an error that grows
 * as t shrinks, so no single step is good. Richardson's extrapolation (L. F. Richardson,
 * Phil. Trans. A 210, 1911) combines differences at halved steps: in (4 D(t/2) - D(t)) /
 * 3 the term c1 t^2 cancels, two of these cancel c2 t^4, and so on, in a triangular
 * table:
 *
 *     step t      D(t)
 *     step t/2    D(t/2)   x            x: without t^2, from its left neighbour and the
 *     step t/4    D(t/4)   x   y           entry above that;  y: without t^2 and t^4
 *
 * How much an entry differs from the two it came from tells how good it is, and when
 * rounding takes over (C. J. F. Ridders, Accurate computation of F'(x) and F'(x)F''(x),
 * Advances in Engineering Software 4, 1982).
 *
 * A kink is a point where F has no derivative, such as 0 for relu. If it lies between -t
 * and t, the difference mixes two slopes and means nothing. Operations note on which side
 * of their kinks they are (ag_kink); a table whose steps cross one starts again with
 * smaller steps. */
#include "gradcheck.h"

#include <math.h>
#include <string.h>

/* The number of steps in a table. */
#ifdef TAPEFORMER_DOUBLE
#define TABLE_ROWS 9
#else
#define TABLE_ROWS 4
#endif

/* How a table of differences ended. */
typedef enum outcome { SMOOTH, CROSSED_KINK, LEFT_DOMAIN } outcome;

double gradcheck_scale(ag_real value)
{
    double magnitude = fabs((double)value);
    int exponent;
    if (!isfinite(magnitude) || magnitude <= 1)
        return 1;
    frexp(magnitude, &exponent);
    return ldexp(1, exponent - 1);
}

/* Along a random direction every element moves, up or down by its own scale, so a wrong
 * gradient of any of them shows in the sum. */
void gradcheck_find_line(gradcheck *check, int input, int64_t index, gradcheck_line *line)
{
    const int64_t size = gradcheck_input_size(check, input);
    double *direction = check->line_direction;
    if (check->options.directions == 0) {
        direction[0] = gradcheck_scale(check->origin[input][index]);
        *line = (gradcheck_line){
            .input = input, .begin = index, .end = index + 1, .direction = direction, .unit = direction[0]};
        return;
    }
    ag_rng rng = ag_rng_make(check->options.seed, GRADCHECK_DIRECTIONS + (uint64_t)input);
    rng.position = (uint64_t)index * (uint64_t)size;
    for (int64_t i = 0; i < size; i++) {
        double scale = gradcheck_scale(check->origin[input][i]);
        direction[i] = ag_rng_u32(&rng) & 1 ? scale : -scale;
    }
    *line = (gradcheck_line){.input = input, .begin = 0, .end = size, .direction = direction, .unit = 1};
}

double gradcheck_move(const gradcheck *check, const gradcheck_line *line, double t)
{
    ag_real *data = check->inputs[line->input].data;
    const ag_real *origin = check->origin[line->input];
    for (int64_t i = line->begin; i < line->end; i++)
        data[i] = (ag_real)((double)origin[i] + t * line->direction[i - line->begin]);
    if (line->end - line->begin != 1)
        return t;
    double moved = (double)data[line->begin] - (double)origin[line->begin];
    return isfinite(moved) ? moved / line->direction[0] : t;
}

void gradcheck_restore(const gradcheck *check, const gradcheck_line *line)
{
    if (line->end > line->begin)
        memcpy(check->inputs[line->input].data + line->begin, check->origin[line->input] + line->begin,
               (size_t)(line->end - line->begin) * sizeof(ag_real));
}

/* The results at t, copied to check->ahead, and at -t, *result. Their distance on the
 * line goes to *distance. */
static ag_status evaluate_both(gradcheck *check, const gradcheck_line *line, double t, ag_tensor **result,
                               double *distance, bool *same_side)
{
    double ahead = gradcheck_move(check, line, t);
    ag_status status = gradcheck_evaluate(check, check->tape, result);
    if (status != AG_OK)
        return status;
    *same_side = check->kinks.hash == check->side;
    if (check->size)
        memcpy(check->ahead, (*result)->data, (size_t)check->size * sizeof(ag_real));

    double behind = gradcheck_move(check, line, -t);
    *distance = ahead - behind;
    status = gradcheck_evaluate(check, check->tape, result);
    *same_side = *same_side && check->kinks.hash == check->side;
    return status;
}

ag_status gradcheck_difference_outputs(gradcheck *check, const gradcheck_line *line, double t, double *column)
{
    ag_tensor *y;
    double distance;
    bool same_side;
    ag_status status = evaluate_both(check, line, t, &y, &distance, &same_side);
    for (int64_t k = 0; k < check->size && status == AG_OK; k++)
        column[k] = ((double)check->ahead[k] - (double)y->data[k]) / distance;
    gradcheck_restore(check, line);
    return status;
}

/* (F(t) - F(-t)) / 2t, projected, and the error that rounding may leave in it. The
 * difference is taken for each output before they are added: what F(t) and F(-t) have in
 * common cancels exactly that way. */
static ag_status central_difference(gradcheck *check, const gradcheck_line *line, double t,
                                    gradcheck_estimate *difference, outcome *found)
{
    ag_tensor *y;
    double distance;
    bool same_side;
    ag_status status = evaluate_both(check, line, t, &y, &distance, &same_side);
    if (status != AG_OK)
        return status;

    double sum = 0;
    double rounding = 0; /* squared: the outputs' rounding errors are independent */
    for (int64_t k = 0; k < check->size; k++) {
        double weight = (double)check->weights[k], one = (double)check->ahead[k], other = (double)y->data[k];
        sum += weight * (one - other);
        rounding += weight * weight * (one * one + other * other);
    }
    double slope = sum / distance;
    *difference =
        (gradcheck_estimate){.slope = slope, .error = GRADCHECK_EPSILON * sqrt(rounding) / distance, .step = t};
    *found = !same_side ? CROSSED_KINK : isfinite(slope) ? SMOOTH : LEFT_DOMAIN;
    return AG_OK;
}

/* Adds a row to the table: row[j] is free of the powers of the step below 2(j + 1), and
 * comes from row[j - 1] here and in the row above. Keeps in *best the entry that differs
 * least from those it came from, rounding included. Returns by how much the last entry
 * differs from the last one of the row above. */
static double add_row(double *row, int length, const gradcheck_estimate *difference, gradcheck_estimate *best)
{
    double power = 1, above = row[0], last_above = length > 1 ? row[length - 2] : 0;
    row[0] = difference->slope;
    for (int j = 1; j < length; j++) {
        power *= 4; /* the step was halved, its square quartered */
        double entry = (power * row[j - 1] - above) / (power - 1);
        double error = fmax(fabs(entry - row[j - 1]), fabs(entry - above)) + difference->error;
        above = row[j];
        row[j] = entry;
        if (error <= best->error)
            *best = (gradcheck_estimate){.slope = entry, .error = error, .step = difference->step};
    }
    return fabs(row[length - 1] - last_above);
}

/* The estimated error in the measure of the check: relative if the slope is large. */
static double relative_doubt(const gradcheck_estimate *estimate, double unit)
{
    return estimate->error / fmax(unit, fabs(estimate->slope));
}

/* Builds the table from the step `first` on, until its errors grow, or are far below what
 * the comparison needs. */
static ag_status extrapolate(gradcheck *check, const gradcheck_line *line, double first, gradcheck_estimate *best,
                             outcome *found)
{
    const double plenty = check->options.tolerance * 1e-3;
    double row[TABLE_ROWS] = {0}, step = first;

    *best = (gradcheck_estimate){.slope = NAN, .error = INFINITY};
    for (int length = 1; length <= TABLE_ROWS; length++, step /= 2) {
        gradcheck_estimate difference;
        ag_status status = central_difference(check, line, step, &difference, found);
        if (status != AG_OK || *found != SMOOTH)
            return status;
        double change = add_row(row, length, &difference, best);
        if (length > 1 && (change >= 2 * best->error || relative_doubt(best, line->unit) <= plenty))
            break;
    }
    if (!isfinite(best->error))
        *found = LEFT_DOMAIN;
    return AG_OK;
}

/* The smallest first step. A kink nearer than that cannot be avoided: rounding hides the
 * derivative. But a pole, or the border of a domain, often lies at 0, so the steps of a
 * lone small element may go down to its own size, at which the function is large too. */
static double smallest_step(const gradcheck *check, const gradcheck_line *line, outcome found)
{
    double part = fabs((double)check->origin[line->input][line->begin] / line->unit);
    bool small = line->end - line->begin == 1 && part > 0 && part < 1;
    return found != CROSSED_KINK && small ? GRADCHECK_SMALLEST * fmax(part, 0x1p-60) : GRADCHECK_SMALLEST;
}

/* Builds tables from smaller and smaller first steps, until one neither crosses a kink
 * nor leaves the domain, and its estimated error is small. */
static ag_status differentiate_line(gradcheck *check, const gradcheck_line *line, gradcheck_estimate *best,
                                    bool *on_kink)
{
    const double enough = check->options.tolerance * 0.1;

    *on_kink = false;
    *best = (gradcheck_estimate){.slope = NAN, .error = INFINITY};
    for (double step = check->options.step;; step /= GRADCHECK_SHRINK) {
        gradcheck_estimate attempt;
        outcome found;
        ag_status status = extrapolate(check, line, step, &attempt, &found);
        if (status != AG_OK)
            return status;
        if (found == SMOOTH &&
            (isnan(best->slope) || relative_doubt(&attempt, line->unit) < relative_doubt(best, line->unit)))
            *best = attempt;
        if (relative_doubt(best, line->unit) <= enough)
            return AG_OK;
        if (step / GRADCHECK_SHRINK < smallest_step(check, line, found)) {
            *on_kink = found == CROSSED_KINK && isnan(best->slope);
            return AG_OK;
        }
    }
}

ag_status gradcheck_differentiate(gradcheck *check, const gradcheck_line *line, gradcheck_estimate *estimate,
                                  bool *on_kink)
{
    ag_status status = differentiate_line(check, line, estimate, on_kink);
    gradcheck_restore(check, line);
    estimate->slope /= line->unit;
    estimate->error /= line->unit;
    estimate->step *= line->unit;
    return status;
}
