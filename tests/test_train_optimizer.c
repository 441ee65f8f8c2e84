/* test_train_optimizer.c - optimisers against formulas written out again here in double, schedules at exact values, the
 * clip. */
#include "check_util.h"
#include "train.h"

#include <math.h>
#include <string.h>

/* A matrix with decay, a bias without, and a matrix long enough that blocks of work end inside of it. */
enum { MATRIX = 6, BIAS = 5, LARGE = 20001, SIZE = MATRIX + BIAS + LARGE };

typedef struct fixture {
    nn_param items[3];
    real value[SIZE], grad[SIZE];
    double expected[SIZE], first[SIZE], second[SIZE];
    nn_params params;
} fixture;

static bool decays(int i)
{
    return i < MATRIX || i >= MATRIX + BIAS;
}

static fixture *fixture_new(void)
{
    fixture *f = calloc(1, sizeof *f);
    ck_assert_ptr_nonnull(f);
    f->items[0] = (nn_param){.shape = AG_SHAPE(2, 3), .offset = 0, .size = MATRIX, .decay = true};
    f->items[1] = (nn_param){.shape = AG_SHAPE(BIAS), .offset = MATRIX, .size = BIAS, .decay = false};
    f->items[2] = (nn_param){.shape = AG_SHAPE(1, LARGE), .offset = MATRIX + BIAS, .size = LARGE, .decay = true};
    f->params = (nn_params){.items = f->items, .count = 3, .size = SIZE, .value = f->value, .grad = f->grad};
    test_fill(f->value, SIZE, 1, -1, 1);
    for (int i = 0; i < SIZE; i++)
        f->expected[i] = (double)f->value[i];
    return f;
}

/* ---- The formulas, element by element ------------------------------------------------------- */

static double expect_adam(fixture *f, const train_optimizer_config *c, int i, double g, int t, double rate)
{
    double p = f->expected[i], decay = decays(i) ? c->weight_decay : 0;
    if (c->kind == TRAIN_ADAMW)
        p = p * (1 - rate * decay);
    else
        g = g + decay * p;
    f->first[i] = c->beta1 * f->first[i] + (1 - c->beta1) * g;
    f->second[i] = c->beta2 * f->second[i] + (1 - c->beta2) * g * g;
    double mean = f->first[i] / (1 - pow(c->beta1, t)), variance = f->second[i] / (1 - pow(c->beta2, t));
    return p - rate * mean / (sqrt(variance) + c->epsilon);
}

static double expect_sgd(fixture *f, const train_optimizer_config *c, int i, double g, int t, double rate)
{
    double p = f->expected[i];
    if (decays(i))
        g = g + c->weight_decay * p;
    if (c->momentum > 0) {
        f->first[i] = t == 1 ? g : c->momentum * f->first[i] + g;
        g = c->nesterov ? g + c->momentum * f->first[i] : f->first[i];
    }
    return p - rate * g;
}

static void compare_steps(const train_optimizer_config *config)
{
    fixture *f = fixture_new();
    train_optimizer optimizer;
    ck_assert_int_eq(train_optimizer_init(&optimizer, config, &f->params, NULL), AG_OK);
    for (int t = 1; t <= 5; t++) {
        double rate = 0.01 * t;
        test_fill(f->grad, SIZE, (uint64_t)t, -2, 2);
        f->grad[3] = 0;
        for (int i = 0; i < SIZE; i++)
            f->expected[i] = config->kind == TRAIN_SGD
                                 ? expect_sgd(f, &optimizer.config, i, (double)f->grad[i], t, rate)
                                 : expect_adam(f, &optimizer.config, i, (double)f->grad[i], t, rate);
        train_optimizer_step(&optimizer, &f->params, rate, 1);
        ck_assert_uint_eq(optimizer.step, (uint64_t)t);
        for (int i = 0; i < SIZE; i++)
            ck_assert_double_eq_tol((double)f->value[i], f->expected[i], PRECISION(1e-13, 2e-6));
    }
    train_optimizer_clear(&optimizer);
    free(f);
}

