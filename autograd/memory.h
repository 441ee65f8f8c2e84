/* memory.h - the memory of tapes and of long vectors (ag_numbers_new). */
#ifndef AUTOGRAD_MEMORY_H
#define AUTOGRAD_MEMORY_H

#include <stddef.h>

#define MEMORY_ALIGNMENT 64 /* a cache line, and the widest vector */

/* `bytes` rounded up to whole cache lines, at least one. */
static inline size_t memory_lines(size_t bytes)
{
    return ((bytes ? bytes : 1) + MEMORY_ALIGNMENT - 1) / MEMORY_ALIGNMENT * MEMORY_ALIGNMENT;
}

/* Allocates bytes aligned to MEMORY_ALIGNMENT, not zeroed; the caller frees them with
 * free(). NULL if memory is out. Large blocks lie in huge pages if the system has them:
 * the processor translates addresses in few large pages faster than in many small
 * ones. */
void *memory_new(size_t bytes);
/* The same, zeroed. */
void *memory_zeros(size_t bytes);

#endif
