/* chart.c - line charts as pictures.
 *
 * Lines differ in colour and in the shape of their points, so they can be told apart
 * without colour; companions are dashed. If points are few, each has a dot that the mouse
 * can ask for its value; so does every point between gaps. If many points fall into one
 * narrow column, the line runs through their mean, on a band from the lowest to the
 * highest: a picture is never larger than the eye can resolve.
 */
#include "../axis.h"
#include "../style.h"
#include "svg.h"

#include <math.h>

enum {
    MARGIN = 16,
    PLOT_WIDTH = 640,
    PLOT_HEIGHT = 300,
    MARKED = 60, /* lines of up to this many points have a dot at each, */
    SOME = 8,    /* longer lines have about this many dots */
    X_TICKS = 8,
    Y_TICKS = 6,
    COLUMN = 2, /* the width in which points are averaged */
    SHAPES = 5,
    NAME_COLUMNS = 40,
    TITLE_COLUMNS = 76,
    SAMPLE = 34, /* length of a line in the legend */
    LEGEND_LINE = 20
};

/* The shapes of points. With 8 colours and 5 shapes, no two of 40 lines look alike. */
static const char *const shapes[SHAPES] = {"m-1 0a1 1 0 1 0 2 0a1 1 0 1 0-2 0z", "m-.9-.9h1.8v1.8h-1.8z",
                                           "m0-1.2l1.1 2h-2.2z", "m0-1.3l1.3 1.3l-1.3 1.3l-1.3-1.3z",
                                           "m0 1.2l1.1-2h-2.2z"};

typedef struct chart_layout {
    const study_chart *chart;
    const char *id;
    bool empty;
    axis x, y;
    double left, top, right, bottom; /* of the plot */
    double legend_top, legend_step;
    int64_t legend_columns;
    double width, height; /* of the picture */
} chart_layout;

static double place_x(const chart_layout *l, double x)
{
    return l->left + axis_share(&l->x, x) * (l->right - l->left);
}

/* Values outside the axis are moved to just outside the plot, where they are clipped. */
static double place_y(const chart_layout *l, double y)
{
    double share = fmin(fmax(axis_share(&l->y, y), -0.5), 1.5);
    return l->bottom - share * (l->bottom - l->top);
}

/* ---- Layout ------------------------------------------------------------------------ */

static double tick_width(const axis *a, int tick)
{
    char number[AXIS_NUMBER_SIZE];
    axis_print_tick(a, tick, number);
    return svg_text_width(number, 0, 12);
}

/* The names in the legend form columns of one width. */
static void lay_out_legend(chart_layout *l)
{
    const study_chart *chart = l->chart;
    double widest = 0;
    for (int64_t i = 0; i < chart->line_count; i++)
        widest = fmax(widest, svg_text_width(chart->lines[i].name, NAME_COLUMNS, 12));
    for (int64_t i = 0; i < chart->mark_count; i++)
        widest = fmax(widest, svg_text_width(chart->marks[i].name, NAME_COLUMNS, 12));
    l->legend_step = ceil(SAMPLE + 8 + widest + 16);
    l->legend_columns = (int64_t)fmax(1, floor(PLOT_WIDTH / l->legend_step));
}

static chart_layout lay_out_chart(const study_chart *chart, const char *id)
{
    chart_layout l = {.chart = chart, .id = id};
    double widest = 0;
    l.empty = !chart_axes(chart, X_TICKS, Y_TICKS, &l.x, &l.y);
    for (int i = 0; !l.empty && i < l.y.tick_count; i++)
        widest = fmax(widest, tick_width(&l.y, i));
    l.left = MARGIN + ceil(widest) + 10;
    l.right = l.left + PLOT_WIDTH;
    l.top = MARGIN + (label_has_text(chart->title) ? 28 : 0) + (label_has_text(chart->y_axis) ? 26 : 4);
    l.bottom = l.top + PLOT_HEIGHT;
    l.legend_top = l.bottom + 24 + (label_has_text(chart->x_axis) ? 20 : 0) + 8;
    lay_out_legend(&l);
    l.width = l.right + MARGIN;
    for (int i = 0; !l.empty && i < l.x.tick_count; i++)
        l.width = fmax(l.width, place_x(&l, l.x.ticks[i]) + tick_width(&l.x, i) / 2 + 4);
    l.width = ceil(l.width);
    int64_t legend_lines = (chart->line_count + chart->mark_count + l.legend_columns - 1) / l.legend_columns;
    l.height = l.legend_top + (double)legend_lines * LEGEND_LINE + MARGIN * 0.5;
    return l;
}

