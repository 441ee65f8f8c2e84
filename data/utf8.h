/* utf8.h - white space and text checks. Internal to data/. */
#ifndef DATA_UTF8_H
#define DATA_UTF8_H

#include <stddef.h>

/* The length in bytes of the white space character (Unicode's White_Space property) at text[0..size); 0 where the
 * character is none. */
int data_utf8_space(const char *text, size_t size);

/* The offset of the first byte of `text` that no text may hold here - a zero byte, or what is not well-formed UTF-8 -
 * or `size`; *why then says which. */
size_t data_text_check(const char *text, size_t size, const char **why);

#endif
