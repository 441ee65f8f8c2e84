/* write.c - the laboratory's document: what was measured beside what is possible, and the
 * claims. */
#include "findings.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ---- Tables and heat maps ---------------------------------------------------------- */

/* A table that is filled cell by cell, row by row. */
typedef struct table {
    int64_t columns, count;
    char texts[208][40];
} table;

/* Adds the cells that the format gives, between tabs: "%s\t%.3f". */
AG_PRINTF(2, 3) static void put_cells(table *t, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    ag_text_print_list(text, sizeof text, format, arguments);
    va_end(arguments);
    for (char *cell = text, *next; cell; cell = next) {
        next = strchr(cell, '\t');
        if (next)
            *next++ = 0;
        ag_text_print(t->texts[t->count++], sizeof *t->texts, "%s", cell);
    }
}

/* Adds the table folded: all its numbers are in a picture, too. */
static void add_table(study_document *document, const char *caption, const table *t)
{
    const char *cells[sizeof t->texts / sizeof *t->texts];
    for (int64_t i = 0; i < t->count; i++)
        cells[i] = t->texts[i];
    study_add_folded_table(document, caption, t->count / t->columns, t->columns, cells);
}

/* Adds the claims of a section about this task, or, with LABORATORY_TASKS, about
 * several. */
static void add_claims(study_document *document, const laboratory_findings *findings, laboratory_section section,
                       int task)
{
    for (const laboratory_claim *claim = findings->claims; claim < findings->claims + findings->claim_count; claim++)
        if (claim->section == section && (int)claim->task == task)
            study_add_verdict(document, claim->holds, claim->expected, claim->measured);
}

/* ---- Summary and masks ------------------------------------------------------------- */

static void write_summary(const laboratory_findings *findings, study_document *document)
{
    const study_laboratory_options *options = &findings->options;
    int held = 0;
    for (int i = 0; i < findings->claim_count; i++)
        held += findings->claims[i].holds;
    study_add_text(
        document,
        "Small transformers of %d layers are trained for %lld steps each on sequences of %lld letters out of "
        "%lld, all drawn evenly. Of each task it is known which positions must be seen to do it. So what a "
        "mask allows can be computed, and stands here beside what was measured, on %d sequences that were "
        "in no training batch.",
        LABORATORY_LAYERS, (long long)options->steps, (long long)options->length, (long long)options->letters,
        LABORATORY_EXAMPLES);
    study_add_text(document, "Of %d expectations %d came true.", findings->claim_count, held);
    for (const laboratory_claim *claim = findings->claims; claim < findings->claims + findings->claim_count; claim++)
        if (!claim->holds)
            study_add_verdict(document, claim->holds, claim->expected, claim->measured);
}

static void write_masks(const laboratory_findings *findings, study_document *document)
{
    const int64_t length = findings->options.length, cells = length * length;
    ag_real values[LABORATORY_MASKS][LABORATORY_LENGTH * LABORATORY_LENGTH];
    unsigned char kinds[LABORATORY_MASKS][LABORATORY_LENGTH * LABORATORY_LENGTH];
    study_heat heats[LABORATORY_MASKS];
    static const char *const ways[] = {"not at all", "through both layers", "at once"};
    for (int mask = 0; mask < LABORATORY_MASKS; mask++) {
        for (int64_t cell = 0; cell < cells; cell++) {
            const bool seen = findings->reach[mask][cell], at_once = findings->block_reach[mask][cell];
            values[mask][cell] = at_once ? 2 : seen ? 1 : 0;
            kinds[mask][cell] = seen ? STUDY_SEEN : STUDY_MASKED;
        }
        heats[mask] = (study_heat){.group = "what outputs may depend on",
                                   .title = laboratory_setting_names[mask],
                                   .rows = length,
                                   .columns = length,
                                   .values = values[mask],
                                   .cells = kinds[mask],
                                   .row_axis = "output",
                                   .column_axis = "input",
                                   .kinds = ways,
                                   .kind_count = sizeof ways / sizeof *ways};
    }
    study_add_heading(document, "What the masks let through");
    study_add_text(document,
                   "A block hands on what it sees, and its own position by the residual connection; the next block "
                   "sees that in turn. Some inputs are seen at once, some only through both layers, and some not at "
                   "all: so a window of one neighbour on each side reaches two. The prefix is the first %lld "
                   "positions; those after it see what is before them, too.",
                   (long long)(3 * length / 4));
    study_add_heats(document, heats, LABORATORY_MASKS, true);
}

