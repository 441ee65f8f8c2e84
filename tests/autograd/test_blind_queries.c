/* test_blind_queries.c - how many queries had no key to look at, against the masks'
 * definitions. */
#include "attention_util.h"

#include <math.h>
#include <string.h>

static ag_tape *tape;
static const int64_t before_all = -100; /* the offset of a causal mask under which no query sees a key */

/* The count that the definition gives for the problem. */
static int64_t expected_count(void)
{
    int64_t count = 0;
    for (int64_t row = 0; row < attention_pairs() * given.queries; row++) {
        const int64_t pair = row / given.queries;
        bool sees = false;
        for (int64_t j = 0; j < given.keys; j++)
            sees |= !given.allows ||
                    given.allows(given.mask_context, pair / given.heads, pair % given.heads, row % given.queries, j);
        count += !sees;
    }
    return count;
}

/* Attention of the problem on the test's tape. */
static ag_tensor *attend(bool plain)
{
    ag_attention_options options = {
        .heads = (int)given.heads, .mask = given.mask ? given.mask(tape, given.mask_context) : NULL, .plain = plain};
    ag_tensor *y = ag_attention(attention_give(tape, given.q, given.queries, given.key_width),
                                attention_give(tape, given.k, given.keys, given.key_width),
                                attention_give(tape, given.v, given.keys, given.value_width), &options);
    ck_assert_msg(y != NULL, "%s", ag_tape_error(tape)->message);
    return y;
}

static void set_up(void)
{
    tape = ag_tape_new(&(ag_tape_options){.threads = 1});
    ck_assert_ptr_nonnull(tape);
    ck_assert_int_eq(ag_tape_blind_queries(tape), 0);
}

static void tear_down(void)
{
    ag_tape_free(tape);
}

START_TEST(test_drawn_masks)
{
    static mask_tree tree;
    ag_rng rng = ag_rng_make(41, 1);
    int kinds[TREE_KINDS] = {0}, some = 0;
    for (int draw = 0; draw < 300; draw++) {
        const int64_t batch = 1 + (int64_t)ag_rng_below(&rng, 3), heads = 1 + (int64_t)ag_rng_below(&rng, 3);
        const int64_t queries = (int64_t)ag_rng_below(&rng, 12), keys = (int64_t)ag_rng_below(&rng, 12);
        attention_begin(batch, heads, queries, keys, 3, 4, 41);
        given.split = ag_rng_below(&rng, 2);
        mask_tree_draw(&tree, &rng, batch, heads, queries, keys, kinds);
        attention_set_mask(attention_tree, attention_tree_allows, &tree);
        const int64_t count = expected_count();
        some += count > 0 && count < batch * heads * queries;
        for (int plain = 0; plain < 2; plain++) {
            attend(plain);
            ck_assert_int_eq(ag_tape_blind_queries(tape), count);
            ag_tape_rewind(tape);
            ck_assert_int_eq(ag_tape_blind_queries(tape), 0);
        }
    }
    ck_assert_int_gt(some, 30);
}
END_TEST

/* Without a mask only that there are no keys makes a query blind. */
START_TEST(test_no_keys)
{
    for (int plain = 0; plain < 2; plain++) {
        attention_begin(2, 3, 4, 0, 5, 6, 42);
        attend(plain);
        ck_assert_int_eq(ag_tape_blind_queries(tape), 24);
        attention_begin(2, 3, 4, 1, 5, 6, 42);
        attend(plain);
        ck_assert_int_eq(ag_tape_blind_queries(tape), 24);
        ag_tape_rewind(tape);
    }
}
END_TEST

