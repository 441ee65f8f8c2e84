/* graph_layout.c - see graph_layout.h. */
#include "graph_layout.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    BETWEEN_LAYERS = 64,
    BETWEEN_BOXES = 26,
    ORDER_SWEEPS = 12,
    PLACE_SWEEPS = 24,
    LINE_WEIGHT = 4 /* of a line's wish to be straight; a box has 1 */
};

/* ---- Layers ------------------------------------------------------------------------ */

/* The number of layers. */
static int64_t find_layers(graph_layout *l)
{
    const study_graph *graph = l->graph;
    int64_t last = -1;
    for (int64_t i = 0; i < graph->node_count; i++) {
        int64_t layer = 0;
        for (int64_t e = 0; e < graph->edge_count; e++)
            if (graph->edges[e].to == i && l->places[graph->edges[e].from].layer >= layer)
                layer = l->places[graph->edges[e].from].layer + 1;
        l->places[i].layer = layer;
        last = layer > last ? layer : last;
    }
    for (int64_t i = 0; i < graph->node_count; i++) {
        int64_t first = last + 1;
        for (int64_t e = 0; e < graph->edge_count; e++) {
            if (graph->edges[e].from == i && l->places[graph->edges[e].to].layer < first)
                first = l->places[graph->edges[e].to].layer;
            if (graph->edges[e].to == i)
                first = 0;
        }
        if (first > 0 && first <= last)
            l->places[i].layer = first - 1;
    }
    return last + 1;
}

/* Counts the places of lines, or makes them if there is memory for the steps. */
static void make_lines(graph_layout *l)
{
    int64_t step = 0;
    l->place_count = l->graph->node_count;
    for (int64_t e = 0; e < l->graph->edge_count; e++) {
        const study_graph_edge *edge = &l->graph->edges[e];
        const int64_t from = l->places[edge->from].layer, to = l->places[edge->to].layer;
        if (l->steps) {
            l->starts[e] = step;
            l->starts[e + 1] = step + to - from + 1;
            l->steps[step] = edge->from;
            l->steps[step + to - from] = edge->to;
        }
        for (int64_t layer = from + 1; layer < to; layer++, l->place_count++)
            if (l->steps) {
                l->places[l->place_count] = (graph_place){.layer = layer};
                l->steps[step + layer - from] = l->place_count;
            }
        step += to - from + 1;
    }
}

/* ---- The order in each layer ------------------------------------------------------- */

/* Neighbours that move together; `end`: the first member after them. */
typedef struct graph_block {
    double mean, weight;
    int64_t end;
} graph_block;

/* Working memory: an entry for each place. */
typedef struct graph_work {
    double *sums, *counts;
    int64_t *members; /* the places, layer by layer, from the left */
    int64_t *firsts;  /* [layer_count + 1]: where each layer begins in `members` */
    int64_t *best;    /* the best order so far */
    graph_block *blocks;
} graph_work;

static void list_members(const graph_layout *l, graph_work *w)
{
    int64_t count = 0;
    for (int64_t layer = 0; layer < l->layer_count; layer++) {
        w->firsts[layer] = count;
        for (int64_t i = 0; i < l->place_count; i++)
            if (l->places[i].layer == layer) {
                l->places[i].order = count - w->firsts[layer];
                w->members[count++] = i;
            }
    }
    w->firsts[l->layer_count] = count;
}

/* Whether two pieces of lines between the same layers cross. */
static bool crosses(const graph_layout *l, int64_t s, int64_t t)
{
    const graph_place *a = &l->places[l->steps[s]], *b = &l->places[l->steps[s + 1]];
    const graph_place *c = &l->places[l->steps[t]], *d = &l->places[l->steps[t + 1]];
    return a->layer == c->layer && (a->order - c->order) * (b->order - d->order) < 0;
}

static int64_t count_crossings(const graph_layout *l)
{
    int64_t crossings = 0;
    for (int64_t e = 0; e < l->graph->edge_count; e++)
        for (int64_t s = l->starts[e]; s + 1 < l->starts[e + 1]; s++)
            for (int64_t f = e + 1; f < l->graph->edge_count; f++)
                for (int64_t t = l->starts[f]; t + 1 < l->starts[f + 1]; t++)
                    crossings += crosses(l, s, t);
    return crossings;
}

