/* test_train_muon.c - Muon in the trainer: which parameters it updates and how.
 * (tests/autograd/test_orthogonal.c has the formula of its directions.) */
#include "check_util.h"
#include "train.h"

#include <math.h>
#include <string.h>

/* Parameters as in a model, where AdamW's and Muon's alternate: rows, columns (0: a
 * vector), hidden matrices, decay. */
enum { STACKED = 1, TALL = 3, PARAMETERS = 6, MOST = 1000 };
#define DECAY 0.1
static const struct {
    int rows, columns, hidden;
    bool decay;
} kinds[PARAMETERS] = {{9, 6, 0, true},  {18, 6, 3, true},  {18, 0, 0, false},
                       {24, 6, 1, true}, {6, 24, 1, false}, {9, 6, 0, true}};

static nn_params params_new(void)
{
    nn_params params = {0};
    for (int i = 0; i < PARAMETERS; i++) {
        const char name[2] = {(char)('a' + i), 0};
        const ag_shape shape = kinds[i].columns ? AG_SHAPE(kinds[i].rows, kinds[i].columns) : AG_SHAPE(kinds[i].rows);
        ck_assert_int_eq(nn_params_add(&params, name, shape, (nn_initializer){0}, kinds[i].decay, NULL), i);
        params.items[i].hidden = kinds[i].hidden;
    }
    ck_assert_int_eq(nn_params_reserve(&params, NULL), AG_OK);
    test_fill(params.value, params.size, 1, -1, 1);
    return params;
}

static train_optimizer optimizer_new(const train_optimizer_config *config, const nn_params *params)
{
    train_optimizer optimizer;
    ag_error error = {0};
    ck_assert_msg(train_optimizer_init(&optimizer, config, params, 1, &error) == AG_OK, "%s", error.message);
    return optimizer;
}

/* One update of a parameter's hidden matrices in `expected`, from its gradients. */
static void expect_matrices(const nn_params *params, int i, const ag_real *gradient, ag_real *mean,
                            const train_update *update, double *expected)
{
    const nn_param *item = &params->items[i];
    const ag_update_matrices stack = {item->offset, item->hidden, kinds[i].rows / item->hidden, kinds[i].columns};
    ag_real *direction = ag_numbers_new(params->size),
            *workspace = ag_numbers_new(ag_orthogonalize_numbers(&stack, 1, 1));
    ck_assert(direction && workspace);
    memcpy(direction, gradient, (size_t)params->size * sizeof *direction);
    ag_orthogonalize(0.95, update->scale, mean, direction, &stack, 1, 1, workspace);
    for (int64_t k = item->offset; k < item->offset + item->size; k++)
        expected[k] -= update->muon_rate * ((item->decay ? DECAY : 0) * expected[k] + (double)direction[k]);
    free(direction);
    free(workspace);
}

static void check_near(const nn_params *params, const ag_real *found, const double *expected)
{
    for (int64_t k = 0; k < params->size; k++)
        ck_assert_double_eq_tol((double)found[k], expected[k], PRECISION(1e-14, 2e-6));
}

/* Three updates: hidden matrices, each by itself, in the directions of ag_orthogonalize;
 * the rest as AdamW alone updates it; the average of both. */
START_TEST(matrices_by_muon_and_the_rest_by_adamw)
{
    const train_optimizer_config muon = {.kind = TRAIN_MUON, .weight_decay = DECAY}, adamw = {.weight_decay = DECAY};
    nn_params params = params_new(), other = params_new();
    train_optimizer a = optimizer_new(&muon, &params), b = optimizer_new(&adamw, &other);
    ag_real *mean = ag_numbers_new(params.size), *average = ag_numbers_new(params.size);
    double expected[MOST], sums[MOST] = {0}, means[MOST], weights = 0;
    ck_assert(mean && average && params.size <= MOST);
    for (int64_t k = 0; k < params.size; k++)
        expected[k] = (double)params.value[k];
    for (int t = 1; t <= 3; t++) {
        const train_update update = {
            .rate = 0.01 * t, .muon_rate = 0.1 * t, .scale = 0.5, .average = average, .average_decay = 0.6};
        test_fill(params.grad, params.size, (uint64_t)t, -2, 2);
        memcpy(other.grad, params.grad, (size_t)params.size * sizeof *params.grad);
        for (int i = 0; i < PARAMETERS; i++)
            if (kinds[i].hidden)
                expect_matrices(&params, i, params.grad, mean, &update, expected);
        train_optimizer_step(&a, &params, &update);
        train_optimizer_step(&b, &other, &(train_update){.rate = update.rate, .scale = update.scale});
        for (int i = 0; i < PARAMETERS; i++)
            for (int64_t k = params.items[i].offset;
                 !kinds[i].hidden && k < params.items[i].offset + params.items[i].size; k++)
                expected[k] = (double)other.value[k];
        check_near(&params, params.value, expected);
        weights = 0.6 * weights + 1;
        for (int64_t k = 0; k < params.size; k++) {
            sums[k] = 0.6 * sums[k] + expected[k];
            means[k] = sums[k] / weights;
            ck_assert(params.grad[k] == 0);
        }
        check_near(&params, average, means);
    }
    free(mean);
    free(average);
    train_optimizer_clear(&a);
    train_optimizer_clear(&b);
    nn_params_clear(&params);
    nn_params_clear(&other);
}
END_TEST

