/* theory.c - how often the best possible answer is right, given what is visible.
 *
 * By position, study/theory.c knows the best answer. Models that do not know the order
 * depend on how often each letter occurs: the sum goes over all such counts, each
 * weighted by its multinomial probability.
 */
#include "theory.h"
#include "../theory.h"

#include <math.h>
#include <string.h>

/* ---- Counts of letters ------------------------------------------------------------- */

/* Moves on to the next way to put n things into `letters` boxes, from (n, 0, .., 0) to
 * (0, .., 0, n). False after the last. */
static bool next_counts(int *counts, int64_t letters)
{
    const int last = counts[letters - 1];
    int64_t box = letters - 2;
    while (box >= 0 && counts[box] == 0)
        box--;
    if (box < 0)
        return false;
    counts[letters - 1] = 0;
    counts[box]--;
    counts[box + 1] = last + 1;
    return true;
}

/* The probability that `size` letters occur in these counts. */
static double counts_probability(const int *counts, int64_t letters, int64_t size)
{
    return theory_orders(counts, letters) / pow((double)letters, (double)size);
}

/* ---- By position ------------------------------------------------------------------- */

void laboratory_allowed(laboratory_task task, int64_t length, int64_t letters, const unsigned char *seen,
                        double *allowed)
{
    for (int64_t i = 0; i < length; i++) {
        const unsigned char *row = seen + i * length;
        int64_t visible = 0;
        for (int64_t j = 0; j < length; j++)
            visible += row[j];
        const bool is_sort = task == LABORATORY_SORT;
        const int64_t place = is_sort ? i : laboratory_place(task, length, i);
        const theory_case one = {1, row[place] ? THEORY_KNOWN : THEORY_HIDDEN, place};
        const theory_sorted_case sorted = {1, length - visible};
        const theory_bound best =
            is_sort ? theory_best_sorted(place, visible, &sorted, 1, letters) : theory_best(&one, 1, letters);
        allowed[i] = best.accuracy;
    }
}

/* ---- Without order ----------------------------------------------------------------- */

/* The knowledge of a model without order: the letter here, and how often each occurs. */
typedef struct unordered {
    laboratory_task task;
    int64_t length, letters, here;
    int64_t own; /* positions whose answer is the letter here */
    const int *counts;
} unordered;

/* How good an answer is: the mean number of positions at which it is right, over all
 * arrangements, times (length - 1). A whole number, so equally good answers compare
 * equal. */
static int64_t score(const unordered *u, int64_t answer)
{
    if (u->task == LABORATORY_SORT)
        return u->counts[answer];
    const int64_t is_here = answer == u->here;
    return u->own * (u->length - 1) * is_here + (u->length - u->own) * (u->counts[answer] - is_here);
}

/* The probability that `answer` is right at position i. */
static double right_at(const unordered *u, int64_t answer, int64_t i)
{
    if (u->task == LABORATORY_SORT) { /* (the counts tell which letter sorting puts at i) */
        int64_t before = 0;
        for (int64_t letter = 0; letter < answer; letter++)
            before += u->counts[letter];
        return before <= i && i < before + u->counts[answer];
    }
    const int is_here = answer == u->here;
    if (laboratory_place(u->task, u->length, i) == i)
        return is_here;
    return (double)(u->counts[answer] - is_here) / (double)(u->length - 1);
}

/* Adds `weight` times the mean accuracy of the best answers. */
static void add_best(const unordered *u, double weight, double *allowed)
{
    int64_t best = -1, equal = 0;
    for (int64_t answer = 0; answer < u->letters; answer++) {
        const int64_t now = score(u, answer);
        equal = now > best ? 1 : equal + (now == best);
        best = now > best ? now : best;
    }
    for (int64_t answer = 0; answer < u->letters; answer++)
        for (int64_t i = 0; i < u->length && score(u, answer) == best; i++)
            allowed[i] += weight / (double)equal * right_at(u, answer, i);
}

void laboratory_allowed_orderless(laboratory_task task, int64_t length, int64_t letters, double *allowed)
{
    int counts[LABORATORY_LETTERS] = {(int)length};
    unordered u = {.task = task, .length = length, .letters = letters, .counts = counts};
    memset(allowed, 0, (size_t)length * sizeof *allowed);
    for (int64_t i = 0; i < length; i++)
        u.own += laboratory_place(task, length, i) == i;
    do {
        const double probability = counts_probability(counts, letters, length);
        for (u.here = 0; u.here < letters; u.here++)
            if (counts[u.here])
                add_best(&u, probability * counts[u.here] / (double)length, allowed);
    } while (next_counts(counts, letters));
}
