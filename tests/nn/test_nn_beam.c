/* test_nn_beam.c - the beam search against exhaustive search, and against a plain search
 * by whole passes. */
#include "nn_util.h"

#include <math.h>
#include <string.h>

/* ---- The search of every sequence -------------------------------------------------- */

#define MOST 8

typedef struct best_list {
    int count;
    nn_hypothesis items[MOST];
    int32_t tokens[MOST][MOST];
} best_list;

static void keep_best(best_list *list, const int32_t *tokens, int64_t length, double log_probability, bool finished,
                      double alpha)
{
    double score = log_probability / pow((5.0 + (double)(length + finished)) / 6, alpha);
    int place = list->count < MOST ? list->count++ : MOST;
    if (place == MOST) {
        if (score <= list->items[MOST - 1].score)
            return;
        place = MOST - 1;
    }
    for (; place > 0 && list->items[place - 1].score < score; place--) {
        list->items[place] = list->items[place - 1];
        memcpy(list->tokens[place], list->tokens[place - 1], sizeof list->tokens[0]);
    }
    list->items[place] =
        (nn_hypothesis){.length = length, .finished = finished, .log_probability = log_probability, .score = score};
    for (int64_t t = 0; t < length; t++)
        list->tokens[place][t] = tokens[t];
}

/* Every sequence there is: ends with eos, or has `most` tokens, of which none is one of
 * the marks. The prompt is prefix[0 .. begin). */
static void search_all(const nn_ensemble *ensemble, const test_batch *batch, int64_t row, int32_t *prefix, int64_t begin,
                       int64_t length, int64_t most, int32_t marks, double log_probability, double alpha,
                       best_list *list)
{
    double next[16];
    if (length == most) {
        keep_best(list, prefix + begin, length, log_probability, false, alpha);
        return;
    }
    test_next_of_ensemble(ensemble, batch, row, prefix, begin + length, next);
    for (int32_t c = 0; c < ensemble->models[0]->config.target_vocab; c++) {
        if (c == 2) {
            keep_best(list, prefix + begin, length, log_probability + next[c], true, alpha);
            continue;
        }
        if (c < marks)
            continue;
        prefix[begin + length] = c;
        search_all(ensemble, batch, row, prefix, begin, length + 1, most, marks, log_probability + next[c], alpha,
                   list);
    }
}

/* A model away from the uniform distribution. */
static nn_model *sharp_model(nn_model_config config, uint64_t seed)
{
    nn_model *model = test_model(config, seed);
    for (int64_t i = 0; i < model->params.size; i++)
        model->params.value[i] *= (ag_real)1.5;
    return model;
}

/* With the mean of `count` models, up to 3, of different sizes. */
static void check_against_all(nn_model_config config, int count, int32_t marks, double alpha, int best)
{
    nn_model *models[3];
    const nn_ensemble ensemble = {.models = (const nn_model *const *)models, .count = count};
    config.target_vocab = marks ? 5 : 4;
    for (int i = 0; i < count; i++, config.d_model = 4 * i + 8, config.decoder_layers = i)
        models[i] = sharp_model(config, 31 + (uint64_t)i);
    const int64_t rows = 3, most = 3;
    test_batch batch;
    test_batch_fill(&batch, models[0], rows, 5, 3, 32);
    ag_tape *tape = test_quiet_tape();
    nn_generated result;
    ag_error error = {0};
    const nn_generation_options options = {
        .beam = 64, .best = best, .max_length = most, .length_penalty = alpha, .marks = marks ? test_three_marks : NULL};
    ck_assert_msg(nn_ensemble_generate(&ensemble, tape, &batch.input, &options, &result, &error) == AG_OK, "%s",
                  error.message);
    ck_assert_int_eq(result.best, best);
    for (int64_t row = 0; row < rows; row++) {
        best_list list = {0};
        int32_t prefix[16] = {1};
        int64_t begin = 1;
        if (config.kind == NN_DECODER) {
            begin = batch.target_lengths[row];
            memcpy(prefix, batch.target + row * 3, (size_t)begin * sizeof *prefix);
        }
        search_all(&ensemble, &batch, row, prefix, begin, 0, most, marks, 0, alpha, &list);
        for (int place = 0; place < best; place++) {
            const nn_hypothesis *found = &result.hypotheses[row * best + place], *right = &list.items[place];
            ck_assert_int_eq(found->length, right->length);
            ck_assert_int_eq(found->finished, right->finished);
            ck_assert_mem_eq(found->tokens, list.tokens[place], (size_t)found->length * sizeof *found->tokens);
            ck_assert_double_eq_tol(found->score, right->score, PRECISION(1e-11, 1e-4));
            ck_assert_double_eq_tol(found->log_probability, right->log_probability, PRECISION(1e-11, 1e-4));
        }
    }
    nn_generated_clear(&result);
    ag_tape_free(tape);
    for (int i = 0; i < count; i++)
        nn_model_free(models[i]);
}

START_TEST(wide_beam_equals_exhaustive_search)
{
    static const double alphas[] = {0, 0.6, 3};
    for (int i = 0; i < 3; i++) {
        check_against_all((nn_model_config){.kind = NN_ENCODER_DECODER}, 1, 0, alphas[i], 1);
        check_against_all((nn_model_config){.kind = NN_ENCODER_DECODER}, 1, 0, alphas[i], 8);
        check_against_all((nn_model_config){.kind = NN_DECODER, .positions = NN_ROTARY}, 1, 0, alphas[i], 5);
        check_against_all((nn_model_config){.kind = NN_DECODER, .positions = NN_RELATIVE}, 1, 0, alphas[i], 5);
        check_against_all((nn_model_config){.kind = NN_ENCODER_DECODER}, 1, 3, alphas[i], 8);
        check_against_all((nn_model_config){.kind = NN_ENCODER_DECODER, .cross_window = 1}, 1, 0, alphas[i], 8);
    }
    for (int positions = 0; positions <= NN_NO_POSITIONS; positions++)
        if (test_acts_within_attention((nn_position_kind)positions))
            check_against_all((nn_model_config){.kind = NN_ENCODER_DECODER,
                                                .positions = (nn_position_kind)positions,
                                                .cross_positions = true},
                              1, 0, 0.6, 8);
}
END_TEST

