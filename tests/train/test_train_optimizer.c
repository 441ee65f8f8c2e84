/* test_train_optimizer.c - optimisers against formulas written out again here in double,
 * the clip, schedules at exact values. */
#include "check_util.h"
#include "train.h"

#include <math.h>
#include <string.h>

/* A matrix with decay, a bias without, and a matrix long enough that blocks of work end
 * inside of it and that threads are given work. */
enum { MATRIX = 6, BIAS = 5, LARGE = 60001, SIZE = MATRIX + BIAS + LARGE };

typedef struct fixture {
    nn_param items[3];
    ag_real value[SIZE], grad[SIZE], average[SIZE];
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

/* (Checks of libcheck's own for each element would take seconds.) */
static bool all_zero(int64_t size, const ag_real *x)
{
    for (int64_t i = 0; i < size; i++)
        if (x[i] != 0)
            return false;
    return true;
}

static void check_all(const ag_real *x, const double *expected, double tolerance)
{
    for (int i = 0; i < SIZE; i++)
        if (!(fabs((double)x[i] - expected[i]) <= tolerance))
            ck_abort_msg("element %d is %.17g instead of %.17g", i, (double)x[i], expected[i]);
}

/* ---- The formulas, element by element ---------------------------------------------- */

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

/* Five steps, the gradients as they are (scale 0) or scaled. */
static void compare_steps(const train_optimizer_config *config, double scale)
{
    fixture *f = fixture_new();
    train_optimizer optimizer;
    ck_assert_int_eq(train_optimizer_init(&optimizer, config, &f->params, 1, NULL), AG_OK);
    for (int t = 1; t <= 5; t++) {
        const train_update update = {.rate = 0.01 * t, .scale = scale};
        test_fill(f->grad, SIZE, (uint64_t)t, -2, 2);
        f->grad[3] = 0;
        for (int i = 0; i < SIZE; i++) {
            double g = (double)f->grad[i] * (scale == 0 ? 1 : scale);
            f->expected[i] = config->kind == TRAIN_SGD ? expect_sgd(f, &optimizer.config, i, g, t, update.rate)
                                                       : expect_adam(f, &optimizer.config, i, g, t, update.rate);
        }
        train_optimizer_step(&optimizer, &f->params, &update);
        ck_assert_uint_eq(optimizer.step, (uint64_t)t);
        check_all(f->value, f->expected, PRECISION(1e-13, 2e-6));
    }
    train_optimizer_clear(&optimizer);
    free(f);
}

static void compare_scaled_steps(const train_optimizer_config *config)
{
    compare_steps(config, 0);
    compare_steps(config, 0.3);
}

START_TEST(adamw_is_the_formula)
{
    compare_scaled_steps(
        &(train_optimizer_config){.kind = TRAIN_ADAMW, .beta1 = 0.8, .beta2 = 0.95, .weight_decay = 0.1});
}
END_TEST

START_TEST(adam_is_the_formula)
{
    compare_scaled_steps(&(train_optimizer_config){.kind = TRAIN_ADAM, .weight_decay = 0.1, .epsilon = 1e-3});
}
END_TEST

START_TEST(sgd_is_the_formula)
{
    compare_scaled_steps(&(train_optimizer_config){.kind = TRAIN_SGD, .weight_decay = 0.1});
    compare_scaled_steps(&(train_optimizer_config){.kind = TRAIN_SGD, .weight_decay = 0.1, .momentum = 0.9});
    compare_scaled_steps(
        &(train_optimizer_config){.kind = TRAIN_SGD, .weight_decay = 0.1, .momentum = 0.9, .nesterov = true});
}
END_TEST

/* With no gradient AdamW multiplies what decays by 1 - rate * decay, and leaves the bias
 * as it is. */
START_TEST(decay_spares_the_bias)
{
    fixture *f = fixture_new();
    ag_real before[SIZE];
    memcpy(before, f->value, sizeof before);
    train_optimizer optimizer;
    train_optimizer_config config = {.kind = TRAIN_ADAMW, .weight_decay = 0.5};
    ck_assert_int_eq(train_optimizer_init(&optimizer, &config, &f->params, 1, NULL), AG_OK);
    train_optimizer_step(&optimizer, &f->params, &(train_update){.rate = 0.5});
    for (int i = 0; i < SIZE; i++)
        ck_assert(f->value[i] == (decays(i) ? (ag_real)0.75 * before[i] : before[i]));
    train_optimizer_clear(&optimizer);
    free(f);
}
END_TEST

/* ag_update_apply without a model: ranges with a gap between them, across the borders of
 * blocks. */
START_TEST(an_update_leaves_gaps_alone)
{
    enum { FROM = 2000, GAP = 2050, GAP_END = 4100, TO = 4200, COUNT = 5000 };
    static ag_real value[COUNT], gradient[COUNT];
    const ag_update_range ranges[] = {{FROM, GAP, false}, {GAP_END, TO, true}};
    for (int i = 0; i < COUNT; i++)
        value[i] = gradient[i] = 1;
    ag_update_apply(&(ag_update){.rule = AG_SGD, .step = 1, .rate = 0.5, .weight_decay = 0.25}, value, gradient, ranges,
                    2, 1);
    for (int i = 0; i < COUNT; i++) {
        const bool first = i >= FROM && i < GAP, second = i >= GAP_END && i < TO;
        ck_assert(value[i] == (ag_real)(first ? 0.5 : second ? 0.375 : 1));
        ck_assert(gradient[i] == (ag_real) !(first || second));
    }
    ag_update_apply(&(ag_update){.step = 1}, value, gradient, NULL, 0, 1); /* of nothing */
}
END_TEST

START_TEST(defaults_are_filled_in)
{
    fixture *f = fixture_new();
    train_optimizer optimizer;
    ck_assert_int_eq(train_optimizer_init(&optimizer, &(train_optimizer_config){0}, &f->params, 1, NULL), AG_OK);
    ck_assert(optimizer.config.beta1 == 0.9 && optimizer.config.beta2 == 0.98 && optimizer.config.epsilon == 1e-8);
    ck_assert(optimizer.first && optimizer.second);
    train_optimizer_clear(&optimizer);
    ck_assert_int_eq(
        train_optimizer_init(&optimizer, &(train_optimizer_config){.kind = TRAIN_SGD}, &f->params, 1, NULL), AG_OK);
    ck_assert(!optimizer.first && !optimizer.second);
    train_optimizer_clear(&optimizer);
    free(f);
}
END_TEST

/* Their squares overflow; a first step has the length of the rate all the same, and what
 * is kept stays finite. */
START_TEST(adam_takes_huge_gradients)
{
    fixture *f = fixture_new();
    train_optimizer optimizer;
    ck_assert_int_eq(train_optimizer_init(&optimizer, &(train_optimizer_config){0}, &f->params, 1, NULL), AG_OK);
    for (int i = 0; i < SIZE; i++) {
        f->grad[i] = (ag_real)(i % 2 ? -PRECISION(1e200, 1e30) : PRECISION(1e200, 1e30));
        f->expected[i] += i % 2 ? 0.01 : -0.01;
    }
    train_optimizer_step(&optimizer, &f->params, &(train_update){.rate = 0.01});
    check_all(f->value, f->expected, PRECISION(1e-13, 1e-6));
    for (int i = 0; i < SIZE; i++)
        if (!isfinite(optimizer.second[i]))
            ck_abort_msg("element %d keeps %g", i, (double)optimizer.second[i]);
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
        {{.epsilon = PRECISION(1e-160, 1e-17)}, "epsilon"},
        {{.weight_decay = -1}, "decay"},
        {{.kind = TRAIN_SGD, .momentum = 1.5}, "momentum"},
        {{.kind = TRAIN_SGD, .nesterov = true}, "Nesterov"},
    };
    fixture *f = fixture_new();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        train_optimizer optimizer;
        ag_error error = {0};
        ck_assert_int_eq(train_optimizer_init(&optimizer, &cases[i].config, &f->params, 1, &error), AG_BAD_VALUE);
        ck_assert_ptr_nonnull(strstr(error.message, cases[i].word));
        ck_assert(!optimizer.first && !optimizer.second);
    }
    ag_error error = {0};
    const train_optimizer_config muon = {.kind = TRAIN_MUON};
    ck_assert_int_eq(train_optimizer_init(&(train_optimizer){0}, &muon, &f->params, 0, &error), AG_BAD_VALUE);
    ck_assert_str_eq(error.message, "threads is 0: it must be 1 or more");
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
        ck_assert_int_eq(train_optimizer_init(&optimizer, &(train_optimizer_config){0}, &f->params, 1, &error),
                         AG_NO_MEMORY);
        ck_assert_int_eq(error.status, AG_NO_MEMORY);
        train_optimizer_clear(&optimizer);
    }
    test_fail_allocation(0);
    free(f);
}
END_TEST

