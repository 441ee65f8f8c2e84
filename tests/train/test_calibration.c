/* test_calibration.c - the calibration error by hand, the temperature of the lowest loss
 * by search, and answers under a temperature. */
#include "check_util.h"
#include "train/calibration.h"
#include "train_fixture.h"

#include <math.h>

START_TEST(the_error_by_hand)
{
    train_calibration c = {.count = 0};
    train_calibration_add(&c, 1, true);
    train_calibration_add(&c, 0.95, false);
    train_calibration_add(&c, 2.0 / 15, true); /* the end of bin 1 */
    train_calibration_add(&c, 0.1, false);
    train_calibration_add(&c, 0, false);
    train_calibration_end(&c);
    ck_assert(c.bins[14].count == 2 && c.bins[1].count == 2 && c.bins[0].count == 1 && c.count == 5);
    ck_assert_double_eq_tol(c.bins[14].confidence, 0.975, 1e-15);
    ck_assert_double_eq_tol(c.bins[14].accuracy, 0.5, 1e-15);
    ck_assert_double_eq_tol(c.error, 0.4 * 0.475 + 0.4 * (0.5 - (2.0 / 15 + 0.1) / 2), 1e-14);
}
END_TEST

/* Targets drawn from softmax(z / T) have T as their best temperature, nearly. The one that
 * is found is compared with the lowest loss of a fine search. */
START_TEST(the_temperature_by_search)
{
    enum { TOKENS = 4000, CLASSES = 7 };
    static ag_real z[TOKENS][CLASSES];
    static int32_t target[TOKENS];
    static const double drawn[] = {0.4, 1, 3};
    for (int d = 0; d < 3; d++) {
        ag_rng rng = ag_rng_make(5, (uint64_t)d);
        train_temperature_sums sums = {{0}};
        for (int t = 0; t < TOKENS; t++) {
            double total = 0, sum = 0;
            for (int c = 0; c < CLASSES; c++) {
                z[t][c] = (ag_real)(4 * ag_rng_uniform(&rng));
                total += exp((double)z[t][c] / drawn[d]);
            }
            const double point = total * ag_rng_uniform(&rng);
            for (target[t] = -1; sum <= point && target[t] < CLASSES - 1;)
                sum += exp((double)z[t][++target[t]] / drawn[d]);
            train_temperature_add(&sums, z[t], CLASSES, target[t]);
        }
        double best = 0, lowest = INFINITY;
        for (double temperature = 0.2; temperature < 8; temperature *= 1.002) {
            double loss = 0;
            for (int t = 0; t < TOKENS; t++) {
                double total = 0;
                for (int c = 0; c < CLASSES; c++)
                    total += exp((double)z[t][c] / temperature);
                loss += log(total) - (double)z[t][target[t]] / temperature;
            }
            if (loss < lowest) {
                lowest = loss;
                best = temperature;
            }
        }
        bool at_end = true;
        ck_assert_double_eq_tol(train_temperature_find(&sums, &at_end) / best, 1, 0.012);
        ck_assert(!at_end);
        ck_assert_double_eq_tol(best / drawn[d], 1, 0.2);
    }
    train_temperature_sums sure = {{0}};
    const ag_real certain[] = {0, 5};
    bool at_end[2] = {false, false};
    train_temperature_add(&sure, certain, 2, 1);
    ck_assert_double_eq_tol(train_temperature_find(&sure, &at_end[0]), 1.0 / 8, 1e-12);
    train_temperature_add(&sure, certain, 2, 0);
    train_temperature_add(&sure, certain, 2, 0);
    ck_assert_double_eq_tol(train_temperature_find(&sure, &at_end[1]), 8, 1e-12);
    ck_assert(at_end[0] && at_end[1]);
}
END_TEST

/* The log-probability of each answer under a temperature is minus its loss under that. */
START_TEST(answers_have_the_temperature)
{
    train_fixture f = train_fixture_new("copy", 2, 4, NN_ENCODER_DECODER, 8, 0);
    for (int beam = 1; beam <= 3; beam += 2) {
        const int32_t source[] = {5, 6, 7, DATA_EOS};
        nn_input input = {.rows = 1, .source = source, .source_length = 4};
        nn_generation_options options = {.temperature = 1.7, .beam = beam, .max_length = 6};
        nn_generated found;
        ag_tape *tape = ag_tape_new(NULL);
        ck_assert_int_eq(nn_generate(f.model, tape, &input, &options, &found, NULL), AG_OK);
        const nn_hypothesis *answer = &found.hypotheses[0];
        int32_t target[8] = {DATA_BOS};
        for (int64_t t = 0; t < answer->length; t++)
            target[t + 1] = answer->tokens[t];
        input.target = target;
        input.target_length = answer->length + answer->finished;
        ag_tape_rewind(tape);
        const ag_tensor *logits = nn_model_apply(f.model, &(nn_pass){.tape = tape, .params = &f.model->params}, &input);
        const int64_t classes = f.model->config.target_vocab;
        double log_probability = 0;
        for (int64_t t = 0; t < input.target_length; t++) {
            const ag_real *row = logits->data + t * classes;
            double total = 0;
            for (int64_t c = 0; c < classes; c++)
                total += exp((double)row[c] / 1.7);
            log_probability += (double)row[t < answer->length ? target[t + 1] : DATA_EOS] / 1.7 - log(total);
        }
        ck_assert_double_eq_tol(answer->log_probability, log_probability, sizeof(ag_real) == 8 ? 1e-10 : 1e-4);
        ck_assert_double_eq_tol(answer->probability, exp(answer->log_probability), 1e-14);
        nn_generated_clear(&found);
        ag_tape_free(tape);
    }
    nn_generated found;
    ag_error error = {0};
    ck_assert_int_eq(nn_generate(f.model, NULL, &(nn_input){.rows = 0}, &(nn_generation_options){.temperature = -1}, &found,
                                 &error),
                     AG_BAD_VALUE);
    train_metrics metrics;
    const train_evaluation negative = {.generation.temperature = -1};
    ck_assert_int_eq(train_evaluate(f.model, f.dev, &negative, &metrics, &error), AG_BAD_VALUE);
    train_fixture_clear(&f);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("calibration");
    TCase *c = tcase_create("calibration");
    tcase_set_timeout(c, 60);
    tcase_add_test(c, the_error_by_hand);
    tcase_add_test(c, the_temperature_by_search);
    tcase_add_test(c, answers_have_the_temperature);
    suite_add_tcase(s, c);
    return s;
}

TEST_MAIN(suite)
