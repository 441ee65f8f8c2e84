/* safetensors_read.c - the strict reader of one .safetensors file.
 *
 * The file is mapped and nothing in it is trusted. The checks come in the order of the
 * format's reference reader: the header's length, UTF-8, JSON and the form of the
 * entries, names; then for each tensor, in the order of the data, its place and its size;
 * then the end of the data; then our checksum. Memory is proportional to the header,
 * which is inside the file, and time to n log n in the number of tensors.
 *
 * Where the format leaves room:
 *   - white space before and after the header's object is accepted (the format wants '{'
 *     first and spaces after it);
 *   - a duplicate name is refused, after its escapes are decoded: of tensors, metadata
 *     and the fields of an entry;
 *   - an entry has exactly the fields dtype, shape and data_offsets: others are refused,
 *     and so is an entry that is an array;
 *   - metadata that is null counts as none;
 *   - \u0000 in a name or in metadata is refused, since these are C strings here;
 *   - any rank is accepted that fits into the header: the size is what is checked;
 *   - tensors without bytes may share an offset; they keep the header's order.
 */
#include "files.h"
#include "grow.h"
#include "safetensors.h"
#include "safetensors_file.h"
#include "quote.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One reading of one file. */
typedef struct header_reader {
    data_safetensors *file;
    data_json json;
    const char *tensor; /* the tensor being read; NULL between tensors */
    const char *path; /* as error messages show it */
    ag_error *error;
} header_reader;

#define HEADER_AT 8 /* after the header's length */

/* ---- Refusals and memory ----------------------------------------------------------- */

/* Reports the problem at the cursor of the JSON. */
static bool refuse_json(header_reader *r)
{
    if (!r->tensor)
        return data_refuse(r->error, r->path, "bad header at byte %zu: %s", HEADER_AT + r->json.at, r->json.problem);
    return data_refuse(r->error, r->path, "bad header at byte %zu, in tensor '%s': %s", HEADER_AT + r->json.at,
                       DATA_SHOW(r->tensor), r->json.problem);
}

static bool no_memory(header_reader *r)
{
    ag_error_set(r->error, AG_NO_MEMORY, "%s: not enough memory for its header of %zu %s", r->path, r->json.size,
                 ag_plural((int64_t)r->json.size, "byte", "bytes"));
    return false;
}

/* Room for the next string, which stays only after keep_string. */
static char *string_room(const header_reader *r)
{
    return r->file->strings + r->file->strings_used;
}

static const char *keep_string(header_reader *r)
{
    const char *string = string_room(r);
    r->file->strings_used += strlen(string) + 1;
    return string;
}

/* ---- The header: JSON and the shape of its entries --------------------------------- */

static bool read_metadata(header_reader *r)
{
    data_safetensors *file = r->file;
    size_t members = 0;
    if (data_json_peek(&r->json) == 'n') /* some writers write null for no metadata */
        return data_json_null(&r->json) || refuse_json(r);
    data_json_enter(&r->json, '{');
    while (data_json_more(&r->json, '}', &members)) {
        if (!data_grow(file->metadata, file->metadata_count, &file->metadata_capacity))
            return no_memory(r);
        metadata_entry *entry = &file->metadata[file->metadata_count];
        if (!data_json_key(&r->json, string_room(r)))
            break;
        entry->key = keep_string(r);
        data_json_peek(&r->json);
        entry->value_at = r->json.at + 1;
        if (!data_json_string(&r->json, string_room(r)))
            break;
        entry->value = keep_string(r);
        entry->value_size = r->json.at - 1 - entry->value_at;
        file->metadata_count++;
    }
    return !r->json.problem || refuse_json(r);
}

static bool read_shape(header_reader *r, tensor_entry *entry)
{
    data_safetensors *file = r->file;
    size_t rank = 0;
    entry->sizes_at = file->size_count;
    data_json_enter(&r->json, '[');
    while (data_json_more(&r->json, ']', &rank)) {
        if (!data_grow(file->sizes, file->size_count, &file->size_capacity))
            return no_memory(r);
        if (!data_json_u64(&r->json, &file->sizes[file->size_count++]))
            break;
    }
    entry->tensor.rank = (int)rank; /* each takes two bytes of a header of at most 10^8:
                                     * no overflow */
    return !r->json.problem || refuse_json(r);
}

