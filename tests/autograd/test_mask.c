/* test_mask.c - masks against their definitions, element by element. */
#include "mask.h"
#include "mask_tree.h"
#include "tape_fixture.h"

#include <math.h>
#include <string.h>

/* ---- Constructors ------------------------------------------------------------------ */

START_TEST(test_simple_constructors)
{
    const int32_t lengths[] = {0, 2, 5};
    ag_mask *all = ag_mask_all(tape), *keys = ag_mask_key_lengths(tape, 3, lengths);
    ag_mask *queries = ag_mask_query_lengths(tape, 3, lengths);
    for (int64_t b = 0; b < 3; b++)
        for (int64_t i = 0; i < 6; i++)
            for (int64_t j = 0; j < 6; j++) {
                ck_assert(ag_mask_allows(all, b, 1, i, j));
                ck_assert(ag_mask_allows(NULL, b, 1, i, j));
                ck_assert_int_eq(ag_mask_allows(keys, b, 0, i, j), j < lengths[b]);
                ck_assert_int_eq(ag_mask_allows(queries, b, 0, i, j), i < lengths[b]);
            }
    for (int64_t p = -7; p <= 7; p++)
        for (int64_t i = 0; i < 6; i++)
            for (int64_t j = 0; j < 6; j++) {
                ck_assert_int_eq(ag_mask_allows(ag_mask_causal(tape, p), 0, 0, i, j), j <= i + p);
                if (p >= 0)
                    ck_assert_int_eq(ag_mask_allows(ag_mask_prefix(tape, p), 0, 0, i, j), j < p);
                for (int64_t right = -7; right <= 7; right++)
                    ck_assert_int_eq(ag_mask_allows(ag_mask_window(tape, p, right), 0, 0, i, j),
                                     i - p <= j && j <= i + right);
            }
}
END_TEST

/* Every element of [2,3,4,5] has its own place, and axes of size 1 hold for all. */
START_TEST(test_explicit)
{
    for (int64_t batch = 1; batch <= 2; batch++)
        for (int64_t heads = 1; heads <= 3; heads += 2) {
            unsigned char allow[2 * 3 * 4 * 5] = {0};
            int64_t size = batch * heads * 20;
            for (int64_t at = 0; at < size; at++) {
                allow[at] = 7;
                ag_mask *mask = ag_mask_explicit(tape, batch, heads, 4, 5, allow);
                allow[at] = 0;
                for (int64_t e = 0; e < 120; e++) {
                    int64_t b = e / 60, h = e / 20 % 3, i = e / 5 % 4, j = e % 5;
                    int64_t own = (((batch == 1 ? 0 : b) * heads + (heads == 1 ? 0 : h)) * 4 + i) * 5 + j;
                    ck_assert_int_eq(ag_mask_allows(mask, b, h, i, j), own == at);
                }
            }
        }
}
END_TEST

START_TEST(test_arguments_are_copied)
{
    int32_t lengths[] = {2};
    unsigned char allow[] = {1, 0};
    ag_mask *keys = ag_mask_key_lengths(tape, 1, lengths), *explicit = ag_mask_explicit(tape, 1, 1, 1, 2, allow);
    lengths[0] = 0;
    allow[0] = 0;
    ck_assert(ag_mask_allows(keys, 0, 0, 0, 1));
    ck_assert(ag_mask_allows(explicit, 0, 0, 0, 0));
}
END_TEST

