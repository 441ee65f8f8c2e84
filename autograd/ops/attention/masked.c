/* masked.c - the two parts of plain attention that know the mask: softmax over the
 * allowed keys, and the sum over them.
 *
 * A row is processed from the first to the last key that it may look at: in place, or,
 * where keys in between are forbidden, in a copy without them. At forbidden keys nothing
 * is written, except for the zeros in the result of the softmax. */
#include "../../kernels/kernels.h"
#include "../../mask.h"
#include "../../tape.h"
#include "../softmax.h"
#include "shared.h"

#include <math.h>
#include <string.h>

/* One pass over the rows of scores or weights [B, H, T, S]. */
typedef struct masked_task masked_task;
/* Computes row `row` of B * H * T, which sees `keys`. `room` holds 2 rows. */
typedef void masked_row(const masked_task *task, int64_t row, attention_keys keys, ag_real *room);
struct masked_task {
    masked_row *compute;
    int64_t rows_together; /* on one thread: 1, or T if a head's rows share a gradient */
    const ag_mask *mask;
    int64_t heads, queries, keys;
    const ag_real *x, *y, *dy; /* scores or weights; the softmax; the result's gradient */
    ag_real *out, *dx;         /* the result; the gradient of x, NULL if not wanted */
    attention_rows values;     /* of all heads, one after the other */
    ag_real *rooms;            /* per worker: 2 rows */
    unsigned char *allow;      /* per worker: a row of the mask */
    int64_t *blind;            /* per worker: rows that see nothing; NULL: not counted */
};

static const ag_mask *mask_of(const ag_node *node)
{
    return *(const ag_mask *const *)node->attributes;
}

/* ---- Rows -------------------------------------------------------------------------- */

static void masked_rows(void *context, int64_t begin, int64_t end, int worker)
{
    const masked_task *task = context;
    for (int64_t row = begin * task->rows_together; row < end * task->rows_together; row++) {
        int64_t pair = row / task->queries;
        mask_query query = {pair / task->heads, pair % task->heads, row % task->queries};
        attention_keys keys = mask_keys(task->mask, query, task->keys, task->allow + worker * task->keys);
        task->compute(task, row, keys, task->rooms + worker * task->keys * 2);
        if (task->blind)
            task->blind[worker] += keys.begin == keys.end;
    }
}

/* Adds the mask, the sizes and the workers' memory to the task, and runs it. */
static ag_status masked_run(const ag_node *node, masked_task *task)
{
    const ag_shape scores = node->inputs[0]->shape;
    const size_t workers = (size_t)node->tape->threads;
    task->mask = mask_of(node);
    task->heads = scores.dim[1];
    task->queries = scores.dim[2];
    task->keys = scores.dim[3];
    const int64_t rows = scores.dim[0] * task->heads * task->queries;
    if (!rows)
        return AG_OK;
    task->rooms = ag_scratch(node->tape, workers * 2 * (size_t)task->keys * sizeof(ag_real));
    task->allow = ag_scratch(node->tape, workers * (size_t)task->keys);
    if (!task->rooms || !task->allow)
        return AG_NO_MEMORY;
    const double work = (double)rows * (double)task->keys * (double)(10 + task->values.width);
    kernel_parallel(node->tape->threads, rows / task->rows_together, work, masked_rows, task);
    return AG_OK;
}

/* Whether the first input (scores or weights: `name`) has the right axes and fits the
 * mask. */
static ag_status check_mask(const ag_node *node, const char *name)
{
    const ag_shape scores = node->inputs[0]->shape;
    char text[AG_SHAPE_TEXT];
    ag_error error = {0};
    if (scores.ndim != 4)
        return ag_fail(node, AG_BAD_SHAPE, "%s %s: expected [batch, heads, queries, keys]", name,
                       ag_shape_print(scores, text));
    if (ag_mask_fits(mask_of(node), scores.dim[0], scores.dim[1], scores.dim[2], scores.dim[3], &error) != AG_OK)
        return ag_fail(node, error.status, "%s", error.message);
    return AG_OK;
}

/* A row from its first allowed element on: where it lies, or in `room` with `value`
 * instead of the forbidden elements. */
