/* batch.c - padded blocks of token ids.
 *
 * All arrays of a batch lie in one block of storage with room for the set's longest rows,
 * so only the first batch allocates memory. Each row is encoded where a row of the
 * greatest length would be; once the longest row of this batch is known, the rows move
 * together and are padded.
 */
#include "set.h"

#include <stdlib.h>
#include <string.h>

/* The sizes that a batch has room for. */
typedef struct batch_room {
    int64_t rows, source, target; /* rows, and tokens in each */
    int64_t most_rows;            /* rows to allocate for: later batches may have more */
    bool has_source, has_target, has_target_in;
} batch_room;

/* ---- Storage ---- */

void data_batch_clear(data_batch *batch)
{
    free(batch->storage);
    *batch = (data_batch){0};
}

/* The bytes that the arrays take; 0: more than can be addressed. */
static size_t storage_needed(batch_room room)
{
    int64_t ids = room.source + 2 * room.target + 2; /* in a row, with the two lengths */
    if (room.most_rows > INT64_MAX / 8 / (ids + 2) || (uint64_t)room.most_rows * (uint64_t)(ids + 2) > SIZE_MAX / 4)
        return 0;
    return (size_t)room.most_rows * (sizeof(int64_t) + (size_t)ids * sizeof(int32_t));
}

/* Lays out the arrays of a new batch in the storage. On failure the batch is empty. */
static ag_status reserve_batch(data_batch *batch, batch_room room, ag_error *error)
{
    size_t needed = storage_needed(room), size = batch->storage_size;
    void *storage = batch->storage;
    if (needed == 0 || needed > size) {
        size_t larger = size < SIZE_MAX / 2 ? size + size / 2 : size;
        data_batch_clear(batch);
        size = larger > needed ? larger : needed;
        storage = needed ? malloc(size) : NULL;
        if (!storage)
            return ag_error_set(error, AG_NO_MEMORY, "no memory for a batch of %lld %s of up to %lld %s",
                                (long long)room.most_rows, ag_plural(room.most_rows, "row", "rows"),
                                (long long)room.source + room.target,
                                ag_plural(room.source + room.target, "token", "tokens"));
    }
    *batch = (data_batch){.storage = storage, .storage_size = size};
    batch->examples = storage; /* first, as it needs the widest alignment */
    int32_t *lengths = (int32_t *)(void *)(batch->examples + room.rows), *next = lengths + 2 * room.rows;
    if (room.has_source) {
        batch->source_lengths = lengths;
        batch->source = next;
        next += room.rows * room.source;
    }
    if (room.has_target) {
        batch->target_lengths = lengths + room.rows;
        batch->target_out = next;
        next += room.rows * room.target;
    }
    if (room.has_target_in)
        batch->target_in = next;
    return AG_OK;
}

/* ---- Rows ---- */

static int64_t longest_of(const int32_t *lengths, int64_t rows)
{
    int64_t longest = 0;
    for (int64_t r = 0; r < rows; r++)
        longest = lengths[r] > longest ? lengths[r] : longest;
    return longest;
}

/* The id that fills up rows of input: any will do where a vocabulary has no pad, since
 * models go by the lengths. */
static int32_t padding_of(const data_vocab *vocab)
{
    const int32_t pad = data_vocab_marks(vocab)[DATA_PAD];
    return pad == DATA_NONE ? 0 : pad;
}

/* Moves rows that are `stride` apart to be `width` apart, and pads them after their
 * lengths. */
static void pack_rows(int32_t *ids, const int32_t *lengths, int64_t rows, int64_t stride, int64_t width, int32_t pad)
{
    for (int64_t r = 0; r < rows; r++) {
        int32_t *row = ids + r * width;
        memmove(row, ids + r * stride, (size_t)lengths[r] * sizeof *row);
        for (int64_t t = lengths[r]; t < width; t++)
            row[t] = pad;
    }
}

/* Packs and pads the encoded rows, and counts their targets. The vocabulary of a side
 * that the batch does not have may be NULL. */
static void finish_batch(data_batch *batch, batch_room room, const data_vocab *source, const data_vocab *target)
{
    batch->rows = room.rows;
    if (batch->source) {
        batch->source_length = longest_of(batch->source_lengths, room.rows);
        pack_rows(batch->source, batch->source_lengths, room.rows, room.source, batch->source_length,
                  padding_of(source));
    }
    if (batch->target_out) {
        batch->target_length = longest_of(batch->target_lengths, room.rows);
        pack_rows(batch->target_out, batch->target_lengths, room.rows, room.target, batch->target_length, DATA_NONE);
        for (int64_t r = 0; r < room.rows; r++)
            batch->tokens += batch->target_lengths[r];
    }
    if (batch->target_in)
        pack_rows(batch->target_in, batch->target_lengths, room.rows, room.target, batch->target_length,
                  padding_of(target));
}

