/* dispatch.c - chooses the instruction-set level, once per process. */
#include "kernels.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef KERNEL_HAS_bf16
#include <cpuid.h>
#endif

#define FAMILIES(level)                                                                                                \
    .product = &kernel_product_##level, .elementwise = &kernel_elementwise_##level, .rows = &kernel_rows_##level,      \
    .attention = &kernel_attention_##level, .update = &kernel_update_##level
#define TABLE(level) .name = #level, FAMILIES(level)
#define DECLARE_LEVEL(level)                                                                                           \
    extern const kernel_product kernel_product_##level;                                                                \
    extern const kernel_elementwise kernel_elementwise_##level;                                                        \
    extern const kernel_rows kernel_rows_##level;                                                                      \
    extern const kernel_attention kernel_attention_##level;                                                            \
    extern const kernel_update kernel_update_##level;                                                                  \
    static const kernel_table table_##level = {TABLE(level)}

DECLARE_LEVEL(plain);
#ifdef KERNEL_HAS_generic
DECLARE_LEVEL(generic);
#endif
#ifdef KERNEL_HAS_neon
DECLARE_LEVEL(neon);
#endif
#ifdef KERNEL_HAS_avx2
DECLARE_LEVEL(avx2);
#endif
#ifdef KERNEL_HAS_avx512
DECLARE_LEVEL(avx512);
#endif
/* The table of a process whose environment names a level that it does not have. No tape
 * accepts it, for it has no name. */
static const kernel_table table_refused = {FAMILIES(plain)};

#ifdef KERNEL_HAS_bf16
extern const kernel_product kernel_product_bf16;
static const kernel_table table_avx512_bf16 = {TABLE(avx512), .product_bf16 = &kernel_product_bf16};

/* Whether the processor, one with AVX-512, has dot products of bfloat16. (Not every
 * compiler that can make them can ask for them by name.) */
static bool has_bf16(void)
{
    unsigned a = 0, b, c, d;
    return __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a >> 5 & 1);
}
#endif

/* Each level's table, or NULL if the build or the processor does not have it. */
static const kernel_table *plain(void)
{
    return &table_plain;
}

static const kernel_table *generic(void)
{
#ifdef KERNEL_HAS_generic
    return &table_generic;
#else
    return NULL;
#endif
}

/* (Every processor of aarch64 has it.) */
static const kernel_table *neon(void)
{
#ifdef KERNEL_HAS_neon
    return &table_neon;
#else
    return NULL;
#endif
}

static const kernel_table *avx2(void)
{
#ifdef KERNEL_HAS_avx2
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return &table_avx2;
#endif
    return NULL;
}

static const kernel_table *avx512(void)
{
#ifdef KERNEL_HAS_avx512
    const bool has = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
                     __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw");
#ifdef KERNEL_HAS_bf16
    if (has && has_bf16())
        return &table_avx512_bf16;
#endif
    if (has)
        return &table_avx512;
#endif
    return NULL;
}

/* From the slowest to the fastest. */
static const struct level {
    const char *name;
    const kernel_table *(*table)(void);
} levels[] = {{"plain", plain}, {"generic", generic}, {"neon", neon}, {"avx2", avx2}, {"avx512", avx512}};
enum { LEVELS = sizeof levels / sizeof *levels };

static const struct level *find_level(const char *name)
{
    for (int i = 0; i < LEVELS; i++)
        if (!strcmp(levels[i].name, name))
            return &levels[i];
    return NULL;
}

const kernel_table *kernel_level(const char *name)
{
    const struct level *level = find_level(name);
    return level ? level->table() : NULL;
}

/* The level that the environment names, or "". */
static const char *wanted_level(void)
{
    const char *name = getenv(KERNEL_LEVEL_VARIABLE);
    return name ? name : "";
}

static const kernel_table *choose(void)
{
    const char *wanted = wanted_level();
    const kernel_table *best = NULL;
    if (*wanted)
        return kernel_level(wanted) ? kernel_level(wanted) : &table_refused;
    for (int i = 0; i < LEVELS; i++)
        best = levels[i].table() ? levels[i].table() : best;
    return best;
}

const kernel_table *kernels(void)
{
    static _Atomic(const kernel_table *) chosen;
    const kernel_table *table = atomic_load(&chosen);
    if (!table) {
        const kernel_table *mine = choose();
        /* (if two threads choose at once, the first decides) */
        table = atomic_compare_exchange_strong(&chosen, &table, mine) ? mine : table;
    }
    return table;
}

/* "plain, generic and avx2": the levels of this build and processor, or all. */
static void list_levels(bool all, char *text, size_t size)
{
    const char *names[LEVELS];
    int count = 0;
    for (int i = 0; i < LEVELS; i++)
        if (all || levels[i].table())
            names[count++] = levels[i].name;
    size_t length = 0;
    for (int i = 0; i < count && length < size; i++)
        length += (size_t)snprintf(text + length, size - length, "%s%s",
                                   i == 0           ? ""
                                   : i == count - 1 ? " and "
                                                    : ", ",
                                   names[i]);
}

bool kernel_level_refused(char *text, size_t size)
{
    char names[64];
    const char *wanted = wanted_level();
    if (kernels()->name)
        return false;
    const bool known = find_level(wanted) != NULL;
    list_levels(!known, names, sizeof names);
    snprintf(text, size,
             known ? KERNEL_LEVEL_VARIABLE " is %.40s, which this processor or build does not have: it has %s"
                   : KERNEL_LEVEL_VARIABLE " is '%.40s', which is no level: there are %s",
             wanted, names);
    return true;
}
