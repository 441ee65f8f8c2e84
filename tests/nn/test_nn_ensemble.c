/* test_nn_ensemble.c - the mean of several models' probabilities, against softmaxes in
 * double. */
#include "nn_util.h"

#include <math.h>
#include <string.h>

enum { MOST_MODELS = 3, VOCAB = 7 };
static const nn_model_kind kinds[] = {NN_ENCODER_DECODER, NN_ENCODER, NN_DECODER};

/* Models of one kind that differ in all that may differ. */
typedef struct committee {
    nn_model *models[MOST_MODELS];
    nn_ensemble ensemble;
} committee;

static void committee_init(committee *c, nn_model_kind kind)
{
    const nn_model_config configs[MOST_MODELS] = {
        {.kind = kind},
        {.kind = kind, .d_model = 12, .heads = 3, .encoder_layers = 1, .decoder_layers = 3, .positions = NN_ROTARY},
        {.kind = kind, .d_model = 16, .heads = 4, .ffn = 20, .max_length = 9, .positions = NN_LEARNED}};
    for (int i = 0; i < MOST_MODELS; i++) {
        c->models[i] = test_model(configs[i], 70 + (uint64_t)i);
        for (int64_t e = 0; e < c->models[i]->params.size; e++)
            c->models[i]->params.value[e] *= (ag_real)1.4; /* away from the uniform distribution */
    }
    c->ensemble = (nn_ensemble){.models = (const nn_model *const *)c->models, .count = MOST_MODELS};
}

static void committee_clear(committee *c)
{
    for (int i = 0; i < MOST_MODELS; i++)
        nn_model_free(c->models[i]);
}

/* log sum_c e^logits[c] */
static double row_log_sum(const ag_real *logits)
{
    double most = -INFINITY, sum = 0;
    for (int c = 0; c < VOCAB; c++)
        most = fmax(most, (double)logits[c]);
    for (int c = 0; c < VOCAB; c++)
        sum += exp((double)logits[c] - most);
    return most + log(sum);
}

static nn_generated answers(const nn_ensemble *ensemble, const nn_input *input, const nn_generation_options *options,
                            int threads)
{
    nn_generated result;
    ag_error error = {0};
    ag_tape *tape = ag_tape_new(&(ag_tape_options){.threads = threads, .no_grad = true, .keeps_weights = threads > 1});
    ck_assert_ptr_nonnull(tape);
    ck_assert_msg(nn_ensemble_generate(ensemble, tape, input, options, &result, &error) == AG_OK, "%s", error.message);
    ag_tape_free(tape);
    return result;
}

static void same_answers(const nn_generated *a, const nn_generated *b)
{
    ck_assert_int_eq(a->rows, b->rows);
    ck_assert_int_eq(a->best, b->best);
    for (int64_t i = 0; i < a->rows * a->best; i++) {
        const nn_hypothesis *x = &a->hypotheses[i], *y = &b->hypotheses[i];
        ck_assert_int_eq(x->length, y->length);
        ck_assert_int_eq(x->finished, y->finished);
        ck_assert(x->score == y->score && x->log_probability == y->log_probability);
        ck_assert_mem_eq(x->tokens, y->tokens, (size_t)x->length * sizeof *x->tokens);
    }
}

/* ---- The mean ---------------------------------------------------------------------- */

START_TEST(the_logits_are_those_of_the_mean)
{
    for (int k = 0; k < 3; k++) {
        committee c;
        committee_init(&c, kinds[k]);
        ag_tape *tape = test_quiet_tape();
        nn_pass pass = {.tape = tape};
        test_batch batch;
        test_batch_fill(&batch, c.models[0], 5, 6, 4, 2);
        ag_error error = {0};
        const ag_tensor *mean = nn_ensemble_apply(&c.ensemble, &pass, &batch.input, &error), *each[MOST_MODELS];
        ck_assert_msg(mean != NULL, "%s", error.message);
        for (int i = 0; i < MOST_MODELS; i++) {
            pass.params = &c.models[i]->params;
            each[i] = nn_model_apply(c.models[i], &pass, &batch.input);
        }
        ck_assert(ag_shape_equal(mean->shape, each[0]->shape));
        for (int64_t at = 0; at < mean->size; at += VOCAB) {
            const double log_sum = row_log_sum(mean->data + at);
            ck_assert_double_eq_tol(log_sum, row_log_sum(each[0]->data + at), PRECISION(1e-13, 1e-6));
            for (int t = 0; t < VOCAB; t++) {
                double p = 0;
                for (int i = 0; i < MOST_MODELS; i++)
                    p += exp((double)each[i]->data[at + t] - row_log_sum(each[i]->data + at)) / MOST_MODELS;
                ck_assert_double_eq_tol((double)mean->data[at + t] - log_sum, log(p), PRECISION(1e-13, 2e-6));
            }
        }
        ag_tape_free(tape);
        committee_clear(&c);
    }
}
END_TEST