START_TEST(defaults_and_momentum)
{
    nn_params params = params_new();
    train_optimizer optimizer = optimizer_new(&(train_optimizer_config){.kind = TRAIN_MUON}, &params);
    ck_assert(optimizer.config.momentum == 0.95 && optimizer.config.beta2 == 0.98);
    train_optimizer_clear(&optimizer);
    optimizer = optimizer_new(&(train_optimizer_config){.kind = TRAIN_MUON, .momentum = 0.5}, &params);
    for (int64_t k = 0; k < params.size; k++)
        params.grad[k] = 1;
    train_optimizer_step(&optimizer, &params, &(train_update){.muon_rate = 0.1});
    for (int64_t k = params.items[TALL].offset; k < params.items[TALL].offset + params.items[TALL].size; k++)
        ck_assert(optimizer.first[k] == (ag_real)0.5 && optimizer.second[k] == 0);
    train_optimizer_clear(&optimizer);
    nn_params_clear(&params);
}
END_TEST

/* Without hidden matrices Muon is AdamW. */
START_TEST(without_matrices_it_is_adamw)
{
    nn_params params[2] = {params_new(), params_new()};
    const train_optimizer_kind both[2] = {TRAIN_ADAMW, TRAIN_MUON};
    for (int i = 0; i < 2; i++) {
        for (int k = 0; k < PARAMETERS; k++)
            params[i].items[k].hidden = 0;
        train_optimizer optimizer = optimizer_new(&(train_optimizer_config){.kind = both[i]}, &params[i]);
        test_fill(params[i].grad, params[i].size, 2, -1, 1);
        train_optimizer_step(&optimizer, &params[i], &(train_update){.rate = 0.1, .muon_rate = 1});
        train_optimizer_clear(&optimizer);
    }
    ck_assert_mem_eq(params[0].value, params[1].value, (size_t)params[0].size * sizeof(ag_real));
    nn_params_clear(&params[0]);
    nn_params_clear(&params[1]);
}
END_TEST

START_TEST(impossible_stacks_are_refused)
{
    static const int hidden[] = {4, -1, 5};
    for (int i = 0; i < 3; i++) {
        nn_params params = params_new();
        train_optimizer optimizer;
        ag_error error = {0};
        params.items[STACKED].hidden = hidden[i];
        ck_assert_int_eq(
            train_optimizer_init(&optimizer, &(train_optimizer_config){.kind = TRAIN_MUON}, &params, 1, &error),
            AG_BAD_VALUE);
        ck_assert_ptr_nonnull(strstr(error.message, "parameter b of shape [18,6] cannot be"));
        ck_assert(!optimizer.ranges && !optimizer.first);
        nn_params_clear(&params);
    }
}
END_TEST

START_TEST(each_allocation_may_fail)
{
    nn_params params = params_new();
    for (int n = 1; n <= 5; n++) {
        train_optimizer optimizer;
        ag_error error = {0};
        test_fail_allocation(n);
        ck_assert_int_eq(
            train_optimizer_init(&optimizer, &(train_optimizer_config){.kind = TRAIN_MUON}, &params, 2, &error),
            AG_NO_MEMORY);
        ck_assert(error.status == AG_NO_MEMORY && !optimizer.ranges && !optimizer.workspace);
    }
    test_fail_allocation(0);
    nn_params_clear(&params);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("train/muon");
    TCase *t = tcase_create("muon");
    tcase_add_test(t, matrices_by_muon_and_the_rest_by_adamw);
    tcase_add_test(t, defaults_and_momentum);
    tcase_add_test(t, without_matrices_it_is_adamw);
    tcase_add_test(t, impossible_stacks_are_refused);
    tcase_add_test(t, each_allocation_may_fail);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(suite)
