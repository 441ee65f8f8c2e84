/* behaviour.c - the analytic side of the check: the gradients by backward, and whether
 * the function behaves as one must before its gradients mean anything.
 *
 * It must give the same result at each call, leave inputs and result alone, add to
 * gradients instead of overwriting them, and add the same when backward runs again on the
 * same tape. A function that does not would pass the comparison, or fail it at the wrong
 * place, so each fault has a sentence of its own. */
#include "gradcheck.h"

#include <math.h>
#include <string.h>

static void copy_reals(ag_real *to, const ag_real *from, int64_t count)
{
    if (count)
        memcpy(to, from, (size_t)count * sizeof(ag_real));
}

/* The first element in which a and b differ by a bit (a NaN equals itself, -0 is not 0);
 * -1 if there is none. */
static int64_t find_difference(const ag_real *a, const ag_real *b, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        if (memcmp(&a[i], &b[i], sizeof(ag_real)) != 0) /* NOLINT(bugprone-suspicious-memory-comparison): of bits */
            return i;
    return -1;
}

/* ---- The point at which derivatives are taken -------------------------------------- */

ag_status gradcheck_note_origin(gradcheck *check)
{
    size_t count = (size_t)check->count;
    check->leaves = gradcheck_alloc(check, count * sizeof *check->leaves);
    check->origin = gradcheck_alloc(check, count * sizeof *check->origin);
    check->gradient = gradcheck_alloc(check, count * sizeof *check->gradient);
    if (!check->leaves || !check->origin || !check->gradient)
        return AG_NO_MEMORY;
    for (int i = 0; i < check->count; i++) {
        int64_t size = gradcheck_input_size(check, i);
        check->origin[i] = gradcheck_reals(check, size);
        check->gradient[i] = gradcheck_reals(check, size);
        if (!check->origin[i] || !check->gradient[i])
            return AG_NO_MEMORY;
        copy_reals(check->origin[i], check->inputs[i].data, size);
    }
    return AG_OK;
}

void gradcheck_return(gradcheck *check)
{
    for (int i = 0; i < check->count; i++)
        copy_reals(check->inputs[i].data, check->origin[i], gradcheck_input_size(check, i));
}

void gradcheck_leave_gradients(gradcheck *check)
{
    for (int i = 0; i < check->count; i++)
        copy_reals(check->inputs[i].grad, check->gradient[i], gradcheck_input_size(check, i));
}

/* ---- What must hold ---------------------------------------------------------------- */

/* Copies the result, notes where it is on the tape, and draws the weights of its
 * projection. */
static ag_status note_result(gradcheck *check, ag_tensor *y)
{
    check->shape = y->shape;
    check->size = y->size;
    check->side = check->kinks.hash;
    check->recorded = y;
    check->result = gradcheck_reals(check, y->size);
    check->weights = gradcheck_reals(check, y->size);
    check->ahead = gradcheck_reals(check, y->size);
    if (!check->result || !check->weights || !check->ahead)
        return AG_NO_MEMORY;
    copy_reals(check->result, y->data, y->size);
    ag_rng rng = ag_rng_make(check->options.seed, GRADCHECK_WEIGHTS);
    for (int64_t k = 0; k < y->size; k++)
        check->weights[k] = gradcheck_draw_weight(&rng);
    if (y->size == 1) /* a power of two, for divide_out_weight */
        check->weights[0] = (ag_real)(check->weights[0] < 0 ? -2 : 0.5);
    return AG_OK;
}

/* Each element grows by a part of its own: many functions do not change, or only by a
 * factor, if all grow alike. None changes its sign, since many domains end at 0. */
void gradcheck_move_elsewhere(const gradcheck *check, int input, ag_real *data)
{
    ag_rng rng = ag_rng_make(check->options.seed, GRADCHECK_ELSEWHERE);
    rng.position = (uint64_t)input << 32;
    for (int64_t k = 0; k < gradcheck_input_size(check, input); k++)
        data[k] = check->origin[input][k] * (ag_real)(1 + 0.0625 * ag_rng_uniform(&rng));
}

