/* distance_bias.c - biases of attention scores that depend on the distance of query and
 * key alone. */
#include "../kernels/kernels.h"
#include "../ranges.h"
#include "../tape.h"

typedef struct distance_attributes {
    int64_t queries, keys;
    const int32_t *rows; /* [queries + keys - 1], on the tape */
} distance_attributes;

/* The number of distances, that of query 0 and key 0 being in the middle. */
static int64_t distance_count(int64_t queries, int64_t keys)
{
    return queries > 0 && keys > 0 ? queries + keys - 1 : 0;
}

static ag_status distance_bias_shape(ag_node *node)
{
    const distance_attributes *attributes = node->attributes;
    const ag_shape table = node->inputs[0]->shape;
    const int64_t queries = attributes->queries, keys = attributes->keys;
    char text[AG_SHAPE_TEXT];
    if (table.ndim != 2)
        return ag_fail(node, AG_BAD_SHAPE, "the table is %s: expected [rows,heads]", ag_shape_print(table, text));
    if (queries < 0 || keys < 0 || ag_shape_size(AG_SHAPE(table.dim[1], queries, keys)) < 0)
        return ag_fail(node, AG_BAD_SHAPE, "there are no biases of %lld %s and %lld %s", (long long)queries,
                       ag_plural(queries, "query", "queries"), (long long)keys, ag_plural(keys, "key", "keys"));
    const int64_t count = distance_count(queries, keys);
    if (count && !attributes->rows)
        return ag_fail(node, AG_BAD_VALUE, "no rows given");
    for (int64_t d = 0; d < count; d++)
        if (attributes->rows[d] < 0 || attributes->rows[d] >= table.dim[0])
            return ag_fail(node, AG_BAD_VALUE, "row %d at place %lld is outside the table of %lld %s",
                           (int)attributes->rows[d], (long long)d, (long long)table.dim[0],
                           ag_plural(table.dim[0], "row", "rows"));
    node->output->shape = AG_SHAPE(1, table.dim[1], queries, keys);
    return AG_OK;
}

typedef struct distance_context {
    const distance_attributes *attributes;
    int64_t heads;
    const ag_real *table;
    ag_real *y;
} distance_context;

/* Rows begin <= row < end of heads times queries. */
static void fill_bias_rows(void *context, int64_t begin, int64_t end)
{
    const distance_context *c = context;
    const int64_t queries = c->attributes->queries, keys = c->attributes->keys;
    for (int64_t row = begin; row < end; row++) {
        const int32_t *rows = c->attributes->rows + queries - 1 - row % queries;
        const ag_real *table = c->table + row / queries;
        for (int64_t j = 0; j < keys; j++)
            c->y[row * keys + j] = table[rows[j] * c->heads];
    }
}

/* Fills y, of the operation's shape, from the table. */
static void fill_bias(const ag_node *node, const ag_real *table, ag_real *y)
{
    const distance_attributes *attributes = node->attributes;
    const int64_t heads = node->inputs[0]->shape.dim[1];
    distance_context context = {attributes, heads, table, y};
    if (node->output->size)
        parallel_rows(node->tape, heads * attributes->queries, (double)node->output->size, fill_bias_rows, &context);
}

/* y[0, h, i, j] = table[rows[j - i + queries - 1], h] */
static ag_status distance_bias_forward(ag_node *node)
{
    fill_bias(node, node->inputs[0]->data, node->output->data);
    return AG_OK;
}

/* sums[rows[j - i + queries - 1]] += dy[i, j], query after query, in double: so queries
 * and keys of padding, whose dy is 0, change no bit. */
static void sum_distances(const distance_attributes *attributes, const ag_real *dy, double *sums)
{
    for (int64_t i = 0; i < attributes->queries; i++) {
        const int32_t *rows = attributes->rows + attributes->queries - 1 - i;
        for (int64_t j = 0; j < attributes->keys; j++)
            sums[rows[j]] += (double)dy[i * attributes->keys + j];
    }
}

typedef struct distance_sums {
    const distance_attributes *attributes;
    int64_t heads, table_rows;
    const ag_real *dy;
    double *sums; /* [heads, table_rows], zeros at first */
} distance_sums;

static void sum_heads(void *context, int64_t begin, int64_t end)
{
    const distance_sums *s = context;
    const int64_t size = s->attributes->queries * s->attributes->keys;
    for (int64_t h = begin; h < end; h++)
        sum_distances(s->attributes, s->dy + h * size, s->sums + h * s->table_rows);
}

/* dtable[r, h] += the sum of dy[0, h, i, j] over the pairs whose distance has row r */
static ag_status distance_bias_backward(ag_node *node)
{
    ag_tensor *table = node->inputs[0];
    ag_real *dtable = ag_grad(table);
    if (!dtable)
        return AG_NO_MEMORY;
    distance_sums s = {.attributes = node->attributes,
                       .heads = table->shape.dim[1],
                       .table_rows = table->shape.dim[0],
                       .dy = node->output->grad};
    if (!node->output->size)
        return AG_OK;
    if (!(s.sums = ag_scratch(node->tape, (size_t)table->size * sizeof *s.sums)))
        return AG_NO_MEMORY;
    for (int64_t e = 0; e < table->size; e++)
        s.sums[e] = 0;
    parallel_rows(node->tape, s.heads, (double)node->output->size, sum_heads, &s);
    for (int64_t r = 0; r < s.table_rows; r++)
        for (int64_t h = 0; h < s.heads; h++)
            dtable[r * s.heads + h] += (ag_real)s.sums[h * s.table_rows + r];
    return AG_OK;
}

/* uy[0, h, i, j] = utable[rows[j - i + queries - 1], h] */
static ag_status distance_bias_jvp(ag_node *node, const ag_real *const *tangents, ag_real *tangent)
{
    fill_bias(node, tangents[0], tangent);
    return AG_OK;
}

/* Rows repeat, and some are never read. */
static ag_tensor *distance_bias_example(ag_example *e)
{
    const int64_t table_rows = ag_example_int(e, 1, 6), heads = ag_example_int(e, 1, 4);
    const int64_t queries = ag_example_int(e, 1, 6), keys = ag_example_int(e, 1, 9);
    int32_t rows[14];
    for (int64_t d = 0; d < distance_count(queries, keys); d++)
        rows[d] = (int32_t)ag_example_int(e, 0, table_rows - 1);
    return ag_distance_bias(ag_example_input(e, "table", AG_SHAPE(table_rows, heads), -2, 2), queries, keys, rows);
}

const ag_op op_distance_bias = {
    .name = "distance_bias",
    .formula = "y[h, i, j] = table[rows[j - i + queries - 1], h]",
    .shape = distance_bias_shape,
    .forward = distance_bias_forward,
    .backward = distance_bias_backward,
    .jvp = distance_bias_jvp,
    .example = distance_bias_example,
};

ag_tensor *ag_distance_bias(ag_tensor *table, int64_t queries, int64_t keys, const int32_t *rows)
{
    distance_attributes attributes = {.queries = queries, .keys = keys, .rows = rows};
    if (table)
        attributes.rows = tape_copy(table->tape, rows, (size_t)distance_count(queries, keys) * sizeof *rows);
    return ag_custom(&op_distance_bias, &table, 1, 1, &attributes, sizeof attributes);
}