static bool read_offsets(header_reader *r, tensor_entry *entry)
{
    uint64_t offsets[2] = {0};
    size_t count = 0;
    data_json_enter(&r->json, '[');
    while (data_json_more(&r->json, ']', &count)) {
        if (count > 2 || !data_json_u64(&r->json, &offsets[count - 1]))
            break;
    }
    if (r->json.problem)
        return refuse_json(r);
    if (count != 2)
        return data_refuse(r->error, r->path, "tensor '%s' must have two data_offsets, its begin and its end",
                           DATA_SHOW(r->tensor));
    entry->begin = offsets[0];
    entry->end = offsets[1];
    return true;
}

static bool read_dtype(header_reader *r, tensor_entry *entry)
{
    if (!data_json_string(&r->json, string_room(r)))
        return refuse_json(r);
    const data_dtype *dtype = data_dtype_find(string_room(r));
    if (!dtype)
        return data_refuse(r->error, r->path, "tensor '%s' has the dtype '%s', which the format does not know",
                           DATA_SHOW(r->tensor), DATA_SHOW(string_room(r)));
    entry->tensor.dtype = dtype->name;
    return true;
}

/* {"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}, in any order. */
static bool read_entry(header_reader *r, tensor_entry *entry)
{
    static const struct field {
        const char *name;
        bool (*read)(header_reader *r, tensor_entry *entry);
    } fields[] = {{"dtype", read_dtype}, {"shape", read_shape}, {"data_offsets", read_offsets}};
    enum { FIELDS = sizeof fields / sizeof fields[0] };
    bool seen[FIELDS] = {false};
    size_t members = 0;

    data_json_enter(&r->json, '{');
    while (data_json_more(&r->json, '}', &members)) {
        size_t f = 0;
        if (!data_json_key(&r->json, string_room(r)))
            break;
        while (f < FIELDS && strcmp(fields[f].name, string_room(r)))
            f++;
        if (f == FIELDS)
            return data_refuse(r->error, r->path,
                               "tensor '%s' has the unknown field '%s' beside dtype, shape and data_offsets",
                               DATA_SHOW(r->tensor), DATA_SHOW(string_room(r)));
        if (seen[f])
            return data_refuse(r->error, r->path, "tensor '%s' has the field '%s' twice", DATA_SHOW(r->tensor),
                               fields[f].name);
        seen[f] = true;
        if (!fields[f].read(r, entry))
            return false;
    }
    if (r->json.problem)
        return refuse_json(r);
    if (!seen[0] || !seen[1] || !seen[2])
        return data_refuse(r->error, r->path, "tensor '%s' must have a dtype, a shape and data_offsets",
                           DATA_SHOW(r->tensor));
    return true;
}

static bool read_member(header_reader *r, bool *metadata_seen)
{
    data_safetensors *file = r->file;
    if (!data_json_key(&r->json, string_room(r)))
        return refuse_json(r);
    if (!strcmp(string_room(r), SAFETENSORS_METADATA)) {
        if (*metadata_seen)
            return data_refuse(r->error, r->path, "the header has '%s' twice", SAFETENSORS_METADATA);
        *metadata_seen = true;
        return read_metadata(r);
    }
    if (!data_grow(file->tensors, file->tensor_count, &file->tensor_capacity))
        return no_memory(r);
    tensor_entry *entry = &file->tensors[file->tensor_count++];
    *entry = (tensor_entry){.name = keep_string(r)};
    entry->tensor.name = r->tensor = entry->name;
    bool good = read_entry(r, entry);
    r->tensor = NULL;
    return good;
}

static bool read_header(header_reader *r)
{
    size_t bad = data_utf8_check(r->json.text, r->json.size), members = 0;
    bool metadata_seen = false;
    if (bad < r->json.size)
        return data_refuse(r->error, r->path, "bad header at byte %zu: this is not UTF-8", HEADER_AT + bad);
    r->file->strings = malloc(r->json.size + 1);
    if (!r->file->strings)
        return no_memory(r);
    data_json_enter(&r->json, '{');
    while (data_json_more(&r->json, '}', &members)) {
        if (!read_member(r, &metadata_seen))
            return false;
    }
    return data_json_finish(&r->json) || refuse_json(r);
}

