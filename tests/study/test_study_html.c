/* test_study_html.c - reports: they are well-formed, complete, the same each time,
 * harmless whatever a label holds, and written whole or not at all.
 * tests/browser/report.mjs checks them in a browser. */
#include "check_util.h"
#include "html_util.h"
#include "sample_document.h"
#include "sha256.h"
#include "train_fixture.h"

#include <stdio.h>
#include <string.h>

static ag_error error;

/* The document as HTML, to be freed. */
static char *save(const study_document *document)
{
    char *folder = test_folder_new(), path[512];
    size_t size;
    snprintf(path, sizeof path, "%s/report.html", folder);
    error = (ag_error){0};
    ck_assert_msg(study_document_save(document, path, &error) == AG_OK, "%s", error.message);
    char *html = test_file_read(folder, "report.html", &size);
    ck_assert_uint_eq(strlen(html), size);
    test_folder_remove(folder);
    return html;
}

static char *save_sample(void)
{
    study_document *document = test_sample_document();
    char *html = save(document);
    study_document_free(document);
    return html;
}

static int occurrences(const char *text, const char *what)
{
    int count = 0;
    for (; (text = strstr(text, what)); text += strlen(what))
        count++;
    return count;
}

/* ---- Well-formed ------------------------------------------------------------------- */

START_TEST(the_page_is_well_formed)
{
    char *html = save_sample();
    test_check_html(html);
    static const char *const once[] = {"<html lang=\"en\">",
                                       "<meta charset=\"utf-8\">",
                                       "<meta name=\"viewport\"",
                                       "default-src 'none'",
                                       "<title>A sample &amp; its &lt;parts&gt;</title>",
                                       "<h1>A sample &amp; its &lt;parts&gt;</h1>",
                                       "</html>\n",
                                       "<main>",
                                       "<script",
                                       "<style>",
                                       "<nav aria-label=",
                                       "<caption>Accuracy by mask</caption>",
                                       "<th scope=\"row\">causal</th><td class=\"number\">0.562</td>"};
    for (size_t i = 0; i < sizeof once / sizeof *once; i++)
        ck_assert_msg(occurrences(html, once[i]) == 1, "%d x %s", occurrences(html, once[i]), once[i]);
    ck_assert_int_eq(occurrences(html, "<h2"), 4);
    ck_assert_int_eq(occurrences(html, "<h3"), 4); /* the groups */
    ck_assert_int_eq(occurrences(html, "<figure"), 16);
    ck_assert_int_eq(occurrences(html, "<figcaption"), 16);
    ck_assert_int_eq(occurrences(html, "<svg"), 29);
    ck_assert_int_eq(occurrences(html, " role=\"img\" "), 16);
    ck_assert_int_eq(occurrences(html, "class=\"study-picture rows\" aria-hidden=\"true\""), 13); /* of the maps */
    *strstr(html, "<script>") = 0;
    ck_assert_ptr_null(strstr(strstr(html, "<body>"), " hidden")); /* without the script all is seen */
    free(html);
}
END_TEST

/* ---- Nothing from outside, no harm from inside ------------------------------------- */

START_TEST(nothing_comes_from_the_network)
{
    char *html = save_sample(), *at = html;
    while ((at = strstr(at, "://"))) {
        const char *namespace = "http://www.w3.org/2000/svg\"";
        ck_assert_msg(!strncmp(at - 4, namespace, strlen(namespace)), "%.60s", at - 8);
        at += 3;
    }
    static const char *const none[] = {"<link",
                                       "<img",
                                       "<iframe",
                                       "<object",
                                       "<embed",
                                       "<base",
                                       "@import",
                                       "<script ",
                                       "<image",
                                       "<use",
                                       "http-equiv=\"refresh",
                                       "fetch(",
                                       "XMLHttpRequest",
                                       "innerHTML",
                                       "eval("};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        ck_assert_msg(!strstr(html, none[i]), "%s", none[i]);
    free(html);
}
END_TEST

/* ---- Fragments --------------------------------------------------------------------- */

