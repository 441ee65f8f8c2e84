/* grow.h - arrays that grow. */
#ifndef DATA_GROW_H
#define DATA_GROW_H

#include <stdbool.h>
#include <stddef.h>

/* Makes room for more than `count` elements of `element` bytes each: an array that has
 * none grows to at least double. `array` is the address of the variable that points to
 * the array. False when memory is out; the array then stays as it was. */
bool data_grow(void *array, size_t count, size_t *capacity, size_t element);

#endif
