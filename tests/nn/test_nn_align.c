/* test_nn_align.c - the alignment of answers against the attention of a pass of each row
 * by itself. */
#include "allocations.h"
#include "nn_util.h"

#include <math.h>
#include <string.h>

enum { ROWS = 5, SOURCE = 6, BEST = 2, MOST = 16 * 16 };

/* The attention of one layer, averaged over its heads. */
typedef struct mean_attention {
    const char *name;
    double mean[MOST]; /* [queries, keys] */
} mean_attention;

static void keep_mean(void *context, const char *name, ag_tensor *weights, const ag_mask *mask)
{
    mean_attention *kept = context;
    const int64_t heads = weights->shape.dim[1], size = weights->shape.dim[2] * weights->shape.dim[3];
    (void)mask;
    if (strcmp(name, kept->name) != 0)
        return;
    ck_assert_int_le(size, MOST);
    for (int64_t i = 0; i < size; i++) {
        kept->mean[i] = 0;
        for (int64_t h = 0; h < heads; h++)
            kept->mean[i] += (double)weights->data[h * size + i] / (double)heads;
    }
}

/* A model, sources and its answers to them. */
typedef struct answered {
    nn_model *model;
    nn_ensemble one;
    test_batch batch;
    ag_tape *tape;
    nn_generated answers;
} answered;

static const nn_generation_options options = {.beam = 3, .best = BEST, .max_length = 8, .marks = test_three_marks};

static void answer(answered *a, uint64_t seed)
{
    ag_error error = {0};
    a->model = test_model((nn_model_config){.d_model = 12, .heads = 3}, seed);
    a->one = (nn_ensemble){.models = (const nn_model *const *)&a->model, .count = 1};
    test_batch_fill(&a->batch, a->model, ROWS, SOURCE, 1, 3);
    a->tape = test_quiet_tape();
    ck_assert_msg(nn_generate(a->model, a->tape, &a->batch.input, &options, &a->answers, &error) == AG_OK, "%s",
                  error.message);
}

static void answered_clear(answered *a)
{
    nn_generated_clear(&a->answers);
    ag_tape_free(a->tape);
    nn_model_free(a->model);
}

static nn_alignment align(const nn_ensemble *ensemble, const answered *a, int layer)
{
    nn_alignment found;
    ag_error error = {0};
    ck_assert_msg(nn_ensemble_align(ensemble, a->tape, &a->batch.input, &options, &a->answers, layer, &found, &error) ==
                      AG_OK,
                  "%s", error.message);
    ck_assert(found.rows == ROWS && found.best == BEST && found.keys == SOURCE);
    return found;
}

/* The mean attention of a pass over one answer. */
static void pass_alone(const answered *a, int64_t row, const nn_hypothesis *one, const char *name, mean_attention *kept)
{
    int32_t target[16] = {1}; /* bos */
    memcpy(target + 1, one->tokens, (size_t)(one->length - 1) * sizeof *target);
    nn_pass pass = test_pass(a->model, a->tape);
    *kept = (mean_attention){.name = name};
    pass.on_attention = keep_mean;
    pass.context = kept;
    const nn_input input = {.rows = 1,
                            .source = a->batch.source + row * SOURCE,
                            .source_length = a->batch.source_lengths[row],
                            .target = target,
                            .target_length = one->length};
    ag_tape_rewind(a->tape);
    ck_assert_ptr_nonnull(nn_model_apply(a->model, &pass, &input));
}

START_TEST(weights_are_those_of_a_pass_of_each_answer)
{
    static const char *const names[] = {"decoder.layers.0.multihead_attn", "decoder.layers.1.multihead_attn"};
    answered a;
    answer(&a, 5);
    int64_t compared = 0;
    for (int layer = -1; layer < 2; layer++) {
        nn_alignment found = align(&a.one, &a, layer);
        for (int64_t i = 0; i < ROWS * BEST; i++) {
            const nn_hypothesis *one = &a.answers.hypotheses[i];
            const int64_t row = i / BEST, keys = a.batch.source_lengths[row];
            const ag_real *weights = nn_alignment_of(&found, row, (int)(i % BEST));
            mean_attention kept;
            if (one->length)
                pass_alone(&a, row, one, names[layer == 0 ? 0 : 1], &kept);
            for (int64_t t = 0; t < found.queries; t++)
                for (int64_t j = 0; j < SOURCE; j++, compared++) {
                    const double wanted = t < one->length && j < keys ? kept.mean[t * keys + j] : 0;
                    ck_assert_double_eq_tol((double)weights[t * SOURCE + j], wanted, 1e-6);
                }
        }
        nn_alignment_clear(&found);
        ck_assert_ptr_null(found.weights);
    }
    ck_assert_int_gt(compared, 3 * ROWS * BEST * SOURCE);
    answered_clear(&a);
}
END_TEST

