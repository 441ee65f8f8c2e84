/* test_study_curves.c - training logs as charts: which charts there are, which lines,
 * their points and names. */
#include "check_util.h"
#include "study/report/document.h"
#include "study.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static ag_error error;
static char *folder;

static void set_up(void)
{
    folder = test_folder_new();
    error = (ag_error){0};
}

static void tear_down(void)
{
    test_folder_remove(folder);
}

/* Writes folder/name/log.jsonl, and gives the path of folder/name/`rest`, to be freed. */
static char *write_log(const char *name, const char *rest, const char *text)
{
    size_t size = strlen(folder) + strlen(name) + strlen(rest) + 16;
    char *path = malloc(size);
    for (const char *at = name; at; at = strchr(at + 1, '/')) { /* each folder above */
        const char *end = strchr(at + 1, '/');
        snprintf(path, size, "%s/%.*s", folder, (int)(end ? end - name : (ptrdiff_t)strlen(name)), name);
        mkdir(path, 0777);
    }
    char *log = test_file_write(path, "log.jsonl", text, strlen(text));
    free(log);
    snprintf(path, size, "%s/%s%s", folder, name, rest);
    return path;
}

static const document_part *find_chart(const study_document *document, const char *title)
{
    for (const document_part *part = document->first; part; part = part->next)
        if (part->kind == PART_CHART && !strcmp(part->chart.title, title))
            return part;
    return NULL;
}

static int count_charts(const study_document *document)
{
    int count = 0;
    for (const document_part *part = document->first; part; part = part->next)
        count += part->kind == PART_CHART;
    return count;
}

static void check_line(const study_line *line, const char *name, int64_t count, const double *x, const double *y)
{
    ck_assert_str_eq(line->name, name);
    ck_assert_int_eq(line->count, count);
    for (int64_t i = 0; i < count; i++)
        ck_assert_msg(line->x[i] == x[i] && fabs(line->y[i] - y[i]) < 1e-15, "%s, point %d: (%g, %g)", name, (int)i,
                      line->x[i], line->y[i]);
}

#define FIRST                                                                                                          \
    "{\"step\":1,\"loss\":2.5,\"rate\":0.001}\n{\"step\":5,\"loss\":0.5,\"rate\":0.002}\n"                             \
    "{\"step\":5,\"dev_loss\":1.5,\"dev_token_accuracy\":0.5,\"dev_wer\":0.75,\"dev_per\":0.25,\"best\":true}\n"       \
    "{\"step\":9,\"dev_loss\":1.25,\"dev_token_accuracy\":0.75,\"dev_wer\":0.875,\"dev_per\":0.125,\"best\":true}\n"
#define SECOND "{\"step\":2,\"loss\":4,\"rate\":0.5}\n{\"step\":3,\"dev_loss\":3,\"dev_token_accuracy\":0.25}\n"

START_TEST(every_run_is_a_line_in_each_chart)
{
    char *paths[2] = {write_log("a", "", FIRST), write_log("b", "/log.jsonl", SECOND)};
    study_document *document = study_document_new("curves");
    ck_assert_int_eq(study_curves((const char *const *)paths, 2, document, &error), AG_OK);
    static const struct {
        const char *title;
        int64_t first_count, second_count;
        double x[2], y[2], second_x, second_y;
    } charts[] = {
        {"Word error rate on dev", 2, 0, {5, 9}, {0.75, 0.875}, 0, 0},
        {"Token error rate on dev", 2, 0, {5, 9}, {0.25, 0.125}, 0, 0},
        {"Wrong tokens on dev, given the right ones before", 2, 1, {5, 9}, {0.5, 0.25}, 3, 0.75},
        {"Learning rate", 2, 1, {1, 5}, {0.001, 0.002}, 2, 0.5},
    };
    for (size_t i = 0; i < sizeof charts / sizeof *charts; i++) {
        const document_part *part = find_chart(document, charts[i].title);
        ck_assert_msg(part != NULL, "no chart %s", charts[i].title);
        ck_assert_int_eq(part->chart.line_count, 2); /* empty ones too: a run has one colour */
        ck_assert_str_eq(part->chart.x_axis, "step");
        ck_assert(!part->chart.log_y);
        check_line(&part->chart.lines[0], "a", charts[i].first_count, charts[i].x, charts[i].y);
        check_line(&part->chart.lines[1], "b", charts[i].second_count, &charts[i].second_x, &charts[i].second_y);
    }
    ck_assert_int_eq(count_charts(document), 5);
    const document_part *table = document->first;
    ck_assert(table->kind == PART_TABLE && table->rows == 3 && table->columns == 7);
    static const char *const cells[] = {"a", "9", "0.5", "1.25", "9", "0.75", "5", "b", "3", "4", "3", "3", "-", "-"};
    for (int i = 0; i < 14; i++)
        ck_assert_str_eq(table->cells[7 + i], cells[i]);
    ck_assert_ptr_eq(document->last, find_chart(document, "Learning rate")); /* no word of means */
    study_document_free(document);
    free(paths[0]);
    free(paths[1]);
}
END_TEST

