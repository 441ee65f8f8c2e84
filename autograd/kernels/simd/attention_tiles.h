/* attention_tiles.h - what attention's forward and backward share: the copies of a head,
 * tiles of scores, and products of any size made of register tiles.
 *
 * A block of up to ATTENTION_QUERIES queries is multiplied by the keys tile by tile, KEYS
 * keys at a time. The borders of blocks and tiles are fixed and sums between them run in
 * order, so a row's bits do not depend on what else is computed with it.
 *
 * A product sums over all rows of its right-hand side, with weight 0 for those that a
 * query may not see. NaN and infinity would survive that: so a row that holds one is
 * left out of the copy (is zero there), and is added separately for the queries that
 * may see it. */
#ifndef AUTOGRAD_KERNELS_ATTENTION_TILES_H
#define AUTOGRAD_KERNELS_ATTENTION_TILES_H

#include "../attention.h"
#include "../elementwise.h"
#include "../vector_math.h"
#include "tile.h"
#include "transpose.h"

#include <math.h>
#include <string.h>

#define KEYS 128 /* keys of a tile of scores; a multiple of TILE_COLUMNS at every level */
/* The distance of a tile's rows: it spreads columns over the sets of the first-level
 * cache. */
#define KEYS_STEP (KEYS + 16)

extern const kernel_elementwise KERNEL(kernel_elementwise);

/* ---- Sizes ------------------------------------------------------------------------- */

/* n rounded up to whole vectors. */
static inline int64_t padded(int64_t n)
{
    return ceil_div(n, LANES) * LANES;
}

/* Rows that one register tile computes together. A block's groups are of nearly equal
 * height; the last may be lower. */
typedef struct group {
    int64_t begin, end;
} group;

static inline int64_t group_height(int64_t rows)
{
    return rows <= TILE_ROWS ? rows : ceil_div(rows, ceil_div(rows, TILE_ROWS));
}

static inline group group_at(int64_t rows, int64_t height, int64_t index)
{
    return (group){index * height, smaller((index + 1) * height, rows)};
}

#define MOST_GROUPS (ATTENTION_QUERIES / TILE_ROWS)
_Static_assert(ATTENTION_QUERIES % TILE_ROWS == 0, "groups divide a block");
/* Vectors that hold one number per row of a group. */
#define GROUP_VECTORS ((TILE_ROWS + LANE_COUNT - 1) / LANE_COUNT)
#define GROUP_LANES   (GROUP_VECTORS * LANES)

/* ---- Vectors ----------------------------------------------------------------------- */

#ifdef TAPEFORMER_DOUBLE
typedef int64_t lane_integer;
#else
typedef int32_t lane_integer;
#endif
/* The result of comparing vectors: in each lane all bits are set, or none. */
typedef lane_integer vector_bits __attribute__((vector_size(VECTOR_BYTES)));

/* Lanes of a where `chosen` is set, of b elsewhere. */
static inline vector vector_choose(vector_bits chosen, vector a, vector b)
{
    return (vector)((chosen & (vector_bits)a) | (~chosen & (vector_bits)b));
}

static inline bool no_bits(vector_bits bits)
{
    lane_integer lane[LANES], all = 0;
    memcpy(lane, &bits, sizeof bits);
    for (int64_t l = 0; l < LANES; l++)
        all |= lane[l];
    return all == 0;
}

static inline vector vector_max(vector a, vector b)
{
#ifdef INTRINSIC
    return (vector)INTRINSIC(max)((machine_vector)b, (machine_vector)a);
#else
    return vector_choose((vector_bits)(b > a), b, a);
#endif
}

