/* draw.c - matrices on a terminal. */
#include "study.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Text that grows in a buffer of limited size, counting what it would need. */
typedef struct pen {
    char *text;
    size_t size, length;
} pen;

static void put(pen *p, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void put(pen *p, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    size_t room = p->length < p->size ? p->size - p->length : 0;
    int length = vsnprintf(room ? p->text + p->length : NULL, room, format, arguments);
    va_end(arguments);
    p->length += length > 0 ? (size_t)length : 0;
}

/* The columns that a label takes: its code points, for scripts of single width. */
static int label_width(const char *label)
{
    int width = 0;
    for (; *label; label++)
        width += ((unsigned char)*label & 0xC0) != 0x80;
    return width;
}

static int widest(const char *const *labels, int64_t count)
{
    int width = 0;
    for (int64_t i = 0; labels && i < count; i++)
        if (label_width(labels[i]) > width)
            width = label_width(labels[i]);
    return width;
}

static void put_label(pen *p, const char *label, int width)
{
    put(p, "%*s%s", width - label_width(label), "", label);
}

/* One cell, as wide as the columns' labels and a gap. */
static void put_cell(pen *p, double value, int width, bool color)
{
    static const char shades[] = " .:-=+*%#";
    double clipped = value >= 1 ? 1 : value > 0 ? value : 0; /* NaN is drawn as 0 */
    if (color) {
        put(p, "\033[48;5;%dm%*s\033[0m", 232 + (int)lround(23 * clipped), width, "");
        return;
    }
    char shade = shades[(int)lround(clipped * (double)(sizeof shades - 2))];
    put(p, "%*s", width - 1, "");
    put(p, "%c", shade);
}

size_t study_draw_matrix(const real *values, int64_t rows, int64_t columns, const study_drawing *drawing, char *text,
                         size_t size)
{
    pen p = {text, size, 0};
    int left = widest(drawing->row_labels, rows), cell = widest(drawing->column_labels, columns) + 1;
    cell = cell < 2 ? 2 : cell;

    if (size)
        text[0] = 0;
    if (drawing->column_labels) {
        put(&p, "%*s ", left, "");
        for (int64_t j = 0; j < columns; j++)
            put_label(&p, drawing->column_labels[j], cell);
        put(&p, "\n");
    }
    for (int64_t i = 0; i < rows; i++) {
        if (drawing->row_labels)
            put_label(&p, drawing->row_labels[i], left);
        put(&p, " ");
        for (int64_t j = 0; j < columns; j++)
            put_cell(&p, (double)values[i * columns + j], cell, drawing->color);
        put(&p, "\n");
    }
    return p.length;
}
