/* test_bpe_sets.c - sets of byte pairs: their merges come from the training part alone,
 * and their batches have the tokens of the whole text. */
#include "check_util.h"
#include "data.h"

#include <stdio.h>
#include <string.h>

enum { PAIRS = 200, MERGES = 20 };

static char *folder;
static char content[1 << 15];

static void set_up(void)
{
    folder = test_folder_new();
}

static void tear_down(void)
{
    test_folder_remove(folder);
}

/* Words that the same letters make, each line another source. */
static void write_pairs(void)
{
    size_t at = 0;
    for (int i = 0; i < PAIRS; i++)
        at += (size_t)snprintf(content + at, sizeof content - at, "the %dth cat sat%d\tXYZ%d XY Z%d\n", i, i * i % 97,
                               i % 7, i * i % 89);
}

static data_set *open_set(bool is_text, data_set_options options)
{
    ag_error error = {0};
    char *path = test_file_write(folder, "file", content, strlen(content));
    data_set *set = (is_text ? data_set_text : data_set_pairs)(path, &options, &error);
    ck_assert_msg(set != NULL, "%s", error.message);
    free(path);
    return set;
}

static data_set *hold_out(const data_set *set)
{
    ag_error error = {0};
    data_set *dev = data_set_held_out(set, &error);
    ck_assert_msg(dev != NULL, "%s", error.message);
    return dev;
}

/* Vocabularies are equal where their texts are. */
static bool same_vocab(const data_vocab *a, const data_vocab *b)
{
    char *texts[] = {data_vocab_write(a, NULL), data_vocab_write(b, NULL)};
    const bool same = !strcmp(texts[0], texts[1]);
    free(texts[0]);
    free(texts[1]);
    return same;
}

/* The vocabulary that the sources or the targets of a set teach. */
static data_vocab *learned_from(data_set *set, bool targets)
{
    data_learner *learner = data_learner_new(NULL);
    for (int64_t i = 0; i < data_set_count(set); i++) {
        const char *texts[2];
        data_set_example(set, i, &texts[0], &texts[1]);
        ck_assert_int_eq(data_learner_add(learner, texts[targets], strlen(texts[targets]), NULL), AG_OK);
    }
    data_vocab *vocab = data_learner_vocab(learner, MERGES, NULL);
    data_learner_free(learner);
    return vocab;
}

/* Fails unless ids [count] and perhaps an end mark are the tokens of a text. */
static void check_ids(const data_vocab *vocab, const int32_t *ids, int64_t count, bool mark, const char *text)
{
    int32_t expected[256];
    const int64_t length = data_vocab_encode(vocab, text, strlen(text), expected, 256, NULL);
    ck_assert_int_eq(count, length + mark);
    ck_assert_mem_eq(ids, expected, (size_t)length * sizeof *ids);
    ck_assert(!mark || ids[length] == DATA_EOS);
}

START_TEST(pairs_teach_their_training_part_alone)
{
    write_pairs();
    data_set *set = open_set(false, (data_set_options){.part = DATA_TRAIN,
                                                       .held_out = 0.3,
                                                       .source_kind = DATA_BPE,
                                                       .target_kind = DATA_BPE,
                                                       .merges = MERGES});
    data_set *dev = hold_out(set), *all = open_set(false, (data_set_options){0});
    const data_vocab *const own[] = {data_set_source_vocab(set), data_set_target_vocab(set)};
    const data_vocab *const held[] = {data_set_source_vocab(dev), data_set_target_vocab(dev)};
    for (int side = 0; side < 2; side++) {
        data_vocab *taught = learned_from(set, side), *other = learned_from(all, side);
        ck_assert_int_eq(data_vocab_merges(own[side]), MERGES);
        ck_assert(same_vocab(own[side], taught));
        ck_assert(same_vocab(own[side], held[side]));
        ck_assert(!same_vocab(own[side], other)); /* or the test shows nothing */
        data_vocab_free(taught);
        data_vocab_free(other);
    }
    data_set_free(all);
    data_set_free(set);

    data_batch batch = {0}; /* the held-out part outlives the other */
    for (int64_t i = 0; i < data_set_count(dev); i++) {
        const char *source, *target;
        ck_assert_int_eq(data_set_range(dev, i, 1, &batch, NULL), AG_OK);
        data_set_example(dev, i, &source, &target);
        check_ids(held[0], batch.source, batch.source_length, true, source);
        check_ids(held[1], batch.target_out, batch.target_length, true, target);
        ck_assert(batch.source_length <= data_set_max_source(dev) && batch.target_length <= data_set_max_target(dev));
    }
    data_batch_clear(&batch);
    data_set_free(dev);
}
END_TEST

