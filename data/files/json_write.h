/* json_write.h - the escapes of strings in JSON. Internal to data/files/. */
#ifndef DATA_JSON_WRITE_H
#define DATA_JSON_WRITE_H

#include <stddef.h>

/* Writes a byte of a JSON string, escaped only if RFC 8259 (section 7) requires it and in
 * the shortest form, and returns its length. */
size_t data_json_escape(char byte, char escape[8]);

#endif
