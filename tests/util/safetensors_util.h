/* safetensors_util.h - a folder with one .safetensors file in it, for the tests of these
 * files. */
#ifndef TESTS_SAFETENSORS_UTIL_H
#define TESTS_SAFETENSORS_UTIL_H

#include "check_util.h"
#include "data.h"

/* SHAPE(2, 3): rank and shape, two arguments. */
#define SHAPE(...)                                                                                                     \
    (int)(sizeof((uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t)), (const uint64_t[])                                    \
    {                                                                                                                  \
        __VA_ARGS__                                                                                                    \
    }
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* The folder of the test that runs, and the file in it: a fixture. */
extern char *tensors_folder, *tensors_path;
void tensors_set_up(void);
void tensors_tear_down(void);

/* These must succeed. */
data_writer *tensors_writer(void);
void tensors_add(data_writer *writer, const char *name, const char *dtype, int rank, const uint64_t *shape,
                 const void *data);
void tensors_save(data_writer *writer);
data_safetensors *tensors_open(void);

/* The bytes of the file, which the caller frees; makes the file from bytes. */
unsigned char *tensors_read_bytes(size_t *size);
void tensors_write_bytes(const void *bytes, size_t size);
/* How many files the folder holds. */
int tensors_files(void);

/* A small file with everything in it: metadata on both sides of the checksum, several
 * types, no bytes, no axes. */
void tensors_note_small(data_writer *writer);
void tensors_save_small(void);

#endif
