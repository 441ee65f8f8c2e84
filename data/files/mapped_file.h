/* mapped_file.h - a file mapped into memory, read-only.
 *
 * The system reads pages in when they are touched and may drop them again, so a file of a
 * gigabyte costs no heap memory. What can be read but not mapped (a pipe, a terminal, a
 * device) is first copied to a temporary file in the folder that TMPDIR names, or in
 * /tmp. That file has no name, so it goes with the map, whatever ends the process.
 */
#ifndef DATA_MAPPED_FILE_H
#define DATA_MAPPED_FILE_H

#include "autograd.h"

typedef struct data_map {
    const unsigned char *bytes; /* [size]; of an empty file "", never NULL */
    size_t size;
    int descriptor; /* of the mapped file; open while size > 0 */
} data_map;

/* Maps the file at `path`, or, if that is "-", the standard input from where it stands;
 * of a pipe, all that comes until its writers have closed it. An
 * error is a sentence with the path and the system's reason; AG_INTERRUPTED if a signal
 * came while a pipe had nothing to read. */
ag_status data_map_open(data_map *map, const char *path, ag_error *error) AG_CHECKED;
/* How sentences call the file at `path`: "-" is "stdin". */
const char *data_map_name(const char *path);
/* Maps again what `first` maps, without opening its path: a pipe can be read only once,
 * and the path may lead to another file by now. `path` is for the error's sentence. */
ag_status data_map_again(data_map *map, const data_map *first, const char *path, ag_error *error) AG_CHECKED;
/* Releases the pages that have been read, as after a pass over the whole file; they are
 * read in again when they are touched. */
void data_map_rest(const data_map *map);
/* Closes the map, which may be zeroed or closed already. */
void data_map_close(data_map *map);

#endif