static const ag_real *without_holes(attention_keys keys, const ag_real *row, ag_real value, ag_real *room)
{
    if (!keys.allow)
        return row + keys.begin;
    for (int64_t j = keys.begin; j < keys.end; j++)
        room[j - keys.begin] = keys.allow[j] ? row[j] : value;
    return room;
}

/* The memory of a tangent rule. */
typedef struct tangent_rooms {
    double *x, *u, *uy; /* [S], [S], [width of the values] */
    unsigned char *allow;
} tangent_rooms;

static ag_status tangent_rooms_make(const ag_node *node, tangent_rooms *rooms)
{
    const ag_shape scores = node->inputs[0]->shape, y = node->output->shape;
    const size_t keys = (size_t)scores.dim[3];
    rooms->x = ag_scratch(node->tape, keys * sizeof *rooms->x);
    rooms->u = ag_scratch(node->tape, keys * sizeof *rooms->u);
    rooms->uy = ag_scratch(node->tape, (size_t)y.dim[3] * sizeof *rooms->uy);
    rooms->allow = ag_scratch(node->tape, keys);
    return node->tape->error.status;
}

/* The keys of a row of scores or weights. Copies these elements of the row, and its
 * tangent, to the rooms, with `value` and 0 instead of the forbidden ones. */
static attention_keys tangent_row(const ag_node *node, int64_t row, const ag_real *tangent, double value,
                                  const tangent_rooms *rooms)
{
    const ag_shape scores = node->inputs[0]->shape;
    const int64_t pair = row / scores.dim[2], first = row * scores.dim[3];
    const mask_query query = {pair / scores.dim[1], pair % scores.dim[1], row % scores.dim[2]};
    const attention_keys keys = mask_keys(mask_of(node), query, scores.dim[3], rooms->allow);
    for (int64_t j = keys.begin; j < keys.end; j++) {
        const bool sees = keys_have(keys, j);
        rooms->x[j - keys.begin] = sees ? (double)node->inputs[0]->data[first + j] : value;
        rooms->u[j - keys.begin] = sees && tangent ? (double)tangent[first + j] : 0;
    }
    return keys;
}

static void set_zero(int64_t n, ag_real *x)
{
    for (int64_t i = 0; i < n; i++)
        x[i] = 0;
}

/* ---- Softmax ----------------------------------------------------------------------- */

static ag_status masked_softmax_shape(ag_node *node)
{
    node->output->shape = node->inputs[0]->shape;
    return check_mask(node, "scores");
}

static void masked_softmax_row(const masked_task *task, int64_t row, attention_keys keys, ag_real *room)
{
    ag_real *y = task->out + row * task->keys;
    set_zero(task->keys, y);
    kernels()->rows->softmax(1, keys.end - keys.begin,
                             without_holes(keys, task->x + row * task->keys, -(ag_real)INFINITY, room), y + keys.begin);
}

static void masked_softmax_row_backward(const masked_task *task, int64_t row, attention_keys keys, ag_real *room)
{
    const int64_t at = row * task->keys, count = keys.end - keys.begin;
    const ag_real *y = task->y + at + keys.begin, *dy = without_holes(keys, task->dy + at, 0, room);
    ag_real *dx = task->dx + at, *dense = room + task->keys;
    if (!keys.allow) {
        kernels()->rows->softmax_backward(1, count, y, dy, dx + keys.begin);
        return;
    }
    set_zero(count, dense);
    kernels()->rows->softmax_backward(1, count, y, dy, dense);
    for (int64_t j = keys.begin; j < keys.end; j++)
        if (keys.allow[j])
            dx[j] += dense[j - keys.begin];
}

/* y[j] = e^x[j] / sum e^x over the allowed keys j; 0 elsewhere */
static ag_status masked_softmax_forward(ag_node *node)
{
    masked_task task = {.compute = masked_softmax_row,
                        .rows_together = 1,
                        .x = node->inputs[0]->data,
                        .out = node->output->data,
                        .blind = blind_counters(node->tape)};
    ag_status status = task.blind ? masked_run(node, &task) : AG_NO_MEMORY;
    if (status == AG_OK)
        blind_add(node->tape, task.blind);
    return status;
}

