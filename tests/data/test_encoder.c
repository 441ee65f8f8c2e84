/* test_encoder.c - vocabularies with given ids: GPT-2's two files, and lists, with marks
 * of their own or none. */
#include "allocations.h"
#include "check_util.h"
#include "data/bpe.h"
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

/* ---- Files --------------------------------------------------------------------------- */

static const char END[] = "<|endoftext|>";
static const char MERGES[] = u8"#version: 0.2\nt h\nth e\n\u0120 the\na n\n! \"\n";
/* The tokens after the 256 bytes. */
static const char *const MORE[] = {"th", "the", u8"\u0120the", "an", "!\\\"", "<|endoftext|>", "<mask>"};
enum { MORE_COUNT = sizeof MORE / sizeof *MORE, COUNT = DATA_BYTES + MORE_COUNT };

/* The ids of the tokens: those of the four bytes !"#$ are 0 to 3, as in GPT-2's file, and
 * the others go from the last token to the first, so not in the order of the merges. */
static void make_ids(int ids[COUNT])
{
    int next = 4;
    for (int i = COUNT - 1; i >= 0; i--)
        ids[i] = i >= '!' && i <= '$' ? i - '!' : next++;
}

/* An encoder.json with all tokens. */
static size_t make_encoder(char *text, size_t size)
{
    int ids[COUNT];
    size_t length = (size_t)snprintf(text, size, "{");
    make_ids(ids);
    for (int i = 0; i < COUNT; i++) {
        char form[8] = "", byte = (char)i;
        if (i < DATA_BYTES)
            form[data_bpe_show(&byte, 1, form)] = '\0';
        const char *shown = i >= DATA_BYTES ? MORE[i - DATA_BYTES]
                            : *form == '"'  ? "\\\""
                            : *form == '\\' ? "\\u005c"
                                            : form;
        length += (size_t)snprintf(text + length, size - length, "%s\"%s\": %d", i ? ", " : "", shown, ids[i]);
    }
    length += (size_t)snprintf(text + length, size - length, "}\n");
    ck_assert_uint_lt(length, size);
    return length;
}

static data_vocab *read_files(const char *encoder, const char *merges, ag_error *error)
{
    char *json = test_file_write(folder, "encoder.json", encoder, strlen(encoder)),
         *lines = test_file_write(folder, "vocab.bpe", merges, strlen(merges));
    data_vocab *vocab = data_vocab_read_encoder(json, lines, error);
    free(json);
    free(lines);
    return vocab;
}

static data_vocab *read_good(void)
{
    char text[1 << 14];
    ag_error error = {0};
    make_encoder(text, sizeof text);
    data_vocab *vocab = read_files(text, MERGES, &error);
    ck_assert_msg(vocab != NULL, "%s", error.message);
    return vocab;
}

/* The same ids, marks and merges: compared by what is written of them. */
static void same_vocab(const data_vocab *a, data_vocab *b)
{
    ck_assert_ptr_nonnull(b);
    char *x = data_vocab_write(a, NULL), *y = data_vocab_write(b, NULL);
    ck_assert_str_eq(x, y);
    free(x);
    free(y);
    data_vocab_free(b);
}

/* Each text has the ids that its tokens have in the file, and comes back. */
START_TEST(ids_are_those_of_the_file)
{
    data_vocab *vocab = read_good();
    int ids[COUNT];
    int32_t found[16];
    char text[64];
    make_ids(ids);
    ck_assert_int_eq(data_vocab_size(vocab), COUNT);
    ck_assert_int_eq(data_vocab_merges(vocab), 5);
    ck_assert_int_eq(data_vocab_encode(vocab, "then the!\"#$", 12, found, 16, NULL), 6);
    const int wanted[] = {ids[DATA_BYTES + 1], ids['n'], ids[DATA_BYTES + 2], ids[DATA_BYTES + 4], ids['#'], ids['$']};
    for (int i = 0; i < 6; i++)
        ck_assert_int_eq(found[i], wanted[i]);
    ck_assert(found[4] == 2 && found[5] == 3);
    ck_assert_uint_eq(data_vocab_decode(vocab, found, 6, text, sizeof text), 12);
    ck_assert_str_eq(text, "then the!\"#$");
    for (int byte = 0; byte < DATA_BYTES; byte++) {
        const char own = (char)byte;
        ck_assert_int_eq(data_vocab_encode(vocab, &own, 1, found, 1, NULL), 1);
        ck_assert_int_eq(found[0], ids[byte]);
        ck_assert(data_vocab_decode(vocab, found, 1, text, sizeof text) == 1 && text[0] == own);
    }
    data_vocab_free(vocab);
}
END_TEST

