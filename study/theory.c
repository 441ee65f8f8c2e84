/* theory.c - see theory.h. */
#include "theory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

double theory_orders(const int *counts, int64_t kinds)
{
    double orders = 1;
    int64_t all = 0;
    for (int64_t kind = 0; kind < kinds; kind++)
        for (int k = 1; k <= counts[kind]; k++)
            orders = orders * (double)++all / k; /* a binomial coefficient times the one before: whole */
    return orders;
}

/* An outcome's part of an entropy. */
static double surprise(double p)
{
    return p > 0 ? -p * log(p) : 0;
}

/* ---- One letter -------------------------------------------------------------------- */

/* The cases, put together by their answer, and the sum over which of the letters that are
 * seen are equal. */
typedef struct one_letter {
    double letters;
    double known[THEORY_CASES]; /* the probability of each seen letter as the answer */
    int64_t known_count;
    double hidden;              /* that of the letters that are not seen */
    theory_bound marks;         /* the most probable mark, and the marks' part of the loss */
    double group[THEORY_CASES]; /* the sum of `known` over the seen letters that are equal */
    theory_bound sum;
} one_letter;

/* Adds a case to the sum of those before it that have the same answer. */
static void add_case(const theory_case *cases, int64_t at, double *sums, int64_t *where, int64_t *count)
{
    int64_t earlier = 0;
    while (cases[earlier].answer != cases[at].answer || cases[earlier].which != cases[at].which)
        earlier++;
    where[at] = earlier < at ? where[earlier] : (*count)++;
    sums[where[at]] += cases[at].probability;
}

static one_letter put_together(const theory_case *cases, int64_t count, int64_t letters)
{
    one_letter one = {.letters = (double)letters};
    double marks[THEORY_CASES] = {0};
    int64_t mark_count = 0, where[THEORY_CASES];
    for (int64_t i = 0; i < count; i++)
        if (cases[i].answer == THEORY_HIDDEN)
            one.hidden += cases[i].probability;
        else if (cases[i].answer == THEORY_MARK)
            add_case(cases, i, marks, where, &mark_count);
        else
            add_case(cases, i, one.known, where, &one.known_count);
    for (int64_t i = 0; i < mark_count; i++) {
        one.marks.accuracy = fmax(one.marks.accuracy, marks[i]);
        one.marks.loss += surprise(marks[i]);
    }
    return one;
}

/* Adds the bound for seen letters of which `groups` are different. */
static void add_groups(one_letter *one, int64_t groups, double probability)
{
    const double each = one->hidden / one->letters, others = one->letters - (double)groups;
    theory_bound bound = one->marks;
    for (int64_t g = 0; g < groups; g++) {
        bound.accuracy = fmax(bound.accuracy, one->group[g] + each);
        bound.loss += surprise(one->group[g] + each);
    }
    if (others > 0) {
        bound.accuracy = fmax(bound.accuracy, each);
        bound.loss += others * surprise(each);
    }
    one->sum.accuracy += probability * bound.accuracy;
    one->sum.loss += probability * bound.loss;
}

/* Lets the seen letter `at` equal each of the different letters before it, and none. */
static void go_over_groups(one_letter *one, int64_t at, int64_t groups, double probability)
{
    if (at == one->known_count) {
        add_groups(one, groups, probability);
        return;
    }
    for (int64_t g = 0; g < groups; g++) {
        const double before = one->group[g];
        one->group[g] += one->known[at];
        go_over_groups(one, at + 1, groups, probability / one->letters);
        one->group[g] = before;
    }
    one->group[groups] = one->known[at];
    if (one->letters > (double)groups)
        go_over_groups(one, at + 1, groups + 1, probability * (one->letters - (double)groups) / one->letters);
}

theory_bound theory_best(const theory_case *cases, int64_t count, int64_t letters)
{
    one_letter one = put_together(cases, count, letters);
    go_over_groups(&one, 0, 0, 1);
    return one.sum;
}

/* ---- Sorted letters ---------------------------------------------------------------- */

