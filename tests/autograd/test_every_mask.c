/* test_every_mask.c - each of the 2^(T S) masks of T queries and S keys up to 3: outputs
 * and gradients against three loops in double, exact zeros, and that what is forbidden is
 * never read; fused and plain. */
#include "attention_util.h"

#include <math.h>
#include <string.h>

enum { KEY_WIDTH = 2, VALUE_WIDTH = 3, MASKS = 2 + 2 * 4 + 2 * 8 + 16 + 2 * 64 + 512 };

static result fused, plain, fused_before, plain_before;

/* ---- The masks --------------------------------------------------------------------- */

/* Each pair of batch row and head has a mask of its own, which all masks come by; pair 0
 * has `bits` itself. */
static unsigned bits_of(unsigned bits, int64_t pair)
{
    const int64_t all = (int64_t)1 << given.queries * given.keys;
    return (unsigned)((bits + pair * 5) % all);
}

/* Bit i * S + j of the pair's number. */
static bool bit_allows(const void *bits, int64_t b, int64_t h, int64_t i, int64_t j)
{
    return bits_of(*(const unsigned *)bits, b * given.heads + h) >> (i * given.keys + j) & 1;
}

/* Calls `check` for each mask on fresh numbers. */
static void for_every_mask(int64_t batch, int64_t heads, void (*check)(unsigned bits))
{
    int masks = 0;
    for (int64_t queries = 1; queries <= 3; queries++)
        for (int64_t keys = 1; keys <= 3; keys++)
            for (unsigned bits = 0; bits < 1u << queries * keys; bits++, masks++) {
                attention_begin(batch, heads, queries, keys, KEY_WIDTH, VALUE_WIDTH, 9 + bits);
                attention_set_mask(attention_array, bit_allows, &bits);
                check(bits);
            }
    ck_assert_int_eq(masks, MASKS);
}

/* ---- Against the loops ------------------------------------------------------------- */

static bool is_zero(const ag_real *x, int64_t row, int64_t width)
{
    for (int64_t c = 0; c < width; c++)
        if (x[row * width + c] != 0)
            return false;
    return true;
}

/* Queries that see nothing have output 0, and no others; values that no query sees have
 * gradient 0, and no others. Both have no other gradients either (nor has a query with
 * one key alone, or the key of such queries). */
static void check_zeros(const result *found)
{
    for (int64_t pair = 0; pair < attention_pairs(); pair++) {
        unsigned seen = 0;
        for (int64_t i = 0; i < given.queries; i++) {
            const int64_t row = pair * given.queries + i;
            unsigned sees = 0;
            for (int64_t j = 0; j < given.keys; j++)
                sees |= (unsigned)given.allows(given.mask_context, pair / given.heads, pair % given.heads, i, j) << j;
            ck_assert_int_eq(is_zero(found->y, row, VALUE_WIDTH), sees == 0);
            ck_assert(sees || is_zero(found->dq, row, KEY_WIDTH));
            seen |= sees;
        }
        for (int64_t j = 0; j < given.keys; j++) {
            const int64_t key = pair * given.keys + j;
            ck_assert((seen >> j & 1) || is_zero(found->dk, key, KEY_WIDTH));
            ck_assert_int_eq(is_zero(found->dv, key, VALUE_WIDTH), !(seen >> j & 1));
        }
    }
}

/* A finite bias has no gradient where the mask forbids. */
static void check_bias_zeros(const result *found, unsigned bits)
{
    for (int64_t e = 0; given.has_bias && e < given.queries * given.keys; e++)
        ck_assert((bits >> e & 1) || found->dbias[e] == 0);
}

static void check_against_loops(unsigned bits)
{
    attention_both(&fused, &plain);
    check_zeros(&fused);
    check_zeros(&plain);
    check_bias_zeros(&fused, bits);
    check_bias_zeros(&plain, bits);
}

