/* curves.c - draws the logs of training runs as charts, with a line for every run in
 * each. */
#include "report/pen.h"
#include "study.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    MOST_POINTS = 100, /* of a line; longer ones are averaged: noise hides how runs differ */
    LOG_RANGE = 30     /* losses that vary by more than this factor have a log axis */
};

typedef struct curve_run {
    train_history history;
    pen name;
} curve_run;

typedef struct curve_runs {
    curve_run *items; /* [count] */
    int count;
    int64_t longest_mean; /* the most values that one point is the mean of */
} curve_runs;

/* ---- Names of runs ----------------------------------------------------------------- */

/* The length of the path of a run's folder: without /log.jsonl and trailing slashes. */
static size_t folder_length(const char *path)
{
    static const char log[] = "/log.jsonl";
    size_t length = strlen(path), tail = sizeof log - 1;
    if (length > tail && !strcmp(path + length - tail, log))
        length -= tail;
    while (length > 1 && path[length - 1] == '/')
        length--;
    return length;
}

/* Names a run by the last `parts` folders of its path. */
static void name_run(pen *name, const char *path, int parts)
{
    size_t end = folder_length(path), start = end;
    while (start > 0 && (path[start - 1] != '/' || start == end || --parts > 0))
        start--;
    name->length = 0;
    pen_put_bytes(name, path + start, end - start);
}

/* How many of the runs before run i have its name. */
static int namesakes(const curve_runs *runs, int i)
{
    int count = 0;
    for (int j = 0; j < i; j++)
        count += runs->items[j].name.length == runs->items[i].name.length &&
                 !memcmp(runs->items[j].name.text, runs->items[i].name.text, runs->items[i].name.length);
    return count;
}

/* Names all runs by the last `parts` folders, and counts the different names; -1 if out
 * of memory. */
static int name_all(curve_runs *runs, const char *const *paths, int parts)
{
    int different = 0;
    for (int i = 0; i < runs->count; i++) {
        name_run(&runs->items[i].name, paths[i], parts);
        if (runs->items[i].name.failed)
            return -1;
        different += namesakes(runs, i) == 0;
    }
    return different;
}

/* Names all runs by as few folders as distinguish them. Runs that no path distinguishes
 * are numbered: "run (2)". */
static bool name_runs(curve_runs *runs, const char *const *paths)
{
    int most = name_all(runs, paths, INT_MAX), different = -1;
    for (int parts = 1; most >= 0 && different < most; parts++)
        if ((different = name_all(runs, paths, parts)) < 0)
            return false;
    /* (backwards: the earlier runs still have bare names) */
    for (int i = runs->count - 1; i > 0 && most >= 0; i--) {
        int before = namesakes(runs, i);
        if (before > 0)
            pen_put(&runs->items[i].name, " (%d)", before + 1);
        most = runs->items[i].name.failed ? -1 : most;
    }
    return most >= 0;
}

/* ---- Lines and charts -------------------------------------------------------------- */

typedef struct curve_kind {
    const char *series, *title, *y_axis; /* the series "loss" also shows "dev_loss" */
    bool complement;                     /* draws 1 - value */
    bool may_be_log;
} curve_kind;

static const curve_kind kinds[] = {
    {"loss", "Loss", "nats per token", false, true},
    {"dev_wer", "Word error rate on dev", "share of answers that are not exact", false, false},
    {"dev_per", "Token error rate on dev", "edits per token of the answer", false, false},
    {"dev_token_accuracy", "Wrong tokens on dev, given the right ones before", "share of tokens", true, false},
    {"rate", "Learning rate", NULL, false, false},
};
enum { KINDS = sizeof kinds / sizeof *kinds };

/* Makes a line of at most MOST_POINTS points, each the mean of consecutive values.
 * `numbers` [2 * MOST_POINTS] becomes their steps and values. */
static study_line make_line(curve_runs *runs, const train_series *series, const char *name, bool complement,
                            double *numbers)
{
    study_line line = {.name = name};
    if (!series)
        return line;
    int64_t block = (series->count + MOST_POINTS - 1) / MOST_POINTS;
    for (int64_t first = 0; first < series->count; first += block, line.count++) {
        int64_t end = first + block < series->count ? first + block : series->count;
        double step = 0, value = 0;
        for (int64_t i = first; i < end; i++) {
            step += series->steps[i];
            value += series->values[i];
        }
        value /= (double)(end - first);
        numbers[line.count] = step / (double)(end - first);
        numbers[MOST_POINTS + line.count] = complement ? 1 - value : value;
    }
    runs->longest_mean = block > runs->longest_mean ? block : runs->longest_mean;
    line.x = numbers;
    line.y = numbers + MOST_POINTS;
    return line;
}

