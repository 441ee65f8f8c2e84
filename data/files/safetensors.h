/* safetensors.h - what the reader and the writer of .safetensors files share: element
 * types, the checksum, limits.
 *
 * The format: 8 bytes with the header's length (little-endian), the header in JSON, the
 * tensors' data without holes.
 *
 *     {"__metadata__":{"key":"text"},
 *      "weight":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}}
 *
 * Offsets count from the first byte after the header; data are little-endian, row-major,
 * and need not be aligned.
 */
#ifndef DATA_SAFETENSORS_H
#define DATA_SAFETENSORS_H

#include "autograd.h"

#define SAFETENSORS_METADATA   "__metadata__" /* the only key of the header that is not a tensor */
#define SAFETENSORS_MAX_HEADER 100000000u     /* bytes; the format's limit */

/* ---- Element types (dtype.c) ------------------------------------------------------- */

typedef struct data_dtype {
    const char *name;
    unsigned bits;                            /* of one element */
    unsigned unit;                            /* bytes that the host orders together: 1,
                                               * 2, 4 or 8 */
    /* Converts an element of bits / 8 = `count` bytes; NULL: not supported. */
    ag_real (*load)(const unsigned char *bytes, int count);
} data_dtype;

/* The element type of that name; NULL if the format has none. Pointers ascend by
 * alignment. */
const data_dtype *data_dtype_find(const char *name);

/* The number of elements of a shape; false if a product (in the order of the axes)
 * exceeds 64 bits. */
bool data_shape_elements(int rank, const uint64_t *shape, uint64_t *elements);

/* The bytes that a tensor takes. Returns NULL, or what is wrong: "has more than 2^64
 * bits". */
const char *data_dtype_size(const data_dtype *dtype, int rank, const uint64_t *shape, uint64_t *bytes);

/* Whether the element at `bytes` is finite and its conversion `value` is not: an F64
 * beyond the range of F32. */
bool data_dtype_overflows(const data_dtype *dtype, const unsigned char *bytes, ag_real value);

/* ---- The checksum (safetensors_checksum.c) ----------------------------------------- */

/* Files that this library writes have the metadata "checksum": 16 lower-case hexadecimal
 * digits of FNV-1a (64 bits) over the whole file with zeros as these digits. */
#define CHECKSUM_KEY    "checksum"
#define CHECKSUM_DIGITS 16
#define CHECKSUM_ZEROS  "0000000000000000"

/* Continues a hash over more bytes (Fowler, Noll and Vo; draft-eastlake-fnv). Each step
 * is invertible, so two texts that differ in one byte never have the same hash. */
#define FNV1A_START UINT64_C(0xcbf29ce484222325)
uint64_t data_fnv1a(uint64_t hash, const void *bytes, size_t size);

void data_checksum_print(uint64_t hash, char digits[CHECKSUM_DIGITS + 1]);

/* Whether a key of the metadata and the text of its value, as in the header, are a
 * checksum, perhaps with one damaged byte: otherwise damage to the key or the digits
 * would silently turn the check off. */
bool data_checksum_meant(const char *key, const char *value, size_t value_size);

#endif
