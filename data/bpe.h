/* bpe.h - the merges of a vocabulary of byte pairs. Internal to data/.
 *
 * A text is cut into words (words.h), and a word into bytes, each of which is a token.
 * Then the pair of neighbours that was learned first is replaced by the token of both,
 * everywhere in the word, and so on until no pair of neighbours is one that was learned.
 * Source: Sennrich, Haddow and Birch 2016, "Neural Machine Translation of Rare Words with
 * Subword Units", section 3.2; on bytes: Radford et al. 2019, section 2.2.
 *
 * A token has a visible form, GPT-2's: a byte that is a visible character of Latin-1 is
 * that character, and the other 68 bytes, in their order, are the characters from U+0100
 * on. A space is U+0120, a line feed U+010A. The form is UTF-8 without white space and
 * control characters, and two tokens never have the same.
 */
#ifndef DATA_BPE_H
#define DATA_BPE_H

#include "autograd.h"

enum { DATA_BYTES = 256 };

/* One merge: the pair of tokens, and the token of both. */
typedef struct data_merge {
    int32_t left, right, both;
} data_merge;

/* The merges in the order in which they were learned, and how to find them. */
typedef struct data_bpe {
    int32_t bytes[DATA_BYTES]; /* the id of the token of each byte */
    data_merge *merges;        /* [count] */
    int32_t count;
    size_t merge_capacity;
    int32_t *slots;    /* [slot_count]: hash table from pairs to merges; 0: empty, else the
                        * number of the merge and 1 */
    size_t slot_count; /* a power of two, more than twice `count`; 0: no table yet */
} data_bpe;

void data_bpe_clear(data_bpe *bpe);
/* The number of the merge of two tokens, -1 if they are not merged. */
int32_t data_bpe_find(const data_bpe *bpe, int32_t left, int32_t right);
/* Adds a merge that is not there yet. False, without a change, when memory is out. */
bool data_bpe_add(data_bpe *bpe, data_merge merge) AG_CHECKED;

/* Writes the tokens of text [size], any bytes, to `ids`, at most `capacity`, and returns
 * how many there are. -1: no memory for a word of more than DATA_SHORT_WORD bytes. */
int64_t data_bpe_encode(const data_bpe *bpe, const char *text, size_t size, int32_t *ids, int64_t capacity);
enum { DATA_SHORT_WORD = 256 };

/* Writes the visible form of bytes [size], without a final zero, to `form` with room for
 * 2 * size bytes, and returns its length. */
size_t data_bpe_show(const char *bytes, size_t size, char *form);
/* The byte that the visible form *form (zero-terminated) begins with; moves *form past
 * it. -1 at its end, and where it is no visible form. */
int data_bpe_next_byte(const char **form);

#endif
