/* text_chart.c - line charts of characters. */
#include "text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMNS = 72, ROWS = 16, X_TICKS = 6, Y_TICKS = 4, NAME_COLUMNS = 40, NUMBER_SIZE = 32 };

/* Each line draws with a character of its own, and in colour with one of these too. */
static const char characters[] = "*o+x#@%&";
static const int colours[] = {34, 31, 32, 35, 33, 36, 90, 94};
enum { KINDS = sizeof characters - 1 };

/* What stands where: the number of the line + 1; 0 nothing. Row 0 is the highest. */
typedef struct plot {
    axis x, y;
    unsigned char lines[ROWS][COLUMNS];
} plot;

static int column_of(const plot *d, double x)
{
    return (int)lround(axis_share(&d->x, x) * (COLUMNS - 1));
}

/* May lie outside where the chart gives the range of y. */
static int row_of(const plot *d, double y)
{
    return ROWS - 1 - (int)lround(fmin(fmax(axis_share(&d->y, y), -9), 9) * (ROWS - 1));
}

static void mark(plot *d, int64_t line, int row, int column)
{
    if (row >= 0 && row < ROWS && column >= 0 && column < COLUMNS)
        d->lines[row][column] = (unsigned char)(line % KINDS + 1);
}

/* From the point before to this one, both included. */
static void connect(plot *d, int64_t line, int row, int column, int next_row, int next_column)
{
    int steps = abs(next_row - row) > abs(next_column - column) ? abs(next_row - row) : abs(next_column - column);
    for (int i = 0; i <= steps; i++) {
        double part = steps ? (double)i / steps : 0;
        mark(d, line, (int)lround(row + part * (next_row - row)), (int)lround(column + part * (next_column - column)));
    }
}

static void draw_line(plot *d, const study_chart *chart, int64_t line)
{
    const study_line *own = &chart->lines[line];
    int row = 0, column = 0;
    bool before = false;
    for (int64_t i = 0; i < own->count; i++) {
        bool has = chart_has_point(chart, own, i);
        if (has) {
            int next_row = row_of(d, own->y[i]), next_column = column_of(d, own->x[i]);
            connect(d, line, before ? row : next_row, before ? column : next_column, next_row, next_column);
            row = next_row;
            column = next_column;
        }
        before = has;
    }
}

/* ---- Axes ----------------------------------------------------------------------------------- */

/* Returns its length. */
static int write_tick(pen *p, const axis *a, int tick, char text[NUMBER_SIZE])
{
    pen number = {0};
    pen_put_number(&number, a->ticks[tick], a->digits);
    p->failed |= number.failed;
    size_t length = number.length < NUMBER_SIZE ? number.length : NUMBER_SIZE - 1;
    if (number.text)
        memcpy(text, number.text, length);
    text[length] = 0;
    free(number.text);
    return (int)length;
}

static int y_label_width(pen *p, const axis *y)
{
    char number[NUMBER_SIZE];
    int widest = 0;
    for (int i = 0; i < y->tick_count; i++) {
        int width = write_tick(p, y, i, number);
        widest = width > widest ? width : widest;
    }
    return widest;
}

static void put_y_label(pen *p, const plot *d, int row, int width)
{
    char number[NUMBER_SIZE] = "";
    int length = 0;
    for (int i = 0; i < d->y.tick_count; i++)
        if (row_of(d, d->y.ticks[i]) == row)
            length = write_tick(p, &d->y, i, number);
    text_repeat(p, ' ', width - length);
    pen_put(p, "%s %c", number, length ? '+' : '|');
}

static void put_row(pen *p, const plot *d, int row, bool color)
{
    int end = COLUMNS;
    while (end > 0 && d->lines[row][end - 1] == 0)
        end--;
    for (int column = 0; column < end; column++) {
        int line = d->lines[row][column];
        if (line == 0)
            pen_put(p, " ");
        else if (color)
            pen_put(p, "\033[%dm%c\033[0m", colours[line - 1], characters[line - 1]);
        else
            pen_put(p, "%c", characters[line - 1]);
    }
    pen_put(p, "\n");
}

/* The axis, and its numbers where they do not touch one another. */
static void put_x_axis(pen *p, const plot *d, int left)
{
    char rule[COLUMNS + 1], numbers[COLUMNS + NUMBER_SIZE], number[NUMBER_SIZE];
    int end = 0;
    memset(rule, '-', COLUMNS);
    memset(numbers, ' ', sizeof numbers);
    rule[COLUMNS] = 0;
    for (int i = 0; i < d->x.tick_count; i++) {
        int column = column_of(d, d->x.ticks[i]), length = write_tick(p, &d->x, i, number);
        int from = column - length / 2 > 0 ? column - length / 2 : 0;
        rule[column] = '+';
        if (end > 0 && from < end + 1)
            continue;
        memcpy(numbers + from, number, (size_t)length);
        end = from + length;
    }
    numbers[end] = 0;
    text_repeat(p, ' ', left);
    pen_put(p, " +%s\n", rule);
    text_repeat(p, ' ', left + 2);
    pen_put(p, "%s\n", numbers);
}

/* ---- The chart ------------------------------------------------------------------------------ */

static void put_legend(pen *p, const study_chart *chart, bool color)
{
    int column = 0;
    for (int64_t i = 0; i < chart->line_count; i++) {
        int kind = (int)(i % KINDS), width = 5 + label_width(chart->lines[i].name, NAME_COLUMNS);
        if (column > 0 && column + width > TEXT_WIDTH) {
            pen_put(p, "\n");
            column = 0;
        }
        if (color)
            pen_put(p, "%s\033[%dm%c\033[0m ", column ? "   " : "", colours[kind], characters[kind]);
        else
            pen_put(p, "%s%c ", column ? "   " : "", characters[kind]);
        pen_put_label(p, chart->lines[i].name, NAME_COLUMNS, false);
        column += width;
    }
    pen_put(p, "%s", column ? "\n" : "");
}

void text_put_chart(pen *p, const study_chart *chart, bool color)
{
    plot d = {.lines = {{0}}};
    text_bold(p, color);
    pen_put_label(p, chart->title, TEXT_WIDTH, false);
    text_usual(p, color);
    pen_put(p, "\n");
    if (!chart_axes(chart, X_TICKS, Y_TICKS, &d.x, &d.y)) {
        pen_put(p, "no data\n");
        put_legend(p, chart, color);
        return;
    }
    for (int64_t i = 0; i < chart->line_count; i++)
        draw_line(&d, chart, i);
    int left = y_label_width(p, &d.y);
    if (svg_has_text(chart->y_axis)) {
        pen_put_label(p, chart->y_axis, NAME_COLUMNS, false);
        pen_put(p, "%s\n", chart->log_y ? " (logarithmic)" : "");
    }
    for (int row = 0; row < ROWS; row++) {
        put_y_label(p, &d, row, left);
        put_row(p, &d, row, color);
    }
    put_x_axis(p, &d, left);
    if (svg_has_text(chart->x_axis)) {
        int width = label_width(chart->x_axis, NAME_COLUMNS);
        text_repeat(p, ' ', left + 2 + COLUMNS - width);
        pen_put_label(p, chart->x_axis, NAME_COLUMNS, false);
        pen_put(p, "\n");
    }
    put_legend(p, chart, color);
}
