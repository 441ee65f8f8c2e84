/* vocab.c - the two-way map between tokens and ids; text to ids and back.
 *
 * All tokens lie zero-terminated in one pool, in the order of their ids; a hash table
 * with open addressing leads from a token to its id. The marks are in the pool but not in
 * the table: a word "<pad>" in a text is a word like any other.
 */
#include "bpe.h"
#include "data.h"
#include "files/grow.h"
#include "hangul.h"
#include "hash.h"
#include "files/quote.h"
#include "text.h"
#include "vocab.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct data_vocab {
    data_token_kind kind;
    bool tags;    /* its texts may begin with tags */
    data_bpe bpe; /* DATA_BPE: the merges of its tokens, which are in the pool in their
                   * visible form */
    int32_t marks[DATA_SPECIALS]; /* their ids; DATA_NONE: there is no such mark */
    bool listed;                  /* made by data_vocab_list */
    int32_t size;
    size_t *starts; /* [size + 1]: token id is pool[starts[id] .. starts[id + 1] - 1) and
                     * a zero */
    char *pool;
    size_t start_capacity, pool_capacity;
    int32_t *slots;    /* [slot_count] ids and 1; 0 is an empty slot */
    size_t slot_count; /* a power of two, at least twice the number of tokens */
};

static const char *const specials[DATA_SPECIALS] = {"<pad>", "<bos>", "<eos>", "<unk>"};

/* ---- Marks ---- */

const int32_t *data_vocab_marks(const data_vocab *vocab)
{
    return vocab->marks;
}

bool data_vocab_is_mark(const data_vocab *vocab, int32_t id)
{
    bool found = false;
    for (int mark = 0; mark < DATA_SPECIALS; mark++)
        found |= id >= 0 && vocab->marks[mark] == id;
    return found;
}

bool data_vocab_is_listed(const data_vocab *vocab)
{
    return vocab->listed;
}

/* ---- Making and growing ---- */

/* The slot of the token, or the empty slot where it would go. */
static size_t slot_of(const data_vocab *vocab, const char *token, size_t size)
{
    size_t slot = (size_t)data_hash(token, size, 0) & (vocab->slot_count - 1);
    for (int32_t id; (id = vocab->slots[slot] - 1) >= 0; slot = (slot + 1) & (vocab->slot_count - 1)) {
        size_t start = vocab->starts[id];
        if (vocab->starts[id + 1] - 1 - start == size && memcmp(vocab->pool + start, token, size) == 0)
            break;
    }
    return slot;
}

static bool grow_slots(data_vocab *vocab, size_t tokens)
{
    size_t wanted = vocab->slot_count ? vocab->slot_count : 64;
    while (wanted / 2 < tokens)
        wanted *= 2;
    if (wanted == vocab->slot_count)
        return true;
    int32_t *slots = calloc(wanted, sizeof *slots);
    if (!slots)
        return false;
    free(vocab->slots);
    vocab->slots = slots;
    vocab->slot_count = wanted;
    for (int32_t id = 0; id < vocab->size; id++) {
        const size_t start = vocab->starts[id];
        if (!data_vocab_is_mark(vocab, id))
            slots[slot_of(vocab, vocab->pool + start, vocab->starts[id + 1] - 1 - start)] = id + 1;
    }
    return true;
}

/* Room for one more token of `size` bytes. A failure leaves the vocabulary as it was. */
static bool reserve_token(data_vocab *vocab, size_t size)
{
    if (vocab->size == INT32_MAX)
        return false;
    if (!data_grow(vocab->starts, (size_t)vocab->size + 1, &vocab->start_capacity))
        return false;
    if (vocab->size == 0)
        vocab->starts[0] = 0;
    return data_grow(vocab->pool, vocab->starts[vocab->size] + size, &vocab->pool_capacity) &&
           grow_slots(vocab, (size_t)vocab->size + 1);
}

