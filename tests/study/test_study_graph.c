/* test_study_graph.c - graphs: where boxes and lines stand, as a picture and as text. */
#include "check_util.h"
#include "document_util.h"

#include "study/report/svg/graph_layout.h"

#include <stdio.h>
#include <string.h>

enum { MOST = 40 };

/* A graph whose nodes all have the same name. */
typedef struct drawn {
    study_graph graph;
    study_graph_node nodes[MOST];
    study_graph_edge edges[4 * MOST];
    graph_place boxes[MOST];
} drawn;

static void make(drawn *d, int64_t nodes)
{
    *d = (drawn){.graph = {.title = "t", .nodes = d->nodes, .node_count = nodes, .edges = d->edges}};
    for (int64_t i = 0; i < nodes; i++) {
        d->nodes[i].name = "n";
        d->boxes[i] = (graph_place){.width = (double)(40 + 10 * (i % 7)), .height = (double)(20 + 5 * (i % 3))};
    }
}

static void join(drawn *d, int64_t from, int64_t to)
{
    d->edges[d->graph.edge_count++] = (study_graph_edge){.from = from, .to = to};
}

/* ---- Layout ------------------------------------------------------------------------ */

/* Places of one layer keep apart, in their order, and inside of the picture; each edge
 * goes down one layer at a time, from its first box to its last. */
static void check_layout(const graph_layout *l)
{
    for (int64_t i = 0; i < l->place_count; i++) {
        const graph_place *a = &l->places[i];
        ck_assert_double_ge(a->x - a->width / 2, -1e-6);
        ck_assert_double_le(a->x + a->width / 2, l->width + 1e-6);
        ck_assert_double_le(l->tops[a->layer] + a->height, l->bottoms[a->layer]);
        for (int64_t k = 0; k < l->place_count; k++) {
            const graph_place *b = &l->places[k];
            if (b->layer == a->layer && b->order > a->order)
                ck_assert_double_ge(b->x - b->width / 2, a->x + a->width / 2 + 20);
        }
    }
    for (int64_t layer = 1; layer < l->layer_count; layer++)
        ck_assert_double_gt(l->tops[layer], l->bottoms[layer - 1]);
    for (int64_t e = 0; e < l->graph->edge_count; e++) {
        ck_assert_int_eq(l->steps[l->starts[e]], l->graph->edges[e].from);
        ck_assert_int_eq(l->steps[l->starts[e + 1] - 1], l->graph->edges[e].to);
        for (int64_t s = l->starts[e]; s + 1 < l->starts[e + 1]; s++)
            ck_assert_int_eq(l->places[l->steps[s + 1]].layer, l->places[l->steps[s]].layer + 1);
    }
}

/* Pieces of lines that cross between two layers. */
static int64_t crossings(const graph_layout *l)
{
    int64_t count = 0;
    for (int64_t s = 0; s + 1 < l->starts[l->graph->edge_count]; s++)
        for (int64_t t = s + 1; t + 1 < l->starts[l->graph->edge_count]; t++) {
            const graph_place *a = &l->places[l->steps[s]], *b = &l->places[l->steps[s + 1]];
            const graph_place *c = &l->places[l->steps[t]], *d = &l->places[l->steps[t + 1]];
            if (a->layer + 1 == b->layer && c->layer + 1 == d->layer && a->layer == c->layer)
                count += (a->x - c->x) * (b->x - d->x) < 0;
        }
    return count;
}

START_TEST(drawn_graphs_keep_the_rules)
{
    static drawn d;
    ag_rng rng = ag_rng_make(3, 0);
    for (int64_t nodes = 0; nodes <= MOST; nodes++) {
        make(&d, nodes);
        for (int64_t to = 1; to < nodes; to++)
            for (int64_t n = (int64_t)ag_rng_below(&rng, 4); n > 0; n--)
                join(&d, (int64_t)ag_rng_below(&rng, (uint64_t)to), to);
        graph_layout l;
        ck_assert(graph_layout_make(&l, &d.graph, d.boxes));
        check_layout(&l);
        graph_layout_clear(&l);
    }
}
END_TEST

/* (a c) and (b d) have nothing in common: whatever the order of the nodes, no lines need
 * cross. Neither need those of a diamond with a line past it. */
START_TEST(no_crossing_where_none_must_be)
{
    static drawn d;
    graph_layout l;
    make(&d, 7);
    join(&d, 0, 4);
    join(&d, 2, 4);
    join(&d, 1, 5);
    join(&d, 3, 5);
    join(&d, 4, 6);
    join(&d, 5, 6);
    ck_assert(graph_layout_make(&l, &d.graph, d.boxes));
    ck_assert_int_eq(crossings(&l), 0);
    graph_layout_clear(&l);
    make(&d, 5);
    join(&d, 0, 1);
    join(&d, 0, 2);
    join(&d, 1, 3);
    join(&d, 2, 3);
    join(&d, 3, 4);
    join(&d, 0, 4);
    ck_assert(graph_layout_make(&l, &d.graph, d.boxes));
    check_layout(&l);
    ck_assert_int_eq(crossings(&l), 0);
    ck_assert_int_eq(l.place_count, 5 + 2); /* the long line passes two layers */
    graph_layout_clear(&l);
}
END_TEST

