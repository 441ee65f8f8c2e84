/* diagnose_terms.c - a missing term that is constant, or proportional to the input or to
 * the output.
 *
 * What is missing is a sum over the elements k of the result, weighted like the gradient
 * itself: c sum w_k, c x sum w_k or c sum w_k y_k, with one c for all elements. Norms and
 * softmax have terms of another form, s, s x or s y, where s is a sum of its own for each
 * row: they are sought along each axis, with an s for each line along it. One s for all
 * elements comes from a term that is added without the result's gradient. */
#include "../broadcast.h"
#include "diagnose.h"

#include <math.h>

typedef struct term {
    ag_mistake mistake;
    const double *values; /* [size] */
    int axis;             /* one factor for each line along it; -1: one for all */
    bool weighted;        /* by the result's gradient, element by element */
} term;

/* ---- Terms ------------------------------------------------------------------------- */

/* The flat index in an array of the shape `from`, which stretches to `to`, of element
 * `index` of `to`. */
static int64_t stretched_index(ag_shape from, ag_shape to, int64_t index)
{
    int64_t flat = 0;
    for (int axis = 0; axis < to.ndim; axis++) {
        const int own = axis - (to.ndim - from.ndim);
        if (own >= 0 && from.dim[own] > 1)
            flat += axis_coordinate(to, axis, index) * axis_stride(from, own);
    }
    return flat;
}

/* Sums w_k, or w_k y_k, over the elements of the result that belong to each element of
 * the input: those to which it stretches, or the one that stretches to it. False if the
 * shapes have no such relation. */
static bool sum_weights(const diagnosis *d, bool times_result, double *sums)
{
    const gradcheck *check = d->check;
    const bool stretches = broadcast_fits(d->shape, check->shape);
    if (!stretches && !broadcast_fits(check->shape, d->shape))
        return false;
    const int64_t count = stretches ? check->size : d->size;
    for (int64_t i = 0; i < d->size; i++)
        sums[i] = 0;
    for (int64_t i = 0; i < count; i++) {
        const int64_t k = stretches ? i : stretched_index(check->shape, d->shape, i);
        const int64_t at = stretches ? stretched_index(d->shape, check->shape, i) : i;
        sums[at] += (double)check->weights[k] * (times_result ? (double)check->result[k] : 1);
    }
    return true;
}

/* Fills in the values of the term; false if there is none of this kind. */
static bool fill_term(const diagnosis *d, const term *t, double *values)
{
    const gradcheck *check = d->check;
    const bool is_output = t->mistake == AG_MISTAKE_MISSING_OUTPUT;
    if (t->weighted) {
        if (!sum_weights(d, is_output, values))
            return false;
    } else {
        if (is_output && !ag_shape_equal(d->shape, check->shape))
            return false;
        for (int64_t i = 0; i < d->size; i++)
            values[i] = is_output ? (double)check->result[i] : 1;
    }
    for (int64_t i = 0; i < d->size && t->mistake == AG_MISTAKE_MISSING_INPUT; i++)
        values[i] *= (double)check->origin[d->input][i];
    return true;
}

/* ---- Fits -------------------------------------------------------------------------- */

/* The elements that share a factor: `count` from `first` on at the distance `stride`. */
typedef struct line {
    int64_t first, count, stride;
} line;

static line line_of(const diagnosis *d, int axis, int64_t number)
{
    if (axis < 0)
        return (line){0, d->size, 1};
    const int64_t stride = axis_stride(d->shape, axis), size = d->shape.dim[axis];
    return (line){number / stride * stride * size + number % stride, size, stride};
}

/* The factor with which the term comes closest to `numbers` on the line. */
static double fit_line(const diagnosis *d, const term *t, line l, const double *numbers)
{
    double product = 0, square = 0;
    for (int64_t i = 0; i < l.count; i++) {
        const int64_t k = l.first + i * l.stride;
        if (isnan(d->numeric[k]))
            continue;
        product += numbers[k] * t->values[k];
        square += t->values[k] * t->values[k];
    }
    return square > 0 ? product / square : 0;
}

/* A term with its factors. */
typedef struct fitted_term {
    term t;
    const double *factors; /* for each line along t.axis */
} fitted_term;

static int64_t line_number(const diagnosis *d, int axis, int64_t k)
{
    if (axis < 0)
        return 0;
    const int64_t stride = axis_stride(d->shape, axis);
    return k / (stride * d->shape.dim[axis]) * stride + k % stride;
}

