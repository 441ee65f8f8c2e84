/* attention.c - attention's table, and what needs no tiles: the beginning of a head,
 * and the sums of one query. */
#include "attention_tiles.h"

static int64_t scratch_size(const attention_head *head, bool is_backward)
{
    return KERNEL(attention_short_size)(head, is_backward) + KERNEL(attention_layout)(head, is_backward).size;
}

static void zero_new_gradient(const attention_rows *rows, int64_t count)
{
    if (rows->gradient && rows->is_new)
        zero_rows(rows, 0, count);
}

/* Prepares the general functions for a head. */
static void begin_general(const attention_head *head, bool is_backward, ag_real *scratch)
{
    memset(sliver_states(scratch), NOT_PACKED, (size_t)ceil_div(head->keys, TILE_COLUMNS));
    if (!is_backward)
        return;
    zero_new_gradient(&head->q, head->queries);
    zero_new_gradient(&head->k, head->keys);
    zero_new_gradient(&head->v, head->keys);
}

/* A short head is begun when it turns out not to be computed by the short functions. */
static void begin(const attention_head *head, bool is_backward, ag_real *scratch)
{
    if (KERNEL(attention_short_size)(head, is_backward) == 0)
        begin_general(head, is_backward, scratch);
}

static void forward(const attention_head *head, const attention_block *block, ag_real *scratch)
{
    const int64_t size = KERNEL(attention_short_size)(head, false);
    if (KERNEL(attention_short_forward)(head, block, scratch))
        return;
    if (size)
        begin_general(head, false, scratch + size);
    KERNEL(attention_forward)(head, block, scratch + size);
}

static void backward(const attention_head *head, const attention_block *block, ag_real *scratch)
{
    const int64_t size = KERNEL(attention_short_size)(head, true);
    if (KERNEL(attention_short_backward)(head, block, scratch))
        return;
    if (size)
        begin_general(head, true, scratch + size);
    KERNEL(attention_backward)(head, block, scratch + size);
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
    .forward = forward,
    .backward = backward,
    .sum = sum,
    .sum_backward = sum_backward,
};
