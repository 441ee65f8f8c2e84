/* test_data_sets.c - pair files and text files: what is read, what is refused and how,
 * parts, groups. */
#include "check_util.h"

#include "data.h"

#include <stdio.h>
#include <string.h>

static char *folder;

static void setup(void)
{
    folder = test_folder_new();
}

static void teardown(void)
{
    test_folder_remove(folder);
}

/* A set from a file of this content, or NULL and *error. */
static data_set *pairs_from(const char *content, size_t size, const data_set_options *options, ag_error *error)
{
    char *path = test_file_write(folder, "train.tsv", content, size);
    data_set *set = data_set_pairs(path, options, error);
    free(path);
    return set;
}

static data_set *good_pairs(const char *content, data_set_options options)
{
    ag_error error = {0};
    data_set *set = pairs_from(content, strlen(content), &options, &error);
    ck_assert_msg(set != NULL, "%s", error.message);
    return set;
}

static data_set *good_text(const char *content, data_set_options options)
{
    ag_error error = {0};
    char *path = test_file_write(folder, "text.txt", content, strlen(content));
    data_set *set = data_set_text(path, &options, &error);
    ck_assert_msg(set != NULL, "%s", error.message);
    free(path);
    return set;
}

static void expect_example(data_set *set, int64_t i, const char *source, const char *target)
{
    const char *found_source, *found_target;
    data_set_example(set, i, &found_source, &found_target);
    ck_assert_ptr_nonnull(found_target);
    if (source)
        ck_assert_str_eq(found_source, source);
    else
        ck_assert_ptr_null(found_source);
    ck_assert_str_eq(found_target, target);
}

/* ---- Pair files -------------------------------------------------------------------- */

START_TEST(lines_of_a_pair_file)
{
    data_set *set = good_pairs("\xEF\xBB\xBF"
                               "ab\tx y\r\n\n\r\nc \xC9\x94\ty  z\nd\t x",
                               (data_set_options){.target_kind = DATA_WORDS});
    ck_assert_int_eq(data_set_count(set), 3);
    expect_example(set, 0, "ab", "x y");
    expect_example(set, 1, "c \xC9\x94", "y  z");
    expect_example(set, 2, "d", " x");
    ck_assert_int_eq(data_set_max_source(set), 4); /* three characters and the end mark */
    ck_assert_int_eq(data_set_max_target(set), 3);
    char *source = data_vocab_write(data_set_source_vocab(set), NULL);
    char *target = data_vocab_write(data_set_target_vocab(set), NULL);
    ck_assert_str_eq(source, "chars 6 a b c \\20 \xC9\x94 d");
    ck_assert_str_eq(target, "words 3 x y z");
    const char *outside = "", *outside_target = "";
    data_set_example(set, 3, &outside, &outside_target);
    ck_assert(outside == NULL && outside_target == NULL);
    free(source);
    free(target);
    data_set_free(set);
}
END_TEST

START_TEST(a_last_line_may_end_in_any_way)
{
    static const char *const contents[] = {"a\tb", "a\tb\n", "a\tb\r\n", "a\tb\r", "\n\na\tb\n\n"};
    for (size_t i = 0; i < sizeof contents / sizeof contents[0]; i++) {
        data_set *set = good_pairs(contents[i], (data_set_options){0});
        ck_assert_int_eq(data_set_count(set), 1);
        expect_example(set, 0, "a", "b");
        data_set_free(set);
    }
}
END_TEST

START_TEST(given_vocabularies_are_copied)
{
    data_vocab *vocab = data_vocab_new(DATA_WORDS, NULL);
    ck_assert_int_eq(data_vocab_add(vocab, "y", 1), DATA_SPECIALS);
    data_set *set = good_pairs("a b\tx y\n", (data_set_options){.source_vocab = vocab, .target_vocab = vocab});
    ck_assert_int_eq(data_vocab_add(vocab, "x", 1), DATA_SPECIALS + 1);
    data_vocab_free(vocab);
    ck_assert_int_eq(data_set_max_source(set), 3); /* the vocabulary's kind of token counts */
    ck_assert_int_eq(data_vocab_size(data_set_target_vocab(set)), 5);
    data_batch batch = {0};
    ck_assert_int_eq(data_set_range(set, 0, 1, &batch, NULL), AG_OK);
    ck_assert(batch.target_out[0] == DATA_UNK && batch.target_out[1] == 4 && batch.target_out[2] == DATA_EOS);
    data_batch_clear(&batch);
    data_set_free(set);
}
END_TEST

