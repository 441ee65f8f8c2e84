/* test_nn_cache.c - incremental decoding against recomputing everything. */
#include "nn_util.h"

#include <math.h>
#include <string.h>

/* Leaves NaN in the memory that the tape lends: places that a cache has not filled may
 * hold anything. */
static void poison(ag_tape *tape)
{
    const size_t count = 1 << 16;
    ag_real *numbers = ag_tape_borrow(tape, count * sizeof *numbers);
    ck_assert_ptr_nonnull(numbers);
    for (size_t i = 0; i < count; i++)
        numbers[i] = (ag_real)NAN;
    ag_tape_return(tape, numbers);
}

/* Feeds the batch's targets in pieces of these sizes and compares with one pass over
 * all. */
static void check_cache(nn_model_config config, const int *pieces)
{
    nn_model *model = test_model(config, 21);
    const int64_t rows = 4, length = 7, vocab = model->config.target_vocab;
    test_batch batch;
    test_batch_fill(&batch, model, rows, 5, length, 22);
    for (int64_t i = 0; i < rows * length; i++)
        batch.target[i] = 1 + (int32_t)(i * 5 % 6); /* no padding: a cache is fed the same count in each row */
    batch.input.target_lengths = NULL;

    ag_tape *whole_tape = test_quiet_tape(), *tape = test_quiet_tape();
    nn_pass whole_pass = test_pass(model, whole_tape), pass = test_pass(model, tape);
    const ag_tensor *whole = nn_model_apply(model, &whole_pass, &batch.input);
    ck_assert_msg(whole != NULL, "%s", ag_tape_error(whole_tape)->message);

    nn_cache cache;
    ag_error error = {0};
    poison(tape);
    ck_assert_msg(nn_cache_init(&cache, model, &pass, &batch.input, length + 2, &error) == AG_OK, "%s", error.message);
    int64_t at = 0;
    for (int p = 0; at < length; p++) {
        int32_t tokens[64];
        const int64_t count = pieces[p];
        for (int64_t b = 0; b < rows; b++)
            for (int64_t t = 0; t < count; t++)
                tokens[b * count + t] = batch.target[b * length + at + t];
        ag_tape_rewind(tape);
        const ag_tensor *logits = nn_cache_apply(&cache, model, &pass, tokens, count);
        ck_assert_msg(logits != NULL, "%s", ag_tape_error(tape)->message);
        for (int64_t b = 0; b < rows; b++) {
            double distance =
                test_distance(logits->data + b * count * vocab, whole->data + (b * length + at) * vocab, count * vocab);
            ck_assert_msg(distance <= PRECISION(1e-12, 1e-5), "row %d from %d: off by %g", (int)b, (int)at, distance);
        }
        at += count;
        ck_assert_int_eq(cache.length, at);
    }
    nn_cache_clear(&cache);
    ag_tape_free(tape);
    ag_tape_free(whole_tape);
    nn_model_free(model);
}

START_TEST(cache_equals_recomputing)
{
    static const int one[] = {1, 1, 1, 1, 1, 1, 1}, several[] = {3, 1, 2, 1}, all[] = {7};
    for (int positions = 0; positions <= NN_NO_POSITIONS; positions++)
        for (int variant = 0; variant < 8; variant++) {
            nn_model_config config = {
                .kind = variant & 1 ? NN_DECODER : NN_ENCODER_DECODER,
                .positions = (nn_position_kind)positions,
                .cross_positions = variant == 4 && test_acts_within_attention((nn_position_kind)positions),
                .cross_window = variant == 6 ? 1 : 0,
                .post_norm = variant & 2,
                .norm = variant & 4 ? NN_RMS_NORM : NN_LAYER_NORM,
            };
            check_cache(config, one);
            check_cache(config, several);
            check_cache(config, all);
        }
}
END_TEST

