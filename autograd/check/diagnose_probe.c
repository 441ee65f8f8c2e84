/* diagnose_probe.c - mistakes that show when the right derivative is taken at another
 * point or with other weights of the result.
 *
 * A backward that reads x[i + 1] for x[i], or B for its transpose, computes the gradient
 * of another point; one that reads the wrong elements of dy, or not all of them, that of
 * other weights. So the differences move there, element by element, and stop at the first
 * that is not the wrong gradient's. */
#include "../broadcast.h"
#include "diagnose.h"

#include <math.h>
#include <string.h>

/* Where to differentiate. */
typedef struct probe {
    ag_real *weights; /* [size of the result]; NULL: those of the check */
    ag_real **point;  /* [inputs]; NULL: the origin */
    bool rest;        /* predict the right gradient less this derivative */
    int edge_axis;    /* of the input: say nothing of its .. */
    int64_t edge;     /* .. index there; -1: of all */
} probe;

/* What a probe changes in the check, to be put back. */
typedef struct saved_state {
    ag_real *weights, **origin;
    uint64_t side;
    ag_error *error;
} saved_state;

static ag_status predict_elsewhere(diagnosis *d, const void *suspicion, int64_t k, prediction *p)
{
    const probe *where = suspicion;
    *p = (prediction){NAN, 0};
    if (where->edge >= 0 && axis_coordinate(d->shape, where->edge_axis, k) == where->edge)
        return AG_OK;
    gradcheck_estimate slope;
    ag_status status = diagnosis_differentiate(d, k, &slope);
    if (status == AG_OK)
        *p = (prediction){where->rest ? d->numeric[k] - slope.slope : slope.slope,
                          where->rest ? d->noise[k] + slope.error : slope.error};
    return status;
}

/* Moves the check to the probe's point. */
static ag_status enter(gradcheck *check, const probe *where)
{
    ag_tensor *y;
    if (where->weights)
        check->weights = where->weights;
    if (!where->point)
        return AG_OK;
    check->origin = where->point;
    gradcheck_return(check);
    ag_status status = gradcheck_evaluate(check, check->tape, &y);
    check->side = check->kinks.hash;
    return status;
}

/* Whether the derivative there explains the evidence. A function that fails at the point,
 * as beyond its domain, explains nothing. */
static ag_status try_probe(diagnosis *d, const probe *where, bool *explains)
{
    gradcheck *check = d->check;
    ag_error unheard = {0};
    const saved_state saved = {check->weights, check->origin, check->side, check->error};
    *explains = false;
    check->error = &unheard;
    ag_status status = enter(check, where);
    if (status == AG_OK)
        status = diagnosis_explains(d, predict_elsewhere, where, DIAGNOSIS_TELLING, explains);
    check->weights = saved.weights;
    check->origin = saved.origin;
    check->side = saved.side;
    check->error = saved.error;
    gradcheck_return(check);
    if (status == AG_NO_MEMORY)
        return ag_error_set(check->error, status, "%s", unheard.message);
    return AG_OK;
}

/* Copies an array with two of its axes swapped, which are of one size. */
static void copy_transposed(ag_real *to, const ag_real *from, ag_shape shape, int axis, int other)
{
    const int64_t size = ag_shape_size(shape), step = axis_stride(shape, axis), other_step = axis_stride(shape, other);
    for (int64_t k = 0; k < size; k++) {
        const int64_t by = axis_coordinate(shape, other, k) - axis_coordinate(shape, axis, k);
        to[k] = from[k + by * step - by * other_step];
    }
}

/* Copies an array so that index i of the axis has what i + by had; what comes from beyond
 * the end is taken from the other one, or 0. */
static void copy_shifted(ag_real *to, const ag_real *from, ag_shape shape, int axis, int by, bool around)
{
    const int64_t size = ag_shape_size(shape), stride = axis_stride(shape, axis), length = shape.dim[axis];
    for (int64_t k = 0; k < size; k++) {
        const int64_t at = axis_coordinate(shape, axis, k), source = at + by;
        const bool beyond = source < 0 || source >= length;
        to[k] = beyond && !around ? 0 : from[k + ((source + length) % length - at) * stride];
    }
}

/* ---- Other weights: wrong elements of dy, or not all ------------------------------- */

/* The weights of one index of an axis of the result, 0 elsewhere; with axis -1 those of
 * the first (index 0) or last (-1) index of every axis along which the input
 * stretches. */
