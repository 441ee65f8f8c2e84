/* theory.h - the best that any model can do at one place of a task on letters, given what
 * it can know there: how often its answer is right, and its cross-entropy loss.
 *
 * Letters are independent and equally likely. The best model knows the tasks, and answers
 * with the probabilities that follow from what it sees. Its mean loss is then the entropy
 * of the answer given what is seen (Cover and Thomas, Elements of Information Theory,
 * section 5.4: no other probabilities have a lower one). The sums are exact: they go over
 * everything that can be seen.
 */
#ifndef STUDY_THEORY_H
#define STUDY_THEORY_H

#include "autograd.h"

enum {
    THEORY_LETTERS = 26, /* the most letters of an alphabet */
    THEORY_LENGTH = 16,  /* the most letters of a sequence */
    THEORY_CASES = 16    /* the most cases that a model may have to tell apart */
};

typedef struct theory_bound {
    double accuracy; /* the probability that the best answer is right */
    double loss;     /* the least mean of -ln(the right answer's probability), in nats */
} theory_bound;

/* What the right answer is, in one case. */
typedef enum theory_answer {
    THEORY_KNOWN,  /* a letter that the model sees */
    THEORY_HIDDEN, /* a letter that it does not see */
    THEORY_MARK    /* no letter but a mark, such as the end */
} theory_answer;

/* One of the cases that look the same to the model: sequences of other lengths, say. */
typedef struct theory_case {
    double probability; /* given what is seen; those of all cases add up to 1 */
    theory_answer answer;
    int64_t which; /* letter that is seen, or mark: a number that tells it apart */
} theory_case;

/* The bound where the answer is one letter or mark. The letters that are seen, each drawn
 * by itself, may be equal: the time is that of going over all ways in which those of the
 * cases are, 4140 for 8 letters, 4 million for 12, 10^10 for 16. count: 1 to
 * THEORY_CASES. */
theory_bound theory_best(const theory_case *cases, int64_t count, int64_t letters);

/* One of the cases where the answer is a letter in the order of the alphabet: how many
 * letters there are beside those that are seen. */
typedef struct theory_sorted_case {
    double probability;
    int64_t hidden;
} theory_sorted_case;

/* The bound where the answer is the letter number `place`, from 0, of all letters in the
 * order of the alphabet, of which the model sees `visible`, anywhere. visible + hidden,
 * in each case, is above `place` and at most THEORY_LENGTH. */
theory_bound theory_best_sorted(int64_t place, int64_t visible, const theory_sorted_case *cases, int64_t count,
                                int64_t letters);

/* In how many orders sum(counts) things can come, counts[i] of which are of kind i:
 * sum(counts)! / (counts_0! counts_1! ..). */
double theory_orders(const int *counts, int64_t kinds);

#endif
