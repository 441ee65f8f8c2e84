/* test_copies.c - which token of a source takes the place of an <unk>: none of its tags,
 * and the one that the weights mean although tags come before it. */
#include "check_util.h"
#include "train/copies.h"

#include <string.h>

enum { TOKENS = 5, ROWS = 1 };

/* The vocabulary of the letters a and b, or of tags and those. */
static data_vocab *letters(bool tags)
{
    static const char *const tokens[] = {"V\t", "a", "b"};
    data_vocab *vocab = data_vocab_new(DATA_CHARS, NULL);
    for (int i = tags ? 0 : 1; i < 3; i++)
        ck_assert_int_ge(data_vocab_add(vocab, tokens[i], strlen(tokens[i])), 0);
    return vocab;
}

/* The token that is copied for the one <unk> of an answer. `weights`: its attention to the
 * source's tokens (V, a, b, or Q, Z) and the end mark. */
static const char *copy_of(data_vocab *copies, const data_vocab *source, const char *text, ag_real weights[TOKENS])
{
    int32_t token = DATA_UNK;
    nn_hypothesis answer = {.tokens = &token, .length = 1};
    nn_generated answers = {.rows = ROWS, .best = 1, .hypotheses = &answer};
    const nn_alignment alignment = {.rows = ROWS, .best = 1, .queries = 1, .keys = TOKENS, .weights = weights};
    ck_assert(train_has_unknown(copies, &answers));
    ck_assert_int_eq(train_copy_unknown(copies, source, &alignment, &text, &answers, NULL), AG_OK);
    return data_vocab_token(copies, token);
}

START_TEST(tags_are_not_copied)
{
    data_vocab *source = letters(true), *copies = letters(false);
    ck_assert_str_eq(copy_of(copies, source, "V\taQZ", (ag_real[]){0.9f, 0, 0.02f, 0.05f, 0.03f}), "Z");
    ck_assert_str_eq(copy_of(copies, source, "V\taQZ", (ag_real[]){0, 0.9f, 0.05f, 0.02f, 0.03f}), "Q");
    ck_assert_str_eq(copy_of(copies, source, "X\taba", (ag_real[]){0.9f, 0.02f, 0.05f, 0.01f, 0.02f}), "b");
    ck_assert(!data_vocab_has_tags(copies));
    data_vocab_free(source);
    data_vocab_free(copies);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("copies");
    TCase *t = tcase_create("copies");
    tcase_add_test(t, tags_are_not_copied);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(suite)
