/* json_write.h - how a character stands in a string of JSON. Internal to data/. */
#ifndef DATA_JSON_WRITE_H
#define DATA_JSON_WRITE_H

#include <stddef.h>

/* Writes the byte as it stands in a string of JSON, with no more escapes than RFC 8259
 * (section 7) wants, each in its shortest form, and returns its length. */
size_t data_json_escape(char byte, char escape[8]);

#endif
