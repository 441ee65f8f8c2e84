/* loss.c - cross-entropy with its softmax built in, and mean squared error.
 *
 * The losses of rows and their sums are in double, so a mean over millions of tokens is
 * as good as one over ten. */
#include "../broadcast.h"
#include "../kernels/kernels.h"
#include "../tape.h"
#include "draw.h"
#include "scalar.h"
#include "softmax.h"

#include <math.h>

/* Losses are added, averaged, or left as they are. */
static ag_status check_reduction(const ag_node *node, ag_reduction reduction)
{
    if (reduction != AG_MEAN && reduction != AG_SUM && reduction != AG_NONE)
        return ag_fail(node, AG_BAD_VALUE, "reduction %d: expected AG_MEAN, AG_SUM or AG_NONE", (int)reduction);
    return AG_OK;
}

/* ---- Cross-entropy: arguments ------------------------------------------------------ */

typedef struct entropy_attributes {
    ag_cross_entropy_options options; /* the class weights are on the tape, */
    const int32_t *targets;           /* and so are the targets */
} entropy_attributes;

/* The rows of logits [.., classes], also where there are no classes. */
static int64_t row_count(const ag_tensor *logits)
{
    ag_shape shape = logits->shape;
    shape.ndim--;
    return ag_shape_size(shape);
}

static bool is_ignored(const entropy_attributes *attributes, int64_t row)
{
    return attributes->options.ignore && attributes->targets[row] == attributes->options.ignore_index;
}

/* Whether each target is a class or ignored. */
static ag_status check_targets(const ag_node *node, int64_t classes)
{
    const entropy_attributes *attributes = node->attributes;
    const int64_t rows = row_count(node->inputs[0]);
    if (rows && !attributes->targets)
        return ag_fail(node, AG_BAD_VALUE, "no targets given");
    for (int64_t r = 0; r < rows; r++) {
        const int32_t target = attributes->targets[r];
        if ((target < 0 || target >= classes) && !is_ignored(attributes, r))
            return ag_fail(node, AG_BAD_VALUE, "row %lld has target %d, which is none of the %lld %s and not ignored",
                           (long long)r, (int)target, (long long)classes, ag_plural(classes, "class", "classes"));
    }
    return AG_OK;
}

static ag_status cross_entropy_shape(ag_node *node)
{
    const entropy_attributes *attributes = node->attributes;
    const ag_cross_entropy_options *options = &attributes->options;
    ag_shape shape = node->inputs[0]->shape;

    if (shape.ndim < 1)
        return ag_fail(node, AG_BAD_SHAPE, "the logits are a scalar: expected [..,classes]");
    if (!(options->label_smoothing >= 0 && options->label_smoothing <= 1))
        return ag_fail(node, AG_BAD_VALUE, "label smoothing is %g: it must be in [0, 1]", options->label_smoothing);
    ag_status status = check_reduction(node, options->reduction);
    if (status != AG_OK)
        return status;

    const int64_t classes = shape.dim[--shape.ndim];
    node->output->shape = options->reduction == AG_NONE ? shape : AG_SCALAR;
    return check_targets(node, classes);
}

/* ---- Cross-entropy: forward and backward ------------------------------------------- */

/* The forward pass keeps this for the backward. */
typedef struct entropy_state {
    entropy_task task;
    double counted; /* the mean's divisor: the sum of w[t] over the rows that count */
} entropy_state;

typedef struct entropy_context {
    const entropy_task *task;
    double *losses;       /* of forward: [rows] */
    const ag_real *dloss; /* of backward: [rows] */
    ag_real *dlogits;
} entropy_context;

static void cross_entropy_forward_rows(void *context, int64_t begin, int64_t end)
{
    const entropy_context *c = context;
    kernels()->rows->cross_entropy(c->task, begin, end, c->losses);
}

static void cross_entropy_backward_rows(void *context, int64_t begin, int64_t end)
{
    const entropy_context *c = context;
    kernels()->rows->cross_entropy_backward(c->task, begin, end, c->dloss, c->dlogits);
}