/* ---- One pass ---------------------------------------------------------------------- */

static const train_optimizer_config rules[] = {
    {.kind = TRAIN_ADAMW, .weight_decay = 0.1},
    {.kind = TRAIN_ADAM, .weight_decay = 0.1},
    {.kind = TRAIN_SGD, .weight_decay = 0.1},
    {.kind = TRAIN_SGD, .weight_decay = 0.1, .momentum = 0.7},
    {.kind = TRAIN_SGD, .weight_decay = 0.1, .momentum = 0.7, .nesterov = true},
};
#define RULES ((int)(sizeof rules / sizeof *rules))

/* Two parameters of which the first decays, at each size and border, and where a block of
 * work ends: without a gradient plain descent halves the one and leaves the other. */
static void check_border(fixture *f, int border, int size)
{
    train_optimizer optimizer;
    const train_optimizer_config sgd = {.kind = TRAIN_SGD, .weight_decay = 0.5};
    nn_param items[] = {{.size = border, .decay = true}, {.offset = border, .size = size - border}};
    nn_params params = {.items = items, .count = 2, .size = size, .value = f->value, .grad = f->grad};
    ck_assert_int_eq(train_optimizer_init(&optimizer, &sgd, &params, 1, NULL), AG_OK);
    for (int i = 0; i <= size; i++)
        f->value[i] = 4;
    train_optimizer_step(&optimizer, &params, &(train_update){.rate = 1});
    for (int i = 0; i <= size; i++)
        if (f->value[i] != (i < border ? 2 : 4))
            ck_abort_msg("border %d of %d: element %d is %g", border, size, i, (double)f->value[i]);
    train_optimizer_clear(&optimizer);
}