START_TEST(bad_pair_files)
{
    static const struct {
        const char *content;
        size_t size; /* 0: up to the zero */
        data_set_options options;
        const char *message;
    } cases[] = {
        {"", 0, {0}, "train.tsv: the file is empty"},
        {"\n\r\n\n", 0, {0}, "train.tsv: the file has no pairs, only empty lines"},
        {"a\tb\nab\n",
         0,
         {0},
         "train.tsv:2: no TAB between source and target (if sources and targets are in two files: --source "
         "FILE --target FILE)"},
        {"a,b\n",
         0,
         {0},
         "train.tsv:1: no TAB between source and target (if this is CSV, with commas or semicolons: --columns "
         "1,2)"},
        {"1,5;b\n",
         0,
         {0},
         "train.tsv:1: no TAB between source and target (if this is CSV, with commas or semicolons: --col"},
        {"a\tb\n\r\n\nc\td\te\n",
         0,
         {0},
         "train.tsv:4: more than one TAB (expected: source, TAB, target; --columns 1,2 reads the first two columns)"},
        {"\xFF\xFE"
         "a\0\t\0b\0\n\0",
         10,
         {0},
         "train.tsv:1: byte 1 of the line is not well-formed UTF-8 (the text is UTF-16: iconv -f UTF-16 -t UTF-8)"},
        {"a\0\t\0b\0\n\0",
         8,
         {0},
         "train.tsv:1: byte 2 of the line is zero, which no text holds (if the text is UTF-16: iconv -f UTF-16LE"},
        {"\0a\0\t\0b\0\n",
         8,
         {0},
         "train.tsv:1: byte 1 of the line is zero, which no text holds (if the text is UTF-16: iconv -f UTF-16BE"},
        {"\xFF\xFE\0\0a\0\0\0\t\0\0\0b\0\0\0\n\0\0\0", 20, {0}, "(the text is UTF-32: iconv -f UTF-32 -t UTF-8)"},
        {"\0\0\xFE\xFF\0\0\0a\0\0\0\t\0\0\0b\0\0\0\n", 20, {0}, "(the text is UTF-32: iconv -f UTF-32 -t UTF-8)"},
        {"a\0\0\0\t\0\0\0b\0\0\0\n\0\0\0", 16, {0}, "(if the text is UTF-32: iconv -f UTF-32LE -t UTF-8)"},
        {"\0\0\0a\0\0\0\t\0\0\0b\0\0\0\n", 16, {0}, "(if the text is UTF-32: iconv -f UTF-32BE -t UTF-8)"},
        {"\xE9\0a\0\t\0b\0\n\0", 10, {0}, "(if the text is UTF-16: iconv -f UTF-16LE -t UTF-8)"},
        {"\xE0\x0C\0\0\0\0\0\0{\"__metadata__\":{\"checksum\":\"0123456789\"}}\n", 47, {0}, "(is it text?)"},
        {"\xFD"
         "7zXZ\0",
         6,
         {0},
         "(the file is compressed: unxz)"},
        {"\x28\xB5\x2F\xFD", 0, {0}, "(the file is compressed: unzstd)"},
        {"BZh91AY\xFF", 0, {0}, "(if the file is compressed: bunzip2)"},
        {"PK\3\4\x14\0\6\0", 8, {0}, "(this is a ZIP archive, as spreadsheets are: save"},
        {"a\tb\rc\td\r", 0, {0}, "train.tsv:1: more than one TAB (expected: source, TAB, target; if lines end with CR"},
        {"a\rb\n",
         0,
         {0},
         "train.tsv:1: no TAB between source and target (if lines end with CR alone: tr '\\r' '\\n')"},
        {"\"a\",\"b\"\n", 0, {0}, "(if this is CSV, with commas or semicolons: --columns 1,2)"},
        {"# text = a\n", 0, {0}, "train.tsv:1: no TAB between source and target (if this is CoNLL-U: --conllu FILE"},
        {"1\ta\t\t\t\t\t\t\t\t_\n", 0, {0}, "train.tsv:1: more than one TAB (expected: source, TAB, target; if this is Co"},
        {"{\"source\":\"a\",\"target\":\"b\"}\n", 0, {0}, "(if this is JSON with these names: jq -r "},
        {"caf\xE9\tb\n",
         0,
         {0},
         "train.tsv:1: byte 4 of the line is not well-formed UTF-8 (if the text is Latin-1: iconv -f LATIN1 -t UTF-8)"},
        {"\xC3\xA9\xE9\tb\n",
         0,
         {0},
         "train.tsv:1: byte 3 of the line is not well-formed UTF-8 (iconv -c -f UTF-8 -t UTF-8 leaves such"},
        {"\x1F\x8B\x08",
         0,
         {0},
         "train.tsv:1: byte 2 of the line is not well-formed UTF-8 (the file is compressed: gunzip)"},
        {"a long enough line of text\0 with a zero\tb\n", 43, {0}, "is zero, which no text holds (is it text?)"},
        {"a\tb\nb\t\n", 0, {0}, "train.tsv:2: the target is empty"},
        {"a\tb\n\tb\n", 0, {0}, "train.tsv:2: the source is empty"},
        {"a\tb\n \xC2\xA0\tb\n", 0, {0}, "train.tsv:2: the source is empty"},
        {"a\tb\nb\t  \r\n", 0, {0}, "train.tsv:2: the target is empty"},
        {"a\tb\nb\t\xC3\n", 0, {0}, "train.tsv:2: byte 3 of the line is not well-formed UTF-8"},
        {"a\tb\nb\xED\xA0\x80\tc\n", 0, {0}, "train.tsv:2: byte 2 of the line is not well-formed UTF-8"},
        {"a\tb\na\0b\tc\n", 10, {0}, "train.tsv:2: byte 2 of the line is zero, which no text holds"},
        {"a\tb\nabcd\tb\n",
         0,
         {.max_tokens = 4},
         "train.tsv:2: the source has 5 tokens with its end mark, more than the limit of 4"},
        {"a\tb\na\tb c d e\n",
         0,
         {.max_tokens = 4, .target_kind = DATA_WORDS},
         "train.tsv:2: the target has 5 tokens with its end mark, more than the limit of 4"},
        {"abcd\tabcd\nabcde\tabcde\n",
         0,
         {.max_tokens = 4, .tagging = true},
         "train.tsv:2: the source has 5 tokens, more than the limit of 4"},
        {"a\tb\nab\tc\n",
         0,
         {.tagging = true},
         "train.tsv:2: the source has 2 tokens and the target 1, but tagging needs equally many (an encoder-decoder "
         "does not)"},
        {"a\tb\na\tc\n",
         0,
         {.part = DATA_DEV},
         "train.tsv: all its pairs have the same source, so none can be held out (give a dev file)"},
        {"a\tb\n", 0, {.held_out = 1.5}, "the held-out share must be between 0 and 1, not 1.5"},
        {"a\tb\n", 0, {.max_tokens = -1}, "max_tokens -1 must not be negative"},
        {"a\tb\n", 0, {.source_kind = (data_token_kind)5}, "tokens are characters, words, byte pairs or jamo"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ag_error error = {0};
        size_t size = cases[i].size ? cases[i].size : strlen(cases[i].content);
        data_set *set = pairs_from(cases[i].content, size, &cases[i].options, &error);
        ck_assert_msg(set == NULL, "case %zu was accepted", i);
        ck_assert_msg(strstr(error.message, cases[i].message) != NULL, "case %zu: %s", i, error.message);
        ck_assert_int_eq(error.status, strstr(error.message, ".tsv") ? AG_BAD_FILE : AG_BAD_VALUE);
    }
    ag_error error = {0};
    ck_assert_ptr_null(data_set_pairs(folder, NULL, &error));
    ck_assert_int_eq(error.status, AG_IO);
    ck_assert_ptr_null(data_set_pairs("/none", NULL, NULL));
}
END_TEST

START_TEST(too_many_tokens_for_an_index)
{
    size_t size = 65536 + 3;
    char *content = malloc(size);
    memset(content, 'a', size);
    content[65536] = '\t';
    content[size - 1] = '\n';
    ag_error error = {0};
    ck_assert_ptr_null(pairs_from(content, size, NULL, &error));
    ck_assert_ptr_nonnull(
        strstr(error.message, "train.tsv:1: the source has 65536 tokens, more than the limit of 65535"));
    memmove(content, content + 1, size - 1);
    data_set *set = pairs_from(content, size - 1, NULL, NULL);
    ck_assert_int_eq(data_set_max_source(set), 65536);
    data_set_free(set);
    free(content);
}
END_TEST

/* ---- Parts ------------------------------------------------------------------------- */

/* `sources` sources "s<n>", each with one or two targets. */
static char *numbered_pairs(int sources)
{
    char *content = malloc((size_t)sources * 48 + 1), *out = content;
    for (int i = 0; i < sources; i++) {
        out += sprintf(out, "s%d\tx%d\n", i, i);
        if (i % 3 == 0)
            out += sprintf(out, "s%d\ty%d\n", i, i);
    }
    return content;
}

static void mark_sources(data_set *set, bool *seen)
{
    for (int64_t i = 0; i < data_set_count(set); i++) {
        const char *source, *target;
        data_set_example(set, i, &source, &target);
        seen[atoi(source + 1)] = true;
    }
}

START_TEST(parts_of_a_pair_file)
{
    enum { SOURCES = 3000 };
    static const struct {
        double held_out;
        int64_t max_held_out;
        int low, high; /* sources expected in DATA_DEV */
    } cases[] = {{0, 0, 110, 190}, {0.5, 0, 1400, 1600}, {0.5, 100, 100, 100}, {1e-12, 0, 1, 1}, {0.2, 1, 1, 1}};
    char *content = numbered_pairs(SOURCES);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        data_set_options options = {.held_out = cases[i].held_out, .max_held_out = cases[i].max_held_out, .seed = 11};
        bool in_train[SOURCES] = {false}, in_dev[SOURCES] = {false};
        int held_out = 0;
        options.part = DATA_TRAIN;
        data_set *train = good_pairs(content, options);
        options.part = DATA_DEV;
        data_set *dev = good_pairs(content, options);
        ck_assert_int_eq(data_set_count(train) + data_set_count(dev), SOURCES + SOURCES / 3);
        mark_sources(train, in_train);
        mark_sources(dev, in_dev);
        for (int s = 0; s < SOURCES; s++) {
            ck_assert(in_train[s] != in_dev[s]);
            held_out += in_dev[s];
        }
        ck_assert_msg(held_out >= cases[i].low && held_out <= cases[i].high, "case %zu: %d", i, held_out);
        ck_assert_int_eq(data_set_source_count(dev), held_out);
        data_set_free(train);
        data_set_free(dev);
    }
    /* Another seed chooses others. */
    bool one[SOURCES] = {false}, two[SOURCES] = {false};
    data_set *dev_one = good_pairs(content, (data_set_options){.part = DATA_DEV, .seed = 1});
    data_set *dev_two = good_pairs(content, (data_set_options){.part = DATA_DEV, .seed = 2});
    mark_sources(dev_one, one);
    mark_sources(dev_two, two);
    ck_assert_int_ne(memcmp(one, two, sizeof one), 0);
    data_set_free(dev_one);
    data_set_free(dev_two);
    free(content);
}
END_TEST

