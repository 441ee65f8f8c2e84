/* test_train_ensemble.c - several models measured as one, and loaded together. */
#include "train_fixture.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- Measuring --------------------------------------------------------------------- */

/* Two models of a task, of different sizes, away from the uniform distribution. */
typedef struct couple {
    train_fixture fixture;
    nn_model *models[2];
    nn_ensemble ensemble;
} couple;

static void couple_init(couple *c, nn_model_kind kind)
{
    ag_error error = {0};
    c->fixture = train_fixture_new(kind == NN_ENCODER ? "shift" : "reverse", 2, 5, kind, 16, 0);
    nn_model_config config = c->fixture.model->config;
    config.d_model = 12;
    config.encoder_layers *= 2;
    c->models[0] = c->fixture.model;
    c->models[1] = nn_model_new(&config, 8, &error);
    ck_assert_msg(c->models[1] != NULL, "%s", error.message);
    for (int i = 0; i < 2; i++)
        for (int64_t e = 0; e < c->models[i]->params.size; e++)
            c->models[i]->params.value[e] *= 2;
    c->ensemble = (nn_ensemble){.models = (const nn_model *const *)c->models, .count = 2};
}

static void couple_clear(couple *c)
{
    nn_model_free(c->models[1]);
    train_fixture_clear(&c->fixture);
}

/* Adds to p [rows, V] half of the model's probabilities, computed in double. */
static void add_probabilities(const nn_model *model, const nn_input *input, double *p)
{
    ag_tape *tape = ag_tape_new(&(ag_tape_options){.threads = 1, .no_grad = true});
    const nn_pass pass = {.tape = tape, .params = &model->params};
    const ag_tensor *logits = nn_model_apply(model, &pass, input);
    const int64_t classes = model->config.target_vocab;
    ck_assert_ptr_nonnull(logits);
    for (int64_t at = 0; at < logits->size; at += classes) {
        double sum = 0;
        for (int64_t t = 0; t < classes; t++)
            sum += exp((double)logits->data[at + t]);
        for (int64_t t = 0; t < classes; t++)
            p[at + t] += exp((double)logits->data[at + t]) / sum / 2;
    }
    ag_tape_free(tape);
}

START_TEST(the_loss_is_that_of_the_mean)
{
    static const nn_model_kind kinds[] = {NN_ENCODER_DECODER, NN_ENCODER};
    for (int k = 0; k < 2; k++) {
        couple c;
        couple_init(&c, kinds[k]);
        data_batch batch = {0};
        const int64_t count = data_set_count(c.fixture.dev), classes = c.models[0]->config.target_vocab;
        ck_assert_int_eq(data_set_range(c.fixture.dev, 0, count, &batch, NULL), AG_OK);
        double *p = calloc((size_t)(count * batch.target_length * classes), sizeof *p), loss = 0;
        const nn_input input = {.rows = count,
                                .source_length = batch.source_length,
                                .source = batch.source,
                                .source_lengths = batch.source_lengths,
                                .target_length = batch.target_length,
                                .target = batch.target_in,
                                .target_lengths = batch.target_lengths};
        for (int i = 0; i < 2; i++)
            add_probabilities(c.models[i], &input, p);
        int64_t tokens = 0, right = 0;
        for (int64_t i = 0; i < count * batch.target_length; i++) {
            const double *own = p + i * classes;
            if (batch.target_out[i] == DATA_NONE)
                continue;
            int64_t best = 0;
            for (int64_t t = 1; t < classes; t++)
                best = own[t] > own[best] ? t : best;
            loss -= log(own[batch.target_out[i]]);
            right += best == batch.target_out[i];
            tokens++;
        }
        train_metrics metrics;
        const train_evaluation evaluation = {.threads = 1, .batch = 7};
        ag_error error = {0};
        ck_assert_msg(train_ensemble_evaluate(&c.ensemble, c.fixture.dev, &evaluation, &metrics, &error) == AG_OK, "%s",
                      error.message);
        ck_assert_int_eq(metrics.tokens, tokens);
        ck_assert_double_eq_tol(metrics.loss, loss / (double)tokens, PRECISION(1e-12, 1e-5));
        ck_assert_double_eq_tol(metrics.token_accuracy, (double)right / (double)tokens, 1e-12);
        free(p);
        data_batch_clear(&batch);
        couple_clear(&c);
    }
}
END_TEST