START_TEST(decay_ends_at_the_border)
{
    fixture *f = fixture_new();
    for (int size = 0; size <= 40; size++)
        for (int border = 0; border <= size; border++)
            check_border(f, border, size);
    for (int border = 2040; border <= 2056; border++)
        check_border(f, border, 5000);
    free(f);
}
END_TEST

/* Scaling by a power of two does not round: the same bits as from gradients that were
 * scaled before. */
START_TEST(scaling_on_the_way_is_scaling_before)
{
    for (int rule = 0; rule < RULES; rule++) {
        fixture *f[2] = {fixture_new(), fixture_new()};
        for (int before = 0; before < 2; before++) {
            train_optimizer optimizer;
            ck_assert_int_eq(train_optimizer_init(&optimizer, &rules[rule], &f[before]->params, 1, NULL), AG_OK);
            for (int t = 1; t <= 3; t++) {
                test_fill(f[before]->grad, SIZE, (uint64_t)t, -2, 2);
                for (int i = 0; i < SIZE && before; i++)
                    f[before]->grad[i] *= (ag_real)0.25;
                const train_update update = {.rate = 0.01, .scale = before ? 0 : 0.25};
                train_optimizer_step(&optimizer, &f[before]->params, &update);
            }
            train_optimizer_clear(&optimizer);
        }
        ck_assert_int_eq(memcmp(f[0]->value, f[1]->value, sizeof f[0]->value), 0);
        free(f[0]);
        free(f[1]);
    }
}
END_TEST

