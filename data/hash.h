/* hash.h - hashing of text and of pairs of tokens. Internal to data/. */
#ifndef DATA_HASH_H
#define DATA_HASH_H

#include "autograd.h"

/* FNV-1a (Fowler, Noll, Vo), mixed so that the high bits are as good as the low ones. */
static inline uint64_t data_hash(const char *text, size_t size, uint64_t key)
{
    uint64_t hash = 0xCBF29CE484222325u ^ key;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ (unsigned char)text[i]) * 0x100000001B3u;
    return ag_mix(hash);
}

/* The same of two numbers (Knuth, The Art of Computer Programming, volume 3, section 6.4:
 * multiplicative hashing). */
static inline uint64_t data_hash_pair(int32_t left, int32_t right)
{
    const uint64_t key = (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
    return (key * UINT64_C(0x9E3779B97F4A7C15)) >> 32;
}

#endif
