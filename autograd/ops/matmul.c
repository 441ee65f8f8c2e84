/* matmul.c - the batched matrix product, either side transposed, batch axes broadcast. */
#include "../broadcast.h"
#include "../kernels/kernels.h"
#include "../muted.h"
#include "../tape.h"
#include "matrix.h"

#include <string.h>

typedef struct matmul_attributes {
    bool transpose_a, transpose_b;
} matmul_attributes;

/* op(x), for the first item of the batch. */
static matrix operand_of(const ag_tensor *x, bool transpose)
{
    const int64_t height = x->shape.dim[x->shape.ndim - 2], width = x->shape.dim[x->shape.ndim - 1];
    const matrix m = matrix_of(x->data, height, width);
    return transpose ? matrix_transposed(m) : m;
}

/* The axes before the last two. */
static ag_shape batch_shape(ag_shape shape)
{
    shape.ndim -= 2;
    return shape;
}

static ag_status matmul_shape(ag_node *node)
{
    const ag_tensor *a = node->inputs[0], *b = node->inputs[1];
    const matmul_attributes *attributes = node->attributes;
    char text_a[AG_SHAPE_TEXT], text_b[AG_SHAPE_TEXT];
    ag_shape_print(a->shape, text_a);
    ag_shape_print(b->shape, text_b);

    if (a->shape.ndim < 2 || b->shape.ndim < 2)
        return ag_fail(node, AG_BAD_SHAPE, "%s x %s: both need 2 axes at least", text_a, text_b);
    const matrix left = operand_of(a, attributes->transpose_a), right = operand_of(b, attributes->transpose_b);
    if (left.columns != right.rows) {
        bool would_fit = left.columns == right.columns;
        return ag_fail(node, AG_BAD_SHAPE, "%s%s x %s%s: inner dimensions %lld and %lld differ%s", text_a,
                       attributes->transpose_a ? "^T" : "", text_b, attributes->transpose_b ? "^T" : "",
                       (long long)left.columns, (long long)right.rows, would_fit ? " (transpose the second?)" : "");
    }
    ag_shape *shape = &node->output->shape;
    if (!broadcast_shapes(batch_shape(a->shape), batch_shape(b->shape), shape))
        return ag_fail(node, AG_BAD_SHAPE, "%s x %s: the batch axes before the last two do not broadcast", text_a,
                       text_b);
    shape->dim[shape->ndim] = left.rows;
    shape->dim[shape->ndim + 1] = right.columns;
    shape->ndim += 2;
    return AG_OK;
}

/* The item of an operand's batch that belongs to item `index` of the broadcast batch. */
static int64_t batch_item(ag_shape operand, ag_shape whole, int64_t index)
{
    int64_t item = 0, step = 1;
    for (int i = whole.ndim - 1, j = operand.ndim - 1; j >= 0; i--, j--) {
        int64_t at = index % whole.dim[i];
        index /= whole.dim[i];
        if (operand.dim[j] != 1)
            item += at * step;
        step *= operand.dim[j];
    }
    return item;
}

/* Whether all items of the broadcast batch have the same item of this operand. */
static bool is_constant(ag_shape operand)
{
    return ag_shape_size(operand) == 1;
}

/* The products of a batch: `task`, which is that of the first item, for every item of the
 * shape `whole`. The operands have the batch axes `a` and `b`; c has the whole batch. */
typedef struct products {
    product_task task;
    ag_shape whole, a, b;
    muted_by by; /* the operand that is a gradient */
} products;

static product_task task_at(const products *p, int64_t index)
{
    product_task item = p->task;
    item.a += batch_item(p->a, p->whole, index) * item.m * item.k;
    item.b += batch_item(p->b, p->whole, index) * item.k * item.n;
    item.c += index * item.m * item.n;
    return item;
}

/* Whether any item has values that a gradient of 0 must not meet (see muted.h). */
static bool any_muted(const products *p, int64_t count, int threads)
{
    for (int64_t i = 0; i < count && p->by != MUTED_BY_NONE; i++) {
        const product_task item = task_at(p, i);
        if (muted_is_needed(&item, p->by, threads))
            return true;
    }
    return false;
}