static int32_t append_token(data_vocab *vocab, const char *token, size_t size)
{
    if (!reserve_token(vocab, size))
        return DATA_NO_MEMORY;
    int32_t id = vocab->size;
    size_t start = vocab->starts[id];
    memcpy(vocab->pool + start, token, size);
    vocab->pool[start + size] = '\0';
    vocab->starts[id + 1] = start + size + 1;
    vocab->size++;
    return id;
}

/* Appends a token that is not there yet, so that it can be found. */
static int32_t append_known(data_vocab *vocab, const char *token, size_t size)
{
    const int32_t id = append_token(vocab, token, size);
    if (id >= 0)
        vocab->slots[slot_of(vocab, token, size)] = id + 1;
    return id;
}

/* Removes the token that was appended last: no other token's search passes its slot. */
static void remove_last(data_vocab *vocab)
{
    const size_t start = vocab->starts[vocab->size - 1];
    vocab->slots[slot_of(vocab, vocab->pool + start, vocab->starts[vocab->size] - 1 - start)] = 0;
    vocab->size--;
}

/* Adds the tokens of all bytes, in their order. */
static bool append_bytes(data_vocab *vocab)
{
    for (int byte = 0; byte < DATA_BYTES; byte++) {
        const char own = (char)byte;
        char form[2];
        vocab->bpe.bytes[byte] = append_known(vocab, form, data_bpe_show(&own, 1, form));
        if (vocab->bpe.bytes[byte] < 0)
            return false;
    }
    return true;
}

/* A vocabulary without tokens. */
static data_vocab *new_empty(data_token_kind kind, const int32_t marks[DATA_SPECIALS], bool listed)
{
    data_vocab *vocab = calloc(1, sizeof *vocab);
    if (!vocab)
        return NULL;
    vocab->kind = kind;
    vocab->listed = listed;
    memcpy(vocab->marks, marks, sizeof vocab->marks);
    return vocab;
}

data_vocab *data_vocab_new(data_token_kind kind, ag_error *error)
{
    static const int32_t marks[DATA_SPECIALS] = {DATA_PAD, DATA_BOS, DATA_EOS, DATA_UNK};
    data_vocab *vocab = new_empty(kind, marks, false);
    bool done = vocab != NULL;
    for (int i = 0; i < DATA_SPECIALS && done; i++)
        done = append_token(vocab, specials[i], strlen(specials[i])) >= 0;
    if (done && kind == DATA_BPE)
        done = append_bytes(vocab);
    if (!done) {
        data_vocab_free(vocab);
        ag_error_set(error, AG_NO_MEMORY, "no memory for a vocabulary");
        return NULL;
    }
    return vocab;
}

/* Adds all tokens and merges of another vocabulary. False when memory is out. */
static bool append_all(data_vocab *vocab, const data_vocab *from)
{
    for (int32_t id = 0; id < from->size; id++) {
        const char *token = from->pool + from->starts[id];
        const size_t size = from->starts[id + 1] - 1 - from->starts[id];
        if ((data_vocab_is_mark(from, id) ? append_token : append_known)(vocab, token, size) < 0)
            return false;
    }
    memcpy(vocab->bpe.bytes, from->bpe.bytes, sizeof vocab->bpe.bytes);
    for (int32_t i = 0; i < from->bpe.count; i++)
        if (!data_bpe_add(&vocab->bpe, from->bpe.merges[i]))
            return false;
    return true;
}

data_vocab *data_vocab_copy(const data_vocab *vocab, ag_error *error)
{
    data_vocab *copy = new_empty(vocab->kind, vocab->marks, vocab->listed);
    if (copy)
        copy->tags = vocab->tags;
    if (copy && append_all(copy, vocab))
        return copy;
    ag_error_set(error, AG_NO_MEMORY, "no memory for a copy of a vocabulary of %d %s", (int)vocab->size,
                 ag_plural(vocab->size, "token", "tokens"));
    data_vocab_free(copy);
    return NULL;
}

void data_vocab_free(data_vocab *vocab)
{
    if (!vocab)
        return;
    free(vocab->starts);
    free(vocab->pool);
    free(vocab->slots);
    data_bpe_clear(&vocab->bpe);
    free(vocab);
}