/* The sum of the class weights. */
static double total_weight(const entropy_task *task)
{
    scalar_sum total = {0, 0};
    for (int64_t c = 0; c < task->classes && task->weights; c++)
        scalar_sum_add(&total, (double)task->weights[c]);
    return task->weights ? scalar_sum_total(&total) : (double)task->classes;
}

/* Gives the task the targets, with -1 for ignored ones, and adds up the weights of the
 * others. */
static ag_status set_targets(const ag_node *node, entropy_state *state)
{
    const entropy_attributes *attributes = node->attributes;
    const int64_t rows = row_count(node->inputs[0]);
    int32_t *targets = ag_tape_alloc(node->tape, (size_t)rows * sizeof *targets);
    if (!targets)
        return AG_NO_MEMORY;
    scalar_sum counted = {0, 0};
    for (int64_t r = 0; r < rows; r++) {
        targets[r] = is_ignored(attributes, r) ? -1 : attributes->targets[r];
        if (targets[r] >= 0)
            scalar_sum_add(&counted, state->task.weights ? (double)state->task.weights[targets[r]] : 1);
    }
    state->counted = scalar_sum_total(&counted);
    state->task.targets = targets;
    return AG_OK;
}

/* The factor on the sum of the rows; 0 where no row counts. */
static double entropy_scale(const ag_node *node)
{
    const entropy_attributes *attributes = node->attributes;
    const entropy_state *state = node->saved;
    if (attributes->options.reduction != AG_MEAN)
        return 1;
    return state->counted == 0 ? 0 : 1 / state->counted;
}

/* y = the losses of the rows, reduced. */
static void reduce_losses(ag_node *node, const double *losses)
{
    const entropy_attributes *attributes = node->attributes;
    const int64_t rows = row_count(node->inputs[0]);
    const double scale = entropy_scale(node);
    ag_real *y = node->output->data;
    scalar_sum sum = {0, 0};
    for (int64_t r = 0; r < rows; r++) {
        if (attributes->options.reduction == AG_NONE)
            y[r] = (ag_real)losses[r];
        scalar_sum_add(&sum, losses[r]);
    }
    if (attributes->options.reduction != AG_NONE)
        y[0] = scale == 0 ? 0 : (ag_real)(scalar_sum_total(&sum) * scale);
}

/* loss = (1 - s) w[t] (-log p[t]) + (s / C) sum_c w[c] (-log p[c]) */
static ag_status cross_entropy_forward(ag_node *node)
{
    const entropy_attributes *attributes = node->attributes;
    const ag_tensor *logits = node->inputs[0];
    const int64_t rows = row_count(node->inputs[0]);
    entropy_state *state = node->saved = ag_tape_alloc(node->tape, sizeof *state);
    entropy_statistics *statistics = ag_tape_alloc(node->tape, (size_t)rows * sizeof *statistics);
    double *losses = ag_scratch(node->tape, (size_t)rows * sizeof *losses);
    if (!state || !statistics || !losses)
        return AG_NO_MEMORY;
    *state = (entropy_state){.task = {.classes = logits->shape.dim[logits->shape.ndim - 1],
                                      .logits = logits->data,
                                      .weights = attributes->options.class_weights,
                                      .smoothing = attributes->options.label_smoothing,
                                      .statistics = statistics}};
    state->task.weight_total = total_weight(&state->task);
    ag_status status = set_targets(node, state);
    if (status != AG_OK)
        return status;
    entropy_context context = {.task = &state->task, .losses = losses};
    parallel_rows(node->tape, rows, 10.0 * (double)logits->size, cross_entropy_forward_rows, &context);
    reduce_losses(node, losses);
    return AG_OK;
}

/* dlogits[c] += dloss (p[c] sum(q) - q[c]), where the target's distribution is
 * q[c] = (1 - s) w[t] [c = t] + (s / C) w[c] */