/* Instead of a row's length: the text is too long; memory is out; it has tokens that are
 * not in the vocabulary, which has no mark for them. */
enum { TOO_LONG = -1, NO_ROOM = -2, NO_IDS = -3 };

/* Encodes a text, with an end mark or without, into a row. Returns its length. */
static int64_t encode_row(const data_vocab *vocab, data_view text, bool end_mark, int32_t *row, int64_t room)
{
    int64_t unknown, length = data_vocab_encode(vocab, text.text, text.size, row, room, &unknown);
    if (length < 0)
        return NO_ROOM;
    if (length + (end_mark ? 1 : 0) > room)
        return TOO_LONG;
    if (unknown && data_vocab_marks(vocab)[DATA_UNK] == DATA_NONE)
        return NO_IDS;
    if (end_mark)
        row[length++] = data_vocab_marks(vocab)[DATA_EOS];
    return length;
}

static ag_status no_memory_to_encode(ag_error *error)
{
    return ag_error_set(error, AG_NO_MEMORY, "no memory to encode a text");
}

/* Encodes example i into row r. Files were checked when they were opened, but a task is
 * code, perhaps a user's, and may generate anything. */
static ag_status encode_example(data_set *set, data_batch *batch, batch_room room, int64_t r, int64_t i, int64_t shift,
                                ag_error *error)
{
    data_view source, target;
    bool tagging = set->options.tagging, is_text = set->kind->is_text;
    int32_t *in = room.has_target_in ? batch->target_in + r * room.target : NULL;
    int32_t *out = batch->target_out + r * room.target;
    int64_t source_length, target_length;
    const int32_t *ids = set->kind->ids ? set->kind->ids(set, i, shift, &target_length) : NULL;

    batch->examples[r] = i;
    if (ids) {
        memcpy(in, ids, (size_t)target_length * sizeof *in);
        memcpy(out, ids + 1, (size_t)target_length * sizeof *out);
        batch->target_lengths[r] = (int32_t)target_length;
        return AG_OK;
    }
    set->kind->texts(set, i, shift, &source, &target);
    target_length = encode_row(set->target_vocab, target, !tagging && !is_text, out, room.target);
    if (is_text)
        source_length = encode_row(set->target_vocab, source, false, in, room.target);
    else
        source_length = encode_row(set->source_vocab, source, !tagging, batch->source + r * room.source, room.source);
    if (source_length == NO_ROOM || target_length == NO_ROOM)
        return no_memory_to_encode(error);
    if (source_length == NO_IDS || target_length == NO_IDS)
        return ag_error_set(error, AG_BAD_VALUE,
                            "%s: example %lld has tokens that the vocabulary does not have, nor a mark for them",
                            set->name, (long long)i);
    if (source_length < 0 || target_length < 0)
        return ag_error_set(error, AG_BAD_VALUE, "%s: example %lld has more tokens than the task announced", set->name,
                            (long long)i);
    if (tagging && source_length != target_length)
        return ag_error_set(error, AG_BAD_VALUE,
                            "%s: example %lld has %lld source %s and %lld target %s, but tagging needs equally "
                            "many",
                            set->name, (long long)i, (long long)source_length,
                            ag_plural(source_length, "token", "tokens"), (long long)target_length,
                            ag_plural(target_length, "token", "tokens"));
    batch->target_lengths[r] = (int32_t)target_length;
    if (!is_text)
        batch->source_lengths[r] = (int32_t)source_length;
    if (room.has_target_in && !is_text) {
        in[0] = data_vocab_marks(set->target_vocab)[DATA_BOS];
        memcpy(in + 1, out, (size_t)(target_length - 1) * sizeof *in); /* all but the end mark */
    }
    return AG_OK;
}

/* ---- Batches of a set ---- */

static batch_room room_of(const data_set *set, int64_t rows, int64_t most_rows)
{
    return (batch_room){
        .rows = rows,
        .most_rows = most_rows,
        .source = set->max_source,
        .target = set->max_target,
        .has_source = !set->kind->is_text,
        .has_target = true,
        .has_target_in = !set->options.tagging,
    };
}

/* The batch of the examples first + offsets[r], or first + r where `offsets` is NULL. */
static ag_status make_batch(data_set *set, int64_t first, const uint32_t *offsets, batch_room room, int64_t shift,
                            data_batch *batch, ag_error *error)
{
    ag_status status = reserve_batch(batch, room, error);
    for (int64_t r = 0; r < room.rows && status == AG_OK; r++)
        status = encode_example(set, batch, room, r, first + (offsets ? offsets[r] : r), shift, error);
    if (status == AG_OK)
        finish_batch(batch, room, set->source_vocab, set->target_vocab);
    return status;
}