static void expect_one_example_as_long_as_the_maxima(data_set *set)
{
    const char *source, *target;
    ck_assert_int_eq(data_set_count(set), 1);
    data_set_example(set, 0, &source, &target);
    ck_assert_int_eq(data_set_max_source(set), (int64_t)strlen(source) + 1);
    ck_assert_int_eq(data_set_max_target(set), (int64_t)strlen(target) + 1);
}

/* A pipe can be read only once, and a file may be another at the second look: both parts
 * come from one reading. */
START_TEST(a_part_is_held_out_of_what_was_read)
{
    enum { SOURCES = 400 };
    char *content = numbered_pairs(SOURCES), *path = test_pipe_new(folder, content, strlen(content), 0);
    data_set_options options = {.part = DATA_TRAIN, .held_out = 0.3, .seed = 5};
    ag_error error = {0};
    data_set *training = data_set_pairs(path, &options, &error);
    ck_assert_msg(training != NULL, "%s", error.message);
    data_set *dev = data_set_held_out(training, &error);
    ck_assert_msg(dev != NULL, "%s", error.message);
    options.source_vocab = data_set_source_vocab(training);
    options.target_vocab = data_set_target_vocab(training);
    options.part = DATA_DEV;
    data_set *expected = good_pairs(content, options);
    ck_assert(data_set_fingerprint(dev) == data_set_fingerprint(expected));
    ck_assert_int_eq(data_vocab_size(data_set_source_vocab(dev)), data_vocab_size(data_set_source_vocab(training)));
    data_set_free(training);
    ck_assert(data_set_fingerprint(dev) == data_set_fingerprint(expected));
    ck_assert_ptr_null(data_set_held_out(dev, &error));
    ck_assert_ptr_nonnull(strstr(error.message, "pipe: only the DATA_TRAIN part"));
    data_set_free(dev);
    data_set_free(expected);
    free(path);
    free(content);

    error = (ag_error){0};
    data_set *task = data_set_task(data_task_find("copy"), &(data_set_options){.part = DATA_TRAIN}, &error);
    ck_assert_ptr_null(data_set_held_out(task, &error));
    ck_assert_int_eq(error.status, AG_BAD_VALUE);
    data_set_free(task);

    data_set *text = good_text("one two three four five six seven", (data_set_options){.part = DATA_TRAIN});
    dev = data_set_held_out(text, NULL);
    expected = good_text("one two three four five six seven",
                         (data_set_options){.part = DATA_DEV, .target_vocab = data_set_target_vocab(text)});
    ck_assert(data_set_fingerprint(dev) == data_set_fingerprint(expected));
    data_set_free(text);
    data_set_free(dev);
    data_set_free(expected);
}
END_TEST

