/* recompute.c - values that are not kept for the backward, which makes them anew (Chen et al. 2016, Training deep nets
 * with sublinear memory cost, section 3). */
#include "pieces.h"

static size_t bytes_of(const ag_tensor *x)
{
    return (size_t)x->size * sizeof(ag_real);
}

/* Whether another tensor has its values in the memory of x. */
static bool is_viewed(const ag_tensor *x)
{
    for (const ag_node *node = x->tape->last; node && node != x->node; node = node->before)
        if (node->output->data == x->data)
            return true;
    return false;
}

void tape_forget(ag_tensor *x)
{
    if (x->data)
        pieces_give(x->tape, x->data, bytes_of(x));
    x->data = NULL;
}

void ag_forget(ag_tensor *x)
{
    if (!x || !x->tape->forgets || !x->node || !x->node->op->can_repeat || !x->size || is_viewed(x))
        return;
    tape_forget(x);
    x->is_forgotten = true;
}

/* (An input of x may be forgotten as well.) */
ag_status tape_remember(ag_tensor *x)
{
    if (!x || !x->is_forgotten || x->data)
        return AG_OK;
    const ag_node *node = x->node;
    for (int i = 0; i < node->input_count; i++)
        if (tape_remember(node->inputs[i]) != AG_OK)
            return x->tape->error.status;
    if (!(x->data = pieces_take(x->tape, bytes_of(x))))
        return AG_NO_MEMORY;
    const ag_status status = node->op->forward(x->node);
    arena_rewind(&x->tape->scratch);
    return status;
}
