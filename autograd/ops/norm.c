/* norm.c - layer norm and RMS norm over the last axis.
 *
 * They are one computation: RMS norm is a layer norm whose mean is taken as 0 and which
 * has no bias. Layer norm makes a row of equal numbers the bias exactly, and that row's
 * gradient is finite. */
#include "../kernels/kernels.h"
#include "../ranges.h"
#include "../tape.h"
#include "scalar.h"

#include <math.h>
#include <string.h>

typedef struct norm_attributes {
    bool centred; /* layer norm */
    double eps;
} norm_attributes;

/* The inputs are x [.., width], weight [width] or NULL, and, for layer norm alone, bias
 * [width] or NULL. */
static ag_tensor *bias_of(const ag_node *node)
{
    return node->input_count > 2 ? node->inputs[2] : NULL;
}

static norm_task norm_task_of(const ag_node *node)
{
    const norm_attributes *attributes = node->attributes;
    const ag_tensor *x = node->inputs[0], *weight = node->inputs[1], *bias = bias_of(node);
    return (norm_task){
        .centred = attributes->centred,
        .eps = attributes->eps,
        .width = x->shape.dim[x->shape.ndim - 1],
        .x = x->data,
        .weight = weight ? weight->data : NULL,
        .bias = bias ? bias->data : NULL,
        .statistics = node->saved,
    };
}

static ag_status norm_shape(ag_node *node)
{
    const norm_attributes *attributes = node->attributes;
    const ag_shape shape = node->inputs[0]->shape;
    char text[2][AG_SHAPE_TEXT];

    if (shape.ndim < 1)
        return ag_fail(node, AG_BAD_SHAPE, "the input is a scalar: there is no last axis");
    for (int i = 1; i < node->input_count; i++) {
        const ag_tensor *input = node->inputs[i];
        if (input && (input->shape.ndim != 1 || input->shape.dim[0] != shape.dim[shape.ndim - 1]))
            return ag_fail(node, AG_BAD_SHAPE, "%s %s for an input %s: expected [%lld]", i == 1 ? "weight" : "bias",
                           ag_shape_print(input->shape, text[0]), ag_shape_print(shape, text[1]),
                           (long long)shape.dim[shape.ndim - 1]);
    }
    if (!(attributes->eps >= 0 && isfinite(attributes->eps)))
        return ag_fail(node, AG_BAD_VALUE, "eps is %g: it must be 0 or more (1e-5 is usual)", attributes->eps);
    node->output->shape = shape;
    return AG_OK;
}

/* ---- Forward ----------------------------------------------------------------------- */

typedef struct forward_context {
    norm_task task;
    bool needs_statistics; /* false when a forgotten result is recomputed: they are kept */
    ag_real *y;
} forward_context;

/* Rows that are still in the cache when they are read a second time. */
#define ROWS_AT_ONCE 16

static void norm_forward_rows(void *context, int64_t begin, int64_t end)
{
    const forward_context *c = context;
    for (int64_t r = begin; r < end; r += ROWS_AT_ONCE) {
        const int64_t past = end - r < ROWS_AT_ONCE ? end : r + ROWS_AT_ONCE;
        if (c->needs_statistics)
            kernels()->rows->norm_statistics(&c->task, r, past);
        kernels()->rows->norm(&c->task, r, past, c->y);
    }
}

/* layer norm:  y = (x - mean) / sqrt(variance + eps) * weight + bias
 * RMS norm:    y = x / sqrt(mean x^2 + eps) * weight */
static ag_status norm_forward(ag_node *node)
{
    forward_context context = {norm_task_of(node), !node->saved, node->output->data};
    const int64_t size = node->output->size;
    if (size == 0)
        return AG_OK;
    const int64_t rows = size / context.task.width;
    const size_t bytes = (size_t)rows * sizeof(norm_statistics);
    if (node->output->needs_grad && !node->saved)
        node->saved = ag_tape_alloc(node->tape, bytes);
    context.task.statistics = node->output->needs_grad ? node->saved : ag_scratch(node->tape, bytes);
    if (!context.task.statistics)
        return AG_NO_MEMORY;
    parallel_rows(node->tape, rows, 8.0 * (double)size, norm_forward_rows, &context);
    return AG_OK;
}

/* ---- Backward ---------------------------------------------------------------------- */

/* The gradients of weight and bias are sums over rows. Rows are cut into at most
 * MOST_BLOCKS blocks, which depend on the number of rows alone. Each block has its own
 * sums, and these are added up in order. So the bits do not depend on which thread
 * computed which block. */
#define MOST_BLOCKS 32
#define LEAST_BLOCK 16 /* rows */

