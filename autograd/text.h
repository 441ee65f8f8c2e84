/* text.h - text for people and files: the same in every locale, and safe to print.
 *
 * A program may have called setlocale; then the C library's printf and strtod use another
 * decimal point. The functions here set the C locale for the calling thread while they
 * work. And text from outside, such as a file's name or a token, may steer a terminal;
 * here it is shown with a visible sign for each character that would.
 *
 * All functions may be called from any thread at any time, but not beside setlocale.
 */
#ifndef AG_TEXT_H
#define AG_TEXT_H

#include "real.h"

#include <stdarg.h>

AG_HEADER_BEGIN

/* ---- Numbers and formats ----------------------------------------------------------- */

/* snprintf in the C locale: numbers have a decimal point and no groups of digits, and a
 * NaN has no sign. The conversions are those of char, int, long, long long, size_t,
 * double, strings and pointers. Returns the length that the whole text has, or -1 if
 * memory is out. */
int ag_text_print(char *text, size_t size, const char *format, ...) AG_PRINTF(3, 4);
/* vsnprintf in the C locale, otherwise as ag_text_print. */
int ag_text_print_list(char *text, size_t size, const char *format, va_list arguments) AG_PRINTF(3, 0);
/* strtod in the C locale. `end` may be NULL. */
double ag_number_read(const char *text, const char **end);

/* ---- Sentences --------------------------------------------------------------------- */

/* The room for a sentence in bytes, its final zero included. */
#define AG_MESSAGE_SIZE 512

/* Writes a sentence for a person, such as an error's: prints by `format` as ag_text_print
 * does, then shows the result as ag_text_show does. */
void ag_sentence_print(char text[AG_MESSAGE_SIZE], const char *format, ...) AG_PRINTF(2, 3);
/* Returns `one` if the count is 1, else `many`: "%lld %s", n, ag_plural(n, "token",
 * "tokens"). */
const char *ag_plural(int64_t count, const char *one, const char *many);

/* The room for the text of a system error in bytes. */
#define AG_REASON_TEXT 128
/* Writes in English what the value `number` of errno means, and returns `text`. */
char *ag_reason_print(int number, char text[AG_REASON_TEXT]);
/* The same inside an expression: the text lives as long as the block around it (C
 * only). */
#define AG_REASON(number) ag_reason_print((number), (char[AG_REASON_TEXT]){0})

/* ---- UTF-8, and text from outside -------------------------------------------------- */

/* The length in bytes, 1 to 4, of the UTF-8 sequence that text[0..size) begins with; 0 if
 * it begins with none that is well formed (RFC 3629: no overlong forms, no surrogates,
 * nothing above U+10FFFF, nothing cut short). */
int ag_utf8_length(const char *text, size_t size);
/* Writes a code point up to U+10FFFF as UTF-8 with a final zero, and returns its length
 * in bytes. */
int ag_utf8_print(uint32_t code, char text[5]);

/* Copies `text` to `out` [size > 3] with a visible sign for each character that could
 * steer a terminal or turn the direction of text: a control character becomes its picture
 * (U+240A for a line feed, U+241B for an escape); a byte that is no UTF-8, a C1 control,
 * a control of direction, an invisible mark and a code point that is no character become
 * U+FFFD. A text that does not fit is cut and ends in "...". Returns `out`. */
char *ag_text_show(const char *text, char *out, size_t size);
/* Reads the first character of text[0..size) and sets *code to the code point that
 * ag_text_show shows for it. Returns the bytes to go forward in the text, 0 at its
 * end. */
int ag_text_show_next(const char *text, size_t size, uint32_t *code);

AG_HEADER_END
#endif
