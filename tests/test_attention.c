/* test_attention.c - attention, fused and plain, against three loops in double, and against itself. */
#include "check_util.h"
#include "mask_tree.h"

#include <math.h>
#include <string.h>

#define MOST 40000 /* elements of an array */

/* What is computed. Inputs are [B, H, T or S, width] here; `split` says in which layout the library gets them. */
typedef struct problem {
    int64_t batch, heads, queries, keys, key_width, value_width;
    bool split;
    double scale, dropout; /* of the options */
    uint64_t seed;
    ag_mask *(*mask)(ag_tape *tape, const void *context); /* NULL: none */
    const void *mask_context;
    bool (*allows)(const void *context, int64_t b, int64_t h, int64_t i, int64_t j);
    bool has_bias;
    ag_shape bias_shape;
    real q[MOST], k[MOST], v[MOST], dy[MOST], bias[MOST];
} problem;

typedef struct result {
    real y[MOST], dq[MOST], dk[MOST], dv[MOST], dbias[MOST];
    size_t bytes; /* of the tape */
} result;

typedef struct reference {
    double y[MOST], dq[MOST], dk[MOST], dv[MOST], dbias[MOST];
} reference;

static problem p;
static result fused, plain, other;
static reference expected;

static int64_t pairs(void)
{
    return p.batch * p.heads;
}

/* ---- The three loops ------------------------------------------------------------------------ */

/* The element of the bias for (b, h, i, j). */
static int64_t bias_place(int64_t b, int64_t h, int64_t i, int64_t j)
{
    int64_t at[4] = {b, h, i, j}, place = 0;
    for (int axis = 0; axis < p.bias_shape.ndim; axis++) {
        int64_t size = p.bias_shape.dim[axis];
        place = place * size + (size == 1 ? 0 : at[4 - p.bias_shape.ndim + axis]);
    }
    return place;
}

/* What dropout multiplies weight `element` of [B, H, T, S] by: the first dropout after ag_tape_seed(seed, 0). */
static double kept(int64_t element)
{
    uint32_t counter[4] = {(uint32_t)(element / 4), 0, 0, 0}, key[2] = {(uint32_t)p.seed, 0}, out[4];
    ag_philox(counter, key, out);
    if (p.dropout == 0)
        return 1;
    return (double)out[element % 4] >= p.dropout * 0x1p32 ? 1 / (1 - p.dropout) : 0;
}

static void reference_row(int64_t b, int64_t h, int64_t i)
{
    const int64_t pair = b * p.heads + h, row = pair * p.queries + i, width = p.key_width;
    const double scale = p.scale != 0 ? p.scale : 1 / sqrt((double)width);
    double weight[2100], dweight[2100], max = -INFINITY, sum = 0, mean = 0;
    bool allowed[2100];

    for (int64_t j = 0; j < p.keys; j++) {
        allowed[j] = !p.allows || p.allows(p.mask_context, b, h, i, j);
        double bias = p.has_bias ? (double)p.bias[bias_place(b, h, i, j)] : 0;
        allowed[j] = allowed[j] && bias != -INFINITY;
        weight[j] = bias;
        for (int64_t c = 0; allowed[j] && c < width; c++)
            weight[j] += scale * (double)p.q[row * width + c] * (double)p.k[(pair * p.keys + j) * width + c];
        if (allowed[j] && weight[j] > max)
            max = weight[j];
    }
    for (int64_t j = 0; j < p.keys; j++)
        sum += weight[j] = allowed[j] ? exp(weight[j] - max) : 0;
    for (int64_t j = 0; j < p.keys; j++)
        if (allowed[j]) {
            const int64_t key = pair * p.keys + j;
            const double m = kept(row * p.keys + j);
            weight[j] /= sum;
            dweight[j] = 0;
            for (int64_t c = 0; c < p.value_width; c++) {
                double dy = (double)p.dy[row * p.value_width + c], v = (double)p.v[key * p.value_width + c];
                expected.y[row * p.value_width + c] += weight[j] * m * v;
                expected.dv[key * p.value_width + c] += weight[j] * m * dy;
                dweight[j] += m * dy * v;
            }
            mean += weight[j] * dweight[j];
        }
    for (int64_t j = 0; j < p.keys; j++)
        if (allowed[j]) {
            const int64_t key = pair * p.keys + j;
            const double dscore = weight[j] * (dweight[j] - mean);
            if (p.has_bias)
                expected.dbias[bias_place(b, h, i, j)] += dscore;
            for (int64_t c = 0; c < width; c++) {
                expected.dq[row * width + c] += scale * dscore * (double)p.k[key * width + c];
                expected.dk[key * width + c] += scale * dscore * (double)p.q[row * width + c];
            }
        }
}

static void compute_reference(void)
{
    memset(&expected, 0, sizeof expected);
    for (int64_t row = 0; row < pairs() * p.queries; row++)
        reference_row(row / p.queries / p.heads, row / p.queries % p.heads, row % p.queries);
}

/* ---- The library ---------------------------------------------------------------------------- */

/* The place of element e of [B, H, length, width] in the layout that the library gets. */
static int64_t place(int64_t e, int64_t length, int64_t width)
{
    int64_t c = e % width, t = e / width % length, h = e / width / length % p.heads, b = e / width / length / p.heads;
    return p.split ? e : ((b * length + t) * p.heads + h) * width + c;
}

static ag_shape layout(int64_t length, int64_t width)
{
    return p.split ? AG_SHAPE(p.batch, p.heads, length, width) : AG_SHAPE(p.batch, length, p.heads * width);
}

static ag_tensor *give(ag_tape *tape, const real *values, int64_t length, int64_t width)
{
    ag_tensor *x = ag_variable(tape, layout(length, width), NULL);
    ck_assert_ptr_nonnull(x);
    for (int64_t e = 0; e < x->size; e++)
        x->data[place(e, length, width)] = values[e];
    return x;
}

