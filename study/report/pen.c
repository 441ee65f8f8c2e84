/* pen.c - see pen.h. */
#include "pen.h"

#include "files.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum {
    FIRST_CAPACITY = 1024,
    NUMBER_SIZE = 400 /* %.9f of the largest double has 309 digits before the point */
};

/* Makes room for `count` more bytes and the final zero. */
static bool make_room(pen *p, size_t count)
{
    if (p->failed)
        return false;
    if (count < p->capacity - p->length)
        return true;
    size_t capacity = p->capacity ? p->capacity : FIRST_CAPACITY;
    while (capacity - p->length <= count && capacity <= SIZE_MAX / 2)
        capacity *= 2;
    char *text = capacity - p->length > count ? realloc(p->text, capacity) : NULL;
    if (!text) {
        p->failed = true;
        return false;
    }
    p->text = text;
    p->capacity = capacity;
    return true;
}

void pen_put_bytes(pen *p, const char *bytes, size_t count)
{
    if (!make_room(p, count))
        return;
    if (count)
        memcpy(p->text + p->length, bytes, count);
    p->length += count;
    p->text[p->length] = 0;
}

void pen_put(pen *p, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int length = ag_text_print_list(NULL, 0, format, arguments);
    if (length < 0)
        p->failed = true;
    else if (make_room(p, (size_t)length))
        p->length += (size_t)ag_text_print_list(p->text + p->length, (size_t)length + 1, format, again);
    va_end(again);
    va_end(arguments);
}

/* ---- Numbers ----------------------------------------------------------------------- */

static bool put_not_finite(pen *p, double value)
{
    if (!isfinite(value))
        pen_put(p, "%s", isnan(value) ? "NaN" : value > 0 ? "infinity" : "-infinity");
    return !isfinite(value);
}

void pen_put_number(pen *p, double value, int digits)
{
    if (!put_not_finite(p, value))
        pen_put(p, "%.*g", digits, value == 0 ? 0 : value); /* (no "-0") */
}

void pen_put_fixed(pen *p, double value, int decimals)
{
    char text[NUMBER_SIZE];
    if (put_not_finite(p, value))
        return;
    int length = ag_text_print(text, sizeof text, "%.*f", decimals, value);
    if (strchr(text, '.')) {
        while (text[length - 1] == '0')
            length--;
        length -= text[length - 1] == '.';
    }
    if (length == 2 && text[0] == '-' && text[1] == '0')
        pen_put(p, "0");
    else
        pen_put_bytes(p, text, (size_t)length);
}

void pen_put_fixed_all(pen *p, const char *form, int decimals, const double *values)
{
    for (const char *at; (at = strchr(form, '@')); form = at + 1) {
        pen_put_bytes(p, form, (size_t)(at - form));
        pen_put_fixed(p, *values++, decimals);
    }
    pen_put_bytes(p, form, strlen(form));
}

/* ---- Foreign text ------------------------------------------------------------------ */

/* The entity of a character that has a meaning to HTML; NULL for any other. */
static const char *entity_of(char byte)
{
    static const char special[] = "&<>\"'";
    static const char *const entities[] = {"&amp;", "&lt;", "&gt;", "&quot;", "&#39;"};
    const char *found = strchr(special, byte);
    return found && byte ? entities[found - special] : NULL;
}

void pen_put_escaped(pen *p, const char *text)
{
    size_t left = text ? strlen(text) : 0;
    while (left > 0) {
        const char *entity = entity_of(*text);
        char shown[5] = {*text};
        uint32_t code;
        int length = ag_text_show_next(text, left, &code), size = 1;
        if (*text != '\t' && *text != '\n') /* (white space to a page) */
            size = ag_utf8_print(code, shown);
        if (entity)
            pen_put_bytes(p, entity, strlen(entity));
        else
            pen_put_bytes(p, shown, (size_t)size);
        text += length;
        left -= (size_t)length;
    }
}

void pen_put_between(pen *p, const char *before, const char *text, const char *after)
{
    pen_put(p, "%s", before);
    pen_put_escaped(p, text);
    pen_put(p, "%s", after);
}

/* ---- The whole text ---------------------------------------------------------------- */

const char *pen_text(const pen *p)
{
    return p->text ? p->text : "";
}

void pen_discard(pen *p, pen *scratch)
{
    p->failed |= scratch->failed;
    free(scratch->text);
    *scratch = (pen){0};
}

ag_status pen_save(const pen *p, const char *path, const char *what, ag_error *error)
{
    if (p->failed)
        return ag_error_set(error, AG_NO_MEMORY, "out of memory for %s", what);
    data_output *output;
    ag_status status = data_output_open(&output, path, error);
    if (status != AG_OK)
        return status;
    data_output_put(output, p->text, p->length);
    return data_output_finish(output, error);
}
