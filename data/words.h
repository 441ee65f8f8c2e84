/* words.h - cuts a text into the words within which byte pairs are merged. Internal to
 * data/. */
#ifndef DATA_WORDS_H
#define DATA_WORDS_H

#include <stddef.h>
#include <stdint.h>

/* The classes of characters at which words end. Letters and numbers are the general
 * categories L* and N* of Unicode 15.0.0, white space is the property White_Space, and
 * all else is other: signs, combining marks, code points without a character. */
typedef enum data_character { DATA_OTHER = 0, DATA_LETTER, DATA_NUMBER, DATA_SPACE } data_character;

/* The class of a code point. */
data_character data_character_of(uint32_t code);

/* The bytes of the word with which text [size > 0] begins. The words of a text are one
 * after another all of its bytes. The rule is that of GPT-2, the first of these that
 * matches, each as long as it can be:
 *
 *     's 't 're 've 'm 'll 'd       what English contracts
 *     letters, or numbers, or others, each with one space (U+0020) before them or none
 *     white space up to the last one before a character of another class
 *     white space
 *
 * So a space belongs to the word after it. The bytes need not be UTF-8: a byte that
 * begins no well-formed character is other.
 * Source: Radford et al. 2019, "Language Models are Unsupervised Multitask Learners",
 * section 2.2; the pattern is that of the code published with it (encoder.py). */
size_t data_word_size(const char *text, size_t size);

#endif
