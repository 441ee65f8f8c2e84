/* allocations.c - stands between the library and the C library's allocator (linked with
 * --wrap): counts, and fails on request. The bench counts with it, too. */
#include "allocations.h"

#include <errno.h>
#include <malloc.h>
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

/* ---- Bytes ------------------------------------------------------------------------- */

static atomic_llong allocated, allocated_most, allocated_before;

int64_t test_allocated_most(void)
{
    return atomic_load(&allocated_most) - atomic_load(&allocated_before);
}

void test_allocated_restart(void)
{
    atomic_store(&allocated_before, atomic_load(&allocated));
    atomic_store(&allocated_most, atomic_load(&allocated));
}

static void *note_taken(void *block)
{
    const long long size = block ? (long long)malloc_usable_size(block) : 0;
    const long long now = atomic_fetch_add(&allocated, size) + size;
    long long most = atomic_load(&allocated_most);
    while (now > most && !atomic_compare_exchange_weak(&allocated_most, &most, now))
        ;
    return block;
}

static void note_given(void *block)
{
    if (block)
        atomic_fetch_sub(&allocated, (long long)malloc_usable_size(block));
}

/* ---- The allocator ----------------------------------------------------------------- */

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
void __real_free(void *block);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
int __wrap_posix_memalign(void **block, size_t alignment, size_t size);
void __wrap_free(void *block);

void *__wrap_malloc(size_t size)
{
    return allocation_fails() ? NULL : note_taken(__real_malloc(size));
}

void *__wrap_calloc(size_t count, size_t size)
{
    return allocation_fails() ? NULL : note_taken(__real_calloc(count, size));
}

void *__wrap_realloc(void *old, size_t size)
{
    if (allocation_fails())
        return NULL;
    const long long before = old ? (long long)malloc_usable_size(old) : 0;
    void *block = __real_realloc(old, size);
    if (block || size == 0)
        atomic_fetch_sub(&allocated, before);
    return note_taken(block);
}

int __wrap_posix_memalign(void **block, size_t alignment, size_t size)
{
    const int code = allocation_fails() ? ENOMEM : __real_posix_memalign(block, alignment, size);
    if (code == 0)
        note_taken(*block);
    return code;
}

void __wrap_free(void *block)
{
    note_given(block);
    __real_free(block);
}
/* NOLINTEND(bugprone-reserved-identifier) */