START_TEST(test_far_numbers)
{
    const int64_t far = INT64_MAX, low = INT64_MIN;
    ck_assert(ag_mask_allows(ag_mask_causal(tape, far), 0, 0, 5, 1000));
    ck_assert(!ag_mask_allows(ag_mask_causal(tape, low), 0, 0, 5, 0));
    ck_assert(ag_mask_allows(ag_mask_window(tape, far, far), 0, 0, 5, 1000));
    ck_assert(!ag_mask_allows(ag_mask_window(tape, low, far), 0, 0, 5, 1000));
    ck_assert(!ag_mask_allows(ag_mask_window(tape, far, low), 0, 0, 5, 0));
    ck_assert(ag_mask_allows(ag_mask_prefix(tape, far), 0, 0, 0, far - 1));

    /* Places that a mask does not have are forbidden, not read. */
    ag_mask *lengths = ag_mask_key_lengths(tape, 1, (int32_t[]){3});
    ag_mask *explicit = ag_mask_explicit(tape, 2, 1, 1, 1, (unsigned char[]){1, 1});
    ck_assert(!ag_mask_allows(lengths, 1, 0, 0, 0));
    ck_assert(!ag_mask_allows(lengths, -1, 0, 0, 0));
    ck_assert(ag_mask_allows(explicit, 1, 9, 0, 0));
    ck_assert(!ag_mask_allows(explicit, 2, 0, 0, 0));
    ck_assert(!ag_mask_allows(explicit, 0, 0, 1, 0));
    ck_assert(!ag_mask_allows(explicit, 0, 0, 0, 1));
    ck_assert(!ag_mask_allows(explicit, 0, 0, 0, -1));
    ck_assert(!ag_mask_allows(explicit, -1, 0, 0, 0));
}
END_TEST

/* ---- Algebra, rows and ranges ------------------------------------------------------ */

START_TEST(test_truth_tables)
{
    for (int x = 0; x <= 1; x++)
        for (int y = 0; y <= 1; y++) {
            ag_mask *a = ag_mask_prefix(tape, x), *b = ag_mask_prefix(tape, y);
            ck_assert_int_eq(ag_mask_allows(ag_mask_and(tape, a, b), 0, 0, 0, 0), x && y);
            ck_assert_int_eq(ag_mask_allows(ag_mask_or(tape, a, b), 0, 0, 0, 0), x || y);
            ck_assert_int_eq(ag_mask_allows(ag_mask_not(tape, a), 0, 0, 0, 0), !x);
        }
}
END_TEST

/* The row, its range and its keys as they follow from `wanted` [keys]. */
static void check_row(const ag_mask *mask, mask_query query, int64_t keys, const unsigned char *wanted)
{
    unsigned char allow[1000], room[1000];
    int64_t first = -1, last = -1, count = 0, begin, end;
    mask_row(mask, query, 0, keys, allow);
    bool whole = mask_range(mask, query, keys, &begin, &end);
    attention_keys found = mask_keys(mask, query, keys, room);

    for (int64_t j = 0; j < keys; j++) {
        if (allow[j] != wanted[j] || ag_mask_allows(mask, query.b, query.h, query.i, j) != (bool)wanted[j])
            ck_abort_msg("key %lld of query %lld is not %d", (long long)j, (long long)query.i, wanted[j]);
        if ((j >= found.begin && j < found.end && (!found.allow || found.allow[j])) != (bool)wanted[j])
            ck_abort_msg("key %lld of query %lld is not %d among its keys", (long long)j, (long long)query.i,
                         wanted[j]);
        if (!wanted[j])
            continue;
        first = first < 0 ? j : first;
        last = j;
        count++;
    }
    ck_assert_int_eq(begin, count ? first : 0);
    ck_assert_int_eq(end, count ? last + 1 : 0);
    ck_assert_int_eq(whole, end - begin == count);
    ck_assert_int_eq(found.begin, begin);
    ck_assert_int_eq(found.end, end);
    ck_assert_int_eq(found.allow != NULL, !whole);
}

