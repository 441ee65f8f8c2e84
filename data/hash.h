/* hash.h - hashing of text, and random streams kept apart by what they are for. Internal to data/. */
#ifndef DATA_HASH_H
#define DATA_HASH_H

#include <stddef.h>
#include <stdint.h>

/* Spreads every bit of x over all 64: the finalizer of G. L. Steele, D. Lea, C. H. Flood: Fast splittable pseudorandom
 * number generators. OOPSLA 2014 (with the constants of D. Stafford's variant 13). */
static inline uint64_t data_mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ (x >> 31);
}

/* FNV-1a (Fowler, Noll, Vo), mixed so that the high bits are as good as the low ones. */
static inline uint64_t data_hash(const char *text, size_t size, uint64_t key)
{
    uint64_t hash = 0xCBF29CE484222325u ^ key;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ (unsigned char)text[i]) * 0x100000001B3u;
    return data_mix(hash);
}

/* What random numbers are drawn for. One seed of the user serves them all without one use meeting another's numbers. */
typedef enum data_purpose { DATA_FOR_EXAMPLES = 1, DATA_FOR_ORDER, DATA_FOR_SHIFT, DATA_FOR_SPLIT } data_purpose;

static inline uint64_t data_seed(uint64_t seed, data_purpose purpose)
{
    return data_mix(seed + 0x9E3779B97F4A7C15u * (uint64_t)purpose);
}

#endif
