/* text.h - characters of a text, and what no text holds. Internal to data/. */
#ifndef DATA_TEXT_H
#define DATA_TEXT_H

#include "autograd.h"

#include <stddef.h>
#include <stdint.h>

/* The bytes of the white space character (Unicode's White_Space) with which text [size]
 * begins; 0 if it begins with another. */
int data_utf8_space(const char *text, size_t size);
/* The code point of a well-formed character of 1 to 4 bytes. */
uint32_t data_utf8_code(const char *text, int length);

/* AG_BAD_FILE with file, line and byte if data_text_check finds a bad one in the text
 * [size] of the file `name`, else AG_OK. */
ag_status data_text_refuse(const char *name, const char *text, size_t size, ag_error *error) AG_CHECKED;
/* AG_BAD_FILE: byte `bad` of the text of the file `name`, by its line, and the reason. */
ag_status data_byte_refuse(const char *name, const char *text, size_t bad, const char *reason,
                           ag_error *error) AG_CHECKED;

#endif
