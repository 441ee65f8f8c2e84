/* report.c - a row of figures, as a line of a table or as an object of JSON. */
#include "bench.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define TEXT_WIDTH   13
#define NUMBER_WIDTH 10

static void print_json(const char *bench, const bench_field *fields, int count)
{
    static char text[32 * 1024];
    data_json_object object = data_json_object_start(text, sizeof text, " ");
    data_json_put_text(&object, "bench", bench);
    for (int i = 0; i < count; i++) {
        const double places = pow(10, fields[i].digits);
        if (fields[i].text)
            data_json_put_text(&object, fields[i].key, fields[i].text);
        else
            data_json_put_number(&object, fields[i].key, round(fields[i].number * places) / places, 15);
    }
    data_json_object_end(&object);
    puts(text);
}

static void print_heading(const char *bench, const bench_field *fields, int count)
{
    printf("\n%s\n", bench);
    for (int i = 0; i < count; i++)
        if (fields[i].title && fields[i].text)
            printf("%-*s", TEXT_WIDTH, fields[i].title);
        else if (fields[i].title)
            printf("%*s", NUMBER_WIDTH, fields[i].title);
    putchar('\n');
}

static void print_line(const bench_field *fields, int count)
{
    for (int i = 0; i < count; i++) {
        const bench_field *field = &fields[i];
        if (field->title && field->text)
            printf("%-*s", TEXT_WIDTH, field->text);
        else if (field->title && field->unit > 0)
            printf("%*.1f", NUMBER_WIDTH, field->number / field->unit);
        else if (field->title)
            printf("%*.*f", NUMBER_WIDTH, field->digits, field->number);
    }
    putchar('\n');
}

void bench_report(bool json, const char *bench, const bench_field *fields, int count)
{
    static const char *before = "";
    if (json) {
        print_json(bench, fields, count);
    } else {
        if (strcmp(before, bench))
            print_heading(bench, fields, count);
        print_line(fields, count);
    }
    before = bench;
    fflush(stdout);
}
