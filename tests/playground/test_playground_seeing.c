/* test_playground_seeing.c - what a person sees of an example: attention, influence, leaks,
 * and the answer token by token. */
#include "ask.h"
#include "allocations.h"
#include "playground/typed.h"

#include <stdio.h>
#include <string.h>

#define SMALL "task-min=3&task-max=5&layers=2&heads=2&d-model=16&batch=16&lr=0.01&steps=400&seed=3"
static const char pairs[] = "model=encoder-decoder&task=reverse&" SMALL;
static const char learner[] = "model=encoder-decoder&task=reverse&task-min=3&task-max=5&layers=1&heads=2&d-model=32&"
                              "batch=32&lr=0.005&steps=400&seed=7";
static const char tagger[] = "model=encoder&task=shift&" SMALL;
static const char language[] = "model=decoder&task=reverse&" SMALL;

static const char *answer_of(playground *p, const char *verb, const char *text)
{
    ask(p, verb, text);
    return playground_answer(p);
}

/* A playground whose model has been trained for some steps, under other masks. */
static playground *trained(const char *setting, const char *masks, const char *steps)
{
    char text[512];
    snprintf(text, sizeof text, "%s%s", setting, masks);
    playground *p = begin(text);
    ask(p, "step", steps);
    return p;
}

static int count_of(const char *text, const char *part)
{
    int count = 0;
    for (; (text = strstr(text, part)); text += strlen(part))
        count++;
    return count;
}

static void has(const char *answer, const char *part)
{
    ck_assert_msg(strstr(answer, part), "no '%s' in %.800s", part, answer);
}

/* ---- Attention --------------------------------------------------------------------- */

START_TEST(a_picture_of_each_head_that_is_chosen)
{
    playground *p = trained(pairs, "", "1");
    const char *answer = answer_of(p, "attention", "source=abcd&target=dc&attention=cross&layer=1");
    ck_assert_int_eq(count_of(answer, "<figure"), 2);
    has(answer, "decoder looks at encoder, layer 1");
    ck_assert_int_eq(count_of(answer, " data-row=\""), 2 * 3 * 5);
    ck_assert_int_eq(count_of(answer_of(p, "attention", "source=abcd&target=dc"), "<figure"), 12);
    has(answer_of(p, "attention", "source=abcd&target=dc&attention=encoder&layer=0&padding=2"), "data-row=\"6\"");
    playground_free(p);
    p = trained(tagger, "", "1");
    has(answer_of(p, "attention", "source=abcd&attention=encoder&layer=0"), "encoder looks at itself");
    refused(p, "attention", "source=abcd&attention=cross", "the model has no such attention");
    playground_free(p);
    p = trained(language, "", "1");
    ck_assert_int_eq(count_of(answer_of(p, "attention", "source=ab&target=b&layer=0"), " data-row=\""), 2 * 5 * 5);
    playground_free(p);
}
END_TEST

/* The weights of a map are 0 exactly where the mask in force forbids, and it is marked. */
START_TEST(maps_are_zero_where_the_mask_forbids)
{
    playground *p = trained(pairs, "&source=window:1&target=leak&cross=own:2x3:B0&eval-target=causal", "3");
    playground_typed typed;
    study_maps maps;
    ag_error error = {0};
    int64_t zeros = 0;
    ck_assert_int_eq(playground_typed_read(p, "source=abcde&target=edc&masks=training", &typed), AG_OK);
    ck_assert_int_eq(playground_typed_complete(p, &typed), AG_OK);
    ck_assert_int_eq(study_attention(p->run->model, &typed.input, &maps, &error), AG_OK);
    ck_assert_int_eq(maps.count, 6);
    for (int n = 0; n < maps.count; n++) {
        static const playground_card cards[] = {PLAYGROUND_CROSS, PLAYGROUND_SOURCE, PLAYGROUND_TARGET};
        const study_map *map = &maps.items[n];
        const playground_mask *mask = &p->run->setting.masks[PLAYGROUND_TRAINING][cards[study_map_kind(map)]];
        for (int64_t e = 0; e < map->heads * map->queries * map->keys; e++) {
            const bool allowed = playground_mask_allows(mask, e / map->keys % map->queries, e % map->keys);
            ck_assert_int_eq(map->cells[e] == STUDY_SEEN, allowed);
            ck_assert_int_eq(map->weights[e] > 0, allowed);
            zeros += !allowed;
        }
    }
    ck_assert_int_gt(zeros, 50);
    study_maps_clear(&maps);
    playground_typed_clear(&typed);
    playground_free(p);
}
END_TEST

