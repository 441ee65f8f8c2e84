/* safetensors_open.c - opens a .safetensors file, or the index of a model cut into
 * several files.
 *
 * model.safetensors.index.json lies beside the shards and says which of them has which
 * tensor:
 *
 *     {"metadata":{"total_size":1234},
 *      "weight_map":{"wte.weight":"model-00001-of-00002.safetensors", ..}}
 *
 * All tensors of all shards are read, as the libraries that write such files do.
 */
#include "grow.h"
#include "safetensors.h"
#include "safetensors_file.h"
#include "quote.h"

#include <stdlib.h>
#include <string.h>

/* One reading of one index. */
typedef struct index_reader {
    data_safetensors *file;
    data_json json;
    const char *path, *shown;
    char *name, *shard; /* each has room for any string of the text */
    ag_error *error;
} index_reader;

#define MOST_NESTED 16

static data_safetensors *open_file(const char *path, bool may_be_index, ag_error *error);

static bool no_memory(const index_reader *r)
{
    ag_error_set(r->error, AG_NO_MEMORY, "%s: not enough memory for the tensors that it names", r->shown);
    return false;
}

/* ---- Its text ---------------------------------------------------------------------- */

static bool skip_value(index_reader *r, int depth)
{
    data_json *json = &r->json;
    size_t count = 0;
    const char open = data_json_peek(json);
    bool flag;
    double number;
    switch (open) {
    case '{':
    case '[':
        data_json_enter(json, open);
        while (depth < MOST_NESTED && data_json_more(json, open == '{' ? '}' : ']', &count))
            if ((open == '{' && !data_json_key(json, r->shard)) || !skip_value(r, depth + 1))
                return false;
        return !json->problem && depth < MOST_NESTED;
    case '"':
        return data_json_string(json, r->shard);
    case 't':
    case 'f':
        return data_json_bool(json, &flag);
    case 'n':
        return data_json_null(json);
    default:
        return data_json_number(json, &number);
    }
}

static bool refuse_json(const index_reader *r)
{
    const char *problem = r->json.problem ? r->json.problem : "values stand inside of too many others";
    return data_refuse(r->error, r->shown, "bad index of a sharded model at byte %zu: %s", r->json.at, problem);
}

/* ---- Its shards -------------------------------------------------------------------- */

/* The path of the file `name` beside the index, which the caller frees. */
static char *path_beside(const index_reader *r, const char *name)
{
    const char *slash = strrchr(r->path, '/');
    const size_t folder = slash ? (size_t)(slash + 1 - r->path) : 0, size = strlen(name) + 1;
    char *path = malloc(folder + size);
    if (path) {
        memcpy(path, r->path, folder);
        memcpy(path + folder, name, size);
    }
    return path;
}

static bool open_shard(index_reader *r, const char *name)
{
    data_safetensors *file = r->file;
    if (!*name || strchr(name, '/') || !strcmp(name, ".."))
        return data_refuse(r->error, r->shown, "its shard '%s' must be a file beside it", DATA_SHOW(name));
    if (!data_grow(file->shards, file->shard_count, &file->shard_capacity))
        return no_memory(r);
    char *path = path_beside(r, name);
    if (!path)
        return no_memory(r);
    data_safetensors *shard = open_file(path, false, r->error);
    free(path);
    if (shard)
        file->shards[file->shard_count++] = shard;
    return shard != NULL;
}

/* The shard r->shard; opened when it is met first, and its name kept in the file's
 * strings, in the order of the shards. NULL with the error. */
static const data_safetensors *shard_of(index_reader *r)
{
    data_safetensors *file = r->file;
    const char *known = file->strings;
    for (size_t i = 0; i < file->shard_count; i++, known += strlen(known) + 1)
        if (!strcmp(known, r->shard))
            return file->shards[i];
    if (!open_shard(r, r->shard))
        return NULL;
    strcpy(file->strings + file->strings_used, r->shard);
    file->strings_used += strlen(r->shard) + 1;
    return file->shards[file->shard_count - 1];
}

static bool read_weight_map(index_reader *r)
{
    size_t count = 0;
    data_json_enter(&r->json, '{');
    while (data_json_more(&r->json, '}', &count)) {
        if (!data_json_key(&r->json, r->name) || !data_json_string(&r->json, r->shard))
            break;
        const data_safetensors *shard = shard_of(r);
        if (!shard)
            return false;
        if (!data_safetensors_find(shard, r->name))
            return data_refuse(r->error, r->shown, "the tensor '%s' is not in %s, where it should be",
                               DATA_SHOW(r->name), DATA_SHOW(r->shard));
    }
    return !r->json.problem;
}

