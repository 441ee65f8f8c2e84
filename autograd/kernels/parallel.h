/* parallel.h - the one place that knows threads. */
#ifndef AUTOGRAD_KERNELS_PARALLEL_H
#define AUTOGRAD_KERNELS_PARALLEL_H

#include <stdint.h>

/* Threads that the machine offers; 1 in a build without OpenMP. */
int kernel_threads_available(void);

/* Work on pieces begin <= i < end; `worker` is 0 .. threads-1, for memory of one's own. */
typedef void kernel_body(void *context, int64_t begin, int64_t end, int worker);

/* Runs body over the pieces 0 <= i < count on up to `threads` threads, each taking one contiguous run. The pieces must
 * not depend on one another nor on `threads`: then the result has the same bits at any number of threads. `work` is a
 * rough count of operations of the whole, where a load with an addition are two; below a threshold the body runs on
 * this thread alone, since waking others costs more. */
void kernel_parallel(int threads, int64_t count, double work, kernel_body *body, void *context);

#endif