/* The end mark is bos and eos, no text has it, and the ids 0 to 3 are no marks. */
START_TEST(the_end_of_text_is_the_only_mark)
{
    data_vocab *vocab = read_good();
    int ids[COUNT];
    int32_t found[32];
    char text[8];
    make_ids(ids);
    const int32_t end = ids[DATA_BYTES + 5], *marks = data_vocab_marks(vocab);
    ck_assert(marks[DATA_PAD] == DATA_NONE && marks[DATA_UNK] == DATA_NONE);
    ck_assert(marks[DATA_BOS] == end && marks[DATA_EOS] == end);
    for (int32_t id = 0; id < COUNT; id++)
        ck_assert(data_vocab_is_mark(vocab, id) == (id == end));
    ck_assert_str_eq(data_vocab_token(vocab, end), END);
    ck_assert_int_eq(data_vocab_find(vocab, END, strlen(END)), DATA_NONE);
    const int64_t count = data_vocab_encode(vocab, END, strlen(END), found, 32, NULL);
    ck_assert_int_gt(count, 1);
    for (int64_t i = 0; i < count; i++)
        ck_assert_int_ne(found[i], end);
    const int32_t row[] = {0, 1, 2, 3, end, 0};
    ck_assert_uint_eq(data_vocab_decode(vocab, row, 6, text, sizeof text), 4);
    ck_assert_str_eq(text, "!\"#$");
    ck_assert_int_eq(data_vocab_count_unknown(vocab, (int32_t[]){3, -1}, 2), 0);
    data_vocab_free(vocab);
}
END_TEST

START_TEST(vocabularies_are_copied_written_and_read)
{
    ag_error error = {0};
    data_vocab *vocab = read_good();
    char *line = data_vocab_write(vocab, NULL), *path = test_path(folder, "vocab.txt");
    ck_assert_int_eq(strncmp(line, "marks -1 ", 9), 0);
    same_vocab(vocab, data_vocab_read(line, NULL));
    same_vocab(vocab, data_vocab_copy(vocab, NULL));
    ck_assert_int_eq(data_vocab_add(vocab, "xyz", 3), DATA_NONE);
    int32_t x = data_vocab_find(vocab, "x", 1), y = data_vocab_find(vocab, "y", 1);
    ck_assert_int_eq(data_vocab_add_merge(vocab, x, y), DATA_NONE); /* there is no token "xy" */
    ck_assert_int_eq(data_vocab_write_file(vocab, path, &error), AG_BAD_VALUE);
    ck_assert_ptr_nonnull(strstr(error.message, "encoder.json and vocab.bpe"));
    free(path);
    free(line);
    data_vocab_free(vocab);
}
END_TEST

/* ---- Bad files ----------------------------------------------------------------------- */

/* Replaces the first `from` of the good encoder.json. */
static void change(char *text, size_t size, const char *from, const char *to)
{
    char *at = strstr(text, from);
    ck_assert_msg(at != NULL, "%s", from);
    const size_t rest = strlen(at + strlen(from)) + 1;
    ck_assert_uint_lt((size_t)(at - text) + strlen(to) + rest, size);
    memmove(at + strlen(to), at + strlen(from), rest);
    memcpy(at, to, strlen(to));
}