/* ---- Axes -------------------------------------------------------------------------- */

static void put_tick(pen *p, const char *style, double x, double y, const axis *a, int tick)
{
    char number[AXIS_NUMBER_SIZE];
    axis_print_tick(a, tick, number);
    pen_put(p, "<text class=\"%s\"", style);
    pen_put_fixed_all(p, " x=\"@\" y=\"@\">", 1, (double[]){x, y});
    pen_put(p, "%s</text>\n", number);
}

/* `form` is "h@" or "v@". */
static void put_segment(pen *p, const char *style, double x, double y, const char *form, double length)
{
    pen_put(p, "<path class=\"%s\"", style);
    pen_put_fixed_all(p, " d=\"M@ @", 1, (double[]){floor(x) + 0.5, floor(y) + 0.5});
    pen_put_fixed_all(p, form, 1, &length);
    pen_put(p, "\"/>\n");
}

static void put_axes(pen *p, const chart_layout *l)
{
    for (int i = 0; i < l->y.tick_count; i++) {
        double y = place_y(l, l->y.ticks[i]);
        put_segment(p, "grid", l->left, y, "h@", l->right - l->left);
        put_tick(p, "minor right", l->left - 8, y + 4, &l->y, i);
    }
    double end = 0; /* of the previous number */
    for (int i = 0; i < l->x.tick_count; i++) {
        double x = place_x(l, l->x.ticks[i]), half = tick_width(&l->x, i) / 2;
        put_segment(p, "grid", x, l->top, "v@", l->bottom - l->top);
        put_segment(p, "axis", x, l->bottom, "v@", 5);
        if (x - half < end)
            continue;
        end = x + half + 8;
        put_tick(p, "minor middle", x, l->bottom + 19, &l->x, i);
    }
    put_segment(p, "axis", l->left, l->bottom, "h@", l->right - l->left);
    put_segment(p, "axis", l->left, l->top, "v@", l->bottom - l->top);
}

static void put_axis_name(pen *p, const char *style, double x, double y, const char *text, bool is_log)
{
    pen name = {0};
    pen_put_label(&name, text, NAME_COLUMNS, false);
    pen_put(&name, "%s", is_log ? " (logarithmic)" : "");
    svg_text(p, style, x, y, name.text, 0, "");
    pen_discard(p, &name);
}

static void put_names(pen *p, const chart_layout *l)
{
    const study_chart *chart = l->chart;
    if (label_has_text(chart->title))
        svg_text(p, "title", MARGIN, MARGIN + 13, chart->title, TITLE_COLUMNS, "");
    if (label_has_text(chart->y_axis))
        put_axis_name(p, "minor", MARGIN, l->top - 13, chart->y_axis, chart->log_y);
    if (label_has_text(chart->x_axis))
        put_axis_name(p, "minor right", l->right, l->bottom + 40, chart->x_axis, chart->log_x);
}

/* ---- Lines ------------------------------------------------------------------------- */

static bool has_point(const chart_layout *l, int64_t line, int64_t i)
{
    const study_line *own = &l->chart->lines[line];
    return i >= 0 && i < own->count && chart_has_point(l->chart, own, i);
}

/* The points that fall into one column: number i up to `end`. In pictures y grows
 * downwards. */
typedef struct point_column {
    int64_t count, end;
    double x, y;        /* the means */
    double top, bottom; /* the outermost y */
} point_column;

/* The column of point number i. If that is a gap, the column is the gap and has no
 * points. */
static point_column column_at(const chart_layout *l, int64_t line, int64_t i)
{
    const study_line *own = &l->chart->lines[line];
    point_column column = {.end = i + 1, .top = l->bottom * 2, .bottom = -l->bottom};
    if (!has_point(l, line, i))
        return column;
    double place = floor(place_x(l, own->x[i]) / COLUMN), x = 0, y = 0;
    for (int64_t n = i; has_point(l, line, n) && floor(place_x(l, own->x[n]) / COLUMN) == place; n++) {
        double at = place_y(l, own->y[n]);
        x += place_x(l, own->x[n]);
        y += at;
        column.top = fmin(column.top, at);
        column.bottom = fmax(column.bottom, at);
        column.count++;
    }
    column.end = i + column.count;
    column.x = x / (double)column.count;
    column.y = y / (double)column.count;
    return column;
}

