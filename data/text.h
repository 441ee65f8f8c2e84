/* text.h - white space in a text. Internal to data/. */
#ifndef DATA_TEXT_H
#define DATA_TEXT_H

#include <stddef.h>

/* The bytes of the white space character (Unicode's White_Space) with which text [size]
 * begins; 0 if it begins with another. */
int data_utf8_space(const char *text, size_t size);

#endif
