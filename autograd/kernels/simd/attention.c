/* attention.c - attention's table, and the sum of one query alone: four rows are taken together, so that the one is
 * loaded and stored a quarter as often. */
#include "attention_tiles.h"

static int64_t scratch_size(const attention_head *head, bool is_backward)
{
    return KERNEL(attention_layout)(head, is_backward).size;
}

static void begin_gradient(int64_t count, const attention_rows *rows)
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
    for (int64_t sliver = 0; sliver < parts_of(head->keys, TILE_COLUMNS); sliver++)
        scratch[sliver] = NOT_PACKED;
    if (is_backward) {
        begin_gradient(head->queries, &head->q);
        begin_gradient(head->keys, &head->k);
        begin_gradient(head->keys, &head->v);
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
