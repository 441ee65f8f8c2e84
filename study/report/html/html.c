/* html.c - a document as one HTML file that needs nothing else.
 *
 * The page says everything without a script and without colours: pictures have descriptions, and small ones their
 * numbers as tables. What the script adds, see html_page.c. All foreign text is escaped; the security policy forbids
 * the network and every script but that one, should that ever fail. */
#include "../draw.h"
#include "page.h"

#include <stdlib.h>
#include <string.h>

enum {
    TABLE_SIDE = 32,    /* rows and columns of maps whose numbers are in a table */
    TABLE_POINTS = 400, /* points of charts whose numbers are */
    CONTENTS_FROM = 3,  /* headings, for a list of them */
    ELEMENTS_SIDE = 64, /* rows and columns of maps whose cells are elements with their data: see svg_heat */
    VALUES_SIDE = 256,  /* of larger ones whose values the script gets */
    NUMBER_DIGITS = 4
};

/* What is counted while the page is written. */
typedef struct html_page {
    pen *p;
    int64_t headings, pictures;
    enum { NO_ROW, ROW_START, ROW_PICTURES, ROW_WORDS } row; /* where in a row the page is */
    bool charts;                                             /* whether it is among charts outside of rows */
} html_page;

static bool has_text(const char *text)
{
    return text && *text;
}

/* ---- Head ----------------------------------------------------------------------------------- */

static void put_texts(pen *p, const char *const *texts)
{
    for (; *texts; texts++)
        pen_put_bytes(p, *texts, strlen(*texts));
}

static void put_theme(pen *p, const char *before, bool dark, const char *after)
{
    pen_put(p, "%s{color-scheme:%s;", before, dark ? "dark" : "light");
    style_put_colours(p, dark);
    pen_put(p, "}%s\n", after);
}

/* Dark where the reader's system is, or where the button says so; never on paper. */
static void put_style(pen *p)
{
    pen_put(p, "<style>\n");
    put_theme(p, ":root", false, "");
    put_theme(p, "@media screen and (prefers-color-scheme:dark){:root:not([data-theme=light])", true, "}");
    put_theme(p, "@media screen{:root[data-theme=dark]", true, "}");
    style_put_rules(p);
    put_texts(p, html_style);
    pen_put(p, "</style>\n");
}

static void put_head(pen *p, const char *title)
{
    pen_put(p,
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
            "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "
            "script-src 'sha256-%s'; base-uri 'none'; form-action 'none'\">\n"
            "<meta name=\"color-scheme\" content=\"light dark\">\n<meta name=\"generator\" content=\"tapeformer\">\n",
            html_script_hash);
    pen_put(p, "<title>");
    pen_put_escaped(p, title);
    pen_put(p, "</title>\n");
    put_style(p);
    pen_put(p, "</head>\n");
}

static void put_contents(pen *p, const study_document *document)
{
    int64_t headings = 0;
    for (const document_part *part = document->first; part; part = part->next)
        headings += part->kind == PART_HEADING;
    if (headings < CONTENTS_FROM)
        return;
    headings = 0;
    pen_put(p, "<nav aria-label=\"Contents\">\n<ol>\n");
    for (const document_part *part = document->first; part; part = part->next)
        if (part->kind == PART_HEADING) {
            pen_put(p, "<li><a href=\"#part-%lld\">", (long long)++headings);
            pen_put_escaped(p, part->text);
            pen_put(p, "</a></li>\n");
        }
    pen_put(p, "</ol>\n</nav>\n");
}

/* ---- Tables --------------------------------------------------------------------------------- */

/* Numbers stand to the right, and so does the head of a column that has nothing else. An empty cell may be either. */
static bool is_number(const document_part *part, int64_t row, int64_t column)
{
    if (row > 0)
        return strchr("0123456789+-.", *part->cells[row * part->columns + column]) != NULL;
    for (int64_t i = 1; i < part->rows; i++)
        if (!is_number(part, i, column))
            return false;
    return part->rows > 1;
}

