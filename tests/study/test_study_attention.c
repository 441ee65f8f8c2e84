/* test_study_attention.c - the weights of every attention of a model: names, marks, sums,
 * entropy, and what sees nothing. */
#include "nn_util.h"
#include "study.h"

#include <math.h>
#include <string.h>

enum { SOURCE = 5, TARGET = 4, PADDING = 2, HEADS = 2, LAYERS = 2 };

static const nn_model_kind kinds[] = {NN_ENCODER_DECODER, NN_ENCODER, NN_DECODER};

static nn_model *model;
static test_batch batch;
static study_maps maps;

/* A model of this kind, and one row whose last PADDING positions of each side are
 * padding. */
static void begin(nn_model_config config)
{
    model = test_model(config, 1);
    test_batch_fill(&batch, model, 1, SOURCE + PADDING, TARGET + PADDING, 2);
    batch.source_lengths[0] = SOURCE;
    batch.target_lengths[0] = TARGET;
}

static void look(void)
{
    ag_error error = {0};
    study_maps_clear(&maps);
    ck_assert_msg(study_attention(model, &batch.input, &maps, &error) == AG_OK, "%s", error.message);
}

static void end(void)
{
    study_maps_clear(&maps);
    nn_model_free(model);
}

/* Which side an attention's queries and keys are of. */
static bool asks_source(const study_map *map)
{
    return !strncmp(map->name, "encoder.", 8);
}

static bool looks_at_source(const study_map *map)
{
    return asks_source(map) || strstr(map->name, "multihead_attn");
}

/* Of all three kinds of attention, by their definition. */
static study_cell expected_cell(const study_map *map, int64_t i, int64_t j)
{
    if (i >= (asks_source(map) ? SOURCE : TARGET) || j >= (looks_at_source(map) ? SOURCE : TARGET))
        return STUDY_PADDING;
    return looks_at_source(map) || j <= i ? STUDY_SEEN : STUDY_MASKED;
}

static void check_names(nn_model_kind kind)
{
    static const char *const names[][6] = {{"encoder.layers.0.self_attn", "encoder.layers.1.self_attn",
                                            "decoder.layers.0.self_attn", "decoder.layers.0.multihead_attn",
                                            "decoder.layers.1.self_attn", "decoder.layers.1.multihead_attn"},
                                           {"encoder.layers.0.self_attn", "encoder.layers.1.self_attn"},
                                           {"decoder.layers.0.self_attn", "decoder.layers.1.self_attn"}};
    ck_assert_int_eq(maps.count, kind == NN_ENCODER_DECODER ? 6 : 2);
    for (int m = 0; m < maps.count; m++)
        ck_assert_str_eq(maps.items[m].name, names[kind][m]);
}

/* Cells as expected; weights that are a distribution over what is seen, and exactly 0
 * where they must not be. */
static void check_map(const study_map *map)
{
    ck_assert_int_eq(map->heads, HEADS);
    ck_assert_int_eq(map->queries, (asks_source(map) ? SOURCE : TARGET) + PADDING);
    ck_assert_int_eq(map->keys, (looks_at_source(map) ? SOURCE : TARGET) + PADDING);
    for (int64_t row = 0; row < HEADS * map->queries; row++) {
        const int64_t i = row % map->queries;
        double sum = 0;
        for (int64_t j = 0; j < map->keys; j++) {
            const ag_real weight = map->weights[row * map->keys + j];
            const study_cell cell = expected_cell(map, i, j);
            ck_assert_int_eq(map->cells[row * map->keys + j], cell);
            if (cell == STUDY_MASKED || j >= (looks_at_source(map) ? SOURCE : TARGET))
                ck_assert(weight == 0);
            if (cell == STUDY_SEEN) {
                ck_assert(weight > 0);
                sum += (double)weight;
            }
        }
        if (i < (asks_source(map) ? SOURCE : TARGET))
            ck_assert(fabs(sum - 1) < PRECISION(1e-14, 1e-6));
    }
}

START_TEST(test_all_kinds)
{
    for (int form = 0; form < 6; form++) {
        begin((nn_model_config){.kind = kinds[form % 3], .post_norm = form / 3, .dropout = 0.5});
        look();
        check_names(kinds[form % 3]);
        for (int m = 0; m < maps.count; m++)
            check_map(&maps.items[m]);
        ck_assert_int_eq(maps.blind, 0);
        end();
    }
}
END_TEST

/* The weights are those that the model works with: that of an encoder's first layer, by
 * hand. */
