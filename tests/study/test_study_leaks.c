/* test_study_leaks.c - sound models of all kinds have no leak. */
#include "subject_util.h"

#include <stdio.h>
#include <string.h>

static const nn_model_kind kinds[] = {NN_ENCODER_DECODER, NN_ENCODER, NN_DECODER};

enum { SOURCE = 5, TARGET = 4 };
static const test_sizes full = {SOURCE, TARGET, SOURCE, TARGET}, padded = {SOURCE, TARGET, 3, 2};

/* ---- Sound models ------------------------------------------------------------------ */

START_TEST(sound_models_do_not_leak)
{
    for (int variant = 0; variant < 72; variant++) {
        const nn_model_config config = {.kind = kinds[variant % 3],
                                        .post_norm = variant / 3 % 2,
                                        .norm = variant / 12 % 2 ? NN_RMS_NORM : NN_LAYER_NORM,
                                        .positions = (nn_position_kind)(variant / 12),
                                        .activation = variant / 12 % 2 ? AG_GATED_SILU : AG_RELU};
        const bool pads = variant / 6 % 2;
        test_subject s;
        char what[32];
        test_subject_init(&s, config, pads ? padded : full);
        if (!pads)
            s.batch.input.source_lengths = s.batch.input.target_lengths = NULL;
        study_leaks leaks = test_leaks_find(&s);
        snprintf(what, sizeof what, "variant %d", variant);
        test_leaks_none(&leaks, what);
        study_leaks_clear(&leaks);
        test_subject_clear(&s);
    }
}
END_TEST

/* Every pair is looked at, in batches of fewer rows than there are outputs too. */
START_TEST(pairs_are_counted)
{
    for (int64_t length = 4; length <= 150; length += 73) {
        test_subject s;
        test_subject_init(&s, (nn_model_config){.kind = NN_DECODER, .max_length = 200},
                          (test_sizes){0, length, 0, (int32_t)length});
        study_leaks leaks = test_leaks_find(&s);
        const int64_t lower = length * (length + 1) / 2, upper = length * (length - 1) / 2;
        test_leaks_none(&leaks, "a decoder");
        ck_assert_int_eq(leaks.allowed, 3 * lower + length); /* two blocks, the model, the output */
        ck_assert_int_eq(leaks.forbidden, 3 * upper + 2 * upper);
        study_leaks_clear(&leaks);
        test_subject_clear(&s);
    }
}
END_TEST

START_TEST(pairs_of_both_sides_are_counted)
{
    test_subject s;
    test_subject_init(&s, (nn_model_config){0}, full);
    study_leaks leaks = test_leaks_find(&s);
    const int64_t encoder = SOURCE * SOURCE, cross = TARGET * SOURCE, lower = TARGET * (TARGET + 1) / 2,
                  upper = TARGET * (TARGET - 1) / 2;
    test_leaks_none(&leaks, "both sides"); /* below: blocks, what follows them, the model */
    ck_assert_int_eq(leaks.allowed, 2 * encoder + 2 * (lower + cross) + SOURCE + TARGET + lower + cross);
    ck_assert_int_eq(leaks.forbidden, 2 * upper + SOURCE * (SOURCE - 1) + TARGET * (TARGET - 1) + upper);
    study_leaks_clear(&leaks);
    test_subject_clear(&s);
}
END_TEST

/* A window of cross-attention narrows each decoder's block; the whole model still sees all
 * of the source, by way of the encoder's self-attention. */
START_TEST(a_window_narrows_blocks)
{
    test_subject s;
    test_subject_init(&s, (nn_model_config){.cross_window = 1}, full);
    study_leaks leaks = test_leaks_find(&s);
    const int64_t encoder = SOURCE * SOURCE, all = TARGET * SOURCE, seen = 2 + 3 * (TARGET - 1),
                  lower = TARGET * (TARGET + 1) / 2, upper = TARGET * (TARGET - 1) / 2;
    test_leaks_none(&leaks, "a window");
    ck_assert_int_eq(leaks.allowed, 2 * encoder + 2 * (lower + seen) + SOURCE + TARGET + lower + all);
    ck_assert_int_eq(leaks.forbidden, 2 * (upper + all - seen) + SOURCE * (SOURCE - 1) + TARGET * (TARGET - 1) + upper);
    study_leaks_clear(&leaks);
    test_subject_clear(&s);
}
END_TEST

START_TEST(nothing_is_no_leak)
{
    static const test_sizes sizes[] = {{SOURCE, 0, 3, 0}, {0, TARGET, 0, 4}, {0, 0, 0, 0}, {SOURCE, TARGET, 0, 0}};
    for (int variant = 0; variant < 12; variant++) {
        test_subject s;
        test_subject_init(&s, (nn_model_config){.kind = kinds[variant % 3]}, sizes[variant / 3]);
        study_leaks leaks = test_leaks_find(&s);
        ck_assert_int_eq(leaks.count, 0);
        study_leaks_clear(&leaks);
        test_subject_clear(&s);
    }
}
END_TEST

/* ---- Declared masks ---------------------------------------------------------------- */

static const ag_mask *prefix_mask(const test_subject *s)
{
    return ag_mask_or(s->masks, ag_mask_prefix(s->masks, 2), ag_mask_causal(s->masks, 0));
}

