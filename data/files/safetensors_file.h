/* safetensors_file.h - an open .safetensors file, for the files that read one. */
#ifndef DATA_SAFETENSORS_FILE_H
#define DATA_SAFETENSORS_FILE_H

#include "data.h"
#include "mapped_file.h"

typedef struct tensor_entry {
    data_tensor tensor;
    const char *name;    /* in the file; the tensor's may have lost a prefix */
    uint64_t begin, end; /* of its bytes in the data */
    size_t sizes_at;     /* where its shape begins in `sizes`, which moves while it grows */
} tensor_entry;

typedef struct metadata_entry {
    const char *key, *value;
    size_t value_at, value_size; /* the value as it stands in the header, between its quotes */
} metadata_entry;

struct data_safetensors {
    data_map map;
    tensor_entry *tensors; /* [tensor_count], in the order of the data */
    size_t tensor_count, tensor_capacity;
    const data_tensor **by_name; /* [tensor_count] */
    metadata_entry *metadata;    /* [metadata_count], by key */
    size_t metadata_count, metadata_capacity;
    uint64_t *sizes; /* the shapes of all tensors, one after the other */
    size_t size_count, size_capacity;
    char *strings; /* names and metadata; the header's size is enough for all, since each loses its quotes */
    size_t strings_used;
    data_safetensors **shards; /* [shard_count]: the files of an index, which own what the tensors point to */
    size_t shard_count, shard_capacity;
};

/* data_safetensors_open of a file that must not be an index. */
data_safetensors *data_safetensors_open_one(const char *path, ag_error *error);

/* Sorts the index by name; the first name that comes twice, or NULL. */
const char *data_safetensors_sort(data_safetensors *file);
/* Sorts the metadata by key; the first key that comes twice, or NULL. */
const char *data_safetensors_sort_metadata(data_safetensors *file);

/* Says what a file that is no .safetensors file seems to be, and what to do about it: "
 * (..)"; "" where that is unknown. */
const char *data_safetensors_guess(const data_map *map);
/* Whether the file is text that begins with '{' where the length of a header would be. */
bool data_index_is_one(const data_map *map);
/* Reads the index of a sharded model, model.safetensors.index.json, which is mapped:
 * opens all shards and lists their tensors in `file`. `shown` is the path as sentences
 * have it. */
bool data_index_read(data_safetensors *file, const char *path, const char *shown, ag_error *error);

#endif
