/* mapped_file.h - a file mapped into memory, read-only.
 *
 * The kernel pages the bytes in as they are touched and may drop them again, so a file of
 * a gigabyte costs no heap memory. What can be read but not mapped (a pipe, a terminal, a
 * device) is copied to a temporary file first, in the folder that TMPDIR names or in
 * /tmp. That file has no name, so it goes with the map, whatever ends the process.
 */
#ifndef DATA_MAP_H
#define DATA_MAP_H

#include "autograd.h"

typedef struct data_map {
    const unsigned char *bytes; /* [size]; never NULL after a successful open: an empty file has "" */
    size_t size;
    int descriptor; /* of the mapped file; open while size > 0 */
} data_map;

/* Maps the file at `path`; of a pipe, what comes until its writers have closed it. A
 * refusal is one sentence with the path and the system's reason; AG_INTERRUPTED where a
 * signal came while a pipe had nothing to read. */
ag_status data_map_open(data_map *map, const char *path, ag_error *error) AG_CHECKED;
/* Maps once more what `first` maps, without its path: a pipe can be read only once, and a
 * path may lead to another file by now. `path` is for the sentence of a refusal. */
ag_status data_map_again(data_map *map, const data_map *first, const char *path, ag_error *error) AG_CHECKED;
/* Lets go of the pages that have been read, as after a pass over the whole file: those wanted again are paged in again.
 */
void data_map_rest(const data_map *map);
/* A zeroed map may be closed, and a closed one again. */
void data_map_close(data_map *map);

#endif
