/* test_study_charts.c - line charts, as pictures and as text: axes, gaps, ranges of any
 * size. */
#include "check_util.h"
#include "document_util.h"

#include "study/report/axis.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const double chart_x[] = {0, 1, 2, 3, 4}, chart_other[] = {1, 2, 3, 4, 5};

/* ---- Charts ------------------------------------------------------------------------ */

/* How many pieces the n-th line has. */
static size_t pieces(const char *picture, int line)
{
    pen mark = {0}, path = {0};
    pen_put(&mark, "<path class=\"line line-%d\"", line);
    const char *start = strstr(strstr(strstr(picture, mark.text), " d=\"M0 0") + 8, "");
    pen_put_bytes(&path, start, strcspn(start, "\""));
    size_t count = test_count(path.text, "M");
    free(mark.text);
    free(path.text);
    return count;
}

START_TEST(gaps_and_single_points)
{
    static const double x[] = {0, 1, 2, 3, NAN, 5, 6}, y[] = {1, 1, NAN, 2, 3, 1, INFINITY},
                        zeros[] = {1, 1, 0, 1, 1, -1, 1};
    static const study_line lines[] = {{.name = "a", .count = 7, .x = x, .y = y},
                                       {.name = "b", .count = 1, .x = x, .y = y},
                                       {.name = "c", .count = 7, .x = x, .y = zeros}};
    study_chart chart = {.title = "t", .lines = lines, .line_count = 3};
    char *picture = test_chart_picture(&chart, NULL);
    ck_assert_uint_eq(pieces(picture, 0), 3);
    ck_assert_uint_eq(pieces(picture, 1), 1);
    ck_assert_uint_eq(pieces(picture, 2), 2);
    ck_assert_uint_eq(test_count(picture, "<path class=\"dot-0\" transform="), 5); /* with the legend's */
    ck_assert_uint_eq(test_count(picture, " scale(4)\" d=\"M0 0m-1 0a"), 2); /* alone between gaps, circles of line 0 */
    ck_assert_uint_eq(test_count(picture, " scale(4)\" d=\"M0 0m-.9-.9h"), 1); /* a square of line 1 */
    test_has(picture, "<title>a at 3: 2</title>");
    free(picture);
    chart.log_y = true; /* 0 and -1 have no place */
    picture = test_chart_picture(&chart, NULL);
    ck_assert_uint_eq(pieces(picture, 2), 3);
    free(picture);
}
END_TEST

START_TEST(a_point_between_gaps_is_marked_on_long_lines_too)
{
    enum { POINTS = 200 };
    double x[POINTS], y[POINTS];
    for (int i = 0; i < POINTS; i++) {
        x[i] = i;
        y[i] = i > 95 && i < 105 && i != 100 ? NAN : 1;
    }
    study_line line = {.name = "l", .count = POINTS, .x = x, .y = y};
    char *picture = test_chart_picture(&(study_chart){.title = "t", .lines = &line, .line_count = 1}, NULL);
    ck_assert_uint_eq(test_count(picture, " scale(4)\" d="), 1);
    ck_assert_uint_eq(test_count(picture, " scale(3.5)\" d="), 9); /* some others, and the legend's */
    test_has(picture, "<title>l at 100: 1</title>");
    free(picture);
}
END_TEST

START_TEST(charts_without_data_say_so)
{
    static const double x[] = {1, 2}, y[] = {NAN, INFINITY}, low[] = {0, -1};
    static const study_line none[] = {{.name = "a", .count = 2, .x = x, .y = y},
                                      {.name = "b", .count = 0, .x = NULL, .y = NULL}},
                            negative[] = {{.name = "c", .count = 2, .x = x, .y = low}};
    const study_chart charts[] = {{.title = "t"},
                                  {.title = "t", .lines = none, .line_count = 2},
                                  {.title = "t", .lines = negative, .line_count = 1, .log_y = true}};
    for (int i = 0; i < 3; i++) {
        char *picture = test_chart_picture(&charts[i], NULL), *text = test_chart_text(&charts[i]);
        test_has(picture, ">no data</text>");
        test_has(text, "no data\n");
        free(picture);
        free(text);
    }
}
END_TEST

