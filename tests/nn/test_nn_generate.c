/* test_nn_generate.c - greedy and drawn sequences, and the scores of all kinds, against
 * whole passes. */
#include "nn_util.h"

#include <math.h>
#include <string.h>

/* ---- Greedy ------------------------------------------------------------------------ */

/* Rows that end at different times, prompts of different lengths: each row is what it is
 * alone, token by token. */
static void check_greedy(nn_model_config config, int32_t marks)
{
    nn_model *model = test_model(config, 58);
    for (int64_t i = 0; i < model->params.size; i++)
        model->params.value[i] *= (ag_real)1.4;
    const int64_t rows = 12;
    test_batch batch;
    test_batch_fill(&batch, model, rows, 6, 5, 52);
    ag_tape *tape = test_quiet_tape();
    nn_generated result;
    ag_error error = {0};
    const nn_generation_options options = {.marks = test_four_marks};
    ck_assert_msg(nn_generate(model, tape, &batch.input, marks ? &options : NULL, &result, &error) == AG_OK, "%s",
                  error.message);
    int ended = 0;
    for (int64_t row = 0; row < rows; row++) {
        const nn_hypothesis *found = &result.hypotheses[row];
        int32_t prefix[64] = {1};
        int64_t length = 1, generated = 0;
        double log_probability = 0;
        bool finished = false;
        if (config.kind == NN_DECODER) {
            length = batch.target_lengths[row];
            memcpy(prefix, batch.target + row * 5, (size_t)length * sizeof *prefix);
        }
        while (!finished && length <= model->config.max_length) {
            double next[16];
            int32_t best = marks ? 2 : 0;
            test_next_log_probabilities(model, &batch, row, prefix, length, next);
            for (int32_t c = marks; c < model->config.target_vocab; c++)
                best = next[c] > next[best] ? c : best;
            log_probability += next[best];
            finished = best == 2;
            if (finished)
                break;
            ck_assert_int_lt(generated, found->length);
            ck_assert_int_eq(found->tokens[generated++], best);
            prefix[length++] = best;
        }
        ck_assert_int_eq(found->length, generated);
        ck_assert_int_eq(found->finished, finished);
        ck_assert_double_eq_tol(found->log_probability, log_probability, PRECISION(1e-11, 1e-4));
        ck_assert(found->score == found->log_probability);
        ck_assert_double_eq_tol(found->probability, exp(found->log_probability), 1e-14);
        ended += finished;
    }
    ck_assert_int_gt(ended, 0);
    ck_assert_int_lt(ended, (int)rows);
    nn_generated_clear(&result);
    ag_tape_free(tape);
    nn_model_free(model);
}

START_TEST(greedy_equals_whole_passes)
{
    check_greedy((nn_model_config){.kind = NN_ENCODER_DECODER, .target_vocab = 6}, 0);
    check_greedy((nn_model_config){.kind = NN_DECODER, .target_vocab = 6, .positions = NN_LEARNED}, 0);
    check_greedy((nn_model_config){.kind = NN_ENCODER_DECODER, .target_vocab = 8}, 4);
    check_greedy((nn_model_config){.kind = NN_DECODER, .target_vocab = 8, .positions = NN_LEARNED}, 4);
    check_greedy((nn_model_config){.kind = NN_ENCODER_DECODER, .target_vocab = 5, .positions = NN_RELATIVE}, 0);
    check_greedy((nn_model_config){.kind = NN_ENCODER_DECODER, .target_vocab = 8, .positions = NN_ALIBI}, 4);
    check_greedy((nn_model_config){.kind = NN_ENCODER_DECODER, .target_vocab = 8, .cross_window = 1}, 4);
    for (int positions = 0; positions <= NN_NO_POSITIONS; positions++)
        if (test_acts_within_attention((nn_position_kind)positions))
            check_greedy((nn_model_config){.kind = NN_ENCODER_DECODER,
                                           .target_vocab = 8,
                                           .positions = (nn_position_kind)positions,
                                           .cross_positions = true},
                         4);
}
END_TEST