START_TEST(wide_beam_of_an_ensemble_equals_exhaustive_search)
{
    static const double alphas[] = {0, 0.6};
    for (int i = 0; i < 2; i++) {
        check_against_all((nn_model_config){.kind = NN_ENCODER_DECODER}, 2, 0, alphas[i], 8);
        check_against_all((nn_model_config){.kind = NN_ENCODER_DECODER}, 3, 3, alphas[i], 8);
        check_against_all((nn_model_config){.kind = NN_DECODER, .positions = NN_ROTARY}, 3, 0, alphas[i], 5);
    }
}
END_TEST

/* ---- A plain search ---------------------------------------------------------------- */

/* A search as plain as it can be, by whole passes: what a narrow beam should find. */
static void search_plainly(const nn_model *model, const test_batch *batch, int64_t row, int beam, int64_t most,
                           int32_t marks, double alpha, best_list *list)
{
    struct {
        int32_t tokens[16];
        double log_probability;
    } live[4] = {{{1}, 0}}, next[4];
    int count = 1;
    for (int64_t length = 0; count > 0; length++) {
        double table[4][16];
        bool taken[4][16] = {{false}};
        int found = 0;
        if (length == most) {
            for (int i = 0; i < count; i++)
                keep_best(list, live[i].tokens + 1, length, live[i].log_probability, false, alpha);
            return;
        }
        for (int i = 0; i < count; i++)
            test_next_log_probabilities(model, batch, row, live[i].tokens, length + 1, table[i]);
        for (int rank = 0; rank < 2 * beam && found < beam; rank++) {
            int parent = -1, token = -1;
            double best = -INFINITY;
            for (int i = 0; i < count; i++)
                for (int c = 0; c < model->config.target_vocab; c++)
                    if ((c >= marks || c == 2) && !taken[i][c] && live[i].log_probability + table[i][c] > best) {
                        best = live[i].log_probability + table[i][c];
                        parent = i;
                        token = c;
                    }
            if (parent < 0)
                break;
            taken[parent][token] = true;
            if (token == 2) {
                if (rank < beam)
                    keep_best(list, live[parent].tokens + 1, length, best, true, alpha);
                continue;
            }
            next[found] = live[parent];
            next[found].tokens[length + 1] = token;
            next[found++].log_probability = best;
        }
        memcpy(live, next, sizeof live);
        count = found;
    }
}

START_TEST(narrow_beam_equals_a_plain_search)
{
    nn_model *model = test_model((nn_model_config){.kind = NN_ENCODER_DECODER, .target_vocab = 6}, 41);
    for (int64_t i = 0; i < model->params.size; i++)
        model->params.value[i] *= (ag_real)1.5;
    const nn_param *bias = &model->params.items[nn_params_find(&model->params, "output.bias")];
    model->params.value[bias->offset + 2] += (ag_real)0.7; /* ends are likely, so that several compete in a step */
    const int64_t rows = 16, most = 7;
    test_batch batch;
    test_batch_fill(&batch, model, rows, 6, 1, 42);
    ag_tape *tape = test_quiet_tape();
    int finished = 0;
    for (int beam = 2; beam <= 4; beam++)
        for (int penalty = 0; penalty <= 1; penalty++) {
            nn_generated result;
            ag_error error = {0};
            const int32_t marks = beam == 3 ? 3 : 0;
            const nn_generation_options options = {
                .beam = beam, .best = beam, .max_length = most, .length_penalty = penalty, .marks = marks ? test_three_marks : NULL};
            ck_assert_msg(nn_generate(model, tape, &batch.input, &options, &result, &error) == AG_OK, "%s",
                          error.message);
            for (int64_t row = 0; row < rows; row++) {
                best_list list = {0};
                search_plainly(model, &batch, row, beam, most, marks, penalty, &list);
                for (int place = 0; place < beam; place++) {
                    const nn_hypothesis *found = &result.hypotheses[row * beam + place], *right = &list.items[place];
                    ck_assert_double_eq_tol(found->score, right->score, PRECISION(1e-11, 1e-4));
                    ck_assert_int_eq(found->length, right->length);
                    ck_assert_int_eq(found->finished, right->finished);
                    ck_assert_mem_eq(found->tokens, list.tokens[place], (size_t)found->length * sizeof *found->tokens);
                    finished += found->finished;
                }
            }
            nn_generated_clear(&result);
        }
    ck_assert_int_gt(finished, 10); /* both kinds of endings were met */
    ck_assert_int_lt(finished, 16 * 2 * 9);
    ag_tape_free(tape);
    nn_model_free(model);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("nn_beam");
    TCase *tcase = tcase_create("beam");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, wide_beam_equals_exhaustive_search);
    tcase_add_test(tcase, wide_beam_of_an_ensemble_equals_exhaustive_search);
    tcase_add_test(tcase, narrow_beam_equals_a_plain_search);
    suite_add_tcase(s, tcase);
    return s;
}

TEST_MAIN(suite)
