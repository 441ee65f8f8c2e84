/* compare.c - two files of rows side by side.
 *
 * A row is known by its words and sizes; its figure is a time, or the GFLOP/s of a row that has no time. Of rows that
 * are known by the same, the best counts, so that files of several runs can be joined. */
#include "bench.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LONGEST_LINE = 2048, LONGEST_IDENTITY = 256 };

/* What a row is known by, in the order in which it is shown. */
static const char *const identity_keys[] = {"bench", "config", "layer", "form",   "mask",     "pass",    "batch",
                                            "m",     "n",      "k",     "length", "position", "dropout", "spinning", "threads"};
enum { IDENTITY_KEYS = sizeof identity_keys / sizeof *identity_keys };

/* Its figure: the first of these that it has. */
static const struct {
    const char *key;
    bool more_is_better;
} measures[] = {{"ms_per_step", false}, {"ms", false}, {"gflops", true}};
enum { MEASURES = sizeof measures / sizeof *measures };

typedef struct compared_row {
    char identity[LONGEST_IDENTITY];
    int measure;
    double value;
} compared_row;

typedef struct compared_file {
    compared_row *rows;
    int count;
} compared_file;

/* ---- Reading ----------------------------------------------------------------------- */

/* A member of a flat object: a word, or a number (null: one that was not finite). */
typedef struct member {
    char key[LONGEST_LINE], word[LONGEST_LINE];
    bool is_word;
    double number;
} member;

static bool next_member(data_json *json, size_t *members, member *m)
{
    if (!data_json_more(json, '}', members) || !data_json_key(json, m->key))
        return false;
    m->is_word = data_json_peek(json) == '"';
    if (m->is_word)
        return data_json_string(json, m->word);
    m->number = (double)NAN;
    return data_json_peek(json) == 'n' ? data_json_null(json) : data_json_number(json, &m->number);
}

/* Whether a line is an object, whole and alone. */
static bool is_object(const char *line)
{
    member m;
    size_t members = 0;
    data_json json = data_json_start(line, strlen(line));
    data_json_enter(&json, '{');
    while (next_member(&json, &members, &m))
        ;
    return data_utf8_check(line, strlen(line)) == strlen(line) && data_json_finish(&json);
}

/* Finds `key` in a line: false where it is not there. */
static bool find_member(const char *line, const char *key, member *m)
{
    size_t members = 0;
    data_json json = data_json_start(line, strlen(line));
    data_json_enter(&json, '{');
    while (next_member(&json, &members, m))
        if (!strcmp(m->key, key))
            return true;
    return false;
}

static bool read_row(const char *line, compared_row *row)
{
    size_t used = 0;
    member m;
    if (!is_object(line))
        return false;
    row->identity[0] = 0;
    for (int i = 0; i < IDENTITY_KEYS; i++) {
        if (!find_member(line, identity_keys[i], &m))
            continue;
        int length = m.is_word ? snprintf(row->identity + used, sizeof row->identity - used, "%s ", m.word)
                               : snprintf(row->identity + used, sizeof row->identity - used, "%s %g ", m.key, m.number);
        used += (size_t)length;
        if (used >= sizeof row->identity)
            return false;
    }
    for (row->measure = 0; row->measure < MEASURES; row->measure++)
        if (find_member(line, measures[row->measure].key, &m)) {
            row->value = m.number;
            return !m.is_word && isfinite(m.number) && m.number > 0;
        }
    return false;
}

static compared_row *find_row(const compared_file *file, const char *identity)
{
    for (int i = 0; i < file->count; i++)
        if (!strcmp(file->rows[i].identity, identity))
            return &file->rows[i];
    return NULL;
}

static bool better(const compared_row *a, const compared_row *b)
{
    return measures[a->measure].more_is_better ? a->value > b->value : a->value < b->value;
}

static bool keep_row(compared_file *file, const compared_row *row)
{
    compared_row *same = find_row(file, row->identity);
    if (same) {
        if (better(row, same))
            *same = *row;
        return true;
    }
    compared_row *rows = realloc(file->rows, (size_t)(file->count + 1) * sizeof *rows);
    if (!rows)
        return false;
    rows[file->count++] = *row;
    file->rows = rows;
    return true;
}

static ag_status read_file(const char *path, compared_file *file, ag_error *error)
{
    char line[LONGEST_LINE];
    compared_row row;
    ag_status status = AG_OK;
    FILE *in = fopen(path, "r");
    if (!in)
        return ag_error_set(error, AG_IO, "%s: %s", path, strerror(errno));
    for (int number = 1; status == AG_OK && fgets(line, sizeof line, in); number++)
        if (!read_row(line, &row))
            status = ag_error_set(error, AG_BAD_FILE, "%s:%d: not a row that --json writes", path, number);
        else if (!keep_row(file, &row))
            status = ag_error_set(error, AG_NO_MEMORY, "out of memory");
    if (status == AG_OK && ferror(in))
        status = ag_error_set(error, AG_IO, "%s cannot be read", path);
    fclose(in);
    return status;
}

/* ---- Side by side ------------------------------------------------------------------ */

static int longest_identity(const compared_file *file)
{
    size_t longest = strlen("row");
    for (int i = 0; i < file->count; i++)
        if (strlen(file->rows[i].identity) > longest)
            longest = strlen(file->rows[i].identity);
    return (int)longest;
}

static ag_status print_ratios(const char *const paths[2], const compared_file files[2], ag_error *error)
{
    const int width = longest_identity(&files[0]);
    int both = 0;
    double logarithms = 0;
    for (int i = 0; i < files[0].count; i++) {
        const compared_row *a = &files[0].rows[i], *b = find_row(&files[1], a->identity);
        if (!b || b->measure != a->measure)
            continue;
        double ratio = measures[a->measure].more_is_better ? b->value / a->value : a->value / b->value;
        if (both++ == 0)
            printf("A is %s, B is %s; a ratio above 1 means that B is the faster.\n\n%-*s%-12s%11s%11s%8s\n", paths[0],
                   paths[1], width, "row", "figure", "A", "B", "ratio");
        printf("%-*s%-12s%11.4g%11.4g%8.2f\n", width, a->identity, measures[a->measure].key, a->value, b->value, ratio);
        logarithms += log(ratio);
    }
    if (both == 0)
        return ag_error_set(error, AG_BAD_VALUE, "%s and %s have no row in common", paths[0], paths[1]);
    printf("\nGeometric mean of %d ratios: %.3f", both, exp(logarithms / both));
    int alone = files[0].count + files[1].count - 2 * both;
    if (alone)
        printf("; %d rows are in one file alone", alone);
    puts(".");
    return AG_OK;
}

ag_status bench_compare(const char *const paths[2], ag_error *error)
{
    compared_file files[2] = {0};
    ag_status status = read_file(paths[0], &files[0], error);
    if (status == AG_OK)
        status = read_file(paths[1], &files[1], error);
    if (status == AG_OK)
        status = print_ratios(paths, files, error);
    free(files[0].rows);
    free(files[1].rows);
    return status;
}
