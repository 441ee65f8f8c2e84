/* write.c - an examination as a document: faults, what to look at, what is well, and the
 * sizes of the layers. */
#include "../report/pen.h"
#include "study.h"

#include <stdlib.h>
#include <string.h>

/* ---- Findings ---------------------------------------------------------------------- */

/* Whether a finding of this kind before number `i` has the same advice. */
static bool is_advised(const study_health *health, int i)
{
    const study_finding *finding = &health->findings[i];
    int before = 0;
    while (before < i && (health->findings[before].kind != finding->kind ||
                          strcmp(health->findings[before].advice, finding->advice) != 0))
        before++;
    return before < i;
}

/* The findings of one kind: a paragraph for each that has advice, a line for others.
 * Advice that several have in common stands once. */
static ag_status write_kind(const study_health *health, study_finding_kind kind, const char *heading,
                            study_document *document, ag_error *error)
{
    pen text = {0};
    for (int i = 0; i < health->finding_count; i++) {
        const study_finding *finding = &health->findings[i];
        if (finding->kind != kind)
            continue;
        pen_put(&text, "%s%s.", text.length ? *finding->advice ? "\n\n" : "\n" : "", finding->found);
        if (*finding->advice && !is_advised(health, i))
            pen_put(&text, "\nTo do: %s", finding->advice);
    }
    if (text.length) {
        study_add_heading(document, heading);
        study_add_text(document, "%s", pen_text(&text));
    }
    free(text.text);
    return text.failed ? ag_error_set(error, AG_NO_MEMORY, "out of memory for the doctor's findings") : AG_OK;
}

static void write_summary(const study_health *health, study_document *document)
{
    const int well = health->finding_count - health->faults - health->observations;
    char measured[160] = "Nothing could be measured, since the first batch has no finite loss or gradient.";
    if (health->tokens)
        ag_text_print(measured, sizeof measured, "%lld %s with %lld %s, loss %.4f nats per target.",
                      (long long)health->examples, ag_plural(health->examples, "example", "examples"),
                      (long long)health->tokens, ag_plural(health->tokens, "target", "targets"), health->loss);
    study_add_text(document, "%d %s, %d %s, %d %s. %s", health->faults, ag_plural(health->faults, "fault", "faults"),
                   health->observations, ag_plural(health->observations, "observation", "observations"), well,
                   ag_plural(well, "thing is well", "things are well"), measured);
}

/* ---- Layers ------------------------------------------------------------------------ */

enum { COLUMNS = 6, CELL = STUDY_LAYER_NAME };

/* Room for a table of texts: a pointer to each cell, and the cells. */
typedef struct layer_cells {
    const char **cells; /* [rows, COLUMNS] */
    char (*texts)[CELL];
} layer_cells;

static void fill_row(const layer_cells *table, int64_t row, const study_layer *layer)
{
    char(*texts)[CELL] = table->texts + row * COLUMNS;
    const double ratio = layer->weight > 0 ? layer->weight_gradient / layer->weight : 0;
    const double numbers[] = {layer->output, layer->output_gradient, layer->weight, layer->weight_gradient, ratio};
    ag_text_print(texts[0], CELL, "%s", layer->name);
    for (int j = 1; j < COLUMNS; j++)
        ag_text_print(texts[j], CELL, j < 3 && layer->output <= 0 ? "-" : "%.3g", numbers[j - 1]);
    for (int j = 0; j < COLUMNS; j++)
        table->cells[(row + 1) * COLUMNS + j] = texts[j];
}

static ag_status write_layers(const study_health *health, study_document *document, ag_error *error)
{
    static const char *const head[COLUMNS] = {"layer",   "output",          "output gradient",
                                              "weights", "weight gradient", "ratio"};
    const size_t rows = (size_t)health->layer_count;
    const layer_cells table = {calloc((rows + 1) * COLUMNS, sizeof *table.cells),
                               calloc(rows * COLUMNS + 1, sizeof *table.texts)};
    const bool enough = table.cells && table.texts;
    for (int j = 0; j < COLUMNS && enough; j++)
        table.cells[j] = head[j];
    for (size_t i = 0; i < rows && enough; i++)
        fill_row(&table, (int64_t)i, &health->layers[i]);
    if (rows && enough) {
        study_add_heading(document, "Layers");
        study_add_table(document,
                        "Output: the root mean square of the numbers that a block gives, and of the gradient of the "
                        "summed loss by them. Weights: the norm of the layer's parameters, and of the gradient of the "
                        "mean loss by them; the ratio is the second over the first.",
                        (int64_t)rows + 1, COLUMNS, table.cells);
    }
    free(table.cells);
    free(table.texts);
    return enough ? AG_OK : ag_error_set(error, AG_NO_MEMORY, "out of memory for a table of %zu layers", rows);
}

ag_status study_health_write(const study_health *health, study_document *document, ag_error *error)
{
    write_summary(health, document);
    ag_status status = write_kind(health, STUDY_FAULT, "Faults", document, error);
    if (status == AG_OK)
        status = write_kind(health, STUDY_OBSERVATION, "To look at", document, error);
    if (status == AG_OK)
        status = write_kind(health, STUDY_WELL, "Well", document, error);
    return status == AG_OK ? write_layers(health, document, error) : status;
}
