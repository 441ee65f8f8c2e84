/* cache.c - incremental decoding: the keys and values of earlier tokens are kept, so that
 * a new token costs one query and not a whole pass.
 *
 * The self-attention's keys and values grow with the tokens; the cross-attention's are
 * computed once from the encoder's output. Attention reads both in place, as leaves over
 * the whole capacity, with a mask for what is filled.
 */
#include "cache.h"
#include "layer.h"

#include <stdlib.h>
#include <string.h>

/* ---- Memory ------------------------------------------------------------------------ */

/* The caches of all layers, with keys and values of `width` numbers for all heads
 * together. They lie in one block, which begins at the first layer's keys: a large block
 * gets huge pages. */
static nn_attention_cache *alloc_layers(ag_tape *tape, int layers, int64_t rows, int64_t capacity, int64_t width,
                                        bool fixed, ag_error *error)
{
    const int64_t size = ag_shape_size(AG_SHAPE(rows, capacity, width));
    const int64_t bytes = size < 0 ? -1 : ag_shape_size(AG_SHAPE(2, layers, size, (int64_t)sizeof(ag_real)));
    nn_attention_cache *caches = calloc((size_t)layers, sizeof *caches);
    ag_real *numbers = bytes < 0 ? NULL : ag_tape_borrow(tape, (size_t)bytes);
    if (!caches || !numbers) {
        free(caches);
        ag_tape_return(tape, numbers);
        ag_error_set(error, AG_NO_MEMORY, "out of memory: no room for a cache of %d %s, %lld %s of %lld %s", layers,
                     ag_plural(layers, "layer", "layers"), (long long)rows, ag_plural(rows, "row", "rows"),
                     (long long)capacity, ag_plural(capacity, "token", "tokens"));
        return NULL;
    }
    for (int i = 0; i < layers; i++)
        caches[i] = (nn_attention_cache){.key = numbers + 2 * i * size,
                                         .value = numbers + (2 * i + 1) * size,
                                         .rows = rows,
                                         .capacity = capacity,
                                         .fixed = fixed};
    return caches;
}

static void free_layers(ag_tape *tape, nn_attention_cache *caches)
{
    if (caches)
        ag_tape_return(tape, caches[0].key);
    free(caches);
}

void nn_cache_clear(nn_cache *cache)
{
    free_layers(cache->tape, cache->self);
    free_layers(cache->tape, cache->cross);
    free(cache->source_lengths);
    *cache = (nn_cache){0};
}

/* All the memory of a cache; on failure the caller clears it. */
static ag_status alloc_cache(nn_cache *cache, const nn_model *model, ag_tape *tape, const nn_input *input,
                             int64_t capacity, ag_error *error)
{
    const int layers = model->config.decoder_layers, width = model->config.d_model;
    const bool crosses = model->config.kind == NN_ENCODER_DECODER;
    cache->tape = tape;
    cache->rows = input->rows;
    cache->layers = layers;
    cache->heads = model->config.heads;
    cache->width = width;
    cache->self = alloc_layers(cache->tape, layers, cache->rows, capacity, width, false, error);
    if (cache->self && crosses)
        cache->cross = alloc_layers(cache->tape, layers, input->rows, input->source_length, width, true, error);
    if (!cache->self || (crosses && !cache->cross))
        return AG_NO_MEMORY;
    if (crosses && input->source_lengths && input->rows > 0) {
        cache->source_lengths = malloc((size_t)input->rows * sizeof *cache->source_lengths);
        if (!cache->source_lengths)
            return ag_error_set(error, AG_NO_MEMORY, "out of memory: no room for %lld lengths", (long long)input->rows);
        memcpy(cache->source_lengths, input->source_lengths, (size_t)input->rows * sizeof *cache->source_lengths);
    }
    return AG_OK;
}

/* ---- Making ------------------------------------------------------------------------ */

ag_status nn_cache_init(nn_cache *cache, const nn_model *model, const nn_pass *pass, const nn_input *input,
                        int64_t capacity, ag_error *error)
{
    *cache = (nn_cache){0};
    if (model->config.kind == NN_ENCODER)
        return ag_error_set(error, AG_BAD_VALUE, "cache: an encoder does not decode");
    if (input->rows < 0 || input->source_length < 0 || capacity < 0)
        return ag_error_set(
            error, AG_BAD_VALUE, "cache: %lld %s, a source of %lld, room for %lld %s: there is no such cache",
            (long long)input->rows, ag_plural(input->rows, "row", "rows"), (long long)input->source_length,
            (long long)capacity, ag_plural(capacity, "token", "tokens"));
    ag_status status = alloc_cache(cache, model, pass->tape, input, capacity, error);
    if (status == AG_OK && cache->cross)
        status = cache_fill_cross(cache, model, pass, input, error);
    if (status != AG_OK)
        nn_cache_clear(cache);
    return status;
}

/* ---- Growing ----------------------------------------------------------------------- */

/* Copies keys and values of `width` numbers a head to an array of `group` times as many
 * rows, and perhaps a larger capacity: each row becomes `group` alike. */
