/* npy.c - arrays as NumPy saves them (numpy.lib.format, versions 1.0 to 3.0).
 *
 * A file is 6 bytes of magic, 2 of version, the header's length (2 bytes little-endian in
 * version 1.0, 4 later), the header, which is a Python dictionary as text, and the
 * numbers:
 *
 *     {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }
 *
 * The header and the numbers must lie within the file before memory is allocated for
 * them. Where the format leaves room:
 *   - the three keys may come in any order, in either kind of quotes, with or without the
 *     last comma; a duplicate key is refused, and so are escapes in strings;
 *   - sizes may end in the L of Python 2, as in NumPy's reader;
 *   - a dtype without a byte order, or with '=' or '|', is in that of this machine, as in
 *     NumPy's reader;
 *   - what follows the array is ignored: a file may hold several.
 */
#include "files.h"
#include "mapped_file.h"
#include "safetensors.h"
#include "quote.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAGIC "\x93NUMPY"
enum {
    VERSION_AT = 6, /* after the magic */
    LENGTH_AT = 8,
    ALIGNMENT = 64, /* of the numbers in the files that we write */
};

/* One reading of one file. */
typedef struct npy_reader {
    data_array *array;
    const char *text; /* the header [size] */
    size_t size, at;
    const data_dtype *dtype;
    bool big_endian, columns_first; /* the order of bytes and of axes */
    char path[SHOWN_PATH];
    ag_error *error;
} npy_reader;

static bool little_endian_host(void)
{
    const uint16_t one = 1;
    unsigned char first;
    memcpy(&first, &one, 1);
    return first == 1;
}

/* ---- The header's text ------------------------------------------------------------- */

static char peek(npy_reader *r)
{
    static const char spaces[] = " \t\n\r\f";
    while (r->at < r->size && r->text[r->at] && strchr(spaces, r->text[r->at]))
        r->at++;
    return r->at < r->size ? r->text[r->at] : '\0';
}

static bool take(npy_reader *r, char wanted)
{
    if (peek(r) != wanted || r->at == r->size)
        return false;
    r->at++;
    return true;
}

static bool expected(const npy_reader *r, const char *what)
{
    return data_refuse(r->error, r->path, "bad header at its byte %zu: %s was expected", r->at, what);
}

/* Reads a string in either kind of quotes. One too long for `out` [size] is cut: it is an
 * unknown one. */
static bool read_string(npy_reader *r, char *out, size_t size)
{
    const char quote = peek(r);
    size_t length = 0;
    if (quote != '\'' && quote != '"')
        return expected(r, "a string");
    for (r->at++; r->at < r->size && r->text[r->at] != quote; r->at++) {
        const char c = r->text[r->at];
        if (c < ' ' || c > '~' || c == '\\')
            return expected(r, "a plain character");
        if (length + 1 < size)
            out[length++] = c;
    }
    out[length] = '\0';
    return take(r, quote) || expected(r, "the end of a string");
}

static bool read_size(npy_reader *r, int64_t *size)
{
    const char first = peek(r);
    const size_t start = r->at;
    *size = 0;
    for (; r->at < r->size && r->text[r->at] >= '0' && r->text[r->at] <= '9'; r->at++) {
        const int digit = r->text[r->at] - '0';
        if (*size > (INT64_MAX - digit) / 10)
            return data_refuse(r->error, r->path, "an axis of its shape is above 2^63 - 1");
        *size = *size * 10 + digit;
    }
    if (r->at == start || (first == '0' && r->at > start + 1))
        return expected(r, "a whole number");
    if (r->at < r->size && r->text[r->at] == 'L')
        r->at++;
    return true;
}

/* ---- The three entries ------------------------------------------------------------- */

/* A dtype without its byte order, and the same type in .safetensors files. */
static const char *const TYPES[][2] = {{"b1", "BOOL"}, {"i1", "I8"},  {"i2", "I16"}, {"i4", "I32"},
                                       {"i8", "I64"},  {"u1", "U8"},  {"u2", "U16"}, {"u4", "U32"},
                                       {"u8", "U64"},  {"f2", "F16"}, {"f4", "F32"}, {"f8", "F64"}};

