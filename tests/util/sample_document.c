/* sample_document.c - a document with every kind of part: see sample_document.h. */
#include "sample_document.h"

#include <math.h>

enum { SOURCE = 5, TARGET = 6, HEADS = 3, LARGE = 40, HUGE = 100 };

static const char *const source_labels[SOURCE] = {"t", "a", "p", "e", "<eos>"};
static const char *const target_labels[TARGET] = {"<bos>", "e", "p", SAMPLE_HOSTILE, "t", "\xC3\xA9"};

/* The heads of an attention of `queries` x `keys`; the last key is padding where so
 * asked, later keys are masked where `causal`. */
static void add_attention(study_heat *heats, ag_real *values, unsigned char *cells, int64_t queries, int64_t keys,
                          bool causal, bool padded)
{
    for (int64_t h = 0; h < HEADS; h++)
        for (int64_t i = 0; i < queries; i++)
            for (int64_t j = 0; j < keys; j++) {
                int64_t at = i * keys + j;
                cells[at] = padded && j == keys - 1 ? STUDY_PADDING : causal && j > i ? STUDY_MASKED : STUDY_SEEN;
                values[h * queries * keys + at] = cells[at] == STUDY_SEEN ? SAMPLE_WEIGHT(h, i, j) : 0;
            }
    for (int64_t h = 0; h < HEADS; h++) {
        heats[h].rows = queries;
        heats[h].columns = keys;
        heats[h].values = values + h * queries * keys;
        heats[h].cells = cells;
    }
}

static void add_choice(study_document *document)
{
    static const char *const groups[] = {"encoder.layers.0.self_attn", "decoder.layers.0.self_attn",
                                         "decoder.layers.0.multihead_attn"},
                             *const titles[HEADS] = {"head 0", "head 1", "head 2"},
                             *const notes[HEADS] = {"entropy 1.25 bits", NULL, "entropy 0.5 bits"};
    ag_real values[3][HEADS * TARGET * TARGET];
    unsigned char cells[3][TARGET * TARGET];
    study_heat heats[3 * HEADS];
    for (int i = 0; i < 3 * HEADS; i++)
        heats[i] = (study_heat){.group = groups[i / HEADS],
                                .title = titles[i % HEADS],
                                .note = notes[i % HEADS],
                                .row_axis = "query",
                                .column_axis = "key",
                                .row_labels = i < HEADS ? source_labels : target_labels,
                                .column_labels = i / HEADS == 1 ? target_labels : source_labels};
    add_attention(heats, values[0], cells[0], SOURCE, SOURCE, false, true);
    add_attention(heats + HEADS, values[1], cells[1], TARGET, TARGET, true, false);
    add_attention(heats + 2 * HEADS, values[2], cells[2], TARGET, SOURCE, false, true);
    study_add_heats(document, heats, 3 * HEADS, false);
}

/* A leak, and a value that is not finite, beside what was declared. */
static void add_beside(study_document *document)
{
    ag_real seen[16], allowed[16];
    unsigned char cells[16];
    for (int i = 0; i < 16; i++) {
        cells[i] = i % 4 > i / 4 ? STUDY_MASKED : STUDY_SEEN;
        allowed[i] = cells[i] == STUDY_SEEN;
        seen[i] = cells[i] == STUDY_SEEN ? (ag_real)(i + 1) / 4 : 0;
    }
    seen[3] = (ag_real)0.125;
    seen[4] = (ag_real)NAN;
    static const char *const kinds[] = {"forbidden", "allowed"};
    study_heat heats[2] = {
        {.title = "influence",
         .note = "one leak",
         .rows = 4,
         .columns = 4,
         .values = seen,
         .cells = cells,
         .high = 4,
         .split = 3,
         .sides = {"source", "target"}},
        {.title = "declared",
         .rows = 4,
         .columns = 4,
         .values = allowed,
         .cells = cells,
         .kinds = kinds,
         .kind_count = 2},
    };
    study_add_heats(document, heats, 2, true);
}

/* The largest has one masked cell, one of padding, and a leak, in its first row. */
static void add_large(study_document *document)
{
    ag_real values[HUGE * HUGE];
    unsigned char cells[HUGE * HUGE] = {STUDY_SEEN, STUDY_MASKED, STUDY_PADDING, STUDY_MASKED};
    for (int64_t i = 0; i < HUGE * HUGE; i++)
        values[i] = i == 1 ? 0 : (ag_real)(i % 101) / 101;
    study_heat heats[2] = {
        {.group = "large", .title = "40 x 40", .rows = LARGE, .columns = LARGE, .values = values},
        {.group = "large", .title = "100 x 100", .rows = HUGE, .columns = HUGE, .values = values, .cells = cells}};
    study_add_heats(document, heats, 2, false);
}

