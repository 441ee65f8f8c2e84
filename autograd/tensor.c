/* tensor.c - tensors that no operation made: constants, and the leaves that gradients are
 * taken by. */
#include "tape.h"

#include <string.h>

ag_tensor *tape_tensor_new(ag_tape *tape, ag_shape shape)
{
    char text[AG_SHAPE_TEXT];
    int64_t size = ag_shape_size(shape);
    if (size < 0)
        return ag_tape_fail(tape, AG_BAD_SHAPE, "invalid shape %s: sizes are 0 or more, at most 5 axes",
                            ag_shape_print(shape, text));
    ag_tensor *x = ag_tape_alloc(tape, sizeof *x);
    if (x)
        *x = (ag_tensor){.shape = shape, .size = size, .tape = tape};
    return x;
}

/* A copy of `values` [size] on the tape, zeros if they are NULL. */
static ag_real *copy_values(ag_tape *tape, int64_t size, const ag_real *values)
{
    const size_t bytes = (size_t)size * sizeof(ag_real);
    ag_real *copy = ag_tape_alloc(tape, bytes);
    if (!copy)
        return NULL;
    if (values && size)
        memcpy(copy, values, bytes);
    else
        memset(copy, 0, bytes);
    return copy;
}

ag_tensor *ag_constant(ag_tape *tape, ag_shape shape, const ag_real *data)
{
    ag_tensor *x = tape ? tape_tensor_new(tape, shape) : NULL;
    return x && (x->data = copy_values(tape, x->size, data)) ? x : NULL;
}

ag_tensor *ag_variable(ag_tape *tape, ag_shape shape, const ag_real *data)
{
    ag_tensor *x = ag_constant(tape, shape, data);
    if (!x || !(x->grad = copy_values(tape, x->size, NULL)))
        return NULL;
    x->needs_grad = x->retains_grad = true;
    return x;
}

ag_tensor *ag_leaf(ag_tape *tape, ag_shape shape, ag_real *data, ag_real *grad)
{
    ag_tensor *x = tape ? tape_tensor_new(tape, shape) : NULL;
    if (!x)
        return NULL;
    if (!data && x->size)
        return ag_tape_fail(tape, AG_BAD_VALUE, "leaf: no data given");
    x->data = data;
    x->grad = grad;
    x->needs_grad = x->retains_grad = grad != NULL;
    x->is_callers = true;
    return x;
}

ag_tensor *ag_detach(ag_tensor *x)
{
    ag_tensor *y = x ? ag_leaf(x->tape, x->shape, x->data, NULL) : NULL;
    if (y)
        y->is_callers = x->is_callers;
    return y;
}

ag_tensor *ag_retain_grad(ag_tensor *x)
{
    if (x && x->needs_grad)
        x->retains_grad = true;
    return x;
}
