/* sample_document.h - a document with every kind of part, for the tests of what shows
 * documents. */
#ifndef TESTS_SAMPLE_DOCUMENT_H
#define TESTS_SAMPLE_DOCUMENT_H

#include "study.h"

/* The weight of head h, query i, key j in the heat maps of the first choice.
 * tests/browser/report.mjs has the same formula. */
#define SAMPLE_WEIGHT(h, i, j) ((ag_real)(((h) + 1) * ((i)*10 + (j) + 1)) / 256)

/* A text that would do harm where it is not escaped. */
#define SAMPLE_HOSTILE "</td></script><img src=x onerror=alert(1)>\"'&amp;"

/* A word that is written from right to left. */
#define SAMPLE_LEFTWARD "\xD7\xA9\xD7\x9C\xD7\x95\xD7\x9D"

/* To be freed; NULL where memory is out. The document may hold an error. */
study_document *test_sample_document(void);

#endif
