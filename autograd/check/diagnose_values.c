/* diagnose_values.c - mistakes that show in the elements of both sides alone: zero,
 * flipped, multiplied, transposed, shifted, summed once too often. */
#include "../broadcast.h"
#include "diagnose.h"

#include <math.h>

#define FACTOR_DIGITS (sizeof(ag_real) == sizeof(double) ? 10 : 4) /* as many as are known */

/* ---- Zero, sign, factor ------------------------------------------------------------ */

/* A gradient that is `factor` times the right one. */
static ag_status predict_multiple(diagnosis *d, const void *factor, int64_t k, prediction *p)
{
    const double f = *(const double *)factor;
    *p = (prediction){f * d->numeric[k], fabs(f) * d->noise[k]};
    return AG_OK;
}

/* The factor that fits best; 0 if there is none. */
static double fit_factor(const diagnosis *d)
{
    double product = 0, square = 0;
    for (int64_t k = 0; k < d->size; k++)
        if ((!d->inside || d->inside[k]) && !isnan(d->numeric[k])) {
            product += d->analytic[k] * d->numeric[k];
            square += d->numeric[k] * d->numeric[k];
        }
    return square > 0 && isfinite(product) ? product / square : 0;
}

/* How a size n may be in a factor. */
static const struct {
    const char *before, *after;
    bool root, inverse;
} size_forms[] = {
    {"", "", false, false}, {"1/", "", false, true}, {"sqrt(", ")", true, false}, {"1/sqrt(", ")", true, true}};

/* Prints " (1/4, and 4 is the size of axis 0 of the result)" if the factor is such a
 * number. */
static bool name_by_size(double factor, int64_t size, const char *what, char *text, size_t room)
{
    for (size_t i = 0; i < sizeof size_forms / sizeof *size_forms && size > 1; i++) {
        double number = (double)size;
        number = size_forms[i].root ? sqrt(number) : number;
        number = size_forms[i].inverse ? 1 / number : number;
        const bool is_two = size == (size_forms[i].root ? 4 : 2); /* has too many other causes */
        if (is_two || fabs(fabs(factor) - number) > GRADCHECK_TOLERANCE * number)
            continue;
        ag_text_print(text, room, " (%s%s%lld%s, and %lld is the size of %s)", factor < 0 ? "-" : "",
                      size_forms[i].before, (long long)size, size_forms[i].after, (long long)size, what);
        return true;
    }
    return false;
}

/* The same for the axes of a shape, the last one first, and then for all of them. */
static bool name_by_shape(double factor, ag_shape shape, const char *owner, char *text, size_t room)
{
    char what[64];
    for (int axis = shape.ndim - 1; axis >= 0; axis--) {
        ag_text_print(what, sizeof what, "axis %d of the %s", axis, owner);
        if (name_by_size(factor, shape.dim[axis], what, text, room))
            return true;
    }
    ag_text_print(what, sizeof what, "the whole %s", owner);
    return name_by_size(factor, ag_shape_size(shape), what, text, room);
}

/* The axis of the result along which the input stretches, and whose size is the factor;
 * -1 if there is none. */
static int find_stretched_axis(const diagnosis *d, double factor)
{
    const ag_shape result = d->check->shape;
    if (d->inside || !broadcast_fits(d->shape, result))
        return -1;
    for (int axis = 0; axis < result.ndim; axis++) {
        const int own = axis - (result.ndim - d->shape.ndim);
        const bool stretches = own < 0 || d->shape.dim[own] == 1;
        if (stretches && result.dim[axis] > 1 && fabs(factor / (double)result.dim[axis] - 1) <= GRADCHECK_TOLERANCE)
            return axis;
    }
    return -1;
}

/* Whether a factor of this size may come from elsewhere than the stretched axis: 2 has
 * many causes, and an axis of the input may have the size as well. */
static bool is_size_ambiguous(const diagnosis *d, int64_t size)
{
    bool ambiguous = size == 2;
    for (int axis = 0; axis < d->shape.ndim; axis++)
        ambiguous = ambiguous || d->shape.dim[axis] == size;
    return ambiguous;
}

