/* text.c - documents in a terminal. */
#include "text.h"

#include <stdlib.h>
#include <string.h>

enum { CELL_COLUMNS = 60 /* where the texts of a table are cut */, GAP = 2 /* between columns */ };

void text_bold(pen *p, bool color)
{
    pen_put(p, "%s", color ? "\033[1m" : "");
}

void text_faint(pen *p, bool color)
{
    pen_put(p, "%s", color ? "\033[2m" : "");
}

void text_usual(pen *p, bool color)
{
    pen_put(p, "%s", color ? "\033[0m" : "");
}

void text_repeat(pen *p, char character, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        pen_put_bytes(p, &character, 1);
}

/* ---- Words ---------------------------------------------------------------------------------- */

/* A word that no line holds, in lines of its own. */
static void put_long_word(text_lines *lines, const char *word)
{
    while (*word) {
        pen_put(lines->p, "%s", lines->column > 0 ? "\n" : "");
        lines->column = pen_put_part(lines->p, &word, lines->width);
    }
}

/* Puts the word text[0..size) after its spaces. No control character comes through. */
static void put_word(text_lines *lines, int spaces, const char *text, size_t size)
{
    pen word = {0};
    pen_put_bytes(&word, text, size);
    const int width = word.failed ? 0 : label_width(word.text, 0);
    const bool breaks = lines->column > 0 && lines->column + spaces + width > lines->width;
    pen_put(lines->p, "%s", breaks ? "\n" : "");
    text_repeat(lines->p, ' ', breaks ? 0 : spaces);
    lines->column = breaks ? 0 : lines->column + spaces;
    if (lines->column + width > lines->width) {
        put_long_word(lines, word.text);
    } else if (!word.failed) {
        pen_put_word(lines->p, word.text);
        lines->column += width;
    }
    lines->p->failed |= word.failed;
    free(word.text);
}

void text_put_words(text_lines *lines, const char *text)
{
    while (*text) {
        size_t spaces = strspn(text, " "), size = strcspn(text + spaces, " \n");
        if (size > 0)
            put_word(lines, (int)spaces, text + spaces, size);
        text += spaces + size;
        if (*text == '\n') {
            pen_put(lines->p, "\n");
            lines->column = 0;
            text++;
        }
    }
}

void text_put_paragraph(pen *p, const char *text, int width)
{
    text_lines lines = {.p = p, .width = width};
    text_put_words(&lines, text);
    pen_put(p, "\n");
}

static void put_heading(pen *p, const char *text, char underline, const text_style *style)
{
    int width = label_width(text, 0);
    text_bold(p, style->color);
    text_lines lines = {.p = p, .width = style->width};
    text_put_words(&lines, text);
    text_usual(p, style->color);
    pen_put(p, "\n");
    text_repeat(p, underline, width < style->width ? width : style->width);
    pen_put(p, "\n");
}

static void put_verdict(pen *p, const document_part *part, const text_style *style)
{
    text_lines lines = {.p = p, .width = style->width};
    text_bold(p, style->color);
    text_put_words(&lines, part->holds ? "Came true:" : "Did NOT come true:");
    text_usual(p, style->color);
    pen words = {0};
    pen_put(&words, " %s. Measured: %s.", part->sides[0], part->sides[1]);
    if (!words.failed)
        text_put_words(&lines, words.text);
    p->failed |= words.failed;
    free(words.text);
    pen_put(p, "\n");
}

/* Each side isolated, so that its direction of writing moves nothing else. */
static void put_example(pen *p, const document_part *part, const text_style *style)
{
    text_lines lines = {.p = p, .width = style->width};
    for (int side = 0; side < 2 && part->sides[side]; side++) {
        const bool isolated = label_is_isolated(part->sides[side]);
        if (side)
            text_put_words(&lines, " -> ");
        text_repeat(p, ' ', side);
        lines.column += side;
        pen_put(p, "%s", isolated ? LABEL_ISOLATE : "");
        text_put_words(&lines, part->sides[side]);
        pen_put(p, "%s", isolated ? LABEL_ISOLATED : "");
    }
    pen note = {0};
    pen_put(&note, *part->text ? " (%s)" : "%s", part->text);
    if (!note.failed)
        text_put_words(&lines, note.text);
    p->failed |= note.failed;
    free(note.text);
    pen_put(p, "\n");
}

/* ---- Tables --------------------------------------------------------------------------------- */

