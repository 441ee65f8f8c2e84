/* test_nn_continue.c - text of any length window by window, marks that are never
 * generated, an encoder's labels. */
#include "nn_util.h"

#include <string.h>

enum { MARKS = 4, LONGEST = 12 };

static nn_model *language_model(void)
{
    return test_model((nn_model_config){.kind = NN_DECODER, .max_length = LONGEST}, 3);
}

/* Greedy tokens by whole passes: each from at most the window that nn_continue
 * documents. */
static void continue_plainly(const nn_model *model, const int32_t *prompt, int64_t length, int64_t count,
                             int32_t *tokens)
{
    int32_t text[256];
    int64_t begin = length <= LONGEST / 2 ? 0 : length - LONGEST / 2, end = length;
    ag_tape *tape = test_quiet_tape();
    nn_pass pass = test_pass(model, tape);
    memcpy(text, prompt, (size_t)length * sizeof *text);
    for (; end < length + count; end++) {
        if (end - begin > LONGEST) /* the window is full: the newer half goes on */
            begin = end - LONGEST / 2;
        nn_input input = {.rows = 1, .target_length = end - begin, .target = text + begin};
        ag_tape_rewind(tape);
        const ag_tensor *logits = nn_model_apply(model, &pass, &input);
        ck_assert_ptr_nonnull(logits);
        const ag_real *last = logits->data + logits->size - model->config.target_vocab;
        int32_t best = MARKS;
        for (int32_t token = MARKS; token < model->config.target_vocab; token++)
            if (last[token] > last[best])
                best = token;
        text[end] = tokens[end - length] = best;
    }
    ag_tape_free(tape);
}

/* The tokens of a text, and the number of them after which it is ended. */
typedef struct text {
    int32_t tokens[400];
    int64_t count, enough;
} text;

static bool keep(void *context, const int32_t *tokens, int64_t count)
{
    text *t = context;
    ck_assert_int_le(t->count + count, 400);
    memcpy(t->tokens + t->count, tokens, (size_t)count * sizeof *tokens);
    t->count += count;
    return !t->enough || t->count < t->enough;
}

START_TEST(test_windows)
{
    nn_model *model = language_model();
    ag_tape *tape = test_quiet_tape();
    nn_generation_options options = {.no_eos = true, .marks = test_four_marks};
    const int32_t prompt[] = {5, 4, 6, 5, 5, 4, 6, 4, 4, 5, 6, 5, 4, 4, 6, 5, 4};
    const int64_t lengths[] = {1, 3, 6, 7, 17};
    for (int i = 0; i < 5; i++) {
        int32_t expected[60];
        text got = {.count = 0};
        ag_error error = {0};
        continue_plainly(model, prompt, lengths[i], 60, expected);
        ck_assert_msg(nn_continue(model, tape, prompt, lengths[i], 60, &options, keep, &got, &error) == AG_OK, "%s",
                      error.message);
        ck_assert_int_eq(got.count, 60);
        for (int t = 0; t < 60; t++)
            ck_assert_msg(got.tokens[t] == expected[t], "prompt of %d, token %d: %d, expected %d", (int)lengths[i], t,
                          got.tokens[t], expected[t]);
    }
    ag_tape_free(tape);
    nn_model_free(model);
}
END_TEST

/* Hot drawing gives every token that may come, and none of the marks. */
START_TEST(test_marks)
{
    nn_model *model = language_model();
    ag_tape *tape = test_quiet_tape();
    text got = {.count = 0};
    int seen[64] = {0};
    nn_generation_options options = {
        .no_eos = true, .marks = test_four_marks, .sample = true, .sampling_temperature = 50, .seed = 7};
    ck_assert_int_eq(nn_continue(model, tape, (int32_t[]){5}, 1, 400, &options, keep, &got, NULL), AG_OK);
    for (int t = 0; t < 400; t++)
        seen[got.tokens[t]]++;
    for (int32_t token = 0; token < model->config.target_vocab; token++)
        ck_assert_msg((seen[token] > 0) == (token >= MARKS), "token %d came %d times", token, seen[token]);
    ag_tape_free(tape);
    nn_model_free(model);
}
END_TEST

/* With no_eos unset, the mark ends a text, is not handed on, and no further window is made. */
START_TEST(a_mark_ends_the_text)
{
    nn_model *model = language_model();
    ag_tape *tape = test_quiet_tape();
    int longest = 0;
    for (uint64_t seed = 0; seed < 8; seed++) {
        static const int32_t marks[NN_MARKS] = {-1, 6, 6, -1};
        text got = {.count = 0};
        nn_generation_options options = {.marks = marks, .sample = true, .sampling_temperature = 50, .seed = seed};
        ck_assert_int_eq(nn_continue(model, tape, (int32_t[]){6}, 1, 400, &options, keep, &got, NULL), AG_OK);
        ck_assert_int_lt(got.count, 400);
        for (int64_t t = 0; t < got.count; t++)
            ck_assert_int_ne(got.tokens[t], 6);
        longest = got.count > longest ? (int)got.count : longest;
    }
    ck_assert_int_gt(longest, 1);
    ag_tape_free(tape);
    nn_model_free(model);
}
END_TEST

