/* unknown.c - which tokens of texts a vocabulary does not have, how often, and where. */
#include "files/grow.h"
#include "format.h"

#include <stdlib.h>

/* Bounds the memory that a text of random words can take. */
enum { MOST_NAMES = 100000 };

void data_unknown_clear(data_unknown *unknown)
{
    data_vocab_free(unknown->names);
    free(unknown->items);
    *unknown = (data_unknown){0};
}

/* The item of a token, a new one if needed: its number; -1 if there are too many, -2 when
 * memory is out. */
static int64_t find_item(data_unknown *unknown, const char *token, size_t size)
{
    const int32_t known = data_vocab_find(unknown->names, token, size);
    if (known != DATA_NONE)
        return known - DATA_SPECIALS;
    if (unknown->count == MOST_NAMES)
        return -1;
    if (!data_grow(unknown->items, (size_t)unknown->count, &unknown->capacity))
        return -2;
    const int32_t id = data_vocab_add(unknown->names, token, size);
    if (id < 0)
        return id == DATA_NONE ? -1 : -2;
    unknown->items[unknown->count] = (data_unknown_token){0};
    return unknown->count++;
}

/* Counts the token; keeps the line if it is new and among the first. */
static void count_token(data_unknown_token *item, const char *file, int64_t line)
{
    const int places = item->place_count;
    item->count++;
    if (line == 0 || (places > 0 && item->places[places - 1].line == line && item->places[places - 1].file == file))
        return;
    item->more = places == DATA_UNKNOWN_PLACES;
    if (item->more)
        return;
    item->places[places].file = file;
    item->places[places].line = line;
    item->place_count++;
}

ag_status data_unknown_add(data_unknown *unknown, const data_vocab *vocab, const char *text, size_t size,
                           const char *file, int64_t line, ag_error *error)
{
    const data_token_kind kind = data_vocab_kind(vocab);
    const int64_t before = unknown->unknown;
    int64_t missing;
    const int64_t count = data_vocab_encode(vocab, text, size, NULL, 0, &missing);
    const char *token;
    size_t at = 0, token_size;
    if (count < 0)
        return ag_error_set(error, AG_NO_MEMORY, "no memory for the tokens of a text");
    unknown->texts++;
    unknown->untagged += data_vocab_has_tags(vocab) && data_view_after_tags((data_view){text, size}).text == text;
    if (!missing) {
        unknown->tokens += count;
        return AG_OK;
    }
    while (data_vocab_next(vocab, text, size, &at, &token, &token_size)) {
        unknown->tokens++;
        if (data_vocab_find(vocab, token, token_size) != DATA_NONE)
            continue;
        if (!unknown->names)
            unknown->names = data_vocab_new(kind, NULL);
        const int64_t item = unknown->names ? find_item(unknown, token, token_size) : -2;
        if (item == -2)
            return ag_error_set(error, AG_NO_MEMORY, "no memory for the unknown tokens of a text");
        unknown->unknown++;
        if (item >= 0)
            count_token(&unknown->items[item], file, line);
    }
    unknown->lines += unknown->unknown > before;
    return AG_OK;
}

static int by_count(const void *a, const void *b)
{
    const data_unknown_token *x = a, *y = b;
    if (x->count != y->count)
        return x->count > y->count ? -1 : 1;
    return x->token < y->token ? -1 : 1; /* they lie in one pool, in the order of appearance */
}

void data_unknown_sort(data_unknown *unknown)
{
    for (int64_t i = 0; i < unknown->count; i++) /* only now, since the pool of names moves while it grows */
        unknown->items[i].token = data_vocab_token(unknown->names, (int32_t)i + DATA_SPECIALS);
    if (unknown->count > 1)
        qsort(unknown->items, (size_t)unknown->count, sizeof *unknown->items, by_count);
}
