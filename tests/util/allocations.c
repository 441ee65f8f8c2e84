/* allocations.c - stands between the library and the C library's allocator (linked with
 * --wrap): counts, and fails on request. The bench counts with it, too. */
#include "allocations.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

static atomic_llong allocations, allocation_to_fail;

int64_t test_allocations(void)
{
    return atomic_load(&allocations);
}

void test_fail_allocation(int64_t n)
{
    atomic_store(&allocation_to_fail, n ? atomic_load(&allocations) + n : 0);
}

static bool allocation_fails(void)
{
    if (atomic_fetch_add(&allocations, 1) + 1 != atomic_load(&allocation_to_fail))
        return false;
    errno = ENOMEM;
    return true;
}

/* NOLINTBEGIN(bugprone-reserved-identifier): the names are the linker's */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
int __real_posix_memalign(void **block, size_t alignment, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
int __wrap_posix_memalign(void **block, size_t alignment, size_t size);

void *__wrap_malloc(size_t size)
{
    return allocation_fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return allocation_fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    return allocation_fails() ? NULL : __real_realloc(old, size);
}

int __wrap_posix_memalign(void **block, size_t alignment, size_t size)
{
    return allocation_fails() ? ENOMEM : __real_posix_memalign(block, alignment, size);
}
/* NOLINTEND(bugprone-reserved-identifier) */