static const char *cell_at(const document_part *table, int64_t row, int64_t column)
{
    return table->cells[row * table->columns + column];
}

/* Numbers, perhaps with a sign, stand on the right; so do the dashes and gaps between them. */
typedef struct column_shape {
    int width, cut; /* `cut`: where its texts are */
    bool right;
} column_shape;

static column_shape shape_of(const document_part *table, int64_t column, int cut)
{
    column_shape shape = {0, cut, false};
    bool words = false;
    for (int64_t i = 0; i < table->rows; i++) {
        const char *text = cell_at(table, i, column), *digits = text + strspn(text, "+-.");
        int width = label_width(text, cut);
        bool number = *digits >= '0' && *digits <= '9';
        shape.width = width > shape.width ? width : shape.width;
        shape.right |= i > 0 && number;
        words |= i > 0 && !number && *text && strcmp(text, "-") != 0;
    }
    shape.right &= !words;
    return shape;
}

static void put_cell(pen *p, const char *text, column_shape shape, bool last)
{
    int gap = shape.width - label_width(text, shape.cut);
    text_repeat(p, ' ', shape.right ? gap : 0);
    pen_put_label(p, text, shape.cut, false);
    if (!last)
        text_repeat(p, ' ', (shape.right ? 0 : gap) + GAP);
}

/* The first column, and those from `begin` to `end`. */
static void put_row(pen *p, const document_part *table, const column_shape *shapes, int64_t row, int64_t begin,
                    int64_t end)
{
    put_cell(p, cell_at(table, row, 0), shapes[0], begin == end);
    for (int64_t j = begin; j < end; j++)
        put_cell(p, cell_at(table, row, j), shapes[j], j == end - 1);
    pen_put(p, "\n");
}

static void put_columns(pen *p, const document_part *table, const column_shape *shapes, int64_t begin, int64_t end,
                        bool color)
{
    text_bold(p, color);
    put_row(p, table, shapes, 0, begin, end);
    text_usual(p, color);
    text_repeat(p, '-', shapes[0].width);
    for (int64_t j = begin; j < end; j++) {
        text_repeat(p, ' ', GAP);
        text_repeat(p, '-', shapes[j].width);
    }
    pen_put(p, "\n");
    for (int64_t i = 1; i < table->rows; i++)
        put_row(p, table, shapes, i, begin, end);
}

/* As many columns as the width holds; the others follow below, with the first column
 * again. */
static void put_table(pen *p, const document_part *table, const text_style *style)
{
    if (*table->text)
        text_put_paragraph(p, table->text, style->width);
    if (table->rows == 0 || table->columns == 0)
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

/* ---- Documents ------------------------------------------------------------------------------ */

static void put_part(pen *p, const document_part *part, const text_style *style)
{
    switch (part->kind) {
    case PART_HEADING:
        put_heading(p, part->text, '-', style);
        break;
    case PART_TEXT:
        text_put_paragraph(p, part->text, style->width);
        break;
    case PART_VERDICT:
        put_verdict(p, part, style);
        break;
    case PART_EXAMPLE:
        put_example(p, part, style);
        break;
    case PART_TABLE:
        put_table(p, part, style);
        break;
    case PART_HEATS:
        text_put_heats(p, part, style);
        break;
    case PART_CHART:
        text_put_chart(p, &part->chart, style);
        break;
    case PART_ROW_BEGIN:
    case PART_ROW_END:
        break;
    }
}

char *study_document_text(const study_document *document, const study_text_options *options, ag_error *error)
{
    pen p = {0};
    text_style style = options ? *options : (text_style){0};
    style.width = style.width <= 0 ? TEXT_WIDTH : style.width < TEXT_NARROWEST ? TEXT_NARROWEST : style.width;
    if (document_check(document, error) != AG_OK)
        return NULL;
    pen_put(&p, "%s", ""); /* an empty document is an empty text */
    if (*document->title)
        put_heading(&p, document->title, '=', &style);
    for (const document_part *part = document->first; part; part = part->next) {
        if (part->kind == PART_ROW_BEGIN || part->kind == PART_ROW_END)
            continue;
        pen_put(&p, "%s", p.length ? "\n" : "");
        put_part(&p, part, &style);
    }
    if (p.failed) {
        ag_error_set(error, AG_NO_MEMORY, "out of memory for the document's text");
        free(p.text);
        return NULL;
    }
    return p.text;
}
