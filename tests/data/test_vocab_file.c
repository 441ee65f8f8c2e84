/* test_vocab_file.c - vocabularies as files with a line for each token. */
#include "check_util.h"
#include "data.h"

#include <stdio.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static char *folder, *path;

static void set_up(void)
{
    folder = test_folder_new();
    path = malloc(strlen(folder) + 32);
    sprintf(path, "%s/vocab.txt", folder);
}

static void tear_down(void)
{
    free(path);
    test_folder_remove(folder);
}

static data_vocab *read_text(data_token_kind kind, const char *text, size_t size)
{
    ag_error error = {0};
    free(test_file_write(folder, "vocab.txt", text, size));
    data_vocab *vocab = data_vocab_read_file(kind, path, &error);
    ck_assert_msg(vocab != NULL, "%s", error.message);
    return vocab;
}

static void check_tokens(const data_vocab *vocab, const char *const *tokens, int32_t count)
{
    ck_assert_int_eq(data_vocab_size(vocab), DATA_SPECIALS + count);
    for (int32_t i = 0; i < count; i++)
        ck_assert_str_eq(data_vocab_token(vocab, DATA_SPECIALS + i), tokens[i]);
}

START_TEST(a_vocabulary_comes_back)
{
    static const char *const tokens[2][7] = {{"a", " ", "\n", "\\", "\xC3\xA9", "\x7F", "<"},
                                             {"a", "<pad>", "\\0a", "\xE2\x82\xAC\xE2\x82\xAC", "\\", "x\x01y", "7"}};
    static const char *const wanted[2] = {"a\n\\20\n\\0a\n\\5c\n\xC3\xA9\n\\7f\n<\n",
                                          "a\n<pad>\n\\5c0a\n\xE2\x82\xAC\xE2\x82\xAC\n\\5c\nx\\01y\n7\n"};
    for (int kind = DATA_CHARS; kind <= DATA_WORDS; kind++) {
        char bytes[256];
        data_vocab *vocab = data_vocab_new((data_token_kind)kind, NULL);
        for (int i = 0; i < 7; i++)
            ck_assert_int_eq(data_vocab_add(vocab, tokens[kind][i], strlen(tokens[kind][i])), DATA_SPECIALS + i);
        ck_assert_int_eq(data_vocab_write_file(vocab, path, NULL), AG_OK);
        data_vocab_free(vocab);
        FILE *file = fopen(path, "rb");
        const size_t size = fread(bytes, 1, sizeof bytes - 1, file);
        fclose(file);
        bytes[size] = 0;
        ck_assert_int_eq(strncmp(bytes, "<pad>\n<bos>\n<eos>\n<unk>\n", 24), 0);
        ck_assert_str_eq(bytes + 24, wanted[kind]);

        vocab = data_vocab_read_file((data_token_kind)kind, path, NULL);
        ck_assert_ptr_nonnull(vocab);
        ck_assert_int_eq(data_vocab_kind(vocab), (data_token_kind)kind);
        check_tokens(vocab, tokens[kind], 7);
        data_vocab_free(vocab);
    }
}
END_TEST

START_TEST(forms_of_the_file)
{
    static const struct {
        const char *text;
        data_token_kind kind;
        int count;
        const char *tokens[3];
    } cases[] = {
        {"a\nb\n \n", DATA_CHARS, 3, {"a", "b", " "}},
        {"a\nb\n ", DATA_CHARS, 3, {"a", "b", " "}},
        {"\xEF\xBB\xBF"
         "a\r\nb\r\n",
         DATA_CHARS,
         2,
         {"a", "b"}},
        {"\xEF\xBB\xBF<pad>\r\n<bos>\r\n<eos>\r\n<unk>\r\nb", DATA_CHARS, 1, {"b"}},
        {"<pad>\n<bos>\n<eos>\n<unk>\n", DATA_WORDS, 0, {NULL}},
        {"", DATA_WORDS, 0, {NULL}},
        {"<pad>\n<bos>\n<eos>\n", DATA_WORDS, 3, {"<pad>", "<bos>", "<eos>"}},
        {"<unk>\n<bos>\n<eos>\n", DATA_WORDS, 3, {"<unk>", "<bos>", "<eos>"}},
        {"\\0d\n\\c3\\a9\n", DATA_CHARS, 2, {"\r", "\xC3\xA9"}},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        data_vocab *vocab = read_text(cases[i].kind, cases[i].text, strlen(cases[i].text));
        check_tokens(vocab, cases[i].tokens, cases[i].count);
        data_vocab_free(vocab);
    }
}
END_TEST

