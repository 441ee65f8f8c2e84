/* tasks_numbers.c - tasks on whole numbers: addition, and numbers to English words. */
#include "tasks.h"

#include <inttypes.h>
#include <stdio.h>

enum { ADDITION_DIGITS = 18, WORDS_DIGITS = 9 }; /* a sum of 18 digits fits 64 bits; words
                                                  * go up to the millions */

/* Draws the number of digits first, so that short numbers are as frequent as long
 * ones. */
static uint64_t draw_number(ag_rng *rng, int min_digits, int max_digits)
{
    int digits = data_draw_between(rng, min_digits, max_digits);
    uint64_t smallest = 1;
    for (int i = 1; i < digits; i++)
        smallest *= 10;
    if (digits == 1)
        return ag_rng_below(rng, 10); /* zero is a number of one digit */
    return smallest + ag_rng_below(rng, smallest * 9);
}

/* ---- Addition ---- */

static void make_addition(ag_rng *rng, int min_length, int max_length, char *source, char *target)
{
    uint64_t a = draw_number(rng, min_length, max_length);
    uint64_t b = draw_number(rng, min_length, max_length);
    snprintf(source, DATA_TASK_TEXT, "%" PRIu64 "+%" PRIu64, a, b);
    snprintf(target, DATA_TASK_TEXT, "%" PRIu64, a + b);
}

static void most_addition(int max_length, int64_t *source, int64_t *target)
{
    *source = 2 * (int64_t)max_length + 1;
    *target = (int64_t)max_length + 1;
}

const data_task data_task_addition = {
    .name = "addition",
    .help = "123+45 -> 168: the sum of two numbers",
    .default_min = 1,
    .default_max = 5,
    .longest = ADDITION_DIGITS,
    .make = make_addition,
    .most_tokens = most_addition,
    .source_kind = DATA_CHARS,
    .target_kind = DATA_CHARS,
    .source_symbols = "0123456789+",
    .target_symbols = "0123456789",
};

/* ---- English words ---- */

static const char *const below_twenty[] = {
    "zero", "one",    "two",    "three",    "four",     "five",    "six",     "seven",     "eight",    "nine",
    "ten",  "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
};
static const char *const tens[] = {"",      "",      "twenty",  "thirty", "forty",
                                   "fifty", "sixty", "seventy", "eighty", "ninety"};

#define WITH_ONES(ten)                                                                                                 \
    ten " " ten "-one " ten "-two " ten "-three " ten "-four " ten "-five " ten "-six " ten "-seven " ten              \
        "-eight " ten "-nine "
#define NUMBER_WORDS                                                                                                   \
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen " \
    "eighteen nineteen " WITH_ONES("twenty") WITH_ONES("thirty") WITH_ONES("forty") WITH_ONES("fifty")                 \
        WITH_ONES("sixty") WITH_ONES("seventy") WITH_ONES("eighty") WITH_ONES("ninety") "hundred thousand million"

/* Writes 1 <= n < 1000, each word followed by a space, and returns the end. */
static char *write_hundreds(unsigned n, char *out)
{
    if (n >= 100)
        out += sprintf(out, "%s hundred ", below_twenty[n / 100]);
    n %= 100;
    if (n >= 20)
        out += sprintf(out, n % 10 ? "%s-%s " : "%s ", tens[n / 10], below_twenty[n % 10]);
    else if (n > 0)
        out += sprintf(out, "%s ", below_twenty[n]);
    return out;
}

static void make_numbers(ag_rng *rng, int min_length, int max_length, char *source, char *target)
{
    unsigned n = (unsigned)draw_number(rng, min_length, max_length);
    char *out = target;
    snprintf(source, DATA_TASK_TEXT, "%u", n);
    if (n == 0)
        out += sprintf(out, "%s ", below_twenty[0]);
    if (n >= 1000000) {
        out = write_hundreds(n / 1000000, out);
        out += sprintf(out, "million ");
    }
    if (n / 1000 % 1000 > 0) {
        out = write_hundreds(n / 1000 % 1000, out);
        out += sprintf(out, "thousand ");
    }
    if (n % 1000 > 0)
        out = write_hundreds(n % 1000, out);
    out[-1] = '\0'; /* the last space */
}

/* A group of three digits has at most 3 words ("nine hundred ninety-nine"), a shorter one
 * 1; each except the last is followed by "thousand" or "million". */
static void most_numbers(int max_length, int64_t *source, int64_t *target)
{
    *source = max_length;
    *target = max_length / 3 * 4 + (max_length % 3 ? 2 : 0) - 1;
}

const data_task data_task_numbers = {
    .name = "numbers",
    .help = "4071 -> four thousand seventy-one: a number in English words",
    .default_min = 1,
    .default_max = WORDS_DIGITS,
    .longest = WORDS_DIGITS,
    .make = make_numbers,
    .most_tokens = most_numbers,
    .source_kind = DATA_CHARS,
    .target_kind = DATA_WORDS,
    .source_symbols = "0123456789",
    .target_symbols = NUMBER_WORDS,
};