/* ---- Taggers ----------------------------------------------------------------------- */

static void add_accuracy_heats(const laboratory_findings *findings, int task, study_document *document)
{
    const int64_t length = findings->options.length;
    ag_real values[2][LABORATORY_SETTINGS * LABORATORY_LENGTH];
    for (int setting = 0; setting < LABORATORY_SETTINGS; setting++)
        for (int64_t i = 0; i < length; i++) {
            values[0][setting * length + i] = (ag_real)findings->accuracy[task][setting][i];
            values[1][setting * length + i] = (ag_real)findings->allowed[task][setting][i];
        }
    study_heat heats[2];
    for (int side = 0; side < 2; side++)
        heats[side] = (study_heat){.group = laboratory_task_names[task],
                                   .title = side ? "accuracy, possible" : "accuracy, measured",
                                   .rows = LABORATORY_SETTINGS,
                                   .columns = length,
                                   .values = values[side],
                                   .row_axis = "mask",
                                   .column_axis = "position",
                                   .row_labels = laboratory_setting_names};
    study_add_heats(document, heats, 2, true);
}

static void put_accuracies(table *t, const char *name, const char *kind, const double *values, int64_t length)
{
    put_cells(t, "%s, %s", name, kind);
    for (int64_t i = 0; i < length; i++)
        put_cells(t, "%.3f", values[i]);
    put_cells(t, "%.3f", laboratory_mean(values, length));
}

static void add_accuracy_table(const laboratory_findings *findings, int task, study_document *document)
{
    const int64_t length = findings->options.length;
    table t = {.columns = length + 2};
    char caption[80];
    snprintf(caption, sizeof caption, "%s: accuracy by position", laboratory_task_names[task]);
    put_cells(&t, "mask");
    for (int64_t i = 0; i < length; i++)
        put_cells(&t, "%lld", (long long)i);
    put_cells(&t, "mean");
    for (int setting = 0; setting < LABORATORY_SETTINGS; setting++) {
        const char *name = laboratory_setting_names[setting];
        put_accuracies(&t, name, "measured", findings->accuracy[task][setting], length);
        put_accuracies(&t, name, "possible", findings->allowed[task][setting], length);
    }
    add_table(document, caption, &t);
}

/* Sort, where the possible accuracy is neither 1 nor chance: measured and possible, for
 * some settings that hide something. */
static void add_sort_chart(const laboratory_findings *findings, study_document *document)
{
    static const laboratory_mask shown[] = {LABORATORY_CAUSAL, LABORATORY_WINDOW, LABORATORY_ORDERLESS};
    enum { LINES = 2 * sizeof shown / sizeof *shown };
    char names[LINES][40];
    double x[LABORATORY_LENGTH];
    study_line lines[LINES];
    for (int64_t i = 0; i < findings->options.length; i++)
        x[i] = (double)i;
    for (int k = 0; k < LINES; k++) {
        const laboratory_mask setting = shown[k / 2];
        snprintf(names[k], sizeof names[k], "%s, %s", laboratory_setting_names[setting],
                 k % 2 ? "possible" : "measured");
        lines[k] = (study_line){.name = names[k],
                                .count = findings->options.length,
                                .x = x,
                                .companion = k % 2 == 1,
                                .y = k % 2 ? findings->allowed[LABORATORY_SORT][setting]
                                           : findings->accuracy[LABORATORY_SORT][setting]};
    }
    study_add_chart(document, &(study_chart){.title = "sort: accuracy by position",
                                             .x_axis = "position",
                                             .y_axis = "accuracy",
                                             .lines = lines,
                                             .line_count = LINES,
                                             .high = 1});
}

static void write_taggers(const laboratory_findings *findings, study_document *document)
{
    study_add_heading(document, "Accuracy by position, and what is possible");
    study_add_text(document,
                   "An encoder answers with a letter at each position. Copy asks for the letter that stands there; "
                   "shift left for the one after it, which stands to its right; shift right for the one before it, to "
                   "its left (at the end without a neighbour: its own); reverse for the one as far from the other end; "
                   "sort for the i-th smallest of all. A mask that hides the letter leaves a guess: 1 in %lld.",
                   (long long)findings->options.letters);
    study_add_text(document, "Possible is the accuracy of the best answer there can be to what is seen, computed by "
                             "going through all that can be seen. The model without positions has the full mask, but "
                             "knows no more than the letter here and the set of all; its best answer is the same at "
                             "each position, so that only its mean is a limit.");
    for (int task = 0; task < LABORATORY_TASKS; task++) {
        study_begin_row(document);
        add_accuracy_heats(findings, task, document);
        add_claims(document, findings, LABORATORY_TAGGERS, task);
        add_accuracy_table(findings, task, document);
        study_end_row(document);
    }
    study_begin_row(document);
    add_sort_chart(findings, document);
    add_claims(document, findings, LABORATORY_TAGGERS, LABORATORY_TASKS);
    study_end_row(document);
}