typedef struct backward_context {
    norm_task task;
    int64_t rows, rows_per_block;
    const ag_real *dy;
    ag_real *dx, *dweight, *dbias;
    double *sums;       /* [blocks, 2, 2, width]: dweight and dbias, each with its rest */
    ag_real *workspace; /* [threads, NORM_WORKSPACE, width] */
} backward_context;

static void norm_backward_blocks(void *context, int64_t begin, int64_t end, int worker)
{
    const backward_context *c = context;
    const int64_t width = c->task.width;

    for (int64_t block = begin; block < end; block++) {
        int64_t first = block * c->rows_per_block, last = first + c->rows_per_block;
        double *sums = c->sums + block * 4 * width;
        memset(sums, 0, (size_t)(4 * width) * sizeof *sums);
        kernels()->rows->norm_backward(&c->task, first, last < c->rows ? last : c->rows, c->dy, c->dx,
                                       c->dweight ? sums : NULL, c->dbias ? sums + 2 * width : NULL,
                                       c->workspace + worker * width * NORM_WORKSPACE);
    }
}

/* gradient += the blocks' sums, one block after the other. The first block's sums collect
 * those of the others. */
static void add_block_sums(int64_t width, int64_t blocks, double *restrict sums, ag_real *restrict gradient)
{
    double *restrict rest = sums + width;
    for (int64_t block = 1; gradient && block < blocks; block++) {
        const double *restrict next = sums + block * 4 * width;
        for (int64_t i = 0; i < width; i++) {
            ADD_WITH_REST(double, sums[i], rest[i], next[i]);
            rest[i] += next[width + i];
        }
    }
    for (int64_t i = 0; gradient && i < width; i++)
        gradient[i] = (ag_real)((double)gradient[i] + scalar_sum_total(&(scalar_sum){sums[i], rest[i]}));
}

/* With n = (x - mean) inverse, g = dy weight, inverse = 1 / sqrt(variance + eps):
 *     dx += inverse (g - mean(g) - n mean(g n)), without mean(g) for RMS norm;
 *     dweight += sum over rows of dy n;  dbias += sum over rows of dy */
static ag_status norm_backward(ag_node *node)
{
    backward_context c = {.task = norm_task_of(node), .dy = node->output->grad};
    const int64_t size = node->output->size;
    if (size == 0)
        return AG_OK;

    c.dx = ag_grad(node->inputs[0]);
    c.dweight = ag_grad(node->inputs[1]);
    c.dbias = ag_grad(bias_of(node));
    c.rows = size / c.task.width;
    c.rows_per_block = (c.rows + MOST_BLOCKS - 1) / MOST_BLOCKS;
    if (c.rows_per_block < LEAST_BLOCK)
        c.rows_per_block = LEAST_BLOCK;
    const int64_t blocks = (c.rows + c.rows_per_block - 1) / c.rows_per_block;

    const size_t width = (size_t)c.task.width;
    c.sums = ag_scratch(node->tape, (size_t)blocks * 4 * width * sizeof *c.sums);
    c.workspace = ag_scratch(node->tape, (size_t)node->tape->threads * NORM_WORKSPACE * width * sizeof *c.workspace);
    if (!c.sums || !c.workspace)
        return AG_NO_MEMORY;
    kernel_parallel(node->tape->threads, blocks, 16.0 * (double)size, norm_backward_blocks, &c);
    add_block_sums(c.task.width, blocks, c.sums, c.dweight);
    add_block_sums(c.task.width, blocks, c.sums + 2 * c.task.width, c.dbias);
    return AG_OK;
}

/* ---- Forward mode ------------------------------------------------------------------ */

/* The mean of x [n], and then what rounding left out of it. */
static double mean_of(int64_t n, const double *x)
{
    double sum = 0, rest = 0;
    for (int64_t i = 0; i < n; i++)
        sum += x[i];
    for (int64_t i = 0; i < n; i++)
        rest += x[i] - sum / (double)n;
    return sum / (double)n + rest / (double)n;
}

/* One row in the unit that the forward chose: n = its normalised elements, whose tangent
 * replaces u, that of x:
 *     un = (u - mean(u) - n mean(n u)) / sqrt(variance + eps), without mean(u) for RMS
 *     norm; 0 where the root is 0 */
static void norm_row_tangent(const norm_task *task, double unit, double *n, double *u)
{
    const int64_t width = task->width;
    const double mean = task->centred ? mean_of(width, n) : 0, mean_u = task->centred ? mean_of(width, u) : 0;
    double squares = 0, mean_nu = 0;
    for (int64_t i = 0; i < width; i++) {
        n[i] -= mean;
        squares += n[i] * n[i];
    }
    const double root = sqrt(squares / (double)width + task->eps * unit * unit), inverse = root == 0 ? 0 : 1 / root;
    for (int64_t i = 0; i < width; i++) {
        n[i] *= inverse;
        mean_nu += n[i] * u[i] / (double)width;
    }
    for (int64_t i = 0; i < width; i++)
        u[i] = inverse * (u[i] - mean_u - n[i] * mean_nu);
}