static void check_with_bias(unsigned bits)
{
    attention_begin_bias(AG_SHAPE(given.queries, given.keys), 100 + bits);
    check_against_loops(bits);
}

START_TEST(test_masks)
{
    for_every_mask(1, 1, check_against_loops);
}
END_TEST

START_TEST(test_masks_by_head)
{
    for_every_mask(2, 2, check_against_loops);
}
END_TEST

START_TEST(test_masks_beside_a_bias)
{
    for_every_mask(1, 1, check_with_bias);
}
END_TEST

/* The mask as a bias of -inf, beside finite numbers: the same bits as the mask beside
 * these numbers. */
static void check_infinite_bias(unsigned bits)
{
    attention_begin_bias(AG_SHAPE(given.queries, given.keys), 100 + bits);
    attention_compute(false, 1, &fused_before);
    attention_compute(true, 1, &plain_before);
    attention_set_mask(NULL, NULL, NULL);
    for (int64_t e = 0; e < given.queries * given.keys; e++)
        if (!(bits >> e & 1))
            given.bias[e] = -(ag_real)INFINITY;
    attention_both(&fused, &plain);
    attention_same(&fused, &fused_before);
    attention_same(&plain, &plain_before);
}

START_TEST(test_masks_as_biases)
{
    for_every_mask(1, 1, check_infinite_bias);
}
END_TEST

/* ---- Forbidden keys are not read --------------------------------------------------- */

/* Key and value j hold `poison`: the outputs of the queries that do not see them keep
 * their bits, and in the fused form these queries' gradients, too. If no query sees them,
 * nothing at all changes. */
static void check_poison(unsigned bits, int64_t j, ag_real poison)
{
    unsigned see = 0; /* queries that see key j */
    for (int64_t i = 0; i < given.queries; i++)
        see |= (bits >> (i * given.keys + j) & 1) << i;
    for (int64_t c = 0; c < KEY_WIDTH; c++)
        given.k[j * KEY_WIDTH + c] = poison;
    for (int64_t c = 0; c < VALUE_WIDTH; c++)
        given.v[j * VALUE_WIDTH + c] = poison;
    attention_compute(false, 1, &fused);
    attention_compute(true, 1, &plain);
    for (int64_t i = 0; i < given.queries; i++) {
        const int64_t y = i * VALUE_WIDTH, dq = i * KEY_WIDTH;
        const bool sees = see >> i & 1;
        ck_assert(sees || attention_bits(fused.y + y, fused_before.y + y, VALUE_WIDTH));
        ck_assert(sees || attention_bits(plain.y + y, plain_before.y + y, VALUE_WIDTH));
        ck_assert(sees || attention_bits(fused.dq + dq, fused_before.dq + dq, KEY_WIDTH));
        ck_assert(!sees || !isnan(poison) || (isnan(fused.y[y]) && isnan(plain.y[y]))); /* it can be seen */
    }
    if (!see)
        attention_same(&fused, &fused_before);
}

static void check_poisons(unsigned bits)
{
    static const ag_real poisons[] = {(ag_real)NAN, (ag_real)INFINITY, -(ag_real)INFINITY};
    static problem kept;
    attention_compute(false, 1, &fused_before);
    attention_compute(true, 1, &plain_before);
    kept = given;
    for (int64_t j = 0; j < given.keys; j++)
        for (int p = 0; p < 3; p++) {
            check_poison(bits, j, poisons[p]);
            given = kept;
        }
}

START_TEST(test_forbidden_is_not_read)
{
    for_every_mask(1, 1, check_poisons);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("every_mask");
    TCase *c = tcase_create("every_mask");
    tcase_set_timeout(c, 120);
    tcase_add_test(c, test_masks);
    tcase_add_test(c, test_masks_by_head);
    tcase_add_test(c, test_masks_beside_a_bias);
    tcase_add_test(c, test_masks_as_biases);
    tcase_add_test(c, test_forbidden_is_not_read);
    suite_add_tcase(s, c);
    return s;
}

TEST_MAIN(suite)