/* The means of what the places above (or below) have, for the places of a layer. `x`:
 * where they are, else their order. */
static void find_means(const graph_layout *l, graph_work *w, int64_t layer, bool from_above, bool x)
{
    for (int64_t m = w->firsts[layer]; m < w->firsts[layer + 1]; m++)
        w->sums[w->members[m]] = w->counts[w->members[m]] = 0;
    for (int64_t e = 0; e < l->graph->edge_count; e++)
        for (int64_t s = l->starts[e]; s + 1 < l->starts[e + 1]; s++) {
            const int64_t own = l->steps[from_above ? s + 1 : s], other = l->steps[from_above ? s : s + 1];
            if (l->places[own].layer != layer)
                continue;
            w->sums[own] += x ? l->places[other].x : (double)l->places[other].order;
            w->counts[own]++;
        }
    for (int64_t m = w->firsts[layer]; m < w->firsts[layer + 1]; m++) {
        const int64_t i = w->members[m];
        if (w->counts[i] > 0)
            w->sums[i] /= w->counts[i];
        else
            w->sums[i] = x ? l->places[i].x : (double)l->places[i].order;
    }
}

/* Sorts the places of a layer by their means; equal ones keep their order. */
static void sort_layer(const graph_layout *l, graph_work *w, int64_t layer)
{
    const int64_t first = w->firsts[layer], end = w->firsts[layer + 1];
    for (int64_t m = first + 1; m < end; m++)
        for (int64_t n = m; n > first && w->sums[w->members[n]] < w->sums[w->members[n - 1]]; n--) {
            const int64_t swapped = w->members[n];
            w->members[n] = w->members[n - 1];
            w->members[n - 1] = swapped;
        }
    for (int64_t m = first; m < end; m++)
        l->places[w->members[m]].order = m - first;
}

/* Orders every layer by its neighbours, down and up in turn, and keeps the order with the
 * fewest crossings. */
static void find_order(const graph_layout *l, graph_work *w)
{
    int64_t fewest = count_crossings(l);
    memcpy(w->best, w->members, (size_t)l->place_count * sizeof *w->best);
    for (int sweep = 0; sweep < ORDER_SWEEPS && fewest > 0; sweep++) {
        const bool down = sweep % 2 == 0;
        for (int64_t n = 1; n < l->layer_count; n++) {
            const int64_t layer = down ? n : l->layer_count - 1 - n;
            find_means(l, w, layer, down, false);
            sort_layer(l, w, layer);
        }
        const int64_t crossings = count_crossings(l);
        if (crossings < fewest) {
            fewest = crossings;
            memcpy(w->best, w->members, (size_t)l->place_count * sizeof *w->best);
        }
    }
    memcpy(w->members, w->best, (size_t)l->place_count * sizeof *w->best);
    for (int64_t layer = 0; layer < l->layer_count; layer++)
        for (int64_t m = w->firsts[layer]; m < w->firsts[layer + 1]; m++)
            l->places[w->members[m]].order = m - w->firsts[layer];
}

/* ---- Where they stand -------------------------------------------------------------- */

/* The least distance between the middles of a place and the one before it. */
static double distance(const graph_layout *l, const graph_work *w, int64_t member)
{
    return (l->places[w->members[member - 1]].width + l->places[w->members[member]].width) / 2 + BETWEEN_BOXES;
}

/* Puts the places of a layer as near as possible to where they want to be (`sums`), in
 * their order and apart from each other: least squares, by joining neighbours that would
 * overlap into blocks that move together (isotonic regression). */
static void place_layer(const graph_layout *l, const graph_work *w, int64_t layer)
{
    const int64_t first = w->firsts[layer], end = w->firsts[layer + 1];
    int64_t blocks = 0;
    double offset = 0; /* of a place from the first, if all stand side by side */
    for (int64_t m = first; m < end; m++) {
        const int64_t i = w->members[m];
        offset += m > first ? distance(l, w, m) : 0;
        graph_block block = {w->sums[i] - offset, i < l->graph->node_count ? 1 : LINE_WEIGHT, m + 1};
        for (; blocks > 0 && w->blocks[blocks - 1].mean > block.mean; blocks--) {
            const graph_block *left = &w->blocks[blocks - 1];
            const double weight = left->weight + block.weight;
            block.mean = (left->mean * left->weight + block.mean * block.weight) / weight;
            block.weight = weight;
        }
        w->blocks[blocks++] = block;
    }
    offset = 0;
    for (int64_t m = first, b = 0; m < end; m++) {
        offset += m > first ? distance(l, w, m) : 0;
        b += m == w->blocks[b].end;
        l->places[w->members[m]].x = w->blocks[b].mean + offset;
    }
}

