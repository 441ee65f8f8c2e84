/* attention_forward.c - attention tile by tile, with a running maximum and sum for
 * each query (Milakov and Gimelshein 2018; FlashAttention-2, Dao 2023): when a tile
 * raises the maximum, the earlier sums are scaled down. */
#include "attention_tiles.h"

/* For each row of a group: the largest score so far, and the sum of e^(score - max).
 * The sum of these powers times values is in the scratch memory, at y. */
typedef struct running {
    ag_real max[GROUP_LANES], sum[GROUP_LANES];
    bool has_y; /* whether anything is summed yet */
} running;

typedef struct forward_pass {
    const attention_head *head;
    const attention_block *block;
    attention_layout at;
    ag_real *scratch;
    int64_t height, groups; /* of the block: rows of a group, number of groups */
    running *group;         /* [groups] */
} forward_pass;

/* ---- Softmax of a group ------------------------------------------------------------ */

/* Scales a row of scores, adds the bias, sets the scores of keys that the query may
 * not see to -inf, and returns the largest score in each lane. */
static inline vector finish_scores(const attention_head *head, const attention_block *block, int64_t row, int64_t first,
                                   span columns, ag_real *scores)
{
    const attention_keys *keys = &block->keys[row];
    const vector forbidden = splat(-(ag_real)INFINITY);
    vector max = forbidden;
    scale_scores(head, columns, scores);
    if (block->bias)
        add_bias(block, row, first, columns, scores);
    if (keys->allow)
        fill_holes(keys, first, columns, -(ag_real)INFINITY, scores);
    if (sees_span(keys, first, columns)) {
        for (int64_t c = columns.begin; c < columns.end; c += LANES)
            max = vector_max(max, load(scores + c));
        return max;
    }
    for (int64_t c = columns.begin; c < columns.end; c += LANES) {
        vector own =
            vector_choose(lanes_between(keys->begin - first - c, keys->end - first - c), load(scores + c), forbidden);
        store(scores + c, own);
        max = vector_max(max, own);
    }
    return max;
}

/* Turns scores into powers e^(score - max), and updates max and sum. Sets decay[r] to the
 * factor by which the earlier sums of row r must be scaled. */
static void scores_to_powers(const attention_head *head, const attention_block *block, group rows, int64_t first,
                             span columns, ag_real *scores, running *so_far, ag_real *decay)
{
    const int64_t count = rows.end - rows.begin;
    vector partial[GROUP_LANES];
    ag_real shift[GROUP_LANES];
    for (int64_t r = 0; r < count; r++)
        partial[r] = finish_scores(head, block, rows.begin + r, first, columns, scores + r * KEYS_STEP);
    for (int64_t r = count; r < GROUP_LANES; r++)
        partial[r] = (vector){0};
    for (int64_t v = 0; v < GROUP_LANES; v += LANES) {
        const vector before = load(so_far->max + v), max = vector_max(before, reduce_each(partial + v, true));
        const vector blind = splat(-(ag_real)INFINITY); /* (-inf - -inf would be NaN) */
        const vector own = vector_choose((vector_bits)(max == blind), (vector){0}, max);
        store(so_far->max + v, max);
        store(shift + v, own);
        if (so_far->has_y)
            store(decay + v, vector_exp(before - own));
    }

    for (int64_t r = 0; r < count; r++) {
        const vector own = splat(shift[r]);
        vector sum = {0};
        for (ag_real *x = scores + r * KEYS_STEP + columns.begin; x < scores + r * KEYS_STEP + columns.end;
             x += LANES) {
            vector power = vector_exp(load(x) - own);
            store(x, power);
            sum += power;
        }
        partial[r] = sum;
    }
    for (int64_t v = 0; v < GROUP_LANES; v += LANES) {
        vector sum = reduce_each(partial + v, false);
        if (so_far->has_y)
            sum += load(so_far->sum + v) * load(decay + v);
        store(so_far->sum + v, sum);
    }
}

/* ---- Tiles ------------------------------------------------------------------------- */

static void drop_weights(const forward_pass *pass, group rows, int64_t first, span columns, ag_real *weights)
{
    ag_real *keep = pass->scratch + pass->at.keep;
    draw_dropout(pass->head, pass->block->first + rows.begin, rows.end - rows.begin, first, columns, keep);
    for (int64_t r = 0; r < rows.end - rows.begin; r++, keep += dropout_step(pass->head))
        for (int64_t c = columns.begin; c < columns.end; c += LANES)
            store(weights + r * KEYS_STEP + c, load(weights + r * KEYS_STEP + c) * load(keep + c - columns.begin));
}

/* Adds the values that were left out of the copy, for the queries that may see them. */
static void add_left_out_values(const forward_pass *pass, group rows, int64_t first, span columns,
                                const ag_real *weights)
{
    const attention_rows *v = &pass->head->v;
    const int64_t end = smaller(first + columns.end, pass->head->keys);
    ag_real *y = pass->scratch + pass->at.y;
    for (int64_t j = first + columns.begin; j < end; j++) {
        const ag_real *value = v->data + j * v->step;
        if (row_is_finite(v->width, value))
            continue;
        for (int64_t r = rows.begin; r < rows.end; r++)
            if (sees(&pass->block->keys[r], j))
                axpy(v->width, weights[(r - rows.begin) * KEYS_STEP + j - first], value, y + r * padded(v->width));
    }
}