static void put_table_row(pen *p, const document_part *part, int64_t row)
{
    pen_put(p, "<tr>");
    for (int64_t j = 0; j < part->columns; j++) {
        const char *name = row == 0 || j == 0 ? "th" : "td", *scope = row == 0 ? " scope=\"col\""
                                                                      : j == 0 ? " scope=\"row\""
                                                                               : "";
        pen_put(p, "<%s%s%s>", name, scope, is_number(part, row, j) ? " class=\"number\"" : "");
        pen_put_escaped(p, part->cells[row * part->columns + j]);
        pen_put(p, "</%s>", name);
    }
    pen_put(p, "</tr>\n");
}

static void put_table(pen *p, const document_part *part)
{
    if (part->folded) {
        pen_put(p, "<details class=\"folded\">\n<summary>");
        pen_put_escaped(p, has_text(part->text) ? part->text : "Table");
        pen_put(p, "</summary>\n");
    }
    pen_put(p, "<div class=\"scroll\">\n<table>\n");
    if (has_text(part->text)) {
        pen_put(p, "<caption%s>", part->folded ? " class=\"unseen\"" : "");
        pen_put_escaped(p, part->text);
        pen_put(p, "</caption>\n");
    }
    for (int64_t i = 0; i < part->rows; i++) {
        pen_put(p, "%s", i == 0 ? "<thead>\n" : i == 1 ? "<tbody>\n" : "");
        put_table_row(p, part, i);
        pen_put(p, "%s", i == 0 ? "</thead>\n" : i == part->rows - 1 ? "</tbody>\n" : "");
    }
    pen_put(p, "</table>\n</div>\n%s", part->folded ? "</details>\n" : "");
}

/* ---- Heat maps ------------------------------------------------------------------------------ */

/* Before the first column of the second side there is a line. */
static const char *number_class(const study_heat *heat, int64_t column)
{
    return heat_side(heat, column) && column == heat->split ? "number divided" : "number";
}

/* The names of both sides over their columns. */
static void put_sides(pen *p, const study_heat *heat)
{
    if (!heat_side(heat, 0))
        return;
    pen_put(p, "<tr><td></td><th scope=\"colgroup\" colspan=\"%lld\">", (long long)heat->split);
    pen_put_escaped(p, heat_side(heat, 0));
    pen_put(p, "</th><th scope=\"colgroup\" class=\"divided\" colspan=\"%lld\">",
            (long long)(heat->columns - heat->split));
    pen_put_escaped(p, heat_side(heat, heat->split));
    pen_put(p, "</th></tr>\n");
}

/* The numbers of a small map, for those who do not see it. */
static void put_heat_numbers(pen *p, const study_heat *heat)
{
    char number[HEAT_NUMBER_SIZE];
    if (heat->rows > TABLE_SIDE || heat->columns > TABLE_SIDE || heat->rows == 0 || heat->columns == 0)
        return;
    const heat_grid grid = heat_grid_make(heat, TABLE_SIDE, TABLE_SIDE);
    pen_put(p, "<details>\n<summary>Numbers</summary>\n<div class=\"scroll\">\n<table>\n<caption>");
    pen_put_escaped(p, heat->title);
    pen_put(p, "</caption>\n<thead>\n");
    put_sides(p, heat);
    pen_put(p, "<tr><th scope=\"col\">");
    pen_put_escaped(p, heat->row_axis ? heat->row_axis : "row");
    pen_put(p, " \\ ");
    pen_put_escaped(p, heat->column_axis ? heat->column_axis : "column");
    pen_put(p, "</th>");
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
    pen_put(p, "</tbody>\n</table>\n</div>\n</details>\n");
}