static ag_status predict_without_term(diagnosis *d, const void *suspicion, int64_t k, prediction *p)
{
    const fitted_term *f = suspicion;
    const double missing = f->factors[line_number(d, f->t.axis, k)] * f->t.values[k];
    *p = (prediction){d->numeric[k] + missing, d->noise[k]};
    return AG_OK;
}

/* Whether the right gradient itself is proportional to the term on every line. Then any
 * wrong factor would look like a missing term. */
static bool is_degenerate(const diagnosis *d, const term *t, int64_t lines)
{
    for (int64_t n = 0; n < lines; n++) {
        const line l = line_of(d, t->axis, n);
        const double factor = fit_line(d, t, l, d->numeric);
        for (int64_t i = 0; i < l.count; i++) {
            const int64_t k = l.first + i * l.stride;
            if (fabs(d->numeric[k] - factor * t->values[k]) > diagnosis_slack(d, k, d->numeric[k]))
                return false;
        }
    }
    return true;
}

static ag_status try_term(diagnosis *d, const term *t, const double *missing, double *factor, bool *explains)
{
    *explains = false;
    const int64_t lines = t->axis < 0 ? 1 : d->size / d->shape.dim[t->axis];
    double *factors = gradcheck_alloc(d->check, (size_t)lines * sizeof *factors);
    if (!factors)
        return AG_NO_MEMORY;
    for (int64_t n = 0; n < lines; n++)
        factors[n] = fit_line(d, t, line_of(d, t->axis, n), missing);
    const fitted_term fitted = {*t, factors};
    ag_status status = diagnosis_explains(d, predict_without_term, &fitted, lines + DIAGNOSIS_TELLING, explains);
    *explains = *explains && !is_degenerate(d, t, lines);
    *factor = lines > 0 ? factors[0] : 0;
    return status;
}

/* ---- The diagnosis ----------------------------------------------------------------- */

/* `factor` is that of all elements, where there is one. By its sign the gradient lacks
 * the term or has it too much; factors of lines mostly have both signs. */
static void report_term(const diagnosis *d, const term *t, double factor)
{
    static const char *const kinds[] = {"that is constant", "that is proportional to the input",
                                        "that is proportional to the output"};
    static const char *const sizes[] = {"", " times the input", " times the output"};
    const int kind = (int)t->mistake - (int)AG_MISTAKE_MISSING_CONSTANT;
    if (t->axis >= 0)
        diagnosis_report(d, t->mistake,
                         "lacks a term %s along axis %d, or has it too much, with a factor of its own on each line "
                         "along it: a mean or a sum over this axis",
                         kinds[kind], t->axis);
    else
        diagnosis_report(d, t->mistake, "%s a term%s %s: %.4g%s%s", factor < 0 ? "lacks" : "has",
                         factor < 0 ? "" : " too much", kinds[kind], fabs(factor), sizes[kind],
                         t->weighted ? ""
                                     : " in every element, not multiplied by the result's gradient there: a "
                                       "number of its own, or a sum over all elements");
}

/* Asks for terms of all three kinds along the axis, or with one factor for all. */
static ag_status try_kinds(diagnosis *d, int axis, bool weighted, double *values, const double *missing)
{
    static const ag_mistake kinds[] = {AG_MISTAKE_MISSING_CONSTANT, AG_MISTAKE_MISSING_INPUT,
                                       AG_MISTAKE_MISSING_OUTPUT};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds && !d->check->report->mistake; i++) {
        const term t = {kinds[i], values, axis, weighted};
        double factor;
        bool explains;
        if (!fill_term(d, &t, values))
            continue;
        ag_status status = try_term(d, &t, missing, &factor, &explains);
        if (status != AG_OK)
            return status;
        if (explains)
            report_term(d, &t, factor);
    }
    return AG_OK;
}

ag_status diagnose_terms(diagnosis *d)
{
    double *values = gradcheck_alloc(d->check, (size_t)d->size * sizeof *values);
    double *missing = gradcheck_alloc(d->check, (size_t)d->size * sizeof *missing);
    if (!values || !missing)
        return AG_NO_MEMORY;
    for (int64_t k = 0; k < d->size; k++)
        missing[k] = d->analytic[k] - d->numeric[k];
    ag_status status = try_kinds(d, -1, true, values, missing);
    if (status == AG_OK && !d->check->report->mistake)
        status = try_kinds(d, -1, false, values, missing);
    for (int axis = 0; axis < d->shape.ndim && status == AG_OK && !d->check->report->mistake; axis++)
        if (d->shape.dim[axis] >= 3)
            status = try_kinds(d, axis, false, values, missing);
    return status;
}