/* However few sources: both parts have one. */
START_TEST(parts_are_never_empty)
{
    for (uint64_t seed = 0; seed < 20; seed++)
        for (int share = 1; share <= 9; share += 4) {
            data_set_options options = {.seed = seed, .held_out = share / 10.0, .part = DATA_TRAIN};
            data_set *train = good_pairs("a\tbb\nccc\tdddd\n", options);
            options.part = DATA_DEV;
            data_set *dev = good_pairs("a\tbb\nccc\tdddd\n", options);
            expect_one_example_as_long_as_the_maxima(train);
            expect_one_example_as_long_as_the_maxima(dev);
            data_set_free(train);
            data_set_free(dev);
        }
}
END_TEST

START_TEST(vocabularies_come_from_the_part)
{
    data_set *train = good_pairs("a\tb\nc\td\n", (data_set_options){.part = DATA_TRAIN});
    ck_assert_int_eq(data_vocab_size(data_set_source_vocab(train)), 5);
    ck_assert_int_eq(data_vocab_size(data_set_target_vocab(train)), 5);
    data_set_free(train);
}
END_TEST

/* ---- Groups ------------------------------------------------------------------------ */

START_TEST(targets_of_a_source)
{
    data_set *set = good_pairs("b\t1\na\t2\nb\t3\nab\t4\nb\t5\na\t6\nc\t7\n", (data_set_options){0});
    static const int expected[4][4] = {{3, 0, 2, 4}, {2, 1, 5}, {1, 3}, {1, 6}};
    ck_assert_int_eq(data_set_source_count(set), 4);
    for (int s = 0; s < 4; s++) {
        ck_assert_int_eq(data_set_target_count(set, s), expected[s][0]);
        for (int r = 0; r < expected[s][0]; r++)
            ck_assert_int_eq(data_set_target_index(set, s, r), expected[s][r + 1]);
        ck_assert_int_eq(data_set_target_index(set, s, expected[s][0]), -1);
    }
    ck_assert_int_eq(data_set_target_count(set, 4), 0);
    ck_assert_int_eq(data_set_target_count(set, -1), 0);
    ck_assert_int_eq(data_set_target_index(set, 9, 0), -1);
    ck_assert_int_eq(data_set_target_index(set, 0, -1), -1);
    data_set_free(set);
}
END_TEST

