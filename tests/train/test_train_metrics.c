/* test_train_metrics.c - the edit distance, and evaluations whose outcome is known
 * because the model's output is. */
#include "check_util.h"
#include "train.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- Edit distance ----------------------------------------------------------------- */

/* The definition itself: exponential, so for short sequences. */
static int64_t defined_distance(const int32_t *a, int64_t n, const int32_t *b, int64_t m)
{
    if (n == 0 || m == 0)
        return n + m;
    int64_t replaced = defined_distance(a + 1, n - 1, b + 1, m - 1) + (a[0] != b[0]);
    int64_t removed = defined_distance(a + 1, n - 1, b, m) + 1, added = defined_distance(a, n, b + 1, m - 1) + 1;
    int64_t least = removed < added ? removed : added;
    return replaced < least ? replaced : least;
}

START_TEST(distance_is_the_definition)
{
    ag_rng rng = ag_rng_make(1, 0);
    for (int draw = 0; draw < 500; draw++) {
        int32_t a[6], b[6];
        int64_t n = (int64_t)ag_rng_below(&rng, 7), m = (int64_t)ag_rng_below(&rng, 7);
        for (int i = 0; i < 6; i++) {
            a[i] = (int32_t)ag_rng_below(&rng, 3);
            b[i] = (int32_t)ag_rng_below(&rng, 3);
        }
        ck_assert_int_eq(train_edit_distance(a, n, b, m), defined_distance(a, n, b, m));
    }
}
END_TEST

START_TEST(distance_without_memory_is_minus_one)
{
    int32_t a[1] = {4};
    test_fail_allocation(1);
    ck_assert_int_eq(train_edit_distance(a, 1, a, 1), -1);
    test_fail_allocation(0);
}
END_TEST

/* ---- The better one ---------------------------------------------------------------- */

static train_metrics found(int right, int sources, double loss)
{
    return (train_metrics){.decoded = sources > 0,
                           .sources = sources,
                           .exact_match = sources ? (double)right / sources : 0,
                           .wer = sources ? 1 - (double)right / sources : 0,
                           .loss = loss};
}