START_TEST(files_that_do_not_fit_are_refused)
{
    static const struct {
        const char *from, *to, *merges, *message;
    } cases[] = {
        {"\"th\": ", "\"th\": 9", MERGES, "so an id has none"},
        {"\"the\": ", "\"the\": 1, \"thx\": ", MERGES, "have the same id, 1"},
        {"\"the\":", "\"th\":", MERGES, "are the same: 'th'"},
        {"\"a\":", "\"aa\":", MERGES, "the byte 97, whose visible form is 'a', has no token"},
        {"\"an\":", "\"a n\":", MERGES, "'a n', is not written in the visible form of bytes"},
        {"\"an\":", "\"\":", MERGES, "is not written in the visible form of bytes"},
        {"\"an\": ", "\"an\": -", MERGES, "was the file copied whole?"},
        {"{", "[", MERGES, "this is no encoder.json"},
        {"\n", "{", MERGES, "something follows the end"},
        {"\"an\":", "\"ab\":", MERGES, "vocab.bpe:5: encoder.json does not have the token that these two make"},
        {"{", "{", "t h\nth e\nthe xy\n", "vocab.bpe:3: the second token is not in encoder.json"},
        {"{", "{", "t h\nt h\n", "vocab.bpe:2: this merge has come before"},
        {"{", "{", "#version: 0.2\nt h\nth e\n", "none of its 2 merges makes token "},
        {"{", "{", "{\"!\": 0}", "vocab.bpe:1: the first token is not in encoder.json"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[1 << 14];
        ag_error error = {0};
        make_encoder(text, sizeof text);
        change(text, sizeof text, cases[i].from, cases[i].to);
        ck_assert_msg(read_files(text, cases[i].merges, &error) == NULL, "case %zu", i);
        ck_assert_int_eq(error.status, AG_BAD_FILE);
        ck_assert_msg(strstr(error.message, cases[i].message) != NULL, "case %zu: %s", i, error.message);
    }
    ag_error error = {0};
    ck_assert_ptr_null(data_vocab_read_encoder("/nowhere/encoder.json", "/nowhere/vocab.bpe", &error));
    ck_assert_int_eq(error.status, AG_IO);
    ck_assert_ptr_null(read_files("{}", MERGES, NULL));
}
END_TEST

/* A mark is missing in the file: the vocabulary has none. */
START_TEST(a_vocabulary_may_have_no_mark)
{
    char text[1 << 14];
    make_encoder(text, sizeof text);
    change(text, sizeof text, "<|endoftext|>", "<|other|>");
    data_vocab *vocab = read_files(text, MERGES, NULL);
    ck_assert_ptr_nonnull(vocab);
    for (int mark = 0; mark < DATA_SPECIALS; mark++)
        ck_assert_int_eq(data_vocab_marks(vocab)[mark], DATA_NONE);
    data_vocab_free(vocab);
}
END_TEST

START_TEST(bad_lines_are_refused)
{
    static const char *const lines[][2] = {
        {"marks 0 1 2 words 1 a", "\"marks\" are followed by"},
        {"marks -2 -1 -1 -1 words 1 a", "\"marks\" are followed by"},
        {"marks -1 -1 -1 -1 words 3 a", "\"marks\" are followed by"},
        {"marks -1 -1 -1 7 words 2 a b", "the mark <unk> has the id 7, and there are 2 tokens"},
        {"marks -1 -1 -1 -1 words 2 a a", "tokens 0 and 1 are the same"},
        {"marks -1 -1 -1 -1 words 2 a b\\20c", "token 1, 'b c', is not one token of this kind"},
        {"marks -1 -1 -1 -1 words 2 a  b", "token 2 of 2 is missing or malformed"},
        {"marks -1 -1 -1 -1 words 2 a b c", "more follows"},
        {"marks -1 -1 -1 -1 bpe 1 a 0", "the byte 0"},
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        ag_error error = {0};
        ck_assert_msg(data_vocab_read(lines[i][0], &error) == NULL, "case %zu", i);
        ck_assert_int_eq(error.status, AG_BAD_FILE);
        ck_assert_msg(strstr(error.message, lines[i][1]) != NULL, "case %zu: %s", i, error.message);
    }
}
END_TEST

/* ---- Lists --------------------------------------------------------------------------- */

/* Marks at any places: they are the ids of a batch, and pairs without an end mark are
 * refused. */
START_TEST(batches_have_the_vocabularys_marks)
{
    static const char *const tokens[] = {"a", "end", "b", "start", "fill"};
    static const int32_t marks[] = {4, 3, 1, DATA_NONE}, endless[] = {4, 3, DATA_NONE, DATA_NONE};
    data_vocab *vocab = data_vocab_list(DATA_WORDS, tokens, 5, marks, NULL);
    same_vocab(vocab, data_vocab_copy(vocab, NULL));
    char *line = data_vocab_write(vocab, NULL), *path = test_file_write(folder, "pairs.tsv", "a b\ta\nb\ta b\n", 12);
    ck_assert_str_eq(line, "marks 4 3 1 -1 words 5 a end b start fill");
    same_vocab(vocab, data_vocab_read(line, NULL));
    free(line);
    data_set_options options = {
        .source_kind = DATA_WORDS, .source_vocab = vocab, .target_kind = DATA_WORDS, .target_vocab = vocab};
    data_set *set = data_set_pairs(path, &options, NULL);
    data_batch batch = {0};
    ck_assert_int_eq(data_set_range(set, 0, 2, &batch, NULL), AG_OK);
    const int32_t source[] = {0, 2, 1, 2, 1, 4}, in[] = {3, 0, 4, 3, 0, 2}, out[] = {0, 1, DATA_NONE, 0, 2, 1};
    ck_assert_mem_eq(batch.source, source, sizeof source);
    ck_assert_mem_eq(batch.target_in, in, sizeof in);
    ck_assert_mem_eq(batch.target_out, out, sizeof out);
    data_set_free(set);

    ag_error error = {0};
    ck_assert_int_eq(data_batch_sources(vocab, (const char *[]){"a c"}, 1, false, &batch, NULL, &error), AG_BAD_VALUE);
    ck_assert_ptr_nonnull(strstr(error.message, "1 token is not in the vocabulary, nor a mark for them"));
    data_vocab *other = data_vocab_list(DATA_WORDS, tokens, 5, endless, NULL);
    error = (ag_error){0};
    options.source_vocab = other;
    ck_assert_ptr_null(data_set_pairs(path, &options, &error));
    ck_assert_msg(strstr(error.message, "pairs need an end mark in both vocabularies") != NULL, "%s", error.message);
    error = (ag_error){0};
    ck_assert_int_eq(data_batch_sources(other, (const char *[]){"a"}, 1, false, &batch, NULL, &error), AG_BAD_VALUE);
    ck_assert_ptr_nonnull(strstr(error.message, "has no end mark"));
    data_batch_clear(&batch);
    data_vocab_free(other);
    data_vocab_free(vocab);
    free(path);
}
END_TEST

START_TEST(every_allocation_may_fail)
{
    char text[1 << 14];
    make_encoder(text, sizeof text);
    data_vocab *good = read_good();
    char *line = data_vocab_write(good, NULL), *json = test_path(folder, "encoder.json"),
         *lines = test_path(folder, "vocab.bpe");
    for (int reading = 0; reading < 3; reading++) {
        data_vocab *vocab = NULL;
        int64_t n = 1;
        for (; !vocab; n++) {
            ag_error error = {0};
            test_fail_allocation(n);
            vocab = reading == 0   ? data_vocab_read_encoder(json, lines, &error)
                    : reading == 1 ? data_vocab_read(line, &error)
                                   : data_vocab_copy(good, &error);
            test_fail_allocation(0);
            ck_assert(vocab || error.status == AG_NO_MEMORY);
        }
        ck_assert_int_gt(n, 5);
        same_vocab(good, vocab);
    }
    free(json);
    free(lines);
    free(line);
    data_vocab_free(good);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("encoder");
    TCase *tests = tcase_create("encoder");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, ids_are_those_of_the_file);
    tcase_add_test(tests, the_end_of_text_is_the_only_mark);
    tcase_add_test(tests, vocabularies_are_copied_written_and_read);
    tcase_add_test(tests, files_that_do_not_fit_are_refused);
    tcase_add_test(tests, a_vocabulary_may_have_no_mark);
    tcase_add_test(tests, bad_lines_are_refused);
    tcase_add_test(tests, batches_have_the_vocabularys_marks);
    tcase_add_test(tests, every_allocation_may_fail);
    suite_add_tcase(suite, tests);
    return suite;
}

TEST_MAIN(make_suite)