/* Of however many blocks, and at any number of threads. */
START_TEST(a_step_leaves_gradients_of_zero)
{
    for (int rule = 0; rule < RULES; rule++)
        for (int threads = 1; threads <= 4; threads *= 2) {
            fixture *f = fixture_new();
            train_optimizer optimizer;
            ck_assert_int_eq(train_optimizer_init(&optimizer, &rules[rule], &f->params, threads, NULL), AG_OK);
            test_fill(f->grad, SIZE, 3, 1, 2);
            train_optimizer_step(&optimizer, &f->params, &(train_update){.rate = 0.01});
            ck_assert(all_zero(SIZE, f->grad));
            train_optimizer_clear(&optimizer);
            free(f);
        }
}
END_TEST

/* Weights 1, decay, decay^2 ... for the values after the newest update, the one before,
 * ... and none for the first values, whatever the average's memory held. */
START_TEST(the_average_is_that_of_the_values)
{
    fixture *f = fixture_new();
    train_optimizer optimizer;
    double weights = 0;
    test_fill(f->average, SIZE, 8, -1, 1);
    ck_assert_int_eq(train_optimizer_init(&optimizer, &rules[0], &f->params, 1, NULL), AG_OK);
    for (int t = 1; t <= 4; t++) {
        test_fill(f->grad, SIZE, (uint64_t)t, -2, 2);
        const train_update update = {.rate = 0.1, .average = f->average, .average_decay = 0.6};
        train_optimizer_step(&optimizer, &f->params, &update);
        weights = 0.6 * weights + 1;
        for (int i = 0; i < SIZE; i++) {
            f->first[i] = 0.6 * f->first[i] + (double)f->value[i];
            f->expected[i] = f->first[i] / weights;
        }
        check_all(f->average, f->expected, PRECISION(1e-15, 5e-7));
    }
    train_optimizer_clear(&optimizer);
    free(f);
}
END_TEST

/* Several steps of clip, update and average with 1, 2 and 4 threads: the same bytes. */
START_TEST(threads_change_no_bit)
{
    fixture *one = fixture_new();
    for (int threads = 1; threads <= 4; threads *= 2) {
        fixture *f = fixture_new();
        train_optimizer optimizer;
        train_optimizer_config config = {.weight_decay = 0.1};
        ck_assert_int_eq(train_optimizer_init(&optimizer, &config, &f->params, threads, NULL), AG_OK);
        for (int t = 1; t <= 3; t++) {
            test_fill(f->grad, SIZE, (uint64_t)t, -2, 2);
            double norm = 0.3 * train_gradient_norm(&f->params, threads);
            const train_update update = {
                .rate = 0.01, .scale = 0.3 * train_clip_scale(norm, 1), .average = f->average, .average_decay = 0.9};
            train_optimizer_step(&optimizer, &f->params, &update);
        }
        if (threads == 1) {
            memcpy(one->value, f->value, sizeof one->value);
            memcpy(one->average, f->average, sizeof one->average);
        }
        ck_assert_int_eq(memcmp(one->value, f->value, sizeof one->value), 0);
        ck_assert_int_eq(memcmp(one->average, f->average, sizeof one->average), 0);
        train_optimizer_clear(&optimizer);
        free(f);
    }
    free(one);
}
END_TEST

/* ---- The clip ---------------------------------------------------------------------- */

static double norm_of(const fixture *f)
{
    double sum = 0;
    for (int i = 0; i < SIZE; i++)
        sum += (double)f->grad[i] * (double)f->grad[i];
    return sqrt(sum);
}