START_TEST(lines_are_told_apart_without_colour)
{
    study_line lines[40];
    for (int i = 0; i < 40; i++)
        lines[i] = (study_line){.name = "l", .count = 5, .x = chart_x, .y = chart_other};
    char *picture = test_chart_picture(&(study_chart){.title = "t", .lines = lines, .line_count = 40}, NULL);
    const char *at = strstr(picture, "</g>"); /* the legend's samples come after the plot */
    struct {
        int colour;
        char shape[64];
    } seen[40];
    for (int i = 0; i < 40; i++) {
        at = strstr(at, "<path class=\"dot-") + strlen("<path class=\"dot-");
        seen[i].colour = atoi(at);
        at = strstr(at, " d=\"") + 4;
        snprintf(seen[i].shape, sizeof seen[i].shape, "%.*s", (int)strcspn(at, "\""), at);
        for (int k = 0; k < i; k++) {
            const bool shapes_differ = strcmp(seen[k].shape, seen[i].shape) != 0;
            ck_assert(shapes_differ || seen[k].colour != seen[i].colour);
            ck_assert(shapes_differ || i >= 5); /* the first five by their shapes alone */
        }
    }
    free(picture);
}
END_TEST

/* A companion has the colour of the line before it and is dashed; the lines themselves
 * are whole, and told apart by the shapes of their points. */
START_TEST(companions_share_a_colour_and_differ_in_dash)
{
    static const study_line lines[] = {
        {.name = "full, measured", .count = 5, .x = chart_x, .y = chart_other},
        {.name = "full, possible", .count = 5, .x = chart_x, .y = chart_other, .companion = true},
        {.name = "causal, measured", .count = 5, .x = chart_x, .y = chart_other},
        {.name = "causal, possible", .count = 5, .x = chart_x, .y = chart_other, .companion = true}};
    const study_chart chart = {.title = "t", .lines = lines, .line_count = 4};
    char *picture = test_chart_picture(&chart, NULL);
    for (int colour = 0; colour < 2; colour++) { /* in the plot and in the legend */
        pen whole = {0}, dashed = {0}, shape = {0};
        pen_put(&whole, "<path class=\"line line-%d\" d=", colour);
        pen_put(&dashed, "<path class=\"line line-%d\" stroke-dasharray=\"9 4\" d=", colour);
        pen_put(&shape, "<path class=\"dot-%d\" transform=", colour);
        ck_assert_uint_eq(test_count(picture, whole.text), 2);
        ck_assert_uint_eq(test_count(picture, dashed.text), 2);
        ck_assert_uint_eq(test_count(picture, shape.text), 12);
        free(whole.text);
        free(dashed.text);
        free(shape.text);
    }
    test_has_no(picture, "class=\"line line-2\"");
    ck_assert_uint_eq(test_count(picture, "m-1 0a1 1"), 12);
    ck_assert_uint_eq(test_count(picture, "m-.9-.9h1.8"), 12);
    free(picture);
    char *text = test_chart_text(&chart);
    test_has(text, "* full, measured   o full, possible   + causal, measured   x causal, possible\n");
    free(text);
}
END_TEST

/* A ring around a point, told in the legend and in words; it is in sight where no line
 * reaches it. */
