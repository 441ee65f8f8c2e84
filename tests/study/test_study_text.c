/* test_study_text.c - documents in terminals of any width and any ground: folding, pieces
 * of maps and tables, colours; the two sides of an example and of a map; kinds. */
#include "check_util.h"
#include "document_util.h"
#include "sample_document.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static char *text_of(const study_document *document, int width, bool color)
{
    ag_error error = {0};
    char *text = study_document_text(document, &(study_text_options){.width = width, .color = color}, &error);
    ck_assert_msg(text != NULL, "%s", error.message);
    return text;
}

static char *heats_of(const study_heat *heats, int64_t count, int width, bool color)
{
    study_document *document = study_document_new(NULL);
    study_add_heats(document, heats, count, true);
    char *text = text_of(document, width, color);
    study_document_free(document);
    return text;
}

/* Without what steers a terminal, and isolates, which take no room. */
static void strip(char *text)
{
    char *to = text;
    for (const char *from = text; *from;)
        if (*from == '\033')
            from += strcspn(from, "m") + 1;
        else if (!strncmp(from, LABEL_ISOLATE, 3) || !strncmp(from, LABEL_ISOLATED, 3))
            from += 3;
        else
            *to++ = *from++;
    *to = 0;
}

/* The widest line, which is copied. */
static int widest(const char *text, char line[512])
{
    int most = 0;
    for (const char *at = text; *at; at += strcspn(at, "\n") + (at[strcspn(at, "\n")] == '\n')) {
        char own[4096];
        snprintf(own, sizeof own, "%.*s", (int)strcspn(at, "\n"), at);
        if (label_width(own, 0) > most) {
            most = label_width(own, 0);
            snprintf(line, 512, "%.500s", own);
        }
    }
    return most;
}

/* ---- Widths ------------------------------------------------------------------------ */

START_TEST(no_line_is_wider_than_the_terminal)
{
    static const int widths[] = {20, 24, 33, 40, 60, 80, 100, 132, 250};
    study_document *document = test_sample_document();
    study_add_text(document, "a_word_that_no_line_holds_%0150d and more", 7);
    study_add_heading(document,
                      "A heading of so many words that a narrow terminal has to break it, and break it again");
    for (size_t i = 0; i < sizeof widths / sizeof *widths; i++)
        for (int color = 0; color < 2; color++) {
            char line[512] = "", *text = text_of(document, widths[i], color);
            strip(text);
            const int found = widest(text, line);
            ck_assert_msg(found <= widths[i], "%d columns of %d: %s", found, widths[i], line);
            ck_assert_msg(widths[i] > 132 || found > widths[i] - 6, "%d columns of %d are used", found, widths[i]);
            free(text);
        }
    study_document_free(document);
}
END_TEST

START_TEST(widths_have_a_default_and_a_least)
{
    study_document *document = test_sample_document();
    char *wanted = text_of(document, 80, false), *found = study_document_text(document, NULL, NULL);
    ck_assert_str_eq(found, wanted);
    free(found);
    found = text_of(document, 0, false);
    ck_assert_str_eq(found, wanted);
    free(found);
    free(wanted);
    wanted = text_of(document, 20, false);
    found = text_of(document, 3, false);
    ck_assert_str_eq(found, wanted);
    free(found);
    free(wanted);
    study_document_free(document);
}
END_TEST

/* First the cells get narrow; then the columns go on below, all of them once, and the
 * note is there once. */
START_TEST(wide_maps_go_on_below)
{
    ag_real values[30] = {0};
    values[0] = values[19] = values[29] = 1;
    study_heat heat = {.title = "t", .note = "n", .rows = 1, .columns = 30, .values = values};
    char *text = heats_of(&heat, 1, 36, false);
    test_has(text, "0 #                  #         #\n"); /* one piece, a column each */
    ck_assert_uint_eq(test_count(text, "columns"), 0);
    free(text);
    text = heats_of(&heat, 1, 22, false);
    test_has(text, "t (columns 1 to 20 of\n30)\n");
    test_has(text, "0 #                  #\n");
    test_has(text, "t (columns 21 to 30 of\n30)\n");
    test_has(text, "  2222222222\n  0123456789\n0          #\nn\n");
    ck_assert_uint_eq(test_count(text, "\nn\n"), 1);
    free(text);
}
END_TEST

