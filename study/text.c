/* text.c - documents in a terminal. */
#include "text.h"

#include <stdlib.h>
#include <string.h>

enum { CELL_COLUMNS = 60 }; /* where the texts of a table are cut */

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

static void put_heading(pen *p, const char *text, char underline, bool color)
{
    text_bold(p, color);
    pen_put_label(p, text, 0, false);
    text_usual(p, color);
    pen_put(p, "\n");
    text_repeat(p, underline, label_width(text, 0));
    pen_put(p, "\n");
}

/* One word of text[0..size), as a label: no control character comes through. */
static int put_word(pen *p, const char *text, size_t size)
{
    pen word = {0};
    int width = 0;
    pen_put_bytes(&word, text, size);
    if (!word.failed) {
        pen_put_label(p, word.text, 0, false);
        width = label_width(word.text, 0);
    }
    p->failed |= word.failed;
    free(word.text);
    return width;
}

static int word_width(pen *p, const char *text, size_t size)
{
    size_t length = p->length;
    int width = put_word(p, text, size);
    if (!p->failed) {
        p->length = length;
        p->text[length] = 0;
    }
    return width;
}

/* Its own line breaks stay; longer lines are broken between words. */
static void put_paragraph(pen *p, const char *text)
{
    int column = 0;
    while (*text) {
        size_t spaces = strspn(text, " "), size = strcspn(text + spaces, " \n");
        int width = word_width(p, text + spaces, size);
        if (column > 0 && size > 0 && column + (int)spaces + width > TEXT_WIDTH) {
            pen_put(p, "\n");
            column = 0;
        } else if (size > 0) {
            text_repeat(p, ' ', (int64_t)spaces);
            column += (int)spaces;
        }
        column += put_word(p, text + spaces, size);
        text += spaces + size;
        if (*text == '\n') {
            pen_put(p, "\n");
            column = 0;
            text++;
        }
    }
    pen_put(p, "\n");
}

/* ---- Tables --------------------------------------------------------------------------------- */

static const char *cell_at(const document_part *table, int64_t row, int64_t column)
{
    return table->cells[row * table->columns + column];
}

/* Numbers, perhaps with a sign, stand on the right; so do the dashes and gaps between them. */
typedef struct column_shape {
    int width;
    bool right;
} column_shape;

static column_shape shape_of(const document_part *table, int64_t column)
{
    column_shape shape = {0, false};
    bool words = false;
    for (int64_t i = 0; i < table->rows; i++) {
        const char *text = cell_at(table, i, column), *digits = text + strspn(text, "+-.");
        int width = label_width(text, CELL_COLUMNS);
        bool number = *digits >= '0' && *digits <= '9';
        shape.width = width > shape.width ? width : shape.width;
        shape.right |= i > 0 && number;
        words |= i > 0 && !number && *text && strcmp(text, "-") != 0;
    }
    shape.right &= !words;
    return shape;
}

static void put_row(pen *p, const document_part *table, const column_shape *shapes, int64_t row)
{
    for (int64_t j = 0; j < table->columns; j++) {
        const char *text = cell_at(table, row, j);
        int gap = shapes[j].width - label_width(text, CELL_COLUMNS);
        text_repeat(p, ' ', shapes[j].right ? gap : 0);
        pen_put_label(p, text, CELL_COLUMNS, false);
        if (j < table->columns - 1)
            text_repeat(p, ' ', (shapes[j].right ? 0 : gap) + 2);
    }
    pen_put(p, "\n");
}

static void put_table(pen *p, const document_part *table, bool color)
{
    if (*table->text)
        put_paragraph(p, table->text);
    if (table->rows == 0 || table->columns == 0)
        return;
    column_shape *shapes = malloc((size_t)table->columns * sizeof *shapes);
    if (!shapes) {
        p->failed = true;
        return;
    }
    for (int64_t j = 0; j < table->columns; j++)
        shapes[j] = shape_of(table, j);
    text_bold(p, color);
    put_row(p, table, shapes, 0);
    text_usual(p, color);
    for (int64_t j = 0; j < table->columns; j++) {
        text_repeat(p, '-', shapes[j].width);
        pen_put(p, "%s", j == table->columns - 1 ? "\n" : "  ");
    }
    for (int64_t i = 1; i < table->rows; i++)
        put_row(p, table, shapes, i);
    free(shapes);
}

/* ---- Documents ------------------------------------------------------------------------------ */

static void put_part(pen *p, const document_part *part, bool color)
{
    switch (part->kind) {
    case PART_HEADING:
        put_heading(p, part->text, '-', color);
        break;
    case PART_TEXT:
        put_paragraph(p, part->text);
        break;
    case PART_TABLE:
        put_table(p, part, color);
        break;
    case PART_HEATS:
        text_put_heats(p, part, color);
        break;
    case PART_CHART:
        text_put_chart(p, &part->chart, color);
        break;
    }
}

char *study_document_text(const study_document *document, bool color, ag_error *error)
{
    pen p = {0};
    if (document_check(document, error) != AG_OK)
        return NULL;
    pen_put(&p, "%s", ""); /* an empty document is an empty text */
    if (*document->title)
        put_heading(&p, document->title, '=', color);
    for (const document_part *part = document->first; part; part = part->next) {
        pen_put(&p, "%s", p.length ? "\n" : "");
        put_part(&p, part, color);
    }
    if (p.failed) {
        ag_error_set(error, AG_NO_MEMORY, "out of memory for the document's text");
        free(p.text);
        return NULL;
    }
    return p.text;
}
