/* test_bench.c - the bench as a user meets it: rows, comparison, and what it says of bad
 * input. No time is judged.
 *
 * The bench under test is in the environment variable BENCH (the Makefile sets it). */
#include "check_util.h"
#include "data.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

static char *folder;

static void set_up(void)
{
    ck_assert_msg(getenv("BENCH") != NULL, "BENCH must name the bench (make does that)");
    folder = test_folder_new();
    ck_assert_int_eq(setenv("DIR", folder, 1), 0);
}

static void tear_down(void)
{
    test_folder_remove(folder);
}

static char output[1 << 16];

/* Runs a shell command in which $BENCH is the bench and $DIR a folder of our own; both
 * output streams go to `output`. */
static void expect_code(const char *command, int code)
{
    char line[1024];
    snprintf(line, sizeof line, "{ %s; } 2>&1", command);
    FILE *pipe = popen(line, "r");
    ck_assert_ptr_nonnull(pipe);
    output[fread(output, 1, sizeof output - 1, pipe)] = 0;
    int status = pclose(pipe);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == code, "%s\nexit %d, expected %d:\n%s", command, status,
                  code, output);
}

static void expect(const char *command, int code, const char *saying)
{
    expect_code(command, code);
    ck_assert_msg(strstr(output, saying) != NULL, "%s\ndoes not say \"%s\" but:\n%s", command, saying, output);
}

/* A complaint is one line. */
static void expect_complaint(const char *command, int code, const char *saying)
{
    expect(command, code, saying);
    const char *end = strchr(output, '\n');
    ck_assert_msg(end && !end[1], "%s\nsays more than a line:\n%s", command, output);
}

static double figure(const char *key)
{
    char quoted[64];
    snprintf(quoted, sizeof quoted, "\"%s\": ", key);
    const char *at = strstr(output, quoted);
    ck_assert_msg(at != NULL, "no %s in %s", key, output);
    return strtod(at + strlen(quoted), NULL);
}

static void write_rows(const char *name, const char *rows)
{
    free(test_file_write(folder, name, rows, strlen(rows)));
}

/* ---- Rows -------------------------------------------------------------------------- */

/* One row with what the issue of speed is judged by: a step does not allocate, and its
 * figures fit together. */
START_TEST(a_step_is_one_object)
{
    expect("$BENCH --config toy --threads 1 --dropout 0.1 --steps 2 --json", 0, "\"config\": \"toy\"");
    const char *end = strchr(output, '\n');
    ck_assert_msg(output[0] == '{' && end && end[-1] == '}' && !end[1], "not one object: %s", output);
    ck_assert(figure("threads") == 1);
    ck_assert(figure("dropout") == 0.1);
    ck_assert(figure("heap_allocations") == 0);
    ck_assert(figure("min_ms") > 0);
    ck_assert(figure("min_ms") <= figure("ms_per_step"));
    ck_assert(figure("arena_bytes") > 0);
    ck_assert(figure("peak_rss_bytes") > 1e6);
    ck_assert(figure("percent_of_peak") > 0);
    ck_assert(figure("loss") > 0);
    ck_assert(figure("loss") < 10);
    /* 64 rows of 12 and 12 tokens, 1.097 thousand million operations: bench/configs.c
     * says of what. */
    const double seconds = 1e-3 * figure("ms_per_step");
    ck_assert_double_eq_tol(figure("tok_per_s") * seconds / 1536, 1, 0.01);
    ck_assert_double_eq_tol(figure("gflops") * seconds, 1.097, 0.002 + 0.1 * seconds);
    /* and the strict reader of rows takes it */
    char row[sizeof output];
    memcpy(row, output, sizeof row);
    write_rows("row", row);
    expect("$BENCH --compare $DIR/row $DIR/row", 0, "Geometric mean of 1 ratios: 1.000.");
}
END_TEST

START_TEST(threads_do_not_change_the_loss)
{
    expect_code("$BENCH --config toy --threads 1 --dropout 0.1 --steps 1 --json", 0);
    double alone = figure("loss");
    expect_code("$BENCH --config toy --threads 3 --dropout 0.1 --steps 1 --json", 0);
    ck_assert(figure("threads") == 3);
    ck_assert(figure("loss") == alone);
}
END_TEST

START_TEST(the_table_has_a_heading)
{
    expect("$BENCH --only peak --threads 1", 0, "GFLOP/s");
    ck_assert_ptr_nonnull(strstr(output, "\npeak\n"));
}
END_TEST