/* ---- Influence and leaks ----------------------------------------------------------- */

START_TEST(a_leak_is_told_with_its_place)
{
    playground *p = trained(pairs, "&target=leak&eval-target=causal", "5");
    /* Three pairs in each of two layers, and five of the whole model. */
    has(answer_of(p, "leaks", "source=abc&target=cba&masks=training"),
        "11 leaks under the masks of training: 5 in the whole model and 6 in its parts, each by itself. The first: "
        "decoder.layers.0 lets position 0 (<bos>) see target 1 (c), which the usual masks forbid: causal in a "
        "decoder, and padding hidden (influence ");
    has(answer_of(p, "leaks", "source=abc&target=cba&masks=evaluation"),
        "No leak: under the masks of evaluation, none of the ");
    /* One cell of an own mask: query 1, key 3. */
    ask(p, "change", "model=encoder-decoder&task=reverse&" SMALL "&target=own:4x4:8DEF");
    has(answer_of(p, "leaks", "source=abc&target=cba"),
        "decoder.layers.0 lets position 1 (c) see target 3 (a), which the usual masks forbid");
    const char *answer = answer_of(p, "influence", "source=abc&target=cba");
    has(answer, "class=\"cell leak\"");
    has(answer, "<text class=\"on-leak\""); /* a leak's number stands in its cell */
    has(answer, "masked, yet ");
    has(answer, "LEAK: in the whole model, 3 of the 6 influences that the masks forbid are not 0.");
    playground_free(p);
}
END_TEST

/* Padding that is seen is a leak of the source. */
START_TEST(padding_leaks)
{
    playground *p = trained(pairs, "&source=all,padding", "5");
    has(answer_of(p, "leaks", "source=abc&target=cba&padding=1"),
        "encoder.layers.0 lets position 0 (a) see source 4 (<pad>)");
    has(answer_of(p, "leaks", "source=abc&target=cba"), "No leak");
    playground_free(p);
}
END_TEST

START_TEST(no_leak_under_the_masks_of_the_model)
{
    static const char *const settings[] = {pairs, tagger, language};
    for (int i = 0; i < 3; i++) {
        playground *p = trained(settings[i], "", "2");
        has(answer_of(p, "leaks", "source=abcd&target=dc&padding=1"), "No leak");
        const char *answer = answer_of(p, "influence", "source=abcd&target=dc");
        ck_assert_int_eq(count_of(answer, "<figure"), 2);
        ck_assert_ptr_null(strstr(answer, "leak"));
        playground_free(p);
    }
}
END_TEST

/* ---- Token by token ---------------------------------------------------------------- */

/* Under the model's own masks the answer is that of greedy decoding. */
static void expect_greedy(playground *p, const char *text, int most)
{
    playground_typed typed;
    nn_generated result;
    ag_error error = {0};
    ck_assert_int_eq(playground_typed_read(p, text, &typed), AG_OK);
    nn_input input = typed.input;
    int32_t prompt[64], length = typed.given;
    memcpy(prompt, typed.rows.tokens, (size_t)length * sizeof *prompt);
    if (p->run->model->config.kind == NN_DECODER) {
        input.target = prompt;
        input.target_length = length;
        input.target_lengths = &length;
    }
    ag_tape *tape = ag_tape_new(&(ag_tape_options){.no_grad = true, .threads = 1});
    const nn_generation_options options = {.marks = (const int32_t[]){DATA_PAD, DATA_BOS, DATA_EOS, DATA_UNK}};
    ck_assert_msg(nn_generate(p->run->model, tape, &input, &options, &result, &error) == AG_OK, "%s", error.message);
    ck_assert_int_eq(playground_typed_complete(p, &typed), AG_OK);
    const nn_hypothesis *answer = result.hypotheses;
    const int64_t written = *typed.rows.lengths - typed.given;
    ck_assert_int_le(written, answer->length);
    ck_assert(*typed.rows.ended ? written == answer->length : written == most);
    ck_assert(!memcmp(typed.rows.tokens + typed.given, answer->tokens, (size_t)written * sizeof *answer->tokens));
    nn_generated_clear(&result);
    ag_tape_free(tape);
    playground_typed_clear(&typed);
}

