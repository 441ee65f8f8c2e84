/* output.h - a file that appears whole or not at all.
 *
 *     data_output *output;
 *     ag_status status = data_output_open(&output, path, error);
 *     if (status == AG_OK) {
 *         data_output_put(output, bytes, size);
 *         status = data_output_finish(output, error);
 *     }
 *
 * The bytes go to a temporary file in the same folder, which replaces `path` at the end: a crash at any instant leaves
 * the old file or the new one. A temporary file that a killed process left is removed when the same path is written
 * again.
 */
#ifndef DATA_OUTPUT_H
#define DATA_OUTPUT_H

#include "autograd.h"

typedef struct data_output data_output;

/* Begins a file: AG_IO where the folder cannot be written to, AG_NO_MEMORY. */
ag_status data_output_open(data_output **output, const char *path, ag_error *error);

/* Appends bytes. A failure is remembered for data_output_finish; false from then on. */
bool data_output_put(data_output *output, const void *bytes, size_t size);

/* Writes over bytes that were put before, `at` bytes from the start. */
bool data_output_patch(data_output *output, uint64_t at, const void *bytes, size_t size);

/* Flushes the bytes to the disk and lets them be the file `path`; or, after any failure, removes what was written and
 * leaves `path` as it was (but where the folder alone could not be flushed: then `path` is the new file). Frees the
 * output in all cases. */
ag_status data_output_finish(data_output *output, ag_error *error);

#endif
