/* linear.c - y = x W^T + b, which most of a transformer's arithmetic is in, and what
 * follows it there: activation, dropout, residual. Each block of the product gets these
 * as soon as it is finished, while it is in the cache. */
#include "../kernels/kernels.h"
#include "../muted.h"
#include "../packed.h"
#include "../ranges.h"
#include "../tape.h"
#include "matrix.h"
#include "scalar.h"
#include "unary.h"

#include <string.h>

/* `data` in the shape of x [rows, in] or of y [rows, out], where all axes except the last
 * count as rows. */
static matrix rows_of(ag_shape shape, const ag_real *data)
{
    int64_t rows = 1;
    for (int i = 0; i + 1 < shape.ndim; i++)
        rows *= shape.dim[i];
    return matrix_of(data, rows, shape.dim[shape.ndim - 1]);
}

/* [out, in] */
static matrix weight_of(const ag_node *node)
{
    const ag_tensor *weight = node->inputs[1];
    return matrix_of(weight->data, weight->shape.dim[0], weight->shape.dim[1]);
}

/* Whether residual, activation and dropout fit; the output has its shape already. */
static ag_status check_options(ag_node *node)
{
    const ag_linear_options *options = node->attributes;
    const ag_tensor *residual = node->inputs[3];
    char text[2][AG_SHAPE_TEXT];
    if (residual && !ag_shape_equal(residual->shape, node->output->shape))
        return ag_fail(node, AG_BAD_SHAPE, "residual %s for a result of %s: they must be equal",
                       ag_shape_print(residual->shape, text[0]), ag_shape_print(node->output->shape, text[1]));
    if ((int)options->activation < AG_NO_ACTIVATION || (int)options->activation > AG_SILU)
        return ag_fail(node, AG_BAD_VALUE, "activation %d: it must be one from AG_NO_ACTIVATION to AG_SILU",
                       (int)options->activation);
    if (!(options->dropout >= 0 && options->dropout <= 1))
        return ag_fail(node, AG_BAD_VALUE, "dropout %g is outside [0, 1]", options->dropout);
    return AG_OK;
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
    return check_options(node);
}

/* ---- Forward ----------------------------------------------------------------------- */

/* The forward pass keeps this for the backward. */
typedef struct linear_state {
    kernel_dropout dropout;
    ag_real *before; /* [rows, out]: the activation's argument; NULL: not needed */
} linear_state;

/* Whether the backward needs the activation's argument. For relu the sign of the result
 * is enough, unless a residual was added to it. */
static bool argument_needed(const ag_node *node)
{
    const ag_linear_options *options = node->attributes;
    return options->activation != AG_NO_ACTIVATION && (options->activation != AG_RELU || node->inputs[3]);
}

/* Makes y of x W^T + b, for `count` elements of a row. */
static void linear_finish(const void *context, int64_t row, int64_t column, int64_t count)
{
    const ag_node *node = context;
    const ag_linear_options *options = node->attributes;
    const linear_state *state = node->saved;
    const kernel_elementwise *elementwise = kernels()->elementwise;
    const int64_t first = row * node->inputs[1]->shape.dim[0] + column;
    ag_real *y = node->output->data + first;

    if (options->activation != AG_NO_ACTIVATION)
        elementwise->unary(activation_kernel(options->activation), 1, count, state->before ? state->before + first : y,
                           y);
    if (options->dropout > 0)
        elementwise->dropout(&state->dropout, first, count, y, y, false);
    if (node->inputs[3])
        elementwise->binary(BINARY_ADD, count, (kernel_operand){y, 1},
                            (kernel_operand){node->inputs[3]->data + first, 1}, y);
}

/* y = residual + D(f(x W^T + b)), with the activation f and dropout D */
static ag_status linear_forward(ag_node *node)
{
    const ag_linear_options *options = node->attributes;
    ag_tape *tape = node->tape;
    linear_state *state = node->saved = ag_tape_alloc(tape, sizeof *state);
    if (!state)
        return AG_NO_MEMORY;
    *state = (linear_state){0};
    if (options->dropout > 0)
        state->dropout = tape_next_dropout(tape, options->dropout);
    if (argument_needed(node)) {
        const size_t bytes = (size_t)node->output->size * sizeof(ag_real);
        state->before = node->output->needs_grad ? ag_tape_alloc(tape, bytes) : ag_scratch(tape, bytes);
        if (!state->before)
            return AG_NO_MEMORY;
    }
    product_task task =
        matrix_product(rows_of(node->inputs[0]->shape, node->inputs[0]->data), matrix_transposed(weight_of(node)));
    task.c = state->before ? state->before : node->output->data;
    task.bias = node->inputs[2] ? node->inputs[2]->data : NULL;
    if (options->activation != AG_NO_ACTIVATION || options->dropout > 0 || node->inputs[3]) {
        task.finish = linear_finish;
        task.finish_context = node;
    }
    if (packed_weight_find(node->inputs[1], &task) != AG_OK)
        return AG_NO_MEMORY;
    kernel_product_run(tape->product, &task, 1, 0, 0, 0, tape->threads, tape->workspace);
    return AG_OK;
}

