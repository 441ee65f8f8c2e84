/* peak.c - the limit: multiply-adds in registers alone, at the widest instructions that the processor has.
 *
 * Independent chains of s = s a + a, more of them than a multiply-add takes cycles times what a processor starts in a
 * cycle, so that no chain waits for itself. They tend to 1, so nothing overflows or becomes subnormal. */
#include "bench.h"
#include "kernels/parallel.h"

#include <math.h>

/* Of a sample: about a millisecond, beside which the start of a thread is small, and for which a busy machine may leave
 * us alone. */
#define ROUNDS 200000

typedef struct peak_level {
    const char *name;
    ag_real (*chains)(int64_t rounds);
    int numbers; /* that one round works on */
} peak_level;

/* ---- The chains -------------------------------------------------------------------- */

/* Without a fast fused multiply-add, a multiplication and an addition are the best there
 * is. */
#if defined(TAPEFORMER_DOUBLE) && defined(FP_FAST_FMA)
#define MULTIPLY_ADD(a, b, c) fma(a, b, c)
#elif !defined(TAPEFORMER_DOUBLE) && defined(FP_FAST_FMAF)
#define MULTIPLY_ADD(a, b, c) fmaf(a, b, c)
#else
#define MULTIPLY_ADD(a, b, c) ((a) * (b) + (c))
#endif

enum { GENERIC_NUMBERS = 12 * (16 / sizeof(ag_real)) }; /* 12 registers of 16 bytes */

static ag_real chains_generic(int64_t rounds)
{
    ag_real sums[GENERIC_NUMBERS] = {0}, total = 0;
    const ag_real half = (ag_real)0.5;
    for (int64_t round = 0; round < rounds; round++)
        for (int i = 0; i < GENERIC_NUMBERS; i++)
            sums[i] = MULTIPLY_ADD(sums[i], half, half);
    for (int i = 0; i < GENERIC_NUMBERS; i++)
        total += sums[i];
    return total;
}

#if defined(__x86_64__)
#include <immintrin.h>

#ifdef TAPEFORMER_DOUBLE
typedef __m256d numbers256;
typedef __m512d numbers512;
#define OF_REAL(name) name##_pd
#else
typedef __m256 numbers256;
typedef __m512 numbers512;
#define OF_REAL(name) name##_ps
#endif

#define DEFINE_CHAINS(bits, instructions, prefix, registers)                                                           \
    __attribute__((target(instructions))) static ag_real chains_##bits(int64_t rounds)                                 \
    {                                                                                                                  \
        numbers##bits sums[registers], half = OF_REAL(prefix##_set1)((ag_real)0.5);                                    \
        for (int i = 0; i < (registers); i++)                                                                          \
            sums[i] = OF_REAL(prefix##_setzero)();                                                                     \
        for (int64_t round = 0; round < rounds; round++)                                                               \
            for (int i = 0; i < (registers); i++)                                                                      \
                sums[i] = OF_REAL(prefix##_fmadd)(sums[i], half, half);                                                \
        for (int i = 1; i < (registers); i++)                                                                          \
            sums[0] = OF_REAL(prefix##_add)(sums[0], sums[i]);                                                         \
        return sums[0][0];                                                                                             \
    }

enum { REGISTERS_256 = 12, REGISTERS_512 = 16 };
DEFINE_CHAINS(256, "avx2,fma", _mm256, REGISTERS_256)
DEFINE_CHAINS(512, "avx512f", _mm512, REGISTERS_512)
#endif

static peak_level widest(void)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f"))
        return (peak_level){"avx512", chains_512, REGISTERS_512 * (64 / sizeof(ag_real))};
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return (peak_level){"avx2", chains_256, REGISTERS_256 * (32 / sizeof(ag_real))};
#endif
    return (peak_level){"generic", chains_generic, GENERIC_NUMBERS};
}

/* ---- Measuring --------------------------------------------------------------------- */

typedef struct peak_task {
    peak_level level;
    int threads;
    ag_real kept; /* a sum of the chains, so that they have to be computed */
} peak_task;

static void run_chains(void *context, int64_t begin, int64_t end, int worker)
{
    peak_task *task = context;
    ag_real kept = 0;
    for (int64_t i = begin; i < end; i++)
        kept += task->level.chains(ROUNDS);
    if (worker == 0)
        task->kept = kept;
}

static ag_status run_all(void *context, ag_error *error)
{
    peak_task *task = context;
    (void)error;
    kernel_parallel(task->threads, task->threads, 1e9, run_chains, task);
    return AG_OK;
}

ag_status bench_peak_measure(int threads, double seconds, double *gflops, ag_error *error)
{
    const bench_effort effort = {.warm_up = 2, .seconds = seconds, .fewest = 10, .most = 1000};
    peak_task task = {.level = widest(), .threads = threads};
    bench_times times;
    ag_status status = bench_time(run_all, &task, &effort, &times, error);
    if (status == AG_OK)
        *gflops = 2e-9 * task.level.numbers * ROUNDS * threads / times.least;
    return status;
}

static ag_status measure(const void *threads, void *gflops, ag_error *error)
{
    return bench_peak_measure(*(const int *)threads, 0.4, gflops, error);
}

ag_status bench_peak(bench_options *options, ag_error *error)
{
    ag_status status = AG_OK;
    for (int i = 0; i < options->count_count && status == AG_OK; i++)
        status = bench_child(measure, &options->counts[i], &options->peak[i], sizeof options->peak[i], error);
    return status;
}

void bench_peak_report(const bench_options *options)
{
    for (int i = 0; i < options->count_count; i++) {
        const bench_field fields[] = {
            {.key = "instructions", .title = "widest", .text = widest().name},
            {.key = "threads", .title = "threads", .number = options->counts[i]},
            {.key = "gflops", .title = "GFLOP/s", .number = options->peak[i], .digits = 1},
            {.key = "gflops_per_thread",
             .title = "a thread",
             .number = options->peak[i] / options->counts[i],
             .digits = 1},
        };
        bench_report(options->json, "peak", fields, sizeof fields / sizeof *fields);
    }
}