/* What a page holds between its contents and its script, with numbers of its own. */
START_TEST(a_fragment_is_what_a_page_holds)
{
    study_document *document = test_sample_document(), *empty = study_document_new("nothing");
    char *html = save_sample(), *fragment = study_document_fragment(document, 1, NULL), *style = study_fragment_style(NULL);
    const char *parts = strstr(html, "</nav>\n") + strlen("</nav>\n");
    ck_assert_ptr_nonnull(fragment);
    ck_assert_uint_eq(strlen(fragment), (size_t)(strstr(parts, "</main>") - parts));
    ck_assert(!strncmp(parts, fragment, strlen(fragment)));
    ck_assert_ptr_nonnull(strstr(html, style));
    ck_assert_ptr_nonnull(strstr(fragment, "\"picture-1-"));
    free(fragment);

    fragment = study_document_fragment(document, 101, NULL);
    ck_assert_ptr_nonnull(strstr(fragment, "\"picture-101-"));
    ck_assert_ptr_nonnull(strstr(fragment, "\"part-101\""));
    ck_assert_ptr_null(strstr(fragment, "\"picture-1-"));
    free(fragment);
    fragment = study_document_fragment(empty, 1, NULL);
    ck_assert_str_eq(fragment, "");
    ck_assert_ptr_null(study_document_fragment(NULL, 1, NULL));
    free(fragment);
    free(style);
    free(html);
    study_document_free(document);
    study_document_free(empty);
}
END_TEST

static void put_hash(const char *text, size_t size, char hash[DATA_BASE64(DATA_SHA256)])
{
    unsigned char digest[DATA_SHA256];
    data_sha256(text, size, digest);
    data_base64(digest, sizeof digest, hash);
}

/* The security policy lets this script run, and no other. */
START_TEST(the_script_is_the_one_that_is_allowed)
{
    char *html = save_sample(), hash[DATA_BASE64(DATA_SHA256)], policy[128];
    put_hash("abc", 3, hash);
    ck_assert_str_eq(hash, "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=");
    const char *script = strstr(html, "<script>") + strlen("<script>");
    put_hash(script, (size_t)(strstr(script, "</script>") - script), hash);
    snprintf(policy, sizeof policy, "; script-src 'sha256-%s';", hash);
    ck_assert_msg(strstr(html, policy) != NULL, "html_script_hash must be \"%s\"", hash);
    free(html);
}
END_TEST

#define ESCAPED "&lt;/td&gt;&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt;&quot;&#39;&amp;amp;"

/* Each text of a document in turn is hostile. */
enum { PLACES = 27 };
static study_document *hostile_document(int place, const char *text)
{
    static const ag_real values[2] = {0.5, 1};
    static const double x[2] = {1, 2};
    const char *own[PLACES], *labels[2], *others[2];
    for (int i = 0; i < PLACES; i++)
        own[i] = i == place ? text : "fine";
    labels[0] = own[6];
    others[0] = own[7];
    labels[1] = others[1] = "fine";
    study_document *document = study_document_new(own[0]);
    study_add_heading(document, own[1]);
    study_add_text(document, "%s", own[2]);
    study_heat heat = {.group = own[3],
                       .title = own[4],
                       .note = own[5],
                       .rows = 1,
                       .columns = 2,
                       .values = values,
                       .row_labels = labels,
                       .column_labels = others,
                       .row_axis = own[8],
                       .column_axis = own[9]};
    study_add_heats(document, &heat, 1, false);
    const char *const kinds[] = {own[16], own[17]};
    study_heat sides = {.title = "fine", .rows = 1, .columns = 2, .values = values, .kinds = kinds, .kind_count = 2};
    sides.split = 1;
    sides.sides[0] = own[18];
    sides.sides[1] = own[19];
    study_begin_row(document);
    study_add_heats(document, &sides, 1, true);
    study_add_verdict(document, true, own[20], own[21]);
    study_add_folded_table(document, own[22], 1, 1, (const char *const[]){"fine"});
    study_end_row(document);
    study_add_example(document, own[23], own[24], own[25]);
    const char *const cells[] = {own[11], "fine", "fine", own[12]};
    study_add_table(document, own[10], 2, 2, cells);
    study_line line = {.name = own[13], .count = 2, .x = x, .y = x};
    const study_mark mark = {.name = own[26], .x = 1, .y = 1};
    study_chart chart = {.title = own[14], .x_axis = own[15], .y_axis = own[15], .lines = &line, .line_count = 1};
    chart.marks = &mark;
    chart.mark_count = 1;
    study_add_chart(document, &chart);
    return document;
}

