/* embedding.c - rows of a table, chosen by ids; scaled, and with the code of their positions added, as models do. */
#include "../broadcast.h"
#include "../kernels/kernels.h"
#include "../tape.h"

#include <string.h>

typedef struct embedding_attributes {
    ag_shape shape;     /* of the ids */
    const int32_t *ids; /* the caller's until the shape function has copied them */
    ag_embedding_options options;
} embedding_attributes;

/* By which rows are multiplied. */
static double scale_of(const embedding_attributes *attributes)
{
    return attributes->options.scale != 0 ? attributes->options.scale : 1;
}

/* Copies the ids onto the tape, after a look at each. */
static ag_status take_ids(ag_node *node, int64_t count, int64_t table_rows)
{
    embedding_attributes *attributes = node->attributes;
    if (count && !attributes->ids)
        return ag_fail(node, AG_BAD_VALUE, "no ids given");
    int32_t *ids = ag_tape_alloc(node->tape, (size_t)count * sizeof *ids);
    if (!ids)
        return AG_NO_MEMORY;
    for (int64_t i = 0; i < count; i++) {
        ids[i] = attributes->ids[i];
        if (ids[i] < 0 || ids[i] >= table_rows)
            return ag_fail(node, AG_BAD_VALUE, "id %d at place %lld is outside the table of %lld %s", (int)ids[i],
                           (long long)i, (long long)table_rows, ag_plural(table_rows, "row", "rows"));
    }
    attributes->ids = ids;
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
    return take_ids(node, count, table.dim[0]);
}

typedef struct embedding_context {
    const embedding_attributes *attributes;
    int64_t count, width;  /* count of ids */
    const ag_real *positions; /* [length, width] or NULL */
    int64_t length;
    ag_real scale;
    const ag_real *from;
    ag_real *to;
} embedding_context;

static embedding_context context_of(const ag_node *node, const ag_real *from, ag_real *to)
{
    const embedding_attributes *attributes = node->attributes;
    const ag_tensor *positions = node->inputs[1];
    return (embedding_context){.attributes = attributes,
                               .count = ag_shape_size(attributes->shape),
                               .width = node->inputs[0]->shape.dim[1],
                               .positions = positions ? positions->data : NULL,
                               .length = positions ? positions->shape.dim[0] : 0,
                               .scale = (ag_real)scale_of(attributes),
                               .from = from,
                               .to = to};
}

/* The ids [begin, end). */
static void read_rows(void *context, int64_t begin, int64_t end, int worker)
{
    const embedding_context *c = context;
    const kernel_elementwise *elementwise = kernels()->elementwise;
    (void)worker;
    for (int64_t i = begin; i < end; i++) {
        ag_real *y = c->to + i * c->width;
        elementwise->unary(UNARY_SCALE, c->scale, c->width, c->from + c->attributes->ids[i] * c->width, y);
        if (c->positions)
            elementwise->add(c->width, c->positions + i % c->length * c->width, y);
    }
}

/* y[i] = scale table[ids[i]] + positions[i mod length] */
static ag_status embedding_forward(ag_node *node)
{
    embedding_context context = context_of(node, node->inputs[0]->data, node->output->data);
    if (node->output->size)
        kernel_parallel(node->tape->threads, context.count, 2.0 * (double)node->output->size, read_rows, &context);
    return AG_OK;
}

/* ---- The gradient --------------------------------------------------------------------------- */

/* Where each row of the table was read: the places of row r are order[ends[r - 1]] .. order[ends[r] - 1], ascending. */
typedef struct embedding_places {
    int64_t *ends; /* [rows of the table] */
    int64_t *order;
} embedding_places;

/* Sorts the places of the ids by the row that they name. Padding has none. */
static ag_status sort_places(const ag_node *node, int64_t count, embedding_places *places)
{
    const embedding_attributes *attributes = node->attributes;
    const int64_t rows = node->inputs[0]->shape.dim[0];
    const int32_t padding = attributes->options.padding_id;
    places->ends = ag_scratch(node->tape, (size_t)rows * sizeof *places->ends);
    places->order = ag_scratch(node->tape, (size_t)count * sizeof *places->order);
    if (!places->ends || !places->order)
        return AG_NO_MEMORY;
    memset(places->ends, 0, (size_t)rows * sizeof *places->ends);
    for (int64_t i = 0; i < count; i++)
        places->ends[attributes->ids[i]] += attributes->ids[i] != padding;
    int64_t before = 0;
    for (int64_t r = 0; r < rows; r++) {
        const int64_t own = places->ends[r];
        places->ends[r] = before;
        before += own;
    }
    for (int64_t i = 0; i < count; i++)
        if (attributes->ids[i] != padding)
            places->order[places->ends[attributes->ids[i]]++] = i;
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
    BLOCK = 512, /* columns whose sums stay in the nearest cache */
    FEW = 4,     /* numbers whose sum needs no double */
};

/* Adds scale times the sum of the places' rows, columns [column, column + columns), to the table's row. */
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

/* The table's rows [begin, end). The order of a sum depends on the ids alone, so it has the same bits at any number of
 * threads. */
static void add_rows(void *context, int64_t begin, int64_t end, int worker)
{
    const embedding_gradient *g = context;
    (void)worker;
    for (int64_t r = begin; r < end; r++) {
        const int64_t first = r ? g->places.ends[r - 1] : 0, count = g->places.ends[r] - first;
        for (int64_t column = 0; count && column < g->width; column += BLOCK) {
            const int64_t columns = g->width - column < BLOCK ? g->width - column : BLOCK;
            add_block(g, g->places.order + first, count, column, columns, g->to + r * g->width + column);
        }
    }
}

/* dtable[ids[i]] += scale dy[i], but nothing for padding;  dpositions[i mod length] += dy[i] */
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
        kernel_parallel(node->tape->threads, table->shape.dim[0], 2.0 * (double)node->output->size, add_rows,
                        &gradient);
    }
    if (node->inputs[1])
        ag_grad_add(node->inputs[1], node->output->shape, node->output->grad);
    return AG_OK;
}

/* Few rows and many ids, so that ids repeat. A padding row is drawn, but not read: its gradient is 0 by decree, and is
 * not the derivative. */
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
    .example = embedding_example,
};

ag_tensor *ag_embedding_fused(ag_tensor *table, ag_shape shape, const int32_t *ids, const ag_embedding_options *options)
{
    return ag_custom(&op_embedding, (ag_tensor *[]){table, options->positions}, 2, 1,
                     &(embedding_attributes){shape, ids, *options}, sizeof(embedding_attributes));
}

ag_tensor *ag_embedding(ag_tensor *table, ag_shape shape, const int32_t *ids, int32_t padding_id)
{
    return ag_embedding_fused(table, shape, ids, &(ag_embedding_options){.padding_id = padding_id});
}