/* The option's length counts, where positions do not end. */
START_TEST(longer_than_the_model_says)
{
    for (int positions = 0; positions <= NN_NO_POSITIONS; positions++)
        for (int beam = 1; beam <= 2; beam++) {
            nn_model *model =
                test_model((nn_model_config){.max_length = 10, .positions = (nn_position_kind)positions}, 53);
            test_batch batch;
            test_batch_fill(&batch, model, 2, 9, 3, 54);
            ag_tape *tape = test_quiet_tape();
            nn_generated result;
            ag_error error = {0};
            const nn_generation_options options = {.no_eos = true, .max_length = 40, .beam = beam};
            const bool ends = positions == NN_LEARNED;
            ck_assert_int_eq(nn_generate(model, tape, &batch.input, &options, &result, &error), AG_OK);
            ck_assert_int_eq(result.hypotheses[1].length, ends ? 10 : 40);
            ck_assert_int_eq(nn_model_longest(&model->config), ends ? 10 : 0);
            nn_generated_clear(&result);
            ag_tape_free(tape);
            nn_model_free(model);
        }
}
END_TEST

START_TEST(longer_than_the_first_cache)
{
    nn_model *model = test_model((nn_model_config){.kind = NN_DECODER, .max_length = 80, .positions = NN_ROTARY}, 53);
    test_batch batch;
    test_batch_fill(&batch, model, 2, 0, 3, 54);
    ag_tape *tape = test_quiet_tape();
    nn_generated result;
    ag_error error = {0};
    const nn_generation_options options = {.no_eos = true};
    ck_assert_msg(nn_generate(model, tape, &batch.input, &options, &result, &error) == AG_OK, "%s", error.message);
    for (int64_t row = 0; row < 2; row++) {
        const nn_hypothesis *found = &result.hypotheses[row];
        int32_t prefix[128];
        double next[16];
        const int64_t prompt = batch.target_lengths[row];
        ck_assert_int_eq(found->length, 80 - prompt + 1);
        ck_assert(!found->finished);
        memcpy(prefix, batch.target + row * 3, (size_t)prompt * sizeof *prefix);
        memcpy(prefix + prompt, found->tokens, (size_t)found->length * sizeof *prefix);
        double log_probability = 0;
        for (int64_t length = prompt; length <= 80; length++) {
            test_next_log_probabilities(model, &batch, row, prefix, length, next);
            log_probability += next[prefix[length]];
            for (int32_t c = 0; c < model->config.target_vocab; c++)
                ck_assert_double_le(next[c], next[prefix[length]] + PRECISION(1e-12, 1e-5));
        }
        ck_assert_double_eq_tol(found->log_probability, log_probability, PRECISION(1e-10, 1e-3));
    }
    nn_generated_clear(&result);
    ag_tape_free(tape);
    nn_model_free(model);
}
END_TEST

/* ---- Drawing ----------------------------------------------------------------------- */

/* Draws the first token of many equal rows; the distribution of what came. */
#define DRAWS 4096
static void draw_first(const nn_model *model, nn_generation_options options, int *counts)
{
    static int32_t prompts[DRAWS];
    ag_tape *tape = test_quiet_tape();
    nn_generated result;
    ag_error error = {0};
    for (int i = 0; i < DRAWS; i++)
        prompts[i] = 1;
    const nn_input input = {.rows = DRAWS, .target = prompts, .target_length = 1};
    options.sample = true;
    options.max_length = 1;
    ck_assert_msg(nn_generate(model, tape, &input, &options, &result, &error) == AG_OK, "%s", error.message);
    memset(counts, 0, 16 * sizeof *counts);
    for (int i = 0; i < DRAWS; i++)
        counts[result.hypotheses[i].finished ? 2 : result.hypotheses[i].tokens[0]]++;
    nn_generated_clear(&result);
    ag_tape_free(tape);
}

