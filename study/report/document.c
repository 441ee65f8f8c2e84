/* document.c - builds documents: copies everything that it is given. */
#include "document.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* A piece of memory that is freed with the document. */
typedef struct document_block {
    struct document_block *next;
    max_align_t bytes[];
} document_block;

study_document *study_document_new(const char *title)
{
    size_t size = title ? strlen(title) + 1 : 1;
    study_document *document = malloc(sizeof *document + size);
    if (!document)
        return NULL;
    char *own = (char *)(document + 1);
    memcpy(own, title ? title : "", size);
    *document = (study_document){.title = own};
    return document;
}

void study_document_free(study_document *document)
{
    if (!document)
        return;
    for (document_block *block = document->blocks, *next; block; block = next) {
        next = block->next;
        free(block);
    }
    free(document);
}

ag_status document_check(const study_document *document, ag_error *error)
{
    if (!document)
        return ag_error_set(error, AG_NO_MEMORY, "there is no document: out of memory, or none was made");
    if (document->error.status != AG_OK)
        return ag_error_set(error, document->error.status, "%s", document->error.message);
    return AG_OK;
}

/* ---- Copies ------------------------------------------------------------------------ */

static bool accepts(const study_document *document)
{
    return document && document->error.status == AG_OK;
}

/* Memory for `count` elements of `size`. NULL only on an error, which the document
 * notes. */
static void *allocate(study_document *document, int64_t count, size_t size)
{
    document_block *block = NULL;
    if (!accepts(document))
        return NULL;
    if (count < 0) {
        ag_error_set(&document->error, AG_BAD_SHAPE, "a document takes no %lld of anything", (long long)count);
        return NULL;
    }
    if ((uint64_t)count <= (PTRDIFF_MAX - sizeof *block) / size)
        block = malloc(sizeof *block + (size_t)count * size);
    if (!block) {
        ag_error_set(&document->error, AG_NO_MEMORY, "out of memory for the document");
        return NULL;
    }
    block->next = document->blocks;
    document->blocks = block;
    return block->bytes;
}

/* A copy of `count` elements; NULL if `from` is. */
static void *copy(study_document *document, const void *from, int64_t count, size_t size)
{
    void *to = from ? allocate(document, count, size) : NULL;
    if (to && count)
        memcpy(to, from, (size_t)count * size);
    return to;
}

static const char *copy_text(study_document *document, const char *text)
{
    return text ? copy(document, text, (int64_t)strlen(text) + 1, 1) : NULL;
}

/* The same for a text that must be there: NULL counts as "". */
static const char *copy_title(study_document *document, const char *text)
{
    return copy_text(document, text ? text : "");
}

static const char *const *copy_texts(study_document *document, const char *const *texts, int64_t count)
{
    const char **own = texts ? allocate(document, count, sizeof *own) : NULL;
    for (int64_t i = 0; own && i < count; i++)
        own[i] = copy_title(document, texts[i]);
    return own;
}

/* rows * columns; -1, with the document's error, if that is no size. */
static int64_t count_cells(study_document *document, int64_t rows, int64_t columns)
{
    if (rows < 0 || columns < 0 || (rows > 0 && columns > INT64_MAX / rows)) {
        ag_error_set(&document->error, AG_BAD_SHAPE, "a document takes no table or map of %lld rows and %lld columns",
                     (long long)rows, (long long)columns);
        return -1;
    }
    return rows * columns;
}

/* ---- Parts ------------------------------------------------------------------------- */

/* Adds the part at the end, provided that all of it could be copied. */
static void append(study_document *document, const document_part *part)
{
    document_part *own = copy(document, part, 1, sizeof *part);
    if (!own)
        return;
    if (document->last)
        document->last->next = own;
    else
        document->first = own;
    document->last = own;
}

void study_add_heading(study_document *document, const char *text)
{
    append(document, &(document_part){.kind = PART_HEADING, .text = copy_title(document, text)});
}

void study_add_text(study_document *document, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int length = ag_text_print_list(NULL, 0, format, arguments);
    size_t size = length > 0 ? (size_t)length + 1 : 1; /* (empty if it cannot be formatted) */
    char *text = allocate(document, (int64_t)size, 1);
    if (text) {
        text[0] = 0;
        if (size > 1)
            ag_text_print_list(text, size, format, again);
        append(document, &(document_part){.kind = PART_TEXT, .text = text});
    }
    va_end(again);
    va_end(arguments);
}

void study_add_example(study_document *document, const char *source, const char *answer, const char *note)
{
    append(document, &(document_part){.kind = PART_EXAMPLE,
                                      .text = copy_title(document, note),
                                      .sides = {copy_title(document, source), copy_text(document, answer)}});
}

void study_add_verdict(study_document *document, bool holds, const char *expected, const char *measured)
{
    append(document, &(document_part){.kind = PART_VERDICT,
                                      .holds = holds,
                                      .sides = {copy_title(document, expected), copy_title(document, measured)}});
}

void study_begin_row(study_document *document)
{
    append(document, &(document_part){.kind = PART_ROW_BEGIN});
}

void study_end_row(study_document *document)
{
    append(document, &(document_part){.kind = PART_ROW_END});
}

/* `table` has what is special about it: folded, keys, starts. */
static void add_table(study_document *document, const char *caption, int64_t rows, int64_t columns,
                      const char *const *cells, document_part table)
{
    int64_t count = accepts(document) ? count_cells(document, rows, columns) : -1;
    if (count < 0)
        return;
    table.kind = PART_TABLE;
    table.text = copy_title(document, caption);
    table.rows = cells ? rows : 0;
    table.columns = cells ? columns : 0;
    table.cells = copy_texts(document, cells, count);
    table.keys = copy(document, table.keys, count, sizeof *table.keys);
    table.starts = copy(document, table.starts, rows, 1);
    append(document, &table);
}

