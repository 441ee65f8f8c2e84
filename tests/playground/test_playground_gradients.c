/* test_playground_gradients.c - faults in the backward: training does not report them, the
 * check does, and it leaves the run as it is. */
#include "ask.h"

#include <stdio.h>

/* A new run of this setting with this fault. */
static playground *begin_with(const char *setting, playground_fault fault)
{
    char text[256];
    snprintf(text, sizeof text, "%s&fault=%s", setting, playground_fault_name(fault));
    return begin(text);
}

static bool says(const playground *p, const char *part)
{
    return strstr(playground_answer(p), part) != NULL;
}

static void assert_says(const playground *p, const char *part)
{
    ck_assert_msg(says(p, part), "not \"%s\": %s", part, playground_answer(p));
}

static const struct {
    const char *setting, *block;
} models[] = {
    {"model=encoder-decoder&task=reverse&task-min=3&task-max=5&layers=1&heads=2&d-model=32&batch=32&lr=0.005&"
     "steps=400&seed=7",
     "decoder.layers.0"},
    {"model=encoder&task=shift&task-min=3&task-max=5&layers=2&heads=2&d-model=32&batch=32&lr=0.005&steps=400&seed=7",
     "encoder.layers.0"},
    {"model=decoder&task=copy&task-min=2&task-max=4&layers=2&heads=2&d-model=32&post-norm&dropout=0.1&batch=32&"
     "lr=0.005&steps=400&seed=7",
     "decoder.layers.0"},
};
enum { MODELS = sizeof models / sizeof *models };

/* ---- The check --------------------------------------------------------------------- */

/* At the start, and after some steps under the fault. */
START_TEST(each_fault_is_found_and_located)
{
    const int m = _i / PLAYGROUND_FAULTS;
    const playground_fault fault = (playground_fault)(_i % PLAYGROUND_FAULTS);
    playground *p = begin_with(models[m].setting, fault);
    for (int trained = 0; trained < 2; trained++) {
        ask(p, "gradcheck", "");
        if (fault) {
            char place[80];
            snprintf(place, sizeof place, "<p>The gradients are wrong: planted_fault in %s (node", models[m].block);
            assert_says(p, place);
            assert_says(p, "Correct the backward of planted_fault in");
            assert_says(p, "dot test: ");
            assert_says(p, "differs from backward");
            assert_says(p, " passes back something else than the derivative.");
            /* The advice stands once, though two tests have found the fault. */
            const char *advice = strstr(playground_answer(p), "Correct the backward of");
            ck_assert(advice && !strstr(advice + 1, "Correct the backward of"));
            assert_says(p, ">Faults</h2>");
        } else {
            assert_says(p, "<p>The gradients are right, ");
            ck_assert(!says(p, "differs from backward"));
            assert_says(p, "<p>0 faults, ");
            assert_says(p, "elements of the gradients agree with differences");
        }
        ask(p, "step", "60");
    }
    playground_free(p);
}
END_TEST

/* ---- Training ---------------------------------------------------------------------- */

/* Every fault leaves the values alone, so the first loss has the same bytes, and so has the
 * second step's without one. After 300 steps the model has learned much less. PLAYGROUND_HALF is
 * the exception, which no curve shows: all parameters below the block get half their
 * gradient, and Adam divides by its size. */
START_TEST(training_learns_worse_without_a_word)
{
    double losses[PLAYGROUND_FAULTS], first = 0;
    for (int fault = 0; fault < PLAYGROUND_FAULTS; fault++) {
        playground *p = begin_with(models[0].setting, (playground_fault)fault);
        ask(p, "step", "1");
        ck_assert(fault == 0 || memcmp(&first, &p->run->loss, sizeof first) == 0);
        first = p->run->loss;
        ask(p, "step", "299");
        ask(p, "evaluate", "");
        losses[fault] = p->run->result.loss;
        playground_free(p);
    }
    for (int fault = 1; fault < PLAYGROUND_FAULTS; fault++)
        if (fault == PLAYGROUND_HALF)
            ck_assert_double_lt(losses[fault], 2 * losses[0]);
        else
            ck_assert_double_gt(losses[fault], 3 * losses[0]);
}
END_TEST

/* A check between the steps changes no byte of what follows. */
START_TEST(a_check_leaves_the_run_untouched)
{
    for (int fault = 0; fault <= PLAYGROUND_SIGN; fault += PLAYGROUND_SIGN) {
        playground *checked = begin_with(models[2].setting, (playground_fault)fault);
        playground *other = begin_with(models[2].setting, (playground_fault)fault);
        for (int i = 0; i < 3; i++) {
            ask(checked, "step", "4");
            ask(other, "step", "4");
            ask(checked, "gradcheck", "");
        }
        const nn_params *a = &checked->run->model->params, *b = &other->run->model->params;
        ck_assert(!memcmp(&checked->run->loss, &other->run->loss, sizeof(double)));
        ck_assert(!memcmp(a->value, b->value, (size_t)a->size * sizeof(ag_real)));
        for (int64_t i = 0; i < a->size; i++)
            ck_assert(a->grad[i] == 0);
        playground_free(checked);
        playground_free(other);
    }
}
END_TEST

/* "change" plants and removes a fault while the run goes on. */
START_TEST(a_fault_is_switched)
{
    char text[256];
    playground *p = begin_with(models[0].setting, PLAYGROUND_NO_FAULT);
    ask(p, "step", "3");
    snprintf(text, sizeof text, "%s&fault=sign", models[0].setting);
    ask(p, "change", text);
    assert_says(p, "&fault=sign");
    ck_assert_int_eq(p->run->step, 3);
    ask(p, "gradcheck", "");
    assert_says(p, "planted_fault");
    ask(p, "change", models[0].setting);
    ck_assert(!says(p, "fault="));
    ask(p, "gradcheck", "");
    ck_assert(!says(p, "planted_fault"));
    refused(p, "change", "task=copy&fault=typo", "fault=typo: expected none, half, sign, shift or first");
    playground_free(p);
}
END_TEST

/* Without a model there is nothing to check. */
START_TEST(a_check_needs_a_model)
{
    playground *p = playground_new();
    refused(p, "gradcheck", "", "no model yet");
    playground_free(p);
}
END_TEST

/* ---- Curves of operations ---------------------------------------------------------- */

START_TEST(curves_of_operations)
{
    playground *p = playground_new();
    ask(p, "operations", "");
    assert_says(p, "<option>tanh</option>");
    assert_says(p, "<option>attention</option>");
    ask(p, "curve", "tanh");
    assert_says(p, "tanh by x: the gradient as it is");
    assert_says(p, "tanh by x: made 3 % too small");
    refused(p, "curve", "tangent", "there is no operation 'tangent'");
    playground_free(p);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("playground_gradients");
    TCase *t = tcase_create("gradients");
    tcase_set_timeout(t, 120);
    tcase_add_checked_fixture(t, enter_folder, leave_folder);
    tcase_add_loop_test(t, each_fault_is_found_and_located, 0, MODELS * PLAYGROUND_FAULTS);
    tcase_add_test(t, training_learns_worse_without_a_word);
    tcase_add_test(t, a_check_leaves_the_run_untouched);
    tcase_add_test(t, a_fault_is_switched);
    tcase_add_test(t, a_check_needs_a_model);
    tcase_add_test(t, curves_of_operations);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(suite)