/* Ties and rounding included: a model that is given twice changes nothing. */
START_TEST(a_model_twice_is_the_model)
{
    couple c;
    couple_init(&c, NN_ENCODER_DECODER);
    const nn_model *same[] = {c.models[0], c.models[0], c.models[0]};
    for (int beam = 1; beam <= 3; beam += 2) {
        const train_evaluation evaluation = {.threads = 1, .decode = true, .generation.beam = beam, .batch = 16};
        train_metrics one, more;
        ck_assert_int_eq(train_evaluate(c.models[0], c.fixture.dev, &evaluation, &one, NULL), AG_OK);
        for (int count = 2; count <= 3; count++) {
            const nn_ensemble equal = {.models = same, .count = count};
            ck_assert_int_eq(train_ensemble_evaluate(&equal, c.fixture.dev, &evaluation, &more, NULL), AG_OK);
            ck_assert(one.loss == more.loss && one.token_accuracy == more.token_accuracy && one.per == more.per &&
                      one.exact_match == more.exact_match && one.sources == more.sources);
        }
    }
    couple_clear(&c);
}
END_TEST

START_TEST(errors_of_an_evaluation_name_the_model)
{
    couple c;
    couple_init(&c, NN_ENCODER_DECODER);
    static const char *const names[] = {"runs/a", "runs/b"};
    const nn_param *norm =
        &c.models[1]->params.items[nn_params_find(&c.models[1]->params, "decoder.layers.0.norm1.weight")];
    c.models[1]->params.value[norm->offset] = (ag_real)NAN;
    c.ensemble.names = names;
    train_metrics metrics;
    const train_evaluation evaluation = {.threads = 1};
    ag_error errors[2] = {0};
    ck_assert_int_eq(train_ensemble_evaluate(&c.ensemble, c.fixture.dev, &evaluation, &metrics, &errors[0]),
                     AG_NOT_FINITE);
    ck_assert_msg(!strncmp(errors[0].message, "runs/b: the loss of an evaluation is nan: ", 42), "%s",
                  errors[0].message);
    c.models[1]->config.positions = NN_LEARNED;
    c.models[1]->config.max_length = 3;
    ck_assert_int_eq(train_ensemble_evaluate(&c.ensemble, c.fixture.dev, &evaluation, &metrics, &errors[1]),
                     AG_BAD_VALUE);
    ck_assert_msg(!strncmp(errors[1].message, "runs/b: the set's longest source", 32), "%s", errors[1].message);
    couple_clear(&c);
}
END_TEST

/* ---- Loading ----------------------------------------------------------------------- */

/* Saves a small model of this kind. */
static char *save(const char *folder, const char *name, nn_model_kind kind, data_token_kind tokens, const char *source,
                  const char *target)
{
    const nn_model_config config = {.kind = kind, .d_model = 8, .heads = 2, .encoder_layers = 1, .decoder_layers = 1};
    return train_fixture_save(folder, name, config, tokens, source, target, 1, NULL);
}

