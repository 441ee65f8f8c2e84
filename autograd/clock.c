/* clock.c - the clocks of measurements, and the machine's peak. */
#include "autograd.h"
#include "kernels/peak.h"

#include <time.h>

double ag_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

double ag_processor_seconds(void)
{
#ifdef CLOCK_PROCESS_CPUTIME_ID
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
#else /* WebAssembly, where the process has one thread */
    return ag_seconds();
#endif
}

double ag_peak(int threads, double seconds)
{
    enum { WARM_UP = 2, FEWEST = 10 };
    const double end = ag_seconds() + seconds;
    double best = 0;
    for (int sample = 0; sample < WARM_UP + FEWEST || ag_seconds() < end; sample++) {
        const double start = ag_seconds(), done = kernel_peak_sample(threads), rate = done / (ag_seconds() - start);
        if (sample >= WARM_UP && rate > best)
            best = rate;
    }
    return best;
}