START_TEST(wide_tables_go_on_below)
{
    static const char *const cells[] = {"mask", "first column", "second column", "third column", "full",
                                        "1",    "22",           "words"};
    study_document *document = study_document_new(NULL);
    study_add_table(document, NULL, 2, 4, cells);
    char *text = text_of(document, 40, false);
    ck_assert_str_eq(text, "mask  first column  second column\n"
                           "----  ------------  -------------\n"
                           "full             1             22\n"
                           "\n"
                           "mask  third column\n"
                           "----  ------------\n"
                           "full  words\n");
    free(text);
    study_document_free(document);
}
END_TEST

/* Rows stand to the right of the head of their group, whose letters are bold. */
START_TEST(groups_are_indented)
{
    static const char *const cells[] = {"name", "ms", "the first group",  "3", "one", "2",
                                        "b",    "",   "a long name here", "1"};
    static const double keys[10] = {0};
    static const unsigned char starts[] = {0, 1, 0, 1, 0};
    study_document *document = study_document_new(NULL);
    study_add_sortable_table(document, NULL, 5, 2, cells, keys, starts);
    char *text = text_of(document, 40, false), *narrow = text_of(document, 24, true);
    ck_assert_str_eq(text, "name                ms\n"
                           "------------------  --\n"
                           "the first group      3\n"
                           "  one                2\n"
                           "b                     \n"
                           "  a long name here   1\n");
    test_has(narrow, "\033[1mthe first \xE2\x80\xA6   3\n\033[0m  one         2\n");
    test_has(narrow, "\n\033[0m  a long n\xE2\x80\xA6   1\n");
    free(narrow);
    free(text);
    study_document_free(document);
}
END_TEST

/* ---- Colours ----------------------------------------------------------------------- */

/* Of the 256 colours of terminals, 16 to 255, which no theme changes. */
static double luminance(int number)
{
    static const int steps[] = {0, 95, 135, 175, 215, 255};
    int parts[3];
    ck_assert_int_ge(number, 16);
    for (int i = 0, cube = number - 16; i < 3; i++) {
        parts[2 - i] = number >= 232 ? 8 + 10 * (number - 232) : steps[cube % 6];
        cube /= 6;
    }
    static const double weights[] = {0.2126, 0.7152, 0.0722};
    double sum = 0;
    for (int i = 0; i < 3; i++) {
        double share = parts[i] / 255.0;
        sum += weights[i] * (share <= 0.03928 ? share / 12.92 : pow((share + 0.055) / 1.055, 2.4));
    }
    return sum;
}

static double contrast(double a, double b)
{
    return (fmax(a, b) + 0.05) / (fmin(a, b) + 0.05);
}

/* The more, the darker; the least is the light ground of the map itself, the most is seen
 * on black. */
START_TEST(maps_read_on_any_ground)
{
    ag_real values[9];
    for (int i = 0; i < 9; i++)
        values[i] = (ag_real)i / 8;
    study_heat heat = {.title = "t", .rows = 1, .columns = 9, .values = values};
    char *text = heats_of(&heat, 1, 80, true), *at = strstr(text, "\n0 ");
    double before = 2, first = 0, last = 0;
    for (int i = 0; i < 9; i++) {
        at = strstr(at, "\033[48;5;") + strlen("\033[48;5;");
        last = luminance(atoi(at));
        first = i ? first : last;
        ck_assert_msg(contrast(before, last) > 1.05 && last < before, "cell %d: %g after %g", i, last, before);
        before = last;
    }
    ck_assert(contrast(first, 1) < 1.2);
    ck_assert_msg(contrast(last, 0) >= 3, "the most on black: %.2f", contrast(last, 0));
    ck_assert_msg(contrast(last, 1) >= 4.5, "the most on white: %.2f", contrast(last, 1));
    free(text);
}
END_TEST

