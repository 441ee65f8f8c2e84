/* test_study_document.c - documents hold what they were given, and show it as text. */
#include "check_util.h"
#include "document_util.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const double chart_x[] = {0, 1, 2, 3, 4};
static const char *const letters[] = {"a", "b", "c"};

/* ---- Building ---------------------------------------------------------------------- */

START_TEST(a_document_copies_all)
{
    char text[] = "text", name[] = "label", title[] = "title";
    const char *labels[] = {name, name}, *cells[] = {text, name};
    ag_real values[] = {(ag_real)0.5, 1, 0, 0};
    unsigned char states[] = {STUDY_SEEN, STUDY_SEEN, STUDY_MASKED, STUDY_SEEN};
    double x[] = {1, 2}, y[] = {3, 4};
    study_line line = {.name = name, .count = 2, .x = x, .y = y};
    study_chart chart = {.title = title, .x_axis = name, .y_axis = name, .lines = &line, .line_count = 1};
    study_heat heat = {.group = text,
                       .title = title,
                       .note = name,
                       .rows = 2,
                       .columns = 2,
                       .values = values,
                       .cells = states,
                       .row_axis = name,
                       .column_axis = name,
                       .row_labels = labels,
                       .column_labels = labels};
    study_document *document = study_document_new(title);
    study_add_heading(document, text);
    study_add_text(document, "%s %d", name, 7);
    study_add_table(document, text, 1, 2, cells);
    study_add_heats(document, &heat, 1, true);
    study_add_chart(document, &chart);
    char *before = test_text(document, true);
    memset(text, '?', 4);
    memset(name, '?', 5);
    memset(title, '?', 5);
    memset(values, 0, sizeof values);
    memset(states, 2, sizeof states);
    memset(x, 0, sizeof x);
    memset(y, 0, sizeof y);
    labels[0] = labels[1] = cells[0] = cells[1] = NULL;
    line = (study_line){0};
    heat = (study_heat){0};
    chart = (study_chart){0};
    char *after = test_text(document, true);
    ck_assert_str_eq(before, after);
    test_has(after, "label 7");
    free(before);
    free(after);
    study_document_free(document);
}
END_TEST

START_TEST(no_document_takes_nothing)
{
    ag_error error = {0};
    study_add_heading(NULL, "h");
    study_add_text(NULL, "%d", 1);
    study_add_table(NULL, "t", 1, 1, letters);
    study_add_heats(NULL, &test_every_cell, 1, false);
    study_add_chart(NULL, &test_two_lines);
    study_document_free(NULL);
    ck_assert_ptr_null(study_document_text(NULL, NULL, &error));
    ck_assert_int_eq(error.status, AG_NO_MEMORY);
    ck_assert_int_eq(study_document_save_pictures(NULL, "/nowhere/at/all", NULL), AG_NO_MEMORY);
}
END_TEST

START_TEST(the_first_error_stays)
{
    ag_error error = {0};
    study_document *document = study_document_new("t");
    study_heat heat = test_every_cell;
    heat.rows = -3;
    study_add_heading(document, "before");
    study_add_heats(document, &heat, 1, false);
    study_add_table(document, "t", INT64_MAX, 2, letters);
    study_add_heading(document, "behind");
    ck_assert_ptr_null(study_document_text(document, NULL, &error));
    ck_assert_int_eq(error.status, AG_BAD_SHAPE);
    ck_assert_str_eq(error.message, "a document takes no table or map of -3 rows and 3 columns");
    study_document_free(document);

    static const study_line none = {.name = "n", .count = -1, .x = chart_x, .y = chart_x};
    document = study_document_new("t");
    study_add_chart(document, &(study_chart){.title = "t", .lines = &none, .line_count = 1});
    ck_assert_ptr_null(study_document_text(document, NULL, NULL));
    study_document_free(document);
    document = study_document_new("t");
    study_add_table(document, "t", (int64_t)1 << 33, (int64_t)1 << 33, letters); /* 2^66 cells, not 0 */
    ck_assert_ptr_null(study_document_text(document, NULL, NULL));
    study_document_free(document);
}
END_TEST

