/* files.h - files as tapeformer reads and writes them: .safetensors, .npy and JSON, files
 * that appear whole or not at all, and folders.
 *
 * Readers trust nothing in a file: every length and count is checked against the file's
 * size before it is used. Functions that fail return a status, or NULL, with one sentence
 * in `error` (may be NULL) that names the file.
 *
 * Threads: an open file that is only read may be shared by any number of threads. Two
 * threads may save to one path: it then holds what the later one wrote, whole.
 */
#ifndef DATA_FILES_H
#define DATA_FILES_H

#include "autograd.h"

AG_HEADER_BEGIN

/* ---- UTF-8 ------------------------------------------------------------------------- */

/* The offset of the first byte of text [size] that is not well-formed UTF-8 (RFC 3629);
 * `size` if all of it is. */
size_t data_utf8_check(const char *text, size_t size);

/* ---- .safetensors ------------------------------------------------------------------ */

/* A tensor in a file. The file owns all that this points to. */
typedef struct data_tensor {
    const char *name;
    const char *dtype; /* "F32" */
    int rank;
    const uint64_t *shape;     /* [rank] */
    const unsigned char *data; /* [size] bytes, row-major, little-endian, not always
                                * aligned */
    uint64_t size;             /* in bytes */
} data_tensor;

/* An open file: its tensors, by number and by name, and its metadata. */
typedef struct data_safetensors data_safetensors;

/* Maps a file and checks it strictly by the format's rules: the header's length, UTF-8,
 * JSON, duplicate keys, offsets without holes or overlaps, sizes. If the metadata holds
 * "checksum", as in files that this library wrote, the content must agree with it. The
 * index of a sharded model (model.safetensors.index.json) opens as one file that has the
 * tensors of all shards and no metadata. The caller closes the file. NULL with the error:
 * AG_BAD_FILE, AG_IO, AG_NO_MEMORY. */
data_safetensors *data_safetensors_open(const char *path, ag_error *error);
/* Frees the file and all that it has handed out. NULL is allowed. */
void data_safetensors_close(data_safetensors *file);
/* Releases the pages of the file that have been read, so that a reader of large tensors
 * holds no second copy of them in memory. They are read in again when they are
 * touched. */
void data_safetensors_rest(const data_safetensors *file);
/* The number of tensors. */
int64_t data_safetensors_count(const data_safetensors *file);
/* Tensor number i in the order of the file, or the tensor of that name; NULL if there is
 * none. The file owns it.
 *
 * save_model of Python's safetensors omits a tensor that shares its storage with another
 * one, and notes the pair in the metadata ("omitted": "kept"): the omitted name finds the
 * kept tensor. */
const data_tensor *data_safetensors_at(const data_safetensors *file, int64_t i);
const data_tensor *data_safetensors_find(const data_safetensors *file, const char *name);
/* Removes `prefix` ("module.") from the names that begin with it; NULL restores all
 * names. AG_BAD_VALUE if no name begins with it or two names become equal; all names are
 * then restored. */
ag_status data_safetensors_strip(data_safetensors *file, const char *prefix, ag_error *error) AG_CHECKED;
/* The value of a key of the metadata; NULL if there is none. The file owns it. */
const char *data_safetensors_metadata(const data_safetensors *file, const char *key);

/* Converts a tensor's elements to ag_real, out [count]: F64, F32, F16, BF16, the integers
 * and BOOL; infinities and NaN too. AG_BAD_SHAPE if the tensor does not have `count`
 * elements, or its size does not fit its shape; AG_BAD_VALUE for another dtype, and for a
 * finite F64 beyond the range of ag_real. */
ag_status data_tensor_read(const data_tensor *tensor, ag_real *out, int64_t count, ag_error *error) AG_CHECKED;
/* The dtype of ag_real: "F32", or "F64" in the double library. */
extern const char *const data_real_dtype;

/* Collects the tensors and the metadata of a file that data_writer_save writes. */
typedef struct data_writer data_writer;
/* A writer with nothing to write yet; the caller frees it. NULL when memory is out. */
data_writer *data_writer_new(ag_error *error);
/* Frees the writer. NULL is allowed. */
void data_writer_free(data_writer *writer);
/* Adds a tensor of shape [rank]; `data` is row-major, in this machine's byte order. Name
 * and shape are copied; `data` must stay until data_writer_save reads it. Names must be
 * unique: data_writer_save checks. AG_BAD_VALUE or AG_BAD_SHAPE for what the format
 * cannot hold. */
ag_status data_writer_add(data_writer *writer, const char *name, const char *dtype, int rank, const uint64_t *shape,
                          const void *data, ag_error *error) AG_CHECKED;
/* The same for values [shape] of ag_real, as dtype data_real_dtype. */
ag_status data_writer_add_real(data_writer *writer, const char *name, ag_shape shape, const ag_real *values,
                               ag_error *error) AG_CHECKED;
/* Adds a key and its value, both UTF-8 and copied, to the metadata. AG_BAD_VALUE for
 * "checksum", which the writer sets itself. */
