/* rotary.c - rotary positions (Su et al. 2021, section 3.4.2).
 *
 * Each pair of numbers is a point in a plane, rotated by an angle that grows with the
 * position. So the dot product of a rotated query and a rotated key depends on their
 * contents and on the distance between them alone. */
#include "../kernels/kernels.h"
#include "../ranges.h"
#include "scalar.h"

#include <math.h>

typedef struct rotary_attributes {
    int heads;
    int64_t start;
    double base;
} rotary_attributes;

static ag_status rotary_shape(ag_node *node)
{
    const rotary_attributes *attributes = node->attributes;
    const ag_shape shape = node->inputs[0]->shape;
    char text[AG_SHAPE_TEXT];

    if (shape.ndim < 2)
        return ag_fail(node, AG_BAD_SHAPE, "%s: expected [.., positions, heads * width]", ag_shape_print(shape, text));
    if (attributes->heads < 1)
        return ag_fail(node, AG_BAD_VALUE, "%d %s: there must be 1 at least", attributes->heads,
                       ag_plural(attributes->heads, "head", "heads"));
    if (shape.dim[shape.ndim - 1] % (2 * (int64_t)attributes->heads) != 0)
        return ag_fail(node, AG_BAD_SHAPE, "%s with %d %s: the last axis must be a multiple of 2 * heads",
                       ag_shape_print(shape, text), attributes->heads, ag_plural(attributes->heads, "head", "heads"));
    if (!(attributes->base > 0 && isfinite(attributes->base)))
        return ag_fail(node, AG_BAD_VALUE, "base is %g: it must be above 0 (10000 is usual)", attributes->base);
    node->output->shape = shape;
    return AG_OK;
}

/* The cosines and sines of (start + t) base^(-2i/width) for each position t and pair i:
 * [positions, pairs] each. */
static void fill_tables(const rotary_attributes *attributes, int64_t positions, int64_t pairs, ag_real *cosine,
                        ag_real *sine)
{
    for (int64_t i = 0; i < pairs; i++) {
        const double frequency = scalar_pow(attributes->base, -(double)i / (double)pairs);
        for (int64_t t = 0; t < positions; t++) {
            double s, c;
            scalar_sin_cos(((double)attributes->start + (double)t) * frequency, &s, &c);
            cosine[t * pairs + i] = (ag_real)c;
            sine[t * pairs + i] = (ag_real)s;
        }
    }
}

/* Rotates rows of `in` into `out`, or back, where `out` is added to. */
typedef struct rotary_context {
    const rotate_task *task;
    const ag_real *in;
    ag_real *out;
    bool back;
} rotary_context;

static void rotate_rows(void *context, int64_t begin, int64_t end)
{
    const rotary_context *c = context;
    const kernel_rows *rows = kernels()->rows;
    (c->back ? rows->rotate_backward : rows->rotate)(c->task, begin, end, c->in, c->out);
}

/* (a, b) -> (a cos - b sin, a sin + b cos). Saves the rotate_task with its tables. */
static ag_status rotary_forward(ag_node *node)
{
    const rotary_attributes *attributes = node->attributes;
    ag_tensor *y = node->output;
    if (y->size == 0)
        return AG_OK;
    const int64_t width = y->shape.dim[y->shape.ndim - 1], positions = y->shape.dim[y->shape.ndim - 2];
    const int64_t pairs = width / (2 * (int64_t)attributes->heads);

    rotate_task *task = node->saved = ag_tape_alloc(node->tape, sizeof *task);
    ag_real *cosine = ag_tape_alloc(node->tape, (size_t)(positions * pairs) * sizeof(ag_real));
    ag_real *sine = ag_tape_alloc(node->tape, (size_t)(positions * pairs) * sizeof(ag_real));
    if (!task || !cosine || !sine)
        return AG_NO_MEMORY;
    fill_tables(attributes, positions, pairs, cosine, sine);
    *task = (rotate_task){
        .heads = attributes->heads,
        .pairs = pairs,
        .period = positions,
        .cosine = cosine,
        .sine = sine,
    };
    rotary_context context = {.task = task, .in = node->inputs[0]->data, .out = y->data};
    parallel_rows(node->tape, y->size / width, 4.0 * (double)y->size, rotate_rows, &context);
    return AG_OK;
}

/* The rotation by the opposite angle:
 *     da += dy_a cos + dy_b sin;  db += dy_b cos - dy_a sin */
static ag_status rotary_backward(ag_node *node)
{
    const ag_tensor *y = node->output;
    rotary_context context = {.task = node->saved, .in = y->grad, .out = ag_grad(node->inputs[0]), .back = true};
    if (context.out && y->size)
        parallel_rows(node->tape, y->size / y->shape.dim[y->shape.ndim - 1], 4.0 * (double)y->size, rotate_rows,
                      &context);
    return AG_OK;
}

/* A rotation is linear: uy is ux rotated, pair by pair, by the angles of the forward. */
static ag_status rotary_jvp(ag_node *node, const ag_real *const *tangents, ag_real *tangent)
{
    const rotate_task *task = node->saved;
    for (int64_t a = 0; a < node->output->size; a += 2) {
        const int64_t row = a / (task->heads * task->pairs * 2), pair = a / 2 % task->pairs;
        const int64_t angle = row % task->period * task->pairs + pair;
        const double c = (double)task->cosine[angle], s = (double)task->sine[angle];
        const double first = (double)tangents[0][a], second = (double)tangents[0][a + 1];
        tangent[a] = (ag_real)(first * c - second * s);
        tangent[a + 1] = (ag_real)(first * s + second * c);
    }
    return AG_OK;
}

static ag_tensor *rotary_example(ag_example *e)
{
    static const double bases[] = {1, 100, 10000};
    ag_shape shape = {.ndim = (int)ag_example_int(e, 2, 4)};
    for (int i = 0; i < shape.ndim - 1; i++)
        shape.dim[i] = ag_example_int(e, 1, 5);
    int heads = (int)ag_example_int(e, 1, 3);
    shape.dim[shape.ndim - 1] = ag_example_int(e, 1, 9) * heads * 2;
    int64_t start = ag_example_int(e, 0, 2) * 50;
    double base = bases[ag_example_int(e, 0, 2)];
    return ag_rotary(ag_example_input(e, "x", shape, -2, 2), heads, start, base);
}

const ag_op op_rotary = {
    .name = "rotary",
    .formula = "pairs (a, b) -> (a cos - b sin, a sin + b cos), angle (start + t) base^(-2i/width)",
    .shape = rotary_shape,
    .forward = rotary_forward,
    .backward = rotary_backward,
    .jvp = rotary_jvp,
    .example = rotary_example,
};

ag_tensor *ag_rotary(ag_tensor *x, int heads, int64_t start, double base)
{
    return ag_custom(&op_rotary, &x, 1, 1, &(rotary_attributes){heads, start, base}, sizeof(rotary_attributes));
}