/* Runs the products: in one call where the operands of successive items are evenly apart,
 * else one by one. */
static ag_status run_batch(const ag_node *node, const products *p)
{
    const product_task *task = &p->task;
    const int64_t count = ag_shape_size(p->whole);
    const bool regular_a = is_constant(p->a) || ag_shape_size(p->a) == count,
               regular_b = is_constant(p->b) || ag_shape_size(p->b) == count,
               muted = any_muted(p, count, node->tape->threads);
    ag_tape *tape = node->tape;
    ag_real *room = muted ? ag_scratch(tape, muted_bytes(task, p->by)) : NULL;
    if (muted && !room)
        return AG_NO_MEMORY;
    if (regular_a && regular_b && !muted) {
        kernel_product_run(tape->product, task, count, is_constant(p->a) ? 0 : task->m * task->k,
                           is_constant(p->b) ? 0 : task->k * task->n, task->m * task->n, tape->threads,
                           tape->workspace);
        return AG_OK;
    }
    for (int64_t i = 0; i < count; i++) {
        product_task item = task_at(p, i);
        if (muted)
            muted_copy(&item, p->by, room);
        kernel_product_run(tape->product, &item, 1, 0, 0, 0, tape->threads, tape->workspace);
    }
    return AG_OK;
}

/* y = op(a) op(b) */
static ag_status matmul_forward(ag_node *node)
{
    const ag_tensor *a = node->inputs[0], *b = node->inputs[1];
    const matmul_attributes *attributes = node->attributes;
    product_task task = matrix_product(operand_of(a, attributes->transpose_a), operand_of(b, attributes->transpose_b));
    task.c = node->output->data;
    return run_batch(node, &(products){.task = task,
                                       .whole = batch_shape(node->output->shape),
                                       .a = batch_shape(a->shape),
                                       .b = batch_shape(b->shape)});
}

/* Adds the products, whose result belongs to x, to the gradient of x: straight into it
 * where x has the whole batch, else through a full-size result that is summed over the
 * stretched axes. */
static ag_status add_gradient(const ag_node *node, ag_tensor *x, products *p)
{
    ag_real *dx = ag_grad(x);
    if (!dx)
        return node->tape->error.status;
    product_task *task = &p->task;
    ag_shape full = p->whole;
    full.dim[full.ndim++] = task->m;
    full.dim[full.ndim++] = task->n;
    task->add = ag_shape_size(full) == x->size;
    task->c = task->add ? dx : ag_scratch(node->tape, (size_t)ag_shape_size(full) * sizeof(ag_real));
    ag_status status = task->c ? run_batch(node, p) : AG_NO_MEMORY;
    if (status == AG_OK && !task->add)
        ag_grad_add(x, full, task->c);
    return status;
}

/* With A = op(a), B = op(b):  dA = dy B^T,  dB = A^T dy;  and where an operand is
 * transposed: da = dA^T = B dy^T,  db = dB^T = dy^T A. Values that meet nothing but zeros
 * of dy take no part, even if they are not finite. */
static ag_status matmul_backward(ag_node *node)
{
    ag_tensor *a = node->inputs[0], *b = node->inputs[1];
    const matmul_attributes *attributes = node->attributes;
    const matrix left = operand_of(a, attributes->transpose_a), right = operand_of(b, attributes->transpose_b);
    const matrix dy = matrix_of(node->output->grad, left.rows, right.columns), dy_t = matrix_transposed(dy);
    const matrix left_t = matrix_transposed(left), right_t = matrix_transposed(right);
    ag_shape whole = batch_shape(node->output->shape), batch_a = batch_shape(a->shape), batch_b = batch_shape(b->shape);

    products to_a = attributes->transpose_a
                        ? (products){matrix_product(right, dy_t), whole, batch_b, whole, MUTED_BY_B}
                        : (products){matrix_product(dy, right_t), whole, whole, batch_b, MUTED_BY_A};
    products to_b = attributes->transpose_b ? (products){matrix_product(dy_t, left), whole, whole, batch_a, MUTED_BY_A}
                                            : (products){matrix_product(left_t, dy), whole, batch_a, whole, MUTED_BY_B};
    ag_status status = add_gradient(node, a, &to_a);
    return status == AG_OK ? add_gradient(node, b, &to_b) : status;
}

