/* draw.c - the exact match of bench/length/run over the length of the examples, as one
 * picture:
 *
 *     length TITLE RESULTS.tsv PICTURE.svg
 *
 * A line of the results is TASK, KIND, SEED, LENGTH and EXACT, separated by tabs. The
 * picture has a curve for each kind of positions, the mean of its seeds, and the program
 * prints the same numbers as a table. */
#include "report/report.h"

#include <stdio.h>
#include <string.h>

enum { MOST_KINDS = 8, MOST_LENGTHS = 32, NAME = 32 };

/* Sums over the seeds, in the order in which kinds and lengths come first. */
typedef struct results {
    char kinds[MOST_KINDS][NAME];
    double lengths[MOST_LENGTHS], sums[MOST_KINDS][MOST_LENGTHS];
    int seeds[MOST_KINDS][MOST_LENGTHS];
    int kind_count, length_count;
} results;

/* The index of the kind, or -1 if there is no more room. */
static int find_kind(results *r, const char *name)
{
    int i = 0;
    while (i < r->kind_count && strcmp(r->kinds[i], name) != 0)
        i++;
    if (i == MOST_KINDS)
        return -1;
    if (i == r->kind_count)
        snprintf(r->kinds[r->kind_count++], NAME, "%s", name);
    return i;
}

static int find_length(results *r, double length)
{
    int i = 0;
    while (i < r->length_count && r->lengths[i] != length)
        i++;
    if (i == MOST_LENGTHS)
        return -1;
    if (i == r->length_count)
        r->lengths[r->length_count++] = length;
    return i;
}

static bool read_results(const char *path, results *r)
{
    char kind[NAME];
    double length, exact;
    int read = 0;
    FILE *file = fopen(path, "r");
    if (!file)
        return false;
    while ((read = fscanf(file, "%*s %31s %*s %lf %lf", kind, &length, &exact)) == 3) {
        const int k = find_kind(r, kind), l = find_length(r, length);
        if (k < 0 || l < 0)
            break;
        r->sums[k][l] += 100 * exact;
        r->seeds[k][l]++;
    }
    fclose(file);
    return read == EOF && r->kind_count > 0;
}

/* Turns the sums into means and prints them, a row for each kind. */
static void print_means(results *r)
{
    printf("%-12s", "length");
    for (int l = 0; l < r->length_count; l++)
        printf("%6g", r->lengths[l]);
    for (int k = 0; k < r->kind_count; k++) {
        printf("\n%-12s", r->kinds[k]);
        for (int l = 0; l < r->length_count; l++) {
            r->sums[k][l] = r->seeds[k][l] ? r->sums[k][l] / r->seeds[k][l] : 0;
            printf("%6.1f", r->sums[k][l]);
        }
        printf("  (%d)", r->seeds[k][0]);
    }
    printf("\n");
}

static ag_status draw(const char *title, const results *r, const char *path, ag_error *error)
{
    study_line lines[MOST_KINDS];
    for (int k = 0; k < r->kind_count; k++)
        lines[k] = (study_line){.name = r->kinds[k], .count = r->length_count, .x = r->lengths, .y = r->sums[k]};
    study_document *document = study_document_new(title);
    study_add_chart(document, &(study_chart){.title = title,
                                             .x_axis = "length of the examples",
                                             .y_axis = "exact match, %",
                                             .lines = lines,
                                             .line_count = r->kind_count,
                                             .low = 0,
                                             .high = 100});
    const ag_status status = study_document_save_picture(document, path, error);
    study_document_free(document);
    return status;
}

int main(int count, char **arguments)
{
    static results r;
    ag_error error = {0};
    if (count != 4) {
        fputs("Usage: length TITLE RESULTS.tsv PICTURE.svg\n", stderr);
        return 2;
    }
    if (!read_results(arguments[2], &r)) {
        fprintf(stderr, "length: %s: these are not the results of bench/length/run\n", arguments[2]);
        return 1;
    }
    print_means(&r);
    if (draw(arguments[1], &r, arguments[3], &error) == AG_OK)
        return 0;
    fprintf(stderr, "length: %s\n", error.message);
    return 1;
}