/* In training and on dev, in one colour and in dashes; the evaluation whose model was
 * kept is marked. */
START_TEST(the_losses_of_runs_are_in_one_chart)
{
    char *paths[2] = {write_log("a", "", FIRST "{\"step\":12,\"dev_loss\":1,\"best\":false}\n"),
                      write_log("b", "", SECOND)};
    study_document *document = study_document_new("curves");
    ck_assert_int_eq(study_curves((const char *const *)paths, 2, document, &error), AG_OK);
    const study_chart *chart = &find_chart(document, "Loss")->chart;
    ck_assert_int_eq(chart->line_count, 4);
    check_line(&chart->lines[0], "a, in training", 2, (double[]){1, 5}, (double[]){2.5, 0.5});
    check_line(&chart->lines[1], "a, on dev", 3, (double[]){5, 9, 12}, (double[]){1.5, 1.25, 1});
    check_line(&chart->lines[2], "b, in training", 1, (double[]){2}, (double[]){4});
    check_line(&chart->lines[3], "b, on dev", 1, (double[]){3}, (double[]){3});
    for (int i = 0; i < 4; i++)
        ck_assert(chart->lines[i].companion == (i % 2 == 1));
    ck_assert_int_eq(chart->mark_count, 1); /* the log of b knows no best */
    ck_assert_str_eq(chart->marks[0].name, "a, best at step 9");
    ck_assert(chart->marks[0].line == 1 && chart->marks[0].x == 9 && chart->marks[0].y == 1.25);
    const study_chart *others[] = {&find_chart(document, "Word error rate on dev")->chart,
                                   &find_chart(document, "Wrong tokens on dev, given the right ones before")->chart};
    ck_assert(others[0]->mark_count == 1 && others[0]->marks[0].y == 0.875 && others[0]->marks[0].line == 0);
    ck_assert(others[1]->mark_count == 1 && others[1]->marks[0].y == 0.25);
    ck_assert_int_eq(find_chart(document, "Learning rate")->chart.mark_count, 0);
    study_document_free(document);
    free(paths[0]);
    free(paths[1]);
}
END_TEST

START_TEST(the_losses_of_one_run_are_in_one_chart)
{
    char *path = write_log("a", "", FIRST);
    study_document *document = study_document_new("curves");
    ck_assert_int_eq(study_curves((const char *const[]){path}, 1, document, &error), AG_OK);
    const document_part *part = find_chart(document, "Loss");
    ck_assert(part && part->chart.line_count == 2);
    check_line(&part->chart.lines[0], "in training", 2, (double[]){1, 5}, (double[]){2.5, 0.5});
    check_line(&part->chart.lines[1], "on dev", 2, (double[]){5, 9}, (double[]){1.5, 1.25});
    ck_assert(!part->chart.lines[1].companion); /* there is no other run: each may have a colour */
    ck_assert(part->chart.mark_count == 1 && !strcmp(part->chart.marks[0].name, "best at step 9"));
    ck_assert_int_eq(count_charts(document), 5);
    study_document_free(document);
    free(path);
}
END_TEST

START_TEST(a_wide_range_is_logarithmic)
{
    for (int wide = 0; wide < 2; wide++) {
        char text[256];
        snprintf(text, sizeof text, "{\"step\":1,\"loss\":3,\"rate\":1}\n{\"step\":2,\"loss\":%s,\"rate\":0.001}\n",
                 wide ? "0.09" : "0.1");
        char *path = write_log("a", "", text);
        study_document *document = study_document_new("curves");
        ck_assert_int_eq(study_curves((const char *const[]){path}, 1, document, &error), AG_OK);
        ck_assert_int_eq(find_chart(document, "Loss")->chart.log_y, wide);
        ck_assert(!find_chart(document, "Learning rate")->chart.log_y);
        study_document_free(document);
        free(path);
    }
}
END_TEST

