/* test_text_scores.c - chrF and BLEU against sacrebleu 2.6.0, which made the expected
 * scores: CHRF() and BLEU(tokenize="none"). And the tags of a tagger. */
#include "check_util.h"
#include "train/decode.h"
#include "train/text_scores.h"

#include <math.h>

static const struct {
    struct {
        const char *output, *references[2];
        int count;
    } sources[2];
    int count;
    double chrf, bleu;
} cases[] = {
    {{{"the cat sat on the mat", {"the cat sat on a mat", "a cat is on the mat today"}, 2}}, 1, 72.0848317308, 67.5600077404},
    {{{"the the the the the the the", {"the cat is on the mat", "there is a cat on the mat"}, 2}}, 1, 14.2324268482, 7.8098498423},
    {{{"a b c d e", {"a b c d f"}, 1}, {"x y z w", {"x y q w v u"}, 1}}, 2, 32.9640306685, 39.5074655208},
    {{{"straße über naïve", {"strasse über naive"}, 1}, {"한국어 문장 입니다 지금", {"한국어 문장 이다 지금", "문장 입니다 지금 한국어"}, 2}}, 2, 54.8153975721, 51.6973153957},
    {{{"ab", {"ba"}, 1}}, 1, 50.0000000000, 0.0000000000},
    {{{"a b c d x a b c d", {"a b c d"}, 1}}, 1, 69.9781659389, 29.8474589601},
    {{{"", {"x y"}, 1}, {"a b c d e", {"a b c d e"}, 1}}, 2, 92.0745920746, 67.0320046036},
    {{{"q r s t", {"a b c d"}, 1}}, 1, 0.0000000000, 0.0000000000},
    {{{"a b c d e f g h", {"a b c d e f x y z w", "a b c d e f"}, 2}}, 1, 87.9760225670, 68.0374933317},
};

START_TEST(scores_are_those_of_sacrebleu)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        train_text_scores scores = {.output_words = 0};
        for (int s = 0; s < cases[i].count; s++)
            ck_assert_int_eq(train_text_scores_add(&scores, cases[i].sources[s].output, cases[i].sources[s].references,
                                                   cases[i].sources[s].count, NULL),
                             AG_OK);
        ck_assert_msg(fabs(train_chrf(&scores) - cases[i].chrf) < 1e-8, "%zu: chrF %.10f, not %.10f", i,
                      train_chrf(&scores), cases[i].chrf);
        ck_assert_msg(fabs(train_bleu(&scores) - cases[i].bleu) < 1e-8, "%zu: BLEU %.10f, not %.10f", i,
                      train_bleu(&scores), cases[i].bleu);
    }
}
END_TEST

/* Byte pairs may make bytes that are no UTF-8. */
START_TEST(scores_of_any_bytes)
{
    const char *const references[] = {"a b c d e"};
    train_text_scores scores = {.output_words = 0}, other = {.output_words = 0};
    ck_assert_int_eq(train_text_scores_add(&scores, "a b c d \xE9", references, 1, NULL), AG_OK);
    ck_assert_int_eq(train_text_scores_add(&other, "a b c d x", references, 1, NULL), AG_OK);
    ck_assert(train_bleu(&scores) > 0 && train_bleu(&scores) == train_bleu(&other));
}
END_TEST

START_TEST(scores_without_memory)
{
    const char *const references[] = {"a b c", "b c"};
    train_text_scores whole = {.output_words = 0};
    ck_assert_int_eq(train_text_scores_add(&whole, "a b", references, 2, NULL), AG_OK);
    for (int n = 1;; n++) {
        train_text_scores scores = {.output_words = 0};
        ag_error error = {0};
        test_fail_allocation(n);
        const ag_status status = train_text_scores_add(&scores, "a b", references, 2, &error);
        test_fail_allocation(0);
        ck_assert(status == AG_OK || (status == AG_NO_MEMORY && *error.message));
        if (status == AG_OK) {
            ck_assert_int_gt(n, 10);
            ck_assert(train_chrf(&scores) == train_chrf(&whole) && train_bleu(&scores) == train_bleu(&whole));
            break;
        }
    }
}
END_TEST

/* By hand: N is right 2 of 3 times that it is given and 2 of 2 that it is wanted, V 1 of 1
 * and of 2; X is not in the vocabulary, and D only given. */
START_TEST(tags_have_precision_and_recall)
{
    data_vocab *vocab = data_vocab_new(DATA_WORDS, NULL);
    const int32_t n = data_vocab_add(vocab, "N", 1), v = data_vocab_add(vocab, "V", 1),
                  d = data_vocab_add(vocab, "D", 1);
    const int32_t output[] = {n, v, n, n, d}, target[] = {n, v, n, v, -1};
    train_tags tags = {0};
    ck_assert_int_eq(train_tags_begin(&tags, vocab, NULL), AG_OK);
    train_tags_add(&tags, output, target, 3);
    train_tags_add(&tags, output + 3, target + 3, 2);
    train_tags_end(&tags);
    ck_assert_int_eq(tags.count, 3);
    ck_assert_str_eq(tags.items[0].name, "N");
    ck_assert_str_eq(tags.items[1].name, "V");
    ck_assert_str_eq(tags.items[2].name, "D");
    ck_assert_double_eq_tol(tags.items[0].precision, 2.0 / 3, 1e-15);
    ck_assert_double_eq_tol(tags.items[0].recall, 1, 1e-15);
    ck_assert_double_eq_tol(tags.items[0].f1, 0.8, 1e-15);
    ck_assert_double_eq_tol(tags.items[1].precision, 1, 1e-15);
    ck_assert_double_eq_tol(tags.items[1].recall, 0.5, 1e-15);
    ck_assert(tags.items[2].precision == 0 && tags.items[2].recall == 0 && tags.items[2].given == 1);
    ck_assert_double_eq_tol(tags.accuracy, 0.6, 1e-15);
    ck_assert_double_eq_tol(tags.macro_f1, (0.8 + 2.0 / 3) / 3, 1e-15);
    train_tags_clear(&tags);
    for (int at = 1; at < 4; at++) {
        test_fail_allocation(at);
        ck_assert_int_eq(train_tags_begin(&tags, vocab, NULL), AG_NO_MEMORY);
        test_fail_allocation(0);
        ck_assert(!tags.items);
    }
    data_vocab_free(vocab);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("text_scores");
    TCase *c = tcase_create("scores");
    tcase_add_test(c, scores_are_those_of_sacrebleu);
    tcase_add_test(c, scores_of_any_bytes);
    tcase_add_test(c, scores_without_memory);
    tcase_add_test(c, tags_have_precision_and_recall);
    suite_add_tcase(s, c);
    return s;
}

TEST_MAIN(suite)