/* Rows of one and two threads beside one, two and four spinning processes a processor. */
START_TEST(busy_rows_name_their_load)
{
    expect("$BENCH --busy --config toy --threads 2 --steps 1 --json", 0, "\"bench\": \"busy\", \"config\": \"toy\"");
    const char *const sought[] = {"\"spinning\": 1, \"threads\": 1", "\"spinning\": 1, \"threads\": 2",
                                  "\"spinning\": 2, \"threads\": 1", "\"spinning\": 2, \"threads\": 2",
                                  "\"spinning\": 4, \"threads\": 1", "\"spinning\": 4, \"threads\": 2"};
    const char *at = output;
    for (size_t i = 0; i < sizeof sought / sizeof *sought; i++) {
        at = strstr(at, sought[i]);
        ck_assert_msg(at != NULL, "no row with %s in its place:\n%s", sought[i], output);
    }
    ck_assert(figure("of_one_thread") == 1);
}
END_TEST

/* A spinning process holds the pipe of errors from which this test reads, so the test
 * ends only when they have ended. */
START_TEST(spinning_processes_end_with_the_bench)
{
    expect("sleep 0.2 | $BENCH --spin 2; echo ended", 0, "ended");
    expect("mkfifo $DIR/in $DIR/out; $BENCH --spin 2 --json <$DIR/in >$DIR/out & "
           "exec 3>$DIR/in; read row <$DIR/out; kill -9 $!; echo $row",
           0, "{\"bench\": \"spin\", \"processes\": 2}");
}
END_TEST

/* Requests and their answers, and the file from which a peer begins. */
START_TEST(steps_on_demand)
{
    expect_code("$BENCH --config toy --threads 1 --dropout 0 --steps 1 --json", 0);
    const double fourth = figure("loss");
    expect("printf 'step 3\nstep 1\npeak\n' | $BENCH --serve $DIR/start --config toy --threads 2 | sed -n '1p;5p;6p'",
           0, "{\"bench\": \"ready\", \"side\": \"tapeformer\", \"config\": \"toy\", \"parameters\": 236816,");
    ck_assert_double_eq_tol(figure("loss"), fourth, 1e-4);
    ck_assert(figure("ms_per_step") > 0);
    ck_assert(figure("gflops") > 0);

    char path[1024];
    snprintf(path, sizeof path, "%s/start", folder);
    data_safetensors *start = data_safetensors_open(path, NULL);
    ck_assert_ptr_nonnull(start);
    ck_assert_str_eq(data_safetensors_metadata(start, "heads"), "4");
    const data_tensor *next = data_safetensors_find(start, "next");
    ck_assert(next && next->rank == 2 && next->shape[0] == 64 && next->shape[1] == 12);
    ck_assert_ptr_nonnull(data_safetensors_find(start, "encoder.layers.1.linear2.weight"));
    data_safetensors_close(start);

    const char *const bad[] = {"step", "step 0", "step 1x", "steps 1", "", "peak 1", "step 99999999999999999999"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char command[256];
        snprintf(command, sizeof command, "echo '%s' | $BENCH --serve $DIR/start --config toy | sed 1d", bad[i]);
        expect_complaint(command, 0, "bench: a request is \"step N\" or \"peak\"");
    }
    expect("$BENCH --serve $DIR/none/start --config toy", 1, "none/start");
}
END_TEST

/* ---- Comparison -------------------------------------------------------------------- */

START_TEST(files_are_compared_row_by_row)
{
    write_rows("a", "{\"bench\": \"step\", \"config\": \"toy\", \"threads\": 1, \"ms_per_step\": 30, \"loss\": 1}\n"
                    "{\"bench\": \"step\", \"config\": \"toy\", \"threads\": 1, \"ms_per_step\": 40}\n"
                    "{\"bench\": \"peak\", \"threads\": 2, \"gflops\": 100}\n");
    write_rows("b", "{\"bench\": \"peak\", \"gflops\": 25.0, \"threads\": 2}\n"
                    "{\"config\": \"toy\", \"bench\": \"step\", \"threads\": 1.0, \"ms_per_step\": 20.0}\n"
                    "{\"bench\": \"step\", \"config\": \"nano\", \"threads\": 1, \"ms_per_step\": 5}\n");
    expect("$BENCH --compare $DIR/a $DIR/b | tr -s ' '", 0, "step toy threads 1 ms_per_step 30 20 1.50\n");
    ck_assert_ptr_nonnull(strstr(output, "peak threads 2 gflops 100 25 0.25\n"));
    ck_assert_ptr_nonnull(strstr(output, "Geometric mean of 2 ratios: 0.612; 1 rows are in one file alone."));
}
END_TEST