/* Pearson's statistic; tokens that cannot come must not. */
static double chi_square(const int *counts, const double *p, int vocab)
{
    double sum = 0;
    for (int c = 0; c < vocab; c++) {
        if (p[c] == 0)
            ck_assert_int_eq(counts[c], 0);
        else
            sum += (counts[c] - DRAWS * p[c]) * (counts[c] - DRAWS * p[c]) / (DRAWS * p[c]);
    }
    return sum;
}

START_TEST(draws_follow_the_distribution)
{
    nn_model *model = test_model((nn_model_config){.kind = NN_DECODER}, 61);
    const int32_t bos = 1;
    const int vocab = 7;
    double log_p[16], p[16], hot[16], kept[16];
    int counts[16], order[7];
    test_next_log_probabilities(model, NULL, 0, &bos, 1, log_p);
    double total = 0;
    for (int c = 0; c < vocab; c++) {
        p[c] = exp(log_p[c]);
        hot[c] = exp(log_p[c] / 2.5);
        total += hot[c];
        order[c] = c;
    }
    for (int i = 0; i < vocab; i++)
        for (int j = i + 1; j < vocab; j++)
            if (p[order[j]] > p[order[i]]) {
                int swap = order[i];
                order[i] = order[j];
                order[j] = swap;
            }
    /* 22.46 is exceeded with probability 0.001 at 6 degrees of freedom; the seed is
     * fixed. */
    draw_first(model, (nn_generation_options){.seed = 1}, counts);
    ck_assert_double_lt(chi_square(counts, p, vocab), 22.46);
    for (int c = 0; c < vocab; c++)
        hot[c] /= total;
    draw_first(model, (nn_generation_options){.seed = 2, .sampling_temperature = 2.5}, counts);
    ck_assert_double_lt(chi_square(counts, hot, vocab), 22.46);
    ck_assert_double_gt(chi_square(counts, p, vocab), 22.46);

    memset(kept, 0, sizeof kept);
    total = p[order[0]] + p[order[1]] + p[order[2]];
    for (int i = 0; i < 3; i++)
        kept[order[i]] = p[order[i]] / total;
    draw_first(model, (nn_generation_options){.seed = 3, .top_k = 3}, counts);
    ck_assert_double_lt(chi_square(counts, kept, vocab), 13.82); /* 2 degrees */

    const double share = (p[order[0]] + p[order[1]] + p[order[2]] / 2); /* in the midst of the third */
    draw_first(model, (nn_generation_options){.seed = 4, .top_p = share}, counts);
    ck_assert_double_lt(chi_square(counts, kept, vocab), 13.82);
    draw_first(model, (nn_generation_options){.seed = 5, .top_p = 1}, counts);
    ck_assert_double_lt(chi_square(counts, p, vocab), 22.46);
    nn_model_free(model);
}
END_TEST

/* Whether two results are the same, to the bit; `shift`: row i of b is row i + shift of
 * a. */
static bool same(const nn_generated *a, const nn_generated *b, int64_t shift)
{
    for (int64_t i = 0; i < b->rows; i++) {
        const nn_hypothesis *x = &a->hypotheses[i + shift], *y = &b->hypotheses[i];
        if (x->length != y->length || x->finished != y->finished || x->log_probability != y->log_probability ||
            (x->length && memcmp(x->tokens, y->tokens, (size_t)x->length * sizeof *x->tokens) != 0))
            return false;
    }
    return true;
}

static nn_generated generate(const nn_model *model, const nn_input *input, nn_generation_options options)
{
    ag_tape *tape = test_quiet_tape();
    nn_generated result;
    ag_error error = {0};
    ck_assert_msg(nn_generate(model, tape, input, &options, &result, &error) == AG_OK, "%s", error.message);
    ag_tape_free(tape);
    return result;
}

