/* grow.h - arrays that grow. */
#ifndef DATA_GROW_H
#define DATA_GROW_H

#include <stdbool.h>
#include <stddef.h>

/* Makes room for more than `count` elements in `array`, a variable that points to them:
 * an array that has none grows to at least double. False when memory is out; the array
 * then stays as it was. */
#define data_grow(array, count, capacity) data_grow_bytes((array), &(array), count, capacity, sizeof *(array))

/* The same for the array `from`, whose variable is at `array`. */
bool data_grow_bytes(void *from, void *array, size_t count, size_t *capacity, size_t element);

#endif
