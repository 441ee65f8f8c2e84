/* hash.h - hashing of text. Internal to data/. */
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

#endif
