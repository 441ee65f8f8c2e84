/* test_train_log.c - training logs are read back, from whole and from half-written files;
 * what is damaged is named. */
#include "check_util.h"
#include "train/log.h"
#include "train_fixture.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

static ag_error error;

/* Reads a log of `size` bytes. */
static ag_status read_bytes(const char *bytes, size_t size, train_history *history)
{
    char *folder = test_folder_new(), *path = test_file_write(folder, "log.jsonl", bytes, size);
    error = (ag_error){0};
    ag_status status = train_history_read(history, path, &error);
    ck_assert_int_eq(status, error.status);
    free(path);
    test_folder_remove(folder);
    return status;
}

static ag_status read_text(const char *text, train_history *history)
{
    return read_bytes(text, strlen(text), history);
}

static void check_series(const train_history *history, const char *name, int64_t count, const double *steps,
                         const double *values)
{
    const train_series *series = train_history_find(history, name);
    ck_assert_msg(series != NULL, "no %s", name);
    ck_assert_str_eq(series->name, name);
    ck_assert_int_eq(series->count, count);
    for (int64_t i = 0; i < count; i++)
        ck_assert(series->steps[i] == steps[i] && series->values[i] == values[i]);
}

#define WHOLE                                                                                                          \
    "{\"step\":1,\"loss\":2.5,\"rate\":1e-3}\n"                                                                        \
    "{\"step\":4,\"loss\":-0.125,\"rate\":0}\n"                                                                        \
    "{\"step\":4,\"dev_loss\":1,\"best\":true}\n"                                                                      \
    " { \"step\" : 9 , \"dev_loss\" : 3 , \"best\" : false } \r\n"

static void check_whole(const train_history *history)
{
    check_series(history, "loss", 2, (double[]){1, 4}, (double[]){2.5, -0.125});
    check_series(history, "rate", 2, (double[]){1, 4}, (double[]){1e-3, 0});
    check_series(history, "dev_loss", 2, (double[]){4, 9}, (double[]){1, 3});
    check_series(history, "best", 2, (double[]){4, 9}, (double[]){1, 0});
    ck_assert_int_eq(history->count, 4);
    ck_assert_ptr_null(train_history_find(history, "step"));
    ck_assert_ptr_null(train_history_find(history, "los"));
}

START_TEST(numbers_by_name)
{
    train_history history;
    ck_assert_msg(read_text(WHOLE, &history) == AG_OK, "%s", error.message);
    check_whole(&history);
    train_history_clear(&history);
    ck_assert_int_eq(read_text("", &history), AG_OK);
    ck_assert_int_eq(history.count, 0);
    ck_assert_int_eq(read_text("{\"step\":1}\n", &history), AG_OK);
    ck_assert_int_eq(history.count, 0);
}
END_TEST

/* A run that was killed while it wrote leaves any part of its last line. */
START_TEST(a_half_written_line_is_left_out)
{
    static const char last[] = "{\"step\":10,\"loss\":0.1234,\"best\":true}";
    char text[512];
    train_history history;
    for (size_t cut = 0; cut + 1 < sizeof last; cut++) {
        snprintf(text, sizeof text, "%s%.*s", WHOLE, (int)cut, last);
        ck_assert_msg(read_text(text, &history) == AG_OK, "%zu: %s", cut, error.message);
        check_whole(&history);
        train_history_clear(&history);
    }
    snprintf(text, sizeof text, "%s%s", WHOLE, last); /* whole except for its line feed: it counts */
    ck_assert_int_eq(read_text(text, &history), AG_OK);
    check_series(&history, "loss", 3, (double[]){1, 4, 10}, (double[]){2.5, -0.125, 0.1234});
    train_history_clear(&history);
    static const char zeros[] = "{\"step\":1,\"loss\":7}\n{\"step\":2,\"lo\0\0\0\0\0"; /* as a power cut leaves it */
    ck_assert_int_eq(read_bytes(zeros, sizeof zeros - 1, &history), AG_OK);
    check_series(&history, "loss", 1, (double[]){1}, (double[]){7});
    train_history_clear(&history);
}
END_TEST

/* A number that is not finite is null, and a gap in its series. */
START_TEST(what_is_not_finite_is_null)
{
    train_history history;
    ck_assert_msg(read_text("{\"step\":1,\"loss\":null,\"loss_is\":\"NaN\",\"rate\":1}\n{\"step\":2,\"loss\":3}\n",
                            &history) == AG_OK,
                  "%s", error.message);
    const train_series *loss = train_history_find(&history, "loss");
    ck_assert(loss && loss->count == 2 && isnan(loss->values[0]) && loss->values[1] == 3);
    check_series(&history, "rate", 1, (double[]){1}, (double[]){1});
    ck_assert_int_eq(history.count, 2);
    train_history_clear(&history);
}
END_TEST

/* Every number of a report and of an evaluation, not finite in either way: the lines are
 * JSON and read back as gaps. */
