/* test_update.c - the optimisers' rules: level plain against the formulas in wider numbers, every level against level
 * plain. */
#include "level_util.h"

#include <float.h>
#include <math.h>
#include <string.h>

static const kernel_update *update_at(int level)
{
    return level_at(level)->update;
}

/* ---- Vectors ----------------------------------------------------------------------- */

/* Every length that a vector may end at, and some that take many. */
enum { ALL_TO = 40 };
static const int longer[] = {63, 64, 65, 127, 2048, 5003};
#define LENGTHS ((int)(ALL_TO + 1 + sizeof longer / sizeof *longer))

static int length(int number)
{
    return number <= ALL_TO ? number : longer[number - ALL_TO - 1];
}

/* What stands before and behind a vector, and must not be written. */
#define FOREIGN ((ag_real)77)

/* A vector of n numbers in [low, high), every third one turned negative where `turned`. */
static ag_real *vector_new(int n, uint64_t seed, double low, double high, bool turned)
{
    ag_real *memory = malloc(((size_t)n + 2) * sizeof *memory);
    ck_assert_ptr_nonnull(memory);
    test_fill(memory + 1, n, seed, low, high);
    for (int i = (int)seed; turned && i <= n; i += 3)
        memory[i] = -memory[i];
    memory[0] = memory[n + 1] = FOREIGN;
    return memory + 1;
}

static void vector_free(ag_real *vector, int n)
{
    ck_assert(vector[-1] == FOREIGN && vector[n] == FOREIGN);
    free(vector - 1);
}

/* That `found` is `expected` but for two units in the last place of what was added up: what was there before and the
 * change. */
static void check_close(ag_real found, long double expected, ag_real before)
{
    long double size = fabsl((long double)before) + fabsl(expected - (long double)before);
    if (!(fabsl((long double)found - expected) <= 2 * PRECISION(DBL_EPSILON, FLT_EPSILON) * size))
        ck_abort_msg("%.17g instead of %.17Lg, from %.17g", (double)found, expected, (double)before);
}

/* ---- The rules --------------------------------------------------------------------- */

typedef enum rule { ADAM, SGD, MOMENTUM, NESTEROV, RULES } rule;

static const update_constants constants = {
    .scale = (ag_real)0.3,
    .decay = (ag_real)0.1,
    .keep = (ag_real)0.95,
    .rate = (ag_real)0.07,
    .momentum = (ag_real)0.7,
    .one_minus_beta1 = (ag_real)0.15,
    .beta2 = (ag_real)0.97,
    .one_minus_beta2 = (ag_real)0.03,
    .epsilon = (ag_real)0.01,
    .step_size = (ag_real)0.2,
    .second_scale = (ag_real)3,
};

/* A parameter, its gradient, and what the optimiser keeps of it. */
typedef struct element {
    long double p, g, first, second;
} element;

static element expect(rule which, const update_constants *k, element e)
{
    const long double momentum = (long double)k->momentum, rate = (long double)k->rate;
    long double g = (long double)k->scale * e.g + (long double)k->decay * e.p;
    switch (which) {
    case ADAM:
        e.first += (long double)k->one_minus_beta1 * (g - e.first);
        e.second = (long double)k->beta2 * e.second + (long double)k->one_minus_beta2 * g * g;
        e.p =
            (long double)k->keep * e.p - (long double)k->step_size * e.first /
                                             (sqrtl(e.second) * (long double)k->second_scale + (long double)k->epsilon);
        break;
    case MOMENTUM:
        e.first = momentum * e.first + g;
        e.p -= rate * e.first;
        break;
    case NESTEROV:
        e.first = momentum * e.first + g;
        e.p -= rate * (g + momentum * e.first);
        break;
    default:
        e.p -= rate * g;
    }
    return e;
}

static void run(rule which, const kernel_update *update, int n, ag_real *const vectors[4])
{
    ag_real *p = vectors[0], *gradient = vectors[1], *first = vectors[2], *second = vectors[3];
    switch (which) {
    case ADAM:
        update->adam(&constants, n, p, gradient, first, second);
        break;
    case MOMENTUM:
        update->momentum(&constants, n, p, gradient, first);
        break;
    case NESTEROV:
        update->nesterov(&constants, n, p, gradient, first);
        break;
    default:
        update->sgd(&constants, n, p, gradient);
    }
}