/* ---- Tokens and ids ---- */

data_token_kind data_vocab_kind(const data_vocab *vocab)
{
    return vocab->kind;
}

int32_t data_vocab_size(const data_vocab *vocab)
{
    return vocab->size;
}

void data_vocab_mark_tags(data_vocab *vocab)
{
    vocab->tags = vocab->kind != DATA_BPE;
}

bool data_vocab_has_tags(const data_vocab *vocab)
{
    return vocab->tags;
}

bool data_token_is_tag(const char *token, size_t size)
{
    return size > 1 && token[size - 1] == '\t' && !memchr(token, '\t', size - 1) && !memchr(token, '\n', size - 1) &&
           !memchr(token, '\r', size - 1);
}

/* Whether the bytes are one token, as data_token_next finds them in a text, or a tag. */
static bool is_token(data_token_kind kind, const char *token, size_t size)
{
    if (kind != DATA_BPE && data_token_is_tag(token, size))
        return data_text_check(token, size, NULL) == size;
    const char *first;
    size_t at = 0, first_size;
    return kind != DATA_BPE && data_text_check(token, size, NULL) == size &&
           data_token_next(kind, token, size, &at, &first, &first_size) && first_size == size &&
           at == size; /* a syllable and its first jamo have equally many bytes */
}

int32_t data_vocab_find(const data_vocab *vocab, const char *token, size_t size)
{
    return vocab->slot_count ? vocab->slots[slot_of(vocab, token, size)] - 1 : DATA_NONE;
}

int32_t data_vocab_add(data_vocab *vocab, const char *token, size_t size)
{
    const int32_t known = data_vocab_find(vocab, token, size);
    if (known != DATA_NONE || vocab->listed || !is_token(vocab->kind, token, size))
        return known;
    vocab->tags = vocab->tags || data_token_is_tag(token, size);
    return append_known(vocab, token, size);
}

const char *data_vocab_token(const data_vocab *vocab, int32_t id)
{
    return id >= 0 && id < vocab->size ? vocab->pool + vocab->starts[id] : "";
}

/* ---- Merges ---- */

int32_t data_vocab_merges(const data_vocab *vocab)
{
    return vocab->bpe.count;
}

void data_vocab_merge(const data_vocab *vocab, int32_t i, int32_t *left, int32_t *right)
{
    const bool there = i >= 0 && i < vocab->bpe.count;
    *left = there ? vocab->bpe.merges[i].left : DATA_NONE;
    *right = there ? vocab->bpe.merges[i].right : DATA_NONE;
}

void data_vocab_note_made(const data_vocab *vocab, bool *made)
{
    for (int byte = 0; byte < DATA_BYTES; byte++)
        made[vocab->bpe.bytes[byte]] = true;
    for (int32_t i = 0; i < vocab->bpe.count; i++)
        made[vocab->bpe.merges[i].both] = true;
}

/* Whether a token of the vocabulary may be part of a merge. */
static bool is_part(const data_vocab *vocab, int32_t id)
{
    return vocab->kind == DATA_BPE && id >= 0 && id < vocab->size && !data_vocab_is_mark(vocab, id);
}

int32_t data_vocab_add_merge(data_vocab *vocab, int32_t left, int32_t right)
{
    if (!is_part(vocab, left) || !is_part(vocab, right) || data_bpe_find(&vocab->bpe, left, right) >= 0)
        return DATA_NONE;
    const size_t left_size = strlen(data_vocab_token(vocab, left)),
                 size = left_size + strlen(data_vocab_token(vocab, right));
    char *token = malloc(size + 1);
    if (!token)
        return DATA_NO_MEMORY;
    memcpy(token, data_vocab_token(vocab, left), left_size);
    memcpy(token + left_size, data_vocab_token(vocab, right), size - left_size);
    int32_t both = data_vocab_find(vocab, token, size);
    const bool is_new = both == DATA_NONE && !vocab->listed;
    if (is_new)
        both = append_known(vocab, token, size);
    if (both >= 0 && !data_bpe_add(&vocab->bpe, (data_merge){left, right, both})) {
        if (is_new)
            remove_last(vocab);
        both = DATA_NO_MEMORY;
    }
    free(token);
    return both;
}