/* A factor that is the size of an axis along which the input stretches. */
static void report_stretched(const diagnosis *d, int axis)
{
    const int64_t size = d->check->shape.dim[axis];
    if (!is_size_ambiguous(d, size)) {
        diagnosis_report(d, AG_MISTAKE_SUMMED_TWICE,
                         "is %lld times what it must be, the size of axis %d of the result, along which the input "
                         "stretches: the sum over this axis is taken twice",
                         (long long)size, axis);
        return;
    }
    diagnosis_report(d, AG_MISTAKE_FACTOR,
                     "is %lld times what it must be: a factor, or the sum over axis %d of the result, along which the "
                     "input stretches and whose size is %lld too, is taken twice",
                     (long long)size, axis, (long long)size);
    d->check->other_mistake = AG_MISTAKE_SUMMED_TWICE;
}

static ag_status diagnose_factor(diagnosis *d)
{
    const double factor = fit_factor(d);
    bool explains;
    ag_status status = diagnosis_explains(d, predict_multiple, &factor, DIAGNOSIS_TELLING, &explains);
    if (status != AG_OK || !explains)
        return status;
    const int axis = find_stretched_axis(d, factor);
    char name[128] = "";
    if (axis >= 0) {
        report_stretched(d, axis);
        return AG_OK;
    }
    if (!name_by_shape(factor, d->shape, "input", name, sizeof name))
        (void)name_by_shape(factor, d->check->shape, "result", name, sizeof name);
    diagnosis_report(d, AG_MISTAKE_FACTOR, "is %.*g times what it must be%s", FACTOR_DIGITS, factor, name);
    return AG_OK;
}

/* Whether all elements are exactly 0, those too that backward found for the message. */
static bool is_exactly_zero(const diagnosis *d)
{
    bool zero = d->inside || d->check->report->analytic == 0;
    for (int64_t k = 0; k < d->size && zero; k++)
        zero = (d->inside && !d->inside[k]) || d->analytic[k] == 0;
    return zero;
}

/* What is next to 0 but not 0 is no multiple: its factor would be made of noise. */
ag_status diagnose_multiple(diagnosis *d)
{
    const double zero = 0, minus_one = -1;
    bool explains;
    ag_status status = diagnosis_explains(d, predict_multiple, &zero, 1, &explains);
    if (status != AG_OK || explains) {
        if (explains && is_exactly_zero(d))
            diagnosis_report(d, AG_MISTAKE_ZERO, "is exactly 0%s",
                             d->inside ? "" : " everywhere: the way from the input to the result is severed");
        return status;
    }
    status = diagnosis_explains(d, predict_multiple, &minus_one, 2, &explains);
    if (status != AG_OK || !explains)
        return status == AG_OK ? diagnose_factor(d) : status;
    diagnosis_report(d, AG_MISTAKE_SIGN, "has the opposite sign");
    return AG_OK;
}

/* ---- Elements in the wrong place --------------------------------------------------- */

/* Where along the axes the element comes from whose right gradient is found here. */
typedef struct misplacement {
    int axis, other; /* swapped; or `other` is -1 .. */
    int64_t by;      /* .. and the elements are shifted along `axis` by so many places */
} misplacement;

/* Element k of what has two axes swapped, or is shifted; NaN beyond its ends. */
static ag_status predict_misplaced(diagnosis *d, const void *suspicion, int64_t k, prediction *p)
{
    const misplacement *m = suspicion;
    const int64_t stride = axis_stride(d->shape, m->axis), at = axis_coordinate(d->shape, m->axis, k);
    int64_t from;
    if (m->other >= 0) {
        const int64_t other = axis_coordinate(d->shape, m->other, k);
        from = k + (other - at) * stride + (at - other) * axis_stride(d->shape, m->other);
    } else {
        from = at + m->by >= 0 && at + m->by < d->shape.dim[m->axis] ? k + m->by * stride : -1;
    }
    *p = from < 0 ? (prediction){NAN, 0} : (prediction){d->numeric[from], d->noise[from]};
    return AG_OK;
}

/* The last two axes in each other's order in memory, where their sizes differ: written
 * so, or `read` so. */
