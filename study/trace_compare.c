/* trace_compare.c - finds the first tensor in which two traces differ, in the order in
 * which a model computes. */
#include "study.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Order ------------------------------------------------------------------------- */

/* The rank of a tensor by its part of the file: forward, gradients, gradients of
 * parameters, anything else. */
static int rank_of(const char *name)
{
    static const char *const parts[] = {"forward/", "gradient/", "parameter/"};
    for (int i = 0; i < 3; i++)
        if (!strncmp(name, parts[i], strlen(parts[i])))
            return i;
    return 3;
}

/* Names begin with the number of their operation, so order by name is order of execution;
 * gradients are computed from the last operation backwards. */
static int by_execution(const void *a, const void *b)
{
    const char *x = (*(const data_tensor *const *)a)->name, *y = (*(const data_tensor *const *)b)->name;
    const int part = rank_of(x), difference = part - rank_of(y), order = strcmp(x, y);
    return difference ? difference : part == 1 ? -order : order;
}

/* ---- Two tensors ------------------------------------------------------------------- */

static bool same_shape(const data_tensor *a, const data_tensor *b)
{
    bool same = a->rank == b->rank;
    for (int i = 0; same && i < a->rank; i++)
        same = a->shape[i] == b->shape[i];
    return same;
}

/* An element of a tensor: an integer exactly, any other number as a double. */
typedef struct trace_number {
    double value; /* the nearest double */
    bool whole, negative;
    uint64_t magnitude; /* if it is whole */
} trace_number;

static double distance(trace_number a, trace_number b)
{
    if (!a.whole || !b.whole || a.negative != b.negative)
        return fabs(a.value - b.value);
    return (double)(a.magnitude > b.magnitude ? a.magnitude - b.magnitude : b.magnitude - a.magnitude);
}

/* Whether both are the same number, or both NaN, or |a - b| <= tolerance max(1, |a|,
 * |b|). An infinity must be the same: by the formula it would be within any tolerance. */
static bool agree(trace_number a, trace_number b, double tolerance)
{
    if (isfinite(a.value) && isfinite(b.value))
        return distance(a, b) <= tolerance * fmax(1, fmax(fabs(a.value), fabs(b.value)));
    return a.value == b.value || (isnan(a.value) && isnan(b.value));
}

/* The elements of a tensor. Types that may be too wide for ag_real, F64 and integers, are
 * taken from the bytes of the file. */
typedef struct trace_numbers {
    const unsigned char *bytes; /* [count, width], little-endian; NULL: see `values` */
    int width;
    bool whole, has_sign; /* integers; in two's complement */
    ag_real *values;      /* [count] */
} trace_numbers;

static trace_number whole_number(uint64_t bits, int width, bool has_sign)
{
    const uint64_t sign = UINT64_C(1) << (8 * width - 1);
    trace_number n = {.whole = true, .negative = has_sign && (bits & sign), .magnitude = bits};
    if (n.negative)
        n.magnitude = sign - (bits & (sign - 1));
    n.value = n.negative ? -(double)n.magnitude : (double)n.magnitude;
    return n;
}

static trace_number number_at(const trace_numbers *from, int64_t i)
{
    uint64_t bits = 0;
    trace_number n = {0};
    if (!from->bytes)
        return (trace_number){.value = (double)from->values[i]};
    for (int byte = from->width - 1; byte >= 0; byte--)
        bits = bits << 8 | from->bytes[i * from->width + byte];
    if (from->whole)
        return whole_number(bits, from->width, from->has_sign);
    memcpy(&n.value, &bits, sizeof n.value);
    return n;
}

static ag_status numbers_read(trace_numbers *into, const data_tensor *tensor, int64_t count, ag_error *error)
{
    const bool has_sign = tensor->dtype[0] == 'I', whole = has_sign || tensor->dtype[0] == 'U';
    *into = (trace_numbers){.whole = whole, .has_sign = has_sign};
    if ((uint64_t)count < SIZE_MAX / sizeof *into->values)
        into->values = malloc((size_t)(count + 1) * sizeof *into->values);
    if (!into->values)
        return ag_error_set(error, AG_NO_MEMORY, "out of memory to compare %s", tensor->name);
    if (count > 0 && (whole || !strcmp(tensor->dtype, "F64"))) {
        into->bytes = tensor->data;
        into->width = (int)(tensor->size / (uint64_t)count);
    }
    return data_tensor_read(tensor, into->values, count, error);
}