START_TEST(hostile_texts_are_escaped)
{
    for (int place = 0; place < PLACES; place++) {
        study_document *document = hostile_document(place, SAMPLE_HOSTILE);
        char *html = save(document);
        test_check_html(html);
        ck_assert_msg(strstr(html, ESCAPED) != NULL, "text %d is lost", place);
        ck_assert_msg(!strstr(html, "<img") && occurrences(html, "<script") == 1, "text %d is not escaped", place);
        free(html);
        study_document_free(document);
    }
}
END_TEST

/* No UTF-8, controls, and line feeds in labels, which the script cuts at line feeds. */
START_TEST(strange_texts_stay_text)
{
    static const char strange[] = "a\xff\x01\x1b[31m\nb\r\t\xC0\x80\xED\xA0\x80";
    for (int place = 0; place < PLACES; place++) {
        study_document *document = hostile_document(place, strange);
        char *html = save(document);
        test_check_html(html);
        ck_assert_uint_eq(data_utf8_check(html, strlen(html)), strlen(html));
        for (const char *c = html; *c; c++)
            ck_assert_msg((unsigned char)*c >= ' ' || *c == '\n' || *c == '\t', "byte %d of text %d", *c, place);
        const char *rows = strstr(html, "data-rows=\"") + strlen("data-rows=\"");
        ck_assert_ptr_null(memchr(rows, '\n', (size_t)(strchr(rows, '"') - rows))); /* one row, one label */
        const char *columns = strstr(html, "data-columns=\"") + strlen("data-columns=\"");
        const char *break_at = memchr(columns, '\n', (size_t)(strchr(columns, '"') - columns));
        ck_assert(break_at && !strncmp(break_at, "\nfine\"", 6));
        free(html);
        study_document_free(document);
    }
}
END_TEST

/* ---- Text -------------------------------------------------------------------------- */

START_TEST(maps_have_their_numbers_beside_them)
{
    static const ag_real values[6] = {0.25, 0, 0, 0.5, 0.125, 0};
    static const unsigned char cells[6] = {STUDY_SEEN, STUDY_MASKED, STUDY_PADDING,
                                           STUDY_SEEN, STUDY_MASKED, STUDY_PADDING};
    static const char *const rows[] = {"x", "y & z"};
    study_heat heat = {.title = "head 0",
                       .note = "a note",
                       .rows = 2,
                       .columns = 3,
                       .values = values,
                       .cells = cells,
                       .row_axis = "query",
                       .column_axis = "key",
                       .row_labels = rows};
    study_document *document = study_document_new("numbers");
    study_add_heats(document, &heat, 1, false);
    char *html = save(document);
    test_check_html(html);
    ck_assert_ptr_nonnull(
        strstr(html, "<tr><th scope=\"col\">query \\ key</th><th scope=\"col\" class=\"number\">0</th>"));
    ck_assert_ptr_nonnull(strstr(html, "<tr><th scope=\"row\">x</th><td class=\"number\">0.25</td>"
                                       "<td class=\"number\">masked</td><td class=\"number\">padding</td></tr>"));
    ck_assert_ptr_nonnull(strstr(html,
                                 "<tr><th scope=\"row\">y &amp; z</th><td class=\"number\">0.5</td>"
                                 "<td class=\"number\">masked, yet 0.125</td><td class=\"number\">padding</td></tr>"));
    ck_assert_ptr_nonnull(
        strstr(html, "data-row-axis=\"query\" data-column-axis=\"key\" data-rows=\"x\ny &amp; z\" data-high=\"1\""));
    ck_assert_ptr_nonnull(strstr(html, "<b>head 0</b> a note</figcaption>"));
    ck_assert_ptr_null(strstr(html, "<nav"));
    ck_assert_ptr_null(strstr(html, "heats choice")); /* of one there is none */
    free(html);
    study_document_free(document);
}
END_TEST

/* A map of 32 x 32 has a table of its numbers, a larger one has its picture's
 * description. */
START_TEST(large_maps_have_no_table)
{
    static ag_real values[33 * 32];
    for (int k = 0; k < 3; k++) {
        study_heat heat = {.title = "", .rows = 32 + (k == 1), .columns = 32, .values = values};
        if (k == 2) {
            heat.rows = 32;
            heat.columns = 33;
        }
        study_document *document = study_document_new("large");
        study_add_heats(document, &heat, 1, false);
        char *html = save(document);
        test_check_html(html);
        ck_assert_int_eq(occurrences(html, "<details>"), k == 0);
        ck_assert_int_eq(occurrences(html, "<desc "), 1);
        free(html);
        study_document_free(document);
    }
}
END_TEST