/* ---- The grid ---------------------------------------------------------------------- */

static void write_grid(const laboratory_findings *findings, study_document *document)
{
    ag_real values[LABORATORY_TASKS][LABORATORY_SETTINGS * LABORATORY_MASKS];
    study_heat heats[LABORATORY_TASKS];
    table t = {.columns = 2 + LABORATORY_MASKS};
    put_cells(&t, "task\ttrained with");
    for (int mask = 0; mask < LABORATORY_MASKS; mask++)
        put_cells(&t, "%s", laboratory_setting_names[mask]);
    for (int task = 0; task < LABORATORY_TASKS; task++) {
        for (int setting = 0; setting < LABORATORY_SETTINGS; setting++) {
            put_cells(&t, "%s\t%s", laboratory_task_names[task], laboratory_setting_names[setting]);
            for (int mask = 0; mask < LABORATORY_MASKS; mask++) {
                put_cells(
                    &t, "%.3f / %.3f", findings->grid[task][setting][mask],
                    laboratory_mean(laboratory_grid_allowed(findings, task, setting, mask), findings->options.length));
                values[task][setting * LABORATORY_MASKS + mask] = (ag_real)findings->grid[task][setting][mask];
            }
        }
        heats[task] = (study_heat){.group = "trained with one mask, evaluated with another",
                                   .title = laboratory_task_names[task],
                                   .rows = LABORATORY_SETTINGS,
                                   .columns = LABORATORY_MASKS,
                                   .values = values[task],
                                   .row_axis = "trained",
                                   .column_axis = "evaluated",
                                   .row_labels = laboratory_setting_names,
                                   .column_labels = laboratory_setting_names};
    }
    study_add_heading(document, "Trained with one mask, evaluated with another");
    study_add_text(document, "The same models, each evaluated with every mask: a row for the mask of the training, a "
                             "column for that of the evaluation.");
    study_begin_row(document);
    study_add_heats(document, heats, LABORATORY_TASKS, true);
    add_claims(document, findings, LABORATORY_GRID, LABORATORY_TASKS);
    add_table(document, "Mean accuracy, measured / possible with the mask of the evaluation", &t);
    study_end_row(document);
}

/* ---- The leak ---------------------------------------------------------------------- */

static void add_loss_chart(const laboratory_findings *findings, study_document *document)
{
    double steps[LABORATORY_POINTS], floor[LABORATORY_POINTS];
    for (int i = 0; i < LABORATORY_POINTS; i++) {
        steps[i] = (i + 0.5) * (double)findings->options.steps / LABORATORY_POINTS;
        floor[i] = findings->loss_floor;
    }
    const study_line lines[] = {
        {.name = "correct mask", .count = LABORATORY_POINTS, .x = steps, .y = findings->correct.curve},
        {.name = "leaking mask", .count = LABORATORY_POINTS, .x = steps, .y = findings->leaking.curve},
        {.name = "least without a leak", .count = LABORATORY_POINTS, .x = steps, .y = floor},
    };
    study_add_chart(document, &(study_chart){.title = "training loss",
                                             .x_axis = "step",
                                             .y_axis = "nats per token",
                                             .lines = lines,
                                             .line_count = sizeof lines / sizeof *lines,
                                             .log_y = true});
}

static void put_decoding(table *t, const char *name, const laboratory_decoding *found)
{
    put_cells(t, "%s\t%.4f\t%.4f\t%.4f\t%.4f\t%.4f\t%.4f", name, found->curve[LABORATORY_POINTS - 1], found->loss,
              found->accuracy, found->causal_loss, found->causal_accuracy, found->exact);
}