static bool is_wide(const study_chart *chart)
{
    double least = INFINITY, most = 0;
    for (int64_t i = 0; i < chart->line_count; i++)
        for (int64_t n = 0; n < chart->lines[i].count; n++) {
            double y = chart->lines[i].y[n];
            least = y > 0 ? fmin(least, y) : least;
            most = fmax(most, y);
        }
    return most > LOG_RANGE * least;
}

/* ---- Charts ------------------------------------------------------------------------ */

/* The step whose model was kept, the last that the log calls the best; -1 if none. */
static double best_step(const curve_run *run)
{
    const train_series *best = train_history_find(&run->history, "best");
    double step = -1;
    for (int64_t i = 0; best && i < best->count; i++)
        step = best->values[i] != 0 ? best->steps[i] : step;
    return step;
}

/* A chart in the making. Each run has at most two lines and a mark. */
typedef struct curve_chart {
    curve_runs *runs;
    const curve_kind *kind;
    study_chart chart;
    study_line *lines;
    study_mark *marks;
    double *numbers; /* [2 * MOST_POINTS] for each line */
    pen *names;      /* [name_count] of lines and marks */
    int name_count;
} curve_chart;

static const char *add_name(curve_chart *c, const char *run, const char *what, double step)
{
    pen *name = &c->names[c->name_count++];
    const bool both = *run && *what;
    pen_put(name, "%s%s%s", run, both ? ", " : "", what);
    if (step >= 0) {
        pen_put(name, " at step ");
        pen_put_number(name, step, 15);
    }
    return name->text;
}

static void add_line(curve_chart *c, const train_series *series, const char *name, bool companion)
{
    study_line *line = &c->lines[c->chart.line_count];
    *line = make_line(c->runs, series, name, c->kind->complement, c->numbers + c->chart.line_count * 2 * MOST_POINTS);
    line->companion = companion;
    c->chart.line_count++;
}

/* Marks the step whose model was kept on the last line. */
static void add_mark(curve_chart *c, const curve_run *run, const train_series *series, const char *name)
{
    const double step = best_step(run);
    for (int64_t i = 0; series && i < series->count; i++)
        if (series->steps[i] == step) {
            c->marks[c->chart.mark_count++] =
                (study_mark){.name = add_name(c, name, "best", step),
                             .line = c->chart.line_count - 1,
                             .x = step,
                             .y = c->kind->complement ? 1 - series->values[i] : series->values[i]};
            return;
        }
}

/* Adds the lines of one run. A single run is not named. */
static void add_run(curve_chart *c, const curve_run *run, bool pairs)
{
    const bool loss = !strcmp(c->kind->series, "loss"), only = c->runs->count == 1;
    const char *name = only && pairs ? "" : run->name.text;
    const train_series *series = train_history_find(&run->history, c->kind->series),
                       *dev = loss ? train_history_find(&run->history, "dev_loss") : series;
    add_line(c, series, add_name(c, name, pairs ? "in training" : "", -1), false);
    if (loss && dev)
        add_line(c, dev, add_name(c, name, "on dev", -1), !only);
    if (strcmp(c->kind->series, "rate") != 0)
        add_mark(c, run, dev, only ? "" : name);
}

/* Adds a chart with all runs in the same order, so in the same colours as in other
 * charts. */
static ag_status add_chart(study_document *document, curve_runs *runs, const curve_kind *kind, ag_error *error)
{
    const size_t lines = 2 * (size_t)runs->count, names = 3 * (size_t)runs->count;
    curve_chart c = {.runs = runs,
                     .kind = kind,
                     .chart = {.title = kind->title, .x_axis = "step", .y_axis = kind->y_axis},
                     .lines = malloc(lines * sizeof *c.lines),
                     .marks = malloc((size_t)runs->count * sizeof *c.marks),
                     .numbers = malloc(lines * 2 * MOST_POINTS * sizeof *c.numbers),
                     .names = calloc(names, sizeof *c.names)};
    bool good = c.lines && c.marks && c.numbers && c.names, pairs = false;
    int64_t points = 0;
    for (int i = 0; i < runs->count; i++)
        pairs |= !strcmp(kind->series, "loss") && train_history_find(&runs->items[i].history, "dev_loss");
    for (int i = 0; i < runs->count && good; i++)
        add_run(&c, &runs->items[i], pairs);
    for (int64_t i = 0; i < c.chart.line_count; i++)
        points += c.lines[i].count;
    for (int i = 0; i < c.name_count; i++)
        good &= !c.names[i].failed;
    c.chart.lines = c.lines;
    c.chart.marks = c.marks;
    c.chart.log_y = kind->may_be_log && is_wide(&c.chart);
    if (points && good)
        study_add_chart(document, &c.chart);
    for (int i = 0; i < c.name_count; i++)
        free(c.names[i].text);
    free(c.lines);
    free(c.marks);
    free(c.numbers);
    free(c.names);
    return good ? AG_OK : ag_error_set(error, AG_NO_MEMORY, "out of memory for a chart");
}