START_TEST(test_weights_are_the_models)
{
    begin((nn_model_config){.kind = NN_ENCODER, .post_norm = true, .positions = NN_NO_POSITIONS});
    look();
    const nn_params *params = &model->params;
    const ag_real *table = params->value + params->items[nn_params_find(params, "src_embedding.weight")].offset;
    const ag_real *in = params->value + params->items[model->encoder[0].self_attention.in_weight].offset;
    const ag_real *bias = params->value + params->items[model->encoder[0].self_attention.in_bias].offset;
    enum { D = 8, WIDTH = D / HEADS };
    for (int h = 0; h < HEADS; h++)
        for (int i = 0; i < SOURCE; i++) {
            double score[SOURCE], sum = 0;
            for (int j = 0; j < SOURCE; j++) {
                score[j] = 0;
                for (int c = h * WIDTH; c < (h + 1) * WIDTH; c++) {
                    double q = (double)bias[c], k = (double)bias[D + c];
                    for (int d = 0; d < D; d++) {
                        q += sqrt(D) * (double)table[batch.source[i] * D + d] * (double)in[c * D + d];
                        k += sqrt(D) * (double)table[batch.source[j] * D + d] * (double)in[(D + c) * D + d];
                    }
                    score[j] += q * k / sqrt(WIDTH);
                }
                sum += exp(score[j]);
            }
            for (int j = 0; j < SOURCE; j++) {
                const int64_t cell = ((int64_t)h * (SOURCE + PADDING) + i) * (SOURCE + PADDING) + j;
                ck_assert(fabs((double)maps.items[0].weights[cell] - exp(score[j]) / sum) < PRECISION(1e-13, 1e-5));
            }
        }
    end();
}
END_TEST

/* ---- Entropy ----------------------------------------------------------------------- */

/* No query asks for anything: all keys that are seen weigh the same. */
static void make_uniform(void)
{
    nn_params *params = &model->params;
    for (int p = 0; p < params->count; p++) {
        const nn_param *item = &params->items[p];
        if (strstr(item->name, "in_proj"))
            memset(params->value + item->offset, 0, (size_t)(item->size / 3) * sizeof(ag_real));
    }
}

START_TEST(test_entropy_of_uniform_attention)
{
    double causal = 0;
    for (int i = 0; i < TARGET; i++)
        causal += log2(i + 1) / TARGET;
    for (int k = 0; k < 3; k++) {
        begin((nn_model_config){.kind = kinds[k]});
        make_uniform();
        look();
        for (int m = 0; m < maps.count; m++)
            for (int h = 0; h < HEADS; h++) {
                const double wanted = looks_at_source(&maps.items[m]) ? log2(SOURCE) : causal;
                ck_assert_msg(fabs(maps.items[m].entropy[h] - wanted) < PRECISION(1e-14, 1e-6),
                              "%s has %.17g bits, not %.17g", maps.items[m].name, maps.items[m].entropy[h], wanted);
            }
        end();
    }
}
END_TEST

/* A power of two: no rounding at all. */
START_TEST(test_entropy_is_exact)
{
    begin((nn_model_config){.kind = NN_ENCODER_DECODER});
    make_uniform();
    batch.source_lengths[0] = 4;
    look();
    for (int h = 0; h < HEADS; h++) {
        ck_assert(maps.items[0].entropy[h] == 2);
        ck_assert(maps.items[3].entropy[h] == 2);
    }
    end();
}
END_TEST

START_TEST(test_entropy_of_one_key)
{
    ag_tape *tape = ag_tape_new(NULL);
    begin((nn_model_config){.kind = NN_ENCODER_DECODER});
    batch.input.encoder_mask = batch.input.decoder_mask = ag_mask_window(tape, 0, 0);
    batch.source_lengths[0] = 1; /* the only key of the cross-attention */
    look();
    ck_assert_int_eq(maps.count, 6);
    for (int m = 0; m < maps.count; m++)
        for (int h = 0; h < HEADS; h++)
            ck_assert(maps.items[m].entropy[h] == 0);
    end();
    ag_tape_free(tape);
}
END_TEST

/* Each head has its own. */
START_TEST(test_entropy_by_hand)
{
    begin((nn_model_config){.kind = NN_DECODER});
    look();
    for (int m = 0; m < maps.count; m++)
        for (int h = 0; h < HEADS; h++) {
            double sum = 0;
            for (int i = 0; i < TARGET; i++)
                for (int j = 0; j <= i; j++) {
                    const int64_t cell = ((int64_t)h * (TARGET + PADDING) + i) * (TARGET + PADDING) + j;
                    const double weight = (double)maps.items[m].weights[cell];
                    sum -= weight * log(weight) / log(2) / TARGET;
                }
            ck_assert(fabs(maps.items[m].entropy[h] - sum) < 1e-12);
        }
    ck_assert(fabs(maps.items[0].entropy[0] - maps.items[0].entropy[1]) > 1e-4);
    end();
}
END_TEST

/* ---- Masks of one's own ------------------------------------------------------------ */

/* Each head has a mask of its own, query 1 of head 0 sees nothing, and query 2 of
 * both. */
