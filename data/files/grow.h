/* grow.h - arrays that grow. */
#ifndef DATA_GROW_H
#define DATA_GROW_H

#include <stddef.h>

/* The array, of `element` bytes each, with room for more than `count` elements: grown to
 * at least double if it had none. NULL when memory is out; the old array then stays as it
 * was. */
void *data_grow(void *array, size_t count, size_t *capacity, size_t element);

#endif