START_TEST(drawing_is_reproducible)
{
    nn_model *model = test_model((nn_model_config){.kind = NN_ENCODER_DECODER}, 71);
    test_batch batch;
    test_batch_fill(&batch, model, 6, 5, 1, 72);
    const nn_generation_options options = {.sample = true, .seed = 9, .no_eos = true};
    nn_generation_options other = options, first = options;
    other.seed = 10;
    first.top_k = 1;
    nn_generated a = generate(model, &batch.input, options), b = generate(model, &batch.input, options);
    nn_generated c = generate(model, &batch.input, other), d = generate(model, &batch.input, first);
    nn_generated greedy = generate(model, &batch.input, (nn_generation_options){.no_eos = true});
    ck_assert(same(&a, &b, 0));
    ck_assert(!same(&a, &c, 0));
    ck_assert(same(&greedy, &d, 0));
    ck_assert(!same(&greedy, &a, 0));
    /* A row draws from the stream of its number, so what it draws does not depend on who
     * stands after it. */
    nn_input shorter = batch.input;
    shorter.rows = 3;
    nn_generated e = generate(model, &shorter, options);
    ck_assert_int_eq(e.rows, 3);
    ck_assert(same(&a, &e, 0));
    nn_generated_clear(&a);
    nn_generated_clear(&b);
    nn_generated_clear(&c);
    nn_generated_clear(&d);
    nn_generated_clear(&e);
    nn_generated_clear(&greedy);
    nn_model_free(model);
}
END_TEST

START_TEST(rows_do_not_depend_on_their_batch)
{
    nn_model *model = test_model((nn_model_config){.kind = NN_ENCODER_DECODER, .target_vocab = 6}, 81);
    test_batch batch;
    test_batch_fill(&batch, model, 8, 5, 1, 82);
    for (int beam = 0; beam <= 3; beam += 3) {
        nn_generated all = generate(model, &batch.input, (nn_generation_options){.beam = beam});
        for (int64_t row = 0; row < 8; row++) {
            nn_input one = batch.input;
            one.rows = 1;
            one.source += row * 5;
            one.source_lengths += row;
            nn_generated alone = generate(model, &one, (nn_generation_options){.beam = beam});
            ck_assert(same(&all, &alone, row));
            nn_generated_clear(&alone);
        }
        nn_generated_clear(&all);
    }
    nn_model_free(model);
}
END_TEST

/* With all logits equal the first token wins, in both ways of generating. */
START_TEST(ties_go_to_the_lower_token)
{
    nn_model *model = test_model((nn_model_config){.kind = NN_DECODER}, 91);
    const int weight = nn_params_find(&model->params, "output.weight"),
              bias = nn_params_find(&model->params, "output.bias");
    memset(model->params.value + model->params.items[weight].offset, 0,
           (size_t)model->params.items[weight].size * sizeof(ag_real));
    memset(model->params.value + model->params.items[bias].offset, 0,
           (size_t)model->params.items[bias].size * sizeof(ag_real));
    test_batch batch;
    test_batch_fill(&batch, model, 1, 0, 1, 92);
    nn_generated greedy = generate(model, &batch.input, (nn_generation_options){.max_length = 3, .no_eos = true});
    nn_generated beam =
        generate(model, &batch.input, (nn_generation_options){.max_length = 3, .no_eos = true, .beam = 3, .best = 3});
    static const int32_t first[] = {0, 0, 0};
    ck_assert_mem_eq(greedy.hypotheses[0].tokens, first, sizeof first);
    for (int32_t i = 0; i < 3; i++) {
        const int32_t expected[] = {0, 0, i};
        ck_assert_mem_eq(beam.hypotheses[i].tokens, expected, sizeof expected);
        ck_assert_double_eq_tol(beam.hypotheses[i].log_probability, -3 * log(7), 1e-12);
    }
    nn_generated_clear(&greedy);
    nn_generated_clear(&beam);
    nn_model_free(model);
}
END_TEST

/* ---- Scores ------------------------------------------------------------------------ */

/* The log-probabilities and scores in `result` are those that whole passes give, over all
 * tokens, likely marks included. */
