/* attention_util.c - the three loops that define attention, and the library's, on one
 * problem. */
#include "attention_util.h"

#include <math.h>
#include <string.h>

problem given;
reference expected;

int64_t attention_pairs(void)
{
    return given.batch * given.heads;
}

/* ---- The three loops --------------------------------------------------------------- */

/* The element of the bias for (b, h, i, j). */
static int64_t bias_place(int64_t b, int64_t h, int64_t i, int64_t j)
{
    int64_t at[4] = {b, h, i, j}, place = 0;
    for (int axis = 0; axis < given.bias_shape.ndim; axis++) {
        int64_t size = given.bias_shape.dim[axis];
        place = place * size + (size == 1 ? 0 : at[4 - given.bias_shape.ndim + axis]);
    }
    return place;
}

/* The factor of dropout on weight `element` of [B, H, T, S]: the first dropout after
 * ag_tape_seed(seed, 0). */
static exact kept(int64_t element)
{
    uint32_t counter[4] = {(uint32_t)(element / 4), 0, 0, 0}, out[4];
    const uint64_t seed = ag_seed_for(given.seed, AG_FOR_DROPOUT);
    const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    ag_philox(counter, key, out);
    if (given.dropout == 0)
        return 1;
    return (double)out[element % 4] >= given.dropout * 0x1p32 ? 1 / (1 - (exact)given.dropout) : 0;
}

static void reference_row(int64_t b, int64_t h, int64_t i)
{
    const int64_t pair = b * given.heads + h, row = pair * given.queries + i, width = given.key_width;
    const exact scale = given.scale != 0 ? given.scale : 1 / sqrt((double)width);
    exact weight[2100], dweight[2100], max = -INFINITY, sum = 0, mean = 0;
    int64_t top = 0;
    bool allowed[2100];

    for (int64_t j = 0; j < given.keys; j++) {
        allowed[j] = !given.allows || given.allows(given.mask_context, b, h, i, j);
        exact bias = given.has_bias ? (exact)given.bias[bias_place(b, h, i, j)] : 0;
        allowed[j] = allowed[j] && bias != -INFINITY;
        weight[j] = bias;
        exact terms = fabsl(bias);
        for (int64_t c = 0; allowed[j] && c < width; c++) {
            exact term = scale * (exact)given.q[row * width + c] * (exact)given.k[(pair * given.keys + j) * width + c];
            weight[j] += term;
            terms += fabsl(term);
        }
        if (allowed[j])
            expected.score_terms = fmax(expected.score_terms, (double)terms);
        if (allowed[j] && weight[j] > max) {
            max = weight[j];
            top = j;
        }
    }
    for (int64_t j = 0; j < given.keys; j++)
        sum += weight[j] = allowed[j] ? expl(weight[j] - max) : 0;
    expected.blind += sum == 0;
    for (int64_t j = 0; j < given.keys; j++)
        if (allowed[j]) {
            const int64_t key = pair * given.keys + j;
            const exact m = kept(row * given.keys + j);
            weight[j] /= sum;
            dweight[j] = 0;
            for (int64_t c = 0; c < given.value_width; c++) {
                exact dy = (exact)given.dy[row * given.value_width + c],
                      v = (exact)given.v[key * given.value_width + c];
                expected.y[row * given.value_width + c] += weight[j] * m * v;
                expected.dv[key * given.value_width + c] += weight[j] * m * dy;
                dweight[j] += m * dy * v;
            }
        }
    /* (less the top key's, so that nothing cancels where all weight is on that) */
    for (int64_t j = 0; j < given.keys; j++)
        if (allowed[j])
            mean += weight[j] * (dweight[j] - dweight[top]);
    for (int64_t j = 0; j < given.keys; j++)
        if (allowed[j]) {
            const int64_t key = pair * given.keys + j;
            const exact dscore = weight[j] * (dweight[j] - dweight[top] - mean);
            if (given.has_bias) {
                expected.dbias[bias_place(b, h, i, j)] += dscore;
                expected.dbias_terms[bias_place(b, h, i, j)] += fabsl(dscore);
            }
            for (int64_t c = 0; c < width; c++) {
                expected.dq[row * width + c] += scale * dscore * (exact)given.k[key * width + c];
                expected.dk[key * width + c] += scale * dscore * (exact)given.q[row * width + c];
            }
        }
}