START_TEST(merges_may_be_few_or_none)
{
    static const struct {
        int64_t given;
        int32_t merges;
    } cases[] = {{-1, 0}, {3, 3}, {0, 2}}; /* "abab" has two, whatever the default is */
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        strcpy(content, i == 2 ? "abab\tx\nabab\ty\n" : "the cat and the hat\tx\nthe mat\ty\n");
        data_set *set = open_set(false, (data_set_options){.source_kind = DATA_BPE, .merges = cases[i].given});
        ck_assert_int_eq(data_vocab_merges(data_set_source_vocab(set)), cases[i].merges);
        ck_assert_int_eq(data_vocab_kind(data_set_target_vocab(set)), DATA_CHARS);
        data_set_free(set);
    }
}
END_TEST

/* A text of which the parts share few words. */
static void write_text(void)
{
    size_t at = 0;
    for (int i = 0; i < PAIRS; i++)
        at += (size_t)snprintf(content + at, sizeof content - at, i < 120 ? "the cat sat %d\r\n" : "no dog ran %d\n", i);
}

START_TEST(texts_keep_the_tokens_of_the_whole)
{
    enum { CONTEXT = 7 };
    static int32_t ids[1 << 14];
    write_text();
    data_set *sets[2] = {open_set(true, (data_set_options){.part = DATA_TRAIN,
                                                           .held_out = 0.4,
                                                           .context = CONTEXT,
                                                           .target_kind = DATA_BPE,
                                                           .merges = MERGES})};
    sets[1] = hold_out(sets[0]);
    const data_vocab *vocab = data_set_target_vocab(sets[0]);
    ck_assert_int_eq(data_vocab_find(vocab, "\xC4\xA0" "dog", 5), DATA_NONE); /* of the held-out part */
    ck_assert_int_ne(data_vocab_find(vocab, "\xC4\xA0" "cat", 5), DATA_NONE);
    const size_t size = strlen(content), share = (size_t)((double)size * (1 - 0.4));
    const size_t border = share + (content[share - 1] == '\r'); /* the end of a line is not cut */
    const char *const parts[] = {content, content + border};
    const size_t sizes[] = {border, size - border};

    for (int part = 0; part < 2; part++) {
        data_batch batch = {0};
        const int64_t count = data_vocab_encode(vocab, parts[part], sizes[part], ids, 1 << 14, NULL);
        const int64_t windows = data_set_count(sets[part]);
        int64_t seen = 0;
        ck_assert_int_eq(windows, (count - 1 + CONTEXT - 1) / CONTEXT);
        for (int64_t i = 0; i < windows; i++) { /* all tokens, in their order */
            const char *source, *target;
            char text[256];
            ck_assert_int_eq(data_set_range(sets[part], i, 1, &batch, NULL), AG_OK);
            ck_assert_mem_eq(batch.target_in, ids + seen, (size_t)batch.target_length * sizeof *ids);
            ck_assert_mem_eq(batch.target_out, ids + seen + 1, (size_t)batch.target_length * sizeof *ids);
            data_set_example(sets[part], i, &source, &target);
            data_vocab_decode(vocab, batch.target_in, batch.target_length, text, sizeof text);
            ck_assert_str_eq(target, text);
            seen += batch.target_length;
        }
        ck_assert_int_eq(seen, count - 1);
        for (uint64_t n = 0; n < 40; n++) { /* windows that are moved are parts of it, too */
            ck_assert_int_eq(data_set_batch(sets[part], 1, n, &batch, NULL), AG_OK);
            const size_t bytes = (size_t)batch.target_length * sizeof *ids;
            bool found = false;
            for (int64_t at = 0; at + batch.target_length < count && !found; at++)
                found = !memcmp(ids + at, batch.target_in, bytes) && !memcmp(ids + at + 1, batch.target_out, bytes);
            ck_assert(found);
        }
        data_batch_clear(&batch);
    }
    data_set_free(sets[0]);
    data_set_free(sets[1]);
}
END_TEST