/* The element types that are not numbers, by the first letter of their dtypes. */
static const struct {
    const char *letters, *elements;
} STRANGE[] = {{"O", "Python objects, which nothing but Python can read"},
               {"c", "complex numbers"},
               {"USa", "texts"},
               {"V", "records or raw bytes"},
               {"Mm", "times"}};

static bool read_type(npy_reader *r)
{
    char text[16] = "";
    if (peek(r) == '[' || peek(r) == '(')
        return data_refuse(r->error, r->path, "its elements are records (a structured dtype), and numbers are needed");
    if (!read_string(r, text, sizeof text))
        return false;
    const bool ordered = *text && strchr("<>=|", *text);
    const char *type = text + ordered;
    r->big_endian = *text == '>' || (*text != '<' && !little_endian_host());
    for (size_t i = 0; i < sizeof TYPES / sizeof *TYPES; i++)
        if (!strcmp(type, TYPES[i][0]))
            r->dtype = data_dtype_find(TYPES[i][1]);
    for (size_t i = 0; i < sizeof STRANGE / sizeof *STRANGE && !r->dtype; i++)
        if (*type && strchr(STRANGE[i].letters, *type))
            return data_refuse(r->error, r->path, "its elements are %s (dtype '%s'), and numbers are needed",
                               STRANGE[i].elements, text);
    return r->dtype || data_refuse(r->error, r->path, "its dtype '%s' is unknown here", text);
}

static bool read_order(npy_reader *r)
{
    peek(r);
    const char *rest = r->text + r->at;
    const size_t left = r->size - r->at;
    r->columns_first = left >= 4 && !memcmp(rest, "True", 4);
    if (!r->columns_first && !(left >= 5 && !memcmp(rest, "False", 5)))
        return expected(r, "True or False");
    r->at += r->columns_first ? 4 : 5;
    return true;
}

/* A tuple: (), (3,), (2, 3), (2, 3,). */
static bool read_shape(npy_reader *r)
{
    data_array *array = r->array;
    bool comma = true;
    if (!take(r, '('))
        return expected(r, "a tuple such as (2, 3)");
    while (!take(r, ')')) {
        if (!comma)
            return expected(r, "',' or ')'");
        if (array->ndim == DATA_ARRAY_DIMS)
            return data_refuse(r->error, r->path, "its shape has more than %d axes", DATA_ARRAY_DIMS);
        if (!read_size(r, &array->dim[array->ndim++]))
            return false;
        comma = take(r, ',');
    }
    if (array->ndim == 1 && !comma)
        return data_refuse(r->error, r->path, "its shape (%lld) is not a tuple: (%lld,) would be",
                           (long long)array->dim[0], (long long)array->dim[0]);
    return true;
}

static bool read_dictionary(npy_reader *r)
{
    static const struct entry {
        const char *key;
        bool (*read)(npy_reader *r);
    } entries[] = {{"descr", read_type}, {"fortran_order", read_order}, {"shape", read_shape}};
    bool seen[3] = {false}, comma = true;
    if (!take(r, '{'))
        return expected(r, "a dictionary");
    while (!take(r, '}')) {
        char key[32] = "";
        int e = 0;
        if (!comma)
            return expected(r, "',' or '}'");
        if (!read_string(r, key, sizeof key))
            return false;
        while (e < 3 && strcmp(entries[e].key, key) != 0)
            e++;
        if (e == 3 || seen[e])
            return data_refuse(r->error, r->path, "its header has the key '%s'%s", key,
                               e == 3 ? ", which is unknown" : " twice");
        seen[e] = true;
        if (!take(r, ':'))
            return expected(r, "':'");
        if (!entries[e].read(r))
            return false;
        comma = take(r, ',');
    }
    for (int e = 0; e < 3; e++)
        if (!seen[e])
            return data_refuse(r->error, r->path, "its header has no key '%s'", entries[e].key);
    peek(r);
    return r->at == r->size || expected(r, "nothing more");
}

/* ---- The numbers ------------------------------------------------------------------- */

