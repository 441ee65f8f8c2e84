/* test_study_influence.c - influence against central differences, its zeros against a
 * search for paths by hand. */
#include "subject_util.h"

#include <math.h>
#include <string.h>

static const nn_model_kind kinds[] = {NN_ENCODER_DECODER, NN_ENCODER, NN_DECODER};

enum { SOURCE = 5, TARGET = 4 };
static const test_sizes full = {SOURCE, TARGET, SOURCE, TARGET}, padded = {SOURCE, TARGET, 3, 2};

static study_influence find(const test_subject *s)
{
    ag_error error = {0};
    study_influence influence;
    ck_assert_msg(study_influence_find(&s->subject, &influence, &error) == AG_OK, "%s", error.message);
    return influence;
}

/* ---- Numbers ----------------------------------------------------------------------- */

/* Moves one number of what enters a stack's first block. */
typedef struct push {
    const char *block;
    int64_t index;
    double by;
} push;

static ag_tensor *push_input(void *context, const char *name, nn_block_end end, ag_tensor *x)
{
    const push *p = context;
    if (end != NN_BLOCK_INPUT || strcmp(name, p->block))
        return x;
    ag_tensor *y = ag_variable(x->tape, x->shape, x->data);
    y->data[p->index] += (ag_real)p->by;
    return y;
}

static void pushed_logits(const test_subject *s, push p, ag_real *logits)
{
    ag_tape *tape = test_quiet_tape();
    nn_pass pass = test_pass(s->model, tape);
    pass.on_block = push_input;
    pass.context = &p;
    const ag_tensor *y = nn_model_apply(s->model, &pass, s->subject.input);
    ck_assert_msg(y != NULL, "%s", ag_tape_error(tape)->message);
    memcpy(logits, y->data, (size_t)y->size * sizeof(ag_real));
    ag_tape_free(tape);
}

/* values[outputs, inputs] by central differences in `width` numbers of each input,
 * extrapolated once. */
static void differences(const test_subject *s, const study_influence *like, double *values)
{
    const int64_t vocab = s->model->config.target_vocab, width = s->model->config.d_model;
    const double step = PRECISION(1e-3, 3e-2);
    static ag_real logits[4][SOURCE * 300];
    memset(values, 0, (size_t)(like->outputs * like->inputs) * sizeof *values);
    for (int64_t j = 0; j < like->inputs; j++)
        for (int64_t d = 0; d < width; d++) {
            const bool source = j < like->source_length;
            push p = {source ? "encoder.layers.0" : "decoder.layers.0",
                      (source ? j : j - like->source_length) * width + d, 0};
            for (int side = 0; side < 4; side++) {
                p.by = (side % 2 ? -1 : 1) * (side / 2 ? 2 : 1) * step;
                pushed_logits(s, p, logits[side]);
            }
            for (int64_t e = 0; e < like->outputs * vocab; e++) {
                const double near = ((double)logits[0][e] - (double)logits[1][e]) / (2 * step),
                             far = ((double)logits[2][e] - (double)logits[3][e]) / (4 * step),
                             slope = (4 * near - far) / 3;
                values[e / vocab * like->inputs + j] += slope * slope;
            }
        }
    for (int64_t e = 0; e < like->outputs * like->inputs; e++)
        values[e] = sqrt(values[e]);
}