START_TEST(test_drawn_trees)
{
    ag_rng rng = ag_rng_make(20, 1);
    int kinds[TREE_KINDS] = {0};
    for (int draw = 0; draw < 1000; draw++) {
        static mask_tree tree;
        int64_t batch = 1 + (int64_t)ag_rng_below(&rng, TREE_BATCH),
                heads = 1 + (int64_t)ag_rng_below(&rng, TREE_HEADS);
        int64_t queries = (int64_t)ag_rng_below(&rng, TREE_QUERIES + 1),
                keys = (int64_t)ag_rng_below(&rng, TREE_KEYS + 1);
        mask_tree_draw(&tree, &rng, batch, heads, queries, keys, kinds);
        ag_mask *mask = mask_tree_build(&tree, tape);
        ck_assert_ptr_nonnull(mask);
        ck_assert_int_eq(ag_mask_fits(mask, batch, heads, queries, keys, NULL), AG_OK);
        for (int64_t row = 0; row < batch * heads * queries; row++) {
            mask_query query = {row / queries / heads, row / queries % heads, row % queries};
            unsigned char expected[TREE_KEYS];
            for (int64_t j = 0; j < keys; j++)
                expected[j] = mask_tree_allows(&tree, query.b, query.h, query.i, j);
            check_row(mask, query, keys, expected);
        }
        ag_tape_rewind(tape);
    }
    for (int kind = 0; kind < TREE_KINDS; kind++)
        ck_assert_int_ge(kinds[kind], 100);
}
END_TEST

/* Rows longer than the pieces in which they are worked on. */
START_TEST(test_long_rows)
{
    enum { KEYS = 900 };
    unsigned char allow[KEYS], expected[KEYS];
    for (int64_t length = 250; length < 262; length++)
        for (int pattern = 0; pattern < 3; pattern++) {
            for (int64_t j = 0; j < KEYS; j++)
                allow[j] = (unsigned char)(pattern == 0   ? j % 3 != 0
                                           : pattern == 1 ? j < length
                                                          : j >= length && j != 600);
            ag_mask *array = ag_mask_explicit(tape, 1, 1, 1, KEYS, allow);
            check_row(array, (mask_query){0, 0, 0}, KEYS, allow);
            ag_mask *mask = ag_mask_and(tape, ag_mask_or(tape, array, ag_mask_prefix(tape, 10)),
                                        ag_mask_not(tape, ag_mask_window(tape, -length, 2 * length)));
            for (int64_t j = 0; j < KEYS; j++)
                expected[j] = (allow[j] || j < 10) && !(length <= j && j <= 2 * length);
            check_row(mask, (mask_query){0, 0, 0}, KEYS, expected);
        }
}
END_TEST

/* Causal, padding and window masks are intervals without any look at single keys,
 * together too: a row of 2^60 keys. */
START_TEST(test_intervals_cost_nothing)
{
    const int64_t keys = (int64_t)1 << 60;
    int64_t begin, end;
    ag_mask *mask = ag_mask_and(tape, ag_mask_key_lengths(tape, 1, (int32_t[]){1000}),
                                ag_mask_or(tape, ag_mask_causal(tape, -3), ag_mask_prefix(tape, 5)));
    ck_assert(mask_range(mask, (mask_query){0, 0, 500}, keys, &begin, &end));
    ck_assert_int_eq(begin, 0);
    ck_assert_int_eq(end, 498);
    mask = ag_mask_and(tape, ag_mask_not(tape, ag_mask_causal(tape, 0)), ag_mask_window(tape, 4, 4));
    ck_assert(mask_range(mask, (mask_query){0, 0, 500}, keys, &begin, &end));
    ck_assert_int_eq(begin, 501);
    ck_assert_int_eq(end, 505);
    mask = ag_mask_and(tape, ag_mask_not(tape, ag_mask_prefix(tape, 5)), ag_mask_not(tape, ag_mask_causal(tape, 0)));
    ck_assert(mask_range(mask, (mask_query){0, 0, 500}, keys, &begin, &end));
    ck_assert_int_eq(begin, 501);
    ck_assert_int_eq(end, keys);
}
END_TEST

/* ---- The additive bias ------------------------------------------------------------- */

