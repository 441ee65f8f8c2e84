/* safetensors_write.c - the writer of .safetensors files.
 *
 * The bytes depend on the content alone and are those of the format's reference writer:
 * metadata first (by key), tensors by descending alignment of their dtype and then by
 * name, compact JSON, and spaces until the header's length is a multiple of 8, which
 * aligns the data. The reference writes no checksum; files for other programs have none
 * either.
 *
 * The file is written in one pass with zeros for the checksum, which is filled in at the
 * end.
 */
#include "files.h"
#include "grow.h"
#include "json_write.h"
#include "safetensors.h"
#include "quote.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct tensor_note {
    char *name; /* one allocation with the shape before it */
    const data_dtype *dtype;
    int rank;
    uint64_t *shape;
    const unsigned char *data;
    uint64_t size;
} tensor_note;

typedef struct metadata_note {
    char *key, *value; /* one allocation */
} metadata_note;

struct data_writer {
    tensor_note *tensors;
    size_t tensor_count, tensor_capacity;
    metadata_note *metadata;
    size_t metadata_count, metadata_capacity;
    bool no_checksum, checksum_is_noted; /* the latter: among the metadata, by a save */
};

/* ---- Noting what to write ---------------------------------------------------------- */

void data_writer_free(data_writer *writer)
{
    if (!writer)
        return;
    for (size_t i = 0; i < writer->tensor_count; i++)
        free(writer->tensors[i].shape);
    for (size_t i = 0; i < writer->metadata_count; i++)
        free(writer->metadata[i].key);
    free(writer->tensors);
    free(writer->metadata);
    free(writer);
}

static bool is_utf8(const char *text)
{
    size_t size = strlen(text);
    return data_utf8_check(text, size) == size;
}

ag_status data_writer_add(data_writer *writer, const char *name, const char *dtype, int rank, const uint64_t *shape,
                          const void *data, ag_error *error)
{
    tensor_note note = {.dtype = data_dtype_find(dtype), .rank = rank, .data = data};
    if (!is_utf8(name) || !strcmp(name, SAFETENSORS_METADATA))
        return ag_error_set(error, AG_BAD_VALUE, "'%s' cannot be a tensor's name in a .safetensors file",
                            DATA_SHOW(name));
    if (!note.dtype)
        return ag_error_set(error, AG_BAD_VALUE, "tensor '%s' has the dtype '%s', which the format does not know",
                            DATA_SHOW(name), DATA_SHOW(dtype));
    if (rank < 0)
        return ag_error_set(error, AG_BAD_SHAPE, "tensor '%s' has the rank %d", DATA_SHOW(name), rank);
    const char *problem = data_dtype_size(note.dtype, rank, shape, &note.size);
    if (problem)
        return ag_error_set(error, AG_BAD_SHAPE, "tensor '%s' %s", DATA_SHOW(name), problem);
    if (note.size > SIZE_MAX || (note.size > 0 && !data))
        return ag_error_set(error, AG_BAD_VALUE, "tensor '%s' has no data", DATA_SHOW(name));

    size_t name_size = strlen(name) + 1, shape_size = (size_t)rank * sizeof *shape;
    if (data_grow(writer->tensors, writer->tensor_count, &writer->tensor_capacity))
        note.shape = malloc(shape_size + name_size);
    if (!note.shape)
        return ag_error_set(error, AG_NO_MEMORY, "not enough memory to note tensor '%s'", DATA_SHOW(name));
    note.name = (char *)note.shape + shape_size;
    if (rank > 0)
        memcpy(note.shape, shape, shape_size);
    memcpy(note.name, name, name_size);
    writer->tensors[writer->tensor_count++] = note;
    return AG_OK;
}

ag_status data_writer_add_real(data_writer *writer, const char *name, ag_shape shape, const ag_real *values,
                               ag_error *error)
{
    uint64_t sizes[AG_MAX_DIMS] = {0};
    for (int axis = 0; axis < shape.ndim; axis++)
        sizes[axis] = (uint64_t)shape.dim[axis];
    return data_writer_add(writer, name, data_real_dtype, shape.ndim, sizes, values, error);
}

static ag_status note_metadata(data_writer *writer, const char *key, const char *value, ag_error *error)
{
    size_t key_size = strlen(key) + 1, value_size = strlen(value) + 1;
    metadata_note note = {NULL, NULL};
    if (data_grow(writer->metadata, writer->metadata_count, &writer->metadata_capacity))
        note.key = malloc(key_size + value_size);
    if (!note.key)
        return ag_error_set(error, AG_NO_MEMORY, "not enough memory to note the metadata '%s'", DATA_SHOW(key));
    note.value = note.key + key_size;
    memcpy(note.key, key, key_size);
    memcpy(note.value, value, value_size);
    writer->metadata[writer->metadata_count++] = note;
    return AG_OK;
}

