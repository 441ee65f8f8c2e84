/* grow.h - arrays that grow. */
#ifndef DATA_GROW_H
#define DATA_GROW_H

#include <stddef.h>

/* An array [*capacity] with room for more than `count` elements of `element` bytes, at least doubled when it had none.
 * NULL, and the old array stays as it was, when memory is out. */
void *data_grow(void *array, size_t count, size_t *capacity, size_t element);

#endif