static void check_scores(const nn_model *model, const test_batch *batch, const nn_generation_options *options,
                         const nn_generated *result)
{
    for (int64_t i = 0; i < result->rows * result->best; i++) {
        const nn_hypothesis *found = &result->hypotheses[i];
        const int64_t row = i / result->best;
        int64_t length = 1;
        int32_t prefix[64] = {1};
        double log_probability = 0, next[16];
        if (model->config.kind == NN_DECODER) {
            length = batch->target_lengths[row];
            memcpy(prefix, batch->target + row * 5, (size_t)length * sizeof *prefix);
        }
        for (int64_t t = 0; t < found->length + found->finished; t++) {
            const int32_t token = t < found->length ? found->tokens[t] : 2;
            ck_assert(t == found->length || token >= NN_MARKS);
            test_next_log_probabilities(model, batch, row, prefix, length, next);
            log_probability += next[token];
            prefix[length++] = token;
        }
        const double divisor = pow((5.0 + (double)(found->length + found->finished)) / 6, options->length_penalty);
        ck_assert_double_eq_tol(found->log_probability, log_probability, PRECISION(1e-11, 1e-4));
        ck_assert_double_eq_tol(found->score, log_probability / divisor, PRECISION(1e-11, 1e-4));
    }
}

START_TEST(scores_are_the_models_own)
{
    static const nn_generation_options options[] = {
        {.marks = test_four_marks},
        {.marks = test_four_marks, .beam = 3, .best = 3, .length_penalty = 0.7},
        {.marks = test_four_marks, .sample = true, .seed = 3, .sampling_temperature = 1.7, .top_k = 3},
        {.marks = test_four_marks, .sample = true, .seed = 4, .sampling_temperature = 0.5, .top_p = 0.6, .length_penalty = 1},
    };
    for (int kind = 0; kind < 2; kind++) {
        nn_model *model = test_model(
            (nn_model_config){.kind = kind ? NN_DECODER : NN_ENCODER_DECODER, .target_vocab = 8, .max_length = 12}, 62);
        const nn_param *bias = &model->params.items[nn_params_find(&model->params, "output.bias")];
        for (int32_t mark = 0; mark < 4; mark++)
            model->params.value[bias->offset + mark] += mark == 2 ? (ag_real)0.5 : 2; /* most of the probability */
        test_batch batch;
        test_batch_fill(&batch, model, 6, 6, 5, 63);
        for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
            nn_generated result = generate(model, &batch.input, options[i]);
            check_scores(model, &batch, &options[i], &result);
            nn_generated_clear(&result);
        }
        nn_model_free(model);
    }
}
END_TEST

/* Marks that hold most of the probability are neither drawn nor counted into what top_k
 * and top_p leave. */
START_TEST(draws_leave_out_the_marks)
{
    nn_model *model = test_model((nn_model_config){.kind = NN_DECODER}, 61);
    const nn_param *bias = &model->params.items[nn_params_find(&model->params, "output.bias")];
    const int32_t bos = 1;
    double log_p[16], kept[16] = {0}, total = 0;
    int counts[16], first = 4;
    model->params.value[bias->offset] += 3;
    model->params.value[bias->offset + 1] += 2;
    test_next_log_probabilities(model, NULL, 0, &bos, 1, log_p);
    for (int c = 2; c < 7; c++) { /* 2 is the end mark, 3 a mark */
        kept[c] = c == 3 ? 0 : exp(log_p[c]);
        total += kept[c];
        first = kept[c] > kept[first] ? c : first;
    }
    for (int c = 2; c < 7; c++)
        kept[c] /= total;
    draw_first(model, (nn_generation_options){.seed = 1, .marks = test_four_marks}, counts);
    ck_assert_double_lt(chi_square(counts, kept, 7), 16.27); /* 3 degrees of freedom */
    draw_first(model, (nn_generation_options){.seed = 2, .marks = test_four_marks, .top_k = 1}, counts);
    ck_assert_int_eq(counts[first], DRAWS);
    draw_first(model, (nn_generation_options){.seed = 2, .marks = test_four_marks, .top_p = kept[first]}, counts);
    ck_assert_int_eq(counts[first], DRAWS);
    nn_model_free(model);
}
END_TEST