START_TEST(lines_that_are_wrong_are_named)
{
    static const struct {
        const char *text;
        size_t size;
        data_token_kind kind;
        const char *sentence;
    } cases[] = {
        {"a\n\nb\n", 5, DATA_CHARS, ":2: this is not one character"},
        {"a\nbc\n", 5, DATA_CHARS, ":2: this is not one character"},
        {"<pad>\n<bos>\n<eos>\n<unk>\na\nbc\n", 29, DATA_CHARS, ":6: this is not one character"},
        {"a b\n", 4, DATA_WORDS, ":1: this is not one word"},
        {"a\n\xC3\n", 4, DATA_CHARS,
         ":2: byte 1 of the line is not well-formed UTF-8 (if the text is Latin-1: iconv -f LATIN1"},
        {"a\n\\c3\n", 6, DATA_CHARS, ":2: the token is not well-formed UTF-8"},
        {"ab\xFF\n", 4, DATA_CHARS, ":1: byte 3 of the line is not well-formed UTF-8"},
        {"\xFF\xFE"
         "a\0\n\0",
         6, DATA_CHARS,
         ":1: byte 1 of the line is not well-formed UTF-8 (the text is UTF-16: iconv -f UTF-16 -t UTF-8)"},
        {"the\t12\n", 7, DATA_WORDS, ":1: this is not one word (a line is a token; cut -f 1 keeps the first column)"},
        {"a\nab\xFF", 5, DATA_WORDS, ":2: byte 3 of the line is not well-formed UTF-8"},
        {"a\n\0\n", 4, DATA_CHARS, ":2: byte 1 of the line is zero, which no text holds (is it text?)"},
        {"a\n\\00\n", 6, DATA_CHARS, ":2: this is not one character"},
        {"\\\n", 2, DATA_CHARS, ":1: this is not one character"},
        {"\\5", 2, DATA_CHARS, ":1: this is not one character"},
        {"\\5\n", 3, DATA_CHARS, ":1: this is not one character"},
        {"\\5C\n", 4, DATA_CHARS, ":1: this is not one character"},
        {"\\zz\n", 4, DATA_WORDS, ":1: this is not one word"},
        {"a\nb\na\n", 6, DATA_CHARS, ":3: this token has come before"},
        {"\\61\na\n", 6, DATA_CHARS, ":2: this token has come before"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        ag_error error = {0};
        free(test_file_write(folder, "vocab.txt", cases[i].text, cases[i].size));
        ck_assert_ptr_null(data_vocab_read_file(cases[i].kind, path, &error));
        ck_assert_int_eq(error.status, AG_BAD_FILE);
        ck_assert_msg(!strncmp(error.message, path, strlen(path)), "%s", error.message);
        ck_assert_msg(!strncmp(error.message + strlen(path), cases[i].sentence, strlen(cases[i].sentence)),
                      "case %zu: %s", i, error.message);
    }
    ag_error error = {0};
    ck_assert_ptr_null(data_vocab_read_file(DATA_CHARS, "/nowhere", &error));
    ck_assert_int_eq(error.status, AG_IO);
}
END_TEST

START_TEST(allocations_may_fail)
{
    int failures = 0;
    data_vocab *vocab = NULL;
    free(test_file_write(folder, "vocab.txt", "a\nb\nc\nd\ne\nf\n", 12));
    for (int n = 1; !vocab; n++) {
        ag_error error = {0};
        test_fail_allocation(n);
        vocab = data_vocab_read_file(DATA_CHARS, path, &error);
        test_fail_allocation(0);
        failures += !vocab;
        ck_assert_int_eq(error.status, vocab ? AG_OK : AG_NO_MEMORY);
        ck_assert_msg(vocab || strstr(error.message, path), "allocation %d: %s", n, error.message);
        ck_assert_int_lt(n, 100);
    }
    ck_assert_int_ge(failures, 4);
    test_fail_allocation(1); /* the only one */
    ck_assert_int_eq(data_vocab_write_file(vocab, path, NULL), AG_NO_MEMORY);
    test_fail_allocation(0);
    ag_error error = {0};
    ck_assert_int_eq(data_vocab_write_file(vocab, "/nowhere/vocab.txt", &error), AG_IO);
    ck_assert_ptr_nonnull(strstr(error.message, "/nowhere"));
    data_vocab_free(vocab);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("vocab_file");
    TCase *t = tcase_create("vocab_file");
    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_add_test(t, a_vocabulary_comes_back);
    tcase_add_test(t, forms_of_the_file);
    tcase_add_test(t, lines_that_are_wrong_are_named);
    tcase_add_test(t, allocations_may_fail);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(suite)