static void keep_weights(const diagnosis *d, int axis, int64_t index, ag_real *weights)
{
    const gradcheck *check = d->check;
    const ag_shape result = check->shape;
    for (int64_t k = 0; k < check->size; k++) {
        bool kept = true;
        for (int a = 0; a < result.ndim; a++) {
            const int own = a - (result.ndim - d->shape.ndim);
            const bool concerned = axis >= 0 ? a == axis : own < 0 || d->shape.dim[own] == 1;
            const int64_t wanted = index < 0 ? result.dim[a] - 1 : index;
            kept = kept && (!concerned || axis_coordinate(result, a, k) == wanted);
        }
        weights[k] = kept ? check->weights[k] : 0;
    }
}

/* Only one index of an axis of the result counts, or all the `rest` does. */
static ag_status probe_index(diagnosis *d, int axis, int64_t index, bool rest, ag_real *weights)
{
    bool explains;
    keep_weights(d, axis, index, weights);
    ag_status status = try_probe(d, &(probe){.weights = weights, .rest = rest, .edge = -1}, &explains);
    if (status != AG_OK || !explains)
        return status;
    if (d->check->shape.dim[axis] == 2) {
        diagnosis_report(d, AG_MISTAKE_NOT_SUMMED,
                         "counts only index %lld of axis %d of the result, which has 2: the sum over this axis is "
                         "lacking, or leaves out index %lld",
                         (long long)index, axis, (long long)(1 - index));
        d->check->other_mistake = AG_MISTAKE_PART;
        return AG_OK;
    }
    if (rest)
        diagnosis_report(d, AG_MISTAKE_PART,
                         "lacks a part of the sum over axis %d of the result: index %lld does not count", axis,
                         (long long)index);
    else
        diagnosis_report(d, AG_MISTAKE_NOT_SUMMED,
                         "lacks the sum over axis %d of the result: only index %lld of it counts", axis,
                         (long long)index);
    return AG_OK;
}

/* None of the sums over the axes along which the input stretches is taken. */
static ag_status probe_all_stretched(diagnosis *d, ag_real *weights)
{
    for (int64_t index = -1; index <= 0; index++) {
        bool explains;
        keep_weights(d, -1, index, weights);
        ag_status status = try_probe(d, &(probe){.weights = weights, .edge = -1}, &explains);
        if (status != AG_OK)
            return status;
        if (explains) {
            diagnosis_report(d, AG_MISTAKE_NOT_SUMMED,
                             "lacks the sum over the axes of the result along which the input stretches: only the %s "
                             "element of them counts",
                             index ? "last" : "first");
            return AG_OK;
        }
    }
    return AG_OK;
}

static ag_status probe_sums(diagnosis *d, ag_real *weights)
{
    const ag_shape result = d->check->shape;
    for (int rest = 0; rest <= 1; rest++)
        for (int axis = 0; axis < result.ndim; axis++)
            for (int64_t i = 0; i < result.dim[axis] && result.dim[axis] > 1; i++) {
                ag_status status = probe_index(d, axis, i, rest, weights);
                if (status != AG_OK || d->check->report->mistake)
                    return status;
            }
    return broadcast_fits(d->shape, result) ? probe_all_stretched(d, weights) : AG_OK;
}

/* The result's gradient is read transposed, or shifted. */
static ag_status probe_misread_weights(diagnosis *d, ag_real *weights)
{
    const ag_shape result = d->check->shape;
    bool explains = false;
    ag_status status = AG_OK;
    for (int axis = 0; axis < result.ndim; axis++) {
        for (int other = axis + 1; other < result.ndim && status == AG_OK && !explains; other++) {
            if (result.dim[axis] != result.dim[other])
                continue;
            copy_transposed(weights, d->check->weights, result, axis, other);
            status = try_probe(d, &(probe){.weights = weights, .edge = -1}, &explains);
            if (explains)
                diagnosis_report(d, AG_MISTAKE_TRANSPOSED,
                                 "is made of the result's gradient with the axes %d and %d swapped", axis, other);
        }
        for (int way = 0; way < 4 && status == AG_OK && !explains && result.dim[axis] > 2; way++) {
            const int by = way & 1 ? 1 : -1;
            copy_shifted(weights, d->check->weights, result, axis, by, way > 1);
            status = try_probe(d, &(probe){.weights = weights, .edge = -1}, &explains);
            if (explains)
                diagnosis_report(
                    d, AG_MISTAKE_SHIFTED,
                    "is made of the result's gradient shifted by one along axis %d: index i%+d for index i", axis, by);
        }
    }
    return status;
}

