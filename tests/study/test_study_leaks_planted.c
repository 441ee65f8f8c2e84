/* test_study_leaks_planted.c - each planted leak is found, and where it is, and nothing
 * else is taken for one. */
#include "subject_util.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const nn_model_kind kinds[] = {NN_ENCODER_DECODER, NN_ENCODER, NN_DECODER};

enum { SOURCE = 5, TARGET = 4 };
static const test_sizes full = {SOURCE, TARGET, SOURCE, TARGET}, padded = {SOURCE, TARGET, 3, 2};

/* ---- Expectations ------------------------------------------------------------------ */

/* Whether there is a leak to be at this place. */
typedef bool leak_rule(const char *layer, const char *side, int64_t i, int64_t j, int64_t context);

static bool is_there(const study_leaks *leaks, const char *layer, const char *side, int64_t i, int64_t j)
{
    for (int64_t n = 0; n < leaks->count; n++) {
        const study_leak *leak = &leaks->items[n];
        if (!strcmp(leak->layer, layer) && !strcmp(leak->side, side) && leak->i == i && leak->j == j)
            return true;
    }
    return false;
}

/* The leaks of this layer and side are exactly those of the rule, and all of one kind. */
static void expect(const study_leaks *leaks, const char *layer, const char *side, bool forbidden, leak_rule *rule,
                   int64_t context)
{
    int64_t expected = 0, found = 0;
    for (int64_t n = 0; n < leaks->count; n++) {
        const study_leak *leak = &leaks->items[n];
        if (strcmp(leak->layer, layer) || strcmp(leak->side, side))
            continue;
        found++;
        ck_assert_int_eq(leak->forbidden, forbidden);
        ck_assert(forbidden == !(leak->influence == 0));
    }
    for (int64_t i = 0; i < SOURCE; i++)
        for (int64_t j = 0; j < SOURCE; j++) {
            const bool is = rule && rule(layer, side, i, j, context);
            if (is != is_there(leaks, layer, side, i, j))
                test_leaks_show(leaks);
            ck_assert_msg(is == is_there(leaks, layer, side, i, j), "%s: output %lld, %s %lld: %s", layer, (long long)i,
                          side, (long long)j, is ? "not found" : "no leak");
            expected += is;
        }
    ck_assert_int_eq(found, expected);
}

/* ---- Declared masks ---------------------------------------------------------------- */

static const ag_mask *prefix_mask(const test_subject *s)
{
    return ag_mask_or(s->masks, ag_mask_prefix(s->masks, 2), ag_mask_causal(s->masks, 0));
}

static bool beyond_prefix(const char *layer, const char *side, int64_t i, int64_t j, int64_t context)
{
    (void)layer, (void)context;
    return !strcmp(side, "target") && i == 0 && j == 1;
}

/* The same mask, used without being declared, and declared without being used. */
START_TEST(masks_that_differ_from_those_declared)
{
    for (int used = 0; used < 2; used++) {
        test_subject s;
        test_subject_init(&s, (nn_model_config){.kind = NN_DECODER}, full);
        *(used ? &s.batch.input.decoder_mask : &s.subject.decoder_mask) = prefix_mask(&s);
        study_leaks leaks = test_leaks_find(&s);
        expect(&leaks, "decoder.layers.0", "target", used, beyond_prefix, 0);
        expect(&leaks, "decoder.layers.1", "target", used, beyond_prefix, 0);
        expect(&leaks, "output", "target", used, NULL, 0);
        expect(&leaks, "model", "target", used, beyond_prefix, 0);
        ck_assert_int_eq(leaks.count, 3);
        study_leaks_clear(&leaks);
        test_subject_clear(&s);
    }
}
END_TEST

/* ---- Planted in masks -------------------------------------------------------------- */

/* j is up to 1 further than i, or `layers` in the whole model. */
static bool shifted(const char *layer, const char *side, int64_t i, int64_t j, int64_t layers)
{
    const int64_t reach = !strcmp(layer, "model") ? layers : 1;
    return !strcmp(side, "target") && i < TARGET && j < TARGET && j > i && j <= i + reach;
}

