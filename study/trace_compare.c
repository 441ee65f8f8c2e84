/* trace_compare.c - the first tensor in which two traces differ, in the order in which a model computes. */
#include "study.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Order ---------------------------------------------------------------------------------- */

/* Forward first, then the gradients, then those of the parameters, then whatever else the file holds. */
static int part_of(const char *name)
{
    static const char *const parts[] = {"forward/", "gradient/", "parameter/"};
    for (int i = 0; i < 3; i++)
        if (!strncmp(name, parts[i], strlen(parts[i])))
            return i;
    return 3;
}

/* Names carry the number of their operation, so they are in order; gradients are made from the last one backwards. */
static int earlier(const void *a, const void *b)
{
    const char *x = (*(const data_tensor *const *)a)->name, *y = (*(const data_tensor *const *)b)->name;
    const int part = part_of(x), difference = part - part_of(y), order = strcmp(x, y);
    return difference ? difference : part == 1 ? -order : order;
}

/* ---- Two tensors ---------------------------------------------------------------------------- */

static bool same_shape(const data_tensor *a, const data_tensor *b)
{
    if (a->rank != b->rank)
        return false;
    for (int i = 0; i < a->rank; i++)
        if (a->shape[i] != b->shape[i])
            return false;
    return true;
}

/* The same number, NaN too, or |a - b| within tolerance times the larger of 1 and both. An infinity, which is
 * infinitely large itself, would be within any tolerance. */
static bool agree(double a, double b, double tolerance)
{
    if (a == b || (isnan(a) && isnan(b)))
        return true;
    return isfinite(a) && isfinite(b) && fabs(a - b) <= tolerance * fmax(1, fmax(fabs(a), fabs(b)));
}

/* A tensor's elements. Those of F64 are taken from the file, where `real` may be too narrow for them. */
typedef struct numbers {
    const unsigned char *doubles; /* little-endian; NULL: `values` tells */
    real *values;                 /* [count] */
} numbers;

static double number_at(const numbers *from, int64_t i)
{
    uint64_t bits = 0;
    double value;
    if (!from->doubles)
        return (double)from->values[i];
    for (int byte = 7; byte >= 0; byte--)
        bits = bits << 8 | from->doubles[i * 8 + byte];
    memcpy(&value, &bits, sizeof value);
    return value;
}

static ag_status numbers_read(numbers *into, const data_tensor *tensor, int64_t count, ag_error *error)
{
    *into = (numbers){.doubles = strcmp(tensor->dtype, "F64") ? NULL : tensor->data};
    if ((uint64_t)count < SIZE_MAX / sizeof *into->values)
        into->values = malloc((size_t)(count + 1) * sizeof *into->values);
    if (!into->values)
        return ag_error_set(error, AG_NO_MEMORY, "out of memory to compare %s", tensor->name);
    return data_tensor_read(tensor, into->values, count, error);
}

/* With as many digits as tell the two apart. */
static void describe(const char *name, double a, double b, int64_t at, int64_t differing, int64_t count,
                     study_difference *difference)
{
    char left[32], right[32];
    for (int digits = 9; digits <= 17; digits += 8) {
        snprintf(left, sizeof left, "%.*g", digits, a);
        snprintf(right, sizeof right, "%.*g", digits, b);
        if (strcmp(left, right) != 0)
            break;
    }
    difference->found = true;
    snprintf(difference->message, sizeof difference->message,
             "%s differs in %lld of %lld elements, the first of them %lld: %s and %s", name, (long long)differing,
             (long long)count, (long long)at, left, right);
}

static void compare_values(const char *name, const numbers *a, const numbers *b, int64_t count, double tolerance,
                           study_difference *difference)
{
    int64_t first = -1, differing = 0;
    for (int64_t i = 0; i < count; i++)
        if (!agree(number_at(a, i), number_at(b, i), tolerance)) {
            first = first < 0 ? i : first;
            differing++;
        }
    if (differing)
        describe(name, number_at(a, first), number_at(b, first), first, differing, count, difference);
}

static ag_status compare_tensors(const data_tensor *a, const data_tensor *b, double tolerance,
                                 study_difference *difference, ag_error *error)
{
    if (!same_shape(a, b)) {
        difference->found = true;
        snprintf(difference->message, sizeof difference->message, "%s has another shape in each", a->name);
        return AG_OK;
    }
    uint64_t size = 1;
    for (int i = 0; i < a->rank; i++)
        size *= a->shape[i]; /* the file was checked: its tensors are no larger than itself */
    const int64_t count = (int64_t)size;
    numbers x = {0}, y = {0};
    ag_status status = numbers_read(&x, a, count, error);
    if (status == AG_OK)
        status = numbers_read(&y, b, count, error);
    if (status == AG_OK)
        compare_values(a->name, &x, &y, count, tolerance, difference);
    free(x.values);
    free(y.values);
    return status;
}

/* ---- Two files ------------------------------------------------------------------------------ */

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
        qsort(order, (size_t)count, sizeof *order, earlier);
    }
    for (int64_t i = 0; i < count && status == AG_OK && !difference->found; i++) {
        const data_tensor *other = data_safetensors_find(b, order[i]->name);
        if (other) {
            status = compare_tensors(order[i], other, tolerance, difference, error);
            difference->compared += !difference->found;
        } else if (!common) {
            difference->found = true;
            snprintf(difference->message, sizeof difference->message, "%s is in the first file alone", order[i]->name);
        }
    }
    free(order);
    for (int64_t i = 0; i < data_safetensors_count(b) && status == AG_OK && !difference->found && !common; i++) {
        const char *name = data_safetensors_at(b, i)->name;
        if (!data_safetensors_find(a, name)) {
            difference->found = true;
            snprintf(difference->message, sizeof difference->message, "%s is in the second file alone", name);
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
