/* graph.c - graphs as pictures: boxes in layers from top to bottom, lines with labels. */
#include "../style.h"
#include "graph_layout.h"
#include "svg.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    MARGIN = 16,
    TITLE = 28,  /* height */
    LINE = 17,   /* of text in a box */
    PADDING = 9, /* around it */
    PORT = 30,   /* least distance of the lines of a box */
    FONT = 12,
    TEXT_COLUMNS = 56, /* where the texts of boxes are cut */
    LABEL_COLUMNS = 24,
    TITLE_COLUMNS = 80
};

/* The line of text that begins at *text, which moves to the next; false after the
 * last. */
static bool next_line(const char **text, char line[AG_MESSAGE_SIZE])
{
    if (!label_has_text(*text))
        return false;
    const size_t length = strcspn(*text, "\n");
    const size_t kept = length < AG_MESSAGE_SIZE ? length : AG_MESSAGE_SIZE - 1;
    memcpy(line, *text, kept);
    line[kept] = 0;
    *text += length + ((*text)[length] == '\n');
    return true;
}

/* The lines that enter a box, or those that leave it, whichever are more. */
static int64_t count_lines(const study_graph *graph, int64_t node)
{
    int64_t in = 0, out = 0;
    for (int64_t e = 0; e < graph->edge_count; e++) {
        in += graph->edges[e].to == node;
        out += graph->edges[e].from == node;
    }
    return in > out ? in : out;
}

static graph_place box_of(const study_graph *graph, int64_t node)
{
    const study_graph_node *own = &graph->nodes[node];
    char line[AG_MESSAGE_SIZE];
    int lines = 1;
    double widest = svg_text_width(own->name, TEXT_COLUMNS, FONT);
    for (const char *text = own->text; next_line(&text, line); lines++)
        widest = fmax(widest, svg_text_width(line, TEXT_COLUMNS, FONT));
    return (graph_place){.width = fmax(ceil(widest), (double)count_lines(graph, node) * PORT) + 2 * PADDING,
                         .height = lines * LINE + 2 * PADDING - 4};
}

/* ---- Boxes ------------------------------------------------------------------------- */

static void put_box(pen *p, const graph_layout *l, int64_t node)
{
    static const char *const kinds[] = {[STUDY_OPERATION] = "line-5",
                                        [STUDY_VARIABLE] = "line-0",
                                        [STUDY_CONSTANT] = "line-5\" stroke-dasharray=\"4 3",
                                        [STUDY_RESULT] = "line-1"};
    const study_graph_node *own = &l->graph->nodes[node];
    const graph_place *box = &l->places[node];
    const double x = MARGIN + box->x - box->width / 2, y = l->tops[box->layer];
    char line[AG_MESSAGE_SIZE];
    pen_put(p, "<g>");
    if (label_has_text(own->note))
        pen_put_between(p, "<title>", own->note, "</title>");
    pen_put(p, "<rect class=\"box %s\" rx=\"%d\"", kinds[own->kind], own->kind == STUDY_OPERATION ? 3 : 9);
    svg_put_place(p, x, y, box->width, box->height);
    pen_put(p, "/>\n");
    double base = y + PADDING + 10;
    svg_text(p, "middle strong", MARGIN + box->x, base, own->name, TEXT_COLUMNS, "");
    for (const char *text = own->text; next_line(&text, line);)
        svg_text(p, "middle minor", MARGIN + box->x, base += LINE, line, TEXT_COLUMNS, "");
    pen_put(p, "</g>\n");
}

/* ---- Lines ------------------------------------------------------------------------- */

/* An end of an edge at its box. */
typedef struct edge_end {
    double x;
    int64_t number, count; /* which of the box's lines on that side it is, from the left */
} edge_end;

/* Where the line comes from that enters the box, or goes to that leaves it. */
static double neighbour_x(const graph_layout *l, int64_t edge, bool enters)
{
    return l->places[l->steps[enters ? l->starts[edge + 1] - 2 : l->starts[edge] + 1]].x;
}

/* The lines of a box are in the order of the places that they come from or go to, so that
 * they do not cross beside it. */
static edge_end end_of(const graph_layout *l, int64_t edge, bool enters)
{
    const study_graph_edge *edges = l->graph->edges;
    const int64_t node = enters ? edges[edge].to : edges[edge].from;
    edge_end end = {.count = 1};
    for (int64_t e = 0; e < l->graph->edge_count; e++)
        if ((enters ? edges[e].to : edges[e].from) == node && e != edge) {
            const double other = neighbour_x(l, e, enters), own = neighbour_x(l, edge, enters);
            end.number += other < own || (other == own && e < edge);
            end.count++;
        }
    const graph_place *box = &l->places[node];
    end.x = MARGIN + box->x - box->width / 2 + box->width * ((double)end.number + 1) / ((double)end.count + 1);
    return end;
}

/* The label of a line stands on the last piece of it, those of neighbours at other
 * heights. */