static void check_rule(rule which, const kernel_update *update, int n)
{
    ag_real *before[4], *after[4];
    for (int i = 0; i < 4; i++) { /* the gradient counts for more than the decay: no digits are lost in their sum */
        before[i] = vector_new(n, (uint64_t)i, i == 1 ? 2 : 0.5, i == 1 ? 3 : 1, i < 3);
        after[i] = vector_new(n, (uint64_t)i, i == 1 ? 2 : 0.5, i == 1 ? 3 : 1, i < 3);
    }
    run(which, update, n, after);
    for (int i = 0; i < n; i++) {
        element e = {(long double)before[0][i], (long double)before[1][i], (long double)before[2][i],
                     (long double)before[3][i]};
        e = expect(which, &constants, e);
        check_close(after[0][i], e.p, before[0][i]);
        check_close(after[2][i], e.first, before[2][i]);
        check_close(after[3][i], e.second, before[3][i]);
        if (after[1][i] != 0)
            ck_abort_msg("gradient %d of %d is still %g", i, n, (double)after[1][i]);
    }
    for (int i = 0; i < 4; i++) {
        vector_free(before[i], n);
        vector_free(after[i], n);
    }
}

START_TEST(each_rule_of_level_plain_is_the_formula)
{
    for (rule which = ADAM; which < RULES; which++)
        for (int i = 0; i < LENGTHS; i++)
            check_rule(which, level_plain()->update, length(i));
}
END_TEST

START_TEST(each_rule_is_that_of_level_plain)
{
    static const char *const names[] = {"p", "gradient", "first", "second"};
    for (rule which = ADAM; which < RULES; which++)
        for (int i = 0; i < LENGTHS; i++) {
            ag_real *own[4], *plain[4];
            for (int v = 0; v < 4; v++) {
                own[v] = vector_new(length(i), (uint64_t)v, v == 1 ? 2 : 0.5, v == 1 ? 3 : 1, v < 3);
                plain[v] = vector_new(length(i), (uint64_t)v, v == 1 ? 2 : 0.5, v == 1 ? 3 : 1, v < 3);
            }
            run(which, update_at(_i), length(i), own);
            run(which, level_plain()->update, length(i), plain);
            for (int v = 0; v < 4; v++) {
                level_compare(names[v], length(i), own[v], plain[v], 4, 1);
                vector_free(own[v], length(i));
                vector_free(plain[v], length(i));
            }
        }
}
END_TEST

/* ---- Average and sum --------------------------------------------------------------- */

START_TEST(the_average_moves_by_its_share)
{
    const ag_real shares[] = {1, (ag_real)0.3, (ag_real)1e-4};
    for (int i = 0; i < LENGTHS; i++)
        for (int s = 0; s < 3; s++) {
            const int n = length(i);
            ag_real *p = vector_new(n, 1, 0.5, 1, true), *before = vector_new(n, 2, 0.5, 1, true);
            ag_real *average = vector_new(n, 2, 0.5, 1, true);
            update_at(_i)->average(shares[s], n, p, average);
            for (int e = 0; e < n; e++) {
                long double change = (long double)p[e] - (long double)before[e];
                check_close(average[e], (long double)before[e] + (long double)shares[s] * change, before[e]);
                if (shares[s] == 1 && average[e] != p[e])
                    ck_abort_msg("the first average is not the value");
            }
            vector_free(p, n);
            vector_free(before, n);
            vector_free(average, n);
        }
}
END_TEST

START_TEST(squares_are_summed_in_double)
{
    for (int i = 0; i < LENGTHS; i++) {
        const int n = length(i);
        ag_real *x = vector_new(n, 3, 1e-3, 1e3, true);
        long double sum = 0;
        for (int e = 0; e < n; e++)
            sum += (long double)x[e] * (long double)x[e];
        ck_assert(fabsl((long double)update_at(_i)->sum_of_squares(n, x, 1) - sum) <= 1e-14L * sum);
        vector_free(x, n);
    }
}
END_TEST

/* Squares of these are beyond float. */
START_TEST(squares_may_be_huge_and_tiny)
{
    ag_real *x = vector_new(33, 3, 1, 2, true);
    for (int e = 0; e < 33; e++)
        x[e] = (ag_real)1e30;
    ck_assert_double_eq_tol(update_at(_i)->sum_of_squares(33, x, 1) / 1e60, 33, 1e-5);
    for (int e = 0; e < 33; e++)
        x[e] = (ag_real)1e-30;
    ck_assert_double_eq_tol(update_at(_i)->sum_of_squares(33, x, 1) * 1e60, 33, 1e-5);
    for (int e = 0; e < 33; e++) {
        const ag_real spoilers[] = {(ag_real)NAN, (ag_real)INFINITY, -(ag_real)INFINITY};
        x[e] = spoilers[e % 3];
        ck_assert(!isfinite(update_at(_i)->sum_of_squares(33, x, 1)));
        x[e] = 1;
    }
    vector_free(x, 33);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("kernels/update");
    TCase *t = tcase_create("update");
    tcase_add_test(t, each_rule_of_level_plain_is_the_formula);
    tcase_add_loop_test(t, each_rule_is_that_of_level_plain, 1, test_levels_here());
    tcase_add_loop_test(t, the_average_moves_by_its_share, 0, test_levels_here());
    tcase_add_loop_test(t, squares_are_summed_in_double, 0, test_levels_here());
    tcase_add_loop_test(t, squares_may_be_huge_and_tiny, 0, test_levels_here());
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(suite)
