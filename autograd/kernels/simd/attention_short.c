/* attention_short.c - attention of short heads, with the queries in lanes.
 *
 * Where one tile holds all scores, they are computed transposed: a row for each key, a
 * lane for each query. Softmax then goes from vector to vector, and nothing is summed
 * across lanes. Keys, values, queries and dy are multiplied where they lie; only Q^T and
 * dy^T are copied.
 *
 * Sums have the order of attention_forward.c and attention_backward.c, so all results
 * have the same bits: a head may be computed here, and with more padding there. Those
 * files also compute what this one leaves to them: biases, holes, dropout, rows that are
 * not whole vectors, NaN and infinity. */
#include "attention_tiles.h"

#define MOST_VECTORS (ATTENTION_QUERIES / LANE_COUNT)

typedef struct short_pass {
    const attention_head *head;
    int64_t count, step; /* queries; the same in whole vectors: the distance of rows of what follows */
    ag_real *q_t, *dy_t; /* [width, step] */
    ag_real *scores;     /* [keys, step]: scores, then their powers; backward: the weights */
    ag_real *dscores;    /* [keys, step]: e, then scale ds. Backward only */
    /* For a vector of queries: the keys that any of them sees, and those that all see. If
     * these differ, the keys of each. */
    span any[MOST_VECTORS], all[MOST_VECTORS];
    lane_integer begin[ATTENTION_QUERIES], end[ATTENTION_QUERIES];
    vector_bits odd; /* not 0 after NaN or infinity was seen */
} short_pass;

/* Queries first .. past - 1: vectors of queries that see the same `keys`. */
typedef struct run {
    int64_t first, past;
    span keys;
} run;

static bool is_short(const attention_head *head)
{
    return head->queries <= ATTENTION_QUERIES && head->keys <= KEYS && !head->dropout && head->q.width % LANES == 0 &&
           head->v.width % LANES == 0;
}

int64_t KERNEL(attention_short_size)(const attention_head *head, bool is_backward)
{
    const int64_t step = padded(head->queries), sides = is_backward ? 2 : 1;
    const int64_t size = step * (head->q.width + (is_backward ? head->v.width : 0) + sides * head->keys);
    return is_short(head) ? ceil_div(size, 16) * 16 : 0;
}

/* ---- Entering a head --------------------------------------------------------------- */

/* out[c * step + i] = x[i][c] for all rows i, and for more to fill whole vectors. */
static void transpose_all(const short_pass *pass, const attention_rows *like, const ag_real *x, ag_real *out)
{
    for (int64_t i = 0; i < pass->count; i += LANES, x += LANES * like->step)
        for (int64_t c = 0; c < like->width; c += LANES) {
            const int64_t rows = smaller(pass->count - i, LANES);
            if (rows == LANES)
                transpose(LANES, x + c, like->step, out + c * pass->step + i, pass->step);
            else
                transpose(rows, x + c, like->step, out + c * pass->step + i, pass->step);
        }
}

/* Finds what vector v of the queries sees. Returns whether that is without holes. */
static bool find_keys_of_lanes(short_pass *pass, const attention_keys *keys, int64_t v)
{
    const int64_t first = v * LANES, past = smaller(first + LANES, pass->count);
    span any = {keys[first].begin, keys[first].end}, all = any;
    bool has_holes = false, differ = false;
    for (int64_t r = first; r < past; r++) {
        has_holes |= keys[r].allow != NULL;
        differ |= (keys[r].begin != any.begin) | (keys[r].end != any.end);
    }
    if (differ) {
        memset(pass->begin + first, 0, LANES * sizeof *pass->begin);
        memset(pass->end + first, 0, LANES * sizeof *pass->end);
        any = (span){KEYS, 0};
        for (int64_t r = first; r < past; r++) {
            const int64_t begin = keys[r].begin, end = keys[r].end;
            pass->begin[r] = (lane_integer)begin;
            pass->end[r] = (lane_integer)end;
            all = (span){larger(all.begin, begin), smaller(all.end, end)};
            if (begin < end)
                any = (span){smaller(any.begin, begin), larger(any.end, end)};
        }
        if (any.begin > any.end)
            any = (span){0, 0};
    }
    pass->any[v] = any;
    pass->all[v] = all;
    return !has_holes;
}

