/* draw.c - random shapes for the examples of operations. */
#include "draw.h"

#define MOST_ELEMENTS 60

ag_shape draw_shape(ag_example *example, int least)
{
    ag_shape shape = {.ndim = (int)ag_example_int(example, least, AG_MAX_DIMS)};
    int64_t room = MOST_ELEMENTS;
    int first = (int)ag_example_int(example, 0, AG_MAX_DIMS); /* it may be the longest */
    for (int i = 0; i < shape.ndim; i++) {
        int axis = (first + i) % shape.ndim;
        shape.dim[axis] = ag_example_int(example, 1, room < 7 ? room : 7);
        room /= shape.dim[axis];
    }
    return shape;
}

/* `shape` without some leading axes, and with size 1 along some others, at random. */
static ag_shape draw_stretched(ag_example *example, ag_shape shape)
{
    int dropped = ag_example_int(example, 0, 1) ? (int)ag_example_int(example, 0, shape.ndim) : 0;
    ag_shape result = {.ndim = shape.ndim - dropped};
    for (int i = 0; i < result.ndim; i++)
        result.dim[i] = ag_example_int(example, 0, 2) ? shape.dim[i + dropped] : 1;
    return result;
}

void draw_broadcast_pair(ag_example *example, ag_shape *a, ag_shape *b)
{
    ag_shape whole = draw_shape(example, 1);
    *a = whole;
    *b = whole;
    switch (ag_example_int(example, 0, 4)) {
    case 0:
        break;
    case 1:
        *a = draw_stretched(example, whole);
        break;
    case 2:
        *b = draw_stretched(example, whole);
        break;
    case 3:
        *a = draw_stretched(example, whole);
        *b = draw_stretched(example, whole);
        break;
    default:
        a->dim[0] = ag_example_int(example, 0, 2) ? 1 : 0;
        b->dim[0] = 1;
        break;
    }
}

unsigned draw_axes(ag_example *example, ag_shape shape)
{
    if (ag_example_int(example, 0, 3) == 0)
        return AG_ALL_AXES;
    return (unsigned)ag_example_int(example, 0, (INT64_C(1) << shape.ndim) - 1);
}
