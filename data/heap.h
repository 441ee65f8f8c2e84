/* heap.h - a binary heap. Internal to data/. */
#ifndef DATA_HEAP_H
#define DATA_HEAP_H

#include "autograd.h"

typedef struct data_heap_entry {
    int64_t key;
    size_t item;
} data_heap_entry;

typedef struct data_heap {
    data_heap_entry *entries;
    size_t count, capacity;
    /* Which of two items with equal keys is first. */
    bool (*before)(const void *context, size_t a, size_t b);
    const void *context;
} data_heap;

/* False, and nothing has changed, when memory is out. */
bool data_heap_push(data_heap *heap, data_heap_entry entry) AG_CHECKED;
/* Removes and returns the entry with the smallest key. The heap must not be empty. */
data_heap_entry data_heap_pop(data_heap *heap);
/* Frees the entries. */
void data_heap_clear(data_heap *heap);

#endif
