/* fields.c - members of structs as text: see fields.h.
 *
 * Members are reached by offset through memcpy, so no pointer is ever of a wrong type. A
 * value's text is canonical, so two values are equal where their texts are.
 */
#include "fields.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIELD_TEXT 64 /* bytes that hold every value that is saved */

/* ---- Values ------------------------------------------------------------------------ */

static size_t size_of(const train_field *field)
{
    static const size_t sizes[] = {
        [TRAIN_INT] = sizeof(int),       [TRAIN_INT64] = sizeof(int64_t), [TRAIN_UINT64] = sizeof(uint64_t),
        [TRAIN_DOUBLE] = sizeof(double), [TRAIN_BOOL] = sizeof(bool),     [TRAIN_TEXT] = sizeof(const char *)};
    return sizes[field->type];
}

/* Copies the member to or from a variable of its type. */
static void get(const train_field *field, const void *object, void *value)
{
    memcpy(value, (const char *)object + field->offset, size_of(field));
}

static void set(const train_field *field, void *object, const void *value)
{
    memcpy((char *)object + field->offset, value, size_of(field));
}

/* The value of a TRAIN_INT, TRAIN_INT64, TRAIN_BOOL, or the bits of a TRAIN_UINT64. */
static int64_t get_integer(const train_field *field, const void *object)
{
    int64_t wide = 0;
    int narrow = 0;
    bool truth = false;
    get(field, object, field->type == TRAIN_INT ? (void *)&narrow : field->type == TRAIN_BOOL ? (void *)&truth : &wide);
    return field->type == TRAIN_INT ? narrow : field->type == TRAIN_BOOL ? truth : wide;
}

static void set_integer(const train_field *field, void *object, int64_t wide)
{
    const int narrow = (int)wide;
    const bool truth = wide != 0;
    set(field, object,
        field->type == TRAIN_INT    ? (const void *)&narrow
        : field->type == TRAIN_BOOL ? (const void *)&truth
                                    : &wide);
}

const char *train_field_text(const train_field *field, const void *object)
{
    const char *text;
    get(field, object, &text);
    return text;
}

void train_field_set_text(const train_field *field, void *object, const char *text)
{
    set(field, object, &text);
}

double train_field_number(const train_field *field, const void *object)
{
    double number;
    if (field->type == TRAIN_TEXT)
        return train_field_text(field, object) != NULL;
    if (field->type != TRAIN_DOUBLE)
        return (double)get_integer(field, object);
    get(field, object, &number);
    return number;
}

void train_field_set_number(const train_field *field, void *object, double number)
{
    if (field->type == TRAIN_DOUBLE)
        set(field, object, &number);
    else
        set_integer(field, object, (int64_t)number);
}

double train_field_high(const train_field *field)
{
    int last = 0;
    while (field->names && field->names(last + 1))
        last++;
    if (field->names)
        return field->first + last;
    if (field->low < field->high)
        return field->high;
    return field->type == TRAIN_DOUBLE ? HUGE_VAL : field->type == TRAIN_INT ? INT_MAX : TRAIN_MOST;
}

/* The word for the member's value; NULL if values have none, or this value has none. */
static const char *name_of_value(const train_field *field, const void *object)
{
    const int64_t index = field->names && field->type != TRAIN_TEXT ? get_integer(field, object) - field->first : -1;
    return index >= 0 && index <= INT_MAX ? field->names((int)index) : NULL;
}

void train_field_print(const train_field *field, const void *object, char *text, size_t size)
{
    const char *given = field->type == TRAIN_TEXT ? train_field_text(field, object) : NULL;
    const char *name = name_of_value(field, object);
    if (field->type == TRAIN_TEXT)
        snprintf(text, size, "%s", given ? given : "");
    else if (field->type == TRAIN_DOUBLE)
        data_number_print(train_field_number(field, object), text, size);
    else if (field->type == TRAIN_UINT64)
        snprintf(text, size, "%llu", (unsigned long long)get_integer(field, object));
    else if (field->type == TRAIN_BOOL)
        snprintf(text, size, "%s", get_integer(field, object) ? "true" : "false");
    else if (name)
        snprintf(text, size, "%s", name);
    else
        snprintf(text, size, "%lld", (long long)get_integer(field, object));
}

static bool read_number(const train_field *field, void *object, const char *text, char *expected, size_t size)
{
    const bool whole = field->type != TRAIN_DOUBLE, bounded = field->low < field->high;
    const double low = field->low, high = train_field_high(field);
    const char *end;
    const double number = ag_number_read(text, &end);
    if (end != text && !*end && isfinite(number) && number >= low && number <= high &&
        !(whole && number != floor(number))) {
        train_field_set_number(field, object, number != 0 ? number : field->none ? -1 : 0);
        return true;
    }
    if (bounded)
        ag_text_print(expected, size, "a %snumber from %.12g to %.12g", whole ? "whole " : "", low, high);
    else
        ag_text_print(expected, size, "a %snumber of %.12g or more", whole ? "whole " : "", low);
    return false;
}

