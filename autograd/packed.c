/* packed.c - weights in the order in which products read them.
 *
 * A product copies each panel of B before it multiplies by it. In training that is little
 * work, since many rows of A share the copy. In generation A has one row for each
 * sentence, and the copy takes longer than the product; but the weights of all tokens
 * are the same, so their copies are kept. */
#include "packed.h"

#include "tape.h"

/* One copy. All of them form a ring, in the order in which they were made. */
struct packed_weight {
    const ag_real *weight;
    int64_t n, k;
    const kernel_product *product; /* whose order it is */
    const void *copy;
    packed_weight *next;
};

bool ag_tape_keep_weights(ag_tape *tape, bool on)
{
    const bool before = tape->keeps_weights;
    tape->keeps_weights = on;
    if (!on) {
        arena_clear(&tape->packed_arena);
        tape->packed_last = NULL;
    }
    return before;
}

static bool is_copy_of(const packed_weight *packed, const product_task *task, const kernel_product *product)
{
    return packed->weight == task->b && packed->n == task->n && packed->k == task->k && packed->product == product;
}

/* The search begins after the weight that was found last: each token needs all of them
 * in the same order. NULL if there is no copy. */
static packed_weight *find_copy(const ag_tape *tape, const product_task *task)
{
    packed_weight *last = tape->packed_last, *at = last;
    while (at) {
        at = at->next;
        if (is_copy_of(at, task, tape->product))
            return at;
        if (at == last)
            return NULL;
    }
    return NULL;
}

static packed_weight *make_copy(ag_tape *tape, const product_task *task, size_t bytes)
{
    packed_weight *made = arena_alloc(&tape->packed_arena, sizeof *made);
    void *copy = made ? arena_alloc(&tape->packed_arena, bytes) : NULL;
    if (!copy) {
        ag_tape_fail(tape, AG_NO_MEMORY, "out of memory: %zu more bytes wanted for the copy of a weight", bytes);
        return NULL;
    }
    tape->product->pack(task, copy);
    *made = (packed_weight){task->b, task->n, task->k, tape->product, copy, made};
    if (tape->packed_last) {
        made->next = tape->packed_last->next;
        tape->packed_last->next = made;
    }
    return made;
}

ag_status packed_weight_find(const ag_tensor *weight, product_task *task)
{
    ag_tape *tape = weight->tape;
    const size_t bytes = tape->product->packed_bytes(task->k, task->n);
    if (!tape->keeps_weights || !weight->is_callers || bytes == 0)
        return AG_OK;
    packed_weight *found = find_copy(tape, task);
    if (!found && !(found = make_copy(tape, task, bytes)))
        return AG_NO_MEMORY;
    tape->packed_last = found;
    task->packed = found->copy;
    return AG_OK;
}
