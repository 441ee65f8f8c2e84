/* test_study_theory.c - the best that theory allows agrees with going through all letters
 * that can be drawn. */
#include "check_util.h"
#include "study/theory.h"

#include <math.h>
#include <string.h>

enum { MOST_LETTERS = 4, MOST_SEEN = 4, MARKS = 2, VIEWS = 256 /* MOST_LETTERS^MOST_SEEN */ };

/* How probable each view is together with each outcome: letters, then marks. */
typedef struct joint {
    double p[VIEWS][MOST_LETTERS + MARKS];
} joint;

static theory_bound bound_of(const joint *all)
{
    theory_bound bound = {0};
    for (int view = 0; view < VIEWS; view++) {
        double best = 0, sum = 0;
        for (int outcome = 0; outcome < MOST_LETTERS + MARKS; outcome++)
            sum += all->p[view][outcome];
        for (int outcome = 0; outcome < MOST_LETTERS + MARKS; outcome++) {
            const double p = all->p[view][outcome];
            best = fmax(best, p);
            bound.loss -= p > 0 ? p * log(p / sum) : 0;
        }
        bound.accuracy += best;
    }
    return bound;
}

static void check_equal(theory_bound a, theory_bound b)
{
    ck_assert_double_eq_tol(a.accuracy, b.accuracy, 1e-12);
    ck_assert_double_eq_tol(a.loss, b.loss, 1e-12);
}

/* Probabilities that add up to 1. */
static void draw_shares(ag_rng *rng, int count, double *shares)
{
    double sum = 0;
    for (int i = 0; i < count; i++)
        sum += shares[i] = 1 + (double)ag_rng_below(rng, 9);
    for (int i = 0; i < count; i++)
        shares[i] /= sum;
}

/* ---- One letter -------------------------------------------------------------------- */

static theory_bound best_by_counting(const theory_case *cases, int count, int letters)
{
    static joint all;
    const double views = pow(letters, MOST_SEEN);
    memset(&all, 0, sizeof all);
    for (int view = 0; view < (int)views; view++) {
        int seen[MOST_SEEN];
        for (int k = 0, rest = view; k < MOST_SEEN; k++, rest /= letters)
            seen[k] = rest % letters;
        for (int i = 0; i < count; i++) {
            const double p = cases[i].probability / views;
            if (cases[i].answer == THEORY_KNOWN)
                all.p[view][seen[cases[i].which]] += p;
            else if (cases[i].answer == THEORY_MARK)
                all.p[view][MOST_LETTERS + cases[i].which] += p;
            for (int letter = 0; letter < letters && cases[i].answer == THEORY_HIDDEN; letter++)
                all.p[view][letter] += p / letters;
        }
    }
    return bound_of(&all);
}

START_TEST(one_letter_agrees_with_counting)
{
    ag_rng rng = ag_rng_make(3, 0);
    for (int trial = 0; trial < 300; trial++) {
        theory_case cases[6];
        double shares[6];
        const int count = 1 + (int)ag_rng_below(&rng, 6), letters = 2 + (int)ag_rng_below(&rng, MOST_LETTERS - 1);
        draw_shares(&rng, count, shares);
        for (int i = 0; i < count; i++) {
            const theory_answer answer = (theory_answer)ag_rng_below(&rng, 3);
            const int64_t which = (int64_t)ag_rng_below(&rng, answer == THEORY_MARK ? MARKS : MOST_SEEN);
            cases[i] = (theory_case){shares[i], answer, which};
        }
        check_equal(theory_best(cases, count, letters), best_by_counting(cases, count, letters));
    }
}
END_TEST

START_TEST(one_letter_that_is_seen_or_hidden)
{
    const theory_case seen = {1, THEORY_KNOWN, 7}, hidden = {1, THEORY_HIDDEN, 0},
                      ended[] = {{0.25, THEORY_MARK, 1}, {0.75, THEORY_HIDDEN, 0}};
    check_equal(theory_best(&seen, 1, 26), (theory_bound){1, 0});
    check_equal(theory_best(&hidden, 1, 26), (theory_bound){1.0 / 26, log(26)});
    check_equal(theory_best(ended, 2, 26), (theory_bound){0.25, 0.25 * log(4) + 0.75 * log(26 / 0.75)});
}
END_TEST

/* ---- Sorted letters ---------------------------------------------------------------- */

static int letter_at(const int *counts, int64_t place)
{
    int letter = 0;
    for (int64_t up_to = counts[0]; up_to <= place; up_to += counts[letter])
        letter++;
    return letter;
}

/* Goes through all letters that are seen and all that are not. */
static theory_bound sorted_by_counting(int64_t place, int visible, const theory_sorted_case *cases, int count,
                                       int letters)
{
    static joint all;
    const int views = (int)pow(letters, visible);
    memset(&all, 0, sizeof all);
    for (int i = 0; i < count; i++) {
        const int others = (int)pow(letters, (double)cases[i].hidden);
        for (int number = 0; number < views * others; number++) {
            int counts[MOST_LETTERS] = {0};
            for (int k = 0, rest = number; k < visible + cases[i].hidden; k++, rest /= letters)
                counts[rest % letters]++;
            all.p[number % views][letter_at(counts, place)] += cases[i].probability / views / others;
        }
    }
    return bound_of(&all);
}

START_TEST(sorted_letters_agree_with_counting)
{
    ag_rng rng = ag_rng_make(4, 0);
    for (int trial = 0; trial < 200; trial++) {
        theory_sorted_case cases[3];
        double shares[3];
        const int count = 1 + (int)ag_rng_below(&rng, 3), letters = 2 + (int)ag_rng_below(&rng, MOST_LETTERS - 1),
                  visible = (int)ag_rng_below(&rng, 5);
        int64_t least = 5;
        draw_shares(&rng, count, shares);
        for (int i = 0; i < count; i++) {
            cases[i] = (theory_sorted_case){shares[i], (int64_t)ag_rng_below(&rng, 5)};
            least = cases[i].hidden < least ? cases[i].hidden : least;
        }
        if (visible + least == 0)
            continue;
        const int64_t place = (int64_t)ag_rng_below(&rng, (uint64_t)(visible + least));
        check_equal(theory_best_sorted(place, visible, cases, count, letters),
                    sorted_by_counting(place, visible, cases, count, letters));
    }
}
END_TEST

/* The largest that the page and the laboratory ask for: the sums keep their digits. */
START_TEST(sorted_letters_of_a_whole_alphabet)
{
    const theory_sorted_case none = {1, 0}, one = {1, 1};
    check_equal(theory_best_sorted(5, 16, &none, 1, 26), (theory_bound){1, 0});
    const theory_bound nothing = theory_best_sorted(0, 0, &one, 1, 26);
    check_equal(nothing, (theory_bound){1.0 / 26, log(26)});
    double before = 0;
    for (int64_t visible = 0; visible <= 15; visible += 5) {
        const theory_sorted_case hidden = {1, 16 - visible};
        const theory_bound bound = theory_best_sorted(7, visible, &hidden, 1, 26);
        ck_assert_double_gt(bound.accuracy, before);
        ck_assert_double_gt(bound.loss, -log(bound.accuracy)); /* (the logarithm is concave) */
        before = bound.accuracy;
    }
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("study_theory");
    TCase *t = tcase_create("theory");
    tcase_add_test(t, one_letter_agrees_with_counting);
    tcase_add_test(t, one_letter_that_is_seen_or_hidden);
    tcase_add_test(t, sorted_letters_agree_with_counting);
    tcase_add_test(t, sorted_letters_of_a_whole_alphabet);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(suite)