static void put_label(pen *p, const study_graph_edge *edge, double x0, double y0, double x1, double y1, edge_end end)
{
    const double t = end.count == 1 ? 0.6 : end.number % 2 ? 0.7 : 0.35, smooth = t * t * (3 - 2 * t);
    if (!label_has_text(edge->label))
        return;
    pen_put(p, "<g>");
    if (label_has_text(edge->note))
        pen_put_between(p, "<title>", edge->note, "</title>");
    svg_text(p, "middle halo", x0 + (x1 - x0) * smooth, y0 + (y1 - y0) * t + 4, edge->label, LABEL_COLUMNS, "");
    pen_put(p, "</g>\n");
}

static void put_edge(pen *p, const graph_layout *l, int64_t e, bool labels)
{
    const study_graph_edge *edge = &l->graph->edges[e];
    const graph_place *from = &l->places[edge->from];
    const edge_end end = end_of(l, e, true);
    double x = end_of(l, e, false).x, y = l->tops[from->layer] + from->height, x0 = x, y0 = y;
    if (!labels)
        pen_put_fixed_all(p, "<path class=\"line line-5\" d=\"M@ @", 1, (double[]){x, y});
    for (int64_t s = l->starts[e] + 1; s < l->starts[e + 1]; s++) {
        const graph_place *next = &l->places[l->steps[s]];
        const bool last = s == l->starts[e + 1] - 1;
        const double to = last ? end.x : MARGIN + next->x, top = l->tops[next->layer], half = (y + top) / 2;
        if (!labels)
            pen_put_fixed_all(p, "C@ @ @ @ @ @", 1, (double[]){x, half, to, half, to, top - (last ? 6 : 0)});
        if (!labels && !last)
            pen_put_fixed_all(p, "V@", 1, &l->bottoms[next->layer]);
        x0 = x;
        y0 = y;
        x = to;
        y = last ? top : l->bottoms[next->layer];
    }
    if (labels) {
        put_label(p, edge, x0, y0, x, y, end);
        return;
    }
    pen_put(p, "\"/>\n<path class=\"dot-5\"");
    pen_put_fixed_all(p, " d=\"M@ @l-4 -8h8z\"/>\n", 1, (double[]){x, y});
}

/* ---- In words ---------------------------------------------------------------------- */

static void describe_graph(pen *p, const study_graph *graph)
{
    char line[AG_MESSAGE_SIZE];
    pen_put(p, "A graph of %lld boxes.", (long long)graph->node_count);
    for (int64_t i = 0; i < graph->node_count; i++) {
        pen_put(p, " %s", graph->nodes[i].name);
        for (const char *text = graph->nodes[i].text; next_line(&text, line);)
            pen_put(p, ", %s", line);
        for (int64_t e = 0; e < graph->edge_count; e++)
            if (graph->edges[e].to == i)
                pen_put(p, "; from %s%s%s", graph->nodes[graph->edges[e].from].name,
                        label_has_text(graph->edges[e].label) ? ": " : "",
                        graph->edges[e].label ? graph->edges[e].label : "");
        pen_put(p, ".");
    }
}

/* ---- The picture ------------------------------------------------------------------- */

/* Lays the graph out below its title. Returns false if out of memory; the caller clears
 * the layout in either case. */
static bool lay_out_graph(graph_layout *l, const study_graph *graph, svg_size *size)
{
    const double top = MARGIN + (label_has_text(graph->title) ? TITLE : 0);
    graph_place *boxes = calloc((size_t)graph->node_count + 1, sizeof *boxes);
    for (int64_t i = 0; boxes && i < graph->node_count; i++)
        boxes[i] = box_of(graph, i);
    *l = (graph_layout){0};
    const bool made = boxes && graph_layout_make(l, graph, boxes);
    for (int64_t layer = 0; made && layer < l->layer_count; layer++) {
        l->tops[layer] += top;
        l->bottoms[layer] += top;
    }
    free(boxes);
    *size = (svg_size){ceil(fmax(l->width, svg_text_width(graph->title, TITLE_COLUMNS, 15))) + 2 * MARGIN,
                       ceil(l->height + top) + MARGIN};
    return made;
}

svg_size svg_graph_size(const study_graph *graph)
{
    graph_layout l;
    svg_size size;
    if (!lay_out_graph(&l, graph, &size))
        size = (svg_size){0};
    graph_layout_clear(&l);
    return size;
}

void svg_graph(pen *p, const study_graph *graph, const char *id)
{
    graph_layout l;
    svg_size size;
    if (lay_out_graph(&l, graph, &size)) {
        pen description = {0};
        describe_graph(&description, graph);
        svg_open(p, id, size.width, size.height, graph->title, &description);
        pen_discard(p, &description);
        if (label_has_text(graph->title))
            svg_text(p, "title", MARGIN, MARGIN + 13, graph->title, TITLE_COLUMNS, "");
        for (int64_t e = 0; e < graph->edge_count; e++)
            put_edge(p, &l, e, false);
        for (int64_t i = 0; i < graph->node_count; i++)
            put_box(p, &l, i);
        for (int64_t e = 0; e < graph->edge_count; e++)
            put_edge(p, &l, e, true);
        pen_put(p, "</svg>\n");
    } else {
        p->failed = true;
    }
    graph_layout_clear(&l);
}