/* Draws the ranges of all columns of more than one point, as one path of rectangles. */
static void put_band(pen *p, const chart_layout *l, int64_t line)
{
    const study_line *own = &l->chart->lines[line];
    pen_put(p, "<path class=\"dot-%d\" fill-opacity=\"0.25\" d=\"M0 0", chart_colour(l->chart, line, STYLE_LINES));
    for (int64_t i = 0, next; i < own->count; i = next) {
        const point_column column = column_at(l, line, i);
        next = column.end;
        if (column.count > 1)
            pen_put_fixed_all(
                p, "M@ @h@V@h@z", 1,
                (double[]){floor(place_x(l, own->x[i]) / COLUMN) * COLUMN, column.top, COLUMN, column.bottom, -COLUMN});
    }
    pen_put(p, "\"/>\n");
}

static void open_line(pen *p, const study_chart *chart, int64_t line)
{
    pen_put(p, "<path class=\"line line-%d\"%s", chart_colour(chart, line, STYLE_LINES),
            line > 0 && chart->lines[line].companion ? " stroke-dasharray=\"9 4\"" : "");
}

static void put_line(pen *p, const chart_layout *l, int64_t line)
{
    open_line(p, l->chart, line);
    pen_put(p, " d=\"M0 0");
    for (int64_t i = 0, next; i < l->chart->lines[line].count; i = next) {
        const point_column column = column_at(l, line, i);
        next = column.end;
        if (column.count > 0)
            pen_put_fixed_all(p, has_point(l, line, i - 1) ? "L@ @" : "M@ @", 1, (double[]){column.x, column.y});
    }
    pen_put(p, "\"><title>");
    pen_put_label(p, l->chart->lines[line].name, TITLE_COLUMNS, true);
    pen_put(p, "</title></path>\n");
}

/* Opens the tag of a dot in the shape of the line's points. `size` is its radius. The
 * caller closes it with "/>" or ">...</path>". */
static void open_dot(pen *p, const chart_layout *l, int64_t line, double x, double y, double size)
{
    pen_put(p, "<path class=\"dot-%d\"", chart_colour(l->chart, line, STYLE_LINES));
    pen_put_fixed_all(p, " transform=\"translate(@ @) scale(@)\"", 1, (double[]){x, y, size});
    pen_put(p, " d=\"M0 0%s\"", shapes[chart_colour(l->chart, line, SHAPES)]);
}

/* A dot whose title gives its values. */
static void put_dot(pen *p, const chart_layout *l, int64_t line, int64_t i, double size)
{
    const study_line *own = &l->chart->lines[line];
    open_dot(p, l, line, place_x(l, own->x[i]), place_y(l, own->y[i]), size);
    pen_put(p, "><title>");
    pen_put_label(p, own->name, TITLE_COLUMNS, true);
    pen_put(p, " at ");
    pen_put_number(p, own->x[i], 10);
    pen_put(p, ": ");
    pen_put_number(p, own->y[i], 4);
    pen_put(p, "</title></path>\n");
}

static void put_dots(pen *p, const chart_layout *l, int64_t line)
{
    const study_line *own = &l->chart->lines[line];
    const int64_t every = own->count <= MARKED ? 1 : (own->count + SOME - 1) / SOME;
    for (int64_t i = 0; i < own->count; i++) {
        bool alone = !has_point(l, line, i - 1) && !has_point(l, line, i + 1);
        if (has_point(l, line, i) && (alone || i % every == every / 2))
            put_dot(p, l, line, i, alone ? 4 : every > 1 ? 3.5 : 2.5);
    }
}

/* A ring around a marked point. */
static void put_ring(pen *p, const chart_layout *l, const study_mark *mark, double x, double y)
{
    pen_put(p, "<circle class=\"line line-%d\" r=\"6.5\"", chart_colour(l->chart, mark->line, STYLE_LINES));
    pen_put_fixed_all(p, " cx=\"@\" cy=\"@\"><title>", 1, (double[]){x, y});
    pen_put_label(p, mark->name, TITLE_COLUMNS, true);
    pen_put(p, "</title></circle>\n");
}

static void put_marks(pen *p, const chart_layout *l)
{
    for (int64_t i = 0; i < l->chart->mark_count; i++) {
        const study_mark *mark = &l->chart->marks[i];
        if (chart_has_mark(l->chart, mark))
            put_ring(p, l, mark, place_x(l, mark->x), place_y(l, mark->y));
    }
}

/* ---- The legend -------------------------------------------------------------------- */