START_TEST(several_models_have_the_mean)
{
    enum { MODELS = 3 };
    answered a;
    answer(&a, 5);
    nn_model *models[MODELS] = {a.model, test_model((nn_model_config){.decoder_layers = 1}, 6),
                                test_model((nn_model_config){.heads = 4, .positions = NN_ROTARY}, 7)};
    const nn_ensemble all = {.models = (const nn_model *const *)models, .count = MODELS};
    nn_alignment mean = align(&all, &a, 0), each[MODELS];
    for (int m = 0; m < MODELS; m++)
        each[m] = align(&(nn_ensemble){.models = all.models + m, .count = 1}, &a, 0);
    for (int64_t i = 0; i < ROWS * BEST * mean.queries * SOURCE; i++)
        ck_assert_double_eq_tol(
            (double)mean.weights[i],
            ((double)each[0].weights[i] + (double)each[1].weights[i] + (double)each[2].weights[i]) / 3, 1e-6);
    nn_alignment_clear(&mean);
    for (int m = 0; m < MODELS; m++)
        nn_alignment_clear(&each[m]);
    /* a layer that one of them does not have, by its name */
    ag_error error = {0};
    const nn_ensemble named = {
        .models = all.models, .count = MODELS, .names = (const char *const[]){"first", "small", "third"}};
    ck_assert_int_eq(nn_ensemble_align_check(&named, 0, &error), AG_OK);
    ck_assert_int_eq(nn_ensemble_align(&named, a.tape, &a.batch.input, &options, &a.answers, 1, &mean, &error),
                     AG_BAD_VALUE);
    ck_assert_str_eq(error.message, "small: there is no layer 1 to align by: the decoder has 1, counted from 0");
    ck_assert_ptr_null(mean.weights);
    nn_model_free(models[1]);
    nn_model_free(models[2]);
    answered_clear(&a);
}
END_TEST

START_TEST(models_without_cross_attention_are_refused)
{
    for (int kind = NN_ENCODER; kind <= NN_DECODER; kind++) {
        nn_model *model = test_model((nn_model_config){.kind = (nn_model_kind)kind}, 1);
        ag_error error = {0};
        ck_assert_int_eq(
            nn_ensemble_align_check(&(nn_ensemble){.models = (const nn_model *const *)&model, .count = 1}, -1, &error),
            AG_BAD_VALUE);
        ck_assert_ptr_nonnull(strstr(error.message, "only an encoder-decoder has cross-attention"));
        nn_model_free(model);
    }
}
END_TEST

START_TEST(the_largest_weight)
{
    const ag_real weights[] = {(ag_real)0.2, (ag_real)0.3, (ag_real)0.3, (ag_real)0.9};
    ck_assert_int_eq(nn_aligned(weights, 4), 3);
    ck_assert_int_eq(nn_aligned(weights, 3), 1); /* of equals the first */
    ck_assert_int_eq(nn_aligned(weights, 1), 0);
}
END_TEST

START_TEST(memory_may_be_out)
{
    answered a;
    answer(&a, 5);
    nn_alignment whole = align(&a.one, &a, -1);
    const size_t size = (size_t)(ROWS * BEST * whole.queries * SOURCE) * sizeof(ag_real);
    int failed = 0;
    for (bool done = false; !done;) {
        ag_error error = {0};
        nn_alignment found;
        ag_tape *tape = test_quiet_tape(); /* a new one has no memory of its own yet */
        test_fail_allocation(failed + 1);
        const ag_status status =
            nn_ensemble_align(&a.one, tape, &a.batch.input, &options, &a.answers, -1, &found, &error);
        test_fail_allocation(0);
        done = status == AG_OK;
        ck_assert(done || (status == AG_NO_MEMORY && !found.weights && *error.message));
        if (!done) /* the tape is still of use */
            ck_assert_int_eq(nn_ensemble_align(&a.one, tape, &a.batch.input, &options, &a.answers, -1, &found, &error),
                             AG_OK);
        ck_assert_mem_eq(found.weights, whole.weights, size);
        nn_alignment_clear(&found);
        ag_tape_free(tape);
        failed += !done;
    }
    ck_assert_int_ge(failed, 4);
    nn_alignment_clear(&whole);
    answered_clear(&a);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("nn_align");
    TCase *t = tcase_create("align");
    tcase_add_test(t, weights_are_those_of_a_pass_of_each_answer);
    tcase_add_test(t, several_models_have_the_mean);
    tcase_add_test(t, models_without_cross_attention_are_refused);
    tcase_add_test(t, the_largest_weight);
    tcase_add_test(t, memory_may_be_out);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(suite)
