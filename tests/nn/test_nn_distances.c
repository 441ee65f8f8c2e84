/* test_nn_distances.c - ALiBi and relative positions against their papers' formulas, in
 * double. */
#include "nn_util.h"

#include <math.h>
#include <string.h>

/* ---- Slopes ------------------------------------------------------------------------ */

/* Press, Smith and Lewis 2022, section 3, by hand. */
START_TEST(slopes)
{
    static const struct {
        int heads;
        double exponents[12]; /* of 1/2 */
    } cases[] = {
        {1, {8}},
        {2, {4, 8}},
        {4, {2, 4, 6, 8}},
        {6, {2, 4, 6, 8, 1, 3}},
        {8, {1, 2, 3, 4, 5, 6, 7, 8}},
        {12, {1, 2, 3, 4, 5, 6, 7, 8, 0.5, 1.5, 2.5, 3.5}},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++)
        for (int h = 0; h < cases[c].heads; h++)
            ck_assert_double_eq_tol(nn_alibi_slope(h, cases[c].heads), pow(0.5, cases[c].exponents[h]), 1e-15);
}
END_TEST

/* ---- Buckets ----------------------------------------------------------------------- */

/* The first distance of each bucket of one side, from the formula in Raffel et al. 2020,
 * section 2.1: one for each of 0 .. n/2 - 1, then (n/2) (128 / (n/2))^(k / (n/2)). */
static int bucket_by_borders(int n, int away)
{
    const int half = n / 2;
    if (away < half)
        return away;
    int bucket = half;
    for (int k = 1; k < half; k++)
        if (away >= half * pow(128.0 / half, (double)k / half) - 1e-9)
            bucket = half + k;
    return bucket;
}

static nn_relative_positions relative_of(bool one_sided)
{
    nn_params params = {0};
    nn_relative_positions layer;
    ag_error error = {0};
    ck_assert_int_eq(nn_relative_positions_init(&layer, &params, "r", 2, one_sided, &error), AG_OK);
    nn_params_clear(&params);
    return layer;
}

START_TEST(buckets)
{
    const nn_relative_positions encoder = relative_of(false), decoder = relative_of(true);
    for (int d = -1000; d <= 1000; d++) {
        ck_assert_int_eq(nn_relative_bucket(&encoder, d), (d > 0 ? 16 : 0) + bucket_by_borders(16, abs(d)));
        ck_assert_int_eq(nn_relative_bucket(&decoder, d), d < 0 ? bucket_by_borders(32, -d) : 0);
    }
    ck_assert_int_eq(nn_relative_bucket(&encoder, INT64_MAX), 31);
    ck_assert_int_eq(nn_relative_bucket(&encoder, -INT64_MAX), 15);
    ck_assert_int_eq(nn_relative_bucket(&decoder, -INT64_MAX), 31);
}
END_TEST

/* The same as a published table: Hugging Face's T5 begins its buckets at these
 * distances. */
START_TEST(buckets_as_published)
{
    static const int encoder_begins[] = {8, 12, 16, 23, 32, 46, 64, 91};
    static const int decoder_begins[] = {16, 19, 21, 24, 27, 31, 35, 40, 46, 52, 59, 67, 77, 87, 99, 113};
    const nn_relative_positions encoder = relative_of(false), decoder = relative_of(true);
    for (int b = 0; b < 8; b++) {
        ck_assert_int_eq(nn_relative_bucket(&encoder, -encoder_begins[b]), 8 + b);
        ck_assert_int_eq(nn_relative_bucket(&encoder, -(encoder_begins[b] - 1)), 7 + b);
        ck_assert_int_eq(nn_relative_bucket(&encoder, encoder_begins[b]), 24 + b);
    }
    for (int b = 0; b < 16; b++) {
        ck_assert_int_eq(nn_relative_bucket(&decoder, -decoder_begins[b]), 16 + b);
        ck_assert_int_eq(nn_relative_bucket(&decoder, -(decoder_begins[b] - 1)), 15 + b);
    }
}
END_TEST