START_TEST(the_norm_is_that_of_all_gradients)
{
    fixture *f = fixture_new();
    ag_real before[SIZE];
    ck_assert(train_gradient_norm(&f->params, 1) == 0);
    test_fill(f->grad, SIZE, 9, -1, 1);
    memcpy(before, f->grad, sizeof before);
    double norm = norm_of(f);
    ck_assert_double_eq_tol(train_gradient_norm(&f->params, 1), norm, 1e-12 * norm);
    for (int threads = 2; threads <= 4; threads++)
        ck_assert(train_gradient_norm(&f->params, threads) == train_gradient_norm(&f->params, 1));
    ck_assert_int_eq(memcmp(before, f->grad, sizeof before), 0);
    free(f);
}
END_TEST

/* Of gradients whose squares are beyond the range of a double, where ag_real is one, and
 * of the smallest of all. */
START_TEST(the_norm_of_huge_and_tiny_gradients)
{
    static const double sizes[] = {PRECISION(1e300, 1e36), PRECISION(1e200, 1e30), PRECISION(1e-200, 1e-30),
                                   PRECISION(1e-300, 1e-36)};
    fixture *f = fixture_new();
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        test_fill(f->grad, SIZE, 4, -1, 1);
        for (int i = 0; i < SIZE; i++)
            f->grad[i] = (ag_real)((double)f->grad[i] * sizes[s]);
        double sum = 0;
        for (int i = 0; i < SIZE; i++)
            sum += (double)f->grad[i] / sizes[s] * ((double)f->grad[i] / sizes[s]);
        ck_assert_double_eq_tol(train_gradient_norm(&f->params, 2) / sizes[s], sqrt(sum), 1e-12 * sqrt(sum));
    }
    free(f);
}
END_TEST

START_TEST(the_norm_tells_what_is_not_finite)
{
    const ag_real bad[] = {(ag_real)NAN, (ag_real)INFINITY, -(ag_real)INFINITY};
    const int places[] = {0, MATRIX, SIZE / 2, SIZE - 1};
    fixture *f = fixture_new();
    for (int b = 0; b < 3; b++)
        for (int p = 0; p < 4; p++) {
            test_fill(f->grad, SIZE, 9, -1, 1);
            f->grad[places[p]] = bad[b];
            ck_assert(!isfinite(train_gradient_norm(&f->params, 1)));
        }
    free(f);
}
END_TEST

START_TEST(the_clip_is_at_the_norm)
{
    ck_assert(train_clip_scale(0, 1) == 1);
    ck_assert(train_clip_scale(1, 1) == 1);
    ck_assert(train_clip_scale(4, 1) == 0.25);
    ck_assert(train_clip_scale(4, 3) == 0.75);
    ck_assert(train_clip_scale(4, 0) == 1); /* no clip */
    ck_assert(train_clip_scale(4, -1) == 1);
    ck_assert(train_clip_scale(4, (double)INFINITY) == 1);
}
END_TEST

/* Plain descent at rate 1 moves by the clipped gradient: in its direction, as far as the
 * clip says. */
START_TEST(a_clipped_step_is_as_long_as_the_clip)
{
    fixture *f = fixture_new();
    train_optimizer optimizer;
    ag_real before[SIZE], grad[SIZE];
    const train_optimizer_config sgd = {.kind = TRAIN_SGD};
    ck_assert_int_eq(train_optimizer_init(&optimizer, &sgd, &f->params, 1, NULL), AG_OK);
    test_fill(f->grad, SIZE, 9, -1, 1);
    memcpy(before, f->value, sizeof before);
    memcpy(grad, f->grad, sizeof grad);
    double norm = train_gradient_norm(&f->params, 1);
    train_optimizer_step(&optimizer, &f->params, &(train_update){.rate = 1, .scale = train_clip_scale(norm, 30)});
    for (int i = 0; i < SIZE; i++)
        ck_assert_double_eq_tol((double)before[i] - (double)f->value[i], (double)grad[i] * 30 / norm,
                                PRECISION(1e-15, 2e-7));
    train_optimizer_clear(&optimizer);
    free(f);
}
END_TEST