START_TEST(one_model_and_equal_ones_are_the_model)
{
    for (int k = 0; k < 3; k++)
        for (int count = 1; count <= MOST_MODELS; count++) {
            committee c;
            committee_init(&c, kinds[k]);
            const nn_model *same[] = {c.models[0], c.models[0], c.models[0]};
            const nn_ensemble equal = {.models = same, .count = count};
            ag_tape *tape = test_quiet_tape();
            nn_pass pass = test_pass(c.models[0], tape);
            test_batch batch;
            test_batch_fill(&batch, c.models[0], 5, 6, 4, 2);
            const ag_tensor *one = nn_model_apply(c.models[0], &pass, &batch.input);
            const ag_tensor *mean = nn_ensemble_apply(&equal, &pass, &batch.input, NULL);
            ck_assert(mean && ag_shape_equal(mean->shape, one->shape));
            ck_assert_mem_eq(mean->data, one->data, (size_t)one->size * sizeof *one->data);
            ag_tape_free(tape);
            static const nn_generation_options options[] = {
                {0}, {.beam = 4, .best = 3, .length_penalty = 0.6}, {.sample = true, .top_p = 0.9, .seed = 3}};
            for (int o = 0; o < 3; o++) {
                nn_generated a = answers(&(nn_ensemble){.models = same, .count = 1}, &batch.input, &options[o], 1);
                nn_generated b = answers(&equal, &batch.input, &options[o], 1);
                same_answers(&a, &b);
                nn_generated_clear(&a);
                nn_generated_clear(&b);
            }
            committee_clear(&c);
        }
}
END_TEST

/* A certain model beside one that excludes its choice, and logits far from 0. */
START_TEST(improbable_tokens_and_large_logits)
{
    static const double moves[] = {0, 1e4, -1e4};
    for (int move = 0; move < 3; move++) {
        committee c;
        committee_init(&c, NN_ENCODER);
        for (int i = 0; i < MOST_MODELS; i++) {
            const nn_params *params = &c.models[i]->params;
            const nn_param *weight = &params->items[nn_params_find(params, "output.weight")];
            const nn_param *bias = &params->items[nn_params_find(params, "output.bias")];
            for (int64_t e = 0; e < weight->size; e++)
                params->value[weight->offset + e] = 0;
            for (int t = 0; t < VOCAB; t++) /* model i gives token i nearly everything, and token 6 nothing */
                params->value[bias->offset + t] = (ag_real)(t == i ? moves[(move + i) % 3] + 500
                                                            : t == 6 ? -(double)INFINITY
                                                                     : moves[(move + i) % 3]);
        }
        ag_tape *tape = test_quiet_tape();
        nn_pass pass = {.tape = tape};
        test_batch batch;
        test_batch_fill(&batch, c.models[0], 1, 2, 0, 2);
        const ag_tensor *mean = nn_ensemble_apply(&c.ensemble, &pass, &batch.input, NULL);
        ck_assert_ptr_nonnull(mean);
        const double log_sum = row_log_sum(mean->data);
        for (int t = 0; t < 3; t++)
            ck_assert_double_eq_tol((double)mean->data[t] - log_sum, log(1.0 / 3), PRECISION(1e-11, 2e-3));
        for (int t = 3; t < 6; t++) /* the mean of three e^-500 */
            ck_assert_double_eq_tol((double)mean->data[t] - log_sum, -500, PRECISION(1e-11, 2e-3));
        ck_assert((double)mean->data[6] == -(double)INFINITY);
        ag_tape_free(tape);
        committee_clear(&c);
    }
}
END_TEST

/* ---- Generation -------------------------------------------------------------------- */

