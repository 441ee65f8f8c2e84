/* text.c - documents as text for a terminal. */
#include "text.h"

#include <stdlib.h>
#include <string.h>

enum {
    WIDTH = 80, /* columns, by default */
    LEAST_WIDTH = 20,
    CELL_COLUMNS = 60, /* where the texts of a table are cut */
    GAP = 2,           /* between columns */
    INDENT = 2         /* of the rows of a group below its head */
};

static void put_title(pen *p, const char *text, char underline, const text_style *style)
{
    int width = label_width(text, 0);
    terminal_letters(p, TERMINAL_BOLD, style->color);
    terminal_lines lines = {.p = p, .width = style->width};
    terminal_put_words(&lines, text);
    terminal_letters(p, TERMINAL_NORMAL, style->color);
    pen_put(p, "\n");
    terminal_repeat(p, underline, width < style->width ? width : style->width);
    pen_put(p, "\n");
}

static void put_heading(pen *p, const document_part *part, const text_style *style)
{
    put_title(p, part->text, '-', style);
}

static void put_paragraph(pen *p, const document_part *part, const text_style *style)
{
    terminal_put_paragraph(p, part->text, style->width);
}

static void put_verdict(pen *p, const document_part *part, const text_style *style)
{
    terminal_lines lines = {.p = p, .width = style->width};
    terminal_letters(p, TERMINAL_BOLD, style->color);
    terminal_put_words(&lines, part->holds ? "Came true:" : "Did NOT come true:");
    terminal_letters(p, TERMINAL_NORMAL, style->color);
    pen words = {0};
    pen_put(&words, " %s. Measured: %s.", part->sides[0], part->sides[1]);
    terminal_put_words(&lines, pen_text(&words));
    pen_discard(p, &words);
    pen_put(p, "\n");
}

/* Each side is isolated: its direction of writing moves nothing else. */
static void put_example(pen *p, const document_part *part, const text_style *style)
{
    terminal_lines lines = {.p = p, .width = style->width};
    for (int side = 0; side < 2 && part->sides[side]; side++) {
        const bool isolated = label_is_isolated(part->sides[side]);
        if (side)
            terminal_put_words(&lines, " -> ");
        terminal_repeat(p, ' ', side);
        lines.column += side;
        pen_put(p, "%s", isolated ? LABEL_ISOLATE : "");
        terminal_put_words(&lines, part->sides[side]);
        pen_put(p, "%s", isolated ? LABEL_ISOLATED : "");
    }
    pen note = {0};
    pen_put(&note, *part->text ? " (%s)" : "%s", part->text);
    terminal_put_words(&lines, pen_text(&note));
    pen_discard(p, &note);
    pen_put(p, "\n");
}

/* ---- Tables ------------------------------------------------------------------------ */

static const char *cell_at(const document_part *table, int64_t row, int64_t column)
{
    return table->cells[row * table->columns + column];
}

static bool is_group_head(const document_part *table, int64_t row)
{
    return table->starts && row > 0 && table->starts[row];
}

/* The rows of a group stand to the right of its head. */
static int indent_of(const document_part *table, int64_t row, int64_t column)
{
    return table->starts && row > 0 && column == 0 && !table->starts[row] ? INDENT : 0;
}

/* A column of a table. Columns of nothing but numbers, dashes and empty cells are aligned
 * to the right. */
typedef struct column_shape {
    int width, cut; /* texts are cut to `cut` columns */
    bool right;
} column_shape;

static column_shape shape_of(const document_part *table, int64_t column, int cut)
{
    column_shape shape = {0, cut, false};
    bool words = false;
    for (int64_t i = 0; i < table->rows; i++) {
        const char *text = cell_at(table, i, column), *digits = text + strspn(text, "+-.");
        const int indent = indent_of(table, i, column), width = indent + label_width(text, cut - indent);
        bool number = *digits >= '0' && *digits <= '9';
        shape.width = width > shape.width ? width : shape.width;
        shape.right |= i > 0 && number;
        words |= i > 0 && !number && *text && strcmp(text, "-") != 0;
    }
    shape.right &= !words;
    return shape;
}

static void put_table_cell(pen *p, const char *text, column_shape shape, int indent, bool last)
{
    int gap = shape.width - indent - label_width(text, shape.cut - indent);
    terminal_repeat(p, ' ', indent + (shape.right ? gap : 0));
    pen_put_label(p, text, shape.cut - indent, false);
    if (!last)
        terminal_repeat(p, ' ', (shape.right ? 0 : gap) + GAP);
}

