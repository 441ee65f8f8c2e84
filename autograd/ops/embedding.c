/* embedding.c - rows of a table, chosen by ids. */
#include "../kernels/kernels.h"
#include "../tape.h"
#include "ops.h"

#include <string.h>

typedef struct embedding_attributes {
    ag_shape shape;     /* of the ids */
    const int32_t *ids; /* the caller's until the shape function has copied them */
    int32_t padding_id; /* -1: none */
} embedding_attributes;

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
            return ag_fail(node, AG_BAD_VALUE, "id %d at place %lld is outside the table of %lld rows", (int)ids[i],
                           (long long)i, (long long)table_rows);
    }
    attributes->ids = ids;
    return AG_OK;
}

static ag_status embedding_shape(ag_node *node)
{
    const embedding_attributes *attributes = node->attributes;
    const ag_shape table = node->inputs[0]->shape;
    ag_shape shape = attributes->shape;
    char text[AG_SHAPE_TEXT];

    if (table.ndim != 2)
        return ag_fail(node, AG_BAD_SHAPE, "the table is %s: expected [count,width]", ag_shape_print(table, text));
    const int64_t count = ag_shape_size(shape);
    if (count < 0 || shape.ndim + 1 > AG_MAX_DIMS)
        return ag_fail(node, AG_BAD_SHAPE, "ids of shape %s: sizes are 0 or more, axes %d at most",
                       ag_shape_print(shape, text), AG_MAX_DIMS - 1);
    if (attributes->padding_id < -1 || attributes->padding_id >= table.dim[0])
        return ag_fail(node, AG_BAD_VALUE,
                       "padding_id is %d: it must be an id of the table of %lld rows, or -1 for none",
                       (int)attributes->padding_id, (long long)table.dim[0]);
    shape.dim[shape.ndim++] = table.dim[1];
    node->output->shape = shape;
    return take_ids(node, count, table.dim[0]);
}

typedef struct embedding_context {
    const embedding_attributes *attributes;
    int64_t count, width; /* count of ids */
    const real *from;
    real *to;
} embedding_context;

static embedding_context context_of(const ag_node *node, const real *from, real *to)
{
    const embedding_attributes *attributes = node->attributes;
    return (embedding_context){attributes, ag_shape_size(attributes->shape), node->inputs[0]->shape.dim[1], from, to};
}

/* The ids [begin, end). */
static void read_rows(void *context, int64_t begin, int64_t end, int worker)
{
    const embedding_context *c = context;
    (void)worker;
    for (int64_t i = begin; i < end; i++)
        memcpy(c->to + i * c->width, c->from + c->attributes->ids[i] * c->width, (size_t)c->width * sizeof(real));
}

/* y[i] = table[ids[i]] */
static ag_status embedding_forward(ag_node *node)
{
    embedding_context context = context_of(node, node->inputs[0]->data, node->output->data);
    if (node->output->size)
        kernel_parallel(node->tape->threads, context.count, (double)node->output->size, read_rows, &context);
    return AG_OK;
}

/* The table's rows [begin, end): each thread reads all ids and adds those of its rows in their order, so a repeated id
 * has the same sum, bit for bit, at any number of threads. */
static void add_rows(void *context, int64_t begin, int64_t end, int worker)
{
    const embedding_context *c = context;
    (void)worker;
    for (int64_t i = 0; i < c->count; i++) {
        const int32_t id = c->attributes->ids[i];
        if (id < begin || id >= end || id == c->attributes->padding_id)
            continue;
        const real *dy = c->from + i * c->width;
        real *row = c->to + id * c->width;
        for (int64_t d = 0; d < c->width; d++)
            row[d] += dy[d];
    }
}

/* dtable[ids[i]] += dy[i], but nothing for padding */
static ag_status embedding_backward(ag_node *node)
{
    const ag_tensor *table = node->inputs[0];
    embedding_context context = context_of(node, node->output->grad, ag_grad(node->inputs[0]));
    if (context.to)
        kernel_parallel(node->tape->threads, table->shape.dim[0], (double)node->output->size, add_rows, &context);
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
    ag_tensor *table = ag_example_input(e, "table", AG_SHAPE(rows, widths[ag_example_int(e, 0, 4)]), -2, 2);
    return ag_embedding(table, shape, ids, padded ? 0 : -1);
}

const ag_op op_embedding = {
    .name = "embedding",
    .formula = "y[i] = table[ids[i]]",
    .shape = embedding_shape,
    .forward = embedding_forward,
    .backward = embedding_backward,
    .example = embedding_example,
};

ag_tensor *ag_embedding(ag_tensor *table, ag_shape shape, const int32_t *ids, int32_t padding_id)
{
    return ag_custom(&op_embedding, &table, 1, 1, &(embedding_attributes){shape, ids, padding_id},
                     sizeof(embedding_attributes));
}
