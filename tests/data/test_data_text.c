/* test_data_text.c - UTF-8, vocabularies and their text. */
#include "check_util.h"

#include "data.h"

#include <stdio.h>
#include <string.h>

/* ---- UTF-8 ------------------------------------------------------------------------- */

/* The value of the sequence text[0..size) by the definition of RFC 3629 section 3,
 * written unlike the library: decode the bytes without checks, then test whether their
 * encoding is the shortest and allowed. */
static int reference_length(const unsigned char *byte, size_t size)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    int length = byte[0] < 0x80 ? 1 : (byte[0] >> 5) == 6 ? 2 : (byte[0] >> 4) == 14 ? 3 : (byte[0] >> 3) == 30 ? 4 : 0;
    if (length <= 1)
        return length;
    uint32_t code = byte[0] & (0x7Fu >> length);
    for (int i = 1; i < length; i++) {
        if ((size_t)i >= size || (byte[i] >> 6) != 2)
            return 0;
        code = code << 6 | (byte[i] & 0x3Fu);
    }
    if (code < smallest[length] || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF))
        return 0;
    return length;
}

START_TEST(every_first_three_bytes)
{
    for (unsigned first = 0; first < 256; first++)
        for (unsigned second = 0; second < 256; second++)
            for (unsigned third = 0; third < 256; third++) {
                unsigned char text[4] = {(unsigned char)first, (unsigned char)second, (unsigned char)third, 0x80};
                for (size_t size = 1; size <= 4; size++)
                    if (ag_utf8_length((const char *)text, size) != reference_length(text, size))
                        ck_abort_msg("%02x %02x %02x 80, %zu bytes: %d", first, second, third, size,
                                     ag_utf8_length((const char *)text, size));
            }
}
END_TEST

START_TEST(fourth_byte)
{
    for (unsigned last = 0; last < 256; last++) {
        unsigned char text[4] = {0xF0, 0x9F, 0x98, (unsigned char)last};
        ck_assert_int_eq(ag_utf8_length((const char *)text, 4), last >= 0x80 && last <= 0xBF ? 4 : 0);
    }
    ck_assert_int_eq(ag_utf8_length("", 0), 0);
}
END_TEST