/* ---- Schedules --------------------------------------------------------------------- */

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

START_TEST(linear_rates)
{
    train_schedule s = {.kind = TRAIN_LINEAR, .rate = 0.1, .warmup = 4, .total = 12, .floor = 0.2};
    CHECK_RATE(s, 1, 0.025);
    CHECK_RATE(s, 4, 0.1);
    CHECK_RATE(s, 5, 0.1);
    CHECK_RATE(s, 7, 0.1 * (0.2 + 0.8 * 0.75));
    CHECK_RATE(s, 12, 0.1 * (0.2 + 0.8 * 0.125));
    CHECK_RATE(s, 13, 0.02);
    CHECK_RATE(s, 1000, 0.02);
    ck_assert_int_eq(train_schedule_decay_begin(&s), 4);
    s = (train_schedule){.kind = TRAIN_LINEAR, .rate = 0.1, .total = 4};
    CHECK_RATE(s, 4, 0.025); /* the last update is no lost one, though the floor is 0 */
    s.total = 1;
    CHECK_RATE(s, 1, 0.1);
}
END_TEST

START_TEST(wsd_rates)
{
    train_schedule s = {.kind = TRAIN_WSD, .rate = 0.1, .warmup = 4, .total = 20, .floor = 0.2, .decay = 0.4};
    ck_assert_int_eq(train_schedule_decay_begin(&s), 12);
    CHECK_RATE(s, 2, 0.05);
    CHECK_RATE(s, 5, 0.1);
    CHECK_RATE(s, 13, 0.1);
    CHECK_RATE(s, 15, 0.1 * (0.2 + 0.8 * 0.75));
    CHECK_RATE(s, 21, 0.02);
    s.decay = 0.9; /* the decay waits for the warm-up: then it is the straight line */
    ck_assert_int_eq(train_schedule_decay_begin(&s), 4);
    train_schedule line = s;
    line.kind = TRAIN_LINEAR;
    for (int64_t step = 1; step <= 22; step++)
        ck_assert(train_schedule_rate(&s, step) == train_schedule_rate(&line, step));
    s.kind = TRAIN_CONSTANT;
    ck_assert(train_schedule_decay_begin(&s) == INT64_MAX);
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
    tcase_add_test(t, an_update_leaves_gaps_alone);
    tcase_add_test(t, defaults_are_filled_in);
    tcase_add_test(t, adam_takes_huge_gradients);
    tcase_add_test(t, bad_configurations_are_refused);
    tcase_add_test(t, init_survives_each_failing_allocation);
    tcase_add_test(t, decay_ends_at_the_border);
    tcase_add_test(t, scaling_on_the_way_is_scaling_before);
    tcase_add_test(t, a_step_leaves_gradients_of_zero);
    tcase_add_test(t, the_average_is_that_of_the_values);
    tcase_add_test(t, threads_change_no_bit);
    suite_add_tcase(s, t);
    t = tcase_create("clip");
    tcase_add_test(t, the_norm_is_that_of_all_gradients);
    tcase_add_test(t, the_norm_of_huge_and_tiny_gradients);
    tcase_add_test(t, the_norm_tells_what_is_not_finite);
    tcase_add_test(t, the_clip_is_at_the_norm);
    tcase_add_test(t, a_clipped_step_is_as_long_as_the_clip);
    suite_add_tcase(s, t);
    t = tcase_create("schedule");
    tcase_add_test(t, cosine_rates);
    tcase_add_test(t, linear_rates);
    tcase_add_test(t, wsd_rates);
    tcase_add_test(t, other_rates);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(suite)