/* ---- Lists ---- */

/* Whether all of a token is the visible form of bytes. */
static bool is_form(const char *token)
{
    bool has_bytes = *token;
    while (has_bytes && *token)
        has_bytes = data_bpe_next_byte(&token) >= 0;
    return has_bytes;
}

/* Appends token number i of a list. */
static ag_status append_listed(data_vocab *vocab, const char *token, int32_t i, ag_error *error)
{
    const size_t size = strlen(token);
    const bool mark = data_vocab_is_mark(vocab, i), bpe = vocab->kind == DATA_BPE;
    const int32_t before = mark ? DATA_NONE : data_vocab_find(vocab, token, size);
    char shown[SHOWN_PATH];
    ag_text_show(token, shown, sizeof shown);
    if (before != DATA_NONE)
        return ag_error_set(error, AG_BAD_VALUE, "tokens %d and %d are the same: '%.100s'", (int)before, (int)i, shown);
    if (!mark && !(bpe ? is_form(token) : is_token(vocab->kind, token, size)))
        return ag_error_set(error, AG_BAD_VALUE, "token %d, '%.100s', is %s", (int)i, shown,
                            bpe ? "not written in the visible form of bytes, as in GPT-2's encoder.json"
                                : "not one token of this kind");
    if ((mark ? append_token : append_known)(vocab, token, size) < 0)
        return ag_error_set(error, AG_NO_MEMORY, "no memory for a vocabulary of %d tokens", (int)i + 1);
    return AG_OK;
}

/* Finds the token of each byte. */
static ag_status find_bytes(data_vocab *vocab, ag_error *error)
{
    for (int byte = 0; byte < DATA_BYTES; byte++) {
        const char own = (char)byte;
        char form[3];
        const size_t size = data_bpe_show(&own, 1, form);
        vocab->bpe.bytes[byte] = data_vocab_find(vocab, form, size);
        if (vocab->bpe.bytes[byte] == DATA_NONE)
            return ag_error_set(error, AG_BAD_VALUE, "the byte %d, whose visible form is '%.*s', has no token", byte,
                                (int)size, form);
    }
    return AG_OK;
}

data_vocab *data_vocab_list(data_token_kind kind, const char *const *tokens, int32_t count,
                            const int32_t marks[DATA_SPECIALS], ag_error *error)
{
    data_vocab *vocab = new_empty(kind, marks, true);
    ag_status status =
        vocab ? AG_OK : ag_error_set(error, AG_NO_MEMORY, "no memory for a vocabulary of %d tokens", (int)count);
    for (int mark = 0; mark < DATA_SPECIALS && status == AG_OK; mark++)
        if (marks[mark] < DATA_NONE || marks[mark] >= count)
            status = ag_error_set(error, AG_BAD_VALUE, "the mark %s has the id %d, and there are %d tokens",
                                  specials[mark], (int)marks[mark], (int)count);
    for (int32_t i = 0; i < count && status == AG_OK; i++)
        status = append_listed(vocab, tokens[i], i, error);
    if (status == AG_OK && kind == DATA_BPE)
        status = find_bytes(vocab, error);
    if (status == AG_OK)
        return vocab;
    data_vocab_free(vocab);
    return NULL;
}

/* ---- Text and ids ---- */

/* The bytes of the character at text[at]; 1 for a byte that is not UTF-8, so that loops
 * advance. */
static size_t character_size(const char *text, size_t size, size_t at)
{
    int length = (unsigned char)text[at] < 0x80 ? 1 : ag_utf8_length(text + at, size - at);
    return length ? (size_t)length : 1;
}