static ag_status cross_entropy_backward(ag_node *node)
{
    const entropy_attributes *attributes = node->attributes;
    const entropy_state *state = node->saved;
    const int64_t rows = row_count(node->inputs[0]);
    const double scale = entropy_scale(node);
    const ag_real *dy = node->output->grad;
    ag_real *dloss = ag_scratch(node->tape, (size_t)rows * sizeof *dloss);
    entropy_context context = {.task = &state->task, .dloss = dloss, .dlogits = ag_grad(node->inputs[0])};
    if (!dloss || !context.dlogits)
        return AG_NO_MEMORY;
    for (int64_t r = 0; r < rows; r++)
        dloss[r] = attributes->options.reduction == AG_NONE ? dy[r] : (ag_real)((double)dy[0] * scale);
    parallel_rows(node->tape, rows, 8.0 * (double)node->inputs[0]->size, cross_entropy_backward_rows, &context);
    return AG_OK;
}

/* The tangent of a row's loss, by scalar.h and not by the kernels, so that the two modes
 * judge each other:
 *     uloss = sum(q) sum_c p[c] u[c] - sum_c q[c] u[c],  q as in the backward
 * `p` [classes] begins as the logits. */
static double row_tangent(const entropy_task *task, int32_t target, double *p, const double *u)
{
    const double share = task->smoothing / (double)task->classes;
    double sum_q = 0, sum_qu = 0;
    for (int64_t c = 0; c < task->classes; c++) {
        const double q =
            (task->weights ? (double)task->weights[c] : 1) * (share + (c == target ? 1 - task->smoothing : 0));
        sum_q += q;
        sum_qu += q * u[c];
    }
    if (target < 0 || sum_q == 0)
        return 0;
    softmax_in_place(task->classes, p);
    return sum_q * softmax_mean(task->classes, p, u) - sum_qu;
}

/* The tangents of the rows, reduced as their losses are. */
static ag_status cross_entropy_jvp(ag_node *node, const ag_real *const *tangents, ag_real *tangent)
{
    const entropy_attributes *attributes = node->attributes;
    const entropy_state *state = node->saved;
    const int64_t classes = state->task.classes, rows = row_count(node->inputs[0]);
    double *p = ag_scratch(node->tape, (size_t)classes * sizeof *p);
    double *u = ag_scratch(node->tape, (size_t)classes * sizeof *u), sum = 0;
    if (!p || !u)
        return AG_NO_MEMORY;
    for (int64_t r = 0; r < rows; r++) {
        for (int64_t c = 0; c < classes; c++) {
            p[c] = (double)state->task.logits[r * classes + c];
            u[c] = (double)tangents[0][r * classes + c];
        }
        const double row = row_tangent(&state->task, state->task.targets[r], p, u);
        sum += row;
        if (attributes->options.reduction == AG_NONE)
            tangent[r] = (ag_real)row;
    }
    if (attributes->options.reduction != AG_NONE)
        tangent[0] = (ag_real)(sum * entropy_scale(node));
    return AG_OK;
}

/* Every reduction, with and without class weights, smoothing, and an ignored index inside
 * or outside the classes. */
static ag_tensor *cross_entropy_example(ag_example *e)
{
    static const int64_t class_counts[] = {1, 2, 3, 17, 33};
    static const int32_t ignored[] = {-100, 255, 0};
    const int64_t classes = class_counts[ag_example_int(e, 0, 4)];
    ag_shape shape = {.ndim = (int)ag_example_int(e, 1, 3)};
    int64_t rows = 1;
    for (int i = 0; i < shape.ndim - 1; i++)
        rows *= shape.dim[i] = ag_example_int(e, 1, 4);
    shape.dim[shape.ndim - 1] = classes;

    ag_real weights[33];
    int32_t targets[16];
    ag_cross_entropy_options options = {.reduction = (ag_reduction)ag_example_int(e, 0, 2)};
    options.ignore = ag_example_int(e, 0, 1);
    options.ignore_index = ignored[ag_example_int(e, 0, 2)];
    for (int64_t r = 0; r < rows; r++) {
        targets[r] = (int32_t)ag_example_int(e, 0, classes - 1);
        if (options.ignore && ag_example_int(e, 0, 3) == 0)
            targets[r] = options.ignore_index;
    }
    for (int64_t c = 0; c < classes; c++)
        weights[c] = (ag_real)ag_example_real(e, 0.25, 2);
    if (ag_example_int(e, 0, 1))
        options.class_weights = weights;
    if (ag_example_int(e, 0, 1))
        options.label_smoothing = ag_example_real(e, 0, 1);
    return ag_cross_entropy(ag_example_input(e, "logits", shape, -3, 3), targets, &options);
}