static ag_status predict_transposed_layout(diagnosis *d, const void *read, int64_t k, prediction *p)
{
    const bool is_read = *(const bool *)read;
    const int64_t last = d->shape.dim[d->shape.ndim - 1], other = d->shape.dim[d->shape.ndim - 2];
    const int64_t rows = is_read ? last : other, columns = is_read ? other : last;
    const int64_t place = k % (rows * columns), begin = k - place;
    const int64_t from = begin + place % rows * columns + place / rows;
    *p = (prediction){d->numeric[from], d->noise[from]};
    return AG_OK;
}

static ag_status diagnose_transposed(diagnosis *d)
{
    bool explains = false;
    ag_status status = AG_OK;
    const int n = d->shape.ndim;
    for (int axis = 0; axis < n; axis++)
        for (int other = axis + 1; other < n && status == AG_OK && !explains; other++) {
            if (d->shape.dim[axis] != d->shape.dim[other])
                continue;
            status =
                diagnosis_explains(d, predict_misplaced, &(misplacement){axis, other, 0}, DIAGNOSIS_TELLING, &explains);
            if (status == AG_OK && explains)
                diagnosis_report(d, AG_MISTAKE_TRANSPOSED, "is transposed: its axes %d and %d are swapped", axis,
                                 other);
        }
    if (status != AG_OK || explains || n < 2 || d->shape.dim[n - 2] == d->shape.dim[n - 1])
        return status;
    bool read = false;
    status = diagnosis_explains(d, predict_transposed_layout, &read, DIAGNOSIS_TELLING, &explains);
    if (status == AG_OK && !explains) {
        read = true;
        status = diagnosis_explains(d, predict_transposed_layout, &read, DIAGNOSIS_TELLING, &explains);
    }
    if (status == AG_OK && explains)
        diagnosis_report(d, AG_MISTAKE_TRANSPOSED, "is transposed: it %s as [%lld,%lld] and not as [%lld,%lld]",
                         read ? "is read" : "lies in memory", (long long)d->shape.dim[n - 1],
                         (long long)d->shape.dim[n - 2], (long long)d->shape.dim[n - 2],
                         (long long)d->shape.dim[n - 1]);
    return status;
}

static ag_status diagnose_shifted(diagnosis *d)
{
    bool explains = false;
    ag_status status = AG_OK;
    for (int axis = 0; axis < d->shape.ndim; axis++)
        for (int by = -1; by <= 1 && status == AG_OK && !explains; by += 2) {
            if (d->shape.dim[axis] < 3)
                continue;
            status =
                diagnosis_explains(d, predict_misplaced, &(misplacement){axis, -1, by}, DIAGNOSIS_TELLING, &explains);
            if (status == AG_OK && explains)
                diagnosis_report(d, AG_MISTAKE_SHIFTED,
                                 "is shifted by one along axis %d: at index i it is what index "
                                 "i%+d must have",
                                 axis, by);
        }
    return status;
}

/* The sum along an axis of the input, spread over it again. */
static ag_status predict_spread(diagnosis *d, const void *suspicion, int64_t k, prediction *p)
{
    const int axis = *(const int *)suspicion;
    const int64_t stride = axis_stride(d->shape, axis), first = k - axis_coordinate(d->shape, axis, k) * stride;
    *p = (prediction){0, 0};
    for (int64_t i = 0; i < d->shape.dim[axis]; i++) {
        p->value += d->numeric[first + i * stride];
        p->noise += d->noise[first + i * stride];
    }
    return AG_OK;
}

static ag_status diagnose_spread(diagnosis *d)
{
    bool explains = false;
    ag_status status = AG_OK;
    for (int axis = 0; axis < d->shape.ndim && status == AG_OK && !explains; axis++) {
        if (d->shape.dim[axis] < 2)
            continue;
        status = diagnosis_explains(d, predict_spread, &axis, DIAGNOSIS_TELLING, &explains);
        if (status == AG_OK && explains)
            diagnosis_report(d, AG_MISTAKE_SUMMED_TWICE,
                             "is summed over axis %d of the input too, which does not stretch", axis);
    }
    return status;
}

ag_status diagnose_values(diagnosis *d)
{
    ag_status (*const groups[])(diagnosis *) = {diagnose_multiple, diagnose_transposed, diagnose_shifted,
                                                diagnose_spread};
    ag_status status = AG_OK;
    for (size_t i = 0; i < sizeof groups / sizeof *groups && status == AG_OK && !d->check->report->mistake; i++)
        status = groups[i](d);
    return status;
}