static void take(const real *from, real *to, int64_t length, int64_t width)
{
    for (int64_t e = 0; e < pairs() * length * width; e++)
        to[e] = from[place(e, length, width)];
}

static void compute(bool is_plain, int threads, result *found)
{
    ag_tape *tape = ag_tape_new(&(ag_tape_options){.threads = threads});
    ag_tensor *q = give(tape, p.q, p.queries, p.key_width), *k = give(tape, p.k, p.keys, p.key_width);
    ag_tensor *v = give(tape, p.v, p.keys, p.value_width), *dy = give(tape, p.dy, p.queries, p.value_width);
    ag_tensor *bias = p.has_bias ? ag_variable(tape, p.bias_shape, p.bias) : NULL;
    ag_attention_options options = {.heads = (int)p.heads, .scale = p.scale, .dropout = p.dropout, .plain = is_plain,
                                    .mask = p.mask ? p.mask(tape, p.mask_context) : NULL, .bias = bias};
    ag_tape_seed(tape, p.seed, 0);
    ag_tensor *y = ag_attention(q, k, v, &options);
    ck_assert_msg(y != NULL, "%s", ag_tape_error(tape)->message);
    ck_assert(ag_shape_equal(y->shape, layout(p.queries, p.value_width)));
    ck_assert_msg(ag_backward_seeded(y, dy->data) == AG_OK, "%s", ag_tape_error(tape)->message);

    memset(found, 0, sizeof *found);
    take(y->data, found->y, p.queries, p.value_width);
    take(q->grad, found->dq, p.queries, p.key_width);
    take(k->grad, found->dk, p.keys, p.key_width);
    take(v->grad, found->dv, p.keys, p.value_width);
    if (bias)
        memcpy(found->dbias, bias->grad, (size_t)bias->size * sizeof(real));
    found->bytes = ag_tape_bytes(tape);
    ag_tape_free(tape);
}

/* A fresh problem with drawn numbers and neither mask nor bias. */
static void begin(int64_t batch, int64_t heads, int64_t queries, int64_t keys, int64_t key_width, int64_t value_width,
                  uint64_t seed)
{
    memset(&p, 0, sizeof p);
    p.batch = batch;
    p.heads = heads;
    p.queries = queries;
    p.keys = keys;
    p.key_width = key_width;
    p.value_width = value_width;
    p.seed = seed;
    int64_t sizes[] = {queries * key_width, keys * key_width, keys * value_width, queries * value_width};
    for (int i = 0; i < 4; i++)
        ck_assert_int_le(pairs() * sizes[i], MOST);
    test_fill(p.q, pairs() * sizes[0], 4 * seed, -2, 2);
    test_fill(p.k, pairs() * sizes[1], 4 * seed + 1, -2, 2);
    test_fill(p.v, pairs() * sizes[2], 4 * seed + 2, -2, 2);
    test_fill(p.dy, pairs() * sizes[3], 4 * seed + 3, -1, 1);
}

static void begin_bias(ag_shape shape, uint64_t seed)
{
    p.has_bias = true;
    p.bias_shape = shape;
    ck_assert_int_le(ag_shape_size(shape), MOST);
    test_fill(p.bias, ag_shape_size(shape), seed, -1, 1);
}

/* ---- Comparing ------------------------------------------------------------------------------ */

static void check_near(const char *what, const real *found, const double *wanted, int64_t count, double tolerance)
{
    for (int64_t e = 0; e < count; e++) {
        double error = fabs((double)found[e] - wanted[e]) / fmax(1, fabs(wanted[e]));
        ck_assert_msg(error <= tolerance, "%s[%lld] is %.17g, not %.17g", what, (long long)e, (double)found[e], wanted[e]);
    }
}

static void check_against_reference(const result *found, double tolerance)
{
    check_near("y", found->y, expected.y, pairs() * p.queries * p.value_width, tolerance);
    check_near("dq", found->dq, expected.dq, pairs() * p.queries * p.key_width, 4 * tolerance);
    check_near("dk", found->dk, expected.dk, pairs() * p.keys * p.key_width, 4 * tolerance);
    check_near("dv", found->dv, expected.dv, pairs() * p.keys * p.value_width, 4 * tolerance);
    if (p.has_bias)
        check_near("dbias", found->dbias, expected.dbias, ag_shape_size(p.bias_shape), 4 * tolerance);
}

#define TOLERANCE PRECISION(1e-12, 1e-6)

static void check_both_forms(void)
{
    compute_reference();
    compute(false, 1, &fused);
    compute(true, 1, &plain);
    check_against_reference(&fused, TOLERANCE);
    check_against_reference(&plain, TOLERANCE);
}

static bool same_bits(const real *a, const real *b, int64_t count)
{
    return memcmp(a, b, (size_t)count * sizeof(real)) == 0;
}

/* All arrays whole: what a problem does not use is zero. */
static void check_same(const result *a, const result *b)
{
    ck_assert(same_bits(a->y, b->y, MOST));
    ck_assert(same_bits(a->dq, b->dq, MOST));
    ck_assert(same_bits(a->dk, b->dk, MOST));
    ck_assert(same_bits(a->dv, b->dv, MOST));
    ck_assert(same_bits(a->dbias, b->dbias, MOST));
}

/* ---- Masks as the problems take them -------------------------------------------------------- */

static ag_mask *tree_mask(ag_tape *tape, const void *context)
{
    return mask_tree_build(context, tape);
}

static bool tree_allows(const void *context, int64_t b, int64_t h, int64_t i, int64_t j)
{
    return mask_tree_allows(context, b, h, i, j);
}

static ag_mask *causal_mask(ag_tape *tape, const void *offset)
{
    return ag_mask_causal(tape, *(const int64_t *)offset);
}

static bool causal_allows(const void *offset, int64_t b, int64_t h, int64_t i, int64_t j)
{
    (void)b;
    (void)h;
    return j <= i + *(const int64_t *)offset;
}

static ag_mask *all_mask(ag_tape *tape, const void *context)
{
    (void)context;
    return ag_mask_all(tape);
}

