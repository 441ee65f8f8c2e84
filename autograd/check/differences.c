/* differences.c - derivatives from values alone: central differences, extrapolated.
 *
 * The error of a central difference is a series in even powers of the step. Differences at the steps h, h/2, h/4,
 * .. combine so that one power after the other falls away (Richardson), and the table of combinations shows when
 * rounding takes over: C. J. F. Ridders, Accurate computation of F'(x) and F'(x)F''(x), Advances in Engineering
 * Software 4 (1982). */
#include "gradcheck.h"

#include "../example.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* How many steps a table has, and the smallest first step of a table: below it rounding hides the derivative. */
#ifdef TAPEFORMER_DOUBLE
#define EPSILON       DBL_EPSILON
#define TABLE_ROWS    9
#define SMALLEST_STEP 0x1p-18
#else
#define EPSILON       FLT_EPSILON
#define TABLE_ROWS    4
#define SMALLEST_STEP 0x1p-9
#endif
#define SHRINK 8.0 /* of the first step, where a table comes to nothing */

/* What became of a table of differences. */
typedef enum outcome { SMOOTH, CROSSED_KINK, LEFT_DOMAIN } outcome;

ag_status gradcheck_evaluate(gradcheck *check, ag_tape *tape, ag_tensor **result)
{
    ag_tape_rewind(tape);
    ag_tape_seed(tape, check->options.seed, 0);
    check->kinks = KINKS_NONE;
    tape->kinks = &check->kinks;
    for (int i = 0; i < check->count; i++) {
        const ag_gradcheck_input *input = &check->inputs[i];
        check->leaves[i] = ag_leaf(tape, input->shape, input->data, input->grad);
    }

    ag_tensor *y = check->function(tape, check->leaves, check->context);
    if (tape->error.status != AG_OK)
        return ag_error_set(check->error, tape->error.status, "%s", tape->error.message);
    if (!y)
        return ag_error_set(check->error, AG_BAD_VALUE,
                            "gradcheck: the function returned NULL without an error on its tape");
    if (check->shape.ndim >= 0 && !ag_shape_equal(y->shape, check->shape)) {
        char first[AG_SHAPE_TEXT], now[AG_SHAPE_TEXT];
        return ag_error_set(check->error, AG_BAD_SHAPE, "gradcheck: the function made %s at one call and %s at another",
                            ag_shape_print(check->shape, first), ag_shape_print(y->shape, now));
    }
    *result = y;
    return AG_OK;
}

double gradcheck_scale(ag_real value)
{
    double magnitude = fabs((double)value);
    int exponent;
    if (!isfinite(magnitude) || magnitude <= 1)
        return 1;
    frexp(magnitude, &exponent);
    return ldexp(1, exponent - 1);
}

/* Moves the input to `t` on the line. Returns where it really is, since one element's new value may have been
 * rounded. */
static double move(const gradcheck *check, const gradcheck_line *line, double t)
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

static void move_back(const gradcheck *check, const gradcheck_line *line)
{
    if (line->end > line->begin)
        memcpy(check->inputs[line->input].data + line->begin, check->origin[line->input] + line->begin,
               (size_t)(line->end - line->begin) * sizeof(ag_real));
}

/* (F(t) - F(-t)) / 2t, projected, and the error that rounding may leave in it. The difference is taken output by
 * output before they are added: what the outputs have in common falls away while all its digits are there. */
static ag_status central_difference(gradcheck *check, const gradcheck_line *line, double t,
                                    gradcheck_estimate *difference, outcome *found)
{
    ag_tensor *y;
    double ahead = move(check, line, t);
    ag_status status = gradcheck_evaluate(check, check->tape, &y);
    if (status != AG_OK)
        return status;
    bool same_side = check->kinks.hash == check->side;
    if (check->size)
        memcpy(check->ahead, y->data, (size_t)check->size * sizeof(ag_real));

    double behind = move(check, line, -t);
    status = gradcheck_evaluate(check, check->tape, &y);
    if (status != AG_OK)
        return status;
    same_side = same_side && check->kinks.hash == check->side;

    double sum = 0, rounding = 0; /* the outputs' last bits are independent, so their squares add */
    for (int64_t k = 0; k < check->size; k++) {
        double weight = (double)check->weights[k], one = (double)check->ahead[k], other = (double)y->data[k];
        sum += weight * (one - other);
        rounding += weight * weight * (one * one + other * other);
    }
    double slope = sum / (ahead - behind);
    *difference = (gradcheck_estimate){.slope = slope, .error = EPSILON * sqrt(rounding) / (ahead - behind), .step = t};
    *found = !same_side ? CROSSED_KINK : isfinite(slope) ? SMOOTH : LEFT_DOMAIN;
    return AG_OK;
}

/* Adds a row to the table: row[j] is the combination free of the powers below 2(j + 1) of the step, and comes from
 * row[j - 1] here and in the row above. Keeps the entry that differs least from those it came from, as far as
 * rounding lets differences tell. Returns the last entry's difference from the last of the row above. */
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

/* The estimated error in the measure of the check: relative where the slope is large. */
static double doubt(const gradcheck_estimate *estimate, double unit)
{
    return estimate->error / fmax(unit, fabs(estimate->slope));
}

/* The table from the step `first` on, until its errors grow, or are far below what the comparison asks for. */
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
        if (length > 1 && (change >= 2 * best->error || doubt(best, line->unit) <= plenty))
            break;
    }
    if (!isfinite(best->error))
        *found = LEFT_DOMAIN;
    return AG_OK;
}

/* The smallest first step. A kink that is nearer than rounding allows cannot be got around. A pole or the border of
 * a domain often lies at zero, so a lone small element may go down to steps of its own size, where the function is
 * large too. */
static double smallest_step(const gradcheck *check, const gradcheck_line *line, outcome found)
{
    double part = fabs((double)check->origin[line->input][line->begin] / line->unit);
    bool small = line->end - line->begin == 1 && part > 0 && part < 1;
    return found != CROSSED_KINK && small ? SMALLEST_STEP * fmax(part, 0x1p-60) : SMALLEST_STEP;
}

/* Tables from smaller and smaller first steps, until one neither crosses a kink nor leaves the domain nor doubts
 * itself. */
static ag_status differentiate(gradcheck *check, const gradcheck_line *line, gradcheck_estimate *best, bool *on_kink)
{
    const double enough = check->options.tolerance * 0.1;

    *on_kink = false;
    *best = (gradcheck_estimate){.slope = NAN, .error = INFINITY};
    for (double step = check->options.step;; step /= SHRINK) {
        gradcheck_estimate attempt;
        outcome found;
        ag_status status = extrapolate(check, line, step, &attempt, &found);
        if (status != AG_OK)
            return status;
        if (found == SMOOTH && (isnan(best->slope) || doubt(&attempt, line->unit) < doubt(best, line->unit)))
            *best = attempt;
        if (doubt(best, line->unit) <= enough)
            return AG_OK;
        if (step / SHRINK < smallest_step(check, line, found)) {
            *on_kink = found == CROSSED_KINK && isnan(best->slope);
            return AG_OK;
        }
    }
}

ag_status gradcheck_differentiate(gradcheck *check, const gradcheck_line *line, gradcheck_estimate *estimate,
                                  bool *on_kink)
{
    ag_status status = differentiate(check, line, estimate, on_kink);
    move_back(check, line);
    estimate->slope /= line->unit;
    estimate->error /= line->unit;
    estimate->step *= line->unit;
    return status;
}
