/* test_data_lines.c - line ends, byte order marks and white space mean the same to every
 * reader of text. */
#include "check_util.h"
#include "data.h"

#include <stdio.h>
#include <string.h>

static char *folder;

static void set_up(void)
{
    folder = test_folder_new();
}

static void tear_down(void)
{
    test_folder_remove(folder);
}

START_TEST(lines_end_by_lf_or_crlf)
{
    static const struct {
        const char *text, *lines; /* the lines, each ended by '|' */
    } cases[] = {
        {"", ""},
        {"\n", "|"},
        {"a", "a|"},
        {"a\n", "a|"},
        {"a\r\n", "a|"},
        {"a\r", "a|"},
        {"a\nb", "a|b|"},
        {"a\r\nb\n", "a|b|"},
        {"\n\r\n\r", "|||"},
        {"a\rb\n", "a\rb|"},
        {"a\r\r\n", "a\r|"},
        {" a \n", " a |"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char lines[64] = "";
        const char *line;
        size_t at = 0, size, length = strlen(cases[i].text);
        char *text = malloc(length + 1); /* without a final zero: nothing after the end is read */
        ck_assert_ptr_nonnull(text);
        memcpy(text, cases[i].text, length);
        while (data_line_next(text, length, &at, &line, &size)) {
            strncat(lines, line, size);
            strcat(lines, "|");
        }
        ck_assert_uint_eq(at, length);
        ck_assert_str_eq(lines, cases[i].lines);
        free(text);
    }
    ck_assert_uint_eq(data_text_start("\xEF\xBB\xBFx", 4), 3);
    ck_assert_uint_eq(data_text_start("\xEF\xBB\xBF", 2), 0);
    ck_assert_uint_eq(data_text_start("x\xEF\xBB\xBF", 4), 0);
}
END_TEST

START_TEST(white_space_is_nothing)
{
    static const char *const empty[] = {"", " ", "\t\r\n\v\f ", "\xC2\xA0\xC2\x85", "\xE3\x80\x80 \xE2\x80\xA8"};
    static const char *const not_empty[] = {"a", " a", "\xE2\x80\x8B", "\xC3\xA4 ", "  ."};
    for (size_t i = 0; i < sizeof empty / sizeof *empty; i++)
        ck_assert_msg(data_text_empty(empty[i], strlen(empty[i])), "%zu", i);
    for (size_t i = 0; i < sizeof not_empty / sizeof *not_empty; i++)
        ck_assert_msg(!data_text_empty(not_empty[i], strlen(not_empty[i])), "%zu", i);
}
END_TEST

static data_set *open_set(data_set *(*open)(const char *, const data_set_options *, ag_error *), const char *content,
                          data_set_options options)
{
    static int files;
    char name[16]; /* a set goes on reading its file */
    ag_error error = {0};
    snprintf(name, sizeof name, "%d", files++);
    char *path = test_file_write(folder, name, content, strlen(content));
    data_set *set = open(path, &options, &error);
    ck_assert_msg(set != NULL, "%s", error.message);
    free(path);
    return set;
}

static void check_same_batch(const data_batch *a, const data_batch *b)
{
    ck_assert(a->rows == b->rows && a->target_length == b->target_length && a->source_length == b->source_length);
    const size_t targets = (size_t)(a->rows * a->target_length) * sizeof(int32_t);
    ck_assert_mem_eq(a->target_in, b->target_in, targets);
    ck_assert_mem_eq(a->target_out, b->target_out, targets);
    ck_assert(!a->source == !b->source);
    if (a->source)
        ck_assert_mem_eq(a->source, b->source, (size_t)(a->rows * a->source_length) * sizeof(int32_t));
}

/* The same tokens, in the epochs' order and in their own, and the same vocabularies. */
static void check_same_set(data_set *a, data_set *b)
{
    data_batch left = {0}, right = {0};
    ck_assert_int_eq(data_set_count(a), data_set_count(b));
    char *words = data_vocab_write(data_set_target_vocab(a), NULL);
    char *same = data_vocab_write(data_set_target_vocab(b), NULL);
    ck_assert_str_eq(words, same);
    free(words);
    free(same);
    for (uint64_t n = 0; n < 3 * (uint64_t)data_set_batches(a, 2); n++) {
        ck_assert_int_eq(data_set_batch(a, 2, n, &left, NULL), AG_OK);
        ck_assert_int_eq(data_set_batch(b, 2, n, &right, NULL), AG_OK);
        check_same_batch(&left, &right);
    }
    ck_assert_int_eq(data_set_range(a, 0, data_set_count(a), &left, NULL), AG_OK);
    ck_assert_int_eq(data_set_range(b, 0, data_set_count(b), &right, NULL), AG_OK);
    check_same_batch(&left, &right);
    data_batch_clear(&left);
    data_batch_clear(&right);
    data_set_free(a);
    data_set_free(b);
}

/* A carriage return in the middle of a line is a character like any other. */
START_TEST(a_text_is_the_same_by_lf_and_crlf)
{
    static const char lf[] = "ab\ncd\n\nef\rg  h\ni", crlf[] = "\xEF\xBB\xBF" "ab\r\ncd\r\n\r\nef\rg  h\r\ni\r";
    for (int kind = DATA_CHARS; kind <= DATA_WORDS; kind++)
        for (int64_t context = 1; context < 18; context++) {
            const data_set_options options = {.context = context, .target_kind = (data_token_kind)kind};
            check_same_set(open_set(data_set_text, lf, options), open_set(data_set_text, crlf, options));
        }
}
END_TEST

/* Wherever the held-out end begins. */
START_TEST(no_part_cuts_a_line_end)
{
    for (int percent = 15; percent < 80; percent++) {
        int64_t tokens = 0;
        for (int part = DATA_TRAIN; part <= DATA_DEV; part++) {
            const data_set_options options = {.held_out = percent / 100.0, .part = (data_part)part, .context = 64};
            data_set *set = open_set(data_set_text, "ab\r\ncd\r\n\r\nef\r\ngh\r\nijk\r\n", options);
            ck_assert_int_eq(data_vocab_find(data_set_target_vocab(set), "\r", 1), DATA_NONE);
            tokens += data_set_max_target(set) + 1;
            data_set_free(set);
        }
        ck_assert_int_eq(tokens, 11 + 6);
    }
}
END_TEST

START_TEST(pairs_are_the_same_by_lf_and_crlf)
{
    static const char lf[] = "ab\tx y\nc\tz\n\nde\ty";
    static const char crlf[] = "\xEF\xBB\xBF" "ab\tx y\r\nc\tz\r\n \xC2\xA0 \r\n\r\nde\ty\r";
    check_same_set(open_set(data_set_pairs, lf, (data_set_options){0}),
                   open_set(data_set_pairs, crlf, (data_set_options){0}));
}
END_TEST

START_TEST(white_space_alone_is_no_pair)
{
    ag_error error = {0};
    char *path = test_file_write(folder, "blank", "  \n\xC2\xA0\r\n", 7);
    ck_assert_ptr_null(data_set_pairs(path, NULL, &error));
    ck_assert_ptr_nonnull(strstr(error.message, "has no pairs, only empty lines"));
    free(path);
}
END_TEST

START_TEST(vocabularies_are_the_same_by_lf_and_crlf)
{
    static const char *const contents[] = {"x\nb\n\\20\n", "x\r\nb\r\n\\20\r\n", "\xEF\xBB\xBFx\nb\n\\20",
                                           "\xEF\xBB\xBF<pad>\r\n<bos>\r\n<eos>\r\n<unk>\r\nx\r\nb\r\n\\20\r"};
    for (size_t i = 0; i < sizeof contents / sizeof *contents; i++) {
        ag_error error = {0};
        char *path = test_file_write(folder, "vocab", contents[i], strlen(contents[i]));
        data_vocab *vocab = data_vocab_read_file(DATA_CHARS, path, &error);
        ck_assert_msg(vocab != NULL, "%zu: %s", i, error.message);
        char *words = data_vocab_write(vocab, NULL);
        ck_assert_str_eq(words, "chars 3 x b \\20");
        free(words);
        data_vocab_free(vocab);
        free(path);
    }
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("data_lines");
    TCase *c = tcase_create("lines");
    tcase_add_checked_fixture(c, set_up, tear_down);
    tcase_add_test(c, lines_end_by_lf_or_crlf);
    tcase_add_test(c, white_space_is_nothing);
    tcase_add_test(c, a_text_is_the_same_by_lf_and_crlf);
    tcase_add_test(c, no_part_cuts_a_line_end);
    tcase_add_test(c, pairs_are_the_same_by_lf_and_crlf);
    tcase_add_test(c, white_space_alone_is_no_pair);
    tcase_add_test(c, vocabularies_are_the_same_by_lf_and_crlf);
    suite_add_tcase(s, c);
    return s;
}

TEST_MAIN(suite)
