/* same_bytes.c - one computation at several numbers of threads. */
#include "same_bytes.h"

#include "check_util.h"

#include <string.h>

#define MOST_INPUTS 4

/* The result of f and the gradients of its inputs, one after the other: `size` numbers,
 * to be freed. */
static ag_real *run(ag_function f, void *context, const ag_shape *shapes, int count, int threads, size_t *size)
{
    ag_tape *tape = ag_tape_new(&(ag_tape_options){.threads = threads});
    ag_tensor *inputs[MOST_INPUTS];
    ck_assert_int_le(count, MOST_INPUTS);
    *size = 0;
    for (int i = 0; i < count; i++) {
        inputs[i] = ag_variable(tape, shapes[i], NULL);
        ck_assert_ptr_nonnull(inputs[i]);
        test_fill(inputs[i]->data, inputs[i]->size, 100 + (uint64_t)i, -2, 2);
        *size += (size_t)inputs[i]->size;
    }
    ag_tensor *y = f(tape, inputs, context);
    ck_assert_msg(y != NULL, "%s", ag_tape_error(tape)->message);
    ag_real *seed = calloc((size_t)y->size + 1, sizeof *seed);
    test_fill(seed, y->size, 99, -1, 1);
    ck_assert_int_eq(ag_backward_seeded(y, seed), AG_OK);
    free(seed);

    *size += (size_t)y->size;
    ag_real *all = malloc(*size * sizeof *all), *place = all;
    memcpy(place, y->data, (size_t)y->size * sizeof *all);
    place += y->size;
    for (int i = 0; i < count; i++) {
        memcpy(place, inputs[i]->grad, (size_t)inputs[i]->size * sizeof *all);
        place += inputs[i]->size;
    }
    ag_tape_free(tape);
    return all;
}

void test_same_bytes(ag_function f, void *context, const ag_shape *shapes, int count)
{
    size_t size, other_size;
    ag_real *alone = run(f, context, shapes, count, 1, &size);
    for (int threads = 2; threads <= 4; threads += 2) {
        ag_real *together = run(f, context, shapes, count, threads, &other_size);
        ck_assert_uint_eq(size, other_size);
        ck_assert_msg(!memcmp(alone, together, size * sizeof *alone), "%d threads give other bytes than one", threads);
        free(together);
    }
    free(alone);
}