static void forward_group(forward_pass *pass, int64_t g, int64_t first)
{
    const attention_head *head = pass->head;
    const group rows = group_at(pass->block->count, pass->height, g);
    const int64_t count = rows.end - rows.begin, width = padded(head->v.width);
    const span columns = seen_by(rows, pass->block->keys, first);
    if (columns.begin == columns.end)
        return;

    running *so_far = &pass->group[g];
    ag_real *weights = pass->scratch + pass->at.weights, *y = pass->scratch + pass->at.y + rows.begin * width;
    ag_real decay[GROUP_LANES];
    multiply_transposed(count, head->q.width, pass->scratch + pass->at.queries + rows.begin * padded(head->q.width),
                        pass->scratch + pass->at.keys_t, first, columns, weights);
    scores_to_powers(head, pass->block, rows, first, columns, weights, so_far, decay);
    if (head->dropout)
        drop_weights(pass, rows, first, columns, weights);
    if (so_far->has_y)
        for (int64_t r = 0; r < count; r++)
            for (int64_t c = 0; c < width; c += LANES)
                store(y + r * width + c, load(y + r * width + c) * splat(decay[r]));

    const bool leaves_out =
        KERNEL(attention_pack)(head, &pass->at, false, first + columns.begin, first + columns.end, pass->scratch);
    multiply(&(tile_task){.rows = count,
                          .columns = width,
                          .depth = smaller(columns.end, head->keys - first) - columns.begin,
                          .a = weights + columns.begin,
                          .a_row = KEYS_STEP,
                          .a_column = 1,
                          .b = pass->scratch + pass->at.values + (first + columns.begin) * width,
                          .b_row = width,
                          .c = y,
                          .c_row = width,
                          .add = so_far->has_y},
             TILE_COLUMNS);
    so_far->has_y = true;
    if (leaves_out)
        add_left_out_values(pass, rows, first, columns, weights);
}

/* y[i] = sum of powers times values / sum of powers */
static void finish_group(const forward_pass *pass, int64_t g)
{
    const attention_head *head = pass->head;
    const running *so_far = &pass->group[g];
    const group rows = group_at(pass->block->count, pass->height, g);
    const int64_t width = head->v.width;
    ag_real inverse[GROUP_LANES];
    for (int64_t v = 0; v < GROUP_LANES; v += LANES) {
        const vector sum = load(so_far->sum + v), none = {0};
        store(inverse + v, vector_choose((vector_bits)(sum == none), none, 1 / sum));
    }
    const ag_real *in = pass->scratch + pass->at.y + rows.begin * padded(width);
    ag_real *out = head->y.data + (pass->block->first + rows.begin) * head->y.step;
    attention_statistics *statistics = head->statistics ? head->statistics + pass->block->first + rows.begin : NULL;
    for (int64_t r = 0; r < rows.end - rows.begin; r++, in += padded(width), out += head->y.step) {
        if (statistics)
            statistics[r] = (attention_statistics){so_far->max[r], inverse[r]};
        if (inverse[r] == 0) {
            memset(out, 0, (size_t)width * sizeof(ag_real));
            continue;
        }
        const vector factor = splat(inverse[r]);
        int64_t c = 0;
        for (; c + LANES <= width; c += LANES)
            store(out + c, load(in + c) * factor);
        if (c < width)
            store_some(out + c, load(in + c) * factor, width - c);
    }
}

void KERNEL(attention_forward)(const attention_head *head, const attention_block *block, ag_real *scratch)
{
    running so_far[MOST_GROUPS];
    forward_pass pass = {.head = head,
                         .block = block,
                         .at = KERNEL(attention_layout)(head, false),
                         .scratch = scratch,
                         .height = group_height(block->count),
                         .group = so_far};
    int64_t begin = head->keys, end = 0;
    for (int64_t r = 0; r < block->count; r++)
        if (block->keys[r].begin < block->keys[r].end) {
            begin = smaller(begin, block->keys[r].begin);
            end = larger(end, block->keys[r].end);
        }
    pass.groups = ceil_div(block->count, pass.height);
    for (int64_t g = 0; g < pass.groups; g++) {
        so_far[g].has_y = false;
        for (int64_t r = 0; r < GROUP_LANES; r++) {
            so_far[g].max[r] = -(ag_real)INFINITY;
            so_far[g].sum[r] = 0;
        }
    }

    KERNEL(attention_copy)
    (block->count, &head->q, head->q.data + block->first * head->q.step, scratch + pass.at.queries);
    for (int64_t first = begin / KEYS * KEYS; first < end; first += KEYS) {
        KERNEL(attention_pack)(head, &pass.at, false, larger(begin, first), smaller(end, first + KEYS), scratch);
        for (int64_t g = 0; g < pass.groups; g++)
            forward_group(&pass, g, first);
    }
    for (int64_t g = 0; g < pass.groups; g++)
        finish_group(&pass, g);
}
