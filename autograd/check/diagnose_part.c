/* diagnose_part.c - a mistake in a part of the elements: some rows, columns, heads, batch
 * items, or a single element.
 *
 * The wrong elements span a box: along each axis, the indices at which there is one. The
 * box is the diagnosis if nearly all in it is wrong and it is not the whole. Scattered
 * faults span the whole, or a box of which most is right. */
#include "diagnose.h"

#include <math.h>
#include <string.h>

typedef struct box {
    bool *has[AG_MAX_DIMS];      /* [shape.dim[axis]]: indices at which an element is wrong */
    int64_t length[AG_MAX_DIMS]; /* how many these are */
    int64_t wrong;               /* elements that are wrong */
    bool doubtful;               /* one of them may be so by the numeric side's own error */
} box;

static bool is_wrong(const diagnosis *d, int64_t k)
{
    if (isnan(d->numeric[k]))
        return false;
    return !(gradcheck_error(d->analytic[k], d->numeric[k]) <= d->check->options.tolerance);
}

/* What the indices of an axis are called. */
static const char *axis_word(ag_shape shape, int axis, bool several)
{
    static const char *const words[][2] = {
        {"column", "columns"}, {"row", "rows"}, {"head", "heads"}, {"batch item", "batch items"}};
    const int from_end = shape.ndim - 1 - axis;
    if (shape.ndim == 1)
        return several ? "elements" : "element";
    if (from_end < 2 || (shape.ndim == 4 && from_end == 2))
        return words[from_end][several];
    return axis == 0 ? words[3][several] : several ? "indices" : "index";
}

static bool contains(const diagnosis *d, const box *b, int64_t k)
{
    for (int axis = 0; axis < d->shape.ndim; axis++)
        if (!b->has[axis][axis_coordinate(d->shape, axis, k)])
            return false;
    return true;
}

static ag_status find_box(diagnosis *d, box *b)
{
    *b = (box){0};
    for (int axis = 0; axis < d->shape.ndim; axis++) {
        b->has[axis] = gradcheck_alloc(d->check, (size_t)d->shape.dim[axis]);
        if (!b->has[axis])
            return AG_NO_MEMORY;
        memset(b->has[axis], 0, (size_t)d->shape.dim[axis]);
    }
    for (int64_t k = 0; k < d->size; k++) {
        if (!is_wrong(d, k))
            continue;
        b->wrong++;
        b->doubtful = b->doubtful || !diagnosis_is_far(d, k);
        for (int axis = 0; axis < d->shape.ndim; axis++) {
            bool *has = &b->has[axis][axis_coordinate(d->shape, axis, k)];
            b->length[axis] += !*has;
            *has = true;
        }
    }
    return AG_OK;
}

/* Whether the indices, of which there is one at least, are neighbours. */
static bool is_run(const bool *has, int64_t length)
{
    int64_t i = 0, run = 0;
    while (!has[i])
        i++;
    while (run < length && has[i + run])
        run++;
    return run == length;
}

/* Whether the box says more than a list of its elements: it is dense, what is right
 * around it could have been wrong, and its description is short beside what it describes.
 * Two or three elements in a box that is bounded along several axes may be there by
 * chance. */
static bool is_clear(const diagnosis *d, const box *b)
{
    int64_t inside = 1, described = 0, outside = 0, right = 0, restricted = 0;
    if (b->wrong == 0 || b->doubtful || d->size < 4)
        return false;
    for (int axis = 0; axis < d->shape.ndim; axis++) {
        inside *= b->length[axis];
        if (b->length[axis] == d->shape.dim[axis])
            continue;
        restricted++;
        described += is_run(b->has[axis], b->length[axis]) ? 2 : d->shape.dim[axis];
    }
    if (inside == d->size)
        return false;
    for (int64_t k = 0; k < d->size; k++)
        if (!contains(d, b, k) && !isnan(d->numeric[k])) {
            outside++;
            right += diagnosis_has_signal(d, k);
        }
    const bool clear_place = restricted == 1 || b->wrong == 1 || b->wrong >= 4;
    return clear_place && 10 * b->wrong >= 8 * inside && 2 * right >= outside && d->size >= 2 * described;
}

/* Prints "row 2", "rows 0 and 3", "rows 4 to 7", or how many there are. */
static void print_indices(const diagnosis *d, const box *b, int axis, char text[96])
{
    const int64_t length = b->length[axis], size = d->shape.dim[axis];
    const bool *has = b->has[axis];
    const char *word = axis_word(d->shape, axis, length > 1);
    int64_t first = 0, last = size - 1;
    while (!has[first])
        first++;
    while (!has[last])
        last--;
    if (length == 1)
        ag_text_print(text, 96, "%s %lld", word, (long long)first);
    else if (length == 2)
        ag_text_print(text, 96, "%s %lld and %lld", word, (long long)first, (long long)last);
    else if (last - first + 1 == length)
        ag_text_print(text, 96, "%s %lld to %lld", word, (long long)first, (long long)last);
    else
        ag_text_print(text, 96, "%lld of the %lld %s, from %lld to %lld,", (long long)length, (long long)size, word,
                      (long long)first, (long long)last);
}

/* Prints "columns 0 to 3 of head 1": the axes along which the box is not everything. */
static void print_box(const diagnosis *d, const box *b, char text[256])
{
    size_t at = 0;
    for (int axis = d->shape.ndim - 1; axis >= 0; axis--) {
        char indices[96];
        if (b->length[axis] == d->shape.dim[axis])
            continue;
        print_indices(d, b, axis, indices);
        ag_text_print(text + at, 256 - at, "%s%s", at ? " of " : "", indices);
        at += strlen(text + at);
    }
}

/* What is wrong in the box, if it is zero, the sign or a factor. */
static ag_status report_kind(diagnosis *d, const box *b)
{
    ag_gradcheck_report *report = d->check->report;
    char place[256], kind[AG_MESSAGE_SIZE];
    d->inside = gradcheck_alloc(d->check, (size_t)d->size);
    if (!d->inside)
        return AG_NO_MEMORY;
    for (int64_t k = 0; k < d->size; k++)
        d->inside[k] = contains(d, b, k);
    ag_status status = diagnose_multiple(d);
    d->inside = NULL;
    if (status != AG_OK || !report->mistake)
        return status;
    print_box(d, b, place);
    ag_text_print(kind, sizeof kind, "%s", report->diagnosis + strlen(d->subject) + 1);
    diagnosis_report(d, AG_MISTAKE_PART, "is wrong in %s alone; there it %s", place, kind);
    return AG_OK;
}

ag_status diagnose_part(diagnosis *d)
{
    box wrong;
    ag_status status = find_box(d, &wrong);
    return status == AG_OK && is_clear(d, &wrong) ? report_kind(d, &wrong) : status;
}

ag_status diagnose_place(diagnosis *d)
{
    box wrong;
    char place[256];
    ag_status status = find_box(d, &wrong);
    if (status != AG_OK || !is_clear(d, &wrong))
        return status;
    print_box(d, &wrong, place);
    diagnosis_report(d, AG_MISTAKE_PART, "is wrong in %s alone", place);
    return AG_OK;
}
