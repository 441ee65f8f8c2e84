/* chart.c - line charts drawn with characters. */
#include "text.h"

#include "../axis.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    COLUMNS = 72, /* of the plot: at most */
    FEWEST = 8,   /* and at least */
    ROWS = 16,
    X_TICKS = 6,
    Y_TICKS = 4,
    NAME_COLUMNS = 40,
    LEGEND_GAP = 3
};

/* Each line has a character and, of the 256 colours of terminals, a colour of its own.
 * The contrast of all is at least 3:1, both to white and to black. */
static const char characters[] = "*o+x#@%&";
static const int colours[] = {33, 166, 29, 133, 136, 99, 244, 30};
enum { KINDS = sizeof characters - 1, MARK = KINDS + 1 };
static const char mark_character = '^';

/* The plot before it is written. Row 0 is the top. */
typedef struct chart_plot {
    const study_chart *chart;
    const text_style *style;
    axis x, y;
    int columns;
    unsigned char lines[ROWS][COLUMNS];   /* number of the line % KINDS + 1, or MARK; 0: empty */
    unsigned char colours[ROWS][COLUMNS]; /* index into `colours` */
} chart_plot;

static int column_of(const chart_plot *d, double x)
{
    return (int)lround(axis_share(&d->x, x) * (d->columns - 1));
}

/* May be outside of the plot if the chart gives the range of y. */
static int row_of(const chart_plot *d, double y)
{
    return ROWS - 1 - (int)lround(fmin(fmax(axis_share(&d->y, y), -9), 9) * (ROWS - 1));
}

static void set_place(chart_plot *d, int what, int colour, int row, int column)
{
    if (row >= 0 && row < ROWS && column >= 0 && column < d->columns) {
        d->lines[row][column] = (unsigned char)what;
        d->colours[row][column] = (unsigned char)colour;
    }
}

/* Draws from one point to the next, both included. */
static void draw_segment(chart_plot *d, int64_t line, int row, int column, int next_row, int next_column)
{
    const int colour = chart_colour(d->chart, line, KINDS);
    int steps = abs(next_row - row) > abs(next_column - column) ? abs(next_row - row) : abs(next_column - column);
    for (int i = 0; i <= steps; i++) {
        double part = steps ? (double)i / steps : 0;
        set_place(d, (int)(line % KINDS) + 1, colour, (int)lround(row + part * (next_row - row)),
                  (int)lround(column + part * (next_column - column)));
    }
}

static void draw_line(chart_plot *d, int64_t line)
{
    const study_line *own = &d->chart->lines[line];
    int row = 0, column = 0;
    bool before = false;
    for (int64_t i = 0; i < own->count; i++) {
        bool has = chart_has_point(d->chart, own, i);
        if (has) {
            int next_row = row_of(d, own->y[i]), next_column = column_of(d, own->x[i]);
            draw_segment(d, line, before ? row : next_row, before ? column : next_column, next_row, next_column);
            row = next_row;
            column = next_column;
        }
        before = has;
    }
}

static void draw_marks(chart_plot *d)
{
    for (int64_t i = 0; i < d->chart->mark_count; i++) {
        const study_mark *own = &d->chart->marks[i];
        if (chart_has_mark(d->chart, own))
            set_place(d, MARK, chart_colour(d->chart, own->line, KINDS), row_of(d, own->y), column_of(d, own->x));
    }
}

/* ---- Axes -------------------------------------------------------------------------- */

static int y_label_width(const axis *y)
{
    char number[AXIS_NUMBER_SIZE];
    int widest = 0;
    for (int i = 0; i < y->tick_count; i++) {
        int width = axis_print_tick(y, i, number);
        widest = width > widest ? width : widest;
    }
    return widest;
}

static void put_y_label(pen *p, const chart_plot *d, int row, int width)
{
    char number[AXIS_NUMBER_SIZE] = "";
    int length = 0;
    for (int i = 0; i < d->y.tick_count; i++)
        if (row_of(d, d->y.ticks[i]) == row)
            length = axis_print_tick(&d->y, i, number);
    terminal_repeat(p, ' ', width - length);
    pen_put(p, "%s %c", number, length ? '+' : '|');
}

static void put_character(pen *p, int what, int colour, bool color)
{
    const char character = what == MARK ? mark_character : characters[what - 1];
    if (color)
        pen_put(p, "\033[%s38;5;%dm%c\033[0m", what == MARK ? "1;" : "", colours[colour], character);
    else
        pen_put(p, "%c", character);
}

