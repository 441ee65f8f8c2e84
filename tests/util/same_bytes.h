/* same_bytes.h - the promise that the number of threads changes no bit, put to the
 * test. */
#ifndef TESTS_SAME_BYTES_H
#define TESTS_SAME_BYTES_H

#include "autograd.h"

/* Runs f forward and backward on drawn inputs of these shapes with 1, 2 and 4 threads,
 * and fails the running test unless the result and every input's gradient have the same
 * bytes each time. */
void test_same_bytes(ag_function f, void *context, const ag_shape *shapes, int count);

#endif