static void print_number(trace_number n, int digits, char text[32])
{
    if (n.whole)
        snprintf(text, 32, "%s%llu", n.negative ? "-" : "", (unsigned long long)n.magnitude);
    else
        ag_text_print(text, 32, "%.*g", digits, n.value);
}

/* Says where two tensors differ, with enough digits to tell both values apart. */
static void compare_values(const char *name, const trace_numbers *a, const trace_numbers *b, int64_t count,
                           double tolerance, study_difference *difference)
{
    int64_t first = -1, differing = 0;
    for (int64_t i = 0; i < count; i++)
        if (!agree(number_at(a, i), number_at(b, i), tolerance)) {
            first = first < 0 ? i : first;
            differing++;
        }
    if (!differing)
        return;
    char left[32], right[32];
    for (int digits = 9; digits <= 17; digits += 8) {
        print_number(number_at(a, first), digits, left);
        print_number(number_at(b, first), digits, right);
        if (strcmp(left, right) != 0)
            break;
    }
    difference->found = true;
    ag_sentence_print(difference->message, "%s differs in %lld of %lld elements, the first of them %lld: %s and %s",
                      name, (long long)differing, (long long)count, (long long)first, left, right);
}

static ag_status compare_tensors(const data_tensor *a, const data_tensor *b, double tolerance,
                                 study_difference *difference, ag_error *error)
{
    if (!same_shape(a, b)) {
        difference->found = true;
        ag_sentence_print(difference->message, "%s has another shape in each", a->name);
        return AG_OK;
    }
    uint64_t size = 1;
    for (int i = 0; i < a->rank; i++)
        size *= a->shape[i]; /* (cannot overflow: no tensor is larger than its file) */
    const int64_t count = (int64_t)size;
    trace_numbers x = {0}, y = {0};
    ag_status status = numbers_read(&x, a, count, error);
    if (status == AG_OK)
        status = numbers_read(&y, b, count, error);
    if (status == AG_OK)
        compare_values(a->name, &x, &y, count, tolerance, difference);
    free(x.values);
    free(y.values);
    return status;
}

/* ---- Two files --------------------------------------------------------------------- */

static ag_status compare_files(const data_safetensors *a, const data_safetensors *b, bool common, double tolerance,
                               study_difference *difference, ag_error *error)
{
    const int64_t count = data_safetensors_count(a);
    const data_tensor **order = malloc((size_t)(count + 1) * sizeof *order);
    ag_status status =
        order ? AG_OK : ag_error_set(error, AG_NO_MEMORY, "out of memory for %lld names", (long long)count);
    if (order) {
        for (int64_t i = 0; i < count; i++)
            order[i] = data_safetensors_at(a, i);
        qsort(order, (size_t)count, sizeof *order, by_execution);
    }
    for (int64_t i = 0; i < count && status == AG_OK && !difference->found; i++) {
        const data_tensor *other = data_safetensors_find(b, order[i]->name);
        if (other) {
            status = compare_tensors(order[i], other, tolerance, difference, error);
            difference->compared += !difference->found;
        } else if (!common) {
            difference->found = true;
            ag_sentence_print(difference->message, "%s is in the first file alone", order[i]->name);
        }
    }
    free(order);
    for (int64_t i = 0; i < data_safetensors_count(b) && status == AG_OK && !difference->found && !common; i++) {
        const char *name = data_safetensors_at(b, i)->name;
        if (!data_safetensors_find(a, name)) {
            difference->found = true;
            ag_sentence_print(difference->message, "%s is in the second file alone", name);
        }
    }
    return status;
}

ag_status study_trace_compare(const char *a, const char *b, bool common, double tolerance, study_difference *difference,
                              ag_error *error)
{
    *difference = (study_difference){0};
    ag_status status = AG_BAD_FILE;
    data_safetensors *first = data_safetensors_open(a, error), *second = NULL;
    if (first)
        second = data_safetensors_open(b, error);
    if (second)
        status = compare_files(first, second, common, tolerance, difference, error);
    else if (error)
        status = error->status;
    if (status == AG_OK && !difference->found && !difference->compared)
        status = ag_error_set(error, AG_BAD_VALUE, "%s and %s have no tensor in common", a, b);
    data_safetensors_close(first);
    data_safetensors_close(second);
    return status;
}