ag_status data_writer_metadata(data_writer *writer, const char *key, const char *value, ag_error *error) AG_CHECKED;
/* Leaves the checksum out, for files that other programs will change: a program that
 * keeps the metadata would keep the old checksum, and data_safetensors_open would refuse
 * its file. */
void data_writer_no_checksum(data_writer *writer);
/* Writes the file whole or not at all (data_output_open). The bytes depend on the content
 * alone: metadata by key; tensors by descending alignment of their dtype, then by name; a
 * checksum in the metadata. */
ag_status data_writer_save(data_writer *writer, const char *path, ag_error *error) AG_CHECKED;

/* ---- .npy -------------------------------------------------------------------------- */

/* The most axes of an array; NumPy 2 allows as many. */
#define DATA_ARRAY_DIMS 64

/* An array of numbers, row-major: the last axis varies fastest. */
typedef struct data_array {
    int ndim;
    int64_t dim[DATA_ARRAY_DIMS]; /* [ndim] */
    int64_t size;                 /* the product of the axes; 1 if there are none */
    ag_real *values;              /* [size] */
} data_array;

/* Frees the values and leaves the array zeroed, which is an empty one. */
void data_array_clear(data_array *array);

/* Reads the first array of a file that numpy.save wrote (versions 1.0 to 3.0): numbers
 * and booleans, of either byte order, in C or Fortran order. AG_BAD_FILE for any other
 * content (objects, records, complex numbers, strings), a malformed header, or missing
 * numbers; AG_IO if the file cannot be read; AG_NO_MEMORY. The caller clears the array,
 * which is empty after an error. */
ag_status data_npy_read(data_array *array, const char *path, ag_error *error) AG_CHECKED;
/* Writes the file whole or not at all: version 1.0, '<f4' ('<f8' in the double library),
 * byte for byte as NumPy (1.24 and later) saves that array. */
ag_status data_npy_write(const data_array *array, const char *path, ag_error *error) AG_CHECKED;

/* ---- Files that appear whole or not at all ----------------------------------------- */

/* A file that is being written. The bytes go to a temporary file in the same folder,
 * which replaces `path` at the end: a crash at any instant leaves the old file or the new
 * one.
 *
 * The new file gets the mode of the file that it replaces and, if the system allows it,
 * the owner and group; otherwise the mode that the umask leaves. A symbolic link at
 * `path` is replaced itself: its target stays as it was, and the new file has the
 * target's mode. The next writer of the same path removes a temporary file that a killed
 * process left, since that process's lock (flock) is gone; on a file system without locks
 * it stays.
 *
 *     data_output *output;
 *     ag_status status = data_output_open(&output, path, error);
 *     if (status == AG_OK) {
 *         data_output_put(output, bytes, size);
 *         status = data_output_finish(output, error);
 *     }
 */
typedef struct data_output data_output;

/* Begins a file; data_output_finish ends it. AG_IO if the folder cannot be written to, or
 * if `path` is (or leads to) something other than a regular file: a folder, a device, a
 * pipe; AG_NO_MEMORY. After an error there is nothing to finish. */
ag_status data_output_open(data_output **output, const char *path, ag_error *error) AG_CHECKED;
/* Whether data_output_open would succeed, for programs that work long before they write.
 * Creates the temporary file and removes it. AG_IO or AG_NO_MEMORY if it would fail. */
ag_status data_output_check(const char *path, ag_error *error) AG_CHECKED;
/* Appends bytes. After a failure, which data_output_finish reports, it returns false and
 * does nothing. */
bool data_output_put(data_output *output, const void *bytes, size_t size);
/* Overwrites bytes already put, `at` bytes from the start. Fails as data_output_put
 * does. */
bool data_output_patch(data_output *output, uint64_t at, const void *bytes, size_t size);
/* Flushes the bytes to disk and renames the temporary file to `path`. After any failure
 * it removes the temporary file and leaves `path` as it was, unless only the folder could
 * not be flushed: then `path` is the new file. Frees the output in every case. */
ag_status data_output_finish(data_output *output, ag_error *error) AG_CHECKED;

/* ---- Folders ----------------------------------------------------------------------- */

/* Makes a folder, with the folders above it that are missing. AG_IO if it cannot be made
 * or, being there, not be written to; AG_NO_MEMORY. */
ag_status data_folder_make(const char *folder, ag_error *error) AG_CHECKED;
/* Whether data_folder_make would succeed, for programs that work long before they write.
 * Changes nothing. AG_IO or AG_NO_MEMORY if it would fail. */
ag_status data_folder_check(const char *folder, ag_error *error) AG_CHECKED;
/* "folder/name", which the caller frees; NULL when memory is out. */
char *data_path_join(const char *folder, const char *name, ag_error *error);
/* Whether the path leads to a folder. */
bool data_path_is_folder(const char *path);
/* Removes the file of that name in the folder, if there is one. AG_IO if it cannot be
 * removed; AG_NO_MEMORY. */
