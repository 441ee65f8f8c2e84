/* test_attention.c - attention, fused and plain, against three loops in long double; its
 * dropout, memory and errors. */
#include "attention_util.h"

#include <math.h>
#include <string.h>

static result fused, plain, other;

/* ---- Against the reference --------------------------------------------------------- */

START_TEST(test_reference_sizes)
{
    static const int64_t offsets[] = {0, -1, -2};
    for (int layouts = 0; layouts < 2; layouts++)
        for (int mask = 0; mask < 4; mask++) {
            attention_begin(5, 2, 4, 3, 6, 6, 100);
            given.split = layouts;
            if (mask)
                attention_set_mask(attention_causal, attention_causal_allows, &offsets[mask - 1]);
            attention_both(&fused, &plain);
        }
}
END_TEST

/* Drawn combinations of sizes, layouts, masks, biases with elements of -inf, scales and
 * dropout. */
START_TEST(test_reference_drawn)
{
    ag_rng rng = ag_rng_make(7, 7);
    int kinds[TREE_KINDS] = {0};
    for (int draw = 0; draw < 400; draw++) {
        static mask_tree tree;
        int64_t batch = 1 + (int64_t)ag_rng_below(&rng, 3), heads = 1 + (int64_t)ag_rng_below(&rng, 3);
        int64_t queries = 1 + (int64_t)ag_rng_below(&rng, 12), keys = 1 + (int64_t)ag_rng_below(&rng, 12);
        attention_begin(batch, heads, queries, keys, 1 + (int64_t)ag_rng_below(&rng, 20),
                        1 + (int64_t)ag_rng_below(&rng, 20), 1000 + (uint64_t)draw);
        given.split = ag_rng_below(&rng, 2);
        given.scale = ag_rng_below(&rng, 2) ? 0.1 + 0.4 * ag_rng_uniform(&rng) : 0;
        given.dropout = ag_rng_below(&rng, 2) ? 0 : 0.25;
        if (ag_rng_below(&rng, 4)) {
            mask_tree_draw(&tree, &rng, batch, heads, queries, keys, kinds);
            attention_set_mask(attention_tree, attention_tree_allows, &tree);
        }
        if (ag_rng_below(&rng, 2)) {
            ag_shape scores = AG_SHAPE(batch, heads, queries, keys), shape = {.ndim = (int)ag_rng_below(&rng, 5)};
            for (int axis = 0; axis < shape.ndim; axis++)
                shape.dim[axis] = ag_rng_below(&rng, 3) ? scores.dim[4 - shape.ndim + axis] : 1;
            attention_begin_bias(shape, 5000 + (uint64_t)draw);
            if (ag_rng_below(&rng, 2))
                for (int64_t e = 0; e < ag_shape_size(shape); e++)
                    given.bias[e] = ag_rng_below(&rng, 3) ? given.bias[e] : -(ag_real)INFINITY;
        }
        attention_both(&fused, &plain);
    }
    for (int kind = 0; kind < TREE_KINDS; kind++)
        ck_assert_int_ge(kinds[kind], 20);
}
END_TEST

/* Masks that leave tiles out, cut through them, and make holes in them; by number. */
enum { BORDER_MASKS = 7 };

static bool border_allows(const void *context, int64_t b, int64_t h, int64_t i, int64_t j)
{
    switch (*(const int *)context) {
    case 0:
        return true;
    case 1:
        return j <= i;
    case 2:
        return j > i + 3;
    case 3:
        return j >= i - 40 && j <= i + 20; /* a window */
    case 4:
        return j < given.keys / 2 + 7 * b || j <= i; /* a prefix */
    case 5:
        return (i + 3 * j + h) % 5 < 2 && i % 17 != 4;
    default:
        return j == (i * 37 + 11) % given.keys || j > given.keys - 4; /* far apart */
    }
}

