/* test_attention_bits.c - what changes no bit of attention: what is forbidden, how a mask is written, padding, the rest
 * of a batch, the layout, the number of threads. */
#include "attention_util.h"

#include <math.h>
#include <string.h>

static result fused, plain, other;

/* ---- NaN and infinity -------------------------------------------------------------- */

static const ag_real poisons[] = {NAN, INFINITY, -INFINITY};

/* Keys from 5 on are padding, and query 2 sees nothing: what they hold reaches nothing,
 * forward and backward. */
static bool hole_and_padding(const void *context, int64_t b, int64_t h, int64_t i, int64_t j)
{
    (void)context;
    (void)h;
    return i != 2 && j < 5 && (b || (i + j) % 3 != 0);
}

/* Forbidden by the mask, or by -inf in the bias. */
static void begin_forbidding(bool by_bias)
{
    attention_begin(2, 2, 4, 8, 5, 7, 14);
    attention_begin_bias(AG_SHAPE(2, 2, 4, 8), 15);
    if (!by_bias)
        attention_set_mask(attention_array, hole_and_padding, NULL);
    for (int64_t e = 0; by_bias && e < 4 * 4 * 8; e++)
        if (!hole_and_padding(NULL, e / 64, 0, e / 8 % 4, e % 8))
            given.bias[e] = -(ag_real)INFINITY;
}

/* Puts `poison` into all that is forbidden for all, and into the bias where the mask
 * forbids. */
static void plant(ag_real poison, bool by_bias)
{
    for (int64_t row = 0; row < 4 * 8; row++) {
        for (int64_t c = 0; row % 8 >= 5 && c < 5; c++)
            given.k[row * 5 + c] = poison;
        for (int64_t c = 0; row % 8 >= 5 && c < 7; c++)
            given.v[row * 7 + c] = poison;
    }
    for (int64_t row = 2; row < 4 * 4; row += 4)
        for (int64_t c = 0; c < 5; c++)
            given.q[row * 5 + c] = poison;
    for (int64_t e = 0; !by_bias && e < 4 * 4 * 8; e++)
        if (!hole_and_padding(NULL, e / 64, 0, e / 8 % 4, e % 8))
            given.bias[e] = poison;
}

START_TEST(test_forbidden_is_not_read)
{
    for (int form = 0; form < 4; form++)
        for (int poison = 0; poison < 3; poison++) {
            bool by_bias = form & 1, split = form & 2;
            static result plain_before;
            begin_forbidding(by_bias);
            given.split = split;
            attention_compute(false, 1, &other);
            attention_compute(true, 1, &plain_before);
            plant(poisons[poison], by_bias);
            attention_compute(false, 1, &fused);
            attention_compute(true, 1, &plain);
            attention_same(&fused, &other);
            ck_assert(attention_bits(plain.y, plain_before.y, MOST));
        }
}
END_TEST

/* The same over several tiles: some queries see nothing, nobody sees some keys. */
static bool sparse(const void *context, int64_t b, int64_t h, int64_t i, int64_t j)
{
    (void)context;
    (void)b;
    (void)h;
    return i % 40 != 7 && j % 50 != 3 && (i + j) % 3 != 0;
}

START_TEST(test_forbidden_in_tiles)
{
    for (int poison = 0; poison < 3; poison++) {
        attention_begin(1, 1, 200, 270, 20, 17, 17);
        attention_set_mask(attention_array, sparse, NULL);
        attention_compute(false, 1, &other);
        for (int64_t j = 3; j < 270; j += 50)
            given.k[j * 20 + 19] = given.v[j * 17 + j % 17] = poisons[poison];
        for (int64_t i = 7; i < 200; i += 40)
            given.q[i * 20] = given.dy[i * 17 + 16] = poisons[poison];
        attention_compute(false, 1, &fused);
        attention_same(&fused, &other);
    }
}
END_TEST

static bool row_is_odd(const ag_real *x, int64_t row, int64_t width)
{
    for (int64_t c = 0; c < width; c++)
        if (!isfinite(x[row * width + c]))
            return true;
    return false;
}

/* A gradient that is NaN or infinite for query 150, or a value for key 150, reaches whoever may know of it, and leaves
 * the bits of all others alone. */
