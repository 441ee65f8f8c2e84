/* parallel.c - OpenMP, or one thread without it. */
#include "parallel.h"

#ifdef _OPENMP
#include <omp.h>
#endif

/* Some tens of microseconds of work: what it takes for a second thread to pay. */
#define WORTH_A_THREAD 5e4

/* gcc's OpenMP run time is not instrumented, so the thread sanitizer does not see that a region's threads start after
 * and end before the code around it. These tell it. */
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define WATCHED_BY_TSAN
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define WATCHED_BY_TSAN
#endif
#ifdef WATCHED_BY_TSAN
void __tsan_acquire(void *);
void __tsan_release(void *);
#define SYNC_ACQUIRE(place) __tsan_acquire(place)
#define SYNC_RELEASE(place) __tsan_release(place)
/* A region's threads read what they are handed before they can acquire: that is not looked at. */
#define UNWATCHED __attribute__((no_sanitize("thread")))
#else
#define SYNC_ACQUIRE(place) (void)(place)
#define SYNC_RELEASE(place) (void)(place)
#define UNWATCHED
#endif

int kernel_threads_available(void)
{
#ifdef _OPENMP
    return omp_get_max_threads();
#else
    return 1;
#endif
}

UNWATCHED void kernel_parallel(int threads, int64_t count, double work, kernel_body *body, void *context)
{
    if (count <= 0)
        return;
#ifdef _OPENMP
    if (threads > count)
        threads = (int)count;
    if (threads > 1 && work >= WORTH_A_THREAD && !omp_in_parallel()) {
        SYNC_RELEASE(context);
#pragma omp parallel num_threads(threads)
        {
            SYNC_ACQUIRE(context);
            int worker = omp_get_thread_num(), workers = omp_get_num_threads();
            body(context, count * worker / workers, count * (worker + 1) / workers, worker);
            SYNC_RELEASE(context);
        }
        SYNC_ACQUIRE(context);
        return;
    }
#else
    (void)threads;
    (void)work;
#endif
    body(context, 0, count, 0);
}