START_TEST(check_finds_the_first_bad_byte)
{
    static const struct {
        const char *text;
        size_t size, bad;
    } cases[] = {
        {"", 0, 0},
        {"abc", 3, 3},
        {"a\xC3\xA4z", 4, 4},
        {"a\xC3", 2, 1},
        {"ab\x80", 3, 2},
        {"\xC0\xAF", 2, 0},
        {"a\xED\xA0\x80", 4, 1},
        {"\xF4\x8F\xBF\xBF\xF4\x90\x80\x80", 8, 4},
        {"\0a\xFF", 3, 2},
        {"\xE2\x82\xAC\xE2\x82", 5, 3},
        {"\xF0\x9F\x98\x80", 4, 4},
        {"\xF0\x9F\x98\x80", 3, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        ck_assert_msg(data_utf8_check(cases[i].text, cases[i].size) == cases[i].bad, "case %zu: %zu", i,
                      data_utf8_check(cases[i].text, cases[i].size));
}
END_TEST

/* ---- Tokens ------------------------------------------------------------------------ */

static int count_tokens(data_token_kind kind, const char *text, char joined[256])
{
    const char *token;
    size_t at = 0, size, end = 0;
    int count = 0;
    while (data_token_next(kind, text, strlen(text), &at, &token, &size)) {
        memcpy(joined + end, token, size);
        end += size;
        joined[end++] = '|';
        count++;
    }
    joined[end] = '\0';
    return count;
}

START_TEST(tokens_of_text)
{
    char joined[256];
    ck_assert_int_eq(count_tokens(DATA_CHARS, "a \xC9\x94\xF0\x9F\x98\x80", joined), 4);
    ck_assert_str_eq(joined, "a| |\xC9\x94|\xF0\x9F\x98\x80|");
    ck_assert_int_eq(count_tokens(DATA_WORDS, "  a b\t\xC9\x94z \r\n", joined), 3);
    ck_assert_str_eq(joined, "a|b|\xC9\x94z|");
    ck_assert_int_eq(count_tokens(DATA_WORDS, " \t\n\v\f\r ", joined), 0);
    ck_assert_int_eq(count_tokens(DATA_CHARS, "", joined), 0);
    /* No-break space, next line, ogham space, en quad .. hair space, line and paragraph
     * separator, narrow no-break space, medium mathematical space, ideographic space. */
    ck_assert_int_eq(count_tokens(DATA_WORDS,
                                  "a\xC2\xA0"
                                  "b\xC2\x85"
                                  "c\xE1\x9A\x80"
                                  "d\xE2\x80\x80"
                                  "e\xE2\x80\x8A"
                                  "f\xE2\x80\xA8"
                                  "g\xE2\x80\xA9"
                                  "h\xE2\x80\xAF"
                                  "i\xE2\x81\x9F"
                                  "j\xE3\x80\x80"
                                  "k",
                                  joined),
                     11);
    ck_assert_str_eq(joined, "a|b|c|d|e|f|g|h|i|j|k|");
    /* A zero-width space and its like are none. */
    ck_assert_int_eq(count_tokens(DATA_WORDS,
                                  "a\xE2\x80\x8B"
                                  "b\xEF\xBB\xBF"
                                  "c",
                                  joined),
                     1);
}
END_TEST

/* ---- Vocabularies ------------------------------------------------------------------ */

START_TEST(specials_come_first)
{
    data_vocab *vocab = data_vocab_new(DATA_WORDS, NULL);
    ck_assert_int_eq(data_vocab_size(vocab), 4);
    ck_assert_str_eq(data_vocab_token(vocab, DATA_PAD), "<pad>");
    ck_assert_str_eq(data_vocab_token(vocab, DATA_BOS), "<bos>");
    ck_assert_str_eq(data_vocab_token(vocab, DATA_EOS), "<eos>");
    ck_assert_str_eq(data_vocab_token(vocab, DATA_UNK), "<unk>");
    ck_assert_str_eq(data_vocab_token(vocab, 4), "");
    ck_assert_str_eq(data_vocab_token(vocab, -1), "");
    /* In a text they are words like any other. */
    ck_assert_int_eq(data_vocab_find(vocab, "<eos>", 5), DATA_NONE);
    ck_assert_int_eq(data_vocab_add(vocab, "<eos>", 5), 4);
    ck_assert_int_eq(data_vocab_find(vocab, "<eos>", 5), 4);
    data_vocab_free(vocab);
    data_vocab_free(NULL);
}
END_TEST

START_TEST(many_tokens_keep_their_ids)
{
    data_vocab *vocab = data_vocab_new(DATA_WORDS, NULL);
    char word[32];
    for (int i = 0; i < 20000; i++) {
        int size = snprintf(word, sizeof word, "w%d", i * 7);
        ck_assert_int_eq(data_vocab_add(vocab, word, (size_t)size), i + 4);
    }
    data_vocab *copy = data_vocab_copy(vocab, NULL);
    ck_assert_int_eq(data_vocab_size(copy), 20004);
    for (int i = 0; i < 20000; i++) {
        int size = snprintf(word, sizeof word, "w%d", i * 7);
        ck_assert_int_eq(data_vocab_find(copy, word, (size_t)size), i + 4);
        ck_assert_int_eq(data_vocab_add(vocab, word, (size_t)size), i + 4);
        ck_assert_str_eq(data_vocab_token(copy, i + 4), word);
        size = snprintf(word, sizeof word, "w%d", i * 7 + 1);
        ck_assert_int_eq(data_vocab_find(vocab, word, (size_t)size), DATA_NONE);
    }
    ck_assert_int_eq(data_vocab_kind(copy), DATA_WORDS);
    data_vocab_free(vocab);
    data_vocab_free(copy);
}
END_TEST

/* In small, crowded tables a search often passes by the very tokens that begin with what
 * is sought. */
START_TEST(a_beginning_is_not_the_token)
{
    for (int n = 0; n < 40; n++) {
        data_vocab *vocab = data_vocab_new(DATA_WORDS, NULL);
        char word[16];
        for (int i = 0; i < 30; i++)
            ck_assert_int_eq(data_vocab_add(vocab, word, (size_t)snprintf(word, sizeof word, "%d:%dx", n, 10 + i)),
                             DATA_SPECIALS + i);
        for (int i = 0; i < 30; i++)
            ck_assert_int_eq(data_vocab_find(vocab, word, (size_t)snprintf(word, sizeof word, "%d:%d", n, 10 + i)),
                             DATA_NONE);
        data_vocab_free(vocab);
    }
}
END_TEST

START_TEST(what_is_no_token)
{
    data_vocab *chars = data_vocab_new(DATA_CHARS, NULL), *words = data_vocab_new(DATA_WORDS, NULL);
    static const struct {
        const char *token;
        size_t size;
        bool is_char, is_word;
    } cases[] = {
        {"", 0, false, false},       {"ab", 2, false, true},    {" ", 1, true, false},
        {"a b", 3, false, false},    {"\0", 1, false, false},   {"\xFF", 1, false, false},
        {"\xC9\x94", 2, true, true}, {"\xC9", 1, false, false}, {"a\xC2\xA0", 3, false, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ck_assert_msg((data_vocab_add(chars, cases[i].token, cases[i].size) != DATA_NONE) == cases[i].is_char, "%zu", i);
        ck_assert_msg((data_vocab_add(words, cases[i].token, cases[i].size) != DATA_NONE) == cases[i].is_word, "%zu", i);
    }
    ck_assert_int_eq(data_vocab_size(chars), 6);
    ck_assert_int_eq(data_vocab_size(words), 6);
    data_vocab_free(chars);
    data_vocab_free(words);
}
END_TEST

static data_vocab *vocab_of(data_token_kind kind, const char *text)
{
    data_vocab *vocab = data_vocab_new(kind, NULL);
    const char *token;
    size_t at = 0, size;
    while (data_token_next(kind, text, strlen(text), &at, &token, &size))
        ck_assert_int_ge(data_vocab_add(vocab, token, size), DATA_SPECIALS);
    return vocab;
}

START_TEST(encode_and_decode)
{
    data_vocab *words = vocab_of(DATA_WORDS, "a b \xC9\x94");
    int32_t ids[8] = {0};
    int64_t unknown = -1;
    char text[32];
    ck_assert_int_eq(data_vocab_encode(words, " b  x \xC9\x94 b", 10, ids, 8, &unknown), 4);
    ck_assert_int_eq(unknown, 1);
    ck_assert(ids[0] == 5 && ids[1] == DATA_UNK && ids[2] == 6 && ids[3] == 5 && ids[4] == 0);
    /* Two fit; all are counted. */
    memset(ids, 0, sizeof ids);
    ck_assert_int_eq(data_vocab_encode(words, "a a a", 5, ids, 2, NULL), 3);
    ck_assert(ids[1] == 4 && ids[2] == 0);
    ck_assert_int_eq(data_vocab_encode(words, "a a a", 5, NULL, 0, NULL), 3);

    const int32_t row[] = {DATA_BOS, 4, DATA_PAD, 6, DATA_UNK, 99, -5, DATA_EOS, 5};
    ck_assert_uint_eq(data_vocab_decode(words, row, 9, text, sizeof text), 22);
    ck_assert_str_eq(text, "a \xC9\x94 <unk> <unk> <unk>");
    ck_assert_uint_eq(data_vocab_decode(words, row, 4, text, 3), 4);
    ck_assert_str_eq(text, "a ");
    ck_assert_uint_eq(data_vocab_decode(words, row, 4, NULL, 0), 4);
    ck_assert_uint_eq(data_vocab_decode(words, row, 0, text, sizeof text), 0);
    ck_assert_str_eq(text, "");

    data_vocab *chars = vocab_of(DATA_CHARS, "xy ");
    const int32_t letters[] = {4, 6, 5, DATA_EOS};
    ck_assert_uint_eq(data_vocab_decode(chars, letters, 4, text, sizeof text), 3);
    ck_assert_str_eq(text, "x y");
    data_vocab_free(words);
    data_vocab_free(chars);
}
END_TEST

START_TEST(text_there_and_back)
{
    /* Every character up to U+07FF but zero, and a few beyond. */
    data_vocab *vocab = data_vocab_new(DATA_CHARS, NULL);
    for (unsigned code = 1; code < 0x800; code++) {
        char token[2] = {(char)code};
        size_t size = 1;
        if (code >= 0x80) {
            token[0] = (char)(0xC0 | code >> 6);
            token[1] = (char)(0x80 | (code & 0x3F));
            size = 2;
        }
        ck_assert_int_eq(data_vocab_add(vocab, token, size), (int)code + 3);
    }
    ck_assert_int_ge(data_vocab_add(vocab, "\xF4\x8F\xBF\xBF", 4), 4);
    char *text = data_vocab_write(vocab, NULL);
    ck_assert_ptr_null(strchr(text, '\n'));
    ck_assert_uint_eq(data_utf8_check(text, strlen(text)), strlen(text));
    ag_error error = {0};
    data_vocab *back = data_vocab_read(text, &error);
    ck_assert_msg(back != NULL, "%s", error.message);
    ck_assert_int_eq(data_vocab_kind(back), DATA_CHARS);
    ck_assert_int_eq(data_vocab_size(back), data_vocab_size(vocab));
    for (int32_t id = 0; id < data_vocab_size(vocab); id++)
        ck_assert_str_eq(data_vocab_token(back, id), data_vocab_token(vocab, id));
    free(text);
    data_vocab_free(vocab);
    data_vocab_free(back);

    vocab = vocab_of(DATA_WORDS, "a\\b \"c\" <pad>");
    text = data_vocab_write(vocab, NULL);
    ck_assert_str_eq(text, "words 3 a\\5cb \"c\" <pad>");
    free(text);
    data_vocab_free(vocab);
    vocab = data_vocab_new(DATA_CHARS, NULL);
    text = data_vocab_write(vocab, NULL);
    ck_assert_str_eq(text, "chars 0");
    back = data_vocab_read(text, NULL);
    ck_assert_int_eq(data_vocab_size(back), 4);
    free(text);
    data_vocab_free(vocab);
    data_vocab_free(back);
}
END_TEST

START_TEST(bad_text_is_refused)
{
    static const char *const cases[][2] = {
        {"", "does not begin"},
        {"letters 1 a", "does not begin"},
        {"chars", "does not begin"},
        {"chars x", "does not begin"},
        {"chars -1", "does not begin"},
        {"chars 99999999999 a", "does not begin"},
        {"chars 2 a", "2 tokens are announced and only 1"},
        {"chars 2000000000 a", "announced and only 1"},
        {"chars 1 a b", "more follows"},
        {"chars 1 a ", "more follows"},
        {"chars 2 a  b", "token 2 of 2 is malformed"},
        {"chars 1 ab", "token 1 of 1 is malformed"},
        {"words 1 a\\20b", "malformed"},
        {"words 1 a\\2", "malformed"},
        {"words 1 a\\", "malformed"},
        {"words 1 a\\zz", "malformed"},
        {"words 1 \\00", "malformed"},
        {"words 1 \\ff", "malformed"},
        {"words 1 a\tb", "malformed"},
        {"chars 3 a b a", "token 3 of 3 is the same as token 1"},
        {"chars 1 \xFF", "byte 9 is not well-formed UTF-8"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ag_error error = {0};
        ck_assert_msg(data_vocab_read(cases[i][0], &error) == NULL, "'%s' was read", cases[i][0]);
        ck_assert_int_eq(error.status, AG_BAD_FILE);
        ck_assert_msg(strstr(error.message, cases[i][1]) != NULL, "'%s': %s", cases[i][0], error.message);
    }
}
END_TEST

/* Making, filling, copying, writing and reading with each allocation failing in turn. */
START_TEST(memory_runs_out)
{
    bool done = false;
    for (int64_t n = 1; !done; n++) {
        ck_assert_int_lt(n, 200);
        ag_error error = {0};
        test_fail_allocation(n);
        data_vocab *vocab = data_vocab_new(DATA_WORDS, &error), *copy = NULL, *back = NULL;
        char *text = NULL;
        bool added = vocab != NULL;
        for (int i = 0; i < 300 && added; i++) {
            char word[16];
            int size = snprintf(word, sizeof word, "word%d", i);
            int32_t id = data_vocab_add(vocab, word, (size_t)size);
            added = id >= 0;
            if (!added) { /* still usable, and the next attempt succeeds */
                ck_assert_int_eq(data_vocab_find(vocab, word, (size_t)size), DATA_NONE);
                ck_assert_int_eq(data_vocab_add(vocab, word, (size_t)size), i + 4);
                ck_assert_int_eq(data_vocab_find(vocab, "word0", 5), 4);
            }
        }
        if (added)
            copy = data_vocab_copy(vocab, &error);
        if (copy)
            text = data_vocab_write(copy, &error);
        if (text)
            back = data_vocab_read(text, &error);
        done = back != NULL;
        test_fail_allocation(0);
        if (!done && added)
            ck_assert_int_eq(error.status, AG_NO_MEMORY);
        data_vocab_free(vocab);
        data_vocab_free(copy);
        data_vocab_free(back);
        free(text);
    }
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("data_text");
    TCase *tests = tcase_create("all");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, every_first_three_bytes);
    tcase_add_test(tests, fourth_byte);
    tcase_add_test(tests, check_finds_the_first_bad_byte);
    tcase_add_test(tests, tokens_of_text);
    tcase_add_test(tests, specials_come_first);
    tcase_add_test(tests, many_tokens_keep_their_ids);
    tcase_add_test(tests, a_beginning_is_not_the_token);
    tcase_add_test(tests, what_is_no_token);
    tcase_add_test(tests, encode_and_decode);
    tcase_add_test(tests, text_there_and_back);
    tcase_add_test(tests, bad_text_is_refused);
    tcase_add_test(tests, memory_runs_out);
    suite_add_tcase(suite, tests);
    return suite;
}

TEST_MAIN(make_suite)