/* ---- Another point: wrong elements of the inputs ----------------------------------- */

/* "input 1 (weight)" */
static const char *print_input(const diagnosis *d, int input, char text[96])
{
    const char *name = d->check->inputs[input].name;
    ag_text_print(text, 96, "input %d (%.60s)", input, name ? name : "unnamed");
    return text;
}

/* An input is read transposed or shifted: `moved` is its place in the point. */
static ag_status probe_misread_input(diagnosis *d, ag_real **point, int input, ag_real *moved)
{
    const ag_shape shape = d->check->inputs[input].shape;
    const ag_real *origin = d->check->origin[input];
    char name[96];
    bool explains = false;
    ag_status status = AG_OK;
    for (int axis = 0; axis < shape.ndim; axis++) {
        for (int other = axis + 1; other < shape.ndim && status == AG_OK && !explains; other++) {
            if (shape.dim[axis] != shape.dim[other])
                continue;
            copy_transposed(moved, origin, shape, axis, other);
            status = try_probe(d, &(probe){.point = point, .edge = -1}, &explains);
            if (explains)
                diagnosis_report(d, AG_MISTAKE_TRANSPOSED, "is made of %s with the axes %d and %d swapped",
                                 print_input(d, input, name), axis, other);
        }
        for (int by = -1; by <= 1 && status == AG_OK && !explains && shape.dim[axis] > 2; by += 2) {
            const probe shifted = {.point = point,
                                   .edge_axis = axis + d->shape.ndim - shape.ndim,
                                   .edge = !broadcast_fits(shape, d->shape) ? -1
                                           : by < 0                         ? 0
                                                                            : shape.dim[axis] - 1};
            copy_shifted(moved, origin, shape, axis, by, true);
            status = try_probe(d, &shifted, &explains);
            if (explains)
                diagnosis_report(d, AG_MISTAKE_SHIFTED,
                                 "is made of %s shifted by one along axis %d: index i%+d for index i",
                                 print_input(d, input, name), axis, by);
        }
    }
    return status;
}

static ag_status probe_inputs(diagnosis *d)
{
    gradcheck *check = d->check;
    ag_real **point = gradcheck_alloc(check, (size_t)check->count * sizeof *point);
    ag_status status = point ? AG_OK : AG_NO_MEMORY;
    for (int j = 0; j < check->count && status == AG_OK && !check->report->mistake; j++) {
        memcpy(point, check->origin, (size_t)check->count * sizeof *point);
        point[j] = gradcheck_alloc(check, (size_t)gradcheck_input_size(check, j) * sizeof *point[j]);
        status = point[j] ? probe_misread_input(d, point, j, point[j]) : AG_NO_MEMORY;
    }
    return status;
}

ag_status diagnose_probes(diagnosis *d)
{
    ag_real *weights = gradcheck_alloc(d->check, (size_t)d->check->size * sizeof *weights);
    if (!weights)
        return AG_NO_MEMORY;
    ag_status status = probe_sums(d, weights);
    if (status == AG_OK && !d->check->report->mistake)
        status = probe_misread_weights(d, weights);
    if (status == AG_OK && !d->check->report->mistake)
        status = probe_inputs(d);
    return status;
}

ag_status diagnose_stale(diagnosis *d)
{
    gradcheck *check = d->check;
    bool explains;
    ag_real **point = gradcheck_alloc(check, (size_t)check->count * sizeof *point);
    for (int i = 0; point && i < check->count; i++) {
        point[i] = gradcheck_alloc(check, (size_t)gradcheck_input_size(check, i) * sizeof *point[i]);
        if (!point[i])
            return AG_NO_MEMORY;
        gradcheck_move_elsewhere(check, i, point[i]);
    }
    if (!point)
        return AG_NO_MEMORY;
    ag_status status = try_probe(d, &(probe){.point = point, .edge = -1}, &explains);
    if (status == AG_OK && !explains) /* or it keeps the gradient itself */
        status = try_probe(d, &(probe){.point = point, .weights = check->elsewhere, .edge = -1}, &explains);
    if (status == AG_OK && explains)
        diagnosis_report(d, AG_MISTAKE_STALE,
                         "is that of another call: the function or its backward keeps values of "
                         "one call outside the tape");
    return status;
}