/* Converts element number `i` of the file. */
static bool load_number(const npy_reader *r, const unsigned char *numbers, int64_t i, ag_real *value)
{
    const size_t bytes = r->dtype->bits / 8;
    const unsigned char *element = numbers + (size_t)i * bytes;
    unsigned char turned[8];
    for (size_t b = 0; b < bytes; b++)
        turned[b] = element[r->big_endian ? bytes - 1 - b : b];
    *value = r->dtype->load(turned, (int)bytes);
    if (!data_dtype_overflows(r->dtype, turned, *value))
        return true;
    return data_refuse(r->error, r->path,
                       "its number %lld is beyond the range of F32: the library built with PRECISION=double reads it",
                       (long long)i);
}

/* In the file the first axis varies fastest: `index` counts in that order, and `place` is
 * where the element belongs. */
static bool load_columns_first(const npy_reader *r, const unsigned char *numbers)
{
    const data_array *array = r->array;
    int64_t stride[DATA_ARRAY_DIMS] = {0}, index[DATA_ARRAY_DIMS] = {0}, place = 0;
    for (int axis = array->ndim - 1; axis >= 0 && array->size > 0; axis--)
        stride[axis] = axis == array->ndim - 1 ? 1 : stride[axis + 1] * array->dim[axis + 1];
    for (int64_t i = 0; i < array->size; i++) {
        if (!load_number(r, numbers, i, &array->values[place]))
            return false;
        for (int axis = 0; axis < array->ndim; axis++) {
            place += stride[axis];
            if (++index[axis] < array->dim[axis])
                break;
            place -= index[axis] * stride[axis];
            index[axis] = 0;
        }
    }
    return true;
}

/* Reads the numbers that the header announces from the `left` bytes after it. */
static bool read_numbers(npy_reader *r, const unsigned char *numbers, size_t left)
{
    data_array *array = r->array;
    const size_t bytes = r->dtype->bits / 8;
    uint64_t shape[DATA_ARRAY_DIMS], size;
    for (int axis = 0; axis < array->ndim; axis++)
        shape[axis] = (uint64_t)array->dim[axis];
    if (!data_shape_elements(array->ndim, shape, &size) || size > (uint64_t)INT64_MAX / sizeof(ag_real))
        return data_refuse(r->error, r->path, "its shape has more elements than memory can hold");
    if (size > left / bytes)
        return data_refuse(r->error, r->path, "its %llu %s of %zu %s %s not all there: %zu %s the header",
                           (unsigned long long)size, ag_plural((int64_t)size, "number", "numbers"), bytes,
                           ag_plural((int64_t)bytes, "byte", "bytes"), ag_plural((int64_t)size, "is", "are"), left,
                           ag_plural((int64_t)left, "byte follows", "bytes follow"));
    array->size = (int64_t)size;
    array->values = size <= SIZE_MAX / sizeof(ag_real) ? malloc(size > 0 ? (size_t)size * sizeof(ag_real) : 1) : NULL;
    if (!array->values) {
        ag_error_set(r->error, AG_NO_MEMORY, "%s: not enough memory for its %llu %s", r->path, (unsigned long long)size,
                     ag_plural((int64_t)size, "number", "numbers"));
        return false;
    }
    if (r->columns_first)
        return load_columns_first(r, numbers);
    for (int64_t i = 0; i < array->size; i++)
        if (!load_number(r, numbers, i, &array->values[i]))
            return false;
    return true;
}

/* ---- Reading ----------------------------------------------------------------------- */

static bool read_file(npy_reader *r, const data_map *map)
{
    const unsigned char *bytes = map->bytes;
    if (map->size < VERSION_AT + 2 || memcmp(bytes, MAGIC, VERSION_AT) != 0)
        return data_refuse(r->error, r->path, "this is no .npy file");
    const int major = bytes[VERSION_AT], minor = bytes[VERSION_AT + 1];
    if (major < 1 || major > 3 || minor != 0)
        return data_refuse(r->error, r->path, "it is of version %d.%d, and 1.0, 2.0 and 3.0 are known", major, minor);

    const size_t header_at = LENGTH_AT + (major == 1 ? 2 : 4);
    uint64_t length = 0;
    if (map->size < header_at)
        return data_refuse(r->error, r->path, "its header is not all there: the file is cut short");
    for (size_t at = header_at; at > LENGTH_AT; at--)
        length = length << 8 | bytes[at - 1];
    if (length > map->size - header_at)
        return data_refuse(r->error, r->path, "its header is not all there: the file is cut short");
    r->text = (const char *)bytes + header_at;
    r->size = (size_t)length;
    return read_dictionary(r) && read_numbers(r, bytes + header_at + r->size, map->size - header_at - r->size);
}