START_TEST(lines_are_valid_whatever_they_hold)
{
    static const double strange[] = {(double)NAN, (double)INFINITY, -(double)INFINITY};
    static const char *const words[] = {"\"NaN\"", "\"Infinity\"", "\"-Infinity\""};
    static const char *const names[] = {"loss",
                                        "rate",
                                        "gradient_norm",
                                        "tokens_per_second",
                                        "seconds",
                                        "processor_seconds",
                                        "dev_loss",
                                        "dev_token_accuracy",
                                        "dev_exact_match",
                                        "dev_wer",
                                        "dev_per"};
    char *folder = test_folder_new(), *path = test_file_write(folder, "log.jsonl", "", 0);
    for (int i = 0; i < 3; i++) {
        const double x = strange[i];
        train_metrics dev = {.loss = x, .token_accuracy = x, .exact_match = x, .wer = x, .per = x, .decoded = true};
        train_progress lines[2] = {{.step = 7,
                                    .loss = x,
                                    .rate = x,
                                    .gradient_norm = x,
                                    .tokens_per_second = x,
                                    .seconds = x,
                                    .processor_seconds = x},
                                   {.step = 7, .dev = &dev}};
        train_log log;
        train_history history;
        size_t size;
        error = (ag_error){0};
        ck_assert_msg(train_log_open(&log, path, 0, false, &error) == AG_OK, "%s", error.message);
        ck_assert_int_eq(train_log_add(&log, &lines[0], &error), AG_OK);
        ck_assert_int_eq(train_log_add(&log, &lines[1], &error), AG_OK);
        ck_assert_int_eq(train_log_close(&log, &error), AG_OK);
        ck_assert_msg(train_history_read(&history, path, &error) == AG_OK, "%s", error.message);
        for (size_t name = 0; name < sizeof names / sizeof *names; name++) {
            const train_series *series = train_history_find(&history, names[name]);
            ck_assert_msg(series && series->count == 1 && isnan(series->values[0]), "%s", names[name]);
        }
        train_history_clear(&history);
        char *text = test_file_read(folder, "log.jsonl", &size);
        ck_assert_ptr_nonnull(strstr(text, words[i]));
        free(text);
    }
    free(path);
    test_folder_remove(folder);
}
END_TEST

START_TEST(damage_has_a_line)
{
    static const struct {
        const char *text, *saying;
    } cases[] = {
        {"not a log", "log.jsonl:1: an object was expected"},
        {"\n", "log.jsonl:1: "},
        {"{}\n", "log.jsonl:1: \"step\" is missing"},
        {"{\"loss\":1,\"step\":1}\n", "log.jsonl:1: \"step\" must come first"},
        {"{\"step\":1,\"step\":1}\n", "log.jsonl:1: \"step\" must come first, and once"},
        {"{\"step\":-1}\n", "log.jsonl:1: a whole number"},
        {"{\"step\":1.5}\n", "log.jsonl:1: a whole number"},
        {WHOLE "{\"step\":8}\n", "log.jsonl:5: its step is below that of the line before"},
        {WHOLE "{\"step\":8}", "log.jsonl:5: its step is below that of the line before"},
        {WHOLE "{\"step\":10,\"loss\":\n" WHOLE, "log.jsonl:5: the text ends too early"},
        {WHOLE "{\"step\":10,\"loss\":nan}\n", "log.jsonl:5: null was expected"},
        {WHOLE "{\"step\":10,\"loss\":\"1\"}\n", "log.jsonl:5: a number was expected"},
        {WHOLE "{\"step\":10,\"loss\":nul}\n", "log.jsonl:5: null was expected"},
        {WHOLE "{\"step\":10,\"loss\":tru}\n", "log.jsonl:5: true or false was expected"},
        {WHOLE "{\"step\":10,\"loss\":1}}\n", "log.jsonl:5: something follows the end"},
        {WHOLE "{\"step\":10} {\"step\":11}\n", "log.jsonl:5: something follows the end"},
        {WHOLE "{\"step\":10,\"l\xff\":1}\n", "log.jsonl:5: not UTF-8"},
        {WHOLE "{\"step\":10,\"loss\"\n", "log.jsonl:5: the text ends too early"},
        {WHOLE "x{\"step\":10", "log.jsonl:5: an object was expected"},
    };
    train_history history;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ck_assert_msg(read_text(cases[i].text, &history) == AG_BAD_FILE, "'%s' is taken", cases[i].text);
        ck_assert_msg(strstr(error.message, cases[i].saying) != NULL, "'%s': %s", cases[i].text, error.message);
        ck_assert(history.count == 0 && !history.items);
    }
    static const char zero[] = "{\"step\":1,\0\"loss\":7}\n{\"step\":2}\n";
    ck_assert_int_eq(read_bytes(zero, sizeof zero - 1, &history), AG_BAD_FILE);
    ck_assert_ptr_nonnull(strstr(error.message, "log.jsonl:1: a zero byte"));
}
END_TEST

/* 1022 characters and a line feed are read, one more is refused. */
START_TEST(a_line_has_its_limit)
{
    for (int more = 0; more < 2; more++) {
        char text[1100] = "{\"step\":1,\"loss\":7";
        size_t length = strlen(text);
        memset(text + length, ' ', 1021 + (size_t)more - length);
        memcpy(text + 1021 + more, "}\n", 3);
        train_history history;
        ck_assert_int_eq(read_text(text, &history), more ? AG_BAD_FILE : AG_OK);
        ck_assert(more || train_history_find(&history, "loss"));
        train_history_clear(&history);
    }
}
END_TEST