/* The count: a bias of -inf is a mask; all attentions add up; a backward adds nothing. */
START_TEST(test_what_counts)
{
    for (int plain = 0; plain < 2; plain++) {
        const int32_t lengths[] = {0, 4};
        attention_begin(2, 2, 5, 4, 6, 6, 43);
        ag_real bias[5] = {0, -(ag_real)INFINITY, 0, 0, -(ag_real)INFINITY};
        ag_tensor *x = attention_give(tape, given.q, 5, 6);
        ag_attention_options options = {.heads = 2, .plain = plain};
        options.bias = ag_constant(tape, AG_SHAPE(5, 1), bias);
        ck_assert_ptr_nonnull(ag_attention(x, x, x, &options));
        ck_assert_int_eq(ag_tape_blind_queries(tape), 2 * 2 * 2);
        options.mask = ag_mask_key_lengths(tape, 2, lengths);
        ag_tensor *y = ag_attention(x, x, x, &options);
        ck_assert_int_eq(ag_tape_blind_queries(tape), 8 + 2 * 5 + 2 * 2);
        ck_assert_int_eq(ag_backward(ag_sum(y, AG_ALL_AXES, false)), AG_OK);
        ck_assert_int_eq(ag_tape_blind_queries(tape), 22);
        options.heads = 5; /* refused */
        ck_assert_ptr_null(ag_attention(x, x, x, &options));
        ck_assert_int_eq(ag_tape_blind_queries(tape), 22);
        ag_tape_rewind(tape);
    }
}
END_TEST

/* The parts of the plain form: the softmax counts, the sum does not count the same
 * queries again. */
START_TEST(test_parts)
{
    const ag_mask *mask = ag_mask_causal(tape, -2);
    ag_tensor *scores = ag_variable(tape, AG_SHAPE(3, 2, 4, 5), NULL);
    ag_tensor *weights = ag_masked_softmax(scores, mask);
    ck_assert_int_eq(ag_tape_blind_queries(tape), 3 * 2 * 2);
    ag_tensor *y = ag_masked_sum(weights, ag_variable(tape, AG_SHAPE(3, 2, 5, 7), NULL), mask);
    ck_assert_int_eq(ag_backward(ag_sum(y, AG_ALL_AXES, false)), AG_OK);
    ck_assert_int_eq(ag_tape_blind_queries(tape), 12);
}
END_TEST

/* Pieces that lie on several threads; masks with holes, the same for all heads and not;
 * every 7th query is blind. */
static bool holes(const void *by_head, int64_t b, int64_t h, int64_t i, int64_t j)
{
    const int64_t shift = *(const bool *)by_head ? h : 0;
    return (i + shift + b) % 7 != 3 && (i + j) % 3 != 0;
}

static ag_mask *same_for_heads(ag_tape *on, const void *context)
{
    static unsigned char allow[2 * 300 * 40];
    for (int e = 0; e < 2 * 300 * 40; e++)
        allow[e] = holes(context, e / 40 / 300, 0, e / 40 % 300, e % 40);
    return ag_mask_explicit(on, 2, 1, 300, 40, allow);
}

START_TEST(test_threads)
{
    for (int form = 0; form < 6; form++) {
        const bool by_head = form / 2 == 1, plain = form % 2;
        attention_begin(2, 2, 300, 40, 16, 16, 44);
        attention_set_mask(by_head ? attention_array : same_for_heads, holes, &by_head);
        if (form / 2 == 2)
            attention_set_mask(attention_causal, attention_causal_allows, &before_all);
        const int64_t count = expected_count();
        ck_assert_int_gt(count, 150);
        for (int threads = 1; threads <= 5; threads++) {
            ag_tape_free(tape);
            tape = ag_tape_new(&(ag_tape_options){.threads = threads, .no_grad = threads % 2});
            attend(plain);
            ck_assert_int_eq(ag_tape_blind_queries(tape), count);
        }
    }
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("blind_queries");
    TCase *c = tcase_create("blind_queries");
    tcase_add_checked_fixture(c, set_up, tear_down);
    tcase_set_timeout(c, 60);
    tcase_add_test(c, test_drawn_masks);
    tcase_add_test(c, test_no_keys);
    tcase_add_test(c, test_what_counts);
    tcase_add_test(c, test_parts);
    tcase_add_test(c, test_threads);
    suite_add_tcase(s, c);
    return s;
}

TEST_MAIN(suite)
