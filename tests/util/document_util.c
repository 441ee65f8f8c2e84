/* document_util.c - documents and pictures to test. */
#include "document_util.h"

#include "check_util.h"
#include "xml_util.h"

#include <math.h>
#include <string.h>

size_t test_count(const char *text, const char *part)
{
    size_t count = 0;
    for (const char *at = text; (at = strstr(at, part)) != NULL; at += strlen(part))
        count++;
    return count;
}

void test_has(const char *text, const char *part)
{
    ck_assert_msg(strstr(text, part) != NULL, "no '%.500s' in:\n%.2000s", part, text);
}

void test_has_no(const char *text, const char *part)
{
    const char *at = strstr(text, part);
    ck_assert_msg(at == NULL, "there is '%.500s'", at ? at : "");
}

void test_check_xml(const char *text)
{
    size_t at;
    const char *fault = test_xml_fault(text, &at);
    ck_assert_msg(!fault, "%s: %.80s", fault, text + at);
}

char *test_picture(const study_heat *heat, const char *id)
{
    pen p = {0};
    svg_heat(&p, heat, id);
    ck_assert(!p.failed);
    ck_assert_uint_eq(strlen(p.text), p.length);
    test_check_xml(p.text);
    return p.text;
}

char *test_chart_picture(const study_chart *chart, const char *id)
{
    pen p = {0};
    svg_chart(&p, chart, id);
    ck_assert(!p.failed);
    test_check_xml(p.text);
    return p.text;
}

char *test_text(const study_document *document, bool color)
{
    ag_error error = {0};
    char *text = study_document_text(document, &(study_text_options){.width = 100, .color = color}, &error);
    ck_assert_msg(text != NULL, "%s", error.message);
    return text;
}

char *test_heats_text(const study_heat *heats, int64_t count, bool side_by_side, bool color)
{
    study_document *document = study_document_new(NULL);
    study_add_heats(document, heats, count, side_by_side);
    char *text = test_text(document, color);
    study_document_free(document);
    return text;
}

char *test_chart_text(const study_chart *chart)
{
    study_document *document = study_document_new(NULL);
    study_add_chart(document, chart);
    char *text = test_text(document, false);
    study_document_free(document);
    return text;
}

static const ag_real every_values[] = {(ag_real)0.25, 0, (ag_real)0.125, (ag_real)0.75, NAN, 0, 1, 0, (ag_real)0.5};
static const unsigned char every_cells[] = {STUDY_SEEN,   STUDY_MASKED, STUDY_MASKED, STUDY_SEEN,   STUDY_SEEN,
                                            STUDY_MASKED, STUDY_SEEN,   STUDY_SEEN,   STUDY_PADDING};
static const char *const every_rows[] = {"a", "b", "<eos>"}, *const every_columns[] = {"x", "y", "z"};
const study_heat test_every_cell = {.group = "layer 1",
                                    .title = "head 0",
                                    .note = "entropy 1.25 bits",
                                    .rows = 3,
                                    .columns = 3,
                                    .values = every_values,
                                    .cells = every_cells,
                                    .row_axis = "query",
                                    .column_axis = "key",
                                    .row_labels = every_rows,
                                    .column_labels = every_columns};

static const double chart_x[] = {0, 1, 2, 3, 4}, chart_y[] = {4, 2, NAN, 1, 0.5}, chart_other[] = {1, 2, 3, 4, 5};
static const study_line chart_lines[] = {{.name = "train", .count = 5, .x = chart_x, .y = chart_y},
                                         {.name = "dev", .count = 5, .x = chart_x, .y = chart_other}};
const study_chart test_two_lines = {
    .title = "loss", .x_axis = "step", .y_axis = "bits", .lines = chart_lines, .line_count = 2};
