/* bpe.c - finds and applies merges: see bpe.h.
 *
 * A short word is merged on the stack, where the lowest merge is looked for among all
 * pairs after each merge. That takes time with the square of the length, so a long word
 * has a heap of its pairs.
 */
#include "bpe.h"

#include "files/grow.h"
#include "hash.h"
#include "heap.h"
#include "words.h"

#include <stdlib.h>
#include <string.h>

void data_bpe_clear(data_bpe *bpe)
{
    free(bpe->merges);
    free(bpe->slots);
    *bpe = (data_bpe){0};
}

/* ---- Finding and adding merges ---- */

/* The slot of the pair, or the empty slot where it would go. */
static size_t slot_of_pair(const data_bpe *bpe, int32_t left, int32_t right)
{
    size_t slot = (size_t)data_hash_pair(left, right) & (bpe->slot_count - 1);
    for (int32_t found; (found = bpe->slots[slot]) != 0; slot = (slot + 1) & (bpe->slot_count - 1))
        if (bpe->merges[found - 1].left == left && bpe->merges[found - 1].right == right)
            break;
    return slot;
}

int32_t data_bpe_find(const data_bpe *bpe, int32_t left, int32_t right)
{
    return bpe->slot_count ? bpe->slots[slot_of_pair(bpe, left, right)] - 1 : -1;
}

static bool grow_pair_slots(data_bpe *bpe)
{
    const size_t wanted = bpe->slot_count ? 2 * bpe->slot_count : 256;
    if ((size_t)bpe->count + 1 < bpe->slot_count / 2)
        return true;
    int32_t *slots = calloc(wanted, sizeof *slots);
    if (!slots)
        return false;
    free(bpe->slots);
    bpe->slots = slots;
    bpe->slot_count = wanted;
    for (int32_t i = 0; i < bpe->count; i++)
        slots[slot_of_pair(bpe, bpe->merges[i].left, bpe->merges[i].right)] = i + 1;
    return true;
}

bool data_bpe_add(data_bpe *bpe, data_merge merge)
{
    if (bpe->count == INT32_MAX - 1 || !data_grow(bpe->merges, (size_t)bpe->count, &bpe->merge_capacity) ||
        !grow_pair_slots(bpe))
        return false;
    bpe->merges[bpe->count] = merge;
    bpe->slots[slot_of_pair(bpe, merge.left, merge.right)] = ++bpe->count;
    return true;
}

/* ---- Short words ---- */

/* Merges a word of at most DATA_SHORT_WORD bytes into `tokens`; returns their number. */
static int merge_short_word(const data_bpe *bpe, const char *word, int size, int32_t *tokens)
{
    int32_t merges[DATA_SHORT_WORD]; /* [size - 1]: that of tokens i and i + 1, or -1 */
    for (int i = 0; i < size; i++)
        tokens[i] = bpe->bytes[(unsigned char)word[i]];
    for (int i = 0; i + 1 < size; i++)
        merges[i] = data_bpe_find(bpe, tokens[i], tokens[i + 1]);
    for (;;) {
        int best = -1;
        for (int i = 0; i + 1 < size; i++)
            if (merges[i] >= 0 && (best < 0 || merges[i] < merges[best]))
                best = i;
        if (best < 0)
            return size;
        tokens[best] = bpe->merges[merges[best]].both;
        size--;
        for (int i = best + 1; i < size; i++)
            tokens[i] = tokens[i + 1];
        for (int i = best + 1; i + 1 < size; i++)
            merges[i] = merges[i + 1];
        if (best > 0)
            merges[best - 1] = data_bpe_find(bpe, tokens[best - 1], tokens[best]);
        if (best + 1 < size)
            merges[best] = data_bpe_find(bpe, tokens[best], tokens[best + 1]);
    }
}

/* ---- Long words ---- */

/* A word as a list of tokens, each at the place of its first byte. */
typedef struct long_word {
    const data_bpe *bpe;
    size_t size;
    int32_t *tokens;         /* [size]; -1: part of the token before it */
    size_t *next, *previous; /* [size]: the places of the neighbours; size: none */
    data_heap heap;          /* of places: the merge of each with its next token */
} long_word;

/* Of equal merges, the first in the word. */
static bool is_earlier(const void *context, size_t a, size_t b)
{
    (void)context;
    return a < b;
}

/* The merge of the token at a place with the next, -1 if there is none. */
static int32_t merge_at(const long_word *word, size_t at)
{
    const size_t next = word->next[at];
    return next < word->size ? data_bpe_find(word->bpe, word->tokens[at], word->tokens[next]) : -1;
}

static bool push_merge(long_word *word, size_t at)
{
    const int32_t merge = merge_at(word, at);
    return merge < 0 || data_heap_push(&word->heap, (data_heap_entry){merge, at});
}