/* Whatever `allows` says, as an array; the context goes on to it. */
static ag_mask *explicit_mask(ag_tape *tape, const void *context)
{
    static unsigned char allow[MOST];
    int64_t count = pairs() * p.queries * p.keys;
    ck_assert_int_le(count, MOST);
    for (int64_t e = 0; e < count; e++) {
        int64_t row = e / p.keys, pair = row / p.queries;
        allow[e] = !p.allows || p.allows(context, pair / p.heads, pair % p.heads, row % p.queries, e % p.keys);
    }
    return ag_mask_explicit(tape, p.batch, p.heads, p.queries, p.keys, allow);
}

static ag_mask *key_lengths_mask(ag_tape *tape, const void *lengths)
{
    return ag_mask_key_lengths(tape, p.batch, lengths);
}

static bool key_lengths_allow(const void *lengths, int64_t b, int64_t h, int64_t i, int64_t j)
{
    (void)h;
    (void)i;
    return j < ((const int32_t *)lengths)[b];
}

/* Bit i * S + j of a number. */
static bool bit_allows(const void *bits, int64_t b, int64_t h, int64_t i, int64_t j)
{
    (void)b;
    (void)h;
    return *(const unsigned *)bits >> (i * p.keys + j) & 1;
}

static void set_mask(ag_mask *(*mask)(ag_tape *, const void *),
                     bool (*allows)(const void *, int64_t, int64_t, int64_t, int64_t), const void *context)
{
    p.mask = mask;
    p.allows = allows;
    p.mask_context = context;
}

/* ---- Against the reference ------------------------------------------------------------------ */

START_TEST(test_reference_sizes)
{
    static const int64_t offsets[] = {0, -1, -2};
    for (int layouts = 0; layouts < 2; layouts++)
        for (int mask = 0; mask < 4; mask++) {
            begin(5, 2, 4, 3, 6, 6, 100);
            p.split = layouts;
            if (mask)
                set_mask(causal_mask, causal_allows, &offsets[mask - 1]);
            check_both_forms();
        }
}
END_TEST

/* Whatever can come together: sizes, layouts, masks, biases with places of -inf, scales, dropout. */
START_TEST(test_reference_drawn)
{
    ag_rng rng = ag_rng_make(7, 7);
    int kinds[TREE_KINDS] = {0};
    for (int draw = 0; draw < 400; draw++) {
        static mask_tree tree;
        int64_t batch = 1 + (int64_t)ag_rng_below(&rng, 3), heads = 1 + (int64_t)ag_rng_below(&rng, 3);
        int64_t queries = 1 + (int64_t)ag_rng_below(&rng, 12), keys = 1 + (int64_t)ag_rng_below(&rng, 12);
        begin(batch, heads, queries, keys, 1 + (int64_t)ag_rng_below(&rng, 20), 1 + (int64_t)ag_rng_below(&rng, 20),
              1000 + (uint64_t)draw);
        p.split = ag_rng_below(&rng, 2);
        p.scale = ag_rng_below(&rng, 2) ? 0.1 + 0.4 * ag_rng_uniform(&rng) : 0;
        p.dropout = ag_rng_below(&rng, 2) ? 0 : 0.25;
        if (ag_rng_below(&rng, 4)) {
            mask_tree_draw(&tree, &rng, batch, heads, queries, keys, kinds);
            set_mask(tree_mask, tree_allows, &tree);
        }
        if (ag_rng_below(&rng, 2)) {
            ag_shape scores = AG_SHAPE(batch, heads, queries, keys), shape = {.ndim = (int)ag_rng_below(&rng, 5)};
            for (int axis = 0; axis < shape.ndim; axis++)
                shape.dim[axis] = ag_rng_below(&rng, 3) ? scores.dim[4 - shape.ndim + axis] : 1;
            begin_bias(shape, 5000 + (uint64_t)draw);
            if (ag_rng_below(&rng, 2))
                for (int64_t e = 0; e < ag_shape_size(shape); e++)
                    p.bias[e] = ag_rng_below(&rng, 3) ? p.bias[e] : -(real)INFINITY;
        }
        check_both_forms();
    }
    for (int kind = 0; kind < TREE_KINDS; kind++)
        ck_assert_int_ge(kinds[kind], 20);
}
END_TEST

/* Each of the 2^(T S) masks. Rows that see nothing give exactly 0. */
START_TEST(test_every_small_mask)
{
    for (int64_t queries = 1; queries <= 3; queries++)
        for (int64_t keys = 1; keys <= 3; keys++)
            for (unsigned bits = 0; bits < 1u << queries * keys; bits++) {
                begin(1, 1, queries, keys, 2, 3, 9);
                set_mask(explicit_mask, bit_allows, &bits);
                check_both_forms();
                for (int64_t i = 0; i < queries; i++)
                    if (!(bits >> i * keys & ((1u << keys) - 1)))
                        for (int64_t c = 0; c < 3; c++)
                            ck_assert(fused.y[i * 3 + c] == 0 && plain.y[i * 3 + c] == 0);
            }
}
END_TEST

/* Every 4th query sees nothing: by an array, by lengths, by -inf. */
static bool not_every_fourth(const void *context, int64_t b, int64_t h, int64_t i, int64_t j)
{
    (void)context;
    (void)b;
    (void)h;
    (void)j;
    return i % 4 != 3;
}