const ag_op op_cross_entropy = {
    .name = "cross_entropy",
    .formula = "y = reduce((1 - s) w[t] (-log p[t]) + s/C sum_c w[c] (-log p[c])), p = softmax(logits)",
    .shape = cross_entropy_shape,
    .forward = cross_entropy_forward,
    .backward = cross_entropy_backward,
    .jvp = cross_entropy_jvp,
    .example = cross_entropy_example,
};

ag_tensor *ag_cross_entropy(ag_tensor *logits, const int32_t *targets, const ag_cross_entropy_options *options)
{
    entropy_attributes attributes = {.targets = targets};
    if (options)
        attributes.options = *options;
    if (logits && logits->shape.ndim > 0) {
        const size_t classes = (size_t)logits->shape.dim[logits->shape.ndim - 1];
        const ag_real **weights = &attributes.options.class_weights;
        attributes.targets = tape_copy(logits->tape, targets, (size_t)row_count(logits) * sizeof *targets);
        *weights = tape_copy(logits->tape, *weights, classes * sizeof **weights);
    }
    return ag_custom(&op_cross_entropy, &logits, 1, 1, &attributes, sizeof attributes);
}

/* ---- Mean squared error ------------------------------------------------------------ */

/* The shape that both inputs stretch to. False where there is none. */
static bool mse_stretched(const ag_node *node, ag_shape *shape)
{
    return broadcast_shapes(node->inputs[0]->shape, node->inputs[1]->shape, shape);
}

static ag_reduction mse_reduction(const ag_node *node)
{
    return *(const ag_reduction *)node->attributes;
}

static ag_status mse_shape(ag_node *node)
{
    const ag_reduction reduction = mse_reduction(node);
    char a[AG_SHAPE_TEXT], b[AG_SHAPE_TEXT];
    ag_shape_print(node->inputs[0]->shape, a);
    ag_shape_print(node->inputs[1]->shape, b);

    ag_shape shape;
    if (!mse_stretched(node, &shape))
        return ag_fail(node, AG_BAD_SHAPE, "%s and %s do not broadcast", a, b);
    const int64_t size = ag_shape_size(shape);
    if (size < 0)
        return ag_fail(node, AG_BAD_SHAPE, "%s and %s broadcast to more than memory can hold", a, b);
    if (size == 0 && reduction == AG_MEAN)
        return ag_fail(node, AG_BAD_SHAPE, "%s and %s: the mean of an empty result is undefined", a, b);
    node->output->shape = reduction == AG_NONE ? shape : AG_SCALAR;
    return check_reduction(node, reduction);
}

typedef struct mse_context {
    strided path; /* over `shape` */
    ag_shape shape;
    int64_t size;
    const ag_real *a, *b;
    ag_real *out;      /* [size]: (a - b)^2, unless reduced; backward: 2 (a - b) dy */
    ag_real *buffers;  /* forward, reducing: a - b of a piece, for each worker */
    double *sums;      /* forward, reducing: the sum of each piece's squares, */
    double unit;       /* after a multiplication by this power of two */
    kernel_operand dy; /* backward: step 0 where the loss is one number */
    ag_real factor;    /* backward: 2, or 2 / size */
} mse_context;