START_TEST(test_heads_and_blind_queries)
{
    enum { LENGTH = TARGET + PADDING };
    ag_tape *tape = ag_tape_new(NULL);
    unsigned char allow[HEADS * LENGTH * LENGTH];
    for (int e = 0; e < HEADS * LENGTH * LENGTH; e++) {
        const int h = e / LENGTH / LENGTH, i = e / LENGTH % LENGTH, j = e % LENGTH;
        allow[e] = (h ? j % 2 == 0 : j < 3) && !(h == 0 && i == 1) && i != 2;
    }
    begin((nn_model_config){.kind = NN_DECODER});
    make_uniform();
    batch.input.decoder_mask = ag_mask_explicit(tape, 1, HEADS, LENGTH, LENGTH, allow);
    look();
    ck_assert_int_eq(maps.blind, 3 * LAYERS);
    for (int m = 0; m < maps.count; m++) {
        const study_map *map = &maps.items[m];
        for (int e = 0; e < HEADS * LENGTH * LENGTH; e++) {
            const int i = e / LENGTH % LENGTH, j = e % LENGTH;
            ck_assert_int_eq(map->cells[e], i >= TARGET || j >= TARGET ? STUDY_PADDING
                                            : allow[e]                 ? STUDY_SEEN
                                                                       : STUDY_MASKED);
            ck_assert_int_eq(map->weights[e] != 0, allow[e]);
        }
        /* head 0: three keys; head 1: keys 0, 2 and the padding's 4, which counts since
         * the mask lets it in */
        ck_assert(fabs(map->entropy[0] - log2(3)) < PRECISION(1e-14, 1e-6));
        ck_assert(fabs(map->entropy[1] - log2(3)) < PRECISION(1e-14, 1e-6));
    }
    end();
    ag_tape_free(tape);
}
END_TEST

START_TEST(test_no_query_sees_anything)
{
    ag_tape *tape = ag_tape_new(NULL);
    begin((nn_model_config){.kind = NN_ENCODER_DECODER});
    batch.input.cross_mask = ag_mask_not(tape, ag_mask_all(tape));
    look();
    ck_assert_int_eq(maps.blind, LAYERS * HEADS * (TARGET + PADDING));
    for (int m = 3; m < maps.count; m += 2)
        for (int h = 0; h < HEADS; h++)
            ck_assert(maps.items[m].entropy[h] == 0);
    for (int64_t e = 0; e < HEADS * (TARGET + PADDING) * (SOURCE + PADDING); e++)
        ck_assert(maps.items[3].weights[e] == 0 && maps.items[3].cells[e] != STUDY_SEEN);
    end();
    ag_tape_free(tape);
}
END_TEST

/* Without lengths there is no padding. */
START_TEST(test_no_lengths)
{
    begin((nn_model_config){.kind = NN_ENCODER_DECODER});
    batch.input.source_lengths = batch.input.target_lengths = NULL;
    look();
    for (int m = 0; m < maps.count; m++)
        for (int64_t e = 0; e < HEADS * maps.items[m].queries * maps.items[m].keys; e++)
            ck_assert_int_eq(maps.items[m].cells[e] == STUDY_SEEN, maps.items[m].weights[e] > 0);
    end();
}
END_TEST

/* ---- Errors ------------------------------------------------------------------------ */

static void check_refused(const char *sentence)
{
    ag_error error = {0};
    ck_assert_int_eq(study_attention(model, &batch.input, &maps, &error), AG_BAD_VALUE);
    ck_assert_msg(strstr(error.message, sentence) != NULL, "%s", error.message);
    ck_assert(maps.count == 0 && !maps.items);
}

START_TEST(test_errors)
{
    begin((nn_model_config){.kind = NN_ENCODER_DECODER});
    batch.input.rows = 2;
    check_refused("attention is studied on one example, not on 2");
    batch.input.rows = 1;
    batch.input.target = NULL; /* the encoder has run by then */
    check_refused("the target is missing");
    end();
}
END_TEST

START_TEST(test_out_of_memory)
{
    begin((nn_model_config){.kind = NN_ENCODER_DECODER});
    int failures = 0;
    for (bool failed = true; failed; failures += failed) {
        ag_error error = {0};
        test_fail_allocation(failures + 1);
        const ag_status status = study_attention(model, &batch.input, &maps, &error);
        test_fail_allocation(0);
        failed = status != AG_OK;
        if (failed) {
            ck_assert_int_eq(status, AG_NO_MEMORY);
            ck_assert_msg(strstr(error.message, "out of memory") != NULL, "%s", error.message);
            ck_assert(maps.count == 0 && !maps.items);
        }
    }
    ck_assert_int_gt(failures, 30); /* five for each of the six */
    check_names(NN_ENCODER_DECODER);
    end();
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("study_attention");
    TCase *c = tcase_create("study_attention");
    tcase_add_test(c, test_all_kinds);
    tcase_add_test(c, test_weights_are_the_models);
    tcase_add_test(c, test_entropy_of_uniform_attention);
    tcase_add_test(c, test_entropy_is_exact);
    tcase_add_test(c, test_entropy_of_one_key);
    tcase_add_test(c, test_entropy_by_hand);
    tcase_add_test(c, test_heads_and_blind_queries);
    tcase_add_test(c, test_no_query_sees_anything);
    tcase_add_test(c, test_no_lengths);
    tcase_add_test(c, test_errors);
    tcase_add_test(c, test_out_of_memory);
    suite_add_tcase(s, c);
    return s;
}

TEST_MAIN(suite)