void attention_reference(void)
{
    memset(&expected, 0, sizeof expected);
    for (int64_t row = 0; row < attention_pairs() * given.queries; row++)
        reference_row(row / given.queries / given.heads, row / given.queries % given.heads, row % given.queries);
}

/* ---- The library ------------------------------------------------------------------- */

/* The place of element e of [B, H, length, width] in the layout that the library gets. */
static int64_t place(int64_t e, int64_t length, int64_t width)
{
    int64_t c = e % width, t = e / width % length, h = e / width / length % given.heads,
            b = e / width / length / given.heads;
    return given.split ? e : ((b * length + t) * given.heads + h) * width + c;
}

ag_shape attention_layout(int64_t length, int64_t width)
{
    return given.split ? AG_SHAPE(given.batch, given.heads, length, width)
                       : AG_SHAPE(given.batch, length, given.heads * width);
}

ag_tensor *attention_give(ag_tape *tape, const ag_real *values, int64_t length, int64_t width)
{
    ag_tensor *x = ag_variable(tape, attention_layout(length, width), NULL);
    ck_assert_ptr_nonnull(x);
    for (int64_t e = 0; e < x->size; e++)
        x->data[place(e, length, width)] = values[e];
    return x;
}

void attention_take(const ag_real *from, ag_real *to, int64_t length, int64_t width)
{
    for (int64_t e = 0; e < attention_pairs() * length * width; e++)
        to[e] = from[place(e, length, width)];
}

void attention_compute(bool is_plain, int threads, result *found)
{
    ag_tape *tape = ag_tape_new(&(ag_tape_options){.threads = threads});
    ag_tensor *q = attention_give(tape, given.q, given.queries, given.key_width),
              *k = attention_give(tape, given.k, given.keys, given.key_width);
    ag_tensor *v = attention_give(tape, given.v, given.keys, given.value_width),
              *dy = attention_give(tape, given.dy, given.queries, given.value_width);
    ag_tensor *bias = given.has_bias ? ag_variable(tape, given.bias_shape, given.bias) : NULL;
    ag_attention_options options = {.heads = (int)given.heads,
                                    .scale = given.scale,
                                    .dropout = given.dropout,
                                    .plain = is_plain,
                                    .mask = given.mask ? given.mask(tape, given.mask_context) : NULL,
                                    .bias = bias};
    ag_tape_seed(tape, given.seed, 0);
    ag_tensor *y = ag_attention(q, k, v, &options);
    ck_assert_msg(y != NULL, "%s", ag_tape_error(tape)->message);
    ck_assert(ag_shape_equal(y->shape, attention_layout(given.queries, given.value_width)));
    ck_assert_msg(ag_backward_seeded(y, dy->data) == AG_OK, "%s", ag_tape_error(tape)->message);

    memset(found, 0, sizeof *found);
    attention_take(y->data, found->y, given.queries, given.value_width);
    attention_take(q->grad, found->dq, given.queries, given.key_width);
    attention_take(k->grad, found->dk, given.keys, given.key_width);
    attention_take(v->grad, found->dv, given.keys, given.value_width);
    if (bias)
        memcpy(found->dbias, bias->grad, (size_t)bias->size * sizeof(ag_real));
    found->bytes = ag_tape_bytes(tape);
    found->blind = ag_tape_blind_queries(tape);
    ag_tape_free(tape);
}

/* A fresh problem with drawn numbers and neither mask nor bias. */
void attention_begin(int64_t batch, int64_t heads, int64_t queries, int64_t keys, int64_t key_width,
                     int64_t value_width, uint64_t seed)
{
    memset(&given, 0, sizeof given);
    given.batch = batch;
    given.heads = heads;
    given.queries = queries;
    given.keys = keys;
    given.key_width = key_width;
    given.value_width = value_width;
    given.seed = seed;
    int64_t sizes[] = {queries * key_width, keys * key_width, keys * value_width, queries * value_width};
    for (int i = 0; i < 4; i++)
        ck_assert_int_le(attention_pairs() * sizes[i], MOST);
    test_fill(given.q, attention_pairs() * sizes[0], 4 * seed, -2, 2);
    test_fill(given.k, attention_pairs() * sizes[1], 4 * seed + 1, -2, 2);
    test_fill(given.v, attention_pairs() * sizes[2], 4 * seed + 2, -2, 2);
    test_fill(given.dy, attention_pairs() * sizes[3], 4 * seed + 3, -1, 1);
}

