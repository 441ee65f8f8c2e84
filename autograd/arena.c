/* arena.c - chunks of memory used in order and rewound together.
 *
 * The same sequence of requests after a rewind finds the same places, so a training step whose shapes have been seen
 * makes no heap allocation. */
#include "arena.h"

#include <stdlib.h>

struct arena_chunk {
    arena_chunk *next;
    size_t capacity, used;
    char *bytes; /* the first aligned byte behind this header */
};

#define SMALLEST_CHUNK ((size_t)1 << 16)
#define LARGEST_STEP   ((size_t)1 << 26)

/* A new chunk at the end of the list, for a request of `bytes` at least. Chunks grow with the arena, so they stay few,
 * but slowly, so that little of the last one is left over; and each is a multiple of the request that made it, since
 * the tensors of a model have few sizes. */
static arena_chunk *add_chunk(ag_arena *arena, size_t bytes)
{
    size_t capacity = arena->bytes / 32;
    if (capacity < SMALLEST_CHUNK)
        capacity = SMALLEST_CHUNK;
    if (capacity > LARGEST_STEP)
        capacity = LARGEST_STEP;
    capacity = bytes + capacity / bytes * bytes;

    arena_chunk *chunk = memory_new(memory_lines(sizeof *chunk) + capacity);
    if (!chunk)
        return NULL;
    *chunk = (arena_chunk){.capacity = capacity, .bytes = (char *)chunk + memory_lines(sizeof *chunk)};
    arena->bytes += capacity;

    arena_chunk **end = &arena->first;
    while (*end)
        end = &(*end)->next;
    *end = chunk;
    return chunk;
}

void *arena_alloc(ag_arena *arena, size_t bytes)
{
    if (bytes > SIZE_MAX / 2)
        return NULL;
    bytes = memory_lines(bytes);
    arena_chunk *chunk = arena->first; /* the first that has room: small requests fill what large ones left */
    while (chunk && chunk->capacity - chunk->used < bytes)
        chunk = chunk->next;
    if (!chunk && !(chunk = add_chunk(arena, bytes)))
        return NULL;
    void *place = chunk->bytes + chunk->used;
    chunk->used += bytes;
    return place;
}

void arena_rewind(ag_arena *arena)
{
    for (arena_chunk *chunk = arena->first; chunk; chunk = chunk->next)
        chunk->used = 0;
}

void arena_clear(ag_arena *arena)
{
    while (arena->first) {
        arena_chunk *chunk = arena->first;
        arena->first = chunk->next;
        free(chunk);
    }
    *arena = (ag_arena){0};
}