START_TEST(models_of_other_tokens_are_refused)
{
    static const struct {
        nn_model_kind kind;
        data_token_kind tokens;
        const char *source, *target, *says; /* NULL: they go together */
    } others[] = {
        {NN_ENCODER_DECODER, DATA_CHARS, "ab", "xy", NULL},
        {NN_ENCODER_DECODER, DATA_CHARS, "ba", "xy", "differ in the source vocabulary, where token 4 is 'a' and 'b'"},
        {NN_ENCODER_DECODER, DATA_CHARS, "ab", "xz", "differ in the target vocabulary, where token 5 is 'y' and 'z'"},
        {NN_ENCODER_DECODER, DATA_CHARS, "abc", "xy", "have source vocabularies of 6 and 7 tokens"},
        {NN_ENCODER_DECODER, DATA_WORDS, "ab", "xy", "differ in the source vocabulary, chars and words"},
        {NN_ENCODER, DATA_CHARS, "ab", "xy", " are models of different kinds"},
    };
    char *folder = test_folder_new();
    char *first = save(folder, "first", NN_ENCODER_DECODER, DATA_CHARS, "ab", "xy");
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        char *other = save(folder, "other", others[i].kind, others[i].tokens, others[i].source, others[i].target);
        const char *paths[] = {first, first, other};
        train_ensemble ensemble;
        ag_error error = {0};
        ag_status status = train_ensemble_load(&ensemble, paths, 3, &error);
        ck_assert_msg(status == (others[i].says ? AG_BAD_VALUE : AG_OK), "%zu: %s", i, error.message);
        if (others[i].says)
            ck_assert_msg(strstr(error.message, others[i].says) && strstr(error.message, "first") &&
                              strstr(error.message, "other"),
                          "%zu: %s", i, error.message);
        else
            ck_assert(ensemble.count == 3 && ensemble.nn.count == 3 &&
                      nn_ensemble_check(&ensemble.nn, NULL) == AG_OK);
        train_ensemble_clear(&ensemble);
        ck_assert_ptr_null(ensemble.saved);
        free(other);
    }
    ag_error error = {0};
    train_ensemble ensemble;
    ck_assert_int_eq(train_ensemble_load(&ensemble, NULL, 0, &error), AG_BAD_VALUE);
    free(first);
    test_folder_remove(folder);
}
END_TEST

START_TEST(each_allocation_may_fail)
{
    char *folder = test_folder_new();
    char *path = save(folder, "first", NN_ENCODER_DECODER, DATA_CHARS, "ab", "xy");
    char *pairs = test_file_write(folder, "pairs.tsv", "ab\txy\nb\ty\n", 10);
    const char *paths[] = {path, path};
    int failed = 0;
    for (ag_status status = AG_NO_MEMORY; status != AG_OK;) {
        train_ensemble ensemble = {0};
        train_metrics metrics;
        ag_error errors[3] = {0};
        data_set *set = NULL;
        test_fail_allocation(++failed);
        status = train_ensemble_load(&ensemble, paths, 2, &errors[0]);
        if (status == AG_OK) {
            const data_set_options options = {.source_vocab = ensemble.saved[0].source_vocab,
                                              .target_vocab = ensemble.saved[0].target_vocab};
            set = data_set_pairs(pairs, &options, &errors[1]);
            status = errors[1].status;
        }
        if (status == AG_OK)
            status = train_ensemble_evaluate(&ensemble.nn, set,
                                             &(train_evaluation){.decode = true, .threads = 1, .generation.beam = 2},
                                             &metrics, &errors[2]);
        test_fail_allocation(0);
        ck_assert_msg(status == AG_OK || status == AG_NO_MEMORY, "allocation %d: %s%s%s", failed, errors[0].message,
                      errors[1].message, errors[2].message);
        data_set_free(set);
        train_ensemble_clear(&ensemble);
    }
    ck_assert_int_gt(failed, 40);
    free(path);
    free(pairs);
    test_folder_remove(folder);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("train/ensemble");
    TCase *t = tcase_create("ensemble");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, the_loss_is_that_of_the_mean);
    tcase_add_test(t, a_model_twice_is_the_model);
    tcase_add_test(t, errors_of_an_evaluation_name_the_model);
    tcase_add_test(t, models_of_other_tokens_are_refused);
    tcase_add_test(t, each_allocation_may_fail);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(suite)