static void put_sample(pen *p, const chart_layout *l, int64_t line, double x, double y)
{
    open_line(p, l->chart, line);
    pen_put_fixed_all(p, " d=\"M@ @h@\"/>\n", 1, (double[]){x, y, SAMPLE});
    open_dot(p, l, line, x + SAMPLE / 2, y, 3.5);
    pen_put(p, "/>\n");
}

/* The lines, then the marks. */
static void put_legend(pen *p, const chart_layout *l)
{
    const study_chart *chart = l->chart;
    for (int64_t i = 0; i < chart->line_count + chart->mark_count; i++) {
        const study_mark *mark = i < chart->line_count ? NULL : &chart->marks[i - chart->line_count];
        const int64_t column = i % l->legend_columns, line = i / l->legend_columns;
        const double x = l->left + (double)column * l->legend_step, y = l->legend_top + (double)line * LEGEND_LINE;
        if (mark)
            put_ring(p, l, mark, x + SAMPLE / 2, y + 7);
        else
            put_sample(p, l, i, x, y + 7);
        svg_text(p, "name", x + SAMPLE + 8, y + 11, mark ? mark->name : chart->lines[i].name, NAME_COLUMNS, "");
    }
}

/* ---- In words ---------------------------------------------------------------------- */

/* ", the last 0.25 at 400" */
static void describe_point(pen *p, const char *what, const study_line *line, int64_t i)
{
    pen_put(p, ", the %s ", what);
    pen_put_number(p, line->y[i], 4);
    pen_put(p, " at ");
    pen_put_number(p, line->x[i], 10);
}

static void describe_line(pen *p, const study_chart *chart, const study_line *line)
{
    int64_t last = -1, least = -1, points = 0;
    for (int64_t i = 0; i < line->count; i++)
        if (chart_has_point(chart, line, i)) {
            least = least < 0 || line->y[i] < line->y[least] ? i : least;
            last = i;
            points++;
        }
    pen_put(p, " ");
    pen_put_label(p, line->name, NAME_COLUMNS, false);
    pen_put(p, ": %lld points", (long long)points);
    if (points > 0) {
        describe_point(p, "last", line, last);
        describe_point(p, "lowest", line, least);
    }
    pen_put(p, ".");
}

static void describe_chart(pen *p, const study_chart *chart)
{
    pen_put(p, "Line chart of %s by %s.", label_has_text(chart->y_axis) ? chart->y_axis : "values",
            label_has_text(chart->x_axis) ? chart->x_axis : "their places");
    for (int64_t i = 0; i < chart->line_count; i++)
        describe_line(p, chart, &chart->lines[i]);
    for (int64_t i = 0; i < chart->mark_count; i++) {
        pen_put(p, " Marked: ");
        pen_put_label(p, chart->marks[i].name, NAME_COLUMNS, false);
        pen_put(p, ".");
    }
}

svg_size svg_chart_size(const study_chart *chart)
{
    const chart_layout l = lay_out_chart(chart, NULL);
    return (svg_size){l.width, l.height};
}

void svg_chart(pen *p, const study_chart *chart, const char *id)
{
    chart_layout l = lay_out_chart(chart, id);
    pen description = {0};
    describe_chart(&description, chart);
    svg_open(p, id, l.width, l.height, chart->title, &description);
    pen_discard(p, &description);
    put_names(p, &l);
    if (l.empty) {
        pen_put(p, "<rect class=\"frame\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\"/>\n", (int)l.left, (int)l.top,
                PLOT_WIDTH, PLOT_HEIGHT);
        svg_text(p, "minor middle", (l.left + l.right) / 2, (l.top + l.bottom) / 2, "no data", 0, "");
    } else {
        put_axes(p, &l);
        pen_put(p, "<clipPath id=\"%s-plot\"><rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\"/></clipPath>\n",
                svg_prefix(id), (int)l.left - 8, (int)l.top - 8, PLOT_WIDTH + 16, PLOT_HEIGHT + 16);
        pen_put(p, "<g clip-path=\"url(#%s-plot)\">\n", svg_prefix(id));
        for (int64_t i = 0; i < chart->line_count; i++) {
            if (chart->lines[i].count > MARKED)
                put_band(p, &l, i);
            put_line(p, &l, i);
            put_dots(p, &l, i);
        }
        put_marks(p, &l);
        pen_put(p, "</g>\n");
    }
    put_legend(p, &l);
    pen_put(p, "</svg>\n");
}
