/* sha256.h - the SHA-256 of some bytes (FIPS 180-4), as base64. */
#ifndef TESTS_SHA256_H
#define TESTS_SHA256_H

#include <stddef.h>

enum { SHA256_BASE64 = 45 }; /* characters with the final zero */

void test_sha256_base64(const void *bytes, size_t size, char text[SHA256_BASE64]);

#endif
