/* memory.h - the memory of tapes and of long vectors (ag_numbers_new). */
#ifndef AUTOGRAD_MEMORY_H
#define AUTOGRAD_MEMORY_H

#include <stddef.h>

#define MEMORY_ALIGNMENT 64 /* a cache line, and the widest vector */

/* `bytes` rounded up to whole lines, one at least. */
static inline size_t memory_lines(size_t bytes)
{
    return ((bytes ? bytes : 1) + MEMORY_ALIGNMENT - 1) / MEMORY_ALIGNMENT * MEMORY_ALIGNMENT;
}

/* So many bytes, aligned to MEMORY_ALIGNMENT, not zeroed, for free(); NULL when memory is out. Large blocks are asked
 * of the system in huge pages, where it has them: a processor finds places in few large pages faster than in many small
 * ones. */
void *memory_new(size_t bytes);

#endif