START_TEST(adamw_is_the_formula)
{
    compare_steps(&(train_optimizer_config){.kind = TRAIN_ADAMW, .beta1 = 0.8, .beta2 = 0.95, .weight_decay = 0.1});
}
END_TEST

START_TEST(adam_is_the_formula)
{
    compare_steps(&(train_optimizer_config){.kind = TRAIN_ADAM, .weight_decay = 0.1, .epsilon = 1e-3});
}
END_TEST

START_TEST(sgd_is_the_formula)
{
    compare_steps(&(train_optimizer_config){.kind = TRAIN_SGD, .weight_decay = 0.1});
    compare_steps(&(train_optimizer_config){.kind = TRAIN_SGD, .weight_decay = 0.1, .momentum = 0.9});
    compare_steps(&(train_optimizer_config){.kind = TRAIN_SGD, .weight_decay = 0.1, .momentum = 0.9, .nesterov = true});
}
END_TEST

/* With no gradient AdamW multiplies what decays by 1 - rate * decay, and leaves the bias as it is. */
START_TEST(decay_spares_the_bias)
{
    fixture *f = fixture_new();
    real before[SIZE];
    memcpy(before, f->value, sizeof before);
    train_optimizer optimizer;
    train_optimizer_config config = {.kind = TRAIN_ADAMW, .weight_decay = 0.5};
    ck_assert_int_eq(train_optimizer_init(&optimizer, &config, &f->params, NULL), AG_OK);
    train_optimizer_step(&optimizer, &f->params, 0.5, 1);
    for (int i = 0; i < SIZE; i++)
        ck_assert(f->value[i] == (decays(i) ? (real)0.75 * before[i] : before[i]));
    train_optimizer_clear(&optimizer);
    free(f);
}
END_TEST

START_TEST(defaults_are_filled_in)
{
    fixture *f = fixture_new();
    train_optimizer optimizer;
    ck_assert_int_eq(train_optimizer_init(&optimizer, &(train_optimizer_config){0}, &f->params, NULL), AG_OK);
    ck_assert(optimizer.config.beta1 == 0.9 && optimizer.config.beta2 == 0.98 && optimizer.config.epsilon == 1e-8);
    ck_assert(optimizer.first && optimizer.second);
    train_optimizer_clear(&optimizer);
    ck_assert_int_eq(train_optimizer_init(&optimizer, &(train_optimizer_config){.kind = TRAIN_SGD}, &f->params, NULL),
                     AG_OK);
    ck_assert(!optimizer.first && !optimizer.second);
    train_optimizer_clear(&optimizer);
    free(f);
}
END_TEST

START_TEST(bad_configurations_are_refused)
{
    const struct {
        train_optimizer_config config;
        const char *word;
    } cases[] = {
        {{.beta1 = 1}, "beta1"},
        {{.beta2 = -0.1}, "beta2"},
        {{.epsilon = (double)NAN}, "epsilon"},
        {{.weight_decay = -1}, "decay"},
        {{.kind = TRAIN_SGD, .momentum = 1.5}, "momentum"},
        {{.kind = TRAIN_SGD, .nesterov = true}, "Nesterov"},
    };
    fixture *f = fixture_new();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        train_optimizer optimizer;
        ag_error error = {0};
        ck_assert_int_eq(train_optimizer_init(&optimizer, &cases[i].config, &f->params, &error), AG_BAD_VALUE);
        ck_assert_ptr_nonnull(strstr(error.message, cases[i].word));
        ck_assert(!optimizer.first && !optimizer.second);
    }
    free(f);
}
END_TEST

START_TEST(init_survives_each_failing_allocation)
{
    fixture *f = fixture_new();
    for (int n = 1; n <= 2; n++) {
        train_optimizer optimizer;
        ag_error error = {0};
        test_fail_allocation(n);
        ck_assert_int_eq(train_optimizer_init(&optimizer, &(train_optimizer_config){0}, &f->params, &error),
                         AG_NO_MEMORY);
        ck_assert_int_eq(error.status, AG_NO_MEMORY);
        train_optimizer_clear(&optimizer);
    }
    test_fail_allocation(0);
    free(f);
}
END_TEST