static void put_attribute(pen *p, const char *name, const char *text)
{
    if (!has_text(text))
        return;
    pen_put(p, " %s=\"", name);
    pen_put_escaped(p, text);
    pen_put(p, "\"");
}

/* Labels for the script, one to a line: a label has no line feeds where it is shown. */
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

/* The values of a map that is too large for elements, a line to each row: "0.25", "m" masked, "m0.25" masked and yet
 * not 0, "p" padding. */
static void put_values(pen *p, const study_heat *heat)
{
    bool elements = heat->rows <= ELEMENTS_SIDE && heat->columns <= ELEMENTS_SIDE;
    if (elements || heat->rows > VALUES_SIDE || heat->columns > VALUES_SIDE)
        return;
    const heat_grid grid = heat_grid_make(heat, VALUES_SIDE, VALUES_SIDE);
    pen_put(p, " data-values=\"");
    for (int64_t i = 0; i < heat->rows; i++)
        for (int64_t j = 0; j < heat->columns; j++) {
            heat_cell cell = heat_grid_cell(&grid, i, j);
            pen_put(p, "%s", j ? " " : i ? "\n" : "");
            pen_put(p, "%s",
                    cell.look == LOOK_PADDING                            ? "p"
                    : cell.look == LOOK_MASKED || cell.look == LOOK_LEAK ? "m"
                                                                         : "");
            if (cell.look != LOOK_PADDING && cell.look != LOOK_MASKED)
                pen_put_number(p, cell.value, NUMBER_DIGITS);
        }
    pen_put(p, "\"");
}

/* What the page's style needs to lay the labels of rows over a picture of any size:
 * html_page.c. */
static void put_shape(pen *p, const svg_shape *shape)
{
    pen_put(p, "--width:");
    pen_put_fixed(p, shape->width, 0);
    pen_put(p, "px;--rows:");
    pen_put_fixed(p, shape->rows_width / shape->width, 5);
    pen_put(p, ";--shape:");
    pen_put_fixed(p, shape->rows_width / shape->rows_height, 5);
}

/* The group stands above the picture and the note below it, as text that wraps: in the picture they would not. */
static void put_heat(html_page *page, const study_heat *heat)
{
    pen *p = page->p;
    char id[32];
    svg_shape shape;
    pen rows = {0};
    study_heat bare = *heat;
    bare.group = bare.note = NULL;
    snprintf(id, sizeof id, "picture-%lld", (long long)++page->pictures);
    pen_put(p, "<figure class=\"heat\" style=\"");
    svg_heat_rows(&rows, &bare, id, &shape);
    put_shape(p, &shape);
    pen_put(p, "\"");
    put_attribute(p, "data-title", heat->title);
    put_attribute(p, "data-row-axis", heat->row_axis);
    put_attribute(p, "data-column-axis", heat->column_axis);
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
    pen_put(p, ">\n<figcaption><span class=\"unseen\">");
    pen_put_escaped(p, heat->group);
    pen_put(p, "%s</span><b>", has_text(heat->group) ? ", " : "");
    pen_put_escaped(p, heat->title);
    pen_put(p, "</b> ");
    pen_put_escaped(p, heat->note);
    pen_put(p, "</figcaption>\n<div class=\"picture\">\n");
    pen_put_bytes(p, rows.text, rows.length);
    svg_heat(p, &bare, id);
    pen_put(p, "</div>\n");
    p->failed |= rows.failed;
    free(rows.text);
    put_heat_numbers(p, heat);
    pen_put(p, "</figure>\n");
}

static bool same_group(const study_heat *a, const study_heat *b)
{
    return !strcmp(a->group ? a->group : "", b->group ? b->group : "");
}