void study_add_table(study_document *document, const char *caption, int64_t rows, int64_t columns,
                     const char *const *cells)
{
    add_table(document, caption, rows, columns, cells, (document_part){0});
}

void study_add_folded_table(study_document *document, const char *caption, int64_t rows, int64_t columns,
                            const char *const *cells)
{
    add_table(document, caption, rows, columns, cells, (document_part){.folded = true});
}

void study_add_sortable_table(study_document *document, const char *caption, int64_t rows, int64_t columns,
                              const char *const *cells, const double *keys, const unsigned char *starts)
{
    add_table(document, caption, rows, columns, cells, (document_part){.keys = keys, .starts = starts});
}

static study_heat copy_heat(study_document *document, const study_heat *heat)
{
    study_heat own = *heat;
    int64_t count = count_cells(document, heat->rows, heat->columns);
    if (count >= 0 && heat->kinds && (heat->kind_count < 2 || heat->kind_count > STUDY_KINDS)) {
        ag_error_set(&document->error, AG_BAD_VALUE, "a map has %lld kinds: give 2 to %d", (long long)heat->kind_count,
                     STUDY_KINDS);
        count = -1;
    }
    if (count < 0)
        return own;
    if (!heat->values)
        own.rows = own.columns = 0;
    own.group = copy_text(document, heat->group);
    own.title = copy_title(document, heat->title);
    own.note = copy_text(document, heat->note);
    own.values = copy(document, heat->values, count, sizeof *heat->values);
    own.cells = copy(document, heat->cells, count, 1);
    own.row_axis = copy_text(document, heat->row_axis);
    own.column_axis = copy_text(document, heat->column_axis);
    own.row_labels = copy_texts(document, heat->row_labels, own.rows);
    own.column_labels = copy_texts(document, heat->column_labels, own.columns);
    own.sides[0] = copy_text(document, heat->sides[0]);
    own.sides[1] = copy_text(document, heat->sides[1]);
    own.kinds = copy_texts(document, heat->kinds, heat->kind_count);
    return own;
}

void study_add_heats(study_document *document, const study_heat *heats, int64_t count, bool side_by_side)
{
    study_heat *own = allocate(document, count, sizeof *own);
    for (int64_t i = 0; own && i < count && accepts(document); i++)
        own[i] = copy_heat(document, &heats[i]);
    append(document,
           &(document_part){.kind = PART_HEATS, .heats = own, .heat_count = count, .side_by_side = side_by_side});
}

static study_line copy_line(study_document *document, const study_line *line)
{
    bool whole = line->x && line->y;
    return (study_line){.name = copy_title(document, line->name),
                        .count = whole ? line->count : 0,
                        .companion = line->companion,
                        .x = whole ? copy(document, line->x, line->count, sizeof *line->x) : NULL,
                        .y = whole ? copy(document, line->y, line->count, sizeof *line->y) : NULL};
}

void study_add_chart(study_document *document, const study_chart *chart)
{
    study_chart own = *chart;
    study_line *lines = allocate(document, chart->line_count, sizeof *lines);
    for (int64_t i = 0; lines && i < chart->line_count && accepts(document); i++)
        lines[i] = copy_line(document, &chart->lines[i]);
    study_mark *marks = copy(document, chart->marks, chart->mark_count, sizeof *marks);
    for (int64_t i = 0; marks && i < chart->mark_count; i++)
        marks[i].name = copy_title(document, marks[i].name);
    own.marks = marks;
    own.mark_count = marks ? chart->mark_count : 0;
    own.title = copy_title(document, chart->title);
    own.x_axis = copy_text(document, chart->x_axis);
    own.y_axis = copy_text(document, chart->y_axis);
    own.lines = lines;
    append(document, &(document_part){.kind = PART_CHART, .chart = own});
}

static bool edges_fit(study_document *document, const study_graph *graph)
{
    for (int64_t e = 0; e < graph->edge_count && accepts(document); e++) {
        const study_graph_edge *edge = &graph->edges[e];
        if (edge->from < 0 || edge->to <= edge->from || edge->to >= graph->node_count)
            ag_error_set(&document->error, AG_BAD_VALUE,
                         "a graph of %lld nodes has an edge from node %lld to node %lld: it must lead to a later one",
                         (long long)graph->node_count, (long long)edge->from, (long long)edge->to);
    }
    return accepts(document);
}

void study_add_graph(study_document *document, const study_graph *graph)
{
    study_graph own = *graph;
    if (!accepts(document) || !edges_fit(document, graph))
        return;
    study_graph_node *nodes = copy(document, graph->nodes, graph->node_count, sizeof *nodes);
    study_graph_edge *edges = copy(document, graph->edges, graph->edge_count, sizeof *edges);
    for (int64_t i = 0; nodes && i < graph->node_count; i++) {
        nodes[i].name = copy_title(document, nodes[i].name);
        nodes[i].text = copy_text(document, nodes[i].text);
        nodes[i].note = copy_text(document, nodes[i].note);
    }
    for (int64_t e = 0; edges && e < graph->edge_count; e++) {
        edges[e].label = copy_text(document, edges[e].label);
        edges[e].note = copy_text(document, edges[e].note);
    }
    own.title = copy_title(document, graph->title);
    own.nodes = nodes;
    own.edges = edges;
    append(document, &(document_part){.kind = PART_GRAPH, .graph = own});
}
