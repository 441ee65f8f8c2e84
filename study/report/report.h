/* report.h - documents of text, tables, heat maps, charts and graphs, shown as text in a
 * terminal, as one HTML file, or as SVG pictures.
 *
 * A document is built once, part by part, and then shown in any of the three forms. It
 * knows nothing of models and studies: any program may use it for numbers of its own.
 *
 *     study_document *document = study_document_new("Squares");
 *     study_add_text(document, "The first %d squares.", 3);
 *     study_add_chart(document, &chart);
 *     ag_status status = study_document_save(document, "squares.html", &error);
 *     study_document_free(document);
 *
 * Threads: use a document from one thread at a time. Different documents are
 * independent.
 */
#ifndef STUDY_REPORT_H
#define STUDY_REPORT_H

#include "autograd.h"

AG_HEADER_BEGIN

/* ---- Documents --------------------------------------------------------------------- */

/* A sequence of headings, paragraphs, tables, heat maps, charts and graphs. Every
 * function below copies what it is given. A document remembers its first error (out of
 * memory, or sizes that cannot be) and ignores all later parts: add everything, and check
 * once, when the document is shown. Functions that are given a NULL document do
 * nothing. */
typedef struct study_document study_document;

/* Makes an empty document, to be freed by the caller. NULL if out of memory. */
study_document *study_document_new(const char *title);
/* Frees the document; NULL is allowed. */
void study_document_free(study_document *document);

/* ---- Text and tables --------------------------------------------------------------- */

/* Adds a heading, or a paragraph whose `format` is that of printf. */
void study_add_heading(study_document *document, const char *text);
void study_add_text(study_document *document, const char *format, ...) AG_PRINTF(2, 3);

/* Adds an example: what a model reads, what it answers, and a note in parentheses, such
 * as "the model's own answer". Both sides are isolated from each other, so text written
 * from right to left does not move its neighbour. `answer` and `note` may be NULL. */
void study_add_example(study_document *document, const char *source, const char *answer, const char *note);

/* Adds an expectation, whether it came true, and what was measured. */
void study_add_verdict(study_document *document, bool holds, const char *expected, const char *measured);

/* Adds a table of text, cells [rows, columns]; row 0 is the head. `caption` may be
 * NULL. */
void study_add_table(study_document *document, const char *caption, int64_t rows, int64_t columns,
                     const char *const *cells);
/* Adds a table that HTML shows folded until the reader opens it: for numbers that a
 * picture shows as well. */
void study_add_folded_table(study_document *document, const char *caption, int64_t rows, int64_t columns,
                            const char *const *cells);
/* Adds a table whose rows the reader of the HTML page may sort by any column, largest
 * number first: by keys [rows, columns], or by the text of the cell where the key is NaN.
 * Where starts[i] is not 0, row i is the head of a group: the rows up to the next head
 * belong to it, until they are sorted. starts [rows]; NULL: no groups. */
void study_add_sortable_table(study_document *document, const char *caption, int64_t rows, int64_t columns,
                              const char *const *cells, const double *keys, const unsigned char *starts);

/* Parts added between these two stand beside each other in HTML if the page is wide
 * enough: pictures on the left, everything else on the right. Rows cannot be nested. */
void study_begin_row(study_document *document);
void study_end_row(study_document *document);

/* ---- Heat maps --------------------------------------------------------------------- */

/* The state of a cell: seen (the value counts), masked (a mask forbids it; drawn hatched,
 * so that it is not taken for a zero), or padding (grey). */
typedef enum study_cell { STUDY_SEEN = 0, STUDY_MASKED, STUDY_PADDING } study_cell;

/* The most kinds that a heat map of kinds can have. */
enum { STUDY_KINDS = 8 };

/* A matrix drawn as a rectangle of cells: the larger the value, the darker the cell. */
typedef struct study_heat {
    const char *group, *title;          /* "layer 0", "head 2"; group may be NULL */
    const char *note;                   /* a line below: "entropy 1.25 bits"; may be NULL */
    int64_t rows, columns;              /* size of the matrix */
    const ag_real *values;              /* [rows, columns] */
    double high;                        /* the value of the darkest colour; 0 means 1 */
    const unsigned char *cells;         /* [rows, columns] of study_cell; NULL: all seen */
    const char *row_axis, *column_axis; /* "query", "key"; may be NULL */
    /* [rows], [columns]; NULL: numbers from 0 */
    const char *const *row_labels, *const *column_labels;
    /* For columns of two sequences, such as source and target: the second begins at
     * column `split`, where a line is drawn. Each side has a name, and numbers its
     * columns from 0. 0: one side. */
    int64_t split;
    const char *sides[2]; /* their names */
    /* For values that are kinds, not sizes: value k means kinds[k] and gets its own
     * colour; kinds[0] also names masked cells. NULL: sizes. */
    const char *const *kinds; /* [kind_count] */
    int64_t kind_count;       /* 2 to STUDY_KINDS */
} study_heat;