/* ---- The table --------------------------------------------------------------------- */

enum { COLUMNS = 7 };

/* The index of the least value; NaN counts as larger than any. */
static int64_t lowest(const train_series *series)
{
    int64_t at = 0;
    for (int64_t i = 1; i < series->count; i++)
        if (isnan(series->values[at]) || series->values[i] < series->values[at])
            at = i;
    return at;
}

static void put_lowest(pen cells[2], const train_series *series)
{
    if (!series)
        return;
    int64_t at = lowest(series);
    pen_put_number(&cells[0], series->values[at], 4);
    pen_put_number(&cells[1], series->steps[at], 15);
}

static void put_run(pen cells[COLUMNS], const curve_run *run)
{
    const train_series *loss = train_history_find(&run->history, "loss");
    double steps = 0, sum = 0;
    for (int i = 0; i < run->history.count; i++)
        steps = fmax(steps, run->history.items[i].steps[run->history.items[i].count - 1]);
    pen_put_bytes(&cells[0], run->name.text, run->name.length);
    pen_put_number(&cells[1], steps, 15);
    int64_t tenth = loss ? (loss->count + 9) / 10 : 0;
    for (int64_t i = 1; i <= tenth; i++)
        sum += loss->values[loss->count - i];
    if (loss)
        pen_put_number(&cells[2], sum / (double)tenth, 4);
    put_lowest(&cells[3], train_history_find(&run->history, "dev_loss"));
    put_lowest(&cells[5], train_history_find(&run->history, "dev_wer"));
}

static ag_status add_table(study_document *document, const curve_runs *runs, ag_error *error)
{
    static const char *const head[COLUMNS] = {"run",     "steps",           "in training", "on dev",
                                              "at step", "word error rate", "at step"};
    size_t count = (size_t)(runs->count + 1) * COLUMNS;
    pen *cells = calloc(count, sizeof *cells);
    const char **texts = malloc(count * sizeof *texts);
    bool good = cells && texts;
    for (int j = 0; good && j < COLUMNS; j++)
        texts[j] = head[j];
    for (int i = 0; good && i < runs->count; i++)
        put_run(cells + (size_t)(i + 1) * COLUMNS, &runs->items[i]);
    for (size_t n = COLUMNS; cells && texts && n < count; n++) {
        texts[n] = cells[n].text ? cells[n].text : "-";
        good &= !cells[n].failed;
    }
    if (good)
        study_add_table(
            document,
            "The runs. In training: the mean loss of the last tenth. On dev: the least loss, and the least word "
            "error rate",
            runs->count + 1, COLUMNS, texts);
    for (size_t n = 0; cells && n < count; n++)
        free(cells[n].text);
    free(cells);
    free(texts);
    return good ? AG_OK : ag_error_set(error, AG_NO_MEMORY, "out of memory for a table");
}

/* ---- All of it --------------------------------------------------------------------- */

static ag_status add_all(study_document *document, curve_runs *runs, ag_error *error)
{
    ag_status status = add_table(document, runs, error);
    for (int i = 0; i < KINDS && status == AG_OK; i++)
        status = add_chart(document, runs, &kinds[i], error);
    if (status == AG_OK && runs->longest_mean > 1)
        study_add_text(
            document,
            "Where a log has more than %d values, a point of its line is the mean of up to %lld of them in a row.",
            MOST_POINTS, (long long)runs->longest_mean);
    return status;
}

ag_status study_curves(const char *const *paths, int count, study_document *document, ag_error *error)
{
    ag_status status = AG_OK;
    if (count < 1)
        return ag_error_set(error, AG_BAD_VALUE, "curves of %d logs: give one at least", count);
    curve_runs runs = {.items = calloc((size_t)count, sizeof *runs.items)};
    if (!runs.items)
        return ag_error_set(error, AG_NO_MEMORY, "out of memory for %d logs", count);
    for (; runs.count < count && status == AG_OK; runs.count++)
        status = train_history_read(&runs.items[runs.count].history, paths[runs.count], error);
    if (status == AG_OK && !name_runs(&runs, paths))
        status = ag_error_set(error, AG_NO_MEMORY, "out of memory for %d logs", count);
    if (status == AG_OK)
        status = add_all(document, &runs, error);
    for (int i = 0; i < runs.count; i++) {
        train_history_clear(&runs.items[i].history);
        free(runs.items[i].name.text);
    }
    free(runs.items);
    return status;
}