static void copy_heads(const nn_attention_cache *from, const nn_attention_cache *to, int64_t group, int64_t heads,
                       int64_t width)
{
    const size_t bytes = (size_t)(from->length * width) * sizeof(ag_real);
    for (int64_t row = 0; row < to->rows && bytes; row++)
        for (int64_t head = 0; head < heads; head++) {
            const int64_t at = (row * heads + head) * to->capacity * width;
            const int64_t old = (row / group * heads + head) * from->capacity * width;
            memcpy(to->key + at, from->key + old, bytes);
            memcpy(to->value + at, from->value + old, bytes);
        }
}

/* Moves what the self-attention keeps to a new block. */
static ag_status grow(nn_cache *cache, int64_t group, int64_t capacity, ag_error *error)
{
    nn_attention_cache *old = cache->self;
    nn_attention_cache *larger =
        alloc_layers(cache->tape, cache->layers, cache->rows * group, capacity, cache->width, false, error);
    if (!larger)
        return AG_NO_MEMORY;
    for (int i = 0; i < cache->layers; i++) {
        larger[i].length = old[i].length;
        copy_heads(&old[i], &larger[i], group, cache->heads, cache->width / cache->heads);
    }
    free_layers(cache->tape, old);
    cache->self = larger;
    cache->rows *= group;
    return AG_OK;
}

ag_status cache_reserve(nn_cache *cache, int64_t capacity, ag_error *error)
{
    return cache->self[0].capacity >= capacity ? AG_OK : grow(cache, 1, capacity, error);
}

ag_status cache_expand(nn_cache *cache, int64_t group, ag_error *error)
{
    return grow(cache, group, cache->self[0].capacity, error);
}

/* ---- The next tokens --------------------------------------------------------------- */

ag_tensor *nn_cache_apply(nn_cache *cache, const nn_model *model, const nn_pass *pass, const int32_t *tokens,
                          int64_t count)
{
    if (count < 0 || !cache->self || count > cache->self[0].capacity - cache->length)
        return ag_tape_fail(pass->tape, AG_BAD_VALUE, "cache: %lld more %s not fit after %lld of %lld",
                            (long long)count, ag_plural(count, "token does", "tokens do"), (long long)cache->length,
                            (long long)(cache->self ? cache->self[0].capacity : 0));
    if (count > 1 && cache->cross && cache->rows != cache->cross[0].rows)
        return ag_tape_fail(pass->tape, AG_BAD_VALUE,
                            "cache: %lld tokens for each of the sequences that share a source, which grow by one",
                            (long long)count);
    for (int i = 0; i < cache->layers; i++) {
        cache->self[i].length = cache->length; /* a call that failed half-way may have
                                                * changed it */
        if (cache->cross)
            cache->cross[i].position = cache->length;
    }

    const ag_mask *causal = ag_mask_causal(pass->tape, cache->length), *cross = NULL;
    if (cache->cross) {
        const cross_sources from = {cache->cross[0].rows, cache->cross[0].capacity, cache->source_lengths};
        cross = pass_cross_mask(&model->config, pass, &from, cache->length, count);
    }
    ag_tensor *logits = model_decode(model, pass, tokens, cache->rows, count, NULL, causal, cross, cache);
    if (logits)
        cache->length += count;
    return logits;
}

/* ---- Reordering -------------------------------------------------------------------- */

/* A copy of one row; -1 is the spare row. */
typedef struct move {
    int32_t to, from;
} move;

/* Plans the moves that make row i what row from[i] was, for all i < rows, in place. A row
 * is overwritten once no other still needs it; what remains are cycles, and for each of
 * those one row goes to the spare row first. Rows that stay cost nothing. `needed` [old
 * rows] counts the readers of a row, `ready` [rows] is a stack. Returns the number of
 * moves, at most rows + rows / 2. */
static int64_t plan_moves(const int32_t *from, int64_t rows, int64_t old_rows, int32_t *needed, int32_t *ready,
                          move *moves)
{
    int64_t count = 0, waiting = 0;
    memset(needed, 0, (size_t)old_rows * sizeof *needed);
    for (int64_t i = 0; i < rows; i++)
        needed[from[i]] += from[i] != i;
    for (int64_t i = 0; i < rows; i++)
        if (from[i] != i && needed[i] == 0)
            ready[waiting++] = (int32_t)i;
    while (waiting > 0) {
        int32_t to = ready[--waiting], source = from[to];
        moves[count++] = (move){to, source};
        needed[to] = -1; /* done */
        needed[source]--;
        if (source < rows && needed[source] == 0 && from[source] != source)
            ready[waiting++] = source;
    }
    for (int64_t first = 0; first < rows; first++) {
        if (from[first] == first || needed[first] < 0)
            continue;
        moves[count++] = (move){-1, (int32_t)first};
        int32_t to = (int32_t)first;
        for (; from[to] != first; to = from[to]) {
            moves[count++] = (move){to, from[to]};
            needed[to] = -1;
        }
        moves[count++] = (move){to, -1};
        needed[to] = -1;
    }
    return count;
}

