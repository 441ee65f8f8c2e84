/* dispatch.c - chooses the instruction-set level, once per process. */
#include "kernels.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#ifdef KERNEL_HAS_bf16
#include <cpuid.h>
#endif

#define TABLE(level)                                                                                                   \
    .name = #level, .product = &product_##level, .map = &map_##level, .rows = &rows_##level,                           \
    .attention = &attention_##level, .update = &update_##level
#define DECLARE_LEVEL(level)                                                                                           \
    extern const kernel_product product_##level;                                                                       \
    extern const kernel_map map_##level;                                                                               \
    extern const kernel_rows rows_##level;                                                                             \
    extern const kernel_attention attention_##level;                                                                   \
    extern const kernel_update update_##level;                                                                         \
    static const kernel_table table_##level = {TABLE(level)}

DECLARE_LEVEL(generic);
#ifdef KERNEL_HAS_avx2
DECLARE_LEVEL(avx2);
#endif
#ifdef KERNEL_HAS_avx512
DECLARE_LEVEL(avx512);
#endif

#ifdef KERNEL_HAS_bf16
extern const kernel_product product_bf16;
static const kernel_table table_avx512_bf16 = {TABLE(avx512), .product_bf16 = &product_bf16};

/* Whether the processor, one with AVX-512, has dot products of bfloat16. (Not every compiler that can make them can ask
 * for them by name.) */
static bool has_bf16(void)
{
    unsigned a = 0, b, c, d;
    return __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a >> 5 & 1);
}
#endif

/* The best level that this processor has, but no better than the one named in the environment. */
static const kernel_table *choose(void)
{
    const char *wanted = getenv("TAPEFORMER_LEVEL");
#ifdef KERNEL_HAS_avx512
    if ((!wanted || !strcmp(wanted, "avx512")) && __builtin_cpu_supports("avx512f") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512bw")) {
#ifdef KERNEL_HAS_bf16
        if (has_bf16())
            return &table_avx512_bf16;
#endif
        return &table_avx512;
    }
#endif
#ifdef KERNEL_HAS_avx2
    if ((!wanted || strcmp(wanted, "generic")) && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return &table_avx2;
#endif
    (void)wanted;
    return &table_generic;
}

const kernel_table *kernels(void)
{
    static _Atomic(const kernel_table *) chosen;
    const kernel_table *table = atomic_load_explicit(&chosen, memory_order_acquire);
    if (!table) {
        table = choose(); /* two threads may both choose; they choose the same */
        atomic_store_explicit(&chosen, table, memory_order_release);
    }
    return table;
}