ag_status gradcheck_evaluate_elsewhere(gradcheck *check)
{
    ag_tensor *y;
    for (int i = 0; i < check->count; i++)
        gradcheck_move_elsewhere(check, i, check->inputs[i].data);
    ag_status status = gradcheck_evaluate(check, check->tape, &y);
    gradcheck_return(check);
    return status;
}

/* The weights there, which differ from those of the check. */
static ag_status draw_weights_elsewhere(gradcheck *check, int64_t size)
{
    if (check->elsewhere)
        return AG_OK;
    check->elsewhere = gradcheck_reals(check, size);
    ag_rng rng = ag_rng_make(check->options.seed, GRADCHECK_WEIGHTS_ELSEWHERE);
    for (int64_t k = 0; k < size && check->elsewhere; k++)
        check->elsewhere[k] = gradcheck_draw_weight(&rng);
    return check->elsewhere ? AG_OK : AG_NO_MEMORY;
}

ag_status gradcheck_backward_elsewhere(gradcheck *check, ag_tape *tape)
{
    ag_tensor *y;
    ag_real *weights = check->weights;
    for (int i = 0; i < check->count; i++)
        gradcheck_move_elsewhere(check, i, check->inputs[i].data);
    ag_status status = gradcheck_evaluate(check, tape, &y);
    if (status == AG_OK)
        status = draw_weights_elsewhere(check, y->size);
    if (status == AG_OK) {
        check->weights = check->elsewhere;
        status = gradcheck_add_gradients(check, y);
        check->weights = weights;
    }
    gradcheck_return(check);
    ag_tape_rewind(tape);
    return status;
}

void gradcheck_spoil(ag_arena *arena, int byte)
{
    if (arena->bytes == 0) /* its first chunk, which is large beside what most checks use */
        (void)arena_alloc(arena, MEMORY_ALIGNMENT);
    arena_rewind(arena);
    for (size_t bytes = 0; bytes < arena->bytes; bytes += MEMORY_ALIGNMENT) {
        void *place = arena_alloc(arena, MEMORY_ALIGNMENT);
        if (place)
            memset(place, byte, MEMORY_ALIGNMENT);
    }
    arena_rewind(arena);
}

/* Inputs and result must be as they were, to the bit. */
static void require_untouched(gradcheck *check, const ag_tensor *y, const char *sentence)
{
    for (int i = 0; i < check->count && !check->faulty; i++) {
        int64_t at = find_difference(check->inputs[i].data, check->origin[i], gradcheck_input_size(check, i));
        if (at >= 0)
            gradcheck_fault(check, i, at, sentence);
    }
    int64_t at = find_difference(y->data, check->result, check->size);
    if (at >= 0 && !check->faulty)
        gradcheck_fault(check, -1, at, sentence);
}

static void require_finite_result(gradcheck *check)
{
    for (int64_t k = 0; k < check->size && !check->faulty; k++)
        if (!isfinite(check->result[k])) {
            char sentence[64];
            ag_text_print(sentence, sizeof sentence, "it is %g", (double)check->result[k]);
            gradcheck_fault(check, -1, k, sentence);
        }
}

static ag_status require_same_result(gradcheck *check)
{
    ag_tensor *y;
    ag_status status = gradcheck_evaluate(check, check->tape, &y);
    if (status != AG_OK)
        return status;
    int64_t at = find_difference(check->result, y->data, check->size);
    if (at >= 0 && !check->faulty)
        gradcheck_fault(check, -1, at, "the function is not deterministic: two calls with the same inputs differ");
    return AG_OK;
}

/* Reports that a second backward left `sum` where `former` was and the first had added
 * `gradient`. */