/* Greedy with caches, against whole passes of all models. */
START_TEST(cached_steps_equal_whole_passes)
{
    for (int k = 0; k < 3; k += 2) {
        committee c;
        committee_init(&c, kinds[k]);
        test_batch batch;
        test_batch_fill(&batch, c.models[0], 10, 6, 5, 52);
        nn_generated result = answers(&c.ensemble, &batch.input, NULL, 1);
        int64_t steps = 0;
        for (int64_t row = 0; row < 10; row++) {
            const nn_hypothesis *found = &result.hypotheses[row];
            int32_t prefix[64] = {1};
            int64_t length = 1, prompt = 1;
            double log_probability = 0;
            if (kinds[k] == NN_DECODER) {
                length = prompt = batch.target_lengths[row];
                memcpy(prefix, batch.target + row * 5, (size_t)length * sizeof *prefix);
            }
            for (bool ended = false; !ended; length++, steps++) {
                double next[VOCAB];
                int32_t best = 0;
                test_next_of_ensemble(&c.ensemble, &batch, row, prefix, length, next);
                for (int32_t t = 1; t < VOCAB; t++)
                    best = next[t] > next[best] ? t : best;
                log_probability += next[best];
                const int64_t at = length - prompt;
                ck_assert_int_eq(best, at == found->length ? 2 : found->tokens[at]);
                prefix[length] = best;
                ended = best == 2 || length == 9; /* the shortest max_length */
                ck_assert_int_eq(ended, at + 1 == found->length + found->finished);
            }
            ck_assert_double_eq_tol(found->log_probability, log_probability, PRECISION(1e-11, 1e-4));
        }
        ck_assert_int_gt(steps, 30);
        nn_generated_clear(&result);
        committee_clear(&c);
    }
}
END_TEST

START_TEST(labels_are_those_of_the_mean)
{
    committee c;
    committee_init(&c, NN_ENCODER);
    test_batch batch;
    test_batch_fill(&batch, c.models[0], 8, 6, 0, 5);
    ag_tape *tape = test_quiet_tape();
    nn_pass pass = {.tape = tape};
    const ag_tensor *mean = nn_ensemble_apply(&c.ensemble, &pass, &batch.input, NULL);
    nn_generated result = answers(&c.ensemble, &batch.input, NULL, 1);
    ck_assert_ptr_nonnull(mean);
    for (int64_t row = 0; row < 8; row++) {
        double log_probability = 0;
        ck_assert_int_eq(result.hypotheses[row].length, batch.source_lengths[row]);
        for (int64_t t = 0; t < batch.source_lengths[row]; t++) {
            const ag_real *logits = mean->data + (row * 6 + t) * VOCAB;
            int32_t best = 0;
            for (int32_t token = 1; token < VOCAB; token++)
                best = logits[token] > logits[best] ? token : best;
            ck_assert_int_eq(result.hypotheses[row].tokens[t], best);
            log_probability += (double)logits[best] - row_log_sum(logits);
        }
        ck_assert_double_eq_tol(result.hypotheses[row].log_probability, log_probability, PRECISION(1e-12, 1e-5));
    }
    nn_generated_clear(&result);
    ag_tape_free(tape);
    committee_clear(&c);
}
END_TEST

START_TEST(any_number_of_threads_gives_the_same_bytes)
{
    static const nn_generation_options options[] = {{0}, {.beam = 3, .best = 2}, {.sample = true, .seed = 3}};
    for (int k = 0; k < 3; k++) {
        committee c;
        committee_init(&c, kinds[k]);
        test_batch batch;
        test_batch_fill(&batch, c.models[0], 9, 6, 5, 8);
        for (int o = 0; o < 3; o++) {
            nn_generated one = answers(&c.ensemble, &batch.input, &options[o], 1);
            for (int threads = 2; threads <= 4; threads += 2) {
                nn_generated more = answers(&c.ensemble, &batch.input, &options[o], threads);
                same_answers(&one, &more);
                nn_generated_clear(&more);
            }
            nn_generated_clear(&one);
        }
        committee_clear(&c);
    }
}
END_TEST

typedef struct kept_text {
    int64_t count;
    int32_t tokens[64];
} kept_text;

static bool keep_text(void *context, const int32_t *tokens, int64_t count)
{
    kept_text *kept = context;
    ck_assert_int_le(kept->count + count, 64);
    memcpy(kept->tokens + kept->count, tokens, (size_t)count * sizeof *tokens);
    kept->count += count;
    return true;
}