static mse_context mse_context_of(const ag_node *node)
{
    const ag_tensor *a = node->inputs[0], *b = node->inputs[1];
    mse_context c = {.a = a->data, .b = b->data};
    mse_stretched(node, &c.shape);
    c.path = strided_broadcast(c.shape, a->shape, b->shape);
    c.size = ag_shape_size(c.shape);
    return c;
}

/* difference = a - b for the elements [begin, end) */
static void subtract(const mse_context *c, int64_t begin, int64_t end, ag_real *difference)
{
    const int last = c->path.ndim - 1;
    strided_run run;
    for (int64_t at = begin; at < end; at += run.length) {
        run = strided_run_from(&c->path, at, end);
        kernels()->elementwise->binary(BINARY_SUB, run.length, (kernel_operand){c->a + run.a, c->path.a_step[last]},
                                       (kernel_operand){c->b + run.b, c->path.b_step[last]}, difference + (at - begin));
    }
}

static void mse_forward_pieces(void *context, int64_t first, int64_t last, int worker)
{
    const mse_context *c = context;
    const kernel_elementwise *elementwise = kernels()->elementwise;

    for (int64_t piece = first; piece < last; piece++) {
        const int64_t begin = piece * PIECE, count = c->size - begin < PIECE ? c->size - begin : PIECE;
        ag_real *out = c->out ? c->out + begin : c->buffers + worker * PIECE;
        subtract(c, begin, begin + count, out);
        if (c->sums)
            c->sums[piece] = kernels()->update->sum_of_squares(count, out, c->unit);
        else
            elementwise->binary(BINARY_MUL, count, (kernel_operand){out, 1}, (kernel_operand){out, 1}, out);
    }
}

/* out = 2 (a - b) dy, piece by piece: each pass finds the piece in the cache. */
static void mse_backward_elements(void *context, int64_t begin, int64_t end)
{
    const mse_context *c = context;
    const kernel_elementwise *elementwise = kernels()->elementwise;

    for (int64_t at = begin; at < end; at += PIECE) {
        const int64_t count = end - at < PIECE ? end - at : PIECE;
        const kernel_operand dy = {c->dy.data + c->dy.step * at, c->dy.step};
        ag_real *out = c->out + at;
        subtract(c, at, at + count, out);
        elementwise->binary(BINARY_MUL, count, (kernel_operand){out, 1}, (kernel_operand){&c->factor, 0}, out);
        elementwise->binary(BINARY_MUL, count, (kernel_operand){out, 1}, dy, out);
        for (int64_t i = 0; i < count && dy.step; i++)
            if (dy.data[i] == 0) /* (0 times NaN) */
                out[i] = 0;
    }
}

/* The sum of the squares, of numbers multiplied by `unit`. */
static double sum_pieces(const ag_node *node, mse_context *c, double unit)
{
    const int64_t pieces = piece_count(c->size);
    scalar_sum sum = {0, 0};
    c->unit = unit;
    kernel_parallel(node->tape->threads, pieces, 2.0 * (double)c->size, mse_forward_pieces, c);
    for (int64_t piece = 0; piece < pieces; piece++)
        scalar_sum_add(&sum, c->sums[piece]);
    return scalar_sum_total(&sum);
}

/* The sum may overflow where the mean does not. Then it is computed again in a smaller
 * unit, the square of which is undone last. */
static double mean_of_pieces(const ag_node *node, mse_context *c)
{
    const double sum = sum_pieces(node, c, 1);
    if (isfinite(sum))
        return sum / (double)c->size;
    return sum_pieces(node, c, 0x1p-600) / (double)c->size * 0x1p600 * 0x1p600;
}