static void write_leak(const laboratory_findings *findings, study_document *document)
{
    const long long tokens = findings->options.length + 2;
    table t = {.columns = 7};
    put_cells(&t, "decoder\tlast training loss\tloss, own mask\taccuracy, own mask\tloss, causal\taccuracy, causal\t"
                  "free-running, exact");
    put_decoding(&t, "correct mask", &findings->correct);
    put_decoding(&t, "leaking mask", &findings->leaking);
    study_add_heading(document, "A decoder that sees what it is to predict");
    study_add_text(document,
                   "An encoder-decoder writes its source forwards or backwards, by the toss of a coin, after a mark "
                   "that says which: abc becomes > a b c or < c b a. One decoder sees the tokens up to its own, as it "
                   "should; the other one more, which is the very token that it is to predict. Nothing in the source "
                   "tells the coin, so without a leak ln 2 is lost on each sequence of %lld tokens, %.4f on a token. A "
                   "lower loss is proof of a leak. When it decodes freely there is no next token to look at.",
                   tokens, findings->loss_floor);
    study_begin_row(document);
    add_loss_chart(findings, document);
    add_claims(document, findings, LABORATORY_LEAK, LABORATORY_TASKS);
    add_table(document, "Two decoders: teacher-forced on unseen examples, and decoding freely", &t);
    study_end_row(document);
}

/* ---- Order and padding ------------------------------------------------------------- */

static void write_order(const laboratory_findings *findings, study_document *document)
{
    table t = {.columns = 5};
    put_cells(&t, "model for\tlargest logit\tdifference\tsummation order grants\tdifference with positions");
    for (int task = 0; task < LABORATORY_TASKS; task++) {
        const laboratory_permuted *found = &findings->permuted[task];
        put_cells(&t, "%s\t%.3f\t%.3g\t%.3g\t%.3g", laboratory_task_names[task], found->largest, found->difference,
                  found->bound, found->positions);
    }
    study_add_heading(document, "No positional code");
    study_add_text(document, "The letters are put into another order, and the outputs put back: without a positional "
                             "code they are those of the first order. Keys are added up in the order in which they "
                             "stand, so the last bits may differ: the difference is compared with what the rounding "
                             "of these sums may come to. The last column is that of the models with positions.");
    add_claims(document, findings, LABORATORY_ORDER, LABORATORY_TASKS);
    add_table(document, "Largest difference between two outputs that should be equal", &t);
}

static void write_padding(const laboratory_findings *findings, study_document *document)
{
    table t = {.columns = 3 + LABORATORY_PADDINGS};
    double x[LABORATORY_PADDINGS];
    study_line lines[LABORATORY_TASKS + 1];
    put_cells(&t, "model for\tpadding mask");
    for (int at = 0; at < LABORATORY_PADDINGS; at++) {
        x[at] = (double)laboratory_paddings[at];
        put_cells(&t, "%lld", (long long)laboratory_paddings[at]);
    }
    put_cells(&t, "largest difference");
    for (int task = 0; task < LABORATORY_TASKS; task++) {
        const laboratory_padded *found = &findings->padded[task];
        for (int masked = 1; masked >= 0; masked--) {
            put_cells(&t, "%s\t%s", laboratory_task_names[task], masked ? "on" : "off");
            for (int at = 0; at < LABORATORY_PADDINGS; at++)
                put_cells(&t, "%.3f", found->accuracy[masked][at]);
            put_cells(&t, "%.3g", found->difference[masked]);
        }
        lines[task] = (study_line){
            .name = laboratory_task_names[task], .count = LABORATORY_PADDINGS, .x = x, .y = found->accuracy[false]};
    }
    lines[LABORATORY_TASKS] = (study_line){.name = "sort, padding mask on",
                                           .count = LABORATORY_PADDINGS,
                                           .x = x,
                                           .y = findings->padded[LABORATORY_SORT].accuracy[true],
                                           .companion = true};
    study_add_heading(document, "Padding without its mask");
    study_add_text(document, "Marks of padding are put after the letters, as they are in a batch of rows of different "
                             "lengths. The models with the full mask are asked with the padding mask, and without it: "
                             "then each position looks at the padding, too.");
    study_begin_row(document);
    study_add_chart(document, &(study_chart){.title = "accuracy without the padding mask",
                                             .x_axis = "marks of padding",
                                             .y_axis = "accuracy",
                                             .lines = lines,
                                             .line_count = LABORATORY_TASKS + 1,
                                             .high = 1});
    add_claims(document, findings, LABORATORY_PADDING, LABORATORY_TASKS);
    add_table(document, "Mean accuracy by marks of padding, and how far a logit is from that of the bare row", &t);
    study_end_row(document);
}

void laboratory_write(const laboratory_findings *findings, study_document *document)
{
    write_summary(findings, document);
    write_leak(findings, document); /* (the costliest mistake first) */
    write_masks(findings, document);
    write_taggers(findings, document);
    write_grid(findings, document);
    write_order(findings, document);
    write_padding(findings, document);
}
