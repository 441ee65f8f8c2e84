/* evaluate.c - what every check does: memory, random weights, and runs of the function,
 * forward and backward. */
#include "../example.h"
#include "gradcheck.h"

#include <string.h>

ag_status gradcheck_name_error(ag_error *error, ag_status status, const char *test)
{
    static const char own[] = "gradcheck: ";
    char message[AG_MESSAGE_SIZE];
    if (!error || strncmp(error->message, own, sizeof own - 1) != 0)
        return status;
    ag_sentence_print(message, "%s", error->message + sizeof own - 1);
    *error = (ag_error){0};
    return ag_error_set(error, status, "%s: %s", test, message);
}

void *gradcheck_alloc(gradcheck *check, size_t bytes)
{
    void *place = arena_alloc(&check->arena, bytes);
    if (!place)
        ag_error_set(check->error, AG_NO_MEMORY, "gradcheck: out of memory: %zu more %s wanted", bytes,
                     ag_plural((int64_t)bytes, "byte", "bytes"));
    return place;
}

ag_real *gradcheck_reals(gradcheck *check, int64_t count)
{
    return gradcheck_alloc(check, (size_t)count * sizeof(ag_real));
}

ag_real gradcheck_draw_weight(ag_rng *rng)
{
    double size = 0.5 + ag_rng_uniform(rng);
    return (ag_real)(ag_rng_u32(rng) & 1 ? size : -size);
}

ag_status gradcheck_evaluate(gradcheck *check, ag_tape *tape, ag_tensor **result)
{
    ag_tape_rewind(tape);
    ag_tape_seed(tape, check->options.seed, 0);
    check->kinks = KINKS_NONE;
    tape->kinks = &check->kinks;
    for (int i = 0; i < check->count; i++) {
        const ag_gradcheck_input *input = &check->inputs[i];
        check->leaves[i] = ag_leaf(tape, input->shape, input->data, input->grad);
    }

    ag_tensor *y = check->function(tape, check->leaves, check->context);
    if (tape->error.status != AG_OK)
        return ag_error_set(check->error, tape->error.status, "%s", tape->error.message);
    if (!y)
        return ag_error_set(check->error, AG_BAD_VALUE,
                            "gradcheck: the function returned NULL without an error on its tape");
    if (y->tape != tape)
        return ag_error_set(check->error, AG_BAD_VALUE,
                            "gradcheck: the function's result is on another tape than the one that it was given");
    if (check->shape.ndim < 0)
        check->shape = y->shape;
    if (!ag_shape_equal(y->shape, check->shape)) {
        char first[AG_SHAPE_TEXT], now[AG_SHAPE_TEXT];
        return ag_error_set(check->error, AG_BAD_SHAPE, "gradcheck: the function made %s at one call and %s at another",
                            ag_shape_print(check->shape, first), ag_shape_print(y->shape, now));
    }
    *result = y;
    return AG_OK;
}

void gradcheck_zero_gradients(gradcheck *check)
{
    for (int i = 0; i < check->count; i++)
        for (int64_t k = 0; k < gradcheck_input_size(check, i); k++)
            check->inputs[i].grad[k] = 0;
}

ag_status gradcheck_add_gradients(gradcheck *check, ag_tensor *y)
{
    if (!y->needs_grad)
        return AG_OK;
    ag_status status = ag_backward_seeded(y, check->weights);
    return status == AG_OK ? AG_OK : ag_error_set(check->error, status, "%s", ag_tape_error(y->tape)->message);
}