/* 101 values become 51 points: means of two, and the last alone. */
START_TEST(many_values_are_averaged)
{
    for (int count = 100; count <= 101; count++) {
        char text[16384], *end = text;
        for (int i = 0; i < count; i++)
            end += snprintf(end, 64, "{\"step\":%d,\"loss\":%d}\n", 10 * i, i);
        char *path = write_log("a", "", text);
        study_document *document = study_document_new("curves");
        ck_assert_int_eq(study_curves((const char *const[]){path}, 1, document, &error), AG_OK);
        const study_line *line = &find_chart(document, "Loss")->chart.lines[0];
        ck_assert_int_eq(line->count, count == 100 ? 100 : 51);
        ck_assert(line->x[1] == (count == 100 ? 10 : 25) && line->y[1] == (count == 100 ? 1 : 2.5));
        ck_assert(count == 100 || (line->x[50] == 1000 && line->y[50] == 100));
        bool told = document->last->kind == PART_TEXT;
        ck_assert_int_eq(told, count == 101);
        ck_assert_str_eq(document->first->cells[7 + 2], count == 100 ? "94.5" : "95"); /* of the last 10, or 11 */
        ck_assert(!told || strstr(document->last->text, "mean of up to 2 of them"));
        study_document_free(document);
        free(path);
    }
}
END_TEST

/* The names that runs in these folders get. */
static void check_names(int count, const char *const *folders, const char *const *names)
{
    char *paths[4];
    for (int i = 0; i < count; i++)
        paths[i] = write_log(folders[i], i % 3 == 0 ? "" : i % 3 == 1 ? "/" : "/log.jsonl", SECOND);
    study_document *document = study_document_new("curves");
    ck_assert_int_eq(study_curves((const char *const *)paths, count, document, &error), AG_OK);
    const study_chart *chart = &find_chart(document, "Learning rate")->chart;
    for (int i = 0; i < count; i++) {
        ck_assert_str_eq(document->first->cells[7 * (i + 1)], names[i]);
        if (count > 1)
            ck_assert_str_eq(chart->lines[i].name, names[i]);
        free(paths[i]);
    }
    study_document_free(document);
}

START_TEST(runs_are_named_by_their_folders)
{
    check_names(1, (const char *const[]){"run"}, (const char *const[]){"run"});
    check_names(3, (const char *const[]){"a", "b", "x/c"}, (const char *const[]){"a", "b", "c"});
    check_names(3, (const char *const[]){"a/run", "b/run", "c/d"}, (const char *const[]){"a/run", "b/run", "c/d"});
    char longer[512];
    const char *start = strrchr(folder, '/');
    while (start > folder && *--start != '/')
        ;
    snprintf(longer, sizeof longer, "%s/run", start + (*start == '/'));
    check_names(3, (const char *const[]){"x/a/run", "y/a/run", "run"},
                (const char *const[]){"x/a/run", "y/a/run", longer});
    check_names(4, (const char *const[]){"a/run", "b/run", "a/run", "a/run"},
                (const char *const[]){"a/run", "b/run", "a/run (2)", "a/run (3)"});
    check_names(2, (const char *const[]){"run", "run"}, (const char *const[]){"run", "run (2)"});
}
END_TEST

START_TEST(a_log_that_has_begun_has_no_charts)
{
    char *path = write_log("a", "", "{\"step\":1,\"lo");
    study_document *document = study_document_new("curves");
    ck_assert_int_eq(study_curves((const char *const[]){path}, 1, document, &error), AG_OK);
    ck_assert_int_eq(count_charts(document), 0);
    ck_assert_str_eq(document->first->cells[7 + 1], "0");
    ck_assert_str_eq(document->first->cells[7 + 2], "-");
    study_document_free(document);
    free(path);
}
END_TEST

/* A null of the log, first or later, is a gap, and never the least. */
START_TEST(what_is_not_finite_is_a_gap)
{
    char *path = write_log("a", "",
                           "{\"step\":1,\"dev_loss\":null,\"dev_loss_is\":\"NaN\"}\n{\"step\":2,\"dev_loss\":3}\n"
                           "{\"step\":3,\"dev_loss\":null}\n{\"step\":4,\"dev_loss\":2}\n");
    study_document *document = study_document_new("curves");
    ck_assert_msg(study_curves((const char *const[]){path}, 1, document, &error) == AG_OK, "%s", error.message);
    ck_assert_str_eq(document->first->cells[7 + 3], "2");
    ck_assert_str_eq(document->first->cells[7 + 4], "4");
    const document_part *part = document->first;
    while (part->kind != PART_CHART)
        part = part->next;
    const study_line *line = &part->chart.lines[1]; /* the first is that in training */
    ck_assert(line->count == 4 && isnan(line->y[0]) && line->y[1] == 3 && isnan(line->y[2]) && line->y[3] == 2);
    study_document_free(document);
    free(path);
}
END_TEST