/* y = (a - b)^2, summed, or averaged, or left as it is */
static ag_status mse_forward(ag_node *node)
{
    const ag_reduction reduction = mse_reduction(node);
    mse_context c = mse_context_of(node);
    const int64_t pieces = piece_count(c.size);
    ag_real *y = node->output->data;

    if (reduction == AG_NONE) {
        c.out = y;
        kernel_parallel(node->tape->threads, pieces, 2.0 * (double)c.size, mse_forward_pieces, &c);
    } else {
        c.sums = ag_scratch(node->tape, (size_t)pieces * sizeof *c.sums);
        c.buffers = ag_scratch(node->tape, (size_t)node->tape->threads * PIECE * sizeof(ag_real));
        if (!c.sums || !c.buffers)
            return AG_NO_MEMORY;
        y[0] = (ag_real)(reduction == AG_MEAN ? mean_of_pieces(node, &c) : sum_pieces(node, &c, 1));
    }
    return AG_OK;
}

/* da += 2 (a - b) dy, db -= 2 (a - b) dy, both summed over stretched axes; a mean's dy is
 * divided by the size */
static ag_status mse_backward(ag_node *node)
{
    const ag_reduction reduction = mse_reduction(node);
    mse_context c = mse_context_of(node);
    c.dy = (kernel_operand){node->output->grad, reduction == AG_NONE};
    c.out = ag_scratch(node->tape, (size_t)c.size * sizeof(ag_real));
    if (!c.out)
        return AG_NO_MEMORY;
    for (int side = 0; side < 2; side++) {
        const ag_real factor = reduction == AG_MEAN ? (ag_real)(2 / (double)c.size) : 2;
        c.factor = side ? -factor : factor;
        if (!node->inputs[side]->needs_grad)
            continue;
        parallel_elements(node->tape, c.size, 3.0 * (double)c.size, mse_backward_elements, &c);
        ag_grad_add(node->inputs[side], c.shape, c.out);
    }
    return AG_OK;
}

/* uy = 2 (a - b) (ua - ub), summed, or averaged, or left as it is */
static ag_status mse_jvp(ag_node *node, const ag_real *const *tangents, ag_real *tangent)
{
    const ag_reduction reduction = mse_reduction(node);
    const mse_context c = mse_context_of(node);
    const ag_real *ua = tangents[0], *ub = tangents[1];
    double sum = 0;
    strided_run run;
    for (int64_t at = 0; at < c.size; at += run.length) {
        run = strided_run_from(&c.path, at, c.size);
        for (int64_t i = 0; i < run.length; i++) {
            const int64_t a = run.a + i * c.path.a_step[c.path.ndim - 1],
                          b = run.b + i * c.path.b_step[c.path.ndim - 1];
            const double u = (ua ? (double)ua[a] : 0) - (ub ? (double)ub[b] : 0);
            const double element = 2 * ((double)c.a[a] - (double)c.b[b]) * u;
            sum += element;
            if (reduction == AG_NONE)
                tangent[at + i] = (ag_real)element;
        }
    }
    if (reduction != AG_NONE)
        tangent[0] = (ag_real)(reduction == AG_MEAN ? sum / (double)c.size : sum);
    return AG_OK;
}

/* Every reduction, except the mean of no elements. */
static ag_tensor *mse_example(ag_example *e)
{
    ag_shape a_shape, b_shape;
    draw_broadcast_pair(e, &a_shape, &b_shape);
    const bool empty = ag_shape_size(a_shape) == 0 || ag_shape_size(b_shape) == 0;
    const ag_reduction reduction = (ag_reduction)ag_example_int(e, empty ? AG_SUM : AG_MEAN, AG_NONE);
    ag_tensor *a = ag_example_input(e, "a", a_shape, -2, 2), *b = ag_example_input(e, "b", b_shape, -2, 2);
    return ag_mse(a, b, reduction);
}

const ag_op op_mse = {
    .name = "mse",
    .formula = "y = reduce((a - b)^2)",
    .shape = mse_shape,
    .forward = mse_forward,
    .backward = mse_backward,
    .jvp = mse_jvp,
    .example = mse_example,
};

ag_tensor *ag_mse(ag_tensor *a, ag_tensor *b, ag_reduction reduction)
{
    return ag_custom(&op_mse, (ag_tensor *[]){a, b}, 2, 2, &reduction, sizeof reduction);
}
