/* linear.c - y = x W^T + b, the layer that most of the arithmetic of a transformer is in. */
#include "../tape.h"
#include "../kernels/kernels.h"
#include "ops.h"

/* x [rows, in], where all axes but the last count as rows; weight [out, in]. */
typedef struct linear_sizes {
    int64_t rows, in, out;
} linear_sizes;

static linear_sizes sizes_of(const ag_node *node)
{
    const ag_tensor *x = node->inputs[0], *weight = node->inputs[1];
    linear_sizes s = {.rows = 1, .in = weight->shape.dim[1], .out = weight->shape.dim[0]};
    for (int i = 0; i + 1 < x->shape.ndim; i++)
        s.rows *= x->shape.dim[i];
    return s;
}

static ag_status linear_shape(ag_node *node)
{
    const ag_tensor *x = node->inputs[0], *weight = node->inputs[1], *bias = node->inputs[2];
    char text[3][AG_SHAPE_TEXT];
    ag_shape_print(x->shape, text[0]);
    ag_shape_print(weight->shape, text[1]);

    if (x->shape.ndim < 1 || weight->shape.ndim != 2)
        return ag_fail(node, AG_BAD_SHAPE, "%s by weight %s: the input has 1 axis at least, the weight is [out,in]",
                       text[0], text[1]);
    int64_t width = x->shape.dim[x->shape.ndim - 1], in = weight->shape.dim[1], out = weight->shape.dim[0];
    if (width != in)
        return ag_fail(node, AG_BAD_SHAPE, "%s by weight %s: the last axis %lld and the weight's inputs %lld differ",
                       text[0], text[1], (long long)width, (long long)in);
    if (bias && (bias->shape.ndim != 1 || bias->shape.dim[0] != out))
        return ag_fail(node, AG_BAD_SHAPE, "bias %s for weight %s: expected [%lld]",
                       ag_shape_print(bias->shape, text[2]), text[1], (long long)out);
    node->output->shape = x->shape;
    node->output->shape.dim[x->shape.ndim - 1] = out;
    return AG_OK;
}

/* y = x W^T + b */
static ag_status linear_forward(ag_node *node)
{
    linear_sizes s = sizes_of(node);
    product_task task = {
        .m = s.rows,
        .n = s.out,
        .k = s.in,
        .a = node->inputs[0]->data,
        .a_row = s.in,
        .a_column = 1,
        .b = node->inputs[1]->data,
        .b_row = 1,
        .b_column = s.in,
        .c = node->output->data,
        .c_row = s.out,
        .bias = node->inputs[2] ? node->inputs[2]->data : NULL,
    };
    kernel_product_run(&task, 1, 0, 0, 0, node->tape->threads, node->tape->workspace);
    return AG_OK;
}

/* dx += dy W;  dW += dy^T x;  db += the sum of dy over the rows */
static ag_status linear_backward(ag_node *node)
{
    ag_tensor *x = node->inputs[0], *weight = node->inputs[1], *bias = node->inputs[2];
    linear_sizes s = sizes_of(node);
    const real *dy = node->output->grad;
    real *dx = ag_grad(x), *dweight = ag_grad(weight);

    if (dx) {
        product_task task = {
            .m = s.rows,
            .n = s.in,
            .k = s.out,
            .a = dy,
            .a_row = s.out,
            .a_column = 1,
            .b = weight->data,
            .b_row = s.in,
            .b_column = 1,
            .c = dx,
            .c_row = s.in,
            .add = true,
        };
        kernel_product_run(&task, 1, 0, 0, 0, node->tape->threads, node->tape->workspace);
    }
    if (dweight) {
        product_task task = {
            .m = s.out,
            .n = s.in,
            .k = s.rows,
            .a = dy,
            .a_row = 1,
            .a_column = s.out,
            .b = x->data,
            .b_row = s.in,
            .b_column = 1,
            .c = dweight,
            .c_row = s.in,
            .add = true,
        };
        kernel_product_run(&task, 1, 0, 0, 0, node->tape->threads, node->tape->workspace);
    }
    if (bias)
        ag_grad_add(bias, node->output->shape, dy);
    return AG_OK;
}

static ag_tensor *linear_example(ag_example *e)
{
    int ndim = (int)ag_example_int(e, 1, 4);
    ag_shape shape = {.ndim = ndim};
    for (int i = 0; i < ndim; i++)
        shape.dim[i] = ag_example_int(e, 1, 5);
    int64_t in = shape.dim[ndim - 1], out = ag_example_int(e, 1, 7);
    ag_tensor *x = ag_example_input(e, "x", shape, -2, 2);
    ag_tensor *weight = ag_example_input(e, "weight", AG_SHAPE(out, in), -2, 2);
    ag_tensor *bias = ag_example_int(e, 0, 1) ? ag_example_input(e, "bias", AG_SHAPE(out), -2, 2) : NULL;
    return ag_linear(x, weight, bias);
}

const ag_op op_linear = {
    .name = "linear",
    .formula = "y = x W^T + b",
    .shape = linear_shape,
    .forward = linear_forward,
    .backward = linear_backward,
    .example = linear_example,
};

ag_tensor *ag_linear(ag_tensor *x, ag_tensor *weight, ag_tensor *bias)
{
    return ag_custom(&op_linear, (ag_tensor *[]){x, weight, bias}, 3, 2, NULL, 0);
}