/* ---- Backward ---------------------------------------------------------------------- */

typedef struct before_task {
    const ag_node *node;
    ag_real *dz;
} before_task;

/* dz = D(dy) f'(z), where z = x W^T + b. Works piece by piece: the second pass finds the
 * piece in the cache. */
static void before_elements(void *context, int64_t begin, int64_t end)
{
    const before_task *task = context;
    const ag_node *node = task->node;
    const ag_linear_options *options = node->attributes;
    const linear_state *state = node->saved;
    const kernel_elementwise *elementwise = kernels()->elementwise;
    for (int64_t at = begin; at < end; at += PIECE) {
        const int64_t count = end - at < PIECE ? end - at : PIECE;
        const ag_real *y = node->output->data + at, *z = state->before ? state->before + at : y;
        const ag_real *dy = node->output->grad + at;
        ag_real *dz = task->dz + at;
        if (options->dropout > 0) {
            elementwise->dropout(&state->dropout, at, count, dy, dz, false);
            dy = dz;
        }
        if (options->activation != AG_NO_ACTIVATION)
            elementwise->unary_backward(activation_kernel(options->activation), 1, count, z, y, dy, dz, false);
    }
}

/* The gradient dz of x W^T + b: dy itself where nothing follows the product; else it
 * overwrites dy, or is in scratch memory where something else still needs dy. NULL when
 * memory is out. */
static const ag_real *gradient_before(const ag_node *node)
{
    const ag_linear_options *options = node->attributes;
    before_task task = {.node = node, .dz = node->output->grad};
    const int64_t size = node->output->size;
    if (options->activation == AG_NO_ACTIVATION && options->dropout == 0)
        return node->output->grad;
    if (!tape_gradient_spare(node->output))
        task.dz = ag_scratch(node->tape, (size_t)size * sizeof(ag_real));
    if (task.dz)
        parallel_elements(node->tape, size, 8.0 * (double)size, before_elements, &task);
    return task.dz;
}

/* dx += dz W */
static void add_to_input(const ag_node *node, const ag_real *dz)
{
    product_task task = matrix_product(rows_of(node->output->shape, dz), weight_of(node));
    task.c = ag_grad_begin(node->inputs[0], &task.add);
    if (task.c)
        kernel_product_run(node->tape->product, &task, 1, 0, 0, 0, node->tape->threads, node->tape->workspace);
}

/* db += sums [2, size]: a sum, and what it rounded off. */
static void add_to_bias(ag_tensor *bias, const double *sums)
{
    ag_real *gradient = ag_grad(bias);
    for (int64_t i = 0; gradient && i < bias->size; i++) {
        const scalar_sum own = {sums[i], sums[i + bias->size]};
        gradient[i] = (ag_real)((double)gradient[i] + scalar_sum_total(&own));
    }
}

/* dW += dz^T x, without the rows of x whose dz is 0;  db += dz^T 1, which the product
 * sums while it reads dz. */
static void add_to_weight_and_bias(const ag_node *node, const ag_real *dz)
{
    const ag_tensor *x = node->inputs[0];
    ag_tensor *bias = node->inputs[2];
    product_task task = matrix_product(matrix_transposed(rows_of(node->output->shape, dz)), rows_of(x->shape, x->data));
    const size_t sums_bytes = 2 * (size_t)task.m * sizeof(double);
    task.c = ag_grad_begin(node->inputs[1], &task.add);
    if (task.c && muted_is_needed(&task, MUTED_BY_A, node->tape->threads)) {
        ag_real *room = ag_scratch(node->tape, muted_bytes(&task, MUTED_BY_A));
        if (!room)
            return;
        muted_copy(&task, MUTED_BY_A, room);
    }
    if (bias && bias->needs_grad && task.c && task.n) /* (without columns, no product runs) */
        task.a_sums = ag_scratch(node->tape, sums_bytes);
    if (task.a_sums)
        memset(task.a_sums, 0, sums_bytes);
    if (task.c)
        kernel_product_run(node->tape->product, &task, 1, 0, 0, 0, node->tape->threads, node->tape->workspace);
    if (task.a_sums)
        add_to_bias(bias, task.a_sums);
    else if (bias)
        ag_grad_add(bias, node->output->shape, dz);
}