START_TEST(test_nan_reaches_those_who_see_it)
{
    static const int64_t offset = 0;
    for (int kind = 0; kind < 6; kind++) {
        const bool of_value = kind % 2;
        attention_begin(1, 1, 200, 200, 16, 16, 18);
        attention_set_mask(attention_causal, attention_causal_allows, &offset);
        attention_compute(false, 1, &other);
        (of_value ? given.v : given.dy)[150 * 16 + 5] = poisons[kind / 2];
        attention_compute(false, 1, &fused);
        for (int64_t i = 0; i < 200; i++) {
            bool y_changes = of_value && i >= 150, dq_changes = of_value ? i >= 150 : i == 150;
            bool dk_changes = of_value || i <= 150, dv_changes = !of_value && i <= 150;
            ck_assert_int_eq(row_is_odd(fused.y, i, 16), y_changes);
            ck_assert_int_eq(row_is_odd(fused.dq, i, 16), dq_changes);
            ck_assert_int_eq(row_is_odd(fused.dk, i, 16), dk_changes);
            ck_assert_int_eq(row_is_odd(fused.dv, i, 16), dv_changes);
            ck_assert(y_changes || attention_bits(fused.y + i * 16, other.y + i * 16, 16));
            ck_assert(dq_changes || attention_bits(fused.dq + i * 16, other.dq + i * 16, 16));
            ck_assert(dk_changes || attention_bits(fused.dk + i * 16, other.dk + i * 16, 16));
            ck_assert(dv_changes || attention_bits(fused.dv + i * 16, other.dv + i * 16, 16));
            ck_assert(!y_changes || isfinite(fused.y[i * 16 + 4])); /* only in its own column */
        }
    }
}
END_TEST

/* A key of -inf that makes a score of -inf weighs nothing in the output, and is NaN (0
 * times infinity) in dq. */
START_TEST(test_infinite_key)
{
    attention_begin(1, 1, 2, 3, 1, 1, 19);
    given.q[0] = given.q[1] = 1;
    attention_set_mask(attention_array, sparse, NULL); /* query 0 sees keys 1, 2, query 1 sees 0, 1 */
    given.k[2] = -(ag_real)INFINITY;
    attention_compute(false, 1, &fused);
    ck_assert(attention_bits(fused.y, given.v + 1, 1));
    ck_assert(isnan(fused.dq[0]));
    ck_assert(isfinite(fused.y[1]) && isfinite(fused.dq[1]));
}
END_TEST

/* Where it is allowed, it shows, and only there: query 1 sees key 1, query 0 does not. */
START_TEST(test_allowed_nan_shows)
{
    static const int64_t offset = 0;
    for (int where = 0; where < 3; where++)
        for (int poison = 0; poison < 2; poison++)
            for (int is_plain = 0; is_plain < 2; is_plain++) {
                attention_begin(1, 1, 3, 3, 2, 2, 16);
                attention_set_mask(attention_causal, attention_causal_allows, &offset);
                attention_compute(is_plain, 1, &other);
                (where == 0 ? given.q : where == 1 ? given.k : given.v)[2] = poisons[poison];
                attention_compute(is_plain, 1, &fused);
                ck_assert(attention_bits(fused.y, other.y, 2));
                ck_assert(!isfinite(fused.y[2]));
            }
}
END_TEST

/* A score that is -inf by itself weighs nothing; a row of nothing else is 0. */
START_TEST(test_scores_of_minus_infinity)
{
    ag_tape *tape = ag_tape_new(NULL);
    const ag_real infinity = (ag_real)INFINITY, scores[] = {-infinity, 0, -infinity, -infinity, -infinity, -infinity};
    ag_tensor *x = ag_variable(tape, AG_SHAPE(1, 1, 2, 3), scores), *y = ag_masked_softmax(x, NULL);
    const ag_real wanted[] = {0, 1, 0, 0, 0, 0}, seed[] = {1, 2, 3, 4, 5, 6}, zeros[6] = {0};
    ck_assert(attention_bits(y->data, wanted, 6));
    ck_assert_int_eq(ag_backward_seeded(y, seed), AG_OK);
    for (int i = 0; i < 6; i++)
        ck_assert(x->grad[i] == 0);

    ag_tensor *q = ag_variable(tape, AG_SHAPE(1, 1, 1), (ag_real[]){1}),
              *k = ag_variable(tape, AG_SHAPE(1, 2, 1), NULL);
    k->data[0] = k->data[1] = -infinity;
    y = ag_attention(q, k, ag_constant(tape, AG_SHAPE(1, 2, 3), seed), NULL);
    ck_assert(attention_bits(y->data, zeros, 3));
    ck_assert_int_eq(ag_backward_seeded(y, seed), AG_OK);
    ck_assert(q->grad[0] == 0 && k->grad[0] == 0 && k->grad[1] == 0);
    ag_tape_free(tape);
}
END_TEST