START_TEST(marks_point_out)
{
    static const study_line lines[] = {{.name = "a", .count = 5, .x = chart_x, .y = chart_other},
                                       {.name = "b", .count = 5, .x = chart_x, .y = chart_x}};
    static const study_mark marks[] = {{.name = "best at step 9", .line = 1, .x = 9, .y = 12},
                                       {.name = "no line", .line = 2, .x = 1, .y = 1},
                                       {.name = "no place", .line = 0, .x = 1, .y = NAN}};
    const study_chart chart = {.title = "t", .lines = lines, .line_count = 2, .marks = marks, .mark_count = 3};
    axis x, y;
    ck_assert(chart_axes(&chart, 5, 5, &x, &y));
    ck_assert(x.high >= 9 && y.high >= 12);
    char *picture = test_chart_picture(&chart, NULL), *text = test_chart_text(&chart);
    ck_assert_uint_eq(test_count(picture, "<title>best at step 9</title></circle>"), 2);
    ck_assert_uint_eq(test_count(picture, "<circle class=\"line line-1\""), 3); /* one in the plot, two explained */
    test_has(picture, ">best at step 9</text>");
    test_has(picture, " Marked: best at step 9.");
    test_has(text, "^\n");
    test_has(text, "   ^ best at step 9");
    free(picture);
    free(text);
}
END_TEST

/* A hundred thousand points: the mean, and a band from the lowest to the highest. */
START_TEST(many_points_stay_small)
{
    enum { POINTS = 100000 };
    double *x = malloc(POINTS * sizeof *x), *y = malloc(POINTS * sizeof *y);
    for (int i = 0; i < POINTS; i++) {
        x[i] = i;
        y[i] = i % 2 ? 1 : 3;
    }
    y[POINTS / 2] = 4;
    study_line line = {.name = "l", .count = POINTS, .x = x, .y = y};
    study_chart chart = {.title = "t", .lines = &line, .line_count = 1, .low = 0, .high = 4};
    char *picture = test_chart_picture(&chart, NULL);
    ck_assert_uint_lt(strlen(picture), 40000);
    test_has(picture, "<path class=\"dot-0\" fill-opacity=\"0.25\" d=\"M0 0M");
    test_has(picture, " 123h2V273h-2z"); /* 3 and 1 on an axis that is 300 high and ends at 348 */
    test_has(picture, " 48h2V273h-2z");  /* the one 4 */
    ck_assert_uint_eq(test_count(picture, "h2V"), 320);
    free(picture);
    free(x);
    free(y);
}
END_TEST

START_TEST(axes_have_round_numbers)
{
    static const struct {
        double low, high;
        bool log;
        int wanted;
        const char *ticks;
    } cases[] = {{0, 1, false, 5, "0 0.2 0.4 0.6 0.8 1 "},
                 {1000001, 1000005.5, false, 4, "1000001 1000002 1000003 1000004 1000005 "},
                 {-3, 7, false, 5, "-2 0 2 4 6 "},
                 {0, 19990, false, 8, "0 2000 4000 6000 8000 10000 12000 14000 16000 18000 "},
                 {1e-9, 3e-9, false, 4, "1e-09 1.5e-09 2e-09 2.5e-09 3e-09 "},
                 {-2e249, 5e249, false, 4, "-2e+249 0 2e+249 4e+249 "},
                 {0.01, 100, true, 6, "0.01 0.1 1 10 100 "},
                 {0.5, 9, true, 6, "0.5 1 2 5 "},
                 {0.05, 4, true, 4, "0.05 0.1 0.2 0.5 1 2 "},
                 {1, 1.5, true, 5, "1 1.1 1.2 1.3 1.4 1.5 "},
                 {1e-200, 1e200, true, 4, "1e-200 1e-99 100 1e+103 "}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double x[] = {cases[i].low, cases[i].high}, same[] = {1, 1};
        study_line line = {.name = "l", .count = 2, .x = cases[i].log ? same : x, .y = cases[i].log ? x : same};
        study_chart chart = {.title = "t", .lines = &line, .line_count = 1, .log_y = cases[i].log};
        if (cases[i].log) {
            chart.low = x[0];
            chart.high = x[1];
        }
        axis across, up;
        pen ticks = {0};
        ck_assert(chart_axes(&chart, cases[i].wanted, cases[i].wanted, &across, &up));
        const axis *a = cases[i].log ? &up : &across;
        for (int k = 0; k < a->tick_count; k++) {
            pen_put_number(&ticks, a->ticks[k], a->digits);
            pen_put(&ticks, " ");
        }
        ck_assert_str_eq(ticks.text, cases[i].ticks);
        free(ticks.text);
    }
}
END_TEST

