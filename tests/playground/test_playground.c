/* test_playground.c - what a page can ask of the playground. */
#include "ask.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char usual[] = "model=encoder-decoder&task=reverse&task-min=3&task-max=5&layers=1&heads=2&d-model=32&"
                            "batch=32&lr=0.005&steps=400&seed=7";

/* ---- Training ---------------------------------------------------------------------- */

/* A page's model is that of the command with the same flags. */
START_TEST(the_parameters_of_a_run_of_the_command)
{
    playground *p = begin(usual);
    ag_error error = {0};
    train_recipe recipe = p->run->setting.recipe;
    data_set_options options = train_recipe_data(&recipe, &(train_saved){0}, DATA_TRAIN);
    data_set *training = data_set_task(data_task_find("reverse"), &options, &error);
    const nn_model_config config = train_recipe_model(&recipe, training, p->run->dev);
    nn_model *model = nn_model_new(&config, 7, &error);
    recipe.run.steps = 400;
    recipe.run.stop_at = 30;
    ck_assert_int_eq(train_run(model, training, NULL, &recipe.run, NULL, &error), AG_INTERRUPTED);
    ask(p, "step", "30");
    ck_assert_int_eq(p->run->model->params.size, model->params.size);
    ck_assert(!memcmp(p->run->model->params.value, model->params.value, (size_t)model->params.size * sizeof(ag_real)));
    nn_model_free(model);
    data_set_free(training);
    playground_free(p);
}
END_TEST

START_TEST(it_learns_and_begins_again)
{
    char first[256];
    playground *p = begin(usual);
    ask(p, "step", "1");
    snprintf(first, sizeof first, "%s", playground_answer(p));
    ask(p, "step", "399");
    ask(p, "evaluate", "");
    ck_assert_msg(p->run->result.exact > 0.9, "%s", playground_answer(p));
    ck_assert_double_gt(p->run->result.token_accuracy, 0.9);
    ask(p, "charts", "");
    ck_assert_ptr_nonnull(strstr(playground_answer(p), "<svg"));
    ask(p, "begin", usual);
    ask(p, "step", "1");
    ck_assert_str_eq(playground_answer(p), first);
    playground_free(p);
}
END_TEST

/* What writes token by token under the model's own masks is greedy decoding. */
START_TEST(exact_is_what_an_evaluation_measures)
{
    playground *p = begin(usual);
    ask(p, "step", "150");
    ask(p, "evaluate", "");
    train_metrics metrics;
    ag_error error = {0};
    const train_evaluation evaluation = {.batch = PLAYGROUND_ROWS, .decode = true, .max_sources = 100, .threads = 1};
    ck_assert(train_evaluate(p->run->model, p->run->dev, &evaluation, &metrics, &error) == AG_OK);
    ck_assert_double_gt(metrics.exact_match, 0.02);
    ck_assert_double_lt(fabs(metrics.exact_match - p->run->result.exact), 1e-9);
    ck_assert_double_lt(fabs(metrics.loss - p->run->result.loss), 1e-9);
    playground_free(p);
}
END_TEST

/* The curves have the last of several evaluations at a step. */
START_TEST(a_step_is_measured_again)
{
    char setting[512];
    playground *p = begin(usual);
    ask(p, "step", "60");
    ask(p, "evaluate", "");
    const double first = p->run->dev_loss.y[0];
    snprintf(setting, sizeof setting, "%s&eval-cross=prefix:0", usual);
    ask(p, "change", setting);
    ask(p, "evaluate", "");
    ck_assert_int_eq(p->run->dev_loss.count, 1);
    ck_assert_double_gt(p->run->dev_loss.y[0], first);
    ask(p, "step", "1");
    ask(p, "evaluate", "");
    ck_assert_int_eq(p->run->dev_loss.count, 2);
    playground_free(p);
}
END_TEST

/* A leak is easy to learn with, and of no use to one who writes alone. */
START_TEST(a_leak_is_unmasked_by_writing)
{
    char setting[512];
    snprintf(setting, sizeof setting, "%s&target=leak&cross=prefix:0", usual);
    playground *p = begin(setting);
    ask(p, "step", "400");
    ask(p, "evaluate", "");
    ck_assert_double_gt(p->run->result.token_accuracy, 0.9);
    ck_assert_double_lt(p->run->result.exact, 0.1);
    snprintf(setting, sizeof setting, "%s&target=leak&eval-target=causal", usual);
    ask(p, "change", setting);
    ask(p, "evaluate", "");
    ck_assert_double_lt(p->run->result.token_accuracy, 0.8);
    playground_free(p);
}
END_TEST

START_TEST(the_other_kinds_of_model)
{
    playground *p =
        begin("model=encoder&task=shift&task-min=4&task-max=4&layers=1&heads=2&d-model=16&batch=16&lr=0.01");
    ask(p, "step", "300");
    ask(p, "evaluate", "");
    ck_assert_double_gt(p->run->result.exact, 0.9);
    playground_free(p);
}
END_TEST

/* ---- Settings ---------------------------------------------------------------------- */

