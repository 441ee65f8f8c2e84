/* embedding.c - rows of a table, chosen by ids; scaled, and with the codes of their
 * positions added, as models do. */
#include "../kernels/kernels.h"
#include "../ranges.h"
#include "../tape.h"

#include <string.h>

typedef struct embedding_attributes {
    ag_shape shape;     /* of the ids */
    const int32_t *ids; /* on the tape */
    ag_embedding_options options;
} embedding_attributes;

/* The factor on the rows. */
static double scale_of(const embedding_attributes *attributes)
{
    return attributes->options.scale != 0 ? attributes->options.scale : 1;
}

/* Whether each id is in the table. */
static ag_status check_ids(const ag_node *node, int64_t count, int64_t table_rows)
{
    const int32_t *ids = ((const embedding_attributes *)node->attributes)->ids;
    if (count && !ids)
        return ag_fail(node, AG_BAD_VALUE, "no ids given");
    for (int64_t i = 0; i < count; i++)
        if (ids[i] < 0 || ids[i] >= table_rows)
            return ag_fail(node, AG_BAD_VALUE, "id %d at place %lld is outside the table of %lld %s", (int)ids[i],
                           (long long)i, (long long)table_rows, ag_plural(table_rows, "row", "rows"));
    return AG_OK;
}

static ag_status embedding_shape(ag_node *node)
{
    const embedding_attributes *attributes = node->attributes;
    const ag_shape table = node->inputs[0]->shape;
    ag_shape shape = attributes->shape;
    char text[AG_SHAPE_TEXT], result[AG_SHAPE_TEXT];

    if (table.ndim != 2)
        return ag_fail(node, AG_BAD_SHAPE, "the table is %s: expected [count,width]", ag_shape_print(table, text));
    const int64_t count = ag_shape_size(shape);
    if (count < 0 || shape.ndim + 1 > AG_MAX_DIMS)
        return ag_fail(node, AG_BAD_SHAPE, "ids of shape %s: sizes are 0 or more, axes %d at most",
                       ag_shape_print(shape, text), AG_MAX_DIMS - 1);
    if (attributes->options.padding_id < -1 || attributes->options.padding_id >= table.dim[0])
        return ag_fail(node, AG_BAD_VALUE, "padding_id is %d: it must be an id of the table of %lld %s, or -1 for none",
                       (int)attributes->options.padding_id, (long long)table.dim[0],
                       ag_plural(table.dim[0], "row", "rows"));
    shape.dim[shape.ndim++] = table.dim[1];
    node->output->shape = shape;
    const ag_tensor *positions = node->inputs[1];
    if (positions && (shape.ndim < 2 || !ag_shape_equal(positions->shape, AG_SHAPE(shape.dim[shape.ndim - 2],
                                                                                   shape.dim[shape.ndim - 1]))))
        return ag_fail(node, AG_BAD_SHAPE, "positions %s for a result of %s: expected its last two axes",
                       ag_shape_print(positions->shape, text), ag_shape_print(shape, result));
    return check_ids(node, count, table.dim[0]);
}

typedef struct embedding_context {
    const int32_t *ids;
    const ag_real *table;     /* [count, width] */
    const ag_real *positions; /* [length, width] or NULL */
    int64_t width, length;
    ag_real scale;
    ag_real *y;
} embedding_context;

static void embedding_forward_rows(void *context, int64_t begin, int64_t end)
{
    const embedding_context *c = context;
    const kernel_elementwise *elementwise = kernels()->elementwise;
    for (int64_t i = begin; i < end; i++) {
        ag_real *y = c->y + i * c->width;
        elementwise->unary(UNARY_SCALE, c->scale, c->width, c->table + c->ids[i] * c->width, y);
        if (c->positions)
            elementwise->add(c->width, c->positions + i % c->length * c->width, y);
    }
}