ag_status data_writer_metadata(data_writer *writer, const char *key, const char *value, ag_error *error)
{
    if (!is_utf8(key) || !is_utf8(value))
        return ag_error_set(error, AG_BAD_VALUE, "the metadata '%s' is not UTF-8", DATA_SHOW(key));
    if (!strcmp(key, CHECKSUM_KEY) || data_checksum_meant(key, value, strlen(value)))
        return ag_error_set(error, AG_BAD_VALUE, "the metadata '%s' would be taken for the file's checksum",
                            DATA_SHOW(key));
    return note_metadata(writer, key, value, error);
}

data_writer *data_writer_new(ag_error *error)
{
    data_writer *writer = calloc(1, sizeof *writer);
    if (!writer)
        ag_error_set(error, AG_NO_MEMORY, "not enough memory for a .safetensors writer");
    return writer;
}

void data_writer_no_checksum(data_writer *writer)
{
    writer->no_checksum = true;
}

/* ---- The order of the file --------------------------------------------------------- */

static int compare_note_names(const void *a, const void *b)
{
    const tensor_note *x = a, *y = b;
    return strcmp(x->name, y->name);
}

/* By descending alignment of dtype: data_dtype_find returns pointers into one ascending
 * table. */
static int compare_note_places(const void *a, const void *b)
{
    const tensor_note *x = a, *y = b;
    if (x->dtype != y->dtype)
        return x->dtype > y->dtype ? -1 : 1;
    return strcmp(x->name, y->name);
}

static int compare_note_keys(const void *a, const void *b)
{
    const metadata_note *x = a, *y = b;
    return strcmp(x->key, y->key);
}

static ag_status sort_notes(data_writer *writer, ag_error *error)
{
    tensor_note *tensors = writer->tensors;
    metadata_note *metadata = writer->metadata;
    if (writer->tensor_count > 1)
        qsort(tensors, writer->tensor_count, sizeof *tensors, compare_note_names);
    for (size_t i = 1; i < writer->tensor_count; i++) {
        if (!strcmp(tensors[i - 1].name, tensors[i].name))
            return ag_error_set(error, AG_BAD_VALUE, "two tensors are named '%s'", DATA_SHOW(tensors[i].name));
    }
    if (writer->tensor_count > 1)
        qsort(tensors, writer->tensor_count, sizeof *tensors, compare_note_places);
    if (writer->metadata_count > 1)
        qsort(metadata, writer->metadata_count, sizeof *metadata, compare_note_keys);
    for (size_t i = 1; i < writer->metadata_count; i++) {
        if (!strcmp(metadata[i - 1].key, metadata[i].key))
            return ag_error_set(error, AG_BAD_VALUE, "the metadata has the key '%s' twice", DATA_SHOW(metadata[i].key));
    }
    return AG_OK;
}

/* ---- The header -------------------------------------------------------------------- */

/* A text that grows; `failed` once memory was out. */
typedef struct text_buffer {
    char *bytes;
    size_t size, capacity;
    bool failed;
} text_buffer;

static void append(text_buffer *text, const char *bytes, size_t size)
{
    text->failed = text->failed || !data_grow(text->bytes, text->size + size, &text->capacity);
    if (text->failed)
        return;
    memcpy(text->bytes + text->size, bytes, size);
    text->size += size;
}

static void append_text(text_buffer *text, const char *words)
{
    append(text, words, strlen(words));
}

static void append_number(text_buffer *text, uint64_t number)
{
    char digits[24];
    snprintf(digits, sizeof digits, "%llu", (unsigned long long)number);
    append_text(text, digits);
}

static void append_string(text_buffer *text, const char *string)
{
    append(text, "\"", 1);
    for (; *string; string++) {
        char escape[8];
        append(text, escape, data_json_escape(*string, escape));
    }
    append(text, "\"", 1);
}

/* Appends "__metadata__":{"checksum":"0000000000000000","key":"value"}, or nothing if
 * there is no metadata; *checksum_at becomes the place of the zeros. */
static void append_metadata(text_buffer *text, const data_writer *writer, size_t *checksum_at)
{
    if (writer->metadata_count == 0)
        return;
    append_string(text, SAFETENSORS_METADATA);
    append_text(text, ":{");
    for (size_t i = 0; i < writer->metadata_count; i++) {
        const metadata_note *note = &writer->metadata[i];
        append_text(text, i > 0 ? "," : "");
        append_string(text, note->key);
        append_text(text, ":");
        if (!strcmp(note->key, CHECKSUM_KEY))
            *checksum_at = text->size + 1; /* after the quote */
        append_string(text, note->value);
    }
    append_text(text, "}");
}