/* Cells without a value have colours of their own for letters and ground: 3 : 1 at
 * least. */
START_TEST(marks_set_letters_and_ground)
{
    char *text = test_heats_text(&test_every_cell, 1, false, true);
    int count = 0;
    for (const char *at = text; (at = strstr(at, "38;5;")) != NULL; count++) {
        const int letters = atoi(at + 5);
        at += strcspn(at + 5, ";m") + 5;
        ck_assert_msg(!strncmp(at, ";48;5;", 6), "letters without a ground: %.20s", at);
        const double found = contrast(luminance(letters), luminance(atoi(at + 6)));
        ck_assert_msg(found >= 3, "%d on %d: %.2f", letters, atoi(at + 6), found);
    }
    ck_assert_int_eq(count, 9);
    free(text);
}
END_TEST

START_TEST(lines_are_seen_on_any_ground)
{
    static const double x[] = {0, 1}, y[] = {0, 1};
    study_line lines[8];
    for (int i = 0; i < 8; i++)
        lines[i] = (study_line){.name = "l", .count = 2, .x = x, .y = y};
    study_document *document = study_document_new(NULL);
    study_add_chart(document, &(study_chart){.title = "t", .lines = lines, .line_count = 8});
    char *text = text_of(document, 80, true);
    int count = 0, seen[256] = {0};
    for (const char *at = text; (at = strstr(at, "38;5;")) != NULL; at += 5) {
        const int number = atoi(at + 5);
        ck_assert_msg(contrast(luminance(number), 0) >= 3 && contrast(luminance(number), 1) >= 3, "%d", number);
        count += !seen[number]++;
    }
    ck_assert_int_eq(count, 8);
    free(text);
    study_document_free(document);
}
END_TEST

/* ---- Sides and kinds --------------------------------------------------------------- */

static const ag_real side_values[] = {1, 0.5, 0, 0, 1, 1};
static const unsigned char side_cells[] = {0, 0, 1, 0, 0, 0};
static const char *const side_labels[] = {"a", "b", "a"};
static const study_heat two_sides = {.title = "t",
                                     .rows = 2,
                                     .columns = 3,
                                     .values = side_values,
                                     .cells = side_cells,
                                     .column_labels = side_labels,
                                     .split = 2,
                                     .sides = {"source", "target"}};

START_TEST(a_line_stands_between_both_sides)
{
    char *text = heats_of(&two_sides, 1, 80, false), *picture = test_picture(&two_sides, "m");
    test_has(text, "t\n"
                   "  sou… | t…\n"
                   "   a b | a\n"
                   "0  # = | x\n"
                   "1    # | #\n");
    free(text);
    ck_assert_uint_eq(test_count(picture, "<path class=\"divider\""), 1);
    test_has(picture, ">source</text>");
    test_has(picture, "<title>0 -&gt; source b: 0.5</title>");
    test_has(picture, "<title>0 -&gt; target a: masked</title>");
    free(picture);
    study_heat heat = two_sides;
    heat.column_labels = NULL; /* each side counts from 0 */
    picture = test_picture(&heat, "m");
    test_has(picture, "<title>1 -&gt; target 0: 1</title>");
    free(picture);
    heat.split = 3; /* nothing on the other side */
    picture = test_picture(&heat, "m");
    test_has_no(picture, "divider");
    test_has(picture, "<title>1 -&gt; 2: 1</title>");
    free(picture);
}
END_TEST