/* ---- Order, names, places ---------------------------------------------------------- */

static int compare_places(const void *a, const void *b)
{
    const tensor_entry *x = a, *y = b;
    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    if (x->end != y->end)
        return x->end < y->end ? -1 : 1;
    return x->tensor.name < y->tensor.name ? -1 : x->tensor.name > y->tensor.name; /* kept in the header's order */
}

/* Sorts the tensors by place and makes the index by name; refuses duplicate names. */
static bool sort_entries(header_reader *r)
{
    data_safetensors *file = r->file;
    file->by_name = malloc((file->tensor_count + 1) * sizeof *file->by_name);
    if (!file->by_name)
        return no_memory(r);
    if (file->tensor_count > 1)
        qsort(file->tensors, file->tensor_count, sizeof *file->tensors, compare_places);
    for (size_t i = 0; i < file->tensor_count; i++) {
        tensor_entry *entry = &file->tensors[i];
        entry->tensor.shape = entry->tensor.rank ? file->sizes + entry->sizes_at : NULL;
        file->by_name[i] = &entry->tensor;
    }
    const char *twice = data_safetensors_sort(file);
    if (twice)
        return data_refuse(r->error, r->path, "two tensors are named '%s'", DATA_SHOW(twice));
    twice = data_safetensors_sort_metadata(file);
    return !twice || data_refuse(r->error, r->path, "the metadata has the key '%s' twice", DATA_SHOW(twice));
}

/* Each tensor must begin where the one before ends, and be as long as dtype and shape
 * require. */
static bool check_places(header_reader *r, uint64_t data_size)
{
    uint64_t at = 0;
    for (size_t i = 0; i < r->file->tensor_count; i++) {
        const tensor_entry *entry = &r->file->tensors[i];
        data_tensor *tensor = &r->file->tensors[i].tensor;
        unsigned long long begin = entry->begin, end = entry->end;
        if (begin != at || end < begin)
            return data_refuse(r->error, r->path,
                               "tensor '%s' has the data_offsets %llu to %llu, but must begin at %llu: "
                               "the format has no holes and no overlaps",
                               DATA_SHOW(tensor->name), begin, end, (unsigned long long)at);
        const data_dtype *dtype = data_dtype_find(tensor->dtype);
        const char *problem = data_dtype_size(dtype, tensor->rank, tensor->shape, &tensor->size);
        if (problem)
            return data_refuse(r->error, r->path, "tensor '%s' %s", DATA_SHOW(tensor->name), problem);
        if (tensor->size != end - begin)
            return data_refuse(r->error, r->path,
                               "tensor '%s' takes %llu %s by its dtype and shape, but its data_offsets hold %llu",
                               DATA_SHOW(tensor->name), (unsigned long long)tensor->size,
                               ag_plural((int64_t)tensor->size, "byte", "bytes"), end - begin);
        at = entry->end;
    }
    if (at != data_size)
        return data_refuse(r->error, r->path, "its tensors take %llu %s, but %llu follow the header: the file is %s",
                           (unsigned long long)at, ag_plural((int64_t)at, "byte", "bytes"),
                           (unsigned long long)data_size, at > data_size ? "cut short" : "too long");
    return true;
}

/* ---- The whole file ---------------------------------------------------------------- */

/* Continues the hash over bytes of the file, whose pages are released as it goes. */
static uint64_t hash_pages(uint64_t hash, const data_map *map, size_t at, size_t end)
{
    const size_t slice = (size_t)1 << 24;
    for (size_t size; at < end; at += size) {
        size = end - at < slice ? end - at : slice;
        hash = data_fnv1a(hash, map->bytes + at, size);
        data_map_rest(map);
    }
    return hash;
}