START_TEST(masks_may_be_declared)
{
    const unsigned char heads[2 * TARGET * TARGET] = {
        [1] = 1, [6] = 1, [16] = 1, [31] = 1}; /* (0,1) (1,2) (0,0) (3,3) */
    for (int variant = 0; variant < 4; variant++) {
        test_subject s;
        test_subject_init(&s, (nn_model_config){.post_norm = variant % 2}, padded);
        s.batch.input.decoder_mask = s.subject.decoder_mask =
            variant < 2 ? prefix_mask(&s) : ag_mask_explicit(s.masks, 1, 2, TARGET, TARGET, heads);
        s.batch.input.encoder_mask = s.subject.encoder_mask = ag_mask_window(s.masks, 1, 0);
        s.batch.input.cross_mask = s.subject.cross_mask = ag_mask_not(s.masks, ag_mask_causal(s.masks, 0));
        study_leaks leaks = test_leaks_find(&s);
        test_leaks_none(&leaks, "declared masks");
        study_leaks_clear(&leaks);
        test_subject_clear(&s);
    }
}
END_TEST

/* ---- Threads, memory, mistakes ----------------------------------------------------- */

START_TEST(threads_change_no_bit)
{
    test_subject s;
    test_subject_init(&s, (nn_model_config){.d_model = 48, .heads = 3, .ffn = 96, .max_length = 32},
                      (test_sizes){30, 28, 20, 28});
    s.batch.input.decoder_mask = ag_mask_causal(s.masks, 1);
    study_leaks leaks[2];
    for (int i = 0; i < 2; i++) {
        s.subject.threads = 1 + i;
        leaks[i] = test_leaks_find(&s);
    }
    ck_assert_int_gt(leaks[0].count, 50);
    ck_assert_int_eq(leaks[0].count, leaks[1].count);
    for (int64_t n = 0; n < leaks[0].count; n++) {
        const study_leak *a = &leaks[0].items[n], *b = &leaks[1].items[n];
        ck_assert_str_eq(a->layer, b->layer);
        ck_assert(a->side == b->side && a->i == b->i && a->j == b->j && a->influence == b->influence);
    }
    study_leaks_clear(&leaks[0]);
    study_leaks_clear(&leaks[1]);
    test_subject_clear(&s);
}
END_TEST

START_TEST(every_allocation_can_fail)
{
    test_subject s;
    test_subject_init(&s, (nn_model_config){0}, padded);
    s.batch.input.cross_mask = ag_mask_all(s.masks);
    for (int64_t n = 1;; n++) {
        ag_error error = {0};
        study_leaks leaks;
        test_fail_allocation(n);
        const ag_status status = study_leaks_find(&s.subject, &leaks, &error);
        test_fail_allocation(0);
        ck_assert_int_eq(error.status, status);
        if (status == AG_OK) {
            ck_assert_int_gt(n, 20);
            ck_assert_int_eq(leaks.count, 3 * TARGET * 2);
            study_leaks_clear(&leaks);
            break;
        }
        ck_assert_int_eq(status, AG_NO_MEMORY);
        ck_assert_ptr_nonnull(strstr(error.message, "out of memory"));
        ck_assert(!leaks.items && !leaks.storage && leaks.count == 0);
    }
    test_subject_clear(&s);
}
END_TEST

static ag_tensor *apply_hidden(void *context, const nn_model *model, const nn_pass *pass, const nn_input *input)
{
    (void)context;
    nn_pass hidden = *pass;
    hidden.on_block = NULL;
    return nn_model_apply(model, &hidden, input);
}

static void expect_error(const test_subject *s, ag_status status, const char *message)
{
    ag_error error = {0};
    study_leaks leaks;
    ck_assert_int_eq(study_leaks_find(&s->subject, &leaks, &error), status);
    ck_assert_int_eq(error.status, status);
    ck_assert_msg(strstr(error.message, message) != NULL, "%s", error.message);
    ck_assert_ptr_null(leaks.items);
}

START_TEST(mistakes_are_named)
{
    test_subject s;
    test_subject_init(&s, (nn_model_config){0}, padded);
    s.batch.input.rows = 2;
    expect_error(&s, AG_BAD_VALUE, "one example, not on 2");
    s.batch.input.rows = 1;
    s.batch.source_lengths[0] = SOURCE + 1;
    expect_error(&s, AG_BAD_VALUE, "row 0 has 6 tokens");
    s.batch.source_lengths[0] = 3;
    s.batch.input.source = NULL;
    expect_error(&s, AG_BAD_VALUE, "the source is missing");
    s.batch.input.source = s.batch.source;
    s.batch.input.source_length = -1;
    expect_error(&s, AG_BAD_VALUE, "a source of -1 positions");
    s.batch.input.source_length = SOURCE;
    s.subject.cross_mask = ag_mask_explicit(s.masks, 1, 1, 1, 1, (const unsigned char[]){1});
    expect_error(&s, AG_BAD_SHAPE, "an explicit mask [1,1,1,1] on scores [1,2,4,5]");
    s.batch.input.cross_mask = s.subject.cross_mask;
    s.subject.cross_mask = NULL;
    expect_error(&s, AG_BAD_SHAPE, "an explicit mask [1,1,1,1] on scores [1,2,4,5]");
    s.batch.input.cross_mask = NULL;
    s.subject.apply = apply_hidden;
    expect_error(&s, AG_BAD_VALUE, "does not show its blocks");
    test_subject_clear(&s);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("study_leaks");
    TCase *tcase = tcase_create("leaks");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, sound_models_do_not_leak);
    tcase_add_test(tcase, pairs_are_counted);
    tcase_add_test(tcase, pairs_of_both_sides_are_counted);
    tcase_add_test(tcase, a_window_narrows_blocks);
    tcase_add_test(tcase, nothing_is_no_leak);
    tcase_add_test(tcase, masks_may_be_declared);
    tcase_add_test(tcase, threads_change_no_bit);
    tcase_add_test(tcase, every_allocation_can_fail);
    tcase_add_test(tcase, mistakes_are_named);
    suite_add_tcase(s, tcase);
    return s;
}

TEST_MAIN(suite)