START_TEST(a_causal_mask_shifted_by_one)
{
    for (int variant = 0; variant < 4; variant++) {
        test_subject s;
        test_subject_init(
            &s, (nn_model_config){.kind = variant % 2 ? NN_DECODER : NN_ENCODER_DECODER, .post_norm = variant / 2},
            full);
        s.batch.input.decoder_mask = ag_mask_causal(s.masks, 1);
        study_leaks leaks = test_leaks_find(&s);
        static const char *const layers[] = {"decoder.layers.0", "decoder.layers.1", "model"};
        for (int i = 0; i < 3; i++)
            expect(&leaks, layers[i], "target", true, shifted, 2);
        ck_assert_int_eq(leaks.count, 3 + 3 + 5);
        ck_assert_str_eq(leaks.items[0].layer, "decoder.layers.0");
        ck_assert_str_eq(leaks.items[10].layer, "model");
        study_leaks_clear(&leaks);
        test_subject_clear(&s);
    }
}
END_TEST

/* In the encoder: j is padding. */
static bool source_padding(const char *layer, const char *side, int64_t i, int64_t j, int64_t outputs)
{
    (void)layer;
    return !strcmp(side, "source") && i < outputs && j >= 3 && i != j;
}

START_TEST(an_encoder_without_its_padding_mask)
{
    for (int variant = 0; variant < 4; variant++) {
        test_subject s;
        test_subject_init(
            &s, (nn_model_config){.kind = variant % 2 ? NN_ENCODER : NN_ENCODER_DECODER, .post_norm = variant / 2},
            padded);
        s.batch.input.encoder_mask = ag_mask_all(s.masks);
        study_leaks leaks = test_leaks_find(&s);
        expect(&leaks, "encoder.layers.0", "source", true, source_padding, SOURCE);
        expect(&leaks, "encoder.layers.1", "source", true, source_padding, SOURCE);
        expect(&leaks, "encoder.norm", "source", true, NULL, 0);
        expect(&leaks, "decoder.layers.0", "source", true, NULL, 0);
        expect(&leaks, "decoder.layers.1", "target", true, NULL, 0);
        expect(&leaks, "output", variant % 2 ? "source" : "target", true, NULL, 0);
        if (variant % 2)
            expect(&leaks, "model", "source", true, source_padding, SOURCE);
        else /* (output 3 and source 3 are not one position here) */
            for (int64_t i = 0; i < TARGET; i++)
                ck_assert(is_there(&leaks, "model", "source", i, 3) && is_there(&leaks, "model", "source", i, 4));
        study_leaks_clear(&leaks);
        test_subject_clear(&s);
    }
}
END_TEST

static bool target_padding(const char *layer, const char *side, int64_t i, int64_t j, int64_t context)
{
    (void)layer, (void)context;
    return !strcmp(side, "target") && i == 3 && j == 2;
}

START_TEST(a_decoder_without_its_padding_mask)
{
    for (int variant = 0; variant < 2; variant++) {
        test_subject s;
        test_subject_init(&s, (nn_model_config){.kind = variant ? NN_DECODER : NN_ENCODER_DECODER}, padded);
        s.batch.input.decoder_mask = ag_mask_causal(s.masks, 0);
        study_leaks leaks = test_leaks_find(&s);
        expect(&leaks, "decoder.layers.0", "target", true, target_padding, 0);
        expect(&leaks, "decoder.layers.1", "target", true, target_padding, 0);
        expect(&leaks, "model", "target", true, target_padding, 0);
        ck_assert_int_eq(leaks.count, 3);
        study_leaks_clear(&leaks);
        test_subject_clear(&s);
    }
}
END_TEST

/* The memory's positions from the units of `range` up to its tens. */
static bool memory_within(const char *layer, const char *side, int64_t i, int64_t j, int64_t range)
{
    (void)layer;
    return !strcmp(side, "source") && i < TARGET && j >= range % 10 && j < range / 10;
}

static void expect_cross(const test_subject *s, bool forbidden, int64_t first, int64_t end)
{
    study_leaks leaks = test_leaks_find(s);
    static const char *const layers[] = {"decoder.layers.0", "decoder.layers.1", "model"};
    for (int i = 0; i < 3; i++)
        expect(&leaks, layers[i], "source", forbidden, memory_within, 10 * end + first);
    ck_assert_int_eq(leaks.count, 3 * TARGET * (end - first));
    study_leaks_clear(&leaks);
}

START_TEST(a_cross_attention_without_its_padding_mask)
{
    for (int post_norm = 0; post_norm < 2; post_norm++) {
        test_subject s;
        test_subject_init(&s, (nn_model_config){.post_norm = post_norm}, padded);
        s.batch.input.cross_mask = ag_mask_all(s.masks);
        expect_cross(&s, true, 3, 5);
        test_subject_clear(&s);
    }
}
END_TEST