static bool check_checksum(header_reader *r, const metadata_entry *entry)
{
    const data_map *map = &r->file->map;
    char digits[CHECKSUM_DIGITS + 1];
    size_t at = HEADER_AT + entry->value_at, after = at + CHECKSUM_DIGITS;
    uint64_t hash = hash_pages(FNV1A_START, map, 0, at);
    hash = data_fnv1a(hash, CHECKSUM_ZEROS, CHECKSUM_DIGITS);
    hash = hash_pages(hash, map, after, map->size);
    data_checksum_print(hash, digits);
    if (!memcmp(digits, map->bytes + at, CHECKSUM_DIGITS))
        return true;
    return data_refuse(r->error, r->path,
                       "the content does not agree with its checksum: the file is damaged, or was changed by a program "
                       "that kept the old checksum");
}

#define TORCH_SAVE                                                                                                     \
    " (it looks like a file of torch.save: let Python write it by save_file of the package safetensors)"

/* The kind of a file that is no .safetensors file, and what to do about it: " (..)"; ""
 * if unknown. */
static const char *guess_kind(const data_map *map)
{
    static const struct {
        const char *begin, *guess;
    } kinds[] = {
        {"PK\3\4", TORCH_SAVE},
        {"\x80\x02", TORCH_SAVE},
        {"version https://git-lfs", " (it is a pointer of Git LFS: `git lfs pull` brings the file)"},
        {"GGUF", " (it is a GGUF file)"},
        {"\x89HDF", " (it is an HDF5 file)"},
        {"\x93NUMPY", " (it is an array of NumPy)"},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (map->size >= strlen(kinds[i].begin) && !memcmp(map->bytes, kinds[i].begin, strlen(kinds[i].begin)))
            return kinds[i].guess;
    return "";
}

/* Finds the header in the mapped file: the checks before any memory is allocated. */
static bool find_header(header_reader *r)
{
    const data_map *map = &r->file->map;
    unsigned long long size = 0;
    if (map->size < HEADER_AT)
        return data_refuse(r->error, r->path, "%zu %s too few for a .safetensors file", map->size,
                           ag_plural((int64_t)map->size, "byte is", "bytes are"));
    for (int i = 0; i < HEADER_AT; i++)
        size |= (unsigned long long)map->bytes[i] << (8 * i);
    if (size > SAFETENSORS_MAX_HEADER)
        return data_refuse(r->error, r->path,
                           "its header's length of %llu bytes is above the format's limit of %u: "
                           "this is no .safetensors file%s, or a damaged one",
                           size, SAFETENSORS_MAX_HEADER, guess_kind(map));
    if (size > map->size - HEADER_AT)
        return data_refuse(r->error, r->path,
                           "its header should have %llu %s, but only %zu follow: the file is cut short", size,
                           ag_plural((int64_t)size, "byte", "bytes"), map->size - HEADER_AT);
    r->json = data_json_start((const char *)map->bytes + HEADER_AT, (size_t)size);
    return true;
}

bool data_safetensors_read(data_safetensors *file, const char *shown, ag_error *error)
{
    header_reader r = {.file = file, .path = shown, .error = error};
    if (!find_header(&r) || !read_header(&r) || !sort_entries(&r))
        return false;
    size_t data_at = HEADER_AT + r.json.size;
    if (!check_places(&r, file->map.size - data_at))
        return false;
    for (size_t i = 0; i < file->metadata_count; i++) {
        const metadata_entry *entry = &file->metadata[i];
        if (data_checksum_meant(entry->key, r.json.text + entry->value_at, entry->value_size) &&
            !check_checksum(&r, entry))
            return false;
    }
    for (size_t i = 0; i < file->tensor_count; i++)
        file->tensors[i].tensor.data = file->map.bytes + data_at + (size_t)file->tensors[i].begin;
    return true;
}

void data_safetensors_rest(const data_safetensors *file)
{
    data_map_rest(&file->map);
    for (size_t i = 0; i < file->shard_count; i++)
        data_safetensors_rest(file->shards[i]);
}

void data_safetensors_close(data_safetensors *file)
{
    if (!file)
        return;
    for (size_t i = 0; i < file->shard_count; i++)
        data_safetensors_close(file->shards[i]);
    free(file->shards);
    data_map_close(&file->map);
    free(file->tensors);
    free(file->by_name);
    free(file->metadata);
    free(file->sizes);
    free(file->strings);
    free(file);
}
