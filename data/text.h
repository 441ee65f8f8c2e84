/* utf8.h - white space and text checks. Internal to data/. */
#ifndef DATA_UTF8_H
#define DATA_UTF8_H

#include <stddef.h>

/* The length in bytes of the white space character (Unicode's White_Space property) at text[0..size); 0 where the
 * character is none. */
int data_utf8_space(const char *text, size_t size);

#endif