static void put_plot_row(pen *p, const chart_plot *d, int row)
{
    int end = d->columns;
    while (end > 0 && d->lines[row][end - 1] == 0)
        end--;
    for (int column = 0; column < end; column++)
        if (d->lines[row][column] == 0)
            pen_put(p, " ");
        else
            put_character(p, d->lines[row][column], d->colours[row][column], d->style->color);
    pen_put(p, "\n");
}

/* The axis with its ticks, and as many of their numbers as have room. */
static void put_x_axis(pen *p, const chart_plot *d, int left)
{
    char rule[COLUMNS + 1], numbers[COLUMNS + AXIS_NUMBER_SIZE], number[AXIS_NUMBER_SIZE];
    int end = 0;
    memset(rule, '-', COLUMNS);
    memset(numbers, ' ', sizeof numbers);
    rule[d->columns] = 0;
    for (int i = 0; i < d->x.tick_count; i++) {
        int column = column_of(d, d->x.ticks[i]), length = axis_print_tick(&d->x, i, number),
            from = column - length / 2 > d->columns - length ? d->columns - length : column - length / 2;
        from = from > 0 ? from : 0;
        rule[column] = '+';
        if (end > 0 && from < end + 1)
            continue;
        memcpy(numbers + from, number, (size_t)length);
        end = from + length;
    }
    numbers[end] = 0;
    terminal_repeat(p, ' ', left);
    pen_put(p, " +%s\n", rule);
    terminal_repeat(p, ' ', left + 2);
    pen_put(p, "%s\n", numbers);
}

/* ---- The chart --------------------------------------------------------------------- */

static int name_columns(const text_style *style)
{
    return style->width - 2 < NAME_COLUMNS ? style->width - 2 : NAME_COLUMNS;
}

/* The lines, then the marks. */
static void put_legend(pen *p, const study_chart *chart, const text_style *style)
{
    int column = 0;
    for (int64_t i = 0; i < chart->line_count + chart->mark_count; i++) {
        const study_mark *mark = i < chart->line_count ? NULL : &chart->marks[i - chart->line_count];
        const char *name = mark ? mark->name : chart->lines[i].name;
        const int width = 2 + label_width(name, name_columns(style)),
                  colour = chart_colour(chart, mark ? mark->line : i, KINDS);
        terminal_next_entry(p, &column, LEGEND_GAP, width, style->width);
        put_character(p, mark ? MARK : (int)(i % KINDS) + 1, colour, style->color);
        pen_put(p, " ");
        pen_put_label(p, name, name_columns(style), false);
    }
    pen_put(p, "%s", column ? "\n" : "");
}

static void put_axis_name(pen *name, const char *text, bool is_log)
{
    pen_put(name, "%s%s", text, is_log ? " (logarithmic)" : "");
}

static void put_plot(pen *p, chart_plot *d)
{
    const study_chart *chart = d->chart;
    const int left = y_label_width(&d->y), room = d->style->width - left - 2;
    d->columns = room > COLUMNS ? COLUMNS : room > FEWEST ? room : FEWEST;
    for (int64_t i = 0; i < chart->line_count; i++)
        draw_line(d, i);
    draw_marks(d);
    for (int row = 0; row < ROWS; row++) {
        put_y_label(p, d, row, left);
        put_plot_row(p, d, row);
    }
    put_x_axis(p, d, left);
    if (label_has_text(chart->x_axis)) {
        pen name = {0};
        put_axis_name(&name, chart->x_axis, chart->log_x);
        terminal_repeat(p, ' ', left + 2 + d->columns - label_width(pen_text(&name), name_columns(d->style)));
        pen_put_label(p, pen_text(&name), name_columns(d->style), false);
        pen_put(p, "\n");
        pen_discard(p, &name);
    }
}

void text_put_chart(pen *p, const document_part *part, const text_style *style)
{
    const study_chart *chart = &part->chart;
    chart_plot d = {.chart = chart, .style = style};
    pen name = {0};
    terminal_letters(p, TERMINAL_BOLD, style->color);
    terminal_lines title = {.p = p, .width = style->width};
    terminal_put_words(&title, chart->title);
    terminal_letters(p, TERMINAL_NORMAL, style->color);
    pen_put(p, "\n");
    const bool drawn = chart_axes(chart, X_TICKS, Y_TICKS, &d.x, &d.y);
    if (drawn && label_has_text(chart->y_axis)) {
        put_axis_name(&name, chart->y_axis, chart->log_y);
        terminal_put_paragraph(p, pen_text(&name), style->width);
        pen_discard(p, &name);
    }
    if (drawn)
        put_plot(p, &d);
    else
        pen_put(p, "no data\n");
    put_legend(p, chart, style);
}
