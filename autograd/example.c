/* example.c - how an operation's record helps the checks: it draws inputs from its
 * domain, and notes on which side of its kinks they lie.
 *
 * A kink is a point where a function is continuous but has no derivative: 0 for relu,
 * equal elements for a maximum. There a derivative from values mixes the slopes of both
 * sides, so check/differences.c must know when a step crosses one. */
#include "example.h"

#include "tape.h"

#include <stdlib.h>

/* One step of the hash FNV-1a (Fowler, Noll, Vo) for each byte. */
void ag_kink(ag_kinks *kinks, int64_t decision)
{
    uint64_t bits = (uint64_t)decision;
    for (int byte = 0; byte < 8; byte++, bits >>= 8)
        kinks->hash = (kinks->hash ^ (bits & 0xFF)) * UINT64_C(0x100000001B3);
}

ag_example example_make(const ag_op *op, uint64_t seed, int draw)
{
    const uint64_t stream = 2 * (uint64_t)draw;
    return (ag_example){.op = op, .attributes = ag_rng_make(seed, stream), .values = ag_rng_make(seed, stream + 1)};
}

void example_clear(ag_example *example)
{
    free(example->inputs);
    arena_clear(&example->arena);
}

ag_tensor *example_call(ag_tape *tape, ag_tensor *const *leaves, void *context)
{
    ag_example *example = context;
    example->tape = tape;
    example->leaves = leaves;
    example->next = 0;
    example->attributes.position = 0;
    return example->op->example(example);
}

ag_tape *ag_example_tape(ag_example *example)
{
    return example->tape;
}

int64_t ag_example_int(ag_example *example, int64_t low, int64_t high)
{
    uint64_t count = (uint64_t)high - (uint64_t)low + 1;
    return (int64_t)((uint64_t)low + ag_rng_below(&example->attributes, count));
}

double ag_example_real(ag_example *example, double low, double high)
{
    return low + (high - low) * ag_rng_uniform(&example->attributes);
}

/* Appends an input with drawn values. NULL when memory is out. */
static const ag_gradcheck_input *add_input(ag_example *example, const char *name, ag_shape shape, double low,
                                           double high)
{
    int64_t size = ag_shape_size(shape);
    size_t bytes = size > 0 ? (size_t)size * sizeof(ag_real) : 0;
    ag_gradcheck_input *inputs = realloc(example->inputs, ((size_t)example->count + 1) * sizeof *inputs);
    if (!inputs)
        return NULL;
    example->inputs = inputs;
    ag_real *data = arena_alloc(&example->arena, bytes), *grad = arena_alloc(&example->arena, bytes);
    if (!data || !grad)
        return NULL;
    for (int64_t i = 0; i < size; i++)
        data[i] = (ag_real)(low + (high - low) * ag_rng_uniform(&example->values));
    inputs[example->count] = (ag_gradcheck_input){.name = name, .shape = shape, .data = data, .grad = grad};
    return &inputs[example->count++];
}

ag_tensor *ag_example_input(ag_example *example, const char *name, ag_shape shape, double low, double high)
{
    if (!example->leaves) {
        const ag_gradcheck_input *input = add_input(example, name, shape, low, high);
        if (!input)
            return ag_tape_fail(example->tape, AG_NO_MEMORY, "%s: out of memory for an example", example->op->name);
        return ag_leaf(example->tape, shape, input->data, input->grad);
    }
    int which = example->next++;
    if (which >= example->count || !ag_shape_equal(example->inputs[which].shape, shape))
        return ag_tape_fail(example->tape, AG_BAD_VALUE, "%s: its example asks for other inputs at each call",
                            example->op->name);
    return example->leaves[which];
}