/* Above 64 cells are no elements: their values are beside the picture, up to 256. */
START_TEST(large_maps_have_their_values_for_the_script)
{
    static ag_real values[257 * 2] = {0.25, 0, 0, 0.5};
    static unsigned char cells[257 * 2] = {STUDY_SEEN, STUDY_MASKED, STUDY_PADDING, STUDY_MASKED};
    static const int64_t rows[] = {64, 65, 256, 257};
    for (int k = 0; k < 4; k++) {
        study_heat heat = {.title = "", .rows = rows[k], .columns = 2, .values = values, .cells = cells};
        study_document *document = study_document_new("large");
        study_add_heats(document, &heat, 1, false);
        char *html = save(document);
        test_check_html(html);
        ck_assert_int_eq(occurrences(html, " data-values=\"0.25 m\np m0.5\n0 0\n"), k == 1 || k == 2);
        ck_assert_int_eq(occurrences(html, " data-values="), k == 1 || k == 2);
        ck_assert_int_eq(occurrences(html, " data-value="), k == 0 ? 128 : 0);
        free(html);
        study_document_free(document);
    }
}
END_TEST

START_TEST(charts_have_their_points_beside_them)
{
    static double x[401];
    for (int more = 0; more < 2; more++) {
        study_line lines[2] = {{.name = "a", .count = 399, .x = x, .y = x},
                               {.name = "b", .count = 1 + more, .x = x, .y = x}};
        study_chart chart = {.title = "points", .x_axis = "step", .lines = lines, .line_count = 2};
        x[0] = 3;
        study_document *document = study_document_new("chart");
        study_add_chart(document, &chart);
        char *html = save(document);
        test_check_html(html);
        const char *row = "<tr><th scope=\"row\">b</th><td class=\"number\">3</td><td class=\"number\">3</td></tr>";
        ck_assert_int_eq(occurrences(html, row), 1 - more);
        free(html);
        study_document_free(document);
    }
}
END_TEST

START_TEST(parts_may_be_empty)
{
    study_document *document = study_document_new(NULL);
    char *html = save(document);
    test_check_html(html);
    free(html);
    study_heat heat = {.title = NULL};
    study_chart chart = {0};
    study_add_heading(document, "");
    study_add_text(document, "%s", "");
    study_add_table(document, NULL, 0, 0, NULL);
    study_add_table(document, "one row", 1, 1, (const char *const[]){""});
    study_add_table(document, "one row", 2, 1, (const char *const[]){"", NULL});
    study_add_heats(document, NULL, 0, false);
    study_add_heats(document, NULL, 0, true);
    study_add_heats(document, &heat, 1, true);
    study_add_chart(document, &chart);
    html = save(document);
    test_check_html(html);
    free(html);
    study_document_free(document);
}
END_TEST

/* The boxes of rows, in any order of parts: well-formed, and pictures apart from
 * words. */
START_TEST(rows_have_boxes)
{
    static const double x[] = {1, 2};
    const study_line line = {.name = "l", .count = 2, .x = x, .y = x};
    const study_chart chart = {.title = "c", .lines = &line, .line_count = 1};
    study_document *document = study_document_new("rows");
    study_add_chart(document, &chart);
    study_add_chart(document, &chart);
    study_begin_row(document);
    study_add_chart(document, &chart);
    study_add_verdict(document, true, "it holds", "1");
    study_add_verdict(document, false, "that too", "2");
    study_end_row(document);
    study_end_row(document);
    study_begin_row(document);
    study_end_row(document);
    study_begin_row(document);
    study_begin_row(document);
    study_add_text(document, "words first");
    study_add_chart(document, &chart); /* the row ends with the document */
    char *html = save(document);
    test_check_html(html);
    char *body = strstr(html, "<main>");
    ck_assert_int_eq(occurrences(body, "<div class=\"charts\">"), 1);
    ck_assert_int_eq(occurrences(body, "<div class=\"row\">"), 3);
    ck_assert_int_eq(occurrences(body, "<div class=\"pictures\">"), 2);
    ck_assert_ptr_nonnull(strstr(body, "</figure>\n</div>\n<div class=\"words\">\n<p class=\"verdict holds\">"
                                       "<b>\xE2\x9C\x93 Came true:</b> it holds. "
                                       "<span class=\"note\">Measured: 1.</span></p>\n"
                                       "<p class=\"verdict fails\"><b>\xE2\x9C\x97 Did NOT come true:</b>"));
    ck_assert_ptr_nonnull(strstr(body, "<div class=\"row\">\n<div class=\"words\">\n<p>words first</p>\n</div>\n"
                                       "<div class=\"pictures\">\n<figure"));
    free(html);
    study_document_free(document);
}
END_TEST