/* A text goes on from window to window, each as long as the shortest model sees. */
START_TEST(a_text_has_no_end)
{
    committee c;
    committee_init(&c, NN_DECODER);
    ag_tape *tape = test_quiet_tape();
    const nn_generation_options options = {.sample = true, .no_eos = true, .marks = test_three_marks, .seed = 1};
    kept_text kept[2] = {{0}};
    const int32_t prompt = 5;
    ag_error error = {0};
    for (int i = 0; i < 2; i++)
        ck_assert_msg(nn_ensemble_continue(&c.ensemble, tape, &prompt, 1, 40, &options, keep_text, &kept[i], &error) ==
                          AG_OK,
                      "%s", error.message);
    ck_assert_int_eq(kept[0].count, 40);
    ck_assert_mem_eq(kept[0].tokens, kept[1].tokens, 40 * sizeof(int32_t));
    nn_generated first = answers(&c.ensemble, &(nn_input){.rows = 1, .target = &prompt, .target_length = 1},
                                 &(nn_generation_options){.sample = true, .marks = test_three_marks, .seed = 1, .no_eos = true}, 1);
    ck_assert_int_eq(first.hypotheses[0].length, 9);
    ck_assert_mem_eq(first.hypotheses[0].tokens, kept[0].tokens, 9 * sizeof(int32_t));
    nn_generated_clear(&first);
    ag_tape_free(tape);
    committee_clear(&c);
}
END_TEST

/* ---- Errors ------------------------------------------------------------------------ */

static void refuses(const nn_model *a, const nn_model *b, const char *sentence)
{
    const nn_model *models[] = {a, b};
    static const char *const names[] = {"runs/a", "runs/b"};
    const nn_ensemble ensemble = {.models = models, .count = 2, .names = names};
    ag_error errors[3] = {0};
    ag_tape *tape = test_quiet_tape();
    nn_pass pass = {.tape = tape};
    nn_input input = {0};
    nn_generated result;
    ck_assert_int_eq(nn_ensemble_check(&ensemble, &errors[0]), AG_BAD_VALUE);
    ck_assert_ptr_null(nn_ensemble_apply(&ensemble, &pass, &input, &errors[1]));
    ck_assert_int_eq(nn_ensemble_generate(&ensemble, tape, &input, NULL, &result, &errors[2]), AG_BAD_VALUE);
    ck_assert_int_eq(nn_ensemble_continue(&ensemble, tape, NULL, 0, 0, NULL, keep_text, NULL, NULL), AG_BAD_VALUE);
    for (int i = 0; i < 3; i++)
        ck_assert_str_eq(errors[i].message, sentence);
    ag_tape_free(tape);
}

START_TEST(models_that_do_not_go_together)
{
    nn_model *pairs = test_model((nn_model_config){.kind = NN_ENCODER_DECODER}, 1),
             *sources = test_model((nn_model_config){.kind = NN_ENCODER_DECODER, .source_vocab = 10}, 1),
             *targets = test_model((nn_model_config){.kind = NN_ENCODER_DECODER, .target_vocab = 8}, 1),
             *tags = test_model((nn_model_config){.kind = NN_ENCODER}, 1);
    refuses(pairs, sources,
            "runs/a and runs/b have source vocabularies of 9 and 10 tokens: they need the same tokens");
    refuses(pairs, targets,
            "runs/a and runs/b have target vocabularies of 7 and 8 tokens: they need the same tokens");
    refuses(pairs, tags, "runs/a and runs/b are models of different kinds: they need to be of one kind");
    ag_error error = {0};
    ck_assert_int_eq(nn_ensemble_check(&(nn_ensemble){0}, &error), AG_BAD_VALUE);
    nn_model_free(pairs);
    nn_model_free(sources);
    nn_model_free(targets);
    nn_model_free(tags);
}
END_TEST

/* An error of one model names it: by its name, or by its number; that of a single model
 * does not. */