START_TEST(kinds_are_called_by_their_names)
{
    static const char *const kinds[] = {"not at all", "through both", "at once"};
    static const ag_real values[] = {2, 1, 0};
    study_heat heat = two_sides;
    heat.rows = 1;
    heat.values = values;
    heat.kinds = kinds;
    heat.kind_count = 3;
    heat.split = 0;
    char *text = heats_of(&heat, 1, 80, false), *picture = test_picture(&heat, "m");
    test_has(text, "0  # = x\n");
    test_has(text, "# at once   = through both   x not at all\n");
    test_has_no(text, "0  .:"); /* no ramp of sizes */
    free(text);
    test_has(picture, "<title>0 -&gt; a: at once</title>");
    test_has(picture, "<title>0 -&gt; a: not at all</title>");
    test_has(picture, ">through both</text>");
    test_has_no(picture, "class=\"numbers\"");
    free(picture);
    heat.kind_count = 1;
    study_document *document = study_document_new(NULL);
    study_add_heats(document, &heat, 1, true);
    ag_error error = {0};
    ck_assert_ptr_null(study_document_text(document, NULL, &error));
    ck_assert_str_eq(error.message, "a map has 1 kinds: give 2 to 8");
    study_document_free(document);
}
END_TEST

/* Text written from right to left is isolated, alone and in labels, and nothing else
 * is. */
START_TEST(directions_stay_where_they_are)
{
    study_document *document = study_document_new(NULL);
    study_add_example(document, SAMPLE_LEFTWARD, "shalom", "a note");
    study_add_example(document, "shalom", SAMPLE_LEFTWARD " " SAMPLE_LEFTWARD, NULL);
    study_add_example(document, "only one", NULL, NULL);
    study_add_verdict(document, false, "it holds", "it does not");
    char *text = text_of(document, 80, false);
    ck_assert_str_eq(text, LABEL_ISOLATE SAMPLE_LEFTWARD LABEL_ISOLATED
                     " -> shalom (a note)\n\n"
                     "shalom -> " LABEL_ISOLATE SAMPLE_LEFTWARD " " SAMPLE_LEFTWARD LABEL_ISOLATED "\n\n"
                     "only one\n\n"
                     "Did NOT come true: it holds. Measured: it does not.\n");
    free(text);
    study_document_free(document);
    static const struct {
        const char *text;
        bool isolated;
    } cases[] = {{SAMPLE_LEFTWARD, true}, {"a\xD7\x90z", true}, {"\xD8\xA7", true}, {"abc", false},
                 {"\xE6\x97\xA5", false}, {"", false},          {"1 -> 2", false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pen p = {0};
        pen_put_label(&p, cases[i].text, 0, false);
        ck_assert(label_is_isolated(cases[i].text) == cases[i].isolated);
        ck_assert_uint_eq(test_count(p.text, LABEL_ISOLATE), cases[i].isolated);
        ck_assert_uint_eq(test_count(p.text, LABEL_ISOLATED), cases[i].isolated);
        free(p.text);
    }
}
END_TEST

static Suite *text_suite(void)
{
    Suite *suite = suite_create("study text");
    TCase *widths = tcase_create("widths");
    TCase *colours = tcase_create("colours");
    TCase *sides = tcase_create("sides");
    tcase_set_timeout(widths, 60);
    tcase_add_test(widths, no_line_is_wider_than_the_terminal);
    tcase_add_test(widths, widths_have_a_default_and_a_least);
    tcase_add_test(widths, wide_maps_go_on_below);
    tcase_add_test(widths, wide_tables_go_on_below);
    tcase_add_test(widths, groups_are_indented);
    suite_add_tcase(suite, widths);
    tcase_add_test(colours, maps_read_on_any_ground);
    tcase_add_test(colours, marks_set_letters_and_ground);
    tcase_add_test(colours, lines_are_seen_on_any_ground);
    suite_add_tcase(suite, colours);
    tcase_add_test(sides, a_line_stands_between_both_sides);
    tcase_add_test(sides, kinds_are_called_by_their_names);
    tcase_add_test(sides, directions_stay_where_they_are);
    suite_add_tcase(suite, sides);
    return suite;
}

TEST_MAIN(text_suite)