/* With dz = D(dy) f'(z):
 *     dresidual += dy;  dx += dz W;  dW += dz^T x;  db += the sum of dz over the rows */
static ag_status linear_backward(ag_node *node)
{
    ag_tensor *residual = node->inputs[3];
    if (residual && !tape_gradient_share(residual, node->output))
        ag_grad_add(residual, node->output->shape, node->output->grad);
    const ag_real *dz = gradient_before(node);
    if (!dz)
        return AG_NO_MEMORY;
    add_to_input(node, dz);
    add_to_weight_and_bias(node, dz);
    return node->tape->error.status;
}

/* ---- Forward mode ------------------------------------------------------------------ */

/* uz to uD(f(z)), in place. */
static void finish_tangent(const ag_node *node, ag_real *tangent)
{
    const ag_linear_options *options = node->attributes;
    const linear_state *state = node->saved;
    const ag_real *z = state->before ? state->before : node->output->data; /* relu: of the same sign */
    for (int64_t i = 0; i < node->output->size; i++) {
        double slope = 1;
        if (options->activation != AG_NO_ACTIVATION)
            slope = unary_slope(activation_kernel(options->activation), 1, (double)z[i]);
        if (options->dropout > 0)
            slope *= kernel_dropout_keeps(&state->dropout, i) ? (double)state->dropout.scale : 0;
        tangent[i] = (ag_real)(slope * (double)tangent[i]);
    }
}

/* uy = uresidual + D(f'(z) uz), where uz = ux W^T + x uW^T + ub and z = x W^T + b */
static ag_status linear_jvp(ag_node *node, const ag_real *const *tangents, ag_real *tangent)
{
    const ag_tensor *x = node->inputs[0];
    const matrix weight = weight_of(node);
    if (tangents[0])
        matrix_add_product(node->tape, rows_of(x->shape, tangents[0]), matrix_transposed(weight), tangent);
    if (tangents[1]) {
        const matrix moved = matrix_of(tangents[1], weight.rows, weight.columns);
        matrix_add_product(node->tape, rows_of(x->shape, x->data), matrix_transposed(moved), tangent);
    }
    for (int64_t i = 0; tangents[2] && i < node->output->size; i++)
        tangent[i] += tangents[2][i % weight.rows];
    finish_tangent(node, tangent);
    for (int64_t i = 0; tangents[3] && i < node->output->size; i++)
        tangent[i] += tangents[3][i];
    return AG_OK;
}

/* ---- The record -------------------------------------------------------------------- */

/* Records which side of 0 each argument of relu is on. */
static void linear_kinks(const ag_node *node, ag_kinks *kinks)
{
    const ag_linear_options *options = node->attributes;
    const linear_state *state = node->saved;
    const ag_real *z = state->before ? state->before : node->output->data;
    if (options->activation == AG_RELU)
        for (int64_t i = 0; i < node->output->size; i++)
            ag_kink(kinks, z[i] > 0);
}

static void linear_multiply_adds(const ag_node *node, double *forward, double *backward)
{
    *forward = (double)node->output->size * (double)weight_of(node).columns;
    *backward = *forward * (node->inputs[0]->needs_grad + node->inputs[1]->needs_grad);
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
    ag_linear_options options = {.activation = (ag_activation)ag_example_int(e, AG_NO_ACTIVATION, AG_SILU)};
    if (ag_example_int(e, 0, 2) == 0) {
        ag_tape_seed(ag_example_tape(e), (uint64_t)ag_example_int(e, 0, 1000), 0);
        options.dropout = ag_example_real(e, 0.1, 0.5);
    }
    shape.dim[ndim - 1] = out;
    if (ag_example_int(e, 0, 1))
        options.residual = ag_example_input(e, "residual", shape, -2, 2);
    return ag_linear_fused(x, weight, bias, &options);
}

const ag_op op_linear = {
    .name = "linear",
    .formula = "y = residual + dropout(f(x W^T + b))",
    .shape = linear_shape,
    .forward = linear_forward,
    .backward = linear_backward,
    .jvp = linear_jvp,
    .example = linear_example,
    .kinks = linear_kinks,
    .multiply_adds = linear_multiply_adds,
};

ag_tensor *ag_linear_fused(ag_tensor *x, ag_tensor *weight, ag_tensor *bias, const ag_linear_options *options)
{
    ag_linear_options chosen = options ? *options : (ag_linear_options){0};
    return ag_custom(&op_linear, (ag_tensor *[]){x, weight, bias, chosen.residual}, 4, 2, &chosen, sizeof chosen);
}

ag_tensor *ag_linear(ag_tensor *x, ag_tensor *weight, ag_tensor *bias)
{
    return ag_linear_fused(x, weight, bias, NULL);
}