void attention_begin_bias(ag_shape shape, uint64_t seed)
{
    given.has_bias = true;
    given.bias_shape = shape;
    ck_assert_int_le(ag_shape_size(shape), MOST);
    test_fill(given.bias, ag_shape_size(shape), seed, -1, 1);
}

/* ---- Comparing --------------------------------------------------------------------- */

void attention_near(const char *what, const ag_real *found, const exact *wanted, int64_t count, double tolerance)
{
    for (int64_t e = 0; e < count; e++) {
        double error = (double)(fabsl((exact)found[e] - wanted[e]) / fmaxl(1, fabsl(wanted[e])));
        ck_assert_msg(error <= tolerance, "%s[%lld] is %.17g, not %.17Lg", what, (long long)e, (double)found[e],
                      wanted[e]);
    }
}

void attention_compare(const result *found, double tolerance)
{
    tolerance *= fmax(1, expected.score_terms / 4); /* the error of a score is the relative error of a weight */
    attention_near("y", found->y, expected.y, attention_pairs() * given.queries * given.value_width, tolerance);
    attention_near("dq", found->dq, expected.dq, attention_pairs() * given.queries * given.key_width, 4 * tolerance);
    attention_near("dk", found->dk, expected.dk, attention_pairs() * given.keys * given.key_width, 4 * tolerance);
    attention_near("dv", found->dv, expected.dv, attention_pairs() * given.keys * given.value_width, 4 * tolerance);
    /* (a bias that is stretched gets the sum of many terms, which may cancel out; their
     * errors do not) */
    for (int64_t e = 0; given.has_bias && e < ag_shape_size(given.bias_shape); e++)
        attention_near("dbias", found->dbias + e, expected.dbias + e, 1,
                       4 * tolerance * fmax(1, (double)expected.dbias_terms[e]));
}

void attention_both(result *fused, result *plain)
{
    attention_reference();
    attention_compute(false, 1, fused);
    attention_compute(true, 1, plain);
    attention_compare(fused, TOLERANCE);
    attention_compare(plain, TOLERANCE);
    ck_assert_int_eq(fused->blind, expected.blind);
    ck_assert_int_eq(plain->blind, expected.blind);
}

bool attention_bits(const ag_real *a, const ag_real *b, int64_t count)
{
    return memcmp(a, b, (size_t)count * sizeof(ag_real)) == 0;
}

/* All arrays whole: what a problem does not use is zero. */
void attention_same(const result *a, const result *b)
{
    ck_assert(attention_bits(a->y, b->y, MOST));
    ck_assert(attention_bits(a->dq, b->dq, MOST));
    ck_assert(attention_bits(a->dk, b->dk, MOST));
    ck_assert(attention_bits(a->dv, b->dv, MOST));
    ck_assert(attention_bits(a->dbias, b->dbias, MOST));
}

/* ---- Masks as the problems take them ----------------------------------------------- */

ag_mask *attention_tree(ag_tape *tape, const void *context)
{
    return mask_tree_build(context, tape);
}

bool attention_tree_allows(const void *context, int64_t b, int64_t h, int64_t i, int64_t j)
{
    return mask_tree_allows(context, b, h, i, j);
}

ag_mask *attention_causal(ag_tape *tape, const void *offset)
{
    return ag_mask_causal(tape, *(const int64_t *)offset);
}

bool attention_causal_allows(const void *offset, int64_t b, int64_t h, int64_t i, int64_t j)
{
    (void)b;
    (void)h;
    return j <= i + *(const int64_t *)offset;
}

/* The array of all values of `allows`, which gets the context. */
ag_mask *attention_array(ag_tape *tape, const void *context)
{
    static unsigned char allow[MOST];
    int64_t count = attention_pairs() * given.queries * given.keys;
    ck_assert_int_le(count, MOST);
    for (int64_t e = 0; e < count; e++) {
        int64_t row = e / given.keys, pair = row / given.queries;
        allow[e] = !given.allows ||
                   given.allows(context, pair / given.heads, pair % given.heads, row % given.queries, e % given.keys);
    }
    return ag_mask_explicit(tape, given.batch, given.heads, given.queries, given.keys, allow);
}

void attention_set_mask(ag_mask *(*mask)(ag_tape *, const void *),
                        bool (*allows)(const void *, int64_t, int64_t, int64_t, int64_t), const void *context)
{
    given.mask = mask;
    given.allows = allows;
    given.mask_context = context;
}
