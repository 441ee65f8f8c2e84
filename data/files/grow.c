/* grow.c - arrays that grow. */
#include "grow.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

bool data_grow_bytes(void *from, void *array, size_t count, size_t *capacity, size_t element)
{
    if (count < *capacity)
        return true;
    size_t wanted = *capacity ? *capacity : 8;
    while (wanted <= count) {
        if (wanted > SIZE_MAX / 2)
            return false;
        wanted *= 2;
    }
    void *bytes = wanted <= SIZE_MAX / element ? realloc(from, wanted * element) : NULL;
    if (!bytes)
        return false;
    memcpy(array, &bytes, sizeof bytes);
    *capacity = wanted;
    return true;
}