/* ---- Refusals ---------------------------------------------------------------------- */

START_TEST(bad_options_are_named)
{
    nn_model *model = test_model((nn_model_config){.kind = NN_ENCODER_DECODER}, 5);
    nn_model *decoder = test_model((nn_model_config){.kind = NN_DECODER}, 5);
    nn_model *encoder = test_model((nn_model_config){.kind = NN_ENCODER}, 5);
    test_batch batch;
    test_batch_fill(&batch, model, 2, 5, 3, 6);
    ag_tape *tape = test_quiet_tape();
    static const int32_t far_eos[] = {0, 1, 7, 3}, no_bos[] = {0, -1, 2, 3};
    static const struct {
        nn_generation_options options;
        const char *message;
    } cases[] = {
        {{.sampling_temperature = -1}, "sampling_temperature is -1"},
        {{.sampling_temperature = NAN}, "sampling_temperature is"},
        {{.top_p = 1.5}, "top_p is 1.5"},
        {{.top_p = -0.1}, "top_p is -0.1"},
        {{.top_p = NAN}, "top_p is"},
        {{.top_k = -2}, "top_k is -2"},
        {{.beam = -1}, "beam is -1"},
        {{.beam = 2, .best = 3}, "best is 3"},
        {{.best = 2}, "best is 2"},
        {{.beam = 2, .sample = true}, "exclude each other"},
        {{.max_length = -1}, "max_length is -1"},
        {{.length_penalty = -1}, "length_penalty is -1"},
        {{.length_penalty = INFINITY}, "length_penalty is inf"},
        {{.marks = far_eos}, "eos is 7"},
        {{.marks = no_bos}, "bos is -1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        nn_generated result;
        ag_error error = {0};
        ck_assert_int_eq(nn_generate(model, tape, &batch.input, &cases[i].options, &result, &error), AG_BAD_VALUE);
        ck_assert_msg(strstr(error.message, cases[i].message) != NULL, "case %zu: %s", i, error.message);
        ck_assert_ptr_null(result.hypotheses);
    }
    nn_generated result;
    static const int32_t empty[] = {1, 0}, longer[] = {1, 4};
    nn_input prompts = {.rows = 2, .target = batch.target, .target_length = 3, .target_lengths = empty};
    ck_assert_int_eq(nn_generate(decoder, tape, &prompts, NULL, &result, NULL), AG_BAD_VALUE);
    prompts.target_lengths = longer;
    ck_assert_int_eq(nn_generate(decoder, tape, &prompts, NULL, &result, NULL), AG_BAD_VALUE);
    prompts.target = NULL;
    ck_assert_int_eq(nn_generate(decoder, tape, &prompts, NULL, &result, NULL), AG_BAD_VALUE);
    prompts.rows = 0;
    ck_assert_int_eq(nn_generate(decoder, tape, &prompts, NULL, &result, NULL), AG_OK);
    ck_assert_int_eq(result.rows, 0);
    nn_generated_clear(&result);
    ag_tape_free(tape);
    nn_model_free(model);
    nn_model_free(decoder);
    nn_model_free(encoder);
}
END_TEST

START_TEST(logits_that_are_no_numbers_are_an_error)
{
    nn_model *model = test_model((nn_model_config){.kind = NN_ENCODER_DECODER}, 5);
    test_batch batch;
    test_batch_fill(&batch, model, 2, 5, 3, 6);
    const nn_param *bias = &model->params.items[nn_params_find(&model->params, "output.bias")];
    ag_tape *tape = test_quiet_tape();
    static const double bad[] = {NAN, INFINITY};
    for (int i = 0; i < 6; i++) {
        nn_generated result;
        ag_error error = {0};
        const nn_generation_options options = {.beam = i / 2 == 1 ? 3 : 0, .sample = i / 2 == 2};
        model->params.value[bias->offset + 3] = (ag_real)bad[i % 2];
        ck_assert_int_eq(nn_generate(model, tape, &batch.input, &options, &result, &error), AG_NOT_FINITE);
        ck_assert_ptr_nonnull(strstr(error.message, "row 0"));
        ck_assert_ptr_null(result.hypotheses);
    }
    ag_tape_free(tape);
    nn_model_free(model);
}
END_TEST

START_TEST(nothing_that_may_come_is_an_error)
{
    nn_model *models[] = {test_model((nn_model_config){.kind = NN_ENCODER_DECODER}, 5),
                          test_model((nn_model_config){.kind = NN_ENCODER}, 5)};
    ag_tape *tape = test_quiet_tape();
    for (int i = 0; i < 4; i++) {
        nn_model *model = models[i == 3];
        test_batch batch;
        test_batch_fill(&batch, model, 2, 5, 3, 6);
        const nn_param *bias = &model->params.items[nn_params_find(&model->params, "output.bias")];
        for (int32_t c = 2; c < 7; c++)
            model->params.value[bias->offset + c] = c == 3 ? 0 : -(ag_real)INFINITY;
        nn_generated result;
        ag_error error = {0};
        const nn_generation_options options = {.marks = test_four_marks, .beam = i == 1 ? 3 : 0, .sample = i == 2};
        ck_assert_int_eq(nn_generate(model, tape, &batch.input, &options, &result, &error), AG_NOT_FINITE);
        ck_assert_str_eq(error.message, "generation: every token that may be chosen in row 0 has probability 0");
        ck_assert_ptr_null(result.hypotheses);
    }
    ag_tape_free(tape);
    nn_model_free(models[0]);
    nn_model_free(models[1]);
}
END_TEST

START_TEST(every_allocation_may_fail)
{
    nn_model *model = test_model((nn_model_config){.kind = NN_ENCODER_DECODER, .max_length = 40}, 5);
    test_batch batch;
    test_batch_fill(&batch, model, 2, 5, 3, 6);
    for (int beam = 0; beam <= 2; beam += 2) {
        const nn_generation_options options = {.beam = beam, .no_eos = true};
        int64_t failed = 0;
        for (int64_t n = 1;; n++) {
            ag_error error = {0};
            nn_generated result = {0};
            ag_status status = AG_NO_MEMORY;
            test_fail_allocation(n);
            ag_tape *tape = ag_tape_new(&(ag_tape_options){.threads = 1});
            if (tape)
                status = nn_generate(model, tape, &batch.input, &options, &result, &error);
            test_fail_allocation(0);
            ag_tape_free(tape);
            if (status == AG_OK) {
                nn_generated_clear(&result);
                break;
            }
            failed++;
            ck_assert_int_eq(status, AG_NO_MEMORY);
            ck_assert(!tape || error.message[0]);
            ck_assert_ptr_null(result.hypotheses);
            ck_assert_ptr_null(result.storage);
        }
        ck_assert_int_gt(failed, 15);
    }
    nn_model_free(model);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("nn_generate");
    TCase *tcase = tcase_create("generate");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, greedy_equals_whole_passes);
    tcase_add_test(tcase, longer_than_the_model_says);
    tcase_add_test(tcase, longer_than_the_first_cache);
    tcase_add_test(tcase, draws_follow_the_distribution);
    tcase_add_test(tcase, drawing_is_reproducible);
    tcase_add_test(tcase, rows_do_not_depend_on_their_batch);
    tcase_add_test(tcase, ties_go_to_the_lower_token);
    tcase_add_test(tcase, scores_are_the_models_own);
    tcase_add_test(tcase, draws_leave_out_the_marks);
    tcase_add_test(tcase, bad_options_are_named);
    tcase_add_test(tcase, nothing_that_may_come_is_an_error);
    tcase_add_test(tcase, logits_that_are_no_numbers_are_an_error);
    tcase_add_test(tcase, every_allocation_may_fail);
    suite_add_tcase(s, tcase);
    return s;
}

TEST_MAIN(suite)
