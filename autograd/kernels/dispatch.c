/* dispatch.c - chooses the instruction-set level, once per process. */
#include "kernels.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define DECLARE_LEVEL(level)                                                                                           \
    extern const kernel_product product_##level;                                                                       \
    extern const kernel_map map_##level;                                                                               \
    extern const kernel_rows rows_##level;                                                                             \
    extern const kernel_attention attention_##level;                                                                   \
    static const kernel_table table_##level = {#level, &product_##level, &map_##level, &rows_##level,                  \
                                               &attention_##level}

DECLARE_LEVEL(generic);
#ifdef KERNEL_HAS_avx2
DECLARE_LEVEL(avx2);
#endif
#ifdef KERNEL_HAS_avx512
DECLARE_LEVEL(avx512);
#endif

/* The best level that this processor has, but no better than the one named in the environment. */
static const kernel_table *choose(void)
{
    const char *wanted = getenv("TAPEFORMER_LEVEL");
#ifdef KERNEL_HAS_avx512
    if ((!wanted || !strcmp(wanted, "avx512")) && __builtin_cpu_supports("avx512f") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw"))
        return &table_avx512;
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