START_TEST(test_bias_forbids)
{
    ag_shape scores = AG_SHAPE(2, 2, 3, 4);
    ag_shape shapes[] = {AG_SHAPE(2, 2, 3, 4), AG_SHAPE(3, 4), AG_SHAPE(2, 1, 1, 4), AG_SHAPE(2, 3, 1), AG_SCALAR};
    for (int s = 0; s < 5; s++) {
        ag_tensor *bias = ag_constant(tape, shapes[s], NULL);
        const ag_mask *causal = ag_mask_causal(tape, 0), *mask = causal, *none = NULL;
        ck_assert(mask_without_bias(&mask, bias, scores));
        ck_assert_ptr_eq(mask, causal);
        for (int64_t e = 0; e < bias->size; e += 2)
            bias->data[e] = -(ag_real)HUGE_VAL;
        ck_assert(mask_without_bias(&mask, bias, scores) && mask_without_bias(&none, bias, scores));
        for (int64_t row = 0; row < 12; row++) {
            unsigned char allowed[4], both[4];
            int64_t at[4] = {row / 6, row / 3 % 2, row % 3, 0};
            for (at[3] = 0; at[3] < 4; at[3]++) {
                int64_t e = 0;
                for (int axis = 0; axis < shapes[s].ndim; axis++) {
                    int64_t size = shapes[s].dim[axis];
                    e = e * size + (size == 1 ? 0 : at[4 - shapes[s].ndim + axis]);
                }
                allowed[at[3]] = e % 2 != 0;
                both[at[3]] = allowed[at[3]] && at[3] <= at[2];
            }
            check_row(none, (mask_query){at[0], at[1], at[2]}, 4, allowed);
            check_row(mask, (mask_query){at[0], at[1], at[2]}, 4, both);
        }
    }
}
END_TEST

/* ---- Printing, fitting, errors ----------------------------------------------------- */

START_TEST(test_print)
{
    char text[64];
    ag_mask *mask = ag_mask_causal(tape, 1);
    const char *whole = "##..\n###.\n####\n";
    ck_assert_uint_eq(ag_mask_print(mask, 0, 0, 3, 4, text, sizeof text), 15);
    ck_assert_str_eq(text, whole);
    ck_assert_uint_eq(ag_mask_print(mask, 0, 0, 3, 4, NULL, 0), 15);
    for (size_t size = 1; size <= 17; size++) {
        memset(text, 'x', sizeof text);
        ck_assert_uint_eq(ag_mask_print(mask, 0, 0, 3, 4, text, size), 15);
        ck_assert_uint_eq(strlen(text), size - 1 < 15 ? size - 1 : 15);
        ck_assert_int_eq(strncmp(text, whole, size - 1), 0);
        ck_assert_int_eq(text[size], 'x');
    }
    ck_assert_uint_eq(ag_mask_print(NULL, 0, 0, 1, 2, text, sizeof text), 3);
    ck_assert_str_eq(text, "##\n");
    ck_assert_uint_eq(ag_mask_print(mask, 0, 0, 0, 4, text, sizeof text), 0);
    ck_assert_str_eq(text, "");
}
END_TEST

/* Each batch row and head has its own picture. */
START_TEST(test_print_by_head)
{
    const unsigned char allow[] = {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1};
    static const char *const pictures[] = {"#.\n..\n", ".#\n..\n", "..\n#.\n", "..\n.#\n"};
    ag_mask *mask = ag_mask_explicit(tape, 2, 2, 2, 2, allow);
    char text[16];
    for (int pair = 0; pair < 4; pair++) {
        ck_assert_uint_eq(ag_mask_print(mask, pair / 2, pair % 2, 2, 2, text, sizeof text), 6);
        ck_assert_str_eq(text, pictures[pair]);
    }
}
END_TEST

/* Every kind of mask, and rows longer than what is worked on at once, as ag_mask_allows
 * says. */
START_TEST(test_print_is_what_it_allows)
{
    enum { QUERIES = 5, KEYS = 700 };
    static char text[QUERIES * (KEYS + 1) + 1];
    const ag_mask *masks[] = {
        NULL,
        ag_mask_all(tape),
        ag_mask_causal(tape, 254),
        ag_mask_key_lengths(tape, 1, (int32_t[]){513}),
        ag_mask_query_lengths(tape, 1, (int32_t[]){2}),
        ag_mask_window(tape, 1, 300),
        ag_mask_prefix(tape, 256),
        ag_mask_and(tape, ag_mask_not(tape, ag_mask_prefix(tape, 255)), ag_mask_causal(tape, 600)),
        ag_mask_or(tape, ag_mask_prefix(tape, 3), ag_mask_not(tape, ag_mask_causal(tape, 512))),
    };
    for (size_t m = 0; m < sizeof masks / sizeof *masks; m++) {
        ck_assert_uint_eq(ag_mask_print(masks[m], 0, 0, QUERIES, KEYS, text, sizeof text), sizeof text - 1);
        for (int64_t i = 0; i < QUERIES; i++) {
            for (int64_t j = 0; j < KEYS; j++)
                ck_assert_int_eq(text[i * (KEYS + 1) + j], ag_mask_allows(masks[m], 0, 0, i, j) ? '#' : '.');
            ck_assert_int_eq(text[i * (KEYS + 1) + KEYS], '\n');
        }
    }
}
END_TEST