START_TEST(test_rows_that_see_nothing)
{
    for (int by_bias = 0; by_bias < 2; by_bias++) {
        begin(2, 2, 8, 5, 4, 4, 11);
        if (by_bias) {
            begin_bias(AG_SHAPE(8, 1), 3);
            p.bias[3] = p.bias[7] = -(real)INFINITY;
        } else {
            set_mask(explicit_mask, not_every_fourth, NULL);
        }
        check_both_forms();
        for (int64_t row = 0; row < 4 * 8; row++)
            for (int64_t c = 0; c < 4; c++) {
                bool nothing = row % 8 % 4 == 3;
                ck_assert_int_eq(fused.y[row * 4 + c] == 0, nothing);
                ck_assert_int_eq(plain.y[row * 4 + c] == 0, nothing);
                ck_assert_int_eq(fused.dq[row * 4 + c] == 0, nothing);
                ck_assert_int_eq(plain.dq[row * 4 + c] == 0, nothing);
            }
    }
    /* Nobody sees anything. */
    static const int64_t offset = -100;
    begin(2, 2, 3, 3, 4, 4, 12);
    set_mask(causal_mask, causal_allows, &offset);
    compute(false, 1, &fused);
    compute(true, 1, &plain);
    memset(&other, 0, sizeof other);
    check_same(&fused, &other);
    check_same(&plain, &other);
}
END_TEST

/* Scores far beyond what the exponential takes. Powers of two, so that equal scores are equal in float, too. */
START_TEST(test_large_scores)
{
    begin(1, 1, 64, 64, 64, 64, 13);
    for (int64_t e = 0; e < 64 * 64; e++) {
        p.q[e] = p.q[e] > 0 ? 8192 : -8192;
        p.k[e] = p.k[e] > 0 ? 8192 : -8192;
        p.v[e] = p.v[e] > 0 ? 8192 : -8192;
    }
    p.scale = -1 / 0.0001;
    compute_reference();
    compute(false, 1, &fused);
    compute(true, 1, &plain);
    check_near("y", fused.y, expected.y, 64 * 64, TOLERANCE);
    check_near("y", plain.y, expected.y, 64 * 64, TOLERANCE);
    for (int64_t e = 0; e < 64 * 64; e++)
        ck_assert(isfinite(fused.dq[e]) && isfinite(fused.dk[e]) && isfinite(fused.dv[e]));
}
END_TEST

/* ---- NaN and infinity ----------------------------------------------------------------------- */

static const real poisons[] = {NAN, INFINITY, -INFINITY};

/* Keys from 5 on are padding, and query 2 sees nothing: what they hold reaches nothing, forward and backward. */
static bool hole_and_padding(const void *context, int64_t b, int64_t h, int64_t i, int64_t j)
{
    (void)context;
    (void)h;
    return i != 2 && j < 5 && (b || (i + j) % 3 != 0);
}

START_TEST(test_forbidden_is_not_read)
{
    for (int layouts = 0; layouts < 2; layouts++)
        for (int poison = 0; poison < 3; poison++) {
            begin(2, 2, 4, 8, 5, 7, 14);
            p.split = layouts;
            set_mask(explicit_mask, hole_and_padding, NULL);
            begin_bias(AG_SHAPE(2, 2, 4, 8), 15);
            compute(false, 1, &other);
            compute(true, 1, &plain);
            static real plain_y[MOST];
            memcpy(plain_y, plain.y, sizeof plain_y);

            for (int64_t row = 0; row < 4 * 8; row++) {
                for (int64_t c = 0; row % 8 >= 5 && c < 5; c++)
                    p.k[row * 5 + c] = poisons[poison];
                for (int64_t c = 0; row % 8 >= 5 && c < 7; c++)
                    p.v[row * 7 + c] = poisons[poison];
            }
            for (int64_t row = 2; row < 4 * 4; row += 4)
                for (int64_t c = 0; c < 5; c++)
                    p.q[row * 5 + c] = poisons[poison];
            for (int64_t e = 0; e < 4 * 4 * 8; e++)
                if (!hole_and_padding(NULL, e / 64, 0, e / 8 % 4, e % 8))
                    p.bias[e] = poisons[poison];
            compute(false, 1, &fused);
            check_same(&fused, &other);
            compute(true, 1, &plain);
            ck_assert(same_bits(plain.y, plain_y, MOST));
        }
}
END_TEST

/* Where it is allowed, it shows, and only there: query 1 sees key 1, query 0 does not. */
START_TEST(test_allowed_nan_shows)
{
    static const int64_t offset = 0;
    for (int where = 0; where < 3; where++)
        for (int poison = 0; poison < 2; poison++)
            for (int is_plain = 0; is_plain < 2; is_plain++) {
                begin(1, 1, 3, 3, 2, 2, 16);
                set_mask(causal_mask, causal_allows, &offset);
                compute(is_plain, 1, &other);
                (where == 0 ? p.q : where == 1 ? p.k : p.v)[2] = poisons[poison];
                compute(is_plain, 1, &fused);
                ck_assert(same_bits(fused.y, other.y, 2));
                ck_assert(!isfinite(fused.y[2]));
            }
}
END_TEST

/* A score that is -inf by itself weighs nothing; a row of nothing else is 0. */
START_TEST(test_scores_of_minus_infinity)
{
    ag_tape *tape = ag_tape_new(NULL);
    const real infinity = (real)INFINITY, scores[] = {-infinity, 0, -infinity, -infinity, -infinity, -infinity};
    ag_tensor *x = ag_variable(tape, AG_SHAPE(1, 1, 2, 3), scores), *y = ag_masked_softmax(x, NULL);
    const real wanted[] = {0, 1, 0, 0, 0, 0}, seed[] = {1, 2, 3, 4, 5, 6}, zeros[6] = {0};
    ck_assert(same_bits(y->data, wanted, 6));
    ck_assert_int_eq(ag_backward_seeded(y, seed), AG_OK);
    for (int i = 0; i < 6; i++)
        ck_assert(x->grad[i] == 0);

    ag_tensor *q = ag_variable(tape, AG_SHAPE(1, 1, 1), (real[]){1}), *k = ag_variable(tape, AG_SHAPE(1, 2, 1), NULL);
    k->data[0] = k->data[1] = -infinity;
    y = ag_attention(q, k, ag_constant(tape, AG_SHAPE(1, 2, 3), seed), NULL);
    ck_assert(same_bits(y->data, zeros, 3));
    ck_assert_int_eq(ag_backward_seeded(y, seed), AG_OK);
    ck_assert(q->grad[0] == 0 && k->grad[0] == 0 && k->grad[1] == 0);
    ag_tape_free(tape);
}
END_TEST

