/* map.h - a file mapped into memory, read-only.
 *
 * The kernel pages the bytes in as they are touched and may drop them again, so a file of a gigabyte costs no heap
 * memory.
 */
#ifndef DATA_MAP_H
#define DATA_MAP_H

#include "autograd.h"

typedef struct data_map {
    const unsigned char *bytes; /* [size]; never NULL after a successful open: an empty file has "" */
    size_t size;
} data_map;

/* Maps the regular file at `path`. A refusal is one sentence with the path and the system's reason. */
ag_status data_map_open(data_map *map, const char *path, ag_error *error);
/* Lets go of the pages that have been read, as after a pass over the whole file: those wanted again are paged in again.
 */
void data_map_rest(const data_map *map);
/* A zeroed map may be closed, and a closed one again. */
void data_map_close(data_map *map);

#endif
