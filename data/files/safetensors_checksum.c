/* safetensors_checksum.c - the checksum of the files that this library writes: FNV-1a
 * over all bytes. */
#include "safetensors.h"

#include <stdio.h>
#include <string.h>

uint64_t data_fnv1a(uint64_t hash, const void *bytes, size_t size)
{
    const unsigned char *byte = bytes;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ byte[i]) * UINT64_C(0x100000001b3);
    return hash;
}

void data_checksum_print(uint64_t hash, char digits[CHECKSUM_DIGITS + 1])
{
    snprintf(digits, CHECKSUM_DIGITS + 1, "%016llx", (unsigned long long)hash);
}

bool data_checksum_meant(const char *key, const char *value, size_t value_size)
{
    int strange = 0; /* bytes that no intact checksum has */
    if (strlen(key) != strlen(CHECKSUM_KEY) || value_size != CHECKSUM_DIGITS)
        return false;
    for (size_t i = 0; i < strlen(CHECKSUM_KEY); i++)
        strange += key[i] != CHECKSUM_KEY[i];
    for (size_t i = 0; i < value_size; i++)
        strange += !(value[i] >= '0' && value[i] <= '9') && !(value[i] >= 'a' && value[i] <= 'f');
    return strange <= 1;
}