/* ---- Equal to the last bit ------------------------------------------------------------------ */

START_TEST(test_causal_is_its_array)
{
    for (int64_t offset = -4; offset <= 4; offset++)
        for (int is_plain = 0; is_plain < 2; is_plain++) {
            begin(2, 2, 9, 7, 5, 6, 20);
            set_mask(causal_mask, causal_allows, &offset);
            compute(is_plain, 1, &fused);
            set_mask(explicit_mask, causal_allows, &offset);
            compute(is_plain, 1, &other);
            check_same(&fused, &other);
        }
}
END_TEST

static ag_mask *all_in_pieces(ag_tape *tape, const void *context)
{
    (void)context;
    return ag_mask_or(tape, ag_mask_causal(tape, 2), ag_mask_not(tape, ag_mask_causal(tape, 2)));
}

START_TEST(test_mask_of_all_is_none)
{
    const int32_t lengths[] = {7, 9};
    ag_mask *(*const masks[])(ag_tape *, const void *) = {all_mask, all_in_pieces, explicit_mask, key_lengths_mask};
    for (int is_plain = 0; is_plain < 2; is_plain++) {
        begin(2, 2, 6, 7, 5, 6, 21);
        compute(is_plain, 1, &fused);
        for (int form = 0; form < 4; form++) {
            set_mask(masks[form], NULL, lengths);
            compute(is_plain, 1, &other);
            check_same(&fused, &other);
        }
    }
}
END_TEST

/* Forbidden by the mask, or by a bias of -inf there and 0 elsewhere. */
START_TEST(test_mask_is_infinite_bias)
{
    for (int is_plain = 0; is_plain < 2; is_plain++) {
        begin(2, 2, 4, 8, 5, 6, 22);
        set_mask(explicit_mask, hole_and_padding, NULL);
        compute(is_plain, 1, &fused);
        set_mask(NULL, NULL, NULL);
        begin_bias(AG_SHAPE(2, 2, 4, 8), 0);
        for (int64_t e = 0; e < 128; e++)
            p.bias[e] = hole_and_padding(NULL, e / 64, 0, e / 8 % 4, e % 8) ? 0 : -(real)INFINITY;
        compute(is_plain, 1, &other);
        memset(other.dbias, 0, sizeof other.dbias);
        check_same(&fused, &other);
    }
}
END_TEST

/* Sequences of n, and the same with `more` rows of garbage behind them. */
static void check_padding(int64_t n, int64_t queries, int64_t more)
{
    const int32_t lengths[] = {(int32_t)n};
    begin(1, 1, queries, n, 3, 5, 30);
    set_mask(key_lengths_mask, key_lengths_allow, lengths);
    compute(false, 1, &fused);
    p.keys = n + more;
    for (int64_t e = n * 3; e < (n + more) * 3; e++)
        p.k[e] = (real)NAN;
    for (int64_t e = n * 5; e < (n + more) * 5; e++)
        p.v[e] = (real)NAN;
    compute(false, 1, &other);
    check_same(&fused, &other); /* and the gradients of the padding are 0 */
}

START_TEST(test_padding_changes_nothing)
{
    for (int64_t n = 1; n <= 100; n++)
        check_padding(n, n < 20 ? n : 5, 1 + n % 9);
    check_padding(1024, 3, 3);
    check_padding(1027, 2, 997);
}
END_TEST

/* Each row of a batch, and each head with its own part of the mask, gives what it gives alone. */
START_TEST(test_rows_and_heads_are_alone)
{
    static mask_tree tree;
    static problem whole;
    ag_rng rng = ag_rng_make(31, 0);
    int kinds[TREE_KINDS];
    for (int draw = 0; draw < 20; draw++) {
        begin(3, 2, 6, 7, 5, 4, 31);
        p.split = true;
        mask_tree_draw(&tree, &rng, 3, 2, 6, 7, kinds);
        set_mask(tree_mask, tree_allows, &tree);
        compute(false, 1, &fused);
        whole = p;
        for (int64_t pair = 0; pair < 6; pair++) {
            unsigned char allow[42];
            p = whole;
            p.batch = p.heads = 1;
            memmove(p.q, p.q + pair * 30, 30 * sizeof(real));
            memmove(p.k, p.k + pair * 35, 35 * sizeof(real));
            memmove(p.v, p.v + pair * 28, 28 * sizeof(real));
            memmove(p.dy, p.dy + pair * 24, 24 * sizeof(real));
            for (int e = 0; e < 42; e++)
                allow[e] = mask_tree_allows(&tree, pair / 2, pair % 2, e / 7, e % 7);
            static mask_tree alone;
            alone = (mask_tree){.batch = 1, .count = 1};
            alone.node[0] = (tree_node){.kind = TREE_EXPLICIT, .batch = 1, .heads = 1, .queries = 6, .keys = 7};
            memcpy(alone.node[0].allow, allow, sizeof allow);
            p.mask_context = &alone;
            compute(false, 1, &other);
            ck_assert(same_bits(other.y, fused.y + pair * 24, 24));
            ck_assert(same_bits(other.dq, fused.dq + pair * 30, 30));
            ck_assert(same_bits(other.dk, fused.dk + pair * 35, 35));
            ck_assert(same_bits(other.dv, fused.dv + pair * 28, 28));
        }
    }
}
END_TEST

/* The two layouts are one computation. */
START_TEST(test_layouts_are_equal)
{
    for (int is_plain = 0; is_plain < 2; is_plain++) {
        begin(2, 3, 6, 7, 5, 4, 32);
        begin_bias(AG_SHAPE(3, 6, 7), 33);
        compute(is_plain, 1, &fused);
        p.split = true;
        compute(is_plain, 1, &other);
        check_same(&fused, &other);
    }
}
END_TEST

