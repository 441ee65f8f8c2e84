/* graph_layout.h - where the boxes and lines of a graph are drawn.
 *
 * Boxes stand in layers: each below all boxes that a line comes from, and a box that no
 * line leads to just above the first that needs it (Sugiyama et al. 1981, Methods for
 * visual understanding of hierarchical system structures). A line that passes layers has
 * a place without width in each, so that it goes around the boxes there:
 *
 *     layer 0    [w]   [x]              places: boxes first, then those of lines
 *                  \   /  \
 *     layer 1      [mul]   |            <- a place of the line from x to add
 *                      \  /
 *     layer 2          [add]
 */
#ifndef STUDY_GRAPH_LAYOUT_H
#define STUDY_GRAPH_LAYOUT_H

#include "../report.h"

/* A box, or where a line passes a layer. */
typedef struct graph_place {
    double width, height; /* of a box; 0 of a line */
    double x;             /* of its middle */
    int64_t layer, order; /* order: its number in the layer, from the left */
} graph_place;

typedef struct graph_layout {
    const study_graph *graph;
    graph_place *places; /* [place_count], the nodes first */
    int64_t place_count;
    int64_t layer_count;
    double *tops, *bottoms; /* [layer_count] */
    /* The places of edge e are steps[starts[e]] to steps[starts[e + 1] - 1], from node to
     * node. */
    int64_t *steps, *starts;
    double width, height;
} graph_layout;

/* Lays out the graph, whose boxes have the sizes in `boxes` [node_count]. Returns false
 * if out of memory. The caller clears the layout in either case. */
bool graph_layout_make(graph_layout *layout, const study_graph *graph, const graph_place *boxes) AG_CHECKED;
void graph_layout_clear(graph_layout *layout);

#endif