/* Ranges that are nothing, tiny, or as wide as numbers go. */
START_TEST(axes_hold_all_points)
{
    static const double ranges[][2] = {{0, 0},          {5, 5},           {-5, -5},         {1e16, 1e16 + 2},
                                       {-9e249, 9e249}, {1e-249, 9e249},  {1e-249, 1e-249}, {3, 3.1},
                                       {0.4, 3},        {-1e-320, 1e-320}};
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
        for (int log = 0; log < 2; log++) {
            study_line line = {.name = "l", .count = 2, .x = ranges[i], .y = ranges[i]};
            study_chart chart = {.title = "t", .lines = &line, .line_count = 1, .log_y = log};
            axis x, y;
            if (!chart_axes(&chart, 6, 6, &x, &y))
                continue;
            for (int k = 0; k < 2; k++) {
                if (!chart_has_point(&chart, &line, k))
                    continue;
                double across = axis_share(&x, ranges[i][k]), up = axis_share(&y, ranges[i][k]);
                if (ranges[i][0] == ranges[i][1]) /* one place stands in the middle */
                    ck_assert(fabs(across - 0.5) < 1e-6 && (up > 0.2 && up < 0.8));
                ck_assert_msg(across >= 0 && across <= 1, "%g of %zu", across, i);
                ck_assert_msg(up >= 0 && up <= 1, "%g of %zu", up, i);
            }
            ck_assert_int_gt(y.tick_count, 1);
            char *picture = test_chart_picture(&chart, NULL), *text = test_chart_text(&chart);
            test_has_no(picture, "NaN");
            test_has_no(picture, "infinity");
            free(picture);
            free(text);
        }
}
END_TEST

START_TEST(what_is_outside_a_given_range_is_cut_off)
{
    static const double x[] = {0, 1, 2}, y[] = {0.5, 1e240, -1e240};
    static const study_line line = {.name = "l", .count = 3, .x = x, .y = y};
    study_chart chart = {.title = "t", .lines = &line, .line_count = 1, .low = 0, .high = 1};
    char *picture = test_chart_picture(&chart, "c"), *text = test_chart_text(&chart);
    test_has(picture, "<g clip-path=\"url(#c-plot)\">");
    test_has_no(picture, "00000000");
    test_has(text, "1 +");
    free(picture);
    free(text);
}
END_TEST

START_TEST(a_chart_as_text)
{
    static const double x[] = {0, 1, 2, 3}, y[] = {0, 1, NAN, 0}, other[] = {1, 0.5, 0.5, 0.5};
    static const study_line lines[] = {{.name = "train", .count = 4, .x = x, .y = y},
                                       {.name = "dev", .count = 1, .x = x, .y = other}};
    char *text = test_chart_text(&(study_chart){
        .title = "loss", .x_axis = "step", .y_axis = "bits", .lines = lines, .line_count = 2, .low = 0, .high = 1});
    static const char *const wanted[] = {
        "loss",
        "bits",
        "  1 +o                       *",
        "    |                      **",
        "    |                     *",
        "0.8 +                   **",
        "    |                 **",
        "    |                *",
        "0.6 +              **",
        "    |             *",
        "    |           **",
        "0.4 +         **",
        "    |        *",
        "    |      **",
        "0.2 +     *",
        "    |   **",
        "    | **",
        "  0 +*                                                                      *",
        "    ++-----------+-----------+-----------+----------+-----------+-----------+",
        "     0          0.5          1          1.5         2          2.5          3",
        "                                                                         step",
        "* train   o dev"};
    const char *at = text;
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        ck_assert_msg(strncmp(at, wanted[i], strlen(wanted[i])) == 0 && at[strlen(wanted[i])] == '\n',
                      "line %zu: '%s' in\n%s", i, wanted[i], text);
        at += strlen(wanted[i]) + 1;
    }
    ck_assert_str_eq(at, "");
    free(text);
}
END_TEST

