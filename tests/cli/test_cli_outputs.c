/* test_cli_outputs.c - where commands write: what will be refused is refused first, and
 * nothing that was there is lost. */
#define _DEFAULT_SOURCE /* NOLINT(bugprone-reserved-identifier): the C library's own switch, for flock */
#include "cli_util.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

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
        "study tape --model $DIR/none --source abc --out",
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
    cli_write("pairs", "ab\tba\n");
    cli_write("text", "ab ba\n");
    static const char *const refused[] = {
        "eval --model $DIR/run --pairs $DIR/pairs --calibration $DIR/pairs",
        "eval --model $DIR/none,$DIR/run --pairs $DIR/pairs --calibration $DIR/run/model.safetensors",
        "eval --model $DIR/run,$DIR/none --pairs $DIR/pairs --calibration $DIR/run/log.jsonl",
        "study tape --model $DIR/run --pairs $DIR/pairs --out $DIR/pairs",
        "gradcheck --model $DIR/run --pairs $DIR/pairs --out $DIR/./pairs",
        "tokens learn $DIR/text --out $DIR/text",
        "export --model $DIR/run --out $DIR/run/model.safetensors",
        "export --model $DIR/run --out $DIR/run/checkpoint.safetensors",
        "export --model $DIR/run/model.safetensors --out $DIR/link",
        "export --model $DIR/run --out $DIR/w --src-vocab $DIR/run/../run/model.safetensors",
        "trace --model $DIR/run --source abc --out $DIR/run/model.safetensors",
        "study attention --model $DIR/run --source abc --out $DIR/run/model.safetensors",
        "study curves $DIR/run --out $DIR/run/log.jsonl",
        "study curves $DIR/run $DIR/run/log.jsonl --out $DIR/run/../run/log.jsonl",
        "export --model $DIR/run --out $DIR/w --tgt-vocab $DIR/w",
    };
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        char line[256];
        snprintf(line, sizeof line, "$T %s", refused[i]);
        cli_expect_sentence(line, 2, "write another file");
    }
    cli_expect("cksum $DIR/run/* | cmp - $DIR/before && test ! -e $DIR/w && echo same", 0, "same");
}
END_TEST

/* ---- Runs -------------------------------------------------------------------------- */

/* The pairs are a pipe that no one writes to: who reads it first waits for ever. */
#define WAITING "mkfifo $DIR/pipe 2>/dev/null; timeout 10 $T "

START_TEST(test_runs_are_refused_before_the_data)
{
    cli_train_tiny();
    cli_write("file", "here");
    cli_expect_sentence(WAITING "train --pairs $DIR/pipe --out $DIR/run", 1,
                        "/run already holds a run: resume it, overwrite it (--overwrite) or choose another folder");
    cli_expect_sentence(WAITING "train --pairs $DIR/pipe --out $DIR/file", 1, "there is a file in its way");
    cli_expect_sentence(WAITING "train --pairs $DIR/pipe --out $DIR/file/deep/er", 1, "there is a file in its way");
    cli_expect_sentence("ln -s none $DIR/link;" WAITING "train --pairs $DIR/pipe --out $DIR/link", 1, "in its way");
    cli_expect_sentence("cd $DIR && rm -f run/checkpoint.safetensors && " WAITING "train --pairs pipe", 1,
                        "run already holds a model: overwrite it (--overwrite) or choose another folder");
    cli_expect_sentence("rm -f $DIR/run/*.safetensors;" WAITING "train --pairs $DIR/pipe --out $DIR/run", 1,
                        "/run already holds the log of a run: overwrite it");
    cli_expect_sentence("$T train --resume $DIR/run --overwrite", 2, "--overwrite and --resume exclude each other");
    cli_expect("ls $DIR | tr '\\n' ' '", 0, "file link pipe run ");
}
END_TEST

#define OTHER "train --task reverse --task-max 4 --steps 4 --eval-every 2 " CLI_TINY " --out $DIR/run --overwrite"

/* A run at work keeps its folder: a resume, or another run over it, is refused before the
 * data are read. */
START_TEST(test_a_run_at_work_is_known_before_the_data)
{
    char path[512];
    cli_write("pairs.tsv", "ab\tba\nbc\tcb\nca\tac\n");
    cli_expect("$T train --pairs $DIR/pairs.tsv --steps 2 --stop-at 1 " CLI_TINY " --out $DIR/run", 0, "");
    snprintf(path, sizeof path, "%s/run/lock", cli_folder);
    int lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    ck_assert_int_ge(lock, 0);
    ck_assert_int_eq(flock(lock, LOCK_EX), 0);
    cli_expect_sentence(WAITING "train --resume $DIR/run --pairs $DIR/pipe", 1, "/run is in use by another process");
    cli_expect_sentence(WAITING "train --pairs $DIR/pipe --out $DIR/run --overwrite", 1, "/run is in use by another");
    close(lock);
    cli_expect("$T train --resume $DIR/run --quiet && ls $DIR/run/lock", 2, "lock");
}
END_TEST