START_TEST(test_threads_change_nothing)
{
    static const int64_t offset = 0;
    for (int is_plain = 0; is_plain < 2; is_plain++) {
        begin(2, 3, 70, 65, 16, 16, 33);
        set_mask(causal_mask, causal_allows, &offset);
        begin_bias(AG_SHAPE(3, 70, 65), 34);
        p.dropout = 0.2;
        compute(is_plain, 1, &fused);
        for (int threads = 2; threads <= 5; threads++) {
            compute(is_plain, threads, &other);
            check_same(&fused, &other);
        }
    }
}
END_TEST

/* ---- Dropout -------------------------------------------------------------------------------- */

START_TEST(test_dropout_ends)
{
    for (int is_plain = 0; is_plain < 2; is_plain++) {
        begin(2, 2, 6, 7, 5, 4, 40);
        p.dropout = 1;
        compute(is_plain, 1, &fused);
        memset(&other, 0, sizeof other);
        for (int64_t e = 0; e < MOST; e++)
            ck_assert(fused.y[e] == 0 && fused.dq[e] == 0 && fused.dk[e] == 0 && fused.dv[e] == 0);
        p.dropout = 1e-10;
        compute_reference();
        compute(is_plain, 1, &fused);
        check_against_reference(&fused, PRECISION(1e-9, 1e-6));
    }
}
END_TEST

/* Both forms use one place in the stream, so that what follows them draws the same. */
START_TEST(test_dropout_stream)
{
    real next[2][8], seeds[2][6];
    for (int is_plain = 0; is_plain < 2; is_plain++) {
        ag_tape *tape = ag_tape_new(NULL);
        ag_tensor *ones = ag_constant(tape, AG_SHAPE(8), (real[]){1, 1, 1, 1, 1, 1, 1, 1});
        ag_tensor *x = ag_constant(tape, AG_SHAPE(1, 3, 2), (real[]){1, 2, 3, 4, 5, 6});
        ag_attention_options options = {.dropout = 0.5, .plain = is_plain};
        ag_tape_seed(tape, 3, 4);
        ck_assert_ptr_nonnull(ag_attention(x, x, x, &options));
        memcpy(next[is_plain], ag_dropout(ones, 0.5)->data, sizeof next[0]);
        memcpy(seeds[is_plain], ag_attention(x, x, x, &options)->data, sizeof seeds[0]);
        ag_tape_free(tape);
    }
    ck_assert(same_bits(next[0], next[1], 8));
    for (int e = 0; e < 6; e++)
        ck_assert(fabs((double)(seeds[0][e] - seeds[1][e])) < 1e-5);
}
END_TEST

/* ---- The parts, and what is asked for ------------------------------------------------------- */

START_TEST(test_weights)
{
    ag_tape *tape = ag_tape_new(NULL);
    begin(2, 3, 4, 5, 6, 2, 50);
    const int32_t lengths[] = {3, 0};
    ag_tensor *weights = NULL, *q = give(tape, p.q, 4, 6), *k = give(tape, p.k, 5, 6), *v = give(tape, p.v, 5, 2);
    ag_attention_options options = {.heads = 3, .mask = ag_mask_key_lengths(tape, 2, lengths), .dropout = 0.5,
                                    .weights = &weights};
    ag_tensor *y = ag_attention(q, k, v, &options);
    ck_assert_ptr_nonnull(y);
    ck_assert(ag_shape_equal(weights->shape, AG_SHAPE(2, 3, 4, 5)));
    for (int64_t row = 0; row < 24; row++) {
        double sum = 0;
        for (int64_t j = 0; j < 5; j++) {
            sum += (double)weights->data[row * 5 + j];
            ck_assert_int_eq(weights->data[row * 5 + j] == 0, j >= lengths[row / 12]);
        }
        ck_assert(fabs(sum - (row < 12)) < 1e-6); /* dropout comes after them */
    }
    options.mask = ag_mask_key_lengths(tape, 1, lengths);
    ck_assert_ptr_null(ag_attention(q, k, v, &options));
    ck_assert_ptr_null(weights);
    ag_tape_free(tape);
}
END_TEST

/* One tensor in all three places: its gradient is the sum of the three. */
START_TEST(test_one_input_thrice)
{
    ag_tape *tape = ag_tape_new(NULL);
    begin(2, 2, 5, 5, 3, 3, 51);
    memcpy(p.k, p.q, sizeof p.k);
    memcpy(p.v, p.q, sizeof p.v);
    compute_reference();
    ag_tensor *x = give(tape, p.q, 5, 3), *dy = give(tape, p.dy, 5, 3);
    ag_attention_options options = {.heads = 2};
    ck_assert_int_eq(ag_backward_seeded(ag_attention(x, x, x, &options), dy->data), AG_OK);
    static real dx[MOST];
    static double sum[MOST];
    take(x->grad, dx, 5, 3);
    for (int64_t e = 0; e < 60; e++)
        sum[e] = expected.dq[e] + expected.dk[e] + expected.dv[e];
    check_near("dx", dx, sum, 60, 8 * TOLERANCE);
    ag_tape_free(tape);
}
END_TEST

/* Gradients for some inputs only. */
START_TEST(test_gradients_on_request)
{
    begin(1, 1, 4, 5, 3, 2, 52);
    p.split = true;
    compute_reference();
    for (int wanted = 1; wanted < 8; wanted++) {
        ag_tape *tape = ag_tape_new(NULL);
        real dq[12] = {0}, dk[15] = {0}, dv[10] = {0};
        ag_tensor *y = ag_attention(ag_leaf(tape, AG_SHAPE(1, 1, 4, 3), p.q, wanted & 1 ? dq : NULL),
                                    ag_leaf(tape, AG_SHAPE(1, 1, 5, 3), p.k, wanted & 2 ? dk : NULL),
                                    ag_leaf(tape, AG_SHAPE(1, 1, 5, 2), p.v, wanted & 4 ? dv : NULL), NULL);
        ck_assert_int_eq(ag_backward_seeded(y, p.dy), AG_OK);
        if (wanted & 1)
            check_near("dq", dq, expected.dq, 12, 4 * TOLERANCE);
        if (wanted & 2)
            check_near("dk", dk, expected.dk, 15, 4 * TOLERANCE);
        if (wanted & 4)
            check_near("dv", dv, expected.dv, 10, 4 * TOLERANCE);
        ag_tape_free(tape);
    }
}
END_TEST

