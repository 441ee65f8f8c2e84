/* test_cli_signals.c - Ctrl-C and SIGTERM end every command soon, whatever it is doing,
 * and no finished work is lost. */
#include "cli_util.h"

#include <stdio.h>
#include <string.h>

/* Waits until a shell's condition holds: for 30 seconds at most. */
#define UNTIL(condition) "n=0; while ! " condition " && [ $n -lt 600 ]; do n=$((n+1)); sleep 0.05; done; "
/* Signals the process $p and gives its exit code, which must come within 20 seconds. */
#define SIGNAL(name)                                                                                                   \
    "kill -" name " $p; ( sleep 20; kill -KILL $p ) >/dev/null 2>&1 & k=$!; wait $p; c=$?; kill $k 2>/dev/null; "      \
    "echo ended with $c"

/* Work without an end, which says nothing while it is done; each command has a model or
 * data of its own. */
static const char *const endless[] = {
    "$T train --task copy --task-count 4000000000 --quiet --out $DIR/endless",
    "$T eval --model $DIR/run --task copy --count 4000000000",
    "sleep 25 2> /dev/null | $T predict --model $DIR/run",
    "$T gradcheck --op add --draws 1000000",
    "$T generate --model $DIR/lm --length 1000000000 > /dev/null",
    "$T study masks --length 16 --letters 10 --steps 1000000 2> /dev/null",
};
enum { ENDLESS = sizeof endless / sizeof *endless };

START_TEST(a_command_with_nothing_to_lose_ends_at_once)
{
    static const char *const names[] = {"INT", "TERM", "HUP"};
    char line[2048];
    cli_train_tiny();
    cli_write("text", "once upon a time there was a text, and it was trained upon, once and for all\n");
    ck_assert_int_eq(cli_run("$T train --text $DIR/text --context 8 --steps 2 " CLI_TINY " --out $DIR/lm"), 0);
    for (int i = 0; i < ENDLESS; i++) {
        snprintf(line, sizeof line, "%s & p=$!; sleep 0.7; kill -0 $p || exit 9; " SIGNAL("%s"), endless[i],
                 names[i % 3]);
        cli_expect(line, 0, "ended with 130");
    }
    cli_expect("ls $DIR; echo listed", 0, "listed");
    ck_assert_msg(strstr(cli_output, "endless") == NULL, "a training that set up its data left\n%s", cli_output);
}
END_TEST

#define LONG_RUN "$T train --task copy --task-max 4 --steps 100000000 " CLI_TINY " --out $DIR/long & p=$!; "
#define STARTED  UNTIL("[ -s $DIR/long/log.jsonl ]")

START_TEST(a_training_is_saved)
{
    cli_expect(LONG_RUN STARTED SIGNAL("TERM"), 0, "stopped after step");
    ck_assert_ptr_nonnull(strstr(cli_output, "ended with 130"));
    /* those who pass a signal on may send it twice: that is one */
    cli_expect("$T train --resume $DIR/long & p=$!; sleep 1; kill -INT $p; " SIGNAL("INT"), 0, "stopped after step");
    ck_assert_ptr_nonnull(strstr(cli_output, "ended with 130"));
    cli_expect("$T train --resume $DIR/long --stop-at 1", 0, "stopped after step");
}
END_TEST

/* A step of some seconds: the second signal does not wait for its end. */
START_TEST(the_second_ends_at_once)
{
    cli_expect("$T train --task copy --task-min 16 --d-model 256 --batch 400 --threads 1 --quiet --eval-every 1000 "
               "--out $DIR/long & p=$!; " STARTED "kill -INT $p; sleep 0.5; " SIGNAL("INT"),
               0, "ended with 130");
    ck_assert_msg(strstr(cli_output, "stopped after") == NULL, "%s", cli_output);
    cli_expect("$T train --resume $DIR/long --stop-at 1 --quiet; ls $DIR/long", 0, "checkpoint.safetensors");
}
END_TEST

