/* document.h - what a document is made of, for the files that show it. */
#ifndef STUDY_DOCUMENT_H
#define STUDY_DOCUMENT_H

#include "report.h"

typedef enum document_part_kind {
    PART_HEADING,
    PART_TEXT,
    PART_VERDICT,
    PART_EXAMPLE,
    PART_TABLE,
    PART_HEATS,
    PART_CHART,
    PART_GRAPH,
    PART_ROW_BEGIN,
    PART_ROW_END
} document_part_kind;

/* One part. Everything that it points to belongs to the document. */
typedef struct document_part {
    document_part_kind kind;
    const char *text;     /* the heading, paragraph, note of an example or caption of a table */
    const char *sides[2]; /* of an example: source, answer or NULL; of a verdict: expected, measured */
    bool holds;           /* of a verdict */
    bool folded;          /* of a table */
    int64_t rows, columns;
    const char *const *cells;    /* of a table, [rows, columns] */
    const double *keys;          /* of a sortable table, [rows, columns]; NULL: of another */
    const unsigned char *starts; /* [rows]: which rows are heads of groups; NULL: none */
    const study_heat *heats;     /* [heat_count] */
    int64_t heat_count;
    bool side_by_side;
    study_chart chart;
    study_graph graph;
    struct document_part *next;
} document_part;

struct study_document {
    const char *title;
    document_part *first, *last;
    struct document_block *blocks; /* all memory of the parts, freed together */
    ag_error error;                /* the first error while building */
};

/* Returns the error of a document that is NULL or incomplete, else AG_OK. Everything that
 * shows a document calls this first. */
ag_status document_check(const study_document *document, ag_error *error) AG_CHECKED;

#endif