ag_status data_npy_read(data_array *array, const char *path, ag_error *error)
{
    ag_error own = {0}; /* the caller's may be NULL */
    data_map map = {0};
    npy_reader r = {.array = array, .error = &own};
    *array = (data_array){0};
    ag_text_show(path, r.path, sizeof r.path);
    if (data_map_open(&map, path, &own) == AG_OK)
        read_file(&r, &map);
    data_map_close(&map);
    if (own.status == AG_OK)
        return AG_OK;
    data_array_clear(array);
    return ag_error_set(error, own.status, "%s", own.message);
}

void data_array_clear(data_array *array)
{
    free(array->values);
    *array = (data_array){0};
}

/* ---- Writing ----------------------------------------------------------------------- */

/* Writes magic, version 1.0, length and text of the header as NumPy does, and returns the
 * size: with room for the first axis to grow, and with 1 to 64 spaces, so that the line
 * feed ends at a multiple of 64. */
static size_t make_header(const data_array *array, char header[2048])
{
    enum { MOST_DIGITS = 21, BEGIN = LENGTH_AT + 2 };
    char *end = header + BEGIN;
    int room = 0;
    end += sprintf(end, "{'descr': '%s', 'fortran_order': False, 'shape': (", sizeof(ag_real) == 8 ? "<f8" : "<f4");
    for (int axis = 0; axis < array->ndim; axis++) {
        int digits = sprintf(end, "%lld", (long long)array->dim[axis]);
        end += digits;
        end += sprintf(end, "%s", axis + 1 < array->ndim ? ", " : array->ndim == 1 ? "," : "");
        room = axis == 0 ? MOST_DIGITS - digits : room;
    }
    end += sprintf(end, "), }%*s", room, "");
    size_t size = (size_t)(end - header) + 1, padding = ALIGNMENT - size % ALIGNMENT;
    memset(end, ' ', padding);
    end[padding] = '\n';
    size += padding;
    memcpy(header, MAGIC "\1\0", LENGTH_AT);
    header[LENGTH_AT] = (char)((size - BEGIN) & 0xFF);
    header[LENGTH_AT + 1] = (char)((size - BEGIN) >> 8);
    return size;
}

static void put_numbers(data_output *output, const ag_real *values, int64_t count)
{
    const size_t turn = little_endian_host() ? 0 : sizeof(ag_real) - 1; /* i ^ turn mirrors i within an element */
    unsigned char piece[512 * sizeof(ag_real)];
    for (int64_t at = 0, part; at < count; at += part) {
        part = count - at < 512 ? count - at : 512;
        const unsigned char *bytes = (const unsigned char *)(values + at);
        const size_t size = (size_t)part * sizeof(ag_real);
        for (size_t i = 0; i < size; i++)
            piece[i] = bytes[i ^ turn];
        data_output_put(output, piece, size);
    }
}

ag_status data_npy_write(const data_array *array, const char *path, ag_error *error)
{
    char header[2048], shown[SHOWN_PATH];
    uint64_t shape[DATA_ARRAY_DIMS], size = 0;
    bool good = array->ndim >= 0 && array->ndim <= DATA_ARRAY_DIMS;
    for (int axis = 0; good && axis < array->ndim; axis++) {
        good = array->dim[axis] >= 0;
        shape[axis] = (uint64_t)array->dim[axis];
    }
    if (!good || !data_shape_elements(array->ndim, shape, &size) || array->size < 0 || size != (uint64_t)array->size)
        return ag_error_set(error, AG_BAD_SHAPE, "cannot write %s: an array of this shape does not have %lld %s",
                            ag_text_show(path, shown, sizeof shown), (long long)array->size,
                            ag_plural(array->size, "number", "numbers"));
    data_output *output;
    ag_status status = data_output_open(&output, path, error);
    if (status != AG_OK)
        return status;
    data_output_put(output, header, make_header(array, header));
    put_numbers(output, array->values, array->size);
    return data_output_finish(output, error);
}