static void add_charts(study_document *document)
{
    static const char *const folded[] = {"run", "loss", "a", "0.5"};
    double x[300], y[2][300];
    for (int i = 0; i < 300; i++) {
        x[i] = i * 10;
        y[0][i] = 3 * exp(-i / 40.0) + 0.02;
        y[1][i] = i % 50 ? 2.5 * exp(-i / 60.0) + 0.03 : (double)NAN;
    }
    study_line lines[2] = {{.name = "run-a", .count = 300, .x = x, .y = y[0]},
                           {.name = SAMPLE_HOSTILE, .count = 300, .x = x, .y = y[1]}};
    study_chart chart = {.title = "Loss", .x_axis = "step", .y_axis = "nats", .lines = lines, .line_count = 2};
    study_add_chart(document, &chart);
    const study_mark mark = {.name = "best at step 60", .line = 1, .x = 60, .y = y[1][6]};
    lines[0].count = lines[1].count = 12;
    lines[1].companion = true;
    chart.title = "A short one";
    chart.log_y = true;
    chart.marks = &mark;
    chart.mark_count = 1;
    study_begin_row(document);
    study_add_chart(document, &chart);
    study_add_verdict(document, true, "the loss falls", "from 3 to 2");
    study_add_verdict(document, false, "it falls to 0", SAMPLE_HOSTILE);
    study_add_folded_table(document, "What is folded", 2, 2, folded);
    study_end_row(document);
}

/* Two groups of operations, with keys for their times. */
static void add_sortable(study_document *document)
{
    enum { ROWS = 6, COLUMNS = 3 };
    static const char *const cells[] = {"operation", "ms",   "shape", SAMPLE_HOSTILE, "0.30",  "",
                                        "linear",    "0.25", "[3,2]", "relu",         "50 us", "[3]",
                                        "b",         "-",    "",      "norm",         "1.00",  "[2]"};
    static const unsigned char starts[ROWS] = {0, 1, 0, 0, 1, 0};
    static const double times[ROWS] = {0, 0.3, 0.25, 0.05, 0, 1};
    double keys[ROWS * COLUMNS];
    for (int i = 0; i < ROWS * COLUMNS; i++)
        keys[i] = i % COLUMNS == 1 && i / COLUMNS != 4 ? times[i / COLUMNS] : (double)NAN;
    study_add_sortable_table(document, "Times of operations", ROWS, COLUMNS, cells, keys, starts);
}

/* A diamond whose result also uses the first value, twice. */
static void add_graph(study_document *document)
{
    const study_graph_node nodes[] = {{"x", "value 1", NULL, STUDY_VARIABLE},
                                      {"[0] exp", "value 2.718\ngradient 1", "y = e^x", STUDY_OPERATION},
                                      {SAMPLE_HOSTILE, SAMPLE_HOSTILE, SAMPLE_HOSTILE, STUDY_CONSTANT},
                                      {"[2] concat", NULL, NULL, STUDY_RESULT}};
    const study_graph_edge edges[] = {{0, 1, "2.718", "a note"}, {0, 2, SAMPLE_HOSTILE, NULL}, {1, 3, NULL, NULL},
                                      {2, 3, "1", NULL},         {0, 3, "0.5", NULL},          {0, 3, "-0.5", NULL}};
    study_add_graph(document, &(study_graph){"A graph", nodes, 4, edges, 6});
}

study_document *test_sample_document(void)
{
    static const char *const cells[] = {"mask",   "accuracy", "note", "full", "0.998", "sees both sides",
                                        "causal", "0.562",    "",     "none", "-",     SAMPLE_HOSTILE};
    study_document *document = study_document_new("A sample & its <parts>");
    study_add_text(document, "Every kind of part once, and what would do harm: %s", SAMPLE_HOSTILE);
    study_add_example(document, SAMPLE_LEFTWARD, "shalom", "from right to left");
    study_add_heading(document, "Attention");
    study_add_text(document, "One of nine maps is shown at a time.\nThe last source token is padding.");
    add_choice(document);
    study_add_heading(document, "Influence");
    add_beside(document);
    study_add_heading(document, "Large maps");
    add_large(document);
    study_add_heading(document, "Figures " SAMPLE_HOSTILE);
    study_add_table(document, "Accuracy by mask", 4, 3, cells);
    add_sortable(document);
    add_charts(document);
    add_graph(document);
    return document;
}