/* Merges the token at a place with the next. */
static bool merge_long(long_word *word, size_t at, int32_t merge)
{
    const size_t gone = word->next[at], next = word->next[gone], previous = word->previous[at];
    word->tokens[at] = word->bpe->merges[merge].both;
    word->tokens[gone] = -1;
    word->next[at] = next;
    if (next < word->size)
        word->previous[next] = at;
    return push_merge(word, at) && (previous == word->size || push_merge(word, previous));
}

static bool merge_all(long_word *word, const char *bytes)
{
    bool done = true;
    for (size_t i = 0; i < word->size; i++) {
        word->tokens[i] = word->bpe->bytes[(unsigned char)bytes[i]];
        word->next[i] = i + 1;
        word->previous[i] = i > 0 ? i - 1 : word->size;
    }
    for (size_t i = 0; i < word->size && done; i++)
        done = push_merge(word, i);
    while (done && word->heap.count > 0) {
        const data_heap_entry best = data_heap_pop(&word->heap);
        if (word->tokens[best.item] >= 0 && merge_at(word, best.item) == best.key) /* still there */
            done = merge_long(word, best.item, (int32_t)best.key);
    }
    return done;
}

/* Writes the tokens of a long word like data_bpe_encode. */
static int64_t encode_long_word(const data_bpe *bpe, const char *bytes, size_t size, int32_t *ids, int64_t capacity)
{
    long_word word = {.bpe = bpe, .size = size, .heap = {.before = is_earlier}};
    int64_t count = -1;
    word.tokens = malloc(size * sizeof *word.tokens);
    word.next = malloc(size * sizeof *word.next);
    word.previous = malloc(size * sizeof *word.previous);
    if (word.tokens && word.next && word.previous && merge_all(&word, bytes)) {
        count = 0;
        for (size_t i = 0; i < size; i = word.next[i], count++)
            if (count < capacity)
                ids[count] = word.tokens[i];
    }
    free(word.tokens);
    free(word.next);
    free(word.previous);
    data_heap_clear(&word.heap);
    return count;
}

/* ---- Texts ---- */

int64_t data_bpe_encode(const data_bpe *bpe, const char *text, size_t size, int32_t *ids, int64_t capacity)
{
    int32_t tokens[DATA_SHORT_WORD];
    int64_t count = 0;
    for (size_t at = 0, word_size; at < size; at += word_size) {
        word_size = data_word_size(text + at, size - at);
        const int64_t room = count < capacity ? capacity - count : 0;
        int64_t found;
        if (word_size <= DATA_SHORT_WORD) {
            found = merge_short_word(bpe, text + at, (int)word_size, tokens);
            if (room > 0)
                memcpy(ids + count, tokens, (size_t)(found < room ? found : room) * sizeof *ids);
        } else {
            found = encode_long_word(bpe, text + at, word_size, room > 0 ? ids + count : NULL, room);
        }
        if (found < 0)
            return -1;
        count += found;
    }
    return count;
}

/* ---- The visible form ---- */

/* Whether a byte is shown as the character of Latin-1 that it is. */
static bool is_shown(unsigned byte)
{
    return (byte > 0x20 && byte < 0x7F) || (byte > 0xA0 && byte != 0xAD);
}

/* The code point that shows a byte: of the others, the number of those before it and
 * 0x100. They are 00 to 20, 7F to A0, and AD. */
static uint32_t code_of_byte(unsigned byte)
{
    if (is_shown(byte))
        return byte;
    return 0x100 + (byte <= 0x20 ? byte : byte <= 0xA0 ? byte - 0x7F + 0x21 : 0x43);
}

/* The byte that a code point shows, -1 if it shows none. */
static int byte_of_code(uint32_t code)
{
    if (code < 0x100)
        return is_shown(code) ? (int)code : -1;
    const uint32_t number = code - 0x100;
    return number <= 0x20 ? (int)number : number < 0x43 ? (int)(number - 0x21 + 0x7F) : number == 0x43 ? 0xAD : -1;
}

size_t data_bpe_show(const char *bytes, size_t size, char *form)
{
    size_t length = 0;
    char character[5];
    for (size_t i = 0; i < size; i++) {
        const int more = ag_utf8_print(code_of_byte((unsigned char)bytes[i]), character);
        memcpy(form + length, character, (size_t)more);
        length += (size_t)more;
    }
    return length;
}

int data_bpe_next_byte(const char **form)
{
    const unsigned char *at = (const unsigned char *)*form;
    const int length = *at < 0x80 ? 1 : ag_utf8_length(*form, at[1] ? 2 : 1);
    const int byte = length == 1   ? byte_of_code(at[0])
                     : length == 2 ? byte_of_code((at[0] & 0x1Fu) << 6 | (at[1] & 0x3Fu))
                                   : -1;
    *form += byte < 0 ? 0 : length;
    return byte;
}