/* A leaf that is needed late stands just above what needs it; a chain stands in a
 * column. */
START_TEST(leaves_stand_where_they_are_needed)
{
    static drawn d;
    graph_layout l;
    make(&d, 6);
    join(&d, 0, 1);
    join(&d, 1, 2);
    join(&d, 2, 3);
    join(&d, 4, 5);
    join(&d, 3, 5);
    ck_assert(graph_layout_make(&l, &d.graph, d.boxes));
    ck_assert_int_eq(l.layer_count, 5);
    ck_assert_int_eq(l.places[4].layer, 3);
    for (int i = 1; i < 3; i++)
        ck_assert_double_eq_tol(l.places[i].x, l.places[0].x, 1);
    graph_layout_clear(&l);
}
END_TEST

/* ---- Pictures and text ------------------------------------------------------------- */

/* y = x x: two lines between the same boxes. */
static const study_graph_node square_nodes[] = {{"x", "value 3\ngradient <6>", "a note", STUDY_VARIABLE},
                                                {"[0] mul", "value 9", "y = a b", STUDY_RESULT}};
static const study_graph_edge square_edges[] = {{0, 1, "3", "of the first"}, {0, 1, "3.5", NULL}};
static const study_graph square = {"a <square>", square_nodes, 2, square_edges, 2};

START_TEST(a_graph_as_a_picture)
{
    for (int page = 0; page < 2; page++) {
        pen p = {0};
        svg_graph(&p, &square, page ? "id" : NULL);
        test_check_xml(p.text);
        test_has(p.text, "<title>a &lt;square&gt;</title>");
        test_has(p.text, "<g><title>a note</title><rect class=\"box line-0\" rx=\"9\"");
        test_has(p.text, ">gradient &lt;6&gt;</text>");
        test_has(p.text, "<g><title>of the first</title><text class=\"middle halo\"");
        test_has(p.text, "from x: 3; from x: 3.5.");
        ck_assert_uint_eq(test_count(p.text, "<path class=\"line line-5\""), 2);
        ck_assert_uint_eq(test_count(p.text, "<rect class=\"box "), 2);
        free(p.text);
    }
}
END_TEST

START_TEST(no_nodes_are_a_picture_too)
{
    pen p = {0};
    svg_graph(&p, &(study_graph){0}, NULL);
    test_check_xml(p.text);
    free(p.text);
}
END_TEST

/* On a sheet graphs stand below each other, in the size that they have alone. */
START_TEST(graphs_on_a_sheet)
{
    char *folder = test_folder_new(), *path = test_path(folder, "sheet.svg"), wanted[64];
    study_document *document = study_document_new("sheet");
    ag_error error = {0};
    study_add_graph(document, &square);
    study_add_graph(document, &square);
    ck_assert_msg(study_document_save_picture(document, path, &error) == AG_OK, "%s", error.message);
    char *sheet = test_file_read(folder, "sheet.svg", NULL);
    const svg_size size = svg_graph_size(&square);
    test_check_xml(sheet);
    snprintf(wanted, sizeof wanted, " width=\"%d\" height=\"%d\"", (int)size.width, 2 * (int)size.height);
    test_has(sheet, wanted);
    snprintf(wanted, sizeof wanted, "translate(0 %d)", (int)size.height);
    test_has(sheet, wanted);
    free(sheet);
    free(path);
    study_document_free(document);
    test_folder_remove(folder);
}
END_TEST

START_TEST(a_graph_as_text)
{
    study_document *document = study_document_new(NULL);
    study_add_graph(document, &square);
    char *text = test_text(document, false);
    ck_assert_str_eq(text, "a <square>\nx  value 3  gradient <6>\n[0] mul  value 9\n    from x: 3\n    from x: 3.5\n");
    free(text);
    study_document_free(document);
}
END_TEST

static void refuses(int64_t from, int64_t to)
{
    study_document *document = study_document_new(NULL);
    ag_error error = {0};
    study_graph graph = square;
    graph.edges = &(study_graph_edge){.from = from, .to = to};
    graph.edge_count = 1;
    study_add_graph(document, &graph);
    ck_assert_ptr_null(study_document_text(document, NULL, &error));
    ck_assert_int_eq(error.status, AG_BAD_VALUE);
    test_has(error.message, "it must lead to a later one");
    study_document_free(document);
}

START_TEST(edges_lead_to_later_nodes)
{
    refuses(0, 2);
    refuses(1, 1);
    refuses(1, 0);
    refuses(-1, 1);
    study_add_graph(NULL, &square);
}
END_TEST

static Suite *graph_suite(void)
{
    Suite *suite = suite_create("study graph");
    TCase *tests = tcase_create("graph");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, drawn_graphs_keep_the_rules);
    tcase_add_test(tests, no_crossing_where_none_must_be);
    tcase_add_test(tests, leaves_stand_where_they_are_needed);
    tcase_add_test(tests, a_graph_as_a_picture);
    tcase_add_test(tests, no_nodes_are_a_picture_too);
    tcase_add_test(tests, graphs_on_a_sheet);
    tcase_add_test(tests, a_graph_as_text);
    tcase_add_test(tests, edges_lead_to_later_nodes);
    suite_add_tcase(suite, tests);
    return suite;
}

TEST_MAIN(graph_suite)