START_TEST(influence_is_what_differences_say)
{
    static const nn_position_kind positions[] = {NN_SINUSOIDAL, NN_ROTARY, NN_ALIBI, NN_RELATIVE};
    for (int variant = 0; variant < 24; variant++) {
        test_subject s;
        double expected[SOURCE * (SOURCE + TARGET)];
        const bool crosses = kinds[variant % 3] == NN_ENCODER_DECODER;
        test_subject_init(&s,
                          (nn_model_config){.kind = kinds[variant % 3],
                                            .post_norm = variant / 3 % 2,
                                            .positions = positions[variant / 6],
                                            .cross_positions = crosses && variant / 6,
                                            .cross_window = crosses && variant / 6 == 2,
                                            .activation = AG_GELU},
                          variant / 6 % 2 ? full : padded);
        study_influence influence = find(&s);
        ck_assert_int_eq(influence.source_length, kinds[variant % 3] == NN_DECODER ? 0 : SOURCE);
        ck_assert_int_eq(influence.inputs - influence.source_length, kinds[variant % 3] == NN_ENCODER ? 0 : TARGET);
        ck_assert_int_eq(influence.outputs, kinds[variant % 3] == NN_ENCODER ? SOURCE : TARGET);
        differences(&s, &influence, expected);
        for (int64_t e = 0; e < influence.outputs * influence.inputs; e++) {
            const double value = (double)influence.values[e], distance = fabs(value - expected[e]);
            ck_assert_msg(distance <= PRECISION(1e-9, 2e-3) * fmax(1, value),
                          "variant %d, %lld: %.9g, by differences %.9g", variant, (long long)e, value, expected[e]);
            ck_assert((value == 0) == (influence.cells[e] != STUDY_SEEN));
        }
        study_influence_clear(&influence);
        test_subject_clear(&s);
    }
}
END_TEST

/* More logits than are differentiated one by one: an estimate, within four times its
 * error, but not of 0. */
START_TEST(large_vocabularies_are_estimated)
{
    enum { VOCAB = 300 };
    for (int variant = 0; variant < 3; variant++) {
        int estimated = 0;
        test_subject s;
        double expected[SOURCE * (SOURCE + TARGET)];
        test_subject_init(
            &s, (nn_model_config){.kind = kinds[variant], .target_vocab = VOCAB, .activation = AG_GELU, .d_model = 4},
            padded);
        study_influence influence = find(&s);
        differences(&s, &influence, expected);
        for (int64_t e = 0; e < influence.outputs * influence.inputs; e++) {
            const double value = (double)influence.values[e];
            ck_assert_msg(fabs(value - expected[e]) <= 0.36 * value + PRECISION(1e-9, 0), "%lld: %.9g, exactly %.9g",
                          (long long)e, value, expected[e]);
            ck_assert((value == 0) == (influence.cells[e] != STUDY_SEEN));
            estimated += fabs(value - expected[e]) > 0.01 * value;
        }
        ck_assert_int_gt(estimated, 3);
        study_influence_clear(&influence);
        test_subject_clear(&s);
    }
}
END_TEST

/* The last vocabulary that is exact. */
START_TEST(vocabularies_of_256_are_exact)
{
    test_subject s;
    double expected[SOURCE * (SOURCE + TARGET)];
    test_subject_init(
        &s, (nn_model_config){.kind = NN_DECODER, .target_vocab = 256, .activation = AG_GELU, .d_model = 4}, padded);
    study_influence influence = find(&s);
    differences(&s, &influence, expected);
    for (int64_t e = 0; e < influence.outputs * influence.inputs; e++)
        ck_assert_double_le(fabs((double)influence.values[e] - expected[e]),
                            PRECISION(1e-8, 2e-3) * fmax(1, expected[e]));
    study_influence_clear(&influence);
    test_subject_clear(&s);
}
END_TEST

/* ---- Cells ------------------------------------------------------------------------- */

/* A mask [2 heads, queries, keys] that is drawn; a third of it is allowed. */
static const ag_mask *draw_mask(const test_subject *s, int64_t queries, int64_t keys, ag_rng *rng,
                                unsigned char allow[2 * SOURCE * SOURCE])
{
    for (int64_t e = 0; e < 2 * queries * keys; e++)
        allow[e] = ag_rng_below(rng, 6) == 0;
    return ag_mask_explicit(s->masks, 1, 2, queries, keys, allow);
}

typedef struct drawn {
    unsigned char encoder[2 * SOURCE * SOURCE], decoder[2 * SOURCE * SOURCE], cross[2 * SOURCE * SOURCE];
    nn_model_kind kind;
} drawn;