/* Several steps of clip and update with 1, 2 and 4 threads: the same bytes. */
START_TEST(threads_change_no_bit)
{
    fixture *one = fixture_new();
    for (int threads = 1; threads <= 4; threads *= 2) {
        fixture *f = fixture_new();
        train_optimizer optimizer;
        train_optimizer_config config = {.weight_decay = 0.1};
        ck_assert_int_eq(train_optimizer_init(&optimizer, &config, &f->params, NULL), AG_OK);
        for (int t = 1; t <= 3; t++) {
            test_fill(f->grad, SIZE, (uint64_t)t, -2, 2);
            train_clip_gradients(&f->params, 0.3, 1, threads);
            train_optimizer_step(&optimizer, &f->params, 0.01, threads);
        }
        if (threads == 1)
            memcpy(one->value, f->value, sizeof one->value);
        ck_assert_int_eq(memcmp(one->value, f->value, sizeof one->value), 0);
        train_optimizer_clear(&optimizer);
        free(f);
    }
    free(one);
}
END_TEST

/* ---- The clip ------------------------------------------------------------------------------- */

static double norm_of(const fixture *f)
{
    double sum = 0;
    for (int i = 0; i < SIZE; i++)
        sum += (double)f->grad[i] * (double)f->grad[i];
    return sqrt(sum);
}

START_TEST(clip_scales_to_the_norm)
{
    const double norms[] = {0.5, 1.5, 2, 4, INFINITY};
    for (size_t n = 0; n < sizeof norms / sizeof *norms; n++) {
        fixture *f = fixture_new();
        real before[SIZE];
        test_fill(f->grad, SIZE, 9, -1, 1);
        memcpy(before, f->grad, sizeof before);
        double norm = norm_of(f), returned = train_clip_gradients(&f->params, 1, norms[n], 1);
        ck_assert_double_eq_tol(returned, norm, 1e-12 * norm);
        if (norms[n] >= norm) {
            ck_assert_int_eq(memcmp(before, f->grad, sizeof before), 0);
        } else {
            ck_assert_double_eq_tol(norm_of(f), norms[n], norms[n] * PRECISION(1e-14, 1e-6));
            for (int i = 0; i < SIZE; i++) /* the direction is kept */
                ck_assert_double_eq_tol((double)f->grad[i], (double)before[i] * norms[n] / norm,
                                        PRECISION(1e-16, 1e-8));
        }
        free(f);
    }
}
END_TEST

START_TEST(clip_leaves_small_gradients_alone)
{
    fixture *f = fixture_new();
    real before[SIZE];
    test_fill(f->grad, SIZE, 9, -0.001, 0.001);
    memcpy(before, f->grad, sizeof before);
    ck_assert(train_clip_gradients(&f->params, 1, 1, 2) < 1);
    ck_assert_int_eq(memcmp(before, f->grad, sizeof before), 0);
    free(f);
}
END_TEST

START_TEST(clip_takes_the_factor_first)
{
    fixture *f = fixture_new();
    test_fill(f->grad, SIZE, 9, -1, 1);
    double norm = norm_of(f);
    ck_assert_double_eq_tol(train_clip_gradients(&f->params, 0.25, 0, 1), norm / 4, 1e-12 * norm);
    ck_assert_double_eq_tol(norm_of(f), norm / 4, norm * PRECISION(1e-14, 1e-6));
    ck_assert_double_eq_tol(train_clip_gradients(&f->params, 4, norm / 2, 1), norm, norm * PRECISION(1e-14, 1e-6));
    ck_assert_double_eq_tol(norm_of(f), norm / 2, norm * PRECISION(1e-14, 1e-6));
    free(f);
}
END_TEST