/* Numbers below an axis do not run into each other. */
START_TEST(crowded_numbers_are_left_out)
{
    static const double x[] = {1000000.001, 1000000.0045}, y[] = {1, 2};
    static const study_line line = {.name = "l", .count = 2, .x = x, .y = y};
    study_chart chart = {.title = "t", .lines = &line, .line_count = 1};
    char *text = test_chart_text(&chart);
    char *picture = test_chart_picture(&chart, NULL);
    ck_assert_uint_eq(test_count(picture, ">1000000.00"), 4);
    free(picture);
    test_has(text, "     1000000.001    1000000.002          1000000.003         1000000.004\n");
    free(text);
}
END_TEST

/* Powers are straight lines, and what is not above 0 has no place. */
START_TEST(both_axes_may_be_logarithmic)
{
    static const double x[] = {1e-8, 1e-6, 1e-4, 1e-2, 1, 0, -1}, y[] = {1e-16, 1e-12, 1e-8, 1e-4, 1, 1, 1};
    static const study_line line = {.name = "h^2", .count = 7, .x = x, .y = y};
    static const study_mark mark = {.name = "nowhere", .x = 0, .y = 1};
    const study_chart chart = {.title = "t",
                               .x_axis = "step",
                               .y_axis = "error",
                               .lines = &line,
                               .line_count = 1,
                               .log_x = true,
                               .log_y = true,
                               .marks = &mark,
                               .mark_count = 1};
    axis across, up;
    ck_assert(chart_axes(&chart, 4, 4, &across, &up));
    ck_assert(across.low == 1e-8 && across.high == 1);
    ck_assert_int_eq(across.tick_count, 3);
    ck_assert_double_eq_tol(axis_share(&across, 1e-4), 0.5, 1e-12);
    ck_assert_double_eq_tol(axis_share(&up, 1e-8), 0.5, 1e-12);
    ck_assert(chart_has_point(&chart, &line, 4) && !chart_has_point(&chart, &line, 5));
    ck_assert(!chart_has_point(&chart, &line, 6) && !chart_has_mark(&chart, &mark));
    char *text = test_chart_text(&chart), *picture = test_chart_picture(&chart, NULL);
    test_has(text, "step (logarithmic)\n");
    test_has(text, "\n1e-07 +");
    test_has(picture, ">step (logarithmic)</text>");
    free(text);
    free(picture);
}
END_TEST

static Suite *charts_suite(void)
{
    Suite *suite = suite_create("study charts");
    TCase *charts = tcase_create("charts");
    tcase_add_test(charts, gaps_and_single_points);
    tcase_add_test(charts, both_axes_may_be_logarithmic);
    tcase_add_test(charts, a_point_between_gaps_is_marked_on_long_lines_too);
    tcase_add_test(charts, charts_without_data_say_so);
    tcase_add_test(charts, lines_are_told_apart_without_colour);
    tcase_add_test(charts, companions_share_a_colour_and_differ_in_dash);
    tcase_add_test(charts, marks_point_out);
    tcase_add_test(charts, many_points_stay_small);
    tcase_add_test(charts, axes_have_round_numbers);
    tcase_add_test(charts, axes_hold_all_points);
    tcase_add_test(charts, what_is_outside_a_given_range_is_cut_off);
    tcase_add_test(charts, a_chart_as_text);
    tcase_add_test(charts, crowded_numbers_are_left_out);
    suite_add_tcase(suite, charts);
    return suite;
}

TEST_MAIN(charts_suite)
