/* test_study_pictures.c - heat maps as pictures: every cell, any text, any size; and the
 * files of pictures. */
#include "check_util.h"
#include "document_util.h"
#include "xml_util.h"

#include "data.h"
#include "study/report/style.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- The checker itself ------------------------------------------------------------ */

START_TEST(the_checker_knows_what_is_not_well_formed)
{
    static const char *const good[] = {"<a/>", "<a b=\"&lt;&#39;\" c=\"\"><d>x &amp; \xC3\xA4</d></a>\n",
                                       "<a id=\"p\"><b id=\"q\" fill=\"url(#p)\"/></a>"};
    static const char *const bad[] = {"",
                                      "x",
                                      "<a>",
                                      "<a></b>",
                                      "<a b=1/>",
                                      "<a b='1'/>",
                                      "<a b=\"1\" b=\"2\"/>",
                                      "<a b=\"<\"/>",
                                      "<a>&nbsp;</a>",
                                      "<a>&</a>",
                                      "<a>\x01</a>",
                                      "<a>\xC3</a>",
                                      "<a>\xEF\xBF\xBF</a>",
                                      "<a/><b/>",
                                      "<a b=\"1\"c=\"2\"/>",
                                      "<a>]]></a>",
                                      "<1/>",
                                      "<a id=\"p\"><b id=\"p\"/></a>",
                                      "<a fill=\"url(#p)\"/>",
                                      "<a b=\"1/>",
                                      "<a"};
    size_t at;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        test_check_xml(good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_msg(test_xml_fault(bad[i], &at) != NULL, "%s", bad[i]);
}
END_TEST

/* ---- As pictures ------------------------------------------------------------------- */

START_TEST(every_kind_of_cell_is_drawn)
{
    char *picture = test_picture(&test_every_cell, "map-1");
    test_has(picture, "<rect class=\"cell masked\" fill=\"url(#map-1-hatch)\"");
    test_has(picture, " data-row=\"0\" data-column=\"1\" data-value=\"0\"><title>a -&gt; y: masked</title></rect>");
    test_has(picture, "<rect class=\"cell heat-9\"");
    test_has(picture, " data-row=\"0\" data-column=\"0\" data-value=\"0.25\"><title>a -&gt; x: 0.25</title></rect>");
    test_has(picture, " data-row=\"1\" data-column=\"1\" data-value=\"NaN\"><title>b -&gt; y: NaN</title></rect>");
    test_has(picture, "<title>a -&gt; z: masked, yet 0.125</title>");
    test_has(picture, "<title>&lt;eos&gt; -&gt; z: padding</title>");
    static const char *const classes[] = {"cell masked", "cell leak", "cell strange", "cell padding"};
    for (int i = 0; i < 4; i++) {
        pen mark = {0};
        pen_put(&mark, "class=\"%s\"", classes[i]);
        ck_assert_uint_eq(test_count(picture, mark.text), i == 0 ? 3 : 2); /* with the legend's */
        free(mark.text);
    }
    ck_assert_uint_eq(test_count(picture, " data-row="), 9);
    test_has(picture, ">masked</text>");
    test_has(picture, ">padding</text>");
    test_has(picture, ">masked, yet not 0</text>");
    test_has(picture, ">not finite</text>");
    test_has(picture, ">entropy 1.25 bits</text>");
    test_has(picture, ">query \xE2\x86\x93</text>");
    test_has(picture, ">key \xE2\x86\x92</text>");
    free(picture);
}
END_TEST

START_TEST(a_zero_is_told_from_what_is_nearly_zero)
{
    static const ag_real values[] = {0, (ag_real)1e-30, 1, (ag_real)0.999, 3};
    char *picture = test_picture(&(study_heat){.title = "t", .rows = 1, .columns = 5, .values = values}, "m");
    ck_assert_uint_eq(test_count(picture, "class=\"cell heat-0\""), 1);
    ck_assert_uint_eq(test_count(picture, "class=\"cell heat-1\""), 1);
    ck_assert_uint_eq(test_count(picture, "class=\"cell heat-32\""), 3);
    ck_assert_uint_eq(test_count(picture, ">0</text>"), 4); /* of the cell, the row, the column and the legend */
    ck_assert_uint_eq(test_count(picture, ">1.00</text>"), 1);
    ck_assert_uint_eq(test_count(picture, ">3</text>"), 2);
    free(picture);
}
END_TEST

START_TEST(the_legend_shows_only_what_is_there)
{
    static const ag_real values[] = {1};
    char *picture = test_picture(&(study_heat){.title = "t", .rows = 1, .columns = 1, .values = values}, NULL);
    test_has_no(picture, ">masked</text>");
    test_has_no(picture, ">padding</text>");
    test_has_no(picture, ">not finite</text>");
    free(picture);
}
END_TEST

START_TEST(pictures_say_what_they_show)
{
    char *picture = test_picture(&test_every_cell, NULL);
    test_has(picture, " role=\"img\" aria-label=\"layer 1, head 0\" aria-describedby=\"picture-description\">");
    test_has(picture, "<title>layer 1, head 0</title>");
    test_has(picture, "Heat map of 3 rows (query) by 3 columns (key). Cells that are masked: 2. Cells that are "
                      "padding: 1. Cells that are masked, yet not 0: 1. Cells that are not finite: 1. Largest of "
                      "each row: a -&gt; x 0.25; b -&gt; x 0.75; &lt;eos&gt; -&gt; x 1;</desc>");
    free(picture);
    picture = test_chart_picture(&test_two_lines, NULL);
    test_has(picture, "<desc id=\"picture-description\">Line chart of bits by step. train: 4 points, the last 0.5 at "
                      "4, the lowest 0.5 at 4. dev: 5 points, the last 5 at 4, the lowest 1 at 0.</desc>");
    free(picture);
}
END_TEST

START_TEST(pictures_are_light_and_dark)
{
    char *alone = test_picture(&test_every_cell, NULL), *in_page = test_picture(&test_every_cell, "m");
    test_has(alone, "@media screen and (prefers-color-scheme:dark){svg{--paper:#0D1117;");
    test_has(alone, "<style>\nsvg{--paper:#FFFFFF;");
    test_has(alone, ".study-picture .heat-32{fill:#09255D;fill:var(--heat-32)}");
    test_has_no(in_page, "<style>");
    pen light = {0}, dark = {0};
    style_put_colours(&light, false);
    style_put_colours(&dark, true);
    ck_assert_uint_eq(test_count(light.text, "--"), test_count(dark.text, "--"));
    /* Every class that is used has a rule. */
    pen rules = {0};
    style_put_rules(&rules);
    char *chart = test_chart_picture(&test_two_lines, "c");
    for (int k = 0; k < 2; k++)
        for (const char *at = k ? chart : in_page; (at = strstr(at, "class=\"")) != NULL;) {
            for (at += 7; *at != '"';) {
                pen name = {0};
                size_t size = strcspn(at, " \"");
                pen_put(&name, ".study-picture .%.*s{", (int)size, at);
                if (strncmp(at, "cell", size) != 0 && strncmp(at, "masked", size) != 0 &&
                    strncmp(at, "study-picture", size) != 0 && strncmp(at, "name", size) != 0)
                    test_has(rules.text, name.text);
                free(name.text);
                at += size + (at[size] == ' ');
            }
        }
    free(chart);
    free(rules.text);
    free(light.text);
    free(dark.text);
    free(alone);
    free(in_page);
}
END_TEST

START_TEST(the_same_document_gives_the_same_bytes)
{
    char *first = test_picture(&test_every_cell, NULL), *second = test_picture(&test_every_cell, NULL);
    ck_assert_str_eq(first, second);
    free(first);
    free(second);
    first = test_chart_picture(&test_two_lines, NULL);
    second = test_chart_picture(&test_two_lines, NULL);
    ck_assert_str_eq(first, second);
    free(first);
    free(second);
}
END_TEST

/* Text that may be in a vocabulary, or in a file name. */
static const char *const hostile[] = {"<script>alert(1)</script>",
                                      "\"'><rect onload=\"x\"/>",
                                      "]]>&amp;&#0;",
                                      "\x01\x02\x1B[31m\x7F\r\n\t",
                                      "\xFF\xC3\xED\xA0\x80\xF5\x80\xC0\xAF",
                                      "",
                                      " ",
                                      "../../etc/passwd",
                                      "\xE2\x80\xAE\xEF\xBF\xBE\xEF\xBF\xBF\xC2\x85\xE2\x80\xA8",
                                      "%s%n%d",
                                      "\xCC\x81\xCC\x81\xF0\x9F\x98\x80\xE6\x97\xA5"};
enum { HOSTILE = sizeof hostile / sizeof *hostile };

/* One line feed is all of the controls that may be in a text for the terminal. */
static void check_plain(const char *text)
{
    size_t size = strlen(text);
    ck_assert_uint_eq(data_utf8_check(text, size), size);
    size_t controls = 0;
    for (size_t i = 0; i < size; i++)
        controls += ((unsigned char)text[i] < 0x20 && text[i] != '\n') || text[i] == 0x7F;
    ck_assert_uint_eq(controls, 0);
    test_has_no(text, "\xE2\x80\xAE");
    test_has_no(text, "\xC2\x85");
}

START_TEST(hostile_texts_stay_texts)
{
    char *long_text = malloc(100001);
    memset(long_text, 'w', 100000);
    long_text[100000] = 0;
    const char *labels[HOSTILE + 1];
    ag_real values[(HOSTILE + 1) * (HOSTILE + 1)] = {0};
    memcpy(labels, hostile, sizeof hostile);
    labels[HOSTILE] = long_text;
    for (int i = 0; i <= HOSTILE; i++) {
        const char *text = labels[i];
        study_heat heat = {.group = text,
                           .title = text,
                           .note = text,
                           .rows = HOSTILE + 1,
                           .columns = HOSTILE + 1,
                           .values = values,
                           .row_axis = text,
                           .column_axis = text,
                           .row_labels = labels,
                           .column_labels = labels};
        static const double places[] = {0, 1, 2};
        study_line line = {.name = text, .count = 3, .x = places, .y = places};
        study_chart chart = {.title = text, .x_axis = text, .y_axis = text, .lines = &line, .line_count = 1};
        study_document *document = study_document_new(text);
        study_add_heading(document, text);
        study_add_text(document, "%s", text);
        study_add_table(document, text, HOSTILE, 1, labels);
        study_add_heats(document, &heat, 1, true);
        study_add_chart(document, &chart);
        char *plain = test_text(document, false), *picture = test_picture(&heat, NULL),
             *drawn = test_chart_picture(&chart, NULL);
        check_plain(plain);
        test_has_no(picture, "<script");
        test_has_no(picture, "onload=\"x");
        test_has_no(drawn, "<script");
        ck_assert_uint_lt(strlen(drawn), 1000000);
        free(plain);
        free(picture);
        free(drawn);
        study_document_free(document);
    }
    free(long_text);
}
END_TEST

START_TEST(maps_without_cells_are_drawn_as_such)
{
    static const ag_real values[] = {1};
    for (int k = 0; k < 3; k++) {
        study_heat heat = {.title = "nothing", .rows = k == 0 ? 0 : 2, .columns = k == 1 ? 0 : 3, .values = values};
        if (k == 2)
            heat.rows = heat.columns = 0;
        char *picture = test_picture(&heat, NULL), *text = test_heats_text(&heat, 1, false, false);
        test_has(picture, ">no cells</text>");
        test_has(text, "nothing\n");
        free(picture);
        free(text);
    }
    char *text = test_heats_text(&(study_heat){.title = "no values", .rows = 2, .columns = 2}, 1, false, false);
    test_has(text, "no values\n");
    free(text);
    text = test_heats_text(NULL, 0, true, false);
    test_has_no(text, "masked");
    free(text);
}
END_TEST

START_TEST(values_may_be_anything)
{
    const ag_real values[] = {NAN, INFINITY, -INFINITY, -1, (ag_real)1e30, (ag_real)-1e30};
    static const unsigned char masked[] = {1, 1, 1, 1, 1, 1};
    static const double highs[] = {0, 1e-300, 1e300, -1, 12345678};
    for (int k = 0; k < 5; k++) {
        study_heat heat = {.title = "t", .rows = 2, .columns = 3, .values = values, .high = highs[k]};
        char *picture = test_picture(&heat, NULL), *text = test_heats_text(&heat, 1, false, false);
        ck_assert_uint_eq(test_count(picture, "class=\"cell strange\""), 4);
        ck_assert_uint_eq(test_count(text, "?"), 4);
        free(picture);
        free(text);
    }
    study_heat heat = {.title = "t", .rows = 2, .columns = 3, .values = values, .high = NAN, .cells = masked};
    char *picture = test_picture(&heat, NULL), *text = test_heats_text(&heat, 1, false, false);
    ck_assert_uint_eq(test_count(picture, "class=\"cell leak\""), 7);
    ck_assert_uint_eq(test_count(text, "!"), 7);
    free(picture);
    free(text);
}
END_TEST

/* A leak in one cell of a million is seen, and the picture stays small. */
START_TEST(large_maps_stay_small_and_lose_no_leak)
{
    enum { SIDE = 1000 };
    ag_real *values = calloc(SIDE * SIDE, sizeof *values);
    unsigned char *cells = calloc(SIDE, SIDE);
    for (int i = 0; i < SIDE; i++)
        for (int j = 0; j < SIDE; j++) {
            cells[i * SIDE + j] = j > i;
            values[i * SIDE + j] = j > i ? 0 : (ag_real)((i * 31 + j * 17) % 97) / 97;
        }
    study_heat heat = {.title = "t", .rows = SIDE, .columns = SIDE, .values = values, .cells = cells};
    char *picture = test_picture(&heat, "m"), *text = test_heats_text(&heat, 1, false, false);
    ck_assert_uint_lt(strlen(picture), 1000000);
    test_has_no(picture, "data-row");
    test_has_no(picture, "leak-area");
    test_has(picture, "class=\"masked\" fill=\"url(#m-scaled)\"");
    test_has(picture, "scale(2.56 2.56)\">");
    test_has(picture, "<pattern id=\"m-scaled\" patternTransform=\"scale(0.390625 0.390625)\"");
    test_has(picture, ">1000 x 1000 cells; each that is drawn is the largest of 4 x 4</text>");
    test_has(picture, "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"study-picture\" width=\"699\" height=\"741\"");
    ck_assert_uint_lt(strlen(text), 81 * 100 + 1000);
    test_has_no(text, "!");
    free(picture);
    free(text);
    values[777] = (ag_real)1e-20;
    values[SIDE * SIDE - 1] = NAN;
    picture = test_picture(&heat, "m");
    text = test_heats_text(&heat, 1, false, false);
    test_has(picture, "<path class=\"leak-area\" d=\"M194 0h1v1h-1z\"/>");
    test_has(picture, "<path class=\"strange-area\" d=\"M249 249h1v1h-1z\"/>");
    test_has(text, "!");
    test_has(text, "?");
    free(picture);
    free(text);
    free(values);
    free(cells);
}
END_TEST

/* From 64 x 64 to beyond it, and labels that are thinned out by round steps. */
/* Where blocks have no round numbers, every so many blocks. */
START_TEST(labels_of_blocks)
{
    ag_real values[600] = {0};
    char *picture = test_picture(&(study_heat){.title = "t", .rows = 1, .columns = 600, .values = values}, "m");
    test_has(picture, "each that is drawn is the largest of 1 x 3</text>");
    test_has(picture, ">15</text>");
    test_has(picture, ">30</text>");
    test_has_no(picture, ">18</text>");
    free(picture);
}
END_TEST

START_TEST(cells_are_elements_up_to_64)
{
    ag_real values[65 * 65] = {0};
    study_heat heat = {.title = "t", .rows = 64, .columns = 64, .values = values};
    char *picture = test_picture(&heat, "m");
    ck_assert_uint_eq(test_count(picture, "data-row"), 64 * 64);
    test_has(picture, ">62</text>");
    test_has_no(picture, ">63</text>");
    free(picture);
    heat.rows = heat.columns = 65;
    picture = test_picture(&heat, "m");
    ck_assert_uint_eq(test_count(picture, "data-row"), 0);
    test_has(picture, "<path class=\"heat-0\" d=\"M0 0h65v1h-65zM0 1h65v1h-65z");
    free(picture);
    heat.columns = 64;
    picture = test_picture(&heat, "m");
    test_has_no(picture, "data-row");
    free(picture);
    heat.columns = 65;
    heat.rows = 1; /* a broad map is not a thin line */
    picture = test_picture(&heat, "m");
    test_has(picture, "scale(9.846154 14)");
    free(picture);
}
END_TEST

/* ---- Files ------------------------------------------------------------------------- */

START_TEST(pictures_have_safe_names)
{
    char *folder = test_folder_new(), *below = malloc(512);
    ag_error error = {0};
    snprintf(below, 512, "%s/pictures", folder);
    study_document *document = study_document_new("t");
    study_heat heat = test_every_cell;
    char long_title[300];
    memset(long_title, 'x', sizeof long_title - 1);
    long_title[sizeof long_title - 1] = 0;
    static const char *const titles[] = {"head 0", "../../up", "", "\xE6\x97\xA5", ".. a//b\\c:d* ?", "head 0"};
    study_add_chart(document, &test_two_lines);
    study_add_heading(document, "between");
    for (int i = 0; i < 6; i++) {
        heat.title = titles[i];
        heat.group = i == 5 ? NULL : i == 3 ? "\n" : "decoder.layers.1.self_attn";
        study_add_heats(document, &heat, 1, false);
    }
    heat.title = long_title;
    heat.group = NULL;
    study_add_heats(document, &heat, 1, false);
    ck_assert_msg(study_document_save_pictures(document, below, &error) == AG_OK, "%s", error.message);
    static const char *const names[] = {"01-loss.svg",
                                        "02-decoder.layers.1.self_attn-head-0.svg",
                                        "03-decoder.layers.1.self_attn-..-..-up.svg",
                                        "04-decoder.layers.1.self_attn.svg",
                                        "05-picture.svg",
                                        "06-decoder.layers.1.self_attn-..-a-b-c-d.svg",
                                        "07-head-0.svg",
                                        "08-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx.svg"};
    for (int i = 0; i < 8; i++) {
        char *text = test_file_read(below, names[i], NULL);
        test_check_xml(text);
        free(text);
    }
    int count = 0;
    DIR *listing = opendir(below);
    for (const struct dirent *entry; (entry = readdir(listing)) != NULL;)
        count += entry->d_name[0] != '.';
    closedir(listing);
    ck_assert_int_eq(count, 8);

    /* A file is what the picture is. */
    char *text = test_file_read(below, names[0], NULL), *drawn = test_chart_picture(&test_two_lines, NULL);
    ck_assert_str_eq(text, drawn);
    free(drawn);
    free(text);

    ck_assert_int_eq(study_document_save_pictures(document, below, &error), AG_OK); /* it may be there */

    /* A folder that cannot be made, and one that is a file. */
    snprintf(below, 512, "%s/pictures/01-loss.svg/deeper", folder);
    ck_assert_int_eq(study_document_save_pictures(document, below, &error), AG_IO);
    snprintf(below, 512, "%s/pictures/01-loss.svg", folder);
    ck_assert_int_eq(study_document_save_pictures(document, below, NULL), AG_IO);
    study_document_free(document);
    free(below);
    test_folder_remove(folder);
}
END_TEST

/* The places of the pictures on a sheet: "0 0|672 0|". */
static char *places(const char *sheet)
{
    static const char mark[] = "<g transform=\"translate(";
    pen p = {0};
    for (const char *at = sheet; (at = strstr(at, mark)) != NULL;) {
        at += strlen(mark);
        /* (pictures have groups of their own, which are no <svg>) */
        const char *end = strchr(at, ')');
        if (!strncmp(end, ")\">\n<svg ", 9)) {
            pen_put_bytes(&p, at, (size_t)(end - at));
            pen_put(&p, "|");
        }
    }
    return p.text;
}

START_TEST(a_sheet_has_all_pictures)
{
    char *folder = test_folder_new(), *path = test_path(folder, "sheet.svg");
    ag_error error = {0};
    study_document *document = study_document_new("two & two");
    ck_assert_int_eq(study_document_save_picture(document, path, &error), AG_BAD_VALUE);
    ck_assert_msg(strstr(error.message, "the document has no picture to write"), "%s", error.message);
    for (int i = 0; i < 3; i++)
        study_add_chart(document, &test_two_lines);
    study_add_text(document, "between");
    study_add_chart(document, &test_two_lines);
    study_add_heats(document, &test_every_cell, 1, false);
    ck_assert_msg(study_document_save_picture(document, path, &error) == AG_OK, "%s", error.message);

    char *sheet = test_file_read(folder, "sheet.svg", NULL), wanted[128];
    test_check_xml(sheet);
    test_has(sheet, "<title>two &amp; two</title>");
    test_has(sheet, "5 pictures.");
    const svg_size chart = svg_chart_size(&test_two_lines), heat = svg_heat_size(&test_every_cell);
    const int width = (int)chart.width, height = (int)chart.height;
    snprintf(wanted, sizeof wanted, "0 0|%d 0|0 %d|0 %d|0 %d|", width, height, 2 * height, 3 * height);
    char *found = places(sheet);
    ck_assert_str_eq(found, wanted);
    snprintf(wanted, sizeof wanted, " width=\"%d\" height=\"%d\"", 2 * width, 3 * height + (int)heat.height);
    test_has(sheet, wanted);
    char *alone = test_picture(&test_every_cell, "picture-5");
    test_has(sheet, alone);
    free(alone);
    free(found);
    free(sheet);
    ck_assert_int_eq(study_document_save_picture(document, folder, NULL), AG_IO);
    ck_assert_int_eq(study_document_save_picture(NULL, path, NULL), AG_NO_MEMORY);
    study_document_free(document);
    free(path);
    test_folder_remove(folder);
}
END_TEST

static Suite *pictures_suite(void)
{
    Suite *suite = suite_create("study pictures");
    TCase *checker = tcase_create("checker");
    TCase *pictures = tcase_create("pictures");
    TCase *files = tcase_create("files");
    tcase_set_timeout(pictures, 60);
    tcase_add_test(checker, the_checker_knows_what_is_not_well_formed);
    suite_add_tcase(suite, checker);
    tcase_add_test(pictures, every_kind_of_cell_is_drawn);
    tcase_add_test(pictures, a_zero_is_told_from_what_is_nearly_zero);
    tcase_add_test(pictures, the_legend_shows_only_what_is_there);
    tcase_add_test(pictures, pictures_say_what_they_show);
    tcase_add_test(pictures, pictures_are_light_and_dark);
    tcase_add_test(pictures, the_same_document_gives_the_same_bytes);
    tcase_add_test(pictures, hostile_texts_stay_texts);
    tcase_add_test(pictures, maps_without_cells_are_drawn_as_such);
    tcase_add_test(pictures, values_may_be_anything);
    tcase_add_test(pictures, large_maps_stay_small_and_lose_no_leak);
    tcase_add_test(pictures, labels_of_blocks);
    tcase_add_test(pictures, cells_are_elements_up_to_64);
    suite_add_tcase(suite, pictures);
    tcase_add_test(files, pictures_have_safe_names);
    tcase_add_test(files, a_sheet_has_all_pictures);
    suite_add_tcase(suite, files);
    return suite;
}

TEST_MAIN(pictures_suite)