/* Returns whether this file computes the head. Prefetches the next one: of its keys as
 * many as this one's queries see, since the rest of a cache is not filled yet. */
static bool enter(short_pass *pass, const attention_head *head, const attention_block *block, ag_real *scratch)
{
    if (!is_short(head) || block->bias || block->dbias)
        return false;
    pass->head = head;
    pass->count = head->queries;
    pass->step = padded(head->queries);
    pass->q_t = scratch;
    pass->scores = pass->q_t + head->q.width * pass->step;
    pass->dscores = pass->scores + head->keys * pass->step;
    pass->dy_t = pass->dscores + head->keys * pass->step;
    pass->odd = (vector_bits){0};
    int64_t seen = 0;
    for (int64_t v = 0; v * LANES < pass->count; v++) {
        if (!find_keys_of_lanes(pass, block->keys, v))
            return false;
        seen = larger(seen, pass->any[v].end);
    }
    prefetch_next(head->queries, &head->q, head->q.data);
    prefetch_next(seen, &head->k, head->k.data);
    prefetch_next(seen, &head->v, head->v.data);
    return true;
}

/* Notes whether elements of x are NaN or infinity: x - x is 0 except for those. */
static inline void look_at(short_pass *pass, vector x)
{
    pass->odd |= (vector_bits)(x - x);
}

/* The run that begins at query `first`. */
static run run_from(const short_pass *pass, int64_t first)
{
    const span keys = pass->any[first / LANES];
    int64_t v = first / LANES + 1;
    while (v * LANES < pass->count && pass->any[v].begin == keys.begin && pass->any[v].end == keys.end)
        v++;
    return (run){first, smaller(v * LANES, pass->count), keys};
}

/* ---- Scores ------------------------------------------------------------------------ */

/* out[j * step + i] = rows[j] . x[i] for the keys j and the queries i of a run, where
 * rows are keys or values and x_t is the transpose of x. */
static void multiply_keys(const short_pass *pass, const run *own, const attention_rows *rows, const ag_real *x_t,
                          ag_real *out)
{
    multiply(&(tile_task){.rows = own->keys.end - own->keys.begin,
                          .columns = padded(own->past - own->first),
                          .depth = rows->width,
                          .a = rows->data + own->keys.begin * rows->step,
                          .a_row = rows->step,
                          .a_column = 1,
                          .b = x_t + own->first,
                          .b_row = pass->step,
                          .c = out + own->keys.begin * pass->step + own->first,
                          .c_row = pass->step},
             TILE_COLUMNS);
}

/* y[i] = or += the sum over the keys j of a run of x[j * step + i] rows[j], for its
 * queries i. */
static void multiply_queries(const short_pass *pass, const run *own, const ag_real *x, const attention_rows *rows,
                             ag_real *y, int64_t y_step, bool add)
{
    multiply(&(tile_task){.rows = own->past - own->first,
                          .columns = rows->width,
                          .depth = own->keys.end - own->keys.begin,
                          .a = x + own->keys.begin * pass->step + own->first,
                          .a_row = 1,
                          .a_column = pass->step,
                          .b = rows->data + own->keys.begin * rows->step,
                          .b_row = rows->step,
                          .c = y + own->first * y_step,
                          .c_row = y_step,
                          .add = add},
             TILE_COLUMNS);
}

/* Sets the lanes of vector v whose queries see key j. */
static inline vector_bits lanes_that_see(const short_pass *pass, int64_t v, int64_t j)
{
    vector_bits begin, end;
    memcpy(&begin, pass->begin + v * LANES, sizeof begin);
    memcpy(&end, pass->end + v * LANES, sizeof end);
    return (vector_bits)((begin <= (lane_integer)j) & (end > (lane_integer)j));
}

