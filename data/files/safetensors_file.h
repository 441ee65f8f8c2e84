/* safetensors_file.h - an open .safetensors file, as its readers see it. */
#ifndef DATA_SAFETENSORS_FILE_H
#define DATA_SAFETENSORS_FILE_H

#include "files.h"
#include "mapped_file.h"

typedef struct tensor_entry {
    data_tensor tensor;
    const char *name;    /* in the file; tensor.name may be without a prefix */
    uint64_t begin, end; /* of its bytes in the data */
    size_t sizes_at;     /* where its shape begins in `sizes`, whose address changes */
} tensor_entry;

typedef struct metadata_entry {
    const char *key, *value;
    size_t value_at, value_size; /* the value in the header, between its quotes */
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
    char *strings; /* names and metadata; as large as the header, since each string loses
                    * its quotes */
    size_t strings_used;
    data_safetensors **shards; /* [shard_count]: the files of an index, which own the
                                * tensors */
    size_t shard_count, shard_capacity;
};

/* Reads the header of a single file, which is mapped; `shown` is its path for error
 * messages. */
bool data_safetensors_read(data_safetensors *file, const char *shown, ag_error *error);

/* Sorts by_name; returns the first duplicate name, or NULL. */
const char *data_safetensors_sort(data_safetensors *file);
/* Sorts the metadata by key; returns the first duplicate key, or NULL. */
const char *data_safetensors_sort_metadata(data_safetensors *file);

#endif
