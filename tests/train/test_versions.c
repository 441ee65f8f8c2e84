/* test_versions.c - what earlier versions wrote is read with the meaning that it had:
 * tests/versions/README.md says how its files were made, and what the version that made
 * them answered. Runs in the project's folder. */
#include "cli_util.h"

#include "data.h"
#include "train.h"

#include <math.h>
#include <string.h>

#define V010 "tests/versions/0.1.0"
#define TASK " --task reverse --task-min 1 --task-max 5"

/* The number under a name of `eval --json`'s object. */
static double figure(const char *name)
{
    char quoted[64];
    snprintf(quoted, sizeof quoted, "\"%s\": ", name);
    const char *at = strstr(cli_output, quoted);
    ck_assert_msg(at != NULL, "no %s in: %s", name, cli_output);
    return strtod(at + strlen(quoted), NULL);
}

static void expect_figures(const char *model, double loss, double loss_within, double exact, double exact_within)
{
    char command[512];
    snprintf(command, sizeof command, "$T eval --model %s" TASK " --json", model);
    cli_expect(command, 0, "loss");
    ck_assert_double_eq_tol(figure("loss"), loss, loss_within);
    ck_assert_double_eq_tol(figure("exact_match"), exact, exact_within);
    ck_assert_double_eq(figure("sources"), 993);
    ck_assert_double_eq(figure("tokens"), 5507);
}

/* The loss is that of 0.1.0 up to the rounding of float; of 993 outputs one may fall on
 * the other side of a tie. */
static void expect_same_model(const char *model)
{
    char command[512];
    expect_figures(model, 1.15201547, 2e-6, 0.15407855, 1.5 / 993);
    snprintf(command, sizeof command, "printf 'abc\\nhello\\nzq\\nm\\n' | $T predict --model %s | tr '\\n' ' '", model);
    cli_expect(command, 0, "cba lofh qz m ");
}

START_TEST(test_model)
{
    expect_same_model(V010 "/run");
    cli_expect("$T info " V010 "/run", 0, "encoder-decoder");
    ck_assert_ptr_nonnull(strstr(cli_output, "30 tokens"));
}
END_TEST

START_TEST(test_export)
{
    cli_expect("$T import " V010 "/exported.safetensors --config " V010 "/run --out $DIR/again", 0, "saved: ");
    expect_same_model("$DIR/again");
}
END_TEST

/* Half of the run was 0.1.0's. The other half rounds in its own way, which a training
 * makes larger. The double library cannot go on exactly, and says so. */
START_TEST(test_checkpoint)
{
    const char *command = "cp -R " V010 "/run $DIR/run && $T train --resume $DIR/run --quiet && echo done";
    if (sizeof(ag_real) == sizeof(double)) {
        cli_expect(command, 1, "is F32 and this build computes in F64, so it cannot go on exactly");
        return;
    }
    cli_expect(command, 0, "done");
    expect_figures("$DIR/run", 0.301150514, 0.03, 0.632426989, 0.05);
}
END_TEST

START_TEST(test_trace)
{
    cli_expect("$T trace --model " V010 "/run --source tape --out $DIR/now.safetensors && "
               "$T trace --compare " V010 "/trace.safetensors $DIR/now.safetensors --tolerance 1e-4",
               0, "98 tensors agree");
}
END_TEST

START_TEST(test_log)
{
    train_history history;
    ag_error error = {0};
    ck_assert_msg(train_history_read(&history, V010 "/run", &error) == AG_OK, "%s", error.message);
    const train_series *loss = train_history_find(&history, "loss"), *dev = train_history_find(&history, "dev_loss");
    ck_assert(loss && dev);
    ck_assert_int_eq(loss->count, 300);
    ck_assert_double_eq(loss->steps[299], 300);
    ck_assert_double_eq(loss->values[299], 0.2393796);
    ck_assert_int_eq(dev->count, 3);
    ck_assert_double_eq(dev->values[2], 1.15466568);
    train_history_clear(&history);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("versions");
    TCase *tests = tcase_create("0.1.0");
    tcase_add_checked_fixture(tests, cli_set_up, cli_tear_down);
    tcase_add_test(tests, test_model);
    tcase_add_test(tests, test_export);
    tcase_add_test(tests, test_checkpoint);
    tcase_add_test(tests, test_trace);
    tcase_add_test(tests, test_log);
    suite_add_tcase(suite, tests);
    return suite;
}

TEST_MAIN(make_suite)