START_TEST(test_no_sizes)
{
    static const int64_t sizes[][6] = {{0, 2, 3, 4, 5, 6}, {2, 2, 0, 4, 5, 6}, {2, 2, 3, 0, 5, 6}, {2, 2, 3, 4, 5, 0},
                                       {1, 1, 0, 0, 1, 1}};
    for (int s = 0; s < 5; s++)
        for (int form = 0; form < 4; form++) {
            begin(sizes[s][0], sizes[s][1], sizes[s][2], sizes[s][3], sizes[s][4], sizes[s][5], 53);
            p.split = form & 1;
            static const int64_t offset = 0;
            set_mask(causal_mask, causal_allows, &offset);
            begin_bias(AG_SHAPE(sizes[s][2], sizes[s][3]), 54);
            compute(form & 2, 2, &fused);
            for (int64_t e = 0; s == 2 && e < 2 * 2 * 3 * 6; e++)
                ck_assert(fused.y[e] == 0);
        }
}
END_TEST

/* Forward and backward over 2048 x 2048 scores, in far less memory than these would take. */
START_TEST(test_memory_is_linear)
{
    static const int64_t offset = 0;
    begin(1, 1, 2048, 2048, 8, 8, 54);
    p.mask = causal_mask;
    p.mask_context = &offset;
    compute(false, 2, &fused);
    ck_assert_uint_lt(fused.bytes, (size_t)2048 * 2048 * sizeof(real) / 4);
}
END_TEST

START_TEST(test_steps_allocate_nothing)
{
    ag_tape *tape = ag_tape_new(NULL);
    begin(2, 2, 9, 9, 4, 4, 55);
    int64_t before = 0;
    for (int step = 0; step < 3; step++) {
        ag_tensor *x = give(tape, p.q, 9, 4);
        ag_attention_options options = {.heads = 2, .mask = ag_mask_causal(tape, 0), .dropout = 0.1};
        ck_assert_int_eq(ag_backward_seeded(ag_attention(x, x, x, &options), x->data), AG_OK);
        ag_tape_rewind(tape);
        if (step > 0)
            ck_assert_int_eq(test_allocations(), before);
        before = test_allocations();
    }
    ag_tape_free(tape);
}
END_TEST

/* Each allocation of a step fails once: an error, and a tape that works afterwards. */
START_TEST(test_out_of_memory)
{
    for (int is_plain = 0; is_plain < 2; is_plain++)
        for (int n = 1;; n++) {
            ag_tape *tape = ag_tape_new(NULL);
            begin(2, 2, 64, 64, 32, 32, 56);
            test_fail_allocation(n);
            ag_tensor *x = ag_variable(tape, layout(64, 32), NULL);
            ag_tensor *bias = ag_variable(tape, AG_SHAPE(64, 64), p.k);
            ag_attention_options options = {.heads = 2, .mask = ag_mask_causal(tape, 0), .bias = bias, .dropout = 0.1,
                                            .plain = is_plain};
            ag_tensor *y = ag_attention(x, x, x, &options);
            ag_status status = y ? ag_backward_seeded(y, p.dy) : ag_tape_error(tape)->status;
            bool failed = status != AG_OK;
            test_fail_allocation(0);
            if (failed)
                ck_assert_int_eq(status, AG_NO_MEMORY);
            ag_tape_rewind(tape);
            x = give(tape, p.q, 64, 32);
            ck_assert_ptr_nonnull(ag_attention(x, x, x, NULL));
            ag_tape_free(tape);
            if (!failed) {
                ck_assert_int_gt(n, 3);
                break;
            }
        }
}
END_TEST

/* ---- Errors --------------------------------------------------------------------------------- */

typedef struct bad_case {
    ag_shape q, k, v;
    ag_attention_options options;
    const char *sentence;
} bad_case;

