/* parallel.h - the one place that knows threads: a pool of its own on POSIX threads. */
#ifndef AUTOGRAD_KERNELS_PARALLEL_H
#define AUTOGRAD_KERNELS_PARALLEL_H

#include <stdint.h>

/* The processors that this process may use: see processors.h. At least 1. */
int kernel_threads_available(void);

/* Work on pieces begin <= i < end. `worker` is 0 .. threads-1, for memory of the worker's
 * own; a worker may be called several times for one region, never twice at once. */
typedef void kernel_body(void *context, int64_t begin, int64_t end, int worker);

/* Runs body over the pieces 0 <= i < count on up to `threads` threads. The pieces must
 * not depend on one another nor on `threads`: then the result has the same bits at any
 * number of threads, whoever computes which piece.
 *
 * Each worker begins with a contiguous run of pieces, the same one at each call of equal
 * count, so it often finds the data in its processor's cache. A worker that is done takes
 * what is left of the others' runs, so a thread that the system does not schedule holds
 * up what it has taken and no more.
 *
 * `work` is a rough count of operations of the whole, where a load with an addition are
 * two; below a threshold the body runs on this thread alone, since waking others costs
 * more. It runs alone, too, where the pool works for another thread of the program:
 * several callers never wait for each other, and never run more threads than one pool
 * has. */
void kernel_parallel(int threads, int64_t count, double work, kernel_body *body, void *context);

/* For tests: where set, called each time a worker looks for pieces; it may wait, and
 * returns the worker from whose run the next single piece is taken (any number; it counts
 * modulo `workers`). NULL: as described above. */
extern int (*kernel_parallel_disturb)(int worker, int workers);

#endif
