/* grow.c - arrays that grow. */
#include "grow.h"

#include <stdint.h>
#include <stdlib.h>

void *data_grow(void *array, size_t count, size_t *capacity, size_t element)
{
    if (count < *capacity)
        return array;
    size_t wanted = *capacity ? *capacity : 8;
    while (wanted <= count) {
        if (wanted > SIZE_MAX / 2)
            return NULL;
        wanted *= 2;
    }
    void *larger = wanted <= SIZE_MAX / element ? realloc(array, wanted * element) : NULL;
    if (larger)
        *capacity = wanted;
    return larger;
}