/* After any reordering each row goes on as the row that it came from. */
START_TEST(reordered_rows_go_on_as_their_origins)
{
    static const int32_t orders[][6] = {
        {0, 1, 2, 3, 4, 5},   {1, 2, 3, 4, 5, 0},      {1, 0, 3, 2, 5, 4},    {5, 5, 5, 5, 5, 5},
        {2, 0, 1, 4, 3, 5},   {3, 3, 1, 2, 0, 0},      {1, 2, 0, 0, 1, 4},    {5, 4, 3, 2, 1, 0},
        {2, 3, 4, 5, -1, -1}, {4, -1, -1, -1, -1, -1}, {2, 1, 0, -1, -1, -1}, {1, 2, 0, 5, -1, -1},
    };
    nn_model *model = test_model((nn_model_config){.kind = NN_ENCODER_DECODER}, 5);
    const int64_t vocab = model->config.target_vocab;
    ag_tape *tape = test_quiet_tape();
    nn_pass pass = test_pass(model, tape);
    for (size_t o = 0; o < sizeof orders / sizeof *orders; o++) {
        test_batch batch;
        nn_cache plain, moved;
        ag_error error = {0};
        int32_t next[6], chosen[6];
        int64_t rows = 0;
        ag_real expected[6 * 64];
        test_batch_fill(&batch, model, 6, 5, 4, 6);
        for (int64_t i = 0; i < 24; i++)
            batch.target[i] = 1 + (int32_t)(i * 5 % 6);
        ck_assert_int_eq(nn_cache_init(&plain, model, &pass, &batch.input, 6, &error), AG_OK);
        ck_assert_int_eq(nn_cache_init(&moved, model, &pass, &batch.input, 6, &error), AG_OK);
        ck_assert_ptr_nonnull(nn_cache_apply(&plain, model, &pass, batch.target, 4));
        ck_assert_ptr_nonnull(nn_cache_apply(&moved, model, &pass, batch.target, 4));
        for (int32_t i = 0; i < 6; i++)
            next[i] = 1 + i;
        const ag_tensor *logits = nn_cache_apply(&plain, model, &pass, next, 1);
        ck_assert_ptr_nonnull(logits);
        memcpy(expected, logits->data, (size_t)(6 * vocab) * sizeof(ag_real));

        while (rows < 6 && orders[o][rows] >= 0) {
            chosen[rows] = next[orders[o][rows]];
            rows++;
        }
        ck_assert_msg(nn_cache_reorder(&moved, orders[o], rows, &error) == AG_OK, "%s", error.message);
        ag_tape_rewind(tape);
        logits = nn_cache_apply(&moved, model, &pass, chosen, 1);
        ck_assert_msg(logits != NULL, "%s", ag_tape_error(tape)->message);
        ck_assert_int_eq(logits->shape.dim[0], rows);
        for (int64_t i = 0; i < rows; i++) {
            double distance = test_distance(logits->data + i * vocab, expected + orders[o][i] * vocab, vocab);
            ck_assert_msg(distance <= PRECISION(1e-13, 1e-6), "order %zu, row %d: off by %g", o, (int)i, distance);
        }
        nn_cache_clear(&plain);
        nn_cache_clear(&moved);
    }
    ag_tape_free(tape);
    nn_model_free(model);
}
END_TEST

/* A call that runs out of memory half-way leaves the cache as it was. */
START_TEST(cache_survives_a_failed_call)
{
    nn_model *model = test_model((nn_model_config){.kind = NN_ENCODER_DECODER}, 5);
    const size_t bytes = (size_t)(2 * model->config.target_vocab) * sizeof(ag_real);
    static const int32_t first[] = {1, 1}, second[] = {4, 5};
    test_batch batch;
    nn_cache cache;
    ag_real expected[32];
    int64_t failed = 0;
    ag_tape *tape = test_quiet_tape();
    nn_pass pass = test_pass(model, tape);
    test_batch_fill(&batch, model, 2, 5, 3, 6);
    ck_assert_int_eq(nn_cache_init(&cache, model, &pass, &batch.input, 2, NULL), AG_OK);
    ck_assert_ptr_nonnull(nn_cache_apply(&cache, model, &pass, first, 1));
    memcpy(expected, nn_cache_apply(&cache, model, &pass, second, 1)->data, bytes);
    for (int64_t n = 1;; n++) {
        ag_tape *fresh = test_quiet_tape();
        pass.tape = fresh;
        cache.length = 1;
        test_fail_allocation(n);
        const bool done = nn_cache_apply(&cache, model, &pass, second, 1) != NULL;
        test_fail_allocation(0);
        ck_assert_int_eq(cache.length, done ? 2 : 1);
        ag_tape_free(fresh);
        if (done)
            break;
        failed++;
        pass.tape = tape;
        ag_tape_rewind(tape);
        const ag_tensor *logits = nn_cache_apply(&cache, model, &pass, second, 1);
        ck_assert_msg(logits != NULL, "%s", ag_tape_error(tape)->message);
        ck_assert_mem_eq(logits->data, expected, bytes);
    }
    ck_assert_int_gt(failed, 1);
    nn_cache_clear(&cache);
    ag_tape_free(tape);
    nn_model_free(model);
}
END_TEST

