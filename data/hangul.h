/* hangul.h - Korean syllables and the letters (jamo) that they consist of. Internal to
 * data/.
 *
 * A precomposed syllable, U+AC00 .. U+D7A3, is two or three conjoining jamo in one
 * character: a leading consonant L, a vowel V, and at most one trailing consonant T. The
 * Unicode Standard, section 3.12, computes one from the other, with l < 19, v < 21 and
 * t < 28 (0: no trailing consonant):
 *
 *     syllable = 0xAC00 + (21 l + v) 28 + t
 *     L = 0x1100 + l,  V = 0x1161 + v,  T = 0x11A7 + t
 *
 * Other jamo (U+3131 .., old letters) compose with nothing and stay as they are.
 */
#ifndef DATA_HANGUL_H
#define DATA_HANGUL_H

#include <stddef.h>

enum { DATA_JAMO_BYTES = 3 }; /* of every jamo, and of every syllable, in UTF-8 */

/* The jamo of the syllable at text[*at], one per call: DATA_JAMO_BYTES bytes, without a
 * final zero. The bytes of the syllable count the jamo: its first byte stands for L, its
 * second for V and its third for T, and *at moves on by one byte, or by two from V if
 * there is no T. NULL, and *at stays, where text[*at] is in no syllable. text [size] is
 * well-formed UTF-8. */
const char *data_hangul_next(const char *text, size_t size, size_t *at);

/* Which place in a syllable the jamo of a token (zero-terminated) has; DATA_NO_JAMO for
 * all that composes with nothing. */
typedef enum data_jamo { DATA_NO_JAMO = 0, DATA_JAMO_L, DATA_JAMO_V, DATA_JAMO_T } data_jamo;
data_jamo data_jamo_place(const char *token);

/* Writes the syllable of jamo L and V, and T unless it is NULL, with a final zero. */
void data_hangul_compose(const char *l, const char *v, const char *t, char syllable[5]);

#endif