START_TEST(test_errors)
{
    ag_tape *tape = ag_tape_new(NULL);
    const ag_shape q = AG_SHAPE(2, 3, 8), k = AG_SHAPE(2, 5, 8);
    const bad_case cases[] = {
        {q, k, k, {.heads = 3}, "attention: q [2,3,8], k [2,5,8], v [2,5,8]: 3 heads do not divide the width 8"},
        {q, k, AG_SHAPE(2, 5, 9), {.heads = 2},
         "attention: q [2,3,8], k [2,5,8], v [2,5,9]: 2 heads do not divide the width 9"},
        {q, AG_SHAPE(2, 5, 6), k, {.heads = 2},
         "attention: q [2,3,8], k [2,5,6], v [2,5,8]: queries of width 8 and keys of width 6 differ"},
        {q, k, AG_SHAPE(2, 4, 8), {.heads = 2}, "attention: q [2,3,8], k [2,5,8], v [2,4,8]: 5 keys have 4 values"},
        {q, AG_SHAPE(1, 5, 8), k, {.heads = 2},
         "attention: q [2,3,8], k [1,5,8], v [2,5,8]: the batch sizes differ"},
        {AG_SHAPE(3, 8), k, k, {.heads = 2},
         "attention: q [3,8], k [2,5,8], v [2,5,8]: all have 3 axes [batch, length, heads*width] or all have 4 "
         "[batch, heads, length, width]"},
        {AG_SHAPE(2, 2, 3, 8), AG_SHAPE(2, 1, 5, 8), AG_SHAPE(2, 2, 5, 8), {0},
         "attention: q [2,2,3,8], k [2,1,5,8], v [2,2,5,8]: the numbers of heads differ"},
        {AG_SHAPE(2, 2, 3, 8), AG_SHAPE(2, 2, 5, 8), AG_SHAPE(2, 2, 5, 8), {.heads = 4},
         "attention: q [2,2,3,8], k [2,2,5,8], v [2,2,5,8]: 4 heads asked for where the inputs have another number of them"},
        {q, k, k, {.heads = -1}, "attention: q [2,3,8], k [2,5,8], v [2,5,8]: -1 heads asked for"},
        {q, k, k, {.heads = 2, .dropout = 1.5}, "attention: dropout 1.5 is outside [0, 1]"},
        {q, k, k, {.heads = 2, .dropout = NAN}, "attention: dropout nan is outside [0, 1]"},
        {q, k, k, {.heads = 2, .scale = INFINITY}, "attention: scale inf is not finite"},
    };
    for (int is_plain = 0; is_plain < 2; is_plain++) {
        for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
            ag_attention_options options = cases[c].options;
            options.plain = is_plain;
            ck_assert_ptr_null(ag_attention(ag_constant(tape, cases[c].q, NULL), ag_constant(tape, cases[c].k, NULL),
                                            ag_constant(tape, cases[c].v, NULL), &options));
            ck_assert_str_eq(ag_tape_error(tape)->message, cases[c].sentence);
            ag_tape_rewind(tape);
        }
        ag_tensor *x = ag_constant(tape, q, NULL);
        ag_attention_options options = {.heads = 2, .plain = is_plain, .mask = ag_mask_key_lengths(tape, 1, (int32_t[]){2})};
        ck_assert_ptr_null(ag_attention(x, x, x, &options));
        ck_assert_str_eq(ag_tape_error(tape)->message,
                         "attention: a mask of key lengths for 1 batch rows on scores [2,2,3,3], which have 2");
        ag_tape_rewind(tape);
        x = ag_constant(tape, q, NULL);
        options = (ag_attention_options){.heads = 2, .plain = is_plain, .bias = ag_constant(tape, AG_SHAPE(3, 4), NULL)};
        ck_assert_ptr_null(ag_attention(x, x, x, &options));
        ck_assert_str_eq(ag_tape_error(tape)->message, "attention: bias [3,4] does not broadcast to the scores [2,2,3,3]");
        ag_tape_rewind(tape);
        x = ag_constant(tape, q, NULL);
        ck_assert_ptr_null(ag_attention(x, NULL, x, &options));
        ck_assert_ptr_null(ag_attention(NULL, NULL, NULL, NULL));
        ag_tape_rewind(tape);
    }
    ag_tape_free(tape);
}
END_TEST

START_TEST(test_errors_of_the_parts)
{
    ag_tape *tape = ag_tape_new(NULL);
    ag_tensor *scores = ag_constant(tape, AG_SHAPE(2, 3, 4), NULL);
    ck_assert_ptr_null(ag_masked_softmax(scores, NULL));
    ck_assert_str_eq(ag_tape_error(tape)->message, "masked_softmax: scores [2,3,4]: expected [batch, heads, queries, keys]");
    ag_tape_rewind(tape);
    scores = ag_constant(tape, AG_SHAPE(2, 3, 4, 5), NULL);
    ck_assert_ptr_null(ag_masked_softmax(scores, ag_mask_query_lengths(tape, 1, (int32_t[]){2})));
    ck_assert_str_eq(ag_tape_error(tape)->message,
                     "masked_softmax: a mask of query lengths for 1 batch rows on scores [2,3,4,5], which have 2");
    ag_tape_rewind(tape);
    scores = ag_constant(tape, AG_SHAPE(2, 3, 4, 5), NULL);
    ck_assert_ptr_null(ag_masked_sum(scores, ag_constant(tape, AG_SHAPE(2, 3, 4, 5), NULL), NULL));
    ck_assert_str_eq(ag_tape_error(tape)->message,
                     "masked_sum: weights [2,3,4,5] and values [2,3,4,5]: expected values [2,3,5,width]");
    ag_tape_free(tape);
}
END_TEST

static Suite *attention_suite(void)
{
    Suite *suite = suite_create("attention");
    TCase *reference_case = tcase_create("reference"), *numbers = tcase_create("not finite"), *bits = tcase_create("bits");
    TCase *rest = tcase_create("rest");
    tcase_set_timeout(reference_case, 60);
    tcase_set_timeout(bits, 60);
    tcase_set_timeout(rest, 60);
    tcase_add_test(reference_case, test_reference_sizes);
    tcase_add_test(reference_case, test_reference_drawn);
    tcase_add_test(reference_case, test_every_small_mask);
    tcase_add_test(reference_case, test_rows_that_see_nothing);
    tcase_add_test(reference_case, test_large_scores);
    tcase_add_test(numbers, test_forbidden_is_not_read);
    tcase_add_test(numbers, test_allowed_nan_shows);
    tcase_add_test(numbers, test_scores_of_minus_infinity);
    tcase_add_test(bits, test_causal_is_its_array);
    tcase_add_test(bits, test_mask_of_all_is_none);
    tcase_add_test(bits, test_mask_is_infinite_bias);
    tcase_add_test(bits, test_padding_changes_nothing);
    tcase_add_test(bits, test_rows_and_heads_are_alone);
    tcase_add_test(bits, test_layouts_are_equal);
    tcase_add_test(bits, test_threads_change_nothing);
    tcase_add_test(rest, test_dropout_ends);
    tcase_add_test(rest, test_dropout_stream);
    tcase_add_test(rest, test_weights);
    tcase_add_test(rest, test_one_input_thrice);
    tcase_add_test(rest, test_gradients_on_request);
    tcase_add_test(rest, test_no_sizes);
    tcase_add_test(rest, test_memory_is_linear);
    tcase_add_test(rest, test_steps_allocate_nothing);
    tcase_add_test(rest, test_out_of_memory);
    tcase_add_test(rest, test_errors);
    tcase_add_test(rest, test_errors_of_the_parts);
    suite_add_tcase(suite, reference_case);
    suite_add_tcase(suite, numbers);
    suite_add_tcase(suite, bits);
    suite_add_tcase(suite, rest);
    return suite;
}

TEST_MAIN(attention_suite)