/* dx += y (dy - sum y dy) at the allowed keys */
static ag_status masked_softmax_backward(ag_node *node)
{
    masked_task task = {.compute = masked_softmax_row_backward,
                        .rows_together = 1,
                        .y = node->output->data,
                        .dy = node->output->grad,
                        .dx = ag_grad(node->inputs[0])};
    return task.dx ? masked_run(node, &task) : AG_OK;
}

/* uy = y (ux - sum y ux) over the allowed keys */
static ag_status masked_softmax_jvp(ag_node *node, const ag_real *const *tangents, ag_real *tangent)
{
    tangent_rooms rooms;
    const int64_t width = node->output->shape.dim[3];
    if (tangent_rooms_make(node, &rooms) != AG_OK)
        return AG_NO_MEMORY;
    for (int64_t row = 0; row * width < node->output->size; row++) {
        const attention_keys keys = tangent_row(node, row, tangents[0], -INFINITY, &rooms);
        softmax_in_place(keys.end - keys.begin, rooms.x);
        softmax_tangent(keys.end - keys.begin, rooms.x, rooms.u);
        for (int64_t j = keys.begin; j < keys.end; j++)
            tangent[row * width + j] = (ag_real)rooms.u[j - keys.begin];
    }
    return AG_OK;
}

static ag_tensor *masked_softmax_example(ag_example *e)
{
    int64_t batch = ag_example_int(e, 1, 3), heads = ag_example_int(e, 1, 3), queries = ag_example_int(e, 1, 5);
    int64_t keys = ag_example_int(e, 1, 9);
    ag_tensor *scores = ag_example_input(e, "scores", AG_SHAPE(batch, heads, queries, keys), -3, 3);
    return ag_masked_softmax(scores, attention_example_mask(e, batch, heads, queries, keys));
}

const ag_op op_masked_softmax = {
    .name = "masked_softmax",
    .formula = "y = e^x / sum e^x over the allowed keys, 0 elsewhere",
    .shape = masked_softmax_shape,
    .forward = masked_softmax_forward,
    .backward = masked_softmax_backward,
    .jvp = masked_softmax_jvp,
    .example = masked_softmax_example,
};

ag_tensor *ag_masked_softmax(ag_tensor *scores, const ag_mask *mask)
{
    return ag_custom(&op_masked_softmax, &scores, 1, 1, &mask, sizeof mask);
}

/* ---- Sum --------------------------------------------------------------------------- */

static ag_status masked_sum_shape(ag_node *node)
{
    ag_shape weights = node->inputs[0]->shape, values = node->inputs[1]->shape;
    char text[2][AG_SHAPE_TEXT];
    ag_status status = check_mask(node, "weights");
    if (status != AG_OK)
        return status;
    if (values.ndim != 4 || values.dim[0] != weights.dim[0] || values.dim[1] != weights.dim[1] ||
        values.dim[2] != weights.dim[3])
        return ag_fail(node, AG_BAD_SHAPE, "weights %s and values %s: expected values [%lld,%lld,%lld,width]",
                       ag_shape_print(weights, text[0]), ag_shape_print(values, text[1]), (long long)weights.dim[0],
                       (long long)weights.dim[1], (long long)weights.dim[3]);
    node->output->shape = AG_SHAPE(weights.dim[0], weights.dim[1], weights.dim[2], values.dim[3]);
    return AG_OK;
}

/* The values of the head that a row belongs to. */
static attention_rows values_of(const masked_task *task, int64_t row)
{
    attention_rows values = task->values;
    int64_t offset = row / task->queries * task->keys * values.width;
    values.data += offset;
    if (values.gradient)
        values.gradient += offset;
    return values;
}

static void masked_sum_row(const masked_task *task, int64_t row, attention_keys keys, ag_real *room)
{
    attention_rows values = values_of(task, row);
    (void)room;
    kernels()->attention->sum(keys, task->x + row * task->keys, &values, task->out + row * values.width);
}

static void masked_sum_row_backward(const masked_task *task, int64_t row, attention_keys keys, ag_real *room)
{
    attention_rows values = values_of(task, row);
    const ag_real *dy = task->dy + row * values.width;
    (void)room;
    if (!kernel_all_zero(values.width, dy))
        kernels()->attention->sum_backward(keys, task->x + row * task->keys, &values, dy,
                                           task->dx ? task->dx + row * task->keys : NULL);
}