bool data_token_next(data_token_kind kind, const char *text, size_t size, size_t *at, const char **token,
                     size_t *token_size)
{
    size_t start = *at, end;
    if (kind == DATA_WORDS)
        for (int space; start < size && (space = data_utf8_space(text + start, size - start)) > 0;)
            start += (size_t)space;
    else if (start < size && size - start > 1 && text[start] == '\r' && text[start + 1] == '\n')
        start++; /* CRLF counts as LF */
    if (start >= size) {
        *at = size;
        return false;
    }
    const char *jamo = kind == DATA_JAMO ? data_hangul_next(text, size, at) : NULL;
    if (jamo) {
        *token = jamo;
        *token_size = DATA_JAMO_BYTES;
        return true;
    }
    end = start + character_size(text, size, start);
    if (kind == DATA_WORDS)
        while (end < size && !data_utf8_space(text + end, size - end))
            end += character_size(text, size, end);
    *token = text + start;
    *token_size = end - start;
    *at = end;
    return true;
}

bool data_vocab_next(const data_vocab *vocab, const char *text, size_t size, size_t *at, const char **token,
                     size_t *token_size)
{
    const bool may_be_tag = vocab->tags && *at < size && (*at == 0 || text[*at - 1] == '\t');
    const char *tab = may_be_tag ? memchr(text + *at, '\t', size - *at) : NULL;
    if (!tab || tab == text + *at)
        return data_token_next(vocab->kind, text, size, at, token, token_size);
    *token = text + *at;
    *token_size = (size_t)(tab + 1 - *token);
    *at += *token_size;
    return true;
}

int64_t data_vocab_encode(const data_vocab *vocab, const char *text, size_t size, int32_t *ids, int64_t capacity,
                          int64_t *unknown)
{
    int64_t count = 0, missing = 0;
    const char *token;
    size_t at = 0, token_size;
    if (vocab->kind == DATA_BPE) {
        if (unknown)
            *unknown = 0;
        return data_bpe_encode(&vocab->bpe, text, size, ids, capacity);
    }
    while (data_vocab_next(vocab, text, size, &at, &token, &token_size)) {
        int32_t id = data_vocab_find(vocab, token, token_size);
        missing += id == DATA_NONE;
        if (count < capacity)
            ids[count] = id == DATA_NONE ? vocab->marks[DATA_UNK] : id;
        count++;
    }
    if (unknown)
        *unknown = missing;
    return count;
}

int64_t data_vocab_count(const data_vocab *vocab, const char *text, size_t size)
{
    int64_t count = 0;
    const char *token;
    size_t at = 0, token_size;
    if (vocab->kind == DATA_BPE)
        return data_bpe_encode(&vocab->bpe, text, size, NULL, 0);
    while (data_vocab_next(vocab, text, size, &at, &token, &token_size))
        count++;
    return count;
}

size_t data_vocab_check(const data_vocab *vocab, const char *text, size_t size, char reason[DATA_TEXT_REASON])
{
    const bool any_bytes = vocab->kind == DATA_BPE && !(size && memchr(text, 0, size));
    return any_bytes ? size : data_text_check(text, size, reason);
}

int64_t data_vocab_count_unknown(const data_vocab *vocab, const int32_t *ids, int64_t count)
{
    const int32_t unk = vocab && ids ? vocab->marks[DATA_UNK] : DATA_NONE;
    int64_t unknown = 0;
    for (int64_t i = 0; unk != DATA_NONE && i < count; i++)
        unknown += ids[i] == unk;
    return unknown;
}

/* How many tokens are unknown, and the first of them. A control character is shown as it
 * is escaped in vocabulary files. */
static void refuse_unknown(const data_vocab *vocab, const char *text, size_t size, int64_t unknown, int64_t count,
                           ag_error *error)
{
    const char *token = "";
    size_t at = 0, length = 0;
    char code[8];
    while (data_vocab_next(vocab, text, size, &at, &token, &length) &&
           data_vocab_find(vocab, token, length) != DATA_NONE)
        continue;
    if (length == 1 && ((unsigned char)*token < ' ' || *token == 0x7F)) {
        snprintf(code, sizeof code, "\\%02x", (unsigned char)*token);
        token = code;
        length = strlen(code);
    }
    ag_error_set(error, AG_BAD_VALUE, "%lld of %lld %s %s not in the model's vocabulary, the first of them '%.*s'",
                 (long long)unknown, (long long)count, ag_plural(count, "token", "tokens"),
                 ag_plural(unknown, "is", "are"), (int)length, token);
}

