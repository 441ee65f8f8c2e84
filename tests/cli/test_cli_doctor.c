/* test_cli_doctor.c - tapeformer gradcheck --model as a user meets it: sound models,
 * spoilt ones, and what is said of bad input. */
#include "cli_util.h"

#include <math.h>
#include <string.h>

static void expect_also(const char *saying)
{
    ck_assert_msg(strstr(cli_output, saying) != NULL, "\"%s\" is not said by:\n%s", saying, cli_output);
}

START_TEST(test_sound_models)
{
    cli_train_three();
    cli_expect("COLUMNS=200 $T gradcheck --model $DIR/run --task copy --count 64", 0, "0 faults");
    expect_also("64 examples");
    ck_assert_ptr_null(strstr(cli_output, "<bos>"));
    ck_assert_ptr_null(strstr(cli_output, "<eos>"));
    expect_also("a gradient reaches each of the");
    expect_also("What this shows, and what it does not");
    expect_also("dot test: backward and forward mode differ by ");
    expect_also("Taylor's test: along ");
#ifndef TAPEFORMER_DOUBLE
    expect_also("tapeformer64 gradcheck");
#endif
    cli_expect("$T gradcheck --model $DIR/tags --task copy --task-max 4 --count 64", 0, "0 faults");
    cli_expect("$T gradcheck --model $DIR/lm --text $DIR/text", 0, "0 faults");
    cli_expect("$T gradcheck --model $DIR/lm --text $DIR/text --count 5", 0, "5 examples with 80 targets");
    cli_write("other", "xXyYzZ\tab\n");
    cli_expect("COLUMNS=200 $T gradcheck --model $DIR/run --pairs $DIR/other", 0,
               "tokens are not in the model's vocabularies and are read as <unk>");
    cli_write("pairs", "ab\tba\nabc\tcab\n");
    cli_expect("$T gradcheck --model $DIR/run --pairs $DIR/pairs --out $DIR/r.html", 0, "The report is in ");
    cli_expect("grep -c '<html' $DIR/r.html", 0, "1\n");
}
END_TEST

START_TEST(test_faults_fail)
{
    cli_train_tiny();
    cli_spoil("cut", "output.weight", 0);
    cli_expect("COLUMNS=200 $T gradcheck --model $DIR/cut --task copy --count 32", 1, "severed");
    expect_also("the gradient ends at linear in output.");
    expect_also("tapeformer gradcheck: ");
    cli_spoil("nan", "decoder.layers.0.linear1.bias", (ag_real)NAN);
    cli_expect("COLUMNS=200 $T gradcheck --model $DIR/nan --task copy --count 32", 1, "was given nan as input 2");
    cli_expect("$T gradcheck --model $DIR/nan --task copy --count 32 2>&1 > /dev/null", 1, "has 2 faults\n");
    cli_expect("COLUMNS=200 $T gradcheck --model $DIR/nan --task copy --count 32", 1, "Nothing could be measured");
    cli_spoil("dead", "encoder.layers.0.linear1.bias", (ag_real)-1e6);
    cli_expect("COLUMNS=200 $T gradcheck --model $DIR/dead --task copy --count 32", 1, "in encoder.layers.0.linear1");
    expect_also("relu units are 0 at all ");
}
END_TEST

START_TEST(test_mistakes)
{
    cli_train_tiny();
    cli_write("pairs", "ab\tba\n");
    cli_expect_sentence("$T gradcheck --model $DIR/run", 2, "examine it on what? Give one of --pairs FILE");
    cli_expect_sentence("$T gradcheck --task copy", 2, "--task goes with --model");
    cli_expect_sentence("$T gradcheck --count 5", 2, "--count goes with --model");
    cli_expect_sentence("$T gradcheck --model $DIR/run --task copy --op add", 2, "--op goes without --model");
    cli_expect_sentence("$T gradcheck --model $DIR/run --pairs $DIR/pairs --task-max 5", 2,
                        "--task-max goes with --task");
    cli_expect_sentence("$T gradcheck --model $DIR/run --pairs $DIR/pairs --task copy", 2, "Give one of");
    cli_expect_sentence("$T gradcheck --model $DIR/run --text $DIR/pairs", 2, "give --pairs FILE or --task NAME");
    cli_expect_sentence("$T gradcheck --model $DIR/run --task copy --pictures $DIR/p", 2, "goes with --op NAME");
    cli_expect_sentence("$T gradcheck --model $DIR/none --task copy --out $DIR/r.svg", 2,
                        "a model's examination has no pictures: write it to a file that ends in .html or .txt");
    cli_expect_sentence("$T gradcheck --model $DIR/none --task copy", 1, "none");
    cli_expect_sentence("$T gradcheck --model $DIR/run --pairs $DIR/none", 1, "none");
    cli_expect_sentence("$T gradcheck --model $DIR/run --task copy --out $DIR/none/r.html", 1, "none/r.html");
    cli_expect_sentence("$T gradcheck --model $DIR/run --task copy --out $DIR/run/model.safetensors", 2,
                        "write another file");
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("cli_doctor");
    TCase *c = tcase_create("cli_doctor");
    tcase_add_checked_fixture(c, cli_set_up, cli_tear_down);
    tcase_set_timeout(c, 120);
    tcase_add_test(c, test_sound_models);
    tcase_add_test(c, test_faults_fail);
    tcase_add_test(c, test_mistakes);
    suite_add_tcase(s, c);
    return s;
}

TEST_MAIN(suite)