START_TEST(errors_name_the_model)
{
    for (int k = 0; k < 3; k++) {
        committee c;
        committee_init(&c, kinds[k]);
        static const char *const names[] = {"runs/a", "runs/b", "runs/c"};
        const nn_param *bias = &c.models[1]->params.items[nn_params_find(&c.models[1]->params, "output.bias")];
        c.models[1]->params.value[bias->offset + 3] = (ag_real)NAN;
        test_batch batch;
        test_batch_fill(&batch, c.models[0], 2, 5, 3, 6);
        ag_tape *tape = test_quiet_tape();
        nn_generated result;
        for (int named = 0; named <= 1; named++) {
            ag_error error = {0};
            c.ensemble.names = named ? names : NULL;
            ck_assert_int_eq(nn_ensemble_generate(&c.ensemble, tape, &batch.input, NULL, &result, &error),
                             AG_NOT_FINITE);
            ck_assert_msg(!strncmp(error.message, named ? "runs/b: gen" : "model 2: gen", 11), "%s", error.message);
            ck_assert_ptr_null(result.hypotheses);
        }
        ag_error error = {0};
        const nn_model *bad = c.models[1];
        ck_assert_int_eq(nn_generate(bad, tape, &batch.input, NULL, &result, &error), AG_NOT_FINITE);
        ck_assert_msg(!strncmp(error.message, "gen", 3), "%s", error.message);
        ag_tape_free(tape);

        ag_error own = {0};
        nn_pass pass = {.tape = test_quiet_tape()};
        (kinds[k] == NN_DECODER ? batch.target : batch.source)[0] = 1000;
        ck_assert_ptr_null(nn_ensemble_apply(&c.ensemble, &pass, &batch.input, &own));
        ck_assert_int_eq(own.status, AG_BAD_VALUE);
        ck_assert_msg(!strncmp(own.message, "runs/a: ", 8), "%s", own.message);
        ag_tape_free(pass.tape);
        committee_clear(&c);
    }
}
END_TEST

/* Counts the calls, and fails in that for model 1. */
static ag_status fail_in_the_second(void *context, int i, ag_error *error)
{
    int *calls = context;
    ck_assert_int_eq(i, (*calls)++);
    return i == 1 ? ag_error_set(error, AG_BAD_FILE, "a reason") : AG_OK;
}

/* The first model that fails ends the loop over the models, and begins the message. */
START_TEST(the_model_that_failed_is_named)
{
    committee c;
    int calls = 0;
    ag_error error = {0};
    committee_init(&c, NN_DECODER);
    ck_assert_int_eq(nn_ensemble_each(&c.ensemble, fail_in_the_second, &calls, &error), AG_BAD_FILE);
    ck_assert_str_eq(error.message, "model 2: a reason");
    ck_assert_int_eq(calls, 2);
    calls = 0;
    ck_assert_int_eq(nn_ensemble_each(&c.ensemble, fail_in_the_second, &calls, NULL), AG_BAD_FILE);
    committee_clear(&c);
}
END_TEST

START_TEST(each_allocation_of_an_ensemble_may_fail)
{
    for (int k = 0; k < 3; k++)
        for (int beam = 0; beam <= 2; beam += 2) {
            committee c;
            committee_init(&c, kinds[k]);
            test_batch batch;
            test_batch_fill(&batch, c.models[0], 2, 5, 3, 6);
            const nn_generation_options options = {.beam = beam, .no_eos = true};
            int failed = 0;
            for (int64_t n = 1;; n++) {
                ag_error errors[2] = {0};
                nn_generated result = {0};
                ag_status status = AG_NO_MEMORY;
                const ag_tensor *logits = NULL;
                test_fail_allocation(n);
                ag_tape *tape = ag_tape_new(&(ag_tape_options){.threads = 1, .no_grad = true});
                nn_pass pass = {.tape = tape};
                if (tape)
                    status = nn_ensemble_generate(&c.ensemble, tape, &batch.input, &options, &result, &errors[0]);
                if (status == AG_OK)
                    logits = nn_ensemble_apply(&c.ensemble, &pass, &batch.input, &errors[1]);
                test_fail_allocation(0);
                ag_tape_free(tape);
                nn_generated_clear(&result);
                if (logits)
                    break;
                failed++;
                ck_assert(!tape || errors[0].status == AG_NO_MEMORY || errors[1].status == AG_NO_MEMORY);
            }
            ck_assert_int_gt(failed, 10);
            committee_clear(&c);
        }
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("nn_ensemble");
    TCase *tcase = tcase_create("ensemble");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, the_logits_are_those_of_the_mean);
    tcase_add_test(tcase, one_model_and_equal_ones_are_the_model);
    tcase_add_test(tcase, improbable_tokens_and_large_logits);
    tcase_add_test(tcase, cached_steps_equal_whole_passes);
    tcase_add_test(tcase, labels_are_those_of_the_mean);
    tcase_add_test(tcase, any_number_of_threads_gives_the_same_bytes);
    tcase_add_test(tcase, a_text_has_no_end);
    tcase_add_test(tcase, models_that_do_not_go_together);
    tcase_add_test(tcase, errors_name_the_model);
    tcase_add_test(tcase, the_model_that_failed_is_named);
    tcase_add_test(tcase, each_allocation_of_an_ensemble_may_fail);
    suite_add_tcase(s, tcase);
    return s;
}

TEST_MAIN(suite)