/* The tokens by which the windows of an epoch are moved: up to half a window to either
 * side. */
static int64_t window_shift(const data_set *set, uint64_t epoch)
{
    if (!set->kind->is_text)
        return 0;
    ag_rng rng = ag_rng_make(ag_seed_for(set->options.seed, AG_FOR_SHIFT), epoch);
    int64_t context = set->options.context;
    return (int64_t)ag_rng_below(&rng, (uint64_t)context) - context / 2;
}

ag_status data_set_batch(data_set *set, int64_t rows, uint64_t n, data_batch *batch, ag_error *error)
{
    if (rows < 1)
        return ag_error_set(error, AG_BAD_VALUE, "a batch has at least 1 row, not %lld", (long long)rows);
    if (rows > set->count)
        rows = set->count;
    /* NOLINTNEXTLINE(clang-analyzer-core.DivideZero): a set has at least one example, so
     * a batch */
    uint64_t batches = (uint64_t)data_set_batches(set, rows), epoch = n / batches;
    ag_status status = data_order_make(set, rows, epoch, error);
    if (status != AG_OK)
        return status;
    int64_t start = set->order.batches[n % batches] * rows;
    int64_t size = rows < set->count - start ? rows : set->count - start;
    return make_batch(set, data_epoch_first(set, epoch), set->order.examples + start, room_of(set, size, rows),
                      window_shift(set, epoch), batch, error);
}

ag_status data_set_range(data_set *set, int64_t first, int64_t rows, data_batch *batch, ag_error *error)
{
    int64_t end = set->kind->endless ? INT64_MAX : set->count;
    if (first < 0 || rows < 1 || first > end || rows > end - first)
        return ag_error_set(error, AG_BAD_VALUE, "%s: %lld %s from number %lld on are not all among its %lld",
                            set->name, (long long)rows, ag_plural(rows, "example", "examples"), (long long)first,
                            (long long)set->count);
    return make_batch(set, first, NULL, room_of(set, rows, rows), 0, batch, error);
}

/* ---- Sources alone ---- */

ag_status data_batch_sources(const data_vocab *vocab, const char *const *texts, int64_t rows, bool tagging,
                             data_batch *batch, int64_t *unknown, ag_error *error)
{
    int64_t end_mark = tagging ? 0 : 1, missing, all_missing = 0;
    batch_room room = {.rows = rows, .most_rows = rows, .source = end_mark, .has_source = true};
    if (rows < 1)
        return ag_error_set(error, AG_BAD_VALUE, "a batch has at least 1 row, not %lld", (long long)rows);
    if (end_mark && data_vocab_marks(vocab)[DATA_EOS] == DATA_NONE)
        return ag_error_set(error, AG_BAD_VALUE, "the sources' vocabulary has no end mark, which sources need");
    for (int64_t r = 0; r < rows; r++) {
        size_t size = strlen(texts[r]), bad = data_vocab_check(vocab, texts[r], size, NULL);
        if (bad < size)
            return ag_error_set(error, AG_BAD_VALUE, "source %lld: byte %zu is not well-formed UTF-8", (long long)r,
                                bad + 1);
        int64_t length = data_vocab_encode(vocab, texts[r], size, NULL, 0, &missing);
        if (length < 0)
            return no_memory_to_encode(error);
        length += end_mark;
        all_missing += missing;
        if (length > INT32_MAX)
            return ag_error_set(error, AG_BAD_VALUE, "source %lld: %lld %s are too many", (long long)r,
                                (long long)length, ag_plural(length, "token", "tokens"));
        room.source = length > room.source ? length : room.source;
    }
    if (all_missing && data_vocab_marks(vocab)[DATA_UNK] == DATA_NONE)
        return ag_error_set(error, AG_BAD_VALUE, "%lld %s not in the vocabulary, nor a mark for them",
                            (long long)all_missing, ag_plural(all_missing, "token is", "tokens are"));
    ag_status status = reserve_batch(batch, room, error);
    if (status != AG_OK)
        return status;
    for (int64_t r = 0; r < rows; r++) {
        data_view text = {texts[r], strlen(texts[r])};
        int64_t length = encode_row(vocab, text, !tagging, batch->source + r * room.source, room.source);
        if (length < 0)
            return no_memory_to_encode(error);
        batch->source_lengths[r] = (int32_t)length;
        batch->examples[r] = r;
    }
    finish_batch(batch, room, vocab, NULL);
    if (unknown)
        *unknown = all_missing;
    return AG_OK;
}