/* Moves rows of `heads` stretches of `stride` numbers, of which the first `used` are
 * filled. */
static void move_rows(ag_real *values, const move *moves, int64_t count, int64_t heads, int64_t stride, int64_t used,
                      ag_real *aside)
{
    for (int64_t i = 0; i < count && used > 0; i++)
        for (int64_t head = 0; head < heads; head++)
            memcpy(moves[i].to < 0 ? aside + head * used : values + (moves[i].to * heads + head) * stride,
                   moves[i].from < 0 ? aside + head * used : values + (moves[i].from * heads + head) * stride,
                   (size_t)used * sizeof(ag_real));
}

static void reorder_attention(const nn_cache *whole, nn_attention_cache *cache, const move *moves, int64_t count,
                              int64_t rows, ag_real *aside)
{
    const int64_t width = whole->width / whole->heads, stride = cache->capacity * width, used = cache->length * width;
    move_rows(cache->key, moves, count, whole->heads, stride, used, aside);
    move_rows(cache->value, moves, count, whole->heads, stride, used, aside);
    cache->rows = rows;
}

/* The scratch memory of a reordering. */
typedef struct reorder_room {
    int32_t *numbers; /* [3, rows]: needed, ready, and the groups' order */
    move *moves;      /* [3/2 rows + 1] */
    ag_real *aside;   /* the spare row, as long as the longest */
} reorder_room;

static void reorder_room_clear(reorder_room *work)
{
    free(work->numbers);
    free(work->moves);
    free(work->aside);
}

static ag_status reorder_room_init(reorder_room *work, const nn_cache *cache, ag_error *error)
{
    int64_t longest = cache->self[0].length;
    if (cache->cross && cache->cross[0].length > longest)
        longest = cache->cross[0].length;
    const size_t rows = (size_t)cache->rows;
    work->numbers = malloc(3 * rows * sizeof *work->numbers);
    work->moves = malloc((rows + rows / 2 + 1) * sizeof *work->moves);
    work->aside = malloc((size_t)(longest * cache->width + 1) * sizeof *work->aside);
    if (work->numbers && work->moves && work->aside)
        return AG_OK;
    reorder_room_clear(work);
    return ag_error_set(error, AG_NO_MEMORY, "out of memory: no room to reorder %zu %s", rows,
                        ag_plural((int64_t)rows, "row", "rows"));
}

/* Finds the old group of each new group: the cross-attention has one row for a group. */
static ag_status find_groups(const nn_cache *cache, const int32_t *from, int64_t rows, int64_t group, int32_t *groups,
                             ag_error *error)
{
    for (int64_t i = 0; i < rows; i++)
        if (from[i] < 0 || from[i] >= cache->rows)
            return ag_error_set(error, AG_BAD_VALUE, "cache: row %lld is to become row %d of %lld", (long long)i,
                                (int)from[i], (long long)cache->rows);
    for (int64_t i = 0; i < rows; i++) {
        groups[i / group] = from[i - i % group] / (int32_t)group;
        if (from[i] / group != groups[i / group])
            return ag_error_set(error, AG_BAD_VALUE, "cache: row %lld would leave its group of %lld", (long long)i,
                                (long long)group);
    }
    return AG_OK;
}

ag_status nn_cache_reorder(nn_cache *cache, const int32_t *from, int64_t rows, ag_error *error)
{
    const int64_t group = cache->cross && cache->cross[0].rows ? cache->rows / cache->cross[0].rows : 1;
    if (rows < 0 || rows > cache->rows || rows % group != 0)
        return ag_error_set(error, AG_BAD_VALUE, "cache: %lld %s cannot become %lld", (long long)cache->rows,
                            ag_plural(cache->rows, "row", "rows"), (long long)rows);
    if (cache->rows == 0)
        return AG_OK;
    reorder_room work;
    ag_status status = reorder_room_init(&work, cache, error);
    if (status != AG_OK)
        return status;
    int32_t *needed = work.numbers, *ready = needed + cache->rows, *groups = ready + cache->rows;
    status = find_groups(cache, from, rows, group, groups, error);
    if (status == AG_OK) {
        int64_t count = plan_moves(from, rows, cache->rows, needed, ready, work.moves);
        for (int i = 0; i < cache->layers; i++)
            reorder_attention(cache, &cache->self[i], work.moves, count, rows, work.aside);
    }
    if (status == AG_OK && cache->cross) {
        int64_t count = plan_moves(groups, rows / group, cache->rows / group, needed, ready, work.moves);
        for (int i = 0; i < cache->layers; i++)
            reorder_attention(cache, &cache->cross[i], work.moves, count, rows / group, work.aside);
        /* The lengths move with the rows; `ready` is free to hold them. */
        for (int64_t i = 0; i < rows / group && cache->source_lengths; i++)
            ready[i] = cache->source_lengths[groups[i]];
        for (int64_t i = 0; i < rows / group && cache->source_lengths; i++)
            cache->source_lengths[i] = ready[i];
    }
    if (status == AG_OK)
        cache->rows = rows;
    reorder_room_clear(&work);
    return status;
}
