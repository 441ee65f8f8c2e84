/* theory.h - the accuracy that is possible at all, given what a model can see. Exact: the
 * sums go over everything that can be seen. */
#ifndef STUDY_LABORATORY_THEORY_H
#define STUDY_LABORATORY_THEORY_H

#include "tasks.h"

/* Fills in allowed [length]: the probability that the best possible answer at position i
 * is right, if the letters j with seen[i, j] are known and all others are equally
 * likely. */
void laboratory_allowed(laboratory_task task, int64_t length, int64_t letters, const unsigned char *seen,
                        double *allowed);

/* The same for a model that sees all letters, but not where they are: it knows the letter
 * here and the number of each letter, not the position. Its answer is the same at all
 * positions, so only the mean over the positions is a bound, and it is that mean which
 * the best answer maximises. Equally good answers count as chosen equally often. */
void laboratory_allowed_orderless(laboratory_task task, int64_t length, int64_t letters, double *allowed);

#endif
