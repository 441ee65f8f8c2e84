/* allocations.h - counts allocations and their bytes, and makes one fail. */
#ifndef TESTS_ALLOCATIONS_H
#define TESTS_ALLOCATIONS_H

#include <stdint.h>

/* The number of allocations of the library and the program since the start. */
int64_t test_allocations(void);
/* Lets the n-th allocation from now fail (1: the next; 0: none). Those after it succeed
 * again. */
void test_fail_allocation(int64_t n);

/* The most bytes that were allocated at once since the last call of
 * test_allocated_restart, above those at that call. */
int64_t test_allocated_most(void);
void test_allocated_restart(void);

#endif
