/* arena.c - see arena.h for the picture.
 *
 * Invariants: the bytes of a chunk below `used` are handed out or in the free list, those
 * above it are not; and no two blocks of the free list touch. */
#include "arena.h"

#include <stdlib.h>

struct arena_chunk {
    arena_chunk *next;
    size_t capacity, used;
    char *bytes; /* the first aligned byte after this header */
};

/* A block that was given back; this header lies in its first bytes. */
struct arena_block {
    size_t bytes;      /* whole lines */
    arena_block *next; /* at a higher address */
};

#define SMALLEST_CHUNK ((size_t)1 << 16)
#define LARGEST_STEP   ((size_t)1 << 26)
#define SLACK          32 /* a single chunk has room for 1/SLACK more than was needed */

/* The capacity of a new chunk for `bytes`, about half of the arena: chunks stay few, so
 * few of their ends stay empty, and what the last one has beyond its use is never
 * touched. It is a multiple of the request, since most tensors of a model have one of a
 * few sizes. */
static size_t new_capacity(const ag_arena *arena, size_t bytes)
{
    size_t capacity = arena->bytes / 2;
    if (capacity < SMALLEST_CHUNK)
        capacity = SMALLEST_CHUNK;
    if (capacity > LARGEST_STEP)
        capacity = LARGEST_STEP;
    return bytes + capacity / bytes * bytes;
}

/* Adds a chunk with room for `bytes` at the end of the list. */
static arena_chunk *add_chunk(ag_arena *arena, size_t bytes)
{
    const size_t capacity = new_capacity(arena, bytes);
    const size_t whole = memory_lines(sizeof(arena_chunk)) + capacity;
    arena_chunk *chunk = arena->is_zeroed ? memory_zeros(whole) : memory_new(whole);
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
    /* The first chunk with room: small requests fill what large ones left. */
    arena_chunk *chunk = arena->first;
    while (chunk && chunk->capacity - chunk->used < bytes)
        chunk = chunk->next;
    if (!chunk && !(chunk = add_chunk(arena, bytes)))
        return NULL;
    void *place = chunk->bytes + chunk->used;
    chunk->used += bytes;
    arena->taken += bytes;
    return place;
}

/* Unlinks the smallest free block of at least `bytes`, NULL if there is none, and puts
 * what it has beyond them back into its place in the list. */
static arena_block *take_free(ag_arena *arena, size_t bytes)
{
    arena_block **best = NULL;
    for (arena_block **link = &arena->free_blocks; *link; link = &(*link)->next)
        if ((*link)->bytes >= bytes && (!best || (*link)->bytes < (*best)->bytes))
            best = link;
    if (!best)
        return NULL;
    arena_block *block = *best, *next = block->next;
    if (block->bytes > bytes) {
        arena_block *rest = (arena_block *)(void *)((char *)block + bytes);
        *rest = (arena_block){.bytes = block->bytes - bytes, .next = next};
        next = rest;
    }
    *best = next;
    return block;
}

void *arena_take(ag_arena *arena, size_t bytes)
{
    arena_block *block = take_free(arena, memory_lines(bytes));
    if (block)
        arena->taken += memory_lines(bytes);
    return block ? (void *)block : arena_alloc(arena, bytes);
}

/* Joins a free block with the next one if they touch. */
static void join_next(arena_block *block)
{
    if (block->next && (char *)block + block->bytes == (char *)block->next) {
        block->bytes += block->next->bytes;
        block->next = block->next->next;
    }
}

void arena_give(ag_arena *arena, void *place, size_t bytes)
{
    arena_block **link = &arena->free_blocks, *before = NULL, *block = place;
    while (*link && (uintptr_t)*link < (uintptr_t)block) {
        before = *link;
        link = &before->next;
    }
    *block = (arena_block){.bytes = memory_lines(bytes), .next = *link};
    *link = block;
    arena->taken -= block->bytes;
    join_next(block);
    if (before)
        join_next(before);
}

static void free_chunks(ag_arena *arena)
{
    while (arena->first) {
        arena_chunk *chunk = arena->first;
        arena->first = chunk->next;
        free(chunk);
    }
    arena->bytes = 0;
    arena->free_blocks = NULL;
}

/* Chunks waste memory where a round asks for other sizes than those that made them: it
 * leaves their ends empty and adds chunks. So after a round that outgrew the chunks of an
 * earlier one, a single chunk with room for all of it replaces them. (If there is no
 * memory for it, the next request asks again, and reports it.) */
void arena_rewind(ag_arena *arena)
{
    size_t used = 0;
    for (arena_chunk *chunk = arena->first; chunk; chunk = chunk->next) {
        used += chunk->used;
        chunk->used = 0;
    }
    arena->free_blocks = NULL;
    arena->taken = 0;
    if (arena->kept > 0 && arena->bytes > arena->kept) {
        free_chunks(arena);
        add_chunk(arena, memory_lines(used + used / SLACK));
    }
    arena->kept = arena->bytes;
}

void arena_clear(ag_arena *arena)
{
    free_chunks(arena);
    *arena = (ag_arena){0};
}
