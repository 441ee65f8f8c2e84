/* graph.c - graphs as text: each box with what leads to it. */
#include "text.h"

#include <string.h>

static void put_label(pen *p, const study_graph *graph, const study_graph_edge *edge)
{
    pen_put(p, "    from %s", graph->nodes[edge->from].name);
    if (label_has_text(edge->label))
        pen_put(p, ": %s", edge->label);
}

/* The lines of its text on one line. */
static void put_node(pen *p, const study_graph_node *node)
{
    pen_put(p, "%s", node->name);
    for (const char *text = node->text; label_has_text(text);) {
        const size_t length = strcspn(text, "\n");
        pen_put(p, "  ");
        pen_put_bytes(p, text, length);
        text += length + (text[length] == '\n');
    }
}

void text_put_graph(pen *p, const document_part *part, const text_style *style)
{
    const study_graph *graph = &part->graph;
    if (label_has_text(graph->title))
        terminal_put_paragraph(p, graph->title, style->width);
    for (int64_t i = 0; i < graph->node_count; i++) {
        pen line = {0};
        put_node(&line, &graph->nodes[i]);
        terminal_put_paragraph(p, pen_text(&line), style->width);
        pen_discard(p, &line);
        for (int64_t e = 0; e < graph->edge_count; e++) {
            if (graph->edges[e].to != i)
                continue;
            put_label(&line, graph, &graph->edges[e]);
            terminal_put_paragraph(p, pen_text(&line), style->width);
            pen_discard(p, &line);
        }
    }
}
