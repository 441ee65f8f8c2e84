/* safetensors_names.c - the tensors of an open file by number and by name, its metadata
 * by key.
 */
#include "safetensors_file.h"
#include "quote.h"

#include <stdlib.h>
#include <string.h>

static int compare_tensor_names(const void *a, const void *b)
{
    const data_tensor *const *x = a, *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

static int compare_metadata_keys(const void *a, const void *b)
{
    const metadata_entry *x = a, *y = b;
    return strcmp(x->key, y->key);
}

int64_t data_safetensors_count(const data_safetensors *file)
{
    return (int64_t)file->tensor_count;
}

const data_tensor *data_safetensors_at(const data_safetensors *file, int64_t i)
{
    return i >= 0 && (uint64_t)i < file->tensor_count ? &file->tensors[i].tensor : NULL;
}

static const data_tensor *find_name(const data_safetensors *file, const char *name)
{
    const data_tensor wanted = {.name = name}, *key = &wanted;
    const data_tensor *const *found =
        bsearch(&key, file->by_name, file->tensor_count, sizeof *file->by_name, compare_tensor_names);
    return found ? *found : NULL;
}

const data_tensor *data_safetensors_find(const data_safetensors *file, const char *name)
{
    const data_tensor *found = find_name(file, name);
    const char *kept = found ? NULL : data_safetensors_metadata(file, name);
    return kept ? find_name(file, kept) : found;
}

const char *data_safetensors_sort(data_safetensors *file)
{
    qsort(file->by_name, file->tensor_count, sizeof *file->by_name, compare_tensor_names);
    for (size_t i = 1; i < file->tensor_count; i++)
        if (!strcmp(file->by_name[i - 1]->name, file->by_name[i]->name))
            return file->by_name[i]->name;
    return NULL;
}

const char *data_safetensors_sort_metadata(data_safetensors *file)
{
    if (file->metadata_count > 1)
        qsort(file->metadata, file->metadata_count, sizeof *file->metadata, compare_metadata_keys);
    for (size_t i = 1; i < file->metadata_count; i++)
        if (!strcmp(file->metadata[i - 1].key, file->metadata[i].key))
            return file->metadata[i].key;
    return NULL;
}

static void restore_names(data_safetensors *file)
{
    for (size_t i = 0; i < file->tensor_count; i++)
        file->tensors[i].tensor.name = file->tensors[i].name;
    data_safetensors_sort(file);
}

ag_status data_safetensors_strip(data_safetensors *file, const char *prefix, ag_error *error)
{
    const size_t length = prefix ? strlen(prefix) : 0;
    size_t stripped = 0;
    for (size_t i = 0; prefix && i < file->tensor_count; i++)
        if (!strncmp(file->tensors[i].tensor.name, prefix, length)) {
            file->tensors[i].tensor.name += length;
            stripped++;
        }
    const char *twice = stripped > 0 ? data_safetensors_sort(file) : NULL;
    if (stripped > 0 && !twice)
        return AG_OK;
    restore_names(file);
    if (!prefix)
        return AG_OK;
    return twice ? ag_error_set(error, AG_BAD_VALUE, "without the prefix '%s' two tensors are named '%s'",
                                DATA_SHOW(prefix), DATA_SHOW(twice))
                 : ag_error_set(error, AG_BAD_VALUE, "no tensor's name begins with '%s'; the first is '%s'",
                                DATA_SHOW(prefix), DATA_SHOW(file->tensor_count ? file->tensors[0].name : ""));
}

const char *data_safetensors_metadata(const data_safetensors *file, const char *key)
{
    const metadata_entry wanted = {.key = key};
    if (file->metadata_count == 0)
        return NULL;
    const metadata_entry *found =
        bsearch(&wanted, file->metadata, file->metadata_count, sizeof *file->metadata, compare_metadata_keys);
    return found ? found->value : NULL;
}