START_TEST(the_answer_is_that_of_greedy_decoding)
{
    static const char *const texts[] = {"source=abc", "source=abcde", "source=bbbb", "source=edcb"};
    playground *p = trained(pairs, "", "60"), *q = trained(language, "", "60");
    for (int i = 0; i < 4; i++) {
        expect_greedy(p, texts[i], (int)data_set_max_target(p->run->training));
        expect_greedy(q, texts[i], (int)data_set_max_target(q->run->training));
    }
    playground_free(p);
    playground_free(q);
}
END_TEST

static int64_t looks_of(playground *p, const char *text)
{
    long long looks = -1;
    ck_assert_int_eq(sscanf(answer_of(p, "looks", text), "{\"looks\": %lld", &looks), 1);
    return looks;
}

START_TEST(each_token_of_a_learned_answer)
{
    playground *p = trained(learner, "", "400");
    static const char *const says[] = {"d", "c", "b", "a", "&lt;eos&gt;"};
    ck_assert_int_eq(looks_of(p, "source=abcd"), 5);
    for (int i = 0; i < 6; i++) {
        char text[64], sentence[64];
        snprintf(text, sizeof text, "source=abcd&tokens=%d", i);
        const char *answer = answer_of(p, "next", text);
        const int step = i < 5 ? i : 4;
        snprintf(sentence, sizeof sentence, "Token %d: it says %s, with a probability of 0.", step + 1, says[step]);
        has(answer, sentence);
        ck_assert_int_eq(count_of(answer, "<figure"), 2);
        /* two heads look at five tokens of the source, and at what is written */
        ck_assert_int_eq(count_of(answer, " data-row=\""), 2 * 5 + 2 * (step + 1));
        snprintf(sentence, sizeof sentence, "may see %d of %d", step + 1, step + 1);
        has(answer, sentence);
        ck_assert_int_eq(count_of(strstr(answer, "Next token"), "<tr>"), 5);
    }
    playground_free(p);
}
END_TEST

/* What a mask hides from the last position is hatched, and not counted. */
START_TEST(what_the_decoder_may_see)
{
    playground *p = trained(learner, "&eval-cross=own:1x5:A8&eval-target=window:0", "60");
    const char *answer = answer_of(p, "next", "source=abcd&tokens=2");
    has(answer, "Token 3: ");
    has(answer, "may see 3 of 5");
    has(answer, "may see 1 of 3");
    ck_assert_int_eq(count_of(answer, "class=\"cell masked\" fill=\"url(#picture-4001-hatch)\" x"), 2 * 2 + 1);
    playground_free(p);
}
END_TEST

START_TEST(the_other_kinds_write_too)
{
    playground *p = trained(tagger, "", "300");
    ck_assert_int_eq(looks_of(p, "source=abcd"), 4);
    const char *answer = answer_of(p, "next", "source=abcd&tokens=2");
    has(answer, "Token 3: it says b, with a probability of 0.");
    has(answer, "may see 4 of 4");
    ck_assert_int_eq(count_of(answer, " data-row=\""), 4 * 4);
    playground_free(p);
    p = trained(language, "", "1");
    answer = answer_of(p, "next", "source=abcd&tokens=0");
    ck_assert_int_eq(count_of(answer, " data-row=\""), 4 * 6); /* begin mark, abcd, arrow */
    has(answer, "from \xE2\x86\x92 to what is written");
    ck_assert_int_le(looks_of(p, "source=abcd"), data_set_max_target(p->run->training));
    playground_free(p);
}
END_TEST

/* ---- Examples ---------------------------------------------------------------------- */