/* x in the lanes of vector v that see key j, `otherwise` in the others. */
static inline vector where_seen(const short_pass *pass, int64_t v, int64_t j, vector x, vector otherwise)
{
    if (j >= pass->all[v].begin && j < pass->all[v].end)
        return x;
    return vector_choose(lanes_that_see(pass, v, j), x, otherwise);
}

/* The first of the keys whose remainder by LANES is l. */
static inline int64_t first_key(span keys, int64_t l)
{
    return keys.begin + (l - keys.begin % LANES + LANES) % LANES;
}

/* The sum of terms that are summed for each remainder of their keys by LANES, in the
 * order of vector_sum. */
static inline vector sum_remainders(vector part[LANE_COUNT])
{
    UNROLL(4)
    for (int left = LANE_COUNT / 2; left > 0; left /= 2)
        UNROLL(8)
    for (int l = 0; l < left; l++)
        part[l] += part[l + left];
    return part[0];
}

/* ---- Forward ----------------------------------------------------------------------- */

/* Turns the scores of vector v into powers e^(score - max), and finds for each query max
 * and 1 / sum. */
static void softmax_of_lanes(short_pass *pass, int64_t v, ag_real *max, ag_real *inverse)
{
    const span keys = pass->any[v];
    const int64_t step = pass->step;
    const vector scale = splat(pass->head->scale), blind = splat(-(ag_real)INFINITY), none = {0};
    ag_real *scores = pass->scores + v * LANES;
    vector most = blind, part[LANE_COUNT];
    for (int64_t j = keys.begin; j < keys.end; j++) {
        const vector score = load(scores + j * step);
        const vector scaled = where_seen(pass, v, j, score * scale, blind);
        look_at(pass, score);
        store(scores + j * step, scaled);
        most = vector_max(most, scaled);
    }
    const vector own = vector_choose((vector_bits)(most == blind), none, most); /* (-inf - -inf would be NaN) */
    for (int64_t l = 0; l < LANES; l++) {
        part[l] = none;
        for (int64_t j = first_key(keys, l); j < keys.end; j += LANES) {
            const vector power = vector_exp(load(scores + j * step) - own);
            store(scores + j * step, power);
            part[l] += power;
        }
    }
    const vector sum = sum_remainders(part);
    store(max, most);
    store(inverse, vector_choose((vector_bits)(sum == none), none, 1 / sum));
}

/* y[i] = sum of powers times values / sum of powers, where y holds the first sum. */
static void finish_y(short_pass *pass, int64_t i, ag_real inverse)
{
    ag_real *y = pass->head->y.data + i * pass->head->y.step;
    const vector factor = splat(inverse);
    for (int64_t c = 0; c < pass->head->v.width; c += LANES) {
        const vector sum = load(y + c);
        look_at(pass, sum);
        store(y + c, sum * factor);
    }
}

/* A key or a query with NaN or infinity makes all its scores NaN or infinite, and a value
 * all results: so scores and results are looked at, not the operands. */
bool KERNEL(attention_short_forward)(const attention_head *head, const attention_block *block, ag_real *scratch)
{
    short_pass pass;
    ag_real max[ATTENTION_QUERIES], inverse[ATTENTION_QUERIES];
    if (!enter(&pass, head, block, scratch))
        return false;
    transpose_all(&pass, &head->q, head->q.data, pass.q_t);
    for (int64_t first = 0; first < pass.count;) {
        const run own = run_from(&pass, first);
        multiply_keys(&pass, &own, &head->k, pass.q_t, pass.scores);
        for (int64_t r = own.first; r < own.past; r += LANES)
            softmax_of_lanes(&pass, r / LANES, max + r, inverse + r);
        multiply_queries(&pass, &own, pass.scores, &head->v, head->y.data, head->y.step, false);
        for (int64_t r = own.first; r < own.past; r++)
            finish_y(&pass, r, inverse[r]);
        first = own.past;
    }
    for (int64_t r = 0; head->statistics && r < pass.count; r++)
        head->statistics[r] = (attention_statistics){max[r], inverse[r]};
    return no_bits(pass.odd);
}