START_TEST(the_better_evaluation)
{
    /* the first of the two by exact, by loss, by wer: 1 better, 0 not */
    const struct {
        train_metrics a, b;
        bool better[3];
    } cases[] = {
        {found(4, 500, 0.962), found(5, 500, 1.195), {true, true, false}}, /* one output more is luck */
        {found(5, 500, 1.195), found(4, 500, 0.962), {false, false, true}},
        {found(1, 500, 1.5), found(0, 500, 1.4), {false, false, true}},
        {found(16, 500, 1.2), found(6, 500, 1.1), {true, false, true}}, /* 10^2 > 22: more than luck */
        {found(6, 500, 1.1), found(16, 500, 1.2), {false, true, false}},
        {found(498, 500, 0.03), found(494, 500, 0.02), {true, false, true}}, /* 4^2 > 8 wrong ones */
        {found(500, 500, 0.03), found(499, 500, 0.02), {false, false, true}},
        {found(250, 500, 1), found(240, 500, 0.9), {false, false, true}},
        {found(250, 500, 0.9), found(250, 500, 1), {true, true, true}},
        {found(250, 500, 0.9), found(250, 500, 0.9), {false, false, false}}, /* equal is not better */
        {found(0, 0, 0.9), found(0, 0, 1), {true, true, true}},              /* not decoded: the loss */
        {found(0, 0, 1), found(0, 0, 0.9), {false, false, false}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int by = TRAIN_BEST_EXACT; by <= TRAIN_BEST_WER; by++)
            ck_assert_msg(train_metrics_better(&cases[i].a, &cases[i].b, (train_best_by)by) == cases[i].better[by],
                          "case %zu by %d", i, by);
}
END_TEST

/* ---- Evaluations ------------------------------------------------------------------- */

/* A model whose parameters are all zero except the output's bias: it gives each class the
 * same logit everywhere. */
static nn_model *constant_model(nn_model_kind kind, const data_vocab *source, const data_vocab *target,
                                const ag_real *bias)
{
    ag_error error = {0};
    nn_model_config config = {.kind = kind,
                              .source_vocab = data_vocab_size(source),
                              .target_vocab = data_vocab_size(target),
                              .d_model = 8,
                              .heads = 2,
                              .encoder_layers = 1,
                              .decoder_layers = 1,
                              .max_length = 16};
    nn_model *model = nn_model_new(&config, 1, &error);
    ck_assert_msg(model != NULL, "%s", error.message);
    memset(model->params.value, 0, (size_t)model->params.size * sizeof(ag_real));
    int index = nn_params_find(&model->params, "output.bias");
    ck_assert_int_ge(index, 0);
    memcpy(model->params.value + model->params.items[index].offset, bias,
           (size_t)data_vocab_size(target) * sizeof(ag_real));
    return model;
}

static data_vocab *vocab_of(const char *letters)
{
    data_vocab *vocab = data_vocab_new(DATA_CHARS, NULL);
    for (; *letters; letters++)
        ck_assert_int_ge(data_vocab_add(vocab, letters, 1), DATA_SPECIALS);
    return vocab;
}

typedef struct record {
    int count, correct;
    char text[256];
} record;

static void listen(void *context, const char *source, const char *output, const char *target, bool correct)
{
    record *h = context;
    size_t used = strlen(h->text);
    snprintf(h->text + used, sizeof h->text - used, "%s>%s|%s;", source, output, target);
    h->count++;
    h->correct += correct;
}

typedef struct evaluated {
    char *folder, *path;
    data_vocab *source, *target;
    data_set *set;
    nn_model *model;
} evaluated;

static evaluated evaluated_new(nn_model_kind kind, const char *pairs, const ag_real *bias)
{
    evaluated e = {.folder = test_folder_new(), .source = vocab_of("ab"), .target = vocab_of("xy")};
    ag_error error = {0};
    e.path = test_file_write(e.folder, "pairs.tsv", pairs, strlen(pairs));
    data_set_options options = {.source_vocab = e.source, .target_vocab = e.target, .tagging = kind == NN_ENCODER};
    e.set = data_set_pairs(e.path, &options, &error);
    ck_assert_msg(e.set != NULL, "%s", error.message);
    e.model = constant_model(kind, e.source, e.target, bias);
    return e;
}

static void evaluated_clear(evaluated *e)
{
    nn_model_free(e->model);
    data_set_free(e->set);
    data_vocab_free(e->source);
    data_vocab_free(e->target);
    free(e->path);
    test_folder_remove(e->folder);
}

/* Classes are pad bos eos unk x y; the model's y is the most probable. */
static const ag_real BIAS[6] = {-1, -1, 0, -1, 1, 2};
static const char *const PAIRS = "ab\txy\n"
                                 "b\ty\n"
                                 "ab\tyy\n"
                                 "bba\txzx\n"
                                 "a\tx\n";

/* -log softmax(BIAS)[c] */
static double cost(int c)
{
    double sum = 0;
    for (int i = 0; i < 6; i++)
        sum += exp((double)BIAS[i]);
    return log(sum) - (double)BIAS[c];
}

START_TEST(tagger_with_known_outputs)
{
    evaluated e = evaluated_new(NN_ENCODER, PAIRS, BIAS);
    record heard = {0};
    train_metrics metrics;
    ag_error error = {0};
    train_evaluation evaluation = {.decode = true, .on_output = listen, .context = &heard, .batch = 2, .threads = 1};
    ck_assert_msg(train_evaluate(e.model, e.set, &evaluation, &metrics, &error) == AG_OK, "%s", error.message);
    /* targets: x y | y | y y | x z x | x, where z is unknown */
    ck_assert_int_eq(metrics.tokens, 9);
    ck_assert_double_eq_tol(metrics.loss, (4 * cost(4) + 4 * cost(5) + cost(3)) / 9, 1e-6);
    ck_assert_double_eq_tol(metrics.perplexity, exp(metrics.loss), 1e-12);
    ck_assert_double_eq_tol(metrics.chance, log(data_vocab_size(e.target)), 1e-12);
    ck_assert_double_eq_tol(metrics.token_accuracy, 4.0 / 9, 1e-12);
    ck_assert(metrics.decoded);
    ck_assert_int_eq(metrics.sources, 4);
    ck_assert_double_eq_tol(metrics.exact_match, 2.0 / 4, 1e-12);
    ck_assert_double_eq_tol(metrics.wer, 2.0 / 4, 1e-12);
    ck_assert_double_eq_tol(metrics.per, 4.0 / 7, 1e-12);
    ck_assert_str_eq(heard.text, "ab>yy|yy;b>y|y;bba>yyy|xzx;a>y|x;");
    ck_assert_int_eq(heard.count, 4);
    ck_assert_int_eq(heard.correct, 2);
    evaluated_clear(&e);
}
END_TEST

/* A sequence model that always says y never ends: outputs are as long as they may be. */
START_TEST(generator_with_known_outputs)
{
    evaluated e = evaluated_new(NN_ENCODER_DECODER, PAIRS, BIAS);
    record heard = {0};
    train_metrics metrics;
    ag_error error = {0};
    train_evaluation evaluation = {.decode = true,
                                   .on_output = listen,
                                   .context = &heard,
                                   .batch = 3,
                                   .max_sources = 3,
                                   .generation.max_length = 2,
                                   .threads = 1};
    ck_assert_msg(train_evaluate(e.model, e.set, &evaluation, &metrics, &error) == AG_OK, "%s", error.message);
    ck_assert_int_eq(metrics.tokens, 9 + 5); /* with the end marks */
    ck_assert_double_eq_tol(metrics.loss, (4 * cost(4) + 4 * cost(5) + cost(3) + 5 * cost(2)) / 14, 1e-6);
    ck_assert_double_eq_tol(metrics.token_accuracy, 4.0 / 14, 1e-12);
    ck_assert_int_eq(metrics.sources, 3);
    ck_assert_str_eq(heard.text, "ab>yy|yy;b>yy|y;bba>yy|xzx;");
    ck_assert_double_eq_tol(metrics.exact_match, 1.0 / 3, 1e-12);
    ck_assert_double_eq_tol(metrics.per, (0 + 1 + 3) / 6.0, 1e-12);
    evaluated_clear(&e);
}
END_TEST

/* An unknown token in a target is wrong even where the model says <unk>. */
START_TEST(unknown_tokens_never_match)
{
    const ag_real bias[6] = {-1, -1, 0, 2, 1, -1};
    evaluated e = evaluated_new(NN_ENCODER, "ab\tzz\n", bias);
    train_metrics metrics;
    train_evaluation evaluation = {.decode = true, .threads = 1};
    ck_assert_int_eq(train_evaluate(e.model, e.set, &evaluation, &metrics, NULL), AG_OK);
    ck_assert(metrics.exact_match == 0 && metrics.wer == 1 && metrics.per == 1);
    evaluated_clear(&e);
}
END_TEST

START_TEST(batch_size_changes_nothing)
{
    evaluated e = evaluated_new(NN_ENCODER_DECODER, PAIRS, BIAS);
    test_fill(e.model->params.value, e.model->params.size, 3, -0.5, 0.5);
    train_metrics first = {0};
    for (int64_t i = 0; i < 12; i++) { /* the most probable outputs, and drawn ones */
        train_metrics metrics;
        train_evaluation evaluation = {.batch = i % 6 < 5 ? i % 6 + 1 : INT64_C(1) << 60,
                                       .decode = true,
                                       .generation = {.sample = i >= 6, .seed = 5},
                                       .threads = 1};
        ck_assert_int_eq(train_evaluate(e.model, e.set, &evaluation, &metrics, NULL), AG_OK);
        if (i % 6 == 0)
            first = metrics;
        ck_assert_double_eq_tol(metrics.loss, first.loss, PRECISION(1e-13, 1e-6));
        ck_assert(metrics.token_accuracy == first.token_accuracy && metrics.per == first.per &&
                  metrics.wer == first.wer);
    }
    evaluated_clear(&e);
}
END_TEST

START_TEST(an_evaluation_can_be_stopped)
{
    evaluated e = evaluated_new(NN_ENCODER, PAIRS, BIAS);
    volatile sig_atomic_t stop = 1;
    train_metrics metrics;
    train_evaluation evaluation = {.stop = &stop};
    ck_assert_int_eq(train_evaluate(e.model, e.set, &evaluation, &metrics, NULL), AG_INTERRUPTED);
    evaluated_clear(&e);
}
END_TEST

START_TEST(other_vocabularies_are_refused)
{
    evaluated e = evaluated_new(NN_ENCODER, PAIRS, BIAS);
    data_vocab *more = vocab_of("abc");
    ag_error error = {0};
    train_metrics metrics;
    train_evaluation evaluation = {.threads = 1};
    data_set_options options = {.source_vocab = more, .target_vocab = e.target, .tagging = true};
    data_set *set = data_set_pairs(e.path, &options, NULL);
    ck_assert_ptr_nonnull(set);
    ck_assert_int_eq(train_evaluate(e.model, set, &evaluation, &metrics, &error), AG_BAD_VALUE);
    ck_assert_str_eq(error.message, "the set's source vocabulary has 7 tokens and the model's has 6");
    data_set_free(set);
    data_vocab_free(more);
    evaluated_clear(&e);
}
END_TEST

START_TEST(a_loss_that_is_not_finite_is_explained)
{
    evaluated e = evaluated_new(NN_ENCODER, PAIRS, BIAS);
    int index = nn_params_find(&e.model->params, "output.weight");
    e.model->params.value[e.model->params.items[index].offset] = (ag_real)NAN;
    ag_error error = {0};
    train_metrics metrics;
    train_evaluation evaluation = {.threads = 1};
    ck_assert_int_eq(train_evaluate(e.model, e.set, &evaluation, &metrics, &error), AG_NOT_FINITE);
    ck_assert_msg(strstr(error.message, "linear") != NULL, "%s", error.message);
    evaluated_clear(&e);
}
END_TEST

/* Each allocation fails in turn: an error, and nothing lost (which the sanitizers
 * see). */
START_TEST(evaluation_survives_each_failing_allocation)
{
    evaluated e = evaluated_new(NN_ENCODER_DECODER, PAIRS, BIAS);
    record heard = {0};
    train_evaluation evaluation = {.decode = true, .on_output = listen, .context = &heard, .threads = 1};
    ag_status status = AG_NO_MEMORY;
    int failures = 0;
    for (int n = 1; status != AG_OK; n++) {
        train_metrics metrics;
        ag_error error = {0};
        test_fail_allocation(n);
        status = train_evaluate(e.model, e.set, &evaluation, &metrics, &error);
        test_fail_allocation(0);
        ck_assert_msg(status == AG_OK || status == AG_NO_MEMORY, "allocation %d: %s", n, error.message);
        ck_assert_int_eq(error.status, status);
        failures += status != AG_OK;
        ck_assert_int_lt(n, 10000);
    }
    ck_assert_int_gt(failures, 10);
    evaluated_clear(&e);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("train/metrics");
    TCase *t = tcase_create("distance");
    tcase_add_test(t, distance_is_the_definition);
    tcase_add_test(t, distance_without_memory_is_minus_one);
    suite_add_tcase(s, t);
    t = tcase_create("evaluation");
    tcase_add_test(t, the_better_evaluation);
    tcase_add_test(t, tagger_with_known_outputs);
    tcase_add_test(t, generator_with_known_outputs);
    tcase_add_test(t, unknown_tokens_never_match);
    tcase_add_test(t, batch_size_changes_nothing);
    tcase_add_test(t, an_evaluation_can_be_stopped);
    tcase_add_test(t, other_vocabularies_are_refused);
    tcase_add_test(t, a_loss_that_is_not_finite_is_explained);
    tcase_add_test(t, evaluation_survives_each_failing_allocation);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(suite)