/* Whether the text is one of the field's words; *index becomes its number. */
static bool read_choice(const train_field *field, const char *text, int *index, char *expected, size_t size)
{
    size_t used = (size_t)snprintf(expected, size, "one of");
    const char *choice;
    for (*index = 0; (choice = field->names(*index)); ++*index) {
        if (!strcmp(choice, text))
            return true;
        if (used < size)
            used += (size_t)snprintf(expected + used, size - used, "%s %s", *index ? "," : "", choice);
    }
    return false;
}

bool train_field_read(const train_field *field, void *object, const char *text, char *expected, size_t size)
{
    int index = 0;
    if (field->names && !read_choice(field, text, &index, expected, size))
        return false;
    if (field->type == TRAIN_TEXT) {
        snprintf(expected, size, "%s", field->value);
        if (!*text && strcmp(field->value, "TEXT")) /* files, folders and names are never empty */
            return false;
        train_field_set_text(field, object, text);
    } else if (field->names) {
        train_field_set_number(field, object, field->first + index);
    } else {
        return read_number(field, object, text, expected, size);
    }
    return true;
}

bool train_field_same(const train_field *field, const void *a, const void *b)
{
    if (field->type != TRAIN_TEXT)
        return !memcmp((const char *)a + field->offset, (const char *)b + field->offset, size_of(field));
    const char *x = train_field_text(field, a), *y = train_field_text(field, b);
    return x && y ? !strcmp(x, y) : x == y;
}

void train_field_copy(const train_field *field, void *to, const void *from)
{
    set(field, to, (const char *)from + field->offset);
}

/* ---- Metadata ---------------------------------------------------------------------- */

/* True where the text is the canonical one of some value, which is then in the object:
 * whatever else the text is, printing what was read from it gives another. */
static bool parse_field(const train_field *field, void *object, const char *text)
{
    char again[FIELD_TEXT];
    int i = 0;
    if (field->names) {
        while (field->names(i) && strcmp(field->names(i), text))
            i++;
        set_integer(field, object, field->first + i);
        return field->names(i) != NULL;
    }
    if (field->type == TRAIN_DOUBLE)
        train_field_set_number(field, object, ag_number_read(text, NULL));
    else if (field->type == TRAIN_BOOL)
        set_integer(field, object, !strcmp(text, "true"));
    else if (field->type == TRAIN_UINT64)
        set_integer(field, object, (int64_t)strtoull(text, NULL, 10));
    else
        set_integer(field, object, strtoll(text, NULL, 10));
    train_field_print(field, object, again, sizeof again);
    return !strcmp(text, again);
}

static const char *text_in_file(const train_field *field, const data_safetensors *file, const char *path,
                                ag_error *error)
{
    const char *text = data_safetensors_metadata(file, field->key);
    text = text ? text : field->absent;
    if (!text)
        ag_error_set(error, AG_BAD_FILE, "%s: the metadata \"%s\" is missing: this is no file of tapeformer", path,
                     field->key);
    return text;
}

ag_status train_fields_write(train_fields fields, const void *object, data_writer *writer, ag_error *error)
{
    const train_field *field;
    for (int i = 0; (field = fields(i)); i++) {
        char text[FIELD_TEXT];
        train_field_print(field, object, text, sizeof text);
        ag_status status = data_writer_metadata(writer, field->key, text, error);
        if (status != AG_OK)
            return status;
    }
    return AG_OK;
}

ag_status train_fields_read(train_fields fields, void *object, const data_safetensors *file, const char *path,
                            ag_error *error)
{
    const train_field *field;
    for (int i = 0; (field = fields(i)); i++) {
        const char *text = text_in_file(field, file, path, error);
        if (!text)
            return AG_BAD_FILE;
        if (!parse_field(field, object, text))
            return ag_error_set(error, AG_BAD_FILE, "%s: the metadata \"%s\" cannot be \"%.40s\"", path, field->key,
                                text);
    }
    return AG_OK;
}

void train_fields_take(train_fields fields, void *object, const void *from)
{
    const train_field *field;
    for (int i = 0; (field = fields(i)); i++)
        if (train_field_number(field, object) == 0)
            train_field_copy(field, object, from);
}

ag_status train_fields_agree(train_fields fields, const void *object, const data_safetensors *file, const char *path,
                             ag_error *error)
{
    const train_field *field;
    for (int i = 0; (field = fields(i)); i++) {
        if (field->changeable)
            continue;
        const char *text = text_in_file(field, file, path, error);
        if (!text)
            return AG_BAD_FILE;
        char wanted[FIELD_TEXT];
        train_field_print(field, object, wanted, sizeof wanted);
        if (strcmp(text, wanted))
            return ag_error_set(error, AG_BAD_VALUE,
                                "%s: %s was %.40s in this run and is %s now, so it cannot go on exactly", path,
                                field->key, text, wanted);
    }
    return AG_OK;
}