START_TEST(an_empty_document_is_an_empty_text)
{
    study_document *document = study_document_new(NULL);
    char *text = test_text(document, false);
    ck_assert_str_eq(text, "");
    free(text);
    study_document_free(document);
}
END_TEST

/* The document in every form for files. */
static ag_status save_all(const study_document *document, const char *folder, ag_error *error)
{
    char path[512];
    ag_status status = study_document_save_pictures(document, folder, error);
    snprintf(path, sizeof path, "%s/document.txt", folder);
    if (status == AG_OK)
        status = study_document_save_text(document, path, error);
    snprintf(path, sizeof path, "%s/document.svg", folder);
    if (status == AG_OK)
        status = study_document_save_picture(document, path, error);
    return status;
}

START_TEST(a_file_of_text_is_the_text)
{
    char *folder = test_folder_new(), *path = test_path(folder, "a.txt");
    study_document *document = study_document_new("title");
    study_add_text(document, "some %s", "words");
    ck_assert_int_eq(study_document_save_text(document, path, NULL), AG_OK);
    char *file = test_file_read(folder, "a.txt", NULL), *text = test_text(document, false);
    ck_assert_str_eq(file, text);
    ck_assert_int_eq(study_document_save_text(document, folder, NULL), AG_IO);
    ck_assert_int_eq(study_document_save_text(NULL, path, NULL), AG_NO_MEMORY);
    free(file);
    free(text);
    study_document_free(document);
    free(path);
    test_folder_remove(folder);
}
END_TEST

/* All of it: what a document of every kind of part takes, with the n-th allocation
 * failing. */
static ag_status build_and_show(const char *folder, char **text, ag_error *error)
{
    study_document *document = study_document_new("title");
    study_heat large = test_every_cell;
    ag_real values[70] = {0};
    large.values = values;
    large.cells = NULL;
    large.row_labels = large.column_labels = NULL;
    large.rows = 1;
    large.columns = 70;
    study_add_heading(document, "heading");
    study_add_text(document, "some %s", "words");
    study_add_table(document, "caption", 3, 1, letters);
    study_add_heats(document, (const study_heat[]){test_every_cell, large}, 2, true);
    study_add_chart(document, &test_two_lines);
    study_add_sortable_table(document, "sorted", 3, 1, letters, (const double[]){0, 2, 1},
                             (const unsigned char[]){0, 1, 0});
    study_add_graph(document, &(study_graph){.title = "graph",
                                             .nodes = (const study_graph_node[]){{.name = "x", .text = "1\n2"},
                                                                                 {.name = "y", .note = "note"}},
                                             .node_count = 2,
                                             .edges = &(const study_graph_edge){0, 1, "dy/dx", "note"},
                                             .edge_count = 1});
    *text = study_document_text(document, &(study_text_options){.color = true}, error);
    const ag_status status = *text ? save_all(document, folder, error) : error->status;
    study_document_free(document);
    return status;
}

START_TEST(every_allocation_may_fail)
{
    char *folder = test_folder_new(), *wanted, *text;
    ag_error error = {0};
    ck_assert_int_eq(build_and_show(folder, &wanted, &error), AG_OK);
    for (int64_t n = 1;; n++) {
        int64_t before = test_allocations();
        error = (ag_error){0};
        test_fail_allocation(n);
        ag_status status = build_and_show(folder, &text, &error);
        test_fail_allocation(0);
        if (test_allocations() - before < n) {
            ck_assert_int_eq(status, AG_OK);
            ck_assert_str_eq(text, wanted);
            ck_assert_int_gt(n, 100);
            free(text);
            break;
        }
        ck_assert_msg(status == AG_NO_MEMORY, "allocation %lld: %s", (long long)n, error.message);
        free(text);
    }
    free(wanted);
    test_folder_remove(folder);
}
END_TEST

/* ---- The pen ----------------------------------------------------------------------- */

