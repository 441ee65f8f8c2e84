/* attention_pack.c - copies a head's keys, values and queries in the order in which tiles
 * read them. */
#include "attention_tiles.h"

/* Takes `count` numbers of the scratch memory, in whole cache lines. */
static int64_t take(int64_t *next, int64_t count)
{
    const int64_t line = (int64_t)(64 / sizeof(ag_real)), place = *next;
    *next += ceil_div(count, line) * line;
    return place;
}

attention_layout KERNEL(attention_layout)(const attention_head *head, bool is_backward)
{
    const int64_t slivers = ceil_div(head->keys, TILE_COLUMNS), keys = slivers * TILE_COLUMNS;
    const int64_t key_width = padded(head->q.width), value_width = padded(head->v.width);
    const int64_t queries = smaller(head->queries, ATTENTION_QUERIES);
    int64_t next = 0, weights = TILE_ROWS * KEYS_STEP;
    attention_layout at = {0};
    if (is_backward) {
        at.tile = queries * KEYS_STEP;
        weights = ceil_div(head->keys, KEYS) * at.tile;
    }
    take(&next, ceil_div(slivers, (int64_t)sizeof(ag_real))); /* sliver_states, a byte each */
    at.keys_t = take(&next, keys * head->q.width);
    at.queries = take(&next, queries * key_width);
    at.weights = take(&next, weights);
    if (is_backward) {
        at.values_t = take(&next, keys * head->v.width);
        at.keys = take(&next, keys * key_width);
        at.dy = take(&next, queries * value_width);
        at.dscores = take(&next, weights);
    } else {
        at.values = take(&next, keys * value_width);
        at.y = take(&next, queries * value_width);
    }
    if (head->dropout)
        at.keep = take(&next, weights);
    at.size = next;
    return at;
}

/* ---- Rows -------------------------------------------------------------------------- */

bool KERNEL(attention_copy)(int64_t rows, const attention_rows *like, const ag_real *x, ag_real *out)
{
    const int64_t width = like->width, step = like->step, next = like->next, whole = width / LANES * LANES;
    const size_t rest = (size_t)(width - whole) * sizeof(ag_real);
    vector_bits odd = {0}; /* x - x is 0 except for NaN and infinity */
    for (int64_t i = 0; i < rows; i++, x += step, out += padded(width)) {
        for (int64_t c = 0; c < whole; c += LANES) {
            prefetch(x + c, next);
            vector own = load(x + c);
            odd |= (vector_bits)(own - own);
            store(out + c, own);
        }
        if (rest) {
            vector own = {0};
            memcpy(&own, x + whole, rest);
            odd |= (vector_bits)(own - own);
            store(out + whole, own);
        }
    }
    return no_bits(odd);
}

void KERNEL(attention_leave_out)(int64_t rows, int64_t width, ag_real *copy)
{
    for (int64_t i = 0; i < rows; i++, copy += padded(width))
        if (!row_is_finite(width, copy))
            memset(copy, 0, (size_t)width * sizeof(ag_real));
}

/* ---- Slivers ----------------------------------------------------------------------- */

/* out[c * TILE_COLUMNS + i] = x[i * step + c] for LANES rows i, where row count - 1, the
 * last, stands for all rows after it. Goes by squares; the last square overlaps the one
 * before. */
static inline void transpose_rows(int64_t count, int64_t width, const ag_real *x, int64_t step, ag_real *out)
{
    for (int64_t c = 0; c < width && width >= LANES; c += LANES) {
        const int64_t from = smaller(c, width - LANES);
        transpose(count, x + from, step, out + from * TILE_COLUMNS, TILE_COLUMNS);
    }
    for (int64_t c = 0; c < width && width < LANES; c++)
        for (int64_t l = 0; l < LANES; l++)
            out[c * TILE_COLUMNS + l] = x[smaller(l, count - 1) * step + c];
}

/* The transpose of a sliver of `rows` rows: out[c * TILE_COLUMNS + i] = x[i * step +
 * c]. The last row is repeated to fill whole vectors. */
static void transpose_sliver(int64_t rows, int64_t width, const ag_real *x, int64_t step, ag_real *out)
{
    for (int64_t i = 0; i < rows; i += LANES, x += LANES * step, out += LANES)
        if (rows - i >= LANES)
            transpose_rows(LANES, width, x, step, out);
        else
            transpose_rows(rows - i, width, x, step, out);
}

static sliver_state pack_sliver(const attention_head *head, const attention_layout *at, bool is_backward, int64_t begin,
                                ag_real *scratch)
{
    const attention_rows *k = &head->k, *v = &head->v;
    const int64_t rows = smaller(head->keys - begin, TILE_COLUMNS);
    const ag_real *keys = k->data + begin * k->step, *values = v->data + begin * v->step;
    transpose_sliver(rows, k->width, keys, k->step, scratch + at->keys_t + begin * k->width);
    prefetch_next(rows, k, keys);
    if (is_backward) {
        transpose_sliver(rows, v->width, values, v->step, scratch + at->values_t + begin * v->width);
        prefetch_next(rows, v, values);
    }

    const attention_rows *copied = is_backward ? k : v;
    ag_real *copy = scratch + (is_backward ? at->keys : at->values) + begin * padded(copied->width);
    if (KERNEL(attention_copy)(rows, copied, is_backward ? keys : values, copy))
        return PACKED;
    KERNEL(attention_leave_out)(rows, copied->width, copy);
    return PACKED_WITH_ROWS_LEFT_OUT;
}

bool KERNEL(attention_pack)(const attention_head *head, const attention_layout *at, bool is_backward, int64_t begin,
                            int64_t end, ag_real *scratch)
{
    unsigned char *states = sliver_states(scratch);
    bool leaves_out = false;
    end = smaller(end, head->keys);
    for (int64_t j = begin / TILE_COLUMNS * TILE_COLUMNS; j < end; j += TILE_COLUMNS) {
        unsigned char *state = &states[j / TILE_COLUMNS];
        if (*state == NOT_PACKED)
            *state = (unsigned char)pack_sliver(head, at, is_backward, j, scratch);
        leaves_out |= *state == PACKED_WITH_ROWS_LEFT_OUT;
    }
    return leaves_out;
}
