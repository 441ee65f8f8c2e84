/* arena.h - memory that is handed out in order, given back all at once, and kept for the
 * next round.
 *
 * A training step asks for the same sequence of sizes each time. After a rewind the same
 * sequence finds the same places, so from the second step on the heap is not touched.
 * Where steps differ, a larger one adds chunks, and the rewind after it replaces all of
 * them by one that has room for such a step.
 *
 *     first                                  a list of chunks, which grow with the arena
 *       |
 *     +-v------------------+   +--------------------------+
 *     | A | B | C |        |-->| D         |              |
 *     +-----------^--------+   +-----------^--------------+
 *               used                     used
 *
 * Within a round a block can also be given back alone: arena_give puts it into the free
 * list, where arena_take looks first. The list begins with `free_blocks`, sorted by
 * address, so that neighbours are joined; each free block holds its size and the next
 * one's address in its own first bytes. */
#ifndef AUTOGRAD_ARENA_H
#define AUTOGRAD_ARENA_H

#include "memory.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct arena_chunk arena_chunk;
typedef struct arena_block arena_block;

/* A zeroed arena is an empty one. */
typedef struct ag_arena {
    arena_chunk *first;
    arena_block *free_blocks; /* sorted by address; NULL: nothing was given back */
    size_t bytes;             /* of all chunks */
    size_t taken;             /* of these, what is handed out and not given back */
    size_t kept;              /* of those that the last rewind kept */
    bool is_zeroed;           /* new chunks hold zeros */
} ag_arena;

/* `bytes` bytes from the first chunk that has room, aligned to MEMORY_ALIGNMENT, not
 * zeroed unless the arena is; NULL when memory is out. */
void *arena_alloc(ag_arena *arena, size_t bytes);
/* The same, but from the smallest free block that is large enough, if there is one. */
void *arena_take(ag_arena *arena, size_t bytes);
/* Gives back the block at `place`, which either function above returned for `bytes` >
 * 0. */
void arena_give(ag_arena *arena, void *place, size_t bytes);
/* Takes everything back. The chunks are kept, unless the round outgrew those that were
 * kept before: then a single one replaces them. */
void arena_rewind(ag_arena *arena);
/* Returns all memory to the system. */
void arena_clear(ag_arena *arena);

#endif