/* In a small, crowded table a search often passes by sources that begin with the one
 * sought. */
START_TEST(sources_that_begin_alike)
{
    enum { SOURCES = 30 };
    char content[SOURCES * (SOURCES + 4)], *out = content;
    for (int size = SOURCES; size >= 1; size--) {
        memset(out, 'a', (size_t)size);
        out += size;
        out += sprintf(out, "\tx\n");
    }
    data_set *set = good_pairs(content, (data_set_options){0});
    ck_assert_int_eq(data_set_source_count(set), SOURCES);
    data_set_free(set);
}
END_TEST

START_TEST(groups_of_a_task)
{
    data_set_options options = {.min_length = 1, .max_length = 1, .count = 500, .seed = 6};
    data_set *set = data_set_task(data_task_find("copy"), &options, NULL);
    ck_assert_int_eq(data_set_source_count(set), 26);
    int64_t examples = 0;
    for (int64_t s = 0; s < 26; s++) {
        const char *source, *target;
        data_set_example(set, data_set_target_index(set, s, 0), &source, &target);
        char letter = source[0];
        for (int64_t r = 0; r < data_set_target_count(set, s); r++, examples++) {
            data_set_example(set, data_set_target_index(set, s, r), &source, &target);
            ck_assert_int_eq(source[0], letter);
        }
    }
    ck_assert_int_eq(examples, 500);
    data_set_free(set);
}
END_TEST