static void put_heats(html_page *page, const document_part *part)
{
    pen *p = page->p;
    const study_heat *heats = part->heats;
    int level = page->headings ? 3 : 2;
    bool choice = !part->side_by_side && part->heat_count > 1;
    pen_put(p, "<section class=\"heats%s\">\n", choice ? " choice" : "");
    for (int64_t i = 0; i < part->heat_count; i++) {
        if (i == 0 || !same_group(&heats[i - 1], &heats[i])) {
            pen_put(p, "%s<div class=\"group%s\"", i ? "</div>\n" : "", part->side_by_side ? " beside" : "");
            put_attribute(p, "data-name", heats[i].group);
            pen_put(p, ">\n");
            if (has_text(heats[i].group)) {
                pen_put(p, "<h%d class=\"name\">", level);
                pen_put_escaped(p, heats[i].group);
                pen_put(p, "</h%d>\n", level);
            }
        }
        put_heat(page, &heats[i]);
    }
    pen_put(p, "%s</section>\n", part->heat_count ? "</div>\n" : "");
}

/* ---- Charts --------------------------------------------------------------------------------- */

/* The points of a chart that has few. */
static void put_chart_numbers(pen *p, const study_chart *chart)
{
    int64_t points = 0;
    for (int64_t i = 0; i < chart->line_count; i++)
        points += chart->lines[i].count;
    if (points == 0 || points > TABLE_POINTS)
        return;
    pen_put(p, "<details>\n<summary>Numbers</summary>\n<div class=\"scroll\">\n<table>\n<caption>");
    pen_put_escaped(p, chart->title);
    pen_put(p, "</caption>\n<thead>\n<tr><th scope=\"col\">line</th><th scope=\"col\" class=\"number\">");
    pen_put_escaped(p, has_text(chart->x_axis) ? chart->x_axis : "x");
    pen_put(p, "</th><th scope=\"col\" class=\"number\">");
    pen_put_escaped(p, has_text(chart->y_axis) ? chart->y_axis : "y");
    pen_put(p, "</th></tr>\n</thead>\n<tbody>\n");
    for (int64_t i = 0; i < chart->line_count; i++)
        for (int64_t n = 0; n < chart->lines[i].count; n++) {
            pen_put(p, "<tr><th scope=\"row\">");
            pen_put_escaped(p, chart->lines[i].name);
            pen_put(p, "</th><td class=\"number\">");
            pen_put_number(p, chart->lines[i].x[n], NUMBER_DIGITS + 2);
            pen_put(p, "</td><td class=\"number\">");
            pen_put_number(p, chart->lines[i].y[n], NUMBER_DIGITS);
            pen_put(p, "</td></tr>\n");
        }
    pen_put(p, "</tbody>\n</table>\n</div>\n</details>\n");
}

static void put_chart(html_page *page, const study_chart *chart)
{
    pen *p = page->p;
    char id[32];
    snprintf(id, sizeof id, "picture-%lld", (long long)++page->pictures);
    pen_put(p, "<figure class=\"chart\">\n<div class=\"picture\">\n");
    svg_chart(p, chart, id);
    pen_put(p, "</div>\n<figcaption><span class=\"unseen\">");
    pen_put_escaped(p, chart->title);
    pen_put(p, "</span></figcaption>\n");
    put_chart_numbers(p, chart);
    pen_put(p, "</figure>\n");
}

/* ---- The page ------------------------------------------------------------------------------- */

/* Each side by itself: one that is written from right to left does not change places with
 * the other. */
static void put_example(pen *p, const document_part *part)
{
    pen_put(p, "<p class=\"example\">");
    for (int side = 0; side < 2 && part->sides[side]; side++) {
        pen_put(p, "%s<bdi>", side ? " \xE2\x86\x92 " : "");
        pen_put_escaped(p, part->sides[side]);
        pen_put(p, "</bdi>");
    }
    if (*part->text) {
        pen_put(p, " <span class=\"note\">(");
        pen_put_escaped(p, part->text);
        pen_put(p, ")</span>");
    }
    pen_put(p, "</p>\n");
}