START_TEST(numbers_are_the_same_in_every_locale)
{
    pen p = {0};
    pen_put_number(&p, 0.125, 3);
    pen_put(&p, " ");
    pen_put_number(&p, -1234567, 3);
    pen_put(&p, " ");
    pen_put_number(&p, -0.0, 3);
    pen_put(&p, " ");
    pen_put_fixed(&p, 2.50, 2);
    pen_put(&p, " ");
    pen_put_fixed(&p, -0.001, 2);
    pen_put(&p, " ");
    pen_put_fixed(&p, 100, 2);
    pen_put(&p, " ");
    pen_put_number(&p, (double)NAN, 3);
    pen_put(&p, " ");
    pen_put_fixed(&p, -INFINITY, 3);
    ck_assert_str_eq(p.text, "0.125 -1.23e+06 0 2.5 0 100 NaN -infinity");
    free(p.text);
}
END_TEST

START_TEST(escaping)
{
    static const struct {
        const char *text, *wanted;
    } cases[] = {{"a<b>&\"'", "a&lt;b&gt;&amp;&quot;&#39;"},
                 {"tab\tline\n", "tab\tline\n"},
                 {"\x01\x7F\r\x1B[0m", "\xE2\x90\x81\xE2\x90\xA1\xE2\x90\x8D\xE2\x90\x9B[0m"},
                 {"\xE2\x80\xAE\xE2\x81\xA6"
                  "x\xE2\x80\x8D",
                  "\xEF\xBF\xBD\xEF\xBF\xBDx\xE2\x80\x8D"},
                 {"\xC2\x85\xC2\xA0", "\xEF\xBF\xBD\xC2\xA0"},
                 {"\xEF\xBF\xBF\xEF\xBF\xBD", "\xEF\xBF\xBD\xEF\xBF\xBD"},
                 {"\xC3", "\xEF\xBF\xBD"},
                 {"\xED\xA0\x80z", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBDz"},
                 {"\xC3\xA4\xE6\x97\xA5\xF0\x9F\x98\x80", "\xC3\xA4\xE6\x97\xA5\xF0\x9F\x98\x80"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pen p = {0};
        pen_put_escaped(&p, cases[i].text);
        ck_assert_str_eq(p.text, cases[i].wanted);
        free(p.text);
    }
    pen p = {0};
    pen_put_escaped(&p, NULL);
    ck_assert_uint_eq(p.length, 0);
}
END_TEST

START_TEST(labels_have_the_width_that_they_say)
{
    static const struct {
        const char *text;
        int columns, width;
        const char *wanted;
    } cases[] = {{"abc", 0, 3, "abc"},
                 {"abc", 3, 3, "abc"},
                 {"abcd", 3, 3, "ab\xE2\x80\xA6"},
                 {" a b ", 0, 5,
                  "\xE2\x90\xA3"
                  "a b\xE2\x90\xA3"},
                 {"  ", 0, 2, "\xE2\x90\xA3\xE2\x90\xA3"},
                 {"\n\x1B\x7F", 0, 3, "\xE2\x90\x8A\xE2\x90\x9B\xE2\x90\xA1"},
                 {"\xE6\x97\xA5\xE6\x9C\xAC", 0, 4, "\xE6\x97\xA5\xE6\x9C\xAC"},
                 {"\xE6\x97\xA5\xE6\x9C\xAC\xE8\xAA\x9E", 4, 3, "\xE6\x97\xA5\xE2\x80\xA6"},
                 {"e\xCC\x81x", 0, 2, "e\xCC\x81x"},
                 {"\xE2\x80\xAE"
                  "a\xFF",
                  0, 3,
                  "\xEF\xBF\xBD"
                  "a\xEF\xBF\xBD"},
                 {"\xF0\x9F\x98\x80", 0, 2, "\xF0\x9F\x98\x80"},
                 {"", 5, 0, ""},
                 {NULL, 5, 0, ""}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pen p = {0};
        pen_put(&p, "%s", "");
        pen_put_label(&p, cases[i].text, cases[i].columns, false);
        ck_assert_str_eq(p.text, cases[i].wanted);
        ck_assert_int_eq(label_width(cases[i].text, cases[i].columns), cases[i].width);
        free(p.text);
    }
}
END_TEST

START_TEST(labels_come_in_glyphs)
{
    pen p = {0};
    ck_assert_int_eq(pen_put_glyph(&p, "e\xCC\x81\xE6\x97\xA5x", 0), 1);
    ck_assert_int_eq(pen_put_glyph(&p, "e\xCC\x81\xE6\x97\xA5x", 1), 2);
    ck_assert_int_eq(pen_put_glyph(&p, "e\xCC\x81\xE6\x97\xA5x", 2), 1);
    ck_assert_int_eq(pen_put_glyph(&p, "e\xCC\x81\xE6\x97\xA5x", 3), 0);
    ck_assert_int_eq(pen_put_glyph(&p, "e\xCC\x81\xE6\x97\xA5x", -1), 0);
    ck_assert_str_eq(p.text, "e\xCC\x81\xE6\x97\xA5x");
    free(p.text);
}
END_TEST

/* ---- As text ----------------------------------------------------------------------- */

START_TEST(a_heat_map_as_plain_text)
{
    char *text = test_heats_text(&test_every_cell, 1, false, false);
    ck_assert_str_eq(text, "layer 1, head 0\n"
                           "query\\key  x y z\n"
                           "        a  : x !\n"
                           "        b  * ? x\n"
                           "    <eos>  #   _\n"
                           "entropy 1.25 bits\n"
                           "\n"
                           "0  .:-=+*%# 1   x masked   _ padding   ! masked, yet not 0   ? not finite\n");
    free(text);
}
END_TEST

START_TEST(a_heat_map_in_colour)
{
    char *text = test_heats_text(&test_every_cell, 1, false, true);
    ck_assert_uint_eq(test_count(text, "\033[38;5;240;48;5;254m//\033[0m"), 3); /* with the key */
    ck_assert_uint_eq(test_count(text, "\033[1;38;5;231;48;5;160m!!\033[0m"), 2);
    ck_assert_uint_eq(test_count(text, "\033[1;38;5;231;48;5;160m?\?\033[0m"), 2);
    ck_assert_uint_eq(test_count(text, "\033[38;5;238;48;5;249m__\033[0m"), 2);
    test_has(text, "\033[48;5;25m  \033[0m\033[48;5;231m  \033[0m"); /* 1 and 0 */
    test_has(text, "\033[48;5;153m  \033[0m");                       /* 0.25 */
    free(text);
}
END_TEST

START_TEST(padding_greys_its_labels)
{
    static const unsigned char cells[] = {0, 2, 2, 2};
    static const ag_real values[] = {1, 0, 0, 0};
    static const char *const labels[] = {"p", "q"};
    study_heat heat = {.title = "t",
                       .rows = 2,
                       .columns = 2,
                       .values = values,
                       .cells = cells,
                       .row_labels = labels,
                       .column_labels = labels};
    char *text = test_heats_text(&heat, 1, false, true), *picture = test_picture(&heat, NULL);
    ck_assert_uint_eq(test_count(text, "\033[2mq\033[0m"), 2);
    ck_assert_uint_eq(test_count(text, "\033[2mp\033[0m"), 0);
    ck_assert_uint_eq(test_count(picture, "<text class=\"label padded"), 2);
    free(text);
    free(picture);
}
END_TEST

/* A cell is as wide as the labels where that fits; else these are written downward. */
START_TEST(labels_of_columns_find_a_place)
{
    enum { COLUMNS = 14 };
    static const char *labels[COLUMNS];
    ag_real values[COLUMNS] = {0};
    study_heat heat = {.title = "t", .rows = 1, .columns = 3, .values = values, .column_labels = labels};
    for (int j = 0; j < COLUMNS; j++)
        labels[j] = j == 1 ? "bcdefgh" : "\xE6\x97\xA5";
    values[1] = 1;
    char *text = test_heats_text(&heat, 1, false, false);
    test_has(text, "t\n        \xE6\x97\xA5 bcdefgh      \xE6\x97\xA5\n0                #        \n");
    free(text);
    heat.columns = COLUMNS;
    text = test_heats_text(&heat, 1, false, false);
    test_has(text, "t\n"
                   "     b                        \n"
                   "     c                        \n");
    test_has(text, "     g                        \n"
                   "  \xE6\x97\xA5 h\xE6\x97\xA5\xE6\x97\xA5");
    free(text);
}
END_TEST

START_TEST(maps_stand_side_by_side_where_they_fit)
{
    static const ag_real values[] = {1, 0};
    study_heat heats[] = {{.title = "one", .rows = 1, .columns = 2, .values = values},
                          {.title = "two", .note = "a note", .rows = 2, .columns = 1, .values = values, .high = 2}};
    char *text = test_heats_text(heats, 2, true, false);
    ck_assert_str_eq(text, "one       two (0 to 2)\n"
                           "   0 1       0\n"
                           "0  #      0  =\n"
                           "          1   \n"
                           "          a note\n"
                           "\n"
                           "0  .:-=+*%# high\n");
    free(text);
    text = test_heats_text(heats, 2, false, false);
    test_has(text, "one\n   0 1\n0  #  \n\ntwo");
    free(text);
}
END_TEST

START_TEST(a_table_as_text)
{
    static const char *const cells[] = {"mask",         "left", "note", "full", "1.00", "-",
                                        "\xE6\x97\xA5", "-",    "7",    "none", "-0.5", "last\n\x1B[1m"};
    study_document *document = study_document_new("The title");
    study_add_heading(document, "A heading");
    study_add_table(document, "the caption", 4, 3, cells);
    study_add_table(document, NULL, 0, 3, cells);
    study_add_table(document, NULL, 3, 0, NULL);
    char *text = test_text(document, false);
    ck_assert_str_eq(text, "The title\n=========\n"
                           "\nA heading\n---------\n"
                           "\nthe caption\n"
                           "mask  left  note\n"
                           "----  ----  ---------\n"
                           "full  1.00  -\n"
                           "\xE6\x97\xA5       -  7\n"
                           "none  -0.5  last\xE2\x90\x8A\xE2\x90\x9B[1m\n"
                           "\n\n");
    free(text);
    study_document_free(document);
}
END_TEST

START_TEST(paragraphs_are_broken_between_words)
{
    study_document *document = study_document_new(NULL);
    char words[256] = "";
    for (int i = 0; i < 24; i++)
        strcat(words, i == 7 ? "end.\n\n  " : "words ");
    study_add_text(document, "%s\033[2J", words);
    char *text = test_text(document, false);
    ck_assert_str_eq(
        text, "words words words words words words words end.\n\n"
              "  words words words words words words words words words words words words words words words words\n"
              "\xE2\x90\x9B[2J\n");
    free(text);
    study_document_free(document);
}
END_TEST

static Suite *document_suite(void)
{
    Suite *suite = suite_create("study document");
    TCase *build = tcase_create("build");
    TCase *pens = tcase_create("pens");
    TCase *texts = tcase_create("texts");
    tcase_set_timeout(build, 60);
    tcase_add_test(build, a_document_copies_all);
    tcase_add_test(build, no_document_takes_nothing);
    tcase_add_test(build, the_first_error_stays);
    tcase_add_test(build, an_empty_document_is_an_empty_text);
    tcase_add_test(build, a_file_of_text_is_the_text);
    tcase_add_test(build, every_allocation_may_fail);
    suite_add_tcase(suite, build);
    tcase_add_test(pens, numbers_are_the_same_in_every_locale);
    tcase_add_test(pens, escaping);
    tcase_add_test(pens, labels_have_the_width_that_they_say);
    tcase_add_test(pens, labels_come_in_glyphs);
    suite_add_tcase(suite, pens);
    tcase_add_test(texts, a_heat_map_as_plain_text);
    tcase_add_test(texts, a_heat_map_in_colour);
    tcase_add_test(texts, padding_greys_its_labels);
    tcase_add_test(texts, labels_of_columns_find_a_place);
    tcase_add_test(texts, maps_stand_side_by_side_where_they_fit);
    tcase_add_test(texts, a_table_as_text);
    tcase_add_test(texts, paragraphs_are_broken_between_words);
    suite_add_tcase(suite, texts);
    return suite;
}

TEST_MAIN(document_suite)
