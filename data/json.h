/* json.h - a strict reader of JSON text (RFC 8259) whose layout the caller knows.
 *
 * The caller walks the text with a cursor and asks for what must come next, so there is no tree, no allocation and no
 * recursion: nesting deeper than the caller asks for is simply not what was expected. The pattern of use:
 *
 *     data_json json = data_json_start(text, size);
 *     size_t members = 0;
 *     data_json_enter(&json, '{');
 *     while (data_json_more(&json, '}', &members)) {
 *         data_json_key(&json, key);
 *         data_json_u64(&json, &value);
 *     }
 *     if (!data_json_finish(&json))
 *         puts(json.problem);
 *
 * The first problem stays, and every later call returns false and does nothing.
 */
#ifndef DATA_JSON_H
#define DATA_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct data_json {
    const char *text; /* [size], well-formed UTF-8: the caller has checked it */
    size_t size, at;
    const char *problem; /* what is wrong at byte `at`, such as "a string was expected"; NULL: nothing yet */
} data_json;

data_json data_json_start(const char *text, size_t size);

/* Goes into an object ('{') or an array ('['). */
bool data_json_enter(data_json *json, char open);
/* Goes to the next member of an object (close '}') or of an array (']'): false after the last one, where the closing
 * mark is taken too, and on a problem. *count, which must start at 0, counts the members. */
bool data_json_more(data_json *json, char close, size_t *count);

/* A string, with its escapes undone: UTF-8 and a final zero in `out`, which needs as much room as the string takes in
 * the text, its quotes included. \u0000 is a problem: the result is a C string. */
bool data_json_string(data_json *json, char *out);
/* A string and the colon behind it. */
bool data_json_key(data_json *json, char *out);
/* A whole number from 0 to 2^64 - 1, without a sign, a fraction or an exponent. */
bool data_json_u64(data_json *json, uint64_t *value);

/* Moves over white space, to see where the next value begins. */
void data_json_skip_space(data_json *json);
/* True where there was no problem and nothing but white space is left. */
bool data_json_finish(data_json *json);

#endif
