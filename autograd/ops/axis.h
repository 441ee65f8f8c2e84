/* axis.h - axes by number, for operations along one of them. */
#ifndef AUTOGRAD_OPS_AXIS_H
#define AUTOGRAD_OPS_AXIS_H

#include "autograd.h"

/* The axis counted from the front, where a negative one counts from the end. Returns -1,
 * and the tape has an error, if `shape` has no such axis. */
static inline int axis_from_front(const ag_node *node, ag_shape shape, int axis)
{
    char text[AG_SHAPE_TEXT];
    if (axis >= -shape.ndim && axis < shape.ndim)
        return axis < 0 ? axis + shape.ndim : axis;
    ag_fail(node, AG_BAD_VALUE, "%s has no axis %d", ag_shape_print(shape, text), axis);
    return -1;
}

/* The product of the sizes of the axes begin .. end - 1. */
static inline int64_t axes_size(ag_shape shape, int begin, int end)
{
    int64_t size = 1;
    for (int i = begin; i < end; i++)
        size *= shape.dim[i];
    return size;
}

#endif
