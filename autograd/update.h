/* update.h - what a training step does to the flat vectors of parameters and gradients:
 * sums of gradients, their norm, and the update.
 *
 * The work is shared among threads, with the same bits at any number of threads. The
 * vectors are the caller's (ag_numbers_new) and must not overlap.
 */
#ifndef AG_UPDATE_H
#define AG_UPDATE_H

#include "real.h"

AG_HEADER_BEGIN

/* The Euclidean norm sqrt(sum x[i]^2) of x [size], summed in double; squares that would
 * overflow or vanish are scaled. Not finite if an element is not. */
double ag_vector_norm(const ag_real *x, int64_t size, int threads);

/* sum += x, element by element. Then sets x to 0 for the next backward to add to. */
void ag_vector_add(ag_real *sum, ag_real *x, int64_t size, int threads);

/* How an update changes a parameter p with the gradient d. The formulas are those of
 * torch.optim; g = scale d, and t is the number of the update, from 1. In a range that
 * decays, every rule but AG_ADAMW adds weight_decay p to g.
 *
 *     AG_SGD       p -= rate g
 *     AG_MOMENTUM  b = momentum b + g,  p -= rate b
 *     AG_NESTEROV  b = momentum b + g,  p -= rate (g + momentum b)
 *     AG_ADAM      m += (1 - beta1) (g - m),  v += (1 - beta2) (g^2 - v),
 *                  p -= rate m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + epsilon)
 *     AG_ADAMW     p -= rate weight_decay p in a range that decays, then as AG_ADAM
 *
 * In Adam a g beyond 2^63 (2^511 if ag_real is double) is cut to that, since its square
 * would overflow. */
typedef enum ag_update_rule {
    AG_SGD = 0,
    AG_MOMENTUM, /* Sutskever et al. 2013 */
    AG_NESTEROV, /* Nesterov's form of it, in the same paper */
    AG_ADAM,     /* Kingma and Ba 2015, algorithm 1 */
    AG_ADAMW     /* Loshchilov and Hutter 2019, algorithm 2 */
} ag_update_rule;

/* One update of a vector of parameters. A rule reads only the fields that its formula
 * has. The average is that of the values after each update so far, weighted by
 * average_decay^0 for the newest, average_decay^1 for the one before, and so on:
 *
 *     average += share (p - average)
 *     share = (1 - average_decay) / (1 - average_decay^t) */
typedef struct ag_update {
    ag_update_rule rule;
    uint64_t step;       /* t */
    double rate;         /* the learning rate */
    double scale;        /* of the gradient, such as a clip's factor; 0: 1 */
    double weight_decay; /* 0: none */
    double momentum;
    double beta1, beta2, epsilon;
    ag_real *first, *second; /* [size], zeros before the first update: b or m, and v */
    ag_real *average;        /* [size] or NULL: follows p, see above */
    double average_decay;    /* in [0, 1) */
} ag_update;

/* Elements begin <= i < end of the vectors, which have weight decay or not. */
typedef struct ag_update_range {
    int64_t begin, end;
    bool decays;
} ag_update_range;

/* Updates `value` from `gradient`, and sets `gradient` to 0 for the next backward to add
 * to. `ranges` [count] are in order and do not overlap; elements outside of them are left
 * alone. The caller has seen that the gradients are finite. */
void ag_update_apply(const ag_update *update, ag_real *value, ag_real *gradient, const ag_update_range *ranges,
                     int count, int threads);

/* Matrices in the vectors, stacked: `count` of [rows, columns] each, row by row, the
 * first from element `begin` on. */
typedef struct ag_update_matrices {
    int64_t begin, count, rows, columns;
} ag_update_matrices;

/* Replaces the gradient of each matrix by the direction in which Muon changes the matrix
 * (Jordan 2024, kellerjordan.github.io/posts/muon). With g = scale gradient, for each
 * matrix alone:
 *
 *     m = momentum m + (1 - momentum) g      m: in `mean`, zeros before the first update
 *     u = momentum m + (1 - momentum) g      Nesterov's form
 *     x = u / (|u| + 1e-7)                   |u|: the root of the sum of squares
 *     x = a x + (b s + c s s) x, s = x x^T   5 times: a, b, c = 3.4445, -4.7750, 2.0315
 *     gradient = sqrt(max(1, rows / columns)) x
 *
 * An update by AG_SGD then does the rest: p -= rate (gradient + weight_decay p).
 *
 * The five Newton-Schulz steps keep the singular vectors of u and bring its singular
 * values, which are 1 at most by then, close to 1: to between 0.68 and 1.14 where they
 * were above 0.01. So an update goes as far in directions in which the gradient is weak
 * as in the strong ones. m is the mean of the gradients, as in torch.optim.Muon; Jordan's
 * program has their sum, which is 1 / (1 - momentum) times as large and gives the same x.
 * Where rows > columns, s is x^T x, the smaller one, and the last product x (b s + c s
 * s).
 *
 * `ranges` [count] must not overlap. `workspace` has ag_orthogonalize_numbers. The caller
 * has seen that the gradients are finite. */
void ag_orthogonalize(double momentum, double scale, ag_real *mean, ag_real *gradient, const ag_update_matrices *ranges,
                      int count, int threads, ag_real *workspace);
/* How many numbers, from ag_numbers_new, ag_orthogonalize needs as workspace with these
 * ranges and up to this many threads, at least 1: for each thread about twice the largest
 * matrix. */
int64_t ag_orthogonalize_numbers(const ag_update_matrices *ranges, int count, int threads);

AG_HEADER_END
#endif