/* ---- Attention --------------------------------------------------------------------- */

enum { HEADS = 3, WIDTH = 4, D = HEADS * WIDTH, LENGTH = 21 };

typedef struct scene {
    nn_params params;
    nn_attention layer;
    ag_tape *tape;
    nn_pass pass;
    ag_tensor *x; /* [1, LENGTH, D] */
} scene;

/* `kind`: 0 ALiBi, 1 relative, 2 relative and one-sided. */
static void scene_open(scene *s, int kind)
{
    nn_attention_config config = {.d_model = D, .heads = HEADS, .alibi = kind == 0};
    ag_error error = {0};
    *s = (scene){.tape = ag_tape_new(NULL)};
    s->pass = (nn_pass){.tape = s->tape, .params = &s->params};
    if (kind)
        ck_assert_int_eq(nn_relative_positions_init(&config.relative, &s->params, "r", HEADS, kind == 2, &error),
                         AG_OK);
    ck_assert_int_eq(nn_attention_init(&s->layer, &s->params, "a", &config, &error), AG_OK);
    ck_assert_int_eq(nn_params_allocate(&s->params, 3, &error), AG_OK);
    test_fill(s->params.value, s->params.size, 5, -1, 1);
    s->x = ag_variable(s->tape, AG_SHAPE(1, LENGTH, D), NULL);
    test_fill(s->x->data, s->x->size, 7, -1, 1);
}

static void scene_close(scene *s)
{
    ag_tape_free(s->tape);
    nn_params_clear(&s->params);
}

static const ag_real *parameter_of(const scene *s, const char *name)
{
    return s->params.value + s->params.items[nn_params_find(&s->params, name)].offset;
}

/* One number of a query or a key of the scene: of row t, column c; `block` 0 or 1. */
static double projected(const scene *s, int block, int t, int c)
{
    const ag_real *weight = parameter_of(s, "a.in_proj_weight") + (block * D + c) * D;
    double sum = (double)parameter_of(s, "a.in_proj_bias")[block * D + c];
    for (int i = 0; i < D; i++)
        sum += (double)weight[i] * (double)s->x->data[t * D + i];
    return sum;
}

static double bias_by_formula(const scene *s, int kind, int h, int i, int j)
{
    static const double slope_of[HEADS] = {1.0 / 16, 1.0 / 256, 1.0 / 4};
    const int away = abs(i - j);
    if (kind == 0)
        return -slope_of[h] * away;
    const int bucket = kind == 1 ? (j > i ? 16 : 0) + bucket_by_borders(16, away)
                       : j > i   ? 0
                                 : bucket_by_borders(32, away);
    return (double)parameter_of(s, "r.weight")[bucket * HEADS + h];
}

/* weights [HEADS, LENGTH, LENGTH] of causal attention, or of all to all. */
static void weights_by_formula(const scene *s, int kind, bool causal, double *weights)
{
    for (int h = 0; h < HEADS; h++)
        for (int i = 0; i < LENGTH; i++) {
            double *row = weights + (h * LENGTH + i) * LENGTH, sum = 0;
            for (int j = 0; j < LENGTH; j++) {
                double dot = 0;
                for (int c = h * WIDTH; c < (h + 1) * WIDTH; c++)
                    dot += projected(s, 0, i, c) * projected(s, 1, j, c);
                row[j] = causal && j > i ? 0 : exp(dot / sqrt(WIDTH) + bias_by_formula(s, kind, h, i, j));
                sum += row[j];
            }
            for (int j = 0; j < LENGTH; j++)
                row[j] /= sum;
        }
}