/* The receiver ends the text: no further window is made. */
START_TEST(test_enough)
{
    nn_model *model = language_model();
    ag_tape *tape = test_quiet_tape();
    text got = {.enough = 1};
    nn_generation_options options = {.no_eos = true, .marks = test_four_marks};
    ck_assert_int_eq(nn_continue(model, tape, (int32_t[]){5}, 1, INT64_MAX / 2, &options, keep, &got, NULL), AG_OK);
    ck_assert_int_ge(got.count, 1);
    ck_assert_int_le(got.count, LONGEST);
    ag_tape_free(tape);
    nn_model_free(model);
}
END_TEST

/* eos is a mark, but the one that may come. */
START_TEST(test_eos_may_come)
{
    nn_model *model = test_model((nn_model_config){.kind = NN_ENCODER_DECODER}, 5);
    ag_tape *tape = test_quiet_tape();
    test_batch batch;
    int finished = 0;
    test_batch_fill(&batch, model, 20, 5, 4, 1);
    nn_generation_options options = {
        .marks = test_four_marks, .sample = true, .sampling_temperature = 20, .max_length = 40, .seed = 2};
    nn_generated result;
    ck_assert_int_eq(nn_generate(model, tape, &batch.input, &options, &result, NULL), AG_OK);
    for (int64_t row = 0; row < result.rows; row++) {
        finished += result.hypotheses[row].finished;
        for (int64_t t = 0; t < result.hypotheses[row].length; t++)
            ck_assert_int_ge(result.hypotheses[row].tokens[t], MARKS);
    }
    ck_assert_int_gt(finished, 0);
    nn_generated_clear(&result);
    ag_tape_free(tape);
    nn_model_free(model);
}
END_TEST

/* An encoder answers with the most probable label of each token that is there. */
START_TEST(test_labels)
{
    nn_model *model = test_model((nn_model_config){.kind = NN_ENCODER}, 5);
    ag_tape *tape = test_quiet_tape(), *plain = test_quiet_tape();
    nn_pass pass = test_pass(model, plain);
    const int32_t classes = model->config.target_vocab;
    test_batch batch;
    nn_generated result;
    nn_generation_options options = {.no_eos = true, .marks = test_four_marks};
    test_batch_fill(&batch, model, 6, 7, 0, 1);
    const ag_tensor *logits = nn_model_apply(model, &pass, &batch.input);
    ck_assert_ptr_nonnull(logits);
    ck_assert_int_eq(nn_generate(model, tape, &batch.input, &options, &result, NULL), AG_OK);
    for (int64_t row = 0; row < 6; row++) {
        const nn_hypothesis *labels = &result.hypotheses[row];
        ck_assert_int_eq(labels->length, batch.source_lengths[row]);
        for (int64_t t = 0; t < labels->length; t++) {
            const ag_real *scores = logits->data + (row * 7 + t) * classes;
            ck_assert_int_ge(labels->tokens[t], MARKS);
            for (int32_t c = MARKS; c < classes; c++)
                ck_assert(scores[c] <= scores[labels->tokens[t]]);
        }
    }
    nn_generated_clear(&result);
    ag_tape_free(tape);
    ag_tape_free(plain);
    nn_model_free(model);
}
END_TEST

START_TEST(test_refused)
{
    nn_model *decoder = language_model(), *pairs = test_model((nn_model_config){.kind = NN_ENCODER_DECODER}, 5);
    ag_tape *tape = test_quiet_tape();
    int32_t token = 5;
    text got = {.count = 0};
    nn_generation_options options = {0};
    ck_assert_int_eq(nn_continue(pairs, tape, &token, 1, 1, &options, keep, &got, NULL), AG_BAD_VALUE);
    ck_assert_int_eq(nn_continue(decoder, tape, &token, 0, 1, &options, keep, &got, NULL), AG_BAD_VALUE);
    options.marks = (const int32_t[]){0, 1, 100, 3};
    ck_assert_int_eq(nn_continue(decoder, tape, &token, 1, 1, &options, keep, &got, NULL), AG_BAD_VALUE);
    ag_tape_free(tape);
    nn_model_free(decoder);
    nn_model_free(pairs);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("nn_continue");
    TCase *c = tcase_create("continue");
    tcase_add_test(c, test_windows);
    tcase_add_test(c, test_marks);
    tcase_add_test(c, a_mark_ends_the_text);
    tcase_add_test(c, test_enough);
    tcase_add_test(c, test_eos_may_come);
    tcase_add_test(c, test_labels);
    tcase_add_test(c, test_refused);
    suite_add_tcase(s, c);
    return s;
}

TEST_MAIN(suite)
