/* sha256.h - the SHA-256 of some bytes (FIPS 180-4), and bytes as base64 (RFC 4648). */
#ifndef DATA_SHA256_H
#define DATA_SHA256_H

#include <stddef.h>

enum { DATA_SHA256 = 32 }; /* bytes of a digest */
void data_sha256(const void *bytes, size_t size, unsigned char digest[DATA_SHA256]);

/* Characters of `size` bytes as base64, with the final zero. */
#define DATA_BASE64(size) (((size) + 2) / 3 * 4 + 1)
void data_base64(const void *bytes, size_t size, char *text);

#endif