/* Lists the tensors of all shards. */
static bool list_tensors(index_reader *r)
{
    data_safetensors *file = r->file;
    for (size_t s = 0; s < file->shard_count; s++)
        for (size_t i = 0; i < file->shards[s]->tensor_count; i++) {
            if (!data_grow(file->tensors, file->tensor_count, &file->tensor_capacity))
                return no_memory(r);
            file->tensors[file->tensor_count++] = file->shards[s]->tensors[i];
        }
    file->by_name = malloc((file->tensor_count + 1) * sizeof *file->by_name);
    if (!file->by_name)
        return no_memory(r);
    for (size_t i = 0; i < file->tensor_count; i++)
        file->by_name[i] = &file->tensors[i].tensor;
    const char *twice = data_safetensors_sort(file);
    return !twice || data_refuse(r->error, r->shown, "two shards have a tensor named '%s'", DATA_SHOW(twice));
}

/* ---- The whole --------------------------------------------------------------------- */

static bool read_members(index_reader *r)
{
    size_t members = 0;
    bool mapped = false;
    data_json_enter(&r->json, '{');
    while (data_json_more(&r->json, '}', &members)) {
        if (!data_json_key(&r->json, r->name))
            return false;
        const bool is_map = !strcmp(r->name, "weight_map") && !mapped;
        mapped |= is_map;
        if (!(is_map ? read_weight_map(r) : skip_value(r, 0)))
            return false;
    }
    if (!data_json_finish(&r->json))
        return false;
    return mapped || data_refuse(r->error, r->shown,
                                 "this is JSON, but no index of a sharded model: it has no "
                                 "\"weight_map\"");
}

static bool read_index(data_safetensors *file, const char *path, const char *shown, ag_error *error)
{
    ag_error own = {0}; /* the caller's may be NULL */
    const size_t size = file->map.size;
    index_reader r = {.file = file,
                      .json = data_json_start((const char *)file->map.bytes, size),
                      .path = path,
                      .shown = shown,
                      .name = malloc(size + 1),
                      .shard = malloc(size + 1),
                      .error = &own};
    file->strings = malloc(size + 1);
    const size_t bad = data_utf8_check(r.json.text, size);
    bool good = r.name && r.shard && file->strings;
    if (!good)
        no_memory(&r);
    else if (bad < size)
        good = data_refuse(&own, shown, "bad index of a sharded model at byte %zu: this is not UTF-8", bad);
    else
        good = (read_members(&r) || (own.status == AG_OK && refuse_json(&r))) && list_tensors(&r);
    free(r.name);
    free(r.shard);
    if (own.status != AG_OK)
        ag_error_set(error, own.status, "%s", own.message);
    return good;
}

/* ---- Opening ----------------------------------------------------------------------- */

/* Whether the file is JSON text instead of a .safetensors file, whose header has at most
 * 10^8 bytes, so that its 5th to 8th bytes are 0. */
static bool is_index(const data_map *map)
{
    static const char spaces[] = " \t\r\n";
    size_t at = 0;
    if (map->size < 8 || !map->bytes[4])
        return false;
    while (at < map->size && map->bytes[at] && strchr(spaces, map->bytes[at]))
        at++;
    return at < map->size && map->bytes[at] == '{';
}

static data_safetensors *open_file(const char *path, bool may_be_index, ag_error *error)
{
    char shown[SHOWN_PATH];
    ag_text_show(path, shown, sizeof shown);
    data_safetensors *file = calloc(1, sizeof *file);
    if (!file) {
        ag_error_set(error, AG_NO_MEMORY, "%s: not enough memory to open it", shown);
        return NULL;
    }
    if (data_map_open(&file->map, path, error) == AG_OK &&
        (may_be_index && is_index(&file->map) ? read_index(file, path, shown, error)
                                              : data_safetensors_read(file, shown, error)))
        return file;
    data_safetensors_close(file);
    return NULL;
}

data_safetensors *data_safetensors_open(const char *path, ag_error *error)
{
    return open_file(path, true, error);
}
