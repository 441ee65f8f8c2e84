/* attention.c - attention's table, and what needs no tiles: the beginning of a head,
 * and the sums of one query. */
#include "attention_tiles.h"

static int64_t scratch_size(const attention_head *head, bool is_backward)
{
    return KERNEL(attention_layout)(head, is_backward).size;
}

static void zero_new_gradient(int64_t count, const attention_rows *rows)
{
    if (!rows->gradient || !rows->is_new)
        return;
    for (int64_t i = 0; i < count; i++) {
        ag_real *row = rows->gradient + i * rows->step;
        int64_t c = 0;
        for (; c + LANES <= rows->width; c += LANES)
            store(row + c, (vector){0});
        if (c < rows->width)
            store_some(row + c, (vector){0}, rows->width - c);
    }
}

static void begin(const attention_head *head, bool is_backward, ag_real *scratch)
{
    memset(sliver_states(scratch), NOT_PACKED, (size_t)ceil_div(head->keys, TILE_COLUMNS));
    if (is_backward) {
        zero_new_gradient(head->queries, &head->q);
        zero_new_gradient(head->keys, &head->k);
        zero_new_gradient(head->keys, &head->v);
    }
}

static void sum(attention_keys keys, const ag_real *weights, const attention_rows *values, ag_real *y)
{
    memset(y, 0, (size_t)values->width * sizeof(ag_real));
    for (int64_t j = keys.begin; j < keys.end; j++)
        if (sees(&keys, j))
            axpy(values->width, weights[j], values->data + j * values->step, y);
}

static void sum_backward(attention_keys keys, const ag_real *weights, const attention_rows *values, const ag_real *dy,
                         ag_real *dweights)
{
    for (int64_t j = keys.begin; j < keys.end; j++) {
        if (!sees(&keys, j))
            continue;
        if (dweights)
            dweights[j] += dot(values->width, dy, values->data + j * values->step);
        if (values->gradient)
            axpy(values->width, weights[j], dy, values->gradient + j * values->step);
    }
}

const kernel_attention KERNEL(kernel_attention) = {
    .scratch_size = scratch_size,
    .begin = begin,
    .forward = KERNEL(attention_forward),
    .backward = KERNEL(attention_backward),
    .sum = sum,
    .sum_backward = sum_backward,
};
