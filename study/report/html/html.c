/* html.c - a document as one HTML file that needs no other.
 *
 * The page is complete without its script and without colours: pictures have
 * descriptions, and small ones their numbers as tables. page.c says what the script adds.
 * All foreign text is escaped; should that ever fail, the security policy still forbids
 * the network and every script except the page's own.
 */
#include "../document.h"
#include "../label.h"
#include "../style.h"
#include "html.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CONTENTS_FROM = 3 /* headings; a page with fewer has no table of contents */ };

/* The state of a page that is being written. */
typedef struct html_page {
    pen *p;
    int64_t headings, pictures;                              /* numbers of the last ones */
    enum { NO_ROW, ROW_START, ROW_PICTURES, ROW_WORDS } row; /* the open box of a row */
    bool charts;                                             /* a box of charts is open */
} html_page;

/* ---- Head -------------------------------------------------------------------------- */

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

/* Dark if the reader's system is, or if the button says so, but never in print. */
static void put_style(pen *p)
{
    put_theme(p, ":root", false, "");
    put_theme(p, "@media screen and (prefers-color-scheme:dark){:root:not([data-theme=light])", true, "}");
    put_theme(p, "@media screen{:root[data-theme=dark]", true, "}");
    style_put_rules(p);
    put_texts(p, html_style);
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
    pen_put_between(p, "<title>", title, "</title>\n");
    pen_put(p, "<style>\n");
    put_style(p);
    pen_put(p, "</style>\n</head>\n");
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
            pen_put_between(p, "", part->text, "</a></li>\n");
        }
    pen_put(p, "</ol>\n</nav>\n");
}

/* ---- Tables ------------------------------------------------------------------------ */

/* Numbers are aligned to the right, and so is the head of a column of nothing but
 * numbers. An empty cell counts as a number. */
static bool is_number(const document_part *part, int64_t row, int64_t column)
{
    if (row > 0)
        return strchr("0123456789+-.", *part->cells[row * part->columns + column]) != NULL;
    for (int64_t i = 1; i < part->rows; i++)
        if (!is_number(part, i, column))
            return false;
    return part->rows > 1;
}

static bool is_group_head(const document_part *part, int64_t row)
{
    return part->starts && row > 0 && part->starts[row];
}

/* The name of the group of a row that is in one: the first cell of its head. */
static void put_group(pen *p, const document_part *part, int64_t row)
{
    int64_t head = row;
    while (head > 0 && !is_group_head(part, head))
        head--;
    if (head > 0 && head < row)
        html_put_attribute(p, "data-group", part->cells[head * part->columns]);
}

/* What the script sorts by. (It reads 1e999 as infinity.) */
static void put_key(pen *p, const document_part *part, int64_t row, int64_t column)
{
    const double key = part->keys && row > 0 ? part->keys[row * part->columns + column] : NAN;
    if (isnan(key))
        return;
    pen_put(p, " data-key=\"");
    if (isinf(key))
        pen_put(p, key > 0 ? "1e999" : "-1e999");
    else
        pen_put_number(p, key, 10);
    pen_put(p, "\"");
}

static void put_table_row(pen *p, const document_part *part, int64_t row)
{
    pen_put(p, "<tr%s>", is_group_head(part, row) ? " class=\"group-head\"" : "");
    for (int64_t j = 0; j < part->columns; j++) {
        const char *name = row == 0 || j == 0 ? "th" : "td", *scope = row == 0 ? " scope=\"col\""
                                                                      : j == 0 ? " scope=\"row\""
                                                                               : "";
        pen_put(p, "<%s%s%s", name, scope, is_number(part, row, j) ? " class=\"number\"" : "");
        put_key(p, part, row, j);
        if (j == 0)
            put_group(p, part, row);
        pen_put(p, ">");
        pen_put_escaped(p, part->cells[row * part->columns + j]);
        pen_put(p, "</%s>", name);
    }
    pen_put(p, "</tr>\n");
}

static void put_table(pen *p, const document_part *part)
{
    if (part->folded)
        pen_put_between(p, "<details class=\"folded\">\n<summary>", label_has_text(part->text) ? part->text : "Table",
                        "</summary>\n");
    pen_put(p, "<div class=\"scroll\">\n<table%s>\n", part->keys ? " class=\"sortable\"" : "");
    if (label_has_text(part->text))
        pen_put_between(p, part->folded ? "<caption class=\"unseen\">" : "<caption>", part->text, "</caption>\n");
    for (int64_t i = 0; i < part->rows; i++) {
        pen_put(p, "%s",
                i == 0                   ? "<thead>\n"
                : i == 1                 ? "<tbody>\n"
                : is_group_head(part, i) ? "</tbody>\n<tbody>\n"
                                         : "");
        put_table_row(p, part, i);
        pen_put(p, "%s", i == 0 ? "</thead>\n" : i == part->rows - 1 ? "</tbody>\n" : "");
    }
    pen_put(p, "</table>\n</div>\n%s", part->folded ? "</details>\n" : "");
}