/* A row: the first column, and columns [begin, end). */
static void put_table_row(pen *p, const document_part *table, const column_shape *shapes, int64_t row, int64_t begin,
                          int64_t end)
{
    put_table_cell(p, cell_at(table, row, 0), shapes[0], indent_of(table, row, 0), begin == end);
    for (int64_t j = begin; j < end; j++)
        put_table_cell(p, cell_at(table, row, j), shapes[j], 0, j == end - 1);
    pen_put(p, "\n");
}

static void put_columns(pen *p, const document_part *table, const column_shape *shapes, int64_t begin, int64_t end,
                        bool color)
{
    terminal_letters(p, TERMINAL_BOLD, color);
    put_table_row(p, table, shapes, 0, begin, end);
    terminal_letters(p, TERMINAL_NORMAL, color);
    terminal_repeat(p, '-', shapes[0].width);
    for (int64_t j = begin; j < end; j++) {
        terminal_repeat(p, ' ', GAP);
        terminal_repeat(p, '-', shapes[j].width);
    }
    pen_put(p, "\n");
    for (int64_t i = 1; i < table->rows; i++) {
        terminal_letters(p, TERMINAL_BOLD, color && is_group_head(table, i));
        put_table_row(p, table, shapes, i, begin, end);
        terminal_letters(p, TERMINAL_NORMAL, color && is_group_head(table, i));
    }
}

/* As many columns as fit side by side; the others follow below, each time with the first
 * column repeated. */
static void put_table(pen *p, const document_part *table, const text_style *style)
{
    if (*table->text)
        terminal_put_paragraph(p, table->text, style->width);
    if (table->rows == 0 || table->columns < 1)
        return;
    column_shape *shapes = malloc((size_t)table->columns * sizeof *shapes);
    if (!shapes) {
        p->failed = true;
        return;
    }
    const int half = (style->width - GAP) / 2;
    for (int64_t j = 0; j < table->columns; j++)
        shapes[j] = shape_of(table, j, style->width < CELL_COLUMNS ? style->width : CELL_COLUMNS);
    if (table->columns > 1 && shapes[0].width > half)
        shapes[0] = shape_of(table, 0, half);
    const int room = style->width - shapes[0].width - GAP;
    for (int64_t begin = 1, end = 1;; begin = end) {
        int width = -GAP;
        for (; end < table->columns; end++) {
            if (shapes[end].width > room)
                shapes[end] = shape_of(table, end, room);
            if (width + GAP + shapes[end].width > room)
                break;
            width += GAP + shapes[end].width;
        }
        pen_put(p, "%s", begin > 1 ? "\n" : "");
        put_columns(p, table, shapes, begin, end, style->color);
        if (end == table->columns)
            break;
    }
    free(shapes);
}

/* ---- Documents --------------------------------------------------------------------- */

/* Each writes one kind of part. In a terminal the parts of a row follow each other like
 * all others, so the ends of rows write nothing. */
static void (*const put_part[])(pen *p, const document_part *part, const text_style *style) = {
    [PART_HEADING] = put_heading,  [PART_TEXT] = put_paragraph,   [PART_VERDICT] = put_verdict,
    [PART_EXAMPLE] = put_example,  [PART_TABLE] = put_table,      [PART_HEATS] = text_put_heats,
    [PART_CHART] = text_put_chart, [PART_GRAPH] = text_put_graph, [PART_ROW_BEGIN] = NULL,
    [PART_ROW_END] = NULL,
};

static void put_document(pen *p, const study_document *document, const text_style *style)
{
    pen_put(p, "%s", ""); /* an empty document is an empty text */
    if (*document->title)
        put_title(p, document->title, '=', style);
    for (const document_part *part = document->first; part; part = part->next) {
        if (!put_part[part->kind])
            continue;
        pen_put(p, "%s", p->length ? "\n" : "");
        put_part[part->kind](p, part, style);
    }
}

char *study_document_text(const study_document *document, const study_text_options *options, ag_error *error)
{
    pen p = {0};
    text_style style = options ? *options : (text_style){0};
    style.width = style.width <= 0 ? WIDTH : style.width < LEAST_WIDTH ? LEAST_WIDTH : style.width;
    if (document_check(document, error) != AG_OK)
        return NULL;
    put_document(&p, document, &style);
    if (p.failed) {
        ag_error_set(error, AG_NO_MEMORY, "out of memory for the document's text");
        free(p.text);
        return NULL;
    }
    return p.text;
}

ag_status study_document_save_text(const study_document *document, const char *path, ag_error *error)
{
    pen p = {0};
    ag_status status = document_check(document, error);
    if (status != AG_OK)
        return status;
    put_document(&p, document, &(text_style){.width = WIDTH});
    status = pen_save(&p, path, "the document's text", error);
    free(p.text);
    return status;
}