static bool any_head(const unsigned char *allow, int64_t queries, int64_t keys, int64_t i, int64_t j)
{
    return allow[i * keys + j] || allow[(queries + i) * keys + j];
}

/* Whether there is a path from input j of the source to position i after `layers` blocks
 * of the encoder. */
static bool encoder_path(const drawn *m, int layers, int64_t i, int64_t j)
{
    if (layers == 0)
        return i == j;
    for (int64_t k = 0; k < SOURCE; k++)
        if ((k == i || any_head(m->encoder, SOURCE, SOURCE, i, k)) && encoder_path(m, layers - 1, k, j))
            return true;
    return false;
}

/* The same of the decoder; input j of the source, or of the target. */
static bool decoder_path(const drawn *m, const nn_model_config *config, int layers, int64_t i, bool source, int64_t j)
{
    if (layers == 0)
        return !source && i == j;
    for (int64_t k = 0; k < TARGET; k++)
        if ((k == i || any_head(m->decoder, TARGET, TARGET, i, k)) && decoder_path(m, config, layers - 1, k, source, j))
            return true;
    for (int64_t k = 0; k < SOURCE && source; k++)
        if (any_head(m->cross, TARGET, SOURCE, i, k) && encoder_path(m, config->encoder_layers, k, j))
            return true;
    return false;
}

START_TEST(cells_are_paths_through_the_masks)
{
    int64_t seen = 0, masked = 0;
    ag_rng rng = ag_rng_make(5, 0);
    for (int variant = 0; variant < 36; variant++) {
        const nn_model_config config = {.kind = kinds[variant % 3],
                                        .encoder_layers = 1 + variant / 3 % 2,
                                        .decoder_layers = 1 + variant / 6 % 3,
                                        .post_norm = variant / 18};
        test_subject s;
        drawn m = {.kind = config.kind};
        test_subject_init(&s, config, full);
        nn_input *input = &s.batch.input;
        input->encoder_mask = s.subject.encoder_mask = draw_mask(&s, SOURCE, SOURCE, &rng, m.encoder);
        input->decoder_mask = s.subject.decoder_mask = draw_mask(&s, TARGET, TARGET, &rng, m.decoder);
        input->cross_mask = s.subject.cross_mask = draw_mask(&s, TARGET, SOURCE, &rng, m.cross);
        study_influence influence = find(&s);
        for (int64_t i = 0; i < influence.outputs; i++)
            for (int64_t j = 0; j < influence.inputs; j++) {
                const bool source = j < influence.source_length;
                const bool path = config.kind == NN_ENCODER
                                      ? encoder_path(&m, config.encoder_layers, i, j)
                                      : decoder_path(&m, &config, config.decoder_layers, i, source,
                                                     source ? j : j - influence.source_length);
                const int64_t e = i * influence.inputs + j;
                ck_assert_int_eq(influence.cells[e], path ? STUDY_SEEN : STUDY_MASKED);
                ck_assert(path == (influence.values[e] != 0));
                ++*(path ? &seen : &masked);
            }
        study_influence_clear(&influence);
        test_subject_clear(&s);
    }
    ck_assert_int_gt(seen, 100);
    ck_assert_int_gt(masked, 100);
}
END_TEST

/* A row for each output: seen, masked, padding. The source's inputs first. */
START_TEST(padding_has_cells_of_its_own)
{
    static const char *const pictures[3][SOURCE] = {
        {"sss__"
         "sm__",
         "sss__"
         "ss__",
         "sss__"
         "sss_",
         "sss__"
         "ss_s"},
        {"sss__", "sss__", "sss__", "ssss_", "sss_s"},
        {"sm__", "ss__", "sss_", "ss_s"},
    };
    for (int k = 0; k < 3; k++) {
        test_subject s;
        test_subject_init(&s, (nn_model_config){.kind = kinds[k]}, padded);
        study_influence influence = find(&s);
        for (int64_t i = 0; i < influence.outputs; i++)
            for (int64_t j = 0; j < influence.inputs; j++)
                ck_assert_int_eq("sm_"[influence.cells[i * influence.inputs + j]], pictures[k][i][j]);
        study_influence_clear(&influence);
        test_subject_clear(&s);
    }
}
END_TEST