/* ---- Backward ---------------------------------------------------------------------- */

/* Numbers of each query, lane by lane. */
typedef struct query_numbers {
    ag_real max[ATTENTION_QUERIES], inverse[ATTENTION_QUERIES]; /* statistics */
    ag_real guess[ATTENTION_QUERIES];                           /* dy . y */
} query_numbers;

/* Takes from vector v the queries without a gradient: those whose inverse_sum or dy is 0.
 * Finds the numbers of the others. */
static void prepare_lanes(short_pass *pass, int64_t v, attention_keys *keys, query_numbers *of)
{
    const attention_head *head = pass->head;
    const int64_t width = head->v.width, first = v * LANES, count = smaller(pass->count - first, LANES);
    const ag_real *y = head->y.data + first * head->y.step, *dy = head->y.gradient + first * head->y.step;
    vector product[LANE_COUNT], sum = {0};
    vector_bits needed = {0};
    for (int64_t r = 0; r < LANES; r++) {
        const bool is_query = r < count;
        of->max[first + r] = is_query ? head->statistics[first + r].max : 0;
        of->inverse[first + r] = is_query ? head->statistics[first + r].inverse_sum : 0;
        product[r] = is_query ? dot_lanes(width, dy + r * head->y.step, y + r * head->y.step) : sum;
    }
    store(of->guess + first, reduce_each(product, false));
    for (int64_t c = 0; c < width; c++)
        needed |= (vector_bits)(load(pass->dy_t + c * pass->step + first) != 0);
    needed &= (vector_bits)(load(of->inverse + first) != 0);
    lane_integer is_needed[LANES];
    memcpy(is_needed, &needed, sizeof needed);
    for (int64_t r = 0; r < count; r++)
        if (!is_needed[r])
            keys[first + r] = (attention_keys){0};
    find_keys_of_lanes(pass, keys, v);
}

/* Turns the scores of vector v into weights, and dy . v into scale ds. */
static void differentiate_lanes(short_pass *pass, int64_t v, const query_numbers *of)
{
    const span keys = pass->any[v];
    const int64_t step = pass->step, first = v * LANES;
    const vector scale = splat(pass->head->scale), none = {0};
    const vector max = load(of->max + first), inverse = load(of->inverse + first), guess = load(of->guess + first);
    ag_real *weights = pass->scores + first, *dscores = pass->dscores + first;
    vector part[LANE_COUNT];
    for (int64_t l = 0; l < LANES; l++) {
        vector sum = none;
        for (int64_t j = first_key(keys, l); j < keys.end; j += LANES) {
            const vector score = load(weights + j * step), dweight = load(dscores + j * step);
            look_at(pass, score);
            look_at(pass, dweight);
            /* (multiply_add keeps a compiler from fusing the product and the
             * difference) */
            const vector power = vector_exp(multiply_add(none, score, scale) - max);
            const vector weight = where_seen(pass, v, j, power * inverse, none);
            const vector e = where_seen(pass, v, j, dweight - guess, none);
            store(weights + j * step, weight);
            store(dscores + j * step, e);
            sum = multiply_add(sum, weight, e);
        }
        part[l] = sum;
    }
    const vector mean = sum_remainders(part);
    for (int64_t j = keys.begin; j < keys.end; j++) {
        const vector dscore = load(weights + j * step) * (load(dscores + j * step) - mean);
        store(dscores + j * step, where_seen(pass, v, j, dscore, none) * scale);
    }
}

/* x[j] = 0 in the lanes of vector v, for the keys of `all` that none of them sees. */
static void zero_unseen(const short_pass *pass, int64_t v, span all, ag_real *x)
{
    for (int64_t j = all.begin; j < all.end; j++)
        if (j < pass->any[v].begin || j >= pass->any[v].end)
            store(x + j * pass->step + v * LANES, (vector){0});
}