ag_status data_folder_remove_file(const char *folder, const char *name, ag_error *error) AG_CHECKED;

/* ---- JSON -------------------------------------------------------------------------- */

/* A strict reader of JSON text (RFC 8259) whose structure the caller knows. The caller
 * moves a cursor through the text and asks for the value that must come next, so there is
 * no tree, no allocation and no recursion. Use:
 *
 *     data_json json = data_json_start(text, size);
 *     size_t members = 0;
 *     data_json_enter(&json, '{');
 *     while (data_json_more(&json, '}', &members)) {
 *         data_json_key(&json, key);
 *         data_json_u64(&json, &value);
 *     }
 *     if (!data_json_finish(&json))
 *         puts(json.problem);
 *
 * The first problem stays, and every later call returns false and does nothing. */
typedef struct data_json {
    const char *text; /* [size], well-formed UTF-8: the caller has checked it */
    size_t size, at;
    const char *problem; /* what is wrong at byte `at`: "a string was expected"; NULL: nothing */
} data_json;

/* A cursor at the beginning of text [size], which must outlive it. */
data_json data_json_start(const char *text, size_t size);
/* Enters an object ('{') or an array ('['). */
bool data_json_enter(data_json *json, char open);
/* Moves to the next member of an object (close '}') or array (']'). Returns false on a
 * problem, and after the last member, whose closing mark it takes. *count, which must
 * start at 0, counts the members. */
bool data_json_more(data_json *json, char close, size_t *count);
/* A string with its escapes decoded, as UTF-8 with a final zero. `out` needs as many
 * bytes as the string takes in the text with its quotes. \u0000 is a problem: the result
 * is a C string. */
bool data_json_string(data_json *json, char *out);
/* A string and the colon after it. */
bool data_json_key(data_json *json, char *out);
/* A whole number from 0 to 2^64 - 1, without a sign, a fraction or an exponent. */
bool data_json_u64(data_json *json, uint64_t *value);
/* Any number, as the nearest double; a number beyond the largest double is a problem. */
bool data_json_number(data_json *json, double *value);
/* Writes the shortest decimal text, of 15 to 17 digits, that reads back as the same
 * double; text [size], of at least 32 bytes. */
void data_number_print(double value, char *text, size_t size);
/* The word true or false. */
bool data_json_bool(data_json *json, bool *value);
/* The word null. */
bool data_json_null(data_json *json);
/* Skips white space and returns the character with which the next value begins; '\0' at
 * the end. */
char data_json_peek(data_json *json);
/* Whether there was no problem and nothing but white space is left. */
bool data_json_finish(data_json *json);

/* An object written member by member into a text, on one line. The result is valid JSON
 * for any members. Use:
 *
 *     char text[256];
 *     data_json_object object = data_json_object_start(text, sizeof text, "");
 *     data_json_put_integer(&object, "step", 7);
 *     data_json_put_number(&object, "loss", loss, 9);
 *     if (data_json_object_end(&object))
 *         puts(text);                                  // {"step":7,"loss":0.25}
 */
typedef struct data_json_object {
    char *text; /* [size], zero-terminated */
    size_t size, length;
    const char *gap; /* written after each colon and comma */
    int members;     /* of the innermost object or array that is open */
    int depth;       /* how many are open inside the object */
    bool grows;      /* the text is the object's own, and grows */
    bool failed;     /* the object is longer than `size`, or memory is out */
} data_json_object;

/* An object without members, to be written into text [size]. */
data_json_object data_json_object_start(char *text, size_t size, const char *gap);
/* The same in memory that grows with it: `text` is NULL before the first member. The
 * caller frees it in any case, also after memory ran out. */
data_json_object data_json_object_grow(const char *gap);
/* Opens a member that is an object ('{') or an array ('['); what is put then goes into
 * it, until data_json_close with the same bracket. Members of an array have the key
 * NULL, here and below. */
void data_json_open(data_json_object *object, const char *key, char bracket);
void data_json_close(data_json_object *object, char bracket);
/* Appends a member. In a text, a byte that is not UTF-8 becomes U+FFFD. */
void data_json_put_text(data_json_object *object, const char *key, const char *value);
/* The same of a text of `size` bytes, in which there may be zeros. */
void data_json_put_bytes(data_json_object *object, const char *key, const char *value, size_t size);
void data_json_put_bool(data_json_object *object, const char *key, bool value);
void data_json_put_integer(data_json_object *object, const char *key, int64_t value);
/* The same with this many significant digits, 1 to 17. JSON has no infinities or NaN: for
 * those the value is null, and a member KEY_is says "NaN", "Infinity" or "-Infinity"
 * (except in an array). */
void data_json_put_number(data_json_object *object, const char *key, double value, int digits);
/* Ends the object. Returns false if `size` was too small, or memory is out: the text is
 * then cut off. */
bool data_json_object_end(data_json_object *object);

AG_HEADER_END
#endif