/* ---- Threads, memory, mistakes ----------------------------------------------------- */

START_TEST(threads_change_no_bit)
{
    test_subject s;
    test_subject_init(&s, (nn_model_config){.d_model = 48, .heads = 3, .ffn = 96, .max_length = 32, .target_vocab = 30},
                      (test_sizes){30, 28, 20, 28});
    study_influence one = find(&s);
    s.subject.threads = 2;
    study_influence two = find(&s);
    ck_assert_mem_eq(one.values, two.values, (size_t)(one.outputs * one.inputs) * sizeof(ag_real));
    ck_assert_mem_eq(one.cells, two.cells, (size_t)(one.outputs * one.inputs));
    study_influence_clear(&one);
    study_influence_clear(&two);
    test_subject_clear(&s);
}
END_TEST

/* A study leaves the model's gradients alone. */
START_TEST(the_model_stays_as_it_is)
{
    test_subject s;
    test_subject_init(&s, (nn_model_config){0}, padded);
    study_influence influence = find(&s);
    for (int64_t e = 0; e < s.model->params.size; e++)
        ck_assert(s.model->params.grad[e] == 0);
    study_influence_clear(&influence);
    test_subject_clear(&s);
}
END_TEST

START_TEST(every_allocation_can_fail)
{
    test_subject s;
    test_subject_init(&s, (nn_model_config){0}, padded);
    for (int64_t n = 1;; n++) {
        ag_error error = {0};
        study_influence influence;
        test_fail_allocation(n);
        const ag_status status = study_influence_find(&s.subject, &influence, &error);
        test_fail_allocation(0);
        ck_assert_int_eq(error.status, status);
        if (status == AG_OK) {
            ck_assert_int_gt(n, 15);
            study_influence_clear(&influence);
            break;
        }
        ck_assert_int_eq(status, AG_NO_MEMORY);
        ck_assert_ptr_nonnull(strstr(error.message, "out of memory"));
        ck_assert(!influence.values && !influence.cells);
    }
    test_subject_clear(&s);
}
END_TEST

START_TEST(mistakes_are_named)
{
    test_subject s;
    ag_error error = {0};
    study_influence influence;
    test_subject_init(&s, (nn_model_config){0}, padded);
    s.batch.input.rows = 0;
    ck_assert_int_eq(study_influence_find(&s.subject, &influence, &error), AG_BAD_VALUE);
    ck_assert_ptr_nonnull(strstr(error.message, "one example, not on 0"));
    s.batch.input.rows = 1;
    error = (ag_error){0};
    s.batch.target[1] = 7;
    ck_assert_int_eq(study_influence_find(&s.subject, &influence, &error), AG_BAD_VALUE);
    ck_assert_ptr_nonnull(strstr(error.message, "id 7"));
    ck_assert_ptr_null(influence.values);
    test_subject_clear(&s);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("study_influence");
    TCase *tcase = tcase_create("influence");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, influence_is_what_differences_say);
    tcase_add_test(tcase, large_vocabularies_are_estimated);
    tcase_add_test(tcase, vocabularies_of_256_are_exact);
    tcase_add_test(tcase, cells_are_paths_through_the_masks);
    tcase_add_test(tcase, padding_has_cells_of_its_own);
    tcase_add_test(tcase, threads_change_no_bit);
    tcase_add_test(tcase, the_model_stays_as_it_is);
    tcase_add_test(tcase, every_allocation_can_fail);
    tcase_add_test(tcase, mistakes_are_named);
    suite_add_tcase(s, tcase);
    return s;
}

TEST_MAIN(suite)
