/* fields.c - members of structs as text: see fields.h.
 *
 * Members are reached by offset through memcpy, so no pointer is ever of a wrong type. A
 * value's text is canonical, so two values are equal where their texts are.
 */
#include "fields.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIELD_TEXT 64 /* bytes that hold every value that is saved */

/* ---- Values --------------------------------------------------------------------------------- */

typedef union value {
    int i;
    int64_t i64;
    uint64_t u64;
    double d;
    bool b;
    const char *text;
} value;

static size_t size_of(const train_field *field)
{
    static const size_t sizes[] = {
        [TRAIN_INT] = sizeof(int),       [TRAIN_INT64] = sizeof(int64_t), [TRAIN_UINT64] = sizeof(uint64_t),
        [TRAIN_DOUBLE] = sizeof(double), [TRAIN_BOOL] = sizeof(bool),     [TRAIN_TEXT] = sizeof(const char *)};
    return sizes[field->type];
}

static value value_of(const train_field *field, const void *object)
{
    value v = {0};
    memcpy(&v, (const char *)object + field->offset, size_of(field));
    return v;
}

static void set_value(const train_field *field, void *object, value v)
{
    memcpy((char *)object + field->offset, &v, size_of(field));
}

double train_field_number(const train_field *field, const void *object)
{
    const value v = value_of(field, object);
    switch (field->type) {
    case TRAIN_INT:
        return v.i;
    case TRAIN_INT64:
        return (double)v.i64;
    case TRAIN_UINT64:
        return (double)v.u64;
    case TRAIN_DOUBLE:
        return v.d;
    case TRAIN_BOOL:
        return v.b;
    case TRAIN_TEXT:
        break;
    }
    return v.text != NULL;
}

void train_field_set_number(const train_field *field, void *object, double number)
{
    value v = {0};
    switch (field->type) {
    case TRAIN_INT:
        v.i = (int)number;
        break;
    case TRAIN_INT64:
        v.i64 = (int64_t)number;
        break;
    case TRAIN_UINT64:
        v.u64 = (uint64_t)number;
        break;
    case TRAIN_DOUBLE:
        v.d = number;
        break;
    case TRAIN_BOOL:
        v.b = number != 0;
        break;
    case TRAIN_TEXT:
        return;
    }
    set_value(field, object, v);
}

const char *train_field_text(const train_field *field, const void *object)
{
    return value_of(field, object).text;
}

void train_field_set_text(const train_field *field, void *object, const char *text)
{
    set_value(field, object, (value){.text = text});
}

void train_field_print(const train_field *field, const void *object, char *text, size_t size)
{
    const value v = value_of(field, object);
    switch (field->type) {
    case TRAIN_INT:
        if (field->names)
            snprintf(text, size, "%s", field->names(v.i - field->first));
        else
            snprintf(text, size, "%d", v.i);
        break;
    case TRAIN_INT64:
        snprintf(text, size, "%lld", (long long)v.i64);
        break;
    case TRAIN_UINT64:
        snprintf(text, size, "%llu", (unsigned long long)v.u64);
        break;
    case TRAIN_DOUBLE:
        data_number_print(v.d, text, size);
        break;
    case TRAIN_BOOL:
        snprintf(text, size, "%s", v.b ? "true" : "false");
        break;
    case TRAIN_TEXT:
        snprintf(text, size, "%s", v.text ? v.text : "");
        break;
    }
}

bool train_field_same(const train_field *field, const void *a, const void *b)
{
    const value x = value_of(field, a), y = value_of(field, b);
    if (field->type == TRAIN_TEXT)
        return x.text && y.text ? !strcmp(x.text, y.text) : x.text == y.text;
    return field->type == TRAIN_DOUBLE ? x.d == y.d : !memcmp(&x, &y, size_of(field));
}

void train_field_copy(const train_field *field, void *to, const void *from)
{
    set_value(field, to, value_of(field, from));
}

void train_field_clear(const train_field *field, void *object)
{
    set_value(field, object, (value){0});
}

/* ---- Metadata ------------------------------------------------------------------------------- */

/* True where the text is the canonical one of some value, which is then in the object:
 * whatever else the text is, printing what was read from it gives another. */
static bool parse_field(const train_field *field, void *object, const char *text)
{
    value v = {0};
    switch (field->type) {
    case TRAIN_INT:
        if (!field->names) {
            v.i = (int)strtoll(text, NULL, 10);
            break;
        }
        while (field->names(v.i) && strcmp(field->names(v.i), text))
            v.i++;
        if (!field->names(v.i))
            return false;
        v.i += field->first;
        break;
    case TRAIN_INT64:
        v.i64 = strtoll(text, NULL, 10);
        break;
    case TRAIN_UINT64:
        v.u64 = strtoull(text, NULL, 10);
        break;
    case TRAIN_DOUBLE:
        v.d = ag_number_read(text, NULL);
        break;
    case TRAIN_BOOL:
        v.b = !strcmp(text, "true");
        break;
    case TRAIN_TEXT: /* not saved: pointers do not outlive the process */
        return false;
    }
    set_value(field, object, v);
    char again[FIELD_TEXT];
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
