/* arena.h - memory that is given back all at once, and kept for the next time. */
#ifndef AUTOGRAD_ARENA_H
#define AUTOGRAD_ARENA_H

#include "memory.h"

#include <stddef.h>
#include <stdint.h>

typedef struct arena_chunk arena_chunk;

/* A list of chunks. A zeroed arena is an empty one. */
typedef struct ag_arena {
    arena_chunk *first;
    size_t bytes; /* of all chunks */
} ag_arena;

void *arena_alloc(ag_arena *arena, size_t bytes); /* aligned as memory_new's, not zeroed; NULL when memory is out */
void arena_rewind(ag_arena *arena);               /* all is free again; no memory goes back to the system */
void arena_clear(ag_arena *arena);                /* all memory goes back */

#endif