/* Computes the weights and scale ds of all queries and of the keys that any of them sees,
 * which it returns. Both are 0 where a query does not see a key. */
static span differentiate(short_pass *pass, attention_keys *keys)
{
    const attention_head *head = pass->head;
    query_numbers numbers;
    span all = {KEYS, 0};
    for (int64_t v = 0; v * LANES < pass->count; v++) {
        prepare_lanes(pass, v, keys, &numbers);
        if (pass->any[v].begin < pass->any[v].end)
            all = (span){smaller(all.begin, pass->any[v].begin), larger(all.end, pass->any[v].end)};
    }
    for (int64_t first = 0; first < pass->count;) {
        const run own = run_from(pass, first);
        multiply_keys(pass, &own, &head->k, pass->q_t, pass->scores);
        multiply_keys(pass, &own, &head->v, pass->dy_t, pass->dscores);
        first = own.past;
    }
    for (int64_t v = 0; v * LANES < pass->count; v++) {
        differentiate_lanes(pass, v, &numbers);
        zero_unseen(pass, v, all, pass->scores);
        zero_unseen(pass, v, all, pass->dscores);
    }
    return all.begin < all.end ? all : (span){0, 0};
}

/* The gradient of keys or values = or += x rows, with x [keys, step] and a row for each
 * query; `all` are the keys that any query sees. */
static void add_to_keys(const short_pass *pass, span all, const ag_real *x, const ag_real *rows, int64_t rows_step,
                        const attention_rows *to)
{
    const int64_t height = group_height(all.end - all.begin);
    for (int64_t j = all.begin; j < all.end; j += height) {
        const int64_t end = smaller(j + height, all.end);
        int64_t from = pass->count, past = 0; /* queries, in whole vectors, that see these keys */
        for (int64_t v = 0; v * LANES < pass->count; v++)
            if (pass->any[v].begin < end && pass->any[v].end > j) {
                from = smaller(from, v * LANES);
                past = smaller((v + 1) * LANES, pass->count);
            }
        multiply(&(tile_task){.rows = end - j,
                              .columns = to->width,
                              .depth = larger(past - from, 0),
                              .a = x + j * pass->step + from,
                              .a_row = pass->step,
                              .a_column = 1,
                              .b = rows + from * rows_step,
                              .b_row = rows_step,
                              .c = to->gradient + j * to->step,
                              .c_row = to->step,
                              .add = !to->is_new},
                 TILE_COLUMNS);
    }
    if (to->is_new) {
        zero_rows(to, 0, all.begin);
        zero_rows(to, all.end, pass->head->keys);
    }
}

bool KERNEL(attention_short_backward)(const attention_head *head, const attention_block *block, ag_real *scratch)
{
    short_pass pass;
    attention_keys keys[ATTENTION_QUERIES];
    if ((!head->q.gradient && !head->k.gradient) || !enter(&pass, head, block, scratch))
        return false;
    prefetch_next(head->queries, &head->y, head->y.data);
    prefetch_next(head->queries, &head->y, head->y.gradient);
    memcpy(keys, block->keys, (size_t)head->queries * sizeof *keys);
    transpose_all(&pass, &head->q, head->q.data, pass.q_t);
    transpose_all(&pass, &head->y, head->y.gradient, pass.dy_t);
    const span all = differentiate(&pass, keys);
    if (!no_bits(pass.odd))
        return false;
    if (head->v.gradient)
        add_to_keys(&pass, all, pass.scores, head->y.gradient, head->y.step, &head->v);
    if (head->k.gradient)
        add_to_keys(&pass, all, pass.dscores, head->q.data, head->q.step, &head->k);
    for (int64_t first = 0; head->q.gradient && first < pass.count;) {
        const run own = run_from(&pass, first);
        multiply_queries(&pass, &own, pass.dscores, &head->k, head->q.gradient, head->q.step, !head->q.is_new);
        first = own.past;
    }
    return true;
}
