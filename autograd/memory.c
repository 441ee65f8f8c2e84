/* memory.c - aligned memory, in huge pages where that pays. */
#define _DEFAULT_SOURCE /* madvise */
#include "memory.h"

#include "autograd.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define HUGE_PAGE ((size_t)2 << 20)

static size_t whole(size_t bytes, size_t of)
{
    return (bytes + of - 1) / of * of;
}

void *memory_new(size_t bytes)
{
    if (bytes > SIZE_MAX / 2)
        return NULL;
#ifdef MADV_HUGEPAGE
    if (bytes >= 2 * HUGE_PAGE) {
        void *block = aligned_alloc(HUGE_PAGE, whole(bytes, HUGE_PAGE));
        if (block)
            madvise(block, whole(bytes, HUGE_PAGE), MADV_HUGEPAGE);
        return block;
    }
#endif
    return aligned_alloc(MEMORY_ALIGNMENT, whole(bytes ? bytes : 1, MEMORY_ALIGNMENT));
}

real *ag_numbers_new(int64_t count)
{
    const size_t bytes =
        count < 0 || (uint64_t)count > SIZE_MAX / sizeof(real) ? SIZE_MAX : (size_t)count * sizeof(real);
    real *numbers = memory_new(bytes);
    if (numbers)
        memset(numbers, 0, bytes);
    return numbers;
}
