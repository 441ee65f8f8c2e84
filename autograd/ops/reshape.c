/* reshape.c - the same elements in another shape. */
#include "../tape.h"
#include "axis.h"
#include "draw.h"

/* Replaces a size of -1 in `shape` by the size that gives the input's number of
 * elements. */
static ag_status infer_size(const ag_node *node, ag_shape *shape)
{
    const ag_tensor *x = node->inputs[0];
    char from[AG_SHAPE_TEXT], to[AG_SHAPE_TEXT];
    int unknown = -1;
    for (int i = 0; i < shape->ndim && i < AG_MAX_DIMS; i++) {
        if (shape->dim[i] != -1)
            continue;
        if (unknown >= 0)
            return ag_fail(node, AG_BAD_SHAPE, "%s has more than one size of -1", ag_shape_print(*shape, to));
        unknown = i;
    }
    if (unknown < 0)
        return AG_OK;
    const ag_shape given = *shape;
    shape->dim[unknown] = 1;
    int64_t rest = ag_shape_size(*shape);
    if (rest <= 0 || x->size % rest)
        return ag_fail(node, AG_BAD_SHAPE, "no size for the -1 of %s gives the %lld %s of %s",
                       ag_shape_print(given, to), (long long)x->size, ag_plural(x->size, "element", "elements"),
                       ag_shape_print(x->shape, from));
    shape->dim[unknown] = x->size / rest;
    return AG_OK;
}

static ag_status reshape_shape(ag_node *node)
{
    const ag_tensor *x = node->inputs[0];
    ag_shape shape = *(ag_shape *)node->attributes;
    char from[AG_SHAPE_TEXT], to[AG_SHAPE_TEXT];
    ag_status status = infer_size(node, &shape);
    if (status != AG_OK)
        return status;
    if (ag_shape_size(shape) != x->size)
        return ag_fail(node, AG_BAD_SHAPE, "%s has %lld %s, %s has another number", ag_shape_print(x->shape, from),
                       (long long)x->size, ag_plural(x->size, "element", "elements"), ag_shape_print(shape, to));
    node->output->shape = shape;
    return AG_OK;
}

/* y = x: the output shares the memory of x */
static ag_status reshape_forward(ag_node *node)
{
    (void)node;
    return AG_OK;
}

/* dx = dy in the shape of x */
static ag_status reshape_backward(ag_node *node)
{
    if (!tape_gradient_share(node->inputs[0], node->output))
        ag_grad_add(node->inputs[0], node->inputs[0]->shape, node->output->grad);
    return AG_OK;
}

/* uy = ux in the shape of y */
static ag_status reshape_jvp(ag_node *node, const ag_real *const *tangents, ag_real *tangent)
{
    for (int64_t i = 0; i < node->output->size; i++)
        tangent[i] = tangents[0][i];
    return AG_OK;
}

/* Flattens, merges axes into two, or adds an axis of 1; each with or without -1. */
static ag_tensor *reshape_example(ag_example *example)
{
    ag_shape from = draw_shape(example, 1), to = from;
    int axis = (int)ag_example_int(example, 0, from.ndim - 1);
    switch (ag_example_int(example, 0, 2)) {
    case 0:
        to = AG_SHAPE(ag_shape_size(from));
        axis = 0;
        break;
    case 1:
        to = AG_SHAPE(axes_size(from, 0, axis), axes_size(from, axis, from.ndim));
        axis = 1;
        break;
    default:
        if (to.ndim < AG_MAX_DIMS)
            to.dim[to.ndim++] = 1;
        break;
    }
    if (ag_example_int(example, 0, 1))
        to.dim[axis] = -1;
    return ag_reshape(ag_example_input(example, "x", from, -2, 2), to);
}

const ag_op op_reshape = {.name = "reshape",
                          .formula = "y = the elements of x in another shape",
                          .shape = reshape_shape,
                          .forward = reshape_forward,
                          .backward = reshape_backward,
                          .jvp = reshape_jvp,
                          .example = reshape_example,
                          .is_view = true};

ag_tensor *ag_reshape(ag_tensor *x, ag_shape shape)
{
    return ag_custom(&op_reshape, &x, 1, 1, &shape, sizeof shape);
}