/* y[i] = scale table[ids[i]] + positions[i mod length] */
static ag_status embedding_forward(ag_node *node)
{
    const embedding_attributes *attributes = node->attributes;
    const ag_tensor *table = node->inputs[0], *positions = node->inputs[1];
    embedding_context context = {.ids = attributes->ids,
                                 .table = table->data,
                                 .positions = positions ? positions->data : NULL,
                                 .width = table->shape.dim[1],
                                 .length = positions ? positions->shape.dim[0] : 0,
                                 .scale = (ag_real)scale_of(attributes),
                                 .y = node->output->data};
    if (node->output->size)
        parallel_rows(node->tape, ag_shape_size(attributes->shape), 2.0 * (double)node->output->size,
                      embedding_forward_rows, &context);
    return AG_OK;
}

/* ---- The gradient ------------------------------------------------------------------ */

/* The places that each row of the table was read at. Those of row r begin in `order` at
 * ends[r - 1] (row 0: at 0), end before ends[r], and ascend. */
typedef struct embedding_places {
    int64_t *ends; /* [rows of the table] */
    int64_t *order;
} embedding_places;

/* Sorts the places of the ids by the row that they name (a counting sort). Places of
 * padding are left out. */
static ag_status sort_places(const ag_node *node, int64_t count, embedding_places *places)
{
    const embedding_attributes *attributes = node->attributes;
    const int32_t *ids = attributes->ids;
    const int64_t rows = node->inputs[0]->shape.dim[0];
    const int32_t padding = attributes->options.padding_id;
    places->ends = ag_scratch(node->tape, (size_t)rows * sizeof *places->ends);
    places->order = ag_scratch(node->tape, (size_t)count * sizeof *places->order);
    if (!places->ends || !places->order)
        return AG_NO_MEMORY;
    memset(places->ends, 0, (size_t)rows * sizeof *places->ends);
    for (int64_t i = 0; i < count; i++)
        places->ends[ids[i]] += ids[i] != padding;
    int64_t before = 0;
    for (int64_t r = 0; r < rows; r++) {
        const int64_t own = places->ends[r];
        places->ends[r] = before;
        before += own;
    }
    for (int64_t i = 0; i < count; i++)
        if (ids[i] != padding)
            places->order[places->ends[ids[i]]++] = i;
    return AG_OK;
}

typedef struct embedding_gradient {
    embedding_places places;
    int64_t width;
    double scale;
    const ag_real *from;
    ag_real *to;
} embedding_gradient;

enum {
    BLOCK = 512, /* columns whose sums stay in the first-level cache */
    FEW = 4,     /* the most numbers whose sum needs no double */
};

/* to [columns] += scale times the sum of the places' rows, from `column` on. */
static void add_block(const embedding_gradient *g, const int64_t *places, int64_t count, int64_t column,
                      int64_t columns, ag_real *to)
{
    const kernel_elementwise *elementwise = kernels()->elementwise;
    const ag_real *from = g->from + column;
    double sums[BLOCK];
    if (count <= FEW) {
        for (int64_t i = 0; i < count; i++)
            elementwise->axpy(columns, (ag_real)g->scale, from + places[i] * g->width, to);
        return;
    }
    memset(sums, 0, (size_t)columns * sizeof *sums);
    elementwise->accumulate(count, columns, g->width, places, from, sums);
    for (int64_t c = 0; c < columns; c++)
        to[c] = (ag_real)((double)to[c] + g->scale * sums[c]);
}

/* The table's rows [begin, end). The order of a sum depends on the ids alone, so its bits
 * are the same at any number of threads. */
static void embedding_backward_rows(void *context, int64_t begin, int64_t end)
{
    const embedding_gradient *g = context;
    for (int64_t r = begin; r < end; r++) {
        const int64_t first = r ? g->places.ends[r - 1] : 0, count = g->places.ends[r] - first;
        for (int64_t column = 0; count && column < g->width; column += BLOCK) {
            const int64_t columns = g->width - column < BLOCK ? g->width - column : BLOCK;
            add_block(g, g->places.order + first, count, column, columns, g->to + r * g->width + column);
        }
    }
}

/* dtable[ids[i]] += scale dy[i], except for padding;
 * dpositions[i mod length] += dy[i] */
