/* encoder.c - a vocabulary of byte pairs whose ids are given: GPT-2's encoder.json and
 * vocab.bpe, which other programs call vocab.json and merges.txt.
 *
 * encoder.json is one JSON object that leads from the visible forms of tokens to their
 * ids, in any order. The files must belong together: each merge joins two tokens to a
 * third, and each token is a byte, made by a merge, or a name in brackets that no text
 * has. So a file that was cut off is refused, and does not give other tokens.
 */
#include "bpe.h"
#include "files/grow.h"
#include "files/mapped_file.h"
#include "files/quote.h"
#include "vocab.h"

#include <stdlib.h>
#include <string.h>

/* The token that stands between GPT-2's texts. */
#define END_OF_TEXT "<|endoftext|>"

/* A token and its id. */
typedef struct encoder_entry {
    size_t start; /* of its form in the forms */
    uint64_t id;
} encoder_entry;

/* One reading of an encoder.json. */
typedef struct encoder {
    const char *path;
    ag_error *error;
    char *forms;            /* zero-terminated, one after the other */
    encoder_entry *entries; /* [count] in the order of the file */
    size_t count, capacity;
    const char **tokens; /* [count] by id */
} encoder;

/* Reads the members of the object. */
static ag_status read_entries(encoder *in, const char *text, size_t size)
{
    data_json json = data_json_start(text, size);
    size_t members = 0, length = 0;
    data_json_enter(&json, '{');
    while (data_json_more(&json, '}', &members)) {
        if (!data_grow(in->entries, in->count, &in->capacity))
            return ag_error_set(in->error, AG_NO_MEMORY, "%s: no memory for its tokens", DATA_SHOW(in->path));
        encoder_entry *entry = &in->entries[in->count];
        entry->start = length;
        if (!data_json_key(&json, in->forms + length) || !data_json_u64(&json, &entry->id))
            break;
        length += strlen(in->forms + length) + 1;
        in->count++;
    }
    if (!data_json_finish(&json) && !in->count)
        return ag_error_set(in->error, AG_BAD_FILE,
                            "%s: this is no encoder.json, which is one JSON object of tokens and their ids, such as "
                            "{\"!\": 0}: give encoder.json (or vocab.json) first, then vocab.bpe (or merges.txt)",
                            DATA_SHOW(in->path));
    if (json.problem)
        return ag_error_set(in->error, AG_BAD_FILE, "%s: byte %zu: %s; was the file copied whole?",
                            DATA_SHOW(in->path), json.at + 1, json.problem);
    return AG_OK;
}

/* Orders the tokens by their ids, which must be 0 to count - 1. */
static ag_status order_tokens(encoder *in)
{
    in->tokens = calloc(in->count + 1, sizeof *in->tokens);
    if (!in->tokens)
        return ag_error_set(in->error, AG_NO_MEMORY, "%s: no memory for its tokens", DATA_SHOW(in->path));
    for (size_t i = 0; i < in->count; i++) {
        const char *form = in->forms + in->entries[i].start;
        const uint64_t id = in->entries[i].id;
        if (id >= in->count || id >= INT32_MAX)
            return ag_error_set(in->error, AG_BAD_FILE,
                                "%s: '%s' has the id %llu, and there are %zu tokens, so an id has none: give the file "
                                "that has them all",
                                DATA_SHOW(in->path), DATA_SHOW(form), (unsigned long long)id, in->count);
        if (in->tokens[id])
            return ag_error_set(in->error, AG_BAD_FILE,
                                "%s: '%s' and '%s' have the same id, %llu: give the file as it came with the model",
                                DATA_SHOW(in->path), DATA_SHOW(in->tokens[id]), DATA_SHOW(form),
                                (unsigned long long)id);
        in->tokens[id] = form;
    }
    return AG_OK;
}

/* The vocabulary of the tokens, without merges; NULL with the error. */
static data_vocab *make_listed(encoder *in, const char *text, size_t size)
{
    int32_t marks[DATA_SPECIALS] = {DATA_NONE, DATA_NONE, DATA_NONE, DATA_NONE};
    ag_error problem = {0};
    const size_t bad = data_utf8_check(text, size);
    if (bad < size) {
        ag_error_set(in->error, AG_BAD_FILE, "%s: byte %zu is not UTF-8", DATA_SHOW(in->path), bad + 1);
        return NULL;
    }
    if (!(in->forms = malloc(size + 1))) {
        ag_error_set(in->error, AG_NO_MEMORY, "%s: no memory for its tokens", DATA_SHOW(in->path));
        return NULL;
    }
    if (read_entries(in, text, size) != AG_OK || order_tokens(in) != AG_OK)
        return NULL;
    for (size_t id = 0; id < in->count; id++)
        if (!strcmp(in->tokens[id], END_OF_TEXT))
            marks[DATA_BOS] = marks[DATA_EOS] = (int32_t)id;
    data_vocab *vocab = data_vocab_list(DATA_BPE, in->tokens, (int32_t)in->count, marks, &problem);
    if (!vocab)
        ag_error_set(in->error, problem.status == AG_NO_MEMORY ? AG_NO_MEMORY : AG_BAD_FILE, "%s: %.300s",
                     DATA_SHOW(in->path), problem.message);
    return vocab;
}

/* Whether a token is written in brackets, as names are that no text has. */
static bool is_name(const char *token)
{
    const size_t size = strlen(token);
    return size > 2 && ((token[0] == '<' && token[size - 1] == '>') || (token[0] == '[' && token[size - 1] == ']'));
}

/* Refuses a token that is no byte and that no merge makes: merges are missing. */
static ag_status check_made(const data_vocab *vocab, const char *encoder_path, const char *merges, ag_error *error)
{
    const int32_t size = data_vocab_size(vocab);
    bool *made = calloc((size_t)size + 1, sizeof *made);
    if (!made)
        return ag_error_set(error, AG_NO_MEMORY, "%s: no memory for its tokens", DATA_SHOW(encoder_path));
    data_vocab_note_made(vocab, made);
    int32_t id = 0;
    while (id < size && (made[id] || is_name(data_vocab_token(vocab, id))))
        id++;
    free(made);
    if (id == size)
        return AG_OK;
    return ag_error_set(error, AG_BAD_FILE,
                        "%s: none of its %d merges makes token %d of %s, '%s': give the whole file that belongs to it",
                        DATA_SHOW(merges), (int)data_vocab_merges(vocab), (int)id, DATA_SHOW(encoder_path),
                        DATA_SHOW(data_vocab_token(vocab, id)));
}

data_vocab *data_vocab_read_encoder(const char *encoder_path, const char *merges, ag_error *error)
{
    ag_error own = {0}; /* the caller's may be NULL */
    encoder in = {.path = encoder_path, .error = &own};
    data_map map;
    data_vocab *vocab = NULL;
    if (data_map_open(&map, encoder_path, &own) == AG_OK) {
        vocab = make_listed(&in, (const char *)map.bytes, map.size);
        data_map_close(&map);
    }
    free(in.forms);
    free(in.entries);
    free(in.tokens);
    if (vocab && data_vocab_read_lines(vocab, merges, &own) == AG_OK &&
        check_made(vocab, encoder_path, merges, &own) == AG_OK)
        return vocab;
    data_vocab_free(vocab);
    ag_error_set(error, own.status, "%s", own.message);
    return NULL;
}