START_TEST(a_setting_reads_back)
{
    static const char *const texts[] = {
        "task=copy", "task=dates&model=decoder&positions=rotary&post-norm&dropout=0.1&warmup=0",
        "task=sort&source=window:2,padding&target=own:2x3:A8&cross=prefix:3&eval-target=leak&seed=0&lesson=4"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        playground_setting setting, again;
        char text[8192], twice[8192];
        ag_error error = {0};
        ck_assert_msg(playground_setting_read(&setting, texts[i], &error) == AG_OK, "%s", error.message);
        ck_assert_uint_lt(playground_setting_print(&setting, text, sizeof text), sizeof text);
        ck_assert_msg(playground_setting_read(&again, text, &error) == AG_OK, "%s: %s", text, error.message);
        playground_setting_print(&again, twice, sizeof twice);
        ck_assert_str_eq(text, twice);
        ck_assert_int_eq(setting.lesson, again.lesson);
        ck_assert(!memcmp(setting.masks, again.masks, sizeof setting.masks));
        playground_setting_clear(&setting);
        playground_setting_clear(&again);
    }
}
END_TEST

/* Without a task there is the usual one, of the lengths that are given. */
START_TEST(the_usual_task_has_the_lengths_that_are_given)
{
    playground *p = begin("task-max=5&d-model=16");
    ck_assert_str_eq(p->run->setting.recipe.run.task, "reverse");
    ck_assert_int_eq(p->run->setting.recipe.data.min_length, 3);
    ck_assert_int_eq(p->run->setting.recipe.data.max_length, 5);
    playground_free(p);
}
END_TEST

START_TEST(lengths_that_suit_a_task)
{
    static const struct {
        const char *text, *task;
        int shortest, longest;
    } settings[] = {{"", "reverse", 3, 8},
                    {"task-max=5", "reverse", 3, 5},
                    {"task=copy&task-max=2", "copy", 2, 2},
                    {"task=copy&task-min=10", "copy", 10, 10},
                    {"task=dates", "dates", 1, 1},
                    {"task=addition", "addition", 1, 5}};
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        playground_setting setting;
        ag_error error = {0};
        ck_assert_msg(playground_setting_read(&setting, settings[i].text, &error) == AG_OK, "%s", error.message);
        ck_assert_str_eq(setting.recipe.run.task, settings[i].task);
        ck_assert_int_eq(setting.recipe.data.min_length, settings[i].shortest);
        ck_assert_int_eq(setting.recipe.data.max_length, settings[i].longest);
        playground_setting_clear(&setting);
    }
}
END_TEST

START_TEST(what_is_no_setting)
{
    static const char *const texts[][2] = {
        {"task=rever", "task=rever: expected one of copy, reverse"},
        {"task=copy&layers=9", "layers=9: expected a whole number from 1 to 4"},
        {"task=copy&d-model=30&heads=4", "4 heads do not divide the width 30"},
        {"task=copy&lesson=10", "lesson=10: expected a number from 1 to 9"},
        {"task=copy&lesson=0", "lesson=0: expected"},
        {"task=copy&layers=4&d-model=128&batch=33", "batches of 32 with 4 layers of width 128"},
        {"task=copy&layers=1&d-model=64&batch=65", "from 1 to 64"},
        {"task=copy&colour=blue", "a setting has no 'colour'"},
        {"task=copy&target=sideways", "target=sideways: expected all, causal"},
        {"task=copy&target=own:3x3:F", "target=own:3x3:F"},
        {"task=copy&cross=window:", "cross=window:"},
        {"task=copy&cross=window:99", "cross=window:99"},
        {"task=copy&post-norm=yes", "post-norm stands alone"},
        {"task=%zz", "no byte"},
        {"task=copy&target=%+7", "%+7 in a setting is no byte"},
        {"task=copy&target=% 7", "no byte"},
        {"task=copy&lines=a", "not both"},
        {"model=encoder&task=dates", "differ in length"}};
    playground *p = begin(usual);
    ask(p, "step", "2");
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        refused(p, "begin", texts[i][0], texts[i][1]);
    refused(p, "dance", "", "cannot 'dance'");
    refused(p, "step", "0", "from 1 to");
    refused(p, "step", "x", "from 1 to");
    ck_assert_int_eq(p->run->step, 2); /* the run is as it was */
    playground_free(p);
    p = playground_new();
    refused(p, "step", "1", "no model yet");
    playground_free(p);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("playground");
    TCase *t = tcase_create("playground");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, enter_folder, leave_folder);
    tcase_add_test(t, the_parameters_of_a_run_of_the_command);
    tcase_add_test(t, it_learns_and_begins_again);
    tcase_add_test(t, exact_is_what_an_evaluation_measures);
    tcase_add_test(t, a_step_is_measured_again);
    tcase_add_test(t, a_leak_is_unmasked_by_writing);
    tcase_add_test(t, the_other_kinds_of_model);
    tcase_add_test(t, a_setting_reads_back);
    tcase_add_test(t, the_usual_task_has_the_lengths_that_are_given);
    tcase_add_test(t, lengths_that_suit_a_task);
    tcase_add_test(t, what_is_no_setting);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(suite)