/* A sign, a word and a colour say the same. */
static void put_verdict(pen *p, const document_part *part)
{
    pen_put(p, "<p class=\"verdict %s\"><b>%s</b> ", part->holds ? "holds" : "fails",
            part->holds ? "\xE2\x9C\x93 Came true:" : "\xE2\x9C\x97 Did NOT come true:");
    pen_put_escaped(p, part->sides[0]);
    pen_put(p, ". <span class=\"note\">Measured: ");
    pen_put_escaped(p, part->sides[1]);
    pen_put(p, ".</span></p>\n");
}

/* In a row the pictures stand in one box, what follows them in another. */
static void enter_box(html_page *page, const document_part *part)
{
    const bool picture = part->kind == PART_HEATS || part->kind == PART_CHART, box = page->row != ROW_START;
    if (page->row == NO_ROW || page->row == (picture ? ROW_PICTURES : ROW_WORDS))
        return;
    pen_put(page->p, "%s<div class=\"%s\">\n", box ? "</div>\n" : "", picture ? "pictures" : "words");
    page->row = picture ? ROW_PICTURES : ROW_WORDS;
}

/* Charts that follow one another stand in a box of their own, two in a line where there
 * is room. */
static void enter_charts(html_page *page, bool chart)
{
    chart = chart && page->row == NO_ROW;
    if (chart != page->charts)
        pen_put(page->p, chart ? "<div class=\"charts\">\n" : "</div>\n");
    page->charts = chart;
}

static void begin_row(html_page *page)
{
    if (page->row == NO_ROW)
        pen_put(page->p, "<div class=\"row\">\n");
    page->row = page->row == NO_ROW ? ROW_START : page->row;
}

static void end_row(html_page *page)
{
    if (page->row != NO_ROW)
        pen_put(page->p, "%s</div>\n", page->row == ROW_START ? "" : "</div>\n");
    page->row = NO_ROW;
}

static void put_part(html_page *page, const document_part *part)
{
    pen *p = page->p;
    enter_charts(page, part->kind == PART_CHART);
    if (part->kind != PART_ROW_BEGIN && part->kind != PART_ROW_END)
        enter_box(page, part);
    switch (part->kind) {
    case PART_ROW_BEGIN:
        begin_row(page);
        break;
    case PART_ROW_END:
        end_row(page);
        break;
    case PART_VERDICT:
        put_verdict(p, part);
        break;
    case PART_HEADING:
        pen_put(p, "<h2 id=\"part-%lld\">", (long long)++page->headings);
        pen_put_escaped(p, part->text);
        pen_put(p, "</h2>\n");
        break;
    case PART_TEXT:
        pen_put(p, "<p>");
        pen_put_escaped(p, part->text);
        pen_put(p, "</p>\n");
        break;
    case PART_EXAMPLE:
        put_example(p, part);
        break;
    case PART_TABLE:
        put_table(p, part);
        break;
    case PART_HEATS:
        put_heats(page, part);
        break;
    case PART_CHART:
        put_chart(page, &part->chart);
        break;
    }
}

static void put_page(pen *p, const study_document *document)
{
    html_page page = {.p = p};
    put_head(p, document->title);
    pen_put(p, "<body>\n<header>\n<h1>");
    pen_put_escaped(p, document->title);
    pen_put(p, "</h1>\n</header>\n<main>\n");
    put_contents(p, document);
    for (const document_part *part = document->first; part; part = part->next)
        put_part(&page, part);
    enter_charts(&page, false);
    end_row(&page);
    pen_put(p, "</main>\n<script>");
    put_texts(p, html_script);
    pen_put(p, "</script>\n</body>\n</html>\n");
}

ag_status study_document_save(const study_document *document, const char *path, ag_error *error)
{
    pen p = {0};
    ag_status status = document_check(document, error);
    if (status == AG_OK) {
        put_page(&p, document);
        status = pen_save(&p, path, "the report", error);
    }
    free(p.text);
    return status;
}
