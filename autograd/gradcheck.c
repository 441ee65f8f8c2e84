/* gradcheck.c - the gradient check: what backward says against what the values say.
 *
 * Before any number is compared, the function has to be one: the same at each call, leaving its inputs alone, adding to
 * gradients rather than overwriting them, and giving the same gradient when backward runs again on the same tape. Each of
 * these has a sentence of its own, since the comparison alone would miss it or blame the wrong place. */
#include "gradcheck.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#ifdef TAPEFORMER_DOUBLE
#define DEFAULT_TOLERANCE 1e-9
#define DEFAULT_STEP 0x1p-6
#else
#define DEFAULT_TOLERANCE 1e-2
#define DEFAULT_STEP 0x1p-3
#endif

/* Streams of random numbers of a check; a direction has WEIGHTS + 2 and so on. */
enum { WEIGHTS, STARTING_GRADIENTS, DIRECTIONS };

void *gradcheck_alloc(gradcheck *check, size_t bytes)
{
    void *place = arena_alloc(&check->arena, bytes);
    if (!place)
        ag_error_set(check->error, AG_NO_MEMORY, "gradcheck: out of memory: %zu more bytes wanted", bytes);
    return place;
}

static real *alloc_reals(gradcheck *check, int64_t count)
{
    return gradcheck_alloc(check, (size_t)count * sizeof(real));
}

static void copy(real *to, const real *from, int64_t count)
{
    if (count)
        memcpy(to, from, (size_t)count * sizeof(real));
}

/* The first element in which the two differ by a bit (a NaN equals itself, -0 is not 0), or -1. */
static int64_t find_difference(const real *a, const real *b, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        if (memcmp(&a[i], &b[i], sizeof(real)) != 0)
            return i;
    return -1;
}

static int64_t input_size(const gradcheck *check, int i)
{
    return ag_shape_size(check->inputs[i].shape);
}

/* A number between 0.5 and 1.5, or its negative: no output and no gradient weighs nothing. */
static real draw_weight(ag_rng *rng)
{
    double magnitude = 0.5 + ag_rng_uniform(rng);
    return (real)(ag_rng_u32(rng) & 1 ? magnitude : -magnitude);
}

/* ---- Sentences ------------------------------------------------------------------------------ */

#define PLACE_TEXT 256

/* "[1,3] (flat 7)": where flat index `index` is in a tensor of this shape. */
static const char *print_index(ag_shape shape, int64_t index, char text[PLACE_TEXT])
{
    ag_shape place = {.ndim = shape.ndim};
    int64_t rest = index;
    char coordinates[AG_SHAPE_TEXT];
    for (int i = shape.ndim - 1; i >= 0; i--) {
        place.dim[i] = rest % shape.dim[i];
        rest /= shape.dim[i];
    }
    snprintf(text, PLACE_TEXT, "%s (flat %lld)", ag_shape_print(place, coordinates), (long long)index);
    return text;
}

/* "input 2 (weight) at [1,3] (flat 7)", or "input 2 (weight) along direction 3". Inputs are counted from 1, as in all errors. */
static const char *print_place(const gradcheck *check, int input, int64_t index, bool direction, char text[PLACE_TEXT])
{
    const ag_gradcheck_input *which = &check->inputs[input];
    char at[PLACE_TEXT];
    if (direction)
        snprintf(at, sizeof at, "along direction %lld", (long long)index);
    else {
        snprintf(at, sizeof at, "at ");
        print_index(which->shape, index, at + 3 - 0);
    }
    snprintf(text, PLACE_TEXT, "input %d (%.60s) %s", input + 1, which->name ? which->name : "unnamed", at);
    return text;
}