static void check_misfit(const ag_mask *mask, const char *sentence)
{
    ag_error error = {0};
    ck_assert_int_eq(ag_mask_fits(mask, 2, 3, 4, 5, &error), AG_BAD_SHAPE);
    ck_assert_str_eq(error.message, sentence);
}

START_TEST(test_fits)
{
    unsigned char allow[2 * 3 * 4 * 5] = {0};
    const int32_t lengths[3] = {1, 2, 3};
    ag_mask *three = ag_mask_key_lengths(tape, 3, lengths);
    check_misfit(three, "a mask of key lengths for 3 batch rows on scores [2,3,4,5], which have 2");
    check_misfit(ag_mask_query_lengths(tape, 1, lengths),
                 "a mask of query lengths for 1 batch row on scores [2,3,4,5], which have 2");
    check_misfit(ag_mask_explicit(tape, 1, 2, 4, 5, allow),
                 "an explicit mask [1,2,4,5] on scores [2,3,4,5] (only its batch and heads may be 1 instead)");
    check_misfit(ag_mask_explicit(tape, 1, 1, 5, 4, allow),
                 "an explicit mask [1,1,5,4] on scores [2,3,4,5] (only its batch and heads may be 1 instead)");
    check_misfit(ag_mask_explicit(tape, 1, 1, 1, 5, allow),
                 "an explicit mask [1,1,1,5] on scores [2,3,4,5] (only its batch and heads may be 1 instead)");
    check_misfit(ag_mask_and(tape, ag_mask_all(tape), ag_mask_not(tape, three)),
                 "a mask of key lengths for 3 batch rows on scores [2,3,4,5], which have 2");

    ck_assert_int_eq(ag_mask_fits(NULL, 2, 3, 4, 5, NULL), AG_OK);
    ck_assert_int_eq(ag_mask_fits(ag_mask_key_lengths(tape, 2, lengths), 2, 3, 4, 5, NULL), AG_OK);
    ck_assert_int_eq(ag_mask_fits(ag_mask_explicit(tape, 2, 1, 4, 5, allow), 2, 3, 4, 5, NULL), AG_OK);
    ck_assert_int_eq(ag_mask_fits(ag_mask_explicit(tape, 1, 3, 4, 5, allow), 2, 3, 4, 5, NULL), AG_OK);
    ck_assert_int_eq(ag_mask_fits(ag_mask_causal(tape, 100), 2, 3, 4, 5, NULL), AG_OK);
}
END_TEST

/* `mask` was refused with this sentence on the tape. */
static void check_refused(const ag_mask *mask, ag_status status, const char *sentence)
{
    ck_assert_ptr_null(mask);
    ck_assert_int_eq(ag_tape_error(tape)->status, status);
    ck_assert_str_eq(ag_tape_error(tape)->message, sentence);
    ag_tape_rewind(tape);
}