START_TEST(test_overwrite)
{
    cli_train_tiny();
    cli_expect("{ echo a note; cat $DIR/run/log.jsonl; } > $DIR/noted; mv $DIR/noted $DIR/run/log.jsonl;"
               "$T " OTHER " --stop-at 3; cut -d , -f 1 $DIR/run/log.jsonl | tr '\\n' ' '",
               0, "{\"step\":1 {\"step\":2 {\"step\":2 {\"step\":3 ");
    ck_assert_ptr_null(strstr(cli_output, "note"));
    cli_expect("$T train --resume $DIR/run --quiet; $T info $DIR/run", 0, "reverse");
    cli_expect("$T train --task reverse --task-max 4 --steps 4 --eval-every 2 " CLI_TINY " --out $DIR/new;"
               "for f in model checkpoint; do cmp $DIR/run/$f.safetensors $DIR/new/$f.safetensors; done && echo same",
               0, "same");
    /* A run may take the place of the one that it begins with, and a folder need not be
     * there. */
    cli_expect("$T train --from $DIR/run --task reverse --task-max 4 --steps 2 --quiet --out $DIR/run --overwrite", 0,
               "");
    cli_expect("rm -r $DIR/run; $T " OTHER "; ls $DIR/run", 0, "model.safetensors");
}
END_TEST

/* A run that does not begin leaves the old one as it was, with all that it needs to go
 * on. */
START_TEST(test_a_failed_overwrite_loses_nothing)
{
    cli_train_tiny();
    cli_write("bad.tsv", "abc\tcba\nno tab\n");
    cli_expect("cksum $DIR/run/* > $DIR/before", 0, "");
    cli_expect("$T train --pairs $DIR/bad.tsv --out $DIR/run --overwrite", 1, "bad.tsv:2: no TAB");
    cli_expect("$T train --task copy --d-model 16 --heads 3 --out $DIR/run --overwrite", 1, "heads");
    cli_expect("(trap '' XFSZ; ulimit -f 4; $T " OTHER ")", 1, "cannot write");
    cli_expect_sentence("exec 9> $DIR/run/lock; flock 9; " WAITING "train --pairs $DIR/pipe --out $DIR/run --overwrite",
                        1, "/run is in use by another process");
    cli_expect(
        "rm $DIR/run/lock; cksum $DIR/run/* | cmp - $DIR/before && $T train --resume $DIR/run --quiet && echo same", 0,
        "same");
}
END_TEST

START_TEST(test_import_overwrites)
{
    cli_train_tiny();
    cli_expect("$T export --model $DIR/run --out $DIR/w.safetensors; cp -r $DIR/run $DIR/like; cksum $DIR/run/* > "
               "$DIR/before",
               0, "");
    cli_expect_sentence("$T import $DIR/none.safetensors --out $DIR/run", 1, "/run already holds a run");
    cli_expect("$T import $DIR/none.safetensors --config $DIR/like --out $DIR/run --overwrite", 1, "none.safetensors");
    cli_expect(
        "(trap '' XFSZ; ulimit -f 4; $T import $DIR/w.safetensors --config $DIR/like --out $DIR/run --overwrite)", 1,
        "cannot write");
    cli_expect("cksum $DIR/run/* | cmp - $DIR/before && echo same", 0, "same");
    cli_expect("$T import $DIR/w.safetensors --config $DIR/like --out $DIR/run --overwrite; ls $DIR/run", 0,
               "\nmodel.safetensors\n");
    ck_assert_ptr_null(strstr(cli_output, "\ncheckpoint"));
    ck_assert_ptr_null(strstr(cli_output, "\nlog"));
    cli_expect("$T eval --model $DIR/run --task copy --count 5", 0, "exact match");
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
    tcase_add_test(c, test_runs_are_refused_before_the_data);
    tcase_add_test(c, test_a_run_at_work_is_known_before_the_data);
    tcase_add_test(c, test_overwrite);
    tcase_add_test(c, test_a_failed_overwrite_loses_nothing);
    tcase_add_test(c, test_import_overwrites);
    suite_add_tcase(s, c);
    return s;
}

TEST_MAIN(suite)