START_TEST(clip_of_zeros_and_of_nan)
{
    fixture *f = fixture_new();
    ck_assert(train_clip_gradients(&f->params, 1, 1, 1) == 0);
    for (int i = 0; i < SIZE; i++)
        ck_assert(f->grad[i] == 0);
    const real bad[] = {(real)NAN, (real)INFINITY};
    for (int b = 0; b < 2; b++) {
        real before[SIZE];
        test_fill(f->grad, SIZE, 9, -1, 1);
        f->grad[SIZE - 1] = bad[b];
        memcpy(before, f->grad, sizeof before);
        ck_assert(!isfinite(train_clip_gradients(&f->params, 0.5, 1, 1)));
        ck_assert_int_eq(memcmp(before, f->grad, sizeof before), 0);
    }
    free(f);
}
END_TEST

/* ---- Schedules ------------------------------------------------------------------------------ */

#define CHECK_RATE(schedule, step, expected)                                                                           \
    ck_assert_double_eq_tol(train_schedule_rate(&(schedule), (step)), (expected), 1e-15)

START_TEST(cosine_rates)
{
    train_schedule s = {.kind = TRAIN_COSINE, .rate = 0.1, .warmup = 4, .total = 12, .floor = 0.2};
    CHECK_RATE(s, 1, 0.025);
    CHECK_RATE(s, 4, 0.1);
    CHECK_RATE(s, 5, 0.1);
    CHECK_RATE(s, 7, 0.1 * (0.2 + 0.8 * 0.5 * (1 + sqrt(0.5))));
    CHECK_RATE(s, 9, 0.1 * (0.2 + 0.8 * 0.5));
    CHECK_RATE(s, 13, 0.02);
    CHECK_RATE(s, 1000, 0.02);
    s.warmup = 0;
    CHECK_RATE(s, 1, 0.1);
    s.total = 1; /* a run of one step learns */
    CHECK_RATE(s, 1, 0.1);
}
END_TEST

START_TEST(other_rates)
{
    train_schedule s = {.kind = TRAIN_CONSTANT, .rate = 0.5, .warmup = 2};
    CHECK_RATE(s, 1, 0.25);
    CHECK_RATE(s, 2, 0.5);
    CHECK_RATE(s, 999, 0.5);
    s = (train_schedule){.kind = TRAIN_INVERSE_SQRT, .rate = 0.5, .warmup = 4};
    CHECK_RATE(s, 1, 0.125);
    CHECK_RATE(s, 4, 0.5);
    CHECK_RATE(s, 16, 0.25);
    s.warmup = 0;
    CHECK_RATE(s, 4, 0.25);
    s = (train_schedule){.kind = TRAIN_NOAM, .rate = 2, .warmup = 16, .d_model = 64};
    CHECK_RATE(s, 1, 2.0 / 8 / 64);
    CHECK_RATE(s, 16, 2.0 / 8 / 4);
    CHECK_RATE(s, 64, 2.0 / 8 / 8);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("train/optimizer");
    TCase *t = tcase_create("optimizer");
    tcase_add_test(t, adamw_is_the_formula);
    tcase_add_test(t, adam_is_the_formula);
    tcase_add_test(t, sgd_is_the_formula);
    tcase_add_test(t, decay_spares_the_bias);
    tcase_add_test(t, defaults_are_filled_in);
    tcase_add_test(t, bad_configurations_are_refused);
    tcase_add_test(t, init_survives_each_failing_allocation);
    tcase_add_test(t, threads_change_no_bit);
    suite_add_tcase(s, t);
    t = tcase_create("clip");
    tcase_add_test(t, clip_scales_to_the_norm);
    tcase_add_test(t, clip_leaves_small_gradients_alone);
    tcase_add_test(t, clip_takes_the_factor_first);
    tcase_add_test(t, clip_of_zeros_and_of_nan);
    suite_add_tcase(s, t);
    t = tcase_create("schedule");
    tcase_add_test(t, cosine_rates);
    tcase_add_test(t, other_rates);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(suite)