/* In both directions and causal, by the plain form; the fused one gives the same. */
START_TEST(weights_are_those_of_the_formula)
{
    static double expected[HEADS * LENGTH * LENGTH];
    for (int causal = 0; causal <= 1; causal++) {
        scene s;
        scene_open(&s, _i);
        const ag_mask *mask = causal ? ag_mask_causal(s.tape, 0) : NULL;
        ag_tensor *weights = NULL;
        ag_tensor *plain = nn_attention_apply(&s.layer, &s.pass, s.x, s.x, s.x, mask, NULL, &weights);
        ag_tensor *fused = nn_attention_apply(&s.layer, &s.pass, s.x, s.x, s.x, mask, NULL, NULL);
        ck_assert_msg(plain && fused && weights, "%s", ag_tape_error(s.tape)->message);
        weights_by_formula(&s, _i, causal, expected);
        for (int e = 0; e < HEADS * LENGTH * LENGTH; e++)
            ck_assert_double_eq_tol((double)weights->data[e], expected[e], PRECISION(1e-13, 1e-5));
        ck_assert_double_le(test_distance(plain->data, fused->data, plain->size), PRECISION(1e-13, 1e-5));
        scene_close(&s);
    }
}
END_TEST

/* Pieces of the sequence, each after what the cache holds, in a cache with room for more,
 * whose free places hold NaN. */
START_TEST(cached_queries_count_from_their_own_place)
{
    enum { CAPACITY = LENGTH + 3 };
    static const int pieces[] = {1, 4, 1, 9, 6};
    static ag_real key[CAPACITY * D], value[CAPACITY * D];
    scene s;
    scene_open(&s, _i);
    for (int e = 0; e < CAPACITY * D; e++)
        key[e] = value[e] = (ag_real)NAN;
    nn_attention_cache cache = {.key = key, .value = value, .rows = 1, .capacity = CAPACITY};
    ag_tensor *whole = nn_attention_apply(&s.layer, &s.pass, s.x, s.x, s.x, ag_mask_causal(s.tape, 0), NULL, NULL);
    for (int p = 0, at = 0; at < LENGTH; at += pieces[p++]) {
        ag_tensor *x = ag_slice(s.x, 1, at, at + pieces[p]);
        ag_tensor *y = nn_attention_apply(&s.layer, &s.pass, x, x, x, ag_mask_causal(s.tape, at), &cache, NULL);
        ck_assert_msg(y != NULL, "%s", ag_tape_error(s.tape)->message);
        ck_assert_double_le(test_distance(y->data, whole->data + at * D, y->size), PRECISION(1e-13, 1e-5));
    }
    scene_close(&s);
}
END_TEST

/* ---- Models ------------------------------------------------------------------------ */

/* One table for a stack; the encoder's counts in both directions. Cross-attention has none
 * unless it is to have positions; then its table counts in both directions. */
START_TEST(layers_of_a_stack_share_a_table)
{
    nn_model *model = test_model((nn_model_config){.positions = NN_RELATIVE}, 1);
    const int encoder = nn_params_find(&model->params, "encoder.relative_positions.weight");
    const int decoder = nn_params_find(&model->params, "decoder.relative_positions.weight");
    int tables = 0;
    ck_assert(encoder >= 0 && decoder >= 0);
    ck_assert(ag_shape_equal(model->params.items[encoder].shape, AG_SHAPE(32, 2)));
    for (int i = 0; i < model->params.count; i++)
        tables += strstr(model->params.items[i].name, "relative") != NULL;
    ck_assert_int_eq(tables, 2);
    for (int i = 0; i < 2; i++) {
        const nn_relative_positions *own = &model->encoder[i].self_attention.config.relative;
        ck_assert(own->weight == encoder && !own->one_sided);
        own = &model->decoder[i].self_attention.config.relative;
        ck_assert(own->weight == decoder && own->one_sided);
        ck_assert_int_eq(model->decoder[i].cross_attention.config.relative.buckets, 0);
    }
    nn_model_free(model);

    model = test_model((nn_model_config){.positions = NN_ALIBI}, 1);
    ck_assert(model->encoder[1].self_attention.config.alibi && model->decoder[1].self_attention.config.alibi);
    ck_assert(!model->decoder[1].cross_attention.config.alibi);
    nn_model_free(model);

    model = test_model((nn_model_config){.positions = NN_RELATIVE, .cross_positions = true}, 1);
    const int cross = nn_params_find(&model->params, "decoder.cross_relative_positions.weight");
    ck_assert(cross >= 0 && ag_shape_equal(model->params.items[cross].shape, AG_SHAPE(32, 2)));
    for (int i = 0; i < 2; i++) {
        const nn_relative_positions *own = &model->decoder[i].cross_attention.config.relative;
        ck_assert(own->weight == cross && !own->one_sided);
    }
    nn_model_free(model);
}
END_TEST