START_TEST(test_refused)
{
    const int32_t lengths[] = {3, -1};
    check_refused(ag_mask_prefix(tape, -2), AG_BAD_VALUE, "mask: a prefix of -2 keys: the length is 0 or more");
    check_refused(ag_mask_key_lengths(tape, 2, lengths), AG_BAD_VALUE,
                  "mask: the key length of batch row 1 is -1: it is 0 or more");
    check_refused(ag_mask_query_lengths(tape, 2, NULL), AG_BAD_VALUE,
                  "mask: query lengths of 2 batch rows, but none given");
    check_refused(ag_mask_query_lengths(tape, -2, lengths), AG_BAD_VALUE,
                  "mask: query lengths of -2 batch rows: the count is 0 or more");
    check_refused(ag_mask_explicit(tape, 1, 1, -1, 2, NULL), AG_BAD_SHAPE,
                  "mask: an explicit mask [1,1,-1,2] cannot be: sizes are 0 or more, and fit into memory");
    check_refused(ag_mask_explicit(tape, 1, 1, 2, 2, NULL), AG_BAD_VALUE,
                  "mask: an explicit mask [1,1,2,2] was given no values");
    check_refused(ag_mask_and(tape, ag_mask_all(tape), NULL), AG_BAD_VALUE, "mask: 'and' was given NULL");
    check_refused(ag_mask_or(tape, NULL, ag_mask_all(tape)), AG_BAD_VALUE, "mask: 'or' was given NULL");
    check_refused(ag_mask_not(tape, NULL), AG_BAD_VALUE, "mask: 'not' was given NULL");
    ck_assert_ptr_null(ag_mask_all(NULL));
    ck_assert_ptr_null(ag_mask_not(NULL, NULL));
    ck_assert_ptr_null(ag_mask_key_lengths(NULL, 1, lengths));
}
END_TEST

/* A mask of itself and itself, again and again, would take for ever; the depth of a long
 * chain would be a danger, too. */
START_TEST(test_expressions_end)
{
    ag_mask *mask = ag_mask_all(tape);
    int doubled = 0;
    for (; mask && doubled < 100; doubled++)
        mask = ag_mask_and(tape, mask, mask);
    ck_assert_int_eq(doubled, 8);
    check_refused(mask, AG_BAD_VALUE,
                  "mask: 'and' would make an expression of 511 parts, more than 256 (an explicit mask "
                  "holds any)");
    mask = ag_mask_prefix(tape, 1);
    for (int n = 0; n < 255; n++)
        mask = ag_mask_not(tape, mask);
    ck_assert(!ag_mask_allows(mask, 0, 0, 0, 0) && ag_mask_allows(mask, 0, 0, 0, 1));
    check_refused(ag_mask_not(tape, mask), AG_BAD_VALUE,
                  "mask: 'not' would make an expression of 257 parts, more than 256 (an explicit mask holds any)");
}
END_TEST

START_TEST(test_out_of_memory)
{
    static unsigned char allow[1 << 20];
    test_fail_allocation(1);
    ck_assert_ptr_null(ag_mask_explicit(tape, 1, 1, 1 << 10, 1 << 10, allow));
    ck_assert_int_eq(ag_tape_error(tape)->status, AG_NO_MEMORY);
    ag_tape_rewind(tape);
    ck_assert_ptr_nonnull(ag_mask_explicit(tape, 1, 1, 1 << 10, 1 << 10, allow));
}
END_TEST

static Suite *mask_suite(void)
{
    Suite *suite = suite_create("mask");
    TCase *tests = tcase_create("mask");
    tcase_add_checked_fixture(tests, tape_set_up, tape_tear_down);
    tcase_add_test(tests, test_simple_constructors);
    tcase_add_test(tests, test_explicit);
    tcase_add_test(tests, test_arguments_are_copied);
    tcase_add_test(tests, test_far_numbers);
    tcase_add_test(tests, test_truth_tables);
    tcase_add_test(tests, test_drawn_trees);
    tcase_add_test(tests, test_long_rows);
    tcase_add_test(tests, test_intervals_cost_nothing);
    tcase_add_test(tests, test_bias_forbids);
    tcase_add_test(tests, test_print);
    tcase_add_test(tests, test_print_by_head);
    tcase_add_test(tests, test_print_is_what_it_allows);
    tcase_add_test(tests, test_fits);
    tcase_add_test(tests, test_refused);
    tcase_add_test(tests, test_expressions_end);
    tcase_add_test(tests, test_out_of_memory);
    suite_add_tcase(suite, tests);
    return suite;
}

TEST_MAIN(mask_suite)