START_TEST(bad_logs_are_refused)
{
    char *good = write_log("a", "", FIRST), *bad = write_log("b", "", FIRST "oh\n");
    study_document *document = study_document_new("curves");
    ck_assert_int_eq(study_curves((const char *const[]){good, bad}, 2, document, &error), AG_BAD_FILE);
    ck_assert_msg(strstr(error.message, "b/log.jsonl:5: an object was expected"), "%s", error.message);
    ck_assert_int_eq(study_curves((const char *const[]){good, "/none"}, 2, document, NULL), AG_IO);
    ck_assert_int_eq(study_curves(NULL, 0, document, NULL), AG_BAD_VALUE);
    ck_assert_ptr_null(document->first);
    study_document_free(document);
    free(good);
    free(bad);
}
END_TEST

static void check_same(const study_document *a, const study_document *b)
{
    const document_part *part = a->first, *other = b->first;
    for (int64_t i = 0; i < part->rows * part->columns; i++)
        ck_assert_str_eq(part->cells[i], other->cells[i]);
    for (; part->next; part = part->next, other = other->next)
        ck_assert(other->next && part->next->kind == other->next->kind);
    ck_assert_ptr_null(other->next);
}

START_TEST(every_allocation_may_fail)
{
    char *paths[3] = {write_log("a/run", "", FIRST), write_log("b/run", "", SECOND), write_log("b/run", "", SECOND)};
    study_document *expected = study_document_new("curves");
    bool whole = false;
    ck_assert_int_eq(study_curves((const char *const *)paths, 3, expected, &error), AG_OK);
    ck_assert_str_eq(expected->first->cells[21], "b/run (2)");
    for (int64_t n = 1; !whole; n++) {
        study_document *document = study_document_new("curves");
        error = (ag_error){0};
        test_fail_allocation(n);
        ag_status status = study_curves((const char *const *)paths, 3, document, &error);
        test_fail_allocation(0);
        whole = status == AG_OK && document->error.status == AG_OK;
        ck_assert(whole || (status == AG_NO_MEMORY && error.status == AG_NO_MEMORY) ||
                  document->error.status == AG_NO_MEMORY);
        if (whole) {
            ck_assert_int_gt(n, 50);
            check_same(expected, document);
        }
        study_document_free(document);
    }
    study_document_free(expected);
    for (int i = 0; i < 3; i++)
        free(paths[i]);
}
END_TEST

START_TEST(calibration_is_drawn)
{
    train_calibration found = {.count = 4, .error = 0.25};
    found.bins[3] = (train_calibration_bin){1, 0.25, 0};
    found.bins[14] = (train_calibration_bin){3, 0.95, 1};
    study_document *document = study_document_new("Calibration");
    ck_assert_int_eq(study_calibration_write(&found, document, &error), AG_OK);
    const document_part *part = find_chart(document, "Calibration");
    ck_assert_ptr_nonnull(part);
    check_line(&part->chart.lines[0], "answers", 2, (double[]){0.25, 0.95}, (double[]){0, 1});
    check_line(&part->chart.lines[1], "calibrated", 2, (double[]){0, 1}, (double[]){0, 1});
    ck_assert(document->first->kind == PART_TEXT && strstr(document->first->text, "calibration error is 25.00 %"));
    const document_part *table = document->last;
    ck_assert(table->kind == PART_TABLE && table->rows == 3 && table->columns == 4);
    static const char *const cells[] = {"0.200 to 0.267", "0.2500", "0.0000", "1",
                                        "0.933 to 1.000", "0.9500", "1.0000", "3"};
    for (int i = 0; i < 8; i++)
        ck_assert_str_eq(table->cells[4 + i], cells[i]);
    study_document_free(document);
    document = study_document_new("Calibration");
    ck_assert_int_eq(study_calibration_write(&(train_calibration){.count = 0}, document, &error), AG_BAD_VALUE);
    study_document_free(document);
}
END_TEST

static Suite *curves_suite(void)
{
    Suite *suite = suite_create("study_curves");
    TCase *tcase = tcase_create("curves");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, every_run_is_a_line_in_each_chart);
    tcase_add_test(tcase, calibration_is_drawn);
    tcase_add_test(tcase, the_losses_of_runs_are_in_one_chart);
    tcase_add_test(tcase, the_losses_of_one_run_are_in_one_chart);
    tcase_add_test(tcase, a_wide_range_is_logarithmic);
    tcase_add_test(tcase, many_values_are_averaged);
    tcase_add_test(tcase, runs_are_named_by_their_folders);
    tcase_add_test(tcase, a_log_that_has_begun_has_no_charts);
    tcase_add_test(tcase, what_is_not_finite_is_a_gap);
    tcase_add_test(tcase, bad_logs_are_refused);
    tcase_add_test(tcase, every_allocation_may_fail);
    suite_add_tcase(suite, tcase);
    return suite;
}

TEST_MAIN(curves_suite)
