/* sheet.c - all pictures of a document on one sheet: a single SVG file. */
#include "svg.h"

#include "../document.h"

#include <stdio.h>
#include <stdlib.h>

enum { ID_SIZE = 32 };

/* A sheet as it is laid out, and then drawn by the same steps. */
typedef struct sheet {
    pen *p;               /* NULL: the sheet is only measured */
    double width, height; /* so far */
    svg_size waiting;     /* the first chart of that line; 0: there is none */
    int count;            /* of pictures */
    bool failed;          /* memory is out, so places are wrong */
} sheet;

static void open_place(sheet *s, double x, double y, char id[ID_SIZE])
{
    snprintf(id, ID_SIZE, "picture-%d", ++s->count);
    if (s->p)
        pen_put_fixed_all(s->p, "<g transform=\"translate(@ @)\">\n", 1, (double[]){x, y});
}

static void close_place(sheet *s, double right, double bottom)
{
    s->width = right > s->width ? right : s->width;
    s->height = bottom > s->height ? bottom : s->height;
    if (s->p)
        pen_put(s->p, "</g>\n");
}

/* The second of two charts stands on the right of the first. */
static void add_chart(sheet *s, const study_chart *chart)
{
    char id[ID_SIZE];
    const svg_size size = svg_chart_size(chart);
    const bool second = s->waiting.width > 0;
    const double x = second ? s->waiting.width : 0, y = second ? s->height - s->waiting.height : s->height;
    open_place(s, x, y, id);
    if (s->p)
        svg_chart(s->p, chart, id);
    close_place(s, x + size.width, y + size.height);
    s->waiting = second ? (svg_size){0} : size;
}

/* A map or a graph (the other is NULL) stands below all before it. */
static void add_below(sheet *s, const study_heat *heat, const study_graph *graph)
{
    char id[ID_SIZE];
    const svg_size size = heat ? svg_heat_size(heat) : svg_graph_size(graph);
    const double y = s->height;
    s->failed |= size.width <= 0;
    open_place(s, 0, y, id);
    if (s->p && heat)
        svg_heat(s->p, heat, id);
    else if (s->p)
        svg_graph(s->p, graph, id);
    close_place(s, size.width, y + size.height);
}

static void add_pictures(sheet *s, const study_document *document)
{
    for (const document_part *part = document->first; part; part = part->next) {
        if (part->kind == PART_CHART) {
            add_chart(s, &part->chart);
            continue;
        }
        s->waiting = (svg_size){0};
        for (int64_t i = 0; part->kind == PART_HEATS && i < part->heat_count; i++)
            add_below(s, &part->heats[i], NULL);
        if (part->kind == PART_GRAPH)
            add_below(s, NULL, &part->graph);
    }
}

ag_status study_document_save_picture(const study_document *document, const char *path, ag_error *error)
{
    pen p = {0}, description = {0};
    sheet measured = {0}, drawn = {.p = &p};
    ag_status status = document_check(document, error);
    if (status != AG_OK)
        return status;
    add_pictures(&measured, document);
    if (measured.count == 0)
        return ag_error_set(error, AG_BAD_VALUE, "%s: the document has no picture to write", path);
    pen_put(&description, "%d %s.", measured.count, ag_plural(measured.count, "picture", "pictures"));
    svg_open(&p, NULL, measured.width, measured.height, document->title, &description);
    pen_discard(&p, &description);
    add_pictures(&drawn, document);
    pen_put(&p, "</svg>\n");
    p.failed |= measured.failed || drawn.failed;
    status = pen_save(&p, path, "a picture", error);
    free(p.text);
    return status;
}