/* The lengths of the target in the place of those of the source: more of the source is
 * seen than there is, or less. */
START_TEST(a_cross_mask_from_the_wrong_side)
{
    static const int32_t tokens[2][2] = {{3, 4}, {4, 2}};
    for (int less = 0; less < 2; less++) {
        test_subject s;
        test_subject_init(&s, (nn_model_config){0}, (test_sizes){SOURCE, TARGET, tokens[less][0], tokens[less][1]});
        s.batch.input.cross_mask = ag_mask_key_lengths(s.masks, 1, s.batch.target_lengths);
        if (!less) {
            expect_cross(&s, true, 3, 4);
        } else { /* through the encoder the whole source is seen all the same */
            study_leaks leaks = test_leaks_find(&s);
            expect(&leaks, "decoder.layers.0", "source", false, memory_within, 42);
            expect(&leaks, "decoder.layers.1", "source", false, memory_within, 42);
            ck_assert_int_eq(leaks.count, 2 * TARGET * 2);
            study_leaks_clear(&leaks);
        }
        test_subject_clear(&s);
    }
}
END_TEST

/* A window of two: j is further back than a block sees, or than two of them see. */
static bool too_far(const char *layer, const char *side, int64_t i, int64_t j, int64_t layers)
{
    const int64_t reach = !strcmp(layer, "model") ? layers : 1;
    return !strcmp(side, "target") && i < TARGET && j < i - reach;
}

START_TEST(a_mask_that_forbids_too_much)
{
    test_subject s;
    test_subject_init(&s, (nn_model_config){.kind = NN_DECODER}, full);
    s.batch.input.decoder_mask = ag_mask_window(s.masks, 1, 0);
    study_leaks leaks = test_leaks_find(&s);
    expect(&leaks, "decoder.layers.0", "target", false, too_far, 2);
    expect(&leaks, "decoder.layers.1", "target", false, too_far, 2);
    expect(&leaks, "model", "target", false, too_far, 2);
    ck_assert_int_eq(leaks.count, 3 + 3 + 1);
    study_leaks_clear(&leaks);
    test_subject_clear(&s);
}
END_TEST

/* ---- Planted in the computation ---------------------------------------------------- */

typedef enum fault {
    SOUND,
    TIME_NORM, /* a norm across time instead of one across the width */
    SHIFT,     /* a causal mask shifted by one */
    TRACE,     /* of all positions there is so little in each that no number changes for it */
    NAN_GRADIENT
} fault;

/* A model put together from blocks, with a fault in one place: "decoder.layers.N" is N,
 * after the blocks it is -1, after the encoder -2. */
typedef struct faulty {
    fault fault;
    int place;
} faulty;

static ag_tensor *norm_across_time(ag_tensor *x)
{
    const int order[] = {0, 2, 1};
    return ag_permute(ag_layer_norm(ag_permute(x, order), NULL, NULL, 1e-5), order);
}

static ag_tensor *add_trace(ag_tensor *x)
{
    return ag_add(x, ag_scale(ag_sum(x, AG_AXIS(1), true), PRECISION(1e-200, 1e-30)));
}

/* x, plus 0 with a gradient that is none: the square root's at 0. The features get
 * different parts of it, since a norm may follow, whose gradients add up to 0 over them:
 * and a gradient of 0 passes nothing on. */
static ag_tensor *nan_gradient(ag_tensor *x)
{
    ag_real parts[64];
    const int64_t width = x->shape.dim[2];
    ck_assert_int_le(width, 64);
    for (int64_t i = 0; i < width; i++)
        parts[i] = (ag_real)(i + 1);
    ag_tensor *zero = ag_sqrt(ag_scale(ag_sum(x, AG_AXIS(1) | AG_AXIS(2), true), 0));
    return ag_add(x, ag_mul(zero, ag_constant(x->tape, AG_SHAPE(width), parts)));
}

static ag_tensor *spoil(const faulty *f, int place, ag_tensor *x)
{
    if (f->place != place || f->fault == SHIFT || f->fault == SOUND)
        return x;
    return f->fault == TIME_NORM ? norm_across_time(x) : f->fault == TRACE ? add_trace(x) : nan_gradient(x);
}