/* uy = op(ua) op(b) + op(a) op(ub) */
static ag_status matmul_jvp(ag_node *node, const ag_real *const *tangents, ag_real *tangent)
{
    const ag_tensor *a = node->inputs[0], *b = node->inputs[1];
    const matmul_attributes *attributes = node->attributes;
    const ag_shape whole = batch_shape(node->output->shape), batch_a = batch_shape(a->shape),
                   batch_b = batch_shape(b->shape);
    for (int64_t i = 0; i < ag_shape_size(whole); i++) {
        matrix left = operand_of(a, attributes->transpose_a), right = operand_of(b, attributes->transpose_b);
        const int64_t at_a = batch_item(batch_a, whole, i) * left.rows * left.columns;
        const int64_t at_b = batch_item(batch_b, whole, i) * right.rows * right.columns;
        left.data = a->data + at_a;
        right.data = b->data + at_b;
        matrix moved_left = left, moved_right = right;
        ag_real *to = tangent + i * left.rows * right.columns;
        if (tangents[0]) {
            moved_left.data = tangents[0] + at_a;
            matrix_add_product(node->tape, moved_left, right, to);
        }
        if (tangents[1]) {
            moved_right.data = tangents[1] + at_b;
            matrix_add_product(node->tape, left, moved_right, to);
        }
    }
    return AG_OK;
}

static void matmul_multiply_adds(const ag_node *node, double *forward, double *backward)
{
    const matmul_attributes *attributes = node->attributes;
    const matrix left = operand_of(node->inputs[0], attributes->transpose_a);
    *forward = (double)node->output->size * (double)left.columns;
    *backward = *forward * (node->inputs[0]->needs_grad + node->inputs[1]->needs_grad);
}

/* Batch axes of up to 3, each present, missing or 1 on either side. */
static ag_tensor *matmul_example(ag_example *e)
{
    int batch = (int)ag_example_int(e, 0, 3);
    bool transpose_a = ag_example_int(e, 0, 1), transpose_b = ag_example_int(e, 0, 1);
    int64_t m = ag_example_int(e, 1, 5), n = ag_example_int(e, 1, 5), k = ag_example_int(e, 1, 6);
    int missing_a = (int)ag_example_int(e, 0, batch), missing_b = missing_a ? 0 : (int)ag_example_int(e, 0, batch);
    ag_shape a = {.ndim = 0}, b = {.ndim = 0};
    for (int i = 0; i < batch; i++) {
        int64_t size = ag_example_int(e, 1, 3), stretch = ag_example_int(e, 0, 3);
        if (i >= missing_a)
            a.dim[a.ndim++] = stretch == 1 ? 1 : size;
        if (i >= missing_b)
            b.dim[b.ndim++] = stretch == 2 ? 1 : size;
    }
    a.dim[a.ndim++] = transpose_a ? k : m;
    a.dim[a.ndim++] = transpose_a ? m : k;
    b.dim[b.ndim++] = transpose_b ? n : k;
    b.dim[b.ndim++] = transpose_b ? k : n;
    ag_tensor *left = ag_example_input(e, "a", a, -2, 2), *right = ag_example_input(e, "b", b, -2, 2);
    return ag_matmul(left, right, transpose_a, transpose_b);
}

const ag_op op_matmul = {
    .name = "matmul",
    .formula = "y = op(a) op(b), op(x) = x or x^T on the last two axes",
    .shape = matmul_shape,
    .forward = matmul_forward,
    .backward = matmul_backward,
    .jvp = matmul_jvp,
    .example = matmul_example,
    .multiply_adds = matmul_multiply_adds,
};

ag_tensor *ag_matmul(ag_tensor *a, ag_tensor *b, bool transpose_a, bool transpose_b)
{
    matmul_attributes attributes = {transpose_a, transpose_b};
    return ag_custom(&op_matmul, (ag_tensor *[]){a, b}, 2, 2, &attributes, sizeof attributes);
}
