/* figure.c - pictures as figures of a page: see html.h. */
#include "html.h"

#include "../heat_grid.h"
#include "../svg/svg.h"

#include <stdio.h>

enum {
    TABLE_SIDE = 32,    /* rows and columns of heat maps up to which numbers are a table */
    TABLE_POINTS = 400, /* points of charts up to which they are */
    ELEMENTS_SIDE = 64, /* rows and columns up to which svg_heat makes elements with data */
    VALUES_SIDE = 256,  /* and, for larger maps, up to which the script gets all values */
    NUMBER_DIGITS = 4,
    ID_SIZE = 32
};

static void print_id(char id[ID_SIZE], int64_t number)
{
    snprintf(id, ID_SIZE, "picture-%lld", (long long)number);
}

static void open_numbers(pen *p, const char *title)
{
    pen_put_between(p, "<details>\n<summary>Numbers</summary>\n<div class=\"scroll\">\n<table>\n<caption>", title,
                    "</caption>\n<thead>\n");
}

static void close_numbers(pen *p)
{
    pen_put(p, "</tbody>\n</table>\n</div>\n</details>\n");
}

/* ---- Heat maps --------------------------------------------------------------------- */

/* The first column of the second side has a line on its left. */
static const char *number_class(const study_heat *heat, int64_t column)
{
    return heat_side(heat, column) && column == heat->split ? "number divided" : "number";
}

/* A row of the table's head: the names of both sides above their columns. */
static void put_sides(pen *p, const study_heat *heat)
{
    if (!heat_side(heat, 0))
        return;
    pen_put(p, "<tr><td></td><th scope=\"colgroup\" colspan=\"%lld\">", (long long)heat->split);
    pen_put_escaped(p, heat_side(heat, 0));
    pen_put(p, "</th><th scope=\"colgroup\" class=\"divided\" colspan=\"%lld\">",
            (long long)(heat->columns - heat->split));
    pen_put_between(p, "", heat_side(heat, heat->split), "</th></tr>\n");
}

static void put_heat_numbers(pen *p, const study_heat *heat)
{
    char number[HEAT_NUMBER_SIZE];
    if (heat->rows > TABLE_SIDE || heat->columns > TABLE_SIDE || heat->rows == 0 || heat->columns == 0)
        return;
    const heat_grid grid = heat_grid_make(heat, TABLE_SIDE, TABLE_SIDE);
    open_numbers(p, heat->title);
    put_sides(p, heat);
    pen_put_between(p, "<tr><th scope=\"col\">", heat->row_axis ? heat->row_axis : "row", " \\ ");
    pen_put_between(p, "", heat->column_axis ? heat->column_axis : "column", "</th>");
    for (int64_t j = 0; j < heat->columns; j++) {
        pen_put(p, "<th scope=\"col\" class=\"%s\">", number_class(heat, j));
        pen_put_label(p, heat_column_label(&grid, j, number), 0, true);
        pen_put(p, "</th>");
    }
    pen_put(p, "</tr>\n</thead>\n<tbody>\n");
    for (int64_t i = 0; i < heat->rows; i++) {
        pen_put(p, "<tr><th scope=\"row\">");
        pen_put_label(p, heat_row_label(&grid, i, number), 0, true);
        pen_put(p, "</th>");
        for (int64_t j = 0; j < heat->columns; j++) {
            pen_put(p, "<td class=\"%s\">", number_class(heat, j));
            heat_put_words(p, heat, heat_grid_cell(&grid, i, j), NUMBER_DIGITS, true);
            pen_put(p, "</td>");
        }
        pen_put(p, "</tr>\n");
    }
    close_numbers(p);
}

void html_put_attribute(pen *p, const char *name, const char *text)
{
    if (!label_has_text(text))
        return;
    pen_put(p, " %s=\"", name);
    pen_put_between(p, "", text, "\"");
}

/* Labels for the script, one per line: as they are shown, no label has a line feed. */
static void put_labels(pen *p, const char *name, const char *const *labels, int64_t count)
{
    if (!labels)
        return;
    pen_put(p, " %s=\"", name);
    for (int64_t i = 0; i < count; i++) {
        pen_put(p, "%s", i ? "\n" : "");
        pen_put_label(p, labels[i], 0, true);
    }
    pen_put(p, "\"");
}

/* Values for the script, of a map that is too large for elements, one row per line:
 * "0.25"; "m" masked; "m0.25" masked and yet not 0; "p" padding. */
static void put_values(pen *p, const study_heat *heat)
{
    bool elements = heat->rows <= ELEMENTS_SIDE && heat->columns <= ELEMENTS_SIDE;
    if (elements || heat->rows > VALUES_SIDE || heat->columns > VALUES_SIDE)
        return;
    static const char *const prefixes[LOOKS] = {
        [LOOK_VALUE] = "", [LOOK_STRANGE] = "", [LOOK_PADDING] = "p", [LOOK_MASKED] = "m", [LOOK_LEAK] = "m"};
    const heat_grid grid = heat_grid_make(heat, VALUES_SIDE, VALUES_SIDE);
    pen_put(p, " data-values=\"");
    for (int64_t i = 0; i < heat->rows; i++)
        for (int64_t j = 0; j < heat->columns; j++) {
            heat_cell cell = heat_grid_cell(&grid, i, j);
            pen_put(p, "%s%s", j ? " " : i ? "\n" : "", prefixes[cell.look]);
            if (cell.look != LOOK_PADDING && cell.look != LOOK_MASKED)
                pen_put_number(p, cell.value, NUMBER_DIGITS);
        }
    pen_put(p, "\"");
}