static ag_tensor *decode(const faulty *f, const nn_model *model, const nn_pass *pass, ag_tensor *x, ag_tensor *memory)
{
    for (int i = 0; i < model->config.decoder_layers; i++) {
        const ag_mask *mask = ag_mask_causal(pass->tape, f->fault == SHIFT && f->place == i);
        char name[32];
        snprintf(name, sizeof name, "decoder.layers.%d", i);
        ag_tensor *attended = memory ? pass->on_block(pass->context, name, NN_BLOCK_MEMORY, memory) : NULL;
        x = pass->on_block(pass->context, name, NN_BLOCK_INPUT, x);
        x = memory ? nn_decoder_block_apply(&model->decoder[i], pass, x, attended, mask, NULL, NULL, NULL)
                   : nn_encoder_block_apply(&model->decoder_only[i], pass, x, mask, NULL);
        x = pass->on_block(pass->context, name, NN_BLOCK_OUTPUT, spoil(f, i, x));
    }
    return x;
}

static ag_tensor *apply_faulty(void *context, const nn_model *model, const nn_pass *pass, const nn_input *input)
{
    const faulty *f = context;
    const ag_shape shape = AG_SHAPE(input->rows, input->target_length);
    ag_tensor *memory = NULL;
    if (input->source)
        memory = spoil(f, -2, nn_model_encode(model, pass, input));
    ag_tensor *x = nn_embedding_apply(&model->target_embedding, pass, shape, input->target);
    x = decode(f, model, pass, nn_positions_apply(&model->target_positions, pass, x, 0), memory);
    if (!model->config.post_norm)
        x = nn_norm_apply(&model->decoder_norm, pass, x);
    return nn_linear_apply(&model->output, pass, spoil(f, -1, x));
}

static study_leaks find_fault(fault fault_kind, int place, nn_model_config config)
{
    faulty f = {fault_kind, place};
    test_subject s;
    test_subject_init(&s, config, full);
    s.subject.apply = apply_faulty;
    s.subject.context = &f;
    study_leaks leaks = test_leaks_find(&s);
    test_subject_clear(&s);
    return leaks;
}

/* All that is later. */
static bool later(const char *layer, const char *side, int64_t i, int64_t j, int64_t context)
{
    (void)layer, (void)context;
    return !strcmp(side, "target") && i < TARGET && j < TARGET && j > i;
}

static bool others(const char *layer, const char *side, int64_t i, int64_t j, int64_t length)
{
    (void)layer, (void)side;
    return i < length && j < length && i != j;
}

START_TEST(a_computation_of_the_users_own)
{
    for (int variant = 0; variant < 4; variant++) {
        study_leaks leaks = find_fault(
            SOUND, 0,
            (nn_model_config){.kind = variant % 2 ? NN_DECODER : NN_ENCODER_DECODER, .post_norm = variant / 2});
        test_leaks_none(&leaks, "put together");
        study_leaks_clear(&leaks);
    }
}
END_TEST

/* In one of two layers: there, and in the whole model, and nowhere else. */
START_TEST(a_norm_across_time)
{
    for (int variant = 0; variant < 8; variant++) {
        const bool alone = variant % 2;
        const int place = variant / 4;
        study_leaks leaks = find_fault(
            TIME_NORM, place,
            (nn_model_config){.kind = alone ? NN_DECODER : NN_ENCODER_DECODER, .post_norm = variant / 2 % 2});
        expect(&leaks, place ? "decoder.layers.1" : "decoder.layers.0", "target", true, later, 0);
        expect(&leaks, place ? "decoder.layers.0" : "decoder.layers.1", "target", true, NULL, 0);
        expect(&leaks, "output", "target", true, NULL, 0);
        expect(&leaks, "model", "target", true, later, 0);
        ck_assert_int_eq(leaks.count, 6 + 6);
        study_leaks_clear(&leaks);
    }
}
END_TEST

START_TEST(a_norm_across_time_after_the_blocks)
{
    study_leaks leaks = find_fault(TIME_NORM, -1, (nn_model_config){.kind = NN_DECODER});
    expect(&leaks, "output", "target", true, others, TARGET);
    expect(&leaks, "model", "target", true, later, 0);
    ck_assert_int_eq(leaks.count, 12 + 6);
    study_leaks_clear(&leaks);

    leaks = find_fault(TIME_NORM, -2, (nn_model_config){0});
    expect(&leaks, "encoder.norm", "source", true, others, SOURCE);
    ck_assert_int_eq(leaks.count, SOURCE * (SOURCE - 1));
    study_leaks_clear(&leaks);
}
END_TEST

