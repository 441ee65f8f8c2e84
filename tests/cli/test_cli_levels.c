/* test_cli_levels.c - the instruction-set level that the environment names: taken, or
 * refused by all. */
#include "check_util.h"
#include "cli_util.h"
#include "kernels/kernels.h"
#include "train_fixture.h"

#include <stdio.h>

#include <string.h>

static void expect_refusal(const char *name, const char *part)
{
    setenv("TAPEFORMER_LEVEL", name, 1);
    ag_error error = {0};
    ck_assert_int_eq(ag_level_check(&error), AG_BAD_VALUE);
    ck_assert_msg(strstr(error.message, part) != NULL, "%s", error.message);
    ck_assert_int_eq(ag_level_check(NULL), AG_BAD_VALUE);
    ck_assert_ptr_null(ag_level_name());

    ag_tape *tape = ag_tape_new(NULL);
    ck_assert_ptr_nonnull(tape);
    for (int step = 0; step < 2; step++) {
        ck_assert_int_eq(ag_tape_error(tape)->status, AG_BAD_VALUE);
        ck_assert_str_eq(ag_tape_error(tape)->message, error.message);
        ck_assert_ptr_null(ag_exp(ag_variable(tape, AG_SHAPE(1), NULL)));
        ag_tape_rewind(tape);
    }
    ag_tape_free(tape);

    ag_error found = {0};
    train_fixture f = train_fixture_new("reverse", 3, 5, NN_ENCODER_DECODER, 8, 0);
    train_options options = {.steps = 1};
    ck_assert_int_eq(train_run(f.model, f.training, NULL, &options, NULL, &found), AG_BAD_VALUE);
    ck_assert_str_eq(found.message, error.message);
    train_fixture_clear(&f);
}

START_TEST(no_level_is_refused)
{
    static const char *const names[] = {"avx3", "AVX2", "avx2 ", "generic,avx2"};
    expect_refusal(names[_i], "is no level: there are plain, generic, neon, avx2 and avx512");
}
END_TEST

START_TEST(a_level_that_the_processor_lacks_is_refused)
{
    if (!kernel_level(test_levels[_i]))
        expect_refusal(test_levels[_i], "does not have: it has plain");
}
END_TEST

START_TEST(a_level_that_there_is_is_taken)
{
    test_ask_for_level(_i);
    ck_assert_int_eq(ag_level_check(NULL), AG_OK);
    ck_assert_str_eq(ag_level_name(), test_levels[_i]);
    ag_tape *tape = ag_tape_new(NULL);
    ck_assert_int_eq(ag_tape_error(tape)->status, AG_OK);
    ag_tape_free(tape);
    /* (once for the process) */
    setenv("TAPEFORMER_LEVEL", "avx3", 1);
    ck_assert_str_eq(ag_level_name(), test_levels[_i]);
    ck_assert_int_eq(ag_level_check(NULL), AG_OK);
}
END_TEST

START_TEST(without_a_name_it_is_the_best)
{
    if (_i)
        setenv("TAPEFORMER_LEVEL", "", 1);
    else
        unsetenv("TAPEFORMER_LEVEL");
    ck_assert_str_eq(ag_level_name(), test_levels[test_levels_here() - 1]);
}
END_TEST

/* ---- The command ------------------------------------------------------------------- */

START_TEST(every_command_refuses_it)
{
    static const char *const commands[] = {"train --task copy --out $DIR/x",
                                           "eval --model $DIR --task copy",
                                           "predict --model $DIR",
                                           "generate --model $DIR",
                                           "gradcheck",
                                           "info $DIR",
                                           "study attention --model $DIR --source x",
                                           "import $DIR --out $DIR/y",
                                           "export $DIR --out $DIR/y",
                                           "trace --model $DIR"};
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        char line[256];
        snprintf(line, sizeof line, "TAPEFORMER_LEVEL=sse9 $T %s </dev/null", commands[i]);
        cli_expect_sentence(line, 2, "TAPEFORMER_LEVEL is 'sse9', which is no level");
    }
    cli_expect("ls $DIR", 0, "");
    cli_expect("TAPEFORMER_LEVEL=sse9 $T --help", 0, "Usage:");
}
END_TEST

START_TEST(a_resume_at_another_level_says_so)
{
    const char *other = test_levels[test_levels_here() - 1];
    char line[512];
    cli_expect("TAPEFORMER_LEVEL=generic $T train --task copy --steps 4 --stop-at 2 --out $DIR/run --quiet", 0, "");
    snprintf(line, sizeof line,
             "TAPEFORMER_LEVEL=%s $T train --resume $DIR/run --stop-at 3 2>&1 | grep -c 'note:.*level'", other);
    cli_expect(line, test_levels_here() > 1 ? 0 : 1, test_levels_here() > 1 ? "1" : "0");
    snprintf(line, sizeof line, "TAPEFORMER_LEVEL=%s $T train --resume $DIR/run --stop-at 4 2>&1 | grep -c 'note:'",
             other);
    cli_expect(line, 1, "0");
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("cli_levels");
    TCase *library = tcase_create("library");
    tcase_add_loop_test(library, no_level_is_refused, 0, 4);
    tcase_add_loop_test(library, a_level_that_the_processor_lacks_is_refused, 0, TEST_LEVELS);
    tcase_add_loop_test(library, a_level_that_there_is_is_taken, 0, test_levels_here());
    tcase_add_loop_test(library, without_a_name_it_is_the_best, 0, 2);
    suite_add_tcase(suite, library);
    TCase *command = tcase_create("command");
    tcase_set_timeout(command, 60);
    tcase_add_checked_fixture(command, cli_set_up, cli_tear_down);
    tcase_add_test(command, every_command_refuses_it);
    tcase_add_test(command, a_resume_at_another_level_says_so);
    suite_add_tcase(suite, command);
    return suite;
}

TEST_MAIN(make_suite)