/* Sides by themselves, folded tables, the names of kinds and of sides where numbers
 * are. */
START_TEST(sides_kinds_and_folds)
{
    static const ag_real values[] = {1, 0};
    static const unsigned char cells[] = {STUDY_SEEN, STUDY_MASKED};
    static const char *const kinds[] = {"not at all", "at once"};
    study_document *document = study_document_new("sides");
    study_add_example(document, SAMPLE_LEFTWARD, "b", "a note");
    study_add_folded_table(document, "folded", 2, 1, (const char *const[]){"head", "cell"});
    study_heat heat = {.title = "t", .rows = 1, .columns = 2, .values = values, .cells = cells};
    heat.split = 1;
    heat.sides[0] = "source";
    heat.sides[1] = "target";
    heat.kinds = kinds;
    heat.kind_count = 2;
    study_add_heats(document, &heat, 1, true);
    char *html = save(document);
    test_check_html(html);
    static const char *const wanted[] = {
        "<p class=\"example\"><bdi>" SAMPLE_LEFTWARD
        "</bdi> \xE2\x86\x92 <bdi>b</bdi> <span class=\"note\">(a note)</span></p>",
        "<details class=\"folded\">\n<summary>folded</summary>\n<div class=\"scroll\">\n<table>\n<caption "
        "class=\"unseen\">",
        "<tr><td></td><th scope=\"colgroup\" colspan=\"1\">source</th>"
        "<th scope=\"colgroup\" class=\"divided\" colspan=\"1\">target</th></tr>",
        "<td class=\"number\">at once</td><td class=\"number divided\">not at all</td>",
        " data-split=\"1\" data-sides=\"source\ntarget\" data-kinds=\"not at all\nat once\""};
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        ck_assert_msg(occurrences(html, wanted[i]) == 1, "%d x %s", occurrences(html, wanted[i]), wanted[i]);
    free(html);
    study_document_free(document);
}
END_TEST

/* Each group has a body of its own; rows know their group, cells their key. */
START_TEST(sortable_tables)
{
    static const char *const cells[] = {"name", "ms", "<a>", "3", "one", "2 us", "b", "", "two", "x"};
    static const double keys[] = {0,     0,           (double)NAN, 3, (double)NAN,
                                  0.002, (double)NAN, (double)NAN, 5, (double)INFINITY};
    static const unsigned char starts[] = {1, 1, 0, 1, 0};
    study_document *document = study_document_new("sortable");
    study_add_sortable_table(document, "c", 5, 2, cells, keys, starts);
    char *html = save(document);
    test_check_html(html);
    ck_assert_ptr_nonnull(strstr(html,
                                 "<table class=\"sortable\">\n<caption>c</caption>\n<thead>\n"
                                 "<tr><th scope=\"col\">name</th><th scope=\"col\">ms</th></tr>\n</thead>\n<tbody>\n"
                                 "<tr class=\"group-head\"><th scope=\"row\">&lt;a&gt;</th>"
                                 "<td class=\"number\" data-key=\"3\">3</td></tr>\n"
                                 "<tr><th scope=\"row\" data-group=\"&lt;a&gt;\">one</th>"
                                 "<td class=\"number\" data-key=\"0.002\">2 us</td></tr>\n</tbody>\n<tbody>\n"
                                 "<tr class=\"group-head\"><th scope=\"row\">b</th><td class=\"number\"></td></tr>\n"
                                 "<tr><th scope=\"row\" data-key=\"5\" data-group=\"b\">two</th>"
                                 "<td data-key=\"1e999\">x</td></tr>\n</tbody>\n</table>\n"));
    free(html);
    study_document_free(document);
}
END_TEST

