/* tasks_letters.c - tasks on strings of the letters a to z: copy, reverse, sort,
 * shift. */
#include "tasks.h"

#define LETTERS "abcdefghijklmnopqrstuvwxyz"
enum { LETTER_COUNT = 26, LONGEST = DATA_TASK_TEXT - 1 };

/* Draws a length, then each letter; returns the length. */
static int draw_letters(ag_rng *rng, int min_length, int max_length, char *source)
{
    int length = data_draw_between(rng, min_length, max_length);
    for (int i = 0; i < length; i++)
        source[i] = LETTERS[ag_rng_below(rng, LETTER_COUNT)];
    source[length] = '\0';
    return length;
}

static void most_letters(int max_length, int64_t *source, int64_t *target)
{
    *source = *target = max_length;
}

static void make_copy(ag_rng *rng, int min_length, int max_length, char *source, char *target)
{
    int length = draw_letters(rng, min_length, max_length, source);
    for (int i = 0; i <= length; i++)
        target[i] = source[i];
}

static void make_reverse(ag_rng *rng, int min_length, int max_length, char *source, char *target)
{
    int length = draw_letters(rng, min_length, max_length, source);
    for (int i = 0; i < length; i++)
        target[i] = source[length - 1 - i];
    target[length] = '\0';
}

static void make_sort(ag_rng *rng, int min_length, int max_length, char *source, char *target)
{
    int counts[LETTER_COUNT] = {0}, at = 0;
    draw_letters(rng, min_length, max_length, source);
    for (const char *letter = source; *letter; letter++)
        counts[*letter - 'a']++;
    for (int letter = 0; letter < LETTER_COUNT; letter++)
        for (int n = 0; n < counts[letter]; n++)
            target[at++] = LETTERS[letter];
    target[at] = '\0';
}

/* No letter comes before the first target letter, which is always an a. */
static void make_shift(ag_rng *rng, int min_length, int max_length, char *source, char *target)
{
    int length = draw_letters(rng, min_length, max_length, source);
    target[0] = 'a';
    for (int i = 1; i < length; i++)
        target[i] = source[i - 1];
    target[length] = '\0';
}

/* A task whose texts are letters on both sides. */
#define LETTER_TASK(task_name, make_task, explanation)                                                                 \
    {                                                                                                                  \
        .name = task_name, .help = explanation, .default_min = 1, .default_max = 16, .longest = LONGEST,               \
        .same_length = true, .make = make_task, .most_tokens = most_letters, .source_kind = DATA_CHARS,                \
        .target_kind = DATA_CHARS, .source_symbols = LETTERS, .target_symbols = LETTERS,                               \
    }

const data_task data_task_copy = LETTER_TASK("copy", make_copy, "abc -> abc: the same letters again");
const data_task data_task_reverse =
    LETTER_TASK("reverse", make_reverse, "abc -> cba: the letters from the last to the first");
const data_task data_task_sort =
    LETTER_TASK("sort", make_sort, "cabc -> abcc: the letters in the order of the alphabet");
const data_task data_task_shift =
    LETTER_TASK("shift", make_shift, "xyz -> axy: each letter one place later, with an a in front");