/* The answer depends on how many of the visible letters are below each letter. */
typedef struct sorted_letters {
    int64_t letters, visible;
    double choose[THEORY_LENGTH + 1][THEORY_LENGTH + 1]; /* n over k */
    /* The probability that letter b is the answer, if `below` visible letters are below
     * it, and up_to are at most it: answer[b][below][up_to]. */
    double answer[THEORY_LETTERS][THEORY_LENGTH + 1][THEORY_LENGTH + 1];
} sorted_letters;

static double binomial(const sorted_letters *s, int64_t n, int64_t k, double p)
{
    return s->choose[n][k] * pow(p, (double)k) * pow(1 - p, (double)(n - k));
}

/* The probability that at least `needed` of `hidden` letters are among the first b. */
static double enough(const sorted_letters *s, int64_t hidden, int64_t needed, int64_t b)
{
    double sum = 0;
    for (int64_t k = hidden; k >= needed && k >= 0; k--)
        sum += binomial(s, hidden, k, (double)b / (double)s->letters);
    return needed <= 0 ? 1 : sum;
}

/* The answer is at most letter b if at least place + 1 letters, visible or not, are. */
static void fill_answers(sorted_letters *s, int64_t place, const theory_sorted_case *cases, int64_t count)
{
    for (int64_t b = 0; b < s->letters; b++)
        for (int64_t below = 0; below <= s->visible; below++)
            for (int64_t up_to = below; up_to <= s->visible; up_to++) {
                double answer = 0;
                for (int64_t i = 0; i < count; i++)
                    answer += cases[i].probability * (enough(s, cases[i].hidden, place + 1 - up_to, b + 1) -
                                                      enough(s, cases[i].hidden, place + 1 - below, b));
                s->answer[b][below][up_to] = answer;
            }
}

static double sorted_loss(const sorted_letters *s)
{
    double loss = 0;
    for (int64_t b = 0; b < s->letters; b++)
        for (int64_t up_to = 0; up_to <= s->visible; up_to++)
            for (int64_t below = 0; below <= up_to; below++)
                loss += binomial(s, s->visible, up_to, (double)(b + 1) / (double)s->letters) *
                        binomial(s, up_to, below, (double)b / (double)(b + 1)) * surprise(s->answer[b][below][up_to]);
    return loss;
}

/* The probability that no letter is a more probable answer than this. */
static double none_above(const sorted_letters *s, double limit)
{
    double ways[THEORY_LENGTH + 1] = {1}; /* to draw the letters up to b, by their number */
    for (int64_t b = 0; b < s->letters; b++)
        for (int64_t up_to = s->visible; up_to >= 0; up_to--) {
            double sum = 0;
            for (int64_t below = 0; below <= up_to; below++)
                if (s->answer[b][below][up_to] <= limit)
                    sum += ways[below] * s->choose[up_to][below];
            ways[up_to] = sum;
        }
    return ways[s->visible] / pow((double)s->letters, (double)s->visible);
}

static int compare_doubles(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The mean of the most probable answer's probability: the sum over each value that it can
 * have. */
static double sorted_accuracy(const sorted_letters *s)
{
    double values[THEORY_LETTERS * (THEORY_LENGTH + 1) * (THEORY_LENGTH + 2) / 2], mean = 0, before = 0;
    size_t count = 0;
    for (int64_t b = 0; b < s->letters; b++)
        for (int64_t below = 0; below <= s->visible; below++)
            for (int64_t up_to = below; up_to <= s->visible; up_to++)
                values[count++] = s->answer[b][below][up_to];
    qsort(values, count, sizeof *values, compare_doubles);
    for (size_t i = 0; i < count; i++) {
        if (i + 1 < count && values[i] == values[i + 1])
            continue;
        const double now = none_above(s, values[i]);
        mean += values[i] * (now - before);
        before = now;
    }
    return mean;
}

theory_bound theory_best_sorted(int64_t place, int64_t visible, const theory_sorted_case *cases, int64_t count,
                                int64_t letters)
{
    sorted_letters s = {.letters = letters, .visible = visible};
    for (int n = 0; n <= THEORY_LENGTH; n++)
        for (int k = 0; k <= n; k++)
            s.choose[n][k] = theory_orders((int[]){k, n - k}, 2);
    fill_answers(&s, place, cases, count);
    return (theory_bound){sorted_accuracy(&s), sorted_loss(&s)};
}