START_TEST(a_leak_in_one_layer_alone)
{
    study_leaks leaks = find_fault(SHIFT, 1, (nn_model_config){.kind = NN_DECODER});
    expect(&leaks, "decoder.layers.0", "target", true, NULL, 0);
    expect(&leaks, "decoder.layers.1", "target", true, shifted, 1);
    expect(&leaks, "model", "target", true, shifted, 1);
    ck_assert_int_eq(leaks.count, 3 + 3);
    study_leaks_clear(&leaks);
}
END_TEST

/* Exactly 0 is meant, not small. */
START_TEST(a_trace_is_a_leak)
{
    study_leaks leaks = find_fault(TRACE, 0, (nn_model_config){.kind = NN_DECODER});
    expect(&leaks, "decoder.layers.0", "target", true, later, 0);
    expect(&leaks, "model", "target", true, later, 0);
    ck_assert_int_eq(leaks.count, 6 + 6);
    for (int64_t n = 0; n < leaks.count; n++)
        ck_assert(leaks.items[n].influence < PRECISION(1e-195, 1e-25));
    study_leaks_clear(&leaks);
}
END_TEST

START_TEST(nan_is_a_leak)
{
    study_leaks leaks = find_fault(NAN_GRADIENT, 1, (nn_model_config){.kind = NN_DECODER});
    expect(&leaks, "decoder.layers.0", "target", true, NULL, 0);
    expect(&leaks, "decoder.layers.1", "target", true, later, 0);
    ck_assert_int_eq(leaks.count, 6 + 6);
    for (int64_t n = 0; n < leaks.count; n++)
        ck_assert(isnan(leaks.items[n].influence));
    study_leaks_clear(&leaks);
}
END_TEST

/* ---- Sharp attention --------------------------------------------------------------- */

/* Scores so far apart that most weights are 0: what is allowed does not count as
 * forbidden for that, and what is forbidden is found behind them. */
START_TEST(sharp_attention_is_no_mask)
{
    for (int variant = 0; variant < 6; variant++) {
        test_subject s;
        test_subject_init(&s,
                          (nn_model_config){.kind = kinds[variant % 3],
                                            .post_norm = variant / 3,
                                            .heads = 1,
                                            .encoder_layers = 1,
                                            .decoder_layers = 1},
                          padded);
        for (int i = 0; i < s.model->params.count; i++) {
            const nn_param *item = &s.model->params.items[i];
            if (strstr(item->name, "in_proj_weight"))
                for (int64_t e = 0; e < item->size / 3; e++) /* the query's */
                    s.model->params.value[item->offset + e] *= 1000000;
        }
        study_influence influence;
        int64_t lost = 0;
        ck_assert_int_eq(study_influence_find(&s.subject, &influence, NULL), AG_OK);
        for (int64_t e = 0; e < influence.outputs * influence.inputs; e++)
            lost += influence.cells[e] == STUDY_SEEN && influence.values[e] == 0;
        ck_assert_int_gt(lost, 0); /* else there is nothing to test */
        study_influence_clear(&influence);

        study_leaks leaks = test_leaks_find(&s);
        test_leaks_none(&leaks, "sharp attention");
        study_leaks_clear(&leaks);
        if (variant % 3 != 2) {
            s.batch.input.encoder_mask = ag_mask_all(s.masks);
            leaks = test_leaks_find(&s);
            expect(&leaks, "encoder.layers.0", "source", true, source_padding, SOURCE);
            study_leaks_clear(&leaks);
        }
        test_subject_clear(&s);
    }
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("study_leaks_planted");
    TCase *tcase = tcase_create("leaks");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, masks_that_differ_from_those_declared);
    tcase_add_test(tcase, a_causal_mask_shifted_by_one);
    tcase_add_test(tcase, an_encoder_without_its_padding_mask);
    tcase_add_test(tcase, a_decoder_without_its_padding_mask);
    tcase_add_test(tcase, a_cross_attention_without_its_padding_mask);
    tcase_add_test(tcase, a_cross_mask_from_the_wrong_side);
    tcase_add_test(tcase, a_mask_that_forbids_too_much);
    tcase_add_test(tcase, a_computation_of_the_users_own);
    tcase_add_test(tcase, a_norm_across_time);
    tcase_add_test(tcase, a_norm_across_time_after_the_blocks);
    tcase_add_test(tcase, a_leak_in_one_layer_alone);
    tcase_add_test(tcase, a_trace_is_a_leak);
    tcase_add_test(tcase, nan_is_a_leak);
    tcase_add_test(tcase, sharp_attention_is_no_mask);
    suite_add_tcase(s, tcase);
    return s;
}

TEST_MAIN(suite)