/* Cross-attention whose weights depend on positions alone (its projections of queries and
 * keys are 0 but for a bias) looks at the source by its distance from the target. */
typedef struct look {
    ag_real weights[2][5][6]; /* [heads, target, source] of the last layer */
} look;

static void note_cross_weights(void *context, const char *layer, ag_tensor *weights, const ag_mask *mask)
{
    look *seen = context;
    (void)mask;
    if (!strstr(layer, "layers.1.multihead_attn"))
        return;
    ck_assert(ag_shape_equal(weights->shape, AG_SHAPE(1, 2, 5, 6)));
    memcpy(seen->weights, weights->data, sizeof seen->weights);
}

START_TEST(cross_attention_looks_by_distance)
{
    const nn_position_kind kind = (nn_position_kind)_i;
    for (int crossing = 0; crossing <= 1 && test_acts_within_attention(kind); crossing++) {
        nn_model *model = test_model((nn_model_config){.positions = kind, .cross_positions = crossing}, 4);
        nn_param *item = &model->params.items[model->decoder[1].cross_attention.in_weight];
        memset(model->params.value + item->offset, 0, (size_t)item->size * sizeof(ag_real));
        item = &model->params.items[model->decoder[1].cross_attention.in_bias];
        test_fill(model->params.value + item->offset, item->size, 3, -2, 2);
        ag_tape *tape = ag_tape_new(NULL);
        nn_pass pass = test_pass(model, tape);
        test_batch batch;
        look seen;
        test_batch_fill(&batch, model, 1, 6, 5, 8);
        batch.input.source_lengths = NULL;
        pass.on_attention = note_cross_weights;
        pass.context = &seen;
        ck_assert_ptr_nonnull(nn_model_apply(model, &pass, &batch.input));
        double differs = 0;
        for (int h = 0; h < 2; h++)
            for (int t = 0; t < 4; t++)
                for (int j = 0; j < 5; j++) {
                    /* The ratio of two keys' weights depends on their distances alone. */
                    const double ratio = (double)seen.weights[h][t][j] / (double)seen.weights[h][t][0];
                    const double shifted = (double)seen.weights[h][t + 1][j + 1] / (double)seen.weights[h][t + 1][1];
                    ck_assert_double_eq_tol(log(ratio), log(shifted), PRECISION(1e-12, 1e-4));
                    differs = fmax(differs, fabs(log(ratio)));
                }
        ck_assert(crossing ? differs > 1e-2 : differs < 1e-6);
        ag_tape_free(tape);
        nn_model_free(model);
    }
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("nn_distances");
    TCase *tcase = tcase_create("distances");
    tcase_add_test(tcase, slopes);
    tcase_add_test(tcase, buckets);
    tcase_add_test(tcase, buckets_as_published);
    tcase_add_loop_test(tcase, weights_are_those_of_the_formula, 0, 3);
    tcase_add_loop_test(tcase, cached_queries_count_from_their_own_place, 0, 3);
    tcase_add_test(tcase, layers_of_a_stack_share_a_table);
    tcase_add_loop_test(tcase, cross_attention_looks_by_distance, 0, NN_NO_POSITIONS + 1);
    suite_add_tcase(s, tcase);
    return s;
}

TEST_MAIN(suite)