START_TEST(unseen_examples_of_each_kind)
{
    static const char *const settings[] = {pairs, tagger, language};
    for (int i = 0; i < 3; i++) {
        playground *p = trained(settings[i], "", "1");
        char source[64], target[64], text[256];
        ck_assert_int_eq(
            sscanf(answer_of(p, "unseen", "7"), "{\"source\": \"%63[a-z]\", \"target\": \"%63[a-z]\"}", source, target),
            2);
        ck_assert_uint_eq(strlen(source), strlen(target));
        snprintf(text, sizeof text, "source=%s&target=%s", source, target);
        ask(p, "attention", text);
        refused(p, "unseen", "-1", "expected a number from 0");
        playground_free(p);
    }
}
END_TEST

START_TEST(what_is_no_example)
{
    static const char *const texts[][2] = {
        {"source=abQ", "the source: 1 of 3 tokens is not in the model's vocabulary, the first of them 'Q'"},
        {"source=ab&target=bQ", "the target: 1 of 2 tokens is not in the model's vocabulary"},
        {"source=%C3", "the source: byte 1 is not UTF-8"},
        {"", "the source is empty: type one token at least"},
        {"source=%20&target=a", "the source is empty"},
        {"source=abc&masks=both", "masks=both is not known"},
        {"source=abc&attention=self", "attention=self is not known"},
        {"source=abc&padding=9", "padding=9: expected a whole number from 0 to 8"},
        {"source=abc&layer=1.5", "layer=1.5: expected a whole number"},
        {"source=abc&colour=blue", "an example has no 'colour'"},
        {"source=abcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcd",
         "the source is too long: 64 positions are the most"},
        {"source=abc&target=abcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcd",
         "the target is too long: 64 positions are the most"},
    };
    static const char *const verbs[] = {"attention", "influence", "leaks"};
    playground *p = playground_new();
    for (int verb = 0; verb < 3; verb++)
        refused(p, verbs[verb], "source=abc", "there is no model yet");
    playground_free(p);
    p = trained(pairs, "", "1");
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        for (int verb = 0; verb < 3; verb++)
            refused(p, verbs[verb], texts[i][0], texts[i][1]);
    refused(p, "next", "source=abQ", "the source: 1 of 3");
    refused(p, "looks", "source=abQ", "the source: 1 of 3");
    playground_free(p);
    p = trained(language, "", "1");
    refused(p, "attention", "source=abcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcd",
            "too long: 64 positions");
    playground_free(p);
}
END_TEST

/* Wherever memory ends, the question is refused by a sentence, and the next one answered. */
START_TEST(memory_may_end)
{
    static const char *const verbs[] = {"attention", "influence", "leaks", "next", "looks", "unseen"};
    static const char *const settings[] = {pairs, tagger, language};
    for (int kind = 0; kind < 3; kind++) {
        playground *p = trained(settings[kind], "", "1");
        for (size_t verb = 0; verb < sizeof verbs / sizeof *verbs; verb++) {
            const char *text = verb < 5 ? "source=abc&target=cb&tokens=1&layer=0" : "1";
            ag_status status = AG_NO_MEMORY;
            int failed = 0;
            for (int n = 1; status != AG_OK && n < 4000; n++) {
                test_fail_allocation(n);
                status = playground_ask(p, verbs[verb], text);
                test_fail_allocation(0);
                ck_assert_msg(status == AG_OK || status == AG_NO_MEMORY, "%s, allocation %d: %s", verbs[verb], n,
                              playground_answer(p));
                failed += status != AG_OK;
            }
            ck_assert_int_eq(status, AG_OK);
            ck_assert_int_gt(failed, 0);
        }
        playground_free(p);
    }
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("playground_seeing");
    TCase *t = tcase_create("seeing");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, enter_folder, leave_folder);
    tcase_add_test(t, a_picture_of_each_head_that_is_chosen);
    tcase_add_test(t, maps_are_zero_where_the_mask_forbids);
    tcase_add_test(t, a_leak_is_told_with_its_place);
    tcase_add_test(t, padding_leaks);
    tcase_add_test(t, no_leak_under_the_masks_of_the_model);
    tcase_add_test(t, the_answer_is_that_of_greedy_decoding);
    tcase_add_test(t, each_token_of_a_learned_answer);
    tcase_add_test(t, what_the_decoder_may_see);
    tcase_add_test(t, the_other_kinds_write_too);
    tcase_add_test(t, unseen_examples_of_each_kind);
    tcase_add_test(t, what_is_no_example);
    tcase_add_test(t, memory_may_end);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(suite)