/* ---- Heat maps --------------------------------------------------------------------- */

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
            html_put_attribute(p, "data-name", heats[i].group);
            pen_put(p, ">\n");
            if (label_has_text(heats[i].group)) {
                pen_put(p, "<h%d class=\"name\">", level);
                pen_put_escaped(p, heats[i].group);
                pen_put(p, "</h%d>\n", level);
            }
        }
        html_put_heat(p, &heats[i], ++page->pictures);
    }
    pen_put(p, "%s</section>\n", part->heat_count ? "</div>\n" : "");
}

/* ---- The page ---------------------------------------------------------------------- */

/* Each side is isolated: one written from right to left does not change places with the
 * other. */
static void put_example(pen *p, const document_part *part)
{
    pen_put(p, "<p class=\"example\">");
    for (int side = 0; side < 2 && part->sides[side]; side++) {
        pen_put(p, "%s", side ? " \xE2\x86\x92 " : "");
        pen_put_between(p, "<bdi>", part->sides[side], "</bdi>");
    }
    if (*part->text)
        pen_put_between(p, " <span class=\"note\">(", part->text, ")</span>");
    pen_put(p, "</p>\n");
}

/* A sign, words and a colour all say the same. */
static void put_verdict(pen *p, const document_part *part)
{
    pen_put(p, "<p class=\"verdict %s\"><b>%s</b> ", part->holds ? "holds" : "fails",
            part->holds ? "\xE2\x9C\x93 Came true:" : "\xE2\x9C\x97 Did NOT come true:");
    pen_put_between(p, "", part->sides[0], ". <span class=\"note\">Measured: ");
    pen_put_between(p, "", part->sides[1], ".</span></p>\n");
}

/* Within a row, pictures are in one box and what follows them in another. */
static void enter_box(html_page *page, const document_part *part)
{
    const bool picture = part->kind == PART_HEATS || part->kind == PART_CHART || part->kind == PART_GRAPH,
               box = page->row != ROW_START;
    if (page->row == NO_ROW || page->row == (picture ? ROW_PICTURES : ROW_WORDS))
        return;
    pen_put(page->p, "%s<div class=\"%s\">\n", box ? "</div>\n" : "", picture ? "pictures" : "words");
    page->row = picture ? ROW_PICTURES : ROW_WORDS;
}

/* Consecutive charts outside of rows share a box, two per line if there is room. */
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
        pen_put_between(p, "", part->text, "</h2>\n");
        break;
    case PART_TEXT:
        pen_put_between(p, "<p>", part->text, "</p>\n");
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
        html_put_chart(p, &part->chart, ++page->pictures);
        break;
    case PART_GRAPH:
        html_put_graph(p, &part->graph, ++page->pictures);
        break;
    }
}

/* `before`: how many numbers of pictures and headings stand before the document's. */
static void put_parts(pen *p, const study_document *document, int64_t before)
{
    html_page page = {.p = p, .headings = before, .pictures = before};
    for (const document_part *part = document->first; part; part = part->next)
        put_part(&page, part);
    enter_charts(&page, false);
    end_row(&page);
}

static void put_page(pen *p, const study_document *document)
{
    put_head(p, document->title);
    pen_put_between(p, "<body>\n<header>\n<h1>", document->title, "</h1>\n</header>\n<main>\n");
    put_contents(p, document);
    put_parts(p, document, 0);
    pen_put(p, "</main>\n<script>");
    put_texts(p, html_script);
    pen_put(p, "</script>\n</body>\n</html>\n");
}

/* ---- Showing ----------------------------------------------------------------------- */

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

/* The text of the pen, which the caller frees; NULL with the error. */
static char *take_text(pen *p, ag_error *error)
{
    if (!p->failed && p->text)
        return p->text;
    free(p->text);
    ag_error_set(error, AG_NO_MEMORY, "no memory for a page");
    return NULL;
}

char *study_document_fragment(const study_document *document, int64_t first, ag_error *error)
{
    pen p = {0};
    if (document_check(document, error) != AG_OK)
        return NULL;
    pen_put_bytes(&p, "", 0); /* an empty document is an empty text */
    put_parts(&p, document, first - 1);
    return take_text(&p, error);
}

char *study_fragment_style(ag_error *error)
{
    pen p = {0};
    put_style(&p);
    return take_text(&p, error);
}
