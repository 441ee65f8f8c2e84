/* fields.c - structs as lines of text: see fields.h.
 *
 * Members are reached by offset through memcpy, so no pointer is ever of a wrong type.
 */
#include "fields.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIELD_TEXT 64 /* bytes that hold every value */

static int64_t integer_of(const train_field *field, const void *object)
{
    const char *member = (const char *)object + field->offset;
    if (field->size == sizeof(int64_t)) {
        int64_t value;
        memcpy(&value, member, sizeof value);
        return value;
    }
    int value;
    memcpy(&value, member, sizeof value);
    return value;
}

/* A number that the member cannot hold becomes another one, which parse_field sees. */
static void set_integer(const train_field *field, void *object, int64_t value)
{
    char *member = (char *)object + field->offset;
    int narrow = (int)value;
    if (field->size == sizeof value)
        memcpy(member, &value, sizeof value);
    else
        memcpy(member, &narrow, sizeof narrow);
}

static void print_field(const train_field *field, const void *object, char text[FIELD_TEXT])
{
    const char *member = (const char *)object + field->offset;
    switch (field->type) {
    case TRAIN_FIELD_INTEGER:
        snprintf(text, FIELD_TEXT, "%lld", (long long)integer_of(field, object));
        break;
    case TRAIN_FIELD_SEED: {
        uint64_t value;
        memcpy(&value, member, sizeof value);
        snprintf(text, FIELD_TEXT, "%llu", (unsigned long long)value);
        break;
    }
    case TRAIN_FIELD_DOUBLE: {
        double value;
        memcpy(&value, member, sizeof value);
        data_number_print(value, text, FIELD_TEXT);
        break;
    }
    case TRAIN_FIELD_BOOL: {
        bool value;
        memcpy(&value, member, sizeof value);
        snprintf(text, FIELD_TEXT, "%s", value ? "true" : "false");
        break;
    }
    case TRAIN_FIELD_CHOICE:
        snprintf(text, FIELD_TEXT, "%s", field->choices[integer_of(field, object) - field->first]);
        break;
    }
}

/* True where the text is the canonical one of some value, which is then in the object: whatever else the text is,
 * printing what was read from it gives another. */
static bool parse_field(const train_field *field, void *object, const char *text)
{
    char *member = (char *)object + field->offset;
    switch (field->type) {
    case TRAIN_FIELD_INTEGER: {
        set_integer(field, object, strtoll(text, NULL, 10));
        break;
    }
    case TRAIN_FIELD_SEED: {
        uint64_t value = strtoull(text, NULL, 10);
        memcpy(member, &value, sizeof value);
        break;
    }
    case TRAIN_FIELD_DOUBLE: {
        double value = ag_number_read(text, NULL);
        memcpy(member, &value, sizeof value);
        break;
    }
    case TRAIN_FIELD_BOOL: {
        bool value = !strcmp(text, "true");
        memcpy(member, &value, sizeof value);
        break;
    }
    case TRAIN_FIELD_CHOICE: {
        int value = 0;
        while (field->choices[value] && strcmp(field->choices[value], text))
            value++;
        if (!field->choices[value])
            return false;
        set_integer(field, object, field->first + value);
        break;
    }
    }
    char again[FIELD_TEXT];
    print_field(field, object, again);
    return !strcmp(text, again);
}

static const char *text_in_file(const train_field *field, const data_safetensors *file, const char *path,
                                ag_error *error)
{
    const char *text = data_safetensors_metadata(file, field->name);
    text = text ? text : field->absent;
    if (!text)
        ag_error_set(error, AG_BAD_FILE, "%s: the metadata \"%s\" is missing: this is no file of tapeformer", path,
                     field->name);
    return text;
}

ag_status train_fields_write(const train_field *fields, int count, const void *object, data_writer *writer,
                             ag_error *error)
{
    for (int i = 0; i < count; i++) {
        char text[FIELD_TEXT];
        print_field(&fields[i], object, text);
        ag_status status = data_writer_metadata(writer, fields[i].name, text, error);
        if (status != AG_OK)
            return status;
    }
    return AG_OK;
}

ag_status train_fields_read(const train_field *fields, int count, void *object, const data_safetensors *file,
                            const char *path, ag_error *error)
{
    for (int i = 0; i < count; i++) {
        const char *text = text_in_file(&fields[i], file, path, error);
        if (!text)
            return AG_BAD_FILE;
        if (!parse_field(&fields[i], object, text))
            return ag_error_set(error, AG_BAD_FILE, "%s: the metadata \"%s\" cannot be \"%.40s\"", path, fields[i].name,
                                text);
    }
    return AG_OK;
}

void train_fields_take(const train_field *fields, int count, void *object, const void *from)
{
    static const char zero[sizeof(int64_t)];
    for (int i = 0; i < count; i++) {
        char *member = (char *)object + fields[i].offset;
        if (!memcmp(member, zero, fields[i].size))
            memcpy(member, (const char *)from + fields[i].offset, fields[i].size);
    }
}

ag_status train_fields_agree(const train_field *fields, int count, const void *object, const data_safetensors *file,
                             const char *path, ag_error *error)
{
    for (int i = 0; i < count; i++) {
        const char *text = text_in_file(&fields[i], file, path, error);
        if (!text)
            return AG_BAD_FILE;
        char wanted[FIELD_TEXT];
        print_field(&fields[i], object, wanted);
        if (strcmp(text, wanted))
            return ag_error_set(error, AG_BAD_VALUE,
                                "%s: %s was %.40s in this run and is %s now, so it cannot go on exactly", path,
                                fields[i].name, text, wanted);
    }
    return AG_OK;
}