int32_t *data_vocab_known(const data_vocab *vocab, const char *text, size_t size, int64_t before, int64_t *count,
                          ag_error *error)
{
    const size_t good = vocab->kind == DATA_BPE ? size : data_utf8_check(text, size);
    int64_t unknown = 0;
    if (good < size) {
        ag_error_set(error, AG_BAD_VALUE, "byte %zu is not UTF-8", good + 1);
        return NULL;
    }
    *count = data_vocab_encode(vocab, text, size, NULL, 0, NULL);
    int32_t *ids = *count >= 0 ? malloc((size_t)(before + *count + 1) * sizeof *ids) : NULL;
    if (!ids || data_vocab_encode(vocab, text, size, ids + before, *count, &unknown) < 0) {
        free(ids);
        ag_error_set(error, AG_NO_MEMORY, "out of memory");
        return NULL;
    }
    if (!unknown)
        return ids;
    free(ids);
    refuse_unknown(vocab, text, size, unknown, *count, error);
    return NULL;
}

/* How many of ids [count] the next piece of text takes, and that text, which `syllable`
 * may hold: one token, or the two or three jamo of a syllable. */
static int64_t next_piece(const data_vocab *vocab, const int32_t *ids, int64_t count, char syllable[5],
                          const char **piece)
{
    const char *jamo[3] = {"", "", ""};
    for (int i = 0; i < (vocab->kind == DATA_JAMO ? 3 : 1) && i < count; i++)
        jamo[i] = ids[i] >= 0 && ids[i] < vocab->size ? data_vocab_token(vocab, ids[i]) : specials[DATA_UNK];
    *piece = jamo[0];
    if (data_jamo_place(jamo[0]) != DATA_JAMO_L || data_jamo_place(jamo[1]) != DATA_JAMO_V)
        return 1;
    const bool closed = data_jamo_place(jamo[2]) == DATA_JAMO_T;
    data_hangul_compose(jamo[0], jamo[1], closed ? jamo[2] : NULL, syllable);
    *piece = syllable;
    return closed ? 3 : 2;
}

size_t data_vocab_decode(const data_vocab *vocab, const int32_t *ids, int64_t count, char *text, size_t size)
{
    size_t length = 0;
    bool first = true;
    int64_t taken;
    for (int64_t i = 0; i < count && (ids[i] < 0 || ids[i] != vocab->marks[DATA_EOS]); i += taken) {
        char syllable[5];
        const char *piece;
        taken = next_piece(vocab, ids + i, count - i, syllable, &piece);
        if (ids[i] == DATA_NONE || ids[i] == vocab->marks[DATA_PAD] || ids[i] == vocab->marks[DATA_BOS])
            continue;
        if (vocab->kind == DATA_WORDS && !first) {
            if (length < size)
                text[length] = ' ';
            length++;
        }
        first = data_token_is_tag(piece, strlen(piece));
        const bool shown = is_part(vocab, ids[i]);
        for (; *piece; length++) {
            const char byte = shown ? (char)data_bpe_next_byte(&piece) : *piece++;
            if (length < size)
                text[length] = byte;
        }
    }
    if (size > 0)
        text[length < size ? length : size - 1] = '\0';
    return length;
}

int64_t data_vocab_open(const data_vocab *vocab, const int32_t *ids, int64_t count)
{
    data_jamo last[2] = {DATA_NO_JAMO, DATA_NO_JAMO};
    for (int i = 0; i < 2 && i < count && vocab->kind == DATA_JAMO; i++)
        last[i] = data_jamo_place(data_vocab_token(vocab, ids[count - 1 - i]));
    return last[0] == DATA_JAMO_L ? 1 : last[0] == DATA_JAMO_V && last[1] == DATA_JAMO_L ? 2 : 0;
}