START_TEST(files_and_folders)
{
    char *folder = test_folder_new(), *path = test_file_write(folder, "log.jsonl", WHOLE, strlen(WHOLE));
    char *other = test_file_write(folder, "other", "{\"step\":3,\"x\":1}\n", 17), missing[512];
    train_history history;
    ck_assert_int_eq(train_history_read(&history, folder, NULL), AG_OK);
    check_whole(&history);
    train_history_clear(&history);
    ck_assert_int_eq(train_history_read(&history, other, NULL), AG_OK);
    check_series(&history, "x", 1, (double[]){3}, (double[]){1});
    train_history_clear(&history);
    unlink(path);
    ck_assert_int_eq(train_history_read(&history, folder, &error), AG_IO);
    ck_assert_msg(strstr(error.message, "log.jsonl: cannot read the log: No such file"), "%s", error.message);
    snprintf(missing, sizeof missing, "%s/none", folder);
    error = (ag_error){0};
    ck_assert_int_eq(train_history_read(&history, missing, &error), AG_IO);
    ck_assert_msg(strstr(error.message, "none: cannot read the log: No such file"), "%s", error.message);
    free(path);
    free(other);
    test_folder_remove(folder);
}
END_TEST

START_TEST(every_allocation_may_fail)
{
    char *folder = test_folder_new(), *path = test_file_write(folder, "log.jsonl", WHOLE, strlen(WHOLE));
    train_history history = {0};
    int64_t n = 0;
    do {
        train_history_clear(&history);
        error = (ag_error){0};
        test_fail_allocation(++n);
        ag_status status = train_history_read(&history, folder, &error);
        test_fail_allocation(0);
        ck_assert_int_eq(status, error.status);
        ck_assert(error.status == AG_OK || (error.status == AG_NO_MEMORY && !history.items));
    } while (error.status != AG_OK);
    ck_assert_int_gt(n, 10);
    check_whole(&history);
    train_history_clear(&history);
    free(path);
    test_folder_remove(folder);
}
END_TEST

/* The reader returns the numbers that a run wrote. */
START_TEST(a_run_is_read_back)
{
    train_fixture f = train_fixture_new("copy", 4, 4, NN_ENCODER, 8, 0);
    train_options options = {.steps = 10, .batch = 8, .evaluate_every = 5, .report_every = 4, .out = f.out};
    train_result result;
    ck_assert_int_eq(train_run(f.model, f.training, f.dev, &options, &result, NULL), AG_OK);
    train_history history;
    ck_assert_int_eq(train_history_read(&history, f.out, &error), AG_OK);
    static const char *const reported[] = {
        "epoch", "loss", "rate", "gradient_norm", "tokens_per_second", "seconds", "processor_seconds"};
    static const char *const evaluated[] = {"dev_loss", "dev_token_accuracy", "dev_exact_match", "dev_wer", "dev_per",
                                            "best"};
    for (size_t i = 0; i < sizeof reported / sizeof *reported; i++) {
        const train_series *report = train_history_find(&history, reported[i]);
        ck_assert(report && report->count == 4 && report->steps[0] == 1 && report->steps[3] == 10);
    }
    for (size_t i = 0; i < sizeof evaluated / sizeof *evaluated; i++) {
        const train_series *dev = train_history_find(&history, evaluated[i]);
        ck_assert(dev && dev->count == 2 && dev->steps[0] == 5 && dev->steps[1] == 10);
    }
    ck_assert_int_eq(history.count, 13);
    const train_series *processor = train_history_find(&history, "processor_seconds");
    for (int64_t i = 1; i < processor->count; i++)
        ck_assert_double_ge(processor->values[i], processor->values[i - 1]);
    ck_assert_double_gt(processor->values[processor->count - 1], 0);
    const train_series *wer = train_history_find(&history, "dev_wer");
    double best = wer->values[result.best_step == 10];
    ck_assert_double_eq_tol(best, result.best.wer, 1e-8);
    train_history_clear(&history);
    train_fixture_clear(&f);
}
END_TEST

static Suite *log_suite(void)
{
    Suite *suite = suite_create("train_log");
    TCase *tcase = tcase_create("log");
    tcase_add_test(tcase, numbers_by_name);
    tcase_add_test(tcase, a_half_written_line_is_left_out);
    tcase_add_test(tcase, what_is_not_finite_is_null);
    tcase_add_test(tcase, lines_are_valid_whatever_they_hold);
    tcase_add_test(tcase, damage_has_a_line);
    tcase_add_test(tcase, a_line_has_its_limit);
    tcase_add_test(tcase, files_and_folders);
    tcase_add_test(tcase, every_allocation_may_fail);
    tcase_add_test(tcase, a_run_is_read_back);
    suite_add_tcase(suite, tcase);
    return suite;
}

TEST_MAIN(log_suite)