/* Appends "name":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}. */
static void append_tensor(text_buffer *text, const tensor_note *note, uint64_t begin)
{
    append_string(text, note->name);
    append_text(text, ":{\"dtype\":");
    append_string(text, note->dtype->name);
    append_text(text, ",\"shape\":[");
    for (int i = 0; i < note->rank; i++) {
        append_text(text, i > 0 ? "," : "");
        append_number(text, note->shape[i]);
    }
    append_text(text, "],\"data_offsets\":[");
    append_number(text, begin);
    append_text(text, ",");
    append_number(text, begin + note->size);
    append_text(text, "]}");
}

/* Makes the first 8 bytes and the header. The caller frees text->bytes. */
static ag_status make_header(const data_writer *writer, text_buffer *text, size_t *checksum_at, ag_error *error)
{
    uint64_t begin = 0;
    append(text, "\0\0\0\0\0\0\0", 8); /* for the length */
    append_text(text, "{");
    append_metadata(text, writer, checksum_at);
    for (size_t i = 0; i < writer->tensor_count; i++) {
        const tensor_note *note = &writer->tensors[i];
        if (note->size > INT64_MAX - begin)
            return ag_error_set(error, AG_BAD_VALUE, "the tensors take more than 2^63 bytes");
        append_text(text, i > 0 || writer->metadata_count > 0 ? "," : "");
        append_tensor(text, note, begin);
        begin += note->size;
    }
    append_text(text, "}");
    while (text->size % 8 != 0 && !text->failed)
        append_text(text, " ");
    if (text->failed)
        return ag_error_set(error, AG_NO_MEMORY, "not enough memory for the header of a .safetensors file");
    if (text->size - 8 > SAFETENSORS_MAX_HEADER)
        return ag_error_set(
            error, AG_BAD_VALUE, "names and metadata take %zu %s, but the header of a .safetensors file may have %u",
            text->size - 8, ag_plural((int64_t)(text->size - 8), "byte", "bytes"), SAFETENSORS_MAX_HEADER);
    for (int i = 0; i < 8; i++)
        text->bytes[i] = (char)((uint64_t)(text->size - 8) >> (8 * i) & 0xFF);
    return AG_OK;
}

/* ---- The file ---------------------------------------------------------------------- */

/* Writes one tensor's data, little-endian, and continues the hash over it. */
static bool put_tensor(data_output *output, const tensor_note *note, uint64_t *hash)
{
    const uint16_t one = 1;
    unsigned char first, piece[4096]; /* a multiple of every unit */
    memcpy(&first, &one, 1);
    /* i ^ turn mirrors i within its unit, which is a power of 2. */
    size_t turn = first == 1 ? 0 : note->dtype->unit - 1;
    for (size_t at = 0, size; at < note->size; at += size) {
        size = note->size - at < sizeof piece ? (size_t)note->size - at : sizeof piece;
        for (size_t i = 0; i < size; i++)
            piece[i] = note->data[at + (i ^ turn)];
        *hash = data_fnv1a(*hash, piece, size);
        if (!data_output_put(output, piece, size))
            return false;
    }
    return true;
}

static ag_status write_file(const data_writer *writer, const text_buffer *header, size_t checksum_at, const char *path,
                            ag_error *error)
{
    char digits[CHECKSUM_DIGITS + 1];
    uint64_t hash = data_fnv1a(FNV1A_START, header->bytes, header->size);
    data_output *output;
    ag_status status = data_output_open(&output, path, error);
    if (status != AG_OK)
        return status;
    bool good = data_output_put(output, header->bytes, header->size);
    for (size_t i = 0; good && i < writer->tensor_count; i++)
        good = put_tensor(output, &writer->tensors[i], &hash);
    data_checksum_print(hash, digits);
    if (checksum_at > 0)
        data_output_patch(output, checksum_at, digits, CHECKSUM_DIGITS);
    return data_output_finish(output, error);
}

ag_status data_writer_save(data_writer *writer, const char *path, ag_error *error)
{
    text_buffer header = {0};
    size_t checksum_at = 0;
    ag_status status = AG_OK;
    if (!writer->no_checksum && !writer->checksum_is_noted) {
        status = note_metadata(writer, CHECKSUM_KEY, CHECKSUM_ZEROS, error);
        writer->checksum_is_noted = status == AG_OK;
    }
    if (status == AG_OK)
        status = sort_notes(writer, error);
    if (status == AG_OK)
        status = make_header(writer, &header, &checksum_at, error);
    if (status == AG_OK)
        status = write_file(writer, &header, checksum_at, path, error);
    free(header.bytes);
    return status;
}