START_TEST(any_bytes_but_zero_are_read)
{
    static const char bytes[] = "caf\xE9 \xFF\xC3\tna\xEFve\nx\ty\n";
    ag_error error = {0};
    data_set_options options = {.source_kind = DATA_BPE, .target_kind = DATA_BPE};
    const char *source, *target;
    strcpy(content, bytes);
    data_set *set = open_set(false, options);
    data_set_example(set, 0, &source, &target);
    ck_assert_str_eq(source, "caf\xE9 \xFF\xC3");
    ck_assert_str_eq(target, "na\xEFve");
    data_batch batch = {0};
    ck_assert_int_eq(data_batch_sources(data_set_source_vocab(set), &source, 1, false, &batch, NULL, &error), AG_OK);
    check_ids(data_set_source_vocab(set), batch.source, batch.source_length, true, source);
    data_batch_clear(&batch);
    data_set_free(set);
    set = open_set(true, options);
    ck_assert_int_gt(data_set_count(set), 0);
    data_set_free(set);

    char *path = test_file_write(folder, "bytes", bytes, sizeof bytes); /* the final zero is one of them */
    ck_assert_ptr_null(data_set_text(path, &options, &error));
    ck_assert_ptr_nonnull(strstr(error.message, "byte 4 of the line is not well-formed UTF-8"));
    static const struct {
        data_set_options options;
        const char *message;
    } refused[] = {{{.target_kind = DATA_BPE}, "bytes:1: byte 4 of the line is not well-formed UTF-8"}, /* the source */
                   {{.source_kind = DATA_BPE, .tagging = true}, "tagging needs whole words or characters"},
                   {{.target_kind = DATA_BPE, .tagging = true}, "tagging needs whole words or characters"},
                   {{.merges = -2}, "merges -2: 0 means the default"}};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        error = (ag_error){0};
        ck_assert_ptr_null(data_set_pairs(path, &refused[i].options, &error));
        ck_assert_msg(strstr(error.message, refused[i].message) != NULL, "%s", error.message);
    }
    free(path);
}
END_TEST

START_TEST(every_allocation_may_fail)
{
    write_pairs();
    memset(content + 3000, 'a', 300); /* a word that takes memory to encode */
    strcpy(content + 3300, "\tb\n");
    char *path = test_file_write(folder, "file", content, strlen(content));
    for (int is_text = 0; is_text < 2; is_text++) {
        const data_set_options options = {
            .part = DATA_TRAIN, .source_kind = DATA_BPE, .target_kind = DATA_BPE, .merges = MERGES};
        data_batch batch = {0};
        bool done = false;
        int64_t failed = 0;
        for (int64_t n = 1; !done; n++) {
            ag_error error = {0};
            test_fail_allocation(n);
            data_set *set = (is_text ? data_set_text : data_set_pairs)(path, &options, &error);
            done = set && data_set_range(set, 0, data_set_count(set), &batch, &error) == AG_OK;
            test_fail_allocation(0);
            ck_assert_msg(done || error.status == AG_NO_MEMORY, "%s", error.message);
            failed += !done;
            data_set_free(set);
        }
        data_batch_clear(&batch);
        ck_assert_int_gt(failed, 30);
    }
    free(path);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("bpe_sets");
    TCase *tests = tcase_create("bpe_sets");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, pairs_teach_their_training_part_alone);
    tcase_add_test(tests, merges_may_be_few_or_none);
    tcase_add_test(tests, texts_keep_the_tokens_of_the_whole);
    tcase_add_test(tests, any_bytes_but_zero_are_read);
    tcase_add_test(tests, every_allocation_may_fail);
    suite_add_tcase(suite, tests);
    return suite;
}

TEST_MAIN(make_suite)
