/* heap.c - see heap.h. Entry i is not after its children, 2 i + 1 and 2 i + 2. */
#include "heap.h"

#include "files/grow.h"

#include <stdlib.h>

static bool is_before(const data_heap *heap, data_heap_entry a, data_heap_entry b)
{
    return a.key != b.key ? a.key < b.key : heap->before(heap->context, a.item, b.item);
}

bool data_heap_push(data_heap *heap, data_heap_entry entry)
{
    if (!data_grow(heap->entries, heap->count, &heap->capacity))
        return false;
    size_t at = heap->count++;
    for (; at > 0 && is_before(heap, entry, heap->entries[(at - 1) / 2]); at = (at - 1) / 2)
        heap->entries[at] = heap->entries[(at - 1) / 2];
    heap->entries[at] = entry;
    return true;
}

data_heap_entry data_heap_pop(data_heap *heap)
{
    data_heap_entry *entries = heap->entries;
    const data_heap_entry first = entries[0], last = entries[--heap->count];
    size_t at = 0;
    for (size_t child; (child = 2 * at + 1) < heap->count; at = child) {
        if (child + 1 < heap->count && is_before(heap, entries[child + 1], entries[child]))
            child++;
        if (!is_before(heap, entries[child], last))
            break;
        entries[at] = entries[child];
    }
    entries[at] = last;
    return first;
}

void data_heap_clear(data_heap *heap)
{
    free(heap->entries);
    heap->entries = NULL;
    heap->count = heap->capacity = 0;
}