/* ---- Masks ------------------------------------------------------------------------- */

static ag_mask *all_mask(ag_tape *tape, const void *context)
{
    (void)context;
    return ag_mask_all(tape);
}

static ag_mask *key_lengths_mask(ag_tape *tape, const void *lengths)
{
    return ag_mask_key_lengths(tape, given.batch, lengths);
}

/* ---- Equal to the last bit --------------------------------------------------------- */

START_TEST(test_causal_is_its_array)
{
    for (int64_t offset = -4; offset <= 4; offset++)
        for (int is_plain = 0; is_plain < 2; is_plain++) {
            attention_begin(2, 2, 9, 7, 5, 6, 20);
            attention_set_mask(attention_causal, attention_causal_allows, &offset);
            attention_compute(is_plain, 1, &fused);
            attention_set_mask(attention_array, attention_causal_allows, &offset);
            attention_compute(is_plain, 1, &other);
            attention_same(&fused, &other);
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
    ag_mask *(*const masks[])(ag_tape *, const void *) = {all_mask, all_in_pieces, attention_array, key_lengths_mask};
    for (int is_plain = 0; is_plain < 2; is_plain++) {
        attention_begin(2, 2, 6, 7, 5, 6, 21);
        attention_compute(is_plain, 1, &fused);
        for (int form = 0; form < 4; form++) {
            attention_set_mask(masks[form], NULL, lengths);
            attention_compute(is_plain, 1, &other);
            attention_same(&fused, &other);
        }
    }
}
END_TEST

/* Forbidden by the mask, or by a bias of -inf there and 0 elsewhere. */
START_TEST(test_mask_is_infinite_bias)
{
    for (int is_plain = 0; is_plain < 2; is_plain++) {
        attention_begin(2, 2, 4, 8, 5, 6, 22);
        attention_set_mask(attention_array, hole_and_padding, NULL);
        attention_compute(is_plain, 1, &fused);
        attention_set_mask(NULL, NULL, NULL);
        attention_begin_bias(AG_SHAPE(2, 2, 4, 8), 0);
        for (int64_t e = 0; e < 128; e++)
            given.bias[e] = hole_and_padding(NULL, e / 64, 0, e / 8 % 4, e % 8) ? 0 : -(ag_real)INFINITY;
        attention_compute(is_plain, 1, &other);
        memset(other.dbias, 0, sizeof other.dbias);
        attention_same(&fused, &other);
    }
}
END_TEST

/* A finite bias forbids nothing, however low: all keys alike, each query sees the mean of
 * the values. */
START_TEST(test_low_bias_is_no_mask)
{
    for (int is_plain = 0; is_plain < 2; is_plain++) {
        attention_begin(1, 2, 3, 4, 5, 6, 23);
        attention_begin_bias(AG_SHAPE(3, 4), 0);
        for (int64_t e = 0; e < 12; e++)
            given.bias[e] = PRECISION(-1e300, -1e30f);
        attention_compute(is_plain, 1, &fused);
        ck_assert_int_eq(fused.blind, 0);
        for (int64_t e = 0; e < 2 * 3 * 6; e++) {
            const ag_real *v = given.v + e / 18 * 24 + e % 6;
            const double mean = ((double)v[0] + (double)v[6] + (double)v[12] + (double)v[18]) / 4;
            ck_assert(fabs((double)fused.y[e] - mean) < PRECISION(1e-15, 1e-6));
        }
    }
}
END_TEST

static bool not_every_third(const void *context, int64_t b, int64_t h, int64_t i, int64_t j)
{
    (void)context;
    (void)b;
    (void)h;
    return (i + j) % 3;
}

/* Beside others that are higher by more than e^x can say, such a key has no weight, as if
 * it were forbidden. */
START_TEST(test_low_bias_has_no_weight)
{
    const ag_real low[] = {PRECISION(-1e3, -1.5e2f), PRECISION(-1e9, -1e9f), PRECISION(-1e300, -1e30f)};
    attention_begin(2, 2, 30, 40, 5, 6, 24);
    attention_set_mask(attention_array, not_every_third, NULL);
    attention_compute(false, 1, &fused);
    attention_set_mask(NULL, NULL, NULL);
    attention_begin_bias(AG_SHAPE(30, 40), 0);
    for (int form = 0; form < 3; form++) {
        for (int64_t e = 0; e < 30 * 40; e++)
            given.bias[e] = not_every_third(NULL, 0, 0, e / 40, e % 40) ? 0 : low[form];
        attention_compute(false, 1, &other);
        memset(other.dbias, 0, sizeof other.dbias);
        attention_same(&fused, &other);
    }
}
END_TEST

static ag_mask *causal_lengths_mask(ag_tape *tape, const void *lengths)
{
    return ag_mask_and(tape, ag_mask_key_lengths(tape, given.batch, lengths), ag_mask_causal(tape, 2));
}

typedef ag_mask *mask_of_lengths(ag_tape *tape, const void *lengths);

/* Sequences of n, and the same with `more` rows of garbage after them, which is NaN if
 * `is_odd`. */
static void check_padding(mask_of_lengths *mask, int64_t width, int64_t n, int64_t queries, int64_t more, bool is_odd)
{
    const int32_t lengths[] = {(int32_t)n};
    attention_begin(1, 1, queries, n, width, width + width % 2 * 2, 30);
    attention_set_mask(mask, NULL, lengths);
    if (queries > 1) /* the first has no gradient */
        memset(given.dy, 0, (size_t)given.value_width * sizeof(ag_real));
    attention_compute(false, 1, &fused);
    given.keys = n + more;
    for (int64_t e = n * width; e < (n + more) * width; e++)
        given.k[e] = is_odd ? (ag_real)NAN : 3;
    for (int64_t e = n * given.value_width; e < (n + more) * given.value_width; e++)
        given.v[e] = is_odd ? (ag_real)NAN : 5;
    attention_compute(false, 1, &other);
    attention_same(&fused, &other); /* and the gradients of the padding are 0 */
}

START_TEST(test_padding_changes_nothing)
{
    for (int64_t n = 1; n <= 100; n++)
        check_padding(key_lengths_mask, 3, n, n < 20 ? n : 5, 1 + n % 9, true);
    check_padding(key_lengths_mask, 3, 130, 200, 150, true);
    check_padding(key_lengths_mask, 3, 1024, 3, 3, true);
    check_padding(key_lengths_mask, 3, 1027, 2, 997, true);
}
END_TEST

/* Short heads are computed by functions of their own: padding may make them long. */
START_TEST(test_padding_of_short_heads_changes_nothing)
{
    static const int64_t queries[] = {1, 12, 17, 96}, keys[] = {1, 5, 12, 16, 33, 61, 128};
    for (int i = 0; i < 4; i++)
        for (int n = 0; n < 7; n++)
            for (int form = 0; form < 2; form++) {
                mask_of_lengths *mask = (i + form) % 2 ? causal_lengths_mask : key_lengths_mask;
                check_padding(mask, form ? 32 : 16, keys[n], queries[i], 150, false);
                check_padding(mask, form ? 32 : 16, keys[n], queries[i], 1 + n % 9, n % 2);
            }
}
END_TEST

/* Queries that see nothing, whatever they hold, behind those that do. */
static ag_mask *query_lengths_mask(ag_tape *tape, const void *lengths)
{
    return ag_mask_and(tape, ag_mask_query_lengths(tape, given.batch, lengths), ag_mask_causal(tape, 3));
}

START_TEST(test_padding_of_queries_changes_nothing)
{
    static const int64_t counts[] = {1, 11, 12, 13, 90, 96, 97, 250};
    for (int n = 0; n < 8; n++)
        for (int64_t more = 1; more <= 200; more += 66) {
            const int32_t lengths[] = {(int32_t)counts[n]};
            attention_begin(1, 1, counts[n], 180, 4, 3, 35);
            attention_set_mask(query_lengths_mask, NULL, lengths);
            attention_compute(false, 1, &fused);
            given.queries += more;
            for (int64_t e = counts[n] * 4; e < given.queries * 4; e++)
                given.q[e] = (ag_real)NAN;
            for (int64_t e = counts[n] * 3; e < given.queries * 3; e++)
                given.dy[e] = (ag_real)NAN;
            attention_compute(false, 1, &other);
            attention_same(&fused, &other);
        }
}
END_TEST

/* Each row of a batch, and each head with its own part of the mask, gives what it gives
 * alone. */
START_TEST(test_rows_and_heads_are_alone)
{
    static mask_tree tree;
    static problem whole;
    ag_rng rng = ag_rng_make(31, 0);
    int kinds[TREE_KINDS];
    for (int draw = 0; draw < 20; draw++) {
        attention_begin(3, 2, 6, 7, 5, 4, 31);
        given.split = true;
        mask_tree_draw(&tree, &rng, 3, 2, 6, 7, kinds);
        attention_set_mask(attention_tree, attention_tree_allows, &tree);
        attention_compute(false, 1, &fused);
        whole = given;
        for (int64_t pair = 0; pair < 6; pair++) {
            unsigned char allow[42];
            given = whole;
            given.batch = given.heads = 1;
            memmove(given.q, given.q + pair * 30, 30 * sizeof(ag_real));
            memmove(given.k, given.k + pair * 35, 35 * sizeof(ag_real));
            memmove(given.v, given.v + pair * 28, 28 * sizeof(ag_real));
            memmove(given.dy, given.dy + pair * 24, 24 * sizeof(ag_real));
            for (int e = 0; e < 42; e++)
                allow[e] = mask_tree_allows(&tree, pair / 2, pair % 2, e / 7, e % 7);
            static mask_tree alone;
            alone = (mask_tree){.batch = 1, .count = 1};
            alone.node[0] = (tree_node){.kind = TREE_EXPLICIT, .batch = 1, .heads = 1, .queries = 6, .keys = 7};
            memcpy(alone.node[0].allow, allow, sizeof allow);
            given.mask_context = &alone;
            attention_compute(false, 1, &other);
            ck_assert(attention_bits(other.y, fused.y + pair * 24, 24));
            ck_assert(attention_bits(other.dq, fused.dq + pair * 30, 30));
            ck_assert(attention_bits(other.dk, fused.dk + pair * 35, 35));
            ck_assert(attention_bits(other.dv, fused.dv + pair * 28, 28));
        }
    }
}
END_TEST

/* The two layouts are one computation. */
START_TEST(test_layouts_are_equal)
{
    for (int is_plain = 0; is_plain < 2; is_plain++) {
        attention_begin(2, 3, 6, 7, 5, 4, 32);
        attention_begin_bias(AG_SHAPE(3, 6, 7), 33);
        attention_compute(is_plain, 1, &fused);
        given.split = true;
        attention_compute(is_plain, 1, &other);
        attention_same(&fused, &other);
    }
}
END_TEST

START_TEST(test_threads_change_nothing)
{
    static const int64_t offset = 0;
    for (int is_plain = 0; is_plain < 2; is_plain++) {
        attention_begin(2, 3, 200, 65, 16, 16, 33);
        attention_set_mask(attention_causal, attention_causal_allows, &offset);
        attention_begin_bias(AG_SHAPE(3, 200, 65), 34);
        given.dropout = 0.2;
        attention_compute(is_plain, 1, &fused);
        for (int threads = 2; threads <= 5; threads++) {
            attention_compute(is_plain, threads, &other);
            attention_same(&fused, &other);
        }
    }
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_test(tests, test_forbidden_is_not_read);
    tcase_add_test(tests, test_forbidden_in_tiles);
    tcase_add_test(tests, test_allowed_nan_shows);
    tcase_add_test(tests, test_nan_reaches_those_who_see_it);
    tcase_add_test(tests, test_infinite_key);
    tcase_add_test(tests, test_scores_of_minus_infinity);
    tcase_add_test(tests, test_causal_is_its_array);
    tcase_add_test(tests, test_mask_of_all_is_none);
    tcase_add_test(tests, test_mask_is_infinite_bias);
    tcase_add_test(tests, test_low_bias_is_no_mask);
    tcase_add_test(tests, test_low_bias_has_no_weight);
    tcase_add_test(tests, test_padding_changes_nothing);
    tcase_add_test(tests, test_padding_of_short_heads_changes_nothing);
    tcase_add_test(tests, test_padding_of_queries_changes_nothing);
    tcase_add_test(tests, test_rows_and_heads_are_alone);
    tcase_add_test(tests, test_layouts_are_equal);
    tcase_add_test(tests, test_threads_change_nothing);
}

static Suite *attention_bits_suite(void)
{
    Suite *s = suite_create("attention_bits");
    test_at_each_level(s, add_tests);
    return s;
}

TEST_MAIN(attention_bits_suite)
