/* test_unknown.c - which tokens of texts a vocabulary does not have, and the lines of a
 * pair file. */
#include "check_util.h"
#include "data.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static data_vocab *letters(void)
{
    data_vocab *vocab = data_vocab_new(DATA_CHARS, NULL);
    for (const char *letter = "abc"; *letter; letter++)
        ck_assert_int_ge(data_vocab_add(vocab, letter, 1), 0);
    return vocab;
}

START_TEST(unknown_tokens_are_counted)
{
    static const char *const lines[] = {"abz", "xax", "", "x", "cxz", "xxx", "abc"};
    data_vocab *vocab = letters();
    data_unknown unknown = {0};
    for (int i = 0; i < 7; i++)
        ck_assert_int_eq(data_unknown_add(&unknown, vocab, lines[i], strlen(lines[i]), "f", i + 1, NULL), AG_OK);
    data_unknown_sort(&unknown);
    ck_assert_int_eq(unknown.tokens, 16);
    ck_assert_int_eq(unknown.unknown, 9);
    ck_assert_int_eq(unknown.lines, 5);
    ck_assert_int_eq(unknown.count, 2);
    const data_unknown_token *x = &unknown.items[0], *z = &unknown.items[1];
    ck_assert_str_eq(x->token, "x");
    ck_assert_str_eq(z->token, "z");
    ck_assert(x->count == 7 && z->count == 2);
    ck_assert(x->place_count == 3 && x->places[0].line == 2 && x->places[1].line == 4 && x->places[2].line == 5);
    ck_assert(z->place_count == 2 && z->places[0].line == 1 && z->places[1].line == 5);
    ck_assert(x->more && !z->more);
    data_unknown_clear(&unknown);
    ck_assert(!unknown.items && !unknown.count);
    data_vocab_free(vocab);
}
END_TEST

/* More tokens than are told apart, and the failure of each allocation. */
START_TEST(unknown_tokens_take_bounded_memory)
{
    data_vocab *vocab = data_vocab_new(DATA_WORDS, NULL);
    data_unknown unknown = {0};
    char word[16];
    for (int i = 0; i < 100010; i++) {
        const int size = snprintf(word, sizeof word, "w%d", i);
        ck_assert_int_eq(data_unknown_add(&unknown, vocab, word, (size_t)size, NULL, 0, NULL), AG_OK);
    }
    ck_assert_int_eq(unknown.count, 100000);
    ck_assert_int_eq(unknown.unknown, 100010);
    data_unknown_clear(&unknown);
    enum { WORDS = 2000 };
    static char text[16 * WORDS];
    size_t end = 0;
    for (int i = 0; i < WORDS; i++)
        end += (size_t)snprintf(text + end, sizeof text - end, "w%d ", i);
    for (int n = 1;; n++) {
        ag_error error = {0};
        test_fail_allocation(n);
        const ag_status status = data_unknown_add(&unknown, vocab, text, end, NULL, 0, &error);
        test_fail_allocation(0);
        ck_assert(status == AG_OK ? unknown.count == WORDS : status == AG_NO_MEMORY && *error.message);
        data_unknown_clear(&unknown);
        if (status == AG_OK) {
            ck_assert_int_gt(n, 2);
            break;
        }
    }
    data_vocab_free(vocab);
}
END_TEST

START_TEST(pairs_have_lines)
{
    static const char text[] = "\xEF\xBB\xBF\n" "a\tb\r\n\n  \nb\ta\nc\tc\n";
    char *folder = test_folder_new(), *path = test_file_write(folder, "pairs", text, strlen(text));
    data_set *set = data_set_pairs(path, NULL, NULL);
    ck_assert_ptr_nonnull(set);
    static const int64_t order[] = {0, 1, 2, 2, 0, 2, 1}, lines[] = {2, 5, 6};
    for (size_t i = 0; i < sizeof order / sizeof *order; i++)
        ck_assert_int_eq(data_set_line(set, order[i]), lines[order[i]]);
    ck_assert(data_set_line(set, 3) == 0 && data_set_line(set, -1) == 0);
    data_set_free(set);
    set = data_set_task(data_task_find("copy"), NULL, NULL);
    ck_assert_int_eq(data_set_line(set, 1), 0);
    data_set_free(set);
    free(path);
    test_folder_remove(folder);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("unknown");
    TCase *c = tcase_create("unknown");
    tcase_set_timeout(c, 60);
    tcase_add_test(c, unknown_tokens_are_counted);
    tcase_add_test(c, unknown_tokens_take_bounded_memory);
    tcase_add_test(c, pairs_have_lines);
    suite_add_tcase(s, c);
    return s;
}

TEST_MAIN(suite)