/* With y = n weight + bias: uy = un weight + n uweight + ubias. In double and not
 * by the kernels, so that the two modes judge each other. */
static ag_status norm_jvp(ag_node *node, const ag_real *const *tangents, ag_real *tangent)
{
    const norm_task task = norm_task_of(node);
    const ag_real *ux = tangents[0], *uweight = tangents[1], *ubias = node->input_count > 2 ? tangents[2] : NULL;
    double *n = ag_scratch(node->tape, (size_t)task.width * sizeof *n);
    double *u = ag_scratch(node->tape, (size_t)task.width * sizeof *u);
    if (!n || !u)
        return AG_NO_MEMORY;
    for (int64_t first = 0; first < node->output->size; first += task.width) {
        const double unit = (double)task.statistics[first / task.width].unit;
        for (int64_t i = 0; i < task.width; i++) {
            n[i] = unit * (double)task.x[first + i];
            u[i] = ux ? unit * (double)ux[first + i] : 0;
        }
        norm_row_tangent(&task, unit, n, u);
        for (int64_t i = 0; i < task.width; i++) {
            double sum = u[i] * (task.weight ? (double)task.weight[i] : 1);
            sum += uweight ? n[i] * (double)uweight[i] : 0;
            sum += ubias ? (double)ubias[i] : 0;
            tangent[first + i] = (ag_real)sum;
        }
    }
    return AG_OK;
}

/* ---- The two records --------------------------------------------------------------- */

/* Up to 40 rows: enough for more than one block. */
static ag_tensor *draw_rows(ag_example *e)
{
    static const int64_t widths[] = {1, 2, 3, 8, 17, 33};
    ag_shape shape = {.ndim = (int)ag_example_int(e, 1, 4)};
    for (int i = 0; i < shape.ndim; i++)
        shape.dim[i] = ag_example_int(e, 1, 3);
    shape.dim[shape.ndim - 1] = widths[ag_example_int(e, 0, 5)];
    if (shape.ndim == 2)
        shape.dim[0] = ag_example_int(e, 1, 40);
    return ag_example_input(e, "x", shape, -2, 2);
}

static ag_tensor *draw_vector(ag_example *e, const char *name, const ag_tensor *x)
{
    if (!x || ag_example_int(e, 0, 2) == 0)
        return NULL;
    return ag_example_input(e, name, AG_SHAPE(x->shape.dim[x->shape.ndim - 1]), -2, 2);
}

static ag_tensor *layer_norm_example(ag_example *e)
{
    ag_tensor *x = draw_rows(e);
    ag_tensor *weight = draw_vector(e, "weight", x), *bias = draw_vector(e, "bias", x);
    return ag_layer_norm(x, weight, bias, ag_example_real(e, 0.1, 0.5));
}

static ag_tensor *rms_norm_example(ag_example *e)
{
    ag_tensor *x = draw_rows(e), *weight = draw_vector(e, "weight", x);
    return ag_rms_norm(x, weight, ag_example_real(e, 0.1, 0.5));
}

const ag_op op_layer_norm = {
    .name = "layer_norm",
    .formula = "y = (x - mean) / sqrt(variance + eps) * weight + bias",
    .shape = norm_shape,
    .forward = norm_forward,
    .backward = norm_backward,
    .jvp = norm_jvp,
    .can_repeat = true,
    .example = layer_norm_example,
};

ag_tensor *ag_layer_norm(ag_tensor *x, ag_tensor *weight, ag_tensor *bias, double eps)
{
    return ag_custom(&op_layer_norm, (ag_tensor *[]){x, weight, bias}, 3, 1,
                     &(norm_attributes){.centred = true, .eps = eps}, sizeof(norm_attributes));
}

const ag_op op_rms_norm = {
    .name = "rms_norm",
    .formula = "y = x / sqrt(mean x^2 + eps) * weight",
    .shape = norm_shape,
    .forward = norm_forward,
    .backward = norm_backward,
    .jvp = norm_jvp,
    .can_repeat = true,
    .example = rms_norm_example,
};

ag_tensor *ag_rms_norm(ag_tensor *x, ag_tensor *weight, double eps)
{
    return ag_custom(&op_rms_norm, (ag_tensor *[]){x, weight}, 2, 1, &(norm_attributes){.centred = false, .eps = eps},
                     sizeof(norm_attributes));
}
