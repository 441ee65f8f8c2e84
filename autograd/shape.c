/* shape.c - sizes, equality and printing of shapes. */
#include "autograd.h"

#include <stdio.h>

int64_t ag_shape_size(ag_shape shape)
{
    /* Far below PTRDIFF_MAX bytes: offsets and sums of a few sizes cannot overflow. */
    const int64_t most = INT64_MAX / 64 / (int64_t)sizeof(ag_real);
    int64_t size = 1;
    bool empty = false;

    if (shape.ndim < 0 || shape.ndim > AG_MAX_DIMS)
        return -1;
    for (int i = 0; i < shape.ndim; i++) {
        if (shape.dim[i] < 0)
            return -1;
        if (shape.dim[i] == 0)
            empty = true;
        else if (size > most / shape.dim[i])
            return -1;
        else
            size *= shape.dim[i];
    }
    return empty ? 0 : size;
}

bool ag_shape_equal(ag_shape a, ag_shape b)
{
    if (a.ndim != b.ndim)
        return false;
    for (int i = 0; i < a.ndim; i++)
        if (a.dim[i] != b.dim[i])
            return false;
    return true;
}

char *ag_shape_print(ag_shape shape, char text[AG_SHAPE_TEXT])
{
    int at = snprintf(text, AG_SHAPE_TEXT, "[");
    for (int i = 0; i < shape.ndim && i < AG_MAX_DIMS; i++)
        at += snprintf(text + at, AG_SHAPE_TEXT - (size_t)at, "%s%lld", i ? "," : "", (long long)shape.dim[i]);
    snprintf(text + at, AG_SHAPE_TEXT - (size_t)at, "]");
    return text;
}