/* The sizes by which the page's style lays the row labels over the picture at any scale:
 * see page.c. */
static void put_shape(pen *p, const svg_shape *shape)
{
    pen_put_fixed_all(p, "--width:@px", 0, &shape->width);
    pen_put_fixed_all(p, ";--rows:@;--shape:@", 5,
                      (double[]){shape->rows_width / shape->width, shape->rows_width / shape->rows_height});
}

/* The data by which the script says where a cell is and what it means. */
static void put_data(pen *p, const study_heat *heat)
{
    html_put_attribute(p, "data-title", heat->title);
    html_put_attribute(p, "data-row-axis", heat->row_axis);
    html_put_attribute(p, "data-column-axis", heat->column_axis);
    put_labels(p, "data-rows", heat->row_labels, heat->rows);
    put_labels(p, "data-columns", heat->column_labels, heat->columns);
    if (heat_side(heat, 0)) {
        pen_put(p, " data-split=\"%lld\"", (long long)heat->split);
        put_labels(p, "data-sides", heat->sides, 2);
    }
    put_labels(p, "data-kinds", heat->kinds, heat->kind_count);
    pen_put(p, " data-high=\"");
    pen_put_number(p, heat_grid_make(heat, 1, 1).high, NUMBER_DIGITS + 2);
    pen_put(p, "\"");
    put_values(p, heat);
}

/* The group is above the picture and the note below it, as text of the page: there it
 * wraps, in the picture it would not. */
void html_put_heat(pen *p, const study_heat *heat, int64_t number)
{
    char id[ID_SIZE];
    svg_shape shape;
    pen rows = {0};
    study_heat bare = *heat;
    bare.group = bare.note = NULL;
    print_id(id, number);
    svg_heat_rows(&rows, &bare, id, &shape);
    pen_put(p, "<figure class=\"heat\" style=\"");
    put_shape(p, &shape);
    pen_put(p, "\"");
    put_data(p, heat);
    pen_put_between(p, ">\n<figcaption><span class=\"unseen\">", heat->group, label_has_text(heat->group) ? ", " : "");
    pen_put_between(p, "</span><b>", heat->title, "</b> ");
    pen_put_between(p, "", heat->note, "</figcaption>\n<div class=\"picture\">\n");
    pen_put_bytes(p, pen_text(&rows), rows.length);
    pen_discard(p, &rows);
    svg_heat(p, &bare, id);
    pen_put(p, "</div>\n");
    put_heat_numbers(p, heat);
    pen_put(p, "</figure>\n");
}

/* ---- Charts ------------------------------------------------------------------------ */

static void put_chart_numbers(pen *p, const study_chart *chart)
{
    int64_t points = 0;
    for (int64_t i = 0; i < chart->line_count; i++)
        points += chart->lines[i].count;
    if (points == 0 || points > TABLE_POINTS)
        return;
    open_numbers(p, chart->title);
    pen_put(p, "<tr><th scope=\"col\">line</th>");
    pen_put_between(p, "<th scope=\"col\" class=\"number\">", label_has_text(chart->x_axis) ? chart->x_axis : "x",
                    "</th>");
    pen_put_between(p, "<th scope=\"col\" class=\"number\">", label_has_text(chart->y_axis) ? chart->y_axis : "y",
                    "</th></tr>\n</thead>\n<tbody>\n");
    for (int64_t i = 0; i < chart->line_count; i++)
        for (int64_t n = 0; n < chart->lines[i].count; n++) {
            pen_put_between(p, "<tr><th scope=\"row\">", chart->lines[i].name, "</th><td class=\"number\">");
            pen_put_number(p, chart->lines[i].x[n], NUMBER_DIGITS + 2);
            pen_put(p, "</td><td class=\"number\">");
            pen_put_number(p, chart->lines[i].y[n], NUMBER_DIGITS);
            pen_put(p, "</td></tr>\n");
        }
    close_numbers(p);
}

void html_put_chart(pen *p, const study_chart *chart, int64_t number)
{
    char id[ID_SIZE];
    print_id(id, number);
    pen_put(p, "<figure class=\"chart\">\n<div class=\"picture\">\n");
    svg_chart(p, chart, id);
    pen_put_between(p, "</div>\n<figcaption><span class=\"unseen\">", chart->title, "</span></figcaption>\n");
    put_chart_numbers(p, chart);
    pen_put(p, "</figure>\n");
}

/* ---- Graphs ------------------------------------------------------------------------ */

void html_put_graph(pen *p, const study_graph *graph, int64_t number)
{
    char id[ID_SIZE];
    print_id(id, number);
    pen_put(p, "<figure class=\"graph\">\n<div class=\"picture\">\n");
    svg_graph(p, graph, id);
    pen_put_between(p, "</div>\n<figcaption><span class=\"unseen\">", graph->title, "</span></figcaption>\n");
    pen_put(p, "</figure>\n");
}
