/* order.c - without a positional code, permuting the input permutes the output and
 * changes nothing else.
 *
 * Except for rounding: attention sums over the keys in ascending order, so permuted keys
 * are summed in another order. The error of a sum of n numbers is at most (n - 1) epsilon
 * times their magnitude; two orders differ by at most twice that; and each layer has two
 * sums over keys, of the softmax and of the values. So the bound is layers x 4 (n - 1)
 * epsilon times the largest logit. A real dependence on order would not shrink with
 * epsilon.
 */
#include "laboratory.h"

#include <float.h>
#include <math.h>

static const double EPSILON = sizeof(ag_real) == sizeof(double) ? DBL_EPSILON : (double)FLT_EPSILON;

/* Draws a permutation of 0 .. length - 1. */
static void shuffle(ag_rng *rng, int64_t length, int64_t *order)
{
    for (int64_t i = 0; i < length; i++) {
        const int64_t j = (int64_t)ag_rng_below(rng, (uint64_t)i + 1);
        order[i] = order[j];
        order[j] = i;
    }
}

/* Permutes each row in an order of its own: y[i] = x[order[i]]. */
static void permute_rows(const laboratory *lab, const int32_t *x, int64_t *orders, int32_t *y)
{
    const int64_t length = lab->options.length;
    for (int64_t row = 0; row < LABORATORY_CHUNK; row++) {
        ag_rng rng = ag_rng_make(ag_seed_for(lab->options.seed, AG_FOR_ORDER), (uint64_t)row);
        int64_t *order = orders + row * length;
        shuffle(&rng, length, order);
        for (int64_t i = 0; i < length; i++)
            y[row * length + i] = x[row * length + order[i]];
    }
}

/* Finds the largest logit, and the largest difference between a logit of the permuted
 * input and the same one of the input as it is. */
static ag_status compare_orders(const laboratory *lab, const nn_model *model, double *largest, double *difference)
{
    const int64_t length = lab->options.length, classes = model->config.target_vocab;
    const size_t letters = (size_t)(LABORATORY_CHUNK * length);
    ag_tape_rewind(lab->tape);
    int64_t *orders = ag_tape_alloc(lab->tape, letters * sizeof *orders);
    int32_t *permuted = ag_tape_alloc(lab->tape, letters * sizeof *permuted);
    if (!orders || !permuted)
        return laboratory_tape_failed(lab);
    permute_rows(lab, lab->unseen, orders, permuted);
    const ag_tensor *a = laboratory_logits(lab, model, lab->unseen, 0, false),
                    *b = laboratory_logits(lab, model, permuted, 0, false);
    if (!a || !b)
        return laboratory_tape_failed(lab);
    *largest = *difference = 0;
    for (int64_t row = 0; row < LABORATORY_CHUNK; row++)
        for (int64_t i = 0; i < length; i++)
            for (int64_t c = 0; c < classes; c++) {
                const double x = (double)a->data[(row * length + orders[row * length + i]) * classes + c],
                             y = (double)b->data[(row * length + i) * classes + c];
                *largest = fmax(*largest, fabs(x));
                *difference = fmax(*difference, fabs(x - y));
            }
    return AG_OK;
}

ag_status laboratory_permute(laboratory *lab)
{
    ag_status status = AG_OK;
    for (int task = 0; task < LABORATORY_TASKS && status == AG_OK; task++) {
        laboratory_permuted *found = &lab->findings->permuted[task];
        double largest;
        status = compare_orders(lab, lab->taggers[task][LABORATORY_FULL], &largest, &found->positions);
        if (status == AG_OK)
            status = compare_orders(lab, lab->taggers[task][LABORATORY_ORDERLESS], &found->largest, &found->difference);
        found->bound = LABORATORY_LAYERS * 4 * (double)(lab->options.length - 1) * EPSILON * found->largest;
    }
    return status;
}