/* Sets the lanes begin <= l < end. */
static inline vector_bits lanes_between(int64_t begin, int64_t end)
{
    static const lane_integer numbers[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    const lane_integer from = (lane_integer)larger(begin, 0), to = (lane_integer)smaller(end, LANES);
    vector_bits lane;
    memcpy(&lane, numbers, sizeof lane);
    return (vector_bits)((lane >= from) & (lane < to));
}

/* e^a. As exp_real, but NaN for a = infinity, which a score minus its row's maximum never
 * is. */
static inline vector vector_exp(vector a)
{
#if defined(KERNEL_LEVEL_avx512) /* (it has an instruction for x 2^n, whatever n) */
    const int count = sizeof EXP_TAIL / sizeof *EXP_TAIL;
    const vector n = (a * (ag_real)1.44269504088896340736 + ROUNDER) - ROUNDER;
    const vector r = (a - n * LN2_HIGH) - n * LN2_LOW;
    vector tail = splat(EXP_TAIL[count - 1]);
    UNROLL(16)
    for (int i = count - 2; i >= 0; i--)
        tail = tail * r + EXP_TAIL[i];
    const vector fraction = (tail * (r * r) + r) + 1;
    const vector power = (vector)INTRINSIC(scalef)((machine_vector)fraction, (machine_vector)n);
    return vector_choose((vector_bits)(a < splat(EXP_LOW)), (vector){0}, power);
#else
    ag_real x[LANES]; /* (compilers turn a loop over an array into vector code) */
    store(x, a);
    for (int64_t l = 0; l < LANES; l++)
        x[l] = exp_real(x[l]);
    return load(x);
#endif
}

/* Returns in lane l the largest element of vector l, or its sum. Interleaves halves as a
 * transposition does, and combines them: each round leaves half as many vectors. */
static inline vector reduce_each(const vector *rows, bool is_max)
{
    vector x[LANE_COUNT];
    for (int i = 0; i < LANE_COUNT; i++)
        x[i] = rows[i];
    UNROLL(4)
    for (int left = LANE_COUNT / 2; left > 0; left /= 2)
        UNROLL(8)
    for (int i = 0; i < left; i++) {
        vector a = FIRST_HALVES(x[i], x[i + left]), b = SECOND_HALVES(x[i], x[i + left]);
        x[i] = is_max ? vector_max(a, b) : a + b;
    }
    return x[0];
}

/* ---- A head's copies --------------------------------------------------------------- */

/* Where the copies of a head lie in the scratch memory: the number of their first
 * element. Keys and values are copied in slivers of TILE_COLUMNS rows, each when a
 * block first needs it. The scratch memory begins with sliver_states. */
typedef struct attention_layout {
    int64_t keys_t;         /* K^T: [k.width, TILE_COLUMNS] for each sliver */
    int64_t values;         /* V: [keys, padded v.width]. Forward only */
    int64_t values_t, keys; /* V^T in the form of K^T, K in that of V. Backward only */
    int64_t queries;        /* Q: [ATTENTION_QUERIES, padded q.width] */
    int64_t dy;             /* [ATTENTION_QUERIES, padded v.width]. Backward only */
    int64_t y;              /* [ATTENTION_QUERIES, padded v.width]. Forward only */
    int64_t weights;        /* [TILE_ROWS, KEYS_STEP]. Backward: [tiles, ATTENTION_QUERIES, KEYS_STEP] */
    int64_t dscores;        /* as weights. Backward only */
    int64_t keep;           /* dropout's factors of the weights, as many as these */
    int64_t tile;           /* from one tile of weights to the next. Backward only */
    int64_t size;
} attention_layout;

attention_layout KERNEL(attention_layout)(const attention_head *head, bool is_backward);

typedef enum sliver_state { NOT_PACKED, PACKED, PACKED_WITH_ROWS_LEFT_OUT } sliver_state;

/* A sliver_state for each sliver, in a byte, at the beginning of the scratch memory. */
static inline unsigned char *sliver_states(ag_real *scratch)
{
    return (unsigned char *)scratch;
}

/* Copies the keys begin <= j < end and their values, unless they are copied already.
 * Returns whether rows are left out: of the values, in a backward of the keys. */
bool KERNEL(attention_pack)(const attention_head *head, const attention_layout *at, bool is_backward, int64_t begin,
                            int64_t end, ag_real *scratch);

/* Copies `rows` rows to rows of whole vectors. x points into the data or the gradient
 * of `like`; the next head's rows are prefetched. Returns whether all elements are
 * finite. */
bool KERNEL(attention_copy)(int64_t rows, const attention_rows *like, const ag_real *x, ag_real *out);

/* Sets to zero the rows of a copy that hold NaN or infinity. */
void KERNEL(attention_leave_out)(int64_t rows, int64_t width, ag_real *copy);

/* kernel_attention's functions, for all heads. */
void KERNEL(attention_forward)(const attention_head *head, const attention_block *block, ag_real *scratch);
void KERNEL(attention_backward)(const attention_head *head, const attention_block *block, ag_real *scratch);

/* The same for short heads, whose scores fit into one tile. They return false if the
 * block needs the functions above, which write all that the forward has written by then.
 * The backward adds to no gradient before it returns false. */
bool KERNEL(attention_short_forward)(const attention_head *head, const attention_block *block, ag_real *scratch);
bool KERNEL(attention_short_backward)(const attention_head *head, const attention_block *block, ag_real *scratch);

/* The numbers of scratch memory that those two need; 0 for a head that is not short. */
int64_t KERNEL(attention_short_size)(const attention_head *head, bool is_backward);

/* Prefetches x + distance. Computed on integers: the address may lie outside the
 * array. */
static inline void prefetch(const ag_real *x, int64_t distance)
{
    __builtin_prefetch((const void *)((uintptr_t)x + (uintptr_t)distance * sizeof(ag_real)));
}

/* Prefetches rows that will soon be written. */
static inline void prefetch_rows(int64_t rows, int64_t width, const ag_real *x, int64_t step)
{
    for (int64_t i = 0; i < rows; i++)
        for (int64_t c = 0; c < width; c += (int64_t)(64 / sizeof(ag_real)))
            __builtin_prefetch(x + i * step + c, 1);
}

/* Prefetches the same rows of the next head. */
static inline void prefetch_next(int64_t rows, const attention_rows *like, const ag_real *x)
{
    for (int64_t i = 0; i < rows; i++)
        for (int64_t c = 0; c < like->width; c += (int64_t)(64 / sizeof(ag_real)))
            prefetch(x + i * like->step + c, like->next);
}

/* Sets the gradient of rows begin .. end - 1 to zero. */
static inline void zero_rows(const attention_rows *rows, int64_t begin, int64_t end)
{
    for (int64_t i = begin; i < end; i++) {
        ag_real *row = rows->gradient + i * rows->step;
        int64_t c = 0;
        for (; c + LANES <= rows->width; c += LANES)
            store(row + c, (vector){0});
        if (c < rows->width)
            store_some(row + c, (vector){0}, rows->width - c);
    }
}

static inline bool row_is_finite(int64_t width, const ag_real *x)
{
    for (int64_t c = 0; c < width; c++)
        if (!isfinite(x[c]))
            return false;
    return true;
}

/* ---- Tiles of scores --------------------------------------------------------------- */

/* Columns begin .. end - 1 of a tile of scores, in whole vectors. */
typedef struct span {
    int64_t begin, end;
} span;

/* The columns that some of these rows may see, in the tile that begins at key `first`. */
static inline span seen_by(group rows, const attention_keys *keys, int64_t first)
{
    span seen = {KEYS, 0};
    for (int64_t r = rows.begin; r < rows.end; r++) {
        int64_t begin = larger(keys[r].begin - first, 0), end = smaller(keys[r].end - first, KEYS);
        if (begin < end) {
            seen.begin = smaller(seen.begin, begin);
            seen.end = larger(seen.end, end);
        }
    }
    if (seen.begin >= seen.end)
        return (span){0, 0};
    return (span){seen.begin / TILE_COLUMNS * TILE_COLUMNS, padded(seen.end)};
}

static inline bool sees(const attention_keys *keys, int64_t j)
{
    return j >= keys->begin && j < keys->end && (!keys->allow || keys->allow[j]);
}

/* Whether the span lies within the query's first and last key (between which there may be
 * holes). */
static inline bool sees_span(const attention_keys *keys, int64_t first, span columns)
{
    return keys->begin <= first + columns.begin && keys->end >= first + columns.end;
}

/* C = A B or C += A B for any numbers of rows and columns, where the next TILE_COLUMNS
 * columns of B are b_step units further. Changes *task for one tile after the other: a
 * copy of it would wait for all stores to its fields. */
static inline void multiply(tile_task *task, int64_t b_step)
{
    const int64_t rows = task->rows, columns = task->columns, height = group_height(rows);
    const unit *b = task->b;
    ag_real *c = task->c;
    for (int64_t row = 0; row < rows; row += height) {
        task->rows = smaller(rows - row, height);
        task->b = b;
        task->c = c;
        for (int64_t left = columns; left > 0; left -= TILE_COLUMNS) {
            task->columns = smaller(left, TILE_COLUMNS);
            KERNEL(tile)(task);
            task->b += b_step;
            task->c += TILE_COLUMNS;
        }
        task->a += height * task->a_row;
        c += height * task->c_row;
    }
}

/* out[r * KEYS_STEP + j] = x[r] . y[first + j] for the columns j of a span, where
 * packed_t holds the slivers of y^T. */
static inline void multiply_transposed(int64_t rows, int64_t width, const ag_real *x, const ag_real *packed_t,
                                       int64_t first, span columns, ag_real *out)
{
    multiply(&(tile_task){.rows = rows,
                          .columns = columns.end - columns.begin,
                          .depth = width,
                          .a = x,
                          .a_row = padded(width),
                          .a_column = 1,
                          .b = packed_t + (first + columns.begin) * width,
                          .b_row = TILE_COLUMNS,
                          .c = out + columns.begin,
                          .c_row = KEYS_STEP},
             TILE_COLUMNS * width);
}

/* x[c] *= scale. (Scaling q instead would round each score's terms once more.) */
static inline void scale_scores(const attention_head *head, span columns, ag_real *x)
{
    const vector scale = splat(head->scale);
    for (int64_t c = columns.begin; c < columns.end; c += LANES)
        store(x + c, load(x + c) * scale);
}

/* scores[c] += the bias of key first + c, from the query's first key to its last. */
static inline void add_bias(const attention_block *block, int64_t row, int64_t first, span columns, ag_real *scores)
{
    const attention_keys *keys = &block->keys[row];
    const ag_real *bias = block->bias[row];
    const int64_t end = smaller(keys->end, first + columns.end);
    for (int64_t j = larger(keys->begin, first + columns.begin); j < end; j++)
        scores[j - first] += bias[j * block->bias_step];
}

/* Sets x[c] to `value` in the holes: where key first + c, between the query's first
 * and last key, is not allowed. */
static inline void fill_holes(const attention_keys *keys, int64_t first, span columns, ag_real value, ag_real *x)
{
    const int64_t end = smaller(keys->end, first + columns.end);
    for (int64_t j = larger(keys->begin, first + columns.begin); j < end; j++)
        x[j - first] = keys->allow[j] ? x[j - first] : value;
}

/* Whether dropout's factors of a block's rows are contiguous, so that one call draws
 * them. */
static inline bool drops_together(const attention_head *head)
{
    return head->keys <= KEYS;
}

/* The distance of two rows of dropout's factors. */
static inline int64_t dropout_step(const attention_head *head)
{
    return drops_together(head) ? head->keys : KEYS;
}

/* keep[r * dropout_step + j - columns.begin] = dropout's factor of weight j of row
 * `row` + r of the head, for `rows` rows. */
static inline void draw_dropout(const attention_head *head, int64_t row, int64_t rows, int64_t first, span columns,
                                ag_real *keep)
{
    const int64_t from = first + columns.begin, count = smaller(first + columns.end, head->keys) - from;
    const bool together = drops_together(head);
    const int64_t draws = together ? 1 : rows, numbers = together ? rows * head->keys - from : count;
    for (int64_t r = 0; r < draws; r++, keep += dropout_step(head)) {
        for (int64_t e = 0; e < numbers; e++)
            keep[e] = 1;
        KERNEL(kernel_elementwise)
            .dropout(head->dropout, head->first_weight + (row + r) * head->keys + from, numbers, keep, keep, false);
    }
}

#endif
