/* lent.c - memory of the tape that outlives rewinds (ag_tape_borrow).
 *
 * It lies in an arena of its own. The line before a lent block holds its size, that line
 * included. */
#include "tape.h"

#include <string.h>

void *ag_tape_borrow(ag_tape *tape, size_t bytes)
{
    const size_t whole = MEMORY_ALIGNMENT + bytes;
    char *block = bytes > SIZE_MAX / 2 ? NULL : arena_take(&tape->lent, whole);
    if (!block) {
        ag_tape_fail(tape, AG_NO_MEMORY, "out of memory: %zu bytes are wanted of a tape that holds %zu", bytes,
                     ag_tape_bytes(tape));
        return NULL;
    }
    memcpy(block, &whole, sizeof whole);
    return block + MEMORY_ALIGNMENT;
}

/* Once nothing is lent, one block with room for all replaces those that became too
 * small. */
void ag_tape_return(ag_tape *tape, void *place)
{
    size_t whole;
    if (!place)
        return;
    char *block = (char *)place - MEMORY_ALIGNMENT;
    memcpy(&whole, block, sizeof whole);
    arena_give(&tape->lent, block, whole);
    if (tape->lent.taken == 0)
        arena_rewind(&tape->lent);
}