START_TEST(bad_files_are_named)
{
    write_rows("a", "{\"bench\": \"step\", \"threads\": 1, \"ms_per_step\": 30}\n");
    write_rows("other", "{\"bench\": \"step\", \"threads\": 2, \"ms_per_step\": 30}\n");
    expect_complaint("$BENCH --compare $DIR/a $DIR/none", 1, "none: No such file");
    expect_complaint("$BENCH --compare $DIR/a $DIR/other", 1, "no row in common");
    const char *const bad[] = {"\n",
                               "text\n",
                               "{\n",
                               "{}\n",
                               "{\"ms\": 1",
                               "{\"bench\": \"step\"}\n",
                               "{\"bench\": \"step, \"ms\": 1}\n",
                               "{\"bench\" \"step\", \"ms\": 1}\n",
                               "{\"ms\": \"fast\"}\n",
                               "{\"ms\": }\n",
                               "{\"ms\": 0}\n",
                               "{\"ms\": nan}\n",
                               "{\"ms\": inf}\n",
                               "{\"ms\": null, \"ms_is\": \"NaN\"}\n",
                               "{\"ms\": 1,}\n",
                               "{\"ms\": 1} {\"ms\": 1}\n"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        write_rows("bad", bad[i]);
        expect_complaint("$BENCH --compare $DIR/a $DIR/bad", 1, "bad:1: not a row");
    }
}
END_TEST

/* ---- Flags ------------------------------------------------------------------------- */

START_TEST(bad_flags_are_one_sentence)
{
    expect_complaint("$BENCH --fast", 2, "there is no flag --fast");
    expect_complaint("$BENCH toy", 2, "there is no flag toy");
    expect_complaint("$BENCH --threads", 2, "--threads needs a value");
    expect_complaint("$BENCH --threads 0", 2, "--threads 0: expected a whole number from 1");
    expect_complaint("$BENCH --threads 99999999999999999999", 2, "expected a whole number from 1");
    expect_complaint("$BENCH --threads 2x", 2, "expected a whole number from 1");
    expect_complaint("$BENCH --steps -1", 2, "--steps -1: expected a whole number from 1");
    expect_complaint("$BENCH --dropout 1", 2, "--dropout 1: expected a number from 0 to below 1");
    expect_complaint("$BENCH --dropout nan", 2, "expected a number from 0 to below 1");
    expect_complaint("$BENCH --config big", 2, "--config big: expected one of toy, small, nano, g2p, annot, gptmid, gpt2");
    expect_complaint("$BENCH --only tea", 2, "expected one of peak, step, product, attention, generate, sentences");
    expect_complaint("$BENCH --compare one", 2, "--compare needs two files");
    expect_complaint("$BENCH --serve $DIR/start", 2, "--serve needs a --config");
    expect_complaint("$BENCH --spin 0", 2, "--spin 0: expected a whole number from 1");
    expect("$BENCH --blas $DIR/none --threads 1", 1, "no BLAS: ");
    expect("$BENCH --help", 0, "--compare A B");
}
END_TEST

static Suite *bench_suite(void)
{
    Suite *suite = suite_create("bench");
    TCase *test_case = tcase_create("bench");
    tcase_add_checked_fixture(test_case, set_up, tear_down);
    tcase_set_timeout(test_case, 60);
    tcase_add_test(test_case, a_step_is_one_object);
    tcase_add_test(test_case, threads_do_not_change_the_loss);
    tcase_add_test(test_case, the_table_has_a_heading);
    tcase_add_test(test_case, busy_rows_name_their_load);
    tcase_add_test(test_case, spinning_processes_end_with_the_bench);
    tcase_add_test(test_case, steps_on_demand);
    tcase_add_test(test_case, files_are_compared_row_by_row);
    tcase_add_test(test_case, bad_files_are_named);
    tcase_add_test(test_case, bad_flags_are_one_sentence);
    suite_add_tcase(suite, test_case);
    return suite;
}

TEST_MAIN(bench_suite)