static void report_wrong_sum(gradcheck *check, int input, int64_t index, double former, double gradient, double sum)
{
    char sentence[192];
    const char *name = check->inputs[input].name;
    const bool overwrites = gradcheck_error(sum, gradient) <= GRADCHECK_TOLERANCE;
    if (overwrites)
        ag_text_print(sentence, sizeof sentence,
                      "backward overwrites the gradient instead of adding to it: %g was there, %g was to be added, %g "
                      "came out",
                      former, gradient, sum);
    else
        ag_text_print(sentence, sizeof sentence, "a second backward on the same tape adds %g where the first added %g",
                      sum - former, gradient);
    gradcheck_fault(check, input, index, sentence);
    check->unrepeatable = !overwrites;
    if (overwrites) {
        check->report->mistake = AG_MISTAKE_OVERWRITTEN;
        ag_sentence_print(check->report->diagnosis,
                          "the gradient of input %d (%.60s) is overwritten where backward must add to it", input,
                          name ? name : "unnamed");
    }
}

/* Runs backward once more, onto gradients that are not 0: each must become the sum of
 * what it was and what the first backward found. */
static ag_status require_adding(gradcheck *check, ag_tensor *y)
{
    ag_rng rng = ag_rng_make(check->options.seed, GRADCHECK_FORMER_GRADIENTS);
    for (int i = 0; i < check->count; i++)
        for (int64_t k = 0; k < gradcheck_input_size(check, i); k++)
            check->inputs[i].grad[k] = gradcheck_draw_weight(&rng);
    ag_status status = gradcheck_add_gradients(check, y);
    if (status != AG_OK)
        return status;

    rng.position = 0;
    for (int i = 0; i < check->count; i++)
        for (int64_t k = 0; k < gradcheck_input_size(check, i); k++) {
            double former = (double)gradcheck_draw_weight(&rng), gradient = (double)check->gradient[i][k];
            double sum = (double)check->inputs[i].grad[k];
            if (check->faulty || !isfinite(gradient) || gradcheck_error(sum, former + gradient) <= GRADCHECK_TOLERANCE)
                continue;
            report_wrong_sum(check, i, k, former, gradient, sum);
        }
    return AG_OK;
}

/* From here on a lone result is itself, and so are its gradients. Its weight is a power
 * of two, so no bit of them changes. */
static void divide_out_weight(gradcheck *check)
{
    for (int i = 0; i < check->count; i++)
        for (int64_t k = 0; k < gradcheck_input_size(check, i); k++)
            check->gradient[i][k] /= check->weights[0];
    check->elsewhere[0] /= check->weights[0];
    check->weights[0] = 1;
}

ag_status gradcheck_find_gradients(gradcheck *check, ag_tape *tape)
{
    ag_tensor *y;
    ag_status status = gradcheck_backward_elsewhere(check, tape);
    gradcheck_spoil(&tape->arena, 0xFF); /* NaN: what reads memory not written shows it */
    if (status == AG_OK)
        status = gradcheck_evaluate(check, tape, &y);
    if (status == AG_OK)
        status = note_result(check, y);
    if (status != AG_OK)
        return status;
    require_finite_result(check);
    require_untouched(check, y, "the function changes it");
    gradcheck_spoil(&tape->scratch, 0xFF);

    gradcheck_zero_gradients(check);
    status = gradcheck_add_gradients(check, y);
    if (status != AG_OK)
        return status;
    require_untouched(check, y, "backward changes it");
    for (int i = 0; i < check->count; i++)
        copy_reals(check->gradient[i], check->inputs[i].grad, gradcheck_input_size(check, i));

    status = require_same_result(check);
    if (status == AG_OK)
        status = gradcheck_evaluate_elsewhere(check);
    if (status == AG_OK)
        status = require_adding(check, y);
    if (status == AG_OK && check->size == 1)
        divide_out_weight(check);
    gradcheck_leave_gradients(check);
    return status;
}