START_TEST(cache_refuses_what_does_not_fit)
{
    nn_model *model = test_model((nn_model_config){.kind = NN_DECODER}, 5);
    nn_model *encoder = test_model((nn_model_config){.kind = NN_ENCODER}, 5);
    ag_tape *tape = test_quiet_tape();
    nn_pass pass = test_pass(model, tape);
    nn_input input = {.rows = 2};
    nn_cache cache;
    ag_error error = {0};
    static const int32_t tokens[8] = {1, 2, 3, 4, 5, 6, 1, 2}, beyond[] = {0, 2};
    const struct {
        nn_input input;
        int64_t capacity;
    } none[] = {{{.rows = 2}, -1}, {{.rows = 0}, -1}, {{.rows = -1}, 3}, {{.rows = 2, .source_length = -1}, 3}};
    ck_assert_int_eq(nn_cache_init(&cache, encoder, &pass, &input, 3, &error), AG_BAD_VALUE);
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        error = (ag_error){0};
        ck_assert_int_eq(nn_cache_init(&cache, model, &pass, &none[i].input, none[i].capacity, &error), AG_BAD_VALUE);
        ck_assert_ptr_nonnull(strstr(error.message, "there is no such cache"));
        ck_assert_ptr_null(cache.self);
    }
    error = (ag_error){0};
    ck_assert_int_eq(nn_cache_init(&cache, model, &pass, &input, 3, &error), AG_OK);
    ck_assert_ptr_nonnull(nn_cache_apply(&cache, model, &pass, tokens, 2));
    ck_assert_ptr_null(nn_cache_apply(&cache, model, &pass, tokens, 2));
    ck_assert_ptr_nonnull(strstr(ag_tape_error(tape)->message, "2 more tokens do not fit after 2 of 3"));
    ag_tape_rewind(tape);
    ck_assert_ptr_nonnull(nn_cache_apply(&cache, model, &pass, tokens, 1)); /* usable after the refusal */
    ck_assert_int_eq(nn_cache_reorder(&cache, beyond, 2, &error), AG_BAD_VALUE);
    ck_assert_int_eq(nn_cache_reorder(&cache, tokens, 3, &error), AG_BAD_VALUE);
    nn_cache_clear(&cache);
    ag_tape_free(tape);
    nn_model_free(model);
    nn_model_free(encoder);
}
END_TEST

/* ---- Sources of different lengths -------------------------------------------------- */

#define SOURCE_ROWS   12
#define SOURCE_LENGTH 40

/* A batch of drawn sources of these lengths. */
static void fill_sources(test_batch *batch, const nn_model *model, const int32_t *lengths)
{
    test_batch_fill(batch, model, SOURCE_ROWS, SOURCE_LENGTH, 1, 31);
    for (int32_t i = 0; i < SOURCE_ROWS * SOURCE_LENGTH; i++)
        batch->source[i] = i % SOURCE_LENGTH < lengths[i / SOURCE_LENGTH] ? 4 + i * 7 % 5 : 0;
    memcpy(batch->source_lengths, lengths, SOURCE_ROWS * sizeof *lengths);
}

/* Whether row `row` of `all` has the keys and values of the only row of `alone`. */
static bool same_row(const nn_cache *all, int64_t row, const nn_cache *alone)
{
    bool same = true;
    for (int layer = 0; layer < all->layers; layer++) {
        const nn_attention_cache *a = &all->cross[layer], *b = &alone->cross[layer];
        const int64_t width = all->width / all->heads;
        for (int64_t head = 0; head < all->heads; head++) {
            const int64_t at = (row * all->heads + head) * a->capacity * width, own = head * b->capacity * width;
            const size_t bytes = (size_t)(b->length * width) * sizeof(ag_real);
            same = same && !memcmp(a->key + at, b->key + own, bytes) && !memcmp(a->value + at, b->value + own, bytes);
        }
    }
    return same;
}

/* The batches whose rows go through the encoder in one group, in two, and in several. */
static const int32_t mixed_lengths[][SOURCE_ROWS] = {
    {40, 40, 40, 40, 40, 40, 40, 40, 40, 40, 40, 40}, {2, 2, 2, 2, 40, 2, 2, 2, 2, 2, 2, 2},
    {3, 40, 17, 0, 9, 9, 30, 1, 22, 40, 16, 5},       {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0},
    {6, 7, 8, 9, 10, 11, 12, 6, 7, 8, 9, 10},
};

START_TEST(rows_have_the_bits_of_each_alone)
{
    nn_model *model = test_model((nn_model_config){.kind = NN_ENCODER_DECODER, .max_length = SOURCE_LENGTH}, 5);
    ag_tape *tape = test_quiet_tape();
    nn_pass pass = test_pass(model, tape);
    test_batch batch;
    nn_cache all, alone;
    fill_sources(&batch, model, mixed_lengths[_i]);
    ck_assert_int_eq(nn_cache_init(&all, model, &pass, &batch.input, 1, NULL), AG_OK);
    ck_assert_int_eq(all.cross[0].length, SOURCE_LENGTH);
    for (int64_t row = 0; row < SOURCE_ROWS; row++) {
        const nn_input input = {
            .rows = 1, .source_length = batch.source_lengths[row], .source = batch.source + row * SOURCE_LENGTH};
        ck_assert_int_eq(nn_cache_init(&alone, model, &pass, &input, 1, NULL), AG_OK);
        ck_assert_msg(same_row(&all, row, &alone), "row %d", (int)row);
        nn_cache_clear(&alone);
    }
    nn_cache_clear(&all);
    ag_tape_free(tape);
    nn_model_free(model);
}
END_TEST