/* ---- Text files -------------------------------------------------------------------- */

static uint64_t fingerprint_of(const char *content)
{
    data_set *set = good_pairs(content, (data_set_options){0});
    uint64_t print = data_set_fingerprint(set);
    data_set_free(set);
    return print;
}

START_TEST(fingerprints)
{
    uint64_t print = fingerprint_of("a\tb\nc\td\n");
    ck_assert(print == fingerprint_of("a\tb\n\nc\td"));
    ck_assert(print != fingerprint_of("a\tb\nc\te\n"));
    ck_assert(print != fingerprint_of("c\td\na\tb\n"));
    ck_assert(print != fingerprint_of("a\tb\n"));
    ck_assert(print != fingerprint_of("a\tbc\n\xc2\xa2\td\n"));
}
END_TEST

START_TEST(windows_of_a_text)
{
    data_set *set = good_text("abcdefghi\xC9\x94", (data_set_options){.context = 4});
    ck_assert_int_eq(data_set_count(set), 3); /* 10 tokens are 9 targets: 4, 4, 1 */
    ck_assert_int_eq(data_set_max_target(set), 4);
    ck_assert_int_eq(data_set_max_source(set), 0);
    ck_assert_ptr_null(data_set_source_vocab(set));
    ck_assert_int_eq(data_vocab_size(data_set_target_vocab(set)), 14);
    ck_assert_int_eq(data_set_source_count(set), 0);
    expect_example(set, 0, NULL, "abcd");
    expect_example(set, 1, NULL, "efgh");
    expect_example(set, 2, NULL, "i");
    data_set_free(set);

    set = good_text("\xEF\xBB\xBF  one two\nthree \t four five ",
                    (data_set_options){.context = 2, .target_kind = DATA_WORDS});
    ck_assert_int_eq(data_set_count(set), 2);
    expect_example(set, 0, NULL, "one two");
    expect_example(set, 1, NULL, "three \t four");
    data_set_free(set);

    /* A context longer than the text. */
    set = good_text("ab", (data_set_options){0});
    ck_assert_int_eq(data_set_count(set), 1);
    ck_assert_int_eq(data_set_max_target(set), 1);
    expect_example(set, 0, NULL, "a");
    data_set_free(set);
}
END_TEST

