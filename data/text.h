/* text.h - characters of a text. Internal to data/. */
#ifndef DATA_TEXT_H
#define DATA_TEXT_H

#include <stddef.h>
#include <stdint.h>

/* The bytes of the white space character (Unicode's White_Space) with which text [size]
 * begins; 0 if it begins with another. */
int data_utf8_space(const char *text, size_t size);
/* The code point of a well-formed character of 1 to 4 bytes. */
uint32_t data_utf8_code(const char *text, int length);

#endif