static ag_status embedding_backward(ag_node *node)
{
    const ag_tensor *table = node->inputs[0];
    const embedding_attributes *attributes = node->attributes;
    embedding_gradient gradient = {.width = table->shape.dim[1],
                                   .scale = scale_of(attributes),
                                   .from = node->output->grad,
                                   .to = ag_grad(node->inputs[0])};
    if (gradient.to && node->output->size) {
        ag_status status = sort_places(node, ag_shape_size(attributes->shape), &gradient.places);
        if (status != AG_OK)
            return status;
        parallel_rows(node->tape, table->shape.dim[0], 2.0 * (double)node->output->size, embedding_backward_rows,
                      &gradient);
    }
    if (node->inputs[1])
        ag_grad_add(node->inputs[1], node->output->shape, node->output->grad);
    return AG_OK;
}

/* uy[i] = scale utable[ids[i]] + upositions[i mod length]; the row of padding does not
 * move */
static ag_status embedding_jvp(ag_node *node, const ag_real *const *tangents, ag_real *tangent)
{
    const embedding_attributes *attributes = node->attributes;
    const int64_t width = node->inputs[0]->shape.dim[1];
    const int64_t positions = node->inputs[1] ? node->inputs[1]->size : 0;
    for (int64_t i = 0; i < node->output->size; i++) {
        const int32_t id = attributes->ids[i / width];
        double sum = 0;
        if (tangents[0] && id != attributes->options.padding_id)
            sum += scale_of(attributes) * (double)tangents[0][id * width + i % width];
        if (tangents[1])
            sum += (double)tangents[1][i % positions];
        tangent[i] = (ag_real)sum;
    }
    return AG_OK;
}

/* Few rows and many ids, so ids repeat. The padding row is never read: its gradient is 0
 * by definition and not the derivative. */
static ag_tensor *embedding_example(ag_example *e)
{
    static const int64_t widths[] = {1, 3, 8, 17, 33};
    const int64_t rows = ag_example_int(e, 1, 6);
    const bool padded = rows > 1 && ag_example_int(e, 0, 1);
    ag_shape shape = {.ndim = (int)ag_example_int(e, 0, 3)};
    int32_t ids[4 * 4 * 4];
    for (int i = 0; i < shape.ndim; i++)
        shape.dim[i] = ag_example_int(e, 1, 4);
    for (int64_t i = 0; i < ag_shape_size(shape); i++)
        ids[i] = (int32_t)ag_example_int(e, padded, rows - 1);
    const int64_t width = widths[ag_example_int(e, 0, 4)];
    ag_tensor *table = ag_example_input(e, "table", AG_SHAPE(rows, width), -2, 2);
    ag_embedding_options options = {.padding_id = padded ? 0 : -1};
    if (ag_example_int(e, 0, 1))
        options.scale = ag_example_real(e, 0.5, 2);
    if (shape.ndim > 0 && ag_example_int(e, 0, 1))
        options.positions = ag_example_input(e, "positions", AG_SHAPE(shape.dim[shape.ndim - 1], width), -2, 2);
    return ag_embedding_fused(table, shape, ids, &options);
}

const ag_op op_embedding = {
    .name = "embedding",
    .formula = "y[i] = scale table[ids[i]] + positions[i]",
    .shape = embedding_shape,
    .forward = embedding_forward,
    .backward = embedding_backward,
    .jvp = embedding_jvp,
    .example = embedding_example,
};

ag_tensor *ag_embedding_fused(ag_tensor *table, ag_shape shape, const int32_t *ids, const ag_embedding_options *options)
{
    embedding_attributes attributes = {.shape = shape, .ids = ids, .options = *options};
    const int64_t count = ag_shape_size(shape);
    if (table && count >= 0)
        attributes.ids = tape_copy(table->tape, ids, (size_t)count * sizeof *ids);
    return ag_custom(&op_embedding, (ag_tensor *[]){table, options->positions}, 2, 1, &attributes, sizeof attributes);
}

ag_tensor *ag_embedding(ag_tensor *table, ag_shape shape, const int32_t *ids, int32_t padding_id)
{
    return ag_embedding_fused(table, shape, ids, &(ag_embedding_options){.padding_id = padding_id});
}
