/* test_cli_trace.c - tapeformer trace as a user meets it: a trace is written, and two are
 * compared. */
#include "cli_util.h"
#include "data.h"

#include <stdio.h>
#include <string.h>

START_TEST(test_usage)
{
    cli_expect("$T trace --help", 0, "Usage: tapeformer trace");
    cli_expect_sentence("$T trace", 2, "tapeformer trace: which model?");
    cli_expect_sentence("$T trace $DIR/a", 2, "Files are for --compare");
    cli_expect_sentence("$T trace --compare $DIR/a", 2, "compare which files? Give two");
    cli_expect("$T trace --compare a b c", 2, "what is 'c'?");
    cli_expect("$T trace --compare a b --tolerance -1", 2, "--tolerance -1: expected a number of 0 or more");
    cli_expect_sentence("$T trace --compare a b --model $DIR/run", 2,
                        "--model: --compare reads two files and runs no model");
    cli_expect_sentence("$T trace --out c --compare a b", 2, "--out: --compare reads");
    static const char *const others[] = {"source a", "target a", "pad 1", "plain", "threads 1"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        char line[128], saying[128];
        snprintf(line, sizeof line, "$T trace --compare a b --%s", others[i]);
        snprintf(saying, sizeof saying, "--%.*s: --compare reads", (int)strcspn(others[i], " "), others[i]);
        cli_expect_sentence(line, 2, saying);
    }
    cli_expect_sentence("$T trace --model $DIR/run --source ab --tolerance 1", 2, "--tolerance is for --compare");
    cli_expect_sentence("$T trace --common", 2, "--common is for --compare");
    cli_expect("$T trace --threads 1025", 2, "--threads 1025: expected a whole number from 1 to 1024");
}
END_TEST

/* trace reports what is wrong with an example under its own name. */
START_TEST(test_bad_examples)
{
    cli_train_tiny();
    cli_expect_sentence("$T trace --model $DIR/none --source a", 1, "tapeformer trace: ");
    cli_expect_sentence("$T trace --model $DIR/run", 2, "tapeformer trace: look at what?");
    cli_expect_sentence("$T trace --model $DIR/run --source ABC", 1, "tapeformer trace: --source: 3 of 3 tokens");
    cli_expect_sentence("$T trace --model $DIR/run --source ab --target AB", 1, "tapeformer trace: --target: 2 of 2");
    cli_expect_sentence("$T trace --model $DIR/run --source ab --out $DIR/none/t", 1, "tapeformer trace: cannot write");
}
END_TEST

START_TEST(test_two_traces)
{
    cli_train_tiny();
    cli_expect("cd $DIR && $T trace --model run --source ab --target b", 0, "The trace is in trace.safetensors");
    cli_expect("$T trace --model $DIR/run --source ab --target b --threads 2 --out $DIR/same", 0, "same");
    cli_expect("cd $DIR && cmp trace.safetensors same && $T trace --compare trace.safetensors same", 0,
               " tensors agree");
    cli_expect("$T trace --model $DIR/run --source ba --target b --out $DIR/other", 0, "other");
    cli_expect("$T trace --compare $DIR/same $DIR/other", 1, "tapeformer trace: forward/00000.src_embedding.embedding");
    cli_expect("$T trace --compare $DIR/same $DIR/other --tolerance 1000", 0, " tensors agree");
    cli_expect("$T trace --model $DIR/run --source ab --target b --plain --out $DIR/plain", 0, "plain");
    cli_expect("$T trace --compare $DIR/same $DIR/plain", 1, " is in the first file alone");
    cli_expect_sentence("$T trace --compare $DIR/same $DIR/none", 1, "none");
}
END_TEST

START_TEST(test_one_tensor)
{
    const ag_real seven = 7; /* (a writer reads what it was given when it saves) */
    char *path = malloc(strlen(cli_folder) + 8);
    sprintf(path, "%s/one", cli_folder);
    data_writer *writer = data_writer_new(NULL);
    ck_assert_int_eq(data_writer_add_real(writer, "x", AG_SHAPE(1), &seven, NULL), AG_OK);
    ck_assert_int_eq(data_writer_save(writer, path, NULL), AG_OK);
    data_writer_free(writer);
    free(path);
    cli_expect("$T trace --compare $DIR/one $DIR/one", 0, "1 tensor agrees\n");
}
END_TEST

static Suite *trace_suite(void)
{
    Suite *suite = suite_create("cli trace");
    TCase *tests = tcase_create("trace");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, cli_set_up, cli_tear_down);
    tcase_add_test(tests, test_usage);
    tcase_add_test(tests, test_bad_examples);
    tcase_add_test(tests, test_two_traces);
    tcase_add_test(tests, test_one_tensor);
    suite_add_tcase(suite, tests);
    return suite;
}

TEST_MAIN(trace_suite)