/* Lengths around the borders of tiles: of registers, of queries, of keys. */
START_TEST(test_tile_borders)
{
    static const int64_t lengths[] = {1, 6, 7, 12, 13, 31, 32, 33, 95, 96, 97, 127, 128, 129, 195, 259};
    static const int64_t widths[] = {1, 3, 8, 16, 17, 31, 32, 33, 64};
    ag_rng rng = ag_rng_make(8, 8);
    for (int draw = 0; draw < 84; draw++) {
        int64_t queries = lengths[ag_rng_below(&rng, 16)], keys = lengths[ag_rng_below(&rng, 16)];
        int64_t heads = queries * keys < 20000 ? 2 : 1;
        int64_t key_width = widths[ag_rng_below(&rng, 9)], value_width = widths[ag_rng_below(&rng, 9)];
        attention_begin(1, heads, queries, keys, key_width, value_width, 3000 + (uint64_t)draw);
        given.split = ag_rng_below(&rng, 2);
        given.dropout = ag_rng_below(&rng, 3) ? 0 : 0.25;
        int mask = draw % BORDER_MASKS;
        attention_set_mask(attention_array, border_allows, &mask);
        if (ag_rng_below(&rng, 3) == 0)
            attention_begin_bias(AG_SHAPE(queries, keys), 6000 + (uint64_t)draw);
        attention_both(&fused, &plain);
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
        attention_begin(2, 2, 8, 5, 4, 4, 11);
        if (by_bias) {
            attention_begin_bias(AG_SHAPE(8, 1), 3);
            given.bias[3] = given.bias[7] = -(ag_real)INFINITY;
        } else {
            attention_set_mask(attention_array, not_every_fourth, NULL);
        }
        attention_both(&fused, &plain);
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
    attention_begin(2, 2, 3, 3, 4, 4, 12);
    attention_set_mask(attention_causal, attention_causal_allows, &offset);
    attention_compute(false, 1, &fused);
    attention_compute(true, 1, &plain);
    memset(&other, 0, sizeof other);
    attention_same(&fused, &other);
    attention_same(&plain, &other);
    ck_assert(fused.blind == 12 && plain.blind == 12);
}
END_TEST

/* Scores far beyond what the exponential takes. Powers of two, so that equal scores are
 * equal in float, too. */
START_TEST(test_large_scores)
{
    attention_begin(1, 1, 64, 64, 64, 64, 13);
    for (int64_t e = 0; e < 64 * 64; e++) {
        given.q[e] = given.q[e] > 0 ? 8192 : -8192;
        given.k[e] = given.k[e] > 0 ? 8192 : -8192;
        given.v[e] = given.v[e] > 0 ? 8192 : -8192;
    }
    given.scale = -1 / 0.0001;
    attention_reference();
    attention_compute(false, 1, &fused);
    attention_compute(true, 1, &plain);
    attention_near("y", fused.y, expected.y, 64 * 64, TOLERANCE);
    attention_near("y", plain.y, expected.y, 64 * 64, TOLERANCE);
    for (int64_t e = 0; e < 64 * 64; e++)
        ck_assert(isfinite(fused.dq[e]) && isfinite(fused.dk[e]) && isfinite(fused.dv[e]));
}
END_TEST

/* ---- Dropout ----------------------------------------------------------------------- */

START_TEST(test_dropout_ends)
{
    for (int is_plain = 0; is_plain < 2; is_plain++) {
        attention_begin(2, 2, 6, 7, 5, 4, 40);
        given.dropout = 1;
        attention_compute(is_plain, 1, &fused);
        memset(&other, 0, sizeof other);
        for (int64_t e = 0; e < MOST; e++)
            ck_assert(fused.y[e] == 0 && fused.dq[e] == 0 && fused.dk[e] == 0 && fused.dv[e] == 0);
        given.dropout = 1e-10;
        attention_reference();
        attention_compute(is_plain, 1, &fused);
        attention_compare(&fused, PRECISION(1e-9, 1e-6));
    }
}
END_TEST

/* Both forms use one place in the stream, so that what follows them draws the same. */
START_TEST(test_dropout_stream)
{
    ag_real next[2][8], seeds[2][6];
    for (int is_plain = 0; is_plain < 2; is_plain++) {
        ag_tape *tape = ag_tape_new(NULL);
        ag_tensor *ones = ag_constant(tape, AG_SHAPE(8), (ag_real[]){1, 1, 1, 1, 1, 1, 1, 1});
        ag_tensor *x = ag_constant(tape, AG_SHAPE(1, 3, 2), (ag_real[]){1, 2, 3, 4, 5, 6});
        ag_attention_options options = {.dropout = 0.5, .plain = is_plain};
        ag_tape_seed(tape, 3, 4);
        ck_assert_ptr_nonnull(ag_attention(x, x, x, &options));
        memcpy(next[is_plain], ag_dropout(ones, 0.5)->data, sizeof next[0]);
        memcpy(seeds[is_plain], ag_attention(x, x, x, &options)->data, sizeof seeds[0]);
        ag_tape_free(tape);
    }
    ck_assert(attention_bits(next[0], next[1], 8));
    for (int e = 0; e < 6; e++)
        ck_assert(fabs((double)(seeds[0][e] - seeds[1][e])) < 1e-5);
}
END_TEST

/* ---- The parts, and optional results ----------------------------------------------- */

START_TEST(test_weights)
{
    ag_tape *tape = ag_tape_new(NULL);
    attention_begin(2, 3, 4, 5, 6, 2, 50);
    const int32_t lengths[] = {3, 0};
    ag_tensor *weights = NULL, *q = attention_give(tape, given.q, 4, 6), *k = attention_give(tape, given.k, 5, 6),
              *v = attention_give(tape, given.v, 5, 2);
    ag_attention_options options = {
        .heads = 3, .mask = ag_mask_key_lengths(tape, 2, lengths), .dropout = 0.5, .weights = &weights};
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
    attention_begin(2, 2, 5, 5, 3, 3, 51);
    memcpy(given.k, given.q, sizeof given.k);
    memcpy(given.v, given.q, sizeof given.v);
    attention_reference();
    ag_tensor *x = attention_give(tape, given.q, 5, 3), *dy = attention_give(tape, given.dy, 5, 3);
    ag_attention_options options = {.heads = 2};
    ck_assert_int_eq(ag_backward_seeded(ag_attention(x, x, x, &options), dy->data), AG_OK);
    static ag_real dx[MOST];
    static exact sum[MOST];
    attention_take(x->grad, dx, 5, 3);
    for (int64_t e = 0; e < 60; e++)
        sum[e] = expected.dq[e] + expected.dk[e] + expected.dv[e];
    attention_near("dx", dx, sum, 60, 8 * TOLERANCE);
    ag_tape_free(tape);
}
END_TEST

/* Gradients for some inputs only. */
START_TEST(test_gradients_on_request)
{
    attention_begin(1, 1, 4, 5, 3, 2, 52);
    given.split = true;
    attention_reference();
    for (int wanted = 1; wanted < 8; wanted++) {
        ag_tape *tape = ag_tape_new(NULL);
        ag_real dq[12] = {0}, dk[15] = {0}, dv[10] = {0};
        ag_tensor *y = ag_attention(ag_leaf(tape, AG_SHAPE(1, 1, 4, 3), given.q, wanted & 1 ? dq : NULL),
                                    ag_leaf(tape, AG_SHAPE(1, 1, 5, 3), given.k, wanted & 2 ? dk : NULL),
                                    ag_leaf(tape, AG_SHAPE(1, 1, 5, 2), given.v, wanted & 4 ? dv : NULL), NULL);
        ck_assert_int_eq(ag_backward_seeded(y, given.dy), AG_OK);
        if (wanted & 1)
            attention_near("dq", dq, expected.dq, 12, 4 * TOLERANCE);
        if (wanted & 2)
            attention_near("dk", dk, expected.dk, 15, 4 * TOLERANCE);
        if (wanted & 4)
            attention_near("dv", dv, expected.dv, 10, 4 * TOLERANCE);
        ag_tape_free(tape);
    }
}
END_TEST

/* Inputs that are results themselves: their gradients begin in memory that has been used.
 * Nobody sees key 7. */
START_TEST(test_gradients_of_results)
{
    const int64_t offset = 0;
    for (int64_t queries = 0; queries <= 7; queries += 7) {
        ag_tape *tape = ag_tape_new(NULL);
        attention_begin(2, 2, queries, 8, 5, 5, 57);
        attention_set_mask(attention_causal, attention_causal_allows, &offset);
        attention_reference();
        for (int step = 0; step < 3; step++) {
            ag_tensor *leaf[3] = {attention_give(tape, given.q, queries, 5), attention_give(tape, given.k, 8, 5),
                                  attention_give(tape, given.v, 8, 5)};
            ag_tensor *q = ag_scale(leaf[0], 1), *k = ag_scale(leaf[1], 1), *v = ag_scale(leaf[2], 1);
            ag_attention_options attention = {.heads = 2, .mask = ag_mask_causal(tape, 0)};
            ag_tensor *y = ag_attention(q, k, v, &attention), *dy = attention_give(tape, given.dy, queries, 5);
            /* (scales that follow are undone first, and leave their buffers full) */
            for (int n = 0; n < 6; n++)
                y = ag_scale(y, 1);
            ck_assert_int_eq(ag_backward_seeded(y, dy->data), AG_OK);
            attention_take(leaf[0]->grad, fused.dq, queries, 5);
            attention_take(leaf[1]->grad, fused.dk, 8, 5);
            attention_take(leaf[2]->grad, fused.dv, 8, 5);
            attention_near("dq", fused.dq, expected.dq, 4 * queries * 5, 4 * TOLERANCE);
            attention_near("dk", fused.dk, expected.dk, 4 * 8 * 5, 4 * TOLERANCE);
            attention_near("dv", fused.dv, expected.dv, 4 * 8 * 5, 4 * TOLERANCE);
            ag_tape_rewind(tape);
        }
        ag_tape_free(tape);
    }
}
END_TEST

START_TEST(test_no_sizes)
{
    static const int64_t sizes[][6] = {
        {0, 2, 3, 4, 5, 6}, {2, 2, 0, 4, 5, 6}, {2, 2, 3, 0, 5, 6}, {2, 2, 3, 4, 5, 0}, {1, 1, 0, 0, 1, 1}};
    for (int s = 0; s < 5; s++)
        for (int form = 0; form < 4; form++) {
            attention_begin(sizes[s][0], sizes[s][1], sizes[s][2], sizes[s][3], sizes[s][4], sizes[s][5], 53);
            given.split = form & 1;
            static const int64_t offset = 0;
            attention_set_mask(attention_causal, attention_causal_allows, &offset);
            attention_begin_bias(AG_SHAPE(sizes[s][2], sizes[s][3]), 54);
            attention_compute(form & 2, 2, &fused);
            for (int64_t e = 0; s == 2 && e < 2 * 2 * 3 * 6; e++)
                ck_assert(fused.y[e] == 0);
        }
}
END_TEST

/* Forward and backward over 4096 x 4096 scores, in far less memory than these would
 * take. */
START_TEST(test_memory_is_linear)
{
    static const int64_t offset = 0;
    attention_begin(1, 1, 4096, 4096, 8, 8, 54);
    given.mask = attention_causal;
    given.mask_context = &offset;
    attention_compute(false, 2, &fused);
    ck_assert_uint_lt(fused.bytes, (size_t)4096 * 4096 * sizeof(ag_real) / 4);
}
END_TEST

START_TEST(test_steps_allocate_nothing)
{
    ag_tape *tape = ag_tape_new(NULL);
    attention_begin(2, 2, 9, 9, 4, 4, 55);
    for (int step = 0; step < 3; step++) {
        int64_t before = test_allocations(); /* (an assertion allocates, so there is none until the count is taken) */
        ag_tensor *x = ag_variable(tape, attention_layout(9, 4), given.q);
        ag_attention_options options = {.heads = 2, .mask = ag_mask_causal(tape, 0), .dropout = 0.1};
        ag_status status = ag_backward_seeded(ag_attention(x, x, x, &options), given.q);
        ag_tape_rewind(tape);
        int64_t allocations = test_allocations() - before;
        ck_assert_int_eq(status, AG_OK);
        ck_assert_int_eq(allocations > 0, step == 0);
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
            attention_begin(2, 2, 64, 64, 32, 32, 56);
            test_fail_allocation(n);
            ag_tensor *x = ag_variable(tape, attention_layout(64, 32), NULL);
            ag_tensor *bias = ag_variable(tape, AG_SHAPE(64, 64), given.k);
            ag_attention_options options = {
                .heads = 2, .mask = ag_mask_causal(tape, 0), .bias = bias, .dropout = 0.1, .plain = is_plain};
            ag_tensor *y = ag_attention(x, x, x, &options);
            ag_status status = y ? ag_backward_seeded(y, given.dy) : ag_tape_error(tape)->status;
            bool failed = status != AG_OK;
            test_fail_allocation(0);
            if (failed)
                ck_assert_int_eq(status, AG_NO_MEMORY);
            ag_tape_rewind(tape);
            x = attention_give(tape, given.q, 64, 32);
            ck_assert_ptr_nonnull(ag_attention(x, x, x, NULL));
            ag_tape_free(tape);
            if (!failed) {
                ck_assert_int_gt(n, 3);
                break;
            }
        }
}
END_TEST

/* ---- Errors ------------------------------------------------------------------------ */

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
        {q,
         k,
         AG_SHAPE(2, 5, 9),
         {.heads = 2},
         "attention: q [2,3,8], k [2,5,8], v [2,5,9]: 2 heads do not divide the width 9"},
        {q,
         AG_SHAPE(2, 5, 6),
         k,
         {.heads = 2},
         "attention: q [2,3,8], k [2,5,6], v [2,5,8]: queries of width 8 and keys of width 6 differ"},
        {q, k, AG_SHAPE(2, 4, 8), {.heads = 2}, "attention: q [2,3,8], k [2,5,8], v [2,4,8]: 5 keys have 4 values"},
        {q, AG_SHAPE(1, 5, 8), k, {.heads = 2}, "attention: q [2,3,8], k [1,5,8], v [2,5,8]: the batch sizes differ"},
        {AG_SHAPE(3, 8),
         k,
         k,
         {.heads = 2},
         "attention: q [3,8], k [2,5,8], v [2,5,8]: all have 3 axes [batch, length, heads*width] or all have 4 "
         "[batch, heads, length, width]"},
        {AG_SHAPE(2, 2, 3, 8),
         AG_SHAPE(2, 1, 5, 8),
         AG_SHAPE(2, 2, 5, 8),
         {0},
         "attention: q [2,2,3,8], k [2,1,5,8], v [2,2,5,8]: the numbers of heads differ"},
        {AG_SHAPE(2, 2, 3, 8),
         AG_SHAPE(2, 2, 5, 8),
         AG_SHAPE(2, 2, 5, 8),
         {.heads = 4},
         "attention: q [2,2,3,8], k [2,2,5,8], v [2,2,5,8]: option heads is 4, but the inputs have 2 heads"},
        {q, k, k, {.heads = -1}, "attention: q [2,3,8], k [2,5,8], v [2,5,8]: option heads is -1, below 0"},
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
        ag_attention_options options = {.heads = 2, .plain = is_plain};
        options.mask = ag_mask_key_lengths(tape, 1, (int32_t[]){2});
        ck_assert_ptr_null(ag_attention(x, x, x, &options));
        ck_assert_str_eq(ag_tape_error(tape)->message,
                         "attention: a mask of key lengths for 1 batch row on scores [2,2,3,3], which have 2");
        ag_tape_rewind(tape);
        x = ag_constant(tape, q, NULL);
        options.mask = NULL;
        options.bias = ag_constant(tape, AG_SHAPE(3, 4), NULL);
        ck_assert_ptr_null(ag_attention(x, x, x, &options));
        ck_assert_str_eq(ag_tape_error(tape)->message,
                         "attention: bias [3,4] does not broadcast to the scores [2,2,3,3]");
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
    ck_assert_str_eq(ag_tape_error(tape)->message,
                     "masked_softmax: scores [2,3,4]: expected [batch, heads, queries, keys]");
    ag_tape_rewind(tape);
    scores = ag_constant(tape, AG_SHAPE(2, 3, 4, 5), NULL);
    ck_assert_ptr_null(ag_masked_softmax(scores, ag_mask_query_lengths(tape, 1, (int32_t[]){2})));
    ck_assert_str_eq(ag_tape_error(tape)->message,
                     "masked_softmax: a mask of query lengths for 1 batch row on scores [2,3,4,5], which have 2");
    ag_tape_rewind(tape);
    scores = ag_constant(tape, AG_SHAPE(2, 3, 4, 5), NULL);
    ck_assert_ptr_null(ag_masked_sum(scores, ag_constant(tape, AG_SHAPE(2, 3, 4, 5), NULL), NULL));
    ck_assert_str_eq(ag_tape_error(tape)->message,
                     "masked_sum: weights [2,3,4,5] and values [2,3,4,5]: expected values [2,3,5,width]");
    ag_tape_free(tape);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_test(tests, test_reference_sizes);
    tcase_add_test(tests, test_reference_drawn);
    tcase_add_test(tests, test_tile_borders);
    tcase_add_test(tests, test_rows_that_see_nothing);
    tcase_add_test(tests, test_large_scores);
    tcase_add_test(tests, test_dropout_ends);
    tcase_add_test(tests, test_dropout_stream);
    tcase_add_test(tests, test_weights);
    tcase_add_test(tests, test_one_input_thrice);
    tcase_add_test(tests, test_gradients_on_request);
    tcase_add_test(tests, test_gradients_of_results);
    tcase_add_test(tests, test_no_sizes);
    tcase_add_test(tests, test_memory_is_linear);
    tcase_add_test(tests, test_steps_allocate_nothing);
    tcase_add_test(tests, test_out_of_memory);
    tcase_add_test(tests, test_errors);
    tcase_add_test(tests, test_errors_of_the_parts);
}

static Suite *attention_suite(void)
{
    Suite *s = suite_create("attention");
    test_at_each_level(s, add_tests);
    return s;
}

TEST_MAIN(attention_suite)
