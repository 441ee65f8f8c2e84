/* document_util.h - documents and pictures to test, and looks into what is drawn. */
#ifndef TESTS_DOCUMENT_UTIL_H
#define TESTS_DOCUMENT_UTIL_H

#include "study/report/document.h"
#include "study/report/svg/svg.h"

/* How often a part stands in a text. */
size_t test_count(const char *text, const char *part);
/* Fails the test, with the start of the text, unless the part is in it; or (has_no) if it
 * is. */
void test_has(const char *text, const char *part);
void test_has_no(const char *text, const char *part);
/* Fails the test unless the text is well-formed XML. */
void test_check_xml(const char *text);

/* Pictures, checked to be well-formed, and texts; all to be freed. */
char *test_picture(const study_heat *heat, const char *id);
char *test_chart_picture(const study_chart *chart, const char *id);
char *test_text(const study_document *document, bool color);
char *test_heats_text(const study_heat *heats, int64_t count, bool side_by_side, bool color);
char *test_chart_text(const study_chart *chart);

/* A map of 3 x 3 with every kind of cell: seen, not finite, masked, masked and yet not 0,
 * padding. */
extern const study_heat test_every_cell;
/* Two lines of 5 points, one with a gap. */
extern const study_chart test_two_lines;

#endif