static void ignore_weights(void *context, const char *name, ag_tensor *weights, const ag_mask *mask)
{
    (void)context, (void)name, (void)weights, (void)mask;
}

/* The tokens, padding included, that go through the encoder when a cache is made. */
static int64_t tokens_encoded(const nn_model *model, const int32_t *lengths, bool is_looked_at)
{
    ag_tape *tape = ag_tape_new(&(ag_tape_options){.threads = 1});
    nn_pass pass = test_pass(model, tape);
    test_batch batch;
    nn_cache cache;
    int64_t tokens = 0;
    pass.on_attention = is_looked_at ? ignore_weights : NULL;
    fill_sources(&batch, model, lengths);
    ck_assert_int_eq(nn_cache_init(&cache, model, &pass, &batch.input, 1, NULL), AG_OK);
    for (const ag_node *node = ag_tape_last(tape); node; node = ag_node_before(node))
        if (!strcmp(node->op->name, "embedding"))
            tokens += node->output->size / model->config.d_model;
    nn_cache_clear(&cache);
    ag_tape_free(tape);
    return tokens;
}

/* Long rows leave short ones no padding; rows of nearly the same length go together. Who
 * looks at the pass sees the whole batch. */
START_TEST(padding_does_not_go_through_the_encoder)
{
    nn_model *model = test_model((nn_model_config){.kind = NN_ENCODER_DECODER, .max_length = SOURCE_LENGTH}, 5);
    ck_assert_int_eq(tokens_encoded(model, mixed_lengths[0], false), SOURCE_ROWS * SOURCE_LENGTH);
    ck_assert_int_eq(tokens_encoded(model, mixed_lengths[1], false), 11 * 2 + 40);
    ck_assert_int_eq(tokens_encoded(model, mixed_lengths[3], false), 0);
    ck_assert_int_eq(tokens_encoded(model, mixed_lengths[4], false), 6 * 8 + 6 * 12);
    ck_assert_int_eq(tokens_encoded(model, mixed_lengths[1], true), SOURCE_ROWS * SOURCE_LENGTH);
    nn_model_free(model);
}
END_TEST

/* The error names the place in the caller's input. */
START_TEST(bad_sources_are_named)
{
    nn_model *model = test_model((nn_model_config){.kind = NN_ENCODER_DECODER, .max_length = SOURCE_LENGTH}, 5);
    ag_tape *tape = test_quiet_tape();
    nn_pass pass = test_pass(model, tape);
    test_batch batch;
    nn_cache cache;
    ag_error error = {0};
    fill_sources(&batch, model, mixed_lengths[1]);
    batch.source[3 * SOURCE_LENGTH + 1] = 1000;
    ck_assert_int_eq(nn_cache_init(&cache, model, &pass, &batch.input, 1, &error), AG_BAD_VALUE);
    ck_assert_ptr_nonnull(strstr(error.message, "id 1000 at place 121 "));
    ag_tape_rewind(tape);
    error = (ag_error){0};
    batch.source_lengths[4] = SOURCE_LENGTH + 1;
    ck_assert_int_eq(nn_cache_init(&cache, model, &pass, &batch.input, 1, &error), AG_BAD_VALUE);
    ck_assert_ptr_nonnull(strstr(error.message, "the source of row 4 has 41 tokens, but the rows are 40 long"));
    ag_tape_free(tape);
    nn_model_free(model);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("nn_cache");
    TCase *tcase = tcase_create("cache");
    tcase_add_test(tcase, cache_equals_recomputing);
    tcase_add_test(tcase, reordered_rows_go_on_as_their_origins);
    tcase_add_test(tcase, cache_survives_a_failed_call);
    tcase_add_test(tcase, cache_refuses_what_does_not_fit);
    tcase_add_loop_test(tcase, rows_have_the_bits_of_each_alone, 0, sizeof mixed_lengths / sizeof *mixed_lengths);
    tcase_add_test(tcase, padding_does_not_go_through_the_encoder);
    tcase_add_test(tcase, bad_sources_are_named);
    suite_add_tcase(s, tcase);
    return s;
}

TEST_MAIN(suite)
