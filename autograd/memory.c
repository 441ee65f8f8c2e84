/* memory.c - aligned memory, in huge pages where that pays. */
/* NOLINTNEXTLINE(bugprone-reserved-identifier): the system's name, for madvise */
#define _DEFAULT_SOURCE
#include "memory.h"

#include "autograd.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define HUGE_PAGE  ((size_t)2 << 20)
#define LEAST_HUGE ((size_t)4 << 20)

/* Only whole huge pages are asked of the system; small pages hold the rest, so that
 * rounding up wastes no memory. */
void *memory_new(size_t bytes)
{
    void *block = NULL;
    size_t huge = 0;
#ifdef MADV_HUGEPAGE
    huge = bytes < LEAST_HUGE ? 0 : bytes / HUGE_PAGE * HUGE_PAGE;
#endif
    if (bytes > SIZE_MAX / 2 || posix_memalign(&block, huge ? HUGE_PAGE : MEMORY_ALIGNMENT, bytes ? bytes : 1) != 0)
        return NULL;
#ifdef MADV_HUGEPAGE
    if (huge)
        madvise(block, huge, MADV_HUGEPAGE);
#endif
    return block;
}

void *memory_zeros(size_t bytes)
{
    void *block = memory_new(bytes);
    return block ? memset(block, 0, bytes) : NULL;
}

ag_real *ag_numbers_new(int64_t count)
{
    const size_t bytes =
        count < 0 || (uint64_t)count > SIZE_MAX / sizeof(ag_real) ? SIZE_MAX : (size_t)count * sizeof(ag_real);
    return memory_zeros(bytes);
}