START_TEST(parts_of_a_text)
{
    static const char text[] = "\xC3\xA4\xC3\xB6\xC3\xBC"
                               "defghi\xC3\x9F\xC3\x9F\xC3\x9F"; /* 12 characters, 18 bytes */
    data_set_options options = {.held_out = 0.25, .part = DATA_TRAIN};
    data_set *train = good_text(text, options); /* the cut, in the middle of a character, moves to its end */
    options.part = DATA_DEV;
    data_set *dev = good_text(text, options);
    ck_assert_int_eq(data_set_max_target(train), 9);
    ck_assert_int_eq(data_set_max_target(dev), 1);
    expect_example(train, 0, NULL,
                   "\xC3\xA4\xC3\xB6\xC3\xBC"
                   "defghi");
    expect_example(dev, 0, NULL, "\xC3\x9F");
    data_set_free(train);
    data_set_free(dev);

    options = (data_set_options){.held_out = 0.5, .part = DATA_TRAIN, .target_kind = DATA_WORDS};
    train = good_text("one two threefourfive six seven", options);
    options.part = DATA_DEV;
    dev = good_text("one two threefourfive six seven", options);
    expect_example(train, 0, NULL, "one two");
    ck_assert_int_eq(data_vocab_size(data_set_target_vocab(train)), 7);
    expect_example(dev, 0, NULL, "six");
    ck_assert_int_eq(data_vocab_size(data_set_target_vocab(dev)), 6);
    data_set_free(train);
    data_set_free(dev);
}
END_TEST

START_TEST(bad_text_files)
{
    static const struct {
        const char *content;
        size_t size;
        data_set_options options;
        const char *message;
    } cases[] = {
        {"", 0, {0}, "text.txt: the file is empty"},
        {"a", 0, {0}, "text.txt: the file has fewer than 2 tokens"},
        {"  \n ", 0, {.target_kind = DATA_WORDS}, "text.txt: the file has fewer than 2 tokens"},
        {"abcdefghij", 0, {.part = DATA_DEV}, "text.txt: this part of the file has fewer than 2 tokens"},
        {"abc\ndef\ngh\xFF\n", 0, {0}, "text.txt:3: byte 3 of the line is not well-formed UTF-8"},
        {"abc\nd\0f\n", 8, {0}, "text.txt:2: byte 2 of the line is zero, which no text holds"},
        {"abc", 0, {.tagging = true}, "text.txt: a text file has no tags"},
        {"abcdefghij", 0, {.context = 6, .max_tokens = 5}, "windows of 6 tokens are longer than the limit of 5"},
        {"abc", 0, {.context = -1}, "tokens of context, not -1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ag_error error = {0};
        size_t size = cases[i].size ? cases[i].size : strlen(cases[i].content);
        char *path = test_file_write(folder, "text.txt", cases[i].content, size);
        data_set *set = data_set_text(path, &cases[i].options, &error);
        ck_assert_msg(set == NULL, "case %zu was accepted", i);
        ck_assert_msg(strstr(error.message, cases[i].message) != NULL, "case %zu: %s", i, error.message);
        free(path);
    }
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("data_sets");
    TCase *tests = tcase_create("all");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, lines_of_a_pair_file);
    tcase_add_test(tests, a_last_line_may_end_in_any_way);
    tcase_add_test(tests, given_vocabularies_are_copied);
    tcase_add_test(tests, bad_pair_files);
    tcase_add_test(tests, too_many_tokens_for_an_index);
    tcase_add_test(tests, parts_of_a_pair_file);
    tcase_add_test(tests, a_part_is_held_out_of_what_was_read);
    tcase_add_test(tests, parts_are_never_empty);
    tcase_add_test(tests, vocabularies_come_from_the_part);
    tcase_add_test(tests, targets_of_a_source);
    tcase_add_test(tests, sources_that_begin_alike);
    tcase_add_test(tests, groups_of_a_task);
    tcase_add_test(tests, fingerprints);
    tcase_add_test(tests, windows_of_a_text);
    tcase_add_test(tests, parts_of_a_text);
    tcase_add_test(tests, bad_text_files);
    suite_add_tcase(suite, tests);
    return suite;
}

TEST_MAIN(make_suite)
