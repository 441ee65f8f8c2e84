/* peak.c - the limit of a processor: multiply-adds in registers alone, at the widest
 * instructions that it has, whatever the level of the kernels.
 *
 * Independent chains of s = s a + a, more of them than a multiply-add takes cycles times
 * the number that a processor starts in a cycle, so no chain waits for itself. They tend
 * to 1, so nothing overflows or becomes subnormal. */
#include "peak.h"
#include "parallel.h"
#include "real.h"

#include <math.h>

/* Of a sample: about a millisecond. Beside that the start of a thread is short, and a
 * busy machine may leave a sample alone. */
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

#if defined(__x86_64__) && !defined(TAPEFORMER_PLAIN)
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
#if defined(__x86_64__) && !defined(TAPEFORMER_PLAIN)
    if (__builtin_cpu_supports("avx512f"))
        return (peak_level){"avx512", chains_512, REGISTERS_512 * (64 / sizeof(ag_real))};
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return (peak_level){"avx2", chains_256, REGISTERS_256 * (32 / sizeof(ag_real))};
#endif
#ifdef __aarch64__
    return (peak_level){"neon", chains_generic, GENERIC_NUMBERS};
#else
    return (peak_level){"generic", chains_generic, GENERIC_NUMBERS};
#endif
}

/* ---- Samples ----------------------------------------------------------------------- */

typedef struct peak_task {
    peak_level level;
    volatile ag_real kept; /* a sum of the chains, so that they have to be computed */
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

double kernel_peak_sample(int threads)
{
    peak_task task = {.level = widest()};
    kernel_parallel(threads, threads, 1e9, run_chains, &task);
    return (double)task.level.numbers * ROUNDS * threads;
}

const char *kernel_peak_instructions(void)
{
    return widest().name;
}
