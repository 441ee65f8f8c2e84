/* composed.h - letters that a text has in two forms: as one character, and as a letter
 * with combining marks. Internal to data/. */
#ifndef DATA_COMPOSED_H
#define DATA_COMPOSED_H

#include "autograd.h"

#include <stddef.h>
#include <stdint.h>

/* All letters of this table have one character in the first 65536 code points. */
enum { DATA_COMPOSED_CODES = 65536 };

/* Where texts have a letter. A Korean syllable counts as a letter, and its jamo as its
 * decomposed form. */
typedef struct data_composed {
    int64_t whole;      /* times as one character */
    int64_t decomposed; /* times in several */
    int64_t line;       /* the first line in which it is decomposed, of this file */
    const char *file;
} data_composed;

/* Counts the letters of a text [size], well-formed UTF-8, in letters
 * [DATA_COMPOSED_CODES], which begins zeroed; a letter's number is its code point. A
 * letter with several marks is decomposed if the first of them compose it. */
void data_composed_add(data_composed *letters, const char *text, size_t size, const char *file, int64_t line);

#endif