/* Who reads the progress goes away; the training is done and saved all the same. */
START_TEST(a_reader_that_goes_away_ends_no_training)
{
    cli_expect("{ $T train --task copy --task-max 4 --steps 20 --eval-every 1 --d-model 16 --heads 2 --layers 1 "
               "--ffn 16 --batch 16 --out $DIR/run 2>&1 >/dev/null; echo $? > $DIR/code; } | head -c 1; cat $DIR/code",
               0, "0\n");
    cli_expect("$T eval --model $DIR/run --task copy --task-max 4 --count 10", 0, "");
    cli_expect("grep -c '\"step\":20,' $DIR/run/log.jsonl", 0, "2");
}
END_TEST

/* A limit on the size of files (ulimit -f, in 512 bytes) is reported as a full disk is,
 * whatever is written, and leaves nothing half written. */
START_TEST(a_limit_on_files_is_an_error)
{
    static const char *const writing[] = {
        "$T train --task copy --steps 2 " CLI_TINY " --out $DIR/limited/new",
        "$T train --resume $DIR/stopped",
        "$T export --model $DIR/run --out $DIR/limited/exported.safetensors",
        "$T import $DIR/exported.safetensors --config $DIR/run --out $DIR/limited/imported",
        "$T study curves $DIR/run --out $DIR/limited/page.html > /dev/null",
        "$T study curves $DIR/run --pictures $DIR/limited > /dev/null",
        "$T trace --model $DIR/run --source abc --out $DIR/limited/trace.safetensors",
    };
    char line[512];
    cli_train_tiny();
    ck_assert_int_eq(cli_run("mkdir $DIR/limited; $T export --model $DIR/run --out $DIR/exported.safetensors; "
                             "$T train --task copy --steps 9 --stop-at 5 " CLI_TINY " --out $DIR/stopped"),
                     0);
    for (size_t i = 0; i < sizeof writing / sizeof *writing; i++) {
        snprintf(line, sizeof line, "ulimit -f 4; %s", writing[i]);
        cli_expect(line, 1, "cannot write");
        cli_expect("find $DIR -name '*tmp*'; find $DIR/limited -type f; echo listed", 0, "");
        ck_assert_msg(!strcmp(cli_output, "listed\n"), "%s left\n%s", writing[i], cli_output);
    }
}
END_TEST

/* Two trainings in one folder: one is refused, and the other one's process is named. */
START_TEST(one_training_in_a_folder)
{
    cli_expect(LONG_RUN STARTED
               "$T train --resume $DIR/long; echo first $? $p; "
               "$T train --task copy --quiet --overwrite --out $DIR/long; echo second $?; kill -KILL $p",
               0, "/long is in use by process ");
    char *first = strstr(cli_output, "first 1 ");
    ck_assert_msg(first && strstr(cli_output, "second 1"), "%s", cli_output);
    char named[64];
    snprintf(named, sizeof named, "in use by process %d on ", atoi(first + strlen("first 1 ")));
    ck_assert_msg(strstr(cli_output, named) != NULL, "%s", cli_output);
    cli_expect("$T train --resume $DIR/long --stop-at 1", 0, "stopped after step"); /* a kill ends the lock */
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("cli_signals");
    TCase *c = tcase_create("signals");
    tcase_add_checked_fixture(c, cli_set_up, cli_tear_down);
    tcase_set_timeout(c, 120);
    tcase_add_test(c, a_command_with_nothing_to_lose_ends_at_once);
    tcase_add_test(c, a_training_is_saved);
    tcase_add_test(c, the_second_ends_at_once);
    tcase_add_test(c, a_reader_that_goes_away_ends_no_training);
    tcase_add_test(c, a_limit_on_files_is_an_error);
    tcase_add_test(c, one_training_in_a_folder);
    suite_add_tcase(s, c);
    return s;
}

TEST_MAIN(suite)
