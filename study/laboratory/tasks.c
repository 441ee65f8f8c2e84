/* tasks.c - see tasks.h. */
#include "tasks.h"

#include <stdlib.h>

const char *const laboratory_task_names[LABORATORY_TASKS] = {"copy", "shift left", "shift right", "reverse", "sort"};

int64_t laboratory_place(laboratory_task task, int64_t length, int64_t i)
{
    switch (task) {
    case LABORATORY_COPY:
        return i;
    case LABORATORY_SHIFT_LEFT:
        return i + 1 < length ? i + 1 : i;
    case LABORATORY_SHIFT_RIGHT:
        return i > 0 ? i - 1 : i;
    case LABORATORY_REVERSE:
        return length - 1 - i;
    default:
        return -1;
    }
}

static void sort_letters(int64_t length, const int32_t *x, int32_t *y)
{
    int64_t counts[LABORATORY_LETTERS] = {0}, at = 0;
    for (int64_t i = 0; i < length; i++)
        counts[x[i] - LABORATORY_FIRST_LETTER]++;
    for (int32_t letter = 0; letter < LABORATORY_LETTERS; letter++)
        for (int64_t k = 0; k < counts[letter]; k++)
            y[at++] = LABORATORY_FIRST_LETTER + letter;
}

void laboratory_answer(laboratory_task task, int64_t length, const int32_t *x, int32_t *y)
{
    if (task == LABORATORY_SORT)
        sort_letters(length, x, y);
    else
        for (int64_t i = 0; i < length; i++)
            y[i] = x[laboratory_place(task, length, i)];
}

void laboratory_draw(ag_rng *rng, const study_laboratory_options *options, int64_t rows, int32_t *x)
{
    for (int64_t i = 0; i < rows * options->length; i++)
        x[i] = LABORATORY_FIRST_LETTER + (int32_t)ag_rng_below(rng, (uint64_t)options->letters);
}

ag_rng laboratory_stream(const study_laboratory_options *options, int64_t step)
{
    return ag_rng_make(ag_seed_for(options->seed, AG_FOR_EXAMPLES), (uint64_t)step);
}

/* ---- Examples that no training sees ------------------------------------------------ */

/* A sequence as a number whose digits are its letters: below 10^16. */
static uint64_t sequence_number(const study_laboratory_options *options, const int32_t *x)
{
    uint64_t number = 0;
    for (int64_t i = 0; i < options->length; i++)
        number = number * (uint64_t)options->letters + (uint64_t)(x[i] - LABORATORY_FIRST_LETTER);
    return number;
}

static int compare_numbers(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* The numbers of all sequences in all training batches, in ascending order, to be freed
 * by the caller; NULL if out of memory. */
static uint64_t *trained_numbers(const study_laboratory_options *options)
{
    uint64_t *numbers = malloc((size_t)(options->steps * LABORATORY_ROWS) * sizeof *numbers);
    int32_t x[LABORATORY_LENGTH];
    int64_t count = 0;
    for (int64_t step = 1; numbers && step <= options->steps; step++) {
        ag_rng rng = laboratory_stream(options, step);
        for (int64_t row = 0; row < LABORATORY_ROWS; row++) {
            laboratory_draw(&rng, options, 1, x);
            numbers[count++] = sequence_number(options, x);
        }
    }
    if (numbers)
        qsort(numbers, (size_t)count, sizeof *numbers, compare_numbers);
    return numbers;
}

ag_status laboratory_draw_unseen(const study_laboratory_options *options, int32_t *unseen, ag_error *error)
{
    const int64_t trained = options->steps * LABORATORY_ROWS;
    double sequences = 1;
    for (int64_t i = 0; i < options->length; i++)
        sequences *= (double)options->letters;
    if (sequences < 8 * (double)trained)
        return ag_error_set(error, AG_BAD_VALUE,
                            "there are only %.0f sequences of %lld letters out of %lld, too few to train on %lld and "
                            "measure on others: take longer ones, or fewer steps",
                            sequences, (long long)options->length, (long long)options->letters, (long long)trained);
    uint64_t *numbers = trained_numbers(options);
    if (!numbers)
        return ag_error_set(error, AG_NO_MEMORY, "no memory for the numbers of %lld sequences", (long long)trained);

    ag_rng rng = laboratory_stream(options, 0);
    for (int64_t count = 0; count < LABORATORY_EXAMPLES;) {
        int32_t *x = unseen + count * options->length;
        laboratory_draw(&rng, options, 1, x);
        const uint64_t number = sequence_number(options, x);
        count += !bsearch(&number, numbers, (size_t)trained, sizeof *numbers, compare_numbers);
    }
    free(numbers);
    return AG_OK;
}

/* ---- Masks ------------------------------------------------------------------------- */

const char *const laboratory_setting_names[LABORATORY_SETTINGS] = {"full", "causal", "window", "prefix",
                                                                   "no positions"};

const ag_mask *laboratory_mask_make(ag_tape *tape, laboratory_mask mask, int64_t length)
{
    switch (mask) {
    case LABORATORY_CAUSAL:
        return ag_mask_causal(tape, 0);
    case LABORATORY_WINDOW:
        return ag_mask_window(tape, 1, 1);
    case LABORATORY_PREFIX:
        return ag_mask_or(tape, ag_mask_prefix(tape, 3 * length / 4), ag_mask_causal(tape, 0));
    default:
        return ag_mask_all(tape);
    }
}
