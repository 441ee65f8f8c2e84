/* json_write.c - objects of JSON (RFC 8259) on one line, valid for all numbers and
 * texts. */
#include "json_write.h"

#include "files.h"
#include "grow.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

size_t data_json_escape(char byte, char escape[8])
{
    static const char letters[] = "\"\\bfnrt", meanings[] = "\"\\\b\f\n\r\t";
    const char *meaning = byte ? strchr(meanings, byte) : NULL;
    if (meaning)
        return (size_t)snprintf(escape, 8, "\\%c", letters[meaning - meanings]);
    if ((unsigned char)byte < 0x20)
        return (size_t)snprintf(escape, 8, "\\u%04x", (unsigned)byte);
    *escape = byte;
    return 1;
}

/* Whether there is room for `size` bytes and the final zero, which a text that grows
 * makes. */
static bool has_room(data_json_object *object, size_t size)
{
    if (!object->failed && object->grows && !data_grow(object->text, object->length + size + 1, &object->size))
        object->failed = true;
    return !object->failed && size < object->size - object->length;
}

/* Appends bytes and keeps room for the final zero. */
static void put_bytes(data_json_object *object, const char *bytes, size_t size)
{
    object->failed = !has_room(object, size);
    if (object->failed)
        return;
    memcpy(object->text + object->length, bytes, size);
    object->length += size;
    object->text[object->length] = 0;
}

static void put_words(data_json_object *object, const char *words)
{
    put_bytes(object, words, strlen(words));
}

/* Bytes that are not UTF-8 become U+FFFD. */
static void put_string(data_json_object *object, const char *text, size_t left)
{
    put_words(object, "\"");
    while (left > 0) {
        char escape[8];
        int length = ag_utf8_length(text, left);
        if (length == 0)
            put_words(object, "\xEF\xBF\xBD");
        else if (length == 1)
            put_bytes(object, escape, data_json_escape(*text, escape));
        else
            put_bytes(object, text, (size_t)length);
        text += length ? length : 1;
        left -= length ? (size_t)length : 1;
    }
    put_words(object, "\"");
}

/* Begins a member: writes the opening brace of the whole or a comma, and the key. */
static void put_key(data_json_object *object, const char *key)
{
    if (object->members++)
        put_words(object, ",");
    else if (!object->depth)
        put_words(object, "{");
    put_words(object, object->members > 1 ? object->gap : "");
    if (!key)
        return;
    put_string(object, key, strlen(key));
    put_words(object, ":");
    put_words(object, object->gap);
}

data_json_object data_json_object_start(char *text, size_t size, const char *gap)
{
    data_json_object object = {.text = text, .size = size, .gap = gap, .failed = size == 0};
    if (size > 0)
        *text = 0;
    return object;
}

data_json_object data_json_object_grow(const char *gap)
{
    return (data_json_object){.gap = gap, .grows = true};
}

void data_json_open(data_json_object *object, const char *key, char bracket)
{
    put_key(object, key);
    put_bytes(object, &bracket, 1);
    object->depth++;
    object->members = 0;
}

void data_json_close(data_json_object *object, char bracket)
{
    put_words(object, bracket == '{' ? "}" : "]");
    object->depth--;
    object->members = 1; /* what was closed is a member of what is open now */
}

void data_json_put_text(data_json_object *object, const char *key, const char *value)
{
    data_json_put_bytes(object, key, value, strlen(value));
}

void data_json_put_bytes(data_json_object *object, const char *key, const char *value, size_t size)
{
    put_key(object, key);
    put_string(object, value, size);
}

void data_json_put_bool(data_json_object *object, const char *key, bool value)
{
    put_key(object, key);
    put_words(object, value ? "true" : "false");
}

void data_json_put_integer(data_json_object *object, const char *key, int64_t value)
{
    char digits[24];
    put_key(object, key);
    snprintf(digits, sizeof digits, "%lld", (long long)value);
    put_words(object, digits);
}

void data_json_put_number(data_json_object *object, const char *key, double value, int digits)
{
    char text[64];
    put_key(object, key);
    if (isfinite(value)) {
        digits = digits < 1 ? 1 : digits > 17 ? 17 : digits; /* a negative number would be
                                                              * part of the format */
        ag_text_print(text, sizeof text, "%.*g", digits, value);
        put_words(object, text);
        return;
    }
    put_words(object, "null");
    if (!key)
        return;
    snprintf(text, sizeof text, "%.60s_is", key);
    data_json_put_text(object, text, isnan(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity");
}

bool data_json_object_end(data_json_object *object)
{
    put_words(object, object->members ? "}" : "{}");
    return !object->failed;
}
