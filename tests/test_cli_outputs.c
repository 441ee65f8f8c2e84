/* test_cli_outputs.c - where commands write: what will be refused is refused first, and nothing that was there is lost.
 */
#include "cli_util.h"

#include <stdio.h>
#include <string.h>

/* Every command that writes, its model missing: that it cannot write is said first. */
START_TEST(test_refused_before_the_work)
{
    static const char *const commands[] = {
        "trace --model $DIR/none --source abc --out",
        "export --model $DIR/none --out",
        "export --model $DIR/none --out $DIR/fine --src-vocab",
        "export --model $DIR/none --out $DIR/fine --tgt-vocab",
        "study attention --model $DIR/none --source abc --out",
        "study influence --model $DIR/none --source abc --out",
        "study masks --out",
        "study curves $DIR/none --out",
    };
    cli_write("file", "here");
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        char line[256];
        snprintf(line, sizeof line, "timeout 10 $T %s $DIR/no/where", commands[i]);
        cli_expect_sentence(line, 1, "/no/where: No such file or directory");
        snprintf(line, sizeof line, "timeout 10 $T %s $DIR", commands[i]);
        cli_expect_sentence(line, 1, ": it is a folder");
        snprintf(line, sizeof line, "timeout 10 $T %s $DIR/file/x", commands[i]);
        cli_expect_sentence(line, 1, "/file/x: Not a directory");
    }
    static const char *const drawing[] = {"attention --model $DIR/none --source abc",
                                          "influence --model $DIR/none --source abc", "masks", "curves $DIR/none"};
    for (size_t i = 0; i < sizeof drawing / sizeof *drawing; i++) {
        char line[256];
        snprintf(line, sizeof line, "timeout 10 $T study %s --pictures $DIR/file", drawing[i]);
        cli_expect_sentence(line, 1, "/file: cannot make the folder: there is a file in its way");
        snprintf(line, sizeof line, "timeout 10 $T study %s --pictures $DIR/no/where", drawing[i]);
        cli_expect_sentence(line, 1, "/no/where: No such file or directory");
    }
    cli_expect("ls $DIR", 0, "file");
    ck_assert_str_eq(cli_output, "file\n");
}
END_TEST

/* A model is never replaced by what is made of it. */
START_TEST(test_the_model_stays)
{
    cli_train_tiny();
    cli_expect("cksum $DIR/run/* > $DIR/before; ln -s run/model.safetensors $DIR/link", 0, "");
    static const char *const refused[] = {
        "export --model $DIR/run --out $DIR/run/model.safetensors",
        "export --model $DIR/run --out $DIR/run/checkpoint.safetensors",
        "export --model $DIR/run/model.safetensors --out $DIR/link",
        "export --model $DIR/run --out $DIR/w --src-vocab $DIR/run/../run/model.safetensors",
        "trace --model $DIR/run --source abc --out $DIR/run/model.safetensors",
        "study attention --model $DIR/run --source abc --out $DIR/run/model.safetensors",
    };
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        char line[256];
        snprintf(line, sizeof line, "$T %s", refused[i]);
        cli_expect_sentence(line, 2, "write another file");
    }
    cli_expect("cksum $DIR/run/* | cmp - $DIR/before && test ! -e $DIR/w && echo same", 0, "same");
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("cli_outputs");
    TCase *c = tcase_create("outputs");
    tcase_add_checked_fixture(c, cli_set_up, cli_tear_down);
    tcase_set_timeout(c, 120);
    tcase_add_test(c, test_refused_before_the_work);
    tcase_add_test(c, test_the_model_stays);
    suite_add_tcase(s, c);
    return s;
}

TEST_MAIN(suite)
