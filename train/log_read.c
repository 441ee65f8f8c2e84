/* log_read.c - reads log.jsonl back, as series of numbers by name.
 *
 * It accepts any names, not only those of log.c, since other versions have others. The
 * form is fixed: each line is an object of numbers (null: a number that was not finite,
 * which KEY_is names) and truth values, the step first and never below the one before.
 */
#include "folder.h"
#include "log.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct log_reader {
    train_history *history;
    const char *path;
    ag_error *error;
    char line[LOG_LINE_SIZE], key[LOG_LINE_SIZE], text[LOG_LINE_SIZE];
    int64_t number; /* of the line, from 1 */
    uint64_t step;  /* of the line before */
} log_reader;

static ag_status refuse_line(log_reader *r, const char *problem)
{
    return ag_error_set(r->error, AG_BAD_FILE, "%.200s:%lld: %s", r->path, (long long)r->number, problem);
}

/* ---- The series -------------------------------------------------------------------- */

static train_series *series_find(const train_history *history, const char *name)
{
    for (int i = 0; i < history->count; i++)
        if (!strcmp(history->items[i].name, name))
            return &history->items[i];
    return NULL;
}

static train_series *series_new(train_history *history, const char *name)
{
    size_t size = strlen(name) + 1;
    char *copy = malloc(size);
    train_series *items = copy ? realloc(history->items, (size_t)(history->count + 1) * sizeof *items) : NULL;
    if (!items) {
        free(copy);
        return NULL;
    }
    memcpy(copy, name, size);
    history->items = items;
    items[history->count] = (train_series){.name = copy};
    return &items[history->count++];
}

/* Makes room for one more number: doubles the array whenever the count is a power of
 * two. */
static bool grow_numbers(double **numbers, int64_t count)
{
    if (count & (count - 1))
        return true;
    double *larger = realloc(*numbers, (size_t)(count ? 2 * count : 1) * sizeof *larger);
    if (larger)
        *numbers = larger;
    return larger != NULL;
}

static bool series_add(train_history *history, const char *name, double step, double value)
{
    train_series *series = series_find(history, name);
    if (!series)
        series = series_new(history, name);
    if (!series || !grow_numbers(&series->steps, series->count) || !grow_numbers(&series->values, series->count))
        return false;
    series->steps[series->count] = step;
    series->values[series->count++] = value;
    return true;
}

/* ---- Lines ------------------------------------------------------------------------- */

/* Whether a key is KEY_is, which names a number that is not finite. */
static bool names_nonfinite(const char *key)
{
    size_t length = strlen(key);
    return length > 3 && !strcmp(key + length - 3, "_is");
}

/* Reads a value; returns whether it belongs to a series. */
static bool read_value(data_json *json, const char *key, char text[LOG_LINE_SIZE], double *value)
{
    bool yes = false;
    char next = data_json_peek(json);
    if (next == '"' && names_nonfinite(key)) {
        data_json_string(json, text);
        return false;
    }
    if (next == 't' || next == 'f')
        *value = data_json_bool(json, &yes) && yes;
    else if (next == 'n')
        *value = data_json_null(json) ? (double)NAN : 0;
    else
        data_json_number(json, value);
    return !json->problem;
}

/* Parses the line: first to check it, and again (`add`) to add its values to the
 * series. */
static data_json parse_line(log_reader *r, bool add, uint64_t *step, bool *memory)
{
    size_t size = strlen(r->line), members = 0;
    data_json json = data_json_start(r->line, size);
    double value = 0;
    if (data_utf8_check(r->line, size) < size)
        json.problem = "not UTF-8";
    data_json_enter(&json, '{');
    while (data_json_more(&json, '}', &members)) {
        if (data_json_key(&json, r->key) && (members == 1) != !strcmp(r->key, "step"))
            json.problem = "\"step\" must come first, and once";
        else if (members == 1)
            data_json_u64(&json, step);
        else if (read_value(&json, r->key, r->text, &value) && add && *memory)
            *memory = series_add(r->history, r->key, (double)*step, value);
    }
    if (data_json_finish(&json) && members == 0)
        json.problem = "\"step\" is missing";
    return json;
}

static ag_status read_line(log_reader *r, bool whole)
{
    uint64_t step = 0;
    bool memory = true;
    data_json json = parse_line(r, false, &step, &memory);
    size_t start = strlen(LOG_LINE_START), size = strlen(r->line);
    if (json.problem && !whole && !strncmp(r->line, LOG_LINE_START, size < start ? size : start))
        return AG_OK;
    if (json.problem)
        return refuse_line(r, json.problem);
    if (step < r->step)
        return refuse_line(r, "its step is below that of the line before");
    r->step = step;
    parse_line(r, true, &step, &memory);
    return memory ? AG_OK : ag_error_set(r->error, AG_NO_MEMORY, "%.200s: no memory for the log", r->path);
}

static ag_status read_lines(log_reader *r, FILE *log)
{
    ag_status status = AG_OK;
    errno = 0;
    while (status == AG_OK && fgets(r->line, sizeof r->line, log)) {
        size_t size = strlen(r->line);
        bool whole = size > 0 && r->line[size - 1] == '\n';
        r->number++;
        if (!whole && !feof(log))
            status = refuse_line(r, "a zero byte, or more than 1022 characters");
        else
            status = read_line(r, whole);
    }
    if (status == AG_OK && ferror(log))
        status = ag_error_set(r->error, AG_IO, "%.200s: cannot read the log: %s", r->path, AG_REASON(errno));
    return status;
}

/* ---- Histories --------------------------------------------------------------------- */

ag_status train_history_read(train_history *history, const char *path, ag_error *error)
{
    *history = (train_history){0};
    char *joined = NULL;
    if (data_path_is_folder(path) && !(joined = data_path_join(path, TRAIN_LOG_FILE, error)))
        return AG_NO_MEMORY;
    log_reader r = {.history = history, .path = joined ? joined : path, .error = error};
    FILE *log = fopen(r.path, "r");
    ag_status status = log ? read_lines(&r, log)
                           : ag_error_set(error, AG_IO, "%.200s: cannot read the log: %s", r.path, AG_REASON(errno));
    if (log)
        fclose(log);
    free(joined);
    if (status != AG_OK)
        train_history_clear(history);
    return status;
}

void train_history_clear(train_history *history)
{
    for (int i = 0; i < history->count; i++) {
        free(history->items[i].name);
        free(history->items[i].steps);
        free(history->items[i].values);
    }
    free(history->items);
    *history = (train_history){0};
}

const train_series *train_history_find(const train_history *history, const char *name)
{
    return series_find(history, name);
}