/* Adds heat maps, heats [count]. With `side_by_side` the reader sees them together.
 * Without, the reader looks at one at a time, so put the most telling first: HTML shows
 * one large, and all as thumbnails beside it, by group; text and SVG show one after the
 * other. */
void study_add_heats(study_document *document, const study_heat *heats, int64_t count, bool side_by_side);

/* ---- Charts ------------------------------------------------------------------------ */

/* One curve of a chart. */
typedef struct study_line {
    const char *name;    /* in the legend */
    int64_t count;       /* of points */
    const double *x, *y; /* [count]; a y that is not finite leaves a gap */
    bool companion;      /* drawn dashed in the colour of the line before: a bound beside what was measured */
} study_line;

/* A highlighted point of a line, such as the step whose model was kept. */
typedef struct study_mark {
    const char *name; /* "best, step 500" */
    int64_t line;     /* index of its line */
    double x, y;      /* where it is */
} study_mark;

/* Curves over common axes. */
typedef struct study_chart {
    const char *title, *x_axis, *y_axis; /* names; NULL: none */
    const study_line *lines;             /* [line_count] */
    int64_t line_count;                  /* number of lines */
    bool log_x, log_y;                   /* logarithmic axes; values <= 0 leave gaps */
    double low, high;                    /* range of y; both 0: that of the data */
    const study_mark *marks;             /* [mark_count] */
    int64_t mark_count;                  /* number of marks */
} study_chart;

/* Adds a chart. */
void study_add_chart(study_document *document, const study_chart *chart);

/* ---- Graphs ------------------------------------------------------------------------ */

/* What a box stands for. */
typedef enum study_node_kind {
    STUDY_OPERATION = 0,
    STUDY_VARIABLE, /* blue */
    STUDY_CONSTANT, /* dashed */
    STUDY_RESULT    /* orange */
} study_node_kind;

/* A box of a graph. */
typedef struct study_graph_node {
    const char *name; /* its first line */
    const char *text; /* lines below it, with a line feed between them; may be NULL */
    const char *note; /* shown where the mouse points at it; may be NULL */
    study_node_kind kind;
} study_graph_node;

/* An arrow from a node to a later one. */
typedef struct study_graph_edge {
    int64_t from, to;  /* indices of nodes, from < to */
    const char *label; /* on the arrow; may be NULL */
    const char *note;  /* shown where the mouse points at the label; may be NULL */
} study_graph_edge;

/* Boxes and arrows, drawn from top to bottom; text lists each box and what leads to
 * it. */
typedef struct study_graph {
    const char *title;
    const study_graph_node *nodes; /* [node_count] */
    int64_t node_count;
    const study_graph_edge *edges; /* [edge_count] */
    int64_t edge_count;
} study_graph;

/* Adds a graph. An edge that leads nowhere, or not to a later node, is an error of the
 * document (AG_BAD_VALUE). */
void study_add_graph(study_document *document, const study_graph *graph);

/* ---- Showing a document ------------------------------------------------------------ */

/* How a document looks in a terminal. Zero means the default in brackets. */
typedef struct study_text_options {
    int width; /* in columns, at least 20 [80]; no line is wider */
    /* Heat maps as coloured blocks, by escape sequences that set text and background, so
     * they are legible on light and dark terminals [characters from ' ' to '#'; 'x'
     * masked, '_' padding]. */
    bool color;
} study_text_options;

/* Returns the document as text, to be freed by the caller; NULL, with the error, if out
 * of memory. Maps and tables that are too wide continue below. NULL options: the
 * defaults. */
char *study_document_text(const study_document *document, const study_text_options *options, ag_error *error);
/* Writes the document as one HTML file that needs no other. Replaces `path` completely
 * or, on an error (AG_IO, AG_NO_MEMORY), not at all. */
ag_status study_document_save(const study_document *document, const char *path, ag_error *error) AG_CHECKED;
/* The document's parts as HTML, without a page around them, for a page of the caller's:
 * to be freed by the caller; NULL with the error. Pictures and headings are numbered
 * from `first`: no two fragments of a page may share a number. study_fragment_style
 * returns the style sheet that they need, likewise to be freed, which also sets a page's
 * colours and fonts. */
char *study_document_fragment(const study_document *document, int64_t first, ag_error *error);
char *study_fragment_style(ag_error *error);
/* Writes the document as text of 80 columns without colour, else as
 * study_document_save. */
ag_status study_document_save_text(const study_document *document, const char *path, ag_error *error) AG_CHECKED;
/* Writes the document's pictures, and nothing else of it, as one SVG file: each below the
 * one before, but of charts that follow each other two in a line. AG_BAD_VALUE for a
 * document without pictures; else as study_document_save. */
ag_status study_document_save_picture(const study_document *document, const char *path, ag_error *error) AG_CHECKED;
/* Writes each heat map, chart and graph to FOLDER/NN-title.svg, numbered from 01 in the
 * document's order; makes the folder, and those above it, where they are missing. AG_IO
 * or AG_NO_MEMORY. */
ag_status study_document_save_pictures(const study_document *document, const char *folder, ag_error *error) AG_CHECKED;

AG_HEADER_END
#endif
