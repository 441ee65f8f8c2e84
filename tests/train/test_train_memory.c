/* test_train_memory.c - how much memory a run takes, as a multiple of its parameters. */
#include "allocations.h"
#include "train_fixture.h"

enum { WIDTH = 512, STEPS = 2 };

/* Values, gradients and two moments are 4; the rest is for what a step or an evaluation
 * keeps. */
#define MOST_TIMES    4.9
#define AVERAGE_TIMES 1.0

/* Steps, evaluations and files, of which the first half is a run of its own, resumed. */
static double train_in_times(double average)
{
    ag_error error = {0};
    train_fixture f = train_fixture_new("reverse", 2, 4, NN_ENCODER_DECODER, WIDTH, 0);
    train_options options = {.steps = STEPS,
                             .batch = 2,
                             .rate = 1e-4,
                             .average = average,
                             .evaluate_every = 1,
                             .evaluate_sources = 4,
                             .save_every = 1,
                             .stop_at = STEPS / 2,
                             .threads = 1,
                             .out = f.out};
    const double bytes = (double)f.model->params.size * sizeof(ag_real);
    test_allocated_restart();
    ck_assert_int_eq(train_run(f.model, f.training, f.dev, &options, NULL, &error), AG_INTERRUPTED);
    options.resume = true;
    options.stop_at = 0;
    ck_assert_msg(train_run(f.model, f.training, f.dev, &options, NULL, &error) == AG_OK, "%s", error.message);
    const double most = 2 * bytes + (double)test_allocated_most(); /* the model was there before */
    train_fixture_clear(&f);
    return most / bytes;
}

START_TEST(a_run_takes_its_parameters_four_times)
{
    const double times = train_in_times(0);
    ck_assert_msg(times > 4 && times < MOST_TIMES, "%.2f times the parameters", times);
}
END_TEST

START_TEST(an_average_takes_them_once_more)
{
    const double times = train_in_times(0.9);
    ck_assert_msg(times > 4 + AVERAGE_TIMES && times < MOST_TIMES + AVERAGE_TIMES, "%.2f times the parameters", times);
}
END_TEST

static Suite *memory_suite(void)
{
    Suite *suite = suite_create("train_memory");
    TCase *test_case = tcase_create("memory");
    tcase_add_test(test_case, a_run_takes_its_parameters_four_times);
    tcase_add_test(test_case, an_average_takes_them_once_more);
    suite_add_tcase(suite, test_case);
    return suite;
}

TEST_MAIN(memory_suite)
