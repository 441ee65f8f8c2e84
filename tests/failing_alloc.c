/* failing_alloc.c - stands between the library and the C library's allocator (linked with --wrap): counts, and fails on
 * request. */
#include "check_util.h"

#include <errno.h>
#include <stdatomic.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
int __real_posix_memalign(void **block, size_t alignment, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
int __wrap_posix_memalign(void **block, size_t alignment, size_t size);

static atomic_llong allocations, fail_at;

int64_t test_allocations(void)
{
    return atomic_load(&allocations);
}

void test_fail_allocation(int64_t n)
{
    atomic_store(&fail_at, n ? atomic_load(&allocations) + n : 0);
}

static bool fails(void)
{
    return atomic_fetch_add(&allocations, 1) + 1 == atomic_load(&fail_at);
}

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    return fails() ? NULL : __real_realloc(old, size);
}

int __wrap_posix_memalign(void **block, size_t alignment, size_t size)
{
    return fails() ? ENOMEM : __real_posix_memalign(block, alignment, size);
}