static attention_rows all_values(const ag_tensor *values, ag_real *gradient)
{
    int64_t width = values->shape.dim[3];
    return (attention_rows){.width = width, .step = width, .data = values->data, .gradient = gradient};
}

/* y = sum w[j] v[j] over the allowed keys j */
static ag_status masked_sum_forward(ag_node *node)
{
    masked_task task = {.compute = masked_sum_row,
                        .rows_together = 1,
                        .x = node->inputs[0]->data,
                        .out = node->output->data,
                        .values = all_values(node->inputs[1], NULL)};
    return masked_run(node, &task);
}

/* dw[j] += dy . v[j],  dv[j] += w[j] dy  at the allowed keys j */
static ag_status masked_sum_backward(ag_node *node)
{
    ag_tensor *weights = node->inputs[0], *values = node->inputs[1];
    masked_task task = {.compute = masked_sum_row_backward,
                        .rows_together = weights->shape.dim[2],
                        .x = weights->data,
                        .dy = node->output->grad,
                        .dx = ag_grad(weights),
                        .values = all_values(values, ag_grad(values))};
    if (node->tape->error.status != AG_OK)
        return node->tape->error.status;
    return masked_run(node, &task);
}

/* uy = sum uw[j] v[j] + w[j] uv[j] over the allowed keys j */
static ag_status masked_sum_jvp(ag_node *node, const ag_real *const *tangents, ag_real *tangent)
{
    tangent_rooms rooms;
    const ag_tensor *values = node->inputs[1];
    const int64_t width = values->shape.dim[3], head = values->shape.dim[2] * width;
    if (tangent_rooms_make(node, &rooms) != AG_OK)
        return AG_NO_MEMORY;
    for (int64_t row = 0; row * width < node->output->size; row++) {
        const attention_keys keys = tangent_row(node, row, tangents[0], 0, &rooms);
        const int64_t offset = row / node->output->shape.dim[2] * head;
        const moving_rows v = {.width = width,
                               .step = width,
                               .data = values->data + offset,
                               .tangent = tangents[1] ? tangents[1] + offset : NULL};
        moving_sum(keys, rooms.x, rooms.u, v, rooms.uy);
        for (int64_t c = 0; c < width; c++)
            tangent[row * width + c] = (ag_real)rooms.uy[c];
    }
    return AG_OK;
}

static void masked_sum_multiply_adds(const ag_node *node, double *forward, double *backward)
{
    const ag_tensor *weights = node->inputs[0], *values = node->inputs[1];
    *forward = attention_seen_pairs(mask_of(node), weights->shape) * (double)values->shape.dim[3];
    *backward = *forward * (weights->needs_grad + values->needs_grad);
}

static ag_tensor *masked_sum_example(ag_example *e)
{
    int64_t batch = ag_example_int(e, 1, 3), heads = ag_example_int(e, 1, 3), queries = ag_example_int(e, 1, 5);
    int64_t keys = ag_example_int(e, 1, 9), width = ag_example_int(e, 1, 6);
    ag_tensor *weights = ag_example_input(e, "weights", AG_SHAPE(batch, heads, queries, keys), -2, 2);
    ag_tensor *values = ag_example_input(e, "values", AG_SHAPE(batch, heads, keys, width), -2, 2);
    return ag_masked_sum(weights, values, attention_example_mask(e, batch, heads, queries, keys));
}

const ag_op op_masked_sum = {
    .name = "masked_sum",
    .formula = "y = sum w[j] v[j] over the allowed keys j",
    .shape = masked_sum_shape,
    .forward = masked_sum_forward,
    .backward = masked_sum_backward,
    .jvp = masked_sum_jvp,
    .example = masked_sum_example,
    .multiply_adds = masked_sum_multiply_adds,
};

ag_tensor *ag_masked_sum(ag_tensor *weights, ag_tensor *values, const ag_mask *mask)
{
    return ag_custom(&op_masked_sum, (ag_tensor *[]){weights, values}, 2, 2, &mask, sizeof mask);
}