START_TEST(the_same_document_makes_the_same_bytes)
{
    char *one = save_sample(), *two = save_sample();
    ck_assert_str_eq(one, two);
    free(one);
    free(two);
}
END_TEST

/* ---- Failures ---------------------------------------------------------------------- */

static void check_old_file(const char *folder)
{
    size_t size;
    unsigned char *bytes = test_file_read(folder, "report.html", &size);
    ck_assert(size == 3 && !memcmp(bytes, "old", 3));
    free(bytes);
}

START_TEST(every_allocation_may_fail)
{
    char *folder = test_folder_new(), *path = test_file_write(folder, "report.html", "old", 3);
    study_document *document = hostile_document(-1, "");
    int64_t n = 0;
    do {
        error = (ag_error){0};
        test_fail_allocation(++n);
        ag_status status = study_document_save(document, path, &error);
        test_fail_allocation(0);
        ck_assert_int_eq(status, error.status);
        ck_assert(error.status == AG_OK || error.status == AG_NO_MEMORY);
        if (error.status != AG_OK)
            check_old_file(folder);
    } while (error.status != AG_OK);
    ck_assert_int_gt(n, 10);
    size_t size;
    char *whole = save(document), *bytes = test_file_read(folder, "report.html", &size);
    ck_assert(size == strlen(whole) && !memcmp(bytes, whole, size));
    free(whole);
    free(bytes);
    study_document_free(document);
    free(path);
    test_folder_remove(folder);
}
END_TEST

START_TEST(what_cannot_be_written_leaves_the_old)
{
    char *folder = test_folder_new(), *path = test_file_write(folder, "report.html", "old", 3), wrong_path[512];
    study_document *document = study_document_new("fine");
    error = (ag_error){0};
    snprintf(wrong_path, sizeof wrong_path, "%s/none/report.html", folder);
    ck_assert_int_eq(study_document_save(document, wrong_path, &error), AG_IO);
    ck_assert_ptr_nonnull(strstr(error.message, "none/report.html"));
    ck_assert_int_eq(study_document_save(document, folder, NULL), AG_IO);
    ck_assert_int_eq(study_document_save(NULL, path, NULL), AG_NO_MEMORY);
    check_old_file(folder);
    test_fail_allocation(1);
    study_add_text(document, "more");
    test_fail_allocation(0);
    ck_assert_int_eq(study_document_save(document, path, NULL), AG_NO_MEMORY);
    check_old_file(folder);
    study_document_free(document);
    free(path);
    test_folder_remove(folder);
}
END_TEST

/* For the browser's test: the sample goes to the file that SAMPLE_REPORT names. */
START_TEST(the_sample_for_the_browser)
{
    const char *path = getenv("SAMPLE_REPORT");
    study_document *document = test_sample_document();
    error = (ag_error){0};
    ck_assert_msg(!path || study_document_save(document, path, &error) == AG_OK, "%s", error.message);
    study_document_free(document);
}
END_TEST

static Suite *html_suite(void)
{
    Suite *suite = suite_create("study_html");
    TCase *tcase = tcase_create("html");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, the_page_is_well_formed);
    tcase_add_test(tcase, nothing_comes_from_the_network);
    tcase_add_test(tcase, the_script_is_the_one_that_is_allowed);
    tcase_add_test(tcase, a_fragment_is_what_a_page_holds);
    tcase_add_test(tcase, hostile_texts_are_escaped);
    tcase_add_test(tcase, strange_texts_stay_text);
    tcase_add_test(tcase, maps_have_their_numbers_beside_them);
    tcase_add_test(tcase, large_maps_have_no_table);
    tcase_add_test(tcase, large_maps_have_their_values_for_the_script);
    tcase_add_test(tcase, charts_have_their_points_beside_them);
    tcase_add_test(tcase, parts_may_be_empty);
    tcase_add_test(tcase, rows_have_boxes);
    tcase_add_test(tcase, sides_kinds_and_folds);
    tcase_add_test(tcase, sortable_tables);
    tcase_add_test(tcase, the_same_document_makes_the_same_bytes);
    tcase_add_test(tcase, every_allocation_may_fail);
    tcase_add_test(tcase, what_cannot_be_written_leaves_the_old);
    tcase_add_test(tcase, the_sample_for_the_browser);
    suite_add_tcase(suite, tcase);
    return suite;
}

TEST_MAIN(html_suite)
