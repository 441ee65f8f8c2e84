/* parallel.h - a pool of POSIX threads; the only place in the library that starts
 * threads. */
#ifndef AUTOGRAD_KERNELS_PARALLEL_H
#define AUTOGRAD_KERNELS_PARALLEL_H

#include <stdint.h>

/* The processors that this process may use: see processors.h. At least 1. */
int kernel_threads_available(void);

/* Works on the pieces begin <= i < end. `worker`, 0 .. threads - 1, selects memory of
 * the worker's own. A worker may be called several times for one region, never twice
 * at once. */
typedef void kernel_body(void *context, int64_t begin, int64_t end, int worker);

/* Runs body over the pieces 0 <= i < count on up to `threads` threads. Pieces must depend
 * neither on each other nor on `threads`: then the result has the same bits at any number
 * of threads, whichever thread computes which piece.
 *
 * Each worker begins with a contiguous run of pieces, the same run at each call with
 * equal count, so it often finds the data in its processor's cache. A worker that has
 * finished takes pieces of the others' runs, so a thread that the system does not
 * schedule delays only the pieces that it has taken.
 *
 * `work` is a rough count of all operations; a load with an addition counts as two.
 * Below a threshold the body runs on the calling thread alone, since waking others
 * would cost more. It also runs alone while the pool works for another thread of the
 * program: so callers never wait for each other, and never run more threads together
 * than one pool has. */
void kernel_parallel(int threads, int64_t count, double work, kernel_body *body, void *context);

/* For tests. If set, it is called each time a worker looks for pieces. It may wait, and
 * returns the worker from whose run the next single piece is taken (any number, taken
 * modulo `workers`). NULL: as described above. */
extern int (*kernel_parallel_disturb)(int worker, int workers);

#endif