static void place_all(graph_layout *l, graph_work *w)
{
    for (int64_t layer = 0; layer < l->layer_count; layer++)
        for (int64_t m = w->firsts[layer]; m < w->firsts[layer + 1]; m++)
            l->places[w->members[m]].x = m > w->firsts[layer] ? l->places[w->members[m - 1]].x + distance(l, w, m) : 0;
    for (int sweep = 0; sweep < PLACE_SWEEPS; sweep++)
        for (int64_t n = 1; n < l->layer_count; n++) {
            const int64_t layer = sweep % 2 == 0 ? n : l->layer_count - 1 - n;
            find_means(l, w, layer, sweep % 2 == 0, true);
            place_layer(l, w, layer);
        }
    double left = INFINITY, right = -INFINITY;
    for (int64_t i = 0; i < l->place_count; i++) {
        left = fmin(left, l->places[i].x - l->places[i].width / 2);
        right = fmax(right, l->places[i].x + l->places[i].width / 2);
    }
    for (int64_t i = 0; i < l->place_count; i++)
        l->places[i].x -= left;
    l->width = l->place_count ? right - left : 0;
    for (int64_t layer = 0; layer < l->layer_count; layer++) {
        l->tops[layer] = layer ? l->bottoms[layer - 1] + BETWEEN_LAYERS : 0;
        l->bottoms[layer] = l->tops[layer];
        for (int64_t i = 0; i < l->place_count; i++)
            if (l->places[i].layer == layer)
                l->bottoms[layer] = fmax(l->bottoms[layer], l->tops[layer] + l->places[i].height);
    }
    l->height = l->layer_count ? l->bottoms[l->layer_count - 1] : 0;
}

/* ---- All of it --------------------------------------------------------------------- */

static void *room(int64_t count, size_t size)
{
    return calloc((size_t)count + 1, size);
}

bool graph_layout_make(graph_layout *layout, const study_graph *graph, const graph_place *boxes)
{
    *layout = (graph_layout){.graph = graph, .places = room(graph->node_count, sizeof *layout->places)};
    if (!layout->places)
        return false;
    memcpy(layout->places, boxes, (size_t)graph->node_count * sizeof *boxes);
    layout->layer_count = find_layers(layout);
    make_lines(layout);
    const int64_t count = layout->place_count;
    graph_place *places = realloc(layout->places, (size_t)(count + 1) * sizeof *places);
    layout->places = places ? places : layout->places;
    layout->steps = room(count + 2 * graph->edge_count, sizeof *layout->steps);
    layout->starts = room(graph->edge_count, sizeof *layout->starts);
    layout->tops = room(layout->layer_count, sizeof *layout->tops);
    layout->bottoms = room(layout->layer_count, sizeof *layout->bottoms);
    graph_work w = {room(count, sizeof *w.sums),    room(count, sizeof *w.counts),
                    room(count, sizeof *w.members), room(layout->layer_count, sizeof *w.firsts),
                    room(count, sizeof *w.best),    room(count, sizeof *w.blocks)};
    const bool made = places && layout->steps && layout->starts && layout->tops && layout->bottoms && w.sums &&
                      w.counts && w.members && w.firsts && w.best && w.blocks;
    if (made) {
        make_lines(layout);
        list_members(layout, &w);
        find_order(layout, &w);
        place_all(layout, &w);
    }
    free(w.sums);
    free(w.counts);
    free(w.members);
    free(w.firsts);
    free(w.best);
    free(w.blocks);
    return made;
}

void graph_layout_clear(graph_layout *layout)
{
    free(layout->places);
    free(layout->steps);
    free(layout->starts);
    free(layout->tops);
    free(layout->bottoms);
    *layout = (graph_layout){0};
}
